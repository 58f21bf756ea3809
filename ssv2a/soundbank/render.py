"""From a bank's sounds to a voice of a scene: length, rhythm, level, place and distance; then their sum.

All functions are pure; waveforms are [channels, n] float32 at 48 kHz; times are seconds from the chunk's
start.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter1d, uniform_filter1d
from scipy.signal import butter, lfilter, sosfilt

from ssv2a.types import SAMPLE_RATE, FloatArray

CONTROL_RATE = 100  # Hz of gains and places over time
CEILING = 0.89  # of the mix's peak: −1 dBFS
_PEAK = 1.4  # of one voice; the limiter takes up to 6 dB off its highest peaks
_CRACKS = 1e-4  # share of the samples that may lie above
_CUT = round(0.4 * SAMPLE_RATE)  # samples in which an event that is cut off fades out
_EDGE = 240  # samples an event's ends fade over: 5 ms
_NEAR_AREA = 0.12  # share of the picture that a near source fills
# Early reflections, ms: left and right differ, none is a multiple of another.
_REFLECTIONS = ((11.3, 23.9, 37.1, 53.7, 71.3, 97.9), (13.7, 29.3, 41.9, 59.1, 79.7, 101.3))
# ITU-R BS.1770-4, K-weighting at 48 kHz: shelf, then high-pass.
_SHELF = ([1.53512485958697, -2.69169618940638, 1.19839281085285], [1.0, -1.69065929318241, 0.73248077421585])
_HIGH_PASS = ([1.0, -2.0, 1.0], [1.0, -1.99004745483398, 0.99007225036621])


@dataclass(frozen=True, slots=True)
class Motion:
    """How a source moves through a chunk, at CONTROL_RATE."""

    presence: FloatArray  # [m] 0..1
    centre_x: FloatArray  # [m] 0 (left) .. 1
    area: FloatArray  # [m] share of the picture

    @classmethod
    def over(
        cls,
        times: Sequence[float],
        presence: FloatArray,
        centre_x: FloatArray,
        area: FloatArray,
        n: int,
    ) -> Motion:
        """From values at frame times: straight lines between them, smoothed over a quarter of a second."""
        at = np.arange(-(-n * CONTROL_RATE // SAMPLE_RATE) + 1) / CONTROL_RATE
        return cls(*(_smooth(np.interp(at, times, values)) for values in (presence, centre_x, area)))

    def spans(self) -> tuple[tuple[int, int], ...]:
        """Where the source is more there than not: (first sample, last sample + 1), in order."""
        there = np.concatenate([[False], self.presence > 0.5, [False]])
        edges = np.flatnonzero(np.diff(there)) * (SAMPLE_RATE // CONTROL_RATE)
        return tuple((int(first), int(last)) for first, last in edges.reshape(-1, 2))


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One event in a voice."""

    take: int  # which of the takes
    start: int  # sample
    end: int  # sample after the last


def _smooth(values: NDArray[np.float64]) -> FloatArray:
    return np.asarray(uniform_filter1d(values.astype(np.float32), CONTROL_RATE // 4, mode="nearest"))


def _at_samples(control: FloatArray, n: int) -> FloatArray:
    places = np.arange(n, dtype=np.float32) * (CONTROL_RATE / SAMPLE_RATE)
    return np.interp(places, np.arange(len(control)), control).astype(np.float32)


def loudness(sound: FloatArray) -> float:
    """Integrated loudness in LUFS (ITU-R BS.1770-4, gated); −inf for silence.

    A sound shorter than one block of 400 ms counts as one block that it fills in part.
    """
    weighted = lfilter(*_HIGH_PASS, lfilter(*_SHELF, sound, axis=1), axis=1)
    block, step = round(0.4 * SAMPLE_RATE), round(0.1 * SAMPLE_RATE)
    power = np.square(weighted).sum(axis=0)
    power = np.pad(power, (0, max(0, block - power.size)))
    total = np.concatenate([[0.0], np.cumsum(power)])
    begins = np.arange(0, power.size - block + 1, step)
    means = (total[begins + block] - total[begins]) / block
    loud = means[means > 10 ** ((-70 + 0.691) / 10)]
    if loud.size == 0:
        return -np.inf
    gated = loud[loud > loud.mean() / 10]
    return float(-0.691 + 10 * np.log10(gated.mean()))


def event_train(
    takes: Sequence[FloatArray],
    n: int,
    pause: tuple[float, float],
    rng: np.random.Generator,
    *,
    vary: bool,
    rest: float = 0.0,
    place: Callable[[int, int], int] = lambda place, _size: place,
    cut: bool = False,
) -> tuple[FloatArray, tuple[Occurrence, ...]]:
    """Takes one after the other with pauses, [channels, n], and where each is heard.

    The first begins within half a second and the first quarter; none is begun that would not end, except it.

    Args:
        takes: [channels, m] each, of the same number of channels; used in random order, none twice in a row.
        n: samples wanted.
        pause: shortest and longest silence between the end of one and the next, seconds.
        rng: takes, pauses and variation.
        vary: change pitch by up to 5 % and gain by up to 2 dB (models vary by themselves).
        rest: a pause is at least so many times as long as the event before it.
        cut: the last one may be cut off at the end.
        place: (a sample, an event's size) → the sample, that one or a later, where it begins.
    """
    out = np.zeros((takes[0].shape[0], n), np.float32)
    at = int(rng.uniform(0, min(0.5 * SAMPLE_RATE, pause[1] * SAMPLE_RATE, n / 4)))
    heard: list[Occurrence] = []
    last = -1
    while at < n:
        others = [index for index in range(len(takes)) if index != last] or [0]
        last = others[int(rng.integers(len(others)))]
        event = varied(takes[last], rng) if vary else takes[last]
        size = min(event.shape[1], n - at)
        later = place(at, event.shape[1])
        if heard or min(event.shape[1], n - later) >= size / 2:  # the first rather overlaps than is a scrap
            at = min(later, n - 1)
            size = min(event.shape[1], n - at)
        if heard and size < event.shape[1] and not cut:
            break
        out[:, at : at + size] += edged(event) if size == event.shape[1] else cut_off(event, size)
        heard.append(Occurrence(last, at, at + size))
        at += size + max(round(rng.uniform(*pause) * SAMPLE_RATE), round(rest * size))
    return out, tuple(heard)


def varied(take: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Another take of the same event: pitch and speed by up to 5 %, gain by up to 2 dB."""
    moved = at_speed(take, rng.uniform(0.95, 1.05))
    return np.asarray(moved * 10 ** (rng.uniform(-2, 2) / 20), np.float32)


def at_speed(sound: FloatArray, speed: float) -> FloatArray:
    """A sound [channels, n] played faster or slower, its pitch with it."""
    moved = soxr.resample(sound.T, SAMPLE_RATE * speed, SAMPLE_RATE, quality="MQ").T
    return np.asarray(moved, np.float32)


def cut_off(event: FloatArray, size: int) -> FloatArray:
    """The first `size` samples of an event, faded out over the last 0.4 s, or half of them."""
    fade = min(_CUT, size // 2)
    ramp = np.cos(np.linspace(0, np.pi / 2, fade, dtype=np.float32)) ** 2
    part = edged(event[:, :size])
    part[:, size - fade :] *= ramp
    return part


def edged(event: FloatArray) -> FloatArray:
    """The event with its first and last 5 ms faded."""
    size = min(_EDGE, event.shape[1] // 2)
    if size == 0:
        return np.zeros_like(event)
    ramp = np.linspace(0, 1, size, dtype=np.float32)
    shaped = event.copy()
    shaped[:, :size] *= ramp
    shaped[:, -size:] *= ramp[::-1]
    return shaped


def level_gain(sound: FloatArray, wanted: float) -> float:
    """Factor that brings a sound to `wanted` LUFS with peaks of at most 1.4 (+3 dBFS); 0 for silence.

    One sample of ten thousand may lie higher: the limiter takes single cracks, and fires are equally loud.
    """
    measured = loudness(sound)
    peak = float(np.quantile(np.abs(sound), 1 - _CRACKS)) if sound.size else 0.0
    if not np.isfinite(measured) or peak == 0:
        return 0.0
    return float(min(10 ** ((wanted - measured) / 20), _PEAK / peak))


def placed(sound: FloatArray, motion: Motion, *, width: float, room: float = 1.0) -> FloatArray:
    """A voice where its source is: presence, pan, distance; stereo [2, n].

    Pan is of equal power, ±40° at the edges of the picture; a wide (stereo) sound is only balanced. A source
    that is small in the picture is duller and has more early reflections.

    Args:
        sound: [1 or 2, n].
        motion: of its source.
        width: 0 mono .. 1 as seen.
        room: strength of the reflections, 0..1.
    """
    n = sound.shape[1]
    distance = float(np.clip(1 - np.sqrt(motion.area.mean() / _NEAR_AREA), 0, 1))
    near = _distant(sound, distance) if distance > 0 else sound
    angle = np.pi / 4 * (1 + width * 0.9 * (2 * motion.centre_x - 1))
    gain = motion.presence * area_gain(motion.area)
    left, right = (_at_samples(gain * side, n) for side in (np.cos(angle), np.sin(angle)))
    if sound.shape[0] == 1:
        stereo = np.stack([near[0] * left, near[0] * right])
    else:
        middle, side = near.mean(axis=0), width * (near[0] - near[1]) / 2
        stereo = np.sqrt(2) * np.stack([(middle + side) * left, (middle - side) * right])
    return np.asarray(stereo + reflections(stereo, room * (0.04 + 0.16 * distance)), np.float32)


def area_gain(area: FloatArray) -> FloatArray:
    """Gain by size in the picture: 5 dB a tenfold of the area, 0 dB at a tenth, −9 to +4 dB."""
    decibels = np.clip(5 * np.log10(np.maximum(area, 1e-6) / 0.1), -9, 4)
    return np.asarray(10 ** (decibels / 20), np.float32)


def _distant(sound: FloatArray, distance: float) -> FloatArray:
    """Air and obstacles: a gentle low-pass, 18 kHz near, 5 kHz far."""
    cutoff = 18_000 * (5_000 / 18_000) ** distance
    return np.asarray(sosfilt(butter(1, cutoff, fs=SAMPLE_RATE, output="sos"), sound, axis=1), np.float32)


def reflections(stereo: FloatArray, strength: float) -> FloatArray:
    """Early reflections alone, [2, n]: six a side, 11 to 101 ms late, each 3 dB weaker than the last."""
    out = np.zeros_like(stereo)
    if strength <= 0:
        return out
    middle = stereo.mean(axis=0)
    for side, delays in enumerate(_REFLECTIONS):
        for index, delay in enumerate(delays):
            late = round(delay * SAMPLE_RATE / 1000)
            if late < middle.size:
                out[side, late:] += strength * 10 ** (-3 * index / 20) * middle[: middle.size - late]
    return out


def finished(mix: FloatArray, stems: Sequence[FloatArray] = ()) -> tuple[FloatArray, list[FloatArray]]:
    """A sum of voices without what lies below 20 Hz, its peaks held below −1 dBFS without clipping.

    Args:
        mix: [channels, n].
        stems: parts of the mix, which get the same filter and the same gain, so that they still add up.

    Returns:
        The mix and the stems, finished.
    """
    highpass = butter(2, 20, "highpass", fs=SAMPLE_RATE, output="sos")
    clean = [sosfilt(highpass, sound, axis=1) for sound in (mix, *stems)]
    peaks = np.abs(clean[0]).max(axis=0)
    if peaks.max(initial=0.0) > CEILING:
        gain = _limiting_gain(peaks)
        clean = [sound * gain for sound in clean]
    whole, *parts = (np.asarray(sound, np.float32) for sound in clean)
    return whole, parts


def _limiting_gain(peaks: FloatArray) -> FloatArray:
    """Look-ahead limiter: the smallest gain needed within ±10 ms, smoothed over the same time."""
    span = SAMPLE_RATE // 50 + 1
    needed = np.minimum(1.0, CEILING / np.maximum(peaks, 1e-9))
    return np.asarray(uniform_filter1d(minimum_filter1d(needed, span), span))
