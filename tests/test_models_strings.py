"""What makes a violin, a piano, wind chimes, steel and blades recognisable: modes, noise, vibrato, decays."""

import numpy as np
import pytest
from scipy import signal
from sound_measures import RATE, centroid, envelope, pitch, share, share_above
from test_models import play
from test_models_impacts import fall, partials

from ssv2a.soundbank.dsp import phase
from ssv2a.soundbank.models.metal import BAR, pipe, plate
from ssv2a.soundbank.models.piano import note
from ssv2a.soundbank.models.signals import _tube, clapper_strikes
from ssv2a.soundbank.models.violin import Note, _pitch, _strokes, body, bowed, phrase

LONG = 12 * RATE
SEEDS = range(4)
PARAMS = {
    "tonic": 330.0,
    "minor": 0.0,
    "bars": 3.0,
    "beat": 0.5,
    "slurs": 0.4,
    "vibrato_hz": 5.8,
    "vibrato": 0.016,
}


def decibels(ratio):
    return 10 * np.log10(ratio)


def response(x):
    """Hz, and dB of the spectrum of an impulse response, smoothed over a third of an octave."""
    power, hertz = np.abs(np.fft.rfft(x, 1 << 16)) ** 2, np.fft.rfftfreq(1 << 16, 1 / RATE)
    return lambda low, high: decibels(power[(hertz >= low) & (hertz < high)].mean())


# --- violin -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_violins_body_has_its_lowest_modes_a_hill_and_little_above(seed):
    level = response(body(np.random.default_rng(seed)))
    assert level(430, 570) > level(320, 360) + 3, "B1− and B1+ over what lies below them"
    assert level(2000, 3000) > level(1300, 1700) + 2, "the bridge hill"
    assert level(2000, 3000) > level(5000, 7000) + 9
    assert level(2000, 3000) > level(120, 180) + 15, "nothing below the air mode"


def test_a_violins_body_rings_shortly_and_colours_every_partial_otherwise():
    x = body(np.random.default_rng(0))
    assert 0.02 < fall(x, 30) < 0.15
    power = decibels(np.abs(np.fft.rfft(x, 1 << 14)) ** 2)
    hertz = np.fft.rfftfreq(1 << 14, 1 / RATE)
    inside = power[(hertz > 700) & (hertz < 4000)]
    peaks, _ = signal.find_peaks(inside, prominence=4)
    assert 15 < peaks.size < 70
    assert inside.std() > 3


@pytest.mark.parametrize("seed", SEEDS)
def test_a_bowed_string_is_a_sawtooth_with_a_little_noise(seed):
    f0 = np.full(RATE, 440.0)
    _, sharp = bowed(f0, np.zeros(RATE), 0.03, np.random.default_rng(seed))
    assert pitch(sharp, 300, 600) == pytest.approx(440, rel=0.01)
    power = np.abs(np.fft.rfft(sharp * np.hanning(RATE))) ** 2
    harmonics = np.array([power[440 * k - 12 : 440 * k + 13].sum() for k in range(1, 21)])
    slope = np.polyfit(np.log2(np.arange(1, 9)), decibels(harmonics[:8]), 1)[0]
    assert -8 < slope < -4.5, "dB per octave of a string with one slip a period"
    between = np.array([power[440 * k + 150 : 440 * k + 290].mean() for k in range(1, 9)])
    at = np.array([power[440 * k - 2 : 440 * k + 3].mean() for k in range(1, 9)])
    assert (at > 100 * between).all()


def test_a_string_is_rough_until_it_has_found_its_motion():
    rough = np.exp(-np.arange(RATE) / (0.03 * RATE))
    _, x = bowed(np.full(RATE, 440.0), rough, 0.03, np.random.default_rng(1))

    def noise(part):
        period = RATE / 440.0
        lag = round(4 * period)
        return 1 - np.corrcoef(part[:-lag], part[lag:])[0, 1]

    assert noise(x[480:2400]) > 3 * noise(x[RATE // 2 : RATE // 2 + 1920])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_violinist_plays_a_melody_in_a_key_and_rests_on_the_chord(seed):
    notes = phrase(PARAMS, np.random.default_rng(seed))
    steps = np.array([12 * np.log2(one.hertz / PARAMS["tonic"]) for one in notes])
    assert len(notes) >= 5
    assert np.allclose(steps, np.round(steps), atol=1e-6)
    assert {round(step) % 12 for step in steps} <= {0, 2, 4, 5, 7, 9, 11}
    assert round(steps[-1]) % 12 in (0, 4, 7)
    assert 196 <= min(one.hertz for one in notes) <= max(one.hertz for one in notes) < 1600
    assert np.abs(np.diff(steps)).max() <= 13
    assert not notes[0].slurred


@pytest.mark.parametrize("seed", SEEDS)
def test_vibrato_swings_by_a_fifth_of_a_semitone_and_begins_late(seed):
    f0 = _pitch([Note(440.0, 2.0, False)], PARAMS, np.random.default_rng(seed))
    cents = 1200 * np.log2(f0 / 440.0)
    held = cents[RATE // 2 : int(1.8 * RATE)]
    assert 30 < held.max() - held.min() < 80
    assert np.ptp(cents[: RATE // 20]) < 0.35 * np.ptp(held)
    rate = np.count_nonzero(np.diff(np.sign(held - held.mean())) > 0) / 1.3
    assert 4.0 < rate < 7.5


def test_the_bow_turns_between_strokes_but_not_within_a_slur():
    def dip(slurred):
        level, rough = _strokes(
            [Note(440.0, 0.6, False), Note(494.0, 0.6, slurred)], np.random.default_rng(3)
        )
        turn = int(0.6 * RATE)
        return level[turn - 480 : turn + 480].min() / level[turn // 2], rough[turn]

    assert dip(False)[0] < 0.5
    assert dip(True)[0] > 0.6
    assert dip(False)[1] > 2 * dip(True)[1]


@pytest.mark.parametrize("seed", SEEDS)
def test_vibrato_makes_a_violins_partials_swell_each_in_its_own_way(seed):
    f0 = 500 * (1 + 0.012 * np.sin(phase(np.full(2 * RATE, 5.5))))
    rng = np.random.default_rng(seed)
    x = np.convolve(bowed(f0, np.zeros(f0.size), 0.02, rng)[1], body(rng))[RATE // 4 : -RATE // 4]
    depths = []
    for k in range(2, 8):
        sos = signal.butter(2, (500 * k - 120, 500 * k + 120), "bandpass", fs=RATE, output="sos")
        level = envelope(signal.sosfiltfilt(sos, x), 20.0)[RATE // 8 : -RATE // 8]
        depths.append(np.ptp(level) / level.mean())
    assert max(depths) > 0.4
    assert max(depths) > 1.8 * min(depths)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_violin_is_bright_but_falls_off_above_its_hill(seed):
    x = play("music.violin", seed, LONG)[0]
    assert 2.0 < x.size / RATE < 11.0
    assert share(x, 190, 1200) > 0.2
    assert 0.02 < share(x, 1800, 4500) < 0.6
    assert share_above(x, 7000) < 0.02
    assert 500 < centroid(x) < 2200


# --- piano --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_piano_string_sounds_in_some_thirty_partials_that_die_the_sooner_the_higher(seed):
    x = note(131.0, 0.6, 2.5, np.random.default_rng(seed))
    early, late = x[: RATE // 4], x[RATE : RATE + RATE // 4]
    assert share(early, 2500, 5000) > 1.5 * share(late, 2500, 5000)
    assert partials(x[: RATE // 2], 100, 5000) >= 18
    hum = x - signal.sosfiltfilt(signal.butter(4, 200, "highpass", fs=RATE, output="sos"), x)
    first, second = hum[RATE // 10 : RATE // 2].std(), hum[RATE : int(1.4 * RATE)].std()
    assert 3 < 20 * np.log10(first / second) < 16, "dB in nine tenths of a second, of the lowest"


# --- wind chimes --------------------------------------------------------------------------------


@pytest.mark.parametrize("f0", [900.0, 1500.0])
def test_a_tube_rings_in_the_modes_of_a_bar_the_higher_the_shorter(f0):
    x = _tube(f0, np.random.default_rng(2))[0]
    power, hertz = np.abs(np.fft.rfft(x * np.hanning(x.size))) ** 2, np.fft.rfftfreq(x.size, 1 / RATE)
    for ratio in (1.0, 2.74, 5.3):
        near = (hertz > 0.97 * ratio * f0) & (hertz < 1.03 * ratio * f0)
        around = (hertz > 0.85 * ratio * f0) & (hertz < 1.15 * ratio * f0)
        assert power[near].sum() > 0.9 * power[around].sum()

    def lasting(low, high):
        one = signal.sosfiltfilt(signal.butter(4, (low, high), "bandpass", fs=RATE, output="sos"), x)
        return one[RATE : int(1.5 * RATE)].std() / one[RATE // 20 : RATE // 2].std()

    assert lasting(0.9 * f0, 1.1 * f0) > lasting(4.7 * f0, 6 * f0)
    assert lasting(2.4 * f0, 3.1 * f0) > 0.15


@pytest.mark.parametrize("seed", SEEDS)
def test_a_clapper_strikes_in_gusts_and_unevenly_hard(seed):
    times, forces = clapper_strikes(30.0, 8.0, np.random.default_rng(seed))
    gaps = np.diff(times)
    assert 1.5 < times.size / 30 < 10
    assert gaps.min() >= 0.02
    assert gaps.std() > 0.8 * gaps.mean(), "no telephone"
    assert forces.max() > 6 * forces.min() > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_chimes_are_high_and_the_wind_is_far_below_them(seed):
    x = play("signal.wind_chime", seed, LONG)[0]
    assert share(x, 20, 700) < 0.02
    assert share(x, 1500, 16_000) > 0.6


# --- steel --------------------------------------------------------------------------------------


def test_a_plate_has_as_many_modes_in_every_kilohertz_and_a_pipe_those_of_a_bar():
    flat = plate(120.0, 1.4)
    low, high = np.count_nonzero(flat < 1500), np.count_nonzero((flat > 1500) & (flat < 3000))
    assert 0.6 < high / low < 1.6
    tube = pipe(200.0, 900.0)
    assert np.isin(np.round(200 * BAR[:6], 3), np.round(tube, 3)).all()
    assert (np.diff(tube) >= 0).all()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("shape", [0.2, 0.8])
def test_a_clang_crashes_and_leaves_a_few_high_modes(seed, shape):
    x = play("impact.metal", seed, LONG, blows=1.0, shape=shape, room=0.0)[0]
    crash, ring = x[: RATE // 25], x[RATE // 5 : RATE // 5 + RATE // 4]

    def flatness(part):
        power = np.abs(np.fft.rfft(part * np.hanning(part.size), 1 << 14)) ** 2 + 1e-12
        power = power[
            (np.fft.rfftfreq(1 << 14, 1 / RATE) > 800) & (np.fft.rfftfreq(1 << 14, 1 / RATE) < 8000)
        ]
        return np.exp(np.log(power).mean()) / power.mean()

    assert flatness(crash) > 2 * flatness(ring)
    assert share(ring, 800, 9000) > 0.9
    assert 3 <= partials(ring, 700, 9000) <= 60
    assert 20 * np.log10(crash.std() / ring.std()) > 8


@pytest.mark.parametrize("seed", SEEDS)
def test_what_strikes_steel_bounces_sooner_and_softer_each_time(seed):
    x = play("impact.metal", seed, LONG, blows=3.0, bounce=0.2, room=0.0, ring=0.5)[0]
    level = envelope(signal.sosfilt(signal.butter(2, 6000, "highpass", fs=RATE, output="sos"), x), 60.0)
    peaks, _ = signal.find_peaks(level, height=0.04 * level.max(), distance=int(0.12 * RATE))
    assert peaks.size >= 2
    assert 0.17 < (peaks[1] - peaks[0]) / RATE < 0.23
    assert level[peaks[1]] < 0.8 * level[peaks[0]]


@pytest.mark.parametrize("seed", SEEDS)
def test_clashing_blades_are_brighter_than_any_pan(seed):
    x = play("impact.sword", seed, LONG, blows=1.0)[0]
    first = x[: RATE // 5]
    assert 2500 < centroid(first) < 8000
    assert share_above(x, 2500) > 0.5
    assert share(x, 20, 900) < 0.1
