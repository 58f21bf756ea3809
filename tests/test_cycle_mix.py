"""Cycle Mix, with all its shortcuts, follows the same law as the plain loop of the description."""

import subprocess
import sys

import pytest
import torch
from parity_rule import rule_made, tiny_config
from scipy.stats import chi2_contingency, ks_2samp
from torch import Tensor
from torch.nn.functional import normalize

from ssv2a.cycle_mix import Mix, cycle_mix, unevenness
from ssv2a.errors import InputError
from ssv2a.layers import Gaussian
from ssv2a.networks import Networks
from ssv2a.parity import draw, unit, without_noise

CLIP, CLAP, FOLD = 12, 16, 20
ITS, SAMPLES, VAR_SAMPLES = 3, 3, 4
RUNS = 2000


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


def plain_loop(networks: Networks, clips: Tensor, fixed: Tensor | None, seed: int) -> Mix:
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
        scores = [plain_score(sample[:, None], source_claps) for sample in drawn]
        score, winner = torch.stack(scores).min(dim=0)
        clap = torch.stack(drawn)[winner, torch.arange(len(clips))]
        best = torch.where((score < best_score)[:, None], clap, best)
        best_score = torch.minimum(score, best_score)
        round_claps.append(clap)
        round_scores.append(score)
    return Mix(best, best_score, torch.stack(round_claps), torch.stack(round_scores))


def plain_score(clap: Tensor, source_claps: Tensor) -> Tensor:
    dots = (clap * source_claps).sum(dim=-1)
    return (dots / (clap.norm(dim=-1) * source_claps.norm(dim=-1) + 1e-6)).std(dim=-1)


CASES = ("picture", "no source", "multimodal")


@pytest.fixture(scope="module")
def attentive() -> Networks:
    """Each slot's fold weighs on the result, also beside the samples' own noise."""
    networks = rule_made(tiny_config())
    styler = networks.remixer.styler
    styler.style_encoder.layer.esa.value.weight.mul_(20)
    styler.out_sigma.bias.sub_(4)
    return networks


@pytest.fixture(scope="module", params=CASES)
def quick_and_plain(request: pytest.FixtureRequest, attentive: Networks) -> tuple[Mix, Mix]:
    """The same search many times over, with the shortcuts and word for word, from different seeds."""
    clips, fixed = image(5, whole=request.param != "multimodal"), None
    if request.param == "no source":
        clips = image(0)
    if request.param == "multimodal":
        fixed = torch.zeros(64, FOLD)
        fixed[6:8] = draw("sounds", 2, FOLD)
    many = clips.expand(RUNS, -1, -1)
    many_fixed = None if fixed is None else fixed.expand(RUNS, -1, -1)
    with torch.inference_mode():
        plain = plain_loop(attentive, many, many_fixed, seed=2)
    return search(attentive, many, seed=1, fixed_folds=many_fixed), plain


def assert_same_mean(quick: Tensor, plain: Tensor) -> None:
    """Two-sample z tests of every feature of [RUNS, ...]."""
    error = ((quick.var(dim=0) + plain.var(dim=0)) / RUNS).sqrt()
    assert float(((quick.mean(dim=0) - plain.mean(dim=0)).abs() / error).max()) < 5


def products(x: Tensor, y: Tensor) -> Tensor:
    """[RUNS, n, m], whose mean is the covariance of the features of [RUNS, n] and [RUNS, m]."""
    return (x - x.mean(dim=0)).unsqueeze(-1) * (y - y.mean(dim=0)).unsqueeze(-2)


def test_the_round_claps_have_the_means_and_covariances_of_the_plain_loop(
    quick_and_plain: tuple[Mix, Mix],
) -> None:
    quick, plain = (mix.round_claps for mix in quick_and_plain)
    for i in range(ITS + 1):
        assert_same_mean(quick[i], plain[i])
        assert_same_mean(products(quick[i], quick[i]), products(plain[i], plain[i]))
    for i in range(ITS):
        assert_same_mean(products(quick[i], quick[i + 1]), products(plain[i], plain[i + 1]))


def test_the_round_scores_have_the_distribution_of_the_plain_loop(quick_and_plain: tuple[Mix, Mix]) -> None:
    for quick, plain in zip(*(mix.round_scores for mix in quick_and_plain), strict=True):
        assert ks_2samp(quick, plain).pvalue > 1e-3


def test_the_same_rounds_win_as_in_the_plain_loop(quick_and_plain: tuple[Mix, Mix]) -> None:
    quick, plain = quick_and_plain
    wins = [torch.bincount(mix.round_scores.argmin(dim=0), minlength=ITS + 1) for mix in (quick, plain)]
    assert chi2_contingency(torch.stack(wins)).pvalue > 1e-3
    assert ks_2samp(quick.scores, plain.scores).pvalue > 1e-3
    assert_same_mean(quick.claps, plain.claps)
    assert_same_mean(*(products(mix.round_scores.T, mix.round_scores.T) for mix in (quick, plain)))


def test_with_many_draws_the_result_is_that_without_noise(networks: Networks) -> None:
    clips = image(5)[None]
    settings = {"its": 4, "samples": 2}
    generator = torch.Generator().manual_seed(0)
    certain = cycle_mix(networks, clips, generator=generator, var_samples=10**12, **settings)
    with without_noise(networks):
        quiet = cycle_mix(networks, clips, generator=generator, var_samples=1, **settings)
    torch.testing.assert_close(certain.round_claps, quiet.round_claps, rtol=0, atol=1e-4)


def test_every_round_sees_the_fold_of_the_best_so_far(attentive: Networks) -> None:
    clips = unit(draw("images", 64, 64, CLIP))
    improved = torch.zeros(len(clips), dtype=torch.bool)
    with without_noise(attentive), torch.inference_mode():
        mix = search(attentive, clips)
        folds = attentive.manifold.fold_clip(clips).mu
        for i in range(1, ITS + 1):
            best = mix.round_scores[:i].argmin(dim=0)
            improved |= best > 0
            folds[:, 0] = attentive.manifold.fold_clap(mix.round_claps[best, torch.arange(len(clips))]).mu
            wanted = unit(attentive.remixer(folds, clips).mu)
            torch.testing.assert_close(mix.round_claps[i], wanted, rtol=0, atol=1e-5)
    assert improved.any()
    assert not improved.all()


def test_the_order_of_the_sources_changes_nothing(networks: Networks) -> None:
    clips = image(9)
    order = torch.cat((torch.zeros(1, dtype=torch.long), 1 + torch.randperm(63, generator=torch.Generator())))
    with without_noise(networks):
        straight, shuffled = search(networks, clips[None]), search(networks, clips[order][None])
    torch.testing.assert_close(straight.round_claps, shuffled.round_claps, rtol=0, atol=1e-5)
    torch.testing.assert_close(straight.round_scores, shuffled.round_scores, rtol=0, atol=1e-6)


def test_images_do_not_change_one_another_in_a_batch_of_any_size(networks: Networks) -> None:
    clips = torch.stack([image(sources) for sources in (*range(64), 0, 0, 63, 5)])  # more than go at once
    with without_noise(networks):
        together = search(networks, clips)
        alone = [search(networks, one[None]) for one in clips]
    torch.testing.assert_close(together.claps, torch.cat([mix.claps for mix in alone]), rtol=0, atol=1e-5)
    scores = torch.cat([mix.round_scores for mix in alone], dim=1)
    torch.testing.assert_close(together.round_scores, scores, rtol=0, atol=1e-6)


def test_the_best_is_the_sample_of_the_best_round(networks: Networks) -> None:
    mix = search(networks, torch.stack([image(n) for n in (0, 3, 17)]))
    torch.testing.assert_close(mix.scores, mix.round_scores.min(dim=0).values, rtol=0, atol=0)
    winner = mix.round_scores.argmin(dim=0)
    assert torch.equal(mix.claps, mix.round_claps[winner, torch.arange(3)])
    torch.testing.assert_close(mix.round_claps.norm(dim=-1), torch.ones(ITS + 1, 3))


def test_the_score_is_the_deviation_of_the_cosines_over_64_slots() -> None:
    claps, sources = draw("claps", 3, 2, CLAP), draw("source claps", 3, 64, CLAP)
    sources[:, 0] = 0
    wanted = torch.stack(
        [plain_score(unit(claps[:, s])[:, None], normalize(sources, dim=-1)) for s in (0, 1)]
    )
    found = unevenness(claps, sources)
    torch.testing.assert_close(found, wanted.T, rtol=0, atol=1e-6)
    torch.testing.assert_close(found, unevenness(1e-3 * claps, 50 * sources), rtol=0, atol=1e-6)
    assert unevenness(torch.zeros(1, 1, CLAP), sources[:1]).item() == 0


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


_PEAK = """
import torch
from ssv2a.config import Ssv2aConfig
from ssv2a.cycle_mix import cycle_mix
from ssv2a.memory import peak_memory
from ssv2a.networks import Networks
from ssv2a.parity import RELEASED_CONFIG, draw, unit

networks = Networks.untrained(Ssv2aConfig.from_file(RELEASED_CONFIG), seed=0).for_inference("cpu")
clips = unit(draw("frames", 64, 64, 768))
before = peak_memory()
cycle_mix(networks, clips, generator=torch.Generator().manual_seed(0), its=1)
print(peak_memory() - before)
"""


def test_64_frames_of_63_sources_at_the_released_sizes_take_little_memory() -> None:
    command = [sys.executable, "-c", _PEAK]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(done.stdout) < 205e6  # bytes, above the networks' own
