"""Training of the remixer: the slots of an image → the CLAP of what its sources sound like together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from ssv2a.config import Ssv2aConfig
from ssv2a.cycle_mix import cycle_mix
from ssv2a.layers import Gaussian
from ssv2a.manifold import Manifold
from ssv2a.networks import Networks
from ssv2a.remixer import Remixer
from ssv2a.train.loop import WHOLE, Draws, LoopSettings, Outcome, RunOptions, run
from ssv2a.train.losses import cosine_distance, kl_to_standard_normal, mute_slots
from ssv2a.train.results import finish
from ssv2a.train.sources import Mixture, SourceBook, draw_mixture, noisy, unit
from ssv2a.types import MAX_SLOTS, FloatArray, Split
from ssv2a.weights import load_modules

WEIGHTS = "remixer.safetensors"
SETTINGS = LoopSettings(steps=6000, learning_rate=2e-3, validate_every=500)
BATCH = 64  # images
SLOTS = 10  # of an image in training: the whole and up to 8 sources; the others stand for all empty ones
MOST_SOURCES = 8  # slots, counting things of one kind each
_KINDS = (0.35, 0.4, 0.12, 0.08, 0.05)  # probability of 1, 2, … different kinds in an image
_UNDETECTED = 0.6  # share of the images of one thing in which nothing is detected
_SEVERAL = 0.2  # share of the images in which some kinds are seen several times
_CYCLED = 0.6  # share of the images that are drawn as Cycle Mix shows them from its second round on
_STRAY = 2.0  # the most of another sound's CLAP that is added to the one that Cycle Mix has found
_VAR_SAMPLES = 64  # draws a fold is the mean of, as when the networks are used
_VALIDATION_IMAGES = 256
_VALIDATION_SEED = 2


@dataclass(frozen=True, slots=True)
class Images:
    """Slots of B images and what they sound like."""

    clips: Tensor  # [B, SLOTS, clip_dim]; slot 0 the whole, zeros where empty
    claps: Tensor  # [B, clap_dim], of the mixtures
    mixtures: tuple[Mixture, ...]


def draw_images(book: SourceBook, count: int, split: Split, rng: np.random.Generator) -> Images:
    """Images of one to five kinds of source, of some several things, and a noisy view of the whole."""
    rows = [_draw_image(book, split, rng) for _ in range(count)]
    clips = np.zeros((count, SLOTS, rows[0][0].shape[-1]), np.float32)
    for row, (slots, _) in enumerate(rows):
        clips[row, : len(slots)] = slots
    mixtures = tuple(mixture for _, mixture in rows)
    claps = np.stack([mixture.clap() for mixture in mixtures])
    return Images(torch.from_numpy(clips), torch.from_numpy(claps), mixtures)


def _draw_image(book: SourceBook, split: Split, rng: np.random.Generator) -> tuple[FloatArray, Mixture]:
    kinds = 1 + int(rng.choice(len(_KINDS), p=_KINDS))
    mixture = draw_mixture(book, kinds, split, rng)
    more = int(rng.integers(1, MOST_SOURCES - kinds + 1)) if rng.random() < _SEVERAL else 0
    sources = (*mixture.indices, *rng.choice(mixture.indices, more).tolist())
    slots = np.stack([book.draw_clip(index, split, rng) for index in sources])
    if len(slots) == 1 and rng.random() < _UNDETECTED:  # the whole is the only slot
        return slots, mixture
    whole = noisy(rng.dirichlet(np.ones(len(slots))) @ slots, rng.uniform(0.1, 1.0), rng)
    return np.concatenate((unit(whole)[None], slots)), mixture


class RemixerTask:
    """Learns mixtures from folds of a trained manifold.

    Args:
        config: of the networks.
        book: what to learn.
        manifold: trained; stays as it is.
        seed: of the first weights.
    """

    name = "remixer"

    def __init__(self, config: Ssv2aConfig, book: SourceBook, manifold: Manifold, seed: int) -> None:
        self.config = config
        self.book = book
        self.manifold = manifold.eval().requires_grad_(False)
        self.network = Networks.untrained(config, seed).remixer
        self._begin_with_the_sources()

    @torch.no_grad()
    def _begin_with_the_sources(self) -> None:
        """First values of the attention: zero for an empty slot, and as large as the rest for a source.

        Otherwise fifty empty slots drown the few sources, and a source counts 1/d of its value, as over the
        d features of a head queries sum to 1 and keys average 1/d: finding it takes thousands of steps.
        """
        styler, config = self.network.styler, self.config
        attention = styler.style_encoder.layer.esa
        no_clip = torch.zeros(config.clip_dim)
        empty = styler.in_proj(torch.cat((self.manifold.fold_clip(no_clip).mu, no_clip)))
        attention.value.weight.mul_(config.remixer.embed_dim / config.remixer.heads)
        attention.value.bias.copy_(-attention.value.weight @ attention.norm(empty))

    def losses(self, network: Remixer, draws: Draws) -> dict[str, Tensor]:
        """See `remixer_losses`, on images drawn for this step."""
        images = draw_images(self.book, BATCH, "train", draws.numpy)
        near = torch.from_numpy(self._strayed(images.claps.numpy(), draws.numpy))
        folds = cycled_folds(self.manifold, images.clips, near, draws.torch)
        return remixer_losses(network, self.config, (folds, images.clips, images.claps), draws)

    def _strayed(self, claps: FloatArray, rng: np.random.Generator) -> FloatArray:
        """CLAPs [B, clap_dim] drawn towards other sounds, and noisy."""
        others = rng.integers(len(self.book.sources), size=len(claps))
        strangers = np.stack([self.book.draw_clap(int(other), "train", rng) for other in others])
        towards = claps + rng.uniform(0, _STRAY, (len(claps), 1)) * strangers
        return unit(noisy(unit(towards), rng.uniform(0.1, 1.0), rng))

    def validate(self, network: Remixer) -> dict[str, float]:
        """Held-out images: cosine to their CLAP, and how often all of two kinds are among the four nearest.

        "mixture pairs@4" is what the mixtures' own CLAP vectors reach.
        """
        rng = np.random.default_rng(_VALIDATION_SEED)
        images = draw_images(self.book, _VALIDATION_IMAGES, "val", rng)
        folds = self.manifold.fold_clip(images.clips).mu
        found = normalize(remix(network, folds, images.clips).mu, dim=-1)
        return {
            "cosine": float((found * images.claps).sum(dim=-1).mean()),
            "first R@1": found_first(self.book, images, found),
            "pairs@4": found_pairs(self.book, images, found),
            "mixture pairs@4": found_pairs(self.book, images, images.claps),
        }


def cycled_folds(manifold: Manifold, clips: Tensor, near: Tensor, generator: torch.Generator) -> Tensor:
    """Folds [B, S, fold_dim] of slots; slot 0's is in some of the images that of a CLAP near the wanted one.

    Cycle Mix puts the fold of its best CLAP there from the second round on. What it takes for the best
    may have strayed to another sound, and would stray further if the CLIP vectors did not bring it back.

    Args:
        manifold: trained.
        clips: slots [B, S, clip_dim].
        near: CLAPs [B, clap_dim] somewhere near the wanted ones.
        generator: on the processor.
    """
    with torch.no_grad():
        folds = manifold.fold_clip(clips).sample(generator, var_samples=_VAR_SAMPLES)
        best = manifold.fold_clap(near)
        cycled = torch.rand(len(folds), generator=generator) < _CYCLED
        folds[cycled, 0] = best.sample(generator, var_samples=_VAR_SAMPLES)[cycled]
    return folds


def remixer_losses(
    network: Remixer, config: Ssv2aConfig, images: tuple[Tensor, Tensor, Tensor], draws: Draws
) -> dict[str, Tensor]:
    """Cosine distance of a draw to the wanted CLAPs, and KL; slots are muted whole, folds and CLIPs apart.

    Args:
        network: the remixer.
        config: its muting and the weight of KL.
        images: folds [B, S, fold_dim], CLIPs [B, S, clip_dim], wanted CLAPs [B, clap_dim]. The last slot
            stands for the empty ones, which are never muted when the networks are used.
        draws: of this step.
    """
    folds, clips, claps = (tensor.to(draws.device) for tensor in images)
    muted = [
        torch.cat((mute_slots(slots[:, :-1], config.remixer.muting, draws.torch), slots[:, -1:]), dim=1)
        for slots in (folds, clips)
    ]
    remixed = remix(network, *muted)
    return {
        "distance": cosine_distance(remixed.sample(draws.torch), claps),
        "kl": config.remixer.kl_weight * kl_to_standard_normal(remixed),
    }


def remix(network: Remixer, folds: Tensor, clips: Tensor) -> Gaussian:
    """The remixer over 64 slots: the last of `clips` [B, SLOTS, clip_dim] stands for all further ones.

    They are empty, so each adds the same share to what is seen, but for the noise of its fold.
    """
    readers = network.readers()
    seen = network.seen(readers, folds, clips)
    further = network.seen(readers, folds[:, -1:], clips[:, -1:])
    return network.predict(readers, seen + (MAX_SLOTS - clips.shape[1]) * further)


def found_first(book: SourceBook, images: Images, claps: Tensor) -> float:
    """Share of images of one kind whose CLAP lies nearest to that kind."""
    single = [row for row, mixture in enumerate(images.mixtures) if len(mixture.indices) == 1]
    ranks = book.ranks(claps[single].numpy(), [images.mixtures[row].indices[0] for row in single])
    return float((ranks < 1).mean())


def found_pairs(book: SourceBook, images: Images, claps: Tensor) -> float:
    """Share of images of two kinds whose CLAP has both among the four nearest."""
    pairs = [row for row, mixture in enumerate(images.mixtures) if len(mixture.indices) == 2]
    ranks = [
        book.ranks(claps[pairs].numpy(), [images.mixtures[row].indices[place] for row in pairs])
        for place in (0, 1)
    ]
    return float((np.maximum(*ranks) < 4).mean())


def searched_figures(networks: Networks, book: SourceBook) -> dict[str, float]:
    """The same figures as validation's, of Cycle Mix over held-out images."""
    images = draw_images(book, _VALIDATION_IMAGES, "val", np.random.default_rng(_VALIDATION_SEED))
    clips = torch.zeros(len(images.clips), MAX_SLOTS, networks.config.clip_dim)
    clips[:, :SLOTS] = images.clips
    found = cycle_mix(networks, clips, generator=torch.Generator().manual_seed(_VALIDATION_SEED)).claps
    return {
        "cycle mix cosine": float((found * images.claps).sum(dim=-1).mean()),
        "cycle mix first R@1": found_first(book, images, found),
        "cycle mix pairs@4": found_pairs(book, images, found),
    }


def train_remixer(
    config: Ssv2aConfig,
    book: SourceBook,
    manifold_weights: Path,
    out: Path,
    settings: LoopSettings = SETTINGS,
    options: RunOptions = WHOLE,
) -> Outcome:
    """Train on a trained manifold, and write `remixer.safetensors` and `metrics.json` into `out`.

    Raises:
        TrainingError: see `ssv2a.train.loop.run`.
        WeightsError: the manifold's file does not fit.
    """
    networks = Networks.untrained(config, settings.seed)
    trained = {"manifold": networks.manifold, "generator": networks.generator}
    load_modules(trained, manifold_weights)
    task = RemixerTask(config, book, networks.manifold, settings.seed)
    outcome = run(task, out, settings, options)
    whole = Networks(config, networks.manifold, networks.generator, task.network, networks.aggregator)
    searched = searched_figures(whole.for_inference("cpu"), book)
    return finish(outcome, {"remixer": task.network}, out / WEIGHTS, searched)
