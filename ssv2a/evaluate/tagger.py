"""Taggers: what is heard in a sound, as labels of an audio classifier that took no part in making it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime as ort

from ssv2a.embed.onnx import open_session
from ssv2a.errors import BundleError, EvaluationError
from ssv2a.evaluate.log_mel import BANDS, PATCH_FRAMES, log_mel, mono, patches
from ssv2a.types import FloatArray

CLASS_MAP = "yamnet_class_map.csv"  # the name under which YAMNet's labels are published

_COLUMN = "display_name"
_OFFSET = 0.001  # of the log mel spectrogram
_HOP = 48  # frames from patch to patch: half of one
_PEAK = 0.9  # of every sound, so that its level plays no part
_SILENCE = 1e-6  # peak up to which nothing is made louder
_BATCH = 64  # patches of one run: 31 s


class Tagger(Protocol):
    """An audio classifier."""

    labels: tuple[str, ...]

    def scores(self, waveform: FloatArray) -> FloatArray:
        """[labels], 0..1, the mean over a sound [channels, n] at 48 kHz."""


class YamNet:
    """YAMNet (Plakal and Ellis 2020), or another network with its input: AudioSet's 521 classes.

    Args:
        session: [n, 96, 64, 1] log mel patches → [n, labels] scores, 0..1, among its outputs.
        labels: in the order of the scores.

    Raises:
        EvaluationError: the network takes or gives something else.
    """

    def __init__(self, session: ort.InferenceSession, labels: tuple[str, ...]) -> None:
        self.labels = labels
        self._session = session
        self._input = _input_name(session)
        self._output = self._find_output()

    @classmethod
    def load(cls, model: Path, class_map: Path | None = None, *, threads: int = 2) -> YamNet:
        """Open an ONNX file of YAMNet's layout.

        Args:
            model: the file.
            class_map: CSV with the column display_name, a row for each class in the order of the scores;
                by default yamnet_class_map.csv beside the model.
            threads: of the processor.

        Raises:
            EvaluationError: a file is missing or unreadable, or the network is of another layout.
        """
        if not model.is_file():
            raise EvaluationError(f"{model}: no such file; expected an ONNX file of an audio tagger.")
        labels = _read_labels(class_map or model.with_name(CLASS_MAP))
        try:
            session = open_session(model, threads)
        except BundleError as error:
            raise EvaluationError(str(error)) from error
        try:
            return cls(session, labels)
        except EvaluationError as error:
            raise EvaluationError(f"{model}: {error}") from error

    def scores(self, waveform: FloatArray) -> FloatArray:
        """[labels], 0..1, the mean over patches of 0.96 s every 0.48 s, of a sound [channels, n] at 48 kHz.

        Every sound is heard at a peak of 0.9; one that is shorter than a patch, with silence behind it.

        Raises:
            EvaluationError: the sound is empty, not two-dimensional or holds values that are no numbers.
        """
        samples = mono(waveform)
        peak = float(np.abs(samples).max(initial=0.0))
        if peak > _SILENCE:
            samples = samples * np.float32(_PEAK / peak)
        heard = patches(log_mel(samples, _OFFSET), _HOP)
        rows = [self._run(heard[start : start + _BATCH]) for start in range(0, len(heard), _BATCH)]
        mean: FloatArray = np.concatenate(rows).mean(axis=0)
        return mean

    def _run(self, heard: FloatArray) -> FloatArray:
        """[n, labels] of patches [n, 96, 64]."""
        scores: FloatArray = self._session.run([self._output], {self._input: heard[..., None]})[0]
        return scores

    def _find_output(self) -> str:
        """The output that has a score for each label, found by letting two silent patches through."""
        silent = np.full((2, PATCH_FRAMES, BANDS, 1), np.log(_OFFSET), np.float32)
        try:
            given = self._session.run(None, {self._input: silent})
        except Exception as error:  # onnxruntime's own classes of error have no common public base
            raise EvaluationError(f"the network does not run on patches {silent.shape}: {error}") from error
        names = [str(output.name) for output in self._session.get_outputs()]
        shapes = {name: np.shape(value) for name, value in zip(names, given, strict=True)}
        fitting = [name for name in names if shapes[name] == (2, len(self.labels))]
        if not fitting:
            raise EvaluationError(
                f"expected an output [n, {len(self.labels)}], a score for each label of the class map; for "
                f"n = 2 it gives {shapes}. Is the class map that of this network?"
            )
        scores = given[names.index(fitting[0])]
        if not ((scores >= 0) & (scores <= 1)).all():
            raise EvaluationError(
                f"output {fitting[0]}: expected scores of 0 to 1, got {scores.min():.3g} to "
                f"{scores.max():.3g}; export the network with its sigmoid"
            )
        return fitting[0]


def top_labels(tagger: Tagger, waveform: FloatArray, k: int) -> tuple[str, ...]:
    """The k labels of the highest mean score, highest first, of a sound [channels, n] at 48 kHz."""
    order = np.argsort(-tagger.scores(waveform), kind="stable")
    return tuple(tagger.labels[index] for index in order[:k])


def is_heard(labels: Sequence[str], accepted: Sequence[str]) -> bool:
    """Whether any accepted label is among the labels: whole names, upper and lower case alike."""
    names = {label.strip().casefold() for label in labels}
    return any(label.strip().casefold() in names for label in accepted)


def _read_labels(class_map: Path) -> tuple[str, ...]:
    """The column display_name of a class map.

    Raises:
        EvaluationError: the file is missing, unreadable, or has no such column.
    """
    try:
        with class_map.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise EvaluationError(
            f"{class_map}: the labels of the tagger cannot be read ({error}); expected a CSV with the column "
            f"{_COLUMN}, such as {CLASS_MAP} beside the network."
        ) from error
    if not rows or any(not row.get(_COLUMN) for row in rows):
        raise EvaluationError(
            f"{class_map}: expected a CSV with the column {_COLUMN} filled in every row; "
            f"got {len(rows)} rows of {sorted(map(str, rows[0])) if rows else 'nothing'}."
        )
    return tuple(row[_COLUMN] for row in rows)


def _input_name(session: ort.InferenceSession) -> str:
    """The name of the only input, [n, 96, 64, 1] float32.

    Raises:
        EvaluationError: it is another, or there are more.
    """
    inputs = session.get_inputs()
    shape = list(inputs[0].shape) if len(inputs) == 1 else []
    fits = len(shape) == 4 and all(
        given == wanted or not isinstance(given, int)
        for given, wanted in zip(shape[1:], (PATCH_FRAMES, BANDS, 1), strict=True)
    )
    if not fits or isinstance(shape[0], int) or inputs[0].type != "tensor(float)":
        found = [(entry.name, entry.type, entry.shape) for entry in inputs]
        raise EvaluationError(
            f"expected one input of YAMNet's layout, tensor(float) [n, {PATCH_FRAMES}, {BANDS}, 1] log mel "
            f"patches with n free; got {found}"
        )
    return str(inputs[0].name)
