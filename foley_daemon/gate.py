"""Is the file all there? It must stay unchanged for a while; each change begins the while again.

Pure state and an injected clock. Only observations count, never the file's own dates: a copy that keeps
the original's mtime looks old from its first byte, and clocks of servers differ.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass

INCOMPLETE_FACTOR = 10  # a file whose structure ends early may still grow: this many times stable_for …
INCOMPLETE_SECONDS = 60.0  # … and at least this long without a change, then it fails with a report
ONCE_FACTOR = 2  # when the daemon is to end after one pass, nobody waits that long


@dataclass(frozen=True, slots=True)
class Signature:
    """What changes when a file changes."""

    size: int  # bytes
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, stat: os.stat_result) -> Signature:
        """Of a file's status."""
        return cls(stat.st_size, stat.st_mtime_ns, stat.st_ino)


@dataclass(slots=True)
class Watched:
    """What is known of one file since its last change."""

    signature: Signature
    since: float  # seconds, monotonic: when this signature was first seen
    incomplete: str = ""  # why the structural check holds it back
    content: str = ""  # content id, once computed
    marked: bool | None = None  # whether its tags say that it is an output, once read


def incomplete_wait(stable_for: float, once: bool) -> float:
    """Seconds that an incomplete file must be unchanged before it is given to the queue, to fail there."""
    return stable_for * ONCE_FACTOR if once else max(stable_for * INCOMPLETE_FACTOR, INCOMPLETE_SECONDS)


class Gate:
    """The files of one folder, by relative path."""

    def __init__(self) -> None:
        self._files: dict[str, Watched] = {}

    def see(self, name: str, signature: Signature, now: float) -> Watched:
        """Note a look at a file, and return what is known since its last change."""
        known = self._files.get(name)
        if known is None or known.signature != signature:
            known = self._files[name] = Watched(signature, now)
        return known

    def forget_all_but(self, names: Collection[str]) -> None:
        """Drop files that are gone. Not to be called while the folder itself is gone."""
        for name in self._files.keys() - set(names):
            del self._files[name]
