"""The process that decodes frames for `frames.FrameReader`; it may hang or crash, nobody else does.

Run as `python -m ssv2a.media.decode DECODER FILE STREAM WIDTH HEIGHT PARENT`. Each line on standard
input asks for frames: a JSON list of [number, timestamp], ascending, where the number counts shown
frames from 0 and the timestamp ("37/25") is the container's, in seconds. Each answer is a JSON line,
then the frames as raw RGB, [n, height, width, 3]:

    {"times": ["37/25", …], "count": 250}     timestamps decoded; how many frames the decoder knows of
    {"error": "…"}                            and no frames

decord counts from the first frame's time, so do its timestamps here. It knows no streams, no edit lists
and no AV1, decodes ahead for as long as it lives (hundreds of MB in a second) and keeps every packet
of the file in memory: it is opened anew for each request. It lands on wrong frames in MPEG-TS and where
groups of pictures are open (HEVC); `frames` asks it neither. PyAV is exact and its memory bounded.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_MARGIN = Fraction(1, 2000)  # seconds within which two timestamps are the same
_SEEK_BEYOND = 10  # seconds ahead that are decoded rather than jumped over

Images = NDArray[np.uint8]
Wanted = Sequence[tuple[int, Fraction]]  # frame number, container timestamp
_Timed = tuple[Fraction, Any]  # container timestamp, av.VideoFrame


class Decoder(Protocol):
    """What answers a request."""

    def decode(self, wanted: Wanted) -> tuple[Images, list[Fraction], int | None]:
        """Images, their timestamps, and how many frames there are if that is known."""


class DecordDecoder:
    """decord 0.6, one reader a request. Turns frames upright by itself."""

    def __init__(self, path: str, width: int, height: int) -> None:
        self._path, self._width, self._height = path, width, height

    def decode(self, wanted: Wanted) -> tuple[Images, list[Fraction], int | None]:
        """As `Decoder`; timestamps count from the first frame."""
        from decord import VideoReader

        reader = VideoReader(self._path, width=self._width, height=self._height, num_threads=1)
        count = len(reader)
        numbers = [min(number, count - 1) for number, _ in wanted]
        images: Images = reader.get_batch(numbers).asnumpy()
        times = [Fraction(float(reader.get_frame_timestamp(number)[0])) for number in numbers]
        return images, times, count


class PyavDecoder:
    """PyAV, going forward through the file and seeking only where that saves time."""

    def __init__(self, path: str, stream: int, width: int, height: int) -> None:
        self._path, self._index, self._size = path, stream, (width, height)
        self._container: Any = None
        self._frames: Iterator[_Timed] = iter(())
        self._shown: _Timed | None = None
        self._next: _Timed | None = None
        self._first_dts: int | None = None  # AVI only: it has decode times alone
        self._open()

    def decode(self, wanted: Wanted) -> tuple[Images, list[Fraction], int | None]:
        """As `Decoder`; each frame is the one on screen at the timestamp."""
        images, times = [], []
        for _, at in wanted:
            time, frame = self._frame_at(at)
            images.append(self._upright(frame))
            times.append(time)
        return np.stack(images), times, None

    def _frame_at(self, at: Fraction) -> _Timed:
        if self._shown is not None and not 0 <= at + _MARGIN - self._shown[0] < _SEEK_BEYOND:
            self._go_to(at)
        while self._next is not None and self._next[0] <= at + _MARGIN:
            self._shown, self._next = self._next, next(self._frames, None)
        if self._shown is None:
            raise ValueError("no frame could be decoded")
        return self._shown

    def _go_to(self, at: Fraction) -> None:
        """Stand at or before a time. Seeking may land too late (MPEG-TS): then from the beginning."""
        self._container.seek(int(at / self._stream.time_base), stream=self._stream)
        self._restart()
        if self._shown is None or self._shown[0] > at + _MARGIN:
            self._open()

    def _open(self) -> None:
        import av

        if self._container is not None:
            self._container.close()
        self._container = av.open(self._path)
        self._stream = self._container.streams[self._index]
        self._stream.thread_type = "SLICE"  # frame threads hold many frames
        self._first_dts = None
        self._restart()

    def _restart(self) -> None:
        self._frames = self._timed(self._decode())
        self._shown = next(self._frames, None)
        self._next = next(self._frames, None)

    def _decode(self) -> Iterator[Any]:
        """Frames in the order shown; damaged packets are left out."""
        import av

        for packet in self._container.demux(self._stream):
            try:
                yield from packet.decode()
            except av.error.InvalidDataError:
                continue

    def _timed(self, frames: Iterator[Any]) -> Iterator[_Timed]:
        """Frames with their container timestamps in seconds.

        AVI has no presentation times: there the decode times count from the first frame's, and the
        frames that the decoder held back to the end follow at the frame rate.
        """
        base = Fraction(self._stream.time_base)
        if self._container.format.name != "avi":
            yield from ((frame.pts * base, frame) for frame in frames if frame.pts is not None)
            return
        time = Fraction(0)
        for frame in frames:
            if frame.dts is None:
                time += 1 / Fraction(self._stream.average_rate)
            else:
                self._first_dts = frame.dts if self._first_dts is None else self._first_dts
                time = (frame.dts - self._first_dts) * base
            yield time, frame

    def _upright(self, frame: Any) -> Images:
        width, height = self._size
        if frame.rotation % 180:
            width, height = height, width
        image = frame.reformat(
            width=width, height=height, format="rgb24", interpolation="BICUBIC"
        ).to_ndarray()
        return np.ascontiguousarray(np.rot90(image, round(frame.rotation / 90)))


def main(argv: Sequence[str]) -> None:
    """Answer requests until standard input ends or the parent is gone."""
    kind, path, stream, width, height, parent = argv
    _die_with(int(parent))
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)  # what the decoders print must not get into the answers
        decoder: Decoder | None = None
        for line in sys.stdin:
            wanted = [(number, Fraction(time)) for number, time in json.loads(line)]
            try:
                decoder = decoder or open_decoder(kind, path, int(stream), int(width), int(height))
                images, times, count = decoder.decode(wanted)
                header: dict[str, Any] = {"times": [str(time) for time in times], "count": count}
            except Exception as error:  # noqa: BLE001 (whatever the decoders raise is the answer)
                images, header = np.empty(0, np.uint8), {"error": f"{type(error).__name__}: {error}"}
            answers.writelines((json.dumps(header).encode() + b"\n", images.data))
            answers.flush()


def open_decoder(
    kind: Literal["decord", "pyav"] | str, path: str, stream: int, width: int, height: int
) -> Decoder:
    """The decoder of that name; both libraries want UTF-8 names, so others go by descriptor."""
    try:
        path.encode()
    except UnicodeEncodeError:
        path = f"/proc/self/fd/{os.open(path, os.O_RDONLY)}"
    if kind == "decord":
        return DecordDecoder(path, width, height)
    return PyavDecoder(path, stream, width, height)


def _die_with(parent: int) -> None:
    """Be killed when the parent ends, even inside a decoder that hangs (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
