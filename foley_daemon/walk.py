"""Which files of a hot folder are looked at: names, patterns, and folders that are not entered."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from loguru import logger

FAILED_FOLDER = "_failed"  # reserved at the top of a hot folder
DONE_FOLDER = "_done"
NOT_FOLDERS = frozenset(
    {"@eadir", "__macosx", "#recycle", "#snapshot", "$recycle.bin", "system volume information", "lost+found"}
)
NOT_SUFFIXES = (
    "~",
    ".!qb",
    ".!ut",
    ".aria2",
    ".crdownload",
    ".download",
    ".filepart",
    ".opdownload",
    ".part",
    ".partial",
    ".swp",
    ".temp",
    ".tmp",
)
NOT_PREFIXES = (".", "~$", "~syncthing~")  # hidden: ._* .DS_Store .syncthing.* .~lock.* and our own .foley*


@dataclass(frozen=True, slots=True)
class Rules:
    """What of a hot folder is looked at."""

    patterns: tuple[str, ...]  # of file names; case does not count
    stable_for: float  # seconds
    output: Path | None = None  # of the results, never entered: that one, or where relative any of that name
    full_hash: bool = False
    once: bool = False


def walk(
    folder: Path, rules: Rules, refused: Callable[[str, OSError], None] = lambda _name, _error: None
) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the relative path and status of every file that the rules let through.

    Folders that are hidden, temporary, a server's own or reserved are not entered, nor are links to
    folders (they can form circles); a link to a file is that file.

    Args:
        folder: the hot folder.
        rules: of its profile.
        refused: told of subfolders that may not be entered; those that vanish are passed over.

    Raises:
        OSError: the folder itself cannot be listed.
    """
    any_of = "|".join(map(fnmatch.translate, rules.patterns)) or r"(?!)"
    matches = re.compile(any_of, re.IGNORECASE).match
    stack = [""]
    while stack:
        inside = stack.pop()
        try:
            with os.scandir(folder / inside) as listing:
                entries = list(listing)
        except OSError as error:
            if not inside:
                raise
            if not isinstance(error, FileNotFoundError):
                refused(inside, error)
            continue
        for entry in entries:
            name = f"{inside}/{entry.name}" if inside else entry.name
            try:
                if entry.is_dir(follow_symlinks=False):
                    if not _pruned(Path(entry.path), at_top=not inside, output=rules.output):
                        stack.append(name)
                elif not temporary(entry.name) and matches(entry.name) and entry.is_file():
                    yield name, entry.stat()
            except OSError as error:  # removed between the listing and the look
                logger.debug("{}: passed over: {}", shown(name), shown(error))


def shown(name: object) -> str:
    """A name for people: odd bytes and line ends escaped."""
    return str(name).encode("utf-8", "backslashreplace").decode().replace("\n", "\\n").replace("\r", "\\r")


def temporary(name: str) -> bool:
    """Whether a name is one that programs give to what is not finished, or not meant to be seen."""
    folded = name.lower()
    return folded.startswith(NOT_PREFIXES) or folded.endswith(NOT_SUFFIXES)


def _pruned(folder: Path, *, at_top: bool, output: Path | None) -> bool:
    name = folder.name
    if temporary(name) or name.lower() in NOT_FOLDERS or (at_top and name in {FAILED_FOLDER, DONE_FOLDER}):
        return True
    if output is None:
        return False
    if output.is_absolute():
        return folder == output
    return folder.parts[-len(output.parts) :] == output.parts
