"""Losses of images: the similarity of structures within windows, and total variation."""

import inspect
from fractions import Fraction

import numpy as np
import pytest
import scipy.ndimage

import slopes

RNG = np.random.default_rng(0)
FIRST, SECOND = RNG.random((2, 2, 3, 16, 18))


def by_the_paper(x, y, weights, data_range=1.0):
    """1 − SSIM at windows inside the images, by moments that cancel."""

    def local(values):
        for axis in (-1, -2):
            values = scipy.ndimage.correlate1d(values, weights, axis=axis)
        reach = len(weights) // 2
        return values[..., reach:-reach, reach:-reach]

    mean, other = local(x), local(y)
    spread, spread_other = local(x * x) - mean**2, local(y * y) - other**2
    together = local(x * y) - mean * other
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    means = (2 * mean * other + c1) / (mean**2 + other**2 + c1)
    return 1 - means * (2 * together + c2) / (spread + spread_other + c2)


def normal(window, sigma):
    weights = np.exp(-0.5 * ((np.arange(window) - window // 2) / sigma) ** 2)
    return weights / weights.sum()


@pytest.mark.parametrize(
    ("options", "weights"),
    [
        ({}, normal(11, 1.5)),
        ({"window": 7, "sigma": None}, np.full(7, 1 / 7)),
        ({"window": 3, "sigma": 0.5}, normal(3, 0.5)),
        ({"window": 5, "data_range": 255.0}, normal(5, 1.5)),
    ],
)
def test_windows_are_those_of_the_paper(options, weights):
    size = options.get("data_range", 1.0)
    wanted = by_the_paper(size * FIRST, size * SECOND, weights, size)
    each = slopes.ssim(size * FIRST, size * SECOND, reduction="none", **options)
    reach = len(weights) // 2
    np.testing.assert_allclose(each[..., reach:-reach, reach:-reach], wanted, rtol=1e-11)
    assert each.shape == FIRST.shape
    assert np.count_nonzero(each) == wanted.size
    assert slopes.ssim(size * FIRST, size * SECOND, **options) == pytest.approx(wanted.mean(), rel=1e-12)


def test_windows_are_those_of_other_libraries():
    first, second = (x[0, 0, :12, :12] for x in (FIRST, SECOND))
    assert slopes.ssim(first, second) == pytest.approx(1.3720050, abs=1e-7)  # pytorch_msssim 1.0.0, with a range of 1
    assert slopes.ssim(FIRST, SECOND) == pytest.approx(1.1047314, abs=1e-7)


def exact_moments(x, weights):
    """Mean and variance of one window, as fractions."""
    along = [Fraction(float(weight)) for weight in weights]
    both = [[a * b for b in along] for a in along]
    total = sum(map(sum, both))
    pairs = [
        (w / total, Fraction(float(v)))
        for row, values in zip(both, x, strict=True)
        for w, v in zip(row, values, strict=True)
    ]
    mean = sum(w * v for w, v in pairs)
    return mean, sum(w * (v - mean) ** 2 for w, v in pairs)


@pytest.mark.parametrize("brightness", [0.5, 1e4])
@pytest.mark.parametrize("contrast", [1e-3, 1e-6])
def test_nearly_even_images_keep_their_digits(brightness, contrast):
    """Means of squares would have lost all digits of such a variance."""
    x, y = brightness + contrast * RNG.random((2, 11, 11))
    weights = normal(11, 1.5)
    (apart, distinct), (together, alike) = (exact_moments(z, weights) for z in (x - y, x + y))
    c1, c2 = 2 * Fraction(0.01) ** 2, 2 * Fraction(0.03) ** 2
    apart, together = apart**2, together**2 + c1
    wanted = 2 * (apart * (alike + c2) + together * distinct)
    wanted /= (apart + together) * (distinct + alike + c2)
    value = slopes.ssim(x, y)
    assert value == pytest.approx(float(wanted), rel=2e-15)
    assert np.sign(slopes.ssim.slope(x, y)).any()


def test_gradients_are_those_of_differences():
    x, y = FIRST[0, 0, :8, :9], SECOND[0, 0, :8, :9]
    slope = slopes.ssim.slope(x, y, window=5)
    for at in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[at] = 1e-6
        rise = (slopes.ssim(x + step, y, window=5) - slopes.ssim(x - step, y, window=5)) / 2e-6
        assert slope[at] == pytest.approx(rise, rel=1e-6, abs=1e-9)


def test_windows_with_a_masked_pixel_do_not_count():
    mask = np.ones(FIRST.shape, bool)
    mask[0, 0, 3, 4] = False
    known = np.where(mask, FIRST, np.nan)
    each = slopes.ssim(known, SECOND, mask=mask, reduction="none", window=3)
    whole = slopes.ssim(FIRST, SECOND, reduction="none", window=3)
    around = np.zeros(FIRST.shape, bool)
    around[0, 0, 2:5, 3:6] = True
    assert not each[around].any()
    np.testing.assert_array_equal(each[~around], whole[~around])
    loss, slope = slopes.ssim.value_and_slope(known, SECOND, mask=mask, window=3)
    assert loss == pytest.approx(whole[(whole != 0) & ~around].mean(), rel=1e-14)
    assert np.isfinite(slope).all()
    assert slope[0, 0, 3, 4] == 0
    weight = np.where(mask, 2.0, 0.0)
    assert slopes.ssim(known, SECOND, weight=weight, window=3) == pytest.approx(loss, rel=1e-14)
    assert slopes.ssim(FIRST, SECOND, mask=mask & False) == 0


def test_bounds():
    assert slopes.ssim(FIRST, FIRST) == 0
    assert not slopes.ssim.slope(FIRST, FIRST).any()
    assert 1.9 < slopes.ssim(FIRST, 1 - FIRST, window=3) < 2
    assert slopes.ssim(FIRST[:0], SECOND[:0]) == 0


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((FIRST, SECOND), {"window": 4}, "window must be an odd number of pixels, at least 1, got 4"),
        ((FIRST, SECOND), {"window": 17}, r"each at least as long as the window of 17; got shape \(2, 3, 16, 18\)"),
        ((FIRST[0, 0, 0], SECOND[0, 0, 0]), {}, r"height and width on the last two axes, .* got shape \(18,\)"),
        ((FIRST, SECOND), {"sigma": 0.0}, "sigma must be None or > 0, got 0.0"),
        ((FIRST, SECOND), {"sigma": np.ones(3)}, "sigma must be None or > 0, got"),
        ((FIRST, SECOND[..., 1:]), {}, "must have one shape"),
        ((FIRST, SECOND), {"mask": np.ones((16, 18), bool)}, "must have the shape of the unreduced loss"),
        ((FIRST, SECOND), {"data_range": 0.0}, "data_range must be > 0, got 0.0"),
        ((FIRST, SECOND), {"data_range": np.ones(3)}, r"data_range \(3,\) does not .*; its shape may be \(3, 1, 1\)"),
    ],
)
def test_refusals(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        slopes.ssim(*arguments, **options)


def test_a_module_binds_the_window():
    torch = pytest.importorskip("torch")
    module = slopes.nn.module(slopes.ssim, window=3, sigma=None)
    first, second = map(torch.tensor, (FIRST, SECOND))
    assert float(module(first, second)) == pytest.approx(slopes.ssim(FIRST, SECOND, window=3, sigma=None), rel=1e-14)


def test_similarity_adds_up_with_errors_of_pixels():
    both = 0.85 * slopes.ssim + 0.15 * slopes.mae
    wanted = 0.85 * slopes.ssim(FIRST, SECOND) + 0.15 * slopes.mae(FIRST, SECOND)
    assert both(FIRST, SECOND) == pytest.approx(wanted, rel=1e-14)
    slope = 0.85 * slopes.ssim.slope(FIRST, SECOND) + 0.15 * slopes.mae.slope(FIRST, SECOND)
    np.testing.assert_allclose(both.slope(FIRST, SECOND), slope, rtol=1e-13, atol=1e-18)


def test_a_sum_takes_masks_and_weights_of_pixels():
    both, weight = slopes.ssim + slopes.mse, RNG.random(FIRST.shape)
    for given in ({"mask": weight > 0.01}, {"weight": weight}, {"mask": weight > 0.01, "reduction": "sum"}):
        wanted = slopes.ssim(FIRST, SECOND, window=3, **given) + slopes.mse(FIRST, SECOND, **given)
        assert both(FIRST, SECOND, window=3, **given) == pytest.approx(wanted, rel=1e-14)
    with pytest.raises(ValueError, match="its terms count different things; terms=True gives"):
        both(FIRST, SECOND, reduction="none")


def test_a_window_of_any_width():
    narrow = [slopes.ssim(FIRST, SECOND, window=3, sigma=sigma) for sigma in (1e-2, 1e-200, 5e-324)]
    assert narrow == [pytest.approx(slopes.ssim(FIRST[..., 1:-1, 1:-1], SECOND[..., 1:-1, 1:-1], window=1))] * 3
    call = inspect.signature(slopes.ssim).parameters
    assert [call[name].annotation for name in ("window", "sigma")] == [int, float | None]


def test_a_pixel_of_weight_0_is_not_there_whatever_wants_a_gradient():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    first, second = (torch.from_numpy(rng.uniform(size=(2, 16, 16))) for _ in range(2))
    weight = torch.ones_like(first)
    weight[0, 8, 8], first[0, 8, 8] = 0, torch.nan
    learnt = weight.clone().requires_grad_()
    due = slopes.ssim(first, second, weight=weight)
    value = slopes.ssim(first, second, weight=learnt)
    assert torch.isfinite(due)
    assert value.item() == due.item()
    value.backward()
    assert torch.isfinite(learnt.grad).all()


# ------------------------------------------------------------------------------------ total variation


def test_total_variation_adds_the_sizes_of_differences():
    down, right = (np.diff(FIRST, axis=axis) for axis in (-2, -1))
    assert slopes.total_variation(FIRST, reduction="sum") == pytest.approx(
        abs(down).sum() + abs(right).sum(), rel=1e-14
    )
    assert slopes.total_variation(FIRST) == pytest.approx((abs(down).sum() + abs(right).sum()) / FIRST.size, rel=1e-14)
    down, right = np.pad(down, [(0, 0)] * 2 + [(0, 1), (0, 0)]), np.pad(right, [(0, 0)] * 3 + [(0, 1)])
    for p in (1.0, 1.5, 2.0, 3.0):
        wanted = (abs(down) ** p + abs(right) ** p) ** (1 / p)
        np.testing.assert_allclose(slopes.total_variation(FIRST, p=p, reduction="none"), wanted, rtol=1e-14)


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0])
def test_the_slope_of_total_variation_is_its_derivative(p):
    x = FIRST[0, 0, :4, :5]
    slope = slopes.total_variation.slope(x, p=p, reduction="sum")
    for place in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[place] = 1e-6
        both = [slopes.total_variation(x + sign * step, p=p, reduction="sum") for sign in (1, -1)]
        assert slope[place] == pytest.approx((both[0] - both[1]) / 2e-6, abs=1e-8)
    torch = pytest.importorskip("torch")
    tensor = torch.tensor(x, requires_grad=True)
    slopes.total_variation(tensor, p=p, reduction="sum").backward()
    np.testing.assert_allclose(tensor.grad, slope, rtol=1e-14, atol=1e-16)


def test_a_pixel_that_does_not_count_has_no_neighbours():
    mask = RNG.random(FIRST.shape) < 0.7
    known = np.where(mask, FIRST, np.nan)
    for p in (1.0, 2.0):
        loss, slope = slopes.total_variation.value_and_slope(known, mask=mask, p=p)
        weighted = slopes.total_variation(known, weight=1.0 * mask, p=p)
        pairs = [np.moveaxis(mask, axis, 0) for axis in (-2, -1)]
        assert weighted == pytest.approx(loss, rel=1e-14)
        assert np.isfinite(slope).all()
        assert not slope[~mask].any()
        if p == 1:
            steps = [np.diff(np.moveaxis(FIRST, axis, 0), axis=0) for axis in (-2, -1)]
            kept = sum(abs(step[m[1:] & m[:-1]]).sum() for step, m in zip(steps, pairs, strict=True))
            assert loss == pytest.approx(kept / mask.sum(), rel=1e-14)


def test_a_flat_image_has_neither_variation_nor_slope():
    flat = np.full((3, 4), 7.0)
    for p in (1.0, 1.5, 2.0):
        value, slope = slopes.total_variation.value_and_slope(flat, p=p)
        assert value == 0
        assert not slope.any()
    for empty in (np.zeros((0, 3)), np.zeros((3, 0)), np.zeros((0, 2, 3, 3))):
        assert slopes.total_variation(empty) == 0
        assert slopes.total_variation.slope(empty).shape == empty.shape
    assert slopes.total_variation(np.ones((1, 1))) == 0


def test_total_variation_is_convex():
    for p in (1.0, 1.5, 2.0):
        ends = slopes.total_variation(FIRST, p=p), slopes.total_variation(SECOND, p=p)
        assert slopes.total_variation((FIRST + SECOND) / 2, p=p) < sum(ends) / 2


def test_total_variation_smooths_beside_an_error():
    noisy = np.repeat([0.0, 1.0], 8)[None] + 0.2 * RNG.standard_normal((16, 16))
    image = noisy.copy()
    for _ in range(300):
        image -= 8.0 * (slopes.mse.slope(image, noisy) + 0.3 * slopes.total_variation.slope(image, p=2.0))
    clean = np.repeat([0.0, 1.0], 8)[None]
    assert slopes.mse(image, clean + 0 * image) < 0.3 * slopes.mse(noisy, clean + 0 * image)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: slopes.total_variation(np.zeros(3)),
            ValueError,
            r"takes images with height and width .* shape \(3,\)",
        ),
        (lambda: slopes.total_variation(FIRST, p=0.5), ValueError, "p must be >= 1"),
        (lambda: slopes.total_variation(FIRST, SECOND), TypeError, "takes prediction and then keywords; got 2"),
        (lambda: slopes.total_variation(FIRST, mask=FIRST[0] > 0), ValueError, "mask .* the unreduced loss"),
        (lambda: slopes.total_variation(FIRST, mask=FIRST), TypeError, "mask must be boolean"),
    ],
)
def test_refusals_of_total_variation(call, error, message):
    with pytest.raises(error, match=f"^total_variation: {message}"):
        call()
