"""Clips in which two photographed things enter and leave at known times, seen and heard chunk by chunk.

Real MP4 files, the shipped bundle. With FOLEY_TAGGER=/path/of/yamnet.onnx a tagger listens too.
`ssv2a bars --only clips` measures how often all this is so, over every photograph (docs/seen.md).
"""

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from ssv2a.evaluate.bars import SECONDS, clip_bars
from ssv2a.evaluate.composed import Composed, compose, ring
from ssv2a.evaluate.material import pictures
from ssv2a.evaluate.tagger import YamNet, is_heard, top_labels
from ssv2a.pipeline import Ssv2a
from ssv2a.types import SAMPLE_RATE, Pick, Scene, Take, Track, VideoSettings

SETTINGS = VideoSettings(var_samples=16, cycle_its=8, cycle_samples=16, candidates=1)
SHOWN = {wanted.name.removesuffix(".jpg"): wanted for wanted in pictures()}
PAIRS = [
    *(("dog", "fire_engine"), ("sheep", "bus"), ("violin", "cow"), ("garbage_truck", "pig")),
    *(("chicken", "jaguar"), ("drums", "guitar"), ("bee", "owl"), ("airliner", "polar_bear")),
]
# What neither COCO nor ImageNet has a name for (handsaw, white ducks and swans, domestic goats), and a dam
# that is known in the whole picture alone.
BEYOND = {"saw.jpg", "duck.jpg", "swans.jpg", "goat.jpg", "dam.jpg"}


@pytest.fixture(scope="module")
def model():
    return Ssv2a.load("mini", device="cpu", threads=1)


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_what_enters_and_leaves_is_named_and_heard_while_it_is_there(model, first, second):
    clip = compose(model, SHOWN[first], SHOWN[second], SETTINGS)

    # 1. The sources of each chunk are named rightly, and no others play.
    assert clip.named == (True,) * 5, clip.played
    assert clip.right == (True, True, True), clip.played

    # 2. They are there when they are, within the time between two frames that are looked at.
    assert clip.timed
    assert clip.span(2, SHOWN[first]) is None

    # 3. Chunks with other sources sound otherwise.
    vectors = model.listen(clip.alone)
    assert float(vectors[0] @ vectors[1]) < 0.85


@pytest.mark.skipif("FOLEY_TAGGER" not in os.environ, reason="FOLEY_TAGGER names no tagger")
@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_a_tagger_hears_the_difference(model, first, second):
    tagger = YamNet.load(Path(os.environ["FOLEY_TAGGER"]))
    clip = compose(model, SHOWN[first], SHOWN[second], SETTINGS)
    before, after = (top_labels(tagger, sound, SECONDS) for sound in clip.alone)
    assert is_heard(before, SHOWN[first].near)
    assert is_heard(after, SHOWN[second].near)
    assert set(before[:5]) != set(after[:5])
    assert np.mean([label in before for label in after]) < 0.7


def test_every_photograph_enters_once_and_leaves_once():
    pairs = list(ring())
    assert sorted(first.name for first, _ in pairs) == sorted(wanted.name for wanted in pictures())
    assert sorted(second.name for _, second in pairs) == sorted(wanted.name for wanted in pictures())
    assert not any(set(first.sounds) & set(second.sounds) for first, second in pairs)
    assert pairs == list(ring())


@pytest.mark.slow
def test_all_photographs_that_can_be_named_are(model):
    """The whole ring of the bars: 35 clips, of which ten show something that cannot."""
    wrong, unnamed = [], []
    for first, second in ring():
        clip = compose(model, first, second, SETTINGS)
        beyond = {first.name, second.name} & BEYOND
        if not (all(clip.right) and clip.timed) and not beyond:
            wrong.append((clip.name, clip.played))
        things = (first, second, first, second, second)
        named = zip(things, clip.named, strict=True)
        unnamed += [(clip.name, thing.name) for thing, is_named in named if not is_named]
    assert wrong == []
    assert {name for _, name in unnamed} <= BEYOND, unnamed


def test_shares_of_composed_clips_are_over_all_of_them():
    dog, bus, always = SHOWN["dog"], SHOWN["bus"], range(10)
    both, last = take(dog_bark=range(4), bus_engine=always), take(bus_engine=always)
    right = Composed(dog, bus, (take(dog_bark=always, bus_engine=range(8, 10)), both, last))
    mute = Composed(dog, bus, (take(dog_bark=always), take(), last))
    figures = [bar.figure for bar in clip_bars([(right, True), (mute, False)])]
    assert figures == [70.0, pytest.approx(100 * 4 / 6), 50.0, 50.0]


def take(**there: range) -> Take:
    """A take whose sources sound like their keys say, in those of its ten frames."""
    times = tuple(Fraction(2 * number + 1, 4) for number in range(10))
    one = np.ones(10, np.float32)
    tracks = tuple(
        Track(key, sound, sound, sound, one, np.isin(range(10), frames).astype(np.float32), one, one)
        for key, (sound, frames) in enumerate(there.items())
    )
    picks = tuple(
        Pick(sound, sound, sound, "event", key, ((Fraction(0), Fraction(1)),), 0.0, "CC0-1.0", "")
        for key, sound in enumerate(there)
    )
    scene = Scene(Fraction(5), times, one, tracks, None)
    return Take(np.zeros((1, 5 * SAMPLE_RATE), np.float32), scene, (), picks, 1.0, {})


def test_names_and_times_of_a_clip_are_judged_chunk_by_chunk():
    """Takes made by hand: the dog is silent in its second chunk, a stranger plays in the last."""
    dog, bus, always = SHOWN["dog"], SHOWN["bus"], range(10)
    first = take(dog_bark=always, bus_engine=range(8, 10))
    clip = Composed(dog, bus, (first, take(bus_engine=always), take(bus_engine=always, owl_hoot=range(2, 4))))
    assert clip.named == (True, True, False, True, True)
    assert clip.right == (True, False, False)
    assert clip.span(0, bus) == (4.25, 4.75)
    assert not clip.timed

    last = take(bus_engine=always)
    assert Composed(dog, bus, (first, take(dog_bark=range(4), bus_engine=always), last)).right == (True,) * 3
    assert Composed(dog, bus, (first, take(dog_bark=range(4), bus_engine=always), last)).timed
    assert not Composed(dog, bus, (first, take(dog_bark=always, bus_engine=always), last)).timed
