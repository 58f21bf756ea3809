"""Clips in which two photographed things enter and leave at known times, seen and heard chunk by chunk.

Real MP4 files, the shipped bundle. With FOLEY_TAGGER=/path/of/yamnet.onnx a tagger listens too.
"""

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ssv2a.evaluate.bars import SECONDS
from ssv2a.evaluate.material import pictures
from ssv2a.evaluate.tagger import YamNet, is_heard, top_labels
from ssv2a.media import ffmpeg
from ssv2a.media.frames import FrameReader
from ssv2a.media.timeline import picture_timeline
from ssv2a.pipeline import Ssv2a
from ssv2a.types import SAMPLE_RATE, VideoSettings

WIDTH, HEIGHT, RATE = 640, 360, 10
CHUNK, FRAMES = 5, 10  # seconds; frames that are looked at in each
LEAVES, ENTERS = 7, 4  # seconds: the first thing goes, the second comes; the clip ends after 15
SETTINGS = VideoSettings(var_samples=16, cycle_its=8, cycle_samples=16, candidates=1)
SHOWN = {wanted.name.removesuffix(".jpg"): wanted for wanted in pictures()}
PAIRS = [
    *(("dog", "fire_engine"), ("sheep", "bus"), ("violin", "cow"), ("garbage_truck", "pig")),
    *(("chicken", "jaguar"), ("drums", "guitar")),
]


@pytest.fixture(scope="module")
def model():
    return Ssv2a.load("mini", device="cpu", threads=1)


def placed(canvas, name, left):
    """A photograph in one half of the canvas, as large as there is room."""
    image = Image.fromarray(SHOWN[name].picture())
    scale = min((WIDTH / 2 - 20) / image.width, (HEIGHT - 20) / image.height)
    image = image.resize((round(image.width * scale), round(image.height * scale)))
    canvas.paste(image, (left + (WIDTH // 2 - image.width) // 2, (HEIGHT - image.height) // 2))


def clip(path, first, second):
    """15 s: the first thing on the left until LEAVES, the second on the right from ENTERS on."""
    shots = path.parent / "shots"
    shots.mkdir()
    for number in range(15 * RATE):
        canvas = Image.new("RGB", (WIDTH, HEIGHT), (150, 150, 146))
        if number < LEAVES * RATE:
            placed(canvas, first, 0)
        if number >= ENTERS * RATE:
            placed(canvas, second, WIDTH // 2)
        canvas.save(shots / f"{number:03d}.png", compress_level=1)
    source = ["-framerate", str(RATE), "-i", str(shots / "%03d.png")]
    codec = ["-c:v", "libx264", "-crf", "20", "-pix_fmt", "yuv420p"]
    ffmpeg.run(["-y", *source, *codec, ffmpeg.url(path)], timeout=120)
    return path


def chunks(model, path):
    """Takes of the clip, five seconds each, one going on from the other."""
    state, takes = None, []
    timeline = picture_timeline(path)
    with FrameReader(path, timeline) as reader:
        for start in (0, 5, 10):
            times = [start + Fraction(2 * i + 1, 2 * FRAMES) * CHUNK for i in range(FRAMES)]
            frames = reader.read(times)
            take, state = model.video(
                frames,
                CHUNK * SAMPLE_RATE,
                start=Fraction(start),
                seed=start,
                settings=SETTINGS,
                previous=state,
            )
            takes.append(take)
    return takes


def spans(take, sounds, start):
    """From the first to the last frame in which a source of such a sound is there, seconds of the clip."""
    keys = {pick.track for pick in take.picks if pick.sound in sounds}
    there = [
        start + float(time)
        for track in take.scene.tracks
        if track.key in keys
        for time, presence in zip(take.scene.times, track.presence, strict=True)
        if presence > 0.5
    ]
    return (min(there), max(there)) if there else None


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_what_enters_and_leaves_is_named_and_heard_while_it_is_there(model, tmp_path, first, second):
    takes = chunks(model, clip(tmp_path / "clip.mp4", first, second))
    interval = CHUNK / FRAMES
    ours, theirs = (set(SHOWN[name].sounds) for name in (first, second))

    # 1. The sources of each chunk are named rightly, and no others play.
    played = [{pick.sound for pick in take.picks if pick.track is not None} for take in takes]
    assert [bool(sounds & ours) for sounds in played] == [True, True, False]
    assert [bool(sounds & theirs) for sounds in played] == [True, True, True]
    assert all(sounds <= ours | theirs for sounds in played), played

    # 2. They are there when they are, within the time between two frames that are looked at.
    assert spans(takes[1], ours, 5)[1] == pytest.approx(LEAVES, abs=interval)
    assert spans(takes[0], theirs, 0)[0] == pytest.approx(ENTERS, abs=interval)
    assert spans(takes[2], ours, 10) is None

    # 3. Chunks with other sources sound otherwise.
    alone = takes[0].waveform[:, : (ENTERS - 1) * SAMPLE_RATE], takes[2].waveform
    vectors = model.listen(alone)
    assert float(vectors[0] @ vectors[1]) < 0.85


@pytest.mark.skipif("FOLEY_TAGGER" not in os.environ, reason="FOLEY_TAGGER names no tagger")
@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_a_tagger_hears_the_difference(model, tmp_path, first, second):
    tagger = YamNet.load(Path(os.environ["FOLEY_TAGGER"]))
    takes = chunks(model, clip(tmp_path / "clip.mp4", first, second))
    before = top_labels(tagger, takes[0].waveform[:, : (ENTERS - 1) * SAMPLE_RATE], SECONDS)
    after = top_labels(tagger, takes[2].waveform, SECONDS)
    assert is_heard(before, SHOWN[first].near)
    assert is_heard(after, SHOWN[second].near)
    assert set(before[:5]) != set(after[:5])
    assert np.mean([label in before for label in after]) < 0.7
