"""Every card of the catalogue passes the audit that users' cards get, and is a name of the top level."""

import numpy as np
import pytest

import slopes
from helpers import is_map, unreduced
from slopes.auditing.cards import CHECKS
from slopes.auditing.cards.claims import peers
from slopes.auditing.cards.subject import Subject
from slopes.auditing.report import Skip
from slopes.card import Loss
from slopes.catalogue import CARDS, aliases, find

subjects: dict[object, Subject] = {}  # exact results are shared by the checks of a card


SLOW = [check for check in CHECKS if getattr(check, "slow", False)]


def test_audit(card):
    assert_passes(card, [check for check in CHECKS if check not in SLOW])


@pytest.mark.sampled(4, every=10)
def test_audit_by_slow_checks(card):
    assert_passes(card, SLOW)


def assert_passes(card, checks):
    pytest.importorskip("mpmath")
    pytest.importorskip("torch")
    subject = subjects.setdefault(card, Subject(card))
    findings = [finding for check in checks for finding in findings_of(check, subject)]
    assert not findings, "\n".join(map(str, findings))


def findings_of(check, subject):
    try:
        findings = list(check(subject))
    except Skip:
        return []
    # of a peer a note is no error: an older version of a library lacks it
    return [finding for finding in findings if check is not peers or finding.severity != "note"]


@pytest.mark.sampled(3)
def test_reductions_keep_half_types_in_float32(loss):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    prediction, *targets = loss.kind.examples(loss.settings).sample(rng, (3000, 5))  # few enough to go without a kernel
    half = torch.tensor(prediction).to(torch.bfloat16)
    goals = [torch.tensor(target) for target in targets]
    goals = [goal.to(torch.bfloat16) if goal.is_floating_point() else goal for goal in goals]
    if any(space.has_classes for space in loss.kind.spaces(loss.settings)[1:]) and goals[0].ndim == 2:
        goals = [torch.eye(5, dtype=goal.dtype)[goal.argmax(-1)] for goal in goals]  # rows that sum to 1 as they are
    if loss.kind.space_of(loss.settings).falls:  # entries may be rounded to one number
        falls = (half[:, 1:] < half[:, :-1]).all(-1)
        half, goals = half[falls], [goal[falls] for goal in goals]
    wide = [goal.double() if goal.is_floating_point() else goal for goal in goals]
    if loss.kind.space_of(loss.settings).is_probability and loss.kind.rowwise:
        half = (half.double() / half.double().sum(-1, keepdim=True)).to(torch.bfloat16)
    came, expected = (
        loss(half, *goals),
        loss(half.double(), *wide) if not loss.kind.space_of(loss.settings).is_probability else None,
    )
    assert came.dtype == torch.bfloat16
    if expected is not None:
        assert abs(came.double() - expected) <= expected.abs() * 2**-8


def test_autocast_gives_float32_losses(loss):
    torch = pytest.importorskip("torch")
    prediction, *targets = loss.kind.examples(loss.settings).sample(np.random.default_rng(0), (8, 3))
    prediction = torch.tensor(prediction).to(torch.bfloat16)
    if loss.kind.space_of(loss.settings).is_probability:
        prediction = torch.full_like(prediction, 0.25)[:, :1].expand(8, 4)
    targets = [torch.tensor(target) for target in targets]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert loss(prediction, *targets).dtype == torch.float32
        assert loss.value_and_slope(prediction, *targets)[1].dtype == torch.bfloat16


def test_no_warning_and_no_nan_at_extremes(card):
    extremes = np.array([0.0, -0.0, 1e-300, 1e300, -1e300, 88.8, -103.9, 709.8, -745.2, 1.7e308, -1.7e308])
    function = unreduced(card)
    if isinstance(card, Loss) and card.kind.has_fixed_shape:
        pytest.skip("it takes no rows of extremes: the audit takes images of them")
    if isinstance(card, Loss):
        if card.kind.space_of(card.settings).is_probability:
            extremes = np.array([[0.0, 1.0], [1.0, 0.0], [5e-324, 1.0]])
            arguments = (extremes, np.array([1, 1, 0]))
        else:
            first = card.kind.spaces(card.settings)[0]
            extremes = extremes[(extremes > first.low) & (extremes <= first.high)]
            rows = np.stack([extremes, extremes[::-1]], -1) if card.kind.rowwise else extremes
            if first.name == "boxes":
                rows = np.stack([0 * extremes, 0 * extremes, *abs(rows.T)], -1)
            if first.falls:
                rows = -np.sort(-rows[rows[:, 0] != rows[:, 1]])
            _, *targets = card.kind.examples(card.settings).sample(np.random.default_rng(0), rows.shape)
            arguments = (rows, *targets)
    else:
        arguments = (extremes if not is_map(card) else np.concatenate([extremes, np.ones_like(extremes)]),)
    with np.errstate(all="raise"):
        assert not np.isnan(function(*arguments)).any()
        slope = card.vjp(*arguments, np.ones_like(function(*arguments))) if is_map(card) else card.slope(*arguments)
    assert not np.isnan(slope).any()


def test_cards_are_names_of_the_top_level(card):
    for name in [card.name, *aliases(card)]:
        assert getattr(slopes, name) is card
        assert name in slopes.__all__


def test_every_card_fits_on_a_screen(card):
    import inspect

    lines, first = inspect.getsourcelines(card.body)
    module = inspect.getsource(inspect.getmodule(card.body)).splitlines()
    following = [
        i for i in range(first + len(lines) - 1, len(module)) if module[i].startswith(("@activation", "@loss"))
    ]
    end = following[0] if following else len(module)
    assert end - first < 45


def test_lookup_suggests():
    assert find("gelu") is slopes.gelu
    with pytest.raises(LookupError, match=r"no function 'rellu'; did you mean 'relu'"):
        find("rellu")
    with pytest.raises(LookupError, match="did you mean 'crps_ensemble' or 'crps_gaussian'"):
        find("crps")
    with pytest.raises(LookupError, match="there are"):
        find("zzzzzz")


def test_the_lesson_is_covered():
    wanted = "sigmoid tanh relu linear identity softmax mse mae categorical_cross_entropy"
    assert set(wanted.split()) <= set(CARDS)
