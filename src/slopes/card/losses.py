"""Losses and their sums, and their decorator."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType, ModuleType
from typing import Any, NamedTuple, NoReturn, Self

from slopes import fast, kinds, ops
from slopes.card.base import Body, Card, with_keywords
from slopes.constants import Array
from slopes.domains import Interval, OneOf, is_array, is_tensor, plain, shown
from slopes.facts import Paper
from slopes.hints import did_you_mean

WEIGHT = Interval(0.0, closed=True)


class Loss(Card):
    """A function of a prediction and a target, or of its kind's arguments."""

    family = "loss"
    kind: kinds.Kind
    """The kind: names and shapes of arguments, masks, weights and the reduction."""
    _takes_any: bool
    _run: str
    """Name of its fast path; empty if there is none."""
    has_values = True
    """Whether there are unreduced values, by ``reduction="none"``."""

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
        if settings and not self.kind.masks_rows:
            self._fit(settings, name, first)
        of_kind = {name: options[name] for name in options if name in self.kind.options}
        find = fast.find(first, "find_row_kernel")
        if find is not None and self.rowwise:
            beside = *others, weight, mask, divisor, of_kind.get("class_weight")

            def find_kernel(x: Array, axis: int, labels: bool, smoothing: float = 0.0) -> Any:
                return find(self, settings, x, axis, labels, smoothing, beside, wants_slope)

            of_kind["find_kernel"] = find_kernel
        batch = self.kind.enter(r, self.name, (first, *others), weight=weight, mask=mask, settings=settings, **of_kind)
        if settings and self.kind.masks_rows:
            self._check_arrays(settings, batch)
        value, slope = self._bodies(settings)
        batch.drop_infinite(value, self.kind.body_arguments(settings))
        batch.reduce_by(reduction, divisor)
        return batch, value, slope

    def _check_arrays(self, settings: Mapping[str, Any], batch: kinds.Batch) -> None:
        """Raise ValueError for a row of parameters, unless regions or the entries of a row have one each."""
        for name, value in settings.items():
            if not is_array(value) or (shape := tuple(value.shape)) == (1,):
                continue
            if self.kind.has_regions:
                kinds.check_broadcast(self.name, name, shape, "the unreduced loss", tuple(batch.like.shape))
                continue
            has_rows, entries = self._has_rows(name), batch.arguments[0].shape[-1]
            if self.parameters[name].domain is None or (has_rows and shape == (entries,)):
                continue
            allowed = f"one number, or an array of shape ({entries},)" if has_rows else "one number for all rows"
            raise ValueError(f"{self.name}: {name} must be {allowed}, got {shown(value)}")

    def _symbols(self, symbol: ModuleType) -> list[Any]:
        def make(name: str, argument: kinds.Argument) -> Any:
            return (symbol.scalar if not self.rowwise else symbol.row if argument.row else symbol.of_row)(name)

        return list(map(make, self.kind.symbols, self.kind.body_arguments(self.settings)))

    # --------------------------------------------------------------------------------------- sums

    __array_ufunc__ = None  # so that NumPy's numbers leave a product to the loss

    def __add__(self, other: Loss) -> Sum:
        """Return a loss that is the sum of both; see `Sum`. Raises TypeError if they take different arguments."""
        return _add_up([*_weighted(self), *_weighted(_require_loss(self, other))])

    def __radd__(self, other: Loss | int) -> Sum:
        """Return the sum; 0 + loss is the loss, for Python's `sum`."""
        return 1.0 * self if type(other) is int and other == 0 else _require_loss(self, other) + self

    def __mul__(self, weight: float) -> Sum:
        """Return this loss times a number >= 0, as a loss; of a sum, every weight times it.

        Raises TypeError for anything but a number, ValueError for one that is negative or not finite.
        """
        weight = plain(weight)
        if isinstance(weight, bool) or not isinstance(weight, (int, float)):
            raise TypeError(
                f"{self.name}: the weight of a loss must be a number, got {shown(weight)}; multiply the result instead"
            )
        WEIGHT.check(self.name, "the weight of a loss", weight)
        return _add_up(_weighted(self, float(weight)))

    __rmul__ = __mul__


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


# --------------------------------------------------------------------------------------------- sums


#: parameters that describe the arguments, which all terms share
OF_ARGUMENTS = ("from_probabilities",)


class Term(NamedTuple):
    """A loss in a sum, and its weight."""

    weight: float
    card: Loss


Call = tuple[str, Loss, tuple[Any, ...], dict[str, Any]]
"""(name, card, arguments, keywords) of a term."""


class Sum(Loss):
    """A weighted sum of losses of one kind, which is a card like these; `+` and `*` make it.

    Build it once: each weight has a kernel of its own. Where a weight changes from step to step, add up the values of
    ``terms=True``. Parameters of its terms are bound, before or by `with_`.
    """

    terms: Mapping[str, Term]
    """The weight and the card of each term, by name."""

    def __init__(self, terms: tuple[Term, ...], merged: kinds.SumKind) -> None:
        names = _names(terms)
        self.terms = MappingProxyType(dict(zip(names, terms, strict=True)))
        self._calls = tuple(zip(names, terms, merged.fixed, strict=True))
        value, slope, textbook = self._bodies_of_sum(terms)
        title = " + ".join(_written(term.weight, term.card.name, "·") for term in terms)
        for body in filter(None, (value, slope, textbook)):
            body.__name__ = body.__qualname__ = title
            body.__doc__ = f"The sum of {' and '.join(names)}, with their weights."
            body.__module__ = _home(terms)
        arguments = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in merged.kind.body]
        value.__signature__ = inspect.Signature(arguments)  # type: ignore[attr-defined]
        papers = dict.fromkeys(paper for term in terms for paper in term.card.papers)
        super().__init__(
            value, kind=merged.kind, definition=textbook, papers=tuple(papers),
            detached=any(term.card.claims.detached for term in terms) or None,
            **(_claims(terms) if self.has_values else {}),
        )  # fmt: skip
        self.slope_body = slope

    def _bodies_of_sum(self, terms: tuple[Term, ...]) -> tuple[Body, Body | None, Body | None]:
        """(value, slope, definition); None for the last two where the terms have none."""
        for _, card in terms:
            for name, value in card.bound.items():
                if is_tensor(value) or is_array(value):
                    raise TypeError(
                        f"{card.name}: {name} is {shown(value)}; a loss in a sum has numbers as parameters: call each "
                        "loss by itself and add the results"
                    )
        slopes = [term.card.slope_body for term in terms]
        has_definition = any(term.card.textbook is not term.card.body for term in terms)
        return (
            _weigh(terms, [term.card.body for term in terms]),
            None if None in slopes else _weigh(terms, slopes),
            _weigh(terms, [term.card.textbook for term in terms]) if has_definition else None,
        )

    def _signature(self, body: inspect.Signature) -> inspect.Signature:
        return with_keywords(super()._signature(body), terms=(False, bool))

    def __call__(self, *arguments: Array, terms: bool = False, **keywords: Any) -> Any:
        """Return the loss, the sum of each term's loss times its weight; each term gets the keywords.

        With ``terms=True`` it is a pair: the loss, and a dict with each term's loss without its weight. Raises the
        errors of the terms.
        """
        kinds.OPTIONS["terms"].check(self.name, "terms", terms)
        if not terms:
            return super().__call__(*arguments, **keywords)
        values = {name: card(*arguments, **keywords) for name, (_, card) in self.terms.items()}
        return self.add(values), values

    def add(self, values: Mapping[str, Any], dtype: Any = None) -> Any:
        """Return the sum of each term's value times its weight; a weight of 0 leaves a value out, whatever it is."""
        first = next(iter(values.values()))
        r = ops.reading(first)
        counted = _counting((term.weight, values[name]) for name, term in self.terms.items())
        return r.narrow(
            _total((weight, r.widen(value)) for weight, value in counted), first.dtype if dtype is None else dtype
        )

    def parts(self) -> dict[str, Callable[..., Any]]:
        """Return losses by name, each a term with its weight, that add up to this one."""
        losses = {name: (card if weight == 1 else weight * card, fixed) for name, (weight, card), fixed in self._calls}
        return {name: functools.partial(loss, **fixed) if fixed else loss for name, (loss, fixed) in losses.items()}

    def with_(self, **parameters: Any) -> Self:
        """Return this sum with parameters bound in every term that has them.

        Raises TypeError for a parameter of no term, ValueError for a value outside its domain.
        """
        known = dict.fromkeys(name for term in self.terms.values() for name in term.card.parameters)
        for name in parameters:
            if name not in known:
                raise TypeError(f"{self.name}: no term has a parameter {name!r}; {self._hint_at(name)}")
        if not parameters:
            return self
        pairs = []
        for weight, card in self.terms.values():
            own = {name: value for name, value in parameters.items() if name in card.parameters}
            pairs.append((weight, card.with_(**own)))
        return _add_up(pairs)  # type: ignore[return-value]

    def derivative(self, body: Body) -> NoReturn:
        """Refuse: each term has a derivative, and the sum's is made of them."""
        raise TypeError(f"{self.name}: the derivative of a sum follows from those of its terms; register it on a term")

    def _hint_at(self, name: str) -> str:
        if name in self._keywords():
            return f"it belongs to a call; bind it by functools.partial(loss, {name}=…)"
        if any(name in term.card.parameters for term in self.terms.values()):
            return f"it is bound before the call, by loss.with_({name}=…)"
        known = dict.fromkeys(each for term in self.terms.values() for each in term.card.parameters)
        return did_you_mean(name, [*self._keywords(), *known], f"it takes {', '.join(self._keywords())}")

    @property
    def formula(self) -> Any:
        """The weighted sum of the textbook forms as a SymPy expression."""
        return _total(_counting((term.weight, term.card.formula) for term in self.terms.values()))

    def write(self, expressions: Iterable[str]) -> str:
        """Return the sum as code, from an expression for each term."""
        pairs = list(zip(self.terms.values(), expressions, strict=True))
        if len(pairs) == 1:
            return f"{pairs[0][0].weight!r} * {pairs[0][1]}"
        return " + ".join(_written(term.weight, text, " * ") for term, text in pairs)

    def __repr__(self) -> str:
        return self.origin or self.write(repr(term.card) for term in self.terms.values())

    def __reduce__(self) -> Any:
        return _add_up, (tuple((term.weight, term.card) for term in self.terms.values()),)


class MixedSum(Sum):
    """A weighted sum of losses that count different things, such as regions, pixels, or windows of images.

    Each term is reduced by itself, and the results are added. The terms of a sum with rows take one mask and weight: an
    entry for each row or pixel, which counts for all entries of that row in a term that has a value for each. An option
    goes to every term that takes it. There are no unreduced values, and no divisor.
    """

    has_values = False

    def _bodies_of_sum(self, terms: tuple[Term, ...]) -> tuple[Body, Body | None, Body | None]:
        title = " + ".join(_names(terms))

        def body(*arguments: Array) -> Array:
            raise TypeError(f"{title}: its terms count different things, so it has no body")

        return body, None, None

    def _signature(self, body: inspect.Signature) -> inspect.Signature:
        declared: dict[str, inspect.Parameter] = {}
        chosen = {name for _, _, fixed in self._calls for name in fixed}
        for _, (_, card), _ in self._calls:
            for name, parameter in card.call_signature.parameters.items():
                if name not in chosen and (name in card.kind.options or name in OF_ARGUMENTS):
                    declared.setdefault(name, parameter)
        for name in OF_ARGUMENTS:
            if not all(name in card.kind.options or name in card.parameters for _, card in self.terms.values()):
                declared.pop(name, None)
        call = super()._signature(body)
        known = {name: p for name, p in call.parameters.items() if name not in (*self.kind.options, "divisor", "terms")}
        return call.replace(parameters=[*known.values(), *declared.values(), call.parameters["terms"]])

    def __call__(self, *arguments: Array, terms: bool = False, **keywords: Any) -> Any:
        """Return the loss, the sum of each term's reduced loss times its weight; see `Sum` for the rest.

        Raises ValueError for ``reduction="none"`` and a divisor, and the errors of the terms.
        """
        kinds.OPTIONS["terms"].check(self.name, "terms", terms)
        r, calls, dtype, _ = self._enter_all(arguments, keywords)
        values = {name: card(*given, **own) for name, card, given, own in calls}
        loss = self.add(values, dtype)
        return (loss, {name: r.narrow(value, dtype) for name, value in values.items()}) if terms else loss

    def value_and_slope(self, *arguments: Array, **options: Any) -> tuple[Any, Any]:
        """Return the loss and its gradient by the first argument, in that argument's shape and dtype."""
        _, calls, dtype, dtype_of_slope = self._enter_all(arguments, options)
        pairs = {name: card.value_and_slope(*given, **own) for name, card, given, own in calls}
        values, slopes = ({name: pair[place] for name, pair in pairs.items()} for place in (0, 1))
        return self.add(values, dtype), self.add(slopes, dtype_of_slope)

    def _enter_all(
        self, arguments: tuple[Any, ...], keywords: Mapping[str, Any]
    ) -> tuple[ModuleType, list[Call], Any, Any]:
        """(reading, calls of the terms, dtypes of loss and slope); a half type is rounded once, at the end."""
        calls = list(self.hand_out(arguments, keywords))
        first, *rest = calls[0][2]
        r = self._reading(first)
        x = r.enter(first, f"{self.name}: {self.kind.arguments[0].name}")
        if "16" in str(x.dtype):
            calls = [(name, card, (r.widen(x), *rest), own) for name, card, _, own in calls]
        return r, calls, r.result_dtype(x, loss=True), r.result_dtype(x)

    def hand_out(self, arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> Iterator[Call]:
        """Yield (name, card, arguments, keywords) for each term's call."""
        options = dict(keywords)
        given = self._given(arguments, options)
        if plain(options.get("reduction", "mean")) == "none":
            raise ValueError(
                f"{self.name}: reduction must be 'mean' or 'sum', got 'none': its terms count different things; "
                "terms=True gives the loss of each"
            )
        if options.pop("divisor", None) is not None:
            raise ValueError(
                f"{self.name}: takes no divisor, as its terms count different things: give one to each term by itself "
                "and add the results"
            )
        known = self.call_signature.parameters
        for name in options:
            if name not in known:
                raise TypeError(f"{self.name}: no option {name!r}; {self._hint_at(name)}")
        for name, (_, card), fixed in self._calls:
            own = {key: value for key, value in options.items() if key in card.call_signature.parameters}
            if self.kind.masks_rows and not card.kind.masks_rows:
                own |= {key: self._spread(key, own[key], given[0], options) for key in ("mask", "weight") if key in own}
            yield name, card, given, own | fixed

    def _spread(self, name: str, rows: Any, first: Array, options: Mapping[str, Any]) -> Any:
        """The mask or weight of rows as one of their entries."""
        if rows is None:
            return None
        r = self._reading(first)
        x = r.enter(first, f"{self.name}: {self.kind.arguments[0].name}")
        rows = r.enter(rows, f"{self.name}: {name}", x)
        shape = list(x.shape)
        axis = kinds.valid_axis(self.name, options.get("axis", -1), x) % len(shape)
        wanted = (*shape[:axis], *shape[axis + 1 :])
        if tuple(rows.shape) != wanted:
            raise ValueError(f"{self.name}: {name} {tuple(rows.shape)} must have one entry for each row, {wanted}")
        shape[axis] = 1
        if name == "mask":
            kinds.check_mask(self.name, rows)
        rows, never = rows.reshape(shape), (x != x) & (x == x)
        return rows | never if name == "mask" else r.where(never, 0.0, rows)


def _add_up(pairs: Iterable[tuple[float, Loss]]) -> Sum:
    """Return the sum of losses times their weights; equal losses become one term."""
    parts: dict[Any, tuple[float, Loss]] = {}
    for weight, card in pairs:
        key = _key(card)
        parts[key] = weight + (parts[key][0] if key in parts else 0.0), card
    if any(type(key) is not tuple for key in parts):
        return _make_sum(tuple(parts.values()))
    return _find_sum(tuple((weight, key) for key, (weight, _) in parts.items()))


def _key(card: Loss) -> Any:
    """(root, its derivative, bound parameters), equal for equal cards; the card, if a parameter is an array."""
    bound = tuple(sorted(card.bound.items()))
    is_plain = all(value is None or isinstance(value, (bool, int, float, str)) for _, value in bound)
    return (card._root, card.slope_body, bound) if is_plain else card


@functools.lru_cache(maxsize=256)
def _find_sum(parts: tuple[tuple[float, tuple[Loss, Body | None, tuple[tuple[str, Any], ...]]], ...]) -> Sum:
    """The sum as one object, so that its kernels are made once though it is written in a loop."""
    return _make_sum((weight, root.with_(**dict(bound))) for weight, (root, _, bound) in parts)


def _make_sum(pairs: Iterable[tuple[float, Loss]]) -> Sum:
    terms = tuple(Term(*pair) for pair in pairs)
    merged = kinds.merge([kinds.Summand(card.name, card.kind, card.settings) for _, card in terms])
    return (Sum if merged.is_one else MixedSum)(terms, merged)


def _require_loss(loss: Loss, other: Any) -> Loss:
    if isinstance(other, Loss):
        return other
    advice = "make a card of it by slopes.loss, or add the results" if callable(other) else "add it to the result"
    raise TypeError(f"{loss.name}: only losses of slopes can be added to a loss, got {shown(other)}; {advice}")


def _weighted(loss: Loss, factor: float = 1.0) -> list[tuple[float, Loss]]:
    """The terms of a loss, with their weights times a factor."""
    terms: Iterable[Term] = loss.terms.values() if isinstance(loss, Sum) else (Term(1.0, loss),)
    return [(factor * weight, card) for weight, card in terms]


def _counting(pairs: Iterable[tuple[float, Any]]) -> list[tuple[float, Any]]:
    """The pairs of a weight other than 0, or else the first, as a sum needs one."""
    pairs = list(pairs)
    return [pair for pair in pairs if pair[0]] or pairs[:1]


def _total(pairs: Iterable[tuple[float, Any]]) -> Any:
    """The sum of weights times values."""
    total = None
    for weight, value in pairs:
        value = value if weight == 1 else weight * value
        total = value if total is None else total + value
    return total


def _weigh(terms: Sequence[Term], bodies: Sequence[Body]) -> Body:
    """The weighted sum of the bodies of cards, with their parameters."""
    parts = _counting((term.weight, (body, term.card.settings)) for term, body in zip(terms, bodies, strict=True))

    def weighted(*arguments: Array) -> Array:
        r, first = ops.reading(*arguments), arguments[0]

        def compute(body: Body, settings: Mapping[str, Any]) -> Array:
            return body(*arguments, **{name: r.parameter(name, value, first) for name, value in settings.items()})

        return _total((weight, compute(*part)) for weight, part in parts)

    return weighted


def _names(terms: Sequence[Term]) -> list[str]:
    """The terms' names; a number follows where an earlier term has the same."""
    names = [term.card.name for term in terms]
    return [
        f"{name}_{names[:place].count(name) + 1}" if name in names[:place] else name for place, name in enumerate(names)
    ]


def _written(weight: float, text: str, times: str) -> str:
    return text if weight == 1 else f"{repr(weight).removesuffix('.0')}{times}{text}"


def _home(terms: Sequence[Term]) -> str:
    """The module of the sum: of a card that is no loss of the package, if any, as such a body may change."""
    homes = [term.card.__module__ for term in terms]
    return next((home for home in homes if not home.startswith("slopes.losses.")), homes[0])


def _claims(terms: Sequence[Term]) -> dict[str, Any]:
    """The claims of the sum that the terms' claims imply, which hold for default parameters."""
    if any(term.card.bound for term in terms):
        return {}
    claims = [term.card.claims for term in terms]
    ulps = [each.ulps for each in claims if each.ulps is not None]
    known: dict[str, Any] = {"ulps": max(ulps, default=None)}
    minima = [term.weight * each.minimum for term, each in zip(terms, claims, strict=True) if each.minimum is not None]
    if len(minima) == len(terms):
        known["minimum"] = sum(minima)
    if all(each.convex for each in claims):  # their slopes jump upwards, so that no jump hides another
        jumps = {kink for term in terms if term.weight for kink in term.card.claims.kinks or ()}
        known |= {"convex": True, "kinks": tuple(sorted(jumps)) or None}
    return known
