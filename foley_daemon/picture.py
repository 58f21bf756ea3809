"""The picture beside every output: frames with their boxes above the foley's waveform and spectrogram."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from loguru import logger

from foley_daemon.domain import Probe
from foley_daemon.findings import Seen, SeenChunk, sources
from foley_daemon.walk import shown
from ssv2a.drawing import (
    COLOURS,
    PALE,
    PANEL,
    PAPER,
    SILENT,
    Mark,
    Overview,
    dark,
    draw_frame,
    draw_spectrogram,
    draw_wave,
    frame_times,
    new_figure,
    overview,
    to_png,
)
from ssv2a.errors import FramesUnreadable
from ssv2a.media.audio import read_wav_blocks
from ssv2a.media.frames import FrameReader
from ssv2a.media.timeline import Timeline
from ssv2a.types import SAMPLE_RATE, SCENE, Frames, Sighting

FRAME_SIDE = 480  # pixels
MOST_SOURCES = 8  # bars
N_FRAMES = 5
SHORT_BAR = 0.25  # of the clip: a shorter bar has its words beside it
INCHES = 14.0  # width of the picture


def draw_picture(clip: Probe, timeline: Timeline, chunks: Sequence[SeenChunk], foley: Path) -> bytes | None:
    """Draw the picture of a clip's foley as PNG; None, and a log line, where frames cannot be read again."""
    sightings = [one for item in chunks for one in item.sightings]
    try:
        with FrameReader(clip.path, timeline, max_side=FRAME_SIDE) as reader:
            frames = reader.read(frame_times(sightings, clip.duration, N_FRAMES))
    except FramesUnreadable as error:
        logger.warning("{}: no picture: {}", shown(clip.path.name), error)
        return None
    sound = overview(read_wav_blocks(foley, SAMPLE_RATE), clip.n_samples)
    title = f"{shown(clip.path.name)}   {float(clip.duration):.2f} s   {clip.video.width}×{clip.video.height}"
    return draw(title, frames, sightings, sources(chunks), sound)


def draw(
    title: str,
    frames: Frames,
    sightings: Sequence[Sighting],
    seen: Sequence[Seen],
    sound: Overview,
) -> bytes:
    """Draw a picture as PNG."""
    colour = _colours(sightings)
    seen = _worth_showing(seen)
    height, width = frames.images.shape[1:3]
    heights = (0.75 + INCHES / N_FRAMES * min(height / width, 1.0), 4.0 + 0.22 * max(len(seen), 2))
    figure = new_figure(INCHES, sum(heights))
    figure.set_layout_engine("constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=heights)
    above, below = parts
    for part in (above, below):
        part.set_facecolor(PAPER)
    above.suptitle(title, color="white", fontsize=13, x=0.01, ha="left", parse_math=False)
    columns = np.atleast_1d(above.subplots(1, len(frames)))
    inches = min(INCHES / len(frames), heights[0] * width / height)
    for axes, image, moment in zip(columns, frames.images, frames.times, strict=True):
        axes.set_title(f"{float(moment):.2f} s", color=PALE, fontsize=9)
        draw_frame(axes, image, _marks(moment, sightings, colour), inches=inches, size=6.5)
    rows = (0.1 + 0.22 * max(len(seen), 2), 0.9, 2.0)
    bars, wave, spectrogram = below.subplots(3, 1, sharex=True, height_ratios=rows)
    _draw_sources(bars, seen, colour, sound.seconds)
    draw_wave(wave, sound)
    draw_spectrogram(spectrogram, sound)
    return to_png(figure)


def _marks(time: Fraction, sightings: Sequence[Sighting], colour: dict[str, str]) -> list[Mark]:
    """The boxes of one frame."""
    near = [one for one in sightings if abs(one.time - time) < Fraction(1, 1000) and one.label != SCENE]
    return [
        Mark(
            one.box,
            f"{one.name} {one.confidence:.2f}" + ("" if one.caption else " (silent)"),
            colour.get(one.caption or "", SILENT),
            silent=one.caption is None,
        )
        for one in near
    ]


def _draw_sources(axes: Any, seen: Sequence[Seen], colour: dict[str, str], seconds: float) -> None:
    dark(axes)
    for row, one in enumerate(seen):
        shade = colour.get(one.caption or "", SILENT)
        start, end = float(one.start), float(one.end)
        axes.barh(row, end - start, left=start, height=0.72, color=shade)
        count = f" ×{one.count}" if one.count > 1 else ""
        text = f" {one.name}{count} → {one.caption or 'silent'} "
        if end - start > SHORT_BAR * seconds:
            axes.text(start, row, text, va="center", fontsize=8, color=PANEL, parse_math=False)
        else:
            after = end < seconds / 2
            side = "left" if after else "right"
            place = end if after else start
            axes.text(place, row, text, va="center", ha=side, fontsize=8, color=shade, parse_math=False)
    axes.set_ylim(max(len(seen), 1) - 0.5, -0.5)
    axes.set_yticks([])
    axes.set_ylabel("seen → heard", color=PALE, fontsize=8)


def _worth_showing(seen: Sequence[Seen]) -> tuple[Seen, ...]:
    """The sources that sound, before those that do not; the longest; in order of appearance."""
    chosen = sorted(seen, key=lambda one: (one.caption is None, one.start - one.end))[:MOST_SOURCES]
    return tuple(sorted(chosen, key=lambda one: (one.caption is None, one.start)))


def _colours(sightings: Sequence[Sighting]) -> dict[str, str]:
    captions = dict.fromkeys(one.caption for one in sightings if one.caption)
    return {caption: COLOURS[index % len(COLOURS)] for index, caption in enumerate(captions)}
