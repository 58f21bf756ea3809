"""The vectors that a trained CLAP gives its sounds, in a file for the networks that learn to reach them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from ssv2a.embed.clap import MiniClap
from ssv2a.errors import TrainingError
from ssv2a.train.data import TrainingSound
from ssv2a.types import FloatArray, Split


@dataclass(frozen=True, slots=True)
class ClapVectors:
    """What the CLAP gives n sounds."""

    clap: FloatArray  # [n, 256], L2-normalised
    sounds: tuple[str, ...]  # n keys of the vocabulary
    splits: tuple[Split, ...]  # n
    captions: tuple[tuple[str, ...], ...]  # n, each sound's own first
    ids: tuple[str, ...]  # n


def embed_sounds(sounds: Sequence[TrainingSound], clap: MiniClap) -> ClapVectors:
    """The vector of every sound."""
    return ClapVectors(
        clap=clap.power_batch([sound.power for sound in sounds]),
        sounds=tuple(sound.sound for sound in sounds),
        splits=tuple(sound.split for sound in sounds),
        captions=tuple(sound.captions for sound in sounds),
        ids=tuple(sound.id for sound in sounds),
    )


def write_vectors(vectors: ClapVectors, path: Path) -> None:
    """Keep the vectors as a compressed npz file."""
    np.savez_compressed(
        path,
        clap=vectors.clap,
        sounds=np.array(vectors.sounds),
        splits=np.array(vectors.splits),
        captions=np.array(["|".join(captions) for captions in vectors.captions]),
        ids=np.array(vectors.ids),
    )


def read_vectors(path: Path) -> ClapVectors:
    """Vectors written by `write_vectors`.

    Raises:
        TrainingError: the file is missing or is something else.
    """
    try:
        with path.open("rb") as file, np.load(file) as kept:
            return ClapVectors(
                clap=kept["clap"],
                sounds=tuple(kept["sounds"].tolist()),
                splits=tuple(kept["splits"].tolist()),
                captions=tuple(tuple(row.split("|")) for row in kept["captions"].tolist()),
                ids=tuple(kept["ids"].tolist()),
            )
    except (OSError, KeyError, ValueError, TypeError, EOFError, BadZipFile) as error:
        raise TrainingError(f"{path}: no CLAP vectors ({error}); train the CLAP first.") from error
