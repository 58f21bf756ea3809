"""Manifold, remixer and aggregator learn a toy world of sources, and a stopped training goes on the same."""

import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from parity_rule import released_json
from typer.testing import CliRunner

from ssv2a.bundle import Bundle
from ssv2a.cli import app
from ssv2a.config import Ssv2aConfig
from ssv2a.networks import Networks
from ssv2a.train.aggregator import draw_clips, draw_presence, train_aggregator
from ssv2a.train.assemble import FILES
from ssv2a.train.loop import LoopSettings, RunOptions
from ssv2a.train.manifold import train_manifold
from ssv2a.train.remixer import MOST_SOURCES, RemixerTask, draw_images, remix, train_remixer
from ssv2a.train.sources import Mixture, Source, SourceBook, unit
from ssv2a.types import FloatArray
from ssv2a.weights import join_files, load_networks

MINI = Path(__file__).parents[1] / "ssv2a" / "bundles" / "mini"

CLIP, CLAP = 24, 16
SETTINGS = LoopSettings(steps=120, learning_rate=5e-3, warmup=5, ema_decay=0.9, validate_every=60)


def toy_json() -> dict[str, Any]:
    content = released_json()
    content |= {"clip_dim": CLIP, "clap_dim": CLAP, "manifold_dim": 16}
    for part in ("manifold", "generator"):
        content[part] |= {"layers": [16, 32, 32], "dropout": 0.0}
    content["remixer"]["styler"] |= {"embed_dim": 32, "nhead": 4, "dropout": 0.0}
    return content


def toy_config() -> Ssv2aConfig:
    return Ssv2aConfig.from_json(toy_json())


def toy_book(kinds: int = 8) -> SourceBook:
    rng = np.random.default_rng(0)

    def around(rows: int, dim: int, spread: float) -> FloatArray:
        centre = unit(rng.standard_normal(dim))
        return unit(centre + spread / np.sqrt(dim) * rng.standard_normal((rows, dim)))

    sources = []
    for kind in range(kinds):
        texts, claps = around(6, CLIP, 0.5), around(6, CLAP, 0.3)
        gain = 1.0 if kind else 0.5
        sources.append(
            Source(
                f"kind {kind}",
                gain,
                True,
                {"train": texts[:4], "val": texts[4:]},
                {"train": claps[:4], "val": claps[4:]},
            )
        )
    neighbours = np.array([[other for other in range(kinds) if other != kind][:3] for kind in range(kinds)])
    return SourceBook(tuple(sources), neighbours, unit(rng.standard_normal((3, CLIP))))


@pytest.fixture(scope="module")
def book() -> SourceBook:
    return toy_book()


@pytest.fixture(scope="module")
def manifold(book: SourceBook, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("manifold")
    train_manifold(toy_config(), book, folder, replace(SETTINGS, steps=150))
    return folder / "manifold.safetensors"


def test_a_text_held_out_finds_the_sound_of_its_source(manifold: Path) -> None:
    figures = json.loads((manifold.parent / "metrics.json").read_text())
    assert figures["seen R@1"] > 0.8  # chance: 1 / 8
    assert figures["heard R@1"] > 0.8


def test_the_remixer_and_the_aggregator_learn_and_join_to_a_whole(
    book: SourceBook, manifold: Path, tmp_path: Path
) -> None:
    config, quick = toy_config(), replace(SETTINGS, learning_rate=1e-2)
    remixer = train_remixer(config, book, manifold, tmp_path / "r", quick).history
    aggregator = train_aggregator(config, book, tmp_path / "a", quick).history
    assert remixer[-1]["first R@1"] > 0.5  # chance: 1 / 8
    assert aggregator[-1]["cosine"] > max(0.6, aggregator[0]["cosine"])
    assert "cycle mix cosine" in json.loads((tmp_path / "r" / "metrics.json").read_text())
    parts = [manifold, tmp_path / "r" / "remixer.safetensors", tmp_path / "a" / "aggregator.safetensors"]
    join_files(parts, tmp_path / "ssv2a.safetensors")
    networks = load_networks(config, tmp_path / "ssv2a.safetensors")
    clips = torch.from_numpy(np.stack([source.texts["val"][0] for source in book.sources]))
    claps = networks.source_claps(clips, generator=torch.Generator().manual_seed(0))
    assert (book.ranks(claps.numpy(), range(len(book.sources))) == 0).mean() > 0.8


def test_a_training_that_was_stopped_goes_on_to_the_same_weights(book: SourceBook, tmp_path: Path) -> None:
    config, settings = toy_config(), replace(SETTINGS, steps=12, validate_every=6)
    straight = train_manifold(config, book, tmp_path / "straight", settings)
    first = train_manifold(config, book, tmp_path / "parts", settings, RunOptions(seconds_budget=0.0))
    second = train_manifold(config, book, tmp_path / "parts", settings, RunOptions(resume=True))
    assert (first.step, first.finished, second.finished) == (1, False, True)
    files = [tmp_path / run / "manifold.safetensors" for run in ("straight", "parts")]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert straight.step == 12
    metrics = [json.loads((tmp_path / run / "metrics.json").read_text()) for run in ("straight", "parts")]
    assert [{**row, "seconds": 0} for row in metrics] == [{**metrics[0], "seconds": 0}] * 2


def test_a_training_stopped_before_its_first_validation_is_gone_on_with(
    book: SourceBook, manifold: Path, tmp_path: Path
) -> None:
    config, settings = toy_config(), replace(SETTINGS, steps=2, validate_every=2)
    trainings = {
        "manifold": partial(train_manifold, config, book),
        "remixer": partial(train_remixer, config, book, manifold),
        "aggregator": partial(train_aggregator, config, book),
    }
    for name, train in trainings.items():
        stopped = train(tmp_path / name, settings, RunOptions(seconds_budget=0.0))
        assert (stopped.step, stopped.history) == (1, ())
        assert not (tmp_path / name / "metrics.json").exists()  # nothing was measured yet
        assert train(tmp_path / name, settings, RunOptions(resume=True)).finished
        assert json.loads((tmp_path / name / "metrics.json").read_text())["step"] == 2
        assert (tmp_path / name / f"{name}.safetensors").is_file()


def test_finished_runs_come_into_a_bundle_with_their_figures(
    book: SourceBook, manifold: Path, tmp_path: Path
) -> None:
    runs, bundle, quick = tmp_path / "runs", tmp_path / "bundle", replace(SETTINGS, steps=2)
    shutil.copytree(manifold.parent, runs / "manifold")
    train_remixer(toy_config(), book, manifold, runs / "remixer", quick)
    train_aggregator(toy_config(), book, runs / "aggregator", quick)
    for path in (*FILES, "../runs/clap/clap.safetensors"):
        file = bundle / path / "bank.json" if path.startswith("banks") else bundle / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(path.encode())
    for name in ("minilm_l6_v2_int8.onnx", "minilm_tokenizer.json", "heard.csv"):
        shutil.copyfile(MINI / name, bundle / name)
    (runs / "clap" / "metrics.json").write_text('{"step": 7}')
    (bundle / "ssv2a.json").write_text(json.dumps(toy_json()))
    command = ["assemble", "--version", "3.2.1", "--bundle", str(bundle), "--runs", str(runs)]
    assert CliRunner().invoke(app, command).exit_code == 0
    made = Bundle.open(bundle)
    assert made.version == "3.2.1"
    load_networks(toy_config(), made.path("ssv2a", "weights"))
    assert made.path("clap", "weights").read_bytes() == b"../runs/clap/clap.safetensors"
    figures = json.loads((bundle / "ssv2a_metrics.json").read_text())
    assert set(figures) == {"manifold and generator", "remixer", "aggregator"}
    assert figures["remixer"]["step"] == 2
    assert json.loads((bundle / "clap_metrics.json").read_text()) == {"step": 7}


def test_a_mixture_is_the_level_weighted_sum_and_presence_weighs_too() -> None:
    mixture = Mixture((0, 1), np.eye(2, CLAP, dtype=np.float32), np.array([3.0, 4.0], np.float32))
    np.testing.assert_allclose(mixture.clap()[:2], [0.6, 0.8], atol=1e-6)
    np.testing.assert_allclose(mixture.clap(np.array([1.0, 0.0], np.float32))[:2], [1, 0], atol=1e-6)


def test_training_images_are_slots_as_the_networks_get_them(book: SourceBook) -> None:
    images = draw_images(book, 200, "train", np.random.default_rng(3))
    filled = images.clips.any(dim=-1)
    counts = filled.sum(dim=1)
    assert filled[:, 0].all()
    assert not filled[:, -1].any()
    assert counts.min() == 1
    assert counts.max() <= MOST_SOURCES + 1
    torch.testing.assert_close(images.clips[filled].norm(dim=-1), torch.ones(int(counts.sum())))


def test_the_slot_that_stands_for_the_empty_ones_gives_what_64_slots_give(book: SourceBook) -> None:
    networks = Networks.untrained(toy_config(), seed=1).for_inference("cpu")
    task = RemixerTask(toy_config(), book, networks.manifold, seed=1)
    clips = draw_images(book, 4, "train", np.random.default_rng(3)).clips
    every = torch.cat((clips, torch.zeros(4, 64 - clips.shape[1], CLIP)), dim=1)
    short = remix(networks.remixer, task.manifold.fold_clip(clips).mu, clips)
    full = networks.remixer(networks.manifold.fold_clip(every).mu, every)
    torch.testing.assert_close(short.mu, full.mu, rtol=0, atol=1e-5)


def test_a_clip_of_one_lasting_source_sounds_like_that_source(book: SourceBook) -> None:
    rng = np.random.default_rng(5)
    frames, whole = draw_clips(book, 300, 16, "train", rng)
    assert frames.shape == (300, 16, CLAP)
    np.testing.assert_allclose(np.linalg.norm(frames, axis=-1), 1, atol=1e-5)
    mean = unit(frames.mean(axis=1))
    assert (mean * whole).sum(axis=-1).mean() > 0.85
    shares = np.array([draw_presence(20, rng).mean() for _ in range(400)])
    assert (shares == 1).mean() == pytest.approx(0.4, abs=0.08)
    assert ((shares > 0) & (shares < 1)).mean() > 0.4
