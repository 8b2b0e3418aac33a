"""How fast a study trains: its stack against a plain PyTorch loop, in one process and in two.

    python benchmarks/compare.py                    # 6 activations x 10 seeds, 20 epochs, three rounds
    python benchmarks/compare.py --rounds 1 --seeds 4

All train the same networks on digits: same initial weights, same order of batches. The loop is what one writes by
hand: torch.nn's modules, torch.nn.functional.cross_entropy, torch.optim.Adam, and nothing but the test accuracy at
the end; the stack is `slopes.comparing.training.train`, which also validates each epoch, watches gradients and looks
for dead units. The workers are warm processes of one thread each. Rounds of all are taken in turn, so that whatever
else the machine does meets all alike; times are medians, ratios are medians of the ratios within a round. A row for
each is appended to benchmarks/results/compare.csv.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import torch
from torch import nn

import slopes
from slopes.comparing import networks, tasks
from slopes.comparing.job import Cell, Job
from slopes.comparing.settings import Settings
from slopes.comparing.training import train
from slopes.comparing.training.common import Order

RESULTS = Path(__file__).parent / "results" / "compare.csv"
RATE = 0.003
ACTIVATIONS = {
    slopes.relu: nn.ReLU,
    slopes.leaky_relu: nn.LeakyReLU,
    slopes.gelu: nn.GELU,
    slopes.silu: nn.SiLU,
    slopes.tanh: nn.Tanh,
    slopes.sigmoid: nn.Sigmoid,
}


@cache
def job(epochs: int) -> Job:
    """The study's default network on digits."""
    task = tasks.BUILTIN["digits"]()
    network = networks.resolve("mlp", task)
    return Job(
        tuple(ACTIVATIONS), (slopes.cross_entropy,), network, task, **Settings(epochs=epochs, engine="stack").training
    )


def plain(cells: Sequence[Cell], epochs: int) -> list[float]:
    """The test accuracy of each cell, trained in a loop by hand."""
    made = job(epochs)
    task, classes = made.task, list(ACTIVATIONS.values())
    accuracies = []
    for cell in cells:
        split = task.split(cell.seed)
        order = Order(cell.seed, split.train, made.batch_size)
        model = made.network.slotted(cell.seed, classes[cell.activation])
        optimizer = torch.optim.Adam(model.parameters(), lr=cell.rate)
        for _ in range(epochs):
            for rows in order.epoch():
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(task.inputs[rows]), task.targets[rows]).backward()
                optimizer.step()
        with torch.no_grad():
            right = model.eval()(task.inputs[split.test]).argmax(1) == task.targets[split.test]
        accuracies.append(right.double().mean().item())
    return accuracies


def stacked(cells: Sequence[Cell], epochs: int) -> list[float]:
    """The same from the stack."""
    return [outcome["test"]["accuracy"] for outcome in train(job(epochs), cells)]


def with_threads(count: int, how: Callable[..., list[float]], *given: object) -> list[float]:
    """The same on so many threads."""
    torch.set_num_threads(count)
    return how(*given)


def in_workers(
    pool: ProcessPoolExecutor, how: Callable[..., list[float]], cells: Sequence[Cell], epochs: int
) -> list[float]:
    """Run the same in two processes of one thread, each with every other seed."""
    halves = [[cell for cell in cells if cell.seed % 2 == half] for half in (0, 1)]
    ends = [pool.submit(with_threads, 1, how, half, epochs) for half in halves]
    found = {
        cell: value
        for half, end in zip(halves, ends, strict=True)
        for cell, value in zip(half, end.result(), strict=True)
    }
    return [found[cell] for cell in cells]


def main() -> None:
    """Measure, print a line for each and append the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="how often each is timed (default: 3)")
    parser.add_argument("--seeds", type=int, default=10, help="seeds of each activation (default: 10)")
    parser.add_argument("--epochs", type=int, default=20, help="epochs of each run (default: 20)")
    parser.add_argument(
        "--busy",
        action="store_true",
        help="leave out two threads in one process, which wait for each other where others use the processors",
    )
    chosen = parser.parse_args()
    cells = [Cell(a, 0, RATE, seed) for a in range(len(ACTIVATIONS)) for seed in range(chosen.seeds)]
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        ways: dict[str, Callable[[Sequence[Cell], int], list[float]]] = {
            "loop, 1 thread": lambda c, e: with_threads(1, plain, c, e),
            "loop, 2 threads": lambda c, e: with_threads(2, plain, c, e),
            "loop, 2 workers": lambda c, e: in_workers(pool, plain, c, e),
            "stack, 1 thread": lambda c, e: with_threads(1, stacked, c, e),
            "stack, 2 threads": lambda c, e: with_threads(2, stacked, c, e),
            "stack, 2 workers": lambda c, e: in_workers(pool, stacked, c, e),
        }
        for way in ways.values():
            (
                way(cells[:: chosen.seeds], 1),
                way(cells[1 :: chosen.seeds], 1),
            )  # so that nothing is timed that happens once
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        accuracies: dict[str, list[float]] = {}
        for _ in range(chosen.rounds):
            for name, way in ways.items():
                start = time.perf_counter()
                accuracies[name] = way(cells, chosen.epochs)
                seconds[name].append(time.perf_counter() - start)
    sample = 1 / len(job(chosen.epochs).task.split(0).test)
    loops = list(
        zip(*(taken for name, taken in seconds.items() if name.startswith("loop,") and "thread" in name), strict=True)
    )
    rows = []
    for name in ways:
        by_loop = statistics.median(min(loop) / own for loop, own in zip(loops, seconds[name], strict=True))
        by_workers = statistics.median(
            peer / own for peer, own in zip(seconds["loop, 2 workers"], seconds[name], strict=True)
        )
        differences = [abs(a - b) for a, b in zip(accuracies[name], accuracies["loop, 1 thread"], strict=True)]
        within = sum(difference < 1.5 * sample for difference in differences)
        times = f"{statistics.median(seconds[name]):7.2f} s   {by_loop:5.2f} x the faster loop"
        times += f"   {by_workers:5.2f} x two workers"
        print(f"{name:17} {times}   accuracies within one sample of the loop's: {within} of {len(cells)}")
        rows.append([name, f"{statistics.median(seconds[name]):.3f}", f"{by_loop:.2f}", f"{by_workers:.2f}", within])
    append(rows, [len(cells), chosen.epochs, chosen.rounds])


def append(rows: list[list[object]], size: list[int]) -> None:
    """Add the rows to the results, with the machine and versions."""
    on = [f"{platform.system()} {platform.machine()}", os.cpu_count(), platform.python_version()]
    versions = [torch.__version__, slopes.__version__]
    new = not RESULTS.exists()
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a", newline="") as file:
        writer = csv.writer(file)
        if new:
            names = "date,system,processors,python,torch,slopes,cells,epochs,rounds,way,seconds,times loop"
            writer.writerow([*names.split(","), "times two workers", "equal accuracies"])
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        for row in rows:
            writer.writerow([today, *on, *versions, *size, *row])


if __name__ == "__main__":
    main()
