"""Discovery: what is taken for a clip, when it is whole, and what is never taken for one."""

from __future__ import annotations

import errno
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from watchdog.observers import Observer

from foley_daemon import watched
from foley_daemon.errors import FolderGone
from foley_daemon.gate import Gate, Signature, incomplete_wait
from foley_daemon.hints import Hints
from foley_daemon.identity import content_id
from foley_daemon.ledger import Ledger
from foley_daemon.mounts import Mount, mount_of
from foley_daemon.profile import Profile, named_profile
from foley_daemon.walk import Rules, temporary, walk
from foley_daemon.watched import WatchedFolder, rules_of
from foley_daemon.watcher import Sweep, Sweeper

WHOLE = (
    b"RIFF" + (4 + 8).to_bytes(4, "little") + b"AVI JUNK" + bytes(4)
)  # the smallest complete AVI structure
CUT = b"RIFF" + (4 + 8 + 90).to_bytes(4, "little") + b"AVI JUNK" + bytes(4)
RULES = Rules(("*.mp4", "*.mov", "*.avi"), stable_for=5.0, output=Path("foley"))


@pytest.fixture
def hot(tmp_path: Path) -> Path:
    folder = tmp_path / "hot"
    folder.mkdir()
    return folder


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "state" / "ledger.sqlite") as opened:
        yield opened


@pytest.fixture
def sweep(hot: Path, ledger: Ledger) -> Callable[..., Sweep]:
    sweeper = Sweeper(WatchedFolder(hot, lambda: Profile()))

    def at(now: float, rules: Rules = RULES) -> Sweep:
        return sweeper.sweep(rules, ledger, now)

    return at


def put(path: Path, content: bytes = WHOLE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def names(result: Sweep) -> list[str]:
    return [clip.relative_path for clip in result.found]


def queue(ledger: Ledger, hot: Path, result: Sweep) -> None:
    for clip in result.found:
        ledger.add(hot, clip.relative_path, clip.content, render_key="r", publish_key="p")


# ---- the gate ----


def test_a_clip_passes_once_it_was_unchanged_long_enough(hot: Path, sweep: Callable[..., Sweep]) -> None:
    put(hot / "a.avi")
    assert sweep(0).pending == {"a.avi": 5}
    assert sweep(4.9).pending == {"a.avi": pytest.approx(0.1)}
    assert names(sweep(5)) == ["a.avi"]


def test_every_change_begins_the_wait_anew(hot: Path, sweep: Callable[..., Sweep]) -> None:
    """A slow copy, seen every 4 s for a minute: never taken before it stood still for 5 s."""
    clip = put(hot / "a.avi", b"")
    for second in range(0, 60, 4):
        with clip.open("ab") as file:
            file.write(WHOLE)
        assert names(sweep(second)) == []
    assert names(sweep(60)) == []
    clip.write_bytes(WHOLE)
    assert names(sweep(61)) == []
    assert names(sweep(66)) == ["a.avi"]


@pytest.mark.parametrize("change", ["mtime", "inode", "size"])
def test_size_time_and_inode_each_count(hot: Path, sweep: Callable[..., Sweep], change: str) -> None:
    clip = put(hot / "a.avi")
    sweep(0)
    if change == "mtime":
        os.utime(clip, ns=(1, 1))  # also into the past: a copy that keeps dates does this at its end
    elif change == "inode":
        status = clip.stat()
        put(hot / "other", WHOLE).replace(clip)
        os.utime(clip, ns=(status.st_atime_ns, status.st_mtime_ns))
    else:
        put(clip, WHOLE * 2)
    assert sweep(5).pending == {"a.avi": 5}


@given(st.lists(st.tuples(st.floats(0.01, 20), st.integers(0, 2)), min_size=1, max_size=30))
def test_the_gate_opens_exactly_when_nothing_changed_for_long_enough(steps: list[tuple[float, int]]) -> None:
    gate, now, changed_at, size = Gate(), 0.0, 0.0, -1
    for pause, new_size in steps:
        now += pause
        if new_size != size:
            changed_at, size = now, new_size
        assert gate.see("a", Signature(size, 0, 0), now).since == changed_at


def test_an_old_file_waits_too(hot: Path, sweep: Callable[..., Sweep]) -> None:
    os.utime(put(hot / "a.avi"), (1, 1))
    assert names(sweep(1e9)) == []


def test_an_incomplete_file_is_held_back_and_comes_when_it_has_grown(
    hot: Path, sweep: Callable[..., Sweep]
) -> None:
    clip = put(hot / "a.avi", CUT)
    sweep(0)
    assert sweep(5).pending == {"a.avi": 55}
    put(clip, WHOLE)
    assert sweep(50).pending == {"a.avi": 5}
    assert names(sweep(55)) == ["a.avi"]


def test_an_incomplete_file_is_queued_to_fail_in_the_end(hot: Path, sweep: Callable[..., Sweep]) -> None:
    put(hot / "cut.avi", CUT)
    put(hot / "empty.avi", b"")
    sweep(0)
    assert names(sweep(59)) == []
    assert names(sweep(60)) == ["cut.avi", "empty.avi"]


def test_a_single_pass_does_not_wait_that_long(hot: Path, sweep: Callable[..., Sweep]) -> None:
    put(hot / "cut.avi", CUT)
    once = Rules(RULES.patterns, 5.0, RULES.output, once=True)
    sweep(0, once)
    assert names(sweep(10, once)) == ["cut.avi"]
    assert incomplete_wait(5, once=False) == 60
    assert incomplete_wait(30, once=False) == 300


def test_what_is_no_media_is_queued_at_once_to_fail_with_a_report(
    hot: Path, sweep: Callable[..., Sweep]
) -> None:
    put(hot / "text.mp4", b"this is a text file, not a clip\n" * 9)
    sweep(0)
    assert names(sweep(5)) == ["text.mp4"]


def test_a_camera_card_waits_for_its_last_clip(hot: Path, sweep: Callable[..., Sweep]) -> None:
    put(hot / "card1/DCIM/100/a.mov", b"\0" * 9)
    put(hot / "shots/a.avi")
    sweep(0)
    put(hot / "card1/DCIM/100/b.avi")
    assert sweep(4).pending["card1/DCIM/100/b.avi"] == 5
    assert names(sweep(5)) == ["shots/a.avi"]
    assert set(names(sweep(9))) == {"card1/DCIM/100/a.mov", "card1/DCIM/100/b.avi", "shots/a.avi"}


# ---- what is known ----


def test_sweeping_again_finds_nothing_new_even_with_a_fresh_sweeper(
    hot: Path, ledger: Ledger, sweep: Callable[..., Sweep]
) -> None:
    put(hot / "a.avi")
    sweep(0)
    found = sweep(5)
    assert names(sweep(5)) == ["a.avi"], "until it is in the ledger it is found again: nothing can be lost"
    queue(ledger, hot, found)
    assert names(sweep(6)) == []
    restarted = Sweeper(WatchedFolder(hot, lambda: Profile()))
    restarted.sweep(RULES, ledger, 0)
    assert names(restarted.sweep(RULES, ledger, 5)) == []


def test_changed_content_under_the_same_name_is_a_new_clip(
    hot: Path, ledger: Ledger, sweep: Callable[..., Sweep]
) -> None:
    clip = put(hot / "a.avi")
    sweep(0)
    queue(ledger, hot, sweep(5))
    os.utime(clip, (5, 5))
    sweep(10)
    assert names(sweep(15)) == [], "touched, and the same"
    put(clip, WHOLE[:-1] + b"x")
    sweep(20)
    assert names(sweep(25)) == ["a.avi"]


def test_asking_for_full_hashes_makes_nothing_new(
    hot: Path, ledger: Ledger, sweep: Callable[..., Sweep]
) -> None:
    put(hot / "a.avi")
    sweep(0)
    queue(ledger, hot, sweep(5))
    full = Rules(RULES.patterns, 5.0, RULES.output, full_hash=True)
    restarted = Sweeper(WatchedFolder(hot, lambda: Profile()))
    put(hot / "b.avi", WHOLE * 2)
    restarted.sweep(full, ledger, 0)
    (clip,) = restarted.sweep(full, ledger, 70).found
    assert clip.relative_path == "b.avi"
    assert clip.content.startswith("full-")


def test_an_output_that_is_dragged_back_is_no_input(
    hot: Path, ledger: Ledger, sweep: Callable[..., Sweep]
) -> None:
    ledger.add(hot, "a.avi", "c", render_key="r", publish_key="p")
    job = ledger.claim("w", 60, [hot])
    assert job is not None
    output = put(hot / "foley/a_foley.avi", WHOLE + b"output")
    ledger.finish(job, {output: content_id(output)})
    shutil.copy(output, hot / "again.avi")
    sweep(0)
    assert names(sweep(70)) == []


# ---- names and folders ----


@pytest.mark.parametrize(
    "name",
    [
        "a.mp4.part",
        "a.mp4.partial",
        "a.mp4.tmp",
        "a.mp4.crdownload",
        "a.mp4.filepart",
        "a.mp4.download",
        "a.mp4~",
        "._a.mp4",
        ".syncthing.a.mp4.tmp",
        "~syncthing~a.mp4.tmp",
        ".DS_Store",
        ".a_foley.mp4.foley-part",
        "A.MP4.PART",
    ],
)
def test_temporary_names_are_passed_over(hot: Path, name: str) -> None:
    put(hot / name)
    assert temporary(name)
    assert list(walk(hot, Rules(("*",), 5.0))) == []


@pytest.mark.parametrize(
    "folder",
    ["foley", "sub/foley", "_failed", "_done", ".foley", ".hidden", "@eaDir", "__MACOSX", "#recycle"],
)
def test_reserved_and_foreign_folders_are_not_entered(hot: Path, folder: str) -> None:
    put(hot / folder / "deep" / "a.mp4")
    assert list(walk(hot, RULES)) == []


def test_a_subfolder_is_swept_and_only_the_top_s_done_folder_is_reserved(hot: Path) -> None:
    put(hot / "day 1/_done/a.mp4")
    put(hot / "day 1/foley stage/b.mp4")
    assert sorted(name for name, _ in walk(hot, RULES)) == ["day 1/_done/a.mp4", "day 1/foley stage/b.mp4"]


def test_an_absolute_output_folder_inside_is_not_entered(hot: Path) -> None:
    put(hot / "results/a.mp4")
    put(hot / "sub/results/b.mp4")
    rules = Rules(("*.mp4",), 5.0, output=hot / "results")
    assert [name for name, _ in walk(hot, rules)] == ["sub/results/b.mp4"]


@pytest.mark.parametrize(
    "name",
    [
        "-a.mp4",
        "a'b\"c.mp4",
        "100%.mp4",
        "a:b.mp4",
        "a\nb.mp4",
        "\udcff\udcfe.mp4",
        "é.mp4",
        "e\u0301.MP4",
        "a.b.Mp4",
    ],
)
def test_odd_names_are_found_as_they_are(hot: Path, sweep: Callable[..., Sweep], name: str) -> None:
    put(hot / name, b"no media, but found")
    sweep(0)
    assert names(sweep(5)) == [name]


def test_links_to_files_are_clips_and_links_to_folders_are_not_followed(hot: Path, tmp_path: Path) -> None:
    put(tmp_path / "elsewhere/a.mp4")
    (hot / "link.mp4").symlink_to(tmp_path / "elsewhere/a.mp4")
    (hot / "broken.mp4").symlink_to(tmp_path / "none.mp4")
    (hot / "circle").symlink_to(hot)
    (hot / "folder.mp4").mkdir()
    assert [name for name, _ in walk(hot, RULES)] == ["link.mp4"]


def test_a_hard_linked_name_is_found(hot: Path, tmp_path: Path, sweep: Callable[..., Sweep]) -> None:
    os.link(put(tmp_path / "a.part"), hot / "a.avi")
    sweep(0)
    assert names(sweep(5)) == ["a.avi"]


@pytest.fixture
def as_nobody() -> Iterator[Path]:
    """A folder that anybody may enter, while root is somebody else."""
    with TemporaryDirectory() as name:
        folder = Path(name).resolve()
        folder.chmod(0o777)
        before = os.geteuid()
        if before == 0:
            os.seteuid(65534)
        yield folder
        os.seteuid(before)


def test_what_may_not_be_read_is_told_and_taken_once_it_may(as_nobody: Path) -> None:
    nobody, owner = os.geteuid(), as_nobody.stat().st_uid
    os.seteuid(owner)
    clip, inside = put(as_nobody / "a.avi"), put(as_nobody / "closed/b.avi")
    clip.chmod(0)
    inside.parent.chmod(0)
    os.seteuid(nobody)
    sweeper = Sweeper(WatchedFolder(as_nobody, Profile))
    with Ledger(as_nobody / "state/ledger.sqlite") as ledger:
        sweeper.sweep(RULES, ledger, 0)
        unreadable = sweeper.sweep(RULES, ledger, 70).unreadable
        assert set(unreadable) == {"a.avi", "closed"}
        assert "Permission denied" in unreadable["a.avi"]
        os.seteuid(owner)
        clip.chmod(0o644)
        inside.parent.chmod(0o755)
        os.seteuid(nobody)
        assert names(sweeper.sweep(RULES, ledger, 80)) == ["a.avi"]
        assert set(names(sweeper.sweep(RULES, ledger, 160))) == {"a.avi", "closed/b.avi"}


def test_rules_come_from_the_profile() -> None:
    rules = rules_of(named_profile("default"))
    assert rules.stable_for == 5
    assert rules.output == Path("foley")
    assert "*.mp4" in rules.patterns


# ---- a folder that goes away ----


def test_a_folder_that_is_gone_is_frozen_and_goes_on(
    hot: Path, ledger: Ledger, sweep: Callable[..., Sweep]
) -> None:
    put(hot / "a.avi")
    sweep(0)
    away = hot.rename(hot.with_name("away"))
    with pytest.raises(FolderGone, match="not there"):
        sweep(3)
    away.rename(hot)
    assert names(sweep(5)) == ["a.avi"], "what was known of its files was kept"


def test_the_bare_mount_point_of_a_dropped_share_is_not_the_folder(
    hot: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched, "mount_of", lambda path: Mount(hot, "nfs4"))
    sweeper = Sweeper(WatchedFolder(hot, lambda: Profile()))
    sweeper.sweep(RULES, ledger, 0)
    monkeypatch.setattr(watched, "mount_of", lambda path: Mount(Path("/"), "ext4"))
    with pytest.raises(FolderGone, match="a share is not mounted"):
        sweeper.sweep(RULES, ledger, 1)


# ---- mounts and hints ----

MOUNTINFO = b"""22 27 0:21 / /proc rw - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 27 0:40 / /mnt/share rw,relatime shared:5 master:2 - nfs4 server:/x rw
41 27 0:41 / /mnt/with\\040space rw - fuse.sshfs a: rw
42 27 0:42 / /mnt/share/local rw - xfs /dev/vdb rw
43 27 0:43 / /over rw - ext4 /dev/vdc rw
44 43 0:44 / /over rw - cifs //server/x rw
"""


@pytest.mark.parametrize(
    ("folder", "point", "kind", "silent"),
    [
        ("/home/x", "/", "ext4", False),
        ("/mnt/share", "/mnt/share", "nfs4", True),
        ("/mnt/share/a/b", "/mnt/share", "nfs4", True),
        ("/mnt/shared", "/", "ext4", False),
        ("/mnt/share/local/x", "/mnt/share/local", "xfs", False),
        ("/mnt/with space/x", "/mnt/with space", "fuse.sshfs", True),
        ("/over/x", "/over", "cifs", True),
    ],
)
def test_the_mount_of_a_folder(tmp_path: Path, folder: str, point: str, kind: str, silent: bool) -> None:
    table = put(tmp_path / "mountinfo", MOUNTINFO)
    mount = mount_of(Path(folder), table)
    assert (str(mount.point), mount.kind, mount.silent) == (point, kind, silent)


def test_without_a_table_nothing_is_known(tmp_path: Path) -> None:
    assert mount_of(tmp_path, tmp_path / "none") == Mount(Path("/"), "")
    assert mount_of(Path("/proc")).kind == "proc", "the real table"


@pytest.fixture
def hints(hot: Path) -> Iterator[tuple[Hints, threading.Event]]:
    wake = threading.Event()
    watching = Hints(hot, "native", wake)
    yield watching, wake
    watching.stop()


def test_a_new_file_wakes_also_in_a_new_subfolder(hot: Path, hints: tuple[Hints, threading.Event]) -> None:
    watching, wake = hints
    assert watching.alive
    put(hot / "new/deep/a.avi")
    assert wake.wait(5)
    time.sleep(0.3)
    wake.clear()
    put(hot / "new/deep/b.avi")
    assert wake.wait(5)


def test_reading_does_not_wake(hot: Path, hints: tuple[Hints, threading.Event]) -> None:
    clip = put(hot / "a.avi")
    _, wake = hints
    assert wake.wait(5)
    time.sleep(0.3)
    wake.clear()
    clip.read_bytes()
    list(walk(hot, RULES))
    assert not wake.wait(0.5), "the sweep would hint at itself for ever"


def test_hints_end_with_the_folder(hot: Path, hints: tuple[Hints, threading.Event]) -> None:
    watching, _ = hints
    hot.rmdir()
    deadline = time.monotonic() + 5
    while watching.alive and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not watching.alive


def test_network_folders_are_polled_and_say_so(hot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foley_daemon.hints.mount_of", lambda path: Mount(hot, "nfs4"))
    polled = Hints(hot, "auto", threading.Event())
    assert polled.polling
    assert "nfs4" in polled.reason
    assert Hints(hot, "polling", threading.Event()).polling
    native = Hints(hot, "native", threading.Event())
    assert not native.polling, "who knows better may say so"
    native.stop()


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "sysctl fs.inotify.max_user_watches="),
        (errno.EMFILE, "sysctl fs.inotify.max_user_instances="),
    ],
)
def test_a_reached_limit_names_the_sysctl_and_falls_back_to_polling(
    hot: Path, monkeypatch: pytest.MonkeyPatch, number: int, remedy: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, "limit reached")

    monkeypatch.setattr(Observer, "start", refuse)
    hints = Hints(hot, "auto", threading.Event())
    assert hints.polling
    assert not hints.alive
    assert remedy in hints.reason
