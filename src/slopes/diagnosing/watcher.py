"""Diagnose a model while it trains."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from torch import Tensor, nn

from slopes.diagnosing.diagnosis import Diagnosis
from slopes.diagnosing.guard import Guard
from slopes.diagnosing.look import Look
from slopes.diagnosing.origin import Origin


class Watcher:
    """Diagnosis of a model at every `every`-th step of a training loop.

    ::

        watcher = slopes.Watcher(model, every=50)
        for inputs, target in loader:
            with watcher:
                optimizer.zero_grad()
                loss(model(inputs), target).backward()
                optimizer.step()
        print(watcher.diagnosis)

    Watched steps compute the same results, bit for bit, except that a compiled model runs uncompiled in them. They are
    put together until there are `samples` inputs, enough to call a unit dead; `history` has a `Diagnosis` of each
    group.

    With `stop_on_nan`, a gradient that is inf or NaN raises `NonFiniteError`, a FloatingPointError, before the
    optimizer takes its step; it tells the operation of the model where that began, its input and the cause, or that
    it began in the loss.

    Raises TypeError if `model` is not a module, ValueError for numbers below 1.
    """

    def __init__(self, model: Any, *, every: int = 50, samples: int = 1000, stop_on_nan: bool = False) -> None:
        if not isinstance(model, nn.Module):
            raise TypeError(f"Watcher: model must be a torch.nn.Module, got {type(model).__name__}")
        for name, value in (("every", every), ("samples", samples)):
            if type(value) is not int or value < 1:
                raise ValueError(f"Watcher: {name} must be an integer >= 1, got {value!r}")
        self.model, self.every, self.samples = model, every, samples
        self.step = 0  #: steps so far
        self._guard = Guard(model) if stop_on_nan else None
        self.history: list[Diagnosis] = []
        self._look: Look | None = None
        self._earlier: Look | None = None
        self._steps = (0, 0)  # first and last step in `_look`
        self._block: ExitStack | None = None  # open during a watched step
        self._before: dict[str, Tensor] = {}

    @property
    def diagnosis(self) -> Diagnosis:
        """Latest full diagnosis, or else a partial one; ValueError before the first watched step."""
        if self.history:
            return self.history[-1]
        if self._look is None or not self._look.batches:
            raise ValueError("Watcher: no step was looked at yet: run the model in a block `with watcher:`")
        return self._look.diagnosis(self.samples, self._steps)

    @property
    def origin(self) -> Origin | None:
        """Where inf or NaN began, once `stop_on_nan` has stopped the training."""
        return None if self._guard is None else self._guard.origin

    def __enter__(self) -> Watcher:
        if self.step % self.every == 0:
            if self._look is None:
                self._look, self._steps = Look(self.model, self._earlier), (self.step, self.step)
            with ExitStack() as stack:
                stack.enter_context(self._look.recording())
                self._before = self._look.snapshot()
                self._block = stack.pop_all()
        if self._guard is not None:
            self._guard.start()
        return self

    def __exit__(self, *error: Any) -> None:
        if self._guard is not None:
            self._guard.close()
        block, self._block = self._block, None
        if block is not None:
            block.__exit__(*error)
        if self._guard is not None:
            self._guard.stop(error[1], self.step)
        if block is not None and self._look is not None:
            if error[0] is None:
                self._look.weigh(self._before)
            self._before, self._steps = {}, (self._steps[0], self.step)
            if self._look.samples >= self.samples:
                self.history.append(self._look.diagnosis(self.samples, self._steps))
                self._earlier, self._look = self._look, None
        self.step += 1
