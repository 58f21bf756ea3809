"""The highest resident memory of this process since it was started, in kB.

`ru_maxrss` would not do: a child begins with what the process that started it had reached, here pytest.
"""

from pathlib import Path


def peak() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    return int(status.split("VmHWM:")[1].split()[0])
