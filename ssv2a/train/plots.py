"""Curves of a training run, as a picture."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator

_FEW = 5  # validations; of fewer, each is marked on the axis
_LEAST_SPAN = 0.2  # of an axis of figures, of the largest: what hardly changes is drawn as such


def curves(history: Sequence[Mapping[str, float]]) -> bytes:
    """Every figure of a run against the steps, as a PNG; see `figure`."""
    drawn = io.BytesIO()
    figure(history).savefig(drawn, format="png", dpi=80)
    return drawn.getvalue()


def figure(history: Sequence[Mapping[str, float]]) -> Figure:
    """A panel for each figure of a run, with its last value over it.

    Args:
        history: rows of `ssv2a.train.loop`, at least one; each has "step".
    """
    names = [name for name in history[-1] if name not in ("step", "seconds")]
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    drawn = Figure(figsize=(4.2 * columns, 2.8 * rows), layout="constrained")
    for place, name in enumerate(names):
        points = [(row["step"], row[name]) for row in history if name in row]
        _panel(drawn.add_subplot(rows, columns, place + 1), name, points)
    return drawn


def _panel(axes: Axes, name: str, points: Sequence[tuple[float, float]]) -> None:
    """One figure against the steps from the first on, readable with one point already."""
    steps, values = zip(*points, strict=True)
    axes.plot(steps, values, marker="o", markersize=4)
    axes.set_title(f"{name}: {values[-1]:.3g}", fontsize=9)
    axes.set_xlabel("step", fontsize=8)
    axes.set_xlim(0, 1.05 * max(1, steps[-1]))
    few = FixedLocator([0, *steps]) if len(steps) < _FEW else None
    axes.xaxis.set_major_locator(few or MaxNLocator(5, integer=True))
    low, high = axes.get_ylim()
    if len(steps) == 1:  # there is nothing yet to compare it with but zero
        low, high = min(0.0, low), max(0.0, high)
    half = max(high - low, _LEAST_SPAN * max(abs(low), abs(high))) / 2
    axes.set_ylim((low + high) / 2 - half, (low + high) / 2 + half)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.grid(alpha=0.3)
