"""The procedural sound models: what every one must keep, and what makes single ones recognisable."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal
from sound_measures import RATE, centroid, envelope, pitch, rhythm, share_above, spectrum

from ssv2a.soundbank.dsp import (
    band,
    breath,
    crossings,
    curve,
    filtered,
    impulses,
    jitter,
    modes,
    passed,
    phase,
    samples,
    scattered,
    shaped,
    texture,
    voice,
    walk,
)
from ssv2a.soundbank.models import all_models
from ssv2a.soundbank.models.engines import firing_rate
from ssv2a.soundbank.models.signals import BELL_PARTIALS, sweep
from ssv2a.soundbank.models.water import bubble
from ssv2a.soundbank.vocabulary import vocabulary

SECONDS = 2
EVENTS = [m.name for m in all_models().values() if m.kind == "event"]
TEXTURES = [m.name for m in all_models().values() if m.kind == "texture"]


def play(name, seed=0, n=SECONDS * RATE, **fixed):
    model = all_models()[name]
    rng = np.random.default_rng(seed)
    return model.render({**model.draw(rng), **fixed}, n, rng)


@cache
def take(name, seed=0):
    """One cached default take: events whole (up to 12 s), textures of two seconds."""
    return play(name, seed, (12 if name in EVENTS else SECONDS) * RATE)


# --- all of them --------------------------------------------------------------------------------


def test_every_model_belongs_to_a_sound_of_its_kind():
    sounds = vocabulary()
    for name, model in all_models().items():
        assert name == model.name
        assert model.sound in sounds, f"{name}: {model.sound} is not in the vocabulary"
        assert model.kind == sounds[model.sound].kind, name
        assert model.render.__doc__, f"{name}: no line on its physics"
        low, high = model.pause_seconds
        assert 0 <= low <= high
        assert model.kind == "event" or high == 0.0


def test_there_are_models_for_the_things_the_detector_sees():
    sounds = {model.sound for model in all_models().values()}
    assert len(sounds) >= 60
    seen = (
        "car_engine motorcycle_engine bus_engine truck_engine train_pass airplane_jet boat_motor bicycle_ride"
    )
    seen += " dog_bark cat_meow cow_moo sheep_bleat horse_neigh bird_song elephant_trumpet bear_growl"
    seen += " footsteps_hard ball_bounce skateboard_roll clock_tick typing telephone_ring glass_clink dishes"
    assert set(seen.split()) <= sounds


@pytest.mark.parametrize("name", sorted(all_models()))
def test_shape_level_and_reproducibility(name):
    model, one = all_models()[name], take(name)
    assert one.dtype == np.float32
    assert one.ndim == 2
    assert one.shape[0] in (1, 2)
    assert np.isfinite(one).all()
    peak, rms = np.abs(one).max(), np.sqrt(np.mean(one.astype(float) ** 2))
    assert peak <= 0.708
    assert abs(one.mean()) < 0.02 * rms, "DC"
    if model.kind == "texture":
        assert one.shape[1] == SECONDS * RATE
        assert rms == pytest.approx(0.1, rel=0.02) or peak == pytest.approx(0.7, rel=0.01)
    else:
        assert peak == pytest.approx(0.7, rel=0.01)
    same, other = play(name, 0, one.shape[1] if model.kind == "texture" else 12 * RATE), play(name, 1)
    assert np.array_equal(one, same)
    n = min(one.shape[1], other.shape[1])
    assert not np.allclose(one[0, :n], other[0, :n], atol=1e-3)


@pytest.mark.parametrize("name", EVENTS)
def test_events_end_by_themselves_begin_and_end_at_zero_and_are_cut_with_a_fade(name):
    whole = take(name)
    assert 0.02 * RATE < whole.shape[1] < 11.9 * RATE, "its natural length"
    short = play(name, 0, RATE // 5)
    assert short.shape[1] <= RATE // 5
    for sound in (whole, short):
        assert np.abs(sound[:, 0]).max() == 0.0
        assert np.abs(sound[:, -1]).max() < 2e-3
        assert np.abs(sound[:, -48:]).max() < 0.06


@pytest.mark.parametrize("name", TEXTURES)
@pytest.mark.parametrize("n", [1, 37, 48_001])
def test_textures_have_exactly_the_samples_asked_for(name, n):
    sound = play(name, 3, n)
    assert sound.shape[1] == n
    assert np.isfinite(sound).all()


@pytest.mark.parametrize(
    "name", ["weather.rain", "water.waterfall", "engine.car", "aircraft.helicopter", "machine.fan"]
)
def test_a_texture_goes_on_without_fade_or_loop(name):
    sound = play(name, 5, 8 * RATE)[0].astype(float)
    seconds = np.sqrt(np.mean(sound.reshape(8, RATE) ** 2, axis=1))
    assert 0.5 < seconds[0] / np.median(seconds) < 2
    assert 0.5 < seconds[-1] / np.median(seconds) < 2
    corr = signal.correlate(sound, sound, "full", "fft")[sound.size - 1 :]
    assert np.abs(corr[RATE : 6 * RATE]).max() < 0.6 * corr[0]


# --- what makes them recognisable ---------------------------------------------------------------


@pytest.mark.parametrize(("rpm", "cylinders"), [(900, 4), (1500, 4), (1200, 6)])
def test_a_car_engine_fires_at_its_rate(rpm, cylinders):
    sound = play("engine.car", 2, 4 * RATE, rpm=rpm, cylinders=cylinders, rev=0.0, uneven=0.0)[0]
    expected = firing_rate(rpm, cylinders)
    assert expected == rpm / 60 * cylinders / 2
    assert pitch(envelope(sound, 400.0), 0.7 * expected, 1.4 * expected) == pytest.approx(expected, rel=0.05)


def test_a_two_stroke_fires_twice_as_often_as_a_four_stroke():
    assert firing_rate(3000, 2, strokes=2) == 2 * firing_rate(3000, 2, strokes=4) == 100.0


def test_a_helicopters_blades_slap_at_their_rate():
    assert rhythm(play("aircraft.helicopter", 1, 4 * RATE, slap_hz=14.0)[0], 9, 21) == pytest.approx(
        14, rel=0.04
    )


def test_a_car_goes_by_with_doppler_shift_and_inverse_distance():
    n = 6 * RATE
    tone = np.sin(phase(np.full(n, 800.0)))
    heard = passed(tone, distance=4.0, speed=20.0, at=3.0)

    def tone_at(part):
        windowed = part * np.hanning(part.size)
        return np.argmax(np.abs(np.fft.rfft(windowed, 1 << 19))) * RATE / (1 << 19)

    before, after = heard[RATE // 2 : RATE], heard[-RATE : -RATE // 2]
    assert tone_at(before) == pytest.approx(800 * 343 / (343 - 20), rel=0.005)
    assert tone_at(after) == pytest.approx(800 * 343 / (343 + 20), rel=0.005)
    assert np.abs(heard).max() == pytest.approx(1.0, abs=0.02)  # at the nearest distance
    assert 0.05 < np.abs(before).max() < 0.2


@pytest.mark.parametrize("direction", [-1.0, 1.0])
def test_a_passing_car_swells_and_crosses_the_picture(direction):
    sound = play("passing.car", 4, 12 * RATE, direction=direction, seconds=5.0)
    third = sound.shape[1] // 3
    power = [float(np.mean(sound[:, i * third : (i + 1) * third] ** 2)) for i in range(3)]
    assert power[1] > 4 * max(power[0], power[2])
    left = [float(np.mean(sound[0, i * third : (i + 1) * third] ** 2)) for i in (0, 2)]
    right = [float(np.mean(sound[1, i * third : (i + 1) * third] ** 2)) for i in (0, 2)]
    assert (left[0] > right[0]) == (direction > 0)
    assert (left[1] > right[1]) == (direction < 0)


@pytest.mark.parametrize("seed", range(4))
def test_a_car_horn_sounds_two_tones_about_a_third_apart(seed):
    sound = play("signal.car_horn", seed, 12 * RATE, f0=400.0, interval=1.25, honks=1.0, seconds=0.9)[0]
    power = np.abs(np.fft.rfft(sound * np.hanning(sound.size), 1 << 18))
    hertz = np.fft.rfftfreq(1 << 18, 1 / RATE)
    for f in (400, 500):
        near = power[(hertz > f - 8) & (hertz < f + 8)].max()
        beside = np.median(power[(hertz > f + 20) & (hertz < f + 80)])
        assert near > 8 * beside, f


@pytest.mark.parametrize(("mode", "low", "high"), [(0.5, 0.1, 0.4), (1.5, 2.0, 4.2), (2.3, 0.8, 1.0)])
def test_a_siren_sweeps_in_its_range_at_its_rate(mode, low, high):
    model = all_models()["signal.siren"]
    rng = np.random.default_rng(0)
    curve_hz = sweep({**model.draw(rng), "mode": mode}, 20 * RATE, rng)
    assert 350 <= curve_hz.min() < curve_hz.max() <= 1700
    middle = np.sqrt(curve_hz.min() * curve_hz.max())
    rises = np.count_nonzero((curve_hz[:-1] < middle) & (curve_hz[1:] >= middle)) / 20
    assert low <= rises <= high


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("mammal.dog", 300, 1300),
        ("mammal.cat", 380, 1000),
        ("mammal.cow", 70, 230),
        ("mammal.sheep", 160, 400),
        ("mammal.wolf", 200, 800),
        ("bird.owl", 300, 560),
        ("signal.ship_horn", 65, 170),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_voices_lie_in_their_pitch_range(name, low, high, seed):
    sound = play(name, seed, 12 * RATE)[0]
    loudest = int(np.argmax(envelope(sound, 10.0)))
    part = sound[max(0, loudest - 2400) : loudest + 2400]
    assert low <= pitch(part, low / 1.5, high * 1.5) <= high


@pytest.mark.parametrize(("name", "low", "high"), [
    ("mammal.dog", 0.2, 3.5), ("mammal.cow", 1.0, 2.3), ("mammal.cat", 0.4, 1.2), ("weather.thunder", 4, 9.1),
    ("impact.mouse_click", 0.1, 0.4), ("signal.bell", 5.5, 9.5),
])  # fmt: skip
def test_events_have_their_natural_length(name, low, high):
    for seed in range(3):
        assert low <= play(name, seed, 12 * RATE).shape[1] / RATE <= high


def test_a_sheeps_bleat_trembles_and_a_cows_moo_does_not():
    sheep = play("mammal.sheep", 0, 12 * RATE, tremble_hz=9.0, seconds=1.2)[0]
    assert rhythm(sheep[RATE // 10 : RATE], 6, 14) == pytest.approx(9, rel=0.12)


def test_a_bell_rings_in_its_partials_with_a_minor_third():
    ring = play("signal.bell", 0, 12 * RATE, prime=400.0, seconds=8.0)[0][RATE // 2 :]
    power = np.abs(np.fft.rfft(ring * np.hanning(ring.size)))
    hertz = np.fft.rfftfreq(ring.size, 1 / RATE)
    floor = np.median(power[(hertz > 150) & (hertz < 1700)])
    assert 1.2 in BELL_PARTIALS
    for partial in (0.5, 1.0, 1.2, 2.0):
        near = np.abs(hertz - 400 * partial) < 0.01 * 400 * partial
        assert power[near].max() > 20 * floor, partial


@pytest.mark.parametrize(("name", "parameter", "rate"), [
    ("signal.clock", "rate", 2.0), ("people.footsteps_hard", "rate", 1.8), ("impact.hammer", "rate", 2.0),
])  # fmt: skip
def test_rhythms_keep_their_rate(name, parameter, rate):
    fixed = {
        parameter: rate,
        **({"steps": 8.0} if "foot" in name else {}),
        **({"blows": 6.0} if "hammer" in name else {}),
    }
    assert rhythm(play(name, 1, 8 * RATE, **fixed)[0], 0.7 * rate, 1.4 * rate) == pytest.approx(
        rate, rel=0.08
    )


def test_a_telephone_hammer_strikes_twenty_times_a_second_and_more():
    ring = play("signal.telephone", 0, 12 * RATE, hammer_hz=11.0, seconds=1.5)[0]
    assert rhythm(ring[: int(1.4 * RATE)], 18, 27) == pytest.approx(22, rel=0.06)


def test_a_walking_horse_puts_down_four_hooves_a_stride():
    sound = play("mammal.hooves", 1, 8 * RATE, rate=1.0, strides=6.0, lilt=0.0)[0]
    assert rhythm(sound, 2.8, 5.6) == pytest.approx(4, rel=0.08)


def test_a_saw_rests_between_its_strokes():
    sound = play("machine.saw", 1, 6 * RATE, strokes=1.25, pull=0.4)[0]
    assert rhythm(sound, 0.9, 1.7) == pytest.approx(1.25, rel=0.08)
    loud = envelope(sound, 30.0)
    assert np.percentile(loud, 10) < 0.2 * np.percentile(loud, 90)


def test_bounces_come_faster_and_softer():
    sound = play("impact.ball", 0, 12 * RATE, gap=0.7, restitution=0.75, bounces=5.0)[0]
    loud = envelope(sound, 30.0)
    peaks, _ = signal.find_peaks(loud, prominence=0.15 * loud.max(), distance=RATE // 5)
    gaps = np.diff(peaks[:4]) / RATE
    assert gaps[0] == pytest.approx(0.7, abs=0.05)
    assert (np.diff(gaps) < 0).all()


def test_a_train_clatters_over_its_joints():
    sound = play("passing.train", 0, 12 * RATE, speed=20.0, rail=20.0, joints=3.0, rails=0.2, whine=0.0)[0]
    assert rhythm(sound, 0.7, 1.4) == pytest.approx(1.0, rel=0.05)


def test_spectra_lie_where_they_belong():
    assert centroid(take("weather.thunder")) < 800 < 2000 < centroid(take("weather.rain"))
    assert centroid(take("engine.truck")) < 600
    assert centroid(take("weather.steam")) > 3000
    assert centroid(take("weather.wind")) < 800
    assert share_above(take("small.crickets"), 3000) > 0.7
    assert share_above(take("bird.song"), 1500) > 0.8
    assert share_above(take("machine.room"), 1000) < 0.1
    assert centroid(take("people.footsteps_soft")) < centroid(take("people.footsteps_gravel"))


@pytest.mark.parametrize(
    "name", ["weather.rain", "weather.wind", "water.waves", "people.applause", "passing.traffic"]
)
def test_wide_things_are_wide_but_hold_together(name):
    left, right = take(name).astype(float)
    correlation = float(np.corrcoef(left, right)[0, 1])
    assert -0.2 < correlation < 0.95


def test_smaller_bubbles_ring_higher_and_shorter():
    small, large = bubble(0.001, 0.0), bubble(0.004, 0.0)
    assert pitch(small, 1500, 6000) == pytest.approx(3000, rel=0.05)
    assert pitch(large, 400, 1500) == pytest.approx(750, rel=0.05)
    assert small.size < large.size


# --- building blocks ----------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(n=st.integers(1, 30_000), rate=st.floats(0.05, 2000), seed=st.integers(0, 2**32 - 1))
def test_walks_stay_between_their_limits(n, rate, seed):
    x = walk(n, np.random.default_rng(seed), rate, -0.5, 2.0)
    assert x.shape == (n,)
    assert x.min() >= -0.5
    assert x.max() <= 2.0


def test_noise_lies_in_its_band_at_unit_level():
    x = band(RATE, np.random.default_rng(0), 1000, 2000, 48.0)
    assert x.std() == pytest.approx(1, rel=0.05)
    hertz, power = spectrum(x)
    inside = power[(hertz > 900) & (hertz < 2200)].sum() / power.sum()
    assert inside > 0.95


def test_a_filter_has_the_response_it_was_given():
    impulse = np.zeros(1 << 14)
    impulse[1 << 13] = 1.0
    response = np.abs(np.fft.rfft(filtered(impulse, [(100, -20), (1000, 0), (10_000, -40)])))
    hertz = np.fft.rfftfreq(1 << 14, 1 / RATE)
    for f, decibels in ((100, -20), (1000, 0), (10_000, -40)):
        assert 20 * np.log10(response[np.argmin(np.abs(hertz - f))]) == pytest.approx(decibels, abs=1.0)


def test_crossings_and_impulses_keep_time_between_samples():
    times = crossings(np.arange(RATE) * (7.0 / RATE) + 0.5)
    assert times.size == 7
    assert np.diff(times) == pytest.approx(RATE / 7, abs=1e-6)
    train = impulses(RATE, times, np.ones(7))
    assert train.sum() == pytest.approx(7)


def test_a_scatter_has_its_rate():
    assert scattered(100 * RATE, np.random.default_rng(0), 30.0).size == pytest.approx(3000, rel=0.1)


def test_modes_die_by_sixty_decibels_in_their_time():
    x = modes(RATE, np.array([1000.0]), np.array([0.5]), np.array([1.0]))
    early, late = np.abs(x[:480]).max(), np.abs(x[RATE // 2 - 240 : RATE // 2 + 240]).max()
    assert 20 * np.log10(late / early) == pytest.approx(-60, abs=3)


def test_a_voice_has_its_pitch_and_its_formant():
    x = voice(np.full(RATE, 120.0), [(1200.0, 80.0, 1.0)], 3.0)
    assert pitch(x[: RATE // 4], 80, 300) == pytest.approx(120, rel=0.01)
    hertz, power = spectrum(x)
    assert hertz[np.argmax(power)] == pytest.approx(1200, abs=60)


def test_breath_lies_in_its_formants_and_comes_in_pulses():
    rng = np.random.default_rng(0)
    x = breath(np.full(4 * RATE, 20.0), rng, [(1200.0, 80.0, 1.0)], 4.0)
    assert x.std() == pytest.approx(1, rel=0.01)
    hertz, power = spectrum(x)
    assert hertz[np.argmax(power)] == pytest.approx(1200, abs=80)
    assert rhythm(x, 12, 30) == pytest.approx(20, rel=0.03)


def test_jitter_wanders_around_one_within_its_depth():
    x = jitter(RATE, np.random.default_rng(0), 0.02)
    assert x.mean() == pytest.approx(1, abs=0.01)
    assert 0.005 < x.std() < 0.03
    assert np.abs(x - 1).max() <= 0.06


def test_a_voice_follows_moving_formants():
    n = RATE
    x = voice(np.full(n, 100.0), [(curve(n, [(0, 500), (1, 2000)]), 80.0, 1.0)], 0.0)
    assert centroid(x[: n // 4]) < 900 < 1500 < centroid(x[-n // 4 :])


@settings(max_examples=20, deadline=None)
@given(n=st.integers(1, 20_000), offset=st.floats(-5, 5), seed=st.integers(0, 1000))
def test_a_finished_texture_has_no_dc_and_no_overload(n, offset, seed):
    x = texture(shaped(n, np.random.default_rng(seed), [(50, 0), (5000, -20)]) + offset)
    assert x.shape == (1, n)
    assert np.abs(x).max() <= 0.7001
    if n > 10_000:
        assert abs(x.mean()) < 0.02


def test_lengths_round_to_samples():
    assert [samples(s) for s in (0.0, 1.0, 1 / 48_000, 0.5)] == [1, 48_000, 1, 24_000]
