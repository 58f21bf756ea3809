"""The picture that explains a take: what is seen, why it is called so, and what plays.

Frames with boxes; for every source a card (label against crop, likeliest classes, the texts in its ConSE
vector, the entries of the bank); lanes of presence with the picks in them; the spectrogram.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

from ssv2a.drawing import (
    COLOURS,
    INK,
    PALE,
    SILENT,
    Mark,
    dark,
    draw_frame,
    draw_spectrogram,
    frame_times,
    new_figure,
    overview,
    shortened,
    to_png,
)
from ssv2a.types import SCENE, Frames, Look, Pick, Sighting, Source, Take, Track

INCHES = 14.0  # width of the picture
MARGIN = 0.2  # inches, at the edges
GUTTER = 1.9  # inches left of the lanes and the spectrogram: names, frequencies
TITLE = 0.55  # inches
STILL = (6.2, 5.6)  # inches, most of a single frame: width, height
N_FRAMES = 5  # of a clip
PARTS = 3  # texts of a vector in one line
MOST_SOURCES = 16  # cards and lanes
LINE = 0.175  # inches, height of a line of a card
LANE = 0.24  # inches
SPECTROGRAM = 2.2  # inches
WORDS = 8.5  # points
TAGS = 7.0  # points, of the words in frames
SHORTEST = 0.004  # of the sound: a pick is drawn at least so wide

_DECISIONS: Mapping[str, str] = {
    "detector": "by the detector alone",
    "confirmed": "the crop confirms it",
    "kept": "the crop does not overrule it",
    "overruled": "the crop overrules it",
    "doubted": "the crop sees no such thing",
    "picture": "by the whole picture alone",
}


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    colour: str = PALE
    bold: bool = False


@dataclass(frozen=True, slots=True)
class _Entry:
    """One source as it is shown."""

    number: int
    track: Track
    source: Source | None  # the sight of it that gave the name; None: it is given, not seen
    colour: str

    @property
    def title(self) -> str:
        count = f" ×{self.track.count}" if self.track.count > 1 else ""
        return f"{self.number} {self.track.name}{count}"


def explain(title: str, frames: Frames, take: Take) -> bytes:
    """Draw what a take was made of.

    Args:
        title: of the picture, the name of the input.
        frames: that were looked at, one for a picture.
        take: with the looks at these frames.

    Returns:
        The picture as a PNG file.
    """
    entries = _entries(take)
    cards = [_scene_card(take), *(_card(one, take.picks) for one in entries)]
    hidden = len(take.scene.tracks) - len(entries)
    if hidden:
        cards.append([_Line(f"and {hidden} more")])
    shown = _shown_frames(frames, take)
    sound = overview([take.waveform], take.waveform.shape[1])
    rows = _lane_rows(entries, take)
    lanes = 0.1 + LANE * max(1, len(rows))
    aspect = frames.images.shape[2] / frames.images.shape[1]
    head = _still_height(aspect, cards) if len(shown) == 1 else _strip_height(aspect, len(shown), cards)
    height = TITLE + head + lanes + SPECTROGRAM + 0.85
    page = _Page(height)
    page.words(
        MARGIN, 0.1, INCHES - 2 * MARGIN, 13, _Line(f"{title}   {sound.seconds:.2f} s", INK, bold=True)
    )
    page.words(INCHES / 2, 0.13, INCHES / 2 - MARGIN, WORDS, _Line(_summary(take)), right=True)
    (_draw_still if len(shown) == 1 else _draw_strip)(page, frames, shown, take, entries, cards)
    top, width = TITLE + head + 0.1, INCHES - GUTTER - MARGIN
    _draw_lanes(page.axes(GUTTER, top, width, lanes), rows, take, sound.seconds)
    draw_spectrogram(page.axes(GUTTER, top + lanes + 0.1, width, SPECTROGRAM), sound)
    return to_png(page.figure)


class _Page:
    """A figure in inches from its upper left corner."""

    def __init__(self, height: float) -> None:
        self.figure = new_figure(INCHES, height)
        self._height = height

    def axes(self, left: float, top: float, width: float, height: float) -> Any:
        bottom = self._height - top - height
        size = (width / INCHES, height / self._height)
        return self.figure.add_axes((left / INCHES, bottom / self._height, *size))

    def words(
        self, left: float, top: float, width: float, size: float, line: _Line, *, right: bool = False
    ) -> None:
        """A line of at most `width`, at the left or right end of that room."""
        x = left + width if right else left
        self.figure.text(
            x / INCHES,
            1 - top / self._height,
            shortened(line.text, width, size, bold=line.bold),
            fontsize=size,
            color=line.colour,
            weight="bold" if line.bold else "normal",
            va="top",
            ha="right" if right else "left",
            parse_math=False,
        )

    def cards(self, left: float, top: float, width: float, cards: Sequence[Sequence[_Line]]) -> None:
        for card in cards:
            for number, line in enumerate(card):
                indent = 0.14 if number else 0.0
                self.words(left + indent, top, width - indent, WORDS, line)
                top += LINE
            top += LINE / 2


def _entries(take: Take) -> list[_Entry]:
    """The sources to be shown: those that sound, then the silent; the largest and longest first."""
    sources = [source for look in take.looks for source in look.sources]
    seen: dict[int, list[Source]] = {}
    for sighting, source in zip(take.sightings, sources, strict=True):
        if sighting.track is not None:
            seen.setdefault(sighting.track, []).append(source)
    by_rank = sorted(
        take.scene.tracks, key=lambda one: (one.caption is None, -float(one.presence @ one.area))
    )
    entries = []
    for number, track in enumerate(by_rank[:MOST_SOURCES], 1):
        own = seen.get(track.key, [])
        fitting = [one for one in own if (one.name, one.caption) == (track.name, track.caption)] or own
        best = max(fitting, key=lambda one: one.confidence, default=None)
        colour = COLOURS[(number - 1) % len(COLOURS)] if track.caption else SILENT
        entries.append(_Entry(number, track, best, colour))
    return entries


def _card(entry: _Entry, picks: Sequence[Pick]) -> list[_Line]:
    """A source in words: its name and why, what it sounds like, what its vector is made of, what plays."""
    track, source = entry.track, entry.source
    lines = [_Line(f"{entry.title}   →   {track.caption or 'silent'}", entry.colour, bold=True)]
    if source is None:
        lines.append(_Line("given, not seen"))
    else:
        lines.append(_Line(_why(source)))
        lines += _made_of(source, silent=track.caption is None)
    if track.caption:
        lines.append(_plays([pick for pick in picks if pick.track == track.key]))
    return lines


def _why(source: Source) -> str:
    """How a source came by its name."""
    sure = f"confidence {source.confidence:.2f}, {100 * source.box.area:.0f} % of the picture"
    if source.reasons is None:
        return f"named by the detector; {sure}"
    seen = "" if source.label == SCENE else f"seen as “{source.label}”, "
    unclassified = source.reasons.decision == "doubted" and not source.reasons.classes
    decision = "too small and too weak to tell" if unclassified else _DECISIONS[source.reasons.decision]
    return f"{seen}{decision}; {sure}"


def _made_of(source: Source, *, silent: bool) -> list[_Line]:
    """The classifier's likeliest classes, and the texts in a vector that is heard."""
    if source.reasons is None:
        return []
    lines = []
    if source.reasons.classes:
        classes = ", ".join(f"{name} {odds:.2f}" for name, odds in source.reasons.classes)
        lines.append(_Line(f"{'picture' if source.label == SCENE else 'crop'}: {classes}"))
    if not silent:
        parts = [f"{weight:.2f} {text}" for text, weight in source.reasons.weights]
        rows = [" + ".join(parts[n : n + PARTS]) for n in range(0, len(parts), PARTS)]
        lines += [_Line(("+ " if n else "vector: ") + row) for n, row in enumerate(rows)]
    return lines


def _plays(picks: Sequence[Pick]) -> _Line:
    """The entries of the bank that sound, each once, with how often and how loud."""
    if not picks:
        return _Line("plays: in the mixture alone", INK)
    times = Counter(pick.entry for pick in picks)
    gains = {pick.entry: pick.gain_db for pick in reversed(picks)}
    entries = [
        entry + (f" ×{count}" if count > 1 else "") + f" {gains[entry]:+.1f} dB"
        for entry, count in times.items()
    ]
    return _Line("plays: " + ", ".join(entries), INK)


def _scene_card(take: Take) -> list[_Line]:
    """The whole picture: its name, its ambience, its vector, what belongs to no source."""
    look = _typical(take)
    if look is None:
        return []
    name = f"picture: {look.scene.name}" if look.scene.name != SCENE else "picture"
    air = f"ambience: {take.scene.ambience}" if take.scene.ambience else "no ambience"
    lines = [_Line(f"{name}   →   {air}", INK, bold=True)]
    lines += _made_of(look.scene, silent=False)
    own = [pick for pick in take.picks if pick.track is None]
    return [*lines, _plays(own)] if own else lines


def _typical(take: Take) -> Look | None:
    """The first look that has the ambience of the whole take; of a clip without looks none."""
    fitting = [look for look in take.looks if look.ambience == take.scene.ambience]
    return next(iter(fitting or take.looks), None)


def _summary(take: Take) -> str:
    spent = sum(take.seconds_spent.values())
    return f"nearness of the sound to the target {take.fit:.2f} (cosine)   made in {spent:.1f} s"


def _shown_frames(frames: Frames, take: Take) -> list[int]:
    """The frames to draw: of each fifth of a clip that in which most is seen."""
    if len(frames) <= N_FRAMES:
        return list(range(len(frames)))
    end = frames.times[-1] + Fraction(1, 1000)
    wanted = frame_times(take.sightings, end, N_FRAMES)
    return sorted({min(range(len(frames)), key=lambda n: abs(frames.times[n] - t)) for t in wanted})


def _marks(take: Take, time: Fraction, entries: Sequence[_Entry], *, words: bool) -> list[Mark]:
    """The boxes of one frame; `words`: names beside the numbers."""
    shown = {entry.track.key: entry for entry in entries}
    marks = []
    for one in take.sightings:
        entry = None if one.track is None else shown.get(one.track)
        if one.time != time or entry is None or one.label == SCENE:
            continue
        text = f"{entry.number} {one.name}" if words else str(entry.number)
        marks.append((entry.number, Mark(one.box, text, _colour(one, entry), silent=one.caption is None)))
    return [mark for _, mark in sorted(marks, key=lambda pair: pair[0])]


def _colour(one: Sighting, entry: _Entry) -> str:
    return entry.colour if one.caption else SILENT


def _cards_height(cards: Sequence[Sequence[_Line]]) -> float:
    return sum(LINE * (len(card) + 0.5) for card in cards)


def _still_size(aspect: float) -> tuple[float, float]:
    """Width and height of a single frame, by its width to height."""
    width = min(STILL[0], STILL[1] * aspect)
    return width, width / aspect


def _still_height(aspect: float, cards: Sequence[Sequence[_Line]]) -> float:
    return max(_still_size(aspect)[1], _cards_height(cards))


def _draw_still(
    page: _Page,
    frames: Frames,
    shown: Sequence[int],
    take: Take,
    entries: Sequence[_Entry],
    cards: Sequence[Sequence[_Line]],
) -> None:
    """One frame, and the cards beside it."""
    width, height = _still_size(frames.images.shape[2] / frames.images.shape[1])
    marks = _marks(take, frames.times[shown[0]], entries, words=True)
    axes = page.axes(MARGIN, TITLE, width, height)
    draw_frame(axes, frames.images[shown[0]], marks, inches=width, size=TAGS)
    left = MARGIN + width + 0.25
    page.cards(left, TITLE, INCHES - MARGIN - left, cards)


def _frame_width(count: int) -> float:
    return (INCHES - 2 * MARGIN - 0.1 * (count - 1)) / count


def _halves(cards: Sequence[Sequence[_Line]]) -> tuple[Sequence[Sequence[_Line]], Sequence[Sequence[_Line]]]:
    """The cards in two columns of about the same height."""
    cut = min(range(1, len(cards) + 1), key=lambda n: max(_cards_height(cards[:n]), _cards_height(cards[n:])))
    return cards[:cut], cards[cut:]


def _strip_size(aspect: float, count: int) -> tuple[float, float]:
    width = _frame_width(count)
    return width, min(width / aspect, 3.6)


def _strip_height(aspect: float, count: int, cards: Sequence[Sequence[_Line]]) -> float:
    return _strip_size(aspect, count)[1] + 0.35 + max(map(_cards_height, _halves(cards)))


def _draw_strip(
    page: _Page,
    frames: Frames,
    shown: Sequence[int],
    take: Take,
    entries: Sequence[_Entry],
    cards: Sequence[Sequence[_Line]],
) -> None:
    """Several frames side by side, and the cards below them in two columns."""
    aspect = frames.images.shape[2] / frames.images.shape[1]
    width, height = _strip_size(aspect, len(shown))
    for place, n in enumerate(shown):
        left = MARGIN + place * (width + 0.1)
        drawn = min(width, height * aspect)
        axes = page.axes(left, TITLE + 0.2, drawn, height)
        marks = _marks(take, frames.times[n], entries, words=True)
        draw_frame(axes, frames.images[n], marks, inches=drawn, size=TAGS)
        page.words(left, TITLE, width, WORDS, _Line(f"{float(frames.times[n]):.2f} s"))
    column = (INCHES - 2 * MARGIN - 0.3) / 2
    for number, half in enumerate(_halves(cards)):
        page.cards(MARGIN + number * (column + 0.3), TITLE + height + 0.35, column, half)


_Row = tuple[str, str, Track | None]  # words, colour, track; None: the scene's own


def _lane_rows(entries: Sequence[_Entry], take: Take) -> list[_Row]:
    """A lane for each source that sounds, and one for what belongs to none."""
    rows: list[_Row] = [(entry.title, entry.colour, entry.track) for entry in entries if entry.track.caption]
    if any(pick.track is None for pick in take.picks):
        rows.append((take.scene.ambience or "scene", PALE, None))
    return rows


def _draw_lanes(axes: Any, rows: Sequence[_Row], take: Take, seconds: float) -> None:
    """When each source is there (pale) and when a pick of it sounds (full)."""
    dark(axes)
    edges = [float(time) for time in (*take.scene.times, take.scene.seconds)]
    for row, (_, colour, track) in enumerate(rows):
        spans = [(0.0, seconds)] if track is None else _present(track, edges)
        for start, end in spans:
            axes.barh(row, end - start, left=start, height=0.8, color=colour, alpha=0.25)
        for pick in take.picks:
            if pick.track == (None if track is None else track.key):
                length = max(float(pick.end - pick.start), SHORTEST * seconds)
                axes.barh(row, length, left=float(pick.start), height=0.5, color=colour, alpha=0.8)
    names = [shortened(text, GUTTER - 0.25, 8) for text, _, _ in rows]
    axes.set_yticks(range(len(rows)), names, parse_math=False)
    for label, (_, colour, _) in zip(axes.get_yticklabels(), rows, strict=True):
        label.set_color(colour)
    axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    axes.set_xlim(0.0, seconds)
    axes.tick_params(axis="x", labelbottom=False)


def _present(track: Track, edges: Sequence[float]) -> list[tuple[float, float]]:
    """The spans of a chunk in which a track is there."""
    return [span for span, there in zip(pairwise(edges), track.presence, strict=True) if there]
