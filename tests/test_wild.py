"""Losses and activations as people write them: the audit finds out how to call them, and blames none that is right.

A file of ``audit_cases/wild/`` has READINGS, the right reading of each subject (None if nothing shows it), and DECLARED,
the declarations of those that need some.
"""

import pathlib

import pytest

torch = pytest.importorskip("torch")

from helpers import mark_exhaustive  # noqa: E402
from slopes import loading  # noqa: E402
from slopes.auditing.behaviour import CHECKS, calling  # noqa: E402
from slopes.auditing.discovery import subject_of  # noqa: E402
from slopes.auditing.examination import examine  # noqa: E402
from slopes.auditing.form import Declared  # noqa: E402
from slopes.auditing.report import run  # noqa: E402
from slopes.auditing.torch_state import undisturbed  # noqa: E402

FILES = sorted((pathlib.Path(__file__).parent / "audit_cases" / "wild").glob("*.py"))
SUBJECTS = {f"{file}:{name}": reading for file in FILES for name, reading in loading.find(f"{file}:READINGS").items()}
DECLARED = {f"{file}:{name}": told for file in FILES for name, told in loading.find(f"{file}:DECLARED").items()}
#: errors that are true of so many that they are no exception: shapes that do not fit are broadcast
TRUE_ERRORS = {"shape_contract"}


def ids(specs):
    return [spec.rpartition("/")[2] for spec in specs]


def read(spec, **declared):
    with undisturbed():
        return subject_of(loading.find(spec), spec=spec, declared=Declared(**declared))


def reading_of(subject):
    if subject.form.kind is None:
        return "activation"
    numbers = " numbers" * subject.form.kind.compares_numbers
    space = "real numbers" if subject.space.is_real else f"{subject.space}{numbers}"
    return f"{subject.form.kind.name} of {space}{', target first' * bool(subject.form.place)}"


def is_read_rightly(spec, subject):
    """A loss of positive numbers may be read as one of non-negative numbers."""
    return reading_of(subject).replace("non-negative", "positive") == SUBJECTS[spec].replace("non-negative", "positive")


def test_there_are_sixty():
    assert len(SUBJECTS) >= 60
    assert DECLARED.keys() <= SUBJECTS.keys()


@pytest.mark.exhaustive
def test_nine_in_ten_are_read_rightly_or_are_said_to_be_guesses():
    wrong = []
    for spec, reading in SUBJECTS.items():
        subject, facts = read(spec)
        guess = "a guess" in facts[0]
        assert guess != subject.form.sure
        if not guess and (reading is None or not is_read_rightly(spec, subject)):
            wrong.append((spec, facts[0]))
    assert len(wrong) <= len(SUBJECTS) // 10, wrong


KNOWN = [spec for spec, reading in SUBJECTS.items() if reading is not None]


@pytest.mark.parametrize("spec", mark_exhaustive(KNOWN, 3, every=12), ids=ids(KNOWN))
def test_with_declarations_all_are_read_rightly(spec):
    subject, facts = read(spec, **DECLARED.get(spec, {}))
    assert is_read_rightly(spec, subject), facts
    assert "a guess" not in facts[0]


@pytest.mark.parametrize("spec", mark_exhaustive(SUBJECTS, 5, every=24), ids=ids(SUBJECTS))
def test_no_error_without_declarations(spec):
    report = examine(loading.find(spec), {}, spec=spec)
    errors = {finding.check for finding in report.findings if finding.severity == "error"}
    assert errors <= (TRUE_ERRORS if "a guess" not in report.facts[0] else set()), str(report)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("spec", mark_exhaustive(SUBJECTS, 11, every=24), ids=ids(SUBJECTS))
def test_no_error_with_declarations(spec, dtype):
    subject, _ = read(spec, **DECLARED.get(spec, {}))
    with undisturbed():
        report = run(subject.having(dtype=dtype), [*CHECKS, calling])
    assert {f.check for f in report.findings if f.severity == "error"} <= TRUE_ERRORS, str(report)
