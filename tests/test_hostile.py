"""What a post house does to it: drop-frame timecode, killed runs, lost ledgers, outputs dropped in again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import pytest
from daemon_child import config_of, copier
from media_fixtures import RATE, make_clip, noise, write_wav
from mux_media import add_sound, streams

from foley_daemon.aftercare import failure_report
from foley_daemon.daemon import Daemon
from foley_daemon.domain import Job, Output
from foley_daemon.engine import Engine
from foley_daemon.errors import ClipReplaced, ContainerCannot, VerificationFailed
from foley_daemon.gate import Signature
from foley_daemon.ledger import Ledger
from foley_daemon.mux import MuxRequest, publish
from foley_daemon.place import part_file
from foley_daemon.probe import probe
from foley_daemon.profile import Profile
from foley_daemon.runner import Attempt
from foley_daemon.scratch import work_folder
from foley_daemon.walk import Rules
from foley_daemon.watched import WatchedFolder
from foley_daemon.watcher import Sweeper
from foley_daemon.worker import process_clip
from ssv2a.media.audio import WavWriter

SMALL = (64, 36)
AVI = b"RIFF" + (4 + 8).to_bytes(4, "little") + b"AVI JUNK" + bytes(4)  # the smallest whole structure
AVI_2 = b"RIFF" + (4 + 12).to_bytes(4, "little") + b"AVI JUNK" + (4).to_bytes(4, "little") + b"next"


@pytest.mark.parametrize("timecode", ["10:00:00;00", "01:00:00;02"])
def test_quicktime_keeps_a_drop_frame_timecode_and_its_reel(tmp_path: Path, timecode: str) -> None:
    options = ("-timecode", timecode, "-metadata:s:v", "reel_name=A001C002")
    clip = make_clip(tmp_path / "a.mov", seconds=1, rate="30000/1001", size=SMALL, options=options)
    result = add_sound(clip, tmp_path / "out.mov")
    (track,) = [stream for stream in streams(result.file) if stream["codec_tag_string"] == "tmcd"]
    assert (track["tags"]["timecode"], track["tags"]["reel_name"]) == (timecode, "A001C002")
    assert result.warnings == ()


# ---- clips that change under the work ----


@pytest.mark.parametrize("change", ["replaced", "appended", "removed"])
def test_nothing_is_published_of_a_clip_that_changed_meanwhile(tmp_path: Path, change: str) -> None:
    clip = make_clip(tmp_path / "a.mp4", seconds=0.4, size=SMALL)
    found, signature = probe(clip), Signature.of(clip.stat())
    wav = write_wav(tmp_path / "render.wav", noise(Fraction(found.n_samples, RATE)))
    (out := tmp_path / "out").mkdir()
    request = MuxRequest(found, wav, 2, "sidecar", out / "a.wav", signature=signature)
    if change == "replaced":
        shutil.copy(clip, tmp_path / "other")
        (tmp_path / "other").replace(clip)
    elif change == "appended":
        with clip.open("ab") as file:
            file.write(b"\0\0\0\x08free")
    else:
        clip.unlink()
    with pytest.raises(ClipReplaced, match=r"was (changed|removed) while"):
        publish(request)
    assert list(out.iterdir()) == []


def test_a_clip_replaced_while_it_is_worked_on_is_no_failure(tmp_path: Path) -> None:
    """The work on the first fails in some way that the replacement caused; the second comes out."""
    hot = tmp_path / "hot"
    hot.mkdir()
    (hot / "foley.yaml").write_text("watch: {stable_for: 0.1}\n")
    clip = hot / "a.avi"
    clip.write_bytes(AVI)
    seen: list[bytes] = []

    def process(job: Job, profile: Profile, attempt: Attempt) -> Output:
        seen.append(clip.read_bytes())
        if len(seen) == 1:
            (tmp_path / "next").write_bytes(AVI_2)
            (tmp_path / "next").replace(clip)
            raise VerificationFailed("another number of frames")
        return copier(0)(job, profile, attempt)

    config = config_of(hot, tmp_path / "state")
    code = Daemon(config, process, bundle_id=lambda _: "bundle").run(once=True)
    assert (code, seen) == (0, [AVI, AVI_2])
    assert (hot / "foley/a_foley.avi").read_bytes().startswith(AVI_2)
    assert not failure_report(clip).exists()


# ---- outputs ----


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".avi"])
def test_an_output_is_no_input_even_where_the_ledger_is_new(tmp_path: Path, suffix: str) -> None:
    hot = tmp_path / "hot"
    hot.mkdir()
    clip = make_clip(hot / f"clip{suffix}", seconds=0.4, size=SMALL)
    add_sound(clip, hot / f"copied back{suffix}")
    sweeper = Sweeper(WatchedFolder(hot, lambda: Profile()))
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        for now in (0.0, 1.0, 2.0):
            result = sweeper.sweep(Rules((f"*{suffix}",), stable_for=0.5), ledger, now)
    assert [found.relative_path for found in result.found] == [clip.name]


# ---- what killed runs leave ----

HOLDER = """
import sys, time
from pathlib import Path
from foley_daemon.place import part_file
from foley_daemon.scratch import work_folder
with work_folder() as work, part_file(Path(sys.argv[1])) as part:
    (work / "foley.wav").write_bytes(bytes(1000))
    part.write_bytes(bytes(1000))
    print("ready", flush=True)
    time.sleep(60)
"""


def test_temporaries_of_a_killed_run_are_removed_and_those_of_a_living_one_stay(tmp_path: Path) -> None:
    out, temp = tmp_path / "out", tmp_path / "temp"
    out.mkdir()
    temp.mkdir()
    children = [
        subprocess.Popen(
            [sys.executable, "-c", HOLDER, out / name],
            stdout=subprocess.PIPE,
            env={**os.environ, "TMPDIR": str(temp)},
        )
        for name in ("killed.mp4", "alive.mp4")
    ]
    with children[0] as killed, children[1] as alive:
        try:
            for child in children:
                assert child.stdout is not None
                assert child.stdout.readline() == b"ready\n"
            killed.kill()
            killed.wait()
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(tempfile, "tempdir", str(temp))
                with work_folder(), part_file(out / "next.mp4"):
                    left = sorted(path.name.split(".")[1] for path in out.iterdir())
                    assert left == ["alive", "next"]
                    assert len(list(temp.iterdir())) == 2
        finally:
            alive.send_signal(signal.SIGTERM)
    assert len(list(out.iterdir())) == 1, "a part is never taken away from a run that lives"


# ---- what cannot be had ----


def test_a_codec_that_the_container_cannot_hold_is_refused_before_the_work(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", seconds=0.4, size=SMALL)
    profile = Profile.model_validate({"output": {"codec": "pcm_s24le"}})
    stages: list[str] = []
    with Engine() as engine, pytest.raises(ContainerCannot, match="pcm_s24le"):
        process_clip(clip, profile, engine=engine, progress=lambda stage, _share: stages.append(stage))
    assert stages == ["probe"]


# ---- full disks ----


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_disk_that_takes_no_sound_is_the_disks_fault_and_not_the_programs() -> None:
    with pytest.raises(OSError, match="/dev/full"), WavWriter(Path("/dev/full"), channels=2) as wav:
        wav.write(noise(1))


# ---- what a person gets to read ----


@pytest.mark.parametrize(
    "arguments",
    [["watch", "--config", "no.yaml"], ["reprocess", "no.mp4"], ["status", "--config", "no.yaml"]],
)
def test_errors_of_the_user_are_told_without_a_traceback(tmp_path: Path, arguments: list[str]) -> None:
    environment = {**os.environ, "FOLEY_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "foley_daemon", *arguments]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode in (3, 4)
    assert done.stderr.startswith("error ")
    assert "Traceback" not in done.stderr
