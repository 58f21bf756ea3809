"""What each container can hold, as far as editors and players read it back.

"Can hold" is narrower than what ffmpeg can be made to write: PCM in MP4 is written by ffmpeg 6 and read
by few; PCM in MPEG-TS does not survive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from foley_daemon.domain import SAMPLE_RATE, Container
from foley_daemon.errors import ContainerCannot

_SAMPLE = Fraction(1, SAMPLE_RATE)
_MILLISECOND = Fraction(1, 1000)
_TEXT_SUBTITLES = frozenset({"subrip", "ass", "ssa", "webvtt", "mov_text", "text"})
_PCM = frozenset({"pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_s16be", "pcm_s24be"})
_MP4_AUDIO = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "flac", "opus", "mp2"})
_LOSSLESS_BITS = {"pcm_s16le": 16, "pcm_s24le": 24, "flac": 24, "alac": 24}
OUTPUT_MARK = "foley_daemon"  # tag key, and word in a comment, by which an output is known


@dataclass(frozen=True, slots=True)
class Holds:
    """One container."""

    muxer: str  # ffmpeg's -f
    suffixes: tuple[str, ...]
    foley: tuple[str, ...]  # codecs for the foley; the first is what `auto` takes
    video: frozenset[str] | None  # None: whatever comes
    audio: frozenset[str] | None
    subtitles: frozenset[str]
    text_subtitles: str | None  # what other text subtitles are turned into
    attachments: bool
    covers: bool
    chapters: bool
    timecode: bool  # as a track or a tag
    mark: str | None  # the tag that carries OUTPUT_MARK; None: it holds no tags
    tolerance: Fraction  # seconds: how exactly it keeps a start time
    start_codes: bool  # H.264 and HEVC packets in byte-stream form (Annex B)
    options: tuple[str, ...] = ()


HOLDS: Mapping[Container, Holds] = {
    Container.MP4: Holds(
        muxer="mp4",
        suffixes=(".mp4", ".m4v"),
        foley=("aac", "alac", "flac", "opus"),
        video=frozenset({"h264", "hevc", "av1", "vp9", "mpeg4", "mpeg2video", "mpeg1video", "mjpeg"}),
        audio=_MP4_AUDIO,
        subtitles=frozenset({"mov_text"}),
        text_subtitles="mov_text",
        attachments=False,
        covers=True,
        chapters=True,
        timecode=True,
        mark="comment",
        tolerance=_SAMPLE,
        start_codes=False,
        # Empty edits count in the movie's time scale, by default milliseconds: too coarse for a sample.
        # FLAC counts as an experiment up to ffmpeg 5.1.
        options=("-movie_timescale", str(SAMPLE_RATE), "-strict", "experimental"),
    ),
    Container.MOV: Holds(
        muxer="mov",
        suffixes=(".mov", ".qt"),
        foley=("pcm_s24le", "pcm_s16le", "alac", "aac"),
        video=None,
        audio=_PCM | frozenset({"aac", "mp3", "ac3", "eac3", "alac"}),
        subtitles=frozenset({"mov_text", "eia_608"}),
        text_subtitles="mov_text",
        attachments=False,
        covers=False,
        chapters=True,
        timecode=True,
        mark="comment",
        tolerance=_SAMPLE,
        start_codes=False,
        options=("-movie_timescale", str(SAMPLE_RATE)),
    ),
    Container.MKV: Holds(
        muxer="matroska",
        suffixes=(".mkv",),
        foley=("flac", "pcm_s24le", "pcm_s16le", "alac", "aac", "opus"),
        video=None,
        audio=None,
        subtitles=frozenset(
            {"subrip", "ass", "ssa", "webvtt", "text", "hdmv_pgs_subtitle", "dvd_subtitle", "dvb_subtitle"}
        ),
        text_subtitles="subrip",
        attachments=True,
        covers=True,
        chapters=True,
        timecode=True,
        mark=OUTPUT_MARK,
        tolerance=_MILLISECOND,
        start_codes=False,
    ),
    Container.WEBM: Holds(
        muxer="webm",
        suffixes=(".webm",),
        foley=("opus",),
        video=frozenset({"vp8", "vp9", "av1"}),
        audio=frozenset({"opus", "vorbis"}),
        subtitles=frozenset({"webvtt"}),
        text_subtitles="webvtt",
        attachments=False,
        covers=False,
        chapters=True,
        timecode=True,
        mark=OUTPUT_MARK,
        tolerance=_MILLISECOND,
        start_codes=False,
    ),
    Container.AVI: Holds(
        muxer="avi",
        suffixes=(".avi",),
        foley=("pcm_s16le", "pcm_s24le"),
        video=None,
        audio=_PCM | frozenset({"mp3", "mp2", "ac3", "aac"}),
        subtitles=frozenset(),
        text_subtitles=None,
        attachments=False,
        covers=False,
        chapters=False,
        timecode=False,
        mark="comment",
        tolerance=_SAMPLE,
        start_codes=True,
    ),
    Container.MPEGTS: Holds(
        muxer="mpegts",
        suffixes=(".ts", ".mts", ".m2ts"),
        foley=("aac",),
        video=frozenset({"h264", "hevc", "mpeg2video", "mpeg1video", "mpeg4"}),
        audio=frozenset({"aac", "mp2", "mp3", "ac3", "eac3", "dts", "opus"}),
        subtitles=frozenset({"dvb_subtitle", "dvb_teletext"}),
        text_subtitles=None,
        attachments=False,
        covers=False,
        chapters=False,
        timecode=False,
        mark=None,
        tolerance=_MILLISECOND,
        start_codes=True,
        # Keep the clock of the source: the muxer would add 1.4 s of its own.
        options=("-mpegts_copyts", "1"),
    ),
}


def container_of(destination: Path, source: Path, container: Container) -> Container:
    """The container that a name asks for: the source's, unless the suffix is another's.

    Raises:
        ContainerCannot: the suffix is none that is written.
    """
    suffix = destination.suffix.lower()
    if suffix == source.suffix.lower() or suffix in HOLDS[container].suffixes:
        return container
    for candidate, holds in HOLDS.items():
        if suffix in holds.suffixes:
            return candidate
    known = " ".join(suffix for holds in HOLDS.values() for suffix in holds.suffixes)
    raise ContainerCannot(
        f"{destination.name}: no container is known for {suffix!r}; expected {known}, or the clip's own "
        f"{source.suffix!r}. End the name template with {{ext}}."
    )


def foley_codec(container: Container, codec: str) -> str:
    """The codec for the foley; "auto" takes the container's best.

    Raises:
        ContainerCannot: the container does not take it.
    """
    able = HOLDS[container].foley
    if codec == "auto":
        return able[0]
    if codec not in able:
        raise ContainerCannot(
            f"{container} cannot hold the foley as {codec} in a way that players read; expected one of "
            f"{', '.join(able)}. Set output.codec to one of them, or to auto."
        )
    return codec


def lossless_bits(codec: str) -> int | None:
    """Bits a sample that the codec gives back exactly; None if it is lossy."""
    return _LOSSLESS_BITS.get(codec)


def converted_subtitles(container: Container, codec: str) -> str | None:
    """What subtitles of `codec` become in `container`: themselves, another text format, or None."""
    holds = HOLDS[container]
    if codec in holds.subtitles:
        return codec
    return holds.text_subtitles if codec in _TEXT_SUBTITLES else None


def is_output(tags: Mapping[str, str]) -> bool:
    """Whether the container's tags say that this daemon wrote the file."""
    return any(
        key.lower() == OUTPUT_MARK or (key.lower() == "comment" and OUTPUT_MARK in value)
        for key, value in tags.items()
    )
