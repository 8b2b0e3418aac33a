"""Derivatives that losses have of their own against autograd of their bodies, and at degenerate arguments."""

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import slopes  # noqa: E402

OWN = [
    (slopes.giou, {}),
    (slopes.diou, {}),
    (slopes.ciou, {}),
    (slopes.margin_softmax, {}),
    (slopes.margin_softmax, {"form": "cosface"}),
    (slopes.triplet_margin, {"margin": 20.0}),
    (slopes.triplet_margin, {"margin": 20.0, "p": 1.0, "swap": True}),
    (slopes.info_nce, {}),
    (slopes.supcon, {}),
    (slopes.multiclass_hinge, {}),
    (slopes.multiclass_hinge, {"form": "weston_watkins", "p": 2}),
    (slopes.multilabel_margin, {}),
]


def arguments_of(card, rows=6, seed=0):
    return card.kind.examples(card.settings).sample(np.random.default_rng(seed), (rows, 4))


def gradient(card, *arguments, **options):
    """The gradient that backward leaves at the first argument."""
    first, *rest = (torch.from_numpy(np.array(argument)) for argument in arguments)
    first.requires_grad_()
    (found,) = torch.autograd.grad(card(first, *rest, **options).sum(), first)
    return found.numpy()


@pytest.mark.parametrize(("own", "parameters"), OWN, ids=lambda value: getattr(value, "name", None))
def test_slopes_in_numpy_are_those_of_torch_and_of_autograd(own, parameters):
    arguments = arguments_of(own)
    options = {"mask": np.arange(6) != 2, "weight": np.linspace(0.5, 2, 6)}
    tensors = {name: torch.from_numpy(array) for name, array in options.items()}
    slope = own.slope(*arguments, **options, **parameters)
    assert slope.any()
    for other in (own, own._copy_with(slope_body=None)):
        np.testing.assert_allclose(gradient(other, *arguments, **tensors, **parameters), slope, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize(("own", "parameters"), OWN, ids=lambda value: getattr(value, "name", None))
def test_slopes_of_narrower_dtypes(own, parameters, dtype):
    first, *rest = (x.astype(dtype) if x.dtype == np.float64 else x for x in arguments_of(own))
    slope = own.slope(first, *rest, reduction="sum", **parameters)
    wide = own.slope(
        *(x.astype(float) if x.dtype == dtype else x for x in (first, *rest)), reduction="sum", **parameters
    )
    assert slope.dtype == dtype
    np.testing.assert_array_equal(slope, wide.astype(dtype))
    found = gradient(own, first, *rest, reduction="sum", **parameters)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, slope, rtol=1e-4 if dtype == np.float32 else 2e-3, atol=1e-5)


@pytest.mark.parametrize(("own", "parameters"), OWN, ids=lambda value: getattr(value, "name", None))
def test_slopes_of_an_empty_batch(own, parameters):
    empty = tuple(x[:0] for x in arguments_of(own))
    assert own.slope(*empty, **parameters).shape == gradient(own, *empty, **parameters).shape == (0, 4)


SIZES = (0.0, 1e-200, 1e-108, 1e-54, 1e-20, 1e-13, 1e-5)


@pytest.mark.parametrize("own", [slopes.giou, slopes.diou, slopes.ciou], ids=lambda card: card.name)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_second_derivatives_of_boxes_that_are_nearly_none(own, dtype):
    pairs = []
    for e in SIZES:
        predictions = (
            [0, 0, e, e],
            [0, 0, e, 1],
            [0, 0, 1, e],
            [0, 0, 1, 1],
            [0.5, 0.5, 0.5 + e, 0.5],
            [0, 0, 1 + e, 1],
        )
        targets = ([0, 0, e, e], [0, 0, 1, 1], [0, 0, e, 1], [0, 0, 0, 0], [0, 0, 2 * e, e], [1, 1, 1, 1])
        pairs += itertools.product(predictions, targets)
    prediction, target = (torch.tensor(boxes, dtype=dtype) for boxes in zip(*pairs, strict=True))
    prediction.requires_grad_()
    (first,) = torch.autograd.grad(own(prediction, target, reduction="sum"), prediction, create_graph=True)
    assert torch.isfinite(first).all()
    along = torch.tensor([1.0, -0.3, 0.7, 0.2], dtype=dtype)
    (second,) = torch.autograd.grad((first * along).sum(), prediction)
    assert not second.isnan().any(), (prediction[second.isnan().any(-1)], target[second.isnan().any(-1)])


def test_a_perfect_box_is_at_the_middle_of_its_corner():
    """A box that equals its target has, between the slopes of growing and shrinking, their mean."""
    box = np.array([[0.0, 0.0, 2.0, 1.0]])
    for card in (slopes.giou, slopes.diou, slopes.ciou):
        sides = [(card(box + h * np.eye(4)[k], box) - card(box, box)) / h for h in (1e-7, -1e-7) for k in range(4)]
        mean = (np.array(sides[:4]) + sides[4:]) / 2
        np.testing.assert_allclose(card.slope(box, box)[0], mean, atol=1e-6)


@pytest.mark.parametrize("own", [slopes.info_nce, slopes.supcon, slopes.circle], ids=lambda card: card.name)
def test_vectors_of_zeros_have_no_slope_and_equal_ones_a_finite_one(own):
    labels = np.array([0, 0, 1, 1])
    vectors = np.array([[0.0, 0.0], [1.0, 2.0], [1.0, 2.0], [-3.0, 1.0]])
    slope = own.slope(vectors, labels)
    assert np.isfinite(slope).all()
    assert not slope[0].any()
    assert slope[1].any()
    np.testing.assert_allclose(gradient(own, vectors, labels), slope, rtol=1e-12, atol=1e-15)
    for alone in (np.zeros(4, int), np.arange(4)):  # all positives; all negatives
        assert np.isfinite(own.slope(vectors, alone)).all()
    assert not own.slope(vectors, np.arange(4)).any()


def test_an_anchor_far_from_both_others_has_an_accurate_slope():
    """The unit vectors to both nearly agree, and their difference would have lost its digits."""
    mpmath = pytest.importorskip("mpmath")
    anchor, positive, negative = ([1e5, -7e4, 3.0], [0.25, 4.75, -3.0], [-0.0625, -3.125, -4.5])
    with mpmath.workdps(120):
        near, far = (mpmath.matrix(anchor) - mpmath.matrix(x) for x in (positive, negative))
        exact = near / mpmath.norm(near) - far / mpmath.norm(far)
    slope = slopes.triplet_margin.slope([anchor], [positive], [negative], margin=100.0)
    np.testing.assert_allclose(slope[0], [float(x) for x in exact], rtol=1e-14)


def test_a_margin_that_is_just_met_and_a_distance_of_0():
    triplet = [np.array([[x, 0.0]]) for x in (0.0, 1.0, 2.0)]
    np.testing.assert_array_equal(slopes.triplet_margin.slope(*triplet), [[0.0, 0.0]])  # both distances grow alike
    np.testing.assert_array_equal(slopes.triplet_margin.slope(triplet[0], triplet[0], triplet[1]), [[1.0, 0.0]])
    np.testing.assert_array_equal(slopes.triplet_margin.slope(triplet[0], triplet[0], triplet[2]), [[0.0, 0.0]])


#: arguments at which a second derivative by the slope's own operations cancels, and the function
CANCELLING = {
    "sigmoid": ((1e-10,), lambda m, x: 1 / (1 + m.exp(-x))),
    "tanh": ((1e-10,), lambda m, x: m.tanh(x)),
    "softcap": ((-1e-20,), lambda m, x: 30 * m.tanh(x / 30)),
    "charbonnier": ((7543.12, 0.0), lambda m, x, y: m.sqrt((x - y) ** 2 + m.mpf(1e-3) ** 2)),
    "pseudo_huber": ((4291.934, 0.0), lambda m, x, y: m.sqrt(1 + (x - y) ** 2)),
    "barron_general": ((4291.934, 0.0), lambda m, x, y: m.sqrt(1 + (x - y) ** 2)),
    "log_cosh": ((4.7232246, -4.3028445), lambda m, x, y: m.log(m.cosh(x - y))),
    "gamma_deviance": ((2.9470516e-07, 0.001448), lambda m, x, y: x + y * m.exp(-x)),
}


@pytest.mark.parametrize("name", CANCELLING)
def test_second_derivatives_keep_their_digits(name):
    mpmath = pytest.importorskip("mpmath")
    arguments, function = CANCELLING[name]
    x, *rest = (torch.tensor([number], dtype=torch.float64) for number in arguments)
    x.requires_grad_()
    slope = torch.autograd.grad(getattr(slopes, name)(x, *rest).sum(), x, create_graph=True)[0]
    (second,) = torch.autograd.grad(slope.sum(), x)
    with mpmath.workdps(120):
        first, *others = map(mpmath.mpf, arguments)
        exact = mpmath.diff(lambda z: function(mpmath, z, *others), first, 2, h=abs(first) * mpmath.mpf(10) ** -15)
        assert abs(second.item() - exact) <= 4 * np.spacing(abs(float(exact)))


def test_second_derivatives_of_a_sure_row_keep_their_digits():
    """Of cross-entropy −p₀·p₂, where 1 − p₀ is nearly 1."""
    x = torch.tensor([[22.7, -13.2, -23.5, -10.5, 80.5]], dtype=torch.float64, requires_grad=True)
    slope = torch.autograd.grad(slopes.cross_entropy(x, torch.tensor([0])), x, create_graph=True)[0]
    (second,) = torch.autograd.grad(slope[0, 0], x)
    p = slopes.softmax(x.detach().numpy())[0]
    np.testing.assert_allclose(second[0, 1:], -p[0] * p[1:], rtol=1e-14)
    np.testing.assert_allclose(second[0, 0], p[0], rtol=1e-14)


def test_forms_for_second_derivatives_are_differentiated_to_any_order():
    rng = torch.Generator().manual_seed(0)
    x, y = (2 * torch.randn(3, 4, dtype=torch.float64, generator=rng).requires_grad_() for _ in range(2))
    functions = (
        lambda x, y: slopes.ops.sigmoid_slope(x, times=y),
        lambda x, y: slopes.ops.softmax_complement(x) * y,
        *(
            lambda x, y, card=card: card.slope(x, y, reduction="none")
            for card in (slopes.charbonnier, slopes.pseudo_huber, slopes.barron_general, slopes.log_cosh)
        ),
    )
    for function in functions:
        assert torch.autograd.gradgradcheck(function, (x, y))


def test_slopes_stay_where_a_form_for_second_derivatives_is_infinite():
    x = torch.tensor([-1e4, 1e300], dtype=torch.float64, requires_grad=True)
    with torch.no_grad():
        plain = slopes.gamma_deviance.slope(x, torch.ones_like(x), reduction="none")
    assert plain[0] == -torch.inf
    assert torch.equal(slopes.gamma_deviance.slope(x, torch.ones_like(x), reduction="none"), plain)
    assert torch.equal(slopes.ops.sigmoid_slope(x, times=x * torch.inf), torch.zeros(2, dtype=x.dtype))
