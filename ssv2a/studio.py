"""`Studio`: a bundle and the options of one call. Files go in, takes come out and are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ssv2a.bundle import Bundle
from ssv2a.cli_results import Facts, write_take
from ssv2a.errors import FfmpegFailed, InputError
from ssv2a.explain import explain as draw_explanation
from ssv2a.images import read_image
from ssv2a.media.frames import FrameReader
from ssv2a.media.timeline import Timeline, even_times, picture_timeline
from ssv2a.pipeline import Ssv2a
from ssv2a.types import SAMPLE_RATE, ByteArray, Composition, Frames, Take

if TYPE_CHECKING:
    from ssv2a.cli_batch import Batch
    from ssv2a.cli_sound import SoundOptions

SECONDS = Fraction(10)  # by default: what the networks were trained on
_REST = Fraction(1, 10)  # seconds of a clip that nobody misses
COMPOSITION = "composition"
_REPORTED = ("var_samples", "cycle_its", "cycle_samples", "candidates", "min_confidence", "synthesis")


class Studio:
    """Every input is drawn with the same seed: its sound depends on none of the others.

    Args:
        options: of the call.
        batch: is told what is begun, done and failed.

    Raises:
        BundleError: the bundle or the bank is missing or not whole.
        WeightsError: a checkpoint does not fit its network.
        ConfigurationError: a setting of the synthesiser, or the device, means nothing.
    """

    def __init__(self, options: SoundOptions, batch: Batch) -> None:
        self._options = options
        self._batch = batch
        self._settings = options.settings
        self._bundle = Bundle.open(options.bundle)
        self._model = Ssv2a.load(
            options.bundle, bank=options.bank, device=options.device, low_memory=options.low_memory
        )
        self._model.check(self._settings.synthesis)
        self._model.on_step = batch.step

    def images(self, names: Mapping[Path, str], together: int, *, explain: bool) -> None:
        """A take for each picture.

        Args:
            names: of the results, by picture.
            together: pictures that are computed at once.
            explain: draw a picture beside each that says what is seen and heard.
        """
        paths = iter(names)
        while group := list(islice(paths, together)):
            pictures: dict[Path, ByteArray] = {}
            for path in group:
                self._batch.begin(path)
                with self._batch.tried(path):
                    pictures[path] = read_image(path)
            with self._batch.tried(", ".join(map(str, pictures))):
                takes = self._image_takes(pictures) if pictures else []
                for path, take in zip(pictures, takes, strict=True):
                    with self._batch.tried(path):
                        frames = Frames(pictures[path][None], (Fraction(0),))
                        drawn = draw_explanation(path.name, frames, take) if explain else None
                        self._write(self._options.out, names[path], take, [{"image": str(path)}], drawn)

    def clips(self, names: Mapping[Path, str], *, explain: bool) -> None:
        """A take for each clip; `names`: of the results; `explain`: as for images."""
        for path, name in names.items():
            self._batch.begin(path)
            with self._batch.tried(path):
                seen, take = self._clip_take(path, explain=explain)
                drawn = draw_explanation(path.name, seen, take) if seen is not None else None
                self._write(self._options.out, name, take, [{"video": str(path)}], drawn)

    def composition(self, parts: Composition, inputs: Sequence[Mapping[str, str]]) -> None:
        """One take of all parts; `inputs`: how they are called in the report."""
        self._batch.begin(COMPOSITION)
        out, name = self._options.out, COMPOSITION
        if out.suffix.lower() == ".wav" and not out.is_dir():
            out, name = out.parent, out.stem
        with self._batch.tried(COMPOSITION):
            take = self._model.compose(
                parts,
                self._samples(SECONDS),
                seed=self._options.seed,
                settings=self._settings,
                stems=self._options.tracks,
            )
            self._write(out, name, take, inputs)

    def _image_takes(self, pictures: Mapping[Path, ByteArray]) -> list[Take]:
        return self._model.image(
            list(pictures.values()),
            self._samples(SECONDS),
            seeds=[self._options.seed] * len(pictures),
            settings=self._settings,
            stems=self._options.tracks,
        )

    def _clip_take(self, path: Path, *, explain: bool) -> tuple[Frames | None, Take]:
        """The frames that were looked at, if they are to be explained, and the take."""
        timeline = _timeline(path)
        n_samples = self._samples(min(timeline.duration, SECONDS))
        count = self._options.frames or self._bundle.frames
        times = even_times(timeline, Fraction(n_samples, SAMPLE_RATE), count)
        size = self._model.frame_size
        with FrameReader(path, timeline, size=size) as reader:
            frames = [reader.read(times)]
        kept = frames[0] if explain else None  # else nobody holds them but `video`, which lets them go
        take, _ = self._model.video(
            frames.pop(),
            n_samples,
            seed=self._options.seed,
            settings=self._settings,
            stems=self._options.tracks,
        )
        if self._options.duration is None and timeline.duration > SECONDS + _REST:
            short = (
                f"the first {float(SECONDS):g} s of the clip's {float(timeline.duration):.1f} s are heard; "
                "--duration takes up to 60 s, `foley process` all of it."
            )
            take = replace(take, warnings=(*take.warnings, short))
        return kept, take

    def _samples(self, seconds: Fraction) -> int:
        """Length of a result: what the options say, else `seconds`."""
        own = self._options.duration
        return max(1, round((seconds if own is None else Fraction(own)) * SAMPLE_RATE))

    def _write(
        self,
        out: Path,
        name: str,
        take: Take,
        inputs: Sequence[Mapping[str, str]],
        picture: bytes | None = None,
    ) -> None:
        options = self._options
        facts = Facts(
            inputs=inputs,
            seed=options.seed,
            settings={
                **{name: getattr(self._settings, name) for name in _REPORTED},
                "frames": len(take.scene.times),
            },
            models={
                "bundle": self._model.bundle_id,
                "bank": options.bank,
                "licences": self._licences(),
            },
        )
        wav = write_take(out, name, take, facts, overwrite=options.overwrite, picture=picture)
        self._batch.done(wav, take)

    def _licences(self) -> list[str]:
        """Of the models; what is heard of a bank is credited by itself."""
        banks: tuple[str, ...] = ()
        if self._bundle.implementation("synthesis") == "soundbank":
            banks = tuple(self._bundle.roles["synthesis"].files.values())
        files = self._bundle.files.items()
        return sorted({file.licence for path, file in files if not path.startswith(banks)})


def _timeline(path: Path) -> Timeline:
    """Of a clip's picture.

    Raises:
        InputError: ffprobe does not read the clip.
        MediaError: it has no picture.
    """
    try:
        return picture_timeline(path)
    except FfmpegFailed as error:
        raise InputError(
            f"{path}: the clip cannot be read: {error} A video file that ffmpeg reads was expected. "
            "Does it play? Copy or export it again."
        ) from error
