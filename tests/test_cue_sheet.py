"""The cue sheet: every time that a file is heard, as measured in the sound, and nothing twice."""

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from media_fixtures import make_clip, noise
from quick_engine import QuickEngine
from rich.console import Console

import ssv2a
from foley_daemon.console import show_output
from foley_daemon.cue_sheet import cues_of_clip
from foley_daemon.domain import Chunk
from foley_daemon.engine import RenderRequest
from foley_daemon.findings import SeenChunk
from foley_daemon.profile import load_profile
from foley_daemon.worker import process_clip
from ssv2a.cue_sheet import COLUMNS, cue_sheet, cues_of
from ssv2a.embed.clap import MiniClap
from ssv2a.embed.minilm import MiniLm
from ssv2a.soundbank.bank import Bank
from ssv2a.soundbank.player import Played
from ssv2a.soundbank.render import Motion
from ssv2a.synthesis import soundbank
from ssv2a.synthesis.soundbank import SoundBank
from ssv2a.types import SAMPLE_RATE, Pick, Scene, SoundRequest, Take, Track

MINI = Path(ssv2a.__file__).parent / "bundles" / "mini"
FRAMES = 24
SECONDS = 6
REFLECTED = 0.12  # seconds that a room answers after a sound has ended


@pytest.fixture(scope="module")
def synthesiser():
    known = MINI / "sentences.safetensors"
    text = MiniLm(MINI / "minilm_l6_v2_int8.onnx", MINI / "minilm_tokenizer.json", 1, known)
    return SoundBank(Bank.open(MINI / "banks" / "default"), MiniClap.load(MINI / "clap.safetensors"), text)


def track(key, caption, presence=None, count=1):
    there = np.ones(FRAMES, np.float32) if presence is None else np.asarray(presence, np.float32)
    even = np.ones(FRAMES, np.float32)
    return Track(
        key, "thing", f"thing {key}", caption, np.zeros(4, np.float32), there, even / 2, even / 10, count
    )


def heard(synthesiser, *tracks, seed=0):
    """The scene of these tracks and its rendering, with a stem for each."""
    clap, text = synthesiser._clap, synthesiser._text
    tracks = [replace(one, clap=clap.text(text.embed([one.caption]))[0]) for one in tracks]
    target = np.mean([one.clap for one in tracks], axis=0)
    times = tuple(Fraction(number * SECONDS, FRAMES) for number in range(FRAMES))
    scene = Scene(Fraction(SECONDS), times, target / np.linalg.norm(target), tuple(tracks), None)
    request = SoundRequest(scene, SECONDS * SAMPLE_RATE, seed, stems=True)
    return scene, synthesiser.synthesise([request])[0]


def rows_of(sheet: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(sheet.decode("utf-8-sig"))))


def in_rows(rows, late=0.0):
    """[n] bool: where one of the rows says that something is heard."""
    at = np.arange(SECONDS * SAMPLE_RATE) / SAMPLE_RATE
    spans = [(float(row["in_seconds"]), float(row["out_seconds"]) + late) for row in rows]
    return np.any([(at >= first - 0.001) & (at < last) for first, last in spans], axis=0)


# What is really played


@pytest.mark.parametrize(("caption", "count"), [("a dog barking", 1), ("footsteps", 1), ("a dog barking", 3)])
@pytest.mark.parametrize("seed", [0, 3])
def test_each_time_an_event_is_heard_has_a_row_and_no_more(synthesiser, caption, count, seed):
    scene, rendering = heard(synthesiser, track(1, caption, count=count), seed=seed)
    rows = [
        row
        for row in rows_of(cue_sheet(cues_of(scene, rendering.picks), "default"))
        if row["source"] != "ambience"
    ]
    assert len(rows) >= 2
    assert {row["source"] for row in rows} == {"thing 1"}
    power = np.square(rendering.stems[1]).sum(axis=0)
    assert power[~in_rows(rows, REFLECTED)].sum() < 1e-4 * power.sum()
    for row in rows:
        first, last = (round(float(row[name]) * SAMPLE_RATE) for name in ("in_seconds", "out_seconds"))
        assert power[first:last].max() > 1e-4 * power.max()
    if count == 1:  # one thing at a time
        ends = [float(row["out_seconds"]) for row in rows]
        assert all(float(row["in_seconds"]) >= end for row, end in zip(rows[1:], ends, strict=False))


def test_what_is_never_there_is_audible_nowhere():
    motion = Motion.over([0.0], *np.zeros((3, 1), np.float32), SAMPLE_RATE)
    assert soundbank._audible(motion) == ()


def test_what_goes_on_has_a_row_for_each_stretch_in_which_its_source_is_there(synthesiser):
    there = np.ones(FRAMES)
    there[8:14] = 0  # 2.0 to 3.5 s
    scene, rendering = heard(synthesiser, track(1, "rain falling", there))
    rows = rows_of(cue_sheet(cues_of(scene, rendering.picks), "default"))
    spans = [(float(row["in_seconds"]), float(row["out_seconds"])) for row in rows if row["sound"] == "rain"]
    assert np.array(spans) == pytest.approx(np.array([(0, 1.9), (3.4, 6)]), abs=0.15)


def test_a_glimpse_that_is_hardly_heard_has_its_row_too(synthesiser):
    scene, rendering = heard(synthesiser, track(1, "rain falling", np.eye(FRAMES)[12] * 0.6))
    (row,) = [
        row for row in rows_of(cue_sheet(cues_of(scene, rendering.picks), "x")) if row["sound"] == "rain"
    ]
    assert 2.6 < float(row["in_seconds"]) < 3 < float(row["out_seconds"]) < 3.4


def test_what_is_cut_off_as_it_begins_is_not_heard():
    """An event that waits for another until its source leaves."""
    voice = SimpleNamespace(motion=Motion.over([0.0], *np.ones((3, 1), np.float32), SAMPLE_RATE), track=1)
    entry = Bank.open(MINI / "banks" / "default").entry("model.mammal.dog")
    played = Played(np.zeros((1, SAMPLE_RATE), np.float32), ((entry, 47_999, 48_000), (entry, 0, 24_000)))
    (pick,) = soundbank._picks(voice, played, 0.5)
    assert pick.heard == ((0, Fraction(1, 2)),)
    assert soundbank._picks(voice, played, 0.0) == []
    assert soundbank._picks(voice, replace(played, heard=played.heard[:1]), 0.5) == []


# Over a clip

TEXTURE = Pick("Sirens/wail.wav", "siren", "a siren", "texture", 1, (), -7.04, "CC0-1.0", "")
EVENT = replace(
    TEXTURE, entry="odd/trunc dög.wav", sound="dog_bark", kind="event", track=2, credit='"Dög", by A'
)


def spans(*pairs):
    return tuple((Fraction(str(first)), Fraction(str(last))) for first, last in pairs)


def scene_of(seconds: Fraction) -> Scene:
    times = tuple(seconds * number / FRAMES for number in range(FRAMES))
    return Scene(seconds, times, np.zeros(4, np.float32), (track(1, "a siren"), track(2, "a dog")), None)


def chunk(index, start, end, *picks):
    first, last = (round(seconds * SAMPLE_RATE) for seconds in (start, end))
    scene = scene_of(Fraction(str(end - start)))
    return SeenChunk(Chunk(index, first, last, 0, 0, scene.times, 0), scene, (), picks, 0.0, {}, ())


def clip_rows(*chunks):
    return rows_of(cue_sheet(cues_of_clip(chunks), "/my/bank"))


def test_what_goes_on_over_chunk_joins_is_one_row():
    rows = clip_rows(
        chunk(0, 7.25, 15.25, replace(TEXTURE, heard=spans((3.015, 8)))),
        chunk(1, 14.75, 22.625, replace(TEXTURE, heard=spans((0, 7.875)))),
        chunk(2, 22.125, 30, replace(TEXTURE, heard=spans((0, 2), (5, 7.875)))),
    )
    times = [(row["in"], row["out"], row["in_seconds"], row["out_seconds"]) for row in rows]
    assert times == [
        ("00:00:10.265", "00:00:24.125", "10.265", "24.125"),
        ("00:00:27.125", "00:00:30.000", "27.125", "30.000"),
    ]


def test_chunks_without_overlap_join_too_and_another_source_or_level_does_not():
    first = chunk(0, 0, 8, replace(TEXTURE, heard=spans((0, 8))))
    whole = spans((0, 8))
    assert len(clip_rows(first, chunk(1, 8, 16, replace(TEXTURE, heard=whole)))) == 1
    for other in ({"track": 2}, {"gain_db": -3.0}, {"entry": "another"}):
        assert len(clip_rows(first, chunk(1, 8, 16, replace(TEXTURE, heard=whole, **other)))) == 2


def test_events_have_a_row_each_with_all_that_an_archive_asks():
    rows = clip_rows(
        chunk(0, 0, 8, replace(EVENT, heard=spans((0.24, 0.9), (7.6, 8)))),
        chunk(1, 7.5, 15.5, replace(EVENT, heard=spans((0.3, 0.96)))),
    )
    assert [(row["in_seconds"], row["out_seconds"]) for row in rows] == [
        ("0.240", "0.900"),
        ("7.600", "8.000"),
        ("7.800", "8.460"),
    ]
    assert tuple(rows[0]) == COLUMNS
    assert {name: rows[0][name] for name in COLUMNS[4:]} == {
        "file": "odd/trunc dög.wav",
        "bank": "/my/bank",
        "sound": "dog_bark",
        "caption": "a siren",
        "source": "thing 2",
        "gain_db": "-7.0",
        "licence": "CC0-1.0",
        "credit": '"Dög", by A',
    }


class DogEngine(QuickEngine):
    """Hears a dog in everything."""

    def render(self, request: RenderRequest) -> Iterator[Take]:
        for one in request.chunks:
            pick = replace(EVENT, heard=spans((0.1, 0.2)))
            yield Take(noise(one.seconds, seed=one.index), scene_of(one.seconds), (), (pick,), 0.0, {})


@pytest.mark.parametrize("bank", ["community", "default"])
def test_the_cue_sheet_is_among_the_files_that_are_told(tmp_path, bank):
    (tmp_path / "foley.yaml").write_text(f"model: {{bank: {bank}}}\n")
    clip = make_clip(tmp_path / "a.mp4", seconds=0.4, size=(64, 36))
    output = process_clip(clip, load_profile(tmp_path / "foley.yaml"), engine=DogEngine())
    console = Console(file=io.StringIO(), width=200)
    show_output(clip, output, console)
    told = [line.split("→ ")[1] for line in console.file.getvalue().splitlines() if "→" in line]
    assert sorted(told) == sorted(map(str, output.report.parent.iterdir()))
    sheets = [path for path in told if path.endswith(".cues.csv")]
    assert len(sheets) == (bank == "community")
    for sheet in sheets:
        (row,) = rows_of(Path(sheet).read_bytes())
        assert (row["in_seconds"], row["out_seconds"], row["bank"]) == ("0.100", "0.200", "community")
