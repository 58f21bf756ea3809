"""A wrong file is never published: each test damages one thing and expects to hear which."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from media_fixtures import make_clip, noise, write_wav
from mux_media import render_for

from foley_daemon.compare import Comparison
from foley_daemon.contents import read_contents
from foley_daemon.errors import VerificationFailed
from foley_daemon.mux import MuxRequest, mux_arguments, publish
from foley_daemon.probe import probe
from foley_daemon.tracks import list_tracks
from foley_daemon.verify import read_candidate, verify
from ssv2a.media import ffmpeg
from ssv2a.types import FloatArray

SMALL = (96, 54)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "a.mkv", seconds=2, size=SMALL, audio="stereo")


def verdict(
    clip: Path,
    render: FloatArray,
    *,
    written: FloatArray | None = None,
    source: Path | None = None,
    codec: str = "auto",
    change: dict[str, str] | None = None,
) -> tuple[str, ...]:
    """Write `written` (else `render`) to `source` (else `clip`), arguments changed, and verify it."""
    folder = clip.parent
    sound = write_wav(folder / "render.wav", render)
    laid = sound if written is None else write_wav(folder / "written.wav", written)
    facts, contents = probe(clip), read_contents(clip)
    container = facts.container
    tracks = list_tracks(
        contents, picture=facts.video.index, mode="track", codec=codec, source=container, target=container
    )
    part = folder / ".part"
    request = MuxRequest(facts, laid, 2, "track", folder / f"out{clip.suffix}", codec)
    args = mux_arguments(request, contents, tracks, container, part, folder)
    if source is not None:
        args[args.index(ffmpeg.url(clip))] = ffmpeg.url(source)
    for option, value in (change or {}).items():
        args[args.index(option) + 1] = value
    ffmpeg.run(args, timeout=30)
    return verify(facts, contents, sound, 2, read_candidate(part, container, tracks))


def test_a_right_file_passes_with_a_line_for_each_check(clip: Path) -> None:
    lines = verdict(clip, render_for(clip))
    assert [line.partition(":")[0] for line in lines] == ["picture", "picture", "streams", "sound"]
    assert "50 frames in 2.000 s" in lines[1]
    assert "96000 samples equal the render (24 bit)" in lines[3]


@pytest.mark.parametrize("codec", ["flac", "aac", "opus"])
def test_sound_that_lies_late_is_found(clip: Path, codec: str) -> None:
    with pytest.raises(VerificationFailed, match=r"sound: expected .*\d (samples|ms)"):
        verdict(clip, render_for(clip), codec=codec, change={"-itsoffset": "0.040"})


@pytest.mark.parametrize("codec", ["flac", "aac"])
def test_silent_sound_is_found(clip: Path, codec: str) -> None:
    render = render_for(clip)
    with pytest.raises(VerificationFailed, match="sound: expected"):
        verdict(clip, render, written=np.zeros_like(render), codec=codec)


@pytest.mark.parametrize("codec", ["flac", "aac"])
def test_sound_that_stops_early_is_found(clip: Path, codec: str) -> None:
    render = render_for(clip)
    with pytest.raises(VerificationFailed, match="sound: expected"):
        verdict(clip, render, written=render[:, :60_000], codec=codec)


def test_sound_at_another_level_is_found(clip: Path) -> None:
    with pytest.raises(VerificationFailed, match=r"level within 1.0 dB, got -3.\d dB"):
        verdict(clip, render_for(clip), written=render_for(clip) * np.float32(0.7), codec="aac")


def test_one_wrong_sample_is_found(clip: Path) -> None:
    written = render_for(clip)
    written[1, 77_777] += 1e-5
    with pytest.raises(VerificationFailed, match=r"difference of 9\.9e-06"):
        verdict(clip, render_for(clip), written=written)


def test_a_re_encoded_picture_is_found(clip: Path) -> None:
    with pytest.raises(VerificationFailed, match="content of video stream 0"):
        verdict(clip, render_for(clip), change={"-c:0": "libx264"})


def test_a_missing_track_is_found(clip: Path) -> None:
    facts, contents = probe(clip), read_contents(clip)
    container = facts.container
    tracks = list_tracks(contents, picture=0, mode="track", codec="auto", source=container, target=container)
    with pytest.raises(VerificationFailed, match=r"streams: expected the sound in the output, found only"):
        read_candidate(clip, container, tracks)


def test_a_moved_original_is_found(clip: Path) -> None:
    late = make_clip(
        clip.with_name("late.mkv"), seconds=2, size=SMALL, audio="stereo", audio_delay=Fraction(1, 10)
    )
    with pytest.raises(VerificationFailed, match="expected it to start as in the source, got \\+1"):
        verdict(clip, render_for(clip), source=late)


def test_a_picture_at_another_speed_is_found(clip: Path) -> None:
    slow = clip.with_name("slow.mkv")
    args = ["-i", ffmpeg.url(clip), "-map", "0", "-c", "copy", "-bsf:v", "setts=ts=TS*1.01", ffmpeg.url(slow)]
    ffmpeg.run(args, timeout=30)
    with pytest.raises(VerificationFailed, match="every frame within"):
        verdict(clip, render_for(clip), source=slow)


def test_lost_chapters_are_found(clip: Path) -> None:
    meta = clip.with_name("meta.txt")
    meta.write_text(";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=900\ntitle=One\n")
    chaptered = clip.with_name("chaptered.mkv")
    args = ["-i", ffmpeg.url(clip), "-i", ffmpeg.url(meta), "-map", "0", "-c", "copy", ffmpeg.url(chaptered)]
    ffmpeg.run(args, timeout=30)
    with pytest.raises(VerificationFailed, match="chapters: expected 1, got 0"):
        verdict(chaptered, render_for(clip), change={"-map_chapters": "-1"})


def test_nothing_is_left_of_what_was_refused(clip: Path) -> None:
    short = write_wav(clip.with_name("short.wav"), render_for(clip)[:, :-4800])
    with pytest.raises(VerificationFailed, match="sound: expected"):
        publish(MuxRequest(probe(clip), short, 2, "track", clip.with_name("out.mkv")))
    with pytest.raises(VerificationFailed, match="96000 samples"):
        publish(MuxRequest(probe(clip), short, 2, "sidecar", clip.with_name("out.wav")))
    assert sorted(path.name for path in clip.parent.iterdir()) == ["a.mkv", "short.wav"]


@pytest.mark.parametrize("lag", [-1200, -49, -2, 0, 1, 30, 3000])
def test_the_lag_is_measured_through_noise(lag: int) -> None:
    wanted = noise(Fraction(1), 2, seed=3)
    got = np.roll(wanted, lag, axis=1) + noise(Fraction(1), 2, seed=4) * np.float32(0.2)
    comparison = Comparison()
    comparison.push(wanted, got)
    if abs(lag) <= 30:
        assert f"{lag:+d} samples" in comparison.check_alike(30)
    else:
        with pytest.raises(VerificationFailed, match=f"got it {lag} samples"):
            comparison.check_alike(30)


def test_rumble_is_not_mistaken_for_a_lag() -> None:
    time = np.arange(48_000) / 48_000
    wanted = np.tile(0.3 * np.sin(2 * np.pi * 30 * time), (2, 1)).astype(np.float32)
    got = np.roll(wanted, 9, axis=1)  # a codec's phase at 30 Hz
    comparison = Comparison()
    comparison.push(wanted, got)
    assert "samples from the render" in comparison.check_alike(1)


@pytest.mark.parametrize("codec", ["aac", "flac"])
def test_a_silent_render_is_right_when_silent(clip: Path, codec: str) -> None:
    silence = np.zeros((2, 96_000), np.float32)
    assert any("silen" in line or "equal" in line for line in verdict(clip, silence, codec=codec))
    with pytest.raises(VerificationFailed, match="sound: expected"):
        verdict(clip, silence, written=render_for(clip), codec=codec)
