"""Frames of a clip at the times wanted, decoded in a process of its own.

decord answers where it is installed and can be right: not in MPEG-TS, nor with open groups of pictures
(there it shows other frames than it says), nor above the size that fits its memory. PyAV answers in all
other cases, and where decord fails, disagrees with the timeline or does not answer in time.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import sys
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
from loguru import logger

from ssv2a.errors import FfmpegFailed, FramesUnreadable, MediaError
from ssv2a.media import ffmpeg
from ssv2a.media.process import Process, ReadEnd, WriteEnd
from ssv2a.media.timeline import Timeline
from ssv2a.types import ByteArray, Frames

# decord holds every packet from the place it starts at to the end of the file in memory (measured:
# 530 MB for a file of 485 MB), so larger files are for PyAV.
DECORD_MAX_BYTES = 16_000_000
FRAME_SIDE = 1280  # pixels, of the longer side: what is far away can still be told by its crop

DecoderName = Literal["decord", "pyav"]


class FrameReader:
    """Reads frames of one clip; a context manager.

    Args:
        path: the clip.
        timeline: of its picture.
        max_side: the longer side of the frames in pixels at most; they are never enlarged.
        size: (width, height) that they are stretched to instead, bicubic.
        timeout: seconds that a decoder may need for an answer before it is killed.

    Attributes:
        decoder: "decord" or "pyav": which one answers.
        size: (width, height) of the frames, upright.

    Raises:
        FramesUnreadable: the file cannot be probed.
    """

    decoder: DecoderName

    def __init__(
        self,
        path: Path,
        timeline: Timeline,
        *,
        max_side: int = FRAME_SIDE,
        size: tuple[int, int] | None = None,
        timeout: float = 60.0,
    ) -> None:
        self._path = path
        self._timeline = timeline
        self._timeout = timeout
        self._child: _Child | None = None
        facts = _facts(path, timeline.index)
        self.decoder = "decord" if _decord_can(path, timeline, facts["format"]["format_name"]) else "pyav"
        self.size = size or _fit(_shown_size(facts["streams"][0]), max_side)

    def __enter__(self) -> FrameReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the decoder's process. Safe to call again."""
        if self._child is not None:
            self._child.close()
            self._child = None

    def read(self, times: Sequence[Fraction]) -> Frames:
        """For each time the frame on screen.

        Args:
            times: seconds from the picture's first frame, in any order.

        Returns:
            Frames [N, height, width, 3] uint8 RGB, read-only, upright; `times` says when each of
            them came on screen, in seconds from the first frame.

        Raises:
            FramesUnreadable: no decoder could read them.
        """
        wanted = [self._timeline.shown_at(time) for time in times]
        if not wanted:
            return Frames(np.empty((0, self.size[1], self.size[0], 3), np.uint8), ())
        numbers = sorted(set(wanted))
        try:
            images, came = self._ask(numbers)
        except MediaError as error:
            self.close()
            if self.decoder == "pyav":
                raise FramesUnreadable(
                    f"{self._path}: no decoder could read frames {numbers[0]} to {numbers[-1]}: {error} "
                    "Does the clip play? Export it again."
                ) from error
            logger.warning("{}: decord is of no use here, PyAV goes on: {}", self._path, error)
            self.decoder = "pyav"
            return self.read(times)
        if numbers == wanted:
            return Frames(images, tuple(came))
        places = [numbers.index(number) for number in wanted]
        chosen = images[places]
        chosen.flags.writeable = False
        return Frames(chosen, tuple(came[place] for place in places))

    def _ask(self, numbers: Sequence[int]) -> tuple[ByteArray, list[Fraction]]:
        if self._child is None:
            self._child = _Child(
                _command(self.decoder, self._path, self._timeline.index, self.size), self._timeout
            )
        starts = self._timeline.starts
        images, times, count = self._child.ask([(number, starts[number]) for number in numbers], self.size)
        if self.decoder == "pyav":
            return images, [time - self._timeline.start for time in times]
        expected = [starts[number] - self._timeline.start for number in numbers]
        if count != len(starts):
            raise MediaError(f"it counts {count} frames, the timeline has {len(starts)}.")
        tolerance = min((later - earlier for earlier, later in pairwise(starts)), default=Fraction(1, 25)) / 2
        for number, time, wanted in zip(numbers, times, expected, strict=True):
            if abs(time - wanted) > tolerance:
                raise MediaError(
                    f"it shows frame {number} at {float(time):.4f} s, the timeline at {float(wanted):.4f} s."
                )
        return images, expected


class _Child:
    """A running `decode` process."""

    def __init__(self, command: Sequence[str], timeout: float) -> None:
        self._process = Process(command, timeout=timeout, with_stdin=True)
        self._requests = WriteEnd(self._process)
        self._answers = io.BufferedReader(ReadEnd(self._process))

    def ask(
        self, wanted: Sequence[tuple[int, Fraction]], size: tuple[int, int]
    ) -> tuple[ByteArray, list[Fraction], int | None]:
        """Frames, their timestamps, and the decoder's own count of all frames."""
        request = json.dumps([(number, str(time)) for number, time in wanted])
        try:
            self._requests.write(request.encode() + b"\n")
        except BrokenPipeError:
            self._process.wait()
            raise self._process.failed("ended") from None
        header = self._header()
        if "error" in header:
            raise MediaError(header["error"])
        images = np.empty((len(wanted), size[1], size[0], 3), np.uint8)
        came = self._answers.readinto(images.data.cast("B"))
        if came != images.nbytes:
            raise MediaError(f"{images.nbytes} bytes of frames were expected, got {came}.")
        images.flags.writeable = False
        times = [Fraction(time) for time in header["times"]]
        return images, times, header["count"]

    def _header(self) -> dict[str, Any]:
        line = self._answers.readline()
        if not line:
            raise MediaError(f"it ended without an answer. {self._process.tail}")
        try:
            header: dict[str, Any] = json.loads(line)
        except ValueError as error:
            raise MediaError(f"it answered {line[:80]!r}, JSON was expected.") from error
        return header

    def close(self) -> None:
        """Kill it and close the pipes."""
        with self._process:
            pass


def _command(decoder: DecoderName, path: Path, stream: int, size: tuple[int, int]) -> list[str]:
    place = os.path.abspath(path)  # noqa: PTH100 (resolve() would follow links)
    numbers = (str(number) for number in (stream, *size, os.getpid()))
    return [sys.executable, "-P", "-m", "ssv2a.media.decode", decoder, place, *numbers]


def _decord_can(path: Path, timeline: Timeline, container: str) -> bool:
    """Whether decord is installed (there is none for ARM), shows the right frames and has the memory."""
    right = timeline.closed and container != "mpegts"
    return (
        right and path.stat().st_size <= DECORD_MAX_BYTES and importlib.util.find_spec("decord") is not None
    )


def _facts(path: Path, stream: int) -> dict[str, Any]:
    entries = "format=format_name:stream=width,height,sample_aspect_ratio:stream_side_data=rotation"
    try:
        return ffmpeg.probe(["-select_streams", str(stream), "-show_entries", entries, ffmpeg.url(path)])
    except FfmpegFailed as error:
        raise FramesUnreadable(f"{path}: its frames cannot be read: {error}") from error


def _shown_size(facts: Mapping[str, Any]) -> tuple[int, int]:
    """Width and height of the stream as a player shows it: upright, with square pixels."""
    width, height = int(facts["width"]), int(facts["height"])
    over, under = (int(part) for part in facts.get("sample_aspect_ratio", "1:1").split(":"))
    if over > 0 and under > 0:
        width = max(1, round(Fraction(width * over, under)))
    turns = [float(data["rotation"]) for data in facts.get("side_data_list", []) if "rotation" in data]
    return (height, width) if turns and round(turns[0] / 90) % 2 else (width, height)


def _fit(size: tuple[int, int], max_side: int) -> tuple[int, int]:
    """The size within `max_side`, aspect kept, even sides (what scalers and decord want)."""
    scale = min(Fraction(1), Fraction(max_side, max(size)))
    width, height = (max(2, round(side * scale / 2) * 2) for side in size)
    return width, height
