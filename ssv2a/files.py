"""Files that are written whole or not at all."""

from __future__ import annotations

from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file in one step: it is there whole, or as it was before; the umask says who may read it.

    Safetensors' own `save_file` makes files that only their owner can read.

    Raises:
        OSError: the disk does not take it.
    """
    partial = path.with_name(f".{path.name}.part")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
