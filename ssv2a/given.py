"""Sources that are given, not seen: in words, as a picture, as a sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from ssv2a.errors import InputError
from ssv2a.images import read_image
from ssv2a.roles import Clap, Eyes, Texts
from ssv2a.sounds import read_sound
from ssv2a.types import SOUND, Added, ByteArray, Composition, FloatArray, Frames, Track

TEXT, IMAGE = "text", "image"  # labels, as SOUND is
AREA = 0.1  # share of the picture that such a source counts as
_MOST_IN_PICTURE = 16  # sources that are looked for in a given picture, for its caption


@dataclass(frozen=True, slots=True)
class Part:
    """One source as it is given: exactly one of text, image and sound."""

    name: str
    text: str | None = None
    image: ByteArray | None = None  # [height, width, 3] RGB
    sound: FloatArray | None = None  # [channels, n_samples], SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class Given:
    """One given source, embedded: exactly one of clip and clap."""

    key: int  # of its track: below zero, the same in every chunk
    label: str
    name: str
    caption: str
    clip: FloatArray | None = None  # [clip_dim], L2-normalised, of a picture or words
    clap: FloatArray | None = None  # [clap_dim], L2-normalised, of a sound

    def track(self, clap: FloatArray, n_frames: int) -> Track:
        """The source as a track that is always there, in the middle; `clap`: what it sounds like."""
        ones = np.ones(n_frames, np.float32)
        return Track(self.key, self.label, self.name, self.caption, clap, ones, ones / 2, ones * AREA)


def composed(parts: Composition) -> tuple[Part, ...]:
    """The parts of a composition: pictures, then words, then sounds.

    Raises:
        InputError: there are names, but not one for each.
    """
    unnamed = (
        *(Part(f"image {n}", image=image) for n, image in enumerate(parts.images, 1)),
        *(Part(text, text=text) for text in parts.texts),
        *(Part(f"sound {n}", sound=sound) for n, sound in enumerate(parts.sounds, 1)),
    )
    if not parts.names:
        return unnamed
    if len(parts.names) != len(unnamed):
        raise InputError(
            f"expected a name for each of {len(unnamed)} sources, or none, got {len(parts.names)} names."
        )
    return tuple(replace(part, name=name) for part, name in zip(unnamed, parts.names, strict=True))


def read_added(added: Sequence[Added]) -> tuple[Part, ...]:
    """What a profile adds, its files read.

    Raises:
        InputError: a file cannot be used.
    """
    return tuple(_read(one) for one in added)


def seen_in(eyes: Eyes, part: Part, key: int) -> Given:
    """A picture as one source: the whole of it, called by what is surest in it."""
    assert part.image is not None
    frame = Frames(part.image[None], (Fraction(0),))
    [look] = eyes.look(
        frame, min_confidence=eyes.min_confidence, max_sources=_MOST_IN_PICTURE, mute=frozenset()
    )
    captions = [source.caption for source in (*look.sources, look.scene) if source.caption]
    return Given(key, IMAGE, part.name, captions[0] if captions else look.scene.name, clip=look.scene.clip)


def in_words(texts: Texts, part: Part, key: int, seed: int) -> Given:
    """A text as a source."""
    assert part.text is not None
    return Given(key, TEXT, part.name, part.text, clip=texts.embed([part.text], seed=seed)[0])


def heard_in(clap: Clap, part: Part, key: int) -> Given:
    """A sound as a source."""
    assert part.sound is not None
    return Given(key, SOUND, part.name, part.name, clap=clap.audio_batch([part.sound])[0])


def _read(one: Added) -> Part:
    if one.image is not None:
        return Part(one.image.stem, image=read_image(one.image))
    if one.audio is not None:
        return Part(one.audio.stem, sound=read_sound(one.audio))
    return Part(one.text or "", text=one.text or "")
