"""Which frames of a clip are looked at, and which of them belong to one shot."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from ssv2a.motion import CUT_SHOT, UNCHANGED, difference
from ssv2a.types import FloatArray, Look


def changed(thumbs: Sequence[FloatArray]) -> list[int]:
    """The frames that differ from the last one looked at; the first always.

    Args:
        thumbs: a small copy [32, 32, 3] of each frame, in order.
    """
    chosen = [0]
    for n in range(1, len(thumbs)):
        if difference(thumbs[n], thumbs[chosen[-1]]) >= UNCHANGED:
            chosen.append(n)
    return chosen


def same_shot(thumbs: Sequence[FloatArray], n: int) -> list[int]:
    """The n-th frame and those right before and after it that are of its shot."""
    around = range(max(n - 1, 0), min(n + 2, len(thumbs)))
    return [i for i in around if difference(thumbs[n], thumbs[i]) < CUT_SHOT]


def spread(looks: Sequence[Look], times: Sequence[Fraction]) -> tuple[Look, ...]:
    """A look for every time, seconds: its own, or the last before it."""
    starts = [look.time for look in looks]
    found = []
    for time in times:
        look = looks[bisect_right(starts, time) - 1]
        found.append(look if look.time == time else replace(look, time=time, reused=True, cut=False))
    return tuple(found)
