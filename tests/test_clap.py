"""Mini CLAP: its ears, its file, and what the shipped one knows."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import ssv2a
from ssv2a.embed.clap import CLAP_DIM, MELS, ClapNetwork, MiniClap, features, mel_power
from ssv2a.embed.minilm import MiniLm
from ssv2a.errors import InputError, WeightsError
from ssv2a.soundbank.bank import Bank
from ssv2a.soundbank.vocabulary import vocabulary
from ssv2a.types import SAMPLE_RATE

MINI = Path(ssv2a.__file__).parent / "bundles" / "mini"


@pytest.fixture(scope="module")
def shipped():
    return MiniClap.load(MINI / "clap.safetensors")


@pytest.fixture(scope="module")
def text():
    return MiniLm(MINI / "minilm_l6_v2_int8.onnx", MINI / "minilm_tokenizer.json", 1)


def noise(seconds, seed=0, channels=1):
    rng = np.random.default_rng(seed)
    return (0.1 * rng.standard_normal((channels, round(seconds * SAMPLE_RATE)))).astype(np.float32)


def tone(hertz, seconds=1.0):
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (0.5 * np.sin(2 * np.pi * hertz * times)).astype(np.float32)[None]


def mel(hertz):
    return 2595 * np.log10(1 + hertz / 700)


# The front end


@pytest.mark.parametrize("hertz", [100, 440, 1000, 5000, 12_000])
def test_a_tone_is_loudest_in_the_band_around_its_pitch(hertz):
    power = mel_power(tone(hertz))
    centres = np.linspace(mel(40), mel(16_000), MELS + 2)[1:-1]
    assert power.shape == (MELS, 51)
    assert power.mean(axis=1).argmax() == np.abs(centres - mel(hertz)).argmin()


def test_powers_of_sounds_add_up():
    low, high = tone(300), tone(4000)
    together, apart = mel_power(low + high)[:, 2:-2], (mel_power(low) + mel_power(high))[:, 2:-2]
    np.testing.assert_allclose(together, apart, rtol=0.01, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(gain=st.floats(1e-3, 1e3))
def test_gain_does_not_matter(gain):
    power = torch.from_numpy(mel_power(noise(1.0)))[None]
    torch.testing.assert_close(features(power * gain), features(power), atol=1e-4, rtol=0)


def test_silence_has_features_too():
    assert torch.isfinite(features(torch.zeros(1, MELS, 60))).all()


# The network in use


def test_vectors_are_of_unit_length_and_do_not_depend_on_the_batch(shipped):
    sounds = [noise(0.2), noise(3.0, 1), noise(3.0, 2, channels=2), noise(25.0, 3)]
    together = shipped.audio_batch(sounds)
    assert together.shape == (4, CLAP_DIM)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    for row, sound in zip(together, sounds, strict=True):
        np.testing.assert_allclose(shipped.audio(sound), row, atol=1e-4)


def test_a_long_sound_is_heard_whole(shipped):
    first, last = np.tile(tone(300, 10), 1), noise(10.0)
    whole = shipped.audio(np.concatenate([first, last], axis=1))
    parts = shipped.audio(first) + shipped.audio(last)
    alone = shipped.audio(first)
    assert whole @ (parts / np.linalg.norm(parts)) > 0.9
    assert whole @ (parts / np.linalg.norm(parts)) > whole @ alone + 0.1


@pytest.mark.parametrize("shape", [(1, 0), (48_000,)])
def test_what_is_no_sound_is_refused(shipped, shape):
    with pytest.raises(InputError, match="expected"):
        shipped.audio(np.zeros(shape, np.float32))


def test_weights_come_back_as_they_were_saved(tmp_path):
    torch.manual_seed(3)
    clap = MiniClap(ClapNetwork(width=4))
    clap.save(tmp_path / "clap.safetensors")
    again = MiniClap.load(tmp_path / "clap.safetensors")
    np.testing.assert_allclose(again.audio(noise(1.0)), clap.audio(noise(1.0)), atol=1e-3)


def test_a_file_that_is_no_clap_is_refused_with_its_name(tmp_path):
    (tmp_path / "other.safetensors").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="other"):
        MiniClap.load(tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="missing"):
        MiniClap.load(tmp_path / "missing.safetensors")


# What the shipped one has learned


def test_captions_find_sounds_of_their_kind(shipped, text):
    bank = Bank.open(MINI / "banks" / "default")
    found = []
    for key in sorted({entry.sound for entry in bank.entries}):
        cosines = (bank.claps @ shipped.text(text.embed([vocabulary()[key].caption]))[0]).max(axis=1)
        found.append(key in {bank.entries[place].sound for place in np.argsort(-cosines)[:4]})
    assert np.mean(found) >= 0.9


def test_a_mixture_lies_near_the_sum_of_its_parts(shipped):
    bank = Bank.open(MINI / "banks" / "default")
    rng = np.random.default_rng(0)
    models = [bank.models[name] for name in ("mammal.dog", "weather.rain", "engine.car", "signal.siren")]
    sounds = [
        model.render(model.draw(rng), 4 * SAMPLE_RATE, rng).mean(axis=0, keepdims=True) for model in models
    ]
    sounds = [np.resize(sound, (1, 4 * SAMPLE_RATE)) / sound.std() for sound in sounds]
    vectors = shipped.audio_batch(sounds)
    near = []
    for one in range(4):
        for other in range(one):
            mixed = shipped.audio(sounds[one] + sounds[other])
            parts = vectors[one] + vectors[other]
            near.append(float(mixed @ parts / np.linalg.norm(parts)))
    assert np.mean(near) > 0.7
