"""Hints that it is time for a sweep; they only shorten the wait.

They come from inotify (watchdog). Where the kernel does not tell of changes made elsewhere (NFS, SMB,
Docker mounts, FUSE) the sweep itself runs more often: a polling observer would make the same walk a
second time, only to hint at this one.
"""

from __future__ import annotations

import errno
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from loguru import logger
from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from foley_daemon.mounts import mount_of

if TYPE_CHECKING:
    from watchdog.observers.api import BaseObserver

HINTS = frozenset(
    {"created", "modified", "moved", "closed", "deleted"}
)  # not "opened": the sweep opens files


class Hints:
    """Sets an event when something in a folder changes; where that is not told, says so.

    `polling` is True where the folder has to be swept more often, and `reason` is why.
    """

    def __init__(self, folder: Path, mode: str, wake: threading.Event) -> None:
        """Begin. `mode` is auto, native or polling."""
        self.folder = folder
        self.mode = mode
        self.polling = True
        self.reason = "the profile asks for polling"
        self._observer: BaseObserver | None = None
        mount = mount_of(folder)
        if mode == "polling":
            return
        if mode == "auto" and mount.silent:
            self.reason = f"{mount.kind} does not tell of changes made on other machines"
            return
        self._start(_Waker(wake))

    @property
    def alive(self) -> bool:
        """Whether hints can come; the watch ends with the folder it is on."""
        observer = self._observer
        return observer is not None and observer.is_alive() and all(it.is_alive() for it in observer.emitters)

    def stop(self) -> None:
        """End the observer's threads."""
        observer, self._observer = self._observer, None
        if observer is not None:
            observer.stop()
            observer.join()

    def _start(self, waker: FileSystemEventHandler) -> None:
        observer = Observer()
        self._observer = observer
        try:
            observer.schedule(waker, str(self.folder), recursive=True)
            observer.start()
            with tempfile.TemporaryDirectory(prefix="foley-watch-") as canary:
                # watchdog passes over subfolders it cannot watch: one more watch shows that the limit is hit
                observer.unschedule(observer.schedule(waker, canary))
        except OSError as error:
            self.reason = watch_failure(error)
            logger.warning("{}: polled instead of watched: {}", self.folder, self.reason)
            if observer.is_alive():
                self.stop()
            self._observer = None
            return
        self.polling, self.reason = False, ""


class _Waker(FileSystemEventHandler):
    """Sets the event; what happened, and to which file, does not matter."""

    def __init__(self, wake: threading.Event) -> None:
        self._wake = wake

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in HINTS:
            self._wake.set()


def watch_failure(error: OSError) -> str:
    """Say in plain words why a folder cannot be watched, and what to set."""
    if error.errno == errno.ENOSPC:
        return (
            "the system's limit of inotify watches is reached; raise it with "
            "`sysctl fs.inotify.max_user_watches=524288` (and in /etc/sysctl.d/ to keep it)"
        )
    if error.errno == errno.EMFILE:
        return (
            "the system's limit of inotify instances is reached; raise it with "
            "`sysctl fs.inotify.max_user_instances=512` (and in /etc/sysctl.d/ to keep it)"
        )
    return f"inotify refused: {error}"
