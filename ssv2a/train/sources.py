"""Sources to train on in place of pictures: what an eye would report of a sound, and the sound's CLAP.

A clip vector of mini is a weighted sum of captions (ConSE). Such sums are made here from the captions of
the vocabulary, of the recordings and of the names that the eye knows, with the eye's faults: other words,
confusions with sounds of like captions, things that are silent, and noise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ssv2a.embed.clap import MiniClap
from ssv2a.embed.minilm import MiniLm
from ssv2a.heard import Heard, HeardTable
from ssv2a.soundbank.vocabulary import vocabulary
from ssv2a.train.vectors import ClapVectors
from ssv2a.types import FloatArray, Split

PHRASES = (
    *("{}", "the sound of {}", "{} nearby", "{} in the distance", "a scene with {}"),
    *("{} in the garden", "{} on a street", "{} in a room"),
)
HELD_OUT_PHRASE = "a recording of {}"
HELD_OUT_SHARE = 8  # every eighth name of a sound is held out
NEIGHBOURS = 8  # sounds of the likest captions, which an eye may confuse
CANONICAL_SHARE = 0.4  # of the texts drawn: the canonical caption, which the eye's table mostly gives


@dataclass(frozen=True, slots=True)
class Source:
    """One kind of sound: how it is named, and what it sounds like. Rows are L2-normalised."""

    key: str  # of the vocabulary
    gain: float  # amplitude in a mixture
    recorded: bool  # False: there is no audio of it, and its CLAP vectors are those of its captions
    texts: Mapping[Split, FloatArray]  # [k, 384]; the first to train on is the canonical caption
    claps: Mapping[Split, FloatArray]  # [m, 256]

    @property
    def centroid(self) -> FloatArray:
        """[256], the mean direction of the sounds to train on."""
        return unit(self.claps["train"].mean(axis=0))


@dataclass(frozen=True, slots=True)
class SourceBook:
    """All kinds of sound there are to train on."""

    sources: tuple[Source, ...]
    neighbours: NDArray[np.int64]  # [C, ≤NEIGHBOURS] indices of sources with like captions
    silent: FloatArray  # [s, 384] names of things without a sound

    @property
    def centroids(self) -> FloatArray:
        """[C, 256]."""
        return np.stack([source.centroid for source in self.sources])

    def draw_clip(self, index: int, split: Split, rng: np.random.Generator) -> FloatArray:
        """What an eye might report of source `index`: a noisy sum of captions [384], L2-normalised."""
        source = self.sources[index]
        parts = [_draw_texts(source.texts[split], rng)]
        if rng.random() < 0.5:
            confused = rng.choice(self.neighbours[index], rng.integers(1, 4))
            mass = rng.uniform(0.05, 0.5) / len(confused)
            parts += [mass * _draw_texts(self.sources[other].texts["train"], rng) for other in confused]
        if len(self.silent) and rng.random() < 0.3:
            parts.append(rng.uniform(0.05, 0.4) * self.silent[rng.integers(len(self.silent))])
        return unit(noisy(unit(np.sum(parts, axis=0)), rng.uniform(0, 0.35), rng))

    def draw_clap(self, index: int, split: Split, rng: np.random.Generator) -> FloatArray:
        """The CLAP vector [256] of one sound of source `index`."""
        claps = self.sources[index].claps[split]
        drawn: FloatArray = claps[rng.integers(len(claps))]
        return drawn

    def ranks(self, claps: FloatArray, indices: Sequence[int]) -> NDArray[np.int64]:
        """Place of source `indices[i]` among all, by cosine of its centroid with `claps[i]`; 0 is nearest."""
        scores = claps @ self.centroids.T
        own = scores[np.arange(len(claps)), indices]
        return np.asarray((scores > own[:, None]).sum(axis=1), np.int64)


@dataclass(frozen=True, slots=True)
class Mixture:
    """Some different sources that sound together."""

    indices: tuple[int, ...]
    claps: FloatArray  # [k, 256]
    gains: FloatArray  # [k] amplitudes

    def clap(self, presence: FloatArray | None = None) -> FloatArray:
        """The level-weighted, normalised sum [256]; `presence` [k] multiplies the gains."""
        gains = self.gains if presence is None else self.gains * presence
        return unit(gains @ self.claps)


def draw_mixture(book: SourceBook, count: int, split: Split, rng: np.random.Generator) -> Mixture:
    """`count` different sources, each with one of its sounds."""
    indices = tuple(rng.choice(len(book.sources), min(count, len(book.sources)), replace=False).tolist())
    return Mixture(
        indices,
        np.stack([book.draw_clap(index, split, rng) for index in indices]),
        np.array([book.sources[index].gain for index in indices], np.float32),
    )


def build_book(vectors: ClapVectors, text: MiniLm, clap: MiniClap, heard: HeardTable) -> SourceBook:
    """Collect captions and CLAP vectors of every kind of sound of the vocabulary.

    Args:
        vectors: CLAP vectors of the training sounds.
        text: the sentence encoder.
        clap: gives the vectors of sounds of which there is no audio, from their captions.
        heard: names of things and the sounds they make.
    """
    sources = tuple(_source(key, vectors, text, clap, heard) for key in vocabulary())
    canonical = np.stack([source.texts["train"][0] for source in sources])
    likeness = canonical @ canonical.T
    np.fill_diagonal(likeness, -1)
    silent = sorted({name.name for name in _names(heard) if name.sound is None and name.moving is None})
    return SourceBook(
        sources, np.argsort(-likeness, axis=1, kind="stable")[:, :NEIGHBOURS], text.embed(silent)
    )


def _source(key: str, vectors: ClapVectors, text: MiniLm, clap: MiniClap, heard: HeardTable) -> Source:
    sound = vocabulary()[key]
    rows: dict[Split, list[int]] = {"train": [], "val": []}
    for row, name in enumerate(vectors.sounds):
        if name == key:
            rows[vectors.splits[row]].append(row)
    learned, held_out = _captions(key, vectors, rows, heard)
    claps = vectors.clap[rows["train"]] if rows["train"] else clap.text(text.embed(sound.captions))
    return Source(
        key=key,
        gain=10 ** (sound.level_db / 240),  # a twelfth of its level in dB: soft sounds stay to be found
        recorded=bool(rows["train"]),
        texts={"train": text.embed(learned), "val": text.embed(held_out)},
        claps={"train": claps, "val": vectors.clap[rows["val"]] if rows["val"] else claps},
    )


def _captions(
    key: str, vectors: ClapVectors, rows: Mapping[Split, Sequence[int]], heard: HeardTable
) -> tuple[list[str], list[str]]:
    """Texts that name a sound: to learn from, the canonical one first, and held out."""
    captions = vocabulary()[key].captions
    names = sorted({name.name for name in _names(heard) if key in (name.sound, name.moving)})
    held_names = names[HELD_OUT_SHARE - 1 :: HELD_OUT_SHARE]
    learned = dict.fromkeys(phrase.format(caption) for phrase in PHRASES for caption in captions)
    learned |= dict.fromkeys(name for name in names if name not in held_names)
    learned |= dict.fromkeys(vectors.captions[row][0] for row in rows["train"])
    held_out = {HELD_OUT_PHRASE.format(caption) for caption in captions} | set(held_names)
    held_out |= {vectors.captions[row][0] for row in rows["val"]}
    return list(learned), sorted(held_out - learned.keys())


def _names(heard: HeardTable) -> Iterator[Heard]:
    yield from heard.labels.values()
    yield from heard.classes


def _draw_texts(texts: FloatArray, rng: np.random.Generator) -> FloatArray:
    """One to three texts of a sound, weighted at random and summed: [384]."""
    count = int(rng.integers(1, 4))
    rows = np.where(rng.random(count) < CANONICAL_SHARE, 0, rng.integers(len(texts), size=count))
    return np.asarray(rng.dirichlet(np.ones(count)) @ texts[rows], np.float32)


def noisy(vectors: FloatArray, length: float, rng: np.random.Generator) -> FloatArray:
    """Vectors [..., d] plus noise of about this length, the same in all directions; not normalised."""
    noise = rng.standard_normal(vectors.shape) * (length / np.sqrt(vectors.shape[-1]))
    return np.asarray(vectors + noise, np.float32)


def unit(vectors: FloatArray) -> FloatArray:
    """L2-normalised along the last axis; zero stays zero."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True).clip(1e-9), np.float32)
