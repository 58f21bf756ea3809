"""VGGish (Hershey et al. 2017), the embedding of the first Fréchet audio distances.

The weights are not part of this project; the file that PyTorch ports publish (`vggish-10086976.pth`) is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ssv2a.evaluate.log_mel import PATCH_FRAMES, log_mel, mono, patches
from ssv2a.types import FloatArray
from ssv2a.weights import fill, read_checkpoint

_OFFSET = 0.01  # of the log mel spectrogram
_CHANNELS = (64, None, 128, None, 256, 256, None, 512, 512, None)  # None: the picture is halved


class VggishNetwork(nn.Module):
    """Six convolutions and three linear layers; keys as in the published file."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 1
        for outputs in _CHANNELS:
            if outputs is None:
                layers.append(nn.MaxPool2d(2, 2))
            else:
                layers += [nn.Conv2d(inputs, outputs, 3, 1, 1), nn.ReLU()]
                inputs = outputs
        self.features = nn.Sequential(*layers)
        self.embeddings = nn.Sequential(
            *(nn.Linear(512 * 4 * 6, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU()),
            *(nn.Linear(4096, 128), nn.ReLU()),
        )

    def forward(self, mel: Tensor) -> Tensor:
        """Log mel patches [n, 96, 64] → [n, 128], before the quantisation of the released data."""
        seen = self.features(mel.unsqueeze(1))
        embedded: Tensor = self.embeddings(seen.permute(0, 2, 3, 1).flatten(1))
        return embedded


class Vggish:
    """Sounds → vectors of 0.96 s each.

    Args:
        weights: the published file.

    Raises:
        WeightsError: it is missing or of another network.
    """

    def __init__(self, weights: Path) -> None:
        self._network = VggishNetwork()
        fill({"vggish": self._network}, {"vggish": read_checkpoint(weights)}, str(weights))
        self._network.eval()

    def windows(self, waveform: FloatArray) -> FloatArray:
        """[n, 128] of a sound [channels, samples] at 48 kHz; the next window begins where one ends."""
        heard = patches(log_mel(mono(waveform), _OFFSET), PATCH_FRAMES)
        with torch.inference_mode():
            return np.asarray(self._network(torch.from_numpy(heard)).numpy(), np.float32)

    def vectors(self, waveforms: Sequence[FloatArray]) -> list[FloatArray]:
        """The windows of each sound."""
        return [self.windows(waveform) for waveform in waveforms]
