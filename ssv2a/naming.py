"""Names and sounds for the regions of one picture: each label weighed against its crop and the other regions.

What `judge` decides for one region, with what the others say about it: labels that the detector gave to
the same place, the herd (things of one label are mostly of one kind), the flock (what was not classified is
what its likes are), and doubt of what only a slice shows or of what was not classified where its likes
were misnamed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ssv2a.embed.conse import BORNE_OUT, RIDDEN, Verdict, judge
from ssv2a.heard import HeardTable
from ssv2a.motion import Motion
from ssv2a.types import Box, FloatArray, Region

SAME_PLACE = 0.5  # overlap from which two boxes are in one place
SLICED = 0.6  # confidence of what only a slice of the picture shows, from which no crop need bear it out
PARKED = 0.04  # share of the picture below which a vehicle that rests has its engine off
TALL = 1.3  # height to width, in pixels, of a person seen from head to foot
NO_FEET = 0.985  # a box that ends lower than this has no feet in the picture
HERD = 3  # things of one label from which their crops speak for each other
POOLED = 0.5  # of a herd's mean, beside the crop's own classes


def name_regions(
    regions: Sequence[Region], odds: Sequence[FloatArray | None], table: HeardTable, *, whole: int
) -> tuple[Verdict, ...]:
    """One verdict a region.

    Args:
        regions: of one picture.
        odds: [classes] probabilities of each region's crop; None: it was not classified.
        table: what the names sound like.
        whole: how many regions, the first, the detector found in the whole picture; the others are of slices.
    """
    pooled = _pooled(regions, odds)
    verdicts = []
    for n, region in enumerate(regions):
        label = table.labels[region.label]
        verdict = judge(label, region.confidence, table.classes, pooled[n], _beside(region, regions))
        sure = n < whole or verdict.confidence >= SLICED
        verdicts.append(verdict if sure else verdict.unless_borne_out())
    flock = _flock(odds, verdicts)
    misnamed = _misnamed(regions, odds, verdicts)
    return tuple(
        verdict.unless_borne_out() if own is None and region.label in misnamed else verdict
        for region, own, verdict in zip(regions, odds, flock, strict=True)
    )


def sound_of(verdict: Verdict, move: Motion, box: Box, shape: float, ground: str) -> str | None:
    """The key of what a region sounds like, people by how they move; None: silent.

    What is doubted is silent, and a small vehicle that rests is parked.

    Args:
        verdict: which name won.
        move: how it moves.
        box: where it is.
        shape: width to height of the picture.
        ground: the footsteps that belong to the place.
    """
    heard = verdict.heard
    if verdict.doubted:
        return None
    if heard.group == "vehicle" and move is Motion.STILL and box.area < PARKED:
        return None
    if heard.group != "person" or heard.sound:
        return heard.sound_when(move is Motion.MOVES)
    if move is Motion.STILL:
        return None
    height, width = box.bottom - box.top, (box.right - box.left) * shape
    whole = height >= TALL * width and box.bottom < NO_FEET
    return ground if move is Motion.MOVES and whole else "cloth_rustle"


def _pooled(regions: Sequence[Region], odds: Sequence[FloatArray | None]) -> list[FloatArray | None]:
    """The crops' probabilities, those of a herd mixed with its mean."""
    herds: dict[str, list[FloatArray]] = {}
    for region, own in zip(regions, odds, strict=True):
        if own is not None:
            herds.setdefault(region.label, []).append(own)
    means = {label: np.mean(herd, axis=0) for label, herd in herds.items() if len(herd) >= HERD}
    return [
        own if own is None or region.label not in means else (1 - POOLED) * own + POOLED * means[region.label]
        for region, own in zip(regions, odds, strict=True)
    ]


def _flock(odds: Sequence[FloatArray | None], verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """Animals that only a label names are called what most crops of their kind say, weighed by confidence."""
    told = [
        verdict
        for own, verdict in zip(odds, verdicts, strict=True)
        if own is not None and verdict.heard.group == "animal" and verdict.decision in BORNE_OUT
    ]
    flock = []
    for own, verdict in zip(odds, verdicts, strict=True):
        nameless = own is None and not verdict.doubted
        alike = [one for one in told if nameless and one.heard.kind == verdict.heard.name]
        votes: dict[str, float] = {}
        for one in alike:
            votes[one.heard.name] = votes.get(one.heard.name, 0.0) + one.confidence
        likest = max(alike, key=lambda one: votes[one.heard.name], default=verdict)
        flock.append(replace(verdict, heard=likest.heard))
    return tuple(flock)


def _misnamed(
    regions: Sequence[Region], odds: Sequence[FloatArray | None], verdicts: Sequence[Verdict]
) -> set[str]:
    """Labels of which every crop turned out to be something else: swans that were taken for people.

    Who plays an instrument or rides a horse is heard as that, and is a person still.
    """
    judged: dict[str, set[bool]] = {}
    for region, own, verdict in zip(regions, odds, verdicts, strict=True):
        if own is not None:
            heard = verdict.heard
            is_person = region.label == "person" and (heard.group != "animal" or heard.kind in RIDDEN)
            judged.setdefault(region.label, set()).add(verdict.decision == "overruled" and not is_person)
    return {label for label, others in judged.items() if others == {True}}


def _beside(region: Region, regions: Sequence[Region]) -> dict[str, float]:
    """The other labels that the detector gave to the same place, with their confidence."""
    found: dict[str, float] = {}
    for other in regions:
        if other.label != region.label and other.box.overlap(region.box) >= SAME_PLACE:
            found[other.label] = max(found.get(other.label, 0.0), other.confidence)
    return found
