"""The remixer: all source slots of an image → one CLAP vector of the whole."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ssv2a.config import Ssv2aConfig
from ssv2a.layers import AttentionEncoder, Gaussian, Perceptron

_EXP_RATE = 1  # width of the feed-forward part, in embed_dim


class Styler(nn.Module):
    """Two learned prediction tokens read one attention layer over the slots."""

    def __init__(self, config: Ssv2aConfig) -> None:
        super().__init__()
        width, dropout = config.remixer.embed_dim, config.remixer.dropout
        self.pred_token = nn.Parameter(torch.randn(2, width, device="cpu"))  # see `untrained`
        self.in_proj = nn.Linear(config.fold_dim + config.clip_dim, width)
        self.style_encoder = AttentionEncoder(width, config.remixer.heads, _EXP_RATE, dropout)
        self.head_mu = Perceptron((width, width), dropout)
        self.head_sigma = Perceptron((width, width), dropout)
        self.out_mu = nn.Linear(width, config.clap_dim)
        self.out_sigma = nn.Linear(width, config.clap_dim)


@dataclass(frozen=True, slots=True)
class Readers:
    """What of the two prediction tokens does not depend on the slots."""

    queries: Tensor  # [H, 2, d]
    tokens: Tensor  # [2, embed_dim]: through the highway, with what they see of themselves


class Remixer(nn.Module):
    """Slots of folds and CLIP vectors → Gaussian over CLAP; its samples are L2-normalised after the draw.

    What the readers see is a sum over slots: a caller that changes one slot at a time may keep the readers
    and the sum of the others.
    """

    def __init__(self, config: Ssv2aConfig) -> None:
        super().__init__()
        self.styler = Styler(config)

    def forward(self, folds: Tensor, clips: Tensor) -> Gaussian:
        """Folds [..., S, fold_dim] and CLIP vectors [..., S, clip_dim] → [..., clap_dim]."""
        readers = self.readers()
        return self.predict(readers, self.seen(readers, folds, clips))

    def readers(self) -> Readers:
        """The prediction tokens, ready to see slots."""
        attention, tokens = self.styler.style_encoder.layer.esa, self.styler.pred_token
        queries = attention.queries(tokens)
        return Readers(queries, attention.highway(tokens) + attention.seen(queries, tokens))

    def seen(self, readers: Readers, folds: Tensor, clips: Tensor) -> Tensor:
        """What the readers see of some slots [..., S, ·], a sum over these: [..., 2, embed_dim]."""
        tokens = self.styler.in_proj(torch.cat((folds, clips), dim=-1))
        return self.styler.style_encoder.layer.esa.seen(readers.queries, tokens)

    def predict(self, readers: Readers, seen: Tensor) -> Gaussian:
        """What the readers make of all slots together, [..., 2, embed_dim] → [..., clap_dim]."""
        predicted = self.styler.style_encoder.layer.ffn(readers.tokens + seen)
        mu = self.styler.out_mu(self.styler.head_mu(predicted[..., 0, :]))
        log_sigma = self.styler.out_sigma(self.styler.head_sigma(predicted[..., 1, :]))
        return Gaussian(mu, log_sigma)
