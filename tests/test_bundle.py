"""A bundle opens only when every part is there, and its id tells one content from another."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ssv2a.bundle import MANIFEST, Bundle, write_bundle
from ssv2a.errors import BundleError

NOTICE = {"licence": "CC0-1.0", "attribution": "", "origin": "made for this test"}


def manifest() -> dict[str, Any]:
    return {
        "name": "toy",
        "version": "1.2.0",
        "roles": {
            "detector": {
                "implementation": "nanodet",
                "files": {"weights": "eye.onnx"},
                "options": {"side": 320},
            },
            "synthesis": {
                "implementation": "soundbank",
                "files": {"default": "banks/default"},
                "options": {},
            },
        },
        "files": {"eye.onnx": NOTICE, "banks": NOTICE, "banks/default/b.ogg": {**NOTICE, "licence": "MIT"}},
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "bundles" / "toy"
    (root / "banks" / "default").mkdir(parents=True)
    (root / "eye.onnx").write_bytes(b"weights")
    (root / "banks" / "default" / "a.ogg").write_bytes(b"a sound")
    (root / "banks" / "default" / "b.ogg").write_bytes(b"another")
    return root


def rewrite(folder: Path, change: Any) -> None:
    content = json.loads((folder / MANIFEST).read_text())
    change(content)
    (folder / MANIFEST).write_text(json.dumps(content))


def test_what_is_written_opens_again_with_paths_options_and_licences(folder: Path) -> None:
    written = write_bundle(folder, manifest())
    bundle = Bundle.open(folder)
    bundle.verify()
    assert bundle == written
    assert bundle.path("detector", "weights").read_bytes() == b"weights"
    assert bundle.path("synthesis", "default") == folder / "banks" / "default"
    assert bundle.options("detector") == {"side": 320}
    assert bundle.implementation("synthesis") == "soundbank"
    assert {path: file.licence for path, file in bundle.files.items()} == {
        "banks/default/a.ogg": "CC0-1.0",
        "banks/default/b.ogg": "MIT",
        "eye.onnx": "CC0-1.0",
    }


def test_a_name_is_found_in_foley_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bundle(folder, manifest())
    monkeypatch.setenv("FOLEY_HOME", str(folder.parent.parent))
    assert Bundle.open("toy").folder == folder
    with pytest.raises(BundleError, match=r"'toys' was not found.*FOLEY_HOME"):
        Bundle.open("toys")


def test_a_folder_is_written_with_a_slash_and_a_name_without(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bundle(folder, manifest())
    monkeypatch.chdir(folder.parent)
    with pytest.raises(BundleError, match=r"'toy' was not found.*toy/ for the folder"):
        Bundle.open("toy")
    assert Bundle.open("toy/").folder == folder


def test_the_id_follows_content_and_roles_but_not_the_place(folder: Path, tmp_path: Path) -> None:
    first = write_bundle(folder, manifest()).id
    assert first.startswith("toy-1.2.0-")
    assert len(first.rsplit("-", 1)[1]) == 12
    elsewhere = tmp_path / "copy"
    shutil.copytree(folder, elsewhere)
    assert Bundle.open(elsewhere).id == first
    other_options = manifest()
    other_options["roles"]["detector"]["options"] = {"side": 640}
    assert write_bundle(folder, other_options).id != first
    (folder / "banks" / "default" / "a.ogg").write_bytes(b"a SOUND")
    assert write_bundle(folder, manifest()).id != first


def test_missing_and_cut_files_are_all_named_when_opening(folder: Path) -> None:
    write_bundle(folder, manifest())
    (folder / "eye.onnx").unlink()
    (folder / "banks" / "default" / "a.ogg").write_bytes(b"a")
    with pytest.raises(BundleError) as failure:
        Bundle.open(folder)
    assert "2 fault(s)" in str(failure.value)
    assert "eye.onnx: cannot be read" in str(failure.value)
    assert "banks/default/a.ogg: expected 7 bytes, got 1" in str(failure.value)


def test_a_byte_changed_in_place_is_found_by_verify(folder: Path) -> None:
    write_bundle(folder, manifest())
    (folder / "eye.onnx").write_bytes(b"Weights")
    with pytest.raises(BundleError, match=r"eye\.onnx: expected SHA-256"):
        Bundle.open(folder).verify()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(format=2), r"expected format 1, got 2"),
        (lambda c: c.pop("version"), r"'version': expected a text, got None"),
        (lambda c: c.update(colour="red"), r"'colour': is not known"),
        (lambda c: c["roles"].update(nose={}), r"'nose': is not a role; expected clap, detector"),
        (
            lambda c: c["roles"]["detector"].update(implementation="yolo9"),
            r"'yolo9' is not known; expected nanodet",
        ),
        (
            lambda c: c["roles"]["detector"]["files"].update(names="n.json"),
            r"'n.json' is not in the files table",
        ),
        (lambda c: c["roles"]["detector"].pop("options"), r"'options': expected a table, got None"),
        (lambda c: c["files"]["eye.onnx"].pop("licence"), r"'licence': expected a text, got None"),
        (lambda c: c["files"]["eye.onnx"].update(bytes=True), r"'bytes': expected a whole number, got True"),
        (
            lambda c: c["files"].update({"../x": c["files"]["eye.onnx"]}),
            r"'../x': expected a relative path inside",
        ),
    ],
)
def test_a_manifest_that_is_not_understood_is_refused(folder: Path, change: Any, message: str) -> None:
    write_bundle(folder, manifest())
    rewrite(folder, change)
    with pytest.raises(BundleError, match=message):
        Bundle.open(folder)


def test_a_folder_without_manifest_and_a_broken_manifest_are_clear(folder: Path) -> None:
    with pytest.raises(BundleError, match="cannot be read"):
        Bundle.open(folder)
    (folder / MANIFEST).write_text("{")
    with pytest.raises(BundleError, match="is not JSON"):
        Bundle.open(folder)


def test_asking_for_what_a_bundle_does_not_have_says_what_it_has(folder: Path) -> None:
    bundle = write_bundle(folder, manifest())
    with pytest.raises(BundleError, match=r"fills no role 'clap'; it fills detector, synthesis"):
        bundle.options("clap")
    with pytest.raises(BundleError, match=r"role 'detector' has no 'names'; it has weights"):
        bundle.path("detector", "names")


def test_a_file_that_is_not_there_cannot_be_listed(folder: Path) -> None:
    lacking = manifest()
    lacking["files"]["nose.onnx"] = NOTICE
    with pytest.raises(BundleError, match=r"nose\.onnx: is not there; expected a file"):
        write_bundle(folder, lacking)
    assert not (folder / MANIFEST).exists()
