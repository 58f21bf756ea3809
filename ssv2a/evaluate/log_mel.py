"""The log mel spectrogram of AudioSet's networks VGGish and YAMNet (Hershey et al. 2017).

16 kHz, one channel; frames of 25 ms every 10 ms, periodic Hann window, magnitudes of a 512-point DFT, 64
bands between 125 and 7500 Hz whose triangles are straight in mel (HTK's: 1127 ln(1 + f/700)).
"""

from __future__ import annotations

from functools import cache

import numpy as np
import soxr
from numpy.typing import NDArray

from ssv2a.errors import EvaluationError
from ssv2a.types import SAMPLE_RATE, FloatArray

RATE = 16_000  # Hz
BANDS = 64
PATCH_FRAMES = 96  # of one patch: 0.96 s

_WINDOW, _HOP, _POINTS = 400, 160, 512  # samples
_LOWEST, _HIGHEST = 125.0, 7500.0  # Hz


def mono(waveform: FloatArray, rate: int = RATE) -> FloatArray:
    """A sound [channels, n] at 48 kHz as one channel [m] at `rate` Hz, its channels averaged.

    Raises:
        EvaluationError: it has no samples, is not two-dimensional, or holds values that are no numbers.
    """
    if waveform.ndim != 2 or 0 in waveform.shape:
        raise EvaluationError(
            f"a sound has the shape {waveform.shape}: expected [channels, samples] with samples in it."
        )
    if not np.isfinite(waveform).all():
        raise EvaluationError("a sound holds values that are no numbers (NaN or infinite); export it again.")
    mixed = waveform.mean(axis=0, dtype=np.float32)
    resampled: FloatArray = soxr.resample(mixed, SAMPLE_RATE, rate).astype(np.float32)
    return resampled


def log_mel(samples: FloatArray, offset: float) -> FloatArray:
    """[frames, 64], natural logarithms of band magnitudes + `offset`, of samples [n] at 16 kHz.

    Args:
        samples: silence is put behind it if it is shorter than one patch.
        offset: 0.01 for VGGish, 0.001 for YAMNet.
    """
    shortest = _WINDOW + (PATCH_FRAMES - 1) * _HOP
    padded = np.pad(samples, (0, max(0, shortest - len(samples))))
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP] * hann
    magnitudes = np.abs(np.fft.rfft(frames, _POINTS))
    logarithms: FloatArray = np.log(magnitudes @ mel_bands() + offset).astype(np.float32)
    return logarithms


def patches(mel: FloatArray, hop: int) -> FloatArray:
    """[n, 96, 64]: pieces of 96 frames, one every `hop` frames, of a spectrogram [frames, 64]."""
    starts = range(0, len(mel) - PATCH_FRAMES + 1, hop)
    return np.stack([mel[start : start + PATCH_FRAMES] for start in starts])


@cache
def mel_bands() -> NDArray[np.float64]:
    """[257, 64]: the weight of each DFT bin in each band, 0..1; the bin at 0 Hz counts nowhere."""
    weights = triangles(np.linspace(0, RATE / 2, _POINTS // 2 + 1), _LOWEST, _HIGHEST, BANDS)
    weights[0] = 0
    weights.setflags(write=False)
    return weights


def triangles(hertz: NDArray[np.float64], lowest: float, highest: float, bands: int) -> NDArray[np.float64]:
    """[bins, bands]: weights of frequencies in bands evenly spaced in HTK's mel, 1 at a band's centre."""
    bins, edges = _mel(hertz)[:, None], np.linspace(_mel(lowest), _mel(highest), bands + 2)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    return np.maximum(0, np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)))


def _mel(hertz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    return np.asarray(1127 * np.log1p(np.asarray(hertz) / 700))
