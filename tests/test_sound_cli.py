"""`ssv2a image|video|compose` with the shipped bundle: what comes out, what it is called, what is refused."""

import csv
import functools
import io
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from media_fixtures import make_clip
from PIL import Image
from typer.testing import CliRunner

from ssv2a import studio
from ssv2a.cli import app
from ssv2a.cli_files import VIDEOS, files_in, result_names
from ssv2a.cli_options import told
from ssv2a.errors import InputError
from ssv2a.media import ffmpeg
from ssv2a.media.timeline import Timeline, even_times

RATE = 48_000
SECONDS = 1
QUICK = ("--cycle-its", "2", "--cycle-samples", "4", "--var-samples", "4", "--candidates", "1")
SHORT = (*QUICK, "--duration", str(SECONDS))


@pytest.fixture(autouse=True, scope="module")
def _one_model():
    """The real bundle, loaded once for all tests of this module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(studio.Ssv2a, "load", functools.cache(studio.Ssv2a.load))
        yield


@pytest.fixture(scope="module")
def photos(tmp_path_factory, real_clips) -> dict[str, Path]:
    """The first frame of each real clip: people with bicycles, a cartoon."""
    folder = tmp_path_factory.mktemp("photos")
    for name, clip in real_clips.items():
        args = ["-i", ffmpeg.url(clip), "-frames:v", "1", ffmpeg.url(folder / f"{name}.png")]
        ffmpeg.run(args, timeout=30)
    return {path.stem: path for path in folder.iterdir()}


def ssv2a(*arguments, code: int = 0):
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == code, f"{done.output}\n{done.exception!r}"
    return done


def report(wav: Path) -> dict:
    return json.loads(wav.with_suffix(".json").read_text())


def sound(wav: Path) -> np.ndarray:
    """[channels, n]."""
    return soundfile.read(wav, always_2d=True)[0].T


def words(output: str) -> str:
    """What is told, without the frame around it."""
    return " ".join(output.replace("│", " ").split())


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def rms(waveform: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(waveform))))


# What comes out


def test_a_picture_comes_out_as_a_wav_with_a_report(tmp_path, photos):
    before = photos["bikes"].read_bytes()
    done = ssv2a("image", photos["bikes"], "--out", tmp_path, *SHORT, "--seed", 5)
    assert listing(tmp_path) == ["bikes.json", "bikes.wav"]
    with soundfile.SoundFile(tmp_path / "bikes.wav") as file:
        assert (file.samplerate, file.subtype, file.frames) == (RATE, "PCM_24", SECONDS * RATE)
    assert rms(sound(tmp_path / "bikes.wav")) > 0.001
    assert np.abs(sound(tmp_path / "bikes.wav")).max() < 1
    said = report(tmp_path / "bikes.wav")
    assert said["inputs"] == [{"image": str(photos["bikes"])}]
    assert (said["seed"], said["samples"], said["settings"]["cycle_its"]) == (5, SECONDS * RATE, 2)
    assert "person" in {source["name"] for source in said["sources"]}
    assert said["models"]["bundle"].startswith("mini-")
    assert said["models"]["licences"] == ["Apache-2.0"]
    assert {one["licence"] for one in said["credits"]} <= {"CC0-1.0", "MIT"}
    assert -1 <= said["fit"] <= 1
    assert {"python", "torch", "ffmpeg"} <= said["versions"].keys()
    assert str(tmp_path / "bikes.wav") in done.stdout
    assert photos["bikes"].read_bytes() == before


def test_a_pictures_sound_depends_on_its_seed_and_on_nothing_else_in_the_call(tmp_path, photos):
    pair = [photos["bikes"], photos["bunny"]]
    ssv2a("image", *pair, "--out", tmp_path / "a", *SHORT)
    ssv2a("image", *reversed(pair), "--out", tmp_path / "b", *SHORT, "--batch", 1)
    ssv2a("image", photos["bikes"], "--out", tmp_path / "c", *SHORT)
    ssv2a("image", photos["bikes"], "--out", tmp_path / "d", *SHORT, "--seed", 7)
    first = (tmp_path / "a" / "bikes.wav").read_bytes()
    assert (tmp_path / "b" / "bikes.wav").read_bytes() == first
    assert (tmp_path / "c" / "bikes.wav").read_bytes() == first
    assert (tmp_path / "d" / "bikes.wav").read_bytes() != first
    assert (tmp_path / "a" / "bunny.wav").read_bytes() == (tmp_path / "b" / "bunny.wav").read_bytes()


def test_by_default_a_picture_sounds_for_ten_seconds(tmp_path, photos):
    ssv2a("image", photos["bunny"], "--out", tmp_path, *QUICK)
    assert sound(tmp_path / "bunny.wav").shape[1] == 10 * RATE


def test_a_clip_sounds_as_long_as_it_is_and_at_most_ten_seconds(tmp_path, real_clips):
    make_clip(tmp_path / "short.mkv", seconds=Fraction(34, 25))
    args = ["-stream_loop", "1", "-i", ffmpeg.url(real_clips["bunny"]), "-c", "copy", "-an"]
    ffmpeg.run([*args, ffmpeg.url(tmp_path / "long.mp4")], timeout=30)
    ssv2a("video", tmp_path, "--out", tmp_path / "out", *QUICK, "--frames", 3)
    assert sound(tmp_path / "out" / "short.wav").shape[1] == 34 * RATE // 25
    assert sound(tmp_path / "out" / "long.wav").shape[1] == 10 * RATE
    long = report(tmp_path / "out" / "long.wav")
    assert long["settings"]["frames"] == 3
    assert "the first 10 s of the clip's 10.6 s are heard" in long["warnings"][-1]
    assert not any("are heard" in warning for warning in report(tmp_path / "out" / "short.wav")["warnings"])


def test_the_tracks_of_a_take_sum_up_to_it(tmp_path, photos):
    texts = ("--text", "a dog barking", "--text", "rain falling", "--text", "rain falling")
    ssv2a("compose", *texts, "--out", tmp_path, *SHORT, "--tracks")
    names = listing(tmp_path / "composition.tracks")
    assert names == ["01_a_dog_barking.wav", "02_rain_falling.wav", "03_rain_falling.wav"]
    said = report(tmp_path / "composition.wav")
    assert [source["track"] for source in said["sources"]] == [f"composition.tracks/{name}" for name in names]
    tracks = [sound(tmp_path / "composition.tracks" / name) for name in names]
    mix = sound(tmp_path / "composition.wav")
    assert {track.shape for track in tracks} == {mix.shape}
    rest = mix - sum(tracks)  # the room's tone, which is nobody's
    assert rms(rest) < 0.1 * rms(mix)
    assert rms(tracks[1] - tracks[2]) > 0.1 * rms(tracks[1]), "equal words are sources of their own"


def test_the_same_take_comes_out_with_tracks_and_without(tmp_path, photos):
    ssv2a("image", photos["bikes"], "--out", tmp_path / "a", *SHORT)
    ssv2a("image", photos["bikes"], "--out", tmp_path / "b", *SHORT, "--tracks")
    assert (tmp_path / "a" / "bikes.wav").read_bytes() == (tmp_path / "b" / "bikes.wav").read_bytes()
    assert any("person" in name for name in listing(tmp_path / "b" / "bikes.tracks"))


def test_pictures_words_and_sounds_are_composed_in_that_order(tmp_path, photos):
    for name, hertz in (("low.flac", 200), ("high.ogg", 2000)):
        wave = 0.2 * np.sin(2 * np.pi * hertz * np.arange(12 * 22_050) / 22_050)
        soundfile.write(tmp_path / name, np.stack([wave, 0 * wave], axis=1), 22_050)
    sources = [
        *("--audio", tmp_path / "low.flac", "--text", " wind blowing ", "--audio", tmp_path / "high.ogg"),
        *("--image", photos["bunny"], "--text", "wind blowing", "--image", photos["bunny"]),
    ]
    ssv2a("compose", *sources, "--out", tmp_path / "scene.wav", *SHORT, "--tracks")
    said = report(tmp_path / "scene.wav")
    assert [next(iter(one)) for one in said["inputs"]] == ["image", "image", "text", "text", "audio", "audio"]
    assert [source["label"] for source in said["sources"]] == [*["image"] * 2, *["text"] * 2, *["sound"] * 2]
    photo = photos["bunny"].stem
    names = [photo, photo, "wind blowing", "wind blowing", "low", "high"]
    assert [source["name"] for source in said["sources"]] == names
    assert len(listing(tmp_path / "scene.tracks")) == 6
    again = [*sources[2:], *sources[:2]]  # the low sound last: another order within its kind
    ssv2a("compose", *sources, "--out", tmp_path / "b.wav", *SHORT)
    ssv2a("compose", *again, "--out", tmp_path / "c.wav", *SHORT)
    assert (tmp_path / "b.wav").read_bytes() == (tmp_path / "scene.wav").read_bytes()
    assert report(tmp_path / "c.wav")["inputs"][-1] == {"audio": str(tmp_path / "low.flac")}


def test_sixty_three_sources_are_composed_and_the_next_is_refused(tmp_path):
    texts = [word for number in range(63) for word in ("--text", f"rain number {number % 9}")]
    ssv2a("compose", *texts, "--out", tmp_path, *SHORT)
    assert len(report(tmp_path / "composition.wav")["sources"]) == 63
    refused = ssv2a("compose", *texts, "--text", "wind", "--out", tmp_path, *SHORT, code=2)
    assert "expected 1 to 63 sources, got 64" in words(refused.output)
    assert "got 0" in ssv2a("compose", code=2).output


def test_ten_thousand_words_are_a_text(tmp_path):
    ssv2a("compose", "--text", "rain " * 10_000, "--out", tmp_path, *SHORT, "--tracks")
    (track,) = listing(tmp_path / "composition.tracks")
    assert len(track) < 60


def test_settings_of_the_synthesiser_reach_it(tmp_path, photos):
    sides = []
    for width in (0, 1):
        ssv2a(
            "image",
            photos["bikes"],
            "--out",
            tmp_path,
            *SHORT,
            "--synthesis",
            f"width={width}",
            "--overwrite",
        )
        left, right = sound(tmp_path / "bikes.wav")
        sides.append(rms(left - right) / rms(left + right))
        assert report(tmp_path / "bikes.wav")["settings"]["synthesis"] == {"width": width}
    assert sides[0] < 0.7 * sides[1]


# Names


def test_names_are_matched_exactly_whatever_they_look_like(tmp_path):
    """A clip gets its own frames though its name is part of another's, and its suffix is written large."""
    clips = tmp_path / "clips"
    clips.mkdir()
    for name, colour in (("a1.mp4", "white"), ("a10.MP4", "black"), ("-x 'é\n.mkv", "green")):
        source = ["-f", "lavfi", "-i", f"color={colour}:size=64x64:rate=25:duration=1"]
        target = ffmpeg.url(clips / name)
        ffmpeg.run([*source, "-f", "matroska" if name.endswith("mkv") else "mp4", target], timeout=30)
    ssv2a("video", clips, "--out", tmp_path / "all", *SHORT)
    assert listing(tmp_path / "all") == sorted(
        f"{stem}.{suffix}" for stem in ("a1", "a10", "-x 'é\n") for suffix in ("json", "wav")
    )
    for stem, name in (("a1", "a1.mp4"), ("a10", "a10.MP4")):
        ssv2a("video", clips / name, "--out", tmp_path / stem, *SHORT)
        alone, together = tmp_path / stem / f"{stem}.wav", tmp_path / "all" / f"{stem}.wav"
        assert alone.read_bytes() == together.read_bytes()
        assert report(together)["inputs"] == [{"video": str(clips / name)}]


def test_results_of_one_name_keep_what_tells_their_inputs_apart(tmp_path, photos):
    for place in ("one/dog.png", "two/dog.png", "two/dog.PNG.bmp", "two/cat.gif"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        Image.new("RGB", (40, 30)).save(tmp_path / place, Path(place).suffix[1:])
    paths = [tmp_path / "one", tmp_path / "two", tmp_path / "two" / "cat.gif"]
    ssv2a("image", *paths, "--out", tmp_path / "out", *SHORT)
    wavs = [path.name for path in sorted((tmp_path / "out").glob("*.wav"))]
    assert wavs == ["cat.wav", "dog.PNG.bmp.wav", "one_dog.png.wav", "two_dog.png.wav"]
    assert report(tmp_path / "out" / "one_dog.png.wav")["inputs"] == [
        {"image": str(tmp_path / "one" / "dog.png")}
    ]


_part = st.text(alphabet="aAb_.", min_size=1, max_size=4).filter(lambda part: set(part) != {"."})


@given(st.sets(st.lists(_part, min_size=1, max_size=3).map(tuple), min_size=1, max_size=8), st.randoms())
def test_names_of_results_do_not_depend_on_the_order(places, random):
    paths = [Path("/", *place) for place in sorted(places)]
    names = dict(zip(paths, result_names(paths), strict=True))
    random.shuffle(paths)
    assert dict(zip(paths, result_names(paths), strict=True)) == names
    assert all(names[path].endswith(path.stem) or path.name in names[path] for path in paths)


def test_long_names_stay_apart_and_leave_room_for_what_is_put_behind_them():
    paths = [Path("/x", "é" * 120 + end + ".png") for end in ("one", "two", "")]
    names = result_names(paths)
    assert len(set(names)) == 3
    assert all(len(os.fsencode(f"{name}_99.tracks")) < 255 for name in names)


def test_nothing_is_overwritten_unasked(tmp_path, photos):
    (tmp_path / "bikes.json").write_text("the user's own")
    ssv2a("image", photos["bikes"], "--out", tmp_path, *SHORT, "--tracks")
    ssv2a("image", photos["bikes"], "--out", tmp_path, *SHORT, "--seed", 1)
    assert [name for name in listing(tmp_path) if "/" not in name] == [
        *("bikes.json", "bikes_2.json", "bikes_2.wav", "bikes_3.json", "bikes_3.wav")
    ]
    assert (tmp_path / "bikes.json").read_text() == "the user's own"
    assert report(tmp_path / "bikes_3.wav")["file"] == "bikes_3.wav"


def test_a_result_is_replaced_as_a_whole_where_that_is_asked_for(tmp_path, photos):
    ssv2a("image", photos["bikes"], "--out", tmp_path, *SHORT, "--tracks")
    (tmp_path / "bikes.tracks" / "notes.txt").write_text("the user's own")
    ssv2a("image", photos["bikes"], "--out", tmp_path, *SHORT, "--seed", 1, "--overwrite")
    assert listing(tmp_path) == ["bikes.json", "bikes.tracks/notes.txt", "bikes.wav"]
    assert report(tmp_path / "bikes.wav")["seed"] == 1


# What is refused


def test_one_bad_picture_does_not_stop_the_others(tmp_path, photos):
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(photos["bikes"], folder / "good.png")
    Image.new("RGB", (1, 1), "red").save(folder / "TINY.PNG")
    Image.fromarray(np.zeros((20, 20_000, 3), np.uint8)).save(folder / "wide.webp.tif")
    (folder / "cut.JPG").write_bytes(photos["bikes"].read_bytes()[:5000])
    (folder / "empty.jpeg").touch()
    (folder / "text.gif").write_text("no picture")
    (folder / "list.txt").write_text("not meant at all")
    (folder / "folder.png").mkdir()
    (folder / ".hidden.png").write_text("not meant either")
    done = ssv2a("image", tmp_path / "gone.png", folder, "--out", tmp_path / "out", *SHORT, code=1)
    assert [name for name in listing(tmp_path / "out") if name.endswith("wav")] == [
        *("TINY.wav", "good.wav", "wide.webp.wav")
    ]
    faults = [line for line in done.stderr.splitlines() if "ssv2a: " in line and "room tone" not in line]
    assert len(faults) == 4
    for name, line in zip(("gone.png", "cut.JPG", "empty.jpeg", "text.gif"), faults, strict=True):
        assert name in line
    assert "Traceback" not in done.stderr


def test_bad_pictures_alone_are_told_each(tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_text("no picture")
    done = ssv2a("image", tmp_path, "--out", tmp_path / "out", *SHORT, "--batch", 1, code=1)
    assert sum("no picture in it" in line for line in done.stderr.splitlines()) == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("named", ["cut.mov", "a folder/c'ü [x].mp4"])
def test_a_broken_clip_is_told_in_one_line(tmp_path, real_clips, named):
    clip = tmp_path / named
    clip.parent.mkdir(exist_ok=True)
    clip.write_bytes(real_clips["bunny"].read_bytes()[:20_000])
    done = ssv2a("video", clip, "--out", tmp_path / "out", *SHORT, code=1)
    (line,) = [line for line in done.stderr.splitlines() if " INFO " not in line and "of 1:" not in line]
    assert line.startswith(f"ssv2a: {clip}: ")
    assert line.count(clip.name) == 1
    assert line.count("moov atom not found") == 1
    assert "expected" in line
    assert line.endswith("Copy or export it again.")
    assert "0x" not in line


def test_one_bad_clip_does_not_stop_the_others(tmp_path, real_clips):
    make_clip(tmp_path / "b.mov", seconds=1)
    (tmp_path / "a.mp4").write_text("no clip")
    (tmp_path / "c.MKV").write_bytes(real_clips["bikes"].read_bytes()[:3000])
    done = ssv2a("video", tmp_path, "--out", tmp_path / "out", *SHORT, code=1)
    assert listing(tmp_path / "out") == ["b.json", "b.wav"]
    assert "a.mp4" in done.stderr
    assert "c.MKV" in done.stderr


@pytest.mark.parametrize("command", ["image", "video"])
def test_an_empty_folder_is_a_clear_error(tmp_path, command):
    done = ssv2a(command, tmp_path, code=1)
    assert f"{tmp_path}: nothing to do in it; expected files that end in" in done.stderr


def test_every_fault_of_a_composition_is_told_and_nothing_is_written(tmp_path, photos):
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    done = ssv2a(
        *("compose", "--image", tmp_path / "gone.png", "--text", "  ", "--audio", tmp_path / "silent.wav"),
        *("--image", photos["bikes"], "--out", tmp_path / "out"),
        code=1,
    )
    assert "gone.png" in done.stderr
    assert "a text is empty" in done.stderr
    assert "silent.wav: silent" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--synthesis", "sampler=fast"), 1, "sampler: not known to the sound bank"),
        (("--synthesis", "width=wide"), 1, "width: expected a number from 0 to 1, got 'wide'"),
        (("--synthesis", "width=2"), 1, "width: expected a number from 0 to 1, got 2"),
        (("--synthesis", "width"), 2, "expected KEY=VALUE, got 'width'"),
        (("--bundle", "nosuch"), 1, "bundle 'nosuch' was not found"),
        (("--bank", "nosuch"), 1, "nosuch"),
        (("--duration", "nan"), 2, "--duration"),
        (("--duration", "0"), 2, "--duration"),
        (("--min-confidence", "2"), 2, "--min-confidence"),
        (("--seed", "-1"), 2, "--seed"),
        (("--frames", "0"), 2, "--frames"),
    ],
)
def test_what_cannot_be_is_refused_before_the_work(tmp_path, photos, arguments, code, says):
    done = ssv2a("image", photos["bikes"], "--out", tmp_path / "out", *SHORT, *arguments, code=code)
    assert says in words(done.output) + str(done.exception)
    assert not (tmp_path / "out").exists()


def test_files_of_a_folder_are_found_by_suffix_and_a_named_file_is_itself(tmp_path):
    for name in ("b.MOV", "a.mp4", "c.txt", "d.mp4.part"):
        (tmp_path / name).touch()
    assert files_in(tmp_path, VIDEOS) == [tmp_path / "a.mp4", tmp_path / "b.MOV"]
    assert files_in(tmp_path / "c.txt", VIDEOS) == [tmp_path / "c.txt"]
    with pytest.raises(InputError, match="no such file"):
        files_in(tmp_path / "gone", VIDEOS)


# Frames of a clip


@given(
    gaps=st.lists(st.integers(1, 50), min_size=0, max_size=60),
    count=st.integers(1, 64),
    share=st.fractions(Fraction(1, 100), 1),
)
def test_frames_are_spread_evenly_first_and_last_included(gaps, count, share):
    starts = [Fraction(100)]
    for gap in gaps:
        starts.append(starts[-1] + Fraction(gap, 25))
    timeline = Timeline(0, tuple(starts), starts[-1] + Fraction(1, 25))
    seconds = timeline.duration * share
    shown = [start - timeline.start for start in starts if start - timeline.start < seconds]
    times = even_times(timeline, seconds, count)
    assert set(times) <= set(shown)
    assert times == sorted(set(times))
    assert times[0] == 0
    assert len(times) <= count
    if count > 1:
        assert times[-1] == shown[-1]
    if set(gaps) == {1} and count >= len(shown):
        assert times == shown
    elif set(gaps) == {1} and count > 1:  # constant rate
        assert len(times) == count
        steps = np.diff([float(time) for time in times])
        assert steps.max() - steps.min() <= 0.04 + 1e-9


# The guide


def test_the_guides_python_runs(tmp_path, photos, monkeypatch):
    with Image.open(photos["bikes"]) as photo:
        photo.save(tmp_path / "dog.jpg")
    soundfile.write(tmp_path / "wind.wav", np.random.default_rng(1).standard_normal(RATE) / 9, RATE)
    monkeypatch.chdir(tmp_path)
    guide = (Path(__file__).parent.parent / "docs" / "using-ssv2a.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    names: dict = {}
    exec(code, names)
    assert names["take"].waveform.shape == (2, 5 * RATE)
    assert len(names["take"].stems) == 2


# Banks of one's own

ODD = "[SFX] Dogs/dog [close] :bell:.wav"


@pytest.fixture(scope="module")
def own_bank(tmp_path_factory) -> Path:
    """Made of one file, whose name looks like markup; nothing stands in for what it lacks."""
    folder = tmp_path_factory.mktemp("library")
    (folder / ODD).parent.mkdir()
    knock = np.random.default_rng(0).standard_normal(RATE) * np.exp(-np.arange(RATE) / 4_000) * 0.2
    soundfile.write(folder / ODD, knock, RATE)
    ssv2a("bank", "build", folder, "--out", folder / "bank", "--extends", "none")
    return folder / "bank"


def test_names_that_look_like_markup_are_printed_as_they_are(own_bank, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    assert ODD in ssv2a("bank", "list", own_bank).stdout
    assert ODD in ssv2a("bank", "search", "a knock", "--bank", own_bank).stdout
    for name in ("made", "wanted"):
        (tmp_path / name).mkdir()
        for file in ("dog.wav", f"{name} [close] :bell:.wav"):
            shutil.copyfile(own_bank.parent / ODD, tmp_path / name / file)
    asked = ("--generated", tmp_path / "made", "--reference", tmp_path / "wanted")
    done = ssv2a("evaluate", *asked, "--out", tmp_path / "out")
    assert "made [close] :bell:, wanted [close] :bell:" in words(done.stdout)


def test_progress_shows_names_that_look_like_markup(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setenv("TERM", "xterm")
    with told() as on_file:
        on_file(1, 2, Path("x/dog [close].wav"))
    assert "dog [close].wav" in shown.getvalue()


@pytest.mark.parametrize("kind", ["image", "compose", "video"])
def test_a_cue_sheet_lies_beside_what_another_bank_than_the_default_one_made(
    own_bank, tmp_path, photos, real_clips, kind
):
    asked = {
        "image": ("image", photos["bikes"], "--out", tmp_path),
        "compose": ("compose", "--text", "a knock", "--out", tmp_path / "bikes.wav"),
        "video": ("video", real_clips["bikes"], "--out", tmp_path),
    }[kind]
    ssv2a(*asked, *SHORT, "--bank", own_bank)
    assert listing(tmp_path) == ["bikes.cues.csv", "bikes.json", "bikes.wav"]
    rows = list(csv.DictReader((tmp_path / "bikes.cues.csv").read_text("utf-8-sig").splitlines()))
    assert {(row["file"], row["bank"]) for row in rows} == {(ODD, str(own_bank))}
    said = report(tmp_path / "bikes.wav")
    assert said["cues"] == "bikes.cues.csv"
    times = sorted([float(row["in_seconds"]), float(row["out_seconds"])] for row in rows)
    assert times == sorted(span for one in said["sounds"] for span in one["heard"])
    ssv2a(*asked, *SHORT, "--overwrite")
    assert listing(tmp_path) == ["bikes.json", "bikes.wav"]
    assert report(tmp_path / "bikes.wav")["cues"] is None


@pytest.mark.parametrize(
    "arguments",
    [("bank", "list"), ("bars", "--only", "loops", "--bank"), ("compose", "--text", "x", "--bank")],
)
def test_a_bank_s_folder_is_told_by_its_slash_everywhere(own_bank, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(own_bank.parent)
    done = CliRunner().invoke(app, [*arguments, "bank"])
    assert "no bank 'bank'; it has community, default" in str(done.exception)
    assert str(done.exception).endswith("./bank")


def test_the_bars_of_a_bank_of_ones_own_are_measured(own_bank, tmp_path):
    asked = ("bars", "--tagger", tmp_path / "none.onnx", "--only", "loops")
    assert "loop later" not in ssv2a(*asked, "--bank", own_bank).stdout
    manifest = json.loads((own_bank / "bank.json").read_text())
    extending = tmp_path / "bank"
    shutil.copytree(own_bank, extending)
    row = {**manifest["entries"][0], "file": str(own_bank.parent / ODD)}
    manifest |= {"extends": "bundle:default", "entries": [row]}
    (extending / "bank.json").write_text(json.dumps(manifest))
    assert "loop later" in ssv2a(*asked, "--bank", extending).stdout


def test_piped_a_bank_is_a_line_an_entry_and_says_whose_it_is(own_bank, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    done = ssv2a("bank", "list", own_bank)
    (row,) = done.stdout.splitlines()
    assert row.split("\t")[0] == ODD
    assert row.split("\t")[6] == own_bank.parent.name
    default = ssv2a("bank", "list").stdout.splitlines()
    assert len(default) == 146
    assert {row.split("\t")[6] for row in default} == {"default"}
    found = ssv2a("bank", "search", "a knock", "-n", 3).stdout.splitlines()
    assert len(found) == 3
    assert 0 < float(found[0].split("\t")[7]) <= 1


def test_of_a_bank_that_extends_another_ones_own_can_be_listed_alone(own_bank):
    ssv2a("bank", "build", own_bank.parent, "--out", own_bank.parent / "more")
    more = f"{own_bank.parent / 'more'}"
    assert len(ssv2a("bank", "list", more).stdout.splitlines()) == 147
    for asked in (("list", more), ("search", "rain", "--bank", more)):
        (row,) = ssv2a("bank", *asked, "--own").stdout.splitlines()
        assert row.startswith(ODD)


def test_on_a_terminal_ids_are_whole_and_lines_narrow():
    primary, secondary = pty.openpty()
    listing = command("bank", "list", "--sound", "dog_bark")
    with subprocess.Popen(listing, stdout=secondary, env={**os.environ, "COLUMNS": "80"}) as process:
        os.close(secondary)
        shown = b""
        with suppress(OSError):  # the end of a terminal
            while block := os.read(primary, 4096):
                shown += block
    os.close(primary)
    assert process.returncode == 0
    lines = shown.decode().splitlines()
    assert lines[0] == "model.mammal.dog"
    assert "dog_bark" in lines[1]
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("sound", ["nosuch", "dog_barks"])
def test_a_kind_of_sound_that_the_bank_lacks_is_told(sound):
    done = CliRunner().invoke(app, ["bank", "list", "--sound", sound])
    assert done.exit_code == 1
    assert f"--sound {sound}: the bank has none; it has kinds such as" in str(done.exception)
    assert sound == "nosuch" or "such as dog_bark" in str(done.exception)


@pytest.mark.parametrize(("asked", "name"), [("search", "TEXT"), ("audition", "ID|TEXT")])
def test_empty_words_are_told_by_their_name(asked, name):
    done = CliRunner().invoke(app, ["bank", asked, " "])
    assert str(done.exception).startswith(f"{name} is empty; expected")


@pytest.mark.parametrize(("name", "format_"), [("a.wav", "WAV"), ("deep/er/a.FLAC", "FLAC")])
def test_an_audition_is_what_its_name_says_in_a_folder_that_is_made(tmp_path, name, format_):
    ssv2a("bank", "audition", "model.mammal.dog", "--out", tmp_path / name, "--seconds", 1)
    info = soundfile.info(tmp_path / name)
    assert (info.format, info.frames, info.channels) == (format_, RATE, 2)


def test_an_audition_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("no folder")
    for name, why in (("a.mp3", r"ends in .wav or .flac"), ("file/a.wav", "cannot be written")):
        arguments = ["bank", "audition", "model.mammal.dog", "--out", str(tmp_path / name)]
        done = CliRunner().invoke(app, arguments)
        assert isinstance(done.exception, InputError)
        assert why in str(done.exception)
    assert listing(tmp_path) == ["file"]


def test_a_build_that_is_stopped_says_how_it_goes_on(own_bank, tmp_path, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("ssv2a.soundbank.library.build_library", stopped)
    done = ssv2a("bank", "build", own_bank.parent, "--out", tmp_path / "bank", code=130)
    assert done.stderr.endswith("stopped; run it again to go on\n")


def test_copies_and_files_that_were_cut_off_are_told(tmp_path):
    knock = np.random.default_rng(0).standard_normal(2 * RATE) * np.exp(-np.arange(2 * RATE) / 4_000) * 0.2
    for name in ("a knock.wav", "copy.wav", "cut.wav"):
        soundfile.write(tmp_path / name, np.tile(knock, 2) if name == "cut.wav" else knock, RATE)
    os.truncate(tmp_path / "cut.wav", 4 * RATE)
    done = ssv2a("bank", "build", tmp_path, "--extends", "none")
    assert "left out copy.wav: the same as a knock.wav" in done.stderr
    assert "cut.wav: in the bank, but cut off: 2.0 of the 4.0 s" in done.stderr
    assert "1 left out as copies, 0 passed over" in done.stdout


def test_words_that_are_not_surely_understood_are_told_in_the_take(tmp_path):
    asked = ("--text", "qwrtz blargh", "--text", "an accordion", "--text", "a dog barking")
    ssv2a("compose", *asked, "--out", tmp_path, *SHORT)
    (wav,) = tmp_path.glob("*.wav")
    unsure, substitute = report(wav)["warnings"]
    assert "'qwrtz blargh' means none of the kinds of sound for sure; taken for 'a sheep bleating'" in unsure
    assert "'an accordion' is played by" in substitute


# The program itself


def command(*arguments) -> list[str]:
    return [sys.executable, "-c", "from ssv2a.cli import main; main()", *map(str, arguments)]


@pytest.mark.parametrize("name", ["image", "video", "compose"])
def test_help_needs_no_networks(name):
    """Nor anything else that takes time to load."""
    check = (
        "import sys, ssv2a.cli\nsys.argv = ['ssv2a', *sys.argv[1:]]\n"
        "try: ssv2a.cli.main()\n"
        "finally: print(sorted({'torch', 'onnxruntime', 'scipy', 'matplotlib'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", check, name, "--help"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert "--cycle-samples" in done.stdout
    assert done.stdout.endswith("[]\n")


def test_interrupted_it_ends_at_once_and_leaves_nothing_half_written(tmp_path, photos):
    pictures = tmp_path / "in"
    pictures.mkdir()
    for number in range(40):
        shutil.copy(photos["bikes"], pictures / f"{number:02}.png")
    arguments = command("image", pictures, "--out", tmp_path / "out", *QUICK, "--tracks", "--batch", 1)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
    try:
        assert process.stdout.readline(), "the first is done"
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        _, errors = process.communicate(timeout=30)
        assert time.monotonic() - started < 10
    finally:
        process.kill()
    assert process.returncode == 130
    assert b"Traceback" not in errors
    names = {path.name for path in (tmp_path / "out").iterdir()}
    wavs = {name for name in names if name.endswith(".wav")}
    assert 1 <= len(wavs) < 40
    assert all(sound(tmp_path / "out" / wav).shape[1] == 10 * RATE for wav in wavs)
    assert names - {f"{Path(wav).stem}{end}" for wav in wavs for end in (".wav", ".json", ".tracks")} == set()
