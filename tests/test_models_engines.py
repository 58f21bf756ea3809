"""What makes engines under load, shots, crashes, falling water and a bee recognisable."""

import numpy as np
import pytest
from scipy import signal
from sound_measures import RATE, centroid, envelope, pitch, share, spectrum
from test_models import play

from ssv2a.soundbank.dsp import phase
from ssv2a.soundbank.models.blasts import _blow, _creaking, _squeal, landscape, n_wave, report
from ssv2a.soundbank.models.engines import _DIESEL, _throttle, firings, knocks, lagging

SEEDS = (0, 1, 2)
SHOT = {"far": 0.0, "lead": -0.1, "blast": 0.0005, "gas": 0.004, "echo": 1.5, "place": 0.5}


def octave_db(x, hertz):
    """Level in dB of the octave around a frequency, relative to the whole."""
    return 10 * np.log10(share(x, hertz / 2**0.5, hertz * 2**0.5) + 1e-12)


def loudness(x):
    """Mean power in dB."""
    return 10 * np.log10(np.square(x).mean() + 1e-20)


# --- firings ------------------------------------------------------------------------------------


def test_even_cylinders_fire_evenly_and_a_v_twin_in_pairs():
    turns = np.arange(RATE) * (40.0 / RATE) + 0.5
    assert np.diff(firings(turns, 0.5)) == pytest.approx(RATE / 40)
    gaps = np.diff(firings(turns, 0.4))
    assert gaps[0::2] == pytest.approx(0.8 * RATE / 40, rel=0.01)
    assert gaps[1::2] == pytest.approx(1.2 * RATE / 40, rel=0.01)


def test_a_single_firing_needs_no_neighbour():
    assert firings(np.linspace(0.5, 1.4, 100), 0.4).size == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_the_block_knocks_shortly_and_never_twice_the_same(seed):
    times = np.arange(1, 11) * RATE / 12.0
    x = knocks(_DIESEL, RATE, times, np.ones(10), np.random.default_rng(seed))
    strength = [np.square(x[int(t) : int(t) + RATE // 20]).sum() for t in times]
    assert np.std(strength) > 0.15 * np.mean(strength)
    for t in times:
        ring = x[int(t) : int(t) + RATE // 20]
        assert np.square(ring[RATE // 50 :]).sum() < 0.05 * np.square(ring).sum()
    assert share(x, 400, 5500) > 0.85


@pytest.mark.parametrize("seed", SEEDS)
def test_a_heavy_vehicle_takes_longer_to_set_off(seed):
    quick, slow = (
        np.mean(np.abs(np.diff(_throttle(3.0, pull, 40 * RATE, np.random.default_rng(seed)))) > 0)
        for pull in (1.0, 3.0)
    )
    assert slow > 1.1 * quick  # the share of time in which the pedal moves


def test_what_lags_begins_where_it_is():
    x = np.repeat([0.5, 1.0], RATE)
    y = lagging(x, 0.25)
    assert y[:RATE] == pytest.approx(0.5)
    assert y[RATE + RATE // 4] == pytest.approx(1 - 0.5 / np.e, abs=1e-3)


@pytest.mark.parametrize("pull", [1.0, 2.5])
def test_the_pedal_was_used_before_the_first_sample(pull):
    opened = [_throttle(3.0, pull, 5 * RATE + 1, np.random.default_rng(seed))[[0, -1]] for seed in range(150)]
    first, later = np.mean(opened, axis=0)
    assert first == pytest.approx(later, rel=0.35)


# --- engines ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ["engine.truck", "engine.bus"])
def test_a_heavy_diesel_lies_below_1500_hertz_with_some_clatter(name, seed):
    x = play(name, seed, 6 * RATE)[0]
    assert share(x, 30, 1500) > 0.85
    assert -26 < octave_db(x, 4000) < -14  # recordings: −15 to −23
    assert octave_db(x, 8000) < octave_db(x, 4000) - 4  # no steady hiss


@pytest.mark.parametrize("seed", SEEDS)
def test_a_truck_fires_three_times_a_turn(seed):
    x = play("engine.truck", seed, 8 * RATE, rpm=640.0, rev=0.0, uneven=0.0, whine=0.0)[0]
    hertz, power = signal.welch(x, RATE, nperseg=4 * RATE // 3)
    near = (hertz > 25) & (hertz < 40)
    assert hertz[near][np.argmax(power[near])] == pytest.approx(32.0, rel=0.06)


def test_gears_whine_in_proportion_to_the_engines_speed():
    fixed = {"rpm": 700.0, "rev": 1.5, "rest": 1.0, "teeth": 30.0}
    mute, loud = (play("engine.bus", 4, 10 * RATE, **fixed, whine=w)[0] for w in (0.0, 0.4))
    assert share(loud, 400, 900) > 1.25 * share(mute, 400, 900)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_v_twin_limps(seed):
    fixed = {"rpm": 1200.0, "rev": 0.0, "uneven": 0.0}
    even, odd = (play("engine.motorcycle", seed, 8 * RATE, **fixed, second=s)[0] for s in (0.5, 0.38))

    def half_order(x):
        hertz, power = signal.welch(envelope(x, 100.0), RATE, nperseg=2 * RATE)
        cycle, firing = (power[np.abs(hertz - f) < 1.5].max() for f in (10.0, 20.0))
        return cycle / firing

    assert half_order(odd) > 2 * half_order(even)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_chainsaw_rasps_from_the_firing_up_to_8_kilohertz(seed):
    x = play("engine.chainsaw", seed, 8 * RATE)[0]
    assert share(x, 30, 100) < 0.02
    assert share(x, 400, 8000) > 0.3  # a recording: 0.6
    assert octave_db(x, 4000) > -18


# --- shots --------------------------------------------------------------------------------------


def test_a_bullets_shock_is_an_n():
    wave = n_wave(RATE // 100, 0.0003)
    assert wave[0] == 1
    assert wave.min() == pytest.approx(-1, abs=0.15)
    assert np.count_nonzero(wave) <= 0.0003 * RATE + 1


@pytest.mark.parametrize("seed", SEEDS)
def test_a_report_rises_at_once_booms_and_is_over_in_a_fifth_of_a_second(seed):
    x = report(SHOT, np.random.default_rng(seed))
    assert np.abs(x[: int(0.001 * RATE)]).max() > 0.7
    assert loudness(x[: RATE // 100]) > loudness(x[RATE // 10 : RATE // 5]) + 12
    assert share(x, 40, 300) > 0.1
    assert share(x[: RATE // 10], 1000, 20_000) > 0.12


@pytest.mark.parametrize("seed", SEEDS)
def test_down_the_range_the_bullets_crack_comes_before_the_boom(seed):
    x = report({**SHOT, "lead": 0.05}, np.random.default_rng(seed))
    crack, blast = x[: int(0.045 * RATE)], x[int(0.05 * RATE) : int(0.095 * RATE)]
    assert np.abs(crack[: RATE // 500]).max() > 0.3
    assert share(crack, 1000, 20_000) > share(blast, 1000, 20_000)
    assert loudness(blast) > loudness(crack) + 3


@pytest.mark.parametrize("seed", SEEDS)
def test_the_land_answers_a_shot_darkly_for_a_second(seed):
    rng = np.random.default_rng(seed)
    x = landscape(SHOT, report(SHOT, rng), rng)
    late = x[int(0.5 * RATE) : int(0.9 * RATE)]
    assert -50 < loudness(late) - loudness(x[: RATE // 20]) < -15
    assert share(late, 2000, 20_000) < 0.15


# --- crash, tree --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_tyres_squeal_unsteadily(seed):
    x = _squeal({"skid": 1.2, "squeal": 900.0}, np.random.default_rng(seed))
    hertz, power = spectrum(x)
    peak = hertz[np.argmax(power)]
    assert 700 < peak < 1500
    wide = hertz[power > 0.1 * power.max()]
    assert np.ptp(wide) > 0.1 * peak  # a hump, not a line


@pytest.mark.parametrize("seed", SEEDS)
def test_a_car_is_struck_dully_and_crumples(seed):
    x = _blow(np.random.default_rng(seed), int(1.4 * RATE))
    assert share(x, 30, 1000) > 0.6  # recordings: 0.7 to 0.95
    assert 0.005 < share(x, 3000, 20_000) < 0.2
    assert loudness(x[: RATE // 4]) > loudness(x[RATE:]) + 15


@pytest.mark.parametrize("seed", SEEDS)
def test_a_crash_is_far_louder_than_the_squeal_before_and_has_glass_in_it(seed):
    x = play("blast.car_crash", seed, 6 * RATE, skid=1.0)[0]
    squeal, crash = x[int(0.3 * RATE) : int(0.9 * RATE)], x[int(1.0 * RATE) : int(1.5 * RATE)]
    assert loudness(crash) > loudness(squeal) + 4
    assert 0.02 < share(crash, 4000, 16_000) < 0.4


@pytest.mark.parametrize("seed", SEEDS)
def test_a_crash_is_pressed_and_not_cut_flat(seed):
    x = np.abs(play("blast.car_crash", seed, 6 * RATE)[0])
    flat = np.flatnonzero(np.diff(np.concatenate(([0], x > 0.99 * x.max(), [0])))).reshape(-1, 2)
    assert np.ptp(flat, axis=1).max() < 20  # samples


@pytest.mark.parametrize("seed", SEEDS)
def test_the_thicker_a_trunk_the_lower_it_creaks(seed):
    thin, thick = (_creaking({"trunk": t}, 4 * RATE, np.random.default_rng(seed)) for t in (0.75, 1.3))
    assert centroid(thick) < 0.9 * centroid(thin)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_bending_trunk_groans(seed):
    x = _creaking({"trunk": 1.0}, 4 * RATE, np.random.default_rng(seed))
    assert share(x, 120, 3000) > 0.7
    assert share(x, 120, 800) > 0.25


@pytest.mark.parametrize("seed", SEEDS)
def test_a_tree_strikes_the_ground_longer_and_louder_than_it_cracked(seed):
    x = play("blast.tree", seed, 8 * RATE, lean=2.0, fall=1.2)[0]
    level = np.sqrt(np.square(x[: x.size // 4800 * 4800].reshape(-1, 4800)).mean(axis=1))
    struck = level[29:36]  # 2.9 to 3.6 s, around the ground at 3.2
    assert struck.mean() > 1.3 * level[:20].mean()
    assert np.median(struck) > 2 * np.median(level[:20])


# --- water, bee ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_waterfall_rumbles_and_falls_off_above(seed):
    x = play("water.waterfall", seed, 6 * RATE)[0]
    assert share(x, 40, 500) > 0.3
    hertz, power = spectrum(x)
    inside = (hertz > 700) & (hertz < 6000)
    slope = np.polyfit(np.log2(hertz[inside]), 10 * np.log10(power[inside]), 1)[0]
    assert -7 < slope < -2  # dB per octave


@pytest.mark.parametrize("seed", SEEDS)
def test_a_waterfall_gurgles_rather_than_hisses(seed):
    x = play("water.waterfall", seed, 6 * RATE)[0]
    low = envelope(signal.sosfilt(signal.butter(4, (250, 1000), "bandpass", fs=RATE, output="sos"), x), 12.0)
    noise = np.random.default_rng(seed).standard_normal(x.size)
    still = envelope(
        signal.sosfilt(signal.butter(4, (250, 1000), "bandpass", fs=RATE, output="sos"), noise), 12.0
    )
    assert low.std() / low.mean() > 1.2 * still.std() / still.mean()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_bee_beats_its_wings_with_a_strong_fundamental_and_a_row_of_harmonics(seed):
    x = play("small.bee", seed, 6 * RATE, wing_hz=240.0).sum(axis=0)
    found = [pitch(piece, 170, 330) for piece in x.reshape(-1, RATE // 4)]
    assert np.median(found) == pytest.approx(240, rel=0.1)
    assert octave_db(x, 250) > -14
    assert share(x, 1000, 4000) > 0.15
    assert share(x, 6000, 24_000) < 0.02


def test_the_wing_beat_wanders_from_cycle_to_cycle():
    x = play("small.bee", 1, 4 * RATE, wing_hz=240.0).sum(axis=0)
    analytic = np.abs(np.mean(signal.hilbert(x) * np.exp(-1j * phase(np.full(x.size, 240.0)))))
    assert analytic < 0.1 * x.std()
