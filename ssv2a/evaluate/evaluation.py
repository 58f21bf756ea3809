"""Generated sounds against references: distance of the sets, likeness of the pairs, what is heard, variety.

    files → Sources (reference, takes) → Measured (vectors, labels) → Evaluation

A file belongs to the source that it is called after: `dog.wav`, or, of several takes, `dog.s0.wav`,
`dog.s1.wav`. Sounds and clips with sound are read; of a folder, those in it, not those within its folders.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import numpy as np

from ssv2a.errors import EvaluationError, InputError
from ssv2a.evaluate.frechet import FEWEST_UNITS, Extrapolation, Unit, extrapolated_distance, set_distance
from ssv2a.evaluate.tagger import Tagger, is_heard
from ssv2a.sounds import read_sound
from ssv2a.types import SAMPLE_RATE, FloatArray

SUFFIXES = frozenset(
    {".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".aac", ".aif", ".aiff", ".w64", ".caf"}
    | {".mp4", ".mov", ".mkv", ".webm", ".avi", ".mxf", ".m4v", ".mpg", ".ts"}
)
_TAKE = re.compile(r"^(?P<source>.+)\.s(?P<take>\d+)$")
_WINDOW = 5 * SAMPLE_RATE  # samples of one CLAP vector for the distance of the sets
_SHORTEST = SAMPLE_RATE  # of the last window, unless it is the only one

Windows = Callable[[Sequence[FloatArray]], list[FloatArray]]
"""Sounds [channels, n] → vectors [windows, d] of each."""


@dataclass(frozen=True, slots=True)
class SourceFiles:
    """One source: what it should sound like, and what was generated for it."""

    name: str
    reference: Path | None
    takes: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """How to measure."""

    top: int = 10  # labels of each sound that are compared
    top_generated: int | None = None  # of generated sounds, where it is another number (released code: 50)
    top_heard: int = 5  # labels among which an accepted one must be
    seed: int = 0  # of the subsets of the extrapolated distance


@dataclass(frozen=True, slots=True)
class Match:
    """Labels of a take against those of its reference (the sound source matching score, arXiv 2411.15447)."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean of both."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


@dataclass(frozen=True, slots=True)
class TakeFigures:
    """One generated file."""

    path: Path
    clap_score: float | None  # cosine with the reference; None: there is none
    labels: tuple[str, ...]  # the surest first; (): no tagger
    match: Match | None  # None: no tagger or no reference
    heard: bool | None  # None: no accepted labels are known
    picture_score: float | None = None  # CS, times 100; None: no picture is known
    caption_score: float | None = None  # cosine with the caption's CLAP; None: none is known


@dataclass(frozen=True, slots=True)
class SourceFigures:
    """One source."""

    name: str
    reference: Path | None
    reference_labels: tuple[str, ...]
    takes: tuple[TakeFigures, ...]
    diversity: float | None  # mean of 1 − cosine between its takes; None: fewer than two


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything measured."""

    sources: tuple[SourceFigures, ...]
    embedding: str
    distance: float | None  # Fréchet, of all windows; None: too few sounds
    extrapolated: Extrapolation | None  # None: fewer than FEWEST_UNITS sources
    clap_score: float | None  # means from here on, over all takes
    match: Match | None
    heard: float | None  # share of the takes with accepted labels
    diversity_of_takes: float | None
    diversity_of_sources: float | None  # mean of 1 − cosine between sources' first takes
    picture_score: float | None = None
    caption_score: float | None = None
    unread: Mapping[str, str] = field(default_factory=dict)  # file → why it could not be read


def match_files(generated: Path, reference: Path) -> tuple[SourceFiles, ...]:
    """Sources of two folders, by name.

    Raises:
        EvaluationError: a folder is missing or has no sound in it, two references share a name, or nothing
            generated has a reference.
    """
    references: dict[str, Path] = {}
    for path in _files(reference):
        if path.stem in references:
            raise EvaluationError(
                f"{path}: a second reference called {path.stem}, as {references[path.stem].name}; rename one."
            )
        references[path.stem] = path
    takes: dict[str, list[Path]] = {}
    for path in _files(generated):
        numbered = _TAKE.match(path.stem)
        takes.setdefault(numbered["source"] if numbered else path.stem, []).append(path)
    if not takes.keys() & references.keys():
        raise EvaluationError(
            f"{generated}: no file is called after one of {reference}; expected the same names, such as "
            "dog.wav (or dog.s0.wav, dog.s1.wav of several takes) for dog.flac."
        )
    names = sorted(takes.keys() | references.keys())
    return tuple(SourceFiles(name, references.get(name), tuple(takes.get(name, ()))) for name in names)


def read_accepted(path: Path) -> dict[str, tuple[str, ...]]:
    """Labels that count as heard, by source: a CSV with the columns name and accepted (separated by |).

    Raises:
        EvaluationError: the file cannot be read or lacks a column.
    """
    return {row["name"]: tuple(row["accepted"].split("|")) for row in _table(path, ("name", "accepted"))}


def read_labels(path: Path) -> dict[str, tuple[str, ...]]:
    """Another tagger's labels by file name: a CSV with the columns file, label and score.

    Raises:
        EvaluationError: the file cannot be read, lacks a column, or a score is no number.
    """
    rows: dict[str, list[tuple[float, str]]] = {}
    for row in _table(path, ("file", "label", "score")):
        try:
            rows.setdefault(row["file"], []).append((float(row["score"]), row["label"]))
        except ValueError as error:
            raise EvaluationError(
                f"{path}: a score of {row['file']} is {row['score']!r}: no number."
            ) from error
    return {file: tuple(label for _, label in sorted(found, reverse=True)) for file, found in rows.items()}


def read_captions(path: Path) -> dict[str, str]:
    """What each source is called in words: a CSV with the columns name and caption.

    Raises:
        EvaluationError: the file cannot be read or lacks a column.
    """
    return {row["name"]: row["caption"] for row in _table(path, ("name", "caption"))}


def label_match(reference: Sequence[str], generated: Sequence[str]) -> Match:
    """Share of the generated labels that the reference has, and of the reference's that were generated.

    Raises:
        EvaluationError: either side has no labels.
    """
    if not reference or not generated:
        raise EvaluationError("labels are compared, and one side has none; expected at least one each.")
    shared = len({*reference} & {*generated})
    return Match(shared / len({*generated}), shared / len({*reference}))


def five_seconds(listen: Callable[[Sequence[FloatArray]], FloatArray]) -> Windows:
    """Windows of 5 s side by side, heard by a CLAP; a rest of a second or more is one of its own."""

    def windows(waveforms: Sequence[FloatArray]) -> list[FloatArray]:
        return [listen(_pieces(waveform)) for waveform in waveforms]

    return windows


class Evaluator:
    """Measures sources one after the other.

    Args:
        listen: CLAP vectors [n, d] of sounds.
        windows: vectors for the distance of the sets.
        embedding: what gives these, by name.
        labels: the labels of a sound, the surest first; None: nobody was asked.
        accepted: labels that count as heard, by source.
        settings: how to measure.
        pictured: how near a sound of a source lies to what is seen of it; None: nobody looks.
        captions: CLAP vectors of what sources are called in words.
    """

    def __init__(
        self,
        listen: Callable[[Sequence[FloatArray]], FloatArray],
        windows: Windows,
        embedding: str,
        labels: Callable[[Path, FloatArray], tuple[str, ...]] | None = None,
        accepted: Mapping[str, tuple[str, ...]] | None = None,
        settings: Settings | None = None,
        pictured: Callable[[str, FloatArray], float | None] | None = None,
        captions: Mapping[str, FloatArray] | None = None,
    ) -> None:
        self._listen = listen
        self._windows = windows
        self._embedding = embedding
        self._labels = labels
        self._accepted = accepted or {}
        self._settings = settings or Settings()
        self._pictured = pictured
        self._captions = captions or {}
        self._figures: list[SourceFigures] = []
        self._units: list[Unit] = []
        self._firsts: list[FloatArray] = []
        self._unread: dict[str, str] = {}

    def add(self, source: SourceFiles) -> SourceFigures:
        """Measure one source; files that cannot be read are noted."""
        reference = self._read(source.reference) if source.reference else None
        takes = {path: sound for path in source.takes if (sound := self._read(path)) is not None}

        # 1. Vectors: of whole sounds for likeness, of windows for the distance of the sets.
        sounds = [*takes.values(), *([] if reference is None else [reference])]
        vectors = self._listen(sounds) if sounds else np.zeros((0, 1), np.float32)
        windows = self._windows(sounds)
        empty = np.zeros((0, windows[0].shape[1] if windows else 1), np.float32)
        made = windows[: len(takes)]
        self._units.append(Unit(np.concatenate([empty, *made]), empty if reference is None else windows[-1]))
        if takes:
            self._firsts.append(vectors[0])

        # 2. Labels and scores of every take.
        wanted = (
            () if reference is None or source.reference is None else self._asked(source.reference, reference)
        )
        figures = tuple(
            self._take(source.name, path, sound, vector, None if reference is None else vectors[-1], wanted)
            for (path, sound), vector in zip(takes.items(), vectors, strict=False)
        )
        spread = _spread(vectors[: len(takes)])
        done = SourceFigures(source.name, source.reference, wanted[: self._settings.top], figures, spread)
        self._figures.append(done)
        return done

    def result(self) -> Evaluation:
        """All sources together.

        Raises:
            EvaluationError: no generated sound could be read.
        """
        takes = [take for source in self._figures for take in source.takes]
        if not takes:
            raise EvaluationError("no generated sound could be read: " + "; ".join(self._unread.values()))
        units = [unit for unit in self._units if len(unit.generated) or len(unit.reference)]
        enough = all(
            sum(len(getattr(unit, side)) for unit in units) > 1 for side in ("generated", "reference")
        )
        rng = np.random.default_rng(self._settings.seed)
        matches = [take.match for take in takes if take.match]
        return Evaluation(
            sources=tuple(self._figures),
            embedding=self._embedding,
            distance=set_distance(units) if enough else None,
            extrapolated=extrapolated_distance(units, rng) if enough and len(units) >= FEWEST_UNITS else None,
            clap_score=_mean([take.clap_score for take in takes]),
            match=_mean_match(matches),
            heard=_mean([None if take.heard is None else float(take.heard) for take in takes]),
            diversity_of_takes=_mean([source.diversity for source in self._figures]),
            diversity_of_sources=_spread(np.stack(self._firsts)) if self._firsts else None,
            picture_score=_mean([take.picture_score for take in takes]),
            caption_score=_mean([take.caption_score for take in takes]),
            unread=self._unread,
        )

    def _take(
        self,
        name: str,
        path: Path,
        sound: FloatArray,
        vector: FloatArray,
        reference: FloatArray | None,
        wanted: tuple[str, ...],
    ) -> TakeFigures:
        settings, labels = self._settings, self._asked(path, sound)
        compared = labels[: settings.top_generated or settings.top]
        accepted = self._accepted.get(name)
        return TakeFigures(
            path=path,
            clap_score=None if reference is None else float(vector @ reference),
            labels=labels[: settings.top],
            match=label_match(wanted[: settings.top], compared) if wanted and compared else None,
            heard=is_heard(labels[: settings.top_heard], accepted) if labels and accepted else None,
            picture_score=None if self._pictured is None else self._pictured(name, sound),
            caption_score=float(vector @ self._captions[name]) if name in self._captions else None,
        )

    def _asked(self, path: Path, sound: FloatArray) -> tuple[str, ...]:
        return () if self._labels is None else self._labels(path, sound)

    def _read(self, path: Path) -> FloatArray | None:
        try:
            return read_sound(path)
        except InputError as error:
            self._unread[str(path)] = str(error)
            return None


def tagged(tagger: Tagger, most: int) -> Callable[[Path, FloatArray], tuple[str, ...]]:
    """A tagger's surest labels of a sound."""

    def labels(_: Path, sound: FloatArray) -> tuple[str, ...]:
        order = np.argsort(-tagger.scores(sound), kind="stable")[:most]
        return tuple(tagger.labels[index] for index in order)

    return labels


def listed(table: Mapping[str, tuple[str, ...]]) -> Callable[[Path, FloatArray], tuple[str, ...]]:
    """Labels that another tagger gave, by file name.

    Raises:
        EvaluationError: (when asked) a file is not in the table.
    """

    def labels(path: Path, _: FloatArray) -> tuple[str, ...]:
        if path.name not in table:
            raise EvaluationError(f"{path.name}: not in the table of labels; expected a row for every file.")
        return table[path.name]

    return labels


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise EvaluationError(f"{folder}: no such folder; expected one with sounds or clips in it.")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise EvaluationError(f"{folder}: no sounds in it; expected files such as dog.wav or dog.mp4.")
    return found


def _table(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise EvaluationError(f"{path}: cannot be read ({error}); expected a CSV.") from error
    if not rows or any(row.get(column) is None for row in rows for column in columns):
        raise EvaluationError(f"{path}: expected rows with the columns {', '.join(columns)}.")
    return rows


def _pieces(waveform: FloatArray) -> list[FloatArray]:
    starts = range(0, waveform.shape[1], _WINDOW)
    pieces = [waveform[:, start : start + _WINDOW] for start in starts]
    return [piece for index, piece in enumerate(pieces) if not index or piece.shape[1] >= _SHORTEST]


def _spread(vectors: FloatArray) -> float | None:
    """Mean of 1 − cosine over pairs of normalised vectors [n, d]; None of fewer than two."""
    pairs = [1 - float(vectors[a] @ vectors[b]) for a, b in combinations(range(len(vectors)), 2)]
    return float(np.mean(pairs)) if pairs else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _mean_match(matches: Sequence[Match]) -> Match | None:
    if not matches:
        return None
    return Match(*(float(np.mean([getattr(m, side) for m in matches])) for side in ("precision", "recall")))
