"""Settings and random states that all code of a process shares."""

from __future__ import annotations

import contextlib
import io
import os
import random
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

LONGEST = 4096  #: characters of a printed text to keep


@dataclass(frozen=True)
class Setting:
    """Setting that all code of a process shares."""

    name: str
    code: str  #: expression that reads it
    write: Callable[[Any], object]
    harm: str  #: to a training whose loss changes it
    severity: str = "warning"
    read: Callable[[], Any] = field(init=False)  #: None if it cannot be read

    def __post_init__(self) -> None:
        expression = eval(f"lambda: {self.code}")

        def read() -> Any:
            try:
                return expression()
            except Exception:
                return None

        object.__setattr__(self, "read", read)

    @property
    def imported(self) -> str:
        """Import that the code needs."""
        module = next(name for name in ("torch", "np", "os", "signal", "sys", "warnings") if f"{name}." in self.code)
        return "import numpy as np" if module == "np" else f"import {module}"


def _write_device(device: torch.device) -> None:
    torch.set_default_device(None if device.type == "cpu" else device)  # None costs no look at every call


def _write_cudnn(switches: tuple[bool, bool]) -> None:
    torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = switches


def _write_numpy_errors(state: tuple[dict[str, Any], Any]) -> None:
    np.seterr(**state[0])
    np.seterrcall(state[1])


def _write_environment(variables: Mapping[str, str]) -> None:
    for name in os.environ.keys() - variables.keys():
        del os.environ[name]
    os.environ.update(variables)


def _write_filters(filters: Sequence[Any]) -> None:
    warnings.resetwarnings()
    warnings.filters.extend(filters)  # type: ignore[attr-defined]


def _write_handlers(handlers: Sequence[Any]) -> None:
    for number, handler in zip((signal.SIGINT, signal.SIGTERM), handlers, strict=True):
        signal.signal(number, handler)


def _write_streams(streams: tuple[Any, Any, Any]) -> None:
    sys.stdin, sys.stdout, sys.stderr = streams


SETTINGS = (
    Setting(
        "the default dtype of torch", "torch.get_default_dtype()", torch.set_default_dtype,
        "tensors and layers that are made later have another dtype", "error",
    ),
    Setting(
        "the default device of torch", "torch.get_default_device()", _write_device,
        "tensors and layers that are made later are on another device", "error",
    ),
    Setting(
        "the gradient mode of torch", "torch.is_grad_enabled()", torch.set_grad_enabled,
        "later steps of a training have no gradient", "error",
    ),
    Setting(
        "the anomaly detection of torch", "(torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled())",
        lambda modes: torch.set_anomaly_enabled(*modes), "each backward pass takes several times as long",
    ),
    Setting(
        "the deterministic mode of torch", "torch.get_deterministic_debug_mode()",
        torch.set_deterministic_debug_mode, "operations of other code raise, or take longer",
    ),
    Setting(
        "the number of threads of torch", "torch.get_num_threads()", torch.set_num_threads,
        "all that runs on the processor takes another time",
    ),
    Setting(
        "the precision of matrix products in torch", "torch.get_float32_matmul_precision()",
        torch.set_float32_matmul_precision, "layers compute with another number of digits",
    ),
    Setting(
        "the switches of cuDNN", "(torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic)",
        _write_cudnn, "convolutions take another time, or give other digits",
    ),
    Setting(
        "the handling of floating-point errors in NumPy", "(np.geterr(), np.geterrcall())", _write_numpy_errors,
        "other code overflows in silence, or raises where it did not",
    ),
    Setting(
        "the recursion limit of Python", "sys.getrecursionlimit()", sys.setrecursionlimit,
        "a recursion without end kills the process, or a deep one raises",
    ),
    Setting(
        "the environment variables", "dict(os.environ)", _write_environment,
        "libraries and processes that start later behave differently",
    ),
    Setting(
        "the filters of warnings", "list(warnings.filters)", _write_filters,
        "warnings of other code are hidden, or raise",
    ),
    Setting("the working directory", "os.getcwd()", os.chdir, "relative paths of other code lead elsewhere"),
    Setting(
        "the handlers of SIGINT and SIGTERM", "(signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))",
        _write_handlers, "an interrupted training ends in another way",
    ),
    Setting(
        "the standard streams", "(sys.stdin, sys.stdout, sys.stderr)", _write_streams,
        "prints and messages of other code go elsewhere",
    ),
    Setting(
        "the print options of torch", "dict(vars(torch._tensor_str.PRINT_OPTS))",
        lambda options: vars(torch._tensor_str.PRINT_OPTS).update(options), "tensors are printed differently", "note",
    ),
    Setting(
        "the print options of NumPy", "np.get_printoptions()", lambda options: np.set_printoptions(**options),
        "arrays are printed differently", "note",
    ),
)  # fmt: skip
#: settings that decide what later operations give, and take little time to read
DECISIVE = tuple(setting for setting in SETTINGS if setting.severity == "error")


@contextlib.contextmanager
def preserved(settings: Sequence[Setting] = SETTINGS) -> Iterator[list[Setting]]:
    """Restore settings when the block ends; the list then holds the settings that the block changed."""
    changed: list[Setting] = []
    before = [setting.read() for setting in settings]
    try:
        yield changed
    finally:
        for setting, value in zip(settings, before, strict=True):
            if setting.read() != value:
                changed.append(setting)
                with contextlib.suppress(Exception):  # a folder may be deleted, a thread may not handle signals
                    setting.write(value)


@contextlib.contextmanager
def _preserved_random() -> Iterator[None]:
    """Restore random states of torch, NumPy and Python when the block ends."""
    states = np.random.get_state(), random.getstate()  # noqa: NPY002
    has_cuda = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    with torch.random.fork_rng(range(torch.cuda.device_count()) if has_cuda else ()):
        try:
            yield
        finally:
            np.random.set_state(states[0])  # noqa: NPY002
            random.setstate(states[1])


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Restore settings and random states when the block ends.

    In the block torch computes on one thread of the processor with gradients, warnings are ignored, and the subject's
    prints and questions reach nobody.
    """
    is_elsewhere = torch.get_default_device().type != "cpu"
    with (
        preserved(),
        _preserved_random(),
        warnings.catch_warnings(),
        contextlib.redirect_stdout(Printed()),
        torch.device("cpu") if is_elsewhere else contextlib.nullcontext(),
        torch.inference_mode(False),
        torch.enable_grad(),
        np.errstate(all="ignore"),
    ):
        sys.stdin = io.StringIO()
        torch.set_num_threads(1)  # for tensors this small, threads mostly wait for one another
        warnings.simplefilter("ignore")
        yield


class Printed(io.StringIO):
    """First characters of the text that is printed to it; a subject cannot close it."""

    def write(self, text: str) -> int:
        super().write(text[: max(LONGEST - self.tell(), 0)])
        return len(text)

    def close(self) -> None:
        pass
