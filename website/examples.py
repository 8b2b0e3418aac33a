"""Code for a function's page; it is run, and its output is shown."""

from __future__ import annotations

import contextlib
import io
import linecache
from typing import Any, NamedTuple

import numpy as np

import slopes
from slopes.card import Card, Loss, Map
from website.tools import load


class Example(NamedTuple):
    """Code under a title, and the text that it printed."""

    title: str
    code: str
    output: str


def run(code: str, names: dict[str, Any] | None = None) -> str:
    """Return the text that code prints; it runs among the names, and adds its own.

    Python finds the source of functions that the code defines, as evidence of the audit needs it.
    """
    out, place = io.StringIO(), f"<example {hash(code)}>"
    linecache.cache[place] = (len(code), None, code.splitlines(keepends=True), place)
    with contextlib.redirect_stdout(out):
        exec(compile(code, place, "exec"), {"__name__": "example"} if names is None else names)
    return out.getvalue().rstrip()


def examples(card: Card) -> list[Example]:
    """Return what one writes for NumPy, PyTorch, as a module and as an objective of boosting, with the results."""
    codes = {"NumPy": _numpy(card), "PyTorch": _torch(card), "A module": _module(card)}
    codes["An objective of [boosting](../boosting.md), its best start, gradient and Hessian"] = _objective(card)
    return [Example(title, code, run(code)) for title, code in codes.items() if code]


def _inputs(card: Card) -> dict[str, Any]:
    """Return small arrays by the names of the arguments."""
    if not isinstance(card, Loss):
        return {"x": np.array([[1.0, -2.0, 0.5, 3.0]] if isinstance(card, Map) else [-2.0, -0.5, 0.0, 3.0])}
    _, arguments = load("peers").shared_input(card)
    return dict(zip((argument.name for argument in card.kind.arguments), arguments, strict=True))


def _literals(inputs: dict[str, Any], function: str) -> list[str]:
    return [f"{name} = {function}({value.tolist()!r})" for name, value in inputs.items()]


def _numpy(card: Card) -> str:
    lines = ["import numpy as np", "import slopes", "", *_literals(_inputs(card), "np.array")]
    names = list(_inputs(card))
    if isinstance(card, Loss):
        lines += [f"loss, gradient = slopes.{card.name}.value_and_slope({', '.join(names)})", "print(loss)"]
        lines += ["print(gradient)"]
    elif isinstance(card, Map):
        lines += [f"print(slopes.{card.name}(x))"]
    else:
        lines += [f"print(slopes.{card.name}(x))", f"print(slopes.{card.name}.slope(x))"]
    return "\n".join(lines)


def _torch(card: Card) -> str:
    first, *_ = names = list(_inputs(card))
    lines = [
        "import torch",
        "import slopes",
        "",
        *_literals(_inputs(card), "torch.tensor"),
        f"{first}.requires_grad_()",
    ]
    call = f"slopes.{card.name}({', '.join(names)})"
    if isinstance(card, Loss):
        return "\n".join([*lines, f"loss = {call}", "loss.backward()", "print(loss.item())", f"print({first}.grad)"])
    result = f"{call}[..., 0]" if isinstance(card, Map) else call
    return "\n".join([*lines, f"y = {result}", "y.sum().backward()", "print(y.detach())", "print(x.grad)"])


def module_names(card: Card) -> list[str]:
    """Return the classes of `slopes.nn` that compute a card."""
    from slopes.nn.cards import LACKED
    from slopes.nn.replaced import TABLE

    own = [name for name, lacked in LACKED.items() if lacked is card]
    return own + [name for name, (computed, _) in TABLE.items() if computed == card.name]


def _module(card: Card) -> str:
    from slopes.nn.cards import has_classes

    inputs = _inputs(card)
    if has_classes(card):  # modules have them on axis 1
        inputs = {name: np.swapaxes(x, 1, 2) if x.ndim == 3 else x for name, x in inputs.items()}
    lines = ["import torch", "import slopes", "import slopes.nn as nn", "", *_literals(inputs, "torch.tensor")]
    lines += ["torch.manual_seed(0)"] if card.noise else []
    lines += [f"module = nn.module(slopes.{card.name})", f"print(module({', '.join(_inputs(card))}))"]
    return "\n".join(lines)


def _objective(card: Card) -> str:
    """Return code for an objective of boosting; "" for a card that is none."""
    if not isinstance(card, Loss):
        return ""
    try:
        objective = slopes.boosting.lightgbm(card)
        score, target = _inputs(card).values()
        objective.gradient_and_hessian(score, target)
    except TypeError:  # no loss of a raw score and its target, or without a Hessian
        return ""
    if not card.rowwise:
        score, target = np.ravel(score), np.ravel(target)
    return f"""\
import numpy as np
import slopes

objective = slopes.boosting.lightgbm(slopes.{card.name})
target, score = np.array({target.tolist()!r}), np.array({score.tolist()!r})
print(objective.start(target))
print(*objective.gradient_and_hessian(score, target), sep="\\n")"""
