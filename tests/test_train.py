"""Training: the loop resumes exactly, the CLAP learns, the data is what the manifest says."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loguru import logger
from torch import nn

from ssv2a.embed.clap import MELS, MiniClap, mel_power
from ssv2a.errors import TrainingError
from ssv2a.soundbank.build import usable
from ssv2a.soundbank.model import SoundModel
from ssv2a.soundbank.vocabulary import vocabulary
from ssv2a.train.clap import ClapSettings, ClapTask, augment, contrast, mixing_gains, train_clap
from ssv2a.train.data import (
    Recording,
    TrainingSound,
    prepare,
    read_manifest,
    render_draw,
    sound_of,
)
from ssv2a.train.loop import CHECKPOINT, CURVES, HISTORY, LoopSettings, RunOptions, learning_rate, run
from ssv2a.train.plots import figure
from ssv2a.train.vectors import embed_sounds, read_vectors, write_vectors


@pytest.fixture
def said():
    """What is logged for users to read."""
    lines: list[str] = []
    sink = logger.add(lambda message: lines.append(str(message)), level="INFO", format="{message}")
    yield lines
    logger.remove(sink)


# The loop


class Line:
    """Learn y = sum(x) with a little network that has dropout and batch statistics."""

    name = "line"

    def __init__(self, fail_at=None):
        torch.manual_seed(7)
        self.network = nn.Sequential(
            nn.Linear(4, 16), nn.BatchNorm1d(16), nn.GELU(), nn.Dropout(0.1), nn.Linear(16, 1)
        )
        self.fail_at = fail_at
        self.calls = 0

    def losses(self, network, draws):
        self.calls += 1
        x = torch.from_numpy(draws.numpy.standard_normal((32, 4)).astype(np.float32))
        x = x + 0.01 * torch.randn(x.shape, generator=draws.torch)
        error = (network(x) - x.sum(dim=1, keepdim=True)).square().mean()
        return {"mse": error * (np.nan if self.calls == self.fail_at else 1)}

    def validate(self, network):
        x = torch.linspace(-1, 1, 40).reshape(10, 4)
        return {"error": float((network(x) - x.sum(dim=1, keepdim=True)).abs().mean())}


SHORT = LoopSettings(steps=60, learning_rate=1e-2, warmup=5, validate_every=20)


def weights(task):
    return torch.cat([value.flatten().double() for value in task.network.state_dict().values()])


def test_a_resumed_run_ends_where_an_unbroken_one_does(tmp_path):
    whole, broken = Line(), Line()
    unbroken = run(whole, tmp_path / "whole", SHORT)
    stopped = run(broken, tmp_path / "broken", SHORT, RunOptions(seconds_budget=0.0))
    assert (stopped.step, stopped.finished) == (1, False)
    again = Line()
    resumed = run(again, tmp_path / "broken", SHORT, RunOptions(resume=True))
    assert resumed.finished
    assert torch.equal(weights(again), weights(whole))
    assert untimed(resumed.history) == untimed(unbroken.history)


def untimed(history):
    return [{name: figure for name, figure in row.items() if name != "seconds"} for row in history]


class Judged(Line):
    """The smaller the error, the better."""

    def validate(self, network):
        return {"score": -super().validate(network)["error"]}


def test_a_judged_run_stopped_at_every_step_validates_and_ends_as_an_unbroken_one(tmp_path):
    short, whole = replace(SHORT, steps=24, validate_every=8), Judged()
    unbroken = run(whole, tmp_path / "whole", short, judge="score", patience=2)
    options = RunOptions(resume=True, seconds_budget=0.0)
    for _ in range(short.steps):
        parts = Judged()
        outcome = run(parts, tmp_path / "parts", short, options, judge="score", patience=2)
        if outcome.finished:
            break
    assert untimed(outcome.history) == untimed(unbroken.history)
    assert (outcome.step, outcome.best_step) == (unbroken.step, unbroken.best_step)
    assert torch.equal(weights(parts), weights(whole))


def test_a_run_stopped_before_its_first_validation_can_be_gone_on_with(tmp_path):
    stopped = run(Line(), tmp_path, SHORT, RunOptions(seconds_budget=0.0))
    assert stopped.history == ()
    assert json.loads((tmp_path / HISTORY).read_text()) == []
    assert (tmp_path / CHECKPOINT).is_file()


def test_a_run_learns_and_leaves_its_records(tmp_path):
    outcome = run(Line(), tmp_path, replace(SHORT, steps=200))
    assert outcome.history[-1]["error"] < 0.5 * outcome.history[0]["error"]
    assert [row["step"] for row in outcome.history] == list(range(20, 201, 20))
    assert json.loads((tmp_path / HISTORY).read_text()) == list(outcome.history)
    assert (tmp_path / CURVES).read_bytes().startswith(b"\x89PNG")


def test_the_first_loss_and_every_validation_are_told(tmp_path, said):
    run(Line(), tmp_path, SHORT)
    steps = [re.match(r"line: step (\d+) of 60: loss \d", line) for line in said]
    assert [int(step[1]) for step in steps] == [1, 20, 40, 60]
    assert ["error " in line for line in said] == [False, True, True, True]


@pytest.mark.parametrize("steps", [[150], [150, 300, 450]])
def test_curves_are_readable_from_the_first_validation_on(steps):
    rows = [{"step": step, "seconds": 9.0, "loss": 4.25 - step / 300, "R@1": 0.5} for step in steps]
    loss, share = figure(rows).axes
    assert loss.get_title() == f"loss: {rows[-1]['loss']:.3g}"
    assert share.get_title() == "R@1: 0.5"
    for panel in (loss, share):
        ticks = [tick for tick in panel.get_xticks() if 0 <= tick <= steps[-1]]
        assert ticks == [0, *steps]
        assert all(tick == round(tick) for tick in ticks)
        assert panel.get_xlim()[0] <= 0
        low, high = panel.get_ylim()
        assert low < panel.lines[0].get_ydata()[-1] < high
    assert share.get_ylim()[1] - share.get_ylim()[0] >= 0.1  # a steady figure is no cliff


def test_another_seed_is_another_run(tmp_path):
    one, other = Line(), Line()
    run(one, tmp_path / "one", SHORT)
    run(other, tmp_path / "other", replace(SHORT, seed=1))
    assert not torch.equal(weights(one), weights(other))


def test_a_run_is_not_overwritten_nor_mixed_with_another(tmp_path):
    run(Line(), tmp_path, SHORT)
    with pytest.raises(TrainingError, match="already holds a run"):
        run(Line(), tmp_path, SHORT)
    with pytest.raises(TrainingError, match=r"steps 60, not 70\b.*settings it began with"):
        run(Line(), tmp_path, replace(SHORT, steps=70), RunOptions(resume=True))
    stranger = Line()
    stranger.network = nn.Linear(2, 2)
    with pytest.raises(TrainingError, match="another network"):
        run(stranger, tmp_path, SHORT, RunOptions(resume=True))


def test_a_loss_that_is_not_finite_ends_the_run(tmp_path):
    with pytest.raises(TrainingError, match="step 2 is not finite"):
        run(Line(fail_at=3), tmp_path, SHORT)
    assert not (tmp_path / CHECKPOINT).exists()


def test_the_rate_warms_up_and_ends_at_zero():
    settings = LoopSettings(steps=100, learning_rate=1.0, warmup=10)
    rates = [learning_rate(step, settings) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[10] == 1.0
    assert rates[55] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0, abs=1e-12)


# Losses and augmentation


def test_contrast_is_zero_for_sure_pairs_and_log_n_for_unsure_ones():
    pairs = torch.eye(5)
    assert contrast(pairs, pairs, torch.tensor(100.0).log()).item() == pytest.approx(0, abs=1e-5)
    same = torch.ones(5, 5) / 5**0.5
    assert contrast(same, same, torch.tensor(1.0).log()).item() == pytest.approx(np.log(5), abs=1e-5)
    capped = contrast(pairs[:, [1, 0, 2, 3, 4]], pairs, torch.tensor(20.0))
    assert capped.item() == pytest.approx(15 * 2 / 5, abs=1e-3)  # the scale stops at 15


@settings(max_examples=30, deadline=None)
@given(sounds=st.integers(2, 20), mixtures=st.integers(1, 10), seed=st.integers(0, 2**32))
def test_mixtures_have_two_or_three_parts_of_unit_power(sounds, mixtures, seed):
    gains = mixing_gains(sounds, mixtures, np.random.default_rng(seed))
    parts = (gains > 0).sum(axis=1)
    assert set(parts) <= {2, min(3, sounds)}
    np.testing.assert_allclose(np.square(gains).sum(axis=1), 1, atol=1e-5)
    for row in gains:
        assert row[row > 0].max() / row[row > 0].min() <= 10 ** (12 / 20) + 1e-3


@settings(max_examples=40, deadline=None)
@given(length=st.integers(2, 400), frames=st.integers(20, 200), seed=st.integers(0, 2**32))
def test_augmented_sounds_have_their_size_and_power(length, frames, seed):
    rng = np.random.default_rng(seed)
    power = rng.exponential(1, (MELS, length)).astype(np.float32)
    varied = augment(power, frames, rng)
    assert varied.shape == (MELS, frames)
    assert np.isfinite(varied).all()
    assert varied.min() >= 0
    assert 0.3 < varied.mean() <= 1.001


# Data


COLUMNS = "id,path,class,caption,seconds,rate,channels,split,source_package,source_file,licence,author"


@pytest.fixture
def recordings(tmp_path):
    rows = [
        "dog_1,audio/dog_1.ogg,dog_wolf,a dog barks,1.0,44100,1,train,pack,dog.wav,CC0-1.0,Maker",
        "wolf_1,audio/wolf_1.ogg,dog_wolf,a wolf howls,1.0,44100,1,val,pack,wolf.wav,CC0-1.0,Maker",
        "meat_1,audio/meat_1.ogg,crunch_cutting,a knife cuts,1.0,44100,1,train,pack,meat.wav,CC0-1.0,Maker",
    ]
    (tmp_path / "audio").mkdir()
    for index, row in enumerate(rows):
        samples = 0.1 * np.random.default_rng(index).standard_normal(44_100)
        soundfile.write(tmp_path / row.split(",")[1], samples, 44_100, format="OGG", subtype="VORBIS")
    (tmp_path / "manifest.csv").write_text("\n".join([COLUMNS, *rows]) + "\n")
    return tmp_path


def beep(pitch):
    def render(params, n, rng):
        times = np.arange(n) / 48_000
        wave = np.sin(2 * np.pi * pitch * params["bend"] * times) + 0.05 * rng.standard_normal(n)
        return (0.3 * wave).astype(np.float32)[None]

    return render


def model(name, sound, pitch, kind="texture"):
    return SoundModel(name, sound, kind, "a beep", lambda rng: {"bend": rng.uniform(0.97, 1.03)}, beep(pitch))


def test_classes_become_sounds_of_the_vocabulary(recordings):
    found = {one.id: (one.sound, one.split) for one in read_manifest(recordings)}
    assert found == {"dog_1": ("dog_bark", "train"), "wolf_1": ("wolf_howl", "val"), "meat_1": ("", "train")}
    with pytest.raises(TrainingError, match="spaceship"):
        sound_of("spaceship", "a spaceship lands")


def test_a_class_may_be_any_key_of_the_vocabulary():
    for key, sound in vocabulary().items():
        assert sound_of(key, sound.caption) == key


@pytest.mark.parametrize(
    ("label", "nearest"), [("dog_brak", "dog_bark"), ("Rain", "rain"), ("cat", "cat_meow")]
)
def test_a_class_that_is_not_known_brings_the_nearest_that_are(label, nearest):
    with pytest.raises(TrainingError) as told:
        sound_of(label, "")
    assert nearest in str(told.value)
    assert "ssv2a bank list" in str(told.value)
    assert ".py" not in str(told.value)  # a user cannot change the code's tables


def test_a_folder_without_a_manifest_is_refused(tmp_path):
    with pytest.raises(TrainingError, match=r"manifest\.csv"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.csv").write_text("id,path\nx,y\n")
    with pytest.raises(TrainingError, match="column"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("column", "value", "wanted"),
    [
        ("seconds", "long", "a length above 0"),
        ("seconds", "nan", "a length above 0"),
        ("seconds", "-1", "a length above 0"),
        ("split", "test", "train or val"),
        ("split", "", "train or val"),
        ("class", "spaceship", "a kind of sound"),
        ("caption", "caf\udce9", "UTF-8"),
    ],
)
def test_a_row_that_is_wrong_is_named_with_its_value_and_what_is_expected(recordings, column, value, wanted):
    manifest = recordings / "manifest.csv"
    lines = manifest.read_text().splitlines()
    cells = lines[2].split(",")
    cells[COLUMNS.split(",").index(column)] = value
    lines[2] = ",".join(cells)
    manifest.write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))
    with pytest.raises(TrainingError) as told:
        read_manifest(recordings)
    assert f"{manifest}, line 3: " in str(told.value)
    assert repr(value) in str(told.value)
    assert wanted in str(told.value)


def test_a_row_that_is_cut_off_is_named(recordings):
    manifest = recordings / "manifest.csv"
    manifest.write_text(manifest.read_text() + "cat_1,audio/cat_1.ogg,cat_meow\n")
    with pytest.raises(TrainingError, match=r"line 5: .*caption"):
        read_manifest(recordings)


@pytest.mark.parametrize(
    ("label", "caption", "sound"),
    [
        ("bird_calls", "a crowned bird", "bird_call"),
        ("bird_calls", "the crowd of gulls", "bird_call"),
        ("bird_calls", "a crow, far away", "crow_caw"),
        ("truck_bus", "a busy truck", "truck_engine"),
        ("truck_bus", "a school bus", "bus_engine"),
        ("water_splash", "bubbles rise", "bubbles"),
        ("wood_chop_hammer", "hammering on wood", "hammer"),
    ],
)
def test_a_caption_is_read_by_whole_words(label, caption, sound):
    assert sound_of(label, caption) == sound


def test_a_recording_is_left_out_of_a_bank_by_whole_words(recordings):
    def heard(caption, origin="pack: a.ogg"):
        path = recordings / "audio" / "dog_1.ogg"
        return Recording("a", path, "owl_hoot", caption, 9.0, "train", origin, "MIT", "Maker")

    assert usable([heard("a fowl calls")], frozenset())
    assert not usable([heard("an owl calls")], frozenset())
    assert not usable([heard("it calls", "pack: owl_03.ogg")], frozenset())


def test_a_recording_that_is_replaced_is_heard_anew(recordings, tmp_path):
    cache, path = tmp_path / "cache", recordings / "audio" / "dog_1.ogg"
    first = prepare(read_manifest(recordings), [], cache)
    samples = 0.1 * np.sin(2 * np.pi * 900 * np.arange(44_100) / 44_100)
    soundfile.write(path, samples, 44_100, format="OGG", subtype="VORBIS")
    replaced = prepare(read_manifest(recordings), [], cache)
    assert not np.array_equal(replaced[0].power, first[0].power)
    np.testing.assert_array_equal(replaced[1].power, first[1].power)
    kept = path.stat()
    path.write_bytes(path.read_bytes()[::-1])  # of the same size, and no sound
    os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    np.testing.assert_array_equal(prepare(read_manifest(recordings), [], cache)[0].power, replaced[0].power)


def test_a_recording_that_is_not_there_is_named_before_any_is_read(recordings, tmp_path):
    (recordings / "audio" / "wolf_1.ogg").unlink()
    with pytest.raises(TrainingError, match=r"wolf_1\.ogg.*manifest"):
        prepare(read_manifest(recordings), [], tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_every_sound_is_told_before_it_is_prepared(recordings, tmp_path):
    whistle, seen = model("test.whistle", "whistle", 2000), []

    def tell(number, total, path):
        seen.append((number, total, path.name, len(list((tmp_path / "cache").iterdir()))))

    prepare(read_manifest(recordings), [whistle], tmp_path / "cache", draws=2, on_sound=tell)
    names = ["dog_1.ogg", "wolf_1.ogg", "test.whistle-00", "test.whistle-01"]
    assert seen == [(n + 1, 4, name, n) for n, name in enumerate(names)]


def test_two_sets_of_recordings_share_a_cache_without_mixing_them(tmp_path):
    """Their ids, sizes and times of change may be the same, and an id may be any text."""

    def dogs(name, pitch):
        folder = tmp_path / name
        folder.mkdir()
        wave = 0.1 * np.sin(2 * np.pi * pitch * np.arange(48_000) / 48_000)
        soundfile.write(folder / "dog.wav", wave, 48_000)
        os.utime(folder / "dog.wav", ns=(10**18, 10**18))
        row = "old/dog,dog.wav,dog_bark,a dog,1,48000,1,train,pack,dog.wav,MIT,Maker"
        (folder / "manifest.csv").write_text(f"{COLUMNS}\n{row}\n")
        return prepare(read_manifest(folder), [], tmp_path / "cache")[0].power

    low, high = dogs("low", 200), dogs("high", 2000)
    assert low.argmax(axis=0).max() < high.argmax(axis=0).min()


def test_a_cache_holds_whole_files_also_where_the_disk_gives_out(recordings, tmp_path, monkeypatch):
    write = Path.write_bytes

    def full(path, content):
        write(path, content[:50])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        prepare(read_manifest(recordings), [], tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_sounds_are_prepared_once_and_split_by_recording_and_draw(recordings, tmp_path, monkeypatch):
    cache, whistle = tmp_path / "cache", model("test.whistle", "whistle", 2000)
    first = prepare(read_manifest(recordings), [whistle], cache, draws=10)
    assert [sound.id for sound in first[:2]] == ["dog_1", "wolf_1"]
    assert first[0].captions == ("a dog barks", *vocabulary()["dog_bark"].captions)
    assert [sound.split for sound in first[2:]].count("val") == 2
    with monkeypatch.context() as deaf:
        deaf.setattr("ssv2a.train.data.mel_power", None)
        again = prepare(read_manifest(recordings), [whistle], cache, draws=10)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.power, other.power)
    changed = prepare(read_manifest(recordings), [model("test.whistle", "whistle", 300)], cache, draws=10)
    assert not np.array_equal(changed[-1].power, again[-1].power)


def test_a_model_whose_pauses_change_is_rendered_anew(tmp_path):
    knock = replace(
        model("test.knock", "knock", 500, "event"),
        render=lambda params, n, rng: beep(500)(params, min(n, 9_600), rng),
        pause_seconds=(0.1, 0.2),
    )
    first = prepare([], [knock], tmp_path, draws=1)
    slower = prepare([], [replace(knock, pause_seconds=(1.0, 1.5))], tmp_path, draws=1)
    assert not np.array_equal(first[0].power, slower[0].power)


def test_draws_of_a_model_differ_and_repeat():
    whistle = model("test.whistle", "whistle", 2000)
    np.testing.assert_array_equal(render_draw(whistle, 1, 0.5), render_draw(whistle, 1, 0.5))
    assert not np.array_equal(render_draw(whistle, 1, 0.5), render_draw(whistle, 2, 0.5))


# The command line


def ssv2a_command(*arguments):
    command = [sys.executable, "-c", "from ssv2a.cli import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_an_error_is_one_line_and_a_status(tmp_path):
    answer = ssv2a_command("train", "clap", "--data", str(tmp_path), "--out", str(tmp_path / "run"))
    assert answer.returncode == 1
    assert answer.stderr.startswith("ssv2a: ")
    assert "manifest.csv" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_help_needs_no_networks():
    heavy = "{'torch', 'onnxruntime', 'matplotlib'}"
    check = f"import sys, ssv2a.cli; sys.exit(bool({heavy} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", check], timeout=60, check=False).returncode == 0
    assert "clap" in ssv2a_command("train", "--help").stdout


# The CLAP


class Words:
    """A sentence encoder of known truth: texts that name the same sound share a direction."""

    def embed(self, texts):
        keys = {caption: key for key, sound in vocabulary().items() for caption in sound.captions}
        rows = []
        for text in texts:
            seed = sum(map(ord, keys.get(text, text)))
            own = np.random.default_rng(sum(map(ord, text)) + 1).standard_normal(384)
            rows.append(np.random.default_rng(seed).standard_normal(384) + 0.3 * own)
        return (np.array(rows) / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def tones():
    pitches = {"whistle": 3000, "flute": 1200, "ship_horn": 150, "bell": 600}
    sounds = []
    for sound, pitch in pitches.items():
        captions = vocabulary()[sound].captions
        for draw in range(6):
            audio = render_draw(model(f"test.{sound}", sound, pitch), draw, 1.5)
            split = "val" if draw == 5 else "train"
            sounds.append(
                TrainingSound(f"test.{sound}-{draw}", sound, captions, split, mel_power(audio), modelled=True)
            )
    return tuple(sounds)


TINY = ClapSettings(classes=4, mixtures=3, seconds=1.0)


def test_a_tiny_clap_learns_tones_and_their_mixtures(tones, tmp_path):
    settings = LoopSettings(steps=60, learning_rate=3e-3, warmup=5, validate_every=20, ema_decay=0.9)
    outcome = train_clap(tones, Words(), tmp_path, settings, clap=TINY, width=4)
    last = outcome.history[-1]
    assert last["contrast"] < 0.5 * np.log(4)  # half of what guessing among four costs
    assert last["models R@1"] >= 0.75
    vectors = read_vectors(tmp_path / "clap_vectors.npz")
    clap = MiniClap.load(tmp_path / "clap.safetensors")
    np.testing.assert_allclose(vectors.clap, embed_sounds(tones, clap).clap, atol=1e-3)
    assert vectors.sounds[0] == "whistle"
    assert json.loads((tmp_path / "metrics.json").read_text())["classes"] == 4


def test_one_kind_of_sound_is_not_enough(tones):
    with pytest.raises(TrainingError, match="two or more"):
        ClapTask(tones[:6], {}, TINY)


def test_vectors_come_back_as_they_were_written(tones, tmp_path):
    torch.manual_seed(0)
    task = ClapTask(tones, {}, TINY, width=4)
    vectors = embed_sounds(tones, MiniClap(task.network))
    write_vectors(vectors, tmp_path / "v.npz")
    again = read_vectors(tmp_path / "v.npz")
    np.testing.assert_array_equal(again.clap, vectors.clap)
    assert (again.sounds, again.splits, again.captions, again.ids) == (
        vectors.sounds,
        vectors.splits,
        vectors.captions,
        vectors.ids,
    )


@pytest.mark.parametrize("content", [None, b"", b"words", b"PK\x03\x04 and no more", "array"])
def test_what_is_no_file_of_vectors_is_named(tmp_path, content):
    path = tmp_path / "none.npz"
    if content == "array":
        np.save(tmp_path / "array.npy", np.zeros(3))
        (tmp_path / "array.npy").rename(path)
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(TrainingError, match=r"none\.npz.*train the CLAP first"):
        read_vectors(path)
