"""Horses: the whinny with its two unrelated pitches, and hooves in the rhythm of a gait."""

from __future__ import annotations

import numpy as np

from ssv2a.soundbank.dsp import (
    LEAVES,
    Rng,
    Signal,
    band,
    blow,
    breath,
    convolved,
    crossings,
    curve,
    decay,
    drawn,
    event,
    faded,
    impulses,
    jitter,
    modes,
    on_location,
    phase,
    place,
    resonated,
    reverberated,
    roughness,
    samples,
    unit,
    walk,
)
from ssv2a.soundbank.model import Params, SoundModel
from ssv2a.types import FloatArray

NECK = (
    (420, 130, 0.15),
    (950, 170, 0.35),
    (1500, 200, 1.0),
    (2150, 260, 0.9),
    (2900, 350, 0.4),
    (3900, 600, 0.12),
)
"""Formants of a horse's tract, some 0.7 m long, in a wide-open call: Hz, bandwidth, gain."""


def snort(rng: Rng, seconds: float, flutter_hz: float) -> Signal:
    """A blow through the nostrils [n], unit RMS: hiss chopped by the slack lips' flutter."""
    size = samples(seconds)
    rate = flutter_hz * curve(size, [(0, 1.25), (0.4, 1.0), (1, 0.7)]) * (1 + 0.12 * walk(size, rng, 9.0))
    flap = np.maximum(0.0, np.sin(phase(rate))) ** 1.5
    lips = resonated(band(size, rng, 120, 5000, 6.0), [(260, 150, 1.0), (900, 400, 0.8), (2200, 900, 0.5)])
    blow = unit(lips) * (0.2 + flap) + 0.35 * band(size, rng, 1200, 6000, 9.0) * (0.4 + 0.6 * flap)
    return unit(blow * curve(size, [(0, 0), (0.1, 1), (0.45, 0.75), (1, 0)]))


def _neigh(params: Params, n: int, rng: Rng) -> FloatArray:
    """Whinny of 1.2–1.8 s: a whistled squeal that sinks and shakes, voiced folds under it, and a snort.

    The squeal g0 (1.2–1.8 kHz) opens alone; the folds set in at f0 (430–600 Hz) and chop it, so that the
    sums and differences of the two sound as well; a shaking of 8–12 Hz grows until the end falls apart in
    single low bursts (Briefer et al. 2015).
    """
    size = samples(params["seconds"])
    shaken = curve(size, [(0, 0.1), (0.2, 0.4), (0.5, 0.8), (0.7, 1), (1, 1)])
    rate = params["shake_hz"] * curve(size, [(0, 1.1), (1, 0.8)]) * (1 + 0.15 * walk(size, rng, 4.0))
    shake = np.sin(phase(rate))
    arch = [(0, rng.uniform(0.75, 0.95)), (0.08, 1.0), (0.3, 1.05), (0.6, 0.98), (0.85, 0.8), (1, 0.6)]
    g0 = params["squeal"] * curve(size, arch) * (1 + 0.12 * shaken * shake) * jitter(size, rng, 0.012)
    sink = [(0, 0.9), (0.2, 1.05), (0.5, 1.0), (0.75, 0.85), (0.9, 0.55), (1, 0.4)]
    f0 = params["f0"] * curve(size, sink) * (1 + 0.15 * shaken * shake) * jitter(size, rng, 0.035)
    folds = curve(size, [(0, 0.2), (params["onset"], 0.4), (params["onset"] + 0.12, 1), (1, 1)])
    times = crossings(phase(f0) / (2 * np.pi))
    slaps = convolved(impulses(size, times, rng.uniform(0.3, 1.0, times.size)), blow(0.0004))
    voiced = unit(resonated(slaps, NECK)) * roughness(size, rng, 120.0, 0.4)
    slit = np.maximum(0.0, np.cos(phase(f0))) ** 1.5  # the folds let the whistle through once a period
    turns = phase(g0)
    whistle = np.sin(turns) + 0.2 * np.sin(2 * turns) + 0.08 * np.sin(3 * turns)
    whistle = whistle * (1 - folds + 1.6 * folds * slit)
    squeal = curve(size, [(0, 0.8), (0.3, 1), (0.7, 0.8), (0.9, 0.3), (1, 0.1)])
    call = squeal * unit(whistle) + params["low"] * folds * voiced
    call += params["breath"] * folds * (0.4 + 0.6 * shaken) * breath(f0, rng, NECK, 1.0)
    bursts = 1 - curve(size, [(0, 0.1), (0.3, 0.4), (0.7, 0.6), (0.9, 0.95), (1, 0.95)]) * (0.5 - 0.5 * shake)
    shape = curve(size, [(0, 0), (0.05, 0.5), (0.2, 1), (0.7, 0.85), (0.85, 0.5), (0.97, 0.15), (1, 0)])
    call = call * bursts * shape
    total = np.concatenate([call, np.zeros(samples(0.3 + 0.7 * (params["snort"] > 0.7)))])
    if params["snort"] > 0.7:
        puff = snort(rng, rng.uniform(0.4, 0.7), params["flutter_hz"])
        place(total, puff, call.size - samples(0.05), 0.15)
    yard = reverberated(total, rng, 0.6, params["yard"])
    return event(on_location(yard, rng, 0.004, LEAVES), n, 0.01, 0.12)


HOOF_BEATS = (
    ((0.0, 0.012, 0.5, 0.512), (1.25, 1.5)),  # trot: diagonal pairs
    ((0.0, 0.25, 0.5, 0.75), (0.95, 1.15)),  # walk: four even beats
    ((0.0, 0.21, 0.225, 0.45), (1.55, 1.9)),  # canter: three beats and a rest
)
"""When the hooves come down, in strides (hind, fore, hind, fore), and strides a second of a riding horse."""

ROAD_AIR = ((60.0, -14.0), (250.0, -2.0), (900.0, -6.0), (4000.0, -20.0), (10_000.0, -36.0))
"""Hz, dB: what is heard in the open beside a road without traffic; no rumble."""

CAPSULE = ((1.0, 5.0, 1.0), (1.45, 5.0, 0.6), (2.2, 6.0, 0.45), (3.1, 7.0, 0.4), (4.4, 8.0, 0.2))
"""Modes of a hoof's horn, hollow below and full of flesh: ratio to the lowest, quality, gain."""


def hoof_step(params: Params, hertz: float, rng: Rng) -> Signal:
    """One step of 0.15 s, peak 1: heel, then toe, or flat; all that a shod hoof does on a road.

    The shoe grinds small stones under it, so that the horn is driven by many small knocks rather than by
    one; it rings hollow for some 30 ms. Iron clicks, the ground thuds, and the hoof slides before it stands.
    """
    size = samples(0.15)
    heel, toe = samples(0.002), samples(0.002 + params["roll"] * rng.uniform(0.3, 1.2))
    knocks = np.zeros(size)
    for at, gain in ((heel, rng.uniform(0.15, 0.55)), (toe, 1.0)):
        place(knocks, blow(params["contact"] * rng.uniform(0.8, 1.3), rng, 3), at, gain)
    stones = rng.standard_normal(size) * decay(size, params["grind"], 0.001)
    scale = params["stones"] * rng.uniform(0.5, 1.5) * np.sqrt(np.sum(knocks**2) / np.sum(stones**2))
    place(knocks, stones, heel, scale)
    quality = params["ring"] * rng.uniform(0.85, 1.15)
    horn = [(hertz * ratio, hertz * ratio / (q * quality), gain) for ratio, q, gain in CAPSULE]
    clop = resonated(knocks, [(f, width, gain * rng.uniform(0.6, 1.4)) for f, width, gain in horn])
    shoe = np.array([2300, 3400, 4900]) * rng.uniform(0.9, 1.1, 3)
    iron = modes(size, shoe, np.array([0.035, 0.03, 0.025]), np.array([1.0, 0.7, 0.4]), rng)
    click = band(size, rng, 1500, 4000, 12.0) * decay(size, 0.02, 0.0003)
    thud = band(size, rng, 70, 220, 9.0) * decay(size, 0.1, 0.003)
    slide = band(size, rng, 900, 4000, 9.0) * curve(size, [(0, 0), (0.09, 1), (0.3, 0.3), (0.75, 0), (1, 0)])
    parts = (
        (clop, 0, 1.0),
        (iron, toe, params["iron"] * rng.uniform(0.3, 1.5)),
        (click, toe, params["click"] * rng.uniform(0.5, 1.5)),
        (thud, heel, params["thud"] * rng.uniform(0.7, 1.3)),
        (slide, toe, params["slide"] * rng.uniform(0.2, 1.5)),
    )
    step = np.zeros(size)
    for part, at, gain in parts:
        place(step, faded(part / np.abs(part).max(), 0.0004, 0.02), at, gain)
    return np.asarray(faded(step / np.abs(step).max(), 0.0004, 0.03))


def _hooves(params: Params, n: int, rng: Rng) -> FloatArray:
    """Walk, trot or canter on hard ground: clip-clop of two pitches, fore hooves above hind ones."""
    beats, (slow, fast) = HOOF_BEATS[min(int(params["gait"]), len(HOOF_BEATS) - 1)]
    rate = slow + (fast - slow) * (params["rate"] - 0.9) / 0.4
    strides = round(params["strides"] * rate)
    total = np.zeros(samples(strides / rate - 0.08))
    pitches = params["hollow"] * np.array([0.84, 1.1, 0.95, 1.3]) * rng.uniform(0.95, 1.05, 4)
    weights = np.array([0.75, 1.0, 0.7, 0.95])  # the fore hooves bear more
    for stride in range(strides):
        for hoof, beat in enumerate(beats):
            at = (stride + beat - params["lilt"] * (hoof % 2) + rng.normal(0, 0.008)) / rate
            step = hoof_step(params, pitches[hoof] * rng.uniform(0.95, 1.05), rng)
            place(total, step, samples(max(0.0, at)), weights[hoof] * rng.uniform(0.7, 1.0))
    road = reverberated(total, rng, 0.5, params["street"], 5000.0)
    return event(on_location(road, rng, params["air"], ROAD_AIR), n, 0.0005, 0.1)


MODELS = (
    SoundModel(
        "mammal.horse",
        "horse_neigh",
        "event",
        "A laryngeal whistle of 1.2–1.8 kHz and folds of 430–600 Hz chopping it, shaken 8–12 times a second "
        "(Briefer et al. 2015).",
        drawn(
            squeal=(1250, 1800),
            f0=(430, 600),
            seconds=(1.15, 1.75),
            shake_hz=(8, 12),
            onset=(0.18, 0.32),
            low=(1.5, 2.6),
            breath=(0.1, 0.3),
            snort=(0.0, 1.0),
            flutter_hz=(16, 26),
            yard=(0.1, 0.3),
        ),
        _neigh,
        (1.0, 3.0),
    ),
    SoundModel(
        "mammal.hooves",
        "horse_hooves",
        "event",
        "Gaits of 2, 3 and 4 beats; heel and toe knock, the damped horn rings for 30 ms at 0.5–1.1 kHz "
        "(Farnell 2010).",
        drawn(
            gait=(0.5, 2.25),
            strides=(4.4, 6.4),
            rate=(0.9, 1.3),
            lilt=(0.0, 0.03),
            hollow=(550, 850),
            ring=(1.0, 1.5),
            contact=(0.0007, 0.0011),
            grind=(0.02, 0.05),
            stones=(0.05, 0.35),
            roll=(0.005, 0.015),
            iron=(0.03, 0.15),
            click=(0.06, 0.2),
            thud=(0.04, 0.16),
            slide=(0.02, 0.07),
            air=(0.02, 0.04),
            street=(0.02, 0.08),
        ),
        _hooves,
        (0.0, 0.05),
    ),
)
