"""An engine without models, for tests of everything around it; as a program: a run that a signal ends.

    python quick_engine.py process CLIP - MOMENT SIGNAL
    python quick_engine.py watch HOT STATE MOMENT SIGNAL

The signal comes at the MOMENT-th time (from 1) that a file gets its name in the folder of the results or
is removed there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
from daemon_child import config_of
from media_fixtures import noise

from foley_daemon import service
from foley_daemon.engine import Engine, RenderRequest
from foley_daemon.profile import Profile
from foley_daemon.worker import process_clip
from ssv2a.types import Scene, Take


class QuickEngine:
    """Hears noise in everything."""

    loaded = None

    def __init__(self, unload_after: float | None = None) -> None:
        pass

    def __enter__(self) -> QuickEngine:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def close(self) -> None:
        pass

    def render(self, request: RenderRequest) -> Iterator[Take]:
        for chunk in request.chunks:
            waveform = noise(chunk.seconds, seed=chunk.index)
            scene = Scene(chunk.seconds, chunk.frame_times, np.zeros(4, np.float32), (), "noise")
            yield Take(waveform, scene, (), (), 0.0, {})


def quick_engine() -> Engine:
    return cast(Engine, QuickEngine())


def end_at(moment: int, number: int) -> None:
    """Have a signal sent to this process when the moment comes."""
    seen = 0

    def listen(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if event not in ("os.rename", "os.link", "os.remove") or "/foley/" not in str(arguments[0]):
            return
        seen += 1
        if seen == moment:
            os.kill(os.getpid(), number)

    sys.addaudithook(listen)


def main() -> int:
    command, place, state, moment, number = sys.argv[1:]
    end_at(int(moment), int(number))
    if command == "process":
        process_clip(Path(place), Profile(), engine=quick_engine())
        return 0
    service.Engine = QuickEngine  # type: ignore[attr-defined, assignment]
    return service.watch(config_of(Path(place), Path(state)), once=True)


if __name__ == "__main__":
    sys.exit(main())
