"""Instruments: strings plucked, air columns blown."""

from __future__ import annotations

import numpy as np
from scipy import fft

from ssv2a.soundbank.dsp import (
    Rng,
    Signal,
    band,
    curve,
    drawn,
    event,
    phase,
    place,
    resonated,
    reverberated,
    samples,
    unit,
    voice,
    walk,
)
from ssv2a.soundbank.model import Params, SoundModel
from ssv2a.types import SAMPLE_RATE, FloatArray

_MAJOR = (0, 2, 4, 5, 7, 9, 11, 12)


def pluck(f0: float, seconds: float, rng: Rng, bright: float, position: float = 0.2) -> Signal:
    """Karplus–Strong string: a noise burst in a delay loop with a low-pass, plucked at `position`.

    The loop 1 / (1 − g·z^−d·(1 + z^−1)/2) is evaluated over frequency, so that the delay need not be whole.
    """
    n = samples(seconds)
    delay = SAMPLE_RATE / f0 - 0.5
    burst = rng.standard_normal(int(delay))
    burst = np.convolve(burst, bright * (1 - bright) ** np.arange(12))[: burst.size]
    burst -= np.roll(burst, int(position * burst.size))
    size = fft.next_fast_len(2 * n, real=True)
    w = np.arange(size // 2 + 1) * (2 * np.pi / size)
    loop = 10 ** (-1.5 / (f0 * seconds)) * np.exp(-1j * w * delay) * (1 + np.exp(-1j * w)) / 2
    return np.asarray(fft.irfft(fft.rfft(burst, size) / (1 - loop), size)[:n], dtype=np.float64)


def _guitar(params: Params, n: int, rng: Rng) -> FloatArray:
    """Plucked strings (Karplus–Strong) in strummed chords through the body's air and plate modes."""
    total = np.zeros(samples(params["chords"] * params["beat"] + 1.8))
    roots = (0, 5, 7, 9)
    for index in range(round(params["chords"])):
        root = params["e2"] * 2 ** (roots[int(rng.integers(4))] / 12)
        for string, step in enumerate((0, 7, 12, 16, 19, 24)):
            at = samples(index * params["beat"] + string * params["strum"])
            place(
                total, pluck(root * 2 ** (step / 12), 1.8, rng, params["bright"]), at, rng.uniform(0.6, 1.0)
            )
    body = resonated(total, [(105.0, 20.0, 0.8), (205.0, 30.0, 0.7), (400.0, 80.0, 0.4)])
    return event(reverberated(total + 0.8 * body, rng, 0.5, 0.12, 5000.0), n, 0.001, 0.3)


def _melody(params: Params, rng: Rng, notes: int) -> list[float]:
    """Pitches in Hz of a random walk on a major scale."""
    step, pitches = int(rng.integers(len(_MAJOR))), []
    for _ in range(notes):
        step = int(np.clip(step + rng.integers(-2, 3), 0, len(_MAJOR) - 1))
        pitches.append(params["tonic"] * 2 ** (_MAJOR[step] / 12))
    return pitches


def _sustained(
    params: Params,
    rng: Rng,
    formants: list[tuple[float, float, float]],
    tilt: float,
    vibrato: float,
    breath: float,
) -> Signal:
    """A phrase of sustained notes with vibrato, breath or bow noise, and slurred onsets."""
    notes = round(params["notes"])
    total = np.zeros(samples(notes * params["beat"] + 0.9))
    for index, pitch in enumerate(_melody(params, rng, notes)):
        size = samples(params["beat"] * rng.uniform(0.85, 1.0))
        swing = np.sin(phase(params["vibrato_hz"] * (1 + 0.1 * walk(size, rng, 2.0)))) * curve(
            size, [(0, 0), (0.4, 1), (1, 1)]
        )
        f0 = pitch * (1 + vibrato * swing) * curve(size, [(0, 0.985), (0.06, 1), (1, 1)])
        tone = voice(f0, list(formants), tilt, 10_000.0) * (1 + 0.08 * swing)
        noise = band(size, rng, 0.9 * pitch, 6 * pitch, 6.0) * breath * tone.std()
        place(
            total,
            (tone + noise) * curve(size, [(0, 0), (0.1, 0.9), (0.3, 1), (0.85, 0.8), (1, 0)]),
            samples(index * params["beat"]),
        )
    return reverberated(total, rng, 1.2, 0.25, 4000.0)


def _flute(params: Params, n: int, rng: Rng) -> FloatArray:
    """Air jet on an open tube: few harmonics, breath noise around the tone."""
    return event(
        _sustained(params, rng, [(600.0, 900.0, 1.0), (1800.0, 900.0, 0.3)], 9.0, 0.006, 0.02), n, 0.01, 0.2
    )


def _brass(pitch: float, seconds: float, params: Params, rng: Rng) -> Signal:
    """One note of a trumpet [n]: the louder, the brighter; tongued, flat at first, vibrato when long."""
    size = samples(seconds)
    t = np.arange(size) / SAMPLE_RATE
    level = np.interp(
        t, [0, 0.03, 0.08, min(0.2, 0.5 * seconds), seconds - 0.09, seconds], [0, 0.7, 1.0, 0.85, 0.9, 0]
    )
    level = level * (1 + 0.03 * walk(size, rng, 9.0))
    shake = np.sin(phase(params["vibrato_hz"] * (1 + 0.06 * walk(size, rng, 2.0)))) * np.clip(
        2 * t - 0.6, 0, 1
    )
    bend = 1 - 0.025 * np.exp(-t / 0.02) - 0.01 * np.clip((t - seconds + 0.05) / 0.05, 0, 1)
    f0 = pitch * bend * (1 + 0.006 * shake) * (1 + 0.0015 * walk(size, rng, 25.0))
    bell = [(1250.0, 900.0, 1.0), (2400.0, 1500.0, 0.5)]
    soft, loud = unit(voice(f0, bell, 7.0, 5000.0)), unit(voice(f0, bell, 1.5, 10_000.0))
    blare = (level * (1 + 0.15 * shake)).clip(0, 1.2) ** 2 * params[
        "blare"
    ]  # steepening of the wave in the bore
    tongue = band(size, rng, 500, 5000, 6.0) * (0.25 * np.exp(-t / 0.012) + 0.012)
    return np.asarray(((1 - 0.75 * blare) * soft + blare * loud + tongue) * level, dtype=np.float64)


def _trumpet(params: Params, n: int, rng: Rng) -> FloatArray:
    """Lip reed into a bell: harmonics that grow with loudness, a call on the notes of a chord."""
    pitches = _melody(params, rng, round(params["notes"]))
    beats = [*rng.choice((1.0, 1.0, 1.5, 2.0), len(pitches) - 1), 2.5]
    total = np.zeros(samples(sum(beats) * params["beat"] + 1.0))
    at = 0.0
    for pitch, held in zip(pitches, beats, strict=True):
        note = _brass(pitch, held * params["beat"] * rng.uniform(0.9, 1.0), params, rng)
        place(total, note, samples(at + abs(rng.normal(0, 0.006))), rng.uniform(0.8, 1.0))
        at += held * params["beat"]
    return event(reverberated(total, rng, 1.2, 0.25, 4500.0), n, 0.003, 0.2)


MODELS = (
    SoundModel(
        "music.guitar",
        "guitar",
        "event",
        "Plucked strings by Karplus & Strong (1983) through the body's air and plate modes.",
        drawn(e2=(82, 110), chords=(1.6, 5.4), beat=(0.5, 1.0), strum=(0.01, 0.03), bright=(0.12, 0.4)),
        _guitar,
        (0.0, 0.5),
    ),
    SoundModel(
        "music.flute",
        "flute",
        "event",
        "Air jet on an open tube: few harmonics, breath noise around them (Fletcher & Rossing 1998).",
        drawn(tonic=(440, 660), notes=(3, 8), beat=(0.3, 0.8), vibrato_hz=(4.5, 5.5)),
        _flute,
        (0.2, 1.0),
    ),
    SoundModel(
        "music.trumpet",
        "trumpet",
        "event",
        "Lip reed into a bell: brightness grows with level; formant near 1.2–2 kHz (Risset & Mathews 1969).",
        drawn(tonic=(230, 350), notes=(4, 8), beat=(0.28, 0.5), vibrato_hz=(4.6, 5.6), blare=(0.65, 1.0)),
        _trumpet,
        (0.2, 1.0),
    ),
)
