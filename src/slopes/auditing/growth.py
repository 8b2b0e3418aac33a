"""Memory and time of a call by the size of a batch, measured at 16 and 32 rows, so that no call exceeds a budget."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from slopes.auditing.adapters import metered
from slopes.auditing.report import Skip

ROWS = (16, 32)
SHARE = 0.2  #: largest share of the time for one call
CALLS, LONG = 5, 1.0  #: calls that are timed, until they have taken so many seconds


class OverBudget(Skip):
    """Call that asks for more memory than the budget."""

    def __init__(self, message: str, cause: BaseException) -> None:
        super().__init__(message)
        self.cause = cause


@dataclass(frozen=True)
class Growth:
    """Bytes and seconds of a call for a number of entries of the first argument, as a power law."""

    entries: int  #: at 32 rows
    size: float  #: bytes that a call allocates
    seconds: float
    power: float  #: 1 if memory is proportional to the batch

    def bytes_at(self, entries: int) -> float:
        """Bytes of a value and its gradient; at least proportional, because constants are small."""
        return 2 * self.size * self._factor(entries)

    def seconds_at(self, entries: int) -> float:
        return self.seconds * self._factor(entries)

    def _factor(self, entries: int) -> float:
        return float((entries / self.entries) ** max(self.power, 1.0)) if entries > self.entries else 1.0


@dataclass(frozen=True)
class Budget:
    """Bytes and seconds that an audit may take."""

    size: float = math.inf
    seconds: float = math.inf
    start: float = 0.0

    @property
    def left(self) -> float:
        return self.seconds - (time.monotonic() - self.start)

    def check(self, growth: Growth | None, arguments: Sequence[Tensor]) -> None:
        """Raise Skip for a call that would exceed the budget."""
        if self.left <= 0:
            raise Skip("time_limit is reached; raise it to run this check")
        if growth is None or not arguments or arguments[0].numel() <= growth.entries:
            return
        rows = len(arguments[0]) if arguments[0].ndim else 1
        size, seconds = (at(arguments[0].numel()) for at in (growth.bytes_at, growth.seconds_at))
        if size > self.size:
            raise Skip(f"a batch of {rows} rows would take {told_bytes(size)}, above memory_limit")
        if seconds > SHARE * self.seconds:
            raise Skip(f"a batch of {rows} rows would take {seconds:.3g} s, too much for time_limit")

    @contextlib.contextmanager
    def bounding(self, arguments: Sequence[Tensor]) -> Iterator[None]:
        """Raise OverBudget where a call asks for more memory, whatever its growth; on Linux without a GPU alone."""
        if not math.isfinite(self.size) or not _can_bound_memory():
            yield
            return
        try:
            with _allocating_at_most(int(self.size)):
                yield
        except (MemoryError, RuntimeError) as error:
            if not isinstance(error, MemoryError) and "can't allocate memory" not in str(error):
                raise
            shapes = " and ".join(str(tuple(x.shape)) for x in arguments)
            size = f"more than {told_bytes(self.size)}, above memory_limit"
            raise OverBudget(f"a call with arguments of shape {shapes} takes {size}", error) from error


@functools.cache
def _can_bound_memory() -> bool:
    """Whether Linux can refuse memory; a GPU's driver reserves more than it uses as it starts."""
    return sys.platform == "linux" and Path("/proc/self/statm").exists() and not torch.cuda.is_available()


@contextlib.contextmanager
def _allocating_at_most(size: int) -> Iterator[None]:
    """Let this process's private memory grow by so many bytes and no more while the block runs."""
    import resource  # which Windows has not

    held = int(Path("/proc/self/statm").read_text().split()[5]) * os.sysconf("SC_PAGE_SIZE")
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if soft == resource.RLIM_INFINITY or held + size < soft:
        resource.setrlimit(resource.RLIMIT_DATA, (held + size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def told_bytes(size: float) -> str:
    return f"{size / 1e9:.3g} GB" if size >= 1e9 else f"{size / 1e6:.3g} MB"


def measure(subject: Any) -> Growth | None:
    """Growth of a subject between 16 and 32 rows; None if it takes no such batches."""
    try:
        few, many = (subject.draw(rows=rows) for rows in ROWS)
        entries = [arguments[0].numel() for arguments in (few, many)]  # before a subject may resize them
        small, large = _bytes_of_call(subject, few), _bytes_of_call(subject, many)
        seconds = _shortest_call(subject, many)
    except Exception:
        return None
    is_measured = small > 0 and large > 0 and entries[1] > entries[0]
    power = math.log(large / small) / math.log(entries[1] / entries[0]) if is_measured else 1.0
    return Growth(entries[1], large, seconds, power)


def _bytes_of_call(subject: Any, arguments: Sequence[Tensor]) -> float:
    subject(*arguments)  # the first call may set things up
    return allocated(lambda: subject.raw(*arguments, in_place=True))


def _shortest_call(subject: Any, arguments: Sequence[Tensor]) -> float:
    """Seconds of the shortest of a few calls, as any may be held up by other work on the machine."""
    begin, seconds = time.monotonic(), math.inf
    for _ in range(CALLS):
        start = time.monotonic()
        subject(*arguments)
        end = time.monotonic()
        seconds = min(seconds, end - start)
        if end - begin >= LONG:
            break
    return seconds


def allocated(call: Callable[[], Any]) -> float:
    """Bytes of the tensors and of JAX's arrays that a call makes, or if it makes none, the peak of NumPy's memory."""
    counted = _Allocated()  # type: ignore[no-untyped-call]
    with metered() as meter, counted:
        call()
    return counted.size + meter.size or _traced_peak(call)


class _Allocated(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Count the bytes of the tensors that operations make."""

    size = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        came = func(*args, **(kwargs or {}))
        if not func.is_view:
            made = came if isinstance(came, (tuple, list)) else [came]
            self.size += sum(x.numel() * x.element_size() for x in made if isinstance(x, Tensor))
        return came


def _traced_peak(call: Callable[[], Any]) -> float:
    is_first = not tracemalloc.is_tracing()
    if is_first:
        tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    try:
        call()
        return float(max(tracemalloc.get_traced_memory()[1] - before, 0))
    finally:
        if is_first:
            tracemalloc.stop()
