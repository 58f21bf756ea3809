"""A program run in a session of its own: drained, limited in time, killed as a group.

The base of `ffmpeg` and of the frame decoder's child; it knows neither.
"""

from __future__ import annotations

import io
import os
import re
import select
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from loguru import logger

from ssv2a.errors import FfmpegFailed, FfmpegTimeout

_TAIL_LINES = 20
_TOLD_LINES = 6  # in a message
_SPEAKER = re.compile(r"^(\[[^]]* @ 0x[0-9a-f]+\] *)+")  # of a line of ffmpeg's log


class Process:
    """One program in a session of its own, gone with all its children when the block is left.

    Standard error is drained by a thread, which keeps the last lines. Standard output is a pipe, standard
    input one where it is asked for, else nothing.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        with_stdin: bool = False,
        cwd: Path | None = None,
        inherited: tuple[int, ...] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        logger.debug("starting {}", argv)
        self._argv = argv
        self.timeout = timeout
        read_end, write_end = os.pipe()
        try:
            self.popen = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE if with_stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=write_end,
                start_new_session=True,
                pass_fds=inherited,
                cwd=cwd,
                env={**os.environ, **(environment or {})},
                bufsize=0,
            )
        except OSError:
            os.close(read_end)
            raise
        finally:
            os.close(write_end)
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._drain = threading.Thread(target=self._read_stderr, args=(read_end,), daemon=True)
        self._drain.start()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        for pipe in (self.popen.stdin, self.popen.stdout):
            if pipe is not None and not pipe.closed:
                pipe.close()
        self._drain.join(timeout=5)

    def _read_stderr(self, descriptor: int) -> None:
        with os.fdopen(descriptor, "r", encoding="utf-8", errors="replace") as lines:
            self._tail.extend(line.rstrip() for line in lines)

    def communicate(self, stdin: bytes | None) -> bytes:
        """Feed `stdin`, collect standard output until the process ends."""
        try:
            output: bytes = self.popen.communicate(stdin, timeout=self.timeout)[0]
        except subprocess.TimeoutExpired:
            raise self.timed_out() from None
        return output

    def wait(self) -> None:
        """Wait for its end."""
        try:
            self.popen.wait(timeout=self.timeout)
        except subprocess.TimeoutExpired:
            raise self.timed_out() from None

    def kill(self) -> None:
        """Kill the whole group unless it has ended. Safe to call from any thread."""
        if self.popen.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.popen.pid, signal.SIGKILL)
            self.popen.wait()

    @property
    def tail(self) -> str:
        """Its last lines on standard error, once it has ended."""
        self._drain.join(timeout=5)
        return "\n".join(self._tail)

    def check(self) -> None:
        """Raise FfmpegFailed unless it ended well. Call after the block."""
        if self.popen.returncode != 0:
            raise self.failed(f"ended with status {self.popen.returncode}")

    def failed(self, what: str) -> FfmpegFailed:
        """The error for a process that did `what`."""
        tail = self.tail
        message = f"{Path(self._argv[0]).name} {what}: {_words(tail, self._argv)}."
        return FfmpegFailed(message, self.popen.returncode or 1, tail)

    def timed_out(self) -> FfmpegTimeout:
        """Kill it and return the error for a process that was too slow."""
        self.kill()
        name, words = Path(self._argv[0]).name, _words(self.tail, self._argv)
        return FfmpegTimeout(
            f"{name} did not answer within {self.timeout:g} s and was killed: {words}. "
            "Is the disk or share slow, or the file damaged?"
        )


def _words(tail: str, argv: Sequence[str]) -> str:
    """The lines of a log in one, each once, without who says so and without the paths of files."""
    paths = {argument for argument in argv if argument.startswith(("/", "file:/"))}
    for path in sorted(paths, key=len, reverse=True):  # one may begin as another
        tail = tail.replace(f"{path}: ", "").replace(path, Path(path).name)
    lines = dict.fromkeys(_SPEAKER.sub("", line).strip(" .") for line in tail.splitlines())
    return "; ".join([line for line in lines if line][-_TOLD_LINES:]) or "it said nothing"


class ReadEnd(io.RawIOBase):
    """Standard output of a process; a read that waits too long kills it."""

    def __init__(self, process: Process) -> None:
        assert process.popen.stdout is not None
        self._process = process
        self._pipe = process.popen.stdout
        self.ended = False

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what is there, at most `len(buffer)` bytes; 0 at the end."""
        _wait_for(self._process, self._pipe.fileno(), select.POLLIN)
        data = os.read(self._pipe.fileno(), len(buffer))
        self.ended = not data
        buffer[: len(data)] = data
        return len(data)


class WriteEnd(io.RawIOBase):
    """Standard input of a process; a write that waits too long kills it."""

    def __init__(self, process: Process) -> None:
        assert process.popen.stdin is not None
        self._process = process
        self._pipe = process.popen.stdin
        os.set_blocking(self._pipe.fileno(), False)

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, data: Any) -> int:
        """Write all of `data`, any contiguous buffer."""
        rest = memoryview(data).cast("B")
        total = len(rest)
        while rest:
            _wait_for(self._process, self._pipe.fileno(), select.POLLOUT)
            rest = rest[os.write(self._pipe.fileno(), rest) :]
        return total

    def close(self) -> None:
        """Close the pipe: the process sees the end of its input."""
        if not self.closed:
            self._pipe.close()
        super().close()


def _wait_for(process: Process, descriptor: int, event: int) -> None:
    poll = select.poll()
    poll.register(descriptor, event)
    if not poll.poll(process.timeout * 1000):
        raise process.timed_out()
