"""What is promised of every card, whatever it computes: limits, no NaN, half types rounded once, long sums."""

import itertools

import numpy as np
import pytest

import slopes
from slopes.card import Loss, Map
from slopes.checks.cases import Subject
from slopes.checks.numerics import _limit

torch = pytest.importorskip("torch")
pytest.importorskip("mpmath")

DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def by_torch(card, arguments, second=False):
    """Value and slope of the torch reading (for a map: its vjp), and on request its second derivatives."""
    tensors = [torch.from_numpy(np.array(argument)) for argument in arguments]
    x = tensors[0].requires_grad_(tensors[0].is_floating_point())
    cotangent = tensors.pop() if isinstance(card, Map) else None
    value = Subject(card).call("value", tuple(tensors))
    cotangent = torch.ones_like(value) if cotangent is None else cotangent
    (slope,) = torch.autograd.grad(value, x, cotangent, create_graph=second, materialize_grads=True)
    found = [value, slope]
    if second and slope.requires_grad:
        columns = slope.flatten(1).unbind(1) if card.rowwise else [slope]
        for column in columns:
            ones = torch.ones_like(column)
            found += torch.autograd.grad(column, x, ones, retain_graph=True, materialize_grads=True)
    return [result.detach().numpy() for result in found]


# ----------------------------------------------------------------------------------------- limits


def held_targets(card):
    """What may stand beside an infinite prediction."""
    if not isinstance(card, Loss):
        return [()]
    spaces = card.kind.spaces(card.settings)[1:]

    def fits(space, value):
        inside = space.low < value <= space.high or (space.low == value and not space.open)
        return inside and (space.name != "signs" or abs(value) == 1)

    return {tuple(v if fits(space, v) else 1.0 for space in spaces) for v in (1.0, 0.0, 0.25, -1.0)}


@pytest.mark.parametrize("sign", [1, -1])
def test_the_limit_at_infinity(card, sign):
    """Value and slope at ±inf are the limits of the exact ones, in both readings and types, where there are limits."""
    if card.rowwise:
        pytest.skip("rows have no limits")
    subject = Subject(card)
    if isinstance(card, Loss):
        first = card.kind.spaces(card.settings)[0]
        if not first.low <= sign * np.inf <= first.high:
            pytest.skip("no such prediction is taken")
    for rest, result in itertools.product(held_targets(card), ("value", "slope")):
        beside = [np.array(value) for value in rest]
        oracle, options = subject.oracle(result), subject.options
        limit = _limit(lambda x: oracle(np.array(x), *beside, **options), float(sign))  # noqa: B023
        for dtype in (np.float64, np.float32) if limit is not None else ():
            arguments = tuple(np.array(value, dtype) for value in (sign * np.inf, *rest))
            found = subject.call(result, arguments), by_torch(card, arguments)[result == "slope"]
            np.testing.assert_allclose(found, limit, rtol=4 * float(np.finfo(dtype).eps), err_msg=f"{result}, {rest}")


@pytest.mark.parametrize(
    "flat",
    [slopes.leaky_relu.with_(negative_slope=0.0), slopes.prelu.with_(weight=0.0), slopes.rrelu.with_(lower=0.0, upper=0.0)],
    ids=str,
)  # fmt: skip
def test_a_slope_of_nothing_ends_in_0(flat):
    for x in (np.array([-np.inf, -1.0, np.nan]), torch.tensor([-torch.inf, -1.0, torch.nan])):
        assert flat(x)[:2].tolist() == [0, 0]
        assert flat.slope(x)[:2].tolist() == [0, 0]
        assert flat(x)[2] != flat(x)[2]


def test_a_learnt_slope_of_nothing_still_learns():
    weight = torch.zeros((), requires_grad=True)
    value = slopes.prelu(torch.tensor([-2.0, -torch.inf]), weight=weight)
    assert value.tolist() == [0, 0]
    assert torch.autograd.grad(value[0], weight)[0] == -2


# ----------------------------------------------------------------------------- no NaN from finite input


def numbers(space, dtype):
    """Numbers of a space, of every size, among them its bounds."""
    if space.name == "signs":
        return [-1.0, 1.0]
    info = np.finfo(dtype)
    least, most = float(info.smallest_subnormal), float(info.max)
    sizes = [0.0, least, float(info.tiny), 1e-30, 1e-7, 0.5, 1.0, 3.0, 1e3, 1e20, most]
    low, high = (float(np.clip(bound, -info.max, info.max)) for bound in (space.low, space.high))
    low = float(np.nextafter(dtype(low), dtype(np.inf))) if space.open else low
    return [v for v in dict.fromkeys([low, high, *sizes, *(-size for size in sizes)]) if low <= v <= high]


def rows(space, dtype):
    """Rows of four of a space: all alike, one apart, of both signs; distributions; boxes with and without area."""
    if space.name == "distributions":
        return [np.full(4, 0.25), *np.eye(4), np.array([0.5, 0.5, 0, 0])]
    if space.name == "boxes":
        sizes = [0.0, float(np.finfo(dtype).smallest_subnormal), 1e-30, 1.0, 1e20, float(np.finfo(dtype).max) / 8]
        return [np.array([at, at, at + w, at + h]) for at in (0.0, 1.0) for w in sizes for h in sizes]
    values = numbers(space, dtype)
    least = min(values, key=abs)
    mixed = [[v, -v if -v in values else v, least, least] for v in values]
    return [*(np.full(4, v) for v in values), *map(np.array, mixed)]


def awkward(card, dtype):
    """Arguments of a card, each combination of what is awkward in one of them."""
    if isinstance(card, Map):
        real = rows(slopes.kinds.SPACES["real"], dtype)
        cotangents = np.eye(4 // card.parts)
        pairs = itertools.product(real, cotangents)
        yield tuple(np.array(column, dtype) for column in zip(*pairs, strict=True))
        return
    if not isinstance(card, Loss):
        yield (np.array(numbers(slopes.kinds.SPACES["real"], dtype), dtype),)
        return
    kind, spaces = card.kind, card.kind.spaces(card.settings)
    if kind.batched:
        real = rows(spaces[0], dtype)
        pixels = np.array([[row, row, row[::-1], -row[::-1]] for row in real], dtype)
        for labels in ([0, 0, 1, 1], [2, 2, 2, 2], [0, 1, 2, 3]):
            if kind.coupled:
                yield from ((batch, np.array(labels)) for batch in pixels)
            else:
                yield pixels, np.tile(labels, (len(pixels), 1))
        return
    choices = [
        (rows if kind.rowwise and argument.row else numbers)(space, dtype)
        for argument, space in zip(kind.arguments, spaces, strict=True)
    ]
    yield tuple(np.array(column, dtype) for column in zip(*itertools.product(*choices), strict=True))


@DTYPES
def test_no_nan_from_finite_input(card, dtype):
    """In value, slope and second derivative, of every size, of equal arguments, of zeros, of boxes without area."""
    subject = Subject(card)
    for arguments in [subject.inputs(dtype), *awkward(card, dtype)]:
        with np.errstate(all="ignore"):
            value = subject.call("value", arguments[:1] if isinstance(card, Map) else arguments)
            found = [value, subject.call("slope", arguments), *by_torch(card, arguments, second=True)]
        for place, result in enumerate(found):
            bad = np.isnan(result).reshape(len(result), -1).any(-1)
            name = ("value", "slope", "torch value", "torch slope", "second derivative")[min(place, 4)]
            at = [np.asarray(argument)[bad][:1].tolist() for argument in arguments] if bad.any() else None
            assert not bad.any(), f"{name} is NaN at {at} ({bad.sum()} of {bad.size})"
