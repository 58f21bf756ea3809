"""Frozen types of the daemon, with their units. They carry facts and arithmetic, and touch no disk.

path → Probe → Job (a ledger row) → Plan (chunks in rational seconds) → Output
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path

SAMPLE_RATE = 48_000  # Hz, of everything that is rendered and muxed


class Container(StrEnum):
    """The containers that are read and written."""

    MP4 = "mp4"
    MOV = "mov"
    MKV = "mkv"
    WEBM = "webm"
    AVI = "avi"
    MPEGTS = "mpegts"


@dataclass(frozen=True, slots=True)
class VideoStream:
    """The picture: the first video stream that is not a cover image."""

    index: int  # stream index in the file
    codec: str
    width: int  # as shown, after rotation
    height: int
    rotation: int  # degrees clockwise that a player turns the stored frames: 0, 90, 180, 270
    frame_count: int  # frames shown (edit lists applied)
    frame_rate: Fraction  # average, frames per second
    variable_rate: bool


@dataclass(frozen=True, slots=True)
class AudioStream:
    """One audio stream of the source."""

    index: int  # stream index in the file
    codec: str
    channels: int
    layout: str | None  # ffmpeg's name, None where the file does not say
    sample_rate: int  # Hz
    start: Fraction  # seconds, container timestamp
    default: bool
    title: str | None
    language: str | None


@dataclass(frozen=True, slots=True)
class OtherStream:
    """Subtitles, data, timecode, attachments, cover images, further video."""

    index: int
    kind: str  # video | subtitle | data | attachment
    codec: str  # "" where ffprobe knows none
    title: str | None
    attached_picture: bool = False


@dataclass(frozen=True, slots=True)
class Probe:
    """What is known of a clip before anything is made of it."""

    path: Path
    container: Container
    size: int  # bytes
    video: VideoStream
    picture_start: Fraction  # seconds, container timestamp of the first frame shown
    picture_end: Fraction  # seconds, end of the last frame shown
    audio: tuple[AudioStream, ...]
    others: tuple[OtherStream, ...]
    chapters: int
    timecode: str | None  # "01:00:00:00", of the tmcd track or a tag
    tags: Mapping[str, str]  # of the container
    timecode_rate: Fraction | None = None  # frames a second that its track counts; None: those of the picture

    @property
    def duration(self) -> Fraction:
        """Seconds from the start of the first frame to the end of the last."""
        return self.picture_end - self.picture_start

    @property
    def n_samples(self) -> int:
        """Length of the foley: exactly round(duration · 48000)."""
        return round(self.duration * SAMPLE_RATE)


@dataclass(frozen=True, slots=True)
class Chunk:
    """One V2A run. Samples and seconds count from the picture's first frame."""

    index: int
    first_sample: int
    end_sample: int  # exclusive
    fade_in: int  # samples shared with the chunk before; 0 for the first
    fade_out: int  # samples shared with the chunk after; 0 for the last
    frame_times: tuple[Fraction, ...]  # seconds, ascending
    seed: int  # 0 .. 2**63 − 1, from the render key and the index

    @property
    def n_samples(self) -> int:
        """Samples to render, fades included."""
        return self.end_sample - self.first_sample

    @property
    def start(self) -> Fraction:
        """Seconds."""
        return Fraction(self.first_sample, SAMPLE_RATE)

    @property
    def seconds(self) -> Fraction:
        """Length with fades."""
        return Fraction(self.n_samples, SAMPLE_RATE)


@dataclass(frozen=True, slots=True)
class Plan:
    """Chunks that cover the picture exactly."""

    n_samples: int
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True, slots=True)
class Loudness:
    """Of one programme, EBU R128. None where it cannot be measured (silence, below 0.4 s)."""

    integrated_lufs: float | None
    true_peak_dbtp: float | None


class JobState(StrEnum):
    """Where a job stands. Only `queued` and an expired `running` can be claimed."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Job:
    """A ledger row: relative path + content + publish key, once."""

    id: int
    folder: Path  # the hot folder
    relative_path: str  # os.fsdecode'd, may hold surrogate escapes
    content: str  # content id, see identity.py
    publish_key: str
    render_key: str
    state: JobState
    attempts: int
    not_before: float  # Unix seconds; back-off
    lease_until: float | None  # Unix seconds
    worker: str | None
    error: str | None
    outputs: tuple[str, ...]  # paths of what was published
    created_at: float  # Unix seconds
    updated_at: float

    @property
    def path(self) -> Path:
        """The clip."""
        return self.folder / self.relative_path


@dataclass(frozen=True, slots=True)
class Output:
    """What was published for a job, after verification."""

    files: tuple[Path, ...]  # the clip (none for sidecar mode) and the sidecar
    report: Path
    picture: Path | None
    seconds: float  # wall time of the whole job
    verified: tuple[str, ...]  # one line a check, as the demo prints it
    warnings: tuple[str, ...]
    cues: Path | None = None  # the cue sheet; none with the default bank

    @property
    def published(self) -> tuple[Path, ...]:
        """Every file that was written."""
        beside = (self.report, self.picture, self.cues)
        return *self.files, *(path for path in beside if path is not None)
