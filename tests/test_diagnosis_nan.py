"""Where inf or NaN begins: planted in a model, found by `diagnose`, and stopped by `Watcher(stop_on_nan=True)`."""

import math
import weakref

import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

import slopes  # noqa: E402
from slopes.diagnosing import NonFiniteError  # noqa: E402
from slopes.diagnosing.norms import GradientCheck  # noqa: E402


class Head(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def planted(function):
    """A model that ends in a function of numbers of which one row is 0, and a batch."""
    torch.manual_seed(0)
    inputs = torch.randn(64, 8)
    inputs[5] = 0
    return nn.Sequential(nn.Linear(8, 16, bias=False), nn.Tanh(), Head(function)), inputs, torch.zeros(64).long()


CASES = {
    "log of 0": (lambda x: x.square().log(), "forward", "log", "log of 0"),
    "0/0": (lambda x: x / x, "forward", "div", "0/0"),
    "division by 0": (lambda x: 1 / x, "forward", "reciprocal", "division by 0"),
    "overflow": (lambda x: torch.exp(1e3 * x), "forward", "exp", "overflow"),
    "infinite slope": (lambda x: x.square().sqrt(), "backward", "sqrt", "infinite slope"),
    "where": (lambda x: torch.where(x != 0, x.square().sqrt(), 0.0), "backward", "sqrt", "infinite slope"),
}


def mean(output, _):
    return output.mean()


def stopped(model, inputs, target, loss, autocast=None):
    """Take a step that must be stopped; return the origin."""
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    before = [p.detach().clone() for p in model.parameters()]
    watcher = slopes.Watcher(model, stop_on_nan=True)

    def step():
        with watcher:
            with torch.autocast("cpu", autocast, enabled=autocast is not None):
                value = loss(model(inputs), target)
            value.backward()
            optimizer.step()

    with pytest.raises(NonFiniteError) as caught:
        step()
    for old, new in zip(before, model.parameters(), strict=True):
        torch.testing.assert_close(old, new, rtol=0, atol=0, equal_nan=True)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert watcher.origin is caught.value.origin
    assert str(watcher.origin) == str(caught.value)
    return watcher.origin


@pytest.mark.parametrize("name", CASES)
def test_the_operation_is_found(name):
    function, phase, operation, cause = CASES[name]
    model, inputs, target = planted(function)
    by_hand = slopes.diagnose(model, (inputs, target), mean, samples=64)
    by_watcher = stopped(model, inputs, target, mean)
    for found in (by_hand.origin, by_watcher):
        assert (found.phase, found.module, found.operation, found.cause) == (phase, "2 (Head)", operation, cause)
        assert "test_diagnosis_nan.py" in found.line
    assert by_hand.findings[0].kind == "not finite"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_the_range_of_half_types(dtype):
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    with torch.no_grad():
        model[0].weight.fill_(1e3 if dtype is torch.float16 else 1e19)
        model[1].weight.fill_(1e3 if dtype is torch.float16 else 1e20)
    found = stopped(model, torch.ones(4, 8), None, lambda y, _: y.float().square().mean(), dtype)
    assert (found.module, found.operation, found.cause) == ("1 (Linear)", "matmul", "half range")
    assert str(dtype).removeprefix("torch.") in found.message


def test_a_loss_that_begins_it_is_told():
    model, inputs, target = planted(torch.abs)
    found = stopped(model, inputs, target, lambda y, _: y.log().mean())
    assert (found.phase, found.module) == ("before", "the gradient of the loss by the model's output")
    assert "slopes.diagnose" in found.repair
    origin = slopes.diagnose(model, (inputs, target), lambda y, _: y.log().mean(), samples=64).origin
    assert (origin.module, origin.operation, origin.cause) == ("the loss", "log", "log of 0")


def test_inputs_and_weights_that_hold_it():
    model, inputs, target = planted(nn.Identity())
    inputs[3, 2] = math.nan
    assert stopped(model, inputs, target, mean).module == "the model's input"
    model[0].weight.data[0, 0] = math.nan
    assert stopped(model, torch.ones(4, 8), target, mean).module == "the weight 0.weight"


def test_running_statistics_that_a_bad_batch_has_spoilt_are_no_origin():
    model, inputs, target = planted(nn.Identity())
    model = nn.Sequential(Head(lambda x: x / x.norm(dim=1, keepdim=True)), nn.BatchNorm1d(8), *model)
    origin = stopped(model, inputs, target, mean)
    assert (origin.operation, origin.cause) == ("div", "0/0")
    assert "running statistics hold inf or NaN since a forward pass, load them too: 1" in str(origin)
    assert model[1].running_mean.isnan().any()
    model[1].reset_running_stats()
    origin = slopes.diagnose(model, (inputs, target), mean, samples=64).origin
    assert (origin.operation, origin.cause, origin.notes) == ("div", "0/0", ())
    model.eval()
    model[1].running_mean[0] = math.nan  # it is read here
    assert stopped(model, torch.ones(4, 8), target, mean).module == "the buffer 1.running_mean"


def test_inf_in_the_input_is_told_beside_the_operation():
    model, inputs, target = planted(nn.Identity())
    inputs[3, 2] = math.inf
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), *model)
    for origin in (
        stopped(model, inputs, target, mean),
        slopes.diagnose(model, (inputs, target), mean, samples=64).origin,
    ):
        assert (origin.operation, origin.value) == ("matmul", "NaN")
        assert origin.notes[0].startswith("the model's input holds inf: it is float32 [64, 8], ")


def test_two_optimizers_of_one_model():
    """The first has finite gradients, and has stepped."""
    torch.manual_seed(0)
    inputs = torch.randn(64, 4)
    model = nn.Sequential(nn.Linear(4, 8), Head(lambda x: (x * (x > 0)).sqrt()), nn.Linear(8, 1))
    first, second = (torch.optim.SGD(part.parameters(), 0.1) for part in (model[2], model[0]))
    watcher = slopes.Watcher(model, stop_on_nan=True)

    def step():
        with watcher:
            model(inputs).mean().backward()
            first.step()
            second.step()

    with pytest.raises(NonFiniteError):
        step()
    assert (watcher.origin.phase, watcher.origin.operation) == ("backward", "sqrt")
    assert "another optimizer has stepped since the forward pass" in watcher.origin.notes[0]


def test_an_optimizer_with_closures_is_refused():
    model, inputs, target = planted(nn.Identity())
    optimizer = torch.optim.LBFGS(model.parameters())
    with pytest.raises(TypeError, match=r"^diagnose: LBFGS steps with a closure"):
        slopes.diagnose(model, (inputs, target), mean, optimizer=optimizer)


def test_a_batch_in_parts():
    """The first part of two is at fault, and its block has ended before the step."""
    model, inputs, _ = planted(lambda x: x / x)
    optimizer, watcher = torch.optim.SGD(model.parameters(), 0.1), slopes.Watcher(model, stop_on_nan=True)

    def take(part):
        with watcher:
            model(part).mean().backward()
            if part is not inputs:
                optimizer.step()

    take(inputs)
    with pytest.raises(NonFiniteError):
        take(torch.ones(4, 8))
    assert (watcher.origin.operation, watcher.origin.cause, watcher.origin.step) == ("div", "0/0", 1)


def test_a_sound_training_reports_nothing():
    model, inputs, target = planted(nn.Dropout())
    assert slopes.diagnose(model, (inputs, target), F.cross_entropy, samples=64).origin is None
    weights = []
    for make in (lambda m: slopes.Watcher(m, every=3), lambda m: slopes.Watcher(m, every=3, stop_on_nan=True)):
        model, inputs, target = planted(nn.Dropout())
        watcher, optimizer = make(model), torch.optim.Adam(model.parameters())
        for _ in range(5):
            with watcher:
                optimizer.zero_grad()
                F.cross_entropy(model(inputs), target).backward()
                optimizer.step()
        assert watcher.origin is None
        weights.append(model[0].weight)
    assert torch.equal(*weights)


def test_a_step_that_a_scaler_skips_goes_on():
    model, inputs, target = planted(lambda x: x / x)
    scaler, optimizer = torch.amp.GradScaler("cpu"), torch.optim.SGD(model.parameters(), 0.1)
    with slopes.Watcher(model, stop_on_nan=True):
        scaler.scale(mean(model(inputs), target)).backward()
        scaler.step(optimizer)
        scaler.update()
    assert scaler.get_scale() < 2.0**16


class Doubled(torch.autograd.Function):
    """A function of the user's, whose node is one of Python."""

    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient


OUTPUTS = {
    "of a function of Python": (Doubled.apply, lambda y: y.mean()),
    "in a list": (lambda x: list(x.unbind(1)), lambda y: (y[3] * y[15]).mean()),
    "in a dict": (lambda x: {"unused": x.cos(), "used": x.sin()}, lambda y: y["used"].mean()),
    "changed in place": (lambda x: 3 * x, lambda y: y.mul_(2.0).mean()),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_outputs_of_all_sorts(name):
    """The gradient of each reaches the repetition of the backward pass."""
    last, loss = OUTPUTS[name]
    model, inputs, target = planted(lambda x: last(x.square().sqrt()))
    found = stopped(model, inputs, target, lambda y, _: loss(y))
    assert (found.phase, found.module, found.operation) == ("backward", "2 (Head)", "sqrt")


class WithScale(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.scale = nn.Linear(8, 1), nn.Parameter(torch.ones(1))

    def forward(self, x):
        return self.linear(x), self.scale


def test_a_weight_as_an_output():
    """Its gradient is seen, and nothing stays with it, step by step."""
    model, inputs = WithScale(), torch.randn(64, 8)
    found = stopped(model, inputs, None, lambda y, _: y[0].mean() + (y[1] - y[1].detach()).sqrt().sum())
    assert found.module == "the gradient of the loss by the model's output"
    watcher, optimizer, freed = slopes.Watcher(model, stop_on_nan=True), torch.optim.SGD(model.parameters(), 0.1), []
    for _ in range(3):
        with watcher:
            optimizer.zero_grad()
            mean, scale = model(inputs)
            (mean.mean() + scale.sum()).backward()
            freed.append(weakref.ref(watcher._guard._forwards[0].pulls[1]))
            optimizer.step()
    assert not model.scale._backward_hooks
    assert [each() for each in freed] == [None] * 3


def test_a_gradient_that_a_hook_of_the_user_changes():
    """It is the changed gradient that comes to the model."""
    model, inputs, target = planted(torch.abs)

    def loss(y, _):
        y.register_hook(lambda gradient: gradient / 0)
        return y.mean()

    assert stopped(model, inputs, target, loss).module == "the gradient of the loss by the model's output"


def test_the_check_of_gradients():
    check = GradientCheck()
    assert check([])
    for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.complex64):
        weights = [torch.zeros(shape, dtype=dtype, requires_grad=True) for shape in ((3, 5), (7,), (), (2, 4, 2))]
        weights.append(torch.zeros(2, requires_grad=True))  # without a gradient
        for weight in weights[:4]:
            weight.grad = torch.randn(weight.shape).to(dtype)
        weights[3].grad = weights[3].grad.transpose(0, 2).contiguous().transpose(0, 2)
        weights[0].grad[0, 0] = torch.finfo(dtype).max  # whose square is infinite
        before, versions = [w.grad.clone() for w in weights[:4]], [w.grad._version for w in weights[:4]]
        assert check(weights)
        for weight, old, version in zip(weights, before, versions, strict=False):
            assert torch.equal(weight.grad, old)
            assert weight.grad._version == version
        for place in range(4):
            for value in (math.inf, -math.inf, math.nan):
                gradient = weights[place].grad
                last = (-1,) * gradient.ndim
                gradient[last], kept = value, gradient[last].clone()
                assert not check(weights), (dtype, place, value)
                gradient[last] = kept
        assert check(weights)


def test_the_check_of_sparse_and_differentiable_gradients():
    check = GradientCheck()
    table, weight = nn.Embedding(5, 3, sparse=True), torch.ones(3, requires_grad=True)
    loss = (table(torch.tensor([1, 4])) * weight).exp().sum()
    table.weight.grad, weight.grad = torch.autograd.grad(loss, [table.weight, weight], create_graph=True)
    assert weight.grad.requires_grad
    assert check([table.weight, weight])
    weight.grad.sum().backward()  # which would refuse gradients that have been changed
    table.weight.grad._values()[1, 2] = math.nan
    assert not check([weight, table.weight])
