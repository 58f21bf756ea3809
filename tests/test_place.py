"""Outputs get the names they should, never another's, and disks that fail are named."""

from __future__ import annotations

import os
import subprocess
import threading
from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest
from media_fixtures import make_clip, write_wav
from mux_media import add_sound, render_for, streams

from foley_daemon.errors import DiskFull, FolderGone, OutputError, OutputExists
from foley_daemon.mux import MuxRequest, publish
from foley_daemon.place import disk_errors, output_path, part_file
from foley_daemon.probe import probe
from foley_daemon.scratch import work_folder

SMALL = (96, 54)


NAMES = [b"-leading.mp4", b'it\'s "quoted".mp4', b"100%d %s.mp4", b"two\nlines.mp4", b"a:b=c,d[e].mp4"]


@pytest.mark.parametrize("name", [*NAMES, b"latin\xe9.mp4", "Zürich – 東京.mp4".encode()])
def test_odd_names(tmp_path: Path, name: bytes) -> None:
    plain = make_clip(tmp_path / "plain.mp4", seconds=Fraction("0.4"), size=SMALL, audio="stereo")
    clip = plain.rename(tmp_path / os.fsdecode(name))
    out = output_path(
        clip, tmp_path, "{stem}_foley{ext}", profile="p", take=1, seed=1, day=date(2026, 11, 23)
    )
    assert add_sound(clip, out).file == out
    assert os.fsencode(out.name) == name.replace(b".mp4", b"_foley.mp4")
    assert len(streams(out, "audio")) == 2


def test_names_from_templates_and_their_limit(tmp_path: Path) -> None:
    template = "{stem}_{profile}_{take}_{seed}_{date}{ext}"
    args = {"profile": "quiet", "take": 2, "seed": 42, "day": date(2026, 11, 23)}
    short = output_path(Path("clip.MOV"), tmp_path, template, **args)
    assert short == tmp_path / "clip_quiet_2_42_2026-11-23.MOV"
    assert output_path(Path("{x}.mov"), tmp_path, "{stem}{ext}", ext=".wav", **args).name == "{x}.wav"
    for stem in ("ü" * 125, "x" * 250):
        name = output_path(Path(f"{stem}.mov"), tmp_path, template, **args).name
        assert 220 <= len(os.fsencode(name)) <= 255 - 24
        assert name.endswith("_quiet_2_42_2026-11-23.MOV".replace("MOV", "mov"))


def test_the_longest_name_can_be_written(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", seconds=Fraction("0.4"), size=SMALL)
    out = tmp_path / ("ü" * 125 + ".mp4")
    assert add_sound(clip, out).file == out


def test_taken_names(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", seconds=Fraction("0.4"), size=SMALL)
    out = tmp_path / "out.mp4"
    out.write_text("somebody's")
    with pytest.raises(OutputExists, match="collision"):
        add_sound(clip, out, collision="fail")
    assert add_sound(clip, out, collision="version").file == tmp_path / "out_2.mp4"
    assert add_sound(clip, out, collision="version").file == tmp_path / "out_3.mp4"
    assert out.read_text() == "somebody's"
    assert add_sound(clip, out, collision="overwrite").file == out
    assert probe(out).audio
    with pytest.raises(OutputExists, match="the clip itself"):
        add_sound(clip, clip, collision="overwrite")
    assert not probe(clip).audio
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "out.mp4", "out_2.mp4", "out_3.mp4"]


def test_two_writers_get_two_names(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", seconds=Fraction("0.4"), size=SMALL)
    wav = write_wav(tmp_path / "render.wav", render_for(clip))
    request = MuxRequest(probe(clip), wav, 2, "track", tmp_path / "out.mp4")
    files: list[Path] = []
    threads = [threading.Thread(target=lambda: files.append(publish(request).file)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(path.name for path in files) == ["out.mp4", "out_2.mp4", "out_3.mp4"]


def test_mode_and_date_are_the_clips(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", seconds=Fraction("0.4"), size=SMALL)
    clip.chmod(0o640)
    os.utime(clip, ns=(10**18, 10**18 + 123_456_789))
    facts = add_sound(clip, tmp_path / "out.mp4").file.stat()
    assert facts.st_mode & 0o777 == 0o640
    assert facts.st_mtime_ns == 10**18 + 123_456_789


def test_a_folder_that_is_gone_can_be_tried_again(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", seconds=Fraction("0.4"), size=SMALL)
    wav = write_wav(tmp_path / "render.wav", render_for(clip))
    with pytest.raises(FolderGone, match="mounted"):
        publish(MuxRequest(probe(clip), wav, 2, "track", tmp_path / "gone" / "out.mp4"))


def test_a_full_disk_can_be_tried_again(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mkv", seconds=2, size=SMALL, audio="stereo")
    wav = write_wav(tmp_path / "render.wav", render_for(clip))
    full = tmp_path / "full"
    full.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "none", full], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root can mount a small disk")
    try:
        for mode, name in (("replace", "out.mkv"), ("sidecar", "out.wav")):
            with pytest.raises(DiskFull, match="no space"):
                publish(MuxRequest(probe(clip), wav, 2, mode, full / name))
            assert list(full.iterdir()) == []
    finally:
        subprocess.run(["umount", full], check=True)


def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="permissions"), disk_errors(tmp_path):
        raise PermissionError(13, "Permission denied")


def test_what_is_being_made_is_never_taken_for_abandoned(tmp_path: Path) -> None:
    """Writers that start at once clean up after the dead, not after each other."""
    faults: list[str] = []

    def write() -> None:
        for _ in range(30):
            try:
                with part_file(tmp_path / "a.mp4") as part, work_folder() as work:
                    part.write_bytes(b"x")
                    (work / "y").write_bytes(b"z")
                    assert part.exists()
            except (OSError, AssertionError) as error:
                faults.append(repr(error))

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert list(tmp_path.iterdir()) == []
