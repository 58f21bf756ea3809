import ctypes
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from ssv2a import memory
from ssv2a.memory import give_back, peak_memory


def test_the_peak_of_memory_is_told_without_proc_too(monkeypatch):
    known = peak_memory()
    monkeypatch.setattr("pathlib.Path.is_file", lambda _: False)
    assert 0.9 * known < peak_memory() < max(100 * known, 50e9)
    assert peak_memory() > 50e6


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="no glibc"
)
def test_what_was_freed_between_things_that_stay_is_given_back():
    small = [np.ones(2_000) for _ in range(6_000)]  # 96 MB in pieces that glibc takes from its heap
    del small[::2], small[: len(small) - 50]
    before = resident()
    give_back()
    assert resident() < before - 50e6
    assert small[-1].sum() == 2_000


def test_another_c_library_has_nothing_to_give_back(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    memory._malloc_trim.cache_clear()
    try:
        assert memory._malloc_trim() is None
        give_back()
    finally:
        memory._malloc_trim.cache_clear()


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
