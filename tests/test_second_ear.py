"""The second ear: features of aiSFX's layout with generated weights, and the probe on data of known truth."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from ssv2a.errors import EvaluationError
from ssv2a.evaluate import second_ear
from ssv2a.evaluate.aisfx import FEATURES, AiSfx, AiSfxNetwork, log_mel_44k
from ssv2a.evaluate.second_ear import fit, shares
from ssv2a.soundbank.models import all_models
from ssv2a.train.data import render_draw
from ssv2a.types import SAMPLE_RATE


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    """As the authors write it: weights, heads among them, and numbers of classes that numpy counted."""
    torch.manual_seed(3)
    weights = {f"embedding_net.{key}": value for key, value in AiSfxNetwork().state_dict().items()}
    path = tmp_path_factory.mktemp("aisfx") / "checkpoint.pth"
    torch.save((weights | {"fc.0.0.weight": torch.zeros(3, 4)}, {"library": (0, np.int64(78))}), path)
    return path


def test_features_hear_no_level_and_repeat_what_is_short(checkpoint):
    ear = AiSfx(checkpoint)
    noise = np.random.default_rng(1).normal(0, 0.1, (2, 5 * SAMPLE_RATE)).astype(np.float32)
    heard = ear.features(noise)
    assert heard.shape == (3, FEATURES)  # 216 frames: blocks of 100, every 50
    np.testing.assert_allclose(ear.features(noise * np.float32(0.01)), heard, rtol=1e-3, atol=1e-3)
    assert ear.features(noise[:, :4800]).shape == (1, FEATURES)
    assert ear.features(np.zeros((1, 10), np.float32)).shape == (1, FEATURES)


def test_a_tone_is_loudest_in_its_own_band_whatever_its_level():
    time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    for hertz in (300.0, 2000.0, 9000.0):
        mel = log_mel_44k(np.float32(0.02 * np.sin(2 * np.pi * hertz * time))[None])
        assert mel.shape == (1 + 88_200 // 1024, 96)
        edges = 2595 / 97 * np.log10(1 + 22_050 / 700) * np.arange(98)  # of HTK's mel
        centres = 700 * (10 ** (edges[1:-1] / 2595) - 1)
        assert abs(centres[np.argmax(mel[40])] / hertz - 1) < 0.06
    low = log_mel_44k(np.float32(0.02 * np.sin(2 * np.pi * 300.0 * time))[None])[40].max()
    peak = (0.5 * 0.5 * np.hanning(2048).sum()) ** 2  # power of a tone of amplitude 0.5 in its bin
    assert 0.3 * peak < (10 ** (low * 9.457798957824707) - 1) / 1e4 < peak  # a band of two bins or so


@pytest.mark.parametrize("sound", [np.zeros((1, 0)), np.full((1, 480), np.nan), np.zeros(480)])
def test_what_is_no_sound_is_refused(checkpoint, sound):
    with pytest.raises(EvaluationError):
        AiSfx(checkpoint).features(np.float32(sound))


@pytest.mark.parametrize("content", [b"", b"no network", 3, None, {"weights": 1}, (torch.zeros(2), {})])
def test_another_file_is_refused_by_name(tmp_path, content):
    path = tmp_path / "checkpoint.pth"
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    with pytest.raises(EvaluationError, match=r"checkpoint\.pth: not the checkpoint of aiSFX"):
        AiSfx(path)


def test_a_checkpoint_that_would_run_a_program_does_not(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save((Trap(), {}), tmp_path / "checkpoint.pth")
    with pytest.raises(EvaluationError):
        AiSfx(tmp_path / "checkpoint.pth")
    assert not (tmp_path / "ran").exists()


def test_a_probe_ranks_what_lies_where_its_kind_lies_first():
    rng = np.random.default_rng(5)
    centres = {"bell": [4.0, 0, 0], "rain": [0, 4.0, 0], "wind": [0, 3.0, 3.0]}
    labels = [kind for kind, count in (("bell", 40), ("rain", 40), ("wind", 5)) for _ in range(count)]
    rows = np.float32([rng.normal(centres[kind], 0.5) for kind in labels])
    probe = fit(rows, labels)
    for kind, centre in centres.items():
        assert probe.rank(np.float32([centre, centre]), kind) == 1
    assert probe.rank(np.float32([centres["wind"]]), "bell") == 3
    again = fit(rows, labels)
    assert np.array_equal(again.weights, probe.weights)


def test_every_kind_counts_the_same():
    assert shares({"bell": [1, 1, 1, 1], "rain": [4], "wind": [2, 9]}) == pytest.approx((1 / 3, 1 / 2, 5 / 6))


def test_models_are_asked_for_beside_recordings(tmp_path, checkpoint, capsys):
    kinds = ("bell", "rain")
    columns = ("id", "path", "class", "caption", "seconds", "split")
    with (tmp_path / "manifest.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow([*columns, "source_package", "source_file", "licence", "author"])
        for model in [model for model in all_models().values() if model.sound in kinds]:
            for draw in range(6):
                name = f"{model.name}-{draw}.wav"
                soundfile.write(tmp_path / name, render_draw(model, draw, 2.0).T, SAMPLE_RATE)
                split = "val" if draw > 4 else "train"
                rows.writerow([name, name, model.sound, model.sound, 2, split, "ours", name, "CC0-1.0", ""])
    second_ear.main([str(checkpoint), str(tmp_path)])
    said = capsys.readouterr().out
    assert "rank of the right kind, of 2" in said
    for kind in kinds:  # a recording, and four draws of the one model that there is
        assert re.search(rf"│ {kind} +│ [12] +│ [12](, [12]){{3}} +│", said)
    assert re.search(r"│ models +│ 2 +│", said)


def test_a_data_set_that_holds_nothing_out_has_no_figure_for_it(capsys):
    probe = fit(np.eye(8, dtype=np.float32), ["bell", "rain"] * 4)
    second_ear._print(probe, {"recordings held out": {}, "models": {"bell": [1, 2]}})
    said = capsys.readouterr().out
    assert re.search(r"│ recordings held out +│ 0 +│ none +│ none", said)
    assert re.search(r"│ models +│ 1 +│ 50 %", said)


def test_too_few_recordings_are_told(tmp_path, checkpoint):
    columns = "id,path,class,caption,seconds,split,source_package,source_file,licence,author"
    (tmp_path / "manifest.csv").write_text(columns)
    with pytest.raises(EvaluationError, match="0 kinds of sound have 4 recordings"):
        second_ear.main([str(checkpoint), str(tmp_path)])
