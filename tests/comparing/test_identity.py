"""Digests: what a run depends on changes them, and nothing else does."""

from __future__ import annotations

import json
import linecache
import logging
import os
import subprocess
import sys
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import slopes  # noqa: E402
from slopes.comparing import identity  # noqa: E402
from slopes.comparing.feeding import Feed  # noqa: E402
from slopes.comparing.networks import resolve  # noqa: E402
from slopes.comparing.plan import make_plan  # noqa: E402
from slopes.comparing.settings import Settings  # noqa: E402
from slopes.comparing.tasks import Parts, Task  # noqa: E402


def make_task():
    inputs = torch.randn(20, 6, generator=torch.Generator().manual_seed(0))
    parts = Parts(torch.arange(10), torch.arange(10, 15), torch.arange(15, 20))
    return Task("toy", "classification", inputs, torch.arange(20) % 3, 3, parts, "fingerprint", "Random numbers.")


def run(path: Path, text: str):
    """What is in a file of this text, under one name whatever the text."""
    path.write_text(text)
    linecache.checkcache(str(path))
    namespace = {"__name__": "mine"}
    exec(compile(text, str(path), "exec"), namespace)
    return namespace


def digest(path: Path, text: str):
    found = run(path, text)
    if "bent" in found:
        return json.dumps(identity.of_activation(found["bent"]), sort_keys=True)
    return resolve(found["model"] if "model" in found else found["Net"], make_task()).digest


# ------------------------------------------------------------------------------------------- changes

CARD = "import slopes\n@slopes.activation()\ndef bent(x):\n    return {body}\n"
MODULE = "from torch import nn\nclass bent(nn.Module):\n    def forward(self, x):\n        return {body}\n"
NET = """
import torch
from torch import nn
{before}
class Net(nn.Module):
    rate = {rate}
    def __init__(self):
        super().__init__()
        self.first, self.drop, self.act, self.last = nn.Linear(6, 8), nn.Dropout({drop}), nn.{act}(), nn.Linear(8, 3)
        self.steps = {steps}
    def forward(self, x):
        if x.shape[0] == 12345:
            return helper(x)
        return self.last(self.act(self.drop(self.first(x)))){after}
    {more}
{end}
"""
BASE = {
    "before": "def helper(x):\n    return inner(x) + 1\ndef inner(x):\n    return x * {'a': 2}['a']",
    "rate": 1,
    "drop": 0.1,
    "act": "ReLU",
    "steps": 1,
    "after": "",
    "more": "",
    "end": "",
}


def net(**changed):
    return NET.format(**(BASE | changed))


INNER = BASE["before"]
PACKAGE = """
import types
package = types.ModuleType("package")
package.inside = types.ModuleType("package.inside")
exec("def far(x): return x * {}", vars(package.inside))
"""
CHANGES = {
    "a card's body": (CARD.format(body="x * 0.5"), CARD.format(body="x * 0.25")),
    "a constant that a card names": ("c = 1\n" + CARD.format(body="x * c"), "c = 2\n" + CARD.format(body="x * c")),
    "a card's helper where it makes no difference": (
        "def h(x):\n    return x * 1\n" + CARD.format(body="h(x)"), "def h(x):\n    return 1 * x\n" + CARD.format(body="h(x)")
    ),
    "an array that a card names": (
        "import numpy as np\nw = np.array([1.0, 2.0, 3.0])\n" + CARD.format(body="x * w[:2].sum()"),
        "import numpy as np\nw = np.array([1.0, 2.0, 4.0])\n" + CARD.format(body="x * w[:2].sum()"),
    ),
    "a derivative": (
        CARD.format(body="x * 0.5"), CARD.format(body="x * 0.5") + "@bent.derivative\ndef _(x):\n    return 0.5 + 0 * x\n"
    ),
    "a module's forward": (MODULE.format(body="x * 0.5"), MODULE.format(body="x * 0.25")),
    "the forward": (net(), net(after=" * 1")),
    "a class constant": (net(), net(rate=2)),
    "an attribute": (net(), net(steps=2)),
    "an option of a layer": (net(), net(drop=0.2)),
    "the activation": (net(), net(act="Tanh")),
    "another method": (net(), net(more="def extra(self):\n        return 1")),
    "a helper of a helper, never called here": (net(), net(before=INNER.replace("'a': 2", "'a': 3"))),
    "a base class": (
        net(before="class Base(nn.Module):\n    x = 1\n" + INNER).replace("class Net(nn.Module)", "class Net(Base)"),
        net(before="class Base(nn.Module):\n    x = 2\n" + INNER).replace("class Net(nn.Module)", "class Net(Base)"),
    ),
    "a helper in a module within a package, never called here": (
        net(before=PACKAGE.format(1) + INNER.replace("return inner(x) + 1", "return package.inside.far(x)")),
        net(before=PACKAGE.format(2) + INNER.replace("return inner(x) + 1", "return package.inside.far(x)")),
    ),
    "the factory": (net(end="def model():\n    return Net()"), net(end="def model():\n    Net()\n    return Net()")),
    "the class or an instance": (net(), net(end="model = Net()")),
    "what a factory is given": (
        net(end="import functools\nmodel = functools.partial(lambda unused: Net(), 1)"),
        net(end="import functools\nmodel = functools.partial(lambda unused: Net(), 2)"),
    ),
    "what an object holds, which only values show": (
        net(before=INNER + "\nimport types\nheld = types.SimpleNamespace(k=2)", after=" * held.k"),
        net(before=INNER + "\nimport types\nheld = types.SimpleNamespace(k=3)", after=" * held.k"),
    ),
    "an attribute that was set": (net(end="model = Net()\nmodel.steps = 5"), net(end="model = Net()\nmodel.steps = 6")),
    "loaded weights that nothing here shows": (
        net(before=INNER + "\nimport types\nheld = types.SimpleNamespace(w=torch.tensor([1., 2]))",
            end="def model():\n    n = Net()\n    n.spare = nn.Parameter(held.w.clone())\n    return n"),
        net(before=INNER + "\nimport types\nheld = types.SimpleNamespace(w=torch.tensor([1., 3]))",
            end="def model():\n    n = Net()\n    n.spare = nn.Parameter(held.w.clone())\n    return n"),
    ),
    "weights that no seed draws": (
        net(end="def model():\n    n = Net()\n    nn.init.constant_(n.first.bias, 0.5)\n    return n"),
        net(end="def model():\n    n = Net()\n    nn.init.constant_(n.first.bias, 0.6)\n    return n"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("first", "second"), CHANGES.values(), ids=CHANGES)
def test_what_changed_has_another_digest(tmp_path, first, second):
    assert digest(tmp_path / "mine.py", first) == digest(tmp_path / "mine.py", first)
    assert digest(tmp_path / "mine.py", first) != digest(tmp_path / "mine.py", second)


SAME = {
    "a comment": (net(), net(after="  # the last layer")),
    "what comes after": (net(), net(end="def unrelated():\n    return 3\nprint\n")),
    "lines before": (net(), "# a licence\n\n\n" + net()),
    "a module's weights, which are drawn anew": (net(end="model = Net()"), net(end="torch.manual_seed(9)\nmodel = Net()")),
}  # fmt: skip


@pytest.mark.parametrize(("first", "second"), SAME.values(), ids=SAME)
def test_what_changes_no_run_has_the_same(tmp_path, first, second):
    with torch.random.fork_rng(devices=[]):
        assert digest(tmp_path / "mine.py", first) == digest(tmp_path / "mine.py", second)


def test_a_file_edited_after_it_was_imported_is_what_was_imported(tmp_path):
    """The code in memory is what runs, and the file's new text must not speak for it."""
    path = tmp_path / "mine.py"
    found = run(path, net())
    before = resolve(found["Net"], make_task()).digest
    path.write_text(net(after=" * 1"))
    linecache.checkcache(str(path))
    assert resolve(found["Net"], make_task()).digest == before


SCRIPT = """
import json, sys
sys.path.insert(0, {folder!r})
from test_identity import make_task
from slopes.comparing import identity
from slopes.comparing.networks import resolve
for text in json.loads({texts!r}):
    session = {{"__name__": "__main__"}}
    exec(text, session)
    print(identity.of_activation(session["bent"]) if "bent" in session else resolve(session["model"], make_task()).digest)
"""
SESSIONS = {
    "a class with sets and a function of autograd": net(
        before=INNER
        + "\nclass F(torch.autograd.Function):\n    @staticmethod\n    def forward(ctx, x):\n        return x",
        after=" * (1 if 'a' in {'a', 'b', 'c', 'd'} and F else 0)",
        end="model = Net",
    ),
    "an instance": net(end="torch.manual_seed(0)\nmodel = Net()"),
    "a card": CARD.format(body="x * 0.5"),
    "a built-in": "model = 'mlp'",
}


@pytest.mark.exhaustive
def test_every_process_and_a_session_without_source_agree():
    script = SCRIPT.format(folder=str(Path(__file__).parent), texts=json.dumps(list(SESSIONS.values())))
    told = []
    for hashed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hashed}
        done = subprocess.run([sys.executable, "-"], input=script, capture_output=True, text=True, env=environment)
        assert not done.returncode, done.stderr
        told.append(done.stdout.splitlines())
    assert told[0] == told[1]
    assert len(set(told[0])) == len(SESSIONS)


# ----------------------------------------------------------------------------------- options of training


class Stored(nn.Module):
    """Holds a number that the probe does not show."""

    def __init__(self, number):
        super().__init__()
        self.register_buffer("number", torch.tensor(number))

    def forward(self, x):
        return x.sin()


class Noise:
    def __init__(self, std):
        self.std, self.drawn = std, 0

    def __call__(self, inputs):
        self.drawn += 1
        return inputs + self.std * torch.randn_like(inputs)


class Slotted:
    __slots__ = ("std",)

    def __init__(self, std):
        self.std = std

    def __call__(self, inputs):
        return inputs + self.std

    def add(self, inputs):
        return inputs + self.std


class Shift(nn.Module):
    def __init__(self, by):
        super().__init__()
        self.mean = torch.tensor(by)

    def forward(self, inputs):
        return inputs + self.mean


def closed_over(thing):
    return lambda inputs: thing(inputs)


@pytest.mark.parametrize(
    "make",
    [
        Noise, Slotted, lambda k: Slotted(k).add, nn.Dropout, Stored, Shift, lambda k: nn.Sequential(Shift(k)),
        lambda k: closed_over(Noise(k)), lambda k: Noise(np.float32(k)), lambda k: closed_over(types.SimpleNamespace(k=k)),
        lambda k: closed_over(torch.distributions.Normal(0.0, k)), lambda k: Stored(k).bfloat16(),
    ],
)  # fmt: skip
def test_an_object_is_told_apart_by_its_state(make):
    assert identity.code(make(0.1)) == identity.code(make(0.1))
    assert identity.code(make(0.1)) != identity.code(make(0.5))


def test_the_state_of_loggers_and_generators_is_no_part_of_a_key():
    """Both change while a study runs, which could then never be resumed."""
    logger, drawn = logging.getLogger("mine"), np.random.default_rng(0)
    before = identity.code(Noise(logger), Noise(drawn))
    logger.setLevel(logging.DEBUG)
    drawn.normal()
    assert identity.code(Noise(logger), Noise(drawn)) == before


def test_an_object_that_changes_in_training_has_one_key():
    noise = Noise(0.1)
    plan = make_plan(Settings(activations=[slopes.relu], losses=[slopes.mse], seeds="auto", rates=[0.1], augment=noise))
    noise(torch.zeros(3))
    assert plan.with_more_seeds().spec(plan.cells[0]) == plan.spec(plan.cells[0])


# ----------------------------------------------------------------------------------- activations, losses


def test_activations_are_told_apart():
    given = [
        slopes.elu, slopes.elu.with_(alpha=0.5), slopes.gelu, slopes.gelu_tanh, nn.ELU, nn.ELU(0.5), nn.GELU,
        nn.GELU("tanh"), nn.PReLU, nn.PReLU(init=0.3), lambda: nn.ELU(0.7), Stored(1.0), Stored(2.0),
    ]  # fmt: skip
    digests = [json.dumps(identity.of_activation(each), sort_keys=True) for each in given]
    assert len(set(digests)) == len(given)
    assert digests == [json.dumps(identity.of_activation(each), sort_keys=True) for each in given]
    assert all(isinstance(value, str) for value in identity.of_activation(nn.PReLU).values())


class Cut(nn.Module):
    def forward(self, x):
        return x.detach()


class Broken(nn.Module):
    def forward(self, x):
        return x.numpy()


@slopes.activation()
def severed(x):
    return x.detach() if hasattr(x, "detach") else x


@slopes.activation()
def summed(x):
    return x.sum(-1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (Cut, "Cut cuts off the gradient; write its body in slopes.ops, without detach."),
        (Cut(), "Cut cuts off the gradient"),
        (Broken, "Broken fails on a torch tensor: RuntimeError"),
        (severed, "severed cuts off the gradient; write its body in slopes.ops, without detach."),
        (summed, "summed fails on a torch tensor: ValueError: summed: the body gives shape (1,) where (1, 257) is due"),
    ],
)
def test_an_activation_that_cannot_be_trained_is_refused(given, message):
    with pytest.raises(ValueError, match=r"^compare: ") as told:
        identity.of_activation(given)
    assert str(told.value).startswith(f"compare: {message}")


AS_THEY_ARE = Feed("", "", *[lambda x: x] * 3)


def test_a_loss_is_probed_as_it_is_fed(monkeypatch):
    monkeypatch.setattr(identity, "feed", lambda loss, task: AS_THEY_ARE)
    task = make_task()
    probes = {loss.name: identity.probe_loss(loss, task) for loss in (slopes.cross_entropy, slopes.softmax_focal)}
    cross = probes["cross_entropy"]
    outputs = torch.randn(16, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    expected = nn.functional.cross_entropy(outputs, task.targets[:16], reduction="none")
    torch.testing.assert_close(cross[:16], expected.detach())
    torch.testing.assert_close(cross[16:], torch.autograd.grad(expected.sum(), outputs)[0].flatten())
    told = {name: identity.of_card(getattr(slopes, name), probe)["values"] for name, probe in probes.items()}
    assert len(set(told.values())) == 2


def test_the_probe_of_a_loss_has_every_class():
    """A weight of a rare class would else be changed unseen, where data are sorted."""
    task = replace(make_task(), targets=torch.tensor([0] * 18 + [1, 2]))
    held = types.SimpleNamespace(weights=torch.tensor([1.0, 1.0, 1.0], dtype=torch.float64))

    @slopes.loss("classification")
    def weighed(logits, label):
        return held.weights[label] * slopes.cross_entropy(logits, label, reduction="none")

    first = identity.probe_loss(weighed, task)
    held.weights[2] = 5.0
    assert not torch.equal(identity.probe_loss(weighed, task), first)


def test_a_loss_that_cuts_off_the_gradient_is_refused(monkeypatch):
    @slopes.loss("classification")
    def cut(logits, label):
        return logits.detach().sum(-1)

    monkeypatch.setattr(identity, "feed", lambda loss, task: AS_THEY_ARE)
    with pytest.raises(ValueError, match=r"compare: cut cuts off the gradient"):
        identity.probe_loss(cut, make_task())


def test_figures_forget_what_is_lost_beside_the_largest():
    one = torch.tensor([1.0, 1 / 3, -0.0, 1e-12], dtype=torch.float64)
    assert identity.figures(one) == "1.00000e+00 3.33333e-01 0.00000e+00 0.00000e+00"
    assert identity.figures(one + 1e-11) == identity.figures(one)
    assert identity.figures(one + 1e-4) != identity.figures(one)
    assert identity.figures(torch.tensor([float("nan"), float("inf"), 2.0])) == "nan inf 2.00000e+00"


def test_the_code_that_trains_is_read_in_full(monkeypatch):
    read = []
    monkeypatch.setattr(identity, "digest", lambda text: read.append(text) or "digest")
    identity.of_training.__wrapped__()
    (text,) = read
    for part in (
        "ClassDef(name='Network'",
        "FunctionDef(name='drawn_anew'",
        "'Transformer'",
        "'Job'",
        "name='feed'",
        "ClassDef(name='OptimizerFacts'",
    ):
        assert part in text


def test_words_about_the_code_that_trains_are_not_part_of_it():
    text = "def half(x):\n    return x / 2\n"
    commented = '"""Halves."""\n\ndef half(x):\n    """Half of x."""\n    return x / 2  # exact\n'
    assert identity.code_of_text(text) == identity.code_of_text(commented)
    assert identity.code_of_text(text) != identity.code_of_text(text.replace("2", "3"))
