"""Balls: bounced on a floor, struck by a racket."""

from __future__ import annotations

import numpy as np

from ssv2a.soundbank.dsp import (
    Rng,
    Signal,
    band,
    body,
    decay,
    drawn,
    event,
    modes,
    on_location,
    phase,
    place,
    reverberated,
    samples,
    shaped,
)
from ssv2a.soundbank.model import Params, SoundModel
from ssv2a.soundbank.models.impacts import peaked
from ssv2a.types import FloatArray

CAVITY = np.array([1.0, 1.605, 2.16, 2.17, 2.86])
"""Modes of the air in a ball: where j'(x) of the spherical Bessel functions is 0, over the first, 2.08."""
_SHELL = np.array([1.0, 1.5, 2.05, 2.6, 3.3, 4.1])
_STRINGS = np.array([1.0, 1.6, 2.1, 2.4, 2.9, 3.4])


def _level(x: Signal, seconds: float = 0.0) -> Signal:
    """To a peak of 1, risen within so many seconds: the contact of something soft has no edge."""
    rise = np.minimum(1.0, np.arange(x.size) / samples(seconds)) if seconds else 1.0
    return peaked(x * rise)


def _bounce(params: Params, hardness: float, rng: Rng) -> Signal:
    """One touch of the floor: a sinking thud, modes of the shell and of the air in it, a slap of rubber."""
    size = samples(0.25)
    sinking = params["thud"] * (1 + 0.5 * np.exp(-np.arange(size) / samples(0.015)))
    thud = np.sin(phase(sinking)) * decay(size, 0.12, 0.004)
    hertz = params["skin"] * _SHELL * rng.uniform(0.97, 1.03, _SHELL.size)
    shell = modes(size, hertz, params["ring"] * _SHELL**-0.5, rng.uniform(0.5, 1.0, _SHELL.size), rng)
    hollow = modes(size, params["cavity"] * CAVITY, 0.11 * CAVITY**-0.6, CAVITY**-1.0, rng)
    slap = band(size, rng, 300, 2500, 9.0) * decay(size, params["rubber"], 0.002)
    total = thud + 0.45 * _level(shell, 0.002) + params["hollow"] * _level(hollow, 0.002)
    return np.asarray(total + params["slap"] * hardness**0.5 * _level(slap), dtype=np.float64)


def _ball(params: Params, n: int, rng: Rng) -> FloatArray:
    """A ball dropped in a hall: its bounces follow each other ever sooner and softer."""
    bounces = round(params["bounces"])
    gaps = params["gap"] * params["restitution"] ** np.arange(bounces)
    total = np.zeros(samples(float(gaps.sum()) + 1.0))
    at, gain = 0.004, 1.0
    for gap in gaps:
        place(total, _bounce(params, gain, rng), samples(at), gain)
        at, gain = at + float(gap), gain * params["restitution"] ** 1.2
    hall = reverberated(total, rng, params["hall"], params["room"], 4500.0)
    return event(on_location(hall, rng, params["air"]), n, 0.0005, 0.3)


def _racket(params: Params, n: int, rng: Rng) -> FloatArray:
    """The ball stays on the strings for 5 ms: they pop, the frame hums shortly; then it hits the court."""
    size, attack = samples(0.25), params["contact"] / 2
    strings = modes(size, params["strings"] * _STRINGS, 0.05 * _STRINGS**-0.8, _STRINGS**-0.9, rng)
    pop = shaped(size, rng, [(60, -20), (250, 0), (1800, 0), (7000, -22), (16_000, -44)])
    frame = modes(size, *body(rng, 150, 1500, 12, 0.07, 0.4, -2.0), rng)
    felt = np.sin(phase(np.full(size, params["felt"]))) * decay(size, 0.07, 0.003)
    hit = 0.8 * _level(pop * decay(size, 0.03, attack)) + _level(strings, attack) + 0.4 * felt
    hit += 0.25 * _level(frame, attack)
    court = band(size, rng, 150, 1200, 9.0) * decay(size, 0.05, 0.002)
    court = _level(court) + 0.5 * np.sin(phase(np.full(size, 1.3 * params["felt"]))) * decay(
        size, 0.06, 0.002
    )
    total = np.zeros(samples(params["flight"] + 0.7))
    place(total, hit, 0)
    place(total, court, samples(params["flight"]), params["court"])
    return event(
        on_location(reverberated(total, rng, 0.6, params["room"], 4000.0), rng, 0.001), n, 0.0005, 0.1
    )


MODELS = (
    SoundModel(
        "impact.ball",
        "ball_bounce",
        "event",
        "Bounces spaced by restitution, t(k+1) = e·t(k) (Farnell 2010); modes of shell and of the air in it"
        " (Russell 2010).",
        drawn(
            thud=(70, 115),
            skin=(180, 300),
            ring=(0.04, 0.08),
            cavity=(850, 1050),
            hollow=(0.08, 0.2),
            slap=(0.8, 1.6),
            rubber=(0.025, 0.06),
            gap=(0.55, 0.85),
            restitution=(0.72, 0.85),
            bounces=(4, 8),
            hall=(0.8, 1.8),
            room=(0.04, 0.16),
            air=(0.008, 0.014),
        ),
        _ball,
        (0.2, 0.8),
    ),
    SoundModel(
        "impact.racket",
        "racket_hit",
        "event",
        "5 ms of contact excites strings at 400–600 Hz and the frame (Brody 1995); the ball hits the court.",
        drawn(
            strings=(420, 600),
            contact=(0.004, 0.007),
            felt=(100, 140),
            flight=(0.5, 0.9),
            court=(0.5, 0.9),
            room=(0.1, 0.25),
        ),
        _racket,
        (0.4, 1.3),
    ),
)
