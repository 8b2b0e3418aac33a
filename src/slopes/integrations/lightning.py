"""Diagnosis of a model that Lightning trains."""

from __future__ import annotations

from typing import Any

from slopes.extras import are_installed, require

if are_installed("lightning") or not are_installed("pytorch_lightning"):
    require("slopes.integrations.lightning", "lightning")
    from lightning.pytorch import Callback
else:  # the same under its older name
    from pytorch_lightning import Callback

from torch.optim import Optimizer

from slopes.diagnosing import Watcher
from slopes.domains import shown
from slopes.integrations.block import Block


class WatcherCallback(Callback):  # type: ignore[misc]
    """A `slopes.Watcher` as a callback of a Lightning Trainer, ``Trainer(callbacks=[WatcherCallback(every=50)])``.

    It looks at every `every`-th step of the optimizer. When `samples` inputs have been seen, the numbers of the
    diagnosis go to all loggers of the Trainer: ``slopes/findings`` (a count), ``slopes/dead`` and ``slopes/saturated``
    (the largest share in a layer), ``slopes/gradient_ratio`` (the gradient norm of the last layer over the first's)
    and ``slopes/update`` (the largest relative change of weights in a step). Unknown numbers are left out.
    `watcher` has the diagnoses.

    With `stop_on_nan`, a gradient that is inf or NaN raises `NonFiniteError` before the optimizer takes its step.
    `module` is the name of the part to watch, such as "model". Name it where ``training_step`` calls that part and not
    the LightningModule itself: `stop_on_nan` repeats a call of the watched module.

    Raises ImportError without Lightning, TypeError if `module` is no name; as the training starts, AttributeError for
    an unknown `module`, ValueError for numbers below 1.
    """

    def __init__(self, *, module: str = "", every: int = 50, samples: int = 1000, stop_on_nan: bool = False) -> None:
        super().__init__()
        if not isinstance(module, str):
            raise TypeError(f"WatcherCallback: module must be the name of a part, such as 'model', got {shown(module)}")
        self.module, self.every, self.samples, self.stop_on_nan = module, every, samples, stop_on_nan
        self._block: Block | None = None
        self._step = 0

    @property
    def watcher(self) -> Watcher:
        """The watcher of the latest training; ValueError before the first."""
        if self._block is None:
            raise ValueError("WatcherCallback: no training was watched yet: write Trainer(callbacks=[callback])")
        return self._block.watcher

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Make the watcher, now that the model is where it trains."""
        model = pl_module.get_submodule(self.module)
        self._block = Block(Watcher(model, every=self.every, samples=self.samples, stop_on_nan=self.stop_on_nan))

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Begin a step, unless this batch's gradients are added to earlier ones."""
        if self._block is not None:
            self._step = trainer.global_step
            self._block.begin()

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Optimizer) -> None:
        """Look at the gradients, unless a scaler skips the steps where they are not finite."""
        if self.stop_on_nan and getattr(trainer.precision_plugin, "scaler", None) is None:
            _StepOfNothing([p for group in optimizer.param_groups for p in group["params"]]).step()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """End the step if the optimizer has taken it, and log the diagnosis that it completes."""
        if trainer.global_step > self._step:
            self._end(trainer)

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        """End a step that waits for more batches: the batches of a validation are no part of it."""
        self._end(trainer)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """End a step that waits for more batches."""
        self._end(trainer)

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """End the step that an exception has stopped."""
        if self._block is not None:
            self._block.end(exception)

    def _end(self, trainer: Any) -> None:
        if self._block is not None and (numbers := self._block.end()):
            for logger in trainer.loggers:
                logger.log_metrics(numbers, step=trainer.global_step)


class _StepOfNothing(Optimizer):
    """An optimizer that changes nothing.

    Lightning computes gradients in a closure inside the optimizer's step. A watcher looks at gradients before a step
    without a closure, and this is one.
    """

    def __init__(self, weights: Any) -> None:
        super().__init__(weights, {})

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Change nothing."""
