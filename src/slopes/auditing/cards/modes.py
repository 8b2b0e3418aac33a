"""Check of torch's modes of differentiation."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np

from slopes.auditing.cards.numerics import BEFORE
from slopes.auditing.cards.subject import Subject, spell
from slopes.auditing.evidence import Script
from slopes.auditing.report import Finding, Skip, about
from slopes.card import Loss, Map


@about(unless=BEFORE, once=True)
def forward_mode(subject: Subject) -> Iterator[Finding]:
    """Check that forward mode, which differentiates the body, and reverse mode give the slope, also at kinks."""
    if find_spec("torch") is None:
        raise Skip("torch is not installed")
    card: Any = subject.card
    tolerance: Any = (
        {"rtol": 1e-9, "atol": 1e-12} if card.rowwise or isinstance(card, Loss) else {"rtol": 1e-12, "atol": 0}
    )
    batches = list(_arguments(subject))
    if isinstance(card, Loss) and not (card.kind.batched or card.kind.has_regions):
        together = tuple(map(np.concatenate, zip(*batches, strict=True)))
        if not any(_differs(came, slope, tolerance) for *_, came, slope in _by_modes(card, together)):
            return
    for arguments in batches:
        first = arguments[0]
        for mode, came, slope in _by_modes(card, arguments):
            if _differs(came, slope, tolerance):
                index = tuple(np.argwhere(~np.isclose(came, slope, **tolerance))[0].tolist())
                yield _script(subject, arguments, mode, list(index)).finding(
                    f"training steps in a wrong direction: {mode} mode gives {float(came[index])!r} where the slope is "
                    f"{float(slope[index])!r}",
                    "let each branch of the body have the slope: no abs and no tie on the way to a smooth result",
                    "note" if isinstance(card, Loss) or first[index] in subject.kinks else "error",
                    expected="{1}",
                    shows=lambda came, slope: not np.isclose(came, slope, **tolerance),
                )


def _differs(came: Any, slope: Any, tolerance: Any) -> bool:
    return not np.allclose(came, slope, **tolerance)


def _by_modes(card: Any, arguments: tuple[Any, ...]) -> list[tuple[str, Any, Any]]:
    """(mode, gradient of the sum by it, slope) of both modes."""
    import torch

    first, *rest = (torch.from_numpy(argument) for argument in arguments)

    def total(x: Any) -> Any:
        return card(x, *rest, reduction="sum") if isinstance(card, Loss) else card(x).sum()

    def push(unit: Any) -> Any:
        return torch.func.jvp(total, (first,), (unit,))[1]

    if isinstance(card, Loss):
        slope = card.slope(*arguments, reduction="sum")
    else:
        slope = card.vjp(arguments[0], np.ones_like(card(arguments[0])))
    leaf = first.clone().requires_grad_()
    (reverse,) = torch.autograd.grad(total(leaf), leaf, materialize_grads=True)
    units = torch.eye(first.numel(), dtype=first.dtype).reshape(-1, *first.shape)
    try:
        forward = torch.func.vmap(push)(units).reshape(first.shape)
    except RuntimeError:  # a body that branches on a value
        forward = torch.stack([push(unit) for unit in units]).reshape(first.shape)
    return [("reverse", reverse, slope), ("forward", forward, slope)]


def _script(subject: Subject, arguments: tuple[Any, ...], mode: str, index: list[int]) -> Script:
    is_loss = isinstance(subject.card, Loss)
    slope = "f.slope(*arguments, reduction='sum')" if is_loss else "f.vjp(arguments[0], np.ones_like(f(arguments[0])))"
    by_mode = {
        "forward": "torch.func.jvp(total, (first,), (unit,))[1]",
        "reverse": f"torch.autograd.grad(total(first.requires_grad_()), first, materialize_grads=True)[0]{index}",
    }[mode]
    return subject.script(
        "import torch",
        spell(arguments),
        "first, *rest = map(torch.as_tensor, arguments)",
        "unit = torch.zeros_like(first)",
        f"unit{index} = 1.0",
        f"def total(x): return {'f(x, *rest, reduction=' + repr('sum') + ')' if is_loss else 'f(x).sum()'}",
        f"{by_mode}, {slope}{index}",
    )


def _arguments(subject: Subject) -> Iterator[tuple[Any, ...]]:
    card: Any = subject.card
    if isinstance(card, Loss):  # multiples of 1/2, of which many meet a kink
        shape = (4, 5, 3) if card.kind.has_regions else (4, 3)
        for seed in range(6):
            drawn = card.kind.examples(card.settings).sample(np.random.default_rng(seed), shape)
            pairs = zip(drawn, card.kind.arguments, strict=True)
            yield tuple(
                np.round(2 * x) / 2 if argument.space.whole and x.dtype.kind == "f" else np.array(x)
                for x, argument in pairs
            )
    elif isinstance(card, Map):
        yield (subject.rng.standard_normal((2, 3 * card.parts)),)
    else:
        yield (np.array([*subject.kinks, 0.0]),)
