"""The transformer of LAION's DALL-E 2 prior (Ramesh et al. 2022, section 2.2), with the released key names.

Tokens: 77 of the text, the text's vector, the time step, the noisy image vector, a learned query whose
output is the clean image vector. Attention is causal, so what belongs to the text never depends on the step:
its keys and values are computed once (`read`), and a step (`denoise`) costs three tokens instead of 81. That
is exact.

The released weights belong to dalle2-pytorch 1.1.0, which has ways of its own, kept here because the weights
were trained with them: one key and value head for all query heads and a learned null key in front of them;
relative position biases multiplied by 128, their distances counted from the null key; rotary positions on
neighbouring pairs of features; a last normalisation that first divides by the largest feature. Later versions
of that package compute attention in another way under the same key names.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ssv2a.errors import WeightsError

BUCKETS = 32  # of relative distances (Raffel et al. 2020, T5)
FARTHEST = 128  # distance from which all distances share a bucket
BIAS_SCALE = 128.0  # that version's softmax multiplies the biases, not the products, by it
ROTARY = 32  # features of a head that are rotated, at most


class KeysValues(NamedTuple):
    """What later tokens attend to, in one layer; the null key is the first."""

    keys: Tensor  # [batch, tokens + 1, dim_head]
    values: Tensor  # [batch, tokens + 1, dim_head]

    def repeat(self, times: int) -> KeysValues:
        """Every row of the batch `times` times, next to each other."""
        return KeysValues(*(tensor.repeat_interleave(times, dim=0) for tensor in self))


@dataclass(frozen=True, slots=True)
class PriorSize:
    """The sizes of a prior; LAION's has those of the comments."""

    dim: int  # 768, of CLIP ViT-L/14
    depth: int  # 12
    heads: int  # 12
    dim_head: int  # 64
    feed_forward: int  # 3072
    text_tokens: int  # 77
    timesteps: int  # 1000

    @classmethod
    def of(cls, state: Mapping[str, Tensor]) -> PriorSize:
        """The sizes that a state dict has (keys without `net.`).

        Raises:
            WeightsError: the keys that tell them are missing or no matrices.
        """
        try:
            text_tokens, dim = state["null_text_embed"].shape[1:]
            first = "causal_transformer.layers.0"
            return cls(
                dim=dim,
                depth=1 + max(int(key.split(".")[2]) for key in state if ".layers." in key),
                heads=state["causal_transformer.rel_pos_bias.relative_attention_bias.weight"].shape[1],
                dim_head=state[f"{first}.0.null_kv"].shape[1],
                feed_forward=state[f"{first}.1.5.weight"].shape[1],
                text_tokens=text_tokens,
                timesteps=state["to_time_embeds.0.weight"].shape[0],
            )
        except (KeyError, IndexError, ValueError) as error:
            raise WeightsError(
                "not a prior of dalle2-pytorch 1.1.0: expected keys like net.null_text_embed [1, 77, 768] "
                f"and net.causal_transformer.layers.0.0.null_kv [2, 64], got: {error!r}. "
                "Use LAION's prior/latest.pth or prior/best.pth."
            ) from error


class PriorNetwork(nn.Module):
    """Noisy image vector, time step and text → clean image vector, all scaled by √dim.

    Args:
        size: the sizes.
    """

    def __init__(self, size: PriorSize) -> None:
        super().__init__()
        self.size = size
        self.to_time_embeds = nn.Sequential(nn.Embedding(size.timesteps, size.dim))
        self.learned_query = nn.Parameter(torch.empty(size.dim))
        self.null_text_embed = nn.Parameter(torch.empty(1, size.text_tokens, size.dim))
        self.causal_transformer = _CausalTransformer(size)

    def read(self, encodings: Tensor, mask: Tensor, vectors: Tensor) -> list[KeysValues]:
        """The layers' keys and values of some texts.

        Args:
            encodings: [n, 77, dim] CLIP's outputs for each token.
            mask: [n, 77] bool, true up to the end-of-text token; the other places get learned fillings.
            vectors: [n, dim] CLIP text vectors, L2-normalised.
        """
        missing = self.size.text_tokens - mask.shape[1]  # below zero: the last are cut off
        encodings = functional.pad(encodings, (0, 0, 0, missing))
        mask = functional.pad(mask, (0, missing))
        tokens = torch.where(mask[..., None], encodings, self.null_text_embed)
        tokens = torch.cat([tokens, vectors[:, None]], dim=1)
        seen: list[KeysValues] = self.causal_transformer(tokens, None)[1]
        return seen

    def denoise(self, noisy: Tensor, time: int, texts: list[KeysValues]) -> Tensor:
        """The clean image vectors [n, dim] that noisy ones [n, dim] of time step `time` came from."""
        step = self.to_time_embeds(torch.tensor(time, device=noisy.device)).expand_as(noisy)
        query = self.learned_query.expand_as(noisy)
        tokens, _ = self.causal_transformer(torch.stack([step, noisy, query], dim=1), texts)
        return self.causal_transformer.finish(tokens[:, -1])


class _CausalTransformer(nn.Module):
    def __init__(self, size: PriorSize) -> None:
        super().__init__()
        self.rel_pos_bias = _DistanceBias(size.heads)
        self.layers = nn.ModuleList(
            _Layer([_Attention(size), _feed_forward(size)]) for _ in range(size.depth)
        )
        self.norm = _Norm(size.dim)
        self.project_out = nn.Linear(size.dim, size.dim, bias=False)

    def forward(self, x: Tensor, past: list[KeysValues] | None) -> tuple[Tensor, list[KeysValues]]:
        """Tokens [n, length, dim] after those of `past` → their last states, and all keys and values."""
        start = past[0].keys.shape[1] - 1 if past else 0
        positions = torch.arange(start, start + x.shape[1], device=x.device)
        bias = self.rel_pos_bias(positions, start + x.shape[1] + 1)
        seen = []
        for i, layer in enumerate(self.layers):
            x, keys_values = layer(x, positions, bias, past[i] if past else None)
            seen.append(keys_values)
        return x, seen

    def finish(self, x: Tensor) -> Tensor:
        """The output of last states [n, dim]."""
        return self.project_out(self.norm(x / x.amax(dim=-1, keepdim=True)))  # type: ignore[no-any-return]


class _Layer(nn.ModuleList):
    """Attention, then the feed-forward network, each added to what goes in."""

    def forward(
        self, x: Tensor, positions: Tensor, bias: Tensor, past: KeysValues | None
    ) -> tuple[Tensor, KeysValues]:
        attention, feed_forward = self
        y, seen = attention(x, positions, bias, past)
        x = x + y
        return x + feed_forward(x), seen


class _DistanceBias(nn.Module):
    """T5's biases: one number for a head and a bucket of distances; the nearer, the finer the buckets."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.relative_attention_bias = nn.Embedding(BUCKETS, heads)

    def forward(self, positions: Tensor, keys: int) -> Tensor:
        """Biases [heads, queries, keys] of queries at `positions`; −∞ for keys that come later.

        Key 0 is the null key and key k + 1 is token k, but distances are counted as if key k were token k.
        """
        distance = positions[:, None] - torch.arange(keys, device=positions.device)
        biases = self.relative_attention_bias(_bucket(distance)).permute(2, 0, 1) * BIAS_SCALE
        return biases.masked_fill(distance < -1, -math.inf)  # type: ignore[no-any-return]


def _bucket(distance: Tensor) -> Tensor:
    """Distances below 16 have their own bucket; up to 128 the buckets are evenly spread in logarithm."""
    exact = BUCKETS // 2
    near = distance.clamp_min(0)
    ratio = torch.log(near.clamp_min(1).float() / exact) / math.log(FARTHEST / exact)
    far = (exact + (ratio * (BUCKETS - exact)).long()).clamp_max(BUCKETS - 1)
    return torch.where(near < exact, near, far)


class _Norm(nn.Module):
    """Layer normalisation with a gain and no offset."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.empty(dim))

    def forward(self, x: Tensor) -> Tensor:
        return functional.layer_norm(x, self.g.shape, self.g, eps=1e-5)


class _Rotary(nn.Module):
    """Rotary positions (Su et al. 2021), on neighbouring pairs of the first features."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("freqs", torch.empty(features // 2))
        self.freqs: Tensor

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        """Rotate x [..., length, features] by its positions [length]."""
        angle = positions.to(self.freqs)[:, None] * self.freqs
        cosine, sine = angle.cos(), angle.sin()
        features = 2 * self.freqs.numel()
        even, odd = x[..., 0:features:2], x[..., 1:features:2]
        pairs = torch.stack([even * cosine - odd * sine, odd * cosine + even * sine], dim=-1)
        return torch.cat([pairs.flatten(-2), x[..., features:]], dim=-1)


class _Attention(nn.Module):
    """Causal attention of many query heads to one key and value head (Shazeer 2019)."""

    def __init__(self, size: PriorSize) -> None:
        super().__init__()
        self.heads = size.heads
        inner = size.heads * size.dim_head
        self.norm = _Norm(size.dim)
        self.null_kv = nn.Parameter(torch.empty(2, size.dim_head))
        self.to_q = nn.Linear(size.dim, inner, bias=False)
        self.to_kv = nn.Linear(size.dim, 2 * size.dim_head, bias=False)
        self.rotary_emb = _Rotary(min(ROTARY, size.dim_head))
        self.to_out = nn.Sequential(nn.Linear(inner, size.dim, bias=False), _Norm(size.dim))

    def forward(
        self, x: Tensor, positions: Tensor, bias: Tensor, past: KeysValues | None
    ) -> tuple[Tensor, KeysValues]:
        """Tokens [n, length, dim] attend to `past` and to themselves, with biases [heads, length, keys]."""
        x = self.norm(x)
        queries = self.to_q(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        queries = self.rotary_emb(queries, positions)  # [n, heads, length, dim_head]
        keys, values = self.to_kv(x).chunk(2, dim=-1)
        if past is None:
            past = KeysValues(*self.null_kv.expand(len(x), -1, -1)[:, :, None].unbind(dim=1))
        seen = KeysValues(
            torch.cat([past.keys, self.rotary_emb(keys, positions)], dim=1),
            torch.cat([past.values, values], dim=1),
        )
        y = functional.scaled_dot_product_attention(
            queries,
            seen.keys[:, None].expand(-1, self.heads, -1, -1),
            seen.values[:, None].expand(-1, self.heads, -1, -1),
            attn_mask=bias[None],
        )
        return self.to_out(y.transpose(1, 2).flatten(2)), seen


class _Gated(nn.Module):
    """SwiGLU (Shazeer 2020): the first half times SiLU of the second."""

    def forward(self, x: Tensor) -> Tensor:
        value, gate = x.chunk(2, dim=-1)
        return value * functional.silu(gate)


def _feed_forward(size: PriorSize) -> nn.Sequential:
    """Gated feed-forward, normalised before and within (NormFormer, Shleifer et al. 2021)."""
    return nn.Sequential(
        _Norm(size.dim),
        nn.Linear(size.dim, 2 * size.feed_forward, bias=False),
        _Gated(),
        _Norm(size.feed_forward),
        nn.Identity(),  # dropout while training: the released keys count it
        nn.Linear(size.feed_forward, size.dim, bias=False),
    )
