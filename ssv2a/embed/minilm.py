"""all-MiniLM-L6-v2, the sentence encoder of the mini bundle (Reimers & Gurevych 2019; Wang et al. 2020).

The same captions come again and again, so a sentence is run once at most, alone and without padding, and
remembered: its vector never depends on its neighbours. What clips and pictures need is kept in a file, so the
network is opened by the first sentence that is not in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock

import numpy as np
import onnxruntime as ort
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from tokenizers import Tokenizer

from ssv2a.embed.onnx import open_session
from ssv2a.errors import BundleError, InputError
from ssv2a.files import write_whole
from ssv2a.types import FloatArray

DIM = 384
MAX_TOKENS = 128  # the length the encoder was trained with
_SENTENCES, _VECTORS = "sentences", "vectors"  # of the file of what is known


class MiniLm:
    """Texts to vectors of 384 features; capital letters do not matter to it.

    Args:
        model: the ONNX file (inputs `input_ids`, `attention_mask` and, if it has it, `token_type_ids`).
        tokenizer: the `tokenizers` JSON file.
        threads: of one run.
        known: file of sentences for which the network is not needed, written by `keep_sentences`.

    Raises:
        BundleError: the file of known sentences cannot be read.
    """

    def __init__(self, model: Path, tokenizer: Path, threads: int = 2, known: Path | None = None) -> None:
        self._model = model
        self._tokens = tokenizer
        self._threads = threads
        self._known = {} if known is None else _kept_sentences(known)
        self._lock = Lock()

    def embed(self, texts: Sequence[str], *, seed: int = 0) -> FloatArray:  # noqa: ARG002
        """Sentence vectors [n, 384], L2-normalised; each depends on its own text alone, none on a draw.

        Raises:
            InputError: a text is empty.
            BundleError: a file is missing or is not what it should be.
        """
        if not texts:
            return np.zeros((0, DIM), np.float32)
        return np.stack([self._one(text) for text in texts])

    def _one(self, text: str) -> FloatArray:
        clean = " ".join(text.split())
        if not clean:
            raise InputError("a text to embed is empty; expected a few words that name a sound")
        key = clean.lower()
        with self._lock:
            if key not in self._known:
                self._known[key] = self._run(clean)
            return self._known[key]

    @cached_property
    def _session(self) -> ort.InferenceSession:
        return open_session(self._model, self._threads, compact=True)

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return _open_tokenizer(self._tokens)

    def _run(self, text: str) -> FloatArray:
        asked = {node.name for node in self._session.get_inputs()}
        encoding = self._tokenizer.encode(text)
        feeds = {
            "input_ids": np.array([encoding.ids], np.int64),
            "attention_mask": np.array([encoding.attention_mask], np.int64),
            "token_type_ids": np.array([encoding.type_ids], np.int64),
        }
        outputs = self._session.run(None, {name: feeds[name] for name in feeds if name in asked})
        tokens = outputs[0][0]  # [length, 384]
        weights = feeds["attention_mask"][0][:, None]
        mean = (tokens * weights).sum(axis=0) / weights.sum()
        return np.asarray(mean / np.linalg.norm(mean), np.float32)


def keep_sentences(text: MiniLm, sentences: Iterable[str], path: Path) -> None:
    """Write the vectors of sentences, so that they are known without the network."""
    kept = sorted({" ".join(sentence.lower().split()) for sentence in sentences})
    write_whole(path, save({_VECTORS: text.embed(kept)}, metadata={_SENTENCES: json.dumps(kept)}))


def _kept_sentences(path: Path) -> dict[str, FloatArray]:
    """Vectors [384] by sentence, in lower case."""
    try:
        with safe_open(path, framework="numpy") as file:
            vectors = file.get_tensor(_VECTORS)
            sentences = json.loads((file.metadata() or {})[_SENTENCES])
        return dict(zip(sentences, vectors, strict=True))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise BundleError(
            f"{path}: expected sentences and their vectors, got: {error}. Install the bundle again."
        ) from error


def _open_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer without padding, cut at the encoder's length."""
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:
        raise BundleError(f"{path}: not a tokenizer file ({error}); expected the bundle's JSON") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer
