"""What makes doors recognisable."""

import numpy as np
import pytest
from sound_measures import RATE, between, envelope, share
from test_models import play

from ssv2a.soundbank.models.doors import clack, leaf

SEEDS = range(5)


def fall(x, decibels):
    """Seconds from the peak of the envelope until it stays so many dB lower."""
    level = envelope(x, 100.0)
    top = int(np.argmax(level))
    over = np.flatnonzero(level[top:] > level[top] * 10 ** (-decibels / 20))
    return int(over[-1]) / RATE


def flatness(x, low, high):
    """Geometric over arithmetic mean of the power spectrum: near 0 for a few lines, about 0.5 for noise."""
    power, hertz = np.abs(np.fft.rfft(x)) ** 2, np.fft.rfftfreq(x.size, 1 / RATE)
    inside = power[(hertz > low) & (hertz < high)]
    return float(np.exp(np.log(inside + 1e-20).mean()) / inside.mean())


@pytest.mark.parametrize("seed", SEEDS)
def test_a_latch_is_a_dry_burst_of_many_modes(seed):
    x = clack(np.random.default_rng(seed), 1200.0, np.zeros(1))
    assert 0.004 < fall(x, 20) < 0.07
    assert share(x, 1000, 16_000) > 0.5
    assert flatness(x, 1000, 8000) > 0.1, "no tone"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_leaf_thuds_and_its_high_modes_die_first(seed):
    x = leaf(np.random.default_rng(seed), RATE // 2, 80.0, 0.04)
    low, high = between(x, 60, 200), between(x, 1500, 4000)
    assert 0.1 < fall(low, 30) < 0.6
    assert fall(high, 30) < 0.1


@pytest.mark.parametrize("seed", SEEDS)
def test_a_slam_has_the_click_of_its_lock_in_it(seed):
    x = play("impact.door", seed, 6 * RATE, creak=0.0, key=0.0)[0]
    top = int(np.argmax(np.abs(x)))
    slam = x[max(0, top - RATE // 20) : top + RATE // 2]
    assert 0.02 < share(slam, 1000, 16_000) < 0.55  # recordings: 0.04 to 0.51
    assert share(slam, 40, 500) > 0.4  # recordings: 0.43 to 0.77


@pytest.mark.parametrize("seed", SEEDS)
def test_a_handle_is_heard_before_the_slam_and_no_dead_tail_after(seed):
    x = play("impact.door", seed, 6 * RATE, seconds=1.2, creak=0.0, key=0.0)[0]
    handle, swing = x[: int(0.35 * RATE)], x[int(0.75 * RATE) : int(1.0 * RATE)]
    assert np.abs(handle).max() > 3 * np.abs(swing).max()
    assert x.size / RATE < 2.2
