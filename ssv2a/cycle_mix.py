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
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize, pad

from ssv2a.errors import InputError
from ssv2a.layers import Gaussian
from ssv2a.manifold import Manifold
from ssv2a.networks import Networks
from ssv2a.types import MAX_SLOTS

_IMAGES_AT_ONCE = 16  # bounds memory: about 60 MB at the released sizes
_WORST_SCORE = 1.0
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
    # 1. What stays the same in all rounds: the folds, the sources' CLAP distributions, their context.
    folds = _folds(networks.manifold, clips, fixed_folds, generator, var_samples)
    sources: Gaussian = networks.generator(folds[:, 1:])
    sources_context = networks.remixer.slots_context(folds[:, 1:], clips[:, 1:])

    # 2. No best yet.
    best = clips.new_zeros(len(clips), networks.config.clap_dim)
    best_score = clips.new_full((len(clips),), _WORST_SCORE)
    best_fold = networks.manifold.fold_clap(best)
    slot_0 = folds[:, :1]
    round_claps, round_scores = [], []
    for index in range(its + 1):
        # 3. New draws of the sources' CLAPs, and of the best's fold, which becomes the whole image's.
        source_claps = normalize(sources.sample(generator, var_samples=var_samples), dim=-1)
        if index > 0:
            slot_0 = best_fold.sample(generator, var_samples=var_samples).unsqueeze(1)

        # 4. Remix them, and take the sample in which the sources lie most evenly.
        context = sources_context + networks.remixer.slots_context(slot_0, clips[:, :1])
        remixed = networks.remixer.read(context)
        drawn = normalize(remixed.sample(generator, var_samples=var_samples, shape=(samples,)), dim=-1)
        score, winner = unevenness(drawn, source_claps).min(dim=0)
        clap = drawn[winner, torch.arange(len(clips), device=clips.device)]
        round_claps.append(clap)
        round_scores.append(score)

        # 5. Keep it if it is better than all before.
        better = score < best_score
        best_score = torch.where(better, score, best_score)
        best = torch.where(better[:, None], clap, best)
        if better.any():
            best_fold = networks.manifold.fold_clap(best)
    return Mix(best, best_score, torch.stack(round_claps), torch.stack(round_scores))


def unevenness(claps: Tensor, source_claps: Tensor) -> Tensor:
    """The released score: the standard deviation (unbiased) over all 64 slots of the cosines.

    Slot 0, the whole image, counts as a zero vector.

    Args:
        claps: [S, B, clap_dim], remixed.
        source_claps: [B, 63, clap_dim], of slots 1..63.

    Returns:
        [S, B], 0 or more.
    """
    dots = torch.einsum("sbd,bnd->sbn", claps, source_claps)
    norms = claps.norm(dim=-1).unsqueeze(-1) * source_claps.norm(dim=-1)
    return pad(dots / (norms + _EPSILON), (1, 0)).std(dim=-1)


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
    folds = manifold.fold_clip(rows)[row_of_slot].sample(generator, var_samples=var_samples)
    if fixed_folds is None:
        return folds
    return torch.where(filled.unsqueeze(-1), folds, fixed_folds.to(folds))


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
