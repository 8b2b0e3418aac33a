"""Where the work is done: worker processes, this process, and what happens when one of them dies."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from pathlib import Path
from textwrap import dedent

import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

import slopes
from slopes.study import StudyError

needs_proc = pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks for processes in /proc")


def keys(folder):
    connection = sqlite3.connect(folder / "record.sqlite")
    try:
        return [key for (key,) in connection.execute("SELECT key FROM runs")]
    finally:
        connection.close()


def numbers(study):
    return [(run.key, run.accuracy, run.validation, run.gradient, run.training_loss) for run in study.runs]


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Make a module that worker processes find as well, and return its cards."""

    def make(name, source):
        (tmp_path / f"{name}.py").write_text("import os, slopes\n" + dedent(source))
        monkeypatch.syspath_prepend(tmp_path)
        return __import__(name)

    return make


def test_workers_give_the_numbers_that_this_process_gives(tmp_path, tiny, module, monkeypatch):
    monkeypatch.setenv("SEEN", str(tmp_path / "seen"))
    mine = module("my_cards", """
        @slopes.activation()
        def bent(x, *, by: float = 0.5):
            print("a card that prints")
            open(f"{os.environ['SEEN']}-{os.getpid()}", "w").close()
            return slopes.ops.where(x > 0, x, by * x)
    """)  # fmt: skip
    options = tiny | {"activations": [slopes.relu, mine.bent.with_(by=0.2)], "losses": [slopes.mse]}
    here = slopes.compare(out=tmp_path / "here", **options)
    there = slopes.compare(out=tmp_path / "there", **(options | {"workers": 2}))
    assert numbers(here) == numbers(there)
    processes = {path.name for path in tmp_path.glob("seen-*")}
    assert len(processes - {f"seen-{os.getpid()}"}) in (1, 2), "workers have trained it"


def test_this_process_trains_on_one_thread_and_gives_the_others_back(tmp_path, tiny):
    import torch

    seen = set()

    @slopes.activation()
    def counting(x):
        seen.add(torch.get_num_threads())
        return x * 1.0

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        slopes.compare(activations=[counting], losses=[slopes.mse], out=tmp_path, **tiny)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert 1 in seen


def test_a_card_that_a_fresh_process_cannot_import_is_trained_here(tmp_path, tiny, module):
    mine = module("passing", """
        @slopes.activation()
        def bent(x):
            return slopes.ops.where(x > 0, x, 0.5 * x)
    """)  # fmt: skip
    (tmp_path / "passing.py").unlink()
    options = tiny | {"activations": [slopes.relu, mine.bent], "losses": [slopes.mse], "workers": 2}
    assert len(slopes.compare(out=tmp_path / "out", **options).runs) == 8


def test_a_script_without_a_main_guard_and_with_a_card_of_its_own(tmp_path, python):
    process = python("""
        import slopes

        @slopes.activation()
        def bent(x):
            return slopes.ops.where(x > 0, x, 0.5 * x)

        tiny = dict(losses=[slopes.mse], seeds=1, epochs=1, rates=[0.01, 0.02], workers=2, out="out")
        slopes.compare(activations=[slopes.relu], **tiny)
        print(len(slopes.compare(activations=[slopes.relu, bent], **tiny).runs))
    """)
    out, err = process.communicate()
    assert out == "4\n", err
    assert len(keys(tmp_path / "out")) == 4


def test_a_worker_that_dies_is_replaced_once_and_then_named(tmp_path, tiny, module, monkeypatch):
    monkeypatch.setenv("SAFE", str(os.getpid()))
    mine = module("deadly", """
        @slopes.activation()
        def deadly(x):
            if str(os.getpid()) != os.environ["SAFE"]:
                os._exit(3)
            return x * 1.0
    """)  # fmt: skip
    options = tiny | {"losses": [slopes.mse], "rates": [0.01], "out": tmp_path / "out", "workers": 2}
    message = (
        r"^deadly x mse failed at learning rate 0\.01: a worker process died twice over it \(exit status 3\); the runs"
    )
    with pytest.raises(StudyError, match=message):
        slopes.compare(activations=[mine.deadly, slopes.relu], **options)
    assert len(keys(tmp_path / "out")) == 2, "the other worker's runs are kept"


def test_a_worker_that_dies_once_costs_nothing(tmp_path, tiny, module, monkeypatch):
    monkeypatch.setenv("SAFE", str(os.getpid()))
    monkeypatch.setenv("ONCE", str(tmp_path / "died"))
    mine = module("unlucky", """
        @slopes.activation()
        def unlucky(x):
            if str(os.getpid()) != os.environ["SAFE"] and not os.path.exists(os.environ["ONCE"]):
                open(os.environ["ONCE"], "w").close()
                os.kill(os.getpid(), 9)
            return x * 1.0
    """)  # fmt: skip
    options = tiny | {"losses": [slopes.mse], "workers": 2}
    assert len(slopes.compare(activations=[mine.unlucky], out=tmp_path / "out", **options).runs) == 4
    assert (tmp_path / "died").exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_card_that_fails_while_training_is_named(tmp_path, tiny, module, workers):
    mine = module(f"failing{workers}", """
        @slopes.loss("regression")
        def moody(prediction, target):
            if len(prediction) > 1 and prediction.requires_grad:
                raise ArithmeticError("not today")
            return (prediction - target) ** 2
    """)  # fmt: skip
    options = tiny | {"activations": [slopes.relu], "workers": workers}
    with pytest.raises(
        StudyError, match=r"^relu x moody failed at learning rate .*: ArithmeticError: not today; the runs"
    ):
        slopes.compare(losses=[mine.moody], out=tmp_path / "out", **options)


STUDY = """
    import slopes
    slopes.compare(activations=[slopes.relu, slopes.tanh], losses=[slopes.mse, slopes.cross_entropy], seeds=3,
                   epochs=6, rates=(0.003, 0.01), workers=2, out="out")
"""


def started(process):
    """Wait until training is about to begin."""
    assert "runs" in process.stderr.readline()


def test_killed_at_any_moment_it_goes_on_and_loses_nothing(tmp_path, python):
    chance = random.Random(4)
    known = {}
    for _ in range(3):
        process = python(STUDY)
        started(process)
        time.sleep(chance.uniform(1, 5))
        process.kill()
        process.communicate()
        connection = sqlite3.connect(tmp_path / "out" / "record.sqlite")
        rows = dict(connection.execute("SELECT key, outcome FROM runs").fetchall())
        connection.close()
        assert known.items() <= rows.items(), "no recorded run is lost or trained again"
        known = rows
    process = python(STUDY)
    assert process.wait() == 0, process.stderr.read()
    assert len(keys(tmp_path / "out")) == len(set(keys(tmp_path / "out"))) == 24
    assert (tmp_path / "out" / "report.html").exists()


def workers_of(process):
    return [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit()
        and _parent(entry) == process.pid
        and b"study.worker" in (entry / "cmdline").read_bytes()
    ]


def _parent(entry):
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def gone(pid):
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@needs_proc
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT], ids=["kill", "interrupt"])
def test_no_worker_outlives_the_study(tmp_path, python, end):
    (tmp_path / "mine.py").write_text(
        "import os, slopes\n"
        "@slopes.activation()\n"
        "def signed(x):\n"
        "    open(f'training-{os.getpid()}', 'w').close()\n"
        "    return x * 1.0\n"
    )
    process = python(
        STUDY.replace("slopes.relu, slopes.tanh", "__import__('mine').signed").replace("epochs=6", "epochs=6000")
    )
    deadline = time.monotonic() + 30
    while len(list(tmp_path.glob("training-*"))) < 3:  # the script's own process has tried the card
        assert time.monotonic() < deadline
        time.sleep(0.01)
    workers = workers_of(process)
    assert len(workers) == 2
    process.send_signal(end)
    process.wait(timeout=30)
    deadline = time.monotonic() + 10
    while not all(map(gone, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    orphans = [pid for pid in workers if not gone(pid)]
    for pid in orphans:
        os.kill(pid, signal.SIGKILL)
    assert not orphans
