"""`ssv2a data build` keeps the stretches in which one kind of source alone is seen and heard; it says why."""

import csv
import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from footage_clips import clip, photograph, sound
from PIL import Image

from ssv2a.footage.files import split_files
from ssv2a.train.data import prepare, read_manifest

SECONDS = 4


@pytest.fixture(scope="module")
def footage(tmp_path_factory):
    """Ten files; only `dog`, `sheep` and the first half of `turns` are what VGGS3 asks for."""
    folder = tmp_path_factory.mktemp("footage")
    bark, bleat = sound("dog_bark", 4 * SECONDS), sound("sheep_bleat", SECONDS)
    rng = np.random.default_rng(0)
    notes = np.sin(2 * np.pi * np.outer([262, 330, 392, 523, 660], np.arange(4 * 48_000) / 48_000)).sum(0)
    clip(folder / "dog.mp4", photograph("dog"), bark, SECONDS)
    clip(folder / "monday" / "sheep.mp4", photograph("sheep"), bleat, SECONDS)
    clip(folder / "wrong.mp4", photograph("dog"), sound("helicopter", SECONDS), SECONDS)
    clip(folder / "two.mp4", photograph("dog", "fire_engine"), bark, SECONDS)
    clip(folder / "silent.mp4", photograph("dog"), np.zeros((2, 4 * 48_000), np.float32), SECONDS)
    clip(folder / "mute.mp4", photograph("dog"), None, SECONDS)
    clip(folder / "grey.mp4", Image.new("RGB", (320, 240), (120, 120, 120)), bark, SECONDS)
    clip(folder / "short.mp4", photograph("dog"), bark, 1)
    music = (bark[:, : 4 * 48_000] + 0.1 * notes).astype(np.float32)
    clip(folder / "music.mp4", photograph("dog"), music, SECONDS)
    overdriven = np.sign(rng.standard_normal((2, 4 * 48_000))).astype(np.float32)
    clip(folder / "hot.mp4", photograph("dog"), overdriven, SECONDS)
    turned = np.concatenate((bark[:, : 4 * 48_000], sound("helicopter", SECONDS)), axis=1)
    clip(folder / "turns.mp4", photograph("dog"), turned, 2 * SECONDS)
    (folder / "notes.mp4").write_text("this is no film")
    (folder / "copy.mp4").write_bytes((folder / "dog.mp4").read_bytes())
    (folder / "readme.txt").write_text("not a clip")
    return folder


def build(folder, out, *options):
    return subprocess.run(
        command(folder, out, *options), capture_output=True, text=True, timeout=300, check=False
    )


def command(folder, out, *options):
    args = ["data", "build", str(folder), "--out", str(out), "--seconds", str(SECONDS), "--threads", "1"]
    return [Path(sys.executable).with_name("ssv2a"), *args, *options]


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def contents(out):
    """Every file of a data set but what was observed, with its content."""
    files = (path for path in sorted(out.rglob("*")) if path.is_file() and "observed" not in path.parts)
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def built(footage, tmp_path_factory):
    out = tmp_path_factory.mktemp("data") / "set"
    before = contents(footage)
    done = build(footage, out)
    assert done.returncode == 1, done.stderr  # one file cannot be read
    assert contents(footage) == before
    return out, done


def test_each_stretch_ends_as_it_should(built):
    out, _ = built
    verdicts = {(row["file"], row["start"]): row["verdict"] for row in rows(out / "report.csv")}
    assert verdicts == {
        ("copy.mp4", "0.000"): "kept",  # the first of two, by name
        ("dog.mp4", ""): "copy of another file",
        ("grey.mp4", "0.000"): "nothing that sounds is seen",
        ("hot.mp4", "0.000"): "overdriven",
        ("monday/sheep.mp4", "0.000"): "kept",
        ("music.mp4", "0.000"): "music under it",
        ("mute.mp4", ""): "no audio track",
        ("notes.mp4", ""): "cannot be read",
        ("short.mp4", ""): "too short",
        ("silent.mp4", "0.000"): "silent",
        ("turns.mp4", "0.000"): "kept",
        ("turns.mp4", "4.000"): "sounds like something else",
        ("two.mp4", "0.000"): "several kinds of source are seen",
        ("wrong.mp4", "0.000"): "sounds like something else",
    }


def test_what_is_kept_is_what_training_reads(built, tmp_path):
    out, _ = built
    recordings = {recording.origin: recording for recording in read_manifest(out)}
    kept = {name.removeprefix("footage: "): one.sound for name, one in recordings.items()}
    assert kept == {"copy.mp4": "dog_bark", "monday/sheep.mp4": "sheep_bleat", "turns.mp4": "dog_bark"}
    for recording in recordings.values():
        samples, rate = soundfile.read(recording.path)
        assert (rate, len(samples)) == (48_000, SECONDS * 48_000)
        assert np.abs(samples).max() > 0.05
    assert {one.split for one in recordings.values()} == {"train", "val"}
    prepared = prepare(list(recordings.values()), (), tmp_path)
    assert {one.sound for one in prepared} == {"dog_bark", "sheep_bleat"}


def test_the_sound_of_a_stretch_is_the_clips_own_there(built):
    """The second half of `turns` is a helicopter; what is kept is the first."""
    out, _ = built
    row = next(row for row in rows(out / "manifest.csv") if row["source_file"] == "turns.mp4")
    own, _ = soundfile.read(out / row["path"], always_2d=True)
    truth = sound("dog_bark", 4 * SECONDS)[:, : SECONDS * 48_000].T
    assert np.corrcoef(own.ravel(), truth.ravel())[0, 1] > 0.95


def test_frames_of_what_is_kept_show_the_source(built):
    out, _ = built
    row = next(row for row in rows(out / "manifest.csv") if row["class"] == "sheep_bleat")
    frames = row["frames"].split("|")
    assert 1 <= len(frames) <= 3
    with Image.open(out / frames[0]) as image:
        shown = np.asarray(image.convert("RGB").resize((48, 32)), np.float32)
    truth = np.asarray(photograph("sheep").resize((48, 32)), np.float32)
    assert np.abs(shown - truth).mean() < 12


def test_the_page_tells_every_reason_and_names_only_what_is_there(built):
    out, done = built
    page = (out / "report.html").read_text(encoding="utf-8")
    for row in rows(out / "report.csv"):
        assert row["verdict"] in page
        assert row["file"] in page
    for row in rows(out / "manifest.csv"):
        assert f"src='{row['path']}'" in page
        assert all(f"src='{frame}'" in page for frame in row["frames"].split("|"))
    assert "3 of 14 stretches kept" in done.stdout
    assert "notes.mp4" in done.stderr


def test_a_second_build_looks_at_nothing_again_and_changes_nothing(built, footage):
    out, _ = built
    before, started = contents(out), {path: path.stat().st_mtime_ns for path in out.rglob("*.npz")}
    assert build(footage, out).returncode == 1
    assert contents(out) == before
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.npz")} == started


def test_a_stricter_build_takes_away_what_it_no_longer_keeps(built, footage, tmp_path):
    out, _ = built
    loose = tmp_path / "loose"
    build(footage, loose, "--nearest", "113")
    assert {row["source_file"] for row in rows(loose / "manifest.csv")} > {"wrong.mp4", "copy.mp4"}
    build(footage, loose)
    assert contents(loose) == contents(out)


def test_killed_and_gone_on_with_it_is_as_if_nothing_had_been(built, footage, tmp_path):
    out, _ = built
    again = tmp_path / "again"
    process = subprocess.Popen(command(footage, again), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    limit = time.monotonic() + 120
    while len(list(again.glob("observed/*.npz"))) < 4:
        assert time.monotonic() < limit
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (again / "manifest.csv").exists()
    build(footage, again)
    assert contents(again) == contents(out)


def test_a_folder_that_holds_something_else_is_left_alone(footage, tmp_path):
    other = tmp_path / "films"
    other.mkdir()
    (other / "sounds").mkdir()
    (other / "sounds" / "mine.flac").write_bytes(b"mine")
    done = build(footage, other)
    assert done.returncode == 1
    assert "no data set" in done.stderr
    assert (other / "sounds" / "mine.flac").read_bytes() == b"mine"


def test_a_folder_without_clips_says_so(tmp_path):
    done = build(tmp_path, tmp_path / "out")
    assert done.returncode == 1
    assert "no clip in it" in done.stderr


def test_more_files_never_move_one_to_the_other_side():
    few = split_files([f"file{n}" for n in range(40)], seed=3)
    many = split_files([f"file{n}" for n in range(400)], seed=3)
    assert all(many[name] == side for name, side in few.items())
    assert 0.1 < sum(side == "val" for side in many.values()) / 400 < 0.3
    assert set(split_files(["a", "b"], 0).values()) == {"train", "val"}
