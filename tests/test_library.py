"""A user's own sounds: from a folder of files to a bank, a profile that names it, and the cue sheet."""

import csv
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
from released_bundle import tiny, write_released_bundle

from ssv2a.chain import load_chain
from ssv2a.embed.clap import MiniClap
from ssv2a.embed.minilm import MiniLm
from ssv2a.errors import BundleError
from ssv2a.media import ffmpeg
from ssv2a.pipeline import Ssv2a
from ssv2a.soundbank.bank import MANIFEST, Bank
from ssv2a.soundbank.bwf import wave_tags
from ssv2a.soundbank.captions import UNKNOWN_LICENCE, describe
from ssv2a.soundbank.choice import nearest
from ssv2a.soundbank.index import INDEX
from ssv2a.soundbank.library import Plan, build_library
from ssv2a.soundbank.meanings import Meanings
from ssv2a.soundbank.outline import kind_of, outline
from ssv2a.soundbank.player import play_alone
from ssv2a.types import SAMPLE_RATE, Composition, VideoSettings

MINI = Path(__file__).parents[1] / "ssv2a" / "bundles" / "mini"
COMMUNITY = MINI / "banks" / "community"
MEANINGS = Meanings(
    MiniLm(
        MINI / "minilm_l6_v2_int8.onnx",
        MINI / "minilm_tokenizer.json",
        1,
        MINI / "sentences.safetensors",
    )
)


@pytest.fixture(scope="module")
def clap():
    return MiniClap.load(MINI / "clap.safetensors")


@pytest.fixture
def library(tmp_path):
    """Recordings of the shipped banks under the names and tags that a house might give them."""
    folder = tmp_path / "House Sounds"
    bank = Bank.open(COMMUNITY)

    def put(name, entry, **options):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, bank.audio(bank.entry(entry)).T, SAMPLE_RATE, **options)
        return path

    put("ANMLDog_Barking In Yard_AX_HOUSE.wav", "dog_wolf_001")
    put("Nature/Rain on leaves 03.flac", "rain_003")
    put("Nature/Sea.aiff", "sea_waves_004")
    put("Farm/cow moo.ogg", "cow_001")
    put("Farm/rooster.mp3", "chicken_rooster_004")
    return folder


def plan(folder, **changes):
    options = {
        "name": "house",
        "licence": None,
        "extends": "default",
        "mark": "mark",
        "bank": folder / "bank",
    }
    return Plan(folder=folder, **{**options, **changes})


def built(folder, clap, **changes):
    seen = []
    counts = build_library(
        plan(folder, **changes), clap, MEANINGS, lambda _n, _of, path: seen.append(path.name)
    )
    return counts, seen


def opened(folder, **changes):
    return Bank.open(plan(folder, **changes).bank, lambda name: MINI / "banks" / name, "mark")


# Building


def test_files_of_every_format_become_entries_and_are_not_touched(library, clap):
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in library.rglob("*.*")}
    counts, _ = built(library, clap)
    assert (counts.entries, counts.read, counts.faults) == (5, 5, ())
    bank = opened(library)
    own = [bank.entries[place] for place in bank.own]
    assert [entry.id for entry in own] == sorted(entry.id for entry in own)
    dog = bank.entry("ANMLDog_Barking In Yard_AX_HOUSE.wav")
    assert (dog.caption, dog.author, dog.licence) == ("barking in yard, animal, dog", "AX", UNKNOWN_LICENCE)
    assert bank.entry("Nature/Rain on leaves 03.flac").caption == "rain on leaves"
    assert all((path.stat().st_mtime_ns, path.read_bytes()) == kept for path, kept in before.items())


def test_a_second_build_reads_only_what_changed_and_follows_what_was_moved(library, clap):
    built(library, clap)
    (library / "Farm" / "cow moo.ogg").rename(library / "Farm" / "another cow.ogg")
    (library / "Nature" / "Sea.aiff").unlink()
    shutil.copyfile(library / "Farm" / "rooster.mp3", library / "Nature" / "Rain on leaves 03.flac")
    (library / "broken.wav").write_bytes(b"RIFF")
    counts, _ = built(library, clap)
    assert (counts.known, counts.moved, counts.read, counts.gone) == (2, 1, 2, 2)  # as rain it is a texture
    assert [name for name, _ in counts.faults] == ["broken.wav"]
    assert opened(library).entry("Farm/another cow.ogg") is not None
    same = plan(library).bank / MANIFEST
    first = same.read_bytes()
    built(library, clap)
    assert same.read_bytes() == first


def test_other_ears_or_another_licence_are_another_build(library, clap):
    built(library, clap)
    counts, _ = built(library, clap, licence="House")
    assert counts.read == 5
    assert {opened(library).entries[place].licence for place in opened(library).own} == {"House"}
    with pytest.raises(BundleError, match="another CLAP"):
        Bank.open(plan(library).bank, lambda name: MINI / "banks" / name, "other")


def test_long_and_wide_files_are_played_in_part(tmp_path, clap):
    """Two minutes of six channels at 96 kHz: a minute of it is read, mixed down."""
    rng = np.random.default_rng(0)
    with soundfile.SoundFile(tmp_path / "forest.w64", "w", 96_000, 6, "PCM_16", format="W64") as file:
        for _ in range(120):
            file.write(0.05 * rng.standard_normal((96_000, 6)).astype(np.float32))
    built(tmp_path, clap, extends=None)
    bank = opened(tmp_path)
    entry = bank.entry("forest.w64")
    assert (entry.kind, entry.rate, entry.channels, entry.seconds) == ("texture", 96_000, 6, 120)
    assert bank.audio(entry).shape == (1, 60 * SAMPLE_RATE)


def test_a_file_of_several_steps_is_played_step_by_step(tmp_path, clap):
    rng = np.random.default_rng(0)
    steps = np.zeros(4 * SAMPLE_RATE, np.float32)
    places = [0.2, 1.1, 2.0, 3.1]
    for place in places:
        start = round(place * SAMPLE_RATE)
        steps[start : start + 9_600] = rng.standard_normal(9_600) * np.exp(-np.arange(9_600) / 1_500) * 0.3
    soundfile.write(tmp_path / "steps on gravel.wav", steps, SAMPLE_RATE)
    built(tmp_path, clap, extends=None)
    bank = opened(tmp_path)
    (entry,) = bank.entries
    assert entry.kind == "event"
    assert [first for first, _ in entry.takes] == pytest.approx(places, abs=0.03)
    assert len(bank.takes(entry)) == 4
    assert 0.4 < entry.pause_seconds[0] <= entry.pause_seconds[1] < 1.2


def clicks(seconds, length, places, rate=SAMPLE_RATE):
    """Clicks of `length` seconds at `places` seconds, [n]."""
    rng = np.random.default_rng(0)
    sound = np.zeros(round(seconds * rate), np.float32)
    for place in places:
        start = round(place * rate)
        sound[start : start + round(length * rate)] = 0.3 * rng.uniform(-1, 1, round(length * rate))
    return sound


@pytest.mark.parametrize(
    ("sound", "takes"),
    [(clicks(0.025, 0.025, [0]), 1), (clicks(2, 0.02, [0.1, 0.7, 1.4]), 3), (clicks(2, 0.005, [1.0]), 1)],
)
def test_the_shortest_clicks_are_sounds_that_can_be_played(tmp_path, clap, sound, takes):
    soundfile.write(tmp_path / "mouse click.wav", sound, SAMPLE_RATE)
    counts, _ = built(tmp_path, clap, extends=None)
    assert counts.faults == ()
    bank = opened(tmp_path)
    (entry,) = bank.entries
    assert len(bank.takes(entry)) == takes
    assert np.abs(play_alone(bank, entry, 2 * SAMPLE_RATE, 0)).max() > 0.01


def test_a_file_of_a_few_samples_is_passed_over(tmp_path, clap):
    for n in (1, 2, 200):
        soundfile.write(tmp_path / f"{n}.wav", np.full(n, 0.5), SAMPLE_RATE)
    soundfile.write(tmp_path / "click.wav", clicks(0.1, 0.02, [0.01]), SAMPLE_RATE)
    counts, _ = built(tmp_path, clap, extends=None)
    assert counts.entries == 1
    assert [name for name, _ in counts.faults] == ["1.wav", "2.wav", "200.wav"]
    assert all("expected at least 5 ms" in why for _, why in counts.faults)


def test_takes_of_a_low_rate_lie_where_they_are_heard(tmp_path, clap):
    """At 11,025 Hz a hop is no round hundredth of a second; the last of 200 s is near the file's end."""
    soundfile.write(
        tmp_path / "knocks.wav", clicks(200, 0.1, [1.0, 199.8], rate=11_025), 11_025, subtype="FLOAT"
    )
    built(tmp_path, clap, extends=None)
    bank = opened(tmp_path)
    (entry,) = bank.entries
    assert [first for first, _ in entry.takes] == pytest.approx([1.0, 199.8], abs=0.03)
    assert all(np.square(take).mean() > 1e-3 for take in bank.takes(entry))


def test_samples_that_are_no_numbers_are_silent(tmp_path, clap):
    sound = clicks(1, 0.2, [0.3])
    sound[[16_000, 16_001, 16_002]] = np.inf, -np.inf, np.nan
    soundfile.write(tmp_path / "knock.wav", sound, SAMPLE_RATE, subtype="FLOAT")
    built(tmp_path, clap, extends=None)
    bank = opened(tmp_path)
    assert 0.2 < np.abs(bank.audio(bank.entries[0])).max() < 0.6


def test_a_name_that_is_not_utf_8_is_told_and_passed_over(tmp_path, clap):
    soundfile.write(tmp_path / "knock.wav", clicks(1, 0.2, [0.3]), SAMPLE_RATE)
    shutil.copyfile(tmp_path / "knock.wav", os.fsencode(tmp_path) + b"/caf\xe9.wav")
    for _ in range(2):
        counts, _ = built(tmp_path, clap, extends=None)
        assert counts.entries == 1
        ((name, why),) = counts.faults
        assert name == r"caf\xe9.wav"
        assert "not UTF-8; rename it" in why
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xe9"))
    folder.mkdir()
    with pytest.raises(BundleError, match="not UTF-8"):
        built(folder, clap)


def test_a_renamed_file_is_described_anew_without_being_heard_again(library, clap):
    built(library, clap, extends=None)
    before = opened(library)
    wanted = before.claps[before.entries.index(before.entry("Farm/cow moo.ogg"))]
    dogs = library / "Dogs"
    dogs.mkdir()
    (library / "Farm" / "cow moo.ogg").rename(dogs / "ANMLDog_Dog Barking_JD_LIB.ogg")
    (library / "Nature" / "Rain on leaves 03.flac").rename(library / "Nature" / "dog barking.flac")
    counts, _ = built(library, clap, extends=None)
    assert (counts.known, counts.moved, counts.read) == (3, 1, 1)  # of a texture other parts are played
    bank = opened(library)
    dog = bank.entry("Dogs/ANMLDog_Dog Barking_JD_LIB.ogg")
    assert (dog.sound, dog.caption, dog.author) == ("dog_bark", "dog barking, animal, dog", "JD")
    assert dog.takes == before.entry("Farm/cow moo.ogg").takes
    np.testing.assert_array_equal(bank.claps[bank.entries.index(dog)], wanted)
    rain = bank.entry("Nature/dog barking.flac")
    assert (rain.sound, rain.kind) == ("dog_bark", "event")


def test_a_touched_file_is_known(library, clap):
    built(library, clap)
    os.utime(library / "Farm" / "rooster.mp3", (1, 1))
    for _ in range(2):
        counts, _ = built(library, clap)
        assert (counts.known, counts.moved, counts.read) == (5, 0, 0)


def test_what_was_heard_outlives_an_unmounted_disk(library, clap):
    bank = library.parent / "bank"
    built(library, clap, bank=bank)
    away = library.rename(library.parent / "away")
    library.mkdir()
    with pytest.raises(BundleError, match=r"no sound.*mounted"):
        built(library, clap, bank=bank)
    assert not any(library.iterdir())
    (library / "broken.wav").write_bytes(b"RIFF")
    with pytest.raises(BundleError, match="no sound in it that can be used"):
        built(library, clap, bank=bank)
    shutil.rmtree(library)
    away.rename(library)
    counts, _ = built(library, clap, bank=bank)
    assert (counts.known, counts.read) == (5, 0)


def test_a_bank_can_be_read_by_others_as_the_umask_says(tmp_path, clap):
    soundfile.write(tmp_path / "knock.wav", clicks(1, 0.2, [0.3]), SAMPLE_RATE)
    before = os.umask(0o027)
    try:
        built(tmp_path, clap)
        modes = {path.stat().st_mode & 0o777 for path in plan(tmp_path).bank.iterdir()}
    finally:
        os.umask(before)
    assert modes == {0o640}


def test_of_one_content_one_file_is_in_the_bank_and_the_copies_are_told(library, clap):
    (library / "A").mkdir()
    shutil.copyfile(library / "Farm" / "rooster.mp3", library / "A" / "Track 01.mp3")
    counts, _ = built(library, clap)
    assert (counts.entries, counts.moved) == (5, 0)
    assert counts.copies == (("A/Track 01.mp3", "Farm/rooster.mp3"),)  # that one says what it is
    built(library, clap)
    shutil.copyfile(library / "Farm" / "cow moo.ogg", library / "Farm" / "cow moo 2.ogg")
    counts, _ = built(library, clap)
    assert (counts.entries, counts.known, counts.read, counts.moved) == (5, 6, 0, 0)
    assert counts.copies == (
        ("A/Track 01.mp3", "Farm/rooster.mp3"),
        ("Farm/cow moo 2.ogg", "Farm/cow moo.ogg"),
    )
    (library / "Farm" / "cow moo.ogg").unlink()
    counts, _ = built(library, clap)
    assert (counts.entries, counts.gone) == (5, 1)
    assert opened(library).entry("Farm/cow moo 2.ogg") is not None


@pytest.mark.parametrize("suffix", ["wav", "aiff", "flac", "w64"])
def test_a_file_that_was_cut_off_is_used_and_told(tmp_path, clap, suffix):
    for name in ("whole", "cut"):
        sound = clicks(4, 0.2, [0.3, 1.1, 3.5] if name == "cut" else [0.3, 1.5])
        soundfile.write(tmp_path / f"{name} knocks.{suffix}", sound, SAMPLE_RATE)
    cut = tmp_path / f"cut knocks.{suffix}"
    with cut.open("r+b") as file:
        file.truncate(cut.stat().st_size // 2)
    for _ in range(2):
        counts, _ = built(tmp_path, clap, extends=None)
        assert (counts.entries, counts.faults) == (2, ())
        ((name, note),) = counts.notes
        assert name == cut.name
        assert "of the 4.0 s that its header says" in note


def test_a_linked_folder_is_passed_over(library, clap, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(library / "Farm", elsewhere)
    (library / "Linked").symlink_to(elsewhere)
    counts, _ = built(library, clap)
    assert (counts.entries, counts.copies) == (5, ())


NAMELESS = [
    *("untitled", "Track 07", "Audio 1-14", "final_v2_mix", "Interior kitchen atmos", "MKH416_boom", "nan"),
    *("float over", "Hund bellt", "forest no birds"),
]


def test_names_that_mean_nothing_or_not_surely_are_no_kind_of_sound(tmp_path, clap):
    for number, name in enumerate(NAMELESS):
        soundfile.write(tmp_path / f"{name}.wav", clicks(1, 0.2, [number / 20]), SAMPLE_RATE)
    for number, name in enumerate(("UIClick_Menu Select_XX_YY", "dog_bark_03")):
        soundfile.write(tmp_path / f"{name}.wav", clicks(2, 0.2, [number / 20]), SAMPLE_RATE)
    built(tmp_path, clap, extends=None)
    kinds = {Path(entry.id).stem: entry.sound for entry in opened(tmp_path).entries}
    assert {name: kinds.pop(name) for name in NAMELESS} == dict.fromkeys(NAMELESS, "")
    assert kinds == {"UIClick_Menu Select_XX_YY": "mouse_click", "dog_bark_03": "dog_bark"}


@pytest.mark.parametrize("name", ["untitled", "Track 07", "0001", "R0001_210304", "nan"])
def test_noise_and_numbers_are_a_caption_but_no_description(name):
    said = describe({}, Path(f"{name}.wav"))
    assert (said.caption, said.phrases) == (name, ())


def test_an_index_that_cannot_be_used_is_told_with_what_to_do(tmp_path, clap):
    soundfile.write(tmp_path / "knock.wav", clicks(1, 0.2, [0.3]), SAMPLE_RATE)
    built(tmp_path, clap)
    index = plan(tmp_path).bank / INDEX
    with sqlite3.connect(index) as other:
        other.execute("begin exclusive")
        with pytest.raises(BundleError, match=r"index\.sqlite.*locked.*another build is running"):
            built(tmp_path, clap)
    other.close()
    index.write_bytes(b"no database at all" * 99)
    with pytest.raises(BundleError, match=r"index\.sqlite.*delete it and build again"):
        built(tmp_path, clap)
    index.unlink()
    index.mkdir()
    with pytest.raises(BundleError, match=r"index\.sqlite.*--out"):
        built(tmp_path, clap)
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(BundleError, match=r"cannot be made.*--out"):
        built(tmp_path, clap, bank=tmp_path / "file" / "bank")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_bank_in_a_folder_that_cannot_be_written_is_told(tmp_path, clap):
    soundfile.write(tmp_path / "knock.wav", clicks(1, 0.2, [0.3]), SAMPLE_RATE)
    built(tmp_path, clap)
    plan(tmp_path).bank.chmod(0o500)
    try:
        with pytest.raises(BundleError, match="--out"):
            built(tmp_path, clap)
    finally:
        plan(tmp_path).bank.chmod(0o700)


def test_of_many_footsteps_only_a_few_are_read(tmp_path, clap, monkeypatch):
    sound = clicks(0.4, 0.1, [0.05])
    for number in range(40):
        soundfile.write(tmp_path / f"Footstep {number:03}.wav", sound * (0.5 + number / 80), SAMPLE_RATE)
    built(tmp_path, clap, extends=None)
    bank = opened(tmp_path)
    assert len({(entry.caption, entry.author) for entry in bank.entries}) == 1
    heard = []
    monkeypatch.setattr(
        bank, "takes", lambda entry, numbers=None: heard.append(entry.id) or Bank.takes(bank, entry, numbers)
    )
    for seed in (0, 0, 1):
        play_alone(bank, bank.entries[7], 4 * SAMPLE_RATE, seed)
    first, again, other = heard[:12], heard[12:24], heard[24:]
    assert len(set(first)) == len(set(other)) == 12
    assert first == again
    assert first[0] == other[0] == "Footstep 007.wav"
    assert set(first) != set(other)


def test_a_library_that_is_not_there_is_said_by_its_path(library, clap):
    with pytest.raises(BundleError, match="no such folder"):
        built(library / "nowhere", clap)
    empty = library / "empty"
    empty.mkdir()
    with pytest.raises(BundleError, match=r"no sound.*\.wav, \.aiff, \.flac, \.mp3"):
        built(empty, clap)
    assert not any(empty.iterdir())
    built(library, clap, bank=library.parent / "bank")
    library.rename(library.parent / "unmounted")
    with pytest.raises(BundleError, match=r"and 4 more: missing.*Mount"):
        Bank.open(library.parent / "bank", lambda name: MINI / "banks" / name)


# What files say


@pytest.mark.parametrize(
    ("tags", "place", "caption"),
    [
        ({"description": "Heavy oak door slams", "title": "x"}, "a/T0001.wav", "Heavy oak door slams"),
        ({"description": "sTAKE=03\nsSCENE=12"}, "Doors/T0001.wav", "doors"),
        ({}, "Foley/Footsteps/Snow/take 07.wav", "snow"),
        ({}, "DOORWood_Slam Heavy_JD_LIB.wav", "slam heavy, door, wood"),
        ({}, "UIClick_Menu Select_XX_YY.wav", "menu select, user interface, click"),
        ({}, "UIClick_01_XX_YY.wav", "user interface click"),
        ({"keywords": "thunder, storm"}, "001.wav", "thunder, storm"),
        ({}, "0001.wav", "0001"),
    ],
)
def test_the_first_that_says_something_is_the_caption(tags, place, caption):
    assert describe(tags, Path(place)).caption == caption


def test_broadcast_waves_are_read_as_they_say(tmp_path, clap):
    """A bext chunk and an iXML chunk, written byte by byte."""
    plain = tmp_path / "plain.wav"
    soundfile.write(plain, Bank.open(COMMUNITY).audio(Bank.open(COMMUNITY).entry("cow_001")).T, SAMPLE_RATE)
    content = plain.read_bytes()
    bext = b"A cow calls at dusk".ljust(256, b"\0") + b"Jo Recordist".ljust(32, b"\0") + bytes(314)
    ixml = b"<BWFXML><USER><KEYWORDS>cow, cattle</KEYWORDS></USER></BWFXML>"
    ixml += b" " * (len(ixml) % 2)
    chunks = (
        b"bext" + len(bext).to_bytes(4, "little") + bext + b"iXML" + len(ixml).to_bytes(4, "little") + ixml
    )
    whole = content[:12] + chunks + content[12:]
    (tmp_path / "T001.wav").write_bytes(whole[:4] + (len(whole) - 8).to_bytes(4, "little") + whole[8:])
    plain.unlink()
    built(tmp_path, clap, extends=None)
    (entry,) = opened(tmp_path).entries
    assert (entry.caption, entry.author) == ("A cow calls at dusk", "Jo Recordist")


def test_of_two_chunks_of_one_kind_the_first_that_says_something_counts(tmp_path):
    def chunk(name, content):
        return name + len(content).to_bytes(4, "little") + content

    def bext(description, originator):
        return chunk(b"bext", description.ljust(256, b"\0") + originator.ljust(346, b"\0"))

    title = b"INFO" + b"INAM" + (6).to_bytes(4, "little") + b"First\0"
    title += b"INAM" + (6).to_bytes(4, "little") + b"Third\0"
    body = bext(b"", b"Jo") + bext(b"A cow calls", b"Someone else")
    body += chunk(b"LIST", title) + chunk(b"LIST", title.replace(b"First", b"Other"))
    (tmp_path / "a.wav").write_bytes(b"RIFF" + (4 + len(body)).to_bytes(4, "little") + b"WAVE" + body)
    assert wave_tags(tmp_path / "a.wav") == {
        "description": "A cow calls",
        "originator": "Jo",
        "title": "First",
    }


@pytest.mark.parametrize(
    "author",
    ["Karl Marx", "Roland Emmerich", "Zoomer Smith", "Ann Logicman", "Max Reaper", "Nagra Singh", "Jo R."],
)
def test_people_are_credited_whatever_they_are_called(author):
    assert describe({"originator": author}, Path("a.wav")).author == author


@pytest.mark.parametrize(
    "machine",
    [
        "Pro Tools",
        "ProTools 12.8",
        "REAPER",
        "Adobe Audition 2020 (Windows)",
        "Lavf58.29.100",
        "iZotope RX 9",
        "Sound Devices MixPre-6 II",
        "SoundDevices 702T",
        "ZOOM Handy Recorder H4n",
        "TASCAM DR-40",
        "Logic Pro X",
        "Steinberg Nuendo 10",
        "Roland R-26",
        "Aaton CantarX2",
    ],
)
def test_programs_and_recorders_are_no_authors(machine):
    assert describe({"originator": machine, "artist": "Jo"}, Path("a.wav")).author == "Jo"


def test_textures_and_events_of_the_shipped_banks_are_mostly_told_apart():
    bank = Bank.open(COMMUNITY)
    long = [entry for entry in bank.entries if entry.file and entry.seconds >= 3]
    right = [kind_of(outline([bank.audio(entry)], SAMPLE_RATE)) == entry.kind for entry in long]
    assert np.mean(right) > 0.65


# In use


def test_the_house_s_own_sounds_go_first_and_the_bundle_s_stand_in(library, clap):
    built(library, clap)
    bank = opened(library)
    wanted = bank.claps[bank.own[0]][0]
    rooster = nearest(bank, wanted, "rooster_crow")
    assert [bank.entries[place].id for place in rooster.places] == ["Farm/rooster.mp3"]
    siren = nearest(bank, wanted, "siren")
    assert {bank.entries[place].sound for place in siren.places} == {"siren"}


def wait_for_rows(index, known, process):
    """Until so many files are in the index of a build that runs."""
    rows, until = f"file:{index}?mode=ro", time.monotonic() + 300
    while time.monotonic() < until:
        assert process.poll() is None, process.communicate()
        with suppress(sqlite3.OperationalError), closing(sqlite3.connect(rows, uri=True)) as db:
            if db.execute("select count(*) from files").fetchone()[0] >= known:
                return
        time.sleep(0.05)
    pytest.fail(f"{known} files are not read in five minutes")


@pytest.mark.slow
def test_two_thousand_files_a_killed_build_and_a_daemon_s_cue_sheet(tmp_path):
    # 1. Two thousand files; the build is killed twice and goes on.
    folder = tmp_path / "library"
    bank = Bank.open(COMMUNITY)
    recordings = [entry for entry in bank.entries if entry.file]
    rng = np.random.default_rng(0)
    for number in range(2_000):
        entry = recordings[number % len(recordings)]
        suffix = ("wav", "flac", "aiff", "ogg")[number % 4]
        path = folder / entry.sound / f"{entry.caption.replace('/', ' ')} {number:04d}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        sound = bank.audio(entry)[:, : 3 * SAMPLE_RATE] * rng.uniform(0.3, 0.9)
        soundfile.write(path, sound.T, SAMPLE_RATE)
    command = [sys.executable, "-c", "from ssv2a.cli import main; main()", "bank", "build", str(folder)]
    for known in (60, 200):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_for_rows(folder / "foley-bank" / INDEX, known, process)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert not (folder / "foley-bank" / MANIFEST).exists()
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=500)
    read, unchanged = (int(part.split()[0]) for part in done.stdout.split(": ")[1].split(", ")[:2])
    assert unchanged >= 200
    assert read + unchanged <= 2_000
    assert done.stdout.startswith("2000 sounds")
    again = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    assert "0 read, 2000 unchanged" in again.stdout

    # 2. A profile names it, and the cue sheet names the files that are heard.
    clip = tmp_path / "clip.mp4"
    source = "color=black:size=320x180:rate=25:duration=6"
    ffmpeg.run(["-y", "-f", "lavfi", "-i", source, "-c:v", "libx264", ffmpeg.url(clip)], timeout=60)
    profile = tmp_path / "house.yaml"
    profile.write_text(
        f"model: {{bank: '{folder / 'foley-bank'}', cycle_its: 4, cycle_samples: 8, candidates: 1}}\n"
        "sources: {add: [a rooster crowing]}\n"
    )
    out = tmp_path / "out"
    environment = {**os.environ, "FOLEY_HOME": str(tmp_path / "home")}
    foley = [
        sys.executable,
        "-m",
        "foley_daemon",
        "process",
        str(clip),
        "--profile",
        str(profile),
        "--out",
        str(out),
    ]
    subprocess.run(foley, env=environment, check=True, capture_output=True, timeout=300)
    (sheet,) = out.glob("*.cues.csv")
    rows = list(csv.DictReader(sheet.read_text(encoding="utf-8-sig").splitlines()))
    own = [row for row in rows if not row["file"].startswith("model.")]
    assert own
    report = json.loads(next(out.glob("*.foley.json")).read_text())
    assert {row["file"] for row in rows} == {one["entry"] for c in report["chunks"] for one in c["sounds"]}
    for row in own:
        assert (folder / row["file"]).is_file()
        assert "rooster_crow" in row["file"]
        assert 0 <= float(row["in_seconds"]) < float(row["out_seconds"]) <= 6.001


def test_the_released_chain_takes_a_bank_where_it_is_given_one(tmp_path):
    """Its CLAP and networks stay; what decodes is the bank."""
    bundle = write_released_bundle(tmp_path / "bundle", tiny())
    clap = load_chain(bundle.folder, device="cpu").clap.get()
    folder = tmp_path / "library"
    folder.mkdir()
    shipped = Bank.open(COMMUNITY)
    for name in ("cow_001", "rain_003"):
        soundfile.write(folder / f"{name}.wav", shipped.audio(shipped.entry(name)).T, SAMPLE_RATE)
    build_library(plan(folder, extends=None, mark=bundle.clap_mark), clap, Meanings(None))
    model = Ssv2a.load(bundle.folder, bank=f"{folder}/bank", device="cpu")
    settings = VideoSettings(var_samples=2, cycle_its=1, cycle_samples=2)
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
    take = model.image([image], 3 * SAMPLE_RATE, seeds=[0], settings=settings)[0]
    assert take.waveform.shape == (2, 3 * SAMPLE_RATE)
    sound = model.compose(
        Composition(sounds=(shipped.audio(shipped.entry("cow_001"))[:1],)),
        3 * SAMPLE_RATE,
        seed=0,
        settings=settings,
    )
    assert {pick.entry for pick in sound.picks} <= {"cow_001.wav", "rain_003.wav"}
    assert sound.picks
    with pytest.raises(BundleError, match="no bank 'community'"):  # it was passed over in silence
        load_chain(bundle.folder, bank="community", device="cpu")
