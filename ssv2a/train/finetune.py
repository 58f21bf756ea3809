"""Fine-tuning of remixer and aggregator on a user's own clips.

Remixer: a frame's slots → CLAP of the sound around that frame. Aggregator: what the remixer makes of a
stretch's frames → CLAP of the stretch. Half of each batch is rehearsal. Held-out clips judge: a network that
does not come nearer to their sound stays as it was.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from ssv2a.aggregator import Aggregator
from ssv2a.networks import Networks
from ssv2a.remixer import Remixer
from ssv2a.train.aggregator import aggregator_losses
from ssv2a.train.loop import WHOLE, Draws, LoopSettings, Outcome, RunOptions, run
from ssv2a.train.material import Rehearsal, Stretches
from ssv2a.train.remixer import cycled_folds, remix, remixer_losses
from ssv2a.train.sources import noisy, unit
from ssv2a.types import FloatArray, Split

SETTINGS = LoopSettings(
    steps=1000, learning_rate=2e-4, weight_decay=0.0, warmup=20, ema_decay=0.98, validate_every=50
)
PATIENCE = 6  # validations without a better one, after which tuning ends
JUDGE = "cosine"

_BATCH = 16  # of the clips' own, and as many rehearsed
_WIDTH = 12  # slots: the whole, up to ten sources, and one that stands for the empty ones
_MOST_VALIDATED = 2000  # frames or stretches
_STRAY = 1.0  # length of the noise on the CLAP that Cycle Mix may have found
_SEED = 5  # of validation


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Tuned:
    """What became of one network."""

    name: str
    before: float  # cosine to the sound of held-out clips
    after: float  # of the best weights
    rehearsed: float  # cosine of what it makes of rehearsals to what it made of them before
    outcome: Outcome

    @property
    def is_better(self) -> bool:
        """Whether the tuned weights are taken."""
        return self.outcome.best_step > 0


class RemixerTuning:
    """Learns the sound around frames.

    Args:
        networks: trained; the remixer learns.
        sides: the clips.
        rehearsal: what is not to be forgotten.
    """

    name = "remixer"

    def __init__(self, networks: Networks, sides: Mapping[Split, Stretches], rehearsal: Rehearsal) -> None:
        self._networks = networks
        self._old = copy.deepcopy(networks.remixer).eval().requires_grad_(False)
        self.network = networks.remixer.requires_grad_(True)
        self._sides = sides
        self._frames = {side: stretches.frames for side, stretches in sides.items()}
        self._rehearsal = rehearsal

    def losses(self, network: Remixer, draws: Draws) -> dict[str, Tensor]:
        """The paper's, on frames of the clips and as many rehearsed images."""
        frames = self._frames["train"]
        chosen = [frames[row] for row in draws.numpy.integers(len(frames), size=_BATCH).tolist()]
        clips, claps = self._sides["train"].images(chosen, _WIDTH)
        rehearsed = torch.from_numpy(self._rehearsal.images(_BATCH, _WIDTH, draws.numpy))
        slots = torch.cat((torch.from_numpy(clips), rehearsed))
        wanted = torch.cat((torch.from_numpy(claps), self._made(self._old, rehearsed)))
        near = unit(noisy(wanted.numpy(), draws.numpy.uniform(0, _STRAY), draws.numpy))
        folds = cycled_folds(self._networks.manifold, slots, torch.from_numpy(near), draws.torch)
        return remixer_losses(network, self._networks.config, (folds, slots, wanted), draws)

    def validate(self, network: Remixer) -> dict[str, float]:
        """Cosine to the sound around held-out frames, and of rehearsals to what was made of them before."""
        frames = _spread(self._frames["val"], _MOST_VALIDATED)
        clips, claps = self._sides["val"].images(frames, _WIDTH)
        made = self._made(network, torch.from_numpy(clips)).numpy()
        images = self._rehearsal.images(128, _WIDTH, np.random.default_rng(_SEED))
        rehearsed = torch.from_numpy(images)
        kept = cosine_similarity(self._made(network, rehearsed), self._made(self._old, rehearsed), dim=-1)
        return {JUDGE: float((made * unit(claps)).sum(axis=-1).mean()), "rehearsed": float(kept.mean())}

    @torch.no_grad()
    def _made(self, network: Remixer, clips: Tensor) -> Tensor:
        """What a remixer makes of slots [B, S, clip_dim]: [B, clap_dim], L2-normalised."""
        return normalize(remix(network, self._networks.manifold.fold_clip(clips).mu, clips).mu, dim=-1)

    def sequences(self, network: Remixer, side: Split) -> tuple[FloatArray, ...]:
        """What a remixer makes of the frames of each stretch: [F, clap_dim] each."""
        stretches = self._sides[side]
        made = []
        for row, slots in enumerate(stretches.slots):
            clips, _ = stretches.images([(row, frame) for frame in range(len(slots))], _WIDTH)
            made.append(self._made(network, torch.from_numpy(clips)).numpy())
        return tuple(made)


class AggregatorTuning:
    """Learns the sound of stretches.

    Args:
        network: trained; learns.
        frames: CLAPs [F, clap_dim] of each stretch of either side.
        wholes: CLAPs [N, clap_dim] of the stretches.
        rehearsal: what is not to be forgotten.
    """

    name = "aggregator"

    def __init__(
        self,
        network: Aggregator,
        frames: Mapping[Split, tuple[FloatArray, ...]],
        wholes: Mapping[Split, FloatArray],
        rehearsal: Rehearsal,
    ) -> None:
        self._old = copy.deepcopy(network).eval().requires_grad_(False)
        self.network = network.requires_grad_(True)
        self._frames = frames
        self._wholes = wholes
        self._rehearsal = rehearsal

    def losses(self, network: Aggregator, draws: Draws) -> dict[str, Tensor]:
        """The paper's, on stretches of one length and as many rehearsed."""
        frames = self._frames["train"]
        length = len(frames[int(draws.numpy.integers(len(frames)))])
        same = [row for row, own in enumerate(frames) if len(own) == length]
        chosen = draws.numpy.choice(same, _BATCH).tolist()
        own = np.stack([frames[row] for row in chosen])
        rehearsed = self._rehearsal.sequences(_BATCH, length, draws.numpy)
        made = unit(noisy(np.concatenate((own, rehearsed)), draws.numpy.uniform(0, 0.3), draws.numpy))
        wanted = np.concatenate((self._wholes["train"][chosen], self._made(self._old, rehearsed)))
        return aggregator_losses(network, made, wanted, draws)

    def validate(self, network: Aggregator) -> dict[str, float]:
        """Cosine to the sound of held-out stretches, beside the frames' mean; and of rehearsals."""
        rows = _spread(range(len(self._frames["val"])), _MOST_VALIDATED)
        frames = [self._frames["val"][row] for row in rows]
        made = np.concatenate([self._made(network, own[None]) for own in frames])
        mean = unit(np.stack([own.mean(axis=0) for own in frames]))
        wholes = self._wholes["val"][list(rows)]
        rehearsed = self._rehearsal.sequences(64, 16, np.random.default_rng(_SEED))
        kept = (self._made(network, rehearsed) * self._made(self._old, rehearsed)).sum(axis=-1)
        return {
            JUDGE: float((made * wholes).sum(axis=-1).mean()),
            "mean of frames cosine": float((mean * wholes).sum(axis=-1).mean()),
            "rehearsed": float(kept.mean()),
        }

    @torch.no_grad()
    def _made(self, network: Aggregator, frames: FloatArray) -> FloatArray:
        """What an aggregator makes of frames [B, L, clap_dim]: [B, clap_dim], L2-normalised."""
        return np.asarray(normalize(network(torch.from_numpy(frames)).mu, dim=-1).numpy(), np.float32)


def finetune(
    networks: Networks,
    sides: Mapping[Split, Stretches],
    rehearsal: Rehearsal,
    out: Path,
    settings: LoopSettings = SETTINGS,
    options: RunOptions = WHOLE,
) -> tuple[Tuned, ...]:
    """Tune the remixer, then the aggregator on what that makes of the frames; the better weights stay.

    Args:
        networks: on the processor; remixer and aggregator change in place.
        sides: the clips to learn from and those that judge.
        rehearsal: what is not to be forgotten.
        out: a folder of its name is made in it for each network's run.
        settings: of both runs.
        options: of both runs.

    Returns:
        What became of each network; of the second nothing if the time ended in the first.

    Raises:
        TrainingError: see `ssv2a.train.loop.run`.
    """
    remixing = RemixerTuning(networks, sides, rehearsal)
    first = run(remixing, out / remixing.name, settings, options, judge=JUDGE, patience=PATIENCE)
    done = [_tuned(remixing.name, first)]
    if first.finished:
        aggregating = AggregatorTuning(
            networks.aggregator,
            {side: remixing.sequences(networks.remixer, side) for side in sides},
            {side: stretches.wholes for side, stretches in sides.items()},
            rehearsal,
        )
        second = run(aggregating, out / aggregating.name, settings, options, judge=JUDGE, patience=PATIENCE)
        done.append(_tuned(aggregating.name, second))
    networks.for_inference("cpu")
    return tuple(done)


def _tuned(name: str, outcome: Outcome) -> Tuned:
    best = next(row for row in outcome.history if row["step"] == outcome.best_step)
    return Tuned(name, outcome.history[0][JUDGE], best[JUDGE], best["rehearsed"], outcome)


def _spread(rows: Sequence[T], most: int) -> list[T]:
    """Up to `most` of them, spread evenly."""
    places = np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int)
    return [rows[place] for place in places.tolist()]
