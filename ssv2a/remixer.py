"""The remixer: all source slots of an image → one CLAP vector of the whole."""

from __future__ import annotations

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
        self.pred_token = nn.Parameter(torch.randn(2, width))
        self.in_proj = nn.Linear(config.fold_dim + config.clip_dim, width)
        self.style_encoder = AttentionEncoder(width, config.remixer.heads, _EXP_RATE, dropout)
        self.head_mu = Perceptron((width, width), dropout)
        self.head_sigma = Perceptron((width, width), dropout)
        self.out_mu = nn.Linear(width, config.clap_dim)
        self.out_sigma = nn.Linear(width, config.clap_dim)


class Remixer(nn.Module):
    """Slots of folds and CLIP vectors → Gaussian over CLAP; its samples are L2-normalised after the draw.

    `forward` is `read(slots_context(all slots))`. The context is a sum over slots, so a caller that changes
    one slot at a time may keep the sum of the others.
    """

    def __init__(self, config: Ssv2aConfig) -> None:
        super().__init__()
        self.styler = Styler(config)

    def forward(self, folds: Tensor, clips: Tensor) -> Gaussian:
        """Folds [..., S, fold_dim] and CLIP vectors [..., S, clip_dim] → [..., clap_dim]."""
        return self.read(self.slots_context(folds, clips))

    def slots_context(self, folds: Tensor, clips: Tensor) -> Tensor:
        """The slots' share of the attention context: [..., S, ·] → [..., H, d, d]."""
        tokens = self.styler.in_proj(torch.cat((folds, clips), dim=-1))
        return self.styler.style_encoder.layer.esa.context(tokens)

    def read(self, slots_context: Tensor) -> Gaussian:
        """What the prediction tokens make of the slots' context [..., H, d, d]: [..., clap_dim]."""
        layer = self.styler.style_encoder.layer
        context = slots_context + layer.esa.context(self.styler.pred_token)
        predicted = layer.read(self.styler.pred_token, context)
        mu = self.styler.out_mu(self.styler.head_mu(predicted[..., 0, :]))
        log_sigma = self.styler.out_sigma(self.styler.head_sigma(predicted[..., 1, :]))
        return Gaussian(mu, log_sigma)
