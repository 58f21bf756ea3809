"""What was seen and heard in a clip: takes without their samples, and what a person wants to know of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from foley_daemon.domain import Chunk
from ssv2a.types import Pick, Scene, Sighting, Take, Track

PRESENT = 0.5  # presence from which a track counts as there


@dataclass(frozen=True, slots=True)
class SeenChunk:
    """A take without its samples: all that reports and pictures need."""

    chunk: Chunk
    scene: Scene
    sightings: tuple[Sighting, ...]
    picks: tuple[Pick, ...]
    fit: float
    seconds_spent: Mapping[str, float]
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, chunk: Chunk, take: Take) -> SeenChunk:
        """Drop the waveform."""
        return cls(chunk, take.scene, take.sightings, take.picks, take.fit, take.seconds_spent, take.warnings)


@dataclass(frozen=True, slots=True)
class Seen:
    """One source over the whole clip, as a person would say it."""

    name: str
    caption: str | None
    start: Fraction  # seconds from the picture's first frame
    end: Fraction
    count: int


def sources(chunks: Iterable[SeenChunk]) -> tuple[Seen, ...]:
    """Join the tracks of all chunks by their keys, in order of appearance."""
    seen: dict[int, Seen] = {}
    for item in chunks:
        for track in item.scene.tracks:
            found = span(item, track)
            if found is None:
                continue
            old = seen.get(track.key)
            start = found[0] if old is None else min(old.start, found[0])
            end = found[1] if old is None else max(old.end, found[1])
            count = track.count if old is None else max(old.count, track.count)
            seen[track.key] = Seen(track.name, track.caption, start, end, count)
    return tuple(sorted(seen.values(), key=lambda one: (one.start, one.end, one.name)))


def credits_of(chunks: Iterable[SeenChunk]) -> tuple[dict[str, str], ...]:
    """Every recording and model that is heard, once, with its licence and credit line."""
    heard = {pick.entry: pick for item in chunks for pick in item.picks}
    return tuple(
        {"entry": entry, "caption": pick.caption, "licence": pick.licence, "credit": pick.credit}
        for entry, pick in sorted(heard.items())
    )


def span(item: SeenChunk, track: Track) -> tuple[Fraction, Fraction] | None:
    """From the first frame in which the track is there to the end of the last such frame."""
    there = [index for index, presence in enumerate(track.presence) if presence >= PRESENT]
    if not there:
        return None
    times = (*item.scene.times, item.scene.seconds)
    return item.chunk.start + times[there[0]], item.chunk.start + times[there[-1] + 1]
