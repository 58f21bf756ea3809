"""The `foley` command, as a shell sees it: output, exit codes, what it loads."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from loguru import logger
from media_fixtures import make_clip
from quick_engine import QuickEngine

import ssv2a
from foley_daemon import service
from foley_daemon.checkup import check_file
from foley_daemon.cli import EXIT_CODES, app
from foley_daemon.config import Config
from foley_daemon.console import readable, span
from foley_daemon.domain import JobState
from foley_daemon.errors import ConfigError, gravest
from foley_daemon.ledger import Ledger, Retry

HEAVY = ("torch", "onnxruntime", "matplotlib", "sqlalchemy", "numpy", "scipy", "pydantic", "av", "decord")


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def foley(home):
    def run(*args: object) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "FOLEY_HOME": str(home), "COLUMNS": "200", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "foley_daemon", *map(str, args)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    return run


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def fill(home: Path, hot: Path) -> None:
    """A ledger with one failed and one queued clip."""
    for name in ("a.mp4", "b.mp4"):
        write(hot / name, name)
    with Ledger(home / "ledger.sqlite") as ledger:
        ledger.add(hot, "a.mp4", "content-a", render_key="r", publish_key="p")
        job = ledger.claim("worker", 60, [hot])
        ledger.fail(job, "a.mp4: no picture\nand more", Retry.NEVER)
        ledger.add(hot, "b.mp4", "content-b", render_key="r", publish_key="p")


def test_importing_the_command_line_loads_nothing_heavy():
    code = "import sys, foley_daemon.cli; print(*[name for name in sys.argv[1:] if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code, *HEAVY], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == ""


def test_help_names_every_command_and_exit_code(foley):
    result = foley("--help")
    assert result.returncode == 0
    for command in app.registered_commands:
        assert re.search(rf"\b{command.callback.__name__}\b", result.stdout)
    for code, meaning in EXIT_CODES.items():
        assert f"{code} – {meaning}" in result.stdout
    assert re.match(r"foley-daemon \d+\.\d+\.\d+", foley("--version").stdout)


@pytest.mark.parametrize("args", [("sing",), ("watch",), ("process",), ("process", "x.mp4", "--seed", "-1")])
def test_a_wrong_command_line_is_2(foley, args):
    assert foley(*args).returncode == 2


def test_check_tells_every_fault_of_every_file(foley, tmp_path):
    bad = write(tmp_path / "foley.yaml", "mix:\n  levle: -3\nchunks:\n  seconds: 0.1\n")
    config = write(tmp_path / "config.yaml", f"folders:\n  - path: {tmp_path}/nowhere\n")
    result = foley("check", bad, config)
    assert result.returncode == 3
    assert f"{bad}:2: mix.levle: unknown key" in result.stdout
    assert "did you mean `level`?" in result.stdout
    assert f"{bad}:4: chunks.seconds: out of range" in result.stdout
    assert f"✗ {tmp_path}/nowhere: {tmp_path}/nowhere: expected a folder, found none" in result.stdout
    assert result.stderr == ""


def test_check_passes_what_is_right(foley, tmp_path):
    hot = tmp_path / "hot"
    profile = write(hot / "foley.yaml", "extends: dialogue\n")
    config = write(tmp_path / "config.yaml", f"folders: [{{path: {hot}}}]\n")
    result = foley("check", profile, config, hot)
    assert result.returncode == 0, result.stdout
    assert "✗" not in result.stdout
    assert "a valid configuration of 1 folder" in result.stdout


@pytest.fixture
def faulty_banks(tmp_path):
    """Values of `model.bank` that cannot be played, and what is to be told of each."""
    (tmp_path / "empty").mkdir()
    other = Path(ssv2a.__file__).parent / "bundles/mini/banks/default"
    for name in ("strange", "holed"):
        shutil.copytree(other, tmp_path / name)
    manifest = json.loads((other / "bank.json").read_text())
    (tmp_path / "strange/bank.json").write_text(json.dumps({**manifest, "clap": "0" * 64}))
    gone = next(tmp_path / "holed" / row["file"] for row in manifest["entries"] if row.get("file"))
    gone.unlink()
    return {
        "/tmp/nosuch": "/tmp/nosuch/bank.json: no sound bank",
        "communty": "there is no bank 'communty'; it has community, default",
        f"{tmp_path}/empty": f"{tmp_path}/empty/bank.json: no sound bank",
        f"{tmp_path}/strange": "made with another CLAP",
        f"{tmp_path}/holed": f"{gone}: missing",
    }


def test_check_opens_the_bank_of_a_profile(foley, tmp_path, faulty_banks):
    for number, bank in enumerate(faulty_banks):
        write(tmp_path / f"{number}.yaml", f"model:\n  seed: 1\n  bank: {bank}\n")
    result = foley("check", *(tmp_path / f"{number}.yaml" for number in range(len(faulty_banks))))
    assert result.returncode == 3
    assert "a valid profile" not in result.stdout
    for number, told in enumerate(faulty_banks.values()):
        where = f"{tmp_path}/{number}.yaml:3: model.bank: "
        (line,) = [line for line in result.stdout.splitlines() if line.startswith(where)]
        assert told in line
        assert line.endswith("; correct the line, or what it names")


def test_check_names_the_line_that_a_profile_inherits_and_the_bundle_s(foley, tmp_path):
    write(tmp_path / "house.yaml", "\nmodel: {bank: ./sounds}\n")
    child = write(tmp_path / "hot/foley.yaml", "extends: ../house.yaml\n")
    bundle = write(tmp_path / "bundle.yaml", "model:\n  bundle: minni\n  bank: nosuch\n")
    config = write(tmp_path / "config.yaml", f"folders: [{{path: {child.parent}}}]\n")
    result = foley("check", child, bundle, child.parent, config)
    assert result.returncode == 3
    assert result.stdout.count(f"{tmp_path}/house.yaml:2: model.bank: {tmp_path}/sounds/bank.json") == 3
    assert f"{bundle}:2: model.bundle: bundle 'minni' was not found" in result.stdout
    assert f"{bundle}:3:" not in result.stdout  # which banks there are is the bundle's to say


def test_the_daemon_tells_of_a_bank_as_check_does_and_goes_on_with_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(service, "Engine", QuickEngine)
    hots = [tmp_path / "wrong", tmp_path / "right"]
    bad = write(hots[0] / "foley.yaml", "watch: {stable_for: 0.1}\nmodel: {bank: communty}\n")
    write(hots[1] / "foley.yaml", "watch: {stable_for: 0.1}\n")
    for hot in hots:
        make_clip(hot / "a.mp4", seconds=0.4, size=(64, 36))
    folders = [{"path": str(hot)} for hot in hots]
    config = Config.model_validate({"folders": folders, "state": str(tmp_path / "state"), "free_space": 0})
    said: list[str] = []
    sink = logger.add(lambda message: said.append(str(message)), level="WARNING")
    try:
        assert service.watch(config, once=True) == ConfigError.exit_code
    finally:
        logger.remove(sink)
    (told,) = [text for text in said if "communty" in text]
    assert "wrong: left alone until this is put right" in told
    assert next(check_file(bad)).text in told
    assert (hots[1] / "foley" / "a_foley.mp4").is_file()
    assert not (hots[0] / "foley").exists()


def test_check_without_files_looks_at_the_machine(foley):
    result = foley("check")
    assert re.search(r"✓ ffmpeg: \d", result.stdout)
    assert "✓ state folder: writable" in result.stdout
    assert "✓ profile dialogue: valid" in result.stdout
    assert result.returncode == (3 if "✗" in result.stdout else 0)


def test_clips_that_cannot_be_used_are_all_told_and_give_4(foley, tmp_path):
    text = write(tmp_path / "clip.mp4", "this is no film\n")
    empty = write(tmp_path / "empty.mov", "")
    result = foley("process", text, empty)
    assert result.returncode == 4
    errors = [line for line in result.stderr.splitlines() if line.startswith("error")]
    assert len(errors) == 2
    assert "clip.mp4" in errors[0]
    assert "empty.mov" in errors[1]
    assert "Traceback" not in result.stderr
    assert text.read_text() == "this is no film\n"


def test_ctrl_c_ends_a_batch_at_once_with_130(home, tmp_path):
    text = write(tmp_path / "clip.mp4", "this is no film\n")
    command = [sys.executable, "-m", "foley_daemon", "process", *[str(text)] * 4000]
    environment = {**os.environ, "FOLEY_HOME": str(home)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as batch:
        try:
            while not batch.stderr.readline().startswith("error"):
                pass
            batch.send_signal(signal.SIGINT)
            started = time.monotonic()
            assert batch.stderr.read().count("error") < 3999
            assert batch.wait(15) == 130
            assert time.monotonic() - started < 5
        finally:
            batch.kill()


def test_an_unknown_profile_is_3(foley, tmp_path):
    result = foley("process", write(tmp_path / "clip.mp4", "x"), "--profile", "dialog")
    assert result.returncode == 3
    assert "did you mean dialogue?" in result.stderr


def test_status_does_not_make_a_ledger(foley, home):
    assert "Nothing yet" in foley("status").stdout
    assert json.loads(foley("status", "--json").stdout)["jobs"] == []
    assert not (home / "ledger.sqlite").exists()


def test_status_shows_what_the_ledger_holds(foley, home, tmp_path):
    fill(home, tmp_path / "hot")
    shown = foley("status").stdout
    assert re.search(r"failed +\S*hot/a\.mp4 +1 .*a\.mp4: no picture", shown)
    assert "1 queued, 0 running, 0 done, 1 failed" in shown
    told = json.loads(foley("status", "--json").stdout)
    assert told["counts"] == {"queued": 1, "running": 0, "done": 0, "failed": 1}
    failed = next(job for job in told["jobs"] if job["state"] == "failed")
    assert failed["clip"] == str(tmp_path / "hot" / "a.mp4")
    assert failed["error"].startswith("a.mp4: no picture")


def test_status_finds_the_ledger_of_a_configuration(foley, tmp_path):
    fill(tmp_path / "state", tmp_path / "hot")
    config = write(tmp_path / "c.yaml", "state: state\n")
    assert len(json.loads(foley("status", "--json", "--config", config).stdout)["jobs"]) == 2


def test_reprocess_queues_again_and_refuses_what_it_does_not_know(foley, home, tmp_path):
    hot = tmp_path / "hot"
    fill(home, hot)
    result = foley("reprocess", hot / "a.mp4", tmp_path / "other.mp4")
    assert result.returncode == 4
    assert "a.mp4: queued again" in result.stdout
    assert "other.mp4: not in the ledger" in result.stderr
    with Ledger(home / "ledger.sqlite") as ledger:
        assert ledger.counts()[JobState.QUEUED] == 2
    (hot / "b.mp4").unlink()
    result = foley("reprocess", hot)
    assert result.returncode == 4
    assert "a.mp4: queued again" in result.stdout
    assert "b.mp4: the clip is not there any more" in result.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_watch_ends_at_once_on_a_signal(home, tmp_path, number, code):
    hot = tmp_path / "hot"
    hot.mkdir()
    command = [sys.executable, "-m", "foley_daemon", "watch", str(hot), "--home", str(home)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as daemon:
        try:
            for line in daemon.stderr:
                assert re.match(r"\d{4}-\d\d-\d\dT\S+ INFO ", line)
                if "Watching" in line:
                    break
            daemon.send_signal(number)
            started = time.monotonic()
            assert daemon.wait(15) == code
            assert time.monotonic() - started < 5
        finally:
            daemon.kill()


def test_watch_once_of_an_empty_folder_ends_by_itself(foley, tmp_path):
    (tmp_path / "hot").mkdir()
    result = foley("watch", tmp_path / "hot", "--once")
    assert result.returncode == 0, result.stderr


def test_watch_names_every_folder_that_is_wrong(foley, tmp_path):
    result = foley("watch", tmp_path / "one", tmp_path / "two")
    assert result.returncode == 3
    assert "one: no such folder" in result.stderr
    assert "two: no such folder" in result.stderr


@pytest.mark.parametrize(
    ("codes", "code"), [([], 0), ([4, 6], 4), ([6, 5, 4], 5), ([4, 3], 3), ([6, 1, 3], 1), ([0, 0], 0)]
)
def test_the_gravest_code_stands_for_all(codes, code):
    assert gravest(codes) == code


def test_names_of_any_bytes_can_be_shown():
    assert readable(os.fsdecode(b"caf\xe9\n.mp4")) == "caf\\udce9\\x0a.mp4"
    assert [span(seconds) for seconds in (-1, 59, 60, 7200, 200_000)] == [
        "0 s",
        "59 s",
        "1 min",
        "2 h",
        "2 d",
    ]


def logged(tmp_path: Path, code: str, journal: bool = False) -> str:
    """What a process of its own writes to standard error."""
    with (tmp_path / "stderr").open("w+", encoding="utf-8") as stream:
        status = os.fstat(stream.fileno())
        environment = {**os.environ, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}" if journal else ""}
        code = f"from foley_daemon import log\nfrom loguru import logger\n{code}"
        subprocess.run([sys.executable, "-c", code], stderr=stream, env=environment, check=True, timeout=60)
        stream.seek(0)
        return stream.read()


def test_log_lines_are_plain_dated_and_from_the_level_on(tmp_path):
    code = "log.set_up('warning'); logger.info('no'); logger.warning('{} is slow', '{share} <red>')"
    line = logged(tmp_path, code)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\S+ WARNING \{share\} <red> is slow\n", line)


def test_log_lines_hold_names_that_are_not_utf_8(tmp_path):
    assert logged(tmp_path, r"log.set_up('info'); logger.info('caf\udce9')").endswith("caf\\udce9\n")


def test_the_journal_gets_priorities_and_no_time(tmp_path):
    code = "log.set_up('debug'); logger.error('a'); logger.info('b')"
    assert logged(tmp_path, code, journal=True) == "<3>a\n<6>b\n"


def test_a_terminal_shows_text_as_it_is(tmp_path):
    code = (
        "import sys; from rich.console import Console\n"
        "console = Console(file=sys.stderr, force_terminal=True, width=20, color_system=None)\n"
        "log.set_up('info', terminal=console); logger.info('a [bold] name longer than the terminal.mp4')"
    )
    assert logged(tmp_path, code)[9:] == "a [bold] name longer than the terminal.mp4\n"
