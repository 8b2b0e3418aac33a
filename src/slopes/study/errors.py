"""What goes wrong around a study rather than in the numbers."""

from importlib import import_module


class StudyError(Exception):
    """A study cannot start or go on; what it has recorded is kept, and the message says what would do."""


def require(*modules: str) -> None:
    """Import the modules, or raise ImportError that says what installs the missing one."""
    for name in modules:
        try:
            import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            raise ImportError(f"slopes.compare needs {name}: pip install 'slopes[lab]'") from None
