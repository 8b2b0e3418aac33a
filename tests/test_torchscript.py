"""torch.jit.trace takes every card with its gradient, and torch.jit.script says what to use in its place."""

import io

import pytest

from helpers import unreduced

torch = pytest.importorskip("torch")

import slopes  # noqa: E402
import slopes.nn  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore:.torch.jit.:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.torch.jit.:FutureWarning"),  # the same, of later versions
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),  # of shapes, which a trace keeps
]


def calling_a_card(x):
    return slopes.gelu(x)


def calling_another(x):
    return 2 * slopes.relu(x)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (slopes.gelu, "gelu"),
        (calling_a_card, "gelu"),
        (calling_another, "relu"),
        (slopes.elu.with_(alpha=0.5), "elu(alpha=0.5)"),
        (slopes.softmax, "softmax"),
        (slopes.cross_entropy, "cross_entropy"),
        (slopes.nn.GELU(), "slopes.nn.GELU"),
        (slopes.nn.CrossEntropyLoss(), "slopes.nn.CrossEntropyLoss"),
        (slopes.nn.module(slopes.mish), "slopes.nn.module"),
        (slopes.nn.LogCoshLoss(), "slopes.nn.LogCoshLoss"),
        (torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Sequential(slopes.nn.ReLU())), "slopes.nn.ReLU"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),  # the text of a function has its address
)
def test_script_is_refused_and_alternatives_are_named(function, name):
    with pytest.raises(TypeError) as caught:
        torch.jit.script(function)
    message = str(caught.value)
    assert message.startswith(f"torch.jit.script cannot compile {name}: ")
    for alternative in (
        "torch.compile",
        "torch.export.export",
        "torch.onnx.export(..., dynamo=True)",
        "torch.jit.trace",
    ):
        assert alternative in message


def test_modules_of_pytorch_are_scripted_as_before():
    x = torch.tensor([-1.0, 2.0])
    assert torch.equal(torch.jit.script(torch.nn.GELU())(x), torch.nn.functional.gelu(x))


class Scaled(torch.nn.Module):
    """A card behind a trained parameter, so that a trace takes the path of training."""

    def __init__(self, function):
        super().__init__()
        self.function, self.scale = function, torch.nn.Parameter(torch.ones((), dtype=torch.float64))

    def forward(self, first, *rest):
        return self.function(first * self.scale, *rest)


@pytest.mark.sampled(2)
def test_trace(card, example):
    module, arguments = Scaled(unreduced(card)), example(card)
    file = io.BytesIO()
    torch.jit.save(torch.jit.trace(module, arguments), file)
    file.seek(0)
    traced = torch.jit.load(file)
    outputs = []
    for function in (traced, module):
        first, *rest = example(card, seed=1)
        output = function(first.requires_grad_(), *rest)
        output.sum().backward()
        outputs.append((output, first.grad))
    for came, wanted in zip(*outputs, strict=True):
        # TorchScript merges constants that nearly agree, such as a number and its upper digits
        torch.testing.assert_close(came, wanted, rtol=1e-7, atol=1e-8)


def test_trace_of_a_module():
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), slopes.nn.GELU(), slopes.nn.module(slopes.mish))
    x = torch.randn(4, 3)
    torch.testing.assert_close(torch.jit.trace(model, x)(x), model(x))
