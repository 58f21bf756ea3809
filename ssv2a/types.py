"""Frozen types that flow through the library. Arrays are numpy; torch stays inside the networks.

    Frames → Region (detector) → Source (seen → heard) → slots [64, clip_dim] → CLAP [clap_dim]
           → Scene (target + tracks) → Take (waveform + what is heard)

Seconds are `Fraction`, counted from the picture's first frame. Vectors called "CLAP" or "CLIP"
are L2-normalised. Waveforms are [channels, samples] float32, full scale ±1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
ByteArray = NDArray[np.uint8]

SAMPLE_RATE = 48_000  # Hz, of every waveform the package hands out
MAX_SLOTS = 64  # slot 0 is the whole image, 1..63 are sources (SSV2A)
SCENE = "scene"  # the label of sources that are the whole picture
SOUND = "sound"  # the label of sources that are given as sound

Kind = Literal["texture", "event"]
Split = Literal["train", "val"]  # what is learned from, what is held out
Decision = Literal["detector", "confirmed", "kept", "overruled", "doubted", "picture"]


@dataclass(frozen=True, slots=True)
class Added:
    """A source that is given, not seen: exactly one of text, image and audio."""

    text: str | None = None
    image: Path | None = None
    audio: Path | None = None


@dataclass(frozen=True, slots=True)
class Composition:
    """Sources given by hand, 1 to 63 in all; equal ones are sources of their own."""

    images: tuple[ByteArray, ...] = ()  # each [height, width, 3] RGB
    texts: tuple[str, ...] = ()
    sounds: tuple[FloatArray, ...] = ()  # each [channels, n_samples], SAMPLE_RATE
    names: tuple[str, ...] = ()  # what the sources are called, in this order; (): by kind and number

    def __len__(self) -> int:
        return len(self.images) + len(self.texts) + len(self.sounds)


@dataclass(frozen=True, slots=True)
class VideoSettings:
    """How one clip is seen and heard; the same values and seed give the same samples."""

    var_samples: int = 64  # draws averaged per vector (SSV2A's var_samples)
    cycle_its: int = 64  # rounds of Cycle Mix after the first
    cycle_samples: int = 64  # remixed CLAPs per round
    candidates: int = 3  # renderings per chunk, the one nearest the target is kept
    min_confidence: float | None = None  # of a detection, 0..1; None: the bundle's own
    max_sources: int = 16  # per frame, 1..63
    mute: frozenset[str] = frozenset()  # labels, names or sounds that must not sound
    add: tuple[Added, ...] = ()  # what always sounds, seen or not
    synthesis: Mapping[str, Any] = field(default_factory=dict)  # the synthesiser's own settings


@dataclass(frozen=True, slots=True)
class Frames:
    """Decoded frames of one clip, upright as shown."""

    images: ByteArray  # [N, height, width, 3] RGB
    times: tuple[Fraction, ...]  # N, seconds: presentation time of each frame that was decoded

    def __len__(self) -> int:
        return len(self.times)


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in a picture, in fractions of its width and height (0..1)."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def area(self) -> float:
        """Share of the picture that the box covers, 0..1."""
        return max(0.0, self.right - self.left) * max(0.0, self.bottom - self.top)

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y) of the middle, 0..1."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def overlap(self, other: Box) -> float:
        """Intersection over union, 0..1."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        if width <= 0 or height <= 0:
            return 0.0
        shared = width * height
        return shared / (self.area + other.area - shared)

    def share_within(self, other: Box) -> float:
        """Share of this box that lies in the other, 0..1."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(width, 0.0) * max(height, 0.0) / max(self.area, 1e-12)

    def share_covered(self, others: Sequence[Box]) -> float:
        """Share of this box that lies in any of the others, 0..1."""
        xs = sorted({self.left, self.right, *(x for o in others for x in (o.left, o.right))})
        ys = sorted({self.top, self.bottom, *(y for o in others for y in (o.top, o.bottom))})
        cells = [Box(x0, y0, x1, y1) for x0, x1 in pairwise(xs) for y0, y1 in pairwise(ys)]
        covered = (c.area for c in cells if c._inside(self) and any(c._inside(other) for other in others))
        return sum(covered) / max(self.area, 1e-12)

    def _inside(self, other: Box) -> bool:
        return (
            other.left <= self.left
            and self.right <= other.right
            and other.top <= self.top
            and self.bottom <= other.bottom
        )


WHOLE_PICTURE = Box(0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Region:
    """What a detector found in one frame."""

    box: Box
    label: str  # the detector's class name
    confidence: float  # 0..1


@dataclass(frozen=True, slots=True)
class Reasons:
    """Why a source has its name, and what its vector is made of."""

    decision: Decision  # of label and crop, who gave the name; "detector": no crop was asked
    classes: tuple[tuple[str, float], ...]  # the classifier's likeliest names, with their probabilities
    weights: tuple[tuple[str, float], ...]  # texts whose vectors were summed, with their shares (sum: 1)


@dataclass(frozen=True, slots=True)
class Source:
    """One possible sound source of one frame, after crop and label were weighed together."""

    box: Box
    label: str  # the detector's name; "scene" for the whole image
    name: str  # the name that won (the classifier's or the detector's)
    caption: str | None  # what such a thing sounds like; None: it is silent
    confidence: float  # 0..1
    clip: FloatArray  # [clip_dim], L2-normalised
    reasons: Reasons | None = None  # None: its vector is the image encoder's own


@dataclass(frozen=True, slots=True)
class Look:
    """What is seen in one frame."""

    time: Fraction  # seconds from the picture's first frame
    scene: Source  # the whole picture; its caption is the ambience
    ambience: str | None  # caption; None: nothing recognised
    sources: tuple[Source, ...]  # the surest first; a caption of None is silent, for the picture only
    reused: bool  # nothing had changed: the look before it, again
    cut: bool  # the first of another shot than the look before it; never a chunk's first look


@dataclass(frozen=True, slots=True)
class Track:
    """One source followed through the frames of a chunk."""

    key: int  # stable over chunks: the same source keeps its key while it goes on
    label: str
    name: str
    caption: str | None
    clap: FloatArray  # [clap_dim], mean over its frames, L2-normalised
    presence: FloatArray  # [N] 0..1, per frame
    centre_x: FloatArray  # [N] 0..1 (0 = left), where absent: the last known
    area: FloatArray  # [N] 0..1, share of the picture
    count: int = 1  # how many such things at once (at most, over the frames)


@dataclass(frozen=True, slots=True)
class Scene:
    """What a synthesiser gets for one chunk. Latent diffusion uses the target alone."""

    seconds: Fraction
    times: tuple[Fraction, ...]  # N frame times, from the chunk's start
    target: FloatArray  # [clap_dim], the aggregated CLAP
    tracks: tuple[Track, ...]
    ambience: str | None  # caption of the scene's ambience; None: nothing recognised


@dataclass(frozen=True, slots=True)
class Pick:
    """One entry of a bank that is heard in a take, and when: lines of the cue sheet."""

    entry: str  # id of the bank's entry
    sound: str  # key of the vocabulary
    caption: str
    kind: Kind
    track: int | None  # Track.key; None: belongs to the scene
    heard: tuple[tuple[Fraction, Fraction], ...]  # each time, from when to when: seconds in the chunk
    gain_db: float
    licence: str
    credit: str

    @property
    def start(self) -> Fraction:
        """Seconds in the chunk, where it is first heard."""
        return self.heard[0][0]

    @property
    def end(self) -> Fraction:
        """Seconds in the chunk, where it is last heard."""
        return max(last for _, last in self.heard)


@dataclass(frozen=True, slots=True)
class Continuity:
    """What the next chunk needs to go on with the same sounds: opaque to all but its synthesiser."""

    state: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SoundRequest:
    """What a synthesiser is asked for: the sound of one scene."""

    scene: Scene
    n_samples: int  # of the result, SAMPLE_RATE
    seed: int  # of every draw; the same request gives the same samples, whatever else is asked with it
    candidates: int = 3  # renderings tried; the one whose own CLAP lies nearest the target is kept
    previous: Continuity | None = None  # of the chunk before
    settings: Mapping[str, Any] = field(default_factory=dict)  # the synthesiser's own
    stems: bool = False  # a waveform for each track as well


@dataclass(frozen=True, slots=True)
class Rendering:
    """What a synthesiser hands back for one scene."""

    waveform: FloatArray  # [channels, n_samples], SAMPLE_RATE
    picks: tuple[Pick, ...]
    fit: float  # cosine of the rendering's own CLAP with the target
    continuity: Continuity = Continuity()
    warnings: tuple[str, ...] = ()
    stems: Mapping[int, FloatArray] = field(default_factory=dict)  # Track.key → [channels, n_samples]


@dataclass(frozen=True, slots=True)
class Sighting:
    """A source in one frame, as reports and pictures show it."""

    time: Fraction  # seconds from the picture's first frame
    box: Box
    label: str
    name: str
    caption: str | None
    confidence: float
    track: int | None  # Track.key


@dataclass(frozen=True, slots=True)
class Take:
    """One chunk, seen and heard."""

    waveform: FloatArray  # [channels, n_samples], SAMPLE_RATE
    scene: Scene
    sightings: tuple[Sighting, ...]
    picks: tuple[Pick, ...]
    fit: float  # cosine of the take's own CLAP with the target
    seconds_spent: Mapping[str, float]  # stage name → wall seconds
    warnings: tuple[str, ...] = ()
    stems: Mapping[int, FloatArray] = field(default_factory=dict)  # Track.key → [channels, n_samples]
    looks: tuple[Look, ...] = ()  # one a frame; their sources are the sightings, in the same order

    def with_stage(self, stage: str, seconds: float) -> Take:
        """Return the same take with one more stage in `seconds_spent`."""
        return replace(self, seconds_spent={stage: seconds, **self.seconds_spent})
