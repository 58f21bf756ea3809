"""EfficientNet-lite3, the image classifier of the mini bundle: 1000 ImageNet classes (Tan & Le 2019)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from ssv2a.embed.onnx import open_session
from ssv2a.errors import BundleError
from ssv2a.types import Box, ByteArray, FloatArray

SIDE = 280  # pixels, of the network's input
ZERO, STEP = 130, 0.01266734  # what a byte of the network's input stands for: (byte - ZERO) * STEP
TEMPERATURE = 0.7  # of the softmax (Guo et al., ICML 2017, section 4.2), as told by photographs: docs/seen.md
MARGIN = 0.08  # of a box's side, added on each side of a crop: things need a little of their surroundings


class Classifier:
    """Pictures and parts of pictures to class probabilities.

    Args:
        model: the ONNX file (input `x`, outputs `logits` and `emb`).
        threads: of one run.

    Raises:
        BundleError: the file is missing, is no network or is another one.
    """

    def __init__(self, model: Path, threads: int = 2) -> None:
        self._session = open_session(model, threads)
        names = {node.name for node in self._session.get_outputs()}
        if "logits" not in names:
            raise BundleError(
                f"{model}: not the classifier; expected an output `logits`, got {sorted(names)}"
            )

    def classify(self, image: ByteArray, box: Box | None = None) -> FloatArray:
        """Probabilities [1000] of a picture [height, width, 3] RGB, or of a box in it with a margin."""
        part = image if box is None else crop(image, box)
        square = Image.fromarray(part).resize((SIDE, SIDE), Image.Resampling.BICUBIC, reducing_gap=2.0)
        pixels = (np.asarray(square, np.float32) - ZERO) * np.float32(STEP)
        (logits,) = self._session.run(["logits"], {"x": pixels.transpose(2, 0, 1)[None]})
        odds = np.exp((logits[0] - logits[0].max()) / TEMPERATURE)
        return np.asarray(odds / odds.sum(), np.float32)


def crop(image: ByteArray, box: Box) -> ByteArray:
    """The part of a picture inside a box and its margin, at least one pixel."""
    height, width = image.shape[:2]
    x_margin, y_margin = (box.right - box.left) * MARGIN, (box.bottom - box.top) * MARGIN
    left, right = _span(box.left - x_margin, box.right + x_margin, width)
    top, bottom = _span(box.top - y_margin, box.bottom + y_margin, height)
    return np.ascontiguousarray(image[top:bottom, left:right])


def _span(low: float, high: float, size: int) -> tuple[int, int]:
    """Two fractions of `size` pixels as a range of at least one pixel inside it."""
    first = min(max(int(low * size), 0), size - 1)
    return first, max(min(int(np.ceil(high * size)), size), first + 1)
