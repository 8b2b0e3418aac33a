"""A cluster: a real Dask scheduler and workers, as separate processes on loopback, some of which are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

pytest.importorskip("torch")
pytest.importorskip("distributed", reason="needs slopes[cluster]")

import distributed
import toys

from helpers import PATIENCE
from slopes.comparing import StudyError, training
from slopes.comparing.executing import Failed, cluster, outcomes
from slopes.comparing.record import Record

EXPECTED = {cell.seed: toys.number(cell) for cell in toys.cells(60)}


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    monkeypatch.setattr(training, "train", toys.train, raising=False)
    monkeypatch.setattr(cluster, "PATIENCE", PATIENCE)


class Processes:
    """A scheduler and its workers, which know nothing of these tests."""

    def __init__(self, folder):
        self.folder = folder
        self.file = folder / "scheduler.json"
        self.scheduler = self._start("scheduler", "--port", "0", "--scheduler-file", self.file)
        self.address = None
        while self.address is None:
            assert self.scheduler.poll() is None
            time.sleep(0.05)
            with suppress(FileNotFoundError, json.JSONDecodeError):  # it is written piece by piece
                self.address = json.loads(self.file.read_text())["address"].replace("tcp://", "dask://")
        self.workers = []

    def work(self, *options):
        more = ("--scheduler-file", self.file, "--nthreads", "1", "--local-directory", self.folder, *options)
        self.workers.append(self._start("worker", *more))

    def _start(self, what, *options):
        command = [sys.executable, "-m", "dask", what, "--host", "127.0.0.1", "--no-dashboard", *map(str, options)]
        limits = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1", "OMP_NUM_THREADS": "1"}
        with (self.folder / f"{what}.log").open("a") as log:
            return subprocess.Popen(
                command, env=os.environ | limits, stdout=log, stderr=log, cwd=self.folder, start_new_session=True
            )

    def end(self):
        for process in (*self.workers, self.scheduler):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture(scope="module")
def lasting(tmp_path_factory):
    """Two workers that are started anew when they die."""
    processes = Processes(tmp_path_factory.mktemp("lasting"))
    processes.work("--nanny")
    processes.work("--nanny")
    yield processes
    processes.end()


@pytest.fixture
def mortal(tmp_path):
    """Two workers that stay dead."""
    processes = Processes(tmp_path)
    processes.work("--no-nanny")
    processes.work("--no-nanny")
    yield processes
    processes.end()


def chunks(count, size=1):
    cells = toys.cells(count)
    return [cells[start : start + size] for start in range(0, count, size)]


def told(items):
    found = {}
    for item in items:
        if isinstance(item, Failed):
            found[item.cell.seed] = item.reason
        else:
            for cell, outcome in zip(item.cells, item.outcomes, strict=True):
                assert cell.seed not in found
                found[cell.seed] = outcome["test"]["accuracy"]
    return found


def test_a_study_on_a_cluster_by_address(lasting):
    """The toys, which the workers cannot import, go with the job."""
    items = list(outcomes(toys.Toy(harm={5: "raise"}), chunks(8, 4), executor=lasting.address))
    reason = "ArithmeticError: seed 5 will not do"
    assert told(items) == {seed: EXPECTED[seed] for seed in range(8)} | {5: reason}
    assert {
        outcome["process"] for item in items if not isinstance(item, Failed) for outcome in item.outcomes
    }.isdisjoint({os.getpid()})


def test_a_study_on_a_cluster_by_the_users_client(lasting):
    with distributed.Client(lasting.address.replace("dask", "tcp")) as client:
        ending = outcomes(toys.Toy(seconds=0.05), chunks(20), executor=client)
        next(ending)
        ending.close()
        assert client.status == "running", "it is the user's, and stays open"
        assert told(outcomes(toys.Toy(), chunks(4), executor=client)) == {seed: EXPECTED[seed] for seed in range(4)}


@pytest.mark.exhaustive
def test_a_cell_that_kills_workers_fails_alone(lasting):
    items = list(outcomes(toys.Toy(harm={1: "die"}), chunks(4, 2), executor=lasting.address))
    assert told(items) == {s: EXPECTED[s] for s in (0, 2, 3)} | {1: "killed its Dask worker 2 times (KilledWorker)"}
    (failed,) = (item for item in items if isinstance(item, Failed))
    assert failed.machine.startswith("tcp://127.0.0.1:")


def test_a_study_that_does_not_pickle_is_not_sent(lasting):
    toy = toys.Toy()
    toy.extra = (step for step in "a generator has a state that no pickle holds")
    with pytest.raises(TypeError, match="does not pickle"):
        list(outcomes(toy, chunks(2), executor=lasting.address))


def test_a_job_that_does_not_load_there(lasting):
    class Local(toys.Toy):
        def __setstate__(self, state):
            raise ModuleNotFoundError("No module named 'mine'")

    pytest.importorskip("cloudpickle")
    with pytest.raises(StudyError, match="does not load where it is to be trained: ModuleNotFoundError: No module"):
        list(outcomes(Local(), chunks(2), executor=lasting.address))


def test_an_address_where_nobody_answers(monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 1)
    message = (
        r"^executor: no Dask scheduler answers at tcp://127\.0\.0\.1:9 \(.+\); start one with `dask scheduler`, or"
    )
    with pytest.raises(StudyError, match=message):
        list(outcomes(toys.Toy(), chunks(2), executor="dask://127.0.0.1:9"))


def test_dask_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r"needs distributed: pip install 'slopes\[cluster\]'"):
        list(outcomes(toys.Toy(), chunks(2), executor="dask://127.0.0.1:9"))


@pytest.mark.exhaustive
def test_a_worker_that_is_killed_and_then_the_last_one_and_then_the_scheduler(mortal, tmp_path, monkeypatch):
    """What was lost is trained again elsewhere; a new worker gets the job anew; and the record is safe."""
    items = []
    for item in outcomes(toys.Toy(seconds=0.05), chunks(60), executor=mortal.address):
        items.append(item)
        if len(items) == 10:
            mortal.workers[0].kill()
    assert told(items) == EXPECTED

    items = []
    for item in outcomes(toys.Toy(seconds=0.05), chunks(20), executor=mortal.address):
        items.append(item)
        if len(items) == 5:
            mortal.workers[1].kill()
            mortal.work("--no-nanny")
    assert told(items) == {seed: EXPECTED[seed] for seed in range(20)}

    with Record(tmp_path / "out") as record:

        def studied():
            toy = toys.Toy(folder=str(tmp_path), log="log", most=5)
            for item in outcomes(toy, chunks(60), executor=mortal.address):
                record.add(str(item.cells[0].seed), {}, item.outcomes[0])
                if len(record.keys()) == 5:
                    mortal.scheduler.kill()
                    monkeypatch.setattr(cluster, "PATIENCE", 1)

        with pytest.raises(StudyError, match=r"the Dask scheduler is lost \(.+\); earlier runs are recorded, so"):
            studied()
        assert len(record.keys()) == 5


@pytest.mark.exhaustive
def test_a_cluster_whose_workers_come_late(tmp_path, monkeypatch):
    connect = cluster._client

    def connect_and_lose_patience(executor):
        client = connect(executor)
        monkeypatch.setattr(cluster, "PATIENCE", 1)
        return client

    monkeypatch.setattr(cluster, "_client", connect_and_lose_patience)
    processes = Processes(tmp_path)
    try:
        ending = outcomes(toys.Toy(), chunks(2), executor=processes.address)
        original = cluster.warnings.warn

        def warn(text, **options):
            original(text, **options)
            processes.work("--no-nanny")

        monkeypatch.setattr(cluster.warnings, "warn", warn)
        with pytest.warns(UserWarning, match="the Dask scheduler has no workers; waiting for a `dask worker`"):
            assert told(ending) == {seed: EXPECTED[seed] for seed in range(2)}
    finally:
        processes.end()
