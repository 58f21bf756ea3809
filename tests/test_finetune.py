"""Fine-tuning comes nearer to the sound of clips, forgets little, resumes, and else changes nothing."""

import copy
import hashlib
import json
import subprocess
import sys
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from footage_clips import clip, photograph, sound
from parity_rule import rule_made, tiny_config
from PIL import Image
from released_bundle import tiny, write_released_bundle

from ssv2a.bundle import Bundle
from ssv2a.config import Ssv2aConfig
from ssv2a.errors import TrainingError
from ssv2a.footage.clips import View
from ssv2a.pipeline import Ssv2a
from ssv2a.train.finetune import SETTINGS, RemixerTuning, finetune
from ssv2a.train.loop import RunOptions
from ssv2a.train.material import MOST_STRETCHES, Rehearsal, collect
from ssv2a.train.sources import unit
from ssv2a.types import SAMPLE_RATE, VideoSettings
from ssv2a.weights import load_networks, load_released

SHORT = replace(SETTINGS, steps=120, validate_every=10, learning_rate=2e-3)
CONFIG = tiny_config()


def views(count, wanted, seed=0, frames=6):
    """Stretches of one to three sources; `wanted` gives the sound of a mean of sources [clip_dim]."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        sources = unit(rng.standard_normal((int(rng.integers(1, 4)), CONFIG.clip_dim)))
        slots = np.zeros((frames, 5, CONFIG.clip_dim), np.float32)
        slots[:, 0] = unit(sources.mean(axis=0))
        slots[:, 1 : 1 + len(sources)] = sources
        clap = wanted(sources.mean(axis=0))
        view = View(
            times=tuple(range(frames)),
            slots=slots,
            claps=np.repeat(clap[None], frames, axis=0),
            audible=(True,) * frames,
            clap=clap,
            things=(),
            labels=(),
            pictures=(),
        )
        made.append(("val" if number % 4 == 0 else "train", view))
    return made


def mapped(seed=1):
    """A law that little data teaches: the sounds of this house are alike, whatever is seen."""
    rng = np.random.default_rng(seed)
    house = unit(rng.standard_normal(CONFIG.clap_dim))
    law = rng.standard_normal((CONFIG.clip_dim, CONFIG.clap_dim)) / CONFIG.clap_dim
    return lambda mean: unit(house + mean @ law)


@pytest.fixture(scope="module")
def networks():
    return rule_made(CONFIG)


@pytest.fixture(scope="module")
def rehearsal(networks):
    clips = unit(np.random.default_rng(7).standard_normal((9, CONFIG.clip_dim)))
    with torch.inference_mode():
        claps = networks.source_claps(
            torch.from_numpy(clips), generator=torch.Generator().manual_seed(0), var_samples=8
        )
    return Rehearsal(clips, claps.numpy())


def weights(networks):
    return {
        f"{name}.{key}": tensor.clone()
        for name, module in networks.modules.items()
        for key, tensor in module.state_dict().items()
    }


def same(one, other):
    return all(torch.equal(one[key], other[key]) for key in one)


def test_held_out_clips_are_met_better_and_rehearsals_stay(networks, rehearsal, tmp_path):
    own, before = copy.deepcopy(networks), weights(networks)
    remixer, _ = finetune(own, collect(views(40, mapped()), 0), rehearsal, tmp_path, SHORT)
    assert remixer.is_better
    assert remixer.after > remixer.before + 0.1
    assert remixer.rehearsed > 0.5  # the clips contradict what was known as much as can be
    after = weights(own)
    assert not same({k: v for k, v in before.items() if k.startswith("remixer")}, after)
    assert same({k: v for k, v in before.items() if k.startswith(("manifold", "generator"))}, after)


def test_where_nothing_can_be_learned_the_old_weights_stay(networks, rehearsal, tmp_path):
    """Held-out clips sound exactly as the networks have it already."""
    own, before = copy.deepcopy(networks), weights(networks)
    rng = np.random.default_rng(3)
    sides = collect(views(16, lambda _: unit(rng.standard_normal(CONFIG.clap_dim))), 0)
    made = RemixerTuning(own, sides, rehearsal).sequences(own.remixer, "val")
    sides["val"] = replace(sides["val"], claps=made)
    remixer, _ = finetune(own, sides, rehearsal, tmp_path, SHORT)
    assert not remixer.is_better
    assert remixer.after == remixer.before == pytest.approx(1, abs=1e-3)
    assert remixer.outcome.step < SHORT.steps  # it was given up early
    remixers = {key: value for key, value in before.items() if key.startswith("remixer")}
    assert same(remixers, weights(own))


def test_stopped_and_resumed_is_as_never_stopped_and_seeds_reproduce(networks, rehearsal, tmp_path):
    sides = collect(views(12, mapped()), 0)
    short = replace(SHORT, steps=30, validate_every=10)

    def tuned(name, settings=short, **how):
        own = copy.deepcopy(networks)
        done = finetune(own, sides, rehearsal, tmp_path / name, settings, RunOptions(**how))
        return done, weights(own)

    unbroken, whole = tuned("whole")
    stopped, _ = tuned("parts", seconds_budget=0.0)
    assert [one.outcome.finished for one in stopped] == [False]
    for _ in range(200):
        done, parts = tuned("parts", resume=True, seconds_budget=0.2)
        if len(done) == 2 and done[-1].outcome.finished:
            break
    assert same(whole, parts)
    for one, other in zip(unbroken, done, strict=True):
        steps = [[row["step"] for row in tuned.outcome.history] for tuned in (one, other)]
        assert steps == [[0, 10, 20, 30]] * 2
        assert one.outcome.best_step == other.outcome.best_step
    _, other = tuned("other", replace(short, seed=1))
    assert not same(whole, other)


def test_what_has_no_source_or_no_sound_is_not_learned_from():
    side, view = views(1, mapped())[0]
    blind = replace(view, slots=view.slots * (np.arange(5) == 0)[None, :, None])  # the whole picture alone
    deaf = replace(view, audible=(False,) * len(view.times))
    half = replace(view, audible=(True, *(False,) * (len(view.times) - 1)))
    sides = collect([("train", blind), ("train", deaf), ("train", half), ("val", view)], 0)
    assert sides["train"].frames == ((2, 0),)
    assert len(sides["val"].frames) == len(view.times)
    with pytest.raises(TrainingError, match="hold out"):
        collect([("train", view), ("val", blind)], 0)
    with pytest.raises(TrainingError, match="learn from"):
        collect([("val", view)], 0)
    assert side == "val"


def test_of_too_many_stretches_an_even_draw_is_taken():
    (_, view), *_ = views(1, mapped(), frames=1)
    many = [("val" if number % 5 == 0 else "train", view) for number in range(MOST_STRETCHES + 500)]
    sides = collect(many, 0)
    assert len(sides["train"]) + len(sides["val"]) == MOST_STRETCHES
    assert 0.17 < len(sides["val"]) / MOST_STRETCHES < 0.23


def test_no_view_is_held_once_it_is_read():
    """Hours of footage come one by one; what is kept of them is half as large."""
    alive, most = [], 0

    def read():
        nonlocal most
        for number in range(200):
            view = replace(sample, slots=sample.slots.copy())
            alive.append(weakref.ref(view.slots))
            most = max(most, sum(slots() is not None for slots in alive))
            yield ("val" if number % 5 == 0 else "train", view)
            del view

    (_, sample), *_ = views(1, mapped(), frames=1)
    sides = collect(read(), 0)
    assert len(sides["train"]) + len(sides["val"]) == 200
    assert most < 5
    assert sides["train"].slots[0].dtype == np.float16


def test_the_draw_of_stretches_keeps_their_order_and_is_the_same_every_time():
    (_, view), *_ = views(1, mapped(), frames=1)
    count = MOST_STRETCHES + 300
    numbered = [
        ("val" if number % 5 == 0 else "train", replace(view, clap=np.full_like(view.clap, number)))
        for number in range(count)
    ]
    first, again = (collect(iter(numbered), 7)["train"].wholes[:, 0] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (np.diff(first) > 0).all()
    assert 0.4 < (first < count / 2).mean() < 0.6


@pytest.fixture(scope="module")
def footage(tmp_path_factory):
    """A house where fire engines ring a bell."""
    folder = tmp_path_factory.mktemp("footage")
    for number in range(4):
        clip(folder / f"engine{number}.mp4", photograph("fire_engine"), sound("bell", 4, number), 4)
    (folder / "notes.mp4").write_text("no film")
    return folder


def command(footage, out, *options):
    program = Path(sys.executable).with_name("ssv2a")
    args = [program, "train", "finetune", "--data", footage, "--out", out, "--steps", "60", *options]
    return subprocess.run(args, capture_output=True, text=True, timeout=300, check=False)


def digests(folder):
    return {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_bundle_comes_out_that_renders_and_names_its_parent(footage, tmp_path):
    parent = Bundle.open("mini")
    before, films = digests(parent.folder), digests(footage)
    done = command(footage, tmp_path)
    assert done.returncode == 1, done.stderr  # notes.mp4 is no film
    assert "notes.mp4" in done.stderr
    assert digests(parent.folder) == before
    assert digests(footage) == films

    figures = json.loads((tmp_path / "metrics.json").read_text())["remixer"]
    assert figures["after"] > figures["before"] + 0.05
    made = Bundle.open(tmp_path / "bundle")
    made.verify()
    assert made.name == "mini-tuned"
    assert parent.id in made.files["ssv2a-tuned.safetensors"].origin
    assert {path: row for path, row in parent.files.items() if path != "ssv2a.safetensors"} == {
        path: row for path, row in made.files.items() if path != "ssv2a-tuned.safetensors"
    }
    with_bundle = Ssv2a.load(tmp_path / "bundle", device="cpu", threads=1)
    assert with_bundle.bundle_id.startswith("mini-tuned-")
    picture = np.asarray(photograph("fire_engine"))
    settings = VideoSettings(var_samples=8, cycle_its=2, cycle_samples=8, candidates=1)
    [take] = with_bundle.image([picture], 2 * SAMPLE_RATE, seeds=[0], settings=settings)
    assert np.abs(take.waveform).max() > 0.01


@pytest.mark.slow
def test_the_released_family_is_tuned_too(footage, tmp_path):
    parent = write_released_bundle(tmp_path / "ssv2a", tiny())
    done = command(footage, tmp_path / "out", "--bundle", f"{parent.folder}/")
    assert "remixer: cosine" in done.stdout, done.stderr
    if "no new bundle" in done.stdout:
        pytest.fail("random weights came no nearer to anything")
    made = Bundle.open(tmp_path / "out" / "bundle")
    assert made.implementation("ssv2a") == "ssv2a"
    before = load_released(Ssv2aConfig.from_file(parent.folder / "ssv2a.json"), *checkpoints(parent))
    after = load_networks(Ssv2aConfig.from_file(made.path("ssv2a", "config")), made.path("ssv2a", "weights"))
    kept = {key: value for key, value in weights(before).items() if key.startswith(("manifold", "generator"))}
    assert same(kept, weights(after))  # in full precision, too
    Ssv2a.load(made.folder, device="cpu", threads=1)


def checkpoints(bundle):
    return bundle.path("ssv2a", "networks"), bundle.path("ssv2a", "aggregator")


def test_footage_of_a_place_and_of_silent_things_alone_is_none_to_learn_from(tmp_path):
    """The whole picture is always seen; what mixes is taught by sources beside it."""
    for name in ("meadow", "coffee"):
        with Image.open(Path(__file__).parent / "data" / "pictures" / f"{name}.jpg") as picture:
            clip(tmp_path / f"{name}.mp4", picture.resize((480, 320)), sound("wind", 3), 3)
    done = command(tmp_path, tmp_path / "out")
    assert done.returncode == 1
    assert "in which a source of sound is seen" in done.stderr


def test_too_little_footage_says_so(tmp_path):
    clip(tmp_path / "one.mp4", photograph("dog"), sound("dog_bark", 3), 3)
    done = command(tmp_path, tmp_path / "out")
    assert done.returncode == 1
    assert "two clips" in done.stderr


def test_a_device_that_is_not_there_is_said_before_anything_is_done(footage, tmp_path):
    done = command(footage, tmp_path / "out", "--device", "cuda")
    if torch.cuda.is_available():
        pytest.skip("there is one")
    assert done.returncode == 1
    assert "cuda" in done.stderr
    assert not (tmp_path / "out").exists()
