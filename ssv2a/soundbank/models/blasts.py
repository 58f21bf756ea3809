"""Blasts and collapses: pressure waves and their echoes, and great things that break."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ssv2a.soundbank.breakage import darkening, rung, sparse
from ssv2a.soundbank.dsp import (
    Rng,
    Signal,
    body,
    cloud,
    convolved,
    crossings,
    curve,
    decay,
    drawn,
    event,
    faded,
    lowpass,
    modes,
    on_location,
    phase,
    place,
    reverberated,
    samples,
    shaped,
    stereo,
    unit,
    walk,
)
from ssv2a.soundbank.model import Params, SoundModel
from ssv2a.types import SAMPLE_RATE, FloatArray


def friedlander(n: int, seconds: float) -> Signal:
    """A blast's pressure [n] at a fixed place: (1 − t/T)·exp(−t/T), T the time of overpressure."""
    t = np.arange(n) / (seconds * SAMPLE_RATE)
    return np.asarray((1 - t) * np.exp(-t), dtype=np.float64)


def _explosion(params: Params, n: int, rng: Rng) -> FloatArray:
    """Friedlander wave, a fireball's rumble that darkens, echoes from afar, then debris coming down."""
    size, far = samples(params["seconds"]), params["far"]

    def ear(rng: Rng) -> Signal:
        octaves = [
            (25.0 * 2**k, gain * 10 ** (-far * k / 10), params["seconds"] * share)
            for k, (gain, share) in enumerate(
                (
                    (0.8, 1.0),
                    (1.0, 0.9),
                    (1.0, 0.75),
                    (0.8, 0.6),
                    (0.55, 0.5),
                    (0.4, 0.4),
                    (0.3, 0.32),
                    (0.2, 0.25),
                )
            )
        ]
        fire = darkening(size, rng, octaves, 0.004 + 0.03 * far)
        fire *= 0.7 + 0.3 * walk(size, rng, 9.0) + 0.25 * walk(size, rng, 40.0)
        for _ in range(int(rng.integers(2, 6))):
            echo = darkening(size, rng, [(hertz, gain, 1.2) for hertz, gain, _ in octaves[:5]], 0.06)
            place(fire, echo, samples(rng.uniform(0.2, 0.6) * params["seconds"]), rng.uniform(0.1, 0.3))
        fall = curve(size, [(0, 0), (0.12, 0), (0.3, 1), (0.6, 0.4), (1, 0)])
        debris = sparse(size, rng, params["debris"] * fall, rung(rng, 300, 3500, (0.01, 0.05), 4, 20))
        return fire + 0.25 * (1 - 0.6 * far) * debris

    heard = stereo(ear, rng, 0.6)
    front = lowpass(friedlander(size, params["blast"]), 9000.0 * (1 - 0.8 * far))
    return event(np.tanh(0.6 * heard + 2.5 * (1 - 0.7 * far) * front), n, 0.0005, 0.5)


_MUZZLE = (  # gases and near ground: Hz, gain, seconds
    (70.0, 0.4, 0.25),
    (140.0, 0.7, 0.22),
    (300.0, 0.9, 0.2),
    (700.0, 1.0, 0.18),
    (1500.0, 1.0, 0.15),
    (3000.0, 0.9, 0.12),
    (6000.0, 0.8, 0.09),
)


def _gunshot(params: Params, n: int, rng: Rng) -> FloatArray:
    """Muzzle blast: a Friedlander wave of a millisecond, then single echoes and a darkening tail."""
    shots, far = round(params["shots"]), params["far"]
    total = np.zeros((2, samples(shots * params["gap"] + params["echo"] + 0.3)))
    at = 0.0
    for _ in range(shots):
        size = samples(params["echo"] + 0.2)
        body = darkening(size, rng, _MUZZLE, 0.0004)
        shot = 8.0 * lowpass(friedlander(size, params["blast"]), 14_000 * (1 - 0.6 * far)) + 0.5 * body
        for ear in total:
            tail = darkening(
                size, rng, [(150.0 * 2**k, 0.9**k, params["echo"] * 0.87**k) for k in range(6)], 0.02
            )
            heard = (1 - 0.5 * far) * shot + params["place"] * tail
            for _ in range(4):
                delay = samples(rng.uniform(0.06, 0.5))
                place(heard, lowpass(shot, rng.uniform(700, 2500)), delay, rng.uniform(0.05, 0.25))
            place(ear, heard, samples(at))
        at += params["gap"] * rng.uniform(0.8, 1.3)
    return event(np.tanh(0.5 * total), n, 0.0002, 0.3)


def _squeal(params: Params, rng: Rng) -> Signal:
    """Locked tyres: the tread blocks' stick-slip at 700–1 300 Hz, wavering, over scrubbing noise."""
    size = samples(params["skid"])
    rate = (
        params["squeal"] * curve(size, [(0, 0.9), (0.3, 1.05), (1, 0.85)]) * (1 + 0.04 * walk(size, rng, 9.0))
    )
    phi = phase(rate * (1 + 0.02 * walk(size, rng, 150.0)))
    tone = np.sin(phi) + 0.6 * np.sin(2 * phi + 1.0) + 0.35 * np.sin(3 * phi) + 0.5 * np.sin(1.32 * phi)
    scrub = shaped(size, rng, [(150, -12), (700, 0), (1500, -3), (4000, -14), (12_000, -32)])
    rough = 1 + 0.4 * walk(size, rng, 60.0)
    return np.asarray(
        (unit(tone) + 0.6 * scrub) * rough * curve(size, [(0, 0), (0.1, 0.8), (0.8, 1), (1, 0.9)])
    )


def _car_crash(params: Params, n: int, rng: Rng) -> FloatArray:
    """Tyres squeal, then a blow on the body, sheet metal that folds, glass, and parts that come to rest."""
    skid, size = samples(params["skid"]), samples(2.6)
    total = np.zeros(skid + size)
    place(total, _squeal(params, rng), 0, 0.22)
    thud = darkening(size, rng, [(40, 1.0, 0.5), (80, 1.2, 0.45), (160, 1.0, 0.35), (320, 0.7, 0.25)], 0.003)
    folding = curve(size, [(0, 1), (0.06, 0.7), (0.15, 0.25), (0.4, 0.05), (1, 0)])
    sheets = rung(rng, 140, 3800, (0.05, 0.3), 14, 16)
    metal = unit(sparse(size, rng, 160 * folding, sheets, 1.8))
    crunch = shaped(size, rng, [(100, -6), (400, 0), (1500, -2), (5000, -8), (14_000, -24)])
    crunch *= folding * (0.4 + walk(size, rng, 90.0, 0, 1) ** 2)
    spread = curve(size, [(0, 0), (0.02, 0.6), (0.08, 1), (0.25, 0.3), (0.7, 0.06), (1, 0)])
    shards = sparse(size, rng, 260 * spread, rung(rng, 2200, 12_000, (0.02, 0.12), 3, 24))
    place(total, thud, skid, 1.0)
    place(total, metal, skid, params["metal"])
    place(total, crunch, skid, 1.6)
    place(total, unit(shards), skid + samples(0.05), params["glass"])
    street = reverberated(np.tanh(total), rng, 0.9, 0.25, 4000.0)
    return event(on_location(street, rng, 0.006), n, 0.01, 0.3)


def _rubble(params: Params, n: int, rng: Rng) -> FloatArray:
    """Walls give way: a rumble of blocks, then ever smaller stones roll down, and dust."""
    size = samples(params["seconds"])

    def ear(rng: Rng) -> Signal:
        fall = curve(size, [(0, 0.2), (0.06, 1), (0.3, 0.8), (0.6, 0.3), (1, 0)])
        small = curve(size, [(0, 0.05), (0.2, 0.7), (0.45, 1), (0.75, 0.4), (1, 0)])
        blocks = sparse(size, rng, 26 * fall, rung(rng, 45, 260, (0.12, 0.4), 8, 14), 1.6)
        stones = sparse(size, rng, params["stones"] * fall, rung(rng, 250, 2400, (0.012, 0.05), 5, 24))
        gravel = sparse(size, rng, 3 * params["stones"] * small, rung(rng, 1200, 7000, (0.004, 0.015), 3, 30))
        rumble = darkening(size, rng, [(25, 1, 9), (50, 1, 9), (100, 0.8, 8), (200, 0.5, 7)], 0.05) * fall
        dust = shaped(size, rng, [(200, -14), (1000, -2), (3000, 0), (8000, -8), (16_000, -24)]) * small
        parts = (
            (unit(blocks), 1.0),
            (unit(stones), 0.8),
            (unit(gravel), 0.4),
            (unit(rumble), 0.8),
            (dust, 0.2),
        )
        return np.asarray(sum(gain * part for part, gain in parts), dtype=np.float64)

    return event(np.tanh(0.5 * stereo(ear, rng, 0.6)), n, 0.01, 0.4)


def splinters(rng: Rng, grains: int = 24) -> list[Signal]:
    """Single fibres of green wood that snap: a step of released stress, heard as a broadband click, 2–18 ms.

    The thicker the longer, lower and louder; wood damps its modes (loss factor about 0.03), no pitch is left.
    """
    snaps = []
    for seconds in np.geomspace(0.0015, 0.018, grains):
        size, low = samples(1.1 * seconds), 560.0 * (0.007 / seconds) ** 0.5 * rng.uniform(0.6, 1.4)
        dull = [(low / 6, -24.0), (low, 0.0), (3500.0, -3.0), (9000.0, -13.0), (18_000.0, -30.0)]
        tear = shaped(size, rng, dull)
        tear *= decay(size, seconds * rng.uniform(0.5, 1.0), 0.0001)
        wood = modes(size, *body(rng, 0.8 * low, 6500, 14, 0.8 * seconds, 0.4, -2.0), rng)
        snaps.append((seconds / 0.018) ** 0.4 * faded(unit(tear) + 0.7 * unit(wood), 0.0001, 0.0005))
    return snaps


def failing(seconds: float, first: float, last: float) -> Signal:
    """Fractures a second, per sample, of a beam about to give way: inverse to the time left (Voight 1989)."""
    left = 1 - np.arange(samples(seconds)) / samples(seconds)
    return np.asarray(first / (left + first / last), dtype=np.float64)


def avalanches(rng: Rng, rate: Signal, longest: float = 0.09) -> Signal:
    """How hard wood is breaking [n]: at `rate` a second bundles give way, each for 8 ms to `longest` seconds.

    The sizes follow a power law, as in crackling noise (Sethna, Dahmen & Myers 2001); the large last longer.
    """
    shapes = []
    for seconds in np.geomspace(0.008, longest, 10):
        rise = rng.uniform(0.05, 0.35)
        points = [(0, 0), (rise, 1), (rise + 0.15, rng.uniform(0.3, 0.8)), (0.7, 0.15), (1, 0)]
        shapes.append((seconds / longest) ** 0.5 * curve(samples(seconds), points))
    return sparse(rate.size, rng, rate, shapes, 1.5)


def timber(rng: Rng, lowest: float) -> Signal:
    """What a trunk answers to a snap: broad modes above `lowest` Hz that die within 40 ms."""
    size = samples(0.06)
    ring = modes(size, *body(rng, lowest, 4000, 40, 0.04, 0.5, 0.0), rng)
    return np.asarray(ring * np.minimum(1, np.arange(size) / 30) / np.sqrt(np.square(ring).sum()))


def breaking(rng: Rng, force: Signal, snaps: Sequence[Signal], trunk: Signal) -> Signal:
    """Wood that breaks with this force [n]: fibres snap 40 to 1 200 times a second and knock the timber."""
    force = force / (1 + 0.5 * force)
    fibres = sparse(force.size, rng, 40.0 + 1160.0 * force.clip(0.0, 1.0), snaps, 1.7) * (0.04 + force)
    return np.asarray(fibres + 0.5 * convolved(fibres, trunk))


def _creaking(params: Params, n: int, rng: Rng) -> Signal:
    """The trunk bends in bouts: fibres stick and slip 8–35 times a second, every slip one dry click."""
    bouts = np.maximum(0, walk(n, rng, 2.5) + 0.1)
    slips = curve(n, [(0, 9), (1, 22)]) * (0.6 + bouts) * (1 + 0.5 * walk(n, rng, 9.0))
    times = crossings(np.cumsum(slips) / SAMPLE_RATE)
    times = times + rng.normal(0, 0.2, times.size) * np.diff(times, append=n)
    slip = [
        modes(samples(0.03), *body(rng, 400 * params["trunk"], 5000, 30, 0.02, 0.4, -1.0), rng)
        for _ in range(5)
    ]
    return unit(cloud(n, rng, times, bouts[times.astype(np.int64).clip(0, n - 1)] ** 1.5, slip))


def _tearing(
    params: Params, lean: int, fall: int, snaps: Sequence[Signal], trunk: Signal, rng: Rng
) -> Signal:
    """The hinge of wood tears: creaks and cracks that come ever closer, then the last break."""
    ending = curve(fall, [(0, 25), (0.4, 8), (1, 6)])
    rate = np.concatenate([failing(params["lean"], params["cracks"], 55.0), ending])
    swell = np.concatenate([curve(lean, [(0, 0.5), (1, 1)]), curve(fall, [(0, 1), (0.5, 0.5), (1, 0.4)])])
    force = avalanches(rng, rate) * swell
    last = avalanches(rng, curve(samples(0.3), [(0, 150), (1, 30)]), 0.06)
    place(force, last, lean - samples(0.1), 0.8)
    creak = _creaking(params, lean, rng) * curve(lean, [(0, 0), (0.1, 1), (1, 0.8)])
    torn = breaking(rng, force, snaps, trunk)
    place(torn, creak, 0, params["groan"])
    return torn


def _crown(params: Params, fall: int, rest: int, rng: Rng) -> Signal:
    """Leaves and twigs rush through the air, the louder the faster, and are crushed on the ground."""
    size = fall + rest
    toppling = np.sinh(curve(fall, [(0, 0.1), (1, 2.5)])) / np.sinh(2.5)  # an upturned pendulum
    speed = np.concatenate([toppling, curve(rest, [(0, 1), (0.04, 0), (1, 0)])])
    crushed = curve(rest, [(0, 0), (0.12, 0.6), (0.2, 1), (0.4, 0.5), (0.7, 0.2), (1, 0)])
    crush = np.zeros(size)
    place(crush, crushed, fall - samples(0.4))
    air = shaped(size, rng, [(100, -24), (400, -6), (1200, 0), (3000, -1), (7000, -9), (15_000, -26)])
    stir = 0.4 * speed**2 + crush
    leaf = [
        shaped(samples(s), rng, [(400, -16), (1500, 0), (4500, 0), (9000, -9), (16_000, -24)])
        * decay(samples(s), s, 1e-4)
        for s in np.geomspace(0.002, 0.008, 12)
    ]
    leaves = sparse(size, rng, 30 + 900 * stir, leaf, 1.8) * (0.2 + stir)
    flutter = 0.5 + 0.5 * walk(size, rng, 16.0) * walk(size, rng, 45.0)
    return np.asarray(1.3 * air * speed**1.5 * flutter + params["leaves"] * leaves, dtype=np.float64)


def _tree_fall(params: Params, n: int, rng: Rng) -> FloatArray:
    """The hinge cracks ever faster, the crown rushes down through the air, strikes, breaks and settles."""
    snaps, trunk, rest = splinters(rng), timber(rng, 170 * params["trunk"]), samples(2.2)
    lean, fall = samples(params["lean"]), samples(params["fall"])
    size, ground = lean + fall + rest, lean + fall
    near = np.zeros(size)
    place(near, _tearing(params, lean, fall, snaps, trunk, rng), 0)
    low = [(28, 1.0, 0.6), (56, 1.3, 0.5), (112, 1.0, 0.35), (224, 0.5, 0.22), (448, 0.2, 0.15)]
    rebound = ground + samples(rng.uniform(0.22, 0.4))
    place(near, darkening(rest, rng, low, 0.02), ground, params["thud"])
    place(near, darkening(rest, rng, low, 0.03), rebound, 0.3 * params["thud"])
    settle = curve(rest, [(0, 8), (0.15, 35), (0.35, 18), (0.6, 7), (0.8, 3), (1, 2)]) * params["boughs"]
    ears = []
    for _ in range(2):
        ear = near.copy()
        boughs = avalanches(rng, settle, 0.1) * curve(rest, [(0, 0.8), (0.15, 1), (0.5, 0.5), (1, 0.3)])
        broken = breaking(rng, boughs, snaps, trunk)
        place(ear, broken, ground - samples(0.35))  # the crown touches ground before the trunk
        place(ear, _crown(params, fall, rest, rng), lean)
        ears.append(on_location(reverberated(ear, rng, 0.9, 0.08, 3000.0), rng, 0.001))
    return event(np.tanh(0.06 * np.stack(ears)), n, 0.005, 0.5)


MODELS = (
    SoundModel(
        "blast.explosion",
        "explosion",
        "event",
        "Blast wave (1 − t/T)·exp(−t/T) (Friedlander 1946), a fireball's noise that darkens, echoes, debris.",
        drawn(seconds=(2.2, 4.5), blast=(0.012, 0.04), far=(0, 1), debris=(30, 160)),
        _explosion,
        (1.5, 5.0),
    ),
    SoundModel(
        "blast.gunshot",
        "gunshot",
        "event",
        "Muzzle blast: a Friedlander wave of 0.3–0.9 ms (Maher 2007), single echoes, a tail that darkens.",
        drawn(
            shots=(0.6, 3.4),
            gap=(0.35, 1.1),
            blast=(0.0003, 0.0009),
            echo=(1.0, 2.2),
            place=(0.3, 0.7),
            far=(0, 0.9),
        ),
        _gunshot,
        (1.0, 4.0),
    ),
    SoundModel(
        "blast.car_crash",
        "car_crash",
        "event",
        "Tyres stick and slip at 700–1 300 Hz, a blow, struck modes of folding metal, shards "
        "(PhISEM, Cook 1997).",
        drawn(skid=(0.25, 1.3), squeal=(700, 1300), metal=(0.5, 1.1), glass=(0.2, 0.6)),
        _car_crash,
        (1.5, 4.0),
    ),
    SoundModel(
        "blast.rubble",
        "rubble_collapse",
        "event",
        "Poisson impacts of stones whose modes lie the higher the smaller they are; the large fall first.",
        drawn(seconds=(2.5, 5.0), stones=(60, 160)),
        _rubble,
        (1.5, 4.0),
    ),
    SoundModel(
        "blast.tree",
        "tree_fall",
        "event",
        "Fibres snap at a rate inverse to the time left (Voight 1989), sizes by a power law; crown, ground.",
        drawn(
            lean=(1.0, 2.2),
            fall=(0.9, 1.7),
            cracks=(8, 18),
            trunk=(0.75, 1.3),
            groan=(0.3, 0.9),
            leaves=(1.0, 2.2),
            boughs=(0.6, 1.3),
            thud=(4.0, 8.0),
        ),
        _tree_fall,
        (1.5, 4.0),
    ),
)
