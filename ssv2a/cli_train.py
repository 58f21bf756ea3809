"""`ssv2a train …`, `ssv2a assemble`: how the mini bundle is made."""

from __future__ import annotations

import importlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ssv2a.cli_bank import MINI, bank_ship_command
from ssv2a.cli_options import command

if TYPE_CHECKING:
    from ssv2a.config import Ssv2aConfig
    from ssv2a.embed.minilm import MiniLm
    from ssv2a.train.loop import LoopSettings, Outcome
    from ssv2a.train.sources import SourceBook

train = typer.Typer(no_args_is_help=True, help="Train the networks of the mini bundle, in this order.")

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
Device = Annotated[
    str, typer.Option(help="Where to learn: auto, cpu, cuda or mps.", metavar="auto|cpu|cuda|mps")
]
Threads = Annotated[int, typer.Option(help="Processor threads.", min=1)]


@dataclass(frozen=True, slots=True)
class Run:
    """What the training of every network can be told."""

    out: Out
    steps: Steps = None
    seed: Seed = 0
    resume: Resume = False
    seconds_budget: Budget = None
    bundle: Bundle = MINI
    device: Device = "auto"
    threads: Threads = 1


@command(train, "clap")
def train_clap_command(data: Data, run: Run, bfloat16: Bfloat16 = False) -> None:
    """Sounds and captions in one space: recordings of DATA and renders of the procedural models."""
    from ssv2a.soundbank.models import all_models
    from ssv2a.train.clap import SETTINGS, ClapSettings, train_clap
    from ssv2a.train.data import prepare, read_manifest

    _use_threads(run.threads)
    sounds = prepare(read_manifest(data), all_models().values(), run.out / "sounds")
    sentences = _sentences(run.bundle, run.threads)
    _train(train_clap, run, SETTINGS, sounds, sentences, clap=ClapSettings(bfloat16=bfloat16))


@command(train, "manifold")
def train_manifold_command(vectors: Vectors, run: Run) -> None:
    """What is seen and what is heard folded into one space, and back to CLAP (manifold and generator)."""
    from ssv2a.train.manifold import SETTINGS, train_manifold

    _train(train_manifold, run, SETTINGS, *_config_and_book(vectors, run))


@command(train, "remixer")
def train_remixer_command(
    vectors: Vectors,
    manifold: Annotated[Path, typer.Option(help="manifold.safetensors of a finished run.")],
    run: Run,
) -> None:
    """Several sources of a picture to the CLAP of their mixture."""
    from ssv2a.train.remixer import SETTINGS, train_remixer

    _train(train_remixer, run, SETTINGS, *_config_and_book(vectors, run), manifold)


@command(train, "aggregator")
def train_aggregator_command(vectors: Vectors, run: Run) -> None:
    """The CLAPs of a clip's frames to the CLAP of the clip."""
    from ssv2a.train.aggregator import SETTINGS, train_aggregator

    _train(train_aggregator, run, SETTINGS, *_config_and_book(vectors, run))


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
    device: Device = "auto",
    threads: Threads = 1,
) -> None:
    """All of it: the four networks, then the banks by the new CLAP, and BUNDLE complete with its manifest."""
    vectors, weights = out / "clap" / "clap_vectors.npz", out / "manifold" / "manifold.safetensors"
    stages: dict[str, Callable[..., None]] = {
        "clap": partial(train_clap_command, data=data, bfloat16=bfloat16),
        "manifold": partial(train_manifold_command, vectors=vectors),
        "remixer": partial(train_remixer_command, vectors=vectors, manifold=weights),
        "aggregator": partial(train_aggregator_command, vectors=vectors),
    }
    for name, stage in stages.items():
        if resume and _is_finished(out / name, steps or _own_steps(name)):
            typer.echo(f"{name}: finished before, in {out / name}")
        else:
            stage(run=Run(out / name, steps, seed, resume, bundle=bundle, device=device, threads=threads))
    _install(out, bundle)
    bank_ship_command(data, bundle / "banks", bundle / "clap.safetensors", threads)
    assemble_command(version, bundle)


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
    from ssv2a.train.results import METRICS

    metrics = run / METRICS
    return metrics.is_file() and json.loads(metrics.read_text(encoding="utf-8"))["step"] >= steps


def _install(runs: Path, bundle: Path) -> None:
    """Bring the networks of finished runs, and their figures, into a bundle's folder."""
    from ssv2a.config import Ssv2aConfig
    from ssv2a.train.results import METRICS
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


def _train(
    network: Callable[..., Outcome], run: Run, settings: LoopSettings, *parts: Any, **options: Any
) -> None:
    """Train one network on its `parts`, as far as `run` allows."""
    from ssv2a.chain import choose_device
    from ssv2a.train.loop import RunOptions

    _use_threads(run.threads)
    outcome = network(
        *parts,
        run.out,
        replace(settings, steps=run.steps or settings.steps, seed=run.seed),
        RunOptions(run.resume, run.seconds_budget, choose_device(run.device).type),
        **options,
    )
    state = "finished" if outcome.finished else "stopped, to be resumed,"
    typer.echo(f"{state} at step {outcome.step}: {run.out}")


def _config_and_book(vectors: Path, run: Run) -> tuple[Ssv2aConfig, SourceBook]:
    """Sizes of the networks, and the sources they are trained on."""
    from ssv2a.config import Ssv2aConfig

    config = Ssv2aConfig.from_file(run.bundle / "ssv2a.json")
    return config, _book(vectors, run.bundle, run.threads)


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
