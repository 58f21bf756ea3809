"""What a release is made of: parts with their licences, files with their sources.

Pure data. A release becomes a bundle (`ssv2a.bundle`) when all its files are in one folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Licence:
    """Under which terms a part may be used."""

    name: str  # SPDX identifier
    means: str  # for the user, in one line
    address: str  # of the text


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a repository on the Hugging Face hub, or on the mirror that HF_ENDPOINT names.

    The hub sends the SHA-256 of its large files along (`X-Linked-Etag`).
    """

    repository: str
    revision: str  # a full commit where the content is to be fixed, else a branch
    path: str

    @property
    def name(self) -> str:
        """Path under which it is published."""
        return self.path

    @property
    def address(self) -> str:
        """Where a browser finds it; it names the file in records, whatever mirror it came from."""
        return f"https://huggingface.co/{self.repository}/resolve/{self.revision}/{self.path}"


@dataclass(frozen=True, slots=True)
class DriveFile:
    """A file of a public folder on Google Drive, found by its name."""

    folder: str  # the folder's id
    name: str
    host: str = "https://drive.google.com"

    @property
    def address(self) -> str:
        """The folder's page, with the file's name as its fragment."""
        return f"{self.host}/drive/folders/{self.folder}#{self.name}"


@dataclass(frozen=True, slots=True)
class WebFile:
    """A file at a fixed address."""

    address: str

    @property
    def name(self) -> str:
        """The last component of the address."""
        return self.address.partition("?")[0].rpartition("/")[2]


Source = HubFile | DriveFile | WebFile


@dataclass(frozen=True, slots=True)
class ReleasedFile:
    """One file of a release."""

    path: str  # in the bundle, with forward slashes
    source: Source
    about: int  # bytes, as published: mostly rounded, so for display and the check of free space only
    sha256: str = ""  # as published elsewhere than with the file itself; "": none is known
    alias: str = ""  # the name that other programs keep the same file under


@dataclass(frozen=True, slots=True)
class Part:
    """Files of one publisher under one licence."""

    title: str
    licence: Licence
    attribution: str
    files: tuple[ReleasedFile, ...]


@dataclass(frozen=True, slots=True)
class Release:
    """Everything that makes one bundle."""

    name: str
    version: str  # of this compilation; the weights have none
    title: str
    parts: tuple[Part, ...]
    roles: Mapping[str, Any]  # as in bundle.json

    @property
    def files(self) -> tuple[ReleasedFile, ...]:
        """Of all parts."""
        return tuple(file for part in self.parts for file in part.files)

    @property
    def about(self) -> int:
        """Bytes of all files, rounded."""
        return sum(file.about for file in self.files)

    @property
    def manifest(self) -> dict[str, Any]:
        """For `ssv2a.bundle.write_bundle`."""
        rows = {
            file.path: {
                "licence": part.licence.name,
                "attribution": part.attribution,
                "origin": file.source.address,
            }
            for part in self.parts
            for file in part.files
        }
        return {"name": self.name, "version": self.version, "roles": dict(self.roles), "files": rows}


def size_text(count: int) -> str:
    """A number of bytes in its largest fitting unit: "512 bytes", "1.71 GB"."""
    for unit, length in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= length:
            return f"{count / length:.3g} {unit}"
    return f"{count} bytes"
