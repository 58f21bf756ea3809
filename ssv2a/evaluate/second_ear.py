"""A second ear: are our sound models as near to recordings of the thing as other recordings of it are?

    python -m ssv2a.evaluate.second_ear AISFX.pth DATA

trains a linear probe on aiSFX's features of labelled recordings (the training side of DATA) and asks it for
the kind of what it has not heard: the recordings that are held out, and draws of the procedural models. No
model, no CLAP and no tagger takes part in its making. Prints a table of ranks, and how often they are low.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from loguru import logger
from rich.console import Console
from rich.table import Table
from torch import nn

from ssv2a.errors import EvaluationError
from ssv2a.evaluate.aisfx import AiSfx
from ssv2a.soundbank.bank import read_audio
from ssv2a.soundbank.models import all_models
from ssv2a.train.data import VAL_SHARE, Recording, read_manifest, render_draw
from ssv2a.types import FloatArray

FEWEST = 4  # training recordings of a kind that is asked for
DRAWS = tuple(range(VAL_SHARE - 1, 4 * VAL_SHARE, VAL_SHARE))  # of each model: as training holds them out
NEAR = (1, 3, 5)  # ranks up to which the right kind counts

_SECONDS = 10.0  # of a draw
_STEPS, _RATE, _DECAY, _NOISE, _SEED = 600, 3e-3, 0.3, 0.5, 0  # of the probe's training
_RARITY = 0.7  # power of a kind's number of recordings by which it weighs less
_LEAST_SPREAD = 1e-3  # of a feature


@dataclass(frozen=True, slots=True)
class Probe:
    """A linear classifier of features.

    Args:
        kinds: in the order of its scores.
        mean, spread: [features] of the training data.
        weights: [features, kinds].
        offsets: [kinds].
    """

    kinds: tuple[str, ...]
    mean: FloatArray
    spread: FloatArray
    weights: FloatArray
    offsets: FloatArray

    def rank(self, features: FloatArray, kind: str) -> int:
        """How many kinds are as likely as this one or more, by the blocks [n, features] of a sound."""
        scores = (features - self.mean) / self.spread @ self.weights + self.offsets
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        likely = (odds / odds.sum(axis=1, keepdims=True)).mean(axis=0)
        return int((likely >= likely[self.kinds.index(kind)]).sum())


def fit(features: FloatArray, labels: Sequence[str]) -> Probe:
    """Train a probe by cross-entropy, rare kinds weighing more; noise keeps it from learning single sounds.

    Args:
        features: [n, features], a row a sound.
        labels: the kind of each.
    """
    kinds = tuple(sorted(set(labels)))
    mean, spread = features.mean(axis=0), features.std(axis=0) + _LEAST_SPREAD
    x = torch.from_numpy((features - mean) / spread)
    y = torch.tensor([kinds.index(label) for label in labels])
    rarity = torch.bincount(y, minlength=len(kinds)) ** -_RARITY
    generator = torch.Generator().manual_seed(_SEED)
    weights = torch.zeros(x.shape[1], len(kinds), requires_grad=True)
    offsets = torch.zeros(len(kinds), requires_grad=True)
    optimiser = torch.optim.AdamW([weights, offsets], lr=_RATE, weight_decay=_DECAY)
    for _ in range(_STEPS):
        optimiser.zero_grad()
        noisy = x + _NOISE * torch.randn(x.shape, generator=generator)
        loss = nn.functional.cross_entropy(noisy @ weights + offsets, y, weight=rarity)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return Probe(kinds, mean, spread, weights.detach().numpy(), offsets.detach().numpy())


def shares(ranks: Mapping[str, Sequence[int]]) -> tuple[float, ...]:
    """Of each rank of NEAR: how often the right kind is that near, every kind counting the same."""
    return tuple(
        float(np.mean([np.mean([rank <= most for rank in of_kind]) for of_kind in ranks.values()]))
        for most in NEAR
    )


def main(arguments: Sequence[str]) -> None:
    """Measure, and print the ranks of every kind and the shares.

    Raises:
        EvaluationError: arguments are missing, the network cannot be read, or no kind has enough recordings.
        TrainingError: the recordings cannot be read.
    """
    if len(arguments) != 2:
        raise EvaluationError("expected a checkpoint and a folder of recordings: AISFX.pth DATA")
    checkpoint, data = arguments
    ear = AiSfx(Path(checkpoint))
    recordings = [one for one in read_manifest(Path(data)) if one.sound]
    heard = {one.id: ear.features(read_audio(one.path)) for one in recordings}
    probe = _probe([one for one in recordings if one.split == "train"], heard)
    held_out: dict[str, list[int]] = {}
    for one in recordings:
        if one.split == "val" and one.sound in probe.kinds:
            held_out.setdefault(one.sound, []).append(probe.rank(heard[one.id], one.sound))
    modelled: dict[str, list[int]] = {}
    for model in all_models().values():
        if model.sound in probe.kinds:
            logger.info("{}", model.name)
            draws = [ear.features(render_draw(model, draw, _SECONDS)) for draw in DRAWS]
            modelled.setdefault(model.sound, []).extend(probe.rank(draw, model.sound) for draw in draws)
    _print(probe, {"recordings held out": held_out, "models": modelled})


def _print(probe: Probe, ranks: Mapping[str, Mapping[str, Sequence[int]]]) -> None:
    console = Console(file=sys.stdout, width=100)
    table = Table("kind", *ranks, title=f"rank of the right kind, of {len(probe.kinds)}")
    for kind in probe.kinds:
        table.add_row(kind, *(", ".join(map(str, of.get(kind, ()))) for of in ranks.values()))
    console.print(table)
    table = Table("", "kinds", *(f"within {most}" for most in NEAR), title="kinds weigh the same")
    for name, of in ranks.items():
        figures = [f"{100 * share:.0f} %" for share in shares(of)] if of else ["none"] * len(NEAR)
        table.add_row(name, str(len(of)), *figures)
    console.print(table)


def _probe(recordings: Sequence[Recording], heard: Mapping[str, FloatArray]) -> Probe:
    """Trained on the mean features of the recordings of every kind that has enough of them."""
    of_kind: dict[str, list[FloatArray]] = {}
    for one in recordings:
        of_kind.setdefault(one.sound, []).append(heard[one.id].mean(axis=0))
    enough = {kind: rows for kind, rows in of_kind.items() if len(rows) >= FEWEST}
    if len(enough) < 2:
        raise EvaluationError(
            f"{len(enough)} kinds of sound have {FEWEST} recordings or more to train on; expected two "
            "kinds. Add recordings, or label them alike."
        )
    rows = [(row, kind) for kind, rows in enough.items() for row in rows]
    return fit(np.stack([row for row, _ in rows]), [kind for _, kind in rows])


if __name__ == "__main__":
    main(sys.argv[1:])
