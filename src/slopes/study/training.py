"""One stack of runs: an activation, a loss and a learning rate, trained for all seeds side by side.

Read `train` top to bottom: it is all that happens to a network.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from slopes.study.feeding import Feed, feed, probabilities
from slopes.study.models import BatchOrder, Stack
from slopes.study.tasks import Split, Task

BATCH = 64
SATURATED = 1e-3  #: a unit whose mean absolute slope is less hardly learns


def train(
    activation: Any, loss: Any, rate: float, seeds: Sequence[int], epochs: int, task: Task
) -> list[dict[str, Any]]:
    """Train one network per seed and return the outcome of each, as plain numbers.

    Adam, because it divides a gradient by its own size: a loss is then not favoured for its scale, as under
    plain descent cross-entropy would be over mse, which is a mean over ten classes. A network whose loss,
    gradient or weights stop being finite has diverged: it goes back to the end of its last finite epoch, stays
    there, and is judged like every other.
    """
    with torch.enable_grad():
        stack = Stack(seeds, task.features, task.classes)
        orders = [BatchOrder(seed, len(task.train), BATCH) for seed in seeds]
        head = feed(loss)
        # foreach: the fused kernel rounds by where in memory a number lies, so runs would depend on the stack
        optimiser = torch.optim.Adam(stack.parameters, lr=rate, foreach=True)
        diverged: list[int | None] = [None] * len(seeds)
        losses, gradients, validation, units, seconds = [], [], [], [], []
        for epoch in range(1, epochs + 1):
            before = [parameter.detach().clone() for parameter in stack.parameters]
            order = torch.stack([order.epoch() for order in orders], dim=1)
            start = time.process_time()
            mean_loss, mean_gradient = _epoch(stack, activation, loss, head, optimiser, task.train, order)
            seconds.append((time.process_time() - start) / len(seeds))
            for i, fine in enumerate(_finite(mean_loss, mean_gradient, *stack.parameters)):
                if not fine and diverged[i] is None:
                    diverged[i] = epoch
            _restore(stack.parameters, before, torch.tensor([when is not None for when in diverged]))
            losses.append(mean_loss)
            gradients.append(mean_gradient)
            validation.append(_accuracy(stack, activation, task.validation))
            if epoch in (1, epochs):
                units.append(_units(stack, activation, task.validation))
        scores = _judge(stack, activation, head, task.test)
    return [
        {
            **{name: values[i].item() for name, values in scores.items()},
            "validation": [accuracy[i].item() for accuracy in validation],
            "training_loss": [_until(diverged[i], e, value[i].item()) for e, value in enumerate(losses, 1)],
            "gradient": [_until(diverged[i], e, value[i].tolist()) for e, value in enumerate(gradients, 1)],
            "dead": [dead[i].tolist() for dead, _ in units],
            "saturated": [saturated[i].tolist() for _, saturated in units],
            "diverged": diverged[i],
            "seconds_per_epoch": float(np.median(seconds)),
            "stack": len(seeds),
        }
        for i in range(len(seeds))
    ]


def _until(diverged: int | None, epoch: int, value: Any) -> Any:
    """The value, or None from the epoch on in which the network diverged."""
    return value if diverged is None or epoch < diverged else None


def _epoch(
    stack: Stack,
    activation: Any,
    loss: Any,
    head: Feed,
    optimiser: torch.optim.Optimizer,
    data: Split,
    order: Tensor,
) -> tuple[Tensor, Tensor]:
    """One pass over the training data: the mean loss (seed,) and mean gradient norm (seed, layer) of its steps."""
    losses = torch.zeros(order.shape[1])
    gradients = torch.zeros(order.shape[1], len(stack.weights))
    for step in order:
        logits, _ = stack(activation, data.inputs[step])
        each = loss(*head(logits, data.labels[step]), reduction="none").flatten(1).mean(1)
        optimiser.zero_grad()
        each.sum().backward()
        losses += each.detach()
        gradients += torch.stack([_gradient(weight).flatten(1).norm(dim=1) for weight in stack.weights], dim=1)
        optimiser.step()
    return losses / len(order), gradients / len(order)


def _gradient(weight: Tensor) -> Tensor:
    return torch.zeros_like(weight) if weight.grad is None else weight.grad


def _finite(*tensors: Tensor) -> list[bool]:
    """For each network of the stack, whether all of its numbers are finite."""
    verdicts: list[bool] = (
        torch.stack([t.detach().isfinite().flatten(1).all(1) for t in map(_rows, tensors)]).all(0).tolist()
    )
    return verdicts


def _rows(tensor: Tensor) -> Tensor:
    return tensor.unsqueeze(-1) if tensor.ndim == 1 else tensor


@torch.no_grad()
def _restore(parameters: list[Tensor], before: list[Tensor], lost: Tensor) -> None:
    """Put the networks that are lost back to where they were."""
    if lost.any():
        for parameter, earlier in zip(parameters, before, strict=True):
            parameter[lost] = earlier[lost]


def _forward(stack: Stack, activation: Any, data: Split) -> tuple[Tensor, list[Tensor]]:
    """All of the data through every network."""
    return stack(activation, data.inputs.expand(len(stack.weights[0]), -1, -1))


@torch.no_grad()
def _accuracy(stack: Stack, activation: Any, data: Split) -> Tensor:
    """The share of labels that are right, (seed,)."""
    logits, _ = _forward(stack, activation, data)
    return (logits.argmax(-1) == data.labels).double().mean(1)


@torch.no_grad()
def _units(stack: Stack, activation: Any, data: Split) -> tuple[Tensor, Tensor]:
    """The shares of dead and of saturated units, each (seed, hidden layer)."""
    dead, saturated = [], []
    for before in _forward(stack, activation, data)[1]:
        slope = activation.slope(before).abs()
        gone = (slope == 0).all(1)
        dead.append(gone.double().mean(1))
        saturated.append(((slope.mean(1) < SATURATED) & ~gone).double().mean(1))
    return torch.stack(dead, dim=1), torch.stack(saturated, dim=1)


@torch.no_grad()
def _judge(stack: Stack, activation: Any, head: Feed, data: Split) -> dict[str, Tensor]:
    """The task's measures on held-out data, each (seed,)."""
    logits, _ = _forward(stack, activation, data)
    chances = probabilities(logits, head)
    chances = torch.where(chances.isfinite(), chances, 1 / chances.shape[-1])  # what is no number counts as a guess
    truth = torch.nn.functional.one_hot(data.labels, chances.shape[-1])
    right = (
        (chances * truth).sum(-1).clamp_min(torch.finfo(torch.float64).tiny)
    )  # a chance of 0 costs 708, not infinity
    return {
        "accuracy": (logits.argmax(-1) == data.labels).double().mean(1),
        "log_loss": -right.log().mean(1),
        "brier": (chances - truth).square().sum(-1).mean(1),
    }
