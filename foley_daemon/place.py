"""Names of outputs, and putting a finished file under its name without ever overwriting by accident."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import date
from itertools import count
from pathlib import Path
from typing import Literal

from foley_daemon.errors import DiskFull, FolderGone, OutputError, OutputExists, VerificationFailed
from foley_daemon.scratch import in_use, remove_abandoned
from ssv2a.errors import MediaError

Collision = Literal["fail", "version", "overwrite"]
Companions = Callable[[Path], Mapping[Path, bytes]]
"""Given the name that an output gets: the files that belong beside it."""
PART_SUFFIX = ".foley-part"
REPORT_SUFFIX = ".foley.json"
PICTURE_SUFFIX = ".foley.png"
CUES_SUFFIX = ".cues.csv"
_NAME_BYTES = 255  # of one name, on every common file system
_SPARE_BYTES = 24  # for "_999" and the suffixes of reports and pictures
_NO_SPACE = 1 << 20  # bytes; no clip is written into less
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ESTALE, errno.ENODEV, errno.EIO, errno.ENOTCONN})
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES})


def output_path(
    source: Path,
    folder: Path,
    template: str,
    *,
    profile: str,
    take: int,
    seed: int,
    day: date,
    ext: str | None = None,
) -> Path:
    """The name that a template gives, in `folder`.

    The stem is shortened where the name would exceed what file systems take (255 bytes, of which 24
    are left for version numbers and the names of reports).

    Args:
        source: the clip.
        folder: of the output.
        template: with {stem} {ext} {profile} {take} {seed} {date}.
        profile: name of the profile.
        take: number of the take, from 1.
        seed: of the profile.
        day: of the run; written as 2026-11-23.
        ext: suffix with its dot; None: the clip's.
    """
    fields = {
        "ext": source.suffix if ext is None else ext,
        "profile": profile,
        "take": take,
        "seed": seed,
        "date": day.isoformat(),
    }
    around = len(os.fsencode(template.format(stem="", **fields)))
    room = max(1, (_NAME_BYTES - _SPARE_BYTES - around) // max(1, template.count("{stem}")))
    return folder / template.format(stem=_shortened(source.stem, room), **fields)


def reserve_name(name: Callable[[int], Path], collision: Collision, earlier: Sequence[str] = ()) -> Path:
    """The name that a result is to have, chosen before the work is done.

    Args:
        name: of a take, from 1; the same for every take where the template has no {take}.
        collision: what to do if it is taken.
        earlier: names that an interrupted attempt at the same job meant to use: free for this one.

    Raises:
        OutputExists: it is taken and `collision` is "fail".
    """
    first = name(1)
    for number in count(1):
        path = name(number)
        if path == first and number > 1:
            path = first.with_name(f"{first.stem}_{number}{first.suffix}")
        if collision == "overwrite" or str(path) in earlier or not path.exists():
            return path
        if collision == "fail":
            break
    raise OutputExists(
        f"{first} exists and the profile forbids another name or overwriting it. "
        "Remove it, or set output.collision to version or overwrite."
    )


def _shortened(name: str, n_bytes: int) -> str:
    """The longest beginning of `name` that takes at most `n_bytes`, no character cut in two."""
    while len(os.fsencode(name)) > n_bytes:
        name = name[:-1]
    return name


def report_path(output: Path) -> Path:
    """Where the report of an output lies."""
    return _beside(output, REPORT_SUFFIX)


def picture_path(output: Path) -> Path:
    """Where the picture of an output lies."""
    return _beside(output, PICTURE_SUFFIX)


def cues_path(output: Path) -> Path:
    """Where the cue sheet of an output lies, if it has one."""
    return _beside(output, CUES_SUFFIX)


def _beside(output: Path, suffix: str) -> Path:
    return output.with_name(_shortened(output.name, _NAME_BYTES - len(suffix)) + suffix)


@contextmanager
def part_file(destination: Path) -> Iterator[Path]:
    """A hidden, empty file beside `destination`; whatever still lies there in the end is removed.

    Those of runs that were killed are removed first.

    Raises:
        DiskFull, FolderGone, OutputError: it cannot be made.
    """
    remove_abandoned(destination.parent, f".*{PART_SUFFIX}")

    def new() -> Path:
        tail = f".{secrets.token_hex(4)}{PART_SUFFIX}"
        part = destination.with_name(f".{_shortened(destination.name, _NAME_BYTES - len(tail) - 1)}{tail}")
        with disk_errors(destination.parent):
            part.touch(exist_ok=False)
        return part

    with in_use(new) as part:
        try:
            yield part
        finally:
            with suppress(OSError):  # a share that has gone takes the file with it
                part.unlink()


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn what the disk says into the daemon's errors, while what was written still lies there.

    Raises:
        DiskFull: no space, or no quota, is left.
        FolderGone: the folder is not there.
        OutputError: anything else, such as missing permission.
    """
    try:
        yield
    except (MediaError, VerificationFailed) as error:
        if not folder.is_dir():
            raise _gone(folder) from error
        # ffmpeg may end well though its last bytes found no room: the disk itself is asked.
        if shutil.disk_usage(folder).free < _NO_SPACE:
            raise _full(folder) from error
        raise
    except OSError as error:
        if error.errno in _FULL:
            raise _full(folder) from error
        if error.errno in _GONE and not folder.is_dir():
            raise _gone(folder) from error
        raise OutputError(
            f"{folder}: the result could not be written ({error.strerror or error}); expected a folder "
            "where files can be made. Check its permissions and the disk."
        ) from error


def _full(folder: Path) -> DiskFull:
    return DiskFull(
        f"{folder}: no space is left for the result. Free some; the clip is tried again by itself."
    )


def _gone(folder: Path) -> FolderGone:
    return FolderGone(
        f"{folder}: the folder of the result is not there. Is the share mounted? "
        "The clip is tried again by itself."
    )


def settle(part: Path, destination: Path, collision: Collision, source: Path, companions: Companions) -> Path:
    """Give a finished file its name: synced, with the source's mode and date, visible at once and whole.

    Its companions have theirs before: a run killed at any moment leaves no output without them. Those
    that it leaves without an output are replaced by the next that takes the name.

    Args:
        part: the finished file, in the folder of `destination`.
        destination: the name it is to have.
        collision: what to do if that is taken: fail, take the next free `_2`, `_3` …, or overwrite.
        source: whose mode and modification time it gets; it is never overwritten.
        companions: what lies beside it.

    Returns:
        The name it has.

    Raises:
        OutputExists: the name is taken and may not be another, or is the source's own.
        OSError: the disk.
    """
    facts = source.stat()
    _sync(part)
    part.chmod(stat.S_IMODE(facts.st_mode))
    os.utime(part, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    with _one_at_a_time(destination.parent):
        settled = _named(part, destination, collision, source, companions)
    _sync(destination.parent)
    return settled


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait until no other run gives names in a folder: it would put its report over this one's."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # NFS locks no folders; outputs are never overwritten there either
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _named(part: Path, destination: Path, collision: Collision, source: Path, companions: Companions) -> Path:
    if collision == "overwrite":
        if destination.exists() and destination.samefile(source):
            raise OutputExists(
                f"{destination} is the clip itself, which is never overwritten. "
                "Use another folder or name template."
            )
        with _laid_down(companions(destination), part, destination):
            part.replace(destination)
        return destination
    for number in count(1):
        name = destination
        if number > 1:
            name = destination.with_name(f"{destination.stem}_{number}{destination.suffix}")
        with suppress(FileExistsError):
            if not name.exists():
                with _laid_down(companions(name), part, name):
                    _move_to_free_name(part, name)
                return name
        if collision == "fail":
            break
    raise OutputExists(
        f"{destination} exists and the profile forbids another name or overwriting it. "
        "Remove it, or set output.collision to version or overwrite."
    )


@contextmanager
def _laid_down(contents: Mapping[Path, bytes], output: Path, name: Path) -> Iterator[None]:
    """Files that are there, whole and synced, while an output gets its name, and afterwards if it has it."""
    with ExitStack() as stack:
        parts = {path: stack.enter_context(part_file(path)) for path in contents}
        for path, part in parts.items():
            part.write_bytes(contents[path])
            _sync(part)
        try:
            for path, part in parts.items():
                part.replace(path)
            yield
        except BaseException:
            if not _has_name(output, name):
                for path in parts:
                    path.unlink(missing_ok=True)
            raise


def _has_name(part: Path, name: Path) -> bool:
    """Whether a finished file is under its name, though what came after that was interrupted."""
    return not part.exists() or (name.exists() and part.samefile(name))


def _move_to_free_name(part: Path, name: Path) -> None:
    """Rename, unless the name is taken (FileExistsError): no other process can slip in between."""
    try:
        os.link(part, name)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        name.touch(exist_ok=False)  # no hard links here (FAT, some shares): reserve, then replace
        part.replace(name)
    else:
        part.unlink()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
