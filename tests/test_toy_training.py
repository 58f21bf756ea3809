"""From a folder of recordings to a bundle that loads: `ssv2a train all`, at toy size."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from ssv2a.cli import app
from ssv2a.pipeline import Ssv2a
from ssv2a.soundbank.models import all_models
from ssv2a.train.data import render_draw
from ssv2a.types import SAMPLE_RATE, Composition, VideoSettings

MINI = Path(__file__).parents[1] / "ssv2a" / "bundles" / "mini"
FEW = ("mammal.dog", "mammal.cow", "weather.rain", "signal.siren", "machine.room")
COLUMNS = (
    "id",
    "path",
    "class",
    "caption",
    "seconds",
    "split",
    "source_package",
    "source_file",
    "licence",
    "author",
)


@pytest.fixture
def few(monkeypatch):
    models = {name: model for name, model in all_models().items() if name in FEW}
    monkeypatch.setattr("ssv2a.soundbank.models.all_models", lambda: models)
    return models


@pytest.fixture
def data(tmp_path, few):
    """Renders of the models as if they were recordings."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "LICENCES.md").write_text("# Licences\n\n## toys 1.0\n\nMade by the test.\n")
    with (folder / "manifest.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        for name, model in few.items():
            for draw in range(40, 44):
                path = folder / f"{name}-{draw}.wav"
                soundfile.write(path, render_draw(model, draw, 3.0).T, SAMPLE_RATE)
                table.writerow(
                    {
                        "id": path.stem.replace(".", "_"),
                        "path": path.name,
                        "class": model.sound,
                        "caption": f"{model.sound} {draw}",
                        "seconds": 3.0,
                        "licence": "CC0-1.0",
                        "split": "val" if draw == 43 else "train",
                        "source_package": "toys 1.0",
                        "source_file": path.name,
                        "author": "test",
                    }
                )
    return folder


def train(*arguments):
    done = CliRunner().invoke(app, ["train", *map(str, arguments)])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_from_recordings_to_a_bundle_that_sounds(data, tmp_path, monkeypatch):
    runs = tmp_path / "runs"
    bundle = runs / "bundle"
    installed = contents(MINI)
    command = "all", "--data", data, "--out", runs, "--version", "9.9.9", "--steps", 300
    told = train(*command)
    assert f"{bundle}/" in told

    # 1. The losses fall, and what was learned is new.
    history = json.loads((runs / "clap" / "history.json").read_text())
    assert history[-1]["loss"] < history[0]["loss"]
    assert history[-1]["models R@1"] > 0.5
    assert (runs / "clap" / "curves.png").stat().st_size > 5_000
    for network in ("manifold", "remixer", "aggregator"):
        assert np.isfinite(json.loads((runs / network / "metrics.json").read_text())["loss"])

    # 2. The bundle loads, and a dog is a dog.
    model = Ssv2a.load(f"{bundle}/", device="cpu", threads=1)
    assert "9.9.9" in model.bundle_id
    settings = VideoSettings(var_samples=8, cycle_its=4, cycle_samples=8, candidates=1)
    take = model.compose(Composition(texts=("a dog barking",)), 3 * SAMPLE_RATE, seed=0, settings=settings)
    assert [pick.sound for pick in take.picks if pick.track is not None] == ["dog_bark"]

    # 3. The bundle that is installed is as it was.
    assert contents(MINI) == installed
    assert (bundle / "clap.safetensors").read_bytes() != (MINI / "clap.safetensors").read_bytes()

    # 4. Finished runs are passed over, and another run renders nothing anew.
    assert train(*command, "--resume").count("finished before") == 4
    monkeypatch.setattr("ssv2a.train.data.mel_power", None)
    train("clap", "--data", data, "--out", tmp_path / "clap", "--cache", runs / "sounds", "--steps", 1)


@pytest.mark.slow
def test_a_seed_makes_the_same_weights_also_when_it_is_stopped_and_resumed(data, tmp_path):
    def clap(name, *options):
        train("clap", "--data", data, "--out", tmp_path / name, "--steps", 40, *options)
        return (tmp_path / name / "clap.safetensors").read_bytes()

    whole = clap("whole")
    assert clap("again") == whole
    assert clap("other", "--seed", 1) != whole
    clap("parts", "--seconds-budget", 3)
    assert clap("parts", "--resume") == whole
