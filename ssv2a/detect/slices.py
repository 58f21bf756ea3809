"""Looking closer: the slices of a wide picture beside the whole, for what is small in it.

After "Slicing Aided Hyper Inference" (Akyon et al., ICIP 2022): a detector of a fixed, small input sees
things nearly twice as large in a slice. What only a slice shows is less sure, for a slice also shows parts
of things.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ssv2a.detect.nanodet import NanoDet
from ssv2a.types import Box, ByteArray, Region

WIDE = 1.6  # width to height of a picture that is sliced; a less wide one gains nothing by it
SHARE = 0.56  # of the width, in each of the two slices; they overlap
SAME_BOX = 0.45  # intersection over union of two boxes of one label from which they are one thing
WITHIN = 0.8  # share of a box that lies in another of its label: a part of the same thing
CUT = 0.01  # share of a slice's width: a box that ends so near its inner edge is cut off


def closer(
    detector: NanoDet,
    image: ByteArray,
    known: Sequence[Region],
    *,
    min_confidence: float,
    max_regions: int,
) -> tuple[Region, ...]:
    """What the slices of a wide picture show beside what is `known` of the whole; the surest first.

    Args:
        detector: of whole pictures.
        image: [height, width, 3] RGB.
        known: what it found in the whole.
        min_confidence: a lower score is nothing.
        max_regions: of the known ones and these together.
    """
    height, width = image.shape[:2]
    if width < WIDE * height:
        return ()
    size = round(SHARE * width)
    found: list[Region] = []
    for first, inner in ((0, "right"), (width - size, "left")):
        part = np.ascontiguousarray(image[:, first : first + size])
        for region in detector.detect(part, min_confidence=min_confidence, max_regions=max_regions):
            whole = Region(_in_picture(region.box, first, size, width), region.label, region.confidence)
            cut = region.box.right > 1 - CUT if inner == "right" else region.box.left < CUT
            if not cut and not any(_same(whole, other) for other in (*known, *found)):
                found.append(whole)
    found.sort(key=lambda region: -region.confidence)
    return tuple(found[: max(0, max_regions - len(known))])


def _in_picture(box: Box, first: int, size: int, width: int) -> Box:
    return Box((first + box.left * size) / width, box.top, (first + box.right * size) / width, box.bottom)


def _same(region: Region, other: Region) -> bool:
    if region.label != other.label:
        return False
    return region.box.overlap(other.box) > SAME_BOX or region.box.share_within(other.box) > WITHIN
