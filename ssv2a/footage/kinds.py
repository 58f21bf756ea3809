"""Kinds of sound, and which of them one and the same source can be heard as."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from ssv2a.evaluate.material import heard_as
from ssv2a.soundbank.vocabulary import vocabulary
from ssv2a.types import FloatArray

if TYPE_CHECKING:
    from ssv2a.chain import Chain

NEAREST = 6  # a source is heard if its rank is lower; docs/data-build.md tells what that lets through

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


def load_kinds(chain: Chain) -> Kinds:
    """Every kind of the vocabulary, as a bundle's own texts and networks take it."""
    rows = vocabulary()
    texts = chain.texts.get().embed([row.captions[0] for row in rows.values()], seed=0)
    networks = chain.networks.get()
    with torch.inference_mode():
        claps = networks.source_claps(
            torch.from_numpy(texts).to(networks.device), generator=torch.Generator().manual_seed(0)
        )
    return Kinds(tuple(rows), claps.float().cpu().numpy(), heard_as())
