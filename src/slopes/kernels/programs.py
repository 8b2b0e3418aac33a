"""Programs of cards, and kernels' source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from slopes.kernels.compiling import is_available
from slopes.kernels.printing.entries import print_kernel
from slopes.kernels.printing.rows import print_row_kernel
from slopes.kernels.printing.special_entries import split_special_entries
from slopes.kernels.printing.triton import print_triton_kernel
from slopes.kernels.printing.triton_rows import Tile, print_triton_row_kernel
from slopes.readings.program import Program
from slopes.readings.trace import TraceError, record

if TYPE_CHECKING:
    from slopes.card import Card

#: Activations whose float32 arithmetic misses the value by more than 2 ulp, or the slope by more than 2.5 ulp and an
#: eps of its terms. They compute in float64, as do bound parameters and users' cards, in three times the time.
WIDE = {"value": ("squareplus",), "slope": ("softsign", "squareplus", "tanhshrink")}

#: gates measured in float32 arithmetic
GATES = ("glu", "swiglu", "geglu", "reglu")


def program(
    card: Card, *outputs: str, dtype: str = "float64", arithmetic: str | None = None, inputs: Sequence[str] = (),
    labels: bool = False, **parameters: Any,
) -> Program:  # fmt: skip
    """Program of a card's value and derivative, or of the named outputs.

    Outputs are "value", "slope" and "vjp", whose cotangent, one per value, is a further input. A gate has "slope_gate",
    "slope_value", "vjp_gate" and "vjp_value"; a map has no slope. Inputs and outputs have the dtype, operations
    `arithmetic`. Parameters are literals; those in `inputs` are inputs after the card's arguments. With `labels` the
    target of a loss of rows is an integer per row.
    """
    require_card("kernels.program", card)
    for name in inputs:
        if name not in card.parameters:
            raise TypeError(f"{card.name}: no parameter {name!r} to be an input")
    chosen = _choose_outputs(card, outputs)
    settings = card.with_(**parameters).settings
    names = card._arguments
    pulled = [name for name in chosen if name.startswith("vjp")]
    cotangent = ["cotangent"] if pulled else []

    def compute(*given: Any) -> dict[str, Any]:
        arguments, rest = given[: len(names)], given[len(names) :]
        bound = {**settings, **dict(zip(inputs, rest, strict=False))}
        results = {"value": card.body(*arguments, **bound)} if "value" in chosen else {}
        if set(chosen) - {"value"}:
            results |= _compute_derivatives(card, arguments, bound, pulled, rest[-1] if pulled else None)
        return {name: results[name] for name in chosen}

    per = _kinds_of_inputs(card, inputs, labels)
    try:
        return record(compute, [*names, *inputs, *cotangent], dtype, arithmetic, per=per, has_rows=has_rows(card))
    except TraceError as error:
        raise TraceError(f"{card.name} cannot be traced: {error}") from error.__cause__


def require_card(function: str, card: Any) -> None:
    if not hasattr(card, "slope_body"):
        raise TypeError(f"{function} takes a card, such as slopes.silu, got {type(card).__name__}")


def _choose_outputs(card: Card, outputs: tuple[str, ...]) -> tuple[str, ...]:
    known = ("value", *derivatives(card))
    for name in outputs:
        if name not in known:
            raise ValueError(f"{card.name}: unknown output {name!r}; a program of it has {', '.join(known)}")
    if outputs or card.slope_body is None:
        return outputs or known[:1]
    return tuple(name for name in known if card.family == "map" or not name.startswith("vjp"))


def _compute_derivatives(
    card: Card, arguments: tuple[Any, ...], bound: Mapping[str, Any], pulled: Sequence[str], cotangent: Any
) -> dict[str, Any]:
    if card.slope_body is None:
        raise TraceError("it has no derivative of its own")
    if card.family == "map":
        return {"vjp": card.slope_body(*arguments, cotangent, **bound)}
    slopes = card.slope_body(*arguments, **bound)
    results = dict(zip(derivatives(card), slopes if isinstance(slopes, tuple) else (slopes,), strict=False))
    for name in pulled:
        by = cotangent[..., None] if has_rows(card) else cotangent
        results[name] = by * results[name.replace("vjp", "slope")]
    return results


def _kinds_of_inputs(card: Card, inputs: Sequence[str], labels: bool) -> dict[str, str]:
    """Inputs with one value per "call" or "row", and a row's "label"."""
    kinds = dict.fromkeys(inputs, "call")
    if has_rows(card) and card.family == "loss":
        kinds |= {argument.name: "row" for argument in card.kind.arguments if not argument.row}  # type: ignore[attr-defined]
        kinds["cotangent"] = "row"
    if labels:
        if not has_rows(card) or "target" not in card._arguments:
            raise TypeError(f"{card.name}: takes no labels")
        kinds["target"] = "label"
    return kinds


def derivatives(card: Card) -> tuple[str, ...]:
    if card.family == "gate":
        return tuple(f"{output}_{name}" for output in ("slope", "vjp") for name in card._arguments)
    if card.family == "map":
        return ("vjp",)
    return "slope", "vjp"


def source(card: Card, *outputs: str, dtype: str = "float32", labels: bool = False, language: str = "numba") -> str:
    """Source of a card's kernel; arguments as in `program`.

    In the language "triton" it is a kernel for GPUs, whose dtype may also be "float16" or "bfloat16", and whose rows
    have up to 1024 entries.
    """
    require_card("kernels.source", card)
    if language not in ("numba", "triton"):
        raise ValueError(f"kernels.source: language must be 'numba' or 'triton', got {language!r}")
    if has_rows(card):
        if language == "triton":
            return _source_of_rows_on_a_gpu(card, outputs, dtype, labels)
        recorded = program(card, *outputs, dtype=dtype, arithmetic=arithmetic_of(card, outputs, dtype), labels=labels)
        return print_program(recorded, card.name, True)
    if labels:
        raise TypeError(f"{card.name}: takes no labels")
    return source_and_numbers(card, outputs, dtype, {}, language)[0]


def _source_of_rows_on_a_gpu(card: Card, outputs: tuple[str, ...], dtype: str, labels: bool) -> str:
    is_half = dtype in HALF
    dtype = "float32" if is_half else dtype
    recorded = program(card, *outputs, dtype=dtype, arithmetic=dtype, labels=labels)
    return print_triton_row_kernel(split_special_entries(recorded), card.name, Tile(1, 1024, True), is_half)


def source_and_numbers(
    card: Card, outputs: tuple[str, ...], dtype: str, parameters: Mapping[str, Any], language: str = "numba"
) -> tuple[str, tuple[float, ...]]:
    """(source of an element-wise card's kernel, numbers that it takes after the arguments).

    These are the parameters, unless all have their default: one kernel serves a schedule.
    """
    settings, defaults = card._settings(parameters), card._root.settings
    numbers = {name: value for name, value in settings.items() if is_number(value)}
    choices = {name: value for name, value in settings.items() if isinstance(value, (bool, str, tuple, type(None)))}
    if len(numbers) + len(choices) < len(settings):
        raise TraceError(f"{card.name} cannot be traced: a parameter is an array")
    changed = {name: value for name, value in settings.items() if value != defaults[name]}
    write, root = _write_once if is_ours(card) else _write, card._root
    if not any(name in numbers for name in changed):
        return write(root, outputs, dtype, tuple(changed.items()), (), language), ()
    try:
        bound = tuple((name, value) for name, value in changed.items() if name in choices)
        return write(root, outputs, dtype, bound, tuple(numbers), language), tuple(map(float, numbers.values()))
    except TraceError:  # the body branches on a parameter
        return write(root, outputs, dtype, tuple(changed.items()), (), language), ()


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _write(
    card: Card, outputs: tuple[str, ...], dtype: str, bound: tuple[tuple[str, Any], ...], inputs: tuple[str, ...],
    language: str,
) -> str:  # fmt: skip
    card = card.with_(**dict(bound))
    is_half = language == "triton" and dtype in HALF
    is_coarse = is_half and not (inputs and card._root.name in OF_MANY_TURNS)
    if is_half:  # its few digits hide the errors of float32
        dtype, arithmetic = "float32", "float32" if is_coarse else "float64"
    else:
        arithmetic = "float64" if inputs else arithmetic_of(card, outputs, dtype)
    recorded = program(card, *outputs, dtype=dtype, arithmetic=arithmetic, inputs=inputs)
    if language == "triton":
        return print_triton_kernel(recorded, card.name, inputs, is_coarse)
    return print_program(recorded, card.name, False, inputs)


HALF = ("float16", "bfloat16")
OF_MANY_TURNS = ("snake",)  #: a large x times a parameter needs all digits of that
_write_once = lru_cache(maxsize=1024)(_write)


@lru_cache(maxsize=1024)
def print_program(recorded: Program, title: str, is_of_rows: bool, scalars: tuple[str, ...] = ()) -> str:
    if is_of_rows:
        return print_row_kernel(split_special_entries(recorded), title)
    return print_kernel(recorded, title, scalars)


def has_rows(card: Card) -> bool:
    """Whether the body takes rows; a gate's takes entries."""
    return card.rowwise and card.family != "gate"


def is_ours(card: Card) -> bool:
    """Whether a trace stays true: a user's body may read a global that changes."""
    return card.__module__.startswith(("slopes.activations.", "slopes.losses."))


def arithmetic_of(card: Card, outputs: Sequence[str], dtype: str) -> str:
    if has_rows(card) and is_ours(card):
        return dtype
    if card.family == "loss" or not is_ours(card) or any(map(is_number, card.bound.values())):
        return "float64"
    if card.family == "gate":
        return dtype if card._root.name in GATES else "float64"
    wide = any(card._root.name in WIDE.get(output, WIDE["slope"]) for output in outputs or ("value", "slope"))
    return "float64" if wide else dtype


LARGE_FOR_A_USER = 2**17  #: fewer entries do not repay the trace


LARGE_FOR_A_USER_ON_A_GPU = 2**22  #: the general path takes less there


def are_worthwhile(card: Card, size: int, language: str = "numba") -> bool:
    """Whether so many entries repay a kernel, where there are any."""
    if language == "triton":
        return size >= LARGE_FOR_A_USER_ON_A_GPU or is_ours(card)
    return is_available() and (size >= LARGE_FOR_A_USER or is_ours(card))


def are_literals(settings: Mapping[str, Any]) -> bool:
    return all(value is None or isinstance(value, (bool, int, float, str, tuple)) for value in settings.values())
