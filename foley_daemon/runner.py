"""One job after another: claim, do, record. The worker's thread of the daemon.

Whatever goes wrong with a clip ends here: known errors are classified, any other exception is a fault of
the program, whose traceback goes into the report; the thread goes on with the next clip.
"""

from __future__ import annotations

import errno
import shutil
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from loguru import logger

from foley_daemon import identity
from foley_daemon.aftercare import move_to_done, remove_failure, write_failure
from foley_daemon.domain import Job, JobState, Output
from foley_daemon.errors import ClipError, ConfigError, DiskFull, FolderGone, FoleyError, OutputError
from foley_daemon.ledger import LeaseLost, Ledger, Retry
from foley_daemon.profile import Profile
from foley_daemon.walk import shown
from foley_daemon.watched import GONE, WatchedFolder, output_folder
from ssv2a.errors import (
    BundleError,
    ConfigurationError,
    FfmpegMissing,
    FramesUnreadable,
    InputError,
    InstallFailed,
    MediaError,
    Ssv2aError,
    WeightsError,
)

LEASE_SECONDS = 60.0
HOLD_SECONDS = 30.0  # a folder with a wrong profile or no room is looked at again after this
RESERVE_BYTES = 500_000_000  # left free, besides twice the clip's size
IDLE_SECONDS = 0.5
HELD_BACK = "until this is put right"  # in every log line that says why a folder waits

# Not the clip's fault, and every other one would fail in the same way: they stay queued until it is mended.
SETUP_ERRORS = (ConfigError, BundleError, ConfigurationError, FfmpegMissing, InputError, WeightsError)
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class Stopped(Exception):
    """The daemon is ending; the job is given back and taken up at the next start."""


class NoRoom(DiskFull):
    """Found before the work began."""


class Attempt:
    """One run of a job, as the function that does it sees it; `job.outputs`: what an earlier run intended."""

    def __init__(self, job: Job, ledger: Ledger, stop: threading.Event) -> None:
        self.job = job
        self._ledger = ledger
        self._stop = stop
        self._lost = False

    def beat(self) -> None:
        """To be called between steps and chunks: ends the work when nobody wants it any more.

        Raises:
            Stopped: the daemon is ending.
            LeaseLost: the job was given to another.
        """
        if self._stop.is_set():
            raise Stopped
        if self._lost:
            raise LeaseLost(f"{shown(self.job.relative_path)}: the lease on this job expired.")

    def intend(self, paths: Sequence[Path]) -> None:
        """Record the final names before anything is published under them.

        After a crash between publishing and recording, the next attempt finds them in `job.outputs` and
        replaces those files: the clip comes out once, not once more under another name.

        Raises:
            Stopped, LeaseLost: as `beat`.
        """
        self.beat()
        self.job = self._ledger.intend(self.job, paths)

    def renew(self) -> None:
        """Make the lease longer; called by the heart's thread."""
        try:
            self._ledger.heartbeat(self.job, LEASE_SECONDS)
        except LeaseLost:
            self._lost = True


Process = Callable[[Job, Profile, Attempt], Output]


class Runner:
    """Works through the ledger until `stop` is set."""

    def __init__(
        self,
        name: str,
        ledger: Ledger,
        process: Process,
        bundle_id: Callable[[Profile], str],
        stop: threading.Event,
        *,
        reserve: int = RESERVE_BYTES,
    ) -> None:
        """Prepare.

        Args:
            name: of this worker, unlike any other's.
            ledger: where the jobs are.
            process: does one.
            bundle_id: identity of a profile's model bundle, for the render key.
            stop: ends the work.
            reserve: bytes to be left free on the output's file system.
        """
        self._name = name
        self.folders: tuple[WatchedFolder, ...] = ()  # that are there and in order; set by the daemon
        self.exit_codes: set[int] = set()  # of every failure
        self._ledger = ledger
        self._process = process
        self._bundle_id = bundle_id
        self._stop = stop
        self._reserve = reserve
        self._held: dict[Path, tuple[float, str]] = {}  # until (monotonic), why
        self._told: dict[Path, str] = {}
        self._attempt: Attempt | None = None
        self._claims = 0

    def run(self) -> None:
        """The thread's body."""
        while not self._stop.is_set():
            try:
                busy = self.step()
            except Exception:  # noqa: BLE001 - a fault here (a full disk under the ledger) must not end the daemon
                logger.exception("The worker stumbled and goes on")
                busy = False
            if not busy:
                self._stop.wait(IDLE_SECONDS)

    def step(self) -> bool:
        """Claim and do one job; False if there was none."""
        now = time.monotonic()
        self._held = {folder: held for folder, held in self._held.items() if held[0] > now}
        folders = {folder.path: folder for folder in self.folders if folder.path not in self._held}
        self._claims += 1  # a name for each claim: what was begun under an earlier one cannot be recorded
        worker = f"{self._name}#{self._claims}"
        job = self._ledger.claim(worker, LEASE_SECONDS, list(folders)) if folders else None
        if job is None:
            return False
        self._attempt = Attempt(job, self._ledger, self._stop)
        try:
            self._attend(self._attempt, folders[job.folder])
        finally:
            self._attempt = None
        return True

    def renew(self) -> None:
        """Renew the lease of the job in hand."""
        attempt = self._attempt
        if attempt is not None:
            attempt.renew()

    def abandon(self) -> None:
        """Give back the job in hand, whose work did not end in time."""
        attempt = self._attempt
        if attempt is not None:
            self._release(attempt.job)

    @property
    def in_hand(self) -> str:
        """The name under which the job in hand was claimed, "" if there is none."""
        attempt = self._attempt
        return attempt.job.worker or "" if attempt is not None else ""

    @property
    def held(self) -> dict[Path, str]:
        """The folders that wait, and why."""
        return {folder: why for folder, (_, why) in self._held.items()}

    def _attend(self, attempt: Attempt, folder: WatchedFolder) -> None:
        """Do one job, and record what became of it."""
        try:
            # 1. the profile and bundle of this moment decide
            profile = folder.profile()
            attempt.job = self._rekeyed(attempt.job, profile)
            # 2. is the clip the one that was found, and is there room?
            folder.check_online()
            if not _unchanged(attempt.job):
                logger.info("{}: removed or replaced before its turn", shown(attempt.job.relative_path))
                self._ledger.withdraw(attempt.job)
                return
            self._check_space(attempt.job, profile)
            # 3. the work
            logger.info("{}: begun (attempt {})", shown(attempt.job.relative_path), attempt.job.attempts)
            output = self._process(attempt.job, profile, attempt)
            # 4. "done" is on the disk before the source is touched
            self._finish(attempt.job, profile, output)
        except Stopped:
            self._release(attempt.job)
        except LeaseLost as error:
            logger.warning("{}", error)
        except (NoRoom, *SETUP_ERRORS) as error:
            self._hold(attempt.job, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this clip's; the daemon lives
            if self._stop.is_set():  # the engine was ended under it
                self._release(attempt.job)
            elif (gone := _gone(folder)) is not None:
                self._hold(attempt.job, gone)
            elif _replaced(attempt.job):
                logger.info(
                    "{}: removed or replaced while it was worked on", shown(attempt.job.relative_path)
                )
                self._ledger.withdraw(attempt.job)
            else:
                self._fail(attempt.job, error)

    def _rekeyed(self, job: Job, profile: Profile) -> Job:
        render, publish = keys(job.content, profile, self._bundle_id(profile))
        if (render, publish) == (job.render_key, job.publish_key):
            return job
        return self._ledger.rekey(job, render_key=render, publish_key=publish)

    def _check_space(self, job: Job, profile: Profile) -> None:
        """Raise DiskFull if the result may not fit."""
        place = output_folder(job.path, profile)
        while not place.exists():
            place = place.parent
        free, needed = shutil.disk_usage(place).free, 2 * job.path.stat().st_size + self._reserve
        if free < needed:
            raise NoRoom(
                f"{place}: {free / 1e6:.0f} MB are free, {needed / 1e6:.0f} MB are needed (twice the clip "
                "and a reserve). The clip waits; it goes on by itself when there is room."
            )

    def _finish(self, job: Job, profile: Profile, output: Output) -> None:
        published = {file: identity.content_id(file) for file in output.published}
        move = profile.after.source == "move"
        job = self._ledger.finish(job, published, move_source=move)
        self._told.pop(job.folder, None)
        logger.info("{}: done in {:.1f} s", shown(job.relative_path), output.seconds)
        try:
            remove_failure(job.path)
        except OSError as error:
            logger.warning("{}: the old failure report stays: {}", shown(job.relative_path), shown(error))
        if move:
            finish_move(job, self._ledger)

    def _fail(self, job: Job, error: Exception) -> None:
        """Record a failure; for good, also beside the clip."""
        retry = retry_of(error)
        known = isinstance(error, FoleyError | Ssv2aError | OSError | MemoryError)
        reason = str(error) if known and str(error) else f"{type(error).__name__}: {error}"
        trace = "" if known else "".join(traceback.format_exception(error))
        try:
            job = self._ledger.fail(job, f"{reason}\n\n{trace}".strip(), retry)
        except LeaseLost as lost:
            logger.warning("{}", lost)
            return
        self.exit_codes.add(exit_code_of(error))
        name = shown(job.relative_path)
        if job.state is JobState.QUEUED:
            logger.warning(
                "{}: {} It is tried again in {:.0f} s.", name, reason, job.not_before - job.updated_at
            )
            return
        report_failure(job, reason, trace)

    def _hold(self, job: Job, error: Exception) -> None:
        """Give the job back and leave its folder alone for a while."""
        self._held[job.folder] = (time.monotonic() + HOLD_SECONDS, str(error))
        self.exit_codes.add(exit_code_of(error))
        if self._told.get(job.folder) != str(error):
            self._told[job.folder] = str(error)
            logger.error("{}: its clips wait {}: {}", shown(job.folder), HELD_BACK, error)
        self._ledger.release(job, reason=str(error))

    def _release(self, job: Job) -> None:
        try:
            self._ledger.release(job)
            logger.info("{}: given back, unfinished", shown(job.relative_path))
        except LeaseLost as error:
            logger.debug("{}", error)


def report_failure(job: Job, reason: str, trace: str = "") -> None:
    """Tell of a failure for good, in the log and in a report beside the clip."""
    name = shown(job.relative_path)
    logger.error("{}: failed: {}", name, f"{reason}\n{trace}".strip())
    try:
        write_failure(job, reason, job.updated_at, trace)
    except OSError as trouble:
        logger.error("{}: the failure report cannot be written: {}", name, shown(trouble))


def keys(content: str, profile: Profile, bundle_id: str) -> tuple[str, str]:
    """Return the render key and the publish key of a content under a profile."""
    render = identity.render_key(content, bundle_id, profile.sound_fields())
    return render, identity.publish_key(render, profile.publish_fields())


def finish_move(job: Job, ledger: Ledger) -> None:
    """Move the source of a job that is done, and record it. A source that was replaced since stays."""
    try:
        if _unchanged(job):
            target = move_to_done(job)
            logger.info("{}: moved to {}", shown(job.relative_path), shown(target.relative_to(job.folder)))
    except OSError as error:
        logger.warning("{}: done, but not moved: {}", shown(job.relative_path), shown(error))
        return
    ledger.moved(job)


def retry_of(error: Exception) -> Retry:
    """Classify a failure: will it pass (room, share), may it pass (memory, engine), or not."""
    if isinstance(error, DiskFull | FolderGone):
        return Retry.ALWAYS
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Retry.CAPPED  # the share itself is looked at before each claim
    if isinstance(error, OSError) and (error.errno in _FULL or error.errno in GONE):
        return Retry.ALWAYS
    if isinstance(error, OSError | MemoryError):
        return Retry.CAPPED
    return Retry.CAPPED if isinstance(error, FoleyError) and error.retryable else Retry.NEVER


def exit_code_of(error: Exception) -> int:
    """Return the exit code of `foley` that stands for an error (errors.py)."""
    if isinstance(error, FoleyError):
        return error.exit_code
    if isinstance(error, SETUP_ERRORS):
        return ConfigError.exit_code
    if isinstance(error, FramesUnreadable):
        return ClipError.exit_code
    if isinstance(error, MediaError):
        return OutputError.exit_code
    around = isinstance(error, OSError | MemoryError | InstallFailed)
    return DiskFull.exit_code if around else FoleyError.exit_code


def _gone(folder: WatchedFolder) -> FolderGone | None:
    """Return why the folder is not there, None if it is, or if that cannot be said."""
    try:
        folder.check_online()
    except FolderGone as error:
        return error
    except OSError as error:
        logger.debug("{}: {}", shown(folder.path), shown(error))
    return None


def _replaced(job: Job) -> bool:
    """Whether the clip is another or gone; False if that cannot be said."""
    try:
        return not _unchanged(job)
    except OSError as error:
        logger.debug("{}: {}", shown(job.relative_path), shown(error))
        return False


def _unchanged(job: Job) -> bool:
    """Whether the clip is still the content that the job is about."""
    try:
        return identity.content_id(job.path, job.content.startswith("full-")) == job.content
    except FileNotFoundError:
        return False
