"""Blasts and collapses: pressure waves and their echoes, and great things that break."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ssv2a.soundbank.breakage import darkening, rung, sparse, stick_slip
from ssv2a.soundbank.dsp import (
    LEAVES,
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
    impulses,
    lowpass,
    modes,
    on_location,
    phase,
    place,
    reverberated,
    risen,
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
    (45.0, 0.5, 0.4),
    (90.0, 0.8, 0.36),
    (180.0, 0.9, 0.32),
    (360.0, 1.0, 0.28),
    (720.0, 1.0, 0.24),
    (1440.0, 0.9, 0.2),
    (2880.0, 0.8, 0.16),
    (5760.0, 0.7, 0.12),
)


def n_wave(n: int, seconds: float) -> Signal:
    """A supersonic bullet's shock [n]: from +1 straight down to −1 in 0.2–0.4 ms, then none (Maher 2007)."""
    t = np.arange(n) / (seconds * SAMPLE_RATE)
    return np.asarray(np.where(t < 1, 1 - 2 * t, 0.0), dtype=np.float64)


def report(params: Params, rng: Rng) -> Signal:
    """One shot, peak 1: bullet's crack where it flies by, muzzle blast, ground's bounce, boom of the gases.

    A close microphone is overdriven by the first 10 ms or so, which is how shots are known from recordings.
    """
    size, far = samples(0.6), params["far"]
    at = samples(max(0.0, params["lead"]))  # a listener down the range hears the bullet before the gun
    front = lowpass(friedlander(size, params["blast"]), 15_000 * (1 - 0.75 * far))
    dry = np.zeros(size)
    place(dry, front, at)
    place(dry, lowpass(front, 6000), at + samples(rng.uniform(0.001, 0.006)), 0.6)
    place(dry, lowpass(friedlander(size, params["gas"]), 900), at, 0.8)
    jet = [(hertz, gain, 0.045) for hertz, gain, _ in _MUZZLE[2:]]  # gases rush out behind the bullet
    place(dry, darkening(size - at, rng, jet, 0.0006), at, 0.65)
    place(dry, darkening(size - at, rng, _MUZZLE, 0.002), at, 0.16)
    if at > samples(0.004):
        place(dry, lowpass(n_wave(size, rng.uniform(0.0002, 0.0004)), 14_000), 0, 0.9)
        place(
            dry, darkening(size, rng, [(1000, 0.5, 0.05), (2000, 1, 0.05), (4000, 1, 0.04)], 0.0005), 0, 0.12
        )
    return np.asarray(np.tanh(3.0 * (1 - 0.6 * far) * dry), dtype=np.float64)


def landscape(params: Params, shot: Signal, rng: Rng) -> Signal:
    """What ground, trees and walls give back of a shot: a first scatter, single dull echoes, a dark tail."""
    size = samples(params["echo"] + 0.6)
    near = scattered(samples(0.16), rng, 220)
    fading = 0.15 * 10 ** (-near / samples(0.16))
    answer = impulses(size, near + samples(0.008), fading * rng.normal(0, 1, near.size))
    heard = np.zeros(size)
    place(heard, shot, 0)
    heard = heard + convolved(lowpass(heard, 3500.0), answer)
    smear = np.abs(rng.standard_normal(samples(0.05))) * decay(samples(0.05), 0.05, 0.004)
    dull = convolved(lowpass(shot, 1400.0), smear / smear.sum())
    for _ in range(int(rng.integers(2, 6))):
        at = rng.uniform(0.1, 0.75) * params["echo"]
        place(heard, dull, samples(at), rng.uniform(0.8, 2.2) * 10 ** (-0.8 * at / params["echo"]))
    octaves = [(60.0 * 2**k, 0.93**k, params["echo"] * 0.87**k) for k in range(7)]
    return heard + 0.24 * params["place"] * darkening(size, rng, octaves, 0.012)


def _gunshot(params: Params, n: int, rng: Rng) -> FloatArray:
    """Muzzle blast: a Friedlander wave of a millisecond and the gases' boom, then echoes that darken."""
    shots = round(params["shots"])
    total = np.zeros((2, samples(shots * 1.3 * params["gap"] + params["echo"] + 0.6)))
    at = end = 0.0
    for _ in range(shots):
        shot, end = report(params, rng), at + params["echo"] + 0.6
        for ear in total:
            place(ear, landscape(params, shot, rng), samples(at))
        at += params["gap"] * rng.uniform(0.8, 1.3)
    total = np.stack([on_location(ear, rng, 0.001) for ear in total[:, : samples(end)]])
    return event(total, n, 0.0002, 0.3)


def _squeal(params: Params, rng: Rng) -> Signal:
    """Locked tyres: tread blocks stick and slip at 700–1 300 Hz, each tyre for itself; rubber scrubs."""
    size = samples(params["skid"])
    course = params["squeal"] * curve(size, [(0, 0.9), (0.3, 1.05), (1, 0.85)])
    total = 0.8 * shaped(size, rng, [(150, -12), (700, 0), (1500, -3), (4000, -14), (12_000, -32)])
    for apart in (1.0, rng.uniform(1.15, 1.4)):
        unsteady = 0.04 * walk(size, rng, 9.0) + 0.05 * walk(size, rng, 90.0) + 0.06 * walk(size, rng, 350.0)
        phi = phase(course * apart * (1 + unsteady))
        tone = np.sin(phi) + 0.5 * np.sin(2 * phi + 1.0) + 0.25 * np.sin(3 * phi)
        total += unit(tone) * (0.7 + 0.4 * walk(size, rng, 12.0)) / apart**2
    rough = 1 + 0.4 * walk(size, rng, 60.0)
    return np.asarray(total * rough * curve(size, [(0, 0), (0.1, 0.8), (0.8, 1), (1, 0.9)]))


def _blow(rng: Rng, size: int) -> Signal:
    """A car's body stopped short: a dull blow of the whole frame, panels that fold, cracking plastic."""
    octaves = [
        (30, 0.9, 0.6),
        (60, 1.3, 0.55),
        (120, 1.2, 0.45),
        (240, 0.9, 0.35),
        (480, 0.6, 0.25),
        (960, 0.35, 0.18),
    ]
    frame = darkening(size, rng, octaves, 0.004)
    ring = modes(size, *body(rng, 55, 420, 14, 0.4, 0.4, -3.0), rng)
    ring = risen(ring, 0.004)
    folding = curve(size, [(0, 0.7), (0.04, 1), (0.12, 0.7), (0.35, 0.3), (0.65, 0.08), (1, 0)])
    crush = shaped(size, rng, [(60, -5), (150, 0), (450, -2), (1300, -9), (4000, -20), (12_000, -40)])
    crush *= folding * (0.25 + walk(size, rng, 80.0, 0, 1.2) ** 2) * (0.6 + walk(size, rng, 22.0, 0, 0.8))
    panels = sparse(size, rng, 320 * folding, rung(rng, 90, 2600, (0.012, 0.08), 30, 40), 1.9)
    snaps = sparse(size, rng, 260 * folding, rung(rng, 700, 6000, (0.003, 0.014), 8, 24), 1.7)
    parts = ((frame, 0.9), (unit(ring), 0.25), (unit(crush), 0.7), (unit(panels), 0.5), (unit(snaps), 0.1))
    return np.asarray(sum(gain * part for part, gain in parts), dtype=np.float64)


def pressed(x: Signal, share: float) -> Signal:
    """Press loud peaks together, smoothly: a `share` of the samples lies above tanh(1) of the limit."""
    return np.asarray(np.tanh(x / max(float(np.quantile(np.abs(x), 1 - share)), 1e-9)))


def _car_crash(params: Params, n: int, rng: Rng) -> FloatArray:
    """Tyres squeal, then blows on the body, sheet metal that folds, glass, and parts that come to rest."""
    skid, size = samples(params["skid"]), samples(2.4)
    total = np.zeros(skid + size)
    place(total, _squeal(params, rng), 0, 0.12)
    place(total, _blow(rng, samples(1.4)), skid, 1.4)
    again = rng.uniform(0.16, 0.5)
    for _ in range(round(params["blows"])):  # it is thrown on: kerb, wall, other car
        place(total, _blow(rng, samples(1.0)), skid + samples(again), rng.uniform(0.35, 0.8))
        again += rng.uniform(0.2, 0.5)
    spread = curve(size, [(0, 0), (0.02, 0.6), (0.06, 1), (0.22, 0.35), (0.5, 0.08), (1, 0)])
    shards = sparse(size, rng, 520 * spread, rung(rng, 2200, 11_000, (0.005, 0.06), 5, 60), 2.1)
    place(total, unit(shards), skid + samples(0.04), params["glass"])
    rest = curve(size, [(0, 0), (0.12, 1), (0.35, 0.5), (0.7, 0.15), (1, 0)])
    parts = sparse(size, rng, 45 * rest, rung(rng, 150, 3500, (0.012, 0.09), 18, 40), 2.0)
    place(total, unit(parts), skid, params["metal"])
    street = reverberated(pressed(total, 0.01), rng, 0.9, 0.25, 2500.0)
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
        dull = [(low / 6, -24.0), (low, 0.0), (4500.0, -2.0), (9000.0, -9.0), (18_000.0, -26.0)]
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
    for seconds in np.geomspace(0.008, longest, 10):  # sudden, then tearing on
        rise = rng.uniform(0.02, 0.12)
        points = [(0, 0), (rise, 1), (rise + 0.15, rng.uniform(0.3, 0.6)), (0.55, 0.12), (1, 0)]
        shapes.append((seconds / longest) ** 0.5 * curve(samples(seconds), points))
    return sparse(rate.size, rng, rate, shapes, 1.5)


def timber(rng: Rng, lowest: float) -> Signal:
    """What a trunk answers to a snap: broad modes above `lowest` Hz that die within 40 ms."""
    size = samples(0.06)
    ring = modes(size, *body(rng, lowest, 4000, 40, 0.04, 0.5, 0.0), rng)
    return np.asarray(risen(ring, 0.0006) / np.sqrt(np.square(ring).sum()))


def breaking(rng: Rng, force: Signal, snaps: Sequence[Signal], trunk: Signal) -> Signal:
    """Wood that breaks with this force [n]: fibres snap 40 to 1 200 times a second and knock the timber."""
    force = force / (1 + 0.5 * force)
    fibres = sparse(force.size, rng, 40.0 + 1160.0 * force.clip(0.0, 1.0), snaps, 1.7) * (0.04 + force)
    return np.asarray(fibres + 0.5 * convolved(fibres, trunk))


def _creaking(params: Params, n: int, rng: Rng) -> Signal:
    """The trunk bends in bouts: fibres stick and slip, a dry rattle of 5–30 a second over a low groan."""
    bouts = np.maximum(0, walk(n, rng, 2.5) + 0.1)
    slips = curve(n, [(0, 9), (1, 22)]) * (0.6 + bouts) * (1 + 0.5 * walk(n, rng, 9.0))
    times = crossings(np.cumsum(slips) / SAMPLE_RATE)
    times = times + rng.normal(0, 0.2, times.size) * np.diff(times, append=n)
    slip = [
        modes(samples(0.03), *body(rng, 400 / params["trunk"], 5000, 30, 0.02, 0.4, -1.0), rng)
        for _ in range(5)
    ]
    rattle = unit(cloud(n, rng, times, bouts[times.astype(np.int64).clip(0, n - 1)] ** 1.5, slip))
    pull = curve(n, [(0, 55), (0.6, 75), (1, 110)]) / params["trunk"]
    wood = [(float(f), 0.16 * float(f), 1.0) for f in np.array([190, 340, 610, 1150]) / params["trunk"]]
    groan = stick_slip(n, rng, pull * (1 + 0.2 * walk(n, rng, 4.0) + 0.08 * walk(n, rng, 25.0)), wood)
    swell = np.maximum(0, walk(n, rng, 3.0) + 0.2) * (1 + 0.4 * walk(n, rng, 18.0))
    return rattle + 0.9 * unit(groan * swell)


def _tearing(
    params: Params, lean: int, fall: int, snaps: Sequence[Signal], trunk: Signal, rng: Rng
) -> Signal:
    """The hinge of wood tears: creaks and cracks that come ever closer, then the last break."""
    ending = curve(fall, [(0, 25), (0.4, 12), (1, 20)])  # it brushes through its neighbours
    rate = np.concatenate([failing(params["lean"], params["cracks"], 55.0), ending])
    swell = np.concatenate([curve(lean, [(0, 0.5), (1, 1)]), curve(fall, [(0, 1), (0.5, 0.5), (1, 0.4)])])
    force = avalanches(rng, 0.7 * rate, 0.2) * swell
    force += 0.05 * swell * (0.5 + walk(lean + fall, rng, 14.0, 0, 1) ** 2)  # single fibres go all the time
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
    return np.asarray(2.0 * air * speed**1.5 * flutter + 1.5 * params["leaves"] * leaves, dtype=np.float64)


def _tree_fall(params: Params, n: int, rng: Rng) -> FloatArray:
    """The hinge cracks ever faster, the crown rushes down through the air, strikes, breaks and settles."""
    snaps, trunk, rest = splinters(rng), timber(rng, 170 / params["trunk"]), samples(2.2)
    lean, fall = samples(params["lean"]), samples(params["fall"])
    size, ground = lean + fall + rest, lean + fall
    near = np.zeros(size)
    place(near, _tearing(params, lean, fall, snaps, trunk, rng), 0)
    low = [(28, 1.0, 0.6), (56, 1.3, 0.5), (112, 1.0, 0.35), (224, 0.5, 0.22), (448, 0.2, 0.15)]
    rebound = ground + samples(rng.uniform(0.22, 0.4))
    place(near, darkening(rest, rng, low, 0.02), ground, params["thud"])
    place(near, darkening(rest, rng, low, 0.03), rebound, 0.3 * params["thud"])
    settle = curve(rest, [(0, 15), (0.15, 60), (0.35, 18), (0.6, 7), (0.8, 3), (1, 2)]) * params["boughs"]
    ears = []
    for _ in range(2):
        ear = near.copy()
        boughs = avalanches(rng, settle, 0.16) * curve(rest, [(0, 0.8), (0.15, 1), (0.5, 0.5), (1, 0.3)])
        shatter = curve(
            rest, [(0, 0), (0.12, 0.15), (0.16, 1), (0.22, 0.7), (0.36, 0.2), (0.6, 0.03), (1, 0)]
        )
        boughs += params["boughs"] * shatter * (0.5 + walk(rest, rng, 18.0, 0, 1))
        broken = breaking(rng, boughs, snaps, trunk)
        place(ear, broken, ground - samples(0.35), 1.4)  # the crown touches ground before the trunk
        place(ear, _crown(params, fall, rest, rng), lean)
        ears.append(on_location(reverberated(ear, rng, 0.8, 0.2, 4000.0), rng, 0.0025, LEAVES))
    return event(pressed(np.stack(ears), 0.002), n, 0.005, 0.5)


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
        "Muzzle blast: a Friedlander wave of 0.3–0.9 ms, boom, a bullet's N-wave (Maher 2007), a dark tail.",
        drawn(
            shots=(0.6, 3.4),
            gap=(0.35, 1.1),
            blast=(0.0003, 0.0009),
            gas=(0.0025, 0.006),
            lead=(-0.12, 0.06),
            echo=(1.0, 2.4),
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
        drawn(skid=(0.25, 1.3), squeal=(700, 1300), blows=(0.6, 3.4), metal=(0.15, 0.35), glass=(0.25, 0.5)),
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
