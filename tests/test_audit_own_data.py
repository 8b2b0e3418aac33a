"""The audit looks at the tensors of a real batch: what it tells of each fault, and that it leaves all as it was."""

import pytest

pytest.importorskip("torch")

import torch
from torch import nn
from torch.nn import functional as F

import slopes


def batch_of(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


LABELS = torch.arange(64) % 4
LOGITS, NUMBERS = batch_of(64, 4), batch_of(64, 1)
HALVES = (torch.arange(64) % 2).float()


def squared(prediction, target):
    return ((prediction - target) ** 2).mean()


def clipped_log_loss(probability, target):
    if probability.shape != target.shape:
        raise ValueError("shapes differ")
    return F.binary_cross_entropy(probability.clamp(0.2, 0.8), target)


def own(loss, batch, model=None, **declared):
    """(the findings on the batch, the facts)."""
    report = slopes.audit(loss, model=model, batch=batch, quick=True, **declared)
    assert "own_data" in report.ran, str(report)
    return [f for f in report.findings if f.check == "own_data"], "\n".join(report.facts)


SOUND = [
    (nn.MSELoss(), (NUMBERS, batch_of(64, 1, seed=1)), {}),
    (nn.CrossEntropyLoss(), (LOGITS, LABELS), {}),
    (nn.CrossEntropyLoss(ignore_index=-1), (LOGITS, torch.where(LABELS == 3, -1, LABELS)), {}),
    (nn.CrossEntropyLoss(), (batch_of(2, 3, 8, 8), torch.arange(128).reshape(2, 8, 8) % 3), {}),
    (nn.NLLLoss(), (LOGITS.log_softmax(-1), LABELS), {}),
    (nn.BCEWithLogitsLoss(), (LOGITS[:, 0], HALVES), {}),
    (nn.BCELoss(), (LOGITS[:, 0].sigmoid(), HALVES), {}),
    (nn.TripletMarginLoss(), (LOGITS, (LOGITS + 1, LOGITS.flip(0))), {}),
    (slopes.huber, (NUMBERS, batch_of(64, 1, seed=1)), {}),
]


@pytest.mark.parametrize(("subject", "batch", "declared"), SOUND)
def test_sound_batches_raise_no_alarm(subject, batch, declared):
    findings, facts = own(subject, batch, **declared)
    assert findings == []
    assert "own data: " in facts
    assert "norm" in facts


nan = NUMBERS.clone()
nan[5] = float("nan")
PLANTED = [
    (squared, (NUMBERS, batch_of(64, seed=1)), "error", "(64, 1), target (64,) are broadcast to (64, 64)"),
    (nn.CrossEntropyLoss(), (LOGITS.softmax(-1), LABELS), "warning", "the softmax is taken twice"),
    (nn.BCEWithLogitsLoss(), (LOGITS[:, 0].sigmoid(), HALVES), "warning", "is a sigmoid taken twice"),
    (nn.NLLLoss(), (LOGITS.softmax(-1), LABELS), "warning", "probabilities where log-probabilities are due"),
    (nn.NLLLoss(), (LOGITS, LABELS), "warning", "as their exponentials do not sum to 1"),
    (nn.CrossEntropyLoss(), (LOGITS, LABELS + 1), "error", "labels start at 1"),
    (nn.CrossEntropyLoss(), (LOGITS, LABELS + 3), "error", "the label 4 is none of 4 classes"),
    (nn.CrossEntropyLoss(), (LOGITS, LABELS * 0), "warning", "every label of the batch is 0"),
    (
        nn.CrossEntropyLoss(),
        (batch_of(128, 4), 1 + torch.arange(128) % 3),
        "note",
        "never sees class 0: it is none of 128",
    ),
    (nn.BCEWithLogitsLoss(), (LOGITS[:, 0], 2 * HALVES - 1), "error", "target is -1 and 1"),
    (nn.BCEWithLogitsLoss(), (LOGITS[:, 0], 255 * HALVES), "error", "target is in [0, 255]"),
    (nn.SoftMarginLoss(), (LOGITS[:, 0], HALVES), "error", "learns nothing from targets of 0"),
    (nn.MSELoss(), (nan, NUMBERS), "error", "1 of 64 entries of prediction are NaN or infinite, first in row 5"),
    (nn.MSELoss(), (NUMBERS, batch_of(5, 3)), "error", "raises for prediction (64, 1), target (5, 3)"),
    (clipped_log_loss, (torch.full((64,), 0.95), HALVES), "warning", "nothing from 100% of the predictions"),
]


@pytest.mark.parametrize(("subject", "batch", "severity", "told"), PLANTED)
@pytest.mark.filterwarnings("ignore:Using a target size")
def test_what_is_told_of_each_fault(subject, batch, severity, told, capsys):
    declared = {"space": "probabilities"} if subject is clipped_log_loss else {}
    findings, _ = own(subject, batch, **declared)
    assert [f.severity for f in findings if told in f.message] == [severity], findings
    assert all(f.severity == "note" for f in findings if told not in f.message)
    for finding in findings:
        assert finding.message.startswith("training ")
        exec(finding.reproduce, {})
        assert capsys.readouterr().out


def test_code_of_a_large_batch_stays_short():
    findings, _ = own(nn.CrossEntropyLoss(), (batch_of(2, 3, 64, 64).softmax(1), torch.zeros(2, 64, 64).long()))
    assert [len(f.reproduce) < 2000 for f in findings] == [True, True]
    findings, _ = own(nn.CrossEntropyLoss(), (batch_of(32, 1000).softmax(1), torch.arange(32)))
    assert "# prediction is the batch's, (32, 1000)" in findings[0].reproduce


def test_a_gradient_that_is_lost_is_told():
    def rooted(prediction, target):
        if prediction.shape != target.shape:
            raise ValueError("shapes differ")
        return torch.sqrt(F.mse_loss(prediction, target))

    findings, _ = own(rooted, (NUMBERS, NUMBERS.clone()))
    assert ["its gradient is not finite" in f.message for f in findings] == [True]


def test_the_share_of_each_term():
    terms = {"square": F.mse_loss, "tiny": lambda p, t: 1e-4 * (p - t).abs().mean()}

    def loss(prediction, target):
        return sum(term(prediction, target) for term in terms.values())

    findings, facts = own(loss, (NUMBERS, batch_of(64, 1, seed=1)), kind="regression", terms=terms)
    assert "of the gradient square has 99.9" in facts or "of the gradient square has 100.0" in facts
    assert ["the term tiny: it has 0.0" in f.message for f in findings] == [True]


class Network(nn.Module):
    def __init__(self, end):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 4))
        self.end = end
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return self.end(self.body(x))


def test_a_model_is_run_and_left_as_it_is():
    torch.manual_seed(0)
    model = Network(nn.Softmax(dim=-1))
    before = {name: x.clone() for name, x in model.state_dict().items()}
    random = torch.get_rng_state()
    findings, facts = own(nn.CrossEntropyLoss(), (LOGITS, LABELS), model=model)
    assert ["softmax is taken twice" in f.message for f in findings] == [True]
    assert "by the model's parameters has the norm" in facts
    assert all(torch.equal(x, before[name]) for name, x in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
    assert model.calls == 0
    assert model.training
    assert all(p.grad is None for p in model.parameters())
    assert own(nn.CrossEntropyLoss(), (LOGITS, LABELS), model=Network(nn.Identity()))[0] == []


def test_inputs_come_as_a_tensor_a_tuple_or_by_name():
    class Two(nn.Module):
        def forward(self, a, b):
            return {"logits": a + b}

    for inputs in ((LOGITS, LOGITS), {"a": LOGITS, "b": LOGITS}):
        assert own(nn.CrossEntropyLoss(), (inputs, LABELS), model=Two())[0] == []


def test_a_model_that_raises_is_shown_with_its_inputs():
    (found,), _ = own(nn.MSELoss(), (LOGITS, NUMBERS), model=nn.Linear(3, 1))
    assert "the model raises RuntimeError: mat1 and mat2 shapes cannot be multiplied" in found.message
    assert found.severity == "error"
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        exec(found.reproduce.replace("except Exception as error", "except ZeroDivisionError as error"), {
            "model": nn.Linear(3, 1), "inputs": LOGITS,
        })  # fmt: skip


def test_a_loss_may_keep_no_ignored_label():
    loss = nn.CrossEntropyLoss()
    loss.forward = lambda prediction, target: F.cross_entropy(prediction, target)
    loss.ignore_index = None
    assert own(loss, (LOGITS, LABELS), kind="classification")[0] == []


def test_what_is_no_batch_is_refused():
    with pytest.raises(TypeError, match=r"batch must be \(predictions, targets\), got Tensor"):
        slopes.audit(nn.MSELoss(), batch=NUMBERS)
    with pytest.raises(TypeError, match=r"batch must be \(inputs, targets\), got NoneType"):
        slopes.audit(nn.MSELoss(), model=nn.Linear(1, 1))
    with pytest.raises(TypeError, match="model must be a module or a function of the inputs, got int"):
        slopes.audit(nn.MSELoss(), model=3, batch=(NUMBERS, NUMBERS))


def test_what_the_loss_does_not_take_is_passed_over_with_a_reason():
    report = slopes.audit(nn.TripletMarginLoss(), batch=(LOGITS, LABELS))
    assert "the loss takes anchor, positive, negative" in report.skipped["own_data"]
    report = slopes.audit(nn.MSELoss(), model=lambda x: (x, x), batch=(NUMBERS, NUMBERS))
    assert "gives no tensor by itself" in report.skipped["own_data"]
