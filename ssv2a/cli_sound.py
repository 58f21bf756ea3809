"""`ssv2a image|video|compose`: pictures, clips, or sources given by hand; one WAV comes out for each.

Every input is drawn with the seed that is given, so that its sound does not depend on what else is in the
call, nor on the order.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ssv2a.cli_batch import Batch
from ssv2a.cli_files import IMAGES, VIDEOS, distinct, files_in, result_names
from ssv2a.errors import InputError
from ssv2a.types import MAX_SLOTS, ByteArray, Composition, FloatArray, VideoSettings

if TYPE_CHECKING:
    from ssv2a.studio import Studio


@dataclass(frozen=True, slots=True)
class SoundOptions:
    """What every one of the commands can be told."""

    out: Annotated[
        Path,
        typer.Option(
            help="Folder of the results; for one composition also a name that ends in .wav.", metavar="DIR"
        ),
    ] = Path("foley")
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace results of the same name; else they get a number.")
    ] = False
    tracks: Annotated[
        bool, typer.Option("--tracks", help="One WAV for each source as well, in NAME.tracks.")
    ] = False
    duration: Annotated[
        float | None,
        typer.Option(
            help="Length of the sound. By default 10 s; of a clip its own, at most its first 10 s "
            "(`foley process` does longer ones).",
            metavar="SECONDS",
            min=0.1,
            max=60,
        ),
    ] = None
    seed: Annotated[
        int,
        typer.Option(help="Of each input; another seed is another take.", metavar="N", min=0, max=2**32 - 1),
    ] = 42
    bundle: Annotated[
        str, typer.Option(help="The models: a bundle's name, or its folder (with a /).", metavar="NAME|DIR")
    ] = "mini"
    bank: Annotated[
        str,
        typer.Option(
            help="The sound bank: default, community, or a bank's folder (with a /).", metavar="NAME|DIR"
        ),
    ] = "default"
    device: Annotated[
        Literal["auto", "cpu", "cuda", "mps"],
        typer.Option(help="Where the networks run.", metavar="auto|cpu|cuda|mps"),
    ] = "auto"
    low_memory: Annotated[
        bool, typer.Option("--low-memory", help="Give each model back as soon as its stage is over.")
    ] = False
    batch: Annotated[
        int,
        typer.Option(
            help="Pictures done together; more take more memory. Clips are done one by one.",
            metavar="N",
            min=1,
            max=64,
        ),
    ] = 4
    frames: Annotated[
        int | None,
        typer.Option(
            help="Frames of a clip that are looked at, evenly over it. By default the bundle's: 16 for "
            "mini, 64 for the released networks.",
            metavar="N",
            min=1,
            max=256,
        ),
    ] = None
    min_confidence: Annotated[
        float | None,
        typer.Option(
            help="Detections below this are not looked at. By default the bundle's.",
            metavar="0..1",
            min=0,
            max=1,
        ),
    ] = None
    var_samples: Annotated[
        int,
        typer.Option(help="Samples drawn from the manifold for each source.", metavar="N", min=1, max=1024),
    ] = 64
    cycle_its: Annotated[
        int, typer.Option(help="Rounds of Cycle Mix after the first.", metavar="N", min=0, max=1024)
    ] = 64
    cycle_samples: Annotated[
        int, typer.Option(help="Mixtures tried in each round.", metavar="N", min=1, max=1024)
    ] = 64
    candidates: Annotated[
        int,
        typer.Option(
            help="Renderings made of each; the one nearest to what is seen is kept.",
            metavar="N",
            min=1,
            max=16,
        ),
    ] = 3
    synthesis: Annotated[
        list[str] | None,
        typer.Option(help="A setting of the bundle's synthesiser; can be repeated.", metavar="KEY=VALUE"),
    ] = None

    @property
    def settings(self) -> VideoSettings:
        """For the model.

        Raises:
            typer.BadParameter: a setting of the synthesiser is not written KEY=VALUE.
        """
        return VideoSettings(
            var_samples=self.var_samples,
            cycle_its=self.cycle_its,
            cycle_samples=self.cycle_samples,
            candidates=self.candidates,
            min_confidence=self.min_confidence,
            synthesis=dict(_setting(text) for text in self.synthesis or ()),
        )


def _setting(text: str) -> tuple[str, Any]:
    """KEY=VALUE; numbers, true and false are what they are, all else is a text."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise typer.BadParameter(f"expected KEY=VALUE, got {text!r}", param_hint="--synthesis")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


Pictures = Annotated[
    list[Path],
    typer.Argument(help="Pictures, or folders of pictures (not those within them).", metavar="FILE|DIR…"),
]
Clips = Annotated[
    list[Path],
    typer.Argument(help="Clips, or folders of clips (not those within them).", metavar="FILE|DIR…"),
]


Explain = Annotated[
    bool,
    typer.Option(
        "--explain",
        help="Draw NAME.explain.png: what is seen and why it is called so, what plays, the spectrogram.",
    ),
]


def image(pictures: Pictures, options: SoundOptions, *, explain: Explain = False) -> None:
    """Give each picture a sound of its own.

    PNG, JPEG, WebP, TIFF, GIF and BMP, told by content.

    A result is called after its picture, dog.wav; of two that would share that, dog.png.wav, dog.jpg.wav.
    """
    with Batch() as batch:
        names = _names(pictures, IMAGES, batch)
        if names:
            _studio(options, batch, len(names)).images(names, options.batch, explain=explain)
    raise typer.Exit(batch.exit_code)


def video(clips: Clips, options: SoundOptions, *, explain: Explain = False) -> None:
    """Give each clip a sound, as a WAV of its own; `foley process` puts it into the clip, of any length.

    A result is called after its clip, dog.wav; of two that would share that, dog.mp4.wav and dog.mov.wav.
    """
    with Batch() as batch:
        names = _names(clips, VIDEOS, batch)
        if names:
            _studio(options, batch, len(names)).clips(names, explain=explain)
    raise typer.Exit(batch.exit_code)


def compose(
    images: Annotated[
        list[Path] | None,
        typer.Option("--image", help="A picture as a source; can be repeated.", metavar="FILE"),
    ] = None,
    texts: Annotated[
        list[str] | None, typer.Option("--text", help="Words as a source; can be repeated.", metavar="WORDS")
    ] = None,
    sounds: Annotated[
        list[Path] | None,
        typer.Option("--audio", help="A sound as a source; can be repeated.", metavar="FILE"),
    ] = None,
    *,
    options: SoundOptions,
) -> None:
    """Give pictures, words and sounds one sound together: up to 63 sources, equal ones count each.

    Sounds are everything that ffmpeg reads, at most 10 minutes, mixed down.

    The result is composition.wav in the folder, or what --out says.
    """
    images, texts, sounds = images or [], texts or [], sounds or []
    count = len(images) + len(texts) + len(sounds)
    if not 0 < count < MAX_SLOTS:
        raise typer.BadParameter(
            f"expected 1 to {MAX_SLOTS - 1} sources, got {count}", param_hint="--image, --text, --audio"
        )
    inputs = [
        *({"image": str(path)} for path in images),
        *({"text": text} for text in texts),
        *({"audio": str(path)} for path in sounds),
    ]
    with Batch() as batch:
        parts = _read_parts(images, texts, sounds, batch)
        if not batch.failed:
            _studio(options, batch, 1).composition(parts, inputs)
    raise typer.Exit(batch.exit_code)


def _studio(options: SoundOptions, batch: Batch, total: int) -> Studio:
    """The models, loaded for so many inputs."""
    batch.load(total)
    from ssv2a.studio import Studio

    return Studio(options, batch)


def _names(given: Sequence[Path], suffixes: Collection[str], batch: Batch) -> Mapping[Path, str]:
    """The files that are meant, each with the name of its result."""
    found: list[Path] = []
    for path in given:
        with batch.tried(path):
            found += files_in(path, suffixes)
    paths = distinct(found)
    return dict(zip(paths, result_names(paths), strict=True))


def _read_parts(
    images: Sequence[Path], texts: Sequence[str], sounds: Sequence[Path], batch: Batch
) -> Composition:
    """The sources of a composition; of several faults each is told."""
    from ssv2a.images import read_image
    from ssv2a.sounds import read_sound

    pictures: list[ByteArray] = []
    words: list[str] = []
    waveforms: list[FloatArray] = []
    names: list[str] = []
    for path in images:
        with batch.tried(path):
            pictures.append(read_image(path))
            names.append(path.stem)
    for text in texts:
        with batch.tried("--text"):
            if not text.strip():
                raise InputError("a text is empty; expected words that name a sound")
            words.append(text.strip())
            names.append(text.strip())
    for path in sounds:
        with batch.tried(path):
            waveforms.append(read_sound(path))
            names.append(path.stem)
    return Composition(tuple(pictures), tuple(words), tuple(waveforms), tuple(names))
