"""Glasses, plates and cutlery."""

from __future__ import annotations

import numpy as np

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
    modes,
    on_location,
    place,
    resonated,
    reverberated,
    samples,
    unit,
    walk,
)
from ssv2a.soundbank.model import Params, SoundModel
from ssv2a.soundbank.models.impacts import peaked
from ssv2a.types import FloatArray

RIM = np.array([1.0, 2.32, 4.25, 6.63, 9.38])
"""Modes of a wine glass's rim, (n² − 1)-like, by the lowest (Rossing 1990)."""


def _knocked(x: Signal, rng: Rng, contact: float, noise: float) -> Signal:
    """A ringing piece touched by something hard for `contact` seconds, with the noise of the touch."""
    heard = peaked(convolved(x, blow(contact)))
    touch = band(samples(0.012), rng, 1500, 8000, 6.0) * decay(samples(0.012), 0.009, 0.0004)
    place(heard, peaked(touch), 0, noise)
    return heard


def _glass(params: Params, rim: float, rng: Rng) -> Signal:
    """One glass: rim modes as beating doublets, damped by the drink and the hand; the bowl's short modes."""
    hertz = rim * np.concatenate([RIM, RIM * (1 + rng.uniform(0.002, 0.008, RIM.size))])
    gains = np.tile([0.6, 1.0, 0.9, 0.6, 0.4], 2) * rng.uniform(0.4, 1.0, hertz.size)
    ring = peaked(modes(samples(1.0), hertz, params["ring"] * (hertz / rim) ** -0.25, gains, rng))
    bowl = modes(samples(0.12), *body(rng, 1.3 * rim, 13_000, 30, 0.09, 0.2, 0.0), rng)
    place(ring, peaked(bowl), 0, 1.0)
    return ring


def _clink(params: Params, n: int, rng: Rng) -> FloatArray:
    """Glasses touch, once or a few times over: two rims ring together for a few tenths of a second."""
    count = round(params["clinks"])
    total = np.zeros(samples(0.3 * count + 1.0))
    at = 0.0
    for _ in range(count):
        for tuning, level in ((1.0, 1.0), (params["other"], 0.8)):
            rim = params["rim"] * tuning * rng.uniform(0.97, 1.03)
            touched = _knocked(_glass(params, rim, rng), rng, 0.0001, 0.5)
            place(total, touched, samples(at), level * rng.uniform(0.5, 1.0))
        at += rng.uniform(0.12, 0.3)
    room = reverberated(total, rng, 0.35, params["room"], 8000.0)
    return event(on_location(room, rng, 0.001), n, 0.0003, 0.2)


def _piece(rng: Rng, low: float, high: float, seconds: float, contact: float, noise: float) -> list[Signal]:
    """Three knocks at different spots of one plate, bowl or spoon."""
    hertz, decays, gains = body(rng, low, high, 14, seconds, 0.3, -1.0)
    size = samples(1.1 * seconds)
    spots = (gains * rng.uniform(0.2, 1.3, gains.size) for _ in range(3))
    return [_knocked(modes(size, hertz, decays, spot, rng), rng, contact, noise) for spot in spots]


def _scrape(rng: Rng) -> Signal:
    """A knife over a plate: noise through a few of its modes."""
    size = samples(rng.uniform(0.1, 0.3))
    rub = band(size, rng, 2000, 9000, 6.0) * walk(size, rng, 200.0, 0.2, 1.0)
    heard = unit(resonated(rub, [(float(f), 150.0, 1.0) for f in rng.uniform(1800, 7000, 6)]))
    return peaked(heard * curve(size, [(0, 0), (0.3, 1), (0.7, 0.7), (1, 0)]))


def _dishes(params: Params, n: int, rng: Rng) -> FloatArray:
    """Plates and cutlery set down in bunches: damped ceramic, short steel, the table's thud, a scrape."""
    noise = params["noise"]
    plates = [
        _piece(rng, rng.uniform(600, 1700), 9000, rng.uniform(0.04, 0.2), 0.00025, noise) for _ in range(4)
    ]
    steel = [
        _piece(rng, rng.uniform(1800, 4000), 12_000, rng.uniform(0.05, 0.22), 0.0001, noise) for _ in range(3)
    ]
    total = np.zeros(samples(params["seconds"] + 1.2))
    at = 0.0
    while at < params["seconds"]:
        for _ in range(int(rng.integers(1, 6))):
            kit = steel if rng.uniform() < params["steel"] else plates
            touched, force = kit[int(rng.integers(len(kit)))], rng.uniform(0.3, 1.0) ** 1.5
            place(total, touched[int(rng.integers(3))], samples(at), force)
            if rng.uniform() < params["set_down"]:
                size = samples(0.06)
                place(
                    total,
                    peaked(band(size, rng, 150, 900, 9.0) * decay(size, 0.05, 0.002)),
                    samples(at),
                    0.5 * force,
                )
            at += rng.exponential(0.07)
        if rng.uniform() < 0.4:
            place(total, _scrape(rng), samples(at), params["scrape"])
        at += rng.exponential(0.2)
    end = samples(min(at, params["seconds"]) + 0.8)
    room = reverberated(total[:end], rng, params["hall"], params["room"], 6000.0)
    return event(on_location(room, rng, 0.003), n, 0.0005, 0.15)


MODELS = (
    SoundModel(
        "impact.clink",
        "glass_clink",
        "event",
        "Rim modes of a glass, 1 : 2.3 : 4.2 : 6.6, as doublets (Rossing 1990), damped by drink and hand.",
        drawn(rim=(1700, 3000), other=(0.8, 1.25), ring=(0.25, 0.55), clinks=(0.6, 2.6), room=(0.08, 0.25)),
        _clink,
        (0.3, 1.2),
    ),
    SoundModel(
        "impact.dishes",
        "dishes",
        "event",
        "Inharmonic ceramic modes of 0.6–9 kHz, well damped, short steel rings, the table's knocks.",
        drawn(
            seconds=(0.6, 2.2),
            noise=(0.4, 1.0),
            steel=(0.3, 0.7),
            set_down=(0.3, 0.7),
            scrape=(0.1, 0.4),
            hall=(0.3, 0.5),
            room=(0.15, 0.4),
        ),
        _dishes,
        (0.2, 1.2),
    ),
)
