"""The panning clip, by which speed and memory are measured and which the demo shows."""

from fractions import Fraction

import pytest

from ssv2a.evaluate.bars import Listener, speed_bars
from ssv2a.evaluate.slides import write_panning_clip
from ssv2a.media import ffmpeg
from ssv2a.media.timeline import picture_timeline
from ssv2a.pipeline import Ssv2a
from ssv2a.types import VideoSettings


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("slides") / "clip.mp4"
    write_panning_clip(path)
    return path


def test_it_is_ten_seconds_in_1080p(clip):
    timeline = picture_timeline(clip)
    assert timeline.duration == Fraction(10)
    assert len(timeline.starts) == 300
    (stream,) = ffmpeg.probe(["-show_entries", "stream=width,height,pix_fmt", ffmpeg.url(clip)])["streams"]
    assert (stream["width"], stream["height"], stream["pix_fmt"]) == (1920, 1080, "yuv420p")


def test_all_that_it_shows_is_heard_and_nothing_else(clip):
    model = Ssv2a.load("mini", device="cpu", threads=1)
    take = Listener(model, None, VideoSettings(), 16).clip(clip, seed=0)
    played = {pick.sound: pick.heard for pick in take.picks if pick.track is not None}
    assert played.keys() == {"dog_bark", "cat_meow", "cow_moo", "sheep_bleat", "bus_engine", "car_pass"}
    shots = {"dog_bark": 0, "cat_meow": 0, "cow_moo": 1, "sheep_bleat": 1, "bus_engine": 2, "car_pass": 2}
    for sound, shot in shots.items():
        assert 10 * shot / 3 - 0.3 < float(played[sound][0][0]) < 10 * (shot + 1) / 3, sound


def test_the_speed_bars_are_of_a_caption_and_of_such_a_clip(monkeypatch):
    asked = []

    class Stub:
        def take(self, wanted, seed):
            asked.append((wanted[0].name, seed))

        def clip(self, path, seed):
            assert path.stat().st_size == 4
            asked.append((path.name, seed))

    monkeypatch.setattr("ssv2a.evaluate.bars.write_panning_clip", lambda path: path.write_bytes(b"clip"))
    bars = {bar.name.split(",")[0]: bar for bar in speed_bars(0.5, Stub())}
    assert len({name for name, _ in asked}) == 2
    assert [seed for name, seed in asked if name == "clip.mp4"] == list(range(6))
    assert bars["loading"].figure == 0.5
    assert bars["a 10 s clip in 1080p read"].wanted == 10
    assert bars["memory at the peak"].figure > 0.02
    assert all(bar.at_most and bar.counts for bar in bars.values())
