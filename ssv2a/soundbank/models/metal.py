"""Steel: struck sheets, pipes and blocks; blades that clash and slide; scissors."""

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
    impulses,
    modes,
    on_location,
    place,
    reverberated,
    samples,
    scattered,
    unit,
    walk,
)
from ssv2a.soundbank.model import Params, SoundModel
from ssv2a.soundbank.models.impacts import peaked
from ssv2a.types import FloatArray

BAR = np.array([1.0, 2.756, 5.404, 8.933, 13.34, 18.64, 24.82, 31.87])
"""Bending modes of a free bar, by the lowest (Fletcher & Rossing 1998, ch. 2)."""


class Piece(NamedTuple):
    """Modes of a thing of steel."""

    hertz: Signal
    seconds: Signal  # to fall by 60 dB
    gains: Signal


def _clatter(rng: Rng, low: float, seconds: float) -> Signal:
    """The first milliseconds of any blow on steel: so many modes at once that they are heard as noise."""
    return peaked(modes(samples(1.2 * seconds), *body(rng, low, 12_000, 90, seconds, 0.25, 0.0), rng))


def _rung(piece: Piece, size: int, rng: Rng) -> Signal:
    """A piece struck somewhere: its modes with other gains at every spot."""
    gains = piece.gains * rng.uniform(0.3, 1.3, piece.gains.size)
    return modes(size, piece.hertz, piece.seconds, gains, rng)


def _metal(params: Params, n: int, rng: Rng) -> FloatArray:
    """A blow on a sheet, a pipe or a plate: dense inharmonic modes, each in a pair that beats; a rebound."""
    hertz, seconds, gains = body(
        rng,
        params["lowest"],
        14_000,
        round(params["modes"]),
        params["ring"],
        params["damping"],
        params["tilt"],
    )
    gains = gains * 10 ** rng.normal(0.0, 0.25, gains.size)  # no two modes are woken alike
    gains = gains * np.minimum(1.0, hertz / 1800)  # what bends slowly hardly moves the air
    apart = 1 + 0.003 * rng.uniform(0.3, 1.5, hertz.size)
    piece = Piece(
        np.concatenate([hertz, hertz * apart]), np.tile(seconds, 2), np.concatenate([gains, 0.4 * gains])
    )
    size = samples(1.1 * params["ring"])
    total = np.zeros(size + samples(0.2))
    for at, level in ((0.0, 1.0), (rng.uniform(0.07, 0.16), params["rebound"])):
        ring = peaked(_rung(piece, size, rng))
        place(ring, _clatter(rng, params["lowest"], 0.12), 0, 0.5)
        struck = peaked(convolved(ring, blow(params["contact"], rng, 2)))
        touch = band(samples(0.04), rng, 300, 12_000, 6.0) * decay(samples(0.04), 0.025, 0.0005)
        place(struck, peaked(touch), 0, 0.6)
        thud = band(samples(0.08), rng, 120, 500, 9.0) * decay(samples(0.08), 0.06, 0.002)
        place(struck, peaked(thud), 0, params["thud"])
        place(total, struck, samples(at), level)
    room = reverberated(total, rng, params["hall"], params["room"], 6000.0)
    return event(on_location(room, rng, 0.001), n, 0.0003, 0.3)


def _blade(params: Params, tuning: float, rng: Rng) -> Piece:
    """A sword: bending, twisting and other modes; what is below 1 kHz dies in the fist that holds it."""
    twist = params["twist"] * tuning * np.arange(1, 7)
    hertz = np.concatenate([params["bar"] * tuning * BAR, twist, rng.uniform(1500, 10_000, 12)])
    hertz = hertz * rng.uniform(0.985, 1.015, hertz.size)
    seconds = params["ring"] * (hertz / 3000) ** -0.3 * np.minimum(1.0, (hertz / 1200) ** 1.2)
    octaves = np.log2(hertz / 3500)
    return Piece(hertz, seconds, np.exp(-0.5 * (octaves / 1.3) ** 2) * rng.uniform(0.4, 1.0, hertz.size))


def _sword(params: Params, n: int, rng: Rng) -> FloatArray:
    """Blows of blade on blade: both ring at once; in some, they slide along each other before they part."""
    blades = [_blade(params, tuning, rng) for tuning in (1.0, params["other"])]
    blows, size = round(params["blows"]), samples(1.3)
    starts = 0.01 + np.cumsum(params["gap"] * rng.uniform(0.6, 1.4, blows)) - 0.6 * params["gap"]
    total = np.zeros(samples(float(starts[-1]) + 1.3))
    for at in starts:
        ring = peaked(_rung(blades[0], size, rng) + _rung(blades[1], size, rng))
        place(ring, _clatter(rng, 700, 0.07), 0, 0.5)
        force = np.zeros(size)
        place(force, peaked(blow(0.00015, rng, 4)), 0)
        if rng.uniform() < 0.7:
            slide = samples(rng.uniform(0.06, 0.25))
            rub = rng.standard_normal(slide) * np.abs(walk(slide, rng, 250.0, 0.2, 1.0))
            rub *= curve(slide, [(0, 0), (0.2, 1), (0.6, 0.6), (1, 0)])
            place(force, rub, samples(0.008), params["slide"])
        clash = peaked(convolved(ring, force))
        touch = band(samples(0.03), rng, 1500, 11_000, 6.0) * decay(samples(0.03), 0.015, 0.0004)
        place(clash, peaked(touch), 0, 0.4)
        place(total, clash, samples(float(at)), rng.uniform(0.5, 1.0))
    room = reverberated(total, rng, 0.6, params["room"], 7000.0)
    return event(on_location(room, rng, 0.001), n, 0.0003, 0.3)


def shear(seconds: float, blade: Signal, grain: float, rng: Rng) -> Signal:
    """Edge along edge as the blades close [n], unit RMS: "shhhk", higher as the crossing nears the tips.

    Args:
        seconds: from the first touch of the edges to their tips.
        blade: the answer of the blades to one slip.
        grain: slips a second of the edges, and fibres that snap between them.
        rng: draws them.
    """
    size = samples(seconds)
    tips = curve(size, [(0, 0), (0.3, 0.15), (0.8, 1), (1, 1)])
    grip = 0.35 + walk(size, rng, 60.0, 0, 1) ** 2
    slips = scattered(size, rng, grain)
    force = impulses(size, slips, rng.pareto(3.0, slips.size)) * grip
    ring = unit(convolved(force, blade))
    low, high = band(size, rng, 2000, 5500, 12.0), band(size, rng, 4500, 12_000, 12.0)
    hiss = (low * (1 - 0.7 * tips) + high * tips) * np.abs(walk(size, rng, 700.0)) * grip
    return unit(ring + 0.35 * unit(hiss))


def _snk(params: Params, blade: Signal, rng: Rng) -> Signal:
    """The blades meet at the stop of their pivot: a light dry click of steel, a dull one of the rings."""
    click = 0.4 * _clatter(rng, 1800, 0.02)
    ring = np.zeros(samples(0.16))
    place(ring, peaked(blade), 0, 0.2)
    place(ring, click, 0)
    touch = band(samples(0.03), rng, 3000, 12_000, 6.0) * decay(samples(0.03), 0.02, 0.0003)
    place(ring, peaked(touch), 0, 0.8)
    rings = modes(samples(0.05), *body(rng, 800, 3500, 12, 0.02, 0.4, -1.0), rng)
    place(ring, peaked(rings), samples(0.002), 0.2)
    return params["snap"] * ring


def _scissors(params: Params, n: int, rng: Rng) -> FloatArray:
    """Cuts in a group: the blades shear shut in 0.13–0.26 s, meet with a click, and part more softly."""
    snips, period = round(params["snips"]), params["period"]
    total = np.zeros(samples(snips * period * 1.15 + 0.5))
    piece = Piece(*body(rng, params["blade"], 13_000, 90, params["ring"], 0.3, 0.0))
    at = 0.01
    for _ in range(snips):
        blade = _rung(piece, samples(0.15), rng)
        cut = min(params["cut"], 0.5 * period) * rng.uniform(0.85, 1.15)
        shut = shear(cut, blade, params["grain"], rng)
        shut *= curve(shut.size, [(0, 0), (0.15, 0.25), (0.75, 1), (0.92, 0.9), (1, 0.4)])
        loud = rng.uniform(0.75, 1.0)
        place(total, shut, samples(at), params["rub"] * loud)
        place(total, _snk(params, blade, rng), samples(at + cut), 0.8 * loud)
        part = shear(0.8 * cut, blade, params["grain"], rng)[::-1]
        part *= curve(part.size, [(0, 0.2), (0.2, 1), (0.6, 0.6), (1, 0)])
        opening = at + cut + max(0.1, 0.35 * (period - cut))
        place(total, part, samples(opening), params["rub"] * params["part"] * loud)
        at += period * rng.uniform(0.92, 1.08)
    room = reverberated(total[: samples(at + 0.2)], rng, 0.25, params["room"], 7000.0)
    return event(on_location(room, rng, 0.001), n, 0.002, 0.05)


MODELS = (
    SoundModel(
        "impact.metal",
        "metal_hit",
        "event",
        "Sheet, pipe or plate of steel: dense inharmonic modes in beating pairs (van den Doel & Pai 1998).",
        drawn(
            lowest=(200, 500),
            modes=(40, 80),
            ring=(1.0, 1.8),
            damping=(0.15, 0.35),
            tilt=(-1.0, 1.5),
            contact=(0.00006, 0.0002),
            thud=(0.1, 0.4),
            rebound=(0.0, 0.3),
            hall=(0.4, 0.9),
            room=(0.08, 0.2),
        ),
        _metal,
        (0.3, 1.5),
    ),
    SoundModel(
        "impact.sword",
        "sword_clash",
        "event",
        "Two blades' bending and twisting modes, held in a fist, woken by a blow, then by friction (Fletcher"
        " & Rossing 1998).",
        drawn(
            bar=(180, 340),
            twist=(800, 1500),
            other=(0.8, 1.25),
            ring=(0.6, 1.2),
            slide=(0.01, 0.04),
            blows=(0.6, 3.4),
            gap=(0.45, 0.9),
            room=(0.1, 0.25),
        ),
        _sword,
        (0.3, 1.2),
    ),
    SoundModel(
        "impact.scissors",
        "scissors",
        "event",
        "Edges slip along each other, higher as they near the tips, and wake two held blades; a click.",
        drawn(
            snips=(3.0, 7.4),
            period=(0.38, 0.62),
            cut=(0.15, 0.23),
            blade=(2700, 3700),
            ring=(0.015, 0.03),
            grain=(500, 1100),
            rub=(0.17, 0.24),
            snap=(0.5, 0.9),
            part=(0.15, 0.35),
            room=(0.05, 0.2),
        ),
        _scissors,
        (0.15, 0.5),
    ),
)
