"""Doing the work: in worker processes, or in this one.

The workers are plain processes on pipes, not a ProcessPoolExecutor: a spawned pool runs the caller's main
script again, so that a script without a main guard would break, and its processes outlive a parent that is
killed.
"""

from __future__ import annotations

import os
import pickle
import queue
import subprocess
import sys
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from typing import Any

from slopes.study.errors import StudyError
from slopes.study.plan import Plan, Unit

Outcome = list[dict[str, Any]]


def outcomes(plan: Plan, units: Sequence[Unit], workers: int) -> Generator[tuple[Unit, Outcome]]:
    """Yield each unit with its outcome, as they end. Closing the iterator ends the workers."""
    cards = _pickled(plan) if workers > 1 and len(units) > 1 else None
    if cards is None:
        yield from _here(plan, units)
    else:
        yield from _pool(plan, units, cards, min(workers, len(units)))


def _pickled(plan: Plan) -> bytes | None:
    """The cards as workers get them; None where one does not pickle. Whether it loads is for the worker to say."""
    try:
        return pickle.dumps((plan.activations, plan.losses))
    except (pickle.PicklingError, AttributeError, TypeError):
        return None


def _here(plan: Plan, units: Sequence[Unit]) -> Generator[tuple[Unit, Outcome]]:
    import torch

    from slopes.study.training import train

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # what a worker has, so that both give the same numbers
    try:
        for unit in units:
            activation, loss = plan.activations[unit.pair.activation], plan.losses[unit.pair.loss]
            try:
                outcome = train(activation, loss, unit.rate, unit.seeds, unit.epochs, plan.task)
            except Exception as error:
                raise _failure(plan, unit, f"{type(error).__name__}: {error}") from error
            yield unit, outcome
    finally:
        torch.set_num_threads(threads)


def _pool(plan: Plan, units: Sequence[Unit], cards: bytes, size: int) -> Generator[tuple[Unit, Outcome]]:
    idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
    crew = [_Worker(cards) for _ in range(size)]
    for worker in crew:
        idle.put(worker)

    def work(unit: Unit) -> tuple[Unit, str, Any]:
        worker = idle.get()
        try:
            return unit, *worker.do(unit)
        finally:
            idle.put(worker)

    with ThreadPoolExecutor(size) as threads:
        futures = [threads.submit(work, unit) for unit in units]
        refused = []
        try:
            for future in as_completed(futures):
                unit, verdict, answer = future.result()
                if verdict == "refused":  # a card that pickles, but that a fresh process cannot import
                    refused.append(unit)
                elif verdict == "failed":
                    raise _failure(plan, unit, answer[0], answer[1])
                elif verdict == "died":
                    raise _failure(plan, unit, f"a worker process died twice over it (exit status {answer})")
                else:
                    yield unit, answer
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
            for worker in crew:
                worker.end()
    yield from _here(plan, refused)


def _failure(plan: Plan, unit: Unit, reason: str, trace: str = "") -> StudyError:
    error = StudyError(
        f"{plan.title(unit.pair)} failed at learning rate {unit.rate:g}: {reason}; "
        "the runs before it are recorded, so repair it and start again."
    )
    if trace:
        error.add_note(trace)
    return error


class _Worker:
    """A process that trains, started anew if it dies."""

    def __init__(self, cards: bytes) -> None:
        self._cards = cards
        self._refused = ""
        self._ended = False
        self._lock = threading.Lock()  # so that nothing is started once all is to end
        self._start()

    def _start(self) -> None:
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(entry or os.getcwd() for entry in sys.path),
            "OMP_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
        }
        command = [sys.executable, "-P", "-c", "from slopes.study.worker import main; main()"]
        with self._lock:
            if self._ended:
                raise EOFError
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
            self._greeted = False

    def do(self, unit: Unit) -> tuple[str, Any]:
        """Return ("done", outcome), ("failed", reasons), ("refused", reason) or ("died", exit status)."""
        for _ in range(2):
            try:
                return self._ask(unit)
            except (EOFError, OSError, pickle.UnpicklingError):
                status = self._stop()
                self._start()
        return "died", status

    def _ask(self, unit: Unit) -> tuple[str, Any]:
        sending, receiving = self._process.stdin, self._process.stdout
        assert sending is not None
        assert receiving is not None
        if not self._greeted:
            pickle.dump(self._cards, sending)
            sending.flush()
            verdict, reason = pickle.load(receiving)
            self._greeted, self._refused = True, reason if verdict == "refused" else ""
        if self._refused:
            return "refused", self._refused
        pickle.dump(unit, sending)
        sending.flush()
        answer: tuple[str, Any] = pickle.load(receiving)
        return answer

    def _stop(self) -> int:
        self._process.kill()
        status = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # what was still to be sent has no reader any more
                if pipe is not None:
                    pipe.close()
        return status

    def end(self) -> None:
        """End the process; it holds nothing that has not been sent."""
        with self._lock:
            self._ended = True
        self._stop()
