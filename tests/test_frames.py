"""The right frame at the right time, whatever the container does to time; and no decoder can hang us."""

from __future__ import annotations

import os
import sys
import time
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_fixtures import frame_number, make_clip, trim_clip

from ssv2a.errors import FramesUnreadable, MediaError
from ssv2a.media import ffmpeg, frames
from ssv2a.media.frames import FrameReader
from ssv2a.media.timeline import Timeline, picture_timeline, timeline_of

F = Fraction


def children() -> set[str]:
    """Process ids of our children."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def numbers_at(clip: Path, times: list[F], **how) -> tuple[list[int], FrameReader, frames.Frames]:
    with FrameReader(clip, picture_timeline(clip), **how) as reader:
        found = reader.read(times)
        return [frame_number(image) for image in found.images], reader, found


class TestTimeline:
    @pytest.mark.parametrize("rate", ["24000/1001", "25", "30000/1001", "60"])
    @pytest.mark.parametrize("suffix", [".mp4", ".mov", ".avi"])
    def test_constant_rates_are_exact(self, tmp_path, rate, suffix):
        timeline = picture_timeline(make_clip(tmp_path / f"a{suffix}", seconds=1, rate=rate))
        count = round(F(rate))
        assert timeline.starts == tuple(number / F(rate) for number in range(count))
        assert timeline.duration == count / F(rate)

    def test_transport_stream_keeps_its_clock(self, tmp_path):
        timeline = picture_timeline(make_clip(tmp_path / "a.ts", seconds=1))
        assert timeline.start > 1
        assert timeline.duration == 1

    def test_a_fifth_of_a_second(self, tmp_path):
        timeline = picture_timeline(make_clip(tmp_path / "a.mp4", seconds=0.2))
        assert timeline.duration == F(1, 5)

    def test_variable_rate(self, tmp_path):
        kept = [0, 1, 2, 7, 8, 20, 40, 44]
        timeline = picture_timeline(make_clip(tmp_path / "a.mp4", seconds=2, keep=kept))
        assert timeline.starts == tuple(F(number, 25) for number in kept)
        assert timeline.end > timeline.starts[-1]

    def test_edit_list_hides_the_lead_in(self, tmp_path):
        clip = trim_clip(make_clip(tmp_path / "a.mp4", seconds=2), tmp_path / "b.mp4", 1.3)
        assert len(picture_timeline(clip).starts) == 17  # frames 33 to 49; the packets start at 25

    def test_cover_is_no_picture(self, tmp_path):
        cover = make_clip(tmp_path / "c.mp4", seconds=0.04)
        sound = make_clip(tmp_path / "s.mp4", seconds=1, audio="mono")
        clip = tmp_path / "a.mp4"
        args = ["-i", ffmpeg.url(sound), "-i", ffmpeg.url(cover), "-map", "1:v", "-map", "0", "-c", "copy"]
        ffmpeg.run(
            [*args, "-c:v:0", "mjpeg", "-disposition:v:0", "attached_pic", ffmpeg.url(clip)], timeout=30
        )
        timeline = picture_timeline(clip)
        assert len(timeline.starts) == 25
        kinds = [
            stream["codec_type"] for stream in ffmpeg.probe(["-show_streams", ffmpeg.url(clip)])["streams"]
        ]
        assert kinds.count("video") == 2

    def test_no_picture(self, tmp_path):
        clip = make_clip(tmp_path / "a.mp4", seconds=1, audio="mono")
        ffmpeg.run(["-i", ffmpeg.url(clip), "-vn", "-c", "copy", ffmpeg.url(tmp_path / "b.mp4")], timeout=30)
        with pytest.raises(MediaError, match="has no picture"):
            picture_timeline(tmp_path / "b.mp4")

    def test_times_missing_from_packets(self):
        stream = {"index": 0, "time_base": "1/25", "avg_frame_rate": "25/1"}
        by_dts = timeline_of(stream, [{"dts": dts, "duration": 1, "flags": "K__"} for dts in range(5)], "x")
        by_rate = timeline_of(stream, [{"flags": "K__"}] * 5, "x")
        assert by_dts.starts == by_rate.starts == tuple(F(number, 25) for number in range(5))
        assert not by_dts.closed
        assert not by_rate.closed

    @given(st.lists(st.integers(1, 5000), min_size=1, max_size=50), st.data())
    def test_shown_at_is_the_last_frame_that_came(self, gaps, data):
        starts = [F(7, 5)]
        for gap in gaps:
            starts.append(starts[-1] + F(gap, 1000))
        timeline = Timeline(0, tuple(starts), starts[-1] + 1)
        at = data.draw(st.fractions(-1, timeline.duration + 1, max_denominator=2000))
        number = timeline.shown_at(at)
        came = [start for start in starts if start - starts[0] <= at]
        assert number == max(0, len(came) - 1)


class TestRead:
    @pytest.mark.parametrize("decoder", ["decord", "pyav"])
    @pytest.mark.parametrize(
        ("name", "how"),
        [
            ("a.mp4", {}),
            ("a.mov", {"rate": "30000/1001"}),
            ("a.mkv", {}),
            ("a.webm", {}),
            ("a.avi", {}),
            ("a.mp4", {"options": ("-movflags", "frag_keyframe+empty_moov")}),
        ],
        ids=["mp4", "mov 29.97", "mkv", "webm", "avi", "fragmented"],
    )
    def test_exact_frames_forward_and_back(self, tmp_path, monkeypatch, name, how, decoder):
        if decoder == "pyav":
            monkeypatch.setattr(frames, "DECORD_MAX_BYTES", 0)
        clip = make_clip(tmp_path / name, seconds=4, **how)
        timeline = picture_timeline(clip)
        with FrameReader(clip, timeline, max_side=160) as reader:
            for wanted in ([0, 1, 2, 9], [60, 61, 99], [30, 44, 45, 46, 70], [99, 3, 3, 50]):
                found = reader.read([timeline.starts[n] - timeline.start + F(1, 500) for n in wanted])
                assert [frame_number(image) for image in found.images] == wanted
                assert [timeline.start + time for time in found.times] == pytest.approx(
                    [timeline.starts[n] for n in wanted], abs=1e-3
                )
            assert reader.decoder == decoder

    @pytest.mark.parametrize(
        ("name", "how"),
        [
            ("a.ts", {}),
            ("a.avi", {"codec": "libx264"}),
            ("a.mp4", {"codec": "libx265", "options": ("-x265-params", "log-level=none:keyint=20:pools=1")}),
            ("a.mp4", {"codec": "libaom-av1"}),
        ],
        ids=["transport stream", "avi with B-frames", "hevc with open groups", "av1"],
    )
    def test_where_decord_would_be_wrong(self, tmp_path, name, how):
        clip = make_clip(tmp_path / name, seconds=3, size=(160, 96), **how)
        timeline = picture_timeline(clip)
        with FrameReader(clip, timeline) as reader:
            for wanted in ([0, 5, 33], [50, 51, 74], [30, 45]):
                found = reader.read([timeline.starts[n] - timeline.start for n in wanted])
                assert [frame_number(image) for image in found.images] == wanted
            assert reader.decoder == "pyav"

    def test_variable_rate_and_edit_list(self, tmp_path):
        clip = make_clip(tmp_path / "v.mp4", seconds=2, keep=[0, 1, 2, 7, 8, 20, 40, 44])
        got, _, found = numbers_at(clip, [F(0), F("0.27"), F("0.28"), F("1.5"), F(9)])
        assert got == [0, 2, 7, 20, 44]
        assert found.times == (0, F("0.08"), F("0.28"), F("0.8"), F("1.76"))
        clip = trim_clip(make_clip(tmp_path / "a.mp4", seconds=2), tmp_path / "b.mp4", 1.3)
        assert numbers_at(clip, [F(0), F("0.1"), F("0.67")])[0] == [33, 35, 49]

    @pytest.mark.parametrize("rotation", [0, 90, 180, 270])
    @pytest.mark.parametrize("decoder", ["decord", "pyav"])
    def test_upright(self, tmp_path, monkeypatch, rotation, decoder):
        if decoder == "pyav":
            monkeypatch.setattr(frames, "DECORD_MAX_BYTES", 0)
        clip = make_clip(tmp_path / "a.mp4", seconds=1, rotation=rotation)
        got, reader, found = numbers_at(clip, [F(0), F(1, 2)], max_side=160)
        assert got == [0, 12]
        assert found.images.shape == (2, 90, 160, 3)
        assert reader.decoder == decoder

    def test_size_is_kept_in_shape_and_never_enlarged(self, tmp_path):
        clip = make_clip(tmp_path / "a.mp4", seconds=0.2, size=(96, 320))
        assert numbers_at(clip, [F(0)])[2].images.shape == (1, 320, 96, 3)
        assert numbers_at(clip, [F(0)], max_side=200)[2].images.shape == (1, 200, 60, 3)
        high = make_clip(tmp_path / "c.mp4", seconds=0.2, size=(1920, 1080))
        assert numbers_at(high, [F(0)])[2].images.shape == (1, 720, 1280, 3)
        wide = make_clip(tmp_path / "b.mp4", seconds=0.2, size=(180, 144), options=("-vf", "setsar=2"))
        assert numbers_at(wide, [F(0)])[2].images.shape == (1, 144, 360, 3)

    def test_arrays_are_read_only_and_empty_requests_are_answered(self, tmp_path):
        clip = make_clip(tmp_path / "a.mp4", seconds=0.2)
        for times in ([F(0)], [F(1, 10), F(0), F(0)]):
            _, _, found = numbers_at(clip, times)
            with pytest.raises(ValueError, match="read-only"):
                found.images[0, 0, 0, 0] = 1
        assert len(numbers_at(clip, [])[2]) == 0

    def test_names_that_are_not_utf8(self, tmp_path):
        clip = make_clip(tmp_path / "a.mp4", seconds=0.4)
        odd = clip.rename(tmp_path / os.fsdecode(b"-\xff %d:\n.mp4"))
        assert numbers_at(odd, [F(0), F("0.2")])[0] == [0, 5]


class TestTrouble:
    @pytest.mark.parametrize(
        "code", ["import time; time.sleep(60)", "import os; os.abort()", "print('[broken')", "pass"]
    )
    def test_a_decoder_that_hangs_or_crashes_is_replaced(self, tmp_path, monkeypatch, code):
        real = frames._command

        def command(decoder, *rest):
            return [sys.executable, "-c", code] if decoder == "decord" else real(decoder, *rest)

        monkeypatch.setattr(frames, "_command", command)
        clip = make_clip(tmp_path / "a.mp4", seconds=1)
        before, begin = children(), time.monotonic()
        got, reader, _ = numbers_at(clip, [F(0), F(1, 2)], timeout=5 if "sleep" not in code else 1.5)
        assert got == [0, 12]
        assert reader.decoder == "pyav"
        assert time.monotonic() - begin < 20
        assert children() == before

    def test_both_fail(self, tmp_path):
        clip = make_clip(tmp_path / "a.mp4", seconds=2)
        timeline = picture_timeline(clip)
        with FrameReader(clip, timeline, timeout=20) as reader:
            os.truncate(clip, 3000)  # the index lies at the end
            with pytest.raises(FramesUnreadable, match=r"a\.mp4: no decoder could read frames 0 to 25"):
                reader.read([F(0), F(1)])

    def test_cut_off_after_it_was_opened(self, tmp_path):
        clip = make_clip(tmp_path / "a.mp4", seconds=3, options=("-movflags", "+faststart"))
        timeline = picture_timeline(clip)
        with FrameReader(clip, timeline, timeout=20) as reader:
            os.truncate(clip, clip.stat().st_size // 2)
            found = reader.read([F(0), F(29, 10)])
            assert frame_number(found.images[0]) == 0
            assert F(1, 2) < found.times[1] < F(29, 10)  # the last there was, and it says so

    def test_nothing_is_left_behind(self, tmp_path):
        clip = make_clip(tmp_path / "a.mp4", seconds=0.4)
        before = children()
        with FrameReader(clip, picture_timeline(clip)) as reader:
            reader.read([F(0)])
            assert children() > before
        assert children() == before

    def test_the_child_dies_with_its_parent(self, tmp_path):
        clip = make_clip(tmp_path / "a.mp4", seconds=0.4)
        code = (
            "import os, signal, sys; from fractions import Fraction; from pathlib import Path\n"
            "from ssv2a.media.frames import FrameReader; from ssv2a.media.timeline import picture_timeline\n"
            f"clip = Path({str(clip)!r}); reader = FrameReader(clip, picture_timeline(clip))\n"
            "reader.read([Fraction(0)]); print(reader._child._process.popen.pid, flush=True)\n"
            "os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        import subprocess

        said = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=False).stdout
        for _ in range(100):
            state = Path(f"/proc/{int(said)}/stat")
            if not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return
            time.sleep(0.05)
        pytest.fail("the decoder outlived its parent")


@pytest.mark.slow
def test_memory_of_ten_minutes(tmp_path):
    """A 10-minute clip costs hardly more than a 10-second one, with either decoder."""
    import subprocess

    code = (
        "import resource, sys; from fractions import Fraction as F; from pathlib import Path\n"
        "from ssv2a.memory import peak_memory\n"
        "from ssv2a.media.frames import FrameReader; from ssv2a.media.timeline import picture_timeline\n"
        "clip = Path(sys.argv[1]); timeline = picture_timeline(clip); start = F(0)\n"
        "with FrameReader(clip, timeline) as reader:\n"
        "    while start < timeline.duration:\n"
        "        reader.read([start + F(10 * k, 16) for k in range(16)]); start += F(19, 2)\n"
        "child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss\n"
        "print(peak_memory() // 2**20 + child // 1024)\n"
    )

    def peak(seconds: int, bitrate: str) -> int:
        clip = tmp_path / f"{seconds}{bitrate}.mp4"
        source = f"testsrc2=s=640x360:r=25:d={seconds}"
        coding = ["-c:v", "libx264", "-preset", "ultrafast", "-threads", "1", "-b:v", bitrate]
        ffmpeg.run(
            ["-f", "lavfi", "-i", source, "-pix_fmt", "yuv420p", *coding, ffmpeg.url(clip)], timeout=300
        )
        command = [sys.executable, "-c", code, str(clip)]
        said = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        return int(said.stdout)

    short = peak(10, "400k")
    for bitrate in ("400k", "2M"):  # below and above what decord is given
        assert peak(600, bitrate) < short + 120
