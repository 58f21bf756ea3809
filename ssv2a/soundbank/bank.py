"""A sound bank on disk: recordings and procedural models, with their CLAP vectors and licences.

A bank is a folder:

    bank.json            {"format": 1, "name": …, "extends": a bank or null, "entries": […]}
    claps.safetensors    "claps" [entries, k, clap_dim]: each entry's vectors, L2-normalised, half precision
    audio/…              the recordings, as any file libsndfile reads

A bank that extends another holds that one's entries first: `extends` is its relative path, or `bundle:NAME`
for one of the bundle's. A user's library (`"library": true`) refers to the files where they lie; its own
sounds go before those that it extends. `clap` in the manifest is the mark of the CLAP that made the vectors,
`vectors` the file they are in. Audio is read when it is first wanted, of a long file no more than its takes.
"""

from __future__ import annotations

import json
import os
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any, cast

import numpy as np
import soundfile
import soxr
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from ssv2a.errors import BundleError, InputError
from ssv2a.soundbank.model import SoundModel
from ssv2a.types import SAMPLE_RATE, FloatArray, Kind

FORMAT = 1
MANIFEST = "bank.json"
CLAPS = "claps.safetensors"
SHIPPED = "bundle:"  # before the name of a bundle's own bank that a bank extends
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
    file: str | None = None  # relative to the bank's folder, or where else it lies
    model: str | None = None  # SoundModel.name
    seconds: float = 0.0  # of the recording
    rate: int = SAMPLE_RATE  # Hz
    channels: int = 1
    pause_seconds: tuple[float, float] = (0.0, 0.0)  # events: silence between the end of one and the next
    takes: tuple[tuple[float, float], ...] = ()  # parts of the file that are played, seconds; (): all of it


class Bank:
    """An opened bank.

    Args:
        name: as reports show it.
        folders: of each entry.
        entries: ids are unique.
        claps: [n, k, clap_dim].
        own: how many of the last entries are a user's own, which go before the others.
    """

    def __init__(
        self, name: str, folders: Sequence[Path], entries: Sequence[Entry], claps: FloatArray, own: int = 0
    ) -> None:
        self.name = name
        self.entries = tuple(entries)
        self.claps = claps
        self.own = range(len(self.entries) - own, len(self.entries))
        self._folders = {entry.id: folder for entry, folder in zip(entries, folders, strict=True)}
        self._by_id = {entry.id: index for index, entry in enumerate(self.entries)}
        self._audio: OrderedDict[str, tuple[FloatArray, ...]] = OrderedDict()
        self._lock = Lock()

    @classmethod
    def open(
        cls, folder: Path, shipped: Callable[[str], Path] | None = None, clap: str | None = None
    ) -> Bank:
        """Read a bank's manifest and vectors.

        Args:
            folder: of the bank.
            shipped: where the bundle's own banks lie, by name; for banks that extend one of them.
            clap: mark of the CLAP that is to be used with it; None: it is not compared.

        Raises:
            BundleError: the bank, a file of it or the bank that it extends is missing, not understood, or
                made with another CLAP.
        """
        manifest = _read_manifest(folder)
        made_with = manifest.get("clap")
        if made_with and clap and made_with != clap:
            raise BundleError(
                f"{folder / MANIFEST}: made with another CLAP ({made_with[:12]}) than this bundle's "
                f"({clap[:12]}); build it again: ssv2a bank build … --bundle NAME."
            )
        entries = [_entry(folder, row) for row in manifest["entries"]]
        _check_files(folder, entries)
        claps = _read_claps(folder / manifest.get("vectors", CLAPS), len(entries))
        folders, own = [folder] * len(entries), len(entries) if manifest.get("library") else 0
        if manifest.get("extends"):
            base = cls.open(_extended(folder, manifest["extends"], shipped), shipped)
            entries = [*base.entries, *entries]
            folders = [*(base._folders[entry.id] for entry in base.entries), *folders]
            claps = _stacked(base.claps, claps)
        if len({entry.id for entry in entries}) != len(entries):
            raise BundleError(f"{folder / MANIFEST}: an id occurs twice; ids of entries must be unique.")
        return cls(manifest["name"], folders, entries, claps, own)

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
        """A recording [channels, n] at 48 kHz, its takes one after the other; kept for the next time.

        Raises:
            BundleError: the file is missing or unreadable.
        """
        takes = self.takes(entry)
        return takes[0] if len(takes) == 1 else np.concatenate(takes, axis=1)

    def takes(self, entry: Entry) -> tuple[FloatArray, ...]:
        """What a recording's file is played as: its takes, or the whole of it, [channels, n] each at 48 kHz.

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
        path = self._folders[entry.id] / entry.file
        sounds = read_parts(path, entry.takes) if entry.takes else (read_audio(path),)
        with self._lock:
            self._audio[entry.id] = sounds
            while sum(map(_bytes, self._audio.values())) > _CACHED_BYTES and len(self._audio) > 1:
                self._audio.popitem(last=False)
        return sounds


def _bytes(sounds: Sequence[FloatArray]) -> int:
    return sum(sound.nbytes for sound in sounds)


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


def read_parts(path: Path, spans: Sequence[tuple[float, float]]) -> tuple[FloatArray, ...]:
    """Parts of a sound file, each [1 or 2, n] at 48 kHz; no more of the file is read than they need.

    Args:
        path: of any format that libsndfile or ffmpeg reads; more than two channels are mixed down to one.
        spans: (first, last) second of each.

    Raises:
        BundleError: the file is missing or unreadable, or ends before a part begins.
    """
    try:
        with soundfile.SoundFile(path) as file:
            return tuple(_part(file, first, last) for first, last in spans)
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror}); is the library mounted?") from error
    except soundfile.LibsndfileError:
        return _decoded_parts(path, spans)


def _part(file: soundfile.SoundFile, first: float, last: float) -> FloatArray:
    file.seek(min(round(first * file.samplerate), file.frames))
    samples = file.read(round((last - first) * file.samplerate), dtype="float32", always_2d=True)
    if not len(samples):
        raise BundleError(f"{file.name}: ends before second {first}; build the bank again.")
    return _stereo(soxr.resample(np.nan_to_num(samples), file.samplerate, SAMPLE_RATE).T)


def _decoded_parts(path: Path, spans: Sequence[tuple[float, float]]) -> tuple[FloatArray, ...]:
    """The same through ffmpeg, decoded from the beginning to the last part's end."""
    from ssv2a.sounds import sound_blocks  # ffmpeg is not needed for most banks

    until = max(last for _, last in spans)
    try:
        blocks = list(islice(sound_blocks(path), int(np.ceil(until)) + 1))
    except InputError as error:
        raise BundleError(f"{error} Build the bank again.") from error
    if not blocks:
        raise BundleError(f"{path}: no sound in it any more; build the bank again.")
    whole = np.concatenate(blocks, axis=1)
    return tuple(_stereo(whole[:, round(a * SAMPLE_RATE) : round(b * SAMPLE_RATE)]) for a, b in spans)


def _stereo(sound: FloatArray) -> FloatArray:
    """At most two channels: more are mixed down to one."""
    kept = sound if len(sound) <= 2 else sound.mean(axis=0, keepdims=True)
    return np.ascontiguousarray(kept, np.float32)


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
        claps: [n, k, clap_dim].
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
    save_file({"claps": np.ascontiguousarray(claps, np.float16)}, folder / CLAPS)
    write_manifest(folder, {"name": name, "extends": extends}, entries)


def write_manifest(folder: Path, facts: Mapping[str, Any], entries: Sequence[Entry]) -> None:
    """Write `bank.json` in one step (write, then rename), a line an entry; equal entries give equal bytes."""
    rows = ",\n  ".join(json.dumps(asdict(entry), ensure_ascii=False) for entry in entries)
    head = json.dumps({"format": FORMAT, **facts}, ensure_ascii=False)[:-1]
    part = folder / f"{MANIFEST}.part"
    part.write_text(f'{head}, "entries": [\n  {rows}\n]}}\n', encoding="utf-8")
    part.replace(folder / MANIFEST)


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError(f"{path}: no sound bank ({error}); expected a folder with {MANIFEST}.") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT or "entries" not in manifest:
        raise BundleError(f"{path}: not a sound bank of format {FORMAT}; build it again with this version.")
    return cast(dict[str, Any], manifest)


def _read_claps(path: Path, count: int) -> FloatArray:
    try:
        claps: FloatArray = load_file(path)["claps"].astype(np.float32)
    except (OSError, KeyError, SafetensorError) as error:
        raise BundleError(f"{path}: no CLAP vectors ({error}); build the bank again.") from error
    if claps.ndim != 3 or len(claps) != count:
        raise BundleError(
            f"{path}: vectors of shape {claps.shape} for {count} entries; build the bank again."
        )
    return claps


def _extended(folder: Path, name: str, shipped: Callable[[str], Path] | None) -> Path:
    """Where the bank lies that another extends."""
    if not name.startswith(SHIPPED):
        return Path(os.path.normpath(folder / name))
    if shipped is None:
        raise BundleError(f"{folder / MANIFEST}: extends {name}, and no bundle is there to have it.")
    return shipped(name.removeprefix(SHIPPED))


def _entry(folder: Path, row: dict[str, Any]) -> Entry:
    try:
        spans = tuple((float(first), float(last)) for first, last in row.get("takes", ()))
        entry = Entry(**{**row, "pause_seconds": tuple(row["pause_seconds"]), "takes": spans})
    except (TypeError, ValueError, KeyError) as error:
        raise BundleError(
            f"{folder / MANIFEST}: entry {row.get('id')!r} is not understood ({error})."
        ) from error
    if (entry.file is None) == (entry.model is None):
        raise BundleError(f"{folder / MANIFEST}: entry {entry.id!r} needs either a file or a model.")
    return entry


def _check_files(folder: Path, entries: Sequence[Entry]) -> None:
    missing = [entry.file for entry in entries if entry.file and not (folder / entry.file).is_file()]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise BundleError(
            f"{folder / missing[0]}{more}: missing; the bank lists it. Mount the disk, or install or build "
            "the bank again."
        )


def _stacked(first: FloatArray, second: FloatArray) -> FloatArray:
    """Vectors of two banks below each other; the last vector of an entry fills up a narrower one."""
    width = max(first.shape[1], second.shape[1])
    filled = [np.pad(c, ((0, 0), (0, width - c.shape[1]), (0, 0)), mode="edge") for c in (first, second)]
    return np.concatenate(filled)
