"""Load Triton functions from their source."""

from __future__ import annotations

import linecache
from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1024)
def load(source: str, function: str = "kernel") -> Any:
    """A function of a source, which Triton reads anew when it compiles."""
    name = f"slopes.kernels.gpu.written_{abs(hash(source)):x}"
    linecache.cache[f"<{name}>"] = (len(source), None, source.splitlines(keepends=True), f"<{name}>")
    namespace: dict[str, Any] = {"__name__": name}
    exec(compile(source, f"<{name}>", "exec"), namespace)
    return namespace[function]
