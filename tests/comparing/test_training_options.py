"""Optimizers, schedules, patience, augmentation, steps and weights of users, alike in the stack and the loop."""

import functools
import math

import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

import torch
from torch import nn

import slopes
from conftest import TINY
from helpers import mark_exhaustive
from slopes.comparing import Study
from slopes.comparing.plain import OWN
from slopes.comparing.report import page
from slopes.comparing.settings import Settings
from slopes.comparing.training.common import Augmented
from slopes.comparing.training.initial import gain, initialise
from slopes.comparing.training.optimisers import Optimiser
from slopes.comparing.training.schedules import factors


@pytest.fixture(autouse=True)
def no_page(monkeypatch):
    monkeypatch.setattr(Study, "report", lambda study: None)


X = torch.randn(120, 4, generator=torch.Generator().manual_seed(0))
DATA = X, (X @ torch.tensor([[1.0, -1, 0], [0, 1, -1], [1, 1, 1], [0, 0, 1]])).argmax(1)


def train(tmp_path, engine="loop", model="mlp(hidden=8)", **options):
    given = TINY | {"epochs": 3, "rates": [0.03], "batch_size": 16, "activations": ["relu", "tanh"]} | options
    study = slopes.compare(model, DATA, losses=["cross_entropy"], out=tmp_path, **given | {"engine": engine})
    assert not study.failures
    return study.runs


def losses(runs):
    return [loss for run in runs for loss in run.training_loss if loss is not None]


def noisy(inputs):
    return inputs + 0.5 * torch.randn(inputs.shape).to(inputs)  # the same numbers on any device


def relabelled(inputs, targets):
    return inputs.flip(0), targets.flip(0).roll(1)


def steep(model, activation):
    for parameter in model.parameters():
        parameter.mul_(2.0 if activation is slopes.relu else 0.5)


BOTH = [
    {"optimizer": "sgd(momentum=0.9, weight_decay=0.01, nesterov=True)", "rates": [0.03, 0.1]},
    {"optimizer": "adam(betas=(0.8, 0.99), weight_decay=0.1)"},
    {"optimizer": "adamw(weight_decay=0.5)", "schedule": "cosine(warmup=0.3)"},
    {"schedule": lambda share: 1 / (1 + share)},
    {"patience": 1, "epochs": 6, "rates": [0.3]},
    {"augment": noisy},
    {"augment": relabelled},
    {"init": "fitted"},
    {"init": steep},
]


@pytest.mark.parametrize("options", mark_exhaustive(BOTH, every=4), ids=" ".join)
def test_the_stack_trains_as_the_loop_does(tmp_path, options):
    stack, loop = (train(tmp_path, engine, **options) for engine in ("stack", "loop"))
    assert {run.engine for run in stack} == {"stack"}
    assert losses(stack) == pytest.approx(losses(loop), rel=2e-3)
    for one, other in zip(stack, loop, strict=True):
        assert one.curve == pytest.approx(other.curve, abs=0.05)
        assert one.validation == pytest.approx(other.validation, abs=0.05)
        assert [loss is None for loss in one.training_loss] == [loss is None for loss in other.training_loss]
    plain = train(tmp_path, "loop", **{name: options[name] for name in ("epochs", "rates") if name in options})
    if "patience" not in options:
        assert losses(plain) != pytest.approx(losses(loop), rel=1e-2)


@pytest.mark.parametrize(
    ("named", "own"),
    [
        ("sgd(momentum=0.9, weight_decay=0.01)", functools.partial(torch.optim.SGD, momentum=0.9, weight_decay=0.01)),
        ("adamw(weight_decay=0.5)", functools.partial(torch.optim.AdamW, weight_decay=0.5)),
        ("adam(eps=0.1, betas=(0.8, 0.9))", functools.partial(torch.optim.Adam, eps=0.1, betas=(0.8, 0.9))),
    ],
    ids=["sgd", "adamw", "adam"],
)
def test_an_optimizer_is_that_of_pytorch(tmp_path, named, own):
    one, other = train(tmp_path, optimizer=named), train(tmp_path, "auto", optimizer=own)
    assert losses(one) == pytest.approx(losses(other), rel=1e-4)
    assert {run.why for run in other} == {"your own optimizer trains one network"}


def test_the_page_says_how_was_trained(tmp_path, monkeypatch):
    monkeypatch.undo()
    given = TINY | {"epochs": 2, "rates": [0.03], "seeds": 1, "workers": 1}
    study = slopes.compare(
        "mlp(hidden=2)", DATA, activations=["relu", "own"], losses=["cross_entropy"], out=tmp_path, clip=1, patience=1,
        optimizer=torch.optim.NAdam, schedule="cosine", augment=noisy, precision="bfloat16", **given,
    )  # fmt: skip
    page = (tmp_path / "report.html").read_text()
    words = "NAdam, batches of 64, 2 epochs, gradients clipped to a norm of 1, the schedule cosine, judged at the best epoch"
    assert f"{words} and ended 1 epoch later, augment by noisy, in bfloat16.</dd>" in page
    assert "torch.optim.nadam.NAdam," in page
    assert study.best().model(DATA[0]).shape == (120, 3)


@pytest.mark.parametrize(
    ("optimizer", "words"),
    [("adam", "Adam"), (" sgd(momentum=0.9) ", "SGD(momentum=0.9)"), (torch.optim.NAdam, "NAdam")],
)
def test_an_optimizer_has_a_title_on_the_page(optimizer, words):
    assert page._training(Settings(optimizer=optimizer)).startswith(f"{words}, batches of")


def test_schedules_are_those_of_pytorch():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)
    expected = []
    for _ in range(20):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert factors("cosine", 20) == pytest.approx(expected)
    assert factors("linear(warmup=0.5)", 8) == pytest.approx([0.25, 0.5, 0.75, 1, 1, 0.75, 0.5, 0.25])
    assert factors("constant(warmup=0.25)", 8) == pytest.approx([0.5, *[1] * 7])
    assert factors(None, 2) == [1, 1]
    assert factors(math.sqrt, 4) == pytest.approx([0, 0.5, math.sqrt(0.5), math.sqrt(0.75)])


@pytest.mark.parametrize("engine", ["stack", "loop"])
def test_a_run_is_judged_at_its_best_epoch(tmp_path, engine):
    runs = train(tmp_path, engine, patience=2, epochs=8, rates=[0.3], seeds=4)
    full = train(tmp_path, engine, epochs=8, rates=[0.3], seeds=4)
    ends = []
    for run, whole in zip(runs, full, strict=True):
        curve = whole.curve
        best = 0
        for epoch, score in enumerate(curve):
            if epoch > best + 2:
                break
            best = epoch if score > curve[best] else best
        end = min(best + 3, 8)
        ends.append(end)
        assert run.validation["accuracy"] == pytest.approx(curve[best])
        assert run.curve == pytest.approx([*curve[:end], *[curve[best]] * (8 - end)])
        assert run.training_loss == [*whole.training_loss[:end], *[None] * (8 - end)]
        assert [norms is None for norms in run.gradient] == [loss is None for loss in run.training_loss]
    assert min(ends) < 8
    assert any(run.validation != whole.validation for run, whole in zip(runs, full, strict=True))


def penalised(model, inputs, targets, loss):
    weights = sum(parameter.square().sum() for parameter in model.parameters())
    return loss(model(inputs), targets) + model(2 * inputs).square().mean() + weights


def accumulated(model, inputs, targets, loss):
    """Two halves of a batch, whose gradients add up."""
    parts = [loss(model(x), y) / 2 for x, y in zip(inputs.chunk(2), targets.chunk(2), strict=True)]
    for part in parts:
        part.backward()
    return sum(parts).detach()


class Wobbly(nn.Module):
    def forward(self, inputs):
        return inputs + 0.5 * torch.randn(inputs.shape).to(inputs)  # the same numbers on any device


def scaled_by(inputs, *factors, **options):
    return inputs


@pytest.mark.parametrize(
    "function", [Wobbly(), nn.Dropout(0.1), torch.neg, scaled_by, functools.partial(torch.mul, other=2)]
)
def test_an_augmentation_of_one_argument_changes_the_inputs_alone(function):
    inputs, targets = Augmented(function)([3], X[None], DATA[1][None])
    assert inputs.shape == (1, *X.shape)
    torch.testing.assert_close(targets[0], DATA[1])


def descended(model, inputs, targets, loss):
    found = loss(model(inputs), targets)
    found.backward()
    return found.item()


def test_a_step_may_give_a_plain_number(tmp_path):
    assert losses(train(tmp_path, step=descended)) == pytest.approx(losses(train(tmp_path)), rel=1e-5)


def test_counts_of_steps_lie_where_the_weights_lie():
    """The fused kernels of a GPU refuse those of the processor."""
    for device in ("cpu", "meta"):
        weight = torch.zeros(3, device=device)
        assert Optimiser("adam", [([weight], 0.1)])._steps[0][0].device == weight.device


def test_a_step_of_ones_own(tmp_path):
    plain = losses(train(tmp_path))
    assert losses(train(tmp_path, step=accumulated)) == pytest.approx(plain, rel=1e-5)
    runs = train(tmp_path, "stack", step=penalised)
    assert losses(runs)[0] > 2 * plain[0]
    assert {(run.engine, run.why) for run in runs} == {("loop", "your own step trains one network")}


def test_bfloat16_is_coarse_and_trains(tmp_path):
    plain, half = losses(train(tmp_path)), train(tmp_path, "auto", precision="bfloat16")
    assert losses(half) == pytest.approx(plain, rel=0.05)
    assert losses(half) != pytest.approx(plain, rel=1e-4)
    assert {run.why for run in half} == {"networks on cpu in bfloat16 are trained one by one"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize(
    "model", ["mlp(hidden=8)", lambda: nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 3))]
)
def test_a_gpu_trains_as_the_processor_does(tmp_path, model):
    given = {"model": model, "schedule": "cosine", "clip": 1.0, "augment": noisy, "patience": 2}
    plain, there = train(tmp_path, **given), train(tmp_path, "auto", device="cuda", **given)
    assert losses(there) == pytest.approx(losses(plain), rel=1e-3)


@pytest.mark.parametrize("function", [slopes.relu, slopes.tanh, slopes.silu, nn.ELU])
def test_fitted_weights_keep_the_variance(function):
    z = torch.randn(100_000, generator=torch.Generator().manual_seed(0))
    made = function() if isinstance(function, type) else function
    assert float((gain(function) * made(z)).square().mean()) == pytest.approx(1, rel=0.02)


@torch.no_grad()
def test_fitted_weights_leave_constant_ones_and_know_the_models_own_activation():
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    model.scale, model.place = nn.Parameter(torch.full((3, 4), 0.1)), nn.Parameter(torch.zeros(3, 4))
    initialise("fitted", model, OWN, 0)
    assert float(model[2].weight.std(correction=0)) == pytest.approx(math.sqrt(2 / 16), rel=1e-3)
    assert float(model[0].weight.std(correction=0)) == pytest.approx(math.sqrt(1 / 8), rel=1e-3)
    torch.testing.assert_close(model.scale, torch.full((3, 4), 0.1))
    assert not model.place.any()


@torch.no_grad()
def test_fitted_weights_keep_the_variance_through_layers():
    torch.manual_seed(0)
    layers = [part for _ in range(4) for part in (nn.Linear(256, 256, bias=False), nn.ReLU())]
    model = nn.Sequential(*layers[:-1])
    x = torch.randn(500, 256, generator=torch.Generator().manual_seed(0))
    assert float(model(x).square().mean()) < 0.1
    initialise("fitted", model, slopes.relu, 0)
    assert float(model(x).square().mean()) == pytest.approx(1, abs=0.3)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("optimizer", "sgd(momentun=0.9)", "sgd has no setting 'momentun'; did you mean 'momentum'?"),
        (
            "schedule",
            "cosin",
            "schedule must be one of 'constant', 'cosine', 'linear', got 'cosin'; did you mean 'cosine'?",
        ),
        ("optimizer", "adam(betas=0.9)", "betas of adam must be two numbers >= 0 and < 1, got 0.9."),
        ("optimizer", "adamw(weight_decay=-1)", "weight_decay of adamw must be a finite number >= 0, got -1."),
        ("optimizer", "adam(eps=small)", "eps of adam must be a finite number >= 0, got 'small'."),
        ("optimizer", "sgd(momentum=9)", "momentum of sgd must be a number >= 0 and < 1, got 9."),
        ("optimizer", "sgd(momentum=0.9, nesterov=1)", "nesterov of sgd must be True or False, got 1."),
        (
            "optimizer",
            "sgd(nesterov=True)",
            "nesterov of sgd needs a momentum, as in 'sgd(momentum=0.9, nesterov=True)'.",
        ),
        ("schedule", "cosine(warmup=500)", "warmup of cosine must be a share of the steps, >= 0 and < 1, got 500."),
        ("step", "mine", "step must be a function, got 'mine'."),
        ("augment", 3, "augment must be a function, got 3."),
        (
            "optimizer",
            torch.optim.SGD(nn.Linear(1, 1).parameters()),
            "optimizer must be a name or a function, so that each network has its own; got SGD object.",
        ),
        ("device", "cuba", "no device 'cuba' here: "),
        ("patience", 0, "patience must be a whole number of at least 1, got 0."),
    ],
)
def test_an_option_that_is_none_is_refused(option, value, words):
    with pytest.raises((TypeError, ValueError)) as told:
        slopes.compare(**{option: value})
    assert str(told.value).startswith(f"compare: {words}")
