"""Metrics of users, held to scikit-learn's."""

import re

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

import torch
from sklearn import metrics

import slopes
from conftest import TINY
from slopes.comparing import Study
from slopes.comparing.plan import make_plan
from slopes.comparing.settings import Settings

X = np.random.default_rng(0).normal(size=(90, 3))


@pytest.fixture(autouse=True)
def no_page(monkeypatch):
    monkeypatch.setattr(Study, "report", lambda study: None)


def macro_f1(y_true, y_pred):
    return metrics.f1_score(y_true, y_pred, average="macro", zero_division=0)


def ovr_auc(y_true, y_score):
    return metrics.roc_auc_score(y_true, y_score, multi_class="ovr")


def accuracy(y_true, y_pred):
    return 1 - metrics.accuracy_score(y_true, y_pred)


def trained(tmp_path, targets, loss, **options):
    given = TINY | {"seeds": 1, "rates": [0.03], "batch_size": 16, "epochs": 3} | options
    study = slopes.compare(
        "mlp(hidden=16)", (X, targets), activations=["relu", "tanh"], losses=[loss], out=tmp_path, **given
    )
    assert not study.failures
    best = study.best()
    test = study.plan.job.task.parts.test.numpy()
    return study, best.run.test, targets[test], best.predict(X[test]), best.predict(X[test], probabilities=True)


def test_metrics_of_classes(tmp_path):
    targets = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
    study, ours, true, predicted, chances = trained(
        tmp_path, targets, "cross_entropy", metrics=[macro_f1, ovr_auc, "recalls", metrics.zero_one_loss]
    )
    assert ours["macro_f1"] == pytest.approx(macro_f1(true, predicted))
    assert ours["ovr_auc"] == pytest.approx(ovr_auc(true, chances), abs=1e-6)
    recalls = metrics.recall_score(true, predicted, average=None)
    assert [ours[f"recall_{label}"] for label in (0, 1, 2)] == pytest.approx(recalls.tolist())
    assert study.metric("macro_f1").higher
    assert not study.metric("zero_one_loss").higher
    assert len(study.verdicts("macro_f1")) == 1
    assert study.plan.metrics[0].name == "accuracy"


def test_metrics_of_numbers(tmp_path):
    targets = 100 + 10 * X[:, 0] + X[:, 1]
    _, ours, true, predicted, _ = trained(
        tmp_path, targets, slopes.pinball.with_(quantile=0.9),
        metrics=["pinball(quantile=0.9)", "coverage", metrics.max_error],
    )  # fmt: skip
    assert ours["pinball_0.9"] == pytest.approx(metrics.mean_pinball_loss(true, predicted, alpha=0.9), rel=1e-5)
    assert ours["coverage"] == pytest.approx((true <= predicted).mean())
    assert ours["max_error"] == pytest.approx(metrics.max_error(true, predicted), rel=1e-5)


def test_the_loop_and_the_stack_judge_alike(tmp_path):
    targets = X[:, 0] > 0
    runs = [
        trained(tmp_path, targets, "binary_cross_entropy", metrics=["recalls", metrics.f1_score], engine=engine)[0].runs
        for engine in ("stack", "loop")
    ]
    for one, other in zip(*runs, strict=True):
        assert {"recall_False", "recall_True", "f1_score"} < set(one.test)
        assert one.test == pytest.approx(other.test, abs=0.05)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pinball(alpha=0.9)", "pinball has no setting 'alpha'; there are quantile."),
        ("pinball(quantile=90)", "quantile of pinball must be a number > 0 and < 1, got 90."),
        ("coverage(quantile=0.9)", "coverage has no setting 'quantile'; there are none."),
    ],
)
def test_a_metric_has_the_settings_that_it_knows(text, words):
    with pytest.raises(ValueError, match=f"^{re.escape('compare: ' + words)}"):
        make_plan(Settings(data=(X, X[:, 0]), activations=["relu"], losses=["mse"], metrics=[text]))


def test_a_metric_that_is_none_is_refused(tmp_path):
    for given, kind, words in (
        ("coverage", ValueError, "no metric 'coverage' of a classification task; there are"),
        (3, TypeError, "metrics must be a function, got 3."),
        (accuracy, ValueError, "there are two metrics 'accuracy', the task's own included; leave one out, or rename"),
    ):
        with pytest.raises(kind, match=f"^compare: {words}"):
            slopes.compare("mlp", (X, np.arange(90) % 3), metrics=[given], out=tmp_path)


def unlucky(y_true, y_pred):
    """Has no value for the baseline's predictions, and fails for others."""
    unlucky.calls += 1
    if unlucky.calls < 4:
        return 0.5
    if unlucky.calls % 2:
        raise ZeroDivisionError("nothing there")
    return float("nan")


def test_a_run_whose_metric_has_no_value_is_recorded_and_says_so(tmp_path, monkeypatch):
    """Called once before training, then for the validation and test parts of each run."""
    monkeypatch.undo()
    unlucky.calls = 0
    given = TINY | {"seeds": 2, "rates": [0.03], "activations": ["relu", "tanh"], "engine": "loop"}
    study = slopes.compare(
        "mlp(hidden=2)", (X, np.arange(90) % 3), losses=["cross_entropy"], metrics=[unlucky], out=tmp_path, **given
    )
    assert len(study.runs) == 4
    assert not study.failures
    values = [run.test["unlucky"] for run in study.runs]
    assert values[0] == 0.5
    assert np.isnan(values[1:]).all()
    assert [run.missing.get("unlucky") for run in study.runs] == [None, *["ZeroDivisionError: nothing there"] * 3]
    relu, tanh = (study.pair(name, "cross_entropy") for name in ("relu", "tanh"))
    assert relu.estimate("unlucky") == (0.5, None, None)
    assert study.ranked("unlucky") == [relu, tanh]
    (verdict,) = study.verdicts("unlucky")
    assert verdict["verdict"] == "undecided"
    assert "2 seeds left out, where a run failed or has no value" in verdict["words"]
    sentence = (
        "The metric unlucky has no value in 3 of 4 runs, which its means leave out (in the first, ZeroDivisionError: "
        "nothing there)."
    )
    assert sentence in str(study.listing("unlucky").caption)
    assert sentence in (tmp_path / "report.html").read_text()
    again = Study.load(tmp_path)
    assert again.pair("relu", "cross_entropy").estimate("unlucky").mean == 0.5
    assert [row["test_unlucky"] for row in again.rows()] == [0.5, None, None, None]
    resumed = slopes.compare(
        "mlp(hidden=2)", (X, np.arange(90) % 3), losses=["cross_entropy"], metrics=[unlucky], out=tmp_path, **given
    )
    assert np.isnan([run.test["unlucky"] for run in resumed.runs]).tolist() == [False, True, True, True]


def failing(*_, **__):
    raise KeyError("no such thing")


def as_text(y_true, y_pred):
    return "good"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"metrics": [failing]}, "the metric failing fails: KeyError: 'no such thing'."),
        ({"metrics": [as_text]}, "the metric as_text fails: ValueError: could not convert string to float"),
        (
            {"augment": failing},
            "augment, your failing, fails: KeyError: 'no such thing'; it is called as augment(inputs), or",
        ),
        ({"step": failing}, "step, your failing, fails: KeyError"),
        ({"init": failing}, "init, your failing, fails: KeyError"),
        ({"optimizer": failing}, "optimizer, your failing, fails: KeyError"),
        ({"schedule": failing}, "schedule, your failing, fails: KeyError"),
        (
            {"schedule": torch.optim.lr_scheduler.CosineAnnealingLR},
            "schedule, your CosineAnnealingLR, fails: TypeError: CosineAnnealingLR.__init__() missing 1 required "
            "positional argument: 'T_max'; it is called as schedule(share of the steps done).",
        ),
        ({"schedule": lambda share: float("nan")}, "the schedule must give a finite factor of the rate, got nan."),
        (
            {"augment": lambda x: x[:, :2]},
            "a step of training with your own augment fails: RuntimeError: mat1 and mat2",
        ),
    ],
    ids=lambda value: next(iter(value), "") if isinstance(value, dict) else "",
)
def test_a_function_that_fails_does_so_before_anything_is_trained(options, words, tmp_path):
    given = TINY | {"activations": ["relu"], "losses": ["cross_entropy"]} | options
    with pytest.raises(ValueError, match=f"^{re.escape('compare: ' + words)}"):
        slopes.compare("mlp(hidden=2)", (X, np.arange(90) % 3), out=tmp_path / "none", **given)
    assert not (tmp_path / "none").exists()
