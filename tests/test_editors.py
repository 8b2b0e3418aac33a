"""What `help`, IPython and editors show of a card."""

import inspect
import pydoc
import re

import pytest

import slopes


def test_help_shows_signature_arguments_and_methods():
    text = pydoc.render_doc(slopes.huber, renderer=pydoc.plaintext)
    for wanted in (
        "huber(prediction, target, *, reduction='mean', weight=None, mask=None, divisor=None, delta=1.0)",
        "Huber loss: half the squared residual up to delta, linear beyond it.",
        "    reduction   one of 'mean', 'sum', 'none'; by default 'mean'\n",
        "    delta       > 0; by default 1.0\n",
        "    value_and_slope  Return the loss and its gradient by the first argument",
        "    with_            Return this card with parameters bound",
        "    formula   The textbook form",
    ):
        assert wanted in text


def test_help_describes_each_argument(card):
    lines = pydoc.render_doc(card, renderer=pydoc.plaintext).partition("Arguments\n")[2].splitlines()
    for name, argument in inspect.signature(card).parameters.items():
        described = next(line.split(maxsplit=1)[1] for line in lines if line.split()[:1] == [name])
        assert described.endswith(f"; by default {argument.default!r}") or argument.default is argument.empty
        if name in card.parameters:
            assert described.startswith(str(card.parameters[name].domain))


@pytest.mark.parametrize(
    ("function", "signature"),
    [
        (
            slopes.huber,
            "(prediction, target, *, reduction: Literal['mean', 'sum', 'none'] = 'mean', "
            "weight=None, mask=None, divisor=None, delta: float = 1.0)",
        ),
        (slopes.elu.with_(alpha=0.5), "(x, *, alpha: float = 0.5, out=None)"),
        (slopes.gelu, "(x, *, approximate: Literal['none', 'tanh'] = 'none', out=None)"),
        (slopes.glu, "(x, *, axis: int = -1, gate: Literal['first', 'last'] = 'last')"),
        (slopes.softmax, "(x, *, axis: int = -1, mask=None)"),
    ],
    ids=repr,
)
def test_the_signature_has_types_and_defaults(function, signature):
    assert str(inspect.signature(function)) == signature


def test_a_bound_parameter_is_the_default_in_help():
    assert "elu(x, *, alpha=0.5, out=None)" in slopes.elu.with_(alpha=0.5).__doc__
    assert "alpha  > 0; by default 0.5\n" in slopes.elu.with_(alpha=0.5).__doc__
    assert "alpha  > 0; by default 1.0\n" in slopes.elu.__doc__


def test_classes_of_cards_keep_their_own_documentation():
    assert slopes.Loss.__doc__.startswith("A function of a prediction and a target")
    assert "kind" in inspect.signature(slopes.Loss).parameters
    assert "Methods defined here" in pydoc.render_doc(slopes.Loss, renderer=pydoc.plaintext)


def test_a_card_without_a_docstring_has_help():
    @slopes.activation
    def scaled(x, *, scale: slopes.domains.Positive = 1.0):
        return scale * x

    assert scaled.summary == ""
    assert scaled.__doc__.startswith("scaled(x, *, scale=1.0, out=None)\n\nArguments\n    x      an array")


def test_ipython_shows_signature_arguments_and_methods(monkeypatch, tmp_path):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    InteractiveShell = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell
    monkeypatch.setattr("IPython.core.history.HistoryManager.enabled", False)  # a thread and a database
    shell = InteractiveShell(user_ns={"slopes": slopes})
    text = re.sub(r"\x1b\[[\d;]*m", "", shell.object_inspect_text("slopes.huber"))
    assert "Signature:" in text
    assert "delta: float = 1.0" in text
    assert "delta       > 0; by default 1.0" in text
    assert "value_and_slope  Return the loss" in text


@pytest.fixture(params=["a file", "a session"])
def complete(request):
    """What jedi offers at the end of code, in a file, where it reads the stub, or in a session with live objects."""
    jedi = pytest.importorskip("jedi")

    def names(code):
        code = f"import slopes\n{code}"
        if request.param == "a file":
            found = jedi.Script(code, environment=jedi.InterpreterEnvironment())
        else:
            found = jedi.Interpreter(code, [{"slopes": slopes}])
        return {completion.name for completion in found.complete()}

    return names


def test_jedi_completes_cards_methods_and_attributes(complete):
    assert complete("slopes.hub") == {"huber"}
    assert complete("slopes.huber.") >= {"slope", "value_and_slope", "with_", "derivative", "formula", "tex", "name"}
    assert complete("slopes.elu.") >= {"slope", "vjp", "with_", "claims", "parameters"}
    assert complete("slopes.elu.with_(alpha=2.0).") >= {"slope", "vjp"}
    assert complete("@slopes.activation\ndef mine(x): return x\nmine.") >= {"slope", "vjp"}
    assert complete("@slopes.loss('regression')\ndef mine(prediction, target): return target\nmine.") >= {
        "value_and_slope"
    }


@pytest.mark.parametrize(
    ("code", "keywords"),
    [
        ("slopes.huber(", {"prediction=", "target=", "reduction=", "weight=", "mask=", "divisor=", "delta="}),
        ("slopes.huber(a, a, del", {"delta="}),
        ("slopes.huber.value_and_slope(a, a, del", {"delta="}),
        ("slopes.huber.with_(", {"delta="}),
        ("slopes.elu(x, al", {"alpha="}),
        ("slopes.softmax(x, ", {"axis=", "mask="}),
        ("slopes.cross_entropy(x, y, cl", {"class_weight="}),
    ],
)
def test_jedi_completes_arguments(complete, code, keywords):
    assert complete(code) >= keywords
