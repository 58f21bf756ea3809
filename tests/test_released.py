"""The released chain whole: every network of its kind, tiny in `make test`, of released size in `test-all`.

The weights are random or made by rule, so what is heard means nothing; that it is there, of the right shape
and the same again is what is tested.
"""

from __future__ import annotations

import json
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from media_fixtures import make_clip, noise, write_wav
from PIL import Image
from released_bundle import released, tiny, write_released_bundle
from seen_parts import picture
from typer.testing import CliRunner

from ssv2a.cli import app
from ssv2a.errors import BundleError
from ssv2a.pipeline import Ssv2a
from ssv2a.types import SAMPLE_RATE, Composition, Frames, VideoSettings

QUICK = VideoSettings(
    var_samples=4,
    cycle_its=2,
    cycle_samples=4,
    candidates=2,
    min_confidence=0.05,
    synthesis={"sampler": "fast", "steps": 2},
)
OPTIONS = [
    *("--cycle-its", "2", "--cycle-samples", "4", "--candidates", "1", "--device", "cpu"),
    *("--synthesis", "steps=2", "--synthesis", "sampler=fast", "--duration", "2.5"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_released_bundle(tmp_path_factory.mktemp("tiny") / "ssv2a", tiny()).folder


@pytest.fixture(scope="module")
def model(folder: Path) -> Ssv2a:
    return Ssv2a.load(folder, device="cpu", threads=1)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def inputs(place: Path) -> dict[str, Path]:
    place.mkdir()
    Image.fromarray(picture("cat")).save(place / "cat.png")
    Image.fromarray(picture("clock")).save(place / "clock.jpg")
    make_clip(place / "clip.mp4", seconds="1.2", rate="25")
    write_wav(place / "hum.wav", noise(Fraction(1)))
    return {path.stem: path for path in place.iterdir()}


def check_commands(folder: Path, place: Path, *options: str) -> None:
    """All three commands, twice with one seed and once with another."""
    given = inputs(place / "in")
    before = {path: path.read_bytes() for path in given.values()}
    commands = {
        "image": ["image", str(given["cat"]), str(given["clock"]), "--tracks"],
        "video": ["video", str(given["clip"]), "--frames", "4"],
        "compose": [
            *("compose", "--image", str(given["cat"]), "--text", "heavy rain", "--text", "heavy rain"),
            *("--audio", str(given["hum"]), "--tracks"),
        ],
    }
    heard: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    for seed, out in (("7", "a"), ("7", "b"), ("8", "c")):
        for name, command in commands.items():
            results = place / out / name
            run(*command, "--bundle", str(folder), "--out", str(results), "--seed", seed, *options)
            heard[out, name] = {path.name: _sound(path) for path in sorted(results.rglob("*.wav"))}
    assert set(heard["a", "image"]) >= {"cat.wav", "clock.wav"}
    assert before == {path: path.read_bytes() for path in (place / "in").iterdir()}
    for name in commands:
        assert len(heard["a", name]) >= 1
        for file, sound in heard["a", name].items():
            np.testing.assert_array_equal(sound, heard["b", name][file])
        assert any(
            (heard["a", name][file] != heard["c", name].get(file, 0)).any() for file in heard["a", name]
        )
    told = json.loads(next((place / "a" / "compose").glob("*.json")).read_text())
    assert len(told["sources"]) == 4


def _sound(path: Path) -> np.ndarray:
    sound, rate = soundfile.read(path)
    assert rate == SAMPLE_RATE
    assert np.isfinite(sound).all()
    assert sound.any()
    return np.asarray(sound)


def test_every_command_works_on_the_released_kind_of_bundle(folder: Path, tmp_path: Path) -> None:
    check_commands(folder, tmp_path, *OPTIONS)


def test_pictures_of_a_batch_do_not_know_each_other(model: Ssv2a) -> None:
    cat, clock = picture("cat"), picture("clock")
    [alone] = model.image([cat], SAMPLE_RATE, seeds=[5], settings=QUICK)
    _, among = model.image([clock, cat], SAMPLE_RATE, seeds=[4, 5], settings=QUICK)
    np.testing.assert_allclose(alone.scene.target, among.scene.target, atol=1e-5)
    np.testing.assert_allclose(alone.waveform, among.waveform, atol=1e-3)


def test_stems_are_one_a_source_and_leave_the_mix_as_it_was(model: Ssv2a) -> None:
    """The released code's gen_tracks crashes always."""
    parts = Composition(images=(picture("cat"),), texts=("rain", "rain"))
    with_stems = model.compose(parts, SAMPLE_RATE, seed=1, settings=QUICK, stems=True)
    without = model.compose(parts, SAMPLE_RATE, seed=1, settings=QUICK)
    assert set(with_stems.stems) == {-1, -2, -3}
    np.testing.assert_allclose(with_stems.waveform, without.waveform, atol=1e-3)
    for stem in with_stems.stems.values():
        assert stem.shape == (1, SAMPLE_RATE)
        assert stem.any()
    assert not np.allclose(with_stems.stems[-2], with_stems.stems[-3], atol=1e-3)  # equal words, own draws


def test_nothing_detected_is_the_whole_picture_alone(model: Ssv2a) -> None:
    """The released code crashes where a batch has no detection."""
    frames = Frames(np.full((2, 64, 64, 3), 127, np.uint8), (Fraction(0), Fraction(1)))
    settings = VideoSettings(**{**_fields(QUICK), "min_confidence": 1.0})
    take, _ = model.video(frames, SAMPLE_RATE, seed=1, settings=settings)
    assert take.scene.tracks == ()
    assert take.waveform.any()


def test_low_memory_gives_the_same_and_keeps_nothing(folder: Path, model: Ssv2a) -> None:
    sparing = Ssv2a.load(folder, device="cpu", threads=1, low_memory=True)
    [ours], [theirs] = (
        each.image([picture("cat")], SAMPLE_RATE, seeds=[1], settings=QUICK) for each in (sparing, model)
    )
    np.testing.assert_array_equal(ours.waveform, theirs.waveform)
    assert not any(part.loaded for part in sparing._chain.models)


def test_nothing_is_loaded_before_it_is_needed(folder: Path) -> None:
    """Large parts come one by one: a composition of sounds needs neither eyes nor words."""
    chain = Ssv2a.load(folder, device="cpu", threads=2)._chain
    heard = Ssv2a(chain).compose(
        Composition(sounds=(noise(Fraction(1)),)), SAMPLE_RATE, seed=1, settings=QUICK
    )
    assert heard.waveform.any()
    assert not chain.eyes.loaded
    assert not chain.texts.loaded


def test_parts_that_do_not_fit_each_other_are_refused(folder: Path, tmp_path: Path) -> None:
    mixed = shutil.copytree(folder, tmp_path / "mixed")
    manifest = json.loads((mixed / "bundle.json").read_text())
    manifest["roles"]["synthesis"]["implementation"] = "soundbank"
    (mixed / "bundle.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=r"do not fit each other: detector yolo, .*synthesis soundbank"):
        Ssv2a.load(mixed, device="cpu")


def _fields(settings: VideoSettings) -> dict[str, object]:
    return {name: getattr(settings, name) for name in VideoSettings.__dataclass_fields__}


@pytest.mark.slow
def test_released_sizes_run_without_a_download(tmp_path: Path) -> None:
    folder = write_released_bundle(tmp_path / "ssv2a", released()).folder
    check_commands(folder, tmp_path, *OPTIONS, "--low-memory")
