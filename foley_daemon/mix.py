"""From chunk waveforms to one programme: numpy, block by block, never the whole clip in memory.

chunks → Joiner → foley, exactly n samples → gain → (mix, duck) Mixer with the original
"""

from __future__ import annotations

import math

import numpy as np

from foley_daemon.domain import Chunk
from foley_daemon.dynamics import Block, Ducker, Limiter
from foley_daemon.levels import PEAK_CEILING_DBTP


class Joiner:
    """Equal-power overlap-add of a plan's chunks, holding no more than one overlap.

    Chunks are separate takes, so they are decorrelated and their powers add: fades by sine and cosine
    (sin² + cos² = 1) keep the level through the join, where linear fades would dip by 3 dB.
    """

    def __init__(self, n_samples: int, channels: int = 2) -> None:
        self._n_samples = n_samples
        self._position = 0  # samples handed out
        self._tail: Block = np.zeros((channels, 0), np.float32)

    def push(self, chunk: Chunk, waveform: Block) -> Block:
        """Join the next chunk; return the samples [channels, n] that are finished by it.

        Raises:
            ValueError: the waveform is not the chunk's, or the chunk not the next one of the plan.
        """
        channels = len(self._tail)
        if waveform.shape != (channels, chunk.n_samples):
            raise ValueError(
                f"chunk {chunk.index}: expected a waveform of [{channels}, {chunk.n_samples}], "
                f"got {list(waveform.shape)}; render the chunk at its own length"
            )
        if (chunk.first_sample, chunk.fade_in) != (self._position, self._tail.shape[1]):
            raise ValueError(
                f"chunk {chunk.index}: expected one from sample {self._position} with a fade of "
                f"{self._tail.shape[1]}, got {chunk.first_sample} with {chunk.fade_in}; "
                "push every chunk, in order"
            )
        end = chunk.n_samples - chunk.fade_out
        finished = waveform[:, :end].astype(np.float32)  # a copy: the caller's array stays as it is
        if chunk.fade_in:
            angle = (np.arange(chunk.fade_in) + 0.5) * (np.pi / 2 / chunk.fade_in)
            finished[:, : chunk.fade_in] = self._tail * np.cos(angle) + finished[:, : chunk.fade_in] * np.sin(
                angle
            )
        self._tail = waveform[:, end:].astype(np.float32)
        self._position += finished.shape[1]
        return finished

    def finish(self) -> None:
        """State that every chunk was pushed.

        Raises:
            ValueError: the plan's samples were not all handed out.
        """
        if self._position != self._n_samples or self._tail.shape[1]:
            raise ValueError(
                f"{self._position} of {self._n_samples} samples are joined and {self._tail.shape[1]} wait "
                "for a next chunk; push every chunk of the plan before finishing"
            )


def apply_gain(block: Block, gain_db: float) -> Block:
    """`block` louder by `gain_db`."""
    return (block * np.float32(10 ** (gain_db / 20))).astype(np.float32)


def pan(mono: Block, position: float) -> Block:
    """Put a mono waveform [1, n] into stereo [2, n] at constant power, −1 left … 0 centre … 1 right.

    Raises:
        ValueError: the waveform is not mono or the position outside −1..1.
    """
    if mono.shape[0] != 1 or not -1 <= position <= 1:
        raise ValueError(f"expected mono [1, n] at −1..1, got {list(mono.shape)} at {position}")
    angle = (position + 1) * math.pi / 4
    return np.concatenate([mono * np.float32(math.cos(angle)), mono * np.float32(math.sin(angle))])


def into_stereo(take: Block) -> Block:
    """A take [1 or 2, n] as stereo foley [2, n]: a mono one on both sides, at constant power."""
    return np.repeat(take / np.float32(np.sqrt(2)), 2, axis=0) if len(take) == 1 else take


def into_layout(stereo: Block, channels: int) -> Block:
    """Stereo foley [2, n] as `channels` channels: in mono both at constant power, else front left and right.

    Those two come first in every layout of ffmpeg with two channels or more.
    """
    if stereo.shape[0] != 2:
        raise ValueError(f"expected stereo [2, n], got {list(stereo.shape)}")
    if channels == 1:
        mono: Block = np.sum(stereo, axis=0, keepdims=True) * np.float32(math.sqrt(0.5))
        return mono
    wide: Block = np.zeros((channels, stereo.shape[1]), np.float32)
    wide[:2] = stereo
    return wide


class Mixer:
    """Foley under an original of any layout, ducked or not, peaks at or below −1 dBTP.

    The original is not touched but where the sum would exceed the ceiling. What goes in comes out later
    (ducker 80 ms, limiter 5 ms); `finish` gives the rest, so that the total is what went in.
    """

    def __init__(self, ducker: Ducker | None = None) -> None:
        self._ducker = ducker
        self._limiter = Limiter(PEAK_CEILING_DBTP)
        self._original: Block | None = None  # waits for the ducked foley

    def push(self, foley: Block, original: Block) -> Block:
        """Take the same samples of the foley [2, n] and the original [channels, n]; return what is ready."""
        if foley.shape[1] != original.shape[1]:
            raise ValueError(f"foley and original must be as long: {foley.shape[1]} and {original.shape[1]}")
        ready = foley if self._ducker is None else self._ducker.push(foley, original)
        held = original if self._original is None else np.concatenate([self._original, original], axis=1)
        self._original = held[:, ready.shape[1] :]
        return self._limiter.push(into_layout(ready, len(held)) + held[:, : ready.shape[1]])

    def finish(self) -> Block:
        """The samples still held back.

        Raises:
            ValueError: nothing was pushed.
        """
        if self._original is None:
            raise ValueError("nothing was mixed: push at least one block before finishing")
        ready = []
        if self._ducker is not None:
            last = into_layout(self._ducker.finish(), len(self._original)) + self._original
            ready.append(self._limiter.push(last))
        ready.append(self._limiter.finish())
        return np.concatenate(ready, axis=1)
