"""Training of mini CLAP: sounds against captions, mixtures against the sum of their parts.

Contrastive as CLIP (Radford et al. 2021), one sound of each of many classes in a batch, so that large classes
weigh no more than small ones. All augmentation works on mel powers, where sounds add up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.signal import lfilter
from torch import Tensor
from torch.nn import functional

from ssv2a.embed.clap import FRAMES_PER_SECOND, MELS, ClapNetwork, MiniClap
from ssv2a.embed.minilm import MiniLm
from ssv2a.errors import TrainingError
from ssv2a.soundbank.vocabulary import vocabulary
from ssv2a.train.data import TrainingSound
from ssv2a.train.loop import WHOLE, Draws, LoopSettings, Outcome, RunOptions, run
from ssv2a.train.results import write_metrics
from ssv2a.train.vectors import embed_sounds, write_vectors
from ssv2a.types import FloatArray

WEIGHTS = "clap.safetensors"
VECTORS = "clap_vectors.npz"
SETTINGS = LoopSettings(steps=1800, learning_rate=2e-3, weight_decay=0.1, validate_every=150)
_LARGEST_SCALE = float(np.log(15.0))  # of the similarities: kinds that sound alike stay near each other
_LEAST_RECORDED, _MOST_RECORDED = 0.15, 0.6  # share of recordings among the draws of a kind with models


@dataclass(frozen=True, slots=True)
class ClapSettings:
    """What a batch is made of."""

    classes: int = 64  # in a batch, one sound each
    mixtures: int = 24  # in a batch, of two or three of its sounds
    seconds: float = 4.0  # of a crop
    mixture_weight: float = 2.0  # of the mixture loss
    parts_weight: float = 0.5  # of finding a mixture's parts among all captions
    text_noise: float = 0.01  # deviation added to each feature of a sentence vector
    bfloat16: bool = False  # compute the encoder in half precision; fast where the processor has AMX


class ClapTask:
    """Contrastive learning for `ssv2a.train.loop`.

    Args:
        sounds: to learn from ("train") and to measure by ("val").
        sentences: MiniLM vector [384] of every caption.
        settings: the batch.
        width: of the network.
        seed: of its first weights.
    """

    name = "clap"

    def __init__(
        self,
        sounds: Sequence[TrainingSound],
        sentences: Mapping[str, FloatArray],
        settings: ClapSettings,
        *,
        width: int = 24,
        seed: int = 0,
    ) -> None:
        self.settings = settings
        self.sentences = sentences
        self.by_class = _kinds([sound for sound in sounds if sound.split == "train"])
        if len(self.by_class) < 2:
            raise TrainingError(f"{len(self.by_class)} kinds of sound to learn: expected two or more.")
        self.names = sorted(self.by_class)
        self.held_out = [s for s in sounds if s.split == "val" and s.sound in self.by_class]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = ClapNetwork(width)

    def losses(self, network: ClapNetwork, draws: Draws) -> dict[str, Tensor]:
        """Contrast of sounds and captions; mixtures near the sum, and near the captions, of their parts."""
        rng, settings = draws.numpy, self.settings
        picked = rng.choice(len(self.names), min(settings.classes, len(self.names)), replace=False).tolist()
        chosen = [self.by_class[self.names[index]].draw(rng) for index in picked]
        frames = round(settings.seconds * FRAMES_PER_SECOND)
        powers = np.stack([augment(sound.power, frames, rng) for sound in chosen])
        gains = mixing_gains(len(chosen), settings.mixtures, rng)  # [mixtures, classes] amplitudes
        mixed = np.tensordot(gains**2, powers, axes=1).astype(np.float32)
        with torch.autocast(torch.device(draws.device).type, torch.bfloat16, enabled=settings.bfloat16):
            vectors = network.audio(draws.tensor(np.concatenate([powers, mixed])))
        sounds, mixtures = vectors[: len(chosen)], vectors[len(chosen) :]
        others = [name for index, name in enumerate(self.names) if index not in set(picked)]
        texts = network.text(draws.tensor(self._captions(chosen, others, rng)))
        weights = draws.tensor(gains)
        parts = functional.normalize(weights @ sounds.detach(), dim=-1)
        distance = (1 - (mixtures * parts).sum(dim=-1)).mean() if settings.mixtures else sounds.new_zeros(())
        found = found_parts(mixtures, texts, weights, network.log_scale) if settings.mixtures else distance
        return {
            "contrast": contrast(sounds, texts, network.log_scale),
            "mixture": settings.mixture_weight * distance,
            "parts": settings.parts_weight * found,
        }

    def _captions(
        self, sounds: Sequence[TrainingSound], others: Sequence[str], rng: np.random.Generator
    ) -> FloatArray:
        """A caption's vector of each sound, then one of each other kind."""
        known = vocabulary()
        asked = [*(sound.captions for sound in sounds), *(known[name].captions for name in others)]
        vectors = np.stack([self.sentences[captions[rng.integers(len(captions))]] for captions in asked])
        noise = rng.standard_normal(vectors.shape) * self.settings.text_noise
        return np.asarray(vectors + noise, np.float32)

    def validate(self, network: ClapNetwork) -> dict[str, float]:
        """Share of held-out sounds whose class is the first, or among the first four, by text."""
        if not self.held_out:
            return {}
        return retrieval(MiniClap(network), self.held_out, self.sentences, self.names)


@dataclass(frozen=True, slots=True)
class _Kind:
    """The sounds of one kind to learn from, by where they come from: no series weighs more than another."""

    recorded: tuple[tuple[TrainingSound, ...], ...]  # recordings, by series
    modelled: tuple[tuple[TrainingSound, ...], ...]  # draws, by model

    def draw(self, rng: np.random.Generator) -> TrainingSound:
        """A recording or a draw of a model, of any series."""
        groups = self.recorded or self.modelled
        if self.recorded and self.modelled:
            many = len(self.recorded)
            share = float(np.clip(1.5 * _MOST_RECORDED * many / (many + 2), _LEAST_RECORDED, _MOST_RECORDED))
            groups = self.recorded if rng.random() < share else self.modelled
        series = groups[rng.integers(len(groups))]
        return series[rng.integers(len(series))]


def _kinds(sounds: Sequence[TrainingSound]) -> dict[str, _Kind]:
    """The sounds by kind."""
    series: dict[str, dict[bool, dict[str, list[TrainingSound]]]] = {}
    for sound in sounds:
        groups = series.setdefault(sound.sound, {False: {}, True: {}})
        groups[sound.modelled].setdefault(sound.series, []).append(sound)
    return {
        kind: _Kind(
            *(tuple(tuple(one) for _, one in sorted(groups[modelled].items())) for modelled in (False, True))
        )
        for kind, groups in series.items()
    }


def contrast(sounds: Tensor, texts: Tensor, log_scale: Tensor) -> Tensor:
    """Symmetric cross-entropy over the similarities of pairs (CLIP); the scale is at most 15.

    Args:
        sounds: [n, d].
        texts: [m, d], m ≥ n: the n partners first, then others that no sound belongs to.
        log_scale: logarithm of the inverse temperature.
    """
    scores = sounds @ texts.T * log_scale.clamp(0.0, _LARGEST_SCALE).exp()
    pairs = torch.arange(len(sounds), device=sounds.device)
    partners = scores[:, : len(sounds)]
    return (functional.cross_entropy(scores, pairs) + functional.cross_entropy(partners.T, pairs)) / 2


def found_parts(mixtures: Tensor, texts: Tensor, gains: Tensor, log_scale: Tensor) -> Tensor:
    """Cross-entropy of the captions that a mixture lies near with the amplitudes of its parts.

    Args:
        mixtures: [k, d].
        texts: [m, d], those of the n sounds first.
        gains: [k, n] amplitudes of the sounds in each mixture.
        log_scale: logarithm of the inverse temperature.
    """
    scores = mixtures @ texts.T * log_scale.clamp(0.0, _LARGEST_SCALE).exp()
    wanted = gains / gains.sum(dim=1, keepdim=True)
    return -(wanted * scores.log_softmax(dim=1)[:, : gains.shape[1]]).sum(dim=1).mean()


def mixing_gains(sounds: int, mixtures: int, rng: np.random.Generator) -> FloatArray:
    """Amplitudes [mixtures, sounds]: two or three parts each, within 12 dB, their squares adding up to 1."""
    gains = np.zeros((mixtures, sounds), np.float32)
    for row in gains:
        parts = rng.choice(sounds, min(sounds, int(rng.integers(2, 4))), replace=False)
        row[parts] = 10 ** (rng.uniform(-12, 0, len(parts)) / 20)
    return gains / np.linalg.norm(gains, axis=1, keepdims=True) if mixtures else gains


def augment(power: FloatArray, frames: int, rng: np.random.Generator) -> FloatArray:
    """A varied crop [64, frames] of a mel power, mean 1: place, speed, pitch, colour, room and noise."""
    power = _stretched(power, rng)
    power = _placed(power, frames, rng)
    power = power * _colour(rng)[:, None]
    if rng.random() < 0.3:
        power = _reverberant(power, rng)
    power = power / max(float(power.mean()), 1e-12)
    if rng.random() < 0.5:
        tilt = np.linspace(1, 0, MELS) ** rng.uniform(0, 2)
        level = 10 ** (rng.uniform(-45, -12) / 10)
        power = power + level * (tilt / tilt.mean())[:, None] * rng.exponential(1, power.shape)
    return np.asarray(_masked(power, rng) / max(float(power.mean()), 1e-12), np.float32)


def _masked(power: FloatArray, rng: np.random.Generator) -> FloatArray:
    """With a stretch of time and a stretch of bands gone quiet (SpecAugment, Park et al. 2019).

    A short event that would go with them stays as it is.
    """
    masked = power.copy()
    for axis, longest in ((0, MELS // 5), (1, power.shape[1] // 5)):
        width = int(rng.integers(0, longest + 1))
        start = int(rng.integers(0, power.shape[axis] - width + 1))
        masked[(slice(None),) * axis + (slice(start, start + width),)] *= 0.01
    return masked if masked.mean() >= 0.3 * power.mean() else power


def _stretched(power: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Speed by 0.8 to 1.25, pitch by up to three mel bands, independent of each other."""
    frames = power.shape[1]
    length = max(2, round(frames * rng.uniform(0.8, 1.25)))
    times = np.linspace(0, frames - 1, length).round().astype(int)
    bands = np.clip(np.arange(MELS) + rng.uniform(-3, 3), 0, MELS - 1)
    lower = np.minimum(bands.astype(int), MELS - 2)
    share = (bands - lower)[:, None]
    picked = power[:, times]
    return np.asarray(picked[lower] * (1 - share) + picked[lower + 1] * share, np.float32)


def _placed(power: FloatArray, frames: int, rng: np.random.Generator) -> FloatArray:
    """A random window of a long sound; a short one somewhere in silence, once or again and again."""
    length = power.shape[1]
    if length >= frames:
        start = int(rng.integers(length - frames + 1))
        return power[:, start : start + frames]
    placed = np.zeros((MELS, frames), np.float32)
    start = int(rng.integers(-length // 4, frames - length + 1))
    pause = int(rng.integers(0, frames)) if rng.random() < 0.6 else frames
    for begin in range(start % max(1, length + pause) - (length + pause), frames, length + pause):
        first, last = max(0, begin), min(frames, begin + length)
        if last > first:
            placed[:, first:last] = power[:, first - begin : last - begin]
    return placed


def _colour(rng: np.random.Generator) -> FloatArray:
    """Gains of power per band: a smooth curve within 9 dB, at times with the highs cut off."""
    curve = np.interp(np.arange(MELS), np.linspace(0, MELS - 1, 5), rng.uniform(-9, 9, 5))
    if rng.random() < 0.3:
        above = np.clip(np.arange(MELS) - rng.integers(MELS // 2, MELS), 0, None)
        curve = curve - above * rng.uniform(1, 8)
    return np.asarray(10 ** (curve / 10), np.float32)


def _reverberant(power: FloatArray, rng: np.random.Generator) -> FloatArray:
    """With the exponential tail of a room: 60 dB in 0.2 to 1.2 s."""
    decay = 10 ** (-6 / (rng.uniform(0.2, 1.2) * FRAMES_PER_SECOND))
    tail = lfilter([1 - decay], [1, -decay], power, axis=1)
    return np.asarray(power + rng.uniform(0.1, 1.0) * tail, np.float32)


def retrieval(
    clap: MiniClap, sounds: Sequence[TrainingSound], sentences: Mapping[str, FloatArray], names: Sequence[str]
) -> dict[str, float]:
    """R@1 and R@4 of sounds against the classes' captions, each class weighing the same.

    Figures come apart into recordings and models' draws ("recordings R@1", "models R@4" …).
    """
    texts = class_texts(clap, sentences, names)
    scores = clap.power_batch([sound.power for sound in sounds]) @ texts.T
    place = {name: index for index, name in enumerate(names)}
    true = np.array([place[sound.sound] for sound in sounds])
    ranks = (scores > scores[np.arange(len(sounds)), true][:, None]).sum(axis=1)
    modelled = np.array([sound.modelled for sound in sounds])
    figures: dict[str, float] = {}
    for group, mask in (("recordings", ~modelled), ("models", modelled)):
        for depth in (1, 4):
            hits = [float((ranks[mask & (true == c)] < depth).mean()) for c in np.unique(true[mask])]
            if hits:
                figures[f"{group} R@{depth}"] = float(np.mean(hits))
    return figures


def class_texts(clap: MiniClap, sentences: Mapping[str, FloatArray], names: Sequence[str]) -> FloatArray:
    """One vector [256] a class: the normalised mean of its captions' vectors."""
    known = vocabulary()
    means = [clap.text(np.stack([sentences[c] for c in known[name].captions])).mean(axis=0) for name in names]
    stacked = np.stack(means)
    return np.asarray(stacked / np.linalg.norm(stacked, axis=1, keepdims=True), np.float32)


def sentence_vectors(sounds: Sequence[TrainingSound], text: MiniLm) -> dict[str, FloatArray]:
    """MiniLM vectors of every caption of the sounds and of the vocabulary."""
    captions = {caption for sound in sounds for caption in sound.captions}
    captions |= {caption for sound in vocabulary().values() for caption in sound.captions}
    ordered = sorted(captions)
    return dict(zip(ordered, text.embed(ordered), strict=True))


def train_clap(
    sounds: Sequence[TrainingSound],
    text: MiniLm,
    out: Path,
    settings: LoopSettings = SETTINGS,
    options: RunOptions = WHOLE,
    *,
    clap: ClapSettings | None = None,
    width: int = 24,
) -> Outcome:
    """Train, measure and write `clap.safetensors`, `clap_vectors.npz` and `metrics.json` into `out`."""
    sentences = sentence_vectors(sounds, text)
    task = ClapTask(sounds, sentences, clap or ClapSettings(), width=width, seed=settings.seed)
    outcome = run(task, out, settings, options)
    trained = MiniClap(task.network)
    trained.save(out / WEIGHTS)
    write_vectors(embed_sounds(sounds, trained), out / VECTORS)
    write_metrics(outcome, out, {"classes": len(task.by_class), "sounds": len(sounds)})
    return outcome
