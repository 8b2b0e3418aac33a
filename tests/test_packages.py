"""The audit raises no false error on correct losses of packages; `make test-packages` installs these.

An error is allowed only where it is listed, with why it is true; and an error that is listed must be found.
"""

import contextlib
import functools
import importlib
import io
import signal
import sys
import types
import warnings

import pytest

torch = pytest.importorskip("torch")

from slopes.auditing.examination import examine  # noqa: E402

pytestmark = pytest.mark.packages
SECONDS = 180  #: for each subject, on a busy machine

BINARY, OVERLAP = {"kind": "binary", "space": "logits"}, {"kind": "overlap", "space": "logits", "batch_level": True}
CLASSES = {"kind": "classification", "space": "logits"}
VIEWS = {"kind": "vectors", "batch_level": True}
NUMBERS = {"kind": "regression"}
#: arguments of the constructor (None for a function), and declarations
LOSSES = {
    "segmentation_models_pytorch.losses.DiceLoss": ({"mode": "binary"}, OVERLAP),
    "segmentation_models_pytorch.losses.JaccardLoss": ({"mode": "binary"}, OVERLAP),
    "segmentation_models_pytorch.losses.TverskyLoss": ({"mode": "binary"}, OVERLAP),
    "segmentation_models_pytorch.losses.FocalLoss": ({"mode": "binary"}, BINARY),
    "segmentation_models_pytorch.losses.LovaszLoss": ({"mode": "binary"}, OVERLAP),
    "segmentation_models_pytorch.losses.SoftBCEWithLogitsLoss": ({"ignore_index": None}, BINARY),
    "timm.loss.LabelSmoothingCrossEntropy": ({}, CLASSES),
    "timm.loss.SoftTargetCrossEntropy": ({}, CLASSES),
    "timm.loss.BinaryCrossEntropy": ({"smoothing": 0.0}, BINARY),
    "timm.loss.AsymmetricLossSingleLabel": ({}, CLASSES),
    "fvcore.nn.sigmoid_focal_loss": (None, BINARY),
    "fvcore.nn.giou_loss": (None, {"kind": "boxes"}),
    "fvcore.nn.smooth_l1_loss": ({"beta": 1.0}, NUMBERS),
    "auraloss.time.LogCoshLoss": ({}, {}),
    "auraloss.time.ESRLoss": ({}, {}),
    "auraloss.time.SISDRLoss": ({}, {}),
    "piq.SSIMLoss": ({"kernel_size": 5, "data_range": 1.0}, {}),
    "piq.TVLoss": ({}, {}),
    "pytorch_optimizer.loss.BCEFocalLoss": ({}, BINARY),
    "pytorch_optimizer.loss.FocalLoss": ({}, BINARY),
    "pytorch_optimizer.loss.SoftF1Loss": ({}, {"kind": "binary", "space": "probabilities", "batch_level": True}),
    "pytorch_optimizer.loss.LovaszHingeLoss": ({}, OVERLAP),
    "lightly.loss.NTXentLoss": ({}, VIEWS),
    "lightly.loss.BarlowTwinsLoss": ({}, VIEWS),
    "lightly.loss.VICRegLoss": ({}, VIEWS),
    "pytorch_toolbelt.losses.BinaryFocalLoss": ({}, BINARY),
    "pytorch_toolbelt.losses.DiceLoss": ({"mode": "binary"}, OVERLAP),
    "pytorch_toolbelt.losses.JaccardLoss": ({"mode": "binary"}, OVERLAP),
    "pytorch_toolbelt.losses.LogCoshLoss": ({}, NUMBERS),
    "pytorch_toolbelt.losses.WingLoss": ({}, NUMBERS),
    "focal_loss.focal_loss.FocalLoss": ({"gamma": 2.0}, {"kind": "classification", "space": "probabilities"}),
    "pytorch_msssim.SSIM": ({"win_size": 5, "data_range": 1.0}, {}),
    "coral_pytorch.losses.coral_loss": (None, {"kind": "multilabel"}),
    "torchmetrics.functional.mean_squared_error": (None, NUMBERS),
    "torchmetrics.functional.mean_squared_log_error": (None, NUMBERS),
    "torchvision.ops.sigmoid_focal_loss": (None, BINARY),
    "torchvision.ops.generalized_box_iou_loss": (None, {"kind": "boxes"}),
    "torchvision.ops.distance_box_iou_loss": (None, {"kind": "boxes"}),
    "torchvision.ops.complete_box_iou_loss": (None, {"kind": "boxes"}),
}
BROADCAST = "predictions (N, 1) and targets (N,) silently give N × N differences"
TRULY_WRONG: dict[str, dict[str, str]] = {
    "timm.loss.AsymmetricLossSingleLabel": {"reduction": "its reduction has no effect"},
    "fvcore.nn.smooth_l1_loss": {"shape_contract": BROADCAST},
    "pytorch_optimizer.loss.SoftF1Loss": {"shape_contract": BROADCAST},
    "auraloss.time.ESRLoss": {"shape_contract": BROADCAST},
    "auraloss.time.LogCoshLoss": {
        "shape_contract": BROADCAST,
        "extreme_inputs": "cosh overflows from a difference of 89 on in float32, so the loss is infinite",
    },
    "piq.SSIMLoss": {"reduction": "the sum is 1 − Σ s, and not Σ (1 − s)"},
    "piq.TVLoss": {"zeros_and_edges": "the square root has a NaN gradient where an image is constant"},
    "pytorch_toolbelt.losses.LogCoshLoss": {"shape_contract": BROADCAST},
    "pytorch_toolbelt.losses.WingLoss": {"shape_contract": BROADCAST},
    "pytorch_msssim.SSIM": {"device_and_dtype": "its window is no buffer: it is copied to the device at every call"},
    "focal_loss.focal_loss.FocalLoss": {"degenerate_batch": "NaN gradients where every pixel is ignored"},
    "torchvision.ops.complete_box_iou_loss": {"zeros_and_edges": "NaN for a box without width and height"},
}


def import_torchvision():
    """Import torchvision, without its operators where it was built for another PyTorch: no loss here needs them."""
    try:
        importlib.import_module("torchvision")
    except RuntimeError:
        for name in ("torchvision._meta_registrations", "torchvision._autograd_registrations"):
            sys.modules[name] = types.ModuleType(name)


def loss_named(name):
    home, _, title = name.rpartition(".")
    arguments = LOSSES[name][0]
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        with contextlib.suppress(ImportError):
            import_torchvision()
        thing = getattr(pytest.importorskip(home), title)
        if arguments is None:
            return thing
        return thing(**arguments) if isinstance(thing, type) else functools.partial(thing, **arguments)


@pytest.fixture(autouse=True)
def limited_in_time(limited):
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)


@pytest.mark.parametrize("name", LOSSES)
def test_no_error_on_a_correct_loss(name):
    report = examine(loss_named(name), LOSSES[name][1])
    errors = {finding.check for finding in report.findings if finding.severity == "error"}
    assert errors == TRULY_WRONG.get(name, {}).keys(), str(report)


def test_ten_packages_are_tried():
    assert len({name.partition(".")[0] for name in LOSSES}) >= 10
    assert TRULY_WRONG.keys() <= LOSSES.keys()
