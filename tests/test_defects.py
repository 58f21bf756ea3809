"""Faults of SSV2A's released code that must not come back, and the test that fails if one does.

- best of three chosen by the CLAP of "": test_audioldm::test_the_candidate_nearest_the_target_is_kept
- aggregator left in training mode: test_defects::test_the_aggregator_is_never_in_training_mode
- the seed never reaches AudioLDM: test_audioldm::test_seeds_decide_and_batch_mates_do_not
- one waveform a source always crashes: test_released::test_stems_are_one_a_source_and_leave_the_mix_as_it_was
- no detection crashes: test_defects::test_images_without_detections_have_slot_0_alone
- no detection in some images of a batch crashes: test_crops::test_detections_in_some_frames_only
- 64 regions crash: test_defects::test_63_sources_fill_the_slots_and_the_64th_is_an_error
- equal texts become one: test_pipeline::test_equal_texts_are_sources_of_their_own
- sounds overwrite one slot: test_defects::test_sounds_have_a_slot_each
- 64 sources unchecked: test_sound_cli::test_sixty_three_sources_are_composed_and_the_next_is_refused
- clips matched by a part of the name: test_sound_cli::test_names_are_matched_exactly_whatever_they_look_like
- few file types: test_inputs::test_a_picture_is_told_by_its_content_whatever_its_name
- equal names collide: test_sound_cli::test_results_of_one_name_keep_what_tells_their_inputs_apart
- one image's size for all, axes swapped: test_crops::test_each_picture_is_cropped_in_its_own_size
- an image depends on its batch: test_defects::test_an_image_does_not_depend_on_its_batch
- models loaded anew each time: test_slots::test_a_model_is_loaded_when_needed_and_again_after_its_release
- no map_location: test_defects::test_a_checkpoint_loads_on_the_processor
- first channel only: test_inputs::test_every_channel_is_heard_at_any_rate
- sounds cropped at random: test_laion::test_every_part_of_a_long_sound_counts
- the user's picture overwritten: test_sound_cli::test_a_picture_comes_out_as_a_wav_with_a_report
- the whole clip in memory: test_end_to_end::test_a_long_clip_takes_hardly_more_memory_than_a_short_one
- no way to run on the processor: test_released::test_every_command_works_on_the_released_kind_of_bundle
"""

import re
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from parity_rule import rule_made, tiny_config
from torch import Tensor

from ssv2a.cycle_mix import Mix, cycle_mix
from ssv2a.errors import InputError
from ssv2a.given import Given
from ssv2a.networks import Networks
from ssv2a.parity import draw, unit, without_noise, write_checkpoints
from ssv2a.slots import fixed_folds, slots
from ssv2a.types import MAX_SLOTS, SOUND, WHOLE_PICTURE, Look, Source
from ssv2a.weights import load_released

CLIP, CLAP = 12, 16


@pytest.fixture(scope="module")
def networks() -> Networks:
    return rule_made(tiny_config())


def look(name: str, sources: int) -> Look:
    """An image of a scene and this many sources that sound."""
    vectors = unit(draw(name, 1 + sources, CLIP)).numpy()
    whole, *others = (Source(WHOLE_PICTURE, "thing", "thing", "a thing", 1.0, clip) for clip in vectors)
    return Look(Fraction(0), whole, None, tuple(others), reused=False, cut=False)


def search(networks: Networks, looks: list[Look], seed: int = 0) -> Mix:
    clips = torch.from_numpy(slots(looks, (), CLIP))
    return cycle_mix(networks, clips, generator=torch.Generator().manual_seed(seed), its=3, samples=4)


def assert_unit(claps: Tensor) -> None:
    torch.testing.assert_close(claps.norm(dim=-1), torch.ones(claps.shape[:-1]))


def test_every_fault_has_its_test() -> None:
    assert __doc__ is not None
    named = re.findall(r"(test_\w+)::(test_\w+)", __doc__)
    assert len(named) == __doc__.count("\n- ")
    for module, test in named:
        text = (Path(__file__).parent / f"{module}.py").read_text(encoding="utf-8")
        assert f"def {test}(" in text, f"{module}::{test}"


def test_the_aggregator_is_never_in_training_mode(networks: Networks, tmp_path: Path) -> None:
    networks.aggregator.train()
    try:
        write_checkpoints(networks, tmp_path)
        loaded = load_released(networks.config, tmp_path / "ssv2a.pth", tmp_path / "agg.pth")
        frames = unit(draw("frames", 1, 9, CLAP))
        first, again = (
            loaded.aggregate(frames, generator=torch.Generator().manual_seed(1)) for _ in range(2)
        )
        assert torch.equal(first, again)
        dropped = networks.aggregate(frames, generator=torch.Generator().manual_seed(1))
        assert not torch.allclose(first, dropped, atol=1e-3)
    finally:
        networks.aggregator.eval()


def test_images_without_detections_have_slot_0_alone(networks: Networks) -> None:
    empty, other = look("empty", 0), look("other", 0)
    filled = slots([empty], (), CLIP)[0]
    np.testing.assert_array_equal(filled[0], empty.scene.clip)
    assert not filled[1:].any()
    for looks in ([empty], [empty, other], [empty, look("full", 5), other]):
        claps = search(networks, looks).claps
        assert claps.shape == (len(looks), CLAP)
        assert_unit(claps)
        assert len({tuple(clap.tolist()) for clap in claps}) == len(looks)


def test_63_sources_fill_the_slots_and_the_64th_is_an_error(networks: Networks) -> None:
    full = look("full", MAX_SLOTS - 1)
    filled = slots([full], (), CLIP)[0]
    np.testing.assert_array_equal(filled[0], full.scene.clip)
    np.testing.assert_array_equal(filled[1:], [source.clip for source in full.sources])
    assert_unit(search(networks, [full, look("few", 2)]).claps)
    with pytest.raises(InputError, match="64 sources; expected at most 63"):
        slots([look("few", 2), look("too full", MAX_SLOTS)], (), CLIP)
    given = Given(-1, "text", "rain", "rain", clip=full.scene.clip)
    with pytest.raises(InputError, match="64 sources; expected at most 63"):
        slots([full], (given,), CLIP)


def test_an_image_does_not_depend_on_its_batch(networks: Networks) -> None:
    looks = [look(f"image {n}", sources) for n, sources in enumerate((0, 63, 5, 0, 1))]
    with without_noise(networks):
        batch = search(networks, looks)
        for place, one in enumerate(looks):
            alone = search(networks, [one])
            torch.testing.assert_close(alone.claps[0], batch.claps[place], rtol=0, atol=1e-5)
            torch.testing.assert_close(alone.scores[0], batch.scores[place], rtol=0, atol=1e-6)


def test_sounds_have_a_slot_each(networks: Networks) -> None:
    claps = unit(draw("sounds", 3, CLAP)).numpy()
    given = [Given(-1 - n, SOUND, f"sound {n}", "a sound", clap=clap) for n, clap in enumerate(claps)]
    draws = torch.Generator().manual_seed(0)
    with without_noise(networks), torch.inference_mode():
        folds = fixed_folds([look("image", 2)], given, networks, generator=draws, var_samples=64)
        assert folds is not None
        wanted = networks.manifold.fold_clap(torch.from_numpy(claps)).mu
    torch.testing.assert_close(folds[0, 3:6], wanted, rtol=0, atol=1e-5)
    assert not folds[0, :3].any()
    assert not folds[0, 6:].any()


def note_a_graphics_card(checkpoint: Path) -> None:
    """Change the device that a checkpoint's storages are noted to come from."""
    with zipfile.ZipFile(checkpoint) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    [table] = [name for name in parts if name.endswith("data.pkl")]
    noted = parts[table].replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")
    assert noted != parts[table]
    with zipfile.ZipFile(checkpoint, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, noted if name == table else content)


def test_a_checkpoint_loads_on_the_processor(networks: Networks, tmp_path: Path) -> None:
    write_checkpoints(networks, tmp_path)
    for name in ("ssv2a.pth", "agg.pth"):
        note_a_graphics_card(tmp_path / name)
    loaded = load_released(networks.config, tmp_path / "ssv2a.pth", tmp_path / "agg.pth")
    assert loaded.device.type == "cpu"
    assert torch.equal(loaded.remixer.styler.pred_token, networks.remixer.styler.pred_token)
