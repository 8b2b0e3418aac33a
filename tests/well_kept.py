"""Losses and activations that many use, on which the audit is tried, and what is truly wrong with some."""

import functools
import warnings
from collections.abc import Callable
from typing import Any

from torch import nn

NEEDS = {"Threshold": (0.1, 20.0)}
#: no function of one or two tensors, or deprecated
OTHERS = {"MultiheadAttention", "AdaptiveLogSoftmaxWithLoss", "LinearCrossEntropyLoss", "CTCLoss", "NLLLoss2d"}
#: every other loss and activation of PyTorch at its defaults, by name
TORCH = {
    name: functools.partial(getattr(nn, name), *NEEDS.get(name, ()))
    for name in [*nn.modules.loss.__all__, *nn.modules.activation.__all__]
    if name not in OTHERS
}
#: losses and activations of other packages: what makes one, and what is declared of it
OVERLAP, ROBUST, PLAIN = {"batch_level": True}, {"bounded": True}, {}
PACKAGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "entmax.SparsemaxLoss": ({}, PLAIN),
    "entmax.Entmax15Loss": ({}, PLAIN),
    "entmax.Sparsemax": ({"dim": -1}, PLAIN),
    "entmax.Entmax15": ({"dim": -1}, PLAIN),
    "kornia.losses.FocalLoss": ({"alpha": None, "reduction": "mean"}, PLAIN),
    "kornia.losses.BinaryFocalLossWithLogits": ({"alpha": None, "reduction": "mean"}, PLAIN),
    "kornia.losses.DiceLoss": ({}, OVERLAP),
    "kornia.losses.TverskyLoss": ({"alpha": 0.5, "beta": 0.5}, OVERLAP),
    "kornia.losses.LovaszSoftmaxLoss": ({}, OVERLAP),
    "kornia.losses.CharbonnierLoss": ({"reduction": "mean"}, PLAIN),
    "kornia.losses.CauchyLoss": ({"reduction": "mean"}, ROBUST),
    "kornia.losses.GemanMcclureLoss": ({"reduction": "mean"}, ROBUST),
    "kornia.losses.WelschLoss": ({"reduction": "mean"}, ROBUST),
    "monai.losses.DiceLoss": ({"sigmoid": True}, OVERLAP),
    "monai.losses.TverskyLoss": ({"sigmoid": True}, OVERLAP),
    "monai.losses.GeneralizedDiceLoss": ({"sigmoid": True}, OVERLAP),
    "monai.losses.DiceCELoss": ({"sigmoid": True}, OVERLAP),
    "monai.losses.FocalLoss": ({}, PLAIN),
    "pytorch_metric_learning.losses.ContrastiveLoss": ({}, PLAIN),
    "pytorch_metric_learning.losses.TripletMarginLoss": ({}, PLAIN),
    "pytorch_metric_learning.losses.NTXentLoss": ({}, PLAIN),
    "pytorch_metric_learning.losses.SupConLoss": ({}, PLAIN),
    "pytorch_metric_learning.losses.TupletMarginLoss": ({}, PLAIN),
    "entmax.EntmaxBisectLoss": ({}, PLAIN),
}

BROADCAST = "PyTorch's other losses warn of it or raise"
DETACHED = "the gradient of create_graph=True is detached, which passes for 0"
#: what is an error and truly one: the check that says so, and why it is true
TRULY_WRONG: dict[str, dict[str, str]] = {
    "PoissonNLLLoss": {"shape_contract": BROADCAST},
    "GaussianNLLLoss": {"shape_contract": BROADCAST},
    "HingeEmbeddingLoss": {"shape_contract": BROADCAST},
    "MultiLabelSoftMarginLoss": {"shape_contract": BROADCAST},
    "SoftMarginLoss": {"extreme_inputs": "infinite from a margin of −89 on in float32 (pytorch/pytorch#77529)"},
    "entmax.SparsemaxLoss": {"second_derivative": DETACHED},
    "entmax.Entmax15Loss": {"second_derivative": DETACHED},
    "entmax.EntmaxBisectLoss": {"second_derivative": DETACHED},
    "pytorch_metric_learning.losses.TupletMarginLoss": {
        "zeros_and_edges": "the slope of acos is infinite where two embeddings have the same direction"
    },
    "monai.losses.FocalLoss": {"reduction": "where there are no pixels besides, its sum is the mean of the batch"},
}


#: warnings that are true: what a loss is called, and what it computes
TRULY_WARNED: dict[str, dict[str, str]] = {
    "BCELoss": {"low_precision": "its gradient is NaN in float16 at 0 and 1: the epsilon of its slope is 1e-12"},
    "pytorch_metric_learning.losses.NTXentLoss": {
        "layout_and_cost": "it compares each of n positive pairs with all n² negative ones",
    },
    "pytorch_metric_learning.losses.TupletMarginLoss": {
        "layout_and_cost": "it compares each of n positive pairs with all n² negative ones",
    },
    "kornia.losses.CharbonnierLoss": {"fingerprint": "it is sqrt(d² + 1) − 1, the pseudo-Huber loss"},
    "kornia.losses.FocalLoss": {
        "label_conventions": "ignored labels count in its mean",
        "reduction": "its mean counts the zeros of the other classes",
    },
}


#: losses of packages with a question that their author alone can answer; at most three in ten
ASKED = {
    "pytorch_metric_learning.losses.NTXentLoss": "low_precision",  # NaN of vectors of zeros in float16
    "pytorch_metric_learning.losses.TupletMarginLoss": "low_precision",
}


def of_package(name: str, load: Callable[[str], Any]) -> Any:
    """The loss of that name, of a module that `load` imports."""
    home, _, kind = name.rpartition(".")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(load(home), kind)(**PACKAGES[name][0])
