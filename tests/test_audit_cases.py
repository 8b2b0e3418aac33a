"""Every check of behaviour catches at least three planted bugs, and passes their corrected twins whole.

A case is a file of ``audit_cases/<check>/``, written as people write: `bug` and `fixed` are the subjects, OPTIONS what
is declared of both (BUG_OPTIONS and FIXED_OPTIONS of one alone), and SEVERITY what the bug is told as (error, unless
said).
"""

import pathlib

import pytest

torch = pytest.importorskip("torch")

from evidence import kept_evidence  # noqa: E402
from helpers import mark_exhaustive  # noqa: E402
from slopes import loading  # noqa: E402
from slopes.auditing.behaviour import CHECKS, calling  # noqa: E402
from slopes.auditing.discovery import subject_of  # noqa: E402
from slopes.auditing.examination import examine  # noqa: E402
from slopes.auditing.form import Declared  # noqa: E402
from slopes.auditing.report import run  # noqa: E402
from slopes.auditing.torch_state import undisturbed  # noqa: E402

FOLDER = pathlib.Path(__file__).parent / "audit_cases"
CASES = sorted(case for case in FOLDER.glob("*/*.py") if case.parent.name != "wild")  # see test_wild.py
names = [f"{case.parent.name}/{case.stem}" for case in CASES]


def option(case, name, otherwise):
    try:
        return loading.find(f"{case}:{name}")
    except AttributeError:
        return otherwise


def declared_of(case, which):
    """(declarations, other options) of a subject."""
    options = {**option(case, "OPTIONS", {}), **option(case, f"{which.upper()}_OPTIONS", {})}
    other = {name: options.pop(name) for name in ("against", "model", "batch", "seed") if name in options}
    return options, other


def report_on(case, which, **more):
    spec = f"{case}:{which}"
    declared, other = declared_of(case, which)
    return examine(loading.find(spec), declared, spec=spec, **{**other, **more})


@pytest.mark.parametrize("case", mark_exhaustive(CASES, 1, every=9), ids=names)
def test_bug_is_caught_by_its_check_alone(case):
    with kept_evidence() as evidence:
        report = report_on(case, "bug")
    severity = option(case, "SEVERITY", "error")
    worse = {finding.check for finding in report.findings if finding.severity != "note"}
    found = [f for f in report.findings if (f.check, f.severity) == (case.parent.name, severity)]
    assert worse | {case.parent.name} == {case.parent.name}, str(report)
    assert found, str(report)
    assert "its code" not in str(report)  # every fault is shown by the code that was written for it
    assert all("train" in finding.message or "model" in finding.message for finding in report.findings), str(report)
    for finding in report.findings:
        evidence.confirm(finding)


@pytest.mark.parametrize("case", mark_exhaustive(CASES, every=9), ids=names)
def test_corrected_twin_passes_the_whole_audit(case):
    report = report_on(case, "fixed")
    assert report.ok, str(report)


def report_in(dtype, case, which, seed, quick):
    """Report of the checks of behaviour where the subject computes in a dtype."""
    spec = f"{case}:{which}"
    declared = Declared(**declared_of(case, which)[0])
    with undisturbed():
        subject, _ = subject_of(loading.find(spec), spec=spec, declared=declared, seed=seed, quick=quick)
        return run(subject.having(dtype=dtype), [*CHECKS, calling])


@pytest.mark.exhaustive
@pytest.mark.parametrize("case", CASES, ids=names)
def test_seeds_decide_nothing(case):
    quick = case.parent.name != "layout_and_cost"  # which a quick audit leaves out
    for seed in range(10):
        found = {(f.check, f.severity) for f in report_on(case, "bug", seed=seed, quick=quick).findings}
        assert (case.parent.name, option(case, "SEVERITY", "error")) in found, seed
        report = report_on(case, "fixed", seed=seed, quick=quick)
        assert report.ok, f"seed {seed}: {report}"
        if case.parent.name != "boosting":  # whose objectives compute in NumPy's float64
            report = report_in(torch.float32, case, "fixed", seed, quick)
            assert report.ok, f"seed {seed}, float32: {report}"


@pytest.mark.parametrize("check", [check.__name__ for check in CHECKS])
def test_each_check_has_three_bugs(check):
    assert len(list((FOLDER / check).glob("*.py"))) >= 3


def test_each_check_has_its_page():
    pages = {page.stem for page in (FOLDER.parent.parent / "docs" / "audit").glob("*.md")} - {"README"}
    assert {check.__name__ for check in CHECKS} <= pages
