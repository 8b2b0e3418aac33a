"""How a subject wants to be called is found out by calling it."""

import functools

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402

import slopes  # noqa: E402
from slopes.auditing.discovery import subject_of  # noqa: E402
from slopes.auditing.form import Declared  # noqa: E402
from slopes.auditing.subject import SubjectError  # noqa: E402


def squared(prediction, target):
    return ((prediction - target) ** 2).mean()


def squared_in_numpy(prediction, target):
    return np.mean((np.asarray(prediction) - np.asarray(target)) ** 2)


def root_of_logs(prediction, target):
    return ((torch.log1p(prediction) - torch.log1p(target)) ** 2).mean().sqrt()


def counts(log_rate, count):
    return (log_rate.exp() - count * log_rate).mean()


def negated(prediction, target):
    return -((prediction - target) ** 2).mean()


def focal(logits, labels, gamma=2.0):
    ce = F.cross_entropy(logits, labels, reduction="none")
    return ((1 - torch.exp(-ce)) ** gamma * ce).mean()


def one_hot_ce(logits, target):
    return -(target * logits.log_softmax(-1)).sum(-1).mean()


def pixels(logits, labels):
    if logits.ndim != 4:
        raise ValueError("images only")
    return F.cross_entropy(logits, labels)


def tokens(logits, labels):
    if logits.ndim != 3:
        raise ValueError("sequences only")
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), labels.reshape(-1))


def dice_of_logits(z, t):
    p = z.sigmoid()
    return 1 - 2 * (p * t).sum() / (p.sum() + t.sum())


def dice_of_probabilities(p, t):
    return 1 - (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1)


def bce_as_keras_has_it(y_true, y_pred):
    return -(y_true * torch.log(y_pred + 1e-8) + (1 - y_true) * torch.log(1 - y_pred + 1e-8)).mean()


def hinge(score, sign):
    return (1 - score * sign).clamp(min=0).mean()


def masked(prediction, target, mask):
    return ((prediction - target) ** 2 * mask).sum() / mask.sum()


def triplet(anchor, positive, negative):
    return F.triplet_margin_loss(anchor, positive, negative)


def likelihood(mean, target, variance):
    return F.gaussian_nll_loss(mean, target, variance)


def angle(prediction, target):
    return (1 - F.cosine_similarity(prediction, target)).mean()


def divergence(log_probabilities, target):
    return F.kl_div(log_probabilities, target, reduction="batchmean")


def contrast(embeddings, labels):
    return slopes.supcon(embeddings, labels)


FOUND = {
    squared: ("regression", "real", (8,)),
    squared_in_numpy: ("regression", "real", (8,)),
    root_of_logs: ("regression", "positive", (8,)),
    counts: ("regression", "real", (8,)),
    negated: ("regression", "real", (8,)),
    focal: ("classification", "logits", (6, 4)),
    one_hot_ce: ("classification", "logits", (6, 4)),
    pixels: ("classification", "logits", (2, 4, 5, 5)),
    tokens: ("classification", "logits", (2, 3, 4)),
    F.nll_loss: ("classification", "log-probabilities", (6, 4)),
    dice_of_logits: ("binary", "logits", (8,)),
    dice_of_probabilities: ("binary", "probabilities", (8,)),
    bce_as_keras_has_it: ("binary", "probabilities", (8,)),
    hinge: ("margin", "real", (8,)),
    masked: ("regression", "real", (8,)),
    triplet: ("triplets", "real", (6, 4)),
    likelihood: ("variance", "real", (8,)),
    angle: ("vectors", "real", (6, 4)),
    divergence: ("distribution", "log-probabilities", (6, 4)),
    contrast: ("embeddings", "real", (6, 4)),
    torch.nn.BCELoss: ("binary", "probabilities", (8,)),
    F.smooth_l1_loss: ("regression", "real", (8,)),
    torch.nn.CosineEmbeddingLoss: ("pairs", "real", (6, 4)),
    slopes.giou: ("boxes", "boxes", (6, 4)),
}


@pytest.mark.parametrize("thing", FOUND, ids=lambda thing: getattr(thing, "__name__", str(thing)))
def test_kind_space_and_shape_are_found(thing):
    subject, facts = subject_of(thing)
    assert (subject.form.kind.name, str(subject.space), subject.form.shape) == FOUND[thing]
    assert subject.form.sure
    assert facts[0].startswith(f"{'an' if thing is contrast else 'a'} {subject.form.kind.name} loss of")


def test_argument_order_reduction_and_numpy_are_found():
    assert subject_of(bce_as_keras_has_it)[0].form.place == 1
    assert subject_of(squared)[0].form.place == 0
    assert subject_of(squared_in_numpy)[0].form.numpy
    assert subject_of(torch.nn.HuberLoss)[0].form.reduction == "attribute"
    assert subject_of(F.huber_loss)[0].form.reduction == "keyword"
    assert subject_of(squared)[0].form.reduction is None
    assert dict(subject_of(masked)[0].form.extra) == {"mask": "mask"}
    assert subject_of(one_hot_ce)[0].form.target == "rows"


def test_activations_are_told_from_losses_and_maps_from_activations():
    for thing in (torch.tanh, torch.nn.GELU, F.silu, lambda x: x * 2, torch.nn.PReLU()):
        subject, facts = subject_of(thing)
        assert (subject.family, subject.form.elementwise) == ("activation", True), thing
        assert facts == ["an activation, element by element"]
    for thing in (torch.nn.Softmax(-1), torch.nn.GLU(), slopes.softmax, functools.partial(torch.softmax, dim=-1)):
        assert not subject_of(thing)[0].form.elementwise, thing


def test_declarations_win():
    subject, _ = subject_of(F.nll_loss, declared=Declared(kind="classification", space="logits"))
    assert subject.space.is_logit
    assert subject.form.sure


def test_what_nothing_fits_is_a_guess():
    subject, facts = subject_of(lambda a, b: (a + b).sin().mean())
    assert not subject.form.sure
    assert "a guess, so declare kind= and space=" in facts[0]


def test_what_always_raises_is_told_with_its_error():
    def broken(prediction, target):
        return prediction @ undefined_name  # noqa: F821

    with pytest.raises(SubjectError, match="NameError: name 'undefined_name' is not defined"):
        subject_of(broken)


class Needy(torch.nn.Module):
    def __init__(self, classes):
        super().__init__()

    def forward(self, prediction, target):
        return squared(prediction, target)


WRONG = [
    (3, {}, TypeError, "takes a card, a function or a module, got int"),
    (Needy, {}, TypeError, "Needy is a class that cannot be made without arguments"),
    (squared, {"kind": "regresion"}, ValueError, "no kind 'regresion'; did you mean 'regression'?"),
    (squared, {"space": "logit"}, ValueError, "space must be one of 'logits', 'probabilities', 'log-probabilities'"),
]


@pytest.mark.parametrize(("thing", "declared", "error", "message"), WRONG)
def test_mistakes_have_one_clear_message(thing, declared, error, message):
    with pytest.raises(error, match="audit") as told:
        subject_of(thing, declared=Declared(**declared))
    assert message in str(told.value)
    assert "\n" not in str(told.value)


def test_arguments_are_drawn_by_seed_and_dtype():
    subject, _ = subject_of(focal)
    first, again, other = subject.draw(1), subject.draw(1), subject.draw(2)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])
    assert subject.draw(dtype=torch.float16)[0].dtype == torch.float16
    assert subject.draw(rows=3)[0].shape == (3, 4)


def test_a_module_is_copied_and_takes_each_dtype():
    module = torch.nn.PReLU()
    subject, _ = subject_of(module)
    for dtype in (torch.float64, torch.float32, torch.float16):
        assert subject(*subject.draw(dtype=dtype)).dtype == dtype
    assert module.weight.dtype == torch.float32
    assert subject.thing is not module


def probability_of_the_label(logits, labels):
    """Cross-entropy as a softmax and a log, which loses the gradient of a small probability."""
    if labels.shape != logits.shape[:1]:
        raise ValueError("one label for each row")
    return -torch.softmax(logits, dim=-1, dtype=torch.float32).gather(1, labels[:, None]).log().mean()


def test_a_guess_yields_no_error():
    guessed = slopes.audit(probability_of_the_label)
    assert "a guess" in guessed.facts[0]
    found = next(f for f in guessed.findings if f.check == "extreme_inputs")
    assert found.severity == "warning"
    assert found.message.endswith(" (its kind is a guess)")
    assert {f.severity for f in guessed.findings} <= {"warning", "note"}
    declared = slopes.audit(probability_of_the_label, kind="classification", space="logits")
    assert [f.severity for f in declared.findings if f.check == "extreme_inputs"] == ["error"]


def test_a_missing_gradient_is_an_error_whatever_the_kind():
    def never_passed(a, b, c):
        return torch.relu(torch.tanh((a - b).pow(2).sum(-1) - (a - c).pow(2).sum(-1)) - 1.0).mean()

    report = slopes.audit(never_passed)
    assert "a guess" in report.facts[0]
    assert [f.check for f in report.findings if f.severity == "error"] == ["connectivity"]
