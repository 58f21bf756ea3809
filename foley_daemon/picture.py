"""The picture beside every output: frames with their boxes above the foley's waveform and spectrogram.

matplotlib is imported when a picture is drawn, and its object interface is used, which is safe in a thread.
"""

from __future__ import annotations

import io
import itertools
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from loguru import logger
from numpy.typing import NDArray

from foley_daemon.domain import SAMPLE_RATE, Probe
from foley_daemon.findings import Seen, SeenChunk, sources
from foley_daemon.walk import shown
from ssv2a.errors import FramesUnreadable
from ssv2a.media.audio import read_wav_blocks
from ssv2a.media.frames import FrameReader
from ssv2a.media.timeline import Timeline
from ssv2a.types import Frames, Sighting

FRAME_SIDE = 480  # pixels
MOST_SOURCES = 8  # bars
N_FRAMES = 5
SILENT = "#9aa0ab"  # colour of what does not sound
LABEL_SHARE = 0.09  # of the frame's height that a label takes
SHORT_BAR = 0.25  # of the clip: a shorter bar has its words beside it
INCHES = 14.0  # width of the picture, at 100 pixels each
N_COLUMNS = 1200  # of waveform and spectrogram
FFT = 2048
LOWEST_HZ = 40.0
N_ROWS = 200  # of the spectrogram, logarithmic in frequency
FLOOR_DB = -120.0
COLOURS = ("#ff5c39", "#3fb8ff", "#7bd450", "#ffb22e", "#c988ff", "#ff7eb6", "#4de0c0", "#e0d64d")


@dataclass(frozen=True, slots=True)
class Overview:
    """Waveform and spectrogram of a programme, reduced to the columns of a picture."""

    seconds: float
    low: NDArray[np.float32]  # [columns], smallest sample
    high: NDArray[np.float32]  # [columns], largest sample
    spectrum_db: NDArray[np.float32]  # [rows, columns], dB of full scale, low frequencies first


def frame_times(sightings: Sequence[Sighting], duration: Fraction) -> tuple[Fraction, ...]:
    """Choose the moments to show: of each fifth of the clip the frame in which most is seen."""
    chosen: list[Fraction] = []
    for part in range(N_FRAMES):
        start, end = duration * part / N_FRAMES, duration * (part + 1) / N_FRAMES
        score: dict[Fraction, float] = {}
        for one in sightings:
            if start <= one.time < end:
                score[one.time] = score.get(one.time, 0.0) + one.confidence
        chosen.append(max(score, key=lambda time: (score[time], -time)) if score else start)
    return tuple(sorted(set(chosen)))


def overview(wav: Path, n_samples: int) -> Overview:
    """Reduce a 48 kHz WAV of `n_samples` to columns, block by block."""
    edges = np.linspace(0, n_samples, N_COLUMNS + 1).astype(np.int64)
    low, high = np.zeros(N_COLUMNS, np.float32), np.zeros(N_COLUMNS, np.float32)
    spectrum = np.full((N_ROWS, N_COLUMNS), FLOOR_DB, np.float32)
    bins = _row_bins()
    for column, (own, around) in enumerate(_columns(wav, edges)):
        if own.size:
            low[column], high[column] = own.min(), own.max()
        spectrum[:, column] = _spectrum(around, bins)
    return Overview(n_samples / SAMPLE_RATE, low, high, spectrum)


def draw_picture(clip: Probe, timeline: Timeline, chunks: Sequence[SeenChunk], foley: Path) -> bytes | None:
    """Draw the picture of a clip's foley as PNG; None, and a log line, where frames cannot be read again."""
    sightings = [one for item in chunks for one in item.sightings]
    try:
        with FrameReader(clip.path, timeline, max_side=FRAME_SIDE) as reader:
            frames = reader.read(frame_times(sightings, clip.duration))
    except FramesUnreadable as error:
        logger.warning("{}: no picture: {}", shown(clip.path.name), error)
        return None
    title = f"{shown(clip.path.name)}   {float(clip.duration):.2f} s   {clip.video.width}×{clip.video.height}"
    return draw(title, frames, sightings, sources(chunks), overview(foley, clip.n_samples))


def draw(
    title: str,
    frames: Frames,
    sightings: Sequence[Sighting],
    seen: Sequence[Seen],
    sound: Overview,
) -> bytes:
    """Draw a picture as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    colour = _colours(sightings)
    seen = _worth_showing(seen)
    height, width = frames.images.shape[1:3]
    heights = (0.75 + INCHES / N_FRAMES * min(height / width, 1.0), 4.0 + 0.22 * max(len(seen), 2))
    figure = Figure(figsize=(INCHES, sum(heights)), dpi=100, facecolor="#16181d", layout="constrained")
    FigureCanvasAgg(figure)
    parts: Any = figure.subfigures(2, 1, height_ratios=heights)
    above, below = parts
    for part in (above, below):
        part.set_facecolor("#16181d")
    above.suptitle(title, color="white", fontsize=13, x=0.01, ha="left", parse_math=False)
    columns = np.atleast_1d(above.subplots(1, len(frames)))
    for axes, image, moment in zip(columns, frames.images, frames.times, strict=True):
        _draw_frame(axes, image, moment, sightings, colour)
    rows = (0.1 + 0.22 * max(len(seen), 2), 0.9, 2.0)
    bars, wave, spectrogram = below.subplots(3, 1, sharex=True, height_ratios=rows)
    _draw_sources(bars, seen, colour, sound.seconds)
    _draw_sound(wave, spectrogram, sound)
    png = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a glyph that the font does not have: a box is drawn
        figure.savefig(png, format="png")
    return png.getvalue()


def _draw_frame(
    axes: Any, image: NDArray[np.uint8], time: Fraction, sightings: Sequence[Sighting], colour: dict[str, str]
) -> None:
    from matplotlib.patches import Rectangle

    height, width = image.shape[:2]
    axes.imshow(image)
    axes.set_axis_off()
    axes.set_title(f"{float(time):.2f} s", color="#b8bec9", fontsize=9)
    near = [one for one in sightings if abs(one.time - time) < Fraction(1, 1000) and one.label != "scene"]
    for one in near:
        left, top = one.box.left * width, one.box.top * height
        shade = colour.get(one.caption or "", SILENT)
        size = ((one.box.right - one.box.left) * width, (one.box.bottom - one.box.top) * height)
        axes.add_patch(Rectangle((left, top), *size, fill=False, edgecolor=shade, linewidth=1.6))
        text = f"{one.name} {one.confidence:.2f}" + ("" if one.caption else " (silent)")
        style = {"facecolor": shade, "edgecolor": "none", "pad": 1.0, "alpha": 0.85}
        side = "top" if top < LABEL_SHARE * height else "bottom"  # inside where there is no room above
        where = (max(left, 0.0), max(top, 0.0))
        look = {"fontsize": 6.5, "color": "#101216", "bbox": style, "parse_math": False}
        axes.text(*where, text, va=side, clip_on=True, **look)


def _draw_sources(axes: Any, seen: Sequence[Seen], colour: dict[str, str], seconds: float) -> None:
    _dark(axes)
    for row, one in enumerate(seen):
        shade = colour.get(one.caption or "", SILENT)
        start, end = float(one.start), float(one.end)
        axes.barh(row, end - start, left=start, height=0.72, color=shade)
        count = f" ×{one.count}" if one.count > 1 else ""
        text = f" {one.name}{count} → {one.caption or 'silent'} "
        if end - start > SHORT_BAR * seconds:
            axes.text(start, row, text, va="center", fontsize=8, color="#101216", parse_math=False)
        else:
            after = end < seconds / 2
            side = "left" if after else "right"
            place = end if after else start
            axes.text(place, row, text, va="center", ha=side, fontsize=8, color=shade, parse_math=False)
    axes.set_ylim(max(len(seen), 1) - 0.5, -0.5)
    axes.set_yticks([])
    axes.set_ylabel("seen → heard", color="#b8bec9", fontsize=8)


def _draw_sound(wave: Any, spectrogram: Any, sound: Overview) -> None:
    for axes in (wave, spectrogram):
        _dark(axes)
    times = (np.arange(N_COLUMNS) + 0.5) * sound.seconds / N_COLUMNS
    peak = max(float(np.max(np.abs(sound.low))), float(np.max(np.abs(sound.high))), 1e-3)
    wave.fill_between(times, sound.low, sound.high, color="#3fb8ff", linewidth=0)
    wave.set_ylim(-1.1 * peak, 1.1 * peak)
    wave.set_ylabel("foley", color="#b8bec9", fontsize=8)
    top = float(np.max(sound.spectrum_db))
    extent = (0.0, sound.seconds, 0.0, float(N_ROWS))
    spectrogram.imshow(
        sound.spectrum_db, origin="lower", aspect="auto", extent=extent, cmap="magma", vmin=top - 70, vmax=top
    )
    edges = np.geomspace(LOWEST_HZ, SAMPLE_RATE / 2, N_ROWS)
    ticks = (100, 300, 1000, 3000, 10000)
    spectrogram.set_yticks([float(np.searchsorted(edges, tick)) for tick in ticks], [f"{t:g}" for t in ticks])
    spectrogram.set_ylabel("Hz", color="#b8bec9", fontsize=8)
    spectrogram.set_xlabel("seconds", color="#b8bec9", fontsize=8)
    spectrogram.set_xlim(0.0, sound.seconds)


def _worth_showing(seen: Sequence[Seen]) -> tuple[Seen, ...]:
    """The sources that sound, before those that do not; the longest; in order of appearance."""
    chosen = sorted(seen, key=lambda one: (one.caption is None, one.start - one.end))[:MOST_SOURCES]
    return tuple(sorted(chosen, key=lambda one: (one.caption is None, one.start)))


def _dark(axes: Any) -> None:
    axes.set_facecolor("#101216")
    axes.tick_params(colors="#b8bec9", labelsize=8)
    for spine in axes.spines.values():
        spine.set_color("#3a3f4a")


def _colours(sightings: Sequence[Sighting]) -> dict[str, str]:
    captions = dict.fromkeys(one.caption for one in sightings if one.caption)
    return {caption: COLOURS[index % len(COLOURS)] for index, caption in enumerate(captions)}


def _columns(
    wav: Path, edges: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Each column of a WAV, mixed down: its own samples, and these with at least FFT around their middle.

    Reads ahead by one block at most; before the start and after the end lies silence.
    """
    silence = itertools.repeat(np.zeros((1, FFT), np.float32))
    blocks = itertools.chain(read_wav_blocks(wav, SAMPLE_RATE), silence)
    held, first = np.zeros(FFT, np.float32), -FFT  # samples, and where the first of them lies
    for start, end in itertools.pairwise(edges.tolist()):
        middle = (start + end) // 2
        left, right = min(start, middle - FFT // 2), max(end, middle + FFT // 2)
        while first + held.size < right:
            held = np.concatenate((held, next(blocks).mean(axis=0, dtype=np.float32)))
        held, first = held[left - first :], left
        yield held[start - left : end - left], held[: right - left]


def _row_bins() -> NDArray[np.int64]:
    """FFT bin at the lower edge of each spectrogram row, and the end."""
    edges = np.round(np.geomspace(LOWEST_HZ, SAMPLE_RATE / 2, N_ROWS + 1) * FFT / SAMPLE_RATE)
    return np.asarray(np.clip(edges, 1, FFT // 2), np.int64)


def _spectrum(samples: NDArray[np.float32], bins: NDArray[np.int64]) -> NDArray[np.float32]:
    """Mean power of at least FFT samples by rows, in dB; of at most eight windows, evenly placed."""
    starts = np.linspace(0, samples.size - FFT, min(8, samples.size // FFT)).astype(np.int64)
    windows = np.stack([samples[start : start + FFT] for start in starts]) * np.hanning(FFT)
    power = np.mean(np.abs(np.fft.rfft(windows)) ** 2, axis=0) / FFT**2
    sums = np.concatenate(([0.0], np.cumsum(power)))
    low = bins[:-1]
    high = np.maximum(bins[1:], low + 1)
    rows = (sums[high] - sums[low]) / (high - low)
    return np.asarray(10 * np.log10(np.maximum(rows, 10 ** (FLOOR_DB / 10))), np.float32)
