"""Training of one chunk in the process that receives it."""

from __future__ import annotations

import traceback
from importlib import import_module
from typing import Any, NamedTuple

from slopes.comparing.errors import TooSlow
from slopes.comparing.job import Cell, Job
from slopes.comparing.record import machine
from slopes.loading import describe

Cells = tuple[Cell, ...]
SECONDS = 1.0  #: after which ended runs are reported, and the others of a chunk wait for another attempt


class ChunkResult(NamedTuple):
    """Result of a chunk."""

    kind: str  #: done; failed: it raised; late; died: its process was killed; refused: the job did not load there
    outcomes: list[dict[str, Any] | None]  #: None for a cell that waits
    reason: str = ""
    trace: str = ""
    machine: str = ""
    late: Cells = ()  #: cells that took too long together


def attempt(job: Job, cells: Cells) -> ChunkResult:
    """Train the first of the cells; errors become a result, as exceptions may not pickle."""
    try:
        training: Any = import_module("slopes.comparing.training")  # loads torch
        outcomes = training.train(job, list(cells), SECONDS)
        if len(outcomes) != len(cells):
            raise RuntimeError(f"{len(cells)} cells were trained and {len(outcomes)} outcomes came back")
        if all(outcome is None for outcome in outcomes):
            raise RuntimeError(f"of {len(cells)} cells none was trained")
    except TooSlow as error:
        return ChunkResult("late", [], str(error), traceback.format_exc(), machine(), error.cells)
    except (Exception, SystemExit) as error:  # the user's code may raise SystemExit
        return ChunkResult("failed", [], describe(error), traceback.format_exc(), machine())
    return ChunkResult("done", outcomes, machine=machine())


def refusal(error: BaseException) -> ChunkResult:
    return ChunkResult("refused", [], describe(error), traceback.format_exc(), machine())
