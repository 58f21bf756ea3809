"""The daemon: a clip that is dropped comes out once, whatever happens in between."""

from __future__ import annotations

import configparser
import contextlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from daemon_child import config_of, copier
from loguru import logger

from foley_daemon import daemon as daemon_module
from foley_daemon import runner as runner_module
from foley_daemon.aftercare import failure_report, move_to_done, remove_failure, write_failure
from foley_daemon.config import Config, FolderSettings
from foley_daemon.daemon import Daemon
from foley_daemon.domain import Job, JobState, Output
from foley_daemon.errors import ClipIncomplete, ClipUnreadable, ConfigError, DiskFull, EngineDied, FolderTaken
from foley_daemon.identity import content_id
from foley_daemon.ledger import Ledger, Retry
from foley_daemon.notify import Notifier
from foley_daemon.preflight import check_folders
from foley_daemon.profile import Profile
from foley_daemon.runner import Attempt, Process, exit_code_of, retry_of
from foley_daemon.watched import LOCK_NAME, WatchedFolder
from ssv2a.errors import BundleError, FramesUnreadable

WHOLE = b"RIFF" + (4 + 8).to_bytes(4, "little") + b"AVI JUNK" + bytes(4)
CHILD = Path(__file__).with_name("daemon_child.py")


@pytest.fixture
def hot(tmp_path: Path) -> Path:
    folder = tmp_path / "hot"
    folder.mkdir()
    profile(folder, "")
    return folder


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon_module, "MIN_GAP_SECONDS", 0.05)
    monkeypatch.setattr(daemon_module, "TICK_SECONDS", 0.02)
    monkeypatch.setattr(runner_module, "IDLE_SECONDS", 0.02)


def profile(hot: Path, text: str) -> None:
    (hot / "foley.yaml").write_text("watch: {stable_for: 0.1}\n" + text)


def drop(hot: Path, name: str = "a.avi", content: bytes = WHOLE) -> Path:
    path = hot / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def once(hot: Path, state: Path, process: Process | None = None, *, free_space: int = 0) -> int:
    config = config_of(hot, state, free_space)
    return Daemon(config, process or copier(0), bundle_id=lambda _: "bundle").run(once=True)


def outputs(hot: Path) -> list[str]:
    return sorted(str(path.relative_to(hot)) for path in hot.rglob("*_foley*.avi"))


def jobs(state: Path) -> list[Job]:
    with Ledger(state / "ledger.sqlite") as ledger:
        return ledger.list()


def failing(*errors: Exception) -> Process:
    """Return a process that fails with each error in turn, then does its work."""
    left = list(errors)

    def process(job: Job, profile: Profile, attempt: Attempt) -> Output:
        if left:
            raise left.pop(0)
        return copier(0)(job, profile, attempt)

    return process


# ---- one pass ----


def test_clips_come_out_and_only_once(hot: Path, state: Path) -> None:
    drop(hot)
    drop(hot, "sub/b.avi", WHOLE + b"b" * 0)
    drop(hot, "notes.txt")
    assert once(hot, state) == 0
    assert outputs(hot) == ["foley/a_foley.avi", "sub/foley/b_foley.avi"]
    assert (hot / "foley/a_foley.avi").read_bytes() == WHOLE + b"foley"
    assert (hot / "a.avi").read_bytes() == WHOLE
    assert once(hot, state) == 0
    assert len(outputs(hot)) == 2, "a source that is still there is not unprocessed"


def test_an_edited_profile_redoes_nothing_and_counts_for_the_next_clip(hot: Path, state: Path) -> None:
    drop(hot)
    once(hot, state)
    profile(hot, "output: {folder: other}\n")
    drop(hot, "b.avi")
    once(hot, state)
    assert outputs(hot) == ["foley/a_foley.avi", "other/b_foley.avi"]


def test_reprocess_does_it_again_under_the_profile_of_now(hot: Path, state: Path) -> None:
    drop(hot)
    once(hot, state)
    (before,) = jobs(state)
    profile(hot, "model: {seed: 7}\n")
    with Ledger(state / "ledger.sqlite") as ledger:
        assert ledger.requeue(hot, "a.avi") is not None
    assert once(hot, state) == 0
    (after,) = jobs(state)
    assert (after.state, after.attempts) == (JobState.DONE, 1)
    assert after.render_key != before.render_key
    assert outputs(hot) == ["foley/a_foley.avi", "foley/a_foley_2.avi"]


def test_a_moved_source_is_moved_after_done_and_overwrites_nothing(hot: Path, state: Path) -> None:
    profile(hot, "after: {source: move}\n")
    drop(hot, "_done/sub/a.avi", b"already there")
    drop(hot, "sub/a.avi")
    assert once(hot, state) == 0
    assert not (hot / "sub/a.avi").exists()
    assert (hot / "_done/sub/a.avi").read_bytes() == b"already there"
    assert (hot / "_done/sub/a_2.avi").read_bytes() == WHOLE
    assert once(hot, state) == 0
    assert outputs(hot) == ["sub/foley/a_foley.avi"]


def test_a_move_that_a_crash_prevented_is_made_up_for(hot: Path, state: Path) -> None:
    drop(hot)
    once(hot, state)
    with Ledger(state / "ledger.sqlite") as ledger:
        ledger.requeue(hot, "a.avi")
        job = ledger.claim("killed after done", 60, [hot])
        assert job is not None
        ledger.finish(job, {}, move_source=True)
    assert once(hot, state) == 0
    assert (hot / "_done/a.avi").exists()
    assert not (hot / "a.avi").exists()


# ---- failures ----


def test_a_bad_clip_gets_a_report_beside_it_and_the_others_go_on(
    hot: Path, state: Path, errors_fail: list[str]
) -> None:
    bad = drop(hot, "bad clip's.avi")
    drop(hot, "good.avi", WHOLE)
    reason = "got a text file; expected a clip; export it again"

    def process(job: Job, profile: Profile, attempt: Attempt) -> Output:
        if "bad" in job.relative_path:
            raise ClipUnreadable(reason)
        return copier(0)(job, profile, attempt)

    assert once(hot, state, process) == 4
    assert outputs(hot) == ["foley/good_foley.avi"]
    text = failure_report(bad).read_text()
    assert reason in text
    assert "foley reprocess" in text
    assert "Traceback" not in text
    assert bad.read_bytes() == WHOLE
    assert once(hot, state) == 0, "never retried by itself"
    assert outputs(hot) == ["foley/good_foley.avi"]
    drop(hot, bad.name, WHOLE + WHOLE)
    assert once(hot, state) == 0
    assert len(outputs(hot)) == 2
    assert not failure_report(bad).exists(), "a success takes the old report away"


def test_a_fault_of_the_program_keeps_its_traceback_and_the_daemon_lives(
    hot: Path, state: Path, errors_fail: list[str]
) -> None:
    drop(hot, "1.avi")
    drop(hot, "2.avi")
    assert once(hot, state, failing(ZeroDivisionError("oops"))) == 1
    report = next(hot.glob("*.foley-failed.txt")).read_text()
    assert "ZeroDivisionError: oops" in report
    assert "Traceback" in report
    assert len(outputs(hot)) == 1
    (failed,) = [job for job in jobs(state) if job.state is JobState.FAILED]
    assert failed.error is not None
    assert "Traceback" in failed.error
    assert any("oops" in line for line in errors_fail)


def test_what_may_pass_stays_queued_and_a_single_pass_says_so(hot: Path, state: Path) -> None:
    clip = drop(hot)
    assert once(hot, state, failing(EngineDied("the models' process ended"))) == 6
    (job,) = jobs(state)
    assert (job.state, job.error) == (JobState.QUEUED, "the models' process ended")
    assert not failure_report(clip).exists()
    assert once(hot, state) == 6, "its time has not come"


@pytest.mark.parametrize(
    ("error", "retry", "code"),
    [
        (ClipIncomplete("x"), Retry.NEVER, 4),
        (FramesUnreadable("x"), Retry.NEVER, 4),
        (KeyError("x"), Retry.NEVER, 1),
        (EngineDied("x"), Retry.CAPPED, 6),
        (MemoryError(), Retry.CAPPED, 6),
        (PermissionError(13, "x"), Retry.CAPPED, 6),
        (DiskFull("x"), Retry.ALWAYS, 6),
        (OSError(28, "No space left on device"), Retry.ALWAYS, 6),
        (OSError(116, "Stale file handle"), Retry.ALWAYS, 6),
    ],
)
def test_which_failures_pass(error: Exception, retry: Retry, code: int) -> None:
    assert retry_of(error) is retry
    assert exit_code_of(error) == code


def test_a_missing_bundle_fails_no_clip(hot: Path, state: Path, errors_fail: list[str]) -> None:
    drop(hot)
    assert once(hot, state, failing(BundleError("no such bundle"))) == 3
    (job,) = jobs(state)
    assert (job.state, job.attempts) == (JobState.QUEUED, 0)
    assert once(hot, state) == 0
    assert len(outputs(hot)) == 1


def test_a_broken_profile_names_every_fault_and_keeps_the_clips(hot: Path, state: Path) -> None:
    drop(hot)
    good = (hot / "foley.yaml").read_text()
    (hot / "foley.yaml").write_text("model: {sed: 1}\nchunks: {seconds: no}\n")
    assert once(hot, state) == 3
    assert outputs(hot) == []
    (hot / "foley.yaml").write_text(good)
    assert once(hot, state) == 0
    assert len(outputs(hot)) == 1


def test_without_room_the_clip_waits_and_goes_on_by_itself(
    hot: Path, state: Path, monkeypatch: pytest.MonkeyPatch, errors_fail: list[str]
) -> None:
    drop(hot)
    usage = shutil.disk_usage(hot)
    assert once(hot, state, free_space=int(usage.free / 1e6) + 1000) == 6
    (job,) = jobs(state)
    assert (job.state, job.attempts) == (JobState.QUEUED, 0)
    assert job.error is not None
    assert "MB are free" in job.error
    assert once(hot, state) == 0


def test_a_clip_that_is_removed_before_its_turn_is_forgotten_and_may_come_again(
    hot: Path, state: Path
) -> None:
    first, second = drop(hot, "1.avi"), drop(hot, "2.avi", WHOLE * 2)

    def process(job: Job, profile: Profile, attempt: Attempt) -> Output:
        second.unlink(missing_ok=True)
        return copier(0)(job, profile, attempt)

    assert once(hot, state, process) == 0
    assert [job.relative_path for job in jobs(state)] == [first.name]
    drop(hot, "2.avi", WHOLE * 2)
    assert once(hot, state) == 0
    assert len(outputs(hot)) == 2


def test_a_report_fits_the_longest_name_and_quotes_the_strangest(tmp_path: Path) -> None:
    longest = "é" * 125 + ".avi"
    for name in (longest, "it's.avi", "a\nb\udcff.avi"):
        job = Job(1, tmp_path, name, "c", "p", "r", JobState.FAILED, 1, 0, None, None, None, (), 0, 0)
        drop(tmp_path, name)
        report = write_failure(job, "why", 0.0)
        assert len(os.fsencode(report.name)) <= 255
        command = next(line.strip() for line in report.read_text().splitlines() if "foley reprocess" in line)
        listed = subprocess.run(
            ["bash", "-c", command.replace("foley reprocess", "stat -c %s --")],
            capture_output=True,
            check=False,
        )
        assert listed.stdout == b"%d\n" % len(WHOLE), "the command can be pasted into a shell"
        remove_failure(job.path)
        assert not report.exists()
        assert move_to_done(job).read_bytes() == WHOLE


# ---- before the start ----


def test_folders_that_would_feed_each_other_are_refused_all_faults_at_once(
    tmp_path: Path, state: Path
) -> None:
    one, inner, two = tmp_path / "one", tmp_path / "one/inner", tmp_path / "two"
    for folder in (inner, two):
        folder.mkdir(parents=True)
    profile(two, f"output: {{folder: {one / 'x'}}}\n")
    folders = [
        WatchedFolder(path, config_of(path, state).folders[0].current_profile) for path in (one, inner, two)
    ]
    folders.append(WatchedFolder(tmp_path / "none", Profile))
    with pytest.raises(ConfigError) as caught:
        check_folders(folders, state)
    text = str(caught.value)
    assert f"{inner}: the same as, or inside" in text
    assert f"{two}: its results would go to {one / 'x'}, into the hot folder {one}" in text
    assert f"{tmp_path / 'none'}: no such folder" in text
    assert len(caught.value.faults) == 3


def test_results_into_the_hot_folder_itself_are_refused(hot: Path, state: Path) -> None:
    profile(hot, f"output: {{folder: {hot}}}\n")
    with pytest.raises(ConfigError, match="into the hot folder"):
        once(hot, state)


def test_a_second_daemon_on_a_folder_is_refused(hot: Path, state: Path) -> None:
    with running(hot, state, 0.1):
        drop(hot)
        wait_for(lambda: outputs(hot) == ["foley/a_foley.avi"])
        with pytest.raises(ConfigError, match=r"another foley daemon \(process \d+\)"):
            once(hot, state)
    assert once(hot, state) == 0, "the lock went with the process"


def test_a_daemon_with_another_ledger_leaves_the_folder_alone_and_does_the_others(
    hot: Path, state: Path, tmp_path: Path
) -> None:
    free = tmp_path / "free"
    free.mkdir()
    profile(free, "")
    drop(free)
    with running(hot, state, 0.1):
        drop(hot)
        wait_for(lambda: outputs(hot) == ["foley/a_foley.avi"])
        folders = tuple(FolderSettings(path=str(folder)) for folder in (hot, free))
        config = Config(folders=folders, state=str(tmp_path / "other state"), free_space=0)
        assert Daemon(config, copier(0), bundle_id=lambda _: "bundle").run(once=True) == 6
    assert outputs(free) == ["foley/a_foley.avi"]
    assert outputs(hot) == ["foley/a_foley.avi"], "made once"
    assert not (hot / LOCK_NAME).exists()


def test_a_daemon_takes_over_from_one_that_is_killed(
    hot: Path, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon_module, "POLL_SECONDS", 0.2)
    drop(hot)
    with running(hot, state, 60) as first:
        wait_for(lambda: state_of(state) == [JobState.RUNNING])
        second = Daemon(config_of(hot, tmp_path / "other"), copier(0), bundle_id=lambda _: "bundle")
        thread = threading.Thread(target=second.run)
        thread.start()
        try:
            wait_for(lambda: bool(second._places[0].trouble))
            assert re.search(rf"\(process {first.pid} on .+\)", second._places[0].trouble)
            assert outputs(hot) == []
            first.kill()
            wait_for(lambda: outputs(hot) == ["foley/a_foley.avi"])
        finally:
            second.stop()
            thread.join(15)


def test_a_folder_is_one_daemons_until_it_gives_it_up(hot: Path) -> None:
    first, second = (WatchedFolder(hot, lambda: Profile()) for _ in range(2))
    first.take()
    with pytest.raises(FolderTaken, match="another foley daemon"):
        second.take()
    (hot / LOCK_NAME).unlink()  # somebody tidies up: whoever looks first has it
    first.take()
    with pytest.raises(FolderTaken):
        second.take()
    first.give_up()
    second.take()
    with pytest.raises(FolderTaken):
        first.take()
    second.give_up()
    assert not (hot / LOCK_NAME).exists()


def test_a_folder_that_cannot_be_locked_is_watched_with_a_warning(hot: Path, state: Path) -> None:
    (hot / LOCK_NAME).mkdir()
    drop(hot)
    warnings: list[str] = []
    sink = logger.add(lambda line: warnings.append(str(line)), level="WARNING", format="{message}")
    assert once(hot, state) == 0
    logger.remove(sink)
    assert outputs(hot) == ["foley/a_foley.avi"]
    assert [line for line in warnings if "cannot be locked" in line] == warnings
    assert len(warnings) == 1


# ---- real processes ----


class running:  # noqa: N801 - reads as a statement
    """A daemon in a process of its own; stopped in the end."""

    def __init__(
        self, hot: Path, state: Path, seconds: float, *, environment: dict[str, str] | None = None
    ) -> None:
        command = [sys.executable, str(CHILD), str(hot), str(state), str(seconds)]
        self.process = subprocess.Popen(
            command, env={**os.environ, **(environment or {})}, stderr=subprocess.DEVNULL
        )

    def __enter__(self) -> subprocess.Popen[bytes]:
        return self.process

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            finally:
                self.process.kill()
                self.process.wait()


def wait_for(condition: Callable[[], bool], seconds: float = 25) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def state_of(state: Path) -> list[JobState]:
    try:
        return [job.state for job in jobs(state)] if (state / "ledger.sqlite").exists() else []
    except ConfigError:  # just being made
        return []


def test_a_clip_copied_in_slow_pieces_comes_out_whole(hot: Path, state: Path) -> None:
    profile(hot, "")
    (hot / "foley.yaml").write_text("watch: {stable_for: 0.6}\n")
    with running(hot, state, 0.05):
        with (hot / "slow.avi").open("wb") as file:
            for byte in WHOLE:
                file.write(bytes([byte]))
                file.flush()
                time.sleep(0.08)
        wait_for(lambda: outputs(hot) != [])
    assert (hot / "foley/slow_foley.avi").read_bytes() == WHOLE + b"foley"
    assert len(jobs(state)) == 1


def test_killed_in_the_middle_of_a_job_the_clip_comes_out_once_and_whole(hot: Path, state: Path) -> None:
    drop(hot)
    with running(hot, state, 60) as daemon:
        wait_for(lambda: state_of(state) == [JobState.RUNNING])
        daemon.kill()
        daemon.wait()
    assert outputs(hot) == []
    with running(hot, state, 0.1):
        wait_for(lambda: state_of(state) == [JobState.DONE])
    assert outputs(hot) == ["foley/a_foley.avi"]
    assert (hot / "foley/a_foley.avi").read_bytes() == WHOLE + b"foley"
    assert jobs(state)[0].attempts == 2


def test_a_clip_that_ends_the_daemon_again_and_again_is_given_up_with_a_report(
    hot: Path, state: Path, errors_fail: list[str]
) -> None:
    clip = drop(hot)
    with Ledger(state / "ledger.sqlite") as ledger:
        job = ledger.add(hot, clip.name, content_id(clip), render_key="r", publish_key="p")
        for _ in range(2):
            ledger.claim("killed", 60, [hot])
            ledger.recover([hot], orphaned=True)
        assert ledger.claim("killed", 60, [hot]) is not None
    assert once(hot, state) == 0
    assert [(job.id, job.state) for job in jobs(state)] == [(job.id, JobState.FAILED)]
    assert "crashed 3 times" in failure_report(clip).read_text()
    assert outputs(hot) == []


def test_killed_at_random_moments_every_clip_comes_out_once(hot: Path, state: Path) -> None:
    draw = random.Random(11)
    count, kills, started = 8, 0, time.monotonic()
    for number in range(count):
        drop(hot, f"{number}.avi", WHOLE * (number + 1))
    while state_of(state).count(JobState.DONE) < count and time.monotonic() - started < 40:
        with running(hot, state, 0.15) as daemon:
            before = len(outputs(hot))
            wait_for(lambda before=before: len(outputs(hot)) > before or len(outputs(hot)) == count)  # type: ignore[misc]
            time.sleep(draw.uniform(0, 0.6))
            daemon.kill()
            daemon.wait()
            kills += 1
    assert kills >= 2
    assert once(hot, state) == 0
    assert len(outputs(hot)) == count, "none missing, none twice under another name"
    for number in range(count):
        assert (hot / f"foley/{number}_foley.avi").read_bytes() == WHOLE * (number + 1) + b"foley"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_it_at_once_and_the_job_is_given_back(
    hot: Path, state: Path, number: signal.Signals, code: int
) -> None:
    drop(hot)
    with running(hot, state, 60) as daemon:
        wait_for(lambda: state_of(state) == [JobState.RUNNING])
        began = time.monotonic()
        daemon.send_signal(number)
        assert daemon.wait(20) == code
        assert time.monotonic() - began < 15
    (job,) = jobs(state)
    assert (job.state, job.attempts) == (JobState.QUEUED, 0)
    assert outputs(hot) == []


# ---- while it runs ----


@pytest.fixture
def watch(hot: Path, state: Path) -> Iterator[Callable[[Process], Daemon]]:
    """Return a function that starts a daemon in a thread of this process."""
    started: list[tuple[Daemon, threading.Thread]] = []

    def start(process: Process) -> Daemon:
        daemon = Daemon(config_of(hot, state), process, bundle_id=lambda _: "bundle")
        thread = threading.Thread(target=daemon.run)
        started.append((daemon, thread))
        thread.start()
        return daemon

    yield start
    for daemon, thread in started:
        daemon.stop()
        thread.join(15)
        assert not thread.is_alive()


def test_a_folder_that_goes_away_is_waited_for_and_watched_again(
    hot: Path, state: Path, watch: Callable[[Process], Daemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon_module, "POLL_SECONDS", 0.2)
    drop(hot)
    daemon = watch(copier(0))
    wait_for(lambda: state_of(state) == [JobState.DONE])
    away = hot.rename(hot.with_name("away"))
    time.sleep(0.6)
    assert state_of(state) == [JobState.DONE]
    drop(away, "b.avi", WHOLE * 2)
    away.rename(hot)
    wait_for(lambda: len(outputs(hot)) == 2)
    assert not daemon._places[0].polled, "the kernel's watch is on it again"
    drop(hot, "c.avi", WHOLE * 3)
    wait_for(lambda: len(outputs(hot)) == 3)


def test_a_profile_corrected_while_it_runs_lets_the_clips_go_on(
    hot: Path, state: Path, watch: Callable[[Process], Daemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon_module, "POLL_SECONDS", 0.2)
    good = (hot / "foley.yaml").read_text()
    (hot / "foley.yaml").write_text("nonsense: true\n")
    watch(copier(0))
    drop(hot)
    time.sleep(0.8)
    assert outputs(hot) == []
    (hot / "foley.yaml").write_text(good)
    wait_for(lambda: outputs(hot) == ["foley/a_foley.avi"])


def test_a_lease_is_renewed_while_the_job_takes_longer(
    hot: Path, state: Path, watch: Callable[[Process], Daemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "LEASE_SECONDS", 0.6)
    monkeypatch.setattr(daemon_module, "BEAT_SECONDS", 0.1)
    drop(hot)
    watch(copier(2.0))
    wait_for(lambda: state_of(state) == [JobState.DONE])
    assert jobs(state)[0].attempts == 1


# ---- the service manager ----


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "notify"))
        server.settimeout(20)
        yield server


def drain(manager: socket.socket) -> None:
    manager.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while manager.recv(4096):
            pass
    manager.settimeout(5)


def test_a_real_socket_hears_ready_watchdog_and_stopping(
    hot: Path, state: Path, tmp_path: Path, manager: socket.socket
) -> None:
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000"}
    with running(hot, state, 0.1, environment=environment) as daemon:
        first = manager.recv(4096).decode()
        assert first.startswith("READY=1\nSTATUS=1 folder(s)")
        heard = {manager.recv(4096).decode().split("=")[0] for _ in range(6)}
        assert heard == {"WATCHDOG", "STATUS"}
        daemon.terminate()
        while manager.recv(4096) != b"STOPPING=1":
            pass
        assert daemon.wait(15) == 0


def test_the_watchdog_is_not_fed_when_the_sweeper_stands_still(
    hot: Path, state: Path, tmp_path: Path, manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = threading.Event()
    monkeypatch.setattr(daemon_module, "STALE_SECONDS", 0.5)
    monkeypatch.setattr("foley_daemon.watcher.check_structure", lambda path: stuck.wait(20))
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000"}
    drop(hot)
    daemon = Daemon(
        config_of(hot, state), copier(0), bundle_id=lambda _: "bundle", notifier=Notifier(environment)
    )
    thread = threading.Thread(target=daemon.run)
    thread.start()
    time.sleep(1.5)
    drain(manager)
    assert all(not manager.recv(4096).startswith(b"WATCHDOG") for _ in range(5))
    stuck.set()
    while not manager.recv(4096).startswith(b"WATCHDOG"):
        pass
    daemon.stop()
    thread.join(15)
    assert not thread.is_alive()


def test_abstract_sockets_and_other_processes_watchdogs() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        name = f"foley-test-{os.getpid()}"
        server.bind("\0" + name)
        server.settimeout(5)
        environment = {"NOTIFY_SOCKET": "@" + name, "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}
        notifier = Notifier(environment)
        assert notifier.watchdog_seconds == 0
        notifier.watchdog()
        notifier.status("two\nlines")
        assert server.recv(100) == b"STATUS=two lines"
    notifier.ready("nobody listens any more: no error")


def test_the_unit_says_what_the_daemon_does() -> None:
    path = Path(__file__).parents[1] / "systemd/foley-daemon.service"
    unit = configparser.ConfigParser(strict=False, interpolation=None, comment_prefixes=("#",))
    unit.optionxform = str  # type: ignore[assignment]
    unit.read(path)
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert float(service["WatchdogSec"]) > daemon_module.STALE_SECONDS
    assert float(service["TimeoutStopSec"]) > daemon_module.GRACE_SECONDS
    assert service["RestartPreventExitStatus"] == str(ConfigError.exit_code)
    assert service["ExecStart"].endswith("foley watch --config /etc/foley-daemon/config.yaml")
    for hides_the_card in ("PrivateDevices", "ProcSubset", "MemoryDenyWriteExecute"):
        assert hides_the_card not in service
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines):
        if not line or line.startswith(("[", "#")):
            continue
        block = number
        while lines[block - 1] and not lines[block - 1].startswith(("#", "[")):
            block -= 1
        assert lines[block - 1].startswith("#") or line.startswith(
            ("Description", "Documentation", "WantedBy")
        ), line
