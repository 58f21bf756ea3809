"""AudioLDM's networks and the loop that samples them: CLAP → latent → mel spectrogram → waveform.

    noise [B, 8, T, 16] ─▶ UNet, step by step, guided ─▶ latent ─▶ VAE ─▶ mel [4·T, 64] ─▶ HiFi-GAN ─▶ 16 kHz

`faithful` is DDIM (Song et al. 2021, eq. 12), 200 steps, η 1; `fast` is DPM-Solver++ (Lu et al. 2022), the
multistep solver of second order, 25 steps evenly spaced in log SNR. Both are guided without a classifier
(Ho & Salimans 2022): ε = ε(∅) + g·(ε(CLAP) − ε(∅)), where ∅ is the CLAP vector of the empty text. Every draw
is made on the CPU from the generator of the one sound that it is for, so the result depends neither on the
device's generator nor on which sounds are computed together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ssv2a.errors import WeightsError
from ssv2a.on_demand import OnDemand
from ssv2a.synthesis.audioldm_checkpoint import Part, State, open_parts
from ssv2a.types import SAMPLE_RATE

LENGTH_STEP = 64  # latent frames: 2.56 s, the original's nominal 2.5 s
_LOOK_AHEAD = 32  # mel frames; 22 by the vocoder's kernels, the rest for who resamples the sound
_BOS, _EOS = 0, 2  # RoBERTa's tokens around a text: all that is left of the empty one


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the loop runs."""

    solver: Literal["faithful", "fast"]
    steps: int
    guidance: float  # 1: none
    eta: float  # of DDIM: 0 no noise after the first, 1 as much as in training


@dataclass(frozen=True, slots=True)
class Sizes:
    """What the configurations say about shapes."""

    clap_dim: int
    channels: int  # of a latent
    height: int  # of a latent: mel bands after the VAE
    hop: int  # samples of the waveform per latent frame
    mel_hop: int  # and per mel frame
    sample_rate: int  # Hz, of the waveform

    def frames(self, n_samples: int) -> int:
        """Latent frames that cover `n_samples` at SAMPLE_RATE: a multiple of LENGTH_STEP."""
        needed = Fraction(n_samples * self.sample_rate, SAMPLE_RATE * self.hop)
        return max(1, -(-needed // LENGTH_STEP)) * LENGTH_STEP


class LatentDiffusion:
    """AudioLDM's networks, each loaded when it is first needed.

    Args:
        parts: of a model, see `open_parts`.
        where: the model's name in messages.
        device: where the networks run.
        dtype: of the UNet; the VAE and the vocoder keep float32.

    Raises:
        WeightsError: it is no AudioLDM, or its text tower does not fit its configuration.
    """

    def __init__(
        self, parts: Mapping[str, Part], where: str, device: torch.device, dtype: torch.dtype
    ) -> None:
        self.sizes = _sizes(parts, where)
        self._parts = parts
        self._where = where
        self._device = device
        self._dtype = dtype
        self._nothing = _empty_text(parts["text_encoder"], where)
        self.unet = OnDemand(self._load_unet)
        self.vae = OnDemand(self._load_vae)
        self.vocoder = OnDemand(self._load_vocoder)

    @classmethod
    def open(cls, model: Path, device: torch.device, dtype: torch.dtype) -> LatentDiffusion:
        """Open a diffusers folder or an original checkpoint.

        Raises:
            WeightsError: it is neither, or not whole.
        """
        return cls(open_parts(model), str(model), device, dtype)

    def denoise(
        self,
        claps: Tensor,
        seeds: Sequence[int],
        frames: int,
        sampling: Sampling,
        on_step: Callable[[], None] | None = None,
    ) -> Tensor:
        """Latents of sounds that have these CLAP vectors.

        Args:
            claps: [B, clap_dim], L2-normalised; fed as they are.
            seeds: one a sound.
            frames: T, a multiple of 8.
            sampling: how the loop runs.
            on_step: called after every step.

        Returns:
            [B, channels, T, height] float32 on the CPU.
        """
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        scheduler = _scheduler(self._parts["scheduler"].config, sampling)
        unet, guided = self.unet.get(), sampling.guidance != 1
        labels = torch.cat([self._nothing.expand_as(claps), claps]) if guided else claps
        labels = labels.to(self._device, self._dtype)
        with torch.inference_mode():
            latents = self._noise(generators, frames) * scheduler.init_noise_sigma
            for moment in scheduler.timesteps:
                x = latents.to(self._dtype)
                x = torch.cat([x, x]) if guided else x
                predicted = unet(x, moment, encoder_hidden_states=None, class_labels=labels).sample.float()
                if guided:
                    without, towards = predicted.chunk(2)
                    predicted = without + sampling.guidance * (towards - without)
                options = self._step_options(sampling, generators, frames)
                latents = scheduler.step(predicted, moment, latents, **options).prev_sample
                if on_step is not None:
                    on_step()
            result: Tensor = latents.cpu()
        return result

    def mel(self, latent: Tensor) -> Tensor:
        """The mel spectrogram [4·T, mels] of one latent [channels, T, height]."""
        vae = self.vae.get()
        with torch.inference_mode():
            scaled = latent[None].to(self._device) / vae.config.scaling_factor
            spectrogram: Tensor = vae.decode(scaled).sample[0, 0].cpu()
        return spectrogram

    def waveform(self, mel: Tensor, n_samples: int | None = None) -> Tensor:
        """The sound of one mel spectrogram [frames, mels], at `sizes.sample_rate`.

        Args:
            mel: the spectrogram.
            n_samples: how many samples are needed; what lies beyond what the vocoder looks ahead is left out.
                None: all.

        Returns:
            At least `n_samples`, the same as of the whole spectrogram, and some more.
        """
        vocoder = self.vocoder.get()
        needed = len(mel) if n_samples is None else -(-n_samples // self.sizes.mel_hop) + _LOOK_AHEAD
        with torch.inference_mode():
            sound: Tensor = vocoder(mel[:needed].to(self._device)).cpu()
        return sound

    def _noise(self, generators: Sequence[torch.Generator], frames: int) -> Tensor:
        """[B, channels, T, height] of unit noise, each sound's from its own generator."""
        shape = (1, self.sizes.channels, frames, self.sizes.height)
        return torch.cat([torch.randn(shape, generator=one) for one in generators]).to(self._device)

    def _step_options(
        self, sampling: Sampling, generators: Sequence[torch.Generator], frames: int
    ) -> dict[str, Any]:
        if sampling.solver == "fast" or not sampling.eta:
            return {}
        return {"eta": sampling.eta, "variance_noise": self._noise(generators, frames)}

    def _load_unet(self) -> nn.Module:
        with torch.device("meta"):
            unet = _library("diffusers").UNet2DConditionModel.from_config(dict(self._parts["unet"].config))
        return self._filled(unet, "unet", self._dtype, channels_last=self._dtype != torch.float32)

    def _load_vae(self) -> Any:
        with torch.device("meta"):
            vae = _library("diffusers").AutoencoderKL.from_config(dict(self._parts["vae"].config))
        del vae.encoder, vae.quant_conv  # nothing is encoded here
        return self._filled(vae, "vae", torch.float32, channels_last=True)

    def _load_vocoder(self) -> nn.Module:
        transformers = _library("transformers")
        with torch.device("meta"):
            config = transformers.SpeechT5HifiGanConfig(**self._parts["vocoder"].config)
            vocoder = transformers.SpeechT5HifiGan(config)
        return self._filled(vocoder, "vocoder", torch.float32)

    def _filled(
        self, network: nn.Module, name: str, dtype: torch.dtype, *, channels_last: bool = False
    ) -> nn.Module:
        """`network` with the weights of the part `name`, on the device, for inference.

        Weights that need no change stay where they are: in the file, mapped into memory.
        """
        state = self._parts[name].state()
        _check(network.state_dict(), state, f"{self._where}, {name}")
        tensors = {}
        for key, tensor in state.items():
            last = channels_last and tensor.ndim == 4
            order = torch.channels_last if last else torch.preserve_format
            tensors[key] = tensor.to(self._device, dtype, memory_format=order)
        network.load_state_dict(tensors, assign=True)
        return network.eval().requires_grad_(False)


def _library(name: str) -> Any:
    """A library that takes seconds to import and has no types."""
    return import_module(name)


def _sizes(parts: Mapping[str, Part], where: str) -> Sizes:
    unet, vae, vocoder = (parts[name].config for name in ("unet", "vae", "vocoder"))
    if not unet.get("projection_class_embeddings_input_dim"):
        raise WeightsError(
            f"{where}: its UNet takes no CLAP vector, so it is no AudioLDM (AudioLDM 2 is another model). "
            "Use cvssp/audioldm-s-full-v2 or another AudioLDM of the first kind."
        )
    try:
        halvings = 2 ** (len(vae["block_out_channels"]) - 1)  # of both axes by the VAE
        return Sizes(
            clap_dim=unet["projection_class_embeddings_input_dim"],
            channels=unet["in_channels"],
            height=vocoder["model_in_dim"] // halvings,
            hop=halvings * math.prod(vocoder["upsample_rates"]),
            mel_hop=math.prod(vocoder["upsample_rates"]),
            sample_rate=vocoder["sampling_rate"],
        )
    except (KeyError, TypeError) as error:
        raise WeightsError(f"{where}: a configuration lacks {error}. Fetch the model again.") from error


def _scheduler(config: Mapping[str, Any], sampling: Sampling) -> Any:
    """The solver's own numbers, for one run: DPM-Solver++ remembers its last step."""
    diffusers = _library("diffusers")
    if sampling.solver == "faithful":
        scheduler = diffusers.DDIMScheduler.from_config(dict(config))
    else:
        scheduler = diffusers.DPMSolverMultistepScheduler.from_config(
            dict(config), algorithm_type="dpmsolver++", solver_order=2, use_lu_lambdas=True
        )
    scheduler.set_timesteps(sampling.steps)
    return scheduler


def _empty_text(part: Part, where: str) -> Tensor:
    """The CLAP vector [1, clap_dim] of "", L2-normalised: what guidance leads away from.

    The tower is left again: the vector is all that is needed of it.
    """
    transformers = _library("transformers")
    with torch.device("meta"):
        tower = transformers.ClapTextModelWithProjection(transformers.ClapTextConfig(**part.config))
    counted = {  # positions and token types: not learned, and not in every file
        key: torch.arange(buffer.shape[-1])[None]
        if key.endswith("position_ids")
        else torch.zeros_like(buffer, device="cpu")
        for key, buffer in tower.named_buffers()
    }
    state = {**part.state(), **counted}
    _check(tower.state_dict(), state, f"{where}, text_encoder")
    tower.load_state_dict(state, assign=True)
    with torch.inference_mode():
        vector: Tensor = tower.float().eval()(torch.tensor([[_BOS, _EOS]])).text_embeds
    return nn.functional.normalize(vector, dim=-1).clone()


def _check(wanted: State, found: State, where: str) -> None:
    """Refuse weights that do not fit their network, naming every fault."""
    faults = [f"{key}: missing" for key in wanted if key not in found]
    faults += [f"{key}: unexpected" for key in found if key not in wanted]
    faults += [
        f"{key}: expected shape {list(wanted[key].shape)}, got {list(found[key].shape)}"
        for key in wanted.keys() & found.keys()
        if wanted[key].shape != found[key].shape
    ]
    if faults:
        raise WeightsError(
            "\n  ".join(
                (f"{where}: does not fit its configuration, {len(faults)} fault(s):", *sorted(faults))
            )
        )
