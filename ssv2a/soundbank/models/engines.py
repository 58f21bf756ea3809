"""Combustion engines: firing pulses through an exhaust, with combustion noise and rattle in their rhythm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ssv2a.soundbank.dsp import (
    Rng,
    Signal,
    band,
    convolved,
    crossings,
    decay,
    drawn,
    filtered,
    impulses,
    modes,
    phase,
    samples,
    shaped,
    texture,
    unit,
    voice,
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


def firing_rate(rpm: float, cylinders: int, strokes: int = 4) -> float:
    """Firings a second: every cylinder once in two turns of a four-stroke, in every turn of a two-stroke."""
    return rpm / 60 * cylinders / (strokes / 2)


def engine(kind: Engine, rpm: Signal, cylinders: int, rng: Rng, uneven: float = 0.2) -> Signal:
    """Engine sound [n] at `rpm` per sample.

    Each firing drives the exhaust's modes and a noise burst; cylinders differ by `uneven`, cycles a little.
    """
    n = rpm.size
    turns = np.cumsum(rpm) * (firing_rate(1.0, cylinders, kind.strokes) / SAMPLE_RATE) + rng.uniform()
    times = crossings(turns)
    pattern = 1 + uneven * rng.standard_normal(cylinders)
    gains = np.resize(pattern, times.size) * (1 + 0.12 * rng.standard_normal(times.size))
    period = SAMPLE_RATE / firing_rate(float(rpm.mean()), cylinders, kind.strokes)
    times = times + 0.012 * period * rng.standard_normal(times.size)
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
    pulse = convolved(train, decay(samples(length), length, 0.12 * length))
    burst = convolved(np.maximum(train, 0), decay(samples(0.03), 0.025, 0.001))
    clicks = impulses(n, times + 0.4 * period, gains * rng.uniform(0.3, 1.0, times.size))
    tick = decay(samples(0.01), 0.008, 0.0002) * band(samples(0.01), rng, 2500, 7000)
    parts = (
        (kind.tone, convolved(pulse, exhaust)),
        (kind.noise, burst * band(n, rng, *kind.noise_hz, 9.0)),
        (kind.rattle, convolved(clicks, tick)),
        (kind.hiss, shaped(n, rng, [(50, -6), (150, 0), (600, -5), (2000, -16), (8000, -40)])),
    )
    mixed = sum((share * unit(part) for share, part in parts), start=np.zeros(n))
    return filtered(
        mixed, [(25, -24), (60, 0), (1000, 0), (4000, kind.bright_db), (16_000, 3 * kind.bright_db - 12)]
    )


CAR = Engine(4, 85.0, 0.010, 0.09, 1.0, 0.35, 0.10, 0.9, (120, 1400), -6.0)
_DIESEL = Engine(4, 62.0, 0.012, 0.12, 1.0, 0.6, 0.28, 0.9, (150, 1800), -5.0)
_BUS = Engine(4, 55.0, 0.014, 0.14, 1.0, 0.35, 0.15, 1.0, (100, 1000), -8.0)
_MOTORCYCLE = Engine(4, 110.0, 0.006, 0.06, 1.0, 0.8, 0.10, 0.15, (300, 3500), -3.0)
_TRACTOR = Engine(4, 75.0, 0.015, 0.14, 1.0, 0.5, 0.2, 0.4, (150, 2200), -4.0)
_OUTBOARD = Engine(2, 130.0, 0.007, 0.05, 1.0, 0.7, 0.08, 0.25, (250, 3000), -4.0)


def _rpm(params: Params, n: int, rng: Rng, hunting: float = 0.015) -> Signal:
    """Speed curve: slow changes of load (`rev` of the speed) and the governor's hunting."""
    slow = 1 + params["rev"] * (walk(n, rng, 0.35) + 0.3 * walk(n, rng, 1.1))
    return np.asarray(params["rpm"] * np.maximum(0.3, slow) * (1 + hunting * walk(n, rng, 4.0)))


def _car(params: Params, n: int, rng: Rng) -> FloatArray:
    """Four-stroke petrol engine: rpm/60·cylinders/2 firings a second drive exhaust modes and noise."""
    return texture(engine(CAR, _rpm(params, n, rng), round(params["cylinders"]), rng, params["uneven"]))


def _truck(params: Params, n: int, rng: Rng) -> FloatArray:
    """Six-cylinder diesel: slow hard firings with injector clatter (knock) and a low exhaust."""
    return texture(engine(_DIESEL, _rpm(params, n, rng), 6, rng, params["uneven"]))


def _bus(params: Params, n: int, rng: Rng) -> FloatArray:
    """Muffled rear diesel: low firing tone, fan noise, a body that rattles with it."""
    return texture(engine(_BUS, _rpm(params, n, rng), 6, rng, params["uneven"]))


def _motorcycle(params: Params, n: int, rng: Rng) -> FloatArray:
    """Twin with little muffling: uneven pairs of bright firings that follow the throttle."""
    return texture(
        engine(_MOTORCYCLE, _rpm(params, n, rng), round(params["cylinders"]), rng, params["uneven"])
    )


def _tractor(params: Params, n: int, rng: Rng) -> FloatArray:
    """Slow two- to four-cylinder diesel: single firings are heard as chugging."""
    return texture(engine(_TRACTOR, _rpm(params, n, rng), round(params["cylinders"]), rng, params["uneven"]))


def _motor_boat(params: Params, n: int, rng: Rng) -> FloatArray:
    """Two-stroke outboard whose exhaust bubbles through water, in the wash of its own wake."""
    motor = engine(_OUTBOARD, _rpm(params, n, rng), 2, rng, params["uneven"])
    wash = band(n, rng, 300, 2500, 9.0) * (1 + 0.6 * walk(n, rng, 5.0)) * (1 + 0.3 * walk(n, rng, 0.6))
    return texture(unit(motor) * (1 + 0.35 * walk(n, rng, 9.0)) + params["wash"] * wash)


def _chainsaw(params: Params, n: int, rng: Rng) -> FloatArray:
    """Single-cylinder two-stroke at 8 000–12 500 rpm, falling under load: rasping harmonics, chain."""
    load = np.clip(1.5 * walk(n, rng, 0.5), -1, 0.4)
    rate = params["rpm"] / 60 * (1 + 0.2 * load) * (1 + 0.02 * walk(n, rng, 6.0))
    rough = 1 + 0.02 * (walk(n, rng, 60.0) + walk(n, rng, 200.0))
    rasp = voice(
        rate * rough,
        [(450.0, 200.0, 0.8), (1100.0, 300.0, 1.0), (2400.0, 500.0, 0.8), (4200.0, 900.0, 0.5)],
        0.0,
        8000.0,
    )
    chain = band(n, rng, 1500, 7000, 9.0) * (1 + 0.5 * np.sin(phase(rate)))
    return texture(np.asarray(unit(rasp) * (1 + 0.2 * walk(n, rng, 30.0)) + params["chain"] * chain))


MODELS = (
    SoundModel(
        "engine.car",
        "car_engine",
        "texture",
        drawn(rpm=(750, 2600), rev=(0.02, 0.25), cylinders=(3.5, 6.4), uneven=(0.05, 0.25)),
        _car,
    ),
    SoundModel(
        "engine.truck",
        "truck_engine",
        "texture",
        drawn(rpm=(700, 1600), rev=(0.02, 0.25), uneven=(0.1, 0.3)),
        _truck,
    ),
    SoundModel(
        "engine.bus",
        "bus_engine",
        "texture",
        drawn(rpm=(550, 1400), rev=(0.05, 0.3), uneven=(0.1, 0.3)),
        _bus,
    ),
    SoundModel(
        "engine.motorcycle",
        "motorcycle_engine",
        "texture",
        drawn(rpm=(1200, 4500), rev=(0.15, 0.45), cylinders=(1.5, 2.4), uneven=(0.1, 0.4)),
        _motorcycle,
    ),
    SoundModel(
        "engine.tractor",
        "tractor_engine",
        "texture",
        drawn(rpm=(900, 1600), rev=(0.02, 0.12), cylinders=(2.6, 4.4), uneven=(0.1, 0.3)),
        _tractor,
    ),
    SoundModel(
        "engine.motor_boat",
        "boat_motor",
        "texture",
        drawn(rpm=(1800, 4200), rev=(0.03, 0.2), wash=(0.2, 0.7), uneven=(0.05, 0.2)),
        _motor_boat,
    ),
    SoundModel(
        "engine.chainsaw", "chainsaw", "texture", drawn(rpm=(8000, 12_500), chain=(0.15, 0.4)), _chainsaw
    ),
)
