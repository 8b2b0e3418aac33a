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
