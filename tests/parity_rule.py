"""Networks with weights by the rule of `ssv2a.parity`, at released and at small sizes."""

import json
from pathlib import Path
from typing import Any

from ssv2a.config import Ssv2aConfig
from ssv2a.networks import Networks
from ssv2a.parity import RELEASED_CONFIG, follow_rule

DATA = Path(__file__).parent / "data" / "parity"


def rule_made(config: Ssv2aConfig) -> Networks:
    return follow_rule(Networks.untrained(config, seed=0)).for_inference("cpu")


def released_json() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(RELEASED_CONFIG.read_text(encoding="utf-8"))
    return content


def released_config() -> Ssv2aConfig:
    return Ssv2aConfig.from_file(RELEASED_CONFIG)


def released_shapes() -> dict[str, dict[str, list[int]]]:
    shapes: dict[str, dict[str, list[int]]] = json.loads((DATA / "state_dict_shapes.json").read_text())
    return shapes


def tiny_json() -> dict[str, Any]:
    """The same architecture at a size for quick tests: CLIP 12, folds 20, CLAP 16."""
    content = released_json()
    content |= {"clip_dim": 12, "clap_dim": 16, "manifold_dim": 20}
    content["manifold"]["layers"] = [20, 20, 24, 24]
    content["generator"]["layers"] = [20, 24, 28]
    content["remixer"]["styler"] |= {"embed_dim": 24, "nhead": 4}
    return content


def tiny_config() -> Ssv2aConfig:
    return Ssv2aConfig.from_json(tiny_json())
