"""CLAP of sounds: laion_clap's HTSAT audio tower (Wu et al. 2023; Chen et al. 2022), as AudioLDM holds it.

Every sound takes the front end that the released model was trained behind (AudioLDM's, Liu et al. 2023): one
channel, 16 kHz, no mean, peak 0.5, then 48 kHz again. So prompts and candidates are heard alike, whatever
their level, and can be compared with the vectors that the generator makes.
"""

from __future__ import annotations

import importlib
import math
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import soxr
import torch
from torch import Tensor, nn
from torch.nn import functional

from ssv2a.errors import BundleError, InputError, WeightsError
from ssv2a.types import SAMPLE_RATE, FloatArray
from ssv2a.weights import fill, read_checkpoint

CLAP_DIM = 512  # of every released checkpoint
WINDOW = 10 * SAMPLE_RATE  # samples heard at once
INNER_RATE = 16_000  # Hz, of AudioLDM
PEAK = 0.5
SILENCE = 1e-6  # peak up to which nothing is heard, and nothing is made louder
BATCH = 4  # windows of one run
_TOWER, _PROJECTION = "audio_branch.", "audio_projection."
_SPECTROGRAM_SIDE = 256  # the mel picture is folded to a square of this side
_HOP, _LOWEST, _HIGHEST = 480, 50, 14_000  # samples, Hz, Hz: of the mel picture
_PACKAGE = "_laion_clap_module"  # the name under which laion_clap's networks are imported


class LaionClap:
    """The audio tower, loaded.

    Args:
        tower: HTSAT; in evaluation mode from here on.
        projection: its features → CLAP.
        dim: features of a CLAP vector.
        device: where they run.
    """

    def __init__(self, tower: nn.Module, projection: nn.Module, dim: int, device: torch.device) -> None:
        self._tower = tower.to(device).eval().requires_grad_(False)
        self._projection = projection.to(device).eval().requires_grad_(False)
        self._dim = dim
        self._device = device

    @classmethod
    def load(cls, weights: Path, device: torch.device) -> LaionClap:
        """Read a checkpoint of laion_clap, or the original one of AudioLDM; of either, the audio side alone.

        The sizes are those of the tensors. Nothing of the text side is built.

        Raises:
            BundleError: laion_clap is not installed.
            WeightsError: the file cannot be read, or every key that is missing, unexpected or misshapen.
        """
        state = _audio_state(weights)
        tower = _untrained_tower(weights, state)
        dim = len(state.get(f"{_PROJECTION}2.bias", range(CLAP_DIM)))
        with torch.device("meta"):  # shapes only: every tensor comes from the checkpoint
            projection = nn.Sequential(nn.Linear(tower.num_features, dim), nn.ReLU(), nn.Linear(dim, dim))
        clap = nn.ModuleDict({"audio_branch": tower, "audio_projection": projection})
        fill({"clap": clap}, {"clap": state}, str(weights))
        return cls(tower, projection, dim, device)

    def audio_batch(self, waveforms: Sequence[FloatArray]) -> FloatArray:
        """Vectors [n, clap_dim], L2-normalised, of sounds [channels, samples] at 48 kHz, heard whole.

        A sound of less than 10 s is repeated as often as it fits, then silence follows; of a longer one,
        windows of 10 s that cover it evenly are heard, and the mean of their vectors is normalised.

        Raises:
            InputError: a sound is empty, not two-dimensional or holds values that are no numbers.
        """
        for waveform in waveforms:
            _check(waveform)
        windows = (
            (row, window) for row, sound in enumerate(waveforms) for window in _windows(front_end(sound))
        )
        sums = torch.zeros(len(waveforms), self._dim)
        while batch := list(islice(windows, BATCH)):
            rows, sounds = zip(*batch, strict=True)
            sums.index_add_(0, torch.tensor(rows), self._hear(np.stack(sounds)))
        vectors: FloatArray = functional.normalize(sums, dim=-1).numpy()
        return vectors

    def _hear(self, windows: FloatArray) -> Tensor:
        """Vectors [n, clap_dim], L2-normalised, on the CPU, of windows [n, 480000]."""
        with torch.inference_mode():
            heard = self._tower({"waveform": torch.from_numpy(windows)}, device=self._device)
            return functional.normalize(self._projection(heard["embedding"]), dim=-1).cpu()


def front_end(waveform: FloatArray) -> FloatArray:
    """AudioLDM's: a sound [channels, n] at 48 kHz as one channel [n] at 48 kHz, below 8 kHz, peak 0.5."""
    inner = soxr.resample(waveform.mean(axis=0, dtype=np.float32), SAMPLE_RATE, INNER_RATE)
    inner = inner - inner.mean() if inner.size else inner
    peak = np.abs(inner).max(initial=0.0)
    outer = soxr.resample(inner * (PEAK / peak if peak > SILENCE else 0.0), INNER_RATE, SAMPLE_RATE)
    samples = waveform.shape[1]
    return np.pad(outer[:samples], (0, max(0, samples - len(outer)))).astype(np.float32)


def _check(waveform: FloatArray) -> None:
    if waveform.ndim != 2 or 0 in waveform.shape:
        raise InputError(
            f"a sound has the shape {waveform.shape}: expected [channels, samples] with samples."
        )
    if not np.isfinite(waveform).all():
        raise InputError(
            "a sound holds values that are no numbers (NaN or infinite); expected samples in ±1."
        )


def _windows(sound: FloatArray) -> Iterator[FloatArray]:
    """Windows [480000] of a sound [n]: itself, repeated, or pieces that cover it evenly."""
    samples = len(sound)
    if samples < WINDOW:
        repeated = np.tile(sound, WINDOW // samples)
        yield np.pad(repeated, (0, WINDOW - len(repeated)))
        return
    for start in np.linspace(0, samples - WINDOW, math.ceil(samples / WINDOW)).round().astype(int):
        yield sound[start : start + WINDOW]


def _audio_state(weights: Path) -> Mapping[str, Tensor]:
    """The tensors of `audio_branch.*` and `audio_projection.*`, whatever stands before these names.

    laion_clap's files have nothing or `module.` there, AudioLDM's `cond_stage_model.model.`.

    Raises:
        WeightsError: the file cannot be read, or has no audio tower.
    """
    content = read_checkpoint(weights)
    state = content.get("state_dict", content)
    sign = f"{_TOWER}patch_embed.proj.weight"
    prefixes = [key.removesuffix(sign) for key in state if key.endswith(sign)]
    if len(prefixes) != 1:
        raise WeightsError(
            f"{weights}: expected one audio tower ({sign}, maybe after module. or cond_stage_model.model.), "
            f"found {len(prefixes)} in {len(state)} keys; use a checkpoint of laion_clap with HTSAT, or "
            "AudioLDM's original .ckpt (a diffusers folder has no audio tower)."
        )
    wanted = (prefixes[0] + _TOWER, prefixes[0] + _PROJECTION)
    return {key.removeprefix(prefixes[0]): state[key] for key in state if key.startswith(wanted)}


def _untrained_tower(weights: Path, state: Mapping[str, Tensor]) -> Any:
    """HTSAT of the sizes that a state has.

    Raises:
        BundleError: laion_clap is not installed.
        WeightsError: the keys that tell the sizes are missing or of another network.
    """
    try:
        sizes = _sizes(state)
    except (KeyError, IndexError, ValueError) as error:
        raise WeightsError(
            f"{weights}: not an HTSAT audio tower (no fusion): {error!r}; "
            "use a checkpoint of laion_clap without fusion, or AudioLDM's original .ckpt."
        ) from error
    htsat = _htsat()
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.meshgrid", category=UserWarning)
        return htsat(**sizes)


def _sizes(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """The arguments of HTSAT's class that lead to tensors of these shapes."""
    table = "blocks.0.attn.relative_position_bias_table"
    layers = 1 + max(int(key.split(".")[2]) for key in state if key.startswith(f"{_TOWER}layers."))
    tables = [state[f"{_TOWER}layers.{i}.{table}"].shape for i in range(layers)]
    embed_dim, _, patch, _ = state[f"{_TOWER}patch_embed.proj.weight"].shape
    spectrum = state[f"{_TOWER}spectrogram_extractor.stft.conv_real.weight"].shape[2]
    mel_bins = state[f"{_TOWER}bn0.weight"].shape[0]
    return {
        "spec_size": _SPECTROGRAM_SIDE,
        "patch_size": patch,
        "patch_stride": (patch, patch),
        "num_classes": state[f"{_TOWER}head.weight"].shape[0],
        "embed_dim": embed_dim,
        "depths": [_depth(state, i) for i in range(layers)],
        "num_heads": [heads for _, heads in tables],
        "window_size": (math.isqrt(tables[0][0]) + 1) // 2,
        "config": SimpleNamespace(
            mel_bins=mel_bins,
            window_size=spectrum,
            hop_size=_HOP,
            sample_rate=SAMPLE_RATE,
            fmin=_LOWEST,
            fmax=_HIGHEST,
        ),
    }


def _depth(state: Mapping[str, Tensor], layer: int) -> int:
    prefix = f"{_TOWER}layers.{layer}.blocks."
    return 1 + max(int(key.removeprefix(prefix).split(".")[0]) for key in state if key.startswith(prefix))


def _htsat() -> Any:
    """laion_clap's HTSAT, without laion_clap's own start.

    `import laion_clap` takes 8 s, brings in what only its training needs, and puts its folder on `sys.path`,
    where it answers to names like `training`; the file of the network alone does none of that.

    Raises:
        BundleError: laion_clap is not installed.
    """
    if _PACKAGE not in sys.modules:
        spec = find_spec("laion_clap")
        if spec is None or not spec.submodule_search_locations:
            raise BundleError(
                "CLAP of sounds needs the package laion_clap; install foley-daemon[released] (numpy below 2)"
            )
        package = ModuleType(_PACKAGE)
        package.__path__ = [str(Path(spec.submodule_search_locations[0]) / "clap_module")]
        sys.modules[_PACKAGE] = package
    return importlib.import_module(f"{_PACKAGE}.htsat").HTSAT_Swin_Transformer
