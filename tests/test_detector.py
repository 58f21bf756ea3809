from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from seen_parts import MINI, classifier, detector, heard, picture

from ssv2a.detect.nanodet import MAX_STRETCH, NanoDet, fit, suppress
from ssv2a.embed.classifier import crop
from ssv2a.errors import BundleError
from ssv2a.heard import load_heard
from ssv2a.soundbank.vocabulary import vocabulary
from ssv2a.types import Box


@pytest.mark.parametrize(
    ("name", "label", "box"),
    [
        ("cat", "cat", Box(0.0, 0.0, 1.0, 1.0)),
        ("officer", "person", Box(0.0, 0.0, 1.0, 1.0)),
        ("cameraman", "person", Box(0.0, 0.12, 0.65, 1.0)),
        ("astronaut", "person", Box(0.02, 0.02, 0.72, 1.0)),
    ],
)
def test_finds_what_is_in_a_photograph_and_where(name: str, label: str, box: Box) -> None:
    found = [region for region in detector().detect(picture(name)) if region.label == label]
    assert found
    assert found[0].box.overlap(box) > 0.85


@pytest.mark.parametrize("size", [(640, 360), (480, 854), (1000, 300), (97, 61)])
def test_a_box_follows_its_thing_through_shapes_and_places(size: tuple[int, int]) -> None:
    width, height = size
    side = min(size)
    person = Image.fromarray(picture("officer")).resize((side, side))
    for left in (0, (width - side)):
        top = height - side
        image = np.full((height, width, 3), 127, np.uint8)
        image[top : top + side, left : left + side] = np.asarray(person)
        where = Box(left / width, top / height, (left + side) / width, (top + side) / height)
        people = [r for r in detector().detect(image) if r.label == "person"]
        assert people
        assert max(r.box.overlap(where) for r in people) > 0.7


def test_regions_come_in_order_and_again_the_same() -> None:
    first = detector().detect(picture("officer"), min_confidence=0.1)
    assert first == detector().detect(picture("officer"), min_confidence=0.1)
    assert [r.confidence for r in first] == sorted((r.confidence for r in first), reverse=True)
    assert len(first) > 2
    assert detector().detect(picture("officer"), min_confidence=0.1, max_regions=2) == first[:2]


def test_nothing_is_found_where_nothing_is() -> None:
    assert detector().detect(np.full((90, 160, 3), 128, np.uint8)) == ()


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 1500), st.integers(1, 1500))
def test_the_fitted_picture_fills_one_side_and_is_never_bent_further_than_allowed(w: int, h: int) -> None:
    _, scale, (left, top) = fit(np.broadcast_to(np.uint8(9), (h, w, 3)))
    assert min(left, top) == 0
    assert max(scale) / min(scale) <= MAX_STRETCH + 1e-5
    assert max(w * scale[0], h * scale[1]) == pytest.approx(416, rel=1e-3)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_suppression_leaves_no_two_boxes_of_a_class_on_one_thing(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    corner, size = rng.uniform(0, 60, (n, 2)), rng.uniform(20, 60, (n, 2))
    boxes = np.concatenate([corner, corner + size], axis=1).astype(np.float32)
    scores = rng.uniform(0, 1, (n, 3)).astype(np.float32)
    kept = suppress(boxes, scores, 0.3, 63)
    assert all(scores[cell, label] >= 0.3 for cell, label in kept)
    for i, (cell, label) in enumerate(kept):
        for other, its_label in kept[:i]:
            if label == its_label:
                assert Box(*boxes[cell].tolist()).overlap(Box(*boxes[other].tolist())) <= 0.5 + 1e-5
    strongest = {int(label) for label in range(3) if scores[:, label].max() >= 0.3}
    assert {label for _, label in kept} == strongest


def test_a_network_that_is_no_detector_is_refused() -> None:
    with pytest.raises(BundleError, match="not a NanoDet of 80 classes"):
        NanoDet(MINI / "efficientnet_lite3.onnx", tuple(heard().labels))
    with pytest.raises(BundleError, match="no such network"):
        NanoDet(MINI / "missing.onnx", tuple(heard().labels))


@pytest.mark.parametrize(
    ("name", "expected"), [("cat", "Egyptian Mau"), ("coffee", "espresso"), ("officer", "military uniform")]
)
def test_the_classifier_names_photographs(name: str, expected: str) -> None:
    odds = classifier().classify(picture(name))
    assert odds.sum() == pytest.approx(1, abs=1e-4)
    assert heard().classes[int(odds.argmax())].name == expected


def test_a_crop_is_named_by_what_is_in_it() -> None:
    both = np.concatenate(
        [np.asarray(Image.fromarray(picture(n)).resize((300, 300))) for n in ("cat", "coffee")], 1
    )
    names = [
        heard().classes[int(classifier().classify(both, box).argmax())].name
        for box in (Box(0, 0, 0.46, 1), Box(0.54, 0, 1, 1))
    ]
    assert names == ["Egyptian Mau", "espresso"]


@settings(deadline=None)
@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_crop_always_has_pixels(a: float, b: float, c: float, d: float) -> None:
    box = Box(min(a, b), min(c, d), max(a, b), max(c, d))
    assert min(crop(np.zeros((7, 5, 3), np.uint8), box).shape) > 0


def test_every_name_of_both_networks_is_in_the_table() -> None:
    table = load_heard(MINI / "heard.csv")
    assert len(table.labels) == 80
    assert [one.name for one in table.classes] == json.loads((MINI / "imagenet_names.json").read_text())


def test_no_name_gets_a_voice_and_every_caption_is_known() -> None:
    captions = {caption for sound in vocabulary().values() for caption in sound.captions}
    for one in (*heard().labels.values(), *heard().classes):
        for moving in (False, True):
            caption = one.caption_when(moving)
            assert caption is None or caption in captions
        if one.group in ("clothes", "food"):
            assert one.sound is None
        if one.group == "person":
            assert one.sound_when(True) not in ("crowd_babble", "applause")


@pytest.mark.parametrize(
    ("name", "still", "moving"),
    [
        ("drake (male duck)", "a duck quacking", "a duck quacking"),
        ("great grey owl", "an owl hooting", "an owl hooting"),
        ("Chihuahua", "a puppy yaps", "a puppy yaps"),
        ("Great Dane", "a dog barking", "a dog barking"),
        ("grey wolf", "a wolf howling", "a wolf howling"),
        ("tiger", "a tiger roars", "a tiger roars"),
        ("sports car", "a car idles and revs", "a car driving past"),
        ("fire truck", "a siren wailing", "a siren wailing"),
        ("typewriter keyboard", "a typewriter", "a typewriter"),
        ("beach", "waves breaking on a beach", "waves breaking on a beach"),
        ("mountain bike", None, "a bicycle freewheeling"),
        ("mobile home", None, None),
        ("pole", None, None),
        ("suit", None, None),
        ("chain mail", None, None),
    ],
)
def test_how_names_are_heard(name: str, still: str | None, moving: str | None) -> None:
    (one,) = (row for row in heard().classes if row.name == name)
    assert (one.caption_when(False), one.caption_when(True)) == (still, moving)


def test_a_broken_table_names_every_fault(tmp_path) -> None:
    with (MINI / "heard.csv").open() as file:
        rows = list(csv.reader(file))
    rows[3][5], rows[9][3], rows[20][4] = "dog_brak", "beast", "zeppelin"
    with (tmp_path / "heard.csv").open("w") as file:
        csv.writer(file).writerows(rows)
    with pytest.raises(BundleError) as caught:
        load_heard(tmp_path / "heard.csv")
    for part in ("line 4", "dog_brak", "line 10", "beast", "line 21", "zeppelin"):
        assert part in str(caught.value)
