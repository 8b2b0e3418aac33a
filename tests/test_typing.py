"""Type checkers on a user's files: right lines are clean, wrong ones are errors on that line."""

import ast
import importlib.util
import json
import pathlib
import re
import subprocess
import sys
from collections import defaultdict

import numpy as np
import pytest

import slopes

ROOT = pathlib.Path(__file__).parent.parent

#: A line that ends in `# wrong` must be an error, and no other may be one. `reveal_type(x)  # T` must reveal T.
USE = """
import numpy as np
import torch

import slopes

@slopes.activation
def scaled(x, *, scale: slopes.domains.Positive = 1.0):
    return scale * x

@slopes.activation(range=(0.0, 1.0))
def squashed(x: float, *, scale: float = 1.0) -> float:
    return slopes.ops.sigmoid(scale * x)

@slopes.activation(kind="map", range=(0.0, 1.0))
def shared(x, *, power: float = 1.0):
    return slopes.ops.softmax(power * x)

@slopes.activation(kind="gate", gate="last")
def gated(gate, value):
    return slopes.ops.sigmoid(gate) * value

@slopes.loss("regression", minimum=0.0)
def my_mse(prediction, target):
    return (prediction - target) ** 2

@slopes.loss("triplets")
def my_triplets(anchor, positive, negative, *, margin: float = 1.0):
    return slopes.ops.sum(anchor * (negative - positive))[..., 0]

t, labels = torch.ones(2, 2), torch.tensor([0, 1])
a, single = np.ones((2, 2)), np.float32(1.0)

slopes.show(slopes.gelu, slopes.swish, slopes.softmax, slopes.swiglu, slopes.huber, scaled, my_mse)
slopes.compare(activations=[slopes.relu, scaled], losses=[slopes.cross_entropy, my_mse])
slopes.exact(slopes.elu, digits=30)
slopes.audit(squashed)
slopes.audit(slopes.mse, agianst=slopes.huber)  # wrong

reveal_type(slopes.gelu(t))  # Tensor
reveal_type(slopes.gelu(torch.nn.Parameter(t)))  # Tensor
reveal_type(slopes.gelu(a))  # ndarray
reveal_type(slopes.gelu([1, 2.0]))  # ndarray
reveal_type(slopes.gelu([[1.0, 2], [3, 4]]))  # ndarray
reveal_type(slopes.gelu((a[0], [1.0, 2.0])))  # ndarray
reveal_type(slopes.gelu(1))  # float64
reveal_type(slopes.gelu(single))  # floating[_32Bit]
reveal_type(slopes.elu(x=t, alpha=torch.ones(())))  # Tensor
reveal_type(slopes.elu(a, alpha=a))  # ndarray
reveal_type(slopes.elu.slope(t, alpha=2))  # Tensor
reveal_type(slopes.elu.slope(0.5, alpha=2))  # float64
reveal_type(slopes.elu.vjp(a, [[1.0, 2.0], [0.0, 0.0]], alpha=2))  # ndarray
reveal_type(slopes.elu.with_(alpha=0.5)(t))  # Tensor
reveal_type(slopes.rrelu(t, generator=torch.Generator()))  # Tensor
reveal_type(slopes.rrelu(a, generator=np.random.default_rng(0)))  # ndarray
reveal_type(slopes.softmax([1.0, 2.0], axis=0, mask=[True, False]))  # ndarray
reveal_type(slopes.softmax.vjp(t, t, axis=0))  # Tensor
reveal_type(slopes.glu(t, axis=0, gate="first"))  # Tensor
for card in [slopes.relu, slopes.elu, scaled]:
    card(t).detach()
slopes.gelu()  # wrong
slopes.gelu(t, t)  # wrong
slopes.gelu("1.0")  # wrong
slopes.gelu(None)  # wrong
slopes.gelu(t, approximate="tan")  # wrong
slopes.elu(t, alhpa=2.0)  # wrong
slopes.elu(t, alpha="2.0")  # wrong
slopes.elu(t, alpha=a)  # wrong
slopes.elu(a, alpha=t)  # wrong
slopes.elu.slope(t, alhpa=2.0)  # wrong
slopes.elu.vjp(t)  # wrong
slopes.elu.vjp(t, a)  # wrong
slopes.elu.with_(alhpa=2.0)  # wrong
slopes.relu.with_(alpha=2.0)  # wrong
slopes.rrelu(a, generator=torch.Generator())  # wrong
slopes.relu(a, generator=None)  # wrong
slopes.softmax.slope(a)  # wrong
slopes.softmax(a, dim=0)  # wrong
slopes.glu(t, gate="second")  # wrong
slopes.rellu  # wrong

reveal_type(slopes.mse(t, t))  # Tensor
reveal_type(slopes.mse(t, t, reduction="none", weight=t))  # Tensor
reveal_type(slopes.mse(a, a))  # floating
reveal_type(slopes.mse([1.0, 2.0], target=[0.0, 1], reduction="sum"))  # floating
reveal_type(slopes.mse(prediction=a, target=a, reduction="none", mask=a > 0))  # ndarray
reveal_type(slopes.huber.slope(t, t, delta=2.0))  # Tensor
reveal_type(slopes.huber.slope(a, target=a, delta=2.0))  # ndarray
reveal_type(slopes.huber.value_and_slope(t, t)[1])  # Tensor
reveal_type(slopes.huber.value_and_slope(a, a, delta=2.0)[0])  # floating
reveal_type(slopes.huber.value_and_slope(a, a, reduction="none")[0])  # ndarray
reveal_type(slopes.huber.with_(delta=2.0).slope(a, a))  # ndarray
reveal_type(slopes.cross_entropy(t, labels, class_weight=torch.ones(2), ignore_index=1))  # Tensor
reveal_type(slopes.cross_entropy(a, [0, 1], label_smoothing=0.1, divisor=2))  # floating
reveal_type(slopes.triplet_margin(t, t, negative=t, swap=True))  # Tensor
reveal_type(slopes.gaussian_nll(a, a, variance=a))  # floating
slopes.mse(t)  # wrong
slopes.mse(t, t, t)  # wrong
slopes.mse(t, a)  # wrong
slopes.mse(a, t)  # wrong
slopes.mse(t, t, weight=a)  # wrong
slopes.mse(t, t, reduction="avg")  # wrong
slopes.mse(a, a, reduction="avg")  # wrong
slopes.mse(a, a, delta=2.0)  # wrong
slopes.huber(a, a, delat=2.0)  # wrong
slopes.huber.slope(a)  # wrong
slopes.huber.slope(a, a, reduction="avg")  # wrong
slopes.huber.value_and_slope(a, a, delat=2.0)  # wrong
slopes.huber.with_(delat=2.0)  # wrong
slopes.huber.with_(reduction="sum")  # wrong
slopes.dice(t, labels, over="samples")  # wrong
slopes.sigmoid_focal(t, t, alpha=None)
slopes.sigmoid_focal(t, t, gamma=None)  # wrong
slopes.multiclass_hinge(t, labels, p=3)  # wrong
slopes.triplet_margin(t, t)  # wrong
slopes.triplet_margin(t, t, t, swap="yes")  # wrong

reveal_type(scaled(t, scale=torch.ones(2)))  # Tensor
reveal_type(scaled([1.0]))  # ndarray
reveal_type(squashed(1.0, scale=2.0))  # float64
reveal_type(squashed.slope(t, scale=2.0))  # Tensor
reveal_type(shared(a, axis=0, power=2.0))  # ndarray
reveal_type(gated(t, gate="last"))  # Tensor
reveal_type(my_mse(t, t, reduction="sum"))  # Tensor
reveal_type(my_mse(a, a, mask=a > 0))  # floating
reveal_type(my_mse.slope(a, a))  # ndarray
my_triplets(t, t, t, margin=2.0)
squashed.with_(scale=2.0)
scaled()  # wrong
scaled(t, scail=2.0)  # wrong
squashed(t, scail=2.0)  # wrong
squashed.slope(t, scail=2.0)  # wrong
my_mse(t)  # wrong
my_mse(t, t, reduction="avg")  # wrong
gated(t, gate="second")  # wrong
slopes.loss("regresion")  # wrong
slopes.activation(maximum=1.0)  # wrong

added = slopes.dice + 0.5 * slopes.cross_entropy
reveal_type(slopes.mse + my_mse)  # Sum
reveal_type(2 * my_mse)  # Sum
added(t[None], labels[None], terms=True)
slopes.compare(losses=[added, slopes.mse + my_mse])
slopes.mse + slopes.gelu  # wrong
slopes.mse + 1  # wrong
slopes.mse * "2"  # wrong
slopes.gelu + slopes.mse  # wrong

slopes.catalogue.find("gelu")(a)
slopes.catalogue.CARDS["mse"].slope(a, a)
slopes.catalogue.ACTIVATIONS["elu"].vjp(a, a, alpha=2.0)
slopes.catalogue.find("gelu").slpoe  # wrong

def mean_over(card: slopes.Activation, loss: slopes.Loss, module: torch.nn.Module) -> None:
    card(t)

mean_over(slopes.swiglu, my_triplets, slopes.nn.GELU())
mean_over(slopes.gelu, slopes.info_nce, slopes.nn.module(slopes.gelu))
mean_over(slopes.mse, slopes.mse, torch.nn.GELU())  # wrong

reveal_type(slopes.nn.GELU(approximate="tanh"))  # GELU
reveal_type(slopes.nn.SwiGLU(dim=1))  # SwiGLU
reveal_type(slopes.nn.functional.relu(t))  # Tensor
torch.nn.Sequential(slopes.nn.Linear(2, 4), slopes.nn.SwiGLU(), slopes.nn.DiceLoss(over="all", weight=t))

class Mine(slopes.nn.Snake):
    def plain(self) -> slopes.nn.Module:
        return slopes.nn.Snake(alpha=torch.nn.Parameter(t))

slopes.nn.SwiGLU(axis=1)  # wrong
slopes.nn.LogCoshLoss(reduction="avg")  # wrong
slopes.nn.GELUU  # wrong
slopes.nn.module(torch.nn.GELU())  # wrong
"""

#: In place of flags, so that mypy can use what it knows of torch from checking the project.
SETTINGS = "\n# mypy: allow-untyped-defs, allow-untyped-calls, allow-untyped-decorators, allow-incomplete-defs, disable-error-code=no-any-return\n"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The user's file, the README's code and the examples, in one folder."""
    folder = tmp_path_factory.mktemp("typed")
    readme = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.S)
    sources = {"use.py": USE, "readme.py": "\n".join(readme)}
    sources |= {path.name: path.read_text() for path in (ROOT / "examples").glob("*.py")}
    for name, text in sources.items():
        (folder / name).write_text(text + SETTINGS)
    return folder


def check_by_mypy(folder: pathlib.Path) -> list[tuple[str, int, str]]:
    """Return (file, line, message) of each error, and of each type that was revealed."""
    command = [sys.executable, "-m", "mypy", "--config-file", ROOT / "pyproject.toml", *sorted(folder.glob("*.py"))]
    out = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    found = re.findall(r"^(.*):(\d+): (error: .*|note: Revealed type is .*)$", out, flags=re.M)
    assert found, out
    return [(pathlib.Path(file).name, int(line), message) for file, line, message in found]


def check_by_pyright(folder: pathlib.Path, **environment: str) -> list[tuple[str, int, str]]:
    """Return (file, line, message) of each error, and of each type that was revealed."""
    settings = {"typeCheckingMode": "standard", "extraPaths": [str(pathlib.Path(slopes.__file__).parents[1])]}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings | environment))
    command = [sys.executable, "-m", "basedpyright", "--outputjson", "--project", folder]
    if not environment:
        command += ["--pythonpath", sys.executable]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.stdout, ran.stderr
    found = json.loads(ran.stdout)["generalDiagnostics"]
    return [
        (pathlib.Path(one["file"]).name, one["range"]["start"]["line"] + 1, f"{one['severity']}: {one['message']}")
        for one in found
        if one["severity"] in ("error", "information")
    ]


@pytest.fixture(
    scope="module",
    params=[
        ("mypy", check_by_mypy),
        pytest.param(("basedpyright", check_by_pyright), marks=pytest.mark.exhaustive),
    ],
    ids=lambda param: param[0],
)
def messages(request, files):
    """What a checker says of each line of each file."""
    name, check = request.param
    for needed in (name, "torch", "matplotlib", "sklearn", "click"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"needs {needed}")
    messages = defaultdict(lambda: defaultdict(list))
    for file, line, message in check(files):
        messages[file][line].append(message)
    return messages


def wrong_lines(code: str) -> set[int]:
    return {number for number, line in enumerate(code.splitlines(), 1) if line.endswith("# wrong")}


def test_wrong_lines_are_errors_and_right_ones_are_not(messages):
    wrong = wrong_lines(USE)
    errors = {line: said for line, said in messages["use.py"].items() if any("error" in one for one in said)}
    assert {line: said for line, said in errors.items() if line not in wrong} == {}
    assert wrong - errors.keys() == set()


def test_arrays_give_arrays_and_tensors_tensors(messages):
    for number, line in enumerate(USE.splitlines(), 1):
        if line.startswith("reveal_type"):
            (revealed,) = messages["use.py"][number]
            name = re.search(r'(?:is|" is) "([\w.]+)(.*)"$', revealed)
            wanted, _, bits = line.partition("# ")[2].partition("[")
            assert (name[1].rpartition(".")[2], bits[:-1] in name[2]) == (wanted, True), f"line {number}: {revealed}"


def test_types_and_errors_are_those_of_a_run():
    """Each line of the user's file is run: what is revealed comes out, and what is wrong is refused."""
    pytest.importorskip("torch")
    lines, namespace = USE.splitlines(), {"__name__": "use"}
    for statement in ast.parse(USE).body:
        code, line = ast.unparse(statement), lines[statement.lineno - 1]
        if code.startswith(("slopes.show", "slopes.compare", "slopes.audit(squashed")):
            continue  # they take time
        if line.startswith("reveal_type"):
            value = eval(code.removeprefix("reveal_type"), namespace)
            name = {"floating": "float64", "floating[_32Bit]": "float32"}.get(wanted := line.partition("# ")[2], wanted)
            assert type(value).__name__ == name, line
        elif line.endswith("# wrong"):
            decorated = "(lambda x: x)" if code.startswith(("slopes.loss", "slopes.activation")) else ""
            with pytest.raises((TypeError, ValueError, AttributeError)):
                exec(code + decorated, namespace)
        else:
            exec(code, namespace)


def test_readme_and_examples_are_clean(messages):
    assert {file: dict(lines) for file, lines in messages.items() if file != "use.py"} == {}


def test_without_torch_arrays_still_give_arrays(tmp_path):
    pytest.importorskip("basedpyright")
    packages = tmp_path / "bare" / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "numpy").symlink_to(pathlib.Path(np.__file__).parent)
    use = """
import numpy as np
import torch  # wrong
import slopes
a = np.ones(2)
reveal_type(slopes.gelu(a))  # ndarray
reveal_type(slopes.gelu([1.0]))  # ndarray
reveal_type(slopes.gelu(1.0))  # float64
reveal_type(slopes.elu.slope(a, alpha=2.0))  # ndarray
reveal_type(slopes.mse(a, a))  # floating
reveal_type(slopes.huber.value_and_slope(a, [1.0, 2.0], delta=2.0)[1])  # ndarray
slopes.mse(a)  # wrong
slopes.mse(a, a, reduction="avg")  # wrong
slopes.elu(a, alhpa=2.0)  # wrong
slopes.elu.slope(a, alhpa=2.0)  # wrong
"""
    (tmp_path / "use.py").write_text(use)
    said = check_by_pyright(tmp_path, venvPath=str(tmp_path), venv="bare")
    assert {line for _, line, message in said if message.startswith("error")} == wrong_lines(use)
    revealed = {line: message for _, line, message in said if message.startswith("information")}
    for number, line in enumerate(use.splitlines(), 1):
        if line.startswith("reveal_type"):
            assert f'is "{line.partition("# ")[2]}' in revealed[number]


def test_the_stub_is_what_its_generator_writes():
    source = importlib.util.spec_from_file_location("make_stub", ROOT / "tools" / "make_stub.py")
    make_stub = importlib.util.module_from_spec(source)
    source.loader.exec_module(make_stub)
    names = make_stub.INIT.read_text()
    assert names == make_stub.renew_names(names), "run `make docs`"
    stub = make_stub.STUB.read_text()
    assert stub == make_stub.renew(stub), "run `make docs`"
    pytest.importorskip("torch")
    modules = make_stub.MODULES.read_text()
    assert modules == make_stub.renew_modules(modules), "run `make docs`"
