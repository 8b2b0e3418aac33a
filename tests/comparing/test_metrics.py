"""The measures are scikit-learn's, for many models at once, and no number is ever the result of no number."""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

import torch
from sklearn import metrics as sklearn
from torch.nn.functional import logsigmoid, softmax

import slopes
from slopes.comparing.feeding import feed
from slopes.comparing.metrics import METRICS, Judged, metrics_of
from slopes.comparing.tasks import TaskKind
from slopes.comparing.tasks.task import LEFT_OUT, make

MODELS, SAMPLES = 4, 300
LOSS = {
    "classification": slopes.cross_entropy,
    "binary": slopes.binary_cross_entropy,
    "regression": slopes.mse,
    "count": slopes.poisson_nll,
    "segmentation": slopes.dice,
    "multilabel": slopes.binary_cross_entropy,
    "tokens": slopes.cross_entropy,
    "multiclass_segmentation": slopes.dice,
}


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def made(kind: str, seed: int = 0) -> SimpleNamespace:
    """A task, and the outputs of some models that know a little of it, with a different sample each."""
    rng = np.random.default_rng(seed)
    targets = {
        "classification": rng.integers(0, 5, SAMPLES),
        "binary": (rng.random(SAMPLES) < 0.2).astype(np.float32),
        "regression": (50 + 20 * rng.standard_normal((SAMPLES, 2))).astype(np.float32),
        "count": rng.poisson(3.0, (SAMPLES, 1)).astype(np.float32),
        "segmentation": (rng.random((SAMPLES, 3, 4)) < 0.3).astype(np.float32),
        "multilabel": (rng.random((SAMPLES, 4)) < 0.3).astype(np.float32),
        "tokens": rng.integers(-1, 5, (SAMPLES, 3)),
        "multiclass_segmentation": rng.integers(-1, 5, (SAMPLES, 3, 4)),
    }[kind]
    if kind in ("tokens", "multiclass_segmentation"):
        targets = np.where(targets < 0, LEFT_OUT, targets)
    task = make("made up", kind, rng.standard_normal((SAMPLES, 2)), targets, about="Random numbers.")
    ways = feed(LOSS[kind], task)
    targets = torch.stack([task.targets[torch.from_numpy(rng.permutation(SAMPLES))] for _ in range(MODELS)])
    known = (targets - task.centre) / task.scale if task.kind.has_numbers else targets
    if task.kind.has_classes:
        known = torch.eye(5)[targets.clamp_min(0)]
    elif kind == "binary":
        known = targets[..., None] - 0.5
    elif kind == "segmentation":
        known = targets[:, :, None] - 0.5
    noise = torch.from_numpy(rng.standard_normal(known.shape)).float()
    outputs = (0.3 if kind == "count" else 1.0) * (known + 1.5 * noise)
    return SimpleNamespace(task=task, feed=ways, outputs=outputs, targets=targets)


def judged(it: SimpleNamespace) -> dict[str, list[float]]:
    of_all = Judged(it.task, it.feed, it.outputs, it.targets)
    return {metric.name: metric.measure(of_all).tolist() for metric in METRICS[it.task.kind]}


def score(task, ways, outputs, targets) -> torch.Tensor:
    return METRICS[task.kind][0].measure(Judged(task, ways, outputs, targets))


def of_labels(measure):
    """A measure of the labels that count, and of the probabilities there."""
    return lambda y, p: measure(y[y >= 0], p[y >= 0])


def of_each(it: SimpleNamespace, measure) -> list[float]:
    """A measure of each model's targets and predictions."""
    predicted = it.feed.natural(it.outputs)
    return [float(measure(y.numpy(), p.numpy())) for y, p in zip(it.targets, predicted, strict=True)]


def expected_calibration_error(sure: np.ndarray, right: np.ndarray) -> float:
    """Guo et al. (2017), bin by bin."""
    total = 0.0
    for low, high in zip(np.arange(15) / 15, np.arange(1, 16) / 15, strict=True):
        inside = (sure > low) & (sure <= high)
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - sure[inside].mean())
    return total


ORACLES = {
    "classification": {
        "accuracy": lambda y, p: sklearn.accuracy_score(y, p.argmax(-1)),
        "log_loss": lambda y, p: sklearn.log_loss(y, p, labels=range(5)),
        "brier": lambda y, p: ((p - np.eye(5)[y]) ** 2).sum(-1).mean(),
        "calibration": lambda y, p: expected_calibration_error(p.max(-1), p.argmax(-1) == y),
    },
    "binary": {
        "average_precision": sklearn.average_precision_score,
        "balanced_accuracy": lambda y, p: sklearn.balanced_accuracy_score(y, p > 0.5),
        "recall": lambda y, p: sklearn.recall_score(y, p > 0.5),
        "precision": lambda y, p: sklearn.precision_score(y, p > 0.5),
        "accuracy": lambda y, p: sklearn.accuracy_score(y, p > 0.5),
        "log_loss": sklearn.log_loss,
        "brier": sklearn.brier_score_loss,
        "calibration": lambda y, p: expected_calibration_error(p, y),
    },
    "regression": {
        "rmse": sklearn.root_mean_squared_error,
        "mae": sklearn.mean_absolute_error,
        "r2": sklearn.r2_score,
    },
    "count": {
        "poisson_deviance": lambda y, p: sklearn.mean_poisson_deviance(y.ravel(), p.ravel()),
        "rmse": sklearn.root_mean_squared_error,
        "mae": sklearn.mean_absolute_error,
    },
    "segmentation": {
        "iou": lambda y, p: sklearn.jaccard_score(y.ravel(), p.ravel() > 0.5),
        "dice": lambda y, p: np.mean([sklearn.f1_score(a.ravel(), b.ravel() > 0.5, zero_division=1.0) for a, b in zip(y, p, strict=True)]),
        "log_loss": lambda y, p: sklearn.log_loss(y.ravel(), p.ravel()),
    },
    "multilabel": {
        "mean_average_precision": lambda y, p: sklearn.average_precision_score(y, p, average="macro"),
        "macro_f1": lambda y, p: sklearn.f1_score(y, p > 0.5, average="macro"),
        "accuracy": lambda y, p: (y == (p > 0.5)).mean(),
        "log_loss": lambda y, p: sklearn.log_loss(y.ravel(), p.ravel()),
        "brier": lambda y, p: sklearn.brier_score_loss(y.ravel(), p.ravel()),
    },
    "tokens": {
        "accuracy": of_labels(lambda y, p: sklearn.accuracy_score(y, p.argmax(-1))),
        "macro_f1": of_labels(lambda y, p: sklearn.f1_score(y, p.argmax(-1), average="macro")),
        "log_loss": of_labels(lambda y, p: sklearn.log_loss(y, p, labels=range(5))),
    },
    "multiclass_segmentation": {
        "mean_iou": of_labels(lambda y, p: sklearn.jaccard_score(y, p.argmax(-1), average="macro")),
        "accuracy": of_labels(lambda y, p: sklearn.accuracy_score(y, p.argmax(-1))),
        "log_loss": of_labels(lambda y, p: sklearn.log_loss(y, p, labels=range(5))),
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", TaskKind)
def test_every_measure_agrees_with_another_hand(kind):
    it = made(kind)
    ours = judged(it)
    assert list(ours) == [metric.name for metric in METRICS[kind]] == list(ORACLES[kind])
    for name, values in ours.items():
        np.testing.assert_allclose(values, of_each(it, ORACLES[kind][name]), rtol=1e-6, err_msg=name)
        assert len(set(values)) > 1, name
    first = score(it.task, it.feed, it.outputs, it.targets)
    assert first.tolist() == ours[METRICS[kind][0].name]
    for metric in METRICS[kind]:
        assert all(metric.bounds[0] <= value <= metric.bounds[1] for value in ours[metric.name]), metric.name
        assert metric.bounds == (0, 1) or not metric.percent
    assert first.dtype == torch.float64


def test_like_chances_fall_together_in_average_precision():
    it = made("binary")
    it.outputs = it.outputs.round()
    theirs = of_each(it, sklearn.average_precision_score)
    np.testing.assert_allclose(judged(it)["average_precision"], theirs, rtol=1e-12)


def test_a_chance_at_an_edge_is_in_the_bin_below():
    """So 0.2 = 3/15 is in another bin than 0.21, and their errors do not cancel."""
    it = made("binary")
    it.feed = SimpleNamespace(natural=lambda outputs: outputs.double().squeeze(-1))
    it.outputs, it.targets = torch.tensor([[[0.2], [0.21]]], dtype=torch.float64), torch.tensor([[1.0, 0.0]])
    assert judged(it)["calibration"] == [pytest.approx((0.8 + 0.21) / 2)]


@pytest.mark.parametrize("kind", TaskKind)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38])
def test_what_is_no_number_is_a_guess(kind, bad):
    it = made(kind)
    fine = judged(it)
    it.outputs[0] = bad
    it.outputs[1, ::7] = bad
    values = judged(it)
    assert np.isfinite(list(values.values())).all()
    assert all(values[name][2:] == fine[name][2:] for name in fine), "the others are what they were"
    if bad == 3e38 and kind != "count":
        return  # a number, if a mad one
    first = it.targets[0][it.targets[0] >= 0] if it.task.kind.has_classes else it.targets[0]
    shares, off = (first == (not it.task.kind.has_classes)).double().mean(), 0.0
    if it.task.centre is not None:
        off = (it.targets[0] - it.task.centre).abs().mean()
    guess = {
        "classification": {"log_loss": np.log(5), "brier": 0.8, "accuracy": shares},
        "binary": {
            "log_loss": np.log(2),
            "brier": 0.25,
            "recall": 0,
            "balanced_accuracy": 0.5,
            "average_precision": shares,
        },
        "regression": {"mae": off},
        "count": {"mae": off},
        "segmentation": {"iou": 0, "log_loss": np.log(2)},
        "multilabel": {"mean_average_precision": shares, "macro_f1": 0, "log_loss": np.log(2)},
        "tokens": {"accuracy": shares, "log_loss": np.log(5)},
        "multiclass_segmentation": {"accuracy": shares, "log_loss": np.log(5)},
    }[kind]
    for name, value in guess.items():
        assert values[name][0] == pytest.approx(float(value), rel=1e-6), name


def test_a_row_with_one_bad_number_is_a_guess_as_a_whole():
    it = made("classification")
    it.outputs[0, :, 3] = np.inf
    values = judged(it)
    assert values["log_loss"][0] == pytest.approx(np.log(5))
    assert values["accuracy"][0] == pytest.approx(float((it.targets[0] == 0).double().mean()))


def test_nothing_to_find_is_no_division_by_zero():
    it = made("binary")
    it.targets = torch.zeros_like(it.targets)
    values = judged(it)
    assert values["recall"] == values["precision"] == values["average_precision"] == [0.0] * MODELS
    assert values["balanced_accuracy"] == values["accuracy"]
    it = made("segmentation")
    it.targets, it.outputs = torch.zeros_like(it.targets), torch.full_like(it.outputs, -9.0)
    assert judged(it)["iou"] == judged(it)["dice"] == [1.0] * MODELS
    it = made("regression")
    it.targets = torch.full_like(it.targets, 50.0)
    assert np.isfinite(judged(it)["r2"]).all()


def test_classes_that_are_nowhere_have_no_part_in_a_mean_of_classes():
    it = made("multiclass_segmentation")
    it.targets = it.targets.clamp(max=2)
    it.outputs[..., 3:] = -9.0
    for y, p, ours in zip(it.targets, it.outputs.argmax(-1), judged(it)["mean_iou"], strict=True):
        assert ours == pytest.approx(sklearn.jaccard_score(y[y >= 0], p[y >= 0], average="macro"))
    it = made("multilabel")
    it.targets[:, :, 2] = 0
    theirs = of_each(it, lambda y, p: sklearn.average_precision_score(y[:, [0, 1, 3]], p[:, [0, 1, 3]]))
    np.testing.assert_allclose(judged(it)["mean_average_precision"], theirs)


def test_a_predicted_count_below_zero_has_a_large_deviance_and_no_infinite_one():
    it = made("count")
    it.feed = feed(slopes.mse, it.task)
    it.outputs = torch.full_like(it.outputs, -50.0)
    values = judged(it)["poisson_deviance"]
    assert np.isfinite(values).all()
    assert min(values) > 10


@pytest.mark.parametrize("kind", TaskKind)
def test_better_is_the_way_that_is_said(kind):
    worse, better = made(kind), made(kind)
    noise = worse.outputs - better.outputs.mean()
    worse.outputs = worse.outputs + 3 * noise.flip(1)
    before, after = judged(worse), judged(better)
    for metric in METRICS[kind]:
        gain = np.mean(after[metric.name]) - np.mean(before[metric.name])
        assert (gain > 0) == metric.higher, metric.name


def test_margins_are_in_the_units_of_the_target():
    it = made("regression")
    plain = {metric.name: metric.margin for metric in METRICS["regression"]}
    ours = {metric.name: metric.margin for metric in metrics_of(it.task)}
    assert ours["rmse"] == pytest.approx(plain["rmse"] * float(it.task.scale.mean()))
    assert ours["r2"] == plain["r2"]
    assert metrics_of(made("binary").task) == METRICS["binary"]


def test_scoring_many_models_takes_a_moment(one_thread):
    rng = torch.Generator().manual_seed(0)
    outputs = torch.randn(60, 600, 10, generator=rng)
    task = make("made up", "classification", np.zeros((600, 2)), np.arange(600) % 10, about="")
    targets = task.targets.expand(60, -1)
    ways, times = feed(slopes.cross_entropy, task), []
    for _ in range(30):
        start = time.thread_time()
        score(task, ways, outputs, targets)
        times.append(time.thread_time() - start)
    assert min(times) < 0.005


def test_chances_of_one_against_the_rest_are_those_of_the_network():
    it = made("classification")
    it.feed = feed(slopes.binary_cross_entropy, it.task)
    chances = softmax(logsigmoid(it.outputs.double()), -1)
    theirs = [sklearn.log_loss(y, p, labels=range(5)) for y, p in zip(it.targets, chances, strict=True)]
    np.testing.assert_allclose(judged(it)["log_loss"], theirs, rtol=1e-9)
