"""CLIP as open_clip implements it: the image and text encoder of the released model (Radford et al. 2021).

Pictures run in the precision that the device is quick in, texts in float32. Measured with a ViT-L/14 of
random weights: vectors in bfloat16 have a cosine of 0.9999 with those in float32, and a batch of 8 takes 2 to
3 CPU seconds instead of 9 to 10 on a processor that multiplies bfloat16. Others stay in float32.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from ssv2a.errors import BundleError, ConfigurationError, WeightsError
from ssv2a.types import ByteArray, FloatArray
from ssv2a.weights import fill, read_checkpoint

if TYPE_CHECKING:
    from open_clip.model import CLIP

ARCHITECTURE = "ViT-L-14-quickgelu"  # of OpenAI's weights
VOCABULARY = 49_408  # tokens
BATCH = 8  # pictures of one run
TEXT_BATCH = 32  # texts of one run
LONGEST_TEXT = 4096  # characters that are read; 77 tokens are full long before

MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)  # OpenAI's, of red, green and blue
DEVIATION = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)

_BESIDES = (
    "input_resolution",
    "context_length",
    "vocab_size",
)  # numbers beside the weights in OpenAI's files


@dataclass(frozen=True, slots=True)
class ClipTexts:
    """Texts as CLIP reads them, in the form that LAION's DALL-E 2 prior takes."""

    vectors: FloatArray  # [n, dim], L2-normalised
    encodings: FloatArray  # [n, tokens, width] after the last layer's normalisation, zero where masked
    mask: NDArray[np.bool_]  # [n, tokens], true from the start token to the end token


class OpenClip:
    """Pictures and texts to vectors of one space.

    Args:
        model: open_clip's CLIP with a vision transformer, weights in it.
        device: where it runs.
    """

    def __init__(self, model: CLIP, device: torch.device) -> None:
        from open_clip.tokenizer import SimpleTokenizer

        self._model = model.to(device).eval().requires_grad_(False)
        self._device = device
        self._tokenizer = SimpleTokenizer(context_length=model.context_length)
        self._side = int(model.visual.image_size[0])

    @classmethod
    def load(
        cls,
        weights: Path,
        device: torch.device,
        *,
        architecture: str | None = None,
        config: Path | None = None,
    ) -> OpenClip:
        """Read weights of open_clip: safetensors, or a torch file of tensors and plain values alone.

        Args:
            weights: the file. OpenAI's own `.pt` is a TorchScript program and is refused; the same weights
                are published as open_clip's.
            device: where it runs: float16 for pictures on CUDA, bfloat16 on processors that multiply it.
            architecture: open_clip's name of it, by default `ARCHITECTURE`.
            config: JSON of its sizes instead (open_clip's `model_cfg`, or a file that has one).

        Raises:
            BundleError: a file is missing.
            WeightsError: the file cannot be read, or names every key that is missing, unexpected, misshapen.
            ConfigurationError: the architecture is unknown or is not one that can be used here.
        """
        from open_clip.model import CLIP, convert_weights_to_lp

        sizes = _sizes(architecture or ARCHITECTURE, config)
        precision = picture_precision(device)
        cast = None if precision == torch.float32 else precision
        try:
            with torch.device("meta"):  # shapes only: every tensor comes from the file
                model = CLIP(**sizes, cast_dtype=cast)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            where = config or architecture
            raise ConfigurationError(f"{where}: not an architecture of open_clip: {error}") from error
        fill({"clip": model}, {"clip": _state(weights)}, str(weights))
        model.attn_mask = torch.full_like(model.attn_mask, -torch.inf, device="cpu").triu(
            1
        )  # no text sees ahead
        if cast:
            convert_weights_to_lp(model.visual, dtype=cast)
        return cls(model, device)

    @property
    def dim(self) -> int:
        """Features of a vector."""
        return int(self._model.visual.output_dim)

    def images(self, images: Iterable[ByteArray]) -> FloatArray:
        """Vectors [n, dim], L2-normalised, of pictures [height, width, 3] RGB of any sizes.

        Pictures are taken as they are needed, `BATCH` at a time.
        """
        precision = self._model.visual.conv1.weight.dtype
        vectors = [np.zeros((0, self.dim), np.float32)]
        for batch in _batches(images):
            pixels = torch.from_numpy(np.stack([preprocess(image, self._side) for image in batch]))
            with torch.inference_mode():
                features = self._model.encode_image(pixels.to(self._device, precision)).float()
                vectors.append(functional.normalize(features, dim=-1).cpu().numpy())
        return np.concatenate(vectors)

    def texts(self, texts: Sequence[str]) -> ClipTexts:
        """Texts, each cut at 77 tokens (start and end included), which are about 50 English words."""
        tokens = self._tokenizer([_beginning(text) for text in texts])  # [n, tokens], 0 after the end
        ended = (tokens == self._tokenizer.eot_token_id).cumsum(dim=1)
        mask = functional.pad(ended == 0, (1, -1), value=True)  # the end token itself included
        parts = [self._read(part) for part in tokens.split(TEXT_BATCH)] if len(texts) else []
        width = int(self._model.ln_final.weight.shape[0])
        vectors = [np.zeros((0, self.dim), np.float32), *(vector for vector, _ in parts)]
        encodings = [np.zeros((0, tokens.shape[1], width), np.float32), *(encoding for _, encoding in parts)]
        shown = mask.numpy()
        return ClipTexts(np.concatenate(vectors), np.concatenate(encodings) * shown[:, :, None], shown)

    def _read(self, tokens: Tensor) -> tuple[FloatArray, FloatArray]:
        """Vectors and per-token encodings of [n, tokens]."""
        seen: list[Tensor] = []
        hook = self._model.ln_final.register_forward_hook(lambda _module, _inputs, out: seen.append(out))
        try:
            with torch.inference_mode():
                vectors = self._model.encode_text(tokens.to(self._device), normalize=True)
        finally:
            hook.remove()
        return vectors.float().cpu().numpy(), seen[0].float().cpu().numpy()


def preprocess(image: ByteArray, side: int) -> FloatArray:
    """A picture as CLIP takes it: [3, side, side], normalised with OpenAI's mean and deviation.

    As with torchvision's `Resize(side, BICUBIC)` and `CenterCrop(side)`, the shorter side becomes `side` and
    the middle is taken. A picture 2048 pixels wide and 1 high needs 0.3 GB on the way; others far less.
    """
    height, width = image.shape[:2]
    short = min(height, width)
    new_width, new_height = int(side * width / short), int(side * height / short)
    left, top = round((new_width - side) / 2), round((new_height - side) / 2)
    resized = Image.fromarray(image).resize((new_width, new_height), Image.Resampling.BICUBIC)
    square = resized.crop((left, top, left + side, top + side))
    pixels = np.asarray(square, np.float32) / 255
    return np.ascontiguousarray(((pixels - MEAN) / DEVIATION).transpose(2, 0, 1))


def picture_precision(device: torch.device) -> torch.dtype:
    """What pictures are computed in: the fastest that the device multiplies natively."""
    if device.type == "cuda":
        return torch.float16
    if device.type == "cpu":
        abilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # torch 2.6 has none
        if any(present for name, present in abilities.items() if "bf16" in name):
            return torch.bfloat16
    return torch.float32


def _batches(images: Iterable[ByteArray]) -> Iterator[list[ByteArray]]:
    rest = iter(images)
    while batch := list(islice(rest, BATCH)):
        yield batch


def _beginning(text: str) -> str:
    """As much of a text as can matter, white space as single blanks."""
    return " ".join(text[: LONGEST_TEXT * 4].split())[:LONGEST_TEXT]


def _sizes(architecture: str, config: Path | None) -> dict[str, Any]:
    """The arguments of open_clip's CLIP."""
    from open_clip.factory import get_model_config, list_models

    if config is None:
        sizes = get_model_config(architecture)
        if sizes is None:
            raise ConfigurationError(
                f"architecture {architecture!r}: unknown to open_clip; expected one such as {ARCHITECTURE} "
                f"out of its {len(list_models())}"
            )
    else:
        sizes = _read_json(config)
    where = config or architecture
    vision, text = sizes.get("vision_cfg", {}), sizes.get("text_cfg", {})
    if {"timm_model_name", "hf_model_name"} & {*vision, *text} or not isinstance(vision.get("layers"), int):
        raise ConfigurationError(
            f"{where}: expected a vision transformer and a text encoder of open_clip's own"
        )
    if not isinstance(vision.get("image_size"), int):
        raise ConfigurationError(f"{where}: image_size: expected one number, got {vision.get('image_size')}")
    if text.get("vocab_size") != VOCABULARY:
        raise ConfigurationError(
            f"{where}: vocab_size: expected CLIP's {VOCABULARY}, got {text.get('vocab_size')}"
        )
    return dict(sizes)


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise BundleError(f"{path}: no such file; expected open_clip's configuration; install it again")
    try:
        content = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ConfigurationError(f"{path}: not JSON: {error}") from error
    sizes = content.get("model_cfg", content) if isinstance(content, dict) else None
    if not isinstance(sizes, dict):
        raise ConfigurationError(f"{path}: expected a table of sizes, got {type(content).__name__}")
    return sizes


def _state(weights: Path) -> dict[str, Any]:
    """The tensors of a file by the names of open_clip."""
    if not weights.is_file():
        raise BundleError(f"{weights}: no such file; expected CLIP's weights; install the bundle again")
    if _is_program(weights):
        raise WeightsError(
            f"{weights}: a TorchScript program, as OpenAI publishes CLIP; a program is not run. Expected the "
            "same weights in open_clip's form: timm/vit_large_patch14_clip_224.openai on the Hugging Face hub"
        )
    content = read_checkpoint(weights)
    state = content.get("state_dict", content)
    if not isinstance(state, Mapping):
        raise WeightsError(f"{weights}: state_dict: expected a table, got {type(state).__name__}")
    return {key.removeprefix("module."): value for key, value in state.items() if key not in _BESIDES}


def _is_program(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())
