"""Atomic writing of files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def whole(target: Path) -> Iterator[str]:
    """Yield the name of a file to write, which replaces the target at the end; on an error the target stays."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.stem}-", suffix=target.suffix, dir=target.parent)
    os.close(handle)
    try:
        yield name
        with open(name, "r+b") as written:
            os.fsync(written.fileno())
        os.chmod(name, 0o666 & ~_mask())
        os.replace(name, target)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)


def _mask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
