"""The roles of a model chain, as the pipeline sees them. A bundle names who fills each.

Everything is numpy; who fills a role keeps its networks, devices and precisions to itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from ssv2a.types import FloatArray, Frames, Look, Rendering, SoundRequest


class Eyes(Protocol):
    """Detector and image encoder: frames → looks."""

    frame_size: tuple[int, int] | None  # (width, height) that frames are stretched to; None: kept in shape
    min_confidence: float  # of a detection, 0..1, where the user names none

    def look(
        self, frames: Frames, *, min_confidence: float, max_sources: int, mute: frozenset[str]
    ) -> tuple[Look, ...]:
        """One look a frame, in order; labels, names or sounds in `mute` do not sound (case is ignored)."""


class Texts(Protocol):
    """Texts as sources."""

    def embed(self, texts: Sequence[str], *, seed: int) -> FloatArray:
        """Vectors [n, clip_dim] in the space of image vectors, L2-normalised; each by its own text and seed.

        Raises:
            InputError: a text is empty.
        """


class Clap(Protocol):
    """Sounds → CLAP."""

    def audio_batch(self, waveforms: Sequence[FloatArray]) -> FloatArray:
        """Vectors [n, clap_dim], L2-normalised, of sounds [channels, samples] at 48 kHz, heard whole.

        A sound longer than 10 s is heard in windows whose vectors are averaged and normalised.

        Raises:
            InputError: a sound is empty or not two-dimensional.
        """


class Synthesiser(Protocol):
    """Scenes → sound."""

    settings: type[Any]  # frozen dataclass of the synthesiser's own settings
    on_step: Callable[[int, int], None] | None  # told (done, in all) while it works, if it works in steps

    def synthesise(self, requests: Sequence[SoundRequest]) -> list[Rendering]:
        """The sound of each request; those that can be computed together are.

        Raises:
            ConfigurationError: a setting is unknown or impossible.
        """

    def check(self, settings: Mapping[str, Any]) -> None:
        """Refuse settings that mean nothing to this synthesiser.

        Raises:
            ConfigurationError: names every such setting.
        """
