"""The names that things are known by: of content, of a render, of a publication, of a chunk's draws.

    content id  = size + blocks of the file          what the clip is
    render key  = content + bundle + sound fields     what is heard; chunk seeds come from it
    publish key = render key + publish fields         what is written; the level changes only this

All are BLAKE2b (RFC 7693) of canonical text, hence equal on every machine. Only `content_id` and
`file_digest` read files.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from pathlib import Path, PurePath
from typing import BinaryIO

BLOCK = 65_536  # bytes of each of the three blocks: one read on every file system, cheap on a network share
_WHOLE_READ = 1 << 20  # bytes at a time when everything is hashed
_DIGEST = 16  # bytes; 128 bits, far beyond what chance can collide


def content_id(path: Path, full: bool = False) -> str:
    """Identity of a file's content, independent of its name and dates.

    By default the size and three blocks of 64 KiB (head, middle, tail): container headers and
    indices lie there and carry creation times and every sample's size, so two clips that differ
    anywhere differ there in practice. A file of three blocks or less is hashed whole.

    Args:
        path: the file; opened read-only.
        full: hash every byte instead.

    Returns:
        "part-<bytes>-<32 hex digits>" or "full-<bytes>-<32 hex digits>".

    Raises:
        OSError: the file cannot be read.
    """
    digest = hashlib.blake2b(digest_size=_DIGEST, person=b"foley.content")
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if full or size <= 3 * BLOCK:
            _hash_all(file, digest)
        else:
            for offset in (0, (size - BLOCK) // 2, size - BLOCK):
                file.seek(offset)
                digest.update(file.read(BLOCK))
    return f"{'full' if full else 'part'}-{size}-{digest.hexdigest()}"


def file_digest(path: Path) -> str:
    """Digest of every byte of a file; read again only when the file has changed.

    Raises:
        OSError: the file cannot be read.
    """
    facts = path.stat()
    return _digest_of(path, facts.st_ino, facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=256)
def _digest_of(path: Path, *_facts: int) -> str:
    digest = hashlib.blake2b(digest_size=_DIGEST, person=b"foley.file")
    with path.open("rb") as file:
        _hash_all(file, digest)
    return digest.hexdigest()


def render_key(content: str, bundle_id: str, sound_fields: Mapping[str, object]) -> str:
    """Identity of what is heard: equal keys give equal samples, so a finished render can be reused.

    Args:
        content: of `content_id`.
        bundle_id: name, version and hash of the model bundle.
        sound_fields: what of the profile changes the sound, the seed included.

    Returns:
        32 hex digits.
    """
    return _key("foley.render", {"bundle": bundle_id, "content": content, "sound": sound_fields})


def publish_key(render: str, publish_fields: Mapping[str, object]) -> str:
    """Identity of what is written: the render and everything done to it afterwards (mode, level, names).

    Args:
        render: of `render_key`.
        publish_fields: what of the profile changes the published files but not the render.

    Returns:
        32 hex digits.
    """
    return _key("foley.publish", {"publish": publish_fields, "render": render})


def chunk_seed(render: str, index: int) -> int:
    """Seed of every draw made for one chunk, 0 .. 2⁶³ − 1, so that a retry gives the same audio.

    Args:
        render: of `render_key`.
        index: of the chunk, from 0.
    """
    digest = hashlib.blake2b(f"{render}:{index}".encode(), digest_size=8, person=b"foley.chunk").digest()
    return int.from_bytes(digest, "big") >> 1


def canonical_json(value: object) -> str:
    """One text for equal values: sorted keys, no spaces, ASCII, fractions as "n/d", sets sorted.

    Raises:
        TypeError: a value has no canonical text.
        ValueError: a number is not finite.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_plain)


def _key(person: str, fields: Mapping[str, object]) -> str:
    text = canonical_json(fields).encode("ascii")
    return hashlib.blake2b(text, digest_size=_DIGEST, person=person.encode()).hexdigest()


def _hash_all(file: BinaryIO, digest: hashlib.blake2b) -> None:
    while block := file.read(_WHOLE_READ):
        digest.update(block)


def _plain(value: object) -> object:
    """What `json` can write for the types it does not know."""
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=canonical_json)
    raise TypeError(
        f"a key is made of text, numbers, fractions, paths, lists and mappings; got {type(value).__name__}"
    )
