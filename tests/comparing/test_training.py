"""Training: what the stack gives is what a plain loop gives, and nothing is shared between runs."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch import nn

import slopes
from helpers import mark_exhaustive
from slopes.comparing import plain, training
from slopes.comparing.feeding import Feed
from slopes.comparing.job import Cell, Job
from slopes.comparing.metrics import Judged, Metric
from slopes.comparing.networks import Network
from slopes.comparing.settings import Settings
from slopes.comparing.tasks.task import Parts, Task
from slopes.comparing.training import common, engine, probe, runs, slots
from slopes.fast import short
from slopes.fast.tensors import is_plain

# ------------------------------------------------------------------------------- the other parts, as small as can be


AS_THEY_ARE = Feed("", "", *[lambda x: x] * 3)


class FakeTask(Task):
    """One split, or one for each seed."""

    def split(self, seed):
        if not self.resampled:
            return self.parts
        order = torch.randperm(len(self.inputs), generator=torch.Generator().manual_seed(seed))
        return Parts(*order.split([len(part) for part in self.parts]))


class FakeNetwork(Network):
    """A factory whose activations are replaced by `slopes.swap`."""

    def build(self, seed):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return self.source()

    def slotted(self, seed, make):
        return slopes.swap(self.build(seed), self.replace, make)

    def predict(self, returned):
        return returned


def accuracy(judged):
    return (judged.outputs.argmax(-1) == judged.targets).double().mean(1)


FAKE_METRICS = SimpleNamespace(
    METRICS={"classification": (Metric("accuracy", "accuracy", True, True, 0.005, accuracy),)}, Judged=Judged
)


@pytest.fixture(autouse=True)
def parts(monkeypatch):
    """Metrics and feeding of this file."""
    monkeypatch.setattr(engine.feeding, "feed", lambda loss, task: AS_THEY_ARE)
    monkeypatch.setattr(runs, "metrics", FAKE_METRICS)


def classes(*shape, samples=160, resampled=False):
    """A task that can be learnt: which of 3 directions an input has most of."""
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(samples, *shape, generator=generator)
    directions = torch.randn(math.prod(shape), 3, generator=generator)
    targets = (inputs.flatten(1) @ directions).argmax(1)
    cut = Parts(*torch.arange(samples).split([samples // 2, samples // 4, samples // 4]))
    return FakeTask("made", "classification", inputs, targets, 3, cut, "0", "Made.", resampled=resampled)


def mlp(width=16):
    return nn.Sequential(nn.Linear(12, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 3))


def job(source=mlp, task=None, activations=(slopes.relu, slopes.tanh, slopes.gelu), **given):
    losses = given.pop("losses", (slopes.cross_entropy,))
    training = Settings(**{"epochs": 3, "batch_size": 16, "engine": "stack"} | given).training
    network = FakeNetwork("net", source, (nn.ReLU,), getattr(source, "__qualname__", "net"))
    return Job(activations=activations, losses=losses, network=network, task=task or classes(12), **training)


def cells(made, rates=(0.003, 0.02), seeds=(0, 1)):
    places = range(len(made.activations)), range(len(made.losses))
    return [Cell(a, b, rate, seed) for a in places[0] for b in places[1] for rate in rates for seed in seeds]


def trained(made, wanted, monkeypatch):
    """The outcomes, and by cell all weights and buffers after training."""
    ended = {}

    def spied(learner, *rest):
        outcomes = run(learner, *rest)
        state = learner.weights.tensors | learner.held if hasattr(learner, "held") else None
        for i, cell in enumerate(learner.cells):
            model = None if state else learner.model
            alone = {k: v.unsqueeze(0) for k, v in model.state_dict(keep_vars=True).items()} if model else state
            names = dict(model.named_parameters()) | dict(model.named_buffers()) if model else state
            ended[cell] = {k: alone[k][i].detach().clone() for k in names}
        return outcomes

    run = runs.run
    with monkeypatch.context() as patched:
        patched.setattr(engine, "run", spied)
        return training.train(made, wanted), ended


# ----------------------------------------------------------------------------------------- the stack and the loop


class Tied(nn.Module):
    """One layer and one activation in two places."""

    def __init__(self):
        super().__init__()
        self.first, self.again, self.last = nn.Linear(12, 12), nn.Linear(12, 12), nn.Linear(12, 3)
        self.again.weight = self.first.weight
        self.act = nn.ReLU()

    def forward(self, x):
        return self.last(self.act(self.again(self.act(self.first(x)))))


def normalised():
    return nn.Sequential(nn.Linear(12, 16), nn.LayerNorm(16), nn.ReLU(), nn.Linear(16, 3))


def batch_normalised():
    # a bias that the mean takes away again has a gradient of rounding errors, which Adam makes whole steps of
    return nn.Sequential(nn.Linear(12, 16, bias=False), nn.BatchNorm1d(16), nn.ReLU(inplace=True), nn.Linear(16, 3))


def cnn():
    convolutions = [
        nn.Conv2d(1, 4, 3, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 6, 3),
        nn.ReLU(),
        nn.AvgPool2d(2),
    ]
    return nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(24, 3))


@pytest.mark.parametrize("optimizer", mark_exhaustive(["adamw", "adam", "sgd"]))
@pytest.mark.parametrize("source", [mlp, Tied, normalised, batch_normalised, cnn], ids=lambda s: s.__name__)
def test_the_stack_ends_where_the_loop_ends(source, optimizer, monkeypatch):
    task = classes(1, 8, 8) if source is cnn else classes(12)
    given = {"source": source, "task": task, "optimizer": optimizer, "clip": 0.2}
    stacked, in_stack = trained(job(**given), cells(job(**given)), monkeypatch)
    looped, in_loop = trained(job(engine="loop", **given), cells(job(**given)), monkeypatch)
    assert [o["engine"] for o in stacked + looped] == ["stack"] * 12 + ["loop"] * 12
    for cell, weights in in_loop.items():
        assert set(weights) == set(in_stack[cell])
        for name, value in weights.items():
            torch.testing.assert_close(in_stack[cell][name], value, atol=1e-5, rtol=1e-5, msg=f"{cell} {name}")
    for a, b in zip(stacked, looped, strict=True):
        assert a["layers"] == b["layers"]
        assert a["slots"] == b["slots"]
        for name in ("training_loss", "gradient", "dead", "saturated", "curve"):
            torch.testing.assert_close(torch.tensor(a[name]), torch.tensor(b[name]), atol=1e-4, rtol=1e-4)
        assert a["test"] == b["test"]


class Attending(nn.Module):
    """PyTorch's transformer, which has a fused path of its own in evaluation."""

    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True)
        self.layers, self.last = nn.TransformerEncoder(layer, 1), nn.Linear(4, 3)

    def forward(self, x):
        return self.last(self.layers(x.unflatten(-1, (-1, 4))).mean(1))


def test_a_transformer_of_pytorch_is_stacked(monkeypatch):
    # with Adam, the bias of keys, which changes no attention, would move by the signs of rounding errors
    given = {"source": Attending, "optimizer": "sgd", "epochs": 1}
    stacked, in_stack = trained(job(engine="auto", **given), cells(job(**given)), monkeypatch)
    looped, in_loop = trained(job(engine="loop", **given), cells(job(**given)), monkeypatch)
    assert [(o["engine"], o["why"]) for o in stacked] == [("stack", "")] * 12
    assert torch.backends.mha.get_fastpath_enabled()
    for cell, weights in in_loop.items():
        torch.testing.assert_close(in_stack[cell], weights, atol=1e-5, rtol=1e-5)
    assert [o["test"] for o in stacked] == [o["test"] for o in looped]


# ---------------------------------------------------------------------------------------------- random layers


class Dropping(nn.Module):
    """Dropout in a chain, which is stacked directly, or in a forward of one's own, under vmap."""

    def __init__(self, chain):
        super().__init__()
        layers = (
            nn.Linear(12, 16),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(16, 16),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(16, 3),
        )
        self.chain, self.layers = chain, nn.Sequential(*layers)

    def forward(self, x):
        return self.layers(x)


def dropping(chain):
    return lambda: Dropping(chain).layers if chain else Dropping(chain)


@pytest.mark.parametrize("chain", [True, False])
def test_dropout_is_the_seeds_own_in_the_stack_and_in_the_loop(chain, monkeypatch):
    made = [job(source=dropping(chain), engine=name, activations=(slopes.relu,)) for name in ("stack", "loop")]
    stacked, looped = (trained(m, cells(m, rates=(0.01, 0.02), seeds=range(3)), monkeypatch) for m in made)
    few = trained(made[0], cells(made[0], rates=(0.02,), seeds=[2]), monkeypatch)
    for cell, weights in looped[1].items():
        for name in weights:
            torch.testing.assert_close(stacked[1][cell][name], weights[name], atol=1e-5, rtol=0)
    for cell, weights in few[1].items():
        assert all(torch.equal(stacked[1][cell][name], weights[name]) for name in weights)
    assert len({outcome["training_loss"][-1] for outcome in stacked[0]}) == 6, "seeds and rates drop differently"


def test_dropout_keeps_its_share_and_the_mean():
    from slopes.comparing.training.dropout import Streams

    kept = Streams([0, 1, 0]).kept(torch.zeros(3, 100_000), 0.8)
    assert torch.equal(kept[0], kept[2])
    assert not torch.equal(kept[0], kept[1])
    assert kept.mean().item() == pytest.approx(0.8, abs=0.005)


def test_the_fitted_model_has_the_dropout_of_pytorch():
    made = job(source=dropping(True), activations=(slopes.relu,), epochs=1)
    model, _ = training.fit(made, cells(made)[0])
    assert [type(module) for module in model if "Drop" in type(module).__name__] == [nn.Dropout] * 2
    assert [module.p for module in model if isinstance(module, nn.Dropout)] == [0.5, 0.5]


def test_other_random_layers_agree_with_the_loop_in_distribution():
    def noisy():
        return nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.AlphaDropout(0.5), nn.Linear(16, 3))

    losses = []
    for name in ("stack", "loop"):
        made = job(engine=name, source=noisy, activations=(slopes.relu,), epochs=8)
        outcomes = training.train(made, cells(made, rates=(0.01,), seeds=range(24)))
        losses.append(torch.tensor([outcome["training_loss"][-1] for outcome in outcomes]))
    means, errors = zip(*((each.mean(), each.std() / 24**0.5) for each in losses), strict=True)
    assert abs(means[0] - means[1]) < 4 * (errors[0] ** 2 + errors[1] ** 2) ** 0.5
    assert not torch.equal(*losses)
    assert len(losses[0].unique()) == 24


class Averaging(nn.Module):
    """Keeps a mean of what it saw in a buffer that it replaces."""

    def __init__(self):
        super().__init__()
        self.first, self.act, self.last = nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 3)
        self.register_buffer("mean", torch.zeros(12))

    def forward(self, x):
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * x.mean(0)
        return self.last(self.act(self.first(x - self.mean)))


def test_a_buffer_that_is_replaced_in_training_is_no_matter_for_a_stack():
    made = job(Averaging, engine="auto", activations=(slopes.relu,), epochs=1)
    outcome = training.train(made, cells(made))[0]
    assert (outcome["engine"], outcome["why"]) == (
        "loop",
        "its buffer mean is replaced by another in training, which a stack does not see",
    )


class Helped(nn.Module):
    """Has a second head that evaluation leaves out."""

    def __init__(self):
        super().__init__()
        self.first, self.act, self.last = nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 3)
        self.aid = nn.Sequential(nn.Linear(12, 3), nn.ReLU())

    def forward(self, x):
        told = self.last(self.act(self.first(x)))
        return told + self.aid(x) if self.training else told


@pytest.mark.parametrize("name", ["stack", "loop"])
def test_an_activation_that_evaluation_does_not_call_has_no_dead_units(name):
    made = job(Helped, engine=name, activations=(slopes.relu,), epochs=1)
    for outcome in training.train(made, cells(made)):
        assert outcome["slots"] == ["act", "aid.1"]
        assert outcome["dead"][0][1] == outcome["saturated"][0][1] == 0


def test_counts_of_units_stay_on_their_device_where_a_slot_is_not_called():
    counts = tuple(torch.zeros(shape, device="meta") for shape in ((2, 3), (2, 3), 2))
    called, left_out = [counts], []
    for part in common.shares([[called, left_out]], (2,)):
        assert part.shape == (2, 2)
        assert part.is_meta


def test_a_gpu_gets_one_process():
    gpu, processor = (SimpleNamespace(workers=None, device=device) for device in ("cuda:1", "cpu"))
    assert Settings.processes.fget(gpu) == 1
    assert Settings.processes.fget(processor) >= 1


# ------------------------------------------------------------------------------------------ which engine is taken


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.act, self.last = nn.LSTM(4, 8, batch_first=True), nn.ReLU(), nn.Linear(8, 3)

    def forward(self, x):
        return self.last(self.act(self.cell(x.unflatten(1, (3, 4)))[0][:, -1]))


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.act, self.last = nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 3)

    def forward(self, x):
        hidden = self.act(self.first(x))
        return self.last(hidden if hidden.sum() > 0 else -hidden)


@pytest.mark.parametrize("source", [Recurrent, Branching])
def test_what_cannot_be_stacked_is_trained_in_the_loop_and_says_why(source):
    made = job(source, engine="auto", activations=(slopes.relu,), epochs=1)
    for outcome in training.train(made, cells(made)):
        assert outcome["engine"] == "loop"
        assert "vmap" in outcome["why"]
        assert outcome["stack"] == 1


def wrapped_margin(z, y):
    """A loss that `torch.func.vmap` does not take."""
    return nn.functional.multi_margin_loss(z, y)


def test_a_loss_that_cannot_be_stacked_leaves_the_others_in_their_stack(monkeypatch):
    monkeypatch.setattr(probe, "_no_gain", lambda *_: "")
    losses = (slopes.cross_entropy, plain.as_loss(wrapped_margin))
    made = job(engine="auto", activations=(slopes.relu,), losses=losses, epochs=1)
    there = cells(made)
    outcomes = training.train(made, there)
    assert [o["engine"] for o in outcomes] == [("stack", "loop")[cell.loss] for cell in there]
    assert [o["stack"] for o in outcomes] == [(4, 1)[cell.loss] for cell in there]


def test_small_networks_are_stacked_and_alone_ones_are_not():
    made = job(engine="auto", epochs=1)
    assert {(o["engine"], o["why"], o["stack"]) for o in training.train(made, cells(made))} == {("stack", "", 12)}
    assert training.train(made, cells(made)[:1])[0]["engine"] == "loop"


@pytest.mark.parametrize(("engine", "done"), [("loop", 1), ("stack", 12)])
def test_training_pauses_between_runs_when_its_time_is_over(engine, done):
    made = job(engine=engine)
    outcomes = training.train(made, cells(made), 0)
    assert [outcome is not None for outcome in outcomes].count(True) == done


def test_what_gains_nothing_is_trained_in_the_loop(monkeypatch):
    monkeypatch.setattr(probe, "_known", {})
    monkeypatch.setattr(probe, "_seconds", lambda learner, job: 1.0 if len(learner.cells) == 1 else 18.0)
    made = job(engine="auto", epochs=1)
    (outcome,) = {(o["engine"], o["why"]) for o in training.train(made, cells(made))}
    assert outcome == ("loop", "a stack of 12 takes 1.5 times as long as the loop")


# ------------------------------------------------------------------------------------------------- divergence


@pytest.mark.parametrize("name", ["stack", "loop"])
def test_a_diverged_run_is_judged_at_its_last_finite_epoch_and_leaves_the_others_as_they_are(name, monkeypatch):
    made = job(engine=name, activations=(slopes.relu,), optimizer="sgd", task=classes(12, resampled=True))
    fine, after = trained(made, cells(made), monkeypatch)
    beside, ended = trained(made, cells(made, rates=(0.003, 0.02, 1e30)), monkeypatch)
    lost = [outcome for outcome in beside if outcome["diverged"]]
    assert [outcome["diverged"] for outcome in lost] == [1, 1]
    assert all(outcome["training_loss"] == outcome["gradient"] == [None] * 3 for outcome in lost)
    assert all(math.isfinite(number) for outcome in lost for number in (*outcome["curve"], *outcome["test"].values()))
    for cell, weights in after.items():
        assert all(torch.equal(weights[key], ended[cell][key]) for key in weights)
    initial = made.network.build(1).state_dict()
    left = ended[Cell(0, 0, 1e30, 1)]
    assert all(torch.equal(initial[key], left[key]) for key in initial)
    kept = ("test", "validation", "curve", "training_loss", "gradient", "dead", "saturated")
    outcomes = [outcome for outcome in beside if not outcome["diverged"]]
    assert [[o[key] for key in kept] for o in outcomes] == [[o[key] for key in kept] for o in fine]


# --------------------------------------------------------------------------------------- activations in one stack


@slopes.activation()
def crooked(x):
    """A user's own, without a derivative."""
    return slopes.ops.where(x > 0, x, 0.3 * x)


@slopes.activation()
def flat(x):
    """Slope 0 everywhere."""
    return 0.0 * x


@slopes.activation()
def faint(x):
    """Hardly a slope at all, and an output that is not 0."""
    return 3 + 0.0005 * x


def test_activations_and_losses_of_all_sorts_agree_with_the_loop(monkeypatch):
    shared = (slopes.relu, slopes.elu.with_(alpha=0.5), crooked, nn.Hardtanh, nn.Softplus())
    given = {"activations": (*shared, nn.PReLU, slopes.softmax), "losses": (slopes.cross_entropy, slopes.softmax_focal)}
    stacked, in_stack = trained(job(**given), cells(job(**given)), monkeypatch)
    looped, in_loop = trained(job(engine="loop", **given), cells(job(**given)), monkeypatch)
    assert [outcome["stack"] for outcome in stacked] == [40] * 40 + [8] * 16
    for cell, weights in in_loop.items():
        for name, value in weights.items():
            torch.testing.assert_close(in_stack[cell][name], value, atol=1e-5, rtol=1e-5, msg=f"{cell} {name}")
    for a, b in zip(stacked, looped, strict=True):
        for name in ("dead", "saturated", "gradient"):
            torch.testing.assert_close(torch.tensor(a[name]), torch.tensor(b[name]), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("source", [mlp, normalised], ids=lambda s: s.__name__)
def test_a_run_is_the_same_to_the_bit_whatever_is_trained_beside_it(source, monkeypatch):
    made = job(source, activations=(slopes.relu, slopes.gelu, slopes.tanh))
    _, together = trained(made, cells(made, rates=(0.003, 0.02), seeds=range(5)), monkeypatch)
    some = cells(made, rates=(0.02,), seeds=(1, 3))[2:]
    _, fewer = trained(made, some, monkeypatch)
    for cell, weights in fewer.items():
        assert all(torch.equal(value, together[cell][name]) for name, value in weights.items())


@pytest.mark.parametrize("name", ["stack", "loop"])
def test_dead_and_saturated_units_are_told_apart(name):
    made = job(engine=name, activations=(flat, faint, slopes.linear), epochs=1)
    outcomes = training.train(made, cells(made, rates=(1e-9,), seeds=(0,)))
    assert [outcome["slots"] for outcome in outcomes] == [["1", "3"]] * 3
    assert [outcome["dead"][0] for outcome in outcomes] == [[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]]
    assert [outcome["saturated"][0] for outcome in outcomes] == [[0.0, 0.0], [1.0, 1.0], [0.0, 0.0]]


@pytest.mark.parametrize(
    "function",
    [nn.SELU(inplace=True), slopes.nn.SiLU(), nn.Softmax(-1), lambda x: x.detach() + 1],
    ids=["SELU in place", "SiLU", "Softmax", "without a gradient"],
)
def test_slopes_of_a_module_take_its_fast_path(function):
    are_plain = []

    def followed(x):
        are_plain.append(is_plain(x))
        return function(x)

    x = torch.linspace(-3, 3, 24).view(4, 6)
    _, pull_back = torch.func.vjp(lambda x: function(x.clone()), x)
    expected = pull_back(torch.tensor([-1.0, 1.0]).repeat(4, 3))[0]
    with torch.no_grad():
        found = slots.pulled(followed, x)
    assert are_plain == [True]
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(x, torch.linspace(-3, 3, 24).view(4, 6), rtol=0, atol=0)
    torch.testing.assert_close(torch.vmap(lambda row: slots.pulled(function, row))(x), expected)


def test_a_unit_is_a_channel_of_images_and_dead_only_if_no_sample_moves_it(monkeypatch):
    def still():
        model = nn.Sequential(nn.Conv2d(1, 4, 1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 3))
        model[0].weight.data[:] = 1.0
        model[0].bias.data[:] = torch.tensor([-100.0, -9.0, 0.0, 100.0])
        return model

    task = classes(1, 8, 8)
    task.inputs[100, 0, 3, 3] = 10.0  # one pixel of one image, which is for validation
    monkeypatch.setattr(common, "ROOM", 1)  # so that the images come in several portions
    for name in ("stack", "loop"):
        made = job(still, task, engine=name, activations=(slopes.relu,), epochs=1)
        outcomes = training.train(made, cells(made, rates=(1e-9, 1e-8), seeds=(0,)))
        assert [(o["dead"], o["saturated"]) for o in outcomes] == [([[0.25]], [[0.0]])] * 2


def test_gradient_norms_are_those_of_autograd():
    made = job(activations=(slopes.tanh,), optimizer="sgd", epochs=1, batch_size=80)  # one step
    (cell,) = cells(made, rates=(0.1,), seeds=(3,))
    (outcome,) = training.train(made, [cell])
    model = made.network.slotted(3, nn.Tanh)
    train = made.task.parts.train
    nn.functional.cross_entropy(model(made.task.inputs[train]), made.task.targets[train]).backward()
    norms = [math.hypot(model[i].weight.grad.norm(), model[i].bias.grad.norm()) for i in (0, 2, 4)]
    assert outcome["layers"] == ["0", "2", "4"]
    assert outcome["gradient"][0] == pytest.approx(norms, rel=1e-5)


def test_what_is_fitted_is_the_network_that_was_judged():
    made = job(engine="loop")
    cell = cells(made)[5]
    model, outcome = training.fit(made, cell)
    (trained_alone,) = training.train(made, [cell])
    assert {k: v for k, v in outcome.items() if k != "seconds"} == {
        k: v for k, v in trained_alone.items() if k != "seconds"
    }
    test = made.task.parts.test
    right = model(made.task.inputs[test]).argmax(1) == made.task.targets[test]
    assert outcome["test"] == {"accuracy": right.double().mean().item()}
    assert not model.training


# ----------------------------------------------------------------------------------------- PyTorch's own kernels


def outcome_of(loss, task, outputs, targets):
    from slopes.comparing.feeding import feed
    from slopes.comparing.training.kernels import MeanLosses

    means = MeanLosses(loss, feed(loss, task))
    outputs = outputs.clone().requires_grad_()
    values = means(outputs, targets)
    (gradient,) = torch.autograd.grad(values.sum(), outputs)
    return means._way, values.detach(), gradient


def test_the_cross_entropy_of_a_stack_is_the_card(monkeypatch):
    from slopes.comparing.training import kernels

    draw = torch.Generator().manual_seed(0)
    outputs = torch.randn(5, 32, 3, generator=draw) * torch.logspace(-2, 2, 5).view(5, 1, 1)
    labels = torch.randint(0, 3, (5, 32), generator=draw)
    way, values, gradient = outcome_of(slopes.cross_entropy, classes(12), outputs, labels)
    assert way is kernels._cross_entropy
    for i in range(5):
        value, slope = slopes.cross_entropy.value_and_slope(outputs[i].double(), labels[i])
        torch.testing.assert_close(values[i].double(), value, rtol=1e-6, atol=1e-7)
        torch.testing.assert_close(gradient[i].double(), slope, rtol=1e-5, atol=1e-8)
    way, bits, _ = outcome_of(slopes.cross_entropy.with_(base=2.0), classes(12), outputs, labels)
    assert way is not kernels._cross_entropy, "with settings of its own it is another loss"
    torch.testing.assert_close(bits, values / math.log(2), rtol=1e-5, atol=1e-6)


ONE_BY_ONE = [card for card in dict.fromkeys(slopes.catalogue.ACTIVATIONS.values()) if not card.rowwise]


@pytest.mark.parametrize(
    "chosen",
    mark_exhaustive([slopes.elu.with_(alpha=0.5), slopes.gelu.with_(approximate="tanh"), *ONE_BY_ONE], every=3),
    ids=str,
)
def test_functions_of_pytorch_in_place_of_a_card_give_the_same(chosen):
    from slopes.comparing.training.kernels import activation_kernel

    kernel, x = activation_kernel(chosen), torch.linspace(-30, 30, 6001)
    assert kernel is not None or chosen.name not in (*short.OWN, *short.FORMS)
    if kernel is None:
        return
    for exact, near in zip(value_and_slope(chosen, x.double()), value_and_slope(kernel, x), strict=True):
        assert ((exact - near).abs() <= 1e-6 * (1 + exact.abs())).all()


def value_and_slope(function, x):
    x = x.clone().requires_grad_()
    value = function(x)
    return value.detach(), torch.autograd.grad(value.sum(), x)[0]


def test_a_users_card_computes_itself_whatever_it_says():
    from slopes.comparing.training.kernels import activation_kernel

    @slopes.activation(same_as={"torch": "nn.functional.relu(x)"})
    def relu(x):
        return slopes.ops.where(x > 0, x, 1e-9 * x)

    assert activation_kernel(relu) is None
    assert activation_kernel(slopes.prelu.with_(weight=np.ones(3))) is None
    assert activation_kernel(slopes.leaky_relu.with_(negative_slope=np.full(3, 0.1))) is None
    assert activation_kernel(slopes.silu.with_(beta=2.0)) is None
