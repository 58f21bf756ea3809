"""Whether what is found in one frame is one thing or several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ssv2a.types import SCENE, WHOLE_PICTURE, Source

SAME_THING = 0.5  # overlap above which two sources of one name and caption are one
SAME_PLACE = 0.5  # the same, above which two animals are one, and so is a smaller box that lies within
WITHIN = 0.8  # share of a box that lies in another, from which it lies within
SPECK = 0.03  # of a picture: less of it is a speck
_PARTS = frozenset({"instrument", "thing", "tool"})  # groups whose names parts of instruments get


@dataclass(frozen=True, slots=True)
class Claim:
    """A source of one frame before it is known whether another is the same thing."""

    source: Source
    group: str  # of what it is called, one of `heard.GROUPS`
    borne_out: bool  # by the crop

    @property
    def animal(self) -> bool:
        """Whether it is called an animal."""
        return self.group == "animal"


def unlike(claims: Sequence[Claim], beyond: Sequence[Claim]) -> list[Claim]:
    """The claims of regions beside those of the whole picture, whose animal is what weak labels meant.

    Args:
        claims: of regions.
        beyond: of the whole picture or a half of it.
    """
    if not any(claim.animal and claim.source.box == WHOLE_PICTURE for claim in beyond):
        return list(claims)
    return [claim for claim in claims if claim.borne_out or not claim.animal]


def merge(claims: Sequence[Claim]) -> tuple[Source, ...]:
    """One source a thing, the surest first.

    Overlapping sources of one name that sound alike are one. Where one animal is, there is no other: of two
    names for it the surer one stays, and a crop's own word goes before a label that no crop bears out. Pieces
    of others are left out.
    """
    kept: list[Claim] = []
    for claim in sorted(claims, key=lambda c: (c.animal and not c.borne_out, -c.source.confidence)):
        if not any(_same_thing(claim, other) for other in kept):
            kept.append(claim)
    kept = [claim for claim in kept if not _is_piece(claim, kept)]
    return tuple(claim.source for claim in sorted(kept, key=lambda c: -c.source.confidence))


def _is_piece(claim: Claim, others: Sequence[Claim]) -> bool:
    """Whether it is a leg between horses or a cymbal of a drum kit that the crop took for a thing of its own.

    Label and crop do not agree on what it is, and larger animals cover it, or it is a speck of an instrument
    that fills the picture or a half of it.
    """
    ours = claim.source
    if ours.reasons is None or ours.reasons.decision != "overruled":
        return False
    larger = [other for other in others if other.source.box.area > ours.box.area]
    herd = [other.source.box for other in larger if other.animal and other.source.label != SCENE]
    if claim.animal and ours.box.share_covered(herd) >= WITHIN:
        return True
    played = [one.source.box for one in larger if one.group == "instrument" and one.source.label == SCENE]
    speck = claim.group in _PARTS and ours.box.area < SPECK
    return speck and ours.box.share_covered(played) >= WITHIN


def _same_thing(claim: Claim, other: Claim) -> bool:
    ours, theirs = claim.source, other.source
    if (ours.name, ours.caption) == (theirs.name, theirs.caption):
        return ours.box.overlap(theirs.box) > SAME_THING
    if not (claim.animal and other.animal) or SCENE in (ours.label, theirs.label):
        return False
    return ours.box.overlap(theirs.box) > SAME_PLACE or ours.box.share_within(theirs.box) > WITHIN
