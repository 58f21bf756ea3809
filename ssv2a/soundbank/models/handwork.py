"""Work by hand and simple things: stone, earth, paper, bow and arrow, a wooden cart."""

from __future__ import annotations

import numpy as np

from ssv2a.soundbank.breakage import darkening, rung, sparse, stick_slip
from ssv2a.soundbank.dsp import (
    Rng,
    Signal,
    band,
    curve,
    decay,
    drawn,
    event,
    faded,
    filtered,
    impulses,
    modes,
    on_location,
    passed,
    place,
    resonated,
    reverberated,
    samples,
    scattered,
    shaped,
    texture,
    unit,
    walk,
)
from ssv2a.soundbank.model import Params, SoundModel
from ssv2a.types import SAMPLE_RATE, FloatArray


def _stone(params: Params, n: int, rng: Rng) -> FloatArray:
    """A pick on rock, blow after blow: a hard short contact, the stone's damped modes, chips."""
    blows, stone = round(params["blows"]), params["stone"]
    total = np.zeros(samples(blows / params["rate"] + 0.7))
    ratios = np.array([1.0, 1.37, 1.9, 2.6, 3.4, 4.7])
    pick = params["pick"] * np.array([1.0, 1.58, 2.83])
    for blow in range(blows):
        size, hertz = samples(0.25), stone * ratios * rng.uniform(0.93, 1.07, 6)
        rock = modes(size, hertz, rng.uniform(0.015, 0.06, 6), np.array([1, 0.9, 0.8, 0.6, 0.4, 0.3]), rng)
        steel = modes(size, pick, np.array([0.2, 0.12, 0.06]), np.array([0.5, 0.4, 0.3]), rng)
        crush = shaped(size, rng, [(300, -10), (1500, 0), (5000, -3), (14_000, -16)]) * decay(
            size, 0.05, 0.0003
        )
        thud = darkening(size, rng, [(60, 0.8, 0.12), (120, 1.0, 0.09), (240, 0.8, 0.06)], 0.001)
        one = unit(rock) + params["steel"] * unit(steel) + 2.5 * crush + 0.8 * thud
        fall = samples(0.55)
        chips = sparse(fall, rng, params["chips"] * curve(fall, [(0, 0.3), (0.3, 1), (1, 0)]),
                       rung(rng, 1800, 7500, (0.006, 0.02), 3, 12))  # fmt: skip
        at = samples(max(0.0, (blow + rng.normal(0, 0.04)) / params["rate"]))
        place(total, faded(one, 0.0003, 0.02), at, rng.uniform(0.6, 1.0))
        place(total, chips, at + samples(0.05), 0.5)
    pit = reverberated(total, rng, 0.7, params["pit"], 5000.0)
    return event(on_location(pit, rng, 0.004), n, 0.0005, 0.15)


def _earth(rng: Rng, seconds: float, coarse: float) -> Signal:
    """Soil that gives way [n], unit RMS: crumbs rub and tumble; stones click in coarse soil."""
    size = samples(seconds)
    rub = shaped(size, rng, [(150, -14), (600, -3), (1500, 0), (4000, -4), (12_000, -20)])
    rub *= 0.15 + walk(size, rng, 190.0, 0, 1) ** 3
    stones = sparse(size, rng, np.full(size, 30 + 300 * coarse), rung(rng, 900, 5000, (0.004, 0.012), 3, 20))
    return unit(unit(rub) + coarse * unit(stones))


def _digging(params: Params, n: int, rng: Rng) -> FloatArray:
    """The blade cuts in and grates, the load is lifted, and the earth is thrown and patters down."""
    strokes, coarse = round(params["strokes"]), params["coarse"]
    total = np.zeros(samples(strokes * params["period"] + 0.8))
    blade = params["blade"] * np.array([1.0, 1.7, 2.4, 3.6])
    for stroke in range(strokes):
        at, cut = stroke * params["period"] * rng.uniform(0.97, 1.03), rng.uniform(0.2, 0.38)
        push = _earth(rng, cut, coarse)
        push *= curve(push.size, [(0, 0.2), (0.15, 1), (0.6, 0.6), (1, 0)])
        rubbed = resonated(push, [(float(hertz), 0.1 * float(hertz), 0.5) for hertz in blade])
        thump = darkening(samples(0.3), rng, [(50, 0.8, 0.2), (100, 1, 0.15), (200, 0.7, 0.1)], 0.004)
        heap = _earth(rng, rng.uniform(0.35, 0.6), 0.7 * coarse)
        heap *= curve(heap.size, [(0, 0), (0.12, 1), (0.4, 0.4), (1, 0)])
        place(total, push + params["steel"] * unit(rubbed) * curve(push.size, [(0, 1), (1, 0)]), samples(at))
        place(total, thump, samples(at), 0.6)
        place(total, heap, samples(at + cut + params["lift"] * params["period"]), rng.uniform(0.4, 0.8))
    return event(on_location(total, rng, 0.006), n, 0.003, 0.15)


def _paper(params: Params, n: int, rng: Rng) -> FloatArray:
    """A page is turned or a sheet handled: a swish of air, and facets that snap over by a power law."""
    size, turns = samples(params["seconds"]), round(params["turns"])
    stroke = np.abs(np.sin(np.pi * np.linspace(0, turns, size))) ** 1.5 * (0.6 + 0.4 * walk(size, rng, 7.0))
    facets = rung(rng, 1100, 9000, (0.0015, 0.006), 4, 30)
    snaps = unit(sparse(size, rng, params["snaps"] * stroke.clip(0.02), facets, 1.5))
    swish = shaped(size, rng, [(300, -22), (1500, -4), (4000, 0), (9000, -4), (18_000, -18)])
    swish *= stroke**1.5 * (0.5 + walk(size, rng, 90.0, 0, 1))
    flap = band(size, rng, 180, 900, 9.0) * stroke**3 * walk(size, rng, 25.0, 0, 1) ** 2
    return event(snaps * (0.3 + stroke) + params["swish"] * swish + params["flap"] * flap, n, 0.01, 0.06)


def _bow(params: Params, n: int, rng: Rng) -> FloatArray:
    """The bow creaks as it bends, the string snaps forward and hums, the arrow hisses by and strikes."""
    pull, flight = params["pull"], params["flight"]
    loose, strike = samples(pull), samples(pull + flight)
    total = np.zeros(samples(pull + flight + 0.7))
    rate = curve(loose, [(0, 12), (0.8, 34), (1, 8)]) * (1 + 0.3 * walk(loose, rng, 6.0))
    wood = [(420.0, 60.0, 1.0), (980.0, 120.0, 0.7), (2100.0, 300.0, 0.4)]
    creak = stick_slip(loose, rng, rate, wood) * curve(loose, [(0, 0), (0.3, 1), (0.9, 0.7), (1, 0)])
    place(total, creak * (0.3 + walk(loose, rng, 5.0, 0, 1)), 0, 0.09)
    size, string = samples(0.35), params["string"] * np.arange(1, 14)
    hum = modes(size, string, 0.28 / np.arange(1, 14) ** 0.6, 1.0 / np.arange(1, 14) ** 0.7, rng)
    snap = shaped(size, rng, [(200, -6), (900, 0), (3000, -2), (10_000, -12)]) * decay(size, 0.05, 0.0006)
    place(total, 0.8 * unit(hum) + 1.2 * unit(snap), loose)
    leaving = samples(flight + 0.1)
    hiss = band(leaving, rng, 1200, 5000, 9.0) * (
        0.6 + 0.4 * np.sin(np.arange(leaving) * (190 / SAMPLE_RATE))
    )
    gone = passed(hiss, 1.5, 45.0, 0.4 * flight)[:leaving]
    place(total, faded(gone, 0.02, 0.03), loose + samples(0.01), 0.7)
    target = samples(0.6)
    shaft = modes(target, params["shaft"] * np.array([1.0, 6.27, 17.5]), np.array([0.45, 0.25, 0.12]),
                  np.array([0.9, 0.7, 0.4]), rng)  # fmt: skip
    thud = darkening(
        target, rng, [(90, 1, 0.12), (180, 1, 0.09), (360, 0.8, 0.06), (1500, 0.5, 0.02)], 0.0006
    )
    place(total, unit(thud) + 0.35 * unit(shaft), strike, params["strike"])
    return event(on_location(total, rng, 0.004), n, 0.02, 0.15)


def _cart(params: Params, n: int, rng: Rng) -> FloatArray:
    """Iron-shod wheels on uneven ground knock the timbers; the axle creaks once a turn; boards rattle."""
    lead = samples(0.5)
    size, turn = n + lead, params["turn"]
    speed = 1 + 0.15 * walk(size, rng, 0.4)
    turns = np.cumsum(turn * speed) / SAMPLE_RATE + rng.uniform()
    bumps = scattered(size, rng, params["stones"])
    hits = impulses(size, bumps, (rng.pareto(2.0, bumps.size) + 0.2).clip(0, 5))
    frame = [(float(hertz), 0.07 * float(hertz), 1.0) for hertz in params["frame"] * rng.uniform(1, 9, 9)]
    knocks = resonated(hits, frame)
    loose = sparse(size, rng, params["rattle"] * (0.3 + walk(size, rng, 4.0, 0, 1) ** 2 * 2),
                   rung(rng, 500, 2600, (0.008, 0.03), 4, 16))  # fmt: skip
    grind = shaped(size, rng, [(60, -4), (200, 0), (700, -5), (2500, -12), (9000, -30)])
    grind *= 0.6 + 0.5 * walk(size, rng, 60.0, 0, 1) ** 2
    gate = np.maximum(0, np.sin(2 * np.pi * turns)) ** 3
    squeak = params["squeak"] * (1 + 0.15 * np.sin(4 * np.pi * turns)) * (1 + 0.05 * walk(size, rng, 12.0))
    axle = [(float(hertz), 0.04 * float(hertz), 1.0) for hertz in (520, 1150, 1900)]
    creak = stick_slip(size, rng, squeak, axle) * gate
    mixed = unit(knocks) + 0.5 * unit(loose) + 0.45 * grind + params["axle"] * creak
    road = filtered(mixed, [(30, -12), (90, 0), (4000, 0), (16_000, -12)])
    return texture(road[lead:])


MODELS = (
    SoundModel(
        "hand.stone",
        "stone_hit",
        "event",
        "Modal synthesis: a short contact, stone modes damped in 15–60 ms, the pick's own ring, chips.",
        drawn(
            blows=(1.6, 5.4),
            rate=(0.9, 1.6),
            stone=(900, 2200),
            pick=(1500, 3200),
            steel=(0.05, 0.5),
            chips=(10, 60),
            pit=(0.05, 0.3),
        ),
        _stone,
        (0.3, 1.2),
    ),
    SoundModel(
        "hand.digging",
        "digging",
        "event",
        "Granular soil (PhISEM, Cook 1997): a cloud of rubbing crumbs and stones, gated by cut and throw.",
        drawn(
            strokes=(1.6, 4.4),
            period=(1.3, 2.0),
            coarse=(0.1, 0.7),
            blade=(700, 1500),
            steel=(0.1, 0.4),
            lift=(0.15, 0.35),
        ),
        _digging,
        (0.4, 1.2),
    ),
    SoundModel(
        "hand.paper",
        "paper_rustle",
        "event",
        "Crumpling: facets snap over, energies by a power law (Houle & Sethna 1996), over swishing air.",
        drawn(seconds=(0.5, 1.6), turns=(0.6, 3.4), snaps=(250, 700), swish=(0.3, 0.8), flap=(0.0, 0.6)),
        _paper,
        (0.4, 2.0),
    ),
    SoundModel(
        "hand.bow",
        "bow_arrow",
        "event",
        "Stick-slip creak, a plucked string, vortex noise passing by, a shaft's cantilever modes (1 : 6.27).",
        drawn(pull=(0.3, 1.2), string=(70, 120), flight=(0.25, 0.6), shaft=(28, 60), strike=(0.5, 1.2)),
        _bow,
        (0.8, 2.5),
    ),
    SoundModel(
        "hand.cart",
        "cart_wagon",
        "texture",
        "Poisson bumps ring the timbers' modes; the dry axle sticks and slips once a turn (Serafin 2004).",
        drawn(
            turn=(0.5, 1.0),
            stones=(9, 22),
            frame=(60, 110),
            rattle=(8, 30),
            squeak=(120, 260),
            axle=(0.1, 0.6),
        ),
        _cart,
    ),
)
