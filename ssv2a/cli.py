"""The command line of the model library: `ssv2a train …`, `ssv2a bank …`. Heavy parts load when needed."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ssv2a.errors import Ssv2aError

if TYPE_CHECKING:
    from ssv2a.embed.minilm import MiniLm
    from ssv2a.train.loop import LoopSettings
    from ssv2a.train.sources import SourceBook

MINI = Path(__file__).parent / "bundles" / "mini"

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="The SSV2A model chain: training and sound banks."
)
train = typer.Typer(no_args_is_help=True, help="Train the networks of the mini bundle, in this order.")
bank = typer.Typer(no_args_is_help=True, help="Make sound banks.")
app.add_typer(train, name="train")
app.add_typer(bank, name="bank")

Data = Annotated[Path, typer.Option(help="Folder of labelled recordings with manifest.csv.")]
Out = Annotated[Path, typer.Option(help="Folder of the run: checkpoint, weights, curves, metrics.")]
Steps = Annotated[
    int | None, typer.Option(help="Steps of the whole run; the network's own number if not given.", min=1)
]
Vectors = Annotated[Path, typer.Option(help="clap_vectors.npz, written by `ssv2a train clap`.")]
Seed = Annotated[int, typer.Option(help="Of every draw.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the folder's checkpoint.")]
Budget = Annotated[float | None, typer.Option(help="Stop after so many seconds; resume to go on.", min=0)]
Bfloat16 = Annotated[bool, typer.Option("--bfloat16", help="Half precision, for processors with AMX.")]
Bundle = Annotated[Path, typer.Option(help="Folder of the bundle whose other parts are used.")]
Version = Annotated[str, typer.Option(help="Of this edition of the bundle, such as 1.0.0.")]
Threads = Annotated[int, typer.Option(help="Processor threads.", min=1)]


def main() -> None:
    """Run `ssv2a`; errors of the library end it with status 1 and one message."""
    try:
        app()
    except Ssv2aError as error:
        sys.stderr.write(f"ssv2a: {error}\n")
        sys.exit(1)


@train.command("clap")
def train_clap_command(
    data: Data,
    out: Out,
    steps: Steps = None,
    seed: Seed = 0,
    resume: Resume = False,
    seconds_budget: Budget = None,
    bfloat16: Bfloat16 = False,
    bundle: Bundle = MINI,
    threads: Threads = 1,
) -> None:
    """Sounds and captions in one space: recordings of DATA and renders of the procedural models."""
    from ssv2a.soundbank.models import all_models
    from ssv2a.train.clap import SETTINGS, ClapSettings, train_clap
    from ssv2a.train.data import prepare, read_manifest

    _use_threads(threads)
    sounds = prepare(read_manifest(data), all_models().values(), out / "sounds")
    outcome = train_clap(
        sounds,
        _sentences(bundle, threads),
        out,
        _settings(SETTINGS, steps, seed),
        clap=ClapSettings(bfloat16=bfloat16),
        resume=resume,
        seconds_budget=seconds_budget,
    )
    _tell(outcome.finished, outcome.step, out)


@train.command("manifold")
def train_manifold_command(
    vectors: Vectors,
    out: Out,
    steps: Steps = None,
    seed: Seed = 0,
    resume: Resume = False,
    seconds_budget: Budget = None,
    bundle: Bundle = MINI,
    threads: Threads = 1,
) -> None:
    """What is seen and what is heard folded into one space, and back to CLAP (manifold and generator)."""
    from ssv2a.config import Ssv2aConfig
    from ssv2a.train.manifold import SETTINGS, train_manifold

    _use_threads(threads)
    outcome = train_manifold(
        Ssv2aConfig.from_file(bundle / "ssv2a.json"),
        _book(vectors, bundle, threads),
        out,
        _settings(SETTINGS, steps, seed),
        resume=resume,
        seconds_budget=seconds_budget,
    )
    _tell(outcome.finished, outcome.step, out)


@train.command("remixer")
def train_remixer_command(
    vectors: Vectors,
    manifold: Annotated[Path, typer.Option(help="manifold.safetensors of a finished run.")],
    out: Out,
    steps: Steps = None,
    seed: Seed = 0,
    resume: Resume = False,
    seconds_budget: Budget = None,
    bundle: Bundle = MINI,
    threads: Threads = 1,
) -> None:
    """Several sources of a picture to the CLAP of their mixture."""
    from ssv2a.config import Ssv2aConfig
    from ssv2a.train.remixer import SETTINGS, train_remixer

    _use_threads(threads)
    outcome = train_remixer(
        Ssv2aConfig.from_file(bundle / "ssv2a.json"),
        _book(vectors, bundle, threads),
        manifold,
        out,
        _settings(SETTINGS, steps, seed),
        resume=resume,
        seconds_budget=seconds_budget,
    )
    _tell(outcome.finished, outcome.step, out)


@train.command("aggregator")
def train_aggregator_command(
    vectors: Vectors,
    out: Out,
    steps: Steps = None,
    seed: Seed = 0,
    resume: Resume = False,
    seconds_budget: Budget = None,
    bundle: Bundle = MINI,
    threads: Threads = 1,
) -> None:
    """The CLAPs of a clip's frames to the CLAP of the clip."""
    from ssv2a.config import Ssv2aConfig
    from ssv2a.train.aggregator import SETTINGS, train_aggregator

    _use_threads(threads)
    outcome = train_aggregator(
        Ssv2aConfig.from_file(bundle / "ssv2a.json"),
        _book(vectors, bundle, threads),
        out,
        _settings(SETTINGS, steps, seed),
        resume=resume,
        seconds_budget=seconds_budget,
    )
    _tell(outcome.finished, outcome.step, out)


@train.command("all")
def train_all_command(
    data: Data,
    out: Annotated[
        Path, typer.Option(help="Folder of the runs; each network gets a folder of its name in it.")
    ],
    version: Version,
    steps: Annotated[
        int | None, typer.Option(help="Steps of each network; its own number if not given.", min=1)
    ] = None,
    seed: Seed = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Pass over finished networks; go on with the one that is not.")
    ] = False,
    bfloat16: Bfloat16 = False,
    bundle: Bundle = MINI,
    threads: Threads = 1,
) -> None:
    """All of it: the four networks, then the banks by the new CLAP, and BUNDLE complete with its manifest."""
    same = (steps, seed, resume, None)  # no time budget
    vectors, weights = out / "clap" / "clap_vectors.npz", out / "manifold" / "manifold.safetensors"
    stages: dict[str, Callable[[Path], None]] = {
        "clap": lambda run: train_clap_command(data, run, *same, bfloat16, bundle, threads),
        "manifold": lambda run: train_manifold_command(vectors, run, *same, bundle, threads),
        "remixer": lambda run: train_remixer_command(vectors, weights, run, *same, bundle, threads),
        "aggregator": lambda run: train_aggregator_command(vectors, run, *same, bundle, threads),
    }
    for name, stage in stages.items():
        if resume and _is_finished(out / name, steps or _own_steps(name)):
            typer.echo(f"{name}: finished before, in {out / name}")
        else:
            stage(out / name)
    _install(out, bundle)
    bank_ship_command(data, bundle / "banks", bundle / "clap.safetensors", threads)
    assemble_command(version, bundle)


@bank.command("ship")
def bank_ship_command(
    data: Data,
    out: Annotated[
        Path, typer.Option(help="Folder in which the folders `default` and `community` are made.")
    ],
    clap: Annotated[Path, typer.Option(help="clap.safetensors of a finished run.")] = MINI
    / "clap.safetensors",
    threads: Threads = 1,
) -> None:
    """Make the two banks that mini ships: `default` (free for any use) and `community` (credits owed)."""
    from ssv2a.embed.clap import MiniClap
    from ssv2a.soundbank.build import LICENCES, build_community, build_default
    from ssv2a.soundbank.models import all_models
    from ssv2a.train.data import read_manifest

    _use_threads(threads)
    recordings, ears, notices = read_manifest(data), MiniClap.load(clap), data / LICENCES
    free = build_default(recordings, all_models().values(), ears, out / "default", notices)
    credited = build_community(recordings, ears, out / "community", notices, extends="../default")
    typer.echo(f"default: {len(free)} entries; community: {len(credited)} more, in {out}")


@app.command("assemble")
def assemble_command(
    version: Version,
    bundle: Bundle = MINI,
    runs: Annotated[
        Path | None, typer.Option(help="Folder of finished runs, whose networks come into the bundle first.")
    ] = None,
) -> None:
    """Write BUNDLE/bundle.json over the parts that lie in it, with their sizes and checksums."""
    from ssv2a.train.assemble import assemble

    if runs is not None:
        _install(runs, bundle)
    typer.echo(f"{assemble(bundle, version).id}: {bundle}")


def _own_steps(name: str) -> int:
    """What a network's own settings ask for."""
    settings: LoopSettings = importlib.import_module(f"ssv2a.train.{name}").SETTINGS
    return settings.steps


def _is_finished(run: Path, steps: int) -> bool:
    """Whether a run has done all its steps and written its results, of which the metrics are the last."""
    from ssv2a.train.manifold import METRICS

    metrics = run / METRICS
    return metrics.is_file() and json.loads(metrics.read_text(encoding="utf-8"))["step"] >= steps


def _install(runs: Path, bundle: Path) -> None:
    """Bring the networks of finished runs, and their figures, into a bundle's folder."""
    from ssv2a.config import Ssv2aConfig
    from ssv2a.train.manifold import METRICS
    from ssv2a.weights import join_files, load_networks

    # 1. The three small networks in one file, which must fit the bundle's configuration.
    parts = ("manifold", "remixer", "aggregator")
    joined = runs / "ssv2a.safetensors"
    join_files([runs / part / f"{part}.safetensors" for part in parts], joined)
    load_networks(Ssv2aConfig.from_file(bundle / "ssv2a.json"), joined)

    # 2. Figures of all of them.
    figures = {part: json.loads((runs / part / METRICS).read_text(encoding="utf-8")) for part in parts}
    shown = {"manifold and generator": figures.pop("manifold"), **figures}
    (runs / "ssv2a_metrics.json").write_text(json.dumps(shown, indent=1) + "\n", encoding="utf-8")

    # 3. Into the bundle.
    shutil.copyfile(joined, bundle / joined.name)
    shutil.copyfile(runs / "ssv2a_metrics.json", bundle / "ssv2a_metrics.json")
    shutil.copyfile(runs / "clap" / "clap.safetensors", bundle / "clap.safetensors")
    shutil.copyfile(runs / "clap" / METRICS, bundle / "clap_metrics.json")


def _settings(given: LoopSettings, steps: int | None, seed: int) -> LoopSettings:
    return replace(given, steps=steps or given.steps, seed=seed)


def _use_threads(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)


def _sentences(bundle: Path, threads: int) -> MiniLm:
    from ssv2a.embed.minilm import MiniLm

    return MiniLm(bundle / "minilm_l6_v2_int8.onnx", bundle / "minilm_tokenizer.json", threads)


@cache  # `train all` uses it three times, and embedding thousands of captions takes a while
def _book(vectors: Path, bundle: Path, threads: int) -> SourceBook:
    """The sources to train on; the CLAP is the one that lies beside the vectors."""
    from ssv2a.embed.clap import MiniClap
    from ssv2a.heard import load_heard
    from ssv2a.train.data import read_vectors
    from ssv2a.train.sources import build_book

    clap = MiniClap.load(vectors.parent / "clap.safetensors")
    return build_book(
        read_vectors(vectors), _sentences(bundle, threads), clap, load_heard(bundle / "heard.csv")
    )


def _tell(finished: bool, step: int, out: Path) -> None:
    typer.echo(f"{'finished' if finished else 'stopped, to be resumed,'} at step {step}: {out}")
