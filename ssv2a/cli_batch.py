"""The inputs of one call: each is tried, what fails is told, the others are done."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from loguru import logger

from ssv2a.errors import BundleError, ConfigurationError, Ssv2aError, WeightsError

if TYPE_CHECKING:
    from rich.progress import Progress

    from ssv2a.types import Take


class Batch:
    """Shows how far it is: a bar on a terminal, log lines otherwise. A context manager.

    Attributes:
        failed: whether something could not be done so far.
    """

    def __init__(self) -> None:
        self.failed = False
        self._total = 0
        self._begun = 0
        self._subject = ""
        self._bar = _bar() if sys.stderr.isatty() else None

    def __enter__(self) -> Batch:
        if self._bar is not None:
            self._bar.start()
            self._bar.add_task("", total=None)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    @property
    def exit_code(self) -> int:
        """Of the command: 0 where everything was done, else 1."""
        return int(self.failed)

    @contextmanager
    def tried(self, subject: object) -> Iterator[None]:
        """Let one input fail; what would fail with every other too is raised.

        Raises:
            BundleError, WeightsError, ConfigurationError: not this input's fault.
        """
        try:
            yield
        except (BundleError, WeightsError, ConfigurationError):
            raise
        except Exception as error:  # noqa: BLE001 - the others of the batch are still to be done
            self.failed = True
            known = isinstance(error, Ssv2aError | OSError | MemoryError)
            text = str(error) if known and str(error) else f"{type(error).__name__}: {error}"
            text = text if Path(str(subject)).name in text else f"{subject}: {text}"
            sys.stderr.write(f"ssv2a: {_readable(text)}\n")
            if not known:
                logger.opt(exception=error).error("The traceback, to be reported:")

    def load(self, total: int) -> None:
        """Show that the models are being loaded, for so many inputs."""
        self._total = total
        self._show("loading the models")

    def begin(self, subject: object) -> None:
        """Show that one more input is begun."""
        self._begun += 1
        self._subject = Path(str(subject)).name
        self._show(self._subject)

    def step(self, stage: str, done: int, total: int) -> None:
        """Show what is being done with the input, and how far it is; in a log the stages alone."""
        if self._bar is not None:
            share = f" {done}/{total}" if total else ""
            text = _readable(f"{self._subject}: {stage}{share}")
            self._bar.update(self._bar.task_ids[0], description=text)
        elif not done:
            logger.debug("{}: {}", _readable(self._subject), stage)

    def _show(self, text: str) -> None:
        if self._bar is None:
            logger.info("{} of {}: {}", self._begun, self._total, _readable(text))
            return
        done = max(0, self._begun - 1)
        self._bar.update(
            self._bar.task_ids[0], description=_readable(text), completed=done, total=self._total
        )

    def done(self, wav: Path, take: Take) -> None:
        """Tell on standard output what has been written and what is heard in it."""
        heard = dict.fromkeys(pick.caption for pick in take.picks)
        sources = dict.fromkeys(track.name for track in take.scene.tracks if track.caption)
        names = _readable("; ".join(heard or sources) or "no source")
        sys.stdout.write(f"{_readable(str(wav))}: {names}\n")
        sys.stdout.flush()
        for warning in take.warnings:
            sys.stderr.write(f"ssv2a: {_readable(str(wav))}: {warning}\n")


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
    )
    console = Console(stderr=True, highlight=False)
    # what goes to standard output is printed above the bar, unless it goes to a file or another program
    return Progress(*columns, console=console, transient=True, redirect_stdout=sys.stdout.isatty())


def _readable(text: str) -> str:
    """A name or text of any bytes, in lines that every terminal takes."""
    clean = text.encode("utf-8", "backslashreplace").decode()
    return "".join(char if char.isprintable() or char == "\n" else f"\\x{ord(char):02x}" for char in clean)
