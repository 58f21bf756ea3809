from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssv2a.tracks import Followed, follow
from ssv2a.types import WHOLE_PICTURE, Box, Look, Reasons, Source

_CAPTIONS = {"dog": "a dog barking", "cat": "a cat meowing", "car": "a car driving past", "chair": None}


def source(label: str, x: float, y: float = 0.5, size: float = 0.2, **changes: object) -> Source:
    vector = np.random.default_rng(sum(label.encode())).standard_normal(16).astype(np.float32)
    box = Box(x - size / 2, y - size / 2, x + size / 2, y + size / 2)
    made = Source(box, label, label, _CAPTIONS.get(label), 0.8, vector / np.linalg.norm(vector))
    return replace(made, **changes)


def looks(*frames: list[Source], start: int = 0, cuts: tuple[int, ...] = ()) -> list[Look]:
    whole = source("scene", 0.5, box=WHOLE_PICTURE)
    return [
        Look(Fraction(start + n, 2), whole, None, tuple(sources), reused=False, cut=n in cuts)
        for n, sources in enumerate(frames)
    ]


def test_a_thing_that_comes_and_goes_is_one_track_with_its_presence() -> None:
    frames = [[], [source("dog", 0.2)], [source("dog", 0.25)], [], [source("dog", 0.35)], [], []]
    (dog,) = follow(looks(*frames)).tracks
    assert dog.presence.tolist() == [0, 1, 1, 1, 1, 0, 0]  # the gap of one frame is bridged
    np.testing.assert_allclose(dog.centre_x, [0.2, 0.2, 0.25, 0.25, 0.35, 0.35, 0.35], atol=1e-6)
    np.testing.assert_allclose(dog.area, 0.04, atol=1e-6)
    assert (dog.label, dog.caption, dog.count) == ("dog", "a dog barking", 1)


def test_a_long_absence_ends_a_track() -> None:
    frames = [
        [source("dog", 0.2)],
        [source("dog", 0.2)],
        [],
        [],
        [],
        [source("dog", 0.2)],
        [source("dog", 0.2)],
    ]
    first, second = follow(looks(*frames)).tracks
    assert first.presence.tolist() == [1, 1, 0, 0, 0, 0, 0]
    assert second.presence.tolist() == [0, 0, 0, 0, 0, 1, 1]


@settings(deadline=None)
@given(
    st.floats(0.1, 0.9), st.floats(0.1, 0.9), st.floats(-0.2, 0.2), st.floats(-0.2, 0.2), st.floats(0.05, 0.4)
)
def test_a_box_that_moves_evenly_is_one_track(x: float, y: float, dx: float, dy: float, size: float) -> None:
    tracking = follow(looks(*[[source("dog", x + n * dx, y + n * dy, size)] for n in range(8)]))
    assert len(tracking.tracks) == 1
    assert set(tracking.keys) == {(0,)}


def test_boxes_that_cross_keep_their_tracks() -> None:
    for labels in (("dog", "cat"), ("dog", "dog")):
        frames = [
            [source(labels[0], 0.1 + 0.1 * n, 0.45), source(labels[1], 0.95 - 0.1 * n, 0.55)]
            for n in range(9)
        ]
        tracking = follow(looks(*frames))
        assert set(tracking.keys) == {(0, 1)}
        rising, falling = tracking.tracks
        assert (np.diff(rising.centre_x) > 0).all()
        assert (np.diff(falling.centre_x) < 0).all()


def _scenes() -> st.SearchStrategy[list[list[Source]]]:
    thing = st.builds(
        source,
        st.sampled_from(sorted(_CAPTIONS)),
        st.floats(0.1, 0.9),
        st.floats(0.1, 0.9),
        st.sampled_from([0.1, 0.2, 0.3]),
    )
    return st.lists(st.lists(thing, max_size=6), min_size=1, max_size=6)


@settings(deadline=None, max_examples=60)
@given(_scenes(), st.randoms(use_true_random=False))
def test_the_order_of_sources_in_a_frame_changes_nothing(frames, random) -> None:
    orders = [random.sample(range(len(frame)), len(frame)) for frame in frames]
    plain = follow(looks(*frames))
    mixed = follow(looks(*[[frame[i] for i in order] for frame, order in zip(frames, orders, strict=True)]))
    assert [_numbers(track) for track in plain.tracks] == [_numbers(track) for track in mixed.tracks]
    for frame, own, order, theirs in zip(frames, plain.keys, orders, mixed.keys, strict=True):
        named = [
            (frame[i].label, frame[i].box) for i in range(len(frame))
        ]  # of equal ones either may be first
        assert sorted(zip(named, own, strict=True), key=repr) == sorted(
            zip([named[i] for i in order], theirs, strict=True), key=repr
        )


def _numbers(track: Followed) -> tuple[object, ...]:
    arrays = (track.presence, track.centre_x, track.area)
    return track.key, track.label, track.caption, track.count, *(np.round(a, 5).tolist() for a in arrays)


@settings(deadline=None, max_examples=60)
@given(_scenes())
def test_every_source_has_its_track_and_every_number_its_range(frames) -> None:
    tracking = follow(looks(*frames))
    known = {track.key for track in tracking.tracks}
    for frame, keys in zip(frames, tracking.keys, strict=True):
        assert len(keys) == len(frame)
        assert set(keys) <= known
    for track in tracking.tracks:
        assert len(track.presence) == len(track.centre_x) == len(track.area) == len(frames)
        assert set(track.presence.tolist()) <= {0.0, 1.0}
        assert track.presence.any()
        assert ((track.centre_x >= 0) & (track.centre_x <= 1)).all()
        assert ((track.area > 0) & (track.area <= 1)).all()
        assert np.linalg.norm(track.clip) == pytest.approx(1, abs=1e-4)


@settings(deadline=None, max_examples=40)
@given(_scenes(), st.integers(0, 6))
def test_chunks_go_on_with_the_same_keys(frames, cut: int) -> None:
    """Following in two chunks assigns the same sources to the same tracks as in one."""
    cut = min(cut, len(frames))
    few = [frame[:3] for frame in frames]  # no crowds: those are decided per chunk
    whole = follow(looks(*few))
    first = follow(looks(*few[:cut]))
    second = follow(looks(*few[cut:], start=cut), first.following)
    assert first.keys + second.keys == whole.keys


def test_keys_are_never_used_again() -> None:
    first = follow(looks([source("dog", 0.2)], [source("dog", 0.2)], [], [], [], []))
    second = follow(looks([source("dog", 0.2)], start=6), first.following)
    assert second.tracks[0].key != first.tracks[0].key


def test_a_street_of_pedestrians_is_one_track_with_a_count() -> None:
    def walkers(n: int, shift: float) -> list[Source]:
        return [
            source("person", 0.1 + 0.15 * i + shift, size=0.1, caption="footsteps on a hard floor")
            for i in range(n)
        ]

    first = follow(looks(*[walkers(5, 0.01 * n) for n in range(4)]))
    (street,) = first.tracks
    assert street.count == 5
    assert street.area[0] == pytest.approx(5 * 0.01, abs=1e-6)
    assert {key for keys in first.keys for key in keys} == {street.key}
    second = follow(looks(*[walkers(2, 0.04)] * 2, start=4), first.following)
    assert [track.key for track in second.tracks] == [street.key]  # a crowd of two goes on
    assert second.tracks[0].count == 2


def test_three_of_a_kind_stay_three() -> None:
    frames = [[source("dog", x) for x in (0.2, 0.5, 0.8)]] * 3
    assert [track.count for track in follow(looks(*frames)).tracks] == [1, 1, 1]


def test_what_most_frames_say_is_heard_and_what_sounds_now_and_then_is_not_silenced() -> None:
    husky = source("dog", 0.5, name="husky", confidence=0.9)
    wolf = source("dog", 0.5, name="grey wolf", caption="a wolf howling", confidence=0.5)
    (track,) = follow(looks([husky], [wolf], [husky])).tracks
    assert (track.name, track.caption) == ("husky", "a dog barking")
    stands = source("person", 0.5, caption=None)
    walks = source("person", 0.5, caption="footsteps on a hard floor")
    (track,) = follow(looks([stands], [stands], [walks], [walks], [stands])).tracks
    assert track.caption == "footsteps on a hard floor"
    assert track.presence.tolist() == [0, 0, 1, 1, 0]  # steps only while walking


def test_a_weak_flash_of_a_single_frame_is_silent_and_a_sure_one_is_not() -> None:
    for confidence, caption in ((0.45, None), (0.8, "a dog barking")):
        frames = [[], [], [source("dog", 0.5, confidence=confidence)], [], [], []]
        (track,) = follow(looks(*frames)).tracks
        assert track.caption == caption


def test_over_a_cut_only_the_same_sound_goes_on() -> None:
    frames = [
        [source("car", 0.2)],
        [source("car", 0.2)],
        [source("car", 0.9, size=0.3)],
        [source("car", 0.9, size=0.3)],
    ]
    assert len(follow(looks(*frames, cuts=(2,))).tracks) == 1
    frames[2:] = [[source("car", 0.2, caption="a car engine running")]] * 2
    assert len(follow(looks(*frames, cuts=(2,))).tracks) == 2


def test_nothing_seen_gives_no_tracks() -> None:
    tracking = follow(looks([], []))
    assert (tracking.tracks, tracking.keys) == ((), ((), ()))
    assert follow([]).tracks == ()


def test_what_a_single_crop_says_against_the_detector_is_silent() -> None:
    """A walker whose crop is a terrier in one frame of eight does not bark; a confirmed dog does."""
    for decision, heard in (("overruled", None), ("confirmed", "a dog barking")):
        dog = source("person", 0.5, name="Kerry Blue Terrier", caption="a dog barking", confidence=0.9)
        dog = replace(dog, reasons=Reasons(decision, (), ()))
        frames = [[dog] if n == 3 else [] for n in range(8)]
        assert [track.caption for track in follow(looks(*frames)).tracks] == [heard]


@pytest.mark.parametrize(
    ("confidences", "heard"),
    [
        ({3: 0.5}, None),  # a single frame
        ({3: 0.7}, "a dog barking"),
        ({3: 0.45, 4: 0.48}, None),  # two weaker ones
        ({3: 0.45, 4: 0.52}, "a dog barking"),
        ({6: 0.45, 7: 0.48}, "a dog barking"),  # the chunk's last: it may go on
        ({3: 0.45, 4: 0.45, 5: 0.45}, "a dog barking"),
        ({7: 0.45}, None),
    ],
)
@pytest.mark.parametrize("silent", [0, 2])
def test_a_weak_glimpse_is_silent_also_of_a_thing_that_was_there_before(confidences, heard, silent) -> None:
    """Silent in the frames before, a bark in those that count."""
    frames: list[list[Source]] = [[] for _ in range(8)]
    for n, confidence in confidences.items():
        frames[n] = [source("dog", 0.5, confidence=confidence)]
    for n in range(min(confidences) - silent, min(confidences)):
        frames[n] = [source("dog", 0.5, caption=None, confidence=0.4)]
    (track,) = follow(looks(*frames)).tracks
    assert track.caption == heard


def test_four_dogs_in_a_single_frame_are_a_glimpse_too() -> None:
    for confidence, heard in ((0.45, None), (0.7, "a dog barking")):
        pack = [source("dog", x, confidence=confidence) for x in (0.1, 0.35, 0.6, 0.85)]
        (track,) = follow(looks(*[[]] * 3, pack, *[[]] * 4)).tracks
        assert (track.count, track.caption) == (4, heard)


def test_a_weak_glimpse_of_what_was_there_before_is_heard() -> None:
    first = follow(looks(*[[source("dog", 0.5)]] * 8))
    later = follow(looks([source("dog", 0.5, confidence=0.45)], *[[]] * 7, start=8), first.following)
    assert [track.caption for track in later.tracks] == ["a dog barking"]


def test_what_only_unsure_crops_say_against_the_detector_is_silent_in_a_clip() -> None:
    for confidence, heard in ((0.25, None), (0.45, "a tractor engine chugging")):
        machine = source(
            "bicycle",
            0.5,
            name="threshing machine",
            caption="a tractor engine chugging",
            confidence=confidence,
        )
        machine = replace(machine, reasons=Reasons("overruled", (), ()))
        (track,) = follow(looks(*[[machine]] * 3, *[[]] * 5)).tracks
        assert track.caption == heard
        (still,) = follow(looks([machine])).tracks  # in a picture it is the best guess
        assert still.caption == "a tractor engine chugging"
