"""An audit as a whole: what it leaves alone, subjects that misbehave, files in a process of their own, references."""

import copy
import io
import os
import random
import subprocess
import sys
import time
import warnings
from contextlib import redirect_stdout, suppress

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402
from click.testing import CliRunner  # noqa: E402

import slopes  # noqa: E402
from helpers import mark_exhaustive  # noqa: E402
from slopes import cli  # noqa: E402
from slopes.auditing import Report, processes  # noqa: E402


def squared(prediction, target):
    if prediction.shape != target.shape:
        raise ValueError(f"prediction {tuple(prediction.shape)} and target {tuple(target.shape)} differ")
    return ((prediction - target) ** 2).mean()


# ----------------------------------------------------------------------------------- what it leaves alone


class Counting(torch.nn.Module):
    """A loss that keeps count, and disturbs what it can."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))
        self.scale = torch.nn.Parameter(torch.ones(()))

    def forward(self, prediction, target):
        self.calls += 1
        torch.manual_seed(3), np.random.seed(3), random.seed(3)  # noqa: NPY002
        torch.set_default_dtype(torch.float64)
        warnings.simplefilter("error")
        return self.scale * squared(prediction, target)


def test_subject_random_states_dtype_and_warnings_are_left_alone():
    subject = Counting()
    before = copy.deepcopy(subject.state_dict())
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    filters = list(warnings.filters)
    slopes.audit(subject, quick=True)
    assert subject.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in subject.state_dict().items())
    assert subject.scale.grad is None
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    assert random.getstate() == states[2]
    assert torch.get_default_dtype() == torch.float32
    assert warnings.filters == filters


def test_a_seed_decides_all():
    first, again, other = (slopes.audit(F.smooth_l1_loss, against=F.mse_loss, seed=seed) for seed in (4, 4, 5))
    assert first.skipped == again.skipped  # the reasons tell more than a difference of long texts
    assert first.to_json() == again.to_json() != other.to_json()


# ---------------------------------------------------------------------------------- subjects that misbehave


def printing(prediction, target):
    print("loss called")
    return squared(prediction, target)


def as_float(prediction, target):
    return squared(prediction, target).item()


def as_dict(prediction, target):
    return {"loss": squared(prediction, target), "count": 3}


def nothing(prediction, target):
    squared(prediction, target)


def leaving(prediction, target):
    raise SystemExit(3)


MISBEHAVING = {
    printing: ("warning", "prints at every call: 'loss called'"),
    as_float: ("error", "gives a float instead of a tensor"),
    as_dict: ("note", "gives a dict with the keys loss, count instead of a tensor"),
    nothing: ("error", "gave nothing instead of a tensor"),
    leaving: ("error", "raises SystemExit: 3, however it is called"),
}


@pytest.mark.parametrize("subject", MISBEHAVING, ids=lambda subject: subject.__name__)
def test_misbehaviour_is_a_finding(subject):
    with redirect_stdout(io.StringIO()) as printed:
        report = slopes.audit(subject, quick=True)
    assert printed.getvalue() == ""
    severity, message = MISBEHAVING[subject]
    told = [finding for finding in report.findings if finding.check == "calling"]
    assert [(finding.severity, message in finding.message) for finding in told] == [(severity, True)], str(report)


# ---------------------------------------------------------------------------- files, in a process of their own

MINE = """
import os, sys, time
import torch
import sibling

LOADED = os.getpid()

def good(prediction, target):
    if prediction.shape != target.shape:
        raise ValueError("shapes differ")
    return ((prediction - target) ** 2).mean()

def elu(x):
    return torch.where(x > 0, x, torch.exp(x) - 1)

def hangs(prediction, target):
    time_is_over()
    while True:
        time.sleep(0.01)

def dies(prediction, target):
    os.kill(os.getpid(), 9)

def chatty(prediction, target):
    print("to standard output")
    return good(prediction, target)

def spawns(prediction, target):
    import subprocess
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    with open("orphan", "w") as file:
        file.write(str(child.pid))
    time_is_over()
    while True:
        time.sleep(0.01)

def time_is_over():
    # the audit's own clock, which may have run for long when this is first called on a busy machine
    import faulthandler
    faulthandler.dump_traceback_later(0.2, exit=True)

def waits(prediction, target):
    while True:
        time.sleep(0.01)

NUMBER = 3
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "sibling.py").write_text("")
    (tmp_path / "torch.py").write_text("raise RuntimeError('imported by surprise')")
    (tmp_path / "json.py").write_text("raise RuntimeError('imported by surprise')")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_file_is_audited_in_its_own_process(folder):
    report = slopes.audit("mine.py:elu", quick=True)
    assert report.subject == "mine.py:elu"
    assert [finding.check for finding in report.findings] == ["extreme_inputs"]
    with redirect_stdout(io.StringIO()) as printed:
        exec(report.findings[0].reproduce, {})
    assert printed.getvalue() == "tensor([nan], dtype=torch.float64)\n"


def test_only_the_process_of_a_file_loads_torch():
    script = (
        "import sys, slopes\n"
        "from slopes.auditing import child\n"
        "child._supervised = lambda *given: print('torch' in sys.modules)\n"
        "slopes.audit('mine.py:good')"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout == "False\n"


def test_one_that_hangs_is_a_finding_with_its_line(folder):
    (finding,) = slopes.audit("mine.py:hangs", time_limit=500).findings
    assert finding.reproduce == "import slopes\nslopes.audit('mine.py:hangs')"
    assert not finding.came
    told = "training hangs: it gives no answer within 500 s when it was first called, at mine.py, line 19 in hangs"
    assert finding.message == told


def test_the_time_limit_is_the_callers(folder):
    (finding,) = slopes.audit("mine.py:waits", time_limit=0.5).findings
    assert finding.message.startswith("training hangs: it gives no answer within 0.5 s ")


def test_what_a_hanging_subject_has_started_ends_with_it(folder):
    slopes.audit("mine.py:spawns")
    pid = int((folder / "orphan").read_text())
    with suppress(ProcessLookupError):
        while True:  # or until the test's time is over
            os.kill(pid, 0)
            time.sleep(0.05)


def test_one_that_kills_its_process_is_a_finding(folder):
    report = slopes.audit("mine.py:dies")
    (finding,) = report.findings
    assert finding.message == "training dies: it ends its process by signal SIGKILL when it was first called"


def test_where_none_can_be_forked_each_process_is_an_interpreter(folder, monkeypatch):
    monkeypatch.setattr(processes, "_connect", lambda: os.stat("missing"))
    (finding,) = slopes.audit("mine.py:dies").findings
    assert finding.message == "training dies: it ends its process by signal SIGKILL when it was first called"


@pytest.mark.parametrize("start", [processes.Started, processes.start])
def test_a_process_is_waited_for_and_killed(start, tmp_path):
    process = start(tmp_path / "told", tmp_path / "trace")
    with pytest.raises(TimeoutError):
        process.wait(0.01)
    assert process.returncode is None
    processes.end(process)
    assert process.returncode


@pytest.mark.skipif(sys.platform != "linux", reason="forks are safe on Linux alone")
def test_a_nursery_that_has_ended_is_started_again(tmp_path):
    def start():
        process = processes.start(tmp_path / "told", tmp_path / "trace")
        processes.end(process)
        return processes._nursery

    before = start()
    assert start() is before
    before._process.kill()
    before._process.wait()
    after = start()
    assert isinstance(after, processes.Nursery)
    assert after is not before


def test_a_process_has_the_variables_of_the_call(folder, monkeypatch):
    (folder / "mine.py").write_text("import os\nif os.environ['KIND'] == 'other':\n    NUMBER = 3\n")
    monkeypatch.setenv("KIND", "none")
    with pytest.raises(AttributeError):
        slopes.audit("mine.py:NUMBER")
    monkeypatch.setenv("KIND", "other")
    with pytest.raises(TypeError, match="got int"):
        slopes.audit("mine.py:NUMBER")


def test_prints_of_a_file_do_not_reach_ours(folder, capfd):
    report = slopes.audit("mine.py:chatty", quick=True)
    assert capfd.readouterr().out == ""
    assert [finding.check for finding in report.findings] == ["calling"]


WRONG = {
    "mine.py:NUMBER": (TypeError, "takes a card, a function or a module, got int"),
    "mine.py:goof": (AttributeError, "has no 'goof'; did you mean 'good'?"),
    "gone.py:good": (FileNotFoundError, "no file 'gone.py'"),
    "torch.py:anything": (ImportError, "torch.py, line 1: RuntimeError: imported by surprise"),
    "torch.nn.MSELos": (AttributeError, "torch has no 'torch.nn.MSELos'; did you mean 'torch.nn.MSELoss'?"),
    "rellu": (LookupError, "no function 'rellu'; did you mean 'relu'"),
    "mine.py": (ValueError, "names no object; write file.py:object"),
}


@pytest.mark.parametrize("spec", mark_exhaustive(WRONG))
def test_mistakes_are_raised_here(folder, spec):
    error, message = WRONG[spec]
    with pytest.raises(error) as told:
        slopes.audit(spec)
    assert message in str(told.value)


def test_what_cannot_be_sent_is_refused(folder):
    with pytest.raises(TypeError, match="audited in a process of its own, to which this cannot be sent"):
        slopes.audit("mine.py:good", against=lambda p, t: p)


# --------------------------------------------------------------------------------------- against a reference


def halved(prediction, target):
    return 0.5 * squared(prediction, target)


class Detached(torch.autograd.Function):
    @staticmethod
    def forward(ctx, prediction, target):
        ctx.save_for_backward(prediction, target)
        return ((prediction - target) ** 2).mean()

    @staticmethod
    def backward(ctx, g):
        prediction, target = ctx.saved_tensors
        return g * (prediction - target), None


def other_gradient(prediction, target):
    return Detached.apply(prediction, target)


def with_reduction(prediction, target, reduction="mean"):
    values = (prediction - target) ** 2
    return {"mean": values.mean(), "sum": values.mean(), "none": values}[reduction]


def clipped(prediction, target):
    return ((prediction - target).clamp(-90, 90) ** 2).mean()


AGAINST = {
    halved: "it is not MSELoss(), but 0.5 times it",
    other_gradient: "the values are the same, and the gradient is another",
    with_reduction: "it differs from MSELoss() with reduction='sum', but 0.125 times it",
    clipped: "it leaves MSELoss() at predictions of 100",
}


@pytest.mark.parametrize("subject", AGAINST, ids=lambda subject: subject.__name__)
def test_differences_from_a_reference_are_found(subject):
    report = slopes.audit(subject, against=torch.nn.MSELoss, quick=True)
    told = [finding.message.partition(": ")[2] for finding in report.findings if finding.check == "against"]
    assert [message[: len(AGAINST[subject])] for message in told] == [AGAINST[subject]], str(report)


def test_the_lesson_in_one_line():
    assert slopes.audit(squared, against=torch.nn.MSELoss).ok
    assert slopes.audit(squared, against=slopes.mse).ok
    assert slopes.audit(squared, against="torch.nn.functional.mse_loss").ok


@pytest.mark.parametrize(
    ("subject", "reference"),
    [
        (F.cross_entropy, slopes.cross_entropy),
        (slopes.cross_entropy, torch.nn.CrossEntropyLoss()),
        (lambda p, t: np.mean(abs(p - t)), torch.nn.L1Loss),
        (torch.nn.functional.silu, "silu"),
        (slopes.softmax, torch.nn.Softmax(-1)),
    ],
)
def test_references_of_every_make(subject, reference):
    report = slopes.audit(subject, against=reference, quick=True)
    assert "against" not in {finding.check for finding in report.findings}, str(report)
    assert "against" in report.ran


def test_a_reference_that_takes_something_else_is_refused():
    with pytest.raises(TypeError, match="does not take what the subject takes"):
        slopes.audit(squared, against=torch.nn.TripletMarginLoss)


# ------------------------------------------------------------------------------------------- fingerprints


def gelu(x):
    return x * torch.sigmoid(1.702 * x)


FINGERPRINTS = {
    squared: "computes slopes.mse",
    halved: "computes slopes.half_mse",
    F.smooth_l1_loss: "computes slopes.smooth_l1",
    gelu: "computes slopes.quick_gelu; 0.02 from slopes.gelu",
    torch.nn.GELU(approximate="tanh"): "computes slopes.gelu.with_(approximate='tanh')",
    torch.nn.LeakyReLU(0.2): "computes slopes.leaky_relu.with_(negative_slope=0.2)",
}


@pytest.mark.parametrize("subject", FINGERPRINTS, ids=lambda subject: getattr(subject, "__name__", str(subject)))
def test_the_nearest_of_the_catalogue_is_named(subject):
    report = slopes.audit(subject, quick=True)
    assert any(FINGERPRINTS[subject] in fact for fact in report.facts), report.facts


def test_a_wrong_name_is_a_warning():
    report = slopes.audit(gelu, quick=True)
    assert [(f.check, f.severity) for f in report.findings if f.severity != "note"] == [("fingerprint", "warning")]
    assert "is called gelu and computes slopes.quick_gelu" in report.findings[0].message


# ----------------------------------------------------------------------------------------------- the report


def test_report_in_text_and_json():
    report = slopes.audit(halved, against=torch.nn.MSELoss, quick=True)
    assert Report.from_json(report.to_json()) == report
    assert report.findings[0].more == "slopes explain against"
    text = str(report)
    for word in ("came:", "expected:", "see it:", "repair:", "more:"):
        assert word in text
    assert "  not run: minimum: not a loss that claims a minimum" in str(slopes.audit(slopes.relu, quick=True))


def test_command_line(folder):
    told = CliRunner().invoke(cli.main, ["audit", "mine.py:elu", "--quick"])
    assert told.exit_code == 1
    assert "error: extreme_inputs" in told.output
    told = CliRunner().invoke(cli.main, ["audit", "mine.py:good", "--kind", "regresion"])
    assert told.exit_code == 2
    assert told.stderr == "slopes: audit: no kind 'regresion'; did you mean 'regression'?\n"
