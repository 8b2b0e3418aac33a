"""Limits of time and memory: hanging runs fail, a study ends in time, stacks fit, and all is estimated beforehand."""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
from dataclasses import replace

import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

import toys
from torch import nn

import slopes
from slopes.comparing import deadline, training
from slopes.comparing.deadline import Deadline
from slopes.comparing.errors import TooSlow
from slopes.comparing.estimating import estimate
from slopes.comparing.executing import Failed, dispatch, outcomes
from slopes.comparing.memory import free_memory
from slopes.comparing.plan import make_plan
from slopes.comparing.settings import Settings
from slopes.comparing.training import engine

needs_alarm = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs an alarm of the system")
NETWORK = "mlp(hidden=8)"

# ------------------------------------------------------------------------------------------------- deadlines


@needs_alarm
@pytest.mark.parametrize(
    ("seconds", "step", "words"),
    [(0.05, 600.0, "it took more than 0.05 s"), (600.0, 0.05, "a step took more than 0.05 s")],
)
def test_a_hanging_step_is_interrupted(seconds, step, words, monkeypatch):
    monkeypatch.setattr(deadline, "STEP", step)
    monkeypatch.setattr(Deadline.begin_step, "__defaults__", (step,))
    start = time.monotonic()
    with pytest.raises(TimeoutError, match=words), Deadline(seconds):
        time.sleep(60)
    assert time.monotonic() - start < 30


@needs_alarm
def test_an_alarm_of_the_caller_stays():
    rung = []
    before = signal.signal(signal.SIGALRM, lambda *_: rung.append(time.monotonic()))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        start = time.monotonic()
        with Deadline(60):
            pass
        while not rung:
            time.sleep(0.01)
        assert rung[0] - start > 0.15
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_in_a_thread_the_time_is_looked_at_between_steps():
    found = []

    def work():
        try:
            with Deadline(0.01) as limit:
                time.sleep(0.02)
                limit.begin_step()
        except TimeoutError as error:
            found.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == ["it took more than 0.01 s"]


# -------------------------------------------------------------------------------------------------- late runs


def stuck(prediction, target):
    """A loss that hangs once the outputs are large."""
    if prediction.detach().abs().max() > 1e4:
        time.sleep(600)
    return (prediction - target).abs().mean()


STUCK = {
    "model": NETWORK, "data": "diabetes", "activations": [slopes.relu], "losses": [stuck, slopes.mse],
    "rates": (0.01, 1e6), "epochs": 2, "seeds": 5, "progress": False, "workers": 1,
}  # fmt: skip


@needs_alarm
def test_a_loss_that_hangs_is_a_failed_run(tmp_path, monkeypatch):
    monkeypatch.setattr(dispatch, "LATE", 1)
    study = slopes.compare(**STUCK, engine="loop", time_limit=8, out=tmp_path)
    fine, late = study.pair("relu", "mse"), study.pair("relu", "stuck")
    assert len(fine.runs) == 10
    assert [run.rate for run in late.runs] == [0.01] * 5
    reasons = [failed.reason for failed in late.failures]
    reason = "it took more than 8 s"
    assert reasons == [reason] + [f"not begun, since 1 such runs took too long: {reason}"] * 4


@needs_alarm
def test_a_stack_that_hangs_is_told_with_its_cells():
    hangs = []

    def wound(prediction, target):
        if hangs:
            time.sleep(600)
        return (prediction - target).abs().mean()

    plan = make_plan(Settings(**STUCK | {"losses": [wound]}, engine="stack", time_limit=0.1))
    hangs.append(True)
    with pytest.raises(TooSlow, match="it took more than 1 s") as caught:
        training.train(replace(plan.job, memory=math.inf), plan.cells)
    start = time.monotonic()
    with pytest.raises(TooSlow, match=r"it took more than 0\.1 s"):
        training.train(plan.job, plan.cells)
    assert time.monotonic() - start < 60, "in a measurement of memory, too"
    assert set(caught.value.cells) == set(plan.cells)


@needs_alarm
def test_a_loss_that_always_hangs_is_refused_at_once():
    def hanging(prediction, target):
        time.sleep(600)

    with pytest.raises(ValueError, match=r"hanging fails on torch tensors: TimeoutError: it took more than 0\.2 s"):
        make_plan(Settings(**STUCK | {"losses": [hanging]}, time_limit=0.1))


def test_late_cells_are_tried_one_by_one_and_the_others_go_on(monkeypatch):
    tried = []

    def train(job, cells, _):
        tried.append([cell.seed for cell in cells])
        if slow := [cell for cell in cells if cell.seed in (2, 3)]:
            raise TooSlow(slow, "slow")
        return toys.train(job, cells)

    monkeypatch.setattr(training, "train", train)
    ended = list(outcomes(toys.Toy(), [toys.cells(6)]))
    assert [item.cell.seed for item in ended if isinstance(item, Failed)] == [2, 3]
    assert tried == [[0, 1, 2, 3, 4, 5], [0, 1, 4, 5], [2], [3]]


# ------------------------------------------------------------------------------------------- minutes of a study


def test_a_study_ends_in_time_and_the_next_start_goes_on(tmp_path):
    given = {
        "model": NETWORK, "data": "diabetes", "activations": ["relu"], "losses": ["mse"], "rates": (0.01,), "epochs": 1,
        "seeds": 3, "progress": False, "out": tmp_path, "workers": 1,
    }  # fmt: skip
    with pytest.warns(UserWarning, match="the time is over, with 3 of 3 runs left; the same call trains them"):
        early = slopes.compare(**given, minutes=1e-9)
    assert (early.runs, len(early.failures)) == ([], 3)
    assert early.failures[0].reason == "not trained when the study's minutes were over"
    assert len(slopes.compare(**given).runs) == 3


def test_no_chunk_begins_after_the_end(monkeypatch):
    begun = []
    monkeypatch.setattr(training, "train", lambda job, cells, _: begun.append(cells) or toys.train(job, cells))
    monkeypatch.setattr(dispatch.time, "monotonic", lambda: 10.0 * len(begun))
    ended = list(outcomes(toys.Toy(), [[cell] for cell in toys.cells(5)], workers=1, until=15.0))
    assert len(ended) == len(begun) == 2


def test_a_limited_study_trains_whole_seeds_first():
    plan = make_plan(Settings(**STUCK, minutes=60))
    (chunk,) = plan.chunks((), 1)
    assert [cell.seed for cell in chunk] == sorted(cell.seed for cell in plan.cells)


# ------------------------------------------------------------------------------------------------------ memory


def test_a_stack_is_divided_where_memory_is_small(monkeypatch):
    plan = make_plan(Settings(**STUCK | {"losses": [slopes.mse]}, engine="stack", memory_limit=1e6))
    monkeypatch.setattr(engine, "bytes_of", lambda *_: 1000)
    outcomes = training.train(replace(plan.job, memory=4500.0), plan.cells)
    assert {outcome["stack"] for outcome in outcomes} == {3, 4}
    whole = training.train(replace(plan.job, memory=10_000.0), plan.cells)
    assert {outcome["stack"] for outcome in whole} == {10}
    assert [one["test"] for one in outcomes] == [one["test"] for one in whole]


PEAK = """
import resource, sys
import torch
from slopes.comparing import training
from slopes.comparing.job import Cell
from slopes.comparing.plan import make_plan
from slopes.comparing.settings import Settings

torch.set_num_threads(1)
plan = make_plan(Settings(
    "mlp(hidden=700)", "digits", activations=["relu"], losses=["cross_entropy"], rates=(0.01,), seeds=24, epochs=1,
    batch_size=512, workers=1, memory_limit=float(sys.argv[1]),
))
training.train(plan.job, plan.cells[:1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
outcomes = training.train(plan.job, plan.cells)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(after - before, max(outcome["stack"] for outcome in outcomes))
"""


@pytest.mark.exhaustive
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has other units elsewhere")
@pytest.mark.parametrize("megabytes", [150, 10_000])
def test_probe_and_stack_stay_in_their_memory(megabytes, python):
    process = python(PEAK.replace("sys.argv[1]", str(megabytes)))
    out, error = process.communicate()
    assert process.returncode == 0, error
    kilobytes, largest = map(int, out.split())
    if megabytes == 150:
        assert kilobytes < 150_000
        assert largest < 10
    else:
        assert kilobytes > 300_000, "this stack needs the limit"


def test_free_memory_is_the_least_of_system_and_container(tmp_path):
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal: 9000 kB\nMemAvailable:    5000 kB\n")
    assert free_memory(tmp_path) == 5000 * 1024
    group = tmp_path / "sys/fs/cgroup"
    group.mkdir(parents=True)
    for name, text in (
        ("memory.max", "3000"),
        ("memory.current", "2500"),
        ("memory.stat", "anon 9\ninactive_file 100\n"),
    ):
        (group / name).write_text(text)
    assert free_memory(tmp_path) == 600
    (group / "memory.max").write_text("max")
    assert free_memory(tmp_path) == 5000 * 1024


# ---------------------------------------------------------------------------------------------------- estimates


def test_an_estimate_trains_nothing_and_knows_the_record(tmp_path):
    given = STUCK | {"losses": [slopes.mse], "out": tmp_path / "out", "engine": "stack"}
    before = estimate(**given)
    assert not (tmp_path / "out").exists()
    assert (before.runs, before.recorded, before.largest, before.processes) == (10, 0, 10, 1)
    assert 0 < before.seconds < 600
    assert 0 < before.megabytes < 100
    assert str(before).startswith("10 runs to train in 1 process, up to 10 side by side.\nAbout ")
    slopes.compare(**given | {"seeds": 2})
    after = estimate(**given)
    assert (after.runs, after.recorded) == (6, 4)
    assert "6 runs to train, besides 4 in the record" in str(after)
    slopes.compare(**given)
    assert str(estimate(**given)) == "0 runs to train, besides 10 in the record: nothing takes time."


def test_an_estimate_grows_with_epochs_and_seeds():
    given = STUCK | {"losses": [slopes.mse]}
    short = estimate(**given)
    assert estimate(**given | {"epochs": 100}).seconds > 10 * short.seconds
    assert estimate(**given | {"model": "mlp(hidden=512)"}).megabytes > 10 * short.megabytes
    grown = estimate(**given | {"rates": None, "seeds": "auto"})
    assert "up to 4 learning rates, where any pair picks an edge of the grid of 4, and 30 more seeds" in grown.growth


# -------------------------------------------------------------------------------------------------------- costs


class Slow(nn.Module):
    def forward(self, x):
        time.sleep(0.002)
        return x.relu()


def test_an_activation_costs_what_its_own_module_takes():
    job = make_plan(Settings(**STUCK | {"activations": [slopes.relu, Slow]})).job
    fast, slow = training.cost(job, 0.01, 0)
    assert 0 < fast < slow
    assert slow > 3 * 0.002, "in all three places"
