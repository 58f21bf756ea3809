"""Small detectors and encoders of the released kinds, with weights drawn from seeds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
import yaml
from safetensors.torch import save_file

from ssv2a.detect.yolo import Yolo
from ssv2a.embed.clip import OpenClip
from ssv2a.types import ByteArray

CPU = torch.device("cpu")
CLASSES = 5

CLIP_SIZES = {
    "embed_dim": 24,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}

_DETECTOR = {  # yolov8, thinner
    "nc": CLASSES,
    "depth_multiple": 0.33,
    "width_multiple": 0.125,
    "backbone": [
        [-1, 1, "Conv", [64, 3, 2]],
        [-1, 1, "Conv", [128, 3, 2]],
        [-1, 1, "C2f", [128, True]],
        [-1, 1, "Conv", [256, 3, 2]],
        [-1, 1, "C2f", [256, True]],
        [-1, 1, "Conv", [512, 3, 2]],
        [-1, 1, "C2f", [512, True]],
        [-1, 1, "Conv", [1024, 3, 2]],
        [-1, 1, "SPPF", [1024, 5]],
    ],
    "head": [[[4, 6, 8], 1, "Detect", ["nc"]]],
}


def write_architecture(folder: Path) -> Path:
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(_DETECTOR))
    return path


def write_detector(folder: Path, seed: int = 1) -> tuple[Path, Path]:
    """An architecture and a state with which it finds things: (yaml, safetensors).

    Random weights see next to nothing in a picture: the layers' gains are raised until they do.
    """
    architecture = write_architecture(folder)
    Yolo(architecture, CPU)  # ultralytics, imported our way
    from ultralytics.nn.tasks import DetectionModel

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = DetectionModel(str(architecture), verbose=False)
        for name, parameter in model.named_parameters():
            if parameter.ndim == 4 and "dfl" not in name:
                torch.nn.init.normal_(parameter, std=2 / parameter[0].numel() ** 0.5)
        for sides, classes in zip(model.model[-1].cv2, model.model[-1].cv3, strict=True):
            sides[-1].bias.data = -0.7 * torch.arange(16.0).repeat(4)  # short distances: small boxes
            classes[-1].weight.data /= 3
            torch.nn.init.normal_(classes[-1].bias, mean=-1.5, std=0.5)
    state = folder / "tiny.safetensors"
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, state)
    return architecture, state


def write_clip(folder: Path, seed: int = 1) -> tuple[Path, Path]:
    """Weights and sizes of a CLIP with two layers: (safetensors, json)."""
    from open_clip.model import CLIP

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = CLIP(**CLIP_SIZES)
    weights, config = folder / "clip.safetensors", folder / "clip.json"
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, weights)
    config.write_text(json.dumps(CLIP_SIZES))
    return weights, config


def small_clip(folder: Path) -> OpenClip:
    weights, config = write_clip(folder)
    return OpenClip.load(weights, CPU, config=config)


def noise(height: int, width: int, seed: int = 0) -> ByteArray:
    """A picture [height, width, 3] of coloured patches."""
    rng = np.random.default_rng(seed)
    patches = rng.integers(0, 256, (-(-height // 16), -(-width // 16), 3), np.uint8)
    return np.ascontiguousarray(np.kron(patches, np.ones((16, 16, 1), np.uint8))[:height, :width])
