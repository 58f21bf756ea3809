"""`ssv2a evaluate`: a folder of generated sounds against a folder of references."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from ssv2a.evaluate.evaluation import Evaluation, Evaluator, SourceFiles, Windows
    from ssv2a.pipeline import Ssv2a
    from ssv2a.types import FloatArray

PAGE, FIGURES = "evaluation.html", "evaluation.json"
_MOST_LABELS = 50  # that are asked of a tagger


def evaluate(
    generated: Annotated[
        Path, typer.Option(help="Folder of generated sounds or clips: dog.wav, or dog.s0.wav, dog.s1.wav.")
    ],
    reference: Annotated[
        Path, typer.Option(help="Folder of what they should sound like, called the same: dog.flac.")
    ],
    out: Annotated[Path, typer.Option(help=f"Folder for {PAGE} and {FIGURES}.", metavar="DIR")] = Path(
        "evaluation"
    ),
    bundle: Annotated[
        str,
        typer.Option(
            help="Whose CLAP listens: mini's, or the released one (laion_clap).", metavar="NAME|DIR"
        ),
    ] = "mini",
    embedding: Annotated[
        Literal["clap", "vggish"], typer.Option(help="Of the Fréchet audio distance.", metavar="clap|vggish")
    ] = "clap",
    vggish: Annotated[
        Path | None, typer.Option(help="Weights of VGGish (vggish-10086976.pth), for --embedding vggish.")
    ] = None,
    tagger: Annotated[
        Path | None,
        typer.Option(
            help="For SSMS: an ONNX file of YAMNet's layout, its class map beside it.", metavar="FILE"
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="For SSMS: another tagger's labels, a CSV with file, label, score.", metavar="FILE"
        ),
    ] = None,
    accepted: Annotated[
        Path | None,
        typer.Option(
            help="What counts as heard: a CSV with name, accepted (labels with | between).", metavar="FILE"
        ),
    ] = None,
    captions: Annotated[
        Path | None,
        typer.Option(help="For the caption score: a CSV with name, caption (mini's CLAP).", metavar="FILE"),
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(help="For CS: folder of pictures or clips, called the same: dog.jpg.", metavar="DIR"),
    ] = None,
    wav2clip: Annotated[
        Path | None, typer.Option(help="For CS: Wav2CLIP.pt, as its authors publish it.", metavar="FILE")
    ] = None,
    clip: Annotated[
        Path | None,
        typer.Option(help="For CS: CLIP ViT-B/32, OpenAI's weights as open_clip has them.", metavar="FILE"),
    ] = None,
    top: Annotated[
        int, typer.Option(help="Labels of each sound that SSMS compares.", min=1, max=_MOST_LABELS)
    ] = 10,
    top_generated: Annotated[
        int | None,
        typer.Option(
            help="Of generated sounds, if another number (the released code: 50).", min=1, max=_MOST_LABELS
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the subsets of the extrapolated distance.", min=0)] = 0,
) -> None:
    """Compare generated sounds with references: FAD, CLAP score, SSMS, CS, what is heard, variety.

    Writes a page with players and spectrograms, and the figures as JSON. Ends with status 1 where a file
    could not be read; the others are measured.
    """
    if tagger is not None and labels is not None:
        raise typer.BadParameter("either --tagger or --labels", param_hint="--labels")
    if (embedding == "vggish") != (vggish is not None):
        raise typer.BadParameter(
            "--embedding vggish and --vggish FILE belong together", param_hint="--vggish"
        )
    given = [one is not None for one in (pictures, wav2clip, clip)]
    if any(given) and not all(given):
        raise typer.BadParameter("--pictures, --wav2clip and --clip belong together", param_hint="--pictures")
    from ssv2a.evaluate.evaluation import Evaluator, Settings, match_files, read_accepted, read_captions
    from ssv2a.evaluate.report import summary, write_json, write_page
    from ssv2a.pipeline import Ssv2a
    from ssv2a.sounds import read_sound

    sources = match_files(generated, reference)
    model = Ssv2a.load(bundle, device="cpu")
    settings = Settings(top=top, top_generated=top_generated, seed=seed)
    windows, name = _windows(model, vggish)
    asked = _labels(tagger, labels)
    known = read_accepted(accepted) if accepted else {}
    pictured = None
    if pictures is not None and wav2clip is not None and clip is not None:
        from ssv2a.evaluate.wav2clip import load_picture_score

        pictured = load_picture_score(wav2clip, clip, pictures)
    worded = _caption_vectors(bundle, read_captions(captions)) if captions else {}
    evaluator = Evaluator(model.listen, windows, name, asked, known, settings, pictured, worded)
    evaluation = _measured(evaluator, sources)
    out.mkdir(parents=True, exist_ok=True)
    write_json(evaluation, out / FIGURES)
    write_page(evaluation, out / PAGE, read_sound)
    _print(summary(evaluation), evaluation, out / PAGE)
    raise typer.Exit(int(bool(evaluation.unread)))


def _caption_vectors(bundle: str, captions: dict[str, str]) -> dict[str, FloatArray]:
    """What the captions mean to the bundle's CLAP."""
    from ssv2a.chain import load_chain
    from ssv2a.embed.clap import MiniClap
    from ssv2a.errors import EvaluationError

    chain = load_chain(bundle, device="cpu", low_memory=True)
    clap = chain.clap.get()
    if not isinstance(clap, MiniClap):
        raise EvaluationError("captions are compared by mini's CLAP: leave --captions out, or use mini.")
    vectors = clap.text(chain.texts.get().embed(list(captions.values()), seed=0))
    return dict(zip(captions, vectors, strict=True))


def _windows(model: Ssv2a, vggish: Path | None) -> tuple[Windows, str]:
    """What gives the vectors of the distance, and its name."""
    if vggish is not None:
        from ssv2a.evaluate.vggish import Vggish

        return Vggish(vggish).vectors, "VGGish"
    from ssv2a.evaluate.evaluation import five_seconds

    return five_seconds(model.listen), f"CLAP of {model.bundle_id}"


def _labels(tagger: Path | None, labels: Path | None) -> Callable[[Path, FloatArray], tuple[str, ...]] | None:
    """Who gives the labels, if anybody does."""
    from ssv2a.evaluate.evaluation import listed, read_labels, tagged

    if labels is not None:
        return listed(read_labels(labels))
    if tagger is None:
        return None
    from ssv2a.evaluate.tagger import YamNet

    return tagged(YamNet.load(tagger), _MOST_LABELS)


def _measured(evaluator: Evaluator, sources: tuple[SourceFiles, ...]) -> Evaluation:
    """Every source, with a bar on a terminal and a line each otherwise."""
    from loguru import logger
    from rich.console import Console
    from rich.progress import track

    if sys.stderr.isatty():
        for source in track(sources, "Listening", console=Console(stderr=True)):
            evaluator.add(source)
    else:
        for number, source in enumerate(sources, 1):
            evaluator.add(source)
            logger.info("{} of {}: {}", number, len(sources), source.name)
    return evaluator.result()


def _print(rows: list[tuple[str, str, str]], evaluation: Evaluation, page: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("figure", "value", "")
    for row in rows:
        table.add_row(*row)
    console = Console(file=sys.stdout, markup=False, emoji=False)  # names of files may hold [ ] and : :
    console.print(table)
    alone = [source.name for source in evaluation.sources if not (source.takes and source.reference)]
    if alone:
        console.print(f"Without a partner: {', '.join(alone)}", highlight=False)
    for why in evaluation.unread.values():
        console.print(f"Not read: {why}", highlight=False)
    console.print(f"Page: {page}", highlight=False)
