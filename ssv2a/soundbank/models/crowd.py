"""A crowd that talks: many throats at once, each with phrases, syllables and pauses of its own, no words.

Sources: X. Rodet, "Time-domain formant-wave-function synthesis" (1984); G. Peterson & H. Barney (1952) for
the vowels; S. Greenberg, "Speaking in shorthand" (1999) for the syllables' rate.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import signal

from ssv2a.soundbank.dsp import (
    Rng,
    Signal,
    band,
    drawn,
    reverberated,
    samples,
    shaped,
    texture,
)
from ssv2a.soundbank.model import Params, SoundModel
from ssv2a.types import SAMPLE_RATE, FloatArray

_RATE = SAMPLE_RATE // 2  # of the voices themselves: they have next to nothing above 12 kHz
_GRAIN = 400  # samples at that rate of one glottal pulse's answer
_SHIFTS = 4  # positions of a pulse between two samples
_F1 = np.geomspace(290, 860, 7)  # Hz, of a man's tract
_F2 = np.geomspace(800, 2350, 9)  # Hz
_TRACTS = (0.95, 1.04, 1.13, 1.21)  # formants of two men and two women, relative to a man's of 17.5 cm
_VOWELS = (
    (730, 1090),
    (400, 2000),
    (300, 870),
    (530, 1840),
    (570, 840),
    (490, 1350),
    (660, 1720),
    (440, 1020),
)
_HALL = (
    (40, 0.0),
    (120, 0.0),
    (400, -6.0),
    (1500, -14.0),
    (6000, -28.0),
    (16_000, -40.0),
)  # Hz, dB: its air and steps
_APART = samples(0.4)  # of the two ears in one noise
_LEAD = 1.0  # seconds before the texture in which the room fills


class Talk(NamedTuple):
    """The pulses of one talker's voice, and when his breath hisses between them."""

    times: Signal  # seconds
    gains: Signal
    f1: Signal  # Hz, before the tract's size
    f2: Signal  # Hz
    hisses: list[tuple[float, float, float]]  # (seconds, length in seconds, gain)


def vowel_grains(tilt: float = 9.0) -> Signal:
    """Answers of the throat to one glottal pulse: [tracts, F1, F2, shift, samples at 24 kHz].

    Five resonances in cascade (the higher three follow the lower two), a source that falls by `tilt` dB an
    octave above 150 Hz, and the lips' radiation.
    """
    f1, f2 = (axis.ravel()[:, None] for axis in np.meshgrid(_F1, _F2, indexing="ij"))
    hertz = np.fft.rfftfreq(_GRAIN, 1 / _RATE)
    z = np.exp(2j * np.pi * hertz / _RATE)
    upper = np.maximum(f2 + 500, 2400.0)
    grains = []
    for tract in _TRACTS:
        response = (z - 1) * np.maximum(hertz / 150.0, 1.0) ** (-(tilt - 6.0) / 6.02) / (1 - 0.985 / z)
        for centre, width in ((f1, 80.0), (f2, 110.0), (upper, 170.0), (upper + 900, 250.0), (4800.0, 400.0)):
            radius = np.exp(-np.pi * width / _RATE)
            pole = radius * np.exp(2j * np.pi * np.asarray(centre) * tract / _RATE)
            response = response * np.abs(1 - pole) ** 2 / ((1 - pole / z) * (1 - pole.conj() / z))
        shifted = response[:, None] * z ** (-8 - np.arange(_SHIFTS) / _SHIFTS)[:, None]
        waves = np.fft.irfft(shifted, _GRAIN) * np.hanning(2 * _GRAIN)[_GRAIN:] ** 0.5
        grains.append((waves / np.sqrt(np.square(waves).mean())).reshape(_F1.size, _F2.size, _SHIFTS, _GRAIN))
    return np.stack(grains)


def talk(seconds: float, f0: float, rng: Rng, rate: float) -> Talk:
    """One talker for so many seconds: phrases of syllables whose pitch falls, pauses, now and then a laugh.

    Args:
        seconds: how long.
        f0: mean pitch in Hz.
        rng: draws what is said.
        rate: syllables a second.
    """
    knots: list[tuple[float, float, float, float, float]] = []  # seconds, pitch, gain, F1, F2
    hisses: list[tuple[float, float, float]] = []
    at = -rng.uniform(0, 2.5)
    while at < seconds:
        if rng.uniform() < 0.06:
            at = _laugh(at, f0 * rng.uniform(1.3, 1.9), knots, hisses, rng)
        else:
            at = _phrase(at, f0 * rng.uniform(0.9, 1.15), knots, hisses, rng, rate)
        at += rng.gamma(1.5, 0.45)
    table = np.array(knots).T
    grid = np.arange(0, seconds, 0.005)
    pitch, gain, f1, f2 = (np.interp(grid, table[0], row) for row in table[1:])
    shake = signal.lfilter([0.3], [1, -0.7], rng.standard_normal(grid.size))
    turns = np.cumsum(pitch * (1 + 0.02 * shake)) * 0.005
    times = np.interp(np.arange(1, turns[-1]), turns, grid)
    loud = np.interp(times, grid, gain)
    times, loud = times[loud > 0.01], loud[loud > 0.01]
    now = (times / 0.005).astype(np.int64)
    return Talk(times, loud * rng.uniform(0.8, 1.2, loud.size), f1[now], f2[now], hisses)


def _phrase(
    at: float,
    f0: float,
    knots: list[tuple[float, float, float, float, float]],
    hisses: list[tuple[float, float, float]],
    rng: Rng,
    rate: float,
) -> float:
    """Add a phrase from `at` on and give its end: syllables open and close the mouth, the pitch declines."""
    count = int(rng.integers(3, 14))
    knots.append((at - 0.05, f0, 0.0, 500.0, 1400.0))
    for index in range(count):
        length = rng.gamma(9.0, 1 / (9.0 * rate)) * (1.5 if index == count - 1 else 1.0)
        first, second = (_VOWELS[int(i)] for i in rng.integers(len(_VOWELS), size=2))
        blend = rng.uniform(0, 0.5)
        f1, f2 = (a + blend * (b - a) for a, b in zip(first, second, strict=True))
        locus, accent = rng.uniform(900, 2100), rng.uniform(0.85, 1.0) + (0.3 if rng.uniform() < 0.3 else 0.0)
        pitch = f0 * (1.12 - 0.3 * index / count) * accent
        stress = 0.55 * accent + rng.uniform(0.0, 0.35)
        closed = (0.0, 0.08, 0.3)[int(rng.integers(3))]  # a stop, a voiced consonant, a nasal or glide
        voiced = 0.0
        if closed == 0.0:
            voiced = min(0.09, 0.35 * length)
            hisses.append((at, voiced, rng.uniform(0.15, 0.7)))
        knots += [
            (at + voiced, pitch, closed * stress, 310.0, 0.5 * (locus + f2)),
            (at + voiced + 0.22 * length, pitch * 1.03, stress, f1, f2),
            (
                at + 0.72 * length,
                pitch * 0.97,
                0.8 * stress,
                0.85 * f1 + 0.15 * second[0],
                0.6 * f2 + 0.4 * second[1],
            ),
            (at + 0.97 * length, pitch * 0.93, closed * stress, 320.0, locus),
        ]
        at += max(length, voiced + 0.25 * length)
    knots.append((at + 0.03, 0.75 * f0, 0.0, 500.0, 1400.0))
    return at


def _laugh(
    at: float,
    f0: float,
    knots: list[tuple[float, float, float, float, float]],
    hisses: list[tuple[float, float, float]],
    rng: Rng,
) -> float:
    """Add a laugh and give its end: "ha" five times a second, each shorter and lower, with breath between."""
    period = rng.uniform(0.17, 0.23)
    vowel = (rng.uniform(550, 780), rng.uniform(1150, 1600))
    for index in range(int(rng.integers(3, 8))):
        pitch, gain = f0 * 0.95**index, 1.1 * 0.88**index
        for share, level in ((0.0, 0.0), (0.2, 1.0), (0.45, 0.7), (0.62, 0.0)):
            knots.append((at + share * period, pitch * (1.05 - 0.15 * share), level * gain, *vowel))
        hisses.append((at + 0.6 * period, 0.4 * period, 0.25 * gain))
        at += period
    return at


def _babble(params: Params, n: int, rng: Rng) -> FloatArray:
    """Talkers near and far, to the left and to the right, in a room that makes one murmur of them."""
    size = n + samples(_LEAD)
    half = size // 2 + _GRAIN + 1
    grains = vowel_grains()
    buses, breaths = np.zeros((2, half)), np.zeros((2, size // 64 + 2))
    people = round(params["people"])
    for index in range(people):
        tract = int(rng.integers(len(_TRACTS)))
        f0 = rng.uniform(92, 150) if tract < 2 else rng.uniform(165, 255)
        said = talk(size / SAMPLE_RATE, f0, rng, rng.uniform(4.2, 6.2))
        level = rng.uniform(0.4, 1.0) ** 2
        _utter(buses[index % 2], grains[tract], said, level)
        for at, seconds, gain in said.hisses:
            first, last = (round(t * SAMPLE_RATE / 64) for t in (at, at + seconds))
            part = breaths[index % 2, max(0, first) : max(0, last)]
            part += (level * gain) ** 2 * np.hanning(max(1, last - first) + 2)[1 : part.size + 1]
    heard = []
    hiss = band(size + _APART, rng, 2200, 6500, 10.0)
    for bus, breath, start in zip(buses, breaths, (0, _APART), strict=True):
        voices = signal.resample_poly(bus, 2, 1)[:size]
        loud = np.interp(np.arange(size) / 64, np.arange(breath.size), np.sqrt(breath))
        heard.append(
            reverberated(
                voices + 1.2 * hiss[start : start + size] * loud, rng, params["hall"], params["room"], 4500.0
            )
        )
    murmur = np.stack([heard[0] + 0.5 * heard[1], heard[1] + 0.5 * heard[0]])[:, samples(_LEAD) :]
    air = shaped(n + _APART, rng, _HALL)
    air *= params["air"] * murmur.std()
    murmur[0] += air[:n]
    murmur[1] += air[_APART:]
    return texture(murmur)


def _utter(bus: Signal, grains: Signal, said: Talk, level: float) -> None:
    """Add a talker's pulses to `bus` (24 kHz), in place: each plays the grain of its moment's formants."""
    whole, shift = np.divmod(np.floor(said.times * _RATE * _SHIFTS).astype(np.int64), _SHIFTS)
    inside = (whole >= 0) & (whole < bus.size - _GRAIN)
    i = np.abs(said.f1[:, None] - _F1).argmin(axis=1)
    j = np.abs(said.f2[:, None] - _F2).argmin(axis=1)
    played = grains[i, j, shift][inside] * (level * said.gains[inside])[:, None]
    where = whole[inside, None] + np.arange(_GRAIN)
    bus += np.bincount(where.ravel(), played.ravel(), bus.size)


MODELS = (
    SoundModel(
        "people.babble",
        "crowd_babble",
        "texture",
        "Dozens of talkers: glottal pulses through moving formants, syllables at 4–6 Hz, phrases, pauses and"
        " laughs, in a room (Rodet 1984; Peterson & Barney 1952).",
        drawn(people=(18, 34), room=(0.25, 0.6), hall=(0.5, 1.0), air=(0.15, 0.4)),
        _babble,
    ),
)
