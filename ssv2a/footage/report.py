"""A data set as a page to look at and to listen to. The page asks nothing of the network.

Frames and sounds of what is kept are shown where they lie; of the rest, small pictures are in the page.
"""

from __future__ import annotations

import base64
import html
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from string import Template
from urllib.parse import quote

import numpy as np
from PIL import Image

from ssv2a.files import write_whole
from ssv2a.footage.clips import Segment, Shelf
from ssv2a.footage.dataset import Dataset, Stretch
from ssv2a.footage.single_source import Judgement
from ssv2a.footage.verdicts import MEANINGS, Verdict
from ssv2a.mel_picture import small_png

PAGE = "report.html"

_MOST_KEPT, _MOST_REFUSED = 200, 12  # rows; the second: of each reason
_THUMB = 90  # pixels: height of a frame
_TEMPLATE = Path(__file__).with_name("page.html")


def write_page(dataset: Dataset, shelf: Shelf, path: Path) -> None:
    """Write the page into the data set's folder.

    Args:
        dataset: what is shown.
        shelf: where spectrograms and frames of it are kept.
        path: of the page.
    """
    kept = _some(dataset.kept, _MOST_KEPT)
    by_reason: defaultdict[Verdict, list[Stretch]] = defaultdict(list)
    for stretch in dataset.stretches:
        if not stretch.is_kept:
            by_reason[stretch.judgement.verdict].append(stretch)
    refused = [one for verdict in Verdict for one in _some(by_reason[verdict], _MOST_REFUSED)]
    page = Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        summary=html.escape(summary(dataset)),
        reasons="".join(_reasons(dataset)),
        kinds="".join(_kinds(dataset)),
        kept="".join(_kept_row(one, _segment(shelf, one)) for one in kept),
        kept_note=_note(len(kept), len(dataset.kept)),
        refused="".join(_refused_row(one, _segment(shelf, one)) for one in refused),
        refused_note=_note(len(refused), len(dataset.stretches) - len(dataset.kept)),
    )
    write_whole(path, page.encode("utf-8", "surrogateescape"))


def summary(dataset: Dataset) -> str:
    """What was kept, in a sentence."""
    seconds = sum(float(one.seconds) for one in dataset.kept)
    held_out = sum(one.split == "val" for one in dataset.kept)
    files = len({one.file for one in dataset.stretches})
    return (
        f"{len(dataset.kept)} of {len(dataset.stretches)} stretches kept, {seconds / 60:.1f} minutes of "
        f"{len({one.judgement.kind for one in dataset.kept})} kinds of sound, {held_out} of them held out; "
        f"{files} files."
    )


def _some(stretches: Sequence[Stretch], most: int) -> list[Stretch]:
    """Up to `most` of them, spread evenly."""
    places = np.linspace(0, len(stretches) - 1, min(most, len(stretches))).round().astype(int)
    return [stretches[place] for place in places.tolist()]


def _note(shown: int, of: int) -> str:
    return "" if shown == of else f" ({shown} of {of} are shown; report.csv has them all)"


def _reasons(dataset: Dataset) -> Iterable[str]:
    counts = dataset.counts
    most = max(counts.values(), default=1)
    for verdict in Verdict:
        if counts[verdict]:
            kept = " kept" if verdict is Verdict.KEPT else ""
            bar = f"<div class='bar{kept}' style='width: {240 * counts[verdict] / most:.0f}px'></div>"
            yield (
                f"<tr><td>{html.escape(verdict.value)}</td><td class='n'>{counts[verdict]}</td><td>{bar}</td>"
                f"<td class='dim'>{html.escape(MEANINGS[verdict])}</td></tr>"
            )


def _kinds(dataset: Dataset) -> Iterable[str]:
    counts = Counter(one.judgement.kind for one in dataset.kept)
    for kind, count in counts.most_common():
        own = [one for one in dataset.kept if one.judgement.kind == kind]
        held_out = sum(one.split == "val" for one in own)
        minutes = sum(float(one.seconds) for one in own) / 60
        yield (
            f"<tr><td>{html.escape(kind)}</td><td class='n'>{count}</td><td class='n'>{minutes:.1f} min</td>"
            f"<td class='dim'>{held_out} held out</td></tr>"
        )


def _segment(shelf: Shelf, stretch: Stretch) -> Segment | None:
    return shelf.segment(stretch.digest, stretch.number) if stretch.number >= 0 else None


def _kept_row(stretch: Stretch, segment: Segment | None) -> str:
    frames = "".join(f"<img alt='' loading='lazy' src='{quote(path)}'>" for path in stretch.frames)
    player = f"<audio controls preload='none' src='{quote(stretch.sound)}'></audio>"
    judgement = stretch.judgement
    alone = f"alone in {len(judgement.frames)} of {stretch.looked_at} frames; {_likeness(judgement)}"
    grounds = "".join(
        f"<div class='dim'>{html.escape(fact)}</div>" for fact in (alone, ", ".join(stretch.labels))
    )
    return (
        f"<tr><td>{_where(stretch)}</td><td><b>{html.escape(judgement.kind)}</b>{grounds}</td>"
        f"<td><div class='thumbs'>{frames}</div></td>"
        f"<td class='sound'>{_spectrogram(segment)}{player}</td></tr>"
    )


def _refused_row(stretch: Stretch, segment: Segment | None) -> str:
    view = None if segment is None else segment.view
    frames = "" if view is None else "".join(_inline(picture.jpeg) for picture in view.pictures)
    judgement = stretch.judgement
    facts = [
        f"seen: {', '.join(judgement.seen)}" if judgement.seen else "",
        _likeness(judgement),
        ", ".join(stretch.labels),
        stretch.why,
    ]
    told = html.escape("; ".join(fact for fact in facts if fact))
    return (
        f"<tr><td>{_where(stretch)}</td><td><b>{html.escape(judgement.verdict.value)}</b>"
        f"<div class='dim'>{told}</div></td><td><div class='thumbs'>{frames}</div></td>"
        f"<td class='sound'>{_spectrogram(segment)}</td></tr>"
    )


def _likeness(judgement: Judgement) -> str:
    if judgement.rank is None:
        return ""
    nearest = f", {judgement.heard} the nearest" if judgement.rank else ""
    return f"{judgement.rank} other kinds nearer to the sound than {judgement.kind}{nearest}"


def _where(stretch: Stretch) -> str:
    start, end = float(stretch.start), float(stretch.start + stretch.seconds)
    side = f", {stretch.split}" if stretch.is_kept else ""
    span = f"<div class='dim'>{start:.1f}–{end:.1f} s{side}</div>" if stretch.number >= 0 else ""
    return f"{html.escape(stretch.file)}{span}"


def _spectrogram(segment: Segment | None) -> str:
    if segment is None:
        return ""
    return _image(small_png(segment.mel), "png")


def _inline(jpeg: bytes) -> str:
    with Image.open(io.BytesIO(jpeg)) as image:
        image.thumbnail((4 * _THUMB, _THUMB))
        small = io.BytesIO()
        image.save(small, "JPEG", quality=70)
    return _image(small.getvalue(), "jpeg")


def _image(content: bytes, kind: str) -> str:
    return f"<img alt='' src='data:image/{kind};base64,{base64.b64encode(content).decode()}'>"
