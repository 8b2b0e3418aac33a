"""`estimate`: time and memory of a study before its first run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from slopes.comparing.api import NEEDED
from slopes.comparing.settings import Settings, takes
from slopes.comparing.words import counted, duration
from slopes.extras import require

CHUNKS = 3  #: most chunks that are measured


@dataclass(frozen=True)
class Estimate:
    """Time and memory that a study takes, measured on a few of its steps."""

    runs: int  #: that are left to train
    recorded: int  #: runs of earlier starts
    processes: int
    seconds: float  #: until the last run ends, by the pace of this machine
    megabytes: float  #: of the networks that all processes train at a time, besides PyTorch and the data
    largest: int  #: number of networks side by side
    growth: str  #: words on runs that a study may add, or ""

    def __str__(self) -> str:
        runs = f"{counted(self.runs, 'run')} to train"
        if self.recorded:
            runs += f", besides {self.recorded} in the record"
        if not self.runs:
            return f"{runs}: nothing takes time."
        side = f", up to {self.largest} side by side" if self.largest > 1 else ", one by one in each"
        size = f"{self.megabytes / 1000:.1f} GB" if self.megabytes >= 1000 else f"{self.megabytes:.0f} MB"
        lines = [
            f"{runs} in {counted(self.processes, 'process', 'es')}{side}.",
            f"About {duration(self.seconds)}, and {size} for the networks, besides PyTorch and the data.",
            *filter(None, [self.growth]),
        ]
        return "\n".join(lines)


@takes(Settings)
def estimate(settings: Settings) -> Estimate:
    """Estimate the time and memory of `slopes.compare` with the same options, by a few steps of its networks.

    It trains and writes nothing, and takes the pace of this machine, whatever the executor.

    Parameters
    ----------
    PARAMETERS

    Raises
    ------
    TypeError, ValueError
        For an option that does not fit.
    StudyError
        Where the record cannot be read.
    ImportError
        Where ``slopes[lab]`` is not installed.
    """
    require("slopes.comparing.estimate", *NEEDED)
    from slopes.comparing.executing.here import threads
    from slopes.comparing.plan import STEPS, make_plan
    from slopes.comparing.record import rows
    from slopes.comparing.training import pace

    plan, size = make_plan(settings), settings.processes
    folder = Path(settings.out)
    known = rows(folder) if (folder / "record.sqlite").is_file() else []
    recorded = {row["key"] for row in known if row["status"] == "done"} & set(map(plan.key, plan.cells))
    chunks = plan.chunks(recorded, size)
    measured = chunks[:: math.ceil(len(chunks) / CHUNKS) or 1]
    with threads(1):
        found = [pace(plan.job, chunk) for chunk in measured]
    each = sum(seconds for seconds, *_ in found) / max(sum(map(len, measured)), 1)
    processes = min(size, len(chunks)) or 1
    more = []
    if settings.rates is None:
        more.append(f"up to {2 * STEPS} learning rates, where any pair picks an edge of the grid of {len(plan.rates)}")
    if plan.looks:
        more.append("30 more seeds, while a verdict is undecided")
    return Estimate(
        runs=sum(map(len, chunks)), recorded=len(recorded), processes=processes,
        seconds=each * max(map(len, chunks), default=0) * math.ceil(len(chunks) / processes),
        megabytes=processes * max((size for _, size, _ in found), default=0.0) / 1e6,
        largest=max((largest for *_, largest in found), default=1),
        growth=f"It may add {', and '.join(more)}." if more else "",
    )  # fmt: skip
