"""Measure what the first use of kernels costs a process: loading them from disk, and compiling them.

    python benchmarks/start.py

Each line is the median over several processes, in milliseconds: of a process that finds all kernels on disk, and of one
that finds none. The kernels are the values of some activations in float32.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import timeit

PROCESSES = 5
SCRIPT = """
import time

start = time.perf_counter()
parts = {}


def note(name):
    global start
    parts[name] = 1e3 * (time.perf_counter() - start)
    start = time.perf_counter()


import numpy as np
import slopes
from slopes import kernels
from slopes.kernels import compiling

note("import slopes and NumPy")
compiling.is_available()
note("find out whether there are kernels")
source = kernels.source(slopes.relu, "value")
note("trace the first body")
compiling.load(source)
note("load or compile the first kernel")
sources = [kernels.source(card, "value") for card in (slopes.gelu, slopes.tanh, slopes.mish, slopes.softplus)]
note("trace 4 bodies")
for source in sources:
    compiling.load(source)
note("load or compile 4 kernels")
print(parts)
"""


def run(folder: str) -> dict[str, float]:
    """Return the milliseconds of each part in a process with this cache."""
    environment = os.environ | {"SLOPES_CACHE": folder}
    ended = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True)
    parts: dict[str, float] = eval(ended.stdout)
    return parts


def time_call() -> float:
    """Return the microseconds of a call of a kernel with 64 entries."""
    import numpy as np

    import slopes
    from slopes import kernels

    kernel, x = kernels.load(kernels.source(slopes.relu, "value")), np.ones(64, np.float32)
    result = np.empty_like(x)
    return 1e6 * min(timeit.repeat(lambda: kernel(x, result), number=10_000)) / 10_000


def main() -> None:
    """Measure and print."""
    cold, warm = [], []
    for _ in range(PROCESSES):
        with tempfile.TemporaryDirectory() as folder:
            cold.append(run(folder))
            warm.append(run(folder))
    print(f"{'milliseconds':<36}{'from disk':>10}{'compiled':>10}")
    for part in cold[0]:
        median, compiled = (statistics.median(parts[part] for parts in measured) for measured in (warm, cold))
        print(f"{part:<36}{median:>10.2f}{compiled:>10.2f}")
    print(f"a call of a kernel: {time_call():.2f} microseconds")


if __name__ == "__main__":
    main()
