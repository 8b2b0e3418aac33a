"""The audit catches planted bugs, each by its primary check alone, and passes their corrected twins."""

import json
import re

import numpy as np
import pytest

import slopes
from evidence import kept_evidence
from helpers import mark_exhaustive
from slopes import kinds, ops
from slopes.auditing import AuditError
from slopes.auditing.cards import CHECKS
from slopes.auditing.cards.claims import CLAIM_CHECKS
from slopes.auditing.cards.extremes import PART, _rows, awkward
from slopes.auditing.cards.numerics import errors_of
from slopes.auditing.cards.subject import Subject
from slopes.auditing.report import Finding, about, run
from slopes.card import Activation, Loss
from slopes.domains import Positive, Real, UnitInterval
from slopes.facts import Claims
from slopes.ops import exp

pytest.importorskip("torch")


def sigmoid_slope(x):
    return ops.sigmoid(x, times=ops.sigmoid(-x))


def card(body, slope=None, **fields):
    """An activation card with a derivative."""
    made = slopes.activation(**fields)(body)
    if slope is not None:
        made.derivative(slope)
    return made


def logistic(x):
    """A sound body for the twins."""
    return ops.sigmoid(x)


class Upcasting(Activation):
    """A card that forgets the argument's dtype."""

    def __call__(self, x, **parameters):
        return super().__call__(x.astype(np.float64) if isinstance(x, np.ndarray) else x, **parameters)


class Overwriting(Activation):
    """A card that leaves its result in its argument."""

    def __call__(self, x, **parameters):
        result = super().__call__(x, **parameters)
        if isinstance(x, np.ndarray) and x.dtype == np.float64 and x.ndim:
            x[...] = result
        return result


class Lax(kinds.Kind):
    """A kind that lets shapes broadcast."""

    def enter(self, r, owner, arguments, **options):
        if all(isinstance(argument, np.ndarray) for argument in arguments):
            arguments = np.broadcast_arrays(*arguments)
            options["mask"] = options["weight"] = None
        return super().enter(r, owner, arguments, **options)


def squared(prediction, target):
    """A sound body of a loss."""
    return (prediction - target) ** 2


def squared_slope(prediction, target):
    return 2 * (prediction - target)


def regression(body, slope, kind=None, **fields):
    made = Loss(body, kind=kind or kinds.KINDS["regression"], **{"minimum": 0.0, **fields})
    made.derivative(slope)
    return made


def scaled(x, *, scale: float = 1.0):
    """A parameter that would take anything."""
    return ops.sigmoid(scale * x)


def scaled_right(x, *, scale: Positive = 1.0):
    """The same with a domain."""
    return ops.sigmoid(scale * x)


def scaled_slope(x, *, scale):
    return scale * sigmoid_slope(scale * x)


def overflowing(x):
    """Sigmoid as people write it, which is inf / inf from 710 on."""
    return exp(x) / (1 + exp(x))


def cancelling(x):
    """Sigmoid, less accurate the more it is certain of a no."""
    return 1 - ops.sigmoid(-x)


def cancelling_slope(x):
    """The slope of tanh by its own value: 0 from 20 on."""
    return 1 - ops.tanh(x) ** 2


def two_faced(x):
    """A body that asks what it is given."""
    return ops.tanh(x) * (1.001 if type(x).__module__ == "torch" else 1)


def hyperbolic(x):
    return ops.tanh(x)


def hyperbolic_slope(x):
    return ops.sigmoid(2 * x, times=4 * ops.sigmoid(-2 * x))


def quick(x):
    """A sigmoid of another steepness than the one it is said to be."""
    return ops.sigmoid(2 * x)


def quick_slope(x):
    return 2 * sigmoid_slope(2 * x)


def multiple(x, *, scale: Positive = 1.0):
    """A multiple that cancels near 0, but not at the scales that other checks try."""
    return x * scale if scale < 10 else (x + 1) * scale - scale


def multiple_right(x, *, scale: Positive = 1.0):
    """The same in one form."""
    return x * scale


def multiple_slope(x, *, scale):
    return ops.step(x, scale, scale)


def folded(x):
    """A logarithm of both signs, whose branches have no slope at 0."""
    return ops.where(x < 0, -ops.log1p(abs(x)), ops.log1p(abs(x)))


def folded_right(x):
    """The same by branches that have one."""
    return ops.log1p(ops.maximum(x, 0)) - ops.log1p(ops.maximum(0, -x))


def folded_slope(x):
    return 1 / (1 + abs(x))


def lost_at_infinity(x):
    """A hyperbolic tangent that is 0 · inf in torch alone."""
    return ops.tanh(x) + (0 * x if type(x).__module__ == "torch" else 0)


def nothing_by_nothing(prediction, target):
    """The size of a residual, whose float32 tensors are 0 / 0 where both are equal, but for a target of 0."""
    residual = abs(prediction - target)
    return ops.where((target == 0) | (residual > 1), residual, residual * (residual / (residual + 1e-300)))


sound = card(logistic, sigmoid_slope)
PLANTED = {
    "dtype_and_shape": (Upcasting(logistic).derivative(sigmoid_slope), sound),
    "inputs_written": (Overwriting(logistic).derivative(sigmoid_slope), sound),
    "shapes_refused": (
        regression(squared, squared_slope, Lax("regression", kinds.KINDS["regression"].arguments)),
        regression(squared, squared_slope),
    ),
    "parameters_refused": (card(scaled, scaled_slope), card(scaled_right, scaled_slope)),
    "finite": (card(overflowing, sigmoid_slope), sound),
    "value_precision": (card(cancelling, sigmoid_slope), sound),
    "slope_precision": (card(hyperbolic, cancelling_slope), card(hyperbolic, hyperbolic_slope)),
    "derivative": (card(logistic, lambda x: sigmoid_slope(2 * x)), sound),
    "numpy_equals_torch": (card(two_faced, hyperbolic_slope), card(hyperbolic, hyperbolic_slope)),
    "forward_mode": (card(folded, folded_slope), card(folded_right, folded_slope)),
    "claims": (
        card(logistic, sigmoid_slope, symmetry="odd"),
        card(hyperbolic, hyperbolic_slope, symmetry="odd"),
    ),
    "minimum": (
        regression(lambda prediction, target: -((prediction - target) ** 2), lambda p, t: -2 * (p - t)),
        regression(squared, squared_slope),
    ),
    "peers": (
        card(quick, quick_slope, same_as={"torch": "sigmoid(x)"}),
        card(quick, quick_slope, same_as={"torch": "sigmoid(2 * x)"}),
    ),
    "limits": (card(lost_at_infinity, hyperbolic_slope), card(hyperbolic, hyperbolic_slope)),
    "no_nan": (
        regression(nothing_by_nothing, lambda p, t: ops.sign(p - t)),
        regression(lambda p, t: abs(p - t), lambda p, t: ops.sign(p - t)),
    ),
    "whole_range": (card(multiple, multiple_slope), card(multiple_right, multiple_slope)),
}


def test_every_check_has_a_planted_bug():
    assert set(PLANTED) == {check.__name__ for check in CHECKS}


@pytest.mark.parametrize("check", PLANTED)
def test_planted_bug_is_found_by_its_check_alone(check):
    with kept_evidence() as evidence:
        report = slopes.audit(PLANTED[check][0])
    assert {finding.check for finding in report.findings} == {check}, str(report)
    assert "its code" not in str(report)
    for finding in report.findings:
        assert "train" in finding.message
        evidence.confirm(finding)
    assert not report.ok
    with pytest.raises(AuditError, match=check):
        report.raise_for_errors()


@pytest.mark.parametrize("check", mark_exhaustive(PLANTED, every=4))
def test_corrected_twin_passes(check):
    report = slopes.audit(PLANTED[check][1])
    assert report.ok, str(report)
    report.raise_for_errors()


def test_errors_between_the_points_of_other_checks_are_found():
    def body(x):
        return ops.tanh(x) * ops.where((x > 2.25) & (x < 2.3), 1 + 1e-14, 1.0)

    (finding,) = slopes.audit(card(body, hyperbolic_slope, definition=hyperbolic)).findings
    assert (finding.check, finding.severity) == ("whole_range", "note")  # a training does not notice
    assert "float64 value by NumPy is 0.97" in finding.message
    assert re.search(r"\narguments = \(np\.float64\(2\.2\d+\),\)\n", finding.reproduce), finding.reproduce


def wrong_in_float32(x):
    """Is off in PyTorch alone, which computes float32 in float32."""
    few = (x > 2.25) & (x < 2.3) if "float32" in str(x.dtype) else x != x
    return x * ops.where(few, 1 + 1e-5, 1.0)


def wrong_at_few_sizes(x):
    """Is off in both dtypes, at numbers that only float32 would try otherwise."""
    return x * ops.where((x > 2.0**-112) & (x < 2.0**-109), 1 + 1e-5, 1.0)


def wrong_slope_at_few_sizes(x):
    return 1.0 + ops.where((x > 2.0**-112) & (x < 2.0**-109), 1e-5, 0.0 * x)


@pytest.mark.parametrize(
    ("body", "slope", "message"),
    [
        (wrong_in_float32, lambda x: 1.0 + 0 * x, r"float32 (value|slope) by torch is"),
        (wrong_at_few_sizes, lambda x: 1.0 + 0 * x, r"float64 value by (NumPy|torch) is"),
        (lambda x: ops.where(x == x, x, x), wrong_slope_at_few_sizes, r"float64 slope by (NumPy|torch) is"),
    ],
)
def test_errors_of_one_dtype_or_of_few_sizes_are_found(body, slope, message):
    """Float32 is held against float64, and exact results decide where they differ."""
    subject = Subject(card(body, slope, definition=lambda x: x))
    (finding,) = run(subject, [check for check in CHECKS if check.__name__ == "whole_range"]).findings
    assert re.search(message, finding.message), finding.message


def test_a_loss_that_is_off_where_float32_is_sparse_is_found():
    def off(prediction, target):
        error = prediction - target
        return error * error * ops.where((abs(error) > 2.0**-52) & (abs(error) < 2.0**-44), 1 + 1e-5, 1.0)

    made = slopes.loss("regression", definition=lambda p, t: (p - t) ** 2)(off)
    made.derivative(lambda p, t: 2 * (p - t))
    (finding,) = run(Subject(made), [check for check in CHECKS if check.__name__ == "whole_range"]).findings
    assert "float64 value" in finding.message


def test_a_peer_that_only_reduces_is_compared_by_its_mean():
    right, wrong = (card(quick, quick_slope, same_as={"torch": f"sigmoid({z}).mean()"}) for z in ("2 * x", "x"))
    assert slopes.audit(right, quick=True).ok
    with kept_evidence() as evidence:
        (finding,) = slopes.audit(wrong, quick=True).findings
    assert finding.check == "peers"
    evidence.confirm(finding)


def test_a_peer_that_is_not_there_is_noted():
    missing = card(quick, quick_slope, same_as={"torch": "nn.functional.later(x)"})
    report = slopes.audit(missing, quick=True)
    assert report.ok
    (finding,) = report.findings
    assert (finding.check, finding.severity) == ("peers", "note")
    assert finding.message.endswith("nothing was compared: module 'torch.nn.functional' has no attribute 'later'")


WRONG_CLAIMS = {
    "range": [(0, 2), (0.1, 1), (-1, 1)],
    "zero": [0.4],
    "lipschitz": [0.2, 0.3],
    "monotone": [False],
    "symmetry": ["even", "odd", "mirror"],
    "convex": [True],
    "kinks": [(0.0,)],
    "ignores_target": [True],
    "detached": [True],
    "ulps": [2.0],
}


def test_every_claim_has_a_check():
    assert set(CLAIM_CHECKS) == set(Claims.__dataclass_fields__)
    assert set(WRONG_CLAIMS) | {"minimum"} == set(CLAIM_CHECKS)


@pytest.mark.parametrize(("known", "wrong"), [(slopes.cross_entropy, True), (slopes.mse, True), (slopes.z_loss, False)])
def test_a_wrong_claim_about_the_target_is_found(known, wrong):
    made = slopes.loss(known.kind.name, minimum=None, ignores_target=wrong)(known.body)
    with kept_evidence() as evidence:
        found = [finding for finding in slopes.audit(made, quick=True).findings if finding.check == "claims"]
    (finding,) = found
    assert f"ignores_target={wrong!r}, but" in finding.message
    evidence.confirm(finding)
    right = slopes.loss(known.kind.name, minimum=None, ignores_target=not wrong)(known.body)
    assert not [finding for finding in slopes.audit(right, quick=True).findings if finding.check == "claims"]


def test_a_gradient_that_keeps_a_part_constant_is_claimed():
    def paced(prediction, target):
        apart = abs(prediction - target)
        return ops.stop_gradient(apart) * apart

    for claimed, found in ((True, []), (None, ["backward"]), (False, ["backward", "claims"])):
        made = slopes.loss("regression", detached=claimed)(paced)
        made.derivative(lambda prediction, target: prediction - target)
        with kept_evidence() as evidence:
            report = slopes.audit(made, quick=True)
        assert sorted(finding.check for finding in report.findings) == found
        for finding in report.findings:
            evidence.confirm(finding)


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG_CLAIMS.items() for value in values]
)
def test_wrong_claims_are_refuted(name, value):
    with kept_evidence() as evidence:
        report = slopes.audit(card(logistic, sigmoid_slope, **{name: value}))
    (finding,) = report.findings
    assert finding.check == "claims"
    assert name in finding.message
    assert finding.reproduce.splitlines()[-1].startswith("print(f")
    evidence.confirm(finding)


def test_a_kink_that_is_not_claimed_is_found():
    report = slopes.audit(card(lambda x: ops.maximum(x, 0), lambda x: ops.step(x), kinks=(1.0,)))
    assert "claims" in {finding.check for finding in report.findings}


def test_wrong_definition_is_found():
    report = slopes.audit(card(logistic, sigmoid_slope, definition=lambda x: 1 / (1 + exp(-1.01 * x))))
    assert [finding.check for finding in report.findings] == ["claims"]
    assert "definition" in report.findings[0].message


def test_a_loss_that_is_not_least_at_the_truth():
    report = slopes.audit(regression(lambda p, t: (p - t) ** 2 + 0.5, squared_slope))
    assert [finding.check for finding in report.findings] == ["minimum"]
    assert "perfect" in report.findings[0].message


def test_claims_that_nothing_can_refute_are_refused():
    with pytest.raises(TypeError, match="logistic: no check can refute beauty; claims are range"):
        slopes.activation(beauty=1)(logistic)


def test_a_card_without_a_derivative_is_audited_by_autograd():
    report = slopes.audit(slopes.loss("regression")(squared))
    assert report.ok, str(report)
    assert "no derivative" in report.skipped["derivative"]


def test_a_body_that_raises_is_a_finding():
    def broken(x):
        return undefined_name  # noqa: F821

    report = slopes.audit(slopes.activation()(broken))
    assert not report.ok
    assert ["NameError" in finding.message for finding in report.findings] == [True]


def test_kinks_are_detected_and_claims_are_those_of_the_defaults():
    assert slopes.audit(slopes.elu.with_(alpha=0.5)).ok
    assert slopes.audit(slopes.leaky_relu.with_(negative_slope=-0.3)).ok
    assert slopes.audit(slopes.huber.with_(delta=0.25)).ok


def test_sound_cards_with_kinks_raise_no_alarm():
    @slopes.activation(kinks=(0.0,))
    def leaky(x, *, slope: Real = 0.01):
        return ops.where(x > 0, x, slope * x)

    @slopes.loss("regression")
    def pinball(prediction, target, *, quantile: UnitInterval = 0.9):
        residual = target - prediction
        return ops.maximum(quantile * residual, (quantile - 1) * residual)

    for sound_card in (leaky, pinball, slopes.activation(lambda x: ops.maximum(x, 0) ** 2)):
        report = slopes.audit(sound_card)
        assert report.ok, str(report)


def test_a_derivative_that_forgets_its_parameter():
    @slopes.activation
    def sloped(x, *, slope: Positive = 1.0):
        return slope * x

    @sloped.derivative
    def _(x, *, slope):
        return ops.step(x, 1.0, 1.0)

    report = slopes.audit(sloped)
    assert [finding.check for finding in report.findings] == ["derivative"]
    assert "slope=1.75" in report.findings[0].reproduce


CHOICES = [
    slopes.gelu.with_(approximate="tanh"),
    slopes.binary_cross_entropy.with_(from_probabilities=True),
    slopes.cross_entropy.with_(from_probabilities=True, base=2.0),
]


@pytest.mark.parametrize("chosen", mark_exhaustive(CHOICES), ids=str)
def test_choices_are_audited_by_their_own_body(chosen):
    assert slopes.audit(chosen).ok


def test_near_a_root_the_terms_count():
    """A difference may lose 4 eps of its terms, but not of terms that it need not have."""

    @slopes.activation
    def shifted(x):
        return ops.tanh(x) - 0.25

    @slopes.activation
    def detour(x):
        return (ops.tanh(x) + 16) - 16.25

    for made in (shifted, detour):
        made.derivative(hyperbolic_slope)
    assert slopes.audit(shifted).ok, str(slopes.audit(shifted))
    assert [finding.check for finding in slopes.audit(detour).findings] == ["value_precision"]


def test_a_slope_that_cancels_is_held_to_its_terms():
    """The slope of gelu from afar to its root at −0.75, by the rule and by its largest term."""
    x = np.linspace(-1.3, -0.4, 1001)

    class Near(Subject):
        def line(self, dtype):
            return x.astype(dtype)

    errors, allowed, exactly, came = errors_of(Near(slopes.gelu), "slope", np.float64)
    assert (errors <= allowed).all()
    assert errors.max() > 4
    assert (abs(came - exactly) <= 4 * np.finfo(float).eps * ops.ndtr(x)).all()


def test_what_a_row_loses_beyond_its_condition_is_found():
    """Where target and prediction nearly agree, a divergence is of second order, and its slope of first."""

    @slopes.loss("distribution")
    def by_logs(prediction, target):
        mixture = (ops.softmax(prediction) + target) / 2
        parts = ops.xlogy(target, target / mixture) + ops.xlogy(
            ops.softmax(prediction), ops.softmax(prediction) / mixture
        )
        return ops.sum(parts)[..., 0] / 2

    found = {finding.check: finding.message for finding in slopes.audit(by_logs).findings}
    assert "value_precision" in found, found

    @slopes.loss("distribution")
    def by_difference(prediction, target):
        return slopes.kl_div.body(prediction, target, from_probabilities=False)

    @by_difference.derivative
    def _(prediction, target):
        others = ops.sum(target) - target
        return ops.softmax(prediction) * others - target * ops.softmax_complement(prediction)

    assert [finding.check for finding in slopes.audit(by_difference).findings] == ["slope_precision"]


def test_the_condition_of_a_row_is_that_of_each_entry():
    """Without a draw: what each argument's last place is worth, summed."""
    subject = Subject(slopes.kl_div, seed=3)
    prediction, target = subject.inputs(np.float64)
    came = subject.conditioning("slope", np.float64)
    np.testing.assert_array_equal(came, subject.conditioning("slope", np.float64))
    p, t = slopes.softmax(prediction), target
    slope = p * t.sum(-1, keepdims=True) - t
    by_target = abs(p * t.sum(-1, keepdims=True) - p * t) + abs((p - 1) * t)
    spread = np.abs(p * prediction) @ np.ones((5, 5)) - abs(p * prediction)
    by_prediction = p * (spread + (1 - p) * abs(prediction))
    wanted = (by_target + by_prediction) / abs(slope)
    chosen = (wanted < 1e4) & (abs(prediction).max(-1, keepdims=True) < 10)
    assert chosen.sum() > 50
    np.testing.assert_allclose(came[chosen], wanted[chosen], rtol=1e-2)


def test_the_code_of_a_card_that_is_defined_in_a_function_can_be_pasted():
    @slopes.activation
    def overflow(x, *, scale: Positive = 1.0):
        return exp(scale * x) / (1 + exp(scale * x))

    @overflow.derivative
    def _(x, *, scale):
        return scale * sigmoid_slope(scale * x)

    with kept_evidence() as evidence:
        finding, *_ = slopes.audit(overflow).findings
    assert (finding.came, finding.expected) == ("nan", "1.0")
    evidence.confirm(finding)
    evidence.confirm_in_a_process(finding)


def test_a_weaker_finding_does_not_end_the_search():
    def check(subject):
        for severity in ("note", "warning", "error", "error"):
            seen.append(severity)
            yield Finding("", severity, "f(x)", "mend it", severity)

    seen = []
    (finding,) = run(Subject(slopes.relu), [about(once=True)(check)]).findings
    assert finding.severity == "error"
    assert seen == ["note", "warning", "error"]


def test_report_as_text_and_json():
    report = slopes.audit(slopes.relu)
    assert re.match(r"slopes.relu: clean, \d+ checks ran\n  an activation, element by element\n", str(report))
    assert json.loads(report.to_json())["ok"] is True
    report = slopes.audit(PLANTED["derivative"][0])
    assert "repair:" in str(report)
    assert json.loads(report.to_json())["findings"][0]["check"] == "derivative"


def test_seed_decides_the_inputs():
    first, again, other = (slopes.audit(PLANTED["value_precision"][0], seed=seed).to_json() for seed in (0, 0, 1))
    assert first == again != other


def test_awkward_arguments_come_in_parts_and_all():
    """The second derivatives of all combinations of three rows at once would take 700 MB."""
    card = slopes.triplet_margin
    lengths = [len(anchor) for anchor, *_ in awkward(Subject(card), np.float32)]
    assert max(lengths) == PART
    assert sum(lengths) == len(_rows(card.kind.spaces(card.settings)[0], np.float32, few=True)) ** 3
