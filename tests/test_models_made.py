"""What makes made things recognisable: doors, steps, blasts, handwork, engines under load, bells, clocks."""

import numpy as np
import pytest
from scipy import signal
from sound_measures import (
    RATE,
    band_level,
    centroid,
    envelope,
    middle_hertz,
    pitch,
    rhythm,
    share_above,
    spectrum,
)
from test_models import play

from ssv2a.soundbank.breakage import darkening, rung, sparse, stick_slip
from ssv2a.soundbank.models.blasts import friedlander
from ssv2a.soundbank.models.doors import creak
from ssv2a.soundbank.models.engines import firing_rate
from ssv2a.soundbank.models.signals import BELL_PARTIALS
from ssv2a.soundbank.models.steps import BOARDS, FLOORS, STONE, gait


def onsets(x, apart, over=0.25):
    """Times in seconds of a mono sound's loudest moments, at least `apart` seconds from each other."""
    level = np.pad(envelope(x, 15.0), 1)
    peaks, _ = signal.find_peaks(level, height=over * level.max(), distance=int(apart * RATE))
    return peaks / RATE


# --- breakage -----------------------------------------------------------------------------------


def test_darkening_noise_loses_its_high_octaves_first():
    x = darkening(2 * RATE, np.random.default_rng(0), [(100, 1, 2.0), (400, 1, 1.0), (1600, 1, 0.4)], 0.001)
    early, late = x[: RATE // 10], x[RATE // 2 : RATE]
    assert middle_hertz(early) > 600
    assert middle_hertz(late) < 0.5 * middle_hertz(early)


@pytest.mark.parametrize("rate", [60.0, 150.0])
def test_stick_slip_slips_at_its_rate(rate):
    x = stick_slip(2 * RATE, np.random.default_rng(1), np.full(2 * RATE, rate), [(900.0, 300.0, 1.0)])
    assert rhythm_of_clicks(x, rate) == pytest.approx(rate, rel=0.05)
    assert x.std() == pytest.approx(1, abs=0.01)


def rhythm_of_clicks(x, near):
    """Clicks a second, by the autocorrelation of the rectified sound."""
    y = np.abs(x) - np.abs(x).mean()
    corr = signal.correlate(y, y, "full", "fft")[y.size - 1 :]
    lags = np.arange(int(RATE / (1.5 * near)), int(RATE / (0.66 * near)))
    return RATE / lags[np.argmax(corr[lags])]


def test_sparse_grains_come_as_often_as_asked():
    rng, click = np.random.default_rng(2), np.array([1.0])
    x = sparse(20 * RATE, rng, np.full(20 * RATE, 40.0), [click])
    assert np.count_nonzero(x) == pytest.approx(800, rel=0.1)
    half = np.concatenate([np.zeros(10 * RATE), np.full(10 * RATE, 40.0)])
    late = sparse(20 * RATE, rng, half, [click])
    assert not late[: 10 * RATE].any()


def test_struck_pieces_ring_in_their_range_and_time():
    for grain in rung(np.random.default_rng(3), 1000, 4000, (0.01, 0.02), 4, 5):
        assert grain.size == pytest.approx(0.022 * RATE, abs=2)
        assert band_level(grain, 900, 4400) > band_level(grain, 6000, 20_000) + 20


# --- doors and steps ----------------------------------------------------------------------------


def test_a_hinge_creaks_at_the_rate_of_its_slips_and_rises_with_the_doors_speed():
    pitch_curve = np.linspace(120, 360, 2 * RATE)
    x = creak(2 * RATE, np.random.default_rng(4), pitch_curve, 0.0)
    assert rhythm_of_clicks(x[: RATE // 2], 150) == pytest.approx(150, rel=0.1)
    assert rhythm_of_clicks(x[-RATE // 2 :], 330) == pytest.approx(330, rel=0.1)


def test_a_door_slams_after_its_swing_and_the_slam_is_the_loudest_and_lowest():
    x = play("impact.door", 5, 6 * RATE, seconds=1.2, creak=1.0, force=1.0)[0]
    slam = int(np.argmax(np.abs(x))) / RATE
    assert slam == pytest.approx(1.2, abs=0.1)
    swing, after = x[int(0.3 * RATE) : int(1.0 * RATE)], x[int(1.2 * RATE) : int(1.7 * RATE)]
    assert np.square(after).mean() > 10 * np.square(swing).mean()
    assert centroid(after) < centroid(swing)


def test_a_gait_is_even_but_for_its_jitter():
    times = gait(1.8, 60, np.random.default_rng(6))
    assert 0 <= times[0] < 0.05
    assert np.diff(times).mean() == pytest.approx(1 / 1.8, rel=0.01)
    assert 0.005 < np.diff(times).std() * 1.8 < 0.08


def test_boards_answer_lower_and_longer_than_stone():
    assert BOARDS.low < STONE.low
    stone, boards = (
        play("people.footsteps_hard", 7, 4 * RATE, floor=FLOORS.index(floor) + 0.5, scuff=0.0)[0]
        for floor in (STONE, BOARDS)
    )
    assert band_level(boards, 60, 250) - band_level(boards, 2000, 8000) > (
        band_level(stone, 60, 250) - band_level(stone, 2000, 8000)
    )


# --- blasts -------------------------------------------------------------------------------------


def test_a_blast_wave_is_friedlanders():
    wave = friedlander(RATE, 0.02)
    crossing = int(np.argmax(wave < 0))
    assert crossing / RATE == pytest.approx(0.02, rel=0.01)
    assert wave[0] == wave.max() == 1
    assert abs(wave.sum()) < 0.01 * np.abs(wave).sum()  # no net impulse: ∫(1 − x)e^−x = 0


def test_a_far_explosion_is_duller_than_a_near_one():
    near, far = (play("blast.explosion", 8, 6 * RATE, far=far, seconds=3.0) for far in (0.0, 1.0))
    assert share_above(far, 1000) < 0.5 * share_above(near, 1000)


def test_shots_are_as_many_as_drawn_and_begin_within_milliseconds():
    x = play("blast.gunshot", 9, 8 * RATE, shots=3.0, gap=0.9, echo=0.8, far=0.0, place=0.1, lead=0.0)[0]
    assert len(onsets(x, 0.4, 0.4)) == 3
    level = np.abs(x) / np.abs(x).max()
    assert np.argmax(level > 0.6) - np.argmax(level > 0.1) < 0.004 * RATE


def test_a_crash_squeals_before_the_blow():
    x = play("blast.car_crash", 10, 6 * RATE, skid=1.0, squeal=1000.0)[0]
    blow = int(np.argmax(np.abs(x))) / RATE
    assert blow > 0.8
    squeal = x[int(0.3 * RATE) : int(0.8 * RATE)]
    hertz, power = spectrum(squeal)
    strongest = hertz[np.argmax(np.where((hertz > 500) & (hertz < 2000), power, 0))]
    assert 800 < strongest < 1200


def test_rubble_comes_to_rest():
    x = play("blast.rubble", 11, 8 * RATE, seconds=4.0, stones=120.0)[0]
    third = x.size // 3
    assert np.square(x[:third]).mean() > 3 * np.square(x[-third:]).mean()


# --- work by hand -------------------------------------------------------------------------------


def test_a_pick_strikes_at_its_rate():
    x = play("hand.stone", 12, 8 * RATE, blows=5.0, rate=1.2, chips=10.0)[0]
    found = onsets(x, 0.5, 0.2)
    assert len(found) == 5
    assert np.diff(found).mean() == pytest.approx(1 / 1.2, rel=0.1)


def test_a_spade_takes_as_many_strokes_as_drawn():
    x = play("hand.digging", 13, 12 * RATE, strokes=4.0, period=1.6)[0]
    assert rhythm(x, 0.4, 0.9) == pytest.approx(1 / 1.6, rel=0.12)


def test_scissors_snip_at_their_rate():
    x = play("impact.scissors", 15, 6 * RATE, snips=5.0, period=0.5)[0]
    assert rhythm(x, 1.4, 3.0) == pytest.approx(2.0, rel=0.12)
    assert share_above(x, 2000) > 0.6


# --- engines under load -------------------------------------------------------------------------


def test_firings_follow_rpm_cylinders_and_strokes():
    assert firing_rate(1200, 6) == 60
    assert firing_rate(1200, 2, 2) == 40


def test_an_engine_revs_up_and_gets_louder_with_its_throttle():
    """The quiet moments repeat with the firings of idle speed, the loud ones do not."""
    engine = {"rpm": 900.0, "cylinders": 4.0, "rev": 2.0, "load_db": 8.0, "rest": 4.0, "uneven": 0.0}
    pieces = play("engine.car", 16, 40 * RATE, **engine)[0].reshape(-1, RATE // 2)
    levels = 20 * np.log10(np.sqrt(np.square(pieces).mean(axis=1)))
    order = np.argsort(levels)
    calm, loud = (np.median([at_idle(pieces[row]) for row in rows]) for rows in (order[:20], order[-20:]))
    assert calm > 0.5
    assert loud < 0.6 * calm
    assert levels[order[-20:]].mean() > levels[order[:20]].mean() + 4


def at_idle(piece):
    """How alike a sound is to itself a firing later, of four cylinders at 900 rpm within 8 %: −1..1."""
    lags = range(int(0.92 * RATE / firing_rate(900, 4)), int(1.08 * RATE / firing_rate(900, 4)), 8)
    return max(np.corrcoef(piece[:-lag], piece[lag:])[0, 1] for lag in lags)


def test_a_diesels_combustion_reaches_higher_than_a_petrol_engines():
    car, tractor = (play(name, 17, 4 * RATE) for name in ("engine.car", "engine.tractor"))
    assert share_above(tractor, 1000) > 2 * share_above(car, 1000)


# --- signals and machines -----------------------------------------------------------------------


@pytest.mark.parametrize("prime", [320.0, 500.0])
def test_a_bells_nominal_is_an_octave_above_its_prime_and_the_loudest(prime):
    x = play("signal.bell", 18, 10 * RATE, prime=prime, bells=1.0, seconds=8.0, clapper=0.3)[0]
    power = np.abs(np.fft.rfft(x * np.hanning(x.size)))
    hertz = np.fft.rfftfreq(x.size, 1 / RATE)
    assert hertz[np.argmax(power)] == pytest.approx(2 * prime, rel=0.02)
    assert {0.5, 1.0, 1.2, 1.5, 2.0} <= set(BELL_PARTIALS)


def test_a_bell_swings_at_its_rate():
    x = play("signal.bell", 19, 10 * RATE, bells=1.0, swing=1.25, seconds=8.8, clapper=1.0)[0]
    assert rhythm(x, 0.6, 1.2) == pytest.approx(0.8, rel=0.05)


def test_a_tick_and_a_tock_differ_and_are_short():
    x = play("signal.clock", 20, 8 * RATE, rate=1.0, tock=0.8, snap=1.0)[0]
    found = onsets(x, 0.6, 0.2)
    assert np.diff(found).mean() == pytest.approx(1, rel=0.05)
    ticks = [x[int((at - 0.02) * RATE) : int((at + 0.06) * RATE)] for at in found if at > 0.02]
    odd, even = (np.mean([middle_hertz(tick) for tick in ticks[first::2]]) for first in (0, 1))
    assert abs(odd / even - 1) > 0.03
    quiet = x[int((found[0] + 0.4) * RATE) : int((found[0] + 0.6) * RATE)]
    assert np.square(ticks[0]).mean() > 30 * np.square(quiet).mean()


def test_a_vacuum_cleaners_motor_is_heard_in_its_air():
    x = play("machine.vacuum", 21, 4 * RATE, spin_hz=640.0, whine=1.0)[0]
    hertz, power = signal.welch(x, RATE, nperseg=32_768)
    near = power[np.abs(hertz - 640) < 15].max()
    beside = np.median(power[(np.abs(hertz - 640) > 60) & (np.abs(hertz - 640) < 150)])
    assert near > 10 * beside
    assert share_above(x, 500) > 0.5


def test_a_jets_fan_whines_above_its_roar():
    x = play("aircraft.jet", 22, 4 * RATE, fan=2000.0, whine=1.0, hiss=0.1)[0]
    hertz, power = signal.welch(x, RATE, nperseg=16_384)
    near = power[np.abs(hertz - 2000) < 80].max()
    beside = np.median(power[(np.abs(hertz - 2000) > 150) & (np.abs(hertz - 2000) < 400)])
    assert near > 4 * beside


# --- birds --------------------------------------------------------------------------------------


@pytest.mark.parametrize("f0", [340.0, 400.0])
def test_an_owl_hoots_nearly_pure_tones(f0):
    x = play("bird.owl", 23, 5 * RATE, f0=f0, wood=0.1)[0]
    hertz, power = spectrum(x)
    tone = power[(hertz > 0.8 * f0) & (hertz < 1.1 * f0)].sum()
    assert tone > 0.85 * power[hertz > 100].sum()
    assert len(onsets(x, 0.2, 0.2)) == 5


def test_a_rooster_keeps_a_plateau_and_breaks_down_to_its_low_register():
    x = play("bird.rooster", 24, 5 * RATE, f0=760.0, low=0.73, seconds=2.0, second=3.0, jitter=0.006)[0]
    frames = [x[at : at + 2400] for at in range(0, x.size - 2400, 1200)]
    loud = [frame for frame in frames if np.square(frame).mean() > 0.05 * np.square(x).max()]
    found = np.array([pitch(frame, 450, 900) for frame in loud])
    assert (np.abs(found / 750 - 1) < 0.05).mean() > 0.25
    assert (np.abs(found / (0.73 * 750) - 1) < 0.07).mean() > 0.05
