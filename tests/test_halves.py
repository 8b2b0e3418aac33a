"""Every float16 and bfloat16, value and slope: the nearest number of the format to the exact result."""

from functools import lru_cache

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import slopes  # noqa: E402
from helpers import require_kernels  # noqa: E402
from slopes import ops  # noqa: E402
from slopes.card import Map  # noqa: E402
from slopes.fast import halves, short  # noqa: E402
from slopes.readings.numpy import round_to_odd  # noqa: E402

FORMATS = {"float16": (torch.float16, 11, -24), "bfloat16": (torch.bfloat16, 8, -133)}  #: dtype, digits, least exponent
DOUBT = 1e-10  #: relative error of float64, very generously: it cancels near roots
DIGITS = 100  #: of exact results; x/2 + x²/4 is not x/2 for the least bfloat16 either


def inputs(form):
    """All numbers of a format, with infinities and NaN, by their bits."""
    return torch.arange(2**16, dtype=torch.int32).to(torch.int16).view(FORMATS[form][0])


def as_tensor(bits, form):
    return torch.from_numpy(bits.view(np.int16)).view(FORMATS[form][0])


def rounded(form, values):
    """Round float64 numbers to the format, once, as float64 numbers."""
    _, digits, least = FORMATS[form]
    with np.errstate(all="ignore"):
        unit = np.maximum(np.frexp(values)[1] - digits, least)
        made = np.ldexp(np.rint(np.ldexp(values, -unit)), unit)
        return np.where(abs(made) > float(torch.finfo(FORMATS[form][0]).max), np.copysign(np.inf, made), made)


def nearest(card, form, result):
    """Return the right results: by float64 where its error cannot matter, else by Arb."""
    import mpmath

    x = inputs(form).double().numpy()
    with np.errstate(all="ignore"):
        values = card(x) if result == "value" else card.slope(x)
        reach = DOUBT * abs(values) + 5e-324
        low, high = (rounded(form, values + side * reach) for side in (-1, 1))
    right = rounded(form, values)
    (open_,) = np.nonzero((low != high) & np.isfinite(values) & np.isfinite(x))
    oracle = slopes.exact(card, DIGITS)
    exact = (oracle if result == "value" else oracle.slope)(x[open_]) if open_.size else []
    with mpmath.workdps(2 * DIGITS):
        for place, value in zip(open_, exact, strict=True):
            tie = (mpmath.mpf(low[place]) + mpmath.mpf(high[place])) / 2
            if mpmath.isinf(tie) or abs(value - tie) <= abs(tie) * mpmath.mpf(10) ** (10 - DIGITS):
                right[place] = rounded(form, np.float64(value))
            else:
                right[place] = low[place] if value < tie else high[place]
    return right


def assert_right(results, right):
    came = results.detach().double().numpy() if isinstance(results, torch.Tensor) else results.astype(float)
    np.testing.assert_array_equal(came, right)


def value_and_gradient(card, x):
    x = x.clone().requires_grad_()
    value = card(x)
    value.backward(torch.ones_like(value))
    return value, x.grad


@pytest.mark.sampled(every=3)
@pytest.mark.parametrize("form", FORMATS)
def test_all_half_numbers_are_rounded_right(activation, form, monkeypatch):
    if isinstance(activation, Map):
        pytest.skip("a function of rows")
    pytest.importorskip("flint")
    monkeypatch.setattr(activation, "cache", {})
    monkeypatch.setattr(halves, "_find_once", halves._find_once.__wrapped__)
    x = inputs(form)
    right = {result: nearest(activation, form, result) for result in ("value", "slope")}
    for part in (slice(None, None, 65), slice(None)):  # computed, and looked up
        value, gradient = value_and_gradient(activation, x[part])
        assert_right(value, right["value"][part])
        assert_right(activation.slope(x[part]), right["slope"][part])
        if activation.name in short.STRAIGHT_IN_HALF:
            gradient[x[part].isnan()] = torch.nan  # where PyTorch's is the incoming one
        assert_right(gradient, right["slope"][part])
        if form == "float16":
            assert_right(activation(x[part].numpy()), right["value"][part])
            assert_right(activation.slope(x[part].numpy()), right["slope"][part])


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "bound",
    [
        slopes.elu.with_(alpha=0.7), slopes.silu.with_(beta=3), slopes.gelu.with_(approximate="tanh"),
        slopes.hard_tanh.with_(max_val=2.0), slopes.hard_tanh.with_(max_val=0.7), slopes.softshrink.with_(lambd=0.7),
        slopes.hardshrink.with_(lambd=0.7), slopes.threshold.with_(threshold=0.7, value=0.3),
    ],
    ids=lambda card: card.name,
)  # fmt: skip
def test_parameters_are_rounded_once_too(bound, form, monkeypatch):
    """They are computed as in NumPy's float64, first one by one and then in a table."""
    monkeypatch.setattr(halves, "_find_once", lru_cache(halves._find_once.__wrapped__))
    x = inputs(form)
    with np.errstate(all="ignore"):
        value, slope = (rounded(form, compute(x.double().numpy())) for compute in (bound, bound.slope))
    if "approximate" in bound.bound:  # a choice, whose ties are known
        value = nearest(bound, form, "value")
    for part in (slice(None, None, 65), slice(None), slice(None, None, 3)):
        of_part, gradient = value_and_gradient(bound, x[part])
        assert_right(of_part, value[part])
        if bound.bound.get("max_val") == 2.0:  # PyTorch's own, as the format holds it
            gradient[x[part].isnan()] = torch.nan
        assert_right(gradient, slope[part])


@pytest.mark.sampled(every=40)
@pytest.mark.parametrize("form", FORMATS)
def test_kernels_of_a_users_card_round_all_half_numbers_right(activation, form, monkeypatch):
    """As float64 tells: where that is at a tie, only the catalogue knows the side."""
    if isinstance(activation, Map):
        pytest.skip("a function of rows")
    require_kernels()
    from slopes.kernels.tensors import activations

    own = slopes.activation()(lambda x: activation.body(x, **activation.settings))
    own.derivative(lambda x: activation.slope_body(x, **activation.settings))
    sizes, run = [], activations._run_on_half_types
    monkeypatch.setattr(
        activations, "_run_on_half_types", lambda *given: sizes.append(given[-1].numel()) or run(*given)
    )
    x = inputs(form).repeat(2)  # as many as repay a trace
    wide = x.double().numpy()
    with np.errstate(all="ignore"):
        exact = activation(wide), activation.slope(wide)
        for results, values in zip(value_and_gradient(own, x), exact, strict=True):
            is_told = np.isnan(halves.find_ties(values, form))
            assert_right(results[torch.from_numpy(is_told)], rounded(form, values[is_told]))
    assert sizes == [x.numel()] * 2


def test_a_table_is_made_once_enough_was_computed(monkeypatch):
    """So a schedule, whose parameters change at each step, costs as much as the entries."""
    monkeypatch.setattr(halves, "_find_once", lru_cache(halves._find_once.__wrapped__))
    sizes, compute = [], halves.HalfActivation._compute
    monkeypatch.setattr(
        halves.HalfActivation,
        "_compute",
        lambda own, output, bits: sizes.append(bits.size) or compute(own, output, bits),
    )
    x = np.linspace(-4, 4, 1000, dtype=np.float16)
    for _ in range(3):
        slopes.celu(x, alpha=0.3)
        slopes.celu.with_(alpha=0.4).slope(x)
    assert sizes == [1000] * 6
    for _ in range(100):
        slopes.celu(x, alpha=0.3)
    assert sizes[6:] == [1000] * 60 + [2**16]


@pytest.mark.parametrize("form", FORMATS)
def test_a_float32_rounded_to_odd_is_rounded_right_again(form):
    rng = np.random.default_rng(0)
    _, digits, least = FORMATS[form]
    exponents = rng.integers(least - 3, least + 40, 100_000)
    ties = np.ldexp(rng.integers(2 ** (digits - 1), 2**digits, 100_000) + 0.5, exponents - digits)
    values = np.concatenate(
        [ties, ties * (1 + 2.0**-50), ties * (1 - 2.0**-50), rng.standard_normal(100_000), [0.0, 1e300]]
    )
    values *= rng.choice([-1, 1], values.size)
    narrow = halves.FORMATS[form].narrow
    with np.errstate(all="ignore"):
        once, twice = (as_tensor(narrow(single), form) for single in (round_to_odd(values), values.astype("f4")))
    assert_right(once, rounded(form, values))
    assert (twice.double().numpy() != rounded(form, values)).sum() > 10_000


def test_numbers_of_both_formats_are_converted_as_pytorch_does():
    singles = np.random.default_rng(0).integers(0, 2**32, 10**6, dtype=np.uint32).view(np.float32)
    singles = np.concatenate([singles, np.float32([np.inf, -np.inf, np.nan, 0.0, -0.0])])
    for form, (widen, narrow, _, _) in halves.FORMATS.items():
        x = inputs(form)
        with np.errstate(all="ignore"):
            np.testing.assert_array_equal(widen(halves.EVERY), x.double().numpy())
        due = torch.from_numpy(singles).to(FORMATS[form][0])
        with np.errstate(all="ignore"):
            came = as_tensor(narrow(singles), form)
        assert torch.equal(came.isnan(), due.isnan())
        assert torch.equal(came[~came.isnan()].view(torch.int16), due[~due.isnan()].view(torch.int16))


def test_arrays_of_any_layout():
    whole = np.linspace(-9, 9, 600, dtype=np.float16).reshape(20, 30)
    right = slopes.mish(whole.astype(float)).astype(np.float16)
    for x, due in (
        (whole.T, right.T),
        (whole[::2, ::-3], right[::2, ::-3]),
        (whole[:0], right[:0]),
        (whole[3, 4], right[3, 4]),
    ):
        result = slopes.mish(x)
        assert (result.dtype, np.shape(result)) == (np.float16, np.shape(x))
        np.testing.assert_array_equal(result, due)
    for other in (whole.astype(">f2"), np.asfortranarray(whole)):
        np.testing.assert_array_equal(slopes.mish(other), right)
    out = whole.copy()
    assert slopes.mish(out, out=out) is out
    np.testing.assert_array_equal(out, right)
    assert type(slopes.mish(whole[3, 4])) is np.float16


@slopes.activation
def times_factor(x):
    """Product with a global number."""
    return x * FACTOR


@times_factor.derivative
def _(x):
    return ops.step(x, FACTOR, FACTOR)


FACTOR = 2.0


def test_a_users_body_is_computed_anew(monkeypatch):
    x = torch.ones(2**16, dtype=torch.bfloat16)
    assert (times_factor(x) == 2).all()
    monkeypatch.setitem(globals(), "FACTOR", 3.0)
    assert (times_factor(x) == 3).all()
    assert (times_factor(x[:9].half().numpy()) == 3).all()


def test_under_autocast_results_are_as_right():
    x = inputs("bfloat16")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value, gradient = value_and_gradient(slopes.gelu, x)
    due, slope = value_and_gradient(slopes.gelu, x)
    torch.testing.assert_close(value, due, rtol=0, atol=0, equal_nan=True)
    torch.testing.assert_close(gradient, slope, rtol=0, atol=0, equal_nan=True)
    assert value.dtype is torch.bfloat16


def test_numbers_are_rounded_to_formats_once():
    assert rounded("float16", np.array([1 + 2**-11, 1 + 3 * 2**-11, 65520.0, 2.0**-25, 1.1 * 2.0**-25])).tolist() == [
        1, 1 + 2**-9, np.inf, 0, 2.0**-24
    ]  # fmt: skip
    assert rounded("bfloat16", np.array([1 + 2**-8, 1.5 * 2.0**-133])).tolist() == [1, 2.0**-132]
    few = np.array([0.1, -3e-8, 5e4, 7e-5])
    assert np.array_equal(rounded("float16", few), few.astype(np.float16).astype(float))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize(
    ("name", "parameter", "count"),
    [("snake", "alpha", 1), ("sine", "omega", 1), ("barron_general", "alpha", 2), ("dpo", "beta", 4)],
)
def test_parameters_of_half_types(name, parameter, count, dtype):
    """As of a model that was trained in float32 and then made half; bodies split numbers, and halves would overflow."""
    card = getattr(slopes, name)
    given = [torch.linspace(-3, -0.5, 50).roll(7 * place).to(dtype) for place in range(count)]
    number = torch.tensor([1.3], dtype=dtype)
    due = card(*given, **{parameter: number.item()})
    for arguments in (given, [x.float() for x in given]):
        learnt = number.clone().requires_grad_()
        came = card(*arguments, **{parameter: learnt})
        torch.testing.assert_close(came.to(due.dtype), due, rtol=2 * torch.finfo(dtype).eps, atol=1e-3)
        came.sum().backward()
        assert learnt.grad.dtype == dtype
        assert torch.isfinite(learnt.grad).all()
    if dtype == torch.float16:
        arrays = [x.numpy() for x in given]
        came = card(*arrays, **{parameter: number.numpy()})
        np.testing.assert_allclose(came, card(*arrays, **{parameter: number.item()}), rtol=2e-3)
