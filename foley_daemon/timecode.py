"""The timecode track of MP4 and MOV, and how it counts (QuickTime File Format, "Timecode media").

ffmpeg copies such a track without its drop-frame flag, and counts one that it makes at the picture's rate.
A camera may count otherwise: SMPTE ST 12-1 labels pairs of frames above 30 a second, so that a picture of
59.94 has the labels of 29.97. In 13 bytes of the track's description and 4 of its sample all that is said;
they are carried over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_COUNT_BYTES = 13  # flags, time scale, duration of a frame (4 each), frames a second (1)
_NUMBER_BYTES = 4
_HEADER = 20  # of a sample description of timecode, before these


@dataclass(frozen=True, slots=True)
class TimecodeTrack:
    """What a track of a single label says and where."""

    count_at: int  # byte
    count: bytes
    number_at: int
    number: bytes  # of the first frame


def keep_counts(source: Path, written: Path) -> None:
    """Have the timecode tracks of `written` count as those of `source`, if it has as many."""
    with source.open("rb") as file:
        wanted = _tracks(file)
    with written.open("r+b") as file:
        found = _tracks(file)
        if len(found) != len(wanted):
            return
        for there, here in zip(wanted, found, strict=True):
            file.seek(here.count_at)
            file.write(there.count)
            file.seek(here.number_at)
            file.write(there.number)


def _tracks(file: BinaryIO) -> list[TimecodeTrack]:
    size = file.seek(0, 2)
    tables = _inside(file, (0, size), b"moov", b"trak", b"mdia", b"minf", b"stbl")
    return [track for table in tables if (track := _described(file, table)) is not None]


def _described(file: BinaryIO, table: tuple[int, int]) -> TimecodeTrack | None:
    """From a sample table (ISO 14496-12, 8.5); None unless it is one label of timecode."""
    description = next(_boxes(file, *table, b"stsd"), None)
    sizes = next(_boxes(file, *table, b"stsz"), None)
    if description is None or sizes is None:
        return None
    entry = description[0] + 8  # behind version, flags and number of entries
    if _read(file, entry + 4, 4) != b"tmcd" or _number(file, sizes[0] + 8) != 1:
        return None
    for kind, width in ((b"stco", 4), (b"co64", 8)):
        for start, _ in _boxes(file, *table, kind):
            number_at = _number(file, start + 8, width)
            count_at = entry + _HEADER
            return TimecodeTrack(
                count_at,
                _read(file, count_at, _COUNT_BYTES),
                number_at,
                _read(file, number_at, _NUMBER_BYTES),
            )
    return None


def _inside(file: BinaryIO, place: tuple[int, int], *kinds: bytes) -> Iterator[tuple[int, int]]:
    """The boxes of the last kind, each in one of the kind before it."""
    if not kinds:
        yield place
        return
    for box in _boxes(file, *place, kinds[0]):
        yield from _inside(file, box, *kinds[1:])


def _boxes(file: BinaryIO, start: int, end: int, kind: bytes) -> Iterator[tuple[int, int]]:
    """Start and end of the content of each box of a kind (ISO 14496-12, 4.2) between two bytes of a file."""
    while start + 8 <= end:
        header, size, found = 8, _number(file, start), _read(file, start + 4, 4)
        if size == 1:
            header, size = 16, _number(file, start + 8, 8)
        elif size == 0:  # to the end
            size = end - start
        if size < header:
            return
        if found == kind:
            yield start + header, min(start + size, end)
        start += size


def _number(file: BinaryIO, place: int, width: int = 4) -> int:
    return int.from_bytes(_read(file, place, width), "big")


def _read(file: BinaryIO, place: int, n_bytes: int) -> bytes:
    file.seek(place)
    return file.read(n_bytes)
