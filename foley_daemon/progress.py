"""How far one clip is, and where its time went."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[str, float], None]
"""Called with the stage's name and the share of it that is done, 0..1. What it raises stops the work."""


def no_progress(stage: str, share: float) -> None:
    """Listen to nothing."""


class Stopwatch:
    """Wall seconds by stage, and since it was made."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._started = time.monotonic()

    @property
    def total(self) -> float:
        """Seconds since it was made."""
        return time.monotonic() - self._started

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Add the time of the body to a stage."""
        started = time.monotonic()
        yield
        self.add(stage, time.monotonic() - started)

    def add(self, stage: str, seconds: float) -> None:
        """Add time that was measured elsewhere."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds
