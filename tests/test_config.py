"""The daemon's configuration file."""

import re
from pathlib import Path

import pytest

from foley_daemon import schema_docs
from foley_daemon.config import Config, load_config
from foley_daemon.errors import ConfigError


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def faults(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    return [fault.replace(f"{path}:", "") for fault in caught.value.faults]


def test_defaults(tmp_path, monkeypatch):
    monkeypatch.setenv("FOLEY_HOME", str(tmp_path / "home"))
    config = load_config(write(tmp_path / "c.yaml", ""))
    assert config == Config()
    assert (config.sweep_seconds, config.log.level) == (300.0, "info")
    assert config.state_folder == tmp_path / "home"


def test_state_follows_the_xdg_directories(tmp_path, monkeypatch):
    monkeypatch.delenv("FOLEY_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", "relative/is/ignored")
    assert Config().state_folder == tmp_path / ".local/state/foley-daemon"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert Config().state_folder == tmp_path / "state" / "foley-daemon"


def test_paths_are_relative_to_the_file(tmp_path):
    text = (
        "folders:\n  - path: in\n    profile: ./own.yaml\n  - {path: /srv/x, profile: dialogue}\nstate: st\n"
    )
    config = load_config(write(tmp_path / "c.yaml", text))
    assert [folder.folder for folder in config.folders] == [tmp_path / "in", Path("/srv/x")]
    assert [folder.profile for folder in config.folders] == [str(tmp_path / "own.yaml"), "dialogue"]
    assert config.state_folder == tmp_path / "st"


def test_a_folders_profile_is_read_anew_each_time(tmp_path):
    (tmp_path / "in").mkdir()
    own = write(tmp_path / "own.yaml", "mix: {level: -9}\n")
    config = load_config(write(tmp_path / "c.yaml", "folders: [{path: in, profile: ./own.yaml}]\n"))
    assert config.folders[0].current_profile().mix.level == -9
    write(own, "mix: {level: -3}\n")
    assert config.folders[0].current_profile().mix.level == -3


def test_every_fault_at_once(tmp_path):
    text = (
        "folders:\n"
        "  - path: a\n"
        "  - path: a/b\n"  # 3
        "  - profile: dialogue\n"  # 4
        "  - path: /\n"  # 5
        "sweep_secs: 5\n"  # 6
        "free_space: lots\n"  # 7
        "log:\n"
        "  level: verbose\n"  # 9
    )
    found = faults(write(tmp_path / "c.yaml", text))
    assert [re.match(r"(\d+: [\w.]+)", fault)[1] for fault in found] == [
        "4: folders.2.path",
        "5: folders.3.path",
        "6: sweep_secs",
        "7: free_space",
        "9: log.level",
    ]
    assert "is missing" in found[0]
    assert "did you mean `sweep_seconds`?" in found[2]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("folders:\n  - path: a\n  - path: ./a/\n", 3),
        ("folders:\n  - path: a/b\n  - path: a\n", 2),
        ("folders:\n  - path: a\nstate: a/.state\n", 3),
    ],
)
def test_folders_that_overlap_are_refused(tmp_path, text, line):
    found = faults(write(tmp_path / "c.yaml", text))
    assert len(found) == 1
    assert found[0].startswith(f"{line}: ")


def test_a_single_path_instead_of_a_list_is_explained(tmp_path):
    found = faults(write(tmp_path / "c.yaml", "folders: /srv/in\n"))
    assert "expected a list of `- path: …` entries, got /srv/in" in found[0]


def test_the_documentations_example_is_valid(tmp_path):
    (block,) = re.findall(r"```yaml\n(.*?)```", schema_docs.configuration_page(), re.DOTALL)
    assert len(load_config(write(tmp_path / "c.yaml", block)).folders) == 2
