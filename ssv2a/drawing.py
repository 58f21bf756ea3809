"""What pictures of reports and explanations are made of: frames with boxes, waveforms, spectrograms.

matplotlib is imported when something is drawn, and its object interface is used, which is safe in a thread.
"""

from __future__ import annotations

import io
import itertools
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ssv2a.types import SAMPLE_RATE, Box, ByteArray, FloatArray, Sighting

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 100
PAPER, PANEL, EDGE = "#16181d", "#101216", "#3a3f4a"
INK, PALE = "#ffffff", "#b8bec9"
SILENT = "#9aa0ab"  # colour of what does not sound
COLOURS = ("#ff5c39", "#3fb8ff", "#7bd450", "#ffb22e", "#c988ff", "#ff7eb6", "#4de0c0", "#e0d64d")
N_COLUMNS = 1200  # of waveform and spectrogram
FFT = 2048
LOWEST_HZ = 40.0
N_ROWS = 200  # of the spectrogram, logarithmic in frequency
FLOOR_DB = -120.0
RANGE_DB = 70  # of the spectrogram, below its loudest point
_TICKS_HZ = (100, 300, 1000, 3000, 10000)


@dataclass(frozen=True, slots=True)
class Overview:
    """Waveform and spectrogram of a programme, reduced to the columns of a picture."""

    seconds: float
    low: FloatArray  # [columns], smallest sample
    high: FloatArray  # [columns], largest sample
    spectrum_db: FloatArray  # [rows, columns], dB of full scale, low frequencies first


@dataclass(frozen=True, slots=True)
class Mark:
    """A box in a picture with its words."""

    box: Box
    text: str
    colour: str
    silent: bool = False  # drawn dashed


def frame_times(sightings: Sequence[Sighting], duration: Fraction, count: int) -> tuple[Fraction, ...]:
    """Choose the moments to show: of each `count`-th of a clip the frame in which most is seen.

    Where nothing is seen in a part, its beginning is chosen.
    """
    chosen: list[Fraction] = []
    for part in range(count):
        start, end = duration * part / count, duration * (part + 1) / count
        score: dict[Fraction, float] = {}
        for one in sightings:
            if start <= one.time < end:
                score[one.time] = score.get(one.time, 0.0) + one.confidence
        chosen.append(max(score, key=lambda time: (score[time], -time)) if score else start)
    return tuple(sorted(set(chosen)))


def overview(blocks: Iterable[FloatArray], n_samples: int) -> Overview:
    """Reduce `n_samples` of sound to columns.

    Args:
        blocks: the sound in pieces [channels, samples] at SAMPLE_RATE; one piece is held at a time.
        n_samples: of all of them; what is missing is silence.
    """
    edges = np.linspace(0, n_samples, N_COLUMNS + 1).astype(np.int64)
    low, high = np.zeros(N_COLUMNS, np.float32), np.zeros(N_COLUMNS, np.float32)
    spectrum = np.full((N_ROWS, N_COLUMNS), FLOOR_DB, np.float32)
    bins = _row_bins()
    for column, (own, around) in enumerate(_columns(blocks, edges)):
        if own.size:
            low[column], high[column] = own.min(), own.max()
        spectrum[:, column] = _spectrum(around, bins)
    return Overview(n_samples / SAMPLE_RATE, low, high, spectrum)


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, facecolor=PAPER)
    FigureCanvasAgg(figure)
    return figure


def to_png(figure: Figure) -> bytes:
    """The figure as a PNG file."""
    png = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a glyph that the font does not have: a box is drawn
        figure.savefig(png, format="png")
    return png.getvalue()


def dark(axes: Any) -> None:
    """Give axes the colours of the page."""
    axes.set_facecolor(PANEL)
    axes.tick_params(colors=PALE, labelsize=8)
    for spine in axes.spines.values():
        spine.set_color(EDGE)


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Width of a line in inches, in the font of the page at `size` points."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(size=size, weight="bold" if bold else "normal")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a glyph that the font does not have
        width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(width) / 72


def shortened(text: str, width: float, size: float, *, bold: bool = False) -> str:
    """A line of at most `width` inches: what does not fit is cut off, with an ellipsis."""
    if text_width(text, size, bold=bold) <= width:
        return text
    fits = 0
    for step in (64, 32, 16, 8, 4, 2, 1):
        while fits + step < len(text) and text_width(f"{text[: fits + step]}…", size, bold=bold) <= width:
            fits += step
    return f"{text[:fits].rstrip()}…"


def draw_frame(axes: Any, image: ByteArray, marks: Sequence[Mark], *, inches: float, size: float) -> None:
    """A picture with its boxes; their words are put where no other words are, as far as there is room.

    Args:
        axes: to draw in; they lose their frame.
        image: [height, width, 3] RGB.
        marks: the boxes, the most important first.
        inches: width of the picture on the page.
        size: of the words, in points.
    """
    from matplotlib.patches import Rectangle

    height, width = image.shape[:2]
    axes.imshow(image)
    axes.set_axis_off()
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)
    per_inch = width / inches  # the picture's pixels in an inch of the page
    tall = 1.7 * size / 72 * per_inch
    taken: list[Box] = []
    for mark in marks:
        left, top = mark.box.left * width, mark.box.top * height
        extent = (mark.box.right - mark.box.left) * width, (mark.box.bottom - mark.box.top) * height
        line: Any = {
            "edgecolor": mark.colour,
            "linewidth": 1.6,
            "linestyle": (0, (4, 3)) if mark.silent else "-",
        }
        axes.add_patch(Rectangle((left, top), *extent, fill=False, **line))
        text = shortened(mark.text, 0.9 * inches, size)
        long = (text_width(text, size) + 0.08) * per_inch
        place = _room(mark.box, long / width, tall / height, taken)
        taken.append(place)
        x, y = place.left * width, place.top * height
        axes.add_patch(Rectangle((x, y), long, tall, facecolor=mark.colour, alpha=0.85, linewidth=0))
        middle = (x + 0.04 * per_inch, y + 0.5 * tall)
        axes.text(*middle, text, fontsize=size, va="center_baseline", color=PANEL, parse_math=False)


def _room(box: Box, width: float, height: float, taken: Sequence[Box]) -> Box:
    """Where the words of a box go: above it, in its corners, below it; where fewest others are hidden."""
    corners = [
        (box.left, box.top - height),
        (box.left, box.top),
        (box.right - width, box.top - height),
        (box.right - width, box.top),
        (box.left, box.bottom - height),
        (box.right - width, box.bottom - height),
        (box.left, box.bottom),
        (box.left, (box.top + box.bottom - height) / 2),
    ]
    places: list[Box] = []
    for x, y in corners:
        left, top = min(max(x, 0.0), max(1 - width, 0.0)), min(max(y, 0.0), max(1 - height, 0.0))
        places.append(Box(left, top, left + width, top + height))
    return min(places, key=lambda place: sum(place.overlap(other) for other in taken))


def draw_wave(axes: Any, sound: Overview) -> None:
    """The waveform, scaled to its own peak."""
    dark(axes)
    times = (np.arange(N_COLUMNS) + 0.5) * sound.seconds / N_COLUMNS
    peak = max(float(np.max(np.abs(sound.low))), float(np.max(np.abs(sound.high))), 1e-3)
    axes.fill_between(times, sound.low, sound.high, color="#3fb8ff", linewidth=0)
    axes.set_ylim(-1.1 * peak, 1.1 * peak)
    axes.set_ylabel("foley", color=PALE, fontsize=8)


def draw_spectrogram(axes: Any, sound: Overview) -> None:
    """The spectrogram, logarithmic in frequency, over seconds."""
    dark(axes)
    top = float(np.max(sound.spectrum_db))
    axes.imshow(
        sound.spectrum_db,
        origin="lower",
        aspect="auto",
        extent=(0.0, sound.seconds, 0.0, float(N_ROWS)),
        cmap="magma",
        vmin=top - RANGE_DB,
        vmax=top,
    )
    edges = np.geomspace(LOWEST_HZ, SAMPLE_RATE / 2, N_ROWS)
    places = [float(np.searchsorted(edges, tick)) for tick in _TICKS_HZ]
    axes.set_yticks(places, [f"{tick:g}" for tick in _TICKS_HZ])
    axes.set_ylabel("Hz", color=PALE, fontsize=8)
    axes.set_xlabel("seconds", color=PALE, fontsize=8)
    axes.set_xlim(0.0, sound.seconds)


def _columns(
    blocks: Iterable[FloatArray], edges: NDArray[np.int64]
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Each column of a sound, mixed down: its own samples, and these with at least FFT around their middle.

    Reads ahead by one block at most; before the start and after the end lies silence.
    """
    endless = itertools.chain(blocks, itertools.repeat(np.zeros((1, FFT), np.float32)))
    held, first = np.zeros(FFT, np.float32), -FFT  # samples, and where the first of them lies
    for start, end in itertools.pairwise(edges.tolist()):
        middle = (start + end) // 2
        left, right = min(start, middle - FFT // 2), max(end, middle + FFT // 2)
        while first + held.size < right:
            held = np.concatenate((held, next(endless).mean(axis=0, dtype=np.float32)))
        held, first = held[left - first :], left
        yield held[start - left : end - left], held[: right - left]


def _row_bins() -> NDArray[np.int64]:
    """FFT bin at the lower edge of each spectrogram row, and the end."""
    edges = np.round(np.geomspace(LOWEST_HZ, SAMPLE_RATE / 2, N_ROWS + 1) * FFT / SAMPLE_RATE)
    return np.asarray(np.clip(edges, 1, FFT // 2), np.int64)


def _spectrum(samples: FloatArray, bins: NDArray[np.int64]) -> FloatArray:
    """Mean power of at least FFT samples by rows, in dB; of at most eight windows, evenly placed."""
    starts = np.linspace(0, samples.size - FFT, min(8, samples.size // FFT)).astype(np.int64)
    windows = np.stack([samples[start : start + FFT] for start in starts]) * np.hanning(FFT)
    power = np.mean(np.abs(np.fft.rfft(windows)) ** 2, axis=0) / FFT**2
    sums = np.concatenate(([0.0], np.cumsum(power)))
    low = bins[:-1]
    high = np.maximum(bins[1:], low + 1)
    rows = (sums[high] - sums[low]) / (high - low)
    return np.asarray(10 * np.log10(np.maximum(rows, 10 ** (FLOOR_DB / 10))), np.float32)
