"""A bundle of the released kind with random or rule-made weights, tiny or at the released sizes."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import audioldm_models
import prior_rule
import torch
from parity_rule import released_json, tiny_json
from released_parts import CLIP_SIZES, CPU, write_detector
from safetensors.torch import save_file
from torch import nn

from ssv2a.bundle import Bundle, write_bundle
from ssv2a.config import Ssv2aConfig
from ssv2a.detect.yolo import Yolo
from ssv2a.embed.laion import _htsat
from ssv2a.networks import Networks
from ssv2a.parity import follow_rule, write_checkpoints

NOTICE = {"licence": "CC0-1.0", "attribution": "", "origin": "drawn for this test"}


@dataclass(frozen=True)
class Sizes:
    """Of every network."""

    ssv2a: Callable[[], dict[str, Any]]
    clip: dict[str, Any]
    prior: dict[str, Any]
    tower: dict[str, Any]
    audioldm: dict[str, Any]
    clap_dim: int
    yolo: str | None = None  # an architecture of ultralytics; None: the tiny one


def _tiny_networks() -> dict[str, Any]:
    return tiny_json() | {"clip_dim": prior_rule.DIM, "clap_dim": audioldm_models.CLAP_DIM}


def tiny() -> Sizes:
    return Sizes(
        ssv2a=_tiny_networks,
        clip=CLIP_SIZES | {"text_cfg": CLIP_SIZES["text_cfg"] | {"width": prior_rule.DIM, "heads": 2}},
        prior={},
        tower={"num_classes": 5, "embed_dim": 8, "depths": [1, 2, 1, 1], "num_heads": [1, 2, 2, 4]},
        audioldm={},
        clap_dim=audioldm_models.CLAP_DIM,
    )


def released() -> Sizes:
    """YOLOv8 nano, ViT-L/14, LAION's prior, HTSAT-tiny, AudioLDM-S-Full, and SSV2A as released."""
    from open_clip.factory import get_model_config

    return Sizes(
        ssv2a=released_json,
        clip=get_model_config("ViT-L-14-quickgelu"),
        prior={"dim": 768, "depth": 12, "heads": 12, "dim_head": 64, "feed_forward": 3072, "timesteps": 1000},
        tower={"num_classes": 527, "embed_dim": 96, "depths": [2, 2, 6, 2], "num_heads": [4, 8, 16, 32]},
        audioldm={
            "widths": (128, 256, 384, 640),
            "layers": 2,
            "vae_widths": (128, 256, 512),
            "vocoder_width": 1024,
            "clap_dim": 512,
            "text_width": 768,
            "text_layers": 12,
        },
        clap_dim=512,
        yolo="yolov8.yaml",
    )


def write_released_bundle(folder: Path, sizes: Sizes) -> Bundle:
    folder.mkdir(parents=True)
    _write_detector(folder, sizes.yolo)
    _write_clip(folder, sizes.clip)
    torch.save(prior_rule.released_state(**sizes.prior), folder / "prior.pth")
    (folder / "prior.json").write_text(json.dumps({"prior": {"sample_timesteps": 2}}))
    _write_clap(folder, sizes)
    (folder / "ssv2a.json").write_text(json.dumps(sizes.ssv2a()))
    config = Ssv2aConfig.from_file(folder / "ssv2a.json")
    write_checkpoints(follow_rule(Networks.untrained(config, seed=0)), folder)
    audioldm_models.write_folder(audioldm_models.networks(**sizes.audioldm), folder / "audioldm")
    files = (path.relative_to(folder).parts[0] for path in folder.iterdir())
    manifest = {"name": "ssv2a", "version": "1", "roles": _roles(), "files": dict.fromkeys(files, NOTICE)}
    return write_bundle(folder, manifest)


def _roles() -> dict[str, Any]:
    return {
        "detector": {
            "implementation": "yolo",
            "files": {"weights": "detector.yaml", "state": "detector.safetensors"},
            "options": {"iou": 0.0, "max_boxes": 64, "augment": True},
        },
        "image": {
            "implementation": "open_clip",
            "files": {"weights": "clip.safetensors", "config": "clip.json"},
            "options": {},
        },
        "text": {
            "implementation": "dalle2_prior",
            "files": {"weights": "prior.pth"},
            "options": {"samples": 2, "guidance": 1.0, "steps": 2},
        },
        "clap": {"implementation": "laion_clap", "files": {"weights": "clap.pt"}, "options": {}},
        "ssv2a": {
            "implementation": "released",
            "files": {"networks": "ssv2a.pth", "aggregator": "agg.pth", "config": "ssv2a.json"},
            "options": {"frames": 64},
        },
        "synthesis": {"implementation": "audioldm", "files": {"model": "audioldm"}, "options": {}},
    }


def _write_detector(folder: Path, architecture: str | None) -> None:
    """Random weights see nothing: their biases are raised until they do."""
    if architecture is None:
        for path, suffix in zip(write_detector(folder), ("yaml", "safetensors"), strict=True):
            path.rename(folder / f"detector.{suffix}")
        return
    package = find_spec("ultralytics")  # found, not imported: that is Yolo's
    assert package is not None
    assert package.origin is not None
    source = next((Path(package.origin).parent / "cfg").rglob(architecture))
    shutil.copyfile(source, folder / "detector.yaml")
    Yolo(folder / "detector.yaml", CPU)  # ultralytics, imported our way
    from ultralytics.nn.tasks import DetectionModel

    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = DetectionModel(str(folder / "detector.yaml"), verbose=False)
        for classes in model.model[-1].cv3:
            torch.nn.init.normal_(classes[-1].bias, mean=-2.5, std=0.7)
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, folder / "detector.safetensors")


def _write_clip(folder: Path, sizes: dict[str, Any]) -> None:
    from open_clip.model import CLIP

    with torch.random.fork_rng():
        torch.manual_seed(1)
        state = CLIP(**sizes).state_dict()
    save_file({key: value.contiguous() for key, value in state.items()}, folder / "clip.safetensors")
    (folder / "clip.json").write_text(json.dumps(sizes))


def _write_clap(folder: Path, sizes: Sizes) -> None:
    spectrum = {"mel_bins": 64, "window_size": 1024, "hop_size": 480, "sample_rate": 48_000}
    fixed = {"spec_size": 256, "patch_size": 4, "patch_stride": (4, 4), "window_size": 8}
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.meshgrid", category=UserWarning)
        torch.manual_seed(1)
        tower = _htsat()(**sizes.tower, **fixed, config=SimpleNamespace(**spectrum, fmin=50, fmax=14_000))
        width = tower.num_features
        projection = nn.Sequential(
            nn.Linear(width, sizes.clap_dim), nn.ReLU(), nn.Linear(sizes.clap_dim, sizes.clap_dim)
        )
    clap = nn.ModuleDict({"audio_branch": tower, "audio_projection": projection})
    torch.save({"state_dict": clap.state_dict()}, folder / "clap.pt")
