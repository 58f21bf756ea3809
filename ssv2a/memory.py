"""Memory that this process holds, and memory it no longer needs."""

from __future__ import annotations

import ctypes
import resource
import sys
from functools import cache
from pathlib import Path
from typing import Any


def give_back() -> None:
    """Return what was freed to the system, where the C library keeps it for itself (glibc's malloc_trim).

    Sound and pictures are arrays of megabytes that come and go; without this a process that works on clips
    holds about an eighth more than it needs.
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


def peak_memory() -> int:
    """Bytes that this process held in memory at the most.

    Without /proc the figure is `getrusage`'s, in which what the process that started this one had reached may
    be counted too.
    """
    status = Path("/proc/self/status")
    if not status.is_file():
        unit = 1 if sys.platform == "darwin" else 1024  # bytes
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    rows = dict(line.split(":", 1) for line in status.read_text(encoding="ascii").splitlines() if ":" in line)
    return int(rows["VmHWM"].split()[0]) * 1024


@cache
def _malloc_trim() -> Any:
    """Glibc's function; None with another C library."""
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
