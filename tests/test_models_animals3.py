"""What makes pigeons, monkeys and elephants recognisable: pure rolled coos, chatter, hoarse trumpets."""

import numpy as np
import pytest
from scipy import signal
from sound_measures import RATE, band_level, envelope, part, pitch, rhythm, share
from test_models import play

from ssv2a.soundbank.models.birds import COOS, coo, flutter
from ssv2a.soundbank.models.elephants import trumpet
from ssv2a.soundbank.models.primates import hoo, yap

SEEDS = range(4)
LONG = 12 * RATE
FLAT = ((0, 1.0), (1, 1.0))
ONE_BIRD = {"birds": 1.0, "leave": 0.0, "phrases": 2.0, "wall": 0.06}


def near(x, hertz, width):
    """Level in dB about a frequency."""
    return band_level(x, hertz - width, hertz + width)


# --- pigeons ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("hertz", [330.0, 430.0, 620.0])
def test_a_coo_is_nearly_a_pure_tone(seed, hertz):
    x = part(coo(hertz, 0.7, 0.0, 22.0, hertz, np.random.default_rng(seed)), 0.25, 0.25)
    first = near(x, hertz, 60)
    assert near(x, 2 * hertz, 60) < first - 28
    assert near(x, 3 * hertz, 60) < first - 36
    assert band_level(x, 2000, 12_000) < first - 30  # no hiss


@pytest.mark.parametrize("seed", SEEDS)
def test_a_coo_swells_and_glides_to_its_end(seed):
    x = coo(400.0, 0.8, 0.0, 22.0, 500.0, np.random.default_rng(seed))
    start, middle, end = (pitch(part(x, at, 0.06), 250, 650) for at in (0.06, 0.35, 0.6))
    assert start < 0.95 * middle
    assert end > 1.03 * middle
    level = [part(x, at, 0.06).std() for at in (0.02, 0.33, 0.74)]
    assert level[1] > 2 * level[0]
    assert level[1] > 2 * level[2]


@pytest.mark.parametrize("hertz", [18.0, 27.0])
def test_the_roll_is_as_fast_as_the_muscles_twitch(hertz):
    x = coo(430.0, 1.0, 0.7, hertz, 430.0, np.random.default_rng(3))
    assert rhythm(part(x, 0.15, 0.7), 12, 38) == pytest.approx(hertz, rel=0.15)


@pytest.mark.parametrize(("dove", "low", "high"), [(0.1, 300, 620), (0.6, 400, 640), (0.9, 470, 700)])
@pytest.mark.parametrize("seed", SEEDS)
def test_each_dove_keeps_to_its_pitch_and_phrase(seed, dove, low, high):
    x = play("bird.pigeon", seed, LONG, dove=dove, **ONE_BIRD)[0]
    assert share(x, low, high) > 0.85
    phrase = COOS[(dove > 0.45) + (dove > 0.72)]
    assert len(phrase) == (3 if dove > 0.72 else 5)
    assert x.size / RATE == pytest.approx(2 * (phrase[-1][0] + phrase[-1][1]) + 1, abs=1.2)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_rock_dove_rolls_more_than_the_others(seed):
    def rolled(dove):
        level = envelope(play("bird.pigeon", seed, LONG, dove=dove, **ONE_BIRD)[0], 60.0)
        hertz, power = signal.welch(level / level.mean(), RATE, nperseg=RATE)
        return power[(hertz > 14) & (hertz < 32)].sum()

    assert rolled(0.1) > 1.2 * max(rolled(0.6), rolled(0.9))


@pytest.mark.parametrize("seed", range(12))
def test_no_bird_is_cut_off(seed):
    x = play("bird.pigeon", seed, LONG, birds=3.0, leave=0.0, phrases=2.0, wall=0.0)[0]
    assert part(x, x.size / RATE - 0.15, 0.14).std() < 0.1 * x.std()


@pytest.mark.parametrize("seed", SEEDS)
def test_wings_clap_seven_to_ten_times_a_second_and_fade(seed):
    x = flutter(8, 8.5, np.random.default_rng(seed))
    assert rhythm(x, 5, 14) == pytest.approx(8.5, rel=0.12)
    assert part(x, 0.0, 0.3).std() > 1.5 * part(x, 0.65, 0.3).std()
    assert band_level(x, 200, 3000) > band_level(x, 6000, 16_000) + 10


# --- monkeys ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_call_of_a_chatter_swells_and_its_folds_beat_in_twos(seed):
    hoarse, clean = (yap(0.3, 700.0, 1.0, harsh, np.random.default_rng(seed)) for harsh in (0.9, 0.0))
    middle = [part(x, 0.1, 0.06) for x in (hoarse, clean)]
    below = [near(x, 380, 90) - near(x, 760, 90) for x in middle]
    assert below[0] > below[1] + 3
    level = envelope(hoarse, 60.0)
    assert 0.2 < np.argmax(level) / level.size < 0.6
    assert share(hoarse, 500, 5500) > 0.8


@pytest.mark.parametrize("seed", SEEDS)
def test_a_troop_leaves_hardly_a_pause(seed):
    x = play("mammal.monkey", seed, LONG, ape=0.0, troop=1.0, wood=0.06)[0]
    level = envelope(x[: -RATE // 2], 8.0)
    assert np.mean(level > 0.03 * level.max()) > 0.6
    assert share(x, 400, 9000) > 0.85


def test_pouted_lips_leave_a_hoot_little_but_its_fundamental():
    x = hoo(0.25, 420.0, 1.0, 0.05, np.random.default_rng(0))
    assert band_level(x, 300, 480) > band_level(x, 700, 2000) + 8


# --- elephants ----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_trumpet_is_hoarse_between_its_harmonics(seed):
    x = part(trumpet(470.0, 1.2, FLAT, 2.7, 0.0, np.random.default_rng(seed)), 0.4, 0.4)
    power = np.abs(np.fft.rfft(x * np.hanning(x.size))) ** 2
    hertz = np.fft.rfftfreq(x.size, 1 / RATE)
    inside = power[(hertz > 700) & (hertz < 3000)]
    flatness = np.exp(np.log(inside).mean()) / inside.mean()
    assert 0.03 < flatness < 0.5  # a clean horn is below, a hiss above


@pytest.mark.parametrize("seed", SEEDS)
def test_an_elephants_energy_lies_between_two_hundred_hertz_and_three_kilohertz(seed):
    x = play("mammal.elephant", seed, LONG)[0]
    assert share(x, 150, 3200) > 0.85
    assert share(x, 400, 1600) > 0.3
    assert share(x, 6400, 20_000) < 0.02
