"""A folder of clips observed file by file, each content once, and what was observed before not again."""

from __future__ import annotations

import filecmp
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from loguru import logger

from ssv2a.errors import MediaError
from ssv2a.footage.clips import Clip, Shelf
from ssv2a.footage.files import clip_files, digest, whole_digest
from ssv2a.footage.observer import NoSound, Observer
from ssv2a.footage.verdicts import Verdict

OnFile = Callable[[int, int, Path], None]

_ADDRESS = re.compile(r" @ 0x[0-9a-f]+")  # in ffmpeg's words


@dataclass(frozen=True, slots=True)
class Passed:
    """A file of which nothing was observed."""

    file: str  # path in the folder, with forward slashes
    verdict: Verdict
    why: str = ""  # the error, or the file that it is a copy of


@dataclass(frozen=True, slots=True)
class Folder:
    """The clips of a folder."""

    path: Path
    clips: dict[str, Path]  # by a digest of what is in them, in the order of their paths
    passed: tuple[Passed, ...]  # copies, and files that cannot be opened


def list_clips(folder: Path, leave_out: Path) -> Folder:
    """The clips of a folder and the folders in it, but for one of those.

    Raises:
        InputError: the folder is not there, or holds no video file.
    """
    clips: dict[str, Path] = {}
    passed: list[Passed] = []
    for path in clip_files(folder, leave_out):
        name = path.relative_to(folder).as_posix()
        try:
            mark = digest(path)
            if mark in clips and not filecmp.cmp(clips[mark], path, shallow=False):
                mark = whole_digest(path)
            first = clips.setdefault(mark, path)
        except OSError as error:
            passed.append(_unread(name, error))
            continue
        if first is not path:
            passed.append(Passed(name, Verdict.COPY, first.relative_to(folder).as_posix()))
    return Folder(folder, clips, tuple(passed))


def survey(
    folder: Folder, observer: Observer, shelf: Shelf, on_file: OnFile
) -> Iterator[tuple[Clip | Passed, bool]]:
    """Each part of each clip with whether it was observed just now; it is put on the shelf at once.

    Args:
        folder: the clips.
        observer: looks and listens.
        shelf: what was observed before.
        on_file: told (number, of how many, path) before each part; what it raises ends the survey.

    Raises:
        OSError: the disk does not take what was observed.
    """
    for number, (mark, path) in enumerate(folder.clips.items(), 1):
        name = path.relative_to(folder.path).as_posix()
        for part in count():
            on_file(number, len(folder.clips), path)
            seen: Clip | Passed | None = shelf.find(name, mark, part)
            is_new = seen is None
            if seen is None:
                seen = _observe(observer, path, name, mark, part)
                if isinstance(seen, Clip):
                    shelf.keep(seen)
            yield seen, is_new
            if isinstance(seen, Passed) or seen.is_last:
                break


def _observe(observer: Observer, path: Path, name: str, mark: str, part: int) -> Clip | Passed:
    try:
        segments, is_last = observer.observe(path, part)
        return Clip(name, mark, segments, part, is_last)
    except NoSound:
        return Passed(name, Verdict.NO_SOUND)
    except MediaError as error:
        return _unread(name, error)


def _unread(name: str, error: Exception) -> Passed:
    logger.warning("passed over {}: {}", name, error)
    why = _ADDRESS.sub("", " ".join(str(error).split()))  # the same words for the same files
    return Passed(name, Verdict.UNREADABLE, why)
