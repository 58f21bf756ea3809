"""What the training of a network leaves in its run's folder, beside what the loop keeps there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from torch import nn

from ssv2a.train.loop import Outcome
from ssv2a.weights import save_modules

METRICS = "metrics.json"


def finish(
    outcome: Outcome,
    modules: Mapping[str, nn.Module],
    weights: Path,
    further: Mapping[str, float] | None = None,
) -> Outcome:
    """Write a run's networks, and its figures beside them.

    Args:
        outcome: of the run.
        modules: the networks by name, with the weights that it left in them.
        weights: the file to write, in the run's folder.
        further: figures beside those of the last validation.

    Returns:
        The outcome, as it came.
    """
    save_modules(modules, weights)
    write_metrics(outcome, weights.parent, further or {})
    return outcome


def write_metrics(outcome: Outcome, out: Path, further: Mapping[str, float]) -> None:
    """The last validation of a run as `metrics.json`; nothing where it was stopped before its first."""
    if outcome.history:
        figures = {**outcome.history[-1], **further}
        (out / METRICS).write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
