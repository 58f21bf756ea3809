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
    faded,
    lowpass,
    modes,
    on_location,
    phase,
    place,
    reverberated,
    samples,
    shaped,
    walk,
)
from ssv2a.soundbank.model import Params, SoundModel
from ssv2a.soundbank.models.impacts import peaked
from ssv2a.types import FloatArray

CAVITY = np.array([1.0, 1.605, 2.16, 2.17, 2.86])
"""Modes of the air in a ball: where j'(x) of the spherical Bessel functions is 0, over the first, 2.08."""
_SHELL = np.array([1.0, 1.5, 2.05, 2.6, 3.3, 4.1])
_FELT_BALL = np.array([440.0, 840.0, 1190.0])  # Hz: a tennis ball's shell while it is on the court
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


def _stroke(params: Params, hard: float, rng: Rng) -> Signal:
    """The ball is flattened on the strings for 5 ms and thrown off: a pock of strings, felt, a bent frame.

    Felt has no edge: little is left above 3 kHz. The string bed rings near 500 Hz, the frame near 130 Hz.
    """
    size, attack = samples(0.25), params["contact"] / 2
    strings = params["strings"] * rng.uniform(0.95, 1.05) * _STRINGS
    bed = modes(size, strings, params["ring"] * 1.3 * _STRINGS**-0.9, _STRINGS**-1.1, rng)
    felt = [(60, -20), (250, -2), (500, 0), (1200, -1), (2500, -9), (6000, -30), (16_000, -60)]
    pop = _level(shaped(size, rng, felt) * decay(size, 0.05, attack), attack)
    frame = modes(size, *body(rng, 300, 1500, 8, 0.06, 0.4, -2.0), rng)
    bend = np.sin(phase(np.full(size, params["bend"]))) * decay(size, 0.07, 0.003)
    hit = 0.8 * _level(bed, attack) + 0.8 * params["pop"] * hard * pop
    return np.asarray(hit + 0.3 * bend + 0.2 * _level(frame, attack))


def _court(params: Params, rng: Rng) -> Signal:
    """The ball hits the hard court: a hollow tock of its shell, a thud that sinks at once, a slap of felt."""
    size = samples(0.25)
    sinking = params["thud"] * (1 + 0.4 * np.exp(-np.arange(size) / samples(0.01)))
    thud = np.sin(phase(sinking)) * decay(size, 0.06, 0.002)
    shell = _FELT_BALL * rng.uniform(0.96, 1.04, 3)
    tock = modes(size, shell, np.array([0.05, 0.035, 0.025]), np.array([1.0, 0.5, 0.25]), rng)
    slap = band(size, rng, 200, 1200, 12.0) * decay(size, 0.06, 0.003)
    return np.asarray(0.6 * thud + 0.7 * _level(tock, 0.002) + 0.6 * _level(slap, 0.002))


def _shoe(rng: Rng) -> Signal:
    """A rubber sole sticks and slips on the court: a squeak of 60–160 ms that scoops up, or only a scuff."""
    size = samples(rng.uniform(0.06, 0.16))
    lift = np.sin(0.5 * np.pi * np.linspace(0, 1, size)) ** 0.5
    hertz = rng.uniform(900, 1500) * (0.75 + 0.3 * lift + 0.02 * walk(size, rng, 90.0))
    turns = phase(hertz)
    squeak = np.sin(turns) + 0.5 * np.sin(2 * turns + 1) + 0.25 * np.sin(3 * turns + 2)
    scuff = shaped(size, rng, [(200, -14), (700, 0), (1800, 0), (5000, -12), (14_000, -34)])
    dry = rng.uniform() < 0.5
    return faded(0.5 * scuff + dry * squeak * (0.6 + walk(size, rng, 60.0, 0, 1)), 0.015, 0.03)


def _swing(params: Params, rng: Rng) -> tuple[Signal, int]:
    """The racket's rush through the air, fastest at the ball, and the sample at which it meets the ball.

    Vortices leave frame (20 mm) and strings (1.3 mm) at 0.2·v/d: near 300 Hz and 4 kHz at 30 m/s (Strouhal).
    """
    size, hit = samples(0.42), samples(0.2)
    t = (np.arange(size) - hit) / samples(1.0)
    speed = np.exp(-((t / np.where(t < 0, 0.07, 0.11)) ** 2))
    low = shaped(size, rng, [(60, -20), (150, -5), (300, 0), (700, -7), (2000, -20), (8000, -44)])
    high = shaped(size, rng, [(800, -24), (2500, -4), (4500, 0), (9000, -14), (16_000, -34)])
    return params["swing"] * (low * speed**2 + 0.3 * high * speed**4) / 4, hit


def _racket(params: Params, n: int, rng: Rng) -> FloatArray:
    """A rally: a stroke, the bounce before the other player, the other's stroke farther off, and back."""
    strokes, side, at = round(params["strokes"]), params["side"], 0.002
    total = np.zeros((2, samples(1.2 * strokes * (params["flight"] + params["rise"]) + 0.6)))
    near = (1.0, rng.uniform(0.5, 0.7))
    for index in range(strokes):
        here, there = near[index % 2], near[1 - index % 2]
        left = 0.5 - side if index % 2 else 0.5 + side
        flight = params["flight"] * rng.uniform(0.95, 1.05)
        stroke, bounce = _stroke(params, rng.uniform(0.7, 1.0), rng), _court(params, rng)
        swing, hit = _swing(params, rng)
        steps = [
            (rng.uniform(0.15, 0.9), _shoe(rng)) for _ in range(round(params["shoes"]))
        ]  # the other runs
        for row, share, back in zip(total, (left, 1 - left), (1 - left, left), strict=True):
            place(row, stroke, samples(at), here * float(np.sqrt(2 * share)))
            place(row, swing, samples(at) - hit, here**2 * float(np.sqrt(2 * share)))
            place(row, bounce, samples(at + flight), params["court"] * there * float(np.sqrt(2 * back)))
            for after, shoe in steps:
                place(row, shoe, samples(at + after * flight), 0.08 * there * float(np.sqrt(2 * back)))
        at += flight + params["rise"] * rng.uniform(0.9, 1.1)
    rally = total[:, : samples(at - params["rise"] + 0.5)]
    for wall in (0.07, 0.16):  # the fence and the stand throw it back
        late = samples(wall * rng.uniform(0.8, 1.2))
        rally[:, late:] += params["slapback"] * lowpass(rally[::-1, :-late], 1800.0)
    open_air = [
        on_location(reverberated(row, rng, 0.6, params["room"], 3000.0), rng, params["air"]) for row in rally
    ]
    return event(np.stack(open_air), n, 0.0005, 0.3)


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
        "5 ms of contact excites strings at 400–600 Hz and the frame (Brody 1995); it lands, is returned.",
        drawn(
            strings=(430, 640),
            ring=(0.04, 0.06),
            contact=(0.004, 0.007),
            pop=(0.8, 1.4),
            bend=(100, 150),
            swing=(0.02, 0.07),
            thud=(150, 220),
            flight=(0.6, 0.85),
            rise=(0.37, 0.55),
            court=(0.6, 0.95),
            strokes=(1.6, 4.4),
            side=(0.05, 0.15),
            shoes=(0.6, 3.4),
            slapback=(0.12, 0.25),
            room=(0.02, 0.1),
            air=(0.001, 0.003),
        ),
        _racket,
        (0.4, 1.3),
    ),
)
