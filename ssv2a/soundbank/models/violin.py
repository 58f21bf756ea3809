"""The violin: a string that sticks to the bow and slips once a period, a body, and a phrase played on it.

Sources: L. Cremer, "The Physics of the Violin" (1984); C. Chafe, "Pulsed noise in self-sustained oscillations
of musical instruments" (1990); K. Guettler and A. Askenfelt, "Acceptance limits for the duration of
pre-Helmholtz transients" (1997); G. Bissinger, "Structural acoustics of good and bad violins" (2008);
N. Fletcher and T. Rossing, "The Physics of Musical Instruments"
(1998), ch. 10.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import signal

from ssv2a.soundbank.dsp import (
    Rng,
    Signal,
    convolved,
    crossings,
    curve,
    drawn,
    event,
    gain_at,
    highpass,
    impulses,
    modes,
    phase,
    reverberated,
    samples,
    unit,
    walk,
)
from ssv2a.soundbank.model import Params, SoundModel
from ssv2a.types import SAMPLE_RATE, FloatArray

LOW_MODES = ((275.0, 0.6), (405.0, -0.3), (455.0, 0.8), (540.0, -0.8))
"""Hz and radiation, with its sign, of the air mode A0, of CBR, B1− and B1+ (Bissinger 2008)."""
RADIATION = ((600, -3), (1000, -2), (1500, -7), (2100, 0), (2700, 1), (3500, -3), (6000, -15), (12_000, -34))
"""Hz, dB: what a body radiates above its single modes of the force on its bridge; the hill near 2.4 kHz."""
_MAJOR, _MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
_RHYTHMS = ((1.0, 1.0, 2.0), (1.5, 0.5, 2.0), (2.0, 1.0, 1.0), (1.0, 0.5, 0.5, 2.0), (3.0, 1.0), (1, 1, 1, 1))


class Note(NamedTuple):
    """One note of a phrase."""

    hertz: float
    seconds: float
    slurred: bool  # on the same stroke of the bow as the note before


def body(rng: Rng) -> Signal:
    """Impulse response [0.15 s] of a body: single modes below 600 Hz, above them many that overlap."""
    count = 70
    high = 640.0 * (9000 / 640) ** ((np.arange(count) + rng.uniform(0, 1, count)) / count)
    low, level = np.array(LOW_MODES).T
    hertz = np.concatenate([low * rng.uniform(0.96, 1.04, low.size), high])
    quality = np.concatenate([rng.uniform(18, 30, low.size), rng.uniform(35, 60, count)])
    upper = gain_at(high, RADIATION) * rng.uniform(0.4, 1.3, count) * rng.choice((-1.0, 1.0), count)
    fall = np.pi * hertz / quality
    gains = np.concatenate([level, upper]) * 2 * fall / SAMPLE_RATE
    return modes(samples(0.15), hertz, 6.908 / fall, 1j * gains)


def phrase(params: Params, rng: Rng) -> list[Note]:
    """Notes of a melody in one key, mostly by steps, some to one stroke of the bow; it rests on the chord."""
    scale = _MAJOR if params["minor"] < 0.6 else _MINOR
    degree, notes = int(rng.choice((0, 2, 4, 7))), list[Note]()
    lengths = [beats for _ in range(round(params["bars"])) for beats in _RHYTHMS[rng.integers(len(_RHYTHMS))]]
    for index, beats in enumerate(lengths):
        last = index == len(lengths) - 1
        if index:
            degree += int(rng.choice((-3, -2, -1, -1, 1, 1, 2, 3)))
            degree = degree if -2 <= degree <= 10 else int(np.clip(degree, 0, 8))
        if last:
            degree = min((0, 2, 4, 7), key=lambda rest: abs(rest - degree))
        octave, step = divmod(degree, 7)
        seconds = params["beat"] * beats * rng.uniform(0.95, 1.05) * (1.4 if last else 1.0)
        hertz = params["tonic"] * 2.0 ** (octave + scale[step] / 12)
        notes.append(Note(float(hertz), float(seconds), bool(index and rng.uniform() < params["slurs"])))
    return notes


def _pitch(notes: list[Note], params: Params, rng: Rng) -> Signal:
    """Hz per sample: the finger slides a little into a note, and rocks once it is there."""
    pieces = []
    before = notes[0].hertz
    for note in notes:
        size = samples(note.seconds)
        t = np.arange(size) / SAMPLE_RATE
        slide = 0.07 if note.slurred and rng.uniform() < 0.25 else 0.012
        way = 0.5 - 0.5 * np.cos(np.pi * np.clip(t / slide, 0, 1))
        deep = params["vibrato"] * min(1.0, note.seconds / 0.35) * rng.uniform(0.8, 1.15)
        rock = (
            deep
            * np.clip((t - 0.06) / rng.uniform(0.15, 0.35), 0, 1)
            * np.clip((note.seconds - t) / 0.06, 0, 1)
        )
        off = rng.normal(0, 0.0015)
        pieces.append(np.stack([before * (note.hertz / before) ** way * (1 + off), rock]))
        before = note.hertz
    hertz, rock = np.concatenate(pieces, axis=1)
    swing = np.sin(phase(params["vibrato_hz"] * (1 + 0.1 * walk(hertz.size, rng, 2.5)))) - 0.3
    return np.asarray(hertz * (1 + rock * swing) * (1 + 0.0008 * walk(hertz.size, rng, 20.0)))


def _strokes(notes: list[Note], rng: Rng) -> tuple[Signal, Signal]:
    """Level, and roughness where strokes begin, per sample: the bow turns, and the string must catch."""
    levels, rough = [], []
    for index, note in enumerate(notes):
        size = samples(note.seconds)
        t = np.arange(size) / SAMPLE_RATE
        grip = rng.uniform(0.035, 0.08)
        begins, ends = not note.slurred, index == len(notes) - 1 or not notes[index + 1].slurred
        start = 0.25 * (index > 0) if begins else 0.8
        level = start + (1 - start) * (1 - np.exp(-t / (0.5 * grip if begins else 0.02)))
        left = note.seconds - t
        level *= 1 - (0.75 * np.exp(-left / 0.018) if ends else 0.2 * np.exp(-left / 0.01))
        swell = 1 + rng.uniform(-0.15, 0.3) * np.sin(np.pi * t / note.seconds)
        levels.append(level * swell * rng.uniform(0.85, 1.0))
        rough.append((1.0 if begins else 0.2) * np.exp(-t / (0.6 * grip)))
    level = np.concatenate(levels)
    arch = curve(level.size, [(0, rng.uniform(0.6, 0.9)), (rng.uniform(0.3, 0.7), 1), (1, 0.75)])
    return level * arch * (1 + 0.08 * walk(level.size, rng, 6.0)), np.concatenate(rough)


def bowed(f0: Signal, rough: Signal, noise: float, rng: Rng) -> tuple[Signal, Signal]:
    """Force on the bridge, the string's corner round, and sharp: a sawtooth, and noise at each slip.

    Args:
        f0: Hz per sample.
        rough: 0 where the string slips once a period, 1 where it has not found its motion yet.
        noise: of the rosined hair, relative to the force.
        rng: draws them.
    """
    turns = phase(f0) / (2 * np.pi)
    slips = crossings(turns)
    at = slips.astype(np.int64)
    period = SAMPLE_RATE / f0[at]
    late = rng.standard_normal(slips.size) * (0.0015 + 0.06 * rough[at]) * period
    train = impulses(
        f0.size, slips + late, period * (1 + (0.015 + 0.3 * rough[at]) * rng.standard_normal(at.size))
    )
    saw = signal.lfilter([1.0], [1.0, -0.9985], train - 1.0)
    hair = rng.standard_normal(f0.size) * (0.35 + np.exp(-5 * (turns % 1.0))) * (1 + 7 * rough) * noise
    corners = []
    for hertz in (2200.0, 7000.0):
        pole = np.exp(-2 * np.pi * hertz / SAMPLE_RATE)
        corners.append(signal.lfilter([1 - pole], [1.0, -pole], saw / SAMPLE_RATE * f0 + hair))
    return corners[0], corners[1]


def _violin(params: Params, n: int, rng: Rng) -> FloatArray:
    """Bowed string: stick and slip once a period, through a body whose modes the vibrato sweeps across."""
    notes = phrase(params, rng)
    f0 = _pitch(notes, params, rng)
    level, rough = _strokes(notes, rng)
    soft, sharp = bowed(f0, rough, params["bow"], rng)
    bright = np.clip(level, 0, 1.2) * params["pressure"]
    ringing = samples(0.25)  # the bow has left the string
    played = np.concatenate([(soft * (1 - bright) + sharp * bright) * level, np.zeros(ringing)])
    sound = unit(highpass(convolved(np.pad(played, (480, samples(1.2))), body(rng)), 150.0))
    return event(reverberated(sound, rng, params["hall"], params["room"], 5000.0), n, 0.005, 0.3)


MODELS = (
    SoundModel(
        "music.violin",
        "violin",
        "event",
        "Stick and slip once a period, noise at each slip (Chafe 1990), through A0, B1 and bridge hill "
        "(Bissinger 2008), which vibrato sweeps.",
        drawn(
            tonic=(290, 540),
            minor=(0, 1),
            bars=(1.6, 3.4),
            beat=(0.36, 0.6),
            slurs=(0.2, 0.6),
            vibrato_hz=(5.0, 6.5),
            vibrato=(0.011, 0.02),
            bow=(0.02, 0.05),
            pressure=(0.5, 0.9),
            hall=(0.9, 1.8),
            room=(0.2, 0.4),
        ),
        _violin,
        (0.2, 1.0),
    ),
)
