"""Where log lines go: coloured to a terminal, with priorities to the journal, plain to anything else."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TextIO

from loguru import logger

if TYPE_CHECKING:
    from loguru import Message, Record
    from rich.console import Console

_PRIORITIES = {"CRITICAL": 2, "ERROR": 3, "WARNING": 4, "INFO": 6, "DEBUG": 7}  # syslog(3)
_STYLES = {"CRITICAL": "bold red", "ERROR": "red", "WARNING": "yellow", "DEBUG": "dim"}


def set_up(
    level: str,
    *,
    terminal: Console | None = None,
    stream: TextIO | None = None,
    environment: Mapping[str, str] = os.environ,
) -> None:
    """Send log lines from `level` on to one place, and nowhere else.

    Args:
        level: debug, info, warning or error.
        terminal: where a person reads along; progress bars drawn on it stay whole.
        stream: for plain lines, when there is no terminal; by default standard error.
        environment: tells whether the journal reads the stream (JOURNAL_STREAM, systemd.exec(5)).
    """
    logger.remove()
    target = sys.stderr if stream is None else stream
    form = _journal_line if _is_journal(target, environment) else _dated_line
    if terminal is not None:
        logger.add(_to_terminal(terminal), level=level.upper(), format=_line, backtrace=False, diagnose=False)
    else:
        logger.add(_to_stream(target), level=level.upper(), format=form, backtrace=False, diagnose=False)


def _to_terminal(console: Console) -> Callable[[Message], None]:
    def write(message: Message) -> None:
        style = _STYLES.get(message.record["level"].name)
        console.print(str(message), end="", style=style, markup=False, highlight=False, soft_wrap=True)

    return write


def _to_stream(stream: TextIO) -> Callable[[Message], None]:
    def write(message: Message) -> None:
        encoding = stream.encoding or "utf-8"
        stream.write(str(message).encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()

    return write


def _line(record: Record) -> str:
    del record
    return "{time:HH:mm:ss} {message}\n{exception}"


def _dated_line(record: Record) -> str:
    del record
    return "{time:YYYY-MM-DDTHH:mm:ss.SSSZ} {level: <7} {message}\n{exception}"


def _journal_line(record: Record) -> str:
    """No time, which the journal has by itself; the priority as sd-daemon(3) wants it."""
    return f"\\<{_PRIORITIES.get(record['level'].name, 6)}>" + "{message}\n{exception}"  # \\: no colour mark


def _is_journal(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether a stream is the one that systemd connected to the journal."""
    device, _, inode = environment.get("JOURNAL_STREAM", "").partition(":")
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False  # a stream without a file, as in tests
    return (
        device.isdigit() and inode.isdigit() and (int(device), int(inode)) == (status.st_dev, status.st_ino)
    )
