"""What is known of a library's files, kept in `index.sqlite` in the bank's folder."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ssv2a.errors import BundleError
from ssv2a.soundbank.bank import Entry
from ssv2a.types import FloatArray

INDEX = "index.sqlite"
VECTORS = 4  # of a file: heard in so many windows
_SCHEMA = """
create table if not exists files (
    path text primary key, size integer, changed integer, digest text, build text,
    entry text, vectors blob, fault text
);
create index if not exists by_digest on files (digest);
"""
# What to do, by the kind of error (sqlite.org/rescode.html).
_REMEDIES = {
    sqlite3.SQLITE_BUSY: "another build is running; wait until it is done",
    sqlite3.SQLITE_LOCKED: "another build is running; wait until it is done",
    sqlite3.SQLITE_FULL: "make room on the disk",
    sqlite3.SQLITE_IOERR: "is the disk mounted and well?",
    **dict.fromkeys(
        (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM),
        "give a folder that can be written (--out)",
    ),
}


@dataclass(frozen=True, slots=True)
class Print:
    """By what a file is known again."""

    size: int  # bytes
    changed: int  # nanoseconds since 1970
    digest: str  # of its content; "" where it could not be read


@dataclass(frozen=True, slots=True)
class Heard:
    """A file as a bank has it."""

    entry: Entry
    vectors: FloatArray  # [VECTORS, clap_dim]; kept in half precision
    note: str = ""  # what is wrong with the file, though it can be used


class Index:
    """The rows of one build.

    Args:
        connection: to the database.
        build: what the rows depend on beside the files; those of another build are not found.
    """

    def __init__(self, connection: sqlite3.Connection, build: str) -> None:
        self._rows = connection
        self._build = build

    def print_of(self, name: str) -> Print | None:
        """By what a file was known in this build, if it was read."""
        row = self._rows.execute(
            "select size, changed, digest from files where path = ? and build = ?", (name, self._build)
        ).fetchone()
        return None if row is None else Print(*row)

    def heard(self, digest: str) -> dict[str, Heard]:
        """The files of that content, by name."""
        rows = self._rows.execute(
            "select path, entry, vectors, fault from files "
            "where digest = ? and build = ? and entry is not null",
            (digest, self._build),
        )
        return {path: _heard(entry, vectors, note) for path, entry, vectors, note in rows}

    def keep(self, name: str, known_by: Print, found: Heard | str) -> None:
        """Keep what a file is, or why it cannot be used, at once."""
        entry = vectors = None
        if isinstance(found, Heard):
            entry = json.dumps(asdict(found.entry), ensure_ascii=False)
            vectors = np.ascontiguousarray(found.vectors, np.float16).tobytes()
        fault = found.note if isinstance(found, Heard) else found
        facts = (known_by.size, known_by.changed, known_by.digest)
        self._rows.execute(
            "insert or replace into files values (?, ?, ?, ?, ?, ?, ?, ?)",
            (name, *facts, self._build, entry, vectors, fault),
        )
        self._rows.commit()

    def forget_all_but(self, names: Collection[str]) -> int:
        """Drop the other files; how many. It holds from the next `commit` on."""
        gone = [(name,) for (name,) in self._rows.execute("select path from files") if name not in names]
        self._rows.executemany("delete from files where path = ?", gone)
        return len(gone)

    def commit(self) -> None:
        """Let what was dropped be gone."""
        self._rows.commit()

    def everything(self) -> tuple[list[tuple[str, Heard]], list[tuple[str, str]]]:
        """Files as a bank has them, each with its digest, and the others with what is wrong; by path."""
        kept, faults = [], []
        for path, digest, entry, vectors, fault in self._rows.execute(
            "select path, digest, entry, vectors, fault from files order by path"
        ):
            if entry is None:
                faults.append((path, fault))
            else:
                kept.append((digest, _heard(entry, vectors, fault)))
        return kept, faults


@contextmanager
def open_index(bank: Path, build: str) -> Iterator[Index]:
    """The index in a bank's folder; made if missing, closed in the end.

    Raises:
        BundleError: it is damaged, in use, or cannot be written, now or later while it is open.
    """
    path = bank / INDEX
    try:
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(_SCHEMA)
            yield Index(connection, build)
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # without its finer kind
        remedy = _REMEDIES.get(code, "delete it and build again")
        raise BundleError(f"{path}: the library's index cannot be used ({error}): {remedy}.") from error


def once(files: Sequence[tuple[str, Heard]]) -> tuple[list[Heard], tuple[tuple[str, str], ...]]:
    """Each content once, and the other files, each with the one that is kept.

    That is one of which it is known what sounds, if there is one, and has the shortest name: "a copy.wav" is
    not it.

    Args:
        files: digest of the content, what it is heard as.
    """
    kept: dict[str, Heard] = {}
    for digest, heard in sorted(files, key=_rank):
        kept.setdefault(digest, heard)
    originals = {digest: heard.entry.id for digest, heard in kept.items()}
    copies = [(one.entry.id, originals[digest]) for digest, one in files if one.entry.id != originals[digest]]
    return sorted(kept.values(), key=lambda heard: heard.entry.id), tuple(copies)


def _rank(file: tuple[str, Heard]) -> tuple[bool, int, str]:
    """The first of several files of one content is the one that is kept."""
    entry = file[1].entry
    return not entry.sound, len(entry.id), entry.id


def _heard(entry: str, vectors: bytes, note: str) -> Heard:
    row = json.loads(entry)
    spans = tuple((float(first), float(last)) for first, last in row["takes"])
    return Heard(
        Entry(**{**row, "takes": spans, "pause_seconds": tuple(row["pause_seconds"])}),
        np.frombuffer(vectors, np.float16).astype(np.float32).reshape(VECTORS, -1),
        note,
    )
