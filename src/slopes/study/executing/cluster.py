"""Training on a Dask cluster.

The job is scattered once, and each chunk is one future. Dask itself sends a chunk to another worker when one
dies; only where it dies again and again does it give up, with KilledWorker. Data that was scattered is lost with
the last worker that held it, as Dask cannot make it anew: then it is scattered again.
"""

from __future__ import annotations

import time
import uuid
import warnings
from contextlib import suppress
from importlib import import_module
from typing import Any

from slopes.extras import require
from slopes.loading import describe
from slopes.study.errors import StudyError
from slopes.study.executing.attempt import Cells, Verdict, refusal
from slopes.study.executing.executors import work
from slopes.study.executing.parcel import Parcel, forget, pack
from slopes.study.executing.place import Place
from slopes.study.job import Job

#: seconds in which a scheduler must answer, and for which it may be away
PATIENCE = 5


class Cluster(Place):
    """The workers of a Dask scheduler, by its address or by the user's client, which stays open."""

    shared = True  # Dask blames all chunks that were waiting on a worker for its death

    def __init__(self, job: Job, executor: Any) -> None:
        super().__init__()
        self._parcel: Parcel | None = None
        self._futures: dict[str, tuple[Any, Cells]] = {}
        self._away: float | None = None
        self._client, self._own = _client(executor)
        try:
            self._parcel = pack(job)
            self._scattered = self._scatter()
        except BaseException:
            self.close()
            raise

    def _scatter(self) -> Any:
        """Send the job to the workers, as soon as there are any: a queue may take hours to start them."""
        told = False
        while True:
            try:
                self._client.wait_for_workers(1, timeout=PATIENCE)
                return self._client.scatter([self._parcel], broadcast=True, hash=False)[0]
            except TimeoutError:
                self.check()
                if not told:
                    text = "executor: the Dask scheduler has no workers yet; waiting for the first `dask worker`."
                    warnings.warn(text, stacklevel=2)
                told = True
            except Exception as error:
                raise _lost(error) from error

    def submit(self, cells: Cells) -> None:
        """Submit the chunk as one future, with the job as what was scattered."""
        key = f"slopes-{uuid.uuid4()}"
        try:
            future = self._client.submit(work, self._scattered, cells, pure=False, key=key)
        except Exception as error:
            raise _lost(error) from error
        self._futures[key] = (future, cells)
        future.add_done_callback(self._end)

    def _end(self, future: Any) -> None:
        _, cells = self._futures.pop(future.key, (None, None))
        if cells is None:
            return
        try:
            verdict: Verdict = future.result()
        except import_module("distributed").KilledWorker as error:
            reason = f"killed its Dask worker {error.allowed_failures + 1} times (KilledWorker)"
            verdict = Verdict("died", [], reason, str(error), error.last_worker.address)
        except BaseException as error:  # CancelledError is no Exception
            kind = "lost" if future.cancelled() or self._client.status != "running" else "refused"
            verdict = refusal(error)._replace(kind=kind)
        self._ends.put((cells, verdict))

    def ended(self) -> tuple[Cells, Verdict]:
        """Wait for the next chunk to end; one whose job went with the workers is submitted anew."""
        while True:
            cells, verdict = super().ended()
            if verdict.kind != "lost":
                return cells, verdict
            if self._client.status != "running" or "scheduler-connection-lost" in verdict.reason:
                raise _lost("the connection to it broke")
            if self._scattered.status != "finished":
                self._scattered = self._scatter()
            self.submit(cells)

    def check(self) -> None:
        """Raise StudyError if the scheduler has been away for too long."""
        if self._client.status == "running":
            self._away = None
        elif self._away is None:
            self._away = time.monotonic()
        elif self._client.status == "closed" or time.monotonic() - self._away > PATIENCE:
            raise _lost(f"the connection is {self._client.status}")

    def close(self) -> None:
        """Cancel what has not ended, and leave the cluster as it was."""
        left = [future for future, _ in self._futures.values()]
        self._futures.clear()
        with suppress(Exception):
            if left and self._client.status == "running":
                self._client.cancel(left)
        self._scattered = None
        if self._parcel is not None:
            forget(self._parcel)
        if self._own:
            with suppress(Exception):
                self._client.close(timeout=2)


def _client(executor: Any) -> tuple[Any, bool]:
    """A client, and whether it is ours to close."""
    named = isinstance(executor, str) and executor.startswith("dask://") and executor != "dask://"
    if not named and type(executor).__module__.partition(".")[0] != "distributed":
        takes = "a concurrent.futures.Executor, a distributed.Client or 'dask://host:8786'"
        raise (ValueError if isinstance(executor, str) else TypeError)(f"executor must be {takes}, got {executor!r}")
    require("executor='dask://…'", "cluster", "distributed")
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


def _lost(why: BaseException | str) -> StudyError:
    text = describe(why) if isinstance(why, BaseException) else why
    return StudyError(
        f"executor: the Dask scheduler is lost ({text}); what ended before is recorded, so start again when it is back."
    )
