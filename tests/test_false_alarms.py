"""The audit raises no false alarm: on torch.nn at its defaults, on the catalogue, on well-kept packages.

An error is allowed only where it is listed, with why it is true; and what is listed must be found, so that the list
stays true when a library mends its own.
"""

import functools

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from slopes.checks.behaviour import CHECKS  # noqa: E402
from slopes.checks.discovery import subject_of  # noqa: E402
from slopes.checks.examination import examine  # noqa: E402
from slopes.checks.report import run  # noqa: E402
from slopes.checks.subject import undisturbed  # noqa: E402

NEEDS = {"Threshold": (0.1, 20.0)}
#: no element- or row-wise function of one or two tensors
OTHERS = {"MultiheadAttention", "AdaptiveLogSoftmaxWithLoss", "LinearCrossEntropyLoss", "CTCLoss", "NLLLoss2d"}
TORCH = {
    name: functools.partial(getattr(nn, name), *NEEDS.get(name, ()))
    for name in [*nn.modules.loss.__all__, *nn.modules.activation.__all__]
    if name not in OTHERS
}

#: what is truly wrong there: the check that says so, and the thread or measurement behind it
TRULY_WRONG: dict[str, dict[str, str]] = {}


def errors(report):
    return {finding.check for finding in report.findings if finding.severity == "error"}


@pytest.mark.parametrize("name", TORCH)
def test_torch_at_its_defaults(name):
    report = examine(TORCH[name](), {})
    assert errors(report) == set(TRULY_WRONG.get(name, ())), str(report)


def test_the_catalogue_passes_the_checks_of_behaviour(card):
    with undisturbed():
        subject, _ = subject_of(card)
        report = run(subject, CHECKS)
    assert report.ok, str(report)


def package_losses():
    """Correct losses and activations of other packages, with what must be declared of them."""
    entmax = pytest.importorskip("entmax")
    kornia = pytest.importorskip("kornia.losses")
    monai = pytest.importorskip("monai.losses")
    metric = pytest.importorskip("pytorch_metric_learning.losses")
    overlap = {"batch_level": True}
    return {
        "entmax.SparsemaxLoss": (entmax.SparsemaxLoss(), {}),
        "entmax.Entmax15Loss": (entmax.Entmax15Loss(), {}),
        "entmax.Sparsemax": (entmax.Sparsemax(dim=-1), {}),
        "entmax.Entmax15": (entmax.Entmax15(dim=-1), {}),
        "kornia.FocalLoss": (kornia.FocalLoss(alpha=None, reduction="mean"), {}),
        "kornia.BinaryFocalLossWithLogits": (kornia.BinaryFocalLossWithLogits(alpha=None, reduction="mean"), {}),
        "kornia.DiceLoss": (kornia.DiceLoss(), overlap),
        "kornia.TverskyLoss": (kornia.TverskyLoss(alpha=0.5, beta=0.5), overlap),
        "kornia.LovaszSoftmaxLoss": (kornia.LovaszSoftmaxLoss(), overlap),
        "kornia.CharbonnierLoss": (kornia.CharbonnierLoss(reduction="mean"), {}),
        "kornia.CauchyLoss": (kornia.CauchyLoss(reduction="mean"), {"bounded": True}),
        "kornia.GemanMcclureLoss": (kornia.GemanMcclureLoss(reduction="mean"), {"bounded": True}),
        "kornia.WelschLoss": (kornia.WelschLoss(reduction="mean"), {"bounded": True}),
        "monai.DiceLoss": (monai.DiceLoss(sigmoid=True), overlap),
        "monai.TverskyLoss": (monai.TverskyLoss(sigmoid=True), overlap),
        "monai.GeneralizedDiceLoss": (monai.GeneralizedDiceLoss(sigmoid=True), overlap),
        "monai.DiceCELoss": (monai.DiceCELoss(sigmoid=True), overlap),
        "monai.FocalLoss": (monai.FocalLoss(), {}),
        "metric_learning.ContrastiveLoss": (metric.ContrastiveLoss(), {}),
        "metric_learning.TripletMarginLoss": (metric.TripletMarginLoss(), {}),
        "metric_learning.NTXentLoss": (metric.NTXentLoss(), {}),
        "metric_learning.SupConLoss": (metric.SupConLoss(), {}),
    }


PACKAGES = [
    *("entmax.SparsemaxLoss", "entmax.Entmax15Loss", "entmax.Sparsemax", "entmax.Entmax15"),
    *("kornia.FocalLoss", "kornia.BinaryFocalLossWithLogits", "kornia.DiceLoss", "kornia.TverskyLoss"),
    *("kornia.LovaszSoftmaxLoss", "kornia.CharbonnierLoss", "kornia.CauchyLoss", "kornia.GemanMcclureLoss"),
    *("kornia.WelschLoss", "monai.DiceLoss", "monai.TverskyLoss", "monai.GeneralizedDiceLoss", "monai.DiceCELoss"),
    *("monai.FocalLoss", "metric_learning.ContrastiveLoss", "metric_learning.TripletMarginLoss"),
    *("metric_learning.NTXentLoss", "metric_learning.SupConLoss"),
]


@pytest.mark.parametrize("name", PACKAGES)
def test_losses_of_packages(name):
    thing, declared = package_losses()[name]
    report = examine(thing, declared)
    assert errors(report) == set(TRULY_WRONG.get(name, ())), str(report)
