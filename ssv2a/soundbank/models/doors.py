"""Doors: latch, hinge and leaf."""

from __future__ import annotations

import numpy as np

from ssv2a.soundbank.dsp import (
    Rng,
    Signal,
    band,
    blow,
    body,
    convolved,
    crossings,
    curve,
    decay,
    drawn,
    event,
    faded,
    impulses,
    modes,
    on_location,
    place,
    reverberated,
    samples,
    unit,
    walk,
)
from ssv2a.soundbank.model import Params, SoundModel
from ssv2a.types import SAMPLE_RATE, FloatArray


def creak(n: int, rng: Rng, pitch: Signal, loose: float) -> Signal:
    """Hinge [n], unit RMS: it sticks and slips `pitch` times a second; each slip rings pin and leaf.

    Args:
        n: length in samples.
        rng: draws the hinge's resonances and the slips' strength.
        pitch: slips a second, per sample; it rises with the speed of the door.
        loose: irregularity of the slips, 0..0.3 of a period.
    """
    times = crossings(np.cumsum(pitch) / SAMPLE_RATE + rng.uniform())
    rate = pitch[np.minimum(times.astype(np.int64), n - 1)]
    times = times + loose * SAMPLE_RATE / rate * rng.standard_normal(times.size)
    slips = impulses(n, times, rng.uniform(0.5, 1.0, times.size) * (40 / rate) ** 0.5)
    pin = modes(samples(0.04), *body(rng, 500, 5200, 9, 0.035, 0.4, 0.5), rng)
    leaf = modes(samples(0.12), *body(rng, 110, 500, 6, 0.09, 0.5, 0.0), rng)
    place(leaf, pin, 0, 1.6)
    return unit(convolved(slips, convolved(leaf, blow(0.0002))))


def _latch(rng: Rng, pitch: float) -> Signal:
    """Handle and bolt: a spring-loaded steel tongue snaps in two small clacks on the lock's case."""
    total = np.zeros(samples(0.25))
    for at, level in ((0.0, 0.5), (rng.uniform(0.04, 0.09), 1.0)):
        case = modes(samples(0.08), *body(rng, pitch, 9000, 14, 0.05, 0.4, -1.0), rng)
        place(total, convolved(case, blow(0.0004, rng, 3)), samples(at), level)
    return np.asarray(total / (np.abs(total).max() + 1e-12))


def _slam(rng: Rng, params: Params) -> Signal:
    """Leaf against frame: a handful of contacts in 60 ms wake the panel's dense modes; air is pressed out."""
    size = samples(0.7)
    force = np.zeros(samples(0.1))
    for at in np.concatenate([[0.0], rng.uniform(0.003, params["bounce"], 6)]):
        place(force, blow(rng.uniform(0.0006, 0.003)), samples(at), rng.uniform(0.4, 1.0))
    panel = modes(size, *body(rng, params["leaf"], 9000, 220, 0.34, 0.16, -1.0), rng)
    total = convolved(np.pad(force, (0, size - force.size)), panel)
    total /= np.abs(total).max() + 1e-12
    air = band(size, rng, 30, 110, 12.0) * decay(size, 0.3, 0.012)
    place(total, air / (np.abs(air).max() + 1e-12), 0, 0.6)
    return total


def _door(params: Params, n: int, rng: Rng) -> FloatArray:
    """A latch snaps, some hinges creak (stick–slip) as the leaf swings, then it slams into its frame."""
    total = np.zeros(samples(params["seconds"] + 1.3))
    at = samples(params["seconds"])
    place(total, _latch(rng, params["lock"]), samples(0.01), 0.3)
    if params["creak"] > 0.5:
        size = samples(params["seconds"] * 0.8)
        speed = curve(size, [(0, 0.3), (0.5, 1.0), (0.8, 0.8), (1, 0.35)]) * (1 + 0.15 * walk(size, rng, 5.0))
        groan = creak(size, rng, params["squeal"] * speed, params["loose"])
        groan = groan * curve(size, [(0, 0.2), (0.5, 1), (1, 0.3)]) * (0.6 + 0.4 * walk(size, rng, 6.0))
        place(total, faded(groan, 0.04, 0.08), samples(0.12), 0.09)
    place(total, _slam(rng, params), at, params["force"])
    place(total, _latch(rng, params["lock"]), at + samples(0.012), 0.35)
    hall = reverberated(total, rng, params["hall"], params["room"], 5000.0)
    return event(on_location(hall, rng, 0.002), n, 0.0005, 0.3)


MODELS = (
    SoundModel(
        "impact.door",
        "door",
        "event",
        "Stick–slip hinge: slips whose rate follows the door's speed ring pin and leaf; a slam of low panel"
        " modes and pressed air; the latch's snaps (Farnell ch. 33; Avanzini et al. 2005).",
        drawn(
            seconds=(0.5, 1.6),
            creak=(0, 1),
            squeal=(110, 420),
            loose=(0.02, 0.2),
            leaf=(60, 110),
            bounce=(0.02, 0.07),
            lock=(900, 1800),
            force=(0.6, 1.2),
            hall=(0.4, 0.9),
            room=(0.15, 0.45),
        ),
        _door,
        (0.8, 3.0),
    ),
)
