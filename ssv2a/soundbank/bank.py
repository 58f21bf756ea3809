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
from functools import cached_property, partial
from pathlib import Path
from threading import Lock
from typing import Any, cast, get_args

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from ssv2a.bundle import Bundle
from ssv2a.config import Ssv2aConfig
from ssv2a.errors import BundleError
from ssv2a.files import write_whole
from ssv2a.soundbank.model import SoundModel
from ssv2a.soundbank.recordings import WHOLE, read_parts
from ssv2a.types import SAMPLE_RATE, FloatArray, Kind

FORMAT = 1
MANIFEST = "bank.json"
CLAPS = "claps.safetensors"
SHIPPED = "bundle:"  # before the name of a bundle's own bank that a bank extends
_CACHED_BYTES = 16_000_000  # of decoded audio


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
        banks: of each entry the name of the bank that it is from, this one or one that it extends.
        entries: ids are unique.
        claps: [n, k, clap_dim].
        own: how many of the last entries are a user's own, which go before the others.
    """

    def __init__(
        self,
        name: str,
        folders: Sequence[Path],
        banks: Sequence[str],
        entries: Sequence[Entry],
        claps: FloatArray,
        own: int = 0,
    ) -> None:
        self.name = name
        self.entries = tuple(entries)
        self.claps = claps
        self._banks = tuple(banks)
        self.own = range(len(self.entries) - own, len(self.entries))
        self._folders = {entry.id: folder for entry, folder in zip(entries, folders, strict=True)}
        self._by_id = {entry.id: index for index, entry in enumerate(self.entries)}
        self._audio: OrderedDict[tuple[str, int], FloatArray] = OrderedDict()  # by entry and take
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
                made with another CLAP; or a bank extends itself.
        """
        layers = _layers(folder, shipped, clap)
        entries = [entry for layer in layers for entry in layer.entries]
        if len({entry.id for entry in entries}) != len(entries):
            raise BundleError(f"{folder / MANIFEST}: an id occurs twice; ids of entries must be unique.")
        top = layers[-1]
        return cls(
            name=top.manifest["name"],
            folders=[layer.folder for layer in layers for _ in layer.entries],
            banks=[layer.manifest["name"] for layer in layers for _ in layer.entries],
            entries=entries,
            claps=_stacked([layer.claps for layer in layers]),
            own=len(top.entries) if top.manifest.get("library") else 0,
        )

    def entry(self, entry_id: str) -> Entry | None:
        """The entry of that id, if the bank has it."""
        index = self._by_id.get(entry_id)
        return None if index is None else self.entries[index]

    @property
    def added(self) -> tuple[Entry, ...]:
        """Its entries without those of the bank that it extends."""
        top = self._folders[self.entries[-1].id] if self.entries else None
        return tuple(entry for entry in self.entries if self._folders[entry.id] == top)

    def bank_of(self, entry: Entry) -> str:
        """Name of the bank that an entry is from: this one, or one that it extends."""
        return self._banks[self._by_id[entry.id]]

    @cached_property
    def models(self) -> Mapping[str, SoundModel]:
        """The procedural models by name."""
        from ssv2a.soundbank.models import all_models  # not needed to read a bank

        return all_models()

    def audio(self, entry: Entry) -> FloatArray:
        """A recording [channels, n] at 48 kHz, its takes one after the other; kept for the next time.

        Raises:
            BundleError: the file is missing or unreadable, or a take is too short.
        """
        takes = self.takes(entry)
        return takes[0] if len(takes) == 1 else np.concatenate(takes, axis=1)

    def takes(self, entry: Entry, numbers: Sequence[int] | None = None) -> tuple[FloatArray, ...]:
        """What a recording's file is played as: its takes, or the whole of it, [channels, n] each at 48 kHz.

        Args:
            entry: a recording.
            numbers: which of its takes; None: all.

        Raises:
            BundleError: the file is missing or unreadable, or a take is too short.
        """
        if entry.file is None:
            raise ValueError(f"entry {entry.id} is a model, not a recording")
        spans = entry.takes or (WHOLE,)
        wanted = [(entry.id, number) for number in (range(len(spans)) if numbers is None else numbers)]
        with self._lock:
            known = {key: self._audio[key] for key in wanted if key in self._audio}
            for key in known:
                self._audio.move_to_end(key)
        lacking = [key for key in wanted if key not in known]
        if lacking:
            parts = read_parts(self._folders[entry.id] / entry.file, [spans[number] for _, number in lacking])
            known |= dict(zip(lacking, parts, strict=True))
            with self._lock:
                self._audio |= known
                held = sum(sound.nbytes for sound in self._audio.values())
                while held > _CACHED_BYTES and len(self._audio) > 1:
                    held -= self._audio.popitem(last=False)[1].nbytes
        return tuple(known[key] for key in wanted)


def open_bank(bundle: Bundle, name: str) -> Bank:
    """One of a bundle's banks by its name, or another by its folder, for use with the bundle's CLAP.

    Raises:
        BundleError: see `Bundle.bank_folder` and `Bank.open`; or its vectors are not of the CLAP's width.
    """
    folder = bundle.bank_folder(name)
    bank = Bank.open(folder, partial(bundle.path, "synthesis"), bundle.clap_mark)
    wanted = Ssv2aConfig.from_file(bundle.path("ssv2a", "config")).clap_dim
    if bank.claps.shape[2] != wanted:
        raise BundleError(
            f"{folder}: made with another CLAP: expected {wanted} numbers a vector, got "
            f"{bank.claps.shape[2]}; build it again: ssv2a bank build … --bundle NAME."
        )
    return bank


def read_audio(path: Path) -> FloatArray:
    """A whole sound file as [1 or 2, n] float32 at 48 kHz; more than two channels are mixed down to one.

    Raises:
        BundleError: the file is missing, unreadable or too short.
    """
    return read_parts(path, [WHOLE])[0]


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
    write_claps(folder / CLAPS, claps)
    write_manifest(folder, {"name": name, "extends": extends}, entries)


def write_claps(path: Path, claps: FloatArray) -> None:
    """Write vectors [n, k, clap_dim] in half precision, in one step (write, then rename)."""
    write_whole(path, save({"claps": np.ascontiguousarray(claps, np.float16)}))


def write_manifest(folder: Path, facts: Mapping[str, Any], entries: Sequence[Entry]) -> None:
    """Write `bank.json` in one step (write, then rename), a line an entry; equal entries give equal bytes."""
    rows = ",\n  ".join(json.dumps(asdict(entry), ensure_ascii=False) for entry in entries)
    head = json.dumps({"format": FORMAT, **facts}, ensure_ascii=False)[:-1]
    part = folder / f"{MANIFEST}.part"
    part.write_text(f'{head}, "entries": [\n  {rows}\n]}}\n', encoding="utf-8")
    part.replace(folder / MANIFEST)


@dataclass(frozen=True, slots=True)
class _Layer:
    """A bank without what it extends."""

    folder: Path
    manifest: Mapping[str, Any]
    entries: tuple[Entry, ...]
    claps: FloatArray  # [n, k, clap_dim]


def _layers(folder: Path, shipped: Callable[[str], Path] | None, clap: str | None) -> list[_Layer]:
    """A bank and all that it extends, the last one of these first."""
    layers = [_layer(folder, clap)]
    while layers[0].manifest.get("extends"):
        above = layers[0]
        base = _extended(above.folder, above.manifest["extends"], shipped)
        if any(base.resolve() == layer.folder.resolve() for layer in layers):
            raise BundleError(f"{base / MANIFEST}: extends itself; name another bank there, or null.")
        below = _layer(base, clap or above.manifest.get("clap"))
        widths = above.claps.shape[2], below.claps.shape[2]
        if widths[0] != widths[1]:
            raise BundleError(
                f"{above.folder}: vectors of {widths[0]} numbers, and of {widths[1]} in {base}, which it "
                "extends: made with another CLAP. Build both with one bundle."
            )
        layers.insert(0, below)
    return layers


def _layer(folder: Path, clap: str | None) -> _Layer:
    manifest = _read_manifest(folder)
    made_with = manifest.get("clap")
    if made_with and clap and made_with != clap:
        raise BundleError(
            f"{folder / MANIFEST}: made with another CLAP ({made_with[:12]}) than the bundle's, or that of a "
            f"bank that extends it ({clap[:12]}); build it again: ssv2a bank build … --bundle NAME."
        )
    entries = tuple(_entry(folder, row) for row in manifest["entries"])
    _check_files(folder, entries)
    return _Layer(
        folder, manifest, entries, _read_claps(folder / manifest.get("vectors", CLAPS), len(entries))
    )


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError(f"{path}: no sound bank ({error}); expected a folder with {MANIFEST}.") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise BundleError(f"{path}: not a sound bank of format {FORMAT}; build it again with this version.")
    texts = {key: manifest[key] for key in ("extends", "clap", "vectors") if manifest.get(key)}
    for key, value in {"name": manifest.get("name"), **texts}.items():
        if not isinstance(value, str):
            raise BundleError(f"{path}: '{key}': expected a text, got {value!r}; build the bank again.")
    rows = manifest.get("entries")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BundleError(f"{path}: 'entries': expected a list of tables; build the bank again.")
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
    where = f"{folder / MANIFEST}: entry {row.get('id')!r}"
    try:
        spans = tuple((float(first), float(last)) for first, last in row.get("takes", ()))
        shortest, longest = row["pause_seconds"]
        pauses = float(shortest), float(longest)
        entry = Entry(**{**row, "pause_seconds": pauses, "takes": spans})
    except (TypeError, ValueError, KeyError) as error:
        raise BundleError(f"{where} is not understood ({error}).") from error
    if (entry.file is None) == (entry.model is None):
        raise BundleError(f"{where} needs either a file or a model.")
    if entry.kind not in get_args(Kind):
        raise BundleError(f"{where}: kind {entry.kind!r}; expected {' or '.join(get_args(Kind))}.")
    if not 0 <= pauses[0] <= pauses[1]:
        raise BundleError(f"{where}: pause_seconds {pauses}; expected the shortest, then the longest.")
    if not all(0 <= first < last for first, last in spans):
        raise BundleError(f"{where}: takes {spans}; expected the first second of each, then its last.")
    return entry


def _check_files(folder: Path, entries: Sequence[Entry]) -> None:
    missing = [entry.file for entry in entries if entry.file and not (folder / entry.file).is_file()]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise BundleError(
            f"{folder / missing[0]}{more}: missing; the bank lists it. Mount the disk, or install or build "
            "the bank again."
        )


def _stacked(parts: Sequence[FloatArray]) -> FloatArray:
    """Vectors of banks below each other; the last vector of an entry fills up a narrower bank."""
    width = max(part.shape[1] for part in parts)
    return np.concatenate(
        [np.pad(part, ((0, 0), (0, width - part.shape[1]), (0, 0)), mode="edge") for part in parts]
    )
