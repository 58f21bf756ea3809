"""What a Broadcast Wave file says of itself: `bext`, `iXML` and `LIST INFO`, of WAV, RF64, BW64 and Wave64.

Layouts: EBU Tech 3285 (bext), EBU Tech 3306, ITU-R BS.2088 (RF64, BW64), gallery.co.uk/ixml (iXML, with
the USER fields of sound libraries and Sony's ASWG extension), RIFF Multimedia Programming Interface 1.0
(INFO), Sonic Foundry's Wave64 (GUIDs instead of four letters).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO
from xml.etree import ElementTree

_LARGEST = 4_000_000  # bytes of a chunk that is read; metadata is never larger
_UNKNOWN = 0xFFFFFFFF  # a size that the ds64 chunk holds
_W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")  # of a chunk's GUID, behind its four letters
_W64_RIFF = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000")
_INFO = {
    "INAM": "title",
    "ISBJ": "subject",
    "ICMT": "comment",
    "IKEY": "keywords",
    "IGNR": "genre",
    "IART": "artist",
    "ICOP": "copyright",
}


def wave_tags(path: Path) -> Mapping[str, str] | None:
    """Every text of a WAV-like file, by lower-case name; None: it is no such file.

    `bext` gives description, originator; `INFO` its fields by plain names; `iXML` its leaves by their names
    (fxname, category, catid, keywords, note …). Of two that share a name, the first one that says something
    counts, iXML before bext before INFO. What is damaged is passed over.

    Raises:
        OSError: the file cannot be read.
    """
    found: dict[str, dict[str, str]] = {"iXML": {}, "bext": {}, "LIST": {}}
    with path.open("rb") as file:
        chunks = _chunks(file)
        if chunks is None:
            return None
        for name, content in chunks:
            found[name] = _said(_READERS[name](content)) | found[name]
    return found["LIST"] | found["bext"] | found["iXML"]


def _said(tags: Mapping[str, str]) -> dict[str, str]:
    return {key: text for key, text in tags.items() if text}


def _chunks(file: BinaryIO) -> Iterator[tuple[str, bytes]] | None:
    """The chunks that hold texts, each with its content; None: another kind of file."""
    head = file.read(40)
    if head[:16] == _W64_RIFF:
        return _w64_chunks(file)
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return _riff_chunks(file)
    return None


def _riff_chunks(file: BinaryIO) -> Iterator[tuple[str, bytes]]:
    place, end, data_size = 12, file.seek(0, 2), _UNKNOWN
    while place + 8 <= end:
        file.seek(place)
        name, size = struct.unpack("<4sI", file.read(8))
        if name == b"ds64":
            data_size = struct.unpack("<QQ", file.read(16).ljust(16, b"\0"))[1]
        elif name in _NAMES and size <= _LARGEST:
            yield _NAMES[name], file.read(size)
        if size == _UNKNOWN:
            size = data_size if name == b"data" else end
        place += 8 + size + size % 2


def _w64_chunks(file: BinaryIO) -> Iterator[tuple[str, bytes]]:
    place, end = 40, file.seek(0, 2)
    while place + 24 <= end:
        file.seek(place)
        guid, size = struct.unpack("<16sQ", file.read(24))
        if guid[:4] in _NAMES and guid[4:] == _W64_TAIL and 24 <= size <= _LARGEST:
            yield _NAMES[guid[:4]], file.read(size - 24)
        place += max(24, size + -size % 8)


def _bext(content: bytes) -> dict[str, str]:
    """EBU Tech 3285: 256 bytes of description, 32 of originator."""
    return {"description": _text(content[:256]), "originator": _text(content[256:288])}


def _info(content: bytes) -> dict[str, str]:
    tags: dict[str, str] = {}
    place = 4
    while content[:4] == b"INFO" and place + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, place)
        key = _INFO.get(name.decode("latin-1"))
        if key is not None and (text := _text(content[place + 8 : place + 8 + size])):
            tags.setdefault(key, text)
        place += 8 + size + size % 2
    return tags


def _ixml(content: bytes) -> dict[str, str]:
    """The leaves of the tree; Steinberg's list of attributes by the names that stand in it."""
    raw = content.strip(b"\0 \r\n\t")
    if b"<!DOCTYPE" in raw or b"<!ENTITY" in raw:  # iXML has none, and they are how XML is made a bomb
        return {}
    try:
        root = ElementTree.fromstring(raw)  # noqa: S314 - no document type, no entities, at most 4 MB
    except (ElementTree.ParseError, ValueError, LookupError):  # LookupError: an encoding that there is not
        return {}
    tags: dict[str, str] = {}
    for element in root.iter():
        if element.tag.upper() == "ATTR":
            name, value = element.findtext("NAME"), element.findtext("VALUE")
            if name and value and value.strip():
                tags.setdefault(name.strip().lower(), value.strip())
        elif not len(element) and element.text and element.text.strip():
            tags.setdefault(element.tag.lower(), element.text.strip())
    return tags


def _text(raw: bytes) -> str:
    """Up to the first zero byte, as UTF-8 if it is that, else as Latin-1."""
    raw = raw.split(b"\0")[0]
    try:
        return raw.decode("utf-8").strip()
    except UnicodeDecodeError:
        return raw.decode("latin-1").strip()


_NAMES = {b"bext": "bext", b"iXML": "iXML", b"LIST": "LIST", b"list": "LIST"}
_READERS = {"bext": _bext, "iXML": _ixml, "LIST": _info}
