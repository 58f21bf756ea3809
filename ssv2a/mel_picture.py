"""A sound's mel spectrogram as a grey picture."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from ssv2a.embed.clap import mel_power
from ssv2a.types import ByteArray, FloatArray

_FLOOR = 1e-12  # power below which nothing is heard: −120 dB
_SILENT_DB = -119.0  # where nothing is louder, all is black
_WIDTH, _HEIGHT = 240, 64  # pixels of a small picture


def mel_picture(waveform: FloatArray, range_db: float) -> ByteArray:
    """Mel bands [64, n] of a sound [channels, samples] at 48 kHz, the lowest first.

    255 is its loudest, 0 lies `range_db` below; silence is all 0.
    """
    level = 10 * np.log10(mel_power(waveform) + _FLOOR)
    if level.max() <= _SILENT_DB:
        return np.zeros(level.shape, np.uint8)
    return np.asarray(255 * np.clip((level - level.max()) / range_db + 1, 0, 1), np.uint8)


def small_png(shade: ByteArray) -> bytes:
    """Mel bands [64, n], the lowest first, as a small PNG: bands upwards, time to the right."""
    grey = Image.fromarray(shade[::-1]).resize((_WIDTH, _HEIGHT), Image.Resampling.BILINEAR)
    kept = io.BytesIO()
    grey.quantize(32).save(kept, "PNG", optimize=True)
    return kept.getvalue()
