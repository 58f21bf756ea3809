"""What a procedural sound model is: parameters drawn at random, then sound computed from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ssv2a.types import FloatArray, Kind

Params = Mapping[str, float]
"""Drawn once for a source, kept while it goes on (also over chunks)."""


@dataclass(frozen=True, slots=True)
class SoundModel:
    """A physically informed model of one kind of sound, at 48 kHz.

    `render(params, n_samples, rng)` gives [channels, n] float32 with a peak of at most 1:
    a texture gives exactly `n_samples`, stationary from the first to the last (no fade of its own);
    an event gives one occurrence at its natural length, cut with a short fade at `n_samples` at the latest.
    """

    name: str  # "engine.car_idle": family and model
    sound: str  # key of the vocabulary
    kind: Kind
    physics: str  # one line: the mechanism that is modelled, with its source
    draw: Callable[[np.random.Generator], Params]
    render: Callable[[Params, int, np.random.Generator], FloatArray]
    pause_seconds: tuple[float, float] = (0.0, 0.0)  # events: silence between the end of one and the next
