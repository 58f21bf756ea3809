"""The durable truth about every clip: what is to be done, being done, done, failed.

One SQLite file in write-ahead mode, reached through SQLAlchemy Core; every method is one transaction,
so that a kill at any moment leaves a state from which the work goes on. Several threads and processes
of one machine may share it. Write-ahead mode needs shared memory: the file must not lie on a network
file system (https://sqlite.org/wal.html).

`synchronous=FULL`: "done" has to be on the disk before the source may be moved, also when the power
goes; with NORMAL the last commits could be lost. It costs one fsync a transaction, a few a minute.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum, auto
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa

from foley_daemon.domain import Job, JobState
from foley_daemon.errors import ConfigError, FoleyError
from foley_daemon.tables import SCHEMA, job_of, jobs, meta, metadata, open_engine, outputs

MAX_ATTEMPTS = 3  # of failures that may pass, and of crashes
BACKOFF_SECONDS = 30.0  # after the first failure; four times as long after each further one
BACKOFF_LIMIT = 3600.0  # seconds


class Retry(Enum):
    """Whether a failed job is tried again."""

    NEVER = auto()  # the clip or the profile is at fault
    CAPPED = auto()  # may pass: MAX_ATTEMPTS in all
    ALWAYS = auto()  # will pass: the disk is full, the share is gone


class LeaseLost(FoleyError):
    """The job is no longer this worker's: its lease expired and it was given back, or it was ended."""


class Ledger:
    """See the module. A context manager; `clock` gives Unix seconds."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        """Open the ledger, or make it.

        Raises:
            ConfigError: the file is no ledger, or another version's.
            OSError: its folder cannot be made.
        """
        self.path = path
        self._clock = clock
        path.parent.mkdir(parents=True, exist_ok=True)
        self._engine = open_engine(path)
        try:
            with self._write() as db:
                self._set_up(db)
        except sa.exc.OperationalError as error:
            self.close()
            raise ConfigError(
                f"{path}: the ledger cannot be opened ({error.orig}). Its folder must be writable and on a "
                "local file system; another one can be set (FOLEY_HOME)."
            ) from error
        except sa.exc.DatabaseError as error:
            self.close()
            raise ConfigError(
                f"{path}: this is not a usable ledger ({error.orig}). Move it away to begin a new one; "
                "clips that still lie in the hot folders are then done again."
            ) from error
        except ConfigError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    # ---- discovery ----

    def add(
        self, folder: Path, relative_path: str, content: str, *, render_key: str, publish_key: str
    ) -> Job:
        """Queue a clip. Adding the same one again returns the job that is there, whatever its state."""
        now = self._clock()
        row = {
            "folder": str(folder),
            "relative_path": relative_path,
            "content": content,
            "publish_key": publish_key,
            "render_key": render_key,
            "state": JobState.QUEUED,
            "attempts": 0,
            "not_before": now,
            "outputs": "[]",
            "move_source": False,
            "created_at": now,
            "updated_at": now,
        }
        same = _clip(folder, relative_path, content) & (jobs.c.publish_key == publish_key)
        with self._write() as db:
            if (found := db.execute(sa.select(jobs).where(same)).first()) is not None:
                return job_of(found)
            return job_of(db.execute(jobs.insert().values(row).returning(jobs)).one())

    def clips(self, folder: Path) -> dict[str, frozenset[str]]:
        """Return the contents that each relative path of a folder had, whatever became of their jobs.

        Discovery adds no others: an edited profile or a new bundle redoes nothing by itself.
        """
        query = sa.select(jobs.c.relative_path, jobs.c.content).where(jobs.c.folder == str(folder))
        found: dict[str, frozenset[str]] = {}
        with self._read() as db:
            for row in db.execute(query):
                found[row.relative_path] = found.get(row.relative_path, frozenset()) | {row.content}
        return found

    def is_output(self, path: Path, content: str) -> bool:
        """Whether a file is one that the daemon published, or is publishing: never an input."""
        being_written = (outputs.c.path == str(path)) & (outputs.c.content == "")
        query = sa.select(outputs.c.path).where((outputs.c.content == content) | being_written)
        with self._read() as db:
            return db.execute(query).first() is not None

    # ---- work ----

    def claim(self, worker: str, lease_seconds: float, folders: Sequence[Path]) -> Job | None:
        """Take the job whose turn it is in one of the folders; None if there is none.

        The attempt is counted here, so that a crash is one too.
        """
        now = self._clock()
        turn = (
            sa.select(jobs.c.id)
            .where(jobs.c.state == JobState.QUEUED, jobs.c.not_before <= now, _within(folders))
            .order_by(jobs.c.not_before, jobs.c.id)
            .limit(1)
            .scalar_subquery()
        )
        taken = {
            "state": JobState.RUNNING,
            "worker": worker,
            "lease_until": now + lease_seconds,
            "attempts": jobs.c.attempts + 1,
            "updated_at": now,
        }
        statement = jobs.update().where(jobs.c.id == turn, jobs.c.state == JobState.QUEUED).values(taken)
        with self._write() as db:
            row = db.execute(statement.returning(jobs)).first()
        return None if row is None else job_of(row)

    def heartbeat(self, job: Job, lease_seconds: float) -> None:
        """Make the lease longer.

        Raises:
            LeaseLost: the job is not this worker's any more.
        """
        with self._write() as db:
            self._change(db, job, lease_until=self._clock() + lease_seconds)

    def rekey(self, job: Job, *, render_key: str, publish_key: str) -> Job:
        """Set the keys of the profile and bundle that really count: those at the start of the work.

        Another job of the same clip under these keys is superseded.

        Raises:
            LeaseLost: the job is not this worker's any more.
        """
        same = _clip(job.folder, job.relative_path, job.content) & (jobs.c.publish_key == publish_key)
        with self._write() as db:
            db.execute(jobs.delete().where(same, jobs.c.id != job.id))
            return self._change(db, job, render_key=render_key, publish_key=publish_key)

    def intend(self, job: Job, paths: Sequence[Path]) -> Job:
        """Note what is about to be published: no input from now on, and the next attempt's to replace.

        Raises:
            LeaseLost: the job is not this worker's any more.
        """
        with self._write() as db:
            for path in paths:
                _remember(db, path, "")
            return self._change(db, job, outputs=json.dumps([str(path) for path in paths]))

    def finish(self, job: Job, published: Mapping[Path, str], *, move_source: bool = False) -> Job:
        """Commit "done" and remember the outputs with their content ids.

        Args:
            job: as claimed.
            published: content id of each file.
            move_source: the source is to be moved afterwards; `moved` says that it was.

        Raises:
            LeaseLost: the job is not this worker's any more.
        """
        with self._write() as db:
            for path, content in published.items():
                _remember(db, path, content)
            return self._change(
                db,
                job,
                state=JobState.DONE,
                outputs=json.dumps([str(path) for path in published]),
                move_source=move_source,
                error=None,
                **_FREE,
            )

    def fail(self, job: Job, error: str, retry: Retry) -> Job:
        """Note a failure: queued again after a pause, or failed for good.

        Raises:
            LeaseLost: the job is not this worker's any more.
        """
        again = retry is Retry.ALWAYS or (retry is Retry.CAPPED and job.attempts < MAX_ATTEMPTS)
        pause = min(BACKOFF_SECONDS * 4.0 ** min(job.attempts - 1, 8), BACKOFF_LIMIT)
        with self._write() as db:
            return self._change(
                db,
                job,
                state=JobState.QUEUED if again else JobState.FAILED,
                not_before=self._clock() + (pause if again else 0.0),
                error=error,
                **_FREE,
            )

    def release(self, job: Job, seconds: float = 0.0, reason: str | None = None) -> Job:
        """Give a job back untried, to be taken again after `seconds`; the attempt does not count.

        Raises:
            LeaseLost: the job is not this worker's any more.
        """
        with self._write() as db:
            return self._change(
                db,
                job,
                state=JobState.QUEUED,
                not_before=self._clock() + seconds,
                attempts=job.attempts - 1,
                error=reason,
                **_FREE,
            )

    def withdraw(self, job: Job) -> None:
        """Take a claimed job out: its clip was removed or replaced before the work began."""
        with self._write() as db:
            db.execute(jobs.delete().where(jobs.c.id == job.id, jobs.c.worker == job.worker))

    def recover(self, folders: Sequence[Path], *, orphaned: bool = False, but: str = "") -> list[Job]:
        """Give back jobs whose worker is gone; those that were begun MAX_ATTEMPTS times fail.

        Args:
            folders: whose jobs.
            orphaned: the caller knows that nobody works on these folders: leases do not matter.
            but: the claim that is in good hands (the caller's own, after the machine slept).

        Returns:
            The jobs as they are now.
        """
        now = self._clock()
        gone = sa.true() if orphaned else jobs.c.lease_until <= now
        left = (jobs.c.state == JobState.RUNNING) & gone & (jobs.c.worker != but) & _within(folders)
        crashed = (
            sa.literal("crashed ") + sa.cast(jobs.c.attempts, sa.String) + " times: see the daemon's log"
        )
        spent = jobs.c.attempts >= MAX_ATTEMPTS
        values = {
            "state": sa.case((spent, JobState.FAILED.value), else_=JobState.QUEUED.value),
            "error": sa.case((spent, crashed), else_=jobs.c.error),
            "not_before": now,
            "updated_at": now,
            **_FREE,
        }
        with self._write() as db:
            return [
                job_of(row) for row in db.execute(jobs.update().where(left).values(values).returning(jobs))
            ]

    # ---- the user's side ----

    def requeue(self, folder: Path, relative_path: str) -> Job | None:
        """Have a clip done again, whatever came of it before; None if it is unknown or being done now."""
        this = (jobs.c.folder == str(folder)) & (jobs.c.relative_path == relative_path)
        newest = sa.select(sa.func.max(jobs.c.id)).where(this).scalar_subquery()
        now = self._clock()
        anew = {"state": JobState.QUEUED, "attempts": 0, "not_before": now, "error": None, "outputs": "[]"}
        statement = jobs.update().where(jobs.c.id == newest, jobs.c.state != JobState.RUNNING)
        statement = statement.values({**anew, "move_source": False, "updated_at": now})
        with self._write() as db:
            row = db.execute(statement.returning(jobs)).first()
        return None if row is None else job_of(row)

    def counts(self, folders: Sequence[Path] | None = None) -> dict[JobState, int]:
        """Return how many jobs are in each state."""
        query = sa.select(jobs.c.state, sa.func.count()).group_by(jobs.c.state)
        if folders is not None:
            query = query.where(_within(folders))
        with self._read() as db:
            found = {JobState(state): count for state, count in db.execute(query)}
        return {state: found.get(state, 0) for state in JobState}

    def ready(self, folders: Sequence[Path]) -> int:
        """Return how many jobs are running or could be claimed now."""
        due = (jobs.c.state == JobState.QUEUED) & (jobs.c.not_before <= self._clock())
        count = sa.select(sa.func.count()).where(due | (jobs.c.state == JobState.RUNNING), _within(folders))
        with self._read() as db:
            return db.execute(count).scalar_one()

    def list(self, *states: JobState, limit: int | None = None) -> list[Job]:
        """Return jobs, the last changed first; all states if none is named."""
        query = sa.select(jobs).order_by(jobs.c.updated_at.desc(), jobs.c.id.desc()).limit(limit)
        if states:
            query = query.where(jobs.c.state.in_(states))
        with self._read() as db:
            return [job_of(row) for row in db.execute(query)]

    # ---- the source, once done ----

    def unmoved(self, folders: Sequence[Path]) -> Sequence[Job]:
        """Return jobs that are done and whose source is still to be moved."""
        with self._read() as db:
            query = sa.select(jobs).where(jobs.c.move_source, _within(folders)).order_by(jobs.c.id)
            return [job_of(row) for row in db.execute(query)]

    def moved(self, job: Job) -> None:
        """Note that a job's source needs no more moving."""
        with self._write() as db:
            db.execute(jobs.update().where(jobs.c.id == job.id).values(move_source=False))

    # ---- inside ----

    def _change(self, db: sa.Connection, job: Job, **values: Any) -> Job:
        own = (jobs.c.id == job.id) & (jobs.c.state == JobState.RUNNING) & (jobs.c.worker == job.worker)
        statement = jobs.update().where(own, jobs.c.attempts == job.attempts)
        row = db.execute(statement.values(updated_at=self._clock(), **values).returning(jobs)).first()
        if row is None:
            raise LeaseLost(
                f"{job.relative_path}: worker {job.worker} does not hold this job any more (attempt "
                f"{job.attempts}); its lease expired and it was given back. Nothing was recorded."
            )
        return job_of(row)

    @contextmanager
    def _read(self) -> Iterator[sa.Connection]:
        with self._engine.begin() as db:
            yield db

    @contextmanager
    def _write(self) -> Iterator[sa.Connection]:
        with self._engine.connect().execution_options(write=True) as db, db.begin():
            yield db

    def _set_up(self, db: sa.Connection) -> None:
        metadata.create_all(db)
        found = db.execute(sa.select(meta.c.value).where(meta.c.name == "schema")).scalar()
        if found is None:
            db.execute(meta.insert().values(name="schema", value=str(SCHEMA)))
        elif found != str(SCHEMA):
            raise ConfigError(
                f"{self.path}: this ledger has schema {found}, expected {SCHEMA}. It was written by another "
                "version of foley-daemon: use that version, or set another state folder (FOLEY_HOME)."
            )


_FREE: dict[str, Any] = {"worker": None, "lease_until": None}


def _clip(folder: Path, relative_path: str, content: str) -> sa.ColumnElement[bool]:
    return (
        (jobs.c.folder == str(folder)) & (jobs.c.relative_path == relative_path) & (jobs.c.content == content)
    )


def _within(folders: Sequence[Path]) -> sa.ColumnElement[bool]:
    return jobs.c.folder.in_([str(folder) for folder in folders])


def _remember(db: sa.Connection, path: Path, content: str) -> None:
    db.execute(outputs.delete().where(outputs.c.path == str(path)))
    db.execute(outputs.insert().values(path=str(path), content=content))
