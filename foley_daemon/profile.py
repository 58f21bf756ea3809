"""Profiles: what is made of the clips of a hot folder, as YAML.

A hot folder's `foley.yaml`, else a named profile, else the one named `default`. A profile may
extend another; its own values win, group by group and key by key, lists are replaced.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from foley_daemon.errors import ConfigError
from foley_daemon.home import expanded, is_file, located, settings_folder
from foley_daemon.identity import file_digest
from foley_daemon.profile_groups import (
    AddedSource,
    After,
    Chunks,
    Mix,
    Model,
    OutputSettings,
    Sources,
    Watch,
)
from foley_daemon.schema import Contradiction, Settings, Text, setting, validate
from foley_daemon.yaml_tree import (
    Fault,
    FaultyFile,
    Items,
    Leaf,
    Place,
    Table,
    merge,
    place_of,
    read_tree,
)

FILE_NAME = "foley.yaml"
DEFAULT = "default"


class Profile(Settings):
    """What is made of a clip."""

    name: Text = setting(
        DEFAULT,
        "For reports and {profile}. Where it is not written: the file's name, for foley.yaml the folder's.",
        example="night",
    )
    extends: Text | None = setting(
        None,
        "A profile to build on: its name, or its path relative to this file. What is written here "
        "wins, key by key; lists are replaced.",
        example="dialogue",
        expects="one profile's name, or the path of its file",
    )
    watch: Watch = setting(Watch(), "Which files are clips, and when a clip is whole.")
    model: Model = setting(Model(), "Which model makes the sound, and how much it tries.")
    chunks: Chunks = setting(Chunks(), "How a clip is cut into runs of the model.")
    sources: Sources = setting(Sources(), "What is seen that shall sound, and what shall not.")
    mix: Mix = setting(Mix(), "Where the foley goes, and how loud.")
    output: OutputSettings = setting(OutputSettings(), "Where the result goes and what it is called.")
    after: After = setting(After(), "What becomes of the source.")

    def contradictions(self) -> Iterator[Contradiction]:
        """A sidecar is a WAV file."""
        if self.mix.mode == "sidecar" and self.output.codec not in ("auto", "pcm_s24le"):
            yield Contradiction(
                ("output.codec", "mix.mode"),
                f"a sidecar is a WAV file; expected auto or pcm_s24le, got {self.output.codec}; "
                "remove the line, or take another mix.mode",
            )

    def sound_fields(self) -> dict[str, Any]:
        """What changes the sound, ready for JSON. Goes into the render key, from which seeds come.

        The bundle is not in here: its identity goes into the render key by itself. Of the files that
        `sources.add` names it is their content that counts.

        Raises:
            ConfigError: such a file cannot be read any more.
        """
        sources = self.sources.model_dump(mode="python")
        sources["mute"] = sorted(text.casefold() for text in self.sources.mute)
        sources["add"] = [_identity_of(one) for one in self.sources.add]
        return {
            "model": _for_json(
                self.model.model_dump(mode="python", exclude={"bundle", "device", "low_memory"})
            ),
            "chunks": _for_json(self.chunks.model_dump(mode="python")),
            "sources": _for_json(sources),
        }

    def publish_fields(self) -> dict[str, Any]:
        """What changes the result but not the rendered sound, ready for JSON: mix and output."""
        fields = {"mix": self.mix.model_dump(mode="python"), "output": self.output.model_dump(mode="python")}
        if "{profile}" in self.output.name:
            fields["name"] = {"profile": self.name}
        return {key: _for_json(value) for key, value in fields.items()}


def _identity_of(source: AddedSource) -> str | dict[str, str]:
    """A text itself, or the digest of a file's content."""
    if source.text is not None:
        return source.text
    kind, path = ("image", source.image) if source.image is not None else ("audio", source.audio)
    try:
        return {kind: file_digest(Path(str(path)))}
    except OSError as error:
        raise ConfigError(
            f"sources.add: {path}: cannot be read: {error.strerror}; expected the file that the profile "
            "names; put it back or change the profile"
        ) from error


def _for_json(value: Any) -> Any:
    """Fractions as text ("1/2"), tuples as lists, all else as it is."""
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, dict):
        return {key: _for_json(item) for key, item in value.items()}
    return [_for_json(item) for item in value] if isinstance(value, tuple | list) else value


def load_profile(path: Path) -> Profile:
    """The profile of a file, with what it extends.

    Raises:
        ConfigError: the file, or one it extends, is unreadable or wrong; with every fault, its
            file, line and remedy.
    """
    path = path.absolute()
    tree = _with_parents(path, ())
    if "name" not in tree.nodes:
        name = path.parent.name if path.name == FILE_NAME else path.stem
        tree = merge(
            tree, Table({"name": Leaf(name or DEFAULT, tree.place)}, {"name": tree.place}, tree.place)
        )
    return validate(Profile, tree)


def find_profile(folder: Path, named: str | None = None) -> Profile:
    """The profile of a hot folder: its `foley.yaml`, else the named one, else `default`.

    Raises:
        ConfigError: as `load_profile`.
    """
    return load_profile(profile_of(folder, named))


def profile_of(folder: Path, named: str | None = None) -> Path:
    """The file that `find_profile` reads.

    Raises:
        ConfigError: there is none of that name.
    """
    return profile_file(folder) or _named_file(named or DEFAULT)


def written_at(path: Path, *keys: str) -> Place:
    """Where a key of a profile stands: in its file, or in one that it extends.

    Raises:
        ConfigError: a file is unreadable or no YAML.
    """
    return place_of(_with_parents(path.absolute(), ()), keys)


def profile_file(folder: Path) -> Path | None:
    """A hot folder's own `foley.yaml`, None if it has none.

    Raises:
        ConfigError: there is a file that was meant to be it.
    """
    if (folder / FILE_NAME).exists():
        return folder / FILE_NAME
    for slip in ("foley.yml", "Foley.yaml", "foley.yaml.txt"):
        if (folder / slip).exists():
            raise ConfigError(
                f"{folder / slip}: not read under this name; expected {FILE_NAME}; rename the file"
            )
    return None


def named_profile(name: str) -> Profile:
    """A profile by name, the user's own before the shipped ones, or by path.

    Args:
        name: a name; with a / in it, or .yaml at its end, the path of a file.

    Raises:
        ConfigError: there is none of that name, or it is wrong.
    """
    return load_profile(_named_file(name))


def profile_names() -> dict[str, Path]:
    """Every named profile and its file, in the order of the names."""
    found: dict[str, Path] = {}
    for folder in reversed(_profile_folders()):
        found |= {path.stem: path for path in folder.glob("*.yaml")}
    return dict(sorted(found.items()))


def shipped_folder() -> Path:
    """The profiles that come with the package."""
    packaged = Path(__file__).with_name("profiles")
    return packaged if packaged.is_dir() else Path(__file__).parent.with_name("profiles")


def _profile_folders() -> tuple[Path, Path]:
    return settings_folder() / "profiles", shipped_folder()


def _find_named(name: str, asking: Path | None) -> Path | None:
    """The file of a named profile; never the one that asks, so that `default` can extend `default`."""
    candidates = (folder / f"{name}.yaml" for folder in _profile_folders())
    return next((path for path in candidates if is_file(path) and path != asking), None)


def _named_file(name: str) -> Path:
    if _is_path(name):
        return expanded(name)
    path = _find_named(name, asking=None)
    if path is None:
        raise ConfigError(f"profile {name!r}: {_no_such(name)}")
    return path


def _is_path(name: str) -> bool:
    return "/" in name or name.endswith((".yaml", ".yml"))


def _no_such(name: str) -> str:
    names = list(profile_names())
    near = difflib.get_close_matches(name, names, n=1)
    remedy = f"did you mean {near[0]}?" if near else f"write it to {_profile_folders()[0] / name}.yaml"
    return f"no such profile; expected one of {', '.join(names)}, or the path of a file; {remedy}"


def _with_parents(path: Path, below: tuple[Path, ...]) -> Table:
    """A file's tree over those of the files it extends; names are not inherited."""
    tree = _with_absolute_paths(read_tree(path))
    extends = tree.nodes.get("extends")
    if not isinstance(extends, Leaf) or not isinstance(extends.value, str):
        return tree  # nothing, or of the wrong type: that is for the schema to say
    place = tree.keys["extends"]
    parent = _parent_path(path, extends.value, place)
    chain = (*below, path)
    if parent in chain:
        loop = " → ".join(str(item) for item in (*chain[chain.index(parent) :], parent))
        raise FaultyFile([Fault(place, "extends", f"a circle: {loop}; let one of them stand alone")])
    return merge(_without_identity(_with_parents(parent, chain)), tree)


def _parent_path(path: Path, name: str, place: Place) -> Path:
    if not _is_path(name):
        found = _find_named(name, asking=path)
        if found is None:
            raise FaultyFile([Fault(place, "extends", f"{name!r}: {_no_such(name)}")])
        return found.absolute()
    parent = located(name, path)
    if not is_file(parent):
        text = f"no such file: {parent}; expected a profile, got {name!r}; correct the path"
        raise FaultyFile([Fault(place, "extends", text)])
    return parent


def _without_identity(tree: Table) -> Table:
    nodes = {key: node for key, node in tree.nodes.items() if key not in ("name", "extends")}
    return Table(nodes, {key: tree.keys[key] for key in nodes}, tree.place)


def _with_absolute_paths(tree: Table) -> Table:
    """Paths of bundle, bank and added files made absolute: they are relative to the file they stand in."""
    nodes = dict(tree.nodes)
    for key, change in (("model", _located_model), ("sources", _located_sources)):
        group = nodes.get(key)
        if isinstance(group, Table):
            nodes[key] = change(group)
    return Table(nodes, tree.keys, tree.place)


def _located_model(model: Table) -> Table:
    """What has no / in it is a name."""
    values = {key: node.value for key, node in model.nodes.items() if isinstance(node, Leaf)}
    return _located(model, [key for key in ("bundle", "bank") if "/" in str(values.get(key))])


def _located_sources(sources: Table) -> Table:
    items = sources.nodes.get("add")
    if not isinstance(items, Items):
        return sources
    nodes = (_located(one, ("image", "audio")) if isinstance(one, Table) else one for one in items.nodes)
    return Table({**sources.nodes, "add": Items(tuple(nodes), items.place)}, sources.keys, sources.place)


def _located(group: Table, keys: Sequence[str]) -> Table:
    """The group with the texts at `keys` as absolute paths."""
    nodes = dict(group.nodes)
    for key in keys:
        leaf = nodes.get(key)
        if isinstance(leaf, Leaf) and isinstance(leaf.value, str):
            nodes[key] = Leaf(str(located(leaf.value, leaf.place.path)), leaf.place)
    return Table(nodes, group.keys, group.place)
