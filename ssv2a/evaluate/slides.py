"""Slide shows: clips that ffmpeg makes of pictures, each shown for so long."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from ssv2a.evaluate.material import pairs, side_by_side
from ssv2a.media import ffmpeg

SECONDS = 10  # of a panning clip, and of every take of the bars
_SCENES = 3  # of the clip
_RATE = 30  # frames a second, a whole number a scene
_PAN = "scale=-2:1200,crop=1920:1080:x='(iw-ow)*t/{seconds}',setsar=1"  # from the left edge to the right one


def write_slides(
    path: Path, slides: Sequence[tuple[Image.Image, Fraction]], rate: int, each: str = "null"
) -> None:
    """Write an H.264 clip, one picture after the other.

    Args:
        path: of the clip.
        slides: picture and seconds.
        rate: frames a second.
        each: ffmpeg's filter of every slide.

    Raises:
        FfmpegMissing, FfmpegFailed, FfmpegTimeout: the clip cannot be written.
    """
    with TemporaryDirectory() as folder:
        sources: list[str] = []
        for number, (image, seconds) in enumerate(slides):
            still = Path(folder) / f"{number}.png"
            image.save(still, compress_level=1)
            shown = ["-loop", "1", "-framerate", str(rate), "-t", str(float(seconds))]
            sources += [*shown, "-i", ffmpeg.url(still)]
        filtered = "".join(f"[{number}:v]{each}[s{number}];" for number in range(len(slides)))
        inputs = "".join(f"[s{number}]" for number in range(len(slides)))
        joined = ["-filter_complex", f"{filtered}{inputs}concat=n={len(slides)}", "-c:v", "libx264"]
        coded = ["-crf", "20", "-pix_fmt", "yuv420p"]
        ffmpeg.run(["-y", *sources, *joined, *coded, ffmpeg.url(path)], timeout=120)


def write_panning_clip(path: Path) -> None:
    """Write ten seconds in 1920×1080: a camera pans over photographs of two things each, three shots.

    Raises:
        FfmpegMissing, FfmpegFailed, FfmpegTimeout: the clip cannot be written.
    """
    shown = [pair for pair in pairs() if all(thing.is_picture for thing in pair)][:_SCENES]
    pictures = [side_by_side(left.picture(), right.picture()) for left, right in shown]
    seconds = Fraction(SECONDS, _SCENES)
    slides = [(Image.fromarray(picture), seconds) for picture in pictures]
    write_slides(path, slides, _RATE, _PAN.format(seconds=float(seconds)))
