"""A hot folder while it is watched: is it there and ours, what does its profile say, where do results go."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from loguru import logger

from foley_daemon.errors import FolderGone, FolderTaken
from foley_daemon.mounts import mount_of
from foley_daemon.profile import Profile
from foley_daemon.walk import Rules, shown

LOCK_NAME = ".foley-lock"  # hidden, so never an input
GONE = frozenset(
    {
        errno.ENOENT,
        errno.ENOTDIR,
        errno.ESTALE,
        errno.EIO,
        errno.ENOTCONN,
        errno.ENODEV,
        errno.ETIMEDOUT,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ESHUTDOWN,
    }
)


class WatchedFolder:
    """One hot folder. `profile` reads it afresh: a changed profile counts from the next clip on."""

    def __init__(self, path: Path, profile: Callable[[], Profile]) -> None:
        """Remember the mount, so that the bare directory below a dropped share is not taken for it."""
        self.path = path.resolve()
        self.profile = profile
        self._mount = mount_of(self.path)
        self._lock: int | None = None  # descriptor of the lock file
        self._unlockable = False

    def check_online(self) -> None:
        """Raise FolderGone unless the folder is there, on the mount it was on at first.

        Its files are not deleted then: nothing is concluded from their absence.
        """
        try:
            with os.scandir(self.path):
                pass
        except OSError as error:
            if error.errno not in GONE:
                raise
            raise FolderGone(f"{self.path}: the hot folder is not there ({error.strerror}).") from error
        mount = mount_of(self.path)
        if mount.point != self._mount.point:
            raise FolderGone(
                f"{self.path}: expected it on the file system mounted at {self._mount.point}, got the one at "
                f"{mount.point}: a share is not mounted."
            )

    def take(self) -> None:
        """Be the one daemon of this folder from now on, whatever state folder another one uses.

        A file in the folder is locked for that; the lock is the kernel's (or the server's) and ends with
        the process. To be called at every look: a file that was removed, or that a share took with it, is
        made anew. Where there can be none (a read-only folder) a warning is logged, once.

        Raises:
            FolderTaken: another daemon has it.
        """
        path = self.path / LOCK_NAME
        if self._lock is not None and _is_file_of(self._lock, path):
            return
        self._close()
        try:
            self._lock = _locked(path)
        except FolderTaken:
            raise
        except OSError as error:
            if not self._unlockable:
                logger.warning(
                    "{}: cannot be locked ({}); see to it that no second daemon watches it",
                    shown(self.path),
                    shown(error.strerror),
                )
            self._unlockable = True

    def give_up(self) -> None:
        """Let another daemon have it."""
        if self._lock is not None:
            path = self.path / LOCK_NAME
            with suppress(OSError):  # a share that is gone keeps it; unlocked, it hinders nobody
                if _is_file_of(self._lock, path):
                    path.unlink()
        self._close()

    def _close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _locked(path: Path) -> int:
    """A descriptor of the file, locked for this process alone.

    Raises:
        FolderTaken: another process has it locked.
        OSError: there can be no such file, or no lock on it.
    """
    while True:
        descriptor = _opened(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_file_of(descriptor, path):  # removed by the one before, between opening and locking
                os.close(descriptor)
                continue
            with suppress(OSError):  # another user's file, which may not be written to
                os.ftruncate(descriptor, 0)
                os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode())
            return descriptor
        except OSError as error:
            holder = os.pread(descriptor, 256, 0).decode("utf-8", "replace")
            os.close(descriptor)
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            raise FolderTaken(
                f"{path.parent}: another foley daemon ({holder or 'unknown'}) with a state folder of its own "
                "watches this folder. Stop one of the two; this one takes over when that one ends."
            ) from error


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    except PermissionError:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)  # another user's daemon made it


def _is_file_of(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def rules_of(profile: Profile, *, once: bool = False) -> Rules:
    """Return what of a hot folder is looked at under a profile."""
    return Rules(
        patterns=tuple(profile.watch.patterns),
        stable_for=float(profile.watch.stable_for),
        output=Path(profile.output.folder).expanduser(),
        full_hash=profile.watch.fingerprint == "full",
        once=once,
    )


def output_folder(clip: Path, profile: Profile) -> Path:
    """Return where a clip's results go: beside it, or the profile's absolute path."""
    return clip.parent / Path(profile.output.folder).expanduser()
