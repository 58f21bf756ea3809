"""The temporal aggregator: the CLAP vectors of a clip's frames → one CLAP vector of the clip."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ssv2a.config import AGGREGATOR_HEADS, Ssv2aConfig
from ssv2a.errors import InputError
from ssv2a.layers import AttentionEncoder, Gaussian, Perceptron

MAX_POSITIONS = 1024  # prediction tokens included
_EXP_RATE = 2  # width of the feed-forward part, in clap_dim
_DROPOUT = 0.2  # acts in training only


class SinusoidalPosition(nn.Module):
    """Sine on even features, cosine on odd ones.

    The frequency of pair i is exp(−2i · log(2 · MAX_POSITIONS) / width), not the usual base of 10000.
    """

    pe: Tensor  # [MAX_POSITIONS, 1, width]

    def __init__(self, width: int) -> None:
        super().__init__()
        position = torch.arange(MAX_POSITIONS, dtype=torch.float32, device="cpu").unsqueeze(1)
        frequency = torch.exp(
            -torch.arange(0, width, 2, device="cpu") * (math.log(2 * MAX_POSITIONS) / width)
        )
        table = torch.stack((torch.sin(position * frequency), torch.cos(position * frequency)), dim=-1)
        self.register_buffer("pe", table.flatten(start_dim=1).unsqueeze(1))

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, L, width] → the same with positions 0..L−1 added."""
        return tokens + self.pe[: tokens.shape[-2], 0]


class Aggregator(nn.Module):
    """Two learned prediction tokens read one attention layer over the frames, in their order."""

    def __init__(self, config: Ssv2aConfig) -> None:
        super().__init__()
        width = config.clap_dim
        self.pred_token = nn.Parameter(torch.randn(2, width, device="cpu"))  # see `untrained`
        self.pe = SinusoidalPosition(width)
        self.encoder = AttentionEncoder(width, AGGREGATOR_HEADS, _EXP_RATE, _DROPOUT)
        self.head_mu = Perceptron((width, width), _DROPOUT)
        self.head_sigma = Perceptron((width, width), _DROPOUT)
        self.out_mu = nn.Linear(width, width)
        self.out_sigma = nn.Linear(width, width)

    def forward(self, claps: Tensor) -> Gaussian:
        """L2-normalised frame CLAPs [B, L, clap_dim], L ≤ 1022 → Gaussian over [B, clap_dim].

        One draw from it, L2-normalised, is the clip's CLAP.

        Raises:
            InputError: no frames, or too many.
        """
        batch, length, _ = claps.shape
        if not 1 <= length <= MAX_POSITIONS - 2:
            raise InputError(
                f"aggregator: expected 1 to {MAX_POSITIONS - 2} frames, got {length}. Take fewer."
            )
        tokens = self.pe(torch.cat((self.pred_token.expand(batch, -1, -1), claps), dim=-2))
        attention, readers = self.encoder.layer.esa, tokens[:, :2]
        seen = attention.seen(attention.queries(readers), tokens)
        predicted = self.encoder.layer.ffn(attention.highway(readers) + seen)
        mu = self.out_mu(self.head_mu(predicted[:, 0]))
        log_sigma = self.out_sigma(self.head_sigma(predicted[:, 1]))
        return Gaussian(mu, log_sigma)
