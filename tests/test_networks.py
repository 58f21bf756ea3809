"""The networks have the released shapes and laws, and their checkpoints fit or say why not."""

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from parity_rule import released_config, released_json, released_shapes, rule_made, tiny_config

from ssv2a.config import Ssv2aConfig
from ssv2a.errors import ConfigurationError, InputError, WeightsError
from ssv2a.layers import Gaussian
from ssv2a.networks import Networks
from ssv2a.parity import draw, unit, write_checkpoints
from ssv2a.weights import load_modules, load_networks, load_released, save_modules


@pytest.fixture(scope="module")
def tiny() -> Networks:
    return rule_made(tiny_config())


def test_every_key_and_shape_is_the_released_one() -> None:
    with torch.device("meta"):
        networks = Networks.untrained(released_config(), seed=0)
    found = {
        name: {key: list(tensor.shape) for key, tensor in module.state_dict().items()}
        for name, module in networks.modules.items()
    }
    assert found == released_shapes()
    counts = {
        name: sum(t.numel() for t in module.state_dict().values())
        for name, module in networks.modules.items()
    }
    assert counts == {
        "manifold": 58_857_986,
        "generator": 16_759_936,
        "remixer": 6_700_288,
        "aggregator": 3_680_768,
    }


def test_untrained_networks_follow_their_seed_and_leave_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    wanted = torch.rand(1)
    torch.manual_seed(5)
    first, again, other = (Networks.untrained(tiny_config(), seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(1), wanted)
    assert torch.equal(first.generator.out_mu.weight, again.generator.out_mu.weight)
    assert not torch.equal(first.generator.out_mu.weight, other.generator.out_mu.weight)


@pytest.mark.parametrize("var_samples", [1, 64])
def test_a_draw_has_the_mean_mu_and_the_deviation_over_root_n(var_samples: int) -> None:
    law = Gaussian(torch.tensor([3.0, -1.0]), torch.tensor([0.0, math.log(4.0)]))
    drawn = law.sample(torch.Generator().manual_seed(0), var_samples=var_samples, shape=(100_000,))
    deviation = torch.tensor([1.0, 2.0]) / math.sqrt(var_samples)
    torch.testing.assert_close(drawn.mean(dim=0), law.mu, rtol=0, atol=0.02 * float(deviation.max()))
    torch.testing.assert_close(drawn.std(dim=0), deviation, rtol=0.01, atol=0)


def test_positions_are_sines_and_cosines_of_the_released_frequencies() -> None:
    with torch.device("cpu"):
        table = Networks.untrained(tiny_config(), seed=0).aggregator.pe.pe[:, 0]
    for position, feature in ((0, 0), (0, 1), (7, 4), (1000, 9), (1023, 15)):
        angle = position * math.exp(-2 * (feature // 2) * math.log(2 * 1024) / 16)
        wanted = math.cos(angle) if feature % 2 else math.sin(angle)
        assert table[position, feature].item() == pytest.approx(wanted, abs=1e-4)


def test_the_remixer_sees_a_set_and_the_aggregator_a_sequence(tiny: Networks) -> None:
    folds, clips = draw("folds", 2, 64, 20), unit(draw("clips", 2, 64, 12))
    order = torch.randperm(64, generator=torch.Generator().manual_seed(0))
    straight, shuffled = tiny.remixer(folds, clips), tiny.remixer(folds[:, order], clips[:, order])
    torch.testing.assert_close(straight.mu, shuffled.mu, rtol=0, atol=1e-5)
    frames = unit(draw("frames", 2, 9, 16))
    assert not torch.allclose(tiny.aggregator(frames).mu, tiny.aggregator(frames.flip(1)).mu, atol=1e-3)


def test_the_aggregator_takes_1_to_1022_frames(tiny: Networks) -> None:
    generator = torch.Generator().manual_seed(0)
    for length in (1, 1022):
        clap = tiny.aggregate(unit(draw("long", 1, length, 16)), generator=generator)
        assert clap.norm(dim=-1).item() == pytest.approx(1.0, abs=1e-5)
    for length in (0, 1023):
        with pytest.raises(InputError, match=f"1 to 1022 frames, got {length}"):
            tiny.aggregate(torch.zeros(1, length, 16), generator=generator)


def test_a_source_alone_has_a_unit_clap_that_its_seed_fixes(tiny: Networks) -> None:
    clips = unit(draw("sources", 5, 12))
    first, again = (
        tiny.source_claps(clips, generator=torch.Generator().manual_seed(3), var_samples=8) for _ in range(2)
    )
    assert torch.equal(first, again)
    torch.testing.assert_close(first.norm(dim=-1), torch.ones(5))
    certain = tiny.source_claps(clips, generator=torch.Generator().manual_seed(4), var_samples=10**12)
    wanted = unit(tiny.generator(tiny.manifold.fold_clip(clips).mu).mu)
    torch.testing.assert_close(certain, wanted, rtol=0, atol=1e-4)


# --- configuration


def changed(path: str, value: Any) -> dict[str, Any]:
    content = released_json()
    *sections, key = path.split(".")
    table = content
    for section in sections:
        table = table[section]
    table[key] = value
    return content


def test_the_released_configuration_is_read() -> None:
    config = released_config()
    assert (config.clip_dim, config.clap_dim, config.fold_dim) == (768, 512, 768)
    assert config.manifold.layers == (768, 768, 1536, 1536, 3072, 3072)
    assert (config.remixer.muting, config.remixer.heads, config.regulariser_strength) == (0.2, 8, 0.35)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("manifold.arch", "moe", r"manifold\.arch: expected 'mlp'.*got 'moe'"),
        ("generator.arch", "transformer", r"generator\.arch: expected 'mlp'"),
        ("remixer.styler.arch", "mlp", r"remixer\.styler\.arch: expected 'transformer'"),
        ("remixer.guidance", "generator", r"remixer\.guidance: expected 'manifold'"),
        ("manifold.resnet", False, r"manifold\.resnet: expected True"),
        ("remixer.styler.num_layers", 2, r"num_layers: expected 1"),
        ("generator.disabled", True, r"generator\.disabled: expected False"),
        ("clip_dim", "768", r"clip_dim: expected a whole number above 0, got '768'"),
        ("manifold.layers", [768], r"manifold\.layers: expected a list of two or more"),
        ("manifold.dropout", 2, r"manifold\.dropout: expected a number from 0 to 1, got 2"),
        ("remixer.styler.nhead", 7, r"embed_dim: expected a multiple of 7 .*got 768"),
        ("remixer.slots", 64, r"remixer: unknown key\(s\) slots"),
        ("colour", 1, r"the whole: unknown key\(s\) colour"),
        ("generator", None, r"generator: expected a table, got None"),
    ],
)
def test_another_architecture_or_a_wrong_value_is_refused(path: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Ssv2aConfig.from_json(changed(path, value))


def test_a_missing_key_and_a_missing_file_are_named(tmp_path: Path) -> None:
    content = released_json()
    del content["manifold"]["layers"]
    with pytest.raises(ConfigurationError, match=r"manifold\.layers: expected .*got None"):
        Ssv2aConfig.from_json(content)
    with pytest.raises(ConfigurationError, match=r"none\.json: cannot be read"):
        Ssv2aConfig.from_file(tmp_path / "none.json")


# --- checkpoints


def released_pair(networks: Networks, folder: Path) -> tuple[Path, Path]:
    write_checkpoints(networks, folder)
    return folder / "ssv2a.pth", folder / "agg.pth"


def assert_same_weights(found: Networks, wanted: Networks, atol: float) -> None:
    for name, module in wanted.modules.items():
        state = found.modules[name].state_dict()
        for key, tensor in module.state_dict().items():
            torch.testing.assert_close(state[key], tensor, rtol=0, atol=atol)


def test_a_released_pair_loads_bit_for_bit(tiny: Networks, tmp_path: Path) -> None:
    loaded = load_released(tiny.config, *released_pair(tiny, tmp_path))
    assert_same_weights(loaded, tiny, atol=0)
    assert not any(p.requires_grad or p.is_meta for m in loaded.modules.values() for p in m.parameters())
    assert not any(module.training for module in loaded.modules.values())


def test_safetensors_come_back_within_half_precision(tiny: Networks, tmp_path: Path) -> None:
    save_modules(tiny.modules, tmp_path / "ssv2a.safetensors")
    loaded = load_networks(tiny.config, tmp_path / "ssv2a.safetensors")
    assert_same_weights(loaded, tiny, atol=3e-3)
    assert all(p.dtype == torch.float32 for m in loaded.modules.values() for p in m.parameters())


def test_a_part_of_the_networks_can_be_saved_and_filled_alone(tiny: Networks, tmp_path: Path) -> None:
    save_modules({"manifold": tiny.manifold}, tmp_path / "part.safetensors")
    other = Networks.untrained(tiny.config, seed=0)
    load_modules({"manifold": other.manifold}, tmp_path / "part.safetensors")
    torch.testing.assert_close(
        other.manifold.clip_encoder.out_mu.bias.data,
        tiny.manifold.clip_encoder.out_mu.bias.data,
        rtol=0,
        atol=1e-3,
    )
    with pytest.raises(WeightsError, match=r"manifold\.\*: unexpected"):
        load_modules({"generator": other.generator}, tmp_path / "part.safetensors")


def test_one_error_lists_missing_unexpected_and_misshapen_keys(tiny: Networks, tmp_path: Path) -> None:
    ssv2a, agg = released_pair(tiny, tmp_path)
    content = torch.load(ssv2a, weights_only=True)
    del content["generator_state"]["out_mu.bias"]
    content["generator_state"]["out_nu.bias"] = torch.zeros(1)
    content["remixer_state"]["styler.pred_token"] = torch.zeros(3, 24)
    content["manifold_state"]["logit_scale"] = "warm"
    content["optimiser_state"] = {"step": 1}
    torch.save(content, ssv2a)
    with pytest.raises(WeightsError) as failure:
        load_released(tiny.config, ssv2a, agg)
    message = str(failure.value)
    assert "5 fault(s)" in message
    assert "optimiser_state.*: unexpected" in message
    assert "generator.out_mu.bias: missing" in message
    assert "generator.out_nu.bias: unexpected" in message
    assert "remixer.styler.pred_token: expected shape [2, 24], got [3, 24]" in message
    assert "manifold.logit_scale: expected a tensor, got str" in message


def test_a_network_that_is_missing_or_no_table_is_named(tiny: Networks, tmp_path: Path) -> None:
    ssv2a, agg = released_pair(tiny, tmp_path)
    content = torch.load(ssv2a, weights_only=True)
    del content["generator_state"]
    content["remixer_state"] = torch.zeros(3)
    torch.save(content, ssv2a)
    with pytest.raises(WeightsError, match=r"generator\.out_mu\.bias: missing") as failure:
        load_released(tiny.config, ssv2a, agg)
    assert "remixer.styler.pred_token: missing" in str(failure.value)


class Malicious:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.target),)


def test_a_checkpoint_that_would_run_code_is_refused(tiny: Networks, tmp_path: Path) -> None:
    ssv2a, agg = released_pair(tiny, tmp_path)
    torch.save({"manifold_state": Malicious(tmp_path / "owned")}, ssv2a)
    with pytest.raises(WeightsError, match="cannot be read as a torch checkpoint"):
        load_released(tiny.config, ssv2a, agg)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint at all"])
def test_a_file_that_is_no_checkpoint_is_a_clear_error(content: bytes, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(content)
    with pytest.raises(WeightsError, match="cannot be read as a torch checkpoint"):
        load_released(tiny_config(), broken, broken)
    with pytest.raises(WeightsError, match="cannot be read as safetensors"):
        load_networks(tiny_config(), broken)


def test_shapes_alone_do_not_load_torchs_compiler() -> None:
    code = (
        "import sys, torch; from parity_rule import tiny_config; from ssv2a.networks import Networks\n"
        "with torch.device('meta'): Networks.untrained(tiny_config(), seed=0)\n"
        "assert 'torch._dynamo' not in sys.modules and 'sympy' not in sys.modules"
    )
    subprocess.run((sys.executable, "-c", code), check=True, cwd=Path(__file__).parent)
