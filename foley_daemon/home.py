"""Where the daemon keeps its own files (FOLEY_HOME, else the XDG base directories), and paths in settings."""

from __future__ import annotations

import os
from pathlib import Path

_NAME = "foley-daemon"


def state_folder() -> Path:
    """For the ledger and the log: FOLEY_HOME, else `$XDG_STATE_HOME/foley-daemon`."""
    return _folder("XDG_STATE_HOME", ".local/state")


def settings_folder() -> Path:
    """For the user's own profiles: FOLEY_HOME, else `$XDG_CONFIG_HOME/foley-daemon`."""
    return _folder("XDG_CONFIG_HOME", ".config")


def expanded(text: str) -> Path:
    """A path with ~ replaced; that of an unknown user is left as it is."""
    return Path(os.path.expanduser(text))  # noqa: PTH111 - Path.expanduser raises for unknown users


def located(text: str, file: Path) -> Path:
    """The absolute path that a text in a settings file means: relative to that file's folder.

    A path that no file system would take stays as it is, to be told by whoever opens it.
    """
    path = Path(file.parent, expanded(text))
    try:
        return path.resolve()
    except (OSError, ValueError, RuntimeError):
        return path


def is_file(path: Path) -> bool:
    """Whether there is such a file; no name is too odd to ask."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _folder(variable: str, fallback: str) -> Path:
    if own := os.environ.get("FOLEY_HOME"):
        return expanded(own).absolute()
    base = os.environ.get(variable, "")
    if base.startswith("/"):  # the XDG specification: relative paths are to be ignored
        return Path(base) / _NAME
    return Path.home() / fallback / _NAME
