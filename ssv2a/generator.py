"""The generator: what a fold sounds like, as a CLAP vector."""

from __future__ import annotations

from ssv2a.config import Ssv2aConfig
from ssv2a.layers import VariationalPerceptron


class Generator(VariationalPerceptron):
    """Folds [..., fold_dim] → Gaussian over CLAP [..., clap_dim]. Its samples are L2-normalised."""

    def __init__(self, config: Ssv2aConfig) -> None:
        layers, dropout = config.generator.layers, config.generator.dropout
        super().__init__(config.fold_dim, layers, config.clap_dim, dropout, in_bias=True)
