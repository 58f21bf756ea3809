"""What is heard at joins, under dialogue and at full scale: measured on waveforms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quick_engine import quick_engine

from foley_daemon.domain import SAMPLE_RATE, Loudness, Plan
from foley_daemon.dynamics import Ducker, Limiter
from foley_daemon.levels import Measured, Meter, decide_level
from foley_daemon.mix import Joiner, Mixer, apply_gain, into_layout, pan
from foley_daemon.plan import plan_chunks
from foley_daemon.probe import probe, sound_outside
from foley_daemon.profile import Profile
from foley_daemon.rendering import HARDLY_CUT, cut_warnings
from foley_daemon.worker import process_clip
from ssv2a.media import ffmpeg
from ssv2a.types import FloatArray


def noise(channels: int, n_samples: int, seed: int = 0, level: float = 0.1) -> FloatArray:
    draws = np.random.default_rng(seed).standard_normal((channels, n_samples))
    return (level * draws).astype(np.float32)


def plan_of(seconds: str, chunk: str = "2", overlap: str = "0.5") -> Plan:
    return plan_chunks(
        Fraction(seconds), seconds=Fraction(chunk), overlap=Fraction(overlap), frames=4, render_key="k"
    )


def join(plan: Plan, waveforms: list[FloatArray]) -> FloatArray:
    joiner = Joiner(plan.n_samples)
    parts = [joiner.push(chunk, wave) for chunk, wave in zip(plan.chunks, waveforms, strict=True)]
    joiner.finish()
    return np.concatenate(parts, axis=1)


def pieces(waveform: FloatArray, sizes: list[int]) -> Iterator[FloatArray]:
    start = 0
    for size in sizes:
        yield waveform[:, start : start + size]
        start += size
    yield waveform[:, start:]


def rms_db(waveform: FloatArray) -> float:
    return float(10 * np.log10(np.mean(np.square(waveform, dtype=np.float64))))


def test_joins_keep_the_level_of_separate_takes() -> None:
    plan = plan_of("11.3")
    joined = join(plan, [noise(2, chunk.n_samples, chunk.index) for chunk in plan.chunks])
    assert joined.shape == (2, plan.n_samples)
    levels = [rms_db(joined[:, start : start + 4800]) for start in range(0, plan.n_samples - 4800, 4800)]
    inside = [rms_db(noise(2, 4800, seed)) for seed in range(200, 300)]
    assert min(levels) > min(inside) - 0.3
    assert max(levels) < max(inside) + 0.3


def test_outside_the_fades_the_chunks_are_untouched() -> None:
    plan = plan_of("5")
    waveforms = [noise(2, chunk.n_samples, chunk.index) for chunk in plan.chunks]
    joined = join(plan, waveforms)
    for chunk, waveform in zip(plan.chunks, waveforms, strict=True):
        inner = slice(chunk.fade_in, chunk.n_samples - chunk.fade_out)
        placed = joined[:, chunk.first_sample : chunk.end_sample][:, inner]
        np.testing.assert_array_equal(placed, waveform[:, inner])


def test_a_join_has_no_click() -> None:
    plan = plan_of("5")
    times = [np.arange(chunk.n_samples) / SAMPLE_RATE for chunk in plan.chunks]
    waves = [np.tile(0.5 * np.sin(2 * np.pi * 100 * time + 1), (2, 1)).astype(np.float32) for time in times]
    joined = join(plan, waves)
    steepest = 0.5 * np.sqrt(2) * 2 * np.pi * 100 / SAMPLE_RATE
    assert np.max(np.abs(np.diff(joined))) < 1.05 * steepest


def test_the_joiner_refuses_wrong_lengths_and_orders() -> None:
    plan = plan_of("5")
    first, second = plan.chunks[:2]
    joiner = Joiner(plan.n_samples)
    with pytest.raises(ValueError, match=rf"expected a waveform of \[2, {first.n_samples}\], got \[2, 7\]"):
        joiner.push(first, noise(2, 7))
    with pytest.raises(ValueError, match="in order"):
        joiner.push(second, noise(2, second.n_samples))
    joiner.push(first, noise(2, first.n_samples))
    with pytest.raises(ValueError, match="every chunk"):
        joiner.finish()


@pytest.mark.parametrize("position", [-1.0, -0.3, 0.0, 0.8, 1.0])
def test_panning_keeps_the_power(position: float) -> None:
    mono = noise(1, 5000)
    stereo = pan(mono, position)
    assert np.sum(stereo**2) == pytest.approx(float(np.sum(mono**2)), rel=1e-5)
    left, right = (float(np.sum(channel**2)) for channel in stereo)
    assert np.sign(round(right - left, 3)) == np.sign(position)


def test_foley_goes_to_front_left_and_right_and_mono_gets_both() -> None:
    stereo = noise(2, 1000)
    wide = into_layout(stereo, 6)
    np.testing.assert_array_equal(wide[:2], stereo)
    assert not wide[2:].any()
    assert rms_db(into_layout(stereo, 1)) == pytest.approx(rms_db(stereo), abs=0.5)


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_a_quiet_mix_is_the_plain_sum(channels: int) -> None:
    foley, original = noise(2, 50_000, 1, 0.02), noise(channels, 50_000, 2, 0.05)
    mixer = Mixer()
    mixed = np.concatenate([mixer.push(foley, original), mixer.finish()], axis=1)
    np.testing.assert_allclose(mixed, into_layout(foley, channels) + original, atol=1e-7)


@given(st.lists(st.integers(1, 9000), min_size=1, max_size=6))
@settings(max_examples=20, deadline=None)
def test_block_sizes_do_not_change_what_is_heard(sizes: list[int]) -> None:
    n_samples = sum(sizes) + 3000
    foley, original = noise(2, n_samples, 1, 0.4), noise(2, n_samples, 2, 0.4)
    original[:, : n_samples // 2] *= 0.001

    def mixed(cuts: list[int]) -> FloatArray:
        mixer = Mixer(Ducker(9.0, -12.0))
        blocks = [
            mixer.push(one, two)
            for one, two in zip(pieces(foley, cuts), pieces(original, cuts), strict=True)
            if one.shape[1]
        ]
        return np.concatenate([*blocks, mixer.finish()], axis=1)

    whole, cut = mixed([]), mixed(sizes)
    assert whole.shape == (2, n_samples)
    np.testing.assert_allclose(cut, whole, atol=1e-6)


def test_the_foley_ducks_under_speech_and_comes_back() -> None:
    n_samples = 6 * SAMPLE_RATE
    foley = np.full((2, n_samples), 0.1, np.float32)
    speech = np.zeros((1, n_samples), np.float32)
    speech[:, 2 * SAMPLE_RATE : 4 * SAMPLE_RATE] = noise(1, 2 * SAMPLE_RATE, 3, 0.1)
    ducker = Ducker(9.0, -20.0)
    ducked = np.concatenate([ducker.push(foley, speech), ducker.finish()], axis=1)
    assert ducked.shape == foley.shape
    gain = 20 * np.log10(ducked[0] / 0.1)
    seconds = (np.array([1.9, 2.0, 3.0, 4.0, 4.7]) * SAMPLE_RATE).astype(int)
    np.testing.assert_allclose(gain[seconds], [0, -9, -9, -9, 0], atol=0.6)  # down before the first word
    assert np.max(np.abs(np.diff(gain))) < 0.01  # no zipper noise
    assert np.all(gain[: int(1.9 * SAMPLE_RATE)] > -1e-3)


def test_ducking_does_not_start_for_a_noise_floor() -> None:
    foley, floor = np.full((2, SAMPLE_RATE), 0.1, np.float32), noise(2, SAMPLE_RATE, 4, 0.001)
    ducker = Ducker(12.0, -20.0)
    ducked = np.concatenate([ducker.push(foley, floor), ducker.finish()], axis=1)
    np.testing.assert_allclose(ducked, foley, rtol=1e-4)


def true_peak_db(waveform: FloatArray) -> float:
    spectrum = np.fft.rfft(waveform, axis=1)
    n_samples = waveform.shape[1]
    finer = np.fft.irfft(spectrum, 8 * n_samples, axis=1) * 8
    return float(20 * np.log10(np.max(np.abs(finer[:, 800:-800]))))


def test_two_full_scale_programmes_do_not_clip() -> None:
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    # a quarter of the sample rate at 45°: true peaks 3 dB above the highest sample
    tone = np.tile(0.7 * np.sin(2 * np.pi * 12_000 * time + np.pi / 4), (2, 1)).astype(np.float32)
    foley, original = noise(2, SAMPLE_RATE, 5, 0.6), tone + noise(2, SAMPLE_RATE, 6, 0.1)
    foley[:, 1:] = (foley[:, 1:] + foley[:, :-1]) / 2  # sound has less at 24 kHz than white noise
    mixer = Mixer()
    mixed = np.concatenate([mixer.push(foley, original), mixer.finish()], axis=1)
    assert np.max(np.abs(mixed)) <= 10 ** (-1 / 20) + 1e-6
    assert true_peak_db(mixed) < -0.5
    assert true_peak_db(mixed) > -2.5


def test_the_limiter_leaves_what_is_below_its_ceiling() -> None:
    waveform = noise(2, 20_000, 7, 0.05)
    limiter = Limiter(-1.0)
    limited = np.concatenate([limiter.push(waveform), limiter.finish()], axis=1)
    np.testing.assert_allclose(limited, waveform, atol=1e-7)


def measured(waveform: FloatArray) -> Measured:
    meter = Meter()
    meter.push(waveform[:, :700])
    meter.push(waveform[:, 700:])
    return Measured.of(Loudness(None, None), meter)


def test_the_foley_lies_under_the_original() -> None:
    level = decide_level(Measured(-30.0, -20.0), Measured(-23.0, -3.0))
    assert level.gain_db == pytest.approx(1.0)
    assert "-6.0 LU" in level.reason


@pytest.mark.parametrize("original", [None, Measured(None, None), Measured(-64.0, -50.0)])
def test_alone_it_goes_to_programme_level(original: Measured | None) -> None:
    assert decide_level(Measured(-30.0, -20.0), original).gain_db == pytest.approx(7.0)


def test_peaks_win_over_loudness() -> None:
    level = decide_level(Measured(-30.0, -5.0), Measured(-16.0, -1.0))
    assert level.gain_db == pytest.approx(4.0)
    assert "peaks" in level.reason


def test_silence_is_left_alone() -> None:
    assert decide_level(measured(np.zeros((2, 5000), np.float32)), None).gain_db == 0.0


def test_a_clip_too_short_for_r128_is_levelled_by_its_power() -> None:
    quiet = noise(2, 9600, 8, 0.001)
    level = decide_level(measured(quiet), None, alone_lufs=-30.0)
    loud = apply_gain(quiet, level.gain_db)
    assert measured(loud).lufs == pytest.approx(-30.0, abs=0.1)
    assert measured(loud).peak_dbtp == pytest.approx(20 * np.log10(np.max(np.abs(loud))), abs=1e-3)


# ---- what of the original is not in the mix ----


def film(path: Path, seconds: str, sound: str, *options: str) -> Path:
    picture = f"color=gray:size=64x36:rate=25:duration={seconds}"
    tone = f"sine=frequency=440:sample_rate=48000:duration={sound}"
    inputs = ["-f", "lavfi", "-i", picture, *options, "-f", "lavfi", "-i", tone]
    codecs = VIDEO_AND_SOUND[path.suffix]
    args = [*inputs, "-map", "0:v", "-map", "1:a", "-c:v", codecs[0], "-c:a", codecs[1]]
    ffmpeg.run([*args, "-pix_fmt", "yuv420p", "-y", ffmpeg.url(path)], timeout=60)
    return path


VIDEO_AND_SOUND = {
    ".mp4": ("libx264", "aac"),
    ".mov": ("libx264", "pcm_s16le"),
    ".mkv": ("libx264", "libopus"),
    ".avi": ("mpeg4", "pcm_s16le"),
    ".ts": ("libx264", "aac"),
}


@pytest.mark.parametrize("suffix", VIDEO_AND_SOUND)
def test_a_sound_that_goes_on_after_the_picture_is_measured(tmp_path: Path, suffix: str) -> None:
    clip = probe(film(tmp_path / f"a{suffix}", "2", "3.5"))
    before, after = sound_outside(clip, clip.audio[0])
    assert float(after) == pytest.approx(1.5, abs=0.03)
    assert before <= HARDLY_CUT
    (warning,) = cut_warnings(before, after)
    assert re.search(r"goes on for 1\.(49|5\d) s after the picture", warning)


@pytest.mark.parametrize("suffix", VIDEO_AND_SOUND)
def test_a_sound_as_long_as_the_picture_or_shorter_is_no_warning(tmp_path: Path, suffix: str) -> None:
    for sound in ("2", "0.5"):
        clip = probe(film(tmp_path / f"a{suffix}", "2", sound))
        assert cut_warnings(*sound_outside(clip, clip.audio[0])) == ()


def test_a_sound_that_begins_before_the_picture_is_measured(tmp_path: Path) -> None:
    clip = probe(film(tmp_path / "a.mkv", "2", "2", "-itsoffset", "-0.5"))
    before, after = sound_outside(clip, clip.audio[0])
    assert float(before) == pytest.approx(0.5, abs=0.03)
    assert after == 0
    (warning,) = cut_warnings(before, after)
    assert "begins 0.5" in warning


@pytest.mark.parametrize(
    ("mode", "told"), [("mix", True), ("duck", True), ("track", False), ("replace", False)]
)
def test_a_mix_says_what_of_the_original_is_not_in_it(tmp_path: Path, mode: str, told: bool) -> None:
    path = film(tmp_path / "a.mov", "2", "3")
    profile = Profile.model_validate({"mix": {"mode": mode}})
    output = process_clip(path, profile, engine=quick_engine())
    assert any("goes on for 1.00 s" in warning for warning in output.warnings) is told
    assert ("goes on for 1.00 s" in output.report.read_text()) is told
    (foley, *_) = probe(output.files[0]).audio[::-1]
    assert sound_outside(probe(output.files[0]), foley)[1] < HARDLY_CUT
