"""Writes what the code documents by itself: the commented sample profile, the pages on settings and commands.

`python -m foley_daemon.schema_docs` writes them into the source tree; a test holds them equal to the code.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from foley_daemon.config import Config
from foley_daemon.profile import Profile, shipped_folder
from foley_daemon.schema import (
    Settings,
    bare,
    extra_of,
    group_of,
    is_duration,
    item_group,
    range_text,
    yaml_text,
)

_WIDTH = 100
_NOTE = "<!-- Written by `make docs` from the code; edit the code. -->"

_SAMPLE_HEAD = """\
A profile with every key, its default and its meaning. Written from the code by `make docs`.
Copy what you want to change into a foley.yaml in your hot folder; leave out the rest.
Durations are seconds, or texts such as 250ms, 5s, 2min, 1h.\
"""

_PROFILES_HEAD = """\
# Profiles

A profile says what is made of the clips of a hot folder. It is the file `foley.yaml` in that folder; a
folder without one takes the profile that the [configuration](configuration.md) names for it, else the one
called `default`. Everything that a profile does not mention has its default.

- **Checked strictly.** `foley check FILE…` names every fault with file, line and remedy. While a profile is
  faulty, its folder's clips wait.
- **No restart.** A changed profile counts from the next clip on. What is done already stays as it is, until
  `foley reprocess`.
- **Built on others.** `extends: dialogue` takes over a named profile, `extends: ../house.yaml` a file. Groups
  are merged key by key, lists are replaced.
- **Named profiles** are looked for in `~/.config/foley-daemon/profiles` (with FOLEY_HOME set, in
  `$FOLEY_HOME/profiles`), then among those that ship. Your own may have, and extend, a shipped one's name.
- **Values.** Durations are seconds or texts such as `250ms`, `5s`, `2min`, `1h`. YAML 1.2: `no` and `on` are
  texts. Relative paths are relative to the file they stand in.

[sample.yaml](../profiles/sample.yaml) holds every key with its default.
"""

_PROFILES_EXAMPLES = """\
## Examples

Interviews: the foley well below the voices, no footsteps, and none of the clock on the wall.

```yaml
extends: dialogue
mix:
  level: -14
sources:
  mute: [person, clock]
```

Dailies on a network share, as tracks of their own in MOV files, uncompressed; the source goes to `_done`.

```yaml
watch:
  patterns: ["*.mov"]
  mode: polling
  stable_for: 1min
output:
  codec: pcm_s24le
  folder: /srv/foley/out
after:
  source: move
```

Generated clips without sound, by night and in the rain, in another take.

```yaml
extends: silent
model:
  seed: 7
sources:
  add: [rain on a roof, wind blowing]
```

Sources of the house's own: a thing that is off screen, as a picture, and a sound like the one that is wanted.
Both lie beside the profile; neither is put into the clip itself, they say what the foley shall sound like.

```yaml
sources:
  add:
    - rain on a roof
    - image: ./pictures/old-lorry.jpg
    - audio: ./sounds/wind-in-the-wires.wav
```

## What changes the sound

`model` (but for `device`), `chunks` and `sources` decide how the foley itself sounds, and with the clip's
content and the bundle they decide the seeds; of a file in `sources.add` its content counts. `mix` and
`output` decide what is made of it: turning the level down does not change the sound. `watch` and `after`
change neither.
"""

_CONFIG_HEAD = """\
# Configuration

`foley watch --config FILE` reads which folders are watched and where the daemon keeps its state. Folders can
also be named on the command line alone. The file is checked as strictly as a [profile](profiles.md):
`foley check FILE`.
"""

_CONFIG_EXAMPLE = """\
## Example

```yaml
folders:
  - path: /srv/foley/in
  - path: /srv/foley/interviews
    profile: dialogue
state: /var/lib/foley-daemon
sweep_seconds: 1min
log:
  level: info
```
"""


def sample() -> str:
    """The commented sample profile; it parses to the defaults."""
    lines = [f"# {line}" for line in _SAMPLE_HEAD.splitlines()]
    for name, field in Profile.model_fields.items():
        lines += ["", *_sample_lines(name, field, 0)]
    return "\n".join(lines) + "\n"


def profiles_page() -> str:
    """docs/profiles.md."""
    parts = [_NOTE, _PROFILES_HEAD, _shipped(), "## Keys\n", _table(_plain_fields(Profile))]
    for name, field, group in _groups(Profile):
        parts.append(f"### {name}\n\n{field.description}\n")
        parts.append(_table(_plain_fields(group)))
        for inner, inner_field, inner_group in _groups(group):
            parts.append(f"#### {name}.{inner}\n\n{inner_field.description}\n")
            parts.append(_table(_plain_fields(inner_group)))
    return "\n".join([*parts, _PROFILES_EXAMPLES])


def configuration_page() -> str:
    """docs/configuration.md."""
    parts = [_NOTE, _CONFIG_HEAD, "## Keys\n", _table(_plain_fields(Config))]
    for name, field in Config.model_fields.items():
        if item := item_group(field):
            parts.append(f"### Each of {name}\n\n{_doc(item)}\n")
            parts.append(_table(_plain_fields(item)))
    for name, field, group in _groups(Config):
        parts.append(f"### {name}\n\n{field.description}\n")
        parts.append(_table(_plain_fields(group)))
    return "\n".join([*parts, _CONFIG_EXAMPLE])


def pages(root: Path) -> dict[Path, str]:
    """Every generated file of the source tree and its text."""
    from foley_daemon.cli_docs import commands_page  # it imports the command line, which imports this package

    return {
        root / "profiles" / "sample.yaml": sample(),
        root / "docs" / "profiles.md": profiles_page(),
        root / "docs" / "configuration.md": configuration_page(),
        root / "docs" / "cli.md": commands_page(),
    }


def _plain_fields(schema: type[Settings]) -> list[tuple[str, FieldInfo]]:
    return [(name, field) for name, field in schema.model_fields.items() if group_of(field) is None]


def _groups(schema: type[Settings]) -> Iterator[tuple[str, FieldInfo, type[Settings]]]:
    for name, field in schema.model_fields.items():
        if group := group_of(field):
            yield name, field, group


def _doc(schema: type[Settings]) -> str:
    return (schema.__doc__ or "").strip().splitlines()[0]


def _sample_lines(name: str, field: FieldInfo, depth: int) -> Iterator[str]:
    """A key with its comment; a group with all of its own."""
    indent = "  " * depth
    group = group_of(field)
    notes = field.description or ""
    if group is None and (choices := _values(field)):
        notes += f" [{choices}]"
    yield from textwrap.wrap(notes, _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
    default = field.get_default(call_default_factory=True)
    if group is not None:
        yield f"{indent}{name}:"
        for inner, inner_field in group.model_fields.items():
            yield from _sample_lines(inner, inner_field, depth + 1)
    elif default is None:
        yield f"{indent}# {name}: {yaml_text(extra_of(field, 'example'))}"
    else:
        yield f"{indent}{name}: {yaml_text(default)}"


def _values(field: FieldInfo) -> str:
    """What can be written, short: "4 to 64", "a | b"; "" for texts."""
    annotation = bare(field.annotation)
    if get_origin(annotation) is Literal:
        return " | ".join(map(str, get_args(annotation)))
    return range_text(field)


def _table(fields: list[tuple[str, FieldInfo]]) -> str:
    rows = ["| key | default | values | meaning | example |", "|---|---|---|---|---|"]
    for name, field in fields:
        cells = [
            f"`{name}`",
            _default(field),
            _cell(_values(field) or _kind(field)),
            _cell(field.description or ""),
            f"`{name}: {yaml_text(extra_of(field, 'example'))}`",
        ]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be written"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "none"
    unit = extra_of(field, "unit")
    return f"`{yaml_text(value)}`" + (f" {unit}" if unit else "")


def _kind(field: FieldInfo) -> str:
    if get_origin(field.annotation) is tuple:
        return "list"
    if field.annotation is bool:
        return "true or false"
    return "duration" if is_duration(field) else "text"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _shipped() -> str:
    """The shipped profiles, each with the comment at its head."""
    lines = ["## Profiles that ship\n"]
    for path in sorted(shipped_folder().glob("*.yaml")):
        if path.stem != "sample":
            lines.append(f"- `{path.stem}`: {_head_comment(path)}")
    return "\n".join(lines) + "\n"


def _head_comment(path: Path) -> str:
    head: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        head.append(line.removeprefix("#").strip())
    return " ".join(head)


def main(root: Path = Path(__file__).parent.parent) -> None:
    """Write every generated file that is not as it should be, and name it."""
    for path, text in pages(root).items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"wrote {path.relative_to(root)}\n")


if __name__ == "__main__":
    main()
