"""What the `foley` command shows: progress, results, the status table."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loguru import logger
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from foley_daemon.domain import Job, Output

_STATE_STYLES = {"queued": "cyan", "running": "bold yellow", "done": "green", "failed": "bold red"}


def readable(name: object) -> str:
    """A name or text of any bytes, on one line."""
    text = str(name).encode("utf-8", "backslashreplace").decode()
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


@contextmanager
def progress_of(clip: Path, console: Console) -> Iterator[Callable[[str, float], None]]:
    """A listener for one clip's stages: a bar on a terminal, a log line a stage otherwise."""
    if not console.is_terminal:
        yield _stage_lines(clip)
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.fields[clip]}"),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=1.0, clip=escape(readable(clip.name)))
        yield lambda stage, share: bar.update(task, description=stage, completed=share)


def _stage_lines(clip: Path) -> Callable[[str, float], None]:
    last = ""

    def tell(stage: str, share: float) -> None:  # noqa: ARG001 - lines tell the stage, not the share
        nonlocal last
        if stage != last:
            logger.info("{}: {}", readable(clip.name), stage)
            last = stage

    return tell


def show_output(clip: Path, output: Output, console: Console) -> None:
    """What was made of a clip: files, checks, warnings."""
    console.print(
        f"[bold]{escape(readable(clip.name))}[/bold] done in {output.seconds:.1f} s", soft_wrap=True
    )
    for file in output.published:
        console.print(f"  → {escape(readable(file))}", soft_wrap=True)
    for line in output.verified:
        console.print(f"  [green]✓[/green] {escape(readable(line))}", soft_wrap=True)
    for line in output.warnings:
        console.print(f"  [yellow]![/yellow] {escape(readable(line))}", soft_wrap=True)


def show_status(ledger: Path, counts: Mapping[str, int], jobs: Sequence[Job], console: Console) -> None:
    """A table of jobs, the last changed first."""
    now = time.time()
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("state", "clip", "tried", "since", ""):
        table.add_column(heading, overflow="fold")
    for job in jobs:
        state = f"[{_STATE_STYLES[job.state]}]{job.state}[/]"
        note = job.error.splitlines()[0] if job.error else ", ".join(job.outputs[:1])
        row = (state, readable(job.path), str(job.attempts), span(now - job.updated_at), readable(note))
        table.add_row(row[0], *map(escape, row[1:]))
    if jobs:
        console.print(table)
    console.print(
        ", ".join(f"{count} {state}" for state, count in counts.items()) + f" — {readable(ledger)}",
        soft_wrap=True,
    )


def status_entry(job: Job) -> dict[str, Any]:
    """A job for `foley status --json`; times are Unix seconds."""
    return {
        "state": str(job.state),
        "clip": str(job.path),
        "folder": str(job.folder),
        "attempts": job.attempts,
        "created_at": job.created_at,
        "updated_at": job.updated_at,
        "not_before": job.not_before,
        "error": job.error,
        "outputs": list(job.outputs),
    }


def span(seconds: float) -> str:
    """A length of time in its largest fitting unit: "42 s", "3 min", "5 h", "2 d"."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
