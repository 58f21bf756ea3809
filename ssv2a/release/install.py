"""From a release to a bundle: what is missing is fetched, or taken from a folder, and checked.

The files come into the bundle's own folder one by one; `bundle.json`, which makes it a bundle, is written
last. An install that was interrupted, or that lacks files, is gone on with by the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from loguru import logger

from ssv2a.bundle import MANIFEST, Bundle, write_bundle
from ssv2a.errors import BundleError, InstallFailed
from ssv2a.release.carried import find_carried, take
from ssv2a.release.client import Client
from ssv2a.release.download import PATIENCE, Patience, download
from ssv2a.release.first_sight import FirstSight
from ssv2a.release.model import Release, ReleasedFile, size_text
from ssv2a.release.partial import sha256_of
from ssv2a.release.room import require_room
from ssv2a.release.shelf import folder_of, locked, sums_file

Told = Callable[[str, int, int | None], None]  # what is done, bytes so far, bytes in all


@dataclass(frozen=True, slots=True)
class Installed:
    """A bundle that is in its place."""

    bundle: Bundle
    first_seen: tuple[str, ...]  # files without a published sum, seen for the first time


@dataclass(frozen=True, slots=True)
class _Install:
    """What the steps of one install share."""

    release: Release
    folder: Path
    seen: FirstSight
    told: Told
    first_seen: list[str] = field(default_factory=list)

    def path(self, file: ReleasedFile) -> Path:
        return self.folder / file.path

    def known_sum(self, file: ReleasedFile) -> str:
        """The sum that the file must have: published, else of its first appearance, else ""."""
        sight = self.seen.of(file.source.address)
        return file.sha256 or (sight.sha256 if sight else "")

    def remedy(self, file: ReleasedFile) -> str:
        """What to do about a file that has not its known sum."""
        sight = self.seen.of(file.source.address)
        if file.sha256 or sight is None:
            return ""
        return (
            f" No sum is published; this one is of its first appearance, on {sight.day}. If the change is "
            f"wanted, remove its entry from {self.seen.file}."
        )

    def remember(self, file: ReleasedFile, sha256: str, size: int) -> None:
        """Record a file that nothing is published about."""
        address = file.source.address
        if not file.sha256 and self.seen.of(address) is None:
            self.seen.record(address, sha256, size)
            self.first_seen.append(file.path)


def install(
    release: Release,
    source: Client | Path,
    *,
    told: Told = lambda _what, _done, _total: None,
    patience: Patience = PATIENCE,
) -> Installed:
    """Make a release's bundle in the user's folder.

    Args:
        release: from the catalogue.
        source: a client fetches what is missing; a folder holds files that the user carried in.
        told: hears what is done.
        patience: with hosts.

    Raises:
        InstallFailed: files could not be fetched; names all that are missing and how to get them.
        BundleError: the folder lacks files or holds others, a file is not what was published, or another
            install is running.
    """
    folder = folder_of(release.name)
    with locked(release.name):
        folder.mkdir(exist_ok=True)
        work = _Install(release, folder, FirstSight(sums_file()), told)
        missing = [file for file in release.files if not _is_here(work, file)]
        if isinstance(source, Path):
            _take_all(work, source, missing)
        else:
            _fetch_all(work, source, missing, patience)
        told("checking all files", 0, None)
        return Installed(write_bundle(folder, release.manifest), tuple(work.first_seen))


def is_installed(release: Release) -> bool:
    """Whether the bundle is there, with all its files in their sizes."""
    try:
        Bundle.open(folder_of(release.name))
    except BundleError:
        return False
    return True


def how_to_get(release: Release, files: Sequence[ReleasedFile]) -> str:
    """What is missing, where it is published, and how it can be carried in."""
    rows = [f"  {file.path} (about {size_text(file.about)}): {file.source.address}" for file in files]
    return "\n".join(
        (
            f"{len(files)} of {len(release.files)} files of '{release.name}' are missing:",
            *rows,
            "Fetch them where there is a connection, put them into one folder under these paths, and run:",
            f"  foley models install {release.name} --from FOLDER",
        )
    )


def _is_here(work: _Install, file: ReleasedFile) -> bool:
    """Whether an earlier install has brought the file; one that differs from its known sum is removed."""
    path = work.path(file)
    if not path.is_file():
        return False
    known = work.known_sum(file)
    if not known:
        return True
    work.told(f"checking {file.path}", 0, None)
    if sha256_of(path) == known:
        return True
    logger.warning("{}: has not the SHA-256 that it should; it is removed", path)
    (work.folder / MANIFEST).unlink(missing_ok=True)
    path.unlink()
    return False


def _take_all(work: _Install, folder: Path, missing: Sequence[ReleasedFile]) -> None:
    """Take what a folder holds of the missing files; tell all that it lacks and all that is not right."""
    if not folder.is_dir():
        raise BundleError(f"{folder}: no such folder; expected one that holds the files carried in.")
    carried = find_carried(folder, missing)
    faults = []
    for file, source in carried.items():
        work.told(f"checking {file.path}", 0, None)
        known, found = work.known_sum(file), sha256_of(source)
        if known and found != known:
            faults.append(
                f"{source}: expected SHA-256 {known}, got {found}; it is not taken.{work.remedy(file)}"
            )
            continue
        work.path(file).parent.mkdir(parents=True, exist_ok=True)
        take(source, work.path(file))
        work.remember(file, found, work.path(file).stat().st_size)
    lacking = [file for file in missing if not work.path(file).is_file()]
    if lacking:
        raise BundleError("\n".join((*faults, how_to_get(work.release, lacking))))


def _fetch_all(work: _Install, client: Client, missing: Sequence[ReleasedFile], patience: Patience) -> None:
    """Fetch the missing files; when a host fails, those of the other hosts are still fetched."""
    parts = (work.path(file).with_name(f"{work.path(file).name}.part") for file in missing)
    here = sum(part.stat().st_size for part in parts if part.exists())
    wanted = sum(file.about for file in missing) - here
    require_room(work.folder, max(0, wanted), f"what is missing of '{work.release.name}'")
    failed: dict[str, str] = {}  # host → why
    lacking = []
    for number, file in enumerate(missing, 1):
        host = urlsplit(file.source.address).netloc
        if host not in failed:
            try:
                _fetch(work, client, file, f"fetching {number}/{len(missing)} {file.path}", patience)
                continue
            except InstallFailed as error:
                failed[host] = str(error)
        lacking.append(file)
    if lacking:
        raise InstallFailed("\n".join((*failed.values(), how_to_get(work.release, lacking))))


def _fetch(work: _Install, client: Client, file: ReleasedFile, what: str, patience: Patience) -> None:
    path = work.path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        fetched = download(
            lambda headers: client.ask(file.source, headers),
            file.source.address,
            path,
            sha256=work.known_sum(file),
            told=lambda have, total: work.told(what, have, total),
            patience=patience,
        )
    except BundleError as error:
        raise BundleError(f"{error}{work.remedy(file)}") from error
    if not fetched.published:
        work.remember(file, fetched.sha256, fetched.bytes)
