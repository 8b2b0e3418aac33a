"""Run Triton kernels of losses and maps in Triton's interpreter: `python interpreted_losses.py all`, or few, by a test.

It prints each fault; the environment has TRITON_INTERPRET=1.
"""

import sys
import warnings

import numpy as np
import torch

import slopes
from helpers import is_map
from interpreted import fused  # noqa: F401  (a fused multiply-add as a GPU has it)
from slopes.catalogue import LOSSES
from slopes.fast import entries
from slopes.fast import rows as fast
from slopes.kernels.gpu import losses
from slopes.kernels.gpu.loading import load
from slopes.kernels.gpu.rows import GpuRowKernel, Tile, print_triton_row_kernel, runs_a_kernel
from slopes.kernels.printing.triton import BLOCK
from slopes.kernels.programs import is_number, program
from slopes.kernels.rows import row_kernel
from slopes.readings.program import evaluate
from slopes.readings.trace import TraceError
from test_trace import CASES, rows_of

#: cards that need the ranks of a row's entries
LACKING = {"crps_ensemble"}
#: rows whole, several in a tile; and block by block
TILES = (None, Tile(1, 4, False))


def launch(source, tile, given, numbers, results, factor=()):
    width = given[0].shape[-1]
    count = given[0].numel() // width
    with np.errstate(all="ignore"):
        load(source)[(-(-count // tile.rows),)](*factor, *given, *numbers, *results, count, width)


def run(self, factor, given, results):
    """`GpuRowKernel._run` without a GPU."""
    width, is_coarse = given[0].shape[-1], given[0].dtype in (torch.float16, torch.bfloat16)
    launch(self.source(width, is_coarse, bool(factor)), self.tile(width), given, self.numbers, results, factor)


def faults_of_programs(cases):
    lacking = set()
    for card, labels in cases:
        arguments = rows_of(card, labels)
        outputs = ("value",) if card.slope_body is None else ("value", "vjp")
        if not is_map(card) and len(outputs) > 1:
            arguments.append(np.linspace(0.0, 1.0, 7))  # a row whose cotangent is 0 is not read
        recorded = program(card, *outputs, labels=labels)
        exact = evaluate(recorded, **dict(zip(recorded.inputs, arguments, strict=True)))
        try:
            kernel = GpuRowKernel(recorded, (), card.name)
        except TraceError:
            lacking.add(card.name)
            continue
        given = [torch.from_numpy(np.ascontiguousarray(x)) for x in arguments]
        given = [x.double() if x.is_floating_point() else x.long() for x in given]
        for tile in TILES:
            tile = tile or kernel.tile(given[0].shape[-1])
            results = [
                torch.full(given[0].shape[: len(given[0].shape) - (line.per == "row")], 7.0, dtype=torch.float64)
                for line in kernel.outputs
            ]
            launch(print_triton_row_kernel(kernel._split, card.name, tile), tile, given, (), results)
            for (name, _), came in zip(recorded.outputs, results, strict=True):
                due = np.broadcast_to(exact[name], came.shape)
                if not is_map(card) and len(outputs) > 1:
                    due = np.where(arguments[-1].reshape(-1, *[1] * (due.ndim - 1)) == 0, 0.0, due)
                if not np.allclose(came, due, rtol=1e-12, atol=1e-14 * max(1.0, np.nanmax(abs(due))), equal_nan=True):
                    yield f"{card.name} {labels} {name} {tile}: {np.nanmax(abs(came.numpy() - due))}"
    if lacking != LACKING & {card.name for card, _ in cases}:
        yield f"without a kernel: {sorted(lacking)}"


def faults_of_labels():
    """A label that is none of the classes makes the loss of its row NaN, unless the row does not count."""
    logits, labels = torch.randn(4, 6), torch.tensor([0, 6, -1, 5])
    kernel = row_kernel(slopes.cross_entropy, ("value", "vjp"), "float32", labels=True, language="triton")
    values, rows = kernel(logits, labels, torch.tensor([1.0, 1.0, 0.0, 1.0]))
    if values.isnan().tolist() != [False, True, False, False] or values[2] or rows[2].any():
        yield f"labels that are no classes: {values}"


def faults_of_the_trial():
    """A GPU is tried by a small kernel, and one that fails or is wrong is not used."""
    good, results = GpuRowKernel._run, []
    for attempt in (good, lambda *given: None, lambda *given: 1 / 0):
        GpuRowKernel._run = attempt
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            runs = runs_a_kernel(torch.device("cpu"))
        results.append((runs, [str(each.message).partition("failed: ")[2] for each in told]))
    GpuRowKernel._run = good
    if results != [(True, []), (False, ["a kernel gave wrong numbers"]), (False, ["division by zero"])]:
        yield f"the trial of a GPU: {results}"


def near(came, due, tolerance):
    if came.shape != due.shape or not torch.allclose(came.double(), due.double(), rtol=tolerance, atol=tolerance):
        return f"off by {(came.double() - due.double()).abs().max()}"
    return "" if came.dtype == due.dtype else f"a result of {came.dtype}"


def faults_of_calls():
    """Compare losses and maps of tensors by the kernels, as a GPU computes them, with the general path."""
    torch.manual_seed(0)
    labels = torch.randint(12, (40,))
    labels[3], mask = -100, torch.arange(40) % 3 > 0
    weight, wide = torch.rand(40) * mask, torch.rand(12)
    calls = {
        "mean": lambda x: slopes.cross_entropy(x, labels.clamp(min=0)),
        "sum": lambda x: slopes.cross_entropy(x, labels.clamp(min=0), reduction="sum"),
        "ignored": lambda x: slopes.cross_entropy(x, labels, ignore_index=-100),
        "mask": lambda x: slopes.cross_entropy(x, labels, mask=mask),
        "weight": lambda x: slopes.cross_entropy(x, labels.clamp(min=0), weight=weight.to(x.dtype)),
        "class weight": lambda x: slopes.cross_entropy(x, labels.clamp(min=0), class_weight=wide.to(x.dtype)),
        "smoothing": lambda x: slopes.cross_entropy(x, labels.clamp(min=0), label_smoothing=0.1),
        "none": lambda x: slopes.cross_entropy(x, labels.clamp(min=0), reduction="none"),
        "a parameter": lambda x: slopes.softmax_focal(x, labels.clamp(min=0), gamma=2.0),
        "another": lambda x: slopes.poly1(x, labels.clamp(min=0), epsilon=0.3),
        "rows": lambda x: slopes.kl_div(x, wide.softmax(0).expand(40, 12).to(x.dtype)),
        "an axis": lambda x: slopes.cross_entropy(x.reshape(4, 10, 12).movedim(-1, 1), labels.reshape(4, 10).clamp(min=0), axis=1),
        "vectors": lambda x: slopes.cosine(x, wide.expand(40, 12).to(x.dtype)),
        "a map": lambda x: slopes.softmax(x),
        "a map along an axis": lambda x: slopes.log_softmax(x, axis=0),
        "value and slope": lambda x: slopes.cross_entropy.value_and_slope(x.detach(), labels.clamp(min=0))[1],
        "a module": lambda x: slopes.nn.CrossEntropyLoss()(x.repeat(40, 1), labels.repeat(40)),
        "a module's labels": lambda x: slopes.nn.CrossEntropyLoss(weight=wide.to(x.dtype))(
            x.repeat(40, 1), labels.repeat(40)
        ),
    }  # fmt: skip
    used = set()

    def counted(self, *given):
        used.add(current)
        return plain_run(self, *given)

    GpuRowKernel._run = counted
    languages, plain_run = fast.language_of, run
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 2e-6), (torch.bfloat16, 1e-2)):
        for name, call in calls.items():
            current = name
            x, found = (torch.randn(40, 12) * 3).to(dtype), []
            for language in ("triton", ""):
                leaf = x.clone().requires_grad_()
                fast.language_of = lambda x, language=language: language
                for card in slopes.catalogue.CARDS.values():
                    card.cache.clear()
                value = call(leaf)
                found.append([value.detach()])
                for first in (0.5, 1.0) if value.requires_grad else ():  # the graph is kept at first
                    cotangent = torch.linspace(first, 1.5, value.numel(), dtype=value.dtype).reshape(value.shape)
                    found[-1] += torch.autograd.grad(value, leaf, cotangent, retain_graph=first == 0.5)
                if value.requires_grad:
                    found[-1] += torch.autograd.grad(call(leaf).sum() * 0.3, leaf)
            fast.language_of = languages
            names = ("value", "gradient", "gradient of 1", "gradient by a factor")[: len(found[0])]
            for came, due, what in zip(*found, names, strict=True):
                if fault := near(came, due, tolerance):
                    yield f"{name} {dtype}: {what} {fault}"
    if used != set(calls):
        yield f"by no kernel: {sorted(set(calls) - used)}"


def run_loss(self, output, *tensors):
    """`GpuLossKernel.run` without a GPU."""
    size, count = tensors[0].numel(), len(self._kernel.card._arguments)
    with np.errstate(all="ignore"):
        kernel = load(self.source(output))
        kernel[(-(-size // BLOCK),)](*tensors[:count], *self.numbers, *tensors[count:], size)


def faults_of_losses(cards):
    """Compare element-wise losses by the kernels with the general path in float64."""
    losses.GpuLossKernel.run = run_loss
    entries.language_of = lambda x: "triton"
    lacking = set()
    for card in cards:
        arguments = card.kind.examples(card.settings).sample(np.random.default_rng(0), (3, 700))
        varied = {name: 1.25 * value for name, value in card.settings.items() if is_number(value)}
        for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-6), (torch.bfloat16, 2e-2)):
            given = [torch.from_numpy(x).to(dtype) for x in arguments]
            for reduction in ("mean", "sum", "none"):
                parameters = varied if reduction == "sum" else {}
                leaf, wide = given[0].clone().requires_grad_(), given[0].double().requires_grad_()
                value = entries._run_loss_on_gpu(card, reduction, (leaf, *given[1:]), tuple(parameters.items()))
                if value is None:
                    lacking.add(card.name)
                    continue
                rest = [x.double() for x in given[1:]]
                exact = card.body(wide, *rest, **(card.settings | parameters))
                exact = exact if reduction == "none" else getattr(exact, reduction)()
                cotangent = torch.full_like(value, 0.75)
                pulled = [torch.autograd.grad(value, leaf, cotangent)[0]]
                pulled.append(torch.autograd.grad(exact, wide, cotangent.double())[0].to(dtype))
                for what, came, due in (("value", value.detach(), exact.detach().to(dtype)), ("gradient", *pulled)):
                    scale = float(due.double().abs().max()) or 1.0
                    if fault := near(came / scale, due / scale, tolerance):
                        yield f"{card.name} {reduction} {dtype}: {what} {fault}"
    if lacking:
        yield f"without a kernel: {sorted(lacking)}"


ELEMENTWISE = [card for card in dict.fromkeys(LOSSES.values()) if not card.rowwise]

if __name__ == "__main__":
    step = 1 if sys.argv[1] == "all" else 6
    for fault in (
        *faults_of_programs(CASES[::step]),
        *faults_of_calls(),
        *faults_of_labels(),
        *faults_of_the_trial(),
        *faults_of_losses(ELEMENTWISE[::step]),
    ):
        print(fault)
