"""Is the file all there? What the container's own structure says, read from its content.

A clean ffprobe is no answer: a truncated MP4 with its index in front probes with the full duration.
What is read is a few bytes per top-level element, so it is cheap on any disk.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import BinaryIO

from foley_daemon.domain import Container
from foley_daemon.errors import ClipIncomplete, ClipUnreadable

_ATOMS = frozenset((b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"uuid", b"styp"))
_EBML, _DOCTYPE, _SEGMENT = 0x1A45DFA3, 0x4282, 0x18538067
_SUPPORTED = "MP4, MOV, Matroska, WebM, AVI or MPEG-TS"
_TS_PACKETS = ((188, 0), (192, 4), (204, 0))  # bytes a packet, offset of its sync byte
_TS_SYNC = 0x47
_WAIT = "Copy or export it again"


def check_structure(path: Path) -> None:
    """Check that the file is one of the containers and reaches the end its structure promises.

    Raises:
        ClipIncomplete: it ends too early, or its index is missing.
        ClipUnreadable: it is no regular file, cannot be opened, or is none of the containers.
    """
    container_of(path)


def container_of(path: Path) -> Container:
    """The container, from the content and not the name, once its structure was found complete.

    Raises:
        ClipIncomplete: it ends too early, or its index is missing.
        ClipUnreadable: it is no regular file, cannot be opened, or is none of the containers.
    """
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):  # opening a pipe would wait for its writer
            raise ClipUnreadable(f"{path} is a folder or no regular file. A clip was expected.")
        with path.open("rb") as file:
            return _recognise(file, facts.st_size, path)
    except PermissionError as error:
        raise ClipUnreadable(
            f"{path} may not be read by this user. Give read permission (chmod a+r)."
        ) from error
    except FileNotFoundError as error:
        raise ClipUnreadable(f"{path} is not there. Was it moved or renamed?") from error


def _recognise(file: BinaryIO, size: int, path: Path) -> Container:
    if size == 0:
        raise ClipIncomplete(f"{path} is empty: a clip was expected, got 0 bytes. {_WAIT}.")
    head = file.read(16)
    if head[4:8] in _ATOMS:
        _check_atoms(file, size, path)
        return Container.MP4 if head[4:8] == b"ftyp" and head[8:12] != b"qt  " else Container.MOV
    if int.from_bytes(head[:4], "big") == _EBML:
        return _check_ebml(file, size, path)
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        _check_riff(file, size, path)
        return Container.AVI
    for packet, offset in _TS_PACKETS:
        if _is_transport_stream(file, size, packet, offset):
            if size % packet:
                raise _cut(path, "whole packets", -(-size // packet) * packet, size)
            return Container.MPEGTS
    raise ClipUnreadable(
        f"{path} is no clip that can be read: {_SUPPORTED} was expected, its first bytes are {head[:12]!r}. "
        "Export it in one of these containers."
    )


def _cut(path: Path, what: str, expected: int, size: int) -> ClipIncomplete:
    return ClipIncomplete(
        f"{path} is cut off: {what} would end at byte {expected}, the file has {size}. "
        f"{_WAIT}, the copy may have stopped."
    )


def _check_atoms(file: BinaryIO, size: int, path: Path) -> None:
    """Walk the top-level boxes (ISO 14496-12, 4.2) to the end of the file; moov and mdat are among them."""
    position, seen = 0, set()
    while position < size:
        file.seek(position)
        header = file.read(16)
        length, kind = int.from_bytes(header[:4], "big"), header[4:8]
        if not any(header):  # zeros after the last box are padding, or space that a copy has yet to fill
            break
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        elif length == 0:
            length = size - position  # to the end of the file
        if length < 8:
            raise ClipIncomplete(
                f"{path} is damaged at byte {position}: a box of at least 8 bytes was expected, "
                f"got {length}. {_WAIT}."
            )
        position += length
        if position > size:
            raise _cut(path, f"its boxes up to {kind.decode('latin-1')!r}", position, size)
        seen.add(kind)
    for kind, role in ((b"moov", "index"), (b"mdat", "media data")):
        if kind not in seen:
            raise ClipIncomplete(
                f"{path} has no {role} ({kind.decode()!r} box): the recording or the copy was not finished. "
                f"{_WAIT}."
            )


def _check_ebml(file: BinaryIO, size: int, path: Path) -> Container:
    """EBML header, then a Segment that reaches the end of the file (RFC 8794, RFC 9559).

    A Segment of unknown size is a live recording: nothing says where it ends.
    """
    _, header_end = _element(file, 0)
    container = Container.MKV
    position = _element_data(file, 0)
    while header_end is not None and position < min(header_end, size):
        identity, end = _element(file, position)
        if end is None or end <= position:
            break
        if identity == _DOCTYPE:
            start = _element_data(file, position)
            file.seek(start)
            container = Container.WEBM if file.read(end - start).rstrip(b"\0") == b"webm" else Container.MKV
        position = end
    position = header_end or size
    while position < size:
        identity, end = _element(file, position)
        if end is None:
            return container
        if end > size:
            raise _cut(path, "its segment" if identity == _SEGMENT else "its header", end, size)
        if identity == _SEGMENT:
            return container
        position = end
    raise ClipIncomplete(f"{path} has a Matroska header and no segment after it. {_WAIT}.")


def _element(file: BinaryIO, position: int) -> tuple[int, int | None]:
    """(identity, byte after the end) of the EBML element at `position`; None: of unknown size."""
    identity, width = _variable(file, position, keep_marker=True)
    length, more = _variable(file, position + width, keep_marker=False)
    unknown = length == (1 << 7 * more) - 1
    return identity, None if unknown else position + width + more + length


def _element_data(file: BinaryIO, position: int) -> int:
    """Where the data of the EBML element at `position` start."""
    _, width = _variable(file, position, keep_marker=True)
    return position + width + _variable(file, position + width, keep_marker=False)[1]


def _variable(file: BinaryIO, position: int, *, keep_marker: bool) -> tuple[int, int]:
    """(value, bytes) of an EBML variable-size integer (RFC 8794, 4); at the end of the file (0, 1)."""
    file.seek(position)
    data = file.read(8)
    if not data or data[0] == 0:
        return 0, 1
    width = 9 - data[0].bit_length()
    value = int.from_bytes(data[:width], "big")
    return (value if keep_marker else value & (1 << 7 * width) - 1), width


def _check_riff(file: BinaryIO, size: int, path: Path) -> None:
    """RIFF chunks one after the other, "AVI " and then "AVIX" (OpenDML 1.02), none beyond the end."""
    position = 0
    while position + 12 <= size:
        file.seek(position)
        header = file.read(12)
        if header[:4] != b"RIFF":
            break
        length = int.from_bytes(header[4:8], "little")
        if length in (0, 0xFFFFFFFF):
            raise ClipIncomplete(
                f"{path} was not finished: its RIFF chunk at byte {position} has no size. "
                "Stop the recording properly and copy it again."
            )
        if position + 8 + length > size:
            raise _cut(path, "its RIFF chunks", position + 8 + length, size)
        position += 8 + length + length % 2


def _is_transport_stream(file: BinaryIO, size: int, packet: int, offset: int) -> bool:
    """Sync bytes at the first packets' places (ISO 13818-1, 2.4.3.2), at least two."""
    file.seek(0)
    data = file.read(5 * packet)
    signs = data[offset::packet]
    return size >= 2 * packet and len(signs) >= 2 and all(sign == _TS_SYNC for sign in signs)
