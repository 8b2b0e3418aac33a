"""Ratio of the time of a study's loop to the time of a plain PyTorch loop, for several networks.

    python benchmarks/loop.py                  # on one thread, eleven rounds
    python benchmarks/loop.py --rounds 3 --epochs 5

Both train the same network from the same initial weights on the same batches. The plain loop is what one writes by
hand: modules of torch.nn, torch.nn.functional.cross_entropy, torch.optim.Adam, the accuracy on validation data after
each epoch and that on test data at the end. The loop of a study also watches gradients, looks for dead units, keeps
the last finite epoch and computes all metrics. Rounds of both are taken in turn, so that whatever else the machine
does meets both alike; times are of the processor, and the ratio is the median of those within a round.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

import slopes
from slopes.comparing import networks, tasks
from slopes.comparing.job import Cell, Job
from slopes.comparing.settings import Settings
from slopes.comparing.training import train
from slopes.comparing.training.common import Order

RATE = 0.003
ACTIVATIONS = {slopes.relu: nn.ReLU, slopes.gelu: nn.GELU, slopes.silu: nn.SiLU, slopes.tanh: nn.Tanh}
NETWORKS = {"mlp": "digits", "mlp(hidden=512)": "digits", "cnn": "digits", "transformer": "digits"}


def make_job(network: str, data: str, epochs: int) -> Job:
    """Make the job of a study whose runs are trained one by one."""
    task = tasks.BUILTIN[data]()
    options = Settings(epochs=epochs, engine="loop").training
    return Job(tuple(ACTIVATIONS), (slopes.cross_entropy,), networks.resolve(network, task), task, **options)


def train_plainly(job: Job, cell: Cell) -> float:
    """Train as one does by hand, and return the accuracy on test data."""
    task, split = job.task, job.task.split(cell.seed)
    order = Order(cell.seed, split.train, job.batch_size)
    model = job.network.slotted(cell.seed, list(ACTIVATIONS.values())[cell.activation])
    optimizer = torch.optim.Adam(model.parameters(), lr=cell.rate)

    def accuracy(rows: torch.Tensor) -> float:
        model.eval()
        with torch.no_grad():
            right = model(task.inputs[rows]).argmax(1) == task.targets[rows]
        model.train()
        return right.double().mean().item()

    for _ in range(job.epochs):
        for rows in order.epoch():
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(task.inputs[rows]), task.targets[rows]).backward()
            optimizer.step()
        accuracy(split.validation)
    return accuracy(split.test)


def train_by_study(job: Job, cell: Cell) -> float:
    """Train as a study does, and return the accuracy on test data."""
    (outcome,) = train(job, [cell])
    assert outcome is not None
    return float(outcome["test"]["accuracy"])


def ratios(job: Job, cell: Cell, rounds: int) -> tuple[list[float], list[float]]:
    """Processor seconds of the plain loop, and how many times as long the study's loop takes, by round."""

    def seconds(way: Callable[[Job, Cell], float]) -> float:
        start = time.process_time()
        way(job, cell)
        return time.process_time() - start

    train_plainly(job, cell), train_by_study(job, cell)  # so that nothing is timed that happens once
    pairs = [(seconds(train_plainly), seconds(train_by_study)) for _ in range(rounds)]
    return [plain for plain, _ in pairs], [study / plain for plain, study in pairs]


def main() -> None:
    """Measure all networks and activations, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=11, help="how often each is timed (default: 11)")
    parser.add_argument("--epochs", type=int, default=20, help="epochs of each run (default: 20)")
    parser.add_argument("--network", choices=NETWORKS, help="measure this one alone")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    for network in [chosen.network] if chosen.network else NETWORKS:
        job = make_job(network, NETWORKS[network], chosen.epochs)
        for place, activation in enumerate(ACTIVATIONS):
            plain, found = ratios(job, Cell(place, 0, RATE, 0), chosen.rounds)
            print(
                f"{network:16} {activation.name:5} {statistics.median(plain):7.3f} s by hand, "
                f"{statistics.median(found):.2f} times that by a study ({min(found):.2f} to {max(found):.2f})",
                flush=True,
            )


if __name__ == "__main__":
    main()
