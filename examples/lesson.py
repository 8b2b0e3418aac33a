"""The lesson on activation and loss functions, step by step, with every claim measured.

    python examples/lesson.py                        # print the lesson, draw its pictures in lesson-output/
    python examples/lesson.py --out docs/images/lesson
    python examples/lesson.py --language zh          # its tables and pictures in Chinese

It needs ``slopes[lab]`` and runs in under a minute, on CUDA where there is one. Read it from top to
bottom: five chapters, each of which prints its tables and hands its figures on to figures.json. The code that
draws comes last, and teaches nothing. The pages docs/lesson.md and docs/lesson.zh.md tell the same story.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.text
import mpmath
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

import lesson_words
import slopes

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # the backend comes first

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
Activation = Callable[[Tensor], Tensor]
languages = ["en"]  #: the languages of texts and tables; set by --language


def say(text: str) -> None:
    """Print a text in each language."""
    for language in languages:
        print(f"\n{lesson_words.translate(text, language)}")


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a titled table in each language, with columns as wide as their widest cell."""
    for language in languages:
        lines = [[lesson_words.translate(cell, language) for cell in row] for row in [header, *rows]]
        widths = [max(lesson_words.width(line[i]) for line in lines) for i in range(len(header))]
        print(f"\n{lesson_words.translate(title, language)}")
        for line in lines:
            padded = (cell + " " * (width - lesson_words.width(cell)) for cell, width in zip(line, widths, strict=True))
            print(("  " + "  ".join(padded)).rstrip())


# ==================================================================================================
# 1. The functions
# ==================================================================================================
# A card is called like a function, and knows its derivative: card(x), card.slope(x). Softmax mixes the
# entries of a row, so it has a Jacobian instead; softmax.vjp(x, g) gives the row that g selects.
# A loss gives its value and its gradient by the prediction in one go.


def functions() -> dict[str, Any]:
    """Chapter 1: every function of the lesson, with its derivative."""
    rows = []
    line = np.linspace(-8, 8, 1601)
    for card in (slopes.sigmoid, slopes.tanh, slopes.relu, slopes.linear):
        values = [f"{card(x):.3f} / {card.slope(x):.3f}" for x in (-2.0, 0.0, 2.0)]
        low, high = card.claims.range or (-np.inf, np.inf)
        rows.append([card.name, *values, f"({low:g}, {high:g})", f"{card.slope(line).max():.2f}"])
    header = ["function", "at -2", "at 0", "at 2", "range", "steepest slope"]
    table("1.1 Activations: value / slope", header, rows)

    logits = np.array([1.0, 2.0, 3.0])
    p = slopes.softmax(logits)
    jacobian = np.stack([slopes.softmax.vjp(logits, unit) for unit in np.eye(3)])
    rows = [
        [f"{x:g}", f"{p[i]:.4f}", *(f"{entry:+.4f}" for entry in row)]
        for i, (x, row) in enumerate(zip(logits, jacobian, strict=True))
    ]
    table("1.2 Softmax: its probabilities, and their derivative by each logit", ["logit", "p", *"123"], rows)

    prediction, target = np.array([2.5, 0.0, 2.0]), np.array([3.0, -0.5, 2.0])
    rows = []
    for loss in (slopes.mse, slopes.mae):
        value, gradient = loss.value_and_slope(prediction, target)
        row = [loss.name, "[2.5, 0, 2]", "[3, -0.5, 2]", f"{value:.4f}"]
        rows.append([*row, np.array2string(gradient, precision=4)])
    value, gradient = slopes.categorical_cross_entropy.value_and_slope([[0.7, 0.2, 0.1]], [0])
    bits = slopes.categorical_cross_entropy([[0.7, 0.2, 0.1]], [0], base=2)
    row = ["categorical_cross_entropy", "[0.7, 0.2, 0.1]", "class 0", f"{value:.4f}"]
    rows.append([*row, np.array2string(gradient[0] + 0.0, precision=4)])
    rows.append(["  the same in bits", "", "", f"{bits:.4f}", ""])
    table("1.3 Losses: value and gradient", ["loss", "prediction", "target", "value", "gradient"], rows)
    return {"jacobian_row_sums": np.abs(jacobian.sum(1)).max()}


# ==================================================================================================
# 2. The textbook formula beside ours
# ==================================================================================================
# These are the lesson's formulae, as NumPy code. Each is right on paper. (The bracket of tanh is put right
# here; chapter 3 shows the lesson's output.)


def textbook_sigmoid(x: Any) -> Any:
    """Return the sigmoid as the textbook writes it."""
    return 1 / (1 + np.exp(-x))


def textbook_sigmoid_slope(x: Any) -> Any:
    """Return the sigmoid's derivative by way of its value."""
    return textbook_sigmoid(x) * (1 - textbook_sigmoid(x))


def textbook_tanh(x: Any) -> Any:
    """Return tanh as the textbook writes it."""
    return (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))


def textbook_tanh_slope(x: Any) -> Any:
    """Return the derivative of tanh by way of its value."""
    return 1 - np.tanh(x) ** 2


def textbook_relu(x: Any) -> Any:
    """Return ReLU as the lesson writes it."""
    return np.where(x > 0, x, 0)


def textbook_softmax(x: Any) -> Any:
    """Return softmax as the lesson writes it, for a single row."""
    return np.exp(x) / np.sum(np.exp(x))


def textbook_categorical_cross_entropy(p: Any, y: Any) -> Any:
    """Return the lesson's categorical cross-entropy."""
    return -np.sum(y * np.log2(p) + (1 - y) * np.log2(1 - p))


def lesson_cross_entropy(p: Any, y: Any) -> Any:
    """Return the same by the library: the binary cross-entropy of each class, in bits, summed."""
    return slopes.binary_cross_entropy(p, y, from_probabilities=True, base=2, reduction="sum")


def heard(function: Callable[..., Any], *arguments: Any) -> tuple[Any, str]:
    """Return the result of a function and NumPy's warnings meanwhile."""
    with warnings.catch_warnings(record=True) as caught, np.errstate(all="warn", under="ignore"):
        warnings.simplefilter("always")
        result = function(*arguments)
    return result, ", ".join(dict.fromkeys(str(w.message).partition(" encountered")[0] for w in caught))


def short(value: Any) -> str:
    """Print a number or a row in few characters, but with the digits that tell wrong from right."""
    if np.ndim(value):
        return "[" + ", ".join(short(entry) for entry in value) + "]"
    if hasattr(value, "_mpf_"):  # an exact number
        return str(mpmath.nstr(mpmath.mpf(value), 8)).removesuffix(".0").replace("nan", "NaN")
    return f"{value:.8g}".replace("nan", "NaN")


def textbook() -> dict[str, Any]:
    """Chapter 2: inputs where the textbook formula overflows, turns NaN or loses its digits."""
    sigmoid, tanh, softmax = (slopes.exact(card, digits=20) for card in (slopes.sigmoid, slopes.tanh, slopes.softmax))
    bce = slopes.exact(slopes.binary_cross_entropy, digits=20)
    certain = [1.0, 0.0]

    def exact_cross_entropy(p: Any, y: Any) -> Any:
        return bce(p, y, from_probabilities=True, base=2, reduction="sum")

    cases: list[tuple[str, Any, Any, Any, Any]] = [  # what, textbook, ours, exact, inputs
        ("sigmoid", textbook_sigmoid, slopes.sigmoid, sigmoid, -1000.0),
        ("sigmoid", textbook_sigmoid, slopes.sigmoid, sigmoid, -720.0),
        ("sigmoid", textbook_sigmoid, slopes.sigmoid, sigmoid, np.float32(-100)),
        ("sigmoid's slope", textbook_sigmoid_slope, slopes.sigmoid.slope, sigmoid.slope, 40.0),
        ("sigmoid's slope", textbook_sigmoid_slope, slopes.sigmoid.slope, sigmoid.slope, np.float32(20)),
        ("tanh", textbook_tanh, slopes.tanh, tanh, 800.0),
        ("tanh", textbook_tanh, slopes.tanh, tanh, np.float32(100)),
        ("tanh", textbook_tanh, slopes.tanh, tanh, 1e-12),
        ("tanh", textbook_tanh, slopes.tanh, tanh, np.float32(1e-5)),
        ("tanh's slope", textbook_tanh_slope, slopes.tanh.slope, tanh.slope, 20.0),
        ("tanh's slope", textbook_tanh_slope, slopes.tanh.slope, tanh.slope, np.float32(10)),
        ("relu", textbook_relu, slopes.relu, lambda x: mpmath.mpf("nan"), math.nan),
        ("softmax", textbook_softmax, slopes.softmax, softmax, np.array([1000.0, 0.0])),
        ("softmax", textbook_softmax, slopes.softmax, softmax, np.array([-1000.0, -1000.0])),
        ("softmax", textbook_softmax, slopes.softmax, softmax, np.array([100, 0], np.float32)),
        (
            "cross-entropy",
            textbook_categorical_cross_entropy,
            lesson_cross_entropy,
            exact_cross_entropy,
            certain,
        ),
    ]
    rows, unlike = [], 0
    for what, theirs, ours, exact, x in cases:
        x = np.asarray(x)
        arguments = (x, x) if what == "cross-entropy" else (x,)
        (wrong, warning), (right, silence) = heard(theirs, *arguments), heard(ours, *arguments)
        true = exact(*arguments)
        assert silence == "", f"{what} at {x} warned of {silence}"
        rounded = np.asarray(true, dtype=x.dtype)  # the best that this type can say
        unlike += not np.allclose(right, rounded, rtol=4 * np.finfo(x.dtype).eps, atol=0, equal_nan=True)
        given = f"p = y = {short(x)}" if what == "cross-entropy" else short(x)
        rows.append([what, str(x.dtype), given, short(wrong), short(right), short(true), warning or "-"])
    header = ["function", "type", "input", "textbook", "slopes", "exact", "NumPy warned of"]
    table("2.1 Inputs at which the textbook formula fails", header, rows)
    say("Both give 0 at -1000, since float64 ends at 4.9e-324; but the textbook overflows on its way there.")
    say("np.where(x > 0, x, 0) turns a NaN into a harmless 0, which hides it.")
    return {"cases": len(cases), "ours_off": unlike}


def digits_kept() -> dict[str, tuple[Any, Any, Any]]:
    """For four formulae: inputs, and how many right decimal digits the textbook's and our results have."""
    tanh, sigmoid = (slopes.exact(card, digits=20) for card in (slopes.tanh, slopes.sigmoid))
    bce = slopes.exact(slopes.binary_cross_entropy, digits=20)
    options: dict[str, Any] = {"from_probabilities": True, "base": 2, "reduction": "none"}

    def right_digits(computed: Any, exact: Any) -> Any:
        bits = np.finfo(computed.dtype).eps
        off = [abs((mpmath.mpf(float(c)) - e) / e) if e else 0 for c, e in zip(computed, exact, strict=True)]
        error = np.nan_to_num(np.array(off, dtype=float), nan=1.0)
        return np.clip(-np.log10(np.maximum(error, bits / 2)), 0, None)

    curves = {}
    for name, x, theirs, ours, exact in (
        (
            "sigmoid(x), float32",
            np.linspace(-103, 20, 247, dtype=np.float32),
            textbook_sigmoid,
            slopes.sigmoid,
            sigmoid,
        ),
        ("tanh(x), float64", np.logspace(-12, 4, 241), textbook_tanh, slopes.tanh, tanh),
        (
            "slope of tanh, float64",
            np.linspace(0, 40, 241),
            textbook_tanh_slope,
            slopes.tanh.slope,
            tanh.slope,
        ),
        (
            "−log2(1 − p), float64",
            np.logspace(-20, -1, 241),
            lambda p: -np.log2(1 - p),
            lambda p: slopes.binary_cross_entropy(p, 0 * p, **options),
            lambda p: bce(p, 0 * p, **options),
        ),
    ):
        true = exact(x)
        curves[name] = (x, right_digits(heard(theirs, x)[0], true), right_digits(ours(x), true))
    return curves


# ==================================================================================================
# 3. Three slips of the lesson, put right
# ==================================================================================================

TANH_AS_PRINTED = "(np.exp(x) - np.exp(-x))/(np.exp(x))+np.exp(-x))"


def slips() -> dict[str, Any]:
    """Chapter 3: the bracket of tanh, the axis of softmax, and the cross-entropy that is another."""
    try:
        compile(TANH_AS_PRINTED, "lesson", "eval")
        message = "it compiles"
    except SyntaxError as error:
        message = f"SyntaxError: {error.msg}"
    mended = eval(TANH_AS_PRINTED.removesuffix(")"), {"np": np, "x": np.array([-2.0, 0.0, 2.0])})
    rows = [
        ["as printed", message, "", ""],
        ["last bracket dropped", *(f"{value:.4f}" for value in mended)],
        ["slopes.tanh", *(f"{value:.4f}" for value in slopes.tanh(np.array([-2.0, 0.0, 2.0])))],
    ]
    table("3.1 The bracket of tanh", ["", "at -2", "at 0", "at 2"], rows)

    batch = np.array([[1.0, 2.0, 3.0], [3.0, 3.0, 3.0]])
    rows = [
        [name, *(f"{total:.4f}" for total in p.sum(axis=1)), f"{p.sum():.4f}"]
        for name, p in (("textbook", textbook_softmax(batch)), ("slopes.softmax", slopes.softmax(batch)))
    ]
    table(
        "3.2 Softmax of a batch of two rows: what its probabilities sum to",
        ["", "row 1", "row 2", "all"],
        rows,
    )

    p = slopes.softmax(np.random.default_rng(0).normal(size=(6, 4)))
    y = np.eye(4)[[0, 1, 2, 3, 0, 1]]
    theirs, ours = textbook_categorical_cross_entropy(p, y), lesson_cross_entropy(p, y)
    true = slopes.categorical_cross_entropy(p, y, base=2, reduction="sum")
    agreement = abs(theirs / ours - 1)
    rows = [
        ["the lesson's formula", f"{theirs:.6f}"],
        ["binary cross-entropy, summed over classes", f"{ours:.6f}"],
        ["categorical cross-entropy", f"{true:.6f}"],
        ["first two agree to a relative 1e-12", "yes" if agreement < 1e-12 else "no"],
    ]
    table("3.3 Six rows of four classes, in bits", ["", "bits"], rows)

    # With two classes the other one costs as much again, and the lesson's formula gives twice the true value.
    # With more, it also charges for how the error is spread over them, and so prefers other predictions.
    even, lopsided = np.array([[0.4, 0.3, 0.3]]), np.array([[0.41, 0.58, 0.01]])
    label = np.array([[1.0, 0.0, 0.0]])
    costs = {
        name: [float(cost(row, label)) for row in (even, lopsided)]
        for name, cost in (
            ("the lesson's formula", textbook_categorical_cross_entropy),
            ("categorical cross-entropy", lambda p, y: slopes.categorical_cross_entropy(p, y, base=2)),
        )
    }
    rows = [[name, f"{a:.4f}", f"{b:.4f}", "the first" if a < b else "the second"] for name, (a, b) in costs.items()]
    header = ["right class: the first", "[0.4, 0.3, 0.3]", "[0.41, 0.58, 0.01]", "prefers"]
    table("3.4 The two formulae do not prefer the same prediction", header, rows)
    return {
        "tanh_parses": message == "it compiles",
        "lesson_formula_agreement": agreement,
        "lesson_formula_bits": theirs,
        "categorical_bits": float(true),
        "row_costs": costs,
    }


# ==================================================================================================
# 4. For and against, measured
# ==================================================================================================
# Every experiment trains many small networks at once: weights of shape (runs, inputs, outputs), one slice per
# seed and learning rate. They are drawn on the CPU in float64, so that a GPU and a CPU print the same.


def normal(*shape: int, seed: int) -> Tensor:
    """Draw standard normal numbers, the same on every device."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(DEVICE)


def uniform(*shape: int, seed: int) -> Tensor:
    """Draw uniform numbers between -1 and 1, the same on every device."""
    drawn = torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (2 * drawn - 1).to(DEVICE)


Layers = list[tuple[Tensor, Tensor]]


def networks(sizes: Sequence[int], runs: int, start: str, rates: int = 1) -> Layers:
    """Draw weights and biases of `runs` networks, and repeat them for each of `rates` learning rates."""
    layers = []
    for place, (fan_in, fan_out) in enumerate(itertools.pairwise(sizes)):
        shape = (runs, fan_in, fan_out)
        bias = torch.zeros(runs, 1, fan_out, dtype=torch.float64, device=DEVICE)
        if start == "Xavier":  # keeps the size of signals where the slope is about 1
            weight = normal(*shape, seed=place) * math.sqrt(2 / (fan_in + fan_out))
        elif start == "He":  # makes up for the half that ReLU cuts off
            weight = normal(*shape, seed=place) * math.sqrt(2 / fan_in)
        else:  # as torch.nn.Linear draws them
            weight = uniform(*shape, seed=place) / math.sqrt(fan_in)
            bias = uniform(runs, 1, fan_out, seed=1000 + place) / math.sqrt(fan_in)
        repeated = (tensor.repeat(rates, 1, 1).requires_grad_() for tensor in (weight, bias))
        layers.append(tuple(repeated))
    return layers  # type: ignore[return-value]


def forward(layers: Layers, x: Tensor, activation: Activation) -> tuple[Tensor, list[Tensor]]:
    """Return the output of every network, and its hidden activations."""
    hidden = []
    for weight, bias in layers[:-1]:
        x = activation(x @ weight + bias)
        hidden.append(x)
    weight, bias = layers[-1]
    return x @ weight + bias, hidden


def loss_of_each(layers: Layers, x: Tensor, y: Tensor, activation: Activation, loss: Any) -> Tensor:
    """Return one mean loss per network."""
    output, _ = forward(layers, x, activation)
    return loss(output, y.expand_as(output), reduction="none").mean((1, 2))


def descend(
    layers: Layers,
    x: Tensor,
    y: Tensor,
    activation: Activation,
    loss: Any,
    rates: Sequence[float],
    steps: int,
) -> Tensor:
    """Train by plain gradient descent on all the data, and return the losses (steps, networks)."""
    parameters = [tensor for layer in layers for tensor in layer]
    runs = len(parameters[0]) // len(rates)
    rate = torch.tensor(rates, dtype=x.dtype, device=x.device).repeat_interleave(runs).reshape(-1, 1, 1)
    history = []
    for _ in range(steps):
        losses = loss_of_each(layers, x, y, activation, loss)
        gradients = torch.autograd.grad(losses.sum(), parameters)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter -= rate * gradient
        history.append(losses.detach())
    return torch.stack(history)


def rings(points: int = 100) -> tuple[Tensor, Tensor]:
    """Two noisy rings, one around the other: no straight line parts them."""
    angle = math.pi * uniform(points, 1, seed=11)
    label = (torch.arange(points, dtype=torch.float64, device=DEVICE) % 2).reshape(-1, 1)
    radius = 1 + label + 0.15 * normal(points, 1, seed=12)
    return torch.cat([radius * angle.cos(), radius * angle.sin()], dim=1), label


def accuracy(layers: Layers, x: Tensor, y: Tensor, activation: Activation) -> Tensor:
    """Return the share of points that each network puts on the right side."""
    output, _ = forward(layers, x, activation)
    return ((output > 0) == (y > 0.5)).double().mean((1, 2))


# ----------------------------------------------------------------------------- 4.1 vanishing gradients

DEPTHS = (1, 2, 4, 8, 16, 32)
STARTS: dict[str, tuple[Activation, str]] = {
    "sigmoid, Xavier start": (slopes.sigmoid, "Xavier"),
    "tanh, Xavier start": (slopes.tanh, "Xavier"),
    "relu, He start": (slopes.relu, "He"),
    "relu, PyTorch's start": (slopes.relu, "PyTorch"),
}


def depth() -> dict[str, Any]:
    """Chapter 4.1: the gradient that reaches the first layer, and the accuracy of deep networks."""
    x, y = normal(128, 64, seed=21), normal(128, 1, seed=22)
    found: dict[str, Any] = {"depths": DEPTHS, "norms": {}, "accuracy": {}}
    rows = []
    for name, (activation, start) in STARTS.items():
        norms = []
        for layers_deep in DEPTHS:
            layers = networks([64] * (layers_deep + 1) + [1], runs=5, start=start)
            losses = loss_of_each(layers, x, y, activation, slopes.mse)
            (gradient,) = torch.autograd.grad(losses.sum(), [layers[0][0]])
            norms.append(gradient.flatten(1).norm(dim=1).log().mean().exp().item())  # geometric mean
        per_layer = (norms[-1] / norms[-3]) ** (1 / (DEPTHS[-1] - DEPTHS[-3]))
        found["norms"][name] = norms
        rows.append([name, *(f"{norm:.1e}" for norm in norms), f"{per_layer:.2f}"])
    header = ["hidden layers:", *map(str, DEPTHS), "per layer"]
    table("4.1 Norm of the loss gradient at the first layer (width 64, mean of 5 networks)", header, rows)

    x, y = rings()
    rates = (0.03, 0.1, 0.3, 1.0)
    rows = []
    for name, (activation, start) in STARTS.items():
        best = []
        for layers_deep in (1, 8):
            layers = networks([2] + [12] * layers_deep + [1], runs=5, start=start, rates=len(rates))
            descend(layers, x, y, activation, slopes.binary_cross_entropy, rates, steps=200)
            medians = accuracy(layers, x, y, activation).reshape(len(rates), 5).median(dim=1).values
            best.append(medians.max().item())
        found["accuracy"][name] = best
        rows.append([name, *(f"{share:.0%}" for share in best)])
    header = ["hidden layers:", "1", "8"]
    table(
        "4.2 Two rings, 200 steps: points on the right side (median of 5, best of 4 learning rates)",
        header,
        rows,
    )
    return found


# -------------------------------------------------------------------------------- 4.3 dying ReLU units


def dying() -> dict[str, Any]:
    """Chapter 4.3: thirty steps at too large a learning rate, then five hundred at a good one."""
    x = uniform(128, 4, seed=31)
    y = torch.sin(3 * x[:, :1]) + x[:, 1:2] * x[:, 2:3]
    runs, width, good, large = 5, 64, 0.05, 0.3
    found: dict[str, Any] = {"units": runs * width}
    rows = []
    for name, activation, first_rate in (
        ("relu, good rate throughout", slopes.relu, good),
        ("relu", slopes.relu, large),
        ("leaky_relu, slope 0.01", slopes.leaky_relu, large),
        ("leaky_relu, slope 0.1", slopes.leaky_relu.with_(negative_slope=0.1), large),
    ):
        layers = networks([4, width, 1], runs=runs, start="He")
        before = descend(layers, x, y, activation, slopes.mse, [first_rate], steps=30)
        off = [int((forward(layers, x, activation)[1][0] <= 0).all(dim=1).sum())]
        after = descend(layers, x, y, activation, slopes.mse, [good], steps=500)
        off.append(int((forward(layers, x, activation)[1][0] <= 0).all(dim=1).sum()))
        losses = loss_of_each(layers, x, y, activation, slopes.mse)
        (gradient,) = torch.autograd.grad(losses.sum(), [layers[0][0]])
        frozen = int((gradient == 0).all(dim=1).sum())
        found[name] = {
            "off_after_shock": off[0], "off_at_end": off[1], "frozen": frozen,
            "loss": losses.median().item(),
            "_history": torch.cat([before, after]).median(dim=1).values.tolist(),
        }  # fmt: skip
        rows.append([name, str(off[0]), str(off[1]), str(frozen), f"{losses.median():.3f}"])
    found["variance"] = y.var(correction=0).item()
    rows.append(["(the best constant)", "", "", "", f"{found['variance']:.3f}"])
    title = f"4.3 Units off for all the data, of {runs * width} (30 steps at {large}, then 500 at {good})"
    header = ["", "off after 30 steps", "off at the end", "without gradient", "median loss"]
    table(title, header, rows)
    return found


# ------------------------------------------------------------------------------- 4.4 zero-centred tanh

# tanh differs from the sigmoid in two ways: it is centred, and four times as steep. Two go-betweens tell
# which of the two it is that matters.
FAMILY: dict[str, tuple[Activation, str]] = {
    "sigmoid": (slopes.sigmoid, "Xavier"),
    "sigmoid - 1/2": (lambda x: slopes.sigmoid(x) - 0.5, "Xavier"),
    "tanh + 1": (lambda x: slopes.tanh(x) + 1, "Xavier"),
    "tanh": (slopes.tanh, "Xavier"),
    "relu": (slopes.relu, "He"),
}


def centred() -> dict[str, Any]:
    """Chapter 4.4: does a centred activation learn faster, or is it the steeper slope?"""
    x, y = rings()
    rates, runs, steps, goal, common = (0.1, 0.3, 1.0, 3.0, 10.0), 7, 300, 0.1, 1.0
    found: dict[str, Any] = {}
    rows = []
    for name, (activation, start) in FAMILY.items():
        row, found[name] = [], {}
        for layers_deep in (1, 3):
            layers = networks([2] + [12] * layers_deep + [1], runs=runs, start=start, rates=len(rates))
            mean = forward(layers, x, activation)[1][-1].mean().item()
            losses = descend(layers, x, y, activation, slopes.binary_cross_entropy, rates, steps)
            step = torch.arange(1, steps + 1, device=DEVICE)[:, None]
            arrived = torch.where(losses < goal, step, steps + 1).amin(dim=0).reshape(len(rates), runs)
            best = int(arrived.double().median(dim=1).values.argmin())
            median = int(arrived[best].median())
            losses = losses.reshape(steps, len(rates), runs)[:, rates.index(common)]
            rose = (losses[1:] > losses[:-1]).double().mean().item()
            found[name][f"{layers_deep}"] = {
                "steps": median, "rate": rates[best], "mean": mean, "rose": rose,
                "each": sorted(arrived[best].tolist()),
            }  # fmt: skip
            row += [str(median) if median <= steps else f"over {steps}", f"{rose:.0%}"]
        rows.append([name, f"{found[name]['1']['mean']:+.2f}", *row])
    header = ["", "mean at start", "1 layer: steps", "rose", "3 layers: steps", "rose"]
    table(
        f"4.4 Two rings: steps until the loss is below {goal} (median of {runs}, best of {len(rates)} rates)",
        header,
        rows,
    )
    say(f"'rose' is the share of steps on which the loss went up, at the common rate {common:g}.")
    return found


# ------------------------------------------------------------------------ 4.5 a linear hidden layer


def linear_layers() -> dict[str, Any]:
    """Chapter 4.5 and 4.6: linear layers in a row are one layer, which can nevertheless be worth having."""
    x = normal(100, 2, seed=41)
    layers = networks([2, 16, 16, 1], runs=1, start="PyTorch")
    (w1, b1), (w2, b2), (w3, b3) = layers
    weight, bias = w1 @ w2 @ w3, (b1 @ w2 + b2) @ w3 + b3  # the one layer that they are
    difference = (forward(layers, x, slopes.linear)[0] - (x @ weight + bias)).abs().max().item()

    corners = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=torch.float64, device=DEVICE)
    tasks = {
        "xor": (corners, torch.tensor([[0.0], [1.0], [1.0], [0.0]], dtype=torch.float64, device=DEVICE)),
        "rings": rings(),
    }
    found: dict[str, Any] = {"collapse": difference, "trained": {}}
    rows = []
    for name, activation in (("linear", slopes.linear), ("relu", slopes.relu)):
        row = [f"2-16-16-1, {name}"]
        for task, (inputs, labels) in tasks.items():
            layers = networks([2, 16, 16, 1], runs=5, start="He")
            losses = descend(layers, inputs, labels, activation, slopes.binary_cross_entropy, [0.3], steps=400)
            right = accuracy(layers, inputs, labels, activation).median().item()
            found["trained"][f"{name} {task}"] = {"loss": losses[-1].median().item(), "accuracy": right}
            row += [f"{losses[-1].median():.3f}", f"{right:.0%}"]
            if task == "rings":
                found["trained"][f"{name} {task}"]["_layers"] = layers
        rows.append(row)
    header = ["", "XOR: loss", "right", "rings: loss", "right"]
    table("4.5 Linear hidden layers against ReLU (median of 5; guessing costs log 2 = 0.693)", header, rows)
    verdict = "less" if difference < 1e-14 else "more"
    say(f"The three linear layers and the one that they multiply out to differ by {verdict} than 1e-14.")

    # A bottleneck: 256 -> 16 -> 256 without a bend between. It reaches exactly the matrices of rank 16.
    wide, narrow = 256, 16
    low_rank = normal(wide, narrow, seed=42) @ normal(narrow, wide, seed=43)
    u, s, v = torch.linalg.svd(low_rank)
    down, up = u[:, :narrow] * s[:narrow], v[:narrow]
    rebuilt = ((down @ up - low_rank).norm() / low_rank.norm()).item()

    # And an autoencoder of linear layers learns the result of principal component analysis.
    basis = torch.linalg.qr(normal(20, 20, seed=44)).Q
    data = normal(200, 20, seed=45) * 0.8 ** torch.arange(20, device=DEVICE) @ basis
    data = data - data.mean(dim=0)
    pca = (torch.linalg.svdvals(data)[3:] ** 2).sum() / data.numel()
    autoencoder = networks([20, 3, 20], runs=1, start="Xavier")
    learnt = descend(autoencoder, data, data, slopes.linear, slopes.mse, [2.0], steps=1500)[-1, 0]
    excess = (learnt / pca - 1).item()
    rows = [
        ["weights of one layer 256 to 256", f"{wide * wide:,}"],
        ["weights of the bottleneck 256 to 16 to 256", f"{2 * wide * narrow:,}"],
        [
            "a matrix of rank 16, rebuilt by the bottleneck",
            f"off by {'less' if rebuilt < 1e-13 else 'more'} than 1e-13",
        ],
        ["PCA of 20 numbers to 3: error left", f"{pca:.5f}"],
        ["linear autoencoder 20 to 3 to 20, trained", f"{learnt:.5f}"],
    ]
    table("4.6 What a linear hidden layer is good for", ["", "measured"], rows)
    found |= {"rebuilt": rebuilt, "pca": pca.item(), "autoencoder": learnt.item(), "excess": excess}
    return found


# ------------------------------------------------------------------------------- 4.7 MSE against MAE


def equation(slope: float, offset: float) -> str:
    """Print a line's equation."""
    return f"{slope:.2f} x {'-' if offset < 0 else '+'} {abs(offset):.2f}"


def outlier() -> dict[str, Any]:
    """Chapter 4.7: the effect of one wrong number on the mean squared and the mean absolute error."""
    data = np.array([1.0, 2.0, 3.0, 4.0, 100.0])
    guesses = np.linspace(0, 110, 11001)
    pairs = np.repeat(guesses[:, None], len(data), axis=1), np.repeat(data[None], len(guesses), axis=0)
    found: dict[str, Any] = {"constant": {}, "line": {}}

    x = torch.linspace(0, 3, 25, dtype=torch.float64, device=DEVICE).reshape(-1, 1)
    y = 2 * x + 1 + 0.2 * normal(25, 1, seed=51)
    y[22] += 20  # somebody typed a digit too many
    found["data"] = x.flatten().tolist(), y.flatten().tolist()
    rows = []
    for card in (slopes.mse, slopes.mae, slopes.huber):
        constant = guesses[card(*pairs, reduction="none").mean(axis=1).argmin()]
        line = networks([1, 1], runs=1, start="PyTorch")
        for rate in (0.1, 0.01, 0.001):  # smaller and smaller, for the slope of MAE does not shrink by itself
            descend(line, x, y, slopes.linear, card, [rate], steps=500)
        slope, offset = line[0][0].item(), line[0][1].item()
        found["constant"][card.name], found["line"][card.name] = constant, (slope, offset)
        rows.append([card.name, f"{constant:.2f}", equation(slope, offset)])
    rows.append(["(truth)", f"mean {data.mean():.2f}, median {np.median(data):.2f}", equation(2, 1)])
    table("4.7 One outlier", ["loss", "best constant for 1, 2, 3, 4, 100", "line through 25 points"], rows)
    return found


# --------------------------------------------------------------------------------------- 4.8 the cost


def cost() -> dict[str, Any]:
    """Chapter 4.8: is the sigmoid costly, and is it because of the division?"""
    x = normal(1_000_000, seed=61).float()
    weight = normal(256, 256, seed=62).float()
    rows_in = x[: 3900 * 256].reshape(3900, 256)

    def milliseconds(work: Callable[[], Any], repeats: int = 30) -> float:
        best = math.inf
        for _ in range(repeats):
            if DEVICE == "cuda":
                torch.cuda.synchronize()
            start = time.perf_counter()
            work()
            if DEVICE == "cuda":
                torch.cuda.synchronize()
            best = min(best, time.perf_counter() - start)
        return 1e3 * best

    s = torch.sigmoid(x)
    works = {
        "relu": lambda: torch.relu(x),
        "divide: 1 / x": lambda: 1 / x,
        "exponential: exp(x)": lambda: torch.exp(x),
        "sigmoid": lambda: torch.sigmoid(x),
        "tanh": lambda: torch.tanh(x),
        "sigmoid's slope: s (1 - s)": lambda: s * (1 - s),
        "slopes.sigmoid": lambda: slopes.sigmoid(x),
        "linear layer 256 to 256": lambda: rows_in @ weight,
    }
    times = {name: milliseconds(work) for name, work in works.items()}
    rows = [[name, f"{taken:.2f}", f"{taken / times['relu']:.1f}"] for name, taken in times.items()]
    where = "one CPU thread" if DEVICE == "cpu" else torch.cuda.get_device_name()
    table(f"4.8 Time for a million float32 numbers, on {where}", ["", "ms", "times relu"], rows)
    return {"milliseconds": times}


# ==================================================================================================
# 5. A loss of one's own, and the training that the lesson stops short of
# ==================================================================================================

x = [[1, 2], [3, 4], [5, 6], [7, 8]]
y = [[3], [7], [11], [15]]


class MyDataset(Dataset[tuple[Tensor, Tensor]]):
    """Pairs of numbers, and their sums."""

    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x = x.clone().detach()
        self.y = y.clone().detach()

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.x[index], self.y[index]


class MyNeuralNet(nn.Module):
    """Two inputs, eight ReLU units, one output."""

    def __init__(self) -> None:
        super().__init__()
        self.input_to_hidden_layer = nn.Linear(2, 8)
        self.hidden_layer_activation = slopes.relu
        self.hidden_to_output_layer = nn.Linear(8, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return one number per row."""
        x = self.input_to_hidden_layer(x)
        x = self.hidden_layer_activation(x)
        return self.hidden_to_output_layer(x)


@slopes.loss("regression")
def my_mean_squared_error(prediction: Any, target: Any) -> Any:
    """My mean squared error: the squared difference; the decorator takes the mean."""
    return (prediction - target) ** 2


def custom_loss() -> dict[str, Any]:
    """Chapter 5.1: the lesson's own loss, against torch.nn.MSELoss."""
    torch.manual_seed(1)
    X, Y = torch.tensor(x).float().to(DEVICE), torch.tensor(y).float().to(DEVICE)
    mynet = MyNeuralNet().to(DEVICE)
    found = {}
    for name, loss in (("mine", my_mean_squared_error), ("torch", nn.MSELoss())):
        mynet.zero_grad()
        value = loss(mynet(X), Y)
        value.backward()
        found[name] = value.detach(), torch.cat([p.grad.flatten() for p in mynet.parameters()])  # type: ignore[union-attr]
    value_gap = abs(found["mine"][0] / found["torch"][0] - 1).item()
    gradient_gap = ((found["mine"][1] - found["torch"][1]).abs().max() / found["torch"][1].abs().max()).item()

    # The card does more: it refuses a shape that only broadcasts, where PyTorch warns and goes on.
    flat = Y.flatten()
    broadcast, _ = heard(nn.MSELoss(), mynet(X).detach(), flat)
    try:
        my_mean_squared_error(mynet(X), flat)
        refusal = "accepted"
    except ValueError as error:
        refusal = str(error)
    rows = [
        ["my_mean_squared_error", f"{found['mine'][0]:.4f}", f"{found['mine'][1].norm():.4f}"],
        ["torch.nn.MSELoss", f"{found['torch'][0]:.4f}", f"{found['torch'][1].norm():.4f}"],
        [
            "relative difference below 1e-6",
            *("yes" if gap < 1e-6 else "no" for gap in (value_gap, gradient_gap)),
        ],
        ["torch.nn.MSELoss, target of shape (4,)", f"{broadcast:.4f}", "(a warning, and the wrong loss)"],
    ]
    table("5.1 My loss and PyTorch's, on the untrained network", ["", "loss", "norm of the gradient"], rows)
    say("With a target of shape (4,) mine says:")
    print(f"  {refusal}")
    report = slopes.audit(my_mean_squared_error)
    say("The audit of my loss says:")
    print(f"  {report}")
    return {
        "value_gap": value_gap, "gradient_gap": gradient_gap, "refusal": refusal, "audit_ok": report.ok,
        "loss": found["mine"][0].item(), "broadcast_loss": broadcast.item(),
    }  # fmt: skip


def train(x: Tensor, y: Tensor, rate: float, epochs: int) -> tuple[MyNeuralNet, list[float]]:
    """Train the lesson's network with its data loader, and return it with its loss after every epoch."""
    torch.manual_seed(1)
    mynet = MyNeuralNet().to(DEVICE)
    dl = DataLoader(MyDataset(x, y), batch_size=2, shuffle=True, generator=torch.Generator().manual_seed(1))
    optimizer = torch.optim.SGD(mynet.parameters(), lr=rate)
    history = []
    for _ in range(epochs):
        for batch_x, batch_y in dl:
            loss = my_mean_squared_error(mynet(batch_x), batch_y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            history.append(my_mean_squared_error(mynet(x), y).item())
    return mynet, history


def training() -> dict[str, Any]:
    """Chapter 5.2: training, unseen sums, and the limits of four points on a line."""
    X, Y = torch.tensor(x).float().to(DEVICE), torch.tensor(y).float().to(DEVICE)
    mynet, history = train(X, Y, rate=0.005, epochs=300)
    deadnet, dead_history = train(X, Y, rate=0.02, epochs=300)
    marks = (1, 10, 100, 300)
    rows = [
        [f"learning rate {rate}", *(f"{losses[epoch - 1]:.2g}" for epoch in marks), f"{off} of 8"]
        for rate, losses, off in (
            ("0.005", history, int((mynet.input_to_hidden_layer(X) <= 0).all(dim=0).sum())),
            ("0.02", dead_history, int((deadnet.input_to_hidden_layer(X) <= 0).all(dim=0).sum())),
        )
    ]
    dead_units = rows[1][-1]
    table("5.2 Training: loss after each epoch", ["epoch:", *map(str, marks), "units off"], rows)

    # The lesson's four points lie on the line b = a + 1, where a + b, 2a + 1 and 2b - 1 are one and the same.
    # Off that line the network's output is arbitrary; sixty pairs settle it.
    pairs = torch.randint(0, 11, (60, 2), generator=torch.Generator().manual_seed(2)).float().to(DEVICE)
    taught, _ = train(pairs, pairs.sum(dim=1, keepdim=True), rate=0.002, epochs=60)
    asked = [(1, 2), (7, 8), (2, 3), (9, 10), (20, 21), (2, 2), (10, 1), (1, 10)]
    why = ["seen"] * 2 + ["on the line, between"] + ["on the line, beyond"] * 2 + ["off the line"] * 3
    rows, answers = [], {}
    for (a, b), place in zip(asked, why, strict=True):
        question = torch.tensor([[a, b]], device=DEVICE).float()
        with torch.no_grad():
            said = [net(question).item() for net in (mynet, deadnet, taught)]
        answers[f"{a}+{b}"] = said
        rows.append([f"{a} + {b}", str(a + b), *(f"{answer:.2f}" for answer in said), place])
    header = ["sum", "true", "rate 0.005", "rate 0.02", "60 pairs", "where"]
    table("5.3 What the trained networks answer", header, rows)

    square = torch.cartesian_prod(torch.linspace(0, 12, 61), torch.linspace(0, 12, 61)).to(DEVICE)
    with torch.no_grad():
        off = [(net(square)[:, 0] - square.sum(dim=1)).abs().reshape(61, 61).cpu().numpy() for net in (mynet, taught)]
    return {
        "history": history, "dead_history": dead_history, "dead_units": dead_units, "answers": answers,
        "variance": Y.var(correction=0).item(), "_off": off, "_pairs": pairs.cpu().numpy(),
    }  # fmt: skip


# ==================================================================================================
# The lesson, from top to bottom
# ==================================================================================================


def main() -> None:
    """Run all chapters, draw the pictures, and write figures.json."""
    parser = argparse.ArgumentParser(description="The lesson on activation and loss functions, measured.")
    parser.add_argument("--out", type=Path, default=Path("lesson-output"), help="folder of the pictures")
    parser.add_argument(
        "--language", nargs="+", choices=["en", "zh"], default=["en"],
        help="language of tables and pictures; Chinese pictures go to OUT/zh",
    )  # fmt: skip
    options = parser.parse_args()
    out, languages[:] = options.out, options.language
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # such small networks run fastest so
    start = time.perf_counter()
    print(f"The lesson on {DEVICE}, with slopes {slopes.__version__} and torch {torch.__version__}")

    say("\n1. THE FUNCTIONS")
    chapters = {"functions": functions()}
    say("\n2. THE TEXTBOOK FORMULA BESIDE OURS")
    chapters["textbook"] = textbook()
    say("\n3. THREE SLIPS, PUT RIGHT")
    chapters["slips"] = slips()
    say("\n4. FOR AND AGAINST, MEASURED")
    chapters |= {"depth": depth(), "dying": dying(), "centred": centred()}
    chapters |= {"linear": linear_layers(), "outlier": outlier(), "cost": cost()}
    say("\n5. A LOSS OF ONE'S OWN, AND TRAINING")
    chapters |= {"custom": custom_loss(), "training": training()}

    kept = digits_kept()
    for language in languages:
        fonts = lesson_words.fonts(language)
        if fonts is None:
            print(f"\nNo pictures in {language}: install a font such as {lesson_words.CHINESE_FONTS[0]}.")
        else:
            draw(chapters, kept, out if language == "en" else out / language, language, fonts)
    (out / "figures.json").write_text(json.dumps(plain(chapters), indent=1) + "\n")
    print(f"\n{len(list(out.rglob('*.png')))} pictures and figures.json are in {out}")
    print(f"Done in {time.perf_counter() - start:.0f} s.")


def plain(found: Any) -> Any:
    """Return figures as JSON takes them, rounded to six digits, without the keys that begin with _."""
    if isinstance(found, dict):
        return {name: plain(value) for name, value in found.items() if not name.startswith("_")}
    if isinstance(found, (list, tuple)):
        return [plain(value) for value in found]
    return float(f"{found:.6g}") if isinstance(found, (float, np.floating)) else found


# ==================================================================================================
# The pictures
# ==================================================================================================

INK, SOFT, GRID = "#1f2933", "#616e7c", "#e4e7eb"
BLUE, RED, GREEN, PURPLE = "#0072b2", "#d55e00", "#00876c", "#a3528f"  # told apart by colour-blind eyes too
STYLE = {
    "figure.facecolor": "white", "axes.facecolor": "white", "savefig.facecolor": "white",
    "font.size": 9.5, "text.color": INK,
    "axes.edgecolor": SOFT, "axes.labelcolor": SOFT, "axes.linewidth": 0.8, "axes.axisbelow": True,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
    "grid.color": GRID, "grid.linewidth": 0.7,
    "axes.titlesize": 10.5, "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.titlepad": 9,
    "xtick.color": SOFT, "ytick.color": SOFT, "xtick.major.size": 0, "ytick.major.size": 0,
    "xtick.minor.size": 0, "ytick.minor.size": 0,
    "lines.linewidth": 2.0, "lines.solid_capstyle": "round",
}  # fmt: skip


def note(ax: Any, x: float, y: float, text: str, color: str = INK, **options: Any) -> None:
    """Write a label right beside its object."""
    ax.text(x, y, text, color=color, **{"fontsize": 9, "va": "center"} | options)


def draw(chapters: dict[str, Any], kept: dict[str, Any], out: Path, language: str, fonts: list[str]) -> None:
    """Draw every picture into the folder, with its words in the language."""
    out.mkdir(parents=True, exist_ok=True)
    style: Any = STYLE | {"font.family": fonts}
    with plt.rc_context(style):
        for name, picture in {
            "functions": draw_functions(),
            "digits": draw_digits(kept),
            "depth": draw_depth(chapters["depth"]),
            "dying": draw_dying(chapters["dying"]),
            "centred": draw_centred(chapters["centred"]),
            "linear": draw_linear(chapters["linear"]),
            "outlier": draw_outlier(chapters["outlier"]),
            "training": draw_training(chapters["training"]),
        }.items():
            for text in picture.findobj(matplotlib.text.Text):
                text.set_text(lesson_words.translate(text.get_text(), language))
            picture.savefig(out / f"{name}.png", dpi=135)
            plt.close(picture)


def draw_functions() -> Any:
    """Draw each function of the lesson with its derivative."""
    figure, axes = plt.subplots(2, 4, figsize=(11, 5.4), layout="constrained")
    x = np.linspace(-5, 5, 1001)
    panels: list[tuple[str, Any, Any, Any, str]] = []
    for card in (slopes.sigmoid, slopes.tanh, slopes.relu, slopes.linear):
        panels.append((card.name, x, card(x), card.slope(x), "x"))
    rows = np.stack([x, 0 * x, 0 * x], axis=1)
    first = np.zeros_like(rows)
    first[:, 0] = 1
    pulled = slopes.softmax.vjp(rows, first)[:, 0]
    panels.append(("softmax of (x, 0, 0)[0]", x, slopes.softmax(rows)[:, 0], pulled, "x"))
    r = np.linspace(-2.5, 2.5, 1001)
    for loss in (slopes.mse, slopes.mae):
        panels.append(
            (
                loss.name,
                r,
                loss(r, 0 * r, reduction="none"),
                loss.slope(r, 0 * r, reduction="sum"),
                "prediction − target",
            )
        )
    p = np.linspace(0.02, 1, 1001)
    others = np.stack([p, (1 - p) / 2, (1 - p) / 2], axis=1)
    right = np.zeros(len(p), dtype=int)
    value, slope = slopes.categorical_cross_entropy.value_and_slope(others, right, reduction="none")
    panels.append(("categorical_cross_entropy", p, value, slope[:, 0], "probability of the right class"))
    limits = {
        "sigmoid": (-0.1, 1.1),
        "tanh": (-1.2, 1.2),
        "mse": (-5, 6.5),
        "mae": (-1.5, 2.7),
        "categorical_cross_entropy": (-8, 4.2),
    }
    for ax, (name, inputs, value, slope, label) in zip(axes.flat, panels, strict=True):
        jumps = name in ("relu", "mae")
        slope = np.where(np.abs(inputs) < 1e-9, np.nan, slope) if jumps else slope  # no line across a jump
        ax.plot(inputs, value, color=BLUE)
        ax.plot(inputs, slope, color=RED, linewidth=1.6, linestyle=(0, (4, 1.6)))
        ax.set_title(name)
        ax.set_xlabel(label)
        ax.margins(x=0)
        if name in limits:
            ax.set_ylim(*limits[name])
    axes[0, 2].set_ylim(-0.4, 5)
    axes[1, 0].set_ylim(-0.1, 1.1)
    note(axes[0, 0], 1.5, 0.66, "value", BLUE, fontweight="bold")
    note(axes[0, 0], 1.5, 0.30, "derivative", RED, fontweight="bold")
    return figure


def draw_digits(kept: dict[str, Any]) -> Any:
    """Draw how many right digits the textbook formulae keep, and ours."""
    figure, axes = plt.subplots(1, 4, figsize=(11, 3.1), layout="constrained")
    for ax, (name, (inputs, textbook_digits, our_digits)) in zip(axes, kept.items(), strict=True):
        ax.fill_between(inputs, textbook_digits, our_digits, color=RED, alpha=0.10, linewidth=0)
        ax.plot(inputs, our_digits, color=BLUE)
        ax.plot(inputs, textbook_digits, color=RED, linewidth=1.6)
        if name.startswith(("tanh", "−log2")):
            ax.set_xscale("log")
        ax.set_title(name)
        ax.set_ylim(-0.4, 17.5)
        ax.set_yticks([0, 4, 8, 12, 16])
        ax.margins(x=0.01)
        ax.set_xlabel("p" if name.startswith("−log2") else "x")
    axes[0].set_ylabel("right decimal digits")
    note(axes[0], -60, 8.6, "slopes", BLUE, fontweight="bold", ha="center")
    note(axes[0], -84, 3.4, "textbook", RED, fontweight="bold", rotation=0, ha="left")
    note(axes[1], 3e2, 1.6, "then NaN", RED, ha="right")
    note(axes[2], 21, 1.6, "0", RED, ha="left")
    note(axes[3], 2e-20, 1.6, "0", RED, ha="left")
    return figure


def draw_depth(found: dict[str, Any]) -> Any:
    """Draw the first layer's gradient against depth."""
    figure, ax = plt.subplots(figsize=(7.4, 4.0), layout="constrained")
    colors = dict(zip(found["norms"], (RED, GREEN, BLUE, PURPLE), strict=True))
    for name, norms in found["norms"].items():
        ax.plot(found["depths"], norms, color=colors[name], marker="o", markersize=4.5)
        note(
            ax,
            35,
            norms[-1] * {"relu, He start": 5, "tanh, Xavier start": 0.2}.get(name, 1),
            name,
            colors[name],
            fontweight="bold",
        )
    ax.set_yscale("log")
    ax.set_xscale("log", base=2)
    ax.set_xticks(found["depths"], map(str, found["depths"]))
    ax.set_xlim(0.93, 33)
    ax.set_xlabel("hidden layers")
    ax.set_title("Norm of the gradient at the first layer")
    return figure


def draw_dying(found: dict[str, Any]) -> Any:
    """Draw the loss of networks whose first thirty steps were too large."""
    figure, ax = plt.subplots(figsize=(7.4, 3.9), layout="constrained")
    names = [name for name in found if name.startswith(("relu", "leaky"))]
    colors = dict(zip(names, (SOFT, RED, PURPLE, BLUE), strict=True))
    ax.axvspan(0, 30, color=RED, alpha=0.08, linewidth=0)
    note(ax, 34, 1.75, "30 steps at 0.3, then 0.05", SOFT)
    ax.axhline(found["variance"], color=SOFT, linewidth=1, linestyle=(0, (1, 2)))
    note(ax, 524, found["variance"] * 1.13, "the best constant", SOFT, ha="right")
    for name in names:
        history = found[name]["_history"]
        ax.plot(history, color=colors[name], linewidth=1.7)
        text = name if name.endswith("throughout") else f"{name}: {found[name]['frozen']} of {found['units']} frozen"
        apart = {"leaky_relu, slope 0.01": 1.05, "leaky_relu, slope 0.1": 0.96}.get(name, 1)
        note(ax, 540, history[-1] * apart, text, colors[name], fontweight="bold")
    ax.set_yscale("log")
    ax.set_ylim(0.05, 2.6)
    ax.set_yticks([0.1, 0.3, 1], ["0.1", "0.3", "1"])
    ax.set_xlim(0, 530)
    ax.set_xticks([0, 100, 200, 300, 400, 500])
    ax.set_xlabel("step")
    ax.set_title("Mean squared error (median of 5 networks of 64 units)")
    return figure


def draw_centred(found: dict[str, Any]) -> Any:
    """Draw how many steps each member of the sigmoid's family takes."""
    figure, axes = plt.subplots(1, 2, figsize=(9.2, 2.9), layout="constrained", sharey=True, sharex=True)
    names = list(found)[::-1]
    for ax, layers in zip(axes, ("1", "3"), strict=True):
        for row, name in enumerate(names):
            each, median = found[name][layers]["each"], found[name][layers]["steps"]
            color = {"relu": SOFT, "sigmoid": RED, "tanh + 1": RED}.get(name, BLUE)
            if median > 300:
                note(ax, 300, row, "not within 300 steps", color, ha="right", fontweight="bold")
                continue
            ax.scatter(each, [row] * len(each), s=26, color=color, alpha=0.30, linewidth=0)
            ax.scatter([median], [row], s=58, color=color, zorder=3)
            note(ax, median, row + 0.36, str(median), color, ha="center", fontweight="bold")
        ax.set_title(f"{layers} hidden layer{'s' * (layers != '1')}")
        ax.set_xlim(0, 305)
        ax.set_ylim(-0.5, len(names) - 0.3)
        ax.set_yticks(range(len(names)), names, color=INK)
        ax.spines["left"].set_visible(False)
        ax.set_xlabel("steps until the loss is below 0.1")
    return figure


def draw_linear(found: dict[str, Any]) -> Any:
    """Draw how a linear and a ReLU network divide two rings."""
    figure, axes = plt.subplots(1, 2, figsize=(7.6, 3.7), layout="constrained")
    points, labels = (tensor.cpu().numpy() for tensor in rings())
    ticks = torch.linspace(-2.7, 2.7, 181, dtype=torch.float64)
    plane = torch.cartesian_prod(ticks, ticks).to(DEVICE)
    for ax, (name, activation) in zip(axes, (("linear", slopes.linear), ("relu", slopes.relu)), strict=True):
        trained = found["trained"][f"{name} rings"]
        with torch.no_grad():
            logit = forward(trained["_layers"], plane, activation)[0][0, :, 0].reshape(181, 181).cpu().numpy()
        p = slopes.sigmoid(logit).T
        ax.contourf(ticks, ticks, p, levels=[0, 0.5, 1], colors=["#fbe9dd", "#dcebf5"])
        ax.contour(ticks, ticks, p, levels=[0.5], colors=[INK], linewidths=1)
        for value, color in ((0, RED), (1, BLUE)):
            chosen = labels[:, 0] == value
            ax.scatter(*points[chosen].T, s=16, color=color, edgecolor="white", linewidth=0.5)
        right = accuracy(trained["_layers"], *rings(), activation)[0].item()
        ax.set_title(f"2-16-16-1, {name}: {right:.0%} right")
        ax.set_aspect("equal")
        ax.set_xticks([])
        ax.set_yticks([])
        ax.spines[:].set_visible(False)
    return figure


def draw_outlier(found: dict[str, Any]) -> Any:
    """Draw the lines that MSE and MAE put through points, one of them wrong."""
    figure, ax = plt.subplots(figsize=(7.4, 3.7), layout="constrained")
    inputs, outputs = map(np.array, found["data"])
    ends = np.array([0, 3.0])
    wrong = outputs > 12
    ax.plot(ends, 2 * ends + 1, color=SOFT, linewidth=5, alpha=0.25)
    ax.scatter(inputs[~wrong], outputs[~wrong], s=18, color=INK, zorder=3)
    ax.scatter(inputs[wrong], outputs[wrong], s=46, facecolor="white", edgecolor=INK, linewidth=1.4, zorder=3)
    note(ax, inputs[wrong][0] - 0.07, outputs[wrong][0], "the outlier", INK, ha="right")
    for name, color, shift in (("mse", RED, 0.0), ("huber", PURPLE, 0.55), ("mae", BLUE, -0.75)):
        slope, offset = found["line"][name]
        ax.plot(ends, slope * ends + offset, color=color, linewidth=1.8)
        end = 3 * slope + offset
        note(ax, 3.05, end + shift, f"{name}: {equation(slope, offset)}", color, fontweight="bold")
    note(ax, 3.05, 5.1, f"truth: {equation(2, 1)}", SOFT)
    ax.set_xlim(-0.05, 3.03)
    ax.set_xticks([0, 1, 2, 3])
    ax.set_title("A line through 25 points, by three losses")
    return figure


def draw_training(found: dict[str, Any]) -> Any:
    """Draw the lesson's training, and where the trained networks go wrong."""
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.7), layout="constrained", width_ratios=[1.15, 1, 1])
    ax = axes[0]
    epochs = np.arange(1, len(found["history"]) + 1)
    ax.plot(epochs, found["dead_history"], color=RED, linewidth=1.5)
    ax.plot(epochs, found["history"], color=BLUE, linewidth=1.5)
    note(ax, 295, found["variance"] * 4.5, "rate 0.02: all units dead", RED, ha="right", fontweight="bold")
    note(ax, 60, 1e-1, "rate 0.005", BLUE, ha="left", fontweight="bold")
    ax.set_yscale("log")
    ax.set_xlim(0, 300)
    ax.set_xlabel("epoch")
    ax.set_title("Loss on the four points")
    line = np.array([0, 11.0])
    seen = np.array(x, dtype=float), found["_pairs"]
    shades: Any = None
    for ax, off, dots, title in zip(
        axes[1:], found["_off"], seen, ("Four points on a line", "Sixty from the square"), strict=True
    ):
        ticks = np.linspace(0, 12, 61)
        shades = ax.contourf(ticks, ticks, off.T, levels=[0, 0.125, 0.25, 0.5, 1, 2, 4], cmap="YlOrBr")
        ax.scatter(*dots.T, s=26, color=BLUE, edgecolor="white", linewidth=0.8, zorder=3)
        ax.set_title(f"{title}: error")
        ax.set_aspect("equal")
        ax.set_xlabel("first number")
        ax.set_xticks([0, 4, 8, 12])
        ax.set_yticks([0, 4, 8, 12])
        ax.set_xlim(-0.4, 12)
        ax.set_ylim(-0.4, 12)
        ax.grid(False)
    axes[1].plot(line, line + 1, color=BLUE, linewidth=1, linestyle=(0, (3, 2)))
    axes[1].set_ylabel("second number")
    bar = figure.colorbar(shades, ax=axes[2], shrink=0.85, aspect=18, format="%g")
    bar.outline.set_visible(False)
    bar.ax.tick_params(size=0)
    return figure


if __name__ == "__main__":
    main()
