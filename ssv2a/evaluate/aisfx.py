"""aiSFX, a network for libraries of sound effects (Ma and Lerch, ISMIR 2022): 512 features every 1.2 s.

It was trained on professional libraries by the Universal Category System. The weights are not part of this
project; the checkpoint of the authors' package `aisfx` (CC BY 4.0) is read.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ssv2a.errors import EvaluationError
from ssv2a.evaluate.log_mel import mono, triangles
from ssv2a.types import FloatArray

FEATURES = 512

_RATE, _WINDOW, _HOP, _BANDS = 44_100, 2048, 1024, 96  # Hz, samples, samples, mel bands up to 22,050 Hz
_FRAMES, _STEP = 100, 50  # of one block, and from block to block
_SCALE = 9.457798957824707  # the largest value of the authors' training data
_LOUD = 0.5  # peak of every sound, so that its level plays no part
_UNREADABLE = (
    *(OSError, EOFError, RuntimeError, ValueError, TypeError, AttributeError),
    pickle.UnpicklingError,
)  # what torch and the unpacking raise for other files
_OWN = "embedding_net."  # before the names of what is read
_LEFT_BY_TRAINER: list[
    Callable[..., object] | tuple[Callable[..., object], str]
] = [  # beside the weights: numbers of classes, which are not used
    (cast(Callable[..., object], np.int64(0).__reduce__()[0]), "numpy.core.multiarray.scalar"),
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("int64", "float64")),
]


class _Block(nn.Module):
    """Two convolutions, each normalised; names as in the published file."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.bn2 = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        once = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(once)))


class AiSfxNetwork(nn.Module):
    """Four blocks, the first three of which halve the picture; mean over bands, maximum over time."""

    def __init__(self) -> None:
        super().__init__()
        sizes = (1, 64, 128, 256, FEATURES)
        for number, (inputs, outputs) in enumerate(pairwise(sizes), 1):
            self.add_module(f"conv_block{number}", _Block(inputs, outputs))

    def forward(self, mel: Tensor) -> Tensor:
        """Log mel blocks [n, 100, 96] → [n, 512]."""
        x = mel.unsqueeze(1)
        for number, block in enumerate(self.children(), 1):
            x = block(x)
            x = nn.functional.max_pool2d(x, 2) if number < 4 else x
        features: Tensor = x.mean(dim=3).amax(dim=2)
        return features


class AiSfx:
    """Sounds → features.

    Args:
        checkpoint: `models/checkpoint.pth` of the package.

    Raises:
        EvaluationError: it is missing or of another network.
    """

    def __init__(self, checkpoint: Path) -> None:
        self._network = AiSfxNetwork()
        try:
            with torch.serialization.safe_globals(_LEFT_BY_TRAINER):
                weights, _ = torch.load(checkpoint, map_location="cpu", weights_only=True)
            own = {key.removeprefix(_OWN): value for key, value in weights.items() if key.startswith(_OWN)}
            self._network.load_state_dict(own)
        except _UNREADABLE as error:
            why = str(error).partition("\n")[0] or "it is empty"
            raise EvaluationError(
                f"{checkpoint}: not the checkpoint of aiSFX ({why}); expected models/checkpoint.pth of the "
                "package aisfx."
            ) from error
        self._network.eval()

    def features(self, waveform: FloatArray) -> FloatArray:
        """[n, 512] of a sound [channels, samples] at 48 kHz: whole blocks of 2.3 s, a shorter sound repeated.

        Raises:
            EvaluationError: it has no samples, is not two-dimensional, or holds values that are no numbers.
        """
        mel = log_mel_44k(waveform)
        mel = np.tile(mel, (-(-_FRAMES // len(mel)), 1))[: max(_FRAMES, len(mel))]
        blocks = np.stack([mel[at : at + _FRAMES] for at in range(0, len(mel) - _FRAMES + 1, _STEP)])
        with torch.inference_mode():
            return np.asarray(self._network(torch.from_numpy(blocks)).numpy(), np.float32)


def log_mel_44k(waveform: FloatArray) -> FloatArray:
    """[frames, 96] of a sound [channels, n] at 48 kHz: log10(1 + 10^4 power) of bands of unit sum, scaled.

    Raises:
        EvaluationError: it has no samples, is not two-dimensional, or holds values that are no numbers.
    """
    samples = mono(waveform, _RATE)
    samples = samples * np.float32(_LOUD / max(float(np.abs(samples).max(initial=0.0)), 1e-9))
    samples = np.pad(samples, (_HOP, max(_HOP, _WINDOW - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_HOP] * np.hanning(_WINDOW)
    power = np.abs(np.fft.rfft(frames)) ** 2
    return np.asarray(np.log10(1 + 1e4 * power @ _bands()) / _SCALE, np.float32)


@cache
def _bands() -> NDArray[np.float64]:
    """[1025, 96]: triangles that sum to one."""
    weights = triangles(np.linspace(0, _RATE / 2, _WINDOW // 2 + 1), 0.0, _RATE / 2, _BANDS)
    weights /= weights.sum(axis=0)
    weights.setflags(write=False)
    return weights
