"""The bars of a bundle: what counts, what is rendered for which of them, and what the command asks for."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from loguru import logger
from typer.testing import CliRunner

from ssv2a.cli import app
from ssv2a.errors import EvaluationError
from ssv2a.evaluate.bars import Bar, Heard, clean_bars, correlation, heard_bars, loop_bar
from ssv2a.evaluate.material import PICTURES, captions, pairs, pictures, side_by_side
from ssv2a.soundbank.bank import Bank
from ssv2a.soundbank.meanings import phrases
from ssv2a.soundbank.vocabulary import vocabulary

MINI = Path(__file__).parents[1] / "ssv2a" / "bundles" / "mini"
RNG = np.random.default_rng(0)


class Take:
    def __init__(self, waveform):
        self.waveform = np.asarray(waveform, np.float32)
        self.picks = ()


def heard(wanted, labels, seed=0, waveform=None):
    return Heard((wanted,), seed, Take(np.zeros((2, 4)) if waveform is None else waveform), labels)


def test_the_material_is_whole_and_none_of_it_was_learned_from():
    assert len(captions()) == 30
    assert len(pictures()) >= 24
    for wanted in (*captions(), *pictures(), *(one for pair in pairs() for one in pair)):
        assert set(wanted.sounds) <= vocabulary().keys(), wanted
        assert wanted.labels, wanted
    texts = {one.name for one in (*captions(), *(p for pair in pairs() for p in pair)) if not one.is_picture}
    assert not texts & phrases().keys()


def test_every_picture_has_its_licence_and_every_file_is_listed():
    shown = {one.name for one in pictures()}
    assert shown == {path.name for path in PICTURES.glob("*.jpg")}
    notes = (PICTURES / "LICENCES.md").read_text()
    for name in shown:
        assert re.search(rf"`{re.escape(name)}` .*\|.+\|.+\|", notes), name


def test_two_pictures_become_one_of_their_joint_width():
    left, right = (one.picture() for one in pairs()[-1])
    both = side_by_side(left, right, height=100)
    widths = [round(picture.shape[1] * 100 / picture.shape[0]) for picture in (left, right)]
    assert both.shape == (100, sum(widths), 3)


def test_what_is_heard_is_counted_by_the_bank_s_own_bar():
    dog = captions()[0]
    right, near, wrong = (heard(dog, labels) for labels in (("Bark",), ("Canidae, dogs, wolves",), ("Rain",)))
    strict, loose = heard_bars("community", "captions", [right, near, wrong, right])
    assert (strict.figure, loose.figure) == (50, 75)
    assert (strict.wanted, strict.met) == (80, False)
    assert strict.counts
    assert not loose.counts  # shown, but no bar
    assert not heard(dog, ("Rain", "Wind", "Speech", "Music", "Noise", "Bark")).right  # the sixth label


@pytest.mark.parametrize(("figure", "at_most", "met"), [(2, True, True), (4, True, False), (4, False, True)])
def test_a_bar_is_met_from_its_side(figure, at_most, met):
    assert Bar("", figure, "", 3, at_most=at_most).met is met


def test_correlation_finds_the_same_take_behind_a_shift_and_no_likeness_of_noises():
    first, other = RNG.standard_normal((2, 1, 48_000)).astype(np.float32)
    assert correlation(first, np.roll(first, 5_000, axis=1)) > 0.85
    assert correlation(first, other) < 0.05


def test_a_click_of_full_scale_an_offset_and_a_jump_in_level_are_seen():
    quiet = 0.01 * RNG.standard_normal((2, 48_000))
    dog = captions()[0]
    peak, offset, spread = clean_bars([heard(dog, (), 0, quiet), heard(dog, (), 1, 2 * quiet + 0.01)])
    assert (peak.met, offset.met, spread.met) == (True, False, False)
    assert spread.figure == pytest.approx(6, abs=0.3)
    quiet[0, 100] = 1.0
    assert not clean_bars([heard(dog, (), 0, quiet), heard(dog, (), 1, quiet)])[0].met


def bars(*arguments):
    return CliRunner().invoke(app, ["bars", *map(str, arguments)])


def test_bars_that_need_no_ears_ask_for_no_tagger_and_load_no_model(monkeypatch, tmp_path):
    monkeypatch.setattr("ssv2a.pipeline.Ssv2a.load", None)
    answer = bars("--only", "size,loops", "--out", tmp_path)
    assert answer.exit_code == 0, (answer.output, answer.exception)
    kept = json.loads((tmp_path / "bars-default.json").read_text())
    assert [bar["unit"] for bar in kept["bars"]] == ["", "MB"]
    assert kept["takes"] == []


def test_the_tagger_is_asked_for_and_looked_at_before_anything_is_loaded(monkeypatch, tmp_path):
    monkeypatch.setattr("ssv2a.pipeline.Ssv2a.load", None)
    answer = bars("--only", "size,pairs")
    assert answer.exit_code == 2
    assert "--tagger" in answer.output
    assert "pairs" in answer.output
    (tmp_path / "bad.jpg").write_bytes(b"no network")
    answer = bars("--only", "captions", "--tagger", tmp_path / "bad.jpg")
    assert isinstance(answer.exception, EvaluationError)
    assert bars("--only", "size", "--tagger", tmp_path / "bad.jpg").exit_code == 0


def test_takes_for_other_bars_than_the_heard_ones_are_explained_and_not_listened_to(monkeypatch):
    monkeypatch.setattr("ssv2a.evaluate.bars.captions", lambda: captions()[:2])
    said = []
    sink = logger.add(lambda message: said.append(str(message)), level="INFO", format="{message}")
    answer = bars("--only", "clean", "--threads", 1)
    logger.remove(sink)
    assert answer.exit_code in (0, 1), (answer.output, answer.exception)
    assert "highest peak" in answer.output
    assert "heard" not in answer.output
    assert "takes of captions, for: clean" in said[0]
    assert len(said) == 5
    assert not any("heard" in line for line in said)


class Loudest:
    """A tagger that hears in which of six bands a sound is the loudest."""

    labels = tuple("abcdef")

    def scores(self, waveform):
        power = np.abs(np.fft.rfft(waveform.mean(axis=0)[:96_000])) ** 2
        return np.float32([band.sum() for band in np.array_split(power, [40, 200, 1000, 4000, 16_000])])


def test_composed_clips_are_seen_heard_and_told(monkeypatch, tmp_path):
    shown = {wanted.name: wanted for wanted in pictures()}
    pair = shown["dog.jpg"], shown["fire_engine.jpg"]
    monkeypatch.setattr("ssv2a.evaluate.bars.ring", lambda: [pair, pair[::-1]])
    monkeypatch.setattr("ssv2a.evaluate.bars.TOP_ONE", 1)
    monkeypatch.setattr("ssv2a.evaluate.tagger.YamNet.load", lambda _path: Loudest())
    said = []
    sink = logger.add(lambda message: said.append(str(message).strip()), level="INFO", format="{message}")
    answer = bars("--only", "clips", "--tagger", tmp_path, "--threads", 1, "--out", tmp_path)
    logger.remove(sink)
    assert answer.exit_code == 0, (answer.output, answer.exception)  # no bar is asked of clips
    figures = {
        bar["name"]: bar["figure"] for bar in json.loads((tmp_path / "bars-default.json").read_text())["bars"]
    }
    assert figures["composed clips: sources named while they are there"] == 100
    assert len(figures) == 4
    assert said[0].startswith("composed clips")
    assert said[1].startswith("clip dog.jpg + fire_engine.jpg: named")


def test_recorded_textures_do_not_loop():
    assert loop_bar(Bank.open(MINI / "banks" / "default")).met
