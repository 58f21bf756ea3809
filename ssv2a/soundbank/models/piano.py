"""The piano: stiff strings in twos and threes, a felt hammer, a soundboard, and something played on it.

Sources: N. Fletcher and T. Rossing, "The Physics of Musical Instruments" (1998), ch. 12; G. Weinreich,
"Coupled piano strings" (1977); F. Rigaud, B. David and L. Daudet, "A parametric model and estimation
techniques for the inharmonicity and tuning of the piano" (2013).
"""

from __future__ import annotations

import numpy as np

from ssv2a.soundbank.dsp import (
    Rng,
    Signal,
    convolved,
    drawn,
    event,
    faded,
    modes,
    place,
    reverberated,
    samples,
    shaped,
)
from ssv2a.soundbank.model import Params, SoundModel
from ssv2a.types import SAMPLE_RATE, FloatArray

_MAJOR, _MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
_PROGRESSIONS = (
    (0, 5, 3, 4),
    (0, 3, 4, 0),
    (0, 4, 5, 3),
    (0, 3, 0, 4),
    (5, 3, 0, 4),
)  # scale degrees of roots
_STRIKE = 0.12  # where the hammer meets the string, as a share of its length
_SOUNDBOARD = ((40, -22), (70, -9), (120, 0), (400, 1), (1200, 0), (2500, -4), (6000, -16), (14_000, -40))


def inharmonicity(f0: float) -> float:
    """B of f(k) = k·f0·√(1 + B·k²) for the note of a mean piano (Rigaud et al. 2013)."""
    key = 69 + 12 * np.log2(f0 / 440.0)
    return float(np.exp(0.0926 * key - 13.64) + np.exp(-0.0847 * key - 5.82))


def note(f0: float, force: float, seconds: float, rng: Rng) -> Signal:
    """One struck note [n] before the soundboard; `force` 0 (pp) to 1 (ff) sets level and brightness.

    The strings of a note, a little out of tune, move together at first and give their energy to the bridge;
    what is left moves against each other or along the board and sounds on, three times as long.
    """
    count = int(min(30, max(3.0, 9500.0 / f0)))
    k = np.arange(1.0, count + 1)
    hertz = k * f0 * np.sqrt(1 + inharmonicity(f0) * k * k)
    felt = (650 + 1.6 * f0) * 2.0 ** (1.6 * force - 0.5)  # Hz: the harder the blow, the shorter the contact
    gains = np.abs(np.sin(np.pi * k * _STRIKE)) / k**0.3 / (1 + (hertz / felt) ** 2) ** 0.9
    gains *= rng.uniform(0.7, 1.3, count)
    prompt = 60.0 / (9.0 * (f0 / 261.0) ** 0.6 * (1 + (hertz / 1600.0) ** 1.1))  # seconds to fall by 60 dB
    apart = 2.0 ** (rng.uniform(0.4, 1.5, count) * rng.choice((-1, 1)) / 1200)
    share = rng.uniform(0.2, 0.45, count)
    both = np.concatenate([hertz, hertz * apart])
    tone = modes(
        samples(seconds),
        both,
        np.concatenate([prompt, 3.5 * prompt]),
        -1j * np.concatenate([gains, share * gains]),  # from rest, as the string is
    )
    return np.asarray(faded(tone, 0.0025, 0.12) * 10 ** (1.1 * (force - 1)), dtype=np.float64)


def _knock(force: float, rng: Rng) -> Signal:
    """Key meets keybed, hammer meets string: a dull thump and a short click, on the wood of the case."""
    size = samples(0.09)
    t = np.arange(size) / SAMPLE_RATE
    thump = shaped(size, rng, [(50, -8), (90, 0), (250, -1), (700, -8), (2500, -18), (8000, -34)])
    return np.asarray(thump * np.exp(-t / 0.016) * np.minimum(1, t / 0.001) * (0.3 + force))


def _board(rng: Rng) -> Signal:
    """Impulse response of the soundboard: at once, and a short dense ring that colours every note."""
    size = samples(0.16)
    t = np.arange(size) / SAMPLE_RATE
    ring = shaped(size, rng, _SOUNDBOARD) * np.exp(-t / 0.022)
    ring *= 0.75 / np.sqrt(np.sum(ring * ring))
    ring[0] += 0.5
    return np.asarray(ring, dtype=np.float64)


def _score(params: Params, rng: Rng) -> list[tuple[float, float, float, float]]:
    """What is played, as (beat, beats held, Hz, force): a melody over broken or struck chords in one key.

    The pedal holds what the left hand plays till the chord changes; the melody leans on the chord's notes on
    the beat, passes by steps between them and comes to rest on the last.
    """
    scale = _MAJOR if params["minor"] < 0.6 else _MINOR
    roots = _PROGRESSIONS[int(rng.integers(len(_PROGRESSIONS)))]
    beats, per_chord, broken = round(params["notes"]), 3 if params["waltz"] < 0.3 else 4, rng.uniform() < 0.6
    played: list[tuple[float, float, float, float]] = []

    def hertz(degree: int) -> float:
        octave, step = divmod(degree, len(scale))
        return float(params["tonic"] * 2.0 ** (octave + scale[step] / 12))

    melody = int(rng.choice((4, 7, 9)))
    for start in range(0, beats, per_chord):
        root = roots[(start // per_chord) % len(roots)] - (7 if rng.uniform() < 0.7 else 0)
        last = start + per_chord >= beats
        chord, held = (
            (root, root + 2, root + 4),
            float(min(per_chord, beats - start)) + (3.0 if last else 0.0),
        )
        played.append((start, held, hertz(root - 7), params["force"] * rng.uniform(0.75, 0.95)))
        for beat in range(1 if broken else 0, per_chord if not last else 2):
            tones = (chord[(1, 2, 1, 0)[beat % 4]],) if broken else (chord if beat in (0, 2) else ())
            for tone in tones:
                soft = params["force"] * rng.uniform(0.5, 0.7)
                played.append((start + beat, held - beat, hertz(tone), soft))
        at = 0.0
        while at < (1 if last else min(per_chord, beats - start)):
            length = 1.0 if last else float(rng.choice((0.5, 1.0, 1.0, 2.0)))
            if at == int(at):  # on the beat: the nearest note of the chord
                near = [degree + 7 * octave for degree in chord for octave in (0, 1, 2)]
                near = [degree for degree in near if 2 <= degree <= 12] or near
                goal = melody + int(rng.integers(-2, 3))
                melody = min(near, key=lambda degree: abs(degree - goal))
            else:
                melody += int(rng.choice((-1, 1)))
            force = params["force"] * rng.uniform(0.9, 1.15)
            played.append((start + at, max(length, 1.5) + (3.0 if last else 0.0), hertz(melody), force))
            at += length
    return played


def _piano(params: Params, n: int, rng: Rng) -> FloatArray:
    """Hammered stiff strings with a double decay, through the soundboard: a phrase in a key, with pedal."""
    score = _score(params, rng)
    beat = params["beat"]
    total = np.zeros(samples(max(at for at, *_ in score) * beat + 2.6))
    for at, held, f0, force in score:
        begin = samples(0.01 + at * beat + abs(rng.normal(0, 0.008)))
        seconds = min(held * beat + 0.15, (total.size - begin) / SAMPLE_RATE, 2.6)
        place(total, note(f0, force, seconds, rng), begin)
        place(total, _knock(force, rng), begin, 0.05)
    sound = convolved(total, _board(rng))
    return event(reverberated(sound, rng, 1.2, params["room"], 4500.0), n, 0.001, 0.5)


MODELS = (
    SoundModel(
        "music.piano",
        "piano",
        "event",
        "Stiff strings f(k) = k·f0·√(1 + B·k²), struck in pairs that decay twice (Weinreich 1977), and a "
        "soundboard.",
        drawn(
            tonic=(200, 390),
            minor=(0, 1),
            waltz=(0, 1),
            notes=(6, 12.4),
            beat=(0.36, 0.62),
            force=(0.3, 0.75),
            room=(0.12, 0.28),
        ),
        _piano,
        (0.0, 0.5),
    ),
)
