"""The losses of SSV2A's training, as pure functions (arXiv 2411.15447; its training code is not released).

Where the paper leaves a formula open, the docstring says which reading is taken.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, cross_entropy, normalize

from ssv2a.layers import Gaussian

_LARGEST_LOGIT_SCALE = math.log(100)


def kl_to_standard_normal(law: Gaussian) -> Tensor:
    """KL(N(mu, σ²) ‖ N(0, I)) in nats, summed over features, mean over the batch: a scalar.

    −½ Σ (1 + log σ² − mu² − σ²) (Kingma & Welling 2014, appendix B).
    """
    nats = 0.5 * (law.mu.square() + law.log_sigma.exp() - 1 - law.log_sigma)
    return nats.sum(dim=-1).mean()


def contrast(a: Tensor, b: Tensor, logit_scale: Tensor, mask: Tensor | None = None) -> Tensor:
    """Symmetric cross-entropy over cosines of pairs [n, d] and [n, d] (CLIP, Radford et al. 2021): a scalar.

    Args:
        a: vectors, of any length.
        b: their partners, row by row.
        logit_scale: logarithm of the inverse temperature; clamped to [0, ln 100].
        mask: [n, n], multiplies the cosines.
    """
    cosines = normalize(a, dim=-1) @ normalize(b, dim=-1).T
    if mask is not None:
        cosines = cosines * mask
    logits = cosines * logit_scale.clamp(0, _LARGEST_LOGIT_SCALE).exp()
    pairs = torch.arange(len(a), device=a.device)
    return (cross_entropy(logits, pairs) + cross_entropy(logits.T, pairs)) / 2


def likeness_mask(clips: Tensor, claps: Tensor, strength: float) -> Tensor:
    """The cross-modal regulariser: a factor [n, n] for the similarity matrix.

    1 − strength · max(0, cos CLIP) · max(0, cos CLAP) off the diagonal, 1 on it: two sources that look and
    sound alike are pushed apart less. The paper gives the product and the strength (0.35); that it is
    taken off from 1, and cut at 0, is the reading taken here.
    """
    clip_likeness = (normalize(clips, dim=-1) @ normalize(clips, dim=-1).T).clamp_min(0)
    clap_likeness = (normalize(claps, dim=-1) @ normalize(claps, dim=-1).T).clamp_min(0)
    others = 1 - torch.eye(len(clips), device=clips.device)
    return 1 - strength * others * clip_likeness * clap_likeness


def variational_contrast(
    a: Gaussian,
    b: Gaussian,
    logit_scale: Tensor,
    *,
    generator: torch.Generator,
    samples: int,
    mask: Tensor | None = None,
) -> Tensor:
    """`contrast` between samples of two sets of distributions, a Monte Carlo mean: a scalar.

    `samples` draws of each side meet in a random permutation.
    """
    drawn_a = a.sample(generator, shape=(samples,))
    drawn_b = b.sample(generator, shape=(samples,))
    order = torch.randperm(samples, generator=generator).tolist()
    losses = [contrast(drawn_a[i], drawn_b[j], logit_scale, mask) for i, j in enumerate(order)]
    return torch.stack(losses).mean()


def cosine_distance(found: Tensor, wanted: Tensor) -> Tensor:
    """Mean of 1 − cos over rows [..., d]: a scalar, 0..2."""
    return (1 - cosine_similarity(found, wanted, dim=-1)).mean()


def squared_cosine_distance(found: Tensor, wanted: Tensor) -> Tensor:
    """Mean of (1 − cos)² over rows [..., d]: a scalar, 0..4."""
    return (1 - cosine_similarity(found, wanted, dim=-1)).square().mean()


def mute_slots(slots: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Slots [..., S, d] with each slot set to zero whole with this probability."""
    kept = torch.rand(slots.shape[:-1], generator=generator) >= probability
    return slots * kept.unsqueeze(-1).to(slots)
