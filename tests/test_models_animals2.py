"""What makes elephants, lions, pigeons and crickets recognisable: shocks, steps, formants, rolls, chirps."""

import numpy as np
import pytest
from sound_measures import RATE, band_level, envelope, part, pitch, rhythm, share_above
from test_models import play

from ssv2a.soundbank.dsp import phase
from ssv2a.soundbank.models.beasts import heavy_folds, roar, throat
from ssv2a.soundbank.models.birds import coo
from ssv2a.soundbank.models.elephants import bellow, regimes, steepened, trumpet, trunk
from ssv2a.soundbank.models.small_animals import chirps

SEEDS = range(3)
FLAT = ((0, 1.0), (1, 1.0))


def crest(x):
    """Peak over RMS in dB."""
    return 20 * np.log10(np.abs(x).max() / x.std())


# --- elephants ----------------------------------------------------------------------------------


def test_a_steepened_wave_keeps_its_pitch_and_grows_harmonics():
    turns = phase(np.full(RATE, 400.0))
    soft, loud = (steepened(turns, np.full(RATE, steep)) for steep in (0.1, 0.9))
    second = [band_level(x, 750, 850) - band_level(x, 350, 450) for x in (soft, loud)]
    fifth = [band_level(x, 1950, 2050) - band_level(x, 350, 450) for x in (soft, loud)]
    assert second[0] < -20 < -10 < second[1] < -4  # a saw's second harmonic is 6 dB below the first
    assert fifth[0] < -60
    assert fifth[1] > -25


def test_a_trunk_has_a_formant_every_half_wave():
    click = np.zeros(RATE)
    click[0] = 1.0
    spectrum = np.abs(np.fft.rfft(trunk(click, 2.5, 0.6)))[:500]
    peaks = np.flatnonzero((spectrum[1:-1] > spectrum[:-2]) & (spectrum[1:-1] > spectrum[2:])) + 1
    assert np.diff(peaks).mean() == pytest.approx(350 / 5.0, rel=0.02)


def test_pitch_climbs_a_ladder_of_resonances():
    climb = np.linspace(300, 500, RATE)
    stairs = regimes(climb, 70.0, 1.0)
    assert np.mean(np.abs(stairs / 70 - np.round(stairs / 70)) < 0.02) > 0.7
    assert np.allclose(regimes(climb, 70.0, 0.0), climb)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_trumpet_is_brassy_at_its_pitch(seed):
    x = trumpet(470.0, 1.2, FLAT, 2.7, 0.0, np.random.default_rng(seed))
    assert pitch(part(x, 0.5, 0.1), 350, 620) == pytest.approx(470, rel=0.12)
    first, brass, top = band_level(x, 380, 560), band_level(x, 800, 3200), band_level(x, 6000, 16_000)
    assert brass > first - 3
    assert brass > top + 12
    assert crest(part(x, 0.3, 0.5)) < 15


@pytest.mark.parametrize("seed", SEEDS)
def test_a_trumpet_is_brightest_when_blown_hardest(seed):
    x = trumpet(470.0, 1.2, FLAT, 2.7, 0.0, np.random.default_rng(seed))
    soft, hard = (
        band_level(part(x, at, 0.06), 1800, 4000) - band_level(part(x, at, 0.06), 300, 1200)
        for at in (0.005, 0.6)
    )
    assert hard > soft + 2


@pytest.mark.parametrize("seed", SEEDS)
def test_an_elephants_roar_is_deep_rough_and_lifted_by_the_mouth(seed):
    rng = np.random.default_rng(seed)
    wide, shut = (bellow(np.full(RATE, 50.0), np.full(RATE, gape), 1.0, rng) for gape in (1.0, 0.0))
    assert band_level(wide, 500, 950) > band_level(shut, 500, 950) + 4
    assert band_level(wide, 150, 1000) > band_level(wide, 2000, 12_000) + 15
    loud = envelope(part(wide, 0.1, 0.8), 200.0)
    assert loud.std() > 0.35 * loud.mean()


@pytest.mark.parametrize("seed", SEEDS)
def test_an_elephant_both_trumpets_and_roars(seed):
    x = play("mammal.elephant", seed, 12 * RATE, blasts=1.0, roars=1.0, first=0.0, seconds=1.0)[0]
    high, low = (
        band_level(y, 1000, 3500) - band_level(y, 100, 700) for y in (part(x, 0.2, 0.6), part(x, 1.4, 0.5))
    )
    assert high > low + 10
    assert 2 < x.size / RATE < 4


# --- lions --------------------------------------------------------------------------------------


def test_the_throat_carries_its_formants():
    noise = np.random.default_rng(0).standard_normal(2 * RATE)
    gape = np.repeat([0.0, 1.0], RATE)
    x = throat(noise, [(200, 60, 1.0)], [(600, 60, 1.0)], gape)
    assert x.size == noise.size
    first, second = part(x, 0.2, 0.6), part(x, 1.2, 0.6)
    assert band_level(first, 150, 250) > band_level(first, 550, 650) + 12
    assert band_level(second, 550, 650) > band_level(second, 150, 250) + 12


@pytest.mark.parametrize("seed", SEEDS)
def test_rough_folds_fall_into_slower_cycles(seed):
    rng = np.random.default_rng(seed)
    even, wild = (heavy_folds(np.full(RATE, 50.0), rough, rng) for rough in (0.0, 0.9))
    below = [band_level(x, 30, 150) - band_level(x, 180, 220) for x in (even, wild)]
    assert pitch(part(even, 0.2, 0.2), 120, 300) == pytest.approx(200, rel=0.05)
    assert below[1] > below[0] + 8


@pytest.mark.parametrize("seed", SEEDS)
def test_a_roar_has_no_steady_tone(seed):
    x = roar(np.full(RATE, 50.0), np.ones(RATE), 0.9, np.random.default_rng(seed))
    power = np.abs(np.fft.rfft(part(x, 0.2, 0.5))) ** 2
    hertz = np.fft.rfftfreq(RATE // 2, 1 / RATE)
    inside = power[(hertz > 250) & (hertz < 850)]
    assert np.exp(np.log(inside).mean()) / inside.mean() > 0.12


# --- pigeons ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_coo_comes_in_bursts_unlike_a_hoot(seed):
    rng = np.random.default_rng(seed)
    rolled, plain = (coo(430.0, 0.8, roll, 25.0, 430.0, rng) for roll in (1.0, 0.0))
    deep, flat = (envelope(part(x, 0.2, 0.4), 60.0) for x in (rolled, plain))
    assert deep.std() / deep.mean() > 2 * flat.std() / flat.mean()
    assert deep.min() < 0.25 * deep.max()
    assert rhythm(part(rolled, 0.1, 0.6), 15, 40) == pytest.approx(25, rel=0.15)


# --- crickets -----------------------------------------------------------------------------------


def test_a_field_cricket_chirps_whole_pulses():
    loud = chirps(4 * RATE, 30.0, 2.5, 4.0, np.random.default_rng(0))
    rises = np.count_nonzero((loud[1:] > 0.2) & (loud[:-1] <= 0.2))
    assert rises == pytest.approx(4 * 2.5 * 4, abs=5)
    assert 0.2 < np.mean(loud > 0) < 0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_crickets_sing_in_their_band(seed):
    x = play("small.crickets", seed, 4 * RATE)
    assert share_above(x, 3000) > 0.9
    mono = x.mean(axis=0)
    assert band_level(mono, 3500, 5600) > band_level(mono, 6500, 16_000) + 15  # no hiss
    assert band_level(mono, 3500, 5600) > band_level(mono, 100, 2500) + 12
