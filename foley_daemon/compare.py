"""Two waveforms, one of which should be the other: exactly, or as far as a lossy codec lets it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from foley_daemon.domain import SAMPLE_RATE
from foley_daemon.errors import VerificationFailed

Block = NDArray[np.float32]

_SEARCH = 4800  # samples either way in which the alignment is looked for
_AS_GOOD = 0.98  # of the best correlation: rumble correlates with its neighbours too
_AUDIBLE_RMS = 1e-4  # −80 dBFS; below it there is nothing to compare
_LEVEL_DB = 1.0
_BLOCK_RMS = 1e-3  # −60 dBFS; a block this loud must not come back much quieter
_BLOCK_LEVEL_DB = 6.0


class Comparison:
    """Takes both block by block and remembers the loudest pair of blocks only."""

    def __init__(self) -> None:
        self._n_samples = 0
        self._worst = 0.0
        self._power_wanted = 0.0
        self._power_got = 0.0
        self._loudest = -1.0
        self._pair: tuple[Block, Block] | None = None

    def push(self, wanted: Block, got: Block) -> None:
        """Take the same samples of both, [channels, n].

        Raises:
            VerificationFailed: one is longer, has other channels, or falls silent where the other does not.
        """
        if wanted.shape != got.shape:
            raise VerificationFailed(
                f"sound: expected {wanted.shape[1]} samples in {wanted.shape[0]} channels after sample "
                f"{self._n_samples}, got {got.shape[1]} in {got.shape[0]}; it was not published"
            )
        self._n_samples += wanted.shape[1]
        self._worst = max(self._worst, float(np.max(np.abs(got - np.clip(wanted, -1, 1)), initial=0.0)))
        power, power_got = _power(wanted), _power(got)
        self._power_wanted += power
        self._power_got += power_got
        if power > _BLOCK_RMS**2 * wanted.size and power_got < power * 10 ** (-_BLOCK_LEVEL_DB / 10):
            raise VerificationFailed(
                f"sound: expected it to go on up to {self._n_samples / SAMPLE_RATE:.1f} s, got the last "
                f"block more than {_BLOCK_LEVEL_DB} dB quieter than the render; it was not published"
            )
        if power > self._loudest:
            self._loudest, self._pair = power, (wanted, got)

    def check_length(self, n_samples: int) -> None:
        """State how many samples there should have been.

        Raises:
            VerificationFailed: there were fewer or more.
        """
        if self._n_samples != n_samples:
            raise VerificationFailed(
                f"sound: expected {n_samples} samples inside the picture's span, got {self._n_samples}; "
                "it was not published"
            )

    def check_exact(self, bits: int) -> str:
        """Equal to within one step of `bits`.

        Raises:
            VerificationFailed: they differ by more.
        """
        step = 2.0 ** (1 - bits)
        if self._worst > 1.01 * step:
            raise VerificationFailed(
                f"sound: expected the render to {bits} bits (±{step:.2g}), got a difference of "
                f"{self._worst:.2g}; it was not published"
            )
        return f"sound: {self._n_samples} samples equal the render ({bits} bit)"

    def check_alike(self, tolerance: int) -> str:
        """Level within 1 dB, and aligned to within `tolerance` samples.

        Raises:
            VerificationFailed: it is silent, at another level, or lies elsewhere.
        """
        wanted = math.sqrt(self._power_wanted / max(1, self._n_samples))
        got = math.sqrt(self._power_got / max(1, self._n_samples))
        if wanted < _AUDIBLE_RMS and got < 2 * _AUDIBLE_RMS:
            return f"sound: {self._n_samples} samples, silent as the render is"
        level = 20 * math.log10(max(got, 1e-9) / max(wanted, 1e-9))
        if abs(level) > _LEVEL_DB:
            raise VerificationFailed(
                f"sound: expected the render's level within {_LEVEL_DB} dB, got {level:+.1f} dB; "
                "it was not published"
            )
        lag = self._lag(tolerance)
        if abs(lag) > tolerance:
            raise VerificationFailed(
                f"sound: expected it within {tolerance} samples of the render, got it {lag} samples "
                f"({1000 * lag / SAMPLE_RATE:+.2f} ms) later; it was not published"
            )
        return f"sound: {self._n_samples} samples, level {level:+.2f} dB, {lag:+d} samples from the render"

    def _lag(self, tolerance: int) -> int:
        """Samples by which it lies later; the smallest within `tolerance` that fits as well as the best."""
        assert self._pair is not None, "pushed before asked"
        wanted, got = (np.sum(block, axis=0, dtype=np.float64) for block in self._pair)
        size = 1 << (2 * len(wanted)).bit_length()
        product = np.fft.rfft(got, size) * np.conj(np.fft.rfft(wanted, size))
        reach = min(_SEARCH, len(wanted) - 1)
        correlation = np.fft.irfft(product, size)
        lags = np.arange(-reach, reach + 1)
        scores = correlation[lags]
        good = lags[scores >= _AS_GOOD * scores.max()]
        nearest = int(good[np.argmin(np.abs(good))])
        best = int(lags[np.argmax(scores)])
        return nearest if abs(nearest) <= tolerance < abs(best) else best


def _power(block: Block) -> float:
    """Sum of squares after a mean over four samples: lossy codecs drop what lies above 16 to 20 kHz."""
    summed = np.cumsum(block, axis=1, dtype=np.float64)
    means = (summed[:, 4:] - summed[:, :-4]) / 4
    return float(np.sum(np.square(means)))
