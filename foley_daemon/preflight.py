"""Before the watch begins: can these folders be watched together, and does nobody else watch them?"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from foley_daemon.errors import ConfigError
from foley_daemon.mounts import mount_of
from foley_daemon.watched import WatchedFolder, output_folder


def check_folders(folders: Sequence[WatchedFolder], state: Path) -> None:
    """Raise ConfigError with everything that is wrong with the hot folders and the state folder."""
    faults = [] if folders else ["no hot folder is given; name one, or write `folders:` in the configuration"]
    roots = [folder.path for folder in folders]
    for folder in folders:
        faults += folder_faults(folder, roots)
    mount = mount_of(state.resolve())
    if mount.remote:
        faults.append(
            f"{state}: the ledger needs a local disk, got {mount.kind}; set another state folder "
            "(FOLEY_HOME, or `state:` in the configuration)"
        )
    if faults:
        raise ConfigError("The hot folders cannot be watched like this:", tuple(faults))


def folder_faults(folder: WatchedFolder, roots: Sequence[Path]) -> list[str]:
    """Return what is wrong with one hot folder: missing, inside another, feeding itself, not writable.

    Args:
        folder: to be watched.
        roots: every hot folder, this one too.
    """
    path = folder.path
    if not path.is_dir():
        return [f"{path}: no such folder; make it, or mount what it stands for"]
    faults = []
    for other in roots:
        if other in path.parents or (other == path and roots.count(path) > 1):
            faults.append(f"{path}: the same as, or inside, the hot folder {other}; watch only one of them")
    try:
        profile = folder.profile()
    except ConfigError:
        return faults  # the sweep tells, and goes on when it is corrected
    output = output_folder(path / "clip", profile).resolve()
    for other in roots:
        if output == other or (output.is_relative_to(other) and not path.is_relative_to(other)):
            faults.append(
                f"{path}: its results would go to {output}, into the hot folder {other}; set output.folder"
            )
    places = {output, path} if profile.after.source == "move" else {output}
    return faults + [fault for place in sorted(places) if (fault := _unwritable(place))]


def _unwritable(place: Path) -> str:
    while not place.exists():
        place = place.parent
    try:
        with tempfile.TemporaryFile(dir=place):
            return ""
    except OSError as error:
        return f"{place}: cannot be written to ({error.strerror}); give user {os.geteuid()} the right to"


@contextmanager
def folder_lock(state: Path, folder: Path) -> Iterator[None]:
    """Hold the one daemon's lock of a hot folder.

    Raises:
        ConfigError: another one has it.
    """
    name = hashlib.blake2b(os.fsencode(folder), digest_size=16).hexdigest()
    path = state / "locks" / f"{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read(32).decode("ascii", "replace")
            raise ConfigError(
                f"{folder}: another foley daemon (process {holder}) watches this folder; stop it first."
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()).encode())
        file.flush()
        yield
