"""A folder of clips made into a data set of single-source stretches, in the form that training reads.

    OUT/manifest.csv     what is kept, one row a stretch, see ssv2a.train.data.read_manifest
    OUT/sounds/*.flac    its sound, 48 kHz
    OUT/frames/*.jpg     a few frames of it in which the source is alone
    OUT/report.csv       every stretch of every file: kept or not, and why
    OUT/observed/        what was seen and heard, so that a build that was stopped goes on where it was

Clips are only read. Everything is written in one step each, the manifest last.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile
from loguru import logger

from ssv2a.errors import InputError, MediaError
from ssv2a.footage.clips import Clip, Segment, Shelf
from ssv2a.footage.files import clip_files, digest, split_files
from ssv2a.footage.observer import NoSound, Observer, clip_sound
from ssv2a.footage.single_source import NEAREST, Judgement, Kinds, Verdict, judge
from ssv2a.train.data import Split
from ssv2a.types import SAMPLE_RATE

MANIFEST, TABLE = "manifest.csv", "report.csv"
SOUNDS, FRAMES, OBSERVED = "sounds", "frames", "observed"

_COLUMNS = (
    *("id", "path", "class", "caption", "seconds", "split", "source_package", "source_file", "start"),
    *("licence", "author", "frames"),
)
_TABLE = (
    *("file", "start", "seconds", "verdict", "kind", "caption", "seen", "frames", "of", "nearer_kinds"),
    *("level_dbfs", "music", "labels", "split", "id", "why"),
)
_UNFIT = re.compile(r"[^A-Za-z0-9]+")
_ADDRESS = re.compile(r" @ 0x[0-9a-f]+")  # in ffmpeg's words


@dataclass(frozen=True, slots=True)
class Plan:
    """How a data set is built."""

    folder: Path  # of the clips, with all its folders
    out: Path  # made if missing
    nearest: int = NEAREST  # see `judge`
    licence: str = ""  # of the footage, for the manifest
    author: str = ""
    seed: int = 0  # of the split


@dataclass(frozen=True, slots=True)
class Stretch:
    """One segment of one file, and what became of it; a file that gave none is one of these too."""

    file: str  # path in the folder, with forward slashes
    judgement: Judgement
    digest: str = ""  # of the file
    split: Split = "train"
    why: str = ""  # the error of a file that cannot be read, or the file it is a copy of
    number: int = -1  # of the segment; −1: the file as a whole
    start: Fraction = Fraction(0)  # seconds
    seconds: Fraction = Fraction(0)
    level_db: float = -200.0  # dBFS
    music: float = 0.0
    looked_at: int = 0  # frames
    labels: tuple[str, ...] = ()  # the tagger's
    pictures: tuple[int, ...] = ()  # frames that are kept as pictures, of those with the source alone

    @property
    def is_kept(self) -> bool:
        """Whether it is in the manifest."""
        return self.judgement.verdict is Verdict.KEPT

    @property
    def id(self) -> str:
        """Its name in the data set: the file's, what is in it, and where."""
        return f"{_plain(self.file)}-{self.digest[:8]}-{self.number:03d}"

    @property
    def sound(self) -> str:
        """Where its sound lies in the data set, if it is kept."""
        return f"{SOUNDS}/{self.id}.flac"

    @property
    def frames(self) -> tuple[str, ...]:
        """Where its frames lie in the data set, if it is kept."""
        return tuple(f"{FRAMES}/{self.id}-{frame:02d}.jpg" for frame in self.pictures)


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a build made."""

    stretches: tuple[Stretch, ...]  # by file and time
    observed: int  # files that were looked at in this build
    known: int  # files that had been before

    @property
    def kept(self) -> tuple[Stretch, ...]:
        """The stretches in the manifest."""
        return tuple(one for one in self.stretches if one.is_kept)

    @property
    def counts(self) -> Counter[Verdict]:
        """How many stretches (or files without any) met which end."""
        return Counter(one.judgement.verdict for one in self.stretches)


def build_dataset(
    plan: Plan,
    observer: Observer,
    kinds: Kinds,
    on_file: Callable[[int, int, Path], None] = lambda *_: None,
) -> Dataset:
    """Bring a data set up to date with its folder of clips.

    Args:
        plan: what is to be built.
        observer: looks and listens.
        kinds: of sound, that sources are compared with.
        on_file: told (number, of how many, path) before each file; what it raises ends the build, and the
            next one goes on from there.

    Raises:
        InputError: there is no clip in the folder, or `out` holds something else.
        OSError: the disk takes no more.
    """
    # 1. What there is, each content once.
    _check_out(plan.out)
    paths = clip_files(plan.folder, leave_out=plan.out)
    digests, stretches = _digests(plan.folder, paths)
    splits = split_files(digests, plan.seed)
    for folder in (SOUNDS, FRAMES):
        (plan.out / folder).mkdir(parents=True, exist_ok=True)

    # 2. File after file looked at and listened to, unless that was done before, and judged.
    shelf = Shelf(plan.out / OBSERVED, observer.mark)
    observed = known = 0
    for number, (mark, path) in enumerate(digests.items(), 1):
        on_file(number, len(digests), path)
        name = path.relative_to(plan.folder).as_posix()
        clip = shelf.find(name, mark)
        if clip is None:
            found = _observe(observer, path, name, mark)
            if isinstance(found, Stretch):
                stretches.append(found)
                continue
            clip, observed = found, observed + 1
            shelf.keep(clip)
        else:
            known += 1
        stretches += _judged(plan, clip, splits[mark], kinds)

    # 3. Report and manifest; what is no longer kept goes.
    dataset = Dataset(tuple(sorted(stretches, key=lambda one: (one.file, one.number))), observed, known)
    _remove_others(plan.out / SOUNDS, {Path(one.sound).name for one in dataset.kept})
    _remove_others(plan.out / FRAMES, {Path(path).name for one in dataset.kept for path in one.frames})
    _whole(plan.out / TABLE, _csv(_TABLE, map(_table_row, dataset.stretches)))
    _whole(plan.out / MANIFEST, _csv(_COLUMNS, (_manifest_row(one, plan) for one in dataset.kept)))
    return dataset


def _check_out(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: a file; expected a folder for the data set. Name another.")
    if out.is_dir():
        held = {path.name for path in out.iterdir() if not path.name.startswith(".")}
        if held and not held & {MANIFEST, OBSERVED}:
            raise InputError(
                f"{out}: holds {', '.join(sorted(held)[:3])}, which is no data set; expected an empty "
                "folder, one that is not there yet, or a data set to go on with."
            )


def _digests(folder: Path, paths: Sequence[Path]) -> tuple[dict[str, Path], list[Stretch]]:
    """The files by what is in them, and what is said of the others: copies, and what cannot be opened."""
    digests: dict[str, Path] = {}
    others: list[Stretch] = []
    for path in paths:
        name = path.relative_to(folder).as_posix()
        try:
            first = digests.setdefault(digest(path), path)
        except OSError as error:
            others.append(_unread(name, error))
            continue
        if first is not path:
            original = first.relative_to(folder).as_posix()
            others.append(Stretch(name, Judgement(Verdict.COPY), why=original))
    return digests, others


def _unread(name: str, error: Exception) -> Stretch:
    logger.warning("passed over {}: {}", name, error)
    why = _ADDRESS.sub("", " ".join(str(error).split()))  # the same report for the same files
    return Stretch(name, Judgement(Verdict.UNREADABLE), why=why)


def _observe(observer: Observer, path: Path, name: str, mark: str) -> Clip | Stretch:
    """What is seen and heard in a file, or why that cannot be said."""
    try:
        return Clip(name, mark, observer.observe(path))
    except NoSound:
        return Stretch(name, Judgement(Verdict.NO_SOUND), mark)
    except MediaError as error:
        return _unread(name, error)


def _judged(plan: Plan, clip: Clip, split: Split, kinds: Kinds) -> Iterator[Stretch]:
    """What becomes of a clip's segments; sound and frames of those that are kept are written."""
    if not clip.segments:
        yield Stretch(clip.file, Judgement(Verdict.SHORT), clip.digest, split)
    for segment in clip.segments:
        judgement, view = judge(segment, kinds, plan.nearest), segment.view
        shown = () if view is None else tuple(picture.frame for picture in view.pictures)
        stretch = Stretch(
            *(clip.file, judgement, clip.digest, split),
            number=segment.number,
            start=segment.start,
            seconds=segment.seconds,
            level_db=segment.facts.level_db,
            music=segment.facts.music,
            looked_at=0 if view is None else len(view.times),
            labels=() if view is None else view.labels,
            pictures=tuple(frame for frame in shown if frame in judgement.frames),
        )
        if stretch.is_kept:
            _keep(plan, stretch, segment)
        yield stretch


def _plain(file: str) -> str:
    """A file's name as part of another's."""
    ascii_only = unicodedata.normalize("NFKD", Path(file).stem).encode("ascii", "ignore").decode()
    return _UNFIT.sub("-", ascii_only).strip("-").lower()[:60] or "clip"


def _keep(plan: Plan, stretch: Stretch, segment: Segment) -> None:
    """Write sound and frames of a stretch, unless they are there: their names tell what is in them."""
    path = plan.out / stretch.sound
    if not path.exists():
        sound = clip_sound(plan.folder / stretch.file, stretch.start, stretch.seconds)
        file = io.BytesIO()
        soundfile.write(file, np.clip(sound, -1, 1).T, SAMPLE_RATE, format="FLAC", subtype="PCM_24")
        _whole(path, file.getvalue())
    jpegs = {picture.frame: picture.jpeg for picture in segment.view.pictures} if segment.view else {}
    for frame, name in zip(stretch.pictures, stretch.frames, strict=True):
        _whole(plan.out / name, jpegs[frame])


def _whole(path: Path, content: bytes) -> None:
    """Write a file in one step."""
    partial = path.with_name(f".{path.name}.part")
    partial.write_bytes(content)
    partial.replace(path)


def _remove_others(folder: Path, wanted: set[str]) -> None:
    for path in folder.iterdir():
        if path.name not in wanted:
            path.unlink()


def _csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8", "surrogateescape")


def _manifest_row(stretch: Stretch, plan: Plan) -> tuple[object, ...]:
    return (
        *(stretch.id, stretch.sound, stretch.judgement.kind, stretch.judgement.caption),
        *(f"{float(stretch.seconds):.3f}", stretch.split, "footage", stretch.file),
        *(f"{float(stretch.start):.3f}", plan.licence, plan.author, "|".join(stretch.frames)),
    )


def _table_row(stretch: Stretch) -> tuple[object, ...]:
    judgement, measured = stretch.judgement, stretch.number >= 0
    return (
        stretch.file,
        *((f"{float(stretch.start):.3f}", f"{float(stretch.seconds):.3f}") if measured else ("", "")),
        *(judgement.verdict.value, judgement.kind, judgement.caption, "|".join(judgement.seen)),
        *(len(judgement.frames), stretch.looked_at, "" if judgement.rank is None else judgement.rank),
        *((f"{stretch.level_db:.1f}", f"{stretch.music:.2f}") if measured else ("", "")),
        *("|".join(stretch.labels), stretch.split, stretch.id if stretch.is_kept else "", stretch.why),
    )
