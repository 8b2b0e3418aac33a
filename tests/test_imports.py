"""What is loaded when: nothing before it is used, and NumPy alone is enough for NumPy."""

import ast
import graphlib
import pathlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator

import pytest

import slopes

OPTIONAL = (
    "torch",
    "jax",
    "flint",
    "mpmath",
    "sympy",
    "numba",
    "matplotlib",
    "sklearn",
    "click",
    "rich",
    "jinja2",
    "lightning",
    "pytorch_lightning",
    "transformers",
    "accelerate",
    "keras",
)


def run(script: str, *, absent: bool = False) -> str:
    """Run a script in a fresh process, if wished with every optional package made absent."""
    block = f"import sys; sys.modules.update(dict.fromkeys({OPTIONAL!r}))\n" if absent else ""
    outcome = subprocess.run([sys.executable, "-c", block + script], capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    return outcome.stdout


def test_importing_slopes_loads_nothing():
    loaded = run("import slopes, sys; print(*[n for n in sys.modules if '.' not in n])").split()
    assert not {"numpy", "scipy", *OPTIONAL} & set(loaded)


def test_numpy_use_loads_numpy_and_scipy_alone():
    loaded = run(
        "import slopes, sys, numpy as np; slopes.gelu(np.ones(3)); slopes.cross_entropy(np.ones((2, 3)), [0, 1]);"
        "slopes.softmax.vjp([1.0, 2.0], [1.0, 0.0]); repr(slopes.catalogue.CARDS); print(*sys.modules)"
    ).split()
    assert "scipy" in loaded
    assert not set(OPTIONAL) & set(loaded)


#: modules that judge results, the readings of exact numbers and of intervals, and objectives of boosting
APART = (
    "proving", "truth", "auditing", "accuracy", "readings.interval", "readings.curvature", "readings.corners",
    "readings.exact", "readings.parity", "boosting", "readings.tangent",
)  # fmt: skip
COMPUTING = """
import sys, numpy as np, slopes
for x in (np.ones(3), np.ones((2, 2**17), dtype=np.float32), np.ones(3, dtype=np.float16)):
    slopes.gelu.slope(x), slopes.mse(x, x), slopes.softmax(x)
slopes.cross_entropy.value_and_slope(np.ones((2, 3)), [0, 1])
"""
COMPUTING_TENSORS = """
import torch
for dtype in (torch.float32, torch.bfloat16, torch.float16):
    for size in (3, 2**17):
        x = torch.ones(size, dtype=dtype, requires_grad=True)
        (slopes.gelu(x).sum() + slopes.mse(x, x.detach()) + slopes.nn.Mish()(x).sum()).backward()
z = torch.ones(4096, 8, requires_grad=True)
slopes.cross_entropy(z, torch.zeros(4096, dtype=torch.int64)).backward()
"""


def test_computing_imports_nothing_that_judges_it():
    script = COMPUTING
    try:
        import torch  # noqa: F401
    except ImportError:
        pass
    else:
        script += COMPUTING_TENSORS
    loaded = set(run(script + "print(*sys.modules)").split())
    judging = tuple(f"slopes.{name}" for name in APART)
    assert "slopes.card" in loaded
    assert not {name for name in loaded if name.startswith(judging)} | ({"flint", "mpmath"} & loaded)


def test_everything_in_numpy_works_without_the_extras():
    out = run(
        "import slopes, numpy as np\n"
        "for card in slopes.catalogue.ACTIVATIONS.values():\n"
        "    x = np.ones((2, 4)); card.vjp(x, np.ones_like(card(x)))\n"
        "for card in slopes.catalogue.LOSSES.values():\n"
        "    card.value_and_slope(*card.kind.examples(card.settings).sample(np.random.default_rng(0), (2, 4)))\n"
        "print('fine')",
        absent=True,
    )
    assert out.strip() == "fine"


def test_every_test_is_collected_or_skipped_without_the_extras():
    out = run(
        "import os, pytest, sys\n"
        f"os.chdir({str(pathlib.Path(__file__).parent)!r})\n"
        "sys.exit(pytest.main(['--collect-only', '-qq', '-p', 'no:cacheprovider', '-p', 'no:xdist']))",
        absent=True,
    )
    assert "test_card.py" in out


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("slopes.exact(slopes.relu)", "slopes.exact needs flint and mpmath: pip install 'slopes[audit]'"),
        (
            "slopes.audit(slopes.relu)",
            "slopes.audit needs flint and mpmath and torch: pip install 'slopes[torch,audit]'",
        ),
        ("slopes.compare()", "slopes.compare needs torch and sklearn and jinja2 and rich: pip install 'slopes[lab]'"),
        (
            "slopes.integrations.lightning",
            "slopes.integrations.lightning needs lightning: pip install 'slopes[lightning]'",
        ),
        (
            "slopes.integrations.transformers",
            "slopes.integrations.transformers needs transformers and accelerate: pip install 'slopes[transformers]'",
        ),
        ("slopes.relu.tex", "a formula needs sympy: pip install 'slopes[audit]'"),
        (
            "slopes.loss('regression')(f).value_and_slope(1.0, 2.0)",
            "f has no derivative of its own: write one with @f.derivative, or take autograd's: pip install 'slopes[torch]'",
        ),
    ],
)
def test_a_missing_package_is_named_with_its_extra(script, message):
    out = run(
        "import slopes\n"
        "def f(prediction, target): return (prediction - target) ** 2\n"
        f"try:\n    {script}\nexcept ImportError as error:\n    print(error)",
        absent=True,
    )
    assert message in out


def test_extras_bring_what_is_said_of_them():
    from slopes.extras import EXTRAS

    project = tomllib.loads((pathlib.Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    brought = {
        extra: {re.match(r"[\w-]+", requirement)[0] for requirement in requirements}
        for extra, requirements in project["optional-dependencies"].items()
    }
    called = {"sklearn": "scikit-learn", "flint": "python-flint", "PIL": "matplotlib"}  # which brings it
    for extra, packages in EXTRAS.items():
        assert {called.get(package, package) for package in packages} <= brought[extra]
    assert "slopes[torch,audit]" in project["optional-dependencies"]["lab"]


def test_every_required_package_is_in_an_extra():
    from slopes.extras import EXTRAS

    known = {package for packages in EXTRAS.values() for package in packages}
    sources = pathlib.Path(slopes.__file__).parent.rglob("*.py")
    calls = [
        node
        for source in sources
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("require", "install")
    ]
    places = {"require": 1, "install": 0}
    named = {a.value for call in calls for a in call.args[places[call.func.id] :] if isinstance(a, ast.Constant)}
    assert len(named) > 9
    assert named <= known


def test_the_stub_names_what_is_exported():
    stub = ast.parse(pathlib.Path(slopes.__file__).with_suffix(".pyi").read_text())
    named = {alias.asname for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    named |= {node.target.id for node in stub.body if isinstance(node, ast.AnnAssign)}
    named |= {node.name for node in stub.body if isinstance(node, ast.FunctionDef)}
    named = {name for name in named if name and not name.startswith("_")}
    on_torch = {"ctc", "nn", "diagnose", "Watcher"}
    assert named | {"__version__"} == {*slopes.__all__, *on_torch}
    assert all(getattr(slopes, name) is not None for name in slopes.__all__)
    assert dir(slopes) == sorted([*slopes.__all__, *on_torch])


def test_modules_are_an_attribute_that_loads_torch_when_used():
    script = "import slopes; from slopes import *\ntry: slopes.nn.ReLU\nexcept ImportError as error: print(error)"
    assert "slopes.nn needs torch: pip install 'slopes[torch]'" in run(script, absent=True)
    pytest.importorskip("torch")
    out = run("import slopes, sys; before = 'torch' in sys.modules; print(before, slopes.nn.ReLU())")
    assert out.split() == ["False", "ReLU()"]


HOME = pathlib.Path(slopes.__file__).parent
MODULES = {
    ".".join(path.relative_to(HOME.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in HOME.rglob("*.py")
}
#: Imports upwards that annotations alone need: (module or folder, module) with the reason.
FOR_TYPES = {
    ("slopes.kernels", "slopes.card"): "a card hands itself to the kernels that it runs by",
    ("slopes.kinds.examples", "slopes.kinds.base"): "a kind hands itself to the examples that it has",
}


def find_imports(module: str, tree: ast.AST, for_types: bool = False) -> Iterator[tuple[str, bool]]:
    """Yield each module of slopes that a module imports, in functions too, and whether for type checkers alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "slopes":
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in MODULES else node.module, for_types
        elif isinstance(node, ast.Import):
            yield from ((alias.name, for_types) for alias in node.names if alias.name.partition(".")[0] == "slopes")
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from find_imports(module, ast.Module(node.body, []), for_types=True)
            yield from find_imports(module, ast.Module(node.orelse, []), for_types)
        else:
            yield from find_imports(module, node, for_types)


def import_graph() -> dict[str, set[str]]:
    """Return the modules that each module imports, without those that `FOR_TYPES` allows."""
    graph = {
        module: {
            name
            for name, for_types in find_imports(module, ast.parse(path.read_text()))
            if not (for_types and any(module.startswith(folder) and name == top for folder, top in FOR_TYPES))
        }
        for module, path in MODULES.items()
    }
    return {module: names - {module} for module, names in graph.items()}


def read_floors() -> list[set[str]]:
    """Return the floors of the package in docs/design.md, the uppermost first."""
    page = (pathlib.Path(__file__).parents[1] / "docs" / "design.md").read_text()
    lines = page.partition("```\nsrc/slopes/\n")[2].partition("```")[0].splitlines()
    named = [re.match(r"(?: +[\w/]+(?:\.py|/)(?= |$))+", line)[0].split() for line in lines]
    return [{name.removesuffix(".py").removesuffix("/") for name in names} for names in named]


def top_of(module: str) -> str:
    """Return the file or folder of slopes that holds a module."""
    return module.split(".")[1] if "." in module else "__init__"


def test_imports_are_found_wherever_they_stand():
    source = """
import slopes.card
if TYPE_CHECKING:
    from slopes import kinds
def f():
    from slopes.ops import exp
"""
    assert set(find_imports("m", ast.parse(source))) == {
        ("slopes.card", False), ("slopes.kinds", True), ("slopes.ops", False)
    }  # fmt: skip


def test_no_modules_import_one_another_in_a_circle():
    graphlib.TopologicalSorter(import_graph()).prepare()  # raises CycleError with the circle


def test_arrows_point_downwards():
    """A floor of docs/design.md imports from those below it alone."""
    floors = read_floors()
    height = {name: -place for place, names in enumerate(floors) for name in names}
    assert sum(map(len, floors)) == len(height)
    assert height.keys() == {
        top_of(f"slopes.{path.stem}")
        for path in HOME.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    upwards = {
        f"{module} imports {name}"
        for module, names in import_graph().items()
        for name in names
        if top_of(name) != top_of(module) and height[top_of(name)] >= height[top_of(module)]
    }
    assert not upwards


def test_readings_define_every_primitive():
    import importlib
    import inspect

    from slopes import ops

    composed = {
        "reading",
        "type_and_remedy",
        "clip",
        "step",
        "softmax_pulled",
        "eye",
        "nonzero",
        "safe_divide",
        "scaled",
        "inverse",
        "stop_gradient_if_tiny",
    }
    primitives = {n for n, f in vars(ops).items() if inspect.isfunction(f) and not n.startswith("_")} - composed
    trace = importlib.import_module("slopes.readings.trace")
    assert primitives - set(vars(trace)) == set(trace.LACKING)
    for reading, package in (
        ("numpy", "numpy"),
        ("torch", "torch"),
        ("exact", "flint"),
        ("symbol", "sympy"),
        ("jax", "jax"),
    ):
        pytest.importorskip(package)
        module = importlib.import_module(f"slopes.readings.{reading}")
        assert primitives <= set(vars(module)), reading


def test_no_code_knows_a_kind_or_space_by_its_name():
    """Outside `kinds`, code asks for properties: it neither compares with names nor keeps tables by them."""
    from slopes.kinds import KINDS, SPACES

    tasks = {"classification", "binary", "regression", "count", "segmentation"}  # of `slopes.compare`
    names = {*KINDS, *SPACES, *tasks, "log_probabilities"} - {"multilabel"}  # which is a `mode` of a call, too
    elsewhere = {
        "auditing/own_data/prediction.py": "logits", "cli.py": "count", "comparing/report/page.py": "ranking",
        "integrations/transformers.py": "logits",
    }  # fmt: skip
    home = pathlib.Path(slopes.__file__).parent
    for source in set(home.rglob("*.py")) - set((home / "kinds").glob("*.py")):
        place = str(source.relative_to(home))
        for node in ast.walk(ast.parse(source.read_text())):
            assert not compares_kinds(node), f"{place}:{node.lineno} compares kinds by their names"
            used = words_asked_for(node) & names - {elsewhere.get(place)}  # the word means something else there
            assert not used, f"{place}:{node.lineno} asks for {used}"


def compares_kinds(node):
    """Return whether a node compares the name of a kind, as in `card.kind.name == kind.name`."""
    return isinstance(node, ast.Compare) and any(
        re.search(r"\bkind\.name$|\bACTIVATION\.name$", ast.unparse(part)) for part in (node.left, *node.comparators)
    )


def words_asked_for(node):
    """Return the words that a node compares with, or looks up or keeps in a table."""
    if isinstance(node, ast.Compare):
        parts = [node.left, *node.comparators]
    elif isinstance(node, ast.Dict):
        parts = [key for key in node.keys if key]
    elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("get", "startswith", "endswith"):
        parts = node.args[:1]
    else:
        parts = [getattr(node, "slice", node.value)] if isinstance(node, (ast.Subscript, ast.MatchValue)) else []
    constants = (x.value for part in parts for x in ast.walk(part) if isinstance(x, ast.Constant))
    return {value for value in constants if isinstance(value, str)}
