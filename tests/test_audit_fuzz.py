"""Subjects that do anything: the audit ends in a report or a refusal, and leaves the process as it was."""

import builtins
import contextlib
import decimal
import fractions
import functools
import io
import math
import os
import random
import signal
import sys
import time
import unittest.mock
import warnings
from collections import namedtuple

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional as F  # noqa: E402

import slopes  # noqa: E402
from helpers import mark_exhaustive  # noqa: E402
from slopes.auditing import Report  # noqa: E402
from slopes.auditing.process_state import preserved  # noqa: E402
from slopes.auditing.torch_state import SETTINGS  # noqa: E402

# ------------------------------------------------------------------------------------- settings of the process

#: what a subject may do to a process, and how it is seen
CHANGES = {
    "default dtype": (lambda: torch.set_default_dtype(torch.float64), torch.get_default_dtype),
    "default device": (lambda: torch.set_default_device("meta"), lambda: torch.ones(1).device),
    "gradient mode": (lambda: torch.set_grad_enabled(False), torch.is_grad_enabled),
    "anomaly detection": (lambda: torch.autograd.set_detect_anomaly(True), torch.is_anomaly_enabled),
    "deterministic mode": (
        lambda: torch.use_deterministic_algorithms(True), torch.are_deterministic_algorithms_enabled,
    ),
    "threads": (lambda: torch.set_num_threads(3), torch.get_num_threads),
    "matrix products": (lambda: torch.set_float32_matmul_precision("medium"), torch.get_float32_matmul_precision),
    "cuDNN": (lambda: setattr(torch.backends.cudnn, "benchmark", True), lambda: torch.backends.cudnn.benchmark),
    "NumPy's errors": (lambda: np.seterr(all="raise"), np.geterr),
    "recursion limit": (lambda: sys.setrecursionlimit(12345), sys.getrecursionlimit),
    "environment": (
        lambda: os.environ.update(SLOPES_FUZZ="1", HOME="/nowhere"), lambda: dict(os.environ),
    ),
    "warnings": (lambda: warnings.simplefilter("error"), lambda: list(warnings.filters)),
    "working directory": (lambda: os.chdir("/"), os.getcwd),
    "signal": (lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN), lambda: signal.getsignal(signal.SIGTERM)),
    "stdout": (lambda: setattr(sys, "stdout", None), lambda: sys.stdout),
    "stderr": (lambda: setattr(sys, "stderr", io.StringIO()), lambda: sys.stderr),
    "stdin": (lambda: setattr(sys, "stdin", None), lambda: sys.stdin),
    "torch prints": (lambda: torch.set_printoptions(precision=2), lambda: repr(torch.tensor(math.pi))),
    "NumPy prints": (lambda: np.set_printoptions(precision=2), lambda: repr(np.array([math.pi]))),
    "torch's random numbers": (lambda: torch.manual_seed(1), lambda: torch.get_rng_state().tolist()),
    "NumPy's random numbers": (lambda: np.random.seed(1), lambda: np.random.get_state()[1].tolist()),  # noqa: NPY002
    "Python's random numbers": (lambda: random.seed(1), random.getstate),
}  # fmt: skip
#: states that are no settings
RANDOM = [name for name in CHANGES if "random" in name]


def state():
    return {name: read() for name, (_, read) in CHANGES.items()}


def audited(subject, **declared):
    """Report, or None if the subject is refused; in both cases nothing is printed and nothing has changed."""
    before, printed = state(), io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            report = slopes.audit(subject, **{"quick": True, "time_limit": 300.0, **declared})
        except (TypeError, ValueError) as error:
            report, refusal = None, error
    assert report is not None or str(refusal).startswith("audit"), refusal
    after = state()
    assert {name for name in before if before[name] != after[name]} == set()
    assert printed.getvalue() == ""
    if report is not None:
        assert Report.from_json(report.to_json()) == report
        assert report.headline in str(report)
        assert "checks ran" in report._repr_html_()
    return report


def squared(prediction, target):
    if prediction.shape != target.shape:
        raise ValueError(f"prediction {tuple(prediction.shape)} and target {tuple(target.shape)} differ")
    return ((prediction - target) ** 2).mean()


@pytest.mark.parametrize("name", mark_exhaustive(CHANGES, every=4))
def test_a_change_of_the_process_is_a_finding_and_undone(name):
    change, _ = CHANGES[name]

    def loss(prediction, target):
        change()
        return squared(prediction, target)

    found = [finding for finding in audited(loss).findings if finding.check == "purity"]
    assert len(found) == 1
    assert "everybody's" in found[0].message


def test_settings_of_the_caller_stay_and_do_not_matter():
    """An audit in a program that computes elsewhere, without gradients, or with errors of NumPy that raise."""
    plain = slopes.audit(squared, quick=True).to_json()
    with preserved(SETTINGS):
        torch.set_default_device("meta")
        torch.set_grad_enabled(False)
        np.seterr(all="raise")
        with torch.inference_mode():
            assert audited(squared).to_json() == plain
        assert torch.ones(1).device.type == "meta"


def test_all_settings_are_tried():
    assert len(SETTINGS) == len(CHANGES) - len(RANDOM) - 2  # three streams are one setting


def test_a_folder_that_is_gone_is_no_trouble(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert slopes.audit(squared, quick=True).ok


# --------------------------------------------------------------------------------------------- strange results


class Hostile:
    """An object that nobody may look at."""

    @property
    def __class__(self):
        raise RuntimeError("no class")

    def __getattr__(self, name):
        raise KeyError(name)

    def __array__(self, *given, **named):
        raise OSError("no array")

    def __float__(self):
        raise OSError("no number")

    def __bool__(self):
        raise OSError("no truth")

    def __repr__(self):
        raise OSError("no text")

    __len__ = __iter__ = __str__ = __eq__ = __float__
    __hash__ = None


class HostileDict(dict):
    def __bool__(self):
        raise OSError("no truth")


class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError("no message")


def endless_list(*_):
    held = []
    held.append(held)
    return held


RESULTS = {
    "nothing": lambda x, *_: None,
    "a float": lambda x, *_: float(x.sum()),
    "an integer beyond all floats": lambda x, *_: 10**400,
    "a bool": lambda x, *_: bool(x.sum() > 0),
    "a complex number": lambda x, *_: 1j,
    "text": lambda x, *_: "loss",
    "a decimal": lambda x, *_: decimal.Decimal(2),
    "a fraction": lambda x, *_: fractions.Fraction(1, 3),
    "complex numbers": lambda x, *_: x.to(torch.complex128),
    "bools": lambda x, *_: x > 0,
    "whole numbers": lambda x, *_: x.round().long(),
    "bytes": lambda x, *_: x.abs().to(torch.uint8),
    "half": lambda x, *_: x.half(),
    "eight bits": lambda x, *_: x.to(torch.float8_e4m3fn),
    "sparse": lambda x, *_: x.reshape(-1).to_sparse(),
    "quantized": lambda x, *_: torch.quantize_per_tensor(x.detach().float(), 0.1, 0, torch.qint8),
    "nested": lambda x, *_: torch.nested.nested_tensor([x.reshape(-1), x.reshape(-1)[:1]]),
    "on another device": lambda x, *_: x.to("meta"),
    "300 million numbers": lambda x, *_: x.sum().expand(300_000_000),
    "300 million of NumPy": lambda x, *_: np.broadcast_to(np.float32(1), (300_000_000,)),
    "no number": lambda x, *_: x.reshape(-1)[:0],
    "a row": lambda x, *_: x.reshape(1, -1),
    "another shape each time": lambda x, *_: x.sum().expand(random.randint(1, 5)),
    "NaN": lambda x, *_: x * math.nan,
    "infinity": lambda x, *_: x + math.inf,
    "noise": lambda x, *_: torch.rand_like(x),
    "detached": lambda x, *_: x.detach(),
    "a leaf": lambda x, *_: x.detach().requires_grad_(),
    "a parameter": lambda x, *_: torch.nn.Parameter(x.detach()),
    "the first argument": lambda x, *given: given[0],
    "the last argument": lambda x, *given: given[-1],
    "an array": lambda x, *_: x.detach().numpy(),
    "an array of objects": lambda x, *_: np.array([object(), None]),
    "an array of dates": lambda x, *_: np.array(["2020-01-01"], dtype="datetime64[D]"),
    "a complex array": lambda x, *_: x.detach().numpy() + 1j,
    "a masked array": lambda x, *_: np.ma.masked_all(3),
    "a list": lambda x, *_: [x, x],
    "a list of texts": lambda x, *_: ["a", "b"],
    "an empty list": lambda x, *_: [],
    "a list in lists": lambda x, *_: [[[x]]],
    "a list that holds itself": endless_list,
    "a named tuple": lambda x, *_: namedtuple("Loss", "loss parts")(x, 3),
    "a dict": lambda x, *_: {"loss": x},
    "a dict without a loss": lambda x, *_: {3: None},
    "a hostile dict": lambda x, *_: HostileDict(loss=x),
    "a hostile object": lambda x, *_: Hostile(),
    "hostile keys": lambda x, *_: {(Hostile,): x, "a": Hostile()},
    "a mock": lambda x, *_: unittest.mock.Mock(),
    "a magic mock": lambda x, *_: unittest.mock.MagicMock(),
    "a function": lambda x, *_: print,
    "a class": lambda x, *_: torch.Tensor,
    "a generator": lambda x, *_: (y for y in x),
    "a size": lambda x, *_: x.shape,
    "an exception": lambda x, *_: ValueError("returned"),
}
#: results that are refused, by words of the reason
REFUSED = {
    "nothing": "gave nothing instead of a tensor",
    "an integer beyond all floats": "gave a int instead of a tensor",
    "a complex number": "gave complex numbers, of which none is least",
    "complex numbers": "gave complex numbers, of which none is least",
    "sparse": "gave a sparse, quantized or nested tensor instead of a dense one",
    "quantized": "gave a sparse, quantized or nested tensor instead of a dense one",
    "on another device": "gave a tensor on the device meta for others on the cpu",
    "300 million numbers": "gave 300000000 numbers for arguments of",
    "300 million of NumPy": "gave 300000000 numbers for arguments of",
    "a hostile dict": "gave a HostileDict that raises OSError: no truth",
    "a hostile object": "gave a Hostile instead of a tensor",
}


@pytest.mark.parametrize("name", mark_exhaustive(REFUSED, every=3))
def test_results_that_are_no_loss_are_told_with_their_type(name):
    result = RESULTS[name]
    (finding,) = audited(lambda prediction, target: result(squared(prediction, target), target)).findings
    assert (finding.check, finding.severity) == ("calling", "error")
    assert REFUSED[name] in finding.message


@pytest.mark.parametrize("name", ["a bool", "bools", "whole numbers"])
def test_results_of_whole_numbers_have_no_gradient(name):
    result = RESULTS[name]
    found = {f.check: f for f in audited(lambda prediction, target: result(squared(prediction, target))).findings}
    assert found["connectivity" if name != "a bool" else "calling"].severity == "error"


# -------------------------------------------------------------------------------------------- strange subjects


class KeyErrors:
    """An object whose missing attributes raise another error than they should, as configurations do."""

    def __call__(self, prediction, target):
        return squared(prediction, target)

    def __getattr__(self, name):
        return {}[name]


class Uncopyable(torch.nn.Module):
    def forward(self, prediction, target):
        return squared(prediction, target)

    def __deepcopy__(self, memo):
        raise RuntimeError("one is enough")


class NoCopy(Uncopyable):
    def __deepcopy__(self, memo):
        return None


class OddReduction(Uncopyable):
    __deepcopy__ = None

    def __init__(self):
        super().__init__()
        self.reduction = np.array(["mean", "sum"])


class ClassThatExits:
    def __init__(self):
        print("made")
        sys.exit(3)


class ClassThatPrints(Uncopyable):
    __deepcopy__ = None

    def __init__(self):
        super().__init__()
        print("made")


class LazyHead(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.head = torch.nn.LazyLinear(1)

    def forward(self, prediction, target):
        return squared(prediction, target) + 0 * self.head(prediction.reshape(1, -1).float()).sum()


class HostileCallable(Hostile):
    def __call__(self, prediction, target):
        return squared(prediction, target)


def own_signature(prediction, target):
    return squared(prediction, target)


own_signature.__signature__ = 3


def wraps_itself(prediction, target):
    return squared(prediction, target)


wraps_itself.__wrapped__ = wraps_itself


async def asynchronous(prediction, target):
    return squared(prediction, target)


def endless(prediction, target):
    return endless(prediction, target)


def frames():
    frame = sys._getframe()
    while frame is not None:
        yield frame
        frame = frame.f_back


def few_frames(prediction, target):
    sys.setrecursionlimit(len([*frames()]) + 8)
    return squared(prediction, target)


class Flaky:
    """A loss that raises in one call of a few."""

    def __init__(self, every, error):
        self.every, self.error, self.calls = every, error, 0

    def __call__(self, prediction, target):
        self.calls += 1
        if self.calls % self.every == 0:
            raise self.error
        return squared(prediction, target)

    def __deepcopy__(self, memo):
        return self


SUBJECTS = {
    "hostile": HostileCallable(),
    "key errors": KeyErrors(),
    "not to be copied": Uncopyable(),
    "copied to nothing": NoCopy(),
    "a reduction of two": OddReduction(),
    "a class that exits": ClassThatExits,
    "a class that prints": ClassThatPrints,
    "a lazy head": LazyHead(),
    "no forward": torch.nn.Module(),
    "a mock": unittest.mock.Mock(),
    "a magic mock": unittest.mock.MagicMock(),
    "a mock of a module": unittest.mock.MagicMock(spec=torch.nn.MSELoss()),
    "an own signature": own_signature,
    "wraps itself": wraps_itself,
    "asynchronous": asynchronous,
    "endless": endless,
    "few frames": few_frames,
    "flaky": Flaky(2, ValueError("now and then")),
    "seldom flaky": Flaky(31, OSError("now and then")),
    "exits now and then": Flaky(17, SystemExit(3)),
    "raises without a message": Flaky(1, Unspeakable()),
    "raises lines": Flaky(1, ValueError("one\n  two\n")),
    "stops an iteration": Flaky(5, StopIteration(3)),
    "print": print,
    "len": len,
    "exit": exit,
    "input": input,
    "object": object(),
    "a number": 3,
    "nothing": None,
    "a hostile object": Hostile(),
    "torch.set_grad_enabled": torch.set_grad_enabled,
    "numpy.add": np.add,
}


@pytest.mark.parametrize("name", mark_exhaustive(SUBJECTS, every=4))
def test_strange_subjects_end_in_a_report_or_a_refusal(name):
    audited(SUBJECTS[name])


def test_one_that_is_too_slow_to_be_found_out_is_told():
    def slow(prediction, target):
        time.sleep(0.05)
        raise ValueError("not these")

    (finding,) = audited(slow, time_limit=0.2).findings
    assert finding.message == "training is very slow: it takes more than 0.2 s until it is found out how to call it"


def test_one_that_raises_once_is_told_without_evidence():
    def loss(prediction, target):
        if not any(frame.f_code.co_filename == "<evidence>" for frame in frames()):
            raise ValueError("not yet")
        return (prediction.sum() - target.sum()).abs()

    (finding,) = audited(loss).findings
    assert (
        finding.message == "training stops at some calls: it raises ValueError: not yet in one call and not in the next"
    )


# ----------------------------------------------------------------------------------------------- random subjects


def resize(x, *_):
    x.resize_(0)


def overwrite(*given):
    for x in given:
        with torch.no_grad():
            x.zero_()


def track(*given):
    for x in given:
        if x.is_floating_point():
            x.requires_grad_()


def warn(*_):
    warnings.warn("strange", UserWarning, stacklevel=1)


def leave(*_):
    sys.exit("over")


def chatter(*_):
    print("loss", "again" * 10_000)


def close(*_):
    sys.stdout.close()


def sleep(*_):
    time.sleep(0.002)


def divide(*_):
    1 / 0  # noqa: B018


def speechless(*_):
    raise Unspeakable


HABITS = {
    **{name: functools.partial(lambda change, *_: change(), change) for name, (change, _) in CHANGES.items()},
    **{habit.__name__: habit for habit in (resize, overwrite, track, warn, chatter, close, sleep)},
    **{habit.__name__: habit for habit in (leave, divide, speechless)},
}
TWO = {
    "squared": squared,
    "absolute": lambda p, t: (p - t).abs(),
    "cross entropy": F.cross_entropy,
    "with logits": F.binary_cross_entropy_with_logits,
    "cosine": lambda p, t: 1 - F.cosine_similarity(p, t),
    "in NumPy": lambda p, t: torch.as_tensor(np.mean(np.abs(np.asarray(p) - np.asarray(t)))),
}
ONE = {"relu": torch.relu, "softplus": F.softplus, "softmax": lambda x: torch.softmax(x, -1), "sine": torch.sin}


def random_subject(seed):
    """(description, subject, declarations): a function with habits that come at some calls, in some form."""
    rng = random.Random(seed)
    pick = lambda table: rng.choice([*table])  # noqa: E731
    takes_two = rng.random() < 0.75
    base = pick(TWO if takes_two else ONE)
    habits = [(pick(HABITS), rng.choice((1, 1, 2, 7))) for _ in range(rng.choice((0, 1, 1, 2)))]
    result = pick(RESULTS) if rng.random() < 0.6 else None
    form = rng.choice(("function", "any arguments", "module", "object", "partial", "method", "keyword"))
    declared = rng.choice(({}, {}, {}, {"kind": "regression" if takes_two else "activation"}, {"kind": "xgboost"}))
    compute, calls = (TWO if takes_two else ONE)[base], [0]

    def anything(*given):
        calls[0] += 1
        for habit, every in habits:
            if calls[0] % every == 0:
                HABITS[habit](*given)
        came = compute(*given)
        return came if result is None else RESULTS[result](came, *given)

    names = "prediction, target" if takes_two else "x"
    scope = {"anything": anything, "torch": torch}
    exec(SOURCE.replace("GIVEN", names), scope)
    told = f"{seed}: {form} of {base} with {habits}, gives {result}, {declared}"
    return told, {**scope, "any arguments": anything}[form], declared


SOURCE = """
def function(GIVEN): return anything(GIVEN)
def keyword(GIVEN, *, reduction="mean", weight=None): return anything(GIVEN)
class Module(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("held", torch.ones(2))
    def forward(self, GIVEN): return anything(GIVEN)
class Object:
    reduction = "mean"
    def __call__(self, GIVEN): return anything(GIVEN)
    def method(self, GIVEN): return anything(GIVEN)
module, object, method = Module(), Object(), Object().method
import functools
partial = functools.partial(keyword, reduction="sum")
"""


def try_random(seeds):
    for seed in seeds:
        told, subject, declared = random_subject(seed)
        try:
            audited(subject, **declared)
        except Exception as error:
            raise AssertionError(told) from error


def test_random_subjects_end_in_a_report_or_a_refusal():
    try_random(range(10))


@pytest.mark.exhaustive
@pytest.mark.parametrize("first", range(10, 1010, 50))
def test_many_random_subjects_end_in_a_report_or_a_refusal(first):
    try_random(range(first, first + 50))


FOREIGN = {
    f"{home.__name__}.{name}": thing
    for home in (F, math, np, builtins)
    for name, thing in vars(home).items()
    if callable(thing) and not name.startswith("_") and not isinstance(thing, type)
}


def test_a_function_of_single_rows_is_audited_or_refused():
    audited(np.roll)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", FOREIGN)
def test_functions_of_libraries_end_in_a_report_or_a_refusal(name):
    audited(FOREIGN[name])
