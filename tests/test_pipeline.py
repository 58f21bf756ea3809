"""The whole chain on the embedded bundle: pictures, frames and given sources become takes."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image
from seen_parts import picture

from ssv2a.errors import ConfigurationError, InputError
from ssv2a.pipeline import Ssv2a, air_of
from ssv2a.types import SAMPLE_RATE, Added, Composition, Frames, VideoSettings

QUICK = VideoSettings(cycle_its=4, cycle_samples=8)
SECOND = SAMPLE_RATE


@pytest.fixture(scope="module")
def model() -> Ssv2a:
    return Ssv2a.load(device="cpu", threads=1)


def tone(seconds: float = 1.0, hertz: float = 440.0) -> np.ndarray:
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return np.sin(2 * np.pi * hertz * time, dtype=np.float32)[None] * np.float32(0.5)


# Pictures


def test_a_picture_sounds_like_what_is_in_it(model: Ssv2a) -> None:
    [take] = model.image([picture("cat")], 2 * SECOND, seeds=[1], settings=QUICK)
    assert take.waveform.shape == (2, 2 * SECOND)
    assert take.waveform.dtype == np.float32
    assert {pick.sound for pick in take.picks if pick.track is not None} == {"cat_meow"}
    assert np.abs(take.waveform).max() > 0.01


def test_a_picture_sounds_the_same_whatever_comes_with_it(model: Ssv2a) -> None:
    cat, street = picture("cat"), picture("clock")
    [alone] = model.image([cat], SECOND, seeds=[5], settings=QUICK)
    _, among = model.image([street, cat], SECOND, seeds=[4, 5], settings=QUICK)
    np.testing.assert_array_equal(alone.waveform, among.waveform)
    np.testing.assert_array_equal(alone.scene.target, among.scene.target)


def test_pictures_of_any_size_go_together(model: Ssv2a) -> None:
    images = [np.full((7, 400, 3), 90, np.uint8), np.full((1, 1, 3), 90, np.uint8)]
    for take in model.image(images, SECOND, seeds=[1, 2], settings=QUICK):
        assert take.waveform.shape == (2, SECOND)
        assert np.isfinite(take.waveform).all()


# Sources that are given


def test_equal_texts_are_sources_of_their_own(model: Ssv2a) -> None:
    parts = Composition(texts=("a dog barking", "a dog barking", "heavy rain"))
    take = model.compose(parts, 2 * SECOND, seed=3, settings=QUICK, stems=True)
    assert [track.caption for track in take.scene.tracks] == list(parts.texts)
    assert len(take.stems) == 3
    heard = {pick.track: pick.sound for pick in take.picks if pick.track is not None}
    assert heard == {-1: "dog_bark", -2: "dog_bark", -3: "rain"}


def test_the_stems_add_up(model: Ssv2a) -> None:
    parts = Composition(texts=("a dog barking", "a car engine running"))
    take = model.compose(parts, 2 * SECOND, seed=3, settings=QUICK, stems=True)
    rest = take.waveform - sum(take.stems.values())
    for stem in take.stems.values():
        assert np.abs(stem).max() > 0.01
    # What is left is the room tone behind them.
    assert np.square(rest).mean() < 0.02 * np.square(take.waveform).mean()


def test_a_sound_pulls_the_mix_towards_itself(model: Ssv2a) -> None:
    """Several sounds each have a slot: the target turns towards what is given, and each has its own CLAP."""
    low, noise = tone(hertz=80), np.random.default_rng(0).normal(0, 0.1, (1, SECOND)).astype(np.float32)
    both = model.compose(Composition(sounds=(low, noise)), SECOND, seed=1, settings=QUICK)
    first, second = (track.clap for track in both.scene.tracks)
    assert first @ second < 0.9
    other = model.compose(Composition(sounds=(low,)), SECOND, seed=1, settings=QUICK)
    assert not np.allclose(other.scene.target, both.scene.target, atol=1e-3)


def test_everything_goes_together(model: Ssv2a) -> None:
    parts = Composition(images=(picture("cat"),), texts=("rain on a roof",), sounds=(tone(),))
    take = model.compose(parts, SECOND, seed=1, settings=QUICK)
    assert [track.label for track in take.scene.tracks] == ["image", "text", "sound"]
    assert take.scene.tracks[0].caption is not None
    assert "cat" in take.scene.tracks[0].caption


def test_there_is_a_name_for_each_source_or_none(model: Ssv2a) -> None:
    with pytest.raises(InputError, match="a name for each of 2 sources, or none, got 1"):
        model.compose(Composition(texts=("rain", "wind"), names=("one",)), SECOND, seed=1, settings=QUICK)


@pytest.mark.parametrize("count", [0, 64])
def test_sources_are_one_to_sixty_three(model: Ssv2a, count: int) -> None:
    with pytest.raises(InputError, match=f"expected 1 to 63 sources, got {count}"):
        model.compose(Composition(texts=("rain",) * count), SECOND, seed=1, settings=QUICK)


def test_nothing_to_see_or_no_length_is_said_plainly(model: Ssv2a) -> None:
    assert model.image([], SECOND, seeds=[], settings=QUICK) == []
    frames = Frames(np.zeros((1, 90, 160, 3), np.uint8), (Fraction(0),))
    with pytest.raises(InputError, match="expected a length of 1 sample or more, got 0"):
        model.video(frames, 0, seed=1, settings=QUICK)
    with pytest.raises(InputError, match="got -5"):
        model.compose(Composition(texts=("rain",)), -5, seed=1, settings=QUICK)


def test_sixty_three_sources_work(model: Ssv2a) -> None:
    take = model.compose(Composition(texts=("rain",) * 63), SECOND, seed=1, settings=QUICK)
    assert len(take.scene.tracks) == 63


def test_a_clip_may_have_a_picture_and_a_sound_added(model: Ssv2a, tmp_path: Path) -> None:
    Image.fromarray(picture("cat")).save(tmp_path / "rex.png")
    soundfile.write(tmp_path / "hum.wav", tone(1.0, 100)[0], SAMPLE_RATE)
    added = (Added(image=tmp_path / "rex.png"), Added(audio=tmp_path / "hum.wav"), Added(text="rain"))
    frames = Frames(np.full((2, 64, 64, 3), 128, np.uint8), (Fraction(0), Fraction(1, 2)))
    settings = replace(QUICK, add=added)
    take, state = model.video(frames, SECOND, seed=1, settings=settings)
    assert [(track.key, track.name) for track in take.scene.tracks][-3:] == [
        (-1, "rex"),
        (-2, "hum"),
        (-3, "rain"),
    ]
    # The next chunk goes on with them though the files are gone.
    (tmp_path / "rex.png").unlink()
    again, _ = model.video(frames, SECOND, start=Fraction(1), seed=2, settings=settings, previous=state)
    assert [track.key for track in again.scene.tracks][-3:] == [-1, -2, -3]


# The chain


def test_low_memory_changes_nothing_but_memory(model: Ssv2a) -> None:
    sparing = Ssv2a.load(device="cpu", threads=1, low_memory=True)
    for each in (sparing, model):
        each.check({"width": 0.5})
    [ours], [theirs] = (
        each.image([picture("cat")], SECOND, seeds=[1], settings=QUICK) for each in (sparing, model)
    )
    np.testing.assert_array_equal(ours.waveform, theirs.waveform)
    assert not any(part.loaded for part in sparing._chain.models)


def test_settings_of_another_synthesiser_are_refused(model: Ssv2a) -> None:
    with pytest.raises(ConfigurationError, match="steps: not known to the sound bank"):
        model.check({"steps": 25})


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="expected one of: cpu"):
        Ssv2a.load(device="abacus")


@pytest.mark.parametrize(
    ("frames", "air"),
    [
        ([None] * 13 + ["traffic"] * 3, "traffic"),
        ([None] * 15 + ["traffic"], None),
        (["birds"] * 5 + ["wind"] * 4 + [None] * 7, "birds"),
        ([None] * 4, None),
        ([], None),
    ],
)
def test_the_air_of_a_chunk_does_not_end_where_a_shot_shows_nothing_of_it(frames, air) -> None:
    assert air_of(frames) == air
