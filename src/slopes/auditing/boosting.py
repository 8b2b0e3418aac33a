"""Audit of boosting objectives: a user's gradient and Hessian against their loss.

The frameworks ask for derivatives by the raw score, row by row, without a sigmoid or a mean. XGBoost and LightGBM
minimise; CatBoost maximises. No framework needs to be installed.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from slopes.auditing.discovery import subject_of
from slopes.auditing.evidence import attempt
from slopes.auditing.form import DECLARED_SPACES, Declared
from slopes.auditing.report import Finding, Report
from slopes.auditing.signatures import PREDICTIONS, TARGETS
from slopes.auditing.source import source_of
from slopes.auditing.subject import Subject, SubjectError
from slopes.kinds.spaces import Space

FRAMEWORKS = ("xgboost", "lightgbm", "catboost")
RTOL, CLASSES = 1e-5, 3
RAW = 0.013 + 0.97 * np.array([-20, -10, -5, -2, -1, -0.3, 0, 0.3, 1, 2, 5, 10, 20.0])  #: off the kinks of most losses
Numbers = NDArray[np.float64]
Derivatives = tuple[Numbers, Numbers]


class Data:
    """Stand-in for XGBoost's DMatrix and LightGBM's Dataset."""

    def __init__(self, label: Numbers, weight: Numbers | None, framework: str) -> None:
        self.label, self.weight, self.framework = label, weight, framework

    def get_label(self) -> Numbers:
        return self.label

    def get_weight(self) -> Numbers | None:
        """Weights of the rows; without any, an empty array for XGBoost, None for LightGBM."""
        return np.zeros(0) if self.weight is None and self.framework == "xgboost" else self.weight

    def num_row(self) -> int:
        """Number of rows, by XGBoost's name."""
        return len(self.label)

    num_data = num_row


@dataclass(frozen=True)
class Batch:
    """Raw scores, the targets of their rows, and weights if any."""

    raw: Numbers
    label: Numbers
    weight: Numbers | None = None

    def row(self, place: int) -> Batch:
        rows = slice(place, place + 1)
        return Batch(self.raw[rows], self.label[rows], None if self.weight is None else self.weight[rows])


class Unusable(Exception):
    """Result that is no gradient and Hessian."""


@dataclass(frozen=True)
class Objective:
    """Objective with a uniform call for the derivatives of the minimised function."""

    thing: Any
    framework: str
    setup: tuple[str, ...]
    api: str  #: "native", with the data set; "sklearn", with arrays; for CatBoost "range" or "multi"
    swapped: bool = False
    raises: bool = False

    def __call__(self, batch: Batch) -> Derivatives:
        """(gradient, Hessian), each in the shape of the raw scores; raise Unusable for other results."""
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            came = self._called(batch)
        if self.framework == "catboost":
            gradient, hessian = came
            return gradient, hessian
        if not isinstance(came, (tuple, list)) or len(came) != 2:
            raise Unusable(f"gives a {type(came).__name__} instead of the gradient and the Hessian")
        gradient, hessian = (
            self._laid_out(x, batch.raw, what) for x, what in zip(came, ("gradient", "Hessian"), strict=True)
        )
        return gradient, hessian

    def _called(self, batch: Batch) -> Any:
        raw, label, weight = batch.raw.copy(), batch.label.copy(), batch.weight
        if self.api == "range":
            return self._of_catboost(self.thing.calc_ders_range(raw, label, weight), raw)
        if self.api == "multi":
            weights = np.ones(len(raw)) if weight is None else weight
            rows = [self.thing.calc_ders_multi(*row) for row in zip(raw, label, weights, strict=True)]
            first = np.array([np.asarray(one, float) for one, _ in rows])
            second = np.array([np.diagonal(np.asarray(two, float)) for _, two in rows])
            return -first, -second
        given: list[Any] = [raw, Data(label, weight, self.framework)] if self.api == "native" else [label, raw]
        given = given[::-1] if self.swapped else given
        if self.api == "sklearn" and weight is not None:
            given.append(weight)
        return self.thing(*given)

    def _of_catboost(self, came: Any, raw: Numbers) -> Derivatives:
        pairs = np.asarray(list(came), dtype=float)
        if pairs.shape != (len(raw), 2):
            raise Unusable(
                f"gives derivatives of shape {pairs.shape} where a pair for each row is due, {(len(raw), 2)}"
            )
        return -pairs[:, 0], -pairs[:, 1]

    def _laid_out(self, x: Any, raw: Numbers, what: str) -> Numbers:
        """Result in the shape of the raw scores; XGBoost also takes flattened rows."""
        x = x.detach().numpy() if isinstance(x, torch.Tensor) else np.asarray(x)
        flat = raw.ndim == 1 or self.framework == "xgboost"
        if x.shape == raw.shape or (flat and x.shape in ((raw.size,), (raw.size, 1))):
            return np.asarray(x, float).reshape(raw.shape)
        raise Unusable(f"gives a {what} of shape {x.shape} where the raw scores have {raw.shape}")

    def code(self, batch: Batch) -> str:
        """Code that shows the result for a batch, or the exception."""
        lines = ["import numpy as np", *self.setup, f"raw = {_array(batch.raw)}", f"y = {_array(batch.label)}"]
        weight = "None" if batch.weight is None else "weight"
        if batch.weight is not None:
            lines.append(f"weight = {_array(batch.weight)}")
        if self.api == "native":
            none = "np.array([])" if self.framework == "xgboost" else "None"
            shown = none if batch.weight is None else weight
            lines += ["class Data:", "    def get_label(self): return y", f"    def get_weight(self): return {shown}"]
            call = f"objective({'Data(), raw' if self.swapped else 'raw, Data()'})"
        elif self.api == "sklearn":
            extra = "" if batch.weight is None else ", weight"
            call = f"objective({'raw, y' if self.swapped else 'y, raw'}{extra})"
        elif self.api == "range":
            call = f"objective.calc_ders_range(raw, y, {weight})"
        else:
            call = f"objective.calc_ders_multi(raw[0], y[0], {'1.0' if batch.weight is None else 'weight[0]'})"
        return "\n".join([*lines, *([attempt(call), "print(came)"] if self.raises else [f"print({call})"])])


def _array(x: Numbers) -> str:
    return f"np.array({np.round(x, 12).tolist()})"


# ------------------------------------------------------------------------------------------------ the audit


def examine_objective(
    thing: Any, declared: Mapping[str, Any], *, against: Any = None, seed: int = 0, quick: bool = False,
    spec: str | None = None,
) -> Report:  # fmt: skip
    """Report on a boosting objective, whose framework is the declared kind.

    `against` is its loss, summed over rows, as a function of the raw score: a card, a loss of torch, any callable, or a
    name in the catalogue. A sigmoid or softmax precedes a loss of probabilities, an exponential a loss of positive
    predictions. Without `against`, the Hessian is compared with the gradient only.
    """
    framework = declared["kind"]
    source = source_of(thing, spec)
    name, (setup, _) = source.name, source.assign("objective")
    thing = thing() if isinstance(thing, type) else thing
    if framework == "catboost" and not any(hasattr(thing, method) for method in ("calc_ders_range", "calc_ders_multi")):
        raise TypeError(
            f"audit takes an object with calc_ders_range or calc_ders_multi for catboost, got {type(thing).__name__}"
        )
    if framework != "catboost" and not callable(thing):
        raise TypeError(f"audit takes a function for {framework}, got {type(thing).__name__}")
    loss = None if against is None else _loss(against, declared, seed)
    report = Report(name, ran=["boosting"])
    made = Objective(thing, framework, tuple(setup), "native")
    rng = np.random.default_rng(seed)
    objective, batch, told = _adapted(made, _batches(framework, thing, loss, rng))
    if told:
        report.findings.append(
            _finding(told, objective, batch, "return gradient and Hessian by the raw score, row by row")
        )
        return report
    called = {
        "native": "objective(raw scores, data set)", "sklearn": "objective(y_true, raw scores)",
        "range": "calc_ders_range", "multi": "calc_ders_multi",
    }[objective.api]  # fmt: skip
    compared = f"compared with {loss.name}" if loss else "its Hessian is held to its gradient; give against= its loss"
    report.facts.append(f"an objective of {framework}, called as {called}; {compared}")
    for look in (_gradient, _hessian, _weights):
        found = list(look(objective, batch, loss))
        report.findings += found
        if any(finding.severity == "error" for finding in found):
            break
    return report


def _loss(against: Any, declared: Mapping[str, Any], seed: int) -> Subject:
    from slopes import loading

    spec = against if isinstance(against, str) else None
    thing = loading.find(against) if spec else against
    space = declared.get("space") if declared.get("space") in DECLARED_SPACES else None
    try:
        subject, _ = subject_of(thing, spec=spec, declared=Declared(space=space), seed=seed)
    except SubjectError as error:
        raise TypeError(f"audit: against= cannot be called as a loss of predictions and targets: {error}") from error
    if subject.form.kind is None or len(subject.form.names) != 2 or subject.batch_level:
        raise TypeError(f"audit: against= must be a loss of predictions and targets, row by row, got {subject.name}")
    return subject


def _batches(framework: str, thing: Any, loss: Subject | None, rng: np.random.Generator) -> list[Batch]:
    """Batches to try: a raw score per row, a row of scores each, or both if nothing decides."""
    labels = (0, 1) if loss is None else _labels(loss.form.spaces[1])
    y = np.tile(np.asarray(labels, float), len(RAW))
    plain = Batch(np.repeat(RAW, len(labels)), y)
    rows = Batch(np.round(3 * rng.standard_normal((12, CLASSES)), 3), np.arange(12.0) % CLASSES)
    rows.raw[:2] *= 5
    if framework == "catboost":
        return [plain if hasattr(thing, "calc_ders_range") else rows]
    if loss is None:
        return [plain, rows]
    return [rows if _of_rows(loss) else plain]


def _labels(space: Space) -> tuple[float, ...]:
    """Labels of every size, or both of two."""
    if space.is_sign:
        return -1, 1
    if space.is_real:
        return -20, -1, 0, 0.5, 3, 20
    if space.is_count or space.is_positive:
        return (0, 0.5, 3, 20) if space.is_count else (0.5, 3, 20)
    return 0, 1


def _link(loss: Subject) -> Callable[[torch.Tensor], torch.Tensor]:
    if loss.space.is_probability:
        return (lambda z: torch.softmax(z, -1)) if _of_rows(loss) else torch.sigmoid
    if loss.space.is_log_probability and _of_rows(loss):
        return lambda z: torch.log_softmax(z, -1)
    return torch.exp if loss.space.is_positive and not _of_rows(loss) else torch.clone


def _of_rows(loss: Subject) -> bool:
    return loss.form.kind is not None and loss.form.kind.rowwise


def _adapted(made: Objective, batches: list[Batch]) -> tuple[Objective, Batch, str]:
    """(the objective in the first call that gives derivatives, the batch), or else the reason."""
    apis = ["native", "sklearn"]
    if made.framework == "catboost":
        apis = ["range"] if hasattr(made.thing, "calc_ders_range") else ["multi"]
    elif not _asks_for_data(made.thing):
        apis.reverse()
    told = ""
    for batch in batches:
        for api in apis:
            for swapped in (False, True) if api == "native" else (False,):
                objective = replace(made, api=api, swapped=swapped)
                try:
                    objective(batch)
                except Unusable as error:
                    told = told if told and not told.startswith("raises") else str(error)
                    made = objective
                except Exception as error:
                    told = told or f"raises {type(error).__name__}: {error}"
                else:
                    return objective, batch, ""
    if told.startswith("raises"):
        made = replace(made, api=apis[0], raises=True)
    return made, batches[0], told


def _asks_for_data(thing: Any) -> bool:
    """Whether the source asks a data set for its labels, or argument names suggest one."""
    try:
        if "get_label" in inspect.getsource(thing):
            return True
    except (OSError, TypeError):
        pass
    names = _names(thing)
    return "dtrain" in names[:2] or (len(names) > 1 and "data" in names[1].lower())


def _names(thing: Any) -> list[str]:
    try:
        return list(inspect.signature(thing).parameters)
    except (TypeError, ValueError):
        return []


def _finding(message: str, objective: Objective, batch: Batch, repair: str, **fields: Any) -> Finding:
    return Finding("boosting", message, objective.code(batch), repair, **fields)


# ---------------------------------------------------------------------------------------------- the gradient


def _gradient(objective: Objective, batch: Batch, loss: Subject | None) -> Iterator[Finding]:
    """Check that the gradient is the loss's, by the raw score, with the framework's sign and order."""
    gradient, _ = objective(batch)
    if objective.swapped:
        yield _finding(
            "takes the data set first", replace(objective, swapped=False, raises=True), batch.row(0),
            f"{objective.framework} calls objective(raw scores, data set)",
        )  # fmt: skip
        return
    if not np.isfinite(gradient).all():
        yield _not_finite(objective, batch, gradient, "gradient")
        return
    expected = truth(loss, batch)[0] if loss is not None else None
    if expected is None:
        yield from _falling(objective, batch, gradient)
        return
    factor = _factor(gradient, expected)
    if factor is not None and factor > 0 and not np.isclose(factor, 1 / len(batch.raw), rtol=1e-4):
        return  # `_hessian` compares the factor
    told, repair, severity = _cause(objective, batch, gradient, expected, factor, loss)
    place = _worst(gradient, expected)
    yield _finding(
        told, objective, batch.row(place) if factor is None or factor < 0 else batch, repair, severity=severity,
        came=f"a gradient of {_shown(gradient[place])} at a raw score of {_shown(batch.raw[place])} with the target "
        f"{batch.label[place]:g}",
        expected=_shown(expected[place]),
    )  # fmt: skip


def _cause(
    objective: Objective, batch: Batch, gradient: Numbers, expected: Numbers, factor: float | None,
    loss: Subject | None,
) -> tuple[str, str, str]:  # fmt: skip
    """(the gradient's fault, its repair, its severity)."""
    framework = objective.framework
    names = _names(objective.thing)
    first = names[0].lower() if names else ""
    if objective.api == "sklearn" and first in PREDICTIONS and first not in TARGETS:
        return (
            f"takes the prediction first: {framework} gives y_true first",
            "write def objective(y_true, y_pred)",
            "error",
        )
    if objective.api == "sklearn" and factor is None:
        try:
            other, _ = replace(objective, swapped=True)(batch)
        except Exception:
            other = np.full_like(gradient, np.nan)
        if _close(other, expected):
            return f"takes its arguments in the other order: {framework} gives y_true first", "swap them", "error"
    if factor is not None and factor < 0:
        if framework == "catboost":
            return (
                "the derivatives have the wrong sign: CatBoost maximises",
                "give the first and second derivative of minus the loss",
                "error",
            )
        return (
            f"the gradient has the wrong sign: {framework} minimises",
            "give d loss / d raw score, prediction minus target and not target minus prediction",
            "error",
        )
    if factor is not None:
        return (
            "the gradient is divided by the number of rows",
            "give the derivative of each row's own loss, and leave the mean out: the sum of Hessians is held to "
            "min_child_weight, and to lambda",
            "error",
        )
    if loss is not None and not _of_rows(loss) and loss.form.spaces[1].is_probability:
        y, raw = batch.label, batch.raw
        p = 1 / (1 + np.exp(-raw))
        if _close(abs(gradient), abs(raw - y)):
            return (
                "the sigmoid is left out: raw scores are taken for probabilities",
                "p = 1 / (1 + exp(-raw)) comes first; the gradient of log loss is p - y, its Hessian p * (1 - p)",
                "error",
            )
        if _close(gradient * p * (1 - p), expected):
            return (
                "the chain's last factor is missing: it is the derivative by the probability, not by the raw score",
                "multiply the gradient by p * (1 - p)",
                "error",
            )
    return (
        f"the gradient is not that of {loss.name if loss else 'a loss'}",
        "derive the loss by the raw score, link included",
        "error",
    )


def _falling(objective: Objective, batch: Batch, gradient: Numbers) -> Iterator[Finding]:
    """Without a loss, check that the gradient does not fall all the way, which leads away from the target."""
    if batch.raw.ndim != 1:
        return
    low, high = batch.raw == batch.raw.min(), batch.raw == batch.raw.max()
    if bool((gradient[high] < gradient[low]).all()):
        why = "CatBoost maximises" if objective.framework == "catboost" else f"{objective.framework} minimises"
        place = int(np.argmax(high))
        yield _finding(
            f"the gradient falls as the raw score rises, so that training runs away from the target: {why}",
            objective, batch.row(place),
            "turn the sign of both derivatives" if objective.framework == "catboost" else "turn the sign",
            came=f"a gradient of {_shown(gradient[place])} at a raw score of {_shown(batch.raw[place])}, "
            f"of {_shown(gradient[int(np.argmax(low))])} at {_shown(batch.raw.min())}, of what is minimised",
            expected="one that rises with the raw score",
        )  # fmt: skip


# ----------------------------------------------------------------------------------------------- the Hessian


def _hessian(objective: Objective, batch: Batch, loss: Subject | None) -> Iterator[Finding]:
    """Check that the Hessian is positive, and is the gradient's derivative or larger."""
    gradient, hessian = objective(batch)
    if not np.isfinite(hessian).all():
        yield _not_finite(objective, batch, hessian, "Hessian")
        return
    true, scale = differences(objective, batch), 1.0
    if loss is not None:
        expected, curved = truth(loss, batch)
        scale = _factor(gradient, expected) or 1.0
        true = scale * curved
    place = _worst(hessian, true)
    fields = {
        "came": f"a Hessian of {_shown(hessian[place])} at a raw score of {_shown(batch.raw[place])} with the target "
        f"{batch.label[place]:g}",
        "expected": _shown(true[place]),
    }
    row = batch.row(place)
    negative = hessian < -1e-12 * np.abs(hessian).max()
    if (hessian == 0).all():
        yield _finding(
            "the Hessian is 0 everywhere", objective, batch.row(0),
            "give ones: XGBoost makes no split where the sum of Hessians is below min_child_weight, which is 1; "
            "LightGBM likewise below min_sum_hessian_in_leaf; CatBoost steps by the gradient alone with "
            "leaf_estimation_method='Gradient'; the built-in mean absolute error sets leaves to medians afterwards",
            severity="note", came="a Hessian of 0", expected="a positive one, or the framework's own objective",
        )  # fmt: skip
    elif _close(hessian, true):
        if bool((true < -1e-9 * np.abs(true).max()).any()):
            yield _negative(objective, batch, hessian, "warning")
    elif bool(negative.any()) and not bool((true[negative] < 0).all()):
        told = (
            "has the wrong sign" if (_factor(hessian, true) or 0) < 0 else "is negative where the loss curves upwards"
        )
        hint = "; raw * (1 - raw) is no p * (1 - p)" if _close(hessian, batch.raw * (1 - batch.raw)) else ""
        place = int(np.argmax((negative & (true >= 0)).reshape(len(batch.raw), -1).any(axis=-1)))
        yield _finding(
            f"the Hessian {told}{hint}", objective, batch.row(place),
            "give the second derivative by the raw score, p * (1 - p) for log loss"
            + (", with the sign of what is maximised" if objective.framework == "catboost" else ""),
            came=f"a Hessian of {_shown(hessian[place])} at a raw score of {_shown(batch.raw[place])}, of what is "
            "minimised",
            expected=_shown(true[place]),
        )  # fmt: skip
    elif _floored(hessian, true):
        pass
    elif bool((hessian >= true - RTOL * np.abs(true).max()).all()) and not _off(hessian, true, batch):
        yield _finding(
            "the Hessian is larger than the second derivative: steps are shorter than Newton's", objective, row,
            "this is well where it is meant, as a bound or an expectation, which keeps leaves from running away; else "
            "give the derivative of the gradient",
            severity="note", **fields,
        )  # fmt: skip
    else:
        factor = _factor(hessian, true)
        told = "is not the derivative of the gradient" if factor is None else f"is {factor:.4g} times what it should be"
        yield _finding(
            f"the Hessian {told}", objective, row,
            "derive the gradient once more by the raw score; a leaf is minus the gradients' sum over the Hessians'",
            **fields,
        )  # fmt: skip
    if loss is not None and abs(scale - 1) > RTOL:
        yield _finding(
            f"gradient and Hessian belong to {scale:.4g} times {loss.name}", objective, row,
            "steps are the same; but lambda, min_child_weight and the value of the loss are held to the other size",
            severity="note", came=f"{_shown(gradient[place])}, {_shown(hessian[place])}",
            expected=f"{_shown(gradient[place] / scale)}, {_shown(true[place] / scale)}",
        )  # fmt: skip


def _off(hessian: Numbers, true: Numbers, batch: Batch) -> bool:
    """Whether it is a multiple of the second derivative, as with a forgotten factor, and no usual bound.

    XGBoost's softmax takes 2 p (1 − p), LightGBM's k / (k − 1) p (1 − p).
    """
    factor = _factor(hessian, true)
    usual = (2.0, batch.raw.shape[-1] / (batch.raw.shape[-1] - 1)) if batch.raw.ndim == 2 else ()
    return factor is not None and not any(np.isclose(factor, known, rtol=1e-4) for known in usual)


def _floored(hessian: Numbers, true: Numbers) -> bool:
    """Whether it is the second derivative, raised to a floor."""
    floor = hessian.min()
    return bool(floor > 0) and _close(hessian, np.maximum(true, floor)) and not np.allclose(hessian, floor)


def _negative(objective: Objective, batch: Batch, hessian: Numbers, severity: str) -> Finding:
    place = int(np.argmin(hessian.reshape(len(batch.raw), -1).min(axis=-1)))
    return _finding(
        "the Hessian is negative where the loss curves downwards: a leaf there steps the wrong way or is dropped",
        objective, batch.row(place),
        "take np.maximum(hessian, a small floor), or the expected Hessian, which is positive",
        severity=severity,
        came=f"a Hessian of {_shown(hessian[place])} at a raw score of {_shown(batch.raw[place])}",
        expected="a positive one",
    )  # fmt: skip


def _not_finite(objective: Objective, batch: Batch, x: Numbers, what: str) -> Finding:
    place = int(np.argmax(~np.isfinite(x).reshape(len(batch.raw), -1).all(axis=-1)))
    return _finding(
        f"the {what} is {_shown(x[place])} at a raw score of {_shown(batch.raw[place])}", objective, batch.row(place),
        "use scipy.special.expit for the sigmoid, and hold probabilities away from 0 and 1 before dividing by them",
        came=_shown(x[place]), expected="a finite number",
    )  # fmt: skip


# ----------------------------------------------------------------------------------------------- the weights


def _weights(objective: Objective, batch: Batch, loss: Subject | None) -> Iterator[Finding]:
    """Check that weights multiply gradient and Hessian."""
    weight: Numbers = 1.0 + np.arange(float(len(batch.raw))) % 3
    weighted = replace(batch, weight=weight)
    plain = objective(batch)
    try:
        came = objective(weighted)
    except TypeError:
        came = plain  # it takes no third argument
    except Exception as error:
        yield _finding(
            f"raises {type(error).__name__} where rows have weights: {error}",
            replace(objective, raises=True), weighted,
            "weights come as one number for each row, or as None or nothing",
        )  # fmt: skip
        return
    shaped = weight.reshape(-1, *[1] * (batch.raw.ndim - 1))
    counts = [_close(x, shaped * y) for x, y in zip(came, plain, strict=True)]
    if all(counts):
        return
    if all(_close(x, y) for x, y in zip(came, plain, strict=True)):
        if objective.api == "sklearn":
            return  # the framework refuses weights itself, or leaves them to the objective
        yield _finding(
            "weights of rows do not count", objective, weighted.row(1),
            "multiply gradient and Hessian by them, where there are any: the framework does not",
            severity="note", came=f"{_shown(came[0][1])} with a weight of 2",
            expected=_shown(2 * plain[0][1]),
        )  # fmt: skip
        return
    what = "gradient" if counts[1] else "Hessian" if counts[0] else "gradient and Hessian"
    part = 0 if counts[1] else 1
    yield _finding(
        f"the {what} {'is' if sum(counts) else 'are'} not multiplied by the weights of the rows", objective,
        weighted.row(1), "multiply both by the weights, and by nothing else",
        came=f"{_shown(came[part][1])} with a weight of 2", expected=_shown(2 * plain[part][1]),
    )  # fmt: skip


# --------------------------------------------------------------------------------------------------- truth


def truth(loss: Subject, batch: Batch) -> Derivatives:
    """(gradient, Hessian's diagonal) of a loss by the raw score, row by row, by autograd in float64."""
    first, second = np.zeros_like(batch.raw), np.zeros_like(batch.raw)
    link = _link(loss)
    for place in range(len(batch.raw)):
        z = torch.tensor(batch.raw[place], dtype=torch.float64, requires_grad=True)
        target = torch.tensor(batch.label[place], dtype=torch.float64)
        shape = (1, -1) if _of_rows(loss) else (1,) * len(loss.form.shape)
        given = link(z).reshape(shape)
        goal = _goal(loss, target, given)
        (gradient,) = torch.autograd.grad(loss.total(given, goal), z, create_graph=True)
        entries = gradient.reshape(-1)
        diagonal = []
        for entry, one in enumerate(entries):
            if not one.requires_grad:
                diagonal.append(0.0)
                continue
            (row,) = torch.autograd.grad(one, z, retain_graph=True)
            diagonal.append(float(row.reshape(-1)[entry]))
        first[place] = gradient.detach().numpy()
        second[place] = np.reshape(diagonal, np.shape(second[place]))
    return first, second


def _goal(loss: Subject, target: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
    if not _of_rows(loss):
        whole = loss.form.target == "whole"
        return target.reshape(given.shape).long() if whole else target.reshape(given.shape)
    label = target.long().reshape(1)
    if loss.form.target == "rows" or len(loss.draw()[1].shape) == len(loss.form.shape):
        return torch.nn.functional.one_hot(label, CLASSES).to(given.dtype)
    return label


def differences(objective: Objective, batch: Batch, step: float = 1e-3) -> Numbers:
    """Derivative of the gradient, entry by entry, by fourth-order differences."""
    columns = [...] if batch.raw.ndim == 1 else [(slice(None), column) for column in range(batch.raw.shape[1])]
    derived = np.zeros_like(batch.raw)
    for column in columns:

        def shifted(by: float, column: Any = column) -> Numbers:
            raw = batch.raw.copy()
            raw[column] += by * step
            gradient: Numbers = objective(replace(batch, raw=raw))[0][column]
            return gradient

        derived[column] = (shifted(-2) - 8 * shifted(-1) + 8 * shifted(1) - shifted(2)) / (12 * step)
    return derived


def _close(x: Numbers, y: Numbers) -> bool:
    """Whether arrays are equal within RTOL, or differ by too little for any framework's float32."""
    with np.errstate(invalid="ignore"):
        return bool(np.allclose(x, y, rtol=RTOL, atol=1e-7 * max(1.0, float(np.abs(y).max()))))


def _factor(x: Numbers, y: Numbers) -> float | None:
    """c if x = c · y and y is not 0; else None."""
    size = float((y * y).sum())
    if size == 0:
        return None
    factor = float((x * y).sum()) / size
    return factor if factor and _close(x / factor, y) else None


def _worst(x: Numbers, y: Numbers) -> int:
    return int(np.argmax(np.abs(x - y).reshape(len(x), -1).max(axis=-1)))


def _shown(x: Any) -> str:
    return np.array2string(np.asarray(x), precision=6, separator=", ")
