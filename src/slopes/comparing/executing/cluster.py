"""Training on a Dask cluster.

Each chunk is one future. When its worker dies, Dask sends it to another, and at last gives up with KilledWorker. The
job is sent once, as the result of a task: scattered data would be lost with the last worker that holds them.
"""

from __future__ import annotations

import math
import time
import uuid
import warnings
from contextlib import suppress
from importlib import import_module
from typing import Any

from slopes.comparing.errors import StudyError
from slopes.comparing.executing.attempt import Cells, ChunkResult, refusal
from slopes.comparing.executing.executors import work
from slopes.comparing.executing.parcel import Parcel, forget, pack
from slopes.comparing.executing.place import Place
from slopes.comparing.job import Job
from slopes.extras import require
from slopes.loading import describe

#: seconds for a scheduler to answer or to return
PATIENCE = 5


class Cluster(Place):
    """Workers of a Dask scheduler, by its address or by the user's client, which stays open."""

    shared = True  # Dask blames all chunks waiting on a worker for its death

    def __init__(self, job: Job, executor: Any) -> None:
        super().__init__()
        self._parcel: Parcel | None = None
        self._futures: dict[str, tuple[Any, Cells]] = {}
        self._quiet: float | None = None  # when the scheduler went away or lost its workers
        self._told = False
        self._client, self._own = _client(executor)
        try:
            self._parcel = pack(job)
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Sending large graph")  # data are large, but sent once
                self._sent = self._submit(_itself, self._parcel)
        except BaseException:
            self.close()
            raise

    def _submit(self, function: Any, *arguments: Any) -> Any:
        try:
            return self._client.submit(function, *arguments, pure=False, key=f"slopes-{uuid.uuid4()}")
        except Exception as error:
            raise _lost(describe(error)) from error

    def submit(self, cells: Cells) -> None:
        future = self._submit(work, self._sent, cells)
        self._futures[future.key] = (future, cells)
        future.add_done_callback(self._end)

    def _end(self, future: Any) -> None:
        _, cells = self._futures.pop(future.key, (None, None))
        if cells is None:
            return
        try:
            result: ChunkResult = future.result()
        except import_module("distributed").KilledWorker as error:
            reason = f"killed its Dask worker {error.allowed_failures + 1} times (KilledWorker)"
            result = ChunkResult("died", [], reason, str(error), error.last_worker.address)
        except BaseException as error:  # CancelledError is no Exception
            kind = "lost" if future.cancelled() or self._client.status != "running" else "refused"
            result = refusal(error)._replace(kind=kind)
        self._ends.put((cells, result))

    def ended(self, until: float = math.inf) -> tuple[Cells, ChunkResult] | None:
        end = super().ended(until)
        if end is not None and end[1].kind == "lost":
            raise _lost("the connection to it broke" if "connection-lost" in end[1].reason else end[1].reason)
        return end

    def check(self) -> None:
        """Raise StudyError if the scheduler is away for too long; warn once if it has no workers."""
        if self._client.status == "closed":
            raise _lost("the client is closed")
        away = self._client.status != "running"
        if not away and self._client.scheduler_info()["workers"]:
            self._quiet = None
        elif self._quiet is None:
            self._quiet = time.monotonic()
        elif time.monotonic() - self._quiet > PATIENCE:
            if away:
                raise _lost(f"the client is {self._client.status}")
            if not self._told:  # no error: a queue may take hours
                warnings.warn("executor: the Dask scheduler has no workers; waiting for a `dask worker`.", stacklevel=2)
            self._told = True

    def close(self) -> None:
        left = [future for future, _ in self._futures.values()]
        self._futures.clear()
        with suppress(Exception):
            if left and self._client.status == "running":
                self._client.cancel(left)
        self._sent = None
        if self._parcel is not None:
            forget(self._parcel)
        if self._own:
            with suppress(Exception):
                self._client.close(timeout=2)


def _client(executor: Any) -> tuple[Any, bool]:
    """(a client, whether we close it)."""
    named = isinstance(executor, str) and executor.startswith("dask://") and executor != "dask://"
    if not named and type(executor).__module__.partition(".")[0] != "distributed":
        takes = "a concurrent.futures.Executor, a distributed.Client or 'dask://host:8786'"
        raise (ValueError if isinstance(executor, str) else TypeError)(f"executor must be {takes}, got {executor!r}")
    require("executor='dask://…'", "distributed")
    distributed: Any = import_module("distributed")
    if not named:
        if not isinstance(executor, distributed.Client) or executor.asynchronous:
            raise TypeError(f"executor must be a distributed.Client that is not asynchronous, got {executor!r}")
        return executor, False
    address = f"tcp://{executor.removeprefix('dask://')}"
    try:
        return distributed.Client(address, timeout=PATIENCE, set_as_default=False), True
    except Exception as error:
        raise StudyError(
            f"executor: no Dask scheduler answers at {address} ({describe(error)}); start one with `dask scheduler`, "
            "or correct the address."
        ) from error


def _lost(why: str) -> StudyError:
    return StudyError(
        f"executor: the Dask scheduler is lost ({why}); earlier runs are recorded, so start again when it is back."
    )


def _itself(parcel: Parcel) -> Parcel:
    return parcel
