"""What a thing that is seen sounds like: the table of every name the detector and the classifier know.

One row a name: the sound it makes (empty: none), the sound it makes when it moves (empty: the same),
the group it belongs to (what may overrule what), and the detector's label it is a kind of.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from ssv2a.errors import BundleError
from ssv2a.soundbank.vocabulary import vocabulary

GROUPS = frozenset(
    {"animal", "vehicle", "person", "instrument", "tool", "appliance", "sport"}
    | {"thing", "clothes", "food", "plant", "part", "place"}
)
COLUMNS = ("model", "index", "name", "group", "kind", "sound", "moving", "caption")


@dataclass(frozen=True, slots=True)
class Heard:
    """One name and how it is heard."""

    name: str
    group: str  # one of GROUPS
    kind: str  # the detector's label it is a kind of; "" for none, and for the labels themselves
    sound: str | None  # key of the vocabulary; None: silent
    moving: str | None  # the same, for when it moves through the picture
    caption: str | None  # the vocabulary's caption of `sound` that fits best; None: the canonical one

    def sound_when(self, moving: bool) -> str | None:
        """The key of the sound, by whether the thing moves."""
        return (self.moving or self.sound) if moving else self.sound

    def caption_when(self, moving: bool) -> str | None:
        """The caption of the sound, by whether the thing moves; None: silent."""
        key = self.sound_when(moving)
        if key is None:
            return None
        return self.caption if self.caption and key == self.sound else vocabulary()[key].caption


@dataclass(frozen=True, slots=True)
class HeardTable:
    """The detector's labels and the classifier's classes, each with how it is heard."""

    labels: MappingProxyType[str, Heard]  # in the detector's order
    classes: tuple[Heard, ...]  # in the classifier's order


def load_heard(path: Path) -> HeardTable:
    """Read and check `heard.csv`.

    Raises:
        BundleError: with every row that is wrong.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                raise BundleError(f"{path}: expected the columns {COLUMNS}, got {reader.fieldnames}")
            rows = list(reader)
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error}); install the bundle again") from error
    labels = [row for row in rows if row["model"] == "coco"]
    classes = [row for row in rows if row["model"] == "imagenet"]
    known = {row["name"] for row in labels}
    wrong = [f"line {n}: {fault}" for n, row in enumerate(rows, 2) for fault in _faults(row, known)]
    wrong += [f"{part} rows are not numbered 0, 1, 2 …" for part in _unordered(labels, classes)]
    if wrong:
        raise BundleError(f"{path}: " + "; ".join(wrong))
    return HeardTable(
        MappingProxyType({row["name"]: _row(row) for row in labels}), tuple(_row(row) for row in classes)
    )


def caption_of(sound: str | None) -> str | None:
    """The canonical caption of a key of the vocabulary."""
    return None if sound is None else vocabulary()[sound].caption


def _row(row: dict[str, str]) -> Heard:
    sound, moving, caption = (row[column] or None for column in ("sound", "moving", "caption"))
    return Heard(row["name"], row["group"], row["kind"], sound, moving, caption)


def _faults(row: dict[str, str], labels: set[str]) -> Iterable[str]:
    """What is wrong with one row."""
    sounds = vocabulary()
    if row["model"] not in ("coco", "imagenet"):
        yield f"model {row['model']!r}, expected coco or imagenet"
    if row["group"] not in GROUPS:
        yield f"group {row['group']!r}, expected one of {sorted(GROUPS)}"
    if row["kind"] and row["kind"] not in labels:
        yield f"kind {row['kind']!r} is no label of the detector"
    for column in ("sound", "moving"):
        if row[column] and row[column] not in sounds:
            yield f"{column} {row[column]!r} is not in the vocabulary"
    if row["caption"] and (row["sound"] not in sounds or row["caption"] not in sounds[row["sound"]].captions):
        yield f"caption {row['caption']!r} is none of the vocabulary's for {row['sound']!r}"


def _unordered(labels: list[dict[str, str]], classes: list[dict[str, str]]) -> Iterable[str]:
    for part, rows in (("coco", labels), ("imagenet", classes)):
        if not rows or [row["index"] for row in rows] != [str(n) for n in range(len(rows))]:
            yield part
