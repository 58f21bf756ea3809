"""The `foley` command. Heavy parts are imported inside the commands: `foley --help` loads none of them."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer
from rich.console import Console
from rich.markup import escape

from foley_daemon import __version__, log
from foley_daemon.console import progress_of, readable, show_output, show_status, status_entry
from foley_daemon.errors import ClipError, ConfigError, FoleyError, gravest
from foley_daemon.home import state_folder
from foley_daemon.models_cli import models
from ssv2a.errors import Ssv2aError

if TYPE_CHECKING:
    from foley_daemon.config import Config
    from foley_daemon.domain import Job
    from foley_daemon.engine import Engine
    from foley_daemon.ledger import Ledger
    from foley_daemon.profile import Profile

EXIT_CODES = {
    0: "all done",
    1: "a fault of the program, please report it",
    2: "the command line is wrong",
    3: "a profile, the configuration or the installation is wrong",
    4: "a clip cannot be used",
    5: "a result cannot be made or published",
    6: "something around failed (disk full, share gone, out of memory): try again later",
    130: "interrupted with Ctrl-C",
}
_EPILOG = "\n\n".join(["Exit codes:", *(f"{code} – {meaning}" for code, meaning in EXIT_CODES.items())])

app = typer.Typer(
    help="Gives clips the sound of what is seen in them. The picture is never re-encoded.",
    epilog=_EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(models, name="models")

Home = Annotated[
    Optional[Path],  # noqa: UP045 - typer evaluates it
    typer.Option(help="Folder of the ledger and of your own profiles (as FOLEY_HOME).", metavar="DIR"),
]
ConfigFile = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--config", help="Configuration file; see docs/configuration.md.", metavar="FILE"),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Tell more: the log from level debug on.")]


def main() -> None:
    """Run the command line; errors of ours end as a message and their exit code, without a traceback."""
    try:
        app()
    except (FoleyError, Ssv2aError, OSError, MemoryError) as error:
        _tell(error)
        sys.exit(_exit_code(error))


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"foley-daemon {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and end.", is_eager=True, callback=_show_version),
    ] = False,
) -> None:
    del version  # its callback has answered
    _log_to_terminal("info")  # until a command says otherwise: what is told of errors goes through the log


@app.command()
def watch(
    folders: Annotated[Optional[list[Path]], typer.Argument(help="Hot folders.", metavar="FOLDER…")] = None,  # noqa: UP045
    config: ConfigFile = None,
    once: Annotated[
        bool, typer.Option("--once", help="Do what is there, wait for nothing else, and end.")
    ] = False,
    home: Home = None,
    verbose: Verbose = False,
) -> None:
    """Watch hot folders: every clip dropped there comes back with foley.

    Each folder's `foley.yaml` says what is made of its clips. Ctrl-C or SIGTERM ends it at once; the
    clip in hand is begun anew at the next start.
    """
    _use_home(home)
    settings = _configuration(config, folders or [])
    _log_to_terminal("debug" if verbose else settings.log.level)

    from foley_daemon.service import watch as run

    raise typer.Exit(run(settings, once=once))


@app.command()
def process(
    clips: Annotated[list[Path], typer.Argument(help="Clips.", metavar="CLIP…")],
    profile: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            help="A profile's name or file. By default foley.yaml beside the clip.", metavar="NAME|FILE"
        ),
    ] = None,
    out: Annotated[Optional[Path], typer.Option(help="Folder of the results.", metavar="DIR")] = None,  # noqa: UP045
    seed: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="Another seed is another take.", min=0, max=2**32 - 1, metavar="N"),
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Give single clips their foley, now and without a ledger. A clip that fails does not stop the others."""
    from foley_daemon.engine import Engine

    console = _log_to_terminal("debug" if verbose else "info")
    signal.signal(signal.SIGTERM, _end)
    codes: list[int] = []
    with Engine() as engine:
        for clip in clips:
            with _counted(clip, codes):
                _process(clip, _seeded(_profile(clip, profile), seed), out, engine, console)
    raise typer.Exit(gravest(codes))


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
    limit: Annotated[
        int, typer.Option(help="At most so many jobs, the last changed first.", min=1, metavar="N")
    ] = 50,
    config: ConfigFile = None,
    home: Home = None,
) -> None:
    """Show what is queued, running, done and failed."""
    _use_home(home)
    path = _ledger_path(config)
    with _ledger(path) as ledger:
        jobs = ledger.list(limit=limit) if ledger else []
        counts = {str(state): count for state, count in ledger.counts().items()} if ledger else {}
    if as_json:
        typer.echo(
            json.dumps({"ledger": str(path), "counts": counts, "jobs": [status_entry(job) for job in jobs]})
        )
    elif ledger is None:
        typer.echo(f"Nothing yet: there is no ledger at {readable(path)}. `foley watch` makes it.")
    else:
        show_status(path, counts, jobs, Console(highlight=False))


@app.command()
def check(
    files: Annotated[
        Optional[list[Path]],  # noqa: UP045
        typer.Argument(
            help="Profiles, configurations or hot folders. Without any: this machine.", metavar="[FILE…]"
        ),
    ] = None,
    home: Home = None,
) -> None:
    """Check profiles and configurations (every fault with line and remedy), or this machine."""
    from foley_daemon.checkup import check_file, check_machine

    _use_home(home)
    console = Console(highlight=False)
    findings = check_machine() if not files else (finding for file in files for finding in check_file(file))
    good = True
    for finding in findings:
        mark = "[green]✓[/green]" if finding.good else "[red]✗[/red]"
        console.print(f"{mark} {escape(readable(finding.subject))}: {escape(finding.text)}", soft_wrap=True)
        good &= finding.good
    raise typer.Exit(0 if good else ConfigError.exit_code)


@app.command()
def demo(
    directory: Annotated[
        Path, typer.Argument(help="Folder for it, made if need be.", metavar="[DIR]")
    ] = Path("foley-demo"),
) -> None:
    """Show the main job: a hot folder, three clips dropped into it, what comes back."""
    from foley_daemon.demo import run

    _log_to_terminal("warning")
    raise typer.Exit(run(directory))


@app.command()
def reprocess(
    paths: Annotated[
        list[Path], typer.Argument(help="Clips, or folders for all the clips in them.", metavar="PATH…")
    ],
    config: ConfigFile = None,
    home: Home = None,
) -> None:
    """Have the daemon do clips again, with the profile and models of now, whatever came of them before."""
    _use_home(home)
    codes: list[int] = []
    with _ledger(_ledger_path(config)) as ledger:
        jobs = ledger.list() if ledger else []
        for path in paths:
            with _counted(path, codes):
                for job in _jobs_at(path, jobs):
                    with _counted(job.path, codes):
                        _requeue(job, ledger)
    raise typer.Exit(gravest(codes))


def _end(number: int, _frame: object) -> None:
    """End as the shell expects after a signal, leaving nothing half done behind."""
    raise SystemExit(128 + number)


def _process(clip: Path, profile: Profile, out: Path | None, engine: Engine, console: Console) -> None:
    from foley_daemon.worker import process_clip

    with progress_of(clip, console) as progress:
        output = process_clip(clip, profile, engine=engine, out=out, progress=progress)
    show_output(clip, output, Console(highlight=False))


def _profile(clip: Path, name: str | None) -> Profile:
    from foley_daemon.profile import find_profile, named_profile

    return named_profile(name) if name else find_profile(clip.absolute().parent)


def _seeded(profile: Profile, seed: int | None) -> Profile:
    if seed is None:
        return profile
    return profile.model_copy(update={"model": profile.model.model_copy(update={"seed": seed})})


def _configuration(file: Path | None, folders: list[Path]) -> Config:
    """The configuration of a file, with the folders of the command line on top."""
    from foley_daemon.config import Config, FolderSettings, load_config

    base = load_config(file) if file else Config()
    if not folders and not base.folders:
        raise typer.BadParameter("name a hot folder, or a configuration that does", param_hint="FOLDER")
    further = tuple(  # as typed: a name that a file could not hold is right here
        FolderSettings.model_construct(path=str(folder.absolute()), profile=None) for folder in folders
    )
    return base.model_copy(update={"folders": base.folders + further})


def _ledger_path(config: Path | None) -> Path:
    if config is None:
        return state_folder() / "ledger.sqlite"
    from foley_daemon.config import load_config

    return load_config(config).state_folder / "ledger.sqlite"


@contextmanager
def _ledger(path: Path) -> Iterator[Ledger | None]:
    """The ledger, None where there is none yet: looking does not make one."""
    if not path.exists():
        yield None
        return
    from foley_daemon.ledger import Ledger

    with Ledger(path) as ledger:
        yield ledger


def _jobs_at(path: Path, jobs: list[Job]) -> list[Job]:
    """The newest job of the clip at `path`, or of every clip below it."""
    place = Path(os.path.realpath(path.parent), path.name) if path.name else path.resolve()
    found: dict[Path, Job] = {}
    for job in sorted(jobs, key=lambda job: job.id):
        if job.path == place or job.path.is_relative_to(path.resolve()):
            found[job.path] = job
    if not found:
        raise ClipError(
            f"{readable(path)}: not in the ledger; expected a clip of a watched folder, or a folder of such; "
            "for any other clip there is `foley process`"
        )
    return list(found.values())


def _requeue(job: Job, ledger: Ledger | None) -> None:
    if not job.path.exists():
        raise ClipError(f"{readable(job.path)}: the clip is not there any more; put it back first")
    queued = ledger is not None and ledger.requeue(job.folder, job.relative_path) is not None
    typer.echo(f"{readable(job.path)}: {'queued again' if queued else 'being done at this moment'}")


@contextmanager
def _counted(subject: Path, codes: list[int]) -> Iterator[None]:
    """Let one of several fail: tell why, note the exit code, go on."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the others of the batch are still to be done
        _tell(error, subject)
        codes.append(_exit_code(error))


def _tell(error: BaseException, subject: Path | None = None) -> None:
    """The message of an error on standard error; for a fault of the program the traceback too."""
    from loguru import logger

    known = isinstance(error, FoleyError | Ssv2aError | OSError | MemoryError)
    text = str(error) if known and str(error) else f"{type(error).__name__}: {error}"
    if subject is not None and subject.name not in text:
        text = f"{readable(subject)}: {text}"
    Console(stderr=True, highlight=False).print(f"[red]error[/red] {escape(_lines(text))}", soft_wrap=True)
    logger.opt(exception=error).log("DEBUG" if known else "ERROR", "The traceback:")


def _lines(text: str) -> str:
    return "\n".join(map(readable, text.split("\n")))


def _exit_code(error: BaseException) -> int:
    from foley_daemon.runner import exit_code_of

    return exit_code_of(error) if isinstance(error, Exception) else 1


def _use_home(home: Path | None) -> None:
    if home is not None:
        os.environ["FOLEY_HOME"] = str(home.absolute())


def _log_to_terminal(level: str) -> Console:
    """Send the log to standard error: for a person on a terminal, as plain lines otherwise."""
    console = Console(stderr=True, highlight=False)
    log.set_up(level, terminal=console if console.is_terminal else None)
    return console
