"""The layers that the SSV2A networks share. Attribute names follow the released checkpoints' keys.

LayerNorm uses eps 1e-5 and GELU is the exact one (erf), torch's defaults.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

_Index = slice | Tensor | tuple[slice | None, ...]


@dataclass(frozen=True, slots=True)
class Normal:
    """A diagonal normal distribution, ready to be drawn from."""

    mean: Tensor  # [..., D]
    deviation: Tensor  # [..., D]

    def sample(self, generator: torch.Generator, *, shape: Sequence[int] = ()) -> Tensor:
        """Draw [*shape, ..., D].

        Args:
            generator: on the CPU, so that a seed means the same on every device.
            shape: leading axes of independent draws.
        """
        noise = torch.randn((*shape, *self.mean.shape), generator=generator, dtype=self.mean.dtype)
        return self.scale_(noise.to(self.mean.device))

    def scale_(self, noise: Tensor) -> Tensor:
        """Turn standard normal noise [..., D] into draws, in place."""
        return noise.mul_(self.deviation).add_(self.mean)

    def __getitem__(self, index: _Index) -> Normal:
        return Normal(self.mean[index], self.deviation[index])

    def __setitem__(self, index: _Index, value: Normal) -> None:
        self.mean[index], self.deviation[index] = value.mean, value.deviation


@dataclass(frozen=True, slots=True)
class Gaussian:
    """A diagonal normal distribution, as a variational head predicts it."""

    mu: Tensor  # [..., D]
    log_sigma: Tensor  # [..., D], logarithm of the variance, so the deviation is exp(log_sigma / 2)

    def mean_of(self, var_samples: int) -> Normal:
        """The distribution of the mean of `var_samples` draws: the deviation is divided by √n."""
        return Normal(self.mu, torch.exp(self.log_sigma / 2) / math.sqrt(var_samples))

    def sample(
        self, generator: torch.Generator, *, var_samples: int = 1, shape: Sequence[int] = ()
    ) -> Tensor:
        """Draw the mean of `var_samples` draws: [*shape, ..., D], not normalised; see `Normal.sample`."""
        return self.mean_of(var_samples).sample(generator, shape=shape)


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

    Queries and keys are each softmaxed over the features of a head, not over tokens: what a query sees is
    a plain sum over tokens, q·Σ kᵀv. So tokens may come in any order, a part of the sum may be kept while
    other tokens change, and where few tokens ask, Σ (q·k) v is cheaper than the context Σ kᵀv.
    """

    def __init__(self, embed_dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(embed_dim)
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.highway = nn.Linear(embed_dim, embed_dim)

    def queries(self, tokens: Tensor) -> Tensor:
        """What tokens [..., Q, E] ask: [..., H, Q, d], d = E / H."""
        return self._split(self.query(self.norm(tokens))).softmax(dim=-1)

    def seen(self, queries: Tensor, tokens: Tensor) -> Tensor:
        """What queries [..., H, Q, d] see of tokens [..., L, E], a sum over these: [..., Q, E]."""
        normed = self.norm(tokens)
        keys = self._split(self.key(normed)).softmax(dim=-1)
        found = (queries @ keys.transpose(-1, -2)) @ self._split(self.value(normed))
        return found.transpose(-2, -3).flatten(start_dim=-2)

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
    """Efficient attention with its highway, then feed-forward: `ffn(esa.highway(tokens) + esa.seen(…))`."""

    def __init__(self, embed_dim: int, heads: int, exp_rate: int, dropout: float) -> None:
        super().__init__()
        self.esa = EfficientAttention(embed_dim, heads)
        self.ffn = FeedForward(embed_dim, embed_dim * exp_rate, dropout)


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
