"""What is judged of a stretch follows from what is seen and heard in it, reason by reason."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssv2a.footage.clips import Segment, Thing, View
from ssv2a.footage.kinds import Kinds, family
from ssv2a.footage.single_source import judge
from ssv2a.footage.sound_check import SoundFacts, sound_facts
from ssv2a.footage.verdicts import Verdict
from ssv2a.types import SAMPLE_RATE

FRAMES = 10
KEYS = ("dog_bark", "cat_meow", "car_engine", "trumpet", "footsteps_hard", "horse_neigh", "horse_hooves")
KINDS = Kinds(KEYS, np.eye(7, 8, dtype=np.float32), {"dog_bark": ("Dog", "Bark")})


def thing(caption, frames=range(FRAMES), label="thing", near=0):
    presence = tuple(number in frames for number in range(FRAMES))
    return Thing(label, label, caption, presence, np.ones(4, np.float32), np.eye(8, dtype=np.float32)[near])


def segment(*things, heard=0, music=0.0, labels=(), clipped=0.0, loud=-20.0):
    view = View(
        times=tuple(range(FRAMES)),
        slots=np.zeros((FRAMES, 2, 4), np.float32),
        claps=np.zeros((FRAMES, 8), np.float32),
        audible=(True,) * FRAMES,
        clap=np.array([1 - abs(heard - place) / 8 for place in range(8)], np.float32),
        things=things,
        labels=labels,
        pictures=(),
    )
    facts = SoundFacts(-30.0, loud, clipped, music)
    return Segment(0, Fraction(0), Fraction(10), facts, np.zeros((64, 9), np.uint8), view)


DOG, CAT, TRUMPET = thing("a dog barking"), thing("a cat meowing"), thing("a trumpet playing")


@pytest.mark.parametrize(
    ("given_segment", "verdict"),
    [
        (segment(DOG), Verdict.KEPT),
        (segment(DOG, thing(None, label="sofa")), Verdict.KEPT),
        (segment(DOG, thing(None, label="Person")), Verdict.SEVERAL),
        (segment(DOG, thing("a dog barks a few times")), Verdict.KEPT),  # two of one kind
        (segment(thing("a horse neighing"), thing("horse hooves clopping"), heard=5), Verdict.KEPT),
        (segment(thing("footsteps on a hard floor"), thing(None, label="Person"), heard=4), Verdict.KEPT),
        (segment(DOG, thing("a cat meowing", frames=[3])), Verdict.KEPT),  # a slip of the detector
        (segment(DOG, thing("a cat meowing", frames=[3, 4])), Verdict.SEVERAL),
        (segment(thing("a dog barking", frames=range(4))), Verdict.FLEETING),
        (segment(thing("a dog barking", frames=range(5))), Verdict.KEPT),
        (segment(), Verdict.NOTHING),
        (segment(thing(None)), Verdict.SILENT_KIND),
        (segment(DOG, music=3.0), Verdict.MUSIC),
        (segment(TRUMPET, music=3.0, heard=3), Verdict.KEPT),
        (segment(DOG, labels=("Music", "Dog")), Verdict.MUSIC),
        (segment(DOG, labels=("Speech", "Dog")), Verdict.SPEECH),
        (segment(DOG, labels=("Animal", "Pets", "Bark", "Speech")), Verdict.KEPT),
        (segment(DOG, heard=4, labels=("Bark",)), Verdict.KEPT),  # the tagger is asked instead of CLAP
        (segment(DOG, labels=("Engine",)), Verdict.ANOTHER),
        (segment(CAT, heard=1, labels=("Engine",)), Verdict.KEPT),  # for which the tagger has no name
        (segment(DOG, heard=4), Verdict.ANOTHER),
        (replace(segment(DOG, clipped=0.02), view=None), Verdict.OVERDRIVEN),
        (replace(segment(DOG, loud=-60.0), view=None), Verdict.SILENT),
    ],
)
def test_the_first_reason_decides(given_segment, verdict):
    assert judge(given_segment, KINDS, nearest=3).verdict is verdict


@given(st.sets(st.integers(0, FRAMES - 1)), st.sets(st.integers(0, FRAMES - 1)))
def test_what_is_kept_shows_the_source_alone_in_half_of_the_frames(dog, cat):
    judgement = judge(
        segment(thing("a dog barking", frames=dog), thing("a cat meowing", frames=cat)), KINDS, 3
    )
    if judgement.verdict is Verdict.KEPT:
        alone = dog - cat if judgement.kind == "dog_bark" else cat - dog
        assert set(judgement.frames) == alone
        assert len(alone) >= FRAMES / 2
    else:
        assert judgement.verdict is not Verdict.SILENT


def test_a_caption_of_no_kind_is_the_kind_that_it_sounds_like():
    assert judge(segment(thing("a hound on the moor", near=0)), KINDS, 3).kind == "dog_bark"
    assert judge(segment(thing("a lorry", near=2), heard=2), KINDS, 3).kind == "car_engine"


def test_a_source_is_named_by_what_it_is_heard_as():
    horse = thing("a horse snorts and neighs", near=5)
    neighs, trots = (judge(segment(horse, heard=heard), KINDS, 3) for heard in (5, 6))
    assert (neighs.kind, neighs.caption, neighs.rank) == ("horse_neigh", "a horse snorts and neighs", 0)
    assert (trots.kind, trots.caption, trots.rank) == ("horse_hooves", "horse hooves clopping", 0)
    barks = judge(segment(horse, heard=0), KINDS, 3)
    assert (barks.verdict, barks.heard, barks.rank) == (Verdict.ANOTHER, "dog_bark", 5)


@given(st.sampled_from(KEYS), st.lists(st.floats(-1, 1, width=32), min_size=8, max_size=8))
def test_of_all_sources_one_is_the_nearest(key, values):
    clap = np.array(values, np.float32)
    hearing = KINDS.hear(key, clap)
    assert hearing.kind in family(key)
    likeness = dict(zip(KEYS, KINDS.claps @ clap, strict=True))
    assert likeness[hearing.nearest] == max(likeness.values())
    assert (hearing.rank == 0) == (likeness[hearing.kind] == likeness[hearing.nearest])


@given(st.integers(-60, 0), st.integers(0, 2**32 - 1))
def test_level_is_that_of_the_sound(decibels, seed):
    noise = np.random.default_rng(seed).standard_normal((2, SAMPLE_RATE)).astype(np.float32)
    mono = noise.mean(axis=0)
    facts = sound_facts(noise / np.sqrt((mono**2).mean()) * 10 ** (decibels / 20))
    assert facts.level_db == pytest.approx(decibels, abs=0.01)
    assert facts.level_db - 0.01 <= facts.loudest_db <= facts.level_db + 1.5


def test_chords_are_music_and_noise_and_barks_of_one_pitch_are_not():
    time = np.arange(6 * SAMPLE_RATE) / SAMPLE_RATE
    chord = np.sin(2 * np.pi * np.outer([262, 330, 392, 523, 660], time)).sum(0).astype(np.float32) * 0.1
    noise = 0.1 * np.random.default_rng(0).standard_normal(time.size).astype(np.float32)
    gliding = np.sin(2 * np.pi * (300 * time + 250 * time**2)).astype(np.float32)
    assert sound_facts((chord + noise / 4)[None]).music > 3
    assert sound_facts(noise[None]).music < 2
    assert sound_facts((0.3 * gliding + noise / 4)[None]).music < 2
