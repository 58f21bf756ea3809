"""A bundle: one folder that holds every part of a model chain, and says where each part comes from.

`bundle.json` at its top names, for each role, the implementation, its files and its options; and for
every file its size, SHA-256, licence, attribution and origin:

    {"format": 1, "name": "mini", "version": "1.0.0",
     "roles": {"detector": {"implementation": "nanodet",
                            "files": {"weights": "nanodet.onnx"}, "options": {}}, …},
     "files": {"nanodet.onnx": {"bytes": 1, "sha256": "…", "licence": "Apache-2.0",
                                "attribution": "…", "origin": "…"}, …}}

A path of a role is a listed file, or a folder that holds listed files (a sound bank). Paths are
relative, with forward slashes, and stay inside the bundle.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

from ssv2a.errors import BundleError

FORMAT = 1
MANIFEST = "bundle.json"
MOST_FRAMES = 64  # as SSV2A was trained with
IMPLEMENTATIONS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "detector": frozenset({"nanodet", "yolo"}),
        "image": frozenset({"conse", "open_clip"}),
        "text": frozenset({"minilm", "dalle2_prior"}),
        "clap": frozenset({"mini_clap", "laion_clap"}),
        "ssv2a": frozenset({"ssv2a", "released"}),
        "synthesis": frozenset({"soundbank", "audioldm"}),
    }
)

_BLOCK = 1 << 20  # bytes read at a time when hashing


@dataclass(frozen=True, slots=True)
class BundleFile:
    """One row of the files table."""

    bytes: int
    sha256: str  # 64 lower-case hexadecimal digits
    licence: str  # SPDX identifier, or the name of a licence file in the bundle
    attribution: str  # the line that credits it; "" where none is owed
    origin: str  # where it comes from: an address, or how it was made


@dataclass(frozen=True, slots=True)
class Role:
    """What fills one role of the chain."""

    implementation: str
    files: Mapping[str, str]  # key → relative path of a file or a folder
    options: Mapping[str, Any]  # the implementation's own


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose manifest is sound and whose files are there in the right sizes."""

    folder: Path
    name: str
    version: str
    roles: Mapping[str, Role]
    files: Mapping[str, BundleFile]

    @classmethod
    def open(cls, name_or_path: str | Path) -> Bundle:
        """Open a bundle by name (the package's own, then FOLEY_HOME/bundles) or by its folder.

        Raises:
            BundleError: there is none, its manifest is not understood, or files are missing or of other size.
        """
        bundle = read_bundle(find_bundle(name_or_path))
        faults = [fault for path in bundle.files if (fault := bundle._size_fault(path))]
        _refuse(bundle.folder, faults, "fetch or build the bundle again")
        return bundle

    @property
    def id(self) -> str:
        """`name-version-hash`: the hash changes with any file's content and with any role's choice."""
        roles = {name: _role_json(role) for name, role in self.roles.items()}
        files = {path: file.sha256 for path, file in self.files.items()}
        text = json.dumps({"roles": roles, "files": files}, sort_keys=True, separators=(",", ":"))
        return f"{self.name}-{self.version}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    def implementation(self, role: str) -> str:
        """The name of what fills `role`.

        Raises:
            BundleError: the bundle does not fill this role.
        """
        return self._role(role).implementation

    def options(self, role: str) -> Mapping[str, Any]:
        """The options of `role`, as its implementation reads them.

        Raises:
            BundleError: the bundle does not fill this role.
        """
        return self._role(role).options

    @property
    def clap_mark(self) -> str:
        """What tells the bundle's CLAP from others: the SHA-256 of its weights."""
        return self.files[self.roles["clap"].files["weights"]].sha256

    def path(self, role: str, key: str) -> Path:
        """The file or folder that `role` calls `key`.

        Raises:
            BundleError: the bundle does not fill this role, or the role has no such key.
        """
        paths = self._role(role).files
        if key not in paths:
            raise BundleError(
                f"{self.folder}: role '{role}' has no '{key}'; it has {_listed(paths)}. Choose one of those."
            )
        return self.folder / paths[key]

    def bank_folder(self, name: str) -> Path:
        """Where a sound bank lies: with a / in it a folder, else one of the bundle's own by its name.

        Raises:
            BundleError: the bundle has no bank of this name.
        """
        if "/" in name:
            return Path(name).expanduser().absolute()
        role = self._role("synthesis")
        banks = role.files if role.implementation == "soundbank" else {}
        if name not in banks:
            raise BundleError(
                f"{self.folder}: there is no bank '{name}'; it has {_listed(banks)}. Choose one of those, or "
                f"write the folder of another with a / in it: ./{name}"
            )
        return self.folder / banks[name]

    @property
    def frames(self) -> int:
        """How many frames of a clip, or of one chunk of it, its networks look at if not told otherwise."""
        return int(self.options("ssv2a").get("frames", MOST_FRAMES))

    def verify(self, told: Callable[[int, int], None] = lambda _done, _total: None) -> None:
        """Read every file and compare its SHA-256; takes about a second per 500 MB.

        Args:
            told: hears after each file how many bytes are read, and of how many.

        Raises:
            BundleError: names every file that is missing or altered.
        """
        faults, done = [], 0
        total = sum(file.bytes for file in self.files.values())
        for path, file in self.files.items():
            if fault := self._content_fault(path):
                faults.append(fault)
            done += file.bytes
            told(done, total)
        _refuse(self.folder, faults, "fetch or build the bundle again")

    def _role(self, role: str) -> Role:
        if role not in self.roles:
            raise BundleError(f"{self.folder}: fills no role '{role}'; it fills {_listed(self.roles)}.")
        return self.roles[role]

    def _size_fault(self, path: str) -> str | None:
        try:
            size = (self.folder / path).stat().st_size
        except OSError as error:
            return f"{path}: cannot be read: {error.strerror}"
        wanted = self.files[path].bytes
        return None if size == wanted else f"{path}: expected {wanted} bytes, got {size}"

    def _content_fault(self, path: str) -> str | None:
        if fault := self._size_fault(path):
            return fault
        found = _sha256(self.folder / path)
        wanted = self.files[path].sha256
        return None if found == wanted else f"{path}: expected SHA-256 {wanted}, got {found}"


def bundle_folders() -> tuple[Path, ...]:
    """Where bundles are looked for by name, first match first: the package, FOLEY_HOME or XDG_DATA_HOME."""
    packaged = Path(__file__).parent / "bundles"
    if own := os.environ.get("FOLEY_HOME"):
        return packaged, Path(own).expanduser().absolute() / "bundles"
    data = os.environ.get("XDG_DATA_HOME", "")
    base = Path(data) if data.startswith("/") else Path.home() / ".local" / "share"
    return packaged, base / "foley-daemon" / "bundles"


def write_bundle(folder: Path, manifest: Mapping[str, Any]) -> Bundle:
    """Write `bundle.json` for files that are already in `folder`, and open the result.

    Args:
        folder: the bundle's folder.
        manifest: `name`, `version`, `roles` as in the file; `files` maps a path to its `licence`,
            `attribution` and `origin`. A path of a folder stands for every file beneath it that has
            no row of its own. Sizes and SHA-256 are filled in.

    Raises:
        BundleError: a file is not there, has no row, or the manifest would not be understood.
    """
    notices: Mapping[str, Mapping[str, str]] = manifest["files"]
    rows = {}
    for listed in sorted(notices, key=len):  # longer paths are more particular and come later
        for path in _files_beneath(folder, listed):
            size = (folder / path).stat().st_size
            rows[path] = {"bytes": size, "sha256": _sha256(folder / path), **notices[listed]}
    content = {"format": FORMAT, **manifest, "files": dict(sorted(rows.items()))}
    bundle = _from_json(folder, content)
    temporary = folder / f"{MANIFEST}.part"
    temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(folder / MANIFEST)
    return bundle


def find_bundle(name_or_path: str | Path) -> Path:
    """The folder of a bundle: with a / (or . in front) that folder, else the first that has this name.

    Raises:
        BundleError: no bundle has this name.
    """
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or "/" in text or text.startswith("."):
        return Path(name_or_path).expanduser().resolve()
    places = [folder / text for folder in bundle_folders()]
    for place in places:
        if (place / MANIFEST).is_file():
            return place
    raise BundleError(
        f"bundle '{text}' was not found; expected {MANIFEST} in {_listed(map(str, places))}. "
        f"Write {text}/ for the folder of that name here, set FOLEY_HOME, or look what `foley models list` "
        "could install."
    )


def read_bundle(folder: Path) -> Bundle:
    """A bundle as its manifest has it; whether the files are there is not looked at.

    Raises:
        BundleError: the manifest cannot be read or is not understood.
    """
    file = folder / MANIFEST
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BundleError(f"{file}: cannot be read: {error.strerror}. Is this a bundle's folder?") from error
    except ValueError as error:
        raise BundleError(f"{file}: is not JSON: {error}. Fetch or build the bundle again.") from error
    return _from_json(folder, content)


def _from_json(folder: Path, content: Any) -> Bundle:
    """Check the whole manifest and report every fault at once."""
    found = content.get("format") if isinstance(content, dict) else content
    if found != FORMAT:
        raise BundleError(
            f"{folder / MANIFEST}: expected format {FORMAT}, got {found!r}. "
            "Use a bundle made for this version."
        )
    faults = list(_faults(content))
    _refuse(folder / MANIFEST, faults, "correct the manifest")
    return Bundle(
        folder=folder,
        name=content["name"],
        version=content["version"],
        roles=MappingProxyType({name: Role(**_frozen(row)) for name, row in content["roles"].items()}),
        files=MappingProxyType({path: BundleFile(**row) for path, row in content["files"].items()}),
    )


def _faults(content: Mapping[str, Any]) -> Iterator[str]:
    for key, kind in {"name": str, "version": str, "roles": dict, "files": dict}.items():
        if not isinstance(content.get(key), kind):
            yield f"'{key}': expected {_KINDS[kind]}, got {content.get(key)!r}"
    for key in content.keys() - {"format", "name", "version", "roles", "files"}:
        yield f"'{key}': is not known"
    roles, files = content.get("roles"), content.get("files")
    if not isinstance(roles, dict) or not isinstance(files, dict):
        return
    for path, row in files.items():
        yield from _file_faults(path, row)
    for name, row in roles.items():
        yield from _role_faults(name, row, files)


def _file_faults(path: str, row: Any) -> Iterator[str]:
    parts = PurePosixPath(path).parts
    if not parts or parts[0] == "/" or ".." in parts or "\\" in path:
        yield f"files, {path!r}: expected a relative path inside the bundle"
    kinds = {field.name: int if field.name == "bytes" else str for field in fields(BundleFile)}
    yield from _shape_faults(f"files, {path!r}", row, kinds)


def _role_faults(name: str, row: Any, files: Mapping[str, Any]) -> Iterator[str]:
    where = f"roles, '{name}'"
    if name not in IMPLEMENTATIONS:
        yield f"{where}: is not a role; expected {_listed(IMPLEMENTATIONS)}"
        return
    faults = list(_shape_faults(where, row, {"implementation": str, "files": dict, "options": dict}))
    yield from faults
    if faults:
        return
    if row["implementation"] not in IMPLEMENTATIONS[name]:
        known = _listed(IMPLEMENTATIONS[name])
        yield f"{where}: implementation '{row['implementation']}' is not known; expected {known}"
    for key, path in row["files"].items():
        if not any(listed == path or listed.startswith(f"{path}/") for listed in files):
            yield f"{where}, '{key}': {path!r} is not in the files table"


def _shape_faults(where: str, row: Any, kinds: Mapping[str, type]) -> Iterator[str]:
    if not isinstance(row, dict):
        yield f"{where}: expected a table, got {row!r}"
        return
    for key, kind in kinds.items():
        if type(row.get(key)) is not kind:
            yield f"{where}, '{key}': expected {_KINDS[kind]}, got {row.get(key)!r}"
    for key in row.keys() - kinds.keys():
        yield f"{where}, '{key}': is not known"


_KINDS: Mapping[type, str] = MappingProxyType({str: "a text", int: "a whole number", dict: "a table"})


def _files_beneath(folder: Path, listed: str) -> Iterator[str]:
    place = folder / listed
    if place.is_dir():
        for file in sorted(place.rglob("*")):
            if file.is_file():
                yield file.relative_to(folder).as_posix()
    elif place.is_file():
        yield listed
    else:
        raise BundleError(
            f"{place}: is not there; expected a file or a folder. Put it there or drop its row."
        )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _frozen(row: Mapping[str, Any]) -> dict[str, Any]:
    return {k: MappingProxyType(v) if isinstance(v, dict) else v for k, v in row.items()}


def _role_json(role: Role) -> dict[str, Any]:
    return {"implementation": role.implementation, "files": dict(role.files), "options": dict(role.options)}


def _listed(names: Any) -> str:
    return ", ".join(sorted(names)) or "nothing"


def _refuse(where: Path, faults: list[str], remedy: str) -> None:
    if faults:
        raise BundleError("\n  ".join((f"{where}: {len(faults)} fault(s); {remedy}:", *faults)))
