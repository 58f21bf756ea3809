"""Recordings without end: overlapping pieces of a sound, cross-faded with equal power (granular synthesis).

Pieces are long (a good part of the recording), begin at random places and differ in length, so that no loop
can be heard. After Roads, "Microsound" (2001); equal-power fades because the pieces do not correlate.
"""

from __future__ import annotations

import numpy as np

from ssv2a.types import SAMPLE_RATE, FloatArray

_LONGEST = 8 * SAMPLE_RATE  # samples of one grain
_FADE = SAMPLE_RATE // 3  # samples of a cross-fade, where the grains are long enough
_TRIES = 4  # places looked at, to begin far from where the last grain began


def granulate(sound: FloatArray, n: int, rng: np.random.Generator) -> FloatArray:
    """`n` samples of the texture in `sound`.

    Args:
        sound: [channels, m]; stationary, m > 0.
        n: samples wanted.
        rng: where the grains begin and how long they are.

    Returns:
        [channels, n], as loud as `sound` throughout.
    """
    body = steady(sound)
    length = body.shape[1]
    shortest, longest = _grain_lengths(length)
    fade = max(1, min(_FADE, shortest // 3))
    rise = np.sin(np.linspace(0, np.pi / 2, fade, dtype=np.float32))
    out = np.zeros((body.shape[0], n + longest), np.float32)
    place, last = -fade, -length  # the first fade lies before the beginning
    while place < n:
        size = int(rng.integers(shortest, longest + 1))
        begin = _beginning(length - size, last, rng)
        grain = body[:, begin : begin + size].copy()
        grain[:, :fade] *= rise
        grain[:, -fade:] *= rise[::-1]
        first = max(0, -place)
        out[:, place + first : place + size] += grain[:, first:]
        place, last = place + size - fade, begin
    return out[:, :n]


def _grain_lengths(length: int) -> tuple[int, int]:
    """Shortest and longest grain of a sound of that length, samples."""
    longest = max(1, min(_LONGEST, round(0.7 * length)))
    return max(1, min(_LONGEST // 2, round(0.35 * length), longest)), longest


def _beginning(room: int, last: int, rng: np.random.Generator) -> int:
    """A place in 0..room, of a few drawn the one farthest from the last."""
    if room <= 0:
        return 0
    places = rng.integers(0, room + 1, _TRIES)
    return int(places[np.argmax(np.abs(places - last))])


def steady(sound: FloatArray) -> FloatArray:
    """Without what fades in and out at the ends: cut where the level stays 12 dB below the median."""
    step = SAMPLE_RATE // 20
    count = sound.shape[1] // step
    if count < 20:
        return sound
    power = np.square(sound[:, : count * step]).mean(axis=0).reshape(count, step).mean(axis=1)
    loud = np.flatnonzero(power >= np.median(power) / 16)
    first, last = int(loud[0]) * step, (int(loud[-1]) + 1) * step
    return sound[:, first:last] if last - first >= sound.shape[1] // 2 else sound
