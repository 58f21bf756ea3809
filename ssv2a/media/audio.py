"""Sound of clips, block by block: decoding on the picture's clock, WAV files, loudness.

Waveforms are [channels, n] float32, full scale ±1. No function holds more than a block.
"""

from __future__ import annotations

import errno
import math
import os
import re
import shutil
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import IO, Literal

import numpy as np
import soundfile

from ssv2a.errors import MediaError
from ssv2a.media import ffmpeg
from ssv2a.types import SAMPLE_RATE, FloatArray

_TIMEOUT = 120.0  # seconds that ffmpeg may need for one block
_GATE = -70.0  # LUFS, absolute gate of BS.1770: ebur128 says it where nothing passed
_NO_SPACE = 1 << 20  # bytes; a disk with less takes no block
_LAYOUT = re.compile(r"(?!unknown)[A-Za-z0-9.()+]+")  # "quad", "5.1(side)", "FL+FR+LFE"; not "4 channels"
_LEAD_IN = 2  # seconds decoded before a start point: decoders and seeking need a run-up


def blocks(
    path: Path,
    *,
    stream: int | None = None,
    channels: int = 2,
    layout: str | None = None,
    origin: Fraction = Fraction(0),
    start: Fraction | None = None,
    seconds: Fraction | None = None,
    sample_rate: int = SAMPLE_RATE,
    block: int = SAMPLE_RATE,
) -> Iterator[FloatArray]:
    """Decode one audio stream so that sample 0 lies at `origin` + `start`.

    Sound that starts later is preceded by silence, sound that starts earlier is cut, gaps in the
    timestamps are filled. At 48 kHz and with the stream's own channels and layout the samples are
    the decoder's, bit for bit.

    Args:
        path: the clip or sound file.
        stream: stream index in the file; None: the first audio stream.
        channels: of the result; ffmpeg's own down- or up-mix where the stream has others.
        layout: of the result, as ffprobe names it; without it ffmpeg's usual one for so many channels,
            into which it mixes a stream of another: four channels are 4.0 and not quad.
        origin: container timestamp in seconds, mostly the picture's first frame.
        start: seconds from `origin`.
        seconds: length of the result: exactly round(seconds · sample_rate) samples, padded with
            silence; None: to the end of the stream.
        sample_rate: of the result, Hz.
        block: samples in all blocks but the last.

    Yields:
        [channels, ≤ block].

    Raises:
        FfmpegFailed: the file or stream cannot be decoded.
        FfmpegTimeout: a block took longer than two minutes.
    """
    first = origin + (start or 0)
    total = None if seconds is None else round(seconds * sample_rate)
    done = 0
    with ffmpeg.stream_out(
        _decode_args(path, stream, channels, layout, first, start, sample_rate), timeout=_TIMEOUT
    ) as pipe:
        while total is None or done < total:
            wanted = block if total is None else min(block, total - done)
            waveform = _read_block(pipe, channels, wanted)
            if total is not None:
                waveform = np.pad(waveform, ((0, 0), (0, wanted - waveform.shape[1])))
            elif waveform.shape[1] == 0:
                return
            done += waveform.shape[1]
            yield waveform


def _decode_args(
    path: Path,
    stream: int | None,
    channels: int,
    layout: str | None,
    first: Fraction,
    start: Fraction | None,
    sample_rate: int,
) -> list[str]:
    """The arguments; -copyts keeps container timestamps, `first_pts` counts output samples."""
    seek = []
    if start is not None and start > _LEAD_IN:
        seek = ["-noaccurate_seek", "-seek_timestamp", "1", "-ss", f"{float(first - _LEAD_IN):.6f}"]
    filters = f"aresample={sample_rate}:async=1:first_pts={round(first * sample_rate)}"
    count = ["-ac", str(channels)]
    if layout is not None and _LAYOUT.fullmatch(layout):
        filters, count = f"{filters},aformat=channel_layouts={layout}", []
    return [
        *("-copyts", *seek, "-i", ffmpeg.url(path)),
        *("-map", "0:a:0" if stream is None else f"0:{stream}"),
        *("-af", filters, *count, "-f", "f32le", "pipe:1"),
    ]


def _read_block(pipe: IO[bytes], channels: int, wanted: int) -> FloatArray:
    data = pipe.read(wanted * channels * 4)
    frames = np.frombuffer(data, "<f4", count=len(data) // (4 * channels) * channels)
    return np.ascontiguousarray(frames.reshape(-1, channels).T)


class WavWriter:
    """A WAV file written block by block; it becomes RF64 (EBU Tech 3306) where 4 GiB are exceeded.

    Args:
        path: the file; replaced if it exists.
        channels: of every block.
        sample_rate: Hz.
        subtype: "FLOAT" (32 bit) or "PCM_24" (clipped at full scale).

    Raises:
        OSError: the disk does not take it.
    """

    def __init__(
        self,
        path: Path,
        *,
        channels: int,
        sample_rate: int = SAMPLE_RATE,
        subtype: Literal["FLOAT", "PCM_24"] = "FLOAT",
    ) -> None:
        self.path = path
        self.channels = channels
        self.n_samples = 0  # written so far
        try:
            self._file = soundfile.SoundFile(path, "w", sample_rate, channels, subtype, format="RF64")
        except soundfile.LibsndfileError as error:
            raise _disk_error(path) from error

    def __enter__(self) -> WavWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write(self, waveform: FloatArray) -> None:
        """Append [channels, n].

        Raises:
            MediaError: another shape.
            OSError: the disk does not take it; ENOSPC where it is full.
        """
        if waveform.ndim != 2 or waveform.shape[0] != self.channels:
            raise MediaError(
                f"{self.path}: a block of shape [{self.channels}, n] was expected, "
                f"got {list(waveform.shape)}. Waveforms are [channels, samples]."
            )
        try:
            self._file.write(waveform.T)
        except soundfile.LibsndfileError as error:
            raise _disk_error(self.path) from error
        self.n_samples += waveform.shape[1]

    def close(self) -> None:
        """Write the header and close. Safe to call again."""
        self._file.close()


def _disk_error(path: Path) -> OSError:
    """What the disk said while `path` was written: libsndfile keeps it to itself, so the disk is asked."""
    full = shutil.disk_usage(path.parent).free < _NO_SPACE
    code = errno.ENOSPC if full else errno.EIO
    return OSError(code, os.strerror(code), str(path))


def read_wav_blocks(path: Path, block: int = SAMPLE_RATE) -> Iterator[FloatArray]:
    """Read a WAV (or FLAC) as [channels, ≤ block] at its own rate.

    Raises:
        MediaError: it is no such file.
    """
    try:
        file = soundfile.SoundFile(path)
    except soundfile.LibsndfileError as error:
        raise MediaError(f"{path}: a WAV or FLAC file was expected: {error.error_string}") from error
    with file:
        while len(waveform := file.read(block, dtype="float32", always_2d=True)):
            yield np.ascontiguousarray(waveform.T)


def loudness(path: Path, *, stream: int | None = None) -> tuple[float | None, float | None]:
    """Integrated loudness and true peak of one audio stream (EBU R128, ITU-R BS.1770-4).

    Args:
        path: a clip or a sound file.
        stream: stream index in the file; None: the first audio stream.

    Returns:
        (LUFS, dBTP) to a tenth, each None where it cannot be measured: both in silence, the
        loudness also below 0.4 s and below the absolute gate of −70 LUFS.

    Raises:
        FfmpegFailed: the file or stream cannot be decoded.
    """
    said = ffmpeg.report(
        [
            *("-i", ffmpeg.url(path), "-map", "0:a:0" if stream is None else f"0:{stream}"),
            *("-af", "ebur128=peak=true:framelog=verbose", "-vn", "-f", "null", "-"),
        ],
        timeout=3600,
    )
    integrated, peak = _last_number(r"I:\s+(\S+) LUFS", said), _last_number(r"Peak:\s+(\S+) dBFS", said)
    return (integrated if integrated is not None and integrated > _GATE else None), peak


def _last_number(pattern: str, text: str) -> float | None:
    found = re.findall(pattern, text)
    number = float(found[-1]) if found else math.nan
    return number if math.isfinite(number) else None
