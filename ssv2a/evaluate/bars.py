"""The bars that a bundle is held to: heard, varied, clean, fast, small. Each is a figure anyone can print."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ssv2a.errors import EvaluationError
from ssv2a.evaluate.composed import Composed, compose, ring
from ssv2a.evaluate.material import Wanted, captions, pairs, pictures, side_by_side
from ssv2a.evaluate.slides import SECONDS, write_panning_clip
from ssv2a.evaluate.tagger import Tagger, is_heard, top_labels
from ssv2a.media.frames import FrameReader
from ssv2a.media.timeline import even_times, picture_timeline
from ssv2a.memory import peak_memory
from ssv2a.pipeline import Ssv2a
from ssv2a.soundbank.bank import Bank
from ssv2a.soundbank.grains import granulate
from ssv2a.soundbank.render import loudness
from ssv2a.types import SAMPLE_RATE, Composition, FloatArray, Take, VideoSettings

TOP_ONE, TOP_PAIR = 5, 10  # labels among which one source, or both of a pair, must be
LARGEST_DC = 1e-3  # of full scale
LOUDNESS_SPREAD = 3.0  # LU between seeds
SAME_TAKE = 0.5  # correlation at the best shift, from which two takes count as one
_MOST_TEXTURES = 12  # recordings that are looked at for loops
_SHIFT = SAMPLE_RATE // 2  # samples that takes are shifted against each other
BOTH_OF = {"default": (0.70, 0.60, 0.50), "community": (0.80, 0.70, 0.60)}  # captions, pictures, pairs


@dataclass(frozen=True, slots=True)
class Heard:
    """One take and what the tagger made of it."""

    wanted: tuple[Wanted, ...]
    seed: int
    take: Take
    labels: tuple[str, ...]  # the surest first; none where nobody listened

    @property
    def name(self) -> str:
        """What it was made from."""
        return " + ".join(one.name for one in self.wanted)

    @property
    def top(self) -> tuple[str, ...]:
        """The labels that count."""
        return self.labels[: TOP_ONE if len(self.wanted) == 1 else TOP_PAIR]

    @property
    def right(self) -> bool:
        """Whether every source is heard, by its own names."""
        return all(is_heard(self.top, one.labels) for one in self.wanted)

    @property
    def near(self) -> bool:
        """Whether every source is heard, near names counted in."""
        return all(is_heard(self.top, one.near) for one in self.wanted)

    @property
    def played(self) -> tuple[str, ...]:
        """Kinds of sound that were played."""
        return tuple(dict.fromkeys(pick.sound for pick in self.take.picks if pick.track is not None))

    @property
    def failing(self) -> str:
        """Where it went wrong: "" where it did not."""
        if self.right:
            return ""
        unplayed = [one.name for one in self.wanted if not set(one.sounds) & set(self.played)]
        return "other sound" if unplayed else "not heard"


@dataclass(frozen=True, slots=True)
class Bar:
    """One figure and what it must reach."""

    name: str
    figure: float
    unit: str
    wanted: float
    at_most: bool = False  # False: at least
    counts: bool = True  # False: shown beside the bars, and never missed

    @property
    def met(self) -> bool:
        """Whether the figure reaches it."""
        return bool(self.figure <= self.wanted) if self.at_most else bool(self.figure >= self.wanted)


class Listener:
    """Renders what is wanted and asks the tagger.

    Args:
        model: the bundle with one of its banks.
        tagger: opens the one that listens, which took no part in the bundle's making; None: nobody does.
        settings: of every take.
        frames: of a clip that are looked at.
    """

    def __init__(
        self, model: Ssv2a, tagger: Callable[[], Tagger] | None, settings: VideoSettings, frames: int
    ) -> None:
        self._frames = frames
        self._model = model
        self._open = tagger
        self._settings = settings

    def captions(self, seeds: int) -> Iterator[Heard]:
        """Every caption alone."""
        yield from (self.hear((one,), seed) for one in captions() for seed in range(seeds))

    def pictures(self, seeds: int) -> Iterator[Heard]:
        """Every photograph alone."""
        yield from (self.hear((one,), seed) for one in pictures() for seed in range(seeds))

    def pairs(self, seeds: int) -> Iterator[Heard]:
        """Every pair."""
        yield from (self.hear(pair, seed) for pair in pairs() for seed in range(seeds))

    def clips(self) -> Iterator[tuple[Composed, bool]]:
        """Every photograph in two composed clips, and whether the tagger hears a clip's ends differently."""
        for first, second in ring():
            clip = compose(self._model, first, second, self._settings)
            before, after = (top_labels(self._ears, sound, TOP_ONE) for sound in clip.alone)
            yield clip, set(before) != set(after)

    def clip(self, path: Path, seed: int) -> Take:
        """A take of the first ten seconds of a clip, as `ssv2a video` makes it."""
        timeline = picture_timeline(path)
        with FrameReader(path, timeline, size=self._model.frame_size) as reader:
            times = even_times(timeline, Fraction(SECONDS), self._frames)
            return self._model.video(
                reader.read(times), SECONDS * SAMPLE_RATE, seed=seed, settings=self._settings
            )[0]

    def hear(self, wanted: tuple[Wanted, ...], seed: int) -> Heard:
        """One take of ten seconds, and the tagger's labels."""
        take = self.take(wanted, seed)
        return Heard(
            wanted, seed, take, top_labels(self._ears, take.waveform, TOP_PAIR) if self._open else ()
        )

    @cached_property
    def _ears(self) -> Tagger:
        if self._open is None:
            raise EvaluationError("nobody listens: name a tagger (--tagger) for what is judged by ear")
        return self._open()

    def take(self, wanted: tuple[Wanted, ...], seed: int) -> Take:
        """Captions are composed, photographs seen; two photographs are one picture."""
        n = SECONDS * SAMPLE_RATE
        if not wanted[0].is_picture:
            texts = Composition(texts=tuple(one.name for one in wanted))
            return self._model.compose(texts, n, seed=seed, settings=self._settings)
        shown = [one.picture() for one in wanted]
        image = shown[0] if len(shown) == 1 else side_by_side(shown[0], shown[1])
        return self._model.image([image], n, seeds=[seed], settings=self._settings)[0]


def heard_bars(bank: str, kind: str, heard: Sequence[Heard]) -> list[Bar]:
    """Share of the takes in which what was wanted is heard.

    Args:
        bank: its name; of others than the shipped ones the default bank's bars are asked.
        kind: captions, pictures or pairs.
        heard: all takes of that kind.
    """
    wanted = BOTH_OF.get(bank, BOTH_OF["default"])[("captions", "pictures", "pairs").index(kind)]
    right, near = (100 * float(np.mean([getattr(one, how) for one in heard])) for how in ("right", "near"))
    return [
        Bar(f"{kind} heard", right, "%", 100 * wanted),
        Bar(f"{kind} heard, near names counted in", near, "%", 100 * wanted, counts=False),
    ]


def clip_bars(clips: Sequence[tuple[Composed, bool]]) -> list[Bar]:
    """How much of composed clips is named rightly and sounds otherwise where other things are seen.

    Args:
        clips: each with whether the tagger hears its ends differently.
    """
    named = [right for clip, _ in clips for right in clip.named]
    chunks = [right for clip, _ in clips for right in clip.right]
    whole = [all(clip.right) and clip.timed for clip, _ in clips]
    rows = (
        ("composed clips: sources named while they are there", named),
        ("composed clips: chunks with all named and nothing else", chunks),
        ("composed clips: all chunks so, and entry and exit timed", whole),
        (
            "composed clips: the tagger hears other labels where other things are",
            [other for _, other in clips],
        ),
    )
    return [Bar(name, 100 * float(np.mean(rights)), "%", 0.0, counts=False) for name, rights in rows]


def varied_bars(heard: Sequence[Heard], listen: Callable[[Sequence[FloatArray]], FloatArray]) -> list[Bar]:
    """Other seeds give other takes, other captions other sounds.

    Args:
        heard: takes of several captions, two seeds of each or more.
        listen: gives the CLAP vectors of sounds.
    """
    vectors = listen([one.take.waveform for one in heard])
    seeds = [(a, b) for a, b in combinations(range(len(heard)), 2) if heard[a].wanted == heard[b].wanted]
    others = [(a, b) for a, b in combinations(range(len(heard)), 2) if heard[a].wanted != heard[b].wanted]
    alike = [correlation(heard[a].take.waveform, heard[b].take.waveform) for a, b in seeds]
    within, between = (float(np.mean([vectors[a] @ vectors[b] for a, b in p])) for p in (seeds, others))
    return [
        Bar("takes of one caption: the likest two, correlation", max(alike), "", SAME_TAKE, at_most=True),
        Bar("CLAP cosine of other captions, below that of other seeds", between, "", within, at_most=True),
    ]


def correlation(first: FloatArray, second: FloatArray) -> float:
    """The largest correlation of two sounds [channels, n], shifted by up to half a second: 0..1."""
    a, b = (sound.mean(axis=0) - sound.mean() for sound in (first, second))
    size = 1 << int(np.ceil(np.log2(2 * len(a))))
    crossed = np.fft.irfft(np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size)), size)
    near = np.concatenate([crossed[: _SHIFT + 1], crossed[-_SHIFT:]])
    return float(np.abs(near).max() / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12))


def clean_bars(heard: Sequence[Heard]) -> list[Bar]:
    """Peaks, offset and loudness of takes."""
    waves = [one.take.waveform for one in heard]
    loud: dict[str, list[float]] = {}
    for one in heard:
        loud.setdefault(one.name, []).append(loudness(one.take.waveform))
    spreads = [max(levels) - min(levels) for levels in loud.values() if len(levels) > 1]
    highest = max(float(np.abs(wave).max()) for wave in waves)
    offset = max(float(np.abs(wave.mean(axis=1)).max()) for wave in waves)
    return [
        Bar("highest peak", float(20 * np.log10(max(highest, 1e-9))), "dBFS", -1.0, at_most=True),
        Bar("largest DC offset", offset, "", LARGEST_DC, at_most=True),
        Bar("loudness between seeds, the widest spread", max(spreads), "LU", LOUDNESS_SPREAD, at_most=True),
    ]


def loop_bar(bank: Bank) -> Bar | None:
    """A minute of one recorded texture of each sound: how much it resembles itself one recording later.

    None where the bank has no recorded texture.
    """
    textures = [entry for entry in bank.entries if entry.file is not None and entry.kind == "texture"]
    entries = list({entry.sound: entry for entry in reversed(textures)}.values())[:_MOST_TEXTURES]
    if not entries:
        return None
    likeness = [_loop(bank.audio(entry)) for entry in entries]
    return Bar(
        "a minute of a recording: likeness to itself a loop later", max(likeness), "", 0.15, at_most=True
    )


def _loop(recording: FloatArray) -> float:
    """The largest autocorrelation of a minute of a texture within 0.1 s of the recording's length."""
    minute = granulate(recording, 60 * SAMPLE_RATE, np.random.default_rng(1))[0]
    spectrum = np.abs(np.fft.rfft(minute - minute.mean(), 2 * minute.size)) ** 2
    alike = np.fft.irfft(spectrum)[: minute.size]
    length, around = recording.shape[1], SAMPLE_RATE // 10
    return float(np.abs(alike[length - around : length + around]).max(initial=0.0) / alike[0])


def speed_bars(load_seconds: float, listener: Listener) -> list[Bar]:
    """How long loading, a clip and a caption take, and the memory of this process up to then.

    Raises:
        FfmpegMissing, FfmpegFailed, FfmpegTimeout: the clip cannot be written.
    """
    wanted = captions()[0]
    with TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        write_panning_clip(clip)
        whole, caption = (  # words need the sentence encoder, clips do not
            float(np.median([_seconds(partial(work, seed)) for seed in range(6)][1:]))
            for work in (partial(listener.clip, clip), partial(listener.take, (wanted,)))
        )
    return [
        Bar("loading", load_seconds, "s", 3.0, at_most=True),
        Bar("10 s of sound for a caption, median of 5", caption, "s", 1.0, at_most=True),
        Bar("a 10 s clip in 1080p read, seen and heard, median of 5", whole, "s", 10.0, at_most=True),
        Bar(
            "memory at the peak, first of clips, then of captions",
            peak_memory() / 1e9,
            "GB",
            1.0,
            at_most=True,
        ),
    ]


def size_bar(bundle: Path) -> Bar:
    """What a bundle takes in git, which stores every file deflated."""
    files = [path for path in bundle.rglob("*") if path.is_file()]
    deflated = sum(len(zlib.compress(file.read_bytes(), 6)) for file in files)
    return Bar("size, deflated", deflated / 1e6, "MB", 80, at_most=True)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
