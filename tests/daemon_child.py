"""A daemon with a stand-in for the sound: it copies the clip slowly. Run as a program by test_daemon.py."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from foley_daemon.config import Config, FolderSettings
from foley_daemon.daemon import Daemon
from foley_daemon.domain import Job, Output
from foley_daemon.profile import Profile
from foley_daemon.runner import Attempt

PAUSE = 0.02  # seconds between two beats


def config_of(hot: Path, state: Path, free_space: int = 0) -> Config:
    return Config(folders=(FolderSettings(path=str(hot)),), state=str(state), free_space=free_space)


def copier(seconds: float) -> Callable[[Job, Profile, Attempt], Output]:
    """Return a process that takes so long, notes every publication, and publishes as the real one does."""

    def process(job: Job, profile: Profile, attempt: Attempt) -> Output:
        target = Path(job.outputs[0]) if job.outputs else free_name(job.path, profile)
        target.parent.mkdir(exist_ok=True)
        unfinished = target.with_name(f".{target.name}.foley-part")
        content = job.path.read_bytes()
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            attempt.beat()
            time.sleep(PAUSE)
        unfinished.write_bytes(content + b"foley")
        attempt.intend([target])
        os.replace(unfinished, target)  # noqa: PTH105
        report = target.with_suffix(".foley.json")
        report.write_text("{}")
        return Output((target,), report, None, seconds, (), ())

    return process


def free_name(clip: Path, profile: Profile) -> Path:
    folder, number = clip.parent / profile.output.folder, 1
    target = folder / f"{clip.stem}_foley{clip.suffix}"
    while target.exists():
        number += 1
        target = folder / f"{clip.stem}_foley_{number}{clip.suffix}"
    return target


def main() -> int:
    hot, state, seconds, once = (
        Path(sys.argv[1]),
        Path(sys.argv[2]),
        float(sys.argv[3]),
        sys.argv[4:] == ["once"],
    )
    daemon = Daemon(config_of(hot, state), copier(seconds), bundle_id=lambda _: "bundle")
    return daemon.run(once=once)


if __name__ == "__main__":
    sys.exit(main())
