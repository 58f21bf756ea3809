"""Weather, fire and plants: shaped noise, Poisson grains and what gathers them into gusts."""

from __future__ import annotations

import numpy as np

from ssv2a.soundbank.dsp import (
    Rng,
    Signal,
    band,
    cloud,
    convolved,
    curve,
    decay,
    drawn,
    event,
    faded,
    filtered,
    impulses,
    lowpass,
    modes,
    on_location,
    phase,
    place,
    resonated,
    samples,
    scattered,
    shaped,
    stereo,
    texture,
    unit,
    walk,
)
from ssv2a.soundbank.model import Params, SoundModel
from ssv2a.types import SAMPLE_RATE, FloatArray

_SLOW = 16  # samples between two of a narrow noise


def _rain(params: Params, n: int, rng: Rng) -> FloatArray:
    """Countless drops merge into bright noise; near ones are heard singly, as clicks and small plinks."""

    def ear(rng: Rng) -> Signal:
        wash = shaped(
            n, rng, [(80, -26), (300, -14), (1200, -3), (params["bright"], 0), (9000, -7), (20_000, -24)]
        )
        drops = [
            decay(samples(0.008), rng.uniform(0.002, 0.007), 0.0002) * band(samples(0.008), rng, f, 2.5 * f)
            for f in rng.uniform(1200, 5000, 24)
        ]
        times = scattered(n, rng, params["drops"])
        near = cloud(n, rng, times, rng.pareto(2.2, times.size).clip(0, 8), drops)
        plinks = [
            modes(samples(0.03), np.array([f]), np.array([0.02]), np.array([1.0]), rng)
            for f in rng.uniform(1500, 6000, 12)
        ]
        splashes = scattered(n, rng, 0.15 * params["drops"])
        plink = cloud(n, rng, splashes, rng.pareto(2.5, splashes.size).clip(0, 5), plinks)
        single = unit(near) + 0.4 * unit(plink)
        return np.asarray(wash * (1 + 0.08 * walk(n, rng, 0.7)) + params["near"] * single)

    return texture(stereo(ear, rng, 0.9))


def _wind(params: Params, n: int, rng: Rng) -> FloatArray:
    """Turbulence in gusts; edges and wires whistle at a pitch that follows the wind's speed (Strouhal)."""
    gust = 0.55 + 0.45 * walk(n, rng, 0.25) + 0.15 * walk(n, rng, 0.9)
    gust = gust.clip(0.08)

    def ear(rng: Rng) -> Signal:
        speed = gust * (1 + 0.15 * walk(n, rng, 1.5))
        low = shaped(n, rng, [(25, -8), (70, 0), (200, -3), (500, -10), (1500, -26), (6000, -50)])
        total = low * speed + 0.5 * speed**2 * shaped(
            n, rng, [(150, -16), (500, 0), (900, -2), (2500, -16), (9000, -40)]
        )
        turns = phase(0.6 + 0.5 * lowpass(speed, 2.0))
        for centre in params["howl"] * np.array([1.0, 1.5, 2.3]):
            total += _howl(rng, float(centre), turns, speed, params["sharp"]) * params["howling"]
        return np.asarray(total, dtype=np.float64)

    return texture(stereo(ear, rng, 0.6))


def _howl(rng: Rng, hertz: float, turns: Signal, speed: Signal, sharp: float) -> Signal:
    """Narrow noise whose centre follows the speed: slow complex noise around a moving carrier."""
    n = speed.size
    position = np.arange(n) / _SLOW
    width = _SLOW * hertz / sharp  # of a noise that is computed at a 16th of the rate
    count = n // _SLOW + 2
    in_phase, quadrature = (
        np.interp(position, np.arange(count), lowpass(rng.standard_normal(count), width)) for _ in range(2)
    )
    phi = hertz * turns
    x = in_phase * np.cos(phi) - quadrature * np.sin(phi)
    return np.asarray(unit(x) * speed * np.sqrt(speed), dtype=np.float64)


def _thunder(params: Params, n: int, rng: Rng) -> FloatArray:
    """The channel's segments arrive one after another: claps first if near, then a rolling, darker rumble.

    Two storms of three bring rain with them.
    """
    size = samples(params["seconds"])
    total = np.zeros(size)
    for _ in range(int(rng.integers(18, 34))):
        at, length = 0.85 * rng.beta(1.0, 1.9), samples(rng.uniform(0.8, 2.6))
        dark = rng.uniform(180, 420) * (1 - 0.55 * at)
        clap = shaped(
            length, rng, [(25, -12), (60, -2), (dark, 0), (2 * dark, -7), (6 * dark, -24), (20_000, -70)]
        )
        clap = clap * decay(length, 1.1 * length / SAMPLE_RATE, rng.uniform(0.03, 0.2))
        place(total, clap, samples(at * params["seconds"]), rng.uniform(0.3, 1.0) * (1 - 0.5 * at))
    if params["near"] > 0.6:
        crack = shaped(samples(1.4), rng, [(40, -6), (150, 0), (700, -2), (2500, -9), (9000, -24)])
        crack = crack * decay(crack.size, 1.3, 0.004) * (1 + 0.9 * walk(crack.size, rng, 30.0))
        place(total, crack, 0, 1.2 * params["near"])
    roll = (
        total * (0.75 + 0.35 * walk(size, rng, 6.0)) * curve(size, [(0, 1), (0.6, 0.85), (0.85, 0.4), (1, 0)])
    )
    rain = shaped(size, rng, [(150, -12), (800, -2), (3000, 0), (8000, -9), (16_000, -24)])
    wet = max(0.0, params["rain"]) * float(np.abs(total).max())
    roll = on_location(roll, rng, 0.01) + wet * faded(rain, 0.3, 0.5)
    other = np.roll(roll, samples(0.011))
    return event(np.stack([roll + 0.4 * other, other + 0.4 * roll]), n, 0.003, 0.6)


def _fire(params: Params, n: int, rng: Rng) -> FloatArray:
    """Flames' low flutter, a faint hiss of gas, and crackles: bursting fibres by a power law of size."""

    def ear(rng: Rng) -> Signal:
        flutter = shaped(n, rng, [(30, -4), (90, 0), (250, -6), (900, -20), (5000, -44)])
        flutter *= 0.7 + 0.3 * walk(n, rng, 4.0) + 0.3 * walk(n, rng, 11.0)
        hiss = shaped(n, rng, [(500, -24), (2500, -4), (6000, 0), (12_000, -6)]) * (
            0.6 + 0.4 * walk(n, rng, 1.2)
        ).clip(0)
        pops = []
        for _ in range(40):
            f, size = rng.uniform(900, 6500), samples(rng.uniform(0.002, 0.02))
            pops.append(band(size, rng, f, 2 * f, 9.0) * decay(size, size / SAMPLE_RATE, 0.0002))
        rate = params["crackle"] * (0.5 + 1.0 * walk(n, rng, 0.8, 0, 1) ** 2)
        times = scattered(n, rng, 1.5 * params["crackle"])
        times = times[rng.uniform(0, 1.5 * params["crackle"], times.size) < rate[times.astype(np.int64)]]
        sizes = (rng.pareto(1.3, times.size) + 0.15).clip(0, 12)
        return np.asarray(
            params["roar"] * flutter + params["hiss"] * hiss + 1.3 * cloud(n, rng, times, sizes, pops)
        )

    return texture(stereo(ear, rng, 0.5))


def _leaves(params: Params, n: int, rng: Rng) -> FloatArray:
    """Thousands of soft touches of leaf on leaf a second, as branches sway in gusts: swishes, not a hiss."""
    gust = (0.5 + 0.4 * walk(n, rng, 0.3) + 0.2 * walk(n, rng, 1.1)).clip(0.08)
    crisp = [band(samples(0.01), rng, f, 2.5 * f, 6.0) * np.hanning(samples(0.01)) ** 2 for f in _CRISP]
    apart = samples(0.4)  # both ears hear one noise, at different moments
    ears = np.zeros((2, n))
    for low, high, level in ((900, 2500, 0.6), (2500, 6000, 1.0), (6000, 13_000, params["bright"])):
        sway = gust**1.3 * 10 ** (-params["sway_db"] / 20 * walk(n, rng, params["sway"], 0, 1))
        touches = 1 + params["grain"] * (_touches(n, rng, params["touches"]) - 1)
        rub = band(n + apart, rng, low, high, 12.0)
        ears += level * sway * touches * np.stack([rub[:n], rub[apart:]])
    ears /= ears.std() + 1e-12
    for ear in ears:
        times = scattered(n, rng, params["crisp"])
        force = gust[times.astype(np.int64)] ** 1.5 * rng.pareto(2.5, times.size).clip(0, 4)
        ear += cloud(n, rng, times, force, crisp)
    air = shaped(n, rng, [(60, -6), (150, 0), (400, -6), (2000, -22), (8000, -44)])
    return texture(ears + params["air"] * gust * air)


_CRISP = (1200.0, 2000.0, 3200.0, 4500.0)  # Hz, lower edges of single dry leaves' rustle


def _touches(n: int, rng: Rng, rate: float) -> Signal:
    """Level [n] around 1 of `rate` soft touches a second, each swelling and fading in 20 ms."""
    times = scattered(n, rng, rate)
    swell = np.hanning(samples(0.02))
    forces = impulses(n, times, rng.exponential(1.0, times.size))
    return convolved(forces, swell * (SAMPLE_RATE / rate / swell.sum()))


def _frying(params: Params, n: int, rng: Rng) -> FloatArray:
    """Water droplets burst in hot oil: dense bright sizzle with random pops."""
    sizzle = shaped(n, rng, [(300, -30), (2000, -6), (5000, 0), (10_000, -3), (20_000, -18)])
    pops = [
        band(samples(0.006), rng, f, 2 * f, 12.0) * decay(samples(0.006), 0.004, 0.0002)
        for f in rng.uniform(1500, 7000, 30)
    ]
    times = scattered(n, rng, params["pops"])
    spit = cloud(n, rng, times, (rng.pareto(1.8, times.size) + 0.1).clip(0, 8), pops)
    return texture(
        sizzle * (1 + 0.2 * walk(n, rng, 2.0) + 0.15 * walk(n, rng, 40.0)) + params["spit"] * unit(spit)
    )


def _steam(params: Params, n: int, rng: Rng) -> FloatArray:
    """A jet of gas: broadband noise around its Strouhal peak, a little unsteady."""
    peak = params["peak"]
    jet = shaped(n, rng, [(150, -34), (0.3 * peak, -10), (peak, 0), (2.5 * peak, -4), (20_000, -12)])
    hiss = jet * (1 + 0.12 * walk(n, rng, 1.5) + 0.08 * walk(n, rng, 30.0))
    pipe = resonated(jet, [(float(f), 0.08 * float(f), 0.5) for f in peak * rng.uniform(0.3, 1.2, 3)])
    return texture(filtered(hiss + params["pipe"] * pipe, [(100, -20), (800, 0), (24_000, 0)]))


MODELS = (
    SoundModel(
        "weather.rain",
        "rain",
        "texture",
        "Poisson drops: near ones as impact clicks and bubble plinks, all others as shaped noise "
        "(Farnell 2010, ch. 39).",
        drawn(bright=(2500, 5000), drops=(80, 600), near=(0.4, 1.0)),
        _rain,
    ),
    SoundModel(
        "weather.wind",
        "wind",
        "texture",
        "Turbulence in gusts; whistles on edges by f = 0.2·v/d (Strouhal; Farnell 2010, ch. 41).",
        drawn(howl=(250, 480), sharp=(6, 14), howling=(0.1, 0.6)),
        _wind,
    ),
    SoundModel(
        "weather.thunder",
        "thunder",
        "event",
        "A tortuous channel's segments arrive by distance, each an N-wave darkened by the air (Few 1969).",
        drawn(seconds=(4.5, 8.5), near=(0.2, 1.1), rain=(-0.015, 0.03)),
        _thunder,
        (1.0, 6.0),
    ),
    SoundModel(
        "weather.fire",
        "fire",
        "texture",
        "Lapping flames as low noise, hissing gas, crackles by a power law of size (Farnell 2010, ch. 34).",
        drawn(crackle=(15, 60), roar=(0.1, 0.5), hiss=(0.03, 0.15)),
        _fire,
    ),
    SoundModel(
        "weather.leaves",
        "leaves_rustle",
        "texture",
        "Thousands of soft touches of leaves a second, brightest at 2–6 kHz, in gusts (Fégeant 1999).",
        drawn(
            touches=(600, 1100),
            grain=(0.25, 0.4),
            sway=(3.0, 4.5),
            sway_db=(16, 24),
            bright=(0.4, 0.9),
            crisp=(2, 12),
            air=(0.1, 0.3),
        ),
        _leaves,
    ),
    SoundModel(
        "weather.frying",
        "frying",
        "texture",
        "Water drops explode in hot oil: Poisson pops over dense bright noise.",
        drawn(pops=(60, 250), spit=(0.3, 0.8)),
        _frying,
    ),
    SoundModel(
        "weather.steam",
        "steam_hiss",
        "texture",
        "Turbulent jet: noise about the Strouhal peak 0.2·v/d, pipe resonances.",
        drawn(peak=(3500, 7500), pipe=(0.0, 0.4)),
        _steam,
    ),
)
