"""The work that `speed.py` measures, by section: the same computation by slopes and by others.

A section is a generator of `Work`. A work names its contenders; each is a function that computes once. All get the
same input. `step` gives the one for a forward and a backward. "copy" is a memory copy of the input by one thread.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numba import njit
from scipy import special
from torch import Tensor, nn
from torch.nn import functional as F

import slopes
import slopes.nn as snn
from slopes.catalogue import ACTIVATIONS
from slopes.kernels.arithmetic.elementary import OPTIONS, growth, reduced
from slopes.kernels.arithmetic.machine import fma, scales_in

Contenders = dict[str, Callable[[], object]]

BIG, MIDDLE = 10**7, 10**5


@dataclass(frozen=True)
class Work:
    """A computation of one size, and who computes it."""

    name: str
    size: str
    contenders: Contenders
    bytes: int  #: the size of the input; memory is given as a multiple of it


def step(function: Callable[..., Tensor], x: Tensor, *others: Tensor, mean: bool = False) -> Callable[[], None]:
    """Return a function that computes forward and backward by x once; the values' gradient is 1 at each."""
    leaf = x.clone().requires_grad_()
    incoming = torch.ones(()) if mean else torch.ones_like(function(leaf, *others))

    def once() -> None:
        function(leaf, *others).backward(incoming)
        leaf.grad = None  # now, so that the next call's memory has its gradient in it

    return once


def compiled(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return the function compiled by PyTorch's default compiler."""
    torch._dynamo.reset()
    return torch.compile(function)  # type: ignore[no-any-return]


def normal(*shape: int, scale: float = 3.0, seed: int = 0) -> Tensor:
    """Return normal numbers, the same for all."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * scale


# --- NumPy ------------------------------------------------------------------------------------------------------------

TEXTBOOK: dict[str, Callable[[Any], Any]] = {
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, x * 0.01),
    "elu": lambda x: np.where(x > 0, x, np.exp(x) - 1),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "softplus": lambda x: np.log(1 + np.exp(x)),
    "gelu": lambda x: x * 0.5 * (1 + special.erf(x / 2**0.5)),
    "gelu_tanh": lambda x: x * 0.5 * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3))),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "mish": lambda x: x * np.tanh(np.log(1 + np.exp(x))),
    "snake": lambda x: x + np.sin(x) ** 2,
}
SCIPY: dict[str, Callable[[Any], Any]] = {"sigmoid": special.expit, "log_sigmoid": special.log_expit}


@njit(**OPTIONS)
def bare_exponential(x: np.ndarray, out: np.ndarray) -> None:
    """Compute the exponential of numbers whose result is normal, in the fewest operations."""
    for i in range(x.size):
        r, logarithm = reduced(x[i])
        scale, _ = scales_in(logarithm)
        out[i] = fma(scale, growth(r), scale)


def numpy_activations() -> Iterator[Work]:
    """Values of float32 arrays: into an array that exists, and into a new one."""
    for elements in (MIDDLE, BIG):
        x = normal(elements).numpy()
        out = np.empty_like(x)
        contenders: Contenders = {
            "slopes out=": lambda x=x, out=out: bare_exponential(x, out),
            "copy": lambda x=x, out=out: np.copyto(out, x),
        }
        yield Work("bare exponential", power(elements), contenders, 4 * elements)
    for name, card in ACTIVATIONS.items():
        if card.family != "activation" or card.name != name:  # an alias
            continue
        for elements in (MIDDLE, BIG):
            x = normal(elements).numpy()
            out = np.empty_like(x)
            contenders = {
                "slopes out=": lambda card=card, x=x, out=out: card(x, out=out),
                "slopes": lambda card=card, x=x: card(x),
                "copy": lambda x=x, out=out: np.copyto(out, x),
            }
            if name in TEXTBOOK:
                contenders["textbook"] = lambda x=x, form=TEXTBOOK[name]: form(x)
            if name in SCIPY:
                contenders["SciPy"] = lambda x=x, form=SCIPY[name]: form(x)
            if (jax := _jax()) and hasattr(jax.nn, name):
                compiled_form, array = jax.jit(getattr(jax.nn, name)), jax.numpy.asarray(x)
                contenders["JAX"] = lambda form=compiled_form, array=array: form(array).block_until_ready()
            with np.errstate(over="ignore"):
                yield Work(name, power(elements), contenders, 4 * elements)


def _jax() -> Any:
    try:
        import jax
    except ImportError:
        return None
    return jax


def power(elements: int) -> str:
    """Return a power of ten as text."""
    return f"10^{len(str(elements)) - 1}"


# --- PyTorch ----------------------------------------------------------------------------------------------------------

MODULES: dict[str, tuple[Any, ...]] = {
    "ReLU": (), "LeakyReLU": (), "PReLU": (), "Threshold": (0.1, 0.0), "Hardtanh": (), "ReLU6": (), "ELU": (),
    "Sigmoid": (), "LogSigmoid": (), "Tanh": (), "Softplus": (), "GELU": (), "GELU(tanh)": ("tanh",), "SiLU": (),
    "Mish": (), "SELU": (), "CELU": (), "Softsign": (), "Hardsigmoid": (), "Hardswish": (), "Softshrink": (),
    "Hardshrink": (), "Tanhshrink": (), "GLU": (), "Softmax": (-1,), "LogSoftmax": (-1,),
}  # fmt: skip
COMPILED = ("GELU", "SiLU", "Mish", "Softplus")  #: for these the compiler's time is worth it


def modules() -> Iterator[Work]:
    """Forward and backward of `slopes.nn` for `torch.nn`."""
    for name, options in MODULES.items():
        kind = name.partition("(")[0]
        for elements in (MIDDLE, 10**6, BIG):
            x = normal(elements // 100, 100) if kind in ("GLU", "Softmax", "LogSoftmax") else normal(elements)
            theirs, ours = (
                getattr(space, kind)(approximate="tanh") if options == ("tanh",) else getattr(space, kind)(*options)
                for space in (nn, snn)
            )
            contenders: Contenders = {"slopes": step(ours, x), "torch": step(theirs, x)}
            if name in COMPILED and elements == BIG:
                contenders["torch.compile"] = step(compiled(theirs), x)
            yield Work(name, power(elements), contenders, 4 * elements)


def halves() -> Iterator[Work]:
    """Forward and backward of `slopes.nn` for `torch.nn`, in half types."""
    for name, options in MODULES.items():
        if name in ("GLU", "Softmax", "LogSoftmax"):
            continue
        for dtype, elements in itertools.product((torch.bfloat16, torch.float16), (100, MIDDLE, BIG)):
            x = normal(elements).to(dtype)
            theirs, ours = (
                getattr(space, name.partition("(")[0])(*(() if options == ("tanh",) else options)).to(dtype)
                for space in (nn, snn)
            )
            if options == ("tanh",):
                theirs.approximate = ours.approximate = "tanh"
            size = f"{power(elements)} {str(dtype).removeprefix('torch.')}"
            yield Work(name, size, {"slopes": step(ours, x), "torch": step(theirs, x)}, 2 * elements)


COMPOSITES: dict[str, Callable[[Tensor], Tensor]] = {
    "squareplus": lambda x: 0.5 * (x + torch.sqrt(x * x + 4)),
    "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
    "softcap": lambda x: 30 * torch.tanh(x / 30),
    "snake": lambda x: x + torch.sin(x) ** 2,
    "relu_squared": lambda x: F.relu(x) ** 2,
    "star_relu": lambda x: 0.8944 * F.relu(x) ** 2 - 0.4472,
    "smelu": lambda x: torch.where(x >= 1.1, x, torch.where(x <= -1.1, torch.zeros_like(x), (x + 1.1) ** 2 / 4.4)),
    "xielu": lambda x: torch.where(x > 0, 0.8 * x * x + 0.5 * x, 0.8 * (torch.expm1(x) - x) + 0.5 * x),
}


def composites() -> Iterator[Work]:
    """Forward and backward of activations that PyTorch lacks, against their formula in its operations."""
    for name, formula in COMPOSITES.items():
        card: Any = ACTIVATIONS[name]
        x = normal(BIG)
        yield Work(name, power(BIG), {"slopes": step(card, x), "torch": step(formula, x)}, 4 * BIG)


def _focal(z: Tensor, y: Tensor) -> Tensor:
    p = torch.sigmoid(z)
    entropy = F.binary_cross_entropy_with_logits(z, y, reduction="none")
    right = p * y + (1 - p) * (1 - y)
    return ((0.25 * y + 0.75 * (1 - y)) * entropy * (1 - right) ** 2).mean()


@slopes.loss("regression")
def own(prediction: Any, target: Any) -> Any:
    """Return log(1 + d²), a loss as a user writes one."""
    difference = prediction - target
    return slopes.ops.log1p(difference * difference)


@own.derivative
def _slope(prediction: Any, target: Any) -> Any:
    difference = prediction - target
    return 2 * difference / (1 + difference * difference)


def losses() -> Iterator[Work]:
    """Forward and backward of the mean of element-wise losses."""
    for elements in (MIDDLE, 10**6, BIG):
        x, y, bits = normal(elements), normal(elements).flip(0), (normal(elements) > 0).float()
        weight = normal(elements).abs() + 0.1
        for name, ours, theirs, target in (
            ("mse", snn.MSELoss(), nn.MSELoss(), y),
            ("mae", snn.L1Loss(), nn.L1Loss(), y),
            ("huber", snn.HuberLoss(), nn.HuberLoss(), y),
            ("BCE with logits", snn.BCEWithLogitsLoss(), nn.BCEWithLogitsLoss(), bits),
            ("BCE, weighted", snn.BCEWithLogitsLoss(weight), nn.BCEWithLogitsLoss(weight), bits),
            ("sigmoid focal", slopes.sigmoid_focal, _focal, bits),
            ("a user's own", own, lambda a, b: torch.log1p((a - b) ** 2).mean(), y),
        ):
            contenders: Contenders = {
                "slopes": step(ours, x, target, mean=True),
                "torch": step(theirs, x, target, mean=True),
            }
            yield Work(name, power(elements), contenders, 4 * elements)


def _dice(z: Tensor, y: Tensor) -> Tensor:
    p = torch.sigmoid(z).flatten(1)
    t = y.flatten(1)
    return (1 - 2 * (p * t).sum(1) / (p.sum(1) + t.sum(1))).mean()


def overlap() -> Iterator[Work]:
    """Forward and backward of the Dice loss of logits."""
    z = normal(32, 1, 512, 512)
    y = (normal(32, 1, 512, 512).flip(0) > 0).float()

    def ours(a: Tensor, b: Tensor) -> Tensor:
        return slopes.dice(a, b, mode="multilabel", axis=1)

    contenders: Contenders = {"slopes": step(ours, z, y, mean=True), "torch": step(_dice, z, y, mean=True)}
    yield Work("dice", "32 x 512 x 512", contenders, 4 * z.numel())


@slopes.loss("classification")
def brier(prediction: Any, target: Any) -> Any:
    """Return the squared distance of the softmax from the right answer, a loss of rows as a user writes one."""
    p = slopes.ops.softmax(prediction)
    return slopes.ops.sum((p - slopes.ops.one_hot(target, like=p)) ** 2)[..., 0]


@brier.derivative
def _brier_slope(prediction: Any, target: Any) -> Any:
    p = slopes.ops.softmax(prediction)
    return 2 * slopes.ops.softmax_pulled(prediction, p - slopes.ops.one_hot(target, like=p))


def _brier(z: Tensor, y: Tensor) -> Tensor:
    p = torch.softmax(z, -1)
    return (p.square().sum(-1) - 2 * p.gather(-1, y[:, None])[:, 0] + 1).mean()


def _poly1(z: Tensor, y: Tensor) -> Tensor:
    surprise = F.cross_entropy(z, y, reduction="none")
    return (surprise + 2 * (1 - torch.exp(-surprise))).mean()


def rows() -> Iterator[Work]:
    """Forward and backward of the mean of losses of rows, by labels."""
    for count, classes in ((32, 10), (1024, 1000), (4096, 1000), (1024, 32000)):
        z, y = normal(count, classes), torch.arange(count) * 37 % classes
        for name, ours, theirs in (
            ("cross-entropy", snn.CrossEntropyLoss(), nn.CrossEntropyLoss()),
            ("poly1", slopes.poly1, _poly1),
            ("a user's own", brier, _brier),
        ):
            contenders: Contenders = {
                "slopes": step(ours, z, y, mean=True),
                "torch": step(theirs, z, y, mean=True),
            }
            if name == "cross-entropy" and count > 32:
                contenders["torch.compile"] = step(compiled(F.cross_entropy), z, y, mean=True)
            yield Work(name, f"{count} x {classes}", contenders, 4 * z.numel())


QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def _crps(z: Tensor, y: Tensor) -> Tensor:
    count = z.shape[-1]
    shares = (2 * torch.arange(count) - count + 1) / count**2
    return ((z - y[:, None]).abs().mean(-1) - (z.sort(-1).values * shares).sum(-1)).mean()


def _pinballs(z: Tensor, y: Tensor) -> Tensor:
    level, residual = torch.tensor(QUANTILES), y[:, None] - z
    return torch.maximum(level * residual, (level - 1) * residual).mean()


def forecasts() -> Iterator[Work]:
    """Forward and backward of the mean of losses of several predictions of one number."""
    for name, width, ours, theirs in (
        ("crps_ensemble", 10, slopes.crps_ensemble, _crps),
        ("crps_ensemble", 50, slopes.crps_ensemble, _crps),
        ("multi_quantile", len(QUANTILES), slopes.multi_quantile.with_(quantiles=QUANTILES), _pinballs),
    ):
        for elements in (10**4, 10**5, 10**6):
            count = elements // width
            z, y = normal(count, width), normal(count, seed=1)
            contenders: Contenders = {
                "slopes": step(ours, z, y, mean=True),
                "torch": step(theirs, z, y, mean=True),
            }
            yield Work(name, f"{count} x {width}", contenders, 4 * z.numel())


def last_layer(count: int, width: int, classes: int) -> Contenders:
    """Forward and backward of the last linear layer and its loss, beside the three products of matrices in it."""
    # of another seed: weights that are the features' own numbers would make each row sure of its class
    weight = normal(classes, width, scale=1 / 16, seed=1)
    x, y = normal(count, width), torch.arange(count) * 37 % classes
    incoming = normal(count, classes)

    def train(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[], None]:
        leaves = x.clone().requires_grad_(), weight.clone().requires_grad_()

        def once() -> None:
            function(*leaves).backward()
            leaves[0].grad = leaves[1].grad = None

        return once

    def products() -> None:
        _ = x @ weight.T, incoming @ weight, incoming.T @ x

    return {
        "slopes": train(lambda a, w: slopes.linear_loss(a, w, y, loss=slopes.cross_entropy)),
        "slopes, a user's own": train(lambda a, w: slopes.linear_loss(a, w, y, loss=brier)),
        "three products": products,
        "torch": train(lambda a, w: F.cross_entropy(F.linear(a, w), y)),
    }


def linear() -> Iterator[Work]:
    """The last linear layer of 32000 classes; memory is in sizes of the gradients."""
    count, width, classes = 4096, 256, 32000
    contenders = last_layer(count, width, classes)
    yield Work("cross-entropy", f"{count} x {width} x {classes}", contenders, 4 * (count + classes) * width)


def _train(network: nn.Module, loss: Callable[[nn.Module], Tensor]) -> Callable[[], None]:
    """Return a function that trains a network for one batch."""
    optimizer = torch.optim.Adam(network.parameters(), fused=True)

    def once() -> None:
        optimizer.zero_grad()
        loss(network).backward()
        optimizer.step()

    return once


def _perceptron(space: Any) -> nn.Module:
    return nn.Sequential(nn.Linear(64, 64), space.ReLU(), nn.Linear(64, 64), space.ReLU(), nn.Linear(64, 10))


def _convolutions(space: Any) -> nn.Module:
    layers: list[nn.Module] = []
    for before, after in ((3, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), space.SiLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 16, 10))


class _Language(nn.Module):
    """Four layers of a transformer for 32,000 words, without or with the last linear layer in the loss."""

    def __init__(self, is_ours: bool, width: int = 256, words: int = 32000) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, width)
        layer = nn.TransformerEncoderLayer(
            width, 4, 4 * width, dropout=0.0, activation=snn.GELU() if is_ours else nn.GELU(), batch_first=True
        )
        self.layers = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)
        self.head = snn.LinearLoss(width, words) if is_ours else nn.Linear(width, words, bias=False)

    def loss(self, tokens: Tensor) -> Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1] - 1)
        features = self.layers(self.embedding(tokens[:, :-1]), mask=mask, is_causal=True)
        targets = tokens[:, 1:]
        if isinstance(self.head, snn.LinearLoss):
            return self.head(features, targets)  # type: ignore[no-any-return]
        return F.cross_entropy(self.head(features).flatten(0, 1), targets.flatten())


def training() -> Iterator[Work]:
    """A step of training of a whole network."""
    labels = torch.arange(64) % 10
    for name, size, make, x in (
        ("perceptron", "64 x 64", _perceptron, normal(64, 64)),
        ("convolutions with SiLU", "64 x 3 x 32 x 32", _convolutions, normal(64, 3, 32, 32)),
    ):
        contenders: Contenders = {}
        for who, space in (("slopes", snn), ("torch", nn)):
            torch.manual_seed(0)
            loss = space.CrossEntropyLoss()
            contenders[who] = _train(make(space), lambda network, x=x, loss=loss: loss(network(x), labels))
        yield Work(name, size, contenders, 4 * x.numel())
    tokens = torch.randint(0, 32000, (4, 257), generator=torch.Generator().manual_seed(0))
    contenders = {}
    for who in ("slopes", "torch"):
        torch.manual_seed(0)
        contenders[who] = _train(_Language(who == "slopes"), lambda network: network.loss(tokens))  # type: ignore[operator]
    yield Work("language model", "4 x 256 words of 32000", contenders, 4 * tokens.numel())


SECTIONS: dict[str, Callable[[], Iterator[Work]]] = {
    "numpy": numpy_activations,
    "modules": modules,
    "halves": halves,
    "composites": composites,
    "losses": losses,
    "rows": rows,
    "linear": linear,
    "overlap": overlap,
    "forecasts": forecasts,
    "training": training,
}
