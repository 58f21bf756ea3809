"""NanoDet-g, the object detector of the mini bundle: 80 COCO classes in 416×416 pixels.

RangiLyu/nanodet: anchor-free; every cell of three grids gives 80 class scores and, for each side of
its box, a distribution over 11 distances (generalised focal loss, Li et al. 2020).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
from PIL import Image

from ssv2a.embed.onnx import open_session
from ssv2a.errors import BundleError
from ssv2a.types import Box, ByteArray, FloatArray, Region

SIDE = 416  # pixels, of the network's input
STRIDES = (8, 16, 32)  # pixels of one cell of each grid
BINS = 11  # distances 0..10 strides
MEAN_BGR = np.array([103.53, 116.28, 123.675], np.float32)
STD_BGR = np.array([57.375, 57.12, 58.395], np.float32)
SAME_BOX = 0.5  # intersection over union above which two boxes of a class are one thing
MAX_STRETCH = 1.4  # of the short side. Between letterbox (1, misses people in 16:9) and the whole square
# (misses everything in 2.35:1): measured on photographs and frames of both shapes


class NanoDet:
    """Pictures to regions.

    Args:
        model: the ONNX file.
        labels: the 80 class names, in the network's order.
        threads: of one run.

    Raises:
        BundleError: the file is missing, is no network or is another one.
    """

    def __init__(self, model: Path, labels: tuple[str, ...], threads: int = 2) -> None:
        self._session = open_session(model, threads)
        self._labels = labels
        self._outputs = _outputs_by_stride(self._session, len(labels), model)

    def detect(
        self, image: ByteArray, *, min_confidence: float = 0.35, max_regions: int = 63
    ) -> tuple[Region, ...]:
        """The things in one picture [height, width, 3] RGB, the surest first."""
        canvas, scale, (left, top) = fit(image)
        pixels = (canvas[:, :, ::-1].astype(np.float32) - MEAN_BGR) / STD_BGR
        feed = {self._session.get_inputs()[0].name: pixels.transpose(2, 0, 1)[None]}
        found = self._session.run([name for pair in self._outputs for name in pair], feed)
        scores = np.concatenate([found[2 * i][0] for i in range(len(STRIDES))])
        boxes = np.concatenate([_boxes(found[2 * i + 1][0], s) for i, s in enumerate(STRIDES)])
        boxes = (boxes - np.array([left, top, left, top], np.float32)) / np.tile(scale, 2)
        kept = suppress(boxes, scores, min_confidence, max_regions)
        height, width = image.shape[:2]
        size = np.array([width, height, width, height], np.float32)
        return tuple(
            Region(Box(*np.clip(boxes[i] / size, 0, 1).tolist()), self._labels[c], float(scores[i, c]))
            for i, c in kept
        )


def fit(image: ByteArray) -> tuple[ByteArray, FloatArray, tuple[int, int]]:
    """The picture on a black square [416, 416, 3], its short side stretched by at most `MAX_STRETCH`.

    Returns:
        The square, the factors (x, y) from the picture's pixels to its own, and where (x, y) it begins.
    """
    height, width = image.shape[:2]
    long, short = max(width, height), min(width, height)
    scale = SIDE / long
    stretched = scale * min(long / short, MAX_STRETCH)
    x_scale, y_scale = (scale, stretched) if width >= height else (stretched, scale)
    inner = (max(1, round(width * x_scale)), max(1, round(height * y_scale)))
    left, top = (SIDE - inner[0]) // 2, (SIDE - inner[1]) // 2
    canvas = np.zeros((SIDE, SIDE, 3), np.uint8)
    small = Image.fromarray(image).resize(inner, Image.Resampling.BILINEAR)
    canvas[top : top + inner[1], left : left + inner[0]] = np.asarray(small)
    return canvas, np.array([x_scale, y_scale], np.float32), (left, top)


def suppress(
    boxes: FloatArray, scores: FloatArray, min_confidence: float, max_regions: int
) -> list[tuple[int, int]]:
    """Per-class non-maximum suppression.

    Args:
        boxes: [cells, 4] left, top, right, bottom.
        scores: [cells, classes] 0..1.
        min_confidence: a lower score is nothing.
        max_regions: of all classes together.

    Returns:
        (cell, class) of the boxes that stay, the highest score first.
    """
    cells, classes = np.nonzero(scores >= min_confidence)
    order = np.argsort(-scores[cells, classes], kind="stable")
    kept: list[tuple[int, int]] = []
    for cell, label in zip(cells[order].tolist(), classes[order].tolist(), strict=True):
        rivals = [other for other, its_label in kept if its_label == label]
        if not rivals or _overlaps(boxes[cell], boxes[rivals]).max() <= SAME_BOX:
            kept.append((cell, label))
        if len(kept) == max_regions:
            break
    return kept


def _overlaps(box: FloatArray, others: FloatArray) -> FloatArray:
    """Intersection over union of one box with several [n]."""
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[2:], others[:, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = np.prod(others[:, 2:] - others[:, :2], axis=1) + np.prod(box[2:] - box[:2])
    return np.asarray(shared / np.maximum(areas - shared, 1e-9), np.float32)


def _boxes(sides: FloatArray, stride: int) -> FloatArray:
    """Side distributions [cells, 4 × 11] to boxes [cells, 4] in pixels of the network's input."""
    bins = np.exp(sides.reshape(-1, 4, BINS) - sides.reshape(-1, 4, BINS).max(axis=2, keepdims=True))
    distance = (bins @ np.arange(BINS, dtype=np.float32)) / bins.sum(axis=2) * stride
    row, column = np.divmod(np.arange(len(sides)), SIDE // stride)
    x, y = (column + 0.5) * stride, (row + 0.5) * stride
    corners = (x - distance[:, 0], y - distance[:, 1], x + distance[:, 2], y + distance[:, 3])
    return np.asarray(np.stack(corners, axis=1), np.float32)


def _outputs_by_stride(session: ort.InferenceSession, n_labels: int, model: Path) -> list[tuple[str, str]]:
    """(scores, boxes) output names of each grid, told apart by their shapes."""
    names = {tuple(node.shape[1:]): node.name for node in session.get_outputs()}
    wanted = [((SIDE // s) ** 2, width) for s in STRIDES for width in (n_labels, 4 * BINS)]
    missing = [shape for shape in wanted if shape not in names]
    if missing:
        raise BundleError(
            f"{model}: not a NanoDet of {n_labels} classes; outputs of shapes {missing} are missing, "
            f"got {sorted(names)}; name the detector's own file in the bundle"
        )
    return [(names[wanted[2 * i]], names[wanted[2 * i + 1]]) for i in range(len(STRIDES))]
