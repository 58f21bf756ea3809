"""`ssv2a bars`: a bundle against its bars, every figure printed."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from loguru import logger

if TYPE_CHECKING:
    from ssv2a.evaluate.bars import Bar, Heard

PARTS = ("captions", "pictures", "pairs", "varied", "clean", "loops", "speed", "size")


def bars(
    tagger: Annotated[
        Path,
        typer.Option(
            help="The ears: an ONNX file of YAMNet's layout, with yamnet_class_map.csv beside it.",
            metavar="FILE",
        ),
    ],
    bank: Annotated[
        str, typer.Option(help="Of the bundle: default or community; or a bank's folder (with a /).")
    ] = "default",
    bundle: Annotated[
        str, typer.Option(help="The models: a bundle's name, or its folder (with a /).")
    ] = "mini",
    seeds: Annotated[int, typer.Option(help="Takes of each caption, picture and pair.", min=2, max=16)] = 2,
    only: Annotated[
        str, typer.Option(help=f"Some of: {', '.join(PARTS)}; separated by commas.", metavar="PART,…")
    ] = ",".join(PARTS),
    out: Annotated[
        Path | None, typer.Option(help="Folder for bars-BANK.json and the takes as WAV.", metavar="DIR")
    ] = None,
    threads: Annotated[int, typer.Option(help="Processor threads; 0: one per core.", min=0)] = 0,
) -> None:
    """Measure a bundle against its bars: what is heard, variety, cleanness, speed, size.

    Captions, photographs and pairs are those of the package (`ssv2a/evaluate`). The tagger is yours: none is
    shipped, since what made a bundle must not judge it. Ends with status 1 where a bar is missed.
    """
    wanted = only.split(",")
    unknown = set(wanted) - set(PARTS)
    if unknown:
        raise typer.BadParameter(
            f"unknown: {', '.join(sorted(unknown))}; expected some of {', '.join(PARTS)}"
        )

    # 1. Models and ears.
    from ssv2a.bundle import Bundle
    from ssv2a.evaluate.bars import (
        Listener,
        clean_bars,
        heard_bars,
        loop_bar,
        size_bar,
        speed_bars,
        varied_bars,
    )
    from ssv2a.evaluate.tagger import YamNet
    from ssv2a.pipeline import Ssv2a
    from ssv2a.soundbank.bank import open_bank
    from ssv2a.types import VideoSettings

    started = time.perf_counter()
    model = Ssv2a.load(bundle, bank=bank, device="cpu", threads=threads)
    load_seconds = time.perf_counter() - started
    opened = Bundle.open(bundle)
    sounds = open_bank(opened, bank)
    listener = Listener(model, partial(YamNet.load, tagger), VideoSettings())

    # 2. Takes, and what they say.
    figures: list[Bar] = []
    misses: list[Heard] = []
    if "speed" in wanted:  # first: the memory of it all is that of one take
        figures += speed_bars(load_seconds, listener)
    captioned = _listened(
        "captions", listener.captions(seeds), out, {"captions", "varied", "clean"} & set(wanted)
    )
    if "captions" in wanted:
        figures += heard_bars(bank, "captions", captioned)
        misses += captioned
    for kind, takes in (("pictures", listener.pictures(seeds)), ("pairs", listener.pairs(seeds))):
        heard = _listened(kind, takes, out, kind in wanted)
        if heard:
            figures += heard_bars(bank, kind, heard)
            misses += heard
    if "varied" in wanted:
        figures += varied_bars(captioned, model.listen)
    if "clean" in wanted:
        figures += clean_bars(captioned)
    if "loops" in wanted:
        loop = loop_bar(sounds)
        figures += [] if loop is None else [loop]
    if "size" in wanted:
        figures.append(size_bar(opened.folder))

    # 3. Told.
    _print(model.bundle_id, bank, figures, [one for one in misses if not one.right])
    if out is not None:
        _write(out / f"bars-{opened.bank_folder(bank).name}.json", model.bundle_id, bank, figures, misses)
    raise typer.Exit(int(not all(bar.met for bar in figures if "near names" not in bar.name)))


def _listened(kind: str, takes: Iterator[Heard], out: Path | None, wanted: object) -> list[Heard]:
    """All takes of a kind, if they are wanted; each is told, and kept as WAV if there is a folder for it."""
    if not wanted:
        return []
    import soundfile

    heard = []
    for one in takes:
        logger.info("{} {} (seed {}): {}", kind, one.name, one.seed, "heard" if one.right else one.failing)
        if out is not None:
            path = out / kind / f"{one.name.replace('.jpg', '')}.s{one.seed}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, one.take.waveform.T, 48_000, "PCM_16")
        heard.append(one)
    return heard


def _print(bundle_id: str, bank: str, figures: Sequence[Bar], misses: Sequence[Heard]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("bar", "measured", "wanted", "", title=f"{bundle_id}, bank {bank}")
    for bar in figures:
        sign = "at most" if bar.at_most else "at least"
        wanted = "" if "near names" in bar.name else f"{sign} {bar.wanted:.3g} {bar.unit}"
        verdict = "" if not wanted else "met" if bar.met else "MISSED"
        table.add_row(bar.name, f"{bar.figure:.3g} {bar.unit}", wanted, verdict)
    console = Console(file=sys.stdout, markup=False, emoji=False)  # names of files may hold [ ] and : :
    console.print(table)
    for one in misses:
        console.print(
            f"{one.failing}: {one.name} (seed {one.seed}): played {', '.join(one.played) or 'nothing'}; "
            f"heard {'; '.join(one.labels[:5])}",
            highlight=False,
        )


def _write(path: Path, bundle_id: str, bank: str, figures: Sequence[Bar], heard: Iterable[Heard]) -> None:
    rows = [
        {
            "of": one.name,
            "seed": one.seed,
            "heard": one.right,
            "near": one.near,
            "labels": one.labels,
            "played": one.played,
            "entries": [pick.entry for pick in one.take.picks],
        }
        for one in heard
    ]
    bars = [{**asdict(bar), "met": bar.met} for bar in figures]
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"bundle": bundle_id, "bank": bank, "bars": bars, "takes": rows}, indent=1)
    path.write_text(text + "\n", encoding="utf-8")
