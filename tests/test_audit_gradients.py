"""The checks of shapes, gradients, backwards and purity ask where they cannot know, and stay silent where all is well."""

import copy

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

import slopes
from slopes.auditing.behaviour import CHECKS
from slopes.auditing.behaviour.backwards import backward, second_derivative, upstream_gradient
from slopes.auditing.behaviour.connections import connectivity
from slopes.auditing.behaviour.differences import slopes as differences
from slopes.auditing.discovery import subject_of
from slopes.auditing.examination import examine
from slopes.auditing.form import Declared
from slopes.auditing.report import run

nn, F = torch.nn, torch.nn.functional


def told(thing, check, **declared):
    """What one check says, each with its severity before it."""
    subject, _ = subject_of(thing, declared=Declared(**declared))
    return [f"{f.severity}: {f.message}" for f in run(subject, CHECKS).findings if f.check == check]


class Rounded(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.round(x)

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output


class Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, grad_output):
        return -grad_output


class Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad_output):
        s = torch.sigmoid(ctx.saved_tensors[0])
        return grad_output * s * (1 + ctx.saved_tensors[0] * (1 - s))


def test_a_loss_that_warns_of_broadcasting_is_noted():
    (message,) = told(nn.MSELoss(), "shape_contract")
    assert message.startswith("note")
    assert "warning" in message


def test_a_loss_that_broadcasts_silently_is_an_error():
    (message,) = told(nn.PoissonNLLLoss(), "shape_contract")
    assert message.startswith("error")
    assert "(4, 1)" in message


@pytest.mark.parametrize(
    "thing", [nn.BCEWithLogitsLoss(), nn.CrossEntropyLoss(), slopes.mse, slopes.cross_entropy], ids=repr
)
def test_a_loss_that_refuses_shapes_passes(thing):
    assert told(thing, "shape_contract") == []


def test_a_flattening_loss_broadcasts_nothing():
    assert (
        told(lambda prediction, target: ((prediction.flatten() - target.flatten()) ** 2).mean(), "shape_contract") == []
    )


def test_an_overflow_by_nature_is_none():
    assert told(lambda x: torch.exp(x), "extreme_inputs") == []
    assert told(lambda x: x**3, "extreme_inputs") == []
    (message,) = told(lambda x: torch.log(torch.cosh(x)), "extreme_inputs")
    assert message.startswith("error")
    assert "inf" in message


def test_what_has_no_number_at_ordinary_ones_is_not_judged():
    report = examine(lambda x: torch.log(x), {})
    assert "ordinary size" in report.skipped["extreme_inputs"]


def by_pow(logits, ce, gamma):
    return (1 - torch.exp(-ce)) ** gamma


def by_exp(logits, ce, gamma):
    return torch.exp(gamma * F.logsigmoid(-logits))


@pytest.mark.parametrize(("weight", "is_told"), [(by_pow, True), (by_exp, False)])
def test_an_exponent_that_a_caller_may_choose_is_tried_and_a_fact(weight, is_told):
    def focal(logits, targets, gamma=2.0):
        signed = torch.where(targets > 0.5, logits, -logits)
        ce = -F.logsigmoid(signed)
        return (weight(signed, ce, gamma) * ce).mean()

    report = examine(focal, {"kind": "binary", "space": "logits"})
    assert any(fact.startswith("training with gamma=0.5 would turn into NaN") for fact in report.facts) == is_told
    assert "zeros_and_edges" not in [finding.check for finding in report.findings]


def test_a_steep_gradient_is_noted():
    (message,) = told(lambda prediction, target: torch.asinh(1e6 * (prediction - target)).mean(), "zeros_and_edges")
    assert "the gradient is" in message.partition("note: ")[2]
    assert "at 0, and at most" in message


def test_a_steep_gradient_of_vectors_of_length_0_is_a_fact():
    report = examine(nn.CosineEmbeddingLoss(), {})
    assert "zeros_and_edges" not in [finding.check for finding in report.findings]
    assert any(fact.startswith("its gradient is") and "at 0" in fact for fact in report.facts)


def test_a_step_is_asked_about_and_a_detached_value_is_not():
    (message,) = told(lambda x: (x > 0).to(x.dtype), "connectivity")
    assert message.startswith("warning")
    (message,) = told(lambda x: torch.tanh(x.detach()), "connectivity")
    assert message.startswith("error")


def test_rows_that_are_certain_of_large_numbers_learn_from_small_ones():
    assert not slopes.audit(slopes.sparsemax, quick=True).findings


def test_a_detached_weight_may_be_meant():
    def focal(logits, targets):
        ce = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        return ((1 - torch.exp(-ce.detach())) ** 2 * ce).mean()

    (message,) = told(focal, "connectivity")
    assert message.startswith("note")
    assert "hidden" in message


def test_numpy_on_a_tensor_that_wants_a_gradient_is_told():
    def loss(prediction, target):
        if prediction.shape != target.shape:
            raise ValueError("shapes differ")
        return torch.as_tensor(np.mean(np.square(prediction.numpy() - target.numpy())))

    (message,) = told(loss, "connectivity")
    assert message.startswith("error")
    assert "raises" in message


def test_a_declared_term_without_a_slope_is_told_by_its_name():
    def bce(logits, targets):
        return F.binary_cross_entropy_with_logits(logits, targets)

    def hard_dice(logits, targets):
        chosen = torch.round(torch.sigmoid(logits)) + 0 * logits
        return 1 - 2 * (chosen * targets).sum() / (chosen.sum() + targets.sum() + 1)

    terms = {"bce": bce, "dice": hard_dice}
    subject, _ = subject_of(
        lambda logits, targets: bce(logits, targets) + hard_dice(logits, targets), declared=Declared(terms=terms)
    )
    (finding,) = connectivity(subject)
    assert finding.severity == "error"
    assert finding.message.startswith("the term dice: no training can lower it: its gradient is 0")


def test_terms_that_reach_the_gradient_pass():
    terms = {"error": lambda p, t: F.mse_loss(p, t), "size": lambda p, t: (p**2).mean()}
    assert told(lambda prediction, target: F.mse_loss(prediction, target) + 0.1 * (prediction**2).mean(),
                "connectivity", terms=terms) == []  # fmt: skip


@pytest.mark.parametrize(("function", "says"), [(Rounded, "a constant"), (Reversed, "its argument")])
def test_a_gradient_other_than_the_derivative_may_be_meant(function, says):
    (message,) = told(lambda x: function.apply(x), "backward")
    assert message.startswith("note")
    assert says in message
    assert told(lambda x: function.apply(x), "upstream_gradient") == []


def test_a_backward_is_tried_by_each_argument_that_learns():
    class Distance(torch.autograd.Function):
        @staticmethod
        def forward(ctx, anchor, positive, negative):
            ctx.save_for_backward(anchor, positive, negative)
            return (((anchor - positive) ** 2).sum(-1) - ((anchor - negative) ** 2).sum(-1)).mean()

        @staticmethod
        def backward(ctx, grad_output):
            anchor, positive, negative = ctx.saved_tensors
            factor = 2 * grad_output / len(anchor)
            near, far = factor * (anchor - positive), factor * (anchor - negative)
            return near - far, -near, -far  # the last sign is wrong

    def loss(anchor, positive, negative):
        return Distance.apply(anchor, positive, negative)

    (message,) = told(loss, "backward")
    assert message.startswith("error")


def test_at_a_kink_there_is_no_slope_to_compare():
    subject, _ = subject_of(lambda x: torch.relu(x))
    found = differences(subject, (torch.tensor([0.0, 1e-4, 0.5, -0.5], dtype=torch.float64),))
    assert [at.entry for at in found] == [2, 3]
    assert all(at.off == 0 for at in found)


def test_differences_of_float32_prove_nothing():
    class InFloat32(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return torch.nn.functional.softplus(x.float()).double()

        @staticmethod
        def backward(ctx, grad_output):
            return grad_output * torch.sigmoid(ctx.saved_tensors[0])

    report = examine(lambda x: InFloat32.apply(x), {})
    assert {finding.check for finding in report.findings} <= {"device_and_dtype"}  # which is right
    assert "float32" in report.skipped["backward"]


def test_a_backward_that_refuses_a_second_time_is_noted():
    (message,) = told(lambda x: Once.apply(x), "second_derivative")
    assert message.startswith("note")
    assert "once_differentiable" in message


@pytest.mark.parametrize(
    "thing", [slopes.silu, slopes.gelu, slopes.softmax, slopes.huber, slopes.gaussian_nll], ids=repr
)
def test_the_backwards_of_cards_are_examined_and_pass(thing):
    checks = [backward, upstream_gradient, second_derivative]
    report = run(subject_of(thing)[0], checks)
    assert report.ran == [check.__name__ for check in checks]
    assert report.findings == []


def test_what_is_declared_or_random_is_noted():
    (message,) = told(nn.ReLU(inplace=True), "purity")
    assert message.startswith("note")
    assert "inplace=True" in message
    (message,) = told(nn.RReLU(), "purity")
    assert message.startswith("note")
    assert "random" in message


def test_modes_that_differ_are_noted():
    class Scaled(nn.Module):
        def forward(self, x):
            return x if self.training else 0.5 * x

    (message,) = told(Scaled(), "purity")
    assert message.startswith("note")
    assert "eval()" in message


def test_the_audit_leaves_a_module_as_it_was():
    loss = nn.RReLU()
    before = copy.deepcopy(vars(loss))
    examine(loss, {})
    assert vars(loss) == before
