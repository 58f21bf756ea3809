"""A clip becomes a `Probe`: first its structure, then what ffprobe says, in exact fractions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

from foley_daemon.domain import AudioStream, OtherStream, Probe, VideoStream
from foley_daemon.errors import ClipUnreadable, ClipWithoutPicture, TransientError
from foley_daemon.structure import check_structure, container_of
from ssv2a.errors import FfmpegMissing, FfmpegTimeout, MediaError
from ssv2a.media import ffmpeg
from ssv2a.media.timeline import Timeline, is_cover, picture_timeline

__all__ = ["check_structure", "probe", "sound_outside"]

_LOOK_BACK = 1  # seconds before the picture's end from which packets of sound are read
_TO_THE_END = 10**6  # seconds; left out, ffprobe 6.0 goes by memory that it never set

_Stream = Mapping[str, Any]


def probe(path: Path) -> Probe:
    """Everything that is known of a clip before something is made of it.

    Raises:
        ClipIncomplete: the container's structure ends early.
        ClipUnreadable: no supported container, or ffprobe refuses it.
        ClipWithoutPicture: there is no video stream besides cover images.
        TransientError: ffprobe did not answer in time.
        FfmpegMissing: there is no ffprobe.
    """
    # 1. complete, and one of the containers
    container = container_of(path)
    # 2. what ffprobe says, and the picture's packets
    try:
        found = ffmpeg.probe(["-show_format", "-show_streams", "-show_chapters", ffmpeg.url(path)])
        picture = _picture(found.get("streams", []), path)
        timeline = picture_timeline(path)
    except FfmpegMissing:
        raise
    except FfmpegTimeout as error:
        raise TransientError(f"{path} could not be probed: {error}") from error
    except MediaError as error:
        raise ClipUnreadable(f"{path} cannot be read as {container.value}: {error}") from error
    # 3. our types
    streams = found["streams"]
    rest = [stream for stream in streams if stream["index"] != picture["index"]]
    return Probe(
        path=path,
        container=container,
        size=path.stat().st_size,
        video=_video(picture, timeline, path),
        picture_start=timeline.start,
        picture_end=timeline.end,
        audio=tuple(_audio(stream) for stream in rest if stream.get("codec_type") == "audio"),
        others=tuple(_other(stream) for stream in rest if stream.get("codec_type") != "audio"),
        chapters=len(found.get("chapters", [])),
        timecode=_timecode(streams, found.get("format", {})),
        tags=MappingProxyType(dict(found.get("format", {}).get("tags", {}))),
        timecode_rate=_timecode_rate(streams),
    )


def sound_outside(clip: Probe, track: AudioStream) -> tuple[Fraction, Fraction]:
    """Seconds of an audio stream before the picture's start and after its end.

    Not every container says how long a stream is (Matroska does not): its last packets are looked at.

    Raises:
        FfmpegFailed, FfmpegTimeout: ffprobe cannot read them.
    """
    around = float(max(clip.picture_start, clip.picture_end - _LOOK_BACK))
    entries = "packet=pts,duration,flags:stream=time_base"
    args = [
        "-select_streams",
        str(track.index),
        "-read_intervals",
        f"{around:.3f}%+{_TO_THE_END}",
        "-show_entries",
        entries,
    ]
    found = ffmpeg.probe([*args, ffmpeg.url(clip.path)], timeout=600)
    base = Fraction(found["streams"][0]["time_base"])
    ends = [
        (int(packet["pts"]) + int(packet.get("duration", 0))) * base
        for packet in found.get("packets", [])
        if "pts" in packet and "D" not in packet.get("flags", "")  # D: hidden by an edit list
    ]
    after = max(ends, default=clip.picture_end) - clip.picture_end
    return max(clip.picture_start - track.start, Fraction(0)), max(after, Fraction(0))


def _picture(streams: Sequence[_Stream], path: Path) -> _Stream:
    for stream in streams:
        if stream.get("codec_type") == "video" and not is_cover(stream):
            return stream
    if not streams:
        raise ClipUnreadable(
            f"{path} holds no streams: its index is empty or damaged. Export the clip again."
        )
    kinds = ", ".join(stream.get("codec_type", "unknown") for stream in streams)
    raise ClipWithoutPicture(
        f"{path} has no picture: a video stream was expected, found: {kinds}. Foley is made for what is seen."
    )


def _video(stream: _Stream, timeline: Timeline, path: Path) -> VideoStream:
    width, height = int(stream.get("width", 0)), int(stream.get("height", 0))
    if width < 1 or height < 1:
        raise ClipUnreadable(
            f"{path}: the size of the picture cannot be told ({stream.get('codec_name', 'unknown codec')}, "
            f"{width}×{height}). Does it start with a key frame? Export it again."
        )
    rotation = _rotation(stream)
    if rotation in (90, 270):
        width, height = height, width
    variable = _is_variable(timeline, Fraction(stream["time_base"]))
    return VideoStream(
        index=stream["index"],
        codec=stream.get("codec_name", ""),
        width=width,
        height=height,
        rotation=rotation,
        frame_count=len(timeline.starts),
        frame_rate=_frame_rate(stream, timeline, variable),
        variable_rate=variable,
    )


def _rotation(stream: _Stream) -> int:
    """Degrees clockwise, to the next quarter; ffprobe counts the other way round."""
    for data in stream.get("side_data_list", []):
        if "rotation" in data:
            return round(-float(data["rotation"]) / 90) * 90 % 360
    return 0


def _is_variable(timeline: Timeline, base: Fraction) -> bool:
    """Whether frames stay for different times, beyond what rounding to two ticks explains."""
    gaps = [later - earlier for earlier, later in pairwise(timeline.starts)]
    return bool(gaps) and max(gaps) - min(gaps) > 2 * base


def _frame_rate(stream: _Stream, timeline: Timeline, variable: bool) -> Fraction:
    """The declared average where the rate is constant, else frames by seconds."""
    over, under = (int(part) for part in stream.get("avg_frame_rate", "0/0").split("/"))
    if over > 0 and under > 0 and not variable:
        return Fraction(over, under)
    return len(timeline.starts) / timeline.duration


def _audio(stream: _Stream) -> AudioStream:
    layout = stream.get("channel_layout")
    return AudioStream(
        index=stream["index"],
        codec=stream.get("codec_name", ""),
        channels=int(stream.get("channels", 0)),
        layout=layout if layout and layout != "unknown" else None,
        sample_rate=int(stream.get("sample_rate", 0)),
        start=int(stream.get("start_pts", 0)) * Fraction(stream["time_base"]),
        default=bool(stream.get("disposition", {}).get("default")),
        title=_tag(stream, "title"),
        language=_tag(stream, "language"),
    )


def _other(stream: _Stream) -> OtherStream:
    return OtherStream(
        index=stream["index"],
        kind=stream.get("codec_type", "data"),
        codec=stream.get("codec_name", "") if stream.get("codec_name") != "unknown" else "",
        title=_tag(stream, "title"),
        attached_picture=is_cover(stream),
    )


def _timecode(streams: Sequence[_Stream], container: Mapping[str, Any]) -> str | None:
    """Of a timecode track, else of any stream, else of the container."""
    tracks = sorted(streams, key=lambda stream: stream.get("codec_tag_string") != "tmcd")
    return next((value for place in (*tracks, container) if (value := _tag(place, "timecode"))), None)


def _timecode_rate(streams: Sequence[_Stream]) -> Fraction | None:
    """What a timecode track counts: above 30 frames a second often pairs of them."""
    for stream in streams:
        over, under = (int(part) for part in stream.get("avg_frame_rate", "0/0").split("/"))
        if stream.get("codec_tag_string") == "tmcd" and over > 0 and under > 0:
            return Fraction(over, under)
    return None


def _tag(place: Mapping[str, Any], name: str) -> str | None:
    """The value of a tag, whatever the case of its name (Matroska writes capitals)."""
    tags = place.get("tags", {})
    return next((str(value) for key, value in tags.items() if key.lower() == name), None)
