"""What regions of one picture say about each other, on probabilities given by hand."""

from __future__ import annotations

import numpy as np
import pytest
from seen_parts import heard, odds_of

from ssv2a.claims import Claim, merge, unlike
from ssv2a.motion import Motion
from ssv2a.naming import name_regions, sound_of
from ssv2a.types import SCENE, WHOLE_PICTURE, Box, Decision, Reasons, Region, Source


def region(label: str, confidence: float, left: float, right: float) -> Region:
    return Region(Box(left, 0.2, right, 0.8), label, confidence)


def names(regions, odds, whole=None):
    verdicts = name_regions(regions, odds, heard(), whole=len(regions) if whole is None else whole)
    return [(verdict.heard.name, verdict.decision) for verdict in verdicts]


def test_one_odd_crop_of_a_herd_goes_with_the_others():
    herd = [region("horse", 0.7, 0.0, 0.3), region("horse", 0.7, 0.35, 0.6), region("horse", 0.5, 0.7, 0.9)]
    horse, hound = odds_of(common_sorrel_horse=0.6), odds_of(Great_Dane=0.7)
    assert names(herd[2:], [hound]) == [("Great Dane", "overruled")]
    assert [name for name, _ in names(herd, [horse, horse, hound])] == [*["common sorrel horse"] * 2, "horse"]


def test_two_kinds_under_one_label_stay_two():
    dogs = [region("dog", 0.6, 0.0, 0.4), region("dog", 0.6, 0.5, 0.9)]
    crops = [odds_of(Alpine_ibex=0.9), odds_of(German_Shepherd_Dog=0.9)]
    assert [name for name, _ in names(dogs, crops)] == ["Alpine ibex", "German Shepherd Dog"]


def test_two_labels_of_one_place_are_weighed_with_the_crop():
    """Neither is borne out alone; what the crop sees of either decides."""
    cow, horse = region("cow", 0.61, 0.2, 0.6), region("horse", 0.59, 0.21, 0.6)
    crop = odds_of(common_sorrel_horse=0.22, ox=0.07)
    assert names([cow], [crop])[0][0] == "cow"
    assert [name for name, _ in names([cow, horse], [crop, crop])] == ["common sorrel horse", "horse"]


def test_what_only_a_slice_shows_is_doubted_unless_the_crop_bears_it_out():
    bird = region("bird", 0.55, 0.1, 0.3)
    assert names([bird], [odds_of(American_robin=0.2)], whole=1) == [("bird", "kept")]
    assert names([bird], [odds_of(American_robin=0.2)], whole=0) == [("bird", "doubted")]
    assert names([bird], [odds_of(American_robin=0.5)], whole=0) == [("American robin", "confirmed")]


def test_doubted_people_do_not_walk():
    [seen] = name_regions([region("person", 0.5, 0.4, 0.5)], [None], heard(), whole=1)
    [doubted] = name_regions([region("person", 0.5, 0.4, 0.5)], [None], heard(), whole=0)
    box = Box(0.4, 0.2, 0.5, 0.8)
    assert sound_of(seen, Motion.MOVES, box, 1.8, "footsteps_gravel") == "footsteps_gravel"
    assert sound_of(doubted, Motion.MOVES, box, 1.8, "footsteps_gravel") is None


def test_small_things_are_not_called_what_their_larger_likes_turned_out_not_to_be():
    """Swans that the detector takes for people; someone with a guitar is a person still."""
    people = [region("person", 0.45, 0.0, 0.4), region("person", 0.44, 0.6, 0.61)]
    goose, guitar = odds_of(goose=0.8), odds_of(acoustic_guitar=0.8)
    assert names(people, [goose, None]) == [("goose", "overruled"), ("person", "doubted")]
    assert names(people, [guitar, None])[1] == ("person", "detector")
    rider = odds_of(common_sorrel_horse=0.8)
    assert names(people, [rider, None]) == [("common sorrel horse", "overruled"), ("person", "detector")]
    assert names(people, [odds_of(suit=0.8), None])[1] == ("person", "detector")
    assert names([*people, region("person", 0.5, 0.5, 0.59)], [goose, None, odds_of(suit=0.9)])[1] == (
        "person",
        "detector",
    )


def test_what_is_too_small_to_tell_is_what_its_larger_likes_are():
    """Five birds behind a goose are geese; weak labels stay silent, other labels what they are."""
    goose, dog = region("bird", 0.7, 0.0, 0.4), region("dog", 0.8, 0.5, 0.6)
    sure, weak = region("bird", 0.66, 0.7, 0.72), region("bird", 0.44, 0.8, 0.82)
    crops = [odds_of(goose=0.9), None, None, None]
    assert names([goose, sure, weak, dog], crops) == [
        *(("goose", "confirmed"), ("goose", "detector"), ("bird", "doubted"), ("dog", "detector")),
    ]
    assert names([goose, sure], [odds_of(goose=0.1), None]) == [("bird", "kept"), ("bird", "detector")]
    two = [goose, region("bird", 0.7, 0.4, 0.6), sure]
    assert names(two, [odds_of(goose=0.7), odds_of(ostrich=0.9), None])[2] == ("ostrich", "detector")
    three = [*two, region("bird", 0.7, 0.6, 0.65)]
    crops = [odds_of(goose=0.8), odds_of(ostrich=0.95), None, odds_of(goose=0.8)]
    assert names(three, crops)[2] == ("goose", "detector"), "most of them"


def claim(
    name: str,
    box: Box,
    *,
    group: str = "animal",
    borne_out: bool = False,
    label: str = "",
    decision: Decision = "confirmed",
) -> Claim:
    reasons = Reasons(decision, (), ())
    source = Source(box, label or name, name, name, 0.6, np.ones(4, np.float32), reasons)
    return Claim(source, group, borne_out)


def test_a_leg_between_two_horses_is_no_dog():
    left, right = claim("horse", Box(0.1, 0.2, 0.4, 0.9)), claim("horse", Box(0.4, 0.2, 0.7, 0.9))
    between = Box(0.35, 0.5, 0.45, 0.85)
    leg = claim("dog", between, label="cow", decision="overruled", borne_out=True)
    dog = claim("dog", between, label="dog", decision="confirmed", borne_out=True)
    beside = claim("dog", Box(0.6, 0.5, 0.9, 0.85), label="cow", decision="overruled", borne_out=True)
    assert merge([left, right, leg]) == (left.source, right.source)
    assert dog.source in merge([left, right, dog])
    assert beside.source in merge([left, right, beside])
    close, half_out = claim("horse", Box(0.2, 0.2, 0.5, 0.9)), Box(0.3, 0.6, 0.45, 1.0)
    before = claim("dog", half_out, label="cow", decision="overruled", borne_out=True)
    assert before.source in merge([left, close, before]), "what two cover is counted once"


def test_what_several_boxes_cover_is_counted_once():
    whole, half = Box(0.2, 0.2, 0.6, 0.6), Box(0.0, 0.0, 0.4, 1.0)
    assert whole.share_covered([]) == 0
    assert whole.share_covered([half]) == pytest.approx(0.5)
    assert whole.share_covered([half, half]) == pytest.approx(0.5)
    assert whole.share_covered([half, Box(0.3, 0.0, 0.5, 0.4)]) == pytest.approx(0.625)
    assert whole.share_covered([WHOLE_PICTURE, half]) == pytest.approx(1)


def test_a_cymbal_of_a_drum_kit_is_no_wind_chime():
    half = claim(
        "drum", Box(0, 0, 0.5, 1), group="instrument", label=SCENE, decision="picture", borne_out=True
    )
    speck, large = Box(0.35, 0.2, 0.45, 0.4), Box(0.1, 0.2, 0.45, 0.6)
    chimes = [
        claim("chime", box, group="thing", label=label, decision=decision, borne_out=True)
        for box, label, decision in (
            (speck, "umbrella", "overruled"),
            (speck, "chime", "confirmed"),
            (large, "umbrella", "overruled"),
        )
    ]
    assert [chime.source in merge([half, chime]) for chime in chimes] == [False, True, True]
    bus = claim("bus", speck, group="vehicle", label="umbrella", decision="overruled", borne_out=True)
    assert bus.source in merge([half, bus])
    aside = claim("chime", Box(0.6, 0.2, 0.7, 0.4), group="thing", label="umbrella", decision="overruled")
    assert aside.source in merge([half, aside])


def test_the_whole_picture_s_animal_is_what_unsure_labels_meant():
    here = Box(0.1, 0.1, 0.9, 0.9)
    dog, fox = claim("dog", here), claim("fox", here, borne_out=True)
    car, hippo = claim("car", here, group="vehicle"), claim("hippopotamus", WHOLE_PICTURE, borne_out=True)
    assert unlike([dog, fox, car], [hippo]) == [fox, car]
    assert unlike([dog, fox, car], []) == [dog, fox, car]
    assert unlike([dog], [claim("fox", Box(0, 0, 0.5, 1), borne_out=True)]) == [dog]
