"""Diagnosing models: each thing that hinders training is planted and found, and nothing else is touched."""

import copy
import dataclasses
import io
import itertools
import math
import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.checkpoint import checkpoint  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

import slopes  # noqa: E402
import slopes.nn  # noqa: E402
from helpers import mark_exhaustive  # noqa: E402
from slopes.diagnosing import Diagnosis, Weights, tally  # noqa: E402
from slopes.diagnosing.results import PERCENTILES  # noqa: E402


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def mlp(act=nn.ReLU, depth=3, width=32, gain=None):
    """An MLP of 8 inputs and 3 classes whose weights have the gain of He's rule, or another."""
    sizes = [8, *[width] * depth, 3]
    layers = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        layers += [nn.Linear(fan_in, fan_out), act()]
        nn.init.normal_(layers[-2].weight, std=(gain or math.sqrt(2)) / math.sqrt(fan_in))
        nn.init.zeros_(layers[-2].bias)
    return nn.Sequential(*layers[:-1])


def batch(n=1000, *shape, classes=3):
    return torch.randn(n, *(shape or (8,))), torch.randint(0, classes, (n,))


def kinds(diagnosis):
    return {finding.kind for finding in diagnosis.findings}


# ------------------------------------------------------------------------------------------ findings


@pytest.mark.parametrize("act", [nn.ReLU, nn.GELU, nn.LeakyReLU, slopes.nn.SiLU, lambda: slopes.nn.module(slopes.mish)])
def test_a_sound_model_has_no_finding(act):
    model = mlp(act)
    found = slopes.diagnose(model, batch(), F.cross_entropy, optimizer=torch.optim.SGD(model.parameters(), lr=0.01))
    assert found.ok, found
    assert [layer.units for layer in found.layers] == [32, 32, 32]
    assert all(1e-5 < weights.update < 0.1 for weights in found.weights)


def test_dead_units_are_counted():
    model = mlp()
    with torch.no_grad():
        model[2].bias[:13] = -1e3
    found = slopes.diagnose(model, batch(), F.cross_entropy)
    assert found.layers[1].dead == 13 / 32
    low, high = found.layers[1].dead_interval
    assert (low, high) == pytest.approx(
        (0.2552, 0.5774), abs=1e-3
    )  # Wilson: (p + z²/2n ± z√(pq/n + z²/4n²))/(1 + z²/n)
    (finding,) = found.findings
    assert str(finding) == (
        "3 (ReLU): 41 % of 32 units never fire in 1,000 samples: draw the weights by torch.nn.init.kaiming_normal_, "
        "normalise its inputs, or try leaky_relu or gelu"
    )


def test_a_unit_that_fires_once_is_not_dead():
    model = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 3))
    with torch.no_grad():
        model[0].weight[:] = 1.0
        model[0].bias[:] = torch.tensor([-0.5, -2.0])
    x = torch.zeros(1000, 1)
    x[700] = 1.0  # which only the first unit answers
    (layer,) = slopes.diagnose(model, (x, batch()[1]), F.cross_entropy).layers
    assert layer.dead == 0.5
    assert layer.saturated == 0
    assert layer.off == pytest.approx(1999 / 2000)


@pytest.mark.parametrize("act", [nn.Tanh, nn.Sigmoid, nn.Hardtanh])
def test_huge_weights_saturate(act):
    found = slopes.diagnose(mlp(act, gain=1e3), batch(), F.cross_entropy)
    assert "saturated" in kinds(found)
    assert found.layers[0].saturated == 1
    assert found.layers[0].flat > 0.99
    assert found.layers[0].dead == 0


def test_flat_slopes_are_told_where_no_unit_is_always_flat():
    found = slopes.diagnose(mlp(nn.Tanh, gain=20), batch(), F.cross_entropy)
    assert found.layers[0].saturated < 0.1
    assert 0.5 < found.layers[0].flat < 0.95
    assert "of its slopes are under 0.001" in str(found.findings[0])


def test_a_sparse_relu_is_not_saturated():
    model = mlp()
    with torch.no_grad():
        model[0].bias -= 3.5  # the units fire in about 1 % of the samples
    layer = slopes.diagnose(model, batch(4000), F.cross_entropy).layers[0]
    assert layer.flat > 0.95
    assert layer.saturated == 0


def test_a_deep_sigmoid_vanishes():
    found = slopes.diagnose(mlp(nn.Sigmoid, depth=8, gain=1), batch(), F.cross_entropy)
    (finding,) = found.findings
    assert (finding.kind, finding.layer) == ("vanishing", "0 (Linear)")
    assert found.gradient_ratio > 1e4
    assert found.gradient_ratio == found.weights[-1].gradient / found.weights[0].gradient


def test_gradients_that_fade_as_fast_as_the_outputs_are_found():
    model = mlp(nn.Tanh, depth=8, gain=0.2)
    for layer in model[::2]:
        layer.bias = None
    found = slopes.diagnose(model, batch(), F.cross_entropy)
    assert 1e-3 < found.gradient_ratio < 1e3  # outputs and gradients fade from opposite ends
    assert kinds(found) == {"vanishing"}


def test_exploding_gradients_are_found():
    found = slopes.diagnose(mlp(nn.LeakyReLU, depth=8, gain=6), batch(), F.cross_entropy)
    assert "exploding" in kinds(found)


def test_a_layer_that_no_gradient_reaches():
    model = mlp()
    with torch.no_grad():
        model[4].weight.zero_()
    found = slopes.diagnose(model, batch(), F.cross_entropy)
    assert "0 (Linear): no gradient reaches it, nor 2 others" in str(found)


def test_the_range_of_half_types():
    model = mlp(gain=60)
    model[-1].weight.data *= 1e-8
    found = slopes.diagnose(model, batch(), F.cross_entropy)
    assert found.layers[-1].most > 65504
    assert found.layers[-1].lost["float16"] > 0.1
    assert found.layers[-1].lost["bfloat16"] == 0
    assert [f.layer for f in found.findings if f.kind == "range"] == ["5 (ReLU)"]


def test_gradients_that_float16_would_lose():
    found = slopes.diagnose(mlp(), batch(), lambda output, target: 1e-6 * F.cross_entropy(output, target))
    assert all(layer.gradients_lost["float16"] == 1 for layer in found.layers)
    assert all(layer.gradients_lost["bfloat16"] == 0 for layer in found.layers)
    assert found.ok  # it is the user's affair in which type training runs


def test_outputs_that_are_not_finite():
    model = mlp()
    model[2].weight.data[0, 0] = math.nan
    found = slopes.diagnose(model, batch(), F.cross_entropy)
    assert str(found.findings[0]).startswith("the weight 2.weight: holds NaN")


@pytest.mark.parametrize(("rate", "words"), [(100.0, "lower the learning rate"), (1e-9, "raise the learning rate")])
def test_updates_too_large_and_too_small(rate, words):
    model = mlp()
    found = slopes.diagnose(model, batch(), F.cross_entropy, optimizer=torch.optim.SGD(model.parameters(), lr=rate))
    assert kinds(found) == {"update"}
    assert all(finding.repair == words for finding in found.findings)


def test_an_update_is_that_of_a_real_step():
    model, (x, y) = mlp(), batch()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    found = slopes.diagnose(model, (x, y), F.cross_entropy, optimizer=optimizer)
    old = torch.cat([p.detach().flatten() for p in model[0].parameters()]).clone()
    F.cross_entropy(model(x), y).backward()
    assert found.weights[0].gradient == pytest.approx(
        torch.cat([p.grad.flatten() for p in model[0].parameters()]).norm().item(), rel=1e-5
    )
    optimizer.step()
    new = torch.cat([p.detach().flatten() for p in model[0].parameters()])
    assert found.weights[0].update == pytest.approx(((new - old).norm() / old.norm()).item(), rel=1e-4)


# ---------------------------------------------------------------------------- mistakes around the model


class Detached(nn.Module):
    """A body whose output loses its graph before the head."""

    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8)), nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.body(x).detach())


def tokens(classes=6):
    return torch.randint(0, classes, (200, 7))


class Tokens(nn.Module):
    """A model that gives logits of the next token, as (sample, token, place)."""

    def __init__(self):
        super().__init__()
        self.embed, self.act, self.head = nn.Embedding(6, 16), nn.GELU(), nn.Linear(16, 6)

    def forward(self, x):
        return self.head(self.act(self.embed(x))).mT


def binary(n=1000):
    return torch.randn(n, 8), torch.randint(0, 2, (n, 1)).float()


def sgd(model, lr=0.01, **options):
    return torch.optim.SGD(model.parameters(), lr=lr, **options)


#: by name: model, data, loss, optimizer, (kind, layer, words) of the one finding
WRONG = {
    "the optimizer holds the head alone": (
        mlp, batch, F.cross_entropy, lambda model: sgd(model[-1]),
        ("update", "0 (Linear)", "a step leaves its weights as they are, and those of 2 others: give it to the optimizer"),
    ),
    "a learning rate of 0": (
        mlp, batch, F.cross_entropy, lambda model: sgd(model, 0.0),
        ("update", "0 (Linear)", "a step leaves its weights as they are, and those of 3 others: give it to the optimizer"),
    ),
    "a learning rate ten thousand times too small": (
        mlp, batch, F.cross_entropy, lambda model: torch.optim.Adam(model.parameters(), 1e-7),
        ("update", "0 (Linear)", "of their norm, and those of 3 others: raise the learning rate"),
    ),
    "a learning rate ten times too big": (
        mlp, batch, F.cross_entropy, lambda model: sgd(model, 3.0, momentum=0.9),
        ("update", "loss", "10 steps on one batch raise its loss from 1."),
    ),
    "a body without a gradient": (
        Detached, batch, F.cross_entropy, None,
        ("detached", "body.0 (Linear)", "no gradient comes back to it, nor 1 other: look for detach"),
    ),
    "softmax before cross_entropy": (
        lambda: nn.Sequential(mlp(), nn.Softmax(-1)), batch, nn.CrossEntropyLoss(), None,
        ("softmax", "loss", "cross_entropy gets probabilities, and takes the softmax of them again"),
    ),
    "softmax before the card": (
        lambda: nn.Sequential(mlp(), nn.Softmax(-1)), batch, slopes.cross_entropy, None,
        ("softmax", "loss", "cross_entropy gets probabilities"),
    ),
    "sigmoid before logits": (
        lambda: nn.Sequential(nn.Linear(8, 1), nn.Sigmoid()), binary, F.binary_cross_entropy_with_logits, None,
        ("softmax", "loss", "binary_cross_entropy_with_logits gets numbers from 0 to 1"),
    ),
    "labels that count from 1": (
        lambda: mlp(gain=1), lambda: (batch()[0], torch.randint(1, 3, (1000,))), F.cross_entropy, None,
        ("labels", "loss", "labels are 1 to 2, never 0, for 3 outputs: subtract 1"),
    ),
    "tokens that predict themselves": (
        Tokens, lambda: (tokens(),) * 2, F.cross_entropy, None,
        ("labels", "loss", "the labels are the input tokens, each to be predicted from itself"),
    ),
    "pictures of 0 to 255": (
        lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.GELU(), nn.Flatten(), nn.Linear(4 * 36, 3)),
        lambda: (torch.rand(1000, 1, 8, 8) * 255, batch()[1]), F.cross_entropy, None,
        ("inputs", "0 (Conv2d)", "a feature that goes in has a root mean square of 14"),
    ),
    "one column in thousands": (
        lambda: nn.Sequential(nn.Linear(8, 8), nn.LeakyReLU(), nn.Linear(8, 3)),
        lambda: (batch()[0] * torch.tensor([1.0] * 7 + [3e3]), batch()[1]), F.cross_entropy, None,
        ("inputs", "0 (Linear)", "a feature that goes in has a root mean square of 3"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_around_the_model_is_found(name):
    make, data, loss, optimizer, (kind, layer, words) = WRONG[name]
    model = make()
    found = slopes.diagnose(model, data(), loss, optimizer=optimizer and optimizer(model))
    assert [(finding.kind, finding.layer) for finding in found.findings] == [(kind, layer)], found
    assert words in str(found.findings[0])


def test_losses_that_are_judged_together_keep_their_own_arguments():
    def loss(z, y):
        both = F.cross_entropy(z, y) + F.cross_entropy(z, y, ignore_index=0)  # the second sees no label of 0
        return both + F.cross_entropy(torch.cat([z, z], -1).softmax(-1), y)

    found = slopes.diagnose(mlp(), [batch(100)] * 10, loss)
    assert [finding.kind for finding in found.findings] == ["softmax"]


@pytest.mark.parametrize("count", [1, 2, 7, 1000])
def test_percentiles_are_those_of_numpy(count):
    values = np.random.default_rng(0).normal(size=count)
    np.testing.assert_allclose(tally._percentiles(values), np.percentile(values, PERCENTILES), rtol=1e-12)
    assert np.isnan(tally._percentiles(values[:0])).tolist() == [True] * len(PERCENTILES)


def test_a_loss_below_0_that_falls_is_no_finding():
    model = mlp()
    found = slopes.diagnose(
        model, batch(), lambda z, y: F.cross_entropy(z, y) - 5, optimizer=sgd(model, 0.05, momentum=0.9)
    )
    assert found.findings == []


def test_labels_that_are_out_of_range_are_explained():
    x, y = batch()
    with pytest.raises(ValueError, match=r"Target 3 is out of bounds.*subtract 1 if they count from 1"):
        slopes.diagnose(mlp(), (x, y + 1), F.cross_entropy)


def test_only_a_model_in_training_is_told_to_lower_its_learning_rate():
    model = mlp()
    with torch.no_grad():
        model[2].bias[:] = -1e3
    optimizer = torch.optim.Adam(model.parameters())
    fresh = slopes.diagnose(model, batch(), F.cross_entropy, optimizer=optimizer).findings
    F.cross_entropy(model(batch()[0]), batch()[1]).backward()
    optimizer.step()
    later = slopes.diagnose(model, batch(), F.cross_entropy, optimizer=optimizer).findings
    assert "dead" in {finding.kind for finding in fresh}
    assert not any("learning rate" in finding.repair for finding in fresh if finding.kind == "dead")
    assert [finding.repair for finding in later if finding.kind == "dead"] == [
        "lower the learning rate, or try leaky_relu or gelu"
    ] * 2


def test_one_dead_channel_of_eight_is_no_finding():
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 3))
    model[0].bias.data[3] = -1e3
    found = slopes.diagnose(model, batch(1000, 1, 8, 8), F.cross_entropy)
    assert found.layers[0].dead == 1 / 8
    assert found.ok, found


def test_a_schedule_that_starts_at_0_is_no_finding():
    model = mlp()
    optimizer = sgd(model, 0.1)
    torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: step / 100)
    assert slopes.diagnose(model, batch(), F.cross_entropy, optimizer=optimizer).ok


class Encoder(nn.Module):
    """A transformer of the sequence of rows of a picture."""

    def __init__(self, **options):
        super().__init__()
        self.embed = nn.Linear(4, 16)
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, **options)
        self.layers, self.head = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(16, 3)

    def forward(self, x):
        return self.head(self.layers(self.embed(x.unflatten(-1, (-1, 4)))).mean(1))


def normalised():
    return nn.Sequential(nn.BatchNorm1d(8), nn.Linear(8, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 3))


def pictures():
    conv = nn.Sequential(nn.Unflatten(1, (1, 2, 4)), nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Flatten())
    return nn.Sequential(*conv, nn.Linear(64, 3))


def frozen():
    """A pretrained body that stays, and a new head."""
    model = nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 32), nn.GELU(), nn.Linear(32, 3))
    model[:4].requires_grad_(False)
    return model


class Featured(nn.Sequential):
    """A body that runs without a graph, and a head."""

    def forward(self, x):
        with torch.no_grad():
            x = self[0](x)
        return self[1](x)


def learnable(x):
    """Labels of the inputs, all of 3 classes."""
    return (x[:, 0] > 0.4).long() + (x[:, 1] > 0).long()


def next_token(output, target):
    return F.cross_entropy(output[..., :-1], target[:, 1:])


def hot(model):
    return torch.optim.Adam(model.parameters(), 0.003)


#: by name: model, inputs and targets, loss, optimizer of correct trainings
RIGHT = {
    "mlp": (lambda: mlp(width=64), learnable, F.cross_entropy, lambda model: sgd(model, 0.1, momentum=0.9)),
    "mlp of PyTorch's weights": (lambda: nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 3)), learnable, F.cross_entropy, hot),
    "tanh": (lambda: mlp(nn.Tanh, gain=1), learnable, slopes.cross_entropy, hot),
    "cnn": (pictures, learnable, F.cross_entropy, hot),
    "transformer": (Encoder, learnable, F.cross_entropy, lambda model: torch.optim.AdamW(model.parameters(), 1e-3)),
    "normalised": (normalised, learnable, F.cross_entropy, lambda model: sgd(model, 0.1)),
    "regression": (lambda: nn.Sequential(mlp(), nn.Linear(3, 1)), lambda x: x[:, :1] * x[:, 1:2], F.mse_loss, hot),
    "autoencoder": (lambda: nn.Sequential(nn.Linear(8, 4), nn.GELU(), nn.Linear(4, 8)), lambda x: x, F.mse_loss, hot),
    "two classes": (lambda: nn.Sequential(mlp(), nn.Linear(3, 1)), lambda x: (x[:, :1] > 0).float(), F.binary_cross_entropy_with_logits, hot),
    "frozen body": (frozen, learnable, F.cross_entropy, lambda model: torch.optim.Adam(model[4].parameters(), 1e-3)),
    "body without a graph": (lambda: Featured(nn.Sequential(nn.Linear(8, 8), nn.Tanh()), nn.Linear(8, 3)), learnable, F.cross_entropy, lambda model: torch.optim.Adam(model[1].parameters(), 1e-3)),
    "probabilities": (lambda: nn.Sequential(mlp(), nn.LogSoftmax(-1)), learnable, F.nll_loss, hot),
    "tokens": (Tokens, lambda x: x, next_token, hot),
}  # fmt: skip


@pytest.mark.parametrize("name", mark_exhaustive(RIGHT, every=2))
def test_a_correct_training_has_no_finding(name):
    make, label, loss, optimizer_of = RIGHT[name]
    model, draw = make(), torch.Generator().manual_seed(1)
    optimizer, watcher = optimizer_of(model), slopes.Watcher(model, every=3)

    def drawn(count):
        x = torch.randn(count, 8, generator=draw)
        x = x if name != "tokens" else (x > 0).long() + (x > 1).long()
        return x, label(x)

    before = slopes.diagnose(model, drawn(1000), loss, optimizer=optimizer)
    for _ in range(60):
        x, y = drawn(100)
        with watcher:
            loss(model(x), y).backward()
            optimizer.step()
            optimizer.zero_grad()
    after = slopes.diagnose(model, drawn(1000), loss, optimizer=optimizer)
    assert len(watcher.history) == 2
    assert not [
        f"{found.headline}: {finding}" for found in (before, *watcher.history, after) for finding in found.findings
    ]


# ------------------------------------------------------------------------------------------- numbers


def test_numbers_are_those_of_the_outputs_over_all_batches():
    model, (x, y) = mlp(nn.Tanh, depth=1), batch()
    batches = [(x[:300], y[:300]), (x[300:900], y[300:900]), (x[900:], y[900:])]
    (layer,) = slopes.diagnose(model, batches, F.cross_entropy).layers
    out = model[:2](x).detach()
    assert layer.samples == 1000
    assert (layer.mean, layer.std) == pytest.approx((out.mean().item(), out.std(correction=0).item()), rel=1e-5)
    assert (layer.least, layer.most) == (out.min().item(), out.max().item())
    expected = np.percentile(out.numpy(), (1, 25, 50, 75, 99))
    np.testing.assert_allclose(layer.percentiles, expected, atol=0.08)
    assert layer.flat == pytest.approx((1 - out**2 < 1e-3).double().mean().item())


def test_the_gradient_by_outputs():
    model, (x, y) = mlp(depth=1), batch()
    (layer,) = slopes.diagnose(model, (x, y), F.cross_entropy).layers
    hidden = model[:2](x).detach().requires_grad_()
    F.cross_entropy(model[2](hidden), y).backward()
    assert layer.gradient == pytest.approx(hidden.grad.norm().item(), rel=1e-5)


# ------------------------------------------------------------------------------------- what is left alone


def test_model_optimizer_and_random_states_stay():
    model = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.RReLU(inplace=True), nn.Dropout(0.5), nn.Linear(8, 3))
    optimizer = torch.optim.Adam(model.parameters())
    x, y = batch()
    F.cross_entropy(model(x), y).backward()
    optimizer.step()
    generator = torch.Generator().manual_seed(1)
    loader = DataLoader(TensorDataset(x, y), 100, shuffle=True, generator=generator)
    kept = copy.deepcopy((model.state_dict(), [p.grad for p in model.parameters()], optimizer.state_dict()))
    states = torch.get_rng_state(), generator.get_state(), random.getstate(), np.random.get_state()[1].copy()  # noqa: NPY002

    def loss(output, target):
        random.random(), np.random.rand(), torch.rand(1)  # noqa: NPY002
        return F.cross_entropy(output, target)

    slopes.diagnose(model, loader, loss, optimizer=optimizer)
    now = model.state_dict(), [p.grad for p in model.parameters()], optimizer.state_dict()
    torch.testing.assert_close(now, kept, rtol=0, atol=0)
    assert model.training
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert torch.equal(torch.get_rng_state(), states[0])
    assert torch.equal(generator.get_state(), states[1])
    assert random.getstate() == states[2]
    assert np.array_equal(np.random.get_state()[1], states[3])  # noqa: NPY002


def test_the_mode_of_the_model_is_kept():
    model = nn.Sequential(nn.Linear(8, 8), nn.Dropout(1.0), nn.Linear(8, 3), nn.Tanh()).eval()
    (layer,) = slopes.diagnose(model, batch(), F.cross_entropy).layers
    assert layer.std > 0
    assert not model.training


# ------------------------------------------------------------------------------------ models of all sorts


def test_functions_methods_and_cards_that_a_forward_calls():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(3))
            self.last = nn.Linear(8, 3)

        def forward(self, x):
            for layer in self.layers:
                x = F.relu(layer(x))
            x = torch.relu(x - 0.1).sigmoid()
            x = slopes.tanh(slopes.gelu(x))
            x = F.elu(input=x, alpha=0.5)
            return self.last(F.softplus(F.leaky_relu_(F.silu(x * 1), 0.2)))

    found = slopes.diagnose(Net(), batch(), lambda out, target: F.cross_entropy(torch.tanh(out), target))
    names = ["relu()", "relu() #2", "relu() #3", "relu() #4", "sigmoid()", "gelu()", "tanh()", "elu()", "silu()"]
    assert [layer.name for layer in found.layers] == [*names, "leaky_relu()", "softplus()"]


def test_activations_in_place_are_seen_with_what_they_got():
    plain, in_place = mlp(nn.SiLU), mlp(lambda: nn.SiLU(inplace=True))
    in_place.load_state_dict(plain.state_dict())
    data = batch()
    first, second = (slopes.diagnose(model, data, F.cross_entropy) for model in (plain, in_place))
    assert repr(dataclasses.asdict(first)) == repr(dataclasses.asdict(second))  # a NaN does not equal itself


def test_functions_in_place_are_seen_with_what_they_got():
    class Net(nn.Sequential):
        def forward(self, x):
            return F.silu(self[0](x), inplace=True)

    model, data = Net(nn.Linear(8, 3)), batch()
    (layer,) = slopes.diagnose(model, data, lambda out, _: out.mean()).layers
    x = model[0](data[0]).detach()
    assert layer.flat == pytest.approx((slopes.silu.slope(x).abs() < 1e-3).double().mean().item())
    assert layer.mean == pytest.approx(slopes.silu(x).mean().item(), rel=1e-5)


def test_a_shared_activation_is_a_row_for_each_place():
    act = nn.ReLU()
    model = nn.Sequential(nn.Linear(8, 5), act, nn.Linear(5, 7), act, nn.Linear(7, 3))
    found = slopes.diagnose(model, batch(), F.cross_entropy)
    assert [(layer.name, layer.units) for layer in found.layers] == [("1 (ReLU)", 5), ("1 (ReLU) #2", 7)]


class Cell(nn.Module):
    """A recurrent cell, called once for every step."""

    def __init__(self):
        super().__init__()
        self.map = nn.Linear(12, 4)

    def forward(self, x, h):
        return torch.tanh(self.map(torch.cat([x, h], -1)))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = Cell()
        self.last = nn.Linear(4, 3)

    def forward(self, x):
        h = x.new_zeros(len(x), 4)
        for step in x.unbind(1):
            h = self.cell(step, h)
        return self.last(h)


def test_a_cell_that_is_called_in_a_loop_is_one_row():
    (layer,) = slopes.diagnose(Recurrent(), batch(1000, 6, 8), F.cross_entropy).layers
    assert (layer.name, layer.units, layer.samples) == ("cell tanh()", 4, 6000)


def test_a_convolution_counts_pixels_and_channels():
    model = nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(6 * 36, 3), nn.ReLU()
    )
    with torch.no_grad():
        model[1].bias[:3] = -1e3
    found = slopes.diagnose(model, batch(1000, 1, 8, 8), F.cross_entropy)
    assert [(layer.units, layer.samples) for layer in found.layers] == [(6, 36000), (3, 1000)]
    assert found.layers[0].dead == 0.5


def test_units_lie_where_the_weights_laid_them():
    channels_first = nn.Sequential(nn.Conv1d(8, 5, 3), nn.ReLU())
    channels_last = nn.Sequential(nn.Linear(8, 5), nn.ReLU())
    for model, shape in ((channels_first, (8, 20)), (channels_last, (4, 6, 8))):
        (layer,) = slopes.diagnose(model, batch(1000, *shape), lambda out, _: out.mean()).layers
        assert layer.units == 5


def test_a_transformer():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    model = nn.Sequential(nn.TransformerEncoder(layer, 2), nn.Linear(8, 3))
    found = slopes.diagnose(model, (torch.randn(1000, 5, 8), batch()[1]), lambda out, t: F.cross_entropy(out[:, 0], t))
    assert [(layer.name, layer.units, layer.samples) for layer in found.layers] == [
        ("0.layers.0 relu()", 16, 5000),
        ("0.layers.1 relu()", 16, 5000),
    ]
    assert found.ok, found


def test_an_lstm_has_weights_alone_and_says_so():
    model = nn.LSTM(8, 3, batch_first=True)
    found = slopes.diagnose(model, batch(1000, 5, 8), lambda out, target: F.cross_entropy(out[0][:, -1], target))
    assert found.layers == []
    assert [weights.name for weights in found.weights] == ["LSTM"]
    assert "no activation was seen" in str(found)
    assert found.table() == []


def test_several_inputs_and_outputs():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.map = nn.Linear(8, 3)

        def forward(self, a, b):
            return {"sum": torch.tanh(self.map(a + b)), "difference": self.map(a - b).tanh()}

    x, y = batch()
    for inputs in ((x, x + 1), {"b": x + 1, "a": x}):
        found = slopes.diagnose(Two(), (inputs, y), lambda out, t: F.cross_entropy(out["sum"] + out["difference"], t))
        assert [layer.name for layer in found.layers] == ["tanh()", "tanh() #2"]
        assert found.samples == 1000


def test_weights_come_in_the_order_in_which_they_run():
    class Backwards(nn.Module):
        def __init__(self):
            super().__init__()
            self.last, self.first = nn.Linear(4, 3), nn.Linear(8, 4)

        def forward(self, x):
            return self.last(self.first(x))

    found = slopes.diagnose(Backwards(), batch(), F.cross_entropy)
    assert [weights.name for weights in found.weights] == ["first (Linear)", "last (Linear)"]


def test_a_compiled_model():
    model, data = mlp(), batch()
    plain, compiled = (
        slopes.diagnose(m, data, F.cross_entropy) for m in (model, torch.compile(model, backend="eager"))
    )
    assert [layer.name for layer in compiled.layers] == [f"_orig_mod.{layer.name}" for layer in plain.layers]
    assert [layer.mean for layer in compiled.layers] == [layer.mean for layer in plain.layers]


def test_frozen_weights_and_maps_of_rows():
    model = nn.Sequential(nn.Linear(8, 4).requires_grad_(False), nn.ReLU(), nn.Linear(4, 3), nn.LogSoftmax(-1))
    found = slopes.diagnose(model, batch(), F.nll_loss)
    assert [layer.name for layer in found.layers] == ["1 (ReLU)"]
    assert math.isnan(found.layers[0].gradient)
    assert math.isnan(found.weights[0].gradient)
    assert found.ok


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_other_types(dtype):
    model = mlp().to(dtype)
    x, y = batch()
    found = slopes.diagnose(model, (x.to(dtype), y), F.cross_entropy)
    assert found.ok, found


def test_a_module_of_a_card_is_called_by_its_card():
    model, data = nn.Sequential(nn.Linear(8, 3), slopes.nn.module(slopes.rrelu)), batch()
    state = torch.get_rng_state()
    (layer,) = slopes.diagnose(model, data, F.cross_entropy).layers
    assert layer.name == "1 (rrelu)"
    assert torch.equal(torch.get_rng_state(), state)


# --------------------------------------------------------------------------------------------- data


def test_a_loader_is_used_until_there_are_enough_samples():
    x, y = batch(5000)
    taken = []

    def data():
        for k in range(0, 5000, 300):
            taken.append(k)
            yield x[k : k + 300], y[k : k + 300]

    found = slopes.diagnose(mlp(), data(), F.cross_entropy)
    assert found.samples == 1200
    assert taken == [0, 300, 600, 900]


def test_too_few_samples_are_told():
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    found = slopes.diagnose(model, [batch(64)] * 2, F.cross_entropy, optimizer=optimizer)
    assert found.headline.startswith("128 samples of the 1,000 wanted, so that shares of dead units are too high")
    assert found.weights[0].update > 0


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"model": len}, TypeError, "diagnose: model must be a torch.nn.Module, got builtin_function_or_method"),
        ({"data": torch.ones(3, 8)}, TypeError, "data must be a batch (inputs, target) or an iterable of batches, got Tensor"),
        ({"data": [torch.ones(3, 8)]}, TypeError, "a batch must be (inputs, target), tensors, got Tensor"),
        ({"data": [(1, 2, 3)]}, TypeError, "got 3 things; several inputs go in a tuple: ((x, y), target)"),
        ({"data": []}, ValueError, "diagnose: data has no sample"),
        ({"loss": nn.CrossEntropyLoss(reduction="none")}, TypeError, "loss must return one number, got shape (1000,): reduce"),
        ({"loss": lambda out, target: 1.0}, TypeError, "loss must return a tensor, got float"),
        ({"loss": lambda out, target: out.detach().sum()}, ValueError, "the loss has no gradient: no weight wants one"),
        ({"samples": 0}, ValueError, "samples must be an integer >= 1, got 0"),
    ],
)  # fmt: skip
def test_what_is_refused(change, error, message):
    given = {"model": mlp(), "data": batch(), "loss": F.cross_entropy} | change
    with pytest.raises(error) as caught:
        slopes.diagnose(**given)
    assert message in str(caught.value)


# ------------------------------------------------------------------------------------------ showing


def test_the_table_lines_up():
    text = str(slopes.diagnose(mlp(), batch(), F.cross_entropy))
    lines = text.splitlines()
    assert lines[0] == "1,000 samples: no findings"
    head, *rows = lines[2:6]
    assert head.split()[:6] == ["activation", "units", "mean", "std", "least", "most"]
    assert {len(line) for line in rows} == {len(head)}
    assert lines[-1].startswith("gradient norm, last over first: ")
    assert "update" not in text  # no optimizer was given


def test_the_table_as_dicts():
    found = slopes.diagnose(mlp(), batch(), F.cross_entropy)
    row = found.table()[0]
    assert row["name"] == "1 (ReLU)"
    assert row["dead_low"] == 0 < row["dead_high"] < 0.12
    assert repr(found) == "<Diagnosis: 3 activations, 1,000 samples: no findings>"


def test_the_picture(tmp_path):
    pytest.importorskip("matplotlib")
    found = slopes.diagnose(mlp(), batch(), F.cross_entropy)
    figure = found.plot()
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [layer.name for layer in found.layers]
    assert {axes._left_title.get_weight() for axes in figure.axes} == {"bold"}
    assert found.plot(tmp_path / "a.svg") is None
    assert "<svg" in (tmp_path / "a.svg").read_text()
    lstm = slopes.diagnose(nn.LSTM(8, 3), (torch.randn(1000, 8), None), lambda out, _: out[0].mean())
    lstm.plot(tmp_path / "b.png")


def made(gradients, layers=()):
    weights = [Weights(str(k), 1.0, gradient, math.nan) for k, gradient in enumerate(gradients)]
    return Diagnosis(list(layers), weights, 1000, 1000)


@pytest.mark.parametrize(
    ("gradients", "ratio", "found"),
    [
        ([1.0, 5.0, 999.0], 999.0, set()),
        ([1.0, 5.0, 1001.0], 1001.0, {"vanishing"}),
        ([1001.0, 1.0], 1 / 1001, {"exploding"}),
        ([math.nan, 2.0, 1.0], 0.5, set()),
        ([math.inf, 1.0], 0.0, {"exploding"}),
        ([1.0], math.nan, set()),
    ],
)
def test_the_ratio_of_gradients(gradients, ratio, found):
    diagnosis = made(gradients)
    assert diagnosis.gradient_ratio == pytest.approx(ratio, nan_ok=True)
    assert kinds(diagnosis) == found


# ------------------------------------------------------------------------------------------ watching


def train(model, steps, watcher=None, size=100):
    """A plain loop; returns what the loss was in each step."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    data, losses = torch.Generator().manual_seed(2), []
    for _ in range(steps):
        x = torch.randn(size, 8, generator=data)
        y = (x[:, 0] > 0).long()
        if watcher is None:
            losses.append(step(model, optimizer, x, y))
        else:
            with watcher:
                losses.append(step(model, optimizer, x, y))
    return losses


def step(model, optimizer, x, y):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()


def test_watching_changes_nothing():
    model = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.RReLU(inplace=True), nn.Dropout(0.2), nn.Linear(8, 3))
    other = copy.deepcopy(model)
    torch.manual_seed(1)
    losses = train(model, 7)
    torch.manual_seed(1)
    assert train(other, 7, slopes.Watcher(other, every=2)) == losses
    torch.testing.assert_close(model.state_dict(), other.state_dict(), rtol=0, atol=0)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in other.modules())


class Checkpointed(nn.Module):
    """Blocks whose activations are computed again in the backward pass, or kept."""

    def __init__(self, how):
        super().__init__()
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(8, 8), act()) for act in (nn.ReLU, nn.Tanh))
        self.map, self.head, self.how = nn.Linear(8, 8), nn.Linear(8, 3), how

    def forward(self, x):
        parts = (*self.blocks, lambda x: F.gelu(self.map(x)))
        for part in parts:
            x = part(x) if self.how is None else checkpoint(part, x, use_reentrant=self.how)
        return self.head(x)


def numbers(watcher):
    """Layers and weights as numbers, but not how their batches were named or counted."""
    found = watcher.diagnosis
    return [(x.units, x.samples, x.mean, x.dead, x.gradient) for x in found.layers], [
        (x.norm, x.gradient, x.update) for x in found.weights
    ]


def watched(model, run=None, step=step, steps=10):
    """Watch every step of a training; the model that runs may wrap the one that is watched."""
    watcher, run = slopes.Watcher(model, every=1), run or model
    optimizer, data = torch.optim.SGD(model.parameters(), lr=0.1), torch.Generator().manual_seed(2)
    for _ in range(steps):
        x = torch.randn(100, 8, generator=data)
        with watcher:
            step(run, optimizer, x, (x[:, 0] > 0).long())
    assert watcher.history[0].samples == 1000
    return watcher


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_watcher_under_checkpointing(reentrant):
    kept, again = Checkpointed(None), Checkpointed(reentrant)
    again.load_state_dict(kept.state_dict())

    def follows_inputs(model, optimizer, x, y):
        step(model, optimizer, x.requires_grad_(), y)

    layers, weights = numbers(watched(kept))
    found_layers, found_weights = numbers(watched(again, step=follows_inputs))
    assert [layer[:4] for layer in found_layers] == [layer[:4] for layer in layers]
    assert [layer[4] for layer in found_layers[:2]] == [layer[4] for layer in layers[:2]]
    assert found_weights == weights
    torch.testing.assert_close(again.state_dict(), kept.state_dict(), rtol=0, atol=0)


class Copies(nn.Module):
    """Runs copies of a module in threads, as `torch.nn.DataParallel` does on several devices."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        copies = [self.copy(self.module) for _ in range(2)]
        with ThreadPoolExecutor(2) as threads:
            return torch.cat(list(threads.map(lambda copy, part: copy(part), copies, x.chunk(2))))

    def copy(self, module):
        new = module._replicate_for_data_parallel()
        for name, parameter in module._parameters.items():
            setattr(new, name, parameter)
        for name, child in module._modules.items():
            new._modules[name] = self.copy(child)
        return new


class Functional(nn.Sequential):
    def forward(self, x):
        return self[1](F.relu(self[0](x)))


@pytest.mark.parametrize("wrap", [nn.DataParallel, Copies])
@pytest.mark.parametrize("inner", [False, True])
def test_a_watcher_of_a_parallel_model(wrap, inner):
    model = Functional(nn.Linear(8, 8), nn.Linear(8, 3))
    wrapped = wrap(copy.deepcopy(model))
    layers, weights = numbers(watched(model))
    found = watched(wrapped.module, wrapped) if inner else watched(wrapped)
    found_layers, found_weights = numbers(found)
    assert [layer[:2] for layer in found_layers] == [layer[:2] for layer in layers]
    np.testing.assert_allclose(found_layers, layers, rtol=1e-4)
    np.testing.assert_allclose(found_weights, weights, rtol=1e-4)


@pytest.mark.parametrize("way", ["module", "in place"])
def test_a_watcher_of_the_model_inside_a_compiled_one(way):
    model = mlp()
    other = copy.deepcopy(model)
    run = other if way == "in place" else torch.compile(other, backend="eager")
    if way == "in place":
        other.compile(backend="eager")
    assert numbers(watched(other, run)) == numbers(watched(model))


def test_a_watcher_of_half_precision_and_accumulation():
    model = mlp()
    whole, in_parts, in_half = (copy.deepcopy(model) for _ in range(3))

    def accumulating(model, optimizer, x, y):
        for part, target in zip(x.chunk(4), y.chunk(4), strict=True):
            (F.cross_entropy(model(part), target) / 4).backward()
        optimizer.step()
        optimizer.zero_grad()

    def halved(model, optimizer, x, y):
        with torch.autocast("cpu", torch.bfloat16):
            loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    layers, weights = numbers(watched(whole))
    for found, step, close in ((in_parts, accumulating, 1e-4), (in_half, halved, 0.1)):
        found_layers, found_weights = numbers(watched(found, step=step))
        np.testing.assert_allclose(found_layers, layers, rtol=close, atol=close / 10)
        np.testing.assert_allclose(found_weights, weights, rtol=close)


@pytest.mark.parametrize(("to_none", "foreach"), [(True, False), (False, False), (False, True)])
def test_gradients_that_the_block_clears_are_seen(to_none, foreach):
    kept = mlp()
    cleared = copy.deepcopy(kept)

    def clearing(model, optimizer, x, y):
        step(model, optimizer, x, y)
        torch.optim.SGD(model.parameters(), foreach=foreach).zero_grad(set_to_none=to_none)

    assert numbers(watched(cleared, step=clearing)) == numbers(watched(kept))


def test_a_gradient_of_an_earlier_step_is_no_gradient_of_this_one():
    heads = nn.ModuleList([mlp(), mlp()])
    model = nn.Module()
    model.heads, model.forward = heads, lambda x, head: heads[head](x)
    optimizer, watcher = sgd(model), slopes.Watcher(model, every=1, samples=1)
    for head in range(2):
        with watcher:
            optimizer.zero_grad()
            F.cross_entropy(model(batch(10)[0], head), batch(10)[1]).backward()
            optimizer.step()
        reached = [not math.isnan(weights.gradient) for weights in watcher.diagnosis.weights]
        names = [weights.name for weights in watcher.diagnosis.weights]
        assert reached == [name.startswith(f"heads.{head}") for name in names]


def test_weights_that_come_with_the_first_forward_are_seen():
    model = nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.LazyLinear(3))
    with slopes.Watcher(model) as watcher:
        F.cross_entropy(model(batch()[0]), batch()[1]).backward()
    assert [weights.gradient > 0 for weights in watcher.diagnosis.weights] == [True, True]


def test_blocks_that_only_accumulate_are_no_slow_steps():
    model = mlp()
    watcher, optimizer = slopes.Watcher(model, every=5), sgd(model)
    for k in range(150):
        x, y = batch(100)
        with watcher:
            (F.cross_entropy(model(x), y) / 4).backward()
            if k % 4 == 3:
                optimizer.step()
                optimizer.zero_grad()
    assert [found.ok for found in watcher.history] == [True] * 3
    assert all(1e-5 < weights.update < 0.1 for weights in watcher.diagnosis.weights)


@pytest.mark.parametrize(("steps", "found"), [(100, []), (110, ["no weight has changed in 109 steps"])])
def test_an_optimizer_of_other_weights_is_found_after_a_hundred_steps(steps, found):
    other = sgd(mlp())
    watcher = watched(mlp(), steps=steps, step=lambda model, _, x, y: step(model, other, x, y))
    assert [finding.message for finding in watcher.history[-1].findings] == found


@pytest.mark.parametrize("act", [nn.Mish, slopes.nn.Mish, lambda: slopes.nn.module(slopes.gelu)])
@pytest.mark.parametrize("judge", [F.cross_entropy, slopes.cross_entropy])
def test_watching_changes_no_bit_of_what_slopes_computes(act, judge):
    model = nn.Sequential(nn.Linear(8, 64), act(), nn.Linear(64, 100))
    gradients = []
    for watcher in (nullcontext(), slopes.Watcher(model)):
        x, y = torch.randn(1000, 8, generator=torch.Generator().manual_seed(3)), torch.arange(1000) % 100
        model.zero_grad()
        with watcher:
            judge(model(x), y).backward()
        gradients.append([p.grad.clone() for p in model.parameters()])
    torch.testing.assert_close(*gradients, rtol=0, atol=0)


def test_looks_are_put_together_until_there_are_enough_samples():
    model = mlp()
    watcher = slopes.Watcher(model, every=5)
    train(model, 41, watcher)  # looks at steps 0, 5, …, 40
    assert watcher.history == []
    assert watcher.diagnosis.samples == 900
    assert watcher.diagnosis.steps == (0, 40)
    assert "of the 1,000 wanted" in str(watcher.diagnosis)
    train(model, 10, watcher)
    assert watcher.step == 51
    assert [(found.samples, found.steps) for found in watcher.history] == [(1000, (0, 45))]
    assert watcher.diagnosis is watcher.history[0]
    assert "1,000 samples, steps 0 to 45: no findings" in str(watcher.diagnosis)
    assert all(1e-4 < weights.update < 0.1 for weights in watcher.diagnosis.weights)
    assert all(layer.gradient > 0 for layer in watcher.diagnosis.layers)


def test_a_watcher_sees_units_die():
    model = mlp()
    watcher = slopes.Watcher(model, every=1)
    train(model, 10, watcher)
    with torch.no_grad():
        model[0].bias[:16] = -1e3
    train(model, 10, watcher)
    before, after = watcher.history
    assert (before.layers[0].dead, after.layers[0].dead) == (0, 0.5)


def test_an_error_in_a_watched_step_leaves_no_trace():
    model = mlp()
    watcher = slopes.Watcher(model, every=1)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"), watcher:
        model(torch.ones(3, 9))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert slopes.card.Activation.__call__.__qualname__ == "Activation.__call__"
    assert not torch.overrides._get_current_function_mode_stack()
    train(model, 10, watcher)
    assert watcher.history[0].samples >= 1000


@pytest.mark.parametrize("every", [1, 10**9])
def test_a_copy_made_in_a_block_is_not_watched(every):
    """As of an averaged model, or saved as a whole."""
    model, x = mlp(), torch.randn(5, 8)
    watcher = slopes.Watcher(model, every=every, stop_on_nan=True)
    for _ in range(2):
        with watcher:
            loss = model(x).sum()
            twin = copy.deepcopy(model)
            file = io.BytesIO()
            torch.save(model, file)
            file.seek(0)
            loaded = torch.load(file, weights_only=False)
            assert torch.equal(twin(x), model(x))
            assert torch.equal(loaded(x), model(x))
            loss.backward()
    assert torch.equal(twin(x), model(x))
    alone = slopes.Watcher(model, every=1)
    with alone:
        model(x)
        seen = alone._look.samples
        copy.deepcopy(model)(x)
        assert alone._look.samples == seen == 5


def test_what_a_watcher_refuses():
    with pytest.raises(TypeError, match=r"Watcher: model must be a torch.nn.Module, got function"):
        slopes.Watcher(mlp)
    with pytest.raises(ValueError, match=r"Watcher: every must be an integer >= 1, got 0"):
        slopes.Watcher(mlp(), every=0)
    with pytest.raises(ValueError, match="no step was looked at yet"):
        _ = slopes.Watcher(mlp()).diagnosis
