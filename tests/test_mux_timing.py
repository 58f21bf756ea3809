"""The sound lies on the picture to the sample, and the picture is the source's packet for packet."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from media_fixtures import make_clip, noise, trim_clip
from mux_media import add_sound, decoded, packets, render_for, samples_late, streams

from foley_daemon.contents import read_contents
from foley_daemon.probe import probe
from ssv2a.media import ffmpeg

SMALL = (96, 54)


BAR = {".mp4": 1, ".mov": 1, ".avi": 1, ".mkv": 48, ".webm": 48, ".ts": 48}  # samples


STEP = {"pcm_s16le": 2.0**-15, "pcm_s24le": 2.0**-23, "flac": 2.0**-23, "alac": 2.0**-23}


def check_clip(clip: Path, out: Path, codec: str = "auto") -> None:
    """The picture packet for packet, and the sound where it belongs."""
    before = clip.read_bytes()
    result = add_sound(clip, out, codec=codec)
    assert result.file == out
    assert clip.read_bytes() == before
    assert [path.name for path in out.parent.iterdir() if "part" in path.name] == []
    assert packets(out, probe(out).video.index) == packets(clip, probe(clip).video.index)
    assert abs(probe(out).duration - probe(clip).duration) <= Fraction(1, 1000)
    sound = streams(out, "audio")[-1]
    render = render_for(clip)
    assert abs(samples_late(out, sound["index"], render)) <= BAR[clip.suffix]
    if sound["codec_name"] in STEP:
        samples = decoded(out, sound["index"])
        assert samples.shape == render.shape
        assert np.max(np.abs(samples - render)) <= STEP[sound["codec_name"]]
    assert sound["sample_rate"] == "48000"


@pytest.mark.parametrize(
    ("name", "rate", "seconds", "audio"),
    [
        ("a.mp4", "24000/1001", 5.3, "stereo"),
        ("a.mp4", "60", 0.2, None),
        ("a.mp4", "30000/1001", 31, "mono"),
        ("a.mov", "25", 5.3, "stereo"),
        ("a.mov", "30000/1001", 0.2, None),
        ("a.mkv", "30000/1001", 10, "stereo"),
        ("a.mkv", "24000/1001", 0.2, "stereo"),
        ("a.webm", "60", 2, "stereo"),
        ("a.webm", "25", 0.2, None),
        ("a.avi", "25", 5.3, "stereo"),
        ("a.avi", "30000/1001", 0.2, None),
        ("a.ts", "25", 5.3, "stereo"),
        ("a.ts", "60", 0.2, None),
    ],
)
def test_the_sound_lies_on_the_picture(
    tmp_path: Path, name: str, rate: str, seconds: float, audio: str | None
) -> None:
    clip = make_clip(tmp_path / name, seconds=Fraction(str(seconds)), rate=rate, size=SMALL, audio=audio)
    check_clip(clip, tmp_path / f"out{clip.suffix}")


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_ten_minutes_do_not_drift(tmp_path: Path, suffix: str) -> None:
    clip = make_clip(tmp_path / f"a{suffix}", seconds=600, rate="30000/1001", size=SMALL, audio="stereo")
    check_clip(clip, tmp_path / f"out{suffix}")


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        *[(".mp4", codec) for codec in ("alac", "flac", "opus")],
        *[(".mov", codec) for codec in ("alac", "aac", "pcm_s16le")],
        *[(".mkv", codec) for codec in ("opus", "aac", "pcm_s24le", "alac")],
        (".avi", "pcm_s24le"),
    ],
)
def test_every_codec_lies_right(tmp_path: Path, suffix: str, codec: str) -> None:
    clip = make_clip(tmp_path / f"a{suffix}", seconds=Fraction("1.32"), size=SMALL, audio="stereo")
    check_clip(clip, tmp_path / f"out{suffix}", codec)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_variable_frame_rate(tmp_path: Path, suffix: str) -> None:
    keep = [0, 1, 2, 7, 8, 20, 21, 22, 40, 49]
    clip = make_clip(tmp_path / f"a{suffix}", seconds=2, size=SMALL, audio="stereo", keep=keep)
    check_clip(clip, tmp_path / f"out{suffix}")


@pytest.mark.parametrize("codec", ["aac", "alac"])
def test_a_clip_trimmed_by_an_edit_list(tmp_path: Path, codec: str) -> None:
    whole = make_clip(tmp_path / "whole.mp4", seconds=3, size=SMALL, audio="stereo")
    clip = trim_clip(whole, tmp_path / "a.mp4", 1.32)
    assert len(packets(clip, 0)) > probe(clip).video.frame_count  # there is a hidden lead-in
    check_clip(clip, tmp_path / "out.mp4", codec)


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [(".mp4", "aac"), (".mp4", "alac"), (".mov", "auto"), (".mkv", "flac"), (".mkv", "opus")],
)
def test_a_picture_that_starts_after_its_sound(tmp_path: Path, suffix: str, codec: str) -> None:
    early = make_clip(tmp_path / f"early{suffix}", seconds=2, rate="30000/1001", size=SMALL, audio="stereo")
    clip = tmp_path / f"a{suffix}"
    inputs = ["-itsoffset", "0.4337", "-i", ffmpeg.url(early), "-i", ffmpeg.url(early)]
    exact = [] if suffix == ".mkv" else ["-movie_timescale", "90000"]
    args = [*inputs, "-map", "0:v", "-map", "1:a", "-c", "copy", *exact]
    ffmpeg.run([*args, ffmpeg.url(clip)], timeout=30)
    assert probe(clip).picture_start > Fraction(4, 10)
    check_clip(clip, tmp_path / f"out{suffix}", codec)


def with_opus(tmp_path: Path, name: str, pre_skip: int) -> Path:
    """A clip whose sound is noise(2) in Opus; another pre-skip is written into the header that has it."""
    codec = None if name.endswith(".webm") else "mpeg4"
    clip = make_clip(
        tmp_path / name, seconds=2, size=SMALL, audio="stereo", codec=codec, audio_codec="libopus"
    )
    if pre_skip != 312:
        data = bytearray(clip.read_bytes())
        place = data.index(b"dOps") + 6  # OpusSpecificBox: version, channels, pre-skip
        data[place : place + 2] = pre_skip.to_bytes(2, "big")
        clip.write_bytes(data)
    return clip


@pytest.mark.parametrize(
    ("name", "suffix", "pre_skip"),
    [
        ("a.webm", ".webm", 312),
        ("a.webm", ".mkv", 312),
        ("a.mkv", ".mp4", 312),
        ("a.mp4", ".mp4", 312),
        ("a.mp4", ".mkv", 312),
        ("a.mp4", ".mkv", 3840),
    ],
)
def test_a_copied_opus_track_stays_where_it_was(
    tmp_path: Path, name: str, suffix: str, pre_skip: int
) -> None:
    clip = with_opus(tmp_path, name, pre_skip)
    assert read_contents(clip).streams[1].pre_skip == pre_skip
    result = add_sound(clip, tmp_path / f"out{suffix}")
    original = noise(2)
    assert packets(result.file, 1) == packets(clip, 1)
    moved = samples_late(result.file, 1, original) - samples_late(clip, 1, original)
    assert abs(moved) <= 48
    assert abs(samples_late(result.file, 2, render_for(clip))) <= BAR[suffix]


@pytest.mark.parametrize("rate", [48_000, 16_000])
def test_a_track_converted_to_opus_stays_where_it_was(tmp_path: Path, rate: int) -> None:
    options = ("-ar", str(rate), "-af", "lowpass=6000")
    clip = make_clip(
        tmp_path / "a.mkv", seconds=2, size=SMALL, audio="stereo", codec="libvpx", options=options
    )
    result = add_sound(clip, tmp_path / "out.webm")
    assert [stream["codec_name"] for stream in streams(result.file, "audio")] == ["opus", "opus"]
    assert abs(samples_late(result.file, 1, noise(2))) <= 48


def test_a_transport_stream_keeps_its_clock(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.ts", seconds=1, size=SMALL, audio="stereo")
    assert probe(clip).picture_start > 1
    add_sound(clip, tmp_path / "out.ts")
    assert probe(tmp_path / "out.ts").picture_start == probe(clip).picture_start


def test_camera_transport_streams_keep_their_packet_size(tmp_path: Path) -> None:
    plain = make_clip(tmp_path / "plain.ts", seconds=1, size=SMALL, audio="stereo")
    clip = tmp_path / "a.m2ts"
    ffmpeg.run(["-i", ffmpeg.url(plain), "-map", "0", "-c", "copy", ffmpeg.url(clip)], timeout=30)
    result = add_sound(clip, tmp_path / "out.m2ts")
    assert result.file.read_bytes()[4:1924:192] == b"\x47" * 10
    assert packets(result.file, 0) == packets(clip, 0)
    assert abs(samples_late(result.file, streams(result.file, "audio")[-1]["index"], render_for(clip))) <= 48
