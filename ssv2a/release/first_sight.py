"""Sums of files that were once seen: what has no published sum is held against its first appearance.

`sums.json` in the folder of the user's data maps an address to the SHA-256, the size and the day.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from ssv2a.errors import BundleError


@dataclass(frozen=True, slots=True)
class Sight:
    """What a file was when it was first seen."""

    sha256: str
    bytes: int
    day: str  # ISO 8601


class FirstSight:
    """The record of first appearances.

    Args:
        file: where it is kept; made when the first is recorded.

    Raises:
        BundleError: the file is there but is no such record.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._seen = self._read()

    def of(self, address: str) -> Sight | None:
        """What was first seen at an address, None if nothing yet."""
        return self._seen.get(address)

    def record(self, address: str, sha256: str, size: int) -> None:
        """Remember a file; one that is remembered already stays as it was first seen."""
        if address in self._seen:
            return
        day = datetime.now(UTC).date().isoformat()
        self._seen[address] = Sight(sha256, size, day)
        content = {"format": 1, "seen": {key: asdict(sight) for key, sight in self._seen.items()}}
        temporary = self.file.with_name(f"{self.file.name}.part")
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        temporary.replace(self.file)

    def _read(self) -> dict[str, Sight]:
        try:
            content = json.loads(self.file.read_text(encoding="utf-8"))
            return {key: Sight(**row) for key, row in content["seen"].items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise BundleError(
                f"{self.file}: expected the sums of files seen before, got something else ({error!r}). "
                "Move it away; the next install then takes what it finds as seen for the first time."
            ) from error
