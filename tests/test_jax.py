"""Every card on arrays of JAX, in float32 without float64: values, derivatives, transforms; `make test-jax` installs JAX."""

import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

os.environ.setdefault("JAX_PLATFORMS", "cpu")  # before JAX is loaded
jax = pytest.importorskip("jax")
pytest.importorskip("flint")

import jax.numpy as jnp  # noqa: E402

import slopes  # noqa: E402
from helpers import is_map, unreduced  # noqa: E402
from slopes.card import Loss  # noqa: E402
from slopes.truth import measuring  # noqa: E402
from slopes.truth.grid import variants  # noqa: E402

pytestmark = pytest.mark.jax


def sample(card, shape=(2, 3), seed=0):
    """Arguments of a card as arrays of NumPy in float64, away from kinks."""
    rng = np.random.default_rng(seed)
    if isinstance(card, Loss):
        pixels = (5,) if "overlap" in card.kind.name else ()
        return [np.asarray(x) for x in card.kind.examples(card.settings).sample(rng, (*shape[:-1], *pixels, shape[-1]))]
    shape = (*shape[:-1], card.parts * shape[-1])
    return [rng.uniform(0.2, 2, shape) * rng.choice([-1, 1], shape)]


def in_single(arguments):
    """The arguments rounded to float32, for JAX and, with the same numbers, in float64 for NumPy."""
    rounded = [x.astype(np.float32) if x.dtype.kind == "f" else x for x in arguments]
    return [jnp.asarray(x) for x in rounded], [x.astype(np.float64) if x.dtype.kind == "f" else x for x in rounded]


def weighing(card, value):
    """Factors of the values in a sum whose gradient is no 0: a row of softmax sums to 1, so maps have random ones."""
    return np.random.default_rng(9).standard_normal(value.shape) if is_map(card) else np.ones(value.shape)


def gradient_by_numpy(card, arguments):
    if is_map(card):
        return card.vjp(*arguments, weighing(card, card(*arguments)))
    return card.slope(*arguments, **({"reduction": "none"} if isinstance(card, Loss) else {}))


def assert_near(came, wanted, units=200):
    """Within units of float32 of the largest entry."""
    wanted = np.asarray(wanted, np.float64)
    np.testing.assert_allclose(np.asarray(came), wanted, rtol=0, atol=units * 2.0**-24 * (abs(wanted).max() + 1e-3))


# ----------------------------------------------------------------------------------------- accuracy


def figures(card, form, **options):
    """Errors of JAX over the grid of a format; a number that a CPU flushes to 0 is no error."""
    found = measuring.measure_on_jax(card, form, **options)
    assert all(isinstance(figure, measuring.Figure) for figure in found), found
    assert {figure.result for figure in found} == {"value", "slope"}
    return found


#: units of cards that lose more than they claim: a vjp where entries of a row nearly cancel; JAX's log1p, squared
WIDER = {"lovasz_softmax": 20.0, "msle": 5.0}


def test_float32_is_within_its_claim(card):
    most = WIDER.get(card.name, slopes.truth.errors.ULPS if card.claims.ulps is None else card.claims.ulps)
    for figure in figures(card, "float32"):
        assert figure.worst <= most, figure
        assert not figure.lost, figure


@pytest.mark.parametrize("form", ["bfloat16", "float16"])
@pytest.mark.sampled(every=3)
def test_half_types_are_rounded_once(activation, form):
    for figure in figures(activation, form):
        assert figure.worst <= 0.51 or is_map(activation), figure
        assert not figure.lost


SETTINGS = [
    (name, settings)
    for name in ("silu", "softplus", "elu", "snake", "hard_sigmoid", "huber", "pinball")
    for settings in variants(getattr(slopes, name))[:2]
]


@pytest.mark.parametrize(("name", "settings"), SETTINGS, ids=lambda value: str(value))
def test_parameters_keep_their_digits(name, settings):
    settings = {key: float(np.float32(value)) if isinstance(value, float) else value for key, value in settings.items()}
    for figure in figures(getattr(slopes, name).with_(**settings), "float32", thin=True):
        assert figure.worst <= 8, figure


def test_a_parameter_of_float64_is_not_rounded_first():
    x = np.float32(np.linspace(-5, 5, 1001))
    came = slopes.celu(jnp.asarray(x), alpha=0.7)
    exact = slopes.celu(x.astype(np.float64), alpha=0.7)
    assert slopes.truth.errors.ulps(came, exact, np.float32).max() <= 4


# --------------------------------------------------------------------------------------- transforms


def test_transforms_in_float32(card):
    """jit, grad, vmap and jvp, with no number of float64 in the program."""
    arrays, wide = in_single(sample(card))
    first, *rest = arrays
    function = lambda x: unreduced(card)(x, *rest)  # noqa: E731
    value, gradient = unreduced(card)(*wide), gradient_by_numpy(card, wide)
    factors = jnp.asarray(weighing(card, value), jnp.float32)
    total = lambda x: (factors * function(x)).sum()  # noqa: E731
    came = function(first)
    assert isinstance(came, jax.Array)
    assert came.dtype == first.dtype == jnp.float32
    assert_near(came, value)
    assert_near(jax.jit(unreduced(card))(*arrays), value)
    assert_near(jax.grad(total)(first), gradient)
    tangent = np.float32(np.random.default_rng(1).standard_normal(first.shape))
    _, pushed = jax.jvp(total, (first,), (jnp.asarray(tangent),))
    size = abs(tangent * gradient).sum() + 1e-3
    assert abs(float(pushed) - (tangent * gradient).sum()) <= 200 * 2.0**-24 * size
    assert "f64" not in str(jax.make_jaxpr(jax.grad(total))(first))
    if not (isinstance(card, Loss) and card.kind.batched):
        assert_near(jax.vmap(unreduced(card))(*arrays), value)
        total_of = lambda factors, x, *rest: (factors * unreduced(card)(x, *rest)).sum()  # noqa: E731
        assert_near(jax.vmap(jax.grad(total_of, argnums=1))(factors, *arrays), gradient)


@pytest.mark.parametrize("order", ["forward over forward", "forward over reverse", "reverse over reverse"])
@pytest.mark.sampled(every=3)
def test_second_derivatives_of_every_composition(card, order):
    """In float64, against differences of the gradient by NumPy."""
    outer, inner = {
        "forward over forward": (jax.jacfwd, jax.jacfwd),
        "forward over reverse": (jax.jacfwd, jax.grad),
        "reverse over reverse": (jax.jacrev, jax.grad),
    }[order]
    arguments = sample(card)
    with jax.enable_x64(True):
        first, *rest = map(jnp.asarray, arguments)
        factors = weighing(card, unreduced(card)(*arguments))
        total = lambda x: (factors * unreduced(card)(x, *rest)).sum()  # noqa: E731
        came = np.asarray(jax.jit(outer(inner(total)))(first)).reshape(first.size, first.size)
        assert came.dtype == np.float64
    step = 1e-5
    for place in range(first.size):
        move = np.zeros(first.size)
        move[place] = step
        ends = [
            gradient_by_numpy(card, [arguments[0] + side * move.reshape(first.shape), *arguments[1:]])
            for side in (1, -1)
        ]
        difference = (ends[0] - ends[1]).ravel() / (2 * step)
        np.testing.assert_allclose(came[:, place], difference, rtol=1e-5, atol=1e-6 * (1 + abs(came).max()))


@pytest.mark.sampled(1, every=5)
def test_float64_where_it_is_enabled(card):
    arguments = sample(card)
    with jax.enable_x64(True):
        first, *rest = map(jnp.asarray, arguments)
        came = unreduced(card)(first, *rest)
        gradient = jax.grad(lambda x: (weighing(card, came) * unreduced(card)(x, *rest)).sum())(first)
    assert came.dtype == gradient.dtype == np.float64
    np.testing.assert_allclose(came, unreduced(card)(*arguments), rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(gradient, gradient_by_numpy(card, arguments), rtol=1e-12, atol=1e-13)


def test_second_derivatives_in_tails():
    """JAX's own is 0 there."""
    x = jnp.float32(18.0)
    second = jax.grad(jax.grad(slopes.softplus))(x)
    assert float(second) == pytest.approx(np.exp(-18.0), rel=1e-5)
    assert float(jax.grad(jax.grad(slopes.sigmoid))(jnp.float32(1e-4))) == pytest.approx(-1e-4 / 8, rel=1e-4)


@pytest.mark.parametrize("name", ["huber", "cross_entropy", "kl_div"])
def test_gradients_flow_to_targets_weights_and_parameters(name):
    card = getattr(slopes, name)
    arguments = sample(card)
    if name == "cross_entropy":
        arguments[1] = slopes.softmax(np.random.default_rng(3).standard_normal(arguments[0].shape))
    with jax.enable_x64(True):
        first, target = map(jnp.asarray, arguments)
        weight = jnp.asarray(np.random.default_rng(2).uniform(0.5, 1, unreduced(card)(first, target).shape))
        call = lambda target, weight: card(first, target, weight=weight)  # noqa: E731
        came = jax.grad(call, argnums=(0, 1))(target, weight)
        for place, gradient in enumerate(came):
            given = [np.asarray(target), np.asarray(weight)]
            direction = np.random.default_rng(4).standard_normal(given[place].shape)
            direction -= direction.mean(-1, keepdims=True) if not place and name != "huber" else 0.0
            ends = []
            for side in (1e-6, -1e-6):
                moved = list(given)
                moved[place] = given[place] + side * direction
                ends.append(card(arguments[0], moved[0], weight=moved[1]))
            assert float((gradient * direction).sum()) == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5, abs=1e-8)
        slope = jax.grad(lambda alpha: slopes.elu(first, alpha=alpha).sum())(jnp.asarray(0.5))
        expected = (slopes.elu(arguments[0], alpha=1.0) - slopes.elu(arguments[0], alpha=0.5)).sum() / 0.5
        assert float(slope) == pytest.approx(expected, rel=1e-10, abs=1e-12)


# ------------------------------------------------------------------------------- arguments and rules


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.sampled(every=4)
def test_masks_weights_and_reductions(loss, reduction):
    arrays, wide = in_single(sample(loss))
    shape = wide[0].shape[:-1] if loss.kind.has_regions else unreduced(loss)(*wide).shape
    rng = np.random.default_rng(5)
    mask, weight = rng.random(shape) < 0.6, np.float32(rng.uniform(0.5, 2, shape))
    mask.flat[0] = True
    options = {"reduction": reduction}
    wanted = loss(*wide, mask=mask, weight=weight.astype(float), **options)
    assert_near(loss(*arrays, mask=jnp.asarray(mask), weight=jnp.asarray(weight), **options), wanted)
    assert_near(loss.value_and_slope(*arrays, mask=mask, weight=weight, **options)[1], loss.slope(*wide, mask=mask, weight=weight.astype(float), **options))  # fmt: skip


def test_masked_entries_are_not_read_under_jit():
    x = jnp.asarray([1.0, jnp.nan, 3.0])
    mask = jnp.asarray([True, False, True])
    loss, gradient = jax.jit(jax.value_and_grad(lambda x, mask: slopes.huber(x, jnp.zeros(3), mask=mask)))(x, mask)
    assert float(loss) == 1.5
    assert gradient.tolist() == [0.5, 0.0, 0.5]
    empty = jax.jit(jax.value_and_grad(lambda x: slopes.huber(x, jnp.zeros(3), mask=jnp.zeros(3, bool))))(x)
    assert (float(empty[0]), empty[1].tolist()) == (0.0, [0.0, 0.0, 0.0])


def test_classification_takes_its_options():
    rng = np.random.default_rng(6)
    logits, labels = np.float32(rng.standard_normal((4, 5))), np.array([0, 4, -100, 2])
    options = {"label_smoothing": 0.1, "ignore_index": -100, "class_weight": np.float32(rng.uniform(0.5, 2, 5))}
    came = jax.jit(lambda z: slopes.cross_entropy(z, jnp.asarray(labels), **options))(jnp.asarray(logits))
    assert_near(came, slopes.cross_entropy(logits.astype(float), labels, **options))
    columns = slopes.cross_entropy(jnp.asarray(logits.T), labels, axis=0, **options)
    assert_near(columns, came)


def test_sums_of_losses():
    loss = slopes.mse + 0.5 * slopes.huber
    x, y = jnp.asarray([1.0, 2.0, 5.0]), jnp.zeros(3)
    total, terms = jax.jit(lambda x: loss(x, y, terms=True))(x)
    assert float(total) == pytest.approx(float(terms["mse"] + 0.5 * terms["huber"]))
    assert_near(jax.grad(loss)(x, y), loss.slope(np.asarray(x, float), np.zeros(3)))


def test_maps_take_a_mask_and_an_axis():
    x = np.float32(np.random.default_rng(7).standard_normal((3, 4)))
    mask = x < 1
    came = jax.jit(lambda x: slopes.softmax(x, axis=0, mask=jnp.asarray(mask)))(jnp.asarray(x))
    assert_near(came, slopes.softmax(x.astype(float), axis=0, mask=mask))


def test_noise_is_drawn_by_a_key():
    x, key = jnp.full((1000,), -1.0), jax.random.key(0)
    drawn = slopes.rrelu(x, generator=key)
    assert (drawn == slopes.rrelu(x, generator=key)).all()
    assert -1 / 3 <= drawn.min() < drawn.max() <= -1 / 8
    rows = jax.jit(lambda x: slopes.gumbel_softmax(x, generator=key))(x)
    assert float(rows.sum()) == pytest.approx(1, abs=1e-5)
    with pytest.raises(TypeError, match=r"^rrelu: generator must be a key here, by jax\.random\.key, got int"):
        slopes.rrelu(x, generator=3)


def test_integers_and_numpy_beside():
    assert slopes.gelu(jnp.arange(3)).dtype == jnp.float32
    came = slopes.mse(jnp.asarray([1.0, 2.0]), np.array([0.0, 0.0]))
    assert isinstance(came, jax.Array)
    assert float(came) == 2.5


class Tensor:
    """An object that is neither a number nor an array."""


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: slopes.mse(x, Tensor()), "mse: target must be a JAX array here, as the other arguments are, got Tensor; jax.numpy.asarray(target) is an array"),
        (lambda x: slopes.relu(x, out=np.zeros(3)), "relu: out is for NumPy arrays; an array of JAX cannot be written to"),
        (lambda x: slopes.mse(x, x[:2]), "mse: prediction (3,) and target (2,) must have one shape"),
        (lambda x: slopes.elu(x, alpha=1e-300), "elu: alpha must be a number of float32, in which this array is computed: 1e-300 is 0 there"),
        (lambda x: slopes.binary_cross_entropy(x, x), "binary_cross_entropy: target must be probabilities in [0, 1], got 2.0"),
        (lambda x: slopes.relu(x * 1j), "relu: x must hold real numbers, got dtype complex64"),
    ],
)  # fmt: skip
def test_refusals(call, message):
    with pytest.raises((TypeError, ValueError)) as raised:
        call(jnp.asarray([0.0, 1.0, 2.0]))
    assert str(raised.value).startswith(message)


def test_a_body_that_looks_at_a_value_is_named():
    @slopes.activation
    def branching(x):
        """Identity where the first is positive."""
        return x if x[0] > 0 else -x

    x = jnp.asarray([1.0, 2.0])
    with pytest.raises(
        TypeError,
        match=r"^branching: its body looks at a value, which JAX does not know as it traces; slopes\.ops\.where chooses by it",
    ):
        jax.jit(branching)(x)


def test_calls_are_compiled_once():
    from slopes.readings import jax as reading

    x = jnp.linspace(-1, 1, 5)
    slopes.elu(x, alpha=0.3)
    before = reading._attached_and_compiled.cache_info()
    slopes.elu(x, alpha=0.3), slopes.glu(jnp.ones(4)), slopes.glu(jnp.ones(4))
    after = reading._attached_and_compiled.cache_info()
    assert after.hits - before.hits >= 2
    assert after.misses - before.misses <= 1


def test_computing_with_numpy_loads_no_jax():
    script = (
        "import sys, numpy, slopes; slopes.gelu(numpy.ones(3)); slopes.mse([1.0], [2.0]); print('jax' in sys.modules)"
    )
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert outcome.stdout.strip() == "False"


def test_several_devices():
    """Under pmap, and jit of a sharded batch, in a process of its own: JAX reads the number of devices as it starts."""
    here = pathlib.Path(__file__).parent
    settings = {
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        "PYTHONPATH": os.pathsep.join([*sys.path, str(here)]),
    }
    command = [sys.executable, here / "jax_devices.py"]
    outcome = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
    assert len(outcome.stdout.split()) >= 10


def test_the_code_of_the_page_runs(capsys):
    page = (pathlib.Path(__file__).parents[1] / "docs" / "jax.md").read_text()
    (code,) = re.findall(r"^```python\n(.*?)^```", page, flags=re.M | re.S)
    exec(code, {})
    assert capsys.readouterr().out.splitlines()[0] == "float32"


# -------------------------------------------------------------------------------------------- pairs


def test_pairs_keep_their_digits_when_compiled():
    """Each operation, on numbers of all sizes, in a program whose products may be fused with sums."""
    from slopes.readings import pairs

    rng = np.random.default_rng(8)
    a, b = (np.float32(rng.uniform(0.5, 2, 4000) * 2.0 ** rng.integers(-20, 20, 4000)) for _ in range(2))
    low = np.float32(a * rng.uniform(-1, 1, a.size) * 2.0**-25)

    def at(function, *arrays):
        result = jax.jit(lambda *x: (lambda y: (y.high, y.low))(function(pairs.Pair(x[0], x[1]), *x[2:])))(*arrays)
        return np.asarray(result[0], float) + np.asarray(result[1], float)

    x = a.astype(float) + low
    small = np.float32(rng.uniform(-20, 20, 4000))
    small_low = np.float32(small * 2.0**-26)
    y = small.astype(float) + small_low
    for function, came, exact, bits in (
        ("+", at(lambda x, b: x + b, a, low, b), x + b, 44),
        ("-", at(lambda x, b: b - x, a, low, b), b - x, 20),
        ("*", at(lambda x, b: x * b, a, low, b), x * b, 44),
        ("1-", at(lambda x: 1 - x, a, low), 1 - x, 20),
        ("1+", at(lambda x: 1 + x, a, low), 1 + x, 44),
        ("*3.3", at(lambda x: x * 3.3, a, low), x * 3.3, 44),
        ("/", at(lambda x, b: x / b, a, low, b), x / b, 44),
        ("1/", at(lambda x: 1 / x, a, low), 1 / x, 44),
        ("sqrt", at(pairs.sqrt, a, low), np.sqrt(x), 44),
        ("log", at(pairs.log, a, low), np.log(x), 28),
        ("log1p", at(pairs.log1p, a, low), np.log1p(x), 30),
        ("exp", at(pairs.exp, small, small_low), np.exp(y), 30),
        ("expm1", at(pairs.expm1, small, small_low), np.expm1(y), 29),
        ("tanh", at(pairs.tanh, small, small_low), np.tanh(y), 30),
        ("sin", at(pairs.sin, small, small_low), np.sin(y), 28),
        ("cos", at(pairs.cos, small, small_low), np.cos(y), 28),
    ):  # fmt: skip
        error = abs(came - exact) / (abs(exact) + (1e-3 if bits < 30 else 0))
        assert error.max() <= 2.0**-bits, (function, np.log2(error.max()))


def test_slopes_of_pairs_are_those_of_their_functions():
    from slopes.readings import pairs

    x = jnp.linspace(0.1, 2, 7)
    for name, slope in (
        ("exp", np.exp), ("expm1", np.exp), ("log", lambda x: 1 / x), ("log1p", lambda x: 1 / (1 + x)),
        ("tanh", lambda x: 1 / np.cosh(x) ** 2), ("sin", np.cos), ("cos", lambda x: -np.sin(x)),
        ("sqrt", lambda x: 0.5 / np.sqrt(x)),
    ):  # fmt: skip
        function = lambda x, name=name: getattr(pairs, name)(3.3 * pairs.pair(x) / 2).high.sum()  # noqa: E731
        inner = 1.65 * np.asarray(x, float)
        np.testing.assert_allclose(jax.grad(function)(x), 1.65 * slope(inner), rtol=2e-6, err_msg=name)


def test_a_compiler_does_not_undo_a_sum():
    """XLA takes (1 + x) − 1 for x, so that the rounding error of 1 + x would be 0."""

    from slopes.readings import pairs

    def parts(x):
        total = pairs.pair(1.0) + x
        return total.high, total.low

    assert jax.jit(parts)(jnp.float32(1e-10)) == (1, np.float32(1e-10))


def test_parameters_of_half_types():
    x = jnp.linspace(-3, -0.5, 50).astype(jnp.float16)
    number = jnp.float16(1.3)
    for card, parameter in ((slopes.snake, "alpha"), (slopes.sine, "omega")):
        due = card(x, **{parameter: float(number)})
        np.testing.assert_allclose(card(x, **{parameter: number[None]}), due, rtol=2e-3)
        np.testing.assert_allclose(card(x, **{parameter: number}), due, rtol=2e-3)


@pytest.mark.sampled(every=4)
def test_a_weight_of_0_hides_junk_within_jit(loss):
    arrays = in_single(sample(loss, (4, 3)))[0]
    shape = arrays[0].shape[:-1] if loss.kind.has_regions else unreduced(loss)(*arrays).shape
    weight = jnp.ones(shape).at[1].set(0)
    compute = jax.jit(jax.value_and_grad(lambda first, weight, *rest: loss(first, *rest, weight=weight), (0, 1)))
    due = compute(arrays[0], weight, *arrays[1:])
    for junk in (np.nan, np.inf, -5.0):
        first, *rest = (x.at[1].set(-100 if x.dtype.kind == "i" else junk) for x in arrays)
        value, (gradient, by_weight) = compute(first, weight, *rest)
        assert_near(value, due[0])
        assert_near(gradient, due[1][0])
        assert_near(by_weight[weight != 0], due[1][1][weight != 0])
        assert jnp.isfinite(by_weight).all()


@pytest.mark.parametrize("name", ["info_nce", "supcon", "circle"])
def test_a_vector_of_weight_0_is_not_there_within_jit(name):
    rng = np.random.default_rng(0)
    x, labels = jnp.asarray(rng.standard_normal((6, 5))), jnp.asarray([0, 0, 1, 1, 2, 2])
    weight = jnp.asarray([1.0, 1, 1, 1, 1, 0])

    def compute(x, weight):
        return getattr(slopes, name)(x, labels, weight=weight)

    due = compute(x, weight)
    for given in (x, x.at[5].set(jnp.nan)):
        np.testing.assert_allclose(jax.jit(compute)(given, weight), due, rtol=1e-5)
        value, gradient = jax.value_and_grad(compute, 1)(given, weight)
        np.testing.assert_allclose(value, due, rtol=1e-5)
        assert gradient[5] == 0
