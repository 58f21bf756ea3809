"""The eyes of the released model: a detector, and CLIP of what it finds.

The whole picture is slot 0; every region is cut out exactly, stretched to the size of the whole picture and
embedded like a picture of its own. Every thing that is found counts as a source of sound.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
from PIL import Image

from ssv2a.detect.yolo import Yolo
from ssv2a.embed.clip import OpenClip
from ssv2a.images import LONGEST_SIDE
from ssv2a.motion import CUT_SHOT, difference, thumbnail
from ssv2a.on_demand import OnDemand
from ssv2a.types import SCENE, WHOLE_PICTURE, Box, ByteArray, FloatArray, Frames, Look, Region, Source


class CropEyes:
    """Detector and CLIP together; holds no state between calls.

    Pictures whose longer side has more than `LONGEST_SIDE` pixels are reduced to it first, in shape.

    Args:
        detector: finds things; asked for all frames before CLIP is.
        clip: embeds whole pictures and what was found.
    """

    frame_size: tuple[int, int] | None = (512, 512)  # of a video, as released
    min_confidence: float = 0.25

    def __init__(self, detector: OnDemand[Yolo], clip: OnDemand[OpenClip]) -> None:
        self._detector = detector
        self._clip = clip

    def look(
        self,
        frames: Frames,
        *,
        min_confidence: float,
        max_sources: int,
        mute: frozenset[str],
    ) -> tuple[Look, ...]:
        """One look a frame; a frame equal to the one before is not looked at again.

        Args:
            frames: of one chunk, in order.
            min_confidence: the detector's, below which nothing is a region.
            max_sources: most sources of one frame, the surest.
            mute: labels that must not sound; upper or lower case is the same.
        """
        muted = frozenset(word.casefold() for word in mute)
        fresh = [n for n in range(len(frames)) if n == 0 or _differ(frames.images[n - 1], frames.images[n])]
        regions = [self._regions(frames.images[n], min_confidence, max_sources) for n in fresh]
        vectors = self._clip.get().images(_pictures([frames.images[n] for n in fresh], regions))
        rest = iter(vectors)
        looks: list[Look] = []
        for n, found in zip(fresh, regions, strict=True):
            looks += _repeated(looks, frames.times[len(looks) : n])
            scene = Source(WHOLE_PICTURE, SCENE, SCENE, None, 1.0, next(rest))
            sources = tuple(_source(region, next(rest), muted) for region in found)
            looks.append(Look(frames.times[n], scene, None, sources, reused=False, cut=_is_cut(frames, n)))
        return (*looks, *_repeated(looks, frames.times[len(looks) :]))

    def _regions(self, image: ByteArray, min_confidence: float, most: int) -> tuple[Region, ...]:
        return self._detector.get().detect(_bounded(image), min_confidence=min_confidence)[:most]


def crop(image: ByteArray, box: Box) -> ByteArray:
    """The part of a picture inside a box, stretched (bicubic) to the picture's own size.

    The box's sides are rounded to whole pixels, of which it keeps at least one each way.
    """
    height, width = image.shape[:2]
    left, right = _span(box.left, box.right, width)
    top, bottom = _span(box.top, box.bottom, height)
    part = Image.fromarray(image[top:bottom, left:right])
    return np.asarray(part.resize((width, height), Image.Resampling.BICUBIC))


def _span(low: float, high: float, size: int) -> tuple[int, int]:
    """Two fractions of `size` pixels as a range of at least one pixel inside it."""
    first = min(max(round(low * size), 0), size - 1)
    return first, min(max(round(high * size), first + 1), size)


def _pictures(images: Sequence[ByteArray], regions: Sequence[Sequence[Region]]) -> Iterator[ByteArray]:
    """Each picture and then its regions, made when they are asked for."""
    for image, found in zip(images, regions, strict=True):
        whole = _bounded(image)
        yield whole
        for region in found:
            yield crop(whole, region.box)


def _bounded(image: ByteArray) -> ByteArray:
    """The picture, reduced where it is larger than anything here looks at."""
    if max(image.shape[:2]) <= LONGEST_SIDE:
        return image
    small = Image.fromarray(image)
    small.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.BICUBIC)
    return np.asarray(small)


def _source(region: Region, vector: FloatArray, muted: frozenset[str]) -> Source:
    caption = None if region.label.casefold() in muted else region.label.lower()
    return Source(region.box, region.label, region.label, caption, region.confidence, vector)


def _differ(first: ByteArray, second: ByteArray) -> bool:
    return not np.array_equal(first, second)


def _is_cut(frames: Frames, n: int) -> bool:
    """Whether a frame is the first of another shot; the released code knows no shots, the tracks here do."""
    if n == 0:
        return False
    return difference(thumbnail(frames.images[n - 1]), thumbnail(frames.images[n])) >= CUT_SHOT


def _repeated(looks: Sequence[Look], times: Sequence[Fraction]) -> list[Look]:
    """The last look again, for each of some times."""
    return [replace(looks[-1], time=time, reused=True, cut=False) for time in times]
