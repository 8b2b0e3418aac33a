"""Exact results: right digits, raised precision, and a context of their own."""

import numpy as np
import pytest

import slopes
from slopes import ops
from slopes.truth import oracle as truth_oracle
from slopes.truth.oracle import Exactly
from slopes.truth.parts import Balls, split

mpmath = pytest.importorskip("mpmath")


def test_digits_are_those_of_the_result():
    with mpmath.workdps(70):
        truth = mpmath.mpf(-20) * mpmath.erfc(20 / mpmath.sqrt(2)) / 2
        came = mpmath.mpf(slopes.exact(slopes.gelu, digits=50)(-20.0))
        assert abs(came / truth - 1) < mpmath.mpf(10) ** -50
        textbook = mpmath.mpf(slopes.exact(slopes.gelu, digits=50).definition(-20.0))  # 1 + erf cancels 88 digits
        assert abs(textbook / truth - 1) < mpmath.mpf(10) ** -50


def test_results_are_mpmath_numbers_like_any_other():
    assert isinstance(slopes.exact(slopes.relu)(1.0), mpmath.mpf)
    assert mpmath.nstr(slopes.exact(slopes.gelu)(-40.0), 12) == "-1.46235741637e-348"


def test_floats_mean_their_binary_value_and_constants_their_name():
    assert slopes.exact(slopes.linear)(0.1) == mpmath.mpf(0.1)
    difference = slopes.exact(slopes.softplus, digits=40)(0.0) - mpmath.mpf(0.6931471805599453)
    assert 2.3e-17 < difference < 2.4e-17


def test_the_users_context_is_left_alone():
    before = mpmath.mp.dps
    slopes.exact(slopes.tanh, digits=200)(0.3)
    assert mpmath.mp.dps == before


def test_slopes_differences_and_vjps_agree():
    for card in (slopes.gelu, slopes.silu, slopes.tanh, slopes.elu):
        oracle = slopes.exact(card, digits=20)
        for x in (-3.0, -0.3, 0.4, 5.0):
            assert abs(oracle.slope(x) - oracle.difference(x)) < 1e-19
    oracle = slopes.exact(slopes.softmax, digits=20)
    pulled, differences = oracle.vjp([[1.0, 2.0]], [[1.0, 0.0]]), oracle.difference([[1.0, 2.0]], [[1.0, 0.0]])
    assert max(abs((pulled - differences).reshape(-1))) < 1e-19


@pytest.mark.parametrize("name", ["gelu", "geglu", "softmax", "huber", "js_divergence", "dice", "triplet_margin"])
def test_slopes_by_calculus_are_those_by_differences(name):
    card = getattr(slopes, name)
    oracle = slopes.exact(card, digits=12)
    rng, options = np.random.default_rng(0), {}
    if isinstance(card, slopes.card.Loss):
        shape = (2, 3, 2) if card.kind.has_regions else (2, 3)
        arguments = card.kind.examples(card.settings).sample(rng, shape)
        options = {"reduction": "none"}
    else:
        arguments = rng.standard_normal((2, 4)), rng.standard_normal((2, 4 // card.parts))
        arguments = arguments if card.rowwise else arguments[:1]
    off = abs(oracle.calculus(*arguments, **options) - oracle.difference(*arguments, **options))
    assert off.size
    assert max(off.reshape(-1)) < 1e-11


def test_calculus_gives_no_slope_where_its_digits_are_lost():
    @slopes.activation
    def lost(x):
        return ops.log(ops.exp(x)) - x

    assert mpmath.isnan(slopes.exact(lost).calculus(0.3))


def test_definition_and_slope_together_are_those_by_themselves():
    x = np.array([-30.0, -0.3, 0.0, 2.0, 1e20])
    oracle = slopes.exact(slopes.mish)
    for balls, method in zip(oracle.definition_with_slope(x), ("definition", "definition_slope"), strict=True):
        exact = Balls(balls, oracle.digits)
        assert list(exact[:]) == list(getattr(oracle, method)(x))
        for part, same in zip(split(exact), split(exact[:]), strict=True):
            np.testing.assert_allclose(part, same, rtol=1e-15)  # the high parts are equal, the low ones nearly


def test_balls_are_split_as_their_numbers_are():
    flint = pytest.importorskip("flint")
    numbers = "nan", "inf", "-inf", "0", "-0.75", (2**80 + 1, 2000), "-3e-400", "0 +/- 1e-400"
    balls = Balls([flint.arb(x) for x in numbers], 20)
    high, low, exponent = split(balls)
    np.testing.assert_array_equal(high[:5], [np.nan, np.inf, -np.inf, 0.0, -0.75])
    for part, same in zip((high, low, exponent), split(balls[:]), strict=True):
        np.testing.assert_array_equal(part, same)
    assert low[5] != 0


def test_arrays_and_losses():
    x = np.array([[1.0, -2.0]])
    came = slopes.exact(slopes.relu)(x)
    assert came.shape == x.shape
    assert [float(v) for v in came.reshape(-1)] == [1.0, 0.0]
    loss = slopes.exact(slopes.cross_entropy, digits=30)
    assert float(loss([[1.0, 2.0]], [0])) == pytest.approx(slopes.cross_entropy([[1.0, 2.0]], [0]), rel=1e-15)
    assert float(loss([[1.0, 2.0]], [0], base=2.0)) == pytest.approx(float(loss([[1.0, 2.0]], [0])) / np.log(2))


def test_exponentials_of_huge_numbers_are_those_of_mpmath():
    from slopes.readings import exact as reading

    with reading.precision(60), mpmath.workdps(60):
        for x in (1e15, -3.5e15, 1.7e40, -1e300):
            for name in ("exp", "expm1", "cosh", "sinh"):
                ball, wanted = getattr(reading, f"_{name}")(reading.Number(x)), getattr(mpmath, name)(x)
                assert ball.rel_accuracy_bits() > 190
                assert abs(reading.to_mpmath(ball, 200) - wanted) <= abs(wanted) * mpmath.mpf(10) ** -59


def test_balls_contain_their_result_whatever_the_precision():
    """The result with 300 digits lies within the ball with 12."""
    from slopes.readings import exact as reading

    functions = ("exp", "expm1", "log", "log1p", "sqrt", "tanh", "sinh", "sin", "cos", "erf", "normal_cdf", "absolute")
    for name in functions:
        for text in ("1/7", "2", "700/3", "30000000000/7"):
            with reading.precision(300):
                right = getattr(reading, name)(reading.Exact(slopes.ops.Constant(text, 1.0, 0.0)))[()]
            with reading.precision(12):
                ball = getattr(reading, name)(reading.Exact(slopes.ops.Constant(text, 1.0, 0.0)))[()]
            assert ball.contains(right), (name, text)


def test_balls_that_overlap_are_not_compared():
    from slopes.readings import exact as reading

    with reading.precision(20):
        third = reading.Exact(slopes.ops.Constant("1/3", 1 / 3, 0.0))
        assert [(third < third)[()], (third == third)[()], (third < 1)[()], (third > 1)[()]] == [
            None,
            None,
            True,
            False,
        ]
        assert [(~(third < third))[()], ((third < third) & (third > 1))[()], ((third < third) | (third < 1))[()]] == [
            None, False, True
        ]  # fmt: skip
        several = np.stack([third, reading.Exact(1.0), reading.Exact(0.0), reading.Exact(np.nan)]).view(reading.Exact)
        assert (several < third).tolist() == [None, False, True, False]
        one, other = reading.where(several < third, -1.0, 2.0)[1:3]
        assert (one, other) == (2, -1)
        both = reading.where(several < third, -1.0, 2.0)[0]
        assert both.contains(-1)
        assert both.contains(2)


def test_powers_of_a_difference_that_is_lost_are_numbers():
    """Arb's own power of a ball around 0 is NaN."""
    x = np.array([[1.0, 2.0]])
    assert slopes.exact(slopes.cosine, 20)(x, x, reduction="none") == 0

    @slopes.activation
    def lost(x):
        """The fifth power of 0, which is no exact 0, and x."""
        return (slopes.ops.sqrt(x) - slopes.ops.sqrt(x + 0)) ** 5 + (slopes.ops.sqrt(x) - slopes.ops.sqrt(x)) ** 2 + x

    assert slopes.exact(lost, 20)(2.0) == 2
    assert slopes.exact(lost, 20).tangent(2.0) == 1


def test_a_lost_difference_is_not_taken_for_zero():
    naive = slopes.activation()(lambda x: slopes.ops.log(1 + slopes.ops.exp(x)))
    assert float(slopes.exact(naive, digits=15)(-300.0)) == pytest.approx(np.exp(-300.0), rel=1e-14)
    sure = slopes.exact(slopes.cross_entropy, digits=15)
    by_calculus, by_steps = sure.slope([460.0, 0.0], 0), sure.difference([460.0, 0.0], 0)
    assert abs(by_steps[1] / by_calculus[1] - 1) < 1e-14


def test_rows_go_together_whatever_their_layout():
    row = [0.0, 50.0, 100.0]
    expected = slopes.exact(slopes.log_softmax, 20)([row])[0]
    assert list(slopes.exact(slopes.log_softmax, 20)(row)) == list(expected)
    column = slopes.exact(slopes.log_softmax, 20)([[v] for v in row], axis=0)
    assert list(column[:, 0]) == list(expected)
    weighed = slopes.exact(slopes.mse, 20)([1.0, 2.0], [0.0, 0.0], reduction="none", weight=np.array([1.0, 2.0]))
    assert [float(v) for v in weighed] == [1.0, 8.0]
    assert float(slopes.exact(slopes.cross_entropy, 20).slope([1.0, 2.0], 0)[1]) == pytest.approx(0.7310585786300049)


def test_integers_are_exact_parameters():
    loss = slopes.exact(slopes.cross_entropy, 50)
    assert loss([[0.0, 1.0]], [0], base=2) == loss([[0.0, 1.0]], [0], base=2.0)


def test_threads_do_not_disturb_one_another():
    import concurrent.futures

    tasks = [(digits, x) for digits in (10, 120) for x in (0.1, 0.2, 0.3)] * 40
    alone = {task: slopes.exact(slopes.sigmoid, task[0])(task[1]) for task in tasks}
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda task: (task, slopes.exact(slopes.sigmoid, task[0])(task[1])), tasks))
    assert all(abs(value - alone[task]) < mpmath.mpf(10) ** -task[0] for task, value in together)


def test_differences_have_no_value_at_a_jump():
    jump = slopes.activation(lambda x: slopes.ops.where(x < 1, x, x + 1))
    assert [v == v for v in slopes.exact(jump, 15).difference([0.5, 1.0, 2.0])] == [True, False, True]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: slopes.exact(slopes.relu, digits=0), ValueError, "exact: digits must be a positive integer, got 0"),
        (lambda: slopes.exact(lambda x: x), TypeError, "exact takes a card, got function"),
    ],
)
def test_messages(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_repr():
    assert repr(slopes.exact(slopes.relu, 20)) == "slopes.exact(slopes.relu, digits=20)"


def test_calculus_takes_the_branches_that_the_primitives_state():
    """At a tie `maximum` and `minimum` are their first argument, so that a smooth body has its own slope there."""
    for card, slope in ((slopes.softplus, 0.5), (slopes.elu, 1.0), (slopes.relu, float(slopes.relu.slope(0.0)))):
        assert float(slopes.exact(card).tangent(0.0)) == slope


def test_a_loss_by_softplus_is_clean():
    """Its derivative by calculus was once −1/2 at 0, and an infinite logit gives it 0 · inf, which it may."""

    @slopes.loss("binary")
    def by_softplus(logit, target):
        return target * slopes.ops.softplus(-logit) + (1 - target) * slopes.ops.softplus(logit)

    assert slopes.audit(by_softplus).findings == []


def test_balls_that_nothing_separates_are_equal():
    """The end of a hard sigmoid's line is the inverse of 1/6, halved: 3, and no precision shows it."""
    oracle = slopes.exact(slopes.hard_sigmoid, 25)
    assert [float(x) for x in oracle([-3.0, 3.0])] == [float(x) for x in oracle.definition([-3.0, 3.0])] == [0.0, 1.0]
    assert [float(x) for x in oracle.slope([-3.0, 3.0])] == [0.0, 0.0]


def test_numbers_that_are_zero_in_any_format_need_no_digits(monkeypatch):
    @slopes.activation
    def decaying(x):
        return ops.log(1 + ops.exp(-x))

    x = np.array([1.0, 700.0, 740.0, 1e4])
    expected = Exactly(decaying, 25)(x)
    monkeypatch.setattr(truth_oracle, "LARGEST", 500)
    with pytest.raises(ArithmeticError):
        Exactly(decaying, 25)(x)
    came = Exactly(decaying, 25, for_floats=True)(x)
    assert came[3] == 0
    assert all(abs(came - expected)[:3] <= 1e-24 * expected[:3])
