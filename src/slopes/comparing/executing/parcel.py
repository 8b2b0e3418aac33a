"""A job in a form for processes that this one did not start.

Cards and modules pickle by the name of their module, which another machine may lack or hold in an older version, as a
cluster's processes outlive a study. So a parcel carries the text of the user's modules that the job needs, and the
receiver runs them anew.
"""

from __future__ import annotations

import ast
import importlib
import linecache
import os
import pickle
import pickletools
import sys
import sysconfig
import threading
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import resolve_name, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from slopes.comparing.executing.processes import pickled
from slopes.comparing.job import Job


class Source(NamedTuple):
    text: str
    path: str
    package: bool


@dataclass(frozen=True)
class Parcel:
    name: str
    job: bytes
    sources: dict[str, Source]


#: jobs packed here, and the latest opened here, by parcel
_packed: dict[str, Job] = {}
_opened: dict[str, Job] = {}
#: modules received in parcels
_arrived: dict[str, Source] = {}
_guard = threading.Lock()


def pack(job: Job) -> Parcel:
    text = pickled(job)
    if text is None:
        raise TypeError(
            "executor: the study does not pickle, so it cannot be sent elsewhere; leave executor out to train here, "
            "or define the model, activations and losses at the top of a file of their own."
        )
    sources = _sources(text)
    name = str(uuid.uuid4())
    _packed[name] = job
    return Parcel(name, text, sources)


def forget(parcel: Parcel) -> None:
    _packed.pop(parcel.name, None)


def open_parcel(parcel: Parcel) -> Job:
    """Job: the original where it was packed, elsewhere a copy, loaded once."""
    with _guard:
        job = _packed.get(parcel.name) or _opened.get(parcel.name)
        if job is None:
            _receive(parcel.sources)
            job = pickle.loads(parcel.job)
            _opened.clear()
            _opened[parcel.name] = job
        return job


def _receive(sources: dict[str, Source]) -> None:
    """Import the modules anew, if any text has changed."""
    if any(_arrived.get(name) != source for name, source in sources.items()):
        for name in sources:
            sys.modules.pop(name, None)
    _arrived.update(sources)
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)
    importlib.invalidate_caches()


class _Arrived(MetaPathFinder, InspectLoader):
    """Import hook for the modules received in parcels."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        source = _arrived.get(name)
        if source is None:
            return None
        lines = source.text.splitlines(keepends=True)
        # tracebacks and `inspect.getsource` must see this text, not a local file of that name
        linecache.cache[source.path] = (len(source.text), None, lines, source.path)
        spec = spec_from_loader(name, self, origin=source.path, is_package=source.package)
        if spec is not None:
            spec.has_location = True
        return spec

    def is_package(self, name: str) -> bool:
        return _arrived[name].package

    def get_source(self, name: str) -> str:
        return _arrived[name].text

    def get_code(self, name: str) -> Any:
        return compile(_arrived[name].text, _arrived[name].path, "exec", dont_inherit=True)


_FINDER = _Arrived()


def _sources(text: bytes) -> dict[str, Source]:
    """User's modules that a pickle names, and all that they import."""
    found: dict[str, Source] = {}
    names = [value for _, value, _ in pickletools.genops(text) if isinstance(value, str)]
    left = [part for name in names for part in name.split(" ")[:1] if part in sys.modules]
    while left:
        name = left.pop()
        source = _own(name) if name not in found else None
        if source is None:
            continue
        found[name] = source
        if "." in name:
            left.append(name.rpartition(".")[0])
        left += [used for used in _imports(source, sys.modules[name]) if used in sys.modules]
    return found


def _imports(source: Source, module: ModuleType) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(source.text)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            with suppress(ImportError):  # outside a package a relative import does not resolve
                base = resolve_name("." * node.level + (node.module or ""), module.__package__ or "")
                names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return names


def _own(name: str) -> Source | None:
    """Module's text; None if installed or a part of Python or slopes."""
    if name == "__main__" or (name.split(".")[0] == "slopes" and not name.startswith("slopes.loading.")):
        return None
    path = getattr(sys.modules[name], "__file__", None)
    if not path or not path.endswith(".py") or path.startswith(_INSTALLED):
        return None
    try:
        return Source(Path(path).read_text(encoding="utf-8"), path, hasattr(sys.modules[name], "__path__"))
    except (OSError, ValueError):
        return None


_INSTALLED = tuple(
    os.path.join(path, "")
    for key, path in sysconfig.get_paths().items()
    if key in ("stdlib", "platstdlib", "purelib", "platlib")
)
