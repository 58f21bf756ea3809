"""What the bars are measured on: captions, photographs and pairs, and what must be heard in each.

Files in this folder:

    heard_as.csv   of a sound of the vocabulary: labels of AudioSet that name it, and labels that are near
    captions.csv   words that took no part in the making of the bundle, and the sounds they ask for
    pictures.csv   photographs (in `pictures/`), what they show, whose they are, under which licence
    pairs.csv      two captions, or two photographs that are set side by side
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from ssv2a.images import read_image
from ssv2a.types import ByteArray

HERE = Path(__file__).parent
PICTURES = HERE / "pictures"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One source that must be heard."""

    name: str  # a caption, or the name of a picture's file
    sounds: tuple[str, ...]  # keys of the vocabulary: any of them is right

    @property
    def labels(self) -> tuple[str, ...]:
        """AudioSet's names for it."""
        return _joined(self.sounds, "heard_as")

    @property
    def near(self) -> tuple[str, ...]:
        """Those, and names of what it is a kind of or easily taken for."""
        return self.labels + _joined(self.sounds, "near")

    @property
    def is_picture(self) -> bool:
        """Whether it is a photograph of `pictures/`."""
        return self.name.endswith(".jpg")

    def picture(self) -> ByteArray:
        """The photograph [height, width, 3]."""
        return read_image(PICTURES / self.name)


def captions() -> tuple[Wanted, ...]:
    """Thirty captions."""
    return tuple(_wanted(row["caption"], row["sounds"]) for row in _rows("captions"))


def pictures() -> tuple[Wanted, ...]:
    """Photographs of one kind of source each."""
    return tuple(_wanted(row["file"], row["sounds"]) for row in _rows("pictures"))


def pairs() -> tuple[tuple[Wanted, Wanted], ...]:
    """Two sources that must both be heard."""
    shown = {wanted.name: wanted for wanted in pictures()}
    return tuple(
        (
            shown.get(row["first"]) or _wanted(row["first"], row["first_sounds"]),
            shown.get(row["second"]) or _wanted(row["second"], row["second_sounds"]),
        )
        for row in _rows("pairs")
    )


def side_by_side(left: ByteArray, right: ByteArray, height: int = 384) -> ByteArray:
    """Two pictures of one height beside each other."""
    images = [Image.fromarray(picture) for picture in (left, right)]
    sizes = [(max(1, round(image.width * height / image.height)), height) for image in images]
    scaled = [image.resize(size, Image.Resampling.LANCZOS) for image, size in zip(images, sizes, strict=True)]
    return np.concatenate([np.asarray(image, np.uint8) for image in scaled], axis=1)


def heard_as() -> dict[str, tuple[str, ...]]:
    """AudioSet's names for each kind of sound of the vocabulary that has any."""
    return {sound: _joined((sound,), "heard_as") for sound in _heard_as()}


def _wanted(name: str, sounds: str) -> Wanted:
    return Wanted(name, tuple(sounds.split("|")))


def _joined(sounds: tuple[str, ...], column: str) -> tuple[str, ...]:
    table = _heard_as()
    return tuple(label for sound in sounds for label in table[sound][column].split("|") if label)


@cache
def _heard_as() -> Mapping[str, Mapping[str, str]]:
    return {row["sound"]: row for row in _rows("heard_as")}


@cache
def _rows(name: str) -> tuple[dict[str, str], ...]:
    with (HERE / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return tuple(csv.DictReader(file))
