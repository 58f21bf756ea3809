"""The bank on disk: what is written is read back, and the shipped banks hold what their licences allow."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

import ssv2a
from ssv2a.errors import BundleError
from ssv2a.soundbank.bank import CLAPS, MANIFEST, Bank, Entry, write_bank
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
