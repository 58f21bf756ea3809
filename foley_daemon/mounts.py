"""Which file system a folder lies on, and whether the kernel tells of changes made elsewhere."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

MOUNTINFO = Path("/proc/self/mountinfo")

# Changes made by another machine, or by the host of a virtual machine or container, cause no events here.
_REMOTE = frozenset(
    {
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "davfs",
        "fakeowner",
        "gfs2",
        "glusterfs",
        "gpfs",
        "grpcfuse",
    }
    | {"lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "prl_fs", "smb2", "smb3", "smbfs", "vboxsf"}
    | {"virtiofs", "vmhgfs"}
)
_OCTAL = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted file system."""

    point: Path
    kind: str  # the kernel's name: ext4, nfs4, cifs, fuse.sshfs …

    @property
    def remote(self) -> bool:
        """Whether it is another machine's, a virtual machine's host's or shared by several."""
        return self.kind in _REMOTE

    @property
    def silent(self) -> bool:
        """Whether files can change without an event here, so that they have to be looked for.

        Every FUSE file system counts: the kernel only knows what passes through this machine.
        """
        return self.remote or self.kind.startswith("fuse")


def mount_of(folder: Path, mountinfo: Path = MOUNTINFO) -> Mount:
    """Return the mount that a folder lies on (proc(5), /proc/pid/mountinfo); "/" where none is known.

    Touches nothing but the table, so that a share that does not answer cannot hold it up.

    Args:
        folder: absolute, without symbolic links.
        mountinfo: the kernel's table.
    """
    best = Mount(Path("/"), "")
    wanted = os.fsencode(folder)
    try:
        lines = mountinfo.read_bytes().splitlines()
    except OSError:  # not Linux: nothing is known
        return best
    for line in lines:
        before, _, after = line.partition(b" - ")
        fields = before.split(b" ")
        if len(fields) < 5 or not after:
            continue
        point = _OCTAL.sub(lambda found: bytes([int(found[1], 8)]), fields[4])
        inside = wanted == point or wanted.startswith(point.rstrip(b"/") + b"/")
        if inside and len(point) >= len(os.fsencode(best.point)):  # a later mount covers an earlier one
            best = Mount(Path(os.fsdecode(point)), after.split(b" ")[0].decode("ascii", "replace"))
    return best
