"""Which sound of the vocabulary a free text means: the one whose phrases lie nearest by sentence vector.

`phrases.txt` has a row a sound: its key, then things that people say for it, beside the vocabulary's
captions. The row `-` holds what the vocabulary has no sound for (voices, music by name), so that it is not
taken for something else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ssv2a.soundbank.vocabulary import vocabulary
from ssv2a.types import FloatArray

SAME = 0.36  # cosine of two sentences from which they can mean the same
_SHARPNESS = 0.07  # cosine: phrases so much farther than the nearest count 1/e for their sound
_PHRASES = Path(__file__).with_name("phrases.txt")
_NO_SOUND = "-"


class Sentences(Protocol):
    """A sentence encoder."""

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """Vectors [n, d], L2-normalised."""


class Meanings:
    """Free texts → sounds of the vocabulary.

    Args:
        text: the sentence encoder; None: only the phrases themselves are understood.
        vectors: of the phrases, written by `write_vectors`; None, or of other phrases: computed when the
            first free text comes, which takes some seconds.
    """

    def __init__(self, text: Sentences | None, vectors: Path | None = None) -> None:
        self._text = text
        self._file = vectors
        self._sounds = phrases()

    def sound_of(self, text: str) -> str | None:
        """Key of the sound that `text` means; None where it is none of them."""
        exact = self._sounds.get(text.lower(), _NO_SOUND)
        if exact != _NO_SOUND or self._text is None:
            return None if exact == _NO_SOUND else exact
        cosines = self._vectors @ self._text.embed([text])[0]
        weights = np.exp((cosines - cosines.max()) / _SHARPNESS)
        votes: dict[str, float] = {}
        for sound, weight in zip(self._sounds.values(), weights.tolist(), strict=True):
            votes[sound] = votes.get(sound, 0.0) + weight
        best = max(votes, key=lambda sound: votes[sound])
        return best if cosines.max() >= SAME and best != _NO_SOUND else None

    @cached_property
    def _vectors(self) -> FloatArray:
        """[phrases, d]."""
        kept = _read_vectors(self._file) if self._file is not None else None
        if kept is not None:
            return kept
        assert self._text is not None
        return self._text.embed(list(self._sounds))


def phrases() -> dict[str, str]:
    """Every phrase in lower case, the vocabulary's captions first, with its sound; "-" for what has none."""
    sounds = {caption.lower(): key for key, sound in vocabulary().items() for caption in sound.captions}
    for line in _PHRASES.read_text(encoding="utf-8").splitlines():
        key, *more = (part.strip() for part in line.split("|"))
        for phrase in more:
            sounds.setdefault(phrase.lower(), key)
    return sounds


def write_vectors(text: Sentences, path: Path) -> None:
    """Keep the phrases' sentence vectors, in half precision, so that nobody has to wait for them."""
    vectors = text.embed(list(phrases())).astype(np.float16)
    save_file({"phrases": vectors}, path, metadata={"of": _fingerprint()})


def _read_vectors(path: Path) -> FloatArray | None:
    """The vectors of the phrases as they are now; None where the file is of others or cannot be read."""
    try:
        with safe_open(path, framework="numpy") as file:
            if (file.metadata() or {}).get("of") != _fingerprint():
                return None
            return np.asarray(file.get_tensor("phrases"), np.float32)
    except (OSError, SafetensorError):
        return None


def _fingerprint() -> str:
    return hashlib.blake2b("\n".join(phrases()).encode(), digest_size=8).hexdigest()
