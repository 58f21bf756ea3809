"""How loud the foley is to be: one decision, from what was measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foley_daemon.domain import Loudness

PEAK_CEILING_DBTP = -1.0  # EBU R 128
_SILENT_LUFS = -50.0  # an original below this is a noise floor, no programme to stay under
_MOST_BOOST_DB = 30.0  # more would only lift a noise floor
_LUFS_OF_POWER = -0.691  # ITU-R BS.1770-5, eq. 2


class Meter:
    """Peak and power of a waveform that passes block by block.

    The fallback where EBU R 128 gives no number: its gates need 0.4 s and −70 LUFS.
    """

    def __init__(self) -> None:
        self._power = 0.0
        self._n_samples = 0
        self._peak = 0.0

    def push(self, block: NDArray[np.float32]) -> None:
        """Take in `block`, [channels, n]."""
        if block.size:
            self._power += float(np.sum(np.square(block, dtype=np.float64)))
            self._n_samples += block.shape[-1]
            self._peak = max(self._peak, float(np.max(np.abs(block))))

    @property
    def peak_dbfs(self) -> float | None:
        """Highest sample, dB relative to full scale; None for silence."""
        return 20 * math.log10(self._peak) if self._peak > 0 else None

    @property
    def lufs(self) -> float | None:
        """Loudness by BS.1770's sum over channels, without its weighting and gates; None for silence."""
        if self._power <= 0:
            return None
        return _LUFS_OF_POWER + 10 * math.log10(self._power / self._n_samples)


@dataclass(frozen=True, slots=True)
class Measured:
    """What is known of one programme's level; None: cannot be known (silence)."""

    lufs: float | None
    peak_dbtp: float | None

    @classmethod
    def of(cls, loudness: Loudness, meter: Meter) -> Measured:
        """EBU R 128 where it gives a number, the meter where it does not."""
        lufs, peak = loudness.integrated_lufs, loudness.true_peak_dbtp
        return cls(meter.lufs if lufs is None else lufs, meter.peak_dbfs if peak is None else peak)


@dataclass(frozen=True, slots=True)
class Level:
    """What to do to the foley, and why."""

    gain_db: float
    reason: str  # one line for the report


def decide_level(
    foley: Measured, original: Measured | None, *, relative_lu: float = -6.0, alone_lufs: float = -23.0
) -> Level:
    """Gain that puts the foley `relative_lu` above the original, or at `alone_lufs` without one.

    An original that is silent, or below −50 LUFS, counts as none. Peaks stay at or below −1 dBTP by
    lowering the whole: a stem is never limited, its dynamics belong to whoever mixes it.
    """
    if foley.lufs is None or foley.peak_dbtp is None:
        return Level(0.0, "the foley is silent: level left as it is")
    if original is None or original.lufs is None or original.lufs < _SILENT_LUFS:
        target, why = alone_lufs, f"{alone_lufs:+.1f} LUFS, no original sound to stay under"
    else:
        target = original.lufs + relative_lu
        why = f"{target:+.1f} LUFS, {relative_lu:+.1f} LU of the original's {original.lufs:+.1f}"
    wanted = target - foley.lufs
    gain = min(wanted, PEAK_CEILING_DBTP - foley.peak_dbtp, _MOST_BOOST_DB)
    if gain < wanted:
        why += f"; held {wanted - gain:.1f} dB lower" + (
            " by the most boost allowed" if gain == _MOST_BOOST_DB else " by its peaks (-1 dBTP)"
        )
    return Level(gain, why)
