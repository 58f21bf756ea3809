"""A folder of clips as files: which there are, what tells them apart, and which are held out."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from ssv2a.cli_files import VIDEOS
from ssv2a.errors import InputError
from ssv2a.types import Split

VAL_SHARE = 0.2  # of the files, held out
_ENDS = 1 << 20  # bytes of a file's beginning and end that tell it from most others


def clip_files(folder: Path, leave_out: Path | None = None) -> list[Path]:
    """Every visible video file in a folder and the folders in it, sorted by path.

    Args:
        folder: where to look; links to folders are not followed.
        leave_out: a folder in it that is not entered.

    Raises:
        InputError: the folder is not there, or holds no video file.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected one with clips. Check the path.")
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and (leave_out is None or not _same(Path(place, name), leave_out))
        ]
        visible = [Path(place, name) for name in names if not name.startswith(".")]
        found += [path for path in visible if path.suffix.lower() in VIDEOS and path.is_file()]
    if not found:
        raise InputError(
            f"{folder}: no clip in it; expected files that end in {', '.join(sorted(VIDEOS))}, there or in "
            "folders in it."
        )
    return sorted(found)


def _same(one: Path, other: Path) -> bool:
    return other.exists() and one.samefile(other)


def digest(path: Path) -> str:
    """What tells a file from most others, whatever its name: of its size, its first and its last megabyte.

    An archive of films is not read from end to end before each build. Where two files are alike in this,
    their whole contents decide, see `whole_digest`.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        ends = file.read(_ENDS)
        file.seek(max(0, size - _ENDS))
        ends += file.read(_ENDS)
    return hashlib.blake2b(size.to_bytes(8, "little") + ends, digest_size=12).hexdigest()


def whole_digest(path: Path) -> str:
    """What tells a file from all others, whatever its name: of all that is in it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=12)).hexdigest()


def split_files(digests: Iterable[str], seed: int) -> dict[str, Split]:
    """Hold out a fifth of the files by what is in them, whatever other files there are.

    Of two files or more, at least one is on either side: of a few, chance may leave one side empty, and the
    nearest file is put there. It alone may go back to the other side when more files come.
    """
    draws = {
        one: int.from_bytes(hashlib.blake2b(f"{seed}:{one}".encode(), digest_size=8).digest(), "big") / 2**64
        for one in set(digests)
    }
    held_out = {one for one, draw in draws.items() if draw < VAL_SHARE}
    ordered = sorted(draws, key=draws.__getitem__)
    if len(ordered) > 1:
        held_out = (held_out | {ordered[0]}) - {ordered[-1]}
    return {one: "val" if one in held_out else "train" for one in ordered}
