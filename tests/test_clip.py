"""The released encoder, in small: open_clip's vectors and preprocessing, texts as the prior takes them."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from released_parts import CLIP_SIZES, CPU, noise, small_clip, write_clip
from safetensors.torch import load_file

import ssv2a.embed.clip
from ssv2a.embed.clip import OpenClip, picture_precision, preprocess
from ssv2a.errors import BundleError, ConfigurationError, WeightsError


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def reference(parts):
    """open_clip's own object, in float32."""
    from open_clip.model import CLIP

    model = CLIP(**CLIP_SIZES).eval()
    model.load_state_dict(load_file(parts[0]))
    return model


@pytest.fixture(scope="module")
def clip(parts) -> OpenClip:
    return OpenClip.load(parts[0], CPU, config=parts[1])


@pytest.fixture
def exact(parts, monkeypatch) -> OpenClip:
    """The encoder as on a processor that does not multiply bfloat16."""
    monkeypatch.setattr(ssv2a.embed.clip, "picture_precision", lambda _device: torch.float32)
    return OpenClip.load(parts[0], CPU, config=parts[1])


def theirs(image, side):
    from open_clip.transform import image_transform

    return image_transform(side, is_train=False)(Image.fromarray(image)).numpy()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from([32, 56]), st.integers(0, 3))
def test_preprocessing_is_open_clips(height, width, side, seed) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), np.uint8) if seed else noise(height, width)
    np.testing.assert_allclose(preprocess(image, side), theirs(image, side), atol=1e-5)


def test_the_shorter_side_fits_and_the_middle_is_kept() -> None:
    image = np.zeros((100, 300, 3), np.uint8)
    image[:, 100:200] = 255  # the middle square
    white = (1 - ssv2a.embed.clip.MEAN) / ssv2a.embed.clip.DEVIATION
    square = preprocess(image, 50)
    np.testing.assert_allclose(
        square[:, :, 2:-2], np.broadcast_to(white[:, None, None], (3, 50, 46)), atol=0.05
    )


def test_vectors_are_open_clips(exact, reference) -> None:
    images = [noise(40 + 5 * n, 90 - 6 * n, n) for n in range(11)]  # more than one batch, sizes of their own
    pixels = torch.from_numpy(np.stack([theirs(image, 32) for image in images]))
    with torch.inference_mode():
        expected = reference.encode_image(pixels, normalize=True).numpy()
    vectors = exact.images(iter(images))
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, expected, atol=2e-6)
    assert exact.images([]).shape == (0, exact.dim) == (0, 24)


def test_a_quick_precision_changes_vectors_little(exact, clip) -> None:
    images = [noise(50, 70, n) for n in range(8)]
    quick, slow = clip.images(images), exact.images(images)
    np.testing.assert_allclose(np.linalg.norm(quick, axis=1), 1, atol=1e-5)
    assert (quick * slow).sum(axis=1).min() > 0.9995


def test_precisions_of_devices(monkeypatch) -> None:
    assert picture_precision(torch.device("cuda")) == torch.float16
    assert picture_precision(torch.device("mps")) == torch.float32
    for abilities, expected in (
        ({"avx2": True, "avx512_bf16": False}, torch.float32),
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True}, torch.bfloat16),
    ):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda found=abilities: found)
        assert picture_precision(CPU) == expected
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert picture_precision(CPU) == torch.float32


def test_texts_are_read_as_the_prior_wants_them(clip, reference) -> None:
    """LAION's prior: per-token encodings after the last norm, zero behind the end token, and a mask."""
    from open_clip.tokenizer import tokenize

    texts = ["a dog barking", "Rain &amp; wind  on a tin roof", "é"]
    read = clip.texts(texts)
    tokens = tokenize(texts)
    with torch.inference_mode():
        vectors = reference.encode_text(tokens, normalize=True).numpy()
        x = reference.token_embedding(tokens) + reference.positional_embedding
        encodings = reference.ln_final(reference.transformer(x, attn_mask=reference.attn_mask)).numpy()
    np.testing.assert_allclose(read.vectors, vectors, atol=1e-6)
    lengths = [int(row.argmax()) + 1 for row in tokens]  # start and end tokens included
    assert read.mask.shape == (3, 77)
    for n, length in enumerate(lengths):
        assert read.mask[n].tolist() == [True] * length + [False] * (77 - length)
        np.testing.assert_allclose(read.encodings[n, :length], encodings[n, :length], atol=1e-5)
        assert not read.encodings[n, length:].any()
    assert read.encodings.shape == (3, 77, 32)


def test_a_text_depends_on_its_own_words_alone(clip) -> None:
    texts = [f"sound number {n}" for n in range(40)]  # more than one batch
    together = clip.texts(texts)
    for n in (0, 31, 32, 39):
        alone = clip.texts([texts[n]])
        np.testing.assert_allclose(alone.vectors[0], together.vectors[n], atol=1e-5)
        np.testing.assert_allclose(alone.encodings[0], together.encodings[n], atol=1e-4)
    assert clip.texts([]).vectors.shape == (0, 24)
    assert clip.texts([]).encodings.shape == (0, 77, 32)


@pytest.mark.parametrize(
    "long", ["thunder " * 10_000, "x" * 1_000_000, "\u4e2d" * 100_000, " " * 10_000 + "rain"]
)
def test_long_texts_are_cut_at_77_tokens(clip, long) -> None:
    read = clip.texts([long])
    assert np.isfinite(read.vectors).all()
    assert read.mask.sum() <= 77


def test_words_beyond_the_77_tokens_change_nothing(clip) -> None:
    head = "a dog barks at the rain " * 20
    first, second = clip.texts([head + "one", head + "two " * 5000]).vectors
    np.testing.assert_array_equal(first, second)
    within = "incomprehensibilities " * 12 + "   \n" * 2000  # 251 letters, but fewer than 77 tokens
    third, fourth = clip.texts([within + "one", within + "two"]).vectors
    assert np.abs(third - fourth).max() > 1e-3


def test_weights_come_as_safetensors_or_as_open_clip_writes_them(parts, clip, tmp_path, monkeypatch) -> None:
    state = load_file(parts[0])
    torch.save(state, tmp_path / "plain.bin")
    torch.save(
        {"epoch": 1, "state_dict": {f"module.{k}": v for k, v in state.items()}}, tmp_path / "trained.pt"
    )
    torch.save({**state, "context_length": torch.tensor(77)}, tmp_path / "openai.bin")
    image = noise(40, 60)
    monkeypatch.setattr(torch.serialization, "location_tag", lambda _storage: "cuda:0")
    torch.save(state, tmp_path / "cuda.bin")  # as on a machine with a graphics card
    for name in ("plain.bin", "trained.pt", "openai.bin", "cuda.bin"):
        loaded = OpenClip.load(tmp_path / name, CPU, config=parts[1])
        np.testing.assert_array_equal(loaded.images([image]), clip.images([image]))


def test_loading_draws_nothing_from_the_global_generator_and_leaves_nothing_empty(parts) -> None:
    torch.manual_seed(3)
    wanted = torch.rand(1)
    torch.manual_seed(3)
    model = OpenClip.load(parts[0], CPU, config=parts[1])._model
    assert torch.rand(1) == wanted
    assert not any(tensor.is_meta for tensor in (*model.parameters(), *model.buffers()))


def test_faults_of_weights_are_listed(parts, tmp_path) -> None:
    state = load_file(parts[0])
    state["visual.proj"] = state["visual.proj"][:, :5]
    state["extra"] = state.pop("ln_final.bias")
    torch.save(state, tmp_path / "odd.bin")
    with pytest.raises(WeightsError) as caught:
        OpenClip.load(tmp_path / "odd.bin", CPU, config=parts[1])
    for part in (
        "odd.bin",
        "visual.proj",
        "[64, 24]",
        "[64, 5]",
        "extra: unexpected",
        "ln_final.bias: missing",
    ):
        assert part in str(caught.value)


class Payload:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_weights_with_a_payload_are_refused(parts, tmp_path) -> None:
    torch.save({**load_file(parts[0]), "more": Payload(tmp_path / "owned")}, tmp_path / "bad.bin")
    with pytest.raises(WeightsError, match=r"bad\.bin"):
        OpenClip.load(tmp_path / "bad.bin", CPU, config=parts[1])
    assert not (tmp_path / "owned").exists()
    torch.save({"state_dict": [1, 2]}, tmp_path / "list.bin")
    with pytest.raises(WeightsError, match="expected a table"):
        OpenClip.load(tmp_path / "list.bin", CPU, config=parts[1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"text_cfg": {**CLIP_SIZES["text_cfg"], "vocab_size": 100}}, "vocab_size"),
        ({"vision_cfg": {"timm_model_name": "vit_tiny"}}, "open_clip's own"),
        ({"vision_cfg": {**CLIP_SIZES["vision_cfg"], "image_size": [32, 64]}}, "image_size"),
        ({"vision_cfg": {**CLIP_SIZES["vision_cfg"], "size": 1}}, "size"),
        ({"dim": 3}, "dim"),
    ],
)
def test_sizes_that_cannot_be_used_are_named(parts, tmp_path, change, message) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"model_cfg": {**CLIP_SIZES, **change}}))
    with pytest.raises((ConfigurationError, WeightsError), match=message):
        OpenClip.load(parts[0], CPU, config=config)


def test_openais_program_is_not_run_and_the_message_says_what_to_take(parts, tmp_path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is going out of use
        torch.jit.script(torch.nn.Linear(2, 2)).save(tmp_path / "ViT-L-14.pt")
    with pytest.raises(WeightsError, match=r"ViT-L-14\.pt: a TorchScript program.*vit_large_patch14"):
        OpenClip.load(tmp_path / "ViT-L-14.pt", CPU, config=parts[1])


def test_missing_and_broken_files_are_named(parts, tmp_path) -> None:
    (tmp_path / "text.json").write_text("{")
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(ConfigurationError, match=r"text\.json: not JSON"):
        OpenClip.load(parts[0], CPU, config=tmp_path / "text.json")
    with pytest.raises(ConfigurationError, match=r"list\.json: expected a table"):
        OpenClip.load(parts[0], CPU, config=tmp_path / "list.json")
    with pytest.raises(BundleError, match=r"none\.json"):
        OpenClip.load(parts[0], CPU, config=tmp_path / "none.json")
    with pytest.raises(BundleError, match=r"none\.bin"):
        OpenClip.load(tmp_path / "none.bin", CPU, config=parts[1])
    with pytest.raises(ConfigurationError, match="ViT-Z"):
        OpenClip.load(parts[0], CPU, architecture="ViT-Z")


def test_weights_of_another_architecture_are_refused(parts) -> None:
    with pytest.raises(WeightsError, match=r"visual\.transformer\.resblocks\.23"):
        OpenClip.load(parts[0], CPU)  # ViT-L-14-quickgelu by default


@pytest.mark.slow
def test_the_released_size(tmp_path, monkeypatch) -> None:
    """ViT-L-14-quickgelu with random weights: sizes, and bfloat16 against float32."""
    from open_clip.factory import get_model_config
    from open_clip.model import CLIP
    from safetensors.torch import save_file

    with torch.random.fork_rng():
        torch.manual_seed(1)
        state = CLIP(**get_model_config("ViT-L-14-quickgelu")).state_dict()
    save_file({key: value.contiguous() for key, value in state.items()}, tmp_path / "large.safetensors")
    images = [noise(512, 512, n) for n in range(8)]
    vectors = {}
    for precision in (torch.float32, torch.bfloat16):
        monkeypatch.setattr(ssv2a.embed.clip, "picture_precision", lambda _device, p=precision: p)
        clip = OpenClip.load(tmp_path / "large.safetensors", CPU)
        vectors[precision] = clip.images(images)
    assert clip.dim == 768
    assert (vectors[torch.float32] * vectors[torch.bfloat16]).sum(axis=1).min() > 0.9995
    assert clip.texts(["a dog barking"]).encodings.shape == (1, 77, 768)


def test_small_parts_are_the_same_every_time(tmp_path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    first, second = (small_clip(folder).images([noise(40, 40)]) for folder in folders)
    np.testing.assert_array_equal(first, second)
