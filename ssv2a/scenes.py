"""The place of a picture: what is in the air, what people walk on, and what is out of place there.

`scenes.csv` holds the rules; of the air and the ground the first that holds decides. Evidence is a number by
name: counts (`people`, `vehicles`, `label:boat`), shares of the picture (`greenery`, `sky`), how much leaves
stir before a still camera (`stirring`) and the classifier's mass on places that sound like something
(`place:sea_waves`). Crowds babble from eight people on: fewer are heard as single voices, and voices are not
ours to make.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ssv2a.errors import BundleError
from ssv2a.heard import Heard
from ssv2a.soundbank.vocabulary import vocabulary
from ssv2a.types import Box, FloatArray

DECIDES = ("ambience", "surface", "silent")
COLUMNS = ("decides", "evidence", "at_least", "sound")
PLACE = 0.33  # mass of a place from which it is believed; below, the classifier names places only roughly
_SOME_GREEN = 0.05  # of the picture, to tell whether leaves stir
_STILL_CAMERA = 4.0  # of 255: mean change of the whole picture from which more than leaves moved
HARD_FLOOR = "footsteps_hard"  # what people walk on where no rule knows better


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of `scenes.csv`."""

    decides: str  # one of DECIDES
    evidence: str
    at_least: float
    sound: str  # key of the vocabulary


def load_scenes(path: Path) -> tuple[Rule, ...]:
    """Read and check `scenes.csv`.

    Raises:
        BundleError: the file or a row is wrong.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise BundleError(f"{path}: expected the columns {COLUMNS}, got {reader.fieldnames}")
            return tuple(_rule(row, f"{path}, line {n}") for n, row in enumerate(reader, 2))
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error}); install the bundle again") from error


def _rule(row: dict[str, str], where: str) -> Rule:
    if row["decides"] not in DECIDES:
        raise BundleError(
            f"{where}: {row['decides']!r} decides nothing; expected one of {', '.join(DECIDES)}"
        )
    if row["sound"] not in vocabulary():
        raise BundleError(f"{where}: {row['sound']!r} is not in the vocabulary")
    try:
        return Rule(row["decides"], row["evidence"], float(row["at_least"]), row["sound"])
    except ValueError as error:
        raise BundleError(f"{where}: at_least must be a number, got {row['at_least']!r}") from error


def gather(
    labels: Sequence[Heard], classes: Sequence[Heard], odds: FloatArray, thumb: FloatArray
) -> dict[str, float]:
    """The evidence of one picture.

    Args:
        labels: what was found in it, one for each thing.
        classes: the classifier's classes.
        odds: [classes] probabilities of the whole picture.
        thumb: [height, width, 3] RGB in 0..255, a small copy of it.
    """
    evidence: dict[str, float] = defaultdict(float)
    for name, count in Counter(heard.name for heard in labels).items():
        evidence[f"label:{name}"] = count
    groups = Counter(heard.group for heard in labels)
    evidence["people"], evidence["vehicles"] = groups["person"], groups["vehicle"]
    for heard, probability in zip(classes, odds.tolist(), strict=True):
        if heard.group == "place" and heard.sound:
            evidence[f"place:{heard.sound}"] += probability
    evidence["greenery"], evidence["sky"] = _greenery(thumb), _sky(thumb)
    return dict(evidence)


def pool(evidences: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The evidence of several pictures of one place: places are averaged, all else is the most seen."""
    keys = sorted({key for evidence in evidences for key in evidence})
    values = {key: [evidence.get(key, 0.0) for evidence in evidences] for key in keys}
    return {k: sum(v) / len(v) if k.startswith("place:") else max(v) for k, v in values.items()}


def ambience(rules: Sequence[Rule], evidence: Mapping[str, float]) -> str | None:
    """The sound that is in the air, a key of the vocabulary: a place that is sure, else the rules."""
    places = {key: mass for key, mass in evidence.items() if key.startswith("place:")}
    surest = max(places, key=lambda key: places[key], default=None)
    if surest is not None and places[surest] >= PLACE:
        return surest.removeprefix("place:")
    return _first(rules, "ambience", evidence)


def surface(rules: Sequence[Rule], evidence: Mapping[str, float]) -> str:
    """The footsteps that belong to the ground, a key of the vocabulary."""
    return _first(rules, "surface", evidence) or HARD_FLOOR


def misplaced(rules: Sequence[Rule], evidence: Mapping[str, float]) -> frozenset[str]:
    """Sounds, keys of the vocabulary, that nothing makes in such a place: a sea lion in a meadow is none."""
    return frozenset(
        rule.sound
        for rule in rules
        if rule.decides == "silent" and evidence.get(rule.evidence, 0.0) >= rule.at_least
    )


def under(thumb: FloatArray, box: Box) -> dict[str, float]:
    """Evidence of the ground that somebody stands on: how green it is right under a box.

    Args:
        thumb: [height, width, 3] RGB in 0..255, a small copy of the picture.
        box: of the one who stands there.
    """
    height, width = thumb.shape[:2]
    row = min(int(box.bottom * height), height - 1)
    left = min(int(box.left * width), width - 1)
    right = max(int(np.ceil(box.right * width)), left + 1)
    return {"greenery": float(_green(thumb[row : row + 2, left:right]).mean())}


def stirring(thumbs: Sequence[FloatArray]) -> float:
    """How much leaves stir from frame to frame: the median change of what stays green, in 255ths.

    Frames between which more than leaves changed (the camera moved, something passes) say nothing; where no
    two frames are left, or little is green, it is 0.
    """
    changes = []
    for before, after in pairwise(thumbs):
        change = np.abs(before - after).mean(axis=2)
        green = _green(before) & _green(after)
        if green.mean() >= _SOME_GREEN and change.mean() < _STILL_CAMERA:
            changes.append(float(change[green].mean()))
    return float(np.median(changes)) if changes else 0.0


def _first(rules: Sequence[Rule], decides: str, evidence: Mapping[str, float]) -> str | None:
    for rule in rules:
        if rule.decides == decides and evidence.get(rule.evidence, 0.0) >= rule.at_least:
            return rule.sound
    return None


def _greenery(thumb: FloatArray) -> float:
    return float(_green(thumb).mean())


def _green(thumb: FloatArray) -> NDArray[np.bool_]:
    """[height, width]: where it is green as leaves are: green leads, neither dull nor black."""
    red, green, blue = np.moveaxis(thumb, -1, 0)
    bright = (green > 40) & (green - np.minimum(red, blue) > 15)
    return np.asarray((green > red) & (green > blue * 1.15) & bright)


def _sky(thumb: FloatArray) -> float:
    """Share of the picture that is blue and bright, counted in its upper half only."""
    red, green, blue = np.moveaxis(thumb[: len(thumb) // 2], -1, 0)
    return float(((blue > 110) & (blue > red * 1.15) & (blue >= green)).mean()) / 2
