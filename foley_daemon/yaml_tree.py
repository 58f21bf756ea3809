"""YAML files as trees that know the file and line of every key and value.

Scalars follow the YAML 1.2 core schema: `no`, `on` and `1:30` are texts, numbers with a point are
exact (`Decimal`). Anchors and aliases work; duplicate keys, tabs and tags of other kinds are faults.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from foley_daemon.errors import ConfigError

MAX_BYTES = 1_000_000  # a settings file is small; anything larger is another file by mistake


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line of a file, counted from 1."""

    path: Path
    line: int


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that is wrong in a settings file."""

    place: Place
    key: str  # dotted, "" for the file as a whole
    text: str  # what is wrong; expected, got; remedy

    def __str__(self) -> str:
        key = f"{self.key}: " if self.key else ""
        return f"{self.place.path}:{self.place.line}: {key}{self.text}"


class FaultyFile(ConfigError):
    """One or more settings files are wrong; `faults` lists everything that is."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        ordered = sorted(set(faults))
        count = "1 fault" if len(ordered) == 1 else f"{len(ordered)} faults"
        super().__init__(f"{count} in {ordered[0].place.path.name}:", tuple(map(str, ordered)))
        self.details = tuple(ordered)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar: None, bool, int, Decimal or str."""

    value: bool | int | Decimal | str | None
    place: Place


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    nodes: tuple[Node, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping; `keys` gives the place of each key, which may lie lines above its value."""

    nodes: dict[str, Node]
    keys: dict[str, Place]
    place: Place


Node = Leaf | Items | Table


class _CoreLoader(yaml.SafeLoader):
    """Resolves plain scalars by the core schema of YAML 1.2 (section 10.3)."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 PyYAML's own attribute


_TAG = "tag:yaml.org,2002:"
_INTEGER = re.compile(r"^[-+]?[0-9]{1,40}$")
_NUMBER = re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?$")
_CoreLoader.add_implicit_resolver(f"{_TAG}null", re.compile(r"^(~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_CoreLoader.add_implicit_resolver(
    f"{_TAG}bool", re.compile(r"^(true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_CoreLoader.add_implicit_resolver(f"{_TAG}int", _INTEGER, list("-+0123456789"))
_CoreLoader.add_implicit_resolver(f"{_TAG}float", _NUMBER, list("-+.0123456789"))


def read_tree(path: Path) -> Table:
    """Read a YAML file whose top level is a mapping; an empty file is an empty mapping.

    Raises:
        ConfigError: the file cannot be read, or is faulty YAML (every duplicate key at once).
    """
    text = _read_text(path)
    start = Place(path, 1)
    try:
        root = yaml.compose(text, Loader=_CoreLoader)
    except yaml.MarkedYAMLError as error:
        raise FaultyFile([_syntax_fault(path, error)]) from None
    except yaml.YAMLError as error:
        remedy = "remove the control characters"
        raise FaultyFile([Fault(start, "", f"not YAML: {error}; expected plain text; {remedy}")]) from None
    if root is None or root.tag == f"{_TAG}null":
        return Table({}, {}, start)
    builder = _Builder(path)
    tree = builder.build(root, ())
    if not isinstance(tree, Table):
        builder.fault(root, (), "expected `key: value` lines at the top, got a list or a single value")
    if builder.faults or not isinstance(tree, Table):
        raise FaultyFile(builder.faults)
    return tree


def merge(parent: Table, child: Table) -> Table:
    """The child's values over the parent's: groups merge key by key, everything else is replaced."""
    nodes, keys = dict(parent.nodes), dict(parent.keys)
    for key, node in child.nodes.items():
        above = parent.nodes.get(key)
        if isinstance(above, Table) and isinstance(node, Leaf) and node.value is None:
            continue  # a group whose lines are all commented out sets nothing
        nodes[key] = merge(above, node) if isinstance(above, Table) and isinstance(node, Table) else node
        keys[key] = child.keys[key]
    return Table(nodes, keys, child.place)


def plain(node: Node) -> Any:
    """The tree as dicts, lists and scalars."""
    match node:
        case Leaf(value=value):
            return value
        case Items(nodes=nodes):
            return [plain(item) for item in nodes]
        case Table(nodes=table):
            return {key: plain(item) for key, item in table.items()}


def place_of(tree: Table, location: Sequence[str | int]) -> Place:
    """Where a key or item stands; for one that is not written, the nearest thing around it."""
    place, node = tree.place, tree  # type: tuple[Place, Node]
    for step in location:
        if isinstance(node, Table) and step in node.nodes:
            place, node = node.keys[str(step)], node.nodes[str(step)]
        elif isinstance(node, Items) and isinstance(step, int) and step < len(node.nodes):
            node = node.nodes[step]
            place = node.place
        else:
            break
    return place


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{path}: cannot be read: {reason}; check the path and its permissions") from None
    if len(raw) > MAX_BYTES:
        text = f"larger than {MAX_BYTES} bytes; expected a settings file; check the path"
        raise FaultyFile([Fault(Place(path, 1), "", text)])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        text = f"not UTF-8; expected UTF-8 text, got byte 0x{raw[error.start]:02x}; save the file as UTF-8"
        raise FaultyFile([Fault(Place(path, line), "", text)]) from None


def _syntax_fault(path: Path, error: yaml.MarkedYAMLError) -> Fault:
    mark = error.problem_mark or error.context_mark
    place = Place(path, mark.line + 1 if mark else 1)
    problem = error.problem or "not YAML"
    if "'\\t'" in problem:
        return Fault(place, "", "a tab in the indentation; expected spaces; replace the tab by two spaces")
    if "expected a single document" in (error.context or ""):
        return Fault(place, "", "a second document begins; expected one; remove the `---` line")
    if "undefined alias" in problem:
        return Fault(place, "", f"{problem}; define it with &name first, or put a text with * into quotes")
    context = f" {error.context}" if error.context else ""
    remedy = "check indentation, colons and quotes here and in the line above"
    return Fault(place, "", f"not YAML: {problem}{context}; {remedy}")


class _Builder:
    """Turns PyYAML's nodes into a tree and collects what is wrong on the way."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: list[int] = []  # ids of the nodes above, against aliases that contain themselves
        self._done: dict[int, Node] = {}  # an alias is the same tree again, not a copy
        self.faults: list[Fault] = []

    def fault(self, node: yaml.Node, location: tuple[str, ...], text: str) -> None:
        self.faults.append(Fault(self._place(node), ".".join(location), text))

    def build(self, node: yaml.Node, location: tuple[str, ...]) -> Node:
        if id(node) in self._open:
            self.fault(node, location, "an anchor that contains itself; write the value out")
            return Leaf(None, self._place(node))
        if id(node) not in self._done:
            self._open.append(id(node))
            self._done[id(node)] = self._build(node, location)
            self._open.pop()
        return self._done[id(node)]

    def _place(self, node: yaml.Node) -> Place:
        return Place(self._path, node.start_mark.line + 1)

    def _build(self, node: yaml.Node, location: tuple[str, ...]) -> Node:
        place = self._place(node)
        if isinstance(node, yaml.MappingNode):
            return self._table(node, location)
        if isinstance(node, yaml.SequenceNode):
            return Items(tuple(self.build(item, location) for item in node.value), place)
        return Leaf(self._scalar(node, location), place)

    def _table(self, node: yaml.MappingNode, location: tuple[str, ...]) -> Table:
        nodes: dict[str, Node] = {}
        keys: dict[str, Place] = {}
        for key_node, value_node in self._pairs(node, location):
            key = str(key_node.value)
            if key in keys:
                first = keys[key].line
                self.fault(
                    key_node, (*location, key), f"written twice, first in line {first}; keep one of them"
                )
                continue
            keys[key] = self._place(key_node)
            nodes[key] = self.build(value_node, (*location, key))
        return Table(nodes, keys, self._place(node))

    def _pairs(
        self, node: yaml.MappingNode, location: tuple[str, ...]
    ) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        for key_node, value_node in node.value:
            if isinstance(key_node, yaml.ScalarNode):
                yield key_node, value_node
            else:
                text = "a key that is a list or a group; expected a name; put a text with [ or { into quotes"
                self.fault(key_node, location, text)

    def _scalar(self, node: yaml.Node, location: tuple[str, ...]) -> bool | int | Decimal | str | None:
        text = str(node.value)
        match node.tag.removeprefix(_TAG):
            case "null":
                return None
            case "bool" if text.lower() in ("true", "false"):
                return text.lower() == "true"
            case "int" if _INTEGER.match(text):
                return int(text)
            case "float" if _NUMBER.match(text):
                return Decimal(text)
            case "str":
                return text
            case tag:
                self.fault(node, location, f"the tag {tag!r} does not fit {text!r}; write the plain value")
                return None
