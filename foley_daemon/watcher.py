"""Discovery: one sweep over a hot folder, the truth about what lies in it.

It runs at start, on hints (see hints.py) and on a timer, may run at any time, and finds the same
whatever was missed.

A file passes when it is no temporary or hidden name, matches the profile's patterns, has been unchanged
for `watch.stable_for`, is structurally complete and is not one of the daemon's own outputs. A file whose
structure ends early is held while it may still grow (`gate.incomplete_wait`), then queued to fail with
a report; should it go on growing after that, it is another content and comes again.

Camera cards: when a top-level folder has a card's structure, none of its clips passes before all have.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from loguru import logger

from foley_daemon.containers import is_output
from foley_daemon.contents import read_contents
from foley_daemon.errors import ClipError, ClipIncomplete
from foley_daemon.gate import Gate, Signature, Watched, incomplete_wait
from foley_daemon.identity import content_id
from foley_daemon.ledger import Ledger
from foley_daemon.probe import check_structure
from foley_daemon.walk import Rules, shown, walk
from foley_daemon.watched import WatchedFolder
from ssv2a.errors import FfmpegFailed, FfmpegTimeout

CARD_FOLDERS = frozenset({"dcim", "private", "avchd", "bpav", "bdmv", "xdroot", "contents", "clips001"})


@dataclass(frozen=True, slots=True)
class Found:
    """A clip that passed and that the ledger does not know."""

    relative_path: str
    content: str


@dataclass(slots=True)
class Sweep:
    """What one sweep saw."""

    found: list[Found] = field(default_factory=list)
    pending: dict[str, float] = field(default_factory=dict)  # relative path → seconds until it can pass
    unreadable: dict[str, str] = field(default_factory=dict)  # relative path → why


class Sweeper:
    """Sweeps one hot folder. Between sweeps it remembers when each file last changed, and nothing else."""

    def __init__(self, folder: WatchedFolder) -> None:
        self.folder = folder
        self._gate = Gate()
        self._told: dict[str, str] = {}

    def sweep(
        self, rules: Rules, ledger: Ledger, now: float, tick: Callable[[], None] = lambda: None
    ) -> Sweep:
        """Look at every file once.

        Args:
            rules: of the folder's profile.
            ledger: asked whether a clip is known or an output; nothing is written.
            now: seconds of a monotonic clock.
            tick: called for every file, as a sign of life.

        Raises:
            FolderGone: the folder is not there; what was known of its files is kept.
        """
        # 1. what lies there, and since when is it as it is?
        self.folder.check_online()
        files: dict[str, Watched] = {}
        result = Sweep()
        for name, status in walk(self.folder.path, rules, partial(self._refuse, result)):
            tick()
            files[name] = self._gate.see(name, Signature.of(status), now)
        self.folder.check_online()  # a share that dropped during the walk looks like deleted files
        self._gate.forget_all_but(files)

        # 2. what of it is new, whole and no output?
        clips, held = ledger.clips(self.folder.path), self._cards_in_motion(files, rules, now)
        for name, file in sorted(files.items()):
            tick()
            if file.content in clips.get(name, ()):
                continue
            waiting = max(file.since + rules.stable_for - now, held.get(_top(name), 0.0))
            if waiting > 0 or (waiting := self._structure_wait(name, file, rules, now)) > 0:
                result.pending[name] = waiting
            elif self._identify(
                name, file, rules, clips.get(name, frozenset()), result
            ) and not self._is_output(name, file, ledger):
                result.found.append(Found(name, file.content))
        self._told = {name: why for name, why in self._told.items() if name in result.unreadable}
        return result

    def _cards_in_motion(self, files: dict[str, Watched], rules: Rules, now: float) -> dict[str, float]:
        """Return the seconds that the clips of each camera card have to wait for one another."""
        held: dict[str, float] = {}
        cards = {top for top in {_top(name) for name in files} if top and _is_card(self.folder.path / top)}
        for name, file in files.items():
            if (top := _top(name)) in cards:
                held[top] = max(held.get(top, 0.0), file.since + rules.stable_for - now)
        return held

    def _structure_wait(self, name: str, file: Watched, rules: Rules, now: float) -> float:
        """Return the seconds an incomplete file has to wait; 0 for any other, also for what is no media."""
        left = file.since + incomplete_wait(rules.stable_for, rules.once) - now
        if not file.incomplete and not file.content and left > 0:
            try:
                check_structure(self.folder.path / name)
            except ClipIncomplete as error:
                file.incomplete = str(error)
                logger.info("{}: held back, it may still be growing: {}", shown(name), shown(error))
            except (ClipError, OSError):
                return 0.0  # it is for the job, or for the reading of the content, to fail
        return left if file.incomplete else 0.0

    def _identify(
        self, name: str, file: Watched, rules: Rules, before: frozenset[str], result: Sweep
    ) -> bool:
        """Compute the content id, once for each signature; True if no job of this file has it.

        Compared with each earlier id in that one's own kind: a profile that now asks for full hashes
        makes no file new.
        """
        path = self.folder.path / name
        try:
            if not file.content:
                kinds = (content_id(path, earlier.startswith("full-")) for earlier in sorted(before))
                content = next((same for same in kinds if same in before), None)
                content = content or content_id(path, rules.full_hash)
                if Signature.of(path.stat()) != file.signature:
                    result.pending[name] = rules.stable_for  # it changed meanwhile: the next sweep sees it
                    return False
                file.content = content
        except FileNotFoundError:
            return False
        except OSError as error:
            self._refuse(result, name, error)
            return False
        return file.content not in before

    def _is_output(self, name: str, file: Watched, ledger: Ledger) -> bool:
        """Whether a file came from a daemon: this ledger knows it, or it carries the mark of outputs.

        The mark counts where the ledger is a new one, or another machine's.
        """
        path = self.folder.path / name
        if ledger.is_output(path, file.content):
            return True
        if file.marked is None:
            try:
                file.marked = is_output(read_contents(path).tags)
            except (FfmpegFailed, FfmpegTimeout) as error:  # no media; the job says so in its report
                logger.debug("{}: no tags could be read: {}", shown(name), error)
                file.marked = False
            if file.marked:
                logger.info("{}: passed over, it has its foley already", shown(name))
        return file.marked

    def _refuse(self, result: Sweep, name: str, error: OSError) -> None:
        """Note what cannot be read, and tell it once."""
        result.unreadable[name] = str(error)
        if self._told.get(name) != str(error):
            self._told[name] = str(error)
            remedy = f"give user {os.geteuid()} the right to read it"
            logger.warning("{}: cannot be read ({}); {}", shown(name), shown(error), remedy)


def _top(name: str) -> str:
    """Return the top-level folder of a relative path, "" for none."""
    return name.partition("/")[0] if "/" in name else ""


def _is_card(folder: Path) -> bool:
    """Whether a folder has the structure of a camera card."""
    try:
        with os.scandir(folder) as listing:
            return any(entry.name.lower() in CARD_FOLDERS and entry.is_dir() for entry in listing)
    except OSError:
        return False
