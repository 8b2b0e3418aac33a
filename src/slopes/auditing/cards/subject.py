"""A card under audit."""

from __future__ import annotations

import re
from traceback import FrameSummary
from typing import Any

import numpy as np

from slopes.auditing.evidence import Script, attempt, locate
from slopes.auditing.report import Finding
from slopes.card import Card, Loss, Map, Sum
from slopes.kernels.programs import is_ours
from slopes.truth.errors import ULPS
from slopes.truth.samples import DIGITS, Samples


class Subject(Samples):
    """Card under audit: its samples, and the entries that were reported."""

    def __init__(self, card: Card, seed: int = 0, quick: bool = False) -> None:
        super().__init__(card, seed)
        self.quick, self.name = quick, repr(card)
        self.faulty: dict[tuple[str, str], Any] = {}  #: masks of reported entries

    @property
    def is_ours(self) -> bool:
        """Whether it is a card of the package; terms of a sum may overflow where it does not."""
        return not isinstance(self.card, Sum) and is_ours(self.card)

    @property
    def ulps(self) -> float:
        """Allowed error in units in the last place."""
        return max(self.card.claims.ulps or 0.0, ULPS)

    def report(self, result: str, dtype: Any, entries: Any) -> None:
        """Mark the entries (a mask) as reported, so that later checks skip them."""
        if entries.any():
            self.faulty[result, np.dtype(dtype).name] = self.reported(result, dtype, entries.shape) | entries

    def reported(self, result: str, dtype: Any, shape: tuple[int, ...]) -> Any:
        return self.faulty.get((result, np.dtype(dtype).name), np.zeros(shape, dtype=bool))

    def script(self, *lines: str) -> Script:
        """Code that makes the card, as `f`, and prints the values of the last line."""
        from slopes.auditing.source import source_of

        setup, given = source_of(self.card).assign("f")
        *first, last = lines
        setup = dict.fromkeys(["import numpy as np", "import slopes", *setup])  # type: ignore[assignment]
        return Script([*setup, *first, f"print({last})"], given)

    def call(self, result: str, arguments: tuple[Any, ...]) -> Any:
        """See `Samples.call`; a body that raises becomes a finding with its arguments."""
        try:
            return super().call(result, arguments)
        except Exception as error:
            library = ["import torch"] if any(hasattr(x, "detach") for x in arguments) else []
            lines = *library, spell(arguments), attempt(self.call_of(result)), "came"
            raise Raised(error, self.script(*lines)) from error

    def raised(self, frame: FrameSummary, message: str, repair: str) -> Finding:
        from slopes.auditing.source import source_of

        return locate(*source_of(self.card).assign("f"), frame, message, repair)

    def call_of(self, result: str) -> str:
        if isinstance(self.card, Map):
            return "f(arguments[0])" if result == "value" else "f.vjp(*arguments)"
        method, options = "" if result == "value" else ".slope", ", reduction='none'" * isinstance(self.card, Loss)
        return f"f{method}(*arguments{options})"

    def exact_of(self, result: str) -> str:
        call, exact = self.call_of(result), f"slopes.exact(f, {DIGITS})"
        if result == "slope" and self.card.slope_body is None:
            result = "difference"
        if result in ("difference", "calculus"):
            return f"{exact}.{result}{call[call.index('(') :]}"
        return exact + call[1:]

    def by_torch(self, result: str) -> list[str]:
        """Lines of code that set `result` to torch's "value", "slope" or "second" by autograd."""
        of_map, options = isinstance(self.card, Map), ", reduction='none'" * isinstance(self.card, Loss)
        cotangent = "rest[0]" if of_map else "torch.ones_like(result)"
        call = f"result = f(first.requires_grad_(){'' if of_map else ', *rest'}{options})"
        derive = (
            f"(result,) = torch.autograd.grad(result, first, {cotangent}, create_graph=True, materialize_grads=True)"
        )
        again = "(result,) = torch.autograd.grad(result.sum(), first)"
        lines = [call, derive, again][: ("value", "slope", "second").index(result) + 1]
        return ["import torch", "first, *rest = map(torch.as_tensor, arguments)", *lines]

    def at(self, index: tuple[int, ...], dtype: Any) -> tuple[Any, ...]:
        """Arguments at an entry of the result."""
        return tuple(x[index[0]][None] if self.card.rowwise else x[index] for x in self.inputs(dtype))

    def compare(self, result: str, index: tuple[int, ...], dtype: Any) -> Script:
        entry = f"[{', '.join(map(str, (0, *index[1:])))}]" if self.card.rowwise else ""
        both = f"{self.call_of(result)}{entry}, {self.exact_of(result)}{entry}"
        return self.script(spell(self.at(index, dtype)), both)


class Raised(Exception):
    def __init__(self, cause: Exception, script: Script) -> None:
        super().__init__(str(cause))
        self.cause, self.script = cause, script

    def finding(self, message: str, repair: str) -> Finding:
        return self.script.finding(message, repair)


def spell(arguments: tuple[Any, ...]) -> str:
    """Code that makes arguments with the same bits."""
    shown = []
    for x in arguments:
        library, dtype = ("torch", str(x.dtype)) if hasattr(x, "detach") else ("np", f"np.{np.asarray(x).dtype}")
        listed = re.sub(r"\b(nan|inf)\b", r"np.\1", repr(x.tolist() if hasattr(x, "tolist") else x))
        make = "tensor" if library == "torch" else "array"
        shape = f".reshape({tuple(x.shape)})" if np.size(listed) and 0 in np.shape(x) else ""
        shown.append(f"{library}.{make}({listed}, dtype={dtype}){shape}")
    return f"arguments = ({', '.join(shown)},)"
