"""`foley models`: the bundles of this machine, and the released weights that can be brought here."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer
from loguru import logger
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from foley_daemon import log
from foley_daemon.console import readable
from foley_daemon.errors import ConfigError
from ssv2a.release.model import size_text

if TYPE_CHECKING:
    from ssv2a.release.install import Installed, Told
    from ssv2a.release.model import Release
    from ssv2a.release.shelf import Shelved

PACKAGES = (
    "diffusers",
    "laion_clap",
    "open_clip",
    "transformers",
    "ultralytics",
)  # released weights need them
LINE_SECONDS = 30.0  # without a terminal, a transfer is told of this often

models = typer.Typer(
    help="List, install, check and remove models.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Name = Annotated[str, typer.Argument(help="Name of a bundle, see `foley models list`.", metavar="NAME")]
Home = Annotated[
    Optional[Path],  # noqa: UP045 - typer evaluates it
    typer.Option(help="Folder that holds `bundles` (as FOLEY_HOME).", metavar="DIR"),
]


@models.command("list")
def list_models(home: Home = None) -> None:
    """Show the bundles that are here and those that can be installed: size, licences, state."""
    from ssv2a.release.catalogue import CATALOGUE
    from ssv2a.release.shelf import shelf, user_folder

    _use_home(home)
    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("name", "state", "version", "size", "licences"):
        table.add_column(heading, overflow="fold")
    for row in shelf(CATALOGUE):
        state, size = _state(row)
        cells = (row.name, state, row.version, size, ", ".join(row.licences))
        table.add_row(*(escape(readable(cell)) for cell in cells))
    console.print(table)
    console.print(f"Bundles of your own lie in {escape(readable(user_folder()))}.", soft_wrap=True)


@models.command()
def install(
    name: Annotated[
        str, typer.Argument(help="Name of released weights, see `foley models list`.", metavar="NAME")
    ],
    carried: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(
            "--from",
            help="Take the files from this folder, at any depth; nothing is fetched.",
            metavar="DIR",
        ),
    ] = None,
    accept: Annotated[
        bool, typer.Option("--accept-licences", help="Accept the licences without being asked.")
    ] = False,
    home: Home = None,
) -> None:
    """Bring released weights here: fetch them from their publishers, or take files that you carried in.

    What an install has brought stays: one that was interrupted is gone on with by the next. HF_ENDPOINT
    (a mirror of the Hugging Face hub), HF_TOKEN and proxies are taken from the environment.
    """
    from ssv2a.release.install import is_installed

    _use_home(home)
    release = _release(name)
    if is_installed(release):
        typer.echo(f"'{name}' is installed; `foley models verify {name}` reads it through.")
        return
    _agree(release, accept)
    _tell_installed(release, _install(release, carried))


@models.command()
def verify(name: Name, home: Home = None) -> None:
    """Read every file of a bundle and compare it with its SHA-256."""
    from ssv2a.bundle import Bundle

    _use_home(home)
    bundle = Bundle.open(name)
    with _transfers(_console()) as told:
        bundle.verify(lambda done, total: told(f"reading '{name}'", done, total))
    typer.echo(f"'{name}': all {len(bundle.files)} files are as they should be.")


@models.command()
def path(name: Name, home: Home = None) -> None:
    """Print the folder of a bundle."""
    from ssv2a.bundle import Bundle

    _use_home(home)
    typer.echo(Bundle.open(name).folder)


@models.command()
def remove(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove without being asked.")] = False,
    home: Home = None,
) -> None:
    """Remove a bundle, or what an interrupted install of it has brought."""
    from ssv2a.release import shelf

    _use_home(home)
    folder = shelf.removable(name)
    if not yes:
        if not sys.stdin.isatty():
            raise ConfigError(f"'{name}' is removed only with --yes where nobody can be asked.")
        if not typer.confirm(f"Remove {readable(folder)}?"):
            return
    typer.echo(f"'{name}' is removed, {size_text(shelf.remove(name))} are free again.")


def _release(name: str) -> Release:
    from ssv2a.release.catalogue import CATALOGUE

    if name not in CATALOGUE:
        raise ConfigError(
            f"'{name}': nothing of this name can be installed; expected {', '.join(CATALOGUE)}. "
            "A bundle from elsewhere is copied into the folder that `foley models list` names."
        )
    return CATALOGUE[name]


def _agree(release: Release, accepted: bool) -> None:
    """Show every part's licence and have them accepted.

    Raises:
        ConfigError: they are not, or nobody is there to be asked.
    """
    console = Console(highlight=False)
    console.print(f"{escape(release.title)}: about {size_text(release.about)}", soft_wrap=True)
    for part in release.parts:
        size = size_text(sum(file.about for file in part.files))
        for line in (
            f"\n  [bold]{escape(part.title)}[/bold], about {size}. {escape(part.attribution)}",
            f"  {part.licence.name}: {escape(part.licence.means)} {part.licence.address}",
        ):
            console.print(line, soft_wrap=True)
    console.print()
    if accepted:
        return
    if not sys.stdin.isatty():
        raise ConfigError("The licences are not accepted; read them above, then add --accept-licences.")
    if not typer.confirm("Do you accept these licences?"):
        raise ConfigError("The licences were not accepted; nothing was installed.")


def _install(release: Release, carried: Path | None) -> Installed:
    from ssv2a.release.client import Client
    from ssv2a.release.install import install as run

    try:
        with _transfers(_console()) as told, Client(os.environ) as client:
            return run(release, carried or client, told=told)
    except KeyboardInterrupt:
        typer.echo(
            f"\nInterrupted; what is here stays. `foley models install {release.name}` goes on.", err=True
        )
        raise


def _tell_installed(release: Release, installed: Installed) -> None:
    from ssv2a.release.shelf import sums_file

    size = sum(file.bytes for file in installed.bundle.files.values())
    typer.echo(f"'{release.name}' is installed in {installed.bundle.folder} ({size_text(size)}).")
    if installed.first_seen:
        typer.echo(
            f"No SHA-256 is published for {', '.join(installed.first_seen)}. What came is recorded in "
            f"{sums_file()} as seen for the first time; later installs are held against it."
        )
    typer.echo(f"A profile uses it with `model: {{bundle: {release.name}}}`.")
    if absent := [package for package in PACKAGES if find_spec(package) is None]:
        typer.echo(
            f"Not installed yet: {', '.join(absent)}. `pip install 'foley-daemon[released]'` brings them."
        )


@contextmanager
def _transfers(console: Console) -> Iterator[Told]:
    """A listener to transfers: a bar each on a terminal, otherwise a log line now and then."""
    if not console.is_terminal:
        yield _transfer_lines()
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, Remaining(), console=console, transient=True) as bars:
        current, task = "", bars.add_task("", total=None)

        def told(what: str, done: int, total: int | None) -> None:
            nonlocal current, task
            if what != current:
                bars.remove_task(task)
                current, task = what, bars.add_task(escape(readable(what)), total=total)
            bars.update(task, completed=done, total=total)

        yield told


def _transfer_lines(clock: Callable[[], float] = time.monotonic) -> Told:
    current, spoken = "", 0.0

    def told(what: str, done: int, total: int | None) -> None:
        nonlocal current, spoken
        if what == current and clock() - spoken < LINE_SECONDS:
            return
        share = f", {size_text(done)} of {size_text(total)}" if total else ""
        logger.info("{}{}", readable(what), share)
        current, spoken = what, clock()

    return told


def _state(row: Shelved) -> tuple[str, str]:
    """State and size of a bundle as a table shows them."""
    from ssv2a.release.shelf import Standing

    match row.standing:
        case Standing.AVAILABLE:
            return f"not installed: foley models install {row.name}", f"about {size_text(row.bytes)}"
        case Standing.INCOMPLETE:
            return f"incomplete: foley models install {row.name} goes on", f"{size_text(row.bytes)} so far"
        case Standing.DAMAGED:
            return f"damaged: foley models verify {row.name} says more", size_text(row.bytes)
        case standing:
            return str(standing), size_text(row.bytes)


def _console() -> Console:
    """Standard error, shared with the log so that lines and bars do not overwrite each other."""
    console = Console(stderr=True, highlight=False)
    log.set_up("info", terminal=console if console.is_terminal else None)
    return console


def _use_home(home: Path | None) -> None:
    if home is not None:
        os.environ["FOLEY_HOME"] = str(home.absolute())
