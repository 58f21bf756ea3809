"""`foley demo` ends at once, and says why, where the daemon cannot do its work."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from foley_daemon.demo import Running
from foley_daemon.errors import TransientError


def test_a_folder_that_is_held_back_ends_the_demo_with_the_reason(tmp_path: Path) -> None:
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=30m", "none", str(place)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root can mount a small disk")
    started = time.monotonic()
    command = [sys.executable, "-m", "foley_daemon", "demo", str(place)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    finally:
        subprocess.run(["umount", place], check=True)
    assert done.returncode == 6
    assert "MB are free" in done.stderr
    assert "when there is room" in done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - started < 60


def test_a_daemon_that_ends_is_told_with_its_last_words(tmp_path: Path) -> None:
    log = tmp_path / "daemon.log"
    with log.open("wb") as file:
        process = subprocess.Popen([sys.executable, "-c", "exit('no folder')"], stderr=file)
    process.wait()
    with pytest.raises(TransientError, match=r"exit code 1(.|\n)*no folder"):
        Running(process, log).check()


def test_of_all_that_the_log_says_only_the_trouble_is_told(tmp_path: Path) -> None:
    log = tmp_path / "daemon.log"
    lines = [
        "2026-11-24T10:00:00.000+0000 INFO    Watching: 1 folder(s)",
        "2026-11-24T10:00:01.000+0000 WARNING /hot: left alone until this is put right: /hot/foley.yaml:",
        "line 1: unknown key `mox`",
        "2026-11-24T10:00:02.000+0000 INFO    anything else",
    ]
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        log.write_text(lines[0])
        Running(process, log).check()
        log.write_text("\n".join(lines))
        with pytest.raises(TransientError) as caught:
            Running(process, log).check()
    assert "/hot/foley.yaml:\nline 1: unknown key `mox`\n" in str(caught.value)
    assert "anything else" not in str(caught.value)
