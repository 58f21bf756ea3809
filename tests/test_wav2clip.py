"""CS: Wav2CLIP's published layout is read, and the score is a cosine of sound and picture."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from footage_clips import clip, photograph, sound
from typer.testing import CliRunner

from ssv2a.cli import app
from ssv2a.errors import EvaluationError, WeightsError
from ssv2a.evaluate.log_mel import mono
from ssv2a.evaluate.wav2clip import PictureScore, Wav2Clip, Wav2ClipNetwork

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file in the published layout: prefixes, the spectrogram's window and CLIP's own beside the rest."""
    torch.manual_seed(0)
    state = dict(Wav2ClipNetwork().state_dict())
    state["audio_encoder.spectrogram.window"] = torch.hann_window(512)
    state["image_encoder.visual.proj"] = torch.zeros(3)
    path = tmp_path_factory.mktemp("weights") / "Wav2CLIP.pt"
    torch.save({"epoch": 7, "state_dict": state}, path)
    return path


def test_keys_and_shapes_are_the_published_ones():
    shapes = {key: tuple(value.shape) for key, value in Wav2ClipNetwork().state_dict().items()}
    assert shapes["audio_encoder.conv1.weight"] == (64, 1, 7, 7)
    assert shapes["audio_encoder.layer2.0.downsample.0.weight"] == (128, 64, 1, 1)
    assert shapes["audio_encoder.layer4.1.bn2.running_var"] == (512,)
    assert shapes["audio_encoder.fc.weight"] == (1000, 512)
    assert shapes["audio_transform.sequential.0.weight"] == (512, 512)
    assert shapes["audio_transform.sequential.3.bias"] == (512,)


def test_a_sound_goes_through_the_spectrogram_and_the_residual_network(weights):
    """The power spectrogram by numpy and the network by torchvision's own forward pass."""
    waveform = RNG.standard_normal((2, 48_000)).astype(np.float32)
    ears = Wav2Clip(weights)
    heard = np.pad(mono(waveform), 256, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(heard, 512)[::353]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512)
    power = np.log(np.abs(np.fft.rfft(frames * hann)) ** 2 + 1e-7).T
    seen = torch.tensor((power - power.mean()) / power.std(ddof=1), dtype=torch.float32)[None, None]
    network = Wav2ClipNetwork().eval()
    network.load_state_dict(torch.load(weights, weights_only=True)["state_dict"], strict=False)
    head, network.audio_encoder.fc = network.audio_encoder.fc, torch.nn.Identity()
    with torch.inference_mode():
        wanted = network.audio_transform["sequential"](network.audio_encoder(seen))[0].numpy()
    assert head.out_features == 1000
    np.testing.assert_allclose(ears.vector(waveform), wanted / np.linalg.norm(wanted), atol=2e-5)


def test_another_file_is_refused(tmp_path, weights):
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match="state_dict"):
        Wav2Clip(tmp_path / "other.pt")
    content = torch.load(weights, weights_only=True)
    del content["state_dict"]["audio_transform.sequential.3.bias"]
    torch.save(content, tmp_path / "short.pt")
    with pytest.raises(WeightsError, match=r"sequential\.3\.bias: missing"):
        Wav2Clip(tmp_path / "short.pt")


def test_the_score_is_a_hundred_times_the_mean_cosine_over_what_is_shown(tmp_path):
    photograph("dog").save(tmp_path / "dog.jpg")
    clip(tmp_path / "car.mp4", photograph("car"), sound("car_horn", 2), 2)
    shown = []

    def sees(pictures):
        shown.append(list(pictures))
        angles = np.linspace(0, np.pi / 2, len(shown[-1]))
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    score = PictureScore(lambda _: np.array([1, 0], np.float32), sees, tmp_path)
    noise = np.zeros((1, 48_000), np.float32)
    assert score("dog", noise) == pytest.approx(100)
    assert score("car", noise) == pytest.approx(100 * np.cos(np.linspace(0, np.pi / 2, 16)).mean(), rel=1e-5)
    assert score("bird", noise) is None
    assert [len(pictures) for pictures in shown] == [1, 16]
    assert score("car", noise) is not None
    assert len(shown) == 2  # nothing is looked at twice


def test_a_folder_without_pictures_and_a_broken_clip_say_so(tmp_path):
    with pytest.raises(EvaluationError, match="no picture"):
        PictureScore(lambda s: s, lambda p: p, tmp_path)
    (tmp_path / "dog.mp4").write_text("no film")
    score = PictureScore(lambda s: s, lambda p: p, tmp_path)
    with pytest.raises(EvaluationError, match="cannot be looked at"):
        score("dog", np.zeros((1, 48_000), np.float32))


def test_a_right_caption_scores_higher_than_a_wrong_one(tmp_path):
    made = tmp_path / "made"
    made.mkdir()
    for name, key in (("dog", "dog_bark"), ("rain", "rain")):
        soundfile.write(made / f"{name}.wav", sound(key, 3).T, 48_000)

    def scores(captions):
        with (tmp_path / "captions.csv").open("w", newline="") as file:
            csv.writer(file).writerows([["name", "caption"], *captions.items()])
        arguments = ["--generated", made, "--reference", made, "--captions", tmp_path / "captions.csv"]
        done = CliRunner().invoke(app, ["evaluate", *map(str, arguments), "--out", str(tmp_path / "out")])
        assert done.exit_code == 0, done.output
        figures = json.loads((tmp_path / "out" / "evaluation.json").read_text())
        takes = [take for source in figures["sources"] for take in source["takes"]]
        return {Path(take["path"]).stem: take["caption_score"] for take in takes}

    right = scores({"dog": "a dog barks in the yard", "rain": "rain is falling"})
    wrong = scores({"dog": "rain is falling", "rain": "a dog barks in the yard"})
    assert all(right[name] > wrong[name] + 0.3 for name in right)
    assert scores({"dog": "a dog barks"})["rain"] is None


def test_the_three_options_of_cs_belong_together(tmp_path):
    arguments = ["--generated", str(tmp_path), "--reference", str(tmp_path), "--pictures", str(tmp_path)]
    done = CliRunner().invoke(app, ["evaluate", *arguments])
    assert done.exit_code == 2
