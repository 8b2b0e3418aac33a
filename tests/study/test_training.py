"""One run: the same start for every pair, nothing shared between seeds, nothing seen of the test data."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

import torch

import slopes
from slopes.study import training
from slopes.study.feeding import feed, probabilities
from slopes.study.models import BatchOrder, Stack
from slopes.study.tasks import Split, digits

MEASURED_ON_TEST = ("accuracy", "log_loss", "brier")
TIMES = ("seconds_per_epoch", "stack")


def without(outcome, *names):
    return {name: value for name, value in outcome.items() if name not in names}


def run(activation=slopes.silu, loss=slopes.mse, rate=0.01, seeds=(5,), epochs=2, task=None):
    return training.train(activation, loss, rate, seeds, epochs, task or digits())


# ------------------------------------------------------------------------------------------ the start


def test_all_pairs_of_a_seed_start_alike_and_see_the_data_in_one_order(monkeypatch):
    starts, orders = [], []

    class SpiedStack(Stack):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            starts.append([weight.detach().clone() for weight in self.weights])

    class SpiedOrder(BatchOrder):
        def epoch(self):
            orders.append(super().epoch())
            return orders[-1]

    monkeypatch.setattr(training, "Stack", SpiedStack)
    monkeypatch.setattr(training, "BatchOrder", SpiedOrder)
    run(slopes.relu, slopes.cross_entropy, rate=0.001)
    run(slopes.sigmoid, slopes.mae, rate=0.03)
    assert all(torch.equal(a, b) for a, b in zip(*starts, strict=True))
    first, second = orders[:2], orders[2:]
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not torch.equal(first[0], first[1]), "each epoch has an order of its own"


def test_seeds_differ_and_do_not_depend_on_their_company():
    alone, together = Stack([7], 64, 10), Stack([3, 7], 64, 10)
    assert all(torch.equal(a[0], b[1]) for a, b in zip(alone.weights, together.weights, strict=True))
    assert not torch.equal(together.weights[0][0], together.weights[0][1])
    assert not torch.equal(BatchOrder(3, 900, 64).epoch(), BatchOrder(7, 900, 64).epoch())


def test_an_epoch_shows_each_sample_at_most_once():
    seen = BatchOrder(0, 900, 64).epoch().flatten()
    assert len(seen) == 896
    assert len(seen.unique()) == 896


@pytest.mark.parametrize("chosen", [slopes.relu, slopes.silu, slopes.tanh], ids=str)
def test_a_run_is_the_same_to_the_bit_whatever_is_trained_beside_it(chosen):
    (alone,) = run(chosen, slopes.mae, rate=0.03, seeds=(5,), epochs=3)
    together = run(chosen, slopes.mae, rate=0.03, seeds=(0, 1, 2, 5, 8), epochs=3)
    assert without(together[3], *TIMES) == without(alone, *TIMES)
    assert without(together[2], *TIMES) != without(alone, *TIMES)


# --------------------------------------------------------------------------------------------- the data


def test_the_split_is_stratified_and_leaves_nobody_out():
    task = digits()
    assert task.sizes == {"train": 898, "validation": 359, "test": 540}
    for part in (task.train, task.validation, task.test):
        shares = torch.bincount(part.labels) / len(part)
        assert ((shares - 0.1).abs() < 0.02).all()
    assert abs(task.train.inputs.mean()) < 1e-5
    assert abs(task.train.inputs.std() - 1) < 1e-3


def test_test_data_have_no_part_in_training_or_tuning():
    task = digits()
    nonsense = replace(task, test=Split(-task.test.inputs, (task.test.labels + 1) % 10))
    ours, theirs = run()[0], run(task=nonsense)[0]
    assert without(ours, *MEASURED_ON_TEST, *TIMES) == without(theirs, *MEASURED_ON_TEST, *TIMES)
    assert all(ours[name] != theirs[name] for name in MEASURED_ON_TEST)


# ------------------------------------------------------------------------------------------- the losses


def test_what_each_kind_of_loss_is_fed():
    logits = torch.randn(2, 5, 10, generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([[0, 1, 2, 3, 9], [4, 5, 6, 7, 8]])
    rows, soft = torch.nn.functional.one_hot(labels, 10).float(), torch.softmax(logits, -1)
    for loss, prediction, target in (
        (slopes.cross_entropy, logits, labels),
        (slopes.cross_entropy.with_(from_probabilities=True), soft, labels),
        (slopes.categorical_cross_entropy, soft, labels),
        (slopes.mse, soft, rows),
        (slopes.binary_cross_entropy, logits, rows),
        (slopes.binary_cross_entropy.with_(from_probabilities=True), torch.sigmoid(logits), rows),
    ):
        ours = feed(loss)(logits, labels)
        torch.testing.assert_close(ours[0], prediction)
        torch.testing.assert_close(ours[1], target)
    assert feed(slopes.cross_entropy).note == ""
    assert feed(slopes.mse).note == "on softmax probabilities"


def test_probabilities_sum_to_one_under_every_feed():
    logits = 50 * torch.randn(4, 10, generator=torch.Generator().manual_seed(1))
    for loss in (slopes.cross_entropy, slopes.mse, slopes.binary_cross_entropy):
        torch.testing.assert_close(probabilities(logits, feed(loss)).sum(-1), torch.ones(4, dtype=torch.float64))


def test_scores_are_those_of_the_task():
    """By hand: a network of zeros guesses; its log loss is log 10, its Brier score 0.9."""
    stack = Stack([0, 1], 64, 10)
    for parameter in stack.parameters:
        parameter.data.zero_()
    scores = training._judge(stack, slopes.relu, feed(slopes.mse), digits().test)
    assert scores["log_loss"].tolist() == pytest.approx([2.302585093] * 2)
    assert scores["brier"].tolist() == pytest.approx([0.9] * 2)
    assert scores["accuracy"][0] == (digits().test.labels == 0).double().mean()


# ------------------------------------------------------------------------------------------ the records


def test_what_a_run_records():
    (outcome,) = run(epochs=3)
    assert [len(outcome[name]) for name in ("validation", "training_loss", "gradient")] == [3, 3, 3]
    assert [len(layers) for layers in outcome["gradient"]] == [4, 4, 4]
    assert [len(layers) for layers in (*outcome["dead"], *outcome["saturated"])] == [3, 3, 3, 3]
    assert outcome["training_loss"][2] < outcome["training_loss"][0]
    assert outcome["diverged"] is None
    assert outcome["seconds_per_epoch"] > 0


def test_the_gradient_norm_is_that_of_a_plain_network():
    """The first step, against torch.nn and autograd."""
    task = digits()
    stack = Stack([4], 64, 10)
    order = BatchOrder(4, len(task.train), training.BATCH).epoch()[:1]
    layers = [torch.nn.Linear(*weight.shape[1:]) for weight in stack.weights]
    for layer, weight in zip(layers, stack.weights, strict=True):
        layer.weight.data, layer.bias.data = weight[0].detach().T.clone(), torch.zeros(weight.shape[2])
    hidden = task.train.inputs[order[0]]
    for layer in layers[:-1]:
        hidden = torch.tanh(layer(hidden))
    loss = torch.nn.functional.cross_entropy(layers[-1](hidden), task.train.labels[order[0]])
    loss.backward()
    still = torch.optim.SGD(stack.parameters, lr=0.0)
    ours = training._epoch(
        stack, slopes.tanh, slopes.cross_entropy, feed(slopes.cross_entropy), still, task.train, order.unsqueeze(1)
    )
    torch.testing.assert_close(ours[0][0], loss.detach())
    torch.testing.assert_close(ours[1][0], torch.stack([layer.weight.grad.norm() for layer in layers]))


@slopes.activation()
def flat(x):
    """Slope 0 everywhere."""
    return 0.0 * x


@slopes.activation()
def faint(x):
    """Hardly a slope at all."""
    return 0.0005 * x


@pytest.mark.parametrize(
    ("chosen", "dead", "saturated"), [(flat, 1.0, 0.0), (faint, 0.0, 1.0), (slopes.linear, 0.0, 0.0)], ids=str
)
def test_dead_and_saturated_units_are_told_apart(chosen, dead, saturated):
    stack = Stack([0, 1], 64, 10)
    shares = training._units(stack, chosen, digits().validation)
    assert [share.tolist() for share in shares] == [[[dead] * 3] * 2, [[saturated] * 3] * 2]


def test_a_unit_that_is_active_for_one_image_is_not_dead():
    stack = Stack([0], 64, 10)
    images = digits().validation
    stack.weights[0].data.zero_()
    stack.weights[0].data[0, :, 0] = images.inputs[17]  # the unit's response is largest for this image
    response = (images.inputs @ images.inputs[17]).sort(descending=True).values
    stack.biases[0].data[:] = -(response[0] + response[1]) / 2
    dead, _ = training._units(stack, slopes.relu, images)
    assert dead[0, 0] == 63 / 64


# ------------------------------------------------------------------------------------------- divergence


def test_a_diverged_run_stays_at_its_last_finite_epoch_and_is_judged():
    (outcome,) = run(rate=1e30, epochs=2)
    (start,) = run(rate=1e-30, epochs=2)  # never leaves its initial weights
    assert outcome["diverged"] == 1
    assert outcome["training_loss"] == outcome["gradient"] == [None, None]
    assert without(outcome, "diverged", "training_loss", "gradient", *TIMES) == without(
        start, "diverged", "training_loss", "gradient", *TIMES
    )


def test_one_diverged_network_leaves_the_others_as_they_are(monkeypatch):
    fine = run(seeds=(0, 1, 2), epochs=3)
    finite, calls = training._finite, []

    def lose_the_middle_one(*tensors):
        calls.append(tensors)
        verdicts = finite(*tensors)
        return [verdicts[0], verdicts[1] and len(calls) != 2, verdicts[2]]

    monkeypatch.setattr(training, "_finite", lose_the_middle_one)
    outcome = run(seeds=(0, 1, 2), epochs=3)
    assert [o["diverged"] for o in outcome] == [None, 2, None]
    for i in (0, 2):
        assert without(outcome[i], *TIMES) == without(fine[i], *TIMES)
    lost = outcome[1]
    assert lost["validation"] == [fine[1]["validation"][0]] * 3
    assert lost["training_loss"][1:] == lost["gradient"][1:] == [None, None]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_every_kind_of_number_is_watched(value):
    loss, weights = torch.zeros(2), torch.zeros(2, 3, 4)
    assert training._finite(loss, weights) == [True, True]
    for watched in (loss, weights):
        watched.view(2, -1)[1, 0] = value
        assert training._finite(loss, weights) == [True, False]
        watched.zero_()
