"""Measure how long `slopes accuracy --exhaustive` takes: processor time a number, at numbers of every size.

    python benchmarks/counting.py            # all activations that can be counted
    python benchmarks/counting.py silu gelu

Columns are the readings, each with the counting of its errors and all for value and slope, then the exact results, and
the hours of one core for a card. The least time of a few rounds leaves out other work on the machine.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from slopes.accuracy import exhaustive
from slopes.accuracy.exhaustive import CHUNK, NUMBERS, READINGS, RESULTS, Truth
from slopes.accuracy.workers import use_one_thread

CHUNKS = 16  #: a large number of them, equally far apart, so that a few are of subnormal numbers and of NaN
ROUNDS = 3
EXACT = "exact"


def measure(card: Any) -> dict[str, float]:
    """Return nanoseconds of processor time a number, by reading."""
    readings = dict.fromkeys(reading for _, reading in exhaustive._pairs(card, READINGS))
    rounds = [_measure_once(card, readings) for _ in range(ROUNDS)]
    return {name: min(times[name] for times in rounds) / (CHUNKS * CHUNK) * 1e9 for name in (*readings, EXACT)}


def _measure_once(card: Any, readings: Iterable[str]) -> dict[str, float]:
    times = dict.fromkeys((*readings, EXACT), 0.0)
    with np.errstate(all="ignore"):
        for start in range(CHUNK, NUMBERS, NUMBERS // CHUNKS):
            x = exhaustive._numbers(start, start + CHUNK)
            for result in RESULTS:
                begin = time.process_time()
                truth = Truth(card, result, x)
                times[EXACT] += time.process_time() - begin
                for reading in readings:
                    begin = time.process_time()
                    truth.count(reading)
                    times[reading] += time.process_time() - begin
    return times


def main(names: list[str]) -> None:
    """Print the table."""
    use_one_thread()
    cards = [card for card in exhaustive.elementwise_activations() if not names or card.name in names]
    print(f"{'':14}" + "".join(f"{name:>14}" for name in (*READINGS, EXACT, "hours")))
    total = 0.0
    for card in cards:
        times = measure(card)
        hours = sum(times.values()) * NUMBERS / 3.6e12
        total += hours
        cells = [f"{times[name]:14.1f}" if name in times else " " * 14 for name in (*READINGS, EXACT)]
        print(f"{card.name:14}{''.join(cells)}{hours:14.2f}", flush=True)
    print(f"{len(cards)} activations: {total:.1f} hours of one core")


if __name__ == "__main__":
    main(sys.argv[1:])
