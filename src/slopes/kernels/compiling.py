"""Compile the source of a kernel with Numba, once for all processes where a folder can be written.

A module with the source lies in a folder of the user's cache under the hash of its text, which names all that shapes
the machine code: the program, the versions, and the elementary functions. Numba keeps the code beside it, for each
CPU. So a changed body or function never meets an old kernel. Where no folder can be written, a kernel is compiled in
memory.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import os
import pathlib
import platform
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any

HOME = pathlib.Path(__file__).parent
_lock = threading.RLock()
_kernels: dict[str, Callable[..., None]] = {}

if hasattr(
    os, "register_at_fork"
):  # A fork waits until no thread compiles: Numba's locks would stay shut in the child.
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


@lru_cache
def is_available() -> bool:
    """Whether Numba is installed and works, on a machine with a fused multiply-add: in software that takes long."""
    if importlib.util.find_spec("numba") is None:
        return False
    try:
        import numba
        from llvmlite import binding

        has_fma = platform.machine().lower() not in ("x86_64", "amd64") or binding.get_host_cpu_features().get("fma")
        return bool(has_fma) and not numba.config.DISABLE_JIT
    except Exception:  # as where NumPy is newer than Numba knows, or LLVM does not know the machine
        return False


@lru_cache
def foundation() -> str:
    """Return a line that names the versions, and a hash of the modules that generated sources import."""
    parts = [(HOME / f"{name}.py").read_bytes() for name in ("coefficients", "elementary", "machine", "rows")]
    versions = [f"{package} {importlib.metadata.version(package)}" for package in ("numba", "llvmlite", "numpy")]
    python = ".".join(map(str, sys.version_info[:3]))
    return f"Python {python}, {', '.join(versions)}, functions {hashlib.sha256(b''.join(parts)).hexdigest()[:16]}"


def folder() -> pathlib.Path | None:
    """Return where kernels are kept: in $SLOPES_CACHE, or in the user's cache; None where that is empty."""
    if "SLOPES_CACHE" in os.environ:
        return pathlib.Path(os.environ["SLOPES_CACHE"]) / "kernels" if os.environ["SLOPES_CACHE"] else None
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", "~/AppData/Local")
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    path = pathlib.Path(base).expanduser()
    return path / "slopes" / "kernels" if path.is_absolute() else None


def load(source: str) -> Callable[..., None]:
    """Return the function `kernel` of a source, compiled."""
    if source not in _kernels:
        with _lock:  # Numba's types and its compiler are not safe to load from several threads
            if source not in _kernels:
                _kernels[source] = _load(f"# {foundation()}\n{source}")
    return _kernels[source]


def _load(text: str) -> Callable[..., None]:
    name = f"kernel_{hashlib.sha256(text.encode()).hexdigest()[:32]}"
    place = folder()
    if place is not None:
        with contextlib.suppress(Exception):  # a folder that cannot be written or read, or damaged code in it
            return _module(name, _written(place, name, text)).kernel  # type: ignore[no-any-return]
    namespace: dict[str, Any] = {"__name__": name}
    exec(compile(text.replace("cache=True", "cache=False"), f"<{name}>", "exec"), namespace)
    return namespace["kernel"]  # type: ignore[no-any-return]


def _written(place: pathlib.Path, name: str, text: str) -> pathlib.Path:
    """Write a module, unless it lies there; as a whole, because another process may write it at the same time."""
    path = place / f"{name}.py"
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return path
    place.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=place, suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except OSError:
        pathlib.Path(temporary).unlink(missing_ok=True)
        raise
    return path


def _module(name: str, path: pathlib.Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"slopes.kernels.{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where Numba looks when it loads the code
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[spec.name]
        raise
    return module
