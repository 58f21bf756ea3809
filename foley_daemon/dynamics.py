"""Ducking and limiting, block by block, with look-ahead.

Both are one idea. Each sample has a highest allowed gain (dB, at most 0). The gain in use is the
highest curve that stays at or below it, falls no faster than an attack slope and rises no faster than a
release slope: straight lines in dB. Falling in time needs look-ahead, so all that goes in comes out
later, and `finish` gives the rest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foley_daemon.domain import SAMPLE_RATE

Block = NDArray[np.float32]
Curve = NDArray[np.float64]

_KNEE_DB = 6.0  # ducking sets in over this span below the threshold
_THRESHOLD_LU = -12.0  # relative to the programme level: speech is above it, its pauses below
_DUCK_ATTACK = 0.08  # seconds for the whole amount
_DUCK_RELEASE = 0.6
_DETECTOR = 960  # samples, 20 ms: one period of 50 Hz
_LIMIT_ATTACK_SAMPLES = 240  # 5 ms
_DEEPEST_LIMIT_DB = 24.0  # two full-scale programmes need 7
_LIMIT_RELEASE = 0.25  # seconds for 12 dB
_TAPS = 12  # of the interpolating filters, as in BS.1770 annex 2


class GainCurve:
    """The slope-limited gain of this module, as a stream."""

    def __init__(self, deepest_db: float, attack_samples: int, release_db_per_sample: float) -> None:
        """Set the slopes.

        Args:
            deepest_db: the lowest gain that will ever be asked for, as a positive number.
            attack_samples: in which it is reached from 0 dB; the look-ahead.
            release_db_per_sample: how fast it comes back.
        """
        self._deepest = deepest_db
        self._attack = deepest_db / attack_samples
        self._release = release_db_per_sample
        self._look_ahead = attack_samples
        self._pending: Curve = np.zeros(0)
        self._last = 0.0

    def push(self, allowed_db: Curve) -> Curve:
        """Take the highest allowed gains of the next samples; return those gains that are settled."""
        allowed = np.concatenate([self._pending, np.maximum(allowed_db, -self._deepest)])
        n_settled = max(0, len(allowed) - self._look_ahead)
        ramp = np.arange(len(allowed), dtype=np.float64)
        falling = np.minimum.accumulate((allowed + self._attack * ramp)[::-1])[::-1] - self._attack * ramp
        rising = np.minimum.accumulate(falling - self._release * ramp)
        gain: Curve = np.minimum(rising, self._last + self._release) + self._release * ramp
        gain = np.minimum(gain, 0.0)[:n_settled]
        self._pending = allowed[n_settled:]
        if n_settled:
            self._last = float(gain[-1])
        return gain

    def finish(self) -> Curve:
        """The gains still held back."""
        return self.push(np.zeros(self._look_ahead))


class _Queue:
    """Blocks [channels, n] that wait for their gain."""

    def __init__(self) -> None:
        self._block: Block | None = None

    def put(self, block: Block) -> None:
        self._block = block if self._block is None else np.concatenate([self._block, block], axis=1)

    def scaled(self, gain_db: Curve) -> Block:
        """The first samples, as many as there are gains, times these."""
        if self._block is None:
            raise ValueError("finish() before anything was pushed: push at least one block first")
        head, self._block = self._block[:, : len(gain_db)], self._block[:, len(gain_db) :]
        scaled: Block = (head * np.power(10.0, gain_db / 20)).astype(np.float32)
        return scaled


class Ducker:
    """Lowers the foley while the original's level is near its programme level (somebody speaks)."""

    def __init__(self, amount_db: float, programme_lufs: float) -> None:
        """Set the depth.

        Args:
            amount_db: how far the foley goes down, 0 or more.
            programme_lufs: the original's programme level; the threshold lies 12 LU below it.
        """
        if amount_db < 0:
            raise ValueError(f"ducking lowers by an amount of 0 dB or more, got {amount_db}")
        self._amount = amount_db
        self._threshold = programme_lufs + _THRESHOLD_LU
        self._curve = GainCurve(
            amount_db, round(_DUCK_ATTACK * SAMPLE_RATE), amount_db / (_DUCK_RELEASE * SAMPLE_RATE)
        )
        self._foley = _Queue()
        self._powers: Curve = np.zeros(_DETECTOR - 1)

    def push(self, foley: Block, original: Block) -> Block:
        """Take the same samples of both, [channels, n] each; return the ducked foley that is ready."""
        if foley.shape[1] != original.shape[1]:
            raise ValueError(f"foley and original must be as long: {foley.shape[1]} and {original.shape[1]}")
        powers = np.concatenate([self._powers, np.sum(np.square(original, dtype=np.float64), axis=0)])
        sums = np.concatenate([[0.0], np.cumsum(powers)])
        means = np.maximum(sums[_DETECTOR:] - sums[:-_DETECTOR], 0.0) / _DETECTOR
        self._powers = powers[len(powers) - (_DETECTOR - 1) :]
        level = 10 * np.log10(means + 1e-12)
        depth = np.clip((level - self._threshold + _KNEE_DB) / _KNEE_DB, 0.0, 1.0)
        self._foley.put(foley)
        return self._foley.scaled(self._curve.push(-self._amount * depth))

    def finish(self) -> Block:
        """The samples still held back."""
        return self._foley.scaled(self._curve.finish())


class Limiter:
    """Keeps true peaks at or below a ceiling (four-fold interpolation, 5 ms look-ahead)."""

    def __init__(self, ceiling_dbtp: float) -> None:
        self._ceiling = ceiling_dbtp
        self._curve = GainCurve(_DEEPEST_LIMIT_DB, _LIMIT_ATTACK_SAMPLES, 12 / (_LIMIT_RELEASE * SAMPLE_RATE))
        self._audio = _Queue()
        self._peaks = _TruePeaks()

    def push(self, block: Block) -> Block:
        """Take a block [channels, n]; return the samples that are ready."""
        self._audio.put(block)
        return self._limited(self._curve.push(self._allowed(self._peaks.push(block))))

    def finish(self) -> Block:
        """The samples still held back."""
        gains = [self._curve.push(self._allowed(self._peaks.finish())), self._curve.finish()]
        return self._limited(np.concatenate(gains))

    def _allowed(self, peaks: Curve) -> Curve:
        allowed: Curve = np.minimum(0.0, self._ceiling - 20 * np.log10(np.maximum(peaks, 1e-9)))
        return allowed

    def _limited(self, gain_db: Curve) -> Block:
        top = np.float32(10 ** (self._ceiling / 20))
        return np.clip(self._audio.scaled(gain_db), -top, top)


class _TruePeaks:
    """The highest value on or beside each sample, over channels, `_TAPS / 2` samples late."""

    def __init__(self) -> None:
        taps = np.arange(_TAPS) - (_TAPS // 2 - 1)
        window = np.kaiser(2 * _TAPS + 1, 5.0)
        self._filters = []
        for phase in (0.25, 0.5, 0.75):
            distance = taps - phase
            shape = np.interp(distance, np.linspace(-_TAPS / 2, _TAPS / 2, len(window)), window)
            coefficients = np.sinc(distance) * shape
            self._filters.append((coefficients / coefficients.sum())[::-1])
        self._held: NDArray[np.float64] | None = None
        self._between = 0.0  # peak between the last sample given out and the next

    def push(self, block: Block) -> Curve:
        if self._held is None:
            self._held = np.zeros((len(block), _TAPS // 2 - 1))
        samples = np.concatenate([self._held, block], axis=1)
        n_ready = samples.shape[1] - (_TAPS - 1)
        if n_ready <= 0:
            self._held = samples
            return np.zeros(0)
        between = np.zeros(n_ready)
        for row in samples:
            for coefficients in self._filters:
                between = np.maximum(between, np.abs(np.convolve(row, coefficients, "valid")))
        first = _TAPS // 2 - 1
        own = np.max(np.abs(samples[:, first : first + n_ready]), axis=0)
        before = np.concatenate([[self._between], between[:-1]])
        self._held, self._between = samples[:, n_ready:], float(between[-1])
        return np.maximum(own, np.maximum(before, between))

    def finish(self) -> Curve:
        channels = 1 if self._held is None else len(self._held)
        return self.push(np.zeros((channels, _TAPS // 2), np.float32))
