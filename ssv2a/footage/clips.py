"""What is seen and heard in the stretches of clips, and the folder in which it is kept.

file → stretches of ten seconds → Segment: slots of each frame, CLAP of the sound around it,
       CLAP of the whole, the things that are seen, facts of the sound
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ssv2a.files import write_whole
from ssv2a.footage.sound_check import SoundFacts
from ssv2a.types import ByteArray, FloatArray

PART = 30  # segments of a file that are observed, kept and held in memory at once


@dataclass(frozen=True, slots=True)
class Thing:
    """One source of a segment, followed through its frames."""

    label: str  # the detector's
    name: str
    caption: str | None  # None: it is silent
    presence: tuple[bool, ...]  # of each frame
    clip: FloatArray  # [clip_dim], mean over its frames
    clap: FloatArray  # [clap_dim], what it should sound like (generator)


@dataclass(frozen=True, slots=True)
class Picture:
    """One frame of a segment, to be shown."""

    frame: int
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class View:
    """What is seen in a segment's F frames, and heard around each."""

    times: tuple[float, ...]  # seconds from the segment's start
    slots: FloatArray  # [F, S, clip_dim]; slot 0 the whole picture, zeros where empty
    claps: FloatArray  # [F, clap_dim], of the sound within 2 s of each frame
    audible: tuple[bool, ...]  # whether there is any sound within 2 s of each frame
    clap: FloatArray  # [clap_dim], of the whole sound
    things: tuple[Thing, ...]
    labels: tuple[str, ...]  # the tagger's, the surest first; () without a tagger
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class Segment:
    """One stretch of a clip."""

    number: int  # from 0
    start: Fraction  # seconds from the picture's first frame
    seconds: Fraction
    facts: SoundFacts
    mel: ByteArray  # [64, n] the sound's spectrogram, 0..255 for the upper 80 dB
    view: View | None  # None: it is silent or overdriven, and was not looked at


@dataclass(frozen=True, slots=True)
class Clip:
    """One file, or a part of a long one: PART segments of it, counted from 0."""

    file: str  # its path in the folder, with forward slashes
    digest: str  # tells it from other files, see `ssv2a.footage.files.digest`
    segments: tuple[Segment, ...]
    part: int = 0
    is_last: bool = True


class Shelf:
    """A folder of what was observed, one file a part; what is whole in it is not observed again.

    Args:
        folder: made when the first clip is kept.
        mark: of how clips are observed; what was observed in another way is not found.
    """

    def __init__(self, folder: Path, mark: str) -> None:
        self._folder = folder
        self._mark = mark

    def keep(self, clip: Clip) -> None:
        """Write a clip, in one step.

        Raises:
            OSError: the disk does not take it.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, Any] = {}
        for segment in clip.segments:
            if segment.view is not None:
                arrays |= _arrays(segment.number, segment.view)
            arrays[f"{segment.number}.mel"] = segment.mel
        meta = {
            "mark": self._mark,
            "digest": clip.digest,
            "is_last": clip.is_last,
            "segments": [_meta(segment) for segment in clip.segments],
        }
        file = io.BytesIO()
        np.savez(file, meta=np.array(json.dumps(meta)), **arrays)
        write_whole(self._path(clip.digest, clip.part), file.getvalue())

    def find(self, file: str, digest: str, part: int) -> Clip | None:
        """A part of a file; None where it was never observed, or in another way, or is broken."""
        return self._read(file, digest, part)

    def segment(self, digest: str, number: int) -> Segment | None:
        """One segment of a file; None where it is not kept."""
        clip = self._read("", digest, number // PART, number)
        return clip.segments[0] if clip is not None and clip.segments else None

    def _read(self, file: str, digest: str, part: int, number: int | None = None) -> Clip | None:
        """A part of a file with all its segments, or that one alone."""
        path = self._path(digest, part)
        if not path.exists():
            return None
        try:
            with np.load(path) as kept:
                meta = json.loads(str(kept["meta"]))
                if meta["mark"] != self._mark or meta["digest"] != digest:
                    return None
                rows = [row for row in meta["segments"] if number in (None, row["number"])]
                segments = tuple(_segment(row, kept) for row in rows)
                return Clip(file, digest, segments, part, meta["is_last"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None  # written by something else, or not to its end: it is observed again

    def _path(self, digest: str, part: int) -> Path:
        return self._folder / f"{digest}-{part:03d}.npz"


def _meta(segment: Segment) -> dict[str, Any]:
    view = segment.view
    row: dict[str, Any] = {
        "number": segment.number,
        "start": str(segment.start),
        "seconds": str(segment.seconds),
        "facts": asdict(segment.facts),
    }
    if view is not None:
        row["view"] = {
            "times": view.times,
            "audible": view.audible,
            "labels": view.labels,
            "things": [(thing.label, thing.name, thing.caption) for thing in view.things],
            "pictures": [picture.frame for picture in view.pictures],
        }
    return row


def _arrays(number: int, view: View) -> dict[str, Any]:
    """The large parts of a view; slots and frame CLAPs in half precision."""
    arrays: dict[str, Any] = {
        "slots": view.slots.astype(np.float16),
        "claps": view.claps.astype(np.float16),
        "clap": view.clap,
    }
    if view.things:
        arrays |= {
            "thing_clips": np.stack([thing.clip for thing in view.things]),
            "thing_claps": np.stack([thing.clap for thing in view.things]),
            "presence": np.array([thing.presence for thing in view.things]),
        }
    for place, picture in enumerate(view.pictures):
        arrays[f"picture{place}"] = np.frombuffer(picture.jpeg, np.uint8)
    return {f"{number}.{key}": value for key, value in arrays.items()}


def _segment(row: Mapping[str, Any], kept: Mapping[str, Any]) -> Segment:
    number, seen = row["number"], row.get("view")
    return Segment(
        number=number,
        start=Fraction(row["start"]),
        seconds=Fraction(row["seconds"]),
        facts=SoundFacts(**row["facts"]),
        mel=kept[f"{number}.mel"],
        view=None if seen is None else _view(number, seen, kept),
    )


def _view(number: int, seen: Mapping[str, Any], kept: Mapping[str, Any]) -> View:
    things: Sequence[Sequence[str]] = seen["things"]
    rows: Iterator[Any] = iter(())
    if things:
        arrays = (kept[f"{number}.{key}"] for key in ("presence", "thing_clips", "thing_claps"))
        rows = zip(*arrays, strict=True)
    return View(
        times=tuple(seen["times"]),
        slots=kept[f"{number}.slots"].astype(np.float32),
        claps=kept[f"{number}.claps"].astype(np.float32),
        audible=tuple(seen["audible"]),
        clap=kept[f"{number}.clap"],
        things=tuple(
            Thing(label, name, caption, tuple(presence.tolist()), clip, clap)
            for (label, name, caption), (presence, clip, clap) in zip(things, rows, strict=True)
        ),
        labels=tuple(seen["labels"]),
        pictures=tuple(
            Picture(frame, kept[f"{number}.picture{place}"].tobytes())
            for place, frame in enumerate(seen["pictures"])
        ),
    )
