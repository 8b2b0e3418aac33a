"""Losses for the Trainer of Hugging Face, and diagnosis of a model that it trains."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Self

from slopes.extras import require

require("slopes.integrations.transformers", "transformers", "accelerate")

import torch  # noqa: E402
from torch import Tensor  # noqa: E402
from transformers import TrainerCallback  # noqa: E402

from slopes.card import Loss  # noqa: E402
from slopes.diagnosing import Watcher  # noqa: E402
from slopes.domains import shown  # noqa: E402
from slopes.integrations.block import Block  # noqa: E402
from slopes.integrations.options import check_options  # noqa: E402

#: options of losses that the Trainer has its own way for
OF_TRAINER = ("reduction", "weight", "mask", "divisor")


class WatcherCallback(TrainerCallback):  # type: ignore[misc]
    """A `slopes.Watcher` of all that a Hugging Face Trainer trains in a block.

    ::

        with WatcherCallback(trainer, every=50) as callback:
            trainer.train()
        print(callback.watcher.diagnosis)

    It looks at every `every`-th step of the optimizer. When `samples` inputs (rows of the batches) have been seen, the
    numbers of the diagnosis go to ``trainer.log``: ``slopes/findings`` (a count), ``slopes/dead`` and
    ``slopes/saturated`` (the largest share in a layer), ``slopes/gradient_ratio`` (the gradient norm of the last layer
    over the first's) and ``slopes/update`` (the largest relative change of weights in a step). Unknown numbers are
    left out.

    With `stop_on_nan`, a gradient that is inf or NaN raises `NonFiniteError` before the optimizer takes its step.

    Raises ImportError without transformers or accelerate; as the training starts, ValueError for numbers below 1.
    """

    def __init__(self, trainer: Any, *, every: int = 50, samples: int = 1000, stop_on_nan: bool = False) -> None:
        self.trainer, self.every, self.samples, self.stop_on_nan = trainer, every, samples, stop_on_nan
        self._block: Block | None = None

    @property
    def watcher(self) -> Watcher:
        """The watcher of the latest training; ValueError before the first."""
        if self._block is None:
            raise ValueError("WatcherCallback: no training was watched yet: call trainer.train() in the block")
        return self._block.watcher

    def __enter__(self) -> Self:
        self.trainer.add_callback(self)
        return self

    def __exit__(self, _: Any, error: BaseException | None, __: Any) -> None:
        self.trainer.remove_callback(self)
        if self._block is not None:
            self._block.end(error)

    def on_train_begin(self, args: Any, state: Any, control: Any, *, model: Any, **others: Any) -> None:
        """Make the watcher, now that the model is where it trains."""
        self._block = Block(Watcher(model, every=self.every, samples=self.samples, stop_on_nan=self.stop_on_nan))

    def on_step_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Begin a step, of one batch or several."""
        if self._block is not None:
            self._block.begin()

    def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """End the step, and log the diagnosis that it completes."""
        if self._block is not None and (numbers := self._block.end()):
            should_log = control.should_log
            self.trainer.log(numbers)
            control.should_log = should_log  # else the Trainer would take its own numbers for logged


def compute_loss_func(loss: Loss, *, shift: bool | None = None, **options: Any) -> Callable[..., Tensor]:
    """Return a loss as the `compute_loss_func` of a Hugging Face Trainer.

    The prediction is the output `logits` of the model, or its first output; half types become float32. The target is
    `labels`; a label of −100 does not count if the loss has `ignore_index`. `num_items_in_batch`, the number of labels
    in all batches of a step, divides the sum, so that gradients accumulated over batches equal the gradients of one
    large batch. Where it is None the mean is taken. Shapes are the loss's own: logits [..., classes] with integer
    labels [...], or two of one shape; logits [..., 1] also go with labels [...] of numbers.

    `shift` tells whether token t is to predict label t + 1, as in a causal language model; labels of tokens [batch,
    tokens] need it, and no other takes it. `options` are the loss's parameters and keywords, such as
    `label_smoothing`. With `class_weight`, too, the divisor is the number of labels.

    Raises TypeError if `loss` is no loss of slopes of a prediction and a target whose batch is a sum over entries or
    rows, such as `slopes.dice`, and for an unknown option; ValueError for a parameter outside its domain, for `shift`
    with a loss that takes no labels; when called, ValueError without labels, for labels of tokens without `shift`, and
    for others with it.
    """
    kind = loss.kind if isinstance(loss, Loss) else None
    if kind is None or len(kind.arguments) != 2 or kind.batched or not loss.has_values:
        got = getattr(loss, "name", repr(loss))
        raise TypeError(
            "compute_loss_func: takes a loss of slopes of a prediction and a target, whose value for a batch is a sum "
            f"over rows or entries, as in compute_loss_func(slopes.cross_entropy), got {got}"
        )
    check_options("compute_loss_func", loss, options, OF_TRAINER, "the Trainer counts the labels, and divides by them")
    loss.with_(**{name: value for name, value in options.items() if name in loss.parameters})
    if shift not in (True, False, None):
        raise TypeError(f"compute_loss_func: shift must be True, False or None, got {shown(shift)}")
    if shift and not kind.takes_labels:
        raise ValueError(
            f"compute_loss_func: shift is for tokens' labels, which {loss.name} does not take: leave it out"
        )
    return partial(_loss_of_outputs, loss=loss, shift=shift, options=options)


def _loss_of_outputs(
    outputs: Any,
    labels: Any,
    num_items_in_batch: Any = None,
    *,
    loss: Loss,
    shift: bool | None,
    options: dict[str, Any],
) -> Tensor:  # fmt: skip
    if labels is None:
        raise ValueError(f"compute_loss_func: {loss.name} needs labels, and the batch has no entry 'labels'")
    logits = outputs["logits"] if isinstance(outputs, dict) else outputs[0]
    logits = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
    has_rows = loss.rowwise and labels.shape == logits.shape
    if loss.kind.takes_labels and not has_rows and labels.ndim > 1 and shift is None:
        raise ValueError(
            f"compute_loss_func: labels {tuple(labels.shape)} are of tokens: write shift=True for a causal language "
            "model, whose token t predicts label t + 1, or shift=False for any other"
        )
    if shift:
        if labels.ndim < 2:
            raise ValueError(
                f"compute_loss_func: labels {tuple(labels.shape)} are not of tokens [batch, tokens]: leave shift out"
            )
        logits, labels = logits[..., :-1, :], labels[..., 1:]
    if not loss.kind.takes_labels and logits.shape == (*labels.shape, 1):
        logits = logits[..., 0]
    divisor = num_items_in_batch
    if has_rows and divisor is not None:
        divisor = divisor / logits.shape[options.get("axis", -1)]  # the Trainer has counted each number of a row
    if "ignore_index" in loss.kind.options and not has_rows:
        options = {"ignore_index": -100, **options}
    return loss(logits, labels, divisor=divisor, **options)  # type: ignore[no-any-return]
