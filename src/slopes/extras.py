"""Packages that only some jobs need, each installed by an extra of ours."""

from importlib import import_module


def require(purpose: str, extra: str, *packages: str) -> None:
    """Import the packages, or raise ImportError that says which is missing, for what, and how to get it."""
    for package in packages:
        try:
            import_module(package)
        except ImportError as error:
            if error.name not in (package, None):
                raise  # it is there, but broken
            raise ImportError(f"{purpose} needs {package}: pip install 'slopes[{extra}]'") from None
