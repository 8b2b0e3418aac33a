"""Measure the cost of a watcher: the time of its looks, over the time of the training steps between them.

    python benchmarks/watcher.py            # every 50th step is watched, on one thread
    python benchmarks/watcher.py --every 10 --threads 2
    python benchmarks/watcher.py --stop     # what stop_on_nan costs each step, without looks

A look is what a watched step takes longer than one without. Rounds of both are taken in turn, so that whatever
else the machine does meets both alike; times are of the processor, and medians over rounds. A round has as many
watched steps as a diagnosis needs, so it holds the time of one diagnosis.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import slopes

STEPS = 16  #: of 64 inputs each, as a diagnosis takes 1,000


def mlp() -> tuple[nn.Module, Tensor]:
    """A small MLP of three hidden layers, and a batch."""
    layers = [nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(128, 10)), torch.randn(64, 64)


def cnn() -> tuple[nn.Module, Tensor]:
    """A small CNN with normalisation, and a batch of pictures of 28 x 28."""
    first = [nn.Conv2d(1, 16, 3), nn.BatchNorm2d(16), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
    second = [nn.Conv2d(16, 32, 3), nn.BatchNorm2d(32), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
    rest = [nn.Flatten(), nn.Linear(32 * 25, 64), nn.GELU(), nn.Linear(64, 10)]
    return nn.Sequential(*first, *second, *rest), torch.randn(64, 1, 28, 28)


def trainer(
    make: Callable[[], tuple[nn.Module, Tensor]], every: int | None, *, stop: bool = False
) -> Callable[[int], float]:
    """A function that trains for some steps and says how long one took."""
    torch.manual_seed(0)
    model, inputs = make()
    target = torch.randint(0, 10, (len(inputs),))
    optimizer = torch.optim.Adam(model.parameters())
    watcher: Any = slopes.Watcher(model, every=every, stop_on_nan=stop) if every else contextlib.nullcontext()

    def train(steps: int) -> float:
        start = time.process_time()
        for _ in range(steps):
            with watcher:
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(inputs), target).backward()
                optimizer.step()
        return (time.process_time() - start) / steps

    return train


def measure_stop(rounds: int) -> None:
    """Print what `stop_on_nan` adds to a step of each network when nothing is wrong; steps of both are in turn."""
    for make in (mlp, cnn):
        plain, guarded = trainer(make, None), trainer(make, 10**9, stop=True)
        plain(STEPS), guarded(STEPS)
        steps = [(plain(1), guarded(1)) for _ in range(STEPS * rounds)]
        step = statistics.median(without for without, _ in steps)
        more = statistics.median(with_it for _, with_it in steps) - step
        print(f"{make.__name__}: {1e3 * step:.3f} ms a step; with stop_on_nan {100 * more / step:+.1f} %", flush=True)


def main() -> None:
    """Measure both networks and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=50, help="which steps are watched (default: every 50th)")
    parser.add_argument("--rounds", type=int, default=21, help="how often each is timed (default: 21)")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch (default: 1)")
    parser.add_argument("--stop", action="store_true", help="measure stop_on_nan")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    if chosen.stop:
        measure_stop(chosen.rounds)
        return
    for make in (mlp, cnn):
        plain, watched = trainer(make, None), trainer(make, 1)
        plain(STEPS), watched(STEPS)  # so that nothing is timed that happens once
        rounds = [(plain(STEPS), watched(STEPS)) for _ in range(chosen.rounds)]
        step = statistics.median(without for without, _ in rounds)
        look = statistics.median(with_it - without for without, with_it in rounds)
        print(
            f"{make.__name__}: {1e3 * step:.3f} ms a step, {1e3 * look:.3f} ms a look;"
            f" with every {chosen.every}th watched {100 * look / step / chosen.every:+.1f} %",
            flush=True,
        )


if __name__ == "__main__":
    main()
