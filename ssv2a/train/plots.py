"""Curves of a training run, as a picture."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure


def curves(history: Sequence[Mapping[str, float]]) -> bytes:
    """Every figure of a run against the steps, one panel each, as a PNG.

    Args:
        history: rows of `ssv2a.train.loop`, at least one; each has "step".
    """
    names = [name for name in history[-1] if name not in ("step", "seconds")]
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(4.2 * columns, 2.8 * rows), layout="constrained")
    for place, name in enumerate(names):
        axes = figure.add_subplot(rows, columns, place + 1)
        steps = [row["step"] for row in history if name in row]
        axes.plot(steps, [row[name] for row in history if name in row], marker=".")
        axes.set_title(name, fontsize=9)
        axes.set_xlabel("step", fontsize=8)
        axes.grid(alpha=0.3)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=80)
    return drawn.getvalue()
