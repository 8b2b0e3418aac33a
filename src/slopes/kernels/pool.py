"""Threads for kernels, which hold no GIL; they and the caller share the slices of a large array.

They are PyTorch's where it is loaded, else our own. As the caller takes slices, too, a call within a slice cannot
deadlock.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any, TypeVar

from slopes.kernels import openmp

T = TypeVar("T")

SLICES_PER_THREAD = 4  #: in case another process keeps a thread from its core
MOST_SLICES = 64  #: for any number of threads
ALIGNMENT = 64  #: divides a slice's entries, so that no two share a cache line; a wide row is enough

_worker = threading.local()
_lock = threading.Lock()
_jobs: SimpleQueue[_Job] = SimpleQueue()
_count = 0


def thread_count() -> int:
    """PyTorch's setting, else OpenMP's, else the CPUs."""
    torch = sys.modules.get("torch")
    get = getattr(torch, "get_num_threads", None)  # None while torch is being imported
    if get is not None:
        return get()  # type: ignore[no-any-return]
    setting = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    if setting.isdecimal() and int(setting) > 0:
        return int(setting)
    return processors()


def processors() -> int:
    """Number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Job:
    def __init__(self, function: Callable[[int, int], object], slices: list[tuple[int, int]]) -> None:
        self.function = function
        self.waiting = deque(slices)
        self.unfinished = deque(range(len(slices)))
        self.error: BaseException | None = None
        self.done = threading.Lock()
        self.done.acquire()

    def work(self) -> None:
        """Compute slices until none is left or one fails."""
        while True:
            try:
                start, stop = self.waiting.popleft()
            except IndexError:
                return
            if self.error is None:
                try:
                    self.function(start, stop)
                except BaseException as error:
                    self.error = error
            if self.unfinished.pop() == 0:
                self.done.release()


def _serve(jobs: SimpleQueue[_Job]) -> None:
    _worker.is_one = True
    while True:
        jobs.get().work()


def _start_threads(count: int) -> None:
    """The system may refuse, as at the interpreter's end."""
    global _count
    with _lock, contextlib.suppress(RuntimeError):
        while _count < count:
            threading.Thread(target=_serve, args=(_jobs,), name=f"slopes-{_count + 1}", daemon=True).start()
            _count += 1


def _forget_threads() -> None:
    """A forked child has no threads, and perhaps a held lock."""
    global _count, _jobs, _lock
    _count, _jobs, _lock = 0, SimpleQueue(), threading.Lock()
    _worker.is_one = False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)


def _cut(size: int, count: int, grain: int) -> list[tuple[int, int]]:
    """Bounds of at most `count` slices of `grain` entries or more."""
    length, step = max(-(-size // count), grain), min(ALIGNMENT, grain)
    length = -(-length // step) * step
    return [(start, min(start + length, size)) for start in range(0, size, length)]


def run(function: Callable[[int, int], object], size: int, grain: int) -> None:
    """Call function(start, stop) for slices of range(size), on several threads from 2 · `grain` entries on.

    The slices depend on the number of threads. An error in one is raised.
    """
    threads = 1 if size < 2 * grain or getattr(_worker, "is_one", False) else min(thread_count(), size // grain)
    if threads > 1:
        _share(function, _cut(size, SLICES_PER_THREAD * threads, grain), threads)
    elif size:
        function(0, size)


def run_on_arrays(function: Callable[..., object], arrays: Sequence[Any], grain: int) -> None:
    size = arrays[0].size
    if 0 < size < 2 * grain:  # most calls; slices would take longest
        function(*arrays)
    else:
        run(lambda start, stop: function(*[array[start:stop] for array in arrays]), size, grain)


def collect(function: Callable[[int, int], T], size: int, grain: int) -> list[T]:
    """Results of function(start, stop) for slices of range(size), in order.

    The slices, and so the digits of a sum, do not depend on the number of threads.
    """
    slices = _cut(size, MOST_SLICES, grain)
    results: dict[int, T] = {}

    def keep(start: int, stop: int) -> None:
        results[start] = function(start, stop)

    threads = 1 if getattr(_worker, "is_one", False) else min(thread_count(), len(slices))
    if threads > 1:
        _share(keep, slices, threads)
    else:
        for bounds in slices:
            keep(*bounds)
    return [results[start] for start, _ in slices]


def _share(function: Callable[[int, int], Any], slices: list[tuple[int, int]], threads: int) -> None:
    job = _Job(function, slices)
    if not openmp.run(job.work, threads):
        _start_threads(threads - 1)
        for _ in range(threads - 1):
            _jobs.put(job)
        job.work()
    job.done.acquire()
    del job.function  # a thread that wakes up late would keep its arrays alive
    if job.error is not None:
        raise job.error
