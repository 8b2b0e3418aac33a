"""Kernels for GPUs, on a machine without one: Triton's interpreter runs them, and its compiler translates them."""

import importlib.util
import os
import pathlib
import re
import subprocess
import sys
from importlib.metadata import version

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

import slopes
from slopes import kernels
from slopes.catalogue import ACTIVATIONS, LOSSES
from slopes.kernels.programs import is_number, source_and_numbers
from test_trace import CASES

HERE = pathlib.Path(__file__).parent
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 3.0, -3.0, 1.0, -1.0, 0.5, -0.5, 6.0]
KINDS = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16", "float64": "fp64"}
ONE_BY_ONE = [card for card in dict.fromkeys(ACTIVATIONS.values()) if not card.rowwise]


def needs_triton():
    pytest.importorskip("triton", "3.4")


def ulps(result, exact):
    dtype = result.dtype
    with np.errstate(all="ignore"):
        rounded = exact.astype(dtype)
        unit = np.spacing(np.maximum(np.abs(rounded), np.finfo(dtype).tiny)).astype(np.float64)
        error = np.abs(result.astype(np.float64) - exact) / unit
    return np.where((result == rounded) | (np.isnan(result) & np.isnan(rounded)), 0.0, error)


@np.errstate(all="ignore")
def judge(name, results):
    """Return the faults of a kernel's results, beside those of NumPy in float64."""
    base, _, number = name.partition(" by ")
    card = ACTIVATIONS[base]
    parameters = {next(iter(card.settings)): float(number)} if number else {}
    x, cotangent = (results[name].astype(np.float64) for name in ("x", "cotangent"))
    value, slope = card(x, **parameters), card.slope(x, **parameters)
    rounded = slope.astype(results["x"].dtype)
    exact = np.where(np.isinf(rounded), rounded, slope) * cotangent  # a product with an infinite slope is infinite
    wide = results["x"].dtype == np.float64
    values, pulled = ulps(results["value"], value), ulps(results["vjp"], exact)
    turning = base == "snake" and wide  # near a root of the slope after many turns the library's sine has no digits
    at_root = np.abs(slope) < 0.3 if turning else (np.abs(slope) < 0.15) & (np.abs(x) < 4)
    near = np.abs((results["vjp"] - exact)[at_root & np.isfinite(exact)])
    faults = []
    if values.max() > (4 if wide else 2):
        faults.append(f"value off by {values.max():.3g} ulp at {x[values.argmax()]!r}")
    pulled = np.where(at_root, 0.0, pulled)
    if pulled.max() > (9 if turning else 6 if wide else 3):  # the phase of a huge product is a sum of sines
        faults.append(f"gradient off by {pulled.max():.3g} ulp at {x[pulled.argmax()]!r}")
    if near.max(initial=0) > 2.0 ** (-50 if wide else -23):
        faults.append(f"gradient off by {near.max():.3g} near a root")
    nought = (value == 0) & (results["value"] == 0) & ((x != 0) | (base not in ("elu", "selu")))
    if (np.signbit(value) != np.signbit(results["value"]))[nought].any():
        faults.append("a zero has the other sign")
    return faults


def run_interpreter(folder, kind):
    needs_triton()
    path = os.pathsep.join([*sys.path, str(HERE)])
    outcome = subprocess.run(
        [sys.executable, HERE / "interpreted.py", folder, kind],
        env=os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": path}, capture_output=True, text=True,
    )  # fmt: skip
    assert outcome.returncode == 0, outcome.stderr
    found = {}
    for file in sorted(folder.glob("*.npz")):
        with np.load(file) as results:
            found[file.stem] = dict(results)
    assert len(found) >= len(ONE_BY_ONE)
    return found


@np.errstate(all="ignore")
def judge_half_type(name, x, output, came):
    """Return faults of the results for all numbers x of a half type; these may be wider."""
    base, _, number = name.partition(" by ")
    card = ACTIVATIONS[base]
    parameters = {next(iter(card.settings)): float(number)} if number else {}
    function = card if output == "value" else card.slope
    nearest, exact = function(x, **parameters), torch.from_numpy(function(x.double().numpy(), **parameters))
    rounded = came.to(x.dtype)
    # beyond the digits of float32 lie what decides a tie, and the digits of a parameter
    is_same = (rounded == nearest) | (rounded == exact.float().to(x.dtype)) | (rounded.isnan() & nearest.isnan())
    is_near = (came.double() - exact).abs() < 2.0**-20  # beside a root of a slope, whose terms cancel
    steps = [y.view(torch.int16).int() for y in (rounded, nearest)]
    first, second = (torch.where(each < 0, -(each & 0x7FFF), each) for each in steps)
    away = torch.where(is_same | (is_near & (exact.abs() > 1e-30)), 0, (first - second).abs())
    share, worst = float(is_same.double().mean()), int(away.max())
    faults = [] if share >= 0.999 else [f"{share:.5f} are the nearest number"]
    faults += [f"{worst} steps away at {float(x[away.argmax()])!r}"] * (worst > 1)
    sign = rounded.signbit()  # far from 0 float64 has underflowed; at −0.0 libraries differ
    turned = (rounded == 0) & (sign != exact.signbit()) & ((exact != 0) | (sign != x.signbit()))
    faults += [f"{int(turned.sum())} zeros have the other sign, one at {at!r}" for at in x[turned].tolist()[:1]]
    return [f"{name} {output} {x.dtype}: {fault}" for fault in faults]


def test_results_of_half_types_are_nearly_always_the_nearest_number(tmp_path):
    faults = []
    for name, results in run_interpreter(tmp_path, "half types").items():
        for kind in ("float16", "bfloat16"):
            x = torch.from_numpy(results[f"x {kind}"]).to(getattr(torch, kind))
            for output in ("value", "vjp"):
                faults += judge_half_type(name, x, output, torch.from_numpy(results[f"{output} {kind}"]))
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("dtype", ["float32", pytest.param("float64", marks=pytest.mark.exhaustive)])
def test_kernels_in_the_interpreter_compute_what_numpy_does(tmp_path, dtype):
    faults = {name: judge(name, results) for name, results in run_interpreter(tmp_path, dtype).items()}
    assert not {name: found for name, found in faults.items() if found}


def sources(card, dtype):
    """Yield (source, types of its pointers and numbers) of a card's kernels, with parameters of their own, too."""
    others = {name: 1.25 * value for name, value in card.settings.items() if is_number(value)}
    for output, count in (("value", 2), ("vjp", 3)):
        for parameters in ({}, others) if others else ({},):
            source, numbers = source_and_numbers(card, (output,), dtype, parameters, "triton")
            yield source, [f"*{KINDS[dtype]}", *["fp64"] * len(numbers), *[f"*{KINDS[dtype]}"] * (count - 1)]


@pytest.fixture
def machine_code(monkeypatch, tmp_path, capsys):
    """Return a function that gives the code of a kernel just compiled, and refuses numbers that fit no register."""
    needs_triton()
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("TRITON_DUMP_PTXAS_LOG", "1")

    def machine_code(compiled, most=0):
        spilled = list(map(int, re.findall(r"(\d+) bytes spill stores", capsys.readouterr().out)))
        assert spilled
        assert max(spilled) <= most
        return compiled.asm["ptx"]

    return machine_code


@pytest.fixture
def compile_kernel(machine_code):
    from slopes.kernels.gpu import launching

    def compile_kernel(source, types, capability=90, is_aligned=True):
        return machine_code(launching.compile_for(source, types, capability, is_aligned))

    return compile_kernel


def with_capabilities(cards):
    """Return parameters for each generation; all but a few cards on one are exhaustive."""
    chosen = [pytest.param(card, 80, marks=pytest.mark.exhaustive, id=f"{card.name}-80") for card in cards]
    for place, card in enumerate(cards):
        marks = [pytest.mark.exhaustive] * (card.name not in ("silu", "snake"))
        chosen.insert(2 * place + 1, pytest.param(card, 90, marks=marks, id=f"{card.name}-90"))
    return chosen


@pytest.mark.parametrize(("chosen", "capability"), with_capabilities(ONE_BY_ONE))
def test_kernels_compile_without_a_gpu_and_round_as_ieee_754_says(chosen, capability, compile_kernel):
    flushed = r"(?<!div\.rn)\.ftz\.f32" if version("triton") < "3.6" else r"\.ftz\.f32"  # then quotients were, too
    for dtype in KINDS:
        for source, types in sources(chosen, dtype):
            code = compile_kernel(source, types, capability)
            assert re.search(r"ld\.global\.v[24]\.", code)
            if dtype in ("float16", "bfloat16"):
                continue  # by the device's own functions
            assert "approx" not in code.replace("rcp.approx.ftz.f64", "")  # the start of a division in float64
            assert not re.search(rf"{flushed}|div\.full", code)


@pytest.mark.parametrize("name", ["mish", pytest.param("snake", marks=pytest.mark.exhaustive)])
def test_kernels_of_pointers_at_any_address_read_entries_one_by_one(name, compile_kernel):
    for dtype in KINDS:
        for source, types in sources(ACTIVATIONS[name], dtype):
            assert not re.search(r"ld\.global\.v\d", compile_kernel(source, types, is_aligned=False))


@pytest.fixture
def benchmark(monkeypatch):
    """Return benchmarks/gpu.py as a module."""
    monkeypatch.syspath_prepend(str(HERE.parent / "benchmarks"))
    spec = importlib.util.spec_from_file_location("benchmark_of_gpus", HERE.parent / "benchmarks" / "gpu.py")
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    return benchmark


def test_the_benchmark_has_a_row_for_each_contender(benchmark, monkeypatch):
    monkeypatch.setattr(benchmark, "DEVICE", "cpu")
    monkeypatch.setattr(benchmark, "time_calls", lambda call, count: (call(), 1.5)[1])
    for name in ("synchronize", "reset_peak_memory_stats", "empty_cache"):
        monkeypatch.setattr(torch.cuda, name, lambda: None)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: 1_000_000)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 6_000_000)
    monkeypatch.setattr(torch, "compile", lambda function: function)
    for name, value in (("ROWS", ((16, 10),)), ("ENTRIES", 64), ("LAST_LAYER", (16, 8, 10))):
        monkeypatch.setattr(benchmark, name, value)
    rows = [*benchmark.measure_losses([], 1), *benchmark.measure_last_layer(1), *benchmark.measure(["gelu"], [64], 1)]
    assert len({tuple(row) for row in rows}) == 1, "the columns of the file"
    ours = [row for row in rows if row["contender"] == "slopes"]
    assert [row["work"] for row in ours[:6]] == [
        "cross_entropy", "softmax", "log_softmax", "mse", "huber", "binary_cross_entropy",
    ]  # fmt: skip
    assert {row["MB"] for row in ours} == {"5"}
    assert [row["share"] for row in rows if row["work"] == "linear_loss"] == ["1.000"] * 3
    assert not list(benchmark.measure_losses(["gelu"], 1))


def test_the_benchmark_times_several_calls_and_leaves_out_who_lacks_memory(benchmark, monkeypatch, capsys):
    counts, calls = [], []

    def time_calls(call, count):
        call()
        counts.append(count)
        return 1.3

    def lack(after):
        calls.append(after)
        if len(calls) > after:
            raise torch.OutOfMemoryError

    monkeypatch.setattr(benchmark, "time_calls", time_calls)
    for after in (0, 5):
        calls.clear()
        contenders = {"eager": lambda: lack(after), "slopes": lambda: None}  # noqa: B023
        times = benchmark.take_turns("snake", contenders, rounds=4)
        assert times == {"slopes": 1300.0}
        assert capsys.readouterr().out == "snake by eager is left out: it needs more memory than there is\n"
    assert set(counts) == {3, 10}


@pytest.mark.parametrize("some", ["few", pytest.param("all", marks=pytest.mark.exhaustive)])
def test_kernels_of_rows_in_the_interpreter_compute_what_their_programs_say(some):
    """Programs of cards of rows, and calls of losses, maps and modules with gradients."""
    needs_triton()
    path = os.pathsep.join([*sys.path, str(HERE)])
    outcome = subprocess.run(
        [sys.executable, HERE / "interpreted_losses.py", some],
        env=os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": path}, capture_output=True, text=True,
    )  # fmt: skip
    assert (outcome.returncode, outcome.stdout) == (0, ""), outcome.stdout + outcome.stderr


#: cards of rows with a kernel, and whether their targets are labels
ROWS = [case for case in CASES if case[0].name != "crps_ensemble"]
ROWS = [
    pytest.param(
        card, labels, id=f"{card.name}-{labels}", marks=[pytest.mark.exhaustive] * ((card.name, labels) != ("poly1", True))
    )
    for card, labels in ROWS
]  # fmt: skip


@pytest.mark.parametrize(("chosen", "labels"), ROWS)
def test_kernels_of_rows_compile_without_a_gpu(chosen, labels, machine_code):
    from slopes.kernels.gpu.rows import GpuRowKernel

    outputs = ("value",) if chosen.slope_body is None else ("value", "vjp")
    for dtype, kind, width in (
        ("float32", "*fp32", 10), ("float32", "*fp32", 8000), ("float32", "*bf16", 100_000), ("float64", "*fp64", 4000),
    ):  # fmt: skip
        recorded = kernels.program(chosen, *outputs, dtype=dtype, arithmetic=dtype, labels=labels)
        kernel = GpuRowKernel(recorded, (), chosen.name)
        lines = [*recorded.arrays, *recorded.results]
        per_row = "*fp32" if kind == "*bf16" else kind
        types = ["*i64" if x.dtype == "int64" else kind if x.per == "entry" else per_row for x in lines]
        code = machine_code(kernel.compile(width, types, capability=90), most=512)  # of the longest bodies in float64
        machine_code(kernel.compile(width, ["*fp32", *types], capability=90, is_repeated=True), most=512)
        if kind == "*fp32":
            assert "approx" not in code.replace("rcp.approx.ftz.f64", "")
            assert not re.search(r"(?<!div\.rn)(?<!abs)\.ftz\.f32|div\.full", code)


LOSSES_ONE_BY_ONE = [
    pytest.param(card, marks=[pytest.mark.exhaustive] * (card.name != "huber"), id=card.name)
    for card in dict.fromkeys(LOSSES.values())
    if not card.rowwise
]


@pytest.mark.parametrize("chosen", LOSSES_ONE_BY_ONE)
def test_kernels_of_losses_compile_without_a_gpu(chosen, machine_code):
    from slopes.kernels.gpu.losses import GpuLossKernel

    others = {name: 1.25 * value for name, value in chosen.settings.items() if is_number(value)}
    for dtype, kind, wide in (
        (torch.float32, "*fp32", "*fp64"), (torch.bfloat16, "*bf16", "*fp32"), (torch.float64, "*fp64", "*fp64")
    ):  # fmt: skip
        seen = set()
        for parameters in ({}, others) if others else ({},):
            kernel = GpuLossKernel(chosen, chosen.settings | parameters, dtype)
            given = [kind] * len(chosen._arguments)
            for output, rest in (
                ("total", [wide]), ("value", [kind]), ("vjp", [kind, kind]), ("gradient", ["*fp64", kind])
            ):  # fmt: skip
                source = kernel.source(output)
                if source not in seen:  # Triton keeps what it has compiled
                    machine_code(kernel.compile(output, [*given, *rest], capability=90), most=512)  # powers need many
                seen.add(source)


class Compiled:
    """A kernel of which a driver loads no machine code for x and a gradient."""

    def __init__(self, types):
        self.types = types

    def __getitem__(self, grid):
        if len(self.types) == 3:
            raise RuntimeError("no machine code")


def compile_value_alone(source, types, **options):
    if len(types) == 3:
        raise RuntimeError("no machine code")
    return Compiled(types)


@pytest.mark.parametrize("compile_for", [compile_value_alone, lambda source, types, **options: Compiled(types)])
def test_a_backward_without_machine_code_is_known_in_the_forward(monkeypatch, compile_for):
    from slopes.kernels.gpu import launching
    from slopes.kernels.tensors import gpu

    monkeypatch.setattr(launching, "is_available", lambda device: True)
    monkeypatch.setattr(launching, "compile_for", compile_for)
    launching.gpu_kernel.cache_clear()
    with pytest.warns(UserWarning, match="without kernels on this GPU, as Triton failed: no machine code"):
        assert gpu.find(slopes.mish, {}, torch.ones(5000)) is None
    launching.gpu_kernel.cache_clear()


def test_the_source_is_shown():
    source = kernels.source(slopes.silu, "value", language="triton")
    assert "= silu(x)" in source
    assert "import triton.language as tl" in source
    wide = kernels.source(slopes.silu, "value", dtype="float64", language="triton")
    assert "2.09147553258932e-09" in wide
    assert "2.09147553258932e-09" not in source  # only the polynomials of its own arithmetic
    with pytest.raises(ValueError, match="language must be 'numba' or 'triton', got 'cuda'"):
        kernels.source(slopes.silu, "value", language="cuda")
    with pytest.raises(kernels.TraceError, match="silu cannot be traced"):
        kernels.source(slopes.silu, "value", dtype="float16")  # Numba has no half types
    rows = kernels.source(slopes.softmax, "value", language="triton")
    assert "tl.sum(" in rows
    assert "for _start" not in rows
    with pytest.raises(kernels.TraceError, match="it uses ranks, and GPUs have no kernel of rows with that"):
        kernels.source(slopes.crps_ensemble, "value", language="triton")


def test_half_types_are_computed_in_float32_alone():
    for card in (slopes.squareplus, slopes.softsign, slopes.xielu):
        for output in ("value", "vjp"):
            assert "tl.float64" not in kernels.source(card, output, dtype="bfloat16", language="triton")
    assert "tl.float64" in kernels.source(slopes.softsign, "vjp", dtype="float32", language="triton")
    assert "* 0.16666666666666666" in kernels.source(slopes.hard_swish, "value", dtype="float16", language="triton")
    assert "divided" in kernels.source(slopes.hard_swish, "value", dtype="float32", language="triton")


def test_printing_imports_neither_triton_nor_numba():
    script = (
        "import sys; sys.modules.update(dict.fromkeys(('triton', 'numba')))\n"
        "import slopes\n"
        "print(slopes.kernels.source(slopes.gelu, 'vjp', language='triton'))"
    )
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr
    assert "normal_gate_slope(x)" in outcome.stdout
