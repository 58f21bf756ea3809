"""SSV2A's 64 slots: slot 0 the whole picture, then the sources that sound, then those that are given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ssv2a.errors import InputError
from ssv2a.given import Given
from ssv2a.networks import Networks
from ssv2a.types import MAX_SLOTS, FloatArray, Look


def slots(looks: Sequence[Look | None], given: Sequence[Given], clip_dim: int) -> FloatArray:
    """Fill the slots of every frame.

    Args:
        looks: one a frame; None: nothing is seen, slot 0 stays empty.
        given: in every frame, after what is seen.
        clip_dim: of the vectors.

    Returns:
        [N, 64, clip_dim], zeros where a slot is empty or its source is given as sound.

    Raises:
        InputError: a frame has more sources than slots.
    """
    filled = np.zeros((len(looks), MAX_SLOTS, clip_dim), np.float32)
    for frame, look in zip(filled, looks, strict=True):
        vectors = [*_audible(look), *(one.clip for one in given)]
        if len(vectors) >= MAX_SLOTS:
            raise InputError(
                f"a frame has {len(vectors)} sources; expected at most {MAX_SLOTS - 1}. "
                "Ask for fewer (sources.max) or add fewer of your own."
            )
        if look is not None:
            frame[0] = look.scene.clip
        for slot, vector in zip(frame[1:], vectors, strict=False):
            slot[:] = 0.0 if vector is None else vector
    return filled


def fixed_folds(
    looks: Sequence[Look | None],
    given: Sequence[Given],
    networks: Networks,
    *,
    generator: torch.Generator,
    var_samples: int,
) -> Tensor | None:
    """The folds of slots without a CLIP vector, as a multimodal call fixes them: sounds, and zeros.

    Returns:
        [N, 64, fold_dim]; None where nothing is given as sound and something is seen in every frame, so
        that empty slots have the fold of a zero vector, as in a call for pictures alone.
    """
    sounds = [(place, one.clap) for place, one in enumerate(given) if one.clap is not None]
    if not sounds and None not in looks:
        return None
    folds = torch.zeros(len(looks), MAX_SLOTS, networks.config.fold_dim)
    if sounds:
        claps = torch.from_numpy(np.stack([clap for _, clap in sounds])).to(networks.device)
        drawn = networks.manifold.fold_clap(claps).sample(generator, var_samples=var_samples).cpu()
        for frame, look in zip(folds, looks, strict=True):
            first = 1 + len(_audible(look))
            for (place, _), fold in zip(sounds, drawn, strict=True):
                frame[first + place] = fold
    return folds


def _audible(look: Look | None) -> list[FloatArray]:
    """The vectors of the sources of a frame that sound."""
    return [] if look is None else [source.clip for source in look.sources if source.caption is not None]
