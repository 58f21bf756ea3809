"""The rule by which weights and inputs of the parity files are made, and networks filled by it."""

import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ssv2a.config import Ssv2aConfig
from ssv2a.networks import Networks

DATA = Path(__file__).parent / "data" / "parity"
QUIET_BIAS = -60.0  # of out_sigma: a deviation of e⁻³⁰


def draw(name: str, *shape: int) -> Tensor:
    seed = zlib.crc32(name.encode()) & 0xFFFFFFFF
    return torch.from_numpy(np.random.RandomState(seed).standard_normal(shape).astype(np.float32))


def unit(x: Tensor) -> Tensor:
    return x / x.norm(dim=-1, keepdim=True)


def rule_made(config: Ssv2aConfig) -> Networks:
    """Networks whose every weight follows the rule; scalars and positions keep their constructed value."""
    networks = Networks.untrained(config, seed=0)
    for module_name, module in networks.modules.items():
        for key, parameter in module.named_parameters():
            if parameter.ndim == 0:
                continue
            x = draw(f"{module_name}.{key}", *parameter.shape)
            if "pred_token" in key:
                value = x
            elif x.ndim >= 2:
                value = x / np.sqrt(x.shape[-1])
            elif key.endswith(".weight"):
                value = 1 + 0.1 * x
            else:
                value = 0.1 * x
            parameter.data = value
    return networks.for_inference("cpu")


@contextmanager
def without_noise(networks: Networks) -> Iterator[Networks]:
    """The same networks with the noise of manifold, generator and remixer off ("quiet") for a while."""
    heads = [
        (key, parameter, parameter.data)
        for module in (networks.manifold, networks.generator, networks.remixer)
        for key, parameter in module.named_parameters()
        if "out_sigma" in key
    ]
    for key, parameter, value in heads:
        parameter.data = torch.full_like(value, QUIET_BIAS if key.endswith("bias") else 0.0)
    try:
        yield networks
    finally:
        for _, parameter, value in heads:
            parameter.data = value


def released_config() -> Ssv2aConfig:
    return Ssv2aConfig.from_file(DATA / "ssv2a.json")


def released_shapes() -> dict[str, dict[str, list[int]]]:
    shapes: dict[str, dict[str, list[int]]] = json.loads((DATA / "state_dict_shapes.json").read_text())
    return shapes


def tiny_config() -> Ssv2aConfig:
    """The same architecture at a size for quick tests: CLIP 12, folds 20, CLAP 16."""
    content = json.loads((DATA / "ssv2a.json").read_text())
    content |= {"clip_dim": 12, "clap_dim": 16, "manifold_dim": 20}
    content["manifold"]["layers"] = [20, 20, 24, 24]
    content["generator"]["layers"] = [20, 24, 28]
    content["remixer"]["styler"] |= {"embed_dim": 24, "nhead": 4}
    return Ssv2aConfig.from_json(content)
