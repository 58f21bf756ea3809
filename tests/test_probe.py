"""What is known of a clip, and what is said of files that are no clips or not whole."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from media_fixtures import make_clip, trim_clip

from foley_daemon.domain import Container
from foley_daemon.errors import ClipError, ClipIncomplete, ClipUnreadable, ClipWithoutPicture, TransientError
from foley_daemon.probe import check_structure, probe
from foley_daemon.structure import container_of
from ssv2a.media import ffmpeg

F = Fraction
SUFFIXES = [".mp4", ".mov", ".mkv", ".webm", ".avi", ".ts"]


def remux(source: Path, target: Path, *options: str, inputs: tuple[Path, ...] = ()) -> Path:
    files = [part for path in (source, *inputs) for part in ("-i", ffmpeg.url(path))]
    ffmpeg.run([*files, "-c", "copy", *options, "-y", ffmpeg.url(target)], timeout=30)
    return target


class TestProbe:
    @pytest.mark.parametrize("suffix", SUFFIXES)
    def test_every_container(self, tmp_path, suffix):
        found = probe(make_clip(tmp_path / f"a{suffix}", seconds=2, rate="25", audio="stereo"))
        assert found.container is {"ts": Container.MPEGTS}.get(suffix[1:]) or Container(suffix[1:])
        assert found.size == found.path.stat().st_size
        assert (found.duration, found.n_samples) == (2, 96000)
        video = found.video
        assert (video.width, video.height, video.frame_count, video.frame_rate) == (320, 180, 50, 25)
        assert not video.variable_rate
        (sound,) = found.audio
        assert (sound.channels, sound.sample_rate) == (2, 48000)
        assert abs(sound.start - found.picture_start) < F(1, 20)

    @pytest.mark.parametrize("rate", ["24000/1001", "30000/1001", "60"])
    def test_odd_rates_stay_constant_in_every_container(self, tmp_path, rate):
        for suffix in SUFFIXES:
            found = probe(make_clip(tmp_path / f"a{suffix}", seconds=1, rate=rate))
            count = round(F(rate))
            assert found.video.frame_count == count
            assert not found.video.variable_rate, suffix
            tick = 0 if suffix in (".mp4", ".mov", ".avi") else F(1, 500)
            assert abs(found.duration - count / F(rate)) <= tick, suffix

    def test_the_name_says_nothing(self, tmp_path):
        clip = make_clip(tmp_path / "a.mkv", seconds=0.2).rename(tmp_path / "clip.mp4")
        assert probe(clip).container is Container.MKV

    def test_rotation_swaps_the_sides(self, tmp_path):
        for rotation in (90, 180, 270):
            video = probe(make_clip(tmp_path / "a.mp4", seconds=0.2, rotation=rotation)).video
            assert (video.rotation, video.width, video.height) == (rotation, 320, 180)

    def test_variable_rate_and_edit_list(self, tmp_path):
        found = probe(make_clip(tmp_path / "v.mp4", seconds=2, keep=[0, 1, 2, 7, 8, 20, 40, 44]))
        assert found.video.variable_rate
        assert found.video.frame_rate == 8 / found.duration
        trimmed = trim_clip(make_clip(tmp_path / "a.mp4", seconds=2, audio="mono"), tmp_path / "b.mp4", 1.3)
        assert (probe(trimmed).video.frame_count, probe(trimmed).duration) == (17, F(17, 25))

    def test_audio_streams_with_their_facts(self, tmp_path):
        first = make_clip(tmp_path / "a.mkv", seconds=1, audio="mono", audio_delay=F(1, 2))
        second = make_clip(tmp_path / "b.mkv", seconds=1, audio="5.1")
        tags = [
            "-metadata:s:a:0",
            "language=deu",
            "-metadata:s:a:1",
            "title=Music",
            "-disposition:a:1",
            "default",
        ]
        clip = remux(first, tmp_path / "c.mkv", "-map", "0", "-map", "1:a", *tags, inputs=(second,))
        one, two = probe(clip).audio
        assert (one.layout, one.start, one.default) == ("mono", F(1, 2), False)
        assert one.language in (
            "ger",
            "deu",
        )  # bibliographic or terminological code, as ffmpeg's version has it
        assert (two.layout, two.channels, two.title, two.default) == ("5.1", 6, "Music", True)

    def test_timecode_chapters_tags_subtitles_attachments(self, tmp_path):
        base = make_clip(tmp_path / "a.mov", seconds=2, options=("-timecode", "01:00:00:00"))
        found = probe(base)
        assert found.timecode == "01:00:00:00"
        assert [other.kind for other in found.others] == ["data"]

        notes = tmp_path / "notes.txt"
        notes.write_text(
            ";FFMETADATA1\ntitle=Take\n[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND=1\n[CHAPTER]\nTIMEBASE=1/1\nSTART=1\nEND=2\n"
        )
        lines = tmp_path / "lines.srt"
        lines.write_text("1\n00:00:00,000 --> 00:00:01,000\nHello\n")
        font = tmp_path / "font.ttf"
        font.write_bytes(b"not really")
        clip = remux(
            base,
            tmp_path / "b.mkv",
            *(
                "-map",
                "0:v",
                "-map",
                "1",
                "-map_metadata",
                "2",
                "-c:s",
                "srt",
                "-metadata",
                "timecode=02:00:00:00",
            ),
            *("-attach", str(font), "-metadata:s:t", "mimetype=font/ttf"),
            inputs=(lines, notes),
        )
        found = probe(clip)
        assert found.chapters == 2
        assert found.timecode == "01:00:00:00"
        assert found.tags["title"] == "Take"
        assert [other.kind for other in found.others] == ["subtitle", "attachment"]

    def test_cover_image_is_not_the_picture(self, tmp_path):
        cover = make_clip(tmp_path / "c.mp4", seconds=0.04, codec="mjpeg", options=("-strict", "-1"))
        clip = make_clip(tmp_path / "a.mp4", seconds=1, audio="mono")
        options = ["-map", "0", "-map", "1:v", "-disposition:v:1", "attached_pic"]
        found = probe(remux(clip, tmp_path / "b.mp4", *options, inputs=(cover,)))
        assert found.video.frame_count == 25
        assert [other.attached_picture for other in found.others] == [True]
        with pytest.raises(ClipWithoutPicture, match="found: audio, video"):
            probe(remux(tmp_path / "b.mp4", tmp_path / "c2.mp4", "-map", "0:a", "-map", "0:v:1"))

    def test_the_source_is_left_as_it_was(self, tmp_path):
        clip = make_clip(tmp_path / "a.mp4", seconds=0.4)
        clip.chmod(0o444)
        before = clip.read_bytes(), clip.stat().st_mtime_ns
        probe(clip)
        assert (clip.read_bytes(), clip.stat().st_mtime_ns) == before


class TestStructure:
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(share=st.floats(0, 1, exclude_max=True), suffix=st.sampled_from(SUFFIXES[:5]), front=st.booleans())
    def test_every_cut_is_found(self, tmp_path, share, suffix, front):
        clip = tmp_path / f"{front}{suffix}"
        if not clip.exists():
            fast = ("-movflags", "+faststart") if front and suffix in (".mp4", ".mov") else ()
            make_clip(clip, seconds=1, audio="mono", options=fast)
            check_structure(clip)
        data = clip.read_bytes()
        cut = tmp_path / f"cut{suffix}"
        cut.write_bytes(data[: int(share * len(data))])
        with pytest.raises(ClipError) as caught:
            check_structure(cut)
        if share * len(data) > 64:
            assert isinstance(caught.value, ClipIncomplete)

    def test_transport_streams_need_whole_packets(self, tmp_path):
        data = make_clip(tmp_path / "a.ts", seconds=0.4).read_bytes()
        m2ts = b"".join(bytes(4) + data[at : at + 188] for at in range(0, len(data), 188))
        for content in (data, m2ts):
            clip = tmp_path / "b.ts"
            clip.write_bytes(content)
            assert container_of(clip) is Container.MPEGTS
            clip.write_bytes(content[:-7])
            with pytest.raises(ClipIncomplete, match="whole packets"):
                check_structure(clip)

    def test_fragmented_and_live_files_are_whole(self, tmp_path):
        check_structure(
            make_clip(tmp_path / "a.mp4", seconds=1, options=("-movflags", "frag_keyframe+empty_moov"))
        )
        whole = make_clip(tmp_path / "a.mkv", seconds=1)
        live = remux(whole, tmp_path / "b.mkv", "-live", "1")
        assert probe(live).video.frame_count == 25

    def test_64_bit_and_endless_boxes(self, tmp_path):
        data = make_clip(tmp_path / "a.mp4", seconds=0.4, options=("-movflags", "+faststart")).read_bytes()
        at = data.index(b"mdat") - 4
        body = data[at + 8 :]
        wide = (1).to_bytes(4, "big") + b"mdat" + (len(body) + 16).to_bytes(8, "big") + body
        endless = bytes(4) + b"mdat" + body
        for box in (wide, endless):
            clip = tmp_path / "b.mp4"
            clip.write_bytes(data[:at] + box)
            check_structure(clip)
        (tmp_path / "b.mp4").write_bytes(data[:at] + wide[:-1])
        with pytest.raises(ClipIncomplete, match="'mdat'"):
            check_structure(tmp_path / "b.mp4")

    def test_a_copy_into_reserved_space_is_not_whole(self, tmp_path):
        data = make_clip(tmp_path / "a.mp4", seconds=1).read_bytes()
        filled = data.index(b"moov") - 4
        (tmp_path / "b.mp4").write_bytes(data[:filled].ljust(len(data), b"\0"))
        with pytest.raises(ClipIncomplete, match="no index"):
            check_structure(tmp_path / "b.mp4")

    def test_unfinished_avi(self, tmp_path):
        data = bytearray(make_clip(tmp_path / "a.avi", seconds=0.4).read_bytes())
        data[4:8] = bytes(4)
        (tmp_path / "b.avi").write_bytes(data)
        with pytest.raises(ClipIncomplete, match="not finished"):
            check_structure(tmp_path / "b.avi")

    @settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        head=st.sampled_from([b"", b"\0\0\0\x18ftypisom", b"\x1aE\xdf\xa3", b"RIFF\x10\0\0\0AVI ", b"G"]),
        rest=st.binary(max_size=600),
    )
    def test_rubbish_never_does_more_than_fail(self, tmp_path, head, rest):
        path = tmp_path / "rubbish"
        path.write_bytes(head + rest)
        said = str(path)
        try:
            container_of(path)
        except ClipError as error:
            said = str(error)
        assert str(path) in said


class TestNoClips:
    def test_a_text_file_called_mp4(self, tmp_path):
        path = tmp_path / "clip.mp4"
        path.write_text("Dear editor, this is no film.\n" * 100)
        with pytest.raises(ClipUnreadable, match=r"MP4, MOV.*expected.*b'Dear editor,'.*Export"):
            probe(path)

    def test_empty_folder_and_missing(self, tmp_path):
        (tmp_path / "e.mp4").touch()
        with pytest.raises(ClipIncomplete, match="empty"):
            probe(tmp_path / "e.mp4")
        with pytest.raises(ClipUnreadable, match="folder"):
            probe(tmp_path)
        with pytest.raises(ClipUnreadable, match="not there"):
            probe(tmp_path / "none.mp4")

    def test_a_fifo_does_not_block(self, tmp_path):
        os.mkfifo(tmp_path / "a.mp4")
        with pytest.raises(ClipUnreadable, match="no regular file"):
            probe(tmp_path / "a.mp4")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_no_permission(self, tmp_path):
        clip = make_clip(tmp_path / "a.mp4", seconds=0.2)
        clip.chmod(0)
        with pytest.raises(ClipUnreadable, match="chmod"):
            probe(clip)

    def test_sound_only(self, tmp_path):
        clip = make_clip(tmp_path / "a.mp4", seconds=1, audio="mono")
        with pytest.raises(ClipWithoutPicture, match="found: audio"):
            probe(remux(clip, tmp_path / "b.mp4", "-vn"))

    def test_structure_right_and_content_destroyed(self, tmp_path):
        data = bytearray(make_clip(tmp_path / "a.mp4", seconds=1).read_bytes())
        at = data.index(b"moov") + 4
        data[at:] = b"\xaa" * (len(data) - at)
        (tmp_path / "b.mp4").write_bytes(data)
        with pytest.raises(ClipUnreadable, match="Export the clip again"):
            probe(tmp_path / "b.mp4")

    def test_a_slow_ffprobe_is_worth_another_try(self, tmp_path, monkeypatch):
        clip = make_clip(tmp_path / "a.mp4", seconds=0.2)
        real = ffmpeg.probe
        monkeypatch.setattr(ffmpeg, "probe", lambda args, timeout=60: real(args, timeout=-1.0))
        with pytest.raises(TransientError, match="did not answer"):
            probe(clip)
