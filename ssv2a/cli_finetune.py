"""`ssv2a train finetune`: remixer and aggregator tuned on a user's own clips."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ssv2a.cli_options import told
from ssv2a.cli_train import Budget, Device, Resume, Seed, Threads

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ssv2a.chain import Chain
    from ssv2a.footage.clips import View
    from ssv2a.footage.survey import Passed
    from ssv2a.train.finetune import Tuned
    from ssv2a.train.material import Rehearsal, Stretches
    from ssv2a.types import Split

FIGURES = "metrics.json"


def train_finetune_command(
    data: Annotated[Path, typer.Option(help="Folder of clips with their own sound.", metavar="DIR")],
    out: Annotated[
        Path, typer.Option(help="Folder of the runs, and of the new bundle in it.", metavar="DIR")
    ],
    bundle: Annotated[
        str,
        typer.Option(help="What is tuned: a bundle's name, or its folder (with a /).", metavar="NAME|DIR"),
    ] = "mini",
    name: Annotated[str | None, typer.Option(help="Of the new bundle; NAME-tuned if not given.")] = None,
    steps: Annotated[int | None, typer.Option(help="The most steps of each network.", min=1)] = None,
    seed: Seed = 0,
    resume: Resume = False,
    seconds_budget: Budget = None,
    device: Device = "auto",
    threads: Threads = 1,
) -> None:
    """Tune how sources are mixed (remixer, aggregator) on your own clips, and make a bundle of it.

    What is seen in every stretch of ten seconds is learned to sound as that stretch does. Clips that are held
    out judge: a network that comes no nearer to their sound stays as it was. Clips are not changed. Status 1
    where a file could not be read.
    """
    import torch

    from ssv2a.bundle import Bundle
    from ssv2a.chain import choose_device, load_chain
    from ssv2a.footage.verdicts import Verdict
    from ssv2a.train.assemble import assemble_tuned
    from ssv2a.train.finetune import SETTINGS, finetune
    from ssv2a.train.loop import RunOptions
    from ssv2a.train.material import collect

    # 1. What is seen and heard in the clips.
    options = RunOptions(resume, seconds_budget, choose_device(device).type)
    parent, out = Bundle.open(bundle), out.resolve()
    chain = load_chain(bundle, device="cpu", threads=threads, low_memory=True)
    torch.set_num_threads(threads)
    passed: list[Passed] = []
    sides = collect(_views(chain, parent.frames, data.resolve(), out, seed, passed), seed)
    learned_from = _learned_from(sides)
    typer.echo(learned_from)

    # 2. The networks.
    networks = chain.networks.get()
    settings = replace(SETTINGS, steps=steps or SETTINGS.steps, seed=seed)
    tuned = finetune(networks, sides, _rehearsal(chain), out, settings, options)
    lines = [_line(one) for one in tuned]
    typer.echo("\n".join(lines))

    # 3. The bundle.
    figures = {one.name: {"before": one.before, "after": one.after} for one in tuned}
    (out / FIGURES).write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    if not all(one.outcome.finished for one in tuned):
        typer.echo(f"stopped, to be resumed: {out}")
    elif not any(one.is_better for one in tuned):
        typer.echo(f"Nothing came nearer to the sound of the held-out clips: no new bundle; use {parent.id}.")
    else:
        origin = f"tuned from {parent.id}: {learned_from} {' '.join(lines)}"
        made = assemble_tuned(parent, networks, out / "bundle", name or f"{parent.name}-tuned", origin)
        typer.echo(f"{made.id}: {made.folder}")
    raise typer.Exit(int(any(one.verdict is Verdict.UNREADABLE for one in passed)))


def _views(
    chain: Chain, frames: int, data: Path, out: Path, seed: int, passed: list[Passed]
) -> Iterator[tuple[Split, View]]:
    """Every stretch that is not silent, with its side of the split; files without any go to `passed`."""
    from ssv2a.footage.clips import Clip, Shelf
    from ssv2a.footage.files import split_files
    from ssv2a.footage.observer import Observer, Watching
    from ssv2a.footage.survey import list_clips, survey

    observer = Observer(chain, frames, Watching())
    folder = list_clips(data, leave_out=out)
    splits = split_files(folder.clips, seed)
    passed += folder.passed
    with told(every=10) as on_file:
        for seen, _ in survey(folder, observer, Shelf(out / "observed", observer.mark), on_file):
            if isinstance(seen, Clip):
                found = (segment.view for segment in seen.segments)
                yield from ((splits[seen.digest], view) for view in found if view is not None)
            else:
                passed.append(seen)
    for one in passed:
        typer.echo(f"passed over {one.file}: {one.verdict.value}", err=True)


def _learned_from(sides: Mapping[Split, Stretches]) -> str:
    learned, held_out = sides["train"], sides["val"]
    return (
        f"{len(learned)} stretches to learn from ({len(learned.frames)} frames with sources), "
        f"{len(held_out)} held out ({len(held_out.frames)} frames)."
    )


def _line(tuned: Tuned) -> str:
    after = (
        f"{tuned.after:.3f} after {tuned.outcome.best_step} steps (of rehearsals {tuned.rehearsed:.3f})"
        if tuned.is_better
        else "no better after: the old one stays"
    )
    return f"{tuned.name}: cosine to the sound of held-out clips {tuned.before:.3f} before, {after}."


def _rehearsal(chain: Chain) -> Rehearsal:
    """The vocabulary's captions as the bundle's own texts and networks take them."""
    import torch

    from ssv2a.soundbank.vocabulary import vocabulary
    from ssv2a.train.material import Rehearsal

    clips = chain.texts.get().embed([row.captions[0] for row in vocabulary().values()], seed=0)
    with torch.inference_mode():
        claps = chain.networks.get().source_claps(
            torch.from_numpy(clips), generator=torch.Generator().manual_seed(0)
        )
    return Rehearsal(clips, claps.float().numpy())
