from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image
from seen_parts import MINI, clip, detector, eyes, heard, odds_of, picture, sentences

from ssv2a.detect.slices import closer
from ssv2a.embed.conse import blend, judge, weigh_classes
from ssv2a.errors import BundleError, InputError
from ssv2a.evaluate.material import PICTURES as PHOTOGRAPHS
from ssv2a.images import read_image
from ssv2a.motion import Motion, Neighbour, Shift, camera_shift, motion, thumbnail
from ssv2a.scenes import ambience, gather, load_scenes, misplaced, stirring, surface, under
from ssv2a.seen import Eyes, _Glance, _Impression
from ssv2a.types import SCENE, Box, ByteArray, FloatArray, Look, Region


def look_at(image: ByteArray) -> Look:
    return eyes().look(clip(image))[0]


@pytest.mark.parametrize(
    ("label", "score", "odds", "name", "caption"),
    [
        ("dog", 0.65, {"husky": 0.5, "Siberian_Husky": 0.2}, "husky", "a dog barking"),
        ("truck", 0.61, {"fire_truck": 0.98}, "fire truck", "a siren wailing"),
        ("cow", 0.50, {"pig": 0.70}, "pig", "a pig grunting"),
        ("bird", 0.85, {"drake_(male_duck)": 0.90}, "drake (male duck)", "a duck quacking"),
        ("bus", 0.78, {"trolleybus": 0.6}, "trolleybus", "a bus engine running"),
        ("dog", 0.45, {"Alpine_ibex": 0.6}, "Alpine ibex", "a goat bleating"),
        ("person", 0.60, {"Egyptian_Mau": 0.72}, "Egyptian Mau", "a cat meowing"),
        ("person", 0.80, {"acoustic_guitar": 0.55}, "acoustic guitar", "a guitar strumming"),
        ("cup", 0.50, {"teapot": 0.15, "vase": 0.15}, "cup", None),
        ("dog", 0.70, {"teddy_bear": 0.9}, "teddy bear", None),
        ("airplane", 0.67, {"sports_car": 0.42, "race_car": 0.18}, "sports car", "a car idles and revs"),
        ("dog", 0.60, {"lion": 0.52, "Golden_Retriever": 0.05}, "lion", "a lion roaring"),
        ("giraffe", 0.40, {"gibbon": 0.95}, "gibbon", "a monkey chattering"),
    ],
)
def test_crop_and_label_correct_each_other(label, score, odds, name, caption) -> None:
    verdict = judge(heard().labels[label], score, heard().classes, odds_of(**odds))
    assert (verdict.heard.name, verdict.heard.caption_when(moving=False)) == (name, caption)


@pytest.mark.parametrize(
    ("label", "score", "odds"),
    [
        ("person", 0.70, {"suit": 0.9}),  # what people wear
        ("person", 0.90, {"Egyptian_Mau": 0.72}),  # a sure person who holds a cat
        ("person", 0.60, {"tripod": 0.95}),  # what stands before them
        ("dog", 0.80, {"grey_fox": 0.2, "pig": 0.5}),  # weaker than the label
        ("cat", 0.45, {"tabby_cat": 0.2, "Papillon": 0.4}),  # a dog, which the detector would have known
        ("car", 0.60, {"car_wheel": 0.9}),  # a part
        ("boat", 0.60, {"lakeshore": 0.9}),  # where it is
        ("scissors", 0.60, {"can_opener": 0.6, "corkscrew": 0.1}),  # what it calls scissors
        ("giraffe", 0.60, {"cheetah": 0.95}),  # what it calls giraffes
    ],
)
def test_what_may_not_overrule_a_label(label, score, odds) -> None:
    verdict = judge(heard().labels[label], score, heard().classes, odds_of(**odds))
    assert verdict.heard is heard().labels[label]


def test_a_weak_label_needs_the_crop_behind_it() -> None:
    cat, classes = heard().labels["cat"], heard().classes
    nothing = odds_of(hare=0.15)
    assert judge(cat, 0.40, classes, nothing).heard.caption_when(moving=False) is None
    assert judge(cat, 0.40, classes, odds_of(tabby_cat=0.2)).heard.caption_when(moving=False)
    assert judge(cat, 0.60, classes, nothing).heard is cat
    assert judge(cat, 0.60, classes, None).heard is cat
    assert judge(cat, 0.40, classes, None).doubted  # too small to tell
    person = heard().labels["person"]
    assert judge(person, 0.40, classes, None).heard is person


def test_a_vector_is_the_weighted_sum_of_what_its_classes_sound_like() -> None:
    odds = odds_of(tabby_cat=0.5, lynx=0.25, suit=0.2)
    weights = weigh_classes(heard().classes, odds, moving=False, places=False)
    assert set(weights) == {"a cat meowing", "a big cat growls"}  # no suit
    cat, lynx = sentences().embed(["a cat meowing", "a big cat growls"])
    expected = cat * weights["a cat meowing"] + lynx * weights["a big cat growls"]
    np.testing.assert_allclose(blend(sentences(), weights), expected / np.linalg.norm(expected), atol=1e-6)
    assert weights["a cat meowing"] / weights["a big cat growls"] == pytest.approx(2, rel=0.01)
    with pytest.raises(InputError, match="no text has a weight"):
        blend(sentences(), {"a cat meowing": 0.0})


@pytest.mark.parametrize(
    ("name", "heard_as"),
    [
        ("cat", {"a cat meowing"}),
        ("officer", {"clothes rustling"}),  # no feet in the picture, no voice ever
        ("astronaut", {"clothes rustling"}),
        ("cameraman", {"clothes rustling"}),
        ("coffee", set()),
        ("clock", set()),  # too blurred to be seen as a clock: what is doubted is silent
        ("palace", set()),
        ("rocket", {"an aircraft roars at takeoff"}),  # on its launch tower, a "missile" to the classifier
    ],
)
def test_how_photographs_are_heard(name: str, heard_as: set[str]) -> None:
    look = look_at(picture(name))
    assert {source.caption for source in look.sources if source.caption} == heard_as
    for source in (look.scene, *look.sources):
        assert np.linalg.norm(source.clip) == pytest.approx(1, abs=1e-5)


def test_a_cat_is_one_cat_and_its_vector_means_a_cat() -> None:
    (cat,) = look_at(picture("cat")).sources
    assert (cat.label, cat.name) == ("cat", "Egyptian Mau")
    captions = ["a cat meowing", "a truck engine rumbling", "a piano playing", "rain falling"]
    cosines = sentences().embed(captions) @ cat.clip
    assert cosines[0] > 0.9
    assert cosines[0] > cosines[1:].max() + 0.4


def test_two_things_side_by_side_are_two_sources_in_their_places() -> None:
    halves = [np.asarray(Image.fromarray(picture(n)).resize((400, 400))) for n in ("cat", "officer")]
    sources = {s.caption: s for s in look_at(np.concatenate(halves, axis=1)).sources if s.caption}
    assert {"a cat meowing", "clothes rustling"} <= set(sources)
    assert sources["a cat meowing"].box.centre[0] < 0.4
    assert sources["clothes rustling"].box.centre[0] > 0.6


def test_a_meadow_has_its_own_ambience_and_a_grey_wall_none() -> None:
    meadow = look_at(picture("meadow"))
    assert meadow.ambience == "birds singing"
    assert meadow.scene.caption == meadow.ambience
    wall = look_at(np.full((120, 160, 3), 128, np.uint8))
    assert wall.sources == ()
    assert wall.ambience is None


def test_what_is_muted_is_seen_but_not_heard() -> None:
    for mute in ("Cat", "cat_meow", "Egyptian Mau"):
        (cat,) = eyes().look(clip(picture("cat")), mute=frozenset({mute}))[0].sources
        assert cat.caption is None
    loud, quiet = (
        eyes().look(clip(picture("cat")), mute=mute)[0] for mute in (frozenset(), frozenset({"cat"}))
    )
    (meow,) = sentences().embed(["a cat meowing"])
    assert loud.scene.clip @ meow > 0.9
    assert quiet.scene.clip @ meow < 0.5
    assert eyes().look(clip(picture("meadow")), mute=frozenset({"bird_song"}))[0].ambience is None


def test_limits_hold() -> None:
    assert eyes().look(clip(picture("officer")), max_sources=1)[0].sources[0].label == "person"
    assert len(eyes().look(clip(picture("officer")), max_sources=1)[0].sources) == 1
    strict = eyes().look(clip(picture("officer")), min_confidence=0.7)[0].sources
    assert [source.label for source in strict] == ["person"]


def test_unchanged_frames_are_looked_at_once(monkeypatch) -> None:
    calls: list[int] = []
    real = detector().detect
    monkeypatch.setattr(
        detector(), "detect", lambda image, **options: calls.append(1) or real(image, **options)
    )
    still, other = picture("officer"), picture("officer")[:, ::-1]
    grain = np.random.default_rng(1).integers(-3, 4, still.shape)
    noisy = np.clip(still.astype(int) + grain, 0, 255).astype(np.uint8)
    looks = eyes().look(clip(still, noisy, still, other))
    assert len(calls) == 2
    assert [look.reused for look in looks] == [False, True, True, False]
    assert [look.time for look in looks] == [Fraction(n, 2) for n in range(4)]
    assert looks[0].sources == looks[2].sources


def test_a_cut_is_told_and_movement_is_not_taken_for_one() -> None:
    person = np.asarray(Image.fromarray(picture("officer")).resize((150, 200)))
    shots = []
    for left in (10, 40, 70):
        image = np.full((240, 400, 3), 120, np.uint8)
        image[40:, left : left + 150] = person
        shots.append(image)
    looks = eyes().look(clip(*shots, 255 - shots[-1]))
    assert [look.cut for look in looks] == [False, False, False, True]


def test_the_same_frames_give_the_same_looks() -> None:
    frames = clip(picture("cat"), picture("cat")[:, ::-1].copy())
    first, second = eyes().look(frames), eyes().look(frames)
    for a, b in zip(first, second, strict=True):
        assert [replace(s, clip=None) for s in a.sources] == [replace(s, clip=None) for s in b.sources]
        np.testing.assert_array_equal(a.scene.clip, b.scene.clip)


def _walker(steps: list[float]) -> list[Neighbour]:
    """Frames half a second apart in which one tall person stands at the places given."""
    frames = []
    for n, x in enumerate(steps):
        image = np.zeros((160, 160, 3), np.uint8)
        image[16:128, int(x * 160) : int((x + 0.15) * 160)] = 200
        region = Region(Box(x, 0.1, x + 0.15, 0.8), "person", 0.8)
        frames.append(Neighbour(Fraction(n, 2), thumbnail(image), [region]))
    return frames


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([0.3, 0.3, 0.3], Motion.STILL),
        ([0.30, 0.305, 0.30], Motion.STILL),  # the detector's jitter
        ([0.2, 0.3, 0.4], Motion.MOVES),
        ([0.3, 0.3, 0.5], Motion.MOVES),
    ],
)
def test_a_walk_is_told_from_standing(steps, expected) -> None:
    first, (time, thumb, regions, _), last = _walker(steps)
    assert motion(regions[0], thumb, time, [first, last]) is expected


def _panned(pixels: int) -> Neighbour:
    """The Summer Palace under a camera that went so far to the right; one person stands before it."""
    view = picture("palace")[:400, pixels : pixels + 400].copy()
    left = 200 - pixels
    view[100:340, left : left + 60] = (40, 30, 90)
    region = Region(Box(left / 400, 0.25, (left + 60) / 400, 0.85), "person", 0.8)
    return Neighbour(Fraction(pixels, 100), thumbnail(view), [region])


def test_who_stands_does_not_walk_when_the_camera_pans() -> None:
    before, now, after = _panned(0), _panned(50), _panned(100)
    assert motion(now.regions[0], now.thumb, now.time, [before, after]) is Motion.MOVES  # what it looks like
    pans = [camera_shift(now.thumb, n.thumb, now.regions, n.regions) for n in (before, after)]
    np.testing.assert_allclose(pans, [(0.125, 0), (-0.125, 0)], atol=1 / 64)
    beside = [n._replace(pan=pan) for n, pan in zip((before, after), pans, strict=True)]
    assert motion(now.regions[0], now.thumb, now.time, beside) is not Motion.MOVES


def test_one_who_walks_before_a_still_camera_is_no_pan() -> None:
    first, second = _walker([0.2, 0.5])
    assert camera_shift(first.thumb, second.thumb, first.regions, second.regions) == Shift(0.0, 0.0)


def test_who_stirs_in_place_stirs_and_who_comes_from_nowhere_moved() -> None:
    (time, thumb, regions, _), after = _walker([0.3, 0.3])
    changed = thumb + np.float32(8)
    assert motion(regions[0], thumb, time, [after._replace(thumb=changed)]) is Motion.STIRS
    empty = np.zeros_like(thumb)
    assert motion(regions[0], thumb, time, [after._replace(thumb=empty, regions=[])]) is Motion.MOVES


class _Scripted:
    """A detector that tells what it was told of whole frames, for people no test picture shows."""

    def __init__(self, frames: list[list[Region]], sliced: tuple[Region, ...] = ()) -> None:
        self._frames = iter(frames)
        self._sliced = sliced
        self._width = 0

    def detect(self, image: ByteArray, **options: object) -> tuple[Region, ...]:
        if image.shape[1] < self._width:
            return self._sliced
        self._width = image.shape[1]
        return tuple(next(self._frames))


def _people(xs: list[float], count: int = 1, green: bool = False, size: int = 1) -> tuple[Look, ...]:
    """Grey figures that go from place to place before a wall or on a lawn."""
    images, regions = [], []
    for n, x in enumerate(xs):
        image = np.full((240, 320, 3), (60, 130, 40) if green else 150, np.uint8)
        boxes = [Box(x + 0.1 * i, 0.2, x + 0.1 * i + 0.08, 0.7) for i in range(count)]
        for box in boxes:
            image[48:168, int(box.left * 320) : int(box.right * 320)] = 20 + 60 * (n % 2)
        images.append(image.repeat(size, axis=0).repeat(size, axis=1))
        regions.append([Region(box, "person", 0.8) for box in boxes])
    full = eyes()
    scripted = Eyes(_Scripted(regions), full._classifier, full._text, full._heard, full._rules)  # type: ignore[arg-type]
    return scripted.look(clip(*images))


def test_people_who_walk_have_steps_that_belong_to_the_ground() -> None:
    assert _people([0.1, 0.3, 0.5])[1].sources[0].caption == "footsteps on a hard floor"
    assert _people([0.1, 0.3, 0.5], green=True)[1].sources[0].caption == "footsteps on grass"


def test_people_who_stir_rustle() -> None:
    assert _people([0.3, 0.3, 0.3])[1].sources[0].caption == "clothes rustling"


def test_eight_people_babble_and_seven_do_not() -> None:
    assert _people([0.05, 0.1], count=7)[0].ambience is None
    assert _people([0.05, 0.1], count=8)[0].ambience == "a crowd of people murmuring"


def test_places_and_rules_decide_the_ambience() -> None:
    rules = load_scenes(MINI / "scenes.csv")
    grey = np.full((32, 32, 3), 128, np.float32)

    def air(labels: list[str], **odds: float) -> str | None:
        found = [heard().labels[label] for label in labels]
        return ambience(rules, gather(found, heard().classes, odds_of(**odds), grey))

    assert air([], beach=0.3, sandbar=0.2) == "sea_waves"
    assert air([], beach=0.2) is None
    assert air(["car", "car", "bus"]) == "traffic"
    assert air(["car"]) is None
    assert air(["surfboard"]) == "sea_waves"
    beach = gather([], heard().classes, odds_of(beach=0.6), grey)
    assert surface(rules, beach) == "footsteps_soft"


@pytest.mark.parametrize(
    ("name", "share"), [("cow", 0.05), ("horse", 0.05), ("sheep", 0.025), ("goat", 0.025)]
)
def test_a_small_animal_in_an_empty_half_gets_no_company(name: str, share: float) -> None:
    """What the classifier guesses of a grey half is not heard beside it."""
    image = Image.fromarray(read_image(PHOTOGRAPHS / f"{name}.jpg"))
    scale = (share * 1280 * 720 / (image.width * image.height)) ** 0.5
    small = image.resize((round(image.width * scale), round(image.height * scale)))
    canvas = Image.new("RGB", (1280, 720), (150, 150, 146))
    canvas.paste(small, (320 - small.width // 2, 360 - small.height // 2))
    look = look_at(np.asarray(canvas))
    assert all(source.label != SCENE for source in look.sources), look.sources


def test_a_sea_lion_in_a_meadow_is_none() -> None:
    own = eyes()
    odds = odds_of(sea_lion=0.9)
    meadow = picture("meadow")
    seen = _Impression(_Glance(Fraction(0), meadow, thumbnail(meadow), (), 0), (), (), (), odds, (), {})
    none: frozenset[str] = frozenset()
    assert [claim.source.name for claim in own._beyond(seen, odds, none, none)] == ["sea lion"]
    assert own._beyond(seen, odds, none, frozenset({"water_splash"})) == []


def test_nothing_splashes_in_a_meadow() -> None:
    rules = load_scenes(MINI / "scenes.csv")
    assert misplaced(rules, {"greenery": 0.4}) == {"water_splash"}
    assert misplaced(rules, {"greenery": 0.2, "place:sea_waves": 0.9}) == frozenset()


def test_broken_rules_are_refused_with_their_line(tmp_path) -> None:
    path = tmp_path / "scenes.csv"
    path.write_text("decides,evidence,at_least,sound\nambience,people,many,crowd_babble\n")
    with pytest.raises(BundleError, match=r"line 2.*number.*many"):
        load_scenes(path)
    path.write_text("decides,evidence,at_least,sound\nambience,people,8,chatter\n")
    with pytest.raises(BundleError, match=r"line 2.*chatter"):
        load_scenes(path)


def test_a_crowd_costs_few_crops_and_all_of_it_is_seen(monkeypatch) -> None:
    calls: list[Box | None] = []
    full = eyes()
    real = full._classifier.classify
    monkeypatch.setattr(
        full._classifier, "classify", lambda image, box=None: calls.append(box) or real(image, box)
    )
    for size, crops in ((2, 16), (1, 0)):  # two frames; figures of 51 pixels' width, and of 26: too coarse
        calls.clear()
        (look, _) = _people([0.01, 0.05], count=9, size=size)
        assert len(look.sources) == 9
        assert sum(box is not None for box in calls) == crops


def test_a_verdict_is_kept_while_a_thing_rests_but_not_over_a_cut(monkeypatch) -> None:
    boxes: list[Box | None] = []
    full = eyes()
    real = full._classifier.classify
    monkeypatch.setattr(
        full._classifier, "classify", lambda image, box=None: boxes.append(box) or real(image, box)
    )
    cat = Image.fromarray(picture("cat"))
    image = np.asarray(cat)
    lighter = np.clip(image.astype(int) + 12, 0, 255).astype(np.uint8)
    other_shot = np.asarray(Image.fromarray(picture("coffee")).resize(cat.size))
    box = Region(Box(0, 0, 0.97, 1), "cat", 0.6)
    seen = Eyes(_Scripted([[box]] * 3), full._classifier, full._text, full._heard, full._rules)  # type: ignore[arg-type]
    looks = seen.look(clip(image, lighter, other_shot))
    assert boxes.count(box.box) == 2  # the first frame's and the other shot's
    assert [look.sources[0].name for look in looks] == ["Egyptian Mau", "Egyptian Mau", "espresso"]


def test_where_a_cat_is_there_is_no_dog() -> None:
    """The detector finds both in one place; the crop bears out the cat."""
    (look,) = eyes().look(clip(read_image(PHOTOGRAPHS / "cat.jpg")))
    (cat,) = look.sources
    assert cat.caption == "a cat meowing"


def _sliced(label: str, confidence: float, image: ByteArray) -> Look:
    """What is seen where the detector finds something in the slices of a picture alone, in its middle."""
    full = eyes()
    found = (Region(Box(0.05, 0.1, 0.95, 0.9), label, confidence),)
    scripted = Eyes(_Scripted([[]], found), full._classifier, full._text, full._heard, full._rules)  # type: ignore[arg-type]
    return scripted.look(clip(image))[0]


def _in_the_corner(photograph: str) -> ByteArray:
    """A photograph, small, at the left of a wide grey picture."""
    thing = Image.fromarray(read_image(PHOTOGRAPHS / photograph)).resize((420, 300))
    image = Image.new("RGB", (1280, 540), (128, 132, 136))
    image.paste(thing, (60, 180))
    return np.asarray(image)


def test_what_is_small_in_a_wide_picture_is_found_by_looking_closer() -> None:
    image = _in_the_corner("sheep.jpg")
    known = detector().detect(image, min_confidence=0.4)
    found = closer(detector(), image, known, min_confidence=0.4, max_regions=63)
    assert not known
    assert [region.label for region in found] == ["sheep"]
    assert found[0].box.share_within(Box(60 / 1280, 180 / 540, 480 / 1280, 480 / 540)) > 0.95
    assert [source.caption for source in look_at(image).sources] == ["a sheep bleating"]


def test_a_slice_tells_nothing_that_is_known_cut_off_or_too_much() -> None:
    wide = np.zeros((100, 320, 3), np.uint8)
    found = Region(Box(0.2, 0, 0.6, 1), "cow", 0.7)

    def told(region: Region, known: tuple[Region, ...] = (), most: int = 63) -> tuple[Region, ...]:
        return closer(_Always(region), wide, known, min_confidence=0.4, max_regions=most)  # type: ignore[arg-type]

    left, right = told(found)
    assert (left.box.left, left.box.right) == pytest.approx((0.2 * 179 / 320, 0.6 * 179 / 320))
    assert right.box.right == pytest.approx((141 + 0.6 * 179) / 320)
    assert told(found, (left,)) == (right,)
    assert told(found, (Region(left.box, "sheep", 0.9),)) == (left, right)
    assert len(told(replace(found, box=Box(0.2, 0, 1.0, 1)))) == 1
    assert told(found, (replace(left, label="dog"),), most=1) == ()
    assert closer(_Always(found), wide[:, :150], (), min_confidence=0.4, max_regions=63) == ()  # type: ignore[arg-type]


class _Always:
    """A detector that finds one thing in every picture."""

    def __init__(self, region: Region) -> None:
        self._region = region

    def detect(self, image: ByteArray, **options: object) -> tuple[Region, ...]:
        return (self._region,)


def test_what_only_a_slice_shows_must_be_sure_or_borne_out() -> None:
    grey = np.full((270, 640, 3), 128, np.uint8)
    assert all(source.caption is None for source in _sliced("cat", 0.5, grey).sources)
    assert any(source.caption for source in _sliced("cat", 0.7, grey).sources)


class _Told:
    """A classifier that says the same of every crop, and of every whole picture or end of one."""

    def __init__(self, crop: FloatArray, whole: FloatArray) -> None:
        self._crop, self._whole = crop, whole

    def classify(self, image: ByteArray, box: Box | None = None) -> FloatArray:
        return self._whole if box is None else self._crop


@pytest.mark.parametrize(
    ("crop", "expected"), [("fox_squirrel", "birds singing"), ("lion", "a lion roaring")]
)
def test_the_whole_picture_s_animal_is_heard_where_no_crop_is_of_one_that_sounds(crop, expected) -> None:
    """A leaf on a branch may look like a silent squirrel while the whole picture is a kingfisher."""
    found = [[Region(Box(0.4, 0.4, 0.7, 0.7), "broccoli", 0.4)]]
    told = _Told(odds_of(**{crop: 0.75}), odds_of(jacamar=0.9))
    full = eyes()
    scripted = Eyes(_Scripted(found), told, full._text, full._heard, ())  # type: ignore[arg-type]
    (look,) = scripted.look(clip(np.full((300, 300, 3), 128, np.uint8)))
    assert {source.caption for source in look.sources if source.caption} == {expected}


class _Ends:
    """A classifier that knows a wide picture's dark left end and its bright right one."""

    def __init__(self, left: FloatArray, right: FloatArray) -> None:
        self._left, self._right = left, right

    def classify(self, image: ByteArray, box: Box | None = None) -> FloatArray:
        return self._left if image[0, 0, 0] < 100 else self._right


@pytest.mark.parametrize(
    ("left", "right", "found"),
    [
        ({"lion": 0.45}, {"lion": 0.45}, [("lion", 0.0, 1.0)]),  # one, over the whole width
        ({"lion": 0.45}, {"lion": 0.37}, [("lion", 0.0, 1.0)]),
        ({"lion": 0.45}, {"lion": 0.1}, [("lion", 0.0, 0.5)]),
        ({"lion": 0.1}, {"lion": 0.38}, [("lion", 0.5, 1.0)]),
        ({"lion": 0.1}, {"lion": 0.1}, []),
        ({"lion": 0.9}, {"jacamar": 0.38}, [("lion", 0.0, 0.5)]),  # the less sure end needs more
        ({"lion": 0.9}, {"jacamar": 0.45}, [("lion", 0.0, 0.5), ("jacamar", 0.5, 1.0)]),
    ],
)
def test_the_ends_of_a_wide_picture_show_one_thing_or_two(left, right, found) -> None:
    wide = np.full((200, 400, 3), 50, np.uint8)
    wide[:, 200:] = 150
    full, ends = eyes(), _Ends(odds_of(**left), odds_of(**right))
    told = Eyes(_Scripted([[], [], []]), ends, full._text, full._heard, ())  # type: ignore[arg-type]
    (look,) = told.look(clip(wide))
    assert [(source.name, source.box.left, source.box.right) for source in look.sources] == found


def test_small_birds_beside_a_goose_have_its_sound_and_its_vector() -> None:
    found = [[Region(Box(0.1, 0.2, 0.5, 0.8), "bird", 0.7), Region(Box(0.8, 0.5, 0.84, 0.54), "bird", 0.66)]]
    told = _Told(odds_of(goose=0.9), odds_of())
    full = eyes()
    scripted = Eyes(_Scripted(found), told, full._text, full._heard, ())  # type: ignore[arg-type]
    (look,) = scripted.look(clip(np.full((300, 300, 3), 128, np.uint8)))
    small = look.sources[1]
    assert (small.label, small.name, small.caption) == ("bird", "goose", "a goose honking")
    assert float(small.clip @ sentences().embed(["a goose honking"])[0]) > 0.99


def _leaves(*, sway: int, frames: int = 6, pan: int = 0) -> tuple[Look, ...]:
    """A bush against the sky whose leaves change by up to `sway`; the camera goes `pan` pixels a frame."""
    rng = np.random.default_rng(0)
    bush = rng.integers(40, 200, (32, 32, 1)) * np.array([0.5, 1.0, 0.4]) + np.array([0, 40, 0])
    images = []
    for n in range(frames):
        image = np.concatenate(
            [bush + rng.uniform(-sway, sway, (32, 32, 1)), np.full((32, 32, 3), 235.0)], axis=1
        )
        image = np.roll(image, n * pan, axis=1)
        images.append(np.repeat(np.repeat(np.clip(image, 0, 255).astype(np.uint8), 5, axis=0), 5, axis=1))
    return eyes().look(clip(*images))


def test_leaves_that_stir_before_a_still_camera_rustle() -> None:
    assert {look.ambience for look in _leaves(sway=8)} == {"leaves rustling"}
    assert {look.ambience for look in _leaves(sway=0)} == {"birds singing"}
    assert "leaves rustling" not in {look.ambience for look in _leaves(sway=0, pan=5)}


def test_stirring_is_the_change_of_what_is_green() -> None:
    lawn = np.full((32, 32, 3), (60, 130, 40), np.float32)
    assert stirring([lawn, lawn + 2, lawn]) == pytest.approx(2)
    assert stirring([lawn, lawn + 30]) == 0  # more than leaves
    assert stirring([lawn]) == 0
    assert stirring([lawn * 0 + 120, lawn * 0 + 122]) == 0  # nothing is green


def test_who_walks_on_a_path_in_a_park_is_heard_on_the_path() -> None:
    """The picture is green, the ground under the feet is grey."""
    thumb = np.full((32, 32, 3), (60, 130, 40), np.float32)
    thumb[20:] = 150
    rules = load_scenes(MINI / "scenes.csv")
    steps = {
        bottom: surface(rules, {"greenery": 0.6, **under(thumb, Box(0.4, 0.2, 0.5, bottom))})
        for bottom in (0.5, 0.7, 1.0)
    }
    assert steps == {0.5: "footsteps_soft", 0.7: "footsteps_hard", 1.0: "footsteps_hard"}


def test_a_small_car_that_rests_is_parked_and_a_large_one_idles() -> None:
    def heard_as(size: float, xs: list[float]) -> str | None:
        images, regions = [], []
        for n, x in enumerate(xs):
            image = np.full((240, 320, 3), 150, np.uint8)
            image[200:, :40] = 60 * (n % 3)  # something else moves: the frames are looked at
            images.append(image)
            regions.append([Region(Box(x, 0.2, x + size, 0.2 + size), "car", 0.8)])
        full = eyes()
        scripted = Eyes(_Scripted(regions), full._classifier, full._text, full._heard, full._rules)  # type: ignore[arg-type]
        return scripted.look(clip(*images))[1].sources[0].caption

    assert heard_as(0.1, [0.5, 0.5, 0.5]) is None
    assert heard_as(0.4, [0.5, 0.5, 0.5]) == "a car engine running"
    assert heard_as(0.1, [0.3, 0.5, 0.7]) == "a car driving past"
