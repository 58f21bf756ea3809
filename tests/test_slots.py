"""Which source lies in which of SSV2A's 64 slots, and which fold an empty slot gets."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given as property_of
from hypothesis import settings
from hypothesis import strategies as st
from parity_rule import rule_made, tiny_config

from ssv2a.errors import InputError
from ssv2a.given import Given
from ssv2a.on_demand import OnDemand
from ssv2a.parity import without_noise
from ssv2a.slots import fixed_folds, slots
from ssv2a.types import SCENE, WHOLE_PICTURE, Look, Source

CLIP, CLAP = 12, 16  # of the tiny configuration


def vector(seed: int, width: int = CLIP) -> np.ndarray:
    drawn = np.random.default_rng(seed).standard_normal(width).astype(np.float32)
    return drawn / np.linalg.norm(drawn)


def look(*audible: bool) -> Look:
    sources = tuple(
        Source(WHOLE_PICTURE, "thing", "thing", "a thing" if sounds else None, 0.9, vector(100 + n))
        for n, sounds in enumerate(audible)
    )
    scene = Source(WHOLE_PICTURE, SCENE, "room", None, 1.0, vector(1))
    return Look(Fraction(0), scene, None, sources, reused=False, cut=False)


def in_words(n: int) -> Given:
    return Given(-1 - n, "text", "rain", "rain", clip=vector(200 + n))


def as_sound(n: int) -> Given:
    return Given(-1 - n, "sound", "hum", "hum", clap=vector(300 + n, CLAP))


def test_the_whole_picture_comes_first_and_silent_things_have_no_slot() -> None:
    seen = look(True, False, True)
    [filled] = slots([seen], [in_words(0)], CLIP)
    np.testing.assert_array_equal(filled[0], seen.scene.clip)
    np.testing.assert_array_equal(filled[1], seen.sources[0].clip)
    np.testing.assert_array_equal(filled[2], seen.sources[2].clip)
    np.testing.assert_array_equal(filled[3], in_words(0).clip)
    assert not filled[4:].any()


def test_no_detection_leaves_the_whole_picture_alone() -> None:
    [filled] = slots([look()], [], CLIP)
    assert filled[0].any()
    assert not filled[1:].any()


def test_sixty_three_sources_fit_and_no_more() -> None:
    [filled] = slots([look(*[True] * 63)], [], CLIP)
    assert filled.any(axis=1).all()
    with pytest.raises(InputError, match="64 sources; expected at most 63"):
        slots([look(*[True] * 63)], [in_words(0)], CLIP)


@property_of(
    st.lists(st.lists(st.booleans(), max_size=6), min_size=1, max_size=3),
    st.lists(st.booleans(), max_size=5),
)
@settings(max_examples=30, deadline=None)
def test_every_given_sound_has_its_fold_in_its_slot(frames: list[list[bool]], sounds: list[bool]) -> None:
    """The slot of a sound is empty of CLIP in every frame, and there and only there lies its own fold."""
    looks = [look(*audible) for audible in frames]
    given = [as_sound(n) if sound else in_words(n) for n, sound in enumerate(sounds)]
    with without_noise(rule_made(tiny_config())) as networks:
        folds = fixed_folds(looks, given, networks, generator=torch.Generator().manual_seed(1), var_samples=4)
        if not any(sounds):
            assert folds is None
            return
        assert folds is not None
        filled = slots(looks, given, CLIP)
        for frame, vectors, audible in zip(folds, filled, frames, strict=True):
            wanted = torch.zeros_like(frame)
            for n, one in enumerate(given):
                if one.clap is not None:
                    place = 1 + sum(audible) + n
                    assert not vectors[place].any()
                    wanted[place] = networks.manifold.fold_clap(torch.from_numpy(one.clap)).mu
            torch.testing.assert_close(frame, wanted, atol=1e-5, rtol=0)


def test_a_composition_fixes_the_folds_of_all_empty_slots_at_zero() -> None:
    """As released: in a multimodal call an empty slot's fold is zero, not the fold of a zero vector."""
    networks = rule_made(tiny_config())
    folds = fixed_folds(
        [None], [in_words(0)], networks, generator=torch.Generator().manual_seed(1), var_samples=4
    )
    assert folds is not None
    assert not folds.any()


def test_a_model_is_loaded_when_needed_and_again_after_its_release() -> None:
    loads: list[object] = []
    part = OnDemand(lambda: loads.append(object()) or loads[-1])
    assert not part.loaded
    assert part.get() is part.get() is loads[0]
    part.release()
    assert not part.loaded
    assert part.get() is loads[1]
