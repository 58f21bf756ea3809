"""The sound bank synthesiser: a scene's CLAP vectors decoded into recorded and modelled sound.

1 candidates by cosine to the target and to each track · 2 a sparse mixture nearest the target · 3 a few draws
of entries and parameters · 4 each heard in short, the one whose own CLAP lies nearest the target wins (as
AudioLDM ranks its candidates) · 5 rendered, levelled, placed and summed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np

from ssv2a.embed.clap import MiniClap
from ssv2a.embed.minilm import MiniLm
from ssv2a.errors import ConfigurationError
from ssv2a.memory import give_back
from ssv2a.roles import Clap
from ssv2a.soundbank.arrangement import SOUNDING, Line, activity, faders
from ssv2a.soundbank.bank import Bank, Entry
from ssv2a.soundbank.choice import (
    SHARE_OF_COSINE,
    Candidates,
    balance_db,
    draw_entry,
    mixture_weights,
    nearest,
    played_for,
    worth,
)
from ssv2a.soundbank.meanings import Meanings
from ssv2a.soundbank.model import Params
from ssv2a.soundbank.player import Manner, Material, Played, draw_params, gather, perform, play
from ssv2a.soundbank.render import Motion, finished, level_gain, placed
from ssv2a.soundbank.vocabulary import MASKING, vocabulary
from ssv2a.types import (
    SAMPLE_RATE,
    SOUND,
    Continuity,
    FloatArray,
    Pick,
    Rendering,
    Scene,
    SoundRequest,
    Track,
)

REFERENCE = -23.0  # LUFS of a voice whose level_db is 0, at a tenth of the picture
_LEVEL_SHARE = 0.5  # of the vocabulary's level differences: a film's mix is narrower than the world
_AMBIENCE_DB = -3.0  # of an ambience that sounds alone
_BACKGROUND_DB = -12.0  # of an ambience behind sources
_BED_DB = -8.0  # of what masks, beside a source that it would mask
_SCENE_AREA = 0.12  # an ambience is neither near nor far
_WIDE_AREA = 0.4  # a mono texture that fills so much of the picture is spread
_PREVIEW = 2 * SAMPLE_RATE  # samples of a candidate that are heard before the choice
_UNKNOWN_DB = -6.0  # level of a sound that the vocabulary does not know, see `Sound.level_db`
_REMEMBERED = 256  # voices whose sounds are kept for when they come back
_PREVIEWED = 3  # voices of it
_THREADS = 2  # numpy leaves the interpreter while it computes
_SHORTEST = SAMPLE_RATE // 1000  # samples of what is heard: of an event that ends as it begins, none is left
_ROOM_TONE = "room_tone"
_SCENE = "scene"


@dataclass(frozen=True, slots=True)
class SoundBankSettings:
    """The synthesiser's own settings."""

    width: float = 1.0  # of the stereo picture: 0 mono, 1 each source where it is seen
    focus: float = 1.0  # how much sources take turns: 0 not at all


@dataclass(frozen=True, slots=True)
class _Voice:
    """One thing that sounds in a chunk."""

    track: int | None  # Track.key; None: the scene
    caption: str | None  # what it is called, where it is asked for by words
    sound: str | None  # key of the vocabulary
    motion: Motion
    count: int
    candidates: Candidates
    level: float  # LUFS wanted
    part: int = 0  # of what one text means

    @property
    def key(self) -> str:
        if self.track is None:
            return _SCENE
        return f"{self.track}.{self.part}" if self.part else str(self.track)


@dataclass(frozen=True, slots=True)
class _Part:
    """A voice and what plays it."""

    voice: _Voice
    entry: Entry
    params: Params
    level: float  # LUFS wanted
    gain: float = 0.0  # factor; 0: to be found from `level`


class SoundBank:
    """Scene → stereo sound at 48 kHz, from a bank.

    Args:
        bank: what can sound.
        clap: the one that made the bank's vectors.
        text: tells which sound a free caption means, with mini's CLAP; None: only the vocabulary's phrases
            are understood, and for all else the vectors decide.
    """

    settings = SoundBankSettings
    on_step: Callable[[int, int], None] | None = None  # it is done before one could look

    def __init__(self, bank: Bank, clap: Clap, text: MiniLm | None = None) -> None:
        self._bank = bank
        self._clap = clap
        self._text = text
        self._meanings = Meanings(text)

    def synthesise(self, requests: Sequence[SoundRequest]) -> list[Rendering]:
        """The sound of each request, [2, n_samples], peaks at most −1 dBFS.

        The tracks that go on from the request's previous chunk keep their entries.

        Raises:
            ConfigurationError: a setting is unknown or impossible.
        """
        return [self._one(request) for request in requests]

    def check(self, settings: Mapping[str, Any]) -> None:
        """Refuse settings that the sound bank does not have.

        Raises:
            ConfigurationError: names the first one that is unknown or impossible.
        """
        _own_settings(settings)

    def _one(self, request: SoundRequest) -> Rendering:
        own = _own_settings(request.settings)
        scene, rng = request.scene, np.random.default_rng(request.seed)
        state: Mapping[str, Any] = request.previous.state if request.previous else {}
        voices, warnings = self._voices(scene, request.n_samples)
        if not voices:
            silence = np.zeros((2, request.n_samples), np.float32)
            return Rendering(silence, (), 0.0, request.previous or Continuity(), warnings)
        seeds = [int(seed) for seed in rng.integers(2**62, size=max(1, request.candidates))]
        drawn = [self._drawn(voices, scene.target, state, np.random.default_rng(s)) for s in seeds]
        open_choice = any(self._going_on(voice, state) is None for voice in voices)
        chosen = self._best(drawn, seeds, scene.target) if open_choice and len(drawn) > 1 else 0
        warnings += self._doubts(drawn[chosen]) if self._text is not None else ()
        return self._rendered(drawn[chosen], request, seeds[chosen], warnings, own)

    def _clap_of(self, caption: str) -> FloatArray | None:
        """The CLAP of a caption; None where there is no text side."""
        if self._text is None or not isinstance(self._clap, MiniClap):
            return None
        vector: FloatArray = self._clap.text(self._text.embed([caption]))[0]
        return vector

    def _voices(self, scene: Scene, n: int) -> tuple[list[_Voice], tuple[str, ...]]:
        """What is to sound: every track with a caption, and behind them the ambience or room tone."""
        times = [float(time) for time in scene.times]
        tracks = [track for track in scene.tracks if _sounds(track)]
        unheard = {track.key: self._unheard(track) for track in tracks if self._unheard(track)}
        sounding = [track for track in tracks if track.key not in unheard]
        warnings = tuple(unheard.values())
        voices = _mixed([voice for track in sounding for voice in self._track_voices(track, times, n)])
        air = None if scene.ambience is None else self._meanings.sound_of(scene.ambience)
        if scene.ambience is not None and played_for(self._bank, air) is not None:
            clap, level = self._clap_of(scene.ambience), _BACKGROUND_DB if voices else _AMBIENCE_DB
            air_voice = self._scene_voice(air, scene.target if clap is None else clap, level, n)
            return [*voices, air_voice], warnings
        toned = played_for(self._bank, _ROOM_TONE) is not None
        heard = "a quiet room tone is heard" if toned else "the bank has no room tone: it stays silent"
        warnings += () if voices else (f"nothing that is seen has a sound: {heard}.",)
        if toned:  # under and between the sources: no place is digitally silent
            voices.append(self._scene_voice(_ROOM_TONE, scene.target, _BACKGROUND_DB if voices else 0.0, n))
        return voices, warnings

    def _doubts(self, parts: Sequence[_Part]) -> tuple[str, ...]:
        """What is said of words that may mean something else than what is heard."""
        named = [(part.voice.caption, part.entry.caption) for part in parts if part.voice.caption]
        return tuple(filter(None, (self._meanings.doubt(words, played) for words, played in named)))

    def _unheard(self, track: Track) -> str:
        """What is said of a source that no entry could stand for; "" where one can."""
        if track.label == SOUND or not track.caption or self._bank.own:  # a user's own may be anything
            return ""
        if not self._meanings.has_no_sound(track.caption):
            return ""
        return f"{track.caption!r} is no sound that the bank has, and nothing there is like it: it is silent."

    def _track_voices(self, track: Track, times: Sequence[float], n: int) -> list[_Voice]:
        """What a source sounds like: one voice, or of a text that means several sounds one for each."""
        more = min(6.0, 3 * np.log2(max(1, track.count)))
        motion = Motion.over(times, track.presence, track.centre_x, track.area, n)
        caption = None if track.label == SOUND else track.caption
        meant = self._meanings.sounds_of(caption) if caption else ((None, None),)
        voices = []
        for part, (words, sound) in enumerate(meant):
            own = self._clap_of(words) if words and len(meant) > 1 else None
            candidates = nearest(self._bank, track.clap if own is None else own, sound)
            level = _level(sound) + more
            voices.append(_Voice(track.key, words, sound, motion, track.count, candidates, level, part))
        return voices

    def _scene_voice(self, sound: str | None, clap: FloatArray, level: float, n: int) -> _Voice:
        ones = np.ones(1, np.float32)
        motion = Motion.over([0.0], ones, ones / 2, ones * _SCENE_AREA, n)
        return _Voice(None, None, sound, motion, 1, nearest(self._bank, clap, sound), _level(sound) + level)

    def _going_on(self, voice: _Voice, state: Mapping[str, Any]) -> _Part | None:
        """The voice with what it had in the chunk before, if it was there."""
        kept = state.get(voice.key)
        entry = self._bank.entry(kept["entry"]) if kept and kept["sound"] == voice.sound else None
        return _Part(voice, entry, kept["params"], voice.level, kept["gain"]) if kept and entry else None

    def _drawn(
        self, voices: Sequence[_Voice], target: FloatArray, state: Mapping[str, Any], rng: np.random.Generator
    ) -> list[_Part]:
        """One candidate: for every voice what it had before, else an entry and parameters drawn anew."""
        weights = mixture_weights([voice.candidates for voice in voices], target)
        going_on = [self._going_on(voice, state) for voice in voices]
        there = {part.entry.id for part in going_on if part is not None}
        places = {place for voice in voices for place in voice.candidates.places}
        used = {place for place in places if self._bank.entries[place].id in there}
        parts = []
        for voice, part, weight, louder in zip(voices, going_on, weights, balance_db(weights), strict=True):
            if part is None:
                place = draw_entry(voice.candidates, weight, used, rng)
                used.add(place)
                entry = self._bank.entries[place]
                params = draw_params(self._bank, entry, rng)
                part = _Part(voice, entry, params, voice.level + louder)
            parts.append(part)
        return parts

    def _best(self, drawn: Sequence[Sequence[_Part]], seeds: Sequence[int], target: FloatArray) -> int:
        """The candidate whose short mix lies nearest the target, the worth of its entries counted in."""
        with ThreadPoolExecutor(_THREADS) as pool:
            mixes = list(pool.map(self._preview, drawn, seeds))
        give_back()
        fits = self._clap.audio_batch(mixes) @ target
        worths = [np.mean([worth(part.entry) for part in parts]) for parts in drawn]
        return int(np.argmax(SHARE_OF_COSINE * fits + np.array(worths)))

    def _preview(self, parts: Sequence[_Part], seed: int) -> FloatArray:
        """A short mono mix [1, n] of the loudest sources, each there all the time."""
        loudest = sorted(range(len(parts)), key=lambda index: -parts[index].level)[:_PREVIEWED]
        mix = np.zeros((1, _PREVIEW), np.float32)
        for index in loudest:
            part, rng = parts[index], np.random.default_rng([seed, index])
            manner = Manner(_PREVIEW, ((0, _PREVIEW),), part.voice.count, model_takes=1)
            sound = play(self._bank, part.entry, part.params, manner, rng).sound
            mix += (part.gain or level_gain(sound, part.level)) * sound.mean(axis=0)
        return mix

    def _rendered(
        self,
        parts: Sequence[_Part],
        request: SoundRequest,
        seed: int,
        warnings: tuple[str, ...],
        own: SoundBankSettings,
    ) -> Rendering:
        """The chosen candidate in full."""
        n = request.n_samples
        mix = np.zeros((2, n), np.float32)
        stems: dict[int, FloatArray] = {}
        picks: list[Pick] = []
        kept = dict(request.previous.state) if request.previous else {}

        # 1. Every voice's own sound, and how they take turns.
        everything = self._arranged(parts, n, seed, own.focus)
        faders = _faders(parts, everything, seed, own.focus)

        # 2. Levelled, placed and summed; each is let go when it is in the mix.
        for part, fader in zip(parts, faders, strict=True):
            voice, played = part.voice, everything.popleft()
            gain = part.gain or level_gain(played.sound, part.level)
            motion = replace(voice.motion, presence=voice.motion.presence * fader)
            sound = placed(gain * played.sound, motion, width=own.width)
            mix += sound
            if request.stems and voice.track is not None:
                stems[voice.track] = sound + stems.get(voice.track, np.float32(0))
            picks += _picks(voice, played, gain)
            kept.pop(voice.key, None)  # so that the last ones are those last heard
            kept[voice.key] = _kept(part, gain)
            give_back()

        # 3. Held below full scale, and heard once more.
        waveform, finished_stems = finished(mix, tuple(stems.values()))
        return Rendering(
            waveform=waveform,
            picks=tuple(picks),
            fit=float(self._clap.audio_batch([waveform])[0] @ request.scene.target),
            continuity=Continuity(MappingProxyType(dict(list(kept.items())[-_REMEMBERED:]))),
            warnings=warnings,
            stems=dict(zip(stems, finished_stems, strict=True)),
        )

    def _arranged(self, parts: Sequence[_Part], n: int, seed: int, focus: float) -> deque[Played]:
        """Each part's sound: textures throughout, events while the source is there and no other event sounds.

        Args:
            parts: of the chosen candidate.
            n: samples.
            seed: of every draw.
            focus: 0: each as if it were alone.
        """
        company = sum(part.voice.track is not None for part in parts) > 1
        manners = [_manner(part.voice, n, focus if company else 0.0) for part in parts]
        streams = [np.random.default_rng([seed, index]) for index in range(len(parts))]
        entries, params = [part.entry for part in parts], [part.params for part in parts]
        with ThreadPoolExecutor(_THREADS) as pool:
            materials = deque(pool.map(partial(_gathered, self._bank), entries, params, manners, streams))
        busy = np.zeros(len(parts[0].voice.motion.presence), bool)
        everything: deque[Played] = deque()
        for manner, rng in zip(manners, streams, strict=True):
            material = materials.popleft()
            played = perform(material, replace(manner, busy=busy if focus > 0 else None), rng)
            if material.entry.kind == "event":
                busy = busy | (activity(played.sound) > SOUNDING)
            everything.append(played)
        return everything


def _gathered(bank: Bank, entry: Entry, params: Params, manner: Manner, rng: np.random.Generator) -> Material:
    """What a voice is played from; the arrays that a model needed for it are given back at once."""
    material = gather(bank, entry, params, manner, rng)
    give_back()
    return material


def _manner(voice: _Voice, n: int, rest: float) -> Manner:
    wide = voice.track is None or float(voice.motion.area.mean()) >= _WIDE_AREA
    return Manner(n, voice.motion.spans(), voice.count, wide, rest=rest)


def _faders(
    parts: Sequence[_Part], everything: Sequence[Played], seed: int, focus: float
) -> list[FloatArray]:
    """The factor over time by which each part gives way to the others, [m]."""
    lines = [
        Line(
            part.voice.motion.presence,
            activity(played.sound) if part.entry.kind == "event" else None,
            leads=part.voice.track is not None,
        )
        for part, played in zip(parts, everything, strict=True)
    ]
    return [np.asarray(10 ** (focus * gain / 20), np.float32) for gain in faders(lines, seed)]


def _own_settings(settings: Mapping[str, Any]) -> SoundBankSettings:
    known = [field.name for field in fields(SoundBankSettings)]
    unknown = sorted(settings.keys() - set(known))
    if unknown:
        raise ConfigurationError(
            f"synthesis: {', '.join(unknown)}: not known to the sound bank; expected {' or '.join(known)}. "
            "Remove it, or choose a bundle that has it."
        )
    for name, value in settings.items():
        if type(value) not in (int, float) or not 0 <= value <= 1:
            raise ConfigurationError(
                f"synthesis: {name}: expected a number from 0 to 1, got {value!r}. Correct it."
            )
    return SoundBankSettings(**settings)


def _kept(part: _Part, gain: float) -> Mapping[str, Any]:
    """What the next chunk needs to go on with a voice."""
    return {"entry": part.entry.id, "sound": part.voice.sound, "params": part.params, "gain": gain}


def _sounds(track: Track) -> bool:
    return track.caption is not None and bool(np.any(track.presence > 0.5))


def _mixed(voices: Sequence[_Voice]) -> list[_Voice]:
    """Voices that mask are lowered where there are others: a bed lies under what is to be heard."""
    others = any(voice.sound not in MASKING for voice in voices)
    return [
        replace(voice, level=voice.level + _BED_DB) if others and voice.sound in MASKING else voice
        for voice in voices
    ]


def _level(sound: str | None) -> float:
    """LUFS of a voice of that sound."""
    return REFERENCE + _LEVEL_SHARE * (vocabulary()[sound].level_db if sound is not None else _UNKNOWN_DB)


def _picks(voice: _Voice, played: Played, gain: float) -> list[Pick]:
    """One an entry: an event is heard whenever it was played, a texture while its source is there."""
    if gain == 0:
        return []
    there = _audible(voice.motion)
    times: dict[str, list[tuple[int, int]]] = {}
    entries = {entry.id: entry for entry, _, _ in played.heard}
    for entry, begin, end in played.heard:
        spans = there if entry.kind == "texture" else ((begin, end),)
        clipped = ((max(begin, first), min(end, last)) for first, last in spans)
        times.setdefault(entry.id, []).extend(span for span in clipped if span[1] - span[0] >= _SHORTEST)
    decibels = 20 * np.log10(gain)
    return [
        Pick(
            entry=entry.id,
            sound=entry.sound,
            caption=entry.caption,
            kind=entry.kind,
            track=voice.track,
            heard=tuple(
                (Fraction(first, SAMPLE_RATE), Fraction(last, SAMPLE_RATE))
                for first, last in sorted(times[entry.id])
            ),
            gain_db=round(float(decibels), 1),
            licence=entry.licence,
            credit=entry.credit,
        )
        for entry in entries.values()
        if times[entry.id]
    ]


def _audible(motion: Motion) -> tuple[tuple[int, int], ...]:
    """Where a source is at least half as much there as at most; a glimpse is never quite there."""
    most = max(float(motion.presence.max()), 1e-9)  # none of it: it is seen outside the chunk alone
    return replace(motion, presence=motion.presence / np.float32(most)).spans()
