"""Monkeys and apes: the chimpanzee's pant-hoot, a troop that chatters and screeches."""

from __future__ import annotations

import numpy as np

from ssv2a.soundbank.dsp import (
    LEAVES,
    Formant,
    Rng,
    Signal,
    breath,
    curve,
    drawn,
    event,
    faded,
    jitter,
    on_location,
    phase,
    place,
    reverberated,
    samples,
    unit,
    voice,
    walk,
)
from ssv2a.soundbank.model import Params, SoundModel
from ssv2a.types import FloatArray


def hoo(seconds: float, hertz: float, size: float, air: float, rng: Rng) -> Signal:
    """One hoot [n]: f0 arches, lips pushed out to a narrow round hole, so that little is above 1 kHz.

    Args:
        seconds: its length.
        hertz: f0 at its top.
        size: by which its formants lie higher: more for a shorter tract.
        air: breath that escapes with it, relative to the tone.
        rng: draws it.
    """
    n = samples(seconds)
    f0 = hertz * curve(n, [(0, 0.8), (0.35, 1.0), (0.7, 0.97), (1, 0.78)]) * jitter(n, rng, 0.006)
    lips: list[Formant] = [(430 * size, 160.0, 1.0), (950 * size, 220.0, 0.15), (2500 * size, 400.0, 0.04)]
    tone = unit(voice(f0, lips, 4.0, 6000.0))
    hiss = breath(f0, rng, [(520 * size, 250, 1.0), (1100 * size, 350, 0.7), (2600 * size, 600, 0.3)], 1.0)
    return unit(tone + air * hiss) * curve(n, [(0, 0), (0.2, 0.8), (0.45, 1), (0.75, 0.7), (1, 0)])


def scream(f0: Signal, size: float, harsh: float, rng: Rng) -> Signal:
    """A scream [n], unit RMS: folds at their limit, jaws wide: period doubling, chaos (Riede et al. 2007).

    Args:
        f0: Hz per sample.
        size: as of `hoo`.
        harsh: share of the time in which the folds are irregular, 0 to 1.
        rng: draws it.
    """
    n = f0.size
    torn = np.clip(3 * (walk(n, rng, 9.0, 0, 1) + harsh - 0.75), 0, 1)
    pitch = f0 * (1 + torn * (jitter(n, rng, 0.06) - 1)) * jitter(n, rng, 0.008)
    gape = size * (1 + 0.08 * walk(n, rng, 6.0))
    jaws: list[Formant] = [
        (900 * gape, 250.0, 1.0),
        (1700 * gape, 350.0, 0.8),
        (3100 * gape, 600.0, 0.35),
        (5200 * gape, 1000.0, 0.1),
    ]
    tone = voice(pitch, jaws, 3.0, 10_000.0)
    doubled = 1 + 0.8 * harsh * np.sin(0.5 * phase(pitch) + 2 * walk(n, rng, 5.0))
    tone = unit(tone * doubled * (1 + 0.6 * torn * walk(n, rng, 300.0)))
    throat = [(900 * size, 300, 1.0), (1700 * size, 450, 0.8), (3100 * size, 800, 0.35)]
    return unit(tone + (0.1 + 0.4 * torn) * breath(pitch, rng, throat, 1.0))


def _arch(seconds: float, hertz: float, rng: Rng) -> Signal:
    """f0 of a scream: a steep rise, a top that sways, a fall."""
    n = samples(seconds)
    path = [(0, rng.uniform(0.5, 0.65)), (0.15, 0.92), (0.4, 1.0), (0.75, 0.95), (1, rng.uniform(0.55, 0.75))]
    return hertz * curve(n, path) * (1 + 0.03 * walk(n, rng, 8.0))


def _cry(seconds: float, hertz: float, size: float, harsh: float, rng: Rng) -> Signal:
    """A scream with its rise and fall."""
    f0 = _arch(seconds, hertz, rng)
    return scream(f0, size, harsh, rng) * curve(f0.size, [(0, 0), (0.08, 0.8), (0.35, 1), (0.8, 0.8), (1, 0)])


def _panting(params: Params, rng: Rng) -> Signal:
    """Hoots breathed out and in, louder, higher and sooner; two or three screams; some hoots after them."""
    out, at, size = np.zeros(samples(11.0)), 0.0, params["size"]
    hoots, top = round(params["hoots"]), params["hoot"]
    for index in range(hoots):
        share = index / max(hoots - 1, 1)
        period = (1.25 - 0.35 * share) / params["rate"] * rng.uniform(0.94, 1.06)
        loud, hertz = 0.25 + 0.45 * share, top * (0.78 + 0.42 * share) * rng.uniform(0.97, 1.03)
        place(out, hoo(0.58 * period, hertz, size, 0.07, rng), samples(at), loud)
        inward = hoo(0.36 * period, 1.25 * hertz, 1.2 * size, 0.7, rng)
        place(out, inward, samples(at + 0.6 * period), (0.15 + 0.35 * share) * loud)
        at += period
    for _ in range(round(params["screams"])):
        seconds = rng.uniform(0.4, 0.75)
        cry = _cry(seconds, params["scream"] * rng.uniform(0.85, 1.1), size, params["harsh"], rng)
        place(out, cry, samples(at), rng.uniform(0.8, 1.0))
        at += seconds + rng.uniform(0.06, 0.2)
    for index in range(int(rng.integers(2, 5))):
        place(out, hoo(0.16, top * (1 - 0.07 * index), size, 0.1, rng), samples(at), 0.4 * 0.8**index)
        at += 0.9 / params["rate"]
    return out[: samples(at)]


def yap(seconds: float, hertz: float, size: float, harsh: float, rng: Rng) -> Signal:
    """One call of a chatter [n], unit RMS or so: it swells and sinks into the next, the jaw opening with it.

    Folds of a small larynx double their period (Fitch et al. 2002), which makes the call hoarse.

    Args:
        seconds: its length.
        hertz: f0 at its top.
        size: as of `hoo`.
        harsh: depth of the doubling and of the breath in it, 0 to 1.
        rng: draws unevenness.
    """
    n = samples(seconds)
    arch, gape = [(0, 0.75), (0.4, 1.1), (1, 0.7)], size * curve(n, [(0, 0.85), (0.4, 1.08), (1, 0.85)])
    f0 = hertz * curve(n, arch) * jitter(n, rng, 0.01 + 0.04 * harsh)
    mouth: list[Formant] = [(1050 * gape, 300.0, 1.0), (2300 * gape, 500.0, 0.7), (4200 * gape, 900.0, 0.3)]
    tone = unit(voice(f0, mouth, 4.0, 11_000.0)) * (1 + 0.6 * harsh * np.sin(0.5 * phase(f0)))
    throat = [(1050 * size, 300, 1.0), (2300 * size, 500, 0.7), (4200 * size, 900, 0.3)]
    swell = curve(n, [(0, 0), (0.12, 0.5), (0.38, 1), (0.7, 0.6), (0.9, 0.2), (1, 0)])
    return np.asarray((tone + 0.5 * harsh * breath(f0, rng, throat, 1.0)) * swell)


def _chatter(params: Params, size: float, rng: Rng) -> list[tuple[float, Signal]]:
    """Calls that nearly touch, 6–10 a second, climbing in pitch and level: (seconds to the next, call)."""
    pulses, rate = int(rng.integers(6, 15)), params["pulses"] * rng.uniform(0.85, 1.15)
    top, climb = params["call"] * size * rng.uniform(0.8, 1.15), rng.uniform(0.1, 0.6)
    calls: list[tuple[float, Signal]] = []
    for share in np.linspace(0, 1, pulses):
        gap = rng.uniform(0.8, 1.25) / rate
        hertz = top * (1 + climb * (share - 0.5)) * rng.uniform(0.87, 1.13)
        call = yap(0.85 * gap, hertz, size, 0.4 + 0.6 * params["harsh"], rng)
        calls.append((gap, call * (0.35 + 0.6 * share) * rng.uniform(0.6, 1)))
    return calls


def _excited(params: Params, size: float, rng: Rng) -> list[tuple[float, Signal]]:
    """Hoots that turn to open calls, "oo oo ah ah", higher and louder, 4–6 a second: as of `_chatter`."""
    calls: list[tuple[float, Signal]] = []
    rate = rng.uniform(4.0, 6.0)
    for share in np.linspace(0, 1, int(rng.integers(4, 9))):
        hertz = params["hoot"] * size * (1 + 0.7 * share)
        if share < rng.uniform(0.35, 0.65):
            call = 0.45 * hoo(0.8 / rate, hertz, size, 0.1, rng)
        else:
            call = (0.3 + 0.6 * share) * yap(0.95 / rate, 1.3 * hertz, size, 0.8 * params["harsh"], rng)
        calls.append((rng.uniform(0.9, 1.1) / rate, call))
    return calls


def _screech(params: Params, size: float, rng: Rng) -> list[tuple[float, Signal]]:
    """Two to four torn screams: as of `_chatter`."""
    calls: list[tuple[float, Signal]] = []
    for _ in range(int(rng.integers(2, 5))):
        seconds = rng.uniform(0.3, 0.7)
        hertz = 1.25 * params["scream"] * size * rng.uniform(0.85, 1.1)
        cry = _cry(seconds, hertz, 1.15 * size, params["harsh"], rng)
        calls.append((seconds + rng.uniform(0.03, 0.12), 0.9 * cry))
    return calls


def _chattering(params: Params, rng: Rng) -> Signal:
    """One to three of a troop, each in bouts with pauses, at a pitch of its own, the others farther off."""
    out, end = np.zeros(samples(10.0)), 0
    for index in range(round(params["troop"])):
        size, near = params["size"] * rng.uniform(0.9, 1.3), 1.0 if index == 0 else rng.uniform(0.25, 0.6)
        at = 0.6 * index
        while at < params["seconds"]:
            bout = (_chatter, _excited, _screech)[int(rng.choice(3, p=(0.4, 0.15, 0.45)))]
            for gap, call in bout(params, size, rng):
                place(out, call, samples(at), near)
                end = max(end, samples(at) + call.size)
                at += gap
            at += rng.uniform(0.05, 0.5)
    return out[:end]


def _monkey(params: Params, n: int, rng: Rng) -> FloatArray:
    """A chimpanzee's pant-hoot (Mitani et al. 1992; Riede et al. 2007), or a troop that chatters."""
    calls = _panting(params, rng) if params["ape"] > 0.7 else _chattering(params, rng)
    wood = reverberated(np.pad(calls, (0, samples(0.35))), rng, 0.9, params["wood"], 3500.0)
    return event(on_location(faded(wood, 0.01, 0.3), rng, 0.006, LEAVES), n, 0.005, 0.2)


MODELS = (
    SoundModel(
        "mammal.monkey",
        "monkey_chatter",
        "event",
        "Hoots out and in, 3–5 a second, 300–600 Hz, up to torn screams; or chatter, 6–10 a second (Riede et"
        " al. 2007).",
        drawn(
            ape=(0.0, 1.0),
            hoot=(340, 480),
            rate=(3.0, 4.6),
            hoots=(6, 11),
            screams=(1.6, 3.4),
            scream=(950, 1450),
            harsh=(0.2, 0.65),
            pulses=(6.0, 9.5),
            call=(520, 900),
            troop=(1.0, 3.4),
            seconds=(2.5, 4.5),
            size=(0.9, 1.1),
            wood=(0.06, 0.18),
        ),
        _monkey,
        (0.2, 1.0),
    ),
)
