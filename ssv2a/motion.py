"""What moves from frame to frame: pure decisions on boxes and small grey pictures."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from fractions import Fraction
from math import hypot, log, sqrt

import numpy as np
from PIL import Image

from ssv2a.types import Box, ByteArray, FloatArray, Region

THUMBNAIL = 32  # pixels of each side
UNCHANGED = 2.0  # of 255: mean difference of two thumbnails below which nothing new is to be seen
CUT_SHOT = 45.0  # of 255: mean difference of two thumbnails from which another shot has begun
STIRRED = 5.0  # of 255: mean difference inside a box from which the thing in it stirs
CAME = 12.0  # of 255: the same, from which a thing without a counterpart has come or gone
MOVED = 0.15  # a thing's own sizes per second from which it moves
NEAR = 0.5  # of the larger box's size: how far a thing may have come between two frames, at least
FASTEST = 2.0  # own sizes per second


class Motion(IntEnum):
    """How much a thing moves."""

    STILL = 0
    STIRS = 1  # in its place
    MOVES = 2  # through the picture, or nearer or farther


def thumbnail(image: ByteArray) -> FloatArray:
    """A picture [height, width, 3] as [32, 32, 3] in 0..255."""
    small = Image.fromarray(image).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
    return np.asarray(small, np.float32)


def difference(first: FloatArray, second: FloatArray, box: Box | None = None) -> float:
    """Mean absolute difference of two thumbnails in 0..255, of the whole or of a box in them."""
    change = np.abs(first - second)
    if box is None:
        return float(change.mean())
    left, top = int(box.left * THUMBNAIL), int(box.top * THUMBNAIL)
    right, bottom = int(np.ceil(box.right * THUMBNAIL)), int(np.ceil(box.bottom * THUMBNAIL))
    part = change[min(top, THUMBNAIL - 1) : bottom, min(left, THUMBNAIL - 1) : right]
    return float(part.mean()) if part.size else 0.0


def speed(first: Box, second: Box, seconds: float) -> float:
    """How fast a box went from the first to the second: own sizes per second, growth counted too."""
    size = max(sqrt(first.area), sqrt(second.area), 1e-6)
    shift = hypot(first.centre[0] - second.centre[0], first.centre[1] - second.centre[1]) / size
    growth = abs(log(max(first.area, 1e-6) / max(second.area, 1e-6))) / 2
    return max(shift, growth) / seconds


def motion(
    region: Region,
    thumb: FloatArray,
    time: Fraction,
    neighbours: Sequence[tuple[Fraction, FloatArray, Sequence[Region]]],
) -> Motion:
    """How a region moves, against the frames before and after it (time, thumbnail, regions).

    A thing that is in none of them although its place changed came and went. Without neighbours
    nothing is known: a thing in a single picture is taken to move.
    """
    if not neighbours:
        return Motion.MOVES
    seconds = [max(abs(float(their_time - time)), 1e-3) for their_time, _, _ in neighbours]
    others = [counterpart(region, n[2], s) for n, s in zip(neighbours, seconds, strict=True)]
    change = max(difference(thumb, n[1], region.box) for n in neighbours)
    speeds = [speed(region.box, o.box, s) for o, s in zip(others, seconds, strict=True) if o is not None]
    if max(speeds, default=0.0) >= MOVED or (not speeds and change >= CAME):
        return Motion.MOVES
    return Motion.STIRS if change >= STIRRED else Motion.STILL


def counterpart(region: Region, regions: Sequence[Region], seconds: float) -> Region | None:
    """The same thing in another frame: the nearest region of its label within its reach."""
    x, y = region.box.centre

    def distance(other: Region) -> float:
        return hypot(other.box.centre[0] - x, other.box.centre[1] - y)

    alike = [other for other in regions if other.label == region.label]
    nearest = min(alike, key=distance, default=None)
    if nearest is None:
        return None
    size = max(sqrt(region.box.area), sqrt(nearest.box.area))
    return nearest if distance(nearest) <= size * max(NEAR, FASTEST * seconds) else None
