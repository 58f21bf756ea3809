"""What the tests of muxing share: requests, and a look into files that bypasses the code under test."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from media_fixtures import noise, offset_of, write_wav

from foley_daemon.mux import MuxRequest, Published, publish
from foley_daemon.probe import probe
from ssv2a.media import ffmpeg
from ssv2a.types import FloatArray

RATE = 48_000


def render_for(clip: Path, channels: int = 2) -> FloatArray:
    return noise(Fraction(probe(clip).n_samples, RATE), channels, seed=9)


def add_sound(
    clip: Path, destination: Path, *, mode: str = "track", channels: int = 2, **options: Any
) -> Published:
    """Publish `clip` with `render_for(clip)`."""
    wav = write_wav(destination.parent / "render.wav", render_for(clip, channels))
    request = MuxRequest(probe(clip), wav, channels, mode, destination, **options)  # type: ignore[arg-type]
    try:
        return publish(request)
    finally:
        wav.unlink()


def streams(path: Path, kind: str | None = None) -> list[dict[str, Any]]:
    found = ffmpeg.probe(["-show_streams", ffmpeg.url(path)])["streams"]
    return [stream for stream in found if kind in (None, stream["codec_type"])]


def facts(path: Path) -> dict[str, Any]:
    return ffmpeg.probe(["-show_format", "-show_chapters", ffmpeg.url(path)])


def packets(path: Path, index: int) -> list[str]:
    """SHA-256 of every packet of a stream."""
    args = ["-select_streams", str(index), "-show_data_hash", "sha256", "-show_entries", "packet=data_hash"]
    return [packet["data_hash"] for packet in ffmpeg.probe([*args, ffmpeg.url(path)])["packets"]]


def decoded(path: Path, index: int, channels: int = 2) -> FloatArray:
    """Every sample that the decoder gives, whatever its time."""
    args = ["-i", ffmpeg.url(path), "-map", f"0:{index}", "-ac", str(channels), "-f", "f32le", "pipe:1"]
    return np.frombuffer(ffmpeg.run(args, timeout=60), np.float32).reshape(-1, channels).T


def first_sound(path: Path, index: int) -> Fraction:
    """Container timestamp of the first decoded sample."""
    args = ["-select_streams", str(index), "-read_intervals", "%+1", "-show_frames"]
    found = ffmpeg.probe([*args, "-show_entries", "frame=pts:stream=time_base", ffmpeg.url(path)])
    return found["frames"][0]["pts"] * Fraction(found["streams"][0]["time_base"])


def samples_late(path: Path, index: int, render: FloatArray) -> Fraction:
    """By how much the sound's content lies behind the picture's start, by the file's own timestamps."""
    place = offset_of(decoded(path, index, len(render))[0], render[0])
    return place - (probe(path).picture_start - first_sound(path, index)) * RATE
