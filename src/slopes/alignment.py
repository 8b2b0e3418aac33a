"""Connectionist temporal classification, with PyTorch's sums over alignments."""

from __future__ import annotations

from slopes import kinds
from slopes.domains import OneOf, plain, shown
from slopes.extras import require
from slopes.kinds.base import checked_label, select
from slopes.kinds.spaces import refuse

require("slopes.ctc", "torch")

import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from slopes.readings import torch as r  # noqa: E402

OWNER = "ctc"
IMPOSSIBLE = OneOf(("refuse", "skip"))


def ctc(
    prediction: Tensor, target: Tensor, *, input_lengths: Tensor | None = None, target_lengths: Tensor | None = None,
    blank: int = 0, ignore_index: int | None = None, impossible: str = "refuse", reduction: str = "mean",
    weight: Tensor | None = None, mask: Tensor | None = None, divisor: Tensor | float | None = None,
) -> Tensor:  # fmt: skip
    """Return the loss of connectionist temporal classification: −log of the chance of all alignments of its labels.

    The prediction holds logits (N, T, C) of T frames of each of N sequences, one class being the `blank`; the target
    holds integer labels (N, S). `input_lengths` and `target_lengths`, both (N,), are the numbers of frames and labels
    that count; without them all do, but for labels equal to `ignore_index`, which stand behind the others. Frames and
    labels that do not count may be anything.

    The sums over alignments are PyTorch's, in float64, as its gradient in float32 loses digits frame by frame. There
    are no second derivatives, and torch.compile breaks its graph there.

    A sequence with too few frames for its labels has no alignment, so its loss is infinite: it is refused, or with
    ``impossible="skip"`` does not count. On a GPU, where values are not looked at, "refuse" leaves it infinite.

    `reduction`, `mask`, `weight` and `divisor` are those of all losses, with an entry for each sequence. The mean is
    over sequences, as in Keras. That of PyTorch divides each value by its number of labels first:
    ``ctc(..., weight=1 / target_lengths, divisor=N)``.

    Raises TypeError or ValueError for arguments that do not fit. Source: Graves et al. (2006), "Connectionist Temporal
    Classification", doi:10.1145/1143844.1143891.
    """
    IMPOSSIBLE.check(OWNER, "impossible", impossible)
    logits = r.enter(prediction, f"{OWNER}: prediction")
    given = r.enter(target, f"{OWNER}: target", logits)
    _check_shapes(logits, given)
    (_, frames, classes), labels, blank = logits.shape, given.long(), plain(blank)
    if type(blank) is not int or not 0 <= blank < classes:
        raise ValueError(f"{OWNER}: blank must be a class from 0 to {classes - 1}, got {shown(blank)}")
    heard = _lengths("input_lengths", input_lengths, frames, logits)
    spoken = _lengths("target_lengths", target_lengths, labels.shape[1], logits)
    if ignore_index is not None:
        spoken = _until_ignored(labels, spoken, checked_label(OWNER, ignore_index))
    is_label = _places(labels) < spoken[:, None]
    needed = spoken + (is_label[:, 1:] & (labels[:, 1:] == labels[:, :-1])).sum(1)  # a blank parts equal labels

    batch = kinds.Batch(r, OWNER, logits, (), r.widen(logits)[:, 0, 0], r.result_dtype(logits, loss=True))
    counts = select(batch, weight, mask, heard >= needed if impossible == "skip" else None)
    if counts is not None:  # a sequence that does not count may be anything
        heard, spoken, needed = torch.where(counts, heard, frames), spoken * counts, needed * counts
        is_label = is_label & counts[:, None]
    wrong = is_label & ((labels < 0) | (labels >= classes) | (labels == blank))
    refuse(r, OWNER, "label", labels, wrong, f"must lie in [0, {classes - 1}] and differ from the blank, {blank}")
    r.assert_on_gpu(~wrong, f"{OWNER}: a label is none of the classes, or the blank")
    _refuse_impossible(heard, needed)

    is_frame = _places(logits[..., 0]) < heard[:, None]
    is_frame = is_frame if counts is None else is_frame & counts[:, None]
    logits = r.double(torch.where(is_frame[..., None], logits, 0.0))
    batch.reduce_by(reduction, divisor)
    values = _values(logits, torch.where(is_label, labels, 0), heard, spoken, blank)
    loss: Tensor = r.narrow(batch.reduce(values), batch.dtype)
    return loss


def _values(logits: Tensor, labels: Tensor, heard: Tensor, spoken: Tensor, blank: int) -> Tensor:
    if not len(logits):  # which PyTorch refuses
        return logits.sum((1, 2))
    chances = torch.log_softmax(logits.transpose(0, 1), -1)
    each: Tensor = torch.nn.functional.ctc_loss(chances, labels, heard, spoken, blank=blank, reduction="none")
    return each


def _check_shapes(logits: Tensor, labels: Tensor) -> None:
    if logits.ndim != 3 or labels.ndim != 2 or len(logits) != len(labels) or not logits.shape[2]:
        hint = ""
        if logits.ndim == 3 and labels.ndim == 2 and logits.shape[1] == len(labels):
            hint = "; prediction.transpose(0, 1) puts the sequences first"
        raise ValueError(
            f"{OWNER}: prediction {tuple(logits.shape)} and target {tuple(labels.shape)} must have the shapes "
            f"(N, T, C) and (N, S): sequences, then frames and classes, or labels{hint}"
        )
    if not logits.shape[1]:
        raise ValueError(f"{OWNER}: prediction {tuple(logits.shape)} has no frames")
    if not r.is_integer(labels):
        raise TypeError(f"{OWNER}: target must hold integer labels, got dtype {labels.dtype}")


def _lengths(name: str, given: Tensor | None, most: int, logits: Tensor) -> Tensor:
    """The lengths, by default all as long as can be."""
    if given is None:
        return torch.full((len(logits),), most, device=logits.device)
    lengths: Tensor = r.enter(given, f"{OWNER}: {name}", logits)
    if tuple(lengths.shape) != (len(logits),) or not r.is_integer(lengths):
        raise ValueError(
            f"{OWNER}: {name} must be ({len(logits)},) integers, one for each sequence, got {tuple(lengths.shape)} of "
            f"dtype {lengths.dtype}"
        )
    refuse(r, OWNER, name, lengths, (lengths < 0) | (lengths > most), f"must lie in [0, {most}]")
    return lengths.long()


def _until_ignored(labels: Tensor, spoken: Tensor, ignore_index: int) -> Tensor:
    """Numbers of labels before the first one that is ignored; raise ValueError if others follow it."""
    kept = labels != ignore_index
    ahead = kept.cumprod(1).bool()
    behind = kept & ~ahead & (_places(labels) < spoken[:, None])
    refuse(r, OWNER, "label", labels, behind, f"must stand before those that are ignored, {ignore_index}")
    return torch.minimum(spoken, ahead.sum(1))


def _refuse_impossible(heard: Tensor, needed: Tensor) -> None:
    """Raise ValueError for the first sequence with fewer frames than its labels need, if values are concrete."""
    short = heard < needed
    if r.is_concrete(short) and bool(short.any()):
        place = int(short.long().argmax())
        raise ValueError(
            f"{OWNER}: sequence {place} has {int(heard[place])} frames, but its labels need {int(needed[place])}, one "
            'each and a blank between equal ones; leave it out by impossible="skip", or downsample less'
        )


def _places(x: Tensor) -> Tensor:
    """The places along the second axis."""
    return torch.arange(x.shape[1], device=x.device)
