"""Train the networks of tests/data/null_runs.npz: many of one kind, which differ by their seeds alone.

Whoever draws two groups of seeds from them compares a function with itself: any difference found is chance. Run
``python tools/null_runs.py`` where PyTorch and scikit-learn are installed; it takes about two minutes.

The stack is written out here and shares no code with `slopes.compare`: what is judged by the record is its statistics.
"""

from __future__ import annotations

import pathlib
from itertools import pairwise

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.nn.functional import nll_loss

RECORD = pathlib.Path(__file__).parent.parent / "tests" / "data" / "null_runs.npz"
SEEDS, STACK = 800, 100
RATES = (0.01, 0.014, 0.02)  #: close, so that which of them validation likes best is chance
EPOCHS, BATCH, SIZES = 10, 64, (64, 64, 64, 10)


def digits() -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Half of scikit-learn's digits to train on, a fifth to validate and the rest to test; one split for all runs."""
    images, labels = load_digits(return_X_y=True)
    train, rest = train_test_split(np.arange(len(labels)), train_size=0.5, stratify=labels, random_state=0)
    validation, test = train_test_split(rest, train_size=0.4, stratify=labels[rest], random_state=0)
    scaled = torch.from_numpy(((images - images[train].mean()) / images[train].std()).astype(np.float32))
    parts = {"train": train, "validation": validation, "test": test}
    return {name: (scaled[part], torch.from_numpy(labels[part])) for name, part in parts.items()}


def forward(weights: list[torch.Tensor], biases: list[torch.Tensor], inputs: torch.Tensor) -> torch.Tensor:
    """The log-probabilities (seed, sample, class) that relu networks give."""
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        inputs = torch.baddbmm(bias, inputs, weight).relu()
    return torch.baddbmm(biases[-1], inputs, weights[-1]).log_softmax(-1)


def train(seeds: range, rate: float, data: dict[str, tuple[torch.Tensor, torch.Tensor]]) -> dict[str, np.ndarray]:
    """Train one network per seed; its initial weights and the order of its batches are its own."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    weights, biases = [], []
    for fan_in, fan_out in pairwise(SIZES):
        drawn = [torch.randn(fan_in, fan_out, generator=generator) for generator in generators]
        weights.append((torch.stack(drawn) * (2 / fan_in) ** 0.5).requires_grad_())
        biases.append(torch.zeros(len(seeds), 1, fan_out, requires_grad=True))
    optimizer = torch.optim.Adam([*weights, *biases], lr=rate, foreach=True)
    inputs, labels = data["train"]
    for _ in range(EPOCHS):
        orders = torch.stack([torch.randperm(len(labels), generator=generator) for generator in generators])
        for start in range(0, len(labels) - BATCH + 1, BATCH):
            batch = orders[:, start : start + BATCH]
            logs = forward(weights, biases, inputs[batch])
            optimizer.zero_grad()
            (nll_loss(logs.flatten(0, 1), labels[batch].flatten()) * len(seeds)).backward()
            optimizer.step()
    outcome = {}
    for part in ("validation", "test"):
        inputs, labels = data[part]
        with torch.no_grad():
            logs = forward(weights, biases, inputs.expand(len(seeds), -1, -1))
        outcome[f"{part}_right"] = (logs.argmax(-1) == labels).sum(1).numpy().astype(np.uint16)
        outcome[f"{part}_log_loss"] = -logs.gather(-1, labels.expand(len(seeds), -1)[..., None]).mean((1, 2)).numpy()
    return outcome


def main() -> None:
    """Train them all and write the record: each array is (rate, seed)."""
    data = digits()
    stacks = [range(first, first + STACK) for first in range(0, SEEDS, STACK)]
    runs = [[train(seeds, rate, data) for seeds in stacks] for rate in RATES]
    arrays = {name: np.stack([np.concatenate([run[name] for run in row]) for row in runs]) for name in runs[0][0]}
    sizes = {f"{part}_samples": len(data[part][1]) for part in ("validation", "test")}
    np.savez_compressed(RECORD, rates=RATES, **sizes, **arrays)
    for i, rate in enumerate(RATES):
        means = {name: array[i].mean() for name, array in arrays.items()}
        print(f"rate {rate:g}:", ", ".join(f"{name} {mean:.4g}" for name, mean in means.items()))


if __name__ == "__main__":
    main()
