"""Files that a user carried in: found in a folder by name, taken by link or copy.

A file is known by the end of its path, as published or as in the bundle: `unet/config.json` is found in
a clone, in a cache of the hub or in a flat copy alike. A bare file name is enough where it occurs once in
the release.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from ssv2a.release.model import ReleasedFile
from ssv2a.release.partial import sync_folder
from ssv2a.release.room import require_room


def find_carried(folder: Path, files: Sequence[ReleasedFile]) -> Mapping[ReleasedFile, Path]:
    """Which of the files a folder holds, at any depth; of several, the longest match, then the shallowest."""
    found = [PurePosixPath(path) for path in sorted(_beneath(folder))]
    single = Counter(PurePosixPath(file.path).name for file in files)
    carried = {}
    for file in files:
        shortest = 1 if single[PurePosixPath(file.path).name] == 1 else 2
        matches = [(length, path) for path in found if (length := _match(path, file)) >= shortest]
        if matches:
            best = min(matches, key=lambda match: (-match[0], len(match[1].parts), match[1]))
            carried[file] = folder / best[1]
    return carried


def take(source: Path, target: Path) -> None:
    """Put a file in its place: a hard link where the file system allows it, else a copy.

    Raises:
        InstallFailed: there is too little room for a copy.
        OSError: it cannot be read or written.
    """
    source = source.resolve()  # a hub cache holds symbolic links
    temporary = target.with_name(f"{target.name}.part")
    temporary.unlink(missing_ok=True)
    try:
        os.link(source, temporary)
    except OSError:  # another file system, or one without links
        _copy(source, temporary)
    temporary.replace(target)
    sync_folder(target.parent)


def _copy(source: Path, target: Path) -> None:
    require_room(target.parent, source.stat().st_size, f"a copy of {source}")
    with source.open("rb") as reader, target.open("wb") as writer:
        shutil.copyfileobj(reader, writer, 1 << 20)
        writer.flush()
        os.fsync(writer.fileno())


def _beneath(folder: Path) -> Iterator[str]:
    """Relative paths of all files; folders that are symbolic links are not entered."""
    for place, _folders, names in os.walk(folder):
        for name in names:
            yield Path(place, name).relative_to(folder).as_posix()


def _match(path: PurePosixPath, file: ReleasedFile) -> int:
    """How many components at the end agree with the file's path, the published one or the bundle's."""
    names = (file.path, file.source.name, file.alias)
    return max(_common_end(path.parts, PurePosixPath(name).parts) for name in names)


def _common_end(one: Sequence[str], other: Sequence[str]) -> int:
    length = 0
    for ours, theirs in zip(reversed(one), reversed(other), strict=False):
        if ours != theirs:
            break
        length += 1
    return length
