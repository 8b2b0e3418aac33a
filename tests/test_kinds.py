"""What losses are fed: shapes, labels, masks, weights, divisors and reductions, in NumPy and torch alike."""

from functools import partial

import numpy as np
import pytest

import slopes
from slopes.card import Loss

torch = pytest.importorskip("torch")

LOGITS = np.array([[2.0, -1.0, 0.5], [0.0, 0.3, -2.0], [1.0, 1.0, 1.0], [-3.0, 4.0, 0.1]])
LABELS = np.array([0, 1, 2, 0])
ROWS = np.eye(3)[LABELS]


def both(loss, *arguments, **options):
    """The loss in NumPy, after seeing that torch gives the same value and gradient."""
    value, slope = loss.value_and_slope(*arguments, **options)
    given = [torch.tensor(argument) for argument in arguments]
    given[0].requires_grad_()
    keywords = {
        name: torch.tensor(option) if isinstance(option, np.ndarray) else option for name, option in options.items()
    }
    came = loss(*given, **keywords)
    came.sum().backward()
    np.testing.assert_allclose(came.detach().numpy(), value, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(given[0].grad.numpy(), slope, rtol=1e-12, atol=1e-15)
    with_slope = loss.value_and_slope(*(g.detach() for g in given), **keywords)
    np.testing.assert_allclose(with_slope[0].numpy(), value, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(with_slope[1].numpy(), slope, rtol=1e-12, atol=1e-15)
    assert value == pytest.approx(loss(*arguments, **options), abs=0)
    return value


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: slopes.huber(np.zeros(3), np.zeros((3, 1))), ValueError, r"huber: prediction \(3,\) and target \(3, 1\) must have one shape; broadcasting would give \(3, 3\)\."),
        (lambda: slopes.mse(np.zeros(3), np.zeros(4)), ValueError, r"mse: prediction \(3,\) and target \(4,\) must have one shape; they do not broadcast either\."),
        (lambda: slopes.mse(torch.zeros(3), torch.zeros(3, 1)), ValueError, r"broadcasting would give \(3, 3\)"),
        (lambda: slopes.mse(torch.zeros(3), np.zeros(3)), TypeError, "mse: target must be a torch tensor here, as the other arguments are, got ndarray"),
        (lambda: slopes.mse(np.zeros(3), torch.zeros(3)), TypeError, "mse: target must be a NumPy array or a number here, as the other arguments are, got Tensor"),
        (lambda: slopes.mse(np.zeros(3), np.zeros(3), mask=np.ones(3)), TypeError, r"mse: mask must be boolean \(True counts\), got dtype float64"),
        (lambda: slopes.mse(np.zeros((2, 3)), np.zeros((2, 3)), weight=np.ones(3)), ValueError, r"mse: weight \(3,\) must have the shape of the unreduced loss, \(2, 3\)"),
        (lambda: slopes.mse(np.zeros(3), np.zeros(3), reduction="sum", divisor=2), ValueError, "mse: divisor replaces the mean's denominator; it does not go with 'sum'"),
        (lambda: slopes.cross_entropy(LOGITS, LABELS + 1), ValueError, r"cross_entropy: label must lie in \[0, 3\), got 3"),
        (lambda: slopes.cross_entropy(torch.tensor(LOGITS), torch.tensor(LABELS - 1)), ValueError, r"label must lie in \[0, 3\), got -1"),
        (lambda: slopes.cross_entropy(LOGITS, LABELS.astype(float)), ValueError, r"goes with integer labels \(4,\) or probability rows \(4, 3\), got a target of float64 \(4,\)"),
        (lambda: slopes.cross_entropy(LOGITS, LABELS == 1), ValueError, r"got a target of bool \(4,\)"),
        (lambda: slopes.cross_entropy(LOGITS, LABELS[:, None]), ValueError, r"got a target of int64 \(4, 1\)"),
        (lambda: slopes.cross_entropy(LOGITS, ROWS * 0.5), ValueError, r"cross_entropy: target must be rows that sum to 1, got a row that sums to 0\.5"),
        (lambda: slopes.cross_entropy(LOGITS, LABELS, from_probabilities=True), ValueError, r"prediction must be probabilities in \[0, 1\], got 2\.0"),
        (lambda: slopes.cross_entropy(LOGITS, LABELS, class_weight=np.ones(2)), ValueError, r"class_weight \(2,\) must be \(3,\), one per class"),
        (lambda: slopes.cross_entropy(LOGITS, LABELS, label_smoothing=1.5), ValueError, r"label_smoothing must be >= 0 and <= 1, got 1\.5"),
        (lambda: slopes.cross_entropy(LOGITS, LABELS, smoothing=0.1), TypeError, "cross_entropy: no parameter 'smoothing'"),
        (lambda: slopes.cross_entropy(np.zeros((2, 0)), np.zeros(2, int)), ValueError, r"axis -1 of shape \(2, 0\) has no entries"),
        (lambda: slopes.cross_entropy(LOGITS, LABELS, class_weight=[1.0, -1.0, 1.0]), ValueError, "cross_entropy: class_weight must be >= 0 and finite, got -1.0"),
        (lambda: slopes.dice(LOGITS, LABELS, class_weight=[1.0, np.inf, 1.0]), ValueError, "dice: class_weight must be >= 0 and finite, got inf"),
        (lambda: slopes.cross_entropy(LOGITS, LABELS, ignore_index=1.5), TypeError, "cross_entropy: ignore_index must be an integer, got 1.5"),
        (lambda: slopes.cross_entropy(LOGITS, ROWS, ignore_index=1), ValueError, "cross_entropy: ignore_index goes with integer labels; mask probability rows instead"),
        (lambda: slopes.cross_entropy(LOGITS, LABELS, label_smoothing=torch.tensor(0.1)), TypeError, "cross_entropy: label_smoothing must be a number, got Tensor"),
        (lambda: slopes.mse(1.0, 2.0, divisor=-1), ValueError, "mse: divisor must be >= 0, got -1"),
        (lambda: slopes.mse(1.0, 2.0, divisor=[1, 2]), ValueError, r"mse: divisor must be one number, got shape \(2,\)"),
        (lambda: slopes.binary_cross_entropy([0.0], [1.5]), ValueError, r"binary_cross_entropy: target must be probabilities in \[0, 1\], got 1\.5"),
        (lambda: slopes.binary_cross_entropy([1.5], [1.0], from_probabilities=True), ValueError, r"prediction must be probabilities in \[0, 1\], got 1\.5"),
    ],
)  # fmt: skip
def test_messages(call, error, message):
    with pytest.raises(error, match=message):
        call()


def counted(loss, first):
    """The shape of a mask and of a weight: that of the unreduced loss, or for regions that of the pixels."""
    return first.shape[:-1] if "overlap" in loss.kind.name else loss.kind.unreduced(first.shape)


def test_reductions(loss):
    arguments = loss.kind.examples(loss.settings).sample(np.random.default_rng(0), (4, 3))
    each = loss(*arguments, reduction="none")
    assert each.shape == loss.kind.unreduced(arguments[0].shape)
    assert both(loss, *arguments, reduction="sum") == pytest.approx(each.sum(), rel=1e-14)
    inside = each[each != 0] if loss.kind.has_edges else each
    assert both(loss, *arguments) == pytest.approx(inside.mean(), rel=1e-14)
    both(loss, *arguments, reduction="sum")


def test_mean_is_the_weighted_average_of_what_counts(loss):
    if loss.kind.batched:
        pytest.skip("a mask changes the other values too: see test_losses_regions")
    rng = np.random.default_rng(1)
    arguments = loss.kind.examples(loss.settings).sample(rng, (4, 3))
    each = loss(*arguments, reduction="none")
    weight, mask = rng.uniform(0.5, 2, each.shape), rng.uniform(size=each.shape) < 0.6
    assert both(loss, *arguments, weight=weight) == pytest.approx((weight * each).sum() / weight.sum(), rel=1e-13)
    assert both(loss, *arguments, mask=mask) == pytest.approx(each[mask].mean(), rel=1e-13)
    together = both(loss, *arguments, mask=mask, weight=weight)
    assert together == pytest.approx((weight * each)[mask].sum() / weight[mask].sum(), rel=1e-13)
    np.testing.assert_array_equal(loss(*arguments, mask=mask, reduction="none")[~mask], 0)


def test_masked_entries_are_never_read(loss):
    arguments = loss.kind.examples(loss.settings).sample(np.random.default_rng(2), (4, 3))
    mask = np.ones(counted(loss, arguments[0]), bool)
    mask[1] = False
    clean, slope = loss.value_and_slope(*arguments, mask=mask)
    for junk in (np.nan, np.inf, -np.inf, 1e308, -5.0):
        for argument in arguments:
            argument[1] = -100 if argument.dtype.kind == "i" else junk
        dirty = loss.value_and_slope(*arguments, mask=mask)
        assert dirty[0] == clean
        np.testing.assert_array_equal(dirty[1], slope)
        leaf, *others = map(torch.tensor, arguments)
        loss(leaf.requires_grad_(), *others, mask=torch.tensor(mask)).backward()
        np.testing.assert_allclose(leaf.grad.numpy(), slope, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(slope[1], 0)


STRAIGHT = {"nll", "relative_entropy", "hinge_embedding"}  # a slope by the prediction is a constant
UNREAD = {"evidential_penalty": "scale"}


@pytest.mark.parametrize("size", [8, 300])  # plainly, and by kernels where there are any
def test_nan_is_handed_on(loss, size):
    arguments = loss.kind.examples(loss.settings).sample(np.random.default_rng(2), (size, 3))
    for place, (argument, declared) in enumerate(zip(arguments, loss.kind.arguments, strict=True)):
        if argument.dtype.kind == "i" or declared.name == UNREAD.get(loss.name):
            continue
        given = [x.copy() for x in arguments]
        given[place][1, ...] = np.nan
        if declared.space.is_sign:
            with pytest.raises(ValueError, match=f"^{loss.name}: {declared.name} must be -1.* got nan"):
                loss(*given)
            continue
        for dtype in (torch.float64, torch.float32):
            tensors = [torch.tensor(x) if x.dtype.kind == "i" else torch.tensor(x, dtype=dtype) for x in given]
            tensors[0].requires_grad_()
            each = loss(*tensors, reduction="none")
            each.sum().backward()
            values, rise = loss(*given, reduction="none"), loss.slope(*given, reduction="sum")
            for value, slope in ((each.detach().numpy(), tensors[0].grad.numpy()), (values, rise)):
                if not loss.kind.coupled:  # an anchor without positives does not count
                    assert np.isnan(value[1]).any()
                assert np.isnan(value).any()
                assert np.isnan(slope[1]).any() or loss.name in STRAIGHT or place > 1


def test_a_weight_of_0_hides_junk_though_it_wants_a_gradient(loss):
    arguments = loss.kind.examples(loss.settings).sample(np.random.default_rng(2), (4, 3))
    weight = np.ones(counted(loss, arguments[0]))
    weight[1] = 0
    clean, slope = loss.value_and_slope(*arguments, weight=weight)
    counts = torch.tensor(weight != 0)
    due = gradients(loss, map(torch.tensor, arguments), torch.tensor(weight))[1]
    for junk in (np.nan, np.inf, -np.inf, 1e308, -5.0):
        for argument in arguments:
            argument[1] = -100 if argument.dtype.kind == "i" else junk
        leaf, *others = map(torch.tensor, arguments)
        at, by_weight = gradients(loss, (leaf, *others), torch.tensor(weight))
        np.testing.assert_allclose(at, slope, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(by_weight[counts], due[counts], rtol=1e-9, atol=1e-12)
        assert by_weight.isfinite().all()
        each = torch.vmap(lambda w, others=(leaf, *others): loss(*others, weight=w))(torch.tensor(weight)[None])
        assert each.item() == pytest.approx(clean, rel=1e-12)


def gradients(loss, arguments, weight):
    """By the first argument and by the weight, which both want one."""
    leaf, *others = arguments
    wanted = leaf.clone().requires_grad_(), weight.clone().requires_grad_()
    loss(wanted[0], *others, weight=wanted[1]).backward()
    return [x.grad for x in wanted]


def test_a_weight_of_0_has_its_value_as_gradient():
    x, weight = torch.tensor([3.0, 1.0], dtype=torch.float64), torch.tensor([0.0, 1.0], dtype=torch.float64)
    assert gradients(partial(slopes.mse, reduction="sum"), (x, torch.zeros_like(x)), weight)[1].tolist() == [9, 1]
    chances, sure = torch.tensor([0.0, 0.5], dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    loss = partial(slopes.binary_cross_entropy, from_probabilities=True)  # it is infinite at the first
    assert [x.tolist() for x in gradients(loss, (chances, sure), weight)] == [[0, -2], [0, 0]]


def test_mean_over_nothing_is_zero_with_a_zero_gradient(loss):
    arguments = loss.kind.examples(loss.settings).sample(np.random.default_rng(3), (4, 3))
    nothing = np.zeros(counted(loss, arguments[0]), bool)
    assert both(loss, *arguments, mask=nothing) == 0
    assert not loss.slope(*arguments, mask=nothing).any()
    none = [argument[:0] for argument in arguments]
    assert loss(*none) == 0
    assert loss.slope(*none).shape == none[0].shape


def test_divisor_makes_parts_add_up(loss):
    if loss.kind.name == "embeddings":
        pytest.skip("each vector is compared with all others")
    arguments = loss.kind.examples(loss.settings).sample(np.random.default_rng(4), (7, 3))
    entries = 7 * 2 * 3 if loss.kind.has_edges else loss(*arguments, reduction="none").size
    parts = [
        both(loss, *(argument[part] for argument in arguments), divisor=entries) for part in (slice(0, 5), slice(5, 7))
    ]
    assert sum(parts) == pytest.approx(loss(*arguments), rel=1e-14)
    tensor = loss(*map(torch.tensor, arguments), divisor=torch.tensor(float(entries)))
    assert float(tensor) == pytest.approx(loss(*arguments), rel=1e-14)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("class_weight", [None, np.array([1.0, 5.0, 0.5])])
@pytest.mark.parametrize("weight", [None, np.array([1.0, 2.0, 0.0, 3.0])])
@pytest.mark.parametrize("mask", [None, np.array([True, False, True, True])])
def test_one_hot_rows_give_what_labels_give(smoothing, class_weight, weight, mask):
    options = {"label_smoothing": smoothing, "class_weight": class_weight, "weight": weight, "mask": mask}
    options = {name: option for name, option in options.items() if option is not None}
    for reduction in ("mean", "sum", "none"):
        labels = slopes.cross_entropy.value_and_slope(LOGITS, LABELS, reduction=reduction, **options)
        rows = slopes.cross_entropy.value_and_slope(LOGITS, ROWS, reduction=reduction, **options)
        for mine, theirs in zip(labels, rows, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-13, atol=1e-16)
    both(slopes.cross_entropy, LOGITS, ROWS, **options)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("class_weight", [None, np.array([1.0, 3.0, 0.5])])
def test_labels_are_weighed_as_pytorch_weighs_them(smoothing, class_weight):
    options = {"label_smoothing": smoothing} | ({} if class_weight is None else {"class_weight": class_weight})
    theirs = {"label_smoothing": smoothing, "weight": None if class_weight is None else torch.tensor(class_weight)}
    for reduction in ("sum", "mean", "none"):
        mine = slopes.cross_entropy(LOGITS, LABELS, reduction=reduction, **options)
        given = torch.tensor(LOGITS), torch.tensor(LABELS)
        peer = torch.nn.functional.cross_entropy(*given, reduction=reduction, **theirs).numpy()
        if reduction == "mean" and smoothing and class_weight is not None:
            rows = ROWS * (1 - smoothing) + smoothing / 3  # PyTorch's mean divides by the labels' weights alone
            peer = peer * class_weight[LABELS].sum() / (rows * class_weight).sum()
        np.testing.assert_allclose(mine, peer, rtol=1e-12)


def test_ignore_index():
    labels = np.array([0, -100, 2, -100])
    assert both(slopes.cross_entropy, LOGITS, labels, ignore_index=-100) == pytest.approx(
        slopes.cross_entropy(LOGITS[[0, 2]], LABELS[[0, 2]]), rel=1e-14
    )
    assert both(slopes.cross_entropy, LOGITS, np.full(4, -100), ignore_index=-100) == 0
    smoothed = both(slopes.cross_entropy, LOGITS, labels, ignore_index=-100, label_smoothing=0.1)
    assert smoothed == pytest.approx(
        slopes.cross_entropy(LOGITS[[0, 2]], LABELS[[0, 2]], label_smoothing=0.1), rel=1e-14
    )


def test_what_weighs_nothing_is_not_read():
    """Not even where its loss is infinite; labels and rows alike."""
    certain = np.array([[0.0, 1.0], [0.5, 0.5]])
    for options in ({"class_weight": np.array([0.0, 1.0])}, {"weight": np.array([0.0, 1.0])}):
        for target in (np.array([0, 1]), np.eye(2)):
            assert both(slopes.categorical_cross_entropy, certain, target, **options) == pytest.approx(np.log(2))
    mask = np.array([False, True])
    assert both(slopes.mse, np.array([1.0, 2.0]), np.zeros(2), weight=np.array([np.nan, 1.0]), mask=mask) == 4


def test_infinite_logits_have_their_limit():
    costs = [
        slopes.binary_cross_entropy(logit, target) for logit, target in ((np.inf, 1.0), (-np.inf, 0.0), (np.inf, 0.0))
    ]
    assert costs == [0.0, 0.0, np.inf]
    assert np.isnan(slopes.cross_entropy([[np.nan]], [0]))
    assert np.isnan(slopes.softmax([np.nan])).all()


def test_label_types():
    logits = torch.randn(2, 300, dtype=torch.float64)
    labels = torch.tensor([250, 156])
    expected = slopes.cross_entropy(logits, labels)
    for dtype in (torch.uint8, torch.int16, torch.uint16, torch.int32):
        came = slopes.cross_entropy(logits, labels.to(dtype), ignore_index=-100)
        torch.testing.assert_close(came, expected, rtol=1e-15, atol=0)  # not all of them have a kernel
    rows = torch.full((1, 3), 1 / 3).bfloat16()
    assert float(slopes.cross_entropy(torch.zeros(1, 3), rows)) == pytest.approx(np.log(3), rel=1e-2)


def test_lists_are_taken_for_masks_and_weights():
    assert slopes.cross_entropy([[1.0, 2.0], [0, 1]], [0, 0], mask=[False, True]) == slopes.cross_entropy(
        [[0.0, 1.0]], [0]
    )


def test_class_axis():
    images = np.moveaxis(np.random.default_rng(0).standard_normal((2, 4, 4, 3)), -1, 1)
    labels = np.random.default_rng(1).integers(0, 3, (2, 4, 4))
    mine = both(slopes.cross_entropy, images, labels, axis=1)
    theirs = torch.nn.functional.cross_entropy(torch.tensor(images), torch.tensor(labels))
    assert mine == pytest.approx(float(theirs), rel=1e-13)
    assert slopes.cross_entropy.slope(images, labels, axis=1).shape == images.shape


def test_single_sample_needs_no_batch():
    assert slopes.cross_entropy(LOGITS[0], 0) == pytest.approx(slopes.cross_entropy(LOGITS[:1], LABELS[:1]), rel=1e-15)
    assert slopes.mse(1.0, 3.0) == 4.0
    assert slopes.mse.slope(1.0, 3.0) == -4.0


def test_integer_and_boolean_targets():
    assert slopes.mse([1, 2], [1, 4]) == 2.0
    assert slopes.binary_cross_entropy(np.zeros(2), np.array([True, False])) == pytest.approx(np.log(2))
    assert slopes.cross_entropy(LOGITS, LABELS.astype(np.uint8)) == slopes.cross_entropy(LOGITS, LABELS)
    assert slopes.cross_entropy(LOGITS, ROWS.astype(int)) == pytest.approx(
        slopes.cross_entropy(LOGITS, LABELS), rel=1e-15
    )


def test_the_lessons_formula():
    rng = np.random.default_rng(0)
    p, y = rng.uniform(0.01, 0.99, (5, 4)), rng.integers(0, 2, (5, 4)).astype(float)
    formula = -np.sum(y * np.log2(p) + (1 - y) * np.log2(1 - p))
    mine = slopes.binary_cross_entropy(p, y, from_probabilities=True, base=2, reduction="sum")
    assert mine == pytest.approx(formula, rel=1e-12)


def test_bits_and_probabilities():
    probabilities = slopes.softmax(LOGITS)
    nats = slopes.cross_entropy(LOGITS, LABELS)
    assert slopes.cross_entropy(LOGITS, LABELS, base=2) == pytest.approx(nats / np.log(2), rel=1e-14)
    assert slopes.cross_entropy(probabilities, LABELS, from_probabilities=True) == pytest.approx(nats, rel=1e-13)
    assert slopes.categorical_cross_entropy(probabilities, ROWS) == pytest.approx(nats, rel=1e-13)


def test_certain_and_right_costs_little_but_not_nothing():
    """log(softmax) is −0 here; so is 1 − p in the slope."""
    logits, label = np.array([60.0, 0.0]), 0
    value, slope = slopes.cross_entropy.value_and_slope(logits, label)
    assert value == pytest.approx(8.75651076269652e-27, rel=1e-13)
    np.testing.assert_allclose(slope, [-8.75651076269652e-27, 8.75651076269652e-27], rtol=1e-13)


def test_float32_sums_keep_their_digits():
    ones = torch.full((1_000_003,), 0.1)
    assert float(slopes.mae(ones, torch.zeros_like(ones), reduction="sum")) == pytest.approx(
        float(ones[0]) * 1_000_003, rel=1e-7
    )


def test_positive_weight_is_pytorchs():
    logits, target = torch.randn(5, 3, dtype=torch.float64), torch.rand(5, 3, dtype=torch.float64)
    theirs = torch.nn.functional.binary_cross_entropy_with_logits(logits, target, pos_weight=torch.tensor(3.0))
    assert float(slopes.binary_cross_entropy(logits, target, pos_weight=3.0)) == pytest.approx(float(theirs), rel=1e-12)


def test_samplers_cover_what_they_promise(loss):
    assert isinstance(loss, Loss)
    first, *rest = loss.kind.examples(loss.settings).sample(np.random.default_rng(0), (200, 4))
    assert first.std() > 0.1
    if loss.kind.has_edges:  # pixels lie between 0 and 1
        return
    for space, drawn in zip(loss.kind.spaces(loss.settings)[1:], rest, strict=True):
        if drawn.dtype.kind == "i":
            assert len(np.unique(drawn)) == (100 if loss.kind.name == "embeddings" else 4)
        elif space.name in ("chances", "signs"):
            assert {space.low, space.high} <= set(np.unique(drawn))
        elif space.name in ("real", "logits"):
            assert drawn.min() < -3
            assert drawn.max() > 3
        else:
            assert drawn.std() > 0.1


@pytest.mark.parametrize("own", [slopes.binary_cross_entropy, slopes.sigmoid_focal, slopes.asymmetric], ids=str)
def test_yes_or_no_is_smoothed_as_two_classes_are(own):
    logits, target = LOGITS, np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 0.25], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    for reduction in ("mean", "sum", "none"):
        smoothed = own.value_and_slope(logits, target, label_smoothing=0.2, reduction=reduction)
        by_hand = own.value_and_slope(logits, 0.8 * target + 0.1, reduction=reduction)
        for mine, theirs in zip(smoothed, by_hand, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-13)
    both(own, logits, target, label_smoothing=0.2)


def test_smoothing_a_yes_or_no_is_smoothing_two_classes():
    logits, labels = LOGITS.ravel(), np.arange(12) % 2
    pairs = np.stack([np.zeros(12), logits], axis=-1)
    mine = slopes.binary_cross_entropy(logits, labels, label_smoothing=0.3, reduction="none")
    np.testing.assert_allclose(
        mine, slopes.cross_entropy(pairs, labels, label_smoothing=0.3, reduction="none"), rtol=1e-13
    )


@pytest.mark.parametrize("dtype", [np.int64, np.float32])
def test_an_ignored_yes_or_no_does_not_count(dtype):
    loss, target = slopes.binary_cross_entropy, np.array([1, -100, 0, 1, -100], dtype)
    logits, weight = np.array([0.5, np.nan, -2.0, 3.0, 7.0]), np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    kept, mask = target != -100, np.array([True, True, False, True, False])
    assert both(loss, logits, target, ignore_index=-100) == pytest.approx(loss(logits[kept], target[kept]), rel=1e-14)
    together = both(loss, logits, target, ignore_index=-100, mask=mask, weight=weight, label_smoothing=0.1)
    assert together == pytest.approx(
        loss(logits[[0, 3]], target[[0, 3]], weight=weight[[0, 3]], label_smoothing=0.1), rel=1e-14
    )
    assert both(loss, logits, np.full(5, -100, dtype), ignore_index=-100) == 0
    with pytest.raises(ValueError, match=r"binary_cross_entropy: target must be probabilities in \[0, 1\], got -100"):
        loss(logits[:1], target[1:2], ignore_index=-1)
    with pytest.raises(TypeError, match=r"ignore_index must be an integer, got 0\.5"):
        loss(logits, target, ignore_index=0.5)
    with pytest.raises(ValueError, match=r"mask \(1,\) must have the shape of the unreduced loss, \(5,\)"):
        loss(logits, target, ignore_index=-100, mask=mask[:1])


@pytest.mark.parametrize("is_autocast", [False, True])
@pytest.mark.parametrize("name", ["softmax_focal", "z_loss", "coral", "corn", "ordinal_logistic"])
def test_a_device_whose_values_are_not_read_looks_at_labels_itself(name, is_autocast, monkeypatch):
    """As on a GPU, whose assertions are recorded here; what does not count may be anything."""
    from slopes.readings import torch as reading

    held = []
    monkeypatch.setattr(reading, "is_concrete", lambda x: False)
    monkeypatch.setattr(reading, "assert_on_gpu", lambda holds, message: held.append((bool(holds.all()), message)))
    logits = torch.tensor([[2.0, 1.0, 0.0, -1.0]] * 3)
    for labels, mask, fits in (
        ([0, 1, 2], None, True),
        ([0, 99, 2], None, False),
        ([0, -1, 2], [True, False, True], True),
    ):
        held.clear()
        with torch.autocast("cpu", enabled=is_autocast):
            slopes.catalogue.find(name)(logits, torch.tensor(labels), mask=None if mask is None else torch.tensor(mask))
        assert [holds for holds, _ in held] == [fits]
        assert held[0][1].startswith(f"{name}: ")


def test_plain_conditions_are_plain_under_autocast():
    from slopes.readings.plain import is_plain

    with torch.autocast("cpu"):
        assert is_plain(torch.tensor([True]), (torch.bool,), True)
