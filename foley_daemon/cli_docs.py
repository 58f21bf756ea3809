"""The page on the commands, written from the command line's own definition."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import typer

from foley_daemon.cli import EXIT_CODES, app

_HEAD = """\
<!-- Written by `make docs` from the code; edit the code. -->
# The `foley` command

`foley --help` and `foley COMMAND --help` show the same.
"""


def commands_page() -> str:
    """docs/cli.md: every command with its arguments and options, and the exit codes."""
    commands: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    parts = [_HEAD]
    for name, command in commands.items():
        parts.append(
            f"## foley {name}\n\n{inspect.cleandoc(command.help)}\n\n```\n{_usage(name, command)}\n```\n"
        )
        parts.append("\n".join(_rows(command)) + "\n")
    codes = [f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items()]
    parts.append("\n".join(["## Exit codes\n", "| code | meaning |", "|---|---|", *codes, ""]))
    parts.append("Of several clips each is tried; the gravest code stands for all: 1, then 3, 5, 4, 6.\n")
    return "\n".join(parts)


def _usage(name: str, command: Any) -> str:
    words = [f"foley {name}"]
    for param in command.params:
        if param.param_type_name == "argument":
            shown = _metavar(param)
            words.append(shown if param.required or shown.startswith("[") else f"[{shown}]")
        elif param.name != "help":
            words.append(f"[{param.opts[0]}{_value(param)}]")
    return " ".join(words)


def _rows(command: Any) -> Iterator[str]:
    yield "| | |\n|---|---|"
    for param in command.params:
        is_argument = param.param_type_name == "argument"
        names = _metavar(param).strip("[]") if is_argument else ", ".join(param.opts) + _value(param)
        default = f" Default: `{param.default}`." if _has_default(param) else ""
        names = names.replace("|", "\\|")
        yield f"| `{names}` | {param.help}{default} |"


def _metavar(param: Any) -> str:
    return str(param.metavar or param.name.upper())


def _value(param: Any) -> str:
    return "" if param.is_flag else f" {_metavar(param)}"


def _has_default(param: Any) -> bool:
    return param.default not in (None, False, ()) and not callable(param.default)
