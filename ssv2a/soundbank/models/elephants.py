"""Elephants: the trumpet blown through metres of trunk, and the roaring rumble that often follows it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import signal

from ssv2a.soundbank.dsp import (
    LEAVES,
    Rng,
    Signal,
    band,
    curve,
    drawn,
    event,
    filtered,
    jitter,
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
from ssv2a.soundbank.models.beasts import heavy_folds, throat
from ssv2a.types import SAMPLE_RATE, FloatArray

_AIR = 350.0  # m/s in breath
_HEAD = ((520.0, 300.0, 0.55), (1050.0, 350.0, 1.0), (1600.0, 450.0, 0.9), (2700.0, 800.0, 0.5))
"""Broad resonances of head and nostrils about a trumpet: Hz, bandwidth, gain."""
_HUM = ((100, 60, 0.5), (200, 70, 1.0), (310, 90, 0.6), (480, 150, 0.3), (900, 300, 0.08))
_MOUTH = ((170, 70, 0.4), (290, 90, 1.0), (550, 130, 1.0), (840, 160, 0.7), (1400, 350, 0.3))
"""Formants of the mouth, a tract of a metre or so, about a rumble and wide open: Hz, bandwidth, gain."""


def steepened(turns: Signal, steep: Signal) -> Signal:
    """A sine that has run down a long bore too loudly [n]: its crests overtake its troughs.

    The implicit solution of the lossless Burgers equation, y = sin(turns + steep · y), by iteration; near
    `steep` 1 the front becomes a shock and every harmonic is there, as in brass (Gilbert et al. 2014).

    Args:
        turns: phase in radians per sample.
        steep: 0 a sine, 0.95 nearly a shock, per sample.
    """
    y = np.sin(turns)
    for _ in range(7):
        y = 0.5 * (y + np.sin(turns + steep * y))
    return np.asarray(y, dtype=np.float64)


def trunk(x: Signal, metres: float, gain: float) -> Signal:
    """A lossy tube [n] from the voice to the trunk's tip: echoes of both ends, a formant every c / 2L.

    Args:
        x: the wave that is let in.
        metres: length of the whole tract, 2.2–3.2.
        gain: how much of a wave is left after there and back; the soft wall swallows the highs first.
    """
    lag = samples(2 * metres / _AIR)
    feedback = np.zeros(lag + 3)
    feedback[0] = 1.0
    feedback[lag:] -= gain * np.array([0.25, 0.5, 0.25])
    return np.asarray(signal.lfilter([1.0], feedback, x), dtype=np.float64)


def regimes(hertz: Signal, spacing: float, hold: float) -> Signal:
    """Pitch that steps from one resonance of the tract to the next [n], as a bugle's does.

    Args:
        hertz: where the folds want to go, per sample.
        spacing: Hz between resonances.
        hold: 0 free of them, 1 wholly caught.
    """
    ladder = spacing * np.round(hertz / spacing)
    size = samples(0.03)
    smooth = np.convolve(np.pad(ladder, (size, size), "edge"), np.ones(size) / size, "same")[size:-size]
    return np.asarray(hertz + hold * (smooth - hertz), dtype=np.float64)


def _spells(n: int, rng: Rng, share: float) -> Signal:
    """Slow gate [n] of 0 and 1, on for about `share` of the time, some 0.2 s at once."""
    gate = (walk(n, rng, 5.0, 0.0, 1.0) < share).astype(np.float64)
    size = samples(0.02)
    return np.asarray(np.convolve(gate, np.ones(size) / size, "same"))


def trumpet(
    f0: float, seconds: float, path: Sequence[tuple[float, float]], metres: float, wild: float, rng: Rng
) -> Signal:
    """One blast through the trunk [n], unit RMS: brassy, hoarse, in steps, with fits of disorder.

    Args:
        f0: Hz of the plateau, 350–570 (Fuchs et al. 2021: 474 ± 70).
        seconds: length.
        path: pitch as (position 0..1, factor).
        metres: length of the tract.
        wild: share of the time in which subharmonics or chaos break in, 0 to 1.
        rng: draws unevenness.
    """
    n = samples(seconds)
    aim = f0 * curve(n, path) * (1 + 0.05 * walk(n, rng, 8.0))
    halved, chaos = _spells(n, rng, 0.6 * wild), _spells(n, rng, 0.6 * wild)
    pitch = regimes(aim, 0.5 * _AIR / metres, rng.uniform(0.0, 0.4)) * jitter(n, rng, 0.01)
    turns = phase(pitch * (1 + (0.025 + 0.08 * chaos) * (walk(n, rng, 150.0) + walk(n, rng, 450.0))))
    press = curve(n, [(0, 0.15), (0.08, 0.7), (0.25, 1), (0.75, 0.9), (0.92, 0.5), (1, 0.1)])
    press = press * (1 + 0.15 * walk(n, rng, 9.0))
    steep = np.clip(1.1 * press, 0, 0.95)
    half = 0.5 * turns + 0.4 * walk(n, rng, 20.0)
    wave = steepened(turns + 0.7 * halved * np.sin(half), steep)
    wave = wave * (1 + (0.3 + 0.6 * halved) * np.cos(half))
    wave = wave * roughness(n, rng, 27.0, 0.5) * roughness(n, rng, 140.0, 0.4)
    jet = unit(band(n, rng, 400, 4500, 6.0) * (0.4 + np.maximum(0.0, np.sin(turns))))
    blown = trunk(unit(wave) + (0.16 + 0.15 * chaos) * jet, metres, 0.45)
    bright = np.diff(blown, prepend=blown[0]) * (SAMPLE_RATE / (2 * np.pi * f0))
    call = unit(resonated(bright, _HEAD)) + 0.3 * unit(bright)
    call = filtered(call, [(100, -24), (250, -6), (500, -3), (1000, 0), (3500, 0), (6000, -9), (12_000, -30)])
    return unit(np.tanh(0.7 * unit(call)) * press)


def bellow(pulses: Signal, gape: Signal, rough: float, rng: Rng) -> Signal:
    """The mouth's roar or the growl of a rumble [n], unit RMS: folds as long as a hand beat in disorder.

    Args:
        pulses: slams a second, per sample; the folds beat at four times that, 170–240 Hz.
        gape: opening of the mouth per sample, 0 to 1.
        rough: unevenness, 0 to 1.
        rng: draws it.
    """
    call = throat(heavy_folds(pulses, rough, rng), _HUM, _MOUTH, gape)
    bent = np.tanh(0.7 * unit(call) * (1 + 0.6 * rough * walk(call.size, rng, 11.0)))
    return unit(filtered(bent, [(40, -20), (120, 0), (900, 0), (2000, -12), (5000, -28), (12_000, -48)]))


_PATHS = (
    ((0, 0.75), (0.06, 0.92), (0.25, 1.03), (0.5, 1.05), (0.75, 0.95), (0.92, 0.82), (1, 0.7)),  # a plateau
    ((0, 0.5), (0.06, 0.8), (0.3, 0.95), (0.7, 1.15), (0.85, 1.22), (0.95, 1.0), (1, 0.75)),  # up to a squeal
    ((0, 0.7), (0.05, 1.15), (0.25, 1.08), (0.6, 0.98), (0.85, 0.72), (1, 0.5)),  # down into the roar
)
"""Contours of a trumpet's pitch."""


def _roar(slams: float, rng: Rng) -> Signal:
    """One breath of roar [n], 0.9–1.6 s: the mouth opens wide and shuts again."""
    size = samples(rng.uniform(0.9, 1.6))
    pulses = slams * curve(size, [(0, 0.95), (0.15, 1.1), (0.6, 1.0), (1, 0.75)])
    gape = curve(size, [(0, 0.2), (0.12, 0.7), (0.3, 1.0), (0.7, 0.9), (0.88, 0.3), (1, 0.0)])
    shape = curve(size, [(0, 0), (0.08, 0.7), (0.2, 1), (0.75, 0.85), (0.9, 0.45), (1, 0)])
    return bellow(pulses, gape, 0.8, rng) * shape


def _elephant(params: Params, n: int, rng: Rng) -> FloatArray:
    """One or two trumpets of 0.4–1.6 s, a breath of roar or two after them or before."""
    calls: list[Signal] = []
    for index in range(round(params["blasts"])):
        seconds = params["seconds"] * (1.0 if index == 0 else rng.uniform(0.5, 0.9))
        path = _PATHS[int(rng.integers(len(_PATHS)))]
        f0 = params["f0"] * rng.uniform(0.93, 1.07)
        calls.append(trumpet(f0, seconds, path, params["metres"], params["wild"], rng))
    roars = [params["loud"] * _roar(params["slams"], rng) for _ in range(round(params["roars"]))]
    order = [*roars, *calls] if params["first"] > 0.75 else [*calls, *roars]
    total, at = np.zeros(sum(call.size for call in order) + samples(0.2 * len(order))), 0
    for call in order:
        place(total, call, at)
        at += call.size + samples(rng.uniform(0.0, 0.2))
    plain = reverberated(total, rng, 0.7, params["plain"], 2000.0)
    return event(on_location(plain, rng, 0.004, LEAVES), n, 0.01, 0.2)


MODELS = (
    SoundModel(
        "mammal.elephant",
        "elephant_trumpet",
        "event",
        "Waves of 350–570 Hz steepen to shocks along 2.2–3.2 m of trunk and lock to its resonances "
        "(Gilbert et al. 2014).",
        drawn(
            f0=(380, 530),
            seconds=(0.8, 1.6),
            metres=(2.2, 3.2),
            wild=(0.1, 0.8),
            blasts=(0.6, 1.8),
            roars=(0.8, 2.2),
            loud=(1.2, 1.7),
            first=(0.0, 1.0),
            slams=(44, 60),
            plain=(0.04, 0.14),
        ),
        _elephant,
        (0.2, 0.8),
    ),
)
