"""Machines of many parts: a workshop, a washing machine, an inkjet printer.

Sources: A. Farnell, "Designing Sound" (2010), on motors, gears and cyclical impacts; P. Cook, "Real Sound
Synthesis" (2002), on clouds of impacts on damped bodies.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ssv2a.soundbank.dsp import (
    Rng,
    Signal,
    blow,
    body,
    cloud,
    convolved,
    crossings,
    decay,
    drawn,
    faded,
    filtered,
    impulses,
    modes,
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
from ssv2a.soundbank.models.water import bubbles
from ssv2a.types import SAMPLE_RATE, FloatArray

_WAVE = 8192  # values of one turn
_DOOR = ((20.0, 0.0), (900.0, 0.0), (2000.0, -3.0), (8000.0, -15.0))  # Hz, dB: heard through the door's mass
_CASE = (
    (30.0, -24.0),
    (90.0, -9.0),
    (200.0, 0.0),
    (16_000.0, 0.0),
)  # Hz, dB: too small to radiate the lowest


def turned(turns: Signal, gains: Sequence[float] | Signal, rng: Rng) -> Signal:
    """A sum of harmonics [n], unit RMS, of what turns: their gains from the first, their phases at random.

    One turn is tabulated and read at every sample's place in it.
    """
    spectrum = np.zeros(_WAVE // 2 + 1, dtype=np.complex128)
    spectrum[1 : len(gains) + 1] = np.asarray(gains) * np.exp(2j * np.pi * rng.uniform(size=len(gains)))
    wave = unit(np.fft.irfft(spectrum, _WAVE))
    return np.asarray(wave[(turns * _WAVE).astype(np.int64) % _WAVE], dtype=np.float64)


def turns_of(hertz: Signal, rng: Rng) -> Signal:
    """Turns [n] of what turns at a rate in Hz per sample, from a random place."""
    return np.asarray(np.cumsum(hertz) / SAMPLE_RATE + rng.uniform(), dtype=np.float64)


# --- workshop -----------------------------------------------------------------------------------


def _clank(rng: Rng, low: float, seconds: float) -> Signal:
    """Heavy metal parts meet: a dense cluster of damped modes without a pitch, and a dull blow."""
    size = samples(0.4)
    metal = modes(size, *body(rng, low, 6500, 40, seconds, 0.6, -2.0), rng)
    blow = shaped(size, rng, [(60, -3), (200, 0), (900, -4), (4000, -10), (12_000, -26)])
    return faded(unit(metal) + 2.5 * blow * decay(size, rng.uniform(0.06, 0.12), 0.002), 0.001, 0.05)


def _meshing(shaft: Signal, teeth: int, rng: Rng, case: Signal) -> Signal:
    """Teeth that meet, never quite alike [n], unit RMS: impulses `teeth` times in each turn, in a case."""
    times = crossings(shaft * teeth)
    uneven = rng.uniform(0.6, 1.0, teeth)[np.arange(times.size) % teeth]  # each tooth has its own error
    apart = np.diff(times, append=shaft.size)
    times = times + rng.normal(0, 0.12, times.size) * np.minimum(
        apart, 2 * np.median(apart) if apart.size else 0
    )
    train = impulses(shaft.size, times, uneven * rng.uniform(0.5, 1.2, times.size))
    return unit(convolved(train, case))


def _gears(params: Params, n: int, rng: Rng) -> Signal:
    """A gear train in a cast case: the mesh of one pair of wheels."""
    shaft = turns_of(params["shaft_hz"] * (1 + 0.015 * walk(n, rng, 0.7)), rng)
    case = modes(samples(0.06), *body(rng, 200, 6000, 32, 0.05, 0.4, -2.7), rng)
    return _meshing(shaft, round(params["teeth"]), rng, case)


def _compressor(params: Params, n: int, rng: Rng) -> Signal:
    """A piston compressor: a dull puff each stroke, the intake's noise gated by it."""
    stroke = turns_of(params["stroke_hz"] * (1 + 0.02 * walk(n, rng, 1.0)), rng) % 1.0
    noise = shaped(n, rng, [(30, -8), (70, 0), (180, 0), (500, -7), (1500, -12), (4000, -20), (12_000, -36)])
    puff = np.exp(-6.0 * stroke) * np.minimum(1.0, stroke / 0.08)
    return unit(noise * (0.25 + puff))


def _workshop(params: Params, n: int, rng: Rng) -> FloatArray:
    """Gears grind, a compressor thumps, a press clanks in its own loose rhythm, air hisses out; a hall."""
    total = params["gears"] * _gears(params, n, rng) + params["puff"] * _compressor(params, n, rng)
    motor = np.array([0.2, 1.0, 0.1, 0.6, 0.1, 0.5, 0.0, 0.3, 0.0, 0.2]) * rng.uniform(0.4, 1, 10)
    total += params["motor"] * turned(turns_of(49.0 * (1 + 0.01 * walk(n, rng, 0.8)), rng), motor, rng)
    for _ in range(round(params["parts"])):
        period = rng.uniform(0.9, 3.0)
        at = np.cumsum(period * rng.uniform(0.5, 1.5, int(n / SAMPLE_RATE / period * 1.4) + 3)) - 2 * period
        clanks = [_clank(rng, rng.uniform(180, 420), rng.uniform(0.1, 0.3)) for _ in range(3)]
        heard = cloud(n, rng, at * SAMPLE_RATE, rng.uniform(0.4, 1.0, at.size), clanks)
        total += params["clank"] * rng.uniform(0.5, 1.0) * heard
        back = at[rng.uniform(size=at.size) < 0.4] + rng.uniform(0.06, 0.4)  # a part springs back
        again = cloud(n, rng, back * SAMPLE_RATE, rng.uniform(0.2, 1, back.size), clanks)
        total += 0.5 * params["clank"] * again
    for at in scattered(n, rng, params["ratchet_hz"]):
        clicks = int(rng.integers(5, 16))
        pawl = unit(modes(samples(0.05), *body(rng, 700, 7000, 18, 0.03, 0.4, -1.0), rng))
        times = at + np.cumsum(rng.uniform(0.035, 0.07) * rng.uniform(0.85, 1.15, clicks)) * SAMPLE_RATE
        total += 0.7 * params["clank"] * cloud(n, rng, times, rng.uniform(0.5, 1, clicks), [pawl])
    for at in scattered(n, rng, params["hiss_hz"]):
        size = samples(rng.uniform(0.25, 0.8))
        air = shaped(size, rng, [(300, -24), (1500, -4), (4000, 0), (9000, -3), (18_000, -10)])
        place(total, faded(air * decay(size, 1.2, 0.01), 0.008, 0.1), int(at), 0.8)
    return texture(reverberated(total, rng, 0.9, 0.2, 4500.0))


# --- washing machine ----------------------------------------------------------------------------


def drum_speed(params: Params, n: int, rng: Rng) -> tuple[Signal, Signal]:
    """The drum's speed [n], 0..1, and when its motor is switched, in samples.

    It is run up within `soft` seconds, turns for some, coasts to rest, and turns again (the other way).
    """
    edges, speeds, switched, at = [-99.0], [0.0], [], -rng.uniform(0.3, 0.8) * params["run"]
    while at < n / SAMPLE_RATE + 1:
        off, up = at + params["run"], params["soft"]
        edges += [at, at + 0.45 * up, at + 0.8 * up, at + up, off, off + 0.3, off + 0.8]
        speeds += [0.0, 0.55, 1.04, 1.0, 1.0, 0.45, 0.0]
        switched += [at, off]
        at = off + 0.8 + params["rest"] * rng.uniform(0.8, 1.2)
    pace = np.interp(np.arange(n) / SAMPLE_RATE, edges, speeds)
    return pace, SAMPLE_RATE * np.array(switched, dtype=np.float64)


def _flop(rng: Rng, cabinet: Signal) -> Signal:
    """A heap of wet cloth comes down: soft blows that shake the sheet metal, and a splat of water."""
    total = np.zeros(samples(0.6))
    for at in np.cumsum(rng.uniform(0.02, 0.09, int(rng.integers(3, 6)))):
        force = rng.uniform(0.4, 1.0)
        place(
            total,
            convolved(np.pad(blow(rng.uniform(0.01, 0.025)), (0, cabinet.size)), cabinet),
            samples(at),
            force,
        )
        size = samples(rng.uniform(0.09, 0.2))
        splat = shaped(size, rng, [(150, -14), (350, -2), (900, 0), (2200, -8), (5000, -22), (12_000, -44)])
        place(total, splat * decay(size, 0.9 * size / SAMPLE_RATE, 0.02), samples(at), 0.3 * force)
    return total


def _motor(params: Params, pace: Signal, load: Signal, rng: Rng) -> Signal:
    """Universal motor on a belt [n]: a gritty whine glides with the drum, current buzzes at 100 Hz."""
    n, bars = pace.size, round(params["bars"])
    grit = walk(n, rng, 70.0)
    turns = turns_of(params["motor_hz"] * pace * (1 - 0.035 * load + 0.012 * grit), rng)
    gains = np.zeros(6 * bars)
    for order, gain in ((0.5, 0.4), (1.0, 1.0), (1.5, 0.25), (2.0, 0.7), (3.0, 0.4), (4.0, 0.3), (5.0, 0.15)):
        at = round(order * bars) - 1
        gains[at - 2 : at + 3] += gain * np.array([0.1, 0.35, 0.9, 0.35, 0.1]) * rng.uniform(0.5, 1.0, 5)
    whine = turned(turns, gains, rng) * pace**1.5 * (0.75 + 0.5 * load) * (1 + 0.3 * grit)
    iron = np.array([1.0, 0.5, 0.35, 0.35, 0.2, 0.2, 0.1, 0.1, 0.05, 0.05])  # pulled twice in a mains period
    buzz = turned(turns_of(np.full(n, 100.0), rng), iron * rng.uniform(0.6, 1.0, iron.size), rng)
    driven = np.clip(4 * pace, 0, 1) * (0.5 + 0.7 * load) + 0.08
    ball = shaped(n, rng, [(60, -14), (140, -2), (320, 0), (1000, -5), (2500, -14), (9000, -40)])
    rumble = ball * pace * (1 + 0.35 * np.sin(2 * np.pi * turns) + 0.3 * grit)
    total = (
        params["whine"] * whine
        + params["buzz"] * buzz * driven * (1 + 0.4 * grit)
        + params["rumble"] * rumble
    )
    return np.asarray(total, dtype=np.float64)


def _spin(params: Params, n: int, rng: Rng) -> Signal:
    """Spin drying [n]: the drum's imbalance throbs at 900–1 320 rpm, its motor whines, belt and air roar."""
    drum = turns_of(params["spin_hz"] * (1 + 0.004 * walk(n, rng, 0.3)), rng)
    order = np.arange(1, 7)
    case = 1 + 2 * np.exp(-(np.log2(order * params["spin_hz"] / 90.0) ** 2))  # the cabinet bends near 90 Hz
    throb = turned(drum, case * order**-1.6 * rng.uniform(0.4, 1.0, order.size), rng)
    shaft, bars = params["belt"] * drum, round(params["bars"])
    gains = np.zeros(2 * bars + 2)
    gains[:8] = np.array([0.4, 1.0, 0.15, 0.6, 0.1, 0.3, 0.05, 0.2]) * rng.uniform(0.5, 1.0, 8)
    gains[[bars - 2, bars - 1, bars, 2 * bars - 1]] = (0.05, 0.18, 0.05, 0.05)
    whine = turned(shaft, gains, rng) * (1 + 0.1 * walk(n, rng, 12.0))
    roar = shaped(
        n, rng, [(60, -14), (200, -3), (500, 0), (1500, -1), (3500, -6), (8000, -16), (16_000, -34)]
    )
    once = 1 + 0.3 * np.sin(2 * np.pi * drum + rng.uniform(0, 6))
    panels = modes(samples(0.05), *body(rng, 180, 4000, 30, 0.04, 0.4, -2.5), rng)
    beats = crossings(drum)
    beats = beats + rng.normal(0, 0.03, beats.size) * SAMPLE_RATE / params["spin_hz"]
    rattle = unit(convolved(impulses(n, beats, rng.uniform(0.3, 1.0, beats.size)), panels))
    sway = 1 + 0.15 * np.sin(2 * np.pi * np.arange(n) * params["sway_hz"] / SAMPLE_RATE + rng.uniform(0, 6))
    total = roar * once + 3.0 * params["whine"] * whine + params["throb"] * throb + params["panels"] * rattle
    return filtered(total * sway, _CASE)


def _washing(params: Params, n: int, rng: Rng) -> FloatArray:
    """Wet laundry is lifted and falls once a turn, water sloshes, a motor whines and rests; or it spins."""
    if params["spin"] > 0.7:
        return texture(reverberated(_spin(params, n, rng), rng, 0.4, 0.35, 4500.0))
    pace, switched = drum_speed(params, n, rng)
    turns = turns_of(params["drum_hz"] * pace, rng)
    ribs = crossings(3.0 * turns)  # the heap falls off one of the three ribs, single pieces off the others
    heap = np.where(np.arange(ribs.size) % 3 == 0, rng.uniform(0.8, 1.3, ribs.size), 0.0)
    weight = heap + (heap == 0) * rng.gamma(0.9, 0.35, ribs.size).clip(0, 1)
    falls = ribs + rng.normal(0, 0.05 * SAMPLE_RATE, ribs.size)
    cabinet = modes(samples(0.14), *body(rng, 70, 1500, 40, 0.12, 0.4, -4.0), rng)
    kinds = [_flop(rng, cabinet / np.abs(cabinet).max()) for _ in range(4)]
    flops = cloud(n, rng, falls, weight, kinds)
    splash = convolved(impulses(n, falls + 0.05 * SAMPLE_RATE, weight), decay(samples(0.9), 1.1, 0.08))
    lift = 0.5 + 0.5 * np.sin(2 * np.pi * turns)
    stirred = (0.12 + 0.5 * lift * pace + splash) * (0.35 + 0.9 * walk(n, rng, 11.0, 0, 1) ** 2)
    wet = shaped(n, rng, [(150, -16), (350, -4), (900, 0), (1800, -3), (4000, -9), (12_000, -28)])
    gurgle = bubbles(n, rng, params["bubbles"], 0.0012, 0.006, 0.08)
    slosh = (wet + 0.8 * gurgle) * stirred
    each = rng.poisson(params["buttons"] * weight)  # buttons and zips that knock on the drum at each fall
    knocks = np.repeat(falls, each) + rng.gamma(1.5, 0.06, int(each.sum())) * SAMPLE_RATE
    zips = [unit(modes(samples(0.08), *body(rng, 500, 5500, 10, 0.06, 0.4), rng)) for _ in range(5)]
    clicks = cloud(n, rng, knocks, rng.gamma(1.0, 0.2, knocks.size), zips)
    relay = modes(samples(0.06), *body(rng, 300, 5000, 16, 0.04, 0.5, -1.0), rng)
    clicks += cloud(n, rng, switched, rng.uniform(0.6, 1.0, switched.size), [unit(relay)])
    soft = 3 * np.tanh(unit(flops) / 3)  # the drum hangs in springs and dampers
    inside = params["flop"] * soft + params["slosh"] * slosh + 0.5 * clicks
    heard = filtered(inside, _DOOR)
    return texture(reverberated(heard + _motor(params, pace, lift, rng), rng, 0.4, 0.35, 4500.0))


# --- printer ------------------------------------------------------------------------------------


def _passes(params: Params, n: int, rng: Rng) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """(start, length) in seconds of every sweep of the carriage, and of every feed of the paper between."""
    sweeps, feeds, at = [], [], -rng.uniform(0, 1.5)
    while at < n / SAMPLE_RATE:
        for _ in range(int(rng.integers(4, 9))):
            length = params["sweep"] * rng.choice((1.0, 1.0, 0.75, 0.5)) * rng.uniform(0.95, 1.05)
            sweeps.append((at, length))
            feeds.append((at + length + 0.01, rng.uniform(0.08, 0.16)))
            at += length + rng.uniform(0.14, 0.34)
        feeds.append((at, rng.uniform(0.5, 1.1)))  # a page goes out, another comes in
        at += feeds[-1][1] + rng.uniform(0.1, 0.35)
    return sweeps, feeds


def _glide(seconds: float, rise: float, hertz: float, rng: Rng) -> Signal:
    """Speed [n] of a motor that is run up, held and braked within `rise` seconds."""
    size = samples(seconds)
    t = np.arange(size) / SAMPLE_RATE
    ramp = np.minimum(1.0, np.minimum(t, seconds - t) / rise)
    return np.asarray(hertz * np.sin(0.5 * np.pi * ramp.clip(0.02)) * (1 + 0.01 * walk(size, rng, 30.0)))


def _carriage(params: Params, seconds: float, rng: Rng) -> Signal:
    """One sweep: motor and belt whir at a pitch that follows the speed, the carriage hisses on its rod."""
    rate = _glide(seconds, 0.1, params["whir_hz"] * rng.uniform(0.98, 1.02), rng)
    pace = rate / params["whir_hz"]
    rub = shaped(rate.size, rng, [(250, -22), (800, -8), (2000, 0), (4500, 0), (9000, -6), (18_000, -18)])
    turns = turns_of(rate * (1 + 0.02 * walk(rate.size, rng, 300.0)), rng)
    teeth = 1 + 0.5 * np.sin(2 * np.pi * turns) + 0.5 * walk(rate.size, rng, 140.0)
    whine = turned(turns, np.arange(1, 9) ** -0.5 * rng.uniform(0.2, 1.0, 8), rng)
    sound = rub * teeth * pace**1.3 + params["whine"] * whine * pace**2 * (
        1 + 0.4 * walk(rate.size, rng, 90.0)
    )
    return faded(sound, 0.01, 0.015)


def _feed(params: Params, seconds: float, rng: Rng) -> Signal:
    """Geared rollers draw the paper: teeth rattle in light plastic, paper hisses through."""
    rate = _glide(seconds, 0.03, params["feed_hz"] * rng.uniform(0.9, 1.1), rng)
    times = crossings(turns_of(rate, rng))
    times = times + rng.normal(0, 0.18, times.size) * SAMPLE_RATE / params["feed_hz"]
    tooth = modes(samples(0.02), *body(rng, 900, 8000, 14, 0.01, 0.3, 0.0), rng)
    rattle = unit(convolved(impulses(rate.size, times, rng.uniform(0.2, 1, times.size)), tooth))
    paper = (
        shaped(rate.size, rng, [(500, -18), (2500, -2), (6000, 0), (12_000, -6)]) * rate / params["feed_hz"]
    )
    sound = rattle + 0.5 * paper * (0.5 + walk(rate.size, rng, 40.0, 0, 1))
    return faded(sound, 0.004, 0.01)


def _printer(params: Params, n: int, rng: Rng) -> FloatArray:
    """Inkjet: the carriage sweeps, stops with a clack, the paper steps on; now and then a page is changed."""
    total = np.zeros(n)
    sweeps, feeds = _passes(params, n, rng)
    stops: list[float] = []
    clacks = [unit(modes(samples(0.06), *body(rng, 350, 7000, 20, 0.04, 0.5, 0.0), rng)) for _ in range(4)]
    for at, seconds in sweeps:
        place(total, _carriage(params, seconds, rng), round(at * SAMPLE_RATE), rng.uniform(0.85, 1.0))
        stops += [at, at + seconds - 0.02]
    for at, seconds in feeds:
        place(total, _feed(params, seconds, rng), round(at * SAMPLE_RATE), params["feed"])
        stops += [at] if seconds < 0.3 else [at, *(at + rng.uniform(0.05, seconds, 4)), at + seconds]
    clacked = SAMPLE_RATE * np.array(stops, dtype=np.float64)
    total += params["clack"] * cloud(n, rng, clacked, rng.uniform(0.3, 1.0, clacked.size), clacks)
    fan = shaped(n, rng, [(60, -4), (150, 0), (400, -8), (1500, -18), (6000, -34)])
    case = resonated(total, [(420.0, 150.0, 0.4), (900.0, 300.0, 0.4)])
    return texture(reverberated(total + case, rng, 0.25, 0.15, 6000.0) + 0.05 * fan)


MODELS = (
    SoundModel(
        "machine.workshop",
        "machinery",
        "texture",
        "Uneven gear teeth ring a case; piston puffs; dense damped clanks in loose rhythms; air let off.",
        drawn(
            shaft_hz=(10, 20),
            teeth=(16, 30),
            gears=(0.5, 1.0),
            stroke_hz=(5, 10),
            motor=(0.1, 0.3),
            puff=(0.4, 0.8),
            parts=(1.6, 3.4),
            clank=(0.3, 0.6),
            ratchet_hz=(0.15, 0.4),
            hiss_hz=(0.2, 0.5),
        ),
        _workshop,
    ),
    SoundModel(
        "machine.washing",
        "washing_machine",
        "texture",
        "Drum of 42–54 rpm that reverses: laundry falls, water sloshes, a commutator whines; or it spins.",
        drawn(
            drum_hz=(0.7, 0.9),
            run=(8, 14),
            rest=(0.8, 1.6),
            soft=(0.8, 1.4),
            motor_hz=(8.5, 12),
            bars=(23.6, 36.4),
            whine=(0.1, 0.22),
            buzz=(0.25, 0.4),
            rumble=(0.1, 0.25),
            flop=(0.25, 0.45),
            slosh=(0.7, 1.1),
            bubbles=(150, 300),
            buttons=(0.3, 1.5),
            spin=(0, 1),
            spin_hz=(15, 22),
            belt=(10.5, 13.5),
            throb=(0.1, 0.35),
            panels=(0.1, 0.4),
            sway_hz=(0.5, 1.5),
        ),
        _washing,
    ),
    SoundModel(
        "machine.printer",
        "printer",
        "texture",
        "Motor and belt whir with the carriage's speed, stops clack, geared rollers step the paper on.",
        drawn(
            sweep=(0.55, 1.0),
            whir_hz=(480, 950),
            whine=(0.3, 0.6),
            feed_hz=(160, 320),
            feed=(0.5, 0.8),
            clack=(0.35, 0.8),
        ),
        _printer,
    ),
)
