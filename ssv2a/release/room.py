"""Free space on the disk, asked for before it is taken."""

from __future__ import annotations

import shutil
from pathlib import Path

from ssv2a.errors import InstallFailed
from ssv2a.release.model import size_text

RESERVE_BYTES = 200_000_000  # stay free


def require_room(folder: Path, count: int, what: str) -> None:
    """Make sure that a folder's disk takes so many bytes more, and some remain.

    Raises:
        InstallFailed: it does not; `what` is what they are for.
    """
    free = shutil.disk_usage(folder).free
    if free < count + RESERVE_BYTES:
        raise InstallFailed(
            f"{folder}: too little room for {what}: expected {size_text(count + RESERVE_BYTES)} free, "
            f"got {size_text(free)}. Make room, or set FOLEY_HOME to a larger disk."
        )
