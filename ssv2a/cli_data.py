"""`ssv2a data …`: training data out of a user's own clips."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Annotated

import typer

from ssv2a.cli_bank import BundleName
from ssv2a.cli_options import told

data = typer.Typer(no_args_is_help=True, help="Make training data out of clips with their own sound.")


@data.command("build")
def data_build_command(
    clips: Annotated[Path, typer.Argument(help="Folder of clips, with all its folders.", metavar="DIR")],
    out: Annotated[Path, typer.Option(help="Folder of the data set; made if missing.", metavar="DIR")],
    bundle: BundleName = "mini",
    seconds: Annotated[float, typer.Option(help="Length of a stretch.", min=2, max=60)] = 10.0,
    nearest: Annotated[
        int,
        typer.Option(
            help="The sound agrees if fewer other kinds than this lie nearer to it than what is seen.", min=1
        ),
    ] = 6,
    tagger: Annotated[
        Path | None,
        typer.Option(
            help="Asked instead of CLAP whether the sound agrees: an ONNX file of YAMNet's layout, its class "
            "map beside it.",
            metavar="FILE",
        ),
    ] = None,
    mute: Annotated[
        str, typer.Option(help="Labels or names that count as silent, separated by commas.", metavar="NAME,…")
    ] = "",
    licence: Annotated[str, typer.Option(help="Of the footage, for the manifest.")] = "not stated",
    author: Annotated[str, typer.Option(help="Of the footage, for the manifest.")] = "not stated",
    seed: Annotated[int, typer.Option(help="Of what is held out.", min=0)] = 0,
    threads: Annotated[int, typer.Option(help="Processor threads; 0: one per core.", min=0)] = 0,
) -> None:
    """Keep the stretches of clips in which exactly one kind of source is seen, and heard.

    Writes manifest.csv with sounds and frames, as `ssv2a train` reads it, and says in report.html and
    report.csv what was kept and why. Clips are not changed. A build that was stopped goes on where it was.
    Status 1 where a file could not be read.
    """
    import torch

    from ssv2a.bundle import Bundle
    from ssv2a.chain import load_chain
    from ssv2a.footage.clips import Shelf
    from ssv2a.footage.dataset import OBSERVED, Plan, build_dataset
    from ssv2a.footage.kinds import load_kinds
    from ssv2a.footage.observer import Observer, Watching
    from ssv2a.footage.report import PAGE, summary, write_page
    from ssv2a.footage.verdicts import Verdict

    # 1. Eyes and ears.
    chain = load_chain(bundle, threads=threads, low_memory=True)
    ears = None
    if tagger is not None:
        from ssv2a.evaluate.tagger import YamNet

        ears = YamNet.load(tagger)
    muted = frozenset(name.strip() for name in mute.split(",") if name.strip())
    watching = Watching(Fraction(seconds).limit_denominator(1000), muted, seed)
    observer = Observer(chain, Bundle.open(bundle).frames, watching, ears)

    # 2. Every clip.
    out = out.resolve()
    plan = Plan(clips.resolve(), out, nearest, licence, author, seed)
    torch.set_num_threads(chain.threads)
    with told(every=10) as on_file:
        dataset = build_dataset(plan, observer, load_kinds(chain), on_file)

    # 3. Told.
    write_page(dataset, Shelf(out / OBSERVED, observer.mark), out / PAGE)
    for verdict, count in dataset.counts.most_common():
        typer.echo(f"{count:6d}  {verdict.value}")
    typer.echo(f"{dataset.observed} files looked at, {dataset.known} known before. {summary(dataset)}")
    typer.echo(f"Page: {out / PAGE}")
    raise typer.Exit(int(dataset.counts[Verdict.UNREADABLE] > 0))
