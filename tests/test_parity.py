"""The networks and Cycle Mix compute what the released ones compute, at the released sizes."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from parity_rule import DATA, tiny_json

from ssv2a.parity import compute

_MEASURED = """
import atexit, runpy
from ssv2a.memory import peak_memory
atexit.register(lambda: print(peak_memory()))
runpy.run_module("ssv2a.parity", run_name="__main__")
"""
TOLERANCE = 1e-5  # absolute, ten times tighter than what the released results ask for


def test_the_command_finds_what_the_released_networks_compute(tmp_path: Path) -> None:
    out = tmp_path / "new" / "found"  # a name without .npz is kept as it is
    command = [sys.executable, "-c", _MEASURED, "--out", str(out)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(done.stdout.splitlines()[-1]) < 2.048e9  # bytes
    with np.load(out) as found, np.load(DATA / "released.npz") as released:
        assert set(found) == set(released)
        for name, wanted in released.items():
            assert found[name].dtype == np.float32
            np.testing.assert_allclose(found[name], wanted, rtol=0, atol=TOLERANCE, err_msg=name)


def test_a_salt_changes_every_array_and_fixes_it(tmp_path: Path) -> None:
    config_file = tmp_path / "ssv2a.json"
    config_file.write_text(json.dumps(tiny_json()))
    none, first, again, other = (compute(salt, config_file) for salt in (0, 7, 7, 2**40 + 8))
    for name, array in first.items():
        np.testing.assert_array_equal(array, again[name], err_msg=name)
        for different in (none, other):
            assert np.abs(array - different[name]).max() > 1e-4, name


@pytest.mark.slow
def test_another_salt_is_reproducible_at_the_released_sizes() -> None:
    first, again = compute(7), compute(7)
    with np.load(DATA / "released.npz") as released:
        for name, array in first.items():
            np.testing.assert_array_equal(array, again[name], err_msg=name)
            assert np.abs(array - released[name]).max() > 1e-4, name
