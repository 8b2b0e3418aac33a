"""Claims are proved for all numbers, or refuted at one that exact arithmetic confirms."""

import math
import time
from functools import cache

import numpy as np
import pytest

import slopes
from slopes import ops
from slopes.card import Gate
from slopes.catalogue import CARDS
from slopes.facts import Claims

pytest.importorskip("flint")

from slopes.proving import PROVABLE, UNPROVEN, prove
from slopes.proving.confirming import is_refuted
from slopes.proving.functions import formulas
from slopes.proving.lines import lines
from slopes.proving.numbers import middle
from slopes.readings import parity

ELEMENTWISE = [card for card in dict.fromkeys(CARDS.values()) if not card.rowwise or isinstance(card, Gate)]
INF = math.inf
prove_once = cache(prove)


@pytest.mark.parametrize("each", ELEMENTWISE, ids=lambda card: card.name)
def test_the_claims_of_each_elementwise_card_are_proved(each):
    start = time.process_time()
    proof = prove_once(each)
    assert {verdict.claim for verdict in proof.verdicts} >= set(each.claims.stated()) - {"ulps"}
    assert [verdict for verdict in proof.verdicts if verdict.status != "proved"] == []
    assert time.process_time() - start < 20


def test_every_claim_can_be_proved():
    assert set(PROVABLE) - {"slope_roots"} == set(Claims.__dataclass_fields__) - set(UNPROVEN)


#: a card, a wrong claim, and what is said of it
WRONG = [
    (slopes.silu, {"range": (-0.278, INF)}, "its value is -0.27846"),
    (slopes.silu, {"range": (-0.27846454, INF)}, "its value is -0.27846454"),
    (slopes.gelu_tanh, {"range": (-0.17004075, INF)}, "its value is -0.170040750"),
    (slopes.sigmoid, {"range": (0, 0.999)}, "its value is"),
    (slopes.relu, {"range": (0, 1e300)}, "its value is"),
    (slopes.hard_swish, {"range": (-0.3749999999999999, INF)}, "its value is -0.375 at -1.5"),
    (slopes.sigmoid, {"zero": 0.4999999999999999}, "its value is 0.5 at 0.0"),
    (slopes.softplus, {"zero": 0.6931471805599454}, "its value is 0.693147180559945"),
    (slopes.gelu_tanh, {"lipschitz": 1.12899262}, "its slope is 1.1289930"),
    (slopes.selu, {"lipschitz": 1.7580993408473768}, "its slope is 1.758"),
    (slopes.tanh, {"lipschitz": 0.9999999999999999}, "its slope is 1.0 in size at 0.0"),
    (slopes.hardshrink, {"lipschitz": 1e6}, "it rises or falls by"),
    (slopes.relu_squared, {"lipschitz": 1e9}, "its slope is"),
    (slopes.silu, {"monotone": True}, "its slope is negative around"),
    (slopes.xielu, {"monotone": True}, "its slope is negative around"),
    (slopes.hard_swish, {"monotone": True}, "its slope is negative around"),
    (slopes.tanh, {"monotone": False}, "it never falls"),
    (slopes.tanh, {"convex": True}, "its bend is negative around"),
    (slopes.selu, {"convex": True}, "its slope falls at 0.0"),
    (slopes.hard_tanh, {"convex": True}, "its slope falls at 1.0"),
    (slopes.softplus, {"convex": False}, "its slope never falls"),
    (slopes.silu, {"symmetry": "odd"}, "its values are"),
    (slopes.tanh, {"symmetry": "even"}, "its values are"),
    (slopes.relu, {"kinks": ()}, "its slope also jumps at 0.0"),
    (slopes.silu, {"kinks": (0.0,)}, "its slope does not jump at 0.0"),
    (slopes.elu, {"kinks": (0.0,)}, "its slope does not jump at 0.0"),
    (slopes.xielu, {"kinks": (0.0,)}, "its slope also jumps at -1e-06"),
    (slopes.silu, {"slope_roots": ()}, "its slope is also 0 at -1.278464542761073"),
    (slopes.silu, {"slope_roots": (-1.27846454, 1.0)}, "its slope is not 0 at 1.0"),
    (slopes.gelu, {"slope_roots": (-0.7517912,)}, "its slope is also 0 at -0.751791524"),
    (slopes.softplus, {"slope_roots": (-800.0,)}, "its slope is not 0 at -800.0"),
    (slopes.relu, {"slope_roots": (0.0,)}, "its slope is 0 in [-1.797"),
    (slopes.tanhshrink, {"slope_roots": ()}, "its slope is also 0 at 0.0"),
    (slopes.relu6, {"kinks": (0.0, 5.0, 6.0)}, "its slope does not jump at 5.0"),
    (slopes.reglu, {"kinks": ()}, "its slope also jumps at 0.0"),
    (slopes.swiglu, {"monotone": True}, "its slope is negative around"),
    (slopes.mse, {"lipschitz": 1e9}, "in size at"),
    (slopes.mse, {"minimum": -1.0}, "its least value is 0.0"),
    (slopes.mse, {"minimum": 1.0}, "its value is 0.0 at 0.0, with residual for x and any target"),
    (slopes.log_cosh, {"range": (0, 700)}, "its value is"),
    (slopes.charbonnier, {"minimum": 0.0}, "its least value is 0.001"),
    (slopes.soft_margin, {"lipschitz": 0.99999386}, "in size at"),
    (slopes.hinge, {"kinks": ()}, "its slope also jumps at 1.0, with margin for x and target -1.0"),
    (slopes.hinge, {"kinks": (0.5, 1.0)}, "its slope does not jump at 0.5"),
    (slopes.hinge_embedding, {"convex": False}, "its slope never falls, with margin for x and target"),
    (slopes.margin_ranking, {"monotone": True}, "with residual for x and any second and target 1.0"),
    (slopes.binary_cross_entropy, {"lipschitz": 0.9}, "with prediction for x and target 0.0"),
    (slopes.sigmoid_focal, {"convex": True}, "its bend is negative around"),
    (slopes.asymmetric, {"minimum": 1e-300}, "its value is 0.0"),
    (slopes.poisson_nll, {"range": (-5, INF)}, "with prediction for x and target"),
    (slopes.gaussian_nll, {"monotone": True}, "its slope is negative around -1.0, with residual for x and target 0.0"),
    (slopes.mape, {"lipschitz": 1e6}, "with residual for x and target 0.0"),
    (slopes.mape, {"kinks": (1.0,)}, "its slope"),
    (slopes.msle, {"convex": True}, "its bend is negative around"),
]


@pytest.mark.parametrize(("known", "wrong", "reason"), WRONG, ids=[f"{c.name}-{wrong}" for c, wrong, _ in WRONG])
def test_a_wrong_claim_is_refuted_at_a_point(known, wrong, reason):
    (verdict,) = prove(known, claims=wrong).verdicts
    assert verdict.status == "refuted", verdict
    assert reason in verdict.reason
    if any(value is False for value in wrong.values()):
        assert not verdict.points  # no single point denies that it falls somewhere
    elif "least" not in verdict.reason:
        by_line = [formulas(line)[0] for first in lines(known) for line in (first, *first.points())]
        assert any(is_refuted(each, verdict.claim, verdict.stated, verdict.points) for each in by_line)


def test_each_sort_of_claim_has_a_wrong_one():
    assert {name for _, wrong, _ in WRONG for name in wrong} == set(PROVABLE)


@pytest.mark.parametrize(
    ("known", "roots"),
    [
        (slopes.silu, (-1.278464542761074,)), (slopes.quick_gelu, (-0.7511542554412889,)), (slopes.softsign, ()),
        (slopes.gelu, (-0.7517915246935645,)), (slopes.gelu_tanh, (-0.7524614220710163,)), (slopes.exponential, ()),
        (slopes.mish, (-1.1924312145154952,)), (slopes.xielu, (-0.9808292530117262,)), (slopes.tanhshrink, (0.0,)),
    ],
    ids=lambda value: getattr(value, "name", ""),
)  # fmt: skip
def test_roots_of_the_slope_are_proved(known, roots):
    verdict = prove(known, claims={"slope_roots": roots})["slope_roots"]
    assert verdict.status == "proved"
    assert verdict.tightest == pytest.approx(roots, rel=1e-15)


def test_roots_of_a_slope_without_a_derivative_are_those_of_the_body():
    assert prove(own_cubic, claims={"slope_roots": (-1.0, 1.0)})["slope_roots"].status == "proved"
    assert prove(own_cubic, claims={"slope_roots": (1.0,)})["slope_roots"].points == (-1.0,)


def test_tightest_bounds_are_proved_and_close():
    proof = prove(slopes.mish)
    low, high = proof["range"].tightest
    assert low == pytest.approx(-0.30884341, abs=1e-8)
    assert high == INF
    assert prove(slopes.mish, claims={"range": (low, INF)}).ok
    steepest = proof["lipschitz"].tightest
    assert steepest < slopes.mish.claims.lipschitz
    assert prove(slopes.mish, claims={"lipschitz": steepest})["lipschitz"].status == "proved"
    assert prove(slopes.mish, claims={"lipschitz": steepest - 2e-8})["lipschitz"].status == "refuted"


def test_bounds_without_a_claim_have_nine_digits():
    """x·tanh(x) is steepest where its second derivative, a difference of two terms, is 0."""
    found = prove(caller, claims={"range": (-INF, INF), "lipschitz": INF})
    assert found["lipschitz"].tightest == pytest.approx(1.1996786402577339, rel=1e-8)
    assert found["range"].tightest == (0.0, INF)


# ------------------------------------------------------------------------------------------- users' cards


@slopes.activation(range=(-0.5, INF), zero=0.0, lipschitz=2.0, monotone=True, convex=True, kinks=(-0.25, 1.0))
def bent(x, *, high: float = 2.0):
    """Two bends, with constants and a parameter."""
    return ops.maximum(ops.where(x > 1, high * (x - 1) + 1, x), -0.25) * 1.0


@slopes.activation()
def own_silu(x):
    """The product as it is written, which is NaN at −inf."""
    return x / (1 + ops.exp(-x))


@slopes.activation()
def own_cubic(x):
    """A cubic."""
    return x * (x * x / 3 - 1)


@slopes.activation()
def slow(x):
    """Its parts are equal at 1, but no digits show it."""
    return ops.where(x > 1, ops.exp(x), ops.e * x)


@slopes.activation(definition=lambda x: x)
def wrong_body(x):
    """A body that is not its definition."""
    return 2 * x


@slopes.activation()
def falling_at_root(x):
    """It falls between two float64 numbers."""
    return ops.where(x * x < 2, x, x - 1)


@slopes.activation()
def falling_at_one(x):
    """It falls right of 1."""
    return ops.where(x > 1, x - 1, x)


@slopes.activation()
def nearly_odd(x):
    """It is odd up to 1e20."""
    return ops.where(x > 1e20, 2 * x, x)


@slopes.activation()
def hidden_kink(x):
    """The absolute value."""
    return ops.sqrt(x * x)


@slopes.activation()
def own_step(x):
    """0 or 1."""
    return ops.where(x >= 0, 1, ops.tanh(x) * 0)


@slopes.activation(symmetry="even", range=(0, INF), convex=False)
def caller(x):
    """It calls a card, and is convex only near 0."""
    return x * slopes.tanh(x)


@slopes.loss("regression", convex=True, lipschitz=2.0, kinks=(0.0,))
def own_loss(prediction, target, *, low: float = 1.5):
    """It has a kink, another factor for large targets, and calls a card."""
    size = ops.absolute(prediction - target)
    return ops.where(ops.absolute(target) > 3, 2.0, low) * (size + slopes.tanhshrink(size)) / 2


@slopes.activation()
def of_rows(x):
    """It needs a row."""
    return ops.softmax(x)


@slopes.loss("classification", convex=True, minimum=0.0)
def own_of_rows(prediction, target, *, factor: float = 0.5):
    """Cross-entropy, by the body of a card, and the right logit's shortfall to 1."""
    short = ops.expected(ops.maximum(1 - prediction, 0), target)
    return slopes.cross_entropy.body(prediction, target, from_probabilities=False, base=ops.e) + factor * short


@slopes.loss("distribution", convex=True, lipschitz=3.0)
def own_of_vectors(prediction, target):
    """A squared distance of the probabilities, which is not convex in the logits."""
    return ops.sum((ops.softmax(prediction) - target) ** 2)[..., 0]


@slopes.loss("distribution")
def own_unreached(prediction, target):
    """A sum of squared probabilities, which is above 0."""
    return ops.sum(ops.softmax(prediction) ** 2)[..., 0]


def own_of_boxes(body):
    """Return a loss of boxes, by their sides, areas and intersection along one axis."""

    def loss(prediction, target):
        (a, b, c, d), (e, f, g, h) = ([ops.entry(box, place) for place in range(4)] for box in (prediction, target))
        across, along = ops.minimum(c, g) - ops.maximum(a, e), ops.minimum(d, h) - ops.maximum(b, f)
        return body(across, along, (c - a) * (d - b), (g - e) * (h - f))

    return slopes.loss("boxes")(loss)


@slopes.loss("boxes")
def own_bend(prediction, target):
    """The smaller corner, which is a line for each order of the corners."""
    return ops.minimum(prediction, target)[..., 0]


@slopes.activation(kind="map", range=(-1, 1), kinks=(), monotone=False)
def own_map(x):
    """Twice the softmax, less 1."""
    return 2 * ops.softmax(x) - 1


@slopes.activation(kind="map", kinks=(1.0,))
def own_kinked_map(x):
    """It has another kink at −1/8."""
    return ops.maximum(ops.above_simplex_threshold(x), 0.25)


@slopes.activation()
def branching(x):
    """Python branches on the value."""
    return x if x > 0 else -x


@slopes.activation()
def root(x):
    """A root without a slope at 0, and values on one side alone."""
    return ops.sqrt(x)


def test_a_card_of_ones_own_is_proved():
    assert [verdict.status for verdict in prove(bent).verdicts if verdict.claim != "range"] == ["proved"] * 5
    found = prove(bent)["range"]
    assert (found.status, found.tightest) == ("proved", (-0.25, INF))


OF_ROWS = [card for card in dict.fromkeys(CARDS.values()) if card.rowwise and not isinstance(card, Gate)]


@pytest.mark.parametrize("each", OF_ROWS, ids=lambda card: card.name)
def test_the_claims_of_each_card_of_rows_are_proved(each):
    proof = prove_once(each)
    assert {verdict.claim for verdict in proof.verdicts} >= set(each.claims.stated()) - set(UNPROVEN)
    assert {verdict.status for verdict in proof.verdicts} == {"proved"}


WRONG_OF_ROWS = [
    (slopes.softmax, {"range": (0, 0.9)}, "its value is"),
    (slopes.softmax, {"range": (0.1, 1)}, "its value is"),
    (slopes.log_softmax, {"range": (-9, 0)}, "its value is"),
    (slopes.sparsemax, {"range": (0, 0.9)}, "its value is 1.0 at x ["),
    (slopes.sparsemax, {"kinks": (1.0,)}, "its slope also jumps at -0.5"),
    (slopes.sparsemax, {"kinks": (-0.5, 0.25, 1.0)}, "its slope does not jump at 0.25"),
    (slopes.softmax, {"kinks": (0.0,)}, "its slope does not jump at 0.0"),
    (slopes.cross_entropy, {"minimum": 0.1}, "its value is 0.0 at prediction ["),
    (slopes.cross_entropy, {"minimum": -1.0}, "its least value is 0.0 or more"),
    (slopes.cross_entropy, {"convex": False}, "its form is convex"),
    (slopes.cross_entropy, {"range": (0, 9)}, "its value is"),
    (slopes.softmax_focal, {"convex": True}, "its value in the middle is above its chord from prediction ["),
    (slopes.kl_div, {"minimum": -0.1}, "its least value is 0.0 or more"),
    (slopes.js_divergence, {"convex": True}, "its value in the middle is above its chord from prediction ["),
    (slopes.cosine, {"range": (0, 1)}, "its value is"),
    (slopes.dice, {"minimum": 0.25}, "its value is 0.0 at prediction [["),
    (slopes.giou, {"minimum": 0.25}, "its value is 0.0 at prediction ["),
    (slopes.diou, {"minimum": 1e-300}, "its value is 0.0 at prediction ["),
    (slopes.ciou, {"minimum": -0.1}, "its least value is 0.0 or more"),
    (slopes.giou, {"convex": True}, "above its chord from prediction ["),
    (slopes.triplet_margin, {"convex": True}, "above its chord from anchor ["),
    (slopes.multilabel_margin, {"range": (0, 9)}, "its value is"),
]


@pytest.mark.parametrize(
    ("known", "wrong", "reason"), WRONG_OF_ROWS, ids=[f"{c.name}-{w}" for c, w, _ in WRONG_OF_ROWS]
)
def test_a_wrong_claim_of_rows_is_refuted_at_a_row(known, wrong, reason):
    (verdict,) = prove(known, claims=wrong).verdicts
    assert verdict.status == "refuted", verdict
    assert reason in verdict.reason
    assert bool(verdict.points) == ("form" not in reason and "least" not in reason)
    if not verdict.points or "kinks" in wrong:
        return
    options = {} if known.family == "map" else {"reduction": "none"}
    given = [[np.array([argument]) for argument in point] for point in verdict.points]
    values = [np.asarray(known(*arguments, **options)) for arguments in given]
    if "range" in wrong:
        low, high = wrong["range"]
        assert np.min(values[0]) < low or np.max(values[0]) > high
    elif "minimum" in wrong:
        assert np.min(values[0]) < wrong["minimum"]
    else:
        middle = known((given[0][0] + given[1][0]) / 2, *given[0][1:], reduction="none")
        assert np.max(middle - (values[0] + values[1]) / 2) > 0


def test_each_sort_of_claim_of_rows_has_a_wrong_one():
    assert {name for _, wrong, _ in WRONG_OF_ROWS for name in wrong} == {"range", "kinks", "minimum", "convex"}


def lap(across, along):
    return ops.maximum(across, 0) * ops.maximum(along, 0)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (lambda across, along, one, other: one + other - 2 * lap(across, along), "proved"),
        (lambda across, along, one, other: ops.maximum(one, other) - lap(across, along), "open"),
        (lambda across, along, one, other: one + other - 2.001 * lap(across, along), "refuted"),
        (lambda across, along, one, other: one + other - 2 * across * along, "refuted"),
        (lambda across, along, one, other: one - lap(across, along) - 1e-3 * other, "refuted"),
        (lambda across, along, one, other: 1 - ops.safe_divide(lap(across, along), one + other) * 2.5, "refuted"),
    ],
)
def test_an_intersection_of_boxes_is_at_most_each_of_them(body, status):
    assert prove(own_of_boxes(body))["minimum"].status == status


def test_a_bend_between_orders_of_boxes_is_not_convex():
    assert prove(own_bend, claims={"convex": True})["convex"].status == "refuted"


def test_an_arch_proves_that_a_loss_is_not_convex():
    assert prove(slopes.softmax_focal, claims={"convex": False})["convex"].status == "proved"


def test_a_map_without_a_claim_gets_the_tightest_range():
    assert prove(slopes.gumbel_softmax.with_(hard=True))["range"].tightest == (0.0, 1.0)
    assert prove(own_map, claims={"range": (-2, 2)})["range"].tightest == (-1.0, 1.0)


def test_cards_of_rows_of_ones_own_are_proved_or_told_why_not():
    assert [verdict.status for verdict in prove(own_of_rows).verdicts] == ["proved"] * 2
    wrong = prove(own_of_rows.with_(factor=-2.0), claims={"convex": True, "minimum": 0.0})
    assert [verdict.status for verdict in wrong.verdicts] == ["refuted"] * 2
    assert prove(own_unreached)["minimum"].reason == "no right prediction is known that reaches it"
    found = {verdict.claim: verdict for verdict in prove(own_of_vectors).verdicts}
    assert {name: verdict.status for name, verdict in found.items()} == {
        "minimum": "proved", "convex": "refuted", "lipschitz": "open",
    }  # fmt: skip
    assert found["lipschitz"].reason == "slopes.prove takes only range, minimum, convex of a loss of rows"
    statuses = {verdict.claim: verdict.status for verdict in prove(own_map).verdicts}
    assert statuses == {"range": "proved", "kinks": "proved", "monotone": "open"}
    assert prove(own_kinked_map)["kinks"].points == (-0.125,)


def test_a_body_that_calls_cards_is_proved():
    assert [verdict.status for verdict in prove(caller).verdicts] == ["proved"] * 3


def test_a_loss_of_ones_own_is_proved_for_all_targets():
    assert [verdict.status for verdict in prove(own_loss).verdicts] == ["proved"] * 4
    wrong = prove(own_loss, claims={"lipschitz": 1.9, "convex": False, "kinks": (), "minimum": 0.5, "monotone": True})
    assert {verdict.status for verdict in wrong.verdicts} == {"refuted"}
    assert prove(own_loss.with_(low=3.0))["lipschitz"].tightest == 3.0


def test_bound_parameters_have_claims_of_their_own():
    found = {verdict.claim: verdict.tightest for verdict in prove(bent.with_(high=3.0)).verdicts}
    assert found == {"range": (-0.25, INF), "lipschitz": 3.0}
    claims = {"lipschitz": 3.0, "convex": True, "monotone": True}
    assert [verdict.status for verdict in prove(bent.with_(high=3.0), claims=claims).verdicts] == ["proved"] * 3
    assert prove(bent.with_(high=0.5), claims={"convex": True})["convex"].points == (
        math.nextafter(1, 0), 1.0, math.nextafter(1, 2)
    )  # fmt: skip
    assert prove(slopes.elu.with_(alpha=2.0), claims={"lipschitz": 2.0, "range": (-2, INF), "kinks": (0.0,)}).ok
    assert not prove(slopes.silu.with_(beta=0.3), claims={"range": (-0.9, INF)}).ok


def test_infinities_are_looked_at():
    with np.errstate(all="ignore"):
        verdict = prove(own_silu, claims={"range": (-0.2785, INF)})["range"]
    assert (verdict.status, verdict.points) == ("refuted", (-INF,))
    assert "its value at -inf is nan" in verdict.reason


def test_a_claim_that_cannot_be_decided_is_open_with_the_interval():
    verdict = prove(slow, claims={"kinks": ()})["kinks"]
    assert (verdict.status, verdict.points) == ("open", ())
    assert "whether its slope jumps at 1.0" in verdict.reason
    assert prove(slopes.snake, claims={"slope_roots": ()}, effort=300)["slope_roots"].status == "open"
    few = prove(slopes.gelu, claims={"lipschitz": 1.128905}, effort=40)["lipschitz"]
    assert few.status == "open"
    low, high = few.left
    assert low < high
    assert f"in [{low!r}, {high!r}]" in few.reason


@pytest.mark.parametrize("own", [falling_at_root, falling_at_one])
def test_a_step_down_is_found(own):
    assert prove(own, claims={"monotone": True})["monotone"].status == "refuted"
    assert prove(own, claims={"lipschitz": 1e9})["lipschitz"].status == "refuted"
    assert prove(own, claims={"kinks": ()})["kinks"].status != "proved"
    assert prove(own, claims={"convex": True})["convex"].status == "refuted"


def test_a_symmetry_of_samples_is_not_proved():
    assert prove(nearly_odd, claims={"symmetry": "odd"})["symmetry"].status == "open"


def test_what_exact_arithmetic_denies_is_not_refuted(monkeypatch):
    monkeypatch.setattr("slopes.proving.judging.is_refuted", lambda *_: False)
    verdict = prove(slopes.silu, claims={"monotone": True})["monotone"]
    assert verdict.status == "open"
    assert verdict.reason.endswith("which exact arithmetic denies")


def test_a_kink_between_formulas_that_have_no_branch_is_not_overlooked():
    assert prove(hidden_kink, claims={"kinks": ()})["kinks"].status == "open"
    assert prove(hidden_kink, claims={"convex": True}, effort=2000)["convex"].status != "refuted"


def test_a_jump_between_equal_slopes_is_a_kink():
    assert prove(own_step, claims={"kinks": ()})["kinks"].status == "refuted"
    assert prove(own_step, claims={"kinks": (0.0,)})["kinks"].status == "proved"


def test_a_wrong_body_is_not_proved_by_its_definition():
    assert prove(wrong_body, claims={"lipschitz": 1.0})["lipschitz"].status == "refuted"


def test_a_step_that_float64_does_not_show_is_no_counterexample():
    """The body of celu takes x for expm1(x) above −1e-17."""
    assert prove(slopes.celu)["convex"].by == "definition"


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (
            of_rows,
            r"of_rows: nothing can be proved of its body: IntervalError: it uses slopes\.ops\.softmax, which takes",
        ),
        (branching, "branching: nothing can be proved of its body: IntervalError: it branches on a value"),
    ],
)
def test_a_body_that_cannot_be_computed_is_refused_with_the_reason(own, message):
    with pytest.raises(ValueError, match=message):
        prove(own, claims={"monotone": True})


def test_outside_the_domain_nothing_is_proved():
    with np.errstate(all="ignore"):
        proof = prove(root, claims={"monotone": True, "lipschitz": 1e9, "kinks": ()}, effort=3000)
    assert "proved" not in {verdict.status for verdict in proof.verdicts}


@pytest.mark.parametrize(
    ("thing", "claims", "error", "message"),
    [
        (slopes.cross_entropy, {"lipschitz": 1.0}, ValueError, "no claim 'lipschitz' of cross_entropy"),
        (slopes.softmax, {"convex": True}, ValueError, "no claim 'convex' of softmax"),
        (slopes.mse, {"zero": 0.0}, ValueError, "no claim 'zero' of mse"),
        (slopes.relu, {"minimum": 0.0}, ValueError, "no claim 'minimum' of relu"),
        ("relu", None, TypeError, "takes an activation or a loss, got str"),
        (slopes.relu, {"rnge": (0, 1)}, ValueError, "no claim 'rnge' of relu; did you mean 'range'"),
        (slopes.relu, {"range": 1}, ValueError, r"range must be a pair \(low, high\), got 1"),
        (slopes.relu, {"symmetry": "strange"}, ValueError, "symmetry must be 'odd' or 'even'"),
        (slopes.relu, {"lipschitz": math.nan}, ValueError, "lipschitz must be a number of at least 0"),
        (slopes.prelu.with_(weight=np.ones(3)), {"monotone": True}, ValueError, "weight must be one number"),
    ],
)
def test_what_cannot_be_asked_is_refused(thing, claims, error, message):
    with pytest.raises(error, match=message):
        prove(thing, claims=claims)


# ------------------------------------------------------------------------------------------------- parity


def parity_of(function):
    table = parity.Table()
    return parity.find_parity(function, table.x)


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        (lambda x: x * ops.absolute(x), "odd"),
        (lambda x: ops.where(x < -1, -1, ops.where(x > 1, 1, x)), "odd"),
        (lambda x: ops.sigmoid(x) - 0.5, None),
        (lambda x: ops.exp(x) + ops.exp(-x), "even"),
        (lambda x: (ops.exp(x) - ops.exp(-x)) / (ops.exp(x) + ops.exp(-x)), "odd"),
        (lambda x: x**3 - ops.sin(2 * x), "odd"),
        (lambda x: x**2 + ops.cos(x), "even"),
        (lambda x: x**2 + x, None),
        (lambda x: ops.clip(x, -1, 1), "odd"),
        (lambda x: ops.clip(x, -1, 2), None),
        (lambda x: ops.where((x > 1) | (x < -1), x * x, 1), "even"),
        (lambda x: ops.where((x > 1) & (x < -1), x * x, 1), "even"),
        (lambda x: ops.where(x > 1, x, 1), None),
        (lambda x: ops.softcap(x, 3.0) + ops.tanhshrink(x) * ops.erf(x) ** 2, "odd"),
        (lambda x: ops.where(x >= 0, ops.tanh(x), ops.tanh(x) - 0.0), "odd"),
        (lambda x: ops.step(x), None),
        (lambda x: x - x, "even"),
    ],
)
def test_parity_is_found_by_the_form(function, wanted):
    assert parity_of(function) == wanted


# ------------------------------------------------------------------------------------------------ printed


def test_a_proof_is_printed_as_a_table():
    proof = prove(slopes.gelu, claims={"range": (-0.2, INF), "monotone": True})
    lines = str(proof).splitlines()
    assert lines[0] == "gelu: 1 proved, 1 refuted for all float64 numbers"
    assert "range     (-0.2, inf)  proved   tightest: (-0.169971208, inf)" in lines[1]
    assert "monotone  True         refuted  its slope is negative around" in lines[2]
    assert lines[1].endswith(" s")
    assert "<td" in proof._repr_html_()
    assert proof.table()[0]["tightest"] == (-0.169971208, INF)
    with pytest.raises(KeyError):
        proof["zero"]


# ------------------------------------------------------------------------------------------ random numbers


BOUNDARIES = [0.0, *(sign * size for sign in (-1, 1) for size in (5e-324, 2.0**-1022, 2.0**-149, 1.0, 1e300))]


def draw_floats(rng, size):
    """Return float64 numbers of every size and both signs, as many near 0, and those where formats and formulas change."""
    anywhere = rng.integers(0, 2**64, size // 4, dtype=np.uint64).view(np.float64)
    anywhere = np.where(np.isfinite(anywhere), anywhere, 0.0)
    numbers = np.concatenate([anywhere, rng.normal(scale=3, size=size // 2 - size // 4), BOUNDARIES])
    return np.sort(np.concatenate([numbers, -numbers]))


def along(line, rng):
    """Return a card along a line in float64, at one random point of the box beside it: values and slopes at x."""
    if not line.beside:
        return lambda x: (line.card(x), line.card.slope(x))
    beside = [float(np.clip(rng.normal(scale=2), low, high)) for low, high in line.beside]
    beside[:1] = [0.0] if line.variable == "residual" else beside[:1]  # the sum is exact

    def evaluate(x):
        arguments = line.arguments(x, tuple(beside), lambda a, b: a + b)
        arguments = [np.broadcast_to(a, x.shape).copy() for a in arguments]
        values, slopes_ = line.card.value_and_slope(*arguments, reduction="none")
        return values, slopes_ * (beside[0] if line.variable == "margin" else 1)

    return evaluate


#: whether values and slopes at sorted numbers, each right to some units in the last place, contradict a claim
CONTRADICTED = {
    "range": lambda stated, x, y, d: (
        (y < stated[0] - 1e-15 * abs(stated[0])) | (y > stated[1] + 1e-15 * abs(stated[1]))
    ),
    "zero": lambda stated, x, y, d: (x == 0) & (abs(y - stated) > 1e-15 * abs(stated)),
    "symmetry": lambda stated, x, y, d: (
        (x != -x[::-1]) | (abs(y[::-1] - (y if stated == "even" else -y)) > 1e-15 * abs(y) + 5e-324)
    ),
    "minimum": lambda stated, x, y, d: y < stated - 1e-15 * abs(stated),
    "lipschitz": lambda stated, x, y, d: abs(d) > stated * (1 + 1e-15),
    "monotone": lambda stated, x, y, d: d < -1e-300 if stated else np.zeros(1, bool),
    "convex": lambda stated, x, y, d: np.diff(d) < -2e-15 * abs(d[1:]) - 1e-300 if stated else np.zeros(1, bool),
}


def are_apart(one, other):
    """Whether slopes differ by more than those of a smooth function at neighbouring numbers up to 1e6."""
    return abs(one - other) > 1e-6 * np.maximum(1, np.maximum(abs(one), abs(other)))


def find_jumps(slope, x, d):
    """Return pairs of neighbouring numbers between which a slope jumps: intervals of slopes apart are halved."""
    near = abs(x) < 1e6
    x, d = x[near], d[near]
    steep = are_apart(d[:-1], d[1:])
    low, high, before, after = x[:-1][steep], x[1:][steep], d[:-1][steep], d[1:][steep]
    for _ in range(64):
        middle = from_order(order(low) // 2 + order(high) // 2 + (order(low) & order(high) & 1))
        between = slope(middle)
        is_left = abs(between - before) > abs(after - between)
        low, before = np.where(is_left, (low, before), (middle, between))
        high, after = np.where(is_left, (middle, between), (high, after))
    return np.stack([low, high], axis=-1)[are_apart(before, after)]


def order(x):
    """Return the place of each number among those of float64."""
    bits = (x + 0.0).view(np.int64)
    return np.where(bits < 0, -(bits & 2**63 - 1), bits)


def from_order(place):
    return np.copysign(abs(place).view(np.float64), place)


def wrong_kinks(stated, slope, x, d):
    """Return numbers where a slope jumps without a claim, and claimed ones where it does not."""
    jumps = find_jumps(slope, x, d)
    stated = np.array(stated, dtype=float)
    sides = [slope(np.nextafter(stated, side)) for side in (-INF, INF)] if stated.size else [stated, stated]
    return [*jumps[~np.isin(jumps, stated).any(axis=-1)].ravel(), *stated[~are_apart(*sides)]]


@pytest.mark.parametrize("size", [4000, pytest.param(10**6, marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("each", ELEMENTWISE, ids=lambda card: card.name)
def test_random_numbers_contradict_no_proved_claim(each, size):
    verdicts = [verdict for verdict in prove_once(each).verdicts if verdict.claim != "slope_roots"]
    claims = [(verdict.claim, verdict.stated) for verdict in verdicts]
    claims += [(verdict.claim, verdict.tightest) for verdict in verdicts if verdict.tightest is not None]
    assert contradictions(each, claims, size) == []


def contradictions(each, claims, size):
    """Return the claims that random numbers contradict, with the line and a few of the numbers."""
    rng, found = np.random.default_rng(size), []
    for line in lines(each):
        with np.errstate(all="ignore"):
            evaluate = along(line, rng)
            x = draw_floats(rng, size)
            x = x[(x >= max(line.low, -1e300)) & (x <= min(line.high, 1e300))]
            values, slopes_ = evaluate(x)
            for name, stated in claims:
                if name == "kinks":
                    numbers = wrong_kinks(stated, lambda x, evaluate=evaluate: evaluate(x)[1], x, slopes_)
                else:
                    bad = CONTRADICTED[name](stated, x, values, slopes_)
                    numbers = x[: bad.size][bad]
                if len(numbers):
                    found.append((name, stated, line, numbers[:3]))
    return found


@pytest.mark.parametrize(
    ("known", "claim", "unsound"),
    [
        (slopes.silu, "range", (-0.278, INF)), (slopes.sigmoid, "range", (0, 0.999)), (slopes.charbonnier, "minimum", 0.002),
        (slopes.gelu_tanh, "lipschitz", 1.1289), (slopes.silu, "monotone", True), (slopes.tanh, "convex", True),
        (slopes.softplus, "zero", 0.69314718055994), (slopes.relu, "zero", 1e-300), (slopes.tanh, "symmetry", "even"),
        (slopes.silu, "symmetry", "odd"), (slopes.xielu, "kinks", (0.0,)), (slopes.relu6, "kinks", (0.0, 5.0, 6.0)),
        (slopes.silu, "kinks", (0.0,)), (slopes.mae, "kinks", ()), (slopes.hinge, "kinks", (0.5, 1.0)),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)  # fmt: skip
def test_random_numbers_contradict_an_unsound_proof(known, claim, unsound):
    assert {name for name, *_ in contradictions(known, [(claim, unsound)], 4000)} == {claim}


@pytest.mark.parametrize("size", [200, pytest.param(10**6, marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("each", [card for card in OF_ROWS if card.family == "loss"], ids=lambda card: card.name)
def test_random_rows_contradict_no_proved_claim_of_a_loss(each, size):
    """Values and chords of rows by NumPy, within its errors."""
    rng = np.random.default_rng(size)
    proved = {verdict.claim: verdict.stated for verdict in prove_once(each).verdicts if verdict.status == "proved"}
    examples, options = each.kind.examples(each.settings), {"reduction": "none"}
    for _ in range(size // 40):
        first, *rest = examples.stress(rng)
        values = each(first, *rest, **options)
        assert np.min(values) >= proved.get("minimum", -INF) - 1e-12
        if proved.get("convex"):
            other = first[rng.permutation(len(first))]
            middle = each(first / 2 + other / 2, *rest, **options)
            chord = values / 2 + each(other, *rest, **options) / 2
            assert not (middle > chord + 1e-9 * abs(chord) + 1e-9).any()


@pytest.mark.parametrize("size", [4000, pytest.param(10**6, marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("each", [card for card in OF_ROWS if card.family == "map"], ids=lambda card: card.name)
def test_random_rows_contradict_no_proved_claim_of_a_map(each, size):
    verdicts = [verdict for verdict in prove_once(each).verdicts if verdict.claim in ("range", "kinks")]
    claims = [(verdict.claim, bounds) for verdict in verdicts for bounds in (verdict.stated, verdict.tightest)]
    assert contradictions_of_map(each, [claim for claim in claims if claim[1] is not None], size) == []


def contradictions_of_map(each, claims, size):
    """Return the claims that rows of every size and of 1 to 9 entries contradict, and kinks along the map's curve."""
    rng, found = np.random.default_rng(size), []
    x = np.sort(rng.normal(scale=3, size=size // 10))
    for name, stated in claims:
        if name == "kinks":
            found += [(name, at) for at in wrong_kinks(stated, lambda x: each.curve_of(x)[1], x, each.curve_of(x)[1])]
            continue
        for width in range(1, 10):
            sizes = 10 ** rng.uniform(-5, rng.choice([1, 5, 300], size // 9))
            values = each(sizes[:, None] * rng.normal(size=(size // 9, width)))
            if not ((values >= stated[0]) & (values <= stated[1] + 1e-15)).all():
                found.append((name, width))
    return found


@pytest.mark.parametrize(
    ("known", "claim", "unsound"),
    [
        (slopes.softmax, "range", (0, 0.999)), (slopes.sparsemax, "range", (0.1, 1)), (slopes.log_softmax, "range", (-1e4, 0)),
        (slopes.sparsemax, "kinks", (1.0,)), (slopes.softmax, "kinks", (0.0,)),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)  # fmt: skip
def test_random_rows_contradict_an_unsound_proof_of_a_map(known, claim, unsound):
    assert {name for name, _ in contradictions_of_map(known, [(claim, unsound)], 4000)} == {claim}


def test_a_box_of_one_number_has_no_halves():
    assert middle(0.0, 0.0) is middle(-3.0, -3.0) is None
