"""Distribution of chunks, and search for the cells that make a chunk fail."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Executor
from contextlib import closing
from typing import Any, NamedTuple

from slopes.comparing.errors import StudyError
from slopes.comparing.executing.attempt import Cells
from slopes.comparing.executing.here import Here
from slopes.comparing.executing.place import Place
from slopes.comparing.job import Cell, Job


class Done(NamedTuple):
    """Cells trained together: a chunk or a part of one."""

    cells: Cells
    outcomes: list[dict[str, Any]]  #: one per cell
    machine: str


class Failed(NamedTuple):
    """A cell that cannot be trained."""

    cell: Cell
    reason: str  #: in one line
    trace: str  #: traceback; "" where the process was killed
    machine: str


def outcomes(
    job: Job, chunks: Iterable[Iterable[Cell]], *, executor: Any = None, workers: int | None = None,
    threads: int | None = 1,
) -> Generator[Done | Failed]:  # fmt: skip
    """Yield a `Done` or `Failed` for the cells as they end; closing the iterator ends everything it started.

    Without an `executor`, `workers` processes of one thread each train. This process does, on `threads` threads (None:
    torch's number), if there is one worker or one chunk, or if the job does not load elsewhere.

    A chunk that raises, or kills its process twice, is halved until the cells at fault are alone.

    Raises StudyError where the executor breaks or cannot be reached, TypeError or ValueError for an invalid one.
    """
    waiting = deque(cells for chunk in chunks if (cells := tuple(chunk)))
    if not waiting:
        return
    refused = []  # chunks whose job did not load
    suspects: deque[Cells] = deque()  # chunks that died, perhaps because of another one
    alone: Cells | None = None
    with closing(_place(job, len(waiting), executor, workers, threads)) as place:
        busy = 0
        while waiting or suspects or busy:
            if not waiting and not busy:
                alone = suspects.popleft()
                waiting.append(alone)
            while waiting and busy < place.width:
                place.submit(waiting.popleft())
                busy += 1
            cells, result = place.ended()
            busy -= 1
            if result.kind == "done":
                ended = {cell: each for cell, each in zip(cells, result.outcomes, strict=True) if each is not None}
                if len(ended) < len(cells):
                    waiting.appendleft(tuple(cell for cell in cells if cell not in ended))
                yield Done(tuple(ended), list(ended.values()), result.machine)
            elif result.kind == "refused":
                if not place.replaceable:
                    raise StudyError(f"executor: the study does not load where it is to be trained: {result.reason}.")
                refused.append(cells)
            elif len(cells) > 1:
                middle = len(cells) // 2
                waiting.extendleft((cells[middle:], cells[:middle]))
            elif result.kind == "died" and place.shared and cells is not alone:
                suspects.append(cells)
            else:
                yield Failed(cells[0], result.reason, result.trace, result.machine)
    if refused:
        yield from outcomes(job, refused, workers=1, threads=threads)


def _place(job: Job, chunks: int, executor: Any, workers: int | None, threads: int | None) -> Place:
    if executor is None:
        from slopes.comparing.executing.processes import Processes, pickled
        from slopes.kernels.pool import processors

        size = min(workers or processors(), chunks)
        text = pickled(job) if size > 1 else None
        return Here(job, threads) if text is None else Processes(text, size)
    if isinstance(executor, Executor):
        from slopes.comparing.executing.executors import Executors

        return Executors(job, executor)
    from slopes.comparing.executing.cluster import Cluster

    return Cluster(job, executor)
