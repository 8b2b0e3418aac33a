"""Training in worker processes of this machine, over pipes.

A ProcessPoolExecutor that spawns would run the caller's main script again, which breaks without a main guard, and its
processes outlive a killed parent.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from typing import Any

from slopes.comparing.executing.attempt import Cells, ChunkResult
from slopes.comparing.executing.place import Place
from slopes.comparing.record import machine


def pickled(job: Any) -> bytes | None:
    """Pickle of a job, or None where a part does not pickle; loading it may still fail.

    cloudpickle, where installed, also carries definitions in a main script or a notebook, except cards.
    """
    try:
        dumps = import_module("cloudpickle").dumps
    except ImportError:
        dumps = pickle.dumps
    try:
        text: bytes = dumps(job)
    except Exception:  # pickling may run the user's code
        return None
    return text


class Processes(Place):
    """Worker processes of one thread, which load the job once and end with this process."""

    replaceable = True

    def __init__(self, job: bytes, size: int) -> None:
        super().__init__()
        self.width = size
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="slopes-worker")
        self._workers: list[_Worker] = []
        self._idle: list[_Worker] = []
        try:
            for _ in range(size):
                self._workers.append(_Worker(job))
        except BaseException:
            self.close()
            raise
        self._idle.extend(self._workers)

    def submit(self, cells: Cells) -> None:
        worker = self._idle.pop()  # one is idle while at most `width` chunks are out

        def work() -> None:
            try:
                result = worker.do(cells)
            except BaseException as error:  # no process or memory is left, and `ended` needs a result
                result = ChunkResult("died", [], f"no worker process could be started ({error})", "", machine())
            self._idle.append(worker)
            self._ends.put((cells, result))

        self._threads.submit(work)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in self._workers:
            worker.end()
        self._threads.shutdown()


class _Worker:
    """Training process, restarted if it dies."""

    def __init__(self, job: bytes) -> None:
        self._job = job
        self._ended = False
        self._lock = threading.Lock()  # nothing may start after `end`
        self._start()

    def _start(self) -> None:
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(entry or os.getcwd() for entry in sys.path),
            "OMP_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
        }
        start = f"from slopes.comparing.executing.worker import main; main({os.getpid()})"
        command = [sys.executable, "-P", "-c", start]
        with self._lock:
            if self._ended:
                raise EOFError
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
            self._refusal: ChunkResult | None = None
            self._loaded = False

    def do(self, cells: Cells) -> ChunkResult:
        """Train a chunk, and again if the process dies over it; deaths while the job loads do not count."""
        over_chunk: list[str] = []
        over_job: list[str] = []
        while len(over_chunk) < 2 and len(over_job) < 3:
            try:
                return self._ask(cells)
            except (EOFError, OSError, pickle.UnpicklingError):
                ends = over_chunk if self._loaded else over_job
                ends.append(_words(self._stop()))
                self._start()
        how = ", then ".join(dict.fromkeys(over_chunk if len(over_chunk) == 2 else over_job))
        if len(over_chunk) == 2:
            return ChunkResult("died", [], f"killed its worker process twice ({how})", "", machine())
        return ChunkResult("refused", [], f"worker processes end before they have loaded it ({how})", "", machine())

    def _ask(self, cells: Cells) -> ChunkResult:
        sending, receiving = self._process.stdin, self._process.stdout
        assert sending is not None
        assert receiving is not None
        if not self._loaded:
            pickle.dump(self._job, sending)
            sending.flush()
            self._refusal = pickle.load(receiving)
            self._loaded = True
        if self._refusal is not None:
            return self._refusal
        pickle.dump(cells, sending)
        sending.flush()
        result: ChunkResult = pickle.load(receiving)
        return result

    def _stop(self) -> int:
        # a process that closed its pipe is about to end; wait for its status
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=0 if self._ended else 1)
        self._process.kill()
        status = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # unsent data have no reader
                if pipe is not None:
                    pipe.close()
        return status

    def end(self) -> None:
        with self._lock:
            self._ended = True
        self._stop()


def _words(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    with suppress(ValueError):
        return f"signal {-status}, {signal.Signals(-status).name}"
    return f"signal {-status}"
