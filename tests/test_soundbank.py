"""The synthesiser on the shipped default bank: what is heard, when, where and how loud."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ssv2a
from ssv2a.embed.clap import MiniClap
from ssv2a.embed.minilm import MiniLm
from ssv2a.errors import ConfigurationError
from ssv2a.evaluate.bars import correlation
from ssv2a.soundbank import player
from ssv2a.soundbank.arrangement import activity
from ssv2a.soundbank.bank import Bank
from ssv2a.soundbank.choice import mixture_weights, nearest
from ssv2a.soundbank.grains import granulate
from ssv2a.soundbank.render import (
    Motion,
    event_train,
    finished,
    level_gain,
    loudness,
    placed,
)
from ssv2a.synthesis.soundbank import SoundBank
from ssv2a.types import SAMPLE_RATE, Scene, SoundRequest, Track

MINI = Path(ssv2a.__file__).parent / "bundles" / "mini"
FRAMES = 16
SECONDS = 6
N = SECONDS * SAMPLE_RATE


@pytest.fixture(scope="module")
def clap():
    return MiniClap.load(MINI / "clap.safetensors")


@pytest.fixture(scope="module")
def text():
    known = MINI / "sentences.safetensors"
    return MiniLm(MINI / "minilm_l6_v2_int8.onnx", MINI / "minilm_tokenizer.json", 1, known)


@pytest.fixture(scope="module")
def bank():
    return Bank.open(MINI / "banks" / "default")


@pytest.fixture(scope="module")
def synthesiser(bank, clap, text):
    return SoundBank(bank, clap, text)


@pytest.fixture(scope="module")
def vector(clap, text):
    return lambda caption: clap.text(text.embed([caption]))[0]


@pytest.fixture(scope="module")
def track(vector):
    def make(key, caption, *, presence=1.0, x=0.5, area=0.1, count=1):
        spread = np.ones(FRAMES, np.float32)
        clap = vector(caption or "quiet room tone")
        return Track(
            key, "thing", "thing", caption, clap, spread * presence, spread * x, spread * area, count
        )

    return make


@pytest.fixture(scope="module")
def scene(vector):
    def make(*tracks, ambience=None):
        vectors = [one.clap for one in tracks] or [vector(ambience or "quiet room tone")]
        target = np.sum(vectors, axis=0)
        return Scene(
            seconds=Fraction(SECONDS),
            times=tuple(Fraction(i * SECONDS, FRAMES) for i in range(FRAMES)),
            target=(target / np.linalg.norm(target)).astype(np.float32),
            tracks=tracks,
            ambience=ambience,
        )

    return make


def power_db(sound):
    return 10 * np.log10(np.square(sound).mean() + 1e-20)


def play(synthesiser, scene, seed=0, n=N, **options):
    return synthesiser.synthesise([SoundRequest(scene, n, seed, **options)])[0]


# Seeds


def test_a_seed_gives_the_same_samples_again(synthesiser, track, scene):
    both = scene(track(1, "a dog barking"), track(2, "rain falling"))
    first, again = play(synthesiser, both), play(synthesiser, both)
    np.testing.assert_array_equal(first.waveform, again.waveform)
    assert first.picks == again.picks


def test_other_seeds_are_other_takes_as_loud(synthesiser, track, scene):
    dog = scene(track(1, "a dog barking"))
    takes = [play(synthesiser, dog, seed).waveform for seed in range(4)]
    levels = [loudness(take) for take in takes]
    assert max(levels) - min(levels) <= 3
    for other in takes[1:]:
        assert abs(np.corrcoef(takes[0][0], other[0])[0, 1]) < 0.5


# What is heard


def test_every_track_is_heard_and_listed(synthesiser, track, scene):
    tracks = [track(1, "a dog barking"), track(2, "a car engine running"), track(3, "rain falling")]
    rendering = play(synthesiser, scene(*tracks))
    sounds = {pick.track: pick.sound for pick in rendering.picks}
    assert sounds == {1: "dog_bark", 2: "car_engine", 3: "rain", None: "room_tone"}
    for pick in rendering.picks:
        assert 0 <= pick.start < pick.end <= SECONDS
        assert pick.licence in ("CC0-1.0", "MIT")
    assert rendering.warnings == ()


def test_what_the_bank_has_no_sound_for_is_silent_and_said(synthesiser, track, scene):
    """A voice is not played by a fire because that lies nearest."""
    rendering = play(synthesiser, scene(track(1, "a man speaking"), track(2, "rain falling")))
    assert {pick.track for pick in rendering.picks} == {2, None}
    (warning,) = rendering.warnings
    assert "'a man speaking' is no sound that the bank has" in warning


def test_words_that_mean_nothing_known_are_played_by_the_nearest_and_said(synthesiser, track, scene):
    rendering = play(synthesiser, scene(track(1, "the quarterly tax declaration")))
    assert [pick.track for pick in rendering.picks] == [1, None]
    (warning,) = rendering.warnings
    assert "'the quarterly tax declaration'" in warning
    assert rendering.picks[0].caption in warning


def test_silent_things_leave_the_ambience(synthesiser, track, scene):
    rendering = play(synthesiser, scene(track(1, None), ambience="waves breaking on a beach"))
    assert [(pick.track, pick.sound) for pick in rendering.picks] == [(None, "sea_waves")]
    assert rendering.warnings == ()


def test_an_ambience_stays_behind_the_sources(synthesiser, track, scene):
    alone = play(synthesiser, scene(ambience="rain falling"))
    behind = play(
        synthesiser, scene(track(1, "a dog barking", presence=np.eye(1, FRAMES)[0]), ambience="rain falling")
    )
    assert loudness(behind.waveform[:, N // 2 :]) < loudness(alone.waveform[:, N // 2 :]) - 5


def test_nothing_to_hear_is_a_quiet_room_tone_and_is_said(synthesiser, track, scene):
    rendering = play(synthesiser, scene(track(1, None)))
    assert [pick.sound for pick in rendering.picks] == ["room_tone"]
    assert -50 < loudness(rendering.waveform) < -33
    assert "room tone" in rendering.warnings[0]


# When, where, how loud


@pytest.mark.parametrize("caption", ["a stream flowing", "a dog barking"])
def test_a_source_is_heard_while_it_is_there(synthesiser, track, scene, caption):
    presence = np.zeros(FRAMES, np.float32)
    presence[6:10] = 1
    sound = play(synthesiser, scene(track(1, caption, presence=presence))).waveform
    frame = N // FRAMES
    there = power_db(sound[:, 6 * frame : 10 * frame])
    for elsewhere in (sound[:, : 4 * frame], sound[:, 12 * frame :]):
        assert -100 < power_db(elsewhere) < there - 20  # room tone, never digital silence


def test_a_source_is_heard_where_it_is_seen(synthesiser, track, scene):
    def sides(x, **options):
        left, right = play(synthesiser, scene(track(1, "a car engine running", x=x)), **options).waveform
        return power_db(left) - power_db(right)

    assert sides(0.02) > 8
    assert abs(sides(0.5)) < 1
    assert sides(0.98) < -8
    assert abs(sides(0.02, settings={"width": 0.0})) < 1


def test_a_source_that_crosses_the_picture_pans_along(synthesiser, track, scene):
    crossing = track(1, "a car engine running", x=np.linspace(0, 1, FRAMES, dtype=np.float32))
    left, right = play(synthesiser, scene(crossing)).waveform
    assert power_db(left[: N // 4]) > power_db(right[: N // 4]) + 4
    assert power_db(right[-N // 4 :]) > power_db(left[-N // 4 :]) + 4


def test_large_and_many_things_are_louder(synthesiser, track, scene):
    def level(**options):
        return loudness(play(synthesiser, scene(track(1, "a truck engine rumbling", **options))).waveform)

    assert level(area=0.3) > level(area=0.01) + 4
    assert level(count=4) == pytest.approx(level() + 6, abs=1.5)


def test_far_things_are_duller():
    noise = np.random.default_rng(0).standard_normal((1, SAMPLE_RATE)).astype(np.float32) * 0.1

    def brightness(area):
        spread = np.ones(2, np.float32)
        motion = Motion.over([0.0, 1.0], spread, spread / 2, spread * area, SAMPLE_RATE)
        spectrum = np.abs(np.fft.rfft(placed(noise, motion, width=1.0)[0])) ** 2
        return spectrum[12_000:].sum() / spectrum[:2_000].sum()  # a bin a hertz

    assert brightness(0.005) < 0.5 * brightness(0.3)


# Clean


@pytest.mark.parametrize("n", [N, 48_001, 9_600])
def test_length_is_exact_and_nothing_clips_or_drifts(synthesiser, track, scene, n):
    loud = [
        track(i, caption, area=0.9, count=9)
        for i, caption in enumerate(["an explosion", "a siren wailing", "thunder rumbling"])
    ]
    sound = play(synthesiser, scene(*loud), n=n).waveform
    assert sound.shape == (2, n)
    assert sound.dtype == np.float32
    assert np.isfinite(sound).all()
    assert 0.05 < np.abs(sound).max() <= 0.9
    assert np.abs(sound.mean(axis=1)).max() < 0.01


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), gain=st.floats(0.1, 30))
def test_the_limiter_never_lets_a_peak_through(seed, gain):
    rng = np.random.default_rng(seed)
    mix = (gain * rng.standard_normal((2, 6_000)) * (rng.random(6_000) < 0.01)).astype(np.float32)
    assert np.abs(finished(mix)[0]).max() <= 0.891


def test_what_is_soft_passes_the_limiter_unchanged():
    times = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    tone = np.tile(0.5 * np.sin(2 * np.pi * 1000 * times), (2, 1)).astype(np.float32)
    np.testing.assert_allclose(finished(tone)[0][:, 4_800:], tone[:, 4_800:], atol=0.02)


# Grains


def noise_recording(seconds=4.0):
    """A texture with a swell of its own, so that a loop of it would be heard."""
    n = round(seconds * SAMPLE_RATE)
    rng = np.random.default_rng(5)
    swell = 1 + 0.5 * np.sin(2 * np.pi * np.arange(n) / n) + 0.3 * np.sin(6 * np.pi * np.arange(n) / n)
    return (0.1 * swell * rng.standard_normal(n)).astype(np.float32)[None]


def autocorrelation(values, lag):
    values = values - values.mean()
    return float(np.dot(values[:-lag], values[lag:]) / np.dot(values, values))


def test_a_minute_of_four_seconds_has_no_loop():
    recording = noise_recording()
    minute = granulate(recording, 60 * SAMPLE_RATE, np.random.default_rng(1))[0]
    looped = np.tile(recording[0], 15)
    period = recording.shape[1]
    assert autocorrelation(looped, period) > 0.9  # what the test would see
    lags = range(period - 2_400, period + 2_401, 7)
    assert max(abs(autocorrelation(minute, lag)) for lag in [*lags[::40], period]) < 0.1
    envelope = np.square(minute).reshape(-1, 480).mean(axis=1)
    assert abs(autocorrelation(envelope, period // 480)) < 0.35


def test_a_minute_of_a_bank_recording_has_no_loop(bank):
    entry = next(e for e in bank.entries if e.file and e.kind == "texture" and e.sound == "river_stream")
    recording = bank.audio(entry)
    minute = granulate(recording, 60 * SAMPLE_RATE, np.random.default_rng(1))[0]
    spectrum = np.abs(np.fft.rfft(minute - minute.mean(), 2 * minute.size)) ** 2
    correlation = np.fft.irfft(spectrum)[: minute.size]
    around = correlation[recording.shape[1] - 4_800 : recording.shape[1] + 4_800] / correlation[0]
    assert np.abs(around).max() < 0.15


@settings(max_examples=30, deadline=None)
@given(seconds=st.floats(0.3, 3), n=st.integers(1, 3 * SAMPLE_RATE), seed=st.integers(0, 2**32))
def test_grains_keep_length_and_level(seconds, n, seed):
    size = round(seconds * SAMPLE_RATE)
    noise = np.random.default_rng(seed).standard_normal((1, size)).astype(np.float32)
    grains = granulate(noise, n, np.random.default_rng(seed))
    assert grains.shape == (1, n)
    assert np.abs(grains).max() <= np.sqrt(2) * np.abs(noise).max() + 1e-5
    if n >= SAMPLE_RATE:
        blocks = np.square(grains[0, : n // 4_800 * 4_800]).reshape(-1, 4_800).mean(axis=1)
        assert blocks.min() > 0.6
        assert blocks.max() < 1.6


# Events


@settings(max_examples=30, deadline=None)
@given(
    length=st.integers(1_000, 30_000),
    n=st.integers(9_600, 6 * SAMPLE_RATE),
    pause=st.floats(0.05, 1.0),
    seed=st.integers(0, 2**32),
)
def test_events_do_not_overlap_and_there_is_silence_between(length, n, pause, seed):
    takes = [np.full((1, length), level, np.float32) for level in (0.25, 0.5)]
    rng = np.random.default_rng(seed)
    train, events = event_train(takes, n, (pause, 2 * pause), rng, vary=False)
    assert train.shape == (1, n)
    assert events
    sounding = np.zeros(n, bool)
    for event, following in zip(events, [*events[1:], None], strict=True):
        assert 0 <= event.start < event.end <= n
        sounding[event.start : event.end] = True
        if following is not None:
            assert following.start - event.end >= int(pause * SAMPLE_RATE) - 1
            assert following.take != event.take
    assert not train[0, ~sounding].any()


def test_recorded_hammer_blows_come_at_a_workers_pace(bank):
    entry = next(e for e in bank.entries if e.sound == "wood_chop" and e.file)
    _, events = event_train(
        [bank.audio(entry)], 20 * SAMPLE_RATE, entry.pause_seconds, np.random.default_rng(0), vary=True
    )
    assert 0.6 <= len(events) / 20 <= 1.8  # a second


# Level


def test_loudness_is_that_of_the_standard():
    times = np.arange(5 * SAMPLE_RATE) / SAMPLE_RATE
    tone = np.sin(2 * np.pi * 997 * times).astype(np.float32)
    assert loudness(tone[None]) == pytest.approx(-3.01, abs=0.05)  # BS.1770: a full-scale sine in one channel
    assert loudness(np.stack([tone, tone])) == pytest.approx(0.0, abs=0.05)
    paused = np.concatenate([tone, np.zeros_like(tone)])[None]
    assert loudness(paused) == pytest.approx(-3.01, abs=0.3)  # pauses do not count
    assert loudness(np.zeros((1, SAMPLE_RATE), np.float32)) == -np.inf


def test_level_gain_brings_a_sound_to_its_level_or_to_its_peak():
    noise = np.random.default_rng(0).standard_normal((1, 2 * SAMPLE_RATE)).astype(np.float32) * 0.01
    assert loudness(level_gain(noise, -23) * noise) == pytest.approx(-23, abs=0.01)
    click = np.zeros((1, SAMPLE_RATE), np.float32)
    click[0, 100:140] = 0.5
    assert np.abs(level_gain(click, -10) * click).max() == pytest.approx(1.4, abs=0.01)


# Choice


def test_a_mixture_of_two_entries_is_taken_apart_again(bank):
    places = {
        sound: [i for i, e in enumerate(bank.entries) if e.sound == sound] for sound in ("dog_bark", "rain")
    }
    dog, rain = (bank.claps[places[sound][0], 0] for sound in places)
    target = 0.8 * dog + 0.6 * rain
    target /= np.linalg.norm(target)
    pools = [nearest(bank, one, None) for one in (dog, rain)]
    weights = mixture_weights(pools, target)
    for pool, weight, sound in zip(pools, weights, places, strict=True):
        assert bank.entries[pool.places[int(weight.argmax())]].sound == sound
    assert weights[0].sum() > weights[1].sum() > 0.2


def test_the_nearest_entries_are_of_the_sound_that_was_named(bank, vector):
    candidates = nearest(bank, vector("a dog barking"), "dog_bark")
    assert {bank.entries[place].sound for place in candidates.places} == {"dog_bark"}
    assert list(candidates.scores) == sorted(candidates.scores, reverse=True)


def without(bank, *sounds):
    """The same bank without some kinds of sound."""
    kept = [n for n, entry in enumerate(bank.entries) if entry.sound not in sounds]
    folder = MINI / "banks" / "default"
    entries = [bank.entries[n] for n in kept]
    return Bank(bank.name, [folder] * len(kept), [bank.name] * len(kept), entries, bank.claps[kept])


def test_a_sound_that_the_bank_lacks_has_a_stand_in(bank, vector):
    vectors = vector("a bear growling")
    played = [
        {less.entries[place].sound for place in nearest(less, vectors, "bear_growl").places}
        for less in (bank, without(bank, "bear_growl"))
    ]
    assert played == [{"bear_growl"}, {"lion_roar"}]
    neither = without(bank, "bear_growl", "lion_roar")  # then the vectors alone decide
    assert len({neither.entries[place].sound for place in nearest(neither, vectors, "bear_growl").places}) > 1


# Chunk after chunk


def test_a_source_goes_on_with_the_same_sound(synthesiser, track, scene):
    going = track(1, "a motorcycle engine revving")
    first = play(synthesiser, scene(going), seed=3)
    second = play(synthesiser, scene(going, track(2, "a dog barking")), seed=4, previous=first.continuity)
    kept = {pick.track: pick for pick in second.picks}
    assert kept[1].entry == first.picks[0].entry
    assert kept[1].gain_db == first.picks[0].gain_db
    assert second.continuity.state["1"]["params"] == first.continuity.state["1"]["params"]
    assert kept[2].sound == "dog_bark"
    assert loudness(second.waveform) > loudness(first.waveform) - 4  # it yields to the dog


def test_who_comes_in_rather_takes_another_entry_than_who_goes_on(synthesiser, track, scene):
    """River streams are several recordings: a second stream is seldom the first one again."""
    others = 0
    for seed in range(8):
        first = play(synthesiser, scene(track(1, "a stream flowing")), seed=seed)
        both = scene(track(1, "a stream flowing"), track(2, "a stream flowing", x=0.9))
        second = play(synthesiser, both, seed=seed + 9, previous=first.continuity)
        entries = {pick.track: pick.entry for pick in second.picks if pick.track is not None}
        assert entries[1] == first.picks[0].entry
        others += entries[2] != entries[1]
    assert others >= 6


def test_a_chunk_of_silence_forgets_nothing(bank, clap, text, track, scene):
    synthesiser = SoundBank(without(bank, "room_tone"), clap, text)
    first = play(synthesiser, scene(track(1, "a dog barking")))
    silent = play(synthesiser, scene(), previous=first.continuity)
    assert silent.picks == ()
    again = play(synthesiser, scene(track(1, "a dog barking")), seed=5, previous=silent.continuity)
    assert again.picks[0].entry == first.picks[0].entry
    assert again.picks[0].gain_db == pytest.approx(first.picks[0].gain_db, abs=0.2)


def test_a_key_that_means_another_sound_now_starts_anew(synthesiser, track, scene):
    first = play(synthesiser, scene(track(1, "a dog barking")))
    second = play(synthesiser, scene(track(1, "a cat meowing")), previous=first.continuity)
    assert {pick.sound for pick in second.picks if pick.track == 1} == {"cat_meow"}


def test_the_fit_tells_a_right_sound_from_a_wrong_one(synthesiser, track, scene, vector):
    dog = scene(track(1, "a dog barking"))
    right = play(synthesiser, dog)
    wrong = play(synthesiser, replace(dog, target=vector("rain falling")))
    assert right.fit > wrong.fit + 0.2


# Together


def test_beside_a_dog_a_motor_yields_and_without_focus_it_does_not(synthesiser, track, scene):
    both = scene(track(1, "a motorcycle engine revving"), track(2, "a dog barking"))
    made = {}
    for focus in (0.0, 1.0):
        made[focus] = play(synthesiser, both, 5, settings={"focus": focus}, stems=True)
    motors = {focus: np.square(one.stems[1]).mean(axis=0) for focus, one in made.items()}
    barking = np.square(made[1.0].stems[2]).mean(axis=0).reshape(-1, 4_800).mean(axis=1)
    levels = {focus: 10 * np.log10(motor.reshape(-1, 4_800).mean(axis=1)) for focus, motor in motors.items()}
    change = levels[1.0] - levels[0.0]
    assert change[barking > barking.max() / 10].mean() < -4
    assert change.min() > -8
    summed = sum(made[1.0].stems.values())
    assert np.abs(summed - made[1.0].waveform).max() < 0.1  # the room tone alone is missing


def test_two_animals_seldom_call_at_once(synthesiser, track, scene):
    both = scene(track(1, "a cow mooing"), track(2, "a dog barking"))
    at_once = {}
    for focus in (0.0, 1.0):
        made = [
            play(synthesiser, both, seed, 10 * SAMPLE_RATE, stems=True, settings={"focus": focus})
            for seed in range(4)
        ]
        loud = [[activity(stem) > 0.5 for stem in one.stems.values()] for one in made]
        assert all(animal.mean() > 0.05 for animals in loud for animal in animals)
        at_once[focus] = np.mean([(cow & dog).mean() for cow, dog in loud])
    assert at_once[1.0] < 0.5 * at_once[0.0]


def test_four_walkers_walk_each_at_their_own_pace(bank):
    entry = next(e for e in bank.entries if e.model == "people.footsteps_hard")
    params = bank.models[entry.model].draw(np.random.default_rng(0))
    heard = {
        count: player.play(
            bank, entry, params, player.Manner(N, ((0, N),), count), np.random.default_rng(1)
        ).heard
        for count in (1, 4, 8)
    }
    assert len(heard[4]) == pytest.approx(4 * len(heard[1]), rel=0.35)
    steps = sorted(first for _, first, _ in heard[4])
    assert min(np.diff(steps)) < 0.1 * SAMPLE_RATE  # some fall together, as they do
    assert len(heard[8]) >= len(heard[4])


def test_words_that_mean_two_sounds_are_two_voices_of_one_source(synthesiser, track, scene):
    both = scene(track(-1, "a dog barks while a church bell rings"))
    first = play(synthesiser, both, stems=True)
    assert {pick.sound for pick in first.picks if pick.track == -1} == {"dog_bark", "bell"}
    assert list(first.stems) == [-1]
    again = play(synthesiser, both, seed=1, previous=first.continuity)
    entries = [{pick.entry for pick in made.picks if pick.track == -1} for made in (first, again)]
    assert entries[0] == entries[1]


def test_who_is_seen_walking_is_heard_walking_whatever_else_sounds(synthesiser, track, scene):
    both = scene(track(1, "footsteps on a hard floor"), track(2, "a dog barking"))
    made = play(synthesiser, both, 3, 10 * SAMPLE_RATE, stems=True)
    steps = activity(made.stems[1]) > 0.3
    edges = np.flatnonzero(np.diff(np.concatenate([[True], steps, [True]]).astype(int)))
    longest = max(np.diff(edges.reshape(-1, 2), axis=1), default=[0])[0] / 100
    assert longest < 1.6  # s without a step


@pytest.mark.parametrize("value", [-0.1, 1.5, "much", True])
def test_an_impossible_focus_is_refused(synthesiser, value):
    with pytest.raises(ConfigurationError, match="focus: expected a number from 0 to 1"):
        synthesiser.check({"focus": value})


def test_two_takes_of_one_recording_differ_in_speed_and_a_take_keeps_its_own(bank):
    entry = next(e for e in bank.entries if e.file and e.kind == "texture")
    speeds = [player.draw_params(bank, entry, np.random.default_rng(seed))["speed"] for seed in range(40)]
    assert 0.94 <= min(speeds) < 0.96
    assert 1.04 < max(speeds) <= 1.06
    manner = player.Manner(N, ((0, N),))
    one, other = (
        player.play(bank, entry, {"speed": speed}, manner, np.random.default_rng(0)).sound
        for speed in (0.96, 1.04)
    )
    assert one.shape == other.shape
    assert correlation(one, other) < 0.3


def test_an_event_that_is_cut_off_fades_out():
    rng = np.random.default_rng(0)
    train, (only,) = event_train([np.full((1, 4 * N), 0.5, np.float32)], N, (0.1, 0.1), rng, vary=False)
    assert only.end == N
    assert train[0, N - SAMPLE_RATE] == 0.5
    assert np.abs(np.diff(train[0, only.start + SAMPLE_RATE :])).max() < 1e-4  # no step anywhere
    assert abs(train[0, -1]) < 1e-3
