"""What ffprobe finds in a file: streams, tags, chapters. The facts that muxing decides on and checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from ssv2a.media import ffmpeg

_ENTRIES = (
    "stream=index,codec_type,codec_name,codec_tag_string,time_base,start_pts,channels,channel_layout,color_range,"
    "color_space,color_transfer,color_primaries:stream_tags:stream_disposition:stream_side_data:format_tags:chapter=id"
)


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream, in ffprobe's terms."""

    index: int
    kind: str  # video | audio | subtitle | data | attachment
    codec: str  # "" where there is none
    codec_tag: str  # four characters in MP4 and MOV
    start: Fraction | None  # seconds, container timestamp
    channels: int  # 0 if not audio
    layout: str | None
    look: Mapping[str, str]  # rotation and colour flags, as far as they are set
    flags: frozenset[str]  # dispositions that are on
    tags: Mapping[str, str]  # keys in lower case
    pre_skip: int = 0  # of Opus: samples at 48 kHz that decoders drop (RFC 7845, 5.1)

    @property
    def title(self) -> str:
        """As a report names it."""
        name = self.tags.get("title") or self.tags.get("filename")
        return (
            f"{self.kind} stream {self.index} ({self.codec or self.codec_tag}{f', {name}' if name else ''})"
        )


@dataclass(frozen=True, slots=True)
class Contents:
    """One file."""

    streams: tuple[Stream, ...]
    chapters: int
    tags: Mapping[str, str]  # of the container, keys in lower case

    @property
    def timecode(self) -> str | None:
        """Start timecode, of a track or a tag."""
        places = [self.tags, *(stream.tags for stream in self.streams)]
        return next((tags["timecode"] for tags in places if "timecode" in tags), None)

    def of_kind(self, kind: str) -> tuple[Stream, ...]:
        """Streams of one kind, in order."""
        return tuple(stream for stream in self.streams if stream.kind == kind)


def read_contents(path: Path) -> Contents:
    """Ask ffprobe.

    Raises:
        FfmpegFailed: it cannot read the file.
    """
    found = ffmpeg.probe(["-show_chapters", "-show_entries", _ENTRIES, ffmpeg.url(path)])
    entries = found.get("streams", [])
    opus = any(entry.get("codec_name") == "opus" for entry in entries)
    pre_skips = _pre_skips(path) if opus else {}
    return Contents(
        streams=tuple(_stream(entry, pre_skips.get(entry["index"], 0)) for entry in entries),
        chapters=len(found.get("chapters", [])),
        tags=_lower(found.get("format", {}).get("tags", {})),
    )


def _pre_skips(path: Path) -> dict[int, int]:
    """Pre-skip of each Opus stream by its index: bytes 10 and 11 of its header (RFC 7845, 5.1)."""
    entries = ["-select_streams", "a", "-show_data", "-show_entries", "stream=index,codec_name,extradata"]
    found = ffmpeg.probe([*entries, ffmpeg.url(path)]).get("streams", [])
    headers = {
        entry["index"]: _bytes(entry.get("extradata", "")) for entry in found if entry["codec_name"] == "opus"
    }
    return {index: int.from_bytes(header[10:12], "little") for index, header in headers.items()}


def _bytes(dump: str) -> bytes:
    """What ffprobe shows in lines such as "00000000: 4f70 7573 …  Opus…", 16 bytes each."""
    return b"".join(bytes.fromhex(line[10:49]) for line in dump.splitlines() if line)


def _stream(entry: Mapping[str, Any], pre_skip: int) -> Stream:
    look = {
        key: str(value) for key, value in entry.items() if key.startswith("color_") and value != "unknown"
    }
    for side in entry.get("side_data_list", []):
        if "rotation" in side:
            look["rotation"] = str(side["rotation"])
    return Stream(
        index=entry["index"],
        kind=entry.get("codec_type", "unknown"),
        codec=entry.get("codec_name", ""),
        codec_tag=entry.get("codec_tag_string", ""),
        start=entry["start_pts"] * Fraction(entry["time_base"]) if "start_pts" in entry else None,
        channels=entry.get("channels", 0),
        layout=entry.get("channel_layout"),
        look=look,
        flags=frozenset(flag for flag, on in entry.get("disposition", {}).items() if on),
        tags=_lower(entry.get("tags", {})),
        pre_skip=pre_skip,
    )


def _lower(tags: Mapping[str, str]) -> dict[str, str]:
    return {key.lower(): value for key, value in tags.items()}
