"""Mini CLAP: sounds and sentences in one space of 256 dimensions (Wu et al. 2023 is the large original).

A log-mel picture of the sound goes through a small convolutional encoder; a sentence's MiniLM vector goes
through one linear map. The encoder is indifferent to gain. A mixture's vector lies near the level-weighted,
normalised sum of its parts' vectors, so that a vector can be taken apart again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn import functional

from ssv2a.errors import InputError, WeightsError
from ssv2a.files import write_whole
from ssv2a.types import SAMPLE_RATE, FloatArray

CLAP_DIM = 256
TEXT_DIM = 384  # of a MiniLM sentence vector
MELS = 64
HOP = 960  # samples: 50 frames a second
WINDOW = 2048  # samples
LOWEST, HIGHEST = 40.0, 16_000.0  # Hz
FRAMES_PER_SECOND = SAMPLE_RATE // HOP
LONGEST = 10 * FRAMES_PER_SECOND  # frames heard at once; a longer sound is heard in windows
SHORTEST = FRAMES_PER_SECOND  # frames; a shorter sound is heard with silence after it
_FLOOR = 1e-4  # of the mean power: 40 dB below it counts as silence
_SILENCE = 1e-9  # mean power of a picture without sound


def mel_power(waveform: FloatArray) -> FloatArray:
    """Power in 64 mel bands, 40 Hz to 16 kHz (HTK mel, triangles of height 1), 50 frames a second.

    Args:
        waveform: [channels, n] at 48 kHz; the channels' powers are averaged.

    Returns:
        [64, 1 + n // 960].
    """
    sound = torch.from_numpy(np.ascontiguousarray(waveform, np.float32))
    spectrum = torch.stft(
        functional.pad(sound, (WINDOW // 2, WINDOW // 2)),
        WINDOW,
        HOP,
        window=torch.hann_window(WINDOW),
        center=False,
        return_complex=True,
    )
    power = (spectrum.real.square() + spectrum.imag.square()).mean(dim=0) * (4 / WINDOW**2)
    mels: FloatArray = (_mel_matrix() @ power).numpy()
    return mels


@cache
def _mel_matrix() -> Tensor:
    """[64, 1025] triangular filters."""
    edges = np.linspace(_mel(LOWEST), _mel(HIGHEST), MELS + 2)
    bins = _mel(np.arange(WINDOW // 2 + 1) * SAMPLE_RATE / WINDOW)
    rising = (bins[None] - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins[None]) / np.diff(edges)[1:, None]
    return torch.from_numpy(np.clip(np.minimum(rising, falling), 0, None).astype(np.float32))


def _mel(hertz: float | np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    return np.asarray(2595 * np.log10(1 + np.asarray(hertz) / 700))


def features(power: Tensor) -> Tensor:
    """Log of the power relative to the picture's mean power, so that gain does not matter.

    Args:
        power: [batch, 64, frames].

    Returns:
        [batch, 1, 64, frames], about -1 to 1.
    """
    mean = power.mean(dim=(1, 2), keepdim=True)
    relative = power / mean.clamp_min(_SILENCE)
    return (torch.log10(relative + _FLOOR) / 2 + 1).unsqueeze(1)


class _Block(nn.Module):
    """Two 3×3 convolutions with a shortcut; the first may halve both axes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, bias=False) if inputs != outputs else nn.Identity()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        y = functional.gelu(self.first_norm(self.first(x)))
        y = self.second_norm(self.second(y))
        kept = functional.avg_pool2d(x, self.stride, ceil_mode=True) if self.stride > 1 else x
        result: Tensor = functional.gelu(y + self.shortcut(kept))
        return result


class ClapNetwork(nn.Module):
    """Audio encoder and text projection; about a million parameters.

    Args:
        width: channels of the first stage; the later ones have 2, 4 and 8 times as many.
        dropout: of the pooled features, while training.
    """

    def __init__(self, width: int = 24, dropout: float = 0.3) -> None:
        super().__init__()
        self.width = width
        self.stem = nn.Conv2d(1, width, 5, 2, 2, bias=False)
        self.stem_norm = nn.BatchNorm2d(width)
        self.blocks = nn.Sequential(
            _Block(width, 2 * width, 2), _Block(2 * width, 4 * width, 2), _Block(4 * width, 8 * width, 2)
        )
        self.bands = nn.Linear(8 * width * (MELS // 16), 8 * width)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * 8 * width, CLAP_DIM)
        self.text_head = nn.Linear(TEXT_DIM, CLAP_DIM)
        self.log_scale = nn.Parameter(torch.tensor(1 / 0.07).log())  # of the similarities; see the training

    def audio(self, power: Tensor) -> Tensor:
        """Vectors [batch, 256], L2-normalised, of mel powers [batch, 64, frames]."""
        x = functional.gelu(self.stem_norm(self.stem(features(power))))
        x = self.blocks(x)  # [batch, 8 width, 4, frames / 16]
        x = functional.gelu(self.bands(x.flatten(1, 2).transpose(1, 2)))  # [batch, frames / 16, 8 width]
        pooled = torch.cat([x.mean(dim=1), x.amax(dim=1)], dim=1)
        return functional.normalize(self.head(self.dropout(pooled)).float(), dim=-1)

    def text(self, sentences: Tensor) -> Tensor:
        """Vectors [batch, 256], L2-normalised, of MiniLM vectors [batch, 384]."""
        return functional.normalize(self.text_head(sentences).float(), dim=-1)


class MiniClap:
    """The trained network, for use.

    Args:
        network: in evaluation mode from here on.
    """

    def __init__(self, network: ClapNetwork) -> None:
        self._network = network.eval().requires_grad_(False)

    @classmethod
    def load(cls, path: Path) -> MiniClap:
        """Read a checkpoint written by `save`.

        Raises:
            WeightsError: it is missing, unreadable or of another network.
        """
        try:
            with safe_open(path, "pt") as file:
                options = json.loads((file.metadata() or {})["network"])
            network = ClapNetwork(**options)
            network.load_state_dict(load_file(path))
        except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise WeightsError(
                f"{path}: expected the weights of a mini CLAP, got: {error}. Install the bundle again."
            ) from error
        return cls(network)

    def save(self, path: Path) -> None:
        """Write the weights with the network's options, as safetensors in half precision."""
        metadata = {"network": json.dumps({"width": self._network.width})}
        state = {key: value.contiguous() for key, value in self._network.state_dict().items()}
        halves = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
        write_whole(path, save(halves, metadata))

    def audio(self, waveform: FloatArray) -> FloatArray:
        """The vector [256] of a sound [channels, n] at 48 kHz; above 11 s the mean over windows of 10 s.

        Raises:
            InputError: the sound is empty or not two-dimensional.
        """
        vector: FloatArray = self.audio_batch([waveform])[0]
        return vector

    def audio_batch(self, waveforms: Sequence[FloatArray]) -> FloatArray:
        """Vectors [batch, 256] of sounds; those of equal length go through the network together."""
        for waveform in waveforms:
            if waveform.ndim != 2 or waveform.shape[1] == 0:
                raise InputError(
                    f"a sound has the shape {waveform.shape}: expected [channels, samples] with samples."
                )
        return self.power_batch([mel_power(waveform) for waveform in waveforms])

    def power_batch(self, powers: Sequence[FloatArray]) -> FloatArray:
        """Vectors [batch, 256] of mel powers [64, frames]."""
        sums = np.zeros((len(powers), CLAP_DIM), np.float32)
        by_length: dict[int, list[tuple[int, FloatArray]]] = {}
        for row, power in enumerate(powers):
            for window in _windows(power):
                by_length.setdefault(window.shape[1], []).append((row, window))
        for windows in by_length.values():
            with torch.inference_mode():
                vectors = self._network.audio(torch.from_numpy(np.stack([window for _, window in windows])))
            np.add.at(sums, [row for row, _ in windows], vectors.numpy())
        return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True).clip(1e-9), np.float32)

    def text(self, sentences: FloatArray) -> FloatArray:
        """Vectors [n, 256] of MiniLM sentence vectors [n, 384]."""
        with torch.inference_mode():
            vectors: FloatArray = self._network.text(
                torch.from_numpy(np.asarray(sentences, np.float32))
            ).numpy()
        return vectors


def _windows(power: FloatArray) -> list[FloatArray]:
    """Pieces of at most 10 s, evenly spread; at least 1 s, with silence after the sound."""
    frames = power.shape[1]
    if frames < SHORTEST:
        return [np.pad(power, ((0, 0), (0, SHORTEST - frames)))]
    if frames <= LONGEST + FRAMES_PER_SECOND:
        return [power[:, :LONGEST]]
    count = -(-frames // LONGEST)
    starts = np.linspace(0, frames - LONGEST, count).round().astype(int)
    return [power[:, start : start + LONGEST] for start in starts]
