"""Each loss against a closed form or a hand count."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ssv2a.layers import Gaussian
from ssv2a.train.losses import (
    contrast,
    cosine_distance,
    kl_to_standard_normal,
    likeness_mask,
    mute_slots,
    squared_cosine_distance,
    variational_contrast,
)


def test_kl_of_the_standard_normal_is_zero_and_of_others_is_what_torch_says() -> None:
    assert kl_to_standard_normal(Gaussian(torch.zeros(4, 3), torch.zeros(4, 3))).item() == 0
    generator = torch.Generator().manual_seed(0)
    law = Gaussian(torch.randn(5, 7, generator=generator), torch.randn(5, 7, generator=generator))
    normal = torch.distributions.Normal(law.mu, (law.log_sigma / 2).exp())
    wanted = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0)).sum(-1).mean()
    torch.testing.assert_close(kl_to_standard_normal(law), wanted)


@given(n=st.integers(2, 9), scale=st.floats(0, 4))
def test_contrast_of_orthonormal_pairs_has_its_closed_form(n: int, scale: float) -> None:
    rows = torch.eye(n)
    wanted = math.log(math.exp(math.exp(scale)) + n - 1) - math.exp(scale)
    assert contrast(3 * rows, rows, torch.tensor(scale)).item() == pytest.approx(wanted, abs=1e-4)


def test_contrast_does_not_see_length_and_clamps_its_temperature() -> None:
    generator = torch.Generator().manual_seed(1)
    a, b = torch.randn(4, 6, generator=generator), torch.randn(4, 6, generator=generator)
    at = {scale: contrast(a, b, torch.tensor(scale)).item() for scale in (-3.0, 0.0, math.log(100), 9.0)}
    assert at[-3.0] == at[0.0]
    assert at[9.0] == at[math.log(100)]
    assert contrast(7 * a, b, torch.tensor(1.0)).item() == pytest.approx(
        contrast(a, b, torch.tensor(1.0)).item()
    )


def test_the_mask_spares_what_looks_and_sounds_alike() -> None:
    clips = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    claps = torch.tensor([[0.0, 1.0], [0.0, 2.0], [0.0, -1.0]])
    mask = likeness_mask(clips, claps, 0.35)
    assert torch.allclose(mask, torch.tensor([[1.0, 0.65, 1.0], [0.65, 1.0, 1.0], [1.0, 1.0, 1.0]]))
    scale = torch.tensor(2.0)
    assert contrast(clips, clips, scale, mask) < contrast(clips, clips, scale)


def test_variational_contrast_of_certain_vectors_is_the_plain_one() -> None:
    generator = torch.Generator().manual_seed(2)
    a, b = torch.randn(4, 6, generator=generator), torch.randn(4, 6, generator=generator)
    certain = torch.full((4, 6), -60.0)
    scale = torch.tensor(1.5)
    found = variational_contrast(
        Gaussian(a, certain), Gaussian(b, certain), scale, generator=generator, samples=3
    )
    torch.testing.assert_close(found, contrast(a, b, scale))


def test_cosine_distances_at_right_angles_and_opposites() -> None:
    found = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0]])
    wanted = torch.tensor([[5.0, 0.0], [-1.0, 0.0], [1.0, 0.0]])  # distances 0, 2, 1
    assert cosine_distance(found, wanted).item() == pytest.approx(1.0)
    assert squared_cosine_distance(found, wanted).item() == pytest.approx(5 / 3)


def test_muting_takes_whole_slots_at_the_rate_asked_for() -> None:
    slots = torch.ones(200, 64, 3)
    muted = mute_slots(slots, 0.2, torch.Generator().manual_seed(0))
    whole = muted.sum(dim=-1)
    assert set(whole.unique().tolist()) == {0.0, 3.0}
    assert (whole == 0).float().mean().item() == pytest.approx(0.2, abs=0.01)
    assert torch.equal(mute_slots(slots, 0.0, torch.Generator()), slots)
