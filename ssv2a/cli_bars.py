"""`ssv2a bars`: a bundle against its bars, every figure printed."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from loguru import logger

if TYPE_CHECKING:
    from ssv2a.bundle import Bundle
    from ssv2a.evaluate.bars import Bar, Heard, Listener
    from ssv2a.evaluate.composed import Composed
    from ssv2a.evaluate.tagger import Tagger
    from ssv2a.pipeline import Ssv2a
    from ssv2a.soundbank.bank import Bank

KINDS = ("captions", "pictures", "pairs")  # of takes of ten seconds
BY_EAR = (*KINDS, "clips")  # parts that the tagger judges
OF_CAPTIONS = ("captions", "varied", "clean")  # parts that are measured on takes of the captions
PARTS = (*BY_EAR, "varied", "clean", "loops", "speed", "size")


def bars(
    tagger: Annotated[
        Path | None,
        typer.Option(
            help="The ears: an ONNX file of YAMNet's layout, with yamnet_class_map.csv beside it. Needed for "
            f"{', '.join(BY_EAR)}.",
            metavar="FILE",
        ),
    ] = None,
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
    """Measure a bundle against its bars: what is heard, variety, cleanness, loops, speed, size.

    Captions, photographs and pairs are those of the package (`ssv2a/evaluate`); of composed clips, in which
    two photographed things enter and leave, figures are shown and no bar is asked. The tagger is yours: none
    is shipped, since what made a bundle must not judge it. Ends with status 1 where a bar is missed.
    """
    # 1. What is measured, and what with; faults of it are told before anything is rendered.
    from ssv2a.bundle import Bundle
    from ssv2a.soundbank.bank import open_bank

    parts = _parts(only)
    ears = _ears(tagger, parts)
    opened = Bundle.open(bundle)
    sounds = open_bank(opened, bank)

    # 2. Takes and files.
    figures: list[Bar] = []
    heard: list[Heard] = []
    if parts - {"loops", "size"}:
        model, load_seconds = _load(bundle, bank, threads)
        figures, heard = _of_takes(model, load_seconds, ears, _Asked(parts, bank, seeds, opened.frames, out))
    figures += _of_files(opened, sounds, parts)

    # 3. Told.
    _print(opened.id, bank, figures, [one for one in heard if not one.right])
    if out is not None:
        _write(out / f"bars-{opened.bank_folder(bank).name}.json", opened.id, bank, figures, heard)
    raise typer.Exit(int(not all(bar.met for bar in figures if bar.counts)))


@dataclass(frozen=True, slots=True)
class _Asked:
    """Which takes are made, and where they go."""

    parts: frozenset[str]
    bank: str
    seeds: int
    frames: int  # of a clip that are looked at
    out: Path | None  # folder of the takes; None: they are not kept


def _parts(only: str) -> frozenset[str]:
    parts = frozenset(only.split(","))
    if unknown := parts - set(PARTS):
        raise typer.BadParameter(
            f"unknown: {', '.join(sorted(unknown))}; expected some of {', '.join(PARTS)}"
        )
    return parts


def _ears(tagger: Path | None, parts: frozenset[str]) -> Callable[[], Tagger] | None:
    """Opens the tagger; None where nothing has to be heard.

    Raises:
        EvaluationError: the tagger cannot be used.
    """
    judged = [part for part in BY_EAR if part in parts]
    if not judged:
        return None
    if tagger is None:
        raise typer.BadParameter(
            f"--tagger is missing: {', '.join(judged)} are judged by ear; name an ONNX file of YAMNet's "
            f"layout, or measure --only {','.join(part for part in PARTS if part not in BY_EAR)}"
        )
    from ssv2a.evaluate.tagger import YamNet

    ears = partial(YamNet.load, tagger)
    ears()  # for its faults; it is opened anew after the speed, so that its memory is not the bundle's
    return ears


def _load(bundle: str, bank: str, threads: int) -> tuple[Ssv2a, float]:
    """The model, and how many seconds it took to load."""
    from ssv2a.pipeline import Ssv2a

    started = time.perf_counter()
    model = Ssv2a.load(bundle, bank=bank, device="cpu", threads=threads)
    return model, time.perf_counter() - started


def _of_takes(
    model: Ssv2a, load_seconds: float, ears: Callable[[], Tagger] | None, asked: _Asked
) -> tuple[list[Bar], list[Heard]]:
    """Figures of what is rendered, and every take that was listened to."""
    from ssv2a.evaluate.bars import Listener, clean_bars, clip_bars, heard_bars, speed_bars, varied_bars
    from ssv2a.types import VideoSettings

    listener = Listener(model, ears, VideoSettings(), asked.frames)
    figures: list[Bar] = []
    heard: list[Heard] = []
    if "speed" in asked.parts:  # first: the memory is that of its takes alone
        figures += speed_bars(load_seconds, listener)
    takes = {kind: _takes(kind, listener, asked) for kind in KINDS}
    for kind in KINDS:
        if kind in asked.parts:
            figures += heard_bars(asked.bank, kind, takes[kind])
            heard += takes[kind]
    if "clips" in asked.parts:
        figures += clip_bars(_clips(listener))
    if "varied" in asked.parts:
        figures += varied_bars(takes["captions"], model.listen)
    if "clean" in asked.parts:
        figures += clean_bars(takes["captions"])
    return figures, heard


def _of_files(opened: Bundle, sounds: Bank, parts: frozenset[str]) -> list[Bar]:
    """Figures of the bank and of the bundle as they lie there."""
    from ssv2a.evaluate.bars import loop_bar, size_bar

    figures = []
    if "loops" in parts and (loop := loop_bar(sounds)):
        figures.append(loop)
    if "size" in parts:
        figures.append(size_bar(opened.folder))
    return figures


def _takes(kind: str, listener: Listener, asked: _Asked) -> list[Heard]:
    """All takes of a kind, if a part needs them; each is told, and kept as WAV where a folder is named."""
    needed = asked.parts & set(OF_CAPTIONS if kind == "captions" else (kind,))
    if not needed:
        return []
    import soundfile

    from ssv2a.types import SAMPLE_RATE

    made: Iterator[Heard] = getattr(listener, kind)(asked.seeds)
    logger.info("takes of {}, for: {}", kind, ", ".join(sorted(needed)))
    takes = []
    for one in made:
        verdict = "" if not one.labels else ": heard" if one.right else f": {one.failing}"
        logger.info("{} {} (seed {}){}", kind, one.name, one.seed, verdict)
        if asked.out is not None:
            path = asked.out / kind / f"{one.name.replace('.jpg', '')}.s{one.seed}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, one.take.waveform.T, SAMPLE_RATE, "PCM_16")
        takes.append(one)
    return takes


def _clips(listener: Listener) -> list[tuple[Composed, bool]]:
    """All composed clips; each is told."""
    logger.info("composed clips: two photographs each")
    made = []
    for clip, otherwise in listener.clips():
        wrong = [
            f"chunk {number} plays {', '.join(sorted(sounds)) or 'nothing'}"
            for number, (sounds, right) in enumerate(zip(clip.played, clip.right, strict=True), start=1)
            if not right
        ]
        verdict = "; ".join(wrong) or ("named" if clip.timed else "named, but not timed")
        logger.info("clip {}: {}{}", clip.name, verdict, "" if otherwise else "; its ends sound alike")
        made.append((clip, otherwise))
    return made


def _print(bundle_id: str, bank: str, figures: Sequence[Bar], misses: Sequence[Heard]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("bar", "measured", "wanted", "", title=f"{bundle_id}, bank {bank}")
    for bar in figures:
        sign = "at most" if bar.at_most else "at least"
        wanted = f"{sign} {bar.wanted:.3g} {bar.unit}" if bar.counts else ""
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
