"""The manifold: CLIP and CLAP vectors folded into one space of sound sources."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ssv2a.config import Ssv2aConfig
from ssv2a.layers import Gaussian, VariationalPerceptron

INITIAL_LOGIT_SCALE = math.log(1 / 0.07)


class Manifold(nn.Module):
    """Two variational encoders into the same fold space. Folds are never normalised."""

    def __init__(self, config: Ssv2aConfig) -> None:
        super().__init__()
        layers, dropout = config.manifold.layers, config.manifold.dropout
        self.logit_scale = nn.Parameter(torch.tensor(INITIAL_LOGIT_SCALE))  # used in training only
        self.self_logit_scale = nn.Parameter(torch.tensor(INITIAL_LOGIT_SCALE))  # held by released files
        self.clip_encoder = VariationalPerceptron(
            config.clip_dim, layers, config.fold_dim, dropout, in_bias=False
        )
        self.clap_encoder = VariationalPerceptron(
            config.clap_dim, layers, config.fold_dim, dropout, in_bias=False
        )

    def fold_clip(self, clip: Tensor) -> Gaussian:
        """L2-normalised CLIP image vectors [..., clip_dim] → folds [..., fold_dim]."""
        folds: Gaussian = self.clip_encoder(clip)
        return folds

    def fold_clap(self, clap: Tensor) -> Gaussian:
        """L2-normalised CLAP audio vectors [..., clap_dim] → folds [..., fold_dim]."""
        folds: Gaussian = self.clap_encoder(clap)
        return folds
