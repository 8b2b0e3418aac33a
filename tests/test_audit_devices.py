"""Types in NumPy, and what a loss may do with those of its own accord."""

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

import slopes


def told(subject, **options):
    report = slopes.audit(subject, quick=True, **options)
    assert "device_and_dtype" in report.ran, str(report)
    return [(f.severity, f.message.partition(": ")[2]) for f in report.findings if f.check == "device_and_dtype"]


def lecun(x, scale):
    if not isinstance(x, np.ndarray):
        raise TypeError("expected an array")
    return scale * np.tanh(2 / 3 * x)


def test_a_scalar_of_numpy_that_widens_is_a_note():
    assert told(lambda x: lecun(x, np.sqrt(3))) == [("note", "it gives float64 for float32")]
    assert told(lambda x: lecun(x, float(np.sqrt(3)))) == []


def test_a_loss_may_add_up_halves_in_float32_and_is_told_where_it_doubles():
    def careful(prediction, target):
        return torch.nn.functional.mse_loss(prediction.float(), target.float())

    def halved(prediction, target):
        return torch.nn.functional.mse_loss(prediction, target).half()

    def doubled(prediction, target):
        return torch.nn.functional.mse_loss(prediction.double(), target.double())

    assert told(careful, kind="regression") == []
    assert "it computes in float32, also for float64" in slopes.audit(careful, kind="regression", quick=True).facts
    assert told(doubled, kind="regression") == [("warning", "it gives float64 for float32")]
    assert told(halved, kind="regression") == [("note", "it gives float16 for float32")]


def test_tensors_in_a_list_of_a_module_are_found():
    class Scaled(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scales = [torch.ones(1), torch.full((1,), 2.0)]

        def forward(self, x):
            return x * self.scales[0]

    ((severity, message),) = told(Scaled())
    assert severity == "error"
    assert message.startswith("self.scales is a tensor that .to() does not move")
