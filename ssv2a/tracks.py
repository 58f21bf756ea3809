"""Sources followed from frame to frame, and on from chunk to chunk. Pure.

Every frame's sources are assigned to the live tracks by the Hungarian method (Kuhn 1955) on how near,
how alike in size and how alike in meaning they are; only what has one label or one sound may be the
same thing, or what fills the same box and means nearly the same. Over a cut only what looks and sounds
alike goes on, wherever it is then. A source may be missing for
`BRIDGED` frames and is still the same. Four or more things that sound alike become one track with a
count: a flock, a street of pedestrians.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from math import exp, hypot, log
from types import MappingProxyType

import numpy as np
from scipy.optimize import linear_sum_assignment

from ssv2a.types import SCENE, Box, FloatArray, Look, Source, Track

BRIDGED = 2  # frames in a row that a source may be missing
REACH = 0.35  # of the picture: how far from where it is expected a source may turn up
ALIKE = 0.8  # cosine from which two sources of other labels in the same box may be one thing
SAME_BOX = 0.5  # overlap that "the same box" means
MIN_LIKENESS = 0.15  # a pair below this is not one thing
HEARD = 0.25  # share of a track's votes from which its frames that sound speak for all
SURE = 0.6  # confidence from which a source of a single frame is believed
TELLING = 0.35  # confidence of a crop that overrules, from which it alone is believed in a clip
WEAK = 0.5  # confidence below which a source of two frames is not believed
FLEETING = 6  # frames of a chunk from which one or two are little
CROWD = 4  # things that sound alike, at once, that become one track

_Kind = tuple[str, str | None]  # label, caption


@dataclass(frozen=True, slots=True)
class Last:
    """Where a track was seen last."""

    key: int
    source: Source
    velocity: tuple[float, float]  # of the centre, in pictures per second
    time: Fraction
    missed: int = 0  # frames since


@dataclass(frozen=True, slots=True)
class Following:
    """What the next chunk needs to go on with the same tracks."""

    last: tuple[Last, ...] = ()
    next_key: int = 0
    crowds: Mapping[_Kind, int] = field(default_factory=lambda: MappingProxyType({}))  # key of each crowd


@dataclass(frozen=True, slots=True)
class Followed:
    """One source through the N frames of a chunk."""

    key: int
    label: str
    name: str
    caption: str | None  # None: silent
    clip: FloatArray  # [clip_dim], mean over its frames weighted by confidence, L2-normalised
    presence: FloatArray  # [N] 0 or 1: it is there and sounds (a silent one: is there); gaps are bridged
    centre_x: FloatArray  # [N] 0..1 (0 = left), where absent: the last known
    area: FloatArray  # [N] 0..1 of the picture, where absent: the last known
    count: int  # most such things at once

    def track(self, clap: FloatArray) -> Track:
        """The source with what it sounds like, [clap_dim]."""
        return Track(
            *(self.key, self.label, self.name, self.caption, clap),
            *(self.presence, self.centre_x, self.area, self.count),
        )


@dataclass(frozen=True, slots=True)
class Tracking:
    """The tracks of a chunk, and which source of which frame belongs to which."""

    tracks: tuple[Followed, ...]  # by key
    keys: tuple[tuple[int, ...], ...]  # [N][sources of that look]: the key of its track
    following: Following


_Seen = tuple[int, Source]  # frame, source


def follow(looks: Sequence[Look], previous: Following | None = None) -> Tracking:
    """Follow the sources of a chunk's looks, in order of time.

    The order of sources inside a look changes nothing but the order of that look's `keys`.
    """
    state = previous or Following()
    live, next_key = state.last, state.next_key
    keys: list[tuple[int, ...]] = []
    members: dict[int, list[_Seen]] = defaultdict(list)
    for frame, look in enumerate(looks):
        own, live, next_key = _step(look, live, next_key)
        keys.append(own)
        for key, source in zip(own, look.sources, strict=True):
            members[key].append((frame, source))
    merged, crowds, next_key = _crowds(members, state.crowds, next_key)
    groups: dict[int, list[int]] = defaultdict(list)
    for key in members:
        groups[merged.get(key, key)].append(key)
    old = {last.key for last in state.last} | set(state.crowds.values())
    tracks = tuple(
        _followed(key, [members[k] for k in groups[key]], len(looks), key in old) for key in sorted(groups)
    )
    final = tuple(tuple(merged.get(key, key) for key in own) for own in keys)
    return Tracking(tracks, final, Following(live, next_key, MappingProxyType(crowds)))


def _step(look: Look, live: Sequence[Last], next_key: int) -> tuple[tuple[int, ...], tuple[Last, ...], int]:
    """One frame: the key of each of its sources, the live tracks after it, the next free key."""
    order = sorted(range(len(look.sources)), key=lambda i: _rank(look.sources[i]))
    likeness = np.array(
        [[_likeness(last, look.sources[i], look) for i in order] for last in live], np.float64
    ).reshape(len(live), len(order))
    rows, columns = linear_sum_assignment(likeness, maximize=True)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    matched = {order[c]: live[r] for r, c in pairs if likeness[r, c] >= MIN_LIKENESS}
    keys: dict[int, int] = {}
    after: list[Last] = []
    for i in order:
        source, old = look.sources[i], matched.get(i)
        keys[i] = next_key if old is None else old.key
        next_key += old is None
        velocity = (0.0, 0.0) if old is None else _velocity(old, source, look.time)
        after.append(Last(keys[i], source, velocity, look.time))
    found = set(keys.values())
    after += [
        replace(last, missed=last.missed + 1)
        for last in live
        if last.key not in found and last.missed < BRIDGED
    ]
    return tuple(keys[i] for i in range(len(order))), tuple(sorted(after, key=lambda t: t.key)), next_key


def _rank(source: Source) -> tuple[float, float, float, float, str, str]:
    """An order of sources that does not depend on the order they come in."""
    box = source.box
    return box.left, box.top, box.right, box.bottom, source.label, source.name


def _likeness(last: Last, source: Source, look: Look) -> float:
    """How likely a source is the next of a track, 0..1; 0 where it cannot be."""
    old, seconds = last.source, float(look.time - last.time)
    expected = _moved(old.box, last.velocity[0] * seconds, last.velocity[1] * seconds)
    overlap = max(expected.overlap(source.box), old.box.overlap(source.box))
    far = min(_distance(expected, source.box), _distance(old.box, source.box))
    cosine = max(float(old.clip @ source.clip), 0.0)
    size = exp(-abs(log(max(old.box.area, 1e-6) / max(source.box.area, 1e-6))))
    alike = old.caption == source.caption
    if look.cut:
        return 0.5 * cosine + 0.5 * size if alike and old.label == source.label else 0.0
    if not _may_be(last, source, overlap, cosine) or (far > REACH and overlap == 0.0):
        return 0.0
    near = 1 - min(_distance(expected, source.box) / REACH, 1.0)
    return 0.4 * near + 0.3 * overlap + 0.15 * size + 0.1 * cosine + 0.05 * alike


def _may_be(last: Last, new: Source, overlap: float, cosine: float) -> bool:
    """Whether names, sounds and places allow a source to go on as another."""
    old = last.source
    if old.caption is not None and old.caption == new.caption:
        return True
    if old.label == new.label and old.name == new.name:
        return True
    unbroken = last.missed == 0 and overlap >= SAME_BOX
    return unbroken and (old.label == new.label or cosine >= ALIKE)


def _moved(box: Box, x: float, y: float) -> Box:
    return Box(box.left + x, box.top + y, box.right + x, box.bottom + y)


def _distance(first: Box, second: Box) -> float:
    return hypot(first.centre[0] - second.centre[0], first.centre[1] - second.centre[1])


def _velocity(last: Last, source: Source, time: Fraction) -> tuple[float, float]:
    """Of the centre since the track was seen last; as before where no time has passed."""
    seconds = float(time - last.time)
    if seconds <= 0:
        return last.velocity
    (old_x, old_y), (x, y) = last.source.box.centre, source.box.centre
    return (x - old_x) / seconds, (y - old_y) / seconds


def _crowds(
    members: Mapping[int, Sequence[_Seen]], previous: Mapping[_Kind, int], next_key: int
) -> tuple[dict[int, int], dict[_Kind, int], int]:
    """Tracks that become one: track → key of its crowd, the crowds, the next free key.

    A crowd of the chunk before stays one while two of it are left.
    """
    kinds: dict[_Kind, list[int]] = defaultdict(list)
    for key in sorted(members):
        label, _, caption = _names([source for _, source in members[key]])
        if caption is not None:
            kinds[label, caption].append(key)
    merged: dict[int, int] = {}
    crowds: dict[_Kind, int] = {}
    for kind, keys in kinds.items():
        if _most_at_once([members[key] for key in keys]) < (2 if kind in previous else CROWD):
            continue
        crowds[kind] = previous.get(kind, next_key)
        next_key += kind not in previous
        merged.update(dict.fromkeys(keys, crowds[kind]))
    return merged, crowds, next_key


def _most_at_once(tracks: Sequence[Sequence[_Seen]]) -> int:
    return max(Counter(frame for track in tracks for frame, _ in track).values())


def _names(sources: Sequence[Source]) -> tuple[str, str, str | None]:
    """Label, name and caption of a track: what most of its frames say, weighted by confidence.

    Frames in which it is silent (a person who stands) count only where nearly all are.
    """
    votes: dict[str | None, float] = defaultdict(float)
    for source in sources:
        votes[source.caption] += source.confidence
    sounding = {text: weight for text, weight in votes.items() if text is not None}
    caption = None
    if sum(sounding.values()) >= HEARD * sum(votes.values()):
        caption = max(sorted(sounding), key=lambda text: sounding[text])
    fitting = [source for source in sources if source.caption == caption] or sources
    best = max(fitting, key=lambda source: (source.confidence, source.label, source.name))
    return best.label, best.name, caption


def _followed(key: int, tracks: Sequence[Sequence[_Seen]], n_frames: int, goes_on: bool) -> Followed:
    """Several tracks as one; a single track is itself.

    One that sounds in a single frame is silent if it is weak, nothing but the whole picture's class, or what
    a crop alone says against the detector: of a thing that stays, other frames would say so too. So is one of
    two frames that is weaker yet, unless the last of them ends the chunk. What was there in the chunk before
    is exempt from both. Silent too is what only crops tell against the detector, none of them surely.
    """
    seen = sorted((pair for track in tracks for pair in track), key=lambda pair: (pair[0], _rank(pair[1])))
    label, name, caption = _names([source for _, source in seen])
    sounding = [(frame, source) for frame, source in seen if source.caption == caption]
    if n_frames >= FLEETING and _doubtful(label, sounding, n_frames, goes_on):
        caption = None
    mean = np.sum([source.clip * source.confidence for _, source in seen], axis=0)
    length = float(np.linalg.norm(mean))
    clip = mean / length if length > 1e-6 else seen[0][1].clip
    presence = np.zeros(n_frames, np.float32)
    for track in tracks:
        presence[_bridged([n for n, source in track if source.caption or caption is None])] = 1.0
    centre_x, area = _place(seen, n_frames)
    count = _most_at_once(tracks)
    return Followed(key, label, name, caption, np.asarray(clip, np.float32), presence, centre_x, area, count)


def _doubtful(label: str, sounding: Sequence[_Seen], n_frames: int, goes_on: bool) -> bool:
    """Whether the frames in which a source sounds are too few, or too unsure, for a clip."""
    frames = {frame for frame, _ in sounding}
    surest = max(source.confidence for _, source in sounding)
    against = all(_overruled(source) for _, source in sounding)
    if against and surest < TELLING:
        return True
    if len(frames) == 1 and not goes_on:
        return label == SCENE or surest < SURE or against
    ended = not goes_on and max(frames) < n_frames - 1
    return len(frames) == 2 and ended and surest < WEAK


def _overruled(source: Source) -> bool:
    return source.reasons is not None and source.reasons.decision == "overruled"


def _bridged(frames: Sequence[int]) -> list[int]:
    """The frames of a track and its gaps."""
    present = list(frames)
    for before, after in pairwise(frames):
        if after - before <= BRIDGED + 1:
            present += range(before + 1, after)
    return present


def _place(seen: Sequence[_Seen], n_frames: int) -> tuple[FloatArray, FloatArray]:
    """Centre (mean weighted by area) and area (sum) per frame [N], held where nothing is seen."""
    centre_x, area = np.full(n_frames, np.nan, np.float32), np.full(n_frames, np.nan, np.float32)
    for frame in sorted({frame for frame, _ in seen}):
        boxes = [source.box for at, source in seen if at == frame]
        sizes = np.array([box.area for box in boxes]) + 1e-9
        centre_x[frame] = np.average([box.centre[0] for box in boxes], weights=sizes)
        area[frame] = min(float(sizes.sum()), 1.0)
    known = np.flatnonzero(~np.isnan(centre_x))
    held = known[np.maximum(np.searchsorted(known, np.arange(n_frames), side="right") - 1, 0)]
    return np.clip(centre_x[held], 0, 1), area[held]
