"""Losses that no kind describes are audited by an example batch, the roles of its tensors, and a way to call them."""

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("click")

import torch.nn.functional as F  # noqa: E402
from click.testing import CliRunner  # noqa: E402
from torch import nn  # noqa: E402

import slopes  # noqa: E402
from slopes import cli  # noqa: E402
from slopes.auditing.roles import example_kind  # noqa: E402
from slopes.kinds.declared import ROLES  # noqa: E402


def rows(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def weighted(prediction, target, weight):
    return (weight * (prediction - target.unsqueeze(-1)) ** 2).sum() / weight.sum().clamp(min=1e-9)


def squared_weights(prediction, target, weight):
    return (weight**2 * (prediction - target.unsqueeze(-1)) ** 2).sum() / weight.sum().clamp(min=1e-9)


def masked(prediction, target, mask):
    error = torch.where(mask, prediction - target, 0.0)
    return (error**2).sum() / mask.sum().clamp(min=1)


def padded(prediction, target, mask):
    return (torch.where(mask, prediction - target, 0.0) ** 2).mean()


EXAMPLES = {
    weighted: (rows(6, 2), rows(6), torch.rand(6, 2) + 0.5),
    masked: (rows(6, 4), rows(6, 4, seed=1), torch.arange(24).reshape(6, 4) % 3 != 1),
}
FAULTY = {
    squared_weights: (weighted, "sample_weights", "training overrates heavy samples"),
    padded: (masked, "mask_independence", "training takes smaller steps the more padding a batch has"),
}


def test_a_mask_may_hide_where_it_is_true():
    def hiding(prediction, target, mask):
        return masked(prediction, target, ~mask)

    prediction, target, mask = EXAMPLES[masked]
    for other in (~mask, torch.arange(24).reshape(6, 4) % 5 == 0):
        report = slopes.audit(hiding, example=(prediction, target, other), quick=True)
        assert (report.ok, "mask_independence" in report.ran) == (True, True), str(report)


@pytest.mark.parametrize("subject", FAULTY, ids=lambda subject: subject.__name__)
def test_weights_and_masks_among_the_arguments(subject):
    sound, check, told = FAULTY[subject]
    example = EXAMPLES[sound]
    (finding,) = (f for f in slopes.audit(subject, example=example, quick=True).findings if f.check == check)
    assert (finding.severity, finding.message.partition(":")[0]) == ("warning", told)
    report = slopes.audit(sound, example=example, quick=True)
    assert (report.ok, check in report.ran) == (True, True), str(report)


class Center(nn.Module):
    def __init__(self, classes=4, size=3):
        super().__init__()
        self.centers = nn.Parameter(torch.linspace(-1, 1, classes * size).reshape(classes, size))

    def forward(self, features, labels):
        return ((features - self.centers[labels]) ** 2).sum(-1).mean()


def test_parameters_of_a_loss_are_a_fact_and_stay_as_they_are():
    loss = Center()
    before = copy.deepcopy(loss.state_dict())
    report = slopes.audit(loss, example={"features": rows(8, 3), "labels": torch.arange(8) % 4}, quick=True)
    assert report.ok, str(report)
    assert any("centers (4, 3)" in fact and "optimiser" in fact for fact in report.facts)
    assert torch.equal(loss.centers, before["centers"])
    assert loss.centers.grad is None


def test_a_model_that_the_call_names_is_left_alone():
    model = nn.Linear(4, 1)
    before = copy.deepcopy(model.state_dict())

    def loss(model, x):
        return model(x).square().mean()

    report = slopes.audit(loss, example=(rows(8, 4),), roles=["input"], call=lambda f, batch: f(model, *batch))
    assert report.ok, str(report)
    assert "connectivity" in report.ran
    assert all(torch.equal(x, before[name]) for name, x in model.state_dict().items())
    assert model.weight.dtype == torch.float32
    assert model.weight.grad is None


def test_a_teacher_that_is_not_to_learn_is_no_fault():
    student, teacher = nn.Linear(4, 2), nn.Linear(4, 2)

    def imitation(prediction, target):
        return F.mse_loss(prediction, target.detach())

    def call(loss, batch):
        return loss(student(batch[0]), teacher(batch[0]))

    report = slopes.audit(imitation, example=(rows(8, 4),), roles=["input"], call=call, quick=True)
    assert not [f for f in report.findings if f.check == "connectivity"], str(report)


def test_arguments_that_a_call_reorders():
    def entropy(*, truth, scores):
        return F.cross_entropy(scores, truth)

    given = {"truth": torch.arange(8) % 4, "scores": rows(8, 4)}
    call = lambda f, batch: f(truth=batch[0], scores=batch[1])  # noqa: E731
    report = slopes.audit(entropy, example=given, roles=("labels", "logits"), call=call, quick=True)
    assert report.ok, str(report)
    assert "direction" in report.ran
    turned = slopes.audit(lambda **x: -entropy(**x), example=given, roles=("labels", "logits"), call=call, quick=True)
    assert [f.check for f in turned.findings if f.severity == "error"] == ["direction"]


def test_what_cannot_be_checked_is_skipped_with_the_reason():
    report = slopes.audit(weighted, example=EXAMPLES[weighted])
    assert "what it is to elicit was not declared" in report.reasons or "no best constant" in str(report.reasons)
    assert not any("the check itself failed" in reason for reason in report.reasons)


def test_a_batch_that_the_loss_refuses_is_a_finding():
    report = slopes.audit(weighted, example=(rows(6, 2), rows(6, 3), torch.ones(6, 2)))
    assert [f.check for f in report.findings] == ["calling"]


WRONG = [
    ({"example": rows(6)}, TypeError, "example must be a tuple or dict of tensors"),
    ({"example": (1, 2)}, TypeError, "example must hold tensors or arrays, got 1"),
    ({"example": (rows(6), rows(6)), "roles": ("prediction",)}, ValueError, "the role of each of the 2 tensors"),
    ({"example": (rows(6),), "roles": ("preds",)}, ValueError, "a role must be"),
    ({"example": {"a b": rows(6)}}, ValueError, "must be a Python identifier, got 'a b'"),
    ({"example": (rows(6),), "kind": "binary"}, ValueError, "kind is for losses without example"),
    ({"roles": ("prediction",)}, ValueError, "of example, which is missing"),
    ({"example": (rows(6),), "call": 3}, TypeError, "call must be a function"),
    ({"example": (torch.tensor(1.0),)}, ValueError, "needs one row per sample, got prediction ()"),
]


@pytest.mark.parametrize(("declared", "error", "told"), WRONG)
def test_wrong_declarations(declared, error, told):
    with pytest.raises(error, match=told):
        slopes.audit(weighted, **declared)


FILE = """
import torch

def dpo(chosen, rejected, beta):
    return -torch.nn.functional.logsigmoid({sign}beta * (chosen - rejected)).mean()

BETA = 0.1
"""
DECLARED = ["--example", "torch.randn(8), torch.randn(8)", "--roles", "chosen,rejected"]
CALL = ["--call", "lambda loss, batch: loss(*batch, beta=BETA)"]


@pytest.mark.parametrize(("sign", "status"), [("", 0), ("-", 1)])
def test_declarations_as_text(sign, status, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(FILE.format(sign=sign))
    told = CliRunner().invoke(cli.main, ["audit", f"{file}:dpo", *DECLARED, *CALL, "--quick", "--details"])
    assert told.exit_code == status, told.output
    assert ("call = lambda loss, batch: loss(*batch, beta=BETA)" in told.output) == bool(status)
    assert ("error: direction" in told.output) == bool(status)


def test_text_that_cannot_be_evaluated():
    with pytest.raises(ValueError, match=r"cannot evaluate example 'randn\(8\),': NameError: name 'randn'"):
        slopes.audit(weighted, example="randn(8),")


def test_more_than_three_arguments_are_refused_with_advice():
    with pytest.raises(TypeError, match="give example="):
        slopes.audit(lambda a, b, c, d: a + b + c + d)


def test_drawn_tensors_keep_the_bounds_of_their_example():
    shares = torch.softmax(rows(6, 3), -1)
    batch = (shares, shares.log(), torch.sigmoid(rows(6)), rows(6).exp(), torch.arange(6) % 2 == 0, torch.ones(6))
    roles = ("probabilities", "log_probabilities", "target", "positive", "mask", "weight")
    kind, place = example_kind(batch, roles, None)
    assert place == 0
    for count in (2, 6, 9):
        one, logs, unit, positive, mask, weight = kind.examples({}).sample(np.random.default_rng(0), (count, 3))
        assert len(one) == len(weight) == count
        assert np.allclose(one.sum(-1), 1)
        assert np.allclose(np.exp(logs).sum(-1), 1)
        assert ((unit > 0) & (unit < 1)).all()
        assert (positive > 0).all()
        assert mask.dtype == bool
        assert (weight == 1).all()
        assert not np.isin(one, shares.double().numpy()).any()


def test_roles_are_guessed_by_names_and_types():
    kind, _ = example_kind((rows(6, 2), rows(6, 2), torch.arange(6), torch.ones(6) > 0), None, None)
    assert kind.roles == ("prediction", "target", "labels", "mask")
    kind, _ = example_kind({"student_logits": rows(6, 2), "teacher": rows(6, 2), "y": torch.arange(6)}, None, None)
    assert kind.roles == ("logits", "teacher", "labels")
    kind, _ = example_kind({"log_probabilities": -rows(6, 2).abs(), "y": torch.arange(6)}, None, None)
    assert kind.roles == ("log_probabilities", "labels")
    kind, _ = example_kind({"input": rows(6, 2), "target": rows(6, 2)}, None, None)
    assert kind.roles == ("prediction", "target")
    kind, _ = example_kind({"input": rows(6, 2), "prediction": rows(6, 2)}, None, None)
    assert kind.roles == ("prediction", "input")
    assert set(kind.roles) <= ROLES.keys()
