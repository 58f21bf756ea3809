"""An evaluation as a page to look at and to listen to, and as JSON. The page asks nothing of the network."""

from __future__ import annotations

import base64
import html
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from string import Template
from urllib.parse import quote

import numpy as np

from ssv2a.evaluate.evaluation import Evaluation, SourceFigures, TakeFigures
from ssv2a.mel_picture import mel_picture, small_png
from ssv2a.types import FloatArray

_RANGE_DB = 70.0  # of the spectrograms, from black to white
_NONE = -1000  # below every score
_PAGE = Path(__file__).with_name("page.html")


def write_json(evaluation: Evaluation, path: Path) -> None:
    """Every figure; paths as they were given."""
    content = asdict(evaluation)
    path.write_text(json.dumps(content, indent=1, default=str, ensure_ascii=False) + "\n", encoding="utf-8")


def write_page(evaluation: Evaluation, path: Path, read: Callable[[Path], FloatArray]) -> None:
    """The page. Players refer to the sounds where they lie, relative to the page.

    Args:
        evaluation: what is shown.
        path: of the page.
        read: gives a sound again, for its spectrogram.
    """
    rows = "".join(
        _row(source, take, path.parent, read) for source in evaluation.sources for take in source.takes
    )
    unread = "".join(f"<li>{html.escape(why)}</li>" for why in evaluation.unread.values())
    page = Template(_PAGE.read_text(encoding="utf-8")).substitute(
        summary="".join(_summary(evaluation)),
        extrapolation=_line_plot(evaluation),
        scores=_histogram(evaluation),
        rows=rows,
        unread=f"<h2>Could not be read</h2><ul>{unread}</ul>" if unread else "",
    )
    path.write_text(page, encoding="utf-8")


def summary(evaluation: Evaluation) -> list[tuple[str, str, str]]:
    """(figure, value, what it means) in a few words each."""
    far = evaluation.extrapolated
    doubt = (
        ""
        if far is None or far.reliable
        else f"; not reliable: {_doubt(far.needed, far.points[0][0], far.r2)}"
    )
    match = evaluation.match
    return [
        ("Fréchet audio distance", _shown(evaluation.distance), f"{evaluation.embedding}; 0: the same"),
        (
            "… for endlessly many sounds",
            _shown(None if far is None else far.value),
            f"FAD∞, a line over 1/n{doubt}" if far else "16 sources at least are needed",
        ),
        ("CLAP score", _shown(evaluation.clap_score), "mean cosine of take and reference"),
        (
            "SSMS precision",
            _shown(match.precision if match else None),
            "labels of the take that the reference has",
        ),
        ("SSMS recall", _shown(match.recall if match else None), "labels of the reference that the take has"),
        ("SSMS F1", _shown(match.f1 if match else None), "of the mean precision and recall"),
        ("Heard", _shown(evaluation.heard), "takes with an accepted label among the first"),
        ("Variety of takes", _shown(evaluation.diversity_of_takes), "1 − cosine between takes of one source"),
        ("Variety of sources", _shown(evaluation.diversity_of_sources), "1 − cosine between sources"),
        (
            "CS",
            _shown(evaluation.picture_score),
            "100 · cosine of take (Wav2CLIP) and picture (CLIP)",
        ),
        ("Caption score", _shown(evaluation.caption_score), "mean cosine of take and caption, in CLAP"),
    ]


def _doubt(needed: int, had: float, r2: float) -> str:
    return (
        f"{needed} sources are needed, {had:.0f} were there" if had < needed else f"R² of the line {r2:.2f}"
    )


def _summary(evaluation: Evaluation) -> Iterable[str]:
    for name, value, meaning in summary(evaluation):
        yield (
            f'<tr><td>{html.escape(name)}</td><td class="n">{value}</td>'
            f'<td class="dim">{html.escape(meaning)}</td></tr>'
        )


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _row(source: SourceFigures, take: TakeFigures, base: Path, read: Callable[[Path], FloatArray]) -> str:
    wanted = set(source.reference_labels)
    labels = ", ".join(
        f'<span class="shared">{html.escape(label)}</span>' if label in wanted else html.escape(label)
        for label in take.labels
    )
    asked = (
        f'<div class="dim">reference: {html.escape(", ".join(source.reference_labels))}</div>'
        if wanted
        else ""
    )
    heard = "" if take.heard is None else "yes" if take.heard else "no"
    return (
        f"<tr><td>{html.escape(source.name)}<div class='dim'>{html.escape(take.path.name)}</div></td>"
        f"<td>{_player(take.path, base, read)}</td>"
        f"<td>{_player(source.reference, base, read) if source.reference else ''}</td>"
        f"{_score(take.clap_score)}{_score(None if take.match is None else take.match.f1)}"
        f"{_score(take.picture_score)}{_score(take.caption_score)}<td>{heard}</td>"
        f"<td>{labels}{asked}</td></tr>"
    )


def _score(value: float | None) -> str:
    """A cell by which rows can be sorted: none comes below all."""
    return f"<td class='n' data-v='{_NONE if value is None else value}'>{_shown(value)}</td>"


def _player(path: Path, base: Path, read: Callable[[Path], FloatArray]) -> str:
    where = quote(os.path.relpath(path, base).replace(os.sep, "/"))
    picture = base64.b64encode(small_png(mel_picture(read(path), _RANGE_DB))).decode()
    player = f'<audio controls preload="none" src="{where}"></audio>'
    return f'<img alt="" src="data:image/png;base64,{picture}">{player}'


def _histogram(evaluation: Evaluation) -> str:
    scores = [take.clap_score for source in evaluation.sources for take in source.takes]
    known = [score for score in scores if score is not None]
    if not known:
        return "<p class='dim'>No take has a reference.</p>"
    counts, edges = np.histogram(known, bins=20, range=(min(0.0, *known), 1.0))
    return _bars([(float(edges[i]), int(count)) for i, count in enumerate(counts)])


def _bars(bars: Sequence[tuple[float, int]]) -> str:
    most = max(count for _, count in bars) or 1
    shapes = []
    for i, (left, count) in enumerate(bars):
        x, high = 30 + 30 * i, 90 * count / most
        shapes.append(
            f'<rect x="{x}" y="{100 - high:.1f}" width="26" height="{high:.1f}" fill="var(--bar)">'
            f"<title>{left:.2f}…: {count}</title></rect>"
        )
        if i % 4 == 0:
            shapes.append(f'<text x="{x}" y="115" font-size="10">{left:.2f}</text>')
    return (
        f'<svg viewBox="0 0 650 120" width="650" role="img" aria-label="CLAP scores">{"".join(shapes)}</svg>'
    )


def _line_plot(evaluation: Evaluation) -> str:
    """The distances of subsets over 1/n, and the line through them."""
    line = evaluation.extrapolated
    if line is None:
        return ""
    xs = [1 / n for n, _ in line.points]
    top = max(*(distance for _, distance in line.points), line.value, 1e-9)

    def at(x: float, y: float) -> str:
        return f"{40 + 380 * x / max(xs):.1f},{110 - 95 * max(y, 0) / top:.1f}"

    dots = "".join(
        '<circle cx="{}" cy="{}" r="3" fill="var(--bar)"/>'.format(*at(1 / n, distance).split(","))
        for n, distance in line.points
    )
    ends = f"{at(0, line.value)} {at(max(xs), line.value + line.slope * max(xs))}"
    return (
        '<h2>Fréchet distance of subsets over 1/n</h2><svg viewBox="0 0 440 130" width="440" role="img" '
        f'aria-label="Extrapolation"><polyline points="{ends}" stroke="currentColor" fill="none"/>{dots}'
        f'<text x="42" y="125" font-size="10">0 (FAD∞ {line.value:.3f})</text>'
        f'<text x="360" y="125" font-size="10">1/{1 / max(xs):.0f}</text></svg>'
    )
