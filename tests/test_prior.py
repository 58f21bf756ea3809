"""The DALL-E 2 prior against dalle2-pytorch 1.1.0, and what a user of texts sees.

`data/prior.npz` was made with that package (and rotary-embedding-torch 0.9.1): its `DiffusionPriorNetwork`
and `DiffusionPrior` at the sizes of `prior_rule.py`, filled with that module's weights, in evaluation mode,
with `torch.randn` and `torch.randn_like` replaced by that module's `noise`. `clean.T` is the network's output
for `noise(0, 3)` at time T; `ancestral` and `implicit.7` are `p_sample_loop` with all and with 7 time steps.
"""

import itertools
import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import prior_rule
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version
from released_parts import CLIP_SIZES

from ssv2a.embed.clip import OpenClip
from ssv2a.embed.prior import Prior, PriorTexts, Step, ancestral, implicit, sample
from ssv2a.embed.prior_network import PriorNetwork, PriorSize
from ssv2a.errors import ConfigurationError, InputError, WeightsError
from ssv2a.on_demand import OnDemand
from ssv2a.weights import fill

CPU = torch.device("cpu")
EXPECTED = np.load(Path(__file__).parent / "data" / "prior.npz")
BETAS = prior_rule.cosine_betas(prior_rule.TIMESTEPS).double().numpy()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("prior") / "latest.pth"
    torch.save(prior_rule.released_state(), path)
    return path


@pytest.fixture(scope="module")
def prior(weights: Path) -> Prior:
    return Prior.load(weights, CPU)


@pytest.fixture(scope="module")
def network() -> PriorNetwork:
    state = {
        key.removeprefix("net."): tensor
        for key, tensor in prior_rule.released_state().items()
        if key.startswith("net.")
    }
    network = PriorNetwork(PriorSize.of(state))
    fill({"net": network}, {"net": state}, "rule")
    return network.requires_grad_(False)


def readings(count: int) -> SimpleNamespace:
    vectors, encodings, mask = (tensor.numpy() for tensor in prior_rule.texts(count))
    return SimpleNamespace(vectors=vectors, encodings=encodings, mask=mask)


def rows(texts: SimpleNamespace, chosen: list[int]) -> SimpleNamespace:
    return SimpleNamespace(**{name: array[chosen] for name, array in vars(texts).items()})


def test_network_equals_the_released_one(network: PriorNetwork) -> None:
    vectors, encodings, mask = prior_rule.texts(3)
    read = network.read(encodings, mask, vectors)
    for moment in (0, 19):
        found = network.denoise(prior_rule.noise(0, 3), moment, read)
        np.testing.assert_allclose(found.numpy(), EXPECTED[f"clean.{moment}"], atol=1e-5)


@pytest.mark.parametrize(
    ("steps", "name"), [(ancestral(BETAS), "ancestral"), (implicit(BETAS, 7), "implicit.7")]
)
def test_sampling_equals_the_released_one(network: PriorNetwork, steps: tuple[Step, ...], name: str) -> None:
    vectors, encodings, mask = prior_rule.texts(3)
    counter = itertools.count()
    found = sample(
        network,
        network.read(encodings, mask, vectors),
        steps,
        lambda: prior_rule.noise(next(counter), 3),
    )
    np.testing.assert_allclose(found.numpy(), EXPECTED[name], atol=2e-5)


def test_what_comes_after_the_end_of_a_text_is_not_heard(network: PriorNetwork) -> None:
    vectors, encodings, mask = prior_rule.texts(2)
    read = network.read(encodings, mask, vectors)
    noisy = encodings + 5.0 * ~mask[..., None]
    again = network.read(noisy, mask, vectors)
    assert all(torch.equal(a.keys, b.keys) for a, b in zip(read, again, strict=True))


@pytest.mark.parametrize("places", [90, 40])
def test_a_prior_with_other_places_for_tokens_fills_or_cuts(tmp_path: Path, places: int) -> None:
    torch.save(prior_rule.released_state(tokens=places), tmp_path / "prior.pth")
    prior = Prior.load(tmp_path / "prior.pth", CPU)
    texts = readings(3)
    shift = [(0, 0), (0, max(0, places - 77))]
    fitted = SimpleNamespace(
        vectors=texts.vectors,
        encodings=np.pad(texts.encodings, [*shift, (0, 0)])[:, :places],
        mask=np.pad(texts.mask, shift)[:, :places],
    )
    found, expected = (prior.image_vectors(one, seeds=[0, 1, 2], steps=3) for one in (texts, fitted))
    np.testing.assert_allclose(found, expected, atol=1e-6)


@given(count=st.integers(1, 60), levels=st.integers(61, 200))
def test_steps_take_noise_down_to_the_clean_vector(count: int, levels: int) -> None:
    """With a perfect guess of the clean vector, every step leaves exactly its own level of noise."""
    betas = prior_rule.cosine_betas(levels).double().numpy()
    alphas = np.cumprod(1 - betas)
    for steps, lag in ((ancestral(betas), 0), (implicit(betas, count), 1)):
        following = [step.time for step in steps[1:]]
        for step, later in zip(steps, following, strict=False):
            signal = step.clean + step.noisy * np.sqrt(alphas[step.time])
            noise = step.noisy**2 * (1 - alphas[step.time]) + step.noise**2
            level = alphas[later - lag] if later >= lag else 1.0
            assert signal == pytest.approx(np.sqrt(level), abs=1e-6)
            assert noise == pytest.approx(1 - level, abs=1e-6)
        assert steps[-1].noise == 0
        assert steps[-1].clean == pytest.approx(1)


def test_the_nearest_sample_is_kept(prior: Prior, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = readings(2)
    away = prior_rule.unit(prior_rule.draw("away", 2, prior_rule.DIM)).numpy()
    samples = [[away[0], texts.vectors[0], away[1]], [texts.vectors[1] + 0.1 * away[0], away[0], away[1]]]
    drawn = 7.0 * torch.from_numpy(np.concatenate(samples))  # any length: only the direction counts
    monkeypatch.setattr("ssv2a.embed.prior.sample", lambda *_: drawn)
    kept = prior.image_vectors(texts, seeds=[0, 0], samples=3)
    np.testing.assert_allclose(kept, prior_rule.unit(drawn[[1, 3]]).numpy(), atol=1e-6)


@settings(max_examples=10, deadline=None)
@given(order=st.permutations(range(4)), size=st.integers(1, 4))
def test_company_changes_nothing(prior: Prior, order: list[int], size: int) -> None:
    texts = readings(4)
    seeds = np.array([5, 6, 5, 7])
    together = prior.image_vectors(texts, seeds=seeds.tolist(), steps=3)
    chosen = list(order[:size])
    apart = prior.image_vectors(rows(texts, chosen), seeds=seeds[chosen].tolist(), steps=3)
    np.testing.assert_allclose(apart, together[chosen], atol=2e-6)


def test_another_seed_gives_another_vector_and_the_same_seed_the_same(prior: Prior) -> None:
    texts = readings(1)
    first, second, again = (prior.image_vectors(texts, seeds=[seed]) for seed in (1, 2, 1))
    assert np.array_equal(first, again)
    assert np.abs(first - second).max() > 1e-3


def test_sizes_come_from_the_weights(tmp_path: Path) -> None:
    state = prior_rule.released_state(dim=16, depth=1, heads=2, dim_head=8, feed_forward=32, timesteps=9)
    torch.save(state, tmp_path / "prior.pth")
    prior = Prior.load(tmp_path / "prior.pth", CPU)
    vectors, encodings, mask = (tensor.numpy() for tensor in prior_rule.texts(2, dim=16))
    texts = SimpleNamespace(vectors=vectors, encodings=encodings, mask=mask)
    assert prior.dim == 16
    assert prior.image_vectors(texts, seeds=[0, 1]).shape == (2, 16)


def test_a_trainers_file_loads_like_the_bare_state(tmp_path: Path, prior: Prior) -> None:
    content = {"model": prior_rule.released_state(), "version": Version("1.1.0"), "step": torch.tensor(3)}
    torch.save(content, tmp_path / "trainer.pth")
    loaded = Prior.load(tmp_path / "trainer.pth", CPU)
    vectors = [one.image_vectors(readings(2), seeds=[0, 0], steps=2) for one in (loaded, prior)]
    assert np.array_equal(*vectors)


def test_every_fault_of_a_checkpoint_is_named(tmp_path: Path) -> None:
    state = prior_rule.released_state()
    del state["net.causal_transformer.layers.1.1.3.g"]
    state["net.learned_query"] = torch.zeros(5)
    state["net.self_cond"] = torch.zeros(1)
    torch.save(state, tmp_path / "prior.pth")
    with pytest.raises(WeightsError) as caught:
        Prior.load(tmp_path / "prior.pth", CPU)
    for part in (
        "3 fault",
        "layers.1.1.3.g: missing",
        "learned_query: expected shape [24]",
        "self_cond: unexp",
    ):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        {"net.learned_query": torch.zeros(3)},
        {"noise_scheduler.betas": torch.zeros(3)},
        {
            key: tensor
            for key, tensor in prior_rule.released_state().items()
            if not key.startswith("noise_scheduler")
        },
        [1, 2],
    ],
    ids=["no sizes", "no network", "no schedule", "no table"],
)
def test_another_file_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "prior.pth")
    with pytest.raises(WeightsError, match=r"prior\.pth|dalle2-pytorch"):
        Prior.load(tmp_path / "prior.pth", CPU)


def test_a_payload_is_refused_and_not_run(tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "ran"),)

    torch.save({"model": prior_rule.released_state(), "version": Payload()}, tmp_path / "prior.pth")
    with pytest.raises(WeightsError, match=r"mkdir, a piece of program, which was not run"):
        Prior.load(tmp_path / "prior.pth", CPU)
    assert not (tmp_path / "ran").exists()


def test_the_configuration_sets_the_number_of_steps(tmp_path: Path, weights: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"prior": {"sample_timesteps": 7, "net": {}}}))
    configured = Prior.load(weights, CPU, config=tmp_path / "config.json")
    plain = Prior.load(weights, CPU)
    texts = readings(1)
    assert np.array_equal(
        configured.image_vectors(texts, seeds=[0]), plain.image_vectors(texts, seeds=[0], steps=7)
    )


@pytest.mark.parametrize(
    "content",
    [
        "{}",
        "[]",
        "no json",
        '{"prior": {"predict_x_start": false}}',
        '{"prior": {"sampling_clamp_l2norm": true}}',
        '{"prior": {"sample_timesteps": 0}}',
        '{"prior": {"sample_timesteps": 21}}',
    ],
)
def test_a_configuration_that_is_not_the_released_one_is_refused(
    tmp_path: Path, weights: Path, content: str
) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ConfigurationError, match=r"config\.json"):
        Prior.load(weights, CPU, config=tmp_path / "config.json")


@pytest.mark.parametrize("wrong", [{"steps": 21}, {"steps": 0}, {"samples": 0}])
def test_impossible_numbers_are_refused(prior: Prior, wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError, match="expected 1"):
        prior.image_vectors(readings(1), seeds=[0], **wrong)


@pytest.fixture(scope="module")
def clip() -> OpenClip:
    """open_clip's text encoder, in small."""
    from open_clip.model import CLIP

    sizes = {**CLIP_SIZES, "embed_dim": prior_rule.DIM}
    sizes["text_cfg"] = {**CLIP_SIZES["text_cfg"], "width": prior_rule.DIM}
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = CLIP(**sizes)
        torch.nn.init.normal_(model.token_embedding.weight)  # so that words differ
    return OpenClip(model, CPU)


@pytest.fixture(scope="module")
def texts(clip: OpenClip, prior: Prior) -> PriorTexts:
    return PriorTexts(OnDemand(lambda: clip), OnDemand(lambda: prior), steps=4)


def test_texts_become_vectors_each_by_its_own_text_and_seed(texts: PriorTexts) -> None:
    dog, cat, again = texts.embed(["a dog", "a cat", "a  dog\n"], seed=3)
    assert np.abs(dog - cat).max() > 0.01
    np.testing.assert_allclose(again, dog, atol=2e-6)
    np.testing.assert_allclose(texts.embed(["a cat"], seed=3)[0], cat, atol=2e-6)
    assert np.abs(texts.embed(["a cat"], seed=4)[0] - cat).max() > 5e-5
    assert texts.embed([], seed=0).shape == (0, prior_rule.DIM)


@pytest.mark.parametrize("empty", ["", " \n\t"])
def test_an_empty_text_is_refused(texts: PriorTexts, empty: str) -> None:
    with pytest.raises(InputError, match="empty"):
        texts.embed(["a dog", empty], seed=0)


def test_guidance_that_would_do_nothing_is_refused(clip: OpenClip, prior: Prior) -> None:
    with pytest.raises(ConfigurationError, match="guidance of the prior: expected 1, got 3"):
        PriorTexts(OnDemand(lambda: clip), OnDemand(lambda: prior), guidance=3.0)


def test_a_text_is_heard_up_to_its_77th_token(clip: OpenClip, prior: Prior, texts: PriorTexts) -> None:
    words = ["wave"] * 10_000
    within = ["wave"] * 74 + ["gull"]  # the last of the 75 that fit between start and end
    read = clip.texts([" ".join(words), " ".join(words[:75]), " ".join(within)])
    long, cut, changed = prior.image_vectors(read, seeds=[0, 0, 0], steps=4)
    np.testing.assert_allclose(long, cut, atol=2e-6)
    assert np.abs(changed - cut).max() > 1e-3
    assert np.isfinite(texts.embed([" ".join(words)], seed=0)).all()


def test_the_text_encoder_must_be_the_priors_own(prior: Prior) -> None:
    vectors, encodings, mask = (tensor.numpy() for tensor in prior_rule.texts(1, dim=32))
    with pytest.raises(ConfigurationError, match="of 24 features, the text encoder gives 32 a token"):
        prior.image_vectors(
            SimpleNamespace(vectors=vectors[:, :24], encodings=encodings, mask=mask), seeds=[0]
        )


@pytest.mark.slow
def test_the_released_size_works(tmp_path: Path) -> None:
    sizes = {"dim": 768, "depth": 12, "heads": 12, "dim_head": 64, "feed_forward": 3072, "timesteps": 1000}
    torch.save(prior_rule.released_state(**sizes), tmp_path / "latest.pth")
    prior = Prior.load(tmp_path / "latest.pth", CPU)
    vectors, encodings, mask = (tensor.numpy() for tensor in prior_rule.texts(1, dim=768))
    found = prior.image_vectors(
        SimpleNamespace(vectors=vectors, encodings=encodings, mask=mask), seeds=[0], steps=16
    )
    assert found.shape == (1, 768)
    assert np.isfinite(found).all()
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)
