"""A small CLAP audio tower of laion_clap's class, with weights by rule, and its checkpoint."""

import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import nn

from ssv2a.embed.laion import _htsat
from ssv2a.parity import draw

SECOND = 48_000  # samples
DIM = 12  # of its vectors
_SIZES: dict[str, Any] = {
    "spec_size": 256,
    "patch_size": 4,
    "patch_stride": (4, 4),
    "num_classes": 5,
    "embed_dim": 8,
    "depths": [1, 2, 1, 1],
    "num_heads": [1, 2, 2, 4],
    "window_size": 8,
    "config": SimpleNamespace(
        mel_bins=64, window_size=1024, hop_size=480, sample_rate=SECOND, fmin=50, fmax=14_000
    ),
}


def small_clap(dim: int = DIM) -> nn.ModuleDict:
    """`audio_branch` and `audio_projection` in evaluation mode; 10 s of sound take 0.1 s."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.meshgrid", category=UserWarning)
        tower = _htsat()(**_SIZES)
    projection = nn.Sequential(nn.Linear(64, dim), nn.ReLU(), nn.Linear(dim, dim))
    network = nn.ModuleDict({"audio_branch": tower, "audio_projection": projection})
    for key, parameter in network.named_parameters():
        if "extractor" in key:
            continue  # of the Fourier transform and the mel filters
        x = draw(f"clap.{key}", *parameter.shape)
        if parameter.ndim > 1:
            parameter.data = x / np.sqrt(x[0].numel())
        else:
            parameter.data = 1 + 0.1 * x if key.endswith("weight") else 0.1 * x
    tower.bn0.running_mean.fill_(-30)
    tower.bn0.running_var.fill_(400)
    return network.eval().requires_grad_(False)


def write_clap(folder: Path, dim: int = DIM) -> Path:
    """The same as a checkpoint of laion_clap."""
    torch.save({"epoch": 1, "state_dict": small_clap(dim).state_dict()}, folder / "clap.pt")
    return folder / "clap.pt"
