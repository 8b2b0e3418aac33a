"""A small study and the cards of a user, shared by the tests of this folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from textwrap import dedent

import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")


import slopes

#: a study that takes a second
TINY = {"epochs": 2, "seeds": 2, "rates": (0.003, 0.03), "progress": False, "workers": 1, "engine": "stack"}


@slopes.activation()
def crooked(x):
    """A user's own: <b>bent</b> & leaky."""
    return slopes.ops.where(x > 0, x, 0.3 * x)


@slopes.loss("regression")
def quartic(prediction, target):
    """The residual to the fourth power."""
    return (prediction - target) ** 4


@pytest.fixture(scope="session")
def tiny():
    """The options of a study that takes a second."""
    return TINY


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    """Two activations, of which one is the user's, with four losses of all kinds."""
    return slopes.compare(
        activations=[slopes.relu, crooked],
        losses=[slopes.cross_entropy, slopes.categorical_cross_entropy, quartic, slopes.binary_cross_entropy],
        out=tmp_path_factory.mktemp("study") / "out",
        **TINY,
    )


@pytest.fixture
def python(tmp_path):
    """Start a script of its own in a process of its own, in the test's folder; it ends with the test, and so do its own.

    It heeds an interrupt, also where the tests themselves run with that ignored, as under nohup.
    """
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    started = []

    def start(source: str, **options) -> subprocess.Popen[str]:
        script = Path(tmp_path) / f"script{len(started)}.py"
        script.write_text(heed + dedent(source))
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        command = [sys.executable, str(script)]
        process = subprocess.Popen(command, cwd=tmp_path, start_new_session=True, **(pipes | options))
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        if hasattr(os, "killpg"):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # a child that it forked would keep the pipes open
        process.communicate()


@pytest.fixture
def writer(python):
    """A process that holds the record of the test's folder open."""
    process = python("""
        import time
        from pathlib import Path
        from slopes.comparing.record import Record
        record = Record(Path("."))
        print("open", flush=True)
        time.sleep(600)
    """)
    assert process.stdout.readline() == "open\n"
    return process
