"""The cues of a whole clip: those of its chunks, with what goes on over their joins as one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from foley_daemon.findings import SeenChunk
from ssv2a.cue_sheet import Cue, cues_of


def cues_of_clip(chunks: Iterable[SeenChunk]) -> list[Cue]:
    """The cues in order of time; seconds count from the picture's first frame.

    A texture that ends in the fade between two chunks and begins there again, for the same source and as
    loud, did not end.
    """
    found = [cue for item in chunks for cue in cues_of(item.scene, item.picks, item.chunk.start)]
    joined: list[Cue] = []
    latest: dict[tuple[int | None, str, float], int] = {}  # place in `joined` of each texture
    for cue in sorted(found, key=lambda one: one.start):
        if cue.pick.kind == "texture":
            key = (cue.pick.track, cue.pick.entry, cue.pick.gain_db)
            place = latest.get(key)
            if place is not None and cue.start <= joined[place].end:
                joined[place] = replace(joined[place], end=max(joined[place].end, cue.end))
                continue
            latest[key] = len(joined)
        joined.append(cue)
    return joined
