"""Which sound of the vocabulary a free text means: the one whose phrases lie nearest by sentence vector.

`phrases.txt` has a row a sound: its key, then things that people say for it, beside the vocabulary's
captions; `~` stands before what the sound is only a substitute for. The row `-` holds what the vocabulary has
no sound for (voices, music by name), so that it is not taken for something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from ssv2a.soundbank.vocabulary import vocabulary
from ssv2a.types import FloatArray

SAME = 0.36  # cosine of two sentences from which they can mean the same
SURELY = 0.6  # the same, from which they surely do
_JOINTS = re.compile(
    r"\s*[,;]\s*(?:and\s+|then\s+)?"
    r"|\s+(?:and then|and|while|whilst|as|with|then|followed by|over|beside|behind)\s+",
    re.IGNORECASE,
)
_DENIES = re.compile(r"\b(?:no|not|never|without)\s+[^\W\d]", re.IGNORECASE)  # but not "door no. 3"
_REFERS = re.compile(r"\b(?:it|its|their|them|his|her)\b", re.IGNORECASE)  # to another part of the text
_SHARPNESS = 0.07  # cosine: phrases so much farther than the nearest count 1/e for their sound
_PHRASES = Path(__file__).with_name("phrases.txt")
_NO_SOUND = "-"
_SUBSTITUTE = "~"


class Sentences(Protocol):
    """A sentence encoder."""

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """Vectors [n, d], L2-normalised."""


class Meanings:
    """Free texts → sounds of the vocabulary.

    Args:
        text: the sentence encoder, to which the phrases had better be known: if they are not, the first free
            text takes some seconds; None: only the phrases themselves are understood.
    """

    def __init__(self, text: Sentences | None) -> None:
        self._text = text
        self._sounds = phrases()

    def sound_of(self, text: str) -> str | None:
        """Key of the sound that `text` means; None where it is none of them."""
        sound, cosine, _ = self._nearest(text)
        return sound if sound != _NO_SOUND and cosine >= SAME else None

    def sure_sound_of(self, text: str) -> str | None:
        """The same, but None also where that is not sure."""
        sound = self._surely(text)
        return None if sound == _NO_SOUND else sound

    def has_no_sound(self, text: str) -> bool:
        """Whether a text surely means what the vocabulary has no sound for, such as voices."""
        return self._surely(text) == _NO_SOUND

    def doubt(self, text: str, played: str) -> str:
        """What is to be said of words that may mean something else than what is heard; "" where they do not.

        Args:
            text: as it was asked for.
            played: caption of the entry that plays for it.
        """
        sound, cosine, phrase = self._nearest(text)
        if sound == _NO_SOUND or cosine < SAME:
            return (
                f"{text!r} is no sound that the bank knows by name: what lies nearest is heard, {played!r}."
            )
        taken = f"taken for {vocabulary()[sound].caption!r}"
        if _DENIES.search(text):
            return (
                f"{text!r}: words such as no, not, never and without are not understood; {taken}. "
                "Name only what is to be heard."
            )
        if cosine < SURELY:
            return (
                f"{text!r} means none of the kinds of sound for sure; {taken}. "
                "Use other words, such as those of ssv2a/soundbank/phrases.txt."
            )
        if phrase in substitutes():
            return f"{text!r} is played by {played!r}, the nearest that the bank has."
        return ""

    def sounds_of(self, text: str) -> tuple[tuple[str, str | None], ...]:
        """The sounds that a text means together, each with its words: "rain while a dog barks" means two.

        A text is taken apart where it is joined by "and", "while", a comma …, if all its parts are surely
        sounds and not all the same; parts that surely have none (voices) are left out. Else it is one sound.
        """
        parts = [part for part in _JOINTS.split(text) if part]
        if text.lower() in self._sounds or len(parts) < 2:
            return ((text, self.sound_of(text)),)
        meant = {part: self._alone(part) for part in parts}
        found = {sound: part for part, sound in meant.items() if sound not in (None, _NO_SOUND)}
        if None in meant.values() or not found or len(set(meant.values())) < 2:
            return ((text, self.sound_of(text)),)
        return tuple((part, sound) for sound, part in found.items())

    def _alone(self, part: str) -> str | None:
        """What a part of a text means by itself; None where that is not sure."""
        whole = len(part.split()) > 1 and not _REFERS.search(part)
        return self._surely(part) if whole or part.lower() in self._sounds else None

    def _surely(self, text: str) -> str | None:
        """What a text means, "-" for what has no sound; None where that is not sure."""
        sound, cosine, _ = self._nearest(text)
        return sound if cosine >= SURELY and not _DENIES.search(text) else None

    def _nearest(self, text: str) -> tuple[str, float, str]:
        """The sound whose phrases lie nearest, "-" for what has none; the nearest phrase's cosine, and it."""
        exact = self._sounds.get(text.lower())
        if exact is not None or self._text is None:
            return exact or _NO_SOUND, 1.0, text.lower()
        cosines = self._vectors @ self._text.embed([text])[0]
        weights = np.exp((cosines - cosines.max()) / _SHARPNESS)
        votes: dict[str, float] = {}
        for sound, weight in zip(self._sounds.values(), weights.tolist(), strict=True):
            votes[sound] = votes.get(sound, 0.0) + weight
        nearest = list(self._sounds)[int(cosines.argmax())]
        return max(votes, key=lambda sound: votes[sound]), float(cosines.max()), nearest

    @cached_property
    def _vectors(self) -> FloatArray:
        """[phrases, d]."""
        assert self._text is not None
        return self._text.embed(list(self._sounds))


def phrases() -> dict[str, str]:
    """Every phrase in lower case, the vocabulary's captions first, with its sound; "-" for what has none."""
    sounds = {caption.lower(): key for key, sound in vocabulary().items() for caption in sound.captions}
    for key, phrase in _rows():
        sounds.setdefault(phrase.removeprefix(_SUBSTITUTE).strip(), key)
    return sounds


@cache
def substitutes() -> frozenset[str]:
    """The phrases, in lower case, for which the vocabulary has no sound of their own, only a likely one."""
    marked = (phrase for _, phrase in _rows() if phrase.startswith(_SUBSTITUTE))
    return frozenset(phrase.removeprefix(_SUBSTITUTE).strip() for phrase in marked)


def _rows() -> Iterator[tuple[str, str]]:
    """The keys and phrases of `phrases.txt` as they stand there, in lower case."""
    for line in _PHRASES.read_text(encoding="utf-8").splitlines():
        key, *more = (part.strip() for part in line.split("|"))
        yield from ((key, phrase.lower()) for phrase in more)
