"""Water: ringing bubbles (Minnaert; van den Doel 2005), breaking surf, rushing and lapping."""

from __future__ import annotations

import numpy as np

from ssv2a.soundbank.breakage import sparse
from ssv2a.soundbank.dsp import (
    Rng,
    Signal,
    band,
    cloud,
    curve,
    decay,
    drawn,
    event,
    modes,
    place,
    resonated,
    risen,
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


def bubble(radius: float, rise: float) -> Signal:
    """One bubble: f = 3/r Hz, damping 0.13/r + 0.0072·r^(−3/2) per second, pitch rising with it.

    Args:
        radius: in metres, 0.3 mm to 2 cm.
        rise: how fast the pitch rises, in units of the damping (0 to 0.3).
    """
    f0, damping = 3.0 / radius, 0.13 / radius + 0.0072 * radius**-1.5
    n = samples(min(0.15, 7.0 / damping))
    t = np.arange(n) / SAMPLE_RATE
    pitch = f0 * (1 + rise * damping * t)
    return np.asarray(
        np.sin(np.cumsum(pitch) * (2 * np.pi / SAMPLE_RATE))
        * np.exp(-damping * t)
        * np.minimum(1, t / 0.0005),
        dtype=np.float64,
    )


def bubbles(n: int, rng: Rng, rate: float, smallest: float, largest: float, rise: float = 0.1) -> Signal:
    """A Poisson cloud [n] of `rate` bubbles a second, radii (metres) by a power law, unit RMS."""
    radii = smallest * (largest / smallest) ** (rng.uniform(0, 1, 60) ** 1.5)
    kernels = [bubble(float(r), rise * rng.uniform(0, 2)) * float((r / largest) ** 0.7) for r in radii]
    times = scattered(n, rng, rate)
    x = cloud(n, rng, times, rng.pareto(2.5, times.size).clip(0.05, 5), kernels)
    return unit(x)


def _waves(params: Params, n: int, rng: Rng) -> FloatArray:
    """Each wave swells darkly, breaks bright, and hisses as it runs out; several overlap, none alike."""

    def ear(rng: Rng) -> Signal:
        total = 0.2 * shaped(n, rng, [(40, -6), (120, 0), (600, -6), (3000, -16), (12_000, -36)])
        foam = shaped(n, rng, [(100, -16), (500, -3), (1500, 0), (4000, -6), (14_000, -26)])
        roar = shaped(n, rng, [(40, -3), (150, 0), (500, -4), (1500, -16), (8000, -40)])
        for size, at in zip(sizes, starts, strict=True):
            t = (np.arange(n) / SAMPLE_RATE - at) / params["period"]
            swell = np.exp(-((t / 0.22) ** 2))
            wash = np.where(t > -0.1, np.clip((t + 0.1) / 0.12, 0, 1) * np.exp(-2.6 * np.maximum(t, 0)), 0)
            total += size * (roar * swell * 0.8 + foam * wash)
        return np.asarray(total * (1 + 0.1 * walk(n, rng, 6.0)))

    count = int(n / SAMPLE_RATE / params["period"] * 1.3) + 4
    starts = (np.arange(count) - 2 + rng.uniform(-0.25, 0.25, count)) * params["period"] / 1.3
    sizes = rng.uniform(0.5, 1.0, count)
    return texture(stereo(ear, rng, 0.7))


def _stream(params: Params, n: int, rng: Rng) -> FloatArray:
    """A brook: hundreds of bubbles a second in moving eddies over a soft rush."""

    def ear(rng: Rng) -> Signal:
        rush = shaped(n, rng, [(100, -18), (400, -2), (1000, 0), (2500, -6), (7000, -18), (16_000, -36)])
        babble = bubbles(n, rng, params["bubbles"], 0.0009, 0.006)
        eddies = (1 + 0.4 * walk(n, rng, 2.5)) * (1 + 0.4 * walk(n, rng, 9.0))
        return np.asarray(babble * eddies + params["rush"] * rush * (1 + 0.1 * walk(n, rng, 3.0)))

    return texture(stereo(ear, rng, 0.6))


def _waterfall(params: Params, n: int, rng: Rng) -> FloatArray:
    """Falling water: the plunge pool rumbles below 400 Hz, bubbles gurgle in clots, spray hisses.

    The bulk's spectrum falls by 4–5.5 dB an octave above its bend, as near real falls.
    """
    bend, fall = params["bend"], params["fall"]
    slope = [(bend * 2**k, -fall * k) for k in range(5)]
    boom = shaped(n, rng, [(25, -18), (50, 0), (200, 0), (400, -10), (1500, -36)])
    boom *= 1 + 0.4 * walk(n, rng, 7.0)

    def ear(rng: Rng) -> Signal:
        bulk = shaped(n, rng, [(28, -14), (60, -3), (120, 0), *slope, (20_000, -7.0 * fall)])
        gurgle = bubbles(n, rng, 350, 0.002, 0.012, 0.1) * (1 + 0.7 * walk(n, rng, 9.0))
        spray = bubbles(n, rng, 400, 0.0006, 0.003)
        surge = 1 + 0.15 * walk(n, rng, 3.0)
        return np.asarray(bulk * surge + params["gurgle"] * gurgle + params["spray"] * spray)

    return texture(stereo(ear, rng, 0.8) + 0.5 * boom)


def _pour(params: Params, n: int, rng: Rng) -> FloatArray:
    """A jet into a vessel: bubbles and splash through the air column, whose resonance rises as it fills."""
    splash = shaped(n, rng, [(200, -20), (800, -4), (2500, 0), (6000, -6), (14_000, -20)]) * (
        1 + 0.3 * walk(n, rng, 14.0)
    )
    glug = bubbles(n, rng, params["bubbles"], 0.0007, 0.0035, 0.2)
    mixed = glug * (1 + 0.4 * walk(n, rng, 7.0)) + params["splash"] * splash
    vessel = resonated(
        mixed, [(params["vessel"] * k, 0.12 * params["vessel"] * k, 1.0 / k) for k in (1.0, 2.9, 4.8)]
    )
    return texture(mixed + params["ring"] * unit(vessel))


def _bubbling(params: Params, n: int, rng: Rng) -> FloatArray:
    """Large bubbles rise in groups and ring low."""
    x = bubbles(n, rng, params["rate"], 0.0015, params["largest"], 0.15)
    return texture(x * (1 + 0.7 * walk(n, rng, 3.0)).clip(0.1) + 0.05 * band(n, rng, 200, 1500, 9.0))


def _lapping(params: Params, n: int, rng: Rng) -> FloatArray:
    """Wavelets slap a hull: short splashes with bubbles, hollow resonances of the hull, timbers' creaks."""
    total = 0.05 * shaped(n, rng, [(80, -6), (300, 0), (1200, -8), (6000, -28)])
    for at in scattered(n, rng, params["laps"]):
        size = samples(rng.uniform(0.25, 0.8))
        shape = curve(size, [(0, 0), (rng.uniform(0.15, 0.4), 1), (1, 0)]) ** 1.5
        slap = bubbles(size, rng, 250, 0.001, 0.008, 0.15) + 0.6 * band(size, rng, 250, 1800, 9.0)
        place(total, slap * shape, int(at), rng.uniform(0.2, 1.0))
    hull = resonated(total, [(params["hull"] * k, 60.0, 0.8 / k) for k in (1.0, 2.2, 3.7)])
    return texture(total + hull)


def plume(n: int, rng: Rng, density: Signal, smallest: float, largest: float) -> Signal:
    """Air that is dragged under [n]: `density` bubbles a second per sample, most of them deep: steady pitch.

    Radii in metres by a power law of −3/2 (breaking waves: Deane & Stokes 2002).
    """
    radii = (rng.uniform(largest**-0.5, smallest**-0.5, 90)) ** -2.0
    kernels = [bubble(float(r), 0.12 * float(rng.uniform()) ** 3) * float(r / largest) ** 0.5 for r in radii]
    return sparse(n, rng, density, [k * rng.choice((-1.0, 1.0)) for k in kernels], 2.5)


def _drops(n: int, rng: Rng, density: Signal) -> Signal:
    """Thrown water comes down [n]: each drop a tick of 1–4 ms, here and there with a small bubble."""
    ticks = []
    for seconds in np.geomspace(0.001, 0.005, 16):
        size, low = samples(1.2 * seconds), 3200.0 * (0.002 / seconds) ** 0.5 * rng.uniform(0.7, 1.4)
        ticks.append(band(size, rng, low, 2.5 * low, 9.0) * decay(size, seconds, 0.0002))
    plinks = [bubble(float(r), 0.1) for r in rng.uniform(0.0007, 0.0025, 16)]
    return sparse(n, rng, density, ticks, 2.8) + 0.4 * sparse(n, rng, 0.08 * density, plinks, 2.5)


def _splash(params: Params, n: int, rng: Rng) -> FloatArray:
    """A slap, the crown's spray, the cavity that closes into a plume of bubbles, the jet's fall, drops."""
    long, closing, fallen = params["seconds"], params["closing"], params["fallen"]
    size = samples(long)
    t = np.arange(size) / SAMPLE_RATE

    def swell(at: float, rise: float, fall: float) -> Signal:
        since = np.maximum(t - at, 0)
        return np.asarray(np.minimum(1, since / rise) * np.exp(-since / fall), dtype=np.float64)

    def ear(rng: Rng) -> Signal:
        churn = 0.55 + 0.45 * walk(size, rng, 25.0) * walk(size, rng, 70.0)
        body = shaped(size, rng, [(60, -16), (200, -4), (600, 0), (1500, -3), (4000, -11), (12_000, -30)])
        spray = shaped(size, rng, [(300, -26), (1200, -8), (3000, 0), (7000, -3), (15_000, -18)])
        closed, jet = swell(closing, 0.05, 0.16 * long), params["jet"] * swell(fallen, 0.06, 0.12 * long)
        dragged = (closed + jet - 0.015).clip(0.0)
        air = plume(size, rng, 2600.0 * dragged, 0.0009, params["largest"]) * (0.2 + dragged)
        water = body * (0.35 * swell(0.02, 0.04, 0.1) + 0.5 * closed + 0.5 * jet)
        sheet = spray * (0.6 * swell(0.004, 0.02, 0.1 * long) + 0.25 * closed + 0.3 * jet)
        falling = swell(0.12, 0.2, 0.22 * long)
        rain = _drops(size, rng, params["drops"] * falling) * (0.2 + falling)
        return np.asarray(
            (water + params["spray"] * sheet) * churn + 0.24 * unit(air) + 0.1 * params["rain"] * unit(rain)
        )

    slap = shaped(size, rng, [(60, -8), (150, 0), (500, 0), (2000, -7), (6000, -18), (15_000, -36)])
    total = stereo(ear, rng, 0.4)
    total += params["slap"] * slap * swell(0.0, 0.003, 0.022)
    part = params["cavity"] * np.array([1.0, 1.35, 1.7, 2.3]) * rng.uniform(0.9, 1.1, 4)  # it tears in pieces
    ring = modes(samples(0.25), part, 0.16 * (part / part[0]) ** -0.5, part[0] / part, rng)
    ring = risen(ring, 0.006) * (1 + 0.5 * walk(ring.size, rng, 40.0))
    for row in total:
        place(row, unit(ring), samples(closing), 0.3 * params["bloop"])
    return event(total, n, 0.001, 0.3)


MODELS = (
    SoundModel(
        "water.waves",
        "sea_waves",
        "texture",
        "Surf: collapsing bubble plumes as noise, dark swell, bright break, hissing run-out (Deane 1997).",
        drawn(period=(4.5, 8.5)),
        _waves,
    ),
    SoundModel(
        "water.stream",
        "river_stream",
        "texture",
        "Poisson bubbles, f = 3/r (Minnaert 1933), damping and rise after van den Doel (2005), over a rush.",
        drawn(bubbles=(150, 600), rush=(0.2, 0.7)),
        _stream,
    ),
    SoundModel(
        "water.waterfall",
        "waterfall",
        "texture",
        "Plunging water: bubble clouds rumble below 400 Hz, bubbles by f = 3/r (Minnaert 1933), spray above.",
        drawn(bend=(250, 700), fall=(4.0, 5.5), gurgle=(0.4, 0.8), spray=(0.1, 0.4)),
        _waterfall,
    ),
    SoundModel(
        "water.pour",
        "water_pour",
        "texture",
        "Bubbles of a plunging jet through the vessel's air column, a quarter-wave resonator.",
        drawn(bubbles=(150, 500), splash=(0.2, 0.6), vessel=(350, 900), ring=(0.2, 0.6)),
        _pour,
    ),
    SoundModel(
        "water.bubbles",
        "bubbles",
        "texture",
        "Large bubbles, f = 3/r (Minnaert 1933), in groups.",
        drawn(rate=(15, 60), largest=(0.006, 0.012)),
        _bubbling,
    ),
    SoundModel(
        "water.boat",
        "boat_water",
        "texture",
        "Wavelets slap the hull: bubble bursts through the hull's hollow modes.",
        drawn(laps=(0.8, 2.0), hull=(110, 220)),
        _lapping,
    ),
    SoundModel(
        "water.splash",
        "water_splash",
        "event",
        "Slap; a cavity closes into bubbles (Minnaert 1933; radii: Deane & Stokes 2002); drops fall back.",
        drawn(
            seconds=(1.1, 2.2),
            slap=(0.6, 1.5),
            closing=(0.06, 0.14),
            cavity=(110, 260),
            bloop=(0.2, 1.0),
            largest=(0.005, 0.009),
            jet=(0.2, 0.9),
            fallen=(0.35, 0.6),
            spray=(0.5, 1.0),
            rain=(0.5, 1.2),
            drops=(120, 350),
        ),
        _splash,
        (0.4, 2.0),
    ),
)
