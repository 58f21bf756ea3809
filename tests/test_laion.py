"""The audio tower: checkpoints of every origin, sounds of every length, and laion_clap's own numbers."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from laion_parts import DIM, SECOND, small_clap
from torch import Tensor, nn

from ssv2a.embed.laion import LaionClap, front_end
from ssv2a.errors import InputError, WeightsError
from ssv2a.types import FloatArray

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def network() -> nn.ModuleDict:
    return small_clap()


Save = Callable[..., Path]


@pytest.fixture
def save(network: nn.ModuleDict, tmp_path: Path) -> Save:
    def write(prefix: str = "", **besides: object) -> Path:
        state = {f"{prefix}{key}": tensor for key, tensor in network.state_dict().items()}
        state[f"{prefix}text_branch.embeddings.position_ids"] = torch.arange(3)
        torch.save({"state_dict": state, **besides} if besides else state, tmp_path / "clap.pt")
        return tmp_path / "clap.pt"

    return write


@pytest.fixture(scope="module")
def clap(network: nn.ModuleDict) -> LaionClap:
    return LaionClap(network["audio_branch"], network["audio_projection"], DIM, CPU)


def noise(seconds: float, *, seed: int = 0, channels: int = 1) -> FloatArray:
    """Noise that changes its colour with the time."""
    n = int(seconds * SECOND)
    sound = np.random.default_rng(seed).standard_normal((channels, n))
    sound = np.cumsum(sound, axis=1) * np.linspace(0, 0.05, n) + sound
    return (0.1 * sound / np.abs(sound).max()).astype(np.float32)


def one_window(network: nn.ModuleDict, sound: FloatArray) -> Tensor:
    """What the tower itself says of 10 s [480000]."""
    heard = network["audio_branch"]({"waveform": torch.from_numpy(sound)[None]}, device=CPU)
    vector = network["audio_projection"](heard["embedding"])[0]
    return vector / vector.norm()


@pytest.mark.parametrize(
    ("prefix", "besides"),
    [
        ("", {}),
        ("", {"epoch": 3, "name": "630k", "best": np.float64(0.9)}),
        ("module.", {"epoch": 3}),
        ("cond_stage_model.model.", {"global_step": 1, "callbacks": {}}),
    ],
    ids=["bare", "laion_clap", "laion_clap, parallel", "AudioLDM"],
)
def test_every_published_layout_loads(
    save: Save, clap: LaionClap, prefix: str, besides: dict[str, object]
) -> None:
    loaded = LaionClap.load(save(prefix, **besides), CPU)
    sound = noise(3)
    np.testing.assert_array_equal(loaded.audio_batch([sound]), clap.audio_batch([sound]))


def test_loading_leaves_the_process_as_it_was(save: Save, capfd: pytest.CaptureFixture[str]) -> None:
    path, modules, before = save("module.", epoch=1), set(sys.modules), list(sys.path)
    state = torch.get_rng_state()
    LaionClap.load(path, CPU)
    assert sys.path == before
    assert torch.equal(torch.get_rng_state(), state)
    new = {name.partition(".")[0] for name in sys.modules.keys() - modules}
    assert not new & {"laion_clap", "clap_module", "training", "evaluate", "transformers", "wandb"}
    assert capfd.readouterr() == ("", "")


def test_every_fault_of_a_checkpoint_is_named(save: Save) -> None:
    path = save("module.", epoch=1)
    content = torch.load(path)
    state = content["state_dict"]
    del state["module.audio_branch.norm.bias"]
    state["module.audio_projection.0.weight"] = torch.zeros(DIM, 7)
    state["module.audio_branch.patch_embed.mel_conv2d.weight"] = torch.zeros(2)
    torch.save(content, path)
    with pytest.raises(WeightsError) as caught:
        LaionClap.load(path, CPU)
    for part in (
        "3 fault",
        "norm.bias: missing",
        "0.weight: expected shape",
        "mel_conv2d.weight: unexpected",
    ):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        {"state_dict": {"unet.weight": torch.zeros(2)}},
        {"audio_branch.patch_embed.proj.weight": torch.zeros(8, 1, 4, 4)},
        {"audio_branch.patch_embed.proj.weight": torch.zeros(8), "audio_branch.layers.0.x": torch.zeros(1)},
    ],
    ids=["no tower", "no sizes", "no patches"],
)
def test_another_file_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "other.ckpt")
    with pytest.raises(WeightsError, match=r"other\.ckpt.*audio tower.*AudioLDM"):
        LaionClap.load(tmp_path / "other.ckpt", CPU)


def test_a_payload_is_refused_and_not_run(save: Save, tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "ran"),)

    with pytest.raises(WeightsError, match="mkdir, a piece of program, which was not run"):
        LaionClap.load(save("", callbacks=Payload()), CPU)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("seconds", [10.0, 4.0, 0.7])
def test_a_short_sound_is_repeated_and_then_silence_follows(
    network: nn.ModuleDict, clap: LaionClap, seconds: float
) -> None:
    sound = noise(seconds)
    heard = np.zeros(10 * SECOND, np.float32)
    whole = np.tile(front_end(sound), int(10 / seconds))
    heard[: len(whole)] = whole
    np.testing.assert_allclose(clap.audio_batch([sound])[0], one_window(network, heard).numpy(), atol=1e-6)


def test_a_long_sound_is_heard_whole(network: nn.ModuleDict, clap: LaionClap) -> None:
    sound = noise(25)
    prepared = front_end(sound)
    starts = [0, int(7.5 * SECOND), 15 * SECOND]
    mean = sum(one_window(network, prepared[start : start + 10 * SECOND]) for start in starts)
    assert isinstance(mean, Tensor)
    np.testing.assert_allclose(clap.audio_batch([sound])[0], (mean / mean.norm()).numpy(), atol=1e-6)


@pytest.mark.parametrize("second", [0, 9, 12, 18, 24])
def test_every_part_of_a_long_sound_counts(clap: LaionClap, second: int) -> None:
    sound = noise(25)
    without = sound.copy()
    without[:, second * SECOND : (second + 1) * SECOND] = 0
    whole, less = clap.audio_batch([sound, without])
    assert np.abs(whole - less).max() > 1e-4


def test_company_changes_nothing(clap: LaionClap) -> None:
    sounds = [noise(1), noise(21, seed=1), noise(12, seed=2, channels=2), noise(10, seed=3)]
    together = clap.audio_batch(sounds)
    apart = np.concatenate([clap.audio_batch([sound]) for sound in sounds])
    np.testing.assert_allclose(together, apart, atol=1e-6)
    assert together.shape == (4, DIM)
    assert np.linalg.norm(together, axis=1) == pytest.approx(np.ones(4), abs=1e-5)
    assert clap.audio_batch([]).shape == (0, DIM)


def test_different_sounds_have_different_vectors(clap: LaionClap) -> None:
    time = np.arange(2 * SECOND) / SECOND
    tone = (0.3 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)[None]
    first, second, again = clap.audio_batch([tone, noise(2), tone])
    assert np.dot(first, second) < 0.99
    np.testing.assert_allclose(first, again, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(
    samples=st.integers(1, 3000),
    channels=st.integers(1, 3),
    gain=st.floats(1e-3, 50),
    seed=st.integers(0, 99),
)
def test_the_front_end_forgets_gain_and_keeps_length(
    samples: int, channels: int, gain: float, seed: int
) -> None:
    sound = np.random.default_rng(seed).standard_normal((channels, samples)).astype(np.float32)
    heard = front_end(sound)
    assert heard.shape == (samples,)
    assert heard.dtype == np.float32
    assert np.isfinite(heard).all()
    np.testing.assert_allclose(front_end(gain * sound), heard, atol=1e-4)


def test_the_front_end_is_audioldms() -> None:
    time = np.arange(SECOND) / SECOND
    low, high = (np.sin(2 * np.pi * f * time).astype(np.float32) for f in (500, 11_000))
    heard = front_end(np.stack([0.2 * low + 0.1, 0.2 * high]))
    middle = slice(SECOND // 10, -SECOND // 10)
    assert np.abs(heard[middle] - 0.5 * low[middle]).max() < 0.02
    assert abs(heard[middle].mean()) < 1e-3


def test_silence_is_heard_as_silence(clap: LaionClap) -> None:
    quiet = np.zeros((2, SECOND), np.float32)
    assert not front_end(quiet).any()
    assert not front_end(quiet + 1e-8).any()
    assert np.isfinite(clap.audio_batch([quiet])).all()


@pytest.mark.parametrize(
    "sound",
    [
        np.zeros((1, 0), np.float32),
        np.zeros((0, 5), np.float32),
        np.zeros(100, np.float32),
        np.full((1, 100), np.nan, np.float32),
    ],
    ids=["empty", "no channel", "flat", "NaN"],
)
def test_what_is_no_sound_is_refused(clap: LaionClap, sound: FloatArray) -> None:
    with pytest.raises(InputError, match="a sound h"):
        clap.audio_batch([noise(1), sound])


_OWN = """
import sys, warnings
warnings.simplefilter("ignore")
import numpy as np, torch, transformers
torch.set_num_threads(1)
small = transformers.RobertaConfig(num_hidden_layers=1, vocab_size=50, hidden_size=768, intermediate_size=8)
transformers.RobertaModel.from_pretrained = lambda *_: transformers.RobertaModel(small)
transformers.RobertaTokenizer.from_pretrained = lambda *_: None
import laion_clap
torch.manual_seed(0)
clap = laion_clap.CLAP_Module(enable_fusion=False, device="cpu")
tower = clap.model.audio_branch
for key, parameter in tower.named_parameters():
    if parameter.ndim > 1 and "extractor" not in key:
        torch.nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
state = {"module." + key: tensor for key, tensor in clap.model.state_dict().items()}
torch.save({"epoch": 1, "state_dict": state}, sys.argv[1])
sounds = np.load(sys.argv[2])
vectors = [clap.get_audio_embedding_from_data(torch.from_numpy(sounds[k])[None], use_tensor=True)[0]
           for k in sounds.files]
np.save(sys.argv[3], torch.stack(vectors).detach().numpy())
"""


@pytest.mark.slow
def test_vectors_equal_laion_claps_own(tmp_path: Path) -> None:
    """The released size with random weights, in a process where laion_clap may do to itself what it does."""
    sounds = {"whole": noise(10), "short": noise(3.3, seed=1), "stereo": noise(7, seed=2, channels=2)}
    np.savez(tmp_path / "sounds.npz", **{name: front_end(sound) for name, sound in sounds.items()})
    paths = [str(tmp_path / name) for name in ("clap.pt", "sounds.npz", "vectors.npy")]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", _OWN, *paths], check=True, env=environment, timeout=300)
    clap = LaionClap.load(tmp_path / "clap.pt", CPU)
    vectors = clap.audio_batch(list(sounds.values()))
    assert vectors.shape == (3, 512)
    np.testing.assert_allclose(vectors, np.load(paths[2]), atol=1e-5)
