"""Losses of several predictions of one number: the formulas of other libraries, levels, ties, and what is refused."""

import numpy as np
import pytest

import slopes

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)
ROWS, TARGET = 2 * RNG.standard_normal((6, 3)), RNG.standard_normal(6)
LEVELS = (0.1, 0.5, 0.9)


def pinballs(rows, target, levels):
    """The term that PyTorch Forecasting doubles and Darts sums."""
    errors = target[:, None] - rows
    return torch.maximum((levels - 1) * errors, levels * errors)


@pytest.mark.parametrize("axis", [1, 0])
@pytest.mark.parametrize("quantiles", [LEVELS, list(LEVELS), np.array(LEVELS), torch.tensor(LEVELS).double()])
def test_values_and_gradients_are_the_mean_of_the_terms_of_other_libraries(quantiles, axis):
    levels = torch.as_tensor(quantiles, dtype=torch.float64)
    target, x = torch.from_numpy(TARGET), torch.from_numpy(ROWS).requires_grad_()
    doubled, summed = 2 * pinballs(x, target, levels), pinballs(x, target, levels).sum(-1)
    value = slopes.multi_quantile(x.movedim(1, axis), target, axis=axis, quantiles=quantiles)
    torch.testing.assert_close(value, doubled.mean() / 2, rtol=1e-13, atol=0)
    torch.testing.assert_close(value, summed.mean() / 3, rtol=1e-13, atol=0)
    (gradient,) = torch.autograd.grad(summed.mean() / 3, x)
    torch.testing.assert_close(torch.autograd.grad(value, x)[0], gradient, rtol=1e-13, atol=0)
    if not isinstance(quantiles, torch.Tensor):
        rows = np.moveaxis(ROWS, 1, axis)
        came, slope = slopes.multi_quantile.value_and_slope(rows, TARGET, axis=axis, quantiles=quantiles)
        assert came == pytest.approx(float(value.detach()), rel=1e-14)
        np.testing.assert_allclose(np.moveaxis(slope, axis, 1), gradient, rtol=1e-13)


def test_it_is_the_mean_of_pinball():
    each = [slopes.pinball(ROWS[:, k], TARGET, quantile=q, reduction="none") for k, q in enumerate(LEVELS)]
    came = slopes.multi_quantile(ROWS, TARGET, quantiles=LEVELS, reduction="none")
    np.testing.assert_allclose(came, np.mean(each, axis=0), rtol=1e-14)
    middles = [slopes.pinball(ROWS[:, k], TARGET, quantile=(k + 0.5) / 3) for k in range(3)]
    assert slopes.multi_quantile(ROWS, TARGET) == pytest.approx(np.mean(middles), rel=1e-14)
    assert slopes.multi_quantile(ROWS[:, :1], TARGET) == pytest.approx(slopes.mae(ROWS[:, 0], TARGET) / 2, rel=1e-14)
    one = [slopes.pinball(ROWS[:, k], TARGET, quantile=0.7) for k in range(3)]
    assert slopes.multi_quantile(ROWS, TARGET, quantiles=0.7) == pytest.approx(np.mean(one), rel=1e-14)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_both_levels_are_rounded_once(dtype):
    """In float32 1 − 0.999 would have lost ten of its bits."""
    levels = (0.001, 0.5, 0.999)
    for sign in (1.0, -1.0):
        slope = slopes.multi_quantile.slope(
            torch.full((1, 3), sign, dtype=dtype), torch.zeros(1, dtype=dtype), quantiles=levels, reduction="sum"
        )
        exact = torch.tensor([[sign * (1 - q if sign > 0 else q) / 3 for q in levels]], dtype=torch.float64)
        assert slope.dtype == dtype
        assert ((slope.double() - exact).abs() <= 1.5 * torch.finfo(dtype).eps * exact.abs()).all()


def test_levels_may_be_learned_and_bound():
    levels = torch.tensor(LEVELS, dtype=torch.float64, requires_grad=True)
    x, target = torch.from_numpy(ROWS), torch.from_numpy(TARGET)
    (came,) = torch.autograd.grad(slopes.multi_quantile(x, target, quantiles=levels), levels)
    torch.testing.assert_close(came, (target[:, None] - x).mean(0) / 3)
    bound = slopes.multi_quantile.with_(quantiles=np.array(LEVELS))
    assert repr(bound) == "slopes.multi_quantile.with_(quantiles=(0.1, 0.5, 0.9))"
    assert bound(ROWS, TARGET) == slopes.multi_quantile(ROWS, TARGET, quantiles=LEVELS)
    total = 2 * bound + slopes.multi_quantile
    wanted = 2 * bound(ROWS, TARGET) + slopes.multi_quantile(ROWS, TARGET)
    assert total(ROWS, TARGET) == pytest.approx(wanted, rel=1e-14)
    module = slopes.nn.MultiQuantileLoss(quantiles=LEVELS)
    assert module(x, target) == bound(x, target)
    assert "q" in str(bound.formula)


@pytest.mark.parametrize(
    ("quantiles", "message"),
    [
        ((0.1, 0.9), r"multi_quantile: quantiles \(2,\) must be \(3,\), one for each prediction of a row"),
        (np.full(4, 0.5), r"multi_quantile: quantiles \(4,\) must be \(3,\), one for each prediction of a row"),
        ((0.1, 0.5, 1.0), r"one for each entry of a row, got 1\.0 in \(0\.1, 0\.5, 1\.0\)"),
        ((0.1, "0.5", 0.9), r"got '0\.5' in"),
        ((), r"got \(\)"),
        (np.full((6, 3), 0.5), r"got an array of shape \(6, 3\)"),
        (0.0, r"must be None, a number > 0 and < 1, or one for each entry of a row, got 0\.0"),
    ],
)
def test_levels_that_are_refused(quantiles, message):
    with pytest.raises(ValueError, match=message):
        slopes.multi_quantile(ROWS, TARGET, quantiles=quantiles)
    with pytest.raises(ValueError, match=message):
        slopes.multi_quantile(torch.from_numpy(ROWS), torch.from_numpy(TARGET), quantiles=quantiles)


def test_tensors_of_levels_have_the_length_of_a_row():
    with pytest.raises(ValueError, match=r"quantiles \(2,\) must be \(3,\)"):
        slopes.multi_quantile(torch.from_numpy(ROWS), torch.from_numpy(TARGET), quantiles=torch.tensor([0.1, 0.9]))
    with pytest.raises(TypeError, match="quantiles must be a number or a NumPy array here"):
        slopes.multi_quantile(ROWS, TARGET, quantiles=torch.tensor(LEVELS))


def test_a_target_has_one_number_for_each_row():
    for target in (TARGET[:, None], TARGET[:3], ROWS, TARGET[0]):
        with pytest.raises(ValueError, match=r"multi_quantile: target .* must be \(6,\), one for each row"):
            slopes.multi_quantile(ROWS, target)
    assert "target         a real number for each row" in slopes.multi_quantile.__doc__.replace(
        "target  ", "target     "
    )


def test_where_it_does_not_fit_it_is_refused():
    with pytest.raises(TypeError, match="row by row"):
        slopes.boosting.xgboost(slopes.multi_quantile)
    with pytest.raises((TypeError, ValueError), match="multi_quantile"):
        slopes.scorer(slopes.multi_quantile)


def energy_form(members, target, fair=False):
    """scoringrules' "nrg" and "fair", and properscoring's reference."""
    count = members.shape[-1]
    apart = abs(members[..., :, None] - members[..., None, :]).sum((-1, -2))
    return abs(members - target[..., None]).mean(-1) - apart / (2 * count * (count - fair))


def weighted_moments(members, target):
    """scoringrules' "pwm", which is fair."""
    count, members = members.shape[-1], np.sort(members, -1)
    first = (members * np.arange(count)).sum(-1) / (count * (count - 1))
    return abs(members - target[..., None]).mean(-1) + members.mean(-1) - 2 * first


def integral(members, target):
    """Of the squared difference of both distribution functions, as properscoring computes it."""
    ends = np.sort(np.concatenate([members, target[..., None]], -1), -1)
    share = (members[..., None, :] <= ends[..., :-1, None]).mean(-1)
    return (np.diff(ends, axis=-1) * (share - (target[..., None] <= ends[..., :-1])) ** 2).sum(-1)


ENSEMBLES = np.concatenate([2 * RNG.standard_normal((6, 7)), RNG.integers(-2, 3, (6, 7))])  # the others have ties
TRUTHS = np.concatenate([RNG.standard_normal(6), RNG.integers(-2, 3, 6)])


def test_the_score_is_that_of_other_libraries():
    came = slopes.crps_ensemble(ENSEMBLES, TRUTHS, reduction="none")
    for form in (energy_form, integral):
        np.testing.assert_allclose(came, form(ENSEMBLES, TRUTHS), rtol=1e-13, atol=1e-15)
    fair = slopes.crps_ensemble(ENSEMBLES, TRUTHS, fair=True, reduction="none")
    for found in (energy_form(ENSEMBLES, TRUTHS, fair=True), weighted_moments(ENSEMBLES, TRUTHS)):
        np.testing.assert_allclose(fair, found, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(
        slopes.crps_ensemble(np.moveaxis(ENSEMBLES, 1, 0), TRUTHS, axis=0, reduction="none"), came, rtol=1e-15
    )


def test_it_is_twice_the_quantile_loss_of_sorted_members():
    came = slopes.crps_ensemble(ENSEMBLES, TRUTHS)
    assert came == pytest.approx(2 * slopes.multi_quantile(np.sort(ENSEMBLES, -1), TRUTHS), rel=1e-14)
    assert slopes.crps_ensemble(ENSEMBLES[:, :1], TRUTHS) == slopes.mae(ENSEMBLES[:, 0], TRUTHS)


@pytest.mark.parametrize("fair", [False, True])
def test_slopes_count_members_on_both_sides(fair):
    signs = np.sign(ENSEMBLES[:, :, None] - ENSEMBLES[:, None, :]).sum(-1)
    beside = np.sign(ENSEMBLES - TRUTHS[:, None])
    wanted = np.where(beside == 0, 0, (beside - signs / (7 - fair)) / 7)
    slope = slopes.crps_ensemble.slope(ENSEMBLES, TRUTHS, fair=fair, reduction="sum")
    np.testing.assert_allclose(slope, wanted, rtol=1e-13, atol=1e-16)
    order = RNG.permutation(7)
    moved = slopes.crps_ensemble.slope(ENSEMBLES[:, order], TRUTHS, fair=fair, reduction="sum")
    np.testing.assert_array_equal(moved, slope[:, order])
    x, target = torch.from_numpy(ENSEMBLES), torch.from_numpy(TRUTHS)
    leaves = x.clone().requires_grad_(), target.clone().requires_grad_()
    by_members, by_target = torch.autograd.grad(slopes.crps_ensemble(*leaves, fair=fair, reduction="sum"), leaves)
    np.testing.assert_array_equal(by_members, slope)
    torch.testing.assert_close(by_target, -by_members.sum(-1), rtol=1e-12, atol=1e-15)
    tangent = torch.from_numpy(RNG.standard_normal(ENSEMBLES.shape))
    _, forward = torch.func.jvp(lambda x: slopes.crps_ensemble(x, target, fair=fair, reduction="sum"), (x,), (tangent,))
    torch.testing.assert_close(forward, (tangent * by_members).sum(), rtol=1e-12, atol=1e-15)


def test_no_digits_cancel():
    """The textbook form subtracts two means of distances, here of 1e17."""
    members = np.array([[-1e17, 1.0, 1e17]])
    assert slopes.crps_ensemble(members, np.zeros(1), fair=True) == pytest.approx(1 / 3, rel=1e-15)
    assert energy_form(members, np.zeros(1), fair=True) != pytest.approx(1 / 3, rel=0.1)
    near, target = np.array([[1e8 + 1, 1e8 - 3, 1e8 + 2]], np.float32), np.full(1, 1e8, np.float32)
    wanted = energy_form(near.astype(float) - 1e8, np.zeros(1))
    for dtype in (np.float32, np.float64):
        came = slopes.crps_ensemble(near.astype(dtype), target.astype(dtype), reduction="none")
        np.testing.assert_allclose(came, wanted, rtol=2 * np.finfo(dtype).eps)
    most = np.finfo(np.float64).max
    assert slopes.crps_ensemble([[-most, most]], [0.0]) == most / 2
    assert slopes.crps_ensemble([[most, most]], [-most / 2]) == np.inf


def test_an_ensemble_of_one_is_not_fair():
    for rows, target in ((ENSEMBLES, TRUTHS), (torch.from_numpy(ENSEMBLES), torch.from_numpy(TRUTHS))):
        with pytest.raises(ValueError, match="crps_ensemble: with fair=True a row has two members or more, got one"):
            slopes.crps_ensemble(rows[:, :1], target, fair=True)


def test_large_ensembles_take_no_pairs():
    """Pairs of 20,000 members would take 3 GB."""
    members, target = RNG.standard_normal((1, 20_000)), np.zeros(1)
    normal = slopes.crps_gaussian(np.zeros(1), target, np.ones(1))
    assert slopes.crps_ensemble(members, target) == pytest.approx(normal, rel=0.05)
    assert slopes.crps_ensemble(torch.from_numpy(members), torch.from_numpy(target)) == pytest.approx(normal, rel=0.05)


def of_several_quantiles(y_pred, target):
    """As in tutorials."""
    losses = []
    for k, q in enumerate((0.1, 0.3, 0.5, 0.9)):
        errors = target - y_pred[:, k]
        losses.append(torch.max((q - 1) * errors, q * errors).unsqueeze(1))
    return torch.cat(losses, dim=1).sum(dim=1).mean()


def upside_down(y_pred, target):
    return -of_several_quantiles(y_pred, target)


def test_the_audit_finds_the_kind_of_such_losses():
    pytest.importorskip("mpmath")
    report = slopes.audit(of_several_quantiles)
    assert "forecasts loss of prediction (6, 4)" in report.facts[0], report
    assert not [finding for finding in report.findings if finding.severity == "error"], report
    report = slopes.audit(upside_down, kind="forecasts")
    assert [finding.check for finding in report.findings if finding.severity == "error"] == ["direction"], report
