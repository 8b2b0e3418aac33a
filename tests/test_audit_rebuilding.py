"""Objects are made again by their own constructors; what can only be set afterwards is asked about, not blamed."""

import functools

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

import slopes
from slopes.auditing.rebuilding import SET_AFTERWARDS, constructor_arguments, rebuilt


def power_loss(prediction, target, *, power, reduction):
    if prediction.shape != target.shape:
        raise ValueError("prediction and target must have one shape")
    loss = (prediction - target).abs() ** power
    return loss if reduction == "none" else getattr(loss, reduction)()


class OfPartial(torch.nn.Module):
    """Keep the options in a partial function, so that an attribute set later changes nothing."""

    def __init__(self, power=2.0, reduction="mean"):
        super().__init__()
        self.reduction = reduction
        self.compute = functools.partial(power_loss, power=power, reduction=reduction)

    def forward(self, prediction, target):
        return self.compute(prediction, target)


class OfClosure(OfPartial):
    """Keep the options where only code sees them."""

    def __init__(self, power=2.0, reduction="mean"):
        super().__init__(power, reduction)
        self.compute = lambda prediction, target: power_loss(prediction, target, power=power, reduction=reduction)


class OfPart(torch.nn.Module):
    """Hand the options to a module inside."""

    def __init__(self, power=2.0, reduction="mean"):
        super().__init__()
        self.part = OfPartial(power, reduction)

    def forward(self, prediction, target):
        return self.part(prediction, target)


@pytest.mark.parametrize("kind", [OfPartial, OfPart])
def test_options_are_found_inside_an_object(kind):
    loss = kind(power=3.0)
    assert constructor_arguments(loss) == {"power": 3.0, "reduction": "mean"}
    given = torch.tensor([1.0, 2.0]), torch.tensor([0.0, 0.0])
    assert rebuilt(loss, reduction="sum")(*given) == 9.0


def test_an_object_whose_options_cannot_be_found_is_not_made_again():
    assert constructor_arguments(OfClosure(power=3.0)) is None
    assert constructor_arguments(OfClosure()) == {"power": 2.0, "reduction": "mean"}


class OfKeywords(torch.nn.MSELoss):
    def __init__(self, **options):
        super().__init__(**options)


def test_a_constructor_in_c_is_not_called():
    """That of NumPy's functions kills the process."""
    assert constructor_arguments(np.all) is None


def test_keywords_are_handed_on():
    assert rebuilt(OfKeywords(), reduction="sum").reduction == "sum"


@pytest.mark.parametrize("kind", [OfPartial, OfClosure])
def test_reductions_of_a_correct_loss_are_those_of_its_constructor(kind):
    report = slopes.audit(kind(power=2.0), kind="regression", quick=True)
    assert "reduction" in report.ran
    assert not report.findings, str(report)


class Huber(torch.nn.Module):
    """Compute a constant from `delta` at once, so that another delta set later does not belong to it."""

    def __init__(self, scale, delta=1.0):
        super().__init__()
        self.delta, self.offset = delta, delta**2 / 2
        self.factors = [scale]

    def forward(self, prediction, target):
        if prediction.shape != target.shape:
            raise ValueError("prediction and target must have one shape")
        error = (prediction - target).abs()
        loss = torch.where(error < self.delta, error**2 / 2, self.delta * error - self.offset)
        return self.factors[0] * loss.mean()


class ScaledHuber(Huber):
    def __init__(self, scale, delta=1.0):
        super().__init__(scale, delta)
        self.scale = scale


def test_what_is_set_on_a_finished_object_is_asked_about():
    report = slopes.audit(Huber(3.0), kind="regression", quick=True)
    told = {finding.check: finding for finding in report.findings}
    assert told["known_limits"].severity == "note", str(report)
    assert SET_AFTERWARDS in told["known_limits"].message
    report = slopes.audit(ScaledHuber(3.0), kind="regression", quick=True)
    assert not report.findings, str(report)
