"""Losses of grades: the code of their authors, the chances of grades, and which targets are taken."""

import numpy as np
import pytest

import slopes

torch = pytest.importorskip("torch")
F = torch.nn.functional

RNG = np.random.default_rng(0)
LOGITS, GRADES = 2 * RNG.standard_normal((6, 3)), np.array([0, 3, 1, 2, 2, 0])


def coral(logits, grades):
    """coral_pytorch's code."""
    levels = (grades[:, None] > torch.arange(logits.shape[1])).to(logits.dtype)
    term = F.logsigmoid(logits) * levels + (F.logsigmoid(logits) - logits) * (1 - levels)
    return -term.sum(1).mean()


def corn(logits, grades):
    """coral_pytorch's code, but for its divisor; and that."""
    losses, count = 0.0, 0
    for step in range(logits.shape[1]):
        tried = grades > step - 1
        passed, logit = (grades[tried] > step).to(logits.dtype), logits[tried, step]
        losses = losses - (F.logsigmoid(logit) * passed + (F.logsigmoid(logit) - logit) * (1 - passed)).sum()
        count += int(tried.sum())
    return losses / len(grades), count


@pytest.mark.parametrize("axis", [1, 0])
@pytest.mark.parametrize(
    ("own", "theirs"), [(slopes.coral, coral), (slopes.corn, lambda *arguments: corn(*arguments)[0])]
)
def test_values_and_gradients_are_those_of_their_authors(own, theirs, axis):
    grades = torch.from_numpy(GRADES)
    x = torch.from_numpy(LOGITS).requires_grad_()
    wanted = theirs(x, grades)
    (gradient,) = torch.autograd.grad(wanted, x)
    value = own(x.movedim(1, axis), grades, axis=axis)
    torch.testing.assert_close(value, wanted, rtol=1e-12, atol=0)
    torch.testing.assert_close(torch.autograd.grad(value, x)[0], gradient, rtol=1e-12, atol=1e-16)
    rows = np.moveaxis(LOGITS, 1, axis)
    assert own(rows, GRADES, axis=axis) == pytest.approx(float(wanted.detach()), rel=1e-13)
    slope = np.moveaxis(own.slope(rows, GRADES, axis=axis), axis, 1)
    np.testing.assert_allclose(slope, gradient, rtol=1e-12, atol=1e-16)


def test_the_divisor_of_corns_authors():
    value, count = corn(torch.from_numpy(LOGITS), torch.from_numpy(GRADES))
    assert slopes.corn(LOGITS, GRADES, divisor=count) == pytest.approx(float(value) * 6 / count, rel=1e-13)


@pytest.mark.parametrize("own", [slopes.corn, slopes.ordinal_logistic])
def test_chances_of_grades_sum_to_one(own):
    rows = np.broadcast_to(-np.sort(-LOGITS[:1]), (4, 3))
    assert np.exp(-own(rows, np.arange(4), reduction="none")).sum() == pytest.approx(1, rel=1e-14)


def test_rows_of_steps_are_targets_too():
    steps = np.where(np.arange(3) < GRADES[:, None], 1, -1)
    assert slopes.coral(LOGITS, steps) == slopes.coral(LOGITS, GRADES)
    tried = np.where(np.arange(3) > GRADES[:, None], 0, steps)
    assert slopes.corn(LOGITS, tried) == slopes.corn(LOGITS, GRADES)
    infinite = np.where(tried == 0, -np.inf, LOGITS)
    assert slopes.corn(infinite, GRADES) == slopes.corn(LOGITS, GRADES)
    assert not slopes.corn.slope(infinite, GRADES)[tried == 0].any()


def cumulative(score, thresholds, grades):
    """statsmodels' OrderedModel with distr="logit": a difference of two chances, each of a grade up to a threshold."""
    ends = torch.tensor([torch.inf], dtype=thresholds.dtype)
    edges = torch.cat([-ends, thresholds, ends])
    return -torch.log(torch.sigmoid(edges[grades + 1] - score) - torch.sigmoid(edges[grades] - score)).mean()


def test_learnt_thresholds_have_the_gradients_of_the_difference_of_chances():
    grades = torch.from_numpy(GRADES)
    score = torch.from_numpy(LOGITS[:, 0]).requires_grad_()
    first, gaps = torch.tensor([-1.0]).double(), torch.tensor([0.3, 2.0]).double().requires_grad_()
    thresholds = torch.cat([first, first + gaps.cumsum(0)])
    wanted, value = cumulative(score, thresholds, grades), slopes.ordinal_logistic(score[:, None] - thresholds, grades)
    torch.testing.assert_close(value, wanted, rtol=1e-13, atol=0)
    pairs = zip(torch.autograd.grad(value, (score, gaps)), torch.autograd.grad(wanted, (score, gaps)), strict=True)
    for gradient, due in pairs:
        torch.testing.assert_close(gradient, due, rtol=1e-12, atol=1e-15)


def test_thresholds_are_learnt():
    """By gradient descent they come to the logits of how many lie in each grade or below."""
    shares = torch.tensor([0.1, 0.2, 0.4, 0.3]).double()
    thresholds = torch.tensor([-1.0, 0.0, 1.0]).double().requires_grad_()
    optimizer = torch.optim.LBFGS([thresholds], max_iter=200, tolerance_grad=1e-12, tolerance_change=0.0)

    def step():
        optimizer.zero_grad()
        loss = slopes.ordinal_logistic(-thresholds.expand(4, 3), torch.arange(4), weight=shares)
        loss.backward()
        return loss.detach()  # LBFGS of PyTorch 2.8 warns of others

    optimizer.step(step)
    torch.testing.assert_close(thresholds.detach(), torch.logit(shares.cumsum(0)[:3]), rtol=1e-6, atol=1e-7)


def test_rows_that_do_not_fall_are_refused():
    score = LOGITS[:, :1]
    for make in (np.asarray, torch.from_numpy):
        for thresholds, rise in (([0.0, 2.0, 1.0], "1.0"), ([0.0, 0.0, 1.0], "0.0")):
            rows = np.zeros_like(score) - np.array(thresholds)
            with pytest.raises(
                ValueError, match=rf"must fall along each row, as score - thresholds .* a rise of {rise}"
            ):
                slopes.ordinal_logistic(make(rows), make(GRADES))
        rows[1:] = [3.0, 2.0, 1.0]
        counts = np.arange(6) > 0
        assert slopes.ordinal_logistic(make(rows), make(GRADES), mask=make(counts)) == pytest.approx(
            float(slopes.ordinal_logistic(rows[1:], GRADES[1:])), rel=1e-15
        )


def test_edges_of_grades_are_targets_too():
    rows, ahead = -np.sort(-LOGITS), np.arange(3) - GRADES[:, None]
    edges = np.where(ahead == -1, 1, np.where(ahead == 0, -1, 0))
    assert slopes.ordinal_logistic(rows, edges) == slopes.ordinal_logistic(rows, GRADES)
    for wrong in (
        [0, 0, 0],
        [1, 1, 0],
        [1, 0, -1],
        [0, -1, -1],
        [1, 1, -1],
        [1, -1, -1],
        [-1, 0, 1],
        [1, 0, 0],
        [0, -1, 0],
        [-1, 1, -1],
    ):
        edges[4] = wrong
        with pytest.raises(
            ValueError, match="must be rows with a 1 at the last step that was passed, a -1 at the next"
        ):
            slopes.ordinal_logistic(rows, edges)


def test_chances_of_distant_and_near_thresholds_keep_their_digits():
    mpmath = pytest.importorskip("mpmath")
    for gap in (1e-9, 1e-3, 0.69, 0.71, 7.0, 8.3, 9.1, 10.7, 12.0, 14.2, 80.0):
        rows = np.array([[gap / 2 + 0.3, -gap / 2 + 0.3]])
        with mpmath.workdps(60):
            above = [1 / (1 + mpmath.exp(-mpmath.mpf(x))) for x in rows[0]]
            wanted = float(-mpmath.log(above[0] - above[1]))
        assert float(slopes.ordinal_logistic(rows, np.array([1]))) == pytest.approx(wanted, rel=2e-15, abs=0)


def test_grades_that_are_refused():
    rows = -np.sort(-LOGITS)
    for card in (slopes.coral, slopes.corn, slopes.ordinal_logistic):
        wrong = np.array([0, 3, 4, 2, 2, -1])
        for grade, counts in ((4, wrong != -1), (-1, wrong != 4)):
            with pytest.raises(ValueError, match=rf"{card.name}: grade must lie in \[0, 3\], got {grade}"):
                card(rows, wrong, mask=counts)
        right = (wrong >= 0) & (wrong < 4)
        assert card(rows, wrong, mask=right) == card(rows[right], wrong[right])
        assert card(rows, wrong, weight=right * 2.0) == card(rows[right], wrong[right])
        assert card(torch.from_numpy(rows[:0]), torch.from_numpy(GRADES[:0])) == 0
        for target in (GRADES.astype(float), GRADES[:5], GRADES[:, None]):
            with pytest.raises(ValueError, match=r"goes with integer grades|must have one shape"):
                card(rows, target)
        with pytest.raises(ValueError, match=r"target must be -1(, 0)? or 1, got 2"):
            card(rows, np.full((6, 3), 2))


@pytest.mark.parametrize("own", [slopes.coral, slopes.corn, slopes.ordinal_logistic])
@pytest.mark.parametrize("make", [np.asarray, torch.from_numpy])
def test_ignored_grades_do_not_count(own, make):
    rows, grades = make(-np.sort(-LOGITS)), GRADES.copy()
    grades[[1, 4]] = -100
    right, counts = make(grades != -100), make(np.array([True, True, False, True, True, True]))
    weight = make(np.arange(6.0) + 1)
    with pytest.raises(ValueError, match=r"grade must lie in \[0, 3\], got -100"):
        own(rows, make(grades))
    for given, alike in (({}, {}), ({"mask": counts}, {}), ({"weight": weight}, {"weight": weight})):
        alike |= {"mask": right & counts if "mask" in given else right}
        for reduction in ("mean", "sum"):
            value, slope = own.value_and_slope(rows, make(grades), ignore_index=-100, reduction=reduction, **given)
            wanted, gradient = own.value_and_slope(rows, make(GRADES), reduction=reduction, **alike)
            assert value == wanted
            assert (slope == gradient).all()
            assert not slope[1].any()
    none = own(rows, make(grades), ignore_index=-100, reduction="none")
    assert not none[~right].any()
    assert own(rows, make(np.full(6, 7)), ignore_index=7) == 0
    steps = own.kind._steps(slopes.ops.reading(rows), make(GRADES), rows)
    with pytest.raises(ValueError, match="ignore_index goes with integer grades; mask rows of steps instead"):
        own(rows, steps, ignore_index=-100)
    with pytest.raises(ValueError, match=r"mask \(5,\) must have the shape of the unreduced loss, \(6,\)"):
        own(rows, make(grades), ignore_index=-100, mask=counts[:5])
    with pytest.raises(TypeError, match=r"ignore_index must be an integer, got 1\.5"):
        own(rows, make(grades), ignore_index=1.5)


def test_modules_and_heads_ignore_grades():
    x, grades = torch.from_numpy(LOGITS).float(), torch.from_numpy(GRADES).clone()
    grades[2] = -100
    right = grades != -100
    wanted = slopes.coral(x[right], grades[right])
    torch.testing.assert_close(slopes.nn.CoralLoss(ignore_index=-100)(x, grades), wanted)
    batch = x.reshape(2, 3, 3)  # logits stay on the last axis
    torch.testing.assert_close(slopes.nn.CoralLoss(ignore_index=-100)(batch, grades.reshape(2, 3)), wanted)
    head = slopes.nn.LinearLoss(3, 3, loss=slopes.coral)
    with torch.no_grad():
        head.weight.copy_(torch.eye(3))
    torch.testing.assert_close(head(x, grades), wanted)


def test_levels_of_0_and_1_are_refused():
    """As the authors' code takes them, a 0 would count as not tried."""
    levels = (np.arange(3) < GRADES[:, None]).astype(float)
    with pytest.raises(
        ValueError, match=r"coral: target must be -1 or 1, got 0\.0; of levels of 0 and 1 give the grades"
    ):
        slopes.coral(LOGITS, levels)
    for rows in (levels, levels[:1], np.array([[1.0, 0.0, -1.0]])):
        for make in (np.asarray, torch.from_numpy):
            with pytest.raises(
                ValueError,
                match=r"corn: target must have a -1 before each 0, got 0\.0; of levels of 0 and 1 give the grades",
            ):
                slopes.corn(make(LOGITS[: len(rows)]), make(rows))
    assert slopes.corn(LOGITS[:2], np.array([[1.0, 1, 1], [0, 0, 0]]), mask=np.array([True, False])) > 0
