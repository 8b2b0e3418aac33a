"""The network: many of one shape, trained side by side as one stack.

Small networks keep a processor busy mostly with calling, so the networks of several seeds are one tensor with
a leading axis, and every operation works on all at once. Nothing mixes entries along that axis: each network
computes what it would compute alone, to the bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

HIDDEN = (64, 64, 64)


class Stack:
    """Multilayer perceptrons of one shape, one per seed.

    They take (seed, sample, feature) and give (seed, sample, class). Weights start uniform by Glorot's rule, biases
    at zero; they depend on the seed alone.
    """

    def __init__(self, seeds: Sequence[int], features: int, classes: int) -> None:
        sizes = (features, *HIDDEN, classes)
        shapes = list(pairwise(sizes))
        drawn = [_draw(seed, shapes) for seed in seeds]
        self.weights = [torch.stack(layer).requires_grad_() for layer in zip(*drawn, strict=True)]
        self.biases = [torch.zeros_like(weight[:, :1]).requires_grad_() for weight in self.weights]

    @property
    def parameters(self) -> list[Tensor]:
        """All weights and biases."""
        return [*self.weights, *self.biases]

    def __call__(self, activation: Any, inputs: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the logits, and what went into the activation of each hidden layer."""
        entering: list[Tensor] = []
        hidden = inputs
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            entering.append(torch.baddbmm(bias, hidden, weight))
            hidden = activation(entering[-1])
        return torch.baddbmm(self.biases[-1], hidden, self.weights[-1]), entering


def _draw(seed: int, shapes: list[tuple[int, int]]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(2 * seed)  # the odd numbers draw the order of the batches
    weights = []
    for fan_in, fan_out in shapes:
        limit = (6 / (fan_in + fan_out)) ** 0.5
        weights.append((2 * torch.rand(fan_in, fan_out, generator=generator, dtype=torch.float32) - 1) * limit)
    return weights


class BatchOrder:
    """Shuffles anew for each epoch, by the seed alone; samples that fill no batch wait for another epoch."""

    def __init__(self, seed: int, samples: int, size: int) -> None:
        self._generator = torch.Generator().manual_seed(2 * seed + 1)
        self._samples, self._size = samples, size

    def epoch(self) -> Tensor:
        """Return (batch, sample) indices for the next epoch."""
        order = torch.randperm(self._samples, generator=self._generator)
        return order[: len(order) // self._size * self._size].view(-1, self._size)
