"""Watch for mistakes in the code around a model: what goes in, and how its output and the labels meet in a loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from slopes.diagnosing.results import Finding
from slopes.diagnosing.tally import WAITING, are_alike

FAR = 10.0  #: largest root mean square of a normalised feature
MANY = 32  #: fewest entries that tell probabilities from other numbers

_FIRST = (nn.Linear, nn.modules.conv._ConvNd, nn.RNNBase)


def _are_probabilities(rows: Tensor) -> Tensor:
    is_positive = rows.amin() >= 0
    if rows.is_cpu and not is_positive:  # another device would have to be waited for
        return is_positive
    return is_positive & ((rows.float().sum(1) - 1).abs().amax() < 1e-2) & (rows.shape[1] > 1)


@dataclass
class _Labels:
    """Arguments of one loss of classes, over batches."""

    are_probabilities: Tensor
    counts: Tensor  #: whether each label occurs
    least: Tensor
    repeats_inputs: bool


class Mistakes:
    """Looks at the arguments of PyTorch's losses, and keeps the numbers on their device."""

    def __init__(self) -> None:
        self._tokens: Tensor | None = None
        self._waits = False  # for the first weights that the model's input meets
        self._name = ""
        self._squares: list[Tensor] = []  # means by feature
        self._waiting: list[tuple[Tensor, Tensor, bool]] = []  # arguments of cross_entropy that are judged together
        self._ignored = -100  # label of entries that do not count, in these calls
        self._labels: dict[int, _Labels] = {}
        self._scores: list[Tensor] = []

    def begin(self, x: Tensor) -> None:
        """Keep the model's input."""
        self._waits = x.is_floating_point()
        self._tokens = None if x.is_floating_point() or x.is_complex() else x

    def enter(self, name: str, module: nn.Module, x: Tensor | None) -> None:
        if self._waits and isinstance(module, _FIRST) and x is not None and x.ndim > 1:
            self._waits = False
            axis = 1 if isinstance(module, nn.modules.conv._ConvNd) else x.ndim - 1
            others = [each for each in range(x.ndim) if each != axis]
            self._squares.append(x.detach().float().square().mean(others))
            self._name = f"{name} ({type(module).__name__})" if name else type(module).__name__

    def judge(self, loss: Any, *arguments: Any, **named: Any) -> None:
        """Look at the arguments of a loss of PyTorch, if it is one of `LOSSES`."""
        look = LOSSES.get(loss)
        if look is not None:
            with torch._C.DisableTorchFunction():
                look(self, *arguments, **named)

    def _classes(self, input: Tensor, target: Tensor, *_: Any, ignore_index: int = -100, **__: Any) -> None:
        if target.is_floating_point() or not input.is_floating_point() or input.ndim != max(target.ndim + 1, 1):
            return
        repeats = self._tokens is not None and torch.equal(self._tokens.flatten(), target.flatten())
        rows, labels = (input[None], target[None]) if input.ndim == 1 else (input, target)
        if self._waiting and not (ignore_index == self._ignored and are_alike(rows, self._waiting[0][0])):
            self._judge_classes()
        self._waiting.append((rows.detach().clone(), labels.clone(), repeats))
        self._ignored = ignore_index
        if len(self._waiting) * rows.numel() >= WAITING:
            self._judge_classes()

    def _judge_classes(self) -> None:
        """Take the calls that wait into the findings: one by one they would take Python the most of its time."""
        if not self._waiting:
            return
        all_rows, all_labels, all_repeats = zip(*self._waiting, strict=True)
        rows, labels, repeats = torch.cat(all_rows), torch.cat(all_labels), all(all_repeats)
        self._waiting.clear()
        are = _are_probabilities(rows)
        kept = labels[labels != self._ignored]
        if not kept.numel():
            return
        occurs = torch.zeros(rows.shape[1], dtype=torch.bool, device=kept.device)
        occurs[kept.clamp(0, len(occurs) - 1)] = True
        new = _Labels(are, occurs, kept.min(), repeats)
        old = self._labels.get(len(occurs), new)
        self._labels[len(occurs)] = _Labels(
            old.are_probabilities & new.are_probabilities,
            old.counts | new.counts,
            torch.minimum(old.least, new.least),
            old.repeats_inputs and new.repeats_inputs,
        )

    def _signs(self, input: Tensor, *_: Any, **__: Any) -> None:
        if input.numel() >= MANY:
            self._scores.append(torch.stack(input.detach().float().aminmax()))

    def found(self) -> list[Finding]:
        self._judge_classes()
        return [*self._of_inputs(), *self._of_labels()]

    def _of_inputs(self) -> list[Finding]:
        if not self._squares or any(each.shape != self._squares[0].shape for each in self._squares):
            return []
        most = float(torch.stack([each.cpu() for each in self._squares]).mean(0).max()) ** 0.5
        if not FAR < most < float("inf"):
            return []
        message = f"a feature that goes in has a root mean square of {most:.3g}"
        return [Finding("inputs", self._name, message, "normalise each feature to mean 0 and deviation 1")]

    def _of_labels(self) -> list[Finding]:
        found = []
        for count, labels in self._labels.items():
            if bool(labels.are_probabilities):
                message = "cross_entropy gets probabilities, and takes the softmax of them again"
                found.append(Finding("softmax", "loss", message, "leave the softmax out: it takes logits"))
            if count > 2 and int(labels.least) > 0 and bool(labels.counts[1:].all()):
                message = f"labels are 1 to {count - 1}, never 0, for {count} outputs"
                found.append(Finding("labels", "loss", message, "subtract 1 from the labels, if they count from 1"))
            if labels.repeats_inputs:
                message = "the labels are the input tokens, each to be predicted from itself"
                found.append(Finding("labels", "loss", message, "compare output[:, :-1] with tokens[:, 1:]"))
        if self._scores:
            least, most = torch.stack([each.cpu() for each in self._scores]).T
            if 0 <= float(least.min()) < float(most.max()) <= 1:
                message = "binary_cross_entropy_with_logits gets numbers from 0 to 1, and takes the sigmoid of them"
                found.append(Finding("softmax", "loss", message, "leave the sigmoid out: it takes logits"))
        return found


LOSSES = {
    functional.cross_entropy: Mistakes._classes,
    functional.binary_cross_entropy_with_logits: Mistakes._signs,
}
