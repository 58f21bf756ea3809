"""Errors of the daemon, one small tree.

Each class knows its exit code (of `foley`) and whether trying again later can help. Every message
says what was wrong, what was expected, what was found and what to do.

    FoleyError                 1
    ├── ConfigError            3   a profile or the configuration is wrong (all faults at once)
    ├── ClipError              4   the clip itself cannot be used; never retried by itself
    │   ├── ClipIncomplete         the container's structure ends early
    │   ├── ClipUnreadable         not media, or ffprobe refuses it
    │   └── ClipWithoutPicture     no video stream
    ├── OutputError            5   the result cannot be made or published
    │   ├── ContainerCannot        the container cannot hold what the profile asks for
    │   ├── OutputExists           the name is taken and the profile says `collision: fail`
    │   └── VerificationFailed     what was written is not what was wanted; it was not published
    └── TransientError         6   retried with back-off: disk full, share gone, engine died
        ├── ClipReplaced       another clip, or a changed one, has its name now
        ├── DiskFull
        ├── FolderGone
        ├── FolderTaken        another daemon watches it
        └── EngineDied
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

_GRAVEST_FIRST = (1, 3, 5, 4, 6)


class FoleyError(Exception):
    """Base of every error the daemon raises on purpose."""

    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False


class ConfigError(FoleyError):
    """A profile or the configuration is wrong; `faults` lists each with its place and remedy."""

    exit_code = 3

    def __init__(self, message: str, faults: tuple[str, ...] = ()) -> None:
        super().__init__("\n".join((message, *faults)))
        self.faults = faults


class ClipError(FoleyError):
    """The clip itself cannot be used."""

    exit_code = 4


class ClipIncomplete(ClipError):
    """The container's structure ends before it should."""


class ClipUnreadable(ClipError):
    """Not media, or not readable as such."""


class ClipWithoutPicture(ClipError):
    """The file has no video stream."""


class OutputError(FoleyError):
    """The result cannot be made or published."""

    exit_code = 5


class ContainerCannot(OutputError):
    """The container cannot hold what the profile asks for."""


class OutputExists(OutputError):
    """The output's name is taken and the profile forbids another."""


class VerificationFailed(OutputError):
    """What was written is not what was wanted."""


class TransientError(FoleyError):
    """Something around the clip failed; trying again later can help."""

    exit_code = 6
    retryable = True


class ClipReplaced(TransientError):
    """The clip changed while it was worked on; what was made of it is not published."""


class DiskFull(TransientError):
    """Not enough free space."""


class FolderGone(TransientError):
    """A watched folder or share is not there."""


class FolderTaken(TransientError):
    """Another daemon watches the folder."""


class EngineDied(TransientError):
    """The process that holds the models ended unexpectedly."""


def gravest(codes: Iterable[int]) -> int:
    """The exit code that stands for several; 0 for none."""
    found = set(codes)
    return next((code for code in _GRAVEST_FIRST if code in found), 0)
