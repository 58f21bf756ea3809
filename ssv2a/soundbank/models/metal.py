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


def plate(lowest: float, aspect: float) -> Signal:
    """Bending modes in Hz of a plate, as many in every kilohertz (Fletcher & Rossing 1998, ch. 3)."""
    m, n = np.meshgrid(np.arange(1, 10), np.arange(1, 10))
    hertz = np.sort((lowest * (m**2 + (aspect * n) ** 2) / (1 + aspect**2)).ravel())
    return np.asarray(hertz[hertz < 14_000], dtype=np.float64)


def pipe(bending: float, ring: float) -> Signal:
    """Modes in Hz of a free pipe: it bends as a bar; its wall ripples with n waves round, and along it."""
    n = np.arange(2.0, 9.0)
    round_it = ring * n * (n * n - 1) / np.sqrt(n * n + 1) / 2.683
    along = np.hypot(round_it[:, None], 0.7 * ring * np.arange(4.0)).ravel()
    hertz = np.sort(np.concatenate([bending * BAR, along]))
    return np.asarray(hertz[hertz < 14_000], dtype=np.float64)


def _piece(params: Params, rng: Rng) -> Piece:
    """A plate, or a pipe: some modes stand out and ring on, each in a pair that beats a little."""
    if params["shape"] < 0.5:
        hertz = plate(params["lowest"], params["aspect"])
    else:
        hertz = pipe(0.6 * params["lowest"], 2.2 * params["lowest"])
    hertz = hertz * rng.uniform(0.975, 1.025, hertz.size)  # bolts, welds, dents
    gains = 10 ** rng.normal(0.0, 0.25, hertz.size)  # no two modes are woken alike
    gains *= np.minimum(1.0, (hertz / 2200) ** 1.3)  # what bends slowly hardly moves the air
    held = np.minimum(1.0, (hertz / 1500) ** 0.8)  # by what it lies on or hangs from
    seconds = params["ring"] * held * (hertz / 2000) ** -params["damping"]
    seconds *= 10 ** rng.normal(0.0, 0.12, hertz.size)
    apart = 1 + 0.001 * rng.uniform(0.2, 1.5, hertz.size)
    return Piece(
        np.concatenate([hertz, hertz * apart]), np.tile(seconds, 2), np.concatenate([gains, 0.3 * gains])
    )


def _struck(params: Params, piece: Piece, size: int, force: float, rng: Rng) -> Signal:
    """One blow [n]: a crash of all modes at once, that falls within a tenth of a second, then the ring."""
    struck = peaked(convolved(_rung(piece, size, rng), blow(params["contact"] / force**0.4, rng, 2)))
    crash = band(samples(0.35), rng, 900, 9000, 6.0)
    place(struck, peaked(crash * decay(crash.size, 0.3, 0.0006)), 0, params["crash"])
    place(struck, peaked(_clatter(rng, params["lowest"], 0.2)), 0, 0.6)
    thud = band(samples(0.12), rng, 90, 350, 9.0) * decay(samples(0.12), 0.1, 0.002)
    place(struck, peaked(thud), 0, params["thud"])
    return struck


def _metal(params: Params, n: int, rng: Rng) -> FloatArray:
    """A blow on a sheet, a pipe or a plate of steel: a crash, a clang; what struck it may bounce."""
    piece = _piece(params, rng)
    size = samples(1.2 * params["ring"])
    total = np.zeros(size + samples(0.6))
    at, force, gap = 0.0, 1.0, params["bounce"]
    for _ in range(round(params["blows"])):
        place(total, _struck(params, piece, size, force, rng), samples(at), force)
        at, force, gap = at + gap, force * rng.uniform(0.35, 0.6), gap * rng.uniform(0.6, 0.8)
    room = reverberated(total, rng, params["hall"], params["room"], 6000.0)
    return event(on_location(room, rng, 0.001), n, 0.0003, 0.3)


def _blade(params: Params, tuning: float, rng: Rng) -> Piece:
    """A sword: bending, twisting and other modes; what is below 1 kHz dies in the fist that holds it."""
    twist = params["twist"] * tuning * np.arange(1, 7)
    hertz = np.concatenate([params["bar"] * tuning * BAR, twist, rng.uniform(1800, 13_000, 26)])
    hertz = hertz * rng.uniform(0.985, 1.015, hertz.size)
    seconds = params["ring"] * (hertz / 3000) ** -0.3 * np.minimum(1.0, (hertz / 1200) ** 1.2)
    octaves = np.log2(hertz / 4500)
    return Piece(hertz, seconds, np.exp(-0.5 * (octaves / 1.3) ** 2) * rng.uniform(0.4, 1.0, hertz.size))


def _sword(params: Params, n: int, rng: Rng) -> FloatArray:
    """Blows of blade on blade: both ring at once; in some, they slide along each other before they part."""
    blades = [_blade(params, tuning, rng) for tuning in (1.0, params["other"])]
    blows, size = round(params["blows"]), samples(1.3)
    starts = 0.01 + np.concatenate([[0.0], np.cumsum(params["gap"] * rng.uniform(0.5, 1.5, blows - 1))])
    total = np.zeros(samples(float(starts[-1]) + 1.3))
    for at in starts:
        ring = peaked(_rung(blades[0], size, rng) + _rung(blades[1], size, rng))
        force = np.zeros(size)
        place(force, peaked(blow(0.0001, rng, 4)), 0)
        if rng.uniform() < 0.6:  # they meet again before they part
            place(
                force, peaked(blow(0.0001, rng, 4)), samples(rng.uniform(0.03, 0.09)), rng.uniform(0.3, 0.7)
            )
        if rng.uniform() < 0.7:
            slide = samples(rng.uniform(0.06, 0.25))
            rub = rng.standard_normal(slide) * np.abs(walk(slide, rng, 250.0, 0.2, 1.0))
            rub *= curve(slide, [(0, 0), (0.2, 1), (0.6, 0.6), (1, 0)])
            place(force, rub, samples(0.008), params["slide"])
        clash = peaked(convolved(ring, force))
        place(clash, peaked(_clatter(rng, 900, 0.12)), 0, 0.6)
        crash = band(samples(0.2), rng, 1800, 10_000, 6.0) * decay(samples(0.2), 0.16, 0.0004)
        place(clash, peaked(crash), 0, params["crash"])
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
        shut *= curve(shut.size, [(0, 0), (0.15, 0.2), (0.6, 0.6), (0.9, 1), (1, 0.4)])
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
        "Plate or pipe of steel: a crash of all modes, of which some ring on (van den Doel & Pai 1998).",
        drawn(
            shape=(0, 1),
            lowest=(260, 520),
            aspect=(1.1, 1.9),
            ring=(0.6, 1.4),
            damping=(0.2, 0.5),
            contact=(0.00008, 0.0002),
            crash=(0.5, 0.9),
            thud=(0.2, 0.5),
            blows=(0.6, 3.4),
            bounce=(0.1, 0.22),
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
            slide=(0.02, 0.08),
            crash=(0.15, 0.45),
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
            cut=(0.12, 0.2),
            blade=(2700, 3700),
            ring=(0.01, 0.018),
            grain=(600, 1300),
            rub=(0.17, 0.24),
            snap=(0.8, 1.4),
            part=(0.15, 0.35),
            room=(0.05, 0.2),
        ),
        _scissors,
        (0.15, 0.5),
    ),
)
