"""The daemon: hot folders in, jobs out. It wires sweeps, ledger, worker, leases and the service manager.

Threads: the main one sweeps; one works (runner.py); one beats: it renews the lease of the job in hand and,
while sweeper, worker and ledger are alive, feeds the service manager's watchdog. Signals only set a flag.
One daemon to a folder: a lock in the folder itself keeps daemons with other ledgers away; one in the state
folder, where there can always be one, says that a job left running there is an orphan. Both are the kernel's
and so gone with the process.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import FrameType

from loguru import logger

from foley_daemon.config import Config, FolderSettings
from foley_daemon.domain import Job, JobState
from foley_daemon.errors import ClipError, FolderGone, FolderTaken, TransientError, gravest
from foley_daemon.hints import Hints
from foley_daemon.ledger import Ledger
from foley_daemon.notify import Notifier
from foley_daemon.preflight import check_folders, folder_lock
from foley_daemon.profile import Profile
from foley_daemon.runner import (
    HELD_BACK,
    SETUP_ERRORS,
    Process,
    Runner,
    Stopped,
    exit_code_of,
    finish_move,
    keys,
    report_failure,
)
from foley_daemon.walk import shown
from foley_daemon.watched import WatchedFolder, rules_of
from foley_daemon.watcher import Sweep, Sweeper

POLL_SECONDS = 5.0  # between sweeps of a folder that sends no hints
BEAT_SECONDS = 5.0
MIN_GAP_SECONDS = 0.5  # between two sweeps, however many hints come
SWEEP_SHARE = 10.0  # hints wait this many times as long as the sweep before took, at most POLL_SECONDS
TICK_SECONDS = 0.2  # how soon a signal is noticed
GRACE_SECONDS = 10.0  # for the job in hand to end, once stopped
STALE_SECONDS = 90.0  # a part that gave no sign for so long is not alive
INTERRUPTED = 130  # exit code after Ctrl-C


class Place:
    """One hot folder with what belongs to it while the daemon runs."""

    def __init__(self, folder: WatchedFolder, check: Callable[[], object]) -> None:
        self.folder = folder
        self._check = check
        self._checked: Profile | None = None
        self.sweeper = Sweeper(folder)
        self.hints: Hints | None = None
        self.trouble = ""  # why it is left alone now, and
        self.trouble_code = 0  # the exit code for that
        self.sweep = Sweep()
        self.due = 0.0  # monotonic: the next sweep

    def profile(self) -> Profile:
        """The folder's profile of now; each change of it, and what was in trouble, is checked first."""
        profile = self.folder.profile()
        if self.trouble or profile != self._checked:
            self._check()
            self._checked = profile
        return profile

    def listen(self, mode: str, wake: threading.Event) -> None:
        """Have hints come, as the profile wants them; again, if the watch ended with the folder."""
        hints = self.hints
        if hints is not None and hints.mode == mode and (hints.polling or hints.alive):
            return
        self.deafen()
        self.hints = Hints(self.folder.path, mode, wake)
        if self.hints.polling:
            name, reason = shown(self.folder.path), self.hints.reason
            logger.info("{}: polled every {:.0f} s: {}", name, POLL_SECONDS, reason)

    def deafen(self) -> None:
        """End the hints."""
        if self.hints is not None:
            self.hints.stop()

    @property
    def polled(self) -> bool:
        """Whether only sweeps tell of changes."""
        return self.hints is not None and not self.hints.alive


class Daemon:
    """Watches the folders of a configuration. Made for one `run`."""

    def __init__(
        self,
        config: Config,
        process: Process,
        *,
        bundle_id: Callable[[Profile], str],
        check: Callable[[FolderSettings], object] = lambda _: None,
        interrupt: Callable[[], None] = lambda: None,
        notifier: Notifier | None = None,
    ) -> None:
        """Prepare; nothing is touched yet.

        Args:
            config: the folders and where the state lies.
            process: does one job; called in the worker's thread, one at a time.
            bundle_id: identity of a profile's model bundle.
            check: raises an error of SETUP_ERRORS while a folder's profile names what cannot be used.
            interrupt: ends what `process` is waiting for, when the daemon is to stop; called once.
            notifier: to the service manager.
        """
        self._config = config
        self._process = process
        self._bundle_id = bundle_id
        self._interrupt = interrupt
        self._notifier = notifier or Notifier()
        self._places = [
            Place(WatchedFolder(folder.folder, folder.current_profile), partial(check, folder))
            for folder in config.folders
        ]
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._signal = 0
        self._left_over = 0  # jobs that `once` leaves for another time
        self._swept_at = self._ledger_at = time.monotonic()

    def run(self, *, once: bool = False) -> int:
        """Watch until SIGTERM or SIGINT; with `once` until nothing is left that can be done now.

        With `once`, clips that have to be tried again later stay queued (exit code 6).

        Returns:
            0, 130 after SIGINT, with `once` the gravest exit code of any failure.

        Raises:
            ConfigError: the folders cannot be watched so; each fault is named.
        """
        check_folders([place.folder for place in self._places], self._config.state_folder)
        with ExitStack() as stack:
            for place in self._places:
                stack.enter_context(folder_lock(self._config.state_folder, place.folder.path))
                stack.callback(place.folder.give_up)
                stack.callback(place.deafen)
            ledger = stack.enter_context(Ledger(self._config.state_folder / "ledger.sqlite"))
            worker = f"{socket.gethostname()[:64]}:{os.getpid()}:{time.time_ns()}"
            reserve = self._config.free_space * 1_000_000
            runner = Runner(worker, ledger, self._process, self._bundle_id, self._stop, reserve=reserve)
            stack.enter_context(self._signals())
            self._recover(ledger)
            stack.enter_context(self._threads(ledger, runner))
            logger.info("Watching: {}", self._status(ledger))
            self._notifier.ready(self._status(ledger))
            self._watch(ledger, runner, once)
        return self._exit_code(runner, once)

    def stop(self) -> None:
        """Ask for the end, from any thread; a signal handler may call it."""
        self._signal = self._signal or signal.SIGTERM

    # ---- start ----

    def _recover(self, ledger: Ledger) -> None:
        """Take up what an earlier daemon left: jobs it was killed in, sources it did not get to move."""
        self._take_back(ledger.recover(self._roots(), orphaned=True))
        for job in ledger.unmoved(self._roots()):
            finish_move(job, ledger)

    def _take_back(self, jobs: list[Job]) -> None:
        """Tell of jobs whose worker is gone; those that are given up get their report."""
        for job in jobs:
            if job.state is JobState.FAILED:
                report_failure(job, job.error or "")
            else:
                logger.warning("{}: was left unfinished, is begun anew", shown(job.relative_path))

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Have SIGTERM and SIGINT set the flag, in the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(number: int, frame: FrameType | None) -> None:
            del frame
            self._signal = number

        before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def _threads(self, ledger: Ledger, runner: Runner) -> Iterator[None]:
        """Run worker and heart; at the end the job in hand is ended, or given back."""
        work = threading.Thread(target=runner.run, name="foley-worker", daemon=True)
        heart = threading.Thread(
            target=self._beat, args=(ledger, runner, work), name="foley-heart", daemon=True
        )
        work.start()
        heart.start()
        try:
            yield
        finally:
            self._notifier.stopping()
            self._stop.set()
            self._interrupt()
            work.join(GRACE_SECONDS)
            if work.is_alive():
                runner.abandon()
            heart.join()

    # ---- the main loop ----

    def _watch(self, ledger: Ledger, runner: Runner, once: bool) -> None:
        while not self._signal:
            started, hinted = time.monotonic(), self._wake.is_set()
            self._wake.clear()
            for place in self._places:
                if hinted or started >= place.due:
                    self._look(place, ledger, once)
            runner.folders = tuple(place.folder for place in self._places if not place.trouble)
            if once and self._nothing_left(ledger, runner):
                self._left_over = ledger.counts(self._roots())[JobState.QUEUED]
                return
            now = time.monotonic()
            gap = min(max(MIN_GAP_SECONDS, SWEEP_SHARE * (now - started)), POLL_SECONDS)
            self._sleep(now + gap, now + gap if once else min(place.due for place in self._places))

    def _look(self, place: Place, ledger: Ledger, once: bool) -> None:
        """Sweep one folder, queue what is found, and say when to look again."""
        try:
            self._sweep(place, ledger, once)
        except Stopped:
            return
        except (FolderGone, FolderTaken, *SETUP_ERRORS) as error:
            self._trouble(place, error, exit_code_of(error))
        except OSError as error:
            self._trouble(place, error, TransientError.exit_code)
        except Exception as error:  # noqa: BLE001 - a fault of the program in one folder must not end the others
            logger.opt(exception=error).error("{}: the sweep failed", shown(place.folder.path))
            self._trouble(place, error, exit_code_of(error))
        else:
            if place.trouble:
                logger.info("{}: all right again", shown(place.folder.path))
                place.trouble, place.trouble_code = "", 0
        # nothing hints at a trouble that ended, or a right to read that was given
        soon = place.polled or place.trouble or place.sweep.unreadable
        regular = POLL_SECONDS if soon else float(self._config.sweep_seconds)
        place.due = time.monotonic() + min([regular, *place.sweep.pending.values()])

    def _sweep(self, place: Place, ledger: Ledger, once: bool) -> None:
        place.folder.check_online()
        place.folder.take()
        profile = place.profile()
        place.listen(profile.watch.mode, self._wake)  # before the sweep: no change falls in between
        rules = rules_of(profile, once=once)
        place.sweep = place.sweeper.sweep(rules, ledger, time.monotonic(), self._checkpoint)
        if not place.sweep.found:
            return
        bundle = self._bundle_id(profile)
        for clip in place.sweep.found:
            self._checkpoint()
            render, publish = keys(clip.content, profile, bundle)
            job = ledger.add(
                place.folder.path, clip.relative_path, clip.content, render_key=render, publish_key=publish
            )
            logger.info("{}: queued (job {})", shown(job.relative_path), job.id)

    def _trouble(self, place: Place, error: Exception, code: int) -> None:
        """Leave a folder alone until it is put right; its jobs stay as they are."""
        place.sweep = Sweep()
        place.trouble_code = code
        if place.trouble != str(error):
            place.trouble = str(error)
            logger.warning("{}: left alone {}: {}", shown(place.folder.path), HELD_BACK, error)
            if isinstance(error, FolderGone):
                place.deafen()
                place.folder.give_up()

    def _sleep(self, earliest: float, latest: float) -> None:
        """Wait for a hint, which counts from `earliest` on, a signal, or `latest`."""
        until = max(earliest, latest)
        while not self._signal and (now := time.monotonic()) < until:
            self._tick()
            if now >= earliest and self._wake.is_set():
                return
            time.sleep(min(TICK_SECONDS, until - now))

    def _nothing_left(self, ledger: Ledger, runner: Runner) -> bool:
        if any(place.sweep.pending for place in self._places):
            return False
        folders = [folder.path for folder in runner.folders if folder.path not in runner.held]
        return ledger.ready(folders) == 0

    # ---- signs of life ----

    def _tick(self) -> None:
        self._swept_at = time.monotonic()

    def _checkpoint(self) -> None:
        """Show life in a long sweep, and end it when a signal came: the next start sweeps anyway."""
        self._tick()
        if self._signal:
            raise Stopped

    def _beat(self, ledger: Ledger, runner: Runner, work: threading.Thread) -> None:
        """Renew the lease, look after the ledger, feed the watchdog; the heart's thread."""
        pause = min(BEAT_SECONDS, self._notifier.watchdog_seconds / 3 or BEAT_SECONDS)
        while not self._stop.wait(pause):
            try:
                runner.renew()
                self._take_back(ledger.recover(self._roots(), but=runner.in_hand))
                self._notifier.status(self._status(ledger))
                self._ledger_at = time.monotonic()
            except Exception:  # noqa: BLE001 - a ledger in trouble shows as a watchdog that is not fed
                logger.exception("The ledger did not answer")
            if self.alive(work):
                self._notifier.watchdog()

    def alive(self, work: threading.Thread) -> bool:
        """Whether sweeper, worker and ledger gave a sign lately."""
        oldest = min(self._swept_at, self._ledger_at)
        return work.is_alive() and time.monotonic() - oldest < STALE_SECONDS

    def _status(self, ledger: Ledger) -> str:
        counts = ledger.counts(self._roots())
        polled = sum(place.polled for place in self._places)
        waiting = sum(len(place.sweep.pending) for place in self._places)
        troubles = [place.trouble for place in self._places if place.trouble]
        parts = [f"{len(self._places)} folder(s), {polled} polled", f"{waiting} clip(s) not yet whole"]
        parts += [f"{counts[state]} {state.value}" for state in JobState]
        return "; ".join([", ".join(parts), *troubles])

    # ---- end ----

    def _exit_code(self, runner: Runner, once: bool) -> int:
        if self._signal == signal.SIGINT:
            return INTERRUPTED
        if not once:
            return 0
        unreadable = any(place.sweep.unreadable for place in self._places)
        codes = {place.trouble_code for place in self._places} | runner.exit_codes
        codes |= {ClipError.exit_code} if unreadable else set()
        return gravest(codes) or (TransientError.exit_code if self._left_over else 0)

    def _roots(self) -> list[Path]:
        return [place.folder.path for place in self._places]
