"""Activation and loss functions for deep learning: compute, audit, compare and show them.

Names load when first used; importing slopes loads this file alone.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "slopes": "boosting integrations ops catalogue domains kernels nn testing",
    "slopes.card": "activation loss Activation Loss",
    "slopes.facts": "Paper",
    "slopes.truth.oracle": "exact",
    "slopes.auditing": "audit",
    "slopes.comparing": "compare",
    "slopes.proving": "prove",
    "slopes.fused": "linear_loss",
    "slopes.alignment": "ctc",
    "slopes.scoring": "scorer",
    "slopes.weighting": "class_balanced_weights",
    "slopes.swapping": "swap",
    "slopes.diagnosing": "diagnose Watcher",
    "slopes.plotting": "show",
    # the cards of the catalogue, written by tools/make_stub.py
    "slopes.activations.gated": "glu swiglu geglu reglu",
    "slopes.activations.periodic": "snake sine",
    "slopes.activations.piecewise": "relu6 hard_tanh hard_sigmoid hard_swish relu_squared star_relu smelu sparse_plus",
    "slopes.activations.quotients": "rational pau",
    "slopes.activations.rectifiers": "linear identity relu leaky_relu prelu rrelu threshold elu celu selu",
    "slopes.activations.shrinkage": "softshrink hardshrink tanhshrink",
    "slopes.activations.sigmoids": "sigmoid tanh dynamic_tanh dyt softplus log_sigmoid softsign squareplus",
    "slopes.activations.simplex": "softmax log_softmax sparsemax gumbel_softmax solu",
    "slopes.activations.smooth": "gelu_tanh gelu silu swish quick_gelu mish telu logish softcap xielu exponential",
    "slopes.losses.boxes": "giou diou ciou",
    "slopes.losses.classification": "categorical_cross_entropy cross_entropy nll z_loss poly1 generalized_cross_entropy symmetric_cross_entropy logit_adjusted margin_softmax binary_cross_entropy",
    "slopes.losses.divergence": "relative_entropy kl_div js_divergence distillation",
    "slopes.losses.embedding": "cosine center cosine_embedding contrastive_pair triplet_margin info_nce nt_xent supcon circle siglip",
    "slopes.losses.focal": "sigmoid_focal softmax_focal asymmetric",
    "slopes.losses.forecast": "multi_quantile crps_ensemble",
    "slopes.losses.image": "ssim total_variation",
    "slopes.losses.likelihood": "poisson_nll negative_binomial_nll gaussian_nll crps_gaussian evidential_nll evidential_penalty gamma_deviance tweedie_deviance zero_inflated_poisson_nll",
    "slopes.losses.margin": "hinge squared_hinge soft_margin hinge_embedding margin_ranking multiclass_hinge multilabel_margin multilabel_soft_margin",
    "slopes.losses.ordinal": "coral corn ordinal_logistic",
    "slopes.losses.overlap": "dice jaccard tversky focal_tversky generalized_dice lovasz_softmax lovasz_hinge",
    "slopes.losses.preference": "dpo ipo simpo orpo kto ppo_clip",
    "slopes.losses.regression": "mse half_mse mae huber log_cosh smooth_l1 pinball charbonnier pseudo_huber barron_general mape msle",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}
_ON_TORCH = {"ctc", "nn", "diagnose", "Watcher"}  #: a star must not load torch
__all__ = [*(name for name in _HOME_OF if name not in _ON_TORCH), "__version__"]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'slopes' has no attribute {name!r}")
    value = import_module(f"slopes.{name}") if home == "slopes" else getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, *_ON_TORCH])
