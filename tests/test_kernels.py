"""Kernels compute what the cards do, as accurately as they promise, in every process and thread."""

import itertools
import os
import pathlib
import platform
import re
import runpy
import subprocess
import sys
import threading
import tracemalloc

import numpy as np
import pytest

import slopes
from helpers import every_exponent, mark_exhaustive, require_kernels
from slopes import kernels, ops
from slopes.catalogue import ACTIVATIONS
from slopes.kernels import compiling, entries, programs
from slopes.kernels.printing.entries import print_kernel
from slopes.readings.program import evaluate
from slopes.readings.trace import record
from test_trace import CASES, ELEMENTWISE, SPECIAL, arguments_of, cancelling, computed, rows_of

require_kernels()
mp = pytest.importorskip("mpmath").mp

from slopes.kernels.compiling import emitting, machine_code  # noqa: E402

ONE_BY_ONE = [card for card in dict.fromkeys(ACTIVATIONS.values()) if not card.rowwise]
LARGE = 2**17
ROOT = pathlib.Path(__file__).parents[1]


def errors_in_ulp(result, exact):
    """How far a result in float32 is from the exact one in float64, in units in the last place."""
    with np.errstate(all="ignore"):
        rounded = exact.astype(np.float32)
        unit = np.spacing(np.maximum(np.abs(rounded), np.finfo(np.float32).tiny)).astype(np.float64)
        error = np.abs(result - exact) / unit
    same = (result == rounded) | (np.isnan(result) & np.isnan(rounded))
    assert (np.isfinite(result) == np.isfinite(rounded)).all()
    return np.where(same, 0.0, error)


@pytest.mark.parametrize("chosen", mark_exhaustive(ONE_BY_ONE, every=12), ids=[card.name for card in ONE_BY_ONE])
def test_values_in_float32_are_within_2_ulp(chosen):
    x = every_exponent(SPECIAL)
    result = kernels.compute(chosen, "value", x)
    exact = computed(chosen, [x.astype(np.float64)])["value"]
    assert result.dtype == np.float32
    assert errors_in_ulp(result, exact).max() <= 2
    nought = (exact == 0) & (result == 0)
    if chosen.name in ("elu", "selu"):
        nought &= x != 0  # np.minimum takes either of two zeros
    np.testing.assert_array_equal(np.signbit(result[nought]), np.signbit(exact[nought]))


@pytest.mark.parametrize("chosen", mark_exhaustive(ONE_BY_ONE, every=12), ids=[card.name for card in ONE_BY_ONE])
def test_slopes_in_float32_are_within_2_ulp_or_an_eps_of_their_terms(chosen):
    x = every_exponent(SPECIAL)
    exact = computed(chosen, [x.astype(np.float64)])["slope"]
    slope, beside_value = (kernels.compute(chosen, names, x)[-1] for names in (("slope",), ("value", "slope")))
    for result in (slope, beside_value, -kernels.compute(chosen, "vjp", x, -np.ones_like(x))):
        near_a_root = (np.abs(exact) < 0.15) & (np.abs(x) < 4)
        assert errors_in_ulp(result, exact)[~near_a_root].max() <= 2.5
        assert np.abs(result[near_a_root] - exact[near_a_root]).max(initial=0) <= 2.0**-24


@pytest.mark.exhaustive
@pytest.mark.parametrize("chosen", ONE_BY_ONE, ids=[card.name for card in ONE_BY_ONE])
def test_every_thousandth_number_of_float32_gives_values_and_slopes_within_2_ulp(chosen):
    """Eight thousand numbers of each exponent and sign; slopes near a root within an eps of their terms."""
    x = np.arange(0, 2**32, 1021, dtype=np.uint32).view(np.float32)
    for part in np.array_split(x[~np.isnan(x)], 8):
        exact = computed(chosen, [part.astype(np.float64)])
        assert errors_in_ulp(kernels.compute(chosen, "value", part), exact["value"]).max() <= 2
        slope = kernels.compute(chosen, "slope", part)
        near_a_root = (np.abs(exact["slope"]) < 0.15) & (np.abs(part) < 4)
        assert errors_in_ulp(slope, exact["slope"])[~near_a_root].max() <= 2
        assert np.abs(slope[near_a_root] - exact["slope"][near_a_root]).max(initial=0) <= 2.0**-24


def test_a_kernel_is_found_by_one_look(monkeypatch):
    x = np.linspace(-3, 3, 64, dtype=np.float32)
    wanted = [kernels.compute(slopes.elu, "value", x, alpha=alpha) for alpha in (0.5, 0.75)]
    monkeypatch.setattr(entries, "source_and_numbers", None)
    for alpha, values in zip((0.5, 0.75), wanted, strict=True):
        np.testing.assert_array_equal(kernels.compute(slopes.elu, "value", x, alpha=alpha), values)


def test_parameters_that_equal_one_another_have_kernels_of_their_own():
    x = np.full(64, -1.0, np.float32)
    for value in (0.0, -0.0, 0.0):
        assert np.signbit(
            kernels.compute(slopes.threshold, "value", x, threshold=0.5, value=value)
        ).all() == np.signbit(value)
    assert (kernels.compute(slopes.elu, "slope", x, alpha=1) == kernels.compute(slopes.elu, "slope", x)).all()
    with pytest.raises(ValueError, match="alpha must be > 0, got True"):
        kernels.compute(slopes.elu, "value", x, alpha=True)


@pytest.mark.parametrize("name", programs.WIDE["value"])
def test_what_is_computed_in_float64_would_else_lose_digits(name, monkeypatch):
    x, card = every_exponent(SPECIAL), ACTIVATIONS[name]
    monkeypatch.setattr(programs, "WIDE", {"value": (), "slope": ()})
    programs._write_once.cache_clear()
    entries._prepare_once.cache_clear()
    result = kernels.compute(card, "value", x)
    programs._write_once.cache_clear()
    entries._prepare_once.cache_clear()
    assert errors_in_ulp(result, computed(card, [x.astype(np.float64)])["value"]).max() > 2


@pytest.mark.parametrize("chosen", mark_exhaustive(ELEMENTWISE, every=12), ids=[card.name for card in ELEMENTWISE])
def test_kernels_in_float64_agree_with_numpy(chosen):
    arguments = arguments_of(chosen)
    for output, expected in computed(chosen, arguments).items():
        result = kernels.compute(chosen, output, *arguments)
        np.testing.assert_array_equal(np.isfinite(result), np.isfinite(expected))
        finite = np.isfinite(expected)
        # a loss near its minimum, and a slope near its root, is a difference of terms of about 1
        allowed = 8 * np.spacing(np.abs(expected[finite])) + cancelling(2e-15, arguments)[finite]
        assert (np.abs(result[finite] - expected[finite]) <= allowed).all()


def _erf(x):
    with mp.workdps(30):
        return np.copysign([np.longdouble(str(mp.erf(each.item()))) for each in x], x)  # mpmath has no −0


@pytest.mark.parametrize(
    ("name", "allowed"),
    [("exp", 1.0), ("expm1", 2.0), ("log", 1.0), ("log1p", 1.5), ("tanh", 2.0), ("sinh", 3.0), ("erf", 1.6)],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_elementary_functions_are_within_few_ulp(name, allowed, dtype):
    def body(x):
        return getattr(ops, name)(x)

    card = slopes.activation(body)
    program = kernels.program(card, "value", dtype=dtype)
    kernel = kernels.load(print_kernel(program, name))
    x = every_exponent(SPECIAL).astype(dtype)
    result = np.empty_like(x)
    kernel(x, result)
    with np.errstate(all="ignore"):
        exact = _erf(x) if name == "erf" else getattr(np, name)(x.astype(np.longdouble))
        rounded = exact.astype(dtype)
        unit = np.spacing(np.maximum(np.abs(rounded), np.finfo(dtype).tiny))
        error = np.abs(result - exact) / unit
    same = (result == rounded) | (np.isnan(result) & np.isnan(rounded))
    assert (np.isfinite(result) == np.isfinite(rounded)).all()
    worst = np.argmax(np.where(same, 0, error))
    if (name, dtype) == ("tanh", "float64"):  # the slope of tanhshrink is its square
        allowed = 1.5
    assert error[~same].max(initial=0) <= allowed, (x[worst], result[worst], exact[worst])
    np.testing.assert_array_equal(np.signbit(result[rounded == 0]), np.signbit(rounded[rounded == 0]))


def test_an_exponential_of_two_numbers_has_more_digits_than_float32():
    from numba import njit

    from slopes.kernels.arithmetic.elementary import decay, low_of_exp

    @njit
    def both(numbers):
        return [decay(x, np.float32(1)) for x in numbers], [low_of_exp(x) for x in numbers]

    x = -np.abs(every_exponent(SPECIAL))
    x = x[x > -87]
    high, low = (np.array(part, np.float32) for part in both(x))
    exact = np.exp(x.astype(np.float64))
    assert (np.abs(low) <= np.spacing(high)).all()
    error = np.abs(high.astype(np.float64) + low - exact) / np.spacing(high)
    assert error.max() <= 0.5
    assert error[x > -0.1].max() <= 0.1


NAMES = {"sin": lambda x: mp.sin(x), "cos": lambda x: mp.cos(x), "snake": lambda x: x + mp.sin(x) ** 2}
NAMES["snake_slope"] = lambda x: 1 + mp.sin(2 * x)


@pytest.mark.parametrize(
    "case", mark_exhaustive(itertools.product(NAMES, ["float32", "float64"]), every=3), ids="-".join
)
def test_functions_with_a_period_are_right_however_far_out(case):
    """Near 0, where a loop takes several at once, as far as possible from it, and in blocks that have both."""
    name, dtype = case
    form = {"snake": lambda x: ops.snake(x, 1.0), "snake_slope": lambda x: ops.snake_slope(x, 1.0)}.get(name)
    program = record(lambda x: {"value": (form or getattr(ops, name))(x)}, ["x"], dtype)
    kernel, rng = kernels.load(print_kernel(program, name)), np.random.default_rng(0)
    turns = np.arange(-40, 40) * np.pi / 4
    near = np.concatenate([turns, rng.uniform(-8, 8, 400), rng.uniform(0.5, 1, 300) * 2.0 ** rng.integers(-9, 17, 300)])
    far = rng.uniform(0.5, 1, 300) * 2.0 ** rng.integers(17, 127 if dtype == "float32" else 1023, 300)
    largest = [np.finfo(dtype).max, 6381956970095103.0 * 2.0**797]  # the second lies nearest to a multiple of π/2
    powers = 2.0 ** np.arange(15.0, 54.0)
    beyond = np.nextafter(powers.astype(dtype), np.inf, dtype=dtype)
    for x in (
        near, -near, np.concatenate([near, far]), -far, powers, -powers, beyond, -beyond,
        np.array(largest[: 1 if dtype == "float32" else 2]),
    ):  # fmt: skip
        x = x.astype(dtype)
        result = np.empty_like(x)
        kernel(x, result)
        with mp.workprec(1300):
            exact = [NAMES[name](mp.mpf(float(number))) for number in x]
            unit = [mp.ldexp(1, max(mp.frexp(y)[1], -125) - np.finfo(dtype).nmant - 1) for y in exact]
            errors = [abs(mp.mpf(float(y)) - z) / u for y, z, u in zip(result, exact, unit, strict=True)]
        assert max(errors) <= (2 if dtype == "float32" else 3)


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "silu", "quick_gelu", "gelu_tanh", "softcap"])
def test_slopes_of_sigmoids_take_one_exponential(name):
    program = kernels.program(ACTIVATIONS[name], "slope")
    assert sum("sigmoid" in line.operation or line.operation == "gate_slope" for line in program.lines) == 1


@pytest.mark.parametrize("b", [1e-250, 0.1, 4.0, 1e300])
def test_a_hyperbola_takes_one_root_and_one_quotient(b):
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, 1000) * b**0.5 * 2.0 ** rng.integers(-60, 60, 1000)
    x = np.concatenate([x, [0.0, np.inf, -np.inf, np.nan, 1e308, -1e308]])
    lines = kernels.program(slopes.squareplus, "value").lines
    divisors = [lines[line.arguments[1]].operation for line in lines if line.operation == "divide"]
    assert [line.operation for line in lines].count("sqrt") == 1
    assert [divisor for divisor in divisors if divisor != "constant"] == ["add"]  # of the left half
    for output, plain in (("value", slopes.squareplus), ("slope", slopes.squareplus.slope)):
        result = kernels.compute(slopes.squareplus, output, x, b=b)
        np.testing.assert_allclose(result, plain(x, b=b), rtol=4 * np.finfo(float).eps)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_normal_distribution_divides_once(dtype):
    value, slope = (kernels.program(slopes.gelu, output, dtype=dtype) for output in ("value", "slope"))
    assert [line.operation for line in slope.lines] == ["input", "normal_gate_slope"]
    assert [line.operation for line in value.lines] == ["input", "ndtr"]
    x = np.array([0.0, -0.0, -60, 60, -np.inf, np.inf, np.nan], dtype)
    value, slope = kernels.compute(slopes.gelu, ("value", "slope"), x)
    np.testing.assert_array_equal(value, np.array([0, 0, 0, 60, 0, np.inf, np.nan], dtype))
    np.testing.assert_array_equal(slope, np.array([0.5, 0.5, 0, 1, 0, 1, np.nan], dtype))
    assert np.signbit(value[:2]).tolist() == [False, True]


def count_vector_operations(card, *outputs):
    """Operations on vectors for each that is read, as LLVM repeats a loop's body."""
    namespace = {"__name__": "kernel"}
    exec(kernels.source(card, *outputs, dtype="float32"), namespace)
    (code,) = namespace["kernel"].inspect_llvm().values()
    return len(re.findall(r"= \S[^\n]*<\d+ x float>", code)) / len(re.findall(r"= load <\d+ x float>", code))


@pytest.mark.parametrize(
    ("name", "share"), [("sigmoid", 0.75), ("silu", 0.75), ("tanh", 0.8), ("gelu", 0.65), ("mish", 0.88)]
)
def test_a_value_and_its_slope_share_their_operations(name, share):
    both = count_vector_operations(ACTIVATIONS[name], "value", "slope")
    apart = [count_vector_operations(ACTIVATIONS[name], output) for output in ("value", "slope")]
    assert both < share * sum(apart)
    x = every_exponent(SPECIAL)
    value, _ = kernels.compute(ACTIVATIONS[name], ("value", "slope"), x)
    np.testing.assert_array_equal(value, kernels.compute(ACTIVATIONS[name], "value", x))


def test_the_sigmoid_needs_no_choice_of_a_side():
    """Both sides of 0 are one quotient, of numbers that a power of 2 keeps from overflowing."""
    for card, operation in ((slopes.sigmoid, "sigmoid"), (slopes.silu, "silu")):
        assert [line.operation for line in kernels.program(card, "value").lines] == ["input", operation]
        both = [count_vector_operations(chosen, "value") for chosen in (card, slopes.exponential)]
        assert both[0] < 1.2 * both[1]
    for dtype, least in (("float32", -104.0), ("float64", -746.0)):
        x = np.linspace(least - 20, 0, 5001).astype(dtype)
        wide = x.astype(np.longdouble)
        for card, times in ((slopes.sigmoid, 1), (slopes.silu, wide)):
            exact = times / (1 + np.exp(-wide))
            unit = np.spacing(np.maximum(np.abs(exact.astype(dtype)), np.finfo(dtype).tiny))
            assert (np.abs(kernels.compute(card, "value", x) - exact) <= 2 * unit).all()


def test_slopes_of_gates_end_where_their_exponential_does():
    x = np.array([np.inf, -np.inf, 1e300, -1e300, -800.0, 0.0, -0.0])
    for card in (slopes.silu, slopes.quick_gelu, slopes.gelu_tanh):
        np.testing.assert_array_equal(kernels.compute(card, "slope", x)[[0, 1, 2, 3, 5, 6]], [1, 0, 1, 0, 0.5, 0.5])
    slope, _ = kernels.compute(slopes.swiglu, ("slope_gate", "slope_value"), x, np.full_like(x, np.inf))
    np.testing.assert_array_equal(slope, [np.inf, 0, np.inf, 0, -np.inf, np.inf, np.inf])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_exp_is_beyond_its_line_keeps_its_digits(dtype):
    """And has no more than one polynomial: the series that arrays use divides sixteen times."""
    program = record(lambda x: {"value": ops.expm1_less(x)}, ["x"], dtype)
    assert [line.operation for line in program.lines] == ["input", "expm1_less"]
    kernel, rng = kernels.load(print_kernel(program, "expm1_less")), np.random.default_rng(0)
    sizes = rng.uniform(0.5, 1, 500) * 2.0 ** rng.integers(-40, 12, 500)
    x = np.concatenate([rng.uniform(-1.2, 1, 2000), -sizes, [0.0, -1e30, -np.inf, np.nan]]).astype(dtype)
    result = np.empty_like(x)
    kernel(x, result)
    np.testing.assert_array_equal(result[-4:], np.array([0.0, 1e30, np.inf, np.nan], dtype))
    with mp.workprec(200):
        exact = [mp.expm1(mp.mpf(float(number))) - mp.mpf(float(number)) for number in x[:-4]]
        unit = [mp.ldexp(1, mp.frexp(y)[1] - np.finfo(dtype).nmant - 1) for y in exact]
        errors = [abs(mp.mpf(float(y)) - z) / u for y, z, u in zip(result[:-4], exact, unit, strict=True)]
    assert max(errors) <= (2 if dtype == "float32" else 2.5)


@pytest.mark.parametrize("name", ["sin", "cos"])
def test_functions_with_a_period_at_zero_and_beyond_all_numbers(name):
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan])
    program = record(lambda x: {"value": getattr(ops, name)(x)}, ["x"], "float64")
    kernel = kernels.load(print_kernel(program, name))
    for part in (x[:2], x[4:], x):  # near 0, and not
        result = np.empty_like(part)
        kernel(part, result)
        with np.errstate(invalid="ignore"):
            exact = getattr(np, name)(part)
        np.testing.assert_array_equal(result, exact)
        np.testing.assert_array_equal(np.signbit(result[exact == 0]), np.signbit(exact[exact == 0]))


@pytest.mark.parametrize("alpha", [0.3, -2.5, 1e-5, 1e20, 0.0])
def test_the_snake_turns_by_kernels_as_without(alpha):
    x = np.concatenate([large("float64") * scale for scale in (1, 1e3, 1e17, 1e-300)])
    x = np.concatenate([x, [1e300, -1e300, np.inf, -np.inf, np.nan, 0.0]])
    for call in (slopes.snake, slopes.snake.slope):
        plain = np.concatenate([call(part, alpha=alpha) for part in np.array_split(x, 40 * 8)])
        np.testing.assert_allclose(call(x, alpha=alpha), plain, rtol=1e-13, atol=1e-16)


def test_the_slope_of_snake_keeps_its_digits_where_the_rounding_of_the_angle_is_many_turns():
    mpmath = pytest.importorskip("mpmath")
    x = np.concatenate([[3.928138156326968e23], 10 ** np.random.default_rng(0).uniform(20, 26, 2000)])
    came = slopes.snake.slope(np.resize(x, 2**15), alpha=42.0)[: len(x)]
    with mpmath.workprec(300):
        exact = [1 + mpmath.sin(84 * mpmath.mpf(float(each))) for each in x]
        errors = [
            abs(float((float(a) - b) / np.spacing(max(float(b), 1e-3)))) for a, b in zip(came, exact, strict=True)
        ]
    assert max(errors) < 4


@pytest.mark.parametrize("chosen", mark_exhaustive(ONE_BY_ONE, every=12), ids=[card.name for card in ONE_BY_ONE])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_loops_take_several_entries_at_once(chosen, dtype):
    for output in ("value", "slope", "vjp"):
        namespace = {"__name__": "kernel"}
        exec(kernels.source(chosen, output, dtype=dtype), namespace)
        (code,) = namespace["kernel"].inspect_llvm().values()
        stored = "<(4|8|16) x float>" if dtype == "float32" else "<(2|4|8) x double>"
        assert re.search(f"store {stored}", code)
        assert not re.search(r"call [^\n]*@(llvm\.)?(sin|cos|exp|log|pow|tanh|erf)", code)


def test_the_polynomials_are_those_of_the_script():
    script = runpy.run_path(str(ROOT / "tools" / "fit_elementary.py"))
    home = ROOT / "src" / "slopes" / "kernels" / "arithmetic"
    assert script["text"]() == (home / "coefficients.py").read_text(encoding="utf-8")


# ---------------------------------------------------------------------------------------------- rows


@pytest.mark.parametrize("case", mark_exhaustive(CASES, every=20), ids=[f"{c.name}-{labels}" for c, labels in CASES])
def test_kernels_of_rows_agree_with_numpy(case):
    """To a few eps of the terms, which are about as large as the arguments."""
    chosen, labels = case
    for dtype, allowed in (("float64", 2e-14), ("float32", 1e-5)):
        arguments = [a if a.dtype.kind == "i" else a.astype(dtype) for a in rows_of(chosen, labels)]
        wide = [a if a.dtype.kind == "i" else a.astype("float64") for a in arguments]
        program = kernels.program(chosen, labels=labels)
        outputs = [name for name, _ in program.outputs]
        expected = evaluate(program, **dict(zip(program.inputs, wide, strict=True)))
        results = kernels.compute(chosen, outputs, *arguments)
        for output, result in zip(outputs, results, strict=True):
            exact = np.broadcast_to(expected[output], result.shape)
            assert result.dtype == dtype
            np.testing.assert_allclose(result, exact, rtol=allowed, atol=allowed * np.abs(exact).max())


def test_strange_rows_give_what_the_card_gives():
    rows = np.array([[-np.inf] * 3, [0.0, -np.inf, 3.0], [2.0, 2.0, np.nan], [np.nan, 1.0, 2.0], [1e300, -1e300, 0.0]])
    rows = np.concatenate([rows, [[5e-324, -5e-324, 0.0], [-0.0, 0.0, -0.0]]])
    for card in (slopes.softmax, slopes.log_softmax):
        with np.errstate(all="ignore"):
            exact = card.body(rows)
        np.testing.assert_allclose(kernels.compute(card, "value", rows), exact, rtol=1e-15)


def test_rows_may_lie_in_any_layout():
    rows = large("float64")[: 6 * 50 * 20].reshape(6, 50, 20)
    labels = np.arange(300).reshape(6, 50) % 20
    expected = kernels.compute(slopes.cross_entropy, ("value", "slope"), rows, labels)
    assert [result.shape for result in expected] == [(6, 50), (6, 50, 20)]
    given = (np.asfortranarray(rows), labels[::-1][::-1].astype("int32")), (np.repeat(rows, 2, -1)[..., ::2], labels)
    for arguments in given:
        for result, exact in zip(
            kernels.compute(slopes.cross_entropy, ("value", "slope"), *arguments), expected, strict=True
        ):
            np.testing.assert_array_equal(result, exact)
    assert kernels.compute(slopes.cross_entropy, "value", rows[:0], labels[:0]).shape == (0, 50)
    value = kernels.compute(slopes.cross_entropy, "value", rows[0, 0], labels[0, 0])
    np.testing.assert_array_equal(value, expected[0][0, 0])


def test_a_users_loss_of_rows_has_a_kernel():
    @slopes.loss("classification")
    def squared(prediction, target):
        return ops.sum((ops.softmax(prediction) - ops.one_hot(target, like=prediction)) ** 2)[..., 0]

    rows, labels = large("float64")[:700].reshape(100, 7), np.arange(100) % 7
    result = kernels.compute(squared, "value", rows, labels)
    np.testing.assert_allclose(result, squared(rows, labels, reduction="none"), rtol=1e-13)


def test_no_entry_beyond_a_row_is_read():
    @slopes.loss("vectors")
    def third(prediction, target):
        return ops.entry(prediction, 2) * 2 + ops.entry(target, 0)

    rows = np.arange(12.0).reshape(4, 3)
    np.testing.assert_array_equal(kernels.compute(third, "value", rows, rows), rows[:, 2] * 2 + rows[:, 0])
    with pytest.raises(ValueError, match="third: a row has 2 entries, and no entry 2"):
        kernels.compute(third, "value", rows[:, :2], rows[:, :2])


def test_rows_that_do_not_fit_are_refused():
    rows, labels = np.ones((4, 3)), np.zeros(4, dtype=int)
    with pytest.raises(ValueError, match="cross_entropy: labels must lie between 0 and 2"):
        kernels.compute(slopes.cross_entropy, "value", rows, labels + 3)
    with pytest.raises(ValueError, match="labels must lie between 0 and 2"):
        kernels.compute(slopes.cross_entropy, "value", rows, labels - 1)
    with pytest.raises(TypeError, match=r"target must have the shape \(4,\) and hold integers, got the shape \(3,\)"):
        kernels.compute(slopes.cross_entropy, "value", rows, labels[:3])
    with pytest.raises(TypeError, match=r"target must have the shape \(4, 3\) and hold float64"):
        kernels.compute(slopes.cross_entropy, "value", rows, rows.astype("float32"))
    with pytest.raises(TypeError, match="takes prediction, target, got 1 arrays"):
        kernels.compute(slopes.cross_entropy, "value", rows)
    with pytest.raises(TypeError, match="softmax: a kernel takes rows of float32 or float64, with at least one entry"):
        kernels.compute(slopes.softmax, "value", rows[:, :0])
    with pytest.raises(TypeError, match="softmax: a kernel of rows takes no out"):
        kernels.compute(slopes.softmax, "value", rows, out=rows)


# ------------------------------------------------------------------------------------ arrays and out


def large(dtype="float32"):
    return np.random.default_rng(1).standard_normal(LARGE + 7).astype(dtype)


LAYOUTS = {
    "plain": lambda x: x,
    "matrix": lambda x: x[:LARGE].reshape(256, -1),
    "columns": lambda x: np.asfortranarray(x[:LARGE].reshape(256, -1)),
    "gaps": lambda x: np.repeat(x, 2)[::2],
    "backwards": lambda x: x[::-1],
    "expanded": lambda x: np.broadcast_to(x, (2, x.size)),
    "empty": lambda x: x[:0],
    "number": lambda x: x[0].reshape(()),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_arrays_of_any_layout(layout):
    x = LAYOUTS[layout](large())
    expected = kernels.compute(slopes.silu, "value", np.ascontiguousarray(x).reshape(-1)).reshape(x.shape)
    np.testing.assert_array_equal(kernels.compute(slopes.silu, "value", x), expected)
    for out in (
        np.empty_like(x),
        np.empty(x.shape[::-1], x.dtype).T,
        np.repeat(np.zeros(x.shape), 2, -1)[..., ::2].astype("f4"),
    ):
        if out.shape == x.shape:
            assert kernels.compute(slopes.silu, "value", x, out=out) is out
            np.testing.assert_array_equal(out, expected)


def test_a_result_may_take_the_place_of_the_argument():
    x, cotangent = large(), large()[::-1].copy()
    expected = kernels.compute(slopes.silu, "value", x), kernels.compute(slopes.silu, "vjp", x, cotangent)
    place = x.copy()
    assert kernels.compute(slopes.silu, "value", place, out=place) is place
    np.testing.assert_array_equal(place, expected[0])
    place = cotangent.copy()
    kernels.compute(slopes.silu, "vjp", x, place, out=place)
    np.testing.assert_array_equal(place, expected[1])


def test_value_and_slope_are_computed_in_one_pass():
    x = large()
    value, slope = kernels.compute(slopes.gelu, ("value", "slope"), x)
    np.testing.assert_array_equal(value, kernels.compute(slopes.gelu, "value", x))
    np.testing.assert_array_equal(slope, kernels.compute(slopes.gelu, "slope", x))
    place, other = x.copy(), np.empty((x.size, 2), x.dtype)[:, 0]
    for out in ((place, np.empty_like(x)), (np.empty_like(x), other)):
        assert kernels.compute(slopes.gelu, ("value", "slope"), place, out=out)[1] is out[1]
        np.testing.assert_array_equal(out[0], value)
        np.testing.assert_array_equal(out[1], slope)
        place = x.copy()


@pytest.mark.parametrize("shift", [1, -1, 5000])
def test_a_result_may_overlap_the_argument(shift):
    memory = np.random.default_rng(1).standard_normal(LARGE + 5000).astype("float32")
    first, second = memory[:LARGE], memory[abs(shift) : LARGE + abs(shift)]
    x, out = (first, second) if shift > 0 else (second, first)
    expected = kernels.compute(slopes.silu, "value", x.copy())
    kernels.compute(slopes.silu, "value", x, out=out)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("size", [5, LARGE])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_cards_write_to_out(size, dtype):
    x, cotangent = large(dtype)[:size], large(dtype)[::-1][:size]
    for call in (slopes.silu, slopes.silu.slope, lambda x, **out: slopes.silu.vjp(x, cotangent, **out)):
        expected, out, place = call(x), np.empty_like(x), x.copy()
        assert call(x, out=out) is out
        assert call(place, out=place) is place
        np.testing.assert_array_equal(out, expected)
        np.testing.assert_array_equal(place, expected)
    np.testing.assert_array_equal(slopes.elu(x, alpha=0.5, out=out), slopes.elu(x, alpha=0.5))


def test_only_an_array_that_fits_is_written_to():
    x = np.ones(3, dtype=np.float32)
    with pytest.raises(
        ValueError, match=r"silu: out must have the shape \(3,\) and the dtype float32 of the result, got \(2,\)"
    ):
        slopes.silu(x, out=x[:2])
    with pytest.raises(ValueError, match=r"dtype float64 of the result, got \(3,\) and float32"):
        slopes.silu([1, 2, 3], out=x)
    with pytest.raises(TypeError, match="silu: out must be a NumPy array, got list"):
        slopes.silu(x, out=[1, 2, 3])
    x.setflags(write=False)
    with pytest.raises(
        ValueError, match="silu: out must be an array that can be written to, got one that is read-only"
    ):
        slopes.silu(x, out=x)
    with pytest.raises(TypeError, match="mine: no parameter can be called out"):

        @slopes.activation
        def mine(x, *, out=1.0):
            return x * out


def test_tensors_are_not_written_to():
    torch = pytest.importorskip("torch")
    x = torch.ones(3)
    with pytest.raises(TypeError, match=r"relu: out is for NumPy arrays; out.copy_\(relu\(x\)\) writes"):
        slopes.relu(x, out=x)


def test_misfits_are_refused():
    x = large()
    with pytest.raises(ValueError, match=r"silu: out must have the shape \(131079,\) and the dtype float32"):
        kernels.compute(slopes.silu, "value", x, out=x.astype("float64"))
    with pytest.raises(TypeError, match="silu: a kernel takes arrays of one shape, all of float32 or all of float64"):
        kernels.compute(slopes.silu, "vjp", x, x[1:])
    with pytest.raises(TypeError, match="all of float32 or all of float64"):
        kernels.compute(slopes.silu, "value", np.arange(5))


# ------------------------------------------------------------------------------------ where they run


def test_large_arrays_come_to_kernels_and_small_ones_do_not():
    x = large()
    for output, call in (
        ("value", slopes.gelu),
        ("slope", slopes.gelu.slope),
        ("vjp", lambda x: slopes.gelu.vjp(x, x)),
    ):
        arguments = [x, x] if output == "vjp" else [x]
        by_kernel = kernels.compute(slopes.gelu, output, *arguments)
        np.testing.assert_array_equal(call(x), by_kernel)
        plain = np.concatenate([call(part) for part in np.array_split(x, 20)])
        assert (plain != by_kernel).any()
        np.testing.assert_allclose(plain, by_kernel, rtol=3e-7, atol=1e-7)


@pytest.mark.parametrize("dtype", ["float16", "int32", ">f4", ">f8"])
def test_other_dtypes_are_computed_as_ever(dtype):
    x = (large() * 10).astype(dtype)
    result = slopes.silu(x)
    np.testing.assert_array_equal(result, np.concatenate([slopes.silu(part) for part in np.array_split(x, 20)]))


def test_parameters_of_a_call_are_computed_as_ever():
    x = large()
    parts = np.array_split(x, 20)
    np.testing.assert_array_equal(
        slopes.elu(x, alpha=0.7), np.concatenate([slopes.elu(part, alpha=0.7) for part in parts])
    )
    per_entry = slopes.prelu.with_(weight=np.full(x.shape, 0.1))
    np.testing.assert_array_equal(per_entry(x), slopes.prelu(x, weight=0.1))


def test_bound_parameters_are_rounded_once():
    x, card = large(), slopes.softplus.with_(beta=4.7)
    exact = np.concatenate([card(part.astype("float64")) for part in np.array_split(x, 20)])
    assert errors_in_ulp(card(x), exact).max() <= 0.501


FACTOR = 2.0


@slopes.activation
def of_a_user(x):
    return FACTOR * ops.tanh(x) * x


def test_a_users_body_is_read_at_each_call(monkeypatch):
    x = large()
    wide = x.astype("float64")
    np.testing.assert_array_equal(of_a_user(x), (2 * np.tanh(wide) * wide).astype("float32"))
    monkeypatch.setattr(sys.modules[__name__], "FACTOR", 3.0)
    assert errors_in_ulp(of_a_user(x), 3 * np.tanh(wide) * wide).max() <= 0.501


@slopes.activation
def that_looks(x):
    return x * float(x.shape[0])


def test_a_body_that_cannot_be_traced_is_computed_as_ever():
    x = large()
    np.testing.assert_array_equal(that_looks(x), (x.astype("float64") * x.shape[0]).astype("float32"))


@slopes.activation
def that_gives_one_number(x):
    return 1.0


def test_a_body_with_a_fault_gets_the_usual_message():
    with pytest.raises(ValueError, match="shape") as small:
        that_gives_one_number(large()[:5])
    with pytest.raises(ValueError, match="shape") as big:
        that_gives_one_number(large())
    assert str(big.value) == str(small.value).replace("(5,)", "(131079,)")


def test_a_parameter_may_be_none():
    x = np.linspace(-3, 3, 50)
    result = kernels.compute(slopes.sigmoid_focal, "value", x, np.ones(50))
    np.testing.assert_allclose(result, slopes.sigmoid_focal.body(x, np.ones(50), gamma=2.0, alpha=None), rtol=1e-14)


def test_the_source_is_readable():
    lines = kernels.source(slopes.relu, "value").splitlines()
    assert lines[0] == '"""relu, a kernel that slopes has written."""'
    assert lines[-5:] == [
        "    for i in range(x_in.size):",
        "        x = x_in[i]",
        "        v2 = x <= single(0.0)",
        "        v3 = where(v2, single(0.0), x)",
        "        value_out[i] = v3",
    ]


# ---------------------------------------------------------------------------- the cache, and processes

SCRIPT = """
import sys, numpy as np, slopes
from slopes.kernels import compiling
compiling.MOST_BYTES = {}
result = slopes.kernels.compute(slopes.{}, "value", np.ones(5, np.float32))
print("numba" in sys.modules, result[0])
"""


def start(cache, card="elu", most_bytes=compiling.MOST_BYTES):
    environment = os.environ | {"SLOPES_CACHE": str(cache)}
    command = [sys.executable, "-c", SCRIPT.format(most_bytes, card)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def outcome(process):
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert not err
    return out.split()


def files_in(cache):
    return [path for path in cache.rglob("*") if path.is_file()]


def test_a_second_process_finds_the_kernel_and_needs_no_numba(tmp_path):
    assert outcome(start(tmp_path)) == ["True", "1.0"]
    assert outcome(start(tmp_path)) == ["False", "1.0"]
    assert outcome(start(tmp_path, "elu.with_(alpha=2.0)")) == ["True", "1.0"]
    assert len(files_in(tmp_path)) == 2


def test_two_processes_compile_one_kernel_at_once(tmp_path):
    for process in [start(tmp_path) for _ in range(3)]:
        assert outcome(process)[1] == "1.0"
    assert len(files_in(tmp_path)) == 1


def test_without_a_folder_to_write_kernels_are_compiled_in_memory(tmp_path):
    (tmp_path / "file").write_text("")
    assert outcome(start(tmp_path / "file" / "inside")) == ["True", "1.0"]
    assert outcome(start("")) == ["True", "1.0"]


def test_machine_code_that_this_process_cannot_load_is_left_to_numba(tmp_path):
    """In a process of its own, as a mistake here would end it."""
    script = (
        "import numpy as np, slopes\n"
        "from slopes.kernels.compiling import machine_code\n"
        "def load(code):\n"
        "    raise machine_code.CodeError('this process has no such function')\n"
        "machine_code.load = load\n"
        "x = np.linspace(-3, 3, 200_000)\n"
        "print(np.abs(slopes.tanh(x) - np.tanh(x)).max() < 1e-15)\n"
    )
    environment = os.environ | {"SLOPES_CACHE": str(tmp_path)}
    ended = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "True\n", "")


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """The source of a kernel, and the file of its machine code in a cache of its own."""
    monkeypatch.setenv("SLOPES_CACHE", str(tmp_path))
    source = kernels.source(slopes.elu, "value")
    compiling._load(source)
    (path,) = files_in(tmp_path)
    return source, path


def compiles(source, monkeypatch):
    """Whether the source is compiled when it is loaded anew; the kernel is seen to work."""
    compiled = []
    monkeypatch.setattr(emitting, "emit", lambda *given, emit=emitting.emit: compiled.append(given) or emit(*given))
    x = np.array([-1.0, 2.0], np.float32)
    result = np.empty_like(x)
    compiling._load(source)(x, result)
    np.testing.assert_allclose(result, [np.expm1(-1), 2], rtol=1e-6)
    return bool(compiled)


def without_symbol(data):
    code = machine_code.MachineCode.from_bytes(data)
    return code._replace(symbols=(*code.symbols, "slopes_has_no_such_function")).to_bytes()


@pytest.mark.parametrize(
    "damage",
    [lambda data: b"nonsense", lambda data: data[:-1], lambda data: b"{}\n" + data.partition(b"\n")[2], without_symbol],
    ids=["nonsense", "cut", "no checksum", "not of this process"],
)
def test_a_damaged_file_is_compiled_anew(kept, damage, monkeypatch):
    source, path = kept
    assert not compiles(source, monkeypatch)
    path.write_bytes(damage(path.read_bytes()))
    assert compiles(source, monkeypatch)
    assert not compiles(source, monkeypatch)


def test_a_full_cache_makes_room(kept, monkeypatch):
    source, path = kept
    size = path.stat().st_size
    monkeypatch.setattr(compiling, "MOST_BYTES", 3 * size)
    other = path.parent.parent / "other version"
    other.mkdir()
    for place, age in ((other / "recent", 10), (path.parent / "old", 30), (path.parent / "older", 40)):
        place.write_bytes(bytes(size))
        os.utime(place, (path.stat().st_mtime - age,) * 2)
    os.utime(path, (path.stat().st_mtime - 50,) * 2)
    assert not compiles(source, monkeypatch)  # so it is used, and no longer the oldest
    compiling._load(kernels.source(slopes.relu, "value"))
    assert not other.exists()
    assert sorted(file.name for file in path.parent.iterdir() if not file.name.startswith("slopes_")) == ["old"]
    assert path.exists()
    assert len(files_in(path.parent)) == 3


def test_processes_that_make_room_at_once_do_not_disturb_one_another(tmp_path):
    for process in [start(tmp_path, card, 0) for card in ("elu", "relu", "elu")]:
        assert outcome(process)[1] == "1.0"
    assert not files_in(tmp_path)


def test_machine_code_refuses_arguments_of_another_kind(kept):
    x = np.ones(4, np.float32)
    kernel = compiling.load(kept[0])
    for given in (
        (x,), (x, x, x), (x, 1.0), (x, x.astype(np.float64)), (x.astype(np.int32), x), (x.reshape(2, 2), x), (x[::2], x),
        (x.astype(">f4"), x), (x, None), (x, np.float32(1)),
    ):  # fmt: skip
        with pytest.raises(TypeError):
            kernel(*given)


def test_machine_code_gives_memory_back_and_says_if_there_is_none():
    numba = pytest.importorskip("numba")

    @numba.njit("void(float64[::1], int64)", nogil=True)
    def fill(result, size):
        room = np.empty(size)
        room[0] = 3.0
        result[:] = room[0]

    function = machine_code.load(emitting.emit(fill, "slopes_test_of_memory"))
    result = np.zeros(2)
    tracemalloc.start()
    try:
        for _ in range(20):
            function(result, 10**6)
        now, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert result.tolist() == [3.0, 3.0]
    assert most > 8 * 10**6 > 10 * now
    with pytest.raises(MemoryError):
        function(result, 2**58)
    with pytest.raises(TypeError):
        function(result, 1.5)


def test_several_threads_ask_for_a_kernel_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("SLOPES_CACHE", str(tmp_path))
    x, results = large(), []
    card = slopes.softcap.with_(cap=1.5)
    threads = [threading.Thread(target=lambda: results.append(card(x))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 6
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def compiled_loop():
    """LLVM's code for a loop that adds arrays."""
    numba = pytest.importorskip("numba")

    @numba.njit("void(float32[::1], float32[::1])")
    def loop(x, result):
        for i in range(x.size):
            result[i] += x[i]

    return loop.inspect_llvm(loop.signatures[0])


@pytest.mark.skipif("-prefer-256-bit" not in machine_code.describe_cpu(), reason="LLVM itself chooses the registers")
def test_kernels_alone_use_registers_of_512_bits():
    before = compiled_loop()
    with emitting.optimizing_for_host():
        ours = compiled_loop()
    assert ["<16 x float>" in text for text in (before, ours, compiled_loop())] == [False, True, False]


def test_without_numba_all_is_as_ever():
    script = """
import sys
sys.modules["numba"] = sys.modules["llvmlite"] = None
import numpy as np, slopes
from slopes import kernels
x = np.random.default_rng(0).standard_normal(2**18).astype(np.float32)
parts = np.array_split(x, 40)
assert (slopes.silu(x) == np.concatenate([slopes.silu(part) for part in parts])).all()
assert "= silu(x)" in kernels.source(slopes.silu, "value")
try:
    kernels.compute(slopes.silu, "value", x)
except ImportError as error:
    print(error)
"""
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    assert process.stdout.strip() == "a kernel needs numba: pip install 'slopes[fast]'"


@pytest.mark.parametrize(
    "obstacle",
    [
        "os.environ['NUMBA_DISABLE_JIT'] = '1'",
        "sys.path.insert(0, broken)",
        "import llvmlite.binding; llvmlite.binding.get_host_cpu_features = dict",
        "import llvmlite.binding; llvmlite.binding.get_host_cpu_features = lambda: 1 / 0",
    ],
    ids=["no compiler", "broken", "no fma", "unknown machine"],
)
def test_where_numba_is_of_no_use_all_is_as_ever(obstacle, tmp_path):
    if "fma" in obstacle and platform.machine().lower() not in ("x86_64", "amd64"):
        pytest.skip("other machines have one")
    (tmp_path / "numba.py").write_text("raise ImportError('Numba needs an older NumPy')")
    script = f"""
import os, sys
broken = {str(tmp_path)!r}
{obstacle}
import numpy as np, slopes
x = np.random.default_rng(0).standard_normal(2**18).astype(np.float32)
parts = np.array_split(x, 40)
assert (slopes.silu(x) == np.concatenate([slopes.silu(part) for part in parts])).all()
"""
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr


def test_the_command_line_compiles_before_kernels_are_needed(tmp_path, monkeypatch):
    click_testing = pytest.importorskip("click.testing")
    from slopes.cli import main

    def run(*cards):
        outcome = click_testing.CliRunner().invoke(main, ["compile", *cards])
        assert outcome.exit_code == 0, outcome.output
        return outcome.output.splitlines()

    assert run("elu(alpha=0.25)", "glu", "giou") == [
        "elu(alpha=0.25): 8 kernels",
        "glu: 4 kernels",
        "giou: computed without kernels",
        f"12 kernels in {kernels.folder()}",
    ]
    monkeypatch.setenv("SLOPES_CACHE", str(tmp_path))
    monkeypatch.setattr(compiling, "_kernels", {})
    assert run("glu") == ["glu: 4 kernels", f"4 kernels in {tmp_path / 'kernels'}"]
    assert len(files_in(tmp_path)) == 4


def test_numba_is_loaded_by_the_first_large_array_that_no_kernel_on_disk_is_for(tmp_path):
    script = (
        "import sys, numpy as np, slopes; slopes.silu(np.ones(100)); before = 'numba' in sys.modules;"
        "slopes.silu(np.ones(100000)); print(before, 'numba' in sys.modules)"
    )
    environment = os.environ | {"SLOPES_CACHE": str(tmp_path)}
    for loaded in ("True", "False"):
        process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
        assert process.stdout.split() == ["False", loaded], process.stderr


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kernels.program("silu"), r"kernels.program takes a card, such as slopes.silu, got str"),
        (lambda: kernels.source(np.tanh), r"kernels.source takes a card, such as slopes.silu, got ufunc"),
        (lambda: kernels.compute("silu", "value", large()), r"kernels.compute takes a card, .* got str"),
        (lambda: kernels.compute(slopes.silu, "value", [1.0]), "silu: a kernel takes NumPy arrays, got list"),
        (lambda: kernels.compute(slopes.silu, "value"), "silu: a kernel takes NumPy arrays, got none"),
    ],
)
def test_what_is_no_card_or_no_array_is_refused(call, message):
    with pytest.raises(TypeError, match=f"^{message}$"):
        call()


def test_a_primitive_that_programs_lack_is_named():
    message = "^sparsemax cannot be traced: it uses slopes.ops.above_simplex_threshold, which programs do not have$"
    with pytest.raises(kernels.TraceError, match=message):
        kernels.source(slopes.sparsemax)


@pytest.mark.parametrize("slope", [0.1, 0.7])
def test_a_line_keeps_its_digits_near_its_root_by_a_number_that_is_an_input(slope):
    """As 1 / slope lacks digits, which a kernel has to keep as well."""
    x = np.random.default_rng(0).uniform(-0.5, -0.5 + 1e-3, LARGE) / slope
    large, small = slopes.hard_sigmoid(x, slope=slope), slopes.hard_sigmoid(x[:100], slope=slope)
    np.testing.assert_allclose(large[:100], small, rtol=4 * np.finfo(float).eps)
