"""The bundle's own eyes and the test pictures, for the tests that look."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

import ssv2a
from ssv2a.detect.nanodet import NanoDet
from ssv2a.embed.classifier import Classifier
from ssv2a.embed.minilm import MiniLm
from ssv2a.heard import HeardTable, load_heard
from ssv2a.scenes import load_scenes
from ssv2a.seen import Eyes
from ssv2a.types import ByteArray, FloatArray, Frames

MINI = Path(ssv2a.__path__[0]) / "bundles" / "mini"
PICTURES = Path(__file__).parent / "data" / "pictures"


@cache
def heard() -> HeardTable:
    return load_heard(MINI / "heard.csv")


@cache
def detector() -> NanoDet:
    return NanoDet(MINI / "nanodet.onnx", tuple(heard().labels), threads=1)


@cache
def classifier() -> Classifier:
    return Classifier(MINI / "efficientnet_lite3.onnx", threads=1)


@cache
def sentences() -> MiniLm:
    known = MINI / "sentences.safetensors"
    return MiniLm(MINI / "minilm_l6_v2_int8.onnx", MINI / "minilm_tokenizer.json", 1, known)


@cache
def eyes() -> Eyes:
    return Eyes(detector(), classifier(), sentences(), heard(), load_scenes(MINI / "scenes.csv"))


def picture(name: str) -> ByteArray:
    with Image.open(PICTURES / f"{name}.jpg") as image:
        return np.asarray(image.convert("RGB"))


def clip(*images: ByteArray, seconds: Fraction = Fraction(1, 2)) -> Frames:
    """Pictures of one size as the frames of a clip."""
    return Frames(np.stack(images), tuple(n * seconds for n in range(len(images))))


def odds_of(**masses: float) -> FloatArray:
    """Class probabilities; the rest is spread over all classes."""
    odds = np.zeros(1000, np.float32)
    names = [one.name for one in heard().classes]
    for name, mass in masses.items():
        odds[names.index(name.replace("_", " "))] += mass
    return odds + np.float32((1 - odds.sum()) / 1000)
