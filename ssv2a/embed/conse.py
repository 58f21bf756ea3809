"""Image vectors without an image-text network: ConSE (Norouzi et al., ICLR 2014, eq. 5).

A region's vector is the sum of sentence vectors of what its likeliest classes sound like, weighted by
their probabilities. Beyond the paper, the detector's label takes part with its score, and the two
correct each other: `judge` decides which name wins.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from ssv2a.embed.minilm import MiniLm
from ssv2a.errors import InputError
from ssv2a.heard import Heard
from ssv2a.types import Decision, FloatArray

TOP = 10  # classes that take part in a vector (T of the paper)
MIN_PROBABILITY = 0.03  # of one class, to take part in a vector
CONFIRMED = 0.3  # mass of a label's own kinds from which the crop confirms the label
RIVAL = 0.2  # mass that a rival of a label needs at least
MISSED = 0.3  # what a rival counts that the detector knows and did not see, beside 1 of one it does not know
STRANGER = 0.4  # the same, for a rival of another group
UNKNOWN = 0.3  # mass that a label gets at least whose kinds the classifier does not know
DOUBTED = 0.5  # a weaker label is not heard if the crop knows such things and sees none of them
CARRIED = 0.4  # mass from which what a person plays, holds or rides is what is heard
IMPERSONAL = 0.6  # mass from which an animal may be what was taken for a person

RIDDEN = frozenset({"bicycle", "motorcycle", "horse"})  # kinds: who is called one of these is a person still
BORNE_OUT: frozenset[Decision] = frozenset({"confirmed", "overruled"})  # decisions that the crop shares

_THINGS = frozenset({"animal", "vehicle", "instrument", "tool", "appliance", "sport", "thing", "food"})
_HELD = frozenset({"instrument", "tool", "sport"})
_KINDRED = frozenset({"animal", "tool", "sport"})  # groups whose members look like each other


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which name won."""

    heard: Heard
    confidence: float  # 0..1
    label_weight: float  # 0..1: what is left of the label's own score
    decision: Decision = "detector"

    @property
    def doubted(self) -> bool:
        """A weak label that the crop does not bear out: silent."""
        return self.decision == "doubted"

    def unless_borne_out(self) -> Verdict:
        """The verdict where the crop had a say in it, else one of doubt."""
        if self.decision in BORNE_OUT:
            return self
        return replace(self, heard=replace(self.heard, sound=None, moving=None), decision="doubted")


def judge(
    label: Heard,
    score: float,
    classes: tuple[Heard, ...],
    odds: FloatArray | None,
    beside: Mapping[str, float] = MappingProxyType({}),
) -> Verdict:
    """Weigh a detector's label against the classifier's verdict on the crop.

    1. A rival overrules the label where (1 - score) of its mass is more than score of the mass of the
       label's own kinds, as if detector and classifier were two witnesses who know nothing of each other.
       A rival that the detector knows would have been found by it and counts less, unless it was: what the
       detector itself found in the same place counts with its score. Clothes, parts, plants
       and places overrule nothing.
    2. What a person plays, holds or rides is what is heard of that person.
    3. Else classes that are kinds of the label confirm it, and the likeliest names it ("dog" → "husky").
    4. A weak label that the crop does not bear out at all is silent, and so is an animal's that is too small
       to tell.

    Args:
        label: the detector's class.
        score: its confidence.
        classes: the classifier's classes.
        odds: [classes] probabilities of the crop; None: it was not classified.
        beside: other labels that the detector gave to the same place, with their confidence.
    """
    if odds is None:
        weak = label.group == "animal" and score < DOUBTED
        return _doubted(label, score) if weak else Verdict(label, score, score)
    own = [i for i, heard in enumerate(classes) if heard.kind == label.name]
    borne_out = float(odds[own].sum())
    if label.group == "person":
        members, mass = _in_place_of_person(label, score, classes, odds)
    else:
        behind = borne_out if own else _kindred(label, score, classes, odds)
        members, mass = _rival(label, score, classes, odds, behind, beside)
    if members:
        return Verdict(_likeliest(members, classes, odds), mass, score * (1 - mass), "overruled")
    if borne_out >= CONFIRMED:
        return Verdict(_likeliest(own, classes, odds), max(score, borne_out), score, "confirmed")
    if own and label.group != "person" and score < DOUBTED and borne_out < MIN_PROBABILITY:
        return _doubted(label, score)
    return Verdict(label, score, score, "kept")


def _doubted(label: Heard, score: float) -> Verdict:
    """A weak label that nothing bears out: silent."""
    return Verdict(replace(label, sound=None, moving=None), score, score, "doubted")


def _kindred(label: Heard, score: float, classes: tuple[Heard, ...], odds: FloatArray) -> float:
    """The mass of a label that the classifier has no name for: it calls scissors a can opener, a tool too."""
    if label.group not in _KINDRED or score < DOUBTED:
        return UNKNOWN
    return max(UNKNOWN, float(odds[[heard.group == label.group for heard in classes]].sum()))


def _rival(
    label: Heard,
    score: float,
    classes: tuple[Heard, ...],
    odds: FloatArray,
    borne_out: float,
    beside: Mapping[str, float],
) -> tuple[list[int], float]:
    """The classes that overrule a label of a thing or an animal, and their mass; none and 0: it stands."""
    best: tuple[list[int], float] = ([], 0.0)
    most = score * borne_out
    for members, mass in _masses(label, classes, odds).values():
        rival = classes[members[0]]
        seen = (1 - score) * (MISSED if rival.kind else 1)
        seen = max(seen, beside.get(rival.kind, 0.0))
        needed = RIVAL if rival.group == label.group else STRANGER
        if mass >= needed and seen * mass > most:
            best, most = (members, mass), seen * mass
    return best


def _in_place_of_person(
    label: Heard, score: float, classes: tuple[Heard, ...], odds: FloatArray
) -> tuple[list[int], float]:
    """What is heard instead of a person, and its mass: what they play, hold or ride, or an animal."""
    members, mass = max(_masses(label, classes, odds).values(), key=lambda one: one[1], default=([], 0.0))
    if not members:
        return [], 0.0
    rival = classes[members[0]]
    if rival.group in _HELD or rival.kind in RIDDEN:
        needed = CARRIED
    else:
        needed = max(IMPERSONAL, score) if rival.group == "animal" else np.inf
    return (members, mass) if mass >= needed else ([], 0.0)


def _masses(
    label: Heard, classes: tuple[Heard, ...], odds: FloatArray
) -> dict[tuple[str, str], tuple[list[int], float]]:
    """Probability mass of what else the crop may be: classes of one group that are one kind of thing."""
    members: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i in np.argsort(-odds, kind="stable")[: 3 * TOP].tolist():
        heard = classes[i]
        if heard.kind != label.name and heard.group in _THINGS:
            members[heard.group, heard.kind or heard.sound or heard.name].append(i)
    return {key: (indices, min(float(odds[indices].sum()), 1.0)) for key, indices in members.items()}


def _likeliest(members: list[int], classes: tuple[Heard, ...], odds: FloatArray) -> Heard:
    """The likeliest class among those whose sound has the most mass."""
    masses: dict[tuple[str | None, str | None], float] = defaultdict(float)
    for i in members:
        masses[classes[i].sound, classes[i].moving] += float(odds[i])
    sound = max(masses, key=lambda key: masses[key])
    fitting = [i for i in members if (classes[i].sound, classes[i].moving) == sound]
    return classes[max(fitting, key=lambda i: float(odds[i]))]


def weigh_classes(
    classes: tuple[Heard, ...], odds: FloatArray, *, moving: bool, places: bool
) -> dict[str, float]:
    """Captions of the likeliest classes that sound, with their probabilities.

    Args:
        classes: the classifier's classes.
        odds: [classes] probabilities.
        moving: whether the thing moves.
        places: whether classes that name a place count (in the whole picture they do, in a crop not).
    """
    captions: dict[str, float] = defaultdict(float)
    for i in np.argsort(-odds, kind="stable")[:TOP].tolist():
        caption = classes[i].caption_when(moving)
        if caption and odds[i] >= MIN_PROBABILITY and (places or classes[i].group != "place"):
            captions[caption] += float(odds[i])
    return dict(captions)


def shares(weights: Mapping[str, float]) -> tuple[tuple[str, float], ...]:
    """What `blend` sums, as shares of the whole, the largest first."""
    whole = sum(weight for weight in weights.values() if weight > 0)
    ranked = sorted(weights.items(), key=lambda item: (-item[1], item[0]))
    return tuple((text, weight / whole) for text, weight in ranked if weight > 0)


def blend(text: MiniLm, weights: Mapping[str, float]) -> FloatArray:
    """The weighted sum of sentence vectors [384], L2-normalised.

    Raises:
        InputError: there is nothing to sum.
    """
    texts = sorted(caption for caption, weight in weights.items() if weight > 0)
    if not texts:
        raise InputError("no text has a weight above zero; expected at least one to make a vector of")
    mass = np.array([weights[caption] for caption in texts], np.float32)
    vector = mass @ text.embed(texts)
    return np.asarray(vector / np.linalg.norm(vector), np.float32)
