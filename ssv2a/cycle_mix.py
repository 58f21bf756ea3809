"""Cycle Mix: search for the CLAP vector in which the sources of an image lie most evenly.

From the paper, "Gotta Hear Them All: Sound Source-Aware Vision to Audio Generation" (arXiv 2411.15447),
section "Cycle Mix", with the score of the released code, which minimises the standard deviation of the
cosines between a remixed CLAP and the sources' CLAPs.

The released search runs the remixer `samples` times a round, and each draw `var_samples` times. This one
has the same distribution, by these facts:
- the mean of n draws is one draw with the deviation divided by √n;
- the remixer gives the same (mu, log_sigma) for all samples of a round: one forward, one tensor of draws;
- the remixer sums over slots and only slot 0 changes between rounds: the sum over the others is kept;
- the generator's (mu, log_sigma) of the sources never change, those of the best's fold only with the best;
- all empty slots have one (mu, log_sigma): one forward for all of them.
What is left is one forward per source, one per improvement of the best, and the draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize, pad

from ssv2a.errors import InputError
from ssv2a.generator import Generator
from ssv2a.layers import Gaussian, Normal
from ssv2a.manifold import Manifold
from ssv2a.networks import Networks
from ssv2a.remixer import Readers, Remixer
from ssv2a.types import MAX_SLOTS

# These bound the memory, and change no result but by rounding and the order of the draws.
_IMAGES_AT_ONCE = 64  # searched together: about 100 MB at the released sizes
_ROWS_AT_ONCE = 512  # through a network: about 25 MB
_IMAGES_SCORED_AT_ONCE = 4  # about 1 MB of draws, which the processor's cache holds
_WORST_SCORE = 1.0
_SHORTEST = 1e-12  # length that a zero vector is given before it is divided by
_EPSILON = 1e-6  # added to the cosine's denominator, as released


@dataclass(frozen=True, slots=True)
class Mix:
    """What a search found, for B images."""

    claps: Tensor  # [B, clap_dim], L2-normalised; zero where no round scored below 1
    scores: Tensor  # [B], the smaller the better
    round_claps: Tensor  # [rounds, B, clap_dim], each round's best sample
    round_scores: Tensor  # [rounds, B]


@torch.inference_mode()
def cycle_mix(
    networks: Networks,
    clips: Tensor,
    *,
    generator: torch.Generator,
    its: int = 64,
    samples: int = 64,
    var_samples: int = 64,
    fixed_folds: Tensor | None = None,
) -> Mix:
    """Search the CLAP of each image.

    Args:
        networks: in evaluation mode.
        clips: [B, 64, clip_dim], L2-normalised: slot 0 the whole image, 1.. its sources, zeros where empty.
        generator: on the CPU; the same seed gives the same result for the same batch.
        its: rounds after the first.
        samples: remixed CLAPs a round.
        var_samples: draws that each drawn vector is the mean of.
        fixed_folds: [B, 64, fold_dim] for a multimodal call: every slot whose CLIP vector is all zero takes
            its fold from here (sources given as sound), zeros included.

    Raises:
        InputError: a shape or a count is impossible.
    """
    _check(networks, clips, its, samples, var_samples, fixed_folds)
    mixes = []
    for start in range(0, len(clips), _IMAGES_AT_ONCE):
        part = slice(start, start + _IMAGES_AT_ONCE)
        part_fixed = None if fixed_folds is None else fixed_folds[part]
        part_clips = clips[part].to(networks.device)
        mixes.append(_mix(networks, part_clips, part_fixed, generator, its, samples, var_samples))
    return Mix(
        claps=torch.cat([mix.claps for mix in mixes]),
        scores=torch.cat([mix.scores for mix in mixes]),
        round_claps=torch.cat([mix.round_claps for mix in mixes], dim=1),
        round_scores=torch.cat([mix.round_scores for mix in mixes], dim=1),
    )


def _mix(
    networks: Networks,
    clips: Tensor,
    fixed_folds: Tensor | None,
    generator: torch.Generator,
    its: int,
    samples: int,
    var_samples: int,
) -> Mix:
    # 1. What stays the same in all rounds: the laws of the sources' CLAPs, and what is seen of the sources.
    remixer, readers = networks.remixer, networks.remixer.readers()
    folds = _folds(networks.manifold, clips, fixed_folds, generator, var_samples)
    sources = _source_claps(networks.generator, folds, var_samples)
    sources_seen = _seen(remixer, readers, folds[:, 1:], clips[:, 1:])
    slot_0 = folds[:, :1]
    noise = torch.empty(_IMAGES_SCORED_AT_ONCE, MAX_SLOTS + samples, networks.config.clap_dim)

    # 2. No best yet.
    best = clips.new_zeros(len(clips), networks.config.clap_dim)
    best_score = clips.new_full((len(clips),), _WORST_SCORE)
    best_fold = Normal(*clips.new_zeros(2, len(clips), networks.config.fold_dim))
    outdated = torch.ones_like(best_score, dtype=torch.bool)
    round_claps, round_scores = [], []
    for index in range(its + 1):
        # 3. After the first round, a new draw of the best's fold stands in the whole image's place.
        if index > 0:
            if outdated.any():
                best_fold[outdated] = networks.manifold.fold_clap(best[outdated]).mean_of(var_samples)
                outdated[:] = False
            slot_0 = best_fold.sample(generator).unsqueeze(1)

        # 4. Remix, and take the sample in which the sources lie most evenly.
        seen = sources_seen + remixer.seen(readers, slot_0, clips[:, :1])
        remixed = remixer.predict(readers, seen).mean_of(var_samples)
        clap, score = _most_even(remixed, sources, noise, generator)
        round_claps.append(clap)
        round_scores.append(score)

        # 5. Keep it if it is better than all before.
        better = score < best_score
        best_score = torch.where(better, score, best_score)
        best = torch.where(better[:, None], clap, best)
        outdated |= better
    return Mix(best, best_score, torch.stack(round_claps), torch.stack(round_scores))


def _most_even(
    remixed: Normal, sources: Normal, noise: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Each image's best sample [B, clap_dim], normalised, and its score [B].

    The sources [B, 64, clap_dim] are drawn anew, once for all samples. `noise` [some images, 64 + samples,
    clap_dim] is overwritten: fresh memory would take a third as long as the draws themselves.
    """
    claps, scores = [], []
    for start in range(0, len(remixed.mean), len(noise)):
        part = slice(start, start + len(noise))
        drawn = noise[: len(remixed.mean[part])].normal_(generator=generator).to(remixed.mean.device)
        source_claps = sources[part].scale_(drawn[:, :MAX_SLOTS])
        samples = remixed[part, None].scale_(drawn[:, MAX_SLOTS:])
        score, winner = unevenness(samples, source_claps).min(dim=1)
        claps.append(normalize(samples[torch.arange(len(winner), device=winner.device), winner], dim=-1))
        scores.append(score)
    return torch.cat(claps), torch.cat(scores)


def unevenness(claps: Tensor, source_claps: Tensor) -> Tensor:
    """The released score: the standard deviation (unbiased) over all 64 slots of the cosines.

    Args:
        claps: [B, S, clap_dim], remixed, of any length.
        source_claps: [B, 64, clap_dim], of any length; slot 0, the whole image, is a zero vector.

    Returns:
        [B, S], 0 or more.
    """
    lengths, source_lengths = (x.norm(dim=-1).clamp_min(_SHORTEST) for x in (claps, source_claps))
    cosines = claps @ source_claps.mT
    cosines /= lengths.unsqueeze(-1) * (1 + _EPSILON)  # released: unit vectors, divided by 1 · 1 + 1e-6
    cosines /= source_lengths.unsqueeze(-2)
    cosines -= cosines.mean(dim=-1, keepdim=True)
    deviation: Tensor = cosines.norm(dim=-1) / math.sqrt(MAX_SLOTS - 1)  # std() is slow
    return deviation


def _folds(
    manifold: Manifold,
    clips: Tensor,
    fixed_folds: Tensor | None,
    generator: torch.Generator,
    var_samples: int,
) -> Tensor:
    """Each slot's fold [B, 64, fold_dim], drawn anew for each, from one forward for all empty slots."""
    filled = clips.any(dim=-1)
    rows = torch.cat((clips.new_zeros(1, clips.shape[-1]), clips[filled]))
    row_of_slot = torch.zeros(filled.shape, dtype=torch.long, device=clips.device)
    row_of_slot[filled] = torch.arange(1, len(rows), device=clips.device)
    folds = _in_parts(manifold.fold_clip, rows, var_samples)[row_of_slot].sample(generator)
    if fixed_folds is None:
        return folds
    return torch.where(filled.unsqueeze(-1), folds, fixed_folds.to(folds))


def _source_claps(generator: Generator, folds: Tensor, var_samples: int) -> Normal:
    """The CLAPs [B, 64, clap_dim] of folds [B, 64, fold_dim]; slot 0's is a zero vector."""
    rows = _in_parts(generator, folds[:, 1:].flatten(0, 1), var_samples)
    shape = (len(folds), MAX_SLOTS - 1, rows.mean.shape[-1])
    mean, deviation = (pad(x.view(shape), (0, 0, 1, 0)) for x in (rows.mean, rows.deviation))
    return Normal(mean, deviation)


def _in_parts(network: Callable[[Tensor], Gaussian], rows: Tensor, var_samples: int) -> Normal:
    """What a network makes of rows [N, ·], some at a time."""
    parts = [network(part).mean_of(var_samples) for part in torch.split(rows, _ROWS_AT_ONCE)]
    return Normal(torch.cat([part.mean for part in parts]), torch.cat([part.deviation for part in parts]))


def _seen(remixer: Remixer, readers: Readers, folds: Tensor, clips: Tensor) -> Tensor:
    """What the readers see of slots [B, S, ·], some images at a time: [B, 2, embed_dim]."""
    images = _ROWS_AT_ONCE // MAX_SLOTS
    parts = zip(torch.split(folds, images), torch.split(clips, images), strict=True)
    return torch.cat([remixer.seen(readers, *part) for part in parts])


def _check(
    networks: Networks, clips: Tensor, its: int, samples: int, var_samples: int, fixed_folds: Tensor | None
) -> None:
    config = networks.config
    if clips.ndim != 3 or not len(clips) or clips.shape[1:] != (MAX_SLOTS, config.clip_dim):
        raise InputError(f"clips: expected [B, {MAX_SLOTS}, {config.clip_dim}], got {list(clips.shape)}.")
    wanted = (len(clips), MAX_SLOTS, config.fold_dim)
    if fixed_folds is not None and fixed_folds.shape != wanted:
        raise InputError(f"fixed_folds: expected {list(wanted)}, got {list(fixed_folds.shape)}.")
    if its < 0 or samples < 1 or var_samples < 1:
        raise InputError(
            "expected its of at least 0, samples and var_samples of at least 1, "
            f"got {its}, {samples}, {var_samples}."
        )
