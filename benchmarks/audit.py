"""How long an audit takes: every card, every loss and activation of torch.nn, and every planted bug.

Run ``python benchmarks/audit.py``; it prints the median and the longest of each group in seconds, in full and quick,
importing torch not counted, and names what took the longest. An audit is meant to end within 10 seconds, a quick one
within 2.
"""

from __future__ import annotations

import pathlib
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


def groups() -> Iterator[tuple[str, dict[str, Any]]]:
    """The subjects by group and name."""
    yield "cards", {card.name: card for card in dict.fromkeys(CARDS.values())}
    yield "torch.nn", {name: make() for name, make in well_kept.TORCH.items()}
    bugs = [case for case in sorted(TESTS.glob("audit_cases/*/*.py")) if case.parent.name != "boosting"]
    yield "planted bugs", {f"{case.parent.name}/{case.stem}": loading.find(f"{case}:bug") for case in bugs}


def main() -> None:
    """Time all, each subject once; the first call of all is not counted."""
    warnings.simplefilter("ignore")
    examine(CARDS["mse"], {})
    print(f"{'':14}{'quick':>8}{'median':>9}{'longest':>9}  by")
    for group, subjects in groups():
        for quick in (False, True):
            taken = {}
            for name, thing in subjects.items():
                start = time.perf_counter()
                examine(thing, {}, quick=quick)
                taken[name] = time.perf_counter() - start
            slowest = max(taken, key=taken.__getitem__)
            middle = statistics.median(taken.values())
            print(f"{group:14}{'yes' if quick else 'no':>8}{middle:9.2f}{taken[slowest]:9.2f}  {slowest}")


if __name__ == "__main__":
    main()
