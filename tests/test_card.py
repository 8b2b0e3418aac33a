"""What a card is: identity, parameters, signature, errors, and how it takes its arguments."""

import copy
import inspect
import pickle
import sys
from typing import Annotated

import numpy as np
import pytest

import slopes
from slopes.domains import Above, OneOf, Positive, Real


@slopes.activation()
def halved(x, *, factor: Positive = 0.5):
    """Half of the input."""
    return factor * x


@halved.derivative
def _(x, *, factor):
    return slopes.ops.step(x, factor, factor)


@slopes.loss("regression")
def my_mean_squared_error(prediction, target):
    """The lesson's own loss."""
    return (prediction - target) ** 2


def test_pickles_and_copies_are_the_card_itself(card):
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(card, protocol)) is card
    assert copy.copy(card) is card
    assert copy.deepcopy({"f": card})["f"] is card


def test_bound_cards_pickle_and_copy():
    bound = slopes.elu.with_(alpha=0.5)
    assert copy.deepcopy(bound) is bound
    again = pickle.loads(pickle.dumps(bound))
    assert again.bound == {"alpha": 0.5}
    assert again(-1.0) == bound(-1.0) == slopes.elu(-1.0, alpha=0.5)
    assert bound != slopes.elu
    assert pickle.loads(pickle.dumps(halved)) is halved


def test_repr_says_how_to_get_it():
    assert repr(slopes.gelu) == "slopes.gelu"
    assert repr(slopes.elu.with_(alpha=0.5)) == "slopes.elu.with_(alpha=0.5)"
    assert eval(repr(slopes.elu.with_(alpha=0.5).with_(alpha=2.0)), {"slopes": slopes}).bound == {"alpha": 2.0}
    assert repr(halved) == f"{__name__}.halved"
    assert slopes.elu.with_(alpha=0.5).name == "elu(alpha=0.5)"


def test_signature_and_docstring_reach_the_editor():
    assert str(inspect.signature(slopes.relu)) == "(x, *, out=None)"
    assert list(inspect.signature(slopes.elu).parameters) == ["x", "alpha", "out"]
    assert inspect.signature(slopes.elu).parameters["alpha"].default == 1.0
    assert inspect.signature(slopes.softmax).parameters["axis"].default == -1
    names = list(inspect.signature(slopes.cross_entropy).parameters)
    assert names[:6] == ["prediction", "target", "reduction", "weight", "mask", "divisor"]
    assert names[6:] == [
        "axis",
        "class_weight",
        "label_smoothing",
        "ignore_index",
        "from_probabilities",
        "base",
        "z_loss",
    ]
    assert inspect.getdoc(slopes.gelu).startswith(
        "gelu(x, *, approximate='none', out=None)\n\nGaussian error linear unit"
    )
    assert slopes.gelu.__name__ == "gelu"


def test_every_card_says_what_it_does(card):
    assert card.summary.endswith(".")
    assert len(card.summary) < 200


def test_every_card_has_a_formula(card):
    pytest.importorskip("sympy")
    assert card.tex


def test_binding_nothing_is_the_card_itself():
    assert slopes.elu.with_() is slopes.elu


def test_the_decorator_needs_no_brackets():
    @slopes.activation
    def doubled(x):
        return 2 * x

    assert doubled(3.0) == 6.0


def test_a_map_without_derivative_takes_autograd():
    pytest.importorskip("torch")
    exp, total = slopes.ops.exp, slopes.ops.sum
    mine = slopes.activation(kind="map")(lambda x: exp(x) / total(exp(x)))
    np.testing.assert_allclose(mine.vjp([1.0, 2.0], [1.0, 0.0]), slopes.softmax.vjp([1.0, 2.0], [1.0, 0.0]), rtol=1e-12)


def test_numbers_in_where_keep_their_digits():
    torch = pytest.importorskip("torch")
    one = torch.ones(1, dtype=torch.float64)
    assert (slopes.ops.where(one > 0, 0.3, 0.1) * one).item() == 0.3
    assert slopes.ops.maximum(0, -one).item() == slopes.ops.minimum(0, one).item() == 0


def test_bound_parameters_are_used_everywhere():
    bound = slopes.leaky_relu.with_(negative_slope=0.3)
    assert bound(-2.0) == -0.6
    assert bound.slope(-2.0) == 0.3
    assert bound(-2.0, negative_slope=0.1) == -0.2
    pytest.importorskip("mpmath")
    assert float(slopes.exact(bound)(-2.0)) == pytest.approx(-0.6, abs=1e-16)


def crossed(x, *, low: Real = 2.0, high: Annotated[float, Above(than="low")] = 1.0):
    return slopes.ops.clip(x, low, high)


def test_parameters_that_fit_one_another_are_taken():
    torch = pytest.importorskip("torch")
    assert slopes.rrelu(-1.0, lower=0.5, upper=0.5) == -0.5
    assert slopes.hard_tanh(9.0, min_val=2.0, max_val=3.0) == 3
    assert slopes.hard_tanh(torch.ones(1), max_val=torch.tensor(-2.0)) == -2  # whose values are not looked at


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: slopes.elu(1.0, alpha=-1.0), ValueError, r"elu: alpha must be > 0, got -1\.0"),
        (lambda: slopes.elu.with_(alpha=float("nan")), ValueError, "elu: alpha must be > 0, got nan"),
        (lambda: slopes.elu.with_(alpha="1"), ValueError, "elu: alpha must be > 0, got '1'"),
        (lambda: slopes.elu.with_(alpha=True), ValueError, "elu: alpha must be > 0, got True"),
        (lambda: slopes.hard_tanh(0.0, min_val=1.0), ValueError, r"hard_tanh: max_val must be a finite number > min_val, got min_val=1\.0 and max_val=1\.0"),
        (lambda: slopes.hard_tanh.with_(min_val=0.0).with_(max_val=-1.0), ValueError, r"hard_tanh.*: max_val must be .* > min_val, got min_val=0\.0 and max_val=-1\.0"),
        (lambda: slopes.hard_tanh(np.zeros(2), max_val=np.array([0.0, -1.0])), ValueError, "hard_tanh: max_val must be a finite number > min_val"),
        (lambda: slopes.rrelu.with_(lower=0.5), ValueError, r"rrelu: upper must be a finite number >= lower, got lower=0\.5 and upper=0\.333"),
        (lambda: slopes.activation()(crossed), ValueError, r"crossed: high must be a finite number > low, got low=2\.0 and high=1\.0"),
        (lambda: slopes.elu.with_(beta=1.0), TypeError, "elu: no parameter 'beta'; it takes alpha"),
        (lambda: slopes.relu(1.0, alpha=1.0), TypeError, "relu: no parameter 'alpha'; it takes out"),
        (lambda: slopes.gelu(1.0, approximate="banana"), ValueError, "gelu: approximate must be one of 'none', 'tanh', got 'banana'"),
        (lambda: slopes.huber(1.0, 2.0, delta=0.0), ValueError, "huber: delta must be > 0, got 0.0"),
        (lambda: slopes.mse(1.0, 2.0, reduction="avg"), ValueError, "mse: reduction must be one of 'mean', 'sum', 'none', got 'avg'"),
        (lambda: slopes.cross_entropy(np.zeros((1, 2)), [0], base=1.0), ValueError, "cross_entropy: base must be > 1, got 1.0"),
        (lambda: slopes.leaky_relu(-1.0, 0.2), TypeError, r"leaky_relu: takes x and, by their names, parameters \(negative_slope, out\); got \(0.2,\) besides x"),
        (lambda: slopes.activation(lambda x: x[..., None])(np.zeros(3)), ValueError, r"the body gives shape \(3, 1\) where \(3,\) is due, with one value for each entry"),
        (lambda: slopes.loss("regression")(lambda p, t: p[0] - t[0])(np.ones(3), np.zeros(3)), ValueError, r"the body gives shape \(\) where \(3,\) is due"),
        (lambda: slopes.loss("regression", space="banana"), ValueError, "loss: space must be one of 'real', 'logits', 'probabilities', .* got 'banana'"),
        (lambda: slopes.relu([[1], [1, 2]]), TypeError, "relu: x must be an array of numbers, got a list that is none"),
        (lambda: slopes.relu("abc"), TypeError, "relu: expected an array, a tensor or a number, got str"),
        (lambda: slopes.relu(None), TypeError, "expected an array, a tensor or a number, got NoneType"),
        (lambda: slopes.relu(1j), TypeError, "got complex"),
        (lambda: slopes.relu(np.array([1j])), TypeError, "relu: x must hold real numbers .* got dtype complex128"),
        (lambda: slopes.relu(np.array(["a"])), TypeError, "relu: x must hold real numbers"),
        (lambda: slopes.softmax.slope([1.0]), TypeError, r"softmax mixes the entries of a row.*use softmax\.vjp\(x, g\)"),
        (lambda: slopes.softmax(np.zeros((2, 3)), axis=2), ValueError, r"softmax: axis must be an integer in \[-2, 1\] for shape \(2, 3\), got 2"),
        (lambda: slopes.relu.vjp([1.0, 2.0], [1.0]), ValueError, r"relu: x \(2,\) and cotangent \(1,\) must have one shape; broadcasting would give \(2,\)"),
        (lambda: slopes.softmax(3.0), ValueError, "softmax: needs at least one axis, got a single number"),
        (lambda: slopes.activation(kind="rows"), ValueError, "activation: kind must be one of 'elementwise', 'map', 'gate', got 'rows'"),
        (lambda: slopes.loss("rankings"), ValueError, "loss: kind must be one of 'regression', 'binary', .* got 'rankings'"),
        (lambda: slopes.activation()(lambda x, y: x), TypeError, r"the body must take \(x\) and then parameters after \*"),
        (lambda: slopes.rellu, AttributeError, "module 'slopes' has no attribute 'rellu'"),
    ],
)  # fmt: skip
def test_messages(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_space_is_written_with_hyphens_or_underscores():
    one, other = (slopes.loss("classification", space=f"log{x}probabilities")(lambda p, t: p[..., 0]) for x in "-_")
    assert one.kind == other.kind != slopes.loss("classification")(lambda p, t: p[..., 0]).kind


def test_a_parameter_needs_a_default_inside_its_domain():
    with pytest.raises(TypeError, match="parameter alpha needs a default"):

        @slopes.activation()
        def bare(x, *, alpha: Positive):
            return alpha * x

    with pytest.raises(ValueError, match=r"outside: alpha must be > 0, got -1\.0"):

        @slopes.activation()
        def outside(x, *, alpha: Positive = -1.0):
            return alpha * x


def test_numbers_lists_and_integers_are_taken():
    assert slopes.relu(3) == 3.0
    assert isinstance(slopes.relu(3), np.float64)
    assert slopes.relu(np.float32(2)).dtype == np.float32
    np.testing.assert_array_equal(slopes.relu([[-1, 2]]), [[0.0, 2.0]])
    assert slopes.relu(np.array([True, False])).dtype == np.float64
    assert slopes.relu([]).shape == (0,)


def test_arguments_may_be_named():
    assert slopes.relu(x=2.0) == 2.0
    assert slopes.elu.slope(x=1.0, alpha=2.0) == 1.0
    assert slopes.mse(target=1.0, prediction=3.0) == 4.0


def test_vjp_is_the_cotangent_times_the_slope():
    x, g = np.linspace(-2, 2, 5, dtype=np.float32), np.arange(5, dtype=np.float32)
    np.testing.assert_allclose(slopes.gelu.vjp(x, g), g * slopes.gelu.slope(x), rtol=1e-6)
    assert slopes.gelu.vjp(x, g).dtype == np.float32
    np.testing.assert_array_equal(slopes.relu.vjp([1.0, -1.0], [3.0, 3.0]), [3.0, 0.0])


def test_non_contiguous_and_readonly_arrays():
    x = np.arange(12.0).reshape(3, 4) - 5
    x.flags.writeable = False
    np.testing.assert_array_equal(slopes.gelu(x[::2, ::-1]), slopes.gelu(x)[::2, ::-1])
    np.testing.assert_array_equal(slopes.softmax(x, axis=0), slopes.softmax(x.T).T)


def test_parameters_may_be_arrays():
    slope = np.array([0.1, 0.2])
    np.testing.assert_allclose(slopes.leaky_relu(np.array([-1.0, -1.0]), negative_slope=slope), -slope)
    with pytest.raises(ValueError, match="alpha must be > 0"):
        slopes.elu(np.array([-1.0]), alpha=np.array([1.0, -1.0]))


def test_own_card_without_derivative_takes_autograd():
    torch = pytest.importorskip("torch")
    value, slope = my_mean_squared_error.value_and_slope([1.0, 2.0], [0.0, 0.0])
    assert value == 2.5
    np.testing.assert_array_equal(slope, [1.0, 2.0])
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    my_mean_squared_error(x, torch.zeros(2)).backward()
    assert x.grad.tolist() == [1.0, 2.0]
    assert my_mean_squared_error.slope(x.detach(), torch.zeros(2)).tolist() == [1.0, 2.0]


def test_exact_numbers_and_symbols_go_to_their_readings():
    mpmath, sympy = pytest.importorskip("mpmath"), pytest.importorskip("sympy")
    with pytest.raises(TypeError, match=r"computed by slopes\.exact"):
        slopes.relu(mpmath.mpf(1))
    assert slopes.ops.exp(sympy.Symbol("x")) == sympy.exp(sympy.Symbol("x"))


def test_formulae_are_printed_from_the_definition():
    pytest.importorskip("sympy")
    assert slopes.sigmoid.tex == r"\frac{1}{1 + e^{- x}}"
    assert r"\sqrt{2}" in slopes.gelu.tex
    assert r"\alpha" in slopes.elu.tex
    assert r"\hat{y}" in slopes.mse.tex
    assert slopes.sigmoid._repr_latex_().startswith("$")


def test_a_notebook_without_sympy_shows_the_repr(monkeypatch):
    monkeypatch.setitem(sys.modules, "sympy", None)  # which makes importing it fail
    assert slopes.sigmoid._repr_latex_() is None


def test_a_notebook_shows_the_repr_of_a_card_that_has_no_formula():
    pytest.importorskip("sympy")

    @slopes.activation
    def clipped(x):
        return np.where(np.asarray(x) < 0, 0.0, x)

    assert clipped._repr_latex_() is None


def test_unhashable_choices_are_compared_by_type():
    assert not OneOf((True, False)).admits(1)
    assert not OneOf(("none",)).admits(["none"])
