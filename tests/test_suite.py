"""The suite itself."""

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

pytest.importorskip("xdist")

from scheduling import group_of

TESTS = Path(__file__).parent


@pytest.mark.parametrize(
    ("nodeid", "group"),
    [
        ("tests/test_maps.py::test_one", "tests/test_maps.py"),
        ("tests/test_maps.py::test_one[3-float32]", "tests/test_maps.py"),
        ("tests/test_catalogue.py::test_audit[gelu-derivative]", "gelu"),
        ("tests/test_transforms.py::test_compile[mse]", "mse"),
        ("tests/test_onnx.py::test_card[gelu]", "tests/test_onnx.py"),
    ],
)
def test_groups(nodeid, group):
    assert group_of(nodeid) == group


def test_a_group_runs_in_one_process():
    """By what pytest-xdist prints of each test: which worker ran it."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-v",
        "-n",
        "2",
        "-p",
        "no:cacheprovider",
        "-k",
        "on_a_screen or top_level",
    ]
    done = subprocess.run([*command, "test_catalogue.py"], cwd=TESTS, capture_output=True, text=True)
    workers = defaultdict(set)
    for worker, nodeid in re.findall(r"^\[(gw\d)\] .* PASSED (\S+)", done.stdout, re.MULTILINE):
        workers[group_of(nodeid)].add(worker)
    assert len(workers) > 10, done.stdout
    assert {name for name, among in workers.items() if len(among) > 1} == set()
    assert set.union(*workers.values()) == {"gw0", "gw1"}
