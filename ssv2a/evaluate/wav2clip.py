"""CS: how near a sound lies to what is seen, by Wav2CLIP and CLIP ViT-B/32 (SSV2A, V2A-Mapper).

Wav2CLIP (Wu, Seetharaman, Kumar and Bello 2022, arXiv 2110.11499) is a ResNet-18 on spectrograms that was
taught to reach CLIP's image vectors. Neither network's weights are part of this project: `Wav2CLIP.pt` as its
authors publish it and open_clip's ViT-B/32 of OpenAI's weights are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from ssv2a.errors import EvaluationError, MediaError, WeightsError
from ssv2a.evaluate.log_mel import mono
from ssv2a.images import read_image
from ssv2a.media.frames import FrameReader
from ssv2a.media.timeline import picture_timeline
from ssv2a.types import ByteArray, FloatArray
from ssv2a.weights import fill, read_checkpoint

if TYPE_CHECKING:
    from ssv2a.embed.clip import OpenClip

ARCHITECTURE = "ViT-B-32-quickgelu"  # of OpenAI's weights in open_clip
FRAMES = 16  # of a clip that are looked at, evenly

_POINTS, _HOP = 512, 353  # samples at 16 kHz
_WIDTH = 512
_STATE = "state_dict"  # in the published file, beside what its trainer left


class Wav2ClipNetwork(nn.Module):
    """Spectrogram, ResNet-18 for one channel, and two linear layers; keys as in the published file."""

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models.resnet import BasicBlock, ResNet

        encoder = ResNet(BasicBlock, [2, 2, 2, 2], num_classes=1000)
        encoder.conv1 = nn.Conv2d(1, 64, kernel_size=7, stride=2, padding=3, bias=False)
        self.audio_encoder = encoder  # its `fc` is in the file and is not used
        self.audio_transform = nn.ModuleDict(
            {
                "sequential": nn.Sequential(
                    *(nn.Linear(_WIDTH, _WIDTH), nn.ReLU(), nn.Dropout(0.1), nn.Linear(_WIDTH, _WIDTH))
                )
            }
        )

    def forward(self, samples: Tensor) -> Tensor:
        """Samples [B, n] at 16 kHz, n > 256 → [B, 512], not normalised."""
        # 1. Logarithms of the power, brought to zero mean and a deviation of one.
        window = torch.hann_window(_POINTS, device=samples.device)
        spectrum = torch.stft(samples, _POINTS, _HOP, window=window, return_complex=True)
        power = torch.log(spectrum.abs().square() + 1e-7).unsqueeze(1)  # [B, 1, 257, frames]
        seen = (power - power.mean()) / (power.std() + 1e-9)

        # 2. The residual network up to its mean over time and frequency.
        resnet = self.audio_encoder
        seen = resnet.maxpool(resnet.relu(resnet.bn1(resnet.conv1(seen))))
        for layer in (resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4):
            seen = layer(seen)

        # 3. Into CLIP's space.
        embedded: Tensor = self.audio_transform["sequential"](resnet.avgpool(seen).flatten(1))
        return embedded


class Wav2Clip:
    """Sounds → vectors in CLIP's space.

    Args:
        weights: the published file.

    Raises:
        WeightsError: it is missing or of another network.
    """

    def __init__(self, weights: Path) -> None:
        self._network = Wav2ClipNetwork()
        state = read_checkpoint(weights).get(_STATE)
        if not isinstance(state, Mapping):
            raise WeightsError(f"{weights}: no '{_STATE}' in it; expected Wav2CLIP.pt as published.")
        own = {key: value for key, value in state.items() if _is_ours(key)}
        fill({"wav2clip": self._network}, {"wav2clip": own}, str(weights))
        self._network.eval()

    def vector(self, waveform: FloatArray) -> FloatArray:
        """[512], L2-normalised, of a sound [channels, samples] at 48 kHz, heard whole."""
        heard = mono(waveform)
        heard = np.pad(heard, (0, max(0, _POINTS - heard.size)))
        with torch.inference_mode():
            return np.asarray(normalize(self._network(torch.from_numpy(heard)[None]), dim=-1)[0].numpy())


class PictureScore:
    """Cosine of sounds with the pictures or clips that they belong to, times 100.

    Args:
        hears: gives the vector [512] of a sound.
        sees: gives the vectors [F, 512] of pictures.
        folder: of pictures and clips, called as the sounds' sources are.

    Raises:
        EvaluationError: the folder is missing or holds neither.
    """

    def __init__(
        self,
        hears: Callable[[FloatArray], FloatArray],
        sees: Callable[[Iterable[ByteArray]], FloatArray],
        folder: Path,
    ) -> None:
        from ssv2a.cli_files import IMAGES, VIDEOS

        if not folder.is_dir():
            raise EvaluationError(f"{folder}: no such folder; expected one with pictures or clips.")
        self._files = {
            path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in IMAGES | VIDEOS
        }
        if not self._files:
            raise EvaluationError(f"{folder}: no picture and no clip in it; expected dog.jpg or dog.mp4.")
        self._hears, self._sees = hears, sees
        self._seen: dict[str, FloatArray] = {}

    def __call__(self, name: str, sound: FloatArray) -> float | None:
        """The score of a sound of source `name`: mean over the frames; None: nothing is shown of it.

        Raises:
            EvaluationError: the picture or clip cannot be read.
        """
        if name not in self._files:
            return None
        if name not in self._seen:
            self._seen[name] = self._sees(_pictures(self._files[name]))
        return float((100 * self._seen[name] @ self._hears(sound)).mean())


def load_picture_score(wav2clip: Path, clip: Path, folder: Path) -> PictureScore:
    """The score with both networks' published weights, on the processor.

    Raises:
        WeightsError: a file is missing or of another network.
        EvaluationError: see `PictureScore`.
    """
    from ssv2a.embed.clip import OpenClip

    eyes: OpenClip = OpenClip.load(clip, torch.device("cpu"), architecture=ARCHITECTURE)
    if eyes.dim != _WIDTH:
        raise WeightsError(f"{clip}: vectors of {eyes.dim} features; expected {_WIDTH}, CLIP ViT-B/32's.")
    return PictureScore(Wav2Clip(wav2clip).vector, eyes.images, folder)


def _is_ours(key: str) -> bool:
    return key.startswith(("audio_encoder.", "audio_transform.")) and ".spectrogram." not in key


def _pictures(path: Path) -> list[ByteArray]:
    from ssv2a.cli_files import IMAGES

    if path.suffix.lower() in IMAGES:
        return [read_image(path)]
    try:
        timeline = picture_timeline(path)
        times = [timeline.duration * Fraction(2 * frame + 1, 2 * FRAMES) for frame in range(FRAMES)]
        with FrameReader(path, timeline) as reader:
            frames: Any = reader.read(times).images
    except MediaError as error:
        raise EvaluationError(f"{path}: cannot be looked at ({error}).") from error
    return list(frames)
