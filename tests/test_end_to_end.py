"""The whole program on real clips: `foley` as a program of its own, the shipped bundle, the real ffmpeg."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media_fixtures import make_clip, noise, write_wav
from mux_media import decoded, packets, streams
from PIL import Image

from foley_daemon.probe import probe
from ssv2a.media import audio, ffmpeg
from ssv2a.types import FloatArray

QUICK = """
watch: {stable_for: 0.5s}
model: {cycle_its: 4, cycle_samples: 8, var_samples: 8, candidates: 1}
"""
ODD_NAME = "-%d 'quoted' 日本\n.mp4"


def foley(*args: object, home: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "foley_daemon", *map(str, args)]
    environment = {**os.environ, "FOLEY_HOME": str(home)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    if check and done.returncode:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


def black(path: Path, seconds: float, options: tuple[str, ...] = ()) -> Path:
    """A clip in which nothing is to be seen."""
    source = f"color=black:size=320x180:rate=25:duration={seconds}"
    codec = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"]
    ffmpeg.run(["-y", "-f", "lavfi", "-i", source, *codec, *options, ffmpeg.url(path)], timeout=60)
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass(frozen=True)
class Hot:
    folder: Path
    home: Path
    exit_code: int
    before: dict[str, str]  # name → sha256 of each source

    def output(self, name: str) -> Path:
        source = Path(name)
        return self.folder / "foley" / f"{source.stem}_foley{source.suffix}"

    def report(self, name: str) -> dict[str, Any]:
        path = self.output(name)
        found: dict[str, Any] = json.loads(path.with_name(f"{path.name}.foley.json").read_text())
        return found


@pytest.fixture(scope="module")
def hot(tmp_path_factory: pytest.TempPathFactory, real_clips: dict[str, Path]) -> Hot:
    """A hot folder with good, odd and bad clips, worked through once."""
    folder, home = tmp_path_factory.mktemp("hot"), tmp_path_factory.mktemp("state")
    (folder / "foley.yaml").write_text(QUICK)
    for name, clip in real_clips.items():
        shutil.copy(clip, folder / f"{name}.mp4")
    black(folder / "night.mp4", 2)
    black(folder / ODD_NAME, 0.2)
    make_clip(folder / "vfr.mkv", seconds=2, rate="30", keep=[0, 1, 2, 10, 11, 40, 59], audio="stereo")
    (folder / "text.mp4").write_text("this is no clip\n")
    (folder / "cut.mp4").write_bytes(real_clips["bikes"].read_bytes()[:200_000])
    write_wav(folder / "sound.wav", noise(1))
    ffmpeg.run(["-i", ffmpeg.url(folder / "sound.wav"), ffmpeg.url(folder / "sound.mp4")], timeout=60)
    before = {path.name: digest(path) for path in folder.iterdir() if path.is_file()}
    done = foley("watch", folder, "--once", "--home", home, home=home, check=False)
    return Hot(folder, home, done.returncode, before)


GOOD = ("bikes.mp4", "bunny.mp4", "night.mp4", ODD_NAME, "vfr.mkv")
BAD = {"text.mp4": "not", "cut.mp4": "cut off", "sound.mp4": "picture"}


@pytest.mark.parametrize("name", GOOD)
def test_picture_is_the_sources_packet_for_packet(hot: Hot, name: str) -> None:
    source, output = hot.folder / name, hot.output(name)
    index = probe(source).video.index
    assert packets(output, probe(output).video.index) == packets(source, index)


@pytest.mark.parametrize("name", GOOD)
def test_foley_is_the_last_track_and_as_long_as_the_picture(hot: Hot, name: str) -> None:
    clip = probe(hot.folder / name)
    sound = streams(hot.output(name), "audio")
    assert len(sound) == len(clip.audio) + 1
    tags = sound[-1]["tags"]
    assert "Foley" in (tags.get("title"), tags.get("handler_name"))
    heard = decoded(hot.output(name), sound[-1]["index"])
    assert heard.shape[1] >= clip.n_samples
    assert np.abs(heard[:, : clip.n_samples]).max() > 1e-4
    assert hot.report(name)["foley"]["samples"] == clip.n_samples


def test_original_sound_stays_first_and_default(hot: Hot) -> None:
    first, second = streams(hot.output("bunny.mp4"), "audio")
    assert (first["channels"], first["disposition"]["default"]) == (6, 1)
    assert second["disposition"]["default"] == 0
    source = hot.folder / "bunny.mp4"
    assert packets(hot.output("bunny.mp4"), first["index"]) == packets(source, 1)


def test_foley_lies_six_lu_below_the_original(hot: Hot) -> None:
    output = hot.output("bunny.mp4")
    original, _ = audio.loudness(hot.folder / "bunny.mp4")
    foley_lufs, peak = audio.loudness(output, stream=streams(output, "audio")[1]["index"])
    assert original is not None
    assert foley_lufs is not None
    assert peak is not None
    assert foley_lufs == pytest.approx(original - 6, abs=0.6)
    assert peak <= -0.5


def test_what_is_seen_is_what_is_heard(hot: Hot) -> None:
    """The street: traffic first, then somebody walks past a bicycle."""
    report = hot.report("bikes.mp4")
    cars = [source for source in report["sources"] if "car " in (source["caption"] or "")]
    assert min(source["start"] for source in cars) < 3
    assert max(source["end"] for source in cars) <= 8.5  # the last shot has none
    walker = next(source for source in report["sources"] if source["name"] == "person" and source["end"] > 8)
    assert walker["caption"] in ("clothes rustling", "footsteps on a hard floor")
    heard = [sound for chunk in report["chunks"] for sound in chunk["sounds"]]
    assert {"car_pass", "car_engine", "traffic"} & {sound["sound"] for sound in heard}
    assert any(sound["sound"] in ("cloth_rustle", "footsteps_hard") and sound["end"] > 7.5 for sound in heard)


def test_a_clip_in_which_nothing_sounds_has_room_tone_and_says_so(hot: Hot) -> None:
    report = hot.report("night.mp4")
    sounds = {sound["sound"] for chunk in report["chunks"] for sound in chunk["sounds"]}
    assert sounds == {"room_tone"}
    assert any("room tone" in warning for warning in report["warnings"])
    assert report["foley"]["lufs"] < -40


@pytest.mark.parametrize("name", GOOD)
def test_a_report_and_a_picture_lie_beside_every_output(hot: Hot, name: str) -> None:
    report = hot.report(name)
    assert report["state"] == "done"
    assert report["verified"]
    assert report["credits"]
    assert {one["licence"] for one in report["credits"]} <= {"CC0-1.0", "MIT", "Apache-2.0"}
    assert set(report["seconds"]) >= {"probe", "see", "synthesise", "mux and verify"}
    with Image.open(report["files"]["picture"]) as picture:
        assert picture.width == 1400
        assert picture.height > 400
        extrema = picture.convert("L").getextrema()
        assert extrema[0] < 40
        assert extrema[1] > 200


@pytest.mark.parametrize("name", BAD)
def test_a_bad_clip_ends_as_a_report_beside_it(hot: Hot, name: str) -> None:
    report = (hot.folder / f"{name}.foley-failed.txt").read_text()
    assert BAD[name] in report
    assert name in report
    assert not hot.output(name).exists()


def test_bad_clips_give_their_exit_code_and_stop_nothing(hot: Hot) -> None:
    assert hot.exit_code == 4
    assert all(hot.output(name).exists() for name in GOOD)


def test_sources_are_untouched(hot: Hot) -> None:
    assert {name: digest(hot.folder / name) for name in hot.before} == hot.before


def test_a_second_look_does_nothing_again(hot: Hot) -> None:
    outputs = sorted((hot.folder / "foley").iterdir())
    times = [path.stat().st_mtime_ns for path in outputs]
    foley("watch", hot.folder, "--once", "--home", hot.home, home=hot.home, check=False)
    assert sorted((hot.folder / "foley").iterdir()) == outputs
    assert [path.stat().st_mtime_ns for path in outputs] == times


def test_status_tells_what_became_of_each(hot: Hot) -> None:
    status = json.loads(foley("status", "--json", "--home", hot.home, home=hot.home).stdout)
    assert status["counts"]["done"] == len(GOOD)
    assert status["counts"]["failed"] == len(BAD)


def sidecar(clip: Path, out: Path, home: Path, seed: int = 42, more: str = "") -> FloatArray:
    profile = out / "p.yaml"
    out.mkdir()
    profile.write_text(QUICK + "mix: {mode: sidecar}\n" + more)
    foley("process", clip, "--profile", profile, "--out", out, "--seed", seed, home=home)
    (wav,) = out.glob("*.wav")
    return np.concatenate(list(audio.read_wav_blocks(wav)), axis=1)


def test_the_same_seed_gives_the_same_samples_and_another_another_take(
    tmp_path: Path, foley_home: Path, real_clips: dict[str, Path]
) -> None:
    clip = real_clips["bikes"]
    first = sidecar(clip, tmp_path / "1", foley_home)
    again = sidecar(clip, tmp_path / "2", foley_home)
    other = sidecar(clip, tmp_path / "3", foley_home, seed=7)
    np.testing.assert_array_equal(first, again)
    assert other.shape == first.shape
    correlation = np.corrcoef(first.mean(axis=0), other.mean(axis=0))[0, 1]
    assert abs(correlation) < 0.5


def test_joins_of_chunks_cannot_be_heard(tmp_path: Path, foley_home: Path) -> None:
    """Steady rain over a black picture, in chunks of 3 s: joins are like all other places."""
    clip = black(tmp_path / "rain.mp4", 12)
    more = 'chunks: {seconds: 3, overlap: 0.5}\nsources: {add: ["rain falling"]}\n'
    rain = sidecar(clip, tmp_path / "out", foley_home, more=more)[0]
    window = 4_800  # 0.1 s
    level = 10 * np.log10(
        np.mean(rain[: rain.size // window * window].reshape(-1, window) ** 2, axis=1) + 1e-12
    )
    count, shared = 5, 24_000
    to_render = rain.size + (count - 1) * shared
    joins = [to_render * k // count - shared * k for k in range(1, count)]
    at_joins = np.concatenate([level[j // window : (j + shared) // window + 1] for j in joins])
    inside = np.delete(
        level, np.concatenate([np.arange(j // window, (j + shared) // window + 1) for j in joins])
    )
    assert at_joins.min() > inside.min() - 1.5
    assert at_joins.max() < inside.max() + 1.5
    jump = np.abs(np.diff(rain, 2))
    edges = np.concatenate([jump[j - 8 : j + 8] for start in joins for j in (start, start + shared)])
    assert edges.max() <= jump.max() * 1.001
    assert edges.max() < 4 * np.quantile(jump, 0.999)


def children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                found += [int(entry.name), *children(int(entry.name))]
    return found


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)


def test_killed_in_the_middle_of_a_job_the_clip_comes_out_once(
    tmp_path: Path, foley_home: Path, real_clips: dict[str, Path]
) -> None:
    hot, home = tmp_path / "hot", tmp_path / "state"
    hot.mkdir()
    (hot / "foley.yaml").write_text(QUICK + "chunks: {seconds: 2, overlap: 0.25}\n")
    shutil.copy(real_clips["bikes"], hot / "bikes.mp4")
    log = (tmp_path / "log").open("wb")
    command = [sys.executable, "-m", "foley_daemon", "watch", str(hot), "--home", str(home)]
    daemon = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_for(lambda: len(children(daemon.pid)) >= 3)  # the engine, its resource tracker, the decoder
        family = children(daemon.pid)
    finally:
        daemon.send_signal(signal.SIGKILL)
        daemon.wait()
        log.close()
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in family), 15)
    assert not list((hot / "foley").glob("*_foley*.mp4")) if (hot / "foley").exists() else True
    foley("watch", hot, "--once", "--home", home, home=home)
    names = sorted(path.name for path in (hot / "foley").iterdir())
    assert names == ["bikes_foley.mp4", "bikes_foley.mp4.foley.json", "bikes_foley.mp4.foley.png"]
    assert packets(hot / "foley/bikes_foley.mp4", 0) == packets(hot / "bikes.mp4", 0)


def peak_memory(command: list[str], environment: dict[str, str]) -> int:
    """Highest memory of their own that a program and its children hold together, bytes, sampled.

    Pages of libraries are left out: how many a program is charged for depends on who else uses them.
    """
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        total = 0
        for pid in (process.pid, *children(process.pid)):
            try:
                status = Path(f"/proc/{pid}/smaps_rollup").read_text()
            except OSError:
                continue
            total += int(status.split("\nAnonymous:")[1].split()[0]) * 1024
        peak = max(peak, total)
        time.sleep(0.25)
    assert process.returncode == 0
    return peak


@pytest.mark.slow
def test_a_long_clip_takes_hardly_more_memory_than_a_short_one(
    tmp_path: Path, foley_home: Path, real_clips: dict[str, Path]
) -> None:
    long = tmp_path / "long.mp4"
    loop = ["-stream_loop", "59", "-i", ffmpeg.url(real_clips["bikes"]), "-c", "copy", ffmpeg.url(long)]
    ffmpeg.run(loop, timeout=60)
    assert probe(long).duration == pytest.approx(Fraction(600), abs=1)
    profile = tmp_path / "p.yaml"
    profile.write_text("model: {cycle_its: 16, cycle_samples: 16, candidates: 1}\n")
    environment = {**os.environ, "FOLEY_HOME": str(foley_home)}
    peaks = []
    for clip in (real_clips["bikes"], long):
        out = tmp_path / clip.stem
        command = [sys.executable, "-m", "foley_daemon", "process", str(clip), "--out", str(out)]
        peaks.append(peak_memory([*command, "--profile", str(profile)], environment))
    assert peaks[1] - peaks[0] <= 150e6, [round(peak / 1e6) for peak in peaks]
