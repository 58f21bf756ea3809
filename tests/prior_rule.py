"""A tiny DALL-E 2 prior by rule: weights and inputs that anyone can make again in numpy."""

import math

import torch
from torch import Tensor

from ssv2a.parity import draw, unit

DIM, DEPTH, HEADS, DIM_HEAD, FEED_FORWARD, TOKENS, TIMESTEPS = 24, 2, 3, 40, 96, 77, 20


def cosine_betas(timesteps: int) -> Tensor:
    """Nichol & Dhariwal 2021, eq. 17, with s = .008, as the released prior."""
    times = torch.linspace(0, timesteps, timesteps + 1, dtype=torch.float64) / timesteps
    alphas = torch.cos((times + 0.008) / 1.008 * math.pi / 2) ** 2
    return (1 - alphas[1:] / alphas[:-1]).clip(0, 0.999).float()


def released_state(
    dim: int = DIM,
    depth: int = DEPTH,
    heads: int = HEADS,
    dim_head: int = DIM_HEAD,
    feed_forward: int = FEED_FORWARD,
    tokens: int = TOKENS,
    timesteps: int = TIMESTEPS,
) -> dict[str, Tensor]:
    """A state dict with the keys of LAION's file, a key of its CLIP among them."""
    shapes: dict[str, tuple[int, ...]] = {
        "learned_query": (dim,),
        "null_text_embed": (1, tokens, dim),
        "to_time_embeds.0.weight": (timesteps, dim),
        "causal_transformer.rel_pos_bias.relative_attention_bias.weight": (32, heads),
        "causal_transformer.norm.g": (dim,),
        "causal_transformer.project_out.weight": (dim, dim),
    }
    for i in range(depth):
        shapes |= {
            f"causal_transformer.layers.{i}.{key}": shape
            for key, shape in {
                "0.norm.g": (dim,),
                "0.null_kv": (2, dim_head),
                "0.to_q.weight": (heads * dim_head, dim),
                "0.to_kv.weight": (2 * dim_head, dim),
                "0.to_out.0.weight": (dim, heads * dim_head),
                "0.to_out.1.g": (dim,),
                "1.0.g": (dim,),
                "1.1.weight": (2 * feed_forward, dim),
                "1.3.g": (feed_forward,),
                "1.5.weight": (dim, feed_forward),
            }.items()
        }
    state = {f"net.{key}": _weight(f"prior.{key}", shape) for key, shape in shapes.items()}
    rotated = min(32, dim_head)
    for i in range(depth):
        freqs = 10000.0 ** (-torch.arange(0, rotated, 2) / rotated)
        state[f"net.causal_transformer.layers.{i}.0.rotary_emb.freqs"] = freqs
    state["noise_scheduler.betas"] = cosine_betas(timesteps)
    state["noise_scheduler.alphas_cumprod"] = torch.cumprod(1 - cosine_betas(timesteps), dim=0)
    state["clip.clip.logit_scale"] = torch.tensor(4.6)
    return state


def _weight(name: str, shape: tuple[int, ...]) -> Tensor:
    x = draw(name, *shape)
    if name.endswith("relative_attention_bias.weight"):
        return 0.02 * x  # it is multiplied by 128
    if name.endswith("to_q.weight"):
        return 8 * x / math.sqrt(shape[-1])  # attention so sharp that the noise decides
    if name.endswith(".g"):
        return 1 + 0.1 * x
    return x / math.sqrt(shape[-1]) if name.endswith("weight") else x


def texts(count: int, dim: int = DIM, tokens: int = TOKENS) -> tuple[Tensor, Tensor, Tensor]:
    """Vectors [n, dim], encodings [n, 77, dim] (zero after the end), mask [n, 77]; of 3, 10, 17 … tokens."""
    vectors = unit(draw("prior.vectors", count, dim))
    mask = torch.arange(tokens)[None] < 3 + 7 * torch.arange(count)[:, None]
    encodings = draw("prior.encodings", count, tokens, dim) * mask[..., None]
    return vectors, encodings, mask


def noise(step: int, count: int, dim: int = DIM) -> Tensor:
    """The noise before the first step (0) and in step 1, 2, …"""
    return draw(f"prior.noise.{step}", count, dim)
