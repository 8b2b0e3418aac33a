"""A network that does not learn, diagnosed and repaired, and watched while it trains.

    python examples/diagnose.py                       # print it, draw diagnose-output/*.png
    python examples/diagnose.py --out docs/images/diagnose

It needs ``slopes[lab]`` and takes a few seconds on one CPU. The page docs/diagnose.md shows what it prints.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import slopes


def digits() -> TensorDataset:
    """The 1,797 small pictures of digits that come with scikit-learn, in rows."""
    found: Any = load_digits()
    return TensorDataset(torch.tensor(found.data / 16, dtype=torch.float32), torch.tensor(found.target))


def deep(activation: type[nn.Module], depth: int = 8) -> nn.Sequential:
    """Eight hidden layers, with the weights that PyTorch starts with."""
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [nn.Linear(64, 64), activation()]
    return nn.Sequential(*layers, nn.Linear(64, 10))


def main() -> None:
    """Diagnose, repair, watch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("diagnose-output"), help="where the pictures go")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    data = digits()
    loader = DataLoader(data, batch_size=100, shuffle=True)

    print("# Sigmoids, eight deep\n")
    model = deep(nn.Sigmoid)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    found = slopes.diagnose(model, loader, nn.functional.cross_entropy, optimizer=optimizer)
    print(found)
    found.plot(out / "sigmoid.png")

    print("\n# ReLU, with He's initial weights\n")
    model = deep(nn.ReLU)
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    gentle = torch.optim.SGD(model.parameters(), lr=0.1)
    print(slopes.diagnose(model, loader, nn.functional.cross_entropy, optimizer=gentle))

    print("\n# The same, watched while a learning rate that is too high kills units\n")
    fast = torch.optim.Adam(model.parameters(), lr=0.02)
    watcher = slopes.Watcher(model, every=10)
    for _ in range(20):
        for inputs, target in loader:
            with watcher:
                step(model, fast, inputs, target)
    for each in (watcher.history[0], watcher.history[-1]):
        print(each.headline, *each.findings, sep="\n  ")
    watcher.diagnosis.plot(out / "dying.png")

    print("\n# Pictures of length 1, with a blank one\n")
    model = nn.Sequential(OfLengthOne(), nn.Linear(64, 10))
    inputs, target = data[:100]
    inputs[7] = 0
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    try:
        with slopes.Watcher(model, stop_on_nan=True):
            step(model, optimizer, inputs, target)
    except FloatingPointError as error:
        print(error)


class OfLengthOne(nn.Module):
    """Divide each row by its norm."""

    def forward(self, x: Tensor) -> Tensor:
        """Rows of norm 1."""
        return x / x.norm(dim=1, keepdim=True)


def step(model: nn.Module, optimizer: torch.optim.Optimizer, inputs: Tensor, target: Tensor) -> None:
    """One step of a plain training loop."""
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(inputs), target).backward()
    optimizer.step()


if __name__ == "__main__":
    main()
