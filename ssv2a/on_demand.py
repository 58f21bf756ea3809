"""A model that is loaded when it is first needed, and may be given back in between."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Generic, TypeVar

import torch

T = TypeVar("T")


class OnDemand(Generic[T]):
    """Holds what `load` makes, from the first `get` until `release`.

    Args:
        load: makes the model; called again after a release.
    """

    def __init__(self, load: Callable[[], T]) -> None:
        self._load = load
        self._model: T | None = None

    def get(self) -> T:
        """The model, loaded if it is not there."""
        if self._model is None:
            self._model = self._load()
        return self._model

    @property
    def loaded(self) -> bool:
        """Whether the model is in memory."""
        return self._model is not None

    def release(self) -> None:
        """Give the model's memory back; the next `get` loads it anew."""
        if self._model is None:
            return
        self._model = None
        gc.collect()  # networks hold themselves in circles
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if torch.backends.mps.is_available():
            torch.mps.empty_cache()
