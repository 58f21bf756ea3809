"""The networks and Cycle Mix compute what the released ones compute, at the released sizes."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from parity_rule import DATA, draw, released_config, rule_made, unit, without_noise
from torch import Tensor

from ssv2a.cycle_mix import cycle_mix
from ssv2a.layers import Gaussian
from ssv2a.networks import Networks

TOLERANCE = 1e-5  # absolute, ten times tighter than what the released results ask for


@pytest.fixture(scope="module")
def expected() -> dict[str, np.ndarray]:
    with np.load(DATA / "released.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def networks() -> Networks:
    return rule_made(released_config())


@pytest.fixture
def quiet(networks: Networks) -> Iterator[Networks]:
    with without_noise(networks):
        yield networks


def assert_close(found: Tensor, wanted: np.ndarray) -> None:
    np.testing.assert_allclose(found.numpy(), wanted, rtol=0, atol=TOLERANCE)


def assert_gaussian(found: Gaussian, expected: dict[str, np.ndarray], name: str) -> None:
    assert_close(found.mu, expected[f"{name}.mu"])
    assert_close(found.log_sigma, expected[f"{name}.log_sigma"])


def test_manifold_and_generator(networks: Networks, expected: dict[str, np.ndarray]) -> None:
    clip, clap = unit(draw("in.clip", 3, 768)), unit(draw("in.clap", 3, 512))
    assert_gaussian(networks.manifold.fold_clip(clip), expected, "manifold.clip")
    assert_gaussian(networks.manifold.fold_clap(clap), expected, "manifold.clap")
    assert_gaussian(networks.generator(draw("in.fold", 3, 768)), expected, "generator")


def test_remixer(networks: Networks, expected: dict[str, np.ndarray]) -> None:
    assert_gaussian(networks.remixer(draw("in.remix.src", 3, 64, 768), slots()), expected, "remixer")


@pytest.mark.parametrize("length", [64, 16])
def test_aggregator(networks: Networks, expected: dict[str, np.ndarray], length: int) -> None:
    claps = unit(draw(f"in.agg.{length}", 2, length, 512))
    assert_gaussian(networks.aggregator(claps), expected, f"aggregator.L{length}")


@pytest.mark.parametrize("its", [0, 4])
def test_cycle_mix_of_images(quiet: Networks, expected: dict[str, np.ndarray], its: int) -> None:
    assert_search(quiet, expected, f"cycle_mix.its{its}", slots(), its)


@pytest.mark.parametrize("its", [0, 4])
def test_cycle_mix_of_pictures_and_sounds_together(
    quiet: Networks, expected: dict[str, np.ndarray], its: int
) -> None:
    clips, folds = torch.zeros(1, 64, 768), torch.zeros(1, 64, 768)
    clips[0, 1:5] = unit(draw("in.mm.clip", 4, 768))
    folds[0, 1:5] = quiet.manifold.fold_clip(clips[0, 1:5]).mu
    folds[0, 5:7] = sound_folds(quiet)
    assert_search(quiet, expected, f"multimodal.its{its}", clips, its, folds)


def test_cycle_mix_of_sounds_alone(quiet: Networks, expected: dict[str, np.ndarray]) -> None:
    folds = torch.zeros(1, 64, 768)
    folds[0, 1:3] = sound_folds(quiet)
    assert_search(quiet, expected, "audio_only.its4", torch.zeros(1, 64, 768), 4, folds)


def slots() -> Tensor:
    """Three images: with no source, with 5, and with 63."""
    clips = torch.zeros(3, 64, 768)
    for image, sources in enumerate((0, 5, 63)):
        clips[image, 0] = unit(draw(f"in.remix.global.{image}", 768))
        clips[image, 1 : sources + 1] = unit(draw(f"in.remix.sources.{image}", sources, 768))
    return clips


def sound_folds(networks: Networks) -> Tensor:
    return networks.manifold.fold_clap(unit(draw("in.mm.clap", 2, 512))).mu


def assert_search(
    networks: Networks,
    expected: dict[str, np.ndarray],
    name: str,
    clips: Tensor,
    its: int,
    fixed_folds: Tensor | None = None,
) -> None:
    mix = cycle_mix(
        networks,
        clips,
        generator=torch.Generator().manual_seed(1),
        its=its,
        samples=2,
        var_samples=64,
        fixed_folds=fixed_folds,
    )
    assert_close(mix.claps, expected[name])
    assert_close(mix.round_claps, expected[f"{name}.round_claps"])
    assert_close(mix.round_scores, expected[f"{name}.round_scores"])
