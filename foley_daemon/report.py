"""The report of one clip: what was seen, what sounds, where it lies, what was verified.

`{name}.foley.json` lies beside every output. Seconds count from the picture's first frame.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from foley_daemon import __version__
from foley_daemon.domain import SAMPLE_RATE, Probe
from foley_daemon.findings import SeenChunk, credits_of, sources, span
from foley_daemon.mux import Published
from foley_daemon.place import beside, disk_errors, part_file
from foley_daemon.profile import Profile
from foley_daemon.rendering import Mixed
from ssv2a.media import ffmpeg

FORMAT = 1
SUFFIX = ".foley.json"


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a report tells."""

    clip: Probe
    profile: Profile
    content: str
    bundle: str
    render: str
    chunks: tuple[SeenChunk, ...]
    mixed: Mixed
    published: Published
    picture: Path | None


def report_path(output: Path) -> Path:
    """Where the report of an output lies."""
    return beside(output, SUFFIX)


def write_report(facts: Facts, stage_seconds: Mapping[str, float], seconds: float) -> Path:
    """Write the report whole or not at all, and return where it lies.

    Raises:
        DiskFull, FolderGone, OutputError: it cannot be written.
    """
    path = report_path(facts.published.file)
    content = {
        "format": FORMAT,
        **_content(facts),
        "seconds": {stage: round(value, 3) for stage, value in stage_seconds.items()},
        "total_seconds": round(seconds, 2),
    }
    with part_file(path) as part, disk_errors(path.parent):
        with part.open("w", encoding="utf-8") as file:
            json.dump(content, file, indent=1, ensure_ascii=True)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    return path


def warnings_of(facts: Facts) -> tuple[str, ...]:
    """Everything that a person should know, each once, in order."""
    found = [*facts.published.warnings]
    for item in facts.chunks:
        found += [f"chunk {item.chunk.index + 1}: {text}" for text in item.warnings]
    if facts.picture is None:
        found.append("no picture: the frames could not be read a second time")
    return tuple(dict.fromkeys(found))


def _content(facts: Facts) -> dict[str, Any]:
    clip, profile, mixed = facts.clip, facts.profile, facts.mixed
    kind = "sidecar" if profile.mix.mode == "sidecar" else "clip"
    return {
        "state": "done",
        "source": {"name": clip.path.name, "bytes": clip.size, "content": facts.content},
        "picture": {
            "seconds": _ms(clip.duration),
            "frames": clip.video.frame_count,
            "frame_rate": str(clip.video.frame_rate),
            "variable_rate": clip.video.variable_rate,
            "width": clip.video.width,
            "height": clip.video.height,
        },
        "files": {
            kind: str(facts.published.file),
            "report": str(report_path(facts.published.file)),
            "picture": str(facts.picture) if facts.picture else None,
        },
        "profile": {"name": profile.name, "mode": profile.mix.mode, "seed": profile.model.seed},
        "model": {"bundle": facts.bundle, "bank": profile.model.bank, "render_key": facts.render},
        "foley": {
            "samples": clip.n_samples,
            "sample_rate": SAMPLE_RATE,
            "lufs": _tenth(mixed.foley_lufs),
            "original_lufs": _tenth(mixed.original_lufs),
            "gain_db": _tenth(mixed.level.gain_db),
            "level": mixed.level.reason,
        },
        "sources": [
            {
                "name": one.name,
                "caption": one.caption,
                "start": _ms(one.start),
                "end": _ms(one.end),
                "count": one.count,
            }
            for one in sources(facts.chunks)
        ],
        "chunks": [_chunk(item) for item in facts.chunks],
        "credits": list(credits_of(facts.chunks)),
        "verified": list(facts.published.verified),
        "warnings": list(warnings_of(facts)),
        "versions": {
            "foley_daemon": __version__,
            "python": platform.python_version(),
            "ffmpeg": ffmpeg.version(),
        },
    }


def _chunk(item: SeenChunk) -> dict[str, Any]:
    """One chunk as JSON: seconds are of the clip, rounded to the millisecond."""
    return {
        "index": item.chunk.index,
        "start": _ms(item.chunk.start),
        "end": _ms(item.chunk.start + item.chunk.seconds),
        "seed": item.chunk.seed,
        "fit": round(item.fit, 4),
        "ambience": item.scene.ambience,
        "sources": [
            {
                "key": track.key,
                "label": track.label,
                "name": track.name,
                "caption": track.caption,
                "count": track.count,
                "start": _ms(when[0]),
                "end": _ms(when[1]),
            }
            for track in item.scene.tracks
            if (when := span(item, track)) is not None
        ],
        "sounds": [
            {
                "entry": pick.entry,
                "sound": pick.sound,
                "caption": pick.caption,
                "source": pick.track,
                "start": _ms(item.chunk.start + pick.start),
                "end": _ms(item.chunk.start + pick.end),
                "gain_db": round(pick.gain_db, 1),
                "licence": pick.licence,
                "credit": pick.credit,
            }
            for pick in item.picks
        ],
        "warnings": list(item.warnings),
    }


def _ms(seconds: Fraction) -> float:
    return round(float(seconds), 3)


def _tenth(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
