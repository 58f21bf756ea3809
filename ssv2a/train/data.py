"""Training data: a folder of labelled recordings, and renders of our own procedural models.

The recordings' folder holds `manifest.csv` (id, path, class, caption, seconds, split …). Sounds are kept as
mel powers (half-precision logarithms) in a cache folder; the waveforms are read once.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import os
import re
import zlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, partial
from pathlib import Path
from typing import cast, get_args

import numpy as np
from loguru import logger

from ssv2a.embed.clap import mel_power
from ssv2a.errors import TrainingError
from ssv2a.files import write_whole
from ssv2a.soundbank.bank import read_audio
from ssv2a.soundbank.model import SoundModel
from ssv2a.soundbank.vocabulary import vocabulary
from ssv2a.types import SAMPLE_RATE, FloatArray, Split

RENDER_SECONDS = 6.0  # of one draw of a model
VAL_SHARE = 5  # every fifth draw of a model is held out

_COLUMNS = (
    *("id", "path", "class", "caption", "seconds", "split", "source_package", "source_file"),
    *("licence", "author"),
)
_FILES = ("path", "source_file")  # columns in which names may be any bytes, as on a disk
_NO_TEXT = re.compile("[\udc80-\udcff]")  # bytes that are no UTF-8, as "surrogateescape" reads them
_DIGITS = re.compile(r"[_-]?p?\d+")  # that number the recordings of a series

# class of the recordings | whole words in the caption (empty: any) | sound of the vocabulary (empty: none
# fits). The first row that fits decides.
_CLASSES = """
airplane | propeller | airplane_propeller
airplane | | airplane_jet
applause_crowd | | applause
bell_chime | wind chimes | wind_chime
bell_chime | | bell
bird_calls | flamingos | goose_honk
bird_calls | owl | owl_hoot
bird_calls | crow | crow_caw
bird_calls | | bird_call
birds | | bird_song
boat_harbour | sinks | tree_fall
boat_harbour | | boat_water
bow_arrow | | bow_arrow
building_collapse | | rubble_collapse
car_crash_skid | | car_crash
car_engine_pass | passes | car_pass
car_engine_pass | | car_engine
car_horn | | car_horn
cart_wagon | | cart_wagon
chicken_rooster | rooster | rooster_crow
chicken_rooster | | chicken_cluck
cow | | cow_moo
crowd_market | | crowd_babble
crunch_cutting | |
digging | | digging
dog_wolf | wolf | wolf_howl
dog_wolf | | dog_bark
door_gate | | door
elephant | | elephant_trumpet
explosion | | explosion
farmyard | | chicken_cluck
fire | striking a flint |
fire | | fire
footsteps_gravel | | footsteps_gravel
footsteps_hard | | footsteps_hard
footsteps_soft | | footsteps_soft
glass_break | | glass_break
goat | | goat_bleat
gunshot | | gunshot
helicopter | | helicopter
horse | | horse_neigh
horse_hooves | | horse_hooves
insects_night | | insects_night
leaves_rustle | twig | tree_fall
leaves_rustle | | leaves_rustle
lion_big_cat | | lion_roar
machinery | 3d printer | printer
machinery | | machinery
metal_hit | shield | sword_clash
metal_hit | armour | sword_clash
metal_hit | | metal_hit
other_animal | camel | camel_groan
other_animal | monkeys | monkey_chatter
phone | | telephone_ring
pig | | pig_grunt
rain | | rain
river_stream | | river_stream
saw_chainsaw | chainsaw | chainsaw
saw_chainsaw | | saw
sea_waves | | sea_waves
sheep | | sheep_bleat
ship_horn | | ship_horn
siren | | siren
steam_hiss | | steam_hiss
stone_mining | | stone_hit
sword_combat | | sword_clash
thunder | | thunder
train | | train_pass
train_horn | | train_horn
tree_fall | | tree_fall
truck_bus | bus | bus_engine
truck_bus | | truck_engine
water_splash | bubble | bubbles
water_splash | bubbles | bubbles
water_splash | | water_splash
waterfall | | waterfall
wind | rustles through | leaves_rustle
wind | | wind
wood_chop_hammer | hammer | hammer
wood_chop_hammer | hammering | hammer
wood_chop_hammer | knock | knock
wood_chop_hammer | knocks | knock
wood_chop_hammer | | wood_chop
"""


@dataclass(frozen=True, slots=True)
class Recording:
    """One row of a recordings' manifest."""

    id: str
    path: Path
    sound: str  # key of the vocabulary; empty: none fits
    caption: str
    seconds: float
    split: Split
    origin: str  # the package it comes from, and its name there
    licence: str
    author: str


@dataclass(frozen=True, slots=True)
class TrainingSound:
    """One labelled sound as the networks learn it."""

    id: str
    sound: str  # key of the vocabulary
    captions: tuple[str, ...]  # its own first, then the vocabulary's
    split: Split
    power: FloatArray  # [64, frames], see ssv2a.embed.clap.mel_power
    series: str = ""  # of a recording: what was recorded together; of a draw: the model's name
    modelled: bool = False  # a draw of a procedural model


def read_manifest(folder: Path) -> tuple[Recording, ...]:
    """The recordings of a folder with `manifest.csv`.

    Raises:
        TrainingError: the manifest is missing, or a row of it lacks a column or has a value that is none.
    """
    manifest = folder / "manifest.csv"
    try:
        with manifest.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            rows = csv.DictReader(file)
            return tuple(_recording(folder, row, f"{manifest}, line {rows.line_num}") for row in rows)
    except (OSError, csv.Error) as error:
        raise TrainingError(
            f"{manifest}: cannot be read ({error}); expected a folder of recordings."
        ) from error


def _recording(folder: Path, row: dict[str, str | None], where: str) -> Recording:
    cells = {column: cell for column in _COLUMNS if (cell := row.get(column)) is not None}
    if len(cells) < len(_COLUMNS):
        missing = ", ".join(column for column in _COLUMNS if column not in cells)
        raise TrainingError(f"{where}: no column {missing}; expected {', '.join(_COLUMNS)}. Add what lacks.")
    for column, cell in cells.items():
        if column not in _FILES and _NO_TEXT.search(cell):
            raise TrainingError(f"{where}: {column} is {cell!r}; expected UTF-8. Save the table as UTF-8.")
    try:
        sound = sound_of(cells["class"], cells["caption"])
    except TrainingError as error:
        raise TrainingError(f"{where}: {error}") from error
    return Recording(
        id=cells["id"],
        path=folder / cells["path"],
        sound=sound,
        caption=cells["caption"],
        seconds=_length(cells["seconds"], where),
        split=_side(cells["split"], where),
        origin=_NO_TEXT.sub(
            "\N{REPLACEMENT CHARACTER}", f"{cells['source_package']}: {cells['source_file']}"
        ),
        licence=cells["licence"],
        author=cells["author"],
    )


def _length(cell: str, where: str) -> float:
    try:
        seconds = float(cell)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise TrainingError(
            f"{where}: seconds is {cell!r}; expected a length above 0, such as 3.5. Correct it."
        )
    return seconds


def _side(cell: str, where: str) -> Split:
    if cell not in get_args(Split):
        raise TrainingError(
            f"{where}: split is {cell!r}; expected {' or '.join(get_args(Split))}. Correct it, or take the "
            "row out."
        )
    return cast(Split, cell)


def sound_of(label: str, caption: str) -> str:
    """Key of the vocabulary for a recording's class and caption; empty where none fits.

    A class that is in no row may be a key of the vocabulary, which stands for itself.

    Raises:
        TrainingError: the class is not known.
    """
    for name, words, sound in _class_rows():
        if name == label and has_words(caption, words):
            return sound
    if label in vocabulary():
        return label
    alike = _alike(label) or ("dog_bark", "rain")
    raise TrainingError(
        f"class is {label!r}; expected a kind of sound, such as {' or '.join(alike)}. `ssv2a bank list` "
        "shows all of them, in the column `sound`."
    )


def _alike(label: str) -> tuple[str, ...]:
    """Keys of the vocabulary that are written much as a label is, or have it as one of their words."""
    small = label.casefold()
    sharing = [key for key in vocabulary() if small in key.split("_")]
    return tuple(dict.fromkeys([*get_close_matches(small, vocabulary(), cutoff=0.7), *sharing]))[:3]


@cache
def _class_rows() -> tuple[tuple[str, str, str], ...]:
    rows = ([part.strip() for part in line.split("|")] for line in _CLASSES.strip().splitlines())
    return tuple((name, words, sound) for name, words, sound in rows)


def has_words(text: str, words: str) -> bool:
    """Whether some words stand in a text, none of them as a part of another; no words always do."""
    return re.search(rf"(?<![^\W\d_]){re.escape(words)}(?![^\W\d_])", text) is not None if words else True


def prepare(
    recordings: Sequence[Recording],
    models: Collection[SoundModel],
    cache: Path,
    *,
    draws: int = 15,
    on_sound: Callable[[int, int, Path], None] = lambda _number, _total, _name: None,
) -> tuple[TrainingSound, ...]:
    """Every recording that has a sound and `draws` renders of every model, computed once into `cache`.

    Args:
        recordings: read before anything is rendered.
        models: to render.
        cache: folder of mel powers; several runs, also of other recordings, may share it.
        draws: of each model; every fifth is held out.
        on_sound: takes (number, of how many, file or draw) before each.

    Raises:
        TrainingError: a recording is not there.
        BundleError: there is no readable sound in it.
        OSError: the disk takes no more.
    """
    known = vocabulary()
    marked = [(one, _file_mark(one.path)) for one in recordings if one.sound]
    total = len(marked) + draws * len(models)
    cache.mkdir(parents=True, exist_ok=True)
    sounds: list[TrainingSound] = []
    for recording, mark in marked:
        on_sound(len(sounds) + 1, total, recording.path)
        power = _cached(cache / f"recording-{mark}.npy", partial(read_audio, recording.path))
        captions = (recording.caption, *known[recording.sound].captions)
        series = _DIGITS.sub("", recording.origin.rpartition(".")[0] or recording.origin)
        sounds.append(TrainingSound(recording.id, recording.sound, captions, recording.split, power, series))
    for model in models:
        mark = _fingerprint(model)
        for draw in range(draws):
            split: Split = "val" if draw % VAL_SHARE == VAL_SHARE - 1 else "train"
            name = f"{model.name}-{draw:02d}"
            on_sound(len(sounds) + 1, total, Path(name))
            power = _cached(cache / f"{name}-{mark}.npy", partial(render_draw, model, draw))
            captions = known[model.sound].captions
            sounds.append(TrainingSound(name, model.sound, captions, split, power, model.name, modelled=True))
    logger.info("{} sounds of {} kinds", len(sounds), len({sound.sound for sound in sounds}))
    return tuple(sounds)


def _cached(path: Path, sound: Callable[[], FloatArray]) -> FloatArray:
    """The mel power of a sound, kept in half precision as its logarithm."""
    if path.exists():
        kept = np.load(path)
    else:
        kept = np.log(mel_power(sound()) + 1e-10).astype(np.float16)
        file = io.BytesIO()
        np.save(file, kept)
        own = path.with_name(f"{os.getpid()}-{path.name}")  # another run may be writing the same
        write_whole(own, file.getvalue())
        own.replace(path)
    return np.asarray(np.exp(kept.astype(np.float32)), np.float32)


def _file_mark(path: Path) -> str:
    """Changes when a recording's file does: a hash of its place, its size and its time of change."""
    try:
        facts = path.stat()
    except OSError as error:
        raise TrainingError(
            f"{path}: {error.strerror}; expected the recording that the manifest names. Put it there, or "
            "take its row out."
        ) from error
    told = b"%b %d %d" % (os.fsencode(path.absolute()), facts.st_size, facts.st_mtime_ns)
    return hashlib.blake2b(told, digest_size=12).hexdigest()


def render_draw(model: SoundModel, draw: int, seconds: float = RENDER_SECONDS) -> FloatArray:
    """One draw of a model, [channels, n]: a texture, or an event again and again with its natural pauses."""
    rng = np.random.default_rng([zlib.crc32(model.name.encode()), draw])
    params, total = model.draw(rng), round(seconds * SAMPLE_RATE)
    if model.kind == "texture":
        return model.render(params, total, rng)
    pieces: list[FloatArray] = []
    done = 0
    while done < total:
        event = model.render(params, total, rng)
        pause = round(rng.uniform(*model.pause_seconds) * SAMPLE_RATE)
        pieces += [event, np.zeros((event.shape[0], pause), np.float32)]
        done += event.shape[1] + pause
    return np.concatenate(pieces, axis=1)[:, :total]


def _fingerprint(model: SoundModel) -> str:
    """Changes when the model does: a hash of half a second of it, and of how it is played."""
    rng = np.random.default_rng(0)
    sound = model.render(model.draw(rng), SAMPLE_RATE // 2, rng)
    played = f"{model.kind} {model.pause_seconds}".encode()
    return hashlib.blake2b(sound.tobytes() + played, digest_size=4).hexdigest()
