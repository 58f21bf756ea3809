"""Making the shipped banks: `default` (our models, CC0 and MIT) and `community` (CC-BY and CC-BY-SA).

The default bank is free for any use. The community bank extends it with the best recordings that owe a
credit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import soundfile

from ssv2a.embed.clap import CLAP_DIM, MiniClap
from ssv2a.soundbank.bank import Entry, read_audio, write_bank
from ssv2a.soundbank.model import SoundModel
from ssv2a.soundbank.vocabulary import vocabulary
from ssv2a.train.data import Recording, has_words, render_draw
from ssv2a.types import FloatArray, Kind

FREE = frozenset({"CC0-1.0", "MIT"})
LICENCES = "LICENCES.md"
_VECTORS = 6  # of a model, one a draw
_LOWEST_RATE = 16_000  # Hz; duller recordings are left out
_LOWEST_PEAK = 0.03  # of full scale; what is softer would bring its noise up with it
_SHORTEST_TEXTURE = 2.5  # seconds of a recording that can be played without end
_SCENE = 8.0  # seconds; a recording of events this long has a rhythm of its own and goes on like a texture
_EVENT_BYTES, _TEXTURE_BYTES = 220_000, 480_000  # of one sound in the community bank

# Left out though clear, for what is heard is not the sound: sound | whole words of caption or origin | what
# is.
_LEFT_OUT = """
horse_neigh | snorts and blows | breath, no neigh
horse_hooves | soft ground | muffled thuds
horse_hooves | on the ground | muffled thuds
horse_hooves | gallops | woodblocks
footsteps_hard | single footstep | knocks when set in a row
footsteps_hard | on ice | cracks
footsteps_hard | on glass | chimes
footsteps_hard | on a metal floor | knocks when set in a row
footsteps_hard | wooden boards | knocks when set in a row
footsteps_hard | shoe footsteps | a drum machine's steps
footsteps_hard | wooden floor | knocks
bell | level crossing | the train comes with it
bell | is struck and rings | a tuning fork
ship_horn | a ferry horn sounds | a plucked note
car_horn | a car horn honks | dull, with music in it
train_pass | a train passes by | a short rush, as of a car
boat_water | a harbour with boats | geese
boat_water | birds call over | the birds
tree_fall | twig | a snap, no tree
chicken_cluck | livestock | a whole farmyard
hammer | hammer taps | muffled
thunder | a clap of thunder | an explosion
door | a door slams shut | breaking glass
telephone_ring | a telephone rings | distortion
fire | furnace | a patter like rain
fire | fuse | a hiss without crackle
airplane_jet | fighter jets | a train
footsteps_soft | a footstep | single steps, no walk when set in a row
footsteps_soft | single footstep | the same
footsteps_gravel | footstep | single steps, no walk when set in a row
footsteps_gravel | footsteps | the same
digging | digging | crackles
digging | splat | a grunt
leaves_rustle | bush | splashes
leaves_rustle | bushes | splashes
leaves_rustle | crops | frying
leaves_rustle | stalks | rain
leaves_rustle | dry leaves | splashes
machinery | cash register | a bicycle bell
machinery | windmill | a helicopter
metal_hit | piece of metal | knocks
metal_hit | metal bins | a motor
metal_hit | dug_metal | knocks
steam_hiss | sauna | running water
waterfall | waterfall | a motor
wind_chime | wind chimes | a buzzer
chainsaw | a chainsaw runs | a car
door | glass door | a blow
door | old door creaks | a buzzer
door | door slams | a blow
door | stone gate | a mill
door | steel door | clangs
helicopter | helicopter | a drum machine's loop
siren | siren | a synthesiser's loop
owl_hoot | owl | a dog
fire | large fire | explosions
fire | small fire | gunshots
fire | fire/sp_ | fireworks
bell | ship bell | a triangle
ship_horn | ship horn | an electronic tone
sea_waves | wavecrash | wind
leaves_rustle | branches snap | cracks
printer | 3d printer | a blender
monkey_chatter | monkeys | a dog
footsteps_soft | running | a horse
boat_water | busy wooden dock | a horse
pig_grunt | squeals | speech
tree_fall | ship breaks | water
crowd_babble | town square | speech
machinery | sparks | a blender
"""

# Silence between recorded events, seconds: sounds | shortest | longest. All others: 0.6 to 2.5.
_PAUSES = """
footsteps_hard footsteps_soft footsteps_gravel | 0.18 | 0.4
knock | 0.1 | 0.9
hammer wood_chop stone_hit digging | 0.35 | 1.0
sword_clash metal_hit scissors saw | 0.2 | 1.2
horse_hooves typing mouse_click leaves_rustle cart_wagon machinery fire | 0.05 | 0.4
dog_bark chicken_cluck duck_quack pig_grunt crow_caw | 0.4 | 2.5
bow_arrow water_splash bell glass_clink | 0.8 | 2.5
explosion thunder car_crash glass_break tree_fall rubble_collapse gunshot ship_horn train_horn | 1.5 | 4.0
"""


def build_default(
    recordings: Iterable[Recording], models: Iterable[SoundModel], clap: MiniClap, folder: Path, notices: Path
) -> tuple[Entry, ...]:
    """Write the default bank: every model, and the recordings under CC0-1.0 and MIT; its entries.

    Args:
        recordings: of the training data; those with other licences are passed over.
        models: all procedural models.
        clap: gives the vectors.
        folder: of the bank.
        notices: the recordings' licence notes, from which the sections that matter are copied.
    """
    models = sorted(models, key=lambda model: model.name)
    modelled = frozenset(model.sound for model in models)
    free = usable([recording for recording in recordings if recording.licence in FREE], modelled)
    entries = [*(_model_entry(model) for model in models), *(_recording_entry(one) for one in free)]
    vectors = [_model_vectors(model, clap) for model in models] + [_vectors(one, clap) for one in free]
    write_bank(folder, "default", entries, np.stack(vectors), {one.id: one.path for one in free})
    _write_notices(folder, notices, free, "Our procedural models' sounds are CC0-1.0: free for any use.")
    return tuple(entries)


def build_community(
    recordings: Iterable[Recording], clap: MiniClap, folder: Path, notices: Path, *, extends: str
) -> tuple[Entry, ...]:
    """Write the community bank: the best recordings that owe a credit, on top of `extends`; its entries."""
    credited = usable([recording for recording in recordings if recording.licence not in FREE], frozenset())
    best = [one for group in _grouped(credited).values() for one in _best(group)]
    entries = [_recording_entry(one) for one in best]
    vectors = [_vectors(one, clap) for one in best]
    write_bank(
        folder,
        "community",
        entries,
        np.reshape(vectors, (-1, _VECTORS, CLAP_DIM)),
        {one.id: one.path for one in best},
        extends=extends,
    )
    _write_notices(
        folder, notices, best, "Whoever publishes a film with these sounds owes the credits below."
    )
    return tuple(entries)


def usable(recordings: Sequence[Recording], modelled: frozenset[str]) -> list[Recording]:
    """Recordings good enough to be heard; short ones of a texture only where there is nothing longer."""
    clear = [one for one in recordings if one.sound and not _left_out(one) and _clear(one.path)]
    endless = modelled | {one.sound for one in clear if one.seconds >= _SHORTEST_TEXTURE}
    known = vocabulary()
    return [
        one
        for one in clear
        if known[one.sound].kind == "event" or one.seconds >= _SHORTEST_TEXTURE or one.sound not in endless
    ]


def _left_out(one: Recording) -> bool:
    texts = (one.caption, one.origin)
    return any(
        sound == one.sound and any(has_words(text, words) for text in texts)
        for sound, words in _left_out_rows()
    )


@cache
def _left_out_rows() -> tuple[tuple[str, str], ...]:
    rows = ([part.strip() for part in line.split("|")] for line in _LEFT_OUT.strip().splitlines())
    return tuple((sound, words) for sound, words, _ in rows)


def _clear(path: Path) -> bool:
    samples, rate = soundfile.read(path, dtype="float32")
    return rate >= _LOWEST_RATE and float(np.abs(samples).max()) >= _LOWEST_PEAK


def _grouped(recordings: Iterable[Recording]) -> dict[str, list[Recording]]:
    groups: dict[str, list[Recording]] = {}
    for one in recordings:
        groups.setdefault(one.sound, []).append(one)
    return groups


def _best(group: Sequence[Recording]) -> list[Recording]:
    """Recordings of one sound up to its share of bytes: of each series in turn, clear and long ones first."""
    texture = vocabulary()[group[0].sound].kind == "texture"
    limit = _TEXTURE_BYTES if texture else _EVENT_BYTES
    ordered = sorted(group, key=lambda one: (soundfile.info(one.path).samplerate < 32_000, -one.seconds))
    turns: dict[str, int] = {}
    keyed = []
    for one in ordered:
        series = re.sub(r"[\d_.]+|ogg|wav", "", one.origin)
        turns[series] = turns.get(series, 0) + 1
        keyed.append((turns[series], one))
    chosen: list[Recording] = []
    spent = 0
    for _, one in sorted(keyed, key=lambda pair: pair[0]):
        size = one.path.stat().st_size
        if not chosen or spent + size <= limit:
            chosen.append(one)
            spent += size
    return chosen


def _recording_entry(one: Recording) -> Entry:
    info = soundfile.info(one.path)
    kind = _kind(one)
    return Entry(
        id=one.id,
        kind=kind,
        sound=one.sound,
        caption=one.caption,
        licence=one.licence,
        author=one.author,
        credit="" if one.licence == "CC0-1.0" else f"“{one.caption}”: {one.author}, {one.licence}, changed",
        origin=one.origin,
        file=f"audio/{one.id}.ogg",
        seconds=round(info.duration, 3),
        rate=info.samplerate,
        channels=info.channels,
        pause_seconds=(0.0, 0.0) if kind == "texture" else _pause(one.sound),
    )


def _kind(one: Recording) -> Kind:
    longest = _SCENE if vocabulary()[one.sound].kind == "event" else _SHORTEST_TEXTURE
    return "texture" if one.seconds >= longest else "event"


def _pause(sound: str) -> tuple[float, float]:
    for line in _PAUSES.strip().splitlines():
        sounds, shortest, longest = line.split("|")
        if sound in sounds.split():
            return float(shortest), float(longest)
    return 0.6, 2.5


def _model_entry(model: SoundModel) -> Entry:
    return Entry(
        id=f"model.{model.name}",
        kind=model.kind,
        sound=model.sound,
        caption=vocabulary()[model.sound].caption,
        licence="CC0-1.0",
        author="foley-daemon",
        credit="",
        origin=f"procedural model {model.name}",
        model=model.name,
        pause_seconds=model.pause_seconds,
    )


def _model_vectors(model: SoundModel, clap: MiniClap) -> FloatArray:
    return clap.audio_batch([render_draw(model, draw) for draw in range(_VECTORS)])


def _vectors(one: Recording, clap: MiniClap) -> FloatArray:
    return np.repeat(clap.audio(read_audio(one.path))[None], _VECTORS, axis=0)


def _write_notices(folder: Path, notices: Path, recordings: Iterable[Recording], remark: str) -> None:
    """The notes on the packages that the recordings come from; bank.json has each author and licence."""
    packages = {one.origin.split(":")[0] for one in recordings}
    sections = re.split(r"(?m)^(?=## )", notices.read_text(encoding="utf-8"))
    kept = [section.strip() for section in sections[1:] if section[3:].split(" ")[0] in packages]
    head = f"# Licences of this sound bank\n\n{remark} Licence and author of each sound are in `bank.json`."
    body = "All recordings were changed: stored as Ogg Vorbis, long ones cut into pieces, silence trimmed."
    (folder / LICENCES).write_text("\n\n".join([head, body, *kept]) + "\n", encoding="utf-8")
