"""`ssv2a data build` keeps the stretches in which one kind of source alone is seen and heard; it says why."""

import csv
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from footage_clips import clip, photograph, sound
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from ssv2a.cli import app
from ssv2a.errors import InputError
from ssv2a.footage.files import split_files
from ssv2a.footage.survey import list_clips
from ssv2a.pipeline import Ssv2a
from ssv2a.soundbank.models import all_models
from ssv2a.train.data import prepare, read_manifest

SECONDS = 4
MINI = Path(__file__).parents[1] / "ssv2a" / "bundles" / "mini"
CUP = Path(__file__).parent / "data" / "pictures" / "coffee.jpg"


@pytest.fixture(scope="module")
def footage(tmp_path_factory):
    """Files of known truth; only `dog`, `sheep` and the first half of `turns` are what VGGS3 asks for."""
    folder = tmp_path_factory.mktemp("footage")
    bark, bleat = sound("dog_bark", 4 * SECONDS), sound("sheep_bleat", SECONDS)
    rng = np.random.default_rng(0)
    notes = np.sin(2 * np.pi * np.outer([262, 330, 392, 523, 660], np.arange(4 * 48_000) / 48_000)).sum(0)
    clip(folder / "dog.mp4", photograph("dog"), bark, SECONDS)
    clip(folder / "monday" / "sheep.mp4", photograph("sheep"), bleat, SECONDS, pans=True)
    clip(folder / "wrong.mp4", photograph("dog"), sound("helicopter", SECONDS), SECONDS)
    clip(folder / "two.mp4", photograph("dog", "fire_engine"), bark, SECONDS)
    clip(folder / "silent.mp4", photograph("dog"), np.zeros((2, 4 * 48_000), np.float32), SECONDS)
    clip(folder / "mute.mp4", photograph("dog"), None, SECONDS)
    clip(folder / "grey.mp4", Image.new("RGB", (320, 240), (120, 120, 120)), bark, SECONDS)
    clip(folder / "cup.mp4", Image.open(CUP).resize((480, 320)), bark, SECONDS)
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
        ("cup.mp4", "0.000"): "only silent things are seen",
        ("grey.mp4", "0.000"): "nothing is seen",
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
    row = next(row for row in rows(out / "manifest.csv") if row["source_file"] == "copy.mp4")
    frames = row["frames"].split("|")
    assert 1 <= len(frames) <= 3
    with Image.open(out / frames[0]) as image:
        shown = np.asarray(image.convert("RGB").resize((48, 32)), np.float32)
    truth = np.asarray(photograph("dog").resize((48, 32)), np.float32)
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
    assert "3 of 15 stretches kept" in done.stdout
    assert "notes.mp4" in done.stderr


def test_a_second_build_looks_at_new_files_alone_and_forgets_those_that_are_gone(built, footage, tmp_path):
    clips, out = tmp_path / "clips", tmp_path / "set"
    shutil.copytree(footage, clips)
    shutil.copytree(built[0], out)
    kept_before = contents(out)
    with (clips / "monday" / "sheep.mp4").open("ab") as file:
        file.write(b"\0\0\0\x08free")  # another file, by its content
    (clips / "monday" / "sheep.mp4").rename(clips / "flock.mp4")
    (clips / "turns.mp4").unlink()
    done = build(clips, out)
    assert "1 files looked at, 9 known before" in done.stdout
    assert {row["source_file"] for row in rows(out / "manifest.csv")} == {"copy.mp4", "flock.mp4"}
    sounds = {path.name for path in (out / "sounds").iterdir()}
    assert sounds == {Path(row["path"]).name for row in rows(out / "manifest.csv")}
    assert len(list((out / "frames").iterdir())) == sum(
        len(row["frames"].split("|")) for row in rows(out / "manifest.csv")
    )
    assert kept_before.items() & contents(out).items()  # the dog's sound and frames stay as they were


def test_a_stricter_build_takes_away_what_it_no_longer_keeps(built, footage, tmp_path):
    out, _ = built
    loose = tmp_path / "loose"
    shutil.copytree(out, loose)
    build(footage, loose, "--nearest", "999")
    assert {row["source_file"] for row in rows(loose / "manifest.csv")} > {"wrong.mp4", "copy.mp4"}
    build(footage, loose)
    assert contents(loose) == contents(out)


def stopped(footage, out, number, after):
    """Status of a build that gets a signal once so many files are looked at, and its seconds after that."""
    process = subprocess.Popen(command(footage, out), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    limit = time.monotonic() + 120
    while len(list(out.glob("observed/*.npz"))) < after:
        assert time.monotonic() < limit
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, number)
    since = time.monotonic()
    status = process.wait(30)
    return status, time.monotonic() - since


def test_interrupted_killed_and_gone_on_with_it_is_as_if_nothing_had_been(built, footage, tmp_path):
    out, _ = built
    again = tmp_path / "again"
    status, seconds = stopped(footage, again, signal.SIGINT, after=2)
    assert (status, seconds < 3) == (130, True)
    assert not [path for path in again.rglob("*") if path.name.endswith(".part")]
    assert stopped(footage, again, signal.SIGKILL, after=5)[0] == -signal.SIGKILL
    assert not (again / "manifest.csv").exists()
    done = build(footage, again)
    assert int(re.search(r"(\d+) known before", done.stdout)[1]) >= 5
    assert contents(again) == contents(out)


def test_a_long_film_is_observed_in_parts(tmp_path):
    """33 stretches are two parts; the bark lies in the last stretch."""
    waveform = np.zeros((2, 66 * 48_000), np.float32)
    waveform[:, 64 * 48_000 :] = sound("dog_bark", 2)
    clip(tmp_path / "clips" / "film.mp4", photograph("dog"), waveform, 66)
    out = tmp_path / "set"
    done = build(tmp_path / "clips", out, "--seconds", "2")
    assert "1 files looked at" in done.stdout
    assert len(list((out / "observed").iterdir())) == 2
    verdicts = [row["verdict"] for row in rows(out / "report.csv")]
    assert verdicts == ["silent"] * 32 + ["kept"]
    (row,) = rows(out / "manifest.csv")
    assert row["start"] == "64.000"
    assert np.abs(soundfile.read(out / row["path"])[0]).max() > 0.05
    assert row["path"] in (out / "report.html").read_text(encoding="utf-8")


def test_a_folder_that_holds_something_else_is_left_alone(footage, tmp_path):
    (tmp_path / "sounds").mkdir()
    (tmp_path / "sounds" / "mine.flac").write_bytes(b"mine")
    done = CliRunner().invoke(app, ["data", "build", str(footage), "--out", str(tmp_path), "--threads", "1"])
    assert isinstance(done.exception, InputError)
    assert "no data set" in str(done.exception)
    assert (tmp_path / "sounds" / "mine.flac").read_bytes() == b"mine"


def test_a_folder_without_clips_says_so(tmp_path):
    out = str(tmp_path / "out")
    done = CliRunner().invoke(app, ["data", "build", str(tmp_path), "--out", out, "--threads", "1"])
    assert isinstance(done.exception, InputError)
    assert "no clip in it" in str(done.exception)


@pytest.mark.slow
def test_a_bundle_is_trained_on_what_is_kept(built, tmp_path, monkeypatch):
    few = ("mammal.dog", "mammal.cow", "weather.rain", "signal.siren", "machine.room")
    models = {name: model for name, model in all_models().items() if name in few}
    monkeypatch.setattr("ssv2a.soundbank.models.all_models", lambda: models)
    bundle, runs = tmp_path / "bundle", tmp_path / "runs"
    shutil.copytree(MINI, bundle)
    options = ["--out", str(runs), "--version", "9.9.9", "--bundle", str(bundle), "--steps", "20"]
    done = CliRunner().invoke(app, ["train", "all", "--data", str(built[0]), *options])
    assert done.exit_code == 0, (done.output, done.exception)
    model = Ssv2a.load(bundle, device="cpu", threads=1, bank="community")
    assert "9.9.9" in model.bundle_id


def test_a_file_whose_name_is_no_text_is_built_and_read(tmp_path):
    name = os.fsdecode(b"caf\xe9.mp4")
    try:
        made = clip(tmp_path / "clips" / "cafe.mp4", photograph("dog"), sound("dog_bark", SECONDS), SECONDS)
        made.rename(made.with_name(name))
    except OSError:
        pytest.skip("this disk takes names of text alone")
    out = tmp_path / "set"
    done = build(tmp_path / "clips", out)
    assert done.returncode == 0, done.stderr
    (recording,) = read_manifest(out)
    assert recording.sound == "dog_bark"
    assert recording.origin == "footage: caf\N{REPLACEMENT CHARACTER}.mp4"  # as banks and cue sheets print it
    assert prepare([recording], (), tmp_path / "cache")[0].sound == "dog_bark"


def test_files_alike_at_their_ends_are_copies_only_if_they_are_alike_throughout(tmp_path):
    head, tail = bytes(1 << 20), bytes([1]) * (1 << 20)
    films = {"a": b"one", "b": b"two", "copy of a": b"one", "copy of b": b"two"}
    for name, middle in films.items():
        (tmp_path / f"{name}.mp4").write_bytes(head + middle + tail)
    folder = list_clips(tmp_path, leave_out=tmp_path / "out")
    assert [path.name for path in folder.clips.values()] == ["a.mp4", "b.mp4"]
    assert [(one.file, one.why) for one in folder.passed] == [
        ("copy of a.mp4", "a.mp4"),
        ("copy of b.mp4", "b.mp4"),
    ]


@given(
    few=st.sets(st.integers(0, 500), min_size=2), more=st.sets(st.integers(0, 500)), seed=st.integers(0, 9)
)
def test_more_files_move_one_to_the_other_side_only_where_it_had_been_put_there(few, more, seed):
    """Of a few files, one is put on the side that chance left empty; it may go back when more come."""
    before = split_files([f"file{n}" for n in few], seed)
    after = split_files([f"file{n}" for n in few | more], seed)
    moved = [name for name, side in before.items() if after[name] != side]
    assert len(moved) <= 1
    if moved:
        assert list(before.values()).count(before[moved[0]]) == 1
    assert set(before.values()) == {"train", "val"}


def test_a_fifth_of_the_files_is_held_out_and_more_of_them_move_none():
    few = split_files([f"file{n}" for n in range(40)], seed=3)
    many = split_files([f"file{n}" for n in range(400)], seed=3)
    assert all(many[name] == side for name, side in few.items())
    assert 0.1 < sum(side == "val" for side in many.values()) / 400 < 0.3
