"""Evidence of a finding: code as it ran, with the values that it printed."""

from __future__ import annotations

import contextlib
import copy
import inspect
import math
import random
import string
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from traceback import FrameSummary
from typing import Any

import numpy as np

from slopes.auditing.process_state import PROCESS_SETTINGS, Printed, Setting, preserved
from slopes.auditing.report import Finding, Skip
from slopes.card import Card
from slopes.loading import describe

MANY = 10**6  #: entries of a printed array; a broadcast one may have a billion in a few bytes


class Unshown(Skip):
    """Fault that its own code does not show."""


def seed_libraries(seed: int) -> None:
    """Seed the random numbers that a subject may draw."""
    if torch := sys.modules.get("torch"):
        torch.default_generator.manual_seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    random.seed(seed)


def _loaded_settings() -> Sequence[Setting]:
    """Return the settings of Python and NumPy, and of torch where it is loaded: checks of cards run without it, too."""
    if "torch" not in sys.modules:
        return PROCESS_SETTINGS
    from slopes.auditing.torch_state import SETTINGS

    return SETTINGS


class Script:
    """Code that shows a fault; `given` holds objects that no code can make, by name.

    With a `doubt`, the finding is a note that says it.
    """

    def __init__(self, lines: Sequence[str], given: Mapping[str, Any] | None = None, doubt: str = "") -> None:
        self.text, self.given, self.doubt = "\n".join(lines), given or {}, doubt
        self.output = Printed()  #: prints of the subject itself

    @cached_property
    def printed(self) -> list[Any]:
        values: list[Any] = []
        scope = {name: own_copy(x) for name, x in self.given.items()}
        scope |= {"__name__": "evidence", "print": lambda *given: values.extend(map(_copy, given))}
        seed_libraries(0)
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(Printed()) as self.output,
            preserved(_loaded_settings()),
            np.errstate(divide="warn", over="warn", invalid="warn", under="ignore"),  # as NumPy is at first
        ):
            warnings.simplefilter("ignore")
            exec(compile(self.text, "<evidence>", "exec"), scope)
        return values

    def finding(
        self, message: str, repair: str, severity: str = "error", *, came: str = "",
        expected: str = "", shows: Callable[..., Any] | None = None,
    ) -> Finding:  # fmt: skip
        """Finding with this code; printed values fill the places {0}, {1}, … of `came` (by default {0}) and `expected`.

        Raises Unshown unless `shows` is true for them; by default, unless the first two differ or the only one is an
        exception.
        """
        try:
            values = self.printed
            seen = _is_fault(*values) if shows is None else bool(shows(*values))
        except (Exception, SystemExit) as error:
            raise Unshown(f"its code raises {describe(error)}: {message}") from error
        if not seen:
            raise Unshown(f"its code does not show it: {message}")
        templates = came or "{0}" * bool(expected), expected
        texts = [Shown(value, _digits(values, templates)) for value in values]
        came, expected = (template.format(*texts) for template in templates)
        if self.doubt:
            message, severity = f"{message} ({self.doubt})", "note"
        return Finding("", message, self.text, repair, severity, came, expected)


def _digits(values: Sequence[Any], templates: Sequence[str]) -> int:
    """Fewest digits that tell the first two values apart in the templates; 0 if they differ anyway, or never."""
    specs = {name: spec or "" for text in templates for _, name, spec, _ in string.Formatter().parse(text)}
    for digits in (0, 6, 9, 12, 17):
        if len({format(Shown(x, digits), specs.get(str(n), "")) for n, x in enumerate(values[:2])}) > 1:
            return digits
    return 0


class Shown:
    """Printed value as text; of a tensor the first three entries, or those not finite.

    Numbers have six digits, or as many as a format such as ".4g" asks for, and at least `digits`.
    """

    def __init__(self, value: Any, digits: int = 0) -> None:
        self.value, self.digits = value, digits

    def __format__(self, spec: str) -> str:
        value = self.value
        if hasattr(value, "tolist") and value.ndim:
            if math.prod(value.shape) > MANY:
                value = value[(0,) * (value.ndim - 1)][:MANY]
            return self._format_entries(value.reshape(-1).tolist(), spec)
        if hasattr(value, "item"):
            value = value.item()
        if hasattr(value, "_mpf_"):
            return str(value.context.nstr(value, max(self.digits, 6) + 6))
        if isinstance(value, float):
            if spec and not spec.endswith("g"):
                return format(value, spec)
            return format(value, f".{max(self.digits, int(spec[1:-1] or 6))}g")
        if isinstance(value, (list, tuple)):
            return f"({', '.join(format(Shown(x, self.digits), spec) for x in value)})"
        if isinstance(value, BaseException):
            return (str(value).splitlines() or [type(value).__name__])[0]
        return f"a {value.__name__}" if isinstance(value, type) else str(value).removeprefix("torch.")

    def _format_entries(self, entries: list[Any], spec: str) -> str:
        lost = [x for x in entries if isinstance(x, float) and not math.isfinite(x)]
        shown = [format(Shown(x, self.digits), spec) for x in (lost or entries)[:3]]
        return shown[0] if len(entries) == 1 else f"({', '.join(shown)}{', …' * (len(entries) > len(shown))})"


def own_copy(thing: Any) -> Any:
    """Copy an object with a state, so that the original does not change."""
    if isinstance(thing, Card) or inspect.isroutine(thing):
        return thing
    try:
        made = copy.deepcopy(thing)
    except Exception:
        return thing
    return made if type(made) is type(thing) else thing


def locate(setup: Sequence[str], given: Mapping[str, Any], frame: FrameSummary, message: str, repair: str) -> Finding:
    """Finding about an exception that none of our calls repeats: code of the subject, and the line that raised."""
    told = f"# raised in {Path(frame.filename).name}, line {frame.lineno}: {frame.line}"
    return Script([*setup, told], given).finding(message, repair, shows=lambda: True)


def attempt(call: str, error: str = "Exception") -> str:
    """Code that sets `came` to a call's result or exception."""
    return f"try:\n    came = {call}\nexcept {error} as error:\n    came = error"


def is_lost(value: Any) -> bool:
    return not bool(np.isfinite(_numbers(value)).all())


def _numbers(value: Any) -> Any:
    return value.detach().double().numpy() if hasattr(value, "detach") else np.asarray(value)


def _copy(value: Any) -> Any:
    """Copy a printed value, so that later lines do not change it; an array of too many stays itself."""
    if isinstance(value, (list, tuple)):
        return [_copy(x) for x in value]
    if isinstance(value, np.ndarray) and value.size > MANY:
        return value
    return value.detach().clone() if hasattr(value, "detach") else own_copy(value)


def _is_fault(*values: Any) -> bool:
    """Whether a call raised, or gave another value than was due."""
    if len(values) == 1:
        return isinstance(values[0], Exception)
    return not np.array_equal(*map(_numbers, values[:2]))
