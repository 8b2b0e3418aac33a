"""What is loaded when: nothing before it is used, and NumPy alone is enough for NumPy."""

import ast
import pathlib
import re
import subprocess
import sys
import tomllib

import pytest

import slopes

OPTIONAL = ("torch", "mpmath", "sympy", "numba", "matplotlib", "sklearn", "click", "rich", "jinja2")


def run(script: str, *, absent: bool = False) -> str:
    """Run a script in a fresh process, if wished with every optional package made absent."""
    block = f"import sys; sys.modules.update(dict.fromkeys({OPTIONAL!r}))\n" if absent else ""
    outcome = subprocess.run([sys.executable, "-c", block + script], capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr
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


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("slopes.exact(slopes.relu)", "slopes.exact needs mpmath: pip install 'slopes[audit]'"),
        ("slopes.audit(slopes.relu)", "slopes.audit needs mpmath and torch: pip install 'slopes[torch,audit]'"),
        ("slopes.compare()", "slopes.compare needs torch and sklearn and jinja2 and rich: pip install 'slopes[lab]'"),
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
    called = {"sklearn": "scikit-learn", "PIL": "matplotlib"}  # which brings it
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
    assert named | {"__version__"} == {*slopes.__all__, "nn", "diagnose", "Watcher"}
    assert all(getattr(slopes, name) is not None for name in slopes.__all__)
    assert dir(slopes) == sorted([*slopes.__all__, "nn", "diagnose", "Watcher"])


def test_modules_are_an_attribute_that_loads_torch_when_used():
    script = "import slopes; from slopes import *\ntry: slopes.nn.ReLU\nexcept ImportError as error: print(error)"
    assert "slopes.nn needs torch: pip install 'slopes[torch]'" in run(script, absent=True)
    pytest.importorskip("torch")
    out = run("import slopes, sys; before = 'torch' in sys.modules; print(before, slopes.nn.ReLU())")
    assert out.split() == ["False", "ReLU()"]


def test_arrows_point_downwards():
    """ops knows nothing of cards, cards nothing of checks, plots or training."""
    home = pathlib.Path(slopes.__file__).parent

    def folder(name, allowed):
        return {str(path.relative_to(home)): allowed | {name} for path in (home / name).glob("*.py")}

    below = {
        "ops.py": set(),
        "domains.py": set(),
        **folder("kinds", {"ops", "domains"}),
        "facts.py": {"domains"},
        "description.py": {"domains", "kinds"},
        "card.py": {"ops", "description", "domains", "extras", "facts", "kinds", "readings"},
        **folder("truth", {"card", "domains", "extras", "kernels", "kinds", "loading", "readings"}),
        **folder("accuracy", {"__version__", "card", "catalogue", "extras", "loading", "truth"}),
    }
    for name, allowed in below.items():
        for node in ast.walk(ast.parse((home / name).read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("slopes"):
                parts = [node.module.partition(".")[2].partition(".")[0]] if "." in node.module else []
                used = set(parts or [alias.name for alias in node.names])
                assert used <= allowed | {"readings"}, f"{name} imports {used}"


def test_readings_define_every_primitive():
    import importlib
    import inspect

    from slopes import ops

    composed = {
        "reading",
        "kernels_of",
        "type_and_remedy",
        "clip",
        "step",
        "softmax_pulled",
        "eye",
        "nonzero",
        "share",
        "scaled",
        "inverse",
        "steady",
    }
    primitives = {n for n, f in vars(ops).items() if inspect.isfunction(f) and not n.startswith("_")} - composed
    for reading, package in (("numpy", "numpy"), ("torch", "torch"), ("exact", "mpmath"), ("symbol", "sympy")):
        pytest.importorskip(package)
        module = importlib.import_module(f"slopes.readings.{reading}")
        assert primitives <= set(vars(module)), reading


def test_no_code_knows_a_kind_or_space_by_its_name():
    """Outside `kinds`, code asks for properties: it neither compares with names nor keeps tables by them."""
    from slopes.kinds import KINDS, SPACES

    tasks = {"classification", "binary", "regression", "count", "segmentation"}  # of `slopes.compare`
    names = {*KINDS, *SPACES, *tasks, "log_probabilities"} - {"multilabel"}  # which is a `mode` of a call, too
    elsewhere = {"auditing/own_data.py": "logits", "cli.py": "count", "comparing/report/page.py": "ranking"}
    home = pathlib.Path(slopes.__file__).parent
    for source in set(home.rglob("*.py")) - set((home / "kinds").glob("*.py")):
        place = str(source.relative_to(home))
        for node in ast.walk(ast.parse(source.read_text())):
            used = words_asked_for(node) & names - {elsewhere.get(place)}  # the word means something else there
            assert not used, f"{place}:{node.lineno} asks for {used}"


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
