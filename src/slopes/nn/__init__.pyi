"""The modules of torch.nn, of which slopes replaces some, and below the last heading those that PyTorch lacks."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from torch import Tensor
from torch.nn import *  # noqa: F403

from slopes.nn.cards import CardModule as CardModule
from slopes.nn.cards import module as module
from slopes.nn.centers import CenterLoss as CenterLoss
from slopes.nn.linear import LinearLoss as LinearLoss

_TensorParameter: TypeAlias = float | np.number | Tensor

# ------------------------------------------------------------------- written by tools/make_stub.py
# fmt: off
class SwiGLU(CardModule):
    """Swish-gated linear unit: the value times the silu of the gate, the first half of the row."""

    def __init__(self, *, dim: int = -1, gate: Literal["first", "last"] = "first") -> None: ...

class GEGLU(CardModule):
    """GELU-gated linear unit: the value times the gelu of the gate, the first half of the row."""

    def __init__(
        self, *, approximate: Literal["none", "tanh"] = "none", dim: int = -1,
        gate: Literal["first", "last"] = "first",
    ) -> None: ...

class ReGLU(CardModule):
    """Rectified gated linear unit: the value times the gate where that is positive, else 0; the gate comes first."""

    def __init__(self, *, dim: int = -1, gate: Literal["first", "last"] = "first") -> None: ...

class Snake(CardModule):
    """Snake: the input plus a ripple of 1/alpha that never makes it fall; at alpha = 0 the input itself."""

    def __init__(self, *, alpha: _TensorParameter = 1.0) -> None: ...

class Sine(CardModule):
    """Sine of omega times the input, for networks that represent signals; SIREN has an omega of 30."""

    def __init__(self, *, omega: _TensorParameter = 1.0) -> None: ...

class ReLUSquared(CardModule):
    """Squared ReLU: the input squared where positive, else 0."""

    def __init__(self) -> None: ...

class StarReLU(CardModule):
    """StarReLU: the squared ReLU, scaled and shifted."""

    def __init__(self, *, scale: _TensorParameter = 1.0, bias: _TensorParameter = 0.0) -> None: ...

class SmeLU(CardModule):
    """Smooth ReLU, or sparse plus: ReLU with a parabola between −beta and beta."""

    def __init__(self, *, beta: _TensorParameter = 1.0) -> None: ...

class Rational(CardModule):
    """Padé activation unit, or PAU: a polynomial over 1 plus the sizes of another's terms, both of learnt
    coefficients."""

    def __init__(
        self, *,
        numerator: Tensor | Sequence[float] = (0.02979246, 0.61837738, 2.32335207, 3.0520266, 1.48548002, 0.25103717),
        denominator: Tensor | Sequence[float] = (1.14201226, 4.39322834, 0.8715445, 0.34720652),
    ) -> None: ...

class DynamicTanh(CardModule):
    """Dynamic tanh, or DyT: the hyperbolic tangent of alpha times the input, in the place of a normalisation."""

    def __init__(self, *, alpha: _TensorParameter = 0.5) -> None: ...

class Squareplus(CardModule):
    """Squareplus: a smooth ReLU without exponentials, half of a hyperbola."""

    def __init__(self, *, b: _TensorParameter = 4.0) -> None: ...

class Sparsemax(CardModule):
    """Sparsemax: a row of scores to the nearest probabilities, many exactly 0."""

    def __init__(self, *, dim: int = -1) -> None: ...

class GumbelSoftmax(CardModule):
    """Gumbel-softmax: a row of logits to a random choice of an entry, blurred by a temperature."""

    def __init__(self, *, tau: _TensorParameter = 1.0, hard: bool = False, dim: int = -1) -> None: ...

class Solu(CardModule):
    """Softmax linear unit: each entry of a row times its softmax, so that few units answer; mostly normalised next."""

    def __init__(self, *, dim: int = -1) -> None: ...

class GELUTanh(CardModule):
    """GELU's tanh form, with which many language models were trained, up to 4.7e-4 from GELU."""

    def __init__(self) -> None: ...

class QuickGELU(CardModule):
    """GELU's sigmoid form: the input times the sigmoid of 1.702 times it, as in CLIP; up to 0.02 from GELU."""

    def __init__(self) -> None: ...

class Telu(CardModule):
    """Hyperbolic tangent exponential linear unit: the input times the hyperbolic tangent of its exponential."""

    def __init__(self) -> None: ...

class Logish(CardModule):
    """Logish: the input times the logarithm of 1 plus its sigmoid."""

    def __init__(self) -> None: ...

class Softcap(CardModule):
    """Soft cap: any number to one between −cap and cap, almost unchanged if small beside cap."""

    def __init__(self, *, cap: _TensorParameter = 30.0) -> None: ...

class XIELU(CardModule):
    """xIELU, a trainable ELU integrated: a parabola above 0, a line bent by an exponential below."""

    def __init__(
        self, *, alpha_p: _TensorParameter = 0.8, alpha_n: _TensorParameter = 0.8, beta: _TensorParameter = 0.5,
        eps: _TensorParameter = -1e-06,
    ) -> None: ...

class Exponential(CardModule):
    """The exponential: any number to a positive one, for rates and variances."""

    def __init__(self) -> None: ...

class GIoULoss(CardModule):
    """Generalized IoU loss: the share of the union that only one box covers, plus the empty share of their hull."""

    def __init__(self, *, dim: int = -1, reduction: Literal["mean", "sum", "none"] = "mean") -> None: ...

class DIoULoss(CardModule):
    """Distance IoU loss: 1 − IoU plus the squared distance of the centres, in diagonals of the box around both."""

    def __init__(self, *, dim: int = -1, reduction: Literal["mean", "sum", "none"] = "mean") -> None: ...

class CIoULoss(CardModule):
    """Complete IoU loss: the distance IoU loss plus a cost of another aspect where the boxes overlap."""

    def __init__(self, *, dim: int = -1, reduction: Literal["mean", "sum", "none"] = "mean") -> None: ...

class CategoricalCrossEntropyLoss(CardModule):
    """Categorical cross-entropy: the surprise, −log p, at the right class, of rows of probabilities."""

    def __init__(
        self, *, weight: Tensor | None = None, label_smoothing: float = 0.0, ignore_index: int | None = -100,
        base: _TensorParameter = 2.718281828459045, reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class ZLoss(CardModule):
    """Z-loss: the square of the logarithm of the sum of exponentials, of rows of logits, whatever their target."""

    def __init__(
        self, *, weight: Tensor | None = None, label_smoothing: float = 0.0, ignore_index: int | None = -100,
        reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class Poly1Loss(CardModule):
    """Cross-entropy plus epsilon times 1 − p of the right class, of rows of logits."""

    def __init__(
        self, *, weight: Tensor | None = None, label_smoothing: float = 0.0, ignore_index: int | None = -100,
        epsilon: _TensorParameter = 2.0, reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class GeneralizedCrossEntropyLoss(CardModule):
    """Generalized cross-entropy: (1 − p^q) / q of the right class, of rows of logits; for data with wrong labels."""

    def __init__(
        self, *, weight: Tensor | None = None, label_smoothing: float = 0.0, ignore_index: int | None = -100,
        q: _TensorParameter = 0.7, reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class SymmetricCrossEntropyLoss(CardModule):
    """Cross-entropy, and the cross-entropy of the target under the prediction, of rows of logits; for wrong labels."""

    def __init__(
        self, *, weight: Tensor | None = None, label_smoothing: float = 0.0, ignore_index: int | None = -100,
        alpha: _TensorParameter = 0.1, beta: _TensorParameter = 1.0, floor: _TensorParameter = 0.0001,
        reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class LogitAdjustedLoss(CardModule):
    """Cross-entropy of logits plus tau times the logarithm of each class's prior, so that rare classes lead by more."""

    def __init__(
        self, *, weight: Tensor | None = None, label_smoothing: float = 0.0, ignore_index: int | None = -100,
        prior: _TensorParameter = 1.0, tau: _TensorParameter = 1.0, reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class MarginSoftmaxLoss(CardModule):
    """Cross-entropy of scaled cosines with a margin, which widens the right class's angle or lowers its cosine."""

    def __init__(
        self, *, weight: Tensor | None = None, label_smoothing: float = 0.0, ignore_index: int | None = -100,
        margin: _TensorParameter = 0.5, scale: _TensorParameter = 64.0,
        form: Literal["arcface", "cosface"] = "arcface", reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class JSDivergenceLoss(CardModule):
    """Jensen-Shannon divergence: how far target and softmax of the logits are from their mixture, by rows."""

    def __init__(
        self, *, dim: int = -1, beta: _TensorParameter = 0.5, reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class DistillationLoss(CardModule):
    """Kullback-Leibler divergence of a student's softened softmax from a teacher's, of rows of their logits."""

    def __init__(
        self, *, dim: int = -1, temperature: _TensorParameter = 2.0,
        reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class CosineLoss(CardModule):
    """Cosine distance: 1 less the cosine of the angle between two vectors, whatever their lengths."""

    def __init__(self, *, dim: int = -1, reduction: Literal["mean", "sum", "none"] = "mean") -> None: ...

class ContrastivePairLoss(CardModule):
    """Contrastive loss: half the squared distance of vectors that belong together, else half (margin − distance)²."""

    def __init__(
        self, *, dim: int = -1, zero_one: bool = False, margin: _TensorParameter = 1.0,
        reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class InfoNCELoss(CardModule):
    """Cross-entropy of picking a positive among the negatives by its cosine over a temperature; NT-Xent."""

    def __init__(
        self, *, temperature: _TensorParameter = 0.07, reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class SupConLoss(CardModule):
    """Cross-entropy of picking a positive among all others, positives too, by its cosine over a temperature."""

    def __init__(
        self, *, temperature: _TensorParameter = 0.1, reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class CircleLoss(CardModule):
    """Circle loss: log(1 + Σ exp(scale·cost)) over pairs of a positive and a negative of an anchor, by their
    cosines."""

    def __init__(
        self, *, margin: _TensorParameter = 0.25, scale: _TensorParameter = 256.0,
        reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class SiglipLoss(CardModule):
    """Sigmoid loss of SigLIP: the binary cross-entropies of a row of logits, summed, with a yes for its partner
    alone."""

    def __init__(
        self, *, weight: Tensor | None = None, label_smoothing: float = 0.0, ignore_index: int | None = -100,
        reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class SigmoidFocalLoss(CardModule):
    """Binary cross-entropy times the probability of being wrong to the power gamma, of logits."""

    def __init__(
        self, *, label_smoothing: float = 0.0, ignore_index: int | None = None, gamma: _TensorParameter = 2.0,
        alpha: _TensorParameter | None = None, reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class SoftmaxFocalLoss(CardModule):
    """Cross-entropy times the probability of being wrong to the power gamma, of rows of logits."""

    def __init__(
        self, *, weight: Tensor | None = None, label_smoothing: float = 0.0, ignore_index: int | None = -100,
        gamma: _TensorParameter = 2.0, reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class AsymmetricLoss(CardModule):
    """Focal cross-entropy of logits with an exponent for yes and for no, and no cost of a no below the clip."""

    def __init__(
        self, *, label_smoothing: float = 0.0, ignore_index: int | None = None, gamma_neg: _TensorParameter = 4.0,
        gamma_pos: _TensorParameter = 1.0, clip: _TensorParameter = 0.05,
        reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class MultiQuantileLoss(CardModule):
    """Quantile losses of a row: the mean size of residuals, times the level where a prediction is low, else 1 −
    level."""

    def __init__(
        self, *, dim: int = -1, quantiles: _TensorParameter | Sequence[float] | None = None,
        reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class CrpsEnsembleLoss(CardModule):
    """Continuous ranked probability score: the members' mean distance to the target, less half of the one among
    them."""

    def __init__(
        self, *, dim: int = -1, fair: bool = False, reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class SsimLoss(CardModule):
    """Structural dissimilarity, 1 − SSIM: how far means, contrasts and structures of windows of two images differ."""

    def __init__(
        self, *, window: int = 11, sigma: float | None = 1.5, data_range: _TensorParameter = 1.0,
        k1: _TensorParameter = 0.01, k2: _TensorParameter = 0.03, reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class TotalVariationLoss(CardModule):
    """Total variation of an image: the size of the differences of each pixel from those below and on its right."""

    def __init__(self, *, p: _TensorParameter = 1.0, reduction: Literal["mean", "sum", "none"] = "mean") -> None: ...

class NegativeBinomialNllLoss(CardModule):
    """Negative binomial likelihood: how unlikely a count of large variance is if the prediction is the log of its
    rate."""

    def __init__(
        self, *, dispersion: _TensorParameter = 1.0, reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class CrpsGaussianLoss(CardModule):
    """Continuous ranked probability score: how far a normal distribution is from the target, in the target's units."""

    def __init__(self, *, reduction: Literal["mean", "sum", "none"] = "mean") -> None: ...

class EvidentialNllLoss(CardModule):
    """Evidential likelihood: how unlikely the target is for a normal distribution of uncertain mean and variance."""

    def __init__(self, *, reduction: Literal["mean", "sum", "none"] = "mean") -> None: ...

class EvidentialPenaltyLoss(CardModule):
    """Evidential penalty: the size of the residual times all evidence, which is twice the mean's plus the shape."""

    def __init__(self, *, reduction: Literal["mean", "sum", "none"] = "mean") -> None: ...

class GammaDevianceLoss(CardModule):
    """Half the gamma deviance: how far off, in proportion, a positive target is if the prediction is its log."""

    def __init__(self, *, reduction: Literal["mean", "sum", "none"] = "mean") -> None: ...

class TweedieDevianceLoss(CardModule):
    """Half the Tweedie deviance of amounts that are often 0, such as claims, if the prediction is their log."""

    def __init__(
        self, *, power: _TensorParameter = 1.5, reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class ZeroInflatedPoissonNllLoss(CardModule):
    """Zero-inflated Poisson likelihood: how unlikely a count is where a share of cases is 0 and the rest is Poisson."""

    def __init__(self, *, reduction: Literal["mean", "sum", "none"] = "mean") -> None: ...

class HingeLoss(CardModule):
    """Hinge loss: 1 less the margin, prediction times target, and 0 for a margin above 1."""

    def __init__(self, *, zero_one: bool = False, reduction: Literal["mean", "sum", "none"] = "mean") -> None: ...

class SquaredHingeLoss(CardModule):
    """Squared hinge loss: the square of `hinge`."""

    def __init__(self, *, zero_one: bool = False, reduction: Literal["mean", "sum", "none"] = "mean") -> None: ...

class CoralLoss(CardModule):
    """CORAL: the binary cross-entropies of the steps from each grade to the next, summed; of rows of logits."""

    def __init__(
        self, *, dim: int = -1, ignore_index: int | None = None, reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class CornLoss(CardModule):
    """CORN: the surprise at a grade that is reached step by step, until one fails; of rows of logits of the steps."""

    def __init__(
        self, *, dim: int = -1, ignore_index: int | None = None, reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class OrdinalLogisticLoss(CardModule):
    """Proportional odds: the surprise at a grade, of rows of logits that the grade is above 0, above 1 and so on."""

    def __init__(
        self, *, dim: int = -1, ignore_index: int | None = None, reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class DiceLoss(CardModule):
    """Dice loss: the share of a region and its prediction together where they disagree."""

    def __init__(
        self, *, mode: Literal["multiclass", "multilabel"] = "multiclass",
        over: Literal["sample", "batch", "all"] = "sample", from_probabilities: bool = False,
        weight: Tensor | None = None, ignore_index: int | None = -100, smooth: _TensorParameter = 0.0,
        squared: bool = False, reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class JaccardLoss(CardModule):
    """Jaccard loss, 1 − IoU: the share of the union of a region and its prediction where they disagree."""

    def __init__(
        self, *, mode: Literal["multiclass", "multilabel"] = "multiclass",
        over: Literal["sample", "batch", "all"] = "sample", from_probabilities: bool = False,
        weight: Tensor | None = None, ignore_index: int | None = -100,
        reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class TverskyLoss(CardModule):
    """Tversky loss: Dice with separate weights for false positives and false negatives."""

    def __init__(
        self, *, mode: Literal["multiclass", "multilabel"] = "multiclass",
        over: Literal["sample", "batch", "all"] = "sample", from_probabilities: bool = False,
        weight: Tensor | None = None, ignore_index: int | None = -100, alpha: _TensorParameter = 0.5,
        beta: _TensorParameter = 0.5, reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class FocalTverskyLoss(CardModule):
    """Tversky loss to the power gamma: a gamma below 1 lifts small losses, a gamma above 1 lessens them."""

    def __init__(
        self, *, mode: Literal["multiclass", "multilabel"] = "multiclass",
        over: Literal["sample", "batch", "all"] = "sample", from_probabilities: bool = False,
        weight: Tensor | None = None, ignore_index: int | None = -100, gamma: _TensorParameter = 0.75,
        alpha: _TensorParameter = 0.3, beta: _TensorParameter = 0.7,
        reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class GeneralizedDiceLoss(CardModule):
    """Generalized Dice loss: Dice of all classes of a sample together, weighed by size to the power of −2."""

    def __init__(
        self, *, mode: Literal["multiclass", "multilabel"] = "multiclass",
        over: Literal["sample", "batch", "all"] = "sample", from_probabilities: bool = False,
        ignore_index: int | None = -100, weighting: Literal["square", "simple", "uniform"] = "square",
        reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class LovaszSoftmaxLoss(CardModule):
    """Lovász-softmax loss: 1 − IoU, extended to probabilities by ranking the pixels of a region by their error."""

    def __init__(
        self, *, mode: Literal["multiclass", "multilabel"] = "multiclass",
        over: Literal["sample", "batch", "all"] = "sample", from_probabilities: bool = False,
        weight: Tensor | None = None, ignore_index: int | None = -100,
        reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class LovaszHingeLoss(CardModule):
    """Lovász hinge: 1 − IoU, extended to logits by ranking the pixels of a region by 1 less their margin."""

    def __init__(
        self, *, over: Literal["sample", "batch", "all"] = "sample", weight: Tensor | None = None,
        reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class DpoLoss(CardModule):
    """DPO: the surprise, −log of a sigmoid, at beta times the lead of the preferred answer beyond the reference's."""

    def __init__(self, *, beta: _TensorParameter = 0.1, reduction: Literal["mean", "sum", "none"] = "mean") -> None: ...

class IpoLoss(CardModule):
    """IPO: the squared difference of 1 / (2·beta) and the lead of the preferred answer beyond the reference's."""

    def __init__(self, *, beta: _TensorParameter = 0.1, reduction: Literal["mean", "sum", "none"] = "mean") -> None: ...

class SimpoLoss(CardModule):
    """SimPO: the surprise, −log of a sigmoid, at beta times the lead of the preferred answer, less a margin gamma."""

    def __init__(
        self, *, beta: _TensorParameter = 2.0, gamma: _TensorParameter = 0.5,
        reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class OrpoLoss(CardModule):
    """ORPO: minus the log-likelihood of the preferred answer, plus beta times the surprise at its odds over the
    other."""

    def __init__(self, *, beta: _TensorParameter = 0.1, reduction: Literal["mean", "sum", "none"] = "mean") -> None: ...

class KtoLoss(CardModule):
    """KTO: a sigmoid of how far a good answer's lead over the reference is below kl, or a bad one's above it."""

    def __init__(
        self, *, zero_one: bool = False, beta: _TensorParameter = 0.1, kl: _TensorParameter = 0.0,
        desirable: _TensorParameter = 1.0, undesirable: _TensorParameter = 1.0,
        reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class PpoClipLoss(CardModule):
    """PPO's clipped objective, negated: the advantage times how much likelier a token has become, within bounds."""

    def __init__(
        self, *, normalizer: Literal["token", "sequence", "batch"] = "token", eps_low: _TensorParameter = 0.2,
        eps_high: _TensorParameter = 0.2, reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class HalfMSELoss(CardModule):
    """Half the mean squared error, so that the slope is the residual."""

    def __init__(self, *, reduction: Literal["mean", "sum", "none"] = "mean") -> None: ...

class LogCoshLoss(CardModule):
    """Logarithm of the hyperbolic cosine: a smooth mean absolute error, half the squared residual near 0."""

    def __init__(self, *, reduction: Literal["mean", "sum", "none"] = "mean") -> None: ...

class PinballLoss(CardModule):
    """Quantile loss: the size of the residual, times quantile where the prediction is low, else 1 − quantile."""

    def __init__(
        self, *, quantile: _TensorParameter = 0.5, reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class CharbonnierLoss(CardModule):
    """Charbonnier loss: the size of the residual, rounded off within eps; eps is its least value."""

    def __init__(
        self, *, eps: _TensorParameter = 0.001, reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class PseudoHuberLoss(CardModule):
    """Pseudo-Huber loss: half the squared residual near 0, delta times its size far beyond delta, all smooth."""

    def __init__(
        self, *, delta: _TensorParameter = 1.0, reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class BarronGeneralLoss(CardModule):
    """Barron's loss: half the squared residual within c, and beyond it bent the more, the lower alpha."""

    def __init__(
        self, *, alpha: _TensorParameter = 1.0, c: _TensorParameter = 1.0,
        reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class MAPELoss(CardModule):
    """Mean absolute percentage error, as a fraction: the size of the residual over the target's."""

    def __init__(
        self, *, eps: _TensorParameter = 1e-07, reduction: Literal["mean", "sum", "none"] = "mean",
    ) -> None: ...

class MSLELoss(CardModule):
    """Mean squared logarithmic error: the squared difference of log(1 + prediction) and log(1 + target)."""

    def __init__(self, *, reduction: Literal["mean", "sum", "none"] = "mean") -> None: ...
