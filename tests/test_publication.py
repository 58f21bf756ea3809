"""Clip, report and picture come together, whatever ends the run that makes them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from media_fixtures import make_clip
from quick_engine import quick_engine

from foley_daemon.profile import Profile
from foley_daemon.worker import process_clip

CHILD = Path(__file__).with_name("quick_engine.py")
ALL = ["a_foley.mp4", "a_foley.mp4.foley.json", "a_foley.mp4.foley.png"]
MOMENTS = {"report": 1, "picture": 2, "clip": 3, "removal of its temporary name": 4}  # just before


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    hot = tmp_path / "hot"
    hot.mkdir()
    (hot / "foley.yaml").write_text("watch: {stable_for: 0.1}\n")
    return make_clip(hot / "a.mp4", seconds=0.4, size=(64, 36))


def results(clip: Path) -> list[str]:
    return sorted(path.name for path in (clip.parent / "foley").iterdir() if path.name[0] != ".")


def ended(*arguments: object) -> int:
    command = [sys.executable, str(CHILD), *map(str, arguments)]
    return subprocess.run(command, stderr=subprocess.DEVNULL, timeout=60).returncode


@pytest.mark.parametrize("moment", ["picture", "clip", "removal of its temporary name"])
def test_a_killed_run_leaves_no_clip_without_its_report_and_picture(clip: Path, moment: str) -> None:
    assert ended("process", clip, "-", MOMENTS[moment], int(signal.SIGKILL)) == -signal.SIGKILL
    left = results(clip)
    assert left == (ALL if MOMENTS[moment] == 4 else ALL[1 : MOMENTS[moment]])
    output = process_clip(clip, Profile(), engine=quick_engine())
    again = {name.replace("a_foley", "a_foley_2") for name in ALL} if "a_foley.mp4" in left else set()
    assert {path.name for path in (clip.parent / "foley").iterdir()} == {*ALL, *again}
    files = json.loads(output.report.read_text())["files"]
    assert list(files.values()) == [str(output.files[0]), str(output.report), str(output.picture), None]


@pytest.mark.parametrize(("moment", "left"), [("clip", []), ("removal of its temporary name", ALL)])
def test_an_interrupted_run_leaves_nothing_or_all(clip: Path, moment: str, left: list[str]) -> None:
    assert ended("process", clip, "-", MOMENTS[moment], int(signal.SIGINT)) != 0
    assert sorted(path.name for path in (clip.parent / "foley").iterdir()) == left


@pytest.mark.parametrize("moment", ["clip", "removal of its temporary name"])
def test_a_daemon_killed_while_it_publishes_has_the_clip_come_out_once(
    clip: Path, tmp_path: Path, moment: str
) -> None:
    hot, state = clip.parent, tmp_path / "state"
    assert ended("watch", hot, state, MOMENTS[moment], int(signal.SIGKILL)) == -signal.SIGKILL
    assert "a_foley.mp4" not in results(clip) or results(clip) == ALL
    assert ended("watch", hot, state, 0, 0) == 0
    assert sorted(path.name for path in (hot / "foley").iterdir()) == ALL
