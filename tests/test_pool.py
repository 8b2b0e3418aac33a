"""Kernels on several threads: the same results, in forked children and from several callers, too."""

import os
import random
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import slopes
from helpers import PATIENCE, mark_exhaustive, require_kernels
from slopes import kernels
from slopes.kernels import compiling, entries, openmp, pool

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@pytest.fixture(params=[True, False], ids=["PyTorch's", "own"], autouse=True)
def are_of_pytorch(request, monkeypatch):
    """Whose threads they are."""
    if request.param:
        pytest.importorskip("torch")
        if sys.platform != "linux":
            pytest.skip("PyTorch's threads serve on Linux alone")
    else:
        monkeypatch.setattr(openmp, "run", lambda work, threads: False)
    return request.param


@pytest.fixture(params=[1, 2, 5], ids=lambda count: f"{count} threads")
def threads(request, monkeypatch):
    monkeypatch.setattr(pool, "thread_count", lambda: request.param)
    return request.param


@pytest.mark.parametrize("size", [0, 1, 99, 2 * 64, 1000, 12345])
def test_each_entry_is_in_one_slice(threads, size):
    counts = np.zeros(size, dtype=int)

    def count(start, stop):
        assert start < stop
        counts[start:stop] += 1
        return stop - start

    pool.run(count, size, 64)
    assert (counts == 1).all()
    lengths = pool.collect(count, size, 64)
    assert (counts == 2).all()
    assert sum(lengths) == size
    assert all(length >= 64 for length in lengths[:-1])


@pytest.mark.parametrize(("call", "rows"), [(pool.run, 2), (pool.collect, 1)])
def test_few_wide_rows_are_shared(call, rows, monkeypatch):
    monkeypatch.setattr(pool, "thread_count", lambda: 2)
    bounds = []
    call(lambda start, stop: bounds.append((start, stop)), 10, 1)
    assert sorted(bounds) == [(start, start + rows) for start in range(0, 10, rows)]


def test_slices_are_computed_at_the_same_time(monkeypatch):
    monkeypatch.setattr(pool, "thread_count", lambda: 3)
    for call in (pool.run, pool.collect):
        meeting = threading.Barrier(3, timeout=PATIENCE)
        call(lambda start, stop: meeting.wait() if start < 3 * 64 else None, 12 * 64, 64)  # noqa: B023


def test_threads_are_those_that_pytorch_computes_with(are_of_pytorch, monkeypatch):
    monkeypatch.setattr(pool, "thread_count", lambda: 2)
    meeting, seen = threading.Barrier(2, timeout=PATIENCE), set()

    def look(start, stop):
        if start < 2 * 64:
            meeting.wait()
            seen.add(threading.get_native_id())

    pool.run(look, 8 * 64, 64)
    (other,) = seen - {threading.get_native_id()}
    ours = {thread.native_id for thread in threading.enumerate() if thread.name.startswith("slopes-")}
    assert (other in ours) is not are_of_pytorch


def test_without_pytorch_threads_are_our_own(monkeypatch):
    monkeypatch.undo()
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    called = []
    assert not openmp.run(lambda: called.append(1), 2)
    assert not called


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="Windows has no alarms")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_alarm_is_raised_wherever_it_comes(monkeypatch):
    """One that comes in a weak reference's callback can only be printed, by Python itself."""
    monkeypatch.setattr(pool, "thread_count", lambda: 2)

    class Alarm(BaseException):
        pass

    def ring(*_):
        raise Alarm

    before, timer = signal.signal(signal.SIGALRM, ring), signal.setitimer(signal.ITIMER_REAL, 0)
    chance, rung = random.Random(0), 0
    try:
        for _ in range(300):
            try:
                signal.setitimer(signal.ITIMER_REAL, chance.uniform(1e-5, 4e-4))
                for _ in range(100):
                    pool.run(lambda start, stop: None, 8 * 64, 64)
            except Alarm:
                rung += 1
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *timer)
    assert rung > 200
    assert sum(pool.collect(lambda start, stop: stop - start, 8 * 64, 64)) == 8 * 64


@pytest.mark.parametrize("call", [pool.run, pool.collect])
def test_a_call_waits_for_the_last_slice(call, monkeypatch):
    monkeypatch.setattr(pool, "thread_count", lambda: 2)
    here, started, finished = threading.get_ident(), threading.Event(), []

    def compute(start, stop):
        if threading.get_ident() == here:
            assert started.wait(PATIENCE)
        else:
            started.set()
            time.sleep(0.1)
        finished.append(start)

    call(compute, 4 * 64, 64)
    assert sorted(finished) == [0, 64, 128, 192]


def test_few_entries_stay_on_the_callers_thread(threads):
    seen = []
    pool.run(lambda *bounds: seen.append((bounds, threading.get_ident())), 2 * 64 - 1, 64)
    assert seen == [((0, 127), threading.get_ident())]


def test_results_lie_in_the_order_of_the_slices_and_do_not_depend_on_threads(threads):
    x = np.random.default_rng(0).standard_normal(100003).astype("float32")
    parts = pool.collect(lambda start, stop: (start, x[start:stop].sum()), x.size, 64)
    assert [start for start, _ in parts] == sorted(start for start, _ in parts)
    length = parts[1][0]
    assert [total for _, total in parts] == [x[i : i + length].sum() for i in range(0, x.size, length)]
    assert length == 1600


def test_an_error_is_raised_and_the_pool_goes_on(threads):
    def fail(start, stop):
        raise ValueError(f"at {start}")

    for call in (pool.run, pool.collect):
        for _ in range(3):
            with pytest.raises(ValueError, match="at "):
                call(fail, 5000, 64)
    assert sum(pool.collect(lambda start, stop: stop - start, 5000, 64)) == 5000


def test_an_error_on_another_thread_is_raised(monkeypatch):
    monkeypatch.setattr(pool, "thread_count", lambda: 2)
    here, failed = threading.get_ident(), threading.Event()

    def fail_elsewhere(start, stop):
        if threading.get_ident() != here:
            failed.set()
            raise KeyError("elsewhere")
        assert failed.wait(PATIENCE)

    with pytest.raises(KeyError, match="elsewhere"):
        pool.run(fail_elsewhere, 1000, 64)


def test_a_slice_may_call_the_pool(threads):
    def outer(start, stop):
        return sum(pool.collect(lambda a, b: b - a, (stop - start) * 100, 64))

    assert sum(pool.collect(outer, 5000, 64)) == 500000
    totals = np.zeros(5000)
    pool.run(lambda start, stop: pool.run(lambda a, b: totals[start:stop].fill(1), 5000, 64), 5000, 64)
    assert (totals == 1).all()


def test_several_callers_at_once(threads):
    x = np.linspace(-3, 3, 2**19 + 7, dtype="float32")
    require_kernels()
    expected, results = kernels.compute(slopes.elu, "value", x), []

    def call():
        for _ in range(5):
            results.append(kernels.compute(slopes.elu, "value", x))

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(PATIENCE)
    assert len(results) == 20
    assert all(np.array_equal(result, expected) for result in results)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_kernels_on_several_threads_give_the_same(threads, dtype):
    require_kernels()
    x = np.random.default_rng(0).standard_normal(5 * 2**18 + 7).astype(dtype)
    expected = np.concatenate([kernels.compute(slopes.elu, "value", part) for part in np.array_split(x, 11)])
    np.testing.assert_array_equal(kernels.compute(slopes.elu, "value", x), expected)
    for y in (x.copy(), np.repeat(x, 2)[::2]):
        assert kernels.compute(slopes.elu, "value", y, out=y) is y
        np.testing.assert_array_equal(y, expected)
    y = x.copy()
    kernels.compute(slopes.elu, "value", y[:-5], out=y[5:])
    np.testing.assert_array_equal(y[5:], expected[:-5])


def test_the_number_of_threads_is_that_of_torch():
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    try:
        for count in (3, 1):
            torch.set_num_threads(count)
            assert pool.thread_count() == count
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("case", mark_exhaustive([("3", 3), ("2,1", 2), ("", None), ("0", None), ("many", None)], 1, 3))
def test_without_torch_the_number_of_threads_is_that_of_openmp_or_of_the_cores(case):
    setting, count = case
    script = (
        "import sys; from slopes.kernels import pool; assert 'torch' not in sys.modules; print(pool.thread_count())"
    )
    environment = os.environ | {"OMP_NUM_THREADS": setting}
    result = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert int(result.stdout) == (count or cores)


FORKING = threading.Lock()  #: filelock, which comes with torch, refuses a fork during another one


def exit_status_of_fork(compute):
    """0 if the function gives something true in a forked child; a child that hangs is ended."""
    with FORKING:
        child = os.fork()
    if child == 0:
        try:
            os._exit(0 if compute() else 1)
        finally:
            os._exit(2)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        finished, status = os.waitpid(child, os.WNOHANG)
        if finished:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return None


@needs_fork
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_starts_threads_of_its_own(monkeypatch):
    monkeypatch.setattr(pool, "thread_count", lambda: 3)

    def meet():
        meeting = threading.Barrier(3, timeout=PATIENCE)
        pool.run(lambda start, stop: meeting.wait() if start < 3 * 64 else None, 12 * 64, 64)
        return True

    assert meet()
    assert exit_status_of_fork(lambda: meet() and exit_status_of_fork(meet) == 0) == 0
    assert exit_status_of_fork(meet) == 0
    assert meet()


@needs_fork
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_pytorch_computes_in_a_forked_child_too():
    torch = pytest.importorskip("torch")
    x, before = torch.ones(2**20), torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        pool.run(lambda start, stop: None, 12 * 64, 64)
        assert exit_status_of_fork(lambda: bool((x.sigmoid() > 0.5).all())) == 0
    finally:
        torch.set_num_threads(before)


@needs_fork
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_child_forked_within_a_slice_can_compute(monkeypatch):
    monkeypatch.setattr(pool, "thread_count", lambda: 2)
    statuses = pool.collect(
        lambda start, stop: exit_status_of_fork(lambda: sum(pool.collect(lambda a, b: b - a, 500, 64)) == 500), 128, 64
    )
    assert statuses == [0, 0]


@needs_fork
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_child_forked_while_a_thread_compiles_can_compile():
    compiles = threading.Event()

    def compile_for_long():
        with compiling._lock:
            compiles.set()
            time.sleep(0.2)

    thread = threading.Thread(target=compile_for_long)
    thread.start()
    assert compiles.wait(PATIENCE)
    assert exit_status_of_fork(lambda: compiling._lock.acquire(blocking=False)) == 0
    thread.join()


def test_a_kernel_of_many_operations_gets_threads_for_fewer_entries():
    require_kernels()
    grains = [
        entries.prepare(card, ("value", "slope"), "float32", {}).grain
        for card in (slopes.relu, slopes.silu, slopes.gelu)
    ]
    assert grains == sorted(grains, reverse=True)
    assert 10**5 < 2 * grains[-1] < 2 * grains[0] < 10**6


def test_where_no_thread_can_be_started_the_caller_computes_alone(monkeypatch):
    monkeypatch.setattr(openmp, "run", lambda work, threads: False)

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(pool, "thread_count", lambda: 100)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert sum(pool.collect(lambda start, stop: stop - start, 128 * 64, 64)) == 128 * 64
    counts = np.zeros(128 * 64)
    pool.run(lambda start, stop: counts[start:stop].__iadd__(1), counts.size, 64)
    assert (counts == 1).all()
