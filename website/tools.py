"""The scripts in tools/ as modules: what they make of the cards is on the site, too."""

from __future__ import annotations

import importlib.util
from functools import cache
from typing import Any

from website.documents import ROOT


@cache
def load(name: str) -> Any:
    """Return a script of tools/ as a module."""
    spec = importlib.util.spec_from_file_location(f"tools_{name}", ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
