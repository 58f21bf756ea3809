"""Clips of every container come back with all that was in them, and what could not stay is said."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from media_fixtures import make_clip
from mux_media import add_sound, decoded, facts, packets, render_for, samples_late, streams

from foley_daemon.containers import is_output
from foley_daemon.errors import ContainerCannot
from foley_daemon.probe import probe
from foley_daemon.sidecar import time_reference
from ssv2a.media import ffmpeg

SMALL = (96, 54)


def test_the_new_track_is_called_foley_and_the_old_one_stays_first_and_default(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mov", seconds=1, size=SMALL, audio="stereo")
    result = add_sound(clip, tmp_path / "out.mov")
    old, new = streams(result.file, "audio")
    assert (old["codec_name"], old["disposition"]["default"]) == ("pcm_s16le", 1)
    assert packets(result.file, old["index"]) == packets(clip, 1)
    assert (new["tags"]["handler_name"], new["disposition"]["default"]) == ("Foley", 0)
    assert result.warnings == ()


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_an_only_track_is_the_default(tmp_path: Path, suffix: str) -> None:
    clip = make_clip(tmp_path / f"a{suffix}", seconds=1, size=SMALL)
    (new,) = streams(add_sound(clip, tmp_path / f"out{suffix}").file, "audio")
    assert new["disposition"]["default"] == 1
    assert "Foley" in (new["tags"].get("title"), new["tags"].get("handler_name"))


def two_tracks(tmp_path: Path, name: str, *extra: str) -> Path:
    """A clip with a German 5.1 original and an English commentary."""
    wide = make_clip(tmp_path / f"wide{Path(name).suffix}", seconds=1, size=SMALL, audio="5.1")
    args = ["-i", ffmpeg.url(wide), "-map", "0:v", "-map", "0:a", "-map", "0:a", "-c", "copy"]
    args += ["-metadata:s:a:0", "language=ger", "-metadata:s:a:1", "language=eng"]
    args += [
        "-metadata:s:a:1",
        "title=Commentary",
        "-disposition:a:0",
        "default",
        "-disposition:a:1",
        "comment",
    ]
    clip = tmp_path / name
    ffmpeg.run([*args, *extra, "-y", ffmpeg.url(clip)], timeout=30)
    return clip


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.mov"])
def test_two_sound_tracks_keep_their_order_languages_and_channels(tmp_path: Path, name: str) -> None:
    clip = two_tracks(tmp_path, name)
    result = add_sound(clip, tmp_path / f"out{clip.suffix}")
    first, second, new = streams(result.file, "audio")
    assert [first["tags"]["language"], second["tags"]["language"]] == ["ger", "eng"]
    assert (first["channels"], first["channel_layout"]) == (6, streams(clip, "audio")[0]["channel_layout"])
    assert (first["disposition"]["default"], second["disposition"]["default"]) == (1, 0)
    assert new["channels"] == 2


@pytest.mark.parametrize(("name", "codec"), [("a.mkv", "auto"), ("a.mov", "auto"), ("a.mp4", "auto")])
def test_a_mix_takes_the_place_of_the_original(tmp_path: Path, name: str, codec: str) -> None:
    clip = two_tracks(tmp_path, name)
    result = add_sound(clip, tmp_path / f"out{clip.suffix}", mode="mix", channels=6, codec=codec)
    mix, commentary = streams(result.file, "audio")
    assert mix["tags"]["language"] == "ger"
    assert (mix["channels"], mix["channel_layout"][:3], mix["disposition"]["default"]) == (6, "5.1", 1)
    assert packets(result.file, commentary["index"]) == packets(clip, streams(clip, "audio")[1]["index"])
    render = render_for(clip, 6)
    samples = decoded(result.file, mix["index"], 6)[:, : render.shape[1]]
    for number in (0, 1, 2, 4, 5):  # the channels are not swapped; the LFE is low-passed by AAC
        likeness = np.corrcoef(samples[number], render[number, : samples.shape[1]])[0, 1]
        assert likeness > 0.8, f"channel {number}"


def test_replace_leaves_the_foley_alone(tmp_path: Path) -> None:
    clip = two_tracks(tmp_path, "a.mkv")
    (only,) = streams(add_sound(clip, tmp_path / "out.mkv", mode="replace").file, "audio")
    assert (only["tags"]["title"], only["disposition"]["default"]) == ("Foley", 1)


def rich_mkv(tmp_path: Path) -> Path:
    """Subtitles, chapters, an attached font, tags."""
    make_clip(tmp_path / "plain.mkv", seconds=2, size=SMALL, audio="stereo")
    (tmp_path / "a.srt").write_text("1\n00:00:00,200 --> 00:00:01,000\nHello\n")
    (tmp_path / "font.ttf").write_bytes(b"not really a font" * 50)
    (tmp_path / "meta.txt").write_text(
        ";FFMETADATA1\ntitle=Ein Film\nproject=Näh\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=900\ntitle=One\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=900\nEND=2000\ntitle=Two\n"
    )
    clip = tmp_path / "rich.mkv"
    names = ("plain.mkv", "a.srt", "meta.txt")
    inputs = [word for name in names for word in ("-i", ffmpeg.url(tmp_path / name))]
    args = [*inputs, "-map", "0", "-map", "1", "-c", "copy", "-c:s", "srt", "-map_metadata", "2"]
    args += ["-attach", str(tmp_path / "font.ttf"), "-metadata:s:t", "mimetype=font/ttf"]
    ffmpeg.run([*args, ffmpeg.url(clip)], timeout=30)
    return clip


def test_matroska_keeps_subtitles_chapters_attachments_and_tags(tmp_path: Path) -> None:
    clip = rich_mkv(tmp_path)
    result = add_sound(clip, tmp_path / "out.mkv")
    assert result.warnings == ()
    kinds = [stream["codec_type"] for stream in streams(result.file)]
    assert kinds == ["video", "audio", "audio", "subtitle", "attachment"]
    assert streams(result.file, "attachment")[0]["tags"] == streams(clip, "attachment")[0]["tags"]
    found = facts(result.file)
    assert [chapter["tags"]["title"] for chapter in found["chapters"]] == ["One", "Two"]
    assert found["format"]["tags"]["title"] == "Ein Film"
    assert found["format"]["tags"]["PROJECT"] == "Näh"
    assert any("chapters: 2" in line for line in result.verified)


def test_what_mp4_cannot_hold_is_said(tmp_path: Path) -> None:
    clip = rich_mkv(tmp_path)
    result = add_sound(clip, tmp_path / "out.mp4")
    said = "\n".join(result.warnings)
    assert "font.ttf): dropped, mp4 holds none" in said
    assert "converted to mov_text" in said
    assert streams(result.file, "subtitle")[0]["codec_name"] == "mov_text"
    assert len(facts(result.file)["chapters"]) == 2


def reel_mov(tmp_path: Path) -> Path:
    options = ("-timecode", "01:02:03:04", "-metadata:s:v", "reel_name=A001C002")
    return make_clip(tmp_path / "a.mov", seconds=1, size=SMALL, audio="stereo", options=options)


def test_quicktime_keeps_timecode_and_reel(tmp_path: Path) -> None:
    clip = reel_mov(tmp_path)
    result = add_sound(clip, tmp_path / "out.mov")
    (timecode,) = [stream for stream in streams(result.file) if stream["codec_tag_string"] == "tmcd"]
    assert timecode["tags"]["timecode"] == "01:02:03:04"
    assert timecode["tags"]["reel_name"] == "A001C002"
    assert "timecode: 01:02:03:04 kept" in result.verified


def test_timecode_survives_as_a_tag_where_there_are_no_data_tracks(tmp_path: Path) -> None:
    result = add_sound(reel_mov(tmp_path), tmp_path / "out.mkv")
    assert "timecode: 01:02:03:04 kept" in result.verified
    assert any("timecode" in line for line in result.warnings)


def test_chapters_and_free_tags_of_mp4(tmp_path: Path) -> None:
    rich = rich_mkv(tmp_path)
    clip = tmp_path / "a.mp4"
    args = ["-i", ffmpeg.url(rich), "-map", "0:v", "-map", "0:a", "-c:v", "copy", "-c:a", "aac"]
    args += ["-movflags", "use_metadata_tags", "-metadata", "com.example.camera=B", ffmpeg.url(clip)]
    ffmpeg.run(args, timeout=30)
    assert any(stream["codec_tag_string"] == "text" for stream in streams(clip))  # the chapter track
    result = add_sound(clip, tmp_path / "out.mp4")
    assert result.warnings == ()
    found = facts(result.file)
    assert [chapter["tags"]["title"] for chapter in found["chapters"]] == ["One", "Two"]
    assert found["format"]["tags"]["com.example.camera"] == "B"
    assert [s["codec_tag_string"] for s in streams(result.file)].count("text") == 1


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_rotation_and_colour_flags_stay(tmp_path: Path, suffix: str) -> None:
    flags = ["-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc"]
    hdr = (
        "-color_range",
        "tv",
        *flags,
        "-x264-params",
        "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc",
    )
    clip = make_clip(tmp_path / f"a{suffix}", seconds=1, size=(54, 96), rotation=90, options=hdr)
    result = add_sound(clip, tmp_path / f"out{suffix}")
    assert probe(result.file).video.rotation == probe(clip).video.rotation == 90
    (old,), (new,) = streams(clip, "video"), streams(result.file, "video")
    for key in ("color_primaries", "color_transfer", "color_space", "color_range"):
        assert new[key] == old[key] != "unknown"


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".avi"])
def test_an_output_is_known_as_one(tmp_path: Path, suffix: str) -> None:
    comment = ("-metadata", "comment=mine")
    clip = make_clip(tmp_path / f"a{suffix}", seconds=1, size=SMALL, options=comment)
    assert not is_output(probe(clip).tags)
    result = add_sound(clip, tmp_path / f"out{suffix}", tags={"render": "0123abcd"})
    tags = probe(result.file).tags
    assert is_output(tags)
    assert "render=0123abcd" in "".join(tags.values())
    assert "mine" in "".join(tags.values())


@pytest.mark.parametrize(
    ("name", "codec", "says"),
    [("out.mp4", "pcm_s24le", "aac, alac"), ("out.xyz", "auto", "{ext}"), ("out.webm", "auto", "h264")],
)
def test_impossible_wishes_are_refused(tmp_path: Path, name: str, codec: str, says: str) -> None:
    clip = make_clip(tmp_path / "a.mp4", seconds=Fraction("0.4"), size=SMALL)
    with pytest.raises(ContainerCannot, match=says):
        add_sound(clip, tmp_path / name, codec=codec)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_the_sidecar_is_a_broadcast_wave_at_the_clips_timecode(tmp_path: Path) -> None:
    clip = reel_mov(tmp_path)
    result = add_sound(clip, tmp_path / "a_foley.wav", mode="sidecar", tags={"render": "ab"})
    assert result.file == tmp_path / "a_foley.wav"
    samples, rate = soundfile.read(result.file, always_2d=True)
    render = render_for(clip)
    assert (rate, soundfile.info(result.file).subtype, samples.T.shape) == (48_000, "PCM_24", render.shape)
    assert np.max(np.abs(samples.T - render)) <= 2.0**-23
    tags = facts(result.file)["format"]["tags"]
    assert tags["time_reference"] == str((3723 * 25 + 4) * 1920)
    assert is_output(tags)
    assert b"bext" in result.file.read_bytes()[:2000]


@pytest.mark.parametrize(
    ("timecode", "rate", "samples"),
    [
        (None, "25", 0),
        ("01:00:00:00", "25", 172_800_000),
        ("01:00:00:00", "24000/1001", 172_972_800),
        ("01:00:00;00", "30000/1001", round(107_892 * Fraction(1001, 30_000) * 48_000)),
        ("00:01:00;02", "30000/1001", round(1800 * Fraction(1001, 30_000) * 48_000)),
        ("00:10:00;00", "60000/1001", round(35_964 * Fraction(1001, 60_000) * 48_000)),
    ],
)
def test_timecodes_in_samples(timecode: str | None, rate: str, samples: int) -> None:
    assert time_reference(timecode, Fraction(rate)) == samples


def test_a_real_clip_with_five_one(tmp_path: Path, real_clips: dict[str, Path]) -> None:
    result = add_sound(real_clips["bunny"], tmp_path / "out.mp4")
    old, new = streams(result.file, "audio")
    assert (old["channels"], new["channels"]) == (6, 2)
    assert result.warnings == ()


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_a_cover_image_stays_a_cover(tmp_path: Path, suffix: str) -> None:
    plain = make_clip(tmp_path / f"plain{suffix}", seconds=1, size=SMALL, audio="stereo")
    cover, clip = tmp_path / "c.jpg", tmp_path / f"a{suffix}"
    ffmpeg.run(["-f", "lavfi", "-i", "color=red:s=32x32", "-frames:v", "1", ffmpeg.url(cover)], timeout=30)
    args = ["-i", ffmpeg.url(plain), "-map", "0", "-c", "copy"]
    if suffix == ".mkv":
        args += ["-attach", str(cover), "-metadata:s:t", "mimetype=image/jpeg"]
        args += ["-metadata:s:t", "filename=cover.jpg"]
    else:
        args[2:2] = ["-i", ffmpeg.url(cover), "-map", "1"]
        args += ["-disposition:v:0", "attached_pic"]
    ffmpeg.run([*args, ffmpeg.url(clip)], timeout=30)
    result = add_sound(clip, tmp_path / f"out{suffix}")
    covers = [stream for stream in streams(result.file) if stream["disposition"]["attached_pic"]]
    assert [stream["codec_name"] for stream in covers] == ["mjpeg"]
    assert packets(result.file, covers[0]["index"]) == packets(clip, _cover_index(clip))
    assert result.warnings == ()


def _cover_index(clip: Path) -> int:
    return next(stream["index"] for stream in streams(clip) if stream["disposition"]["attached_pic"])


def with_data(tmp_path: Path, tag: str) -> Path:
    plain = make_clip(tmp_path / "plain.mov", seconds=1, size=SMALL, audio="stereo")
    (tmp_path / "data").write_bytes(bytes(range(256)) * 20)
    clip = tmp_path / "a.mov"
    args = ["-i", ffmpeg.url(plain), "-f", "data", "-i", ffmpeg.url(tmp_path / "data")]
    args += ["-map", "0", "-map", "1", "-c", "copy", "-tag:d", tag, "-y", ffmpeg.url(clip)]
    ffmpeg.run(args, timeout=30)
    return clip


def test_camera_data_stay_where_they_can_be_described(tmp_path: Path) -> None:
    clip = with_data(tmp_path, "gpmd")
    for name in ("out.mov", "out.mp4"):
        kept = add_sound(clip, tmp_path / name)
        (data,) = streams(kept.file, "data")
        assert data["codec_tag_string"] == "gpmd"
        assert packets(kept.file, data["index"]) == packets(clip, 2)
    said = add_sound(clip, tmp_path / "out.mkv").warnings
    assert "data stream 2 (bin_data): dropped, mkv cannot hold such data" in said
    other = add_sound(with_data(tmp_path, "mebx"), tmp_path / "other.mov")
    assert streams(other.file, "data") == []
    assert any("cannot hold such data" in line for line in other.warnings)


def test_another_container_of_the_same_picture(tmp_path: Path) -> None:
    clip = reel_mov(tmp_path)
    mp4 = add_sound(clip, tmp_path / "out.mp4")
    assert "timecode: 01:02:03:04 kept" in mp4.verified
    assert any("reel name A001C002 is lost" in line for line in mp4.warnings)
    assert packets(mp4.file, 0) == packets(clip, 0)
    assert any("converted to alac, mp4 does not hold pcm_s16le" in line for line in mp4.warnings)
    np.testing.assert_array_equal(decoded(mp4.file, 1), decoded(clip, 1))
    ts = add_sound(clip, tmp_path / "out.ts")  # other packet form, same frames
    assert "decoded frames identical" in ts.verified[0]
    assert abs(samples_late(ts.file, streams(ts.file, "audio")[-1]["index"], render_for(clip))) <= 48


def test_side_surrounds_stay_side_surrounds(tmp_path: Path) -> None:
    back = make_clip(tmp_path / "back.mkv", seconds=1, size=SMALL, audio="5.1")
    clip = tmp_path / "a.mkv"
    side = ["-af", "channelmap=map=0|1|2|3|4|5:channel_layout=5.1(side)"]
    ffmpeg.run(["-i", ffmpeg.url(back), "-c:v", "copy", *side, "-c:a", "flac", ffmpeg.url(clip)], timeout=30)
    (mix,) = streams(add_sound(clip, tmp_path / "out.mkv", mode="mix", channels=6).file, "audio")
    assert mix["channel_layout"] == "5.1(side)"
    assert np.max(np.abs(decoded(tmp_path / "out.mkv", mix["index"], 6) - render_for(clip, 6))) <= 2.0**-23
