import os
from pathlib import Path

import numpy as np
import pytest
from seen_parts import MINI, heard, sentences

from ssv2a.embed.minilm import MiniLm, keep_sentences
from ssv2a.errors import BundleError, InputError
from ssv2a.scenes import load_scenes
from ssv2a.soundbank.meanings import phrases
from ssv2a.soundbank.vocabulary import vocabulary


def encoder(known: Path | None, model: str = "minilm_l6_v2_int8.onnx") -> MiniLm:
    return MiniLm(MINI / model, MINI / "minilm_tokenizer.json", 1, known)


def test_sentences_do_not_depend_on_their_neighbours_and_mean_what_they_say() -> None:
    texts = [
        "a dog barking",
        "a dog barks a few times",
        "a truck engine rumbling",
        "a heavy diesel lorry idles and drives",
    ]
    together = encoder(None).embed(texts)
    fresh = encoder(None)
    alone = np.concatenate([fresh.embed([text]) for text in reversed(texts)])[::-1]
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    near = together @ together.T
    assert near[0, 1] > near[0, 2] + 0.1
    assert near[2, 3] > near[1, 3] + 0.1
    assert sentences().embed([]).shape == (0, 384)


def test_an_empty_text_is_refused() -> None:
    with pytest.raises(InputError, match="empty"):
        sentences().embed(["a dog barking", "  "])


def test_everything_that_can_be_seen_is_known_without_the_network() -> None:
    blind = encoder(MINI / "sentences.safetensors", model="no-such.onnx")
    things = [*heard().labels.values(), *heard().classes]
    captions = [one.caption_when(moving) for one in things for moving in (False, True)]
    scenes = [vocabulary()[rule.sound].caption for rule in load_scenes(MINI / "scenes.csv")]
    texts = [*filter(None, captions), *scenes, *(one.name for one in things), *phrases()]
    assert blind.embed(texts).shape == (len(texts), 384)
    with pytest.raises(BundleError, match=r"no-such\.onnx"):
        blind.embed(["a dog that nobody has heard of"])


def test_what_is_known_is_what_the_network_says() -> None:
    some = [*sorted(phrases())[::40], "  A dog\tBarking "]
    known = encoder(MINI / "sentences.safetensors").embed(some)
    np.testing.assert_allclose(known, encoder(None).embed(some), atol=2e-3)


def test_sentences_are_kept_for_everyone_whom_the_umask_lets_read(tmp_path: Path) -> None:
    path = tmp_path / "sentences.safetensors"
    path.touch(0o600)
    before = os.umask(0o022)
    try:
        keep_sentences(sentences(), ["Rain falling", "rain  falling", "a dog barking"], path)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o644
    np.testing.assert_array_equal(
        encoder(path, model="no-such.onnx").embed(["rain falling", "a dog barking"]),
        sentences().embed(["rain falling", "a dog barking"]),
    )


def test_kept_sentences_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    broken = tmp_path / "sentences.safetensors"
    broken.write_bytes(b"\x00" * 64)
    with pytest.raises(BundleError, match="Install the bundle again"):
        encoder(broken)
