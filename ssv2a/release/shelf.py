"""The bundles of this machine: those of the program, those of the user, and those that could be fetched."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ssv2a.bundle import MANIFEST, Bundle, bundle_folders
from ssv2a.errors import BundleError
from ssv2a.release.model import Release

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)


class Standing(StrEnum):
    """How a bundle stands."""

    BUILT_IN = "built in"
    INSTALLED = "installed"
    DAMAGED = "damaged"  # its manifest is there, but files are not, or are of other size
    INCOMPLETE = "incomplete"  # an install was begun
    AVAILABLE = "available"  # nothing is here


@dataclass(frozen=True, slots=True)
class Shelved:
    """One bundle, as it stands."""

    name: str
    standing: Standing
    folder: Path
    bytes: int  # here; for an available one, about what there is to fetch
    licences: tuple[str, ...]
    version: str  # "": not known


def user_folder() -> Path:
    """The folder of the user's bundles: `bundles` in FOLEY_HOME, or in XDG_DATA_HOME."""
    return bundle_folders()[1]


def sums_file() -> Path:
    """The record of files without a published sum (`ssv2a.release.first_sight`)."""
    return user_folder().parent / "sums.json"


def folder_of(name: str) -> Path:
    """The folder that a bundle of the user has, or would have.

    Raises:
        BundleError: this is no name of a bundle.
    """
    if not _NAME.fullmatch(name):
        raise BundleError(f"'{name}': expected the name of a bundle (letters, digits, '.', '_', '-').")
    return user_folder() / name


def shelf(catalogue: Mapping[str, Release]) -> tuple[Shelved, ...]:
    """Every bundle there is: the program's, the user's, then those of the catalogue that are not here."""
    packaged, own = bundle_folders()
    found = {}
    for place, standing in ((own, Standing.INSTALLED), (packaged, Standing.BUILT_IN)):
        for manifest in sorted(place.glob(f"*/{MANIFEST}"), reverse=True):
            found[manifest.parent.name] = _standing(manifest.parent, standing)
    rows = dict(reversed(found.items()))
    for name, release in catalogue.items():
        rows.setdefault(name, _of_release(release))
    return tuple(rows.values())


def removable(name: str) -> Path:
    """The folder that removing a bundle would remove.

    Raises:
        BundleError: it is built in, or there is none.
    """
    folder = folder_of(name)
    if (bundle_folders()[0] / name / MANIFEST).is_file():
        raise BundleError(f"bundle '{name}' is part of the program and cannot be removed.")
    if not folder.is_dir():
        raise BundleError(f"{folder}: there is no bundle '{name}' to be removed.")
    return folder


def remove(name: str) -> int:
    """Remove a bundle of the user, or what an install of it has brought so far; returns the bytes freed.

    Raises:
        BundleError: it is built in, there is none, or an install of it is running.
    """
    with locked(name):
        folder = removable(name)
        size = _size(folder)
        if folder.is_symlink():  # the bundle lies elsewhere and is left alone
            folder.unlink()
            return 0
        (folder / MANIFEST).unlink(missing_ok=True)  # first: what is left of it is no bundle
        shutil.rmtree(folder)
        return size


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Keep other installs and removals of a bundle out; the lock ends with the process at the latest.

    Raises:
        BundleError: another process has it.
    """
    folder = user_folder()
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / f".{name}.lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BundleError(
                f"bundle '{name}' is being installed or removed by another process; wait until it has ended."
            ) from error
        yield
    finally:
        os.close(descriptor)


def _standing(folder: Path, standing: Standing) -> Shelved:
    try:
        bundle = Bundle.open(folder)
    except BundleError:
        return Shelved(folder.name, Standing.DAMAGED, folder, _size(folder), (), "")
    size = sum(file.bytes for file in bundle.files.values())
    terms = {term for file in bundle.files.values() for term in file.licence.split(" AND ")}
    return Shelved(folder.name, standing, folder, size, tuple(sorted(terms)), bundle.version)


def _of_release(release: Release) -> Shelved:
    folder = folder_of(release.name)
    here = _size(folder)
    standing, size = (Standing.INCOMPLETE, here) if here else (Standing.AVAILABLE, release.about)
    licences = tuple(sorted({part.licence.name for part in release.parts}))
    return Shelved(release.name, standing, folder, size, licences, release.version)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
