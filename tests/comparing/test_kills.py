"""Rounds of SIGKILL at random moments, of the main process and of its workers, over one record.

Nothing that is recorded may be lost, changed or trained again; the database stays whole; no process stays behind.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

pytest.importorskip("torch")

import toys
from test_executing import assert_gone, needs_proc, workers_of

import slopes
from slopes.comparing import plan
from slopes.comparing.record import Record

CELLS, CHUNK = 400, 4

STUDY = f"""
    import sys
    from pathlib import Path
    sys.path.append({os.path.dirname(toys.__file__)!r})
    import toys
    from slopes.comparing.executing import Failed, outcomes
    from slopes.comparing.record import Record
    toys.install()

    def key(cell):
        return f"{{cell.seed:064d}}"

    with Record(Path("out")) as record:
        left = [cell for cell in toys.cells({CELLS}) if key(cell) not in record.keys()]
        chunks = [left[start : start + {CHUNK}] for start in range(0, len(left), {CHUNK})]
        toy = toys.Toy(seconds=0.01, folder=".", log="log")
        for item in outcomes(toy, chunks, workers=2):
            with record.together():
                if isinstance(item, Failed):
                    record.fail(key(item.cell), item.cell._asdict(), item.reason, item.trace, item.machine)
                else:
                    for cell, outcome in zip(item.cells, item.outcomes, strict=True):
                        record.add(key(cell), cell._asdict(), outcome, item.machine)
            print(len(record.keys()), flush=True)
"""


def looked_at(folder):
    """The rows as they are on the disk, journal included, once the database has been found whole."""
    with closing(sqlite3.connect(folder / "record.sqlite")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return dict(connection.execute("SELECT key, outcome || ended || attempts FROM runs WHERE status = 'done'"))


def perhaps_a_worker_killed(process, chance, odds, pause):
    """Kill one of a study's workers with these odds, and pause a while; return the workers before and after."""
    workers = workers_of(process.pid)
    if workers and chance.random() < odds:
        with suppress(ProcessLookupError):
            os.kill(chance.choice(workers), signal.SIGKILL)
        time.sleep(chance.uniform(0, pause))
    return {*workers, *workers_of(process.pid)}


@needs_proc
def test_killed_at_random_moments_a_study_loses_nothing_and_does_nothing_twice(tmp_path, python):
    chance = random.Random()  # not seeded: each run of the tests tries other moments
    known, seen = {}, set()
    log = tmp_path / "log"
    for _ in range(6):
        log.unlink(missing_ok=True)
        process = python(STUDY)
        first = process.stdout.readline()
        if not first:
            break  # it had nothing left to do
        seen.update(workers_of(process.pid))
        time.sleep(chance.uniform(0, 0.3))
        seen.update(perhaps_a_worker_killed(process, chance, odds=0.7, pause=0.8))
        process.kill()
        process.wait()
        assert_gone(seen)
        rows = looked_at(tmp_path / "out")
        assert known.items() <= rows.items(), "what is recorded is neither lost nor changed"
        trained = {f"{int(line):064d}" for line in log.read_text().split()}
        assert not trained & known.keys(), "nor trained again"
        assert len(rows) > len(known)
        known = rows
    process = python(STUDY)
    process.communicate()
    assert process.returncode == 0
    rows = looked_at(tmp_path / "out")
    assert known.items() <= rows.items()
    with Record(tmp_path / "out") as record:
        found = record.read(rows)
        assert not record.failures(f"{cell.seed:064d}" for cell in toys.cells(CELLS))
    assert {int(key): outcome["test"]["accuracy"] for key, outcome in found.items()} == {
        cell.seed: toys.number(cell) for cell in toys.cells(CELLS)
    }


@needs_proc
def test_workers_killed_again_and_again_cost_at_most_the_cells_in_flight(tmp_path, python):
    """The main process lives on: what its workers lose is trained again, or told to have failed where two died over it."""
    chance = random.Random()
    process = python(STUDY)
    seen = set()
    for _ in range(10):
        assert process.stdout.readline()
        time.sleep(chance.uniform(0, 0.15))
        workers = workers_of(process.pid)
        seen.update(workers)
        if workers:
            with suppress(ProcessLookupError):
                os.kill(chance.choice(workers), signal.SIGKILL)
    process.communicate()
    assert process.returncode == 0
    assert_gone(seen)
    with Record(Path(tmp_path / "out")) as record:
        keys = [f"{cell.seed:064d}" for cell in toys.cells(CELLS)]
        done, failed = record.read(keys), record.failures(keys)
    assert len(done) + len(failed) == CELLS
    reasons = {failure.reason for failure in failed.values()}
    assert reasons <= {"killed its worker process twice (signal 9, SIGKILL)"}
    assert len(failed) <= 5, "each death costs but the chunk it fell on, and it takes two"
    assert {int(key): outcome["test"]["accuracy"] for key, outcome in done.items()}.items() <= {
        cell.seed: toys.number(cell) for cell in toys.cells(CELLS)
    }.items()


# ------------------------------------------------------------------------------------------------ a real study

REAL = """
    import sys
    import slopes
    from slopes.comparing import plan
    plan.STACK = 2  # small chunks, so that a kill finds some ended and some not

    def go_on(state):
        print(state.done, flush=True)
        sys.stdin.readline()  # so that it is the test that says how far a study gets before it is killed

    slopes.compare(
        activations=[slopes.relu, slopes.tanh], losses=[slopes.cross_entropy, slopes.mse], rates=(0.001, 0.01, 0.03),
        seeds={seeds}, epochs=3, out="out", workers=2, progress=go_on,
    )
"""


def let_go_on(process):
    process.stdin.write("\n")
    process.stdin.flush()


def recorded(folder):
    """What each run gave, by what it was; each once."""
    with closing(sqlite3.connect(folder / "record.sqlite")) as connection:
        rows = connection.execute("SELECT key, spec, outcome FROM runs WHERE status = 'done'").fetchall()
    assert len({spec for _, spec, _ in rows}) == len(rows)
    return {key: json.loads(outcome) for key, _, outcome in rows}


@needs_proc
@pytest.mark.exhaustive
@pytest.mark.parametrize("kills", [2, 10])
def test_a_study_that_is_killed_ends_as_one_that_is_not(tmp_path, python, monkeypatch, kills):
    """No round gets through more than three chunks of two runs; the study has twice as many."""
    seeds = kills  # times 12 runs
    chance = random.Random(1)
    known, seen = {}, set()
    for kill in range(kills):
        process = python(REAL.format(seeds=seeds), stdin=subprocess.PIPE)
        assert int(process.stdout.readline()) == len(known), "what was recorded is there, whatever the kill met"
        for _ in range(kill % 3):  # chunks; none: it dies while its workers start, or soon after
            let_go_on(process)
            process.stdout.readline()
        let_go_on(process)
        time.sleep(chance.uniform(0, 0.05))
        seen.update(perhaps_a_worker_killed(process, chance, odds=0.5, pause=0.2))
        process.kill()
        process.wait()
        rows = looked_at(tmp_path / "out")
        assert known.items() <= rows.items(), "what is recorded is neither lost nor changed"
        known = rows
    assert_gone(seen)
    assert 0 < len(known) < 12 * seeds, "the kills were in mid-study"
    monkeypatch.setattr(plan, "STACK", 2)
    given = {
        "activations": [slopes.relu, slopes.tanh],
        "losses": [slopes.cross_entropy, slopes.mse],
        "rates": (0.001, 0.01, 0.03),
        "seeds": seeds,
        "epochs": 3,
        "workers": 1,
        "progress": False,
    }
    for folder in ("out", "whole"):
        slopes.compare(out=tmp_path / folder, **given)
    assert known.items() <= looked_at(tmp_path / "out").items()
    found, expected = recorded(tmp_path / "out"), recorded(tmp_path / "whole")
    assert len(expected) == 12 * seeds
    assert found.keys() == expected.keys()
    for key, run in expected.items():
        assert found[key]["test"] == pytest.approx(run["test"], abs=1e-5)
        assert found[key]["curve"] == pytest.approx(run["curve"], abs=1e-5)


@needs_proc
@pytest.mark.exhaustive
def test_a_study_outlives_its_workers(tmp_path, python):
    chance = random.Random(2)
    process = python(REAL.format(seeds=2), stdin=subprocess.PIPE)
    seen = set()
    assert process.stdout.readline()
    for kills in (False, False, True, True):  # once some runs have ended
        if kills:
            workers = workers_of(process.pid)
            seen.update(workers)
            os.kill(chance.choice(workers), signal.SIGKILL)
        let_go_on(process)
        assert process.stdout.readline()
    process.communicate()
    assert process.returncode == 0
    assert_gone(seen)
    assert len(recorded(tmp_path / "out")) == len(looked_at(tmp_path / "out")) == 24
