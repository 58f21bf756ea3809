"""What a take leaves behind: NAME.wav, and beside it NAME.json, .cues.csv, .tracks and .explain.png.

The report says what is heard, the cue sheet when, the folder has a file for each source, the picture shows
why. They are written in a hidden folder beside and then renamed, the WAV last: one that is there is whole,
and so is what lies beside it. Nothing that was there before is overwritten unasked.
"""

from __future__ import annotations

import json
import platform
import re
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from importlib.metadata import PackageNotFoundError, version
from itertools import count
from pathlib import Path
from typing import Any

from ssv2a.cue_sheet import FREE_BANK, cue_sheet, cues_of
from ssv2a.errors import FfmpegMissing
from ssv2a.media import ffmpeg
from ssv2a.media.audio import WavWriter
from ssv2a.types import SAMPLE_RATE, FloatArray, Pick, Take, Track

FORMAT = 1
PICTURE = ".explain.png"
CUES = ".cues.csv"
_SUFFIXES = (".wav", ".json", ".tracks", PICTURE, CUES)
_TRACK = re.compile(r"[0-9]{2,}_.*\.wav")
_TRACK_NAME = 40  # characters of a source's name in the name of its file


@dataclass(frozen=True, slots=True)
class Facts:
    """What a report says beside what the take says itself, ready for JSON."""

    inputs: Sequence[Mapping[str, str]]  # image, video, text or audio → path or words
    seed: int
    settings: Mapping[str, Any]
    models: Mapping[str, Any]


def write_take(
    folder: Path, name: str, take: Take, facts: Facts, *, overwrite: bool, picture: bytes | None = None
) -> Path:
    """Write a take whole or not at all, and return the path of its WAV.

    Args:
        folder: made if need be.
        name: without suffix; where it is taken, `_2`, `_3` … is put behind it.
        take: its stems, if it has any, become one file each.
        facts: for the report.
        overwrite: replace an earlier take of that name, with all that lies beside it.
        picture: a PNG file that explains the take.

    Raises:
        OSError: the disk does not take it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", suffix=".part", dir=folder) as temporary:
        part = Path(temporary)
        _write_wav(part / "take.wav", take.waveform)
        tracks = _write_tracks(part / "tracks", take)
        name = name if overwrite else _free_name(folder, name)
        beside = {PICTURE: picture, CUES: _cues(take, facts)}
        content = _content(name, take, facts, tracks)
        for key, suffix in (("explanation", PICTURE), ("cues", CUES)):
            content[key] = None if beside[suffix] is None else f"{name}{suffix}"
        text = json.dumps(content, indent=1, ensure_ascii=True, allow_nan=False) + "\n"
        (part / "take.json").write_text(text, encoding="utf-8")
        for suffix, data in beside.items():
            if data is not None:
                (part / f"take{suffix}").write_bytes(data)
        _move_tracks(part / "tracks", folder / f"{name}.tracks")
        for suffix, data in beside.items():
            if data is None:
                (folder / f"{name}{suffix}").unlink(missing_ok=True)  # of an earlier take
            else:
                (part / f"take{suffix}").replace(folder / f"{name}{suffix}")
        (part / "take.json").replace(folder / f"{name}.json")
        return (part / "take.wav").replace(folder / f"{name}.wav")


def _cues(take: Take, facts: Facts) -> bytes | None:
    """The cue sheet; None with the free bank, and where nothing is heard."""
    bank = str(facts.models["bank"])
    if bank == FREE_BANK or not take.picks:
        return None
    return cue_sheet(cues_of(take.scene, take.picks), bank)


def _free_name(folder: Path, name: str) -> str:
    """The name, or the first with a number that nothing in the folder has."""
    for number in count(1):
        numbered = name if number == 1 else f"{name}_{number}"
        if not any((folder / f"{numbered}{suffix}").exists() for suffix in _SUFFIXES):
            return numbered
    raise AssertionError("unreachable")


def _write_wav(path: Path, waveform: FloatArray) -> None:
    with WavWriter(path, channels=waveform.shape[0], subtype="PCM_24") as file:
        file.write(waveform)


def _write_tracks(folder: Path, take: Take) -> Mapping[int, str]:
    """A file for each stem, in the order of the sources; the names of the files by track key."""
    folder.mkdir()
    names: dict[int, str] = {}
    for track in take.scene.tracks:
        if track.key in take.stems:
            words = re.sub(r"\W+", "_", track.name)[:_TRACK_NAME].strip("_") or "source"
            names[track.key] = f"{len(names) + 1:02d}_{words}.wav"
            _write_wav(folder / names[track.key], take.stems[track.key])
    return names


def _move_tracks(new: Path, place: Path) -> None:
    """The new tracks in place of those of an earlier take; other files there stay."""
    old = [path for path in place.glob("*.wav") if _TRACK.fullmatch(path.name)] if place.is_dir() else []
    for path in old:
        path.unlink()
    tracks = sorted(new.iterdir())
    if tracks:
        place.mkdir(exist_ok=True)
    elif old:
        with suppress(OSError):  # the user's own files in it
            place.rmdir()
    for path in tracks:
        path.replace(place / path.name)


def _content(name: str, take: Take, facts: Facts, tracks: Mapping[int, str]) -> dict[str, Any]:
    channels, samples = take.waveform.shape
    return {
        "format": FORMAT,
        "file": f"{name}.wav",
        "inputs": list(facts.inputs),
        "seed": facts.seed,
        "samples": samples,
        "sample_rate": SAMPLE_RATE,
        "channels": channels,
        "fit": round(take.fit, 4),
        "ambience": take.scene.ambience,
        "sources": [
            _source(track, f"{name}.tracks/{tracks[track.key]}" if track.key in tracks else None)
            for track in take.scene.tracks
        ],
        "sounds": [_sound(pick) for pick in take.picks],
        "credits": _credits(take.picks),
        "models": dict(facts.models),
        "settings": dict(facts.settings),
        "warnings": list(take.warnings),
        "seconds": {stage: round(seconds, 3) for stage, seconds in take.seconds_spent.items()},
        "versions": versions(),
    }


def _source(track: Track, file: str | None) -> dict[str, Any]:
    return {
        "key": track.key,
        "label": track.label,
        "name": track.name,
        "caption": track.caption,
        "count": track.count,
        "track": file,
    }


def _sound(pick: Pick) -> dict[str, Any]:
    return {
        "entry": pick.entry,
        "sound": pick.sound,
        "caption": pick.caption,
        "source": pick.track,
        "start": _ms(pick.start),
        "end": _ms(pick.end),
        "heard": [[_ms(first), _ms(last)] for first, last in pick.heard],
        "gain_db": round(pick.gain_db, 1),
        "licence": pick.licence,
        "credit": pick.credit,
    }


def _credits(picks: Sequence[Pick]) -> list[dict[str, str]]:
    """Every recording and model that is heard, once."""
    heard = {pick.entry: pick for pick in picks}
    return [
        {"entry": entry, "caption": pick.caption, "licence": pick.licence, "credit": pick.credit}
        for entry, pick in sorted(heard.items())
    ]


def versions() -> dict[str, str]:
    """Versions of what makes the sound."""
    found = {"python": platform.python_version()}
    with suppress(FfmpegMissing):  # pictures and words need none
        found["ffmpeg"] = ffmpeg.version()
    for package in ("foley-daemon", "torch"):
        with suppress(PackageNotFoundError):  # run from a source tree
            found[package] = version(package)
    return found


def _ms(seconds: Fraction) -> float:
    return round(float(seconds), 3)
