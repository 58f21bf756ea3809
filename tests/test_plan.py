"""Chunks cover every clip exactly, share what they should, and look only at frames that exist."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foley_daemon.domain import SAMPLE_RATE
from foley_daemon.plan import plan_chunks

FRAME_LENGTHS = [
    Fraction(1001, 30000),
    Fraction(1001, 24000),
    Fraction(1, 25),
    Fraction(1, 60),
    Fraction(1001, 60000),
]
durations = st.one_of(
    st.builds(lambda n, length: n * length, st.integers(1, 3_000), st.sampled_from(FRAME_LENGTHS)),
    st.fractions(Fraction(1, 50), 120, max_denominator=90_000),
)
chunk_seconds = st.fractions(1, 30, max_denominator=100)
overlap_shares = st.fractions(0, Fraction(1, 3), max_denominator=50)


@settings(deadline=None)  # the machine may be busy
@given(durations, chunk_seconds, overlap_shares, st.integers(1, 64))
def test_chunks_cover_the_clip_exactly(
    duration: Fraction, seconds: Fraction, share: Fraction, frames: int
) -> None:
    overlap = Fraction(int(seconds * share * 1000), 1000)
    plan = plan_chunks(duration, seconds=seconds, overlap=overlap, frames=frames, render_key="k")
    chunks = plan.chunks
    shared = round(overlap * SAMPLE_RATE)
    assert plan.n_samples == round(duration * SAMPLE_RATE)
    assert chunks[0].first_sample == 0
    assert chunks[-1].end_sample == plan.n_samples
    assert [chunk.index for chunk in chunks] == list(range(len(chunks)))
    assert (chunks[0].fade_in, chunks[-1].fade_out) == (0, 0)
    for before, after in pairwise(chunks):
        assert before.end_sample - after.first_sample == before.fade_out == after.fade_in == shared
    for chunk in chunks:
        assert 0 < chunk.n_samples <= round(seconds * SAMPLE_RATE)
        assert chunk.fade_in + chunk.fade_out <= chunk.n_samples
        assert len(chunks) == 1 or chunk.n_samples > round(seconds * SAMPLE_RATE) // 2 - 1
    assert max(c.n_samples for c in chunks) - min(c.n_samples for c in chunks) <= 1
    assert len({chunk.seed for chunk in chunks}) == len(chunks)


@settings(deadline=None)
@given(durations, st.integers(1, 64))
def test_frames_lie_in_their_chunk_and_in_the_picture(duration: Fraction, frames: int) -> None:
    plan = plan_chunks(duration, seconds=Fraction(10), overlap=Fraction(1, 2), frames=frames, render_key="k")
    for chunk in plan.chunks:
        times = chunk.frame_times
        assert 1 <= len(times) <= frames
        assert times[0] >= chunk.start
        assert times[-1] < duration
        assert times[-1] <= Fraction(chunk.end_sample, SAMPLE_RATE)
        gaps = [after - before for before, after in pairwise(times)]
        assert all(gap >= Fraction(1, 60) for gap in gaps)
        assert len(set(gaps)) <= 1
        if len(times) > 1:
            assert times[0] == chunk.start
            assert Fraction(chunk.end_sample, SAMPLE_RATE) - times[-1] <= Fraction(2, 1000)


def test_ten_seconds_are_one_chunk_and_a_little_more_are_two_like_ones() -> None:
    def lengths(duration: str) -> list[float]:
        plan = plan_chunks(
            Fraction(duration), seconds=Fraction(10), overlap=Fraction(1, 2), frames=16, render_key="k"
        )
        return [float(chunk.seconds) for chunk in plan.chunks]

    assert lengths("10") == [10.0]
    assert lengths("10.2") == [5.35, 5.35]
    assert lengths("31") == [8.125] * 4
    assert lengths("0.2") == [0.2]


def test_a_film_of_three_hours_is_covered() -> None:
    duration = 323_676 * Fraction(1001, 30_000)
    plan = plan_chunks(duration, seconds=Fraction(10), overlap=Fraction(1, 2), frames=2, render_key="k")
    assert sum(chunk.n_samples - chunk.fade_out for chunk in plan.chunks) == round(duration * SAMPLE_RATE)


def test_a_retry_draws_the_same_and_another_render_does_not() -> None:
    def seeds(key: str) -> list[int]:
        plan = plan_chunks(Fraction(25), seconds=Fraction(10), overlap=Fraction(1), frames=4, render_key=key)
        return [chunk.seed for chunk in plan.chunks]

    assert seeds("a") == seeds("a")
    assert not set(seeds("a")) & set(seeds("b"))


@pytest.mark.parametrize(
    ("duration", "overlap", "frames", "says"),
    [("0", "0.5", 4, "length"), ("5", "4", 4, "third"), ("5", "-1", 4, "third"), ("5", "0.5", 0, "length")],
)
def test_impossible_plans_are_refused(duration: str, overlap: str, frames: int, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        plan_chunks(
            Fraction(duration), seconds=Fraction(10), overlap=Fraction(overlap), frames=frames, render_key="k"
        )
