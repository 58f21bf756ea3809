"""all-MiniLM-L6-v2, the sentence encoder of the mini bundle (Reimers & Gurevych 2019; Wang et al. 2020).

The same captions come again and again, so every sentence is run once, alone and without padding, and
remembered: its vector never depends on its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock

import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer

from ssv2a.embed.onnx import open_session
from ssv2a.errors import BundleError, InputError
from ssv2a.types import FloatArray

DIM = 384
MAX_TOKENS = 128  # the length the encoder was trained with


class MiniLm:
    """Texts to vectors of 384 features.

    Args:
        model: the ONNX file (inputs `input_ids`, `attention_mask` and, if it has it, `token_type_ids`).
        tokenizer: the `tokenizers` JSON file.
        threads: of one run.

    Raises:
        BundleError: a file is missing or is not what it should be.
    """

    def __init__(self, model: Path, tokenizer: Path, threads: int = 2) -> None:
        self._session: ort.InferenceSession = open_session(model, threads)
        self._inputs = {node.name for node in self._session.get_inputs()}
        self._tokenizer = _open_tokenizer(tokenizer)
        self._known: dict[str, FloatArray] = {}
        self._lock = Lock()

    def embed(self, texts: Sequence[str], *, seed: int = 0) -> FloatArray:  # noqa: ARG002
        """Sentence vectors [n, 384], L2-normalised; each depends on its own text alone, none on a draw.

        Raises:
            InputError: a text is empty.
        """
        if not texts:
            return np.zeros((0, DIM), np.float32)
        return np.stack([self._one(text) for text in texts])

    def _one(self, text: str) -> FloatArray:
        clean = " ".join(text.split())
        if not clean:
            raise InputError("a text to embed is empty; expected a few words that name a sound")
        with self._lock:
            vector = self._known.get(clean)
        if vector is None:
            vector = self._run(clean)
            with self._lock:
                self._known[clean] = vector
        return vector

    def _run(self, text: str) -> FloatArray:
        encoding = self._tokenizer.encode(text)
        feeds = {
            "input_ids": np.array([encoding.ids], np.int64),
            "attention_mask": np.array([encoding.attention_mask], np.int64),
            "token_type_ids": np.array([encoding.type_ids], np.int64),
        }
        outputs = self._session.run(None, {k: v for k, v in feeds.items() if k in self._inputs})
        tokens = outputs[0][0]  # [length, 384]
        weights = feeds["attention_mask"][0][:, None]
        mean = (tokens * weights).sum(axis=0) / weights.sum()
        return np.asarray(mean / np.linalg.norm(mean), np.float32)


def _open_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer without padding, cut at the encoder's length."""
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:
        raise BundleError(f"{path}: not a tokenizer file ({error}); expected the bundle's JSON") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer
