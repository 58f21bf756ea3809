"""What moves from frame to frame: pure decisions on boxes and small grey pictures."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from fractions import Fraction
from math import hypot, log, sqrt
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
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
PAN_SHOWS = 4.0  # of 255: the least change beside the things from which the camera may have panned
REACH = 8  # pixels of a thumbnail: how far a panning camera is followed
PANNED = 0.5  # share of the difference that a shift must leave at most, to be the camera's


Scalar = TypeVar("Scalar", bound=np.generic)


class Shift(NamedTuple):
    """Where the picture went, in fractions of its width and height."""

    x: float
    y: float


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
    part = change[_pixels(box)]
    return float(part.mean()) if part.size else 0.0


def _pixels(box: Box) -> tuple[slice, slice]:
    """Rows and columns of a thumbnail that a box covers, one at least."""
    left, top = int(box.left * THUMBNAIL), int(box.top * THUMBNAIL)
    right, bottom = int(np.ceil(box.right * THUMBNAIL)), int(np.ceil(box.bottom * THUMBNAIL))
    return slice(min(top, THUMBNAIL - 1), bottom), slice(min(left, THUMBNAIL - 1), right)


def camera_shift(
    first: FloatArray, second: FloatArray, things: Sequence[Region] = (), others: Sequence[Region] = ()
) -> Shift:
    """How far what stands still went from the first thumbnail to the second, because the camera panned.

    The shift at which the two differ least beside the things in them (`things` in the first, `others` in
    the second), where they share half of the picture; none where nothing but the things changed, or where it
    does not explain half of the change.
    """
    here, there = first.mean(axis=2), second.mean(axis=2)
    ground, their_ground = _beside(things), _beside(others)

    def differing(right: int, down: int) -> float:
        both = _shared(ground, -right, -down) & _shared(their_ground, right, down)
        if both.sum() < here.size / 4:
            return np.inf
        return float(np.abs(_shared(here, -right, -down) - _shared(there, right, down))[both].mean())

    unmoved = differing(0, 0)
    if not PAN_SHOWS <= unmoved < np.inf:
        return Shift(0.0, 0.0)
    reach = range(-REACH, REACH + 1)
    left, right, down = min((differing(right, down), right, down) for down in reach for right in reach)
    return Shift(right / THUMBNAIL, down / THUMBNAIL) if left <= PANNED * unmoved else Shift(0.0, 0.0)


def _beside(things: Sequence[Region]) -> NDArray[np.bool_]:
    """[32, 32]: where none of the things is."""
    ground = np.ones((THUMBNAIL, THUMBNAIL), bool)
    for thing in things:
        ground[_pixels(thing.box)] = False
    return ground


def _shared(thumb: NDArray[Scalar], right: int, down: int) -> NDArray[Scalar]:
    """What is left of a thumbnail without the edges that a shift of the other leaves uncovered."""
    rows = slice(max(down, 0), THUMBNAIL + min(down, 0))
    columns = slice(max(right, 0), THUMBNAIL + min(right, 0))
    return thumb[rows, columns]


def shifted(box: Box, by: Shift) -> Box:
    """The box where the camera's pan took it; it may reach out of the picture."""
    return Box(box.left + by.x, box.top + by.y, box.right + by.x, box.bottom + by.y)


def follow_camera(thumb: FloatArray, by: Shift) -> FloatArray:
    """The thumbnail as the camera would have seen it before its pan; what is not known stays as it is."""
    right, down = round(by.x * THUMBNAIL), round(by.y * THUMBNAIL)
    back = thumb.copy()
    _shared(back, -right, -down)[...] = _shared(thumb, right, down)
    return back


def speed(first: Box, second: Box, seconds: float) -> float:
    """How fast a box went from the first to the second: own sizes per second, growth counted too."""
    size = max(sqrt(first.area), sqrt(second.area), 1e-6)
    shift = hypot(first.centre[0] - second.centre[0], first.centre[1] - second.centre[1]) / size
    growth = abs(log(max(first.area, 1e-6) / max(second.area, 1e-6))) / 2
    return max(shift, growth) / seconds


class Neighbour(NamedTuple):
    """A frame beside another of its shot."""

    time: Fraction
    thumb: FloatArray
    regions: Sequence[Region]
    pan: Shift = Shift(0.0, 0.0)  # of the camera, from the other frame to this one


def motion(
    region: Region,
    thumb: FloatArray,
    time: Fraction,
    neighbours: Sequence[Neighbour],
) -> Motion:
    """How a region moves, against the frames before and after it.

    A thing that is in none of them although its place changed came and went. Without neighbours
    nothing is known: a thing in a single picture is taken to move. A pan of the camera is taken off.
    """
    if not neighbours:
        return Motion.MOVES

    # 1. What the camera did is not the thing's doing.
    places = [Region(shifted(region.box, n.pan), region.label, region.confidence) for n in neighbours]
    thumbs = [follow_camera(n.thumb, n.pan) for n in neighbours]

    # 2. How fast it went, and how much its place changed.
    seconds = [max(abs(float(n.time - time)), 1e-3) for n in neighbours]
    others = [
        counterpart(place, n.regions, s) for place, n, s in zip(places, neighbours, seconds, strict=True)
    ]
    change = max(difference(thumb, their_thumb, region.box) for their_thumb in thumbs)
    speeds = [
        speed(place.box, other.box, s)
        for place, other, s in zip(places, others, seconds, strict=True)
        if other is not None
    ]
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
