"""`ssv2a bank …`: sound banks, the shipped ones and a user's own."""

from __future__ import annotations

import json
import sys
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

bank = typer.Typer(no_args_is_help=True, help="Make and look through sound banks.")

BundleName = Annotated[
    str,
    typer.Option(help="Whose CLAP listens: a bundle's name, or its folder (with a /).", metavar="NAME|DIR"),
]


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
    phrases = opened.path("text", "phrases") if mini and "phrases" in opened.roles["text"].files else None
    plan = Plan(
        folder=library,
        bank=(out or library / OWN_FOLDER).resolve(),
        name=name or library.name,
        licence=licence,
        extends=extends if mini and extends != "none" else None,
        mark=opened.clap_mark,
    )
    with told() as on_file:
        counts = build_library(plan, chain.clap.get(), Meanings(sentences, phrases), on_file)
    _tell(counts, plan.bank)
    raise typer.Exit(int(bool(counts.faults)))


@bank.command("list")
def bank_list_command(
    which: Annotated[
        str, typer.Argument(help="default, community, or a bank's folder.", metavar="BANK")
    ] = "default",
    sound: Annotated[str, typer.Option(help="Only entries of this kind of sound, such as dog_bark.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="For programs: everything, one array.")] = False,
    bundle: BundleName = "mini",
) -> None:
    """Say what is in a bank."""
    opened = _opened(which, bundle)
    entries = [entry for entry in opened.entries if sound in ("", entry.sound)]
    if as_json:
        from dataclasses import asdict

        typer.echo(json.dumps([asdict(entry) for entry in entries], ensure_ascii=False, indent=1))
    else:
        _print([(entry, None) for entry in entries])


@bank.command("search")
def bank_search_command(
    text: Annotated[str, typer.Argument(help="What you look for, in words.", metavar="TEXT")],
    which: Annotated[str, typer.Option("--bank", help="default, community, or a bank's folder.")] = "default",
    number: Annotated[int, typer.Option("--number", "-n", help="How many to show.", min=1)] = 10,
    bundle: BundleName = "mini",
) -> None:
    """Find the sounds of a bank that are nearest to some words, by caption and by ear."""
    opened, chain = _opened(which, bundle), _chain(bundle)
    _print(_found(opened, chain, text)[:number])


@bank.command("audition")
def bank_audition_command(
    what: Annotated[
        str, typer.Argument(help="An entry's id, or words: then the likeliest.", metavar="ID|TEXT")
    ],
    which: Annotated[str, typer.Option("--bank", help="default, community, or a bank's folder.")] = "default",
    out: Annotated[Path, typer.Option(help="The WAV file that is written.", metavar="FILE")] = Path(
        "audition.wav"
    ),
    seconds: Annotated[float, typer.Option(help="Length.", min=0.5, max=60)] = 8.0,
    seed: Annotated[int, typer.Option(help="Another seed is another take.", min=0)] = 0,
    bundle: BundleName = "mini",
) -> None:
    """Write an entry as a clip would have it: 48 kHz stereo, textures without end, events in their rhythm."""
    import soundfile

    from ssv2a.soundbank.player import play_alone
    from ssv2a.types import SAMPLE_RATE

    opened = _opened(which, bundle)
    entry = opened.entry(what) or _found(opened, _chain(bundle), what)[0][0]
    sound = play_alone(opened, entry, round(seconds * SAMPLE_RATE), seed)
    soundfile.write(out, sound.T, SAMPLE_RATE, "PCM_24", format="WAV")
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


def _print(rows: Sequence[tuple[Entry, float | None]]) -> None:
    from rich.console import Console
    from rich.table import Table

    scored = [] if not rows or rows[0][1] is None else ["likeness"]
    table = Table("id", "caption", "sound", "kind", "seconds", "licence", *scored)
    table.columns[0].overflow = "fold"
    for entry, score in rows:
        length = "model" if entry.model else f"{entry.seconds:.1f}"
        shown = [] if score is None else [f"{score:.2f}"]
        table.add_row(entry.id, entry.caption, entry.sound, entry.kind, length, entry.licence, *shown)
    Console(file=sys.stdout, markup=False, emoji=False).print(table)  # captions may hold [ ] and : :


def _tell(counts: Counts, folder: Path) -> None:
    for path, why in counts.faults:
        typer.echo(f"passed over {path}: {why}", err=True)
    typer.echo(
        f"{counts.entries} sounds in {folder}: {counts.read} read, {counts.known} unchanged, "
        f"{counts.moved} moved, {counts.gone} gone, {len(counts.faults)} passed over"
    )
