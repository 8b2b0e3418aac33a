"""What is promised of every card, whatever it computes: half types rounded once, long sums; see the audit for more."""

import math

import numpy as np
import pytest

import slopes
from slopes.card import Loss, Map
from slopes.truth.samples import Samples

torch = pytest.importorskip("torch")
pytest.importorskip("mpmath")

# ----------------------------------------------------------------------------------------- limits


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


# -------------------------------------------------------------------------------------- half types


def spacing(x, form):
    """The unit in the last place of float64 numbers in a half type."""
    bits, least = {"float16": (10, -24), "bfloat16": (7, -133)}[form]
    return 2.0 ** np.maximum(np.frexp(x)[1] - 1 - bits, least)


def rounded_once(x, form):
    """float64 numbers rounded to a half type, which PyTorch does in two steps."""
    unit = spacing(x, form)
    most = float(torch.finfo(getattr(torch, form)).max)
    with np.errstate(all="ignore"):
        near = np.rint(x / unit) * unit
    return np.where(abs(near) > most, np.copysign(np.inf, near), near)


def every_half(form):
    """All finite numbers of a half type, as a tensor."""
    numbers = torch.arange(-32768, 32768, dtype=torch.int16).view(getattr(torch, form))
    return numbers[numbers.isfinite()]


def half_arguments(card, form):
    """Arguments of a half type: every number, and rows of distributions that it holds as they are."""
    line = every_half(form)
    rng = np.random.default_rng(5)
    if not isinstance(card, Loss):
        if not isinstance(card, Map):
            return (line,)
        x = 4 * rng.standard_normal((1000, 6))
        cotangent = np.eye(6 // card.parts)[rng.integers(0, 6 // card.parts, 1000)]
        return tuple(torch.from_numpy(part).to(line.dtype) for part in (x, cotangent))
    kind, spaces = card.kind, card.kind.spaces(card.settings)
    if kind.batched:
        drawn = kind.examples(card.settings).sample(rng, (400, 6, 5) if not kind.coupled else (16, 6))
    else:
        drawn = list(kind.examples(card.settings).sample(rng, (1000, 5) if kind.rowwise else (10_000,)))
        for place, space in enumerate(spaces):
            if space.name == "distributions" and np.ndim(drawn[place]) > 1:
                drawn[place] = (1 + rng.multinomial(59, np.full(5, 0.2), 1000)) / 64
    return tuple(
        torch.from_numpy(part) if part.dtype.kind in "iu" else torch.from_numpy(part).to(line.dtype)
        for part in map(np.asarray, drawn)
    )


class Given(Samples):
    """A card at given arguments."""

    def __init__(self, card, arguments):
        super().__init__(card)
        self.arguments = arguments

    def inputs(self, dtype):
        return self.arguments


@pytest.mark.parametrize("form", ["float16", "bfloat16"])
@pytest.mark.parametrize("result", ["value", "slope"])
@pytest.mark.sampled(4)
def test_half_types_are_rounded_once(card, form, result):
    """At least 99.9 % of results are correctly rounded, and all are within 1 unit, but where terms cancel.

    They do where the last place of an argument is worth more than 8 of the result: by the audit's condition.
    """
    arguments = half_arguments(card, form)
    kept = arguments[:1] if isinstance(card, Map) and result == "value" else arguments
    wide = tuple((x.double() if x.is_floating_point() else x).numpy() for x in arguments)
    subject = Given(card, wide)
    exact = subject.call(result, wide[: len(kept)])
    away = np.broadcast_to(subject.conditioning(result, np.float64) < 8, exact.shape)
    came = [subject.call(result, kept).detach().double().numpy()]
    if form == "float16":
        came.append(np.asarray(subject.call(result, tuple(x.numpy() for x in kept))).astype(np.float64))
    for found in came:
        with np.errstate(all="ignore"):  # a tie is one to float64 within its own rounding
            nearest = abs(found - exact) <= spacing(exact, form) * (0.5 + 1e-12)
        right = (found == rounded_once(exact, form)) | nearest | (np.isnan(found) & np.isnan(exact)) | ~away
        most = away.sum() * 0.001
        assert (~right).sum() <= max(most, 1), f"{(~right).sum()} of {away.sum()} are not correctly rounded"
        with np.errstate(all="ignore"):
            off = np.where(right, 0.0, abs(found - exact) / spacing(exact, form))
        place = np.unravel_index(off.argmax(), off.shape)
        at = [x[place[0] if card.rowwise else place].tolist() for x in kept] if off.max() > 1 else None
        assert off.max() <= 1, f"{found[place]} is off by {off.max():.4} at {at}, exact is {exact[place]}"


# -------------------------------------------------------------------------------------- long sums


def units_off(came, exact):
    """How far a float32 result lies from the exact one, in units in the last place."""
    assert "float32" in str(came.dtype)
    return abs(float(came) - exact) / float(np.spacing(np.float32(exact)))


@pytest.mark.exhaustive
def test_a_long_sum_loses_no_more_than_2_units():
    """Ten million float32 terms, plain, weighed, and summed up; in both readings."""
    rng = np.random.default_rng(0)
    n = 10_000_000
    prediction, weight = rng.standard_normal(n, np.float32), 1 + rng.random(n, np.float32)
    values, weighed = abs(prediction).astype(np.float64), abs(prediction).astype(np.float64) * weight
    exact, total = math.fsum(values.tolist()), math.fsum(weight.tolist())
    for read in (np.asarray, torch.from_numpy):
        arguments = read(prediction), read(np.zeros_like(prediction))
        assert units_off(slopes.mae(*arguments, reduction="sum"), exact) <= 2
        assert units_off(slopes.mae(*arguments), exact / n) <= 2
        assert units_off(slopes.mae(*arguments, weight=read(weight)), math.fsum(weighed.tolist()) / total) <= 2


@pytest.mark.exhaustive
def test_a_long_region_loses_no_more_than_2_units():
    """The same of the pixels of a region."""
    rng = np.random.default_rng(0)
    prediction, target = rng.random((2, 1, 5_000_000), np.float32), (rng.random((1, 5_000_000)) < 0.3)
    target = np.stack([target, ~target]).astype(np.float32)
    p, t = prediction.astype(np.float64), target.astype(np.float64)
    exact = math.fsum((p * (1 - t) + t * (1 - p)).ravel().tolist()) / math.fsum((p + t).ravel().tolist())
    for read in (np.asarray, torch.from_numpy):
        arguments = (read(array.swapaxes(1, 2)) for array in (prediction, target))
        came = slopes.dice(*arguments, mode="multilabel", over="all", from_probabilities=True)
        assert units_off(came, exact) <= 2
