"""Programs recorded from cards compute what the cards compute."""

import os
import subprocess
import sys

import numpy as np
import pytest

import slopes
from slopes import kernels, ops
from slopes.card import Gate, Loss, Map
from slopes.catalogue import CARDS
from slopes.readings.program import evaluate
from slopes.readings.trace import TraceError, record

ELEMENTWISE = [card for card in dict.fromkeys(CARDS.values()) if not card.rowwise or isinstance(card, Gate)]
#: cards with primitives that a program expands otherwise than NumPy: a fused multiply-add, a power by multiplications
OTHER_FORMS = ("gelu", "gelu_tanh", "geglu", "asymmetric", "squareplus")
SPECIAL = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 5e-324, -5e-324, 1e300, -1e300, 800.0, -800.0]


def arguments_of(card, dtype="float64"):
    rng = np.random.default_rng(0)
    if isinstance(card, Loss):
        given = card.kind.examples(card.settings).sample(rng, (1000,))
    else:
        ordinary = [rng.standard_normal(1000) * scale for scale in (0.1, 1, 10, 100)]
        given = [rng.permutation(np.concatenate([SPECIAL, *ordinary])) for _ in card._arguments]
    with np.errstate(over="ignore"):
        return [np.asarray(argument, dtype=dtype) for argument in given]


def cancelling(eps, arguments):
    """An error that terms of the size of the last argument explain where the first is within 5 of 0, as a root is."""
    return np.where(np.abs(arguments[0]) < 5, eps * np.maximum(np.abs(arguments[-1]), 1), 0.0)


def computed(card, arguments):
    """Value and slopes by the NumPy reading, by the names that a program gives them."""
    with np.errstate(all="ignore"):
        slopes_ = card.slope_body(*arguments, **card.settings)
        slopes_ = slopes_ if isinstance(slopes_, tuple) else (slopes_,)
        results = [card.body(*arguments, **card.settings), *slopes_]
    names = [name for name, _ in kernels.program(card).outputs]
    shape = arguments[0].shape
    return {name: np.broadcast_to(result, shape) for name, result in zip(names, results, strict=True)}


@pytest.mark.parametrize("chosen", ELEMENTWISE, ids=[card.name for card in ELEMENTWISE])
def test_a_program_computes_what_the_card_does(chosen):
    card = chosen
    arguments = arguments_of(card)
    results = evaluate(kernels.program(card), **dict(zip(card._arguments, arguments, strict=True)))
    for name, expected in computed(card, arguments).items():
        result = results[name]
        if card.name not in OTHER_FORMS:
            np.testing.assert_array_equal(result, expected)
            continue
        np.testing.assert_array_equal(np.isfinite(result), np.isfinite(expected))
        finite = np.isfinite(expected)
        allowed = 8 * np.spacing(np.abs(expected[finite])) + cancelling(1e-15, arguments)[finite]
        assert (np.abs(result[finite] - expected[finite]) <= allowed).all()


@pytest.mark.parametrize(
    ("chosen", "parameters"),
    [
        (slopes.silu, {"beta": 1.7}), (slopes.softplus, {"beta": 0.3}), (slopes.celu, {"alpha": 0.7}),
        (slopes.elu, {"alpha": 2.3}), (slopes.squareplus, {"b": 0.1}), (slopes.snake, {"alpha": 0.3}),
        (slopes.softcap, {"cap": 5.0}), (slopes.huber, {"delta": 0.3}), (slopes.rrelu, {"noise": 0.3}),
    ],
    ids=lambda value: getattr(value, "name", None),
)  # fmt: skip
def test_a_parameter_may_be_bound_or_an_input(chosen, parameters):
    card = chosen
    (name, number), = parameters.items()  # fmt: skip
    arguments = arguments_of(card)
    given = dict(zip(card._arguments, arguments, strict=True))
    expected = computed(card.with_(**parameters), arguments)
    bound = evaluate(kernels.program(card, **parameters), **given)
    as_input = evaluate(kernels.program(card, inputs=[name]), **given, **{name: number})
    for output, values in expected.items():
        np.testing.assert_allclose(bound[output], values, rtol=1e-15 if card.name in OTHER_FORMS else 0)
        finite = np.isfinite(values)
        np.testing.assert_array_equal(np.isfinite(as_input[output]), finite)
        np.testing.assert_allclose(as_input[output][finite], values[finite], rtol=1e-15)
    assert kernels.program(card, inputs=[name]).inputs == (*card._arguments, name)


@pytest.mark.parametrize("name", ["silu", "gelu", "mish", "elu", "softplus", "huber", "swiglu"])
def test_a_program_for_float32_computes_in_float32(name):
    """Within 3 units in the last place, or in eps of the terms where they cancel."""
    card = CARDS[name]
    arguments = [np.where(np.isfinite(x) & (np.abs(x) < 80), x, 1.0) for x in arguments_of(card, "float32")]
    results = evaluate(kernels.program(card, dtype="float32"), **dict(zip(card._arguments, arguments, strict=True)))
    for output, expected in computed(card, [argument.astype(np.float64) for argument in arguments]).items():
        assert results[output].dtype == np.float32
        allowed = 3 * np.spacing(np.abs(expected.astype(np.float32))) + cancelling(6e-7, arguments)
        assert (np.abs(results[output] - expected) <= allowed).all()


ROWWISE = [card for card in dict.fromkeys(CARDS.values()) if card.rowwise and not isinstance(card, Gate)]
#: cards of rows that sort, compare all pairs or take boxes or moments apart, which a program cannot
NOT_TRACED = {
    "sparsemax", "giou", "diou", "ciou", "info_nce", "supcon", "circle", "multilabel_margin", "generalized_dice",
    "lovasz_softmax", "lovasz_hinge", "ssim",
}  # fmt: skip
CASES = [(card, False) for card in ROWWISE] + [(CARDS[name], True) for name in (
    "cross_entropy", "categorical_cross_entropy", "nll", "poly1", "margin_softmax", "softmax_focal", "multiclass_hinge"
)]  # fmt: skip
#: rows of total_variation are made of images
CASES = [case for case in CASES if case[1] or case[0].name not in {*NOT_TRACED, "multiclass_hinge", "total_variation"}]


def rows_of(card, labels):
    """Arguments of a body of rows: 7 rows of 11 entries."""
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((7, 11))
    if isinstance(card, Map):
        return [rows * 30, rng.standard_normal((7, 11))]
    if card._arguments[-1] == "weight":  # pixels of a region
        return [rng.random((7, 11)), (rng.random((7, 11)) > 0.5) * 1.0, rng.random((7, 11))]
    given = [np.asarray(argument, float) for argument in card.kind.examples(card.settings).sample(rng, (7, 11))]
    if labels:
        given[1] = rng.integers(0, 11, 7)
    elif card.kind.name == "classification":
        given[1] = rng.random((7, 11)) / 5.5
        given[1][0] = np.arange(11) == 3
    return given


@pytest.mark.parametrize(("chosen", "labels"), CASES, ids=[f"{c.name}-{labels}" for c, labels in CASES])
def test_a_program_of_rows_computes_what_the_card_does(chosen, labels):
    card, arguments = chosen, rows_of(chosen, labels)
    program = kernels.program(card, labels=labels)
    results = evaluate(program, **dict(zip(program.inputs, arguments, strict=True)))
    given = arguments[:-1] if isinstance(card, Map) else arguments
    with np.errstate(all="ignore"):
        expected = [card.body(*given, **card.settings), card.slope_body(*arguments, **card.settings)]
    assert list(results) == ["value", "vjp" if isinstance(card, Map) else "slope"]
    for result, exact in zip(results.values(), expected, strict=True):
        np.testing.assert_array_equal(result, exact, strict=True)


@pytest.mark.parametrize("name", sorted(NOT_TRACED))
def test_what_a_program_of_rows_cannot_hold_is_refused(name):
    with pytest.raises(kernels.TraceError, match=f"^{name} cannot be traced"):
        kernels.program(CARDS[name])


def test_a_row_of_minus_infinity_is_that_of_the_card():
    rows = np.array([[-np.inf, -np.inf, -np.inf], [0.0, -np.inf, 3.0], [2.0, 2.0, np.nan]])
    result = evaluate(kernels.program(slopes.softmax, "value"), x=rows)["value"]
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(result, slopes.softmax.body(rows))


def test_a_program_of_rows_is_printed():
    text = str(kernels.program(slopes.nll, labels=True))
    assert text.splitlines() == [
        "prediction: float64",
        "target: int64 per row",
        "v2: float64 per row = pick(prediction, target)",
        "v3: float64 per row = negate(v2)",
        "v4: int64 = index()",
        "v5: bool = equal(target, v4)",
        "v8: float64 = where(v5, 1.0, 0.0)",
        "v9: float64 = negate(v8)",
        "return value = v3",
        "return slope = v9",
    ]


@pytest.mark.parametrize("body", [lambda x: ops.sum(x), lambda x: x * x.shape[-1], lambda x: ops.entry(x, 0)])
def test_a_function_of_entries_has_no_rows(body):
    with pytest.raises(TraceError, match="it looks at a shape, or works on rows, but is applied to each entry"):
        record(lambda x: {"value": body(x)}, ["x"], "float64")


@pytest.mark.parametrize(
    "body", [lambda x: x * ops.sum(x)[..., 0], lambda x: ops.sum(ops.sum(x)[..., 0]), lambda x: x[..., 1:]]
)
def test_axes_that_would_not_fit_are_refused(body):
    with pytest.raises(TraceError):
        record(lambda x: {"value": body(x)}, ["x"], "float64", has_rows=True)


def test_a_cotangent_is_pulled_back():
    program = kernels.program(slopes.silu, "value", "vjp")
    x, cotangent = np.array([-1.0, 0.5, 2.0]), np.array([2.0, 0.0, -3.0])
    results = evaluate(program, x=x, cotangent=cotangent)
    assert program.inputs == ("x", "cotangent")
    np.testing.assert_array_equal(results["value"], slopes.silu(x))
    np.testing.assert_array_equal(results["vjp"], slopes.silu.vjp(x, cotangent))


def test_a_program_is_printed_line_by_line():
    text = str(kernels.program(slopes.leaky_relu, "slope", negative_slope=0.1))
    assert text.splitlines() == [
        "x: float64",
        "v2: bool = less(0.0, x)",
        "v3: bool = less_equal(x, 0.0)",
        "v5: float64 = where(v3, 0.1, x)",
        "v7: float64 = where(v2, 1.0, v5)",
        "return slope = v7",
    ]


def test_equal_lines_are_found_once_and_dead_lines_removed():
    def function(x):
        ops.sin(x)  # which no result needs
        return {"result": ops.exp(x) * (1 + ops.exp(x)) + x * 3.0 + 3.0 * x}

    operations = [line.operation for line in record(function, ["x"], "float64").lines]
    assert operations.count("exp") == 1
    assert operations.count("multiply") == 2
    assert "sin" not in operations


def test_value_and_slope_share_what_they_have_in_common():
    together = kernels.program(slopes.gelu_tanh)
    apart = [kernels.program(slopes.gelu_tanh, output) for output in ("value", "slope")]
    assert len(together.lines) < sum(len(program.lines) for program in apart) - 6


def test_constants_keep_all_digits_and_the_sign_of_zero():
    program = record(lambda x: {"a": x + 0.1, "b": x * -0.0, "c": x + ops.pi}, ["x"], "float64")
    assert {line.text for line in program.lines if line.operation == "constant"} == {"0.1", "-0.0", "3.141592653589793"}
    assert np.signbit(evaluate(program, x=1.0)["b"])


def test_a_choice_by_a_parameter_is_made_while_tracing():
    def function(x):
        return {"result": ops.where(True, x, ops.exp(x)) if isinstance(2.0, float) else x}

    assert len(record(function, ["x"], "float64").lines) == 1


def digests(body, *cards):
    script = f"import slopes\nfrom slopes import kernels, ops\n{body}\n" + "\n".join(
        f"print(kernels.program({card}).digest)" for card in cards
    )
    environment = os.environ | {"PYTHONHASHSEED": "random"}
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout.split()


def test_the_digest_is_that_of_the_program_in_every_process():
    of_a_user = "@slopes.activation\ndef mine(x): return ops.exp(x) * {}\n@mine.derivative\ndef _(x): return ops.exp(x)"
    cards = ("slopes.gelu", "slopes.silu", "slopes.silu.with_(beta=2.0)", "mine")
    first = digests(of_a_user.format(1.5), *cards)
    assert first == digests(of_a_user.format(1.5), *cards)
    assert len(set(first)) == 4
    changed = digests(of_a_user.format(1.25), *cards)
    assert [a == b for a, b in zip(first, changed, strict=True)] == [True, True, True, False]
    assert kernels.program(slopes.gelu).digest == first[0]


def branches(x):
    return x if x > 0 else 0 * x


def loops(x):
    return x + len(x)


def uses_numpy(x):
    return np.exp(x)


def uses_methods(x):
    return x.sum()


def adds_an_array(x):
    return x + np.ones(3)


def looks_at_a_number(x):
    return x * float(x)


def mixes_rows(x):
    return ops.softmax(x)


@pytest.mark.parametrize(
    "body", [branches, loops, uses_numpy, uses_methods, adds_an_array, looks_at_a_number, mixes_rows]
)
def test_a_body_that_cannot_be_traced_raises_one_type_of_error(body):
    with pytest.raises(kernels.TraceError, match=f"^{body.__name__} cannot be traced: it "):
        kernels.program(slopes.activation(body), "value")


def test_a_card_without_a_derivative_has_a_program_of_its_value_alone():
    card = slopes.activation(lambda_free_square)
    assert [name for name, _ in kernels.program(card).outputs] == ["value"]
    with pytest.raises(kernels.TraceError, match="it has no derivative of its own"):
        kernels.program(card, "slope")


def lambda_free_square(x):
    return x * x


def test_misuse_is_refused():
    with pytest.raises(TypeError, match="silu: no parameter 'alpha' to be an input"):
        kernels.program(slopes.silu, inputs=["alpha"])
    with pytest.raises(ValueError, match="silu: unknown output 'slop'; a program of it has value, slope, vjp"):
        kernels.program(slopes.silu, "slop")
    with pytest.raises(
        ValueError, match="swiglu: unknown output 'vjp'; a program of it has value, slope_gate, slope_value"
    ):
        kernels.program(slopes.swiglu, "vjp")
