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
    shaped,
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
    ((0.0, 0.012, 0.5, 0.512), (1.2, 1.5)),  # trot: diagonal pairs
    ((0.0, 0.25, 0.5, 0.75), (0.9, 1.3)),  # walk: four even beats
    ((0.0, 0.2, 0.24, 0.44), (1.6, 2.0)),  # canter: three beats and a rest
)
"""When the hooves come down, in strides (hind, fore, hind, fore), and strides a second of a riding horse."""


def _hoof(params: Params, hertz: float, rng: Rng) -> Signal:
    """One hoof: the hollow under it rings as heel, then toe come down; iron clicks, the ground thuds."""
    size = samples(0.2)
    ratio = np.array([1, 1.48, 2.1, 2.9])
    ring = params["ring"] * np.array([0.06, 0.04, 0.03, 0.02])
    touch = np.zeros(samples(0.04))
    touch[0] = rng.uniform(0.2, 0.5)
    touch[samples(params["roll"] * rng.uniform(0.8, 1.2))] += 1.0
    cup = modes(size, hertz * ratio, ring, np.array([1, 0.5, 0.3, 0.15]), rng)
    iron = modes(size, np.array([2100, 3100]) * rng.uniform(0.9, 1.1), np.full(2, 0.015), np.ones(2), rng)
    thud = band(size, rng, 60, 250, 9.0) * decay(size, 0.12, 0.004)
    grit = shaped(size, rng, [(300, -10), (900, 0), (2500, -6), (9000, -26)]) * decay(size, 0.08, 0.003)
    parts = ((cup, 1.0), (iron, params["iron"]), (thud, params["thud"]), (grit, params["grit"]))
    hit = sum(gain * faded(part / np.abs(part).max(), 0.0008, 0.02) for part, gain in parts)
    return convolved(np.asarray(hit), touch)


def _hooves(params: Params, n: int, rng: Rng) -> FloatArray:
    """Walk, trot or canter on hard ground: clip-clop of two pitches, fore hooves above hind ones."""
    beats, (slow, fast) = HOOF_BEATS[min(int(params["gait"]), len(HOOF_BEATS) - 1)]
    rate = slow + (fast - slow) * (params["rate"] - 0.9) / 0.4
    strides = round(params["strides"] * rate)
    total = np.zeros(samples(strides / rate + 0.5))
    pitches = params["hollow"] * np.array([0.85, 1.12, 0.9, 1.2]) * rng.uniform(0.95, 1.05, 4)
    hooves = [[_hoof(params, hertz * rng.uniform(0.94, 1.06), rng) for _ in range(3)] for hertz in pitches]
    for stride in range(strides):
        for hoof, beat in enumerate(beats):
            lilt = params["lilt"] * (hoof % 2)
            at = (stride + beat - lilt + rng.normal(0, 0.007)) / rate
            place(total, hooves[hoof][int(rng.integers(3))], samples(max(0.0, at)), rng.uniform(0.6, 1.0))
    road = reverberated(total, rng, 0.5, params["street"], 5000.0)
    return event(on_location(road, rng, params["air"]), n, 0.0005, 0.1)


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
        "Gaits of two, three and four beats; heel and toe strike, the hollow rings at 0.5–1.1 kHz "
        "(Farnell 2010).",
        drawn(
            gait=(0.4, 2.4),
            strides=(3.6, 5.4),
            rate=(0.9, 1.3),
            lilt=(0.0, 0.03),
            hollow=(550, 900),
            ring=(0.7, 1.2),
            roll=(0.008, 0.02),
            iron=(0.03, 0.15),
            thud=(0.2, 0.6),
            grit=(0.15, 0.45),
            air=(0.06, 0.1),
            street=(0.1, 0.35),
        ),
        _hooves,
        (0.1, 0.4),
    ),
)
