"""A hot folder while it is watched: is it there, what does its profile say now, where do results go."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

from foley_daemon.errors import FolderGone
from foley_daemon.mounts import mount_of
from foley_daemon.profile import Profile
from foley_daemon.walk import Rules

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
