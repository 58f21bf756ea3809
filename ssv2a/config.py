"""Sizes and training weights of the SSV2A networks, read from a released `ssv2a.json` or a bundle.

The released file holds keys for architectures that no released checkpoint uses. What nothing reads is
ignored by name (`_UNREAD`); any other unknown key is an error, and so is another architecture.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ssv2a.errors import ConfigurationError
from ssv2a.types import MAX_SLOTS

AGGREGATOR_HEADS = 8  # the released file has no section for the aggregator: its checkpoint's shape says this


@dataclass(frozen=True, slots=True)
class PerceptronConfig:
    """A residual perceptron with two heads: the manifold's encoders, or the generator."""

    layers: tuple[int, ...]  # features; the first is the width after the input projection
    dropout: float
    kl_weight: float


@dataclass(frozen=True, slots=True)
class RemixerConfig:
    """The remixer's styler: one efficient attention layer."""

    embed_dim: int
    heads: int
    dropout: float
    kl_weight: float
    muting: float  # probability with which a training slot is muted whole


@dataclass(frozen=True, slots=True)
class Ssv2aConfig:
    """All four networks."""

    clip_dim: int
    clap_dim: int
    fold_dim: int  # "manifold_dim" in the file
    manifold: PerceptronConfig
    regulariser_strength: float  # "manifold.cr_weight" in the file
    generator: PerceptronConfig
    remixer: RemixerConfig

    @classmethod
    def from_file(cls, path: Path) -> Ssv2aConfig:
        """Read a JSON file in the released form.

        Raises:
            ConfigurationError: the file cannot be read, or see `from_json`.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"{path}: cannot be read: {error}. Expected JSON as released with SSV2A."
            ) from error
        return cls.from_json(content, str(path))

    @classmethod
    def from_json(cls, content: Any, where: str = "ssv2a configuration") -> Ssv2aConfig:
        """Read the content of a configuration in the released form.

        Args:
            content: a table as parsed from JSON.
            where: how errors name it.

        Raises:
            ConfigurationError: a key is missing, unknown or impossible, or names another architecture.
        """
        top = _Section(content, where, "")
        config = cls(
            clip_dim=top.size("clip_dim"),
            clap_dim=top.size("clap_dim"),
            fold_dim=top.size("manifold_dim"),
            manifold=_perceptron(manifold := top.section("manifold")),
            regulariser_strength=manifold.share("cr_weight"),
            generator=_perceptron(generator := top.section("generator")),
            remixer=_remixer(remixer := top.section("remixer"), styler := remixer.section("styler")),
        )
        generator.expect("disabled", False)
        for section in (top, manifold, generator, remixer, styler):
            section.refuse_unknown()
        _heads_must_divide("remixer.styler.embed_dim", config.remixer.embed_dim, config.remixer.heads, where)
        _heads_must_divide("clap_dim", config.clap_dim, AGGREGATOR_HEADS, where)
        return config


_PERCEPTRON_UNREAD = frozenset(
    {
        *("clap_voc", "experts", "diverse_experts", "rrl_weight", "num_layers", "patches"),
        *("embed_dim", "out_dim", "nhead", "pe_inject", "pe_res"),
    }
)
_UNREAD: Mapping[str, Collection[str]] = MappingProxyType(
    {
        # "detector" is the released front end's own, and is read there
        "": ("audioldm_version", "checkpoints", "classes", "fps", "sample_rate", "detector"),
        "manifold": _PERCEPTRON_UNREAD,
        "generator": _PERCEPTRON_UNREAD,
        "remixer": (),
        "remixer.styler": (),
    }
)


def _perceptron(section: _Section) -> PerceptronConfig:
    section.expect("arch", "mlp")
    section.expect("resnet", True)
    section.expect("variational", True)
    return PerceptronConfig(
        layers=section.sizes("layers"),
        dropout=section.share("dropout"),
        kl_weight=section.share("kl_weight"),
    )


def _remixer(section: _Section, styler: _Section) -> RemixerConfig:
    section.expect("guidance", "manifold")
    section.expect("slot", MAX_SLOTS)
    styler.expect("arch", "transformer")
    styler.expect("variational", True)
    styler.expect("num_layers", 1)
    return RemixerConfig(
        embed_dim=styler.size("embed_dim"),
        heads=styler.size("nhead"),
        dropout=styler.share("dropout"),
        kl_weight=styler.share("kl_weight"),
        muting=section.share("cfg"),
    )


class _Section:
    """One table of the file; remembers which keys were read, so that the others can be refused."""

    def __init__(self, content: Any, where: str, name: str) -> None:
        if not isinstance(content, dict):
            raise ConfigurationError(f"{where}: {name or 'the whole'}: expected a table, got {content!r}.")
        self._content: dict[str, Any] = content
        self._where = where
        self._name = name
        self._read: set[str] = set()

    def section(self, key: str) -> _Section:
        return _Section(self._get(key), self._where, f"{self._name}.{key}".lstrip("."))

    def size(self, key: str) -> int:
        value = self._get(key)
        if type(value) is not int or value < 1:
            raise self._error(key, "a whole number above 0", value)
        return value

    def sizes(self, key: str) -> tuple[int, ...]:
        value = self._get(key)
        if not isinstance(value, list) or len(value) < 2 or any(type(n) is not int or n < 1 for n in value):
            raise self._error(key, "a list of two or more whole numbers above 0", value)
        return tuple(value)

    def share(self, key: str) -> float:
        value = self._get(key)
        if type(value) not in (int, float) or not 0 <= value <= 1:
            raise self._error(key, "a number from 0 to 1", value)
        return float(value)

    def expect(self, key: str, wanted: object) -> None:
        value = self._get(key)
        if type(value) is not type(wanted) or value != wanted:
            raise self._error(key, f"{wanted!r}, which all released checkpoints use", value)

    def refuse_unknown(self) -> None:
        unknown = self._content.keys() - self._read - set(_UNREAD[self._name])
        if unknown:
            raise ConfigurationError(
                f"{self._where}: {self._name or 'the whole'}: unknown key(s) {', '.join(sorted(unknown))}; "
                f"expected {', '.join(sorted(self._read))}. Remove or correct them."
            )

    def _get(self, key: str) -> Any:
        self._read.add(key)
        if key not in self._content:
            raise self._error(key, "a value", None)
        return self._content[key]

    def _error(self, key: str, expected: str, got: object) -> ConfigurationError:
        name = f"{self._name}.{key}".lstrip(".")
        return ConfigurationError(
            f"{self._where}: {name}: expected {expected}, got {got!r}. Correct the file."
        )


def _heads_must_divide(name: str, width: int, heads: int, where: str) -> None:
    if width % heads:
        raise ConfigurationError(
            f"{where}: {name}: expected a multiple of {heads} (one block of features a head), got {width}."
        )
