"""`foley check`: settings files, the models they name, and whether this machine has what the work needs."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from foley_daemon.config import Config, load_config
from foley_daemon.errors import ConfigError, FoleyError
from foley_daemon.home import state_folder
from foley_daemon.profile import (
    FILE_NAME,
    Profile,
    load_profile,
    profile_file,
    profile_names,
    profile_of,
    written_at,
)
from foley_daemon.yaml_tree import Fault, FaultyFile, read_tree
from ssv2a.errors import Ssv2aError

MIN_FREE_BYTES = 500_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to one question."""

    subject: str
    text: str  # what was found, or what is wrong and what to do
    good: bool


def check_file(path: Path) -> Iterator[Finding]:
    """Check a profile, a configuration with its folders, or a hot folder with its profile."""
    if path.is_dir():
        yield from _folder_findings(path, None)
    elif _is_config(path):
        yield from _config_findings(path)
    else:
        yield _ask(str(path), lambda: f"a valid profile ({usable_profile(path).name})")


def usable_profile(path: Path) -> Profile:
    """The profile of a file, its bundle and bank found whole.

    Raises:
        ConfigError: it is wrong, or what it names is; with file, line and remedy.
    """
    from foley_daemon.engine import bundle_id, check_bank

    profile = load_profile(path)
    model = profile.model
    name = "bundle"
    try:
        bundle_id(model.bundle)
        name = "bank"
        check_bank(model.bundle, model.bank)
    except (Ssv2aError, OSError) as error:
        text = f"{str(error).rstrip('.')}; correct the line, or what it names"
        raise FaultyFile([Fault(written_at(path, "model", name), f"model.{name}", text)]) from error
    return profile


def check_machine() -> Iterator[Finding]:
    """Check ffmpeg, the embedded bundle, the state folder and the named profiles."""
    from foley_daemon.engine import bundle_id
    from ssv2a.media import ffmpeg

    yield _ask("ffmpeg", lambda: f"{ffmpeg.version()}, {ffmpeg.ffmpeg_path()}")
    yield _ask("bundle mini", lambda: f"whole, {bundle_id('mini')}")
    state = state_folder()
    yield _ask("state folder", lambda: _writable(state, make=True))
    yield _ask("temporary folder", lambda: _writable(Path(tempfile.gettempdir())))
    for name, path in profile_names().items():
        yield _ask(f"profile {name}", lambda path=path: f"valid, {usable_profile(path) and path}")  # type: ignore[misc]


def _is_config(path: Path) -> bool:
    """By its keys; a file that cannot be read so far is reported as a profile."""
    try:
        keys = set(read_tree(path).nodes)
    except ConfigError:
        return False
    return bool(keys & set(Config.model_fields))


def _config_findings(path: Path) -> Iterator[Finding]:
    try:
        config = load_config(path)
    except ConfigError as error:
        yield Finding(str(path), str(error), good=False)
        return
    yield Finding(str(path), f"a valid configuration of {len(config.folders)} folders", good=True)
    yield _ask("state folder", lambda: _writable(config.state_folder, make=True))
    for folder in config.folders:
        yield from _folder_findings(folder.folder, folder.profile)


def _folder_findings(folder: Path, named: str | None) -> Iterator[Finding]:
    subject = str(folder)
    yield _ask(subject, lambda: _writable(folder))
    yield _ask(subject, lambda: _profile_text(folder, named))


def _profile_text(folder: Path, named: str | None) -> str:
    profile = usable_profile(profile_of(folder, named))
    origin = FILE_NAME if profile_file(folder) else "no foley.yaml"
    return f"a valid profile ({profile.name}, {origin})"


def _ask(subject: str, answer: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, answer(), good=True)
    except (FoleyError, Ssv2aError, OSError) as error:
        return Finding(subject, str(error), good=False)


def _writable(folder: Path, *, make: bool = False) -> str:
    """Say how much room a folder has.

    Raises:
        ConfigError: it is not there, cannot be written to, or is full.
    """
    place = folder
    while make and not place.exists() and place != place.parent:
        place = place.parent  # it is made at the first start: what counts is whether that will work
    if not place.is_dir():
        raise ConfigError(f"{folder}: expected a folder, found none; make it, or correct the path")
    if not os.access(place, os.W_OK | os.X_OK):
        raise ConfigError(f"{folder}: cannot be written to; give this user the right, or take another")
    free = shutil.disk_usage(place).free
    if free < MIN_FREE_BYTES:
        raise ConfigError(
            f"{folder}: {free / 1e6:.0f} MB are free, expected {MIN_FREE_BYTES / 1e6:.0f}; make room"
        )
    return f"writable, {free / 1e9:.1f} GB free"
