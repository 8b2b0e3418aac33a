"""Losses of regions, boxes and batches of vectors: what other libraries gave, and what masks and nothing do."""

import functools
from fractions import Fraction

import numpy as np
import pytest

import slopes
from slopes.losses import boxes, embedding, overlap

LOGITS = np.array([
    [[[0.19, -0.2], [0.96, 0.16]], [[-0.8, 0.54], [1.96, 1.42]], [[-1.06, -1.9], [-0.93, 0.06]]],
    [[[-3.49, -0.33], [-1.87, -1.1]], [[-0.82, -0.47], [0.62, 1.56]], [[-0.19, 2.05], [-1.0, 0.53]]],
])  # fmt: skip
LABELS = np.array([[[0, 1], [1, 2]], [[0, 0], [1, 1]]])  #: class 2 is absent from the second sample


@pytest.mark.parametrize(
    ("function", "options", "came"),
    [
        (overlap.dice, {}, 0.627268672),  # optax 0.2.8, dice_loss(smooth=0)
        (overlap.dice, {"smooth": 2.0}, 0.3251415),  # optax 0.2.8, dice_loss
        (overlap.dice, {"smooth": 1e-5}, 0.6272656),  # monai 1.6.1, DiceLoss
        (overlap.dice, {"smooth": 1e-5, "over": "batch"}, 0.6313935),  # monai 1.6.1, DiceLoss(batch=True)
        (overlap.dice, {"smooth": 1e-5, "squared": True}, 0.5157682),  # monai 1.6.1, DiceLoss(squared_pred=True)
        (overlap.dice, {"over": "batch"}, 0.6313951),  # segmentation_models_pytorch 0.6.0, DiceLoss
        (overlap.dice, {"over": "all"}, 0.5380656),  # keras 3.15.1, dice; kornia 0.9.0, dice_loss
        (overlap.jaccard, {}, 0.7321221),  # monai 1.6.1, DiceLoss(jaccard=True, smooth 0)
        (overlap.jaccard, {"over": "batch"}, 0.7433317),  # segmentation_models_pytorch 0.6.0, JaccardLoss
        (overlap.tversky, {"alpha": 0.3, "beta": 0.7}, 0.6300867),  # monai 1.6.1, TverskyLoss(smooth 0)
        (overlap.tversky, {"alpha": 0.3, "beta": 0.7, "over": "batch"}, 0.6353354),  # smp 0.6.0, TverskyLoss
        (overlap.generalized_dice, {}, 0.5735999),  # monai 1.6.1, GeneralizedDiceLoss(smooth 0)
        (overlap.generalized_dice, {"over": "batch"}, 0.8058833),  # the same with batch=True
        (overlap.generalized_dice, {"weighting": "simple"}, 0.5575186),  # monai 1.6.1, w_type="simple"
        (overlap.generalized_dice, {"weighting": "simple", "over": "batch"}, 0.6778724),
        (overlap.generalized_dice, {"weighting": "uniform"}, 0.5380657),  # monai 1.6.1, w_type="uniform"
        (overlap.lovasz_softmax, {}, 0.6255521),  # kornia 0.9.0, lovasz_softmax_loss
    ],
)  # fmt: skip
def test_other_libraries_gave(function, options, came):
    assert function(LOGITS, LABELS, axis=1, **options) == pytest.approx(came, abs=2e-7)


@pytest.mark.parametrize("over", ["sample", "batch", "all"])
@pytest.mark.parametrize(
    "function", [overlap.dice, overlap.jaccard, overlap.focal_tversky, overlap.generalized_dice, overlap.lovasz_softmax]
)
def test_pixels_that_do_not_count_are_not_there(function, over):
    if over == "all" and function is overlap.generalized_dice:
        pytest.skip("it joins all classes as it is")
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((3, 6, 4)), rng.integers(0, 4, (3, 6))
    mask = np.arange(6) % 3 > 0
    came, slope = function.value_and_slope(logits, labels, over=over, mask=np.tile(mask, (3, 1)))
    wanted, expected = function.value_and_slope(logits[:, mask], labels[:, mask], over=over)
    assert came == pytest.approx(wanted, rel=1e-14)
    np.testing.assert_allclose(slope[:, mask], expected, rtol=1e-12, atol=1e-16)
    assert not slope[:, ~mask].any()
    weight = np.tile([1.0, 2.0, 1.0, 3.0, 1.0, 1.0], (3, 1))
    twice = np.repeat(np.arange(6), weight[0].astype(int))
    assert function(logits, labels, over=over, weight=weight) == pytest.approx(
        function(logits[:, twice], labels[:, twice], over=over), rel=1e-14
    )


def test_regions_by_the_card_and_by_autograd():
    torch = pytest.importorskip("torch")
    logits, labels = torch.tensor(LOGITS, requires_grad=True), torch.tensor(LABELS)
    for function in (overlap.dice, overlap.dice.with_(squared=True), overlap.tversky, overlap.focal_tversky):
        for over in ("sample", "batch", "all"):
            (came,) = torch.autograd.grad(function(logits, labels, axis=1, over=over), logits)
            weight = torch.ones(LABELS.shape, dtype=torch.float64, requires_grad=True)  # plain autograd takes over
            (plain,) = torch.autograd.grad(function(logits, labels, axis=1, over=over, weight=weight), logits)
            np.testing.assert_allclose(came, plain, rtol=1e-11, atol=1e-15)
            np.testing.assert_allclose(function.slope(LOGITS, LABELS, axis=1, over=over), plain, rtol=1e-11, atol=1e-15)


def test_overlap_at_the_edges():
    options = {"mode": "multilabel", "from_probabilities": True, "reduction": "none"}
    nothing, some = np.zeros((1, 4, 1)), np.full((1, 4, 1), 1e-9)
    for function in (overlap.dice, overlap.jaccard, overlap.tversky, overlap.focal_tversky):
        assert function(nothing, nothing, **options) == 0
        assert not function.slope(nothing, nothing, **options).any()
        assert function(some, nothing, **options) == 1
        assert function(1 - nothing, 1 - nothing, **options) == 0
        assert np.isfinite(function.slope(1 - nothing, 1 - nothing, **options)).all()
    half = np.full((1, 4, 1), 0.5)
    assert overlap.dice(half, half, **options) == 0.5
    assert overlap.dice(half, half, squared=True, **options) == 0
    certain = 1 - np.array([[[0.0], [2.0**-40]]])
    assert overlap.dice(certain, np.ones((1, 2, 1)), **options) == pytest.approx(2.0**-40 / (4 - 2.0**-40), rel=1e-15)


def test_tversky_weighs_what_is_wrongly_claimed_by_alpha():
    options = {"mode": "multilabel", "from_probabilities": True, "alpha": 0.9, "beta": 0.1}
    claimed, missed = np.array([[[1.0], [1.0]]]), np.array([[[1.0], [0.0]]])
    assert overlap.tversky(claimed, missed, **options) == pytest.approx(0.9 / 1.9)
    assert overlap.tversky(missed, claimed, **options) == pytest.approx(0.1 / 1.1)


def lovasz(errors, truth, weight=None):
    """The Lovász extension of 1 − IoU by its definition: what the loss grows by, over the prefixes of the ranking."""
    weight = np.ones(len(errors)) if weight is None else weight
    ranked, value, before = sorted(range(len(errors)), key=lambda i: -errors[i]), 0.0, 0.0
    for last in range(len(errors)):
        wrong = set(ranked[: last + 1])
        common = sum(weight[i] for i in range(len(errors)) if truth[i] and i not in wrong)
        union = sum(weight[i] for i in range(len(errors)) if truth[i] or i in wrong)
        cost = 1 - common / union if union else 0.0
        value, before = value + errors[ranked[last]] * (cost - before), cost
    return value


@pytest.mark.parametrize("weighed", [False, True])
def test_lovasz_losses_are_extensions_of_one_minus_iou(weighed):
    rng = np.random.default_rng(5)
    logits, labels = rng.standard_normal((4, 7, 3)), rng.integers(0, 3, (4, 7))
    labels[0] = labels[0] % 2  # class 2 is absent
    truth = np.eye(3)[labels]
    weight = rng.integers(0, 3, labels.shape) * 0.5 if weighed else np.ones(labels.shape)
    options = {"reduction": "none", "weight": weight} if weighed else {"reduction": "none"}
    powers = np.exp(logits)
    for function, target, errors in (
        (overlap.lovasz_softmax, labels, abs(truth - powers / powers.sum(-1, keepdims=True))),
        (functools.partial(overlap.lovasz_softmax, mode="multilabel"), truth, abs(truth - powers / (1 + powers))),
        (overlap.lovasz_hinge, truth, np.maximum(1 - logits * (2 * truth - 1), 0)),
    ):
        wanted = [[lovasz(errors[n, :, c], truth[n, :, c], weight[n]) for c in range(3)] for n in range(4)]
        np.testing.assert_allclose(function(logits, target, **options), wanted, rtol=1e-13)
    certain = np.eye(3)[(labels + (rng.uniform(size=labels.shape) < 0.3)) % 3]  # at a corner they are 1 − IoU itself
    corner = overlap.lovasz_softmax(certain, labels, from_probabilities=True, **options)
    np.testing.assert_allclose(corner, overlap.jaccard(certain, labels, from_probabilities=True, **options), rtol=1e-14)


def test_lovasz_losses_by_hand():
    """Errors of 0.75, 0.5 and 0.25: the loss is 1/2, 2/3 and 1 as they come in, or 1, 1 and 1."""
    chance = {"mode": "multilabel", "from_probabilities": True}
    prediction, target = np.array([[[0.25], [0.5], [0.75]]]), np.array([[[1.0], [0.0], [1.0]]])
    assert overlap.lovasz_softmax(prediction, target, **chance) == pytest.approx(0.75 / 2 + 0.5 / 6 + 0.25 / 3)
    np.testing.assert_allclose(
        overlap.lovasz_softmax.slope(prediction, target, **chance)[0, :, 0], [-1 / 2, 1 / 6, -1 / 3], rtol=1e-15
    )
    absent = np.zeros((1, 3, 1))
    assert overlap.lovasz_softmax(prediction, absent, **chance) == 0.75
    assert overlap.lovasz_softmax.slope(prediction, absent, **chance).tolist() == [[[0], [0], [1]]]
    scores = np.array([[[0.25], [-0.5], [2.0]]])  # lacking 0.75, 0.5 and nothing
    assert overlap.lovasz_hinge(scores, target) == pytest.approx(0.75 / 2 + 0.5 / 6)
    np.testing.assert_allclose(overlap.lovasz_hinge.slope(scores, target)[0, :, 0], [-1 / 2, 1 / 6, 0], rtol=1e-15)
    assert overlap.lovasz_hinge(LOGITS[:, 1:2], 1.0 * (LABELS == 1)[:, None], axis=1) == 0.6475  # kornia 0.9.0


def test_generalized_dice_by_hand():
    """Sizes of 1 and 3 weigh as 9 to 1: (9 · 1 + 1 · 1) / (9 · 3 + 1 · 5) where one of the three is missed."""
    certain, labels = np.eye(2)[[[0, 0, 1, 1]]], np.array([[0, 1, 1, 1]])
    given = {"from_probabilities": True}
    assert overlap.generalized_dice(certain, labels, **given) == pytest.approx(10 / 32)
    assert overlap.generalized_dice(certain, labels, weighting="simple", **given) == pytest.approx((3 + 1) / (9 + 5))
    assert overlap.generalized_dice(certain, labels, weighting="uniform", **given) == overlap.dice(
        certain, labels, over="all", **given
    )
    padded = np.concatenate([certain, 0 * certain[..., :1]], -1)
    assert overlap.generalized_dice(padded, labels, **given) == pytest.approx(10 / 32)  # nobody has the third class
    claimed = np.eye(3)[[[0, 2, 1, 1]]]  # weighs as the rarest that is there, 9
    assert overlap.generalized_dice(claimed, labels, **given) == pytest.approx((9 + 1) / (9 * 2 + 5 + 9))
    with pytest.raises(ValueError, match="generalized_dice: joins the classes as it is, over a sample or the batch"):
        overlap.generalized_dice(certain, labels, over="all", **given)


@pytest.mark.parametrize("function", [overlap.jaccard, overlap.lovasz_softmax])
def test_slopes_of_regions_keep_their_digits_where_classes_nearly_cancel(function):
    """Near 0 all classes have nearly the same probability, and a slope may be a difference of two."""
    torch, rng = pytest.importorskip("torch"), np.random.default_rng(4)
    logits = (rng.standard_normal((200, 6, 3)) * 10 ** rng.uniform(-3, -1, (200, 1, 1))).astype("float32")
    labels = rng.integers(0, 3, (200, 6))
    slope = functools.partial(function.slope, reduction="none")
    wide = logits.astype("float64")
    exact, change = slope(wide, labels), 0.0
    for place in np.ndindex(6, 3):
        moved = wide.copy()
        moved[:, *place] *= 1 + 2.0**-20
        change = change + np.abs(slope(moved, labels) - exact) * 2.0**20
    errors = np.abs(slope(torch.from_numpy(logits), torch.from_numpy(labels)).numpy() - exact)
    assert (errors / np.spacing(np.abs(exact).astype("float32"))).max() > 2
    assert (errors <= 4 * np.spacing(np.abs(exact).astype("float32")) * (1 + change / np.abs(exact))).all()


@pytest.mark.parametrize("power", [1, 3])
def test_slopes_of_an_overlap_are_rounded_once(power):
    rng, ulps = np.random.default_rng(0), []
    for alpha, beta in ((1.0, 1.0), (0.3, 0.7), (42.0, 0.1)):
        parts = rng.uniform(0, 1, (3, 200)) * 10 ** rng.uniform(-9, 3, (3, 1))
        slopes_of = slopes.ops.overlap_slopes(*parts, alpha, beta, float(power))
        for over, missed, right, *came in zip(*parts, *slopes_of, strict=True):
            over, missed, right = map(Fraction, (over, missed, right))
            wrong = Fraction(alpha) * over + Fraction(beta) * missed
            whole = wrong + right
            steep = power * (wrong / whole) ** (power - 1)
            for slope, part in zip(came, (Fraction(alpha) * right, wrong + Fraction(beta) * right), strict=True):
                exact = steep * part / whole**2
                ulps.append(abs(Fraction(slope) - exact) / Fraction(np.spacing(float(exact))))
    assert max(ulps) <= (0.51 if power == 1 else 2)  # a power has an error of its own


@pytest.mark.parametrize("function", [overlap.generalized_dice, overlap.lovasz_softmax])
def test_regions_of_which_there_is_nothing(function):
    options = {"mode": "multilabel", "from_probabilities": True}
    nothing, all_of_it, some = np.zeros((1, 4, 2)), np.ones((1, 4, 2)), np.full((1, 4, 2), 1e-200)
    for prediction, target, wanted in ((nothing, nothing, 0), (all_of_it, nothing, 1), (all_of_it, all_of_it, 0)):
        value, slope = function.value_and_slope(prediction, target, **options)
        assert value == wanted
        assert np.isfinite(slope).all()
    assert np.isfinite(function.slope(some, some, **options)).all()


@pytest.mark.parametrize("function", [overlap.generalized_dice, overlap.lovasz_softmax, overlap.lovasz_hinge])
@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64"])
def test_the_type_of_a_region_stays(function, name):
    torch = pytest.importorskip("torch")
    dtype = getattr(torch, name)
    rng = np.random.default_rng(1)
    prediction = torch.tensor(3 * rng.standard_normal((2, 40, 3))).to(dtype).requires_grad_()
    target = rng.integers(0, 2, (2, 40, 3)) * 1.0 if function is overlap.lovasz_hinge else rng.integers(0, 3, (2, 40))
    loss = function(prediction, torch.tensor(target))
    (gradient,) = torch.autograd.grad(loss, prediction)
    assert loss.dtype == gradient.dtype == dtype
    wanted, slope = function.value_and_slope(prediction.detach().double().numpy(), target)
    np.testing.assert_allclose(loss.item(), wanted, rtol=2 * torch.finfo(dtype).eps)
    np.testing.assert_allclose(gradient.double(), slope, rtol=0.02, atol=torch.finfo(dtype).eps * abs(slope).max())


VECTORS = np.array([
    [0.1257302210933933, -0.1321048632913019, 0.6404226504432821],
    [0.10490011715303971, -0.535669373161111, 0.36159505490948474],
    [1.3040000451301372, 0.9470809631292422, -0.7037352358069926],
    [-1.2654214710460525, -0.6232744625373522, 0.0413259793472436],
    [-2.3250307746388343, -0.21879166393254573, -1.2459109472530652],
    [-0.7322673547034516, -0.5442589828573099, -0.31630015636915454],
])  # fmt: skip
CLASSES = np.array([1, 1, 0, 0, 0, 0])


def test_contrasts_of_a_batch_are_those_of_other_libraries():
    positives = np.array([1.0, 1, 3, 3, 3, 3])
    pairs = embedding.info_nce(VECTORS, CLASSES, weight=positives)  # their mean is over pairs
    assert pairs == pytest.approx(3.414731, abs=1e-6)  # optax 0.2.8, ntxent; pytorch_metric_learning 2.9.0, NTXentLoss
    assert embedding.info_nce(VECTORS, CLASSES) == pytest.approx(2.65603992, abs=1e-7)
    each = [0.00046674, 0.0109438, 3.99691, 6.76664, 5.21963, 6.15364]  # pytorch_metric_learning 2.9.0, SupConLoss
    np.testing.assert_allclose(embedding.supcon(VECTORS, CLASSES, reduction="none"), each, rtol=1e-5)


def test_the_circle_loss_keeps_its_weights_constant():
    torch = pytest.importorskip("torch")
    each = [4.65050922, 4.31436474, 922.99813411, 920.30417221, 566.46366566, 754.39919458]
    first = [-1.57117078, 44.97322318, 9.58542791]  # pytorch_metric_learning 2.9.0, CircleLoss(0.25, 256)
    np.testing.assert_allclose(slopes.circle(VECTORS, CLASSES, reduction="none"), each, rtol=1e-8)
    slope = slopes.circle.slope(VECTORS, CLASSES)
    np.testing.assert_allclose(slope[0], first, rtol=1e-8)

    tensor = torch.tensor(VECTORS, requires_grad=True)
    similar = torch.nn.functional.normalize(tensor) @ torch.nn.functional.normalize(tensor).T
    same = torch.tensor(CLASSES[:, None] == CLASSES)
    near = -256 * (1.25 - similar.detach()) * (similar - 0.75)
    far = 256 * (similar.detach() + 0.25).clamp(min=0) * (similar - 0.25)
    near, far = near.masked_fill(~same | torch.eye(6, dtype=torch.bool), -torch.inf), far.masked_fill(same, -torch.inf)
    torch.nn.functional.softplus(near.logsumexp(1) + far.logsumexp(1)).mean().backward()
    np.testing.assert_allclose(slope, tensor.grad, rtol=1e-12)

    jump = np.array([slopes.circle(VECTORS + h * np.eye(6)[0][:, None], CLASSES) for h in (1e-6, -1e-6)])
    assert abs((jump[0] - jump[1]) / 2e-6 / slope[0].sum() - 1) > 0.04  # the derivative of the value is another
    assert slopes.circle(VECTORS, CLASSES * 0) == 0  # no negatives


def test_nt_xent_is_that_of_simclr():
    """The authors' code: cross-entropies of each view among all others, with its own similarity masked; by hand."""
    assert slopes.nt_xent is slopes.info_nce
    rng, n, temperature = np.random.default_rng(0), 5, 0.5
    views = rng.standard_normal((2 * n, 4))
    unit = views / np.linalg.norm(views, axis=1, keepdims=True)
    logits = unit @ unit.T / temperature
    np.fill_diagonal(logits, -1e9)
    partners = np.roll(np.arange(2 * n), n)
    wanted = np.mean(np.logaddexp.reduce(logits, axis=1) - logits[np.arange(2 * n), partners])
    value = slopes.nt_xent(views, np.tile(np.arange(n), 2), temperature=temperature)
    assert value == pytest.approx(wanted, rel=1e-13)


@pytest.mark.parametrize(
    ("name", "parameter"), [("supcon", "temperature"), ("info_nce", "temperature"), ("circle", "scale")]
)
def test_a_parameter_is_one_number_for_all_vectors(name, parameter):
    """An array would be taken along the other vectors, or a gradient by one half of a pair alone."""
    card = getattr(slopes, name)
    assert card(VECTORS, CLASSES, **{parameter: np.array([2.0])}) == card(VECTORS, CLASSES, **{parameter: 2.0})
    for shape in ((6,), (6, 1), (3,)):
        with pytest.raises(ValueError, match=rf"{name}: {parameter} must be one number for all rows, got an array"):
            card(VECTORS, CLASSES, **{parameter: np.full(shape, 2.0)})


@pytest.mark.parametrize("name", ["info_nce", "supcon", "circle"])
def test_a_vector_of_weight_0_is_not_there_whatever_wants_a_gradient(name):
    torch = pytest.importorskip("torch")
    weight = torch.tensor([1.0, 1, 0.5, 1, 1, 0], dtype=torch.float64)
    for last in (VECTORS[-1], np.full_like(VECTORS[-1], np.nan)):
        x, labels = torch.from_numpy(np.concatenate([VECTORS[:-1], last[None]])), torch.from_numpy(CLASSES)
        due = getattr(slopes, name)(x[:-1], labels[:-1], weight=weight[:-1])
        learnt = weight.clone().requires_grad_()
        for given in (weight, learnt):
            assert getattr(slopes, name)(x, labels, weight=given).item() == pytest.approx(due.item(), rel=1e-14)
        getattr(slopes, name)(x, labels, weight=learnt).backward()
        assert learnt.grad[-1] == 0
        assert learnt.grad[:-1].all()


def test_each_region_has_its_parameter():
    """Of shape (samples, classes), as the unreduced loss, or one that broadcasts to it."""
    rng = np.random.default_rng(0)
    chances, labels, alpha = rng.dirichlet(np.ones(3), (4, 5)), rng.integers(0, 3, (4, 5)), np.array([0.2, 0.5, 0.9])
    given = {"from_probabilities": True, "reduction": "none"}
    values, slopes_ = slopes.tversky.value_and_slope(chances, labels, alpha=alpha, **given)
    for place, number in enumerate(alpha):
        value, slope = slopes.tversky.value_and_slope(chances, labels, alpha=number, **given)
        np.testing.assert_allclose(values[:, place], value[:, place], rtol=1e-14)
        np.testing.assert_allclose(slopes_[..., place], slope[..., place], rtol=1e-14)
    with pytest.raises(
        ValueError, match=r"tversky: alpha \(5,\) does not broadcast to the shape of the unreduced loss, \(4"
    ):
        slopes.tversky(chances, labels, alpha=np.full(5, 0.5))


@pytest.mark.parametrize("function", [embedding.info_nce, embedding.supcon, embedding.circle])
def test_vectors_that_do_not_count_are_not_there(function):
    mask = np.array([True, True, False, True, True, True])
    came, slope = function.value_and_slope(VECTORS, CLASSES, mask=mask)
    wanted, expected = function.value_and_slope(VECTORS[mask], CLASSES[mask])
    assert came == pytest.approx(wanted, rel=1e-14)
    np.testing.assert_allclose(slope[mask], expected, rtol=1e-12, atol=1e-15)
    assert not slope[2].any()
    alone = np.array([0, 1, 2, 0, 0, 0])  # two have no positive
    assert function(VECTORS, alone) == pytest.approx(
        function(VECTORS, alone, reduction="none")[[0, 3, 4, 5]].mean(), rel=1e-14
    )
    assert function(VECTORS, np.arange(6)) == 0
    assert np.isfinite(function.slope(VECTORS * 0, CLASSES)).all()


def test_vectors_at_the_edges():
    zero, one = np.zeros((1, 2)), np.array([[3.0, 4.0]])
    assert embedding.cosine(zero, one) == embedding.cosine(one, zero) == embedding.cosine(zero, zero) == 1
    assert not embedding.cosine.slope(zero, one).any()
    assert embedding.cosine([[1.0, 0.0]], [[1.0, 1e-9]]) == pytest.approx(5e-19, rel=1e-12, abs=0)
    assert embedding.cosine([[1e200, 0.0]], [[1e-200, 1e-200]]) == pytest.approx(1 - np.sqrt(0.5), rel=1e-14)
    assert embedding.cosine_embedding(one, one, [-1.0], margin=0.25) == 0.75
    assert not embedding.contrastive_pair.slope(one, one, [-1.0]).any()
    assert embedding.contrastive_pair(one, one, [-1.0], margin=3.0) == 4.5
    assert embedding.contrastive_pair(one, zero, [1.0]) == 12.5


@pytest.mark.parametrize(("p", "near", "far", "other"), [(1.0, 7.0, 2.0, 5.0), (2.0, 5.0, np.sqrt(2), np.sqrt(13))])
def test_triplets_in_every_norm(p, near, far, other):
    anchor, positive, negative = np.array([[[0.0, 0.0]], [[3.0, 4.0]], [[1.0, 1.0]]])
    function = embedding.triplet_margin.with_(p=p)
    assert function(anchor, positive, negative) == pytest.approx(near - far + 1, rel=1e-15)
    assert function(anchor, negative, positive, margin=6.0) == pytest.approx(far - near + 6, rel=1e-14)
    assert function(positive, anchor, negative, swap=True) == pytest.approx(near - min(far, other) + 1, rel=1e-15)
    assert np.isfinite(function.slope(anchor, anchor, anchor)).all()


BOXES = np.array([
    [1.2739233746429086, 0.5395734275277406, 3.2905128140608584, 2.8633148299877367],
    [0.08194704787238938, 0.03305527105705819, 1.9410095265359466, 2.8707363305264786],
    [1.6265404784005448, 1.8255111545554434, 4.166174363704375, 2.332357404980814],
])  # fmt: skip
TRUE = np.array([
    [1.7148085531751387, 0.06717115061092871, 2.9640882795186005, 1.6238892036050747],
    [1.4593108928598881, 0.35131124120511803, 2.0301100707235458, 1.1620194324540278],
    [1.7263578446997732, 1.0829224404981834, 3.902918881433849, 3.200896219433809],
])  # fmt: skip


@pytest.mark.parametrize(
    ("function", "came"),  # torchvision 0.28.0, at eps=0 or, for ciou, 1e-7
    [
        (boxes.giou, [0.807544, 0.959644, 0.87863]),
        (boxes.diou, [0.805174, 1.01315, 0.770852]),
        (boxes.ciou, [0.805175, 1.01315, 0.790688]),
    ],
)
def test_boxes_cost_what_they_do_in_torchvision(function, came):
    np.testing.assert_allclose(function(BOXES, TRUE, reduction="none"), came, rtol=5e-6)
    for factor in (1e-120, 2.0**600):
        np.testing.assert_allclose(function(factor * BOXES, factor * TRUE), function(BOXES, TRUE), rtol=1e-13)


@pytest.mark.parametrize("function", [boxes.giou, boxes.diou, boxes.ciou])
def test_boxes_without_an_area(function):
    for degenerate in ([0.0, 0, 0, 0], [0, 0, 1, 0], [2, 2, 2, 2], [0, 0, 1e-200, 1e-200], [-1e300, 0, 1e300, 0]):
        for other in ([0.0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]):
            for pair in ((degenerate, other), (other, degenerate)):
                value, slope = function.value_and_slope(*(np.array([box], float) for box in pair))
                assert value >= (1 if degenerate != other else 0)
                assert np.isfinite(slope).all()


def test_regions_are_in_the_dtype_that_bodies_compute_in():
    torch, seen = pytest.importorskip("torch"), set()

    @slopes.loss("overlap")
    def watched(prediction, target, weight):
        seen.update((prediction.dtype, target.dtype, weight.dtype))
        return overlap.dice.body(prediction, target, weight, smooth=0.0, squared=False)

    for dtype in (torch.float32, torch.bfloat16):
        watched(torch.zeros(2, 3, 4, dtype=dtype), torch.zeros(2, 3, dtype=torch.long))
    assert seen == {torch.float32}
