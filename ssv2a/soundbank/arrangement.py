"""What sounds together takes turns, so that each thing is heard for what it is. Pure.

As a mixer rides the faders: an event waits while another sounds (`free_place`); what goes on without end
yields while an event sounds, and of several such things each comes forward in its turn (`faders`).

        event   ____▁▇▇▇▅▂______▁▇▇▅▂_____        first  ▔▔╲▁▁▁╱▔▔        turns of 10 s or so; level at both
        other   ▔▔▔╲____╱▔▔▔▔▔╲____╱▔▔▔▔▔        second ▁▁╱▔▔▔╲▁▁        ends, so that chunks join

Curves have CONTROL_RATE values a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from ssv2a.soundbank.render import CONTROL_RATE
from ssv2a.types import SAMPLE_RATE, FloatArray

YIELD_DB = -7.0  # of what goes on, while an event sounds
TURN_DB = 5.0  # of what goes on: up in its turn, down in the others'
SOUNDING = 0.3  # activity from which an event is in the way of others
_OVER, _THERE = -24.0, -12.0  # dB below an event's loud parts: activity 0, activity 1
_HOLD = 0.25  # s before an event and after it, in which others have made room
_EDGE = 1.0  # s at a chunk's ends in which turns begin and end
_ROUND = 10.0  # s of a round of turns, about
_BLOCK = SAMPLE_RATE // CONTROL_RATE  # samples of a value
_OVERLAP = 0.2  # share of an event that may fall into another
_PATIENCE = 4 * SAMPLE_RATE  # samples that an event waits for its turn at most


@dataclass(frozen=True, slots=True)
class Line:
    """A voice as the arrangement sees it."""

    presence: FloatArray  # [m] 0..1: whether its source is there
    activity: FloatArray | None  # [m] of events, 0..1; None: it goes on without end
    leads: bool = True  # a source; False: the air around them, which has no turns


def activity(sound: FloatArray) -> FloatArray:
    """How much events sound, [m] 0..1, of a train of them [channels, n], m = ⌈n / 480⌉ + 1."""
    blocks = -(-sound.shape[1] // _BLOCK) + 1
    padded = np.pad(sound, ((0, 0), (0, blocks * _BLOCK - sound.shape[1])))
    power = np.square(padded).mean(axis=0).reshape(blocks, _BLOCK).mean(axis=1)
    if not power.any():
        return np.zeros(blocks, np.float32)
    level = 10 * np.log10(uniform_filter1d(power, 5) + 1e-12)
    loud = float(np.quantile(level[level > level.max() - 40], 0.9))
    return np.asarray(np.clip((level - loud - _OVER) / (_THERE - _OVER), 0, 1), np.float32)


def faders(lines: Sequence[Line], first: int) -> list[FloatArray]:
    """Gain in dB over time, [m], of each voice beside the others.

    Args:
        lines: the voices of one chunk; curves of equal length.
        first: whose turn comes first, of those that go on without end.
    """
    events = [line.activity for line in lines if line.activity is not None]
    room = _room(events) if events else np.zeros_like(lines[0].presence)
    going = [index for index, line in enumerate(lines) if line.activity is None and line.leads]
    forward = _turns([lines[index].presence for index in going], first) if len(going) > 1 else []
    gains = [room if line.activity is None else np.zeros_like(room) for line in lines]
    for index, turn in zip(going, forward, strict=False):
        gains[index] = gains[index] + turn
    return gains


def _room(events: Sequence[FloatArray]) -> FloatArray:
    """Gain in dB [m] of what goes on beside events."""
    width = round(2 * _HOLD * CONTROL_RATE) + 1
    held = maximum_filter1d(np.max(np.stack(events), axis=0), width)
    return np.asarray(YIELD_DB * uniform_filter1d(held, width), np.float32)


def _turns(presences: Sequence[FloatArray], first: int) -> list[FloatArray]:
    """Gains in dB [m] of several things that go on, each forward in its turn while others are there too."""
    count, m = len(presences), len(presences[0])
    times = np.arange(m) / CONTROL_RATE
    seconds = float(times[-1]) or 1.0
    rounds = max(1, round(seconds / _ROUND))
    edges = np.clip(np.minimum(times, seconds - times) / _EDGE, 0, 1)
    gains = []
    for index in range(count):
        others = np.max([presence for i, presence in enumerate(presences) if i != index], axis=0)
        phase = rounds * times / seconds - (index + first) % count / count - 0.25
        gains.append(np.asarray(TURN_DB * edges * others * np.cos(2 * np.pi * phase), np.float32))
    return gains


def free_place(busy: NDArray[np.bool_], place: int, size: int) -> int:
    """The next sample from `place` on where at most a fifth of `size` samples is busy; else `place` itself.

    Args:
        busy: [m], where other events sound.
        place: sample from which on.
        size: samples of the event.
    """
    length = max(1, -(-size // _BLOCK))
    taken = np.concatenate([[0], np.cumsum(busy)])
    begins = np.arange(place // _BLOCK, min((place + _PATIENCE) // _BLOCK, len(busy)))
    ends = np.minimum(begins + length, len(busy))
    free = np.flatnonzero(taken[ends] - taken[begins] <= _OVERLAP * length)
    return int(begins[free[0]]) * _BLOCK if free.size and free[0] > 0 else place
