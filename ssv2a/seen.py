"""Frames to what is seen in them and how it is heard: one `Look` a frame.

Detector, classifier and table weigh every region; the whole picture gives the scene, its ambience
and, where no region explains it, one more source. People have footsteps when they walk and clothes
when they stir, never a voice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ssv2a.claims import SPECK, Claim, merge, unlike
from ssv2a.detect.nanodet import NanoDet
from ssv2a.detect.slices import closer
from ssv2a.embed.classifier import Classifier
from ssv2a.embed.conse import BORNE_OUT, Verdict, blend, shares, weigh_classes
from ssv2a.embed.minilm import MiniLm
from ssv2a.heard import Heard, HeardTable, caption_of
from ssv2a.motion import Motion, Neighbour, camera_shift, motion, thumbnail
from ssv2a.naming import name_regions, sound_of
from ssv2a.scenes import Rule, ambience, gather, misplaced, pool, stirring, surface, under
from ssv2a.shots import changed, same_shot, spread
from ssv2a.types import (
    MAX_SLOTS,
    SCENE,
    WHOLE_PICTURE,
    Box,
    ByteArray,
    FloatArray,
    Frames,
    Look,
    Reasons,
    Region,
    Source,
)

UNEXPLAINED = 0.5  # mass of a sound in the whole picture from which it is a source beside the detector's
HALF = 0.4  # the same, in a half in which nothing audible was found
ALONE = 0.35  # the same, where the detector found nothing in the picture; of two halves for the surer one
SAME_CROP = 0.7  # overlap with the frame before above which the classifier's verdict is kept
CROP_FRAMES = 4  # frames in a row that may share one verdict
MAX_CROPS = 8  # classified in one frame, the largest; the rest go by the detector's label
MIN_SIDE = 48  # pixels of a crop's shorter side: a smaller one is too coarse to classify
WIDE = 1.4  # width to height of a picture from which its ends are classified, not the whole
REACHES = 0.3  # share of a region in a half, from which the half is explained by it
OWN_SHARE = 0.6  # of a frame's own classes, beside the mean of its shot: what left is not seen any more
REPORTED = 4  # likeliest classes that a source's reasons name
AMBIENCE_WEIGHT = 0.5  # of the ambience in the scene's vector, beside probabilities

_OBJECTS = frozenset({"animal", "vehicle", "instrument", "tool", "appliance", "sport"})


@dataclass(frozen=True, slots=True)
class _Glance:
    """One frame that is looked at: what the detector gave."""

    time: Fraction
    image: ByteArray
    thumb: FloatArray  # [32, 32, 3]
    regions: tuple[Region, ...]
    whole: int  # how many of them, the first, are of the whole picture; the others of its slices


@dataclass(frozen=True, slots=True)
class _Crop:
    """A classified region, kept for the next frames."""

    region: Region
    odds: FloatArray | None  # [classes]; None: it was not classified
    age: int  # frames since it was classified


@dataclass(frozen=True, slots=True)
class _Half:
    """One side of a picture in which the detector found nothing but specks."""

    box: Box
    odds: FloatArray  # [classes]
    specks: bool  # whether something audible is there, but very small


@dataclass(frozen=True, slots=True)
class _Impression:
    """One frame, named but not yet heard."""

    glance: _Glance
    crops: tuple[_Crop, ...]
    verdicts: tuple[Verdict, ...]  # one for each crop
    moves: tuple[Motion, ...]  # one for each crop
    odds: FloatArray  # [classes] of the whole picture
    halves: tuple[_Half, ...]  # of a picture in which they may show what the detector does not know
    evidence: Mapping[str, float]  # of the place


class Eyes:
    """Detector, classifier, sentence encoder and tables together; holds no state between calls.

    Args:
        detector: finds things.
        classifier: names crops and whole pictures.
        text: turns captions into vectors.
        heard: what each name sounds like.
        rules: of the scene's ambience and ground.
    """

    def __init__(
        self,
        detector: NanoDet,
        classifier: Classifier,
        text: MiniLm,
        heard: HeardTable,
        rules: Sequence[Rule],
    ) -> None:
        self._detector = detector
        self._classifier = classifier
        self._text = text
        self._heard = heard
        self._rules = tuple(rules)

    frame_size = None  # frames of any size, in their shape
    min_confidence = 0.4

    def look(
        self,
        frames: Frames,
        *,
        min_confidence: float = min_confidence,
        max_sources: int = MAX_SLOTS - 1,
        mute: frozenset[str] = frozenset(),
    ) -> tuple[Look, ...]:
        """One look a frame; a frame like the one before is not looked at again.

        Args:
            frames: of one chunk, in order.
            min_confidence: the detector's, below which nothing is a region.
            max_sources: most sources of one frame.
            mute: labels, names or sounds (keys of the vocabulary) that must not sound; upper or lower
                case is the same.
        """
        thumbs = [thumbnail(image) for image in frames.images]
        glances = [self._glance(frames, n, thumbs[n], min_confidence, max_sources) for n in changed(thumbs)]
        stirs = {"stirring": stirring(thumbs)}
        seen = [glance.thumb for glance in glances]
        shots = [same_shot(seen, n) for n in range(len(glances))]
        impressions: list[_Impression] = []
        for n, glance in enumerate(glances):
            beside = [glances[i] for i in shots[n] if i != n]
            crops = impressions[-1].crops if n - 1 in shots[n] else ()
            impressions.append(self._impression(glance, beside, crops))
        muted = frozenset(word.casefold() for word in mute)
        looks = []
        for n, impression in enumerate(impressions):
            shot = [impressions[i] for i in shots[n]]
            cut = n > 0 and n - 1 not in shots[n]
            looks.append(self._look(impression, shot, stirs, cut, muted, max_sources))
        return spread(looks, frames.times)

    def _glance(self, frames: Frames, n: int, thumb: FloatArray, min_confidence: float, most: int) -> _Glance:
        image = frames.images[n]
        whole = self._detector.detect(image, min_confidence=min_confidence, max_regions=most)
        sliced = closer(self._detector, image, whole, min_confidence=min_confidence, max_regions=most)
        return _Glance(frames.times[n], image, thumb, (*whole, *sliced), len(whole))

    def _crop(self, glance: _Glance, region: Region, before: Sequence[_Crop], worth: bool) -> _Crop:
        """Classify a region, or keep the verdict of the frame before where it hardly moved.

        One that is not `worth` it, being small or one of many, goes by the detector's label alone.
        """
        for old in before:
            if (
                old.region.label == region.label
                and old.age + 1 < CROP_FRAMES
                and old.region.box.overlap(region.box) >= SAME_CROP
            ):
                return _Crop(region, old.odds, old.age + 1)
        if not worth:
            return _Crop(region, None, 0)
        return _Crop(region, self._classifier.classify(glance.image, region.box), 0)

    def _impression(self, glance: _Glance, beside: Sequence[_Glance], before: Sequence[_Crop]) -> _Impression:
        """Name what one frame shows: crops and the whole picture, what moves, evidence of the place.

        Args:
            glance: the frame.
            beside: the frames before and after it, of the same shot.
            before: the crops of the frame before it, of the same shot.
        """
        others = [
            Neighbour(
                *(other.time, other.thumb, other.regions),
                camera_shift(glance.thumb, other.thumb, glance.regions, other.regions),
            )
            for other in (beside if glance.regions else ())
        ]
        moves = tuple(motion(region, glance.thumb, glance.time, others) for region in glance.regions)
        by_size = sorted(range(len(glance.regions)), key=lambda i: -glance.regions[i].box.area)
        worth = {i for i in by_size[:MAX_CROPS] if _side(glance.regions[i].box, glance.image) >= MIN_SIDE}
        crops = tuple(
            self._crop(glance, region, before, i in worth) for i, region in enumerate(glance.regions)
        )
        labels = [self._heard.labels[region.label] for region in glance.regions]
        odds = [crop.odds for crop in crops]
        verdicts = name_regions(glance.regions, odds, self._heard, whole=glance.whole)
        ends = self._ends(glance.image)
        whole = self._classifier.classify(glance.image) if ends is None else np.mean(ends, axis=0)
        evidence = gather(_counted(verdicts, labels), self._heard.classes, whole, glance.thumb)
        halves = () if ends is None else _empty(ends, glance.regions, verdicts)
        return _Impression(glance, crops, verdicts, moves, whole, halves, evidence)

    def _ends(self, image: ByteArray) -> tuple[FloatArray, FloatArray] | None:
        """Class probabilities of the squares at the left and right end of a wide picture; None: it is not.

        A classifier of squares sees a wide picture's things too thin.
        """
        height, width = image.shape[:2]
        if width < WIDE * height:
            return None
        size = max(height, width // 2)
        left, right = np.ascontiguousarray(image[:, :size]), np.ascontiguousarray(image[:, width - size :])
        return self._classifier.classify(left), self._classifier.classify(right)

    def _look(
        self,
        own: _Impression,
        shot: Sequence[_Impression],
        moving: Mapping[str, float],
        cut: bool,
        muted: frozenset[str],
        most: int,
    ) -> Look:
        """Hear one frame; the place and the whole picture's classes are taken from its shot."""
        beside = np.mean([impression.odds for impression in shot], axis=0)
        odds = np.asarray(OWN_SHARE * own.odds + (1 - OWN_SHARE) * beside, np.float32)
        evidence = {**pool([impression.evidence for impression in shot]), **moving}
        air = ambience(self._rules, evidence)
        air = None if air is None or air.casefold() in muted else air
        nowhere = misplaced(self._rules, evidence)
        claims = [
            Claim(
                self._source(crop, verdict, move, self._heard_as(own, n, evidence), muted | nowhere),
                group=verdict.heard.group,
                borne_out=verdict.decision in BORNE_OUT,
            )
            for n, (crop, verdict, move) in enumerate(zip(own.crops, own.verdicts, own.moves, strict=True))
        ]
        beyond = self._beyond(own, odds, muted, nowhere)
        kept = merge([*unlike(claims, beyond), *beyond])[:most]
        scene = self._scene(odds, kept, air, muted)
        return Look(own.glance.time, scene, caption_of(air), kept, reused=False, cut=cut)

    def _heard_as(self, own: _Impression, n: int, evidence: Mapping[str, float]) -> str | None:
        """The key of what the n-th region sounds like, people by how they move and what they walk on."""
        glance, box = own.glance, own.crops[n].region.box
        ground = surface(self._rules, {**evidence, **under(glance.thumb, box)})
        return sound_of(
            own.verdicts[n], own.moves[n], box, glance.image.shape[1] / glance.image.shape[0], ground
        )

    def _source(
        self, crop: _Crop, verdict: Verdict, move: Motion, sound: str | None, muted: frozenset[str]
    ) -> Source:
        """One region as a source that makes `sound` (a key of the vocabulary, None: silent)."""
        label = self._heard.labels[crop.region.label]
        moving = move is Motion.MOVES
        caption = caption_of(sound)
        if sound == verdict.heard.sound_when(moving):
            caption = verdict.heard.caption_when(moving)
        if {label.name.casefold(), *_words(verdict.heard, sound)} & muted:
            caption = None
        weights: dict[str, float] = {}
        if crop.odds is not None:
            weights = weigh_classes(self._heard.classes, crop.odds, moving=moving, places=False)
        said = label is verdict.heard or verdict.decision == "detector"
        own = caption if said else label.caption_when(moving)
        if own:
            weights[own] = weights.get(own, 0.0) + verdict.label_weight
        weights = _audible(weights, verdict.heard)
        reasons = Reasons(verdict.decision, self._likeliest(crop.odds), shares(weights))
        return Source(
            *(crop.region.box, label.name, verdict.heard.name, caption, verdict.confidence),
            *(blend(self._text, weights), reasons),
        )

    def _surest(self, odds: FloatArray) -> tuple[str, float]:
        """The sound of things, not places, that has the most mass, and its mass."""
        masses: dict[str, float] = {}
        for heard, probability in zip(self._heard.classes, odds.tolist(), strict=True):
            if heard.group in _OBJECTS and heard.sound:
                masses[heard.sound] = masses.get(heard.sound, 0.0) + probability
        return max(masses.items(), key=lambda item: item[1])

    def _beyond(
        self, own: _Impression, odds: FloatArray, muted: frozenset[str], nowhere: frozenset[str]
    ) -> list[Claim]:
        """What no region shows: in the halves of the picture that hold nothing audible, else in the whole.

        In a half with specks it can only be an instrument, whose parts they may be.

        Args:
            own: the frame.
            odds: [classes] of the whole picture, taken from its shot.
            muted: what must not sound.
            nowhere: sounds that nothing makes in such a place.
        """
        alone = not own.verdicts
        possible = np.array([heard.sound not in nowhere for heard in self._heard.classes])
        halves = [
            claim
            for half in own.halves
            for claim in self._unexplained(
                half.box, half.odds * possible, ALONE if alone else HALF, own, muted
            )
            if not half.specks or claim.group == "instrument"
        ]
        if len(halves) == 1 or len({claim.source.name for claim in halves}) > 1:
            surest = max(claim.source.confidence for claim in halves)
            return [claim for claim in halves if claim.source.confidence >= min(HALF, surest)]
        needed = HALF if halves else ALONE if alone else UNEXPLAINED
        whole = self._unexplained(WHOLE_PICTURE, odds * possible, needed, own, muted)
        told = any(
            v.heard.group == "animal" and v.decision in BORNE_OUT and (v.heard.sound or v.heard.moving)
            for v in own.verdicts
        )
        return [claim for claim in whole if not (claim.animal and told)]

    def _unexplained(
        self, box: Box, odds: FloatArray, needed: float, own: _Impression, muted: frozenset[str]
    ) -> list[Claim]:
        """The own thing of the whole picture or of a half, where it sounds and no region is such a thing."""
        sound, mass = self._surest(odds)
        members = [i for i, h in enumerate(self._heard.classes) if h.sound == sound and h.group in _OBJECTS]
        heard = self._heard.classes[max(members, key=lambda i: float(odds[i]))]
        seen = {v.heard.sound for v in own.verdicts} | {v.heard.moving for v in own.verdicts}
        kinds = {v.heard.kind or v.heard.name for v in own.verdicts}
        if mass < needed or sound in seen or (heard.kind and heard.kind in kinds):
            return []
        caption = None if {SCENE, *_words(heard, sound)} & muted else heard.caption_when(moving=False)
        weights = _audible(weigh_classes(self._heard.classes, odds, moving=False, places=False), heard)
        vector, reasons = blend(self._text, weights), self._whole(odds, weights)
        source = Source(box, SCENE, heard.name, caption, mass, vector, reasons)
        return [Claim(source, heard.group, borne_out=True)]

    def _scene(
        self, odds: FloatArray, sources: Sequence[Source], air: str | None, muted: frozenset[str]
    ) -> Source:
        """The whole picture as slot 0: its classes, its sources by their size, its ambience."""
        audible = odds * [not (_words(heard, heard.sound) & muted) for heard in self._heard.classes]
        weights = weigh_classes(self._heard.classes, audible, moving=False, places=True)
        for source in sources:
            if source.caption:
                weight = source.confidence * source.box.area**0.5
                weights[source.caption] = weights.get(source.caption, 0.0) + weight
        caption = caption_of(air)
        if caption:
            weights[caption] = weights.get(caption, 0.0) + AMBIENCE_WEIGHT
        likeliest = int(odds.argmax())
        heard = self._heard.classes[likeliest]
        weights = _audible(weights, heard)
        vector, reasons = blend(self._text, weights), self._whole(odds, weights)
        return Source(WHOLE_PICTURE, SCENE, heard.name, caption, float(odds[likeliest]), vector, reasons)

    def _whole(self, odds: FloatArray, weights: Mapping[str, float]) -> Reasons:
        return Reasons("picture", self._likeliest(odds), shares(weights))

    def _likeliest(self, odds: FloatArray | None) -> tuple[tuple[str, float], ...]:
        """The classifier's likeliest names with their probabilities; none where it was not asked."""
        if odds is None:
            return ()
        chosen = np.argsort(-odds, kind="stable")[:REPORTED].tolist()
        return tuple((self._heard.classes[i].name, float(odds[i])) for i in chosen)


def _empty(
    ends: tuple[FloatArray, FloatArray], regions: Sequence[Region], verdicts: Sequence[Verdict]
) -> tuple[_Half, ...]:
    """The halves of a wide picture that hold nothing audible but specks, with the classes of their ends."""
    pairs = zip(regions, verdicts, strict=True)
    audible = [region.box for region, verdict in pairs if verdict.heard.sound or verdict.heard.moving]
    halves = []
    for half, odds in zip((Box(0, 0, 0.5, 1), Box(0.5, 0, 1, 1)), ends, strict=True):
        there = [box for box in audible if box.share_within(half) >= REACHES]
        if all(box.area < SPECK for box in there):
            halves.append(_Half(half, odds, specks=bool(there)))
    return tuple(halves)


def _side(box: Box, image: ByteArray) -> float:
    """The shorter side of a box, in pixels."""
    height, width = image.shape[:2]
    return min((box.right - box.left) * width, (box.bottom - box.top) * height)


def _audible(weights: Mapping[str, float], heard: Heard) -> dict[str, float]:
    """The captions that weigh anything; the thing's own name where none does."""
    return {caption: weight for caption, weight in weights.items() if weight > 0} or {heard.name: 1.0}


def _words(heard: Heard, sound: str | None) -> frozenset[str]:
    """What a thing can be muted by: its name, the label it is a kind of, its sound."""
    return frozenset(word.casefold() for word in (heard.name, heard.kind, sound) if word)


def _counted(verdicts: Sequence[Verdict], labels: Sequence[Heard]) -> list[Heard]:
    """What counts as evidence of the place: labels, or what overruled them; nothing that is doubted."""
    return [
        label if verdict.heard.group == label.group else verdict.heard
        for verdict, label in zip(verdicts, labels, strict=True)
        if not verdict.doubted
    ]
