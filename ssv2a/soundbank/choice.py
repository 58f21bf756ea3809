"""Which entries of a bank sound for a wanted vector: nearest entries, and a sparse mixture of them.

The mixture is non-negative least squares (Lawson & Hanson 1974): CLAP was trained so that a mixture's vector
lies near the level-weighted sum of its parts' vectors, and here such a sum is taken apart again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from ssv2a.soundbank.bank import Bank, Entry
from ssv2a.types import FloatArray

_DEPTH = 8  # candidates of one voice
_TEMPERATURE = 0.08  # of the draw among them, in cosine
MOST_TAKES, MOST_SECONDS = 12, 60.0  # of recordings of one event that sound in turn: all are held in memory
SHARE_OF_COSINE = 0.5  # among entries of one sound, where an entry's worth counts as well
_FULL_BAND = 32_000  # Hz
_USED = 0.25  # taken off the score of an entry that another voice has
_BALANCE_DB = 4.0  # at most, up or down, by the mixture's weights
# What sounds most alike, for a bank that lacks a sound.
_RELATED = {
    "bear_growl": "lion_roar",
    "bow_arrow": "racket_hit",
    "camel_groan": "cow_moo",
    "car_crash": "glass_break",
    "cart_wagon": "skateboard_roll",
    "digging": "footsteps_gravel",
    "explosion": "thunder",
    "gunshot": "explosion",
    "monkey_chatter": "bird_call",
    "paper_rustle": "cloth_rustle",
    "rubble_collapse": "explosion",
    "stone_hit": "hammer",
    "tree_fall": "wood_chop",
}


@dataclass(frozen=True, slots=True)
class Candidates:
    """Entries that could sound for one voice, best first."""

    places: tuple[int, ...]  # in Bank.entries
    scores: tuple[float, ...]  # cosine with what the voice wants, plus the entry's worth
    vectors: FloatArray  # [m, clap_dim]: of each, the one of its vectors that lies nearest


def nearest(bank: Bank, wanted: FloatArray, sound: str | None) -> Candidates:
    """The entries nearest to `wanted` [clap_dim]: of that sound, else of one much like it, else of all.

    Of a sound, a user's own go before those of the bank that a library extends.
    """
    cosines = bank.claps @ wanted  # [n, k]
    meant = played_for(bank, sound)
    fitting = [place for place, entry in enumerate(bank.entries) if meant and entry.sound == meant]
    fitting = [place for place in fitting if place in bank.own] or fitting
    share = SHARE_OF_COSINE if fitting else 1.0
    scores = share * cosines.max(axis=1) + np.array([worth(entry) for entry in bank.entries])
    places = np.array(fitting or range(len(bank.entries)))
    places = places[np.argsort(-scores[places], kind="stable")][:_DEPTH]
    return Candidates(
        places=tuple(int(place) for place in places),
        scores=tuple(float(scores[place]) for place in places),
        vectors=bank.claps[places, cosines[places].argmax(axis=1)],
    )


def played_for(bank: Bank, sound: str | None) -> str | None:
    """The sound that a bank has for another: itself, else one much like it; None: it has neither."""
    there = {entry.sound for entry in bank.entries}
    return next((key for key in (sound, _RELATED.get(sound or "")) if key and key in there), None)


def worth(entry: Entry) -> float:
    """What an entry has over others before anything is wanted, in cosine: a long recording tells most.

    −0.1 for a quarter of a second, 0.15 for eight, 0.05 more for a full band; a model counts as nothing.
    """
    if entry.model is not None:
        return 0.0
    full = 0.05 if entry.rate >= _FULL_BAND else 0.0
    return full + 0.05 * float(np.clip(np.log2(max(entry.seconds, 0.01)), -2, 3))


def mixture_weights(voices: Sequence[Candidates], target: FloatArray) -> list[FloatArray]:
    """Weights ≥ 0 of every voice's candidates, whose sum of vectors lies nearest to `target` [clap_dim]."""
    stacked = np.concatenate([voice.vectors for voice in voices])
    weights, _ = nnls(stacked.T.astype(np.float64), target.astype(np.float64))
    ends = np.cumsum([len(voice.places) for voice in voices])[:-1]
    return [np.asarray(part, np.float32) for part in np.split(weights, ends)]


def balance_db(weights: Sequence[FloatArray]) -> list[float]:
    """How much louder each voice is than its natural level, by its share of the mixture, within ±4 dB."""
    sums = np.array([float(part.sum()) for part in weights])
    share = (sums + 0.05) / (sums.mean() + 0.05)
    return [float(x) for x in np.clip(10 * np.log10(share), -_BALANCE_DB, _BALANCE_DB)]


def draw_entry(
    voice: Candidates, weights: FloatArray, used: Collection[int], rng: np.random.Generator
) -> int:
    """A place in Bank.entries: likely a near one, likelier one that has weight and is not in use."""
    scores = np.array(voice.scores) + 0.05 * weights / max(float(weights.max(initial=0.0)), 1e-9)
    scores -= np.array([_USED * (place in used) for place in voice.places])
    odds = np.exp((scores - scores.max()) / _TEMPERATURE)
    return int(rng.choice(voice.places, p=odds / odds.sum()))


def kin(bank: Bank, entry: Entry) -> tuple[Entry, ...]:
    """The entry and other takes of the same event: recordings of one caption and one author."""
    if entry.file is None or entry.kind == "texture":
        return (entry,)
    others = tuple(
        other
        for other in bank.entries
        if other.file is not None
        and (other.sound, other.caption, other.author) == (entry.sound, entry.caption, entry.author)
        and other.id != entry.id
    )
    return (entry, *others)


def takes_in_turn(
    bank: Bank, entry: Entry, rng: np.random.Generator
) -> tuple[tuple[Entry, tuple[int, ...]], ...]:
    """Which takes of an event's recordings sound in turn: of each of its kin some, by `Entry.takes`' number.

    All of them; where they are more than MOST_TAKES or MOST_SECONDS long, a draw, the entry's own first.
    """
    takes = [
        (one, number, last - first)
        for one in kin(bank, entry)
        for number, (first, last) in enumerate(one.takes or ((0.0, one.seconds),))
    ]
    if len(takes) > MOST_TAKES or sum(seconds for _, _, seconds in takes) > MOST_SECONDS:
        own = max(1, len(entry.takes))
        order = [*rng.permutation(own), *(own + rng.permutation(len(takes) - own))][:MOST_TAKES]
        ends = np.cumsum([takes[place][2] for place in order])
        takes = [takes[place] for place in order[: max(1, int((ends <= MOST_SECONDS).sum()))]]
    drawn: dict[str, tuple[Entry, tuple[int, ...]]] = {}
    for one, number, _ in takes:
        drawn[one.id] = one, (*drawn.get(one.id, (one, ()))[1], number)
    return tuple(drawn.values())
