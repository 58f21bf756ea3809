"""AudioLDM's weights, read from a diffusers folder or from the original checkpoint, part by part.

The original `.ckpt` (Liu et al. 2023) is one table of tensors: `model.diffusion_model.*` the UNet as it was
trained, `model_ema.*` its moving average with the dots left out of the names, `first_stage_model.*` the VAE
and, beneath `vocoder.`, the HiFi-GAN, `cond_stage_model.model.*` CLAP. The sizes are read off the shapes;
what shapes do not tell is the architecture's. Nothing but tensors and plain values is ever unpickled.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ssv2a.errors import WeightsError
from ssv2a.weights import read_checkpoint

State = Mapping[str, Tensor]

_FOLDER_PARTS = ("unet", "vae", "vocoder", "text_encoder")
_WEIGHT_FILES = (  # of a part's folder, the first that is there; the last two are pickles
    "diffusion_pytorch_model.safetensors",
    "model.safetensors",
    "diffusion_pytorch_model.bin",
    "pytorch_model.bin",
)
_OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}  # before 0.16
_SCHEDULER = {  # of the training of every AudioLDM: square roots of β linear, the first step at t = 1
    "num_train_timesteps": 1000,
    "beta_start": 0.0015,
    "beta_end": 0.0195,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
    "clip_sample": False,
    "set_alpha_to_one": False,
}
_UPSAMPLE_RATES = (5, 4, 2, 2, 2)  # of the vocoder: 160 samples a mel frame
_DILATIONS = (1, 3, 5)  # of every residual block of the vocoder
_SMALL_WIDTH = 128  # of the UNet's first level up to which heads are 32 wide, else 64
_UNSET_HEADS = 8  # heads of every level: diffusers' default, which its converter left in AudioLDM's folders
_ROBERTA_EPS = 1e-5

_RESNET = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
_UNET_ENDS = {
    "time_embed.0": "time_embedding.linear_1",
    "time_embed.2": "time_embedding.linear_2",
    "film_emb": "class_embedding",
    "input_blocks.0.0": "conv_in",
    "out.0": "conv_norm_out",
    "out.2": "conv_out",
}
_VAE_MIDDLE = {"block_1": "resnets.0", "block_2": "resnets.1", "attn_1": "attentions.0"}
_VAE_ATTENTION = {"norm": "group_norm", "q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0"}


@dataclass(frozen=True, slots=True)
class Part:
    """One network: its sizes, spelt as diffusers or transformers do, and its tensors, read when asked for."""

    config: Mapping[str, Any]
    state: Callable[[], State]


def open_parts(path: Path) -> Mapping[str, Part]:
    """The parts of a model: `unet`, `vae` (its decoder alone), `vocoder`, `text_encoder` and `scheduler`.

    Args:
        path: a folder as diffusers writes it, or the original checkpoint.

    Raises:
        WeightsError: it is neither, something in it is missing, or it holds more than tensors.
    """
    return _folder_parts(path) if path.is_dir() else _checkpoint_parts(path)


def _folder_parts(folder: Path) -> Mapping[str, Part]:
    parts = {
        name: Part(_config(folder / name / "config.json"), partial(_folder_state, folder / name))
        for name in _FOLDER_PARTS
    }
    unet = parts["unet"]
    if unet.config.get("attention_head_dim") == _UNSET_HEADS:
        widths = unet.config.get("block_out_channels", ())
        parts["unet"] = Part({**unet.config, "attention_head_dim": _heads(widths)}, unet.state)
    scheduler = _config(folder / "scheduler" / "scheduler_config.json")
    return {**parts, "scheduler": Part(scheduler, dict)}


def _heads(widths: Sequence[int]) -> list[int]:
    """Attention heads of each level of the original UNet."""
    head = 32 if widths and widths[0] <= _SMALL_WIDTH else 64
    return [width // head for width in widths]


def _config(file: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"{file}: cannot be read: {error}. A diffusers folder of AudioLDM has it; fetch the folder again."
        ) from error
    if not isinstance(content, dict):
        raise WeightsError(f"{file}: expected a table, got {type(content).__name__}. Fetch the folder again.")
    return content


def _folder_state(folder: Path) -> State:
    file = next((folder / name for name in _WEIGHT_FILES if (folder / name).is_file()), None)
    if file is None:
        raise WeightsError(
            f"{folder}: has no weights; expected one of {', '.join(_WEIGHT_FILES)}. Fetch it again."
        )
    state = read_checkpoint(file)
    return {
        new: tensor for key, tensor in state.items() if (new := _folder_key(folder.name, key)) is not None
    }


def _folder_key(part: str, key: str) -> str | None:
    """The key as today's classes spell it; None where we do not use the tensor."""
    if part != "vae":
        return key
    if not key.startswith(("decoder.", "post_quant_conv.")):
        return None
    *place, layer, kind = key.split(".")
    return ".".join((*place, _OLD_ATTENTION.get(layer, layer), kind)) if "attentions" in place else key


def _checkpoint_parts(file: Path) -> Mapping[str, Part]:
    tensors = _tensors(file)
    try:
        unet, layers = _diffusion_config(tensors)
        vae, vocoder, text = _vae_config(tensors), _vocoder_config(tensors), _text_config(tensors)
    except (KeyError, IndexError, ValueError) as error:
        raise WeightsError(
            f"{file}: is no AudioLDM checkpoint: {error} is missing or misshapen. Expected the released "
            "`audioldm-s-full-v2.ckpt`, another size of it, or a diffusers folder."
        ) from error
    return {
        "unet": Part(unet, partial(_diffusion_state, file, layers)),
        "vae": Part(vae, partial(_vae_state, file)),
        "vocoder": Part(vocoder, partial(_vocoder_state, file)),
        "text_encoder": Part(text, partial(_text_state, file)),
        "scheduler": Part(_SCHEDULER, dict),
    }


def _tensors(file: Path) -> State:
    """What an original checkpoint holds; Lightning puts a table of other things around it."""
    content = read_checkpoint(file)
    table = content.get("state_dict", content)
    return {key: value for key, value in table.items() if isinstance(value, Tensor)}


def _beneath(tensors: State, prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}


def _renamed(key: str, names: Mapping[str, str]) -> str:
    """`key` with the longest of `names` that it begins with exchanged."""
    for old in sorted(names, key=len, reverse=True):
        if key == old or key.startswith(f"{old}."):
            return names[old] + key.removeprefix(old)
    return key


def _diffusion_config(tensors: State) -> tuple[dict[str, Any], int]:
    """Sizes of the UNet, and how many residual blocks a level has."""
    unet = _beneath(tensors, "model.diffusion_model.")
    count = 1 + max(int(key.split(".")[1]) for key in unet if key.startswith("input_blocks."))
    ends = [index for index in range(count) if f"input_blocks.{index}.0.op.weight" in unet]
    layers = ends[0] - 1
    last = [end - 1 for end in (*ends, count)]  # the last residual block of every level
    widths = [unet[f"input_blocks.{index}.0.out_layers.3.weight"].shape[0] for index in last]
    attends = [f"input_blocks.{index}.1.norm.weight" in unet for index in last]
    down = ["CrossAttnDownBlock2D" if there else "DownBlock2D" for there in attends]
    config = {
        "in_channels": unet["input_blocks.0.0.weight"].shape[1],
        "out_channels": unet["out.2.weight"].shape[0],
        "block_out_channels": widths,
        "layers_per_block": layers,
        "down_block_types": down,
        "up_block_types": [name.replace("Down", "Up") for name in reversed(down)],
        "attention_head_dim": _heads(widths),  # diffusers' name for the number of heads
        "cross_attention_dim": widths,
        "class_embed_type": "simple_projection",
        "projection_class_embeddings_input_dim": unet["film_emb.weight"].shape[1],
        "class_embeddings_concat": True,
    }
    return config, layers


def _diffusion_state(file: Path, layers: int) -> State:
    """The UNet's moving average, or the trained weights where the file holds no average."""
    tensors = _tensors(file)
    prefix = "model.diffusion_model."
    names = [key.removeprefix(prefix) for key in tensors if key.startswith(prefix)]
    averaged = any(key.startswith("model_ema.diffusion_model") for key in tensors)
    stored = {
        name: f"model_ema.diffusion_model{name.replace('.', '')}" if averaged else prefix + name
        for name in names
    }
    if missing := [f"{key}: missing" for key in stored.values() if key not in tensors]:
        raise WeightsError(
            "\n  ".join((f"{file}: the moving average is not whole; fetch it again:", *missing))
        )
    return {_unet_key(name, layers): tensors[key] for name, key in stored.items()}


def _unet_key(key: str, layers: int) -> str:
    """A key of the original UNet as diffusers spells it: blocks are counted through all levels there."""
    found = re.match(r"(input_blocks|middle_block|output_blocks)\.(\d+)\.(?:(\d+)\.)?(.+)", key)
    if found is None or key.startswith("input_blocks.0."):
        return _renamed(key, _UNET_ENDS)
    side, index, rest = found[1], int(found[2]), found[4]
    if side == "middle_block":
        rest = key.split(".", 2)[2]
        place = "mid_block.attentions.0" if index == 1 else f"mid_block.resnets.{index // 2}"
        return f"{place}.{_renamed(rest, _RESNET)}"
    level, layer = divmod(index - 1 if side == "input_blocks" else index, layers + 1)
    place = f"{'down' if side == 'input_blocks' else 'up'}_blocks.{level}"
    if rest.startswith("op."):
        return f"{place}.downsamplers.0.conv.{rest.removeprefix('op.')}"
    if rest.startswith("conv."):
        return f"{place}.upsamplers.0.{rest}"
    kind = "resnets" if found[3] == "0" else "attentions"
    return f"{place}.{kind}.{layer}.{_renamed(rest, _RESNET)}"


def _vae_config(tensors: State) -> dict[str, Any]:
    decoder = _beneath(tensors, "first_stage_model.decoder.")
    levels = 1 + max(int(key.split(".")[1]) for key in decoder if key.startswith("up."))
    blocks = 1 + max(int(key.split(".")[3]) for key in decoder if key.startswith("up.0.block."))
    return {
        "in_channels": decoder["conv_out.weight"].shape[0],
        "out_channels": decoder["conv_out.weight"].shape[0],
        "latent_channels": decoder["conv_in.weight"].shape[1],
        "block_out_channels": [
            decoder[f"up.{level}.block.0.conv1.weight"].shape[0] for level in range(levels)
        ],
        "layers_per_block": blocks - 1,
        "down_block_types": ["DownEncoderBlock2D"] * levels,
        "up_block_types": ["UpDecoderBlock2D"] * levels,
        "scaling_factor": float(tensors["scale_factor"]),
    }


def _vae_state(file: Path) -> State:
    """The decoder; 1×1 convolutions of its attention are linear layers in diffusers."""
    tensors = _tensors(file)
    decoder = _beneath(tensors, "first_stage_model.decoder.")
    levels = 1 + max(int(key.split(".")[1]) for key in decoder if key.startswith("up."))
    state = {_vae_key(key, levels): tensor for key, tensor in decoder.items()}
    flat = {
        key: tensor[:, :, 0, 0] if "attentions" in key and tensor.ndim == 4 else tensor
        for key, tensor in state.items()
    }
    last = _beneath(tensors, "first_stage_model.post_quant_conv.")
    return flat | {f"post_quant_conv.{key}": tensor for key, tensor in last.items()}


def _vae_key(key: str, levels: int) -> str:
    """A key of the original decoder as diffusers spells it: levels are counted from the other end."""
    key = _renamed(key, {"norm_out": "conv_norm_out"}).replace("nin_shortcut", "conv_shortcut")
    parts = key.split(".")
    if parts[0] == "mid":
        rest = ".".join(parts[2:])
        rest = _renamed(rest, _VAE_ATTENTION) if parts[1] == "attn_1" else rest
        return f"decoder.mid_block.{_VAE_MIDDLE[parts[1]]}.{rest}"
    if parts[0] == "up":
        place = f"decoder.up_blocks.{levels - 1 - int(parts[1])}"
        if parts[2] == "upsample":
            return f"{place}.upsamplers.0.{'.'.join(parts[3:])}"
        return f"{place}.resnets.{'.'.join(parts[3:])}"
    return f"decoder.{key}"


def _vocoder_config(tensors: State) -> dict[str, Any]:
    vocoder = _beneath(tensors, "first_stage_model.vocoder.")
    rates = len(_UPSAMPLE_RATES)
    kinds = len({key.split(".")[1] for key in vocoder if key.startswith("resblocks.")}) // rates
    if f"ups.{rates}.weight" in vocoder:
        raise ValueError(f"a vocoder of {rates} upsampling layers")
    return {
        "model_in_dim": vocoder["conv_pre.weight"].shape[1],
        "sampling_rate": 16_000,
        "upsample_initial_channel": vocoder["conv_pre.weight"].shape[0],
        "upsample_rates": list(_UPSAMPLE_RATES),
        "upsample_kernel_sizes": [vocoder[f"ups.{index}.weight"].shape[2] for index in range(rates)],
        "resblock_kernel_sizes": [
            vocoder[f"resblocks.{index}.convs1.0.weight"].shape[2] for index in range(kinds)
        ],
        "resblock_dilation_sizes": [list(_DILATIONS)] * kinds,
        "normalize_before": False,
    }


def _vocoder_state(file: Path) -> State:
    state = {
        _renamed(key, {"ups": "upsampler"}): tensor
        for key, tensor in _beneath(_tensors(file), "first_stage_model.vocoder.").items()
    }
    mels = state["conv_pre.weight"].shape[1]
    return state | {"mean": torch.zeros(mels), "scale": torch.ones(mels)}  # there, but not used


def _text_config(tensors: State) -> dict[str, Any]:
    """CLAP's text tower: RoBERTa with heads of 64."""
    text = _beneath(tensors, "cond_stage_model.model.text_branch.")
    words = text["embeddings.word_embeddings.weight"]
    layers = 1 + max(int(key.split(".")[2]) for key in text if key.startswith("encoder.layer."))
    return {
        "vocab_size": words.shape[0],
        "hidden_size": words.shape[1],
        "num_hidden_layers": layers,
        "num_attention_heads": max(1, words.shape[1] // 64),
        "intermediate_size": text["encoder.layer.0.intermediate.dense.weight"].shape[0],
        "max_position_embeddings": text["embeddings.position_embeddings.weight"].shape[0],
        "type_vocab_size": text["embeddings.token_type_embeddings.weight"].shape[0],
        "projection_dim": tensors["cond_stage_model.model.text_projection.2.weight"].shape[0],
        "layer_norm_eps": _ROBERTA_EPS,
    }


def _text_state(file: Path) -> State:
    names = {
        "text_branch": "text_model",
        "text_projection.0": "text_projection.linear1",
        "text_projection.2": "text_projection.linear2",
    }
    tower = _beneath(_tensors(file), "cond_stage_model.model.")
    return {
        _renamed(key, names): tensor
        for key, tensor in tower.items()
        if key.startswith(("text_branch.", "text_projection."))
    }
