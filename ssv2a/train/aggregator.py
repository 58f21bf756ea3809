"""Training of the aggregator: the CLAPs of a clip's frames → the CLAP of the whole clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from ssv2a.aggregator import Aggregator
from ssv2a.config import Ssv2aConfig
from ssv2a.networks import Networks
from ssv2a.train.loop import WHOLE, Draws, LoopSettings, Outcome, RunOptions, run
from ssv2a.train.losses import kl_to_standard_normal, squared_cosine_distance
from ssv2a.train.results import finish
from ssv2a.train.sources import SourceBook, draw_mixture, noisy, unit
from ssv2a.types import FloatArray, Split

WEIGHTS = "aggregator.safetensors"
SETTINGS = LoopSettings(steps=15_000, learning_rate=1.5e-3, validate_every=1000)
BATCH = 32  # clips
SHORTEST, LONGEST = 4, 64  # frames
KL_WEIGHT = 0.001  # a feature: over the sum, a single draw could not come nearer than a cosine of about 0.8
_POSITION_STRENGTH = (
    0.1  # singular value of the table of positions, below which a direction is none of its own
)
_VALIDATION_CLIPS = 256
_VALIDATION_FRAMES = 16
_VALIDATION_SEED = 3


def draw_clips(
    book: SourceBook, count: int, length: int, split: Split, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Clips in which sources enter, leave and flicker.

    Returns:
        Frame CLAPs [count, length, clap_dim] with a remixer's faults, and the clips' CLAPs
        [count, clap_dim]: the mixture of the sources, each weighted by its share of the time.
    """
    drawn = [_draw_clip(book, length, split, rng) for _ in range(count)]
    return np.stack([frames for frames, _ in drawn]), np.stack([whole for _, whole in drawn])


def _draw_clip(
    book: SourceBook, length: int, split: Split, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    mixture = draw_mixture(book, int(rng.integers(1, 5)), split, rng)
    presence = np.stack([draw_presence(length, rng) for _ in mixture.indices], axis=1)
    presence[rng.integers(length), 0] = 1  # something sounds in at least one frame
    frames = unit((presence * mixture.gains) @ mixture.claps)
    strangers = rng.integers(len(book.sources), size=length)
    wrong = rng.random(length) < rng.uniform(0, 0.15)  # frames in which the eye saw something else
    empty = ~presence.any(axis=1)
    for frame in np.flatnonzero(wrong | (empty & (rng.random(length) < 0.5))):
        frames[frame] = book.draw_clap(int(strangers[frame]), split, rng)
    return unit(noisy(frames, rng.uniform(0.05, 0.6), rng)), mixture.clap(presence.mean(axis=0))


def draw_presence(length: int, rng: np.random.Generator) -> FloatArray:
    """Frames [length] in which a source is seen (1) or not (0): throughout, for a while, or flickering."""
    presence = np.ones(length, np.float32)
    manner = rng.random()
    if manner >= 0.4:
        first, last = np.sort(rng.integers(0, length + 1, size=2))
        presence[:first] = 0
        presence[last:] = 0
    if manner >= 0.7:
        presence *= rng.random(length) < rng.uniform(0.4, 0.9)
    return presence


def values_blind_to_position(network: Aggregator) -> Tensor:
    """First weights [D, D] of the attention's values: they pass on the frames' CLAPs and no positions.

    A token is a CLAP of length 1 and a position of length √(D/2), so after LayerNorm little of the CLAP is
    left. From random weights it takes thousands of steps to find it; from the projection away from all
    positions (few directions: most are nearly constant), scaled up to the CLAP's share, a few hundred.
    """
    table = network.pe.pe[: LONGEST + 2, 0]
    width = table.shape[-1]
    _, strengths, directions = torch.linalg.svd(table, full_matrices=False)
    positions = directions[strengths > _POSITION_STRENGTH]
    blind: Tensor = (width / 2) ** 0.5 * (torch.eye(width) - positions.T @ positions)
    return blind


class AggregatorTask:
    """Clips of one length a batch, from 4 to 64 frames.

    Args:
        config: of the networks.
        book: what to learn.
        seed: of the first weights.
    """

    name = "aggregator"

    def __init__(self, config: Ssv2aConfig, book: SourceBook, seed: int) -> None:
        self.book = book
        self.network = Networks.untrained(config, seed).aggregator
        with torch.no_grad():
            self.network.encoder.layer.esa.value.weight.copy_(values_blind_to_position(self.network))

    def losses(self, network: Aggregator, draws: Draws) -> dict[str, Tensor]:
        """See `aggregator_losses`, on clips drawn for this step."""
        length = int(np.exp(draws.numpy.uniform(np.log(SHORTEST), np.log(LONGEST + 1))))
        return aggregator_losses(network, *draw_clips(self.book, BATCH, length, "train", draws.numpy), draws)

    def validate(self, network: Aggregator) -> dict[str, float]:
        """Held-out clips of 16 frames: cosine of one draw to the clip's CLAP, beside the frames' mean."""
        rng = np.random.default_rng(_VALIDATION_SEED)
        frames, whole = draw_clips(self.book, _VALIDATION_CLIPS, _VALIDATION_FRAMES, "val", rng)
        drawn = network(torch.from_numpy(frames)).sample(torch.Generator().manual_seed(_VALIDATION_SEED))
        found, mean = normalize(drawn, dim=-1).numpy(), unit(frames.mean(axis=1))
        return {
            "cosine": float((found * whole).sum(axis=-1).mean()),
            "mean of frames cosine": float((mean * whole).sum(axis=-1).mean()),
        }


def aggregator_losses(
    network: Aggregator, frames: FloatArray, whole: FloatArray, draws: Draws
) -> dict[str, Tensor]:
    """Squared cosine distance of one draw to the clips' CLAPs [B, clap_dim], and KL.

    Args:
        network: the aggregator.
        frames: CLAPs [B, L, clap_dim].
        whole: CLAPs [B, clap_dim].
        draws: of this step.
    """
    aggregated = network(draws.tensor(frames))
    return {
        "distance": squared_cosine_distance(aggregated.sample(draws.torch), draws.tensor(whole)),
        "kl": KL_WEIGHT / whole.shape[-1] * kl_to_standard_normal(aggregated),
    }


def train_aggregator(
    config: Ssv2aConfig,
    book: SourceBook,
    out: Path,
    settings: LoopSettings = SETTINGS,
    options: RunOptions = WHOLE,
) -> Outcome:
    """Train, and write `aggregator.safetensors` and `metrics.json` into `out`.

    Raises:
        TrainingError: see `ssv2a.train.loop.run`.
    """
    task = AggregatorTask(config, book, settings.seed)
    return finish(run(task, out, settings, options), {"aggregator": task.network}, out / WEIGHTS)
