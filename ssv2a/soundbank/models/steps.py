"""Footsteps: heel, ball of the foot and sole against stone, boards or tiles, or rolling over soft ground."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ssv2a.soundbank.dsp import (
    Rng,
    Signal,
    band,
    blow,
    body,
    convolved,
    curve,
    decay,
    drawn,
    event,
    lowpass,
    modes,
    on_location,
    place,
    reverberated,
    samples,
    shaped,
    walk,
)
from ssv2a.soundbank.model import Params, SoundModel
from ssv2a.soundbank.models.impacts import peaked
from ssv2a.types import FloatArray


class Floor(NamedTuple):
    """What a floor answers to a heel."""

    low: float  # Hz, lowest mode
    high: float  # Hz, highest mode that matters
    seconds: float  # 60 dB decay of the lowest mode
    damping: float  # how much sooner high modes die
    tilt: float  # dB per octave
    contact: float  # seconds that a hard heel touches


STONE = Floor(160.0, 9000.0, 0.05, 0.30, -3.0, 0.0012)
BOARDS = Floor(75.0, 5000.0, 0.14, 0.45, -3.0, 0.0018)
TILES = Floor(260.0, 11_000.0, 0.07, 0.30, -2.0, 0.0009)
_LEAD = 0.04  # seconds from the sole's first touch to the heel's blow
FLOORS = (STONE, BOARDS, TILES)


def gait(rate: float, steps: int, rng: Rng, uneven: float = 0.02) -> Signal:
    """Times in seconds of the footfalls of a walk: one foot a little late on the other, 2 % jitter."""
    lag = rng.uniform(-uneven, uneven)
    index = np.arange(steps)
    times = (index + lag * (index % 2) + 0.02 * rng.standard_normal(steps)) / rate
    return np.asarray(np.maximum(0.0, times - min(0.0, times[0])), dtype=np.float64)


class Foot(NamedTuple):
    """What answers when one foot comes down: the same floor under both, a shoe each."""

    floor: tuple[Signal, Signal, Signal]  # modes: Hz, 60 dB decays, gains
    contact: float  # seconds that the heel touches
    shoe: tuple[Signal, Signal, Signal]  # modes of heel and welt
    level: float
    flat: float  # seconds from the heel to the ball of the foot


def _strike(foot: Foot, contact: float, shoe: float, rng: Rng) -> Signal:
    """One touch of heel or ball: another spot of the floor each time, and the shoe that clacks with it."""
    hertz, seconds, gains = foot.floor
    size = samples(0.25)
    ring = modes(size, hertz, seconds, gains * rng.uniform(0.5, 1.3, gains.size), rng)
    hertz, seconds, gains = foot.shoe
    clack = modes(
        size, hertz * rng.uniform(0.98, 1.02), seconds, gains * rng.uniform(0.6, 1.2, gains.size), rng
    )
    thump, tap = convolved(ring, blow(contact, rng, 4)), convolved(clack, blow(0.6 * contact, rng, 3))
    return peaked(thump) + shoe * peaked(tap)


def _footfall(foot: Foot, params: Params, rng: Rng) -> Signal:
    """Heel, then ball of the foot, wider and softer; the body's weight; the sole's scrape."""
    total = np.zeros(samples(0.5))
    contact, flat = foot.contact, foot.flat * rng.uniform(0.93, 1.07)
    heel = _strike(foot, contact, params["heel"], rng)
    peak = float(np.abs(heel).max())
    place(total, heel, samples(_LEAD))
    ball = _strike(foot, 2.4 * contact, 0.4 * params["heel"], rng)
    place(total, ball, samples(_LEAD + flat), params["toe"] * peak * rng.uniform(0.7, 1.2))
    size = samples(0.07)
    slap = shaped(size, rng, [(100, -12), (300, 0), (1200, -3), (3000, -14), (9000, -36)])
    place(total, peaked(slap * decay(size, 0.06, 0.004)), samples(_LEAD + flat), 0.4 * params["toe"] * peak)
    size = samples(0.16)
    weight = band(size, rng, 45, 110, 12.0) * decay(size, 0.15, 0.012)
    place(total, peaked(weight), samples(_LEAD), params["weight"] * peak)
    place(total, _sole(flat, params, rng), 0, params["scuff"] * peak * rng.uniform(0.7, 1.1))
    return total


def _reflected(x: Signal, params: Params, rng: Rng) -> Signal:
    """A room's first echoes (wall, ceiling, far wall: 6 to 45 ms later, duller each time), then its tail."""
    total, wet = x.copy(), x
    for late in np.sort(rng.uniform(0.006, 0.045, 5)):
        wet = lowpass(wet, 5500.0)
        place(
            total,
            wet,
            samples(float(late)),
            params["echo"] * float(rng.uniform(0.5, 1.0)) * (0.012 / late) ** 0.5,
        )
    return reverberated(total, rng, params["hall"], params["room"], 4500.0)


def _sole(flat: float, params: Params, rng: Rng) -> Signal:
    """Grit under the sole: noise that swells as the heel rolls down and again as the ball pushes off."""
    size = samples(2 * _LEAD + 1.6 * flat)
    roll = curve(size, [(0, 0), (0.2, 1.0), (0.38, 0.25), (0.58, 0.55), (0.8, 0.15), (1, 0)])
    grit = params["grit"]
    noise = shaped(size, rng, [(grit / 8, -22), (grit / 2, -6), (grit, 0), (3 * grit, -5), (12 * grit, -24)])
    return noise * (0.4 + 0.6 * walk(size, rng, 200.0, 0, 1)) * roll / 2


def _hard(params: Params, n: int, rng: Rng) -> FloatArray:
    """Heel strikes the floor and wakes its modes; the sole crushes grit; the ball of the foot lands."""
    floor = FLOORS[min(int(params["floor"]), len(FLOORS) - 1)]
    steps = round(params["steps"])
    answer = body(rng, floor.low, floor.high, 90, floor.seconds, floor.damping, floor.tilt)
    shoe = body(rng, params["shoe"], 4500, 9, 0.022, 0.3, -2.0)
    feet = [
        Foot(
            answer,
            floor.contact * params["soft"] * rng.uniform(0.9, 1.1),
            (shoe[0] * rng.uniform(0.96, 1.04), shoe[1], shoe[2]),
            rng.uniform(0.85, 1.0),
            params["roll"] * rng.uniform(0.92, 1.08),
        )
        for _ in range(2)
    ]
    total = np.zeros(min(n, samples(steps / params["rate"] + 0.6)))
    for index, at in enumerate(gait(params["rate"], steps, rng)):
        foot = feet[index % 2]
        place(total, _footfall(foot, params, rng), samples(at), foot.level * rng.uniform(0.8, 1.0))
    place_ = _reflected(total, params, rng)
    return event(on_location(place_, rng, params["air"]), n, 0.0005, 0.2)


def _tread(params: Params, rng: Rng) -> Signal:
    """One step on grass or earth: blades and crumbs give way as the foot rolls down, the ground thuds."""
    seconds = params["tread"] * rng.uniform(0.85, 1.15)
    size, peak = samples(seconds), params["ground"] * rng.uniform(0.85, 1.2)
    dry = [(peak / 8, -24), (peak / 2, -5), (peak, 0), (3 * peak, -8), (8 * peak, -28), (20_000, -60)]
    sink = min(0.5, params["sink"] / seconds)
    roll = curve(size, [(0, 0), (sink, 1), (sink + 0.12, 0.4), (0.72, params["push"]), (1, 0)]) ** 1.2
    crush = shaped(size, rng, dry) * (0.5 + walk(size, rng, 90.0, 0, 1)) * roll
    step = np.zeros(samples(0.6))
    place(step, peaked(crush), 0)
    weight = band(samples(0.16), rng, 45, 160, 12.0) * curve(
        samples(0.16), [(0, 0), (0.1, 1), (0.3, 0.4), (1, 0)]
    )
    place(step, peaked(weight), samples(0.6 * params["sink"]), params["thump"])
    return step


def _soft(params: Params, n: int, rng: Rng) -> FloatArray:
    """The foot sinks in within 60–110 ms: a soft thud and crushing noise; a second swell as it pushes off."""
    steps = round(params["steps"])
    total = np.zeros(min(n, samples(steps / params["rate"] + 0.6)))
    for at in gait(params["rate"], steps, rng):
        place(total, _tread(params, rng), samples(at), rng.uniform(0.7, 1.0))
    return event(on_location(total, rng, params["air"]), n, 0.002, 0.1)


MODELS = (
    SoundModel(
        "people.footsteps_hard",
        "footsteps_hard",
        "event",
        "Modal floors and shoes, woken by a heel's contact of 1–2 ms and, 0.1 s later, by the ball of"
        " the foot (Cook 2002; Turchet 2016); a room's echoes.",
        drawn(
            rate=(1.6, 2.1),
            steps=(3.6, 8.4),
            floor=(0, 3),
            soft=(1.2, 2.2),
            shoe=(650, 1400),
            heel=(0.08, 0.3),
            roll=(0.09, 0.14),
            toe=(0.08, 0.28),
            weight=(0.25, 0.55),
            scuff=(0.3, 0.7),
            grit=(550, 1100),
            echo=(0.01, 0.06),
            hall=(0.3, 0.7),
            room=(0.0, 0.04),
            air=(0.012, 0.022),
        ),
        _hard,
        (0.2, 0.6),
    ),
    SoundModel(
        "people.footsteps_soft",
        "footsteps_soft",
        "event",
        "Ground that yields under a rolling foot: noise by the pressing force, an earthy thud (Cook 2002).",
        drawn(
            rate=(1.6, 1.9),
            steps=(4.6, 8.4),
            tread=(0.26, 0.36),
            sink=(0.06, 0.11),
            push=(0.5, 0.8),
            ground=(700, 1300),
            thump=(0.4, 0.9),
            air=(0.012, 0.025),
        ),
        _soft,
        (0.2, 0.6),
    ),
)
