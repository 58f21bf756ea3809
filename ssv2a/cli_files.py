"""Which files are meant, and what their results are called."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from ssv2a.errors import InputError

IMAGES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".tif", ".tiff", ".gif", ".bmp"})
VIDEOS = frozenset(
    {
        *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".m2ts", ".mts", ".mxf", ".mpg", ".mpeg"),
        *(".wmv", ".flv", ".ogv", ".3gp"),
    }
)
_NAME_BYTES = 200  # of a result's name: room for what is put behind it, within the 255 of most file systems


def files_in(path: Path, suffixes: Collection[str]) -> list[Path]:
    """The files that a path of the command line means.

    A file means itself, whatever it is called. A folder means the visible files directly in it that end
    in one of `suffixes`, in any case, sorted by name.

    Raises:
        InputError: there is nothing of that name, no such file in the folder, or it cannot be listed.
    """
    if not path.is_dir():
        if not path.exists():
            raise InputError(f"{path}: no such file or folder. Check the path.")
        return [path]
    try:
        names = sorted(name for name in os.listdir(path) if not name.startswith("."))  # noqa: PTH208
    except OSError as error:
        raise InputError(f"{path}: cannot be listed: {error.strerror}. Check its permissions.") from error
    found = [path / name for name in names if Path(name).suffix.lower() in suffixes]
    files = [file for file in found if file.is_file()]
    if not files:
        raise InputError(
            f"{path}: nothing to do in it; expected files that end in {', '.join(sorted(suffixes))}, got "
            f"{len(names)} of other kinds. Folders in it are not entered."
        )
    return files


def distinct(paths: Sequence[Path]) -> list[Path]:
    """Each file once, at its first place: two paths to one file are one input."""
    first: dict[str, Path] = {}
    for path in paths:
        first.setdefault(os.path.realpath(path), path)
    return list(first.values())


def result_names(paths: Sequence[Path]) -> list[str]:
    """A name for the result of each file, without suffix, whatever the order of the files.

    It is the file's name without suffix (`dog`); where several would share it, with suffix (`dog.png`,
    `dog.jpg`); where they share that too, after as many of their folders as tell them apart
    (`monday_dog.png`). Upper and lower case count as one.
    """
    places = [Path(os.path.realpath(path.parent), path.name) for path in paths]
    levels = [0] * len(places)
    while True:
        names = [_name(place, level) for place, level in zip(places, levels, strict=True)]
        counts = Counter(name.casefold() for name in names)
        shared = [
            index
            for index, (name, place) in enumerate(zip(names, places, strict=True))
            if counts[name.casefold()] > 1 and levels[index] < len(place.parts) - 1
        ]
        if not shared:
            return [_shortened(name) for name in names]
        for index in shared:
            levels[index] += 1


def _name(place: Path, level: int) -> str:
    """The file's name at a level: 0 without suffix, 1 with it, above with folders before it."""
    return "_".join(place.parts[-level:]) if level else place.stem


def _shortened(name: str) -> str:
    """A name of at most _NAME_BYTES, no character cut in two; what is cut off stays in it as a digest."""
    if len(os.fsencode(name)) <= _NAME_BYTES:
        return name
    digest = hashlib.blake2b(os.fsencode(name), digest_size=4).hexdigest()
    while len(os.fsencode(name)) > _NAME_BYTES - 1 - len(digest):
        name = name[:-1]
    return f"{name}_{digest}"
