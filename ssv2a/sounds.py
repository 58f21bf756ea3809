"""Sounds from files, as CLAP takes them: whole, at 48 kHz, mixed down to one channel. Files are only read."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import closing
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ssv2a.errors import InputError, MediaError
from ssv2a.media import audio, ffmpeg
from ssv2a.types import SAMPLE_RATE, FloatArray

LONGEST = 600  # seconds: 115 MB of samples
MOST_CHANNELS = 64

_SILENT = 2.0**-15  # peak: the smallest step of 16 bit


def read_sound(path: Path) -> FloatArray:
    """The first audio stream of a file that ffmpeg reads, from its own start, its channels averaged.

    Returns:
        [1, n_samples] at SAMPLE_RATE, at most LONGEST seconds, not silent.

    Raises:
        InputError: the file cannot be read, holds no sound, is silent or longer than LONGEST.
    """
    try:
        path.open("rb").close()  # what the system says of it is clearer than what ffmpeg says
        with closing(_blocks(path, _stream(path))) as blocks:
            pieces = [block.mean(axis=0, keepdims=True) for block in islice(blocks, LONGEST + 1)]
    except OSError as error:
        raise InputError(f"{path}: the sound cannot be read: {error.strerror}. Check the file.") from error
    except MediaError as error:
        raise InputError(f"{path}: the sound cannot be read: {error} Is the file whole?") from error
    sound = np.concatenate(pieces, axis=1) if pieces else np.zeros((1, 0), np.float32)
    _check(path, sound)
    return sound


def sound_blocks(path: Path) -> Generator[FloatArray, None, None]:
    """The first audio stream of a file that ffmpeg reads, [channels, ≤ 1 s] at SAMPLE_RATE.

    Raises:
        InputError: the file cannot be read or holds no sound.
    """
    try:
        yield from _blocks(path, _stream(path))
    except MediaError as error:
        raise InputError(f"{path}: the sound cannot be read: {error} Is the file whole?") from error


def _stream(path: Path) -> Mapping[str, Any]:
    entries = "stream=index,channels,channel_layout,start_time"
    found = ffmpeg.probe(["-select_streams", "a", "-show_entries", entries, ffmpeg.url(path)])
    streams: list[Mapping[str, Any]] = found.get("streams", [])
    if not streams:
        raise InputError(f"{path}: no sound in it; expected a file such as WAV, FLAC, MP3 or OGG.")
    return streams[0]


def _blocks(path: Path, stream: Mapping[str, Any]) -> Generator[FloatArray, None, None]:
    """[channels, ≤ 1 s] of a stream."""
    channels = int(stream.get("channels", 0))
    if not channels:
        raise InputError(f"{path}: the sound in it cannot be read. Is the file whole?")
    if channels > MOST_CHANNELS:
        raise InputError(f"{path}: {channels} channels; expected 1 to {MOST_CHANNELS}. Mix it down first.")
    yield from audio.blocks(
        path,
        stream=stream["index"],
        channels=channels,
        layout=stream.get("channel_layout"),
        origin=Fraction(stream.get("start_time", "0")),
    )


def _check(path: Path, sound: FloatArray) -> None:
    if sound.shape[1] > LONGEST * SAMPLE_RATE:
        minutes = LONGEST // 60
        raise InputError(f"{path}: too long; expected at most {minutes} minutes. Cut out what is meant.")
    if not sound.size:
        raise InputError(f"{path}: no samples in it; expected a sound. Is the file whole?")
    peak = float(np.abs(sound).max())
    if not np.isfinite(peak):
        raise InputError(f"{path}: samples in it that are no numbers. Export it again.")
    if peak <= _SILENT:
        raise InputError(
            f"{path}: silent, mixed down to one channel; expected a sound that can be heard. "
            "Give another, or turn round the phase of a channel."
        )
