"""A folder of clips made into a data set of single-source stretches, in the form that training reads.

    OUT/manifest.csv     what is kept, one row a stretch, see ssv2a.train.data.read_manifest
    OUT/sounds/*.flac    its sound, 48 kHz
    OUT/frames/*.jpg     a few frames of it in which the source is alone
    OUT/LICENCES.md      whose the footage is, for banks that are made of it
    OUT/report.csv       every stretch of every file: kept or not, and why
    OUT/observed/        what was seen and heard, so that a build that was stopped goes on where it was

Clips are only read. Every file is written in one step, the manifest after all that it names.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile

from ssv2a.errors import InputError
from ssv2a.files import write_whole
from ssv2a.footage.clips import Clip, Segment, Shelf
from ssv2a.footage.files import split_files
from ssv2a.footage.kinds import NEAREST, Kinds
from ssv2a.footage.observer import Observer, clip_sound
from ssv2a.footage.single_source import Judgement, judge
from ssv2a.footage.survey import OnFile, Passed, list_clips, survey
from ssv2a.footage.verdicts import Verdict
from ssv2a.types import SAMPLE_RATE, Split

MANIFEST, NOTICES, TABLE = "manifest.csv", "LICENCES.md", "report.csv"
UNSTATED = "not stated"
SOUNDS, FRAMES, OBSERVED = "sounds", "frames", "observed"

_COLUMNS = (
    *("id", "path", "class", "caption", "seconds", "split", "source_package", "source_file", "start"),
    *("licence", "author", "frames"),
)
_TABLE = (
    *("file", "start", "seconds", "verdict", "kind", "caption", "seen", "frames", "of", "nearer_kinds"),
    *("heard", "level_dbfs", "music", "labels", "split", "id", "why"),
)
_PACKAGE = "footage"
_NOTICES = """# Licences of this data set

## footage: one's own clips

Cut out of the clips that `manifest.csv` names. Licence: {0.licence}. Author: {0.author}.
"""
_UNFIT = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class Plan:
    """How a data set is built."""

    folder: Path  # of the clips, with all its folders
    out: Path  # made if missing
    nearest: int = NEAREST  # see `judge`
    licence: str = UNSTATED  # of the footage, for the manifest
    author: str = UNSTATED
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
    on_file: OnFile = lambda *_: None,
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
    folder = list_clips(plan.folder, leave_out=plan.out)
    splits = split_files(folder.clips, plan.seed)
    for part in (SOUNDS, FRAMES):
        (plan.out / part).mkdir(parents=True, exist_ok=True)

    # 2. File after file looked at and listened to, and judged.
    stretches = [_whole_file(passed) for passed in folder.passed]
    observed: set[str] = set()
    known: set[str] = set()
    for seen, is_new in survey(folder, observer, Shelf(plan.out / OBSERVED, observer.mark), on_file):
        if isinstance(seen, Passed):
            stretches.append(_whole_file(seen))
        else:
            (observed if is_new else known).add(seen.file)
            stretches += _judged(plan, seen, splits[seen.digest], kinds)

    # 3. Report and manifest, then what is no longer kept goes: each file that a manifest names is there.
    dataset = Dataset(
        tuple(sorted(stretches, key=lambda one: (one.file, one.number))), len(observed), len(known - observed)
    )
    write_whole(plan.out / NOTICES, _NOTICES.format(plan).encode())
    write_whole(plan.out / TABLE, _csv(_TABLE, map(_table_row, dataset.stretches)))
    write_whole(plan.out / MANIFEST, _csv(_COLUMNS, (_manifest_row(one, plan) for one in dataset.kept)))
    _remove_others(plan.out / SOUNDS, {Path(one.sound).name for one in dataset.kept})
    _remove_others(plan.out / FRAMES, {Path(path).name for one in dataset.kept for path in one.frames})
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


def _whole_file(passed: Passed) -> Stretch:
    return Stretch(passed.file, Judgement(passed.verdict), why=passed.why)


def _judged(plan: Plan, clip: Clip, split: Split, kinds: Kinds) -> Iterator[Stretch]:
    """What becomes of a clip's segments; sound and frames of those that are kept are written."""
    if not clip.segments and clip.part == 0:
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
        write_whole(path, file.getvalue())
    jpegs = {picture.frame: picture.jpeg for picture in segment.view.pictures} if segment.view else {}
    for frame, name in zip(stretch.pictures, stretch.frames, strict=True):
        write_whole(plan.out / name, jpegs[frame])


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
        *(f"{float(stretch.seconds):.3f}", stretch.split, _PACKAGE, stretch.file),
        *(f"{float(stretch.start):.3f}", plan.licence, plan.author, "|".join(stretch.frames)),
    )


def _table_row(stretch: Stretch) -> tuple[object, ...]:
    judgement, measured = stretch.judgement, stretch.number >= 0
    return (
        stretch.file,
        *((f"{float(stretch.start):.3f}", f"{float(stretch.seconds):.3f}") if measured else ("", "")),
        *(judgement.verdict.value, judgement.kind, judgement.caption, "|".join(judgement.seen)),
        *(len(judgement.frames), stretch.looked_at, "" if judgement.rank is None else judgement.rank),
        judgement.heard,
        *((f"{stretch.level_db:.1f}", f"{stretch.music:.2f}") if measured else ("", "")),
        "|".join(stretch.labels),
        *((stretch.split, stretch.id) if stretch.is_kept else ("", "")),
        stretch.why,
    )
