"""Every loss of the catalogue is fed by every kind of task, or says why it cannot be, with the way out."""

from __future__ import annotations

import re

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch.nn.functional import logsigmoid, one_hot

import slopes
from slopes.card import Loss
from slopes.comparing.feeding import Unfit, feed
from slopes.comparing.plain import as_loss
from slopes.comparing.tasks import Task, TaskKind
from slopes.comparing.tasks.task import LEFT_OUT, make

MODELS, BATCH, HEIGHT, WIDTH = 2, 6, 4, 5


def task(kind: str, targets=None) -> Task:
    """Twenty samples of a kind."""
    rng = np.random.default_rng(0)
    made = {
        "classification": np.arange(20) % 4,
        "binary": (np.arange(20) % 4 == 0).astype(np.float32),
        "regression": rng.uniform(-20, 200, (20, 2)).astype(np.float32),
        "count": rng.poisson(2.0, (20, 1)).astype(np.float32),
        "segmentation": (rng.random((20, HEIGHT, WIDTH)) < 0.3).astype(np.float32),
        "multilabel": (rng.random((20, 4)) < 0.4).astype(np.float32),
        "tokens": rng.integers(0, 4, (20, WIDTH)),
        "multiclass_segmentation": rng.integers(0, 4, (20, HEIGHT, WIDTH)),
    }[kind]
    inputs = rng.standard_normal((20, 3)).astype(np.float32)
    return make("made up", kind, inputs, made if targets is None else targets, about="Random numbers.")


def outputs(task: Task, *, scale: float = 1.0) -> torch.Tensor:
    places = tuple(task.targets.shape[1:]) if task.kind.has_positions else ()
    shape = (*places, task.outputs) if task.kind.has_classes else (task.outputs, *places)
    generator = torch.Generator().manual_seed(1)
    return scale * torch.randn(MODELS, BATCH, *shape, generator=generator)


def variants(loss: Loss) -> list[Loss]:
    """A loss with each of the switches that change what it is fed."""
    switches = {"from_probabilities": True, "log_input": False, "log_target": True}
    return [loss, *(loss.with_(**{name: value}) for name, value in switches.items() if name in loss.settings)]


POSITIVE = np.random.default_rng(2).uniform(1, 9, (20, 2)).astype(np.float32)
TASKS = [*((kind, task(kind)) for kind in TaskKind), ("positive", task("regression", POSITIVE))]


@pytest.mark.parametrize("fed", [made for _, made in TASKS], ids=[name for name, _ in TASKS])
def test_every_loss_is_fed_or_says_why_not(loss, fed):
    for variant in variants(loss):
        ways, reason = fed_or_not(variant, fed)
        if ways is None:
            way = re.fullmatch(rf"{re.escape(variant.name)} .+; take one such as (\w+), (\w+) or (\w+)", reason)
            assert way, reason
            for name in way.groups():  # what is offered can be fed
                feed(getattr(slopes, name), fed)
            continue
        assert ways.fed
        z = outputs(fed).requires_grad_()
        y = torch.stack([fed.targets[i : i + BATCH] for i in range(MODELS)])
        values = torch.func.vmap(lambda z, y, variant=variant, ways=ways: variant(*ways(z, y)))(z, y)
        values.sum().backward()
        assert values.isfinite().all()
        assert z.grad.isfinite().all()
        assert (z.grad.flatten(1) != 0).any(1).all()
        alone = torch.stack([variant(*ways(a, b)) for a, b in zip(z, y, strict=True)])
        torch.testing.assert_close(values, alone)


def fed_or_not(loss: Loss, fed: Task):
    try:
        return feed(loss, fed), ""
    except Unfit as reason:
        return None, str(reason)


def fits(loss: Loss):
    """Each variant of a loss with each task that it can be fed by."""
    for _, fed in TASKS:
        for variant in variants(loss):
            ways, _ = fed_or_not(variant, fed)
            if ways is not None:
                yield variant, fed, ways


def test_what_is_fed_follows_the_loss_downhill(loss):
    """A step down the gradient of a loss takes what is predicted nearer to the truth, whatever it is fed."""
    for variant, fed, ways in fits(loss):
        z, y = (0.01 * outputs(fed)[0]).requires_grad_(), fed.targets[:BATCH]
        (slope,) = torch.autograd.grad(variant(*ways(z, y)), z)
        before, after = ways.natural(z.detach()), ways.natural(z.detach() - 0.05 * slope / slope.abs().max())
        truth = one_hot(y, 4) if fed.kind.has_classes else y
        assert (after - truth).abs().mean() < (before - truth).abs().mean(), (variant, fed.kind)


def test_extreme_outputs_are_not_refused(loss):
    """A value that rounding carries to the edge of what a loss takes must not stop a training."""
    for variant, fed, ways in fits(loss):
        for scale in (200.0, 1e30):
            variant(*ways(outputs(fed, scale=scale)[0], fed.targets[:BATCH]))
        assert ways.natural(outputs(fed)).dtype == torch.float64


# ---------------------------------------------------------------------------------- what it is fed


def same(ways, z, y, *wanted):
    for ours, theirs in zip(ways(z, y), wanted, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_classes():
    fed = task("classification")
    z, y = outputs(fed)[0], fed.targets[:BATCH]
    rows, soft = one_hot(y, 4).float(), torch.softmax(z, -1)
    same(feed(slopes.cross_entropy, fed), z, y, z, y)
    same(feed(slopes.cross_entropy.with_(from_probabilities=True), fed), z, y, soft, y)
    same(feed(slopes.categorical_cross_entropy, fed), z, y, soft, y)
    same(feed(slopes.nll, fed), z, y, torch.log_softmax(z, -1), y)
    same(feed(slopes.mse, fed), z, y, soft, rows)
    same(feed(slopes.binary_cross_entropy, fed), z, y, z, rows)
    same(feed(slopes.binary_cross_entropy.with_(from_probabilities=True), fed), z, y, torch.sigmoid(z), rows)
    same(feed(slopes.kl_div, fed), z, y, z, rows)
    same(feed(slopes.hinge, fed), z, y, z, 2 * rows - 1)
    assert feed(slopes.cross_entropy, fed).note == ""
    assert feed(slopes.mse, fed).note == "on softmax probabilities"


def test_losses_that_are_the_same_say_the_same():
    """Fed with a yes or no, losses of other kinds are binary cross-entropy in other words."""
    fed = task("binary")
    z, y = outputs(fed)[0], fed.targets[:BATCH]
    wanted = slopes.binary_cross_entropy(z.squeeze(-1), y)
    for other in (
        slopes.cross_entropy,
        slopes.nll,
        slopes.kl_div,
        slopes.soft_margin,
        slopes.categorical_cross_entropy,
    ):
        torch.testing.assert_close(other(*feed(other, fed)(z, y)), wanted)
    halves = slopes.relative_entropy  # a mean over two entries, of which one is 0
    torch.testing.assert_close(2 * halves(*feed(halves, fed)(z, y)), wanted)


def test_a_number_is_standardised_and_comes_back_in_its_units():
    fed = task("regression")
    ways, z, y = feed(slopes.mse, fed), outputs(fed)[0], fed.targets[:BATCH]
    known = fed.targets[fed.parts.train]
    same(ways, z, y, z, (y - known.mean(0)) / known.std(0, correction=0))
    torch.testing.assert_close(ways.natural(ways(z, y)[1]), y.double(), atol=1e-3, rtol=1e-5)


def test_a_likelihood_of_counts_starts_at_their_mean():
    fed = task("count")
    mean = fed.targets[fed.parts.train].mean()
    for loss in (slopes.poisson_nll, slopes.poisson_nll.with_(log_input=False), slopes.tweedie_deviance, slopes.mse):
        rate = feed(loss, fed).natural(torch.zeros(3, 1))
        torch.testing.assert_close(rate, mean.double().expand(3, 1), msg=lambda text, loss=loss: f"{loss}: {text}")
    z, y = outputs(fed)[0], fed.targets[:BATCH]
    same(feed(slopes.poisson_nll, fed), z, y, z + mean.log(), y)
    same(feed(slopes.poisson_nll.with_(log_input=False), fed), z, y, mean * z.exp(), y)


def test_percentages_are_of_the_target_in_its_units():
    positive = TASKS[-1][1]
    z, y = outputs(positive)[0], positive.targets[:BATCH]
    same(feed(slopes.mape, positive), z, y, z * positive.scale + positive.centre, y)


def test_a_map_and_its_mask():
    fed = task("segmentation")
    z, y = outputs(fed)[0], fed.targets[:BATCH]
    same(feed(slopes.binary_cross_entropy, fed), z, y, z[:, 0], y)
    same(feed(slopes.lovasz_hinge, fed), z, y, z[:, 0, ..., None], y[..., None])
    both = torch.stack([torch.zeros_like(z[:, 0]), z[:, 0]], -1)
    same(feed(slopes.dice, fed), z, y, both, y.long())
    chance = torch.sigmoid(z[:, 0])
    overlaps = [(2 * (p * t).sum((1, 2)) / (p + t).sum((1, 2))) for p, t in ((chance, y), (1 - chance, 1 - y))]
    torch.testing.assert_close(slopes.dice(*feed(slopes.dice, fed)(z, y)), 1 - torch.stack(overlaps).mean())


@pytest.mark.parametrize(
    ("given", "kind", "reason"),
    [
        (slopes.triplet_margin, "classification", "triplet_margin is a loss of triplets of vectors, which classes cannot be fed to; take one such as cross_entropy, binary_cross_entropy or mse"),
        (slopes.gaussian_nll, "regression", "gaussian_nll is a loss of a prediction with its variance, which numbers cannot be fed to; take one such as mse, mae or huber"),
        (slopes.cross_entropy, "count", "cross_entropy is a loss of the kind 'classification', which counts cannot be fed to; take one such as poisson_nll, mse or mae"),
        (slopes.dice, "binary", "dice is a loss of regions of pixels, which a yes or no does not have; take one such as binary_cross_entropy, cross_entropy or mse"),
        (slopes.mape, "classification", "mape divides by its target, which is 0 for a no; take one such as cross_entropy, binary_cross_entropy or mse"),
        (slopes.hinge_embedding, "binary", "hinge_embedding rises with the score of a yes, as a loss of distances does; take one such as binary_cross_entropy, cross_entropy or mse"),
        (slopes.margin_softmax, "classification", "margin_softmax takes cosines, which no output of the networks is; take one such as cross_entropy, binary_cross_entropy or mse"),
    ],
    ids=lambda value: getattr(value, "name", None),
)  # fmt: skip
def test_reasons(given, kind, reason):
    with pytest.raises(Unfit, match=f"^{re.escape(reason)}$"):
        feed(given, task(kind))


def test_the_targets_decide_what_a_likelihood_can_be_fed():
    feed(slopes.gamma_deviance, task("regression", POSITIVE))
    with pytest.raises(Unfit, match=r"takes targets > 0, and 4 of 20 are not \(the least is 0\)"):
        feed(slopes.gamma_deviance, task("count", np.arange(20.0, dtype=np.float32)[:, None] % 5))
    with pytest.raises(Unfit, match=r"takes targets >= 0, and \d+ of 40 are not"):
        feed(slopes.poisson_nll, task("regression"))
    with pytest.raises(Unfit, match="divides by its target, which is 0 in 4 of 20"):
        feed(slopes.mape, task("count", np.arange(20.0, dtype=np.float32)[:, None] % 5))


def test_a_loss_of_the_users_is_told_by_what_it_does():
    """Not by its name."""

    @slopes.loss("margin")
    def distance(prediction, target):
        """Rises with the score of a yes."""
        return slopes.ops.where(target > 0, prediction, -prediction)

    @slopes.loss("regression")
    def share(prediction, target):
        """Divides by the target."""
        return abs(prediction - target) / (abs(target) + 1e-8)

    for loss, why in ((distance, "rises with the score"), (share, "divides by its target")):
        with pytest.raises(Unfit, match=why):
            feed(loss, task("binary"))


@pytest.mark.parametrize("kind", TaskKind)
def test_what_a_loss_of_the_users_takes_is_what_it_gets(kind):
    """A space that no card of the catalogue has with the kind."""

    @slopes.loss("regression", space="probabilities")
    def surprise(prediction, target):
        """Infinite where a no was certain to be a yes."""
        return -slopes.ops.log(1 - abs(prediction - target))

    @slopes.loss("regression", space="boxes")
    def boxed(prediction, target):
        """Takes what no network gives."""
        return (prediction - target) ** 2

    ways, reason = fed_or_not(surprise, task(kind))
    if kind in ("regression", "count"):
        assert "surprise takes probabilities, which numbers are not" in reason
    else:
        assert 0 < surprise(*ways(outputs(task(kind))[0], task(kind).targets[:BATCH])) < 10
    assert "boxed takes boxes, which no output of the networks is" in fed_or_not(boxed, task(kind))[1]


# ---------------------------------------------------------------------------------- what is predicted


def test_chances_are_chances_also_where_every_one_is_tiny():
    fed = task("classification")
    z = torch.tensor([[-800.0, -900.0, -1000.0, -1000.0], [3e4, -3e4, 0.0, 0.0]])
    for loss in (slopes.cross_entropy, slopes.binary_cross_entropy, slopes.multilabel_margin):
        chances = feed(loss, fed).natural(z)
        torch.testing.assert_close(chances.sum(-1), torch.ones(2, dtype=torch.float64))
        assert chances.argmax(-1).tolist() == [0, 0]
    z = outputs(fed)
    torch.testing.assert_close(
        feed(slopes.binary_cross_entropy, fed).natural(z), torch.softmax(logsigmoid(z.double()), -1)
    )


def test_scores_of_which_only_differences_count_are_read_so():
    fed = task("classification")
    ways, z = feed(slopes.multilabel_margin, fed), outputs(fed)
    torch.testing.assert_close(ways.natural(z + 9), ways.natural(z), atol=1e-6, rtol=1e-6)
    ways = feed(slopes.multilabel_soft_margin, fed)
    assert not torch.allclose(ways.natural(z + 9), ways.natural(z), atol=0.01)


def test_predictions_take_any_leading_axes():
    for fed in (made for _, made in TASKS):
        ways = feed(slopes.mse, fed)
        many = outputs(fed).expand(3, MODELS, BATCH, *outputs(fed).shape[2:])
        torch.testing.assert_close(ways.natural(many)[2, 1], ways.natural(outputs(fed)[1]))


# ---------------------------------------------------------------------------------- labels that are left out


@pytest.mark.parametrize("kind", ["tokens", "multiclass_segmentation"])
@pytest.mark.parametrize(
    "given", [slopes.cross_entropy, slopes.mse, slopes.binary_cross_entropy, slopes.hinge, slopes.nll]
)
def test_labels_that_are_left_out_change_nothing(kind, given):
    """Of the others it is the loss of a classification, where each is a sample."""
    fed = task(kind)
    labels = fed.targets[:BATCH].clone()
    labels.flatten()[::3] = LEFT_OUT
    fed = task(kind, torch.cat([labels, fed.targets[BATCH:]]))
    z = outputs(fed)[0].requires_grad_()
    value = feed(given, fed).apply(given, z, labels)
    (slope,) = torch.autograd.grad(value, z)
    kept = labels >= 0
    assert (slope[~kept] == 0).all()
    ways = feed(given, task("classification"))
    torch.testing.assert_close(value, ways.apply(given, z[kept], labels[kept]))


def test_region_losses_of_several_classes_leave_out_pixels():
    fed = task("multiclass_segmentation")
    labels = fed.targets[:BATCH].clone()
    labels[:, 0] = LEFT_OUT
    fed = task("multiclass_segmentation", torch.cat([labels, fed.targets[BATCH:]]))
    z = outputs(fed)[0]
    for loss in (slopes.dice, slopes.lovasz_softmax, slopes.lovasz_hinge):
        value = feed(loss, fed).apply(loss, z, labels)
        torch.testing.assert_close(value, feed(loss, fed).apply(loss, z[:, 1:], labels[:, 1:]))


def test_losses_of_pytorch_get_a_row_for_each_token():
    fed = task("tokens")
    labels = fed.targets[:BATCH].clone()
    labels[:, 0] = LEFT_OUT
    left = task("tokens", torch.cat([labels, fed.targets[BATCH:]]))
    z = outputs(fed)[0]
    for given in (
        torch.nn.CrossEntropyLoss(),
        torch.nn.functional.cross_entropy,
        lambda z, y: torch.nn.functional.cross_entropy(z, y),
    ):
        loss = as_loss(given)
        wanted = torch.nn.functional.cross_entropy(z.movedim(-1, 1), labels)
        torch.testing.assert_close(feed(loss, left).apply(loss, z, labels), wanted)
    plain = as_loss(torch.nn.MSELoss())
    card = feed(slopes.mse, fed).apply(slopes.mse, z, fed.targets[:BATCH])
    torch.testing.assert_close(feed(plain, fed).apply(plain, z, fed.targets[:BATCH]), card)
    with pytest.raises(Unfit, match=r"^MSELoss has no mask, and 6 targets are left out; take the card slopes.mse"):
        feed(plain, left)
