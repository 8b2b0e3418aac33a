"""Settings of Python and NumPy, which all code of a process shares."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

LONGEST = 4096  #: characters of a printed text to keep


@dataclass(frozen=True)
class Setting:
    """Setting that all code of a process shares."""

    name: str
    code: str  #: expression that reads it
    write: Callable[[Any], object]
    harm: str  #: to a training whose loss changes it
    severity: str = "warning"
    read: Callable[[], Any] = field(init=False)  #: None if it cannot be read

    def __post_init__(self) -> None:
        scope: dict[str, Any] = {}
        exec(f"{self.imported}\nexpression = lambda: {self.code}", scope)
        expression = scope["expression"]

        def read() -> Any:
            try:
                return expression()
            except Exception:
                return None

        object.__setattr__(self, "read", read)

    @property
    def imported(self) -> str:
        """Import that the code needs."""
        module = next(name for name in ("torch", "np", "os", "signal", "sys", "warnings") if f"{name}." in self.code)
        return "import numpy as np" if module == "np" else f"import {module}"


def _write_numpy_errors(state: tuple[dict[str, Any], Any]) -> None:
    np.seterr(**state[0])
    np.seterrcall(state[1])


def _write_environment(variables: Mapping[str, str]) -> None:
    for name in os.environ.keys() - variables.keys():
        del os.environ[name]
    os.environ.update(variables)


def _write_filters(filters: Sequence[Any]) -> None:
    warnings.resetwarnings()
    warnings.filters.extend(filters)  # type: ignore[attr-defined]


def _write_handlers(handlers: Sequence[Any]) -> None:
    for number, handler in zip((signal.SIGINT, signal.SIGTERM), handlers, strict=True):
        signal.signal(number, handler)


def _write_streams(streams: tuple[Any, Any, Any]) -> None:
    sys.stdin, sys.stdout, sys.stderr = streams


PROCESS_SETTINGS = (
    Setting(
        "the handling of floating-point errors in NumPy", "(np.geterr(), np.geterrcall())", _write_numpy_errors,
        "other code overflows in silence, or raises where it did not",
    ),
    Setting(
        "the recursion limit of Python", "sys.getrecursionlimit()", sys.setrecursionlimit,
        "a recursion without end kills the process, or a deep one raises",
    ),
    Setting(
        "the environment variables", "dict(os.environ)", _write_environment,
        "libraries and processes that start later behave differently",
    ),
    Setting(
        "the filters of warnings", "list(warnings.filters)", _write_filters,
        "warnings of other code are hidden, or raise",
    ),
    Setting("the working directory", "os.getcwd()", os.chdir, "relative paths of other code lead elsewhere"),
    Setting(
        "the handlers of SIGINT and SIGTERM", "(signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))",
        _write_handlers, "an interrupted training ends in another way",
    ),
    Setting(
        "the standard streams", "(sys.stdin, sys.stdout, sys.stderr)", _write_streams,
        "prints and messages of other code go elsewhere",
    ),
    Setting(
        "the print options of NumPy", "np.get_printoptions()", lambda options: np.set_printoptions(**options),
        "arrays are printed differently", "note",
    ),
)  # fmt: skip


@contextlib.contextmanager
def preserved(settings: Sequence[Setting]) -> Iterator[list[Setting]]:
    """Restore settings when the block ends; the list then holds the settings that the block changed."""
    changed: list[Setting] = []
    before = [setting.read() for setting in settings]
    try:
        yield changed
    finally:
        for setting, value in zip(settings, before, strict=True):
            if setting.read() != value:
                changed.append(setting)
                with contextlib.suppress(Exception):  # a folder may be deleted, a thread may not handle signals
                    setting.write(value)


class Printed(io.StringIO):
    """First characters of the text that is printed to it; a subject cannot close it."""

    def write(self, text: str) -> int:
        super().write(text[: max(LONGEST - self.tell(), 0)])
        return len(text)

    def close(self) -> None:
        pass
