"""Sources that a profile adds, in words, as pictures and as sounds, on their way through `foley process`."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image
from released_bundle import tiny, write_released_bundle

from ssv2a.media import ffmpeg

QUICK = """
model: {cycle_its: 2, cycle_samples: 4, var_samples: 4, candidates: 1, frames: 4}
chunks: {seconds: 2, overlap: 0.25}
mix: {mode: sidecar}
"""
RATE = 48_000


def foley(clip: Path, out: Path, home: Path, code: int = 0) -> str:
    command = [sys.executable, "-m", "foley_daemon", "process", str(clip), "--out", str(out)]
    environment = {**os.environ, "FOLEY_HOME": str(home), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def result(out: Path) -> tuple[np.ndarray, dict]:
    """The foley [n, channels] of the only result, and its report."""
    (wav,) = out.glob("*.wav")
    return soundfile.read(wav)[0], json.loads(Path(f"{wav}.foley.json").read_text())


def clicks(path: Path, rate: float) -> None:
    time = np.arange(3 * RATE) / RATE
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * 900 * time) * ((time * rate) % 1 < 0.1), RATE)


@pytest.fixture(scope="module")
def done(tmp_path_factory, real_clips):
    """A folder: a clip in which nothing is seen, a profile with a source of each kind, the result in `out`.

    The picture lies on its side, as a camera writes it, and is partly transparent.
    """
    folder = tmp_path_factory.mktemp("hot")
    make = ["-f", "lavfi", "-i", "color=black:size=64x64:rate=25:duration=3"]
    ffmpeg.run([*make, ffmpeg.url(folder / "black.mp4")], timeout=30)
    first = ["-i", ffmpeg.url(real_clips["bikes"]), "-frames:v", "1"]
    ffmpeg.run([*first, ffmpeg.url(folder / "street.png")], timeout=30)
    with Image.open(folder / "street.png") as street:
        layer = street.convert("RGBA").transpose(Image.Transpose.ROTATE_90)
        layer.putalpha(240)
        exif = Image.Exif()
        exif[0x0112] = 6
        layer.save(folder / "street.png", exif=exif)
    clicks(folder / "clicks.flac", 4)
    sources = "sources: {add: [rain falling, {image: street.png},\n  {audio: ./clicks.flac}]}\n"
    (folder / "foley.yaml").write_text(QUICK + sources)
    foley(folder / "black.mp4", folder / "out", folder / "home")
    return folder


@pytest.fixture
def hot(done, tmp_path):
    """The folder once more, for changes."""
    return Path(shutil.copytree(done, tmp_path / "hot"))


def test_added_words_pictures_and_sounds_are_in_every_chunk_and_in_the_report(done):
    sound, report = result(done / "out")
    assert len(report["chunks"]) == 2
    for chunk in report["chunks"]:
        shown = [(source["label"], source["name"]) for source in chunk["sources"]]
        assert shown == [("text", "rain falling"), ("image", "street"), ("sound", "clicks")]
        heard = {entry["source"] for entry in chunk["sounds"]}
        assert {source["key"] for source in chunk["sources"]} <= heard
    assert np.sqrt(np.mean(sound**2)) > 1e-3


def test_another_content_of_an_added_sound_is_another_take(hot, foley_home):
    clicks(hot / "clicks.flac", 9)
    foley(hot / "black.mp4", hot / "again", foley_home)
    (before, first), (after, second) = result(hot / "out"), result(hot / "again")
    assert first["model"]["render_key"] != second["model"]["render_key"]
    assert before.shape == after.shape
    assert not np.array_equal(before, after)


def test_an_added_file_that_is_gone_is_told_with_file_and_line(hot, foley_home):
    (hot / "clicks.flac").unlink()
    told = foley(hot / "black.mp4", hot / "again", foley_home, code=3)
    line = len((hot / "foley.yaml").read_text().splitlines())
    assert f"foley.yaml:{line}: sources.add.2.audio: no such file" in told.replace("\n", "")
    assert not list(hot.glob("again/*.wav"))


@pytest.mark.parametrize(
    ("name", "says"), [("street.png", "no picture in it"), ("clicks.flac", "cannot be read")]
)
def test_an_added_file_of_another_kind_is_told_by_name(hot, foley_home, name, says):
    (hot / name).write_text("something else")
    told = foley(hot / "black.mp4", hot / "again", foley_home, code=3)
    assert name in told
    assert says in told
    assert "Traceback" not in told


def test_the_released_chain_takes_added_sources_and_its_one_channel_is_heard_on_both_sides(
    done, tmp_path, foley_home
):
    bundle = write_released_bundle(tmp_path / "bundle", tiny())
    hot = Path(shutil.copytree(done, tmp_path / "hot"))
    own = QUICK.replace("model: {", f"model: {{bundle: {bundle.folder}, synthesis: {{steps: 2}}, ")
    text = (hot / "foley.yaml").read_text()
    (hot / "foley.yaml").write_text(text.replace(QUICK, own.replace(", frames: 4", "")))
    foley(hot / "black.mp4", hot / "again", foley_home)
    sound, report = result(hot / "again")
    np.testing.assert_array_equal(sound[:, 0], sound[:, 1])
    assert np.sqrt(np.mean(sound**2)) > 1e-3
    shown = [source["label"] for source in report["chunks"][0]["sources"]]
    assert shown[-3:] == ["text", "image", "sound"]
    assert report["credits"][0]["licence"] == "CC-BY-NC-SA-4.0"
