"""The code of a finding gives what the finding says, wherever the subject comes from."""

import functools
import json
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch.nn import functional as F

import slopes
from evidence import kept_evidence
from slopes.auditing import Report
from slopes.auditing import report as report_module
from slopes.auditing.evidence import Script, Unshown
from slopes.auditing.form import Form
from slopes.auditing.rebuilding import constructor_arguments
from slopes.auditing.report import run
from slopes.auditing.source import source_of
from slopes.auditing.subject import Subject

FACTOR = 2.0


def naive_elu(x, alpha=1.0):
    return torch.where(x > 0, x, FACTOR / 2 * alpha * (torch.exp(x) - 1))


def local_elu():
    def elu(x):
        return naive_elu(x) * FACTOR

    return elu


class Elu(torch.nn.Module):
    def __init__(self, alpha=1.0):
        super().__init__()
        self.alpha = alpha

    def forward(self, x):
        return naive_elu(x, self.alpha)

    def doubled(self, x):
        return 2 * naive_elu(x, self.alpha)


RAISED = "training stops with an exception: IndexError: no such row"
SUBJECTS = {
    "a function of a module": naive_elu,
    "a function in a function": local_elu(),
    "a lambda": lambda x: torch.where(x > 0, x, FACTOR * F.elu(x) * torch.exp(x - x)) + 0 * torch.exp(x),
    "a module": Elu(alpha=0.5),
    "a bound method": Elu(alpha=0.5).doubled,
    "a partial": functools.partial(naive_elu, alpha=0.5),
}


def finding_of(subject):
    report = slopes.audit(subject, quick=True)
    return next(finding for finding in report.findings if finding.check == "extreme_inputs")


def test_code_can_be_pasted():
    with kept_evidence() as evidence:
        findings = {name: finding_of(subject) for name, subject in SUBJECTS.items()}
    for name, finding in findings.items():
        assert finding.came.endswith("is nan"), name
        evidence.confirm(finding)
    evidence.confirm_in_a_process(*findings.values())


def divided_by_rows(y_true, y_pred):
    return (y_pred - y_true) / len(y_true), FACTOR + 0 * y_pred


def test_code_of_a_boosting_objective_can_be_pasted():
    with kept_evidence() as evidence:
        report = slopes.audit(divided_by_rows, kind="xgboost", against="half_mse")
    (finding,) = report.findings
    assert "divided by the number of rows" in finding.message
    evidence.confirm(finding)
    evidence.confirm_in_a_process(finding)


def test_a_subject_that_is_no_code_is_said_to_be_none():
    module = Elu()
    module.alpha = torch.nn.Parameter(torch.rand(100))
    lines, given = source_of(module).assign("f")
    assert lines == ["# f is the Elu that was audited; it cannot be written as code"]
    assert given == {"f": module}


def test_code_that_does_not_show_a_fault_is_no_evidence():
    with pytest.raises(Unshown, match="its code does not show it: two is three"):
        Script(["print(2, 2)"]).finding("two is three", "count", came="{0}", expected="{1}")
    with pytest.raises(Unshown, match="its code raises ZeroDivisionError"):
        Script(["print(1 / 0)"]).finding("one is none", "count")


def test_a_broadcast_result_is_shown_without_its_memory():
    lines = ["import numpy as np", "print(np.broadcast_to(np.float32(1), (2_000, 600)))"]
    tracemalloc.start()
    try:
        finding = Script(lines).finding("it is one", "count", came="{0}", shows=lambda value: value.size)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert finding.came == "(1, 1, 1, …)"
    assert peak < 3e6  # all entries take 5 MB as float32, and 40 MB as numbers of Python


def test_numpy_warns_in_code_as_it_does_at_first():
    lines = ["import warnings, numpy as np", "with warnings.catch_warnings(record=True) as told:"]
    lines += ["    warnings.simplefilter('always')", "    np.exp(np.array([1e4]))", "print(len(told))"]
    with np.errstate(all="ignore"):
        assert Script(lines).printed == [1]


def test_a_finding_with_other_code_is_not_confirmed():
    with kept_evidence() as evidence:
        finding = finding_of(naive_elu)
    other = finding.reproduce.replace("torch.tensor([", "torch.tensor([-1.0 + 0 * ")
    with pytest.raises(Unshown):
        evidence.confirm(replace(finding, reproduce=other))


def test_every_form_of_a_report_has_the_code():
    finding = finding_of(naive_elu)
    report = Report("naive_elu", [finding])
    assert json.loads(report.to_json())["findings"][0]["reproduce"] == finding.reproduce
    assert "from test_audit_evidence import naive_elu" in report._repr_html_()
    assert all(line in str(report) for line in finding.reproduce.splitlines())


class RaisingBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 1.0

    @staticmethod
    def backward(ctx, grad_output):
        raise IndexError("no such row")


def raise_in_the_check(subject):
    raise LookupError("a table of the audit has no such key")
    yield


def raise_in_a_library(subject):
    yield torch.ones(2).reshape(3)


def raise_in_the_samples(subject):
    subject.form.examples.sample("no generator", (4,))
    yield


def call_the_subject(subject):
    subject(*subject.draw())
    yield


def differentiate_the_subject(subject):
    x = torch.ones(3, requires_grad=True)
    subject.thing(x).sum().backward()
    yield


def broken(x):
    raise IndexError("no such row")


@pytest.mark.parametrize("check", [raise_in_the_check, raise_in_a_library, raise_in_the_samples])
def test_a_fault_of_the_audit_is_a_skipped_check(check, monkeypatch):
    of_audit = report_module._is_of_audit
    own = Path(__file__)  # these checks stand for the audit's
    monkeypatch.setattr(report_module, "_is_of_audit", lambda file: file == own or of_audit(file))
    report = run(Subject(naive_elu, Form(), source=source_of(naive_elu)), [check])
    assert not report.findings, str(report)
    assert report.skipped[check.__name__].startswith("the check itself failed with ")


@pytest.mark.parametrize(
    ("check", "thing"), [(call_the_subject, broken), (differentiate_the_subject, RaisingBackward.apply)]
)
def test_an_exception_of_the_subject_is_a_finding(check, thing):
    report = run(Subject(thing, Form(), source=source_of(thing)), [check])
    assert [finding.message for finding in report.findings] == [RAISED]
    assert not report.skipped


def call_something_else(subject):
    broken(torch.ones(1))
    yield


def test_an_exception_that_no_call_repeats_is_shown_with_its_line():
    (found,) = run(Subject(naive_elu, Form(), source=source_of(naive_elu)), [call_something_else]).findings
    assert found.message == RAISED
    assert "# raised in test_audit_evidence.py, line " in found.reproduce
    assert found.reproduce.endswith(': raise IndexError("no such row")')
    scope = {}
    exec(found.reproduce, scope)
    assert float(scope["f"](torch.tensor(2.0))) == 2.0


class Radians(torch.nn.Module):
    """Keep an option in another unit, as a number of NumPy."""

    def __init__(self, margin=90.0):
        super().__init__()
        self.margin = np.radians(margin)

    def forward(self, prediction, target):
        return (prediction - target).abs().clamp(min=self.margin).mean()


@pytest.mark.parametrize("given", [{}, {"margin": np.float64(90.0)}])
def test_numbers_of_numpy_are_state_and_are_written_as_numbers(given):
    loss = Radians(**given)
    assert constructor_arguments(loss) == {"margin": 90.0}
    assert "margin" not in source_of(loss).expression
    assert source_of(functools.partial(Radians, margin=np.float32(0.5))).expression.endswith("margin=0.5)")
