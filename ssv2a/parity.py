"""What the SSV2A networks and Cycle Mix compute from weights and inputs that are made by a rule.

    python -m ssv2a.parity --salt 7 --out parity.npz

Two implementations that share nothing but the rule can be compared number by number, and nobody needs the
released weights for it. The weights are written as a released pair of checkpoints and loaded as users' are.

The rule: `draw(name, shape)` is standard normal noise from numpy's RandomState, seeded with
CRC-32(name) xor salt. Weight K of module M is x = draw("M.K"), scaled: as it is for prediction tokens;
x / √(last axis) with two or more axes; 1 + x/10 for other weights; x/10 for biases. Scalars and positions
keep the value they are constructed with.
"""

from __future__ import annotations

import math
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor

from ssv2a.config import Ssv2aConfig
from ssv2a.cycle_mix import Mix, cycle_mix
from ssv2a.layers import Gaussian
from ssv2a.networks import Networks
from ssv2a.types import MAX_SLOTS, FloatArray
from ssv2a.weights import load_released

RELEASED_CONFIG = Path(__file__).with_name("released.json")  # as released with SSV2A
QUIET_BIAS = -60.0  # of out_sigma: a deviation of e⁻³⁰
_SOURCES = (0, 5, 63)  # of the three images that are searched
_SEEN, _HEARD = 4, 2  # sources of the multimodal search


def draw(name: str, *shape: int, salt: int = 0) -> Tensor:
    """Standard normal noise of a shape, float32, that its name and the salt fix."""
    rule = np.random.RandomState((zlib.crc32(name.encode()) ^ salt) & 0xFFFFFFFF)
    return torch.from_numpy(rule.standard_normal(shape).astype(np.float32))


def unit(x: Tensor) -> Tensor:
    """Vectors [..., D], L2-normalised."""
    y: Tensor = x / x.norm(dim=-1, keepdim=True)
    return y


@torch.no_grad()
def follow_rule(networks: Networks, salt: int = 0) -> Networks:
    """The same networks, each weight made by the rule."""
    for name, module in networks.modules.items():
        for key, parameter in module.named_parameters():
            if parameter.ndim:
                parameter.copy_(_weight(key, draw(f"{name}.{key}", *parameter.shape, salt=salt)))
    return networks


def _weight(key: str, x: Tensor) -> Tensor:
    if "pred_token" in key:
        return x
    if x.ndim >= 2:
        return x / math.sqrt(x.shape[-1])
    return 1 + 0.1 * x if key.endswith(".weight") else 0.1 * x


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


def compute(salt: int = 0, config_file: Path = RELEASED_CONFIG) -> dict[str, FloatArray]:
    """Every array of the comparison.

    Writes `ssv2a.json`, `ssv2a.pth` and `agg.pth` into a temporary folder (about 350 MB at the released
    sizes) and loads them from there.

    Args:
        salt: another one gives other weights and inputs.
        config_file: in the released form.

    Returns:
        `*.mu` and `*.log_sigma` of each network; `cycle_mix.its{0,4}` (three images: with no source, 5 and
        63), `multimodal.its{0,4}` and `audio_only.its4`, without noise, each [B, clap_dim], with
        `.round_claps` [rounds, B, clap_dim] and `.round_scores` [rounds, B].
    """
    with TemporaryDirectory(prefix="ssv2a-parity-") as name:
        folder = Path(name)
        shutil.copyfile(config_file, folder / "ssv2a.json")
        config = Ssv2aConfig.from_file(folder / "ssv2a.json")
        write_checkpoints(follow_rule(Networks.untrained(config, seed=0), salt), folder)
        networks = load_released(config, folder / "ssv2a.pth", folder / "agg.pth")
    arrays: dict[str, Tensor] = {}
    for key, law in _laws(networks, salt).items():
        arrays |= {f"{key}.mu": law.mu, f"{key}.log_sigma": law.log_sigma}
    with without_noise(networks):
        for key, mix in _searches(networks, salt).items():
            rounds = {f"{key}.round_claps": mix.round_claps, f"{key}.round_scores": mix.round_scores}
            arrays |= {key: mix.claps, **rounds}
    return {key: tensor.numpy() for key, tensor in arrays.items()}


def write_checkpoints(networks: Networks, folder: Path) -> None:
    """Write `ssv2a.pth` and `agg.pth` in the released form."""
    states = {f"{name}_state": module.state_dict() for name, module in networks.modules.items()}
    aggregator = states.pop("aggregator_state")
    torch.save({"timestamp": "by rule", **states}, folder / "ssv2a.pth")
    torch.save(aggregator, folder / "agg.pth")


@torch.inference_mode()
def _laws(networks: Networks, salt: int) -> dict[str, Gaussian]:
    """Each network's distributions over inputs by the rule."""
    sizes = networks.config
    clips = unit(draw("in.clip", 3, sizes.clip_dim, salt=salt))
    claps = unit(draw("in.clap", 3, sizes.clap_dim, salt=salt))
    slots = draw("in.remix.src", 3, MAX_SLOTS, sizes.fold_dim, salt=salt)
    laws = {
        "manifold.clip": networks.manifold.fold_clip(clips),
        "manifold.clap": networks.manifold.fold_clap(claps),
        "generator": networks.generator(draw("in.fold", 3, sizes.fold_dim, salt=salt)),
        "remixer": networks.remixer(slots, _images(sizes, salt)),
    }
    for length in (64, 16):
        frames = unit(draw(f"in.agg.{length}", 2, length, sizes.clap_dim, salt=salt))
        laws[f"aggregator.L{length}"] = networks.aggregator(frames)
    return laws


def _searches(networks: Networks, salt: int) -> dict[str, Mix]:
    """Cycle Mix over images, over images and sounds together, and over sounds alone."""
    images = _images(networks.config, salt)
    clips, folds = _images_and_sounds(networks, salt)
    nothing_seen, sounds = torch.zeros_like(clips), torch.zeros_like(folds)
    sounds[:, 1 : _HEARD + 1] = folds[:, _SEEN + 1 : _SEEN + _HEARD + 1]

    def search(clips: Tensor, its: int, fixed_folds: Tensor | None = None) -> Mix:
        noise = torch.Generator().manual_seed(0)  # without effect
        return cycle_mix(networks, clips, generator=noise, its=its, samples=2, fixed_folds=fixed_folds)

    return {
        "cycle_mix.its0": search(images, 0),
        "cycle_mix.its4": search(images, 4),
        "multimodal.its0": search(clips, 0, folds),
        "multimodal.its4": search(clips, 4, folds),
        "audio_only.its4": search(nothing_seen, 4, sounds),
    }


def _images(sizes: Ssv2aConfig, salt: int) -> Tensor:
    """CLIP slots [3, 64, clip_dim]: with no source, with 5, and with 63."""
    clips = torch.zeros(len(_SOURCES), MAX_SLOTS, sizes.clip_dim)
    for image, sources in enumerate(_SOURCES):
        clips[image, 0] = unit(draw(f"in.remix.global.{image}", sizes.clip_dim, salt=salt))
        drawn = draw(f"in.remix.sources.{image}", sources, sizes.clip_dim, salt=salt)
        clips[image, 1 : sources + 1] = unit(drawn)
    return clips


@torch.inference_mode()
def _images_and_sounds(networks: Networks, salt: int) -> tuple[Tensor, Tensor]:
    """CLIP slots [1, 64, clip_dim] and fixed folds [1, 64, fold_dim]: 4 images, 2 sounds; slot 0 empty."""
    sizes = networks.config
    clips = torch.zeros(1, MAX_SLOTS, sizes.clip_dim)
    folds = torch.zeros(1, MAX_SLOTS, sizes.fold_dim)
    seen, heard = slice(1, _SEEN + 1), slice(_SEEN + 1, _SEEN + _HEARD + 1)
    clips[0, seen] = unit(draw("in.mm.clip", _SEEN, sizes.clip_dim, salt=salt))
    folds[0, seen] = networks.manifold.fold_clip(clips[0, seen]).mu
    claps = unit(draw("in.mm.clap", _HEARD, sizes.clap_dim, salt=salt))
    folds[0, heard] = networks.manifold.fold_clap(claps).mu
    return clips, folds


def main(
    out: Annotated[Path, typer.Option(help="The .npz file to write.", dir_okay=False)],
    salt: Annotated[int, typer.Option(help="Another salt makes other weights and inputs.")] = 0,
) -> None:
    """Compute the arrays by which implementations of the SSV2A networks are compared."""
    arrays = compute(salt)
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("wb") as file:  # a path would get .npz appended
        np.savez(file, **arrays)
    typer.echo(f"{out}: {len(arrays)} arrays, salt {salt}")


if __name__ == "__main__":
    typer.run(main)
