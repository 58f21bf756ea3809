"""A sound bank on disk: recordings and procedural models, with their CLAP vectors and licences.

A bank is a folder:

    bank.json            {"format": 1, "name": …, "extends": relative path of a bank or null, "entries": […]}
    claps.safetensors    "claps" [entries, k, 256]: each entry's vectors, L2-normalised
    audio/…              the recordings, as any file libsndfile reads

A bank that extends another holds that one's entries first. Audio is read when it is first wanted.
"""

from __future__ import annotations

import json
import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, cast

import numpy as np
import soundfile
import soxr
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from ssv2a.errors import BundleError
from ssv2a.soundbank.model import SoundModel
from ssv2a.types import SAMPLE_RATE, FloatArray, Kind

FORMAT = 1
MANIFEST = "bank.json"
CLAPS = "claps.safetensors"
_CACHED_BYTES = 40_000_000  # of decoded audio


@dataclass(frozen=True, slots=True)
class Entry:
    """One sound of a bank: a recording (`file`) or a procedural model (`model`)."""

    id: str
    kind: Kind
    sound: str  # key of the vocabulary; "" in a user's own bank where none is known
    caption: str
    licence: str  # SPDX identifier
    author: str
    credit: str  # the line that a film's credits owe; "" where none is owed
    origin: str  # where it comes from: a package and the name in it, or a family of models
    file: str | None = None  # relative to the bank's folder
    model: str | None = None  # SoundModel.name
    seconds: float = 0.0  # of the recording
    rate: int = SAMPLE_RATE  # Hz
    channels: int = 1
    pause_seconds: tuple[float, float] = (0.0, 0.0)  # events: silence between the end of one and the next


class Bank:
    """An opened bank.

    Args:
        name: as reports show it.
        folders: of each entry.
        entries: ids are unique.
        claps: [n, k, 256].
    """

    def __init__(
        self, name: str, folders: Sequence[Path], entries: Sequence[Entry], claps: FloatArray
    ) -> None:
        self.name = name
        self.entries = tuple(entries)
        self.claps = claps
        self._folders = {entry.id: folder for entry, folder in zip(entries, folders, strict=True)}
        self._by_id = {entry.id: index for index, entry in enumerate(self.entries)}
        self._audio: OrderedDict[str, FloatArray] = OrderedDict()
        self._lock = Lock()

    @classmethod
    def open(cls, folder: Path) -> Bank:
        """Read a bank's manifest and vectors.

        Raises:
            BundleError: the bank, a file of it or the bank that it extends is missing or not understood.
        """
        manifest = _read_manifest(folder)
        entries = [_entry(folder, row) for row in manifest["entries"]]
        try:
            claps: FloatArray = load_file(folder / CLAPS)["claps"]
        except (OSError, KeyError, SafetensorError) as error:
            raise BundleError(
                f"{folder / CLAPS}: no CLAP vectors ({error}); build the bank again."
            ) from error
        if claps.ndim != 3 or len(claps) != len(entries):
            raise BundleError(
                f"{folder / CLAPS}: vectors of shape {claps.shape} for {len(entries)} entries; "
                "build the bank again."
            )
        folders = [folder] * len(entries)
        if manifest.get("extends"):
            base = cls.open(Path(os.path.normpath(folder / manifest["extends"])))
            entries = [*base.entries, *entries]
            folders = [*(base._folders[entry.id] for entry in base.entries), *folders]
            claps = _stacked(base.claps, claps)
        if len({entry.id for entry in entries}) != len(entries):
            raise BundleError(f"{folder / MANIFEST}: an id occurs twice; ids of entries must be unique.")
        return cls(manifest["name"], folders, entries, claps)

    def entry(self, entry_id: str) -> Entry | None:
        """The entry of that id, if the bank has it."""
        index = self._by_id.get(entry_id)
        return None if index is None else self.entries[index]

    @cached_property
    def models(self) -> Mapping[str, SoundModel]:
        """The procedural models by name."""
        from ssv2a.soundbank.models import all_models  # not needed to read a bank

        return all_models()

    def audio(self, entry: Entry) -> FloatArray:
        """A recording [channels, n] at 48 kHz, as it is in the file; kept in memory for the next time.

        Raises:
            BundleError: the file is missing or unreadable.
        """
        if entry.file is None:
            raise ValueError(f"entry {entry.id} is a model, not a recording")
        with self._lock:
            known = self._audio.get(entry.id)
            if known is not None:
                self._audio.move_to_end(entry.id)
                return known
        sound = read_audio(self._folders[entry.id] / entry.file)
        with self._lock:
            self._audio[entry.id] = sound
            while sum(kept.nbytes for kept in self._audio.values()) > _CACHED_BYTES and len(self._audio) > 1:
                self._audio.popitem(last=False)
        return sound


def read_audio(path: Path) -> FloatArray:
    """A sound file as [channels, n] float32 at 48 kHz, at most two channels.

    Raises:
        BundleError: the file is missing or unreadable.
    """
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise BundleError(f"{path}: no readable sound ({error}); build the bank again.") from error
    return np.ascontiguousarray(soxr.resample(samples[:, :2], rate, SAMPLE_RATE).T, np.float32)


def write_bank(
    folder: Path,
    name: str,
    entries: Sequence[Entry],
    claps: FloatArray,
    sources: Mapping[str, Path],
    *,
    extends: str | None = None,
) -> None:
    """Write a bank; the recordings are copied byte for byte. A bank that was there is replaced.

    Args:
        folder: made if missing.
        name: of the bank.
        entries: in the order of `claps`.
        claps: [n, k, 256].
        sources: entry id → the file to copy to the entry's `file`.
        extends: relative path of the bank whose entries come first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / MANIFEST).is_file():
        for row in _read_manifest(folder)["entries"]:
            if row.get("file"):
                (folder / row["file"]).unlink(missing_ok=True)
    for entry in entries:
        if entry.file is not None:
            target = folder / entry.file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(sources[entry.id].read_bytes())
    save_file({"claps": np.ascontiguousarray(claps, np.float32)}, folder / CLAPS)
    rows = ",\n  ".join(json.dumps(asdict(entry), ensure_ascii=False) for entry in entries)
    head = json.dumps({"format": FORMAT, "name": name, "extends": extends})[:-1]
    (folder / MANIFEST).write_text(f'{head}, "entries": [\n  {rows}\n]}}\n', encoding="utf-8")


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError(f"{path}: no sound bank ({error}); expected a folder with {MANIFEST}.") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT or "entries" not in manifest:
        raise BundleError(f"{path}: not a sound bank of format {FORMAT}; build it again with this version.")
    return cast(dict[str, Any], manifest)


def _entry(folder: Path, row: dict[str, Any]) -> Entry:
    try:
        entry = Entry(**{**row, "pause_seconds": tuple(row["pause_seconds"])})
    except (TypeError, KeyError) as error:
        raise BundleError(
            f"{folder / MANIFEST}: entry {row.get('id')!r} is not understood ({error})."
        ) from error
    if (entry.file is None) == (entry.model is None):
        raise BundleError(f"{folder / MANIFEST}: entry {entry.id!r} needs either a file or a model.")
    if entry.file is not None and not (folder / entry.file).is_file():
        raise BundleError(
            f"{folder / entry.file}: missing; the bank lists it. Install or build the bank again."
        )
    return entry


def _stacked(first: FloatArray, second: FloatArray) -> FloatArray:
    """Vectors of two banks below each other; the last vector of an entry fills up a narrower one."""
    width = max(first.shape[1], second.shape[1])
    filled = [np.pad(c, ((0, 0), (0, width - c.shape[1]), (0, 0)), mode="edge") for c in (first, second)]
    return np.concatenate(filled)
