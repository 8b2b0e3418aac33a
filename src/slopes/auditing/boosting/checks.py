"""Checks of an objective that gives derivatives: its gradient, its Hessian, and weights of rows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from slopes.auditing.boosting.derivatives import RTOL, Batch, Numbers, differences, is_close, ratio, truth, worst_row
from slopes.auditing.boosting.objective import DATA_FIRST, NATIVE, PREDICTION_FIRST, SKLEARN, Objective
from slopes.auditing.evidence import Shown, Unshown
from slopes.auditing.report import Finding
from slopes.auditing.signatures import arguments_of, role_of
from slopes.auditing.subject import Subject


class Trial:
    """Derivatives that an objective and the loss, if known, give for a batch."""

    def __init__(self, objective: Objective, batch: Batch, loss: Subject | None) -> None:
        self.objective, self.batch, self.loss = objective, batch, loss
        self.gradient, self.hessian = objective(batch)
        self.truth = None if loss is None else truth(loss, batch)
        #: ratio of the gradient to the loss's; None if it is no multiple
        self.factor = None if self.truth is None else ratio(self.gradient, self.truth[0])
        self.is_maximised = objective.framework.is_maximised
        self.minimised = ", of what is minimised" * self.is_maximised

    def curvature(self) -> Numbers:
        """Second derivative that belongs to the gradient."""
        return differences(self.objective, self.batch) if self.truth is None else (self.factor or 1.0) * self.truth[1]

    def finding(
        self, shown: str, place: int, message: str, repair: str, severity: str = "error", *, expected: str | Numbers,
        came: str = "",
    ) -> Finding:  # fmt: skip
        """Finding that shows the "gradient", "hessian" or both of a row, which is called alone if it gives the same."""
        noun, names = shown.replace("h", "H"), shown.split(", ")
        came = came or f"a {noun} of {{0}} at a raw score of {{1}} with the target {{2}}{self.minimised}"
        values = [getattr(self, name)[place] for name in names]
        for batch, row in ((self.batch.rows(place), 0), (self.batch, place)):
            try:
                return self.objective.show(batch, *(f"{name}[{row}]" for name in (*names, "raw", "y"))).finding(
                    message, repair, severity, came=came,
                    expected=expected if isinstance(expected, str) else f"{Shown(expected, 6)}",
                    shows=lambda *printed: all(map(_is_same, printed, values)),
                )  # fmt: skip
            except Unshown as error:
                unshown = error
        raise unshown

    def lost(self, shown: str) -> Iterator[Finding]:
        """Report a derivative that is not finite."""
        x = getattr(self, shown)
        lost = ~np.isfinite(x).reshape(len(x), -1).all(axis=-1)
        if lost.any():
            place = int(np.argmax(lost))
            at = f"{Shown(x[place], 6)} at a raw score of {Shown(self.batch.raw[place], 6)}"
            yield self.finding(
                shown, place, f"training gets useless trees: the {shown.replace('h', 'H')} is {at}",
                "use scipy.special.expit for the sigmoid, and "
                "hold probabilities away from 0 and 1 before dividing by them", expected="a finite number",
            )  # fmt: skip


def _is_same(x: Numbers, y: Numbers) -> bool:
    return bool(np.allclose(x, y, rtol=1e-6, atol=1e-12, equal_nan=True))


def check_gradient(trial: Trial) -> Iterator[Finding]:
    """Check that the gradient is the loss's, by the raw score, with the framework's sign and order."""
    objective, batch, gradient, factor = trial.objective, trial.batch, trial.gradient, trial.factor
    if objective.interface is DATA_FIRST:
        called = f"{objective.framework.name} calls objective(raw scores, data set)"
        told = "training stops at its first call: it takes the data set first"
        yield replace(objective, interface=NATIVE).raising(batch.rows(0), told, called)
    elif lost := list(trial.lost("gradient")):
        yield from lost
    elif trial.truth is None:
        yield from _falling(trial)
    elif factor is None or factor < 0 or np.isclose(factor, 1 / len(batch.raw), rtol=1e-4):
        # `check_hessian` compares other factors
        message, repair = next(_causes(trial, trial.truth[0]))
        place = worst_row(gradient, trial.truth[0])
        told = f"training takes wrong steps: {message}"
        yield trial.finding("gradient", place, told, repair, expected=trial.truth[0][place])


def _falling(trial: Trial) -> Iterator[Finding]:
    """Without a loss, check that the gradient does not fall all the way, which leads away from the target."""
    raw, gradient = trial.batch.raw, trial.gradient
    if raw.ndim == 1 and bool((gradient[raw == raw.max()] < gradient[raw == raw.min()]).all()):
        why = "CatBoost maximises" if trial.is_maximised else f"{trial.objective.framework.name} minimises"
        batch = trial.batch.rows(int(np.argmin(raw)), int(np.argmax(raw)))
        yield trial.objective.show(batch, "gradient[0]", "raw[0]", "gradient[1]", "raw[1]").finding(
            f"the gradient falls as the raw score rises, so that training runs away from the target: {why}",
            "turn the sign of both derivatives" if trial.is_maximised else "turn the sign",
            came="a gradient of {2} at a raw score of {3}, of {0} at {1}" + trial.minimised,
            expected="one that rises with the raw score", shows=lambda low, _, high, __: low > high,
        )  # fmt: skip


def _causes(trial: Trial, expected: Numbers) -> Iterator[tuple[str, str]]:
    """Yield (fault, repair) for a wrong gradient, the most particular first."""
    yield from _wrong_order(trial, expected)
    if trial.factor is not None and trial.factor > 0:
        repair = "give the derivative of each row's own loss, and leave the mean out: the sum of Hessians is held to "
        yield "the gradient is divided by the number of rows", f"{repair}min_child_weight, and to lambda"
    elif trial.factor is not None and trial.is_maximised:
        repair = "give the first and second derivative of minus the loss"
        yield "the derivatives have the wrong sign: CatBoost maximises", repair
    elif trial.factor is not None:
        repair = "give d loss / d raw score, prediction minus target and not target minus prediction"
        yield f"the gradient has the wrong sign: {trial.objective.framework.name} minimises", repair
    yield from _wrong_link(trial, expected)
    name = trial.loss.name if trial.loss else "a loss"
    yield f"the gradient is not that of {name}", "derive the loss by the raw score, link included"


def _wrong_order(trial: Trial, expected: Numbers) -> Iterator[tuple[str, str]]:
    objective, framework = trial.objective, trial.objective.framework.name
    if objective.interface is not SKLEARN:
        return
    first = next(iter(arguments_of(objective.thing) or ()), "")
    if role_of(first) == "prediction":
        yield f"takes the prediction first: {framework} gives y_true first", "write def objective(y_true, y_pred)"
    with contextlib.suppress(Exception):
        other, _ = replace(objective, interface=PREDICTION_FIRST)(trial.batch)
        if trial.factor is None and is_close(other, expected):
            yield f"takes its arguments in the other order: {framework} gives y_true first", "swap them"


def _wrong_link(trial: Trial, expected: Numbers) -> Iterator[tuple[str, str]]:
    if trial.loss is None or trial.batch.raw.ndim == 2 or not trial.loss.form.spaces[1].is_probability:
        return
    raw, gradient = trial.batch.raw, trial.gradient
    p = 1 / (1 + np.exp(-raw))
    if is_close(abs(gradient), abs(raw - trial.batch.label)):
        repair = "p = 1 / (1 + exp(-raw)) comes first; the gradient of log loss is p - y, its Hessian p * (1 - p)"
        yield "the sigmoid is left out: raw scores are taken for probabilities", repair
    if is_close(gradient * p * (1 - p), expected):
        told = "the chain's last factor is missing: it is the derivative by the probability, not by the raw score"
        yield told, "multiply the gradient by p * (1 - p)"


def check_hessian(trial: Trial) -> Iterator[Finding]:
    """Check that the Hessian is positive, and is the gradient's derivative or larger."""
    if lost := list(trial.lost("hessian")):
        yield from lost
        return
    true, scale = trial.curvature(), trial.factor or 1.0
    yield from _wrong_hessian(trial, true)
    if trial.loss is not None and abs(scale - 1) > RTOL:
        place = worst_row(trial.hessian, true)
        yield trial.finding(
            "gradient, hessian", place,
            f"training regularises otherwise than its options say: gradient and Hessian belong to {scale:.4g} times "
            f"{trial.loss.name}",
            "steps are the same; but lambda, min_child_weight and the value of the loss are held to the other size",
            "note", came="{0}, {1}",
            expected=f"{Shown(trial.gradient[place] / scale, 6)}, {Shown(true[place] / scale, 6)}",
        )  # fmt: skip


def _wrong_hessian(trial: Trial, true: Numbers) -> Iterator[Finding]:
    hessian, place = trial.hessian, worst_row(trial.hessian, true)
    negative = hessian < -1e-12 * np.abs(hessian).max()
    if (hessian == 0).all():
        yield trial.finding(
            "hessian", 0, "training may grow no trees: the Hessian is 0 everywhere",
            "give ones: XGBoost makes no split where the sum of Hessians is below min_child_weight, which is 1; "
            "LightGBM likewise below min_sum_hessian_in_leaf; CatBoost steps by the gradient alone with "
            "leaf_estimation_method='Gradient'; the built-in mean absolute error sets leaves to medians afterwards",
            "note", expected="a positive one, or the framework's own objective",
        )  # fmt: skip
    elif is_close(hessian, true):
        if bool((true < -1e-9 * np.abs(true).max()).any()):
            yield trial.finding(
                "hessian", int(np.argmin(hessian.reshape(len(hessian), -1).min(axis=-1))),
                "training steps the wrong way in some leaves, or drops them: the Hessian is negative where the loss "
                "curves "
                "downwards", "take np.maximum(hessian, a small floor), or the expected Hessian, which is positive",
                "warning", expected="a positive one",
            )  # fmt: skip
    elif bool(negative.any()) and not bool((true[negative] < 0).all()):
        yield _wrong_sign(trial, true, negative & (true >= 0))
    elif _is_floored(hessian, true):
        return
    elif bool((hessian >= true - RTOL * np.abs(true).max()).all()) and not _is_off(hessian, true):
        yield trial.finding(
            "hessian", place,
            "training takes shorter steps than Newton's: the Hessian is larger than the second derivative",
            "this is well where it is meant, as a bound or an expectation, which keeps leaves from running away; else "
            "give the derivative of the gradient",
            "note", expected=true[place],
        )  # fmt: skip
    else:
        factor = ratio(hessian, true)
        told = "is not the derivative of the gradient" if factor is None else f"is {factor:.4g} times what it should be"
        yield trial.finding(
            "hessian", place, f"training takes steps of another size: the Hessian {told}",
            "derive the gradient once more by the raw score; a leaf is minus the gradients' sum over the Hessians'",
            expected=true[place],
        )  # fmt: skip


def _wrong_sign(trial: Trial, true: Numbers, wrong: Numbers) -> Finding:
    hessian, raw = trial.hessian, trial.batch.raw
    told = "has the wrong sign" if (ratio(hessian, true) or 0) < 0 else "is negative where the loss curves upwards"
    hint = "; raw * (1 - raw) is no p * (1 - p)" if is_close(hessian, raw * (1 - raw)) else ""
    place = int(np.argmax(wrong.reshape(len(raw), -1).any(axis=-1)))
    return trial.finding(
        "hessian", place, f"training takes steps the wrong way: the Hessian {told}{hint}",
        "give the second derivative by the raw score, p * (1 - p) for log loss"
        + ", with the sign of what is maximised" * trial.is_maximised,
        expected=true[place],
    )  # fmt: skip


def _is_off(hessian: Numbers, true: Numbers) -> bool:
    """Whether it is a multiple of the second derivative, as with a forgotten factor, and no usual bound.

    XGBoost's softmax takes 2 p (1 − p), LightGBM's k / (k − 1) p (1 − p).
    """
    factor = ratio(hessian, true)
    usual = (2.0, hessian.shape[-1] / (hessian.shape[-1] - 1)) if hessian.ndim == 2 else ()
    return factor is not None and not any(np.isclose(factor, known, rtol=1e-4) for known in usual)


def _is_floored(hessian: Numbers, true: Numbers) -> bool:
    """Whether it is the second derivative, raised to a floor."""
    floor = hessian.min()
    return bool(floor > 0) and is_close(hessian, np.maximum(true, floor)) and not np.allclose(hessian, floor)


def check_weights(trial: Trial) -> Iterator[Finding]:
    """Check that weights multiply gradient and Hessian."""
    weight: Numbers = 1.0 + np.arange(float(len(trial.batch.raw))) % 3
    batch = replace(trial.batch, weight=weight)
    try:
        weighted = Trial(trial.objective, batch, None)
    except TypeError:
        return  # it takes no third argument
    except Exception as error:
        repair = "weights come as one number for each row, or as None or nothing"
        yield trial.objective.failure(batch, error, repair, " where rows have weights")
        return
    shaped = weight.reshape(-1, *[1] * (trial.batch.raw.ndim - 1))
    pairs = {"gradient": (weighted.gradient, trial.gradient), "Hessian": (weighted.hessian, trial.hessian)}
    wrong = [name for name, (came, plain) in pairs.items() if not is_close(came, shaped * plain)]
    is_ignored = all(is_close(came, plain) for came, plain in pairs.values())
    if not wrong or (is_ignored and trial.objective.interface is SKLEARN):
        return  # scikit-learn's interface refuses weights itself, or leaves them to the objective
    told = f"the {' and '.join(wrong)} {'is' if len(wrong) == 1 else 'are'} not multiplied by the weights of the rows"
    why = (f"training counts rows wrongly: {told}", "multiply both by the weights, and by nothing else", "error")
    if is_ignored:
        repair = "multiply gradient and Hessian by them, where there are any: the framework does not"
        why = ("training ignores the weights of rows", repair, "note")
    shown = wrong[0].lower()
    yield weighted.finding(shown, 1, *why, came="{0} with a weight of 2", expected=2 * getattr(trial, shown)[1])


CHECKS = (check_gradient, check_hessian, check_weights)
