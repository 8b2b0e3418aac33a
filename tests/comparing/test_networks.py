"""The networks: built-in ones and the user's own, made for a seed, with any activation in their slots."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from functools import partial

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

import slopes  # noqa: E402
from slopes.comparing.networks import resolve  # noqa: E402
from slopes.comparing.tasks import Parts, Task  # noqa: E402
from slopes.models.finding import functional_calls  # noqa: E402


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


UNFIT = [
    ("cnn", (64,), {}, "the cnn takes (channel, height, width), and the task digits gives (64,); take 'mlp'."),
    ("cnn", (7, 9), {}, "the cnn takes (channel, height, width), and the task digits gives (7, 9); take 'transformer' or"),
    ("cnn", (1, 3, 8), {}, "the cnn halves an image 2 times, and the task digits gives (1, 3, 8); take fewer channels"),
    ("transformer", (64,), {}, "the transformer takes (token, feature) or (channel, height, width), and the task digits"),
    ("mlp", (1, 8, 8), {"kind": "segmentation", "outputs": 1}, "the mlp gives no number for each pixel, as the task"),
    ("transformer", (1, 8, 8), {"kind": "segmentation", "outputs": 1}, "the transformer gives no number for each pixel"),
    ("mlp", (7,), {"dtype": torch.int64}, "the mlp takes real numbers, and the task digits gives int64;"),
    ("mpl", (64,), {}, "no built-in network is called 'mpl'; did you mean 'mlp'?"),
    ("resnet", (64,), {}, "no built-in network is called 'resnet'; there are mlp, cnn, transformer; or pass a torch.nn.M"),
    ("mlp(width=3)", (64,), {}, "the mlp has no option 'width'; it takes hidden, depth."),
    ("mlp(hidden=0)", (64,), {}, "mlp takes whole numbers of at least 1 for hidden, got 0."),
    ("mlp(hidden=2.5)", (64,), {}, "mlp takes whole numbers of at least 1 for hidden, got 2.5."),
    ("mlp(hidden=(8, 0))", (64,), {}, "mlp takes whole numbers of at least 1 for hidden, got 0."),
    ("mlp(hidden=())", (64,), {}, "mlp takes at least one hidden layer, got hidden=()."),
    ("mlp(depth=0)", (64,), {}, "mlp takes whole numbers of at least 1 for depth, got 0."),
    ("mlp(hidden=(8, 8), depth=2)", (64,), {}, "mlp takes depth with one width, got hidden=(8, 8) and depth=2."),
    ("mlp(3)", (64,), {}, "model: cannot read the parameters of 'mlp(3)'; write them by name"),
    ("cnn(channels=())", (1, 8, 8), {}, "cnn takes at least one convolution, got channels=()."),
    ("transformer(width=10)", (4, 8), {}, "the transformer's width must be a multiple of heads, got 10 and 4."),
    ("model.py", (64,), {}, "model: 'model.py' names no object; write file.py:object"),
    ("nowhere.py:Model", (64,), {}, "model: no file 'nowhere.py'."),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "shape", "task", "message"), UNFIT, ids=[f"{u[0]} {u[1]}" for u in UNFIT])
def test_a_builtin_network_that_does_not_fit_is_refused(spec, shape, task, message):
    with pytest.raises(ValueError, match=r"^compare: ") as told:
        resolve(spec, make_task(shape, **task))
    assert str(told.value).startswith(f"compare: {message}")
    assert "\n" not in str(told.value)


# ------------------------------------------------------------------------------------- the user's own


def layers(*middle):
    return nn.Sequential(nn.Linear(64, 20), *middle, nn.Linear(20, 10))


class Plain(nn.Module):
    """A layer, an activation, a layer."""

    def __init__(self):
        super().__init__()
        self.first, self.act, self.last = nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, 10)

    def forward(self, x):
        return self.last(self.act(self.first(x)))


class Recurrent(Plain):
    def __init__(self):
        super().__init__()
        self.lstm, self.first = nn.LSTM(8, 12, batch_first=True), nn.Linear(12, 20)

    def forward(self, x):
        return super().forward(self.lstm(x.unflatten(1, (8, 8)))[0][:, -1])


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, 10)
        self.second.weight = self.first.weight
        self.act = nn.Tanh()

    def forward(self, x):
        return self.last(self.act(self.second(self.act(self.first(x)))))


class Attentive(nn.Module):
    """Activations kept as functions, attention whose weights an underscored reset draws."""

    def __init__(self):
        super().__init__()
        self.encode = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)
        self.last = nn.Linear(64, 10)

    def forward(self, x):
        return self.last(self.encode(x.unflatten(1, (8, 8))).flatten(1))


class Embedded(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.act, self.last = nn.Embedding(20, 8), nn.GELU(), nn.Linear(8, 10)
        self.places = nn.Parameter(torch.randn(7, 8))
        self.register_buffer("mask", torch.tensor([1.0, 1, 1, 1, 1, 0, 0]))

    def forward(self, x):
        return self.last(self.act((self.embed(x) + self.places) * self.mask[:, None]).mean(1))


def lazy():
    return nn.Sequential(nn.LazyLinear(20), nn.LazyBatchNorm1d(), nn.ReLU(), nn.LazyLinear(10))


def regular():
    return layers(nn.BatchNorm1d(20), nn.ReLU(), nn.Dropout(0.5))


def half_lazy():
    return nn.Sequential(nn.Linear(64, 20), nn.ReLU(), nn.LazyLinear(10))


OWN = [
    (Plain, nn.ReLU, "float32"),
    (Recurrent, nn.ReLU, "float32"),
    (Tied, nn.Tanh, "float32"),
    (Attentive, nn.ReLU, "float32"),
    (regular, nn.ReLU, "float32"),
    (lazy, nn.ReLU, "float32"),
    (half_lazy, nn.ReLU, "float32"),
    (Embedded, nn.GELU, "int64"),
]


@pytest.mark.parametrize("given", ["factory", "module"])
@pytest.mark.parametrize(("make", "kind", "dtype"), OWN, ids=[make.__name__ for make, _, _ in OWN])
def test_an_own_model_is_made_for_a_seed_and_learns(make, kind, dtype, given):
    if make is lazy and given == "module":
        with pytest.raises(
            ValueError, match=r"compare: Sequential cannot be copied \(.+\); pass a function that makes"
        ):
            resolve(lazy(), make_task())
        return
    task = make_task((64,) if dtype == "float32" else (7,), dtype=getattr(torch, dtype))
    network = resolve(make if given == "factory" else make(), task)
    assert network.replace == (kind,)
    network = pickle.loads(pickle.dumps(network))
    model = network.build(3)
    assert model.training
    assert same(model, network.build(3))
    assert not same(model, network.build(4))
    swapped = network.slotted(3, nn.SiLU)
    assert same(model, swapped)
    assert sum(isinstance(module, nn.SiLU) for module in swapped.modules()) == (2 if make is Attentive else 1)
    torch.manual_seed(0)
    network.predict(swapped(task.inputs)).square().sum().backward()
    assert all(p.grad is not None for p in swapped.parameters())
    assert not torch.equal(network.predict(swapped.eval()(task.inputs)), network.predict(model.eval()(task.inputs)))


def test_shared_weights_stay_shared_and_a_shared_activation_one():
    swapped = resolve(Tied(), make_task()).slotted(1, nn.PReLU)
    assert swapped.second.weight is swapped.first.weight
    assert len(list(swapped.parameters())) == 6, "three biases, two weights, one PReLU"


def test_the_own_state_of_the_caller_stays():
    import random

    import numpy

    model, task = layers(nn.ReLU()), make_task()
    before = {name: value.clone() for name, value in model.state_dict().items()}

    def draw():
        return torch.rand(1).item(), numpy.random.rand(), random.random()  # noqa: NPY002 - its state is what is asked

    states = torch.get_rng_state(), numpy.random.get_state(), random.getstate()  # noqa: NPY002
    expected = draw()
    torch.set_rng_state(states[0]), numpy.random.set_state(states[1]), random.setstate(states[2])  # noqa: NPY002
    for network in (resolve(model, task), resolve(regular, task)):
        network.build(1)
        network.slotted(2, nn.PReLU)
    assert draw() == expected
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_numpys_and_pythons_numbers_follow_the_seed():
    import random

    import numpy

    def drawing():
        model = layers(nn.ReLU())
        with torch.no_grad():
            model[0].weight.copy_(torch.from_numpy(numpy.random.randn(20, 64)))  # noqa: NPY002
            model[2].bias.fill_(random.random())
        return model

    network = resolve(drawing, make_task())
    assert same(network.build(1), network.build(1))
    assert not torch.equal(network.build(1)[0].weight, network.build(2)[0].weight)
    assert not torch.equal(network.build(1)[2].bias, network.build(2)[2].bias)


def test_a_module_is_drawn_anew_and_what_no_reset_reaches_is_named():
    model = Embedded()
    model.last.requires_grad_(False)
    network = resolve(model, make_task((7,), dtype=torch.int64))
    one, other = network.build(1), network.build(2)
    assert not torch.equal(one.embed.weight, other.embed.weight)
    for name in ("places", "mask"):
        assert torch.equal(getattr(one, name), getattr(model, name))
    assert torch.equal(one.last.weight, model.last.weight)
    drawn, kept = network.notes
    assert drawn.startswith(
        "Each seed draws new initial weights by the reset_parameters of the model's modules, so wei"
    )
    assert kept.startswith("places, last.weight, last.bias kept the same values for all seeds, being frozen or out of")


def test_a_parametrised_weight_and_what_is_kept_of_it_stay():
    model = layers(nn.ReLU())
    nn.utils.parametrizations.spectral_norm(model[0])
    network = resolve(model, make_task())
    _, kept = network.notes
    assert kept.startswith("0.parametrizations.weight.original kept the same values for all seeds")
    assert all(tensor.isfinite().all() for tensor in network.build(1).state_dict().values())
    assert not torch.equal(network.build(1)[2].weight, network.build(2)[2].weight)


def test_attention_is_drawn_as_torch_draws_it():
    attention = nn.MultiheadAttention(8, 2)
    from slopes.comparing.networks.drawing import drawn_anew

    with torch.no_grad():
        attention.out_proj.bias.fill_(3)
    drawn, kept = drawn_anew(attention, None)
    assert not kept
    assert (drawn.out_proj.bias == 0).all()
    assert (drawn.in_proj_weight != attention.in_proj_weight).any()


def test_a_factory_that_loads_weights_keeps_them_and_says_so():
    stored = layers(nn.ReLU()).state_dict()

    def pretrained():
        model = layers(nn.ReLU())
        model[0].load_state_dict({"weight": stored["0.weight"], "bias": stored["0.bias"]})
        return model

    def whole():
        model = layers(nn.ReLU())
        model.load_state_dict(stored)
        return model

    network = resolve(pretrained, make_task())
    assert torch.equal(network.build(1)[0].weight, stored["0.weight"])
    assert network.notes == ("0.weight, 0.bias started with the same values for all seeds.",)
    assert resolve(whole, make_task()).notes == (
        "All initial weights are the same for all seeds, which differ in the order of the data alone.",
    )
    assert resolve(lambda: layers(nn.ReLU()), make_task()).notes == ()


def test_a_file_is_a_place_of_models(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "from torch import nn\n"
        "class Model(nn.Sequential):\n"
        "    def __init__(self, width=20):\n"
        "        super().__init__(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))\n"
        "def make():\n    return Model(7)\n"
        "made = Model(5)\n"
        "number = 3\n"
    )
    widths = {}
    for spec in ("Model", "Model(width=30)", "make", "made"):
        network = pickle.loads(pickle.dumps(resolve(f"{file}:{spec}", make_task())))
        assert network.name == f"{file}:{spec}"
        widths[spec] = network.build(0)[0].out_features
    assert widths == {"Model": 20, "Model(width=30)": 30, "make": 7, "made": 5}
    for spec, message in [
        ("Modle", f"compare: model: {file} has no 'Modle'; did you mean 'Model'?"),
        ("number", "compare: model must be the name of a built-in network, such as 'mlp', or your own;"),
        ("made(width=3)", f"compare: {file}:made is a module already, and takes no parameters; leave them out."),
        ("Model(depth=3)", f"compare: {file}:Model(depth=3): making it fails: TypeError: "),
    ]:
        with pytest.raises((TypeError, ValueError)) as told:
            resolve(f"{file}:{spec}", make_task())
        assert str(told.value).startswith(message)


# ------------------------------------------------------------------------------------ its activations


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(64, 20), nn.Linear(20, 10)

    def forward(self, x):
        return self.last(torch.relu(self.first(x)))


class Both(Functional):
    def __init__(self):
        super().__init__()
        self.act = nn.ReLU()

    def forward(self, x):
        return self.last(self.act(torch.relu(self.first(x)) - 0.5))


class Gated(Functional):
    def forward(self, x):
        return self.last(torch.relu(self.first(x)) * self.first(x).sigmoid())


class Forms(nn.Module):
    """Calls of a function in all forms, one in a part that runs twice."""

    def __init__(self):
        super().__init__()
        self.first, self.part, self.last = nn.Linear(64, 8), Part(), nn.Linear(8, 10)

    def forward(self, x):
        x = F.relu(self.first(x))
        x = self.part(x - 0.1).relu() - 0.1
        x = getattr(F, "relu")(input=x) - 0.1  # noqa: B009
        hidden = self.part(x) - 0.1
        hidden.relu_()
        x = x + hidden - 0.1
        F.relu(x, True)
        x = x - 0.1
        F.relu(x, inplace=True)
        return self.last(x)


class Part(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.relu = nn.Linear(8, 8), nn.ReLU()

    def forward(self, x):
        return self.relu(torch.relu(self.layer(x)) - 0.1)


class Owned(nn.Module):
    """Runs the activation of its part."""

    def __init__(self):
        super().__init__()
        self.first, self.part, self.last = nn.Linear(64, 8), Part(), nn.Linear(8, 10)

    def forward(self, x):
        return self.last(self.part.relu(self.first(x)))


class Own(nn.Module):
    def forward(self, x):
        return x * torch.cos(x)


class Idle(Plain):
    def forward(self, x):
        return self.last(self.first(x))


class Fixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.last = nn.LSTM(8, 12, batch_first=True), nn.Linear(12, 10)

    def forward(self, x):
        return self.last(self.lstm(x.unflatten(1, (8, 8)))[0][:, -1])


def test_which_activations_are_replaced():
    task = make_task()
    both = layers(nn.ReLU(), nn.Tanh(), nn.ReLU())
    assert resolve(both, task, replace=nn.Tanh).replace == (nn.Tanh,)
    swapped = resolve(both, task, replace=(nn.Tanh, nn.ReLU)).slotted(0, nn.GELU)
    assert [type(m).__name__ for m in swapped] == ["Linear", "GELU", "GELU", "GELU", "Linear"]
    assert resolve(layers(Own()), task, replace=Own).replace == (Own,)
    assert resolve(layers(slopes.nn.GELU()), task).replace == (nn.GELU,)
    assert resolve(layers(slopes.nn.module(slopes.gelu)), task).replace == (slopes.nn.module,)


def bent(x=None, inplace=False, input=None):
    return F.leaky_relu(x if input is None else input, 0.5, inplace)


def test_calls_of_functions_are_replaced():
    network = resolve(Forms, make_task())
    assert network.notes == ()
    made = []

    def make():
        made.append(nn.PReLU(init=0.5))
        return made[-1]

    model = network.slotted(0, make)
    assert len(made) == 8
    assert {name for name, module in model.named_modules() if module in made} == {
        "part.relu", "part.relu_call_1", *(f"relu_call_{place}" for place in range(1, 7))
    }  # fmt: skip
    x = make_task().inputs
    weights = {name: value for name, value in model.state_dict().items() if "relu" not in name}
    twin = Forms()
    twin.load_state_dict(weights)
    with pytest.MonkeyPatch.context() as patched:
        for home, name in ((F, "relu"), (torch, "relu"), (torch.Tensor, "relu")):
            patched.setattr(home, name, bent)
        patched.setattr(torch.Tensor, "relu_", lambda x: F.leaky_relu_(x, 0.5))
        twin.part.relu = nn.LeakyReLU(0.5)
        expected = twin(x)
    torch.testing.assert_close(model(x), expected)
    model(x).sum().backward()
    assert all(module.weight.grad is not None for module in made)
    again = pickle.loads(pickle.dumps(model))
    torch.testing.assert_close(again(x), expected)
    assert F.relu(torch.tensor(-1.0)) == 0


def test_a_module_of_a_part_is_no_call():
    assert resolve(Owned, make_task()).notes == ()
    (call,) = functional_calls(Owned(), (nn.ReLU,))
    assert call.startswith("torch.relu(self.layer(x)) in Part, ")


def test_a_factory_makes_its_activations():
    network = resolve(lambda act: layers(act(), act()), make_task())
    assert [type(m).__name__ for m in network.slotted(0, nn.Tanh)] == ["Linear", "Tanh", "Tanh", "Linear"]
    assert same(network.build(3), network.slotted(3, nn.GELU))


NO_ACTIVATION = [
    (lambda: layers(nn.ReLU(), nn.ReLU(), nn.Tanh()), None, "<lambda> has 2 ReLU and 1 Tanh; say which are replaced, as in replace=torch.nn.ReLU."),
    (lambda: layers(nn.Dropout()), None, "<lambda> has no activation of torch.nn; its modules are Linear, Dropout; if one of these is an activation, pass its class by replace=."),
    (layers(Own()), None, "Sequential has no activation of torch.nn; its modules are Linear, Own; if one of these"),
    (Gated, None, "Gated has 1 ReLU and 1 Sigmoid; say which are replaced, as in replace=torch.nn.ReLU."),
    (Functional, nn.GELU, "Functional has no GELU; it has no activation of torch.nn."),
    (lambda act: layers(nn.ReLU()), None, "<lambda> makes no activation by its argument act."),
    (Plain, nn.GELU, "Plain has no GELU; it has 1 ReLU."),
    (Fixed, None, "Fixed has no activation of torch.nn; its modules are LSTM, Linear; those within LSTM are fixed; "),
    (Idle, None, "replacing ReLU changes nothing that Idle gives: they are not on the way to its prediction."),
    (Plain, "relu", "replace must be a class of modules, such as torch.nn.ReLU, or a tuple of them, got 'relu'."),
    (Plain, nn.ReLU(), "replace must be a class of modules, such as torch.nn.ReLU, or a tuple of them, got ReLU()."),
    (Plain, (), "replace must be a class of modules, such as torch.nn.ReLU, or a tuple of them, got ()."),
]  # fmt: skip


@pytest.mark.parametrize(("model", "replace", "message"), NO_ACTIVATION, ids=[message for *_, message in NO_ACTIVATION])
def test_activations_that_cannot_be_told_or_reached(model, replace, message):
    with pytest.raises((TypeError, ValueError)) as told:
        resolve(model, make_task(), replace=replace)
    assert str(told.value).startswith(f"compare: {message}")
    assert "\n" not in str(told.value)


NOTES = [
    (Recurrent, {}, "The activations within LSTM are fixed, and not replaced."),
    (lambda: layers(nn.ReLU()).append(nn.Softmax(1)), {}, "The model ends with Softmax, and losses take its outputs for logits: take it off, or the study compares training on squashed numbers."),
    (lambda: layers(nn.ReLU()).append(nn.LogSoftmax(1)), {}, "The model ends with LogSoftmax, and"),
    (lambda: layers(nn.ReLU()).append(nn.Sigmoid()), {"replace": nn.ReLU}, "The model ends with Sigmoid, and"),
    (lambda: nn.Sequential(layers(nn.ReLU()), nn.Softmax(1), nn.Flatten()), {}, "The model ends with a softmax, and"),
    (lambda: layers(nn.ReLU()).append(nn.ReLU()), {}, "The last module, ReLU, gives the prediction and is replaced with the others; a network should end with a linear layer."),
]  # fmt: skip


@pytest.mark.parametrize(("model", "options", "note"), NOTES, ids=[note for *_, note in NOTES])
def test_what_a_reader_should_know_is_noted(model, options, note):
    network = resolve(model, make_task(), **options)
    (said,) = network.notes
    assert said.startswith(note)


# ------------------------------------------------------------------------------------------- outputs


@dataclass
class Answer:
    logits: torch.Tensor
    hidden: torch.Tensor


class Several(Plain):
    def __init__(self, wrap):
        super().__init__()
        self.wrap = wrap

    def forward(self, x):
        hidden = self.act(self.first(x))
        return self.wrap(self.last(hidden), hidden)


def as_tuple(logits, hidden):
    return logits, hidden


def as_dict(logits, hidden):
    return {"logits": logits, "hidden": hidden}


def pick(returned):
    return returned.logits


@pytest.mark.parametrize(("wrap", "output"), [(as_tuple, 0), (as_dict, "logits"), (Answer, "logits"), (Answer, pick)])
def test_one_of_several_outputs_is_picked(wrap, output):
    task = make_task()
    network = pickle.loads(pickle.dumps(resolve(partial(Several, wrap), task, output=output)))
    assert network.predict(network.build(0)(task.inputs)).shape == (40, 10)
    with pytest.raises(TypeError, match=r"compare: Several gives .*; say which is the prediction by output=, a place"):
        resolve(partial(Several, wrap), task)


class Moody(Plain):
    """Gives more in training, as networks with an auxiliary head do."""

    def forward(self, x):
        prediction = super().forward(x)
        return torch.cat([prediction, prediction], 1) if self.training else prediction


class Ruined(Plain):
    def forward(self, x):
        return super().forward(x) / 0


class Severed(Plain):
    def forward(self, x):
        return super().forward(x).detach()


class Rounded(Plain):
    def forward(self, x):
        return super().forward(x).round().long()


WRONG = [
    (partial(Several, as_tuple), {"output": 5}, "output=5 picks nothing from the outputs of Several, a tuple of ((2, 10), (2, 20)): IndexError"),
    (partial(Several, as_dict), {"output": "logit"}, "output='logit' picks nothing from the outputs of Several, a dict of {'logits': (2, 10), 'hidden': (2, 20)}: KeyError"),
    (partial(Several, as_tuple), {"output": 1}, "the task digits has 10 classes: the model must give (batch, 10), and gives (batch, 20)."),
    (partial(Several, as_tuple), {"output": len}, "output=<built-in function len> must pick a tensor, and picks a value of type int."),
    (Plain, {"output": True}, "output must be a place, a key or a function, got True."),
    (Plain, {"output": 1.5}, "output must be a place, a key or a function, got 1.5."),
    (lambda: nn.Sequential(nn.Linear(64, 64), nn.ReLU()), {}, "the task digits has 10 classes: the model must give (batch, 10), and gives (batch, 64)."),
    (lambda: nn.Linear(32, 10), {}, "<lambda> fails on the inputs of the task digits, (batch, 64) float32: RuntimeError: mat1 and mat2"),
    (nn.ModuleList([Plain()]), {}, "ModuleList fails on the inputs of the task digits, (batch, 64) float32: NotImplementedError"),
    (Moody, {}, "Moody gives (batch, 10) in evaluation and (batch, 20) in training; give the same in both"),
    (Ruined, {}, "Ruined gives infinity before any training; look at its initial weights and at the data's scale."),
    (Severed, {}, "Severed cuts off the gradient: its prediction depends on no weight."),
    (Rounded, {}, "Rounded must give real numbers, and gives int64."),
    (layers(nn.ReLU()).double(), {}, "Sequential has 0.weight in float64, and the data are in float32; take its .float()."),
    (layers(nn.ReLU()).half(), {}, "Sequential has 0.weight in float16, and the data are in float32; take its .float()."),
    (layers(nn.ReLU()).to("meta"), {}, "Sequential has 0.weight on meta, and the runs are made on the processor; make it there"),
    (nn.Linear(64, 10, dtype=torch.complex64), {}, "Linear has weight in complex numbers, and the runs are in real ones."),
    (nn.ReLU(), {}, "ReLU has no weight to train."),
    (layers(nn.ReLU()).requires_grad_(False), {}, "Sequential has no weight to train."),
    (nn.DataParallel(layers(nn.ReLU())), {}, "DataParallel spreads a model over devices, and each run has one; pass the model inside it, its .module."),
    (torch.compile(layers(nn.ReLU())), {}, "OptimizedModule is compiled, which hides its activations; pass it as it was before."),
    (nn.Linear, {}, "a model is made without arguments, or with one that makes its activations, and Linear needs in_features and out_features; bind the others, as in functools.partial(Linear, …)."),
    (partial(nn.Linear, 64), {}, "Linear: making it fails: TypeError: empty()"),
    (lambda: 3, {}, "<lambda> must make a torch.nn.Module, and gives a value of type int."),
    (lambda: None, {}, "<lambda> must make a torch.nn.Module, and gives None."),
    (lambda: 1 / 0, {}, "<lambda>: making it fails: ZeroDivisionError: division by zero."),
    (3, {}, "model must be the name of a built-in network, such as 'mlp', or your own; pass a torch.nn.Module, a callable that makes one, or its place, as in 'file.py:Model'; got 3."),
    (None, {}, "model must be the name of a built-in network"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "options", "message"), WRONG, ids=[message for *_, message in WRONG])
def test_a_model_that_cannot_be_trained_is_refused(model, options, message):
    with pytest.raises((TypeError, ValueError)) as told:
        resolve(model, make_task(), **options)
    assert str(told.value).startswith(f"compare: {message}")
    assert "\n" not in str(told.value)


def test_a_scripted_model_is_refused():
    with pytest.raises(TypeError, match=r"compare: RecursiveScriptModule is compiled by torch\.jit"):
        resolve(torch.jit.script(layers(nn.ReLU())), make_task())


WANTED = [
    ("binary", 1, "is a yes or no, for one logit: the model must give (batch, 1), and gives (batch,); add .unsqueeze(-1)."),
    ("regression", 1, "has 1 column of targets: the model must give (batch, 1), and gives (batch,); add .unsqueeze(-1)."),
    ("regression", 3, "has 3 columns of targets: the model must give (batch, 3), and gives (batch,)."),
    ("count", 1, "is of counts, for one number: the model must give (batch, 1), and gives (batch,); add"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "outputs", "message"), WANTED)
def test_the_shape_that_a_task_wants_is_told(kind, outputs, message):
    model = nn.Sequential(nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 1), nn.Flatten(0))
    with pytest.raises(ValueError, match=r"^compare: the task digits ") as told:
        resolve(model, make_task((64,), kind, outputs))
    assert str(told.value).startswith(f"compare: the task digits {message}")


def test_the_shape_that_a_segmentation_wants_is_told():
    with pytest.raises(
        ValueError, match=r"wants a logit for each pixel: the model must give \(batch, 1, 8, 8\), and gi"
    ):
        resolve(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()), make_task((1, 8, 8), "segmentation", 1))


# ------------------------------------------------------------------------------- what no seed decides


def growing():
    growing.width += 1
    return nn.Sequential(nn.Linear(64, growing.width), nn.ReLU(), nn.Linear(growing.width, 10))


growing.width = 3


def of_the_seeds_width():
    width = int(torch.randint(5, 50, ()))
    return nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))


def of_its_own_numbers():
    generator = torch.Generator()
    generator.seed()
    model = layers(nn.ReLU())
    nn.init.normal_(model[0].weight, generator=generator)
    return model


SHARED = layers(nn.ReLU())

UNDECIDED = [
    (lambda: SHARED, "<lambda> gives the same weights each time it is called, which runs would share; make new ones in it, or pass the module itself."),
    (lambda: nn.Sequential(SHARED, nn.Tanh(), nn.Linear(10, 10)), "<lambda> gives the same weights each time"),
    (growing, "growing gives other weights each time, though torch's, NumPy's and Python's generators start alike"),
    (of_its_own_numbers, "of_its_own_numbers gives other weights each time"),
    (of_the_seeds_width, "of_the_seeds_width makes models of differing shapes: 0.weight has "),
]  # fmt: skip


@pytest.mark.parametrize(("factory", "message"), UNDECIDED, ids=[message for _, message in UNDECIDED])
def test_a_factory_that_the_seed_does_not_decide_is_refused(factory, message):
    with pytest.raises(ValueError, match=r"^compare: ") as told:
        resolve(factory, make_task())
    assert str(told.value).startswith(f"compare: {message}")
