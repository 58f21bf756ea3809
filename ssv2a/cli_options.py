"""What commands share: options in dataclasses, and the progress of long work over files."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import MISSING, Field, fields, is_dataclass
from inspect import Parameter
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import typer

Command = TypeVar("Command", bound=Callable[..., None])


def command(app: typer.Typer, name: str) -> Callable[[Command], Command]:
    """Register a function as a command; it stays as it is for other callers.

    A parameter that is a dataclass stands for its fields: typer sees each of them as a parameter of its
    own, annotated as `Annotated[type, typer.Option(…)]`.
    """

    def register(function: Command) -> Command:
        app.command(name)(_flat(function))
        return function

    return register


def _flat(function: Callable[..., None]) -> Callable[..., None]:
    """The function with the fields of its dataclasses as parameters."""
    hints = get_type_hints(function, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    parameters: list[Parameter] = []
    for name, parameter in inspect.signature(function).parameters.items():
        own = parameter.replace(annotation=hints[name], kind=Parameter.KEYWORD_ONLY)
        parameters += _parameters(groups[name]) if name in groups else [own]

    @functools.wraps(function)
    def flat(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in fields(group)})
        function(**given)

    flat.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return flat


def _parameters(group: Any) -> list[Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        Parameter(field.name, Parameter.KEYWORD_ONLY, default=_default(field), annotation=hints[field.name])
        for field in fields(group)
    ]


def _default(field: Field[Any]) -> Any:
    return Parameter.empty if field.default is MISSING else field.default


@contextmanager
def told(every: int = 100) -> Iterator[Callable[[int, int, Path], None]]:
    """Takes (number, of how many, path) of each file: a bar on a terminal, otherwise a line now and then."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        name = TextColumn("{task.description}", markup=False)
        columns = BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), name
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task("")
            yield lambda number, total, path: bar.update(
                task, completed=number - 1, total=total, description=path.name[:40]
            )
        return
    from loguru import logger

    def line(number: int, total: int, path: Path) -> None:
        if number % every == 1 or every == 1:
            logger.info("{} of {}: {}", number, total, path.name)

    yield line
