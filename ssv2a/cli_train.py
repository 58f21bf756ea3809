"""`ssv2a train …`, `ssv2a assemble`: how the mini bundle is made."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from loguru import logger

from ssv2a.cli_bank import bank_ship_command
from ssv2a.cli_options import command, told
from ssv2a.errors import TrainingError

if TYPE_CHECKING:
    from ssv2a.config import Ssv2aConfig
    from ssv2a.embed.minilm import MiniLm
    from ssv2a.train.loop import LoopSettings, Outcome, RunOptions
    from ssv2a.train.sources import SourceBook

NETWORKS = ("clap", "manifold", "remixer", "aggregator")  # in the order of their training
CONFIG, HEARD = "ssv2a.json", "heard.csv"  # in a bundle's folder

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
Bundle = Annotated[
    str,
    typer.Option(
        help="Whose other parts are used: a bundle's name, or its folder (with a /).", metavar="NAME|DIR"
    ),
]
Version = Annotated[str, typer.Option(help="Of this edition of the bundle, such as 1.0.0.")]
Device = Annotated[
    str, typer.Option(help="Where to learn: auto, cpu, cuda or mps.", metavar="auto|cpu|cuda|mps")
]
Threads = Annotated[int, typer.Option(help="Processor threads.", min=1)]
Target = Annotated[str, typer.Option(help="Folder of the bundle (with a /).", metavar="DIR/")]


@dataclass(frozen=True, slots=True)
class Sounds:
    """What the CLAP learns from."""

    data: Data
    draws: Annotated[int, typer.Option(help="Renders of each procedural model.", min=1, max=100)] = 15
    cache: Annotated[
        Path | None,
        typer.Option(
            help="Folder of what was rendered and read, for other runs too; `sounds` beside the CLAP's run "
            "if not given.",
            metavar="DIR",
        ),
    ] = None
    bfloat16: Bfloat16 = False


@dataclass(frozen=True, slots=True)
class Run:
    """What the training of every network can be told."""

    out: Out
    steps: Steps = None
    seed: Seed = 0
    resume: Resume = False
    seconds_budget: Budget = None
    bundle: Bundle = "mini"
    device: Device = "auto"
    threads: Threads = 1


@command(train, "clap")
def train_clap_command(sounds: Sounds, run: Run) -> None:
    """Sounds and captions in one space: recordings of DATA and renders of the procedural models."""
    from ssv2a.soundbank.models import all_models
    from ssv2a.train.clap import SETTINGS, ClapSettings, train_clap
    from ssv2a.train.data import prepare, read_manifest

    begun = _begin(run, SETTINGS)
    recordings, sentences = read_manifest(sounds.data), _sentences(_parts(run), run.threads)
    cache = sounds.cache or run.out.parent / "sounds"
    with told() as on_sound:
        prepared = prepare(recordings, all_models().values(), cache, draws=sounds.draws, on_sound=on_sound)
    clap = ClapSettings(bfloat16=sounds.bfloat16)
    _tell(train_clap(prepared, sentences, run.out, *begun, clap=clap), run)


@command(train, "manifold")
def train_manifold_command(vectors: Vectors, run: Run) -> None:
    """What is seen and what is heard folded into one space, and back to CLAP (manifold and generator)."""
    from ssv2a.train.manifold import SETTINGS, train_manifold

    begun = _begin(run, SETTINGS)
    _tell(train_manifold(*_config_and_book(vectors, run), run.out, *begun), run)


@command(train, "remixer")
def train_remixer_command(
    vectors: Vectors,
    manifold: Annotated[Path, typer.Option(help="manifold.safetensors of a finished run.")],
    run: Run,
) -> None:
    """Several sources of a picture to the CLAP of their mixture."""
    from ssv2a.train.remixer import SETTINGS, train_remixer

    begun = _begin(run, SETTINGS)
    if not manifold.is_file():
        raise TrainingError(
            f"{manifold}: no such file; expected one of a finished run. Train the manifold first."
        )
    _tell(train_remixer(*_config_and_book(vectors, run), manifold, run.out, *begun), run)


@command(train, "aggregator")
def train_aggregator_command(vectors: Vectors, run: Run) -> None:
    """The CLAPs of a clip's frames to the CLAP of the clip."""
    from ssv2a.train.aggregator import SETTINGS, train_aggregator

    begun = _begin(run, SETTINGS)
    _tell(train_aggregator(*_config_and_book(vectors, run), run.out, *begun), run)


@command(train, "all")
def train_all_command(
    sounds: Sounds,
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
    bundle: Annotated[
        str | None,
        typer.Option(
            help="Folder of the bundle that is made or renewed (with a /); OUT/bundle if not given. Parts "
            "that it lacks and that are not trained come from mini.",
            metavar="DIR/",
        ),
    ] = None,
    device: Device = "auto",
    threads: Threads = 1,
) -> None:
    """All of it: the four networks, the banks by the new CLAP, and a bundle of them with its manifest."""
    target = (out / "bundle" if bundle is None else _folder(bundle)).resolve()
    sounds = replace(sounds, cache=sounds.cache or out / "sounds")
    runs = {
        name: Run(out / name, steps, seed, resume, bundle=f"{target}/", device=device, threads=threads)
        for name in NETWORKS
    }
    _check(sounds.data, runs, target)
    vectors, weights = out / "clap" / "clap_vectors.npz", out / "manifold" / "manifold.safetensors"
    stages: dict[str, Callable[[Run], None]] = {
        "clap": partial(train_clap_command, sounds),
        "manifold": partial(train_manifold_command, vectors),
        "remixer": partial(train_remixer_command, vectors, weights),
        "aggregator": partial(train_aggregator_command, vectors),
    }
    for name, stage in stages.items():
        if resume and _is_finished(out / name, steps or _settings(name).steps):
            typer.echo(f"{name}: finished before, in {out / name}")
        else:
            stage(runs[name])
    _install(out, target)
    logger.info("the banks, listened to by the new CLAP")
    bank_ship_command(sounds.data, target / "banks", target / "clap.safetensors", threads)
    assemble_command(version, f"{target}/")


def _check(data: Path, runs: Mapping[str, Run], target: Path) -> None:
    """Everything that can be wrong with `train all`, before anything takes time; lays out its bundle."""
    from ssv2a.bundle import find_bundle
    from ssv2a.config import Ssv2aConfig
    from ssv2a.heard import load_heard
    from ssv2a.soundbank.build import LICENCES
    from ssv2a.train.assemble import lay_out
    from ssv2a.train.data import read_manifest

    for name, run in runs.items():
        _begin(run, _settings(name))
    read_manifest(data)
    if not (data / LICENCES).is_file():
        raise TrainingError(
            f"{data / LICENCES}: no such file; expected the recordings' licence notes, which the banks take "
            "over. Write it, a section `## PACKAGE` for each source_package."
        )
    lay_out(target, find_bundle("mini"))
    Ssv2aConfig.from_file(target / CONFIG)
    load_heard(target / HEARD)
    _sentences(target, threads=1)


def assemble_command(
    version: Version,
    bundle: Target,
    runs: Annotated[
        Path | None, typer.Option(help="Folder of finished runs, whose networks come into the bundle first.")
    ] = None,
) -> None:
    """Write BUNDLE/bundle.json over the parts that lie in it, with their sizes and checksums."""
    from ssv2a.train.assemble import assemble, refuse_other

    folder = _folder(bundle)
    refuse_other(folder)
    if runs is not None:
        _install(runs, folder)
    typer.echo(f"{assemble(folder, version).id}: {folder}/")


def _folder(text: str) -> Path:
    """A bundle's folder that is written to; as everywhere, a text without a / would be a name."""
    if "/" not in text:
        raise typer.BadParameter(f"--bundle {text}: expected a folder, with a / in it. Write {text}/")
    return Path(text).expanduser()


def _settings(name: str) -> LoopSettings:
    """A network's own."""
    settings: LoopSettings = importlib.import_module(f"ssv2a.train.{name}").SETTINGS
    return settings


def _is_finished(run: Path, steps: int) -> bool:
    """Whether a run has done all its steps and written its results, of which the metrics are the last."""
    from ssv2a.train.results import METRICS

    metrics = run / METRICS
    return metrics.is_file() and json.loads(metrics.read_text(encoding="utf-8"))["step"] >= steps


def _install(runs: Path, bundle: Path) -> None:
    """Bring the networks of finished runs, and their figures, into a bundle's folder."""
    from ssv2a.config import Ssv2aConfig
    from ssv2a.files import write_whole
    from ssv2a.train.results import METRICS
    from ssv2a.weights import join_files, load_networks

    # 1. The three small networks in one file, which must fit the bundle's configuration.
    parts = ("manifold", "remixer", "aggregator")
    joined = runs / "ssv2a.safetensors"
    join_files([runs / part / f"{part}.safetensors" for part in parts], joined)
    load_networks(Ssv2aConfig.from_file(bundle / CONFIG), joined)

    # 2. Figures of all of them.
    figures = {part: json.loads((runs / part / METRICS).read_text(encoding="utf-8")) for part in parts}
    shown = {"manifold and generator": figures.pop("manifold"), **figures}
    (runs / "ssv2a_metrics.json").write_text(json.dumps(shown, indent=1) + "\n", encoding="utf-8")

    # 3. Into the bundle.
    for source, name in (
        (joined, joined.name),
        (runs / "ssv2a_metrics.json", "ssv2a_metrics.json"),
        (runs / "clap" / "clap.safetensors", "clap.safetensors"),
        (runs / "clap" / METRICS, "clap_metrics.json"),
    ):
        write_whole(bundle / name, source.read_bytes())


def _begin(run: Run, settings: LoopSettings) -> tuple[LoopSettings, RunOptions]:
    """What a network's training is told, checked against what the run's folder holds.

    Raises:
        TrainingError: the folder holds another run.
        ConfigurationError: there is no such device here.
    """
    import torch

    from ssv2a.chain import choose_device
    from ssv2a.train.loop import RunOptions, checkpoint_of

    torch.set_num_threads(run.threads)
    settings = replace(settings, steps=run.steps or settings.steps, seed=run.seed)
    checkpoint_of(run.out, settings, resume=run.resume)
    return settings, RunOptions(run.resume, run.seconds_budget, choose_device(run.device).type)


def _tell(outcome: Outcome, run: Run) -> None:
    state = "finished" if outcome.finished else "stopped, to be resumed,"
    typer.echo(f"{state} at step {outcome.step}: {run.out}")


def _parts(run: Run) -> Path:
    """Folder of the bundle whose other parts a run uses."""
    from ssv2a.bundle import find_bundle

    return find_bundle(run.bundle)


def _config_and_book(vectors: Path, run: Run) -> tuple[Ssv2aConfig, SourceBook]:
    """Sizes of the networks, and the sources they are trained on."""
    from ssv2a.config import Ssv2aConfig

    parts = _parts(run)
    return Ssv2aConfig.from_file(parts / CONFIG), _book(vectors, parts, run.threads)


def _sentences(bundle: Path, threads: int) -> MiniLm:
    from ssv2a.embed.minilm import MiniLm

    text = MiniLm(bundle / "minilm_l6_v2_int8.onnx", bundle / "minilm_tokenizer.json", threads)
    text.embed(["a sound"])  # for its faults
    return text


@cache  # `train all` uses it three times, and embedding thousands of captions takes a while
def _book(vectors: Path, bundle: Path, threads: int) -> SourceBook:
    """The sources to train on; the CLAP is the one that lies beside the vectors."""
    from ssv2a.embed.clap import MiniClap
    from ssv2a.heard import load_heard
    from ssv2a.train.sources import build_book
    from ssv2a.train.vectors import read_vectors

    embedded, weights = read_vectors(vectors), vectors.parent / "clap.safetensors"
    if not weights.is_file():
        raise TrainingError(
            f"{weights}: no such file; expected the CLAP that made {vectors.name}, beside it. Name the "
            "vectors in the folder of its run."
        )
    heard = load_heard(bundle / HEARD)
    logger.info("captions of {} sounds as vectors", len(embedded.ids))
    return build_book(embedded, _sentences(bundle, threads), MiniClap.load(weights), heard)
