"""The command line of the model library: `ssv2a …`. Heavy parts are imported inside the commands."""

from __future__ import annotations

import signal
import sys

import typer
from loguru import logger

from ssv2a.cli_bank import bank
from ssv2a.cli_bars import bars
from ssv2a.cli_data import data
from ssv2a.cli_evaluate import evaluate
from ssv2a.cli_finetune import train_finetune_command
from ssv2a.cli_options import command
from ssv2a.cli_sound import compose, image, video
from ssv2a.cli_train import assemble_command, train
from ssv2a.errors import Ssv2aError

EXIT_CODES = {
    0: "all done",
    1: "an input could not be done (the others were), or the bundle, a bank or a setting is wrong",
    2: "the command line is wrong",
    130: "interrupted with Ctrl-C",
}
_EPILOG = "\n\n".join(["Exit codes:", *(f"{code} – {meaning}" for code, meaning in EXIT_CODES.items())])

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The SSV2A model chain: sound for pictures and clips, training, sound banks.",
    epilog=_EPILOG,
)
command(app, "image")(image)
command(app, "video")(video)
command(app, "compose")(compose)
app.command("evaluate")(evaluate)
app.command("bars")(bars)
train.command("finetune")(train_finetune_command)
app.add_typer(train, name="train")
app.add_typer(bank, name="bank")
app.add_typer(data, name="data")
app.command("assemble")(assemble_command)


def main() -> None:
    """Run `ssv2a`; errors of the library end it with status 1 and one message."""
    signal.signal(signal.SIGTERM, _end)
    logger.remove()
    logger.add(_to_stderr, level="INFO", format="{time:HH:mm:ss} {message}", diagnose=False)
    try:
        app()
    except (Ssv2aError, OSError, MemoryError) as error:
        sys.stderr.write(f"ssv2a: {error or type(error).__name__}\n")
        sys.exit(1)


def _end(number: int, _frame: object) -> None:
    """End as the shell expects after a signal, leaving nothing half written behind."""
    raise SystemExit(128 + number)


def _to_stderr(message: str) -> None:
    sys.stderr.write(message)  # looked up anew: a progress bar puts its own there
