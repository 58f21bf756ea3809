"""Single-source stretches of clips: exactly one kind of source is seen, and the sound agrees. Pure.

The recipe of VGGS3 (arXiv 2411.15447), for any footage: frames are kept in which the detector sees exactly
one kind of source, of stretches whose sound is that of this source. The paper takes the label that VGGSound
gives each clip. Here CLAP says whether what is heard is what is seen: of all kinds of sound in the
vocabulary, only a few may lie nearer to what is heard than the source's own. A tagger, where there is one,
is asked instead.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ssv2a.footage.clips import Segment, View
from ssv2a.footage.kinds import NEAREST, WALKING, Kinds, family
from ssv2a.footage.sound_check import MUSIC, OVERDRIVEN
from ssv2a.footage.verdicts import Verdict
from ssv2a.soundbank.vocabulary import vocabulary

SEEN = 0.5  # share of the frames in which the one kind must be seen, and no other
OTHERS = 0.1  # share of the frames in which another kind may be seen: detectors err in single frames
TAGS_FIRST = 3  # labels of a tagger among which music or speech counts

PEOPLE = frozenset({"person", "man", "woman", "boy", "girl", "human face", "human head", "human body"})
VOICES = frozenset({"crowd_babble", "applause"})  # kinds of sound that have speech in them
INSTRUMENTS = frozenset({"guitar", "piano", "drum", "flute", "trumpet", "violin"})
# Kinds whose partials stand still by themselves, as those of music do.
TONAL = INSTRUMENTS | {
    *("bell", "wind_chime", "whistle", "alarm_beep", "telephone_ring", "siren", "sword_clash", "metal_hit"),
    *("car_horn", "train_horn", "ship_horn", "train_pass", "helicopter", "boat_motor", "airplane_jet"),
    *("airplane_propeller", "chainsaw", "drill", "machinery", "printer", "vacuum_cleaner", "hair_dryer"),
    *("washing_machine", "insects_night", "bee_buzz"),
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What becomes of one segment, and on what grounds."""

    verdict: Verdict
    kind: str = ""  # of what is heard, of those that the source can be heard as; "": not one source is seen
    caption: str = ""  # of that kind
    seen: tuple[str, ...] = ()  # names of everything that is seen
    frames: tuple[int, ...] = ()  # in which exactly one kind is seen
    rank: int | None = None  # kinds of other sources that lie nearer to the sound
    heard: str = ""  # the kind that lies nearest of all


def judge(segment: Segment, kinds: Kinds, nearest: int = NEAREST) -> Judgement:
    """Whether a segment is kept; the first reason against it decides.

    Args:
        segment: what is seen and heard.
        kinds: to compare the source with.
        nearest: the source is heard if fewer other kinds than this lie nearer to the sound.
    """
    # 1. Is there a sound to learn from?
    view = segment.view
    if view is None:
        overdriven = segment.facts.clipped >= OVERDRIVEN
        return Judgement(Verdict.OVERDRIVEN if overdriven else Verdict.SILENT)

    # 2. Is exactly one kind of source seen?
    names = tuple(dict.fromkeys(thing.name for thing in view.things))
    seen = Judgement(Verdict.SILENT_KIND if names else Verdict.NOTHING, seen=names)
    there = _presence(view, kinds)
    sounding = [source for source in there if source]
    if not sounding:
        return seen
    source = max(sounding, key=lambda one: int(there[one].sum()))
    others = [shown for one, shown in there.items() if one != source and (one or source not in WALKING)]
    beside = np.any(others or [np.zeros_like(there[source])], axis=0)
    if beside.mean() > OTHERS:
        return replace(seen, verdict=Verdict.SEVERAL)

    # 3. Is it there long enough, and is it what is heard, without anything else?
    heard = kinds.hear(source, view.clap, view.labels)
    captions = [thing.caption for thing in view.things if thing.caption is not None]
    own = [caption for caption in captions if caption in vocabulary()[heard.kind].captions]
    found = replace(
        seen,
        kind=heard.kind,
        caption=own[0] if own else vocabulary()[heard.kind].caption,
        frames=tuple(np.flatnonzero(there[source] & ~beside).tolist()),
        rank=heard.rank,
        heard=heard.nearest,
    )
    return replace(found, verdict=_objection(found, segment.facts.music, view, kinds, nearest))


def _objection(found: Judgement, music: float, view: View, kinds: Kinds, nearest: int) -> Verdict:
    """What speaks against a stretch with one kind of source; KEPT if nothing does."""
    first = view.labels[:TAGS_FIRST]
    if len(found.frames) < SEEN * len(view.times):
        return Verdict.FLEETING
    if found.kind not in TONAL and music >= MUSIC:
        return Verdict.MUSIC
    if found.kind not in INSTRUMENTS and "Music" in first:
        return Verdict.MUSIC
    if found.kind not in VOICES and "Speech" in first:
        return Verdict.SPEECH
    names = kinds.names(found.kind)
    if view.labels and names:
        return Verdict.KEPT if names & set(view.labels) else Verdict.ANOTHER
    return Verdict.KEPT if found.rank is not None and found.rank < nearest else Verdict.ANOTHER


def _presence(view: View, kinds: Kinds) -> dict[str, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """For each kind of source the frames [F] in which it is seen, by the first kind of its family.

    "": people who make no sound, but may speak.
    """
    there: dict[str, np.ndarray[tuple[int], np.dtype[np.bool_]]] = {}
    for thing in view.things:
        if thing.caption is not None or thing.label.lower() in PEOPLE:
            source = "" if thing.caption is None else family(kinds.of(thing.caption, thing.clap))[0]
            shown = np.array(thing.presence, np.bool_)
            there[source] = there.get(source, np.zeros_like(shown)) | shown
    return there
