"""The audit of functions of JAX and Keras, which `make test-packages` installs."""

import ast
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("flint")

import slopes  # noqa: E402
from helpers import mark_exhaustive  # noqa: E402
from slopes.auditing.adapters import to_torch  # noqa: E402
from slopes.auditing.frameworks import framework_of  # noqa: E402

pytestmark = pytest.mark.packages
FOLDER = pathlib.Path(__file__).parent / "audit_frameworks"
SECONDS = 1e4  #: without end, as the machine may be busy
BACKEND = os.environ.setdefault("KERAS_BACKEND", "jax")


def names_in(file):
    tree = ast.parse((FOLDER / file).read_text())
    return [
        node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name[0] != "_"
    ]


CASES = [("jax", name) for name in names_in("of_jax.py")] + [("keras", name) for name in names_in("of_keras.py")]
BUGS = [case for case in CASES if case[1].startswith("bug_")]
TWINS = [case for case in CASES if case[1].startswith("twin_")]
#: options of the audit, by a part of the name
OPTIONS = {
    "extreme_inputs_logits": {"kind": "binary", "space": "logits"},
    "twin_extreme_inputs_loss": {"kind": "binary", "space": "logits"},
    "bug_extreme_inputs_loss": {"kind": "binary", "space": "logits"},
    "score_space": {"kind": "classification", "space": "logits"},
    "direction": {"kind": "regression"},
    "connectivity": {"kind": "regression"},
}


def load(framework, name):
    pytest.importorskip(framework)
    return getattr(pytest.importorskip(f"audit_frameworks.of_{framework}"), name)


def audit(framework, name, **options):
    options = next((given for part, given in OPTIONS.items() if part in name), {}) | options
    return slopes.audit(load(framework, name), time_limit=SECONDS, **options)


@pytest.mark.parametrize(("framework", "name"), BUGS)
def test_a_bug_is_found_by_its_check(framework, name):
    report = audit(framework, name)
    found = [finding for finding in report.findings if finding.severity != "note"]
    assert [finding for finding in found if finding.check in name], str(report)
    assert all("to_torch(" in finding.reproduce for finding in found)


@pytest.mark.parametrize("case", mark_exhaustive(TWINS, every=3), ids="-".join)
def test_its_twin_is_clean(case):
    framework, name = case
    report = audit(framework, name)
    found = [finding for finding in report.findings if finding.severity != "note"]
    allowed = () if "shape_contract" in name else ("shape_contract",)  # all but one leave shapes to the caller
    assert [finding for finding in found if finding.check not in allowed] == [], str(report)
    assert "layout_and_cost" in report.skipped


@pytest.mark.parametrize("name", ["bug_direction_loss", "bug_score_space_loss", "bug_connectivity_stopped_loss"])
def test_evidence_runs_by_itself(name):
    (finding, *_) = audit("jax", name).worst_first
    home = os.pathsep.join([str(FOLDER.parent), *sys.path])
    ran = subprocess.run(
        [sys.executable, "-c", finding.reproduce],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": home},
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip()


@pytest.mark.parametrize("framework", ["jax", "keras"])
def test_the_command_line_takes_a_file(framework):
    pytest.importorskip(framework)
    ran = subprocess.run(
        [sys.executable, "-m", "slopes", "audit", str(FOLDER / f"of_{framework}.py"), "--pattern", "*direction_loss"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 1, ran.stderr
    assert "direction" in ran.stdout


# ---------------------------------------------------------------------------------------------- the adapter


def test_values_and_gradients_of_any_order_are_those_of_jax():
    jax = pytest.importorskip("jax")
    f = to_torch(lambda x, y: jax.numpy.sum(jax.numpy.sin(x) * y), "jax")
    x, y = torch.tensor([0.3, 1.7], dtype=torch.float64, requires_grad=True), torch.tensor([2.0, 3.0]).double()
    value = f(x, y)
    assert value.dtype == torch.float64
    assert value.item() == pytest.approx((x.sin() * y).sum().item(), rel=1e-15)
    (first,) = torch.autograd.grad(value, x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x, create_graph=True)
    (third,) = torch.autograd.grad(second.sum(), x)
    for came, due in ((first, x.cos() * y), (second, -x.sin() * y), (third, -x.cos() * y)):
        assert torch.allclose(came, due, rtol=1e-14)
    assert torch.autograd.gradcheck(f, (x, y.requires_grad_()))
    assert torch.autograd.gradgradcheck(f, (x, y))


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.bool]
)
def test_numbers_and_dtypes_pass_both_ways(dtype):
    jax = pytest.importorskip("jax")
    x = torch.tensor([0, 1, 3]).to(dtype)
    seen = []
    came = to_torch(lambda x: seen.append(x.dtype) or x[::-1], "jax")(x)
    assert torch.equal(came.to(dtype), x.flip(0))
    narrow = torch.int32 if dtype == torch.int64 else dtype  # as JAX has it
    assert came.dtype == narrow
    assert str(seen[0]) == str(narrow).removeprefix("torch.")
    assert not jax.config.jax_enable_x64


def test_groups_of_results_keep_their_form():
    pytest.importorskip("jax")
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    came = to_torch(lambda x: {"loss": (x * x).sum(), "parts": (x, [x.argmax(), "text"])}, "jax")(x)
    assert came["parts"][1] == [torch.tensor(1), "text"]
    came["loss"].backward()
    assert torch.equal(x.grad, torch.tensor([2.0, 4.0]))


def test_an_attribute_that_is_set_leaves_the_object_as_it_was():
    keras = pytest.importorskip("keras")
    loss = keras.losses.MeanSquaredError()
    adapted = to_torch(loss, "keras")
    assert adapted.reduction == "mean"
    adapted.reduction = "none"
    assert adapted(torch.ones(3, 2), torch.zeros(3, 2)).shape == (3,)
    assert loss.reduction == "sum_over_batch_size"
    assert adapted(torch.ones(3, 2).double(), torch.zeros(3, 2).double()).dtype == torch.float64
    assert loss.dtype == "float32"


def test_frameworks_are_told_by_the_code():
    jax = pytest.importorskip("jax")
    keras = pytest.importorskip("keras")
    of_jax = pytest.importorskip("audit_frameworks.of_jax")

    def imports_inside(x):
        import jax.numpy as jnp

        return jnp.abs(x)

    def by_a_helper(x):
        return imports_inside(x) + 1

    def of_torch(x):
        return torch.relu(x)

    def of_neither(x):
        return x * (x > 0)

    of_jaxs = (
        jax.nn.relu, jax.nn.gelu, jax.jit(of_neither), jax.vmap(of_neither), imports_inside, by_a_helper,
        of_jax.twin_direction_loss, of_jax.twin_idle_options_loss(), of_jax.twin_compiled_loss,
    )  # fmt: skip
    assert {framework_of(x) for x in of_jaxs} == {"jax"}
    assert {framework_of(x) for x in (keras.losses.Huber(), keras.losses.huber, keras.layers.LeakyReLU())} == {"keras"}
    assert {framework_of(x) for x in (of_torch, of_neither, torch.nn.ReLU(), torch.relu, np.abs)} == {"torch"}


def test_a_declared_framework_counts():
    pytest.importorskip("jax")
    report = slopes.audit(
        lambda x: x.at[..., 0].add(0.0) * (x > 0), kind="activation", framework="jax", time_limit=SECONDS
    )
    assert not report.findings, str(report)
    with pytest.raises(ValueError, match="one of 'torch', 'jax', 'keras', got 'mxnet'"):
        slopes.audit(lambda x: x, framework="mxnet")


def test_memory_that_grows_too_fast_is_reported():
    jnp = pytest.importorskip("jax.numpy")

    def triplet_loss(embeddings, others):
        far = jnp.sum((embeddings[:, None] - others[None]) ** 2, -1)
        return jnp.mean(jnp.maximum(far[:, :, None] - far[:, None, :] + 1, 0))

    report = slopes.audit(triplet_loss, kind="vectors", batch_level=True, time_limit=SECONDS)
    assert any("memory" in finding.message for finding in report.findings), str(report)


def test_an_example_may_be_of_jax():
    jnp = pytest.importorskip("jax.numpy")

    def quantile_loss(prediction, target):
        error = target[:, None] - prediction
        return jnp.mean(jnp.maximum(error * jnp.array([0.1, 0.5, 0.9]), error * jnp.array([-0.9, -0.5, -0.1])))

    example = (jnp.linspace(-1, 1, 24).reshape(8, 3), jnp.linspace(0, 2, 8))
    report = slopes.audit(quantile_loss, example=example, roles=("prediction", "target"), time_limit=SECONDS)
    assert not [finding for finding in report.findings if finding.severity == "error"], str(report)


# ---------------------------------------------------------------------------------------------- libraries

JAX_ACTIVATIONS = (
    *("relu", "relu6", "sigmoid", "softplus", "sparse_plus", "soft_sign", "silu", "log_sigmoid", "leaky_relu"),
    *("hard_sigmoid", "hard_silu", "hard_tanh", "elu", "celu", "selu", "gelu", "glu", "squareplus", "mish", "softmax"),
    *("log_softmax",),
)
NUMBERS, YES_OR_NO = {"kind": "regression"}, {"kind": "binary", "space": "logits"}
OPTAX_LOSSES = {
    "l2_loss": NUMBERS, "squared_error": NUMBERS, "huber_loss": NUMBERS, "log_cosh": NUMBERS,
    "sigmoid_binary_cross_entropy": YES_OR_NO, "sigmoid_focal_loss": YES_OR_NO, "hinge_loss": {"kind": "margin"},
    "softmax_cross_entropy": {"kind": "classification", "space": "logits"},
    "softmax_cross_entropy_with_integer_labels": {"kind": "classification", "space": "logits"},
    "kl_divergence": {"kind": "distribution", "space": "log_probabilities"}, "cosine_distance": {"kind": "vectors"},
    "convex_kl_divergence": {"kind": "distribution", "space": "log_probabilities"},
}  # fmt: skip
KERAS_ACTIVATIONS = (
    *("relu", "relu6", "sigmoid", "softplus", "softsign", "silu", "log_sigmoid", "leaky_relu", "hard_sigmoid"),
    *("hard_silu", "hard_tanh", "elu", "celu", "selu", "gelu", "glu", "mish", "softmax", "log_softmax", "tanh"),
    *("exponential", "linear", "squareplus", "soft_shrink", "hard_shrink", "tanh_shrink", "sparse_plus", "threshold"),
)
PROBABILITY = {"kind": "binary", "space": "probabilities"}
SHARES = {"kind": "distribution", "space": "probabilities"}
KERAS_LOSSES = {
    "MeanSquaredError": NUMBERS, "MeanAbsoluteError": NUMBERS, "MeanAbsolutePercentageError": NUMBERS,
    "MeanSquaredLogarithmicError": NUMBERS, "Huber": NUMBERS, "LogCosh": NUMBERS,
    "BinaryCrossentropy": PROBABILITY, "BinaryFocalCrossentropy": PROBABILITY, "Poisson": NUMBERS,
    "CategoricalCrossentropy": {"kind": "classification", "space": "probabilities"},
    "CategoricalFocalCrossentropy": {"kind": "classification", "space": "probabilities"},
    "SparseCategoricalCrossentropy": {"kind": "classification", "space": "probabilities"},
    "KLDivergence": SHARES, "Hinge": {"kind": "margin"}, "SquaredHinge": {"kind": "margin"},
    "CosineSimilarity": {"kind": "vectors"}, "Dice": {}, "Tversky": {},
}  # fmt: skip
BROADCAST = "predictions (N, 1) and targets (N,) silently give N × N losses"
#: errors that are true: by the function, checks with the reason
TRULY_WRONG = {
    "optax.losses.huber_loss": {"shape_contract": BROADCAST},
    "optax.losses.hinge_loss": {"shape_contract": BROADCAST},
    "optax.losses.sigmoid_binary_cross_entropy": {"shape_contract": BROADCAST},
    "optax.losses.sigmoid_focal_loss": {"shape_contract": BROADCAST},
    "optax.losses.cosine_distance": {"zeros_and_edges": "its epsilon is 0, so a vector of zeros gives NaN"},
}
FUNCTIONS = {
    **{f"jax.nn.{name}": {"kind": "activation"} for name in JAX_ACTIVATIONS},
    **{f"optax.losses.{name}": options for name, options in OPTAX_LOSSES.items()},
    **{f"keras.activations.{name}": {"kind": "activation"} for name in KERAS_ACTIVATIONS},
    **{f"keras.losses.{name}": options for name, options in KERAS_LOSSES.items()},
}


@pytest.mark.parametrize("function", mark_exhaustive(FUNCTIONS, start=5))
def test_no_error_on_a_correct_function(function):
    home, _, name = function.rpartition(".")
    pytest.importorskip(home.partition(".")[0])
    thing = getattr(pytest.importorskip(home), name)
    report = slopes.audit(thing, time_limit=SECONDS, **FUNCTIONS[function])
    errors = {finding.check for finding in report.findings if finding.severity == "error"}
    assert errors == TRULY_WRONG.get(function, {}).keys(), str(report)


@pytest.mark.parametrize("backend", ["torch", "numpy"])
def test_keras_is_audited_on_its_other_backends(backend):
    pytest.importorskip("keras")
    pytest.importorskip(backend)
    script = (
        "import sys, slopes; sys.path.insert(0, sys.argv[1]); from audit_frameworks import of_keras\n"
        "bug, twin = (slopes.audit(x, kind='regression') for x in (of_keras.bug_direction_loss, of_keras.twin_direction_loss))\n"
        "assert any(finding.check == 'direction' for finding in bug.findings), bug\n"
        "assert not [x for x in twin.findings if x.severity != 'note' and x.check != 'shape_contract'], twin\n"
        "found = slopes.audit(of_keras.bug_connectivity_loss(), kind='regression')\n"
        "is_found = any(finding.check == 'connectivity' for finding in found.findings)\n"
        f"assert is_found == {backend != 'numpy'}, found\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, str(FOLDER.parent)], capture_output=True, text=True,
        env={**os.environ, "KERAS_BACKEND": backend},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
