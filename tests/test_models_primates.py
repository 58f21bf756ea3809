"""What makes monkeys, camels, scissors and a rally recognisable: pitch, roughness, gurgle, rates, decays."""

import numpy as np
import pytest
from scipy import signal
from sound_measures import RATE, centroid, envelope, middle_hertz, part, pitch, rhythm, share
from test_models import play
from test_models_impacts import depth, fall, onsets

from ssv2a.soundbank.dsp import samples
from ssv2a.soundbank.models.balls import _court, _stroke
from ssv2a.soundbank.models.beasts import groan
from ssv2a.soundbank.models.metal import shear
from ssv2a.soundbank.models.primates import hoo, scream

LONG = 12 * RATE
SEEDS = range(4)


def tonal(x, low, high):
    """Autocorrelation at the period of the pitch: 1 where every period is as the one before."""
    y = x - x.mean()
    lag = round(RATE / pitch(x, low, high))
    return float(np.dot(y[lag:], y[:-lag]) / np.dot(y, y))


# --- monkeys ------------------------------------------------------------------------------------


@pytest.mark.parametrize("hertz", [340.0, 480.0])
def test_a_hoot_is_a_round_low_tone_with_little_above_its_second_harmonic(hertz):
    x = hoo(0.2, hertz, 1.0, 0.2, np.random.default_rng(1))
    assert pitch(x, 250, 700) == pytest.approx(hertz * 0.96, rel=0.06)
    assert share(x, 250, 1200) > 0.9
    assert tonal(x, 250, 700) > 0.6


@pytest.mark.parametrize("seed", SEEDS)
def test_a_scream_is_high_bright_and_the_harsher_the_less_periodic(seed):
    f0 = np.full(RATE // 2, 1200.0)
    clean, torn = (scream(f0, 1.0, harsh, np.random.default_rng(seed)) for harsh in (0.0, 1.0))
    assert pitch(clean, 900, 1500) == pytest.approx(1200, rel=0.03)
    assert share(clean, 900, 5000) > 0.8
    assert tonal(clean, 900, 1500) > tonal(torn, 900, 1500) + 0.2
    assert share(torn, 300, 900) > 5 * share(clean, 300, 900), "period doubling lies below f0"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_pant_hoot_climbs_from_soft_low_hoots_to_loud_screams(seed):
    x = play("mammal.monkey", seed, LONG, ape=1.0, hoots=8.0, rate=3.8, scream=1200.0, wood=0.06)[0]
    top = int(np.argmax(envelope(x, 10.0))) / RATE
    assert 1.5 < top < 6.0
    start, loud = part(x, 0.05, 0.8), part(x, top - 0.15, 0.3)
    assert loud.std() > 2 * start.std()
    assert centroid(start) < 800 < centroid(loud) < 3500
    assert 3.0 < rhythm(part(x, 0.0, 1.7), 2.5, 5.0) < 5.0


@pytest.mark.parametrize("seed", SEEDS)
def test_a_troop_chatters_in_quick_short_calls(seed):
    x = play("mammal.monkey", seed, LONG, ape=0.0, troop=1.0, wood=0.06)[0]
    gaps = np.diff(onsets(x, 0.06, 0.12))
    assert np.count_nonzero((gaps > 0.065) & (gaps < 0.3)) >= 5
    assert share(x, 400, 4500) > 0.8
    assert 2.5 < x.size / RATE < 9


# --- camels -------------------------------------------------------------------------------------


@pytest.mark.parametrize("hertz", [100.0, 160.0])
def test_a_camels_folds_beat_in_twos(hertz):
    n = samples(1.5)
    x = groan(np.full(n, hertz), np.full(n, 0.7), 0.8, 0.0, np.random.default_rng(2))
    level = envelope(x, 400.0)[::16]
    hz, power = signal.welch(level - level.mean(), RATE / 16, nperseg=2048)
    near = (power[np.abs(hz - times * hertz) < 8].max() for times in (0.5, 1.0))
    half, whole = near
    assert half > 0.1 * whole, "a subharmonic at half the rate"
    assert pitch(x, 0.4 * hertz, 1.2 * hertz) == pytest.approx(hertz / 2, rel=0.08) or pitch(
        x, 0.7 * hertz, 1.2 * hertz
    ) == pytest.approx(hertz, rel=0.08)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_wet_groan_gurgles_fifteen_to_twenty_five_times_a_second(seed):
    n = samples(2.0)
    dry, wet = (
        groan(np.full(n, 120.0), np.full(n, 0.7), 0.5, water, np.random.default_rng(seed))
        for water in (0.0, 1.0)
    )
    assert depth(wet, 13, 28) > 1.5 * depth(dry, 13, 28)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_camel_groans_long_and_low_through_its_nose(seed):
    x = play("mammal.camel", seed, LONG, groans=1.0, seconds=2.2)[0]
    assert 2.2 < x.size / RATE < 3.0
    assert share(x, 200, 1300) > 0.75
    assert share(x, 5000, 20_000) < 0.01
    hum, bellow = part(x, 0.1, 0.3), part(x, 0.7, 0.5)
    assert bellow.std() > 1.3 * hum.std()
    assert share(bellow, 600, 1300) > share(hum, 600, 1300)


# --- scissors -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_blades_shear_higher_as_they_close(seed):
    blade = np.zeros(100)
    blade[0] = 1.0  # no ringing of their own
    x = shear(0.2, blade, 800.0, np.random.default_rng(seed))
    hiss = signal.sosfilt(signal.butter(4, (1500, 15_000), "bandpass", fs=RATE, output="sos"), x)
    assert x.std() > 0
    third = hiss.size // 3
    assert share(hiss[-third:], 6000, 15_000) > share(hiss[:third], 6000, 15_000)


@pytest.mark.parametrize("seed", SEEDS)
def test_scissors_are_bright_dry_and_part_more_softly_than_they_cut(seed):
    x = play("impact.scissors", seed, LONG, snips=4.0, period=0.6, cut=0.15, part=0.25, room=0.05)[0]
    assert share(x, 2000, 16_000) > 0.85
    level = np.square(x)
    cut, opening = level[: int(0.19 * RATE)].sum(), level[int(0.3 * RATE) : int(0.5 * RATE)].sum()
    assert cut > 4 * opening > 0


# --- rackets ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_stroke_is_short_and_higher_than_the_bounce_on_the_court(seed):
    rng = np.random.default_rng(seed)
    params = {"strings": 520.0, "ring": 0.05, "contact": 0.005, "pop": 1.0, "bend": 120.0, "thud": 180.0}
    stroke, bounce = _stroke(params, 1.0, rng), _court(params, rng)
    assert share(stroke, 400, 2500) > 0.5
    assert middle_hertz(stroke) > middle_hertz(bounce)
    assert share(bounce, 120, 1500) > 0.8
    assert fall(stroke, 30) < 0.08


@pytest.mark.parametrize("seed", SEEDS)
def test_a_rally_goes_from_side_to_side_and_from_near_to_far(seed):
    fixed = {"strokes": 2.0, "flight": 0.7, "rise": 0.4, "slapback": 0.15, "shoes": 0.0}
    x = play("impact.racket", seed, LONG, side=0.2, court=0.5, **fixed)
    first, second = x[:, : RATE // 5], x[:, int(0.98 * RATE) : int(1.3 * RATE)]
    assert first[0].std() > 1.2 * first[1].std()
    assert second[1].std() > 1.2 * second[0].std()
    assert first.std() > 1.3 * second.std()
