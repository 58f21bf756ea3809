"""YOLO by ultralytics: the detector of the released model, there yolov8x of Open Images V7 (601 classes).

ultralytics is imported here and nowhere else, when the first detector is made: offline, without its settings
in the home directory, and with its safe loading on.
"""

from __future__ import annotations

import os
import sys
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ssv2a.errors import BundleError, ConfigurationError, WeightsError
from ssv2a.types import Box, ByteArray, Region
from ssv2a.weights import fill, read_checkpoint

if TYPE_CHECKING:
    from ultralytics.nn.tasks import DetectionModel

_SWITCHES = {  # read by ultralytics once, at its import
    "YOLO_OFFLINE": "true",
    "YOLO_AUTOINSTALL": "false",
    "YOLO_VERBOSE": "false",
    "ULTRALYTICS_SAFE_LOAD": "true",  # no class but its own layers is made from a file, and no text evaluated
}


class Yolo:
    """Pictures to regions.

    A checkpoint of ultralytics is a pickle of its own classes. It is read with torch's restricted unpickler
    and ultralytics' list of them: a file that names anything else is refused before any of it is made.

    Args:
        weights: a detector's `.pt`, or the `.yaml` of an architecture, whose weights are random.
        device: where it runs, in float32.
        iou: intersection over union above which the weaker of two boxes of a class goes; 0: any overlap.
        max_boxes: most boxes of one picture.
        augment: detect in three sizes, one of them mirrored, and take all boxes together.
        state: safetensors that fill a `.yaml`.

    Raises:
        BundleError: a file is missing.
        WeightsError: a file cannot be read, is no detector, or holds something that is not allowed in it.
        ConfigurationError: an option is impossible, or ultralytics was imported without its safe loading.
    """

    def __init__(
        self,
        weights: Path,
        device: torch.device,
        *,
        iou: float = 0.0,
        max_boxes: int = 64,
        augment: bool = True,
        state: Path | None = None,
    ) -> None:
        if not 0 <= iou <= 1:
            raise ConfigurationError(f"detector, iou: expected 0 to 1, got {iou}")
        if max_boxes < 1:
            raise ConfigurationError(f"detector, max_boxes: expected 1 or more, got {max_boxes}")
        model = _load(weights, state)
        self._model = model.fuse(verbose=False).to(device).eval().requires_grad_(False)
        self._device = device
        self._iou = iou
        self._max_boxes = max_boxes
        self._augment = augment
        self.labels: tuple[str, ...] = tuple(str(model.names[n]) for n in range(len(model.names)))

    def detect(self, image: ByteArray, *, min_confidence: float) -> tuple[Region, ...]:
        """The things in one picture [height, width, 3] RGB, the surest first.

        The network sees the picture in its own size, rounded up to whole strides as ultralytics does. Memory
        grows with the picture: a yolov8x needs 1.1 GB at 512×512 and 2.4 GB at 2048×2048.
        """
        from ultralytics.utils.nms import non_max_suppression
        from ultralytics.utils.ops import scale_boxes

        pixels = self._pixels(image)
        with torch.inference_mode():
            found = self._model(pixels, augment=self._augment)
            [rows] = non_max_suppression(
                found,
                min_confidence,
                self._iou,
                max_det=self._max_boxes,
                end2end=getattr(self._model, "end2end", False),
            )
            scale_boxes(pixels.shape[2:], rows[:, :4], image.shape)  # in place
        height, width = image.shape[:2]
        boxes = rows[:, :4].cpu().double() / torch.tensor([width, height, width, height])
        return tuple(
            Region(Box(*box), self.labels[int(label)], confidence)
            for box, confidence, label in zip(
                boxes.tolist(), rows[:, 4].tolist(), rows[:, 5].tolist(), strict=True
            )
        )

    def _pixels(self, image: ByteArray) -> Tensor:
        """The picture [1, 3, height, width] in 0..1 as ultralytics lays it out: fitted in, grey borders."""
        from ultralytics.data.augment import LetterBox

        stride = max(int(self._model.stride.max()), 32)
        canvas = tuple(ceil(side / stride) * stride for side in image.shape[:2])
        fitted = LetterBox(canvas, auto=True, stride=stride)(image=image)
        pixels = torch.from_numpy(np.ascontiguousarray(fitted)).to(self._device)
        return pixels.permute(2, 0, 1)[None].float() / 255


def _load(weights: Path, state: Path | None) -> DetectionModel:
    for path in (weights, state):
        if path is not None and not path.is_file():
            raise BundleError(f"{path}: no such detector; expected a file of the bundle; install it again")
    tasks = _tasks()
    if weights.suffix in (".yaml", ".yml"):
        model = _built(tasks, weights, state)
    elif state is None:
        model = _unpickled(tasks, weights)
    else:
        raise ConfigurationError(f"{weights}: already has its weights; leave {state.name} out of the bundle")
    if not _detects(tasks, model):
        raise WeightsError(
            f"{weights}: expected a detector of ultralytics, got another network ({type(model).__name__}); "
            "use one of its task `detect`, such as yolov8x-oiv7.pt"
        )
    return model


def _detects(tasks: ModuleType, model: Any) -> bool:
    """Whether it answers with boxes alone; segmenters and others are detectors too, to Python."""
    plain = (tasks.Detect, tasks.v10Detect)
    return type(model) is tasks.DetectionModel and type(model.model[-1]) in plain


def _built(tasks: ModuleType, architecture: Path, state: Path | None) -> DetectionModel:
    """A detector of random weights, the same at every call, or of the weights in `state`."""
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model: DetectionModel = tasks.DetectionModel(str(architecture), verbose=False)
    except Exception as error:  # whatever the file's layers lead ultralytics to
        raise WeightsError(
            f"{architecture}: not an architecture that ultralytics can build: {error}. Use one of its own."
        ) from error
    if state is not None:
        fill({"yolo": model}, {"yolo": read_checkpoint(state)}, str(state))
    return model


def _unpickled(tasks: ModuleType, weights: Path) -> DetectionModel:
    if not zipfile.is_zipfile(weights):
        raise WeightsError(f"{weights}: not a whole checkpoint; expected ultralytics' `.pt`. Fetch it again.")
    allowed = torch.serialization.get_safe_globals()
    try:
        with TemporaryDirectory(prefix="foley-yolo-") as folder:
            link = Path(folder) / "weights.pt"  # other names ultralytics mends, and fetches what is not there
            link.symlink_to(weights.absolute())
            model, _ = tasks.load_checkpoint(link)
    except Exception as error:  # whatever the file's content leads ultralytics to
        raise WeightsError(
            f"{weights}: not a checkpoint of an ultralytics detector that can be loaded safely: "
            f"{_reason(error)}. Expected tensors and layers of ultralytics alone. Fetch it again."
        ) from error
    finally:  # ultralytics adds its classes for every file that is read afterwards
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(allowed)
    return model


def _reason(error: BaseException) -> str:
    """What went wrong first, in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    unsafe = [line for line in lines if "GLOBAL" in line]
    return (unsafe or lines or [type(error).__name__])[0].rstrip(".")


def _tasks() -> ModuleType:
    """The module of ultralytics that makes models, imported so that its safe loading is on."""
    with nullcontext() if "ultralytics" in sys.modules else _without_traces():
        tasks = import_module("ultralytics.nn.tasks")
    if not getattr(tasks, "SAFE_LOAD", False):
        raise ConfigurationError(
            "ultralytics cannot load a checkpoint safely here; expected version 8.4.190 or later, imported "
            "by ssv2a first, or with ULTRALYTICS_SAFE_LOAD=true in the environment"
        )
    return tasks


@contextmanager
def _without_traces() -> Iterator[None]:
    """Import ultralytics offline, and take back what that changes for the whole process and its children."""
    environment, save, open_image = dict(os.environ), torch.save, Image.open
    with (
        TemporaryDirectory(prefix="foley-yolo-") as folder,
        np.printoptions(),
        warnings.catch_warnings(),
    ):
        os.environ.update(_SWITCHES, YOLO_CONFIG_DIR=folder)
        try:
            yield
        finally:
            torch.save = save
            Image.open = open_image  # theirs takes every file that is no picture for HEIF
            torch.set_printoptions(profile="default")  # type: ignore[no-untyped-call]
            os.environ.clear()
            os.environ.update(environment)
