"""The networks: built-in ones and the user's own, made for a seed, with any activation in their slots."""

from __future__ import annotations

import pickle

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import slopes  # noqa: E402
from slopes.study.networks import resolve  # noqa: E402
from slopes.study.tasks import Parts, Task  # noqa: E402


def make_task(shape=(64,), kind="classification", outputs=10, dtype=torch.float32):
    """A small task of random numbers."""
    generator = torch.Generator().manual_seed(0)
    count = 40
    inputs = torch.randn(count, *shape, generator=generator)
    if not dtype.is_floating_point:
        inputs = torch.randint(0, 20, (count, *shape), generator=generator)
    targets = {
        "classification": torch.arange(count) % outputs,
        "binary": (torch.arange(count) % 2).float(),
        "regression": torch.randn(count, outputs, generator=generator),
        "count": torch.ones(count, 1),
        "segmentation": torch.zeros(count, *shape[1:]),
    }[kind]
    parts = Parts(torch.arange(20), torch.arange(20, 30), torch.arange(30, 40))
    return Task("digits", kind, inputs, targets, outputs, parts, "fingerprint", "Random numbers.")


def same(one, other):
    """Whether two models have the same weights, bit for bit."""
    left, right = one.state_dict(), other.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


# ------------------------------------------------------------------------------------------ built-in

BUILTIN = [
    ("mlp", (64,), "classification", 10),
    ("mlp", (1, 8, 8), "classification", 10),
    ("mlp(hidden=256, depth=2)", (30,), "binary", 1),
    ("mlp(hidden=(8, 4))", (10,), "regression", 2),
    ("mlp", (10,), "count", 1),
    ("cnn", (1, 8, 8), "classification", 10),
    ("cnn", (3, 32, 32), "classification", 10),
    ("cnn(channels=(4, 8), hidden=16)", (1, 9, 11), "binary", 1),
    ("cnn", (3, 16, 20), "segmentation", 1),
    ("transformer", (1, 8, 8), "classification", 10),
    ("transformer(width=16, depth=1, heads=2)", (12, 5), "regression", 3),
]


@pytest.mark.parametrize(("spec", "shape", "kind", "outputs"), BUILTIN)
def test_a_builtin_network_is_made_for_a_seed_and_learns(spec, shape, kind, outputs):
    task = make_task(shape, kind, outputs)
    network = resolve(spec, task)
    model = network.build(3)
    assert same(model, network.build(3))
    assert not same(model, network.build(4))
    swapped = network.slotted(3, nn.GELU)
    assert same(model, swapped), "initial weights do not depend on the activation"
    assert not any(isinstance(module, nn.ReLU) for module in swapped.modules())
    given = network.predict(swapped(task.inputs))
    assert given.shape == (40, *((1, *shape[1:]) if kind == "segmentation" else (outputs,)))
    given.square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in swapped.parameters())
    assert network.name == spec
    assert "uniform by Glorot's rule" in network.notes[0]


@pytest.mark.parametrize(("spec", "shape", "kind", "outputs"), BUILTIN)
def test_weights_are_glorots(spec, shape, kind, outputs):
    model = resolve(spec, make_task(shape, kind, outputs)).build(0)
    for module in model.modules():
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            fan_in, fan_out = nn.init._calculate_fan_in_and_fan_out(module.weight)
            limit = (6 / (fan_in + fan_out)) ** 0.5
            assert module.weight.abs().max() <= limit
            if module.weight.numel() > 500:
                assert module.weight.std().item() == pytest.approx(limit / 3**0.5, rel=0.1)
            assert (module.bias == 0).all()


@pytest.mark.parametrize(("spec", "shape", "kind", "outputs"), BUILTIN)
def test_a_builtin_network_stacks_without_a_slow_fallback(spec, shape, kind, outputs):
    from torch.func import functional_call, stack_module_state, vmap

    task = make_task(shape, kind, outputs)
    network = resolve(spec, task)
    models = [network.build(seed) for seed in range(3)]
    parameters, buffers = stack_module_state(models)
    together = vmap(lambda p, b, x: functional_call(models[0], (p, b), (x,)), (0, 0, None))(
        parameters, buffers, task.inputs
    )
    alone = torch.stack([model(task.inputs) for model in models])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_it_pickles_by_reference_and_makes_the_same():
    network = resolve("mlp", make_task())
    pickled = pickle.dumps(network)
    assert len(pickled) < 2000
    again = pickle.loads(pickled)
    assert (again.name, again.digest, again.replace, again.notes) == (
        network.name, network.digest, network.replace, network.notes,
    )  # fmt: skip
    assert same(again.build(7), network.build(7))


def test_a_card_stands_in_every_slot():
    swapped = resolve("mlp", make_task()).slotted(0, lambda: slopes.nn.module(slopes.gelu))
    assert sum(isinstance(module, slopes.nn.module) for module in swapped.modules()) == 3
