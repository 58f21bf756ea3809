"""What makes stone, earth, a cart, clothes, tennis and a washing machine recognisable."""

import numpy as np
import pytest
from scipy import stats
from sound_measures import RATE, between, centroid, envelope, levels, share
from test_models import play

from ssv2a.soundbank.models.balls import _shoe, _stroke
from ssv2a.soundbank.models.people import swings

DRAWS = range(6)
WASH = {"spin": 0.0, "run": 60.0, "drum_hz": 0.8}


def fall(x, decibels):
    """Seconds from the envelope's top until it is first so much lower."""
    level = envelope(x, 100.0)
    after = level[int(np.argmax(level)) :]
    return int(np.argmax(after < level.max() * 10 ** (-decibels / 20))) / RATE


def tone(x, low, high):
    """Frequency in Hz of the strongest component between two."""
    power = np.abs(np.fft.rfft(x * np.hanning(x.size), 1 << 19))
    hertz = np.fft.rfftfreq(1 << 19, 1 / RATE)
    inside = (hertz > low) & (hertz < high)
    return float(hertz[inside][np.argmax(power[inside])])


def swaying(x, hertz):
    """Depth of the level's sinusoid at a rate, relative to its mean."""
    level = envelope(x, 8.0)
    turn = np.exp(-2j * np.pi * hertz * np.arange(level.size) / RATE)
    return float(2 * np.abs((level * turn).mean()) / level.mean())


# --- stone --------------------------------------------------------------------------------------


def test_a_pick_on_rock_is_bright_and_dead_within_a_tenth_of_a_second():
    falls, high = [], []
    for seed in range(12):
        x = play("hand.stone", seed, 6 * RATE, blows=1.0)[0][: int(0.4 * RATE)]
        falls.append(fall(x, 20))
        high.append(share(x, 1000, 8000))
        assert share(x, 11_000, 24_000) < 0.1
    assert 0.015 < np.median(falls) < 0.09
    assert max(falls) < 0.15
    assert np.median(high) > 0.45


def test_a_pick_chatters_as_long_as_drawn():
    """The middle of a blow's energy lies later the longer the steel bounces on the rock."""
    middles = []
    for chatter in (0.02, 0.12):
        fixed = {"blows": 1.0, "chatter": chatter, "crumble": 0.07, "pit": 0.0, "chips": 0.1}
        takes = [np.square(play("hand.stone", seed, 6 * RATE, **fixed)[0][: RATE // 4]) for seed in range(16)]
        middles.append(np.mean([(x * np.arange(x.size)).sum() / x.sum() / RATE for x in takes]))
    assert middles[1] > middles[0] + 0.007


def test_chips_of_rock_fall_after_the_blow():
    many, few = (
        np.mean([levels(play("hand.stone", s, 6 * RATE, blows=1.0, chips=c, pit=0.0)[0], 0.1)[3:6].mean()
                 for s in DRAWS])
        for c in (120.0, 1.0)
    )  # fmt: skip
    assert many > few + 1


# --- digging ------------------------------------------------------------------------------------


def test_earth_rubs_it_does_not_crackle():
    for seed in DRAWS:
        x = play("hand.digging", seed, 4 * RATE, strokes=1.0, period=1.6)[0]
        cut = x[int(0.04 * RATE) : int(0.4 * RATE)]
        assert np.abs(cut).max() / cut.std() < 18  # hoes and spades: 4 to 16 over a whole stroke
        assert 0.003 < share(cut, 30, 300) < 0.3, "the ground shakes a little"
        assert share(cut, 500, 6000) > 0.6


# --- cart ---------------------------------------------------------------------------------------


def test_a_cart_rolls_without_a_break_and_low():
    for seed in DRAWS:
        x = play("hand.cart", seed, 8 * RATE)[0]
        level = levels(x, 0.1)
        assert np.percentile(level, 5) > np.median(level) - 9
        assert np.percentile(level, 95) - np.median(level) > 1.5, "it jolts"
        assert share(x, 60, 700) > 0.6
        assert share(x, 1000, 6000) > 0.002


def test_a_dry_axle_creaks_once_a_turn():
    """It alone: far louder than it is drawn."""
    for seed in DRAWS:
        x = play("hand.cart", seed, 12 * RATE, turn=0.8, axle=6.0, knock=0.0, loose=0.0)[0]
        level = envelope(between(x, 900, 4000), 3.0)[::480] - envelope(between(x, 900, 4000), 3.0).mean()
        power = np.abs(np.fft.rfft(level * np.hanning(level.size), 1 << 15))
        rate = np.fft.rfftfreq(1 << 15, 0.01)
        inside = (rate > 0.5) & (rate < 1.4)
        assert rate[inside][np.argmax(power[inside])] == pytest.approx(0.8, rel=0.15)


def test_a_carts_timbers_are_dull():
    """A single jolt's low modes are gone within a fifth of a second; few stones, far louder than drawn."""
    x = play("hand.cart", 3, 8 * RATE, stones=1.5, knock=20.0, loose=0.0, axle=0.0)[0]
    assert 0.01 < fall(x, 20) < 0.2


# --- clothes ------------------------------------------------------------------------------------


def test_clothes_swish_they_never_crackle():
    for seed in DRAWS:
        x = play("people.cloth", seed, 8 * RATE)[0]
        pieces = x[: x.size // 960 * 960].reshape(-1, 960).astype(float)  # 20 ms
        loud = pieces[pieces.std(axis=1) > 0.1 * pieces.std(axis=1).max()]
        assert np.median(stats.kurtosis(loud, axis=1)) < 1.0, "noise, no clicks"
        assert np.abs(np.diff(levels(x[RATE // 20 : -RATE // 5], 0.01))).max() < 14
        assert 900 < centroid(x) < 4000


def test_a_sleeves_swish_swells_over_tens_of_milliseconds():
    for seed in DRAWS:
        rng = np.random.default_rng(seed)
        speed = swings(
            {"rate": 1.5, "strokes": 4.0, "swing": 0.6, "other": 0.8, "restless": 0.1}, 3 * RATE, rng
        )
        assert np.abs(np.diff(speed)).max() * RATE < 25  # from rest to full speed in 40 ms at the soonest


# --- tennis -------------------------------------------------------------------------------------


@pytest.mark.parametrize("strings", [450.0, 600.0])
def test_strings_ring_where_they_are_tuned_and_felt_has_no_edge(strings):
    found = []
    for seed in DRAWS:
        params = {"strings": strings, "ring": 0.05, "contact": 0.005, "pop": 0.8, "bend": 120.0}
        stroke = _stroke(params, 0.8, np.random.default_rng(seed))
        found.append(tone(stroke, 0.8 * strings, 1.25 * strings))
        assert share(stroke, 4000, 24_000) < 0.02
        assert np.argmax(np.abs(stroke)) / RATE < 0.012
        assert fall(stroke, 30) < 0.08
    assert np.median(found) == pytest.approx(strings, rel=0.1)


def test_shoes_squeak_or_scuff_between_the_strokes():
    for seed in range(12):
        shoe = _shoe(np.random.default_rng(seed))
        assert 0.05 < shoe.size / RATE < 0.17
        assert share(shoe, 500, 6000) > 0.7
    quiet, running = (
        play("impact.racket", 2, 8 * RATE, strokes=2.0, shoes=shoes, flight=0.8, slapback=0.0, room=0.0)
        for shoes in (0.0, 3.0)
    )
    pause = slice(int(0.07 * RATE), int(0.75 * RATE))
    assert running[:, pause].std() > 2 * quiet[:, pause].std()


def test_the_stand_throws_the_stroke_back():
    far, near = (
        play("impact.racket", 1, 8 * RATE, strokes=2.0, shoes=0.0, swing=0.0, room=0.0, slapback=gain)
        for gain in (0.25, 0.0)
    )
    later = slice(int(0.13 * RATE), int(0.22 * RATE))
    assert far[:, later].std() > 5 * near[:, later].std()


# --- washing machine ----------------------------------------------------------------------------


def test_water_sloshes_once_a_turn_of_the_drum():
    depth = []
    for seed in DRAWS:
        x = play("machine.washing", seed, 16 * RATE, flop=0.0, buttons=0.0, **WASH)[0]
        wet = between(x[2 * RATE :], 1000, 4000)
        depth.append(max(swaying(wet, hertz) for hertz in (0.76, 0.78, 0.8, 0.82)))
    assert np.median(depth) > 0.1


def test_wet_laundry_thuds_softly_into_a_steady_run():
    for seed in DRAWS:
        x = play("machine.washing", seed, 10 * RATE, buttons=0.0, **WASH)[0]
        assert np.abs(x).max() / x.std() < 12
        level = levels(x[2 * RATE :], 0.2)
        assert np.percentile(level, 90) - np.median(level) < 7


@pytest.mark.parametrize("spin_hz", [16.0, 21.0])
def test_spin_drying_throbs_with_the_drum_and_whines_with_the_motor(spin_hz):
    for seed in DRAWS:
        x = play("machine.washing", seed, 8 * RATE, spin=1.0, spin_hz=spin_hz, belt=12.0, throb=0.35)[0]
        assert tone(between(x, 8, 200), 0.8 * spin_hz, 1.2 * spin_hz) == pytest.approx(spin_hz, rel=0.02)
        assert tone(x, 20 * spin_hz, 28 * spin_hz) == pytest.approx(24 * spin_hz, rel=0.02)
        level = levels(x, 0.5)
        assert level.max() - level.min() < 3, "it goes on and on"
        assert share(x, 100, 4000) > 0.5
