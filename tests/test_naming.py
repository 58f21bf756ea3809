"""What regions of one picture say about each other, on probabilities given by hand."""

from __future__ import annotations

import numpy as np
from seen_parts import heard, odds_of

from ssv2a.claims import Claim, unlike
from ssv2a.motion import Motion
from ssv2a.naming import name_regions, sound_of
from ssv2a.types import WHOLE_PICTURE, Box, Region, Source


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


def claim(name: str, box: Box, *, animal: bool = True, borne_out: bool = False) -> Claim:
    source = Source(box, name, name, name, 0.6, np.ones(4, np.float32), None)
    return Claim(source, animal=animal, borne_out=borne_out)


def test_the_whole_picture_s_animal_is_what_unsure_labels_meant():
    here = Box(0.1, 0.1, 0.9, 0.9)
    dog, fox = claim("dog", here), claim("fox", here, borne_out=True)
    car, hippo = claim("car", here, animal=False), claim("hippopotamus", WHOLE_PICTURE, borne_out=True)
    assert unlike([dog, fox, car], [hippo]) == [fox, car]
    assert unlike([dog, fox, car], []) == [dog, fox, car]
    assert unlike([dog], [claim("fox", Box(0, 0, 0.5, 1), borne_out=True)]) == [dog]
