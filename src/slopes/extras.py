"""Optional packages, and the extras that install them."""

from importlib import import_module
from importlib.util import find_spec

#: packages of each extra; `lab` includes `torch` and `audit`
EXTRAS = {
    "torch": ("torch",),
    "audit": ("flint", "mpmath", "sympy"),
    "fast": ("numba",),
    "cuda": ("triton",),
    "lab": ("click", "rich", "jinja2", "matplotlib", "PIL", "sklearn"),
    "data": ("mlxtend", "statsmodels", "pyarrow"),
    "jax": ("jax",),
    "cluster": ("distributed",),
    "lightning": ("lightning",),
    "transformers": ("transformers", "accelerate"),
    "keras": ("keras",),
}


def install(*packages: str) -> str:
    """Return the command that installs the packages."""
    extras = [extra for extra, brought in EXTRAS.items() if not set(packages).isdisjoint(brought)]
    if "lab" in extras:
        extras = [extra for extra in extras if extra not in ("torch", "audit")]
    return f"pip install 'slopes[{','.join(extras)}]'"


def require(purpose: str, *packages: str) -> None:
    """Import the packages, or raise ImportError with the command that installs them."""
    missing = []
    for package in packages:
        try:
            import_module(package)
        except ImportError as error:
            if error.name not in (package, None):
                raise  # installed, but broken
            missing.append(package)
    if missing:
        raise ImportError(f"{purpose} needs {' and '.join(missing)}: {install(*missing)}")


def are_installed(*packages: str) -> bool:
    """Whether all can be found, without importing them."""
    try:
        return all(find_spec(package) is not None for package in packages)
    except (ImportError, ValueError):
        return False
