"""Doors: latch, hinge and leaf."""

from __future__ import annotations

import numpy as np

from ssv2a.soundbank.dsp import (
    Rng,
    Signal,
    band,
    blow,
    body,
    convolved,
    crossings,
    curve,
    decay,
    drawn,
    event,
    faded,
    impulses,
    modes,
    on_location,
    place,
    reverberated,
    risen,
    samples,
    scattered,
    shaped,
    unit,
    walk,
)
from ssv2a.soundbank.model import Params, SoundModel
from ssv2a.soundbank.models.impacts import peaked
from ssv2a.types import SAMPLE_RATE, FloatArray


def creak(n: int, rng: Rng, pitch: Signal, loose: float) -> Signal:
    """Hinge [n], unit RMS: it sticks and slips `pitch` times a second; each slip rings pin and leaf.

    Args:
        n: length in samples.
        rng: draws the hinge's resonances and the slips' strength.
        pitch: slips a second, per sample; it rises with the speed of the door.
        loose: irregularity of the slips, 0..0.3 of a period.
    """
    times = crossings(np.cumsum(pitch) / SAMPLE_RATE + rng.uniform())
    rate = pitch[np.minimum(times.astype(np.int64), n - 1)]
    times = times + loose * SAMPLE_RATE / rate * rng.standard_normal(times.size)
    slips = impulses(n, times, rng.uniform(0.5, 1.0, times.size) * (40 / rate) ** 0.5)
    pin = modes(samples(0.04), *body(rng, 500, 5200, 9, 0.035, 0.4, 0.5), rng)
    leaf = modes(samples(0.12), *body(rng, 110, 500, 6, 0.09, 0.5, 0.0), rng)
    place(leaf, pin, 0, 5.0)
    return unit(convolved(slips, convolved(leaf, blow(0.0002))))


def knocks(rng: Rng, size: int, contacts: int, within: float, seconds: float) -> Signal:
    """Force [size] of parts that meet: blows of some `seconds` each, most of them early in `within`."""
    force = np.zeros(size)
    place(force, blow(seconds), 0)
    for at in within * rng.beta(1.0, 1.7, contacts):
        place(force, blow(seconds * rng.uniform(0.7, 1.6)), samples(at), rng.uniform(0.15, 0.8))
    return force


def clack(rng: Rng, pitch: float, wood: Signal, seconds: float = 0.07) -> Signal:
    """A sprung tongue meets metal, peak 1: it bounces for 10–30 ms in a screwed-on case of many modes.

    Bolt, spring, case and screws play in each other: a dense burst of 0.4–15 kHz that is dry, and no tone.
    """
    size = samples(0.12)
    spectrum = modes(size, *body(rng, 0.45 * pitch, 15_000, 140, seconds, 0.25, rng.uniform(-2, 1)), rng)
    spectrum = risen(spectrum, 0.0003)
    force = knocks(rng, size, int(rng.integers(3, 8)), rng.uniform(0.01, 0.03), 0.00006)
    grit = rng.standard_normal(size) * decay(size, rng.uniform(0.02, 0.06), 0.001)
    force = force + 0.35 * grit * np.sqrt(np.sum(force**2) / np.sum(grit**2))
    metal = peaked(faded(convolved(force, spectrum), 0.0001, 0.01))
    place(metal, wood, 0, rng.uniform(0.15, 0.5))  # the leaf that it is screwed to sounds along
    return peaked(metal)


def latch(rng: Rng, pitch: float, wood: Signal) -> Signal:
    """A handle is turned, peak 1: its spring scrunches, the tongue is drawn, goes home in its case."""
    total = np.zeros(samples(0.42))
    turn = samples(rng.uniform(0.08, 0.16))
    spring = band(turn, rng, 900, 5500, 6.0) * walk(turn, rng, 120.0, 0, 1) ** 3
    place(total, peaked(faded(spring, 0.03, 0.02)), samples(0.02), 0.3)
    place(total, clack(rng, pitch * rng.uniform(0.9, 1.3), wood), 0, rng.uniform(0.1, 0.3))
    place(total, clack(rng, pitch, wood), samples(0.02) + turn, 1.0)
    place(
        total,
        clack(rng, 0.8 * pitch, wood),
        samples(0.02 + rng.uniform(0.03, 0.07)) + turn,
        rng.uniform(0.2, 0.6),
    )
    return peaked(total)


def leaf(rng: Rng, size: int, lowest: float, loss: float) -> Signal:
    """What a door's leaf answers to a knock [size], peak 1: the modes of a plate of 2 by 0.8 m.

    They lie at (m / 2)² + (n / 0.8)², as dense high as low, and die by 60 dB in 2.2 / (f·loss) seconds
    (Fletcher & Rossing 1998, ch. 3): a thud with grain and no note.
    """
    along, across = np.meshgrid(np.arange(1, 61), np.arange(1, 25))
    plate = np.sort((np.square(along / 2.0) + np.square(across / 0.8)).ravel())[:300]
    hertz = lowest * plate / plate[0] * rng.uniform(0.95, 1.05, plate.size)
    gains = rng.uniform(0.3, 1.0, hertz.size) * (hertz / lowest) ** -0.1
    return peaked(risen(modes(size, hertz, 2.2 / (hertz * loss), gains, rng), 0.0006))


def _slam(rng: Rng, params: Params, wood: Signal) -> Signal:
    """The tongue runs up its plate, the leaf meets the frame all round, the tongue snaps; peak about 1.

    It lasts 0.9 s; the frame is met after `_BOLT` seconds. Air pressed out of the gap moves the whole room.
    """
    size = samples(0.85)
    force = knocks(rng, size, int(rng.integers(12, 26)), params["bounce"], rng.uniform(0.0003, 0.0007))
    panel = peaked(convolved(force, leaf(rng, size, params["leaf"], params["loss"])))
    air = band(size, rng, 0.6 * params["leaf"], 1.5 * params["leaf"], 12.0) * decay(size, 0.3, 0.008)
    rub = samples(2.0 * params["bounce"])
    seal = (
        shaped(rub, rng, _SEAL) * decay(rub, 1.3 * rub / SAMPLE_RATE, 0.002) * walk(rub, rng, 300.0, 0.2, 1)
    )
    out = np.zeros(samples(_BOLT) + size)
    met = samples(_BOLT)
    place(out, panel, met, 1.0)
    place(out, peaked(air), met, params["air"])
    place(out, peaked(seal), met, params["crash"])
    place(
        out, clack(rng, params["lock"], wood), met - samples(rng.uniform(0.015, _BOLT)), 0.5 * params["snap"]
    )
    place(
        out, clack(rng, params["lock"], wood, 0.1), met + samples(rng.uniform(0.001, 0.012)), params["snap"]
    )
    at = rng.uniform(0.03, 0.06)
    for index in range(int(rng.integers(1, 4))):  # handle, keys and plates settle
        place(out, clack(rng, 1.2 * params["lock"], wood), met + samples(at), params["rattle"] * 0.6**index)
        place(out, panel[: samples(0.15)], met + samples(at), 0.2 * params["rattle"] * 0.6**index)
        at += rng.uniform(0.03, 0.08)
    return np.asarray(np.tanh(2.0 * out), dtype=np.float64)  # a microphone near a slam is driven hard


_BOLT = 0.05  # seconds for which the tongue may run over its plate before the leaf meets the frame
_SEAL = ((80, -14.0), (300, -3.0), (1000, 0.0), (3000, -3.0), (8000, -9.0), (16_000, -20.0))  # Hz, dB


def _swing(params: Params, size: int, rng: Rng, wood: Signal) -> Signal:
    """The leaf moves [size]: it comes free of its frame, some hinges creak, air follows."""
    total = np.zeros(size)
    pull = knocks(rng, samples(0.15), 4, 0.03, 0.0012)
    place(total, peaked(convolved(pull, wood)), 0, params["free"])
    if params["creak"] > 0.5:
        speed = curve(size, [(0, 0.12), (0.25, 0.6), (0.5, 1.0), (0.75, 0.6), (1, 0.2)])
        groan = creak(size, rng, params["squeal"] * speed * (1 + 0.2 * walk(size, rng, 5.0)), params["loose"])
        groan = groan * curve(size, [(0, 0.4), (0.5, 1), (1, 0.4)]) * walk(size, rng, 6.0, 0.3, 1.0)
        place(total, faded(groan, 0.03, 0.08), samples(0.04), params["groan"])
    for at in scattered(size, rng, 1.5):  # even an oiled hinge ticks as its load moves over
        tick = clack(rng, rng.uniform(800, 2500), wood, 0.04)
        place(total, tick, int(at), params["tick"] * rng.uniform(0.1, 1.0))
    place(
        total, clack(rng, 0.8 * params["lock"], wood), samples(rng.uniform(0.15, 0.4)), 0.4 * params["handle"]
    )
    place(total, band(size, rng, 100, 600, 6.0) * np.linspace(0, 1, size) ** 3, 0, 0.012)
    return total


def _door(params: Params, n: int, rng: Rng) -> FloatArray:
    """A handle is turned, the leaf swings on hinges that may creak, slams into its frame; some are locked."""
    met, locked = samples(params["seconds"]), params["key"] > 0.6
    total = np.zeros(met + samples(1.5 if locked else 0.85))
    wood = leaf(rng, samples(0.12), 1.3 * params["leaf"], 1.3 * params["loss"])
    wood = peaked(faded(convolved(wood, blow(0.0012)), 0.0003, 0.03))
    handle = latch(rng, params["lock"], wood)
    place(total, handle, 0, params["handle"])
    start = samples(rng.uniform(0.15, 0.25))
    swing = _swing(params, max(samples(0.1), met - samples(_BOLT) - start), rng, wood)
    place(total, swing, start)
    place(total, _slam(rng, params, wood), max(0, met - samples(_BOLT)), params["force"])
    if locked:
        for at, level in ((rng.uniform(0.55, 0.7), 0.5), (rng.uniform(0.8, 0.95), 1.0)):
            place(
                total,
                clack(rng, 0.7 * params["lock"], wood, 0.1),
                met + samples(at),
                level * params["handle"],
            )
    hall = reverberated(total, rng, params["hall"], params["room"], 8000.0)
    return event(on_location(hall, rng, 0.0015), n, 0.0005, 0.2)


MODELS = (
    SoundModel(
        "impact.door",
        "door",
        "event",
        "Latch clacks of dense modes; stick–slip hinge (Farnell ch. 33); a plate of T60 = 2.2 / (f·loss).",
        drawn(
            seconds=(0.6, 1.6),
            creak=(0, 1),
            squeal=(150, 600),
            loose=(0.05, 0.16),
            groan=(0.05, 0.12),
            free=(0.05, 0.2),
            tick=(0.005, 0.03),
            leaf=(55, 120),
            loss=(0.025, 0.045),
            bounce=(0.03, 0.09),
            crash=(0.35, 0.8),
            air=(0.5, 1.0),
            lock=(900, 1800),
            snap=(0.5, 1.0),
            rattle=(0.08, 0.2),
            handle=(0.08, 0.28),
            key=(0, 1),
            force=(0.8, 1.2),
            hall=(0.3, 0.6),
            room=(0.2, 0.4),
        ),
        _door,
        (0.5, 2.0),
    ),
)
