"""A file that is on its way: `NAME.part`, and beside it what must hold for going on with it.

The note `NAME.part.json` keeps the address it came from, the validator of that content (a strong ETag, or
the date of the last change: RFC 9110, 8.8) and its length. Without a validator two halves may be of two
different files; then only a known SHA-256 allows going on.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

BLOCK = 1 << 20  # bytes read at a time when hashing


@dataclass(frozen=True, slots=True)
class Content:
    """What a server said about the content that it began to send."""

    address: str
    validator: str  # "": none
    length: int | None  # bytes


class Partial:
    """The part of one file that is here. Open it before writing; leaving it closes the file.

    Args:
        target: the file's final path; its folder exists.
        address: of the source. A part from elsewhere is not gone on with.
    """

    def __init__(self, target: Path, address: str) -> None:
        self._target = target
        self.address = address
        self.path = target.with_name(f"{target.name}.part")
        self._note = target.with_name(f"{target.name}.part.json")
        self._stream: BinaryIO | None = None
        self._content = self._noted()

    def __enter__(self) -> Partial:
        self._stream = self.path.open("ab")
        if self._content is None:  # of unknown origin
            self._stream.truncate(0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @property
    def have(self) -> int:
        """Bytes that are here."""
        self._open.flush()
        return os.fstat(self._open.fileno()).st_size

    @property
    def content(self) -> Content | None:
        """What is known about the content begun; None before the first byte."""
        return self._content

    def begin(self, content: Content) -> None:
        """Drop what is here and begin with other content."""
        self._open.truncate(0)
        self._content = content
        self._note.write_text(json.dumps(asdict(content)) + "\n", encoding="utf-8")

    def write(self, block: bytes) -> None:
        """Append."""
        self._open.write(block)

    def sha256(self) -> str:
        """Of what is here, read back from the file."""
        self._open.flush()
        return sha256_of(self.path)

    def finish(self) -> None:
        """Give the file its name; it is complete on disk before it has it."""
        self._open.flush()
        os.fsync(self._open.fileno())
        self.path.replace(self._target)
        self._note.unlink(missing_ok=True)
        sync_folder(self._target.parent)

    def drop(self) -> None:
        """Remove what is here."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    @property
    def _open(self) -> BinaryIO:
        assert self._stream is not None, "used outside its with block"
        return self._stream

    def _noted(self) -> Content | None:
        try:
            content = Content(**json.loads(self._note.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):  # none, or torn by a crash: begin anew
            return None
        return content if content.address == self.address else None


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        digest = hashlib.sha256()
        while block := stream.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
