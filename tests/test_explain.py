"""`--explain`: the picture beside a take that says what is seen, why it is called so, and what plays."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from ssv2a.cli import app
from ssv2a.evaluate.material import PICTURES
from ssv2a.media import ffmpeg

QUICK = [
    "--cycle-its",
    "2",
    "--cycle-samples",
    "4",
    "--var-samples",
    "4",
    "--candidates",
    "1",
    "--device",
    "cpu",
]


def run(*arguments):
    done = CliRunner().invoke(app, [*map(str, arguments), *QUICK])
    assert done.exit_code == 0, done.output


def shown(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


@pytest.mark.parametrize("name", ["cow.jpg", "boat.jpg", "saw.jpg"])  # three sources, the whole, none
def test_a_picture_is_explained_beside_its_sound(tmp_path, name):
    run("image", PICTURES / name, "--explain", "--duration", 2, "--out", tmp_path)
    stem = Path(name).stem
    report = json.loads((tmp_path / f"{stem}.json").read_text())
    assert report["explanation"] == f"{stem}.explain.png"
    page = shown(tmp_path / f"{stem}.explain.png")
    assert page.shape[1] >= 1200
    assert len(np.unique(page.reshape(-1, 3), axis=0)) > 1_000  # a photograph and a spectrogram are in it


def test_a_clip_is_explained_frame_by_frame_and_without_the_option_nothing_is_drawn(tmp_path):
    clip = tmp_path / "clip.mp4"
    source = ["-loop", "1", "-i", str(PICTURES / "dog.jpg"), "-t", "3", "-r", "10"]
    even = ["-vf", "scale=512:384", "-pix_fmt", "yuv420p", "-c:v", "libx264"]
    ffmpeg.run(["-y", *source, *even, ffmpeg.url(clip)], timeout=60)
    run("video", clip, "--explain", "--frames", 4, "--out", tmp_path / "a")
    assert shown(tmp_path / "a" / "clip.explain.png").shape[1] >= 1200
    run("video", clip, "--frames", 4, "--out", tmp_path / "b")
    assert not (tmp_path / "b" / "clip.explain.png").exists()


def test_a_later_take_without_the_picture_leaves_no_old_one(tmp_path):
    for options in (["--explain"], []):
        run("image", PICTURES / "dog.jpg", "--duration", 1, "--out", tmp_path, "--overwrite", *options)
    assert not (tmp_path / "dog.explain.png").exists()
