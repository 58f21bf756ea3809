"""People without words: steps, clothes, clapping hands, a murmuring crowd."""

from __future__ import annotations

import numpy as np

from ssv2a.soundbank.dsp import (
    Rng,
    Signal,
    band,
    blow,
    body,
    cloud,
    convolved,
    curve,
    decay,
    drawn,
    event,
    faded,
    impulses,
    lowpass,
    modes,
    on_location,
    place,
    reverberated,
    samples,
    scattered,
    shaped,
    stereo,
    texture,
    unit,
    walk,
)
from ssv2a.soundbank.model import Params, SoundModel
from ssv2a.soundbank.models.impacts import peaked
from ssv2a.types import SAMPLE_RATE, FloatArray


def _gait(params: Params, n: int, rng: Rng, step: list[Signal], tail: float = 0.3) -> Signal:
    """A walk of several steps: even rhythm with 3 % jitter, left and right differ, some heavier."""
    count = round(params["steps"])
    total = np.zeros(min(n, samples(count / params["rate"] + tail)))
    for index in range(count):
        at = index / params["rate"] + rng.normal(0, 0.03 / params["rate"])
        place(total, step[index % len(step)], samples(max(0.0, at)), rng.uniform(0.65, 1.0))
    return total


def _gravel(params: Params, n: int, rng: Rng) -> FloatArray:
    """Stones grind under heel, then toe: noise in rapid bursts, some hard clicks, a dull thump."""
    stones = [
        modes(samples(0.008), rng.uniform(1300, 6000, 3), rng.uniform(0.003, 0.008, 3), np.ones(3), rng)
        for _ in range(20)
    ]
    steps = []
    for _ in range(round(params["steps"])):
        size = samples(rng.uniform(0.32, 0.44))
        roll = curve(size, [(0, 0), (0.08, 1), (0.28, 0.35), (0.5, 0.9), (0.75, 0.35), (1, 0)])
        grind = shaped(size, rng, [(150, -16), (600, -4), (2000, 0), (5000, -2), (12_000, -16)])
        grind *= (0.15 + walk(size, rng, params["stones"], 0, 1) ** 3) * roll
        times = scattered(size, rng, 250)
        clicks = cloud(
            size, rng, times, rng.exponential(1.0, times.size) * roll[times.astype(np.int64)], stones
        )
        step = unit(lowpass(grind, params["dull"])) + params["clicks"] * unit(clicks)
        place(step, band(samples(0.12), rng, 70, 400, 9.0) * decay(samples(0.12), 0.1, 0.008), 0, 0.9)
        steps.append(step)
    return event(on_location(_gait(params, n, rng, steps, 0.45), rng, params["air"]), n, 0.001, 0.1)


def _touches(n: int, rng: Rng, rate: float, seconds: float) -> Signal:
    """Level [n] around 1 of `rate` soft touches of thread on thread a second, each of some `seconds`."""
    times = scattered(n, rng, rate)
    swell = np.hanning(samples(seconds))
    forces = impulses(n, times, rng.exponential(1.0, times.size))
    return convolved(forces, swell * (SAMPLE_RATE / rate / swell.sum()))


def swings(params: Params, n: int, rng: Rng) -> Signal:
    """How fast cloth slides over cloth [n], 0..1: one swing of a limb a step, of some smooth rubs."""
    speed = params["restless"] * walk(n, rng, 3.0, 0, 1)  # clothes are never quite still
    for index in range(round(params["strokes"])):
        at = (index + 0.5 + rng.normal(0, 0.03)) / params["rate"]
        loud = (1.0 if index % 2 == 0 else params["other"]) * rng.uniform(0.85, 1.0)
        for follows in range(int(rng.integers(3, 6))):  # the limb's own, then folds, late or early
            size = samples(params["swing"] / params["rate"] * (rng.uniform(0.4, 0.8) if follows else 1.0))
            rub = loud * np.sin(np.pi * np.linspace(0, 1, size) ** rng.uniform(0.7, 1.3)) ** 2
            start = at + (follows > 0) * rng.normal(0, 0.2) / params["rate"]
            begin = max(0, min(samples(max(0.0, start)) - size // 2, n - size))
            rub *= rng.uniform(0.3, 0.7) if follows else 1.0
            speed[begin : begin + size] = np.hypot(speed[begin : begin + size], rub[: n - begin])
    return np.asarray(np.minimum(speed, 1.0), dtype=np.float64)


def _cloth(params: Params, n: int, rng: Rng) -> FloatArray:
    """Someone moves in clothes: smooth swishes in the rhythm of the steps, every other one weaker.

    Threads brush past each other so densely that only noise is left: no facet snaps, unlike in paper.
    """
    size = samples((round(params["strokes"]) + 0.2) / params["rate"])
    speed = swings(params, size, rng)
    weave, total = params["weave"], np.zeros(size)
    for octave in (-1.2, -0.4, 0.4, 1.2):  # cloth touches here and there, each place with its own sound
        hertz = weave * 2.0**octave
        patch = shaped(size, rng, [(hertz / 4, -24), (hertz / 1.4, 0), (1.4 * hertz, 0), (4 * hertz, -26)])
        loud = speed ** (params["power"] + 0.25 * octave)
        uneven = 10 ** (params["uneven"] / 20 * walk(size, rng, 6.0))
        thread = 1 + params["thread"] * (_touches(size, rng, params["touches"], 0.02) - 1)
        total += patch * 10 ** (-params["tilt"] / 20 * octave) * loud * uneven * thread
    return event(on_location(unit(total), rng, 0.001), n, 0.04, 0.1)


def _applause(params: Params, n: int, rng: Rng) -> FloatArray:
    """Many people clap 3–5 times a second, each with a palm cavity of their own near 0.9–2 kHz, in a hall."""
    lead = samples(0.9)  # the hall is filled when the texture starts

    def ear(rng: Rng) -> Signal:
        total = np.zeros(n + lead)
        for _ in range(round(params["people"] / 2)):
            rate, size, palm = rng.uniform(3.0, 5.0), samples(0.06), rng.uniform(900, 2100)
            clap = band(size, rng, 0.85 * palm, 1.2 * palm, 12.0) * decay(
                size, rng.uniform(0.02, 0.05), 0.001
            )
            beats = np.arange(rng.uniform(-1, 0), total.size * rate / SAMPLE_RATE)
            times = (beats + 0.08 * rng.standard_normal(beats.size)) * (SAMPLE_RATE / rate)
            total += cloud(
                total.size, rng, times, rng.uniform(0.4, 1) * rng.uniform(0.6, 1, times.size), [clap]
            )
        return reverberated(total, rng, 0.9, params["hall"], 5000.0)

    return texture(stereo(ear, rng, 0.7)[:, lead:])


def _knock(params: Params, n: int, rng: Rng) -> FloatArray:
    """Three to five raps of a knuckle on a door, 4–6 a second: dense plate modes, damped in 40–100 ms."""
    raps = round(params["raps"])
    total = np.zeros(samples(raps * params["gap"] + 0.6))
    hertz, seconds, gains = body(rng, params["panel"], 1800, 36, 0.1, 0.3, params["tilt"])
    for index in range(raps):
        here = gains * rng.uniform(0.7, 1.3, gains.size)  # never quite the same spot
        answer = modes(samples(0.16), hertz, seconds, here, rng)
        rap = convolved(answer, blow(params["knuckle"] * rng.uniform(0.9, 1.1)))
        rap = faded(peaked(rap), 0.0005, 0.01)
        place(rap, band(samples(0.012), rng, 500, 3000, 9.0) * decay(samples(0.012), 0.01, 0.0006), 0, 0.2)
        at = index * params["gap"] * rng.uniform(0.96, 1.04)
        place(total, rap, samples(at), rng.uniform(0.75, 1))
    room = reverberated(total, rng, params["hall"], params["room"], 3000.0)
    return event(on_location(room, rng, 0.004), n, 0.0005, 0.1)


MODELS = (
    SoundModel(
        "people.footsteps_gravel",
        "footsteps_gravel",
        "event",
        "Stones collide under heel, then toe: a random cloud of clicks gated by the step's force "
        "(PhISEM, Cook 1997).",
        drawn(
            rate=(1.5, 2.0),
            steps=(3.6, 8.4),
            stones=(180, 350),
            clicks=(0.1, 0.3),
            dull=(1600, 2800),
            air=(0.01, 0.025),
        ),
        _gravel,
        (0.2, 0.6),
    ),
    SoundModel(
        "people.cloth",
        "cloth_rustle",
        "event",
        "Limbs swing with the gait; threads brush past threads, louder and brighter the faster they slide.",
        drawn(
            rate=(1.2, 1.9),
            strokes=(2.6, 6.4),
            swing=(0.5, 0.8),
            other=(0.6, 0.9),
            restless=(0.1, 0.25),
            power=(1.0, 1.5),
            weave=(1400, 2600),
            tilt=(1.0, 3.5),
            uneven=(2, 5),
            touches=(500, 1000),
            thread=(0.05, 0.2),
        ),
        _cloth,
        (0.1, 0.8),
    ),
    SoundModel(
        "people.applause",
        "applause",
        "texture",
        "Many clappers of 3–5 Hz, each palm cavity a Helmholtz mode of 0.9–2 kHz (Repp 1987; Peltola et "
        "al. 2007).",
        drawn(people=(90, 180), hall=(0.15, 0.35)),
        _applause,
    ),
    SoundModel(
        "people.knock",
        "knock",
        "event",
        "A knuckle's touch of 1 ms on a plate of wood: dense modes of 90–1 800 Hz, damped within 40–100 ms.",
        drawn(
            raps=(2.6, 5.4),
            gap=(0.17, 0.25),
            panel=(90, 180),
            tilt=(-4, -1),
            knuckle=(0.0005, 0.0013),
            hall=(0.25, 0.5),
            room=(0.1, 0.35),
        ),
        _knock,
        (0.6, 2.0),
    ),
)
