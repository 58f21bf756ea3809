"""The report of one clip: what was seen, what sounds, where it lies, what was verified.

`{name}.foley.json` lies beside every output. Seconds count from the picture's first frame.
"""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from foley_daemon import __version__
from foley_daemon.cue_sheet import cues_of_clip
from foley_daemon.domain import SAMPLE_RATE, Probe
from foley_daemon.findings import SeenChunk, credits_of, sources, span
from foley_daemon.mux import Published
from foley_daemon.place import cues_path, picture_path, report_path
from foley_daemon.profile import Profile
from foley_daemon.progress import Stopwatch
from foley_daemon.rendering import Mixed, Rendered
from ssv2a.cue_sheet import FREE_BANK, cue_sheet
from ssv2a.media import ffmpeg

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a report tells of the work, before its result has a name."""

    clip: Probe
    profile: Profile
    content: str
    bundle: str
    render: str
    rendered: Rendered
    mixed: Mixed
    picture: bytes | None  # PNG


def companions(facts: Facts, published: Published, watch: Stopwatch) -> dict[Path, bytes]:
    """What lies beside an output: the report, and the picture where there is one."""
    files = {report_path(published.file): _report(facts, published, watch)}
    if facts.picture is not None:
        files[picture_path(published.file)] = facts.picture
    if has_cues(facts):
        sheet = cue_sheet(cues_of_clip(facts.rendered.chunks), facts.profile.model.bank)
        files[cues_path(published.file)] = sheet
    return files


def has_cues(facts: Facts) -> bool:
    """Whether somebody will ask which sounds were used: always, but with the free bank."""
    return facts.profile.model.bank != FREE_BANK and any(item.picks for item in facts.rendered.chunks)


def warnings_of(facts: Facts, published: Published) -> tuple[str, ...]:
    """Everything that a person should know, each once, in order."""
    found = [*published.warnings, *facts.mixed.warnings]
    for item in facts.rendered.chunks:
        found += [f"chunk {item.chunk.index + 1}: {text}" for text in item.warnings]
    if facts.picture is None:
        found.append("no picture: the frames could not be read a second time")
    return tuple(dict.fromkeys(found))


def _report(facts: Facts, published: Published, watch: Stopwatch) -> bytes:
    content = {
        "format": FORMAT,
        **_content(facts, published),
        "seconds": {stage: round(value, 3) for stage, value in watch.seconds.items()},
        "total_seconds": round(watch.total, 2),
    }
    return (json.dumps(content, indent=1, ensure_ascii=True) + "\n").encode()


def _content(facts: Facts, published: Published) -> dict[str, Any]:
    clip, profile, mixed, chunks = facts.clip, facts.profile, facts.mixed, facts.rendered.chunks
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
            kind: str(published.file),
            "report": str(report_path(published.file)),
            "picture": None if facts.picture is None else str(picture_path(published.file)),
            "cues": str(cues_path(published.file)) if has_cues(facts) else None,
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
            for one in sources(chunks)
        ],
        "chunks": [_chunk(item) for item in chunks],
        "credits": list(credits_of(chunks)),
        "verified": list(published.verified),
        "warnings": list(warnings_of(facts, published)),
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
                "heard": [
                    [_ms(item.chunk.start + first), _ms(item.chunk.start + last)]
                    for first, last in pick.heard
                ],
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
