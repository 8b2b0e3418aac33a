"""Losses and activations that are no cards are trained as they are."""

import functools
import json

import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

import torch
from click.testing import CliRunner
from torch import nn
from torch.nn import functional as F

import slopes
from conftest import TINY
from slopes.cli import main
from slopes.comparing import Study
from slopes.comparing.feeding import Unfit, feed
from slopes.comparing.plain import _CARDS, _FUNCTIONS, as_loss
from slopes.comparing.repeating import write_call
from slopes.comparing.tasks import resolve

QUICK = TINY | {"epochs": 1, "rates": [0.01], "seeds": 1}


@pytest.fixture(autouse=True)
def no_page(monkeypatch):
    """The page is not looked at here, and takes half of the time."""
    monkeypatch.setattr(Study, "report", lambda study: None)


def made(*shape, samples=60):
    return torch.randn(samples, *shape, generator=torch.Generator().manual_seed(0))


FLOWERS = made(4), torch.arange(60) % 3
TASKS = {
    "classes": FLOWERS,
    "yes or no": (made(4), torch.arange(60) % 2 == 0),
    "numbers": (made(4), made(2)),
    "counts": (made(4), 3 * torch.arange(60)),
}


@pytest.fixture(scope="module", params=TASKS)
def task(request):
    return resolve(TASKS[request.param])


@pytest.mark.filterwarnings("ignore:reduction. 'mean'")
@pytest.mark.parametrize("name", _CARDS)
def test_a_loss_of_pytorch_is_fed_like_its_card(task, name):
    """Its value, on what it is fed, is the card's."""
    loss, card = as_loss(getattr(nn, name)()), _CARDS[name]
    function = next(function for function, kind in _FUNCTIONS.items() if kind == name)
    try:
        fed = feed(card, task)
    except Unfit:
        with pytest.raises(Unfit):
            feed(loss, task)
        return
    outputs = torch.randn(30, task.outputs, generator=torch.Generator().manual_seed(0))
    expected = card(*fed(outputs, task.targets[:30]))
    for given in (loss, as_loss(function)):
        value = given(*feed(given, task)(outputs, task.targets[:30]))
        torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-6)


def brier(outputs, labels):
    return (torch.softmax(outputs, 1) - F.one_hot(labels, 3)).square().sum(1)


def test_values_of_samples_are_averaged():
    outputs, labels = made(3), FLOWERS[1]
    assert float(as_loss(brier)(outputs, labels)) == pytest.approx(float(brier(outputs, labels).mean()))
    with pytest.raises(ValueError, match="brier: the values of single samples are unknown"):
        as_loss(brier)(outputs, labels, reduction="none")


def test_losses_of_every_form_are_trained(tmp_path):
    losses = [
        slopes.cross_entropy,
        F.cross_entropy,
        nn.CrossEntropyLoss(label_smoothing=0.1),
        functools.partial(slopes.cross_entropy, label_smoothing=0.1),
        functools.partial(slopes.cross_entropy, class_weight=torch.arange(1.0, 4.0)),
        nn.CrossEntropyLoss(weight=torch.arange(1.0, 4.0)),
        brier,
        "mse",
        "torch.nn.L1Loss",
    ]
    study = slopes.compare("mlp(hidden=8)", FLOWERS, activations=["relu"], losses=losses, out=tmp_path, **QUICK)
    assert study.plan.names["loss"] == [
        "slopes.cross_entropy", "cross_entropy", "CrossEntropyLoss(label_smoothing=0.1)",
        "cross_entropy(label_smoothing=0.1)", "cross_entropy(class_weight=…)", "CrossEntropyLoss(weight=…)", "brier",
        "mse", "L1Loss",
    ]  # fmt: skip
    assert {run.engine for run in study.runs} == {"stack"}
    assert not study.failures
    curves = [run.training_loss[0] for run in study.runs]
    for one, other in [(0, 1), (2, 3), (4, 5)]:
        assert curves[one] == pytest.approx(curves[other], rel=1e-5)
    assert len({round(loss, 4) for loss in curves}) == len(losses) - 3
    text = write_call(study)
    assert "torch.nn.CrossEntropyLoss(label_smoothing=0.1)" in text
    assert "functools.partial(slopes.cross_entropy, label_smoothing=0.1)" in text
    assert "torch.nn.functional.cross_entropy" in text


def test_the_loop_trains_plain_losses_as_the_stack_does(tmp_path):
    given = {"activations": ["relu", torch.tanh], "losses": [brier, nn.CrossEntropyLoss()]}
    stack, loop = (
        slopes.compare(data=FLOWERS, **given, out=tmp_path / engine, **QUICK | {"engine": engine})
        for engine in ("stack", "loop")
    )
    for one, other in zip(stack.runs, loop.runs, strict=True):
        assert one.training_loss == pytest.approx(other.training_loss, rel=1e-4)


@pytest.mark.exhaustive
def test_losses_of_other_libraries_are_trained(tmp_path):
    dice = pytest.importorskip("monai.losses").DiceLoss(sigmoid=True, batch=True)
    focal = pytest.importorskip("kornia.losses").BinaryFocalLossWithLogits(alpha=0.25, reduction="mean")
    data = made(1, 8, 8), (made(8, 8) > 0).float()
    study = slopes.compare("cnn(channels=2)", data, activations=["relu"], losses=[dice, focal], out=tmp_path, **QUICK)
    assert not study.failures
    assert study.plan.names["loss"] == ["DiceLoss(sigmoid=True, batch=True)", "BinaryFocalLossWithLogits"]


def test_functions_are_activations(tmp_path):
    study = slopes.compare(
        data=FLOWERS, activations=[F.gelu, torch.tanh, torch.atan, "elu(alpha=0.5)"], losses=["cross_entropy"],
        baseline=torch.atan, out=tmp_path, **QUICK,
    )  # fmt: skip
    assert study.plan.names["activation"] == ["GELU", "Tanh", "atan", "elu(alpha=0.5)"]
    assert study.baseline.activation == "atan"


class Called(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(4, 8), nn.Linear(8, 3)

    def forward(self, x):
        return self.last(F.relu(self.first(x)))


@pytest.mark.parametrize(
    "model", [Called, lambda activation: nn.Sequential(nn.Linear(4, 8), activation(), nn.Linear(8, 3))]
)
def test_activations_are_swapped_and_kept(model, tmp_path):
    """A model that calls functions trains like one with modules; "own" is the model as it is."""
    given = {"losses": ["cross_entropy"], "baseline": "relu", "out": tmp_path}
    activations = ["relu", "tanh", *["own"] * (model is Called)]
    curves = []
    for engine in ("stack", "loop"):
        options = QUICK | {"engine": engine, "epochs": 2}
        study = slopes.compare(model, FLOWERS, activations=activations, **given, **options)
        curves.append({run.activation: run.training_loss for run in study.runs})
        assert all(len(run.dead[0]) == (1 if run.activation != "own" else 0) for run in study.runs)
    stack, loop = curves
    for name, curve in stack.items():
        assert curve == pytest.approx(loop[name], rel=1e-4)
    assert stack["relu"] != pytest.approx(stack["tanh"], rel=1e-3)
    assert stack.get("own", stack["relu"]) == pytest.approx(stack["relu"], rel=1e-4)


def test_losses_alone_are_compared(tmp_path):
    """A model without any activation to replace."""
    study = slopes.compare(
        nn.Linear(4, 3), FLOWERS, activations=["own"], losses=["cross_entropy", "mse"], out=tmp_path, **QUICK
    )
    assert [pair.title for pair in study.ranking] in (
        ["own x cross_entropy", "own x mse"], ["own x mse", "own x cross_entropy"]
    )  # fmt: skip
    assert "activations=['own']" in write_call(study)


def test_a_loss_changed_in_its_settings_is_another(tmp_path):
    keys = [
        slopes.compare("mlp(hidden=8)", FLOWERS, activations=["relu"], losses=[loss], out=tmp_path, **QUICK).runs[0].key
        for loss in (
            nn.CrossEntropyLoss(weight=torch.ones(3)),
            nn.CrossEntropyLoss(weight=2 * torch.ones(3)),
            nn.CrossEntropyLoss(label_smoothing=0.1),
            nn.CrossEntropyLoss(label_smoothing=0.2),
        )
    ]
    assert len(set(keys)) == 4


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: slopes.cross_entropy.with_(label_smoothing=0.1),
         r"no parameter 'label_smoothing'; it belongs to a call; bind it by functools.partial\(slopes.cross_entropy, "),
        (lambda: slopes.pinball(quantile=0.9), r"is missing; pinball.with_\(quantile=0.9\) binds parameters"),
    ],
)  # fmt: skip
def test_what_binds_a_parameter_is_said(call, words):
    with pytest.raises(TypeError, match=words):
        call()


def test_the_command_takes_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(
        "def bent(x):\n    return x.clamp(0, 1)\n\n\ndef l4(p, y):\n    return (p - y) ** 4\n"
    )
    common = [
        "compare",
        "mlp(hidden=2)",
        "diabetes",
        "--seeds",
        "1",
        "--epochs",
        "1",
        "--rates",
        "0.01",
        "--workers",
        "1",
    ]
    named = ["--activations", "own,torch.nn.ELU(alpha=0.5),mine.py:bent", "--losses", "mse,torch.nn.L1Loss,mine.py:l4"]
    told = CliRunner().invoke(main, [*common, *named, "--json"])
    table = json.loads(told.stdout)["table"]
    assert {row["activation"] for row in table} == {"own", "ELU", "bent"}
    assert {row["loss"] for row in table} == {"mse", "L1Loss", "l4"}
    told = CliRunner().invoke(main, [*common, "--losses", "mze"])
    assert told.exit_code == 2
    assert "compare: no function 'mze'; did you mean" in told.output
