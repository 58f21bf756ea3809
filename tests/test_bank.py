"""The bank on disk: what is written is read back, and the shipped banks hold what their licences allow."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from safetensors.numpy import save_file

import ssv2a
from ssv2a.bundle import Bundle
from ssv2a.errors import BundleError
from ssv2a.media import ffmpeg
from ssv2a.soundbank.bank import CLAPS, MANIFEST, Bank, Entry, open_bank, read_audio, write_bank
from ssv2a.soundbank.choice import takes_in_turn
from ssv2a.soundbank.recordings import read_parts
from ssv2a.soundbank.vocabulary import vocabulary

SHIPPED = Path(ssv2a.__file__).parent / "bundles" / "mini" / "banks"


def unit_rows(rng, n, k=2):
    claps = rng.standard_normal((n, k, 256)).astype(np.float32)
    return claps / np.linalg.norm(claps, axis=-1, keepdims=True)


def recording(folder: Path, name: str, rate: int, seconds: float, channels: int = 1) -> tuple[Entry, Path]:
    path = folder / f"{name}.ogg"
    times = np.arange(round(rate * seconds)) / rate
    tone = 0.5 * np.sin(2 * np.pi * 440 * times)
    soundfile.write(path, np.stack([tone] * channels, axis=1), rate, format="OGG", subtype="VORBIS")
    entry = Entry(
        id=name,
        kind="event",
        sound="bell",
        caption="a bell ringing",
        licence="CC0-1.0",
        author="A. Maker",
        credit="",
        origin="made for the test",
        file=f"audio/{name}.ogg",
        seconds=seconds,
        rate=rate,
        channels=channels,
        pause_seconds=(0.5, 1.0),
    )
    return entry, path


@pytest.fixture
def two_banks(tmp_path):
    rng = np.random.default_rng(0)
    model = replace(
        recording(tmp_path, "unused", 48_000, 0.5)[0],
        id="model.dog",
        sound="dog_bark",
        file=None,
        model="mammal.dog",
    )
    bell, bell_path = recording(tmp_path, "bell", 22_050, 1.0)
    gong, gong_path = recording(tmp_path, "gong", 44_100, 2.0, channels=2)
    write_bank(tmp_path / "base", "base", [model, bell], unit_rows(rng, 2), {"bell": bell_path})
    write_bank(
        tmp_path / "more", "more", [gong], unit_rows(rng, 1, 3), {"gong": gong_path}, extends="../base"
    )
    return tmp_path


def test_a_bank_is_read_as_it_was_written(two_banks):
    bank = Bank.open(two_banks / "base")
    assert [entry.id for entry in bank.entries] == ["model.dog", "bell"]
    assert bank.entry("bell").pause_seconds == (0.5, 1.0)
    assert bank.entry("bell").author == "A. Maker"
    assert bank.entry("none") is None
    np.testing.assert_allclose(np.linalg.norm(bank.claps, axis=-1), 1, atol=1e-3)
    kept = (two_banks / "base" / "audio" / "bell.ogg").read_bytes()
    assert kept == (two_banks / "bell.ogg").read_bytes()


def test_a_bank_can_be_read_by_others_as_the_umask_says(tmp_path):
    bell, path = recording(tmp_path, "bell", 22_050, 1.0)
    before = os.umask(0o022)
    try:
        write_bank(tmp_path / "base", "base", [bell], unit_rows(np.random.default_rng(0), 1), {"bell": path})
    finally:
        os.umask(before)
    files = [path for path in (tmp_path / "base").rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o644}
    assert len(files) == 3


def test_a_bank_written_anew_keeps_nothing_of_the_old(two_banks):
    gong, path = recording(two_banks, "gong", 44_100, 2.0)
    write_bank(two_banks / "base", "base", [gong], unit_rows(np.random.default_rng(0), 1), {"gong": path})
    assert [entry.id for entry in Bank.open(two_banks / "base").entries] == ["gong"]
    assert [path.name for path in (two_banks / "base" / "audio").iterdir()] == ["gong.ogg"]


def test_an_extending_bank_holds_the_entries_of_both(two_banks):
    bank = Bank.open(two_banks / "more")
    assert [entry.id for entry in bank.entries] == ["model.dog", "bell", "gong"]
    assert bank.claps.shape == (3, 3, 256)
    np.testing.assert_allclose(np.linalg.norm(bank.claps, axis=-1), 1, atol=1e-3)
    assert bank.audio(bank.entry("bell")).shape[0] == 1
    assert bank.audio(bank.entry("gong")).shape[0] == 2
    assert [bank.bank_of(entry) for entry in bank.entries] == ["base", "base", "more"]
    assert [entry.id for entry in bank.added] == ["gong"]


def test_audio_comes_at_48_khz_with_its_pitch_and_length(two_banks):
    bank = Bank.open(two_banks / "base")
    sound = bank.audio(bank.entry("bell"))
    assert sound.shape == (1, 48_000)
    spectrum = np.abs(np.fft.rfft(sound[0]))
    assert abs(int(spectrum.argmax()) - 440) <= 1  # one second: a bin a hertz
    assert bank.audio(bank.entry("bell")) is sound  # decoded once


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda base: (base / MANIFEST).unlink(), "no sound bank"),
        (lambda base: (base / MANIFEST).write_text("{}"), "format 1"),
        (lambda base: (base / CLAPS).write_bytes(b"nothing"), "CLAP vectors"),
        (lambda base: (base / "audio" / "bell.ogg").unlink(), "missing"),
        (
            lambda base: (base / MANIFEST).write_text(
                (base / MANIFEST).read_text().replace('"bell"', '"model.dog"', 1)
            ),
            "twice",
        ),
    ],
)
def test_a_spoilt_bank_is_refused_with_its_path(two_banks, spoil, message):
    spoil(two_banks / "base")
    with pytest.raises(BundleError, match=message) as caught:
        Bank.open(two_banks / "more")
    assert str(two_banks / "base") in str(caught.value) or "more" in str(caught.value)


def test_an_unreadable_recording_is_a_bundle_error(two_banks):
    bank = Bank.open(two_banks / "base")
    (two_banks / "base" / "audio" / "bell.ogg").write_bytes(b"OggS but not really")
    with pytest.raises(BundleError, match=r"bell\.ogg"):
        bank.audio(bank.entry("bell"))


def changed(folder: Path, **facts):
    """Other facts in a bank's manifest; those of entries by `entry`."""
    manifest = json.loads((folder / MANIFEST).read_text())
    for row in manifest["entries"]:
        row.update(facts.get("entry", {}))
    manifest.update({key: value for key, value in facts.items() if key != "entry"})
    (folder / MANIFEST).write_text(json.dumps({k: v for k, v in manifest.items() if v != "missing"}))


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"name": "missing"}, "'name'"),
        ({"entries": {}}, "'entries'"),
        ({"entries": [3]}, "'entries'"),
        ({"extends": "../more"}, r"more.*extends itself"),
        ({"extends": "."}, r"base.*extends itself"),
        ({"clap": "f" * 64}, r"base.*another CLAP"),
        ({"entry": {"kind": "loop"}}, r"model\.dog.*kind 'loop'.*texture or event"),
        ({"entry": {"pause_seconds": [2, 1]}}, "pause_seconds"),
        ({"entry": {"pause_seconds": [0.5]}}, "not understood"),
        ({"entry": {"takes": [[1.0, 0.5]]}}, "takes"),
    ],
)
def test_a_manifest_that_means_nothing_is_refused(two_banks, facts, message):
    changed(two_banks / "more", clap="a" * 64)
    changed(two_banks / "base", **facts)
    with pytest.raises(BundleError, match=message):
        Bank.open(two_banks / "more")


def test_banks_of_other_widths_do_not_go_together(two_banks):
    save_file({"claps": np.ones((2, 1, 512), np.float16)}, two_banks / "base" / CLAPS)
    with pytest.raises(BundleError, match=r"256.*512.*another CLAP"):
        Bank.open(two_banks / "more")


def test_a_bank_of_another_width_than_the_bundle_s_clap_is_refused(two_banks):
    save_file({"claps": np.ones((2, 1, 512), np.float16)}, two_banks / "base" / CLAPS)
    with pytest.raises(BundleError, match=r"base.*expected 256.*got 512"):
        open_bank(Bundle.open("mini"), f"{two_banks}/base")


def test_a_bank_is_named_or_given_as_a_folder_with_a_slash(two_banks, monkeypatch):
    mini = Bundle.open("mini")
    assert mini.bank_folder("community") == SHIPPED / "community"
    monkeypatch.chdir(two_banks)
    assert mini.bank_folder("./base") == mini.bank_folder("base/") == two_banks / "base"
    with pytest.raises(BundleError, match=r"no bank 'base'; it has community, default.*\./base"):
        mini.bank_folder("base")


@pytest.mark.parametrize("n", [0, 1, 2, 3, 200])
def test_a_recording_of_a_few_samples_is_refused(two_banks, n):
    path = two_banks / "base" / "audio" / "bell.ogg"
    soundfile.write(path, np.full(n, 0.5), 48_000, format="WAV")
    changed(two_banks / "base", entry={"kind": "texture", "pause_seconds": [0, 0]})
    bank = Bank.open(two_banks / "base")
    with pytest.raises(BundleError, match=r"bell\.ogg.*expected at least 5 ms"):
        bank.takes(bank.entry("bell"))


@pytest.mark.parametrize("suffix", ["flac", "m4a"])
def test_a_part_past_the_end_of_a_file_is_a_bundle_error(tmp_path, suffix):
    """FLAC is read by libsndfile, M4A by ffmpeg."""
    path = tmp_path / f"tone.{suffix}"
    ffmpeg.run(["-f", "lavfi", "-i", "sine=duration=1:sample_rate=48000", ffmpeg.url(path)], timeout=30)
    first, second = read_parts(path, [(0.1, 0.3), (0.5, 0.75)])
    assert (first.shape, second.shape) == ((1, 9_600), (1, 12_000))
    assert 0.05 < np.abs(first).max() < 0.2
    with pytest.raises(BundleError, match=rf"tone\.{suffix}.*second 5"):
        read_parts(path, [(0.0, 0.5), (5.0, 6.0)])


def test_many_channels_are_mixed_down_whether_parts_are_read_or_all(tmp_path):
    sound = np.zeros((48_000, 4), np.float32)
    sound[:, 3] = 0.4  # what the first two channels lack
    sound[100, 3] = np.inf
    soundfile.write(tmp_path / "four.wav", sound, 48_000, subtype="FLOAT")
    whole, (part,) = read_audio(tmp_path / "four.wav"), read_parts(tmp_path / "four.wav", [(0.0, 1.0)])
    np.testing.assert_array_equal(whole, part)
    assert whole.shape == (1, 48_000)
    assert np.abs(whole).max() == pytest.approx(0.1)


def test_takes_are_read_as_they_are_wanted(two_banks):
    changed(two_banks / "base", entry={"takes": [[0.0, 0.25], [0.25, 0.5], [0.5, 1.0]]})
    bank = Bank.open(two_banks / "base")
    bell = bank.entry("bell")
    (third,) = bank.takes(bell, [2])
    assert third.shape == (1, 24_000)
    lengths = [take.shape[1] for take in bank.takes(bell)]
    assert lengths == pytest.approx([12_000, 12_000, 24_000], abs=3)
    assert bank.takes(bell)[2] is third


def test_of_long_takes_a_minute_is_drawn_and_of_few_all(two_banks):
    changed(two_banks / "base", entry={"takes": [[0.0, 20.0], [20.0, 40.0], [40.0, 60.0]]})
    bank = Bank.open(two_banks / "base")
    bell = bank.entry("bell")
    assert takes_in_turn(bank, bell, np.random.default_rng(0)) == ((bell, (0, 1, 2)),)
    changed(two_banks / "base", entry={"takes": [[25.0 * n, 25.0 * n + 25] for n in range(4)]})
    bank = Bank.open(two_banks / "base")
    bell = bank.entry("bell")
    draws = [takes_in_turn(bank, bell, np.random.default_rng(seed)) for seed in range(8)]
    assert all(one == bell and len(set(numbers)) == 2 for ((one, numbers),) in draws)
    assert {number for ((_, numbers),) in draws for number in numbers} == {0, 1, 2, 3}
    changed(two_banks / "base", entry={"takes": [[0.0, 61.0]]})
    bank = Bank.open(two_banks / "base")
    assert takes_in_turn(bank, bank.entry("bell"), np.random.default_rng(0))[0][1] == (0,)


# The shipped banks


@pytest.fixture(scope="module")
def default():
    return Bank.open(SHIPPED / "default")


@pytest.fixture(scope="module")
def community():
    return Bank.open(SHIPPED / "community")


def test_the_default_bank_owes_nobody_anything_but_the_mit_notice(default):
    assert {entry.licence for entry in default.entries} <= {"CC0-1.0", "MIT"}
    assert all(entry.author for entry in default.entries)
    notices = (SHIPPED / "default" / "LICENCES.md").read_text()
    assert "Permission is hereby granted" in notices


def test_the_community_bank_credits_what_it_adds(default, community):
    added = community.entries[len(default.entries) :]
    assert len(added) > 100
    assert {entry.licence for entry in added} <= {"CC-BY-3.0", "CC-BY-SA-3.0"}
    assert all(entry.author in entry.credit and entry.licence in entry.credit for entry in added)
    notices = (SHIPPED / "community" / "LICENCES.md").read_text()
    assert all(entry.origin.split(":")[0] in notices for entry in added)


def test_every_model_and_sound_of_the_shipped_banks_is_known(community):
    known = vocabulary()
    for entry in community.entries:
        assert entry.sound in known
        assert entry.model is None or community.models[entry.model].sound == entry.sound


def test_recordings_decode_to_what_the_manifest_says(community):
    for entry in community.entries[:: len(community.entries) // 25]:
        if entry.file is not None:
            sound = community.audio(entry)
            assert sound.shape == (entry.channels, pytest.approx(entry.seconds * 48_000, abs=1_000))
            assert np.isfinite(sound).all()
            assert 0.01 < np.abs(sound).max() < 1.5


def test_both_banks_stay_small():
    size = sum(path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file())
    assert size <= 19_000_000
