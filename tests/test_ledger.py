"""The ledger: no job is lost, none is done by two at once, whatever is killed and whenever."""

from __future__ import annotations

import multiprocessing
import os
import random
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foley_daemon.domain import Job, JobState
from foley_daemon.errors import ConfigError
from foley_daemon.ledger import MAX_ATTEMPTS, LeaseLost, Ledger, Retry

FOLDER = Path("/hot")


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Iterator[Ledger]:
    with Ledger(tmp_path / "state" / "ledger.sqlite", clock=clock) as opened:
        yield opened


def add(ledger: Ledger, name: str = "a.mp4", content: str = "part-1-aa", publish: str = "p") -> Job:
    return ledger.add(FOLDER, name, content, render_key="r", publish_key=publish)


def claim(ledger: Ledger, worker: str = "w", seconds: float = 60) -> Job:
    job = ledger.claim(worker, seconds, [FOLDER])
    assert job is not None
    return job


def test_adding_again_is_harmless(ledger: Ledger) -> None:
    first = add(ledger)
    assert add(ledger) == first
    ledger.finish(claim(ledger), {})
    assert add(ledger).state is JobState.DONE
    assert ledger.counts() == {JobState.QUEUED: 0, JobState.RUNNING: 0, JobState.DONE: 1, JobState.FAILED: 0}


def test_the_database_itself_refuses_a_second_row(ledger: Ledger) -> None:
    add(ledger)
    columns = "folder, relative_path, content, publish_key, render_key, state, attempts, not_before, outputs"
    columns += ", move_source, created_at, updated_at"
    db = sqlite3.connect(ledger.path)
    with pytest.raises(sqlite3.IntegrityError):
        db.execute(f"INSERT INTO jobs ({columns}) SELECT {columns} FROM jobs")
    db.close()


def test_discovery_learns_every_content_a_path_had(ledger: Ledger) -> None:
    add(ledger, content="one")
    add(ledger, content="two")
    add(ledger, name="sub/b.mp4", content="one")
    assert ledger.clips(FOLDER) == {"a.mp4": {"one", "two"}, "sub/b.mp4": {"one"}}
    assert ledger.clips(Path("/other")) == {}


odd_names = st.binary(min_size=1, max_size=40).filter(lambda name: b"\0" not in name and b"/" not in name)


@given(odd_names)
@settings(max_examples=25, deadline=None)
def test_names_come_back_byte_for_byte(name: bytes) -> None:
    with TemporaryDirectory() as folder, Ledger(Path(folder, "ledger.sqlite")) as ledger:
        text = os.fsdecode(name)
        add(ledger, name=text)
        assert os.fsencode(text) in {os.fsencode(found) for found in ledger.clips(FOLDER)}
        output = FOLDER / "foley" / text
        ledger.finish(claim(ledger), {output: "c"})
        assert ledger.list(limit=1)[0].outputs == (str(output),)


def test_the_two_unicode_forms_are_two_names(ledger: Ledger) -> None:
    assert add(ledger, name="é.mp4").id != add(ledger, name="e\u0301.mp4").id


def test_the_oldest_comes_first_and_only_of_the_folders_asked_for(ledger: Ledger, clock: Clock) -> None:
    add(ledger, name="late.mp4")
    clock.now -= 5
    add(ledger, name="early.mp4")
    clock.now += 5
    assert ledger.claim("w", 60, [Path("/other")]) is None
    assert ledger.claim("w", 60, []) is None
    assert [claim(ledger).relative_path for _ in range(2)] == ["early.mp4", "late.mp4"]
    assert ledger.claim("w", 60, [FOLDER]) is None


def test_only_the_owner_of_the_lease_can_record(ledger: Ledger, clock: Clock) -> None:
    add(ledger)
    late = claim(ledger, "first")
    clock.now += 61
    assert [job.state for job in ledger.recover([FOLDER])] == [JobState.QUEUED]
    owner = claim(ledger, "second")
    for record in (
        lambda: ledger.heartbeat(late, 60),
        lambda: ledger.finish(late, {Path("/out"): "c"}),
        lambda: ledger.fail(late, "no", Retry.NEVER),
        lambda: ledger.release(late),
        lambda: ledger.intend(late, [Path("/out")]),
        lambda: ledger.rekey(late, render_key="x", publish_key="y"),
    ):
        with pytest.raises(LeaseLost, match="first"):
            record()
    assert not ledger.is_output(Path("/out"), "c"), "what a late worker says must leave no trace"
    assert ledger.finish(owner, {}).state is JobState.DONE


def test_a_heartbeat_keeps_the_lease(ledger: Ledger, clock: Clock) -> None:
    add(ledger)
    job = claim(ledger, seconds=60)
    for _ in range(5):
        clock.now += 50
        ledger.heartbeat(job, 60)
        assert ledger.recover([FOLDER]) == []
    clock.now += 61
    assert ledger.recover([FOLDER], but=job.worker or "") == []
    assert len(ledger.recover([FOLDER])) == 1


def test_crashes_are_counted_and_end(ledger: Ledger) -> None:
    add(ledger)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert claim(ledger).attempts == attempt
        (job,) = ledger.recover([FOLDER], orphaned=True)
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert f"crashed {MAX_ATTEMPTS} times" in job.error
    assert ledger.claim("w", 60, [FOLDER]) is None


def test_what_may_pass_is_tried_again_later_and_later(ledger: Ledger, clock: Clock) -> None:
    add(ledger)
    pauses = []
    while (job := ledger.fail(claim(ledger), "the engine died", Retry.CAPPED)).state is JobState.QUEUED:
        assert ledger.claim("w", 60, [FOLDER]) is None
        assert ledger.ready([FOLDER]) == 0
        pauses.append(job.not_before - clock.now)
        clock.now = job.not_before
    assert pauses == [30, 120]
    assert (job.state, job.error, job.attempts) == (JobState.FAILED, "the engine died", 3)


def test_what_will_pass_is_never_given_up(ledger: Ledger, clock: Clock) -> None:
    add(ledger)
    for _ in range(20):
        job = ledger.fail(claim(ledger), "the disk is full", Retry.ALWAYS)
        assert job.state is JobState.QUEUED
        assert 0 < job.not_before - clock.now <= 3600
        clock.now = job.not_before


def test_what_cannot_pass_is_not_tried_again(ledger: Ledger) -> None:
    add(ledger)
    assert ledger.fail(claim(ledger), "no clip", Retry.NEVER).state is JobState.FAILED
    assert ledger.claim("w", 60, [FOLDER]) is None


def test_a_job_given_back_costs_no_attempt(ledger: Ledger, clock: Clock) -> None:
    add(ledger)
    for _ in range(10):
        ledger.release(claim(ledger), 30, "no room")
        assert ledger.claim("w", 60, [FOLDER]) is None
        clock.now += 30
    job = claim(ledger)
    assert (job.attempts, job.error) == (1, "no room")


def test_reprocess_begins_anew(ledger: Ledger) -> None:
    add(ledger)
    assert ledger.requeue(FOLDER, "unknown.mp4") is None
    ledger.intend(claim(ledger), [Path("/hot/foley/a.mp4")])
    assert ledger.requeue(FOLDER, "a.mp4") is None, "it is being done"
    ledger.fail(ledger.list()[0], "bad", Retry.NEVER)
    again = ledger.requeue(FOLDER, "a.mp4")
    assert again is not None
    assert (again.state, again.attempts, again.error, again.outputs) == (JobState.QUEUED, 0, None, ())


def test_the_keys_that_count_are_those_of_the_start(ledger: Ledger) -> None:
    add(ledger, publish="old")
    job = ledger.rekey(claim(ledger), render_key="r2", publish_key="new")
    ledger.finish(job, {})
    assert [(job.render_key, job.publish_key) for job in ledger.list()] == [("r2", "new")]


def test_rekeying_supersedes_the_same_clip_only(ledger: Ledger) -> None:
    ledger.finish((add(ledger, publish="new"), claim(ledger))[1], {})
    add(ledger, publish="old")
    add(ledger, name="b.mp4", publish="new")
    ledger.rekey(claim(ledger), render_key="r", publish_key="new")
    assert sorted((job.relative_path, job.state) for job in ledger.list()) == [
        ("a.mp4", JobState.RUNNING),
        ("b.mp4", JobState.QUEUED),
    ]


def test_outputs_are_remembered_by_content_and_while_written_by_path(ledger: Ledger) -> None:
    add(ledger)
    out = Path("/hot/foley/a_foley.mp4")
    job = ledger.intend(claim(ledger), [out])
    assert ledger.is_output(out, "anything")
    ledger.finish(job, {out: "c1"})
    assert ledger.is_output(Path("/hot/dragged back.mp4"), "c1")
    assert not ledger.is_output(out, "c2"), "another file under that name is a clip"


def test_an_attempt_after_a_crash_knows_what_was_about_to_be_published(ledger: Ledger) -> None:
    add(ledger)
    ledger.intend(claim(ledger), [Path("/out/a.mp4")])
    ledger.recover([FOLDER], orphaned=True)
    assert claim(ledger).outputs == ("/out/a.mp4",)


def test_the_move_of_a_source_is_owed_until_done(ledger: Ledger) -> None:
    add(ledger)
    job = ledger.finish(claim(ledger), {}, move_source=True)
    assert list(ledger.unmoved([FOLDER])) == [job]
    ledger.moved(job)
    assert list(ledger.unmoved([FOLDER])) == []


def test_a_withdrawn_clip_can_come_again(ledger: Ledger) -> None:
    first = add(ledger)
    ledger.withdraw(claim(ledger))
    assert ledger.clips(FOLDER) == {}
    assert add(ledger).state is JobState.QUEUED
    assert first.state is JobState.QUEUED


def test_another_version_s_ledger_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    Ledger(path).close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE meta SET value = '99' WHERE name = 'schema'")
    db.close()
    with pytest.raises(ConfigError, match=r"schema 99, expected 1.*FOLEY_HOME"):
        Ledger(path)


def test_a_file_that_is_no_ledger_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(ConfigError, match="Move it away"):
        Ledger(path)
    assert path.read_bytes().startswith(b"this is no")


def test_a_ledger_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").mkdir()
    with pytest.raises(ConfigError, match="cannot be opened"):
        Ledger(tmp_path / "ledger.sqlite")


def test_it_is_durable(ledger: Ledger) -> None:
    with ledger._engine.connect() as db:
        assert db.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert db.exec_driver_sql("PRAGMA synchronous").scalar() == 2, "FULL: done is on the disk"


def test_threads_share_it(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        for number in range(40):
            add(ledger, name=f"{number}.mp4")
        done: list[int] = []

        def work(worker: str) -> None:
            while (job := ledger.claim(worker, 60, [FOLDER])) is not None:
                ledger.finish(job, {})
                done.append(job.id)

        threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(done) == len(set(done)) == 40


def work_until_killed(state: Path, worker: str) -> None:
    ledger = Ledger(state / "ledger.sqlite")
    while True:
        job = ledger.claim(worker, 0.5, [FOLDER])
        if job is None:
            ledger.recover([FOLDER])
            time.sleep(0.01)
            continue
        with (state / "log").open("ab", buffering=0) as log:  # one write a line: whole or not at all
            log.write(f"{job.id} {time.time()}\n".encode())
        time.sleep(0.01)
        ledger.finish(job, {})


JOBS = 200  # that no machine is done with before the third kill


def test_workers_killed_at_random_lose_nothing_and_share_nothing(tmp_path: Path) -> None:
    """Real processes, SIGKILL at random moments: every job is done, none by two within one lease."""
    draw = random.Random(7)
    processes = multiprocessing.get_context("fork")
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        for number in range(JOBS):
            add(ledger, name=f"{number}.mp4")
        workers: deque[Any] = deque()
        started, kills = time.monotonic(), 0
        while ledger.ready([FOLDER]) and time.monotonic() - started < 30:
            ledger.close()  # no connection may be shared with a child; the next use opens another
            while len(workers) < 3:
                worker = processes.Process(
                    target=work_until_killed, args=(tmp_path, f"w{kills}.{len(workers)}")
                )
                worker.start()
                workers.append(worker)
            time.sleep(draw.uniform(0.05, 0.3))
            workers[0].kill()
            workers.popleft().join()
            kills += 1
        for worker in workers:
            worker.kill()
            worker.join()
        assert kills >= 3
        assert ledger.counts()[JobState.DONE] + ledger.counts()[JobState.FAILED] == JOBS
        assert all("crashed" in (job.error or "") for job in ledger.list(JobState.FAILED))
    begun: dict[str, float] = {}
    for line in (tmp_path / "log").read_text().splitlines():
        job_id, moment = line.split()
        assert float(moment) - begun.get(job_id, 0.0) > 0.4, f"job {job_id} was begun twice within a lease"
        begun[job_id] = float(moment)
    assert len(begun) == JOBS
