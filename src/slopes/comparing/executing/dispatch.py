"""Distribution of chunks, and search for the cells that make a chunk fail."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import closing
from typing import Any, NamedTuple

from slopes.comparing.errors import StudyError
from slopes.comparing.executing.attempt import Cells, ChunkResult
from slopes.comparing.executing.here import Here
from slopes.comparing.executing.place import Place
from slopes.comparing.job import Cell, Job

LATE = 3  #: runs that took too long, after which others with the same activation, loss and rate are not begun


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
    threads: int | None = 1, until: float = math.inf,
) -> Generator[Done | Failed]:  # fmt: skip
    """Yield a `Done` or `Failed` for the cells as they end; closing the iterator ends everything it started.

    Without an `executor`, `workers` processes of one thread each train. This process does, on `threads` threads (None:
    torch's number), if there is one worker or one chunk, or if the job does not load elsewhere.

    A chunk that raises, or kills its process twice, is halved until the cells at fault are alone. Cells that take too
    long together are tried one by one, until `LATE` runs of a pair did so at a rate. At the time `until`, a value of
    `time.monotonic`, the others are left.

    Raises StudyError where the executor breaks or cannot be reached, TypeError or ValueError for an invalid one.
    """
    queue = _Queue(cells for chunk in chunks if (cells := tuple(chunk)))
    if not queue.waiting:
        return
    refused = []  # chunks whose job did not load
    with closing(_place(job, len(queue.waiting), executor, workers, threads)) as place:
        busy = 0
        while queue.fill(is_idle=not busy) or busy:
            busy += queue.submit(place, place.width - busy, until)
            end = place.ended(until) if busy else None
            if end is None:
                return
            cells, result = end
            busy -= 1
            if result.kind == "done":
                done = _done(cells, result)
                queue.put_back(cell for cell in cells if cell not in done.cells)
                yield done
            elif result.kind == "refused":
                if not place.replaceable:
                    raise StudyError(f"executor: the study does not load where it is to be trained: {result.reason}.")
                refused.append(cells)
            else:
                yield from queue.divide(cells, result, is_blamed=place.shared)
    if refused:
        yield from outcomes(job, refused, workers=1, threads=threads, until=until)


def _done(cells: Cells, result: ChunkResult) -> Done:
    ended = {cell: each for cell, each in zip(cells, result.outcomes, strict=True) if each is not None}
    return Done(tuple(ended), list(ended.values()), result.machine)


class _Queue:
    """Chunks that wait, and the search for cells at fault."""

    def __init__(self, chunks: Iterable[Cells]) -> None:
        self.waiting = deque(chunks)
        self._suspects: deque[Cells] = deque()  # chunks that died, perhaps because of another one
        self._alone: Cells | None = None  # suspect that is trained while no other chunk is
        self._late: Counter[tuple[int, int, float]] = Counter()  # runs that took too long

    def fill(self, is_idle: bool) -> bool:
        """Whether chunks wait; a suspect does once nothing else is trained."""
        if not self.waiting and is_idle and self._suspects:
            self._alone = self._suspects.popleft()
            self.waiting.append(self._alone)
        return bool(self.waiting or self._suspects)

    def submit(self, place: Place, most: float, until: float) -> int:
        """Submit chunks before a time, and return their number."""
        count = 0
        while self.waiting and count < most and time.monotonic() < until:
            place.submit(self.waiting.popleft())
            count += 1
        return count

    def put_back(self, cells: Iterable[Cell]) -> None:
        """Let cells wait as the next chunk, if there are any."""
        if left := tuple(cells):
            self.waiting.appendleft(left)

    def divide(self, cells: Cells, result: ChunkResult, is_blamed: bool) -> Iterator[Failed]:
        """Yield the cell at fault, or let parts of a failed chunk wait.

        `is_blamed`: whether a chunk may have died because of another one.
        """
        if result.kind == "late":
            yield from self._divide_late(cells, result)
        elif len(cells) > 1:
            middle = len(cells) // 2
            self.waiting.extendleft((cells[middle:], cells[:middle]))
        elif result.kind == "died" and is_blamed and cells is not self._alone:
            self._suspects.append(cells)
        else:
            yield Failed(cells[0], result.reason, result.trace, result.machine)

    def _divide_late(self, cells: Cells, result: ChunkResult) -> Iterator[Failed]:
        self.put_back(cell for cell in cells if cell not in result.late)
        if len(result.late) > 1:
            self.waiting.extend((cell,) for cell in result.late)
            return
        (late,) = result.late
        yield Failed(late, result.reason, result.trace, result.machine)
        kind = late[:3]
        self._late[kind] += 1
        if self._late[kind] == LATE:
            reason = f"not begun, since {LATE} such runs took too long: {result.reason}"
            for cell in self._take(kind):
                yield Failed(cell, reason, "", result.machine)

    def _take(self, kind: tuple[int, int, float]) -> Iterator[Cell]:
        """Take the cells of an activation, a loss and a rate out of the chunks, and yield them."""
        for _ in range(len(self.waiting)):
            cells = self.waiting.popleft()
            yield from (cell for cell in cells if cell[:3] == kind)
            if others := tuple(cell for cell in cells if cell[:3] != kind):
                self.waiting.append(others)


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
