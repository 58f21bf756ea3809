"""Aircraft: jet noise, propellers and rotors."""

from __future__ import annotations

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
    phase,
    samples,
    shaped,
    stereo,
    texture,
    unit,
    walk,
)
from ssv2a.soundbank.model import Params, SoundModel
from ssv2a.soundbank.models.engines import Engine, engine
from ssv2a.soundbank.models.mechanisms import turned, turns_of
from ssv2a.types import SAMPLE_RATE, FloatArray

_FLAT_FOUR = Engine(4, 80.0, 0.018, 0.09, 1.0, 0.55, 0.1, 0.35, (120, 1400), -6.0)


def _jet(params: Params, n: int, rng: Rng) -> FloatArray:
    """Turbulent mixing noise with a broad low peak, scattered by moving air, and faint fan tones."""
    peak = params["peak"]

    def roar(rng: Rng) -> Signal:
        low = shaped(
            n, rng, [(20, -14), (60, -4), (peak, 0), (4 * peak, -9), (16 * peak, -24), (18_000, -60)]
        )
        high = shaped(n, rng, [(300, -24), (1200, 0), (3000, -3), (7000, -16), (16_000, -44)])
        flutter = 1 + 0.1 * walk(n, rng, 3.0)
        return np.asarray((low + params["hiss"] * high * (1 + 0.4 * walk(n, rng, 1.3))) * flutter)

    fan = phase(params["fan"] * (1 + 0.01 * walk(n, rng, 0.4)))
    whine = np.zeros(n)
    for order in (0.5, 0.75, 1.0, 1.5, 2.0, 3.0):  # buzz-saw tones: shaft orders around blade passing
        level = rng.uniform(0.2, 1.0) / max(1.0, order) * (1 + 0.5 * walk(n, rng, 4.0))
        whine += level * np.sin(order * fan + rng.uniform(0, 6.28))
    nearing = 10 ** (params["swell"] * walk(n, rng, 0.2) / 20)  # it comes and goes over seconds
    return texture((stereo(roar, rng, 0.6) + params["whine"] * whine) * nearing)


def _blades(params: Params, rpm: Signal, rng: Rng) -> Signal:
    """One propeller [n], unit RMS: harmonics of blades passing, which moving air lets come and go."""
    n, blades = rpm.size, round(params["blades"])
    shaft = turns_of(rpm / 60, rng)
    total = np.zeros(n)
    for low, high, rate in ((1, 2, 0.7), (3, 8, 1.5), (9, 28, 3.0)):
        gains = np.zeros(high * blades + blades // 2)
        orders = np.arange(low, high + 1)
        gains[orders * blades - 1] = orders ** -params["tilt"] * rng.uniform(0.5, 1.2, orders.size)
        uneven = gains == 0  # no blade is quite like the other: weak harmonics of the shaft between
        uneven[: (low - 1) * blades] = False
        gains[uneven] = 0.06 * low ** -params["tilt"] * rng.uniform(0, 1, np.count_nonzero(uneven))
        level = 0.7 * np.sqrt(np.square(gains).sum()) * (1 + 0.45 * walk(n, rng, rate))
        total += level * turned(shaft, gains, rng)
    return unit(total)


def _over_ground(x: Signal, rng: Rng, metres: float) -> Signal:
    """The ground's echo comes by a way some `metres` longer, which changes slowly: a moving comb."""
    late = metres / 343.0 * (1 + 0.6 * walk(x.size, rng, 0.25)) * SAMPLE_RATE
    at = np.arange(x.size) - late
    return np.asarray(x + 0.6 * np.interp(at, np.arange(x.size), x), dtype=np.float64)


def _propeller(params: Params, n: int, rng: Rng) -> FloatArray:
    """A light aeroplane overhead: blades drone, the flat four's exhaust hums, ground and air colour it."""
    lead = samples(0.05)
    rpm = params["rpm"] * (1 + 0.006 * walk(n + lead, rng, 0.4) + 0.003 * walk(n + lead, rng, 8.0))
    tone = _blades(params, rpm, rng)
    if params["engines"] > 1.5:  # two never turn quite alike: the drone beats
        tone = tone + _blades(params, rpm * (1 + params["apart"]), rng)
    motor = engine(_FLAT_FOUR, rpm, 4, rng, 0.1)
    wash = shaped(n + lead, rng, [(50, -6), (150, 0), (600, -3), (1500, -9), (4000, -24), (10_000, -44)])
    heard = params["motor"] * unit(motor) + unit(tone) + params["wash"] * wash
    return texture(_over_ground(heard, rng, params["ground"])[lead:])


def _helicopter(params: Params, n: int, rng: Rng) -> FloatArray:
    """Main rotor's blade slap at 10–22 Hz as low thumps that gate noise, with tail rotor and turbine."""
    rate = params["slap_hz"] * (1 + 0.01 * walk(n, rng, 0.5))
    turns = np.cumsum(rate) / SAMPLE_RATE + rng.uniform()
    times = crossings(turns)
    gains = np.resize(1 + 0.1 * rng.standard_normal(4), times.size) * (
        1 + 0.06 * rng.standard_normal(times.size)
    )
    train = impulses(n, times, gains)
    period = 1 / params["slap_hz"]
    size = samples(period)
    t = np.arange(size) / SAMPLE_RATE
    thump = np.sin(2 * np.pi * 55 * t + 2.0 * np.exp(-t / 0.01)) * decay(size, 0.8 * period, 0.012)
    gate = convolved(train, decay(size, 0.7 * period, 0.012))
    gate = gate / (gate.max() + 1e-12)
    air = shaped(n, rng, [(50, -6), (120, 0), (400, -4), (1200, -8), (3000, -18), (10_000, -40)])
    slap = convolved(train, thump)
    tail = sum(np.sin(k * phase(params["tail_hz"] * rate / params["slap_hz"])) / k for k in range(1, 9))
    whine = np.sin(phase(params["turbine"] * (1 + 0.004 * walk(n, rng, 0.6))))
    mixed = 0.7 * unit(slap) + (0.9 + gate) * air * params["air"]
    mixed = mixed + 0.12 * np.asarray(tail) + 0.02 * whine
    hiss = 0.06 * band(n, rng, 1500, 6000, 12.0) * (0.4 + gate)
    return texture(
        filtered(mixed + hiss, [(20, -12), (45, 0), (5000, 0), (15_000, -12)]) * (1 + 0.1 * walk(n, rng, 0.7))
    )


MODELS = (
    SoundModel(
        "aircraft.jet",
        "airplane_jet",
        "texture",
        "Turbulent mixing noise of a jet, a broad low hump (Lighthill 1952), scattered by moving air; "
        "fan tones.",
        drawn(peak=(110, 300), hiss=(0.1, 0.3), fan=(1900, 4400), whine=(0.35, 0.7), swell=(1, 3)),
        _jet,
    ),
    SoundModel(
        "aircraft.propeller",
        "airplane_propeller",
        "texture",
        "Blade passing harmonics, blades × shaft turns (Gutin 1936), flat four, a comb by the ground's echo.",
        drawn(
            rpm=(1900, 2700),
            blades=(1.6, 3.4),
            engines=(0.5, 2.5),
            apart=(0.003, 0.012),
            tilt=(0.5, 1.0),
            motor=(0.5, 0.9),
            wash=(0.5, 0.9),
            ground=(0.4, 2.0),
        ),
        _propeller,
    ),
    SoundModel(
        "aircraft.helicopter",
        "helicopter",
        "texture",
        "Main rotor: blade–vortex slap 10–22 times a second; tail rotor tones and turbine noise.",
        drawn(slap_hz=(10, 20), tail_hz=(50, 90), turbine=(2500, 5000), air=(0.5, 1.0)),
        _helicopter,
    ),
)
