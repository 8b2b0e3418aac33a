"""The audit raises no false alarm: on torch.nn at its defaults, on the catalogue, on well-kept packages.

An error is allowed only where it is listed, with why it is true; and what is listed must be found, so that the list
stays true when a library mends its own.
"""

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

import slopes
import well_kept
from helpers import mark_exhaustive
from slopes.auditing.behaviour import CHECKS
from slopes.auditing.discovery import subject_of
from slopes.auditing.examination import examine
from slopes.auditing.report import run
from slopes.auditing.torch_state import undisturbed

THREE = torch.tensor([1.0, 2.0, 5.0])


def errors(report):
    """The checks that find an error or a warning; a note is a question."""
    return {finding.check for finding in report.findings if finding.severity != "note"}


@pytest.mark.parametrize("name", mark_exhaustive(well_kept.TORCH, every=3))
def test_torch_at_its_defaults(name):
    report = examine(well_kept.TORCH[name](), {})
    known = {*well_kept.TRULY_WRONG.get(name, ()), *well_kept.TRULY_WARNED.get(name, ())}
    assert errors(report) == known, str(report)


@pytest.mark.sampled(1, every=12)
def test_the_catalogue_passes_the_checks_of_behaviour(card):
    with undisturbed():
        subject, _ = subject_of(card)
        report = run(subject, CHECKS)
    assert errors(report) == set(), str(report)


@pytest.mark.parametrize("name", mark_exhaustive(well_kept.PACKAGES))
def test_losses_of_packages(name):
    thing = well_kept.of_package(name, pytest.importorskip)
    report = examine(thing, well_kept.PACKAGES[name][1])
    known = {*well_kept.TRULY_WRONG.get(name, ()), *well_kept.TRULY_WARNED.get(name, ())}
    assert errors(report) == known, str(report)
    questions = [finding.check for finding in report.findings if finding.severity == "note"]
    assert questions == ([well_kept.ASKED[name]] if name in well_kept.ASKED else []), str(report)


def test_few_losses_are_asked_about():
    assert well_kept.ASKED.keys() <= well_kept.PACKAGES.keys()
    assert len(well_kept.ASKED) <= 0.3 * len(well_kept.PACKAGES)


def test_every_true_error_is_of_a_subject_that_is_tried():
    assert well_kept.TRULY_WRONG.keys() <= {*well_kept.TORCH, *well_kept.PACKAGES}


def width(prediction, target):
    return slopes.multi_quantile(prediction, target, quantiles=(0.1, 0.5, 0.9))


def of_an_axis(prediction, target, dim=-1):
    return torch.nn.functional.cross_entropy(prediction.movedim(dim, 1), target)


#: Losses with a number for each class or prediction, and so rows of one length; the last takes rows on an axis.
OF_ONE_WIDTH = {
    "class weights": lambda: torch.nn.CrossEntropyLoss(weight=THREE),
    "class weights of nn": lambda: slopes.nn.CrossEntropyLoss(weight=THREE),
    "weights of yes": lambda: torch.nn.BCEWithLogitsLoss(pos_weight=THREE),
    "levels in a function": lambda: width,
    "levels": lambda: slopes.multi_quantile.with_(quantiles=(0.1, 0.5, 0.9)),
    "a module": lambda: slopes.nn.module(slopes.multi_quantile.with_(quantiles=(0.1, 0.5, 0.9))),
    "a prior": lambda: slopes.logit_adjusted.with_(prior=THREE),
    "margins in NumPy": lambda: slopes.margin_softmax.with_(margin=np.array([0.1, 0.2, 0.3])),
    "an axis": lambda: of_an_axis,
    "many classes": lambda: torch.nn.CrossEntropyLoss(weight=torch.ones(1000)),
}


@pytest.mark.parametrize("name", OF_ONE_WIDTH)
def test_losses_of_rows_of_one_length(name):
    report = examine(OF_ONE_WIDTH[name](), {})
    assert errors(report) == set(), str(report)
    assert not any(finding.check == "idle_options" for finding in report.findings)


def test_rows_have_the_length_of_an_example():
    example = torch.randn(8, 5), torch.randint(5, (8,))
    report = examine(slopes.cross_entropy, {"example": example})
    assert "prediction (8, 5) of logits" in str(report)
    assert errors(report) == set(), str(report)
