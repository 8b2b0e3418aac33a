"""Maps of a row: masks, rows of which nothing counts, gates and their halves, noise and its generator."""

import numpy as np
import pytest

import slopes

torch = pytest.importorskip("torch")

ROWS = np.array([[1.0, 2.0, -1.0, 0.5], [3.0, 0.0, 0.0, 1.0], [0.1, 0.2, 0.3, 0.4]])
MASK = np.array([[True, True, False, True], [True] * 4, [False] * 4])
MAPS = [slopes.softmax, slopes.log_softmax, slopes.sparsemax, slopes.gumbel_softmax]
LEAST = {slopes.log_softmax: -np.inf}


@pytest.mark.parametrize("row_map", MAPS, ids=lambda card: card.name)
@pytest.mark.parametrize("axis", [0, -1])
def test_what_is_masked_is_as_if_it_were_not_there(row_map, axis):
    rows, mask = (np.moveaxis(a, -1, axis) for a in (ROWS, MASK))
    came = np.moveaxis(row_map(rows, axis=axis, mask=mask), axis, -1)
    np.testing.assert_allclose(came[0][MASK[0]], row_map(ROWS[0][MASK[0]]), rtol=1e-15)
    np.testing.assert_array_equal(came[1], row_map(ROWS[1]))
    np.testing.assert_array_equal(came[~MASK], LEAST.get(row_map, 0.0))
    np.testing.assert_array_equal(
        row_map(np.where(mask, rows, np.nan), axis=axis, mask=mask), row_map(rows, axis=axis, mask=mask)
    )


@pytest.mark.parametrize("row_map", MAPS, ids=lambda card: card.name)
def test_a_masked_entry_has_no_gradient_and_gives_none(row_map):
    cotangent = np.random.default_rng(0).standard_normal(ROWS.shape)
    pulled = row_map.vjp(ROWS, cotangent, mask=MASK)
    assert np.isfinite(pulled).all()
    np.testing.assert_array_equal(pulled[~MASK], 0)
    leaf = torch.tensor(ROWS, requires_grad=True)
    output = row_map(leaf, mask=torch.tensor(MASK))
    output.backward(torch.tensor(cotangent))
    np.testing.assert_allclose(leaf.grad.numpy(), pulled, rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize("row_map", MAPS, ids=lambda card: card.name)
def test_a_row_of_minus_infinities_has_a_defined_answer(row_map):
    row = np.full(3, -np.inf)
    np.testing.assert_array_equal(row_map(row), LEAST.get(row_map, 0.0))
    leaf = torch.tensor(row, requires_grad=True)
    row_map(leaf).backward(torch.ones(3, dtype=torch.float64))
    assert not leaf.grad.isnan().any()
    assert np.isnan(row_map(np.array([np.nan, 1.0]))).any()


def test_gates_lie_where_they_are_said_to():
    x = np.random.default_rng(0).standard_normal((3, 4))
    a, b = x[:, :2], x[:, 2:]
    np.testing.assert_allclose(slopes.glu(x), a * slopes.sigmoid(b), rtol=1e-15)
    np.testing.assert_allclose(slopes.glu(x, gate="first"), b * slopes.sigmoid(a), rtol=1e-15)
    for card, act in ((slopes.swiglu, slopes.silu), (slopes.geglu, slopes.gelu), (slopes.reglu, slopes.relu)):
        np.testing.assert_allclose(card(x), act(a) * b, rtol=4e-16)
        np.testing.assert_allclose(card(x, gate="last"), act(b) * a, rtol=4e-16)
        np.testing.assert_allclose(card(x.T, axis=0), card(x).T, rtol=0)
        swapped = card.vjp(np.concatenate([b, a], 1), np.ones((3, 2)), gate="last")
        np.testing.assert_array_equal(np.roll(swapped, 2, axis=1), card.vjp(x, np.ones((3, 2))))
    np.testing.assert_allclose(slopes.geglu(x, approximate="tanh"), slopes.gelu_tanh(a) * b, rtol=4e-16)


def test_a_product_with_a_subnormal_gate_is_rounded_once():
    x = torch.tensor([-95.0, 3.4e30])
    exact = np.float64(-95.0) * np.exp(-95.0) / (1 + np.exp(-95.0)) * np.float64(np.float32(3.4e30))
    assert float(slopes.swiglu(x)) == pytest.approx(exact, rel=1e-6)


def test_noise_is_drawn_by_a_generator_and_is_still_without_one():
    x = np.random.default_rng(1).standard_normal((2000, 4))
    for card in (slopes.rrelu, slopes.gumbel_softmax):
        a, b, c = (card(x, generator=np.random.default_rng(seed)) for seed in (0, 0, 1))
        np.testing.assert_array_equal(a, b)
        assert not np.array_equal(a, c)
        np.testing.assert_array_equal(card(x), card(x))
        t = torch.tensor(x)
        first, again = (card(t, generator=torch.Generator().manual_seed(0)) for _ in range(2))
        assert torch.equal(first, again)
        assert not torch.equal(first, card(t))
    ratio = (slopes.rrelu(x, generator=np.random.default_rng(0)) / x)[x < 0]
    assert ratio.min() == pytest.approx(1 / 8, abs=1e-3)
    assert ratio.max() == pytest.approx(1 / 3, abs=1e-3)
    np.testing.assert_allclose(slopes.rrelu(x)[x < 0] / x[x < 0], 11 / 48, rtol=1e-15)


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_a_gumbel_choice_has_the_softmaxs_chances(library):
    logits = np.log([0.1, 0.2, 0.7])
    rows = np.broadcast_to(logits, (40_000, 3))
    if library == "numpy":
        chosen = slopes.gumbel_softmax(rows, hard=True, generator=np.random.default_rng(0))
    else:
        generator = torch.Generator().manual_seed(0)
        chosen = slopes.gumbel_softmax(torch.tensor(rows), hard=True, generator=generator).numpy()
    np.testing.assert_array_equal(np.sort(chosen, -1), np.broadcast_to([0, 0, 1.0], rows.shape))
    np.testing.assert_allclose(chosen.mean(0), [0.1, 0.2, 0.7], atol=0.01)


def test_a_hard_choice_has_the_soft_slope_in_every_mode():
    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    noise, cotangent = torch.randn(3, 4, dtype=torch.float64), torch.randn(3, 4, dtype=torch.float64)
    pulled = [
        torch.autograd.grad(slopes.gumbel_softmax(x, hard=hard, noise=noise, tau=0.5), x, cotangent)[0]
        for hard in (True, False)
    ]
    torch.testing.assert_close(*pulled)
    total = lambda x, n, c: (slopes.gumbel_softmax(x, hard=True, noise=n, tau=0.5) * c).sum()  # noqa: E731
    torch.testing.assert_close(torch.func.vmap(torch.func.grad(total))(x.detach(), noise, cotangent), pulled[0])
    mine = slopes.gumbel_softmax.vjp(x.detach().numpy().T, cotangent.numpy().T, axis=0, noise=noise.numpy().T, tau=0.5)
    np.testing.assert_allclose(mine.T, pulled[0].numpy(), rtol=1e-12)


def test_sparsemax_is_the_projection_onto_the_simplex():
    rng = np.random.default_rng(3)
    for row in rng.standard_normal((50, 6)) * 2:
        p = slopes.sparsemax(row)
        assert p.sum() == pytest.approx(1, abs=1e-15)
        others = rng.dirichlet(np.ones(6), 200)
        assert ((others - row) ** 2).sum(1).min() >= ((p - row) ** 2).sum() - 1e-12
    np.testing.assert_array_equal(slopes.sparsemax([0.0, 0.0, 3.0]), [0, 0, 1])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: slopes.glu(np.ones(3)), ValueError, "glu: the axis must have an even number of entries, .* got 3"),
        (lambda: slopes.glu.vjp(np.ones((3, 2)), np.ones((3, 2)), axis=0), ValueError, "glu: the axis must have an even number of entries, .* got 3"),
        (lambda: slopes.glu.vjp(np.ones((2, 4)), np.ones(2)), ValueError, r"glu: result \(2, 2\) and cotangent \(2,\) must have one shape; broadcasting would give \(2, 2\)"),
        (lambda: slopes.glu.vjp(np.ones((4, 3)), np.ones((1, 3)), axis=0), ValueError, r"glu: result \(2, 3\) and cotangent \(1, 3\) must have one shape"),
        (lambda: slopes.swiglu.vjp(torch.ones(4), torch.ones(4)), ValueError, r"swiglu: result \(2,\) and cotangent \(4,\) must have one shape; they do not"),
        (lambda: slopes.glu(np.ones(4), gate="left"), ValueError, "glu: gate must be one of 'first', 'last', got 'left'"),
        (lambda: slopes.glu.slope(np.ones(4)), TypeError, "glu mixes the entries"),
        (lambda: slopes.softmax(np.ones(3), mask=np.ones(2, bool)), ValueError, r"softmax: x \(3,\) and mask \(2,\) must have one shape"),
        (lambda: slopes.softmax(np.ones(3), mask=np.ones(3)), TypeError, "softmax: mask must be boolean"),
        (lambda: slopes.activation(kind="map")(lambda x: x)(np.ones(3), mask=np.ones(3, bool)), TypeError, "takes no mask"),
        (lambda: slopes.rrelu(np.ones(3), generator=0), TypeError, "rrelu: generator must be a numpy.random.Generator here, got int"),
        (lambda: slopes.rrelu(torch.ones(3), generator=np.random.default_rng(0)), TypeError, "rrelu: generator must be a torch.Generator"),
        (lambda: slopes.rrelu(np.ones(3), noise=2.0), ValueError, r"rrelu: noise must be a number or an array of uniform noise in \[0, 1\], got 2.0"),
        (lambda: slopes.rrelu(np.ones(3), noise=0.5, generator=np.random.default_rng(0)), TypeError, "a generator or noise, not both"),
        (lambda: slopes.relu(np.ones(3), generator=np.random.default_rng(0)), TypeError, "relu: no parameter 'generator'"),
    ],
)  # fmt: skip
def test_messages(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_softmax_linear_units_keep_their_digits():
    """Products underflow once, and a slope counts in units of the terms that cancel in it."""
    mpmath, torch = pytest.importorskip("mpmath"), pytest.importorskip("torch")
    mp = mpmath.MPContext()
    mp.dps = 60
    rng = np.random.default_rng(0)
    rows = np.concatenate([
        3 * rng.standard_normal((6, 5)), [[0.0, -742.0, -700.0, 1.0, 2.0], [90.0, 0.0, -10.0, 1.0, 2.0], [0.0] * 5]
    ])  # fmt: skip
    weights = rng.standard_normal(rows.shape)

    def exact(row, weight):
        row, weight = [mp.mpf(float(x)) for x in row], [mp.mpf(float(g)) for g in weight]
        powers = [mp.exp(x) for x in row]
        p = [power / mp.fsum(powers) for power in powers]
        values = [x * share for x, share in zip(row, p, strict=True)]
        drawn = mp.fsum(g * v for g, v in zip(weight, values, strict=True))
        slopes = [g * (share + v) - share * drawn for g, share, v in zip(weight, p, values, strict=True)]
        sizes = [abs(g) * share * (1 + abs(x)) + share * abs(drawn) for g, share, x in zip(weight, p, row, strict=True)]
        return values, slopes, sizes

    wanted = [np.array(part, dtype=object) for part in zip(*map(exact, rows, weights), strict=True)]
    x = torch.from_numpy(rows.copy()).requires_grad_()
    value = slopes.solu(x)
    value.backward(torch.from_numpy(weights))
    for came in (slopes.solu(rows), value.detach().numpy()):
        unit = np.maximum(np.spacing(abs(wanted[0].astype(float))), 2e-16 * abs(rows * wanted[0].astype(float)))
        assert (abs(came - wanted[0]) <= 4 * unit).all()
    for came in (slopes.solu.vjp(rows, weights), x.grad.numpy()):
        sizes = (1 + abs(rows)) * wanted[2].astype(float)
        assert (abs(came - wanted[1]) <= 4 * np.maximum(np.spacing(sizes), 5e-324)).all()
    assert slopes.solu(np.array([-np.inf, 0.0, 1.0]))[0] == 0
    assert np.isfinite(slopes.solu.vjp(np.array([-np.inf, 0.0, 1.0]), np.ones(3))).all()
