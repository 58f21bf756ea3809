"""`ssv2a train …` and `ssv2a assemble`: what is refused, when, and what a user is told meanwhile."""

import json
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from typer.testing import CliRunner

from ssv2a.cli import app
from ssv2a.errors import Ssv2aError
from ssv2a.soundbank.bank import Bank
from ssv2a.train.assemble import lay_out
from ssv2a.train.clap import SETTINGS

MINI = Path(__file__).parents[1] / "ssv2a" / "bundles" / "mini"
COLUMNS = "id,path,class,caption,seconds,split,source_package,source_file,licence,author"


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    soundfile.write(folder / "dog.wav", 0.1 * np.random.default_rng(0).standard_normal(48_000), 48_000)
    row = "dog,dog.wav,dog_bark,a dog barks,1,train,toys,dog.wav,CC0-1.0,me"
    (folder / "manifest.csv").write_text(f"{COLUMNS}\n{row}\n")
    (folder / "LICENCES.md").write_text("# Licences\n")
    return folder


@pytest.fixture
def unprepared(monkeypatch):
    """Fails where a sound is read or rendered."""
    monkeypatch.setattr("ssv2a.train.data.prepare", None)


def ssv2a(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refused(*arguments):
    """The message of a command that the library refuses."""
    answer = ssv2a(*arguments)
    assert isinstance(answer.exception, Ssv2aError), (answer.output, answer.exception)
    return str(answer.exception)


def begun(folder, **changes):
    """A run's folder with the checkpoint of a CLAP that was begun."""
    folder.mkdir(parents=True)
    torch.save({"settings": asdict(replace(SETTINGS, **changes)), "step": 1}, folder / "checkpoint.pt")


def test_assembling_asks_which_bundle():
    answer = ssv2a("assemble", "--version", "1.0.0")
    assert answer.exit_code == 2
    assert "--bundle" in answer.output


@pytest.mark.parametrize("command", [("assemble",), ("train", "all", "--data", "d", "--out", "o")])
def test_what_is_written_is_a_folder_and_no_name(command, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    answer = ssv2a(*command, "--version", "1.0.0", "--bundle", "mini")
    assert answer.exit_code == 2
    assert "mini/" in answer.output


def test_parts_that_are_not_trained_come_into_a_new_bundle_and_stay_where_they_are(tmp_path):
    new = tmp_path / "runs" / "bundle"
    lay_out(new, MINI)
    for name in ("nanodet.onnx", "heard.csv", "ssv2a.json", "licences/Apache-2.0.txt", "MODELS.md"):
        assert (new / name).read_bytes() == (MINI / name).read_bytes()
        assert (new / name).stat().st_ino != (MINI / name).stat().st_ino  # may be edited
    for name in ("bundle.json", "clap.safetensors", "ssv2a.safetensors", "clap_metrics.json", "banks"):
        assert not (new / name).exists()
    (new / "heard.csv").write_text("mine")
    (new / "scenes.csv").unlink()
    lay_out(new, MINI)
    assert (new / "heard.csv").read_text() == "mine"
    assert (new / "scenes.csv").is_file()


def test_a_bundle_of_another_make_is_not_written_over(tmp_path, data, unprepared):
    tuned = tmp_path / "tuned"
    tuned.mkdir()
    content = json.loads((MINI / "bundle.json").read_text())
    content["roles"]["ssv2a"]["files"]["weights"] = "ssv2a-tuned.safetensors"
    content["files"]["ssv2a-tuned.safetensors"] = content["files"].pop("ssv2a.safetensors")
    (tuned / "bundle.json").write_text(json.dumps(content))
    before = (tuned / "bundle.json").read_bytes()
    for command in (
        ("train", "all", "--data", data, "--out", tmp_path / "runs"),
        ("assemble", "--runs", tmp_path / "runs"),
    ):
        told = refused(*command, "--version", "1.0.0", "--bundle", tuned)
        assert str(tuned) in told
        assert "another folder" in told
    assert [path.name for path in tuned.iterdir()] == ["bundle.json"]
    assert (tuned / "bundle.json").read_bytes() == before


def test_another_seed_is_refused_before_anything_is_prepared(tmp_path, data, unprepared):
    begun(tmp_path / "runs" / "clap")
    told = refused(
        "train", "clap", "--data", data, "--out", tmp_path / "runs" / "clap", "--resume", "--seed", 1
    )
    assert "seed 0, not 1" in told
    assert "{" not in told
    everything = ("train", "all", "--data", data, "--out", tmp_path / "runs", "--version", "1.0.0")
    assert "seed 0, not 1" in refused(*everything, "--resume", "--seed", 1)
    assert "already holds a run" in refused(*everything)
    (tmp_path / "runs" / "clap" / "metrics.json").write_text('{"step": 1800}')  # finished
    assert "seed 0, not 1" in refused(*everything, "--resume", "--seed", 1)


def test_everything_is_checked_before_anything_is_prepared(tmp_path, data, unprepared):
    def all_of(**options):
        flags = [part for name, value in options.items() for part in (f"--{name}", value)]
        out = tmp_path / "runs"
        return refused("train", "all", "--data", data, "--out", out, "--version", "1.0.0", *flags)

    assert "minilm_l6_v2_int8.onnx" in refused(
        *("train", "clap", "--data", data, "--out", tmp_path / "run", "--bundle", f"{tmp_path}/")
    )
    assert "'warp'" in all_of(device="warp")
    broken = tmp_path / "broken"
    lay_out(broken, MINI)
    (broken / "heard.csv").write_text("a,b\n")
    assert "heard.csv" in all_of(bundle=broken)
    shutil.copyfile(MINI / "heard.csv", broken / "heard.csv")
    (broken / "ssv2a.json").write_text("{")
    assert "ssv2a.json" in all_of(bundle=broken)
    (data / "LICENCES.md").unlink()
    assert "LICENCES.md" in all_of()
    (data / "manifest.csv").write_text(f"{COLUMNS}\nx,x.wav,spaceship,a,1,train,p,x.wav,MIT,me\n")
    assert "spaceship" in all_of()


def test_a_wrong_file_of_vectors_is_named_itself(tmp_path):
    for network in ("manifold", "aggregator"):
        told = refused("train", network, "--vectors", tmp_path / "nosuch.npz", "--out", tmp_path / "run")
        assert "nosuch.npz" in told
        assert "install" not in told


def test_vectors_without_their_clap_say_where_it_is_looked_for(tmp_path):
    np.savez(
        tmp_path / "v.npz",
        **{name: np.array(["a"]) for name in ("sounds", "splits", "captions", "ids")},
        clap=np.zeros((1, 256), np.float32),
    )
    told = refused("train", "manifold", "--vectors", tmp_path / "v.npz", "--out", tmp_path / "run")
    assert str(tmp_path / "clap.safetensors") in told
    assert "beside" in told


def test_rendering_is_told_kept_in_one_place_and_ends_at_once_with_ctrl_c(tmp_path, data):
    command = [sys.executable, "-c", "from ssv2a.cli import main; main()", "train", "clap"]
    arguments = ["--data", data, "--out", tmp_path / "runs" / "clap", "--cache", tmp_path / "kept"]
    with subprocess.Popen([*command, *map(str, arguments)], stderr=subprocess.PIPE, text=True) as process:
        first = process.stderr.readline()
        assert " 1 of 1681: dog.wav" in first
        while len(list((tmp_path / "kept").glob("*.npy"))) < 4:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        assert process.wait(timeout=30) == 130
        assert time.monotonic() - started < 5
    assert not list((tmp_path / "kept").glob("*.part"))


def test_the_models_of_the_count_above_are_all_there_are():
    assert 1 + 15 * sum(bool(entry.model) for entry in Bank.open(MINI / "banks" / "default").entries) == 1681
