"""What makes falling trees, hard steps, splashes, tennis and digging recognisable."""

import numpy as np
import pytest
from scipy import signal
from sound_measures import RATE, centroid, envelope, share, share_above
from test_models import play

from ssv2a.soundbank.models.balls import _swing
from ssv2a.soundbank.models.blasts import _crown, avalanches, breaking, failing, splinters, timber
from ssv2a.soundbank.models.water import plume

SEEDS = range(4)
LONG = 12 * RATE


def power(x):
    return float(np.square(x).mean())


def flatness(x, low, high):
    """Geometric over arithmetic mean of the smoothed power between two frequencies: near 1 for noise."""
    hertz, density = signal.welch(x, RATE, nperseg=2048)
    inside = density[(hertz >= low) & (hertz < high)]
    return float(np.exp(np.log(inside + 1e-20).mean()) / inside.mean())


def crest(x):
    """Peak over RMS in dB."""
    return float(20 * np.log10(np.abs(x).max() / x.std()))


def cracks(x, apart=0.03):
    """Times in seconds of snaps: sudden rises of the treble, by the place of the level's peaks."""
    sos = signal.butter(4, 1500, "highpass", fs=RATE, output="sos")
    level = envelope(signal.sosfilt(sos, x), 60.0)
    peaks, _ = signal.find_peaks(level, height=0.08 * level.max(), distance=int(apart * RATE))
    return peaks / RATE


# --- falling trees ------------------------------------------------------------------------------


def test_a_beam_breaks_ever_faster_up_to_its_end():
    rate = failing(2.0, 8.0, 60.0)
    assert rate[0] == pytest.approx(8 / (1 + 8 / 60), rel=0.01)
    assert rate[-1] == pytest.approx(60, rel=0.01)
    assert (np.diff(rate) > 0).all()
    half = rate.size // 2
    assert 1 / rate[half] == pytest.approx((1 / rate[0] + 1 / rate[-1]) / 2, rel=0.01)  # Voight: straight


@pytest.mark.parametrize("seed", SEEDS)
def test_splinters_are_broadband_clicks_without_a_pitch(seed):
    for snap in splinters(np.random.default_rng(seed), 8):
        assert snap.size < 0.03 * RATE
        assert share(snap, 200, 8000) > 0.65
        late = snap[snap.size // 2 :]
        assert np.square(late).sum() < 0.1 * np.square(snap).sum()


@pytest.mark.parametrize("seed", SEEDS)
def test_breaking_wood_comes_in_bursts_with_power_law_sizes(seed):
    rng = np.random.default_rng(seed)
    force = avalanches(rng, np.full(4 * RATE, 10.0))
    assert force.min() >= 0
    x = breaking(rng, force, splinters(rng), timber(rng, 160.0))
    assert crest(x) > 15
    level = np.sqrt(np.square(x[: 4 * RATE // 480 * 480].reshape(-1, 480)).mean(axis=1))
    assert np.percentile(level, 98) > 8 * np.median(level)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_tree_cracks_ever_faster_then_thuds_and_comes_to_rest(seed):
    x = play("blast.tree", seed, LONG, lean=2.0, fall=1.2, cracks=8.0)[0]
    found = cracks(x)
    assert np.sum((found > 1.0) & (found < 2.0)) > np.sum(found < 1.0)
    ground = int(3.2 * RATE)
    before, struck = x[ground - RATE // 2 : ground - RATE // 5], x[ground : ground + RATE // 3]
    low = signal.butter(4, 120, fs=RATE, output="sos")
    assert power(signal.sosfilt(low, struck)) > 8 * power(signal.sosfilt(low, before))
    assert power(x[-RATE // 2 :]) < 0.05 * power(struck)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_falling_tree_is_broadband_and_its_cracks_stand_out(seed):
    x = play("blast.tree", seed, LONG)[0]
    assert 14 < crest(x) < 28  # recordings: 16 to 26
    assert share(x, 250, 5000) > 0.4
    assert 0.001 < share_above(x, 8000) < 0.15
    assert flatness(x, 500, 5000) > 0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_foliage_rushes_louder_and_louder_while_the_tree_falls(seed):
    x = _crown({"leaves": 1.5}, int(1.4 * RATE), 2 * RATE, np.random.default_rng(seed))
    early, middle, late, rest = (
        power(x[int(t * RATE) : int((t + 0.2) * RATE)]) for t in (0.1, 0.6, 1.2, 3.0)
    )
    assert late > 4 * middle > 4 * 1.5 * early
    assert rest < 0.01 * late
    assert share(x, 400, 9000) > 0.9


# --- steps --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_the_ball_of_the_foot_follows_the_heel_softer(seed):
    fixed = {"steps": 1.0, "roll": 0.13, "toe": 0.35, "scuff": 0.0, "weight": 0.0, "echo": 0.0, "room": 0.0}
    x = play("people.footsteps_hard", seed, 2 * RATE, floor=0.5, air=0.0, **fixed)[0]
    level = envelope(x, 80.0)
    heel = int(np.argmax(level))
    assert heel / RATE == pytest.approx(0.045, abs=0.025)
    after = level[heel + int(0.08 * RATE) : heel + int(0.2 * RATE)]
    gap = level[heel + int(0.06 * RATE) : heel + int(0.09 * RATE)].min()
    assert 0.08 * level[heel] < after.max() < 0.7 * level[heel]
    assert after.max() > 2 * gap


@pytest.mark.parametrize("seed", SEEDS)
def test_a_room_answers_within_50_ms_and_dies_within_a_second(seed):
    fixed = {"steps": 1.0, "scuff": 0.0, "toe": 0.0, "air": 0.0, "floor": 0.5, "hall": 0.5, "room": 0.05}
    dry, wet = (play("people.footsteps_hard", seed, 2 * RATE, echo=echo, **fixed)[0] for echo in (0.0, 0.4))
    echoes = slice(int(0.05 * RATE), int(0.12 * RATE))
    assert power(wet[echoes]) > 1.05 * power(dry[echoes])
    assert power(wet[int(0.8 * RATE) :]) < 1e-4 * power(wet[: RATE // 5])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_hard_step_is_no_click_and_no_ringing_knock(seed):
    x = play("people.footsteps_hard", seed, LONG, steps=4.0)[0]
    step = x[: RATE // 3]
    assert share(step, 40, 400) > 0.15  # a body's weight, not a click
    assert share(step, 700, 12_000) > 0.005  # grit and shoe, not a dull knock
    assert crest(x) > 15


# --- splashes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_plume_of_bubbles_lies_where_minnaert_puts_it(seed):
    x = plume(2 * RATE, np.random.default_rng(seed), np.full(2 * RATE, 1500.0), 0.001, 0.006)
    assert share(x, 3 / 0.006 * 0.8, 3 / 0.001 * 1.2) > 0.9


@pytest.mark.parametrize("seed", SEEDS)
def test_a_splash_slaps_swells_with_bubbles_and_trickles_away(seed):
    x = play("water.splash", seed, LONG)
    mono = x.mean(axis=0)
    assert x.shape[0] == 2
    assert 0.8 < mono.size / RATE < 3.0
    fifth = mono.size // 5
    parts = [power(mono[k * fifth : (k + 1) * fifth]) for k in range(5)]
    assert parts[0] + parts[1] > 0.5 * sum(parts)
    assert parts[4] < 0.02 * max(parts)
    assert 400 < centroid(x) < 4500
    assert share(mono, 300, 6000) > 0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_a_splash_is_no_tone(seed):
    x = play("water.splash", seed, LONG)[0]
    assert flatness(x, 500, 6000) > 0.25
    hertz, density = signal.welch(x, RATE, nperseg=4096)
    assert density.max() < 0.25 * density[hertz > 20].sum()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_jet_falls_back_as_a_second_swell(seed):
    fixed = {"seconds": 2.0, "fallen": 0.6, "closing": 0.08, "rain": 0.0}
    with_jet, without = (
        play("water.splash", seed, LONG, jet=jet, **fixed).mean(axis=0) for jet in (0.9, 0.0)
    )
    early, late = slice(0, RATE // 2), slice(int(0.62 * RATE), int(0.9 * RATE))
    assert power(with_jet[late]) / power(with_jet[early]) > 1.5 * power(without[late]) / power(without[early])


# --- tennis -------------------------------------------------------------------------------------


def test_a_racket_rushes_fastest_at_the_ball():
    x, hit = _swing({"swing": 1.0}, np.random.default_rng(0))
    level = envelope(x, 15.0)
    assert abs(int(np.argmax(level)) - hit) < 0.05 * RATE
    assert level[0] < 0.05 * level.max()
    assert share(x, 150, 900) > 0.5
    assert share(x, 2500, 9000) > 0.02


# --- digging ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_spade_is_of_steel(seed):
    """Resonances of the blade stand out of the soil's noise while it cuts, and only with steel."""
    fixed = {"strokes": 1.0, "period": 1.6, "blade": 1000.0, "coarse": 0.4}
    steel, none = (play("hand.digging", seed, 4 * RATE, steel=gain, **fixed)[0] for gain in (1.4, 0.0))
    cut = slice(int(0.05 * RATE), int(0.4 * RATE))
    near = [share(x[cut], 960, 1040) for x in (steel, none)]
    assert near[0] > 1.5 * near[1]


@pytest.mark.parametrize("seed", SEEDS)
def test_soil_is_dull_and_falls_with_a_thump(seed):
    x = play("hand.digging", seed, LONG)[0]
    assert share_above(x, 6000) < 0.1
    assert share(x, 500, 4000) > 0.5
    fixed = {"strokes": 1.0, "period": 1.6, "lift": 0.3}
    hard, soft = (play("hand.digging", seed, 4 * RATE, thump=gain, **fixed)[0] for gain in (1.6, 0.4))
    thrown = slice(int(0.75 * RATE), int(1.3 * RATE))
    assert share(hard[thrown], 40, 300) > share(soft[thrown], 40, 300)
