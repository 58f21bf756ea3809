"""The page on the commands, written from the command line's own definition."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

import ssv2a.cli
from foley_daemon.cli import EXIT_CODES, app

_HEAD = """\
<!-- Written by `make docs` from the code; edit the code. -->
# The `foley` command

`foley --help` and `foley COMMAND --help` show the same.
"""

_SSV2A_HEAD = """\
# The `ssv2a` command

The model by itself, without a daemon and without a film: [how to use it](using-ssv2a.md). There
is more to read on [sound banks](library.md), [training](training.md), [training data](data-build.md) and
[evaluation](evaluate.md).
"""
_SOUND = ("ssv2a image", "ssv2a video", "ssv2a compose")  # they share most of their options


def commands_page() -> str:
    """docs/cli.md: every command with its arguments and options, and the exit codes."""
    parts = [_HEAD]
    for name, command in _commands(typer.main.get_command(app), "foley "):
        parts += [_about(name, command, _usage(name, command.params)), _table(_rows(command.params))]
    parts.append(_codes(EXIT_CODES))
    parts.append("Of several clips each is tried; the gravest code stands for all: 1, then 3, 5, 4, 6.\n")
    return "\n".join([*parts, _ssv2a()])


def _ssv2a() -> str:
    commands = dict(_commands(typer.main.get_command(ssv2a.cli.app), "ssv2a "))
    shared = set.intersection(*({param.name for param in commands[name].params} for name in _SOUND))
    parts = [_SSV2A_HEAD]
    for name in _SOUND:
        own = [param for param in commands[name].params if param.name not in shared]
        parts += [_about(name, commands[name], f"{_usage(name, own)} [OPTION…]"), _table(_rows(own))]
    options = [param for param in commands[_SOUND[0]].params if param.name in shared - {"help"}]
    parts += ["## Options of all three\n", _table(_rows(options))]
    for name in sorted(commands.keys() - set(_SOUND)):
        params = [param for param in commands[name].params if param.name != "help"]
        arguments = [param for param in params if param.param_type_name == "argument"]
        needed = [param for param in params if param.required and param not in arguments]
        options = [f"{param.opts[0]}{_value(param)}" for param in needed]
        usage = " ".join([_usage(name, arguments), *options])
        parts += [_about(name, commands[name], f"{usage} [OPTION…]"), _table(_rows(params))]
    parts.append(_codes(ssv2a.cli.EXIT_CODES))
    return "\n".join(parts)


def _about(name: str, command: Any, usage: str) -> str:
    return f"## {name}\n\n{inspect.cleandoc(command.help)}\n\n```\n{usage}\n```\n"


def _codes(codes: Mapping[int, str]) -> str:
    rows = (f"| {code} | {meaning} |" for code, meaning in codes.items())
    return "\n".join(["## Exit codes\n", "| code | meaning |", "|---|---|", *rows, ""])


def _commands(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every command with its full name, those of groups under commands too."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def _usage(name: str, params: Iterable[Any]) -> str:
    words = [name]
    for param in params:
        if param.param_type_name == "argument":
            shown = _metavar(param)
            words.append(shown if param.required or shown.startswith("[") else f"[{shown}]")
        elif param.name != "help":
            words.append(f"[{param.opts[0]}{_value(param)}]")
    return " ".join(words)


def _table(rows: Iterable[str]) -> str:
    return "\n".join(["| | |\n|---|---|", *rows, ""])


def _rows(params: Iterable[Any]) -> Iterator[str]:
    for param in params:
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
    own_place = Path(str(param.default)).is_absolute()  # a part of this program
    return param.default not in (None, False, (), "") and not callable(param.default) and not own_place
