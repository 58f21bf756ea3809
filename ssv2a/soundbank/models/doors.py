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
    shaped,
    unit,
    walk,
)
from ssv2a.soundbank.model import Params, SoundModel
from ssv2a.soundbank.models.impacts import peaked
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
    """Handle and bolt: a sprung tongue snaps twice in its case, which is screwed to wood and so rings not."""
    total = np.zeros(samples(0.16))
    for at, level in ((0.0, 0.5), (rng.uniform(0.03, 0.07), 1.0)):
        case = modes(samples(0.06), *body(rng, 0.5 * pitch, 7000, 40, 0.018, 0.3, -2.0), rng)
        place(total, convolved(peaked(case), blow(0.0003, rng, 3)), samples(at), level)
        click = band(samples(0.02), rng, 700, 5000, 6.0) * decay(samples(0.02), 0.015, 0.0008)
        place(total, peaked(click), samples(at), level)
    return peaked(total)


_BOLT = 0.06  # seconds that the bolt scrapes over its plate before the leaf meets the frame


def _slam(rng: Rng, params: Params) -> Signal:
    """The bolt scrapes over its plate; the leaf meets the frame; its panel booms, hardware rattles after it.

    The leaf touches at a handful of places within `bounce` seconds; the frame is met after `_BOLT` seconds.
    """
    size, scrape_size = samples(0.9), samples(_BOLT)
    force = np.zeros(size)
    for at in np.concatenate([[0.0], rng.uniform(0.002, params["bounce"], 5)]):
        place(force, blow(rng.uniform(0.0008, 0.002)), samples(at), rng.uniform(0.3, 1.0) if at else 1.2)
    answer = peaked(modes(size, *body(rng, params["leaf"], 400, 24, 0.35, 0.4, -2.0), rng))
    panel = modes(samples(0.3), *body(rng, 300, 3500, 90, 0.12, 0.35, -4.0), rng)
    place(answer, peaked(panel), 0, params["panel"])
    total = peaked(convolved(force, answer))
    air = band(size, rng, 40, 130, 12.0) * decay(size, 0.22, 0.006)
    place(total, peaked(air), 0, 0.6)
    crash = shaped(size, rng, _CRASH) * decay(size, 0.1, 0.003)
    place(total, peaked(crash), 0, params["crash"])
    place(total, _latch(rng, params["lock"]), samples(0.008), params["rattle"])
    for index in range(int(rng.integers(2, 6))):
        at = 0.03 + 0.035 * index * rng.uniform(0.6, 1.3)
        loose = _latch(rng, params["lock"] * rng.uniform(0.8, 1.2))
        place(total, loose, samples(at), 0.4 * params["rattle"] * 0.6**index)
    out = np.zeros(size + scrape_size)
    scrape = band(scrape_size, rng, 300, 3500, 9.0) * curve(
        scrape_size, [(0, 0), (0.3, 0.5), (0.6, 0.3), (1, 1)]
    )
    place(out, peaked(scrape), 0, params["scrape"])
    place(out, total, scrape_size)
    return out


_CRASH = ((100, -6.0), (300, 0.0), (800, -2.0), (3000, -10.0), (8000, -20.0), (16_000, -34.0))  # Hz, dB


def _door(params: Params, n: int, rng: Rng) -> FloatArray:
    """A latch snaps, some hinges creak (stick–slip) as the leaf swings, then it slams into its frame."""
    total = np.zeros(samples(params["seconds"] + 1.4))
    at = samples(params["seconds"])
    place(total, _latch(rng, params["lock"]), samples(0.01), params["handle"])
    size = samples(0.8 * params["seconds"])
    if params["creak"] > 0.5:
        speed = curve(size, [(0, 0.3), (0.5, 1.0), (0.8, 0.8), (1, 0.35)]) * (1 + 0.15 * walk(size, rng, 5.0))
        groan = creak(size, rng, params["squeal"] * speed, params["loose"])
        groan = groan * curve(size, [(0, 0.2), (0.5, 1), (1, 0.3)]) * (0.6 + 0.4 * walk(size, rng, 6.0))
        place(total, faded(groan, 0.04, 0.08), samples(0.12), 0.05)
    swing = band(size, rng, 100, 600, 6.0) * np.linspace(0, 1, size) ** 2
    place(total, swing, max(0, at - size), 0.015)
    place(total, _slam(rng, params), max(0, at - samples(_BOLT)), params["force"])
    hall = reverberated(total, rng, params["hall"], params["room"], 4500.0)
    return event(on_location(hall, rng, 0.004), n, 0.0005, 0.3)


MODELS = (
    SoundModel(
        "impact.door",
        "door",
        "event",
        "Stick–slip hinge, its slips as quick as the leaf; then panel modes and pressed air, a rattling lock"
        " (Farnell ch. 33; Avanzini et al. 2005).",
        drawn(
            seconds=(0.4, 1.2),
            creak=(0, 1),
            squeal=(260, 700),
            loose=(0.02, 0.1),
            leaf=(50, 130),
            panel=(0.3, 1.2),
            crash=(0.4, 0.8),
            bounce=(0.015, 0.06),
            lock=(900, 1800),
            rattle=(0.1, 0.35),
            handle=(0.1, 0.3),
            scrape=(0.1, 0.5),
            force=(0.8, 1.2),
            hall=(0.35, 0.7),
            room=(0.15, 0.4),
        ),
        _door,
        (0.5, 2.0),
    ),
)
