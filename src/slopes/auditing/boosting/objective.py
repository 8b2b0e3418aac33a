"""Calls of an objective in the ways of its framework; the same code is run by the audit and shown as evidence."""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from traceback import FrameSummary
from typing import Any

import numpy as np
import torch

from slopes.auditing.boosting.derivatives import Batch, Derivatives, Numbers
from slopes.auditing.boosting_frameworks import BoostingFramework
from slopes.auditing.evidence import Script, attempt, locate
from slopes.auditing.report import Finding
from slopes.auditing.signatures import arguments_of, attribute_of
from slopes.auditing.source import Source
from slopes.loading import describe

#: stand-in for XGBoost's DMatrix and LightGBM's Dataset
DATA = """\
class Data:
    def get_label(self): return y
    def get_weight(self): return weight
    def num_row(self): return len(y)
    num_data = num_row"""


@dataclass(frozen=True)
class Interface:
    """A way to call an objective: code for its `result`, then for the derivatives of the minimised function."""

    title: str
    call: str
    unpack: str = "gradient, hessian = result"


NATIVE = Interface("objective(raw scores, data set)", "objective(raw, Data())")
DATA_FIRST = Interface("objective(data set, raw scores)", "objective(Data(), raw)")
SKLEARN = Interface("objective(y_true, raw scores)", "objective(y, raw)")
PREDICTION_FIRST = Interface("objective(raw scores, y_true)", "objective(raw, y)")
WEIGHTED = "objective(y, raw, weight)"  #: SKLEARN's call where rows have weights
MAXIMISED = "gradient, hessian = -np.swapaxes(result, 0, 1)"
RANGE = Interface("calc_ders_range", "np.array(list(objective.calc_ders_range(raw, y, weight)), float)", MAXIMISED)
MULTI = Interface(
    "calc_ders_multi",
    "np.array([(first, np.diagonal(second)) for first, second in map(objective.calc_ders_multi, raw, y, weight)])",
    MAXIMISED,
)


class Unusable(Exception):
    """Result that is no gradient and Hessian; `shown` is code for the values that show it."""

    def __init__(self, message: str, shown: str, **claim: Any) -> None:
        super().__init__(message)
        self.shown, self.claim = shown, claim


@dataclass(frozen=True)
class Objective:
    """Objective with a uniform call for the derivatives of the minimised function."""

    thing: Any
    framework: BoostingFramework
    source: Source
    interface: Interface

    @property
    def name(self) -> str:
        return self.source.name

    def __call__(self, batch: Batch) -> Derivatives:
        """(gradient, Hessian), each in the shape of the raw scores; raise Unusable for other results."""
        scope = {"np": np, "objective": self.thing, **copy.deepcopy(self._arguments(batch))}
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec("\n".join([*self._data, f"result = {self._call(batch)}"]), scope)
            self._check(scope["result"], batch)
            exec(self.interface.unpack, scope)
        return self._laid_out(scope, "gradient", batch), self._laid_out(scope, "hessian", batch)

    @property
    def _data(self) -> list[str]:
        return [DATA] if "Data()" in self.interface.call else []

    def _call(self, batch: Batch) -> str:
        return WEIGHTED if self.interface is SKLEARN and batch.weight is not None else self.interface.call

    def _arguments(self, batch: Batch) -> dict[str, Numbers | None]:
        weight = batch.weight
        if weight is None and self.interface in (SKLEARN, PREDICTION_FIRST):
            return {"raw": batch.raw, "y": batch.label}
        if weight is None and self.interface is MULTI:
            weight = np.ones(len(batch.raw))
        elif weight is None and self.framework.has_empty_weights:
            weight = np.zeros(0)
        return {"raw": batch.raw, "y": batch.label, "weight": weight}

    def _check(self, result: Any, batch: Batch) -> None:
        if self.interface is RANGE and result.shape != (len(batch.raw), 2):
            told = f"derivatives of shape {result.shape} where a pair for each row is due, {(len(batch.raw), 2)}"
            raise Unusable(f"gives {told}", "result.shape, (len(raw), 2)", came="{0}", expected="{1}")
        if self.interface.unpack is not MAXIMISED and not _is_pair(result):
            told = f"gives a {type(result).__name__} instead of the gradient and the Hessian"
            raise Unusable(told, "result", shows=lambda result: not _is_pair(result))

    def _laid_out(self, scope: Mapping[str, Any], name: str, batch: Batch) -> Numbers:
        """Derivative in the shape of the raw scores; XGBoost also takes flattened rows."""
        x, raw = scope[name], batch.raw
        x = x.detach().numpy() if isinstance(x, torch.Tensor) else np.asarray(x)
        flat = raw.ndim == 1 or self.framework.takes_flat
        if x.shape == raw.shape or (flat and x.shape in ((raw.size,), (raw.size, 1))):
            return np.asarray(x, float).reshape(raw.shape)
        told = f"gives a {name.replace('h', 'H')} of shape {x.shape} where the raw scores have {raw.shape}"
        raise Unusable(told, f"np.shape({name}), raw.shape", came="{0}", expected="{1}")

    def _script(self, batch: Batch, *lines: str) -> Script:
        """Code that makes the objective and its arguments, followed by lines."""
        made = [
            f"{name} = {x if x is None else f'np.array({x.tolist()})'}" for name, x in self._arguments(batch).items()
        ]
        setup, given = self.source.assign("objective")
        setup = [line for line in setup if line != "import numpy as np"]
        return Script(["import numpy as np", *setup, *made, *self._data, *lines], given)

    def show(self, batch: Batch, *values: str) -> Script:
        """Code that prints values made of the derivatives."""
        lines = [f"result = {self._call(batch)}", self.interface.unpack]
        if batch.raw.ndim == 2 and self.framework.takes_flat:
            lines.append("gradient, hessian = np.reshape(gradient, raw.shape), np.reshape(hessian, raw.shape)")
        return self._script(batch, *lines, f"print({', '.join(values)})")

    def raised(self, frame: FrameSummary, message: str, repair: str) -> Finding:
        return locate(*self.source.assign("objective"), frame, message, repair)

    def raising(self, batch: Batch, message: str, repair: str) -> Finding:
        script = self._script(batch, attempt(self._call(batch)), "print(came)")
        return script.finding(message, repair)

    def failure(self, batch: Batch, error: BaseException, repair: str, when: str = "") -> Finding:
        """Finding about a call that raises, or gives no derivatives."""
        if not isinstance(error, Unusable):
            kind, _, message = describe(error).partition(": ")
            return self.raising(batch, f"training stops with an exception: it raises {kind}{when}: {message}", repair)
        unpack = [] if "result" in error.shown else [self.interface.unpack]
        script = self._script(batch, f"result = {self._call(batch)}", *unpack, f"print({error.shown})")
        return script.finding(f"training stops with an exception: it {error}{when}", repair, **error.claim)


def _is_pair(result: Any) -> bool:
    return isinstance(result, (tuple, list)) and len(result) == 2


def adapted(
    thing: Any, framework: BoostingFramework, source: Source, batches: Sequence[Batch]
) -> tuple[Objective, Batch, BaseException | None]:
    """(the objective in the first call that gives derivatives, the batch, None), or a failing call and its error."""
    native = [NATIVE, DATA_FIRST]
    interfaces = [*native, SKLEARN] if asks_for_data(thing) else [SKLEARN, *native]
    if framework.methods:
        interfaces = [RANGE if attribute_of(thing, "calc_ders_range") is not None else MULTI]
    made = Objective(thing, framework, source, interfaces[0])
    failures: list[tuple[Objective, Batch, BaseException]] = []
    for batch, interface in product(batches, interfaces):
        objective = replace(made, interface=interface)
        try:
            objective(batch)
        except (Exception, SystemExit) as error:
            failures.append((objective, batch, error))
        else:
            return objective, batch, None
    return min(failures, key=lambda failure: not isinstance(failure[2], Unusable))


def asks_for_data(thing: Any) -> bool:
    """Whether the source asks a data set for its labels, or argument names suggest one."""
    try:
        if "get_label" in inspect.getsource(thing):
            return True
    except Exception:  # no source, or an object that raises when it is looked at
        pass
    names = [*(arguments_of(thing) or ())]
    return "dtrain" in names[:2] or (len(names) > 1 and "data" in names[1].lower())
