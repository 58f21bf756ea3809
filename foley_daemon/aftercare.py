"""What becomes of a clip's place afterwards: a failure report beside it, or the clip moved to `_done`.

A source that failed stays where it is, untouched. `<name>.foley-failed.txt` beside it says why; it goes
when the clip succeeds later.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from foley_daemon.domain import Job
from foley_daemon.walk import DONE_FOLDER, shown

REPORT_SUFFIX = ".foley-failed.txt"
NAME_BYTES = 255  # NAME_MAX of every common file system


def failure_report(clip: Path) -> Path:
    """Return where the report of a clip's failure lies."""
    return clip.with_name(_fitting(clip.name, REPORT_SUFFIX))


def write_failure(job: Job, reason: str, when: float, traceback: str = "") -> Path:
    """Write the report of a failure for good.

    Args:
        job: that failed.
        reason: what was wrong, expected, found, to do.
        when: Unix seconds.
        traceback: of a fault of the program, empty for others.

    Raises:
        OSError: the folder cannot be written to.
    """
    moment = datetime.fromtimestamp(when, UTC).isoformat(" ", "seconds")
    times = "once" if job.attempts == 1 else f"{job.attempts} times"
    lines = [
        "No foley could be made for this clip.",
        "",
        f"Clip:   {shown(job.path.name)}",
        f"When:   {moment}, tried {times}",
        f"Reason: {shown(reason)}" if "\n" not in reason else f"Reason:\n{reason}",
        "",
        "The clip was not changed. It is not tried again by itself. Put a corrected clip in its place,",
        "or remove the cause and run",
        "",
        f"    foley reprocess {_quoted(job.path)}",
        "",
    ]
    if traceback:
        lines += ["This is a fault of the program. Please report it with these lines:", "", traceback]
    report = failure_report(job.path)
    unfinished = report.with_name(_fitting("." + report.name, ".tmp"))
    unfinished.write_bytes("\n".join(lines).encode("utf-8", "backslashreplace"))
    unfinished.replace(report)
    return report


def remove_failure(clip: Path) -> None:
    """Remove the report of an earlier failure, if there is one."""
    failure_report(clip).unlink(missing_ok=True)


def move_to_done(job: Job) -> Path:
    """Move a clip into `_done` of its hot folder, under a name that is free there.

    The name is taken first, by an empty file that the rename then replaces, so that nothing is overwritten.

    Raises:
        OSError: the move is not possible; the clip is where it was.
    """
    wanted = job.folder / DONE_FOLDER / job.relative_path
    wanted.parent.mkdir(parents=True, exist_ok=True)
    target, number = wanted, 1
    while True:
        try:
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            break
        except FileExistsError:
            number += 1
            target = wanted.with_name(_fitting(wanted.stem, f"_{number}{wanted.suffix}"))
    try:
        job.path.replace(target)
    except OSError:
        target.unlink()
        raise
    return target


def _fitting(name: str, suffix: str) -> str:
    """Join both, the name cut so that the whole is at most 255 bytes; no character is cut in two."""
    room = NAME_BYTES - len(os.fsencode(suffix))
    while len(os.fsencode(name)) > room:
        name = name[:-1]
    return name + suffix


def _quoted(path: Path) -> str:
    """For a shell: in single quotes, or as $'…' where a character cannot be typed."""
    text = str(path)
    if text.isprintable():
        return "'" + text.replace("'", "'\\''") + "'"
    return "$'" + "".join(_escaped(byte) for byte in os.fsencode(text)) + "'"


def _escaped(byte: int) -> str:
    character = chr(byte)
    return character if 32 <= byte < 127 and character not in "\\'" else f"\\x{byte:02x}"
