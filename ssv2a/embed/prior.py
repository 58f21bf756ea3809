"""Texts to image vectors: sampling LAION's DALL-E 2 prior (Ramesh et al. 2022, section 2.2; Ho et al. 2020).

Two clean vectors are sampled for a text and the one nearer to the text's own vector is kept, as in the paper.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ssv2a.embed.clip import ClipTexts, OpenClip
from ssv2a.embed.prior_network import KeysValues, PriorNetwork, PriorSize
from ssv2a.errors import ConfigurationError, InputError, WeightsError
from ssv2a.on_demand import OnDemand
from ssv2a.types import FloatArray
from ssv2a.weights import fill, read_checkpoint

BETAS = "noise_scheduler.betas"
_IGNORED = ("noise_scheduler.", "clip.")  # follows from the betas; is the image role's own
_REFUSED = ("sampling_clamp_l2norm", "init_image_embed_l2norm", "predict_v")  # never on in the released file


@dataclass(frozen=True, slots=True)
class Step:
    """One step back: less noisy vector = clean·x̂ + noisy·x + noise·ε."""

    time: int  # of x
    clean: float
    noisy: float
    noise: float


def ancestral(betas: NDArray[np.float64]) -> tuple[Step, ...]:
    """All steps, each drawn from q(x_{t−1} | x_t, x̂) (Ho et al. 2020, eq. 6 and 7).

    Args:
        betas: [T] variances of the noise that each step adds.
    """
    alphas = np.cumprod(1 - betas)
    before = np.append(1.0, alphas[:-1])
    clean = betas * np.sqrt(before) / (1 - alphas)
    noisy = (1 - before) * np.sqrt(1 - betas) / (1 - alphas)
    noise = np.sqrt(betas * (1 - before) / (1 - alphas))  # 0 in the last step
    return tuple(
        Step(time, float(clean[time]), float(noisy[time]), float(noise[time]))
        for time in reversed(range(len(betas)))
    )


def implicit(betas: NDArray[np.float64], count: int) -> tuple[Step, ...]:
    """`count` steps of DDIM with η = 1 (Song et al. 2021, eq. 12 and 16), as dalle2-pytorch 1.1.0 takes them.

    That version's cumulative products lag one time step behind the noise that it predicts.

    Args:
        betas: [T] variances of the noise that each step adds.
        count: of the steps, fewer than T.
    """
    alphas = np.cumprod(1 - betas)
    lagging = np.append(1.0, alphas[:-1])
    times = np.linspace(0, len(betas), count + 2)[:-1].astype(np.int64)[::-1]
    steps = []
    for time, following in itertools.pairwise(times.tolist()):
        alpha, later = lagging[time], lagging[following]
        noise = math.sqrt((1 - alpha / later) * (1 - later) / (1 - alpha))
        noisy = math.sqrt(max(1 - later - noise**2, 0.0)) / math.sqrt(1 - alphas[time])
        clean = math.sqrt(later) - noisy * math.sqrt(alphas[time])
        steps.append(Step(time, clean, noisy, noise if following > 0 else 0.0))
    return tuple(steps)


def sample(
    network: PriorNetwork, texts: list[KeysValues], steps: Sequence[Step], draw: Callable[[], Tensor]
) -> Tensor:
    """Clean image vectors [n, dim], scaled by √dim, from noise.

    Args:
        network: the prior.
        texts: what `PriorNetwork.read` made of n texts.
        steps: of `ancestral` or `implicit`.
        draw: the next standard normal noise [n, dim]; called once before the steps and once a step.
    """
    x = draw()
    for step in steps:
        clean = network.denoise(x, step.time, texts)
        x = step.clean * clean + step.noisy * x + step.noise * draw()
    return x


class Prior:
    """The prior, loaded.

    Args:
        network: in evaluation mode from here on.
        betas: [T] the noise schedule that it was trained with.
        steps: sampling steps where the caller names none; None: all T of them.
    """

    def __init__(
        self, network: PriorNetwork, betas: NDArray[np.float64], *, steps: int | None = None
    ) -> None:
        self._network = network.eval().requires_grad_(False)
        self._betas = betas
        self._steps = steps

    @classmethod
    def load(cls, weights: Path, device: torch.device, *, config: Path | None = None) -> Prior:
        """Read LAION's prior: its `.pth`, and the number of sampling steps from its JSON, if there is one.

        The sizes are those of the tensors. The CLIP that the file holds as well is left on the disk.

        Raises:
            WeightsError: the file cannot be read, or every key that is missing, unexpected or misshapen.
            ConfigurationError: the JSON cannot be read or asks for what the released prior does not do.
        """
        content = read_checkpoint(weights)
        state = content.get("model", content)  # a trainer's file has its weights there
        betas, network = _read_betas(weights, state), _read_network(weights, state)
        steps = _configured_steps(config, len(betas)) if config else None
        return cls(network.to(device), betas, steps=steps)

    @property
    def dim(self) -> int:
        """Features of a vector."""
        return self._network.size.dim

    def image_vectors(
        self, texts: ClipTexts, *, seeds: Sequence[int], samples: int = 2, steps: int | None = None
    ) -> FloatArray:
        """Image vectors [n, dim], L2-normalised, that fit some texts.

        Args:
            texts: CLIP's reading of n texts.
            seeds: n, of all draws for a text; the same text and seed give the same vector in any company.
            samples: drawn for each text; the one with the largest cosine to the text's vector is kept.
            steps: fewer than all: DDIM; None: as the configuration says, or all.

        Raises:
            ConfigurationError: more steps than the prior was trained with, or fewer than one; no samples; a
                text encoder of another size.
        """
        self._check(texts, samples)
        schedule = self._schedule(steps)
        device = next(self._network.parameters()).device
        vectors = _tensor(texts.vectors, device)
        mask = torch.from_numpy(np.asarray(texts.mask, bool)).to(device)
        with torch.inference_mode():
            read = self._network.read(_tensor(texts.encodings, device), mask, vectors)
            noises = _noises(seeds, (samples, self.dim))
            found = sample(
                self._network,
                [layer.repeat(samples) for layer in read],
                schedule,
                lambda: next(noises).to(device),
            )
            found = functional.normalize(found, dim=-1).view(len(vectors), samples, -1)
            best = torch.einsum("nsd,nd->ns", found, vectors).argmax(dim=1)
            kept: FloatArray = found[torch.arange(len(best)), best].cpu().numpy()
        return kept

    def _check(self, texts: ClipTexts, samples: int) -> None:
        if texts.vectors.shape[-1] != self.dim or texts.encodings.shape[-1] != self.dim:
            raise ConfigurationError(
                f"the prior reads texts of {self.dim} features, the text encoder gives "
                f"{texts.encodings.shape[-1]} a token and {texts.vectors.shape[-1]} a text; "
                "use the CLIP that the prior was trained with (LAION's: ViT-L/14 of OpenAI)"
            )
        if samples < 1:
            raise ConfigurationError(f"samples of a text: expected 1 or more, got {samples}")

    def _schedule(self, asked: int | None) -> tuple[Step, ...]:
        count = next(number for number in (asked, self._steps, len(self._betas)) if number is not None)
        if not 1 <= count <= len(self._betas):
            raise ConfigurationError(
                f"steps of the prior: expected 1 to {len(self._betas)} as it was trained with, got {count}"
            )
        return ancestral(self._betas) if count == len(self._betas) else implicit(self._betas, count)


class PriorTexts:
    """Texts as sources: CLIP's text encoder, then the prior.

    A text of more than 77 CLIP tokens (start and end included; about 50 English words) is cut there: the
    encoder hears no more, and neither did the released code's.

    Args:
        clip: the encoder whose image space the vectors are in.
        prior: the prior.
        samples: drawn for each text, the best of which is kept.
        guidance: 1; in the released prior's version any other value gives the very same vectors.
        steps: of the sampling; None: as released.

    Raises:
        ConfigurationError: a guidance other than 1.
    """

    def __init__(
        self,
        clip: OnDemand[OpenClip],
        prior: OnDemand[Prior],
        *,
        samples: int = 2,
        guidance: float = 1.0,
        steps: int | None = None,
    ) -> None:
        if guidance != 1.0:
            raise ConfigurationError(
                f"guidance of the prior: expected 1, got {guidance}; in dalle2-pytorch 1.1.0, which LAION's "
                "weights belong to, the unconditional case is the conditional one. Leave it out."
            )
        self._clip = clip
        self._prior = prior
        self._samples = samples
        self._steps = steps

    def embed(self, texts: Sequence[str], *, seed: int) -> FloatArray:
        """Vectors [n, clip_dim] in the space of image vectors, L2-normalised; each by its own text and seed.

        Raises:
            InputError: a text is empty.
        """
        clean = [" ".join(text.split()) for text in texts]
        if not all(clean):
            raise InputError("a text to embed is empty; expected a few words that name a sound or a thing")
        if not clean:
            return np.zeros((0, self._prior.get().dim), np.float32)
        return self._prior.get().image_vectors(
            self._clip.get().texts(clean),
            seeds=[_seed(text, seed) for text in clean],
            samples=self._samples,
            steps=self._steps,
        )


def _seed(text: str, seed: int) -> int:
    """A seed of the text's own, so that different texts get different noise."""
    return int.from_bytes(hashlib.sha256(f"{seed} {text}".encode()).digest()[:7])


def _noises(seeds: Sequence[int], shape: tuple[int, int]) -> Iterator[Tensor]:
    """Noise [n · samples, dim] without end, drawn on the CPU: each text's rows from its own seed."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    while True:
        yield torch.cat([torch.randn(shape, generator=generator) for generator in generators])


def _tensor(array: FloatArray, device: torch.device) -> Tensor:
    return torch.from_numpy(np.asarray(array, np.float32)).to(device)


def _read_betas(weights: Path, state: Mapping[str, Any]) -> NDArray[np.float64]:
    betas = state.get(BETAS)
    if not isinstance(betas, Tensor) or betas.ndim != 1:
        raise WeightsError(
            f"{weights}: expected the noise schedule of a diffusion prior in {BETAS}, found none; "
            "use LAION's prior/latest.pth or prior/best.pth."
        )
    return betas.double().numpy()


def _read_network(weights: Path, state: Mapping[str, Any]) -> PriorNetwork:
    own = {key.removeprefix("net."): value for key, value in state.items() if not key.startswith(_IGNORED)}
    with torch.device("meta"):  # shapes only: every tensor comes from the checkpoint
        network = PriorNetwork(PriorSize.of(own))
    fill({"net": network}, {"net": own}, str(weights))
    return network


def _configured_steps(path: Path, all_steps: int) -> int | None:
    """`prior.sample_timesteps` of LAION's JSON, once the rest is known to be as released.

    Raises:
        ConfigurationError: the file cannot be read, or a switch is on that the released prior has off.
    """
    try:
        prior = json.loads(path.read_text(encoding="utf-8"))["prior"]
        strange = [key for key in _REFUSED if prior.get(key)]
        strange += [] if prior.get("predict_x_start", True) else ["predict_x_start: false"]
        steps = prior.get("sample_timesteps")
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise ConfigurationError(
            f"{path}: expected LAION's prior_config.json with a table `prior`, got: {error!r}"
        ) from error
    if strange or not (steps is None or (isinstance(steps, int) and 1 <= steps <= all_steps)):
        raise ConfigurationError(
            f"{path}: expected a prior that predicts the clean vector and 1 to {all_steps} sample_timesteps, "
            f"got {strange or steps}; use the file that lies beside LAION's weights."
        )
    return steps
