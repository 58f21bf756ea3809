"""Vehicles that pass: tyres, wheels and rails, with Doppler shift where the thing goes by."""

from __future__ import annotations

import numpy as np

from ssv2a.soundbank.dsp import (
    Rng,
    Signal,
    band,
    body,
    cloud,
    convolved,
    crossings,
    decay,
    drawn,
    event,
    impulses,
    lowpass,
    modes,
    passed,
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
from ssv2a.soundbank.models.engines import CAR, engine
from ssv2a.soundbank.models.impacts import peaked
from ssv2a.types import SAMPLE_RATE, FloatArray


def _vehicle(n: int, rng: Rng, rpm: float, tyres: float) -> Signal:
    """A car at speed: engine under load and tyre noise, highest around 1 kHz (Sandberg 2003)."""
    motor = engine(CAR, rpm * (1 + 0.01 * walk(n, rng, 1.0)), 4, rng)
    road = shaped(n, rng, [(50, -14), (200, -6), (800, 0), (1200, 0), (3000, -12), (10_000, -34)])
    road *= tyres * (1 + 0.1 * walk(n, rng, 8.0))
    road += unit(motor)
    return road


def _car_pass(params: Params, n: int, rng: Rng) -> FloatArray:
    """One car on a straight road: tyre and engine noise by 1/r with Doppler shift and air absorption."""
    seconds = min(params["seconds"], n / SAMPLE_RATE)
    heard = passed(
        _vehicle(samples(seconds), rng, params["rpm"], params["tyres"]),
        params["distance"],
        params["speed"],
        0.5 * seconds,
    )
    far = lowpass(heard, 1800.0)
    side = np.linspace(-1, 1, heard.size) * (0.5 * seconds * params["speed"] / params["distance"])
    heard -= far
    heard /= np.hypot(1.0, side) ** 0.5
    heard += far
    del far
    angle = (side.clip(-1, 1, out=side) * np.sign(params["direction"]) * 0.8 + 1) * np.pi / 4
    return event(np.stack([heard * np.cos(angle), heard * np.sin(angle)]), n, 0.3, 0.5)


def _traffic(params: Params, n: int, rng: Rng) -> FloatArray:
    """Distant stream of cars: low-passed road noise whose level swells with each car, and idling rumble."""
    apart = samples(0.4)  # the two ears hear one rumble, at different moments
    rumble = unit(engine(CAR, params["rpm"] * (1 + 0.1 * walk(n + apart, rng, 0.3)), 4, rng))
    t = np.arange(n) / SAMPLE_RATE

    def lane(rng: Rng) -> Signal:
        total = 0.25 * shaped(n, rng, [(40, -3), (90, 0), (300, -5), (1000, -9), (2500, -20), (8000, -44)])
        swells = {centre: np.zeros(n) for centre in (700.0, 1000.0)}  # cars with dull and with bright tyres
        for at in scattered(n, rng, params["cars"]) / SAMPLE_RATE:
            centre, width = (700.0, 1000.0)[int(rng.integers(2))], rng.uniform(0.5, 1.6)
            near = slice(max(0, round((at - 6 * width) * SAMPLE_RATE)), round((at + 6 * width) * SAMPLE_RATE))
            level = rng.uniform(0.3, 1.0) / (1 + ((t[near] - at) / width) ** 2)
            swells[centre][near] = np.hypot(swells[centre][near], level)
        for centre, swell in swells.items():
            tyres = [(60, -6), (120, -4), (centre, 0), (2 * centre, -9), (9000, -36)]
            total += swell * shaped(n, rng, tyres)
        return total

    road = stereo(lane, rng)
    return texture(road + 0.7 * np.stack([rumble[:n], rumble[apart:]]))


def _train(params: Params, n: int, rng: Rng) -> FloatArray:
    """Wheels over rail joints in pairs (bogies), rolling noise in wheel and rail modes, motors."""
    speed = params["speed"]
    spacing = params["rail"] / speed
    count = int(n / SAMPLE_RATE / spacing) + 2
    starts = (np.arange(count) - 1 + rng.uniform()) * spacing
    axles = np.array([0.0, 2.3, 6.5, 8.8]) / speed
    times = (starts[:, None] + axles + 0.004 * rng.standard_normal((count, 4))).ravel() * SAMPLE_RATE
    size = samples(0.22)
    thud = modes(size, rng.uniform(60, 500, 12), rng.uniform(0.08, 0.2, 12), rng.uniform(0.5, 1, 12), rng)
    thud *= decay(size, 1.0, 0.006)
    clank = modes(
        size, rng.uniform(500, 2600, 14), rng.uniform(0.04, 0.15, 14), rng.uniform(0.1, 0.5, 14), rng
    )
    hits = impulses(n, times, rng.uniform(0.4, 1.0, times.size))
    joints = convolved(hits, thud + params["clank"] * clank)
    roll = shaped(n, rng, [(30, -4), (70, 0), (200, -1), (700, -6), (1600, -13), (4000, -26), (12_000, -50)])
    rails = resonated(roll, [(float(f), 0.04 * float(f), 1.0) for f in rng.uniform(180, 1500, 9)])
    motor = phase(params["motor_hz"] * (1 + 0.03 * walk(n, rng, 0.25)))
    whine = sum(np.sin(k * motor + rng.uniform(0, 6)) * k**-0.7 for k in range(1, 9))
    sway = 1 + 0.2 * walk(n, rng, 0.8) + 0.2 * walk(n, rng, 7.0)
    rolling = (roll + params["rails"] * unit(rails)) * sway
    return texture(rolling + params["joints"] * unit(joints) + params["whine"] * np.asarray(whine))


def _bicycle(params: Params, n: int, rng: Rng) -> FloatArray:
    """Coasting, the freewheel's pawls tick at wheel turns × teeth; pedalling, the chain runs."""
    wheel = params["wheel_hz"] * (1 + 0.25 * walk(n, rng, 0.25))
    coasting = 1 / (1 + np.exp(-8 * (walk(n, rng, 0.35) + 0.5)))
    pawls = [_hub(rng) for _ in range(3)]
    ticks = _ticks(wheel * round(params["teeth"]), rng)
    level = coasting[ticks.astype(np.int64)] * np.resize([1.0, 0.7, 0.85], ticks.size)
    clicks = cloud(n, rng, ticks, level * rng.uniform(0.7, 1.2, ticks.size), pawls)
    links = _ticks(wheel * params["gear"], rng)
    pulled = (1 - coasting[links.astype(np.int64)]) * rng.uniform(0.3, 1.0, links.size)
    chain = cloud(n, rng, links, pulled, [lowpass(pawl, 5000.0) for pawl in pawls])
    tyre = shaped(n, rng, [(80, -14), (250, -4), (700, 0), (2000, -8), (6000, -22), (14_000, -40)])
    rolling = tyre * (1 + 0.25 * walk(n, rng, 3.0) + 0.15 * walk(n, rng, 12.0))
    return texture(unit(clicks + params["chain"] * chain) + params["tyre"] * rolling)


def _ticks(rate: Signal, rng: Rng) -> Signal:
    """Times in samples, each a little early or late, of something that happens `rate` times a second."""
    times = crossings(np.cumsum(rate) / SAMPLE_RATE + rng.uniform())
    times = times + rng.normal(0, 0.02, times.size) * SAMPLE_RATE / rate[times.astype(np.int64)]
    return np.asarray(np.clip(times, 0, rate.size - 1), dtype=np.float64)


def _hub(rng: Rng) -> Signal:
    """A pawl drops into the next tooth: a click of 4 ms, and the hub's shell rings for 20 ms."""
    ring = peaked(modes(samples(0.03), *body(rng, 2000, 9000, 7, 0.02, 0.3, 0.0), rng))
    touch = band(samples(0.006), rng, 2500, 9000, 6.0) * decay(samples(0.006), 0.004, 0.0002)
    place(ring, peaked(touch), 0, 0.8)
    return ring


def _clack(rng: Rng, deck: tuple[Signal, Signal, Signal]) -> Signal:
    """An axle's two wheels drop over a joint, a few milliseconds apart: deck and loose truck are struck."""
    size = samples(0.16)
    total = np.zeros(size)
    for at in (0.0, rng.uniform(0.001, 0.006)):
        wood = modes(samples(0.11), *deck, rng)
        truck = modes(samples(0.05), *body(rng, 1400, 6000, 14, 0.03, 0.4, -3.0), rng)
        hit = band(samples(0.02), rng, 500, 4500, 6.0) * decay(samples(0.02), 0.018, 0.0005)
        struck = unit(wood)
        for again in rng.uniform(0.004, 0.05, 3):  # its loose parts rattle after
            place(struck, unit(truck), samples(again), rng.uniform(0.05, 0.25))
        place(struck, unit(hit), 0, 0.4)
        place(total, struck, samples(at), rng.uniform(0.6, 1.0))
    return total


def _rolling(params: Params, n: int, rng: Rng) -> FloatArray:
    """Hard small wheels on asphalt: a rough roar shakes the deck, axle after axle clacks at joints."""
    speed = params["speed"] * (1 + 0.08 * walk(n, rng, 0.5))
    grit = shaped(n, rng, [(60, -18), (160, -6), (450, 0), (1300, -1), (3500, -10), (12_000, -34)])
    rough = (1 + 0.35 * walk(n, rng, 25.0)) * (0.8 + 0.25 * walk(n, rng, 0.7))
    hertz, seconds, gains = body(rng, 150, 1500, 12, 0.09, 0.2, 0.0)
    deck = resonated(grit, [(float(f), 0.08 * float(f), float(g)) for f, g in zip(hertz, gains, strict=True)])
    clacks = [_clack(rng, (hertz, seconds, gains)) for _ in range(3)]
    joints = crossings(np.cumsum(speed) / (params["slab"] * SAMPLE_RATE) + rng.uniform())
    joints = joints + rng.normal(0, 0.02 * SAMPLE_RATE, joints.size)
    times = np.concatenate([joints, joints + 0.38 / params["speed"] * SAMPLE_RATE])  # the rear axle follows
    struck = cloud(n, rng, times, rng.uniform(0.4, 1.0, times.size), clacks)
    rolling = np.asarray((grit + params["deck"] * unit(deck)) * rough, dtype=np.float64)
    return texture(unit(rolling) + params["clack"] * unit(struck))


MODELS = (
    SoundModel(
        "passing.car",
        "car_pass",
        "event",
        "Moving source: Doppler shift by the path's length, 1/r, air absorption; tyre noise about 1 kHz "
        "(Sandberg & Ejsmont 2002).",
        drawn(
            seconds=(3.5, 7),
            rpm=(1800, 3200),
            tyres=(1, 2.5),
            distance=(3, 9),
            speed=(9, 24),
            direction=(-1, 1),
        ),
        _car_pass,
        (0.5, 3.0),
    ),
    SoundModel(
        "passing.traffic",
        "traffic",
        "texture",
        "Sum of distant pass-bys: tyre noise low-passed by air and ground, swelling with every car.",
        drawn(cars=(0.3, 1.0), rpm=(800, 1400)),
        _traffic,
    ),
    SoundModel(
        "passing.train",
        "train_pass",
        "texture",
        "Wheels over rail joints in pairs by bogie spacing and speed; rolling noise in wheel and rail "
        "modes (Thompson 2009).",
        drawn(
            speed=(12, 28),
            rail=(12, 25),
            clank=(0.0, 0.4),
            joints=(0.3, 0.8),
            rails=(1.2, 2.5),
            motor_hz=(90, 260),
            whine=(0.0, 0.3),
        ),
        _train,
    ),
    SoundModel(
        "passing.bicycle",
        "bicycle_ride",
        "texture",
        "Freewheel pawls tick at wheel turns × ratchet teeth and ring the hub; chain and tyres.",
        drawn(wheel_hz=(0.9, 1.4), teeth=(16, 20), gear=(32, 42), chain=(0.2, 0.5), tyre=(0.25, 0.45)),
        _bicycle,
    ),
    SoundModel(
        "passing.skateboard",
        "skateboard_roll",
        "texture",
        "Small hard wheels on rough asphalt shake a hollow deck; both axles clack over each joint, v / slab.",
        drawn(speed=(2, 4), slab=(1.6, 3.0), clack=(0.8, 1.4), deck=(1.2, 2.4)),
        _rolling,
    ),
)
