"""`ssv2a bank …`: sound banks, the shipped ones and a user's own."""

from __future__ import annotations

import json
import re
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ssv2a.cli_options import command, told
from ssv2a.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ssv2a.chain import Chain
    from ssv2a.soundbank.bank import Bank, Entry
    from ssv2a.soundbank.library import Counts

MINI = Path(__file__).parent / "bundles" / "mini"
OWN_FOLDER = "foley-bank"
FORMATS = {".wav": "WAV", ".flac": "FLAC"}  # of auditions
BANKS = "default, community, or a bank's folder, written with a / (./mybank)."

bank = typer.Typer(no_args_is_help=True, help="Make and look through sound banks.")

BundleName = Annotated[
    str,
    typer.Option(help="Whose CLAP listens: a bundle's name, or its folder (with a /).", metavar="NAME|DIR"),
]
Own = Annotated[bool, typer.Option("--own", help="Only the bank's own, not those of a bank that it extends.")]


@bank.command("build")
def bank_build_command(
    library: Annotated[Path, typer.Argument(help="Folder of sounds, with all its folders.", metavar="DIR")],
    bundle: BundleName = "mini",
    out: Annotated[
        Path | None, typer.Option(help=f"Folder of the bank; DIR/{OWN_FOLDER} if not given.", metavar="DIR")
    ] = None,
    name: Annotated[str | None, typer.Option(help="As reports show it; the folder's if not given.")] = None,
    licence: Annotated[
        str | None, typer.Option(help="Of all the sounds, for cue sheets; what each file says if not given.")
    ] = None,
    extends: Annotated[
        Literal["default", "community", "none"],
        typer.Option(
            help="The bundle's bank that stands in for what the library lacks.",
            metavar="default|community|none",
        ),
    ] = "default",
    threads: Annotated[int, typer.Option(help="Processor threads; 0: one per core.", min=0)] = 0,
) -> None:
    """Make a bank of your own sounds, or bring it up to date; a profile names it by `model.bank`.

    WAV (BWF, RF64, W64), AIFF, FLAC, MP3, OGG and whatever else ffmpeg reads. The files are not copied and
    not changed. A build that was stopped goes on where it was. Status 1 where a file could not be read.
    """
    from ssv2a.bundle import Bundle
    from ssv2a.chain import load_chain
    from ssv2a.soundbank.library import Plan, build_library
    from ssv2a.soundbank.meanings import Meanings

    library = library.resolve()
    opened = Bundle.open(bundle)
    chain = load_chain(bundle, device="auto", threads=threads, low_memory=True)
    mini = opened.implementation("text") == "minilm"
    sentences: Any = chain.texts.get() if mini else None
    plan = Plan(
        folder=library,
        bank=(out or library / OWN_FOLDER).resolve(),
        name=name or library.name,
        licence=licence,
        extends=extends if mini and extends != "none" else None,
        mark=opened.clap_mark,
    )
    try:
        with told() as on_file:
            counts = build_library(plan, chain.clap.get(), Meanings(sentences), on_file)
    except KeyboardInterrupt:
        typer.echo("stopped; run it again to go on", err=True)
        raise typer.Exit(130) from None
    _tell(counts, plan.bank)
    raise typer.Exit(int(bool(counts.faults)))


@bank.command("list")
def bank_list_command(
    which: Annotated[str, typer.Argument(help=BANKS, metavar="BANK")] = "default",
    sound: Annotated[str, typer.Option(help="Only entries of this kind of sound, such as dog_bark.")] = "",
    own: Own = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: everything, one array.")] = False,
    bundle: BundleName = "mini",
) -> None:
    """Say what is in a bank; piped: a line an entry, with tabs between what is said of it."""
    opened = _opened(which, bundle)
    there = opened.added if own else opened.entries
    entries = [entry for entry in there if sound in ("", entry.sound)]
    if not entries:
        raise InputError(_none_of(sound, there))
    if as_json:
        from dataclasses import asdict

        typer.echo(json.dumps([asdict(entry) for entry in entries], ensure_ascii=False, indent=1))
    else:
        _print(opened, [(entry, None) for entry in entries])


@bank.command("search")
def bank_search_command(
    text: Annotated[str, typer.Argument(help="What you look for, in words.", metavar="TEXT")],
    which: Annotated[str, typer.Option("--bank", help=BANKS)] = "default",
    number: Annotated[int, typer.Option("--number", "-n", help="How many to show.", min=1)] = 10,
    own: Own = False,
    bundle: BundleName = "mini",
) -> None:
    """Find the sounds of a bank that are nearest to some words, by caption and by ear."""
    _check_words(text, "TEXT")
    opened, chain = _opened(which, bundle), _chain(bundle)
    shown = set(opened.added if own else opened.entries)
    _print(opened, [row for row in _found(opened, chain, text) if row[0] in shown][:number])


@bank.command("audition")
def bank_audition_command(
    what: Annotated[
        str, typer.Argument(help="An entry's id, or words: then the likeliest.", metavar="ID|TEXT")
    ],
    which: Annotated[str, typer.Option("--bank", help=BANKS)] = "default",
    out: Annotated[
        Path, typer.Option(help="The file that is written, .wav or .flac.", metavar="FILE")
    ] = Path("audition.wav"),
    seconds: Annotated[float, typer.Option(help="Length.", min=0.5, max=60)] = 8.0,
    seed: Annotated[int, typer.Option(help="Another seed is another take.", min=0)] = 0,
    bundle: BundleName = "mini",
) -> None:
    """Write an entry as a clip would have it: 48 kHz stereo, textures without end, events in their rhythm."""
    import soundfile

    from ssv2a.soundbank.player import play_alone
    from ssv2a.types import SAMPLE_RATE

    _check_words(what, "ID|TEXT")
    if out.suffix.lower() not in FORMATS:
        raise InputError(f"{out}: expected a name that ends in {' or '.join(FORMATS)}. Rename it.")
    opened = _opened(which, bundle)
    entry = opened.entry(what) or _found(opened, _chain(bundle), what)[0][0]
    sound = play_alone(opened, entry, round(seconds * SAMPLE_RATE), seed)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(out, sound.T, SAMPLE_RATE, "PCM_24", format=FORMATS[out.suffix.lower()])
    except (OSError, soundfile.LibsndfileError) as error:
        raise InputError(f"{out}: cannot be written ({error}); name a file that can be (--out).") from error
    typer.echo(f"{entry.id}: {entry.caption}: {out}")


@command(bank, "ship")
def bank_ship_command(
    data: Annotated[Path, typer.Option(help="Folder of labelled recordings with manifest.csv.")],
    out: Annotated[
        Path, typer.Option(help="Folder in which the folders `default` and `community` are made.")
    ],
    clap: Annotated[Path, typer.Option(help="clap.safetensors of a finished run.")] = MINI
    / "clap.safetensors",
    threads: Annotated[int, typer.Option(help="Processor threads.", min=1)] = 1,
) -> None:
    """Make the two banks that mini ships: `default` (free for any use) and `community` (credits owed)."""
    import torch

    from ssv2a.embed.clap import MiniClap
    from ssv2a.soundbank.build import LICENCES, build_community, build_default
    from ssv2a.soundbank.models import all_models
    from ssv2a.train.data import read_manifest

    torch.set_num_threads(threads)
    recordings, ears, notices = read_manifest(data), MiniClap.load(clap), data / LICENCES
    free = build_default(recordings, all_models().values(), ears, out / "default", notices)
    credited = build_community(recordings, ears, out / "community", notices, extends="../default")
    typer.echo(f"default: {len(free)} entries; community: {len(credited)} more, in {out}")


def _opened(which: str, bundle: str) -> Bank:
    """A bank by name or folder."""
    from ssv2a.bundle import Bundle
    from ssv2a.soundbank.bank import open_bank

    return open_bank(Bundle.open(bundle), which)


def _chain(bundle: str) -> Chain:
    from ssv2a.chain import load_chain

    return load_chain(bundle, device="cpu", threads=1, low_memory=True)


def _found(opened: Bank, chain: Chain, text: str) -> list[tuple[Entry, float]]:
    """Entries with their likeness to some words, the likeliest first."""
    import numpy as np

    from ssv2a.embed.clap import MiniClap

    clap = chain.clap.get()
    if not isinstance(clap, MiniClap):
        raise InputError("words are looked for with mini's CLAP; search with --bundle mini.")
    sentences = chain.texts.get()
    asked = sentences.embed([text], seed=0)
    captions = sentences.embed([entry.caption for entry in opened.entries], seed=0) @ asked[0]
    heard = (opened.claps @ clap.text(asked)[0]).max(axis=1)
    scores = (captions + heard) / 2
    order = np.argsort(-scores, kind="stable").tolist()
    return [(opened.entries[index], float(scores[index])) for index in order]


def _check_words(text: str, name: str) -> None:
    if not text.strip():
        raise InputError(f"{name} is empty; expected a few words that name a sound, such as 'a heavy door'.")


def _none_of(sound: str, entries: Sequence[Entry]) -> str:
    """Why a bank shows no entry of a kind of sound."""
    known = sorted({entry.sound for entry in entries} - {""})
    near = get_close_matches(sound, known, n=3, cutoff=0.6) or known[:3]
    return (
        f"--sound {sound}: the bank has none; it has kinds such as {', '.join(near)}. Leave it out for all."
    )


def _print(opened: Bank, rows: Sequence[tuple[Entry, float | None]]) -> None:
    """Entries, each in two lines for a terminal of any width, else in one with tabs, for other programs."""
    for entry, score in rows:
        length = "model" if entry.model else f"{entry.seconds:.1f} s"
        facts = [entry.caption, entry.sound, entry.kind, length, entry.licence, opened.bank_of(entry)]
        facts += [] if score is None else [f"{score:.2f}"]
        if sys.stdout.isatty():
            typer.echo(f"{entry.id}\n    {' · '.join(filter(None, facts))}")
        else:
            typer.echo("\t".join(re.sub(r"[\t\r\n]", " ", cell) for cell in (entry.id, *facts)))


def _tell(counts: Counts, folder: Path) -> None:
    for path, original in counts.copies:
        typer.echo(f"left out {path}: the same as {original}", err=True)
    for path, note in counts.notes:
        typer.echo(f"{path}: in the bank, but {note}", err=True)
    for path, why in counts.faults:
        typer.echo(f"passed over {path}: {why}", err=True)
    typer.echo(
        f"{counts.entries} sounds in {folder}: {counts.read} read, {counts.known} unchanged, "
        f"{counts.moved} moved, {counts.gone} gone, {len(counts.copies)} left out as copies, "
        f"{len(counts.faults)} passed over"
    )
