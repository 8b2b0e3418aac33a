"""How a primitive of `slopes.ops` is computed, one module per kind of argument.

`numpy` and `torch` give values; `exact` gives digits and `symbol` formulae. Each module defines the names of
`slopes.ops` and, for the cards, how arguments enter, are rounded, and carry derivatives. A compiled reading
takes its place beside them.
"""

from importlib import import_module
from typing import Any


def require(package: str, purpose: str, extra: str) -> Any:
    """Import a package that an extra installs, or raise ImportError that says for what and how to get it."""
    try:
        return import_module(package)
    except ImportError:
        raise ImportError(f"{purpose} needs {package}: pip install 'slopes[{extra}]'") from None
