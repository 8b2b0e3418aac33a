"""Losses of the log-likelihoods of answers and tokens: the formulas of their authors' code, normalisers, huge numbers."""

import numpy as np
import pytest

import slopes

torch = pytest.importorskip("torch")
F = torch.nn.functional

RNG = np.random.default_rng(0)
CHOSEN, REJECTED, REFERENCE_CHOSEN, REFERENCE_REJECTED = RNG.normal(-40, 8, (4, 6))
SIGNS = np.array([1.0, -1.0, 1.0, 1.0, -1.0, -1.0])
ANSWERS = CHOSEN, REJECTED, REFERENCE_CHOSEN, REFERENCE_REJECTED
LOGPS, OLD, ADVANTAGES = RNG.normal(-2, 0.2, (3, 5)), RNG.normal(-2, 0.2, (3, 5)), RNG.normal(0, 1, (3, 5))
MASK = np.arange(5) < np.array([5, 2, 0])[:, None]


def gradients(function, arrays):
    leaves = [torch.from_numpy(x.copy()).requires_grad_() for x in arrays]
    value = function(*leaves)
    grads = torch.autograd.grad(value, leaves, allow_unused=True)
    return value.detach(), [None if g is None else g.numpy() for g in grads]


def dpo(chosen, rejected, reference_chosen, reference_rejected):
    return -F.logsigmoid(0.1 * ((chosen - rejected) - (reference_chosen - reference_rejected))).mean()


def ipo(chosen, rejected, reference_chosen, reference_rejected):
    return (((chosen - rejected) - (reference_chosen - reference_rejected) - 1 / (2 * 0.1)) ** 2).mean()


def simpo(chosen, rejected):
    return -F.logsigmoid(2.0 * (chosen - rejected - 0.25)).mean()


def orpo(chosen, rejected):
    odds = (chosen - rejected) - (torch.log1p(-chosen.exp()) - torch.log1p(-rejected.exp()))
    return (-chosen - 0.1 * F.logsigmoid(odds)).mean()


def kto(policy, reference, signs):
    """TRL's code, with its defaults but for kl and the two weights."""
    ratios = policy - reference
    chosen = 1 - F.sigmoid(0.1 * (ratios[signs > 0] - 0.3))
    rejected = 1 - F.sigmoid(0.1 * (0.3 - ratios[signs < 0]))
    return torch.cat((1.5 * chosen, 0.7 * rejected)).mean()


def ppo(logps, old, advantages):
    ratio = (logps - old).exp()
    return -torch.min(ratio * advantages, ratio.clamp(1 - 0.2, 1 + 0.2) * advantages).mean()


@pytest.mark.parametrize(
    ("own", "theirs", "arrays"),
    [
        (slopes.dpo, dpo, ANSWERS),
        (slopes.ipo, ipo, ANSWERS),
        (slopes.simpo, simpo, (CHOSEN / 20, REJECTED / 20)),
        (slopes.orpo, orpo, (CHOSEN / 20, REJECTED / 20)),
        (slopes.kto.with_(kl=0.3, desirable=1.5, undesirable=0.7), kto, (CHOSEN, REFERENCE_CHOSEN, SIGNS)),
        (slopes.ppo_clip, ppo, (LOGPS, OLD, ADVANTAGES)),
    ],
    ids=lambda x: getattr(x, "name", ""),
)
def test_values_and_gradients_are_those_of_the_usual_code(own, theirs, arrays):
    value, wanted = gradients(theirs, arrays)
    mean, came = gradients(own, arrays)
    torch.testing.assert_close(mean, value, rtol=1e-12, atol=0)
    for mine, yours in zip(came, wanted, strict=True):
        if yours is None:  # signs that are compared have no gradient
            continue
        np.testing.assert_allclose(mine, yours, rtol=1e-10, atol=1e-15)
    assert own(*arrays) == pytest.approx(float(value), rel=1e-12)
    np.testing.assert_allclose(own.slope(*arrays), wanted[0], rtol=1e-10, atol=1e-15)


def test_a_small_difference_of_likely_answers_keeps_its_digits():
    arrays = [np.array([x]) for x in (1e16, 1e16, 1.5, 1.25)]  # the lead is −0.25, and no difference is a float64
    assert slopes.dpo.slope(*arrays, beta=1.0) == pytest.approx(-1 / (1 + np.exp(-0.25)), rel=1e-15)
    assert slopes.ipo.slope(*arrays, beta=0.5) == -2.5
    most = np.finfo(float).max
    for card in (slopes.dpo, slopes.ipo):
        for signs in np.array(np.meshgrid(*[[1.0, -1.0]] * 4)).reshape(4, -1).T:
            value, slope = card.value_and_slope(*(np.array([sign * most]) for sign in signs))
            assert not np.isnan(value)
            assert not np.isnan(slope).any()


def test_sure_answers_have_odds():
    """Log-odds are infinite at a likelihood of 1, and differences of them NaN."""
    for dtype in (torch.float32, torch.float64):
        for chosen, rejected, value, slopes_ in (
            (0.0, -1.0, 0.0, (-1 - 0.1 / (np.e - 1), 0.0)), (-1e-30, -1e-30, 0.1 * np.log(2), (-5e28, 5e28)),
            (-1.0, -1e4, 1.0, (-1.0, 0.0)), (-1e4, -1.0, 1.1e4 - 0.1 * np.log(np.e - 1), (-1.1, 0.1 / (1 - np.exp(-1)))),
            (0.0, 0.0, 0.0, None), (-1.0, 0.0, np.inf, None),
        ):  # fmt: skip
            leaves = [torch.tensor(x, dtype=dtype, requires_grad=True) for x in (chosen, rejected)]
            result = slopes.orpo(*leaves)
            came = torch.autograd.grad(result, leaves)
            assert float(result.detach()) == pytest.approx(value, rel=1e-6, abs=1e-29)
            assert not any(x.isnan() for x in came)
            if slopes_ is not None:
                assert [float(x) for x in came] == pytest.approx(slopes_, rel=1e-6)
                assert slopes.orpo.slope(chosen, rejected) == pytest.approx(slopes_[0], rel=1e-14)
    with pytest.raises(ValueError, match=r"orpo: chosen must be <= 0, got 0\.5"):
        slopes.orpo(0.5, -1.0)


def mean_of_sequences(logps, old, advantages, mask):
    ratio = np.exp(logps - old)
    tokens = -np.minimum(ratio * advantages, np.clip(ratio, 0.8, 1.2) * advantages)
    return np.mean([row[kept].mean() for row, kept in zip(tokens, mask, strict=True) if kept.any()])


def test_a_mean_is_over_tokens_or_over_sequences():
    arrays = LOGPS, OLD, ADVANTAGES
    tokens = slopes.ppo_clip(*arrays, reduction="none")
    assert slopes.ppo_clip(*arrays, mask=MASK) == pytest.approx(tokens[MASK].mean(), rel=1e-13)
    wanted = mean_of_sequences(*arrays, MASK)
    assert slopes.ppo_clip(*arrays, mask=MASK, normalizer="sequence") == pytest.approx(wanted, rel=1e-13)
    by_length = MASK / np.maximum(MASK.sum(-1, keepdims=True), 1)
    assert slopes.ppo_clip(*arrays, weight=by_length, divisor=2) == pytest.approx(wanted, rel=1e-13)
    parts = [
        slopes.ppo_clip(*(x[part] for x in arrays), mask=MASK[part], normalizer="sequence", divisor=2)
        for part in (slice(0, 1), slice(1, 3))
    ]
    assert sum(parts) == pytest.approx(wanted, rel=1e-13)
    given = [torch.from_numpy(x) for x in (*arrays, MASK)]
    leaf = given[0].clone().requires_grad_()
    value = slopes.ppo_clip(leaf, *given[1:3], mask=given[3], normalizer="sequence")
    value.backward()
    assert float(value.detach()) == pytest.approx(wanted, rel=1e-13)
    slope = slopes.ppo_clip.slope(*arrays, mask=MASK, normalizer="sequence")
    np.testing.assert_allclose(leaf.grad.numpy(), slope, rtol=1e-12)
    assert not slope[~MASK].any()
    assert slopes.ppo_clip(*arrays, mask=np.zeros_like(MASK), normalizer="sequence") == 0
    with pytest.raises(ValueError, match="normalizer must be one of 'token', 'sequence', 'batch', got 'tokens'"):
        slopes.ppo_clip(*arrays, normalizer="tokens")


def test_a_mean_over_the_batch_adds_the_tokens_of_each_sequence():
    arrays = LOGPS, OLD, ADVANTAGES
    tokens = slopes.ppo_clip(*arrays, reduction="none")
    with_tokens = MASK.any(-1).sum()
    wanted = (tokens * MASK).sum() / with_tokens
    value, slope = slopes.ppo_clip.value_and_slope(*arrays, mask=MASK, normalizer="batch")
    assert value == pytest.approx(wanted, rel=1e-13)
    assert slopes.ppo_clip(*arrays, normalizer="batch") == pytest.approx(tokens.sum() / len(tokens), rel=1e-13)
    by_hand = slopes.ppo_clip.value_and_slope(*arrays, mask=MASK, divisor=with_tokens)
    assert value == pytest.approx(by_hand[0], rel=1e-14)
    np.testing.assert_allclose(slope, by_hand[1], rtol=1e-13)
    leaf = torch.from_numpy(LOGPS).requires_grad_()
    rest = [torch.from_numpy(x) for x in (OLD, ADVANTAGES, MASK)]
    slopes.ppo_clip(leaf, *rest[:2], mask=rest[2], normalizer="batch").backward()
    np.testing.assert_allclose(leaf.grad.numpy(), slope, rtol=1e-12)
    assert slopes.ppo_clip(*arrays, mask=np.zeros_like(MASK), normalizer="batch") == 0


def test_bounds_of_a_ratio_may_differ():
    up, down = np.log([1.25, 0.75])
    for advantage, gap, parameters, slope in (
        (1.0, up, {}, 0.0), (1.0, up, {"eps_high": 0.28}, -1.25), (-1.0, down, {}, 0.0),
        (-1.0, down, {"eps_low": 0.3}, 0.75), (1.0, down, {}, -0.75), (-1.0, up, {}, 1.25), (0.0, 800.0, {}, 0.0),
    ):  # fmt: skip
        assert slopes.ppo_clip.slope(gap, 0.0, advantage, **parameters) == pytest.approx(slope, rel=1e-15)
