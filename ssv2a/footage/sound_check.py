"""Whether a stretch of sound can be learned from: its level, overdrive, and music under it. Pure.

Music is found by continuous frequency activation (Seyerlehner, Pohle, Schedl and Widmer 2007, "Automatic
music detection in television productions"): notes stand still in frequency for a while, and most other
sounds do not, so bins of the spectrum in which something stands out for seconds tell of music even
under louder sounds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import soxr
from scipy.ndimage import uniform_filter1d
from scipy.signal import stft

from ssv2a.types import SAMPLE_RATE, FloatArray

QUIETEST = -50.0  # dBFS, RMS of the loudest tenth of a second: below it a stretch is silent
OVERDRIVEN = 0.01  # share of samples at full scale from which a stretch is clipped
MUSIC = 2.5  # score from which there is music

_FULL_SCALE = 0.985  # lossy codecs round off the edges of what was clipped
_BLOCK = SAMPLE_RATE // 10  # samples over which a level is taken
_RATE = 11_025  # Hz, as in the paper, with windows of 1024 samples
_WINDOW, _HOP = 1024, 256
_NEIGHBOURS = 21  # bins of the running mean that a bin is compared with
_STANDS_OUT = 5.0  # dB above that mean
_SPELL = 100  # frames, 2.3 s: how long a note may be looked for
_PEAKS = 5  # of the activation, whose heights are summed


@dataclass(frozen=True, slots=True)
class SoundFacts:
    """What can be said of a stretch of sound without knowing what it is of."""

    level_db: float  # dBFS, RMS of the whole; −200 for digital silence
    loudest_db: float  # dBFS, RMS of the loudest tenth of a second
    clipped: float  # share of samples at full scale, 0..1
    music: float  # continuous frequency activation, 0..5; 0 where it is too short to tell


def sound_facts(waveform: FloatArray) -> SoundFacts:
    """Facts of a sound [channels, n] at 48 kHz, n > 0."""
    mono = waveform.mean(axis=0)
    blocks = mono[: len(mono) // _BLOCK * _BLOCK].reshape(-1, _BLOCK) if len(mono) >= _BLOCK else mono[None]
    return SoundFacts(
        level_db=decibels(mono),
        loudest_db=max(decibels(block) for block in blocks),
        clipped=float((np.abs(waveform) >= _FULL_SCALE).mean()),
        music=music(mono),
    )


def music(mono: FloatArray) -> float:
    """Continuous frequency activation of a sound [n] at 48 kHz: median over spells of 2.3 s, 0..5.

    Heights of the five highest peaks of the share of time in which each bin stands out by 5 dB.
    """
    samples = soxr.resample(mono, SAMPLE_RATE, _RATE)
    frames = 1 + (len(samples) - _WINDOW) // _HOP
    if frames < _SPELL:
        return 0.0
    _, _, spectrum = stft(
        samples, _RATE, nperseg=_WINDOW, noverlap=_WINDOW - _HOP, boundary=None, padded=False
    )
    power = 20 * np.log10(np.abs(spectrum) + 1e-6)
    active = power - uniform_filter1d(power, _NEIGHBOURS, axis=0) > _STANDS_OUT
    starts = range(0, active.shape[1] - _SPELL + 1, _SPELL // 2)
    return float(np.median([_peakiness(active[:, at : at + _SPELL].mean(axis=1)) for at in starts]))


def _peakiness(activation: FloatArray) -> float:
    """Sum of the heights of the highest peaks, each over the higher of the valleys beside it."""
    slopes = np.sign(np.diff(activation))
    moving = np.flatnonzero(slopes)
    if not len(moving):
        return 0.0
    turns = moving[1:][np.diff(slopes[moving]) != 0]  # bins after which the direction is another
    extremes = activation[np.concatenate(([0], turns, [len(activation) - 1]))]
    heights = extremes[1:-1] - np.maximum(extremes[:-2], extremes[2:])
    return float(np.sort(heights[heights > 0])[-_PEAKS:].sum())


def decibels(waveform: FloatArray) -> float:
    """RMS of a sound of any shape in dBFS; −200 for digital silence, or nothing."""
    power = float(np.square(waveform).mean()) if waveform.size else 0.0
    return 10 * float(np.log10(max(power, 1e-20)))
