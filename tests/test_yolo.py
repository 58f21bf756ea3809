"""The released detector, in small: the boxes of ultralytics' own call, safely loaded, without traces."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from released_parts import CLASSES, CPU, noise, write_architecture, write_detector

from ssv2a.detect.yolo import Yolo
from ssv2a.errors import BundleError, ConfigurationError, WeightsError
from ssv2a.types import Region

Parts = tuple[Path, Path]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    return write_detector(tmp_path_factory.mktemp("detector"))


def yolo(parts: Parts, *, iou: float = 0.0, max_boxes: int = 64, augment: bool = True) -> Yolo:
    architecture, state = parts
    return Yolo(architecture, CPU, iou=iou, max_boxes=max_boxes, augment=augment, state=state)


def network(parts: Parts):
    """The same detector as ultralytics' own object, weights in it."""
    architecture, state = parts
    yolo(parts)  # ultralytics, imported our way
    from safetensors.torch import load_file
    from ultralytics import YOLO

    model = YOLO(str(architecture), task="detect")
    model.model.load_state_dict(load_file(state))
    return model


def checkpoint(parts: Parts, path: Path, **extra) -> Path:
    """A file as ultralytics' training writes it: the whole network pickled, in half precision."""
    model = network(parts).model.half()
    model.names = {n: f"Thing {n}" for n in range(CLASSES)}
    torch.save({"epoch": -1, "model": model, "ema": None, "train_args": {"imgsz": 64}, **extra}, path)
    return path


def overlap(first: Region, second: Region) -> float:
    return first.box.overlap(second.box)


@pytest.mark.parametrize("augment", [True, False])
@pytest.mark.parametrize("shape", [(128, 192), (192, 128), (90, 333)])
def test_boxes_are_those_of_ultralytics_own_call(parts, shape, augment, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    image = noise(*shape)
    [expected] = network(parts).predict(
        np.ascontiguousarray(image[:, :, ::-1]),  # BGR
        imgsz=[math.ceil(side / 32) * 32 for side in shape],
        conf=0.25,
        iou=0.0,
        max_det=64,
        augment=augment,
        verbose=False,
        save=False,
        device="cpu",
    )
    regions = yolo(parts, augment=augment).detect(image, min_confidence=0.25)
    assert len(regions) == len(expected.boxes) > 3
    height, width = shape
    found = [
        [r.box.left * width, r.box.top * height, r.box.right * width, r.box.bottom * height] for r in regions
    ]
    np.testing.assert_allclose(found, expected.boxes.xyxy.numpy(), atol=0.01)  # pixels
    np.testing.assert_allclose([r.confidence for r in regions], expected.boxes.conf.numpy(), atol=1e-5)
    assert [r.label for r in regions] == [expected.names[int(n)] for n in expected.boxes.cls]
    assert not any(tmp_path.iterdir())


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 5))
def test_pictures_of_any_shape_give_boxes_inside_them_the_surest_first(parts, height, width, seed) -> None:
    regions = yolo(parts).detect(noise(height, width, seed), min_confidence=0.25)
    for region in regions:
        assert 0 <= region.box.left <= region.box.right <= 1
        assert 0 <= region.box.top <= region.box.bottom <= 1
        assert 0.25 < region.confidence <= 1
    confidences = [region.confidence for region in regions]
    assert confidences == sorted(confidences, reverse=True)


def test_any_overlap_of_one_class_goes_but_classes_may_overlap(parts) -> None:
    image = noise(192, 256)
    strict = yolo(parts).detect(image, min_confidence=0.25)
    pairs = [(a, b) for n, a in enumerate(strict) for b in strict[:n]]
    assert all(overlap(a, b) < 1e-3 for a, b in pairs if a.label == b.label)
    assert any(overlap(a, b) > 0.3 for a, b in pairs if a.label != b.label)
    assert len(yolo(parts, iou=0.9).detect(image, min_confidence=0.25)) > len(strict)


def test_no_more_boxes_than_asked_for_and_they_are_the_surest(parts) -> None:
    image = noise(256, 256)
    everything = yolo(parts, iou=0.9).detect(image, min_confidence=0.01)
    assert len(everything) == 64
    assert yolo(parts, iou=0.9, max_boxes=5).detect(image, min_confidence=0.01) == everything[:5]
    assert yolo(parts).detect(image, min_confidence=1.0) == ()


def test_a_checkpoint_of_ultralytics_is_loaded_with_its_labels(parts, tmp_path, monkeypatch) -> None:
    folder = tmp_path / "o'neil's files"  # ultralytics takes apostrophes out of names
    monkeypatch.setattr(
        torch.serialization, "location_tag", lambda _storage: "cuda:0"
    )  # where it was written
    folder.mkdir()
    loaded = Yolo(checkpoint(parts, folder / "detector.pt"), CPU)
    assert loaded.labels == tuple(f"Thing {n}" for n in range(CLASSES))
    image = noise(128, 192)
    found = loaded.detect(image, min_confidence=0.25)
    expected = yolo(parts).detect(image, min_confidence=0.25)
    assert [r.label for r in found[:3]] == [f"Thing {r.label}" for r in expected[:3]]
    assert [r.confidence for r in found[:3]] == pytest.approx([r.confidence for r in expected[:3]], abs=0.02)


class Payload:
    """What an attacker pickles: a call that is made while the file is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("where", ["train_args", "git"])
def test_a_checkpoint_with_a_payload_is_refused_and_nothing_of_it_runs(parts, where, tmp_path) -> None:
    bad = checkpoint(parts, tmp_path / "bad.pt", **{where: Payload(tmp_path / "owned")})
    with pytest.raises(WeightsError, match=r"bad\.pt.*safely.*mkdir"):
        Yolo(bad, CPU)
    assert not (tmp_path / "owned").exists()


def test_text_in_a_checkpoint_is_not_evaluated(tmp_path) -> None:
    """ultralytics once evaluated a model's `activation`."""
    architecture = write_architecture(tmp_path)
    action = f"__import__('os').mkdir({str(tmp_path / 'owned')!r})"
    architecture.write_text(architecture.read_text() + f'activation: "{action}"\n')
    with pytest.raises(WeightsError, match="not an architecture"):
        Yolo(architecture, CPU)
    assert not (tmp_path / "owned").exists()


def test_reading_a_checkpoint_leaves_the_list_of_safe_classes_as_it_was(parts, tmp_path) -> None:
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals([Payload])
    try:
        Yolo(checkpoint(parts, tmp_path / "detector.pt"), CPU)
        assert torch.serialization.get_safe_globals() == [Payload]
    finally:
        torch.serialization.clear_safe_globals()


def test_files_that_are_no_detector_are_named(parts, tmp_path) -> None:
    whole = checkpoint(parts, tmp_path / "detector.pt").read_bytes()
    (tmp_path / "short.pt").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.pt").write_text("no weights")
    torch.save({"model": torch.nn.Linear(2, 2)}, tmp_path / "linear.pt")
    torch.save({"weights": torch.zeros(2)}, tmp_path / "tensors.pt")
    (tmp_path / "odd.yaml").write_text("nc: 3\n")
    for name in ("short.pt", "text.pt", "linear.pt", "tensors.pt", "odd.yaml"):
        with pytest.raises(WeightsError, match=name):
            Yolo(tmp_path / name, CPU)
    with pytest.raises(BundleError, match=r"missing\.pt: no such detector"):
        Yolo(tmp_path / "missing.pt", CPU)
    with pytest.raises(BundleError, match=r"missing\.safetensors"):
        Yolo(parts[0], CPU, state=tmp_path / "missing.safetensors")
    torch.save({}, tmp_path / "empty.pt")
    with pytest.raises(WeightsError, match="missing"):
        Yolo(parts[0], CPU, state=tmp_path / "empty.pt")


def test_other_networks_of_ultralytics_are_refused(parts, tmp_path) -> None:
    """Segmenters are a kind of detectors there, but give masks as well."""
    yolo(parts)
    from ultralytics.nn.tasks import SegmentationModel

    text = write_architecture(tmp_path).read_text().replace("- Detect\n", "- Segment\n")
    (tmp_path / "masks.yaml").write_text(text.replace("  - - nc\n", "  - - nc\n    - 32\n    - 64\n"))
    with pytest.raises(WeightsError, match=r"masks\.yaml: expected a detector"):
        Yolo(tmp_path / "masks.yaml", CPU)
    model = SegmentationModel(str(tmp_path / "masks.yaml"), verbose=False)
    torch.save({"model": model}, tmp_path / "masks.pt")
    with pytest.raises(WeightsError, match=r"masks\.pt: expected a detector.*SegmentationModel"):
        Yolo(tmp_path / "masks.pt", CPU)


@pytest.mark.parametrize("options", [{"iou": -0.1}, {"iou": 1.1}, {"max_boxes": 0}])
def test_impossible_options_are_refused(parts, options) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        Yolo(parts[0], CPU, state=parts[1], **options)


def test_random_weights_are_the_same_every_time_and_take_nothing_from_the_global_generator(parts) -> None:
    torch.manual_seed(5)
    wanted = torch.rand(1)
    torch.manual_seed(5)
    first, second = (Yolo(parts[0], CPU)._model.state_dict() for _ in range(2))
    assert torch.rand(1) == wanted
    assert all(torch.equal(first[key], second[key]) for key in first)


_ALONE = """
    import os, signal, socket, sys, threading
    from pathlib import Path

    import numpy as np
    import torch
    from PIL import Image

    def refuse(*args, **kwargs):
        raise SystemExit(f"looked for the network: {args}")

    socket.getaddrinfo = socket.socket.connect = refuse
    before = dict(os.environ), torch.save, Image.open, str(np.get_printoptions())
    handlers = [signal.getsignal(n) for n in signal.valid_signals()]
    torch.manual_seed(0)

    from ssv2a.detect.yolo import Yolo

    assert "ultralytics" not in sys.modules
    detector = Yolo(Path(sys.argv[1]), torch.device("cpu"), state=Path(sys.argv[2]))
    assert detector.detect(np.zeros((40, 70, 3), np.uint8), min_confidence=0.001)
    assert dict(os.environ) == before[0]
    assert torch.save is before[1]
    assert Image.open is before[2]
    assert str(np.get_printoptions()) == before[3]
    assert torch._tensor_str.PRINT_OPTS.linewidth == 80
    assert [signal.getsignal(n) for n in signal.valid_signals()] == handlers
    assert threading.enumerate() == [threading.main_thread()]
"""


def test_ultralytics_stays_at_home(parts, tmp_path) -> None:
    """No network, no output, no file in the home, working or temporary folder, the process as it was."""
    folders = {name: tmp_path / name for name in ("home", "work", "temporary")}
    for folder in folders.values():
        folder.mkdir()
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_ALONE), *map(str, parts)],
        cwd=folders["work"],
        env={"HOME": str(folders["home"]), "TMPDIR": str(folders["temporary"]), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert [path for folder in folders.values() for path in folder.rglob("*")] == []


def test_ultralytics_without_safe_loading_is_refused(parts, tmp_path) -> None:
    program = (
        "import sys, pathlib, torch, ultralytics.nn.tasks\n"
        "from ssv2a.detect.yolo import Yolo\n"
        "Yolo(pathlib.Path(sys.argv[1]), torch.device('cpu'))"
    )
    environment = {**os.environ, "YOLO_OFFLINE": "true", "YOLO_CONFIG_DIR": str(tmp_path)}
    environment.pop("ULTRALYTICS_SAFE_LOAD", None)
    ran = subprocess.run(
        [sys.executable, "-c", program, str(parts[0])],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 1
    assert "ConfigurationError: ultralytics cannot load a checkpoint safely here" in ran.stderr
