"""AudioLDM's weights, read from both forms in which they are published."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from audioldm_models import networks, original_state, write_checkpoint, write_folder
from safetensors.torch import load_file, save_file

from ssv2a.errors import WeightsError
from ssv2a.on_demand import OnDemand
from ssv2a.synthesis.audioldm import AudioLdm
from ssv2a.synthesis.audioldm_checkpoint import open_parts
from ssv2a.synthesis.audioldm_sampler import LatentDiffusion, Sampling

CPU = torch.device("cpu")
WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def parts() -> dict[str, Any]:
    """The released architecture in every count, a quarter as wide."""
    return networks(widths=(32, 64, 96, 160), layers=2, vae_widths=(32, 64, 128), text_width=128)


@pytest.fixture(scope="module")
def folder(parts: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(parts, tmp_path_factory.mktemp("folder"))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(networks(), tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def copied(tiny: Path, tmp_path: Path) -> Path:
    """A folder of a test's own, to be spoilt."""
    for file in tiny.rglob("*.*"):
        place = tmp_path / "model" / file.relative_to(tiny)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file.read_bytes())
    return tmp_path / "model"


def heard(model: Path, guidance: float = 2.5) -> dict[str, torch.Tensor]:
    """What a model makes of one vector, at every stage."""
    diffusion = LatentDiffusion.open(model, CPU, torch.float32)
    clap = torch.nn.functional.normalize(torch.arange(1.0, 25)[None], dim=-1)
    latent = diffusion.denoise(clap, [5], 64, Sampling("faithful", 2, guidance, 1.0))[0]
    mel = diffusion.mel(latent)
    return {"latent": latent, "mel": mel, "waveform": diffusion.waveform(mel)}


def load(model: Path) -> AudioLdm:
    return AudioLdm.load(model, CPU, clap=OnDemand(pytest.fail))


@pytest.mark.parametrize("averaged", [True, False])
def test_the_original_checkpoint_sounds_like_the_folder(
    parts: dict[str, Any], folder: Path, tmp_path: Path, averaged: bool
) -> None:
    file = write_checkpoint(parts, tmp_path / "audioldm.ckpt", averaged=averaged)
    wanted, found = heard(folder), heard(file)
    for stage in wanted:
        torch.testing.assert_close(found[stage], wanted[stage], atol=1e-5, rtol=1e-4)
    assert wanted["waveform"].std() > 1e-3


def test_sizes_are_read_off_the_checkpoint(parts: dict[str, Any], folder: Path, tmp_path: Path) -> None:
    found = open_parts(write_checkpoint(parts, tmp_path / "audioldm.ckpt"))
    wanted = open_parts(folder)
    for name, part in found.items():
        for key, value in part.config.items():
            assert (
                value == pytest.approx(wanted[name].config[key])
                if key == "scaling_factor"
                else (value == wanted[name].config[key])
            ), (name, key)


@pytest.mark.parametrize(
    ("widths", "heads"), [((128, 256, 384, 640), [4, 8, 12, 20]), ((192, 384, 576, 960), [3, 6, 9, 15])]
)
def test_heads_are_as_wide_as_the_original_s(
    widths: tuple[int, ...], heads: list[int], tmp_path: Path
) -> None:
    """32 in the small model, 64 in the medium and the large one."""
    with torch.device("meta"):
        state = original_state(networks(widths=widths), averaged=False)
    small = {key: torch.ones(()).expand(tensor.shape) for key, tensor in state.items()}
    torch.save(small, tmp_path / "audioldm.ckpt")
    assert open_parts(tmp_path / "audioldm.ckpt")["unet"].config["attention_head_dim"] == heads


@pytest.mark.parametrize(("written", "read"), [(8, [1, 1, 1, 2]), ([1, 2, 1, 2], [1, 2, 1, 2])])
def test_a_folder_whose_heads_were_never_set_has_the_original_s(
    written: int | list[int], read: list[int], tmp_path: Path
) -> None:
    """diffusers' converter of AudioLDM leaves its default, 8 heads at every level."""
    write_folder(networks(), tmp_path)
    file = tmp_path / "unet" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"attention_head_dim": written}))
    assert open_parts(tmp_path)["unet"].config["attention_head_dim"] == read


def test_tensors_without_a_state_dict_around_them_are_read_too(parts: dict[str, Any], tmp_path: Path) -> None:
    torch.save(original_state(parts), tmp_path / "bare.ckpt")
    assert open_parts(tmp_path / "bare.ckpt")["unet"].config["block_out_channels"] == [32, 64, 96, 160]


def test_attention_in_its_old_spelling_is_read(copied: Path) -> None:
    """As diffusers wrote the VAE before 0.16, and as the released folder may have it."""
    wanted = heard(copied)
    file = copied / "vae" / WEIGHTS
    old = {"to_q.": "query.", "to_k.": "key.", "to_v.": "value.", "to_out.0.": "proj_attn."}
    state = {}
    for key, tensor in load_file(file).items():
        for new, name in old.items():
            key = key.replace(new, name) if "attentions" in key else key
        state[key] = tensor.clone()
    assert any("proj_attn" in key for key in state)
    save_file(state, file)
    torch.testing.assert_close(heard(copied)["mel"], wanted["mel"])


def test_pickled_weights_of_a_folder_are_read(copied: Path) -> None:
    wanted = heard(copied)
    for name in ("unet", "vae", "vocoder", "text_encoder"):
        (file,) = (copied / name).glob("*.safetensors")
        new = "diffusion_pytorch_model.bin" if name in ("unet", "vae") else "pytorch_model.bin"
        torch.save(dict(load_file(file)), copied / name / new)
        file.unlink()
    torch.testing.assert_close(heard(copied)["waveform"], wanted["waveform"])


class Payload:
    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, ("ran",)


@pytest.mark.parametrize("where", ["checkpoint", "folder"])
def test_a_pickle_with_a_program_in_it_is_refused_and_not_run(
    where: str, copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = tmp_path / "evil.ckpt"
    if where == "checkpoint":
        torch.save({"state_dict": {"model.x": torch.zeros(1)}, "callbacks": Payload()}, model)
    else:
        model = copied
        (copied / "unet" / WEIGHTS).unlink()
        torch.save({"conv_in.weight": Payload()}, copied / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(WeightsError, match="a piece of program, which was not run"):
        load(model)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"no checkpoint", pickle.dumps([1, 2])])
def test_a_file_that_is_no_checkpoint_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.ckpt").write_bytes(content)
    with pytest.raises(WeightsError, match=r"x\.ckpt"):
        load(tmp_path / "x.ckpt")


def test_a_file_cut_short_is_refused(parts: dict[str, Any], tmp_path: Path) -> None:
    file = write_checkpoint(parts, tmp_path / "cut.ckpt")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(WeightsError, match=r"cut\.ckpt"):
        load(file)


def test_another_model_s_checkpoint_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": {"encoder.weight": torch.zeros(2)}}, tmp_path / "other.ckpt")
    with pytest.raises(WeightsError, match="is no AudioLDM checkpoint"):
        load(tmp_path / "other.ckpt")


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ("model_ema.diffusion_modelmiddle_block0in_layers2weight", "moving average is not whole"),
        ("first_stage_model.decoder.mid.attn_1.q.weight", "to_q.weight: missing"),
        ("first_stage_model.vocoder.conv_post.bias", "conv_post.bias: missing"),
        ("cond_stage_model.model.text_projection.2.bias", "text_projection.linear2.bias: missing"),
        ("scale_factor", "scale_factor"),
        ("model.diffusion_model.film_emb.weight", "film_emb.weight"),
    ],
)
def test_what_a_checkpoint_lacks_is_named(
    lost: str, said: str, parts: dict[str, Any], tmp_path: Path
) -> None:
    state = original_state(parts)
    del state[lost]
    torch.save({"state_dict": state}, tmp_path / "lacks.ckpt")
    with pytest.raises(WeightsError, match=said):
        load(tmp_path / "lacks.ckpt")


def test_every_fault_of_a_network_is_named_at_once(copied: Path) -> None:
    file = copied / "unet" / WEIGHTS
    state = dict(load_file(file))
    state["conv_in.bias"] = torch.zeros(3)
    state["conv_out.extra"] = state.pop("conv_out.weight")
    save_file(state, file)
    with pytest.raises(WeightsError) as refused:
        load(copied)
    text = str(refused.value)
    assert "unet: does not fit its configuration, 3 fault(s)" in text
    assert "conv_in.bias: expected shape [32], got [3]" in text
    assert "conv_out.weight: missing" in text
    assert "conv_out.extra: unexpected" in text


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("unet/config.json", "cannot be read"),
        ("text_encoder/config.json", "cannot be read"),
        ("scheduler/scheduler_config.json", "cannot be read"),
        ("vocoder/model.safetensors", "has no weights"),
    ],
)
def test_a_folder_that_is_not_whole_is_refused(file: str, said: str, copied: Path) -> None:
    (copied / file).unlink()
    with pytest.raises(WeightsError, match=said):
        load(copied)


def test_a_configuration_that_is_no_table_is_refused(copied: Path) -> None:
    (copied / "vae" / "config.json").write_text("[]")
    with pytest.raises(WeightsError, match="expected a table"):
        load(copied)


def test_a_configuration_that_lacks_a_size_is_refused(copied: Path) -> None:
    file = copied / "vocoder" / "config.json"
    content = json.loads(file.read_text())
    del content["upsample_rates"]
    file.write_text(json.dumps(content))
    with pytest.raises(WeightsError, match="upsample_rates"):
        load(copied)


def test_a_model_that_follows_no_clap_vector_is_refused(copied: Path) -> None:
    """AudioLDM 2 is one, whose folder looks much the same."""
    file = copied / "unet" / "config.json"
    content = json.loads(file.read_text()) | {"class_embed_type": None}
    file.write_text(json.dumps(content | {"projection_class_embeddings_input_dim": None}))
    with pytest.raises(WeightsError, match="takes no CLAP vector"):
        load(copied)


def test_nothing_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="absent"):
        load(tmp_path / "absent")
