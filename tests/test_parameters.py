"""The values of a card's parameters: numbers of every library, arrays and tensors, and what is refused."""

import numpy as np
import pytest

import slopes

X = np.array([-1.0, 0.5, 2.0])
TARGET = np.array([1.0, 0.0, 1.0])
ROWS = np.array([[1.0, 0.0], [0.0, 1.0]])

NUMBERS = [
    ("leaky_relu", "negative_slope", 0.125, (X,)),
    ("prelu", "weight", 0.125, (X,)),
    ("rrelu", "lower", 0.125, (X,)),
    ("elu", "alpha", 2, (X,)),
    ("asymmetric", "clip", 0.125, (X, TARGET)),
    ("barron_general", "alpha", 1.0, (X, TARGET)),
    ("triplet_margin", "p", 2.0, (ROWS, ROWS + 1, ROWS - 1)),
    ("softmax_focal", "gamma", 2.0, (ROWS, np.array([0, 1]))),
    ("gumbel_softmax", "tau", 0.5, (ROWS,)),
]
KINDS = [np.float64, np.float32, np.array, lambda number: np.array(number, dtype=np.float16), np.longdouble]


@pytest.mark.parametrize(("name", "parameter", "number", "arguments"), NUMBERS, ids=[name for name, *_ in NUMBERS])
def test_numbers_of_numpy_are_numbers(name, parameter, number, arguments):
    card = getattr(slopes, name)
    expected = card(*arguments, **{parameter: number})
    for kind in KINDS:
        np.testing.assert_array_equal(card(*arguments, **{parameter: kind(number)}), expected)
    torch = pytest.importorskip("torch")
    tensors = [torch.tensor(argument) for argument in arguments]
    expected = card(*tensors, **{parameter: number})
    for kind in KINDS:
        assert torch.equal(card(*tensors, **{parameter: kind(number)}), expected)


def test_numbers_are_bound_as_numbers():
    bound = slopes.elu.with_(alpha=np.float64(0.5))
    assert repr(bound) == "slopes.elu.with_(alpha=0.5)"
    assert type(bound.bound["alpha"]) is float
    assert type(slopes.poisson_nll.with_(full=np.True_).bound["full"]) is bool


def test_a_divisor_may_be_a_number_of_numpy():
    torch = pytest.importorskip("torch")
    for divisor in (np.float32(4), np.int64(4), np.array(4.0)):
        assert slopes.mse([1.0, 2.0], [2.0, 4.0], divisor=divisor) == 1.25
        assert slopes.mse(torch.tensor([1.0, 2.0]), torch.tensor([2.0, 4.0]), divisor=divisor) == 1.25
    assert slopes.mse(torch.tensor([1.0, 2.0]), torch.tensor([2.0, 4.0]), divisor=torch.tensor(4)) == 1.25


def test_integers_beyond_int64_are_taken():
    torch = pytest.importorskip("torch")
    assert slopes.elu(torch.full((1,), -1e-30), alpha=10**30).item() == pytest.approx(-1)
    assert slopes.elu(np.full(1, -1e-30), alpha=10**30) == pytest.approx(-1)


def test_arrays_follow_the_axis_of_a_map():
    x, tau = np.arange(6.0).reshape(2, 3), np.array([[0.5, 1.0, 2.0]])
    expected = slopes.gumbel_softmax(x.T, tau=tau.T)
    np.testing.assert_array_equal(slopes.gumbel_softmax(x, tau=tau, axis=0), expected.T)
    np.testing.assert_array_equal(slopes.gumbel_softmax(x, tau=tau[0], axis=0), expected.T)


HUGE, ENDLESS = 10**400, 10**5000
WRONG = [
    (lambda: slopes.elu(X, alpha=HUGE), "elu: alpha must be > 0, got an integer of 401 digits, which no float holds"),
    (lambda: slopes.elu(X, alpha=ENDLESS), "elu: alpha must be > 0, got an integer of 5001 digits, which no float holds"),
    (lambda: slopes.elu(X, alpha=-HUGE), "elu: alpha must be > 0, got an integer of 401 digits"),
    (lambda: slopes.elu.with_(alpha=HUGE), "elu: alpha must be > 0, got an integer of 401 digits"),
    (lambda: slopes.mse(X, X, divisor=HUGE), "mse: divisor must be >= 0, got an integer of 401 digits"),
    (lambda: slopes.mse(X, X, divisor=np.float32(-2)), r"mse: divisor must be >= 0, got -2\.0$"),
    (lambda: slopes.mse(X, X, divisor=np.array(np.nan)), "mse: divisor must be >= 0, got nan$"),
    (lambda: slopes.elu(X, alpha=np.array([1.0, -1.0, np.nan])), r"elu: alpha must be > 0, got -1\.0 in an array of shape \(3,\)$"),
    (lambda: slopes.elu(X, alpha=np.array(["1"] * 3)), r"elu: alpha must be > 0, got an array of dtype <U1"),
    (lambda: slopes.elu(X, alpha=[1.0, 2.0, 3.0]), r"elu: alpha must be > 0, got \[1\.0, 2\.0, 3\.0\]; give an array"),
    (lambda: slopes.elu(X, alpha=np.ma.array([1.0, 2.0, 3.0])), "elu: alpha is a masked array; give its data"),
    (lambda: slopes.prelu(np.zeros((2, 3)), weight=np.ones(2)), r"prelu: weight \(2,\) does not broadcast to the shape of x, \(2, 3\); its shape may be \(2, 1\)$"),
    (lambda: slopes.prelu(np.zeros((4, 2, 3)), weight=np.ones(2)), r"prelu: weight \(2,\) does not broadcast to the shape of x, \(4, 2, 3\); its shape may be \(2, 1\)$"),
    (lambda: slopes.prelu(np.zeros((4, 5)), weight=np.ones(3)), r"prelu: weight \(3,\) does not broadcast to the shape of x, \(4, 5\)$"),
    (lambda: slopes.prelu(np.zeros(3), weight=np.ones((4, 3))), r"prelu: weight \(4, 3\) does not broadcast to the shape of x, \(3,\)$"),
    (lambda: slopes.prelu(0.5, weight=np.ones(2)), r"prelu: weight \(2,\) does not broadcast to the shape of x, \(\)$"),
    (lambda: slopes.huber(X, X, delta=np.ones(2)), r"huber: delta \(2,\) does not broadcast to the shape of prediction, \(3,\)$"),
    (lambda: slopes.rrelu(X, noise=np.ones(2)), r"rrelu: noise \(2,\) does not broadcast to the shape of x, \(3,\)$"),
    (lambda: slopes.gumbel_softmax(ROWS, noise=np.ones(3)), r"gumbel_softmax: noise \(3,\) does not broadcast to the shape of x, \(2, 2\)$"),
    (lambda: slopes.hard_tanh(X, min_val=-np.ones(2), max_val=np.ones(3)), r"hard_tanh: min_val \(2,\) and max_val \(3,\) do not broadcast"),
    (lambda: slopes.hard_tanh(X, min_val=np.array([0.0, 0.0, 2.0])), r"hard_tanh: max_val must be a finite number > min_val, got min_val=2\.0 in an array of shape \(3,\) and max_val=1\.0$"),
    (lambda: slopes.elu(X, Alpha=2.0), "elu: no parameter 'Alpha'; did you mean 'alpha'"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), WRONG)
def test_wrong_values_are_refused(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def test_wrong_values_beside_tensors_are_refused():
    torch = pytest.importorskip("torch")
    x, nan = torch.tensor(X, dtype=torch.float32), float("nan")
    for call, message in (
        (lambda: slopes.leaky_relu(x, negative_slope=X), r"leaky_relu: negative_slope must be a number or a torch tensor here, as the arguments are, got ndarray; torch\.as_tensor\(negative_slope\) is a tensor$"),
        (lambda: slopes.leaky_relu(X, negative_slope=torch.ones(3)), r"leaky_relu: negative_slope must be a number or a NumPy array here, as the arguments are, got Tensor; float\(negative_slope\) is a number, negative_slope\.numpy\(\) an array$"),
        (lambda: slopes.leaky_relu(X, negative_slope=torch.tensor(0.1)), "leaky_relu: negative_slope must be a number or a NumPy array here"),
        (lambda: slopes.huber(X, X, delta=torch.tensor(1.0)), "huber: delta must be a number or a NumPy array here, as the arguments are, got Tensor"),
        (lambda: slopes.triplet_margin(ROWS, ROWS, ROWS, p=torch.tensor(2.0)), "triplet_margin: p must be a number or a NumPy array here, as the arguments are, got Tensor"),
        (lambda: slopes.gumbel_softmax(torch.ones(2, 2), tau=X[:2] + 3), "gumbel_softmax: tau must be a number or a torch tensor here, as the arguments are, got ndarray"),
        (lambda: slopes.prelu(torch.zeros(2, 3), weight=torch.ones(2)), r"prelu: weight \(2,\) does not broadcast to the shape of x, \(2, 3\); its shape may be \(2, 1\)$"),
        (lambda: slopes.elu(x, alpha=1e39), r"elu: alpha must be a number of float32, in which this tensor is computed: 1e\+39 is inf there$"),
        (lambda: slopes.elu(x.half(), alpha=10**39), r"elu: alpha must be a number of float32, in which this tensor is computed: 1e\+39 is inf there$"),
        (lambda: slopes.softplus(x, beta=1e-60), "softplus: beta must be a number of float32, in which this tensor is computed: 1e-60 is 0 there$"),
        (lambda: slopes.huber(x, x, delta=1e39), r"huber: delta must be a number of float32"),
        (lambda: slopes.mse(x, x, divisor=torch.tensor(-2.0)), r"mse: divisor must be >= 0, got -2\.0$"),
        (lambda: slopes.mse(x, x, divisor=torch.tensor(nan)), "mse: divisor must be >= 0, got nan$"),
        (lambda: slopes.mse(x, x, divisor=torch.ones(2)), r"mse: divisor must be one number, got shape \(2,\)$"),
    ):  # fmt: skip
        with pytest.raises((ValueError, TypeError), match=message):
            call()


def test_parameters_beyond_float32_are_fine_in_float64():
    torch = pytest.importorskip("torch")
    assert slopes.elu(torch.full((1,), -1e-39, dtype=torch.float64), alpha=1e39).item() == pytest.approx(-1)
    assert slopes.elu(np.full(1, -1e-39), alpha=1e39) == pytest.approx(-1)
    assert slopes.elu(torch.ones(1), alpha=3.4e38).item() == 1


def test_values_are_shown_in_one_short_line():
    from slopes.domains import shown

    assert shown(0.5) == "0.5"
    assert shown("two\nlines") == r"'two\nlines'"
    assert shown(10**400) == "an integer of 401 digits, which no float holds"
    assert shown(np.ones((2, 3))) == "an array of shape (2, 3)"
    assert len(shown("long" * 100)) <= 80
    assert shown("long" * 100).endswith("…")

    class Lines:
        def __repr__(self):
            return "two\nlines"

    assert shown(Lines()) == "two lines"


@pytest.mark.parametrize(
    ("name", "parameter", "number", "arguments"),
    [
        ("cross_entropy", "base", 10.0, (ROWS, np.array([0, 1]))),
        ("categorical_cross_entropy", "base", 10.0, (ROWS / 2 + 0.25, np.array([0, 1]))),
        ("margin_softmax", "margin", 0.3, (ROWS / 2, np.array([0, 1]))),
        ("barron_general", "alpha", 1.3, (X, TARGET)),
        ("ipo", "beta", 0.1, (X, TARGET, X / 3, TARGET / 3)),
        ("snake", "alpha", 1.3, (X,)),
    ],
)
def test_a_parameter_of_fewer_digits_costs_no_digits(name, parameter, number, arguments):
    card, short = getattr(slopes, name), np.array([number], dtype=np.float32)
    due = card(*arguments, **{parameter: short.item()})
    np.testing.assert_allclose(card(*arguments, **{parameter: short}), due, rtol=1e-15)
    torch = pytest.importorskip("torch")
    tensors = [torch.from_numpy(x) for x in arguments]
    for given in (torch.from_numpy(short), torch.from_numpy(short)[0], *([torch.tensor(10)] if number == 10 else [])):
        np.testing.assert_allclose(card(*tensors, **{parameter: given}).numpy(), due, rtol=1e-15)
