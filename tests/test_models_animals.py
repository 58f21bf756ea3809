"""What makes animals recognisable: pitch, formants, rhythm and roughness of voices, gaits of hooves."""

import numpy as np
import pytest
from sound_measures import RATE, band_level, envelope, part, pitch, rhythm, spectrum
from test_models import play
from test_models_made import onsets

from ssv2a.soundbank.models.beasts import howl, roar
from ssv2a.soundbank.models.birds import coo, honk
from ssv2a.soundbank.models.crows import caw
from ssv2a.soundbank.models.horses import HOOF_BEATS, snort
from ssv2a.soundbank.models.mammals import meow, moo
from ssv2a.soundbank.models.small_animals import croak

SEEDS = range(3)


# --- horses -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_whinny_is_loudest_between_one_and_three_kilohertz_and_shakes(seed):
    x = play("mammal.horse", seed, 12 * RATE, snort=0.0, shake_hz=10.0, seconds=1.7)[0]
    middle = band_level(x, 1000, 2800)
    assert middle > band_level(x, 300, 900) + 3
    assert middle > band_level(x, 3500, 12_000) + 8
    assert rhythm(part(x, 0.5, 1.1), 6, 14) == pytest.approx(9.3, rel=0.15)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_whinny_has_two_unrelated_pitches(seed):
    x = play("mammal.horse", seed, 12 * RATE, squeal=1480.0, f0=460.0, seconds=1.6, onset=0.1)[0]
    x = part(x, 0.3, 0.08)  # shorter than one shake
    power = np.abs(np.fft.rfft(x * np.hanning(x.size), 1 << 17)) ** 2
    hertz = np.fft.rfftfreq(1 << 17, 1 / RATE)
    folds, whistle, between = (
        power[(hertz > low) & (hertz < high)].max() for low, high in ((380, 580), (1250, 1700), (150, 300))
    )
    assert folds > 8 * between
    assert whistle > 8 * between


@pytest.mark.parametrize("seed", SEEDS)
def test_a_snort_flutters_with_the_lips(seed):
    x = snort(np.random.default_rng(seed), 0.6, 20.0)
    assert rhythm(part(x, 0.0, 0.5), 12, 32) == pytest.approx(20, rel=0.25)


@pytest.mark.parametrize(("gait", "beats"), [(0, 2), (1, 4), (2, 3)])
def test_gaits_have_their_beats(gait, beats):
    times = np.array(HOOF_BEATS[gait][0])
    apart = np.diff(np.append(times, 1 + times[0])) > 0.05
    assert np.count_nonzero(apart) == beats


@pytest.mark.parametrize(("gait", "low", "high", "rate"), [(0, 1.8, 4.5, 2.7), (2, 1.0, 2.6, 1.8)])
def test_trot_and_canter_keep_their_rate(gait, low, high, rate):
    x = play("mammal.hooves", 0, 8 * RATE, gait=gait + 0.5, rate=1.1, strides=5.0, lilt=0.0)[0]
    assert rhythm(x, low, high) == pytest.approx(rate, rel=0.06)


@pytest.mark.parametrize("seed", SEEDS)
def test_hooves_clop_hollow(seed):
    x = play("mammal.hooves", seed, 8 * RATE, air=0.0)[0]
    hollow = band_level(x, 400, 1300)
    assert hollow > band_level(x, 1600, 3000) + 5
    assert hollow > band_level(x, 3500, 12_000) + 10


# --- beasts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_roar_slams_slowly_and_the_open_jaw_lifts_it(seed):
    rng = np.random.default_rng(seed)
    pulses = np.full(RATE, 50.0)
    wide, shut = (roar(pulses, np.full(RATE, gape), 0.7, rng) for gape in (1.0, 0.0))
    assert rhythm(wide, 30, 80) == pytest.approx(50, rel=0.08)
    assert band_level(wide, 400, 800) > band_level(shut, 400, 800) + 4
    assert band_level(shut, 100, 250) > band_level(shut, 400, 800) + 5
    assert band_level(wide, 400, 800) > band_level(wide, 1600, 8000) + 15  # nothing hisses
    loud = envelope(part(wide, 0.1, 0.8), 200.0)
    assert loud.std() > 0.35 * loud.mean()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_lion_is_deep(seed):
    x = play("mammal.lion", seed, 12 * RATE)[0]
    assert 1.0 < x.size / RATE < 11
    assert band_level(x, 80, 800) > band_level(x, 1200, 12_000) + 12


@pytest.mark.parametrize("seed", SEEDS)
def test_a_howl_breaks_up_holds_and_breaks_down(seed):
    x = howl(2.5, 500.0, np.random.default_rng(seed))
    start, hold, end = (pitch(part(x, at, 0.05), 200, 800) for at in (0.08, 1.0, 2.2))
    assert start < 0.8 * hold
    assert end < 0.8 * hold
    assert hold == pytest.approx(500, rel=0.08)
    fundamental, second = band_level(x, 300, 640), band_level(x, 860, 1200)
    assert fundamental > second + 2
    assert second > fundamental - 20  # no siren's whistle: harmonics


# --- birds --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_honk_is_nasal_and_breaks_upwards(seed):
    x = honk(320.0, 0.3, np.random.default_rng(seed))
    assert pitch(part(x, 0.16, 0.06), 200, 390) == pytest.approx(320, rel=0.1)
    windpipe = band_level(x, 900, 2600)
    assert windpipe > band_level(x, 100, 450) + 8  # a weak fundamental
    assert windpipe > band_level(x, 4000, 12_000) + 3
    low, high = part(x, 0.0, 0.05), part(x, 0.12, 0.05)
    assert np.square(high).mean() > 1.5 * np.square(low).mean()


def test_a_coo_is_nearly_pure_and_rolled():
    x = coo(420.0, 0.8, 1.0, 25.0, 420.0, np.random.default_rng(0))
    assert rhythm(part(x, 0.1, 0.6), 15, 40) == pytest.approx(25, rel=0.1)
    assert band_level(x, 300, 600) > band_level(x, 700, 3000) + 15


@pytest.mark.parametrize("seed", SEEDS)
def test_pigeons_coo_low_phrases(seed):
    x = play("bird.pigeon", seed, 12 * RATE)[0]
    hertz, power = spectrum(x)
    assert 330 < hertz[np.argmax(power)] < 720
    assert power[(hertz > 300) & (hertz < 760)].sum() > 0.9 * power[hertz > 100].sum()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_roosters_second_harmonic_is_as_strong_as_its_first(seed):
    x = play("bird.rooster", seed, 5 * RATE, f0=780.0, second=9.0)[0]
    first, second, fourth = (
        band_level(x, low, high) for low, high in ((650, 850), (1350, 1650), (2800, 3300))
    )
    assert abs(second - first) < 12
    assert second > fourth + 10


# --- frogs --------------------------------------------------------------------------------------


@pytest.mark.parametrize("sac", [1000.0, 1300.0])
def test_a_croak_is_pulsed_and_rings_in_two_peaks(sac):
    x = croak(0.4, np.full(3, 70.0), sac, np.random.default_rng(0))
    assert rhythm(part(x, 0.1, 0.2), 40, 110) == pytest.approx(70, rel=0.06)
    lower, gap, upper = (band_level(x, (r - 0.15) * sac, (r + 0.15) * sac) for r in (1.0, 1.55, 2.1))
    assert lower > gap + 6
    assert upper > gap + 6
    assert lower > band_level(x, 100, 0.5 * sac) + 15  # no low flutter


def test_a_tree_frog_calls_in_two_parts():
    x = play("small.frog", 1, 12 * RATE, kind=0.0, calls=4.0, rest=0.4)[0]
    assert len(onsets(x, 0.08, 0.3)) == 8


# --- cat, cow, crow ------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_meow_rises_falls_and_does_not_tremble(seed):
    x = meow(740.0, 0.9, 1.0, 0.0, 0.08, np.random.default_rng(seed))
    start, crest, end = (pitch(part(x, at, 0.05), 400, 900) for at in (0.06, 0.32, 0.8))
    assert crest == pytest.approx(740, rel=0.08)
    assert start < 0.92 * crest
    assert end < 0.9 * crest
    loud = envelope(part(x, 0.2, 0.5), 25.0)
    swing = loud - np.polyval(np.polyfit(np.arange(loud.size), loud, 3), np.arange(loud.size))
    assert swing.std() < 0.15 * loud.mean()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_meow_opens_from_a_hum_and_rounds_again(seed):
    x = meow(740.0, 1.0, 1.0, 0.0, 0.0, np.random.default_rng(seed))
    shut, wide, round_ = (
        band_level(part(x, at, 0.07), 1300, 5000) - band_level(part(x, at, 0.07), 300, 1000)
        for at in (0.02, 0.4, 0.88)
    )
    assert wide > shut + 8
    assert wide > round_ + 3


def test_a_plaintive_meow_rises_at_its_end():
    ends = [
        pitch(part(meow(740.0, 0.9, 1.0, how, 0.0, np.random.default_rng(0)), 0.82, 0.05), 400, 900)
        for how in (0.0, 1.0)
    ]
    assert ends[1] > 1.1 * ends[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_moo_climbs_out_of_a_hum_and_ends_above_three_kilohertz(seed):
    x = moo(180.0, 1.7, 1.0, 0.0, np.random.default_rng(seed))
    assert pitch(part(x, 1.1, 0.1), 100, 260) == pytest.approx(180, rel=0.06)
    assert pitch(part(x, 0.1, 0.1), 70, 170) < 140
    hum, call = part(x, 0.05, 0.25), part(x, 0.9, 0.5)
    assert band_level(call, 500, 2900) > band_level(call, 3600, 12_000) + 15
    open_, shut = (band_level(y, 500, 2900) - band_level(y, 60, 450) for y in (call, hum))
    assert open_ > shut + 10


def test_a_moo_may_break_upwards():
    x = moo(140.0, 1.8, 1.0, 0.3, np.random.default_rng(1))
    assert pitch(part(x, 1.45, 0.1), 100, 260) > 1.2 * pitch(part(x, 1.0, 0.1), 100, 260)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_caw_is_hoarse_and_loud_between_one_and_two_and_a_half_kilohertz(seed):
    x = caw(520.0, 0.35, 1.0, 0.6, np.random.default_rng(seed))
    hump = band_level(x, 1000, 2500)
    assert hump > band_level(x, 200, 800) + 10
    assert band_level(x, 2500, 5500) > hump - 20
    assert hump > band_level(x, 6000, 16_000) + 12
    power = np.abs(np.fft.rfft(part(x, 0.08, 0.15))) ** 2
    hertz = np.fft.rfftfreq(part(x, 0.08, 0.15).size, 1 / RATE)
    inside = power[(hertz > 1000) & (hertz < 4500)]
    flatness = np.exp(np.log(inside).mean()) / inside.mean()
    assert flatness > 0.1  # no clear harmonics
    rise = envelope(x, 100.0)
    assert np.argmax(rise > 0.5 * rise.max()) < 0.05 * RATE


def test_crows_caw_in_groups():
    x = play("bird.crow", 0, 8 * RATE, calls=4.0, gap=0.3, seconds=0.3)[0]
    assert len(onsets(x, 0.35, 0.3)) == 4
