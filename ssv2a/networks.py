"""The four networks of SSV2A together, and the single steps that a pipeline takes with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from ssv2a.aggregator import Aggregator
from ssv2a.config import Ssv2aConfig
from ssv2a.generator import Generator
from ssv2a.manifold import Manifold
from ssv2a.remixer import Remixer


@dataclass(frozen=True, slots=True)
class Networks:
    """Manifold, generator, remixer and aggregator of one configuration."""

    config: Ssv2aConfig
    manifold: Manifold
    generator: Generator
    remixer: Remixer
    aggregator: Aggregator

    @classmethod
    def untrained(cls, config: Ssv2aConfig, seed: int) -> Networks:
        """Networks with torch's initial weights, drawn from `seed`; the global generator stays as it was.

        Under `torch.device("meta")` they have shapes only, but for a few small tensors that the modules
        name the processor for: what torch needs for them on "meta" would load its compiler (120 MB).
        """
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(seed)
            return cls(config, Manifold(config), Generator(config), Remixer(config), Aggregator(config))

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """The networks by the name that checkpoints use."""
        return {
            "manifold": self.manifold,
            "generator": self.generator,
            "remixer": self.remixer,
            "aggregator": self.aggregator,
        }

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return self.remixer.styler.pred_token.device

    def for_inference(self, device: torch.device | str) -> Networks:
        """The same networks on `device`, in evaluation mode (no dropout), without gradients."""
        for module in self.modules.values():
            module.to(device).eval().requires_grad_(False)
        return self

    def source_claps(self, clips: Tensor, *, generator: torch.Generator, var_samples: int = 64) -> Tensor:
        """What each source alone sounds like: CLIP [..., clip_dim] → CLAP [..., clap_dim], L2-normalised.

        Fold and CLAP are each the mean of `var_samples` draws.
        """
        folds = self.manifold.fold_clip(clips).sample(generator, var_samples=var_samples)
        return normalize(self.generator(folds).sample(generator, var_samples=var_samples), dim=-1)

    def aggregate(self, claps: Tensor, *, generator: torch.Generator) -> Tensor:
        """The CLAP of whole clips: frames [B, L, clap_dim] in their order → [B, clap_dim], L2-normalised.

        One draw, as released.

        Raises:
            InputError: no frames, or more than the aggregator has positions for.
        """
        return normalize(self.aggregator(claps).sample(generator), dim=-1)
