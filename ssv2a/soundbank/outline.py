"""A recording's level over time, and what follows from it: texture or event, and where its takes lie.

Levels are read block by block, so that a recording of an hour takes no more memory than one of a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ssv2a.soundbank.recordings import clean
from ssv2a.types import FloatArray, Kind

HOP = 0.01  # seconds of one level
MOST_TAKES = 32  # of a file
_SILENCE_DB = -60.0  # of full scale: a recording whose loudest hop lies below is silent
SHORTEST_TEXTURE = 2.5  # seconds
_TEXTURE_SPREAD_DB = 20.0  # between the levels of half-seconds that a texture stays within
_TEXTURE_SHARE = 0.8  # of its time that a texture is heard
_HEARD_DB = 20.0  # below its loud hops: what is softer is not heard
_TEXTURE_SWELL_DB = 12.0  # between its thirds
_GAP = 0.15  # seconds of silence that part two takes
_SHORTEST_TAKE = 0.04  # seconds
_LONGEST_TAKE = 20.0  # seconds
_BEFORE, _AFTER = 0.01, 0.06  # seconds kept around a take
_BELOW_LOUDEST_DB = 22.0  # a take whose peak lies so far below the loudest is a noise between them
_DEPTH_DB, _ABOVE_FLOOR_DB = 34.0, 9.0  # where silence begins: below the peak, above the background


@dataclass(frozen=True, slots=True)
class Outline:
    """Level of a recording over time."""

    levels_db: FloatArray  # [hops] of the loudest channel, dB of full scale, floor −100
    hop: float  # seconds of one level: HOP, rounded to whole samples
    seconds: float
    peak: float  # of all samples, full scale 1

    @property
    def silent(self) -> bool:
        """Whether nothing is heard in it."""
        return self.levels_db.size == 0 or float(self.levels_db.max()) < _SILENCE_DB


def outline(blocks: Iterable[FloatArray], rate: int) -> Outline:
    """Measure blocks [channels, n] at `rate` Hz, one after the other."""
    hop = max(1, round(rate * HOP))
    powers: list[FloatArray] = []
    rest = np.zeros((0, 0), np.float32)
    count, peak = 0, 0.0
    for block in blocks:
        samples = clean(block)
        count += samples.shape[1]
        peak = max(peak, float(np.abs(samples).max(initial=0.0)))
        joined = np.concatenate([rest, samples], axis=1) if rest.size else samples
        whole = joined.shape[1] // hop
        powers.append(_powers(joined[:, : whole * hop], hop))
        rest = joined[:, whole * hop :]
    if rest.size:
        powers.append(np.square(rest).mean(axis=1).max(keepdims=True))
    power = np.concatenate(powers) if powers else np.zeros(0, np.float32)
    levels = np.asarray(10 * np.log10(np.maximum(power, 1e-10)), np.float32)
    return Outline(levels, hop / rate, count / rate, peak)


def _powers(whole: FloatArray, hop: int) -> FloatArray:
    squares = np.square(whole).reshape(whole.shape[0], -1, hop).mean(axis=2)
    return np.asarray(squares.max(axis=0), np.float32)


def kind_of(measured: Outline) -> Kind:
    """Whether a recording goes on evenly, so that it can be played without end, or happens and is over.

    A texture is heard nearly all the time, its half-seconds are about equally loud, and its beginning, middle
    and end are.
    """
    levels = _trimmed(measured.levels_db)
    if len(levels) * HOP < SHORTEST_TEXTURE:
        return "event"
    halves = _smoothed(levels, 0.5)
    low, high = np.percentile(halves, (8, 95))
    thirds = [10 * np.log10(np.mean(10 ** (part / 10))) for part in np.array_split(levels, 3)]
    heard = float(np.mean(levels > np.percentile(levels, 95) - _HEARD_DB))
    even = high - low < _TEXTURE_SPREAD_DB and max(thirds) - min(thirds) < _TEXTURE_SWELL_DB
    return "texture" if even and heard >= _TEXTURE_SHARE else "event"


def takes_of(measured: Outline) -> tuple[tuple[float, float], ...]:
    """Where one after the other is heard: (first second, last second), with silence between them.

    Clicks are takes only where there is nothing longer; of what is not silent there is one take or more.
    """
    levels, hop = measured.levels_db, measured.hop
    peak = float(levels.max(initial=-100.0))
    spans = [
        (first, last)
        for first, last in _joined(_runs(levels > _threshold(levels)), round(_GAP / hop))
        if levels[first:last].max() >= peak - _BELOW_LOUDEST_DB
    ]
    spans = [(first, last) for first, last in spans if (last - first) * hop >= _SHORTEST_TAKE] or spans
    ends = [*(first for first, _ in spans[1:]), len(levels)]
    takes = []
    for (first, last), following in zip(spans, ends, strict=False):
        start = max(0.0, first * hop - _BEFORE)
        end = min(last * hop + _AFTER, following * hop, measured.seconds, start + _LONGEST_TAKE)
        takes.append((round(start, 3), round(end, 3)))
    return tuple(takes[:MOST_TAKES])


def pauses_of(takes: tuple[tuple[float, float], ...]) -> tuple[float, float] | None:
    """The silence between takes, seconds: a low and a high one of those that occur; None: too few takes."""
    if len(takes) < 3:
        return None
    gaps = [after[0] - before[1] for before, after in pairwise(takes)]
    low, high = np.percentile(gaps, (20, 80))
    return round(max(0.05, float(low)), 3), round(min(4.0, max(0.05, float(high))), 3)


def _threshold(levels: FloatArray) -> float:
    """The level below which silence lies, dB."""
    if not levels.size:
        return 0.0
    background = float(np.percentile(levels, 10))
    peak = float(levels.max())
    return max(peak - _DEPTH_DB, min(background + _ABOVE_FLOOR_DB, peak - 12.0))


def _trimmed(levels: FloatArray) -> FloatArray:
    """Without the silence at both ends."""
    loud = np.flatnonzero(levels > levels.max(initial=-100.0) - _DEPTH_DB)
    return levels[loud[0] : loud[-1] + 1] if loud.size else levels[:0]


def _smoothed(levels: FloatArray, seconds: float) -> FloatArray:
    """Mean power of pieces of that length, dB."""
    size = max(1, round(seconds / HOP))
    count = max(1, len(levels) // size)
    power = 10 ** (levels[: count * size] / 10)
    return np.asarray(10 * np.log10([part.mean() for part in np.array_split(power, count)]), np.float32)


def _runs(loud: np.ndarray) -> Iterator[tuple[int, int]]:  # type: ignore[type-arg]
    edges = np.flatnonzero(np.diff(np.concatenate([[0], loud.astype(np.int8), [0]])))
    return ((int(first), int(last)) for first, last in edges.reshape(-1, 2))


def _joined(runs: Iterable[tuple[int, int]], gap: int) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for first, last in runs:
        if joined and first - joined[-1][1] < gap:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return joined
