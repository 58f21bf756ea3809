"""The diffusion synthesiser, with real networks at tiny sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from audioldm_models import CLAP_DIM, networks, write_folder
from hypothesis import given
from hypothesis import strategies as st

from ssv2a.errors import ConfigurationError, WeightsError
from ssv2a.on_demand import OnDemand
from ssv2a.synthesis.audioldm import AudioLdm, AudioLdmSettings, precision
from ssv2a.synthesis.audioldm_sampler import LatentDiffusion, Sampling, Sizes
from ssv2a.types import SAMPLE_RATE, FloatArray, Scene, SoundRequest, Track

CPU = torch.device("cpu")
RELEASED = Sizes(clap_dim=512, channels=8, height=16, hop=640, mel_hop=160, sample_rate=16_000)
FAST = {"sampler": "fast", "steps": 3}
SHORT = 2 * SAMPLE_RATE


class FakeClap:
    """Remembers what it hears; `answer` tells the vector of the k-th sound of a call."""

    def __init__(self, answer: Any = None) -> None:
        self.heard: list[FloatArray] = []
        self.answer = answer or (lambda index: unit(index))

    def audio_batch(self, waveforms: Sequence[FloatArray]) -> FloatArray:
        self.heard = list(waveforms)
        return np.stack([self.answer(index) for index in range(len(waveforms))])


def unit(seed: int) -> FloatArray:
    x = np.random.default_rng(seed).standard_normal(CLAP_DIM).astype(np.float32)
    return x / np.linalg.norm(x)


def track(key: int, caption: str | None) -> Track:
    ones = np.ones(1, np.float32)
    return Track(key, "label", "name", caption, unit(100 + key), ones, ones / 2, ones / 10)


def scene(target: FloatArray, *tracks: Track) -> Scene:
    return Scene(Fraction(2), (Fraction(0),), target, tracks, None)


def request(seed: int = 1, **changes: Any) -> SoundRequest:
    return replace(SoundRequest(scene(unit(0)), SHORT, seed, candidates=1, settings=FAST), **changes)


@pytest.fixture(scope="module")
def parts() -> dict[str, Any]:
    return networks()


@pytest.fixture(scope="module")
def model(parts: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(parts, tmp_path_factory.mktemp("audioldm"))


@pytest.fixture(scope="module")
def diffusion(model: Path) -> LatentDiffusion:
    return LatentDiffusion.open(model, CPU, torch.float32)


def synthesiser(diffusion: LatentDiffusion, clap: FakeClap | None = None, **options: Any) -> AudioLdm:
    return AudioLdm(diffusion, OnDemand(lambda: clap or FakeClap()), **options)


def changed(diffusion: LatentDiffusion, **networks: Any) -> LatentDiffusion:
    """The same model with other networks."""
    other = copy(diffusion)
    other.__dict__.update(networks)
    return other


def empty_text(parts: dict[str, Any]) -> torch.Tensor:
    """The vector of "" as the pipeline computes it: tokens padded to the end, padding masked."""
    ids = torch.full((1, 77), 1)
    ids[0, 0], ids[0, 1] = 0, 2
    vector = parts["text_encoder"](ids, attention_mask=(ids != 1).long()).text_embeds
    return torch.nn.functional.normalize(vector, dim=-1)


@pytest.mark.parametrize(
    ("sampling", "scheduler"),
    [
        (Sampling("faithful", 6, 2.5, 1.0), "DDIMScheduler"),
        (Sampling("faithful", 4, 1.0, 0.3), "DDIMScheduler"),
        (Sampling("faithful", 4, 4.0, 0.0), "DDIMScheduler"),
        (Sampling("fast", 6, 2.5, 1.0), "DPMSolverMultistepScheduler"),
    ],
)
def test_the_loop_gives_what_the_pipeline_of_diffusers_gives(
    diffusion: LatentDiffusion, parts: dict[str, Any], sampling: Sampling, scheduler: str
) -> None:
    import diffusers

    options = {"use_lu_lambdas": True} if sampling.solver == "fast" else {}
    solver = getattr(diffusers, scheduler).from_config(parts["scheduler"].config, **options)
    pipeline = diffusers.AudioLDMPipeline(**{**parts, "scheduler": solver}, tokenizer=None)
    pipeline.set_progress_bar_config(disable=True)
    claps, seeds, frames = torch.from_numpy(np.stack([unit(0), unit(1)])), [7, 8], 64

    with torch.no_grad():
        wanted = pipeline(
            prompt_embeds=claps,
            negative_prompt_embeds=empty_text(parts).expand_as(claps),
            audio_length_in_s=frames * 640 / 16_000,
            num_inference_steps=sampling.steps,
            guidance_scale=sampling.guidance,
            eta=sampling.eta,
            generator=[torch.Generator().manual_seed(seed) for seed in seeds],
        ).audios

    latents = diffusion.denoise(claps, seeds, frames, sampling)
    found = np.stack([diffusion.waveform(diffusion.mel(latent)).numpy() for latent in latents])
    length = frames * 640
    assert wanted.std() > 0.01  # it is no silence that is compared
    np.testing.assert_allclose(found[:, :length], wanted[:, :length], atol=1e-4)


class KnownNoise(torch.nn.Module):
    """A UNet that knows the noise exactly: latents are normal, the label gives mean and deviation."""

    alphas = np.cumprod(1 - np.linspace(0.0015**0.5, 0.0195**0.5, 1000) ** 2)

    def forward(self, x: torch.Tensor, moment: torch.Tensor, *, class_labels: torch.Tensor, **_: Any) -> Any:
        alpha = float(np.interp(float(moment), np.arange(1000), self.alphas))
        mean, deviation = class_labels.T[:2].reshape(2, -1, 1, 1, 1)
        variance = alpha * deviation**2 + 1 - alpha
        return SimpleNamespace(sample=(1 - alpha) ** 0.5 * (x - alpha**0.5 * mean) / variance)


@pytest.mark.parametrize(
    ("sampling", "tolerance"),
    [
        (Sampling("faithful", 200, 1.0, 1.0), 0.1),  # DDIM with noise narrows what it draws
        (Sampling("fast", 25, 1.0, 1.0), 0.03),
    ],
)
def test_both_samplers_draw_from_a_known_law(
    diffusion: LatentDiffusion, sampling: Sampling, tolerance: float
) -> None:
    known = changed(diffusion, unet=OnDemand(KnownNoise))
    labels = torch.zeros(3, CLAP_DIM)
    labels[:, 0], labels[:, 1] = torch.tensor([2.0, -2.0, 0.5]), torch.tensor([0.2, 0.5, 1.0])

    latents = known.denoise(labels, [3, 4, 5], 256, sampling)

    for latent, (mean, deviation) in zip(latents, labels[:, :2].tolist(), strict=True):
        assert latent.mean() == pytest.approx(mean, abs=0.05)
        assert latent.std() == pytest.approx(deviation, rel=tolerance)


@given(seconds=st.floats(0.01, 60))
def test_lengths_are_the_next_step_of_two_and_a_half_seconds(seconds: float) -> None:
    n = max(1, round(seconds * SAMPLE_RATE))
    frames = RELEASED.frames(n)
    assert frames % 64 == 0
    assert (frames - 64) * 1920 < n <= frames * 1920


def test_ten_seconds_are_the_original_s_256_frames() -> None:
    assert [RELEASED.frames(round(s * SAMPLE_RATE)) for s in (2.56, 2.57, 10, 10.24, 10.25)] == [
        *(64, 128, 256, 256, 320)
    ]


@pytest.mark.parametrize("n_samples", [1, 47_999, round(2.56 * SAMPLE_RATE), round(2.6 * SAMPLE_RATE)])
def test_every_waveform_is_as_long_as_asked_to_the_sample(diffusion: LatentDiffusion, n_samples: int) -> None:
    waveform = synthesiser(diffusion).synthesise([request(n_samples=n_samples)])[0].waveform
    assert waveform.shape == (1, n_samples)
    assert waveform.dtype == np.float32
    assert np.isfinite(waveform).all()


@pytest.mark.parametrize("nearest", [0, 1, 2])
def test_the_candidate_nearest_the_target_is_kept(diffusion: LatentDiffusion, nearest: int) -> None:
    target = unit(0)
    clap = FakeClap(lambda index: target if index == nearest else unit(50 + index))
    rendering = synthesiser(diffusion, clap).synthesise([request(candidates=3)])[0]
    assert np.array_equal(rendering.waveform, clap.heard[nearest])
    assert rendering.fit == pytest.approx(1)
    assert len({sound.tobytes() for sound in clap.heard}) == 3


def test_clap_hears_the_very_sound_that_is_handed_out(diffusion: LatentDiffusion) -> None:
    clap = FakeClap()
    rendering = synthesiser(diffusion, clap).synthesise([request(candidates=1)])[0]
    assert np.array_equal(rendering.waveform, clap.heard[0])
    assert rendering.fit == pytest.approx(float(unit(0) @ clap.answer(0)))


def test_seeds_decide_and_batch_mates_do_not(diffusion: LatentDiffusion) -> None:
    one, other, short = request(seed=1), request(seed=2), request(seed=1, n_samples=9)
    alone = synthesiser(diffusion).synthesise([one])[0].waveform
    crowd = [synthesiser(diffusion).synthesise([other, one, short]) for _ in range(2)]
    few = synthesiser(diffusion, batch=0).synthesise([other, one, short])

    assert all(np.array_equal(a.waveform, b.waveform) for a, b in zip(*crowd, strict=True))
    for batch in (crowd[0], few):
        np.testing.assert_allclose(batch[1].waveform, alone, atol=1e-4)
        np.testing.assert_allclose(batch[2].waveform, alone[:, :9], atol=1e-4)
        assert not np.allclose(batch[0].waveform, alone, atol=1e-2)


def test_the_global_generator_is_neither_read_nor_moved(diffusion: LatentDiffusion) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = synthesiser(diffusion).synthesise([request()])[0].waveform
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert np.array_equal(synthesiser(diffusion).synthesise([request()])[0].waveform, first)


def test_the_target_decides_what_is_heard(diffusion: LatentDiffusion) -> None:
    other = replace(request(), scene=scene(unit(9)))
    here, there = synthesiser(diffusion).synthesise([request(), other])
    assert not np.allclose(here.waveform, there.waveform, atol=1e-3)


def test_stems_are_the_tracks_that_sound_and_leave_the_mix_as_it_is(diffusion: LatentDiffusion) -> None:
    tracks = (track(4, "dog barking"), track(-1, "rain"), track(5, None))
    plain = request(scene=scene(unit(0), *tracks))
    mix = synthesiser(diffusion).synthesise([plain])[0]
    rendering = synthesiser(diffusion).synthesise([replace(plain, stems=True)])[0]

    assert mix.stems == {}
    assert set(rendering.stems) == {4, -1}
    assert all(stem.shape == (1, SHORT) for stem in rendering.stems.values())
    assert not np.allclose(rendering.stems[4], rendering.stems[-1], atol=1e-3)
    np.testing.assert_allclose(rendering.waveform, mix.waveform, atol=1e-4)


def test_a_stem_is_the_candidate_nearest_its_own_track(diffusion: LatentDiffusion) -> None:
    dog = track(4, "dog barking")
    clap = FakeClap(lambda index: (unit(0), unit(1), unit(0), dog.clap)[index])
    wanted = request(scene=scene(unit(0), dog), stems=True, candidates=2)
    rendering = synthesiser(diffusion, clap).synthesise([wanted])[0]
    assert np.array_equal(rendering.waveform, clap.heard[0])
    assert np.array_equal(rendering.stems[4], clap.heard[3])


def test_a_stem_has_a_seed_of_its_own(diffusion: LatentDiffusion) -> None:
    alike = [replace(track(key, "rain"), clap=unit(0)) for key in (0, 1)]
    rendering = synthesiser(diffusion).synthesise([request(scene=scene(unit(0), *alike), stems=True)])[0]
    sounds = [rendering.waveform, *rendering.stems.values()]
    assert all(not np.allclose(a, b, atol=1e-2) for a, b in combinations(sounds, 2))


def test_low_memory_gives_the_same_samples_and_the_memory_back(model: Path) -> None:
    clap = OnDemand(FakeClap)
    usual = AudioLdm.load(model, CPU, clap=clap, dtype=torch.float32)
    frugal = AudioLdm.load(model, CPU, clap=clap, dtype=torch.float32, low_memory=True)
    want = usual.synthesise([request()])[0].waveform
    assert np.array_equal(frugal.synthesise([request()])[0].waveform, want)
    inside = frugal._diffusion
    assert not any(part.loaded for part in (inside.unet, inside.vae, inside.vocoder))
    assert np.array_equal(frugal.synthesise([request()])[0].waveform, want)


def test_bfloat16_stays_near_float32(model: Path, diffusion: LatentDiffusion) -> None:
    clap = torch.from_numpy(unit(0)[None])
    half = LatentDiffusion.open(model, CPU, torch.bfloat16)
    sampling = Sampling("fast", 5, 1.0, 1.0)
    exact, near = (one.denoise(clap, [1], 64, sampling) for one in (diffusion, half))
    assert near.dtype == torch.float32
    assert 0 < float((exact - near).std() / exact.std()) < 0.05


def test_steps_are_told_one_by_one(diffusion: LatentDiffusion) -> None:
    told: list[tuple[int, int]] = []
    audioldm = synthesiser(diffusion, batch=1)  # of ten seconds: four of the short ones
    audioldm.on_step = lambda done, total: told.append((done, total))
    audioldm.synthesise([request(candidates=5)])
    assert told == [(step, 6) for step in range(1, 7)]


def test_it_ends_between_two_steps_and_goes_on_working(diffusion: LatentDiffusion) -> None:
    audioldm = synthesiser(diffusion)
    steps = []

    def interrupt(done: int, total: int) -> None:
        steps.append(done)
        if done == 2:
            raise KeyboardInterrupt

    audioldm.on_step = interrupt
    with pytest.raises(KeyboardInterrupt):
        audioldm.synthesise([request()])
    assert steps == [1, 2]
    audioldm.on_step = None
    assert audioldm.synthesise([request()])[0].waveform.shape == (1, SHORT)


def test_nothing_asked_is_nothing_made(diffusion: LatentDiffusion) -> None:
    assert synthesiser(diffusion).synthesise([]) == []


def test_what_is_cut_off_is_not_computed_and_not_missed(diffusion: LatentDiffusion) -> None:
    mel = torch.randn(256, 64, generator=torch.Generator().manual_seed(0))
    whole = diffusion.waveform(mel)
    assert len(whole) >= 256 * 160
    for n in (1, 1600, 30_000, 256 * 160):
        part = diffusion.waveform(mel, n)
        assert n <= len(part) <= n + 34 * 160
        np.testing.assert_allclose(part[: n + 800], whole[: len(part[: n + 800])], atol=1e-5)


def with_vocoder(diffusion: LatentDiffusion, sound: torch.Tensor) -> AudioLdm:
    return synthesiser(changed(diffusion, vocoder=OnDemand(lambda: lambda mel: sound)))


def test_nothing_clips_and_quiet_stays_quiet(diffusion: LatentDiffusion) -> None:
    square = torch.ones(40_992)
    square[(torch.arange(40_992) // 8) % 2 == 1] = -1  # its corners overshoot when it is resampled
    loud = with_vocoder(diffusion, square).synthesise([request()])[0].waveform
    quiet = with_vocoder(diffusion, 0.01 * square).synthesise([request()])[0].waveform
    assert np.abs(loud).max() == pytest.approx(1, abs=1e-6)
    assert np.abs(loud).max() <= 1
    assert np.sqrt((quiet**2).mean()) == pytest.approx(0.01, rel=0.05)


def test_a_tone_keeps_its_pitch_through_resampling(diffusion: LatentDiffusion) -> None:
    tone = torch.sin(2 * math.pi * 1000 * torch.arange(40_992) / 16_000) / 2
    heard = with_vocoder(diffusion, tone).synthesise([request()])[0].waveform[0]
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(SHORT)))
    assert np.argmax(spectrum) * SAMPLE_RATE / SHORT == pytest.approx(1000, abs=1)
    assert heard.std() == pytest.approx(0.5 / math.sqrt(2), rel=0.01)


def test_what_is_no_number_is_refused(diffusion: LatentDiffusion) -> None:
    with pytest.raises(WeightsError, match="not numbers"):
        with_vocoder(diffusion, torch.full((40_992,), torch.nan)).synthesise([request()])


def test_a_vector_of_another_clap_is_refused(diffusion: LatentDiffusion) -> None:
    with pytest.raises(ConfigurationError, match=r"24 values, got \[256\]"):
        synthesiser(diffusion).synthesise([request(scene=scene(np.ones(256, np.float32)))])


def test_the_report_says_under_which_licence_the_sound_was_made(diffusion: LatentDiffusion) -> None:
    wanted = request(scene=scene(unit(0), track(1, "dog barking"), track(2, "dog barking"), track(3, None)))
    (pick,) = synthesiser(diffusion).synthesise([wanted])[0].picks
    assert pick.licence == "CC-BY-NC-SA-4.0"
    assert "AudioLDM" in pick.credit
    assert "commercial" in pick.credit
    assert (pick.caption, pick.track, pick.start, pick.end) == ("dog barking", None, 0, Fraction(2))


def test_settings_have_the_published_defaults() -> None:
    assert AudioLdmSettings().sampling == Sampling("fast", 25, 2.5, 1.0)
    assert AudioLdmSettings(sampler="faithful").sampling == Sampling("faithful", 200, 2.5, 1.0)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"sampler": "ddpm"}, "sampler: expected"),
        ({"sampler": ["fast"]}, "sampler: expected"),
        ({"steps": 0}, "steps: expected"),
        ({"steps": 1001}, "steps: expected"),
        ({"steps": 2.5}, "steps: expected"),
        ({"steps": True}, "steps: expected"),
        ({"guidance": 0.5}, "guidance: expected"),
        ({"guidance": math.nan}, "guidance: expected"),
        ({"guidance": "2"}, "guidance: expected"),
        ({"eta": 0.5}, "eta: expected .* with `sampler: faithful`"),
        ({"sampler": "faithful", "steps": 300}, "steps: expected a divisor of 1000"),
        ({"sampler": "faithful", "steps": 1000}, "steps: expected a divisor of 1000"),
        ({"sampler": "faithful", "eta": 1.5}, "eta: expected"),
        ({"width": 1}, "width: is not known"),
    ],
)
def test_impossible_settings_are_refused_by_name(
    diffusion: LatentDiffusion, settings: dict[str, Any], said: str
) -> None:
    audioldm = synthesiser(diffusion)
    with pytest.raises(ConfigurationError, match=said):
        audioldm.check(settings)
    with pytest.raises(ConfigurationError, match=said):
        audioldm.synthesise([request(settings=settings)])


def test_every_impossible_setting_is_named_at_once(diffusion: LatentDiffusion) -> None:
    with pytest.raises(ConfigurationError, match=r"(?s)3 setting.*width.*guidance.*steps"):
        synthesiser(diffusion).check({"steps": 0, "guidance": 0, "width": 2})
    synthesiser(diffusion).check({"sampler": "faithful", "steps": None, "guidance": 3, "eta": 0})


def test_bfloat16_only_on_processors_that_multiply_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True}, raising=False)
    assert precision(CPU) == torch.float32
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    assert precision(CPU) == torch.bfloat16
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert precision(CPU) == torch.float32
    assert precision(torch.device("mps")) == torch.float32


@pytest.mark.slow
def test_released_sizes(tmp_path: Path) -> None:
    """The UNet of 185 million, the VAE and the vocoder of 55 million parameters each; two steps of 2.56 s."""
    sizes = {"widths": (128, 256, 384, 640), "layers": 2, "vae_widths": (128, 256, 512)}
    parts = networks(**sizes, vocoder_width=1024, clap_dim=512)
    assert sum(weight.numel() for weight in parts["unet"].parameters()) == 185_036_552
    model = write_folder(parts, tmp_path)
    del parts
    target = np.zeros(512, np.float32)
    target[0] = 1
    clap = SimpleNamespace(audio_batch=lambda sounds: np.stack([target] * len(sounds)))
    audioldm = AudioLdm.load(model, CPU, clap=OnDemand(lambda: clap), low_memory=True)
    wanted = request(scene=scene(target), settings={"sampler": "faithful", "steps": 2})
    rendering = audioldm.synthesise([wanted])[0]
    assert rendering.waveform.shape == (1, SHORT)
    assert np.isfinite(rendering.waveform).all()
    assert rendering.waveform.std() > 0
