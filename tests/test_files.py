"""Files that are written whole or not at all."""

import stat

import pytest

from ssv2a.files import write_whole


def test_what_cannot_be_put_in_place_leaves_nothing_beside_it(tmp_path):
    taken = tmp_path / "taken"
    (taken / "inside").mkdir(parents=True)
    with pytest.raises(OSError):
        write_whole(taken, b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_others_may_read_what_the_umask_lets(tmp_path):
    write_whole(tmp_path / "claps.safetensors", b"new")
    assert stat.S_IMODE((tmp_path / "claps.safetensors").stat().st_mode) & 0o044 == 0o044
