"""Where chunks are trained: here, in worker processes, by an executor; and what happens when one of them dies."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sys
import threading
import time
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest

pytest.importorskip("torch")

import toys

from slopes.comparing import StudyError, training
from slopes.comparing.executing import Done, Failed, dispatch, outcomes, parcel
from slopes.comparing.executing.attempt import ChunkResult, attempt
from slopes.comparing.executing.place import Place

needs_proc = pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks for processes in /proc")


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    """Here as well, toys are what is trained."""
    monkeypatch.setattr(training, "train", toys.train, raising=False)


def told(items):
    """What became of each cell, by its seed: a number or a reason."""
    found = {}
    for item in items:
        if isinstance(item, Failed):
            assert item.cell.seed not in found
            found[item.cell.seed] = item.reason
        else:
            for cell, outcome in zip(item.cells, item.outcomes, strict=True):
                assert cell.seed not in found
                assert outcome["test"] == {"accuracy": toys.number(cell)}
                found[cell.seed] = outcome["test"]["accuracy"]
    return found


def halves(count=8):
    cells = toys.cells(count)
    return [cells[: count // 2], cells[count // 2 :]]


EXPECTED = {cell.seed: toys.number(cell) for cell in toys.cells(8)}


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Make a module of the user's that worker processes find as well."""

    def make(name, source):
        (tmp_path / f"{name}.py").write_text(dedent(source))
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, name, raising=False)
        return __import__(name)

    return make


# ------------------------------------------------------------------------------------------------ here


def test_nothing_to_do():
    assert list(outcomes(toys.Toy(), [])) == []


def test_this_process_has_the_threads_asked_for_and_gives_the_others_back():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        for asked, had in ((1, 1), (2, 2), (None, 3)):
            (done,) = outcomes(toys.Toy(), [toys.cells(2)], threads=asked)
            assert [outcome["threads"] for outcome in done.outcomes] == [had] * 2
            assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_each_chunk_is_told_as_it_ends(tmp_path):
    toy = toys.Toy(folder=str(tmp_path), harm={5: "raise"})
    ending = outcomes(toy, halves(), workers=1)
    first = next(ending)
    assert [cell.seed for cell in first.cells] == [0, 1, 2, 3]
    ending.close()


def test_runs_are_told_before_their_chunk_ends(monkeypatch):
    def one(job, cells, seconds):
        return [*toys.train(job, cells[:1]), *[None] * len(cells[1:])]

    monkeypatch.setattr(training, "train", one)
    items = list(outcomes(toys.Toy(), [toys.cells(8)]))
    assert [len(item.cells) for item in items] == [1] * 8
    assert told(items) == EXPECTED


def test_training_that_gets_nowhere_has_failed(monkeypatch):
    monkeypatch.setattr(training, "train", lambda job, cells, _: [None] * len(cells))
    items = list(outcomes(toys.Toy(), [toys.cells(2)]))
    assert [item.reason for item in items] == ["RuntimeError: of 1 cells none was trained"] * 2


def test_what_does_not_pickle_is_trained_here():
    toy = toys.Toy()
    toy.extra = (step for step in "a generator has a state that no pickle holds")
    for item in outcomes(toy, halves(), workers=2):
        assert {outcome["process"] for outcome in item.outcomes} == {os.getpid()}


def test_an_interrupt_goes_through(monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(outcomes(toys.Toy(), halves(), workers=1))


def test_too_few_outcomes_are_no_outcomes(monkeypatch):
    monkeypatch.setattr(training, "train", lambda job, cells, _: [{}] * (len(cells) - 1))
    (failed,) = outcomes(toys.Toy(), [toys.cells(1)])
    assert failed.reason == "RuntimeError: 1 cells were trained and 0 outcomes came back"


@pytest.mark.parametrize("guilty", [[0], [7], [2, 3], list(range(8))])
def test_only_the_guilty_cells_of_a_chunk_fail(guilty):
    toy = toys.Toy(harm=dict.fromkeys(guilty, "raise"))
    items = list(outcomes(toy, [toys.cells(8)]))
    assert told(items) == EXPECTED | {seed: f"ArithmeticError: seed {seed} will not do" for seed in guilty}
    assert all("toys.py" in item.trace for item in items if isinstance(item, Failed))


def test_code_that_exits_has_failed():
    assert told(outcomes(toys.Toy(harm={1: "leave"}), [toys.cells(2)]))[1] == "SystemExit: 4"


def test_a_cell_that_died_beside_another_is_tried_once_more_alone(monkeypatch):
    """Where one place may blame a chunk for what another did, as Dask does."""
    tries = []

    class Blaming(Place):
        shared = True

        def submit(self, cells):
            seeds = [cell.seed for cell in cells]
            first = seeds not in tries
            tries.append(seeds)
            died = 1 in seeds or (seeds == [2] and first)
            verdict = ChunkResult("died", [], "died") if died else attempt(toys.Toy(), cells)
            self._ends.put((cells, verdict))

    monkeypatch.setattr(dispatch, "_place", lambda *_: Blaming())
    items = list(outcomes(toys.Toy(), [[cell] for cell in toys.cells(4)]))
    assert told(items) == {seed: EXPECTED[seed] for seed in (0, 2, 3)} | {1: "died"}
    assert tries == [[0], [1], [2], [3], [1], [2]]


# ------------------------------------------------------------------------------------------------ processes


def test_workers_give_the_numbers_that_this_process_gives(module, monkeypatch, capfd):
    mine = module("talking", """
        import torch, toys
        class Talking(toys.Toy):
            def __getattribute__(self, name):
                if name == "seconds":
                    print("a model that prints")
                return super().__getattribute__(name)
    """)  # fmt: skip
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    items = list(outcomes(mine.Talking(), [[cell] for cell in toys.cells(8)], workers=2))
    assert told(items) == EXPECTED
    processes = {item.outcomes[0]["process"] for item in items}
    assert len(processes) in (1, 2), "two workers have taken chunks, or one of them all"
    assert os.getpid() not in processes
    assert {item.outcomes[0]["threads"] for item in items} == {1}
    assert "a model that prints" in capfd.readouterr().err


def test_what_a_fresh_process_cannot_import_is_trained_here(tmp_path, module):
    mine = module("passing", "import toys\nclass Passing(toys.Toy): pass")
    (tmp_path / "passing.py").unlink()
    items = list(outcomes(mine.Passing(), halves(), workers=2))
    assert told(items) == EXPECTED
    assert {item.outcomes[0]["process"] for item in items} == {os.getpid()}


def test_a_job_that_kills_what_loads_it_is_trained_here(module):
    mine = module("heavy", """
        import os, toys
        class Heavy(toys.Toy):
            def __setstate__(self, state):
                os._exit(5)
    """)  # fmt: skip
    items = list(outcomes(mine.Heavy(), halves(4), workers=2))
    assert {item.outcomes[0]["process"] for item in items} == {os.getpid()}


def test_a_script_without_a_main_guard_and_with_a_class_of_its_own(python):
    pytest.importorskip("cloudpickle")
    process = python(f"""
        import os, sys
        sys.path.append({os.path.dirname(toys.__file__)!r})
        import toys
        from slopes.comparing.executing import outcomes
        toys.install()
        class Own(toys.Toy):
            pass
        items = list(outcomes(Own(), [[cell] for cell in toys.cells(4)], workers=2))
        print(len(items), os.getpid() in {{item.outcomes[0]["process"] for item in items}})
    """)
    out, err = process.communicate()
    assert out == "4 False\n", err


@pytest.mark.parametrize(("harm", "how"), [("die", "signal 9, SIGKILL"), ("exit", "exit status 3")])
def test_a_cell_that_kills_its_worker_fails_alone(harm, how):
    items = list(outcomes(toys.Toy(harm={1: harm}), [toys.cells(2), toys.cells(4)[2:]], workers=2))
    assert told(items) == {**{s: EXPECTED[s] for s in (0, 2, 3)}, 1: f"killed its worker process twice ({how})"}


def test_a_worker_that_dies_once_costs_nothing(tmp_path):
    items = list(outcomes(toys.Toy(harm={1: "die once"}, folder=str(tmp_path)), halves(), workers=2))
    assert told(items) == EXPECTED
    assert [item.outcomes[0]["stack"] for item in items] == [4, 4], "the chunk was not split"
    assert (tmp_path / "died-1").exists()


def workers_of(pid):
    """The worker processes that a process has started."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid and b"executing.worker" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def gone(pid):
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def assert_gone(pids):
    """Wait until these processes have ended; those that have not when the test's time is over are killed."""
    try:
        while not all(map(gone, pids)):
            time.sleep(0.05)
    finally:
        for pid in pids:
            if not gone(pid):
                os.kill(pid, signal.SIGKILL)


@needs_proc
def test_closing_the_iterator_ends_the_workers():
    ending = outcomes(toys.Toy(seconds=0.01), [[cell] for cell in toys.cells(1000)], workers=2)
    next(ending)
    workers = workers_of(os.getpid())
    assert len(workers) == 2
    ending.close()
    assert all(map(gone, workers))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("slopes-worker")]


@needs_proc
@pytest.mark.parametrize("end", ["kill", "interrupt", "terminate", "kill, with a child that keeps the pipes open"])
def test_no_worker_outlives_its_parent(tmp_path, python, end):
    process = python(f"""
        import os, sys, time
        sys.path.append({os.path.dirname(toys.__file__)!r})
        import toys
        from slopes.comparing.executing import outcomes
        ending = outcomes(toys.Toy(seconds=600, harm={{0: "none"}}, folder="."), [[cell] for cell in toys.cells(2)],
                          workers=2)
        if "child" in {end!r}:
            import threading
            def child():
                while len([name for name in os.listdir() if name.startswith("process-")]) < 2:
                    time.sleep(0.05)
                if not os.fork():
                    time.sleep(600)
                open("forked", "w").close()
            threading.Thread(target=child, daemon=True).start()
        next(ending)
    """)  # fmt: skip
    wanted = "forked" if "child" in end else "process-*"
    while len(list(tmp_path.glob(wanted))) < (1 if "child" in end else 2):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    workers = workers_of(process.pid)
    assert len(workers) == 2
    if end == "interrupt":
        process.send_signal(signal.SIGINT)
    elif end == "terminate":
        process.terminate()
    else:
        process.kill()
    process.wait()
    assert_gone(workers)


# ------------------------------------------------------------------------------------------------ executors


def test_threads_train_the_very_job_one_chunk_at_a_time():
    toy = toys.Toy(seconds=0.05)
    toy.busy = threading.Lock()  # which does not pickle
    with pytest.raises(TypeError, match="does not pickle, so it cannot be sent elsewhere; leave executor out"):
        list(outcomes(toy, halves(), executor=ThreadPoolExecutor(2)))
    del toy.busy
    start = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        assert told(outcomes(toy, halves(), executor=pool)) == EXPECTED
        assert pool.submit(int).result() == 0, "it is the user's, and stays open"
    assert time.monotonic() - start > 8 * 0.05, "random numbers belong to the process"
    assert not parcel._packed


@pytest.mark.parametrize("way", [way for way in ("spawn", "fork") if way in multiprocessing.get_all_start_methods()])
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # of a process with threads, which is the test's
def test_a_pool_of_processes(way):
    with ProcessPoolExecutor(1, multiprocessing.get_context(way)) as pool:
        items = list(outcomes(toys.Toy(harm={6: "raise"}), halves(), executor=pool))
    assert told(items) == EXPECTED | {6: "ArithmeticError: seed 6 will not do"}
    assert os.getpid() not in {item.outcomes[0]["process"] for item in items if isinstance(item, Done)}


def test_an_executor_that_breaks():
    pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
    ended = []
    message = r"^executor: it broke or was shut down \(BrokenProcessPool: .+\); earlier runs are recorded: start"
    with pytest.raises(StudyError, match=message):
        ended.extend(outcomes(toys.Toy(harm={5: "die"}), halves(), executor=pool))
    with pytest.raises(StudyError, match=message):
        list(outcomes(toys.Toy(), halves(), executor=pool))
    assert told(ended) == {seed: EXPECTED[seed] for seed in range(4)}
    pool.shutdown()
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(StudyError, match=r"\(RuntimeError: cannot schedule new futures after shutdown\)"):
        list(outcomes(toys.Toy(), halves(), executor=pool))


class Lazy(ThreadPoolExecutor):
    """Never begins."""

    def submit(self, fn, /, *args, **kwargs):
        self.future = Future()
        return self.future


def test_an_executor_that_cancels_or_cannot_load():
    pool = Lazy()
    threading.Timer(0.2, lambda: pool.future.cancel() and pool.future.set_running_or_notify_cancel()).start()
    with pytest.raises(StudyError, match="broke or was shut down"):
        list(outcomes(toys.Toy(), [toys.cells(2)], executor=pool))
    threading.Timer(0.2, lambda: pool.future.set_exception(ModuleNotFoundError("No module named 'slopes'"))).start()
    with pytest.raises(StudyError, match="does not load where it is to be trained: ModuleNotFoundError: No module"):
        list(outcomes(toys.Toy(), [toys.cells(2)], executor=pool))
    threading.Timer(0.2, lambda: pool.future.set_result(ChunkResult("done", [{}], machine="there"))).start()
    assert list(outcomes(toys.Toy(), [toys.cells(1)], executor=pool)) == [Done(tuple(toys.cells(1)), [{}], "there")]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [("processes", ValueError), ("dask://", ValueError), (3, TypeError), (ProcessPoolExecutor, TypeError)],
)
def test_what_is_no_executor(wrong, error):
    with pytest.raises(error, match=r"^executor must be a concurrent.futures.Executor, a distributed.Client or 'dask"):
        list(outcomes(toys.Toy(), halves(), executor=wrong))


# ------------------------------------------------------------------------------------------------ parcels


def test_a_users_file_travels_with_the_job_and_is_run_anew_when_it_has_changed(tmp_path, module, monkeypatch):
    """Also where the processes live longer than a study, and where the file does not exist."""
    bent = """
        import toys
        from factors import FACTOR
        import slopes
        @slopes.activation()
        def bent(x):
            return slopes.ops.where(x > 0, x, FACTOR * x)
        class Factor(toys.Toy):
            def __setstate__(self, state):
                self.__dict__ |= state
                toys.install(lambda job, cells, _: [{"factor": float(job.bent(-1.0))} for cell in cells])
                import inspect
                assert "FACTOR * x" in inspect.getsource(Factor.__setstate__.__globals__["bent"].body)
    """
    from slopes.loading import _run

    folder = tmp_path / "mine"

    class Elsewhere(ProcessPoolExecutor):
        """Has no such files."""

        def submit(self, fn, /, *args, **kwargs):
            shutil.rmtree(folder, ignore_errors=True)
            return super().submit(fn, *args, **kwargs)

    with Elsewhere(1, multiprocessing.get_context("spawn")) as pool:
        pool.submit(int).result()
        for factor in (0.5, 0.25):
            folder.mkdir()
            (folder / "factors.py").write_text(f"FACTOR = {factor}\n")
            (folder / "bent.py").write_text(dedent(bent))
            for name in [name for name in sys.modules if name == "factors" or name.startswith("slopes.loading.bent_")]:
                del sys.modules[name]
            mine = _run(folder / "bent.py", "bent.py")
            assert factor == sys.modules["factors"].FACTOR
            toy = mine.Factor()
            toy.bent = mine.bent
            (done,) = outcomes(toy, [toys.cells(1)], executor=pool)
            assert done.outcomes == [{"factor": -factor}]


def test_a_parcel_holds_the_users_modules_only(module):
    mine = module("outer", "import numpy, torch, toys, slopes\nfrom toys import Toy\nclass Mine(Toy): pass")
    packed = parcel.pack(mine.Mine())
    parcel.forget(packed)
    assert set(packed.sources) == {"outer", "toys"}
    assert parcel.open_parcel(replace(packed, name="another", sources={})).__class__ is mine.Mine
