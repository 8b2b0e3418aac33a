"""Where the first inf or NaN of a step began, as data, text and HTML."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from slopes.notebook import escape, judged, table


class Range(NamedTuple):
    """Summary of a tensor's numbers."""

    dtype: str
    shape: tuple[int, ...]
    least: float  #: of the finite numbers, like the next; NaN without any
    most: float
    zeros: int
    nans: int
    infs: int

    @property
    def entries(self) -> int:
        return math.prod(self.shape)

    @property
    def is_finite(self) -> bool:
        return not (self.nans or self.infs)

    def __str__(self) -> str:
        parts = [f"{self.dtype} [{', '.join(map(str, self.shape))}]" if self.shape else self.dtype]
        if not math.isnan(self.least):
            parts.append(f"{self.least:.6g} to {self.most:.6g}" if self.least < self.most else f"{self.least:.6g}")
        counts = (("0", self.zeros), ("NaN", self.nans), ("inf", self.infs))
        parts += [f"{words} in {count:,} of {self.entries:,}" for words, count in counts if count]
        return ", ".join(parts)


@dataclass(frozen=True)
class Origin:
    """The operation that made the first inf or NaN of a step, with its cause and the usual repair."""

    phase: str  #: "forward", "backward", "before" where a tensor came in with it, or "unknown"
    module: str  #: name and class of the innermost module that ran, "the loss" outside of the model, or the tensor
    operation: str  #: such as "log"; empty where a tensor came in with it
    value: str  #: "inf" or "NaN"
    cause: str  #: "overflow", "half range", "0/0", "division by 0", "log of 0", "infinite slope", …
    message: str  #: the cause in words
    repair: str
    line: str = ""  #: file, number and text of the line of the user's code
    inputs: tuple[Range, ...] = ()  #: of the operation in the forward pass
    output: Range | None = None  #: or the gradient, in a backward pass
    later: str = ""  #: the operation that turned inf into NaN
    notes: tuple[str, ...] = ()
    step: int | None = None  #: of a `Watcher`

    @property
    def headline(self) -> str:
        when = "" if self.step is None else f" in step {self.step:,}"
        if self.phase == "unknown":
            return f"{self.value}{when}, and its first operation is unknown"
        if not self.operation:
            return f"{self.value} came in with {self.module}{when}"
        gradient = "the gradient of " if self.phase == "backward" else ""
        return f"{self.value} began in the {self.phase} pass{when}: {gradient}{self.operation} in {self.module}"

    @property
    def words(self) -> str:
        """The operation, its result and the cause, in half a sentence."""
        if not self.operation:
            return f"holds {self.value}: {self.message}"
        gradient = "the gradient of " if self.phase == "backward" else ""
        return f"{gradient}{self.operation} is {self.value}: {self.message}"

    def rows(self) -> Iterator[tuple[str, str]]:
        """Yield labels and texts."""
        if self.line:
            yield "code", self.line
        for each in self.inputs:
            yield "input", str(each)
        if self.output is not None:
            yield "gradient" if self.phase == "backward" else "output", str(self.output)
        yield "cause", self.message
        if self.later:
            yield "then", self.later
        yield "repair", self.repair
        for note in self.notes:
            yield "note", note

    def __str__(self) -> str:
        return "\n".join([self.headline, *(f"  {label:<8}  {text}" for label, text in self.rows())])

    def html(self) -> str:
        """Headline and table, for a notebook."""
        rows = [(escape(label), escape(text)) for label, text in self.rows()]
        return f"<p><b>{escape(self.headline)}</b></p>{table(rows, labelled=True)}"

    def _repr_html_(self) -> str:
        return judged(False, self.html())


class NonFiniteError(FloatingPointError):
    """A training is stopped because a loss or gradient is inf or NaN; `origin` tells where that began."""

    def __init__(self, origin: Origin) -> None:
        super().__init__(origin)
        self.origin = origin

    def __str__(self) -> str:
        return str(self.origin)
