"""The engine: models loaded once, in a child process of their own, that turns a clip's chunks into takes.

The daemon's process never imports torch. The child streams one `Take` per chunk through a pipe, whose
small buffer holds it back: at most one finished chunk waits while the next is being computed.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loguru import logger

from foley_daemon import log
from foley_daemon.domain import Chunk
from foley_daemon.errors import ClipUnreadable, EngineDied
from ssv2a.errors import FramesUnreadable, Ssv2aError
from ssv2a.media.timeline import Timeline
from ssv2a.types import Frames, Take, VideoSettings

if TYPE_CHECKING:
    from ssv2a.media.frames import FrameReader
    from ssv2a.pipeline import Ssv2a

POLL_SECONDS = 0.2
SILENCE_SECONDS = 3600.0  # a chunk of the released networks may take minutes on a processor
CLOSE_SECONDS = 5.0
DECODING = "decode frames"  # name of a stage


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """What is loaded; another choice unloads it."""

    bundle: str
    bank: str
    device: str  # auto | cpu | cuda | mps
    low_memory: bool = False


@dataclass(frozen=True, slots=True)
class RenderRequest:
    """One clip for the engine."""

    path: Path
    timeline: Timeline
    chunks: tuple[Chunk, ...]
    model: ModelChoice
    settings: VideoSettings


@dataclass(frozen=True, slots=True)
class Loaded:
    """The models are ready."""

    seconds: float  # 0 where they were loaded before


@dataclass(frozen=True, slots=True)
class _Failure:
    """An exception of the child, carried to the parent."""

    error: BaseException
    traceback: str


_END = "end of clip"


class Engine:
    """The parent's side. A context manager; the child starts with the first clip and outlives clips.

    Args:
        unload_after: seconds without a clip after which the child is ended, and with it all that the
            models hold; None: it stays.
    """

    def __init__(self, unload_after: float | None = None) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._unload_after = unload_after
        self._busy = threading.Lock()
        self._idle: threading.Timer | None = None
        self.loaded: Loaded | None = None

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def render(self, request: RenderRequest) -> Iterator[Take]:
        """Yield one take per chunk, in order.

        Leaving the iterator early ends the child: what it computes is no longer wanted.

        Raises:
            ClipUnreadable: no decoder could read the frames.
            EngineDied: the child ended or fell silent; the next call starts another.
            Ssv2aError: the bundle or a setting is wrong.
        """
        with self._busy:
            self._stop_timer()
            try:
                yield from self._render(request)
            finally:
                self._start_timer()

    def _render(self, request: RenderRequest) -> Iterator[Take]:
        pipe = self._start()
        finished = False
        try:
            self._send(pipe, request)
            while True:
                message = self._receive(pipe)
                if message == _END:
                    finished = True
                    return
                if isinstance(message, Loaded):
                    self.loaded = message
                elif isinstance(message, _Failure):
                    finished = True
                    self._raise(message, request.path)
                else:
                    yield message
        finally:
            if not finished:
                self.close()

    def close(self) -> None:
        """End the child, by force if it does not go."""
        self._stop_timer()
        process, pipe = self._process, self._pipe
        self._process = self._pipe = None
        if pipe is not None:
            pipe.close()
        if process is None:
            return
        process.terminate()
        process.join(CLOSE_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()

    def _start_timer(self) -> None:
        if self._unload_after is not None and self.alive:
            self._idle = threading.Timer(self._unload_after, self._unload)
            self._idle.daemon = True
            self._idle.start()

    def _stop_timer(self) -> None:
        timer, self._idle = self._idle, None
        if timer is not None:
            timer.cancel()

    def _unload(self) -> None:
        """End the child, unless a clip came just now."""
        if self._busy.acquire(blocking=False):
            try:
                self.close()
            finally:
                self._busy.release()
            logger.debug("No clip for {:.0f} s: the models were unloaded.", self._unload_after)

    @property
    def alive(self) -> bool:
        """Whether a child is running."""
        return self._process is not None and self._process.is_alive()

    def _start(self) -> Connection:
        if self._pipe is not None and self.alive:
            return self._pipe
        self.close()
        ours, theirs = self._context.Pipe()
        self._process = self._context.Process(target=_serve, args=(theirs, os.getpid()), name="foley-engine")
        self._process.start()
        theirs.close()
        self._pipe = ours
        return ours

    def _send(self, pipe: Connection, request: RenderRequest) -> None:
        try:
            pipe.send(request)
        except OSError as error:
            raise self._died() from error

    def _receive(self, pipe: Connection) -> Any:
        silent_since = time.monotonic()
        try:
            while not pipe.poll(POLL_SECONDS):
                if time.monotonic() - silent_since > SILENCE_SECONDS:
                    self.close()
                    raise EngineDied(f"The engine gave no sign for {SILENCE_SECONDS:.0f} s and was ended.")
            return pipe.recv()
        except (EOFError, OSError) as error:
            raise self._died() from error

    def _died(self) -> EngineDied:
        process = self._process
        if process is not None:
            process.join(CLOSE_SECONDS)
        code = process.exitcode if process is not None else None
        self.close()
        reason = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        hint = " It may have been out of memory." if code == -signal.SIGKILL else ""
        return EngineDied(f"The process that holds the models ended unexpectedly ({reason}).{hint}")

    @staticmethod
    def _raise(failure: _Failure, path: Path) -> None:
        if isinstance(failure.error, FramesUnreadable):
            raise ClipUnreadable(f"{path.name}: {failure.error}") from failure.error
        logger.debug("Traceback of the engine:\n{}", failure.traceback)
        raise failure.error


def bundle_id(name: str) -> str:
    """Return the identity of a bundle, a part of every render key.

    Raises:
        BundleError: there is no such bundle, or it is not whole.
    """
    from ssv2a.bundle import Bundle

    return Bundle.open(name).id


def check_bank(bundle: str, bank: str) -> None:
    """Open a bank as the first clip does, without its sounds and models: about 20 ms for 400 entries.

    Raises:
        BundleError: there is no such bank, it is not whole, or was made with another CLAP than the bundle's.
    """
    from ssv2a.bundle import Bundle
    from ssv2a.cue_sheet import FREE_BANK
    from ssv2a.soundbank.bank import open_bank

    opened = Bundle.open(bundle)
    if bank != FREE_BANK or opened.implementation("synthesis") == "soundbank":  # else it plays none
        open_bank(opened, bank)


def bundle_frames(name: str) -> int:
    """Return how many frames of a chunk a bundle's networks look at if not told otherwise.

    Raises:
        BundleError: there is no such bundle, or it is not whole.
    """
    from ssv2a.bundle import Bundle

    return Bundle.open(name).frames


def _serve(pipe: Connection, parent: int) -> None:
    """Run the child: read requests until the parent goes."""
    log.set_up("warning", terminal=None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business: it ends this child
    _die_with(parent)
    current: tuple[ModelChoice, Ssv2a] | None = None
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            request: RenderRequest = pipe.recv()
            try:
                current = _render_clip(pipe, request, current)
                pipe.send(_END)
            except (EOFError, BrokenPipeError, ConnectionResetError):
                return
            except Exception as error:  # noqa: BLE001 - every fault goes to the parent, which decides
                pipe.send(_carry(error))


def _render_clip(
    pipe: Connection, request: RenderRequest, current: tuple[ModelChoice, Ssv2a] | None
) -> tuple[ModelChoice, Ssv2a]:
    """Load what is asked for, if it is not there yet, and send the clip's takes."""
    from ssv2a.media.frames import FrameReader
    from ssv2a.pipeline import Ssv2a

    started = time.monotonic()
    if current is None or current[0] != request.model:
        choice = request.model
        model = Ssv2a.load(
            choice.bundle, bank=choice.bank, device=choice.device, low_memory=choice.low_memory
        )
        current = (request.model, model)
    pipe.send(Loaded(time.monotonic() - started))
    model, state = current[1], None
    with FrameReader(request.path, request.timeline, size=model.frame_size) as reader:
        for chunk in request.chunks:
            clock: dict[str, float] = {}
            take, state = model.video(
                _decoded(reader, chunk, clock),  # held by no name here: `video` lets them go
                chunk.n_samples,
                start=chunk.start,
                seed=chunk.seed,
                settings=request.settings,
                previous=state,
            )
            pipe.send(take.with_stage(DECODING, clock[DECODING]))
    return current


def _decoded(reader: FrameReader, chunk: Chunk, clock: dict[str, float]) -> Frames:
    """The frames of a chunk that are looked at; `clock` is told how long it took."""
    started = time.monotonic()
    frames = reader.read(chunk.frame_times)
    clock[DECODING] = time.monotonic() - started
    return frames


def _carry(error: Exception) -> _Failure:
    """Wrap an exception so that it survives the pipe."""
    import pickle
    import traceback

    text = "".join(traceback.format_exception(error))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes, to see whether it can travel
    except Exception:  # noqa: BLE001 - any fault of pickling means the same: send the words instead
        error = RuntimeError(f"{type(error).__name__}: {error}")
    if not isinstance(error, Ssv2aError):
        error.add_note(f"In the engine:\n{text}")
    return _Failure(error, text)


def _die_with(parent: int) -> None:
    """Ask Linux to end this process when the parent is killed; elsewhere the closed pipe does it."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(0)
