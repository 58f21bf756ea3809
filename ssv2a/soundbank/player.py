"""Plays one entry of a bank: textures without end, events in their rhythm while their source is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ssv2a.soundbank.arrangement import free_place
from ssv2a.soundbank.bank import Bank, Entry
from ssv2a.soundbank.choice import takes_in_turn
from ssv2a.soundbank.grains import granulate
from ssv2a.soundbank.model import Params
from ssv2a.soundbank.render import at_speed, event_train, level_gain
from ssv2a.soundbank.vocabulary import GAITS
from ssv2a.types import SAMPLE_RATE, FloatArray

MODEL_TAKES = 3  # renders of a modelled event that take turns
_AT_ONCE = 4  # of several things of one kind that are heard each for itself
_LONGEST_EVENT = 20 * SAMPLE_RATE  # samples of a modelled event
_SPEED, _SPEEDS = "speed", 0.06  # of a recording that goes on: by how much two takes may differ
_LONG_EVENT = 0.4 * SAMPLE_RATE  # samples from which an event is no step or knock in a rhythm of its own
_ALONE = -20.0  # LUFS of an entry that is played by itself


@dataclass(frozen=True, slots=True)
class Material:
    """What an entry is played from: a texture as long as it is wanted, or takes of an event."""

    entry: Entry
    sounds: tuple[FloatArray, ...]  # [1 or 2, n] each, of one number of channels
    entries: tuple[Entry, ...]  # of each sound


@dataclass(frozen=True, slots=True)
class Played:
    """An entry's sound before level and place, and which entries are heard when."""

    sound: FloatArray  # [1 or 2, n]
    heard: tuple[tuple[Entry, int, int], ...]  # entry, first sample, last sample + 1


@dataclass(frozen=True, slots=True)
class Manner:
    """How an entry is to be played."""

    n: int  # samples
    spans: Sequence[tuple[int, int]]  # where an event's source is there: (first sample, last sample + 1)
    count: int = 1  # how many such things
    wide: bool = False  # a texture in mono is spread around the listener
    model_takes: int = MODEL_TAKES
    rest: float = 0.0  # a long event is followed by silence of at least so many times its length
    busy: NDArray[np.bool_] | None = None  # where other events sound, for which these wait; None: nowhere


def play(bank: Bank, entry: Entry, params: Params, manner: Manner, rng: np.random.Generator) -> Played:
    """An entry's sound: a texture throughout, an event again and again where its source is there.

    Args:
        bank: that the entry is of.
        entry: what is played.
        params: of a model, or of a recording as `draw_params` gives them.
        manner: how.
        rng: of every draw.

    Raises:
        BundleError: a recording is missing or unreadable.
    """
    return perform(gather(bank, entry, params, manner, rng), manner, rng)


def draw_params(bank: Bank, entry: Entry, rng: np.random.Generator) -> Params:
    """What stays the same of an entry while its source goes on: a model's parameters, a recording's speed."""
    if entry.model is not None:
        return bank.models[entry.model].draw(rng)
    return {_SPEED: float(rng.uniform(1 - _SPEEDS, 1 + _SPEEDS))}


def gather(bank: Bank, entry: Entry, params: Params, manner: Manner, rng: np.random.Generator) -> Material:
    """The first and longer half of `play`: all that is read or computed, before it is set in time."""
    if entry.kind == "texture":
        return Material(entry, (_texture(bank, entry, params, manner, rng),), (entry,))
    takes, entries = _takes(bank, entry, params, rng, most=manner.model_takes)
    return Material(entry, tuple(takes), tuple(entries))


def perform(material: Material, manner: Manner, rng: np.random.Generator) -> Played:
    """The second half of `play`: events in their rhythm, in the places that are free.

    Of several such things up to four are heard each in its own rhythm; more make these quicker. A gait
    neither rests nor waits, and goes on to the end of its span.
    """
    entry, takes, n = material.entry, material.sounds, manner.n
    if entry.kind == "texture":
        return Played(takes[0], ((entry, 0, n),))
    layers = min(manner.count, _AT_ONCE)
    shortest, longest = (pause * layers / manner.count for pause in entry.pause_seconds)
    gait = entry.sound in GAITS
    rests = not gait and layers == 1 and np.median([take.shape[1] for take in takes]) >= _LONG_EVENT
    busy = None if gait else manner.busy
    out = np.zeros((takes[0].shape[0], n), np.float32)
    heard: list[tuple[Entry, int, int]] = []
    spans = [(first, min(last, n)) for first, last in manner.spans if first < n]
    for first, last in (span for span in spans for _ in range(layers)):
        train, events = event_train(
            takes,
            last - first,
            (shortest, longest),
            rng,
            vary=entry.model is None,
            rest=manner.rest if rests else 0.0,
            place=partial(_place, busy, first),
            cut=gait,
        )
        out[:, first:last] += train / np.float32(np.sqrt(layers))
        heard += [(material.entries[event.take], first + event.start, first + event.end) for event in events]
    return Played(out, tuple(heard))


def _place(busy: NDArray[np.bool_] | None, first: int, place: int, size: int) -> int:
    """Where an event of a span that begins at `first` may begin, counted from there, at `place` or later."""
    return place if busy is None else free_place(busy, first + place, size) - first


def play_alone(bank: Bank, entry: Entry, n: int, seed: int) -> FloatArray:
    """An entry by itself, [2, n], as a clip would have it in its middle."""
    rng = np.random.default_rng(seed)
    params = draw_params(bank, entry, rng)
    sound = play(bank, entry, params, Manner(n, ((0, n),), wide=True), rng).sound
    gain = min(level_gain(sound, _ALONE), 0.89 / max(float(np.abs(sound).max()), 1e-9))
    return np.asarray(gain * np.broadcast_to(sound, (2, n)), np.float32)


def _texture(
    bank: Bank, entry: Entry, params: Params, manner: Manner, rng: np.random.Generator
) -> FloatArray:
    if entry.model is not None:
        return bank.models[entry.model].render(params, manner.n, rng)
    sound = at_speed(bank.audio(entry), params.get(_SPEED, 1.0))
    if manner.wide and sound.shape[0] == 1:  # two streams of grains: as loud, but around the listener
        return np.concatenate([granulate(sound, manner.n, rng), granulate(sound, manner.n, rng)])
    return granulate(sound, manner.n, rng)


def _takes(
    bank: Bank, entry: Entry, params: Params, rng: np.random.Generator, *, most: int
) -> tuple[list[FloatArray], list[Entry]]:
    """Takes of an event that sound in turn, of one number of channels, and the entry of each.

    Of a model, `most` renders; of recordings, those of `takes_in_turn`.
    """
    if entry.model is not None:
        model = bank.models[entry.model]
        return [model.render(params, _LONGEST_EVENT, rng) for _ in range(most)], [entry] * most
    drawn = takes_in_turn(bank, entry, rng)
    heard = [(take, one) for one, numbers in drawn for take in bank.takes(one, numbers)]
    sounds, entries = [take for take, _ in heard], [one for _, one in heard]
    if len({sound.shape[0] for sound in sounds}) > 1:
        sounds = [sound.mean(axis=0, keepdims=True) for sound in sounds]
    return sounds, entries
