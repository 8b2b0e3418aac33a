"""Measure how fast slopes is beside others, and write the tables of docs/speed.md.

    python benchmarks/speed.py                       # everything, into benchmarks/results/speed.csv and docs/speed.md
    python benchmarks/speed.py modules --print       # one section of `works.py`, printed alone
    python benchmarks/speed.py --tables              # the tables again, from the file

Each section runs in a process of its own, on one thread; the sections of `THREADED` run on two as well. The contenders
of a work, on one thread and on two, take turns, so that other work on the machine meets all alike. A time is the median
of the rounds; a ratio is the median of the ratios within a round. Memory is the growth of the largest resident size in
one call, in sizes of the input; where the system does not tell it (Linux does), there is none.
"""

from __future__ import annotations

import argparse
import csv
import ctypes
import gc
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "speed.csv"
PAGE = ROOT / "docs" / "speed.md"

SHORTEST = 2e-3  #: seconds of a round of one contender, at least
ROUNDS = 5  #: at least
THREADED = ("modules", "losses", "rows", "linear", "overlap", "forecasts")

KEY = ("section", "work", "size", "threads", "contender")
Row = dict[str, str]
Name = TypeVar("Name")


def describe_machine() -> Row:
    """Return the columns that say where a row was measured."""
    import numba
    import numpy
    import torch

    import slopes

    try:
        processor = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())[0]
    except (OSError, IndexError):
        processor = platform.processor()
    return {
        "processor": processor, "cores": str(os.cpu_count()), "python": platform.python_version(),
        "numpy": numpy.__version__, "numba": numba.__version__, "torch": torch.__version__,
        "slopes": slopes.__version__,
    }  # fmt: skip


def take_turns(
    contenders: dict[Name, Callable[[], object]], seconds: float, shortest: float = SHORTEST
) -> dict[Name, list[float]]:
    """Return the rounds of each contender, in seconds a call; a round takes the shortest time or more."""
    calls = {}
    for name, work in contenders.items():
        work()  # loads and compiles
        work()
        start = time.perf_counter()
        work()
        calls[name] = int(shortest / (time.perf_counter() - start)) + 1
    rounds: dict[Name, list[float]] = {name: [] for name in contenders}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(rounds[name]) < ROUNDS:
        for name, work in contenders.items():
            start = time.perf_counter()
            for _ in range(calls[name]):
                work()
            rounds[name].append((time.perf_counter() - start) / calls[name])
    return rounds


def measure_memory(work: Callable[[], object]) -> int | None:
    """Return the growth of the largest resident size in one call, in bytes."""
    work()
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)  # else memory freed by earlier calls serves this one
        Path("/proc/self/clear_refs").write_text("5")  # forgets the largest size so far
        before = _status("VmRSS")
        work()
        return _status("VmHWM") - before
    except (OSError, AttributeError):
        return None


def _status(name: str) -> int:
    text = Path("/proc/self/status").read_text()
    return int(re.findall(rf"{name}:\s*(\d+) kB", text)[0]) * 1024


def measure(section: str, counts: Sequence[int], seconds: float, only: str) -> Iterable[Row]:
    """Yield a row for each work of a section, number of threads and contender; of no seconds, with its memory alone."""
    import torch

    from works import SECTIONS

    machine = describe_machine()
    for work in SECTIONS[section]():
        if only not in work.name:
            continue
        first = next(iter(work.contenders))
        for count in counts:  # one after the other, as threads fall asleep where one alone computes
            torch.set_num_threads(count)
            rounds = take_turns(work.contenders, seconds) if seconds else {}
            for name, call in work.contenders.items():
                row = {
                    "section": section, "work": work.name, "size": work.size, "threads": str(count), "contender": name,
                }  # fmt: skip
                if rounds:
                    pairs = zip(rounds[name], rounds[first], strict=True)
                    row["microseconds"] = f"{statistics.median(rounds[name]) * 1e6:.4g}"
                    row["times the first"] = f"{statistics.median(theirs / ours for theirs, ours in pairs):.3g}"
                memory = measure_memory(call) if work.bytes >= 2**23 else None
                row["memory"] = "" if memory is None else f"{abs(memory) / work.bytes:.1f}"
                yield row | machine


def read_rows() -> list[Row]:
    """Return the contents of the file of results."""
    if not RESULTS.exists():
        return []
    with RESULTS.open(newline="") as file:
        return list(csv.DictReader(file))


def write_rows(rows: list[Row]) -> None:
    """Write the file of results."""
    with RESULTS.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def render(rows: list[Row], section: str) -> str:
    """Return the Markdown table of a section: a line for each work and number of threads, a column for each contender.

    The first contender has its time, the others how many times as long they take; memory stands in brackets.
    """
    chosen = [row for row in rows if row["section"] == section]
    contenders = list(dict.fromkeys(row["contender"] for row in chosen))
    lines: dict[tuple[str, str, str], dict[str, str]] = {}
    for row in chosen:
        text = f"{row['times the first']} x"
        if row["contender"] == contenders[0]:
            text = as_time(float(row["microseconds"]))
        if row["memory"]:
            text += f" ({row['memory']})"
        lines.setdefault((row["work"], row["size"], row["threads"]), {})[row["contender"]] = text
    head = ["", "size", "threads", *contenders]
    table = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for (work, size, threads), cells in lines.items():
        table.append("| " + " | ".join([work, size, threads, *(cells.get(name, "") for name in contenders)]) + " |")
    return "\n".join(table)


def as_time(microseconds: float) -> str:
    """Return a time with three digits and a fitting unit."""
    return f"{microseconds:.3g} µs" if microseconds < 1000 else f"{microseconds / 1000:.3g} ms"


def fill_page(text: str, rows: list[Row]) -> str:
    """Return the page with its tables made of the rows."""

    def fill(found: re.Match[str]) -> str:
        return f"<!-- table: {found[1]} -->\n\n{render(rows, found[1])}\n\n<!-- end -->"

    return re.sub(r"<!-- table: (\w+) -->\n.*?<!-- end -->", fill, text, flags=re.S)


def main() -> None:
    """Measure, and write the file and the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("sections", nargs="*", help="the sections of works.py to measure; all if none is named")
    parser.add_argument("--only", default="", help="works with this in their name")
    parser.add_argument(
        "--seconds", type=float, default=1.0, help="how long each work is measured; 0 for its memory alone"
    )
    parser.add_argument(
        "--threads", type=int, action="append", help="a number of threads; 1, and for some sections 2 as well"
    )
    parser.add_argument("--print", action="store_true", help="print the rows, and leave file and page alone")
    parser.add_argument("--tables", action="store_true", help="measure nothing, and make the tables of the file")
    options = parser.parse_args()
    if options.threads and options.print:  # what the process below does
        for section in options.sections:
            writer = None
            for row in measure(section, options.threads, options.seconds, options.only):
                if writer is None:
                    writer = csv.DictWriter(sys.stdout, list(row), lineterminator="\n")
                    writer.writeheader()
                writer.writerow(row)
                sys.stdout.flush()
        return
    rows = read_rows()
    if not options.tables:
        rows = run_sections(options, rows)
    if not options.print:
        if rows:
            write_rows(rows)
        PAGE.write_text(fill_page(PAGE.read_text(), rows))


def run_sections(options: argparse.Namespace, rows: list[Row]) -> list[Row]:
    """Measure the sections and return all rows, in the order of `works.SECTIONS`."""
    from works import SECTIONS

    for section in options.sections or SECTIONS:
        if section not in SECTIONS:
            raise SystemExit(f"no section {section!r}; there are {', '.join(SECTIONS)}")
        measured: list[Row] = []
        counts = options.threads or ((1, 2) if section in THREADED else (1,))
        command = [
            sys.executable,
            __file__,
            section,
            "--print",
            f"--seconds={options.seconds}",
            f"--only={options.only}",
        ]
        command += [f"--threads={count}" for count in counts]
        environment = os.environ | {"OMP_NUM_THREADS": str(max(counts))}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            for row in csv.DictReader(process.stdout or ()):
                measured.append(row)
                print("  ".join(f"{text:>14}" for text in list(row.values())[1:8]), flush=True)
        if process.returncode:
            raise SystemExit(f"the section {section!r} failed")
        # Other works of the section stay as they are where only some were measured, and times where they were not.
        if not options.seconds:
            found = {tuple(row[name] for name in KEY): row["memory"] for row in measured}
            rows = [row | {"memory": found.get(tuple(row[name] for name in KEY), row["memory"])} for row in rows]
            continue
        new = {(row["section"], row["work"], row["size"], row["threads"]) for row in measured}
        rows = [r for r in rows if (r["section"], r["work"], r["size"], r["threads"]) not in new] + measured
    order = list(SECTIONS)
    return sorted(rows, key=lambda row: order.index(row["section"]))


if __name__ == "__main__":
    main()
