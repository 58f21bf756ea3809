"""Clips of known truth for the tests of training data: photographs with sounds of the shipped bank."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

from ssv2a.bundle import Bundle
from ssv2a.evaluate.material import PICTURES
from ssv2a.media import ffmpeg
from ssv2a.soundbank.bank import Bank
from ssv2a.soundbank.player import play_alone
from ssv2a.types import SAMPLE_RATE, FloatArray

_WIDTH, _HEIGHT = 480, 320


@cache
def _bank() -> Bank:
    return Bank.open(Bundle.open("mini").path("synthesis", "default"))


def sound(key: str, seconds: float, seed: int = 0) -> FloatArray:
    """[2, n] of a kind of sound, by its first procedural model."""
    entry = next(entry for entry in _bank().entries if entry.sound == key and entry.model)
    return play_alone(_bank(), entry, round(seconds * SAMPLE_RATE), seed)


def photograph(*names: str) -> Image.Image:
    """One photograph, or two side by side, on grey."""
    canvas = Image.new("RGB", (_WIDTH, _HEIGHT), (150, 150, 146))
    width = _WIDTH // len(names)
    for place, name in enumerate(names):
        with Image.open(PICTURES / f"{name}.jpg") as image:
            image.thumbnail((width, _HEIGHT))
            canvas.paste(image, (place * width + (width - image.width) // 2, (_HEIGHT - image.height) // 2))
    return canvas


def clip(
    path: Path, picture: Image.Image, waveform: FloatArray | None, seconds: float, *, pans: bool = False
) -> Path:
    """An MP4 that shows a picture, still or gliding past, with a sound or with no audio track."""
    path.parent.mkdir(parents=True, exist_ok=True)
    still = path.with_suffix(".png")
    picture.save(still)
    args = ["-y", "-loop", "1", "-framerate", "8", "-i", str(still)]
    wav = path.with_suffix(".wav")
    if waveform is not None:
        soundfile.write(wav, np.clip(waveform, -1, 1).T, SAMPLE_RATE, "PCM_16")
        args += ["-i", str(wav), "-c:a", "aac", "-b:a", "160k"]
    if pans:
        args += ["-vf", f"scale=iw*5/4:-2,crop=iw*4/5:ih*4/5:(iw-ow)*t/{seconds}:(ih-oh)/2"]
    codec = ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "22", "-pix_fmt", "yuv420p"]
    ffmpeg.run([*args, *codec, "-t", str(seconds), ffmpeg.url(path)], timeout=120)
    still.unlink()
    wav.unlink(missing_ok=True)
    return path
