"""The activations of a model: which there are, and how their uses are recorded."""

import math
import threading

import pytest

pytest.importorskip("torch")

import torch
from torch import nn

import slopes
from slopes.card import WATCHERS, Activation
from slopes.comparing.training import slots
from slopes.models import inventory, recording
from slopes.models.units import classify_units, count_flat


class Uses(recording.Recorder):
    def __init__(self, model):
        super().__init__(model)
        self.labels = []

    def use(self, use):
        self.labels.append(use.label)


class Functions(nn.Module):
    def forward(self, x):
        return slopes.gelu(torch.relu(x)) + slopes.elu(x, alpha=torch.tensor(2.0)) + slopes.softmax(x)


def test_the_inventory_is_all_that_pytorch_has():
    rowwise = {"GLU", "MultiheadAttention", "Softmin", "Softmax", "Softmax2d", "LogSoftmax"}
    assert {kind.__name__ for kind in inventory.ELEMENTWISE} == set(nn.modules.activation.__all__) - rowwise
    assert set(slots.FIXED) == {*inventory.ELEMENTWISE, nn.Identity} - {nn.PReLU, nn.RReLU}


def test_each_activation_of_pytorch_has_a_function_and_a_card():
    for kind in inventory.ELEMENTWISE:
        twins = [twin for _, twin in inventory.equivalent_functions((kind,))]
        assert any(isinstance(twin, Activation) for twin in twins), kind
        assert any(not isinstance(twin, Activation) for twin in twins), kind
        assert {inventory.class_of_function(twin) for twin in twins} == {kind}


def test_functions_and_cards_are_recorded_and_nothing_is_patched():
    call, model = Activation.__call__, Functions()
    uses = Uses(model)
    with uses.recording():
        assert Activation.__call__ is call
        model(torch.randn(3))
    assert uses.labels == ["relu()", "gelu()", "elu()"]
    assert WATCHERS == []


def test_calls_outside_of_the_model_are_not_recorded():
    model = nn.Sequential(nn.Linear(3, 3))
    uses = Uses(model)
    with uses.recording():
        slopes.gelu(torch.randn(3))
        model(torch.randn(3))
        slopes.gelu(torch.randn(3))
    assert uses.labels == []


def test_another_thread_is_not_recorded():
    class Waiting(nn.Module):
        def forward(self, x):
            other = threading.Thread(target=lambda: torch.func.vmap(slopes.tanh)(x))  # for which there is no kernel
            other.start()
            other.join()
            return slopes.gelu(x)

    model = Waiting()
    uses = Uses(model)
    with uses.recording():
        model(torch.randn(3))
    assert uses.labels == ["gelu()"]


def test_an_error_inside_of_the_model_ends_the_recording():
    class Failing(nn.Module):
        def forward(self, x):
            raise RuntimeError("as planned")

    model = Failing()
    with pytest.raises(RuntimeError, match="as planned"), Uses(model).recording():
        model(torch.randn(3))
    assert WATCHERS == []


def test_dead_and_saturated_units_have_one_definition():
    values = torch.tensor([[0.0, 1.0, 0.0, 0.0], [0.0, 1.0, 5.0, 0.0]])
    slopes_ = torch.tensor([[0.0, 1e-4, 0.0, 1.0], [1e-4, 1e-4, 1.0, 0.0]])
    flat, off = count_flat(values, slopes_, [0])
    dead, saturated = classify_units(flat, off, 2)
    assert dead.tolist() == [True, False, False, False]
    assert saturated.tolist() == [False, True, False, False]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_counts_of_flat_slopes_are_exact(dtype):
    many = 2**24 + 1
    flat, off = count_flat(torch.ones(many, 1), torch.zeros(many, 1, dtype=dtype), [0])
    assert (flat.item(), off.item()) == (many, 0)
    slopes_ = torch.tensor([math.nan, 0.0, -1e-4, 1e-2], dtype=dtype)
    flat, off = count_flat(torch.tensor([0.0, math.nan, 1e-4, 0.0]), slopes_, [])
    assert (flat.tolist(), off.tolist()) == ([0, 1, 1, 0], [0, 0, 1, 0])
