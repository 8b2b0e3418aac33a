"""Processor time and memory of audits.

Run ``python benchmarks/audit.py`` on an otherwise idle machine. It audits every card, every loss and activation of
torch.nn, every planted bug with its corrected twin, and losses as people write them. For each group it prints the mean,
the median and the most seconds of an audit, the largest memory of the process, and the names of both; with `--quick`,
of quick audits. Importing torch counts in the memory, and not in the time. An audit is meant to take 0.5 seconds on
average and 6 at most, in 500 MB.
"""

from __future__ import annotations

import pathlib
import re
import statistics
import sys
import time
import warnings
from collections.abc import Iterator
from typing import Any

TESTS = pathlib.Path(__file__).parent.parent / "tests"
sys.path.insert(0, str(TESTS))

import well_kept  # noqa: E402
from slopes import loading  # noqa: E402
from slopes.auditing.examination import examine  # noqa: E402
from slopes.catalogue import CARDS  # noqa: E402

STATUS, RESET = pathlib.Path("/proc/self/status"), pathlib.Path("/proc/self/clear_refs")  #: Linux alone has them
Subject = tuple[Any, dict[str, Any]]  #: an object and its declarations


def groups() -> Iterator[tuple[str, dict[str, Subject]]]:
    """The subjects by group and name."""
    yield "cards", {card.name: (card, {}) for card in dict.fromkeys(CARDS.values())}
    yield "torch.nn", {name: (make(), {}) for name, make in well_kept.TORCH.items()}
    cases = [case for case in sorted(TESTS.glob("audit_cases/*/*.py")) if case.parent.name != "wild"]
    for version in ("bug", "fixed"):
        yield version, {f"{case.parent.name}/{case.stem}": _of_case(case, version) for case in cases}
    wild = sorted(TESTS.glob("audit_cases/wild/*.py"))
    names = [f"{file}:{name}" for file in wild for name in loading.find(f"{file}:READINGS")]
    yield "wild", {name.rpartition("/")[2]: (loading.find(name), {}) for name in names}


def _of_case(case: pathlib.Path, version: str) -> Subject:
    options: dict[str, Any] = {}
    for name in ("OPTIONS", f"{version.upper()}_OPTIONS"):
        try:
            options |= loading.find(f"{case}:{name}")
        except AttributeError:
            continue
    return loading.find(f"{case}:{version}"), options


def measure(subject: Subject, quick: bool) -> tuple[float, float]:
    """Return (seconds of the processor, largest memory of the process in MB, 0 where it is not known)."""
    thing, options = subject
    other = {name: options[name] for name in ("against", "model", "batch", "seed") if name in options}
    declared = {name: value for name, value in options.items() if name not in other}
    if RESET.exists():
        RESET.write_text("5")
    start = time.process_time()
    examine(thing, declared, quick=quick, **other)
    taken = time.process_time() - start
    peak = re.search(r"VmHWM:\s+(\d+)", STATUS.read_text()) if STATUS.exists() else None
    return taken, int(peak[1]) / 1024 if peak else 0.0


def main() -> None:
    """Measure all, each subject once; the first call of all is not counted."""
    warnings.simplefilter("ignore")
    quick = "--quick" in sys.argv[1:]
    examine(CARDS["mse"], {})
    print(f"{'':10}{'subjects':>9}{'mean s':>8}{'median s':>10}{'most s':>8}{'MB':>6}  slowest, largest")
    together: dict[str, tuple[float, float]] = {}
    for group, subjects in groups():
        taken = {name: measure(subject, quick) for name, subject in subjects.items()}
        report(group, taken)
        together |= {f"{group} {name}": numbers for name, numbers in taken.items()}
    report("all", together)


def report(group: str, taken: dict[str, tuple[float, float]]) -> None:
    """Print the line of a group."""
    slowest, largest = (max(taken, key=lambda name, place=place: taken[name][place]) for place in (0, 1))
    seconds = [numbers[0] for numbers in taken.values()]
    print(
        f"{group:10}{len(taken):9}{statistics.mean(seconds):8.2f}{statistics.median(seconds):10.2f}"
        f"{max(seconds):8.2f}{taken[largest][1]:6.0f}  {slowest}, {largest}"
    )


if __name__ == "__main__":
    main()
