"""The cue sheet of one clip: which file sounds where, how loud, and what is owed for it.

`{name}.cues.csv` lies beside the outputs of every bank but the default one, whose sounds are free for any
use and need no account: one row for each entry of each source in each chunk, from where it is first heard
to where it is last. Seconds count from the picture's first frame, levels are gains on the entry as it is in
its file.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from fractions import Fraction

from foley_daemon.findings import SeenChunk
from ssv2a.types import Pick

COLUMNS = (
    "in",
    "out",
    "in_seconds",
    "out_seconds",
    "file",
    "caption",
    "source",
    "gain_db",
    "licence",
    "credit",
)
FREE_BANK = "default"


def cue_sheet(chunks: Iterable[SeenChunk]) -> bytes:
    """The rows in order of time, as UTF-8 with a mark, which spreadsheets need to see that it is."""
    rows = [_row(item, pick) for item in chunks for pick in item.picks]
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(COLUMNS)
    table.writerows(row for _, row in sorted(rows, key=lambda found: found[0]))
    return text.getvalue().encode("utf-8-sig")


def _row(item: SeenChunk, pick: Pick) -> tuple[tuple[Fraction, str], tuple[str, ...]]:
    start, end = item.chunk.start + pick.start, item.chunk.start + pick.end
    names = {track.key: track.name for track in item.scene.tracks}
    source = "ambience" if pick.track is None else names.get(pick.track, "")
    cells = (
        *(_clock(start), _clock(end), f"{float(start):.3f}", f"{float(end):.3f}"),
        *(pick.entry, pick.caption, source, f"{pick.gain_db:.1f}", pick.licence, pick.credit),
    )
    return (start, pick.entry), cells


def _clock(seconds: Fraction) -> str:
    """As hh:mm:ss.mmm."""
    whole = round(seconds * 1000)
    minutes, rest = divmod(whole, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"
