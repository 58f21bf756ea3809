"""Combustion engines: firing pulses through an exhaust, with combustion noise and rattle in their rhythm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from ssv2a.soundbank.dsp import (
    Rng,
    Signal,
    band,
    body,
    convolved,
    crossings,
    decay,
    drawn,
    filtered,
    impulses,
    lowpass,
    modes,
    risen,
    samples,
    shaped,
    texture,
    unit,
    walk,
)
from ssv2a.soundbank.model import Params, SoundModel
from ssv2a.types import SAMPLE_RATE, FloatArray


@dataclass(frozen=True, slots=True)
class Engine:
    """What distinguishes one engine's sound from another's."""

    strokes: int  # 2 or 4
    pipe_hz: float  # lowest resonance of the exhaust
    pulse_seconds: float  # length of one pressure pulse (60 dB): the shorter, the brighter the tone
    ring_seconds: float  # how long it rings after a firing (60 dB)
    tone: float  # share of the exhaust's tone
    noise: float  # share of combustion noise in the firing rhythm
    rattle: float  # share of valve and injector clatter
    hiss: float  # share of steady intake and fan noise
    noise_hz: tuple[float, float]  # band of the combustion noise
    bright_db: float  # level of the top octaves
    knock: float = 0.0  # share of the struck block: pressure that rises in a step (diesel), valves, pistons
    block_hz: tuple[float, float] = (500.0, 4500.0)  # its modes
    unsteady: float = 0.06  # spread of a firing's strength from cycle to cycle
    jitter: float = 0.005  # spread of its instant, in periods
    open_db: float = 0.0  # how much more the treble grows with the throttle than the bass


def firing_rate(rpm: float, cylinders: int, strokes: int = 4) -> float:
    """Firings a second: every cylinder once in two turns of a four-stroke, in every turn of a two-stroke."""
    return rpm / 60 * cylinders / (strokes / 2)


def firings(turns: Signal, second: float) -> Signal:
    """Instants in samples at which `turns`, counted in firings, passes whole numbers.

    Every other one comes at `second` (0.5: evenly) of the cycle of two, as in a V-twin.
    """
    even = crossings(turns)
    if second == 0.5 or even.size < 2:
        return even
    late = np.resize([0.0, 2 * second - 1], even.size)
    return np.asarray(even + late * np.diff(even, append=2 * even[-1] - even[-2]))


def knocks(kind: Engine, n: int, times: Signal, gains: Signal, rng: Rng) -> Signal:
    """The block's answer [n] to each firing: broad modes that die in 10–20 ms, a little other each time."""
    total = np.zeros(n)
    which = rng.integers(2, size=times.size)
    strength = gains * rng.lognormal(0.0, 0.4, times.size)
    for index in range(2):
        size = samples(0.03)
        block = modes(size, *body(rng, *kind.block_hz, 36, 0.022, 0.3, -3.5), rng)
        block = risen(block, 0.0008)
        mine = which == index
        total += convolved(impulses(n, times[mine], strength[mine]), block)
    return total


def engine(
    kind: Engine, rpm: Signal, cylinders: int, rng: Rng, uneven: float = 0.2, second: float = 0.5
) -> Signal:
    """Engine sound [n] at `rpm` per sample.

    Each firing drives the exhaust's modes, a noise burst and the block; cylinders differ by `uneven`,
    cycles a little; `second`: see `firings`.
    """
    n = rpm.size
    turns = np.cumsum(rpm) * (firing_rate(1.0, cylinders, kind.strokes) / SAMPLE_RATE) + rng.uniform()
    times = firings(turns, second)
    pattern = 1 + uneven * rng.standard_normal(cylinders)
    gains = np.resize(pattern, times.size) * (1 + kind.unsteady * rng.standard_normal(times.size))
    period = SAMPLE_RATE / firing_rate(float(rpm.mean()), cylinders, kind.strokes)
    times = times + kind.jitter * period * rng.standard_normal(times.size)
    train = impulses(n, times, gains)
    order = np.arange(1.0, 13.0)
    hertz = kind.pipe_hz * order ** rng.uniform(0.95, 1.05) * rng.uniform(0.94, 1.06, order.size)
    exhaust = modes(
        samples(kind.ring_seconds),
        hertz,
        kind.ring_seconds / order**0.5,
        order ** -rng.uniform(0.3, 0.9),
        rng,
    )
    length = kind.pulse_seconds
    click_gains = gains * rng.uniform(0.3, 1.0, times.size)
    tick = decay(samples(0.01), 0.008, 0.0002) * band(samples(0.01), rng, 2500, 7000)
    pulse = convolved(train, decay(samples(length), length, 0.12 * length))
    mixed = kind.tone * unit(convolved(pulse, exhaust))  # part by part: each is as long as the whole
    del pulse
    burst = convolved(np.maximum(train, 0), decay(samples(0.03), 0.025, 0.001))
    del train
    burst *= band(n, rng, *kind.noise_hz, 9.0)
    mixed += kind.noise * unit(burst)
    del burst
    mixed += kind.rattle * unit(convolved(impulses(n, times + 0.4 * period, click_gains), tick))
    mixed += kind.hiss * unit(shaped(n, rng, [(50, -6), (150, 0), (600, -5), (2000, -16), (8000, -40)]))
    if kind.knock:
        mixed += kind.knock * unit(knocks(kind, n, times - 0.1 * period, gains, rng))
    return filtered(
        mixed,
        [
            (20, -18),
            (32, 2),
            (70, 2),
            (300, 0),
            (1500, -1),
            (5000, kind.bright_db),
            (16_000, 3 * kind.bright_db),
        ],
    )


CAR = Engine(4, 110.0, 0.008, 0.10, 1.0, 0.15, 0.03, 0.45, (80, 600), -8.5)
_DIESEL = Engine(
    4, 185.0, 0.015, 0.07, 1.0, 0.36, 0.1, 0.46, (200, 4500), -2.8, 0.1, (450, 5000), 0.08, 0.006, 2.0
)
_BUS = Engine(
    4, 175.0, 0.015, 0.06, 1.0, 0.36, 0.09, 0.5, (180, 4200), -3.0, 0.08, (400, 4000), 0.08, 0.006, 2.0
)
_MOTORCYCLE = Engine(
    4, 195.0, 0.010, 0.03, 1.0, 0.5, 0.06, 0.25, (350, 4300), -5.5, 0.12, (900, 6000), 0.12, 0.010, 3.0
)
_TRACTOR = Engine(
    4, 185.0, 0.013, 0.05, 1.0, 0.36, 0.18, 0.6, (400, 5500), -2.2, 0.1, (500, 5000), 0.08, 0.006, 1.5
)
_TWO_STROKE = Engine(
    2, 340.0, 0.0014, 0.014, 1.0, 0.45, 0.1, 0.06, (700, 5000), -1.0, 0.35, (600, 5000), 0.11, 0.006
)
_OUTBOARD = Engine(2, 130.0, 0.007, 0.05, 1.0, 0.7, 0.08, 0.25, (250, 3000), -4.0)


def _throttle(rest: float, pull: float, n: int, rng: Rng) -> Signal:
    """How far the throttle is open [n], 0..1: now and then it is opened, held a moment and let go.

    Args:
        rest: seconds for which it is let go, at most.
        pull: how many times longer the rest takes where a heavy vehicle sets off.
        n: samples.
        rng: draws it.
    """
    edges, values, at = [-99.0], [0.0], -rng.uniform(10.0, 20.0)  # it was driven before
    while at < n / SAMPLE_RATE:
        rise, hold, fall = pull * rng.uniform((0.3, 0.2, 0.5), (1.2, 1.4, 1.6))
        opened = rng.uniform(0.5, 1.0)
        edges += [at, at + rise, at + rise + hold, at + rise + hold + fall]
        values += [0.0, opened, opened * rng.uniform(0.8, 1.0), 0.0]
        at += rise + hold + fall + rng.uniform(0.4, 1.0) * rest
    return np.interp(np.arange(n) / SAMPLE_RATE, edges, values)


def lagging(x: Signal, seconds: float) -> Signal:
    """What follows `x` with a time constant, as a flywheel does; settled at the first sample."""
    pole = np.exp(-1 / (seconds * SAMPLE_RATE))
    return np.asarray(lfilter([1 - pole], [1, -pole], x, zi=[pole * x[0]])[0])


def _running(
    kind: Engine,
    params: Params,
    n: int,
    rng: Rng,
    cylinders: int,
    *,
    pull: float = 1.0,
    second: float = 0.5,
    gears: tuple[float, float] | None = None,
) -> FloatArray:
    """An engine whose speed follows the throttle (`rev` of its idle speed), louder and brighter under load.

    Args:
        kind: the engine.
        params: rpm, rev, load_db, rest, uneven.
        n: samples.
        rng: draws it.
        cylinders: firing in turn.
        pull: see `_throttle`.
        second: see `firings`.
        gears: teeth of the wheel whose mesh whines, and how loud; None: none is heard.
    """
    throttle = _throttle(params["rest"], pull, n, rng)
    speed = lagging(throttle, 0.25)
    idle = params["rpm"] * (1 + 0.015 * walk(n, rng, 4.0) + 0.02 * walk(n, rng, 0.35))
    rpm = idle * (1 + params["rev"] * speed)
    sound = engine(kind, rpm, cylinders, rng, params["uneven"], second)
    if gears:
        teeth, loud = gears
        mesh = 2 * np.pi * teeth / (60 * SAMPLE_RATE) * np.cumsum(rpm)
        whine = np.sin(mesh) + 0.5 * np.sin(2 * mesh) * (1 + 0.3 * walk(n, rng, 8.0))
        sound = unit(sound) + loud * whine * speed * (0.4 + 0.6 * throttle)
    if kind.open_db:
        low = lowpass(sound, 500.0)
        sound = low + (sound - low) * 10 ** (kind.open_db * (0.6 * throttle + 0.4 * speed - 0.3) / 20)
    load = 10 ** (params["load_db"] * (0.6 * throttle + 0.4 * speed) / 20)
    return texture(unit(sound) * load)


def _car(params: Params, n: int, rng: Rng) -> FloatArray:
    """Four-stroke petrol engine: rpm/60·cylinders/2 firings a second drive exhaust modes and noise."""
    return _running(CAR, params, n, rng, round(params["cylinders"]))


def _truck(params: Params, n: int, rng: Rng) -> FloatArray:
    """Six-cylinder diesel: slow hard firings that make the block knock, gears that whine with its speed."""
    gears = params["teeth"], params["whine"]
    return _running(_DIESEL, params, n, rng, 6, pull=params["pull"], gears=gears)


def _bus(params: Params, n: int, rng: Rng) -> FloatArray:
    """Muffled rear diesel: low firing tone, fan noise, gears that whine with its speed."""
    gears = params["teeth"], params["whine"]
    return _running(_BUS, params, n, rng, 6, pull=params["pull"], gears=gears)


def _motorcycle(params: Params, n: int, rng: Rng) -> FloatArray:
    """Twin with little muffling: uneven pairs of bright firings that follow the throttle."""
    return _running(_MOTORCYCLE, params, n, rng, 2, pull=params["pull"], second=params["second"])


def _tractor(params: Params, n: int, rng: Rng) -> FloatArray:
    """Slow two- to four-cylinder diesel: single firings are heard as chugging; a gear whines a little."""
    cylinders, gears = round(params["cylinders"]), (params["teeth"], params["whine"])
    return _running(_TRACTOR, params, n, rng, cylinders, pull=params["pull"], gears=gears)


def _motor_boat(params: Params, n: int, rng: Rng) -> FloatArray:
    """Two-stroke outboard whose exhaust bubbles through water, in the wash of its own wake."""
    rpm = params["rpm"] * (1 + params["rev"] * walk(n, rng, 0.35)) * (1 + 0.015 * walk(n, rng, 4.0))
    motor = engine(_OUTBOARD, rpm, 2, rng, params["uneven"])
    wash = band(n, rng, 300, 2500, 9.0) * (1 + 0.6 * walk(n, rng, 5.0)) * (1 + 0.3 * walk(n, rng, 0.6))
    return texture(unit(motor) * (1 + 0.35 * walk(n, rng, 9.0)) + params["wash"] * wash)


def _cuts(params: Params, n: int, rng: Rng) -> tuple[Signal, Signal]:
    """Throttle and load [n], 0..1, of a chainsaw at work: revved, pressed into the wood, eased, let idle."""
    edges, throttle, load, at = [-99.0], [0.0], [0.0], -rng.uniform(10.0, 20.0)
    while at < n / SAMPLE_RATE + 1:
        for _ in range(int(rng.integers(1, 4))):
            rev, cut = rng.uniform(0.2, 0.6), rng.uniform(0.8, 2.5)
            edges += [at, at + 0.12, at + rev, at + rev + 0.25, at + rev + cut, at + rev + cut + 0.2]
            throttle += [0.6, 1.0, 1.0, 1.0, 1.0, 1.0]
            load += [0.0, 0.0, 0.0, rng.uniform(0.7, 1.0), rng.uniform(0.6, 1.0), 0.0]
            at += rev + cut + 0.3
        edges += [at, at + 0.1, at + params["idle"]]
        throttle, load = [*throttle, 1.0, 0.0, 0.0], [*load, 0.0, 0.0, 0.0]
        at += params["idle"] + 0.05
    t = np.arange(n) / SAMPLE_RATE
    return np.interp(t, edges, throttle), np.interp(t, edges, load)


def _chainsaw(params: Params, n: int, rng: Rng) -> FloatArray:
    """Single-cylinder two-stroke: idles at 45–55 firings a second, races to 150–200, sags in the wood."""
    throttle, load = _cuts(params, n, rng)
    racing = lagging(throttle, 0.09)
    full = params["rpm"] * (1 - 0.2 * load) * (1 + 0.012 * walk(n, rng, 7.0))
    idle = params["idle_rpm"] * (1 + 0.04 * walk(n, rng, 9.0))
    rpm = idle + (full - idle) * racing
    motor = engine(_TWO_STROKE, rpm, 1, rng, 0.0)
    turn = np.cumsum(rpm) / (60 * SAMPLE_RATE)
    teeth = 0.6 + 0.4 * np.sin(2 * np.pi * 7 * turn)  # a sprocket of seven
    chain = band(n, rng, 1800, 6000, 9.0) * teeth * racing * (0.4 + load * (0.6 + 0.5 * walk(n, rng, 45.0)))
    rough = 1 + 0.25 * walk(n, rng, 25.0)
    return texture(unit(motor) * (0.35 + 0.65 * racing) * rough + params["chain"] * chain)


MODELS = (
    SoundModel(
        "engine.car",
        "car_engine",
        "texture",
        "Four-stroke firing order, rpm/60·cylinders/2 pulses a second, drives exhaust modes (Farnell "
        "2010, ch. 45).",
        drawn(
            rpm=(700, 1100),
            rev=(0.6, 2.6),
            load_db=(4, 9),
            rest=(1.0, 7.0),
            cylinders=(3.5, 6.4),
            uneven=(0.05, 0.25),
        ),
        _car,
    ),
    SoundModel(
        "engine.truck",
        "truck_engine",
        "texture",
        "Six-cylinder diesel: slow firings through exhaust modes, a block that knocks, gears that whine "
        "(Farnell 2010).",
        drawn(
            rpm=(550, 800),
            rev=(0.5, 1.7),
            load_db=(4, 9),
            rest=(1.0, 7.0),
            pull=(1.0, 2.5),
            teeth=(21, 43),
            whine=(0.03, 0.2),
            uneven=(0.1, 0.3),
        ),
        _truck,
    ),
    SoundModel(
        "engine.bus",
        "bus_engine",
        "texture",
        "Muffled diesel firings low-passed by the body, with fan noise, a block that knocks and gears "
        "that whine.",
        drawn(
            rpm=(520, 750),
            rev=(0.5, 1.8),
            load_db=(4, 9),
            rest=(1.0, 6.0),
            pull=(1.5, 3.0),
            teeth=(21, 43),
            whine=(0.1, 0.4),
            uneven=(0.1, 0.3),
        ),
        _bus,
    ),
    SoundModel(
        "engine.motorcycle",
        "motorcycle_engine",
        "texture",
        "V-twin: firings at 36–48 % of the cycle and in pairs, short open exhausts, a block that clatters.",
        drawn(
            rpm=(1150, 1700),
            rev=(0.8, 2.8),
            load_db=(3, 7),
            rest=(0.3, 3.0),
            pull=(1.0, 2.2),
            second=(0.36, 0.48),
            uneven=(0.1, 0.4),
        ),
        _motorcycle,
    ),
    SoundModel(
        "engine.tractor",
        "tractor_engine",
        "texture",
        "Slow diesel of two to four cylinders: every firing a separate exhaust pulse, heard as chugging.",
        drawn(
            rpm=(650, 1000),
            rev=(0.1, 0.8),
            load_db=(2, 6),
            rest=(2.0, 9.0),
            pull=(1.0, 2.5),
            teeth=(17, 31),
            whine=(0.02, 0.12),
            cylinders=(2.6, 4.4),
            uneven=(0.1, 0.3),
        ),
        _tractor,
    ),
    SoundModel(
        "engine.motor_boat",
        "boat_motor",
        "texture",
        "Two-stroke: one firing a turn, the exhaust broken up by water; the wake as shaped noise.",
        drawn(rpm=(1800, 4200), rev=(0.03, 0.2), wash=(0.2, 0.7), uneven=(0.05, 0.2)),
        _motor_boat,
    ),
    SoundModel(
        "engine.chainsaw",
        "chainsaw",
        "texture",
        "Two-stroke of one cylinder: 45–55 firings a second at idle, 150–200 racing, sagging under load; "
        "the chain.",
        drawn(rpm=(9000, 12_000), idle_rpm=(2700, 3300), idle=(0.3, 1.0), chain=(0.12, 0.35)),
        _chainsaw,
    ),
)
