"""Work by hand and simple things: stone, earth, paper, bow and arrow, a wooden cart."""

from __future__ import annotations

import numpy as np

from ssv2a.soundbank.breakage import darkening, rung, sparse, stick_slip
from ssv2a.soundbank.dsp import (
    Rng,
    Signal,
    band,
    body,
    curve,
    decay,
    drawn,
    event,
    faded,
    filtered,
    highpass,
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


def _knock(params: Params, rng: Rng) -> Signal:
    """Stone meets stone: modes of a block so damped that only a clack is left, the crushed grains, a thud."""
    size = samples(0.22)
    block = modes(size, *body(rng, params["stone"], 5200, 16, rng.uniform(0.025, 0.04), 0.5, -2.5), rng)
    crush = shaped(size, rng, [(200, -12), (700, -2), (1500, 0), (4000, -4), (9000, -14), (18_000, -30)])
    crush *= decay(size, rng.uniform(0.025, 0.045), 0.0004)
    thud = darkening(size, rng, [(90, 0.8, 0.1), (180, 1.0, 0.07), (360, 1.0, 0.05)], 0.001)
    steel = modes(
        size, params["pick"] * np.array([1.0, 1.58]), np.array([0.09, 0.06]), np.array([0.5, 0.3]), rng
    )
    one = unit(block) + 2.5 * params["crush"] * crush + params["thud"] * thud + params["steel"] * unit(steel)
    return faded(one, 0.0002, 0.03)


def _stone(params: Params, n: int, rng: Rng) -> FloatArray:
    """A pick or a stone on rock, blow after blow: a short dull clack, a small rebound, grit that falls."""
    blows = round(params["blows"])
    total = np.zeros(samples(blows / params["rate"] + 0.8))
    chips = rung(rng, 1300, 5500, (0.004, 0.014), 4, 16)
    for blow in range(blows):
        at = samples(max(0.0, (blow + rng.normal(0, 0.06)) / params["rate"]))
        force = rng.uniform(0.6, 1.0)
        place(total, _knock(params, rng), at, force)
        if rng.uniform() < 0.5:
            place(
                total,
                _knock(params, rng),
                at + samples(rng.uniform(0.05, 0.11)),
                force * rng.uniform(0.1, 0.3),
            )
        fall = samples(0.6)
        grit = sparse(fall, rng, params["chips"] * curve(fall, [(0, 0.3), (0.3, 1), (1, 0)]), chips)
        dust = shaped(fall, rng, [(500, -18), (2000, 0), (6000, -4), (14_000, -16)])
        dust *= curve(fall, [(0, 0), (0.15, 1), (0.5, 0.3), (1, 0)]) * (
            0.3 + walk(fall, rng, 70.0, 0, 1) ** 2
        )
        place(total, 0.3 * grit + 0.06 * params["crush"] * dust, at + samples(0.04), force)
    pit = reverberated(total, rng, 0.6, params["pit"], 3500.0)
    return event(on_location(pit, rng, 0.004), n, 0.0005, 0.15)


def _soil(rng: Rng, speed: Signal, coarse: float) -> Signal:
    """Soil that is cut or slides [n], unit RMS: a dense Poisson cloud of rubbing grains, the more the faster.

    Grains click for some milliseconds; small stones among them ring a little longer and lower.
    """
    size, pace = speed.size, np.maximum(speed, 0.01)
    crumbs = rung(rng, 800, 4500, (0.002, 0.008), 5, 28)
    fine = unit(sparse(size, rng, 1000.0 * pace, crumbs, 3.0) * (0.2 + speed))
    pebbles = rung(rng, 500, 2600, (0.006, 0.018), 4, 16)
    stones = unit(sparse(size, rng, (15.0 + 80.0 * coarse) * pace, pebbles, 3.5) * (0.15 + speed))
    rub = shaped(size, rng, [(150, -14), (500, -3), (1100, 0), (2200, -2), (6000, -14), (14_000, -34)])
    rub *= speed * (0.6 + walk(size, rng, 30.0, 0, 1)) * (0.5 + walk(size, rng, 220.0, 0, 1))
    return unit(fine + (0.1 + 0.4 * coarse) * stones + 0.5 * unit(rub))


def _digging(params: Params, n: int, rng: Rng) -> FloatArray:
    """The steel blade grates into gritty soil, levers the load loose, the earth is thrown down with thuds."""
    strokes, coarse = round(params["strokes"]), params["coarse"]
    total = np.zeros(samples(strokes * params["period"] + 0.6))
    blade = params["blade"] * np.array([1.0, 1.42, 1.93, 2.6, 3.3, 4.3])
    chinks = [np.hanning(samples(touch)) for touch in (0.0003, 0.0005, 0.0009)]  # stones against the blade
    for stroke in range(strokes):
        at, cut = stroke * params["period"] * rng.uniform(0.97, 1.03), rng.uniform(0.4, 0.58)
        size = samples(cut)
        speed = curve(size, [(0, 0.0), (0.12, 0.6), (0.35, 1), (0.7, 0.7), (1, 0)]) * (
            0.6 + 0.4 * walk(size, rng, 12.0)
        )
        push = _soil(rng, speed, coarse)
        grinding = push + unit(sparse(size, rng, (12 + 40 * coarse) * np.maximum(speed, 0.01), chinks, 2.5))
        rubbed = resonated(grinding, [(float(hertz), 0.03 * float(hertz), 1.0) for hertz in blade])
        place(total, push + params["steel"] * unit(rubbed) * (0.2 + speed), samples(at))
        pry = samples(rng.uniform(0.2, 0.3))
        loose = _soil(rng, curve(pry, [(0, 0), (0.4, 0.8), (1, 0)]), 0.5 * coarse)
        place(total, loose, samples(at + cut), 0.35)
        thrown = at + cut + params["lift"] * params["period"]
        for clod in range(int(rng.integers(2, 5))):
            soft = [
                (50.0, 0.7, 0.16),
                (100.0, 1.0, 0.13),
                (200.0, 0.8, 0.1),
                (400.0, 0.4, 0.08),
                (800.0, 0.2, 0.05),
            ]
            thud = darkening(samples(0.25), rng, soft, 0.008)
            place(
                total,
                thud,
                samples(thrown + (clod > 0) * rng.uniform(0.02, 0.15)),
                params["thump"] * rng.uniform(0.4, 1.0),
            )
        heap = samples(rng.uniform(0.35, 0.6))
        patter = _soil(rng, curve(heap, [(0, 0.1), (0.15, 1), (0.45, 0.35), (1, 0)]), coarse)
        place(total, patter, samples(thrown), rng.uniform(0.4, 0.7))
    return event(on_location(total, rng, 0.004), n, 0.01, 0.15)


def _paper(params: Params, n: int, rng: Rng) -> FloatArray:
    """A sheet is handled or a page is turned: facets snap over in dense bursts, over a swish."""
    size, moves = samples(params["seconds"]), round(params["moves"])
    stroke = np.zeros(size)
    for move in range(moves):
        long = samples(params["seconds"] / moves * rng.uniform(0.7, 1.2))
        start = int(size * (move + rng.uniform(0, 0.25)) / moves)
        shape = np.sin(np.pi * np.linspace(0, 1, long) ** rng.uniform(0.6, 1.4))
        place(stroke, shape * rng.uniform(0.5, 1.0), min(start, max(0, size - long)))
    stroke = stroke.clip(0, 1) * (0.7 + 0.3 * walk(size, rng, 7.0)) + 0.08
    facets = []
    for seconds in np.geomspace(0.001, 0.01, 28):  # the larger a facet, the longer and lower it clicks
        grain, low = samples(1.2 * seconds), 3300.0 * (0.003 / seconds) ** 0.25 * rng.uniform(0.8, 1.25)
        hertz = low * 2.2 ** rng.uniform(-0.3, 1.2, 5)
        ring = modes(grain, hertz, seconds * rng.uniform(0.4, 1.0, 5), rng.uniform(0.3, 1.0, 5), rng)
        snap = band(grain, rng, low, 2.5 * low, 9.0) * decay(grain, seconds, 0.0001)
        facets.append(faded(0.5 * unit(ring) + unit(snap), 0.0001, 0.0005))
    snaps = unit(sparse(size, rng, params["snaps"] * stroke, facets, 2.5) * (0.5 + stroke))
    swish = shaped(size, rng, [(400, -22), (1500, -7), (4000, 0), (9000, -2), (18_000, -14)])
    swish *= stroke * (0.6 + walk(size, rng, 30.0, 0, 1)) * (0.5 + walk(size, rng, 220.0, 0, 1))
    flap = band(size, rng, 250, 1100, 9.0) * stroke**3 * walk(size, rng, 25.0, 0, 1) ** 2
    sheet = highpass(snaps + params["swish"] * swish, 700.0)
    return event(sheet + params["flap"] * flap, n, 0.005, 0.04)


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
        "A blow on modes damped within 10–40 ms (stone: van den Doel 2001), crushed grains, falling grit.",
        drawn(
            blows=(1.6, 5.4),
            rate=(0.9, 1.6),
            stone=(650, 1200),
            pick=(1800, 3200),
            steel=(0.0, 0.12),
            crush=(0.5, 1.2),
            thud=(0.6, 1.4),
            chips=(20, 90),
            pit=(0.05, 0.25),
        ),
        _stone,
        (0.3, 1.2),
    ),
    SoundModel(
        "hand.digging",
        "digging",
        "event",
        "Granular soil (PhISEM, Cook 1997): crumbs and stones rub, the blade rings under them; thuds.",
        drawn(
            strokes=(1.6, 4.4),
            period=(1.3, 2.0),
            coarse=(0.1, 0.7),
            blade=(700, 1500),
            steel=(0.6, 1.4),
            lift=(0.15, 0.35),
            thump=(0.7, 1.6),
        ),
        _digging,
        (0.4, 1.2),
    ),
    SoundModel(
        "hand.paper",
        "paper_rustle",
        "event",
        "Crumpling: facets snap over, energies by a power law (Houle & Sethna 1996), over swishing air.",
        drawn(seconds=(0.7, 2.4), moves=(0.6, 4.4), snaps=(600, 1500), swish=(0.4, 0.9), flap=(0.0, 0.3)),
        _paper,
        (0.2, 1.2),
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
