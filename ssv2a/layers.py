"""The layers that the SSV2A networks share. Attribute names follow the released checkpoints' keys.

LayerNorm uses eps 1e-5 and GELU is the exact one (erf), torch's defaults.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Gaussian:
    """A diagonal normal distribution, as a variational head predicts it."""

    mu: Tensor  # [..., D]
    log_sigma: Tensor  # [..., D], logarithm of the variance, so the deviation is exp(log_sigma / 2)

    def sample(
        self, generator: torch.Generator, *, var_samples: int = 1, shape: Sequence[int] = ()
    ) -> Tensor:
        """Draw the mean of `var_samples` draws, which is one draw with the deviation divided by √n.

        Args:
            generator: on the CPU, so that a seed means the same on every device.
            var_samples: n.
            shape: leading axes of independent draws.

        Returns:
            [*shape, ..., D], not normalised.
        """
        noise = torch.randn((*shape, *self.mu.shape), generator=generator, dtype=self.mu.dtype)
        deviation = torch.exp(self.log_sigma / 2) / math.sqrt(var_samples)
        return torch.addcmul(self.mu, deviation, noise.to(self.mu.device))

    def __getitem__(self, index: slice | Tensor) -> Gaussian:
        return Gaussian(self.mu[index], self.log_sigma[index])


class ResidualBlock(nn.Module):
    """Two linear steps a→b→c beside a linear shortcut a→c."""

    def __init__(self, a: int, b: int, c: int, dropout: float) -> None:
        super().__init__()
        self.mod = nn.Sequential(
            *(nn.Linear(a, b), nn.LayerNorm(b), nn.Dropout(dropout), nn.GELU()),
            *(nn.Linear(b, c), nn.LayerNorm(c), nn.Dropout(dropout)),
        )
        self.proj = nn.Linear(a, c)

    def forward(self, x: Tensor) -> Tensor:
        """[..., a] → [..., c]."""
        y: Tensor = self.mod(x) + self.proj(x)
        return y


class Perceptron(nn.Module):
    """Steps l0→l1→…→ln, by twos in residual blocks; an odd last step stands alone."""

    def __init__(self, layers: Sequence[int], dropout: float) -> None:
        super().__init__()
        steps: list[nn.Module] = []
        for a, b, c in zip(layers[0::2], layers[1::2], layers[2::2], strict=False):
            steps += [ResidualBlock(a, b, c, dropout), nn.GELU()]
        if len(layers) % 2 == 0:
            a, b = layers[-2:]
            steps += [nn.Linear(a, b), nn.LayerNorm(b), nn.Dropout(dropout), nn.GELU()]
        self.model = nn.Sequential(*steps)

    def forward(self, x: Tensor) -> Tensor:
        """[..., l0] → [..., ln]."""
        y: Tensor = self.model(x)
        return y


class VariationalPerceptron(nn.Module):
    """Linear, perceptron, and two heads: a Gaussian from a vector."""

    def __init__(
        self, in_dim: int, layers: Sequence[int], out_dim: int, dropout: float, *, in_bias: bool
    ) -> None:
        super().__init__()
        self.model = nn.Sequential(nn.Linear(in_dim, layers[0], bias=in_bias), Perceptron(layers, dropout))
        self.out_mu = nn.Linear(layers[-1], out_dim)
        self.out_sigma = nn.Linear(layers[-1], out_dim)

    def forward(self, x: Tensor) -> Gaussian:
        """[..., in_dim] → Gaussian over [..., out_dim]."""
        hidden = self.model(x)
        return Gaussian(self.out_mu(hidden), self.out_sigma(hidden))


class EfficientAttention(nn.Module):
    """Attention in linear time (Shen et al., "Efficient Attention", WACV 2021), without mask or position.

    Queries and keys are each softmaxed over the features of a head. The context kᵀv is a sum over tokens,
    so tokens may come in any order, and a part of the sum may be kept while other tokens change.
    """

    def __init__(self, embed_dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(embed_dim)
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.highway = nn.Linear(embed_dim, embed_dim)

    def context(self, tokens: Tensor) -> Tensor:
        """Σ kᵀv over tokens: [..., L, E] → [..., H, d, d], d = E / H."""
        normed = self.norm(tokens)
        key = self._split(self.key(normed)).softmax(dim=-1)
        return key.transpose(-1, -2) @ self._split(self.value(normed))

    def read(self, tokens: Tensor, context: Tensor) -> Tensor:
        """What tokens [..., L, E] find in a context [..., H, d, d]: [..., L, E]."""
        query = self._split(self.query(self.norm(tokens))).softmax(dim=-1)
        found = (query @ context).transpose(-2, -3).flatten(start_dim=-2)
        y: Tensor = self.highway(tokens) + found
        return y

    def _split(self, x: Tensor) -> Tensor:
        """[..., L, E] → [..., H, L, d]: heads are contiguous blocks of features."""
        return x.reshape(*x.shape[:-1], self.heads, -1).transpose(-2, -3)


class FeedForward(nn.Module):
    """Pre-norm linear, GELU, dropout, linear, with a residual."""

    def __init__(self, embed_dim: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(embed_dim)
        self.linear1 = nn.Linear(embed_dim, hidden)
        self.linear2 = nn.Linear(hidden, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """[..., E] → [..., E]."""
        hidden = self.dropout(nn.functional.gelu(self.linear1(self.norm(x))))
        y: Tensor = x + self.linear2(hidden)
        return y


class AttentionLayer(nn.Module):
    """Efficient attention, then feed-forward."""

    def __init__(self, embed_dim: int, heads: int, exp_rate: int, dropout: float) -> None:
        super().__init__()
        self.esa = EfficientAttention(embed_dim, heads)
        self.ffn = FeedForward(embed_dim, embed_dim * exp_rate, dropout)

    def read(self, tokens: Tensor, context: Tensor) -> Tensor:
        """Tokens [..., L, E] after the layer, given the context [..., H, d, d] of all tokens."""
        y: Tensor = self.ffn(self.esa.read(tokens, context))
        return y


class AttentionEncoder(nn.Module):
    """The one attention layer that remixer and aggregator have."""

    def __init__(self, embed_dim: int, heads: int, exp_rate: int, dropout: float) -> None:
        super().__init__()
        self.encoder = nn.ModuleList([AttentionLayer(embed_dim, heads, exp_rate, dropout)])

    @property
    def layer(self) -> AttentionLayer:
        """The layer."""
        layer = self.encoder[0]
        assert isinstance(layer, AttentionLayer)
        return layer
