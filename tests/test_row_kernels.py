"""Losses and maps of rows are computed by kernels above a size, with the results and conventions of the plain way."""

import itertools
import sys

import numpy as np
import pytest

import slopes
from helpers import mark_exhaustive, require_kernels
from slopes import kernels, ops
from slopes.card import Map
from slopes.catalogue import CARDS
from slopes.fast import arrays
from slopes.kernels import compiling, programs
from slopes.kernels.printing.special_entries import split_special_entries
from slopes.kernels.rows import RowKernel
from slopes.readings import numpy as numpy_reading
from slopes.readings.program import evaluate
from test_trace import CASES, rows_of

require_kernels()
torch = pytest.importorskip("torch")

from slopes.fast import rows as fast_rows  # noqa: E402

ROWS, CLASSES = 64, 300
LOSSES = ("cross_entropy", "poly1", "softmax_focal", "nll", "categorical_cross_entropy", "multiclass_hinge")


@pytest.fixture
def used(monkeypatch):
    """The outputs of the kernels that run, in their order."""
    outputs = []
    run = RowKernel.run

    def record(kernel, arrays):
        outputs.append(tuple(name for name, _ in kernel.program.outputs))
        run(kernel, arrays)

    monkeypatch.setattr(RowKernel, "run", record)
    return outputs


def plainly(function, *arguments):
    """Return the result of a function for which nothing is large."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast_rows, "LARGE", sys.maxsize)
        patch.setattr(fast_rows, "FEWEST", sys.maxsize)
        patch.setattr(arrays, "LARGE", sys.maxsize)
        return function(*arguments)


def predictions(name, seed=0, shape=(ROWS, CLASSES)):
    """Rows that the loss of a name takes."""
    space = CARDS[name].kind.spaces(CARDS[name].settings)[0]
    return torch.from_numpy(space.draw(np.random.default_rng(seed), shape))


def gradient_of(function, x, incoming=None):
    """Return (the value, the gradient by x)."""
    x = x.detach().clone().requires_grad_()
    value = function(x)
    value.backward(torch.ones_like(value) if incoming is None else incoming)
    return value.detach(), x.grad


LABELS = torch.arange(ROWS) * 37 % CLASSES
WEIGHT = torch.linspace(0, 2, ROWS, dtype=torch.float64)
OPTIONS = {
    "plain": {},
    "sum": {"reduction": "sum"},
    "none": {"reduction": "none"},
    "weight": {"weight": WEIGHT},
    "mask": {"mask": torch.arange(ROWS) % 3 > 0},
    "mask of values": {"mask": torch.arange(ROWS) % 3 > 0, "reduction": "none"},
    "ignored": {"ignore_index": 37},
    "smoothing": {"label_smoothing": 0.1},
    "class weights": {"class_weight": torch.linspace(0, 1, CLASSES, dtype=torch.float64)},
    "divisor": {"divisor": 7.0},
    "all at once": {
        "weight": WEIGHT, "mask": torch.arange(ROWS) % 3 > 0, "ignore_index": 37, "label_smoothing": 0.1,
        "class_weight": torch.linspace(0, 1, CLASSES, dtype=torch.float64),
    },
}  # fmt: skip


# ------------------------------------------------------------------------------------------ the program


@pytest.mark.parametrize(("chosen", "labels"), CASES, ids=[f"{c.name}-{labels}" for c, labels in CASES])
@pytest.mark.parametrize("places", ["any", "largest"])
def test_special_entries_change_no_result(chosen, labels, places):
    arguments = rows_of(chosen, labels)
    if places == "largest":
        if not labels:
            pytest.skip("there are no labels")
        arguments[1] = arguments[0].argmax(-1)
    if not isinstance(chosen, Map):
        arguments.append(np.linspace(0.1, 1, 7))
    program = kernels.program(chosen, "value", "vjp", labels=labels)
    given = dict(zip(program.inputs, arguments, strict=True))
    expected, results = evaluate(program, **given), evaluate(split_special_entries(program), **given)
    for name, exact in expected.items():
        result, exact = np.broadcast_arrays(results[name], exact)
        np.testing.assert_allclose(result, exact, rtol=1e-14, atol=1e-16 * np.abs(exact).max())


def test_entries_that_are_special_together_are_found():
    @slopes.loss("classification")
    def certain(prediction, target):
        right = ops.one_hot(target, like=prediction)
        return ops.sum(ops.where((right == 1) & (ops.top(prediction) == 1), 5.0, prediction))[..., 0]

    rows = np.random.default_rng(0).standard_normal((9, 4))
    for labels in (rows.argmax(-1), rows.argmin(-1)):
        result = kernels.compute(certain, "value", rows, labels)
        np.testing.assert_allclose(result, certain(rows, labels, reduction="none"), rtol=1e-14)


@pytest.mark.parametrize("name", ["cross_entropy", "poly1"])
def test_an_exponential_is_computed_once(name):
    text = kernels.source(CARDS[name], "value", "vjp", labels=True)
    body = text.partition("@njit")[2].rpartition("@njit")[0]  # the loops
    assert body.count("exp(") + body.count("exp_of_difference(") == 1
    assert body.count("for j in") == 2  # one for the sums, one for the gradient
    if name == "cross_entropy":
        assert "/" not in body.rpartition("for j in")[2]  # all entries have one factor


def test_rows_without_a_cotangent_are_not_read():
    rows, labels = np.full((3, 5), np.nan), np.arange(3)
    rows[1] = 1.0
    value, slope = kernels.compute(slopes.cross_entropy, ("value", "vjp"), rows, labels, np.array([0.0, 1.0, 0.0]))
    assert value[0] == value[2] == 0
    assert not slope[[0, 2]].any()
    assert slope[1].any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", [1, 7, 8, 13, 31, 32, 33, 100, 127, 128, 129, 255, 256, 257, 1025, 3000])
def test_the_first_largest_entry_is_found(width, dtype):
    from slopes.kernels.arithmetic.rows import place_of_largest

    rng = np.random.default_rng(width)
    rows = rng.integers(0, 4 * width, (50, width)).astype(dtype)
    rows[:3] = [[-np.inf], [np.inf], [0.0]]
    for row in rows:
        assert place_of_largest(row) == np.argmax(row)
    row = rows[3]
    row[rng.integers(0, width, width // 2)] = np.nan
    if not np.isnan(row).all():
        assert place_of_largest(row) == np.nanargmax(row)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_ranks_are_counted_or_sorted(dtype):
    from slopes.kernels.arithmetic.rows import FEW, fill_ranks

    for width in (1, 2, 7, FEW - 1, FEW, FEW + 1, 5 * FEW):
        rng = np.random.default_rng(width)
        rows = rng.integers(0, width, (20, width)).astype(dtype)
        rows[:3] = rng.standard_normal((3, width))
        rows[3, : width // 2], rows[4, width // 2 :], rows[5] = np.inf, -np.inf, 1.0
        for row, due in zip(rows, numpy_reading.ranks(rows)[1], strict=True):
            came = np.empty_like(row)
            fill_ranks(row, came)
            np.testing.assert_array_equal(came, due)


FORECASTS = {
    "ensemble": (slopes.crps_ensemble, 300),
    "fair": (slopes.crps_ensemble.with_(fair=True), 300),
    "large ensemble": (slopes.crps_ensemble, 2500),
    "middles": (slopes.multi_quantile, 300),
    "levels": (slopes.multi_quantile.with_(quantiles=(0.1, 0.25, 0.5, 0.9)), 4),
    "many levels": (slopes.multi_quantile.with_(quantiles=tuple((np.arange(2500) + 0.3) / 2500)), 2500),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", FORECASTS)
def test_forecasts_agree_with_the_plain_way(case, dtype, used):
    loss, width = FORECASTS[case]
    rng, count = np.random.default_rng(0), 20_000 // width
    rows, target = rng.standard_normal((count, width)).astype(dtype), rng.standard_normal(count).astype(dtype)
    rows[0], rows[1, 1:], target[2] = rows[0, 0], rows[1, 0], rows[2, 1]
    mask, tolerance = np.arange(count) % 3 > 0, {"rtol": 1e-12 if dtype == "float64" else 1e-6}
    for options in ({}, {"mask": mask}, {"weight": rng.uniform(0, 2, count)}, {"reduction": "none"}):
        expected = plainly(lambda: loss.value_and_slope(rows, target, **options))  # noqa: B023
        assert not used
        for came, due in zip(loss.value_and_slope(rows, target, **options), expected, strict=True):
            np.testing.assert_allclose(came, due, **tolerance, atol=1e-12 * np.abs(due).max())
        tensors = {k: torch.from_numpy(x) if isinstance(x, np.ndarray) else x for k, x in options.items()}
        came = gradient_of(lambda x: loss(x.mT, torch.from_numpy(target), axis=0, **tensors), torch.from_numpy(rows))  # noqa: B023
        for mine, due in zip(came, expected, strict=True):
            np.testing.assert_allclose(mine, due, **tolerance, atol=1e-12 * np.abs(due).max())
        assert len(used) >= 2
        used.clear()


@pytest.mark.parametrize("name", ["crps_ensemble", "multi_quantile", "cross_entropy"])
def test_kernels_of_rows_are_kept_on_disk(name, tmp_path, monkeypatch):
    """Machine code that calls more of Numba than its allocator is not, and then each process compiles anew."""
    monkeypatch.setenv("SLOPES_CACHE", str(tmp_path))
    compiling._load(kernels.source(CARDS[name], "value", "vjp"))
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


def test_rows_of_one_forecast_are_left_to_the_body(used):
    rows, target = np.ones((20_000, 1)), np.zeros(20_000)
    with pytest.raises(ValueError, match="crps_ensemble: with fair=True a row has two members or more, got one"):
        slopes.crps_ensemble(rows, target, fair=True)
    assert slopes.crps_ensemble(rows, target) == 1.0
    assert not used


def test_only_ranks_of_inputs_are_in_programs():
    @slopes.loss("forecasts")
    def of_shifted(prediction, target):
        return ops.sum(ops.ranks(prediction - target[..., None])[0])[..., 0]

    with pytest.raises(kernels.TraceError, match="cannot be traced: it ranks entries that it has computed"):
        kernels.program(of_shifted)


def test_a_sum_has_its_special_term_in_a_block_alone():
    from slopes.kernels.arithmetic.rows import BLOCK

    for width in (5, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7):
        rows = np.random.default_rng(width).standard_normal((40, width)) * 20
        rows[:, 0], rows[0, 0], rows[1, -1], rows[2, BLOCK % width] = 0.0, 200.0, 200.0, 200.0
        exact = np.exp(rows - rows.max(-1, keepdims=True))
        exact /= exact.sum(-1, keepdims=True)
        np.testing.assert_allclose(kernels.compute(slopes.softmax, "value", rows), exact, rtol=1e-13)
        labels = np.argmax(rows, -1)
        sure = kernels.compute(slopes.cross_entropy, "value", rows, labels)
        others = np.where(np.arange(width) == labels[:, None], 0.0, np.exp(rows - rows.max(-1, keepdims=True)))
        np.testing.assert_allclose(sure, np.log1p(others.sum(-1)), rtol=1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_exponential_of_a_difference_is_within_1_ulp(dtype):
    from numba import njit

    from slopes.kernels.arithmetic.rows import exp_of_difference

    @njit
    def exponentials(numbers):
        return [exp_of_difference(x) for x in numbers]

    x = -np.abs(np.random.default_rng(0).standard_normal(20000) * np.logspace(-8, 3.2, 20000)).astype(dtype)
    x = np.concatenate([x, np.array([0.0, -0.0, -np.inf, -87.4, -103.9, -104.5, -745.1, -746.5], dtype)])
    result = np.array(exponentials(x))
    assert (result == result.astype(dtype)).all()
    exact = np.exp(x.astype(np.longdouble))
    unit = np.spacing(np.maximum(exact.astype(dtype), np.finfo(dtype).tiny))
    assert (np.abs(result - exact) / unit).max() <= 1.0
    assert np.isnan(exponentials(np.array([np.nan], dtype)))


# ------------------------------------------------------------------------------------------- tensors


@pytest.mark.parametrize("dtype", mark_exhaustive([torch.float32, torch.float64, torch.bfloat16], every=2), ids=str)
def test_losses_under_autocast_come_to_kernels(dtype, used):
    x = (torch.randn(ROWS, CLASSES, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 3).to(dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value, gradient = gradient_of(lambda x: slopes.poly1(x, LABELS, label_smoothing=0.1), x)
        assert used == [("value", "vjp")]
        wide = x.double().requires_grad_()
        exact = plainly(lambda x: slopes.poly1(x, LABELS, label_smoothing=0.1), wide)
    exact.backward()
    assert value.dtype == torch.promote_types(dtype, torch.float32)
    assert gradient.dtype == dtype
    torch.testing.assert_close(value.double(), exact.detach(), rtol=1e-6, atol=0)
    torch.testing.assert_close(gradient.double(), wide.grad, rtol=8e-3 if dtype is torch.bfloat16 else 1e-5, atol=1e-9)


@pytest.mark.parametrize("case", mark_exhaustive(itertools.product(LOSSES, OPTIONS), every=14), ids="-".join)
def test_losses_of_tensors_agree_with_the_plain_way(case, used):
    name, option = case
    options, loss = OPTIONS[option], CARDS[name]
    x = predictions(name)
    if name == "multiclass_hinge" and ("label_smoothing" in options or "class_weight" in options):
        pytest.skip("its targets are labels")

    def compute(x):
        return loss(x, LABELS, **options)

    incoming = torch.linspace(-1, 2, ROWS, dtype=torch.float64) if options.get("reduction") == "none" else None
    value, gradient = gradient_of(compute, x, incoming)
    assert used
    expected, slope = plainly(gradient_of, compute, x, incoming)
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(gradient, slope, rtol=1e-11, atol=1e-14)
    if incoming is None or "mask" not in options:
        both = loss.value_and_slope(x, LABELS, **options)
        torch.testing.assert_close(both[0], value, rtol=1e-12, atol=1e-14)
        expected = plainly(lambda: loss.slope(x, LABELS, **options))
        torch.testing.assert_close(both[1], expected, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("name", [name for name in LOSSES if "class_weight" in CARDS[name].kind.options])
def test_few_labels_come_to_a_kernel(name, reduction, used):
    loss, x, labels = CARDS[name], predictions(name, shape=(32, 10)), torch.arange(32) % 10

    def compute(x):
        return loss(x, labels, reduction=reduction)

    value, gradient = gradient_of(compute, x)
    assert used == [("value", "vjp")]
    expected, slope = plainly(gradient_of, compute, x)
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(gradient, slope, rtol=1e-11, atol=1e-14)
    assert torch.equal(compute(x), value)
    torch.testing.assert_close(compute(x.T.contiguous().T), value, rtol=1e-12, atol=1e-14)
    used.clear()
    torch.func.grad(compute)(x)
    loss(x[:25], labels[:25])
    assert not used


@pytest.mark.parametrize(
    "name", ["distillation", "cosine", "cosine_embedding", "triplet_margin", "kl_div", "corn", "softmax", "solu"]
)
def test_few_rows_come_to_a_kernel(name, used):
    card, rng = CARDS[name], np.random.default_rng(0)
    for shape in ((25, 10), (32, 10)):  # fewer entries than `FEWEST`, and more
        is_map = isinstance(card, Map)
        drawn = (rng.normal(size=shape),) if is_map else card.kind.examples(card.settings).sample(rng, shape)
        card(*map(torch.from_numpy, drawn))
        assert bool(used) == (shape == (32, 10))


SCHEDULES = {
    "labels": lambda x, number: slopes.softmax_focal.value_and_slope(x, LABELS, gamma=number),
    "smoothing": lambda x, number: slopes.cross_entropy.value_and_slope(x, LABELS, label_smoothing=number / 4),
    "rows": lambda x, number: slopes.distillation.value_and_slope(x, x + 1 / (1 + x * x), temperature=number),
    "arrays": lambda x, number: slopes.poly1.value_and_slope(x.numpy(), LABELS.numpy(), epsilon=number),
    "map": lambda x, number: (
        slopes.gumbel_softmax(x, tau=number),
        slopes.gumbel_softmax.vjp(x, x + 1, tau=number),
    ),
}


@pytest.mark.parametrize("case", SCHEDULES)
def test_one_kernel_serves_all_numbers_of_a_parameter(case, used):
    """So that a schedule compiles once."""
    compute, x = SCHEDULES[case], predictions("poly1")
    compute(x, 1.3)
    known = len(compiling._kernels)
    for number in (0.7, 3.1):
        used.clear()
        came = compute(x, number)
        assert used
        for mine, due in zip(came, plainly(compute, x, number), strict=True):
            np.testing.assert_allclose(mine, due, rtol=1e-11, atol=1e-14)
    assert len(compiling._kernels) == known


def test_few_labels_that_are_no_classes_are_refused_as_ever():
    x = predictions("poly1", shape=(32, 10))
    for labels in (torch.full((32,), 10), torch.full((32,), -1)):
        with pytest.raises(ValueError, match=r"label must lie in \[0, 10\)"):
            slopes.poly1(x, labels)
        kept = torch.cat([labels[:1], torch.zeros(31, dtype=torch.int64)])
        ignored = slopes.poly1(x, kept, ignore_index=int(labels[0]))
        torch.testing.assert_close(ignored, slopes.poly1(x[1:], kept[1:]))


def test_a_gradient_of_few_labels_is_differentiated():
    x, labels = predictions("poly1", shape=(26, 10)).requires_grad_(), torch.arange(26) % 10
    assert torch.autograd.gradcheck(lambda x: slopes.poly1(x, labels), x)
    assert torch.autograd.gradgradcheck(lambda x: slopes.poly1(x, labels), x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_narrow_tensors_keep_their_type(dtype, used):
    x = predictions("cross_entropy").to(dtype)
    value, gradient = gradient_of(lambda x: slopes.cross_entropy(x, LABELS), x)
    assert used == [("value", "vjp")]
    assert value.dtype == gradient.dtype == dtype
    exact = plainly(gradient_of, lambda x: slopes.cross_entropy(x, LABELS), x.double())
    eps = torch.finfo(dtype).eps
    torch.testing.assert_close(value.double(), exact[0], rtol=2 * eps, atol=0)
    least = 20 * eps * exact[1].abs().max().item() if dtype == torch.float16 else 1e-30  # it has subnormal numbers here
    torch.testing.assert_close(gradient.double(), exact[1], rtol=eps + 3e-6, atol=least)


@pytest.mark.parametrize("axis", [1, -1, 0])
def test_classes_may_lie_on_any_axis(axis, used):
    x = predictions("cross_entropy", shape=(10, 6, CLASSES)).movedim(-1, axis)
    labels = (LABELS[:60] % 5).reshape(10, 6)
    value, gradient = gradient_of(lambda x: slopes.cross_entropy(x, labels, axis=axis), x.repeat(1, 1, 2)[..., ::2])
    assert used
    expected, slope = plainly(
        gradient_of, lambda x: slopes.cross_entropy(x, labels, axis=axis), x.repeat(1, 1, 2)[..., ::2]
    )
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(gradient, slope, rtol=1e-11, atol=1e-16)


def test_probability_rows_are_targets(used):
    x, target = predictions("cross_entropy"), torch.softmax(predictions("cross_entropy", 1), -1)
    value, gradient = gradient_of(lambda x: slopes.cross_entropy(x, target), x)
    assert used
    expected, slope = plainly(gradient_of, lambda x: slopes.cross_entropy(x, target), x)
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(gradient, slope, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize(
    "name", mark_exhaustive(["distillation", "cosine", "cosine_embedding", "triplet_margin", "kl_div"], every=3)
)
def test_losses_of_other_kinds_agree_with_the_plain_way(name, used):
    loss = CARDS[name]
    drawn = loss.kind.examples(loss.settings).sample(np.random.default_rng(0), (ROWS, CLASSES))
    x, *rest = (torch.from_numpy(np.asarray(argument, float)) for argument in drawn)
    value, gradient = gradient_of(lambda x: loss(x, *rest), x)
    assert used
    expected, slope = plainly(gradient_of, lambda x: loss(x, *rest), x)
    torch.testing.assert_close(value, expected, rtol=1e-11, atol=1e-14)
    torch.testing.assert_close(gradient, slope, rtol=1e-9, atol=1e-13)


def test_what_does_not_count_is_not_read(used):
    x = predictions("cross_entropy")
    x[3], x[5, 0] = torch.nan, torch.inf
    mask = torch.ones(ROWS, dtype=torch.bool)
    mask[[3, 5]] = False
    for options in ({"mask": mask}, {"weight": mask.double()}, {"mask": mask, "reduction": "none"}):
        value, gradient = gradient_of(lambda x, options=options: slopes.cross_entropy(x, LABELS, **options), x)
        assert torch.isfinite(value).all()
        assert torch.isfinite(gradient).all()
        assert not gradient[[3, 5]].any()
        assert (gradient[0] != 0).all()
    assert used
    value, gradient = gradient_of(lambda x: slopes.cross_entropy(x, LABELS, mask=mask & False), x)
    assert value == 0
    assert not gradient.any()


def test_the_incoming_gradient_scales_the_saved_one():
    x = predictions("cross_entropy").requires_grad_()
    once = plainly(lambda: torch.autograd.grad(slopes.cross_entropy(x, LABELS), x)[0])
    (tripled,) = torch.autograd.grad(3 * slopes.cross_entropy(x, LABELS), x)
    torch.testing.assert_close(tripled, 3 * once, rtol=1e-11, atol=1e-16)
    value = 2 * slopes.cross_entropy(x, LABELS)
    first = torch.autograd.grad(value, x, retain_graph=True)[0]
    kept = first.clone()
    second = torch.autograd.grad(value, x, retain_graph=True)[0]
    first.zero_()  # is not what later calls give
    third = torch.autograd.grad(value, x)[0]
    for gradient in (kept, second, third):
        torch.testing.assert_close(gradient, 2 * once, rtol=1e-11, atol=1e-16)
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        torch.autograd.grad(value, x)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_a_gradient_is_differentiated_as_in_the_plain_way(reduction):
    mask = torch.arange(ROWS) % 5 > 0

    def twice():
        x = predictions("poly1")
        x[~mask] = torch.nan
        x.requires_grad_()
        value = slopes.poly1(x, LABELS, reduction=reduction, mask=mask)
        (first,) = torch.autograd.grad((value * value).sum(), x, create_graph=True)
        return torch.autograd.grad((first**2).sum(), x)[0]

    torch.testing.assert_close(twice(), plainly(twice), rtol=1e-9, atol=1e-14)


def test_vectors_of_gradients_are_pulled_back_together():
    x, cotangents = predictions("cross_entropy").requires_grad_(), torch.eye(ROWS, dtype=torch.float64)[:3]
    values = slopes.cross_entropy(x, LABELS, reduction="none")
    (rows,) = torch.autograd.grad(values, x, cotangents, is_grads_batched=True)
    expected = plainly(lambda: slopes.cross_entropy.slope(x.detach(), LABELS, reduction="none"))
    for place in range(3):
        torch.testing.assert_close(rows[place, place], expected[place], rtol=1e-11, atol=1e-16)


def test_kernels_step_aside_for_transforms(used):
    x = predictions("cross_entropy")

    def loss(x):
        return slopes.cross_entropy(x, LABELS)

    gradient = torch.func.grad(loss)(x)
    _, tangent = torch.func.jvp(loss, (x,), (x,))
    torch.func.vmap(loss)(x[None])
    torch.testing.assert_close(tangent, (gradient * x).sum())
    assert slopes.cross_entropy(x.to("meta"), LABELS.to("meta")).is_meta
    weight = WEIGHT.clone().requires_grad_()
    slopes.cross_entropy(x, LABELS, weight=weight).backward()
    target = torch.softmax(x, -1).requires_grad_()
    slopes.cross_entropy(x, target).backward()
    assert weight.grad is not None
    assert target.grad is not None
    assert not used


def test_no_gradient_is_computed_that_nobody_asks_for(used):
    x = predictions("cross_entropy").requires_grad_()
    with torch.no_grad():
        slopes.cross_entropy(x, LABELS)
    slopes.cross_entropy(x.detach(), LABELS)
    assert used == [("value",)] * 2


def test_the_gradient_is_saved_in_place_of_a_copy():
    x = predictions("cross_entropy").requires_grad_()
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.data_ptr()) or t, lambda t: t):
        value = slopes.cross_entropy(x, LABELS)
    (value * 2.0).backward()
    assert x.grad.data_ptr() in saved


def test_what_is_wrong_is_said_as_ever():
    x = predictions("cross_entropy")
    for arguments, options in (
        ((x, LABELS + 280), {}),
        ((x, LABELS[:5]), {}),
        ((x, torch.ones_like(x)), {}),
        ((x, LABELS), {"label_smoothing": 2}),
        ((x, LABELS), {"weight": -WEIGHT}),
        ((x, LABELS), {"mask": WEIGHT}),
    ):
        with pytest.raises((ValueError, TypeError)) as plain:
            plainly(lambda arguments=arguments, options=options: slopes.cross_entropy(*arguments, **options))
        with pytest.raises((ValueError, TypeError)) as ours:
            slopes.cross_entropy(*arguments, **options)
        assert str(ours.value) == str(plain.value)


def test_a_users_loss_of_rows_follows_its_globals(used, monkeypatch):
    monkeypatch.setattr(programs, "LARGE_FOR_A_USER", 1)
    settings = {"power": 2.0}

    @slopes.loss("classification")
    def brier(prediction, target):
        p = ops.softmax(prediction)
        return ops.sum((p - ops.one_hot(target, like=p)) ** 2)[..., 0] * settings["power"]

    @brier.derivative
    def _(prediction, target):
        p = ops.softmax(prediction)
        return 2 * settings["power"] * ops.softmax_pulled(prediction, p - ops.one_hot(target, like=p))

    x = predictions("cross_entropy")
    for power in (2.0, 3.0):
        settings["power"] = power
        value, gradient = gradient_of(lambda x: brier(x, LABELS), x)
        expected, slope = plainly(gradient_of, lambda x: brier(x, LABELS), x)
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=0)
        torch.testing.assert_close(gradient, slope, rtol=1e-9, atol=1e-14)
    assert used == [("value", "vjp")] * 2


# ------------------------------------------------------------------------------------------- modules


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_modules_keep_the_conventions_of_pytorch(reduction, smoothing, weighted, used):
    weight = torch.linspace(0, 1, CLASSES, dtype=torch.float64) if weighted else None
    keywords = {"reduction": reduction, "label_smoothing": smoothing, "weight": weight, "ignore_index": 37}
    ours, theirs = (space.CrossEntropyLoss(**keywords) for space in (slopes.nn, torch.nn))
    for shape, labels in (((ROWS, CLASSES), LABELS), ((4, CLASSES, 16), LABELS.reshape(4, 16))):
        x = predictions("cross_entropy", shape=shape)
        incoming = torch.linspace(-1, 2, ROWS, dtype=torch.float64).reshape(labels.shape)
        incoming = incoming if reduction == "none" else None
        value, gradient = gradient_of(lambda x, labels=labels: ours(x, labels), x, incoming)
        expected, slope = gradient_of(lambda x, labels=labels: theirs(x, labels), x, incoming)
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-13)
        torch.testing.assert_close(gradient, slope, rtol=1e-9, atol=1e-14)
        assert gradient.is_contiguous()
    assert len(used) >= 2


def test_a_module_means_nothing_over_nothing(used):
    x = predictions("cross_entropy")
    value, gradient = gradient_of(lambda x: slopes.nn.CrossEntropyLoss(ignore_index=3)(x, LABELS * 0 + 3), x)
    assert used
    assert torch.isnan(value)
    assert not gradient.any()


def test_a_module_takes_probability_rows(used):
    x, target = predictions("cross_entropy"), torch.softmax(predictions("cross_entropy", 1), -1)
    value, gradient = gradient_of(lambda x: slopes.nn.CrossEntropyLoss(label_smoothing=0.2)(x, target), x)
    expected, slope = gradient_of(lambda x: torch.nn.CrossEntropyLoss(label_smoothing=0.2)(x, target), x)
    assert used
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(gradient, slope, rtol=1e-9, atol=1e-14)


# -------------------------------------------------------------------------------------------- arrays


@pytest.mark.parametrize("dtype", mark_exhaustive(["float64", "float32"]))
@pytest.mark.parametrize("option", OPTIONS)
def test_losses_of_arrays_agree_with_the_plain_way(option, dtype, used):
    options = {k: v.numpy() if isinstance(v, torch.Tensor) else v for k, v in OPTIONS[option].items()}
    x, labels = predictions("cross_entropy").numpy().astype(dtype), LABELS.numpy()
    given = x.copy()
    value, slope = slopes.cross_entropy.value_and_slope(given, labels, **options)
    assert value.dtype == slope.dtype == dtype
    np.testing.assert_array_equal(given, x)
    expected = plainly(lambda: slopes.cross_entropy.value_and_slope(x.astype(float), labels, **options))
    tight, wide = (1e-12, 1e-11) if dtype == "float64" else (2e-7, 3e-6)
    np.testing.assert_allclose(value, expected[0], rtol=tight, atol=tight * np.abs(expected[0]).max())
    terms = wide / CLASSES * np.abs(expected[1]).max()  # of smoothed labels, which cancel
    np.testing.assert_allclose(slope, expected[1], rtol=wide, atol=terms if "label_smoothing" in options else 1e-38)
    np.testing.assert_allclose(slopes.cross_entropy(x, labels, **options), value, rtol=tight, atol=0)
    assert used == [("value", "vjp"), ("value",)]


@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_maps_of_arrays_agree_with_the_plain_way(name, axis, used):
    card, x = CARDS[name], predictions("cross_entropy").numpy()
    cotangent = x[::-1].copy()
    result, pulled = card(x, axis=axis), card.vjp(x, cotangent, axis=axis)
    assert used == [("value",), ("vjp",)]
    expected = plainly(lambda: (card(x, axis=axis), card.vjp(x, cotangent, axis=axis)))
    np.testing.assert_allclose(result, expected[0], rtol=1e-13)
    np.testing.assert_allclose(pulled, expected[1], rtol=1e-10, atol=1e-13)
    mask = x > -1
    np.testing.assert_array_equal(card(x, axis=axis, mask=mask), plainly(lambda: card(x, axis=axis, mask=mask)))


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_share_the_rows(threads):
    before = torch.get_num_threads()
    x = predictions("cross_entropy", shape=(2000, CLASSES))
    labels = torch.arange(2000) % CLASSES
    expected = gradient_of(lambda x: slopes.cross_entropy(x, labels), x)
    torch.set_num_threads(threads)
    try:
        result = gradient_of(lambda x: slopes.cross_entropy(x, labels), x)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(result[0], expected[0])
    assert torch.equal(result[1], expected[1])


@pytest.mark.parametrize("name", mark_exhaustive(["cross_entropy", "softmax_focal", "poly1"], every=3))
def test_labels_are_smoothed_without_a_matrix_of_targets(name, used, monkeypatch):
    monkeypatch.setattr(numpy_reading, "one_hot", None)
    monkeypatch.setattr(slopes.readings.torch, "one_hot", None)
    x = predictions(name)
    value, gradient = gradient_of(lambda x: CARDS[name](x, LABELS, label_smoothing=0.3), x)
    both = CARDS[name].value_and_slope(x.numpy(), LABELS.numpy(), label_smoothing=0.3)
    slopes.nn.CrossEntropyLoss(label_smoothing=0.3)(x, LABELS)
    monkeypatch.undo()
    expected, slope = plainly(gradient_of, lambda x: CARDS[name](x, LABELS, label_smoothing=0.3), x)
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(gradient, slope, rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(both[0], expected, rtol=1e-12)
    np.testing.assert_allclose(both[1], slope, rtol=1e-9, atol=1e-14)


def test_the_gradient_of_smoothed_labels_is_differentiated():
    def twice():
        x = predictions("poly1").requires_grad_()
        value = slopes.poly1(x, LABELS, label_smoothing=0.2)
        (first,) = torch.autograd.grad(value, x, create_graph=True)
        return torch.autograd.grad((first**2).sum(), x)[0]

    torch.testing.assert_close(twice(), plainly(twice), rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_maps_of_tensors_agree_with_the_plain_way(name, axis, used):
    card, x = CARDS[name], predictions("cross_entropy")
    incoming = x.flip(0)
    result, gradient = gradient_of(lambda x: card(x, axis=axis), x, incoming)
    assert used == [("value",), ("vjp",)]
    expected, slope = plainly(gradient_of, lambda x: card(x, axis=axis), x, incoming)
    torch.testing.assert_close(result, expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(gradient, slope, rtol=1e-10, atol=1e-13)
    torch.testing.assert_close(card.vjp(x, incoming, axis=axis), slope, rtol=1e-10, atol=1e-13)
    half = card(x.bfloat16(), axis=axis)
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.double(), card(x.bfloat16().double(), axis=axis), rtol=0.01, atol=1e-30)


def test_the_gradient_of_a_map_is_differentiated():
    def twice():
        x = predictions("cross_entropy").requires_grad_()
        (first,) = torch.autograd.grad((slopes.softmax(x) ** 2).sum(), x, create_graph=True)
        return torch.autograd.grad((first**2).sum(), x)[0]

    torch.testing.assert_close(twice(), plainly(twice), rtol=1e-9, atol=1e-14)
    x = predictions("cross_entropy")
    torch.testing.assert_close(torch.func.vmap(slopes.softmax)(x), slopes.softmax(x))


@pytest.mark.parametrize("name", ["Softmax", "LogSoftmax", "Softmin"])
def test_modules_of_maps_keep_the_conventions_of_pytorch(name, used):
    x = predictions("cross_entropy").float()
    x[3] = -torch.inf
    x[4, 5:] = -torch.inf
    if name == "Softmin":
        x = -x
    incoming = predictions("cross_entropy", 1).float()
    result, gradient = gradient_of(getattr(slopes.nn, name)(-1), x, incoming)
    assert used
    exact, slope = gradient_of(getattr(torch.nn, name)(-1), x.double(), incoming.double())
    torch.testing.assert_close(result.double(), exact, rtol=1e-5, atol=1e-30, equal_nan=True)
    kept = torch.arange(ROWS) != 3  # of nothing, PyTorch's gradient is NaN
    torch.testing.assert_close(gradient.double()[kept], slope[kept], rtol=1e-3, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("ignored", [-100, 5000, 37])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_modules_ignore_labels_wherever_they_are(ignored, smoothing, used):
    x = predictions("cross_entropy")
    keywords = {"ignore_index": ignored, "label_smoothing": smoothing}
    for labels in (LABELS, torch.where(torch.arange(ROWS) % 4 == 0, ignored, LABELS)):
        value, gradient = gradient_of(lambda x, y=labels: slopes.nn.CrossEntropyLoss(**keywords)(x, y), x)
        expected, slope = gradient_of(lambda x, y=labels: torch.nn.CrossEntropyLoss(**keywords)(x, y), x)
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-13)
        torch.testing.assert_close(gradient, slope, rtol=1e-9, atol=1e-14)
    assert len(used) == 2
    with pytest.raises(IndexError):
        slopes.nn.CrossEntropyLoss(**keywords)(x, LABELS + CLASSES)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_map_saves_its_argument_as_it_came(dtype, used):
    x = predictions("cross_entropy").to(dtype).requires_grad_()
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.nbytes) or t, lambda t: t):
        result = slopes.softmax(x)
    assert saved == [x.nbytes]
    result.backward(result.detach())
    exact = plainly(lambda: slopes.softmax.vjp(x.detach().double(), result.detach().double()))
    assert used == [("value",), ("vjp",)]
    torch.testing.assert_close(x.grad.double(), exact, rtol=0.02, atol=1e-4)


def test_sums_share_a_loop_if_none_needs_another():
    for card in (slopes.softmax.by_result, slopes.log_softmax):
        assert kernels.source(card, "vjp").count("def sum_") == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_gradient_of_softmax_by_its_result_has_all_digits(dtype, used):
    x = predictions("cross_entropy").to(dtype)
    x[::3, 5] += 25.0  # certain: 1 − p would cancel
    x[1::3, 5] += 2.0
    x.requires_grad_()
    saved, incoming = [], x.detach().flip(0)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.data_ptr()) or t, lambda t: t):
        result = slopes.softmax(x)
    assert saved == [result.data_ptr()]
    result.backward(incoming)
    assert used == [("value",), ("vjp",)]
    wide, cotangent = x.detach().double(), incoming.double()
    p, others = torch.softmax(wide, -1), -torch.expm1(torch.log_softmax(wide, -1))
    terms = (p * cotangent).abs()
    size = p * cotangent.abs() * others + p * (terms.sum(-1, keepdim=True) - terms)
    exact = plainly(lambda: slopes.softmax.vjp(wide, cotangent))
    condition = 8 + wide.amax(-1, keepdim=True) - wide  # of the exponential
    assert ((x.grad - exact).abs() <= torch.finfo(dtype).eps * condition * size).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("call", [slopes.cross_entropy, slopes.nn.CrossEntropyLoss()], ids=["card", "module"])
def test_a_loss_of_a_half_type_keeps_no_copy_of_it(dtype, call, used):
    x = predictions("cross_entropy").to(dtype).requires_grad_()
    saved = {}
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.update({t.data_ptr(): t}) or t, lambda t: t):
        value = call(x, LABELS)
    assert sum(t.nbytes for t in saved.values() if t.shape == x.shape) <= x.nbytes + 4 * x.numel()
    (first,) = torch.autograd.grad(value * 1024, x, create_graph=True)
    assert first.dtype == dtype
    (second,) = torch.autograd.grad(first.float().square().sum(), x, retain_graph=True)
    (third,) = torch.autograd.grad(value * 1024, x)
    exact = plainly(lambda: slopes.cross_entropy.slope(x.detach().double(), LABELS) * 1024)
    for gradient in (first, third):
        torch.testing.assert_close(gradient.double(), exact, rtol=0.01, atol=1e-4)
    assert torch.isfinite(second).all()
