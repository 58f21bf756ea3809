"""A user's own sounds: from a folder of files to a bank, a profile that names it, and the cue sheet."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
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
from ssv2a.soundbank.captions import UNKNOWN_LICENCE, describe
from ssv2a.soundbank.choice import nearest
from ssv2a.soundbank.library import Plan, build_library
from ssv2a.soundbank.meanings import Meanings
from ssv2a.soundbank.outline import kind_of, outline
from ssv2a.types import SAMPLE_RATE, Composition, VideoSettings

MINI = Path(__file__).parents[1] / "ssv2a" / "bundles" / "mini"
COMMUNITY = MINI / "banks" / "community"
MEANINGS = Meanings(MiniLm(MINI / "minilm_l6_v2_int8.onnx", MINI / "minilm_tokenizer.json", 1))


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
    assert (dog.caption, dog.author, dog.licence) == ("barking in yard, animal", "AX", UNKNOWN_LICENCE)
    assert bank.entry("Nature/Rain on leaves 03.flac").caption == "rain on leaves"
    assert all((path.stat().st_mtime_ns, path.read_bytes()) == kept for path, kept in before.items())


def test_a_second_build_reads_only_what_changed_and_follows_what_was_moved(library, clap):
    built(library, clap)
    (library / "Farm" / "cow moo.ogg").rename(library / "Farm" / "another cow.ogg")
    (library / "Nature" / "Sea.aiff").unlink()
    shutil.copyfile(library / "Farm" / "rooster.mp3", library / "Nature" / "Rain on leaves 03.flac")
    (library / "broken.wav").write_bytes(b"RIFF")
    counts, _ = built(library, clap)
    assert (counts.known, counts.moved, counts.read, counts.gone) == (2, 2, 1, 2)
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
    """Ten minutes of six channels at 96 kHz: a minute of it is read, mixed down."""
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


def test_a_library_that_is_not_there_is_said_by_its_path(library, clap):
    with pytest.raises(BundleError, match="no such folder"):
        built(library / "nowhere", clap)
    empty = library / "empty"
    empty.mkdir()
    with pytest.raises(BundleError, match="no sound"):
        built(empty, clap)
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
        ({}, "DOORWood_Slam Heavy_JD_LIB.wav", "slam heavy, door"),
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
    for seconds in (6, 9):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert not (folder / "foley-bank" / MANIFEST).exists()
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=500)
    read, unchanged = (int(part.split()[0]) for part in done.stdout.split(": ")[1].split(", ")[:2])
    assert unchanged > 50
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
