"""Training of the manifold and the generator: what is seen of a source, folded with what it sounds like.

No pictures are needed: the sources are named by noisy sums of captions (see `ssv2a.train.sources`).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from ssv2a.config import Ssv2aConfig
from ssv2a.generator import Generator
from ssv2a.manifold import Manifold
from ssv2a.networks import Networks
from ssv2a.train.loop import WHOLE, Draws, LoopSettings, Outcome, RunOptions, run
from ssv2a.train.losses import cosine_distance, kl_to_standard_normal, likeness_mask, variational_contrast
from ssv2a.train.results import finish
from ssv2a.train.sources import SourceBook

WEIGHTS = "manifold.safetensors"  # manifold and generator
SETTINGS = LoopSettings(steps=1500, learning_rate=2e-3, validate_every=500)
VARIATIONAL_SAMPLES = 4  # draws of each fold that meet in random permutations
_VALIDATION_DRAWS = 8  # clip vectors of each source
_VALIDATION_SEED = 1


class Folding(nn.Module):
    """Manifold and generator, which are trained together."""

    def __init__(self, manifold: Manifold, generator: Generator) -> None:
        super().__init__()
        self.manifold = manifold
        self.generator = generator


class ManifoldTask:
    """One pair of a clip vector and a CLAP vector of every source in each batch.

    Args:
        config: of the networks.
        book: what to learn.
        seed: of the first weights.
    """

    name = "manifold"

    def __init__(self, config: Ssv2aConfig, book: SourceBook, seed: int) -> None:
        self.config = config
        self.book = book
        networks = Networks.untrained(config, seed)
        networks.manifold.self_logit_scale.requires_grad_(False)  # no loss of this training has it
        self.network = Folding(networks.manifold, networks.generator)

    def losses(self, network: Folding, draws: Draws) -> dict[str, Tensor]:
        """Contrast of folds, reconstruction of CLAP from either fold, KL of every distribution."""
        config, book = self.config, self.book
        every = range(len(book.sources))
        clips = draws.tensor(np.stack([book.draw_clip(i, "train", draws.numpy) for i in every]))
        claps = draws.tensor(np.stack([book.draw_clap(i, "train", draws.numpy) for i in every]))
        seen, heard = network.manifold.fold_clip(clips), network.manifold.fold_clap(claps)
        from_seen = network.generator(seen.sample(draws.torch))
        from_heard = network.generator(heard.sample(draws.torch))
        contrast = variational_contrast(
            seen,
            heard,
            network.manifold.logit_scale,
            generator=draws.torch,
            samples=VARIATIONAL_SAMPLES,
            mask=likeness_mask(clips, claps, config.regulariser_strength),
        )
        folds_kl = kl_to_standard_normal(seen) + kl_to_standard_normal(heard)
        claps_kl = kl_to_standard_normal(from_seen) + kl_to_standard_normal(from_heard)
        return {
            "contrast": contrast,
            "from seen": cosine_distance(from_seen.sample(draws.torch), claps),
            "from heard": cosine_distance(from_heard.sample(draws.torch), claps),
            "kl": config.manifold.kl_weight * folds_kl + config.generator.kl_weight * claps_kl,
        }

    def validate(self, network: Folding) -> dict[str, float]:
        """How well held-out texts with an eye's faults find the sounds of their source.

        R@1 and R@4: the source's centroid is the nearest, or among the four nearest, of all sources,
        over the sources of which there is audio. "seen" starts from texts, "heard" from held-out sounds.
        """
        rng, book = np.random.default_rng(_VALIDATION_SEED), self.book
        recorded = [i for i, source in enumerate(book.sources) if source.recorded]
        indices = [i for i in recorded for _ in range(_VALIDATION_DRAWS)]
        clips = torch.from_numpy(np.stack([book.draw_clip(i, "val", rng) for i in indices]))
        claps = torch.from_numpy(np.stack([book.draw_clap(i, "val", rng) for i in indices]))
        figures = {}
        folds = {"seen": network.manifold.fold_clip(clips).mu, "heard": network.manifold.fold_clap(claps).mu}
        for name, fold in folds.items():
            found = normalize(network.generator(fold).mu, dim=-1)
            ranks = book.ranks(found.numpy(), indices)
            figures[f"{name} R@1"] = float((ranks < 1).mean())
            figures[f"{name} R@4"] = float((ranks < 4).mean())
            figures[f"{name} cosine"] = float((found * claps).sum(dim=-1).mean())
        return figures


def train_manifold(
    config: Ssv2aConfig,
    book: SourceBook,
    out: Path,
    settings: LoopSettings = SETTINGS,
    options: RunOptions = WHOLE,
) -> Outcome:
    """Train, and write `manifold.safetensors` (manifold and generator) and `metrics.json` into `out`.

    Raises:
        TrainingError: see `ssv2a.train.loop.run`.
    """
    task = ManifoldTask(config, book, settings.seed)
    outcome = run(task, out, settings, options)
    networks = {"manifold": task.network.manifold, "generator": task.network.generator}
    return finish(outcome, networks, out / WEIGHTS)
