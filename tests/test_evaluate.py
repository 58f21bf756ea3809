import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from ssv2a.cli import app
from ssv2a.errors import EvaluationError
from ssv2a.evaluate.evaluation import (
    Evaluation,
    Evaluator,
    SourceFigures,
    TakeFigures,
    five_seconds,
    label_match,
    listed,
    match_files,
    read_accepted,
    read_labels,
)
from ssv2a.evaluate.frechet import Gaussian, Unit, extrapolated_distance, frechet_distance, set_distance
from ssv2a.evaluate.log_mel import mel_bands
from ssv2a.evaluate.report import write_page
from ssv2a.evaluate.tagger import is_heard
from ssv2a.evaluate.vggish import Vggish, VggishNetwork
from ssv2a.mel_picture import mel_picture
from ssv2a.soundbank.models import all_models
from ssv2a.train.data import render_draw

RNG = np.random.default_rng(0)


def gaussian(mean, covariance):
    """Of a symmetric covariance without negative eigenvalues."""
    values, vectors = np.linalg.eigh(np.array(covariance, float))
    return Gaussian(np.array(mean, float), np.sqrt(values.clip(0))[:, None] * vectors.T)


# Fréchet distance: closed forms


def test_equal_covariances_leave_the_distance_of_the_means():
    spread = RNG.standard_normal((4, 4))
    spread = spread @ spread.T
    found = frechet_distance(gaussian([0, 0, 0, 0], spread), gaussian([1, 2, 0, 2], spread))
    assert found == pytest.approx(9)


@given(st.lists(st.tuples(st.floats(0, 9), st.floats(0, 9)), min_size=1, max_size=6))
@settings(max_examples=50, deadline=None)
def test_commuting_covariances_have_a_distance_of_deviations(variances):
    first, second = (np.diag([pair[side] for pair in variances]) for side in (0, 1))
    zero = np.zeros(len(variances))
    wanted = sum((a**0.5 - b**0.5) ** 2 for a, b in variances)
    assert frechet_distance(gaussian(zero, first), gaussian(zero, second)) == pytest.approx(wanted, abs=1e-6)


def test_two_dimensions_by_the_formula_with_traces_and_determinants():
    first, second = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([[1.0, -0.3], [-0.3, 3.0]])
    root = np.sqrt(np.trace(first @ second) + 2 * np.sqrt(np.linalg.det(first) * np.linalg.det(second)))
    wanted = 1 + np.trace(first) + np.trace(second) - 2 * root
    assert frechet_distance(gaussian([0, 1], first), gaussian([0, 0], second)) == pytest.approx(wanted)


def test_rotating_both_sets_changes_nothing_and_a_set_is_no_distance_from_itself():
    first, second = RNG.standard_normal((50, 8)), RNG.standard_normal((40, 8)) * 2 + 1
    turn = np.linalg.qr(RNG.standard_normal((8, 8)))[0]
    plain = frechet_distance(Gaussian.of(first), Gaussian.of(second))
    turned = frechet_distance(Gaussian.of(first @ turn), Gaussian.of(second @ turn))
    assert turned == pytest.approx(plain)
    assert frechet_distance(Gaussian.of(first), Gaussian.of(first)) == pytest.approx(0, abs=1e-9)


def test_fewer_vectors_than_dimensions_are_no_trouble_and_one_is_too_few():
    few = RNG.standard_normal((3, 64))
    assert frechet_distance(Gaussian.of(few), Gaussian.of(few + 1)) == pytest.approx(64)
    with pytest.raises(EvaluationError, match="at least two"):
        Gaussian.of(few[:1])


def test_the_extrapolated_distance_takes_off_what_few_sounds_add():
    """Both sides come from one distribution: the truth is 0."""
    spectrum = np.exp(-np.arange(32) / 5)
    units = [Unit(*RNG.standard_normal((2, 1, 32)) * spectrum) for _ in range(160)]
    plain = set_distance(units)
    found = extrapolated_distance(units, np.random.default_rng(1))
    assert plain > 0.05
    assert abs(found.value) < 0.3 * plain
    assert found.reliable
    few = extrapolated_distance(units[:16], np.random.default_rng(1))
    assert not few.reliable


# Labels


def test_labels_are_compared_as_sets():
    match = label_match(("Dog", "Bark", "Animal", "Speech"), ("Bark", "Dog", "Wind"))
    assert (match.precision, match.recall) == (pytest.approx(2 / 3), pytest.approx(1 / 2))
    assert match.f1 == pytest.approx(4 / 7)
    assert label_match(("Dog",), ("Rain",)).f1 == 0


def test_heard_means_the_whole_name():
    assert is_heard(("Dog", "Bark"), ("bark",))
    assert not is_heard(("Hot dog stand",), ("Dog",))


def test_every_mel_band_hears_something_and_nothing_at_the_bottom():
    bands = mel_bands()
    assert bands.shape == (257, 64)
    assert (bands.sum(axis=0) > 0).all()
    assert (bands[0] == 0).all()


# Files


@pytest.fixture
def folders(tmp_path):
    """Two sources with two takes each; those of the dog are dogs, one of the siren is rain."""
    made, wanted = tmp_path / "made", tmp_path / "wanted"
    made.mkdir()
    wanted.mkdir()
    models = all_models()

    def write(path, name, draw):
        soundfile.write(path, render_draw(models[name], draw, 3.0).T, 48_000)

    write(wanted / "dog.flac", "mammal.dog", 0)
    write(wanted / "siren.flac", "signal.siren", 0)
    write(made / "dog.s0.wav", "mammal.dog", 1)
    write(made / "dog.s1.wav", "mammal.dog", 2)
    write(made / "siren.s0.wav", "signal.siren", 1)
    write(made / "siren.s1.wav", "weather.rain", 1)
    return made, wanted


def test_takes_and_references_find_each_other_by_name(folders):
    made, wanted = folders
    dog, siren = match_files(made, wanted)
    assert (dog.name, dog.reference.name) == ("dog", "dog.flac")
    assert [path.name for path in siren.takes] == ["siren.s0.wav", "siren.s1.wav"]
    (wanted / "dog.wav").write_bytes((made / "dog.s0.wav").read_bytes())
    with pytest.raises(EvaluationError, match="second reference"):
        match_files(made, wanted)
    with pytest.raises(EvaluationError, match="called after"):
        match_files(made, made)


def test_a_wrong_take_scores_lower_and_what_cannot_be_read_is_said(folders, tmp_path):
    made, wanted = folders
    (made / "dog.s2.wav").write_bytes(b"no sound")
    (tmp_path / "accepted.csv").write_text("name,accepted\ndog,Bark|Dog\nsiren,Siren\n")
    out = tmp_path / "out"
    arguments = [
        "--generated",
        made,
        "--reference",
        wanted,
        "--out",
        out,
        "--labels",
        tmp_path / "labels.csv",
    ]
    arguments += ["--accepted", tmp_path / "accepted.csv"]
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "label", "score"])
        for name in ("dog.flac", "dog.s0.wav", "dog.s1.wav"):
            table.writerows([[name, "Dog", 0.9], [name, "Bark", 0.8]])
        for name in ("siren.flac", "siren.s0.wav"):
            table.writerow([name, "Siren", 0.9])
        table.writerow(["siren.s1.wav", "Rain", 0.9])
    done = CliRunner().invoke(app, ["evaluate", *map(str, arguments)])
    assert done.exit_code == 1, done.output  # one file could not be read
    assert "dog.s2.wav" in done.output
    figures = json.loads((out / "evaluation.json").read_text())
    takes = {Path(take["path"]).name: take for source in figures["sources"] for take in source["takes"]}
    assert takes["siren.s1.wav"]["clap_score"] < takes["siren.s0.wav"]["clap_score"] - 0.3
    assert [takes[f"siren.s{n}.wav"]["heard"] for n in (0, 1)] == [True, False]
    assert figures["heard"] == pytest.approx(3 / 4)
    assert figures["match"]["precision"] == pytest.approx(3 / 4)
    assert figures["diversity_of_sources"] > figures["sources"][0]["diversity"]
    page = (out / "evaluation.html").read_text()
    assert "../made/dog.s0.wav" in page
    assert "http" not in page.replace("http-equiv", "")


def test_the_page_sorts_a_score_of_nothing_above_none(tmp_path):
    def take(name, score):
        return TakeFigures(tmp_path / name, score, (), None, None, score, score)

    takes = (take("none.wav", None), take("naught.wav", 0.0), take("below.wav", -0.5))
    source = SourceFigures("dog", None, (), takes, None)
    evaluation = Evaluation((source,), "test", *(None,) * 7)
    write_page(evaluation, tmp_path / "page.html", lambda _: np.zeros((1, 48_000), np.float32))
    found = re.findall(r"data-v='([^']+)'", (tmp_path / "page.html").read_text())
    columns = np.array([float(value) for value in found]).reshape(3, 4)
    for column in (0, 2, 3):
        none, naught, below = columns[:, column]
        assert (naught, below) == (0.0, -0.5)
        assert none < below


def test_silence_is_black_in_pictures_and_the_loudest_is_white():
    silence = mel_picture(np.zeros((1, 48_000), np.float32), 70)
    noise = mel_picture(RNG.standard_normal((2, 48_000)).astype(np.float32), 70)
    assert silence.shape[0] == noise.shape[0] == 64
    assert silence.max() == 0
    assert noise.max() == 255


def test_the_distance_of_the_sets_grows_with_what_is_wrong(folders):
    made, wanted = folders

    def listen(sounds):
        return np.stack([[np.abs(s).mean(), s.std(), np.abs(np.diff(s)).mean(), s.max()] for s in sounds])

    def distance(generated, reference):
        evaluator = Evaluator(listen, five_seconds(listen), "test")
        for source in match_files(generated, reference):
            evaluator.add(source)
        return evaluator.result().distance

    right = distance(wanted, wanted)
    assert right == pytest.approx(0, abs=1e-9)
    assert distance(made, wanted) > right


def test_tables_that_are_none_are_refused(tmp_path):
    bad = tmp_path / "bad.csv"
    bad.write_text("name,labels\ndog,Bark\n")
    for read in (read_accepted, read_labels):
        with pytest.raises(EvaluationError, match="columns"):
            read(bad)
    bad.write_text("file,label,score\na.wav,Dog,high\n")
    with pytest.raises(EvaluationError, match="no number"):
        read_labels(bad)
    with pytest.raises(EvaluationError, match="not in the table"):
        listed({})(Path("a.wav"), np.zeros((1, 1), np.float32))


def test_vggish_reads_the_layout_of_the_published_file(tmp_path):
    torch.manual_seed(0)
    network = VggishNetwork()
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    assert shapes["features.0.weight"] == (64, 1, 3, 3)
    assert shapes["features.13.weight"] == (512, 512, 3, 3)
    assert shapes["embeddings.0.weight"] == (4096, 12288)
    assert shapes["embeddings.4.weight"] == (128, 4096)
    torch.save(network.state_dict(), tmp_path / "vggish.pth")
    vectors = Vggish(tmp_path / "vggish.pth").windows(RNG.standard_normal((2, 3 * 48_000)).astype(np.float32))
    assert vectors.shape == (3, 128)
