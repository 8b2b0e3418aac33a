"""Connectionist temporal classification: all alignments, lengths, what does not count, digits and refusals."""

import itertools
import math

import pytest

import slopes

torch = pytest.importorskip("torch")
ctc_loss = torch.nn.functional.ctc_loss

torch.manual_seed(0)
LOGITS = torch.randn(3, 6, 4, dtype=torch.float64)
LABELS = torch.tensor([[1, 2, 2], [3, 1, 0], [2, 0, 0]])
HEARD, SPOKEN = torch.tensor([6, 5, 4]), torch.tensor([3, 2, 1])
LENGTHS = {"input_lengths": HEARD, "target_lengths": SPOKEN}


def chance(logits, labels, blank=0):
    """The chance of the labels, as the sum over all ways through the frames."""
    chances, total = logits.softmax(-1).tolist(), 0.0
    for path in itertools.product(range(len(chances[0])), repeat=len(chances)):
        if [label for label, _ in itertools.groupby(path) if label != blank] == labels:
            total += math.prod(row[label] for row, label in zip(chances, path, strict=True))
    return total


@pytest.mark.parametrize("blank", [0, 3])
def test_it_sums_over_all_alignments(blank):
    labels = LABELS if blank == 0 else LABELS - 1
    each = slopes.ctc(LOGITS, labels, blank=blank, reduction="none", **LENGTHS)
    for logits, row, heard, spoken, value in zip(LOGITS, labels, HEARD, SPOKEN, each, strict=True):
        assert math.exp(-value) == pytest.approx(chance(logits[:heard], row[:spoken].tolist(), blank), rel=1e-12)
    assert slopes.ctc(LOGITS, labels, blank=blank, **LENGTHS) == pytest.approx(float(each.mean()), rel=1e-14)
    assert slopes.ctc(LOGITS, labels, blank=blank, reduction="sum", **LENGTHS) == pytest.approx(float(each.sum()))


def test_the_mean_of_pytorch():
    due = ctc_loss(LOGITS.transpose(0, 1).log_softmax(-1), LABELS, HEARD, SPOKEN)
    assert slopes.ctc(LOGITS, LABELS, weight=1 / SPOKEN.double(), divisor=3, **LENGTHS) == pytest.approx(float(due))


def test_all_frames_and_labels_count_by_default():
    full = torch.tensor([[1, 2, 2], [3, 1, 2], [2, 1, 3]])
    due = slopes.ctc(LOGITS, full, input_lengths=torch.tensor([6] * 3), target_lengths=torch.tensor([3] * 3))
    assert slopes.ctc(LOGITS, full) == due
    padded = torch.where(torch.arange(3) < SPOKEN[:, None], LABELS, -100)
    due = slopes.ctc(LOGITS, LABELS, **LENGTHS)
    assert slopes.ctc(LOGITS, padded, ignore_index=-100, input_lengths=HEARD) == due


def test_the_gradient_is_that_of_differences():
    leaf = LOGITS.clone().requires_grad_()
    slopes.ctc(leaf, LABELS, **LENGTHS).backward()
    for place in ((0, 0, 0), (0, 5, 2), (1, 2, 3), (2, 3, 1), (2, 4, 1)):
        step = torch.zeros_like(LOGITS)
        step[place] = 1e-6
        both = [slopes.ctc(LOGITS + sign * step, LABELS, **LENGTHS) for sign in (1, -1)]
        assert float(leaf.grad[place]) == pytest.approx(float(both[0] - both[1]) / 2e-6, abs=1e-8)
    assert not leaf.grad[2, 4:].any()


@pytest.mark.parametrize("way", ["mask", "weight"])
def test_what_does_not_count_may_be_anything(way):
    logits, labels = LOGITS.clone(), LABELS.clone()
    logits[1], logits[2, 4:], labels[1], labels[2, 1:] = math.nan, math.inf, torch.tensor([9, -1, 0]), 7
    logits.requires_grad_()
    counts = torch.tensor([True, False, True])
    loss = slopes.ctc(logits, labels, **LENGTHS, **{way: counts if way == "mask" else counts.double()})
    assert loss.item() == pytest.approx(float(slopes.ctc(LOGITS, LABELS, reduction="none", **LENGTHS)[counts].mean()))
    loss.backward()
    assert logits.grad.isfinite().all()
    assert not logits.grad[1].any()
    assert not logits.grad[2, 4:].any()


def test_sequences_that_are_too_short():
    labels = torch.tensor([[1, 2, 2], [1, 2, 3], [3, 2, 1]])
    with pytest.raises(ValueError, match=r"^ctc: sequence 0 has 3 frames, but its labels need 4, one each and a blank"):
        slopes.ctc(LOGITS[:, :3], labels)
    each = slopes.ctc(LOGITS[:, :3], labels, impossible="skip", reduction="none")
    assert each[0] == 0
    leaf = LOGITS[:, :3].clone().requires_grad_()
    loss = slopes.ctc(leaf, labels, impossible="skip")
    assert loss.item() == pytest.approx(float(each[1:].mean()))
    loss.backward()
    assert leaf.grad.isfinite().all()
    assert not leaf.grad[0].any()


def test_digits_of_a_gradient_over_many_frames():
    torch.manual_seed(0)
    logits, labels = 3 * torch.randn(2, 500, 32), torch.randint(1, 32, (2, 80))
    heard, spoken = torch.full((2,), 500), torch.full((2,), 80)

    def gradient(function, dtype):
        leaf = logits.to(dtype).requires_grad_()
        (found,) = torch.autograd.grad(function(leaf), leaf)
        return found.double()

    def pytorchs(x):
        return ctc_loss(x.transpose(0, 1).log_softmax(-1), labels, heard, spoken, reduction="sum")

    exact = gradient(pytorchs, torch.float64)
    assert (gradient(pytorchs, torch.float32) - exact).abs().max() > 5e-4
    mine = gradient(lambda x: slopes.ctc(x, labels, reduction="sum"), torch.float32)
    assert (mine - exact).abs().max() < 1e-7


def test_nothing():
    assert slopes.ctc(LOGITS[:0], LABELS[:0]) == 0
    no_labels = slopes.ctc(LOGITS, LABELS[:, :0], reduction="none")
    torch.testing.assert_close(no_labels, -LOGITS.log_softmax(-1)[..., 0].sum(1))
    assert slopes.ctc(LOGITS, LABELS, mask=torch.zeros(3, dtype=torch.bool), **LENGTHS) == 0
    assert slopes.ctc(LOGITS.half(), LABELS, **LENGTHS).dtype == torch.float16


def test_torch_compile():
    compiled = torch.compile(lambda x: slopes.ctc(x, LABELS, **LENGTHS), backend="eager")
    torch.testing.assert_close(compiled(LOGITS), slopes.ctc(LOGITS, LABELS, **LENGTHS))


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((LOGITS.transpose(0, 1), LABELS), {}, ValueError, r".*; prediction.transpose\(0, 1\) puts the sequences first$"),
        ((LOGITS, LABELS[0]), {}, ValueError, r"prediction \(3, 6, 4\) and target \(3,\) must have the shapes"),
        ((LOGITS[:, :0], LABELS), {}, ValueError, r"prediction \(3, 0, 4\) has no frames"),
        ((LOGITS.numpy(), LABELS), {}, TypeError, "prediction must be a torch tensor here"),
        ((LOGITS, LABELS.double()), {}, TypeError, "target must hold integer labels, got dtype torch.float64"),
        ((LOGITS, LABELS), {}, ValueError, r"label must lie in \[0, 3\] and differ from the blank, 0, got 0"),
        ((LOGITS, LABELS + 2), {}, ValueError, r"label must lie in \[0, 3\] and differ from the blank, 0, got 4"),
        ((LOGITS, LABELS), {"blank": 4}, ValueError, "blank must be a class from 0 to 3, got 4"),
        ((LOGITS, LABELS), {"blank": 1.0}, ValueError, "blank must be a class from 0 to 3, got 1.0"),
        ((LOGITS, LABELS), {"input_lengths": HEARD + 1}, ValueError, r"input_lengths must lie in \[0, 6\], got 7"),
        ((LOGITS, LABELS), {"target_lengths": HEARD[:2]}, ValueError, r"target_lengths must be \(3,\) integers, .* \(2,\)"),
        ((LOGITS, LABELS), {"ignore_index": 2}, ValueError, "label must stand before those that are ignored, 2, got 0"),
        ((LOGITS, LABELS), {"ignore_index": "2"}, TypeError, "ignore_index must be an integer, got '2'"),
        ((LOGITS, LABELS), {"impossible": "zero"}, ValueError, "impossible must be one of 'refuse', 'skip', got 'zero'"),
        ((LOGITS, LABELS), {"reduction": "avg", **LENGTHS}, ValueError, "reduction must be one of"),
        ((LOGITS, LABELS), {"mask": HEARD > 0, "divisor": -1, **LENGTHS}, ValueError, "divisor must be >= 0"),
        ((LOGITS, LABELS), {"weight": LOGITS, **LENGTHS}, ValueError, "weight .* must have the shape of the unreduced"),
    ],
)  # fmt: skip
def test_refusals(arguments, options, error, message):
    with pytest.raises(error, match=f"^ctc: {message}"):
        slopes.ctc(*arguments, **options)
