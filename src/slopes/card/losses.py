"""Losses, and their decorator."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from slopes import fast, kinds
from slopes.card.base import Body, Card
from slopes.constants import Array
from slopes.domains import OneOf, shown
from slopes.facts import Paper


class Loss(Card):
    """A function of a prediction and a target, or of its kind's arguments."""

    family = "loss"
    kind: kinds.Kind
    """The kind: names and shapes of arguments, masks, weights and the reduction."""
    _takes_any: bool
    _run: str
    """Name of its fast path; empty if there is none."""

    def __init__(self, body: Body, *, kind: kinds.Kind, **fields_of_card: Any) -> None:
        self.kind, self.rowwise = kind, kind.rowwise
        self._arguments = kind.body
        super().__init__(body, **fields_of_card)
        self._takes_any = kind.takes_any(self.settings)
        if kind.rowwise:
            self._run = "run_regions" if kind.has_regions else "run_loss_of_labels" * ("class_weight" in kind.options)
        else:
            self._run = "run_loss"

    def _signature(self, body: inspect.Signature) -> inspect.Signature:
        common = list(inspect.signature(Loss.__call__).parameters.values())[2:-1]
        keyword = [p for p in body.parameters.values() if p.kind is p.KEYWORD_ONLY]
        named = [inspect.Parameter(a.name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for a in self.kind.arguments]
        return body.replace(parameters=[*named, *common, *self.kind.signature(), *keyword])

    def __call__(
        self, *arguments: Array, reduction: str = "mean", weight: Array | None = None, mask: Array | None = None,
        divisor: Array | float | None = None, **options: Any,
    ) -> Any:  # fmt: skip
        """Return the loss: a number, or with ``reduction="none"`` a value for each element or row.

        Arguments are a prediction and a target, unless the signature names others. `mask` (boolean, True counts) and
        `weight` (>= 0 for a mean) have the shape of the unreduced loss. The mean is the weighted average of the values
        that count, 0 if none does; `divisor` replaces its denominator. Other keywords are the card's parameters and its
        kind's options. Raises ValueError if shapes, labels or parameters do not fit, TypeError if an argument is no
        real array.
        """
        given: dict[str, Any] = {"weight": weight, "mask": mask, "divisor": divisor}
        counting = {} if weight is None and mask is None and divisor is None else given
        result = self._by_fast_path("", arguments, reduction, counting, options)
        if result is not None:
            return result
        return self._by_general_path(arguments, reduction, given, options, wants_slope=False)

    def _by_fast_path(
        self, ending: str, arguments: tuple[Any, ...], reduction: Any, counting: dict[str, Any], options: dict[str, Any]
    ) -> Any:
        """The loss, or (loss, gradient); None for the general path."""
        if self.rowwise and counting:
            return None
        if len(arguments) != len(self.kind.arguments) or type(reduction) is not str:
            return None
        run = fast.find(arguments[0], self._run + ending)
        if run is None:
            return None
        for value in options.values():
            if not (value is None or type(value) in (bool, int, float, str)):
                return None
        if self.kind.has_regions:
            return run(self, reduction, arguments, options)
        if options and any(name in self.kind.options for name in options):
            return None
        if self.rowwise:
            return run(self, reduction, *arguments, tuple(options.items()))
        return run(self, reduction, arguments, tuple(options.items()), not self._takes_any, **counting)

    def _by_general_path(
        self, arguments: tuple[Any, ...], reduction: Any, given: dict[str, Any], options: dict[str, Any], *,
        wants_slope: bool,
    ) -> Any:  # fmt: skip
        """The loss, or (loss, gradient)."""
        entered = self._given(arguments, options)
        r = self._reading(*entered)
        with r.quiet():
            batch, value, slope = self._enter(
                r, entered, reduction=reduction, **given, options=options, wants_slope=wants_slope
            )
            if batch.kernel is not None:
                return (fast.loss_and_slope_by_kernel if wants_slope else fast.loss_by_kernel)(batch)
            loss = r.narrow(batch.reduce(batch.values(value, slope)), batch.dtype)
            if not wants_slope:
                return loss
            return loss, r.narrow(batch.pull_back(self._root.name, value, slope), r.result_dtype(batch.original))

    def value_and_slope(self, *arguments: Array, **options: Any) -> tuple[Any, Any]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype.

        It takes the keywords of a call. With ``reduction="none"`` it is the gradient of the sum.
        """
        reduction = options.pop("reduction", "mean")
        given = {name: options.pop(name, None) for name in ("weight", "mask", "divisor")}
        counting = {name: value for name, value in given.items() if value is not None}
        result = self._by_fast_path("_and_slope", arguments, reduction, counting, options)
        if result is not None:
            return result  # type: ignore[no-any-return]
        return self._by_general_path(arguments, reduction, given, options, wants_slope=True)  # type: ignore[no-any-return]

    def slope(self, *arguments: Array, **options: Any) -> Any:
        """Return the gradient of the loss by the first argument; see `value_and_slope`."""
        return self.value_and_slope(*arguments, **options)[1]

    def _given(self, arguments: tuple[Any, ...], options: dict[str, Any]) -> tuple[Any, ...]:
        """The kind's arguments; removes named ones from `options`."""
        names = [argument.name for argument in self.kind.arguments]
        twice = [name for name in names[: len(arguments)] if name in options]
        if twice:
            raise TypeError(f"{self.name}: {twice[0]} is given twice, by place and by name")
        named = [name for name in names[len(arguments) :] if name in options]
        given = [*arguments, *map(options.pop, named)]
        if len(given) != len(names):
            missing = [name for name in names[len(arguments) :] if name not in named]
            problem = f"{' and '.join(missing)} is missing" if missing else f"got {len(given)} arguments before them"
            bound = ", ".join(f"{name}={shown(value)}" for name, value in options.items() if name in self.parameters)
            hint = f"; {self.name}.with_({bound}) binds parameters" if bound and len(missing) == len(names) else ""
            raise TypeError(f"{self.name}: takes {', '.join(names)} and then keywords; {problem}{hint}")
        return tuple(given)

    def _enter(
        self, r: ModuleType, arguments: tuple[Any, ...], *, reduction: Any,
        weight: Any, mask: Any, divisor: Any, options: dict[str, Any], wants_slope: bool = False,
    ) -> tuple[kinds.Batch, Body, Body | None]:  # fmt: skip
        mine = {name: options[name] for name in options if name not in self.kind.options}
        name, (first, *others) = self.kind.arguments[0].name, arguments
        first = r.enter(first, f"{self.name}: {name}")
        settings = self._settings(mine, r, first)
        if settings and not self.rowwise:
            self._fit(settings, name, first)
        of_kind = {name: options[name] for name in options if name in self.kind.options}
        find = fast.find(first, "find_row_kernel")
        if find is not None and self.rowwise:
            beside = *others, weight, mask, divisor, of_kind.get("class_weight")

            def find_kernel(x: Array, axis: int, labels: bool, smoothing: float = 0.0) -> Any:
                return find(self, settings, x, axis, labels, smoothing, beside, wants_slope)

            of_kind["find_kernel"] = find_kernel
        batch = self.kind.enter(r, self.name, (first, *others), weight=weight, mask=mask, settings=settings, **of_kind)
        batch.reduce_by(reduction, divisor)
        return batch, *self._bodies(settings)

    def _symbols(self, symbol: ModuleType) -> list[Any]:
        first, target, *others = self.kind.symbols
        make = symbol.row if self.rowwise else symbol.scalar
        return [make(first), make(target), *map(make, others)]


def loss(
    kind: str, *, space: str | None = None, target: str | None = None, definition: Body | None = None,
    same_as: Mapping[str, str | tuple[str, str]] | None = None, papers: tuple[Paper, ...] = (), **claims: Any,
) -> Callable[[Callable[..., Any]], Loss]:  # fmt: skip
    """Make a card of a body (prediction, target) that gives one value per element, or per row of classes.

    `kind` is "regression", "binary", "classification" or another of `slopes.kinds`.
    Predictions of "binary" and "classification" are logits, unless `space` is "probabilities" or the body has a
    parameter ``from_probabilities``. `space` and `target` replace the kind's spaces. Other fields are as for
    `activation`; a minimum of 0 is claimed by default.
    """
    if not isinstance(kind, str) or kind not in kinds.KINDS:
        raise ValueError(f"loss: kind must be {OneOf(tuple(kinds.KINDS))}, got {kind!r}")
    claims = {"minimum": 0.0} | claims
    chosen, first = kinds.KINDS[kind], kinds.KINDS[kind].arguments[0].name
    wanted = (("space", first, space), ("target", "target", target))
    spaces = {name: kinds.read_space("loss", option, given) for option, name, given in wanted if given is not None}
    if spaces:
        chosen = chosen.having(**spaces)
    return lambda body: Loss(body, kind=chosen, definition=definition, same_as=same_as, papers=papers, **claims)
