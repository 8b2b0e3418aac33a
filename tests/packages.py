"""Losses of packages of tests/packages.txt, on which the audit is tried, and what is truly wrong with some."""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import sys
import types
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from slopes.auditing.evidence import is_lost

BINARY, OVERLAP = {"kind": "binary", "space": "logits"}, {"kind": "overlap", "space": "logits", "batch_level": True}
CLASSES = {"kind": "classification", "space": "logits"}
VIEWS = {"kind": "vectors", "batch_level": True}
NUMBERS = {"kind": "regression"}
#: arguments of the constructor (None for a function), and declarations
LOSSES: dict[str, tuple[dict[str, Any] | None, dict[str, Any]]] = {
    "segmentation_models_pytorch.losses.DiceLoss": ({"mode": "binary"}, OVERLAP),
    "segmentation_models_pytorch.losses.JaccardLoss": ({"mode": "binary"}, OVERLAP),
    "segmentation_models_pytorch.losses.TverskyLoss": ({"mode": "binary"}, OVERLAP),
    "segmentation_models_pytorch.losses.FocalLoss": ({"mode": "binary"}, BINARY),
    "segmentation_models_pytorch.losses.LovaszLoss": ({"mode": "binary"}, OVERLAP),
    "segmentation_models_pytorch.losses.SoftBCEWithLogitsLoss": ({"ignore_index": None}, BINARY),
    "segmentation_models_pytorch.losses.SoftCrossEntropyLoss": ({"smooth_factor": 0.1, "ignore_index": 255}, CLASSES),
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
    "pytorch_toolbelt.losses.SoftCrossEntropyLoss": ({"smooth_factor": 0.1, "ignore_index": 255}, CLASSES),
    "focal_loss.focal_loss.FocalLoss": ({"gamma": 2.0}, {"kind": "classification", "space": "probabilities"}),
    "pytorch_msssim.SSIM": ({"win_size": 5, "data_range": 1.0}, {}),
    "coral_pytorch.losses.coral_loss": (None, {"kind": "multilabel"}),
    "torchmetrics.functional.mean_squared_error": (None, NUMBERS),
    "torchmetrics.functional.mean_squared_log_error": (None, NUMBERS),
    "torchvision.ops.sigmoid_focal_loss": (None, BINARY),
    "torchvision.ops.generalized_box_iou_loss": (None, {"kind": "boxes"}),
    "torchvision.ops.distance_box_iou_loss": (None, {"kind": "boxes"}),
    "torchvision.ops.complete_box_iou_loss": (None, {"kind": "boxes"}),
    "monai.losses.AsymmetricUnifiedFocalLoss": ({}, {"batch_level": True}),
    "pytorch_metric_learning.losses.AngularLoss": ({}, {}),
}
BROADCAST = "predictions (N, 1) and targets (N,) silently give N × N differences"
IGNORED = "ignored pixels add nothing to the sum, and count in the mean"
#: errors that are true: the check, and why it is right
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


#: warnings that are true, and why
TRULY_WARNED: dict[str, dict[str, str]] = {
    "segmentation_models_pytorch.losses.SoftCrossEntropyLoss": {"label_conventions": IGNORED},
    "pytorch_toolbelt.losses.SoftCrossEntropyLoss": {"label_conventions": IGNORED},
}


JSD = """\
import torch
from timm.loss import JsdCrossEntropy
loss = JsdCrossEntropy()
prediction = torch.tensor([[120.0, -120.0]] * 3, requires_grad=True)
target = torch.tensor([0])
loss(prediction, target).backward()
print(prediction.grad)"""


class Defect(NamedTuple):
    """A fault that no check looks for, with code that shows it; templates are those of `Script.finding`."""

    message: str
    code: str
    came: str
    expected: str
    shows: Callable[..., bool]


DEFECTS = {
    "timm.loss.JsdCrossEntropy": Defect(
        "training turns into NaN where all views agree and are sure of it: probabilities are 0 from a distance of logits "
        "of 104 on, and F.kl_div has no gradient there",
        JSD, "a gradient of {0}", "a finite one", is_lost,
    )
}  # fmt: skip


def import_torchvision() -> None:
    """Import torchvision, without its operators where it was built for another PyTorch: no loss here needs them."""
    try:
        importlib.import_module("torchvision")
    except RuntimeError:
        for name in ("torchvision._meta_registrations", "torchvision._autograd_registrations"):
            sys.modules[name] = types.ModuleType(name)


def loss_named(name: str, load: Callable[[str], Any]) -> Any:
    """The loss of that name, of a module that `load` imports."""
    home, _, title = name.rpartition(".")
    arguments = LOSSES[name][0]
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        with contextlib.suppress(ImportError):
            import_torchvision()
        thing = getattr(load(home), title)
        if arguments is None:
            return thing
        return thing(**arguments) if isinstance(thing, type) else functools.partial(thing, **arguments)
