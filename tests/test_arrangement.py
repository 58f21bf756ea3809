"""What sounds together takes turns."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssv2a.soundbank.arrangement import TURN_DB, YIELD_DB, Line, activity, faders, free_place
from ssv2a.soundbank.render import CONTROL_RATE, event_train
from ssv2a.types import SAMPLE_RATE

SECONDS = 10
N = SECONDS * SAMPLE_RATE
M = SECONDS * CONTROL_RATE + 1


def noise(seconds, level=0.2, seed=0):
    rng = np.random.default_rng(seed)
    return (level * rng.standard_normal((1, round(seconds * SAMPLE_RATE)))).astype(np.float32)


def train(*times, seconds=1.0):
    sound = np.zeros((1, N), np.float32)
    for time in times:
        first = round(time * SAMPLE_RATE)
        sound[:, first : first + round(seconds * SAMPLE_RATE)] = noise(seconds)
    return sound


def going(**changes):
    return replace(Line(np.ones(M, np.float32), None), **changes)


def at(curve, seconds):
    return curve[round(seconds * CONTROL_RATE)]


def test_activity_is_where_an_event_sounds():
    curve = activity(train(2, 6))
    assert len(curve) == M
    assert at(curve, 2.5) == at(curve, 6.5) == 1
    assert at(curve, 1.5) == at(curve, 4.5) == at(curve, 9) == 0


def test_activity_of_what_dies_away_ends_before_it_is_over():
    bell = train(1, seconds=6) * np.exp(-np.arange(N) / SAMPLE_RATE * 1.5).astype(np.float32)
    curve = activity(bell)
    assert at(curve, 1.5) == 1
    assert at(curve, 6.5) < 0.2


def test_activity_of_silence_is_none():
    assert not activity(np.zeros((2, 12_345), np.float32)).any()


def test_what_goes_on_yields_while_an_event_sounds():
    event = Line(np.ones(M, np.float32), activity(train(3, 7)))
    for other in (going(), going(leads=False)):
        motor, dog = faders([other, event], first=0)
        assert not dog.any()
        assert at(motor, 3.5) == at(motor, 7.5) == pytest.approx(YIELD_DB)
        assert at(motor, 1) == at(motor, 5.5) == at(motor, 9.5) == pytest.approx(0)
        assert np.abs(np.diff(motor)).max() * CONTROL_RATE < 20  # dB a second: no pumping


@settings(max_examples=25, deadline=None)
@given(count=st.integers(2, 6), first=st.integers(0, 2**62), seconds=st.floats(0.4, 31))
def test_each_of_several_comes_forward_once_and_joins_are_level(count, first, seconds):
    m = round(seconds * CONTROL_RATE) + 1
    gains = np.stack(faders([Line(np.ones(m, np.float32), None)] * count, first))
    assert np.abs(gains[:, [0, -1]]).max() < 1e-3
    assert np.abs(gains).max() <= TURN_DB + 1e-4
    if seconds > 8:
        assert (gains.max(axis=1) > 0.6 * TURN_DB).all()
        assert (gains.min(axis=1) < -0.6 * TURN_DB).all()
        forward = gains.argmax(axis=0)[CONTROL_RATE:-CONTROL_RATE]
        assert set(forward.tolist()) == set(range(count))


def test_what_is_alone_has_no_turns():
    absent = np.zeros(M, np.float32)
    for other in (going(leads=False), going(presence=absent)):
        assert not faders([going(), other], first=0)[0].any()


@settings(max_examples=50, deadline=None)
@given(
    busy=st.lists(st.booleans(), min_size=1, max_size=60),
    place=st.integers(0, 30 * SAMPLE_RATE),
    size=st.integers(1, 5 * SAMPLE_RATE),
)
def test_a_free_place_is_never_earlier_and_at_most_four_seconds_late(busy, place, size):
    found = free_place(np.repeat(np.array(busy), 25), place, size)
    assert place <= found <= place + 4 * SAMPLE_RATE


def test_events_wait_for_each_other():
    rng = np.random.default_rng(1)
    first, _ = event_train([noise(1.5)], N, (0.5, 1.0), rng, vary=False, rest=1.0)
    busy = activity(first) > 0.3
    second, events = event_train(
        [noise(0.8)], N, (0.2, 0.4), rng, vary=False, place=lambda place, size: free_place(busy, place, size)
    )
    both = (activity(first) > 0.3) & (activity(second) > 0.3)
    assert len(events) >= 3
    assert both.mean() < 0.12  # where one ends as the other begins


def test_the_first_event_rather_overlaps_than_is_a_scrap():
    """A source that is there for two seconds, of which others leave free the last tenth of a second."""
    n, busy = 2 * SAMPLE_RATE, np.ones(2 * CONTROL_RATE + 1, bool)
    busy[round(1.9 * CONTROL_RATE) :] = False
    for seed in range(8):
        rng = np.random.default_rng(seed)
        place = lambda at, size: free_place(busy, at, size)  # noqa: E731
        _, (only, *_) = event_train([noise(3.4)], n, (0.6, 2.5), rng, vary=True, place=place)
        assert only.end - only.start >= 0.7 * SAMPLE_RATE


def test_a_rest_is_as_long_as_what_was_before():
    _, events = event_train([noise(1.5)], N, (0.1, 0.2), np.random.default_rng(0), vary=False, rest=1.0)
    pauses = [after.start - before.end for before, after in pairwise(events)]
    assert pauses
    assert min(pauses) >= 1.5 * SAMPLE_RATE - 1
