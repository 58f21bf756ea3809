"""Work by hand and simple things: stone, earth, paper, bow and arrow, a wooden cart."""

from __future__ import annotations

import numpy as np

from ssv2a.soundbank.breakage import darkening, rung, sparse, stick_slip
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
    faded,
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
from ssv2a.soundbank.models.impacts import peaked
from ssv2a.types import SAMPLE_RATE, FloatArray


def _knock(params: Params, rng: Rng) -> Signal:
    """Steel or stone meets rock: it chatters on short modes of block and tool; grains are crushed.

    Picks on rock fall by 20 dB in 20–100 ms and are strongest in 1–8 kHz, so little mass is moved.
    """
    size, touches = samples(0.5), int(rng.integers(1, 5))
    at = np.concatenate([[0.0], params["chatter"] * np.sort(rng.uniform(0.15, 1.0, touches - 1))])
    gains = np.concatenate([[1.0], rng.uniform(0.25, 0.9, touches - 1)])
    force, let_go = np.zeros(size), np.zeros(size)
    for start, gain in zip(at, gains, strict=True):
        place(force, blow(rng.uniform(0.00012, 0.0003)), samples(start), gain)
        long = samples(rng.uniform(0.5, 1.0) * params["crumble"])
        place(let_go, decay(long, long / SAMPLE_RATE, 0.0006), samples(start), gain)
    block = modes(
        samples(0.15), *body(rng, params["stone"], 9500, 44, rng.uniform(0.06, 0.1), 0.5, -2.5), rng
    )
    pick = params["pick"] * np.array([1.0, 1.58, 2.41])
    steel = modes(size, pick, params["ring"] * np.array([1.0, 0.7, 0.5]), np.array([0.5, 0.4, 0.2]), rng)
    crush = shaped(size, rng, [(200, -16), (700, -6), (2000, 0), (4500, -1), (8000, -6), (16_000, -20)])
    crush *= let_go * (0.25 + walk(size, rng, 350.0, 0, 1) ** 2)
    thud = darkening(samples(0.2), rng, [(60, 0.8, 0.14), (120, 1.0, 0.1), (240, 1.0, 0.07)], 0.002)
    one = peaked(convolved(force, peaked(block))) + params["steel"] * peaked(convolved(force, steel))
    one += params["crush"] * peaked(crush)
    place(one, peaked(thud), 0, params["thud"])
    return faded(one, 0.0002, 0.05)


def _stone(params: Params, n: int, rng: Rng) -> FloatArray:
    """A pick or a stone on rock, blow after blow: a chattering clack, crushed grains, chips that fall."""
    blows = round(params["blows"])
    total = np.zeros(samples(blows / params["rate"] + 0.8))
    chips = rung(rng, 1500, 9000, (0.004, 0.016), 5, 16)
    for stroke in range(blows):
        at = samples(max(0.0, (stroke + rng.normal(0, 0.06)) / params["rate"]))
        force = rng.uniform(0.6, 1.0)
        place(total, _knock(params, rng), at, force)
        fall = samples(0.6)
        grit = sparse(fall, rng, params["chips"] * curve(fall, [(0, 0.3), (0.3, 1), (1, 0)]), chips)
        dust = shaped(fall, rng, [(500, -18), (2000, 0), (6000, -2), (14_000, -14)])
        dust *= curve(fall, [(0, 0), (0.15, 1), (0.5, 0.3), (1, 0)]) * (
            0.3 + walk(fall, rng, 70.0, 0, 1) ** 2
        )
        place(total, 0.04 * grit + 0.008 * params["crush"] * dust, at + samples(0.06), force)
    pit = reverberated(total, rng, 0.6, params["pit"], 5000.0)
    return event(on_location(pit, rng, 0.001), n, 0.0005, 0.15)


def _soil(rng: Rng, speed: Signal, coarse: float) -> Signal:
    """Soil that is cut or slides [n], unit RMS: a dense Poisson cloud of rubbing grains, the more the faster.

    Grains click for some milliseconds; small stones among them ring longer and lower; the ground shakes.
    """
    size, pace = speed.size, np.maximum(speed, 0.01)
    crumbs = rung(rng, 800, 4500, (0.002, 0.008), 5, 28)
    fine = unit(sparse(size, rng, 1400.0 * pace, crumbs, 5.0) * (0.2 + speed))
    pebbles = rung(rng, 500, 2600, (0.006, 0.018), 4, 16)
    stones = unit(sparse(size, rng, (30.0 + 120.0 * coarse) * pace, pebbles, 4.5) * (0.15 + speed))
    rub = shaped(size, rng, [(150, -14), (500, -3), (1100, 0), (2200, -2), (6000, -14), (14_000, -34)])
    rub *= speed * (0.6 + walk(size, rng, 30.0, 0, 1)) * (0.5 + walk(size, rng, 220.0, 0, 1))
    ground = shaped(size, rng, [(40, -3), (110, 0), (250, -4), (600, -16), (2000, -40)]) * speed**1.5
    return unit(fine + (0.1 + 0.4 * coarse) * stones + 0.6 * unit(rub) + 0.45 * unit(ground))


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
        grinding = push + unit(sparse(size, rng, (12 + 40 * coarse) * np.maximum(speed, 0.01), chinks, 4.5))
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
    return event(on_location(total, rng, 0.003), n, 0.01, 0.15)


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
    """Iron-shod wheels grind over the ground and shake timbers and boards; the dry axle creaks once a turn.

    Grit under the tyres is dense enough to be a roar; only stones are heard one by one.
    """
    lead = samples(0.5)
    size, turn = n + lead, params["turn"]
    speed = 1 + 0.15 * walk(size, rng, 0.4)
    turns = np.cumsum(turn * speed) / SAMPLE_RATE + rng.uniform()
    timbers = modes(samples(0.16), *body(rng, params["frame"], 1400, 30, 0.14, 0.5, -3.0), rng)
    boards = modes(samples(0.06), *body(rng, 400, 4500, 24, 0.05, 0.5, -2.0), rng)
    cart = peaked(timbers)
    place(cart, peaked(boards), 0, params["boards"])
    grit = shaped(size, rng, [(60, -3), (300, 0), (1000, 0), (3000, -3), (9000, -16)])
    once = np.sin(2 * np.pi * turns)
    joints = 1 + 0.35 * once + 0.25 * np.sin(2 * np.pi * round(params["joints"]) * turns)
    grit *= joints * speed * (0.35 + walk(size, rng, 45.0, 0, 1) ** 2)
    bumps = scattered(size, rng, params["stones"])
    felt = impulses(size, bumps, rng.gamma(1.5, 0.7, bumps.size).clip(0, 3))
    rolled = unit(convolved(unit(grit) + params["knock"] * unit(convolved(felt, blow(0.0008))), cart))
    shaken = np.minimum(convolved(felt, decay(samples(0.25), 0.3, 0.004)), 3.0)  # after a bump
    loose = sparse(size, rng, params["rattle"] * (0.3 + shaken), rung(rng, 600, 3800, (0.008, 0.03), 5, 16))
    uneven = walk(size, rng, 7.0, 0, 1)
    squeak = params["squeak"] * (1 + 0.2 * once + 0.1 * uneven)
    axle = [(float(hertz), 0.05 * float(hertz), 1.0) for hertz in params["hub"] * np.array([1.0, 2.1, 3.7])]
    creak = stick_slip(size, rng, squeak, axle) * np.maximum(0, once) ** 2 * (0.5 + uneven)
    mixed = rolled + 0.08 * unit(grit) + params["loose"] * unit(loose) + params["axle"] * creak
    return texture(mixed[lead:])


MODELS = (
    SoundModel(
        "hand.stone",
        "stone_hit",
        "event",
        "Touches of 0.2 ms chatter on modes damped within 100 ms (stone: van den Doel 2001); crushed grains.",
        drawn(
            blows=(1.6, 5.4),
            rate=(0.9, 1.6),
            stone=(600, 1300),
            pick=(1700, 3400),
            ring=(0.1, 0.5),
            steel=(0.0, 0.2),
            chatter=(0.02, 0.12),
            crush=(0.5, 1.2),
            crumble=(0.07, 0.16),
            thud=(0.25, 0.7),
            chips=(30, 120),
            pit=(0.05, 0.2),
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
            steel=(0.8, 1.6),
            lift=(0.15, 0.35),
            thump=(1.0, 2.0),
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
        "Grit under tyres and Poisson bumps shake damped timbers; the axle sticks and slips (Serafin 2004).",
        drawn(
            turn=(0.5, 1.0),
            stones=(9, 22),
            joints=(3.6, 8.4),
            frame=(90, 160),
            boards=(0.35, 0.8),
            knock=(0.3, 0.7),
            rattle=(15, 50),
            loose=(0.15, 0.4),
            squeak=(120, 260),
            hub=(480, 760),
            axle=(0.15, 0.6),
        ),
        _cart,
    ),
)
