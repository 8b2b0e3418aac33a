"""Replacing activations: modules, shared ones, functions that modules keep, and calls that cannot be reached."""

import warnings

import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402

import slopes  # noqa: E402


def mlp():
    return nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Sequential(nn.Linear(5, 5), nn.ReLU(inplace=True)), nn.ReLU6())


def test_every_module_of_the_class_is_replaced_in_a_copy():
    model = mlp().double().eval()
    swapped = slopes.swap(model, nn.ReLU, slopes.gelu)
    assert [type(m).__name__ for m in swapped.modules() if not list(m.children())] == [
        "Linear", "module", "Linear", "module", "ReLU6",
    ]  # fmt: skip
    assert isinstance(model[1], nn.ReLU)
    assert not swapped[1].training
    x = torch.randn(3, 4, dtype=torch.float64)
    hidden = slopes.gelu(model[0](x))
    expected = F.relu6(slopes.gelu(model[2][0](hidden)))
    torch.testing.assert_close(swapped(x), expected)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), swapped.parameters(), strict=True))
    assert next(swapped.parameters()) is not next(model.parameters())


def test_each_place_has_its_own_and_what_is_shared_stays_shared():
    act = nn.ReLU()
    model = nn.Sequential(nn.Linear(2, 2).double(), act, nn.ReLU(), act)
    swapped = slopes.swap(model, nn.ReLU, nn.PReLU)
    assert swapped[1] is swapped[3]
    assert swapped[1] is not swapped[2]
    assert swapped[1].weight.dtype == torch.float64
    assert len(list(swapped.parameters())) == 4


@pytest.mark.parametrize(
    "new", [slopes.elu.with_(alpha=0.5), nn.ELU(0.5), lambda: nn.ELU(0.5)], ids=["card", "module", "factory"]
)
def test_what_the_new_one_may_be(new):
    x = torch.linspace(-2, 2, 9)
    swapped = slopes.swap(nn.Sequential(nn.ReLU()), nn.ReLU, new)
    torch.testing.assert_close(swapped(x), F.elu(x, 0.5))


def test_the_model_itself_may_be_the_activation():
    assert isinstance(slopes.swap(nn.ReLU(), nn.ReLU, nn.SiLU), nn.SiLU)


def test_several_classes_and_own_subclasses():
    class Mine(nn.ReLU):
        pass

    model = nn.Sequential(nn.Linear(2, 2), Mine(), nn.Tanh(), nn.Hardtanh(), nn.ReLU6())
    swapped = slopes.swap(model, (nn.ReLU, nn.Tanh, nn.Hardtanh), nn.SiLU)
    assert [type(m).__name__ for m in swapped] == ["Linear", "SiLU", "SiLU", "SiLU", "ReLU6"]


@pytest.mark.parametrize("kept", ["relu", nn.ReLU()], ids=["a function", "a module"])
def test_the_activation_of_a_transformer_layer_is_replaced(kept):
    """Also on the fast path, which torch takes in evaluation without gradients."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True, activation=kept).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        swapped = slopes.swap(layer, nn.ReLU, slopes.gelu)
    by_hand = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True, activation=F.gelu).eval()
    by_hand.load_state_dict(layer.state_dict())
    x = torch.randn(2, 3, 8)
    with torch.no_grad():
        torch.testing.assert_close(swapped(x), by_hand(x))
        assert not torch.allclose(swapped(x), layer(x))


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.relu = nn.Linear(2, 2), nn.ReLU()

    def forward(self, x):
        x = F.relu(self.one(x))
        return torch.relu_(self.relu(x).relu())


def test_functional_calls_are_named_with_their_places():
    with pytest.warns(UserWarning, match="3 calls of functions could not be reached") as told:
        slopes.swap(Functional(), nn.ReLU, slopes.gelu)
    (message,) = [str(warning.message) for warning in told]
    first = Functional.forward.__code__.co_firstlineno
    assert f"F.relu(self.one(x)) in Functional, {__file__}:{first + 1}" in message
    assert f"torch.relu_(self.relu(x).relu()) in Functional, {__file__}:{first + 2}" in message
    assert f"self.relu(x).relu() in Functional, {__file__}:{first + 2}" in message
    assert told[0].filename == __file__


WRONG = [
    ((3, nn.ReLU, nn.SiLU), TypeError, "swap: model must be a torch.nn.Module, got int"),
    ((mlp(), "relu", nn.SiLU), TypeError, "swap: old must be a class of modules"),
    ((mlp(), nn.ReLU, slopes.mse), TypeError, "swap: new must be an activation, and mse is a loss"),
    ((mlp(), nn.ReLU, "gelu"), TypeError, "swap: new must be a card, a module, or a callable that makes one"),
    ((mlp(), nn.ReLU, lambda: 3), TypeError, "swap: new must be a card, a module, or a callable that makes one"),
    ((mlp(), nn.ReLU, slopes.swiglu), TypeError, "swap: new gives half as many entries as it takes, and ReLU as many"),
    ((mlp(), nn.ReLU, nn.GLU), TypeError, "swap: new gives half as many entries as it takes, and ReLU as many"),
    ((mlp(), nn.PReLU, nn.SiLU), ValueError, "swap: the model has no PReLU; did you mean 'ReLU'?"),
    ((mlp(), nn.Softmax, nn.SiLU), ValueError, "swap: the model has no Softmax; its modules are Linear, ReLU, ReLU6."),
]


@pytest.mark.parametrize(("arguments", "error", "message"), WRONG)
def test_mistakes_have_one_clear_message(arguments, error, message):
    with pytest.raises(error) as told:
        slopes.swap(*arguments)
    assert str(told.value).startswith(message)


@pytest.mark.parametrize("old", [nn.GLU, slopes.nn.GLU, slopes.nn.module])
def test_a_gate_replaces_a_gate(old):
    before = slopes.nn.module(slopes.glu) if old is slopes.nn.module else old()
    model = slopes.swap(nn.Sequential(nn.Linear(4, 6), before, nn.Linear(3, 1)), old, slopes.swiglu)
    assert model(torch.ones(2, 4)).shape == (2, 1)


def test_a_swapped_model_trains_and_is_copied():
    swapped = slopes.swap(mlp(), nn.ReLU, slopes.snake)
    swapped(torch.randn(3, 4)).sum().backward()
    assert all(p.grad is not None for p in swapped.parameters())
    again = slopes.swap(swapped, type(swapped[1]), nn.ReLU)
    assert isinstance(again[1], nn.ReLU)


def test_a_card_that_a_module_keeps_is_replaced():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.act = nn.Linear(3, 2), slopes.leaky_relu

        def forward(self, x):
            return self.act(self.first(x))

    model, x = Model(), torch.randn(5, 3)
    swapped = slopes.swap(model, nn.LeakyReLU, slopes.tanh)
    torch.testing.assert_close(swapped(x), model.first(x).tanh())
    assert model.act is slopes.leaky_relu
    with pytest.raises(ValueError, match="the model has no ReLU"):
        slopes.swap(model, nn.ReLU, slopes.tanh)
