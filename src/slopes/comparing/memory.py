"""Memory of this machine."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

#: bytes to assume where the system does not tell
ASSUMED = 4e9


def free_memory(root: Path = Path("/")) -> float:
    """Bytes that may still be used: by the system, and by the control group of a container."""
    found = [_of_system(root)]
    for group, most, used in (
        ("sys/fs/cgroup", "memory.max", "memory.current"),
        ("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        with suppress(OSError, ValueError):  # "max" is no number: there is no limit
            limit, taken = (int((root / group / name).read_text()) for name in (most, used))
            found.append(limit - taken + _cached(root / group / "memory.stat"))
    return max(min(found), 0.0)


def _of_system(root: Path) -> float:
    with suppress(OSError, StopIteration, ValueError):
        lines = (root / "proc/meminfo").read_text().splitlines()
        return 1024 * float(next(line.split()[1] for line in lines if line.startswith("MemAvailable:")))
    with suppress(AttributeError, OSError, ValueError):  # macOS tells the installed memory alone
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")) / 2
    return ASSUMED


def _cached(path: Path) -> int:
    """Bytes of files that the group would give back."""
    names = ("inactive_file", "total_inactive_file")
    return max((int(line.split()[1]) for line in path.read_text().splitlines() if line.split()[0] in names), default=0)
