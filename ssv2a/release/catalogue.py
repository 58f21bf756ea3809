"""The releases that `foley models install` knows: addresses, sizes, sums and licences, as published.

Where they are from, looked up in November 2026:

- SSV2A: the README of github.com/wguo86/SSV2A names the Google Drive folder and the three files. No sizes
  or sums are published; sizes here follow from the number of parameters in float32.
- AudioLDM: the hub repository cvssp/audioldm-s-full-v2 at the commit that added the safetensors files; the
  two sums are those of its Git LFS pages. The text side's tokenizer is not needed: only the vector of the
  empty text is.
- AudioLDM's original checkpoint: the record in the package `audioldm`; the audio tower of the CLAP that
  SSV2A was trained against is nowhere else, the hub's folder has the text tower only. No SHA-256 is
  published; the size is that of its sibling audioldm-s-text-ft.
- CLIP: OpenAI's ViT-L/14 in open_clip's own format, the file that open_clip itself fetches.
- DALL-E 2 prior: LAION's repository, which SSV2A's README recommends; `best.pth` of `prior/`.
- YOLOv8x, Open Images V7: the release of ultralytics/assets that ultralytics 8.4 fetches from.

Sums of the hub's other large files come with the files. What has no published sum at all is recorded when
it is first seen (`ssv2a.release.first_sight`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ssv2a.release.model import DriveFile, HubFile, Licence, Part, Release, ReleasedFile, WebFile

_KB, _MB = 1_000, 1_000_000

MIT = Licence("MIT", "Any use; keep the copyright notice.", "https://spdx.org/licenses/MIT.html")
AGPL = Licence(
    "AGPL-3.0-only",
    "Whoever distributes software with it, or offers it over a network, gives out its source under the "
    "AGPL too; ultralytics sells other terms.",
    "https://www.gnu.org/licenses/agpl-3.0.html",
)
NON_COMMERCIAL = Licence(
    "CC-BY-NC-SA-4.0",
    "No commercial use. Credit it; what is derived from it carries the same licence.",
    "https://creativecommons.org/licenses/by-nc-sa/4.0/",
)

_SSV2A_DRIVE = "17SAuZ2sZrTYf21BiNKhRsEfdj-fbeQQN"
_AUDIOLDM = ("cvssp/audioldm-s-full-v2", "bef13a486a2a536162324de2d506c0c2d3db2ff0")
_PRIOR = ("laion/DALLE2-PyTorch", "main")
_CLIP = ("timm/vit_large_patch14_clip_224.openai", "main")
_CHECKPOINT = "audioldm-full-s-v2.ckpt"


def _drive(name: str, about: int) -> ReleasedFile:
    return ReleasedFile(name, DriveFile(_SSV2A_DRIVE, name), about)


def _audioldm(path: str, about: int, sha256: str = "") -> ReleasedFile:
    return ReleasedFile(f"audioldm-s-full-v2/{path}", HubFile(*_AUDIOLDM, path), about, sha256)


SSV2A = Release(
    name="ssv2a",
    version="1.0.0",
    title="SSV2A as its authors released it, with AudioLDM",
    parts=(
        Part(
            "SSV2A",
            MIT,
            "SSV2A, (c) 2024 Wei Guo (arXiv 2411.15447)",
            (
                _drive("ssv2a.json", 2 * _KB),
                _drive("ssv2a.pth", 330 * _MB),
                _drive("agg.pth", 15 * _MB),
            ),
        ),
        Part(
            "AudioLDM S full v2",
            NON_COMMERCIAL,
            "AudioLDM, Haohe Liu et al., University of Surrey (arXiv 2301.12503)",
            (
                _audioldm("scheduler/scheduler_config.json", _KB),
                _audioldm("unet/config.json", 2 * _KB),
                _audioldm(
                    "unet/diffusion_pytorch_model.safetensors",
                    740 * _MB,
                    "fc30d5b5a3bb8d08672736efb1fff10755ba7024dace39b2dcb579a105aa2a5a",
                ),
                _audioldm("vae/config.json", _KB),
                _audioldm("vae/diffusion_pytorch_model.safetensors", 222 * _MB),
                _audioldm("vocoder/config.json", _KB),
                _audioldm(
                    "vocoder/model.safetensors",
                    221 * _MB,
                    "d9dc6513c30a5b86c2497712690c04fe74b4aa79fdab6d490b34fcb4e24c590c",
                ),
                _audioldm("text_encoder/config.json", _KB),
                _audioldm("text_encoder/model.safetensors", 501 * _MB),
            ),
        ),
        Part(
            "AudioLDM S full v2, original checkpoint (for its CLAP)",
            NON_COMMERCIAL,
            "AudioLDM, Haohe Liu et al.; CLAP, LAION (arXiv 2211.06687)",
            (
                ReleasedFile(
                    _CHECKPOINT,
                    WebFile(f"https://zenodo.org/records/7698295/files/{_CHECKPOINT}?download=1"),
                    2560 * _MB,
                    alias="audioldm-s-full-v2.ckpt",  # in ~/.cache/audioldm, by the package audioldm
                ),
            ),
        ),
        Part(
            "CLIP ViT-L/14",
            MIT,
            "CLIP, (c) 2021 OpenAI (arXiv 2103.00020)",
            (
                ReleasedFile(
                    "clip/open_clip_model.safetensors",
                    HubFile(*_CLIP, "open_clip_model.safetensors"),
                    1711 * _MB,
                ),
            ),
        ),
        Part(
            "DALL-E 2 prior",
            MIT,
            "DALLE2-pytorch prior, LAION",
            (
                ReleasedFile("prior/best.pth", HubFile(*_PRIOR, "prior/best.pth"), 1340 * _MB),
                ReleasedFile("prior/prior_config.json", HubFile(*_PRIOR, "prior/prior_config.json"), 3 * _KB),
            ),
        ),
        Part(
            "YOLOv8x, Open Images V7",
            AGPL,
            "YOLOv8, Ultralytics",
            (
                ReleasedFile(
                    "yolov8x-oiv7.pt",
                    WebFile("https://github.com/ultralytics/assets/releases/download/v8.4.0/yolov8x-oiv7.pt"),
                    138 * _MB,
                ),
            ),
        ),
    ),
    roles=MappingProxyType(
        {
            "detector": {
                "implementation": "yolo",
                "files": {"weights": "yolov8x-oiv7.pt"},
                "options": {"iou": 0.0, "max_boxes": 64, "augment": True},
            },
            "image": {
                "implementation": "open_clip",
                "files": {"weights": "clip/open_clip_model.safetensors"},
                "options": {"architecture": "ViT-L-14-quickgelu"},
            },
            "text": {
                "implementation": "dalle2_prior",
                "files": {"weights": "prior/best.pth", "config": "prior/prior_config.json"},
                "options": {"samples": 2, "guidance": 1.0},
            },
            "clap": {"implementation": "laion_clap", "files": {"weights": _CHECKPOINT}, "options": {}},
            "ssv2a": {
                "implementation": "released",
                "files": {"networks": "ssv2a.pth", "aggregator": "agg.pth", "config": "ssv2a.json"},
                "options": {},
            },
            "synthesis": {
                "implementation": "audioldm",
                "files": {"model": "audioldm-s-full-v2"},
                "options": {},
            },
        }
    ),
)

CATALOGUE: Mapping[str, Release] = MappingProxyType({SSV2A.name: SSV2A})
