"""Errors at every float32 number: what is counted, by whom, and that an interrupted count goes on."""

import dataclasses
from textwrap import dedent

import numpy as np
import pytest

from helpers import require_kernels

pytest.importorskip("torch")
pytest.importorskip("click")
pytest.importorskip("flint")
require_kernels()

from click.testing import CliRunner  # noqa: E402

import slopes  # noqa: E402
from slopes import cli, kernels  # noqa: E402
from slopes.accuracy import exhaustive, updating  # noqa: E402
from slopes.accuracy.exhaustive import READINGS, THRESHOLDS, Count, Truth, count_all, read_counts  # noqa: E402
from slopes.truth.errors import ulps  # noqa: E402

PAGE = "# Accuracy\n\n## Function by function\n\nrows\n"
ONE, MINUS_EIGHTY, MOST = 0x3F800000, 0xC2A00000, 0x7F7FFF38  #: bits; 200 more than the last is inf


def near(bits, count=200):
    return exhaustive._numbers(bits, bits + count)


@pytest.fixture
def few(monkeypatch, tmp_path):
    """A format of 2^13 numbers, in parts of a quarter."""
    for name, size in (("NUMBERS", 2**13), ("PART", 2**11), ("CHUNK", 2**10)):
        monkeypatch.setattr(exhaustive, name, size)
    return str(tmp_path / "exhaustive.csv")


def above(errors):
    return [int(np.sum(errors > limit)) for limit in THRESHOLDS]


@pytest.mark.parametrize("result", ["value", "slope"])
@pytest.mark.parametrize("start", [0, ONE, MINUS_EIGHTY, MOST])
def test_errors_are_those_beside_the_exact_results(start, result):
    x = near(start)
    with np.errstate(all="ignore"):
        truth = Truth(slopes.silu, result, x)
    exact = exhaustive.exact_results(slopes.silu, result, x)
    for reading in READINGS:
        came = exhaustive.compute(slopes.silu, result, reading, x)
        errors = np.array(ulps(came, exact, np.float32), dtype=float)
        count = truth.count(reading)
        assert [count.above_half, count.above_one, count.above_two] == above(errors)
        assert count.worst == pytest.approx(max(errors), abs=1e-6)
        assert count.numbers == len(x)


def test_planted_errors_are_counted_and_the_worst_is_named(monkeypatch):
    x = near(ONE)
    right = exhaustive.compute(slopes.mish, "value", "NumPy", x)
    wrong = right.copy()
    wrong[3] = np.nextafter(right[3], np.float32(9))
    wrong[[7, 9]] += 5 * np.spacing(right[[7, 9]])
    monkeypatch.setattr(exhaustive, "compute", lambda *_: wrong)
    count = Truth(slopes.mish, "value", x).count("NumPy")
    assert 2 <= count.above_one <= count.above_half == 3
    assert count.above_two == 2
    assert 4.5 <= count.worst <= 5.5
    assert float(count.at) in x[[7, 9]]
    wrong[5] = np.nan
    wrong[6] = np.inf
    count = Truth(slopes.mish, "value", x).count("NumPy")
    assert (count.above_two, count.worst, count.at) == (4, np.inf, repr(float(x[5])))


def test_arb_decides_where_float64_does_not(monkeypatch):
    x = near(ONE)
    plain = Truth(slopes.gelu, "slope", x).count("kernel")
    monkeypatch.setattr(exhaustive, "doubt_of", lambda *_: (1e-8, np.inf))
    doubting = Truth(slopes.gelu, "slope", x).count("kernel")
    assert plain.by_arb == 0
    assert doubting.by_arb > 20
    assert (doubting.above_half, doubting.above_one, doubting.at) == (plain.above_half, plain.above_one, plain.at)
    assert doubting.worst == pytest.approx(plain.worst, abs=1e-6)


def test_far_out_float64_tells_the_errors_of_a_sine():
    """Its slope has another value at each number there, so x times the slope of that says nothing of roundings."""
    with np.errstate(all="ignore"):
        count = Truth(slopes.snake, "slope", near(0x60010000)).count("kernel")
    assert count.by_arb == 0
    assert 0.4 < count.worst < 1


def test_the_doubt_exceeds_the_errors_of_the_float64_kernel():
    for result in exhaustive.RESULTS:
        doubt, most = exhaustive.doubt_of(slopes.xielu, result)
        assert 2.0**-50 <= doubt < 2.0**-40
        x = np.random.default_rng(1).normal(size=100).astype(np.float32)
        truth = [Truth(slopes.xielu, result, number[None]) for number in x]
        errors = abs(np.array([each.exact[0] for each in truth]) - exhaustive.exact_results(slopes.xielu, result, x))
        assert all(errors <= [doubt * exhaustive.measure(*each.exact[:, None], most)[1][0] for each in truth])


def test_an_interrupted_count_goes_on(few):
    done = []

    def interrupt(*told):
        done.append(told)
        if told[0] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        count_all([slopes.silu], few, ("NumPy", "PyTorch"), progress=interrupt)
    assert {(c.result, c.reading, c.numbers) for c in read_counts(few)} == {
        (result, reading, 2**12) for result in ("value", "slope") for reading in ("NumPy", "PyTorch")
    }
    again = count_all([slopes.silu], few, ("NumPy", "PyTorch"), progress=lambda *told: done.append(told))
    assert done == [(1, 4, "silu"), (2, 4, "silu"), (1, 2, "silu"), (2, 2, "silu")]
    assert again == read_counts(few)
    assert {count.numbers for count in again} == {2**13}
    assert count_all([slopes.silu], few, ("NumPy",), progress=lambda *_: 1 / 0) == again
    assert count_all([slopes.silu], few.replace("exhaustive", "whole"), ("NumPy", "PyTorch")) == again


@pytest.mark.exhaustive
def test_processes_count_the_same(few):
    """They know nothing of the fixture, so that parts have their own size, but the numbers are these."""
    alone = count_all([slopes.relu, slopes.elu], few, ("NumPy", "kernel"))
    assert count_all([slopes.relu, slopes.elu], few.replace("exhaustive", "two"), ("NumPy", "kernel"), 2) == alone


def test_a_count_of_other_versions_starts_anew(few, monkeypatch):
    (old,) = [c for c in count_all([slopes.relu], few, ("NumPy",)) if c.result == "value"]
    monkeypatch.setattr(exhaustive, "__version__", "99")
    new, _ = count_all([slopes.relu], few, ("NumPy",))
    assert old.versions.startswith("slopes 0")
    assert new.versions.startswith("slopes 99")
    assert new.numbers == old.numbers == 2**13


def test_a_count_with_other_code_is_stale_and_starts_anew(few, monkeypatch):
    counts = {count.result: count for count in count_all([slopes.relu], few, ("NumPy",))}
    assert not any(count.is_stale for count in counts.values())
    assert "`relu` †" not in updating.put_counts(PAGE, list(counts.values()))
    monkeypatch.setitem(exhaustive.MODULES, "NumPy", ("readings/numpy.py",))
    exhaustive.digest_of.cache_clear()
    try:
        assert "| `relu` † | slope | NumPy |" in updating.put_counts(PAGE, list(counts.values()))
        done = []
        again = count_all([slopes.relu], few, ("NumPy",), progress=lambda *told: done.append(told))
        assert len(done) == 4
        assert not any(count.is_stale for count in again)
    finally:
        exhaustive.digest_of.cache_clear()


def test_the_digest_is_not_of_the_imports_of_a_kernel(monkeypatch):
    """They name functions of all kernels, so each new function would make every count stale."""
    plain, digest = kernels.source, exhaustive.digest_of(slopes.tanh, "kernel")
    try:
        for added, is_kept in (("from slopes.kernels.arithmetic.elementary import new\n", True), ("X = 1\n", False)):
            monkeypatch.setattr(kernels, "source", lambda *names, added=added, **form: added + plain(*names, **form))
            exhaustive.digest_of.cache_clear()
            assert (exhaustive.digest_of(slopes.tanh, "kernel") == digest) == is_kept
    finally:
        exhaustive.digest_of.cache_clear()


def test_the_digest_is_of_the_body_and_of_the_code_of_a_reading():
    @slopes.activation(same_as=slopes.tanh.same_as)
    def own(x):
        """The hyperbolic tangent, with few digits near 0."""
        return 2 * slopes.ops.sigmoid(2 * x) - 1

    own.derivative(slopes.tanh.slope_body)
    digests = {exhaustive.digest_of(card, reading) for card in (slopes.tanh, own) for reading in READINGS}
    assert len(digests) == 2 * len(READINGS)


def test_the_digest_is_of_the_functions_that_a_kernel_calls():
    coefficients = "SERIES = (1, 2)\nOTHER = (3, 4)\n"
    functions = dedent("""
        ONE = number(1.0)
        whole, part = halves(ONE)
        series = polynomial(coefficients.SERIES)


        @inlined
        def curve(x):
            return series(x) + part


        def line(x):
            return coefficients.OTHER
    """)
    kernel = "from functions import curve, line\n\n\ndef kernel(x):\n    return curve(x)\n"
    called = exhaustive.called_by([kernel], [coefficients, functions])
    assert [text.split(" = ")[0] for text in called] == [
        "@inlined\ndef curve(x):\n    return series(x) + part", "ONE", "SERIES", "series", "whole, part",
    ]  # fmt: skip
    for name in ("sin", "exp", "bits_of", "OPTIONS"):  # of real modules, as Numba's intrinsics are
        assert exhaustive.called_by([f"{name}(x)"], exhaustive._texts(exhaustive.ARITHMETIC))


def test_the_last_number_is_reached():
    assert exhaustive._numbers(2**32 - 2, 2**32).view(np.uint32).tolist() == [2**32 - 2, 2**32 - 1]


def test_the_command_writes_the_file_and_the_page(few, tmp_path):
    page = tmp_path / "accuracy.md"
    page.write_text("# Accuracy\n\nMade by `slopes accuracy`; do not edit.\n\n## Function by function\n\nrows\n")
    for card in ("silu", "relu"):
        outcome = CliRunner().invoke(
            cli.main, ["accuracy", "--exhaustive", card, "--out", few, "--readings", "NumPy,PyTorch"]
        )
        assert outcome.exit_code == 0, outcome.output
        assert card in outcome.output
    text = page.read_text()
    assert text.index("## Function by function\n\nrows") < text.index("## Every float32 number")
    assert "| `silu` | value | NumPy | 0.5 | 1.401298464324817e-45 | 0 | 0 | 0 |" in text
    assert "| `relu` | slope | PyTorch | 0.0 |" in text
    assert {count.card for count in read_counts(few)} == {"silu", "relu"}


def test_the_page_has_whole_counts_alone(few):
    page = PAGE
    half, of_all = (Count("silu", "value", "NumPy", numbers, versions="1") for numbers in (2**12, 2**13))
    assert updating.put_counts(page, []) == updating.put_counts(page, [half]) == page
    text = updating.put_counts(page, [of_all, dataclasses.replace(half, card="relu")])
    assert "Counted: 1 of the " in text
    assert "`silu`" in text
    assert "`relu`" not in text
    assert updating.put_counts(text, [half]) == page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--exhaustive", "softmax"], "--exhaustive takes element-wise activations, got softmax"),
        (["--exhaustive", "relu", "--readings", "numpy"], "no reading 'numpy'; did you mean 'NumPy'?"),
        (["--exhaustive", "relu", "--update"], "--exhaustive takes neither --against nor --update"),
        (["relu", "--readings", "NumPy"], "--readings goes with --exhaustive"),
        (["--exhaustive", "relu", "--out", "nowhere/x.csv"], "cannot write 'nowhere/x.csv': no such folder"),
    ],
)
def test_wrong_options_are_named(arguments, message):
    outcome = CliRunner().invoke(cli.main, ["accuracy", *arguments])
    assert outcome.exit_code == 2
    assert message in outcome.output


def test_counts_add_up():
    first, second = (
        Count("f", "value", "NumPy", 4, 1, 0, 0, 1, 0.7, "1.0"),
        Count("f", "value", "NumPy", 6, 2, 1, 0, 0, 1.5, "2.0"),
    )
    assert first + second == second + first == Count("f", "value", "NumPy", 10, 3, 1, 0, 1, 1.5, "2.0")
