"""What makes things that strike, rub and talk recognisable: rates, decays, spectra, modes, modulation."""

import numpy as np
import pytest
from scipy import signal
from sound_measures import RATE, centroid, envelope, pitch, rhythm, share, share_above, spectrum
from test_models import play

from ssv2a.soundbank.models.balls import CAVITY
from ssv2a.soundbank.models.crockery import RIM
from ssv2a.soundbank.models.crowd import talk, vowel_grains
from ssv2a.soundbank.models.metal import BAR

LONG = 12 * RATE
SEEDS = range(4)


def onsets(x, apart, over=0.25, hertz=30.0):
    """Times in seconds of a mono sound's loudest moments, at least `apart` seconds from each other."""
    level = np.pad(envelope(x, hertz), 1)
    peaks, _ = signal.find_peaks(level, height=over * level.max(), distance=int(apart * RATE))
    return peaks / RATE


def fall(x, decibels):
    """Seconds from the loudest moment until the level has fallen by so many dB for good."""
    level = np.convolve(np.abs(x), np.ones(240) / 240, "same")
    top = int(np.argmax(level))
    above = np.flatnonzero(level[top:] > level.max() * 10 ** (-decibels / 20))
    return above[-1] / RATE


def rise(x):
    """Seconds from a tenth of the peak to the peak, of a sound's first blow."""
    level = np.abs(x)
    top = int(np.argmax(level))
    before = level[max(0, top - RATE // 5) : top + 1]
    return (before.size - int(np.argmax(before > 0.1 * level[top]))) / RATE


def partials(x, low, high):
    """How many spectral peaks between two frequencies stand out of their surroundings by 12 dB."""
    power = 20 * np.log10(np.abs(np.fft.rfft(x * np.hanning(x.size), 1 << 17)) + 1e-9)
    hertz = np.fft.rfftfreq(1 << 17, 1 / RATE)
    inside = power[(hertz > low) & (hertz < high)]
    peaks, _ = signal.find_peaks(inside, prominence=12, height=inside.max() - 40)
    return len(peaks)


def depth(x, low, high):
    """Modulation of the envelope between two frequencies: its RMS over the mean."""
    level = envelope(x, 60.0)[RATE // 10 : -RATE // 10 : 48]
    sos = signal.butter(2, (low, high), "bandpass", fs=1000, output="sos")
    return float(signal.sosfiltfilt(sos, level).std() / level.mean())


# --- a crowd ------------------------------------------------------------------------------------


@pytest.mark.parametrize("f0", [110.0, 220.0])
def test_a_talker_keeps_his_pitch_speaks_in_syllables_and_pauses(f0):
    said = talk(40.0, f0, np.random.default_rng(0), 5.0)
    periods = np.diff(said.times)
    voiced = periods < 0.02
    assert 0.8 * f0 < 1 / np.median(periods[voiced]) < 1.3 * f0
    assert 0.15 < 1 - periods[voiced].sum() / 40.0 < 0.75, "pauses and voiceless moments"
    assert np.count_nonzero(periods > 0.2) > 8
    level = np.histogram(said.times, np.arange(0, 40, 0.01), weights=said.gains)[0]
    power = np.abs(np.fft.rfft(level - level.mean())) ** 2
    hertz = np.fft.rfftfreq(level.size, 0.01)
    assert power[(hertz > 2) & (hertz < 9)].sum() > 2 * power[(hertz > 12) & (hertz < 40)].sum()


def test_a_talkers_formants_move():
    said = talk(20.0, 130.0, np.random.default_rng(1), 5.0)
    assert 280 <= said.f1.min() < 400
    assert 600 < said.f1.max() <= 860
    assert said.f2.std() > 200


def test_throats_ring_at_their_formants():
    grains = vowel_grains()[0]
    open_vowel = np.abs(np.fft.rfft(grains[-2, 3, 0], 8192))
    hertz = np.fft.rfftfreq(8192, 2 / RATE)
    below = hertz < 1000
    assert hertz[below][np.argmax(open_vowel[below])] == pytest.approx(718, rel=0.1)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_crowds_murmur_is_dense_speech_without_a_leader(seed):
    x = play("people.babble", seed, 6 * RATE).mean(axis=0)
    hertz, power = spectrum(x)
    octave = {f: power[(hertz > f / 1.41) & (hertz < f * 1.41)].mean() for f in (500, 1000, 2000, 4000)}
    assert octave[500] > octave[1000] > octave[2000] > octave[4000]
    assert 10 * np.log10(octave[500] / octave[4000]) > 15
    level = envelope(x, 4.0)[RATE // 2 : -RATE // 2]
    assert level.min() > 0.35 * level.mean(), "somebody always talks"
    pieces = x[: 5 * RATE].reshape(-1, RATE // 4)
    voiced = [signal.correlate(p, p, "full", "fft")[p.size - 1 :] for p in pieces]
    alike = [c[RATE // 300 : RATE // 80].max() / c[0] for c in voiced]
    assert np.median(alike) < 0.7, "no single voice"


# --- leaves and cloth ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_leaves_swish_in_gusts_and_do_not_crackle(seed):
    x = play("weather.leaves", seed, 8 * RATE).mean(axis=0)
    assert share(x, 900, 14_000) > 0.75
    assert 2500 < centroid(x) < 8000
    assert depth(x, 0.5, 6) > 0.18, "swaying"
    assert depth(x, 0.5, 6) > 2 * depth(x, 25, 60), "smooth"
    short = np.abs(x).reshape(-1, RATE // 20)
    assert np.median(short.max(axis=1) / short.std(axis=1)) < 8


def test_cloth_is_brighter_the_faster_it_moves():
    x = play("people.cloth", 1, LONG, bright=0.4, seconds=2.5)[0]
    level = envelope(x, 12.0)
    high = envelope(signal.sosfilt(signal.butter(4, 4000, "highpass", fs=RATE, output="sos"), x), 12.0)
    loud = level > np.percentile(level, 80)
    soft = (level < np.percentile(level, 50)) & (level > 0.02 * level.max())
    assert (high[loud] / level[loud]).mean() > (high[soft] / level[soft]).mean()
    assert share(x, 500, 12_000) > 0.8


# --- steps --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_soft_steps_sink_in_gently_at_a_walking_pace(seed):
    x = play("people.footsteps_soft", seed, LONG, steps=7.0)[0]
    assert 1.5 < rhythm(x, 1.3, 2.3) < 2.05
    level = envelope(x, 40.0)
    first = level[: RATE // 2]
    top = int(np.argmax(first))
    assert top - int(np.argmax(first > 0.2 * first[top])) > 0.01 * RATE, "no shot"
    assert np.abs(x).max() / x.std() < 14
    assert share_above(x, 5000) < 0.05


@pytest.mark.parametrize("seed", SEEDS)
def test_hard_steps_have_a_heel_and_a_sole(seed):
    x = play("people.footsteps_hard", seed, LONG, rate=1.8, steps=7.0)[0]
    assert rhythm(x, 1.3, 2.4) == pytest.approx(1.8, rel=0.1)
    assert share(x, 40, 400) > 0.3
    assert share(x, 500, 6000) > 0.02


# --- doors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_slam_is_low_and_its_panel_dies_in_half_a_second(seed):
    x = play("impact.door", seed, LONG, creak=0.0, key=0.0)[0]
    top = int(np.argmax(np.abs(x)))
    slam = x[max(0, top - RATE // 20) : top + RATE // 2]
    assert share(slam, 40, 500) > 0.5
    assert 0.03 < fall(x, 20) < 0.6


@pytest.mark.parametrize("raps", [3.0, 5.0])
def test_knocks_come_in_a_group_at_four_to_six_a_second(raps):
    x = play("people.knock", 2, LONG, raps=raps, gap=0.2)[0]
    found = onsets(x, 0.12)
    assert len(found) == raps
    assert np.diff(found).mean() == pytest.approx(0.2, rel=0.1)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_knocked_door_is_wood(seed):
    x = play("people.knock", seed, LONG, raps=3.0, room=0.0)[0]
    assert fall(x[: RATE // 7], 25) < 0.12, "well damped"
    assert share(x, 80, 1800) > 0.7


# --- glass, plates, metal -----------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_clink_is_high_inharmonic_and_short(seed):
    x = play("impact.clink", seed, LONG, clinks=1.0, room=0.0)[0]
    assert share_above(x, 1000) > 0.95
    assert partials(x, 900, 15_000) >= 5
    assert 0.04 < fall(x, 30) < 0.6
    assert not np.allclose(RIM, np.round(RIM))


@pytest.mark.parametrize("seed", SEEDS)
def test_dishes_clatter_irregularly_and_ring_briefly(seed):
    x = play("impact.dishes", seed, LONG, seconds=2.0)[0]
    found = onsets(x, 0.02, 0.08)
    gaps = np.diff(found)
    assert len(found) >= 6
    assert gaps.std() > 0.5 * gaps.mean(), "no telephone"
    assert share(x, 600, 14_000) > 0.6


@pytest.mark.parametrize("seed", SEEDS)
def test_struck_metal_has_dense_modes_that_ring(seed):
    x = play("impact.metal", seed, LONG, rebound=0.0, room=0.0)[0]
    assert partials(x, 250, 12_000) > 25
    assert 0.1 < fall(x, 25) < 1.3
    assert share_above(x, 1500) > 0.15


@pytest.mark.parametrize("seed", SEEDS)
def test_clashing_blades_ring_high_above_what_the_fist_damps(seed):
    x = play("impact.sword", seed, LONG, blows=1.0)[0]
    assert share(x, 1200, 12_000) > 0.8
    assert partials(x, 1000, 12_000) > 12
    assert 0.1 < fall(x, 25) < 1.0
    assert BAR[1] == pytest.approx(2.756)


def test_blows_of_a_fight_come_in_a_group():
    x = play("impact.sword", 3, LONG, blows=3.0, gap=0.8)[0]
    assert len(onsets(x, 0.3, 0.3)) == 3


def test_scissors_shear_before_they_snap():
    x = play("impact.scissors", 4, LONG, snips=4.0, period=0.5, snap=1.0)[0]
    assert rhythm(x, 1.4, 3.0) == pytest.approx(2.0, rel=0.12)
    low = signal.sosfilt(signal.butter(4, 1500, fs=RATE, output="sos"), x)
    snap = onsets(low, 0.35, 0.3, 100.0)[1]
    shear = x[int((snap - 0.12) * RATE) : int((snap - 0.02) * RATE)]
    rest = x[int((snap + 0.06) * RATE) : int((snap + 0.09) * RATE)]
    assert np.square(shear).mean() > 4 * np.square(rest).mean()
    assert share(shear, 2000, 16_000) > 0.8


# --- balls, clicks ------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_basketball_thuds_and_its_air_rings_shortly(seed):
    x = play("impact.ball", seed, LONG, gap=0.7, bounces=4.0, restitution=0.8, room=0.0, air=0.0)[0]
    found = onsets(x, 0.3, 0.15)
    gaps = np.diff(found)
    assert gaps[1] / gaps[0] == pytest.approx(0.8, abs=0.06)
    first = x[: RATE // 2]
    assert share(first, 50, 160) > 0.3
    assert fall(first, 30) < 0.25
    assert CAVITY[1] == pytest.approx(3.342 / 2.082, rel=0.002)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_racket_pops_and_the_ball_lands(seed):
    x = play("impact.racket", seed, LONG, flight=0.7, slapback=0.15, shoes=0.0)[0]
    assert share(x, 200, 2500) > 0.5
    found = onsets(x, 0.3, 0.12)
    assert found[1] - found[0] == pytest.approx(0.7, abs=0.05)
    assert rise(x) < 0.02
    assert fall(x[: RATE // 2], 30) < 0.3


@pytest.mark.parametrize("gap", [0.08, 0.11])
def test_a_mouse_clicks_down_and_up(gap):
    x = play("impact.mouse_click", 5, LONG, gap=gap)[0]
    found = onsets(x, 0.04, 0.2, 200.0)
    assert found[1] - found[0] == pytest.approx(gap, abs=0.01)
    assert fall(x[: int(0.07 * RATE)], 30) < 0.03, "dull, not glassy"
    assert share(x, 1000, 9000) > 0.7


# --- wheels -------------------------------------------------------------------------------------


def test_a_freewheels_pawls_tick_by_its_teeth_while_it_coasts():
    x = play("passing.bicycle", 6, 10 * RATE, wheel_hz=1.0, teeth=18.0, tyre=0.05, chain=0.1)[0]
    high = signal.sosfilt(signal.butter(4, 2000, "highpass", fs=RATE, output="sos"), x)
    level = envelope(high, 80.0)
    loud = np.argmax(np.convolve(level, np.ones(2 * RATE), "valid"))
    assert 12 < rhythm(high[loud : loud + 2 * RATE], 11, 26) < 24
    assert share_above(x, 1500) > 0.5


def test_a_skateboard_clacks_twice_at_every_joint():
    x = play("passing.skateboard", 7, 8 * RATE, speed=3.0, slab=2.4, clack=2.0, deck=0.4)[0]
    found = onsets(x, 0.08, 0.3)
    assert 1.2 < len(found) / 8 < 3.2
    assert 60 < pitch(envelope(x, 200.0), 0.9, 1.7) * 60 < 90
