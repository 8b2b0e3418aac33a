"""Compile the source of a kernel with Numba, once for all processes if a folder can be written.

Machine code lies under the hash of its source, in a folder for the versions, the CPU and the elementary functions.
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

HOME = pathlib.Path(__file__).parents[1]
_lock = threading.RLock()
_kernels: dict[str, Callable[..., None]] = {}

# A fork waits until no thread compiles, as Numba's locks would stay shut in the child.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


@lru_cache
def is_available() -> bool:
    """Whether Numba works, which kept kernels show, on a CPU with a fused multiply-add: slow in software."""
    is_imported = "numba" in sys.modules
    if importlib.util.find_spec("numba") is None:
        return False
    if not is_imported and os.environ.get("NUMBA_DISABLE_JIT", "0").strip() not in ("", "0"):
        return False
    try:
        from llvmlite import binding

        on_x86 = platform.machine().lower() in ("x86_64", "amd64")
        if on_x86 and not binding.get_host_cpu_features().get("fma"):
            return False
        place = _place()
        if not is_imported and place is not None and place.is_dir():
            return True
        import numba

        return not numba.config.DISABLE_JIT
    except Exception:  # NumPy may be newer than Numba knows, or the machine than LLVM
        return False


@lru_cache
def foundation() -> str:
    """All that shapes machine code besides its source."""
    from slopes.kernels.compiling.machine_code import describe_cpu

    modules = sorted(path for folder in ("arithmetic", "compiling") for path in (HOME / folder).glob("*.py"))
    functions = hashlib.sha256(b"".join(path.read_bytes() for path in modules))
    versions = [f"{package} {importlib.metadata.version(package)}" for package in ("numba", "llvmlite", "numpy")]
    spec = importlib.util.find_spec("numba")
    place = spec.origin if spec is not None else None
    return (
        f"Python {sys.version}, {', '.join(versions)} in {place}, {describe_cpu()}, functions {functions.hexdigest()}"
    )


def folder() -> pathlib.Path | None:
    """Folder for kernels, in $SLOPES_CACHE or the user's cache, if any."""
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


def _place() -> pathlib.Path | None:
    place = folder()
    return None if place is None else place / hashlib.sha256(foundation().encode()).hexdigest()[:16]


def load(source: str) -> Callable[..., None]:
    if source not in _kernels:
        with _lock:  # Numba cannot load in several threads
            if source not in _kernels:
                _kernels[source] = _load(source)
    return _kernels[source]


def _load(source: str) -> Callable[..., None]:
    from slopes.kernels.compiling import machine_code

    name = f"slopes_{hashlib.sha256(source.encode()).hexdigest()[:32]}"
    place = _place()
    if place is not None:
        with contextlib.suppress(OSError, machine_code.CodeError):  # no file, or a damaged one
            path = place / name
            function = machine_code.load(machine_code.MachineCode.from_bytes(path.read_bytes()))
            os.utime(path)
            return function
    from slopes.kernels.compiling.emitting import emit, optimizing_for_host

    try:
        with optimizing_for_host():
            compiled = _compile(source.replace("**OPTIONS", "no_cpython_wrapper=True, **OPTIONS"), name)
        code = emit(compiled, name)
        function = machine_code.load(code)
    except machine_code.CodeError:  # it calls a library that only Numba has loaded
        return _compile(source, name)  # type: ignore[no-any-return]
    if place is not None:
        with contextlib.suppress(OSError):  # the folder may not be writable
            _write(place / name, code.to_bytes())
            _make_room(place)
    return function


def _compile(source: str, name: str) -> Any:
    namespace: dict[str, Any] = {"__name__": name}
    exec(compile(source, f"<{name}>", "exec"), namespace)
    return namespace["kernel"]


def _write(path: pathlib.Path, data: bytes) -> None:
    """Write a file at once, as other processes may read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except OSError:
        pathlib.Path(temporary).unlink(missing_ok=True)
        raise


MOST_BYTES = 2**27  #: of all kernels; one takes 5 to 30 kB


def _make_room(place: pathlib.Path) -> None:
    """Delete kernels until the rest fits: of other versions, then unused for longest. Processes compile them again."""
    files = []
    for path in place.parent.glob("*/*"):
        with contextlib.suppress(OSError):
            status = path.stat()
            files.append((path.parent == place, status.st_mtime, status.st_size, path))
    excess = sum(size for _, _, size, _ in files) - MOST_BYTES
    for _, _, size, path in sorted(files):
        if excess <= 0:
            return
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
            excess -= size
            path.parent.rmdir()  # if empty
