"""Sums of losses are losses: their numbers, names, refusals, and all that works with a card."""

import copy
import functools
import inspect
import pickle

import numpy as np
import pytest

import slopes
from helpers import mark_exhaustive, whole_graph
from slopes import kernels, loading
from slopes.card import Loss

RNG = np.random.default_rng(0)
LOGITS, LABELS = RNG.standard_normal((6, 4, 3)), RNG.integers(0, 3, (6, 4))  # samples, pixels, classes
LABELS[0, 0] = LABELS[3, 2] = 2
YES = RNG.integers(0, 2, LOGITS.shape).astype(float)
MASK, WEIGHT = RNG.random((6, 4)) < 0.7, RNG.random((6, 4))
X, Y = RNG.standard_normal((5, 8)), RNG.standard_normal((5, 8))
LOW = RNG.random((5, 2))
BOXES = np.concatenate([LOW, LOW + RNG.random((5, 2))], -1)
OTHERS = BOXES + 0.1

MIXED = slopes.dice + 0.5 * slopes.cross_entropy
ONE_KIND = slopes.mse + 0.1 * slopes.mae


@slopes.loss("regression")
def fourth_power(prediction, target):
    """The residual to the fourth power."""
    return (prediction - target) ** 4


@pytest.fixture(params=["float64", "float32", "torch float64", "torch float32"])
def convert(request):
    """A function that makes an array of each library and precision."""
    library, _, dtype = request.param.rpartition(" ")
    if not library:
        return lambda x: x.astype(dtype) if x.dtype.kind == "f" else x
    torch = pytest.importorskip("torch")
    return lambda x: torch.from_numpy(x.astype(dtype) if x.dtype.kind == "f" else x)


def check(loss, pairs, arguments, convert, **options):
    """Compare a loss and its gradient with the weighted sum of other losses."""
    arguments = [convert(x) for x in arguments]
    options = {name: convert(x) if isinstance(x, np.ndarray) else x for name, x in options.items()}
    value, slope = loss.value_and_slope(*arguments, **options)
    rtol = 1e-13 if "64" in str(arguments[0].dtype) else 2e-6
    expected = [sum(w * np.asarray(x) for w, x in zip(*each, strict=True)) for each in (
        (pairs.values(), [card(*arguments, **options) for card in pairs]),
        (pairs.values(), [card.slope(*arguments, **options) for card in pairs]),
    )]  # fmt: skip
    for came, wanted in ((loss(*arguments, **options), expected[0]), (value, expected[0]), (slope, expected[1])):
        assert type(came) is type(value) or type(came) is type(slope)
        assert came.dtype == arguments[0].dtype
        np.testing.assert_allclose(came, wanted, rtol=rtol, atol=rtol * abs(wanted).max())
    if hasattr(arguments[0], "requires_grad"):
        leaf = arguments[0].clone().requires_grad_()
        loss(leaf, *arguments[1:], **options).sum().backward()
        np.testing.assert_allclose(leaf.grad, expected[1], rtol=rtol, atol=rtol * abs(expected[1]).max())


# ------------------------------------------------------------------------------------------ of one kind


Z_LOSSES = {"sum": slopes.cross_entropy + 0.1 * slopes.z_loss, "option": slopes.cross_entropy.with_(z_loss=0.1)}


@pytest.mark.parametrize("form", Z_LOSSES)
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("classes", [None, np.array([1.0, 2.0, 0.5])], ids=["alike", "weighed"])
def test_z_loss_counts_rows_as_cross_entropy_does(form, convert, classes, smoothing):
    """By hand: both terms have the weight of a row and of its classes, which the mean divides by."""
    labels = np.where(np.random.default_rng(1).random(LABELS.shape) < 0.2, -100, LABELS)
    options = {
        "mask": MASK,
        "weight": WEIGHT,
        "class_weight": classes,
        "label_smoothing": smoothing,
        "ignore_index": -100,
    }
    targets = (1 - smoothing) * np.eye(3)[np.maximum(labels, 0)] + smoothing / 3
    targets = targets * (1.0 if classes is None else classes) * (WEIGHT * MASK * (labels >= 0))[..., None]
    totals = np.log(np.exp(LOGITS).sum(-1, keepdims=True))
    wanted = (targets * (totals - LOGITS + 0.1 * totals**2)).sum() / targets.sum()
    given = {name: convert(x) if isinstance(x, np.ndarray) else x for name, x in options.items()}
    value, slope = Z_LOSSES[form].value_and_slope(convert(LOGITS), convert(labels), **given)
    rtol = 1e-13 if "64" in str(value.dtype) else 2e-6
    np.testing.assert_allclose(value, wanted, rtol=rtol)
    drawn = targets.sum(-1, keepdims=True) * np.exp(LOGITS - totals) * (1 + 0.2 * totals)
    np.testing.assert_allclose(slope, (drawn - targets) / targets.sum(), rtol=rtol, atol=rtol)
    check(Z_LOSSES[form], {slopes.cross_entropy: 1, slopes.z_loss: 0.1}, (LOGITS, labels), convert, **options)


def test_z_loss_is_the_same_for_every_label():
    for size in (1.0, 500.0):
        values = slopes.z_loss(np.tile(size * LOGITS[0, :1], (3, 1)), np.arange(3), reduction="none")
        np.testing.assert_allclose(values, np.logaddexp.reduce(size * LOGITS[0, 0]) ** 2, rtol=1e-14)


@pytest.mark.parametrize("options", [
    {}, {"reduction": "sum"}, {"reduction": "none"}, {"weight": abs(X)}, {"mask": X > 0, "weight": abs(Y)},
    {"mask": X > 9}, {"divisor": 3.0},
], ids=str)  # fmt: skip
def test_terms_of_one_kind_add_up(convert, options):
    check(ONE_KIND, {slopes.mse: 1, slopes.mae: 0.1}, (X, Y), convert, **options)


@pytest.mark.parametrize("options", [
    {}, {"reduction": "none"}, {"mask": MASK}, {"ignore_index": 2, "weight": WEIGHT},
    {"class_weight": np.array([1.0, 2.0, 0.5]), "label_smoothing": 0.1}, {"divisor": 7},
], ids=str)  # fmt: skip
def test_classes_add_up(convert, options):
    loss = 2 * slopes.cross_entropy + 0.3 * slopes.poly1
    check(loss, {slopes.cross_entropy: 2, slopes.poly1: 0.3}, (LOGITS, LABELS), convert, **options)


def test_the_numbers_are_those_of_the_formula():
    assert ONE_KIND([3.0], [1.0]) == 4.0 + 0.1 * 2.0
    assert ONE_KIND.slope([3.0], [1.0]) == 4.0 + 0.1
    assert ONE_KIND(X, X + 2) == pytest.approx(4.2, rel=1e-15)


def test_bound_parameters_and_choices_count():
    loss = slopes.huber.with_(delta=0.5) + slopes.pinball.with_(quantile=0.9)
    assert loss([3.0], [1.0]) == slopes.huber([3.0], [1.0], delta=0.5) + slopes.pinball([3.0], [1.0], quantile=0.9)
    chances = np.full((2, 3), 1 / 3)
    bound = slopes.cross_entropy.with_(from_probabilities=True) + slopes.categorical_cross_entropy
    assert bound(chances, [0, 1]) == pytest.approx(2 * np.log(3))
    with pytest.raises(ValueError, match="must be rows that sum to 1"):
        bound(chances * 2, [0, 1])


def test_the_narrower_space_counts():
    loss = slopes.mse + slopes.msle
    assert loss([1.0], [0.0]) == 1 + np.log(2) ** 2
    with pytest.raises(ValueError, match=r"mse \+ msle: prediction must be > -1"):
        loss([-2.0], [0.0])


def test_losses_of_regions_and_of_coupled_rows_add_up(convert):
    check(slopes.dice + slopes.tversky, {slopes.dice: 1, slopes.tversky: 1}, (LOGITS, LABELS), convert, mask=MASK)
    joint = slopes.generalized_dice + slopes.generalized_dice.with_(weighting="simple")
    pairs = {slopes.generalized_dice: 1, slopes.generalized_dice.with_(weighting="simple"): 1}
    check(joint, pairs, (LOGITS, LABELS), convert)


# --------------------------------------------------------------------------------------- of different kinds


@pytest.mark.parametrize("options", [
    {}, {"reduction": "sum"}, {"mask": MASK}, {"weight": WEIGHT, "mask": MASK}, {"ignore_index": 2},
    {"class_weight": np.array([1.0, 2.0, 0.5])},
], ids=str)  # fmt: skip
def test_regions_and_pixels_add_up(convert, options):
    check(MIXED, {slopes.dice: 1, slopes.cross_entropy: 0.5}, (LOGITS, LABELS), convert, **options)


def test_an_option_goes_to_each_term_that_takes_it():
    moved = np.moveaxis(LOGITS, -1, 1)
    assert MIXED(moved, LABELS, axis=1, over="batch") == slopes.dice(
        moved, LABELS, axis=1, over="batch"
    ) + 0.5 * slopes.cross_entropy(moved, LABELS, axis=1)
    smooth = slopes.dice(LOGITS, LABELS) + 0.5 * slopes.cross_entropy(LOGITS, LABELS, label_smoothing=0.1)
    assert MIXED(LOGITS, LABELS, label_smoothing=0.1) == smooth
    chances = slopes.softmax(LOGITS)
    assert MIXED(chances, LABELS, from_probabilities=True) == pytest.approx(MIXED(LOGITS, LABELS), rel=1e-14)
    assert MIXED(prediction=LOGITS, target=LABELS) == MIXED(LOGITS, LABELS)
    with pytest.raises(TypeError, match=r"dice \+ poly1: no option 'from_probabilities'"):
        (slopes.dice + slopes.poly1)(chances, LABELS, from_probabilities=True)


def test_regions_are_multilabel_beside_a_yes_or_no(convert):
    loss = slopes.dice + slopes.binary_cross_entropy
    multilabel = functools.partial(slopes.dice, mode="multilabel")
    multilabel.slope = functools.partial(slopes.dice.slope, mode="multilabel")
    check(loss, {multilabel: 1, slopes.binary_cross_entropy: 1}, (LOGITS, YES), convert)
    assert "ignore_index" not in loss.call_signature.parameters
    with pytest.raises(TypeError, match=r"^dice \+ binary_cross_entropy: no option 'ignore_index'; it takes reduction"):
        loss(LOGITS, YES, ignore_index=-100)
    hinged = slopes.lovasz_hinge + slopes.sigmoid_focal
    check(hinged, {slopes.lovasz_hinge: 1, slopes.sigmoid_focal: 1}, (LOGITS, YES), convert)


@pytest.mark.parametrize("given", [{"mask": MASK}, {"weight": WEIGHT}, {"mask": MASK, "weight": WEIGHT}], ids=list)
@pytest.mark.parametrize("axis", [-1, 1])
def test_a_row_of_a_mask_counts_for_all_its_entries(convert, given, axis):
    loss = slopes.dice + slopes.binary_cross_entropy
    x, y = (convert(np.ascontiguousarray(np.moveaxis(a, -1, axis))) for a in (LOGITS, YES))
    rows = {name: convert(a) for name, a in given.items()}
    entries = {name: convert(np.moveaxis(np.stack([a] * 3, -1), -1, axis)) for name, a in given.items()}
    came = loss(x, y, axis=axis, **rows)
    regions = slopes.dice(x, y, mode="multilabel", axis=axis, **rows)
    assert float(came) == pytest.approx(float(regions + slopes.binary_cross_entropy(x, y, **entries)), rel=1e-6)
    hidden = np.moveaxis(np.where(MASK[..., None], LOGITS, np.nan), -1, axis)
    if "mask" in given:
        assert float(loss(convert(hidden), y, axis=axis, **rows)) == float(came)


def test_boxes_and_their_numbers_add_up(convert):
    loss = slopes.giou + 2 * slopes.mae
    check(loss, {slopes.giou: 1, slopes.mae: 2}, (BOXES, OTHERS), convert)
    weight = RNG.random(5)
    columns = np.stack([weight] * 4, -1)
    by_hand = slopes.giou(BOXES, OTHERS, weight=weight) + 2 * slopes.mae(BOXES, OTHERS, weight=columns)
    assert loss(BOXES, OTHERS, weight=weight) == pytest.approx(by_hand, rel=1e-14)
    with pytest.raises(ValueError, match="prediction must be boxes"):
        loss(BOXES[:, ::-1], OTHERS)


def test_an_empty_batch_costs_nothing():
    assert MIXED(LOGITS[:0], LABELS[:0]) == 0 == ONE_KIND(X[:0], Y[:0])
    assert MIXED(LOGITS, LABELS, mask=np.zeros((6, 4), bool)) == 0


def test_half_types_are_rounded_once():
    torch = pytest.importorskip("torch")
    x, y = torch.from_numpy(50 * LOGITS).bfloat16(), torch.from_numpy(LABELS)
    value, slope = MIXED.value_and_slope(x.float(), y)
    assert MIXED(x, y).dtype == ONE_KIND(x, x).dtype == torch.bfloat16
    assert MIXED(x, y) == value.bfloat16()
    assert torch.equal(MIXED.slope(x, y), slope.bfloat16())
    assert {v.dtype for v in MIXED(x, y, terms=True)[1].values()} == {torch.bfloat16}
    array = (50 * LOGITS).astype(np.float16)
    assert MIXED(array, LABELS) == np.float16(MIXED(array.astype(float), LABELS))
    np.testing.assert_array_equal(
        MIXED.slope(array, LABELS), MIXED.slope(array.astype(float), LABELS).astype(np.float16)
    )
    with torch.autocast("cpu", torch.bfloat16):
        assert MIXED(x, y).dtype == torch.float32


# ------------------------------------------------------------------------------------------ the terms


def test_each_term_comes_with_the_loss():
    torch = pytest.importorskip("torch")
    for loss, arguments in ((MIXED, (LOGITS, LABELS)), (ONE_KIND, (X, Y))):
        total, terms = loss(*arguments, terms=True)
        assert total == pytest.approx(loss(*arguments), rel=1e-15)
        assert terms == {name: card(*arguments) for name, (_, card) in loss.terms.items()}
    each = ONE_KIND(X, Y, terms=True, reduction="none")[1]["mae"]
    np.testing.assert_array_equal(each, abs(X - Y))
    leaf = torch.from_numpy(X).requires_grad_()
    _, terms = ONE_KIND(leaf, torch.from_numpy(Y), terms=True)
    (gradient,) = torch.autograd.grad(terms["mae"], leaf)
    np.testing.assert_allclose(gradient, slopes.mae.slope(X, Y))
    with pytest.raises(ValueError, match="terms must be one of True, False, got 1"):
        ONE_KIND(X, Y, terms=1)


def test_terms_have_weights_and_cards():
    assert MIXED.terms == {"dice": (1.0, slopes.dice), "cross_entropy": (0.5, slopes.cross_entropy)}
    assert MIXED.terms["cross_entropy"].weight == 0.5
    with pytest.raises(TypeError):
        MIXED.terms["mae"] = MIXED.terms["dice"]
    twice = 2 * (MIXED + 3 * slopes.dice)
    assert [term.weight for term in twice.terms.values()] == [8.0, 1.0]
    other = slopes.huber + slopes.huber.with_(delta=3.0)
    assert list(other.terms) == ["huber", "huber(delta=3.0)"]


def test_cards_of_one_name_are_numbered():
    def of_power(power):
        @slopes.loss("regression")
        def mine(prediction, target):
            """The residual to a power."""
            return (prediction - target) ** power

        return mine

    loss = of_power(2) + of_power(4)
    assert list(loss.terms) == ["mine", "mine_2"]
    assert loss([3.0], [1.0]) == 4 + 16


def test_a_weight_of_0_leaves_a_term_out():
    assert list((slopes.mse + 0 * slopes.msle).terms) == ["mse", "msle"]
    assert (slopes.mse + 0 * fourth_power)([1e100], [0.0]) == 1e200  # the other is infinite
    assert (0 * slopes.mse)([3.0], [1.0]) == 0
    assert (slopes.dice + 0 * slopes.cross_entropy)(LOGITS, LABELS) == slopes.dice(LOGITS, LABELS)


# ----------------------------------------------------------------------------------------- what it is


def test_a_sum_is_a_loss_with_a_name_and_an_expression():
    assert isinstance(MIXED, Loss)
    assert MIXED.name == MIXED.__name__ == "dice + 0.5·cross_entropy"
    assert repr(MIXED) == "slopes.dice + 0.5 * slopes.cross_entropy"
    assert repr(2 * slopes.mse) == "2.0 * slopes.mse"
    bound = 0.25 * slopes.huber.with_(delta=2.0) + fourth_power
    assert repr(bound) == f"0.25 * slopes.huber.with_(delta=2.0) + {__name__}.fourth_power"
    for loss in (MIXED, ONE_KIND, 2 * slopes.mse, 1 * slopes.mse, (1 / 3) * slopes.dice + 2e-5 * slopes.poly1):
        assert eval(repr(loss), {"slopes": slopes}) is loss
    assert "terms" in inspect.signature(MIXED).parameters
    assert "divisor" not in inspect.signature(MIXED).parameters
    assert {"ignore_index", "label_smoothing", "over", "mode"} <= inspect.signature(MIXED).parameters.keys()
    assert inspect.getdoc(MIXED).startswith("dice + 0.5·cross_entropy(prediction, target, *, reduction='mean'")
    assert "True to return each term's loss, too" in inspect.getdoc(ONE_KIND)


def test_pickles_and_copies_are_the_sum_itself():
    bound = fourth_power + 0.5 * slopes.huber.with_(delta=2.0)
    for loss in (MIXED, ONE_KIND, bound, bound.with_(delta=3.0)):
        assert pickle.loads(pickle.dumps(loss)) is loss
        assert copy.deepcopy([loss])[0] is loss
    assert slopes.mse + 0.1 * slopes.mae is ONE_KIND


def test_a_derivative_that_comes_later_counts():
    @slopes.loss("regression")
    def late(prediction, target):
        """The squared residual."""
        return (prediction - target) ** 2

    assert (slopes.mae + late).slope_body is None

    @late.derivative
    def _(prediction, target):
        return 2 * (prediction - target)

    assert (slopes.mae + late).slope_body is not None
    assert (slopes.mae + late).slope([3.0], [1.0]) == 5.0
    with pytest.raises(TypeError, match="the derivative of a sum follows from those of its terms"):
        (slopes.mae + late).derivative(lambda prediction, target: prediction)


def test_a_sum_with_a_card_of_ones_own_is_ones_own():
    assert (slopes.mse + fourth_power).__module__ == __name__
    assert ONE_KIND.__module__ == "slopes.losses.regression"
    for package in ("torch", "flint", "mpmath"):
        pytest.importorskip(package)
    from slopes.auditing.cards.subject import Subject

    assert Subject(slopes.mse).is_ours
    assert not Subject(ONE_KIND).is_ours


def test_a_sum_in_a_file_is_found_there(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "import slopes\n"
        "@slopes.loss('regression')\n"
        "def quartic(prediction, target): return (prediction - target) ** 4\n"
        "both = slopes.mse + 0.5 * quartic\n"
    )
    found = loading.find(f"{file}:both")
    assert repr(found) == f"slopes.loading.load({f'{file}:both'!r})"
    assert eval(repr(found), {"slopes": slopes}) is found is pickle.loads(pickle.dumps(found))
    assert found([3.0], [1.0]) == 4 + 8
    for package in ("torch", "sklearn", "jinja2", "rich", "flint", "mpmath"):
        pytest.importorskip(package)
    from slopes.auditing.source import source_of
    from slopes.comparing import repeating

    modules = set()
    assert repeating._code(found, modules) == source_of(found).expression == repr(found)
    assert modules == {"slopes.loading"}


def test_python_and_numpy_numbers_make_sums():
    assert sum([slopes.mse, 0.1 * slopes.mae]) is ONE_KIND
    assert np.float32(0.5) * slopes.mse is slopes.mse * np.float64(0.5) is 0.5 * slopes.mse
    assert slopes.mse + slopes.mse is 2 * slopes.mse
    assert (slopes.mse + slopes.mae) * 2 is 2 * slopes.mse + 2 * slopes.mae


def test_with_reaches_every_term_that_has_the_parameter():
    loss = (slopes.huber + slopes.pseudo_huber + slopes.mse).with_(delta=2.0)
    assert [term.card.bound for term in loss.terms.values()] == [{"delta": 2.0}, {"delta": 2.0}, {}]
    by_hand = slopes.huber(X, Y, delta=2.0) + slopes.pseudo_huber(X, Y, delta=2.0) + slopes.mse(X, Y)
    assert loss(X, Y) == pytest.approx(by_hand, rel=1e-14)
    assert MIXED.with_() is MIXED
    assert MIXED.with_(smooth=1.0)(LOGITS, LABELS) == slopes.dice(LOGITS, LABELS, smooth=1.0) + 0.5 * (
        slopes.cross_entropy(LOGITS, LABELS)
    )
    with pytest.raises(ValueError, match="delta must be > 0, got -1"):
        loss.with_(delta=-1.0)
    with pytest.raises(TypeError, match=r"no term has a parameter 'dleta'; did you mean 'delta'"):
        loss.with_(dleta=1.0)


def test_parameters_that_are_arrays_stay_apart():
    weights = np.array([1.0, 2.0, 3.0])
    loss = slopes.lovasz_hinge + slopes.binary_cross_entropy.with_(pos_weight=weights)
    by_hand = slopes.lovasz_hinge(LOGITS, YES) + slopes.binary_cross_entropy(LOGITS, YES, pos_weight=weights)
    assert loss(LOGITS, YES) == by_hand
    with pytest.raises(TypeError, match=r"pos_weight is an array of shape \(3,\); a loss in a sum has numbers"):
        slopes.binary_cross_entropy.with_(pos_weight=weights) + slopes.sigmoid_focal


def test_the_formula_is_the_sum_of_formulas():
    pytest.importorskip("sympy")
    assert str(ONE_KIND.formula) == "(\\hat{y} - y)**2 + 0.1*Abs(\\hat{y} - y)"
    assert MIXED.formula == slopes.dice.formula + 0.5 * slopes.cross_entropy.formula
    assert "0.5" in MIXED.tex


def test_claims_follow_from_those_of_the_terms():
    loss = slopes.mse + 0.1 * slopes.mae
    assert loss.claims.stated() == {"convex": True, "kinks": (0.0,), "minimum": 0.0}
    assert (slopes.supcon + 0.5 * slopes.circle.with_(scale=80.0)).claims.stated() == {"detached": True}
    assert (slopes.mse + slopes.huber.with_(delta=2.0)).claims.stated() == {}
    assert MIXED.claims.stated() == {}
    assert (slopes.mse + slopes.msle).claims.stated() == {"minimum": 0.0}
    assert loss.papers == ()
    assert len((slopes.huber + slopes.barron_general).papers) == 2


def test_sums_are_written_as_text():
    load = loading.load
    assert load("dice + 0.5 * cross_entropy") is loading.find("dice+.5*cross_entropy") is MIXED
    assert load("2 * (mse + huber(delta=3.0))") is 2 * slopes.mse + 2 * slopes.huber.with_(delta=3.0)
    for text, message in {
        "mse + 1": "only losses of slopes can be added",
        "1 + 2": "'1 \\+ 2' is a value of type int, not a card",
        "mse + gelu": "cannot read 'mse \\+ gelu'; write losses and numbers, as in",
        "mse + my.py": "cannot read 'mse \\+ my.py'",
        "mse - mae": "cannot read|no function",
    }.items():
        with pytest.raises((TypeError, ValueError, LookupError), match=message):
            load(text)
    with pytest.raises(LookupError, match="no function 'maee'; did you mean 'mae'"):
        load("mse + maee")


# ------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(("add", "message"), [
    (lambda: slopes.dice + slopes.mse,
     r"dice \+ mse: terms of a sum take the same arguments; dice takes prediction \(logits\) and target "
     r"\(probabilities\), mse takes prediction \(real numbers\) and target \(real numbers\): call each with its own "
     "arguments and add the results"),
    (lambda: slopes.mse + slopes.poisson_nll, r"poisson_nll takes .* target \(numbers >= 0\)"),
    (lambda: slopes.mse + slopes.hinge, "the same arguments"),
    (lambda: slopes.mse + slopes.binary_cross_entropy, "the same arguments"),
    (lambda: slopes.mse + slopes.gaussian_nll, r"and variance \(numbers > 0\)"),
    (lambda: slopes.cross_entropy + slopes.categorical_cross_entropy, r"prediction \(probabilities\)"),
    (lambda: slopes.cross_entropy.with_(from_probabilities=True) + slopes.dice, r"prediction \(probabilities\)"),
    (lambda: slopes.mse + slopes.mae + slopes.hinge, r"mse \+ mae \+ hinge"),
    (lambda: slopes.mse + slopes.gelu, "only losses of slopes can be added to a loss, got slopes.gelu"),
    (lambda: slopes.mse + len, "make a card of it by slopes.loss, or add the results"),
    (lambda: slopes.mse + 1, "mse: only losses of slopes can be added to a loss, got 1; add it to the result"),
    (lambda: 1 + slopes.mse, "got 1; add it to the result"),
    (lambda: slopes.mse * np.ones(2), r"must be a number, got an array of shape \(2,\); multiply the result instead"),
    (lambda: np.ones(2) * slopes.mse, "must be a number, got an array"),
    (lambda: slopes.mse * True, "must be a number, got True"),
    (lambda: slopes.mse * "2", "must be a number, got '2'"),
])  # fmt: skip
def test_what_does_not_fit_is_refused(add, message):
    with pytest.raises(TypeError, match=message):
        add()


def test_tensors_are_no_weights():
    torch = pytest.importorskip("torch")
    for multiply in (lambda: torch.tensor(2.0) * slopes.mse, lambda: slopes.mse * torch.nn.Parameter(torch.ones(()))):
        with pytest.raises(TypeError, match="the weight of a loss must be a number"):
            multiply()


def test_weights_are_finite_and_not_negative():
    for weight in (-1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="mse: the weight of a loss must be >= 0, got"):
            weight * slopes.mse


def test_calls_that_have_no_meaning_are_refused():
    with pytest.raises(ValueError, match="reduction must be 'mean' or 'sum', got 'none': its terms count different"):
        MIXED(LOGITS, LABELS, reduction="none")
    with pytest.raises(ValueError, match="takes no divisor, as its terms count different things"):
        MIXED(LOGITS, LABELS, divisor=3)
    with pytest.raises(TypeError, match=r"no option 'smooth'; it is bound before the call, by loss.with_"):
        MIXED(LOGITS, LABELS, smooth=1.0)
    with pytest.raises(TypeError, match=r"no parameter 'delta'; it is bound before the call, by loss.with_"):
        (slopes.mse + slopes.huber)(X, Y, delta=1.0)
    with pytest.raises(TypeError, match="no option 'ignore_idx'; did you mean 'ignore_index'"):
        MIXED(LOGITS, LABELS, ignore_idx=1)
    with pytest.raises(TypeError, match="takes prediction, target and then keywords; target is missing"):
        MIXED(LOGITS)
    with pytest.raises(ValueError, match=r"binary_cross_entropy \+ dice: mask \(6,\) must have one entry for each row"):
        (slopes.binary_cross_entropy + slopes.dice)(LOGITS, YES, mask=np.ones(6, bool))
    with pytest.raises(TypeError, match="mask must be boolean"):
        (slopes.binary_cross_entropy + slopes.dice)(LOGITS, YES, mask=WEIGHT)
    with pytest.raises(ValueError, match=r"mse \+ 0.1·mae: prediction \(5, 8\) and target \(5,\) must have one shape"):
        ONE_KIND(X, Y[:, 0])
    with pytest.raises(kernels.TraceError, match="its terms count different things, so it has no body"):
        kernels.program(MIXED)


# ---------------------------------------------------------------------------------- what works with it


@pytest.mark.parametrize(("added", "arguments"), [(MIXED, (LOGITS, LABELS)), (ONE_KIND, (X, Y))], ids=["mixed", "one"])
def test_transforms(added, arguments):
    torch = pytest.importorskip("torch")
    x, y = map(torch.from_numpy, arguments)
    pairs = added.terms.values()

    def by_hand(x):
        return sum(weight * card(x, y) for weight, card in pairs)

    def ours(x):
        return added(x, y)

    direction = torch.ones_like(x)
    torch.testing.assert_close(torch.func.grad(ours)(x), torch.func.grad(by_hand)(x))
    torch.testing.assert_close(torch.func.jvp(ours, (x,), (direction,)), torch.func.jvp(by_hand, (x,), (direction,)))
    twice = torch.func.grad(lambda x: (torch.func.grad(ours)(x) * direction).sum())(x)
    torch.testing.assert_close(twice, torch.func.grad(lambda x: (torch.func.grad(by_hand)(x) * direction).sum())(x))
    batch = torch.stack([x, 2 * x])
    torch.testing.assert_close(torch.vmap(ours)(batch), torch.stack([by_hand(x), by_hand(2 * x)]))


@whole_graph
@pytest.mark.parametrize(("added", "arguments"), [(MIXED, (LOGITS, LABELS)), (ONE_KIND, (X, Y))], ids=["mixed", "one"])
def test_one_graph_holds_a_sum(added, arguments):
    torch = pytest.importorskip("torch")
    x, y = map(torch.from_numpy, arguments)
    compiled = torch.compile(lambda x: added(x, y), backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), added(x, y))


def test_kernels():
    pytest.importorskip("numba")
    x, y = RNG.standard_normal((2, 2**15))
    value, slope = kernels.compute(ONE_KIND, ("value", "slope"), x, y)
    np.testing.assert_allclose(value, (x - y) ** 2 + 0.1 * abs(x - y), rtol=1e-14)
    np.testing.assert_allclose(slope, 2 * (x - y) + 0.1 * np.sign(x - y), rtol=1e-13)
    assert ONE_KIND(x, y) == pytest.approx(value.mean(), rel=1e-12)
    assert "value" in kernels.source(ONE_KIND)
    rows, labels = RNG.standard_normal((64, 512)), RNG.integers(0, 512, 64)
    loss = slopes.cross_entropy + 0.3 * slopes.poly1
    by_hand = slopes.cross_entropy(rows, labels) + 0.3 * slopes.poly1(rows, labels)
    assert kernels.compute(loss, "value", rows, labels).mean() == pytest.approx(by_hand, rel=1e-12)
    assert loss(rows, labels) == pytest.approx(by_hand, rel=1e-12)


def test_linear_loss():
    features, weight = RNG.standard_normal((6, 5)), RNG.standard_normal((3, 5))
    loss, labels = slopes.cross_entropy + 0.3 * slopes.poly1, LABELS[:, 0]
    came = slopes.linear_loss(features, weight, labels, loss=loss)
    assert came == pytest.approx(loss(features @ weight.T, labels), rel=1e-13)
    with pytest.raises(TypeError, match="loss must be a card of rows of predictions and targets"):
        slopes.linear_loss(features, weight, features @ weight.T, loss=slopes.cosine + slopes.mse)


def test_modules_follow_pytorch():
    torch = pytest.importorskip("torch")
    x, y = torch.from_numpy(LOGITS).movedim(-1, 1), torch.from_numpy(LABELS).clone()
    y[0, :2] = -100
    weight = torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64)
    module = slopes.nn.module(MIXED, weight=weight)
    dice = slopes.nn.module(slopes.dice, weight=weight)
    by_hand = dice(x, y) + 0.5 * torch.nn.functional.cross_entropy(x, y, weight=weight)
    torch.testing.assert_close(module(x, y), by_hand)
    smooth = slopes.nn.module(MIXED, weight=weight, label_smoothing=0.2)
    by_hand = dice(x, y) + 0.5 * torch.nn.functional.cross_entropy(x, y, weight=weight, label_smoothing=0.2)
    torch.testing.assert_close(smooth(x, y), by_hand)
    with pytest.raises(TypeError, match="no parameter 'terms'"):
        slopes.nn.module(MIXED, terms=True)
    assert repr(slopes.nn.module(MIXED)) == "module(slopes.dice + 0.5 * slopes.cross_entropy)"
    torch.testing.assert_close(
        slopes.nn.module(ONE_KIND, reduction="sum")(x, 2 * x),
        torch.nn.MSELoss(reduction="sum")(x, 2 * x) + 0.1 * torch.nn.L1Loss(reduction="sum")(x, 2 * x),
    )


RIGHT = [
    MIXED, ONE_KIND, slopes.dice + slopes.binary_cross_entropy, slopes.cross_entropy + 0.3 * slopes.poly1,
    slopes.giou + 2 * slopes.mae,
]  # fmt: skip


@pytest.mark.parametrize("added", mark_exhaustive(RIGHT, every=5), ids=str)
def test_right_sums_audit_clean(added):
    for package in ("torch", "flint", "mpmath"):
        pytest.importorskip(package)
    report = slopes.audit(added, quick=added is not ONE_KIND)  # whose terms differ in size at a far kink
    assert report.ok, report
    assert not report.findings, report
    assert any(fact.startswith("its terms' gradients: ") for fact in report.facts)


@pytest.mark.exhaustive
def test_the_audit_tells_a_term_that_hardly_counts():
    for package in ("torch", "flint", "mpmath"):
        pytest.importorskip(package)
    report = slopes.audit(slopes.dice + 1e-7 * slopes.cross_entropy, quick=True)
    (finding,) = report.findings
    assert (finding.check, finding.severity) == ("term_balance", "note")
    assert "training all but ignores cross_entropy" in finding.message
    assert "term_2 = 1e-07 * slopes.cross_entropy" in finding.reproduce


def test_a_wrong_body_in_a_sum_is_found():
    for package in ("torch", "flint", "mpmath"):
        pytest.importorskip(package)

    @slopes.loss("regression")
    def wrong(prediction, target):
        """The squared residual."""
        return (prediction - target) ** 2

    @wrong.derivative
    def _(prediction, target):
        return prediction - target

    assert "backward" in {finding.check for finding in slopes.audit(slopes.mae + wrong, quick=True).findings}


def test_claims_are_proved():
    for package in ("flint", "mpmath"):
        pytest.importorskip(package)
    proof = slopes.prove(ONE_KIND)
    assert {verdict.claim: verdict.status for verdict in proof.verdicts} == {
        "convex": "proved", "kinks": "proved", "minimum": "proved"
    }  # fmt: skip
    with pytest.raises(TypeError, match="prove each term of dice"):
        slopes.prove(MIXED)


@pytest.mark.parametrize("added", mark_exhaustive([MIXED, ONE_KIND], start=1), ids=str)
def test_pictures(added, tmp_path):
    for package in ("matplotlib", "sympy"):
        pytest.importorskip(package)
    slopes.show(added, out=tmp_path / "sum.html")
    assert added.name in (tmp_path / "sum.html").read_text()


def train(out, *arguments, losses):
    for package in ("torch", "sklearn", "jinja2", "rich"):
        pytest.importorskip(package)
    return slopes.compare(
        *arguments, activations=[slopes.relu], losses=losses, out=out, epochs=1, seeds=2, rates=[0.01], workers=1,
        progress=False,
    )  # fmt: skip


def test_studies(tmp_path):
    inputs = np.random.default_rng(0).standard_normal((60, 3)).astype(np.float32)
    study = train(tmp_path, "mlp", (inputs, np.tanh(inputs[:, 0])), losses=[ONE_KIND, slopes.mse + 0.5 * fourth_power])
    assert {run.loss for run in study.runs} == {"mse + 0.1·mae", "mse + 0.5·fourth_power"}
    assert all(np.isfinite(run.test["rmse"]) for run in study.runs)
    from slopes.comparing.repeating import write_call

    call = write_call(study)
    assert f"losses=[slopes.mse + 0.1 * slopes.mae, slopes.mse + 0.5 * {__name__}.fourth_power]" in call
    assert f"import {__name__}\n" in call


@pytest.mark.exhaustive
def test_studies_of_masks(tmp_path):
    rng = np.random.default_rng(0)
    images, masks = rng.standard_normal((24, 1, 6, 6)), rng.integers(0, 3, (24, 6, 6))
    masks[:, 0] = -1
    study = train(tmp_path, "cnn(channels=4)", (images, masks), losses=[MIXED])
    assert all(np.isfinite(run.test["mean_iou"]) for run in study.runs)
    study = train(tmp_path / "yes", "cnn(channels=4)", (images, masks > 1), losses=[slopes.dice + slopes.sigmoid_focal])
    assert all(np.isfinite(run.test["iou"]) for run in study.runs)
