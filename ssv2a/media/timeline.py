"""When each frame of the picture is on screen, exactly, without decoding it.

Times come from the packets in ticks of the stream's time base, so they are exact fractions. Packets
that an edit list hides (ISO 14496-12, 8.6.6; ffprobe marks them "D") are not shown and not counted.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from statistics import median_low
from typing import Any

from ssv2a.errors import MediaError
from ssv2a.media import ffmpeg

_LAST_RESORT = Fraction(1, 25)  # seconds of a single frame in a file that gives no rate at all
_ENTRIES = (
    "stream=index,codec_type,time_base,start_pts,duration_ts,avg_frame_rate"
    ":stream_disposition=attached_pic"
    ":packet=stream_index,pts,dts,duration,flags"
)


@dataclass(frozen=True, slots=True)
class Timeline:
    """The frames shown, in the order they are shown. Times are container timestamps in seconds."""

    index: int  # stream index of the picture
    starts: tuple[Fraction, ...]  # ascending, at least one
    end: Fraction  # when the last frame goes
    closed: bool = True  # no frame is shown before the key frame it follows in the file

    @property
    def start(self) -> Fraction:
        """When the first frame comes."""
        return self.starts[0]

    @property
    def duration(self) -> Fraction:
        """Seconds from the start of the first frame to the end of the last."""
        return self.end - self.start

    def shown_at(self, time: Fraction) -> int:
        """Number (from 0) of the frame on screen `time` seconds after the picture's start.

        Before the start it is the first frame, after the end the last.
        """
        return max(0, bisect_right(self.starts, self.start + time) - 1)


def picture_timeline(path: Path) -> Timeline:
    """Read the timeline of the picture: the first video stream that is no cover image.

    Raises:
        FfmpegFailed: ffprobe cannot read the file.
        MediaError: it has no picture, or no frame of it is shown.
    """
    found = ffmpeg.probe(["-select_streams", "v", "-show_entries", _ENTRIES, ffmpeg.url(path)], timeout=600)
    streams = [stream for stream in found.get("streams", []) if not is_cover(stream)]
    if not streams:
        raise MediaError(
            f"{path} has no picture: a video stream was expected, none was found. Is it a sound file?"
        )
    stream = streams[0]
    packets = [packet for packet in found.get("packets", []) if packet["stream_index"] == stream["index"]]
    return timeline_of(stream, packets, str(path))


def even_times(timeline: Timeline, seconds: Fraction, count: int) -> list[Fraction]:
    """When the frames come that are looked at, in seconds from the picture's start, each frame once.

    They are spread evenly over the first `seconds`, the first and the last frame shown in them included.
    """
    shown = [start - timeline.start for start in timeline.starts if start - timeline.start < seconds]
    step = shown[-1] / max(1, count - 1)
    numbers = {timeline.shown_at(number * step) for number in range(count)}
    return [timeline.starts[number] - timeline.start for number in sorted(numbers)]


def is_cover(stream: Mapping[str, Any]) -> bool:
    """Whether ffprobe's description of a video stream is one of an attached picture."""
    return bool(stream.get("disposition", {}).get("attached_pic"))


def timeline_of(stream: Mapping[str, Any], packets: Sequence[Mapping[str, Any]], name: str) -> Timeline:
    """Build the timeline from ffprobe's stream and packets.

    Decode times stand in where presentation times are missing (AVI with B-frames): the distances
    are right, the order too. Without either, the average frame rate does.

    Raises:
        MediaError: no packet of the stream is shown; `name` is the file in the message.
    """
    shown = [packet for packet in packets if "D" not in packet.get("flags", "")]
    if not shown:
        raise MediaError(
            f"{name}: no frame of the picture (stream {stream['index']}) is shown: of {len(packets)} packets "
            "an edit list hides all. Export the clip again."
        )
    base = Fraction(stream["time_base"])
    key = next((key for key in ("pts", "dts") if all(key in packet for packet in shown)), None)
    if key is None:
        length = _frame_length(stream)
        starts = [number * length for number in range(len(shown))]
        return Timeline(stream["index"], tuple(starts), starts[-1] + length, closed=False)
    last = max(shown, key=lambda packet: int(packet[key]))
    ticks = sorted({int(packet[key]) for packet in shown})
    end = ticks[-1] * base + _last_length(stream, last, ticks, base)
    return Timeline(stream["index"], tuple(tick * base for tick in ticks), end, _closed(shown, key))


def _closed(packets: Sequence[Mapping[str, Any]], key: str) -> bool:
    """Whether decoding can start at any key frame and show everything from there on."""
    group = int(packets[0][key])
    for packet in packets:
        time = int(packet[key])
        if "K" in packet.get("flags", ""):
            group = time
        elif time < group:
            return False
    return key == "pts"


def _last_length(
    stream: Mapping[str, Any], last: Mapping[str, Any], ticks: Sequence[int], base: Fraction
) -> Fraction:
    """How long the last frame stays: as its packet says, as the stream's duration says, or as usual."""
    if int(last.get("duration", 0)) > 0:
        return int(last["duration"]) * base
    gaps = [later - earlier for earlier, later in pairwise(ticks)]
    if "duration_ts" in stream and "start_pts" in stream:
        rest = int(stream["start_pts"]) + int(stream["duration_ts"]) - ticks[-1]
        if 0 < rest <= max(gaps, default=rest):
            return rest * base
    return median_low(gaps) * base if gaps else _frame_length(stream)


def _frame_length(stream: Mapping[str, Any]) -> Fraction:
    over, under = (int(part) for part in stream.get("avg_frame_rate", "0/0").split("/"))
    return Fraction(under, over) if over > 0 and under > 0 else _LAST_RESORT
