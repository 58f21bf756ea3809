"""AudioLDM in small: random networks of its architecture, as diffusers and as the original write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

CLAP_DIM = 24
SCHEDULER = {
    "num_train_timesteps": 1000,
    "beta_start": 0.0015,
    "beta_end": 0.0195,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
    "clip_sample": False,
    "set_alpha_to_one": False,
}
TINY_WIDTHS = (32, 32, 32, 64)


def networks(
    *,
    widths: tuple[int, ...] = TINY_WIDTHS,
    layers: int = 1,
    vae_widths: tuple[int, ...] = (32, 32, 32),
    mels: int = 64,
    vocoder_width: int = 32,
    clap_dim: int = CLAP_DIM,
    text_width: int = 32,
    text_layers: int = 2,
    vocabulary: int = 40,
    seed: int = 0,
) -> dict[str, Any]:
    """The pipeline's parts with torch's initial weights. Heads are 32 wide, as in the original."""
    import diffusers
    import transformers

    torch.manual_seed(seed)
    unet = diffusers.UNet2DConditionModel(
        sample_size=64,
        in_channels=8,
        out_channels=8,
        down_block_types=("DownBlock2D", *["CrossAttnDownBlock2D"] * 3),
        up_block_types=(*["CrossAttnUpBlock2D"] * 3, "UpBlock2D"),
        block_out_channels=widths,
        layers_per_block=layers,
        attention_head_dim=tuple(width // 32 for width in widths),
        cross_attention_dim=widths,
        class_embed_type="simple_projection",
        projection_class_embeddings_input_dim=clap_dim,
        class_embeddings_concat=True,
    )
    vae = diffusers.AutoencoderKL(
        in_channels=1,
        out_channels=1,
        latent_channels=8,
        block_out_channels=vae_widths,
        layers_per_block=layers,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        scaling_factor=0.7,
    )
    vocoder = transformers.SpeechT5HifiGan(
        transformers.SpeechT5HifiGanConfig(
            model_in_dim=mels,
            sampling_rate=16_000,
            upsample_initial_channel=vocoder_width,
            upsample_rates=[5, 4, 2, 2, 2],
            upsample_kernel_sizes=[16, 16, 8, 4, 4],
            normalize_before=False,
        )
    )
    with torch.no_grad():  # or next to nothing comes out
        for parameter in vocoder.parameters():
            parameter.normal_(std=parameter[0].numel() ** -0.5 if parameter.ndim > 1 else 0.0)
        vocoder.conv_post.weight.mul_(8)
    text = transformers.ClapTextModelWithProjection(
        transformers.ClapTextConfig(
            vocab_size=vocabulary,
            hidden_size=text_width,
            num_hidden_layers=text_layers,
            num_attention_heads=max(1, text_width // 64),
            intermediate_size=2 * text_width,
            max_position_embeddings=514,
            projection_dim=clap_dim,
            layer_norm_eps=1e-5,
        )
    )
    parts = {"unet": unet, "vae": vae, "vocoder": vocoder, "text_encoder": text}
    for part in parts.values():
        part.eval().requires_grad_(False)
    return {**parts, "scheduler": diffusers.DDIMScheduler(**SCHEDULER)}


def write_folder(parts: Mapping[str, Any], folder: Path) -> Path:
    for name, part in parts.items():
        part.save_pretrained(folder / name)
    return folder


def write_checkpoint(parts: Mapping[str, Any], file: Path, *, averaged: bool = True) -> Path:
    """One table in the original's names; with a moving average, the trained weights are wrong on purpose."""
    torch.save({"state_dict": original_state(parts, averaged=averaged), "global_step": 7}, file)
    return file


def original_state(parts: Mapping[str, Any], *, averaged: bool = True) -> dict[str, Tensor]:
    layers = parts["unet"].config.layers_per_block
    state = {"scale_factor": torch.tensor(parts["vae"].config.scaling_factor), "betas": torch.zeros(1000)}
    for key, tensor in parts["unet"].state_dict().items():
        name = "diffusion_model." + _original_unet_key(key, layers)
        if averaged:
            state["model_ema." + name.replace(".", "")] = tensor
        state["model." + name] = torch.zeros_like(tensor) if averaged else tensor
    if averaged:
        state |= {"model_ema.decay": torch.tensor(0.9999), "model_ema.num_updates": torch.tensor(9)}
    for key, tensor in parts["vae"].state_dict().items():
        name, value = _original_vae(key, tensor, len(parts["vae"].config.block_out_channels))
        state["first_stage_model." + name] = value
    for key, tensor in parts["vocoder"].state_dict().items():
        if key not in ("mean", "scale"):
            state["first_stage_model.vocoder." + key.replace("upsampler", "ups")] = tensor
    for key, tensor in parts["text_encoder"].state_dict().items():
        name = key.replace("text_model.", "text_branch.")
        name = name.replace("projection.linear1", "projection.0").replace(
            "projection.linear2", "projection.2"
        )
        if not name.endswith("token_type_ids"):  # newer than the original
            state["cond_stage_model.model." + name] = tensor
    state["cond_stage_model.model.audio_branch.head.weight"] = torch.zeros(2)  # CLAP's other tower
    state["cond_stage_model.model.text_transform.sequential.0.weight"] = torch.zeros(2)
    return state


def _original_unet_key(key: str, layers: int) -> str:
    ends = {
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        "class_embedding": "film_emb",
        "conv_in": "input_blocks.0.0",
        "conv_norm_out": "out.0",
        "conv_out": "out.2",
    }
    for new, old in ends.items():
        if key.startswith(new + "."):
            return key.replace(new, old, 1)
    resnet = {
        ".norm1.": ".in_layers.0.",
        ".conv1.": ".in_layers.2.",
        ".time_emb_proj.": ".emb_layers.1.",
        ".norm2.": ".out_layers.0.",
        ".conv2.": ".out_layers.3.",
        ".conv_shortcut.": ".skip_connection.",
    }
    if "resnets" in key:
        for new, old in resnet.items():
            key = key.replace(new, old)
    if key.startswith("mid_block"):
        key = key.replace("mid_block.resnets.0", "middle_block.0")
        key = key.replace("mid_block.attentions.0", "middle_block.1")
        return key.replace("mid_block.resnets.1", "middle_block.2")
    side, level, kind, layer, rest = re.fullmatch(r"(down|up)_blocks\.(\d)\.(\w+)\.(\d)\.(.+)", key).groups()  # type: ignore[union-attr]
    first = int(level) * (layers + 1)
    if kind == "downsamplers":
        return f"input_blocks.{first + layers + 1}.0.{rest.replace('conv', 'op')}"
    if kind == "upsamplers":  # stands after the attention, where there is one
        return f"output_blocks.{first + layers}.{2 if int(level) < 3 else 1}.{rest}"
    place = {"resnets": 0, "attentions": 1}[kind]
    if side == "down":
        return f"input_blocks.{1 + first + int(layer)}.{place}.{rest}"
    return f"output_blocks.{first + int(layer)}.{place}.{rest}"


def _original_vae(key: str, tensor: Tensor, levels: int) -> tuple[str, Tensor]:
    key = key.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
    key = key.replace("mid_block.resnets.0", "mid.block_1").replace("mid_block.resnets.1", "mid.block_2")
    if "attentions" in key:
        key = key.replace("mid_block.attentions.0", "mid.attn_1").replace("to_out.0", "proj_out")
        for letter in "qkv":
            key = key.replace(f"to_{letter}", letter)
        key = key.replace("group_norm", "norm")
        return key, tensor[:, :, None, None] if tensor.ndim == 2 else tensor
    found = re.fullmatch(r"(encoder\.down|decoder\.up)_blocks\.(\d)\.(resnets|\w+samplers)\.(\d)\.(.+)", key)
    if found is None:
        return key, tensor
    side, level, kind, block, rest = found.groups()
    level = str(levels - 1 - int(level)) if side == "decoder.up" else level
    if kind == "resnets":
        return f"{side}.{level}.block.{block}.{rest}", tensor
    return f"{side}.{level}.{kind.removesuffix('rs')}.{rest}", tensor
