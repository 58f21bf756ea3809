"""Cycle Mix, with all its shortcuts, follows the same law as the plain loop of the description."""

import pytest
import torch
from parity_rule import draw, rule_made, tiny_config, unit, without_noise
from scipy.stats import ks_2samp
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from ssv2a.cycle_mix import Mix, cycle_mix, unevenness
from ssv2a.errors import InputError
from ssv2a.layers import Gaussian
from ssv2a.networks import Networks

CLIP, CLAP, FOLD = 12, 16, 20
ITS, SAMPLES, VAR_SAMPLES = 3, 3, 4


@pytest.fixture(scope="module")
def networks() -> Networks:
    return rule_made(tiny_config())


def image(sources: int, *, whole: bool = True) -> Tensor:
    clips = torch.zeros(64, CLIP)
    if whole:
        clips[0] = unit(draw("whole", CLIP))
    clips[1 : sources + 1] = unit(draw("sources", sources, CLIP))
    return clips


def search(networks: Networks, clips: Tensor, seed: int = 0, *, fixed_folds: Tensor | None = None) -> Mix:
    return cycle_mix(
        networks,
        clips,
        generator=torch.Generator().manual_seed(seed),
        its=ITS,
        samples=SAMPLES,
        var_samples=VAR_SAMPLES,
        fixed_folds=fixed_folds,
    )


def plain_loop(networks: Networks, clips: Tensor, fixed: Tensor | None, seed: int) -> tuple[Tensor, Tensor]:
    """The search as described, word for word: every draw in a loop, every network run anew each time."""
    generator = torch.Generator().manual_seed(seed)

    def mean_draw(law: Gaussian) -> Tensor:
        return torch.stack([law.sample(generator) for _ in range(VAR_SAMPLES)]).mean(dim=0)

    src = mean_draw(networks.manifold.fold_clip(clips))
    best, best_score = torch.zeros(len(clips), CLAP), torch.ones(len(clips))
    round_claps, round_scores = [], []
    for i in range(ITS + 1):
        if fixed is not None:
            empty = (clips == 0).all(dim=-1)
            src[empty] = fixed[empty]
        source_claps = normalize(mean_draw(networks.generator(src)), dim=-1)
        source_claps[:, 0] = 0
        if i > 0:
            src[:, 0] = mean_draw(networks.manifold.fold_clap(best))
        drawn = [normalize(mean_draw(networks.remixer(src, clips)), dim=-1) for _ in range(SAMPLES)]
        scores = [cosine_similarity(s[:, None], source_claps, dim=-1, eps=1e-6).std(dim=-1) for s in drawn]
        score, winner = torch.stack(scores).min(dim=0)
        clap = torch.stack(drawn)[winner, torch.arange(len(clips))]
        best = torch.where((score < best_score)[:, None], clap, best)
        best_score = torch.minimum(score, best_score)
        round_claps.append(clap)
        round_scores.append(score)
    return torch.stack(round_claps), torch.stack(round_scores)


@pytest.mark.parametrize("case", ["picture", "no source", "multimodal"])
def test_the_shortcuts_keep_the_distribution_of_the_plain_loop(networks: Networks, case: str) -> None:
    runs = 1500
    clips, fixed = image(5, whole=case != "multimodal"), None
    if case == "no source":
        clips = image(0)
    if case == "multimodal":
        fixed = torch.zeros(64, FOLD)
        fixed[6:8] = draw("sounds", 2, FOLD)
    many = clips.expand(runs, -1, -1)
    many_fixed = None if fixed is None else fixed.expand(runs, -1, -1)
    quick = search(networks, many, seed=1, fixed_folds=many_fixed)
    with torch.inference_mode():
        plain_claps, plain_scores = plain_loop(networks, many, many_fixed, seed=2)
    for i in range(ITS + 1):
        assert ks_2samp(quick.round_scores[i], plain_scores[i]).pvalue > 1e-3
        for feature in (0, 7, 15):
            pair = quick.round_claps[i, :, feature], plain_claps[i, :, feature]
            assert ks_2samp(*pair).pvalue > 1e-3


def test_with_many_draws_the_result_is_that_without_noise(networks: Networks) -> None:
    clips = image(5)[None]
    settings = {"its": 4, "samples": 2}
    generator = torch.Generator().manual_seed(0)
    certain = cycle_mix(networks, clips, generator=generator, var_samples=10**12, **settings)
    with without_noise(networks):
        quiet = cycle_mix(networks, clips, generator=generator, var_samples=1, **settings)
    torch.testing.assert_close(certain.round_claps, quiet.round_claps, rtol=0, atol=1e-4)


def test_the_order_of_the_sources_changes_nothing(networks: Networks) -> None:
    clips = image(9)
    order = torch.cat((torch.zeros(1, dtype=torch.long), 1 + torch.randperm(63, generator=torch.Generator())))
    with without_noise(networks):
        straight, shuffled = search(networks, clips[None]), search(networks, clips[order][None])
    torch.testing.assert_close(straight.round_claps, shuffled.round_claps, rtol=0, atol=1e-5)
    torch.testing.assert_close(straight.round_scores, shuffled.round_scores, rtol=0, atol=1e-6)


def test_images_do_not_change_one_another(networks: Networks) -> None:
    clips = torch.stack([image(sources) for sources in range(20)])
    with without_noise(networks):
        together = search(networks, clips)
        alone = [search(networks, one[None]) for one in clips]
    torch.testing.assert_close(together.claps, torch.cat([mix.claps for mix in alone]), rtol=0, atol=1e-5)


def test_the_best_is_the_sample_of_the_best_round(networks: Networks) -> None:
    mix = search(networks, torch.stack([image(n) for n in (0, 3, 17)]))
    torch.testing.assert_close(mix.scores, mix.round_scores.min(dim=0).values, rtol=0, atol=0)
    winner = mix.round_scores.argmin(dim=0)
    assert torch.equal(mix.claps, mix.round_claps[winner, torch.arange(3)])
    torch.testing.assert_close(mix.round_claps.norm(dim=-1), torch.ones(ITS + 1, 3))


def test_the_score_is_the_deviation_of_the_cosines_over_64_slots(networks: Networks) -> None:
    claps, sources = unit(draw("claps", 2, 3, CLAP)), unit(draw("source claps", 3, 63, CLAP))
    wanted = [
        [
            torch.tensor([0.0, *((claps[s, b] @ source).item() for source in sources[b])]).std()
            for b in range(3)
        ]
        for s in range(2)
    ]
    torch.testing.assert_close(unevenness(claps, sources), torch.tensor(wanted), rtol=0, atol=1e-5)


def test_a_fixed_fold_is_taken_by_empty_slots_only(networks: Networks) -> None:
    clips, fixed = image(4)[None], torch.zeros(1, 64, FOLD)
    fixed[0, 9] = draw("a sound", FOLD)
    ignored = fixed.clone()
    ignored[0, 2] = 100.0  # slot 2 has a CLIP vector
    with without_noise(networks):
        plain, other = (search(networks, clips, fixed_folds=folds) for folds in (fixed, ignored))
        silent = search(networks, clips, fixed_folds=torch.zeros(1, 64, FOLD))
    assert torch.equal(plain.claps, other.claps)
    assert not torch.allclose(plain.claps, silent.claps, atol=1e-4)


def test_a_seed_fixes_the_result_and_the_global_generator_is_not_used(networks: Networks) -> None:
    clips = image(3)[None]
    torch.manual_seed(0)
    wanted = torch.rand(1)
    torch.manual_seed(0)
    first, again, other = (search(networks, clips, seed).claps for seed in (7, 7, 8))
    assert torch.equal(torch.rand(1), wanted)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_impossible_shapes_and_counts_are_refused(networks: Networks) -> None:
    generator = torch.Generator()
    with pytest.raises(InputError, match=r"clips: expected \[B, 64, 12\], got \[1, 63, 12\]"):
        cycle_mix(networks, torch.zeros(1, 63, CLIP), generator=generator)
    with pytest.raises(InputError, match=r"fixed_folds: expected \[1, 64, 20\], got \[2, 64, 20\]"):
        cycle_mix(
            networks, torch.zeros(1, 64, CLIP), generator=generator, fixed_folds=torch.zeros(2, 64, FOLD)
        )
    with pytest.raises(InputError, match="got 0, 0, 1"):
        cycle_mix(networks, torch.zeros(1, 64, CLIP), generator=generator, its=0, samples=0, var_samples=1)
