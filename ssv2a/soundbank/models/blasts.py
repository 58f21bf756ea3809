"""Blasts and collapses: pressure waves and their echoes, and great things that break."""

from __future__ import annotations

import numpy as np

from ssv2a.soundbank.breakage import darkening, rung, sparse, stick_slip
from ssv2a.soundbank.dsp import (
    Rng,
    Signal,
    band,
    curve,
    drawn,
    event,
    lowpass,
    on_location,
    phase,
    place,
    reverberated,
    samples,
    scattered,
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


def _crack(rng: Rng) -> Signal:
    """Wood splits: a run of snaps within 10–60 ms over the trunk's modes."""
    size = samples(0.25)
    burst = curve(size, [(0, 1), (rng.uniform(0.05, 0.25), 0.3), (0.4, 0), (1, 0)])
    snaps = sparse(size, rng, 700 * burst, rung(rng, 700, 7000, (0.003, 0.012), 4, 12), 1.6)
    trunk = rung(rng, 120, 900, (0.03, 0.12), 7, 1)[0]
    snaps[: min(size, trunk.size)] += 0.5 * trunk[:size]
    return unit(snaps)


def _tree_fall(params: Params, n: int, rng: Rng) -> FloatArray:
    """Fibres creak and crack ever faster, the crown rushes down through the air and strikes the ground."""
    lean, fall, rest = params["lean"], params["fall"], 1.6
    size, ground = samples(lean + fall + rest), samples(lean + fall)
    total, start = np.zeros(size), samples(lean + fall)
    rate = curve(start, [(0, 22), (0.5, 45), (1, 130)]) * (1 + 0.3 * walk(start, rng, 5.0))
    trunk = [
        (hertz * params["trunk"], 0.12 * hertz, gain) for hertz, gain in ((310, 1.0), (690, 0.7), (1450, 0.5))
    ]
    creak = stick_slip(start, rng, rate, trunk) * (0.2 + walk(start, rng, 3.0, 0, 1) ** 2)
    place(total, creak * curve(start, [(0, 0), (0.2, 0.6), (0.7, 1), (1, 0.2)]), 0, 0.35)
    for at in scattered(start, rng, params["cracks"]):
        place(total, _crack(rng), int(at), rng.uniform(0.3, 1.0) * (0.5 + at / start))
    rush = shaped(samples(fall + 0.4), rng, [(150, -12), (600, -2), (2000, 0), (6000, -6), (14_000, -22)])
    rush *= curve(rush.size, [(0, 0), (0.5, 0.25), (0.85, 1), (1, 0.3)])
    place(total, rush * (0.7 + 0.3 * walk(rush.size, rng, 20.0)), samples(lean), 0.5)
    after = size - ground
    thud = darkening(after, rng, [(30, 1.2, 0.6), (60, 1.4, 0.5), (120, 1.0, 0.35), (240, 0.6, 0.25)], 0.006)
    twigs = curve(after, [(0, 1), (0.1, 0.7), (0.4, 0.2), (1, 0)])
    snaps = sparse(after, rng, 200 * twigs, rung(rng, 900, 6000, (0.004, 0.02), 3, 24), 1.6)
    leaves = band(after, rng, 1200, 6000, 9.0) * twigs * (0.4 + walk(after, rng, 50.0, 0, 1) ** 2)
    place(total, 1.5 * thud + 0.5 * unit(snaps) + 0.5 * leaves, ground)
    wood = reverberated(total, rng, 1.3, 0.25, 3000.0)
    return event(on_location(wood, rng, 0.006), n, 0.02, 0.4)


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
        "Stick-slip creaks and snaps of splitting fibres speed up; the crown's air noise; ground and twigs.",
        drawn(lean=(0.8, 2.0), fall=(0.8, 1.6), trunk=(0.7, 1.3), cracks=(3, 8)),
        _tree_fall,
        (1.5, 4.0),
    ),
)
