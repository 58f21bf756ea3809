"""What makes hooves hooves: a short hollow clop, dry single steps without a rumble, a gait that goes on."""

import numpy as np
import pytest
from sound_measures import RATE, band_level, envelope
from test_models import play

from ssv2a.soundbank.models.horses import MODELS, hoof_step

SEEDS = range(6)
HOOVES = next(model for model in MODELS if model.name == "mammal.hooves")


def step(seed, hertz=700.0):
    rng = np.random.default_rng(seed)
    return hoof_step(HOOVES.draw(rng), hertz, rng)


def decay_seconds(x, fall=20.0):
    """Time from the loudest moment of `x` until it stays below by `fall` dB."""
    power = np.convolve(x * x, np.ones(RATE // 330), "same")
    loud = np.flatnonzero(power > power.max() * 10 ** (-fall / 10))
    return (loud[-1] - int(power.argmax())) / RATE


@pytest.mark.parametrize("seed", SEEDS)
def test_a_step_is_short_and_hollow(seed):
    x = step(seed)
    hertz = np.fft.rfftfreq(RATE, 1 / RATE)
    loudest = hertz[np.argmax(np.abs(np.fft.rfft(x, RATE)))]
    assert 400 < loudest < 1300
    assert decay_seconds(x) < 0.05


@pytest.mark.parametrize("seed", SEEDS)
def test_a_step_has_iron_in_it_but_no_boom(seed):
    x = step(seed)
    clop = band_level(x, 450, 1300)
    assert 8 < clop - band_level(x, 1800, 4500) < 30
    assert clop > band_level(x, 40, 250) + 4


def test_no_two_steps_of_a_hoof_are_alike():
    rng = np.random.default_rng(3)
    params = HOOVES.draw(rng)
    first, second = (hoof_step(params, 700.0, rng) for _ in range(2))
    alike = np.abs(np.fft.irfft(np.fft.rfft(first, 32768) * np.conj(np.fft.rfft(second, 32768)))).max()
    assert alike < 0.97 * np.sqrt(np.sum(first**2) * np.sum(second**2))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("gait", [0, 1, 2])
def test_steps_stand_apart_and_nothing_rumbles(gait, seed):
    x = play("mammal.hooves", seed, 8 * RATE, gait=gait + 0.5)[0]
    loud = envelope(x, 60.0)
    assert np.percentile(loud, 30) < 0.25 * np.percentile(loud, 98)
    assert band_level(x, 450, 1300) > band_level(x, 30, 150) + 12


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("gait", [0, 1, 2])
def test_a_gait_ends_where_the_next_stride_would_begin(gait, seed):
    x = play("mammal.hooves", seed, 12 * RATE, gait=gait + 0.5, air=0.0)[0]
    loud = np.flatnonzero(np.abs(x) > 0.15 * np.abs(x).max())
    assert 0.05 < (x.size - loud[-1]) / RATE < 0.45
