"""A user's own sounds as a bank: every file of a folder read, described, heard by the CLAP, and remembered.

What is known of a file is kept in `index.sqlite` in the bank's folder at once: a build that was killed goes
on where it was, and a later one reads only what is new or changed. A file is known by its path, size and time
of change; one that was moved or renamed, by its content. The files themselves are only read.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path, PurePath

import numpy as np
import soundfile

from ssv2a.errors import BundleError, InputError, MediaError
from ssv2a.media import ffmpeg
from ssv2a.roles import Clap
from ssv2a.soundbank.bank import SHIPPED, Entry, write_claps, write_manifest
from ssv2a.soundbank.bwf import wave_tags
from ssv2a.soundbank.captions import Description, describe
from ssv2a.soundbank.index import VECTORS, Heard, Index, Print, once, open_index
from ssv2a.soundbank.meanings import Meanings
from ssv2a.soundbank.outline import SHORTEST_TEXTURE, Outline, kind_of, outline, pauses_of, takes_of
from ssv2a.soundbank.recordings import SHORTEST, read_parts, share_there
from ssv2a.soundbank.vocabulary import vocabulary
from ssv2a.sounds import sound_blocks
from ssv2a.types import SAMPLE_RATE, FloatArray, Kind

_USUAL = (".wav", ".aiff", ".flac", ".mp3", ".ogg", ".m4a")  # as messages name them
SUFFIXES = frozenset({
    *_USUAL, ".wave", ".bwf", ".rf64", ".w64", ".aif", ".aifc", ".oga", ".opus", ".aac", ".mp4", ".caf",
    ".wma", ".wv", ".au", ".snd", ".mka", ".ac3",
})  # fmt: skip
_WHOLE = 0.99  # share of what a header says, from which a file counts as whole: headers are rounded
_WINDOW = 10.0  # seconds of one
_LONGEST_TEXTURE = 60.0  # seconds of a long recording that are played: those nearest its usual level
_LONGEST = 4 * 3600  # seconds of a file that are listened to
_DIGEST_BYTES = 1 << 20  # of a file's beginning, middle and end
_MISNAMED = "its name, or that of a folder, is not UTF-8; rename it"


@dataclass(frozen=True, slots=True)
class Counts:
    """What a build did."""

    entries: int  # in the bank now
    read: int  # files that were read in this build
    known: int  # files that had not changed
    moved: int  # files known by their content under another name
    gone: int  # files of the last build that are no more
    copies: tuple[tuple[str, str], ...]  # file, the one of the same content that is in the bank
    notes: tuple[tuple[str, str], ...]  # file that is in the bank, what is wrong with it
    faults: tuple[tuple[str, str], ...]  # file, why it is not in the bank


@dataclass(frozen=True, slots=True)
class Plan:
    """How a library is built.

    Attributes:
        folder: of the sounds, with all its folders.
        bank: folder of the bank; made if missing.
        name: as reports show it.
        licence: of all files; None: what each says of itself.
        extends: name of a bank of the bundle whose sounds stand in for those that the library lacks.
        mark: of the CLAP.
    """

    folder: Path
    bank: Path
    name: str
    licence: str | None
    extends: str | None
    mark: str

    @property
    def build(self) -> str:
        """What the kept results depend on beside the files."""
        return f"2 {self.mark} {self.licence or ''}"


def build_library(
    plan: Plan, clap: Clap, meanings: Meanings, on_file: Callable[[int, int, Path], None] = lambda *_: None
) -> Counts:
    """Bring a library's bank up to date.

    Args:
        plan: what is to be built.
        clap: gives the vectors.
        meanings: tells the sound that a caption means.
        on_file: told (number, of how many, path) before each file; what it raises ends the build, and the
            next one goes on from there.

    Raises:
        BundleError: the folder is missing, no file of it can be used, or the bank cannot be written.
    """
    found = _found(plan)
    try:
        plan.bank.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BundleError(
            f"{plan.bank}: cannot be made: {error.strerror}; give a folder that can be written (--out)."
        ) from error
    paths = [path for path in found if _is_utf8(path)]
    misnamed = [(_shown(path.relative_to(plan.folder)), _MISNAMED) for path in found if not _is_utf8(path)]
    names = {path.relative_to(plan.folder).as_posix() for path in paths}
    tally = {"read": 0, "known": 0, "moved": 0, "copied": 0}
    with open_index(plan.bank, plan.build) as index:
        for number, path in enumerate(paths, 1):
            on_file(number, len(paths), path)
            tally[_update(index, plan, path, names, clap, meanings)] += 1
        gone = index.forget_all_but(names)
        everything, faults = index.everything()
        kept, copies = once(everything)
        faults = sorted([*faults, *misnamed])
        if not kept:
            reasons = "".join(f"\n  {path}: {why}" for path, why in faults[:5])
            raise BundleError(f"{plan.folder}: no sound in it that can be used:{reasons}")
        index.commit()
    _write(plan, [one.entry for one in kept], np.stack([one.vectors for one in kept]))
    notes = tuple((one.entry.id, one.note) for one in kept if one.note)
    return Counts(
        len(kept), tally["read"], tally["known"], tally["moved"], gone, copies, notes, tuple(faults)
    )


def _found(plan: Plan) -> tuple[Path, ...]:
    """The library's files, before anything that is known of them is touched.

    Raises:
        BundleError: the folder is missing, has no sounds in it or a name that a bank cannot hold.
    """
    if not plan.folder.is_dir():
        raise BundleError(f"{plan.folder}: no such folder; expected one with sounds in it.")
    if not _is_utf8(plan.folder):
        raise BundleError(f"{_shown(plan.folder)}: the folder's name is not UTF-8; rename it.")
    found = sound_files(plan.folder, plan.bank)
    if not found:
        raise BundleError(
            f"{plan.folder}: no sound in it; expected files such as {', '.join(_USUAL)}. Is the disk mounted?"
        )
    return found


def _is_utf8(path: Path) -> bool:
    return _shown(path) == str(path)


def _shown(path: PurePath) -> str:
    """A path as it can be printed: bytes that are not UTF-8 in hexadecimal."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def sound_files(folder: Path, bank: Path) -> tuple[Path, ...]:
    """Every file of a library by its suffix, sorted; hidden ones and the bank's own are passed over."""
    found = []
    for base, folders, names in os.walk(folder):
        folders[:] = sorted(
            n for n in folders if not n.startswith(".") and Path(base, n).resolve() != bank.resolve()
        )
        found += [
            Path(base, name)
            for name in sorted(names)
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
        ]
    return tuple(found)


def _update(
    index: Index, plan: Plan, path: Path, names: Collection[str], clap: Clap, meanings: Meanings
) -> str:
    """Bring one file, of those names, up to date; what was done: "known", "moved", "copied" or "read"."""
    name = path.relative_to(plan.folder).as_posix()
    try:
        facts, last = path.stat(), index.print_of(name)
        if last is not None and (last.size, last.changed) == (facts.st_size, facts.st_mtime_ns):
            return "known"
        now = Print(facts.st_size, facts.st_mtime_ns, _digest(path, facts.st_size))
    except OSError as error:
        index.keep(name, Print(0, 0, ""), f"cannot be read: {error.strerror}")
        return "read"
    twins = index.heard(now.digest)
    if name in twins:  # touched, and otherwise as it was
        index.keep(name, now, twins[name])
        return "known"
    for other, twin in twins.items():
        entry = _described_anew(plan, path, twin.entry, meanings)
        if entry is not None:
            index.keep(name, now, replace(twin, entry=entry))
            return "copied" if other in names else "moved"
    try:
        index.keep(name, now, read_file(plan, path, clap, meanings))
    except (InputError, BundleError, MediaError, OSError) as error:
        index.keep(name, now, str(error).removeprefix(f"{path}: "))
    return "read"


def _described_anew(plan: Plan, path: Path, twin: Entry, meanings: Meanings) -> Entry | None:
    """The entry of a file whose content is known from another: what is said of it may differ.

    None where it is to be read: sounds of another kind are played in other parts.
    """
    said, sound = _said(plan, path, meanings)
    kind = _kind_of_sound(sound, twin.seconds) if sound else None if twin.sound else twin.kind
    if kind != twin.kind:
        return None
    return replace(
        twin,
        id=path.relative_to(plan.folder).as_posix(),
        file=_file(plan, path),
        sound=sound,
        caption=said.caption,
        licence=said.licence,
        author=said.author,
        credit=said.credit,
    )


def read_file(plan: Plan, path: Path, clap: Clap, meanings: Meanings) -> Heard:
    """One file as an entry with its vectors.

    Raises:
        InputError: there is no sound in it, or it is silent or too short.
        BundleError, MediaError, OSError: it cannot be read.
    """
    # 1. Its level over time, and what it is said to be.
    measured, rate, channels = _measure(path)
    if measured.silent:
        raise InputError(f"{path}: silent; expected a sound that can be heard.")
    if measured.seconds < SHORTEST:
        length, least = 1000 * measured.seconds, 1000 * SHORTEST
        raise InputError(f"{path}: {length:.3g} ms long; expected at least {least:.0f} ms.")
    said, sound = _said(plan, path, meanings)

    # 2. Texture or event, and which parts of it are played.
    kind = _kind_of_sound(sound, measured.seconds) if sound else kind_of(measured)
    takes = _steadiest(measured) if kind == "texture" else takes_of(measured)

    # 3. What it sounds like, and whether all of it is there.
    vectors = clap.audio_batch(read_parts(path, _windows(takes, kind == "texture")))
    entry = Entry(
        id=path.relative_to(plan.folder).as_posix(),
        kind=kind,
        sound=sound,
        caption=said.caption,
        licence=said.licence,
        author=said.author,
        credit=said.credit,
        origin=plan.name,
        file=_file(plan, path),
        seconds=round(measured.seconds, 3),
        rate=rate,
        channels=channels,
        pause_seconds=(0.0, 0.0) if kind == "texture" else pauses_of(takes) or (0.6, 2.5),
        takes=takes,
    )
    return Heard(
        entry,
        np.pad(vectors, ((0, VECTORS - len(vectors)), (0, 0)), mode="edge"),
        _cut_off(measured.seconds, share_there(path, measured.seconds)),
    )


def _cut_off(seconds: float, share: float) -> str:
    """What is said of a file of which `seconds` are there, a share of what its header says."""
    if share >= _WHOLE or seconds >= _LONGEST:
        return ""
    return f"cut off: {seconds:.1f} of the {seconds / share:.1f} s that its header says; copy it again"


def _said(plan: Plan, path: Path, meanings: Meanings) -> tuple[Description, str]:
    """What a file is said to be, and the sound that this surely means; "" where there is none."""
    said = describe(tags_of(path), PurePath(path.relative_to(plan.folder)), plan.licence)
    return said, next((key for phrase in said.phrases if (key := meanings.sure_sound_of(phrase))), "")


def _kind_of_sound(sound: str, seconds: float) -> Kind:
    """As such sounds are, where the recording is long enough."""
    return "event" if seconds < SHORTEST_TEXTURE else vocabulary()[sound].kind


def tags_of(path: Path) -> dict[str, str]:
    """What a file says of itself, by lower-case name; nothing where nothing can be read."""
    tags: dict[str, str] = {}
    with suppress(OSError):
        tags |= wave_tags(path) or {}
    if path.suffix.lower() in (".wav", ".bwf", ".w64"):
        return tags
    with suppress(OSError, soundfile.LibsndfileError), soundfile.SoundFile(path) as file:
        return {key.lower(): text for key, text in file.copy_metadata().items() if text} | tags
    with suppress(MediaError):
        found = ffmpeg.probe(["-show_entries", "format_tags", ffmpeg.url(path)])
        return {
            key.lower(): str(text) for key, text in found.get("format", {}).get("tags", {}).items()
        } | tags
    return tags


def _measure(path: Path) -> tuple[Outline, int, int]:
    """Outline, sampling rate and channels of a file, read second by second."""
    try:
        with soundfile.SoundFile(path) as file:
            rate = int(file.samplerate)
            blocks: Iterable[FloatArray] = (
                block.T for block in islice(file.blocks(rate, dtype="float32", always_2d=True), _LONGEST)
            )
            return outline(blocks, rate), rate, int(file.channels)
    except soundfile.LibsndfileError:
        channels: list[int] = []
        measured = outline(_noting(islice(sound_blocks(path), _LONGEST), channels), SAMPLE_RATE)
        return measured, SAMPLE_RATE, channels[0] if channels else 0


def _noting(blocks: Iterable[FloatArray], channels: list[int]) -> Iterator[FloatArray]:
    for block in blocks:
        channels.append(len(block))
        yield block


def _steadiest(measured: Outline) -> tuple[tuple[float, float], ...]:
    """The part of a texture that is played: all, or of a long one the minute nearest its usual level."""
    seconds = measured.seconds
    if seconds <= _LONGEST_TEXTURE:
        return ((0.0, round(seconds, 3)),)
    starts = np.arange(0, seconds - _LONGEST_TEXTURE, _LONGEST_TEXTURE / 4)
    hops = len(measured.levels_db) / seconds
    parts = [measured.levels_db[round(s * hops) : round((s + _LONGEST_TEXTURE) * hops)] for s in starts]
    usual = float(np.median(measured.levels_db))
    best = min(range(len(parts)), key=lambda i: float(np.abs(parts[i] - usual).mean()))
    return ((float(starts[best]), float(starts[best]) + _LONGEST_TEXTURE),)


def _windows(takes: Sequence[tuple[float, float]], texture: bool) -> list[tuple[float, float]]:
    """What the CLAP hears: of a texture windows evenly over it, of events the longest takes."""
    if not texture:
        longest = sorted(takes, key=lambda span: span[0] - span[1])[:VECTORS]
        return [(first, min(last, first + _WINDOW)) for first, last in sorted(longest)]
    first, last = takes[0]
    count = max(1, min(VECTORS, int((last - first) // _WINDOW)))
    starts = np.linspace(first, max(first, last - _WINDOW), count)
    return [(float(start), min(last, float(start) + _WINDOW)) for start in starts]


def _file(plan: Plan, path: Path) -> str:
    """How the bank names a file: from its own folder where that lies in the library, else in full."""
    folder, bank = plan.folder.resolve(), plan.bank.resolve()
    full = folder / path.relative_to(plan.folder)
    return os.path.relpath(full, bank) if bank.is_relative_to(folder) else str(full)


def _digest(path: Path, size: int) -> str:
    """Tells a file's content from others': a hash of its size, beginning, middle and end."""
    digest = hashlib.blake2b(str(size).encode(), digest_size=16)
    with path.open("rb") as file:
        for place in sorted({0, max(0, size // 2 - _DIGEST_BYTES // 2), max(0, size - _DIGEST_BYTES)}):
            file.seek(place)
            digest.update(file.read(_DIGEST_BYTES))
    return digest.hexdigest()


def _write(plan: Plan, entries: Sequence[Entry], vectors: FloatArray) -> None:
    """Vectors first, under a name of their own, then the manifest that names them; the old ones go last."""
    halves = np.ascontiguousarray(vectors, np.float16)
    mark = hashlib.blake2b(halves.tobytes(), digest_size=6).hexdigest()
    name = f"claps-{mark}.safetensors"
    extends = None if plan.extends is None else SHIPPED + plan.extends
    facts = {"name": plan.name, "library": True, "extends": extends, "clap": plan.mark, "vectors": name}
    try:
        write_claps(plan.bank / name, vectors)
        write_manifest(plan.bank, facts, entries)
        for old in plan.bank.glob("claps-*.safetensors"):
            if old.name != name:
                old.unlink()
    except OSError as error:
        raise BundleError(
            f"{plan.bank}: cannot be written ({error}); give a folder that can be (--out), or make room."
        ) from error
