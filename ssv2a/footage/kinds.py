"""Kinds of sound, and which of them one and the same source can be heard as."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from ssv2a.soundbank.vocabulary import vocabulary
from ssv2a.types import FloatArray

NEAREST = 6  # see `Hearing.rank`, and docs/data-build.md for what this many let through

WALKING = ("footsteps_hard", "footsteps_soft", "footsteps_gravel", "cloth_rustle")
# A source of one of these may be heard as any other of its row: the picture cannot tell.
_FAMILIES = (
    ("car_engine", "car_pass", "car_horn"),
    ("horse_neigh", "horse_hooves"),
    ("bird_song", "bird_call"),
    ("chicken_cluck", "rooster_crow"),
    ("boat_motor", "boat_water", "ship_horn"),
    ("train_pass", "train_horn"),
    ("typing", "mouse_click"),
    ("door", "knock"),
    WALKING,
)


def family(kind: str) -> tuple[str, ...]:
    """The kinds of sound that a source of this kind can be heard as, itself among them."""
    return next((row for row in _FAMILIES if kind in row), (kind,))


@dataclass(frozen=True, slots=True)
class Hearing:
    """How a sound compares with a source."""

    kind: str  # of those that the source can be heard as, the nearest to the sound
    rank: int  # kinds of other sources that lie nearer to the sound
    nearest: str  # the kind that lies nearest of all


@dataclass(frozen=True, slots=True)
class Kinds:
    """The kinds of sound that sources are compared with."""

    keys: tuple[str, ...]  # of the vocabulary
    claps: FloatArray  # [K, clap_dim], L2-normalised: what the bundle makes of their first captions
    labels: Mapping[str, tuple[str, ...]]  # those of a tagger that mean each; kinds without any: {}

    def of(self, caption: str | None, clap: FloatArray) -> str:
        """The kind that a caption names, or else the one nearest to a vector [clap_dim]."""
        for key in self.keys:
            if caption in vocabulary()[key].captions:
                return key
        return self.keys[int(np.argmax(self.claps @ clap))]

    def hear(self, kind: str, clap: FloatArray, labels: Collection[str] = ()) -> Hearing:
        """Compare a source of this kind with a sound [clap_dim].

        Args:
            kind: of the source.
            clap: of the sound.
            labels: a tagger's, of the sound; of the source's kinds those come first that they name.
        """
        likeness = dict(zip(self.keys, (self.claps @ clap).tolist(), strict=True))
        own = [key for key in family(kind) if key in likeness]
        named = [key for key in own if set(self.labels.get(key, ())) & set(labels)]
        heard = max(named or own, key=likeness.__getitem__)
        nearer = [key for key in self.keys if key not in own and likeness[key] > likeness[heard]]
        return Hearing(heard, len(nearer), max(self.keys, key=likeness.__getitem__))

    def names(self, kind: str) -> frozenset[str]:
        """The labels of a tagger that mean a source of this kind; empty where it has none."""
        return frozenset(label for key in family(kind) for label in self.labels.get(key, ()))
