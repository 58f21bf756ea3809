"""The cue sheet of a sound: which file is heard from when to when, how loud, and what is owed for it.

`NAME.cues.csv` lies beside the outputs of every bank but the default one, whose sounds are free for any use
and need no account: one row for each time that an event is heard, and for each stretch in which something
that goes on is. Seconds count from the sound's begin, levels are gains on the entry as it is in its file.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from ssv2a.types import Pick, Scene

COLUMNS = (
    "in",
    "out",
    "in_seconds",
    "out_seconds",
    "file",
    "bank",
    "sound",
    "caption",
    "source",
    "gain_db",
    "licence",
    "credit",
)
FREE_BANK = "default"
_AMBIENCE = "ambience"  # the source of what belongs to none


@dataclass(frozen=True, slots=True)
class Cue:
    """One time that an entry is heard: a row."""

    start: Fraction  # seconds
    end: Fraction  # seconds
    pick: Pick
    source: str  # what is seen that it stands for


def cues_of(scene: Scene, picks: Iterable[Pick], start: Fraction = Fraction(0)) -> list[Cue]:
    """A cue for each time that a scene's picks are heard; `start`: seconds at which the scene begins."""
    names = {track.key: track.name for track in scene.tracks}
    return [
        Cue(start + first, start + last, pick, _AMBIENCE if pick.track is None else names.get(pick.track, ""))
        for pick in picks
        for first, last in pick.heard
    ]


def cue_sheet(cues: Iterable[Cue], bank: str) -> bytes:
    """The rows in order of time, as UTF-8 with a mark, which spreadsheets need to see that it is.

    Args:
        cues: in any order.
        bank: that is played, as it was asked for: its name or its folder.
    """
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(COLUMNS)
    in_order = sorted(cues, key=lambda cue: (cue.start, cue.end, cue.pick.entry))
    table.writerows(_row(cue, bank) for cue in in_order)
    return text.getvalue().encode("utf-8-sig")


def _row(cue: Cue, bank: str) -> tuple[str, ...]:
    pick, seconds = cue.pick, (cue.start, cue.end)
    return (
        *map(_clock, seconds),
        *(f"{float(value):.3f}" for value in seconds),
        *(pick.entry, bank, pick.sound, pick.caption, cue.source),
        *(f"{pick.gain_db:.1f}", pick.licence, pick.credit),
    )


def _clock(seconds: Fraction) -> str:
    """As hh:mm:ss.mmm."""
    whole = round(seconds * 1000)
    minutes, rest = divmod(whole, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"
