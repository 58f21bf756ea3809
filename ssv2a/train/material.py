"""What fine-tuning learns from: frames and stretches of a user's own clips, as arrays, and rehearsals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from operator import itemgetter
from typing import TypeVar

import numpy as np

from ssv2a.errors import TrainingError
from ssv2a.footage.clips import View
from ssv2a.train.sources import noisy, unit
from ssv2a.types import FloatArray, Split

MOST_STRETCHES = 4000  # of a data set that are learned from: about eleven hours
_MOST_KINDS = 4  # of a rehearsed image
_FADED = 0.1  # the least share in which a rehearsed kind sounds

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stretches:
    """Stretches of clips on one side of the split."""

    slots: tuple[FloatArray, ...]  # of each [F, S, clip_dim], slot 0 the whole picture; half precision
    claps: tuple[FloatArray, ...]  # of each [F, clap_dim], of the sound around each frame
    usable: tuple[FloatArray, ...]  # of each [F], 1 where a source is seen and something is heard
    wholes: FloatArray  # [N, clap_dim], of each stretch's sound

    def __len__(self) -> int:
        return len(self.slots)

    @property
    def frames(self) -> tuple[tuple[int, int], ...]:
        """(stretch, frame) of everything that the remixer can learn from."""
        return tuple(
            (row, frame)
            for row, usable in enumerate(self.usable)
            for frame in np.flatnonzero(usable).tolist()
        )

    def images(self, frames: Iterable[tuple[int, int]], width: int) -> tuple[FloatArray, FloatArray]:
        """Slots [B, width, clip_dim], the last empty, and CLAPs [B, clap_dim] of some frames."""
        rows = tuple(frames)
        clips = np.zeros((len(rows), width, self.slots[0].shape[-1]), np.float32)
        for place, (row, frame) in enumerate(rows):
            found = self.slots[row][frame, : width - 1]
            clips[place, : len(found)] = found
        return clips, np.stack([self.claps[row][frame] for row, frame in rows]).astype(np.float32)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """One stretch, as `Stretches` has it."""

    side: Split
    slots: FloatArray
    claps: FloatArray
    usable: FloatArray
    whole: FloatArray


def collect(views: Iterable[tuple[Split, View]], seed: int) -> dict[Split, Stretches]:
    """The stretches of both sides; of more than MOST_STRETCHES an even draw.

    Args:
        views: read one by one; none is held, and never more than MOST_STRETCHES of what is taken from them.
        seed: of the draw.

    Raises:
        TrainingError: a side has no frame in which a source is seen and something is heard.
    """
    rng = np.random.default_rng(seed)
    kept = _thinned((_stretch(side, view) for side, view in views), MOST_STRETCHES, rng)
    sides: dict[Split, Stretches] = {}
    for side in ("train", "val"):
        own = [stretch for stretch in kept if stretch.side == side]
        if not any(stretch.usable.any() for stretch in own):
            raise TrainingError(
                f"no {'clip to learn from' if side == 'train' else 'clip to hold out'} in which a source of "
                "sound is seen and something is heard; expected two clips with their own sound at least, "
                "better dozens. Look into the folder."
            )
        sides[side] = Stretches(
            slots=tuple(stretch.slots for stretch in own),
            claps=tuple(stretch.claps for stretch in own),
            usable=tuple(stretch.usable for stretch in own),
            wholes=np.stack([stretch.whole for stretch in own]),
        )
    return sides


def _stretch(side: Split, view: View) -> _Stretch:
    """What is learned from of a stretch.

    The whole picture, slot 0, is always seen; a frame is usable where another slot is filled and something is
    heard.
    """
    seen = view.slots[:, 1:].any(axis=(1, 2))
    usable = np.asarray(seen & np.array(view.audible), np.float32)
    return _Stretch(side, view.slots.astype(np.float16), view.claps.astype(np.float16), usable, view.clap)


def _thinned(rows: Iterable[T], most: int, rng: np.random.Generator) -> list[T]:
    """An even draw of `most` rows at most, in their order (algorithm R, Vitter 1985)."""
    kept: list[tuple[int, T]] = []
    for number, row in enumerate(rows):
        if number < most:
            kept.append((number, row))
        elif (place := int(rng.integers(number + 1))) < most:
            kept[place] = (number, row)
    return [row for _, row in sorted(kept, key=itemgetter(0))]


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Images of the known kinds of sound, so that tuning does not forget them (Li & Hoiem 2016).

    What the networks should make of them is what they made of them before.
    """

    clips: FloatArray  # [V, clip_dim], captions of the vocabulary as the bundle's texts see them
    claps: FloatArray  # [V, clap_dim], what each alone sounds like

    def images(self, count: int, width: int, rng: np.random.Generator) -> FloatArray:
        """Slots [count, width, clip_dim] of one to four kinds, slot 0 a noisy view of the whole."""
        clips = np.zeros((count, width, self.clips.shape[-1]), np.float32)
        for image in clips:
            kinds = int(rng.integers(1, min(_MOST_KINDS, width - 2) + 1))
            own = self.clips[rng.choice(len(self.clips), kinds, replace=False)]
            image[1 : 1 + kinds] = unit(noisy(own, rng.uniform(0, 0.35), rng))
            image[0] = unit(noisy(rng.dirichlet(np.ones(kinds)) @ own, rng.uniform(0.1, 1.0), rng))
        return clips

    def sequences(self, count: int, length: int, rng: np.random.Generator) -> FloatArray:
        """Frame CLAPs [count, length, clap_dim] of one to four kinds that come and go."""
        frames = np.zeros((count, length, self.claps.shape[-1]), np.float32)
        for clip in frames:
            kinds = int(rng.integers(1, _MOST_KINDS + 1))
            own = self.claps[rng.choice(len(self.claps), kinds, replace=False)]
            there = rng.random((length, len(own))) < rng.uniform(0.3, 1.0, len(own))
            clip[:] = unit(noisy(unit((there + _FADED) @ own), rng.uniform(0.05, 0.6), rng))
        return frames
