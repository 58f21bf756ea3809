"""The ledger's file: its tables, how names and lists are kept in them, its connections."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path

import sqlalchemy as sa

from foley_daemon.domain import Job, JobState

SCHEMA = 1  # raised with every change to the tables; another number in the file is refused
BUSY_SECONDS = 30.0  # how long a transaction waits for another one's end


class FileName(sa.types.TypeDecorator[str]):
    """A path kept as the bytes the file system gave, since a name need not be UTF-8 or normalised."""

    impl = sa.LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> bytes | None:
        """Encode as the operating system does."""
        del dialect
        return None if value is None else os.fsencode(value)

    def process_result_value(self, value: bytes | None, dialect: sa.Dialect) -> str | None:
        """Decode as the operating system does, odd bytes as surrogate escapes."""
        del dialect
        return None if value is None else os.fsdecode(value)


metadata = sa.MetaData()

meta = sa.Table(
    "meta",
    metadata,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("value", sa.String(255), nullable=False),
)

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("folder", FileName, nullable=False),
    sa.Column("relative_path", FileName, nullable=False),
    sa.Column("content", sa.String(80), nullable=False),
    sa.Column("publish_key", sa.String(64), nullable=False),
    sa.Column("render_key", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("not_before", sa.Float, nullable=False),
    sa.Column("lease_until", sa.Float),
    sa.Column("worker", sa.String(128)),
    sa.Column("error", sa.Text),
    sa.Column("outputs", sa.Text, nullable=False),  # JSON list, odd bytes as \udcXX
    sa.Column("move_source", sa.Boolean, nullable=False),  # done, and the source is still to be moved
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("updated_at", sa.Float, nullable=False),
    sa.UniqueConstraint("folder", "relative_path", "content", "publish_key", name="one_job"),
    sa.Index("by_turn", "state", "not_before"),
)

outputs = sa.Table(
    "outputs",
    metadata,
    sa.Column("path", FileName, primary_key=True),
    sa.Column("content", sa.String(80), nullable=False, index=True),  # "" until it is published
)


def job_of(row: sa.Row[tuple[object, ...]]) -> Job:
    """Return the job that a row of `jobs` holds."""
    return Job(
        id=row.id,
        folder=Path(row.folder),
        relative_path=row.relative_path,
        content=row.content,
        publish_key=row.publish_key,
        render_key=row.render_key,
        state=JobState(row.state),
        attempts=row.attempts,
        not_before=row.not_before,
        lease_until=row.lease_until,
        worker=row.worker,
        error=row.error,
        outputs=tuple(json.loads(row.outputs)),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def open_engine(path: Path) -> sa.Engine:
    """Return an engine whose transactions are explicit: a writing one takes the lock at its beginning."""
    engine = sa.create_engine("sqlite://", creator=lambda: _connect(path), poolclass=sa.pool.QueuePool)

    @sa.event.listens_for(engine, "begin")
    def begin(db: sa.Connection) -> None:
        db.exec_driver_sql("BEGIN IMMEDIATE" if db.get_execution_options().get("write") else "BEGIN")

    return engine


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
    except sqlite3.Error:
        connection.close()
        raise
    return connection
