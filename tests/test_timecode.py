"""Timecodes keep their first label and go on counting as they did."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import soundfile
from media_fixtures import make_clip
from mux_media import add_sound, facts, streams

from foley_daemon.probe import probe
from ssv2a.media import ffmpeg

SMALL = (64, 36)
DROP = 1 << 0  # flag of the timecode media's description


def timecode_clip(path: Path, rate: str, label: str, counted: str) -> Path:
    """A picture of one rate with the timecode track of another, as cameras write them above 30 a second."""
    picture = make_clip(path.with_name(f"picture{path.suffix}"), seconds=1, rate=rate, size=SMALL)
    options = ("-timecode", label, "-metadata:s:v", "reel_name=A001C002")
    labels = make_clip(path.with_name("labels.mov"), seconds=1, rate=counted, size=SMALL, options=options)
    both = path.with_name("both.mov")
    args = ["-i", ffmpeg.url(picture), "-i", ffmpeg.url(labels), "-map", "0:v", "-map", "1:d", "-c", "copy"]
    ffmpeg.run([*args, "-y", ffmpeg.url(both)], timeout=60)
    data = bytearray(both.read_bytes())
    place = data.rindex(b"tmcd" + bytes(7) + b"\1") + 19  # ffmpeg copies without the flag
    data[place] |= DROP if ";" in label else 0
    path.write_bytes(data)
    return path


def counted(path: Path) -> tuple[str, Fraction, str | None, list[Any]]:
    """Label, rate, reel and the value of the track's sample."""
    (track,) = [stream for stream in streams(path) if stream["codec_tag_string"] == "tmcd"]
    args = ["-select_streams", str(track["index"]), "-show_data_hash", "sha256", "-show_entries"]
    packets = ffmpeg.probe([*args, "packet=data_hash", ffmpeg.url(path)])["packets"]
    rate = Fraction(*map(int, track["avg_frame_rate"].split("/")))
    return track["tags"]["timecode"], rate, track["tags"].get("reel_name"), packets


CASES = [
    ("60000/1001", "01:00:00;02", "30000/1001"),  # pairs of frames (SMPTE ST 12-1)
    ("60000/1001", "01:00:00;02", "60000/1001"),
    ("60000/1001", "00:00:59:29", "30000/1001"),
    ("50", "10:11:12:13", "25"),
    ("30000/1001", "10:00:00;00", "30000/1001"),
]


@pytest.mark.parametrize(("rate", "label", "base"), CASES)
@pytest.mark.parametrize("suffix", [".mov", ".mp4"])
def test_a_timecode_counts_as_it_did(tmp_path: Path, rate: str, label: str, base: str, suffix: str) -> None:
    clip = timecode_clip(tmp_path / "a.mov", rate, label, base)
    before = counted(clip)
    assert before[:2] == (label, Fraction(base))
    assert len(before[3]) == 1
    result = add_sound(clip, tmp_path / f"out{suffix}")
    after = counted(result.file)
    assert after[:2] == before[:2]
    assert after[3] == before[3], "the number of the first frame"
    if suffix == ".mov":
        assert (after[2], result.warnings) == ("A001C002", ())
    again = add_sound(result.file, tmp_path / f"again{suffix}")
    assert counted(again.file)[:2] == before[:2]


def test_a_sidecar_lies_where_the_labels_say(tmp_path: Path) -> None:
    clip = timecode_clip(tmp_path / "a.mov", "60000/1001", "00:01:00;02", "30000/1001")
    result = add_sound(clip, tmp_path / "a.wav", mode="sidecar")
    assert probe(clip).timecode_rate == Fraction(30_000, 1001)
    expected = round(1800 * Fraction(1001, 30_000) * 48_000)
    assert facts(result.file)["format"]["tags"]["time_reference"] == str(expected)
    assert soundfile.info(result.file).samplerate == 48_000
