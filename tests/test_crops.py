"""The released eyes: which pixels of a frame become which source. Each faces a fault of the released code."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from released_parts import CPU, noise, small_clip, write_detector

from ssv2a.detect.yolo import Yolo
from ssv2a.embed.crops import CropEyes, crop
from ssv2a.on_demand import OnDemand
from ssv2a.types import SCENE, WHOLE_PICTURE, Box, Frames, Region


class Told:
    """A detector that finds what it is told, in every picture; it remembers how it was asked."""

    def __init__(self, *regions: Region) -> None:
        self.regions = regions
        self.asked: list[tuple[tuple[int, ...], float]] = []

    def detect(self, image, *, min_confidence):
        self.asked.append((image.shape, min_confidence))
        return tuple(region for region in self.regions if region.confidence > min_confidence)


class Recorder:
    """An encoder whose vectors are numbered; it remembers the pictures."""

    def __init__(self) -> None:
        self.seen = []

    def images(self, images):
        self.seen += [np.array(image) for image in images]
        return np.arange(len(self.seen) * 2, dtype=np.float32).reshape(-1, 2)


def frames(*images) -> Frames:
    return Frames(np.stack(images), tuple(Fraction(n, 8) for n in range(len(images))))


def eyes(*regions: Region) -> tuple[CropEyes, Told, Recorder]:
    detector, clip = Told(*regions), Recorder()
    return CropEyes(OnDemand(lambda: detector), OnDemand(lambda: clip)), detector, clip


def look(own: CropEyes, seen: Frames, **changes):
    asked = {"min_confidence": 0.25, "max_sources": 16, "mute": frozenset(), **changes}
    return own.look(seen, **asked)


def gradient(height: int, width: int):
    """A picture whose red is its column and whose green is its row."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, :, 0] = np.arange(width)[None]
    image[:, :, 1] = np.arange(height)[:, None]
    return image


def test_a_crop_is_the_exact_box_of_a_picture_that_is_not_square_stretched_to_all_of_it() -> None:
    image = gradient(100, 250)
    own, detector, clip = eyes(Region(Box(0.4, 0.1, 0.8, 0.3), "Dog", 0.9))
    [seen] = look(own, frames(image))
    whole, part = clip.seen
    np.testing.assert_array_equal(whole, image)
    expected = Image.fromarray(image[10:30, 100:200]).resize((250, 100), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(part, np.asarray(expected))
    assert part[50, [0, -1], 0].tolist() == pytest.approx([100, 199], abs=1)  # columns
    assert part[[0, -1], 125, 1].tolist() == pytest.approx([10, 29], abs=1)  # rows
    assert detector.asked == [((100, 250, 3), 0.25)]
    assert seen.sources[0].box == Box(0.4, 0.1, 0.8, 0.3)


def test_each_picture_is_cropped_in_its_own_size() -> None:
    own, _, clip = eyes(Region(Box(0, 0, 0.5, 1), "Dog", 0.9))
    for shape in ((60, 80), (80, 60), (7, 200)):
        look(own, frames(gradient(*shape)))
    assert [image.shape[:2] for image in clip.seen] == [(60, 80)] * 2 + [(80, 60)] * 2 + [(7, 200)] * 2


def test_the_whole_picture_is_slot_0_and_every_thing_is_a_source_of_its_own_vector() -> None:
    dog = Region(Box(0, 0, 0.5, 1), "Dog", 0.9)
    guitar = Region(Box(0.5, 0, 1, 1), "Musical instrument", 0.6)
    own, _, _ = eyes(dog, guitar)
    looks = look(own, frames(noise(40, 60, 1), noise(40, 60, 2)))
    assert [one.scene.clip[0] for one in looks] == [0, 6]
    assert [[source.clip[0] for source in one.sources] for one in looks] == [[2, 4], [8, 10]]
    for n, one in enumerate(looks):
        assert (one.time, one.ambience, one.reused) == (Fraction(n, 8), None, False)
        assert (one.scene.label, one.scene.box, one.scene.caption) == (SCENE, WHOLE_PICTURE, None)
        assert [(s.label, s.caption, s.confidence) for s in one.sources] == [
            ("Dog", "dog", 0.9),
            ("Musical instrument", "musical instrument", 0.6),
        ]


def test_without_a_detection_slot_0_is_alone() -> None:
    own, _, _ = eyes()
    looks = look(own, frames(noise(40, 60, 1), noise(40, 60, 2)))
    assert [one.sources for one in looks] == [(), ()]
    assert [one.scene.clip[0] for one in looks] == [0, 2]


def test_detections_in_some_frames_only() -> None:
    own, detector, _ = eyes()
    found = iter([(), (Region(Box(0, 0, 1, 1), "Cat", 0.5),), ()])
    detector.detect = lambda image, *, min_confidence: next(found)
    looks = look(own, frames(*(noise(40, 60, n) for n in range(3))))
    assert [len(one.sources) for one in looks] == [0, 1, 0]
    assert [one.scene.clip[0] for one in looks] == [0, 2, 6]


@pytest.mark.parametrize("count", [16, 63, 64])
def test_the_surest_are_kept(count) -> None:
    regions = [Region(Box(0, 0, 1, 1), f"Thing {n}", 0.99 - n / 100) for n in range(70)]
    own, _, clip = eyes(*regions)
    [seen] = look(own, frames(noise(8, 8)), max_sources=min(count, 63))
    assert [source.label for source in seen.sources] == [f"Thing {n}" for n in range(min(count, 63))]
    assert len(clip.seen) == 1 + min(count, 63)


def test_what_is_muted_is_seen_but_does_not_sound() -> None:
    own, _, _ = eyes(Region(Box(0, 0, 1, 1), "Dog", 0.9), Region(Box(0, 0, 1, 1), "Cat", 0.8))
    [seen] = look(own, frames(noise(8, 8)), mute=frozenset({"DOG", "wildcat"}))
    assert [source.caption for source in seen.sources] == [None, "cat"]


def test_an_equal_frame_is_not_looked_at_again() -> None:
    first, second = noise(40, 60, 1), noise(40, 60, 2)
    almost = second.copy()
    almost[0, 0, 0] ^= 1
    own, detector, clip = eyes(Region(Box(0, 0, 1, 1), "Dog", 0.9))
    looks = look(own, frames(first, first, second, almost, almost, almost))
    assert [one.reused for one in looks] == [False, True, False, False, True, True]
    assert [one.time for one in looks] == [Fraction(n, 8) for n in range(6)]
    assert (len(detector.asked), len(clip.seen)) == (3, 6)
    assert looks[1].sources is looks[0].sources


def test_a_cut_begins_another_shot() -> None:
    dark, light = np.zeros((40, 60, 3), np.uint8), np.full((40, 60, 3), 200, np.uint8)
    own, _, _ = eyes()
    looks = look(own, frames(dark, dark, light, light + 1))
    assert [one.cut for one in looks] == [False, False, True, False]


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 2)])
def test_small_pictures_and_boxes_without_pixels(shape, tmp_path) -> None:
    empty = Region(Box(0.7, 0.7, 0.7, 0.7), "Point", 0.9)
    detector = Told(empty, Region(Box(1.0, 1.0, 1.0, 1.0), "Corner", 0.8))
    clip = small_clip(tmp_path)
    own = CropEyes(OnDemand(lambda: detector), OnDemand(lambda: clip))
    [seen] = look(own, frames(noise(*shape)))
    for source in (seen.scene, *seen.sources):
        assert np.linalg.norm(source.clip) == pytest.approx(1, abs=1e-5)


def test_a_picture_20000_pixels_wide_is_reduced_first() -> None:
    own, detector, clip = eyes(Region(Box(0.5, 0, 1, 1), "Dog", 0.9))
    [seen] = look(own, frames(noise(100, 20_000)))
    assert [image.shape for image in clip.seen] == [(10, 2048, 3)] * 2
    assert detector.asked == [((10, 2048, 3), 0.25)]
    assert len(seen.sources) == 1


@settings(deadline=None)
@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_crop_has_the_pictures_shape_and_only_colours_of_its_box(a, b, c, d) -> None:
    box = Box(min(a, b), min(c, d), max(a, b), max(c, d))
    part = crop(gradient(33, 77), box)
    assert part.shape == (33, 77, 3)
    assert part[:, :, 0].min() >= np.floor(box.left * 77) - 1
    assert part[:, :, 0].max() <= np.ceil(box.right * 77) + 1
    assert part[:, :, 1].min() >= np.floor(box.top * 33) - 1
    assert part[:, :, 1].max() <= np.ceil(box.bottom * 33) + 1


def test_real_networks_see_what_they_would_see_alone(tmp_path) -> None:
    """Detector and encoder together, against each asked by hand."""
    architecture, state = write_detector(tmp_path)
    detector, clip = Yolo(architecture, CPU, state=state), small_clip(tmp_path)
    own = CropEyes(OnDemand(lambda: detector), OnDemand(lambda: clip))
    images = [noise(96, 160, n) for n in range(3)]
    looks = look(own, frames(*images), min_confidence=own.min_confidence)
    for image, seen in zip(images, looks, strict=True):
        regions = detector.detect(image, min_confidence=0.25)[:16]
        assert [(s.box, s.label, s.confidence) for s in seen.sources] == [
            (r.box, r.label, r.confidence) for r in regions
        ]
        boxes = [(n, _pixels(region.box)) for n, region in enumerate(regions)]
        whole = [(n, box) for n, box in boxes if box[0] < box[2] and box[1] < box[3]]
        assert len(whole) > 2
        parts = [
            Image.fromarray(image).crop(box).resize((160, 96), Image.Resampling.BICUBIC) for _, box in whole
        ]
        expected = clip.images([image, *map(np.asarray, parts)])
        found = np.stack([seen.scene.clip, *(seen.sources[n].clip for n, _ in whole)])
        assert (found * expected).sum(axis=1).min() > 0.999  # bfloat16 rounds by its batch mates


def _pixels(box: Box) -> tuple[int, int, int, int]:
    return round(box.left * 160), round(box.top * 96), round(box.right * 160), round(box.bottom * 96)


def test_the_released_settings_are_the_defaults() -> None:
    own, _, _ = eyes()
    assert (own.frame_size, own.min_confidence) == ((512, 512), 0.25)
