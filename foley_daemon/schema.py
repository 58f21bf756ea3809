"""What settings files are made of: field types with units, strict validation, faults with a remedy.

A field's description, unit, range and example stand once, in its `setting(...)`: the faults, the
commented sample and the documentation are all written from them.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from foley_daemon.yaml_tree import Fault, FaultyFile, Leaf, Table, place_of, plain

Location = tuple[str | int, ...]

_SECONDS_PER = {"ms": Fraction(1, 1000), "s": Fraction(1), "min": Fraction(60), "h": Fraction(3600)}
_DURATION = re.compile(r"\s*([0-9]{1,12}(?:\.[0-9]{1,12})?)\s*(ms|s|min|h)?\s*")
_UNQUOTED = re.compile(  # texts that YAML reads as texts without quotes, as far as we care
    r"(?!(?i:true|false|null)$|\.[0-9])[A-Za-z_/.][A-Za-z0-9_ /.%-]*(?<! )|[0-9]+(ms|s|min|h)"
)
_LONGEST = 10**9  # seconds; beyond that a number is a slip


def parse_seconds(value: object) -> Fraction:
    """Exact seconds from a number or a text such as "250ms", "5s", "1.5 min", "1h".

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | Fraction | str):
        raise ValueError("not a duration")
    if isinstance(value, str):
        match = _DURATION.fullmatch(value)
        if match is None:
            raise ValueError("not a duration")
        return Fraction(match[1]) * _SECONDS_PER[match[2] or "s"]
    if not -_LONGEST < value < _LONGEST:
        raise ValueError("out of range")
    return Fraction(str(value)) if isinstance(value, float) else Fraction(value)


def _parse_number(value: object) -> object:
    return float(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value


def parse_list(value: object) -> object:
    """A YAML list as the tuple that a frozen field holds."""
    return tuple(value) if isinstance(value, list) else value


def _checked_text(value: str) -> str:
    if not value.strip():
        raise ValueError("empty")
    if value != value.strip() or not value.isprintable():
        raise ValueError("has spaces around it or control characters in it")
    return value


Seconds = Annotated[Fraction, BeforeValidator(parse_seconds)]
"""Seconds, exactly as written."""
Wait = Annotated[float, BeforeValidator(lambda value: float(parse_seconds(value)))]
"""Seconds of waiting, where the last digit does not matter."""
Number = Annotated[float, BeforeValidator(_parse_number)]
Text = Annotated[str, AfterValidator(_checked_text)]
"""A name, label or sentence; not empty."""
Texts = Annotated[tuple[Text, ...], BeforeValidator(parse_list)]


def setting(
    default: Any,
    description: str,
    *,
    unit: str = "",
    ge: float | None = None,
    le: float | None = None,
    example: Any = None,
    expects: str = "",
) -> Any:
    """One field of a settings file.

    Args:
        default: its value where nothing is written; `...` for a value that must be written.
        description: one sentence or two, shown in the sample and the documentation.
        unit: of a number.
        ge: the smallest value.
        le: the largest value.
        example: another value than the default, as written in YAML.
        expects: what a text must look like; worked out from the type for everything else.
    """
    extra = {"unit": unit, "example": example, "expects": expects}
    return Field(default, description=description, ge=ge, le=le, json_schema_extra=extra)


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Values that are each possible but not together."""

    keys: tuple[str, ...]  # dotted; the fault is shown at the first that is written
    text: str  # what is wrong; expected, got; remedy


class Settings(BaseModel):
    """Base of every group of settings: frozen, unknown keys and loose types refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    def contradictions(self) -> Iterator[Contradiction]:
        """What does not go together in here."""
        return iter(())

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        found = tuple(self.contradictions())
        if found:
            texts = "; ".join(f"{item.keys[0]}: {item.text}" for item in found)
            raise PydanticCustomError("contradiction", "{texts}", {"texts": texts, "found": found})
        return self


S = TypeVar("S", bound=Settings)


def validate(schema: type[S], tree: Table) -> S:
    """Settings from a tree.

    Raises:
        ConfigError: with every fault at once. Contradictions between faultless keys are found
            even where other keys are faulty.
    """
    data = _without_empty_groups(schema, tree)
    try:
        return schema.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)
    faulty = [item["loc"] for item in first if item["type"] != "contradiction"]
    second: list[ErrorDetails] = []
    if faulty:
        try:
            schema.model_validate(_pruned(data, faulty))
        except ValidationError as error:
            second = error.errors(include_url=False)
    contradictions = {fault for item in (*first, *second) for fault in _contradictions(item, tree, faulty)}
    faults = [_fault(schema, tree, item) for item in first if item["type"] != "contradiction"]
    raise FaultyFile([*faults, *contradictions])


def group_of(field: FieldInfo) -> type[Settings] | None:
    """The group that a field holds, None for a plain value."""
    annotation = bare(field.annotation)
    return annotation if isinstance(annotation, type) and issubclass(annotation, Settings) else None


def extra_of(field: FieldInfo, name: str) -> Any:
    """`unit`, `example` or `expects` of a field."""
    extra = field.json_schema_extra
    return extra.get(name) if isinstance(extra, dict) else None


def is_duration(field: FieldInfo) -> bool:
    """Whether a field takes durations."""
    annotation = bare(field.annotation)
    return annotation is Fraction or (annotation is float and extra_of(field, "unit") == "s")


def expectation(field: FieldInfo) -> str:
    """What may be written for a field, in words: "a whole number from 4 to 64"."""
    annotation = bare(field.annotation)
    if expects := extra_of(field, "expects"):
        return str(expects)
    if group_of(field) is not None:
        return "a group of indented `key: value` lines"
    if get_origin(annotation) is Literal:
        return "one of " + ", ".join(map(str, get_args(annotation)))
    if get_origin(annotation) is tuple:
        return "a list, such as [rain, a dog barking]"
    if annotation is str:
        return "a text"
    if annotation is bool:
        return "true or false"
    if is_duration(field):
        return f"seconds, or a text such as 250ms, 5s, 2min: {range_text(field)}"
    return f"a{' whole' if annotation is int else ''} number from {range_text(field)}"


def range_text(field: FieldInfo) -> str:
    """The smallest and largest value with their unit, "" where there are none."""
    unit = extra_of(field, "unit")
    low = next((yaml_text(item.ge) for item in field.metadata if isinstance(item, Ge)), None)
    high = next((yaml_text(item.le) for item in field.metadata if isinstance(item, Le)), None)
    if low is None or high is None:
        return ""
    return f"{low} to {high} {unit}".strip()


def bare(annotation: Any) -> Any:
    """An optional type without its None."""
    if get_origin(annotation) in (Union, UnionType):
        return next(item for item in get_args(annotation) if item is not type(None))
    return annotation


def _without_empty_groups(schema: type[Settings], tree: Table) -> dict[str, Any]:
    """Plain data in which a group whose lines are all commented out is not there."""
    data: dict[str, Any] = {}
    for key, node in tree.nodes.items():
        field = schema.model_fields.get(key)
        group = group_of(field) if field else None
        if group is not None and isinstance(node, Leaf) and node.value is None:
            continue
        is_group = group is not None and isinstance(node, Table)
        data[key] = _without_empty_groups(group, node) if is_group else plain(node)  # type: ignore[arg-type]
    return data


def _pruned(data: Any, faulty: Iterable[Location]) -> Any:
    """Data without the faulty keys; a list with a faulty item goes as a whole."""
    heads = {location[0]: [] for location in faulty if location}  # type: dict[str | int, list[Location]]
    for location in faulty:
        heads[location[0]].append(location[1:])
    if not isinstance(data, Mapping):
        return data
    kept: dict[str, Any] = {}
    for key, value in data.items():
        if key not in heads:
            kept[key] = value
        elif isinstance(value, Mapping) and all(heads[key]):
            kept[key] = _pruned(value, heads[key])
    return kept


def _contradictions(item: ErrorDetails, tree: Table, faulty: Iterable[Location]) -> Iterator[Fault]:
    """The faults of one contradiction error, but for those that concern a key that is faulty by itself."""
    bad = {".".join(map(str, location)) for location in faulty}
    for found in item.get("ctx", {}).get("found", ()):
        keys = [".".join((*map(str, item["loc"]), key)) for key in found.keys]
        if any(key == name or name.startswith(f"{key}.") for key in keys for name in bad):
            continue
        written = next((key for key in keys if _is_written(tree, key)), keys[0])
        yield Fault(place_of(tree, _steps(written)), keys[0], found.text)


def _steps(key: str) -> Location:
    return tuple(int(step) if step.isdigit() else step for step in key.split("."))


def _is_written(tree: Table, key: str) -> bool:
    node: object = tree
    for step in key.split("."):
        if not isinstance(node, Table) or step not in node.nodes:
            return False
        node = node.nodes[step]
    return True


def _fault(schema: type[Settings], tree: Table, item: ErrorDetails) -> Fault:
    location = item["loc"]
    key = ".".join(map(str, location))
    place = place_of(tree, location)
    if item["type"] == "extra_forbidden":
        return Fault(place, key, _unknown_key(schema, location))
    field, name = _field_at(schema, location)
    if item["type"] == "missing":
        return Fault(place, key, f"is missing; expected {expectation(field)}; add a line `{name}: …`")
    got = _shown(tree, location)
    what = str(item["ctx"]["error"]) if item["type"] == "value_error" else _what(item["type"])
    is_text = isinstance(location[-1], int) and item_group(field) is None
    expected = "a text" if is_text else expectation(field)
    return Fault(place, key, f"{what}; expected {expected}, got {got}; {_remedy(field, name)}")


def _what(kind: str) -> str:
    if kind in ("greater_than_equal", "less_than_equal", "finite_number"):
        return "out of range"
    return "not one of the choices" if kind == "literal_error" else "of the wrong type"


def _remedy(field: FieldInfo, name: str) -> str:
    example = extra_of(field, "example")
    if example is not None:
        return f"write for example `{name}: {yaml_text(example)}`"
    if field.is_required() or group_of(field) is not None:
        return "correct the value"
    return f"remove the line for the default, {yaml_text(field.get_default(call_default_factory=True))}"


def _unknown_key(schema: type[Settings], location: Location) -> str:
    owner: type[Settings] = schema
    for step in location[:-1]:
        field = owner.model_fields.get(str(step))
        inner = None if field is None else group_of(field) or item_group(field)
        owner = inner or owner
    known = list(owner.model_fields)
    near = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.6)
    elsewhere = [
        f"{name}.{location[-1]}"
        for name, field in schema.model_fields.items()
        if (group := group_of(field)) and str(location[-1]) in group.model_fields and group is not owner
    ]
    if near:
        remedy = f"did you mean `{near[0]}`?"
    elif elsewhere:
        remedy = f"did you mean `{elsewhere[0]}`?"
    else:
        remedy = "remove the line"
    return f"unknown key; expected one of {', '.join(known)}; {remedy}"


def item_group(field: FieldInfo) -> type[Settings] | None:
    """The group that the items of a list field hold, None for lists of plain values."""
    items = get_args(bare(field.annotation))
    inner = items[0] if items else None
    return inner if isinstance(inner, type) and issubclass(inner, Settings) else None


def _field_at(schema: type[Settings], location: Location) -> tuple[FieldInfo, str]:
    """The field that a location lies in, and its name."""
    owner = schema
    field, name = None, ""
    for step in location:
        if isinstance(step, int):
            continue
        field, name = owner.model_fields[step], step
        owner = group_of(field) or item_group(field) or owner
    if field is None:
        raise ValueError(f"no field at {location!r} in {schema.__name__}")
    return field, name


def _shown(tree: Table, location: Location) -> str:
    """The value as it is written, short enough for a message."""
    value = plain(tree)
    for step in location:
        if isinstance(value, str):
            break  # it stands for a group of one key
        value = value[step]
    text = "nothing" if value is None else yaml_text(value)
    return text if len(text) <= 60 else text[:57] + "…"


def yaml_text(value: Any) -> str:
    """A value as one line of YAML."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case Fraction() | float() | int() | Decimal():
            return _number_text(value)
        case str():
            return value if _UNQUOTED.fullmatch(value) else f'"{_escaped(value)}"'
        case Mapping():
            return "{" + ", ".join(f"{key}: {yaml_text(item)}" for key, item in value.items()) + "}"
        case _:
            return "[" + ", ".join(map(yaml_text, value)) + "]"


def _escaped(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in escaped)


def _number_text(value: Fraction | float | Decimal) -> str:
    if isinstance(value, Fraction) and value.denominator != 1:
        return f"{float(value):.12g}"
    return f"{int(value)}" if value == int(value) else f"{value}"
