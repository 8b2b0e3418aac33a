"""Settings and random states of torch, and a block that leaves everything of the process as it was."""

from __future__ import annotations

import contextlib
import io
import random
import sys
import warnings
from collections.abc import Iterator

import numpy as np
import torch

from slopes.auditing.process_state import PROCESS_SETTINGS, Printed, Setting, preserved


def _write_device(device: torch.device) -> None:
    torch.set_default_device(None if device.type == "cpu" else device)  # None costs no look at every call


def _write_cudnn(switches: tuple[bool, bool]) -> None:
    torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = switches


SETTINGS = (
    Setting(
        "the default dtype of torch", "torch.get_default_dtype()", torch.set_default_dtype,
        "tensors and layers that are made later have another dtype", "error",
    ),
    Setting(
        "the default device of torch", "torch.empty(0).device", _write_device,
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
        "the print options of torch", "dict(vars(torch._tensor_str.PRINT_OPTS))",
        lambda options: vars(torch._tensor_str.PRINT_OPTS).update(options), "tensors are printed differently", "note",
    ),
    *PROCESS_SETTINGS,
)  # fmt: skip
#: settings that decide what later operations give, and take little time to read
DECISIVE = tuple(setting for setting in SETTINGS if setting.severity == "error")


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
    is_elsewhere = torch.empty(0).device.type != "cpu"  # `get_default_device` of PyTorch 2.8 fails where it is None
    with (
        preserved(SETTINGS),
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
