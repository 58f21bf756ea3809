"""Composed clips: two photographed things enter and leave at known times. Is each named while it is there?"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from ssv2a.evaluate.material import Wanted, pictures
from ssv2a.evaluate.slides import write_slides
from ssv2a.media.frames import FrameReader
from ssv2a.media.timeline import picture_timeline
from ssv2a.pipeline import Ssv2a
from ssv2a.types import SAMPLE_RATE, FloatArray, Take, VideoSettings

CHUNK = 5  # seconds; a clip has three
FRAMES = 10  # that are looked at in each
INTERVAL = CHUNK / FRAMES  # seconds between two of them: times cannot be known better
ENTERS, LEAVES, ENDS = 4, 7, 15  # seconds: the second thing comes, the first goes, the clip is over
_WIDTH, _HEIGHT, _RATE = 640, 360, 10  # pixels, frames a second
_EDGE = 20  # pixels, at least, that a photograph leaves free
_GREY = (150, 150, 146)


@dataclass(frozen=True, slots=True)
class Composed:
    """A composed clip and its takes, a chunk each, one going on from the other."""

    first: Wanted
    second: Wanted
    takes: tuple[Take, ...]

    @property
    def name(self) -> str:
        """The two photographs."""
        return f"{self.first.name} + {self.second.name}"

    @property
    def played(self) -> tuple[frozenset[str], ...]:
        """Kinds of sound of each chunk's sources."""
        return tuple(
            frozenset(pick.sound for pick in take.picks if pick.track is not None) for take in self.takes
        )

    @property
    def named(self) -> tuple[bool, ...]:
        """Of each thing in each chunk that it is in: whether it sounds as it should."""
        there = zip(self._there(), self.played, strict=True)
        return tuple(bool(sounds & set(thing.sounds)) for things, sounds in there for thing in things)

    @property
    def right(self) -> tuple[bool, ...]:
        """Of each chunk: whether all that is there sounds as it should, and nothing else does."""
        return tuple(
            all(sounds & set(thing.sounds) for thing in things)
            and sounds <= {sound for thing in things for sound in thing.sounds}
            for things, sounds in zip(self._there(), self.played, strict=True)
        )

    @property
    def timed(self) -> bool:
        """Whether the second thing comes, and the first goes, when it does."""
        came, went = self.span(0, self.second), self.span(1, self.first)
        return (
            came is not None
            and went is not None
            and abs(came[0] - ENTERS) <= INTERVAL
            and abs(went[1] - LEAVES) <= INTERVAL
        )

    @property
    def alone(self) -> tuple[FloatArray, FloatArray]:
        """What sounds while only the first thing is there, and only the second: [channels, n] each."""
        return self.takes[0].waveform[:, : (ENTERS - 1) * SAMPLE_RATE], self.takes[2].waveform

    def span(self, chunk: int, thing: Wanted) -> tuple[float, float] | None:
        """When a thing's source is in a chunk: its first and last frame, seconds of the clip; None: never."""
        take = self.takes[chunk]
        keys = {pick.track for pick in take.picks if pick.sound in thing.sounds}
        there = [
            CHUNK * chunk + float(time)
            for track in take.scene.tracks
            if track.key in keys
            for time, presence in zip(take.scene.times, track.presence, strict=True)
            if presence > 0.5
        ]
        return (min(there), max(there)) if there else None

    def _there(self) -> tuple[tuple[Wanted, ...], ...]:
        """The things of each chunk."""
        return (self.first, self.second), (self.first, self.second), (self.second,)


def ring() -> Iterator[tuple[Wanted, Wanted]]:
    """Every photograph once as the first thing and once as the second, beside one that sounds otherwise.

    The same order at every call: the first of a random row of orders that has no two alike beside each other.
    """
    rng = np.random.default_rng(0)
    shown = pictures()
    while True:
        order = [shown[index] for index in rng.permutation(len(shown))]
        pairs = list(zip(order, order[1:] + order[:1], strict=True))
        if not any(set(first.sounds) & set(second.sounds) for first, second in pairs):
            yield from pairs
            return


def compose(model: Ssv2a, first: Wanted, second: Wanted, settings: VideoSettings) -> Composed:
    """Write such a clip as MP4, read it as any clip is read, and let the model make its takes.

    Raises:
        FfmpegMissing, FfmpegFailed, FfmpegTimeout: the clip cannot be written.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        _write(path, first, second)
        return Composed(first, second, tuple(_takes(model, path, settings)))


def _write(path: Path, first: Wanted, second: Wanted) -> None:
    """The first thing is on the left until LEAVES, the second on the right from ENTERS on."""
    shots = ((first, None, ENTERS), (first, second, LEAVES - ENTERS), (None, second, ENDS - LEAVES))
    slides = []
    for left, right, seconds in shots:
        canvas = Image.new("RGB", (_WIDTH, _HEIGHT), _GREY)
        for side, thing in enumerate((left, right)):
            if thing is not None:
                _place(canvas, thing, side)
        slides.append((canvas, Fraction(seconds)))
    write_slides(path, slides, _RATE)


def _place(canvas: Image.Image, thing: Wanted, side: int) -> None:
    """A photograph in one half of the canvas, 0: the left one, as large as there is room."""
    image, half = Image.fromarray(thing.picture()), _WIDTH // 2
    scale = min((half - _EDGE) / image.width, (_HEIGHT - _EDGE) / image.height)
    image = image.resize((round(image.width * scale), round(image.height * scale)))
    canvas.paste(image, (side * half + (half - image.width) // 2, (_HEIGHT - image.height) // 2))


def _takes(model: Ssv2a, path: Path, settings: VideoSettings) -> Iterator[Take]:
    state = None
    with FrameReader(path, picture_timeline(path)) as reader:
        for start in range(0, ENDS, CHUNK):
            frames = reader.read([start + Fraction(2 * i + 1, 2 * FRAMES) * CHUNK for i in range(FRAMES)])
            take, state = model.video(
                frames,
                CHUNK * SAMPLE_RATE,
                start=Fraction(start),
                seed=start,
                settings=settings,
                previous=state,
            )
            yield take
