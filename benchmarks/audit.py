"""Processor time and memory of audits.

Run ``python benchmarks/audit.py`` on an otherwise idle machine. It audits every card, every loss and activation of
torch.nn, every planted bug with its corrected twin, and losses as people write them. For each group it prints the mean,
the median and the most seconds of an audit, and the slowest; with `--quick`, of quick audits. Imports are not counted,
but for the import of a library when a card is compared with it for the first time. An audit is meant to take 0.5
seconds on average and 6 at most, in 500 MB.

With `--memory` it prints memory instead of time: the most of a process that audits one subject alone, with all that it
imports. This takes several seconds a subject. Names of groups (`cards torch.nn bug fixed wild`) choose some.
"""

from __future__ import annotations

import argparse
import pathlib
import statistics
import subprocess
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


def seconds(subject: Subject, quick: bool) -> float:
    """Return the seconds of the processor that an audit takes."""
    thing, options = subject
    other = {name: options[name] for name in ("against", "model", "batch", "seed") if name in options}
    declared = {name: value for name, value in options.items() if name not in other}
    start = time.process_time()
    examine(thing, declared, quick=quick, **other)
    return time.process_time() - start


def megabytes(group: str, name: str, quick: bool) -> float:
    """Return the largest memory of a process that audits a subject and nothing else."""
    command = [sys.executable, __file__, *["--quick"] * quick, "--alone", group, name]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])


def main() -> None:
    """Measure all, each subject once."""
    warnings.simplefilter("ignore")
    options = argparse.ArgumentParser()
    options.add_argument("groups", nargs="*")
    options.add_argument("--quick", action="store_true")
    options.add_argument("--memory", action="store_true")
    options.add_argument("--alone", nargs=2, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.alone:
        import resource  # which Windows has not

        subject = next(found[given.alone[1]] for group, found in groups() if group == given.alone[0])
        seconds(subject, given.quick)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10))
        return
    subjects = {group: found for group, found in groups() if not given.groups or group in given.groups}
    unit, digits = ("MB", 0) if given.memory else ("s", 2)
    print(f"{'':10}{'subjects':>9}{'mean ' + unit:>9}{'median ' + unit:>11}{'most ' + unit:>9}  of")
    if not given.memory:
        examine(CARDS["mse"], {})  # the first call of all is not counted
    together: dict[str, float] = {}
    for group, found in subjects.items():
        taken = {
            name: megabytes(group, name, given.quick) if given.memory else seconds(subject, given.quick)
            for name, subject in found.items()
        }
        report(group, taken, digits)
        together |= {f"{group} {name}": number for name, number in taken.items()}
    report("all", together, digits)


def report(group: str, taken: dict[str, float], digits: int) -> None:
    """Print the line of a group."""
    most = max(taken, key=taken.__getitem__)
    numbers = [statistics.mean(taken.values()), statistics.median(taken.values()), taken[most]]
    mean, median, largest = (f"{number:.{digits}f}" for number in numbers)
    print(f"{group:10}{len(taken):9}{mean:>9}{median:>11}{largest:>9}  {most}", flush=True)


if __name__ == "__main__":
    main()
