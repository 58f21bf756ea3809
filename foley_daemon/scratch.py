"""Temporary files and folders that are gone in the end, also when their process is killed.

Each is locked while it is in use; the lock is the kernel's and ends with the process. What is found
unlocked was left behind by one that was killed: the next that works there removes it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from loguru import logger

WORK_PREFIX = "foley-work-"


@contextmanager
def work_folder() -> Iterator[Path]:
    """A folder in the system's temporary folder ($TMPDIR), removed in the end with all that is in it.

    Raises:
        OSError: it cannot be made.
    """
    remove_abandoned(Path(tempfile.gettempdir()), f"{WORK_PREFIX}*")
    with in_use(lambda: Path(tempfile.mkdtemp(prefix=WORK_PREFIX))) as folder:
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def in_use(make: Callable[[], Path]) -> Iterator[Path]:
    """Make a temporary file or folder, and lock it for the length of the block.

    Args:
        make: makes it under a new name; again, if another run took it for abandoned before it was locked.
    """
    descriptor = None
    while descriptor is None:
        path = make()
        descriptor = _locked(path)
    try:
        yield path
    finally:
        os.close(descriptor)


def _locked(path: Path) -> int | None:
    """A descriptor that holds the lock; None if the path is gone by then."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    with suppress(OSError):  # a file system without locks; there, nothing is removed either
        fcntl.flock(descriptor, fcntl.LOCK_SH)  # waits for one that is just looking whether it is abandoned
    if path.exists():
        return descriptor
    os.close(descriptor)
    return None


def remove_abandoned(folder: Path, pattern: str) -> None:
    """Remove what matches `pattern` in a folder and is in nobody's use."""
    for path in folder.glob(pattern):
        is_folder = path.is_dir()
        access = os.O_RDONLY if is_folder else os.O_RDWR  # NFS gives write locks to writers only
        with suppress(OSError):  # in use, another user's, or gone by now
            descriptor = os.open(path, access | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if is_folder:
                    shutil.rmtree(path)
                else:
                    path.unlink()
                logger.info("{}: removed, it was left by a run that was killed", path)
            finally:
                os.close(descriptor)
