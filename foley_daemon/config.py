"""The daemon's own configuration: which folders it watches, and where it keeps its state."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator

from foley_daemon.home import expanded, located, state_folder
from foley_daemon.profile import Profile, find_profile
from foley_daemon.schema import Contradiction, Settings, Text, Wait, parse_list, setting, validate
from foley_daemon.yaml_tree import Items, Leaf, Node, Table, read_tree


def _checked_path(text: str) -> str:
    if Path(text) == Path("/"):
        raise ValueError("the root of the file system")
    return text


class FolderSettings(Settings):
    """One folder that is watched."""

    path: Annotated[Text, AfterValidator(_checked_path)] = setting(
        ...,
        "The folder; ~ is the home directory, a relative path is relative to this file.",
        example="/srv/foley/in",
        expects="the path of a folder",
    )
    profile: Text | None = setting(
        None,
        "The profile of a folder that has no foley.yaml: a name, or the path of a file.",
        example="dialogue",
        expects="one profile's name, or the path of its file",
    )

    @property
    def folder(self) -> Path:
        """The absolute path."""
        return expanded(self.path).absolute()

    def current_profile(self) -> Profile:
        """The folder's profile as it stands now.

        Raises:
            ConfigError: it is wrong.
        """
        return find_profile(self.folder, self.profile)


class LogSettings(Settings):
    """What the daemon tells."""

    level: Literal["debug", "info", "warning", "error"] = setting(
        "info", "The least important lines that are written.", example="debug"
    )


class Config(Settings):
    """The configuration of `foley watch`."""

    folders: Annotated[tuple[FolderSettings, ...], BeforeValidator(parse_list)] = setting(
        (),
        "The hot folders. Those named on the command line come on top.",
        example=({"path": "/srv/foley/in", "profile": "dialogue"},),
        expects="a list of `- path: …` entries",
    )
    state: Text | None = setting(
        None,
        "Folder of the ledger, on a local disk (not NFS or SMB). Where it is not written: FOLEY_HOME, else "
        "~/.local/state/foley-daemon.",
        example="/var/lib/foley-daemon",
        expects="the path of a folder",
    )
    sweep_seconds: Wait = setting(
        300.0,
        "All folders are searched this often, whatever the file system's events said.",
        unit="s",
        ge=1,
        le=86400,
        example="1min",
    )
    free_space: int = setting(
        500,
        "Work pauses while less than this, and twice the clip, is free where the result goes.",
        unit="MB",
        ge=0,
        le=10**7,
        example=5000,
    )
    unload_after: Wait = setting(
        600.0,
        "The models leave memory when there was no clip for so long; the next one loads them again.",
        unit="s",
        ge=1,
        le=10**6,
        example="1h",
    )
    log: LogSettings = setting(LogSettings(), "What the daemon tells.")

    @property
    def state_folder(self) -> Path:
        """Where the ledger lies."""
        return expanded(self.state).absolute() if self.state else state_folder()

    def contradictions(self) -> Iterator[Contradiction]:
        """No folder twice or inside another, no state inside a hot folder."""
        for (i, one), (j, other) in permutations(enumerate(self.folders), 2):
            if (one.folder == other.folder and i > j) or other.folder in one.folder.parents:
                yield Contradiction(
                    (f"folders.{i}.path",),
                    f"the same as or inside another hot folder; expected folders apart, got {one.path} "
                    f"and {other.path}; remove one of them",
                )
        for folder in self.folders:
            if self.state and self.state_folder.is_relative_to(folder.folder):
                yield Contradiction(
                    ("state",),
                    f"inside the hot folder {folder.path}; expected a folder of its own; move it out",
                )


def load_config(path: Path) -> Config:
    """The configuration of a file.

    Raises:
        ConfigError: it is unreadable or wrong; with every fault, its line and remedy.
    """
    tree = read_tree(path.absolute())
    return validate(Config, _with_absolute_paths(tree))


def _with_absolute_paths(tree: Table) -> Table:
    """Paths made absolute: what they are relative to is the file they stand in."""
    nodes = dict(tree.nodes)
    if "state" in nodes:
        nodes["state"] = _absolute(nodes["state"])
    folders = nodes.get("folders")
    if isinstance(folders, Items):
        nodes["folders"] = Items(tuple(map(_folder_with_absolute_paths, folders.nodes)), folders.place)
    return Table(nodes, tree.keys, tree.place)


def _folder_with_absolute_paths(node: Node) -> Node:
    if not isinstance(node, Table):
        return node
    nodes = dict(node.nodes)
    if "path" in nodes:
        nodes["path"] = _absolute(nodes["path"])
    profile = nodes.get("profile")
    if isinstance(profile, Leaf) and isinstance(profile.value, str) and "/" in profile.value:
        nodes["profile"] = _absolute(profile)
    return Table(nodes, node.keys, node.place)


def _absolute(node: Node) -> Node:
    if not isinstance(node, Leaf) or not isinstance(node.value, str) or not node.value.strip():
        return node
    return Leaf(str(located(node.value, node.place.path)), node.place)
