"""Stop a training before the step of an optimizer that would take inf or NaN into the weights."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge
from torch.optim.optimizer import register_optimizer_step_pre_hook
from torch.utils.hooks import RemovableHandle

from slopes.diagnosing.norms import GradientCheck
from slopes.diagnosing.origin import NonFiniteError, Origin
from slopes.diagnosing.repeating import Passed, device_of, find_origin, spoilt_statistics, tensors_in
from slopes.diagnosing.tracing import Trace
from slopes.models.recording import in_backward


class _Forward(NamedTuple):
    """A call of the model, by reference."""

    arguments: Any
    named: Any
    autocast: torch.dtype | None  #: None where it is off
    random: list[Tensor]  #: states of the generators
    version: int  #: of the arguments, which every change in place raises
    pulls: dict[int, _Pull]  #: gradients of outputs, by their places

    @property
    def has_gradient(self) -> bool:
        return any(pull.gradient is not None for pull in self.pulls.values())


class _Pull:
    """The gradient of an output, once the backward pass has come to it."""

    def __init__(self, y: Tensor) -> None:
        """Wait for the gradient without the output itself, which a hook that held it would never let go of."""
        self._latest: deque[tuple[Tensor | None, ...]] = deque(maxlen=1)
        self._place = y.output_nr
        node = y.grad_fn
        if node is None:  # a weight, whose node lives as long as this, while hooks of the weight would add up
            node = self._node = get_gradient_edge(y).node
        node.register_prehook(self._latest.append)  # takes a third of the time of a function of Python

    @property
    def gradient(self) -> Tensor | None:
        return self._latest[0][self._place] if self._latest else None


class Guard:
    """Looks at the gradients of a block before an optimizer steps.

    For a repetition of the forward pass it keeps the inputs of the model by reference, and for one of the backward
    pass the gradient of its output. The loss is not repeated.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.origin: Origin | None = None
        self._forwards: list[_Forward] = []  # since all gradients were finite
        self._has_moved = False  # whether an optimizer has stepped since the first of these
        self._count = sum(p.requires_grad for p in model.parameters())
        self._device = device_of(model)
        self._gpus = list(dict.fromkeys(p.device for p in model.parameters() if p.is_cuda))
        self._running = self._thread = 0
        self._key = RemovableHandle(model._forward_hooks).id  # a number that no other hook has
        self._hook: Any = None
        self._are_finite = GradientCheck()

    def __reduce__(self) -> Any:
        """Become one that was never started, as its hooks are copied and saved with a model within a block."""
        return Guard, (nn.Identity(),)

    def start(self) -> None:
        """Begin a block. Its hooks are put where PyTorch keeps them, as registering takes longer than calling them."""
        self._running, self._thread = 0, threading.get_ident()
        model, key = self.model, self._key
        model._forward_pre_hooks[key], model._forward_pre_hooks_with_kwargs[key] = self._enter, True
        model._forward_hooks[key], model._forward_hooks_always_called[key] = self._leave, True
        self._hook = register_optimizer_step_pre_hook(self._before_step)

    def close(self) -> None:
        """End a block."""
        model = self.model
        for hooks in (
            model._forward_pre_hooks, model._forward_pre_hooks_with_kwargs, model._forward_hooks,
            model._forward_hooks_always_called,
        ):  # fmt: skip
            hooks.pop(self._key, None)
        self._hook.remove()

    def stop(self, error: BaseException | None, step: int) -> None:
        """Complete the error that ended a block, if it is the guard's."""
        if isinstance(error, NonFiniteError) and error.origin is _PENDING:
            self.origin = error.origin = self._explain(step)
            error.args = (self.origin,)
        if error is not None:
            self._clear()

    def _clear(self) -> None:
        self._forwards, self._has_moved = [], False

    # -------------------------------------------------------------------------------------------- hooks

    def _is_elsewhere(self) -> bool:
        """Whether a compiler, another thread or a checkpoint runs the model."""
        return torch.compiler.is_compiling() or threading.get_ident() != self._thread or in_backward()

    def _enter(self, _: nn.Module, arguments: Any, named: Any) -> None:
        if self._is_elsewhere():
            return
        self._running += 1
        if self._running > 1 or not torch.is_grad_enabled():
            return
        if self._forwards:
            self._forget()
        device = self._device
        random = [torch.get_rng_state(), *(torch.cuda.get_rng_state(each) for each in self._gpus)]
        autocast = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
        self._forwards.append(_Forward(arguments, named, autocast, random, _version(arguments, named), {}))

    def _leave(self, _: nn.Module, __: Any, output: Any) -> None:
        if self._is_elsewhere():
            return
        self._running -= 1
        if self._running == 0 and torch.is_grad_enabled() and self._forwards:
            for place, y in enumerate(tensors_in(output)):
                if y.requires_grad:
                    self._forwards[-1].pulls[place] = _Pull(y)

    def _before_step(self, optimizer: Any, given: Any, named: Any) -> None:
        has_closure = (named or len(given) > 1) and any(each is not None for each in (*given[1:], *named.values()))
        if has_closure or getattr(optimizer, "found_inf", None) is not None:  # a scaler skips such a step
            return
        weights = [p for group in optimizer.param_groups for p in group["params"]]
        if self._are_finite(weights):
            if len(weights) >= self._count or self._are_finite(self.model.parameters()):
                self._clear()
            else:  # those that another optimizer holds may stop the training
                self._has_moved = True
        elif set(map(id, weights)) & set(map(id, self.model.parameters())):
            raise NonFiniteError(_PENDING)

    # ------------------------------------------------------------------------------------------- looking

    def _forget(self) -> None:
        """Let go of earlier calls whose gradients are there and finite, as in a batch that is taken in parts."""
        if all(each.has_gradient for each in self._forwards) and self._are_finite(self.model.parameters()):
            self._clear()
        del self._forwards[:-_MOST]

    def _explain(self, step: int) -> Origin:
        forwards, has_moved = self._forwards, self._has_moved
        self._clear()
        notes = ["the weights are those from before this step: it was not taken"]
        if has_moved:
            notes = ["another optimizer has stepped since the forward pass, which was repeated with the new weights"]
        if any(each.version != _version(each.arguments, each.named) for each in forwards):
            notes = ["an input has changed in place since the forward pass, which was repeated with the new one"]
        spoilt = [name or type(module).__name__ for name, module in spoilt_statistics(self.model).items()]
        if spoilt:
            notes.append(f"running statistics hold inf or NaN since a forward pass, load them too: {', '.join(spoilt)}")
        given = {"the model's input": [(each.arguments, each.named) for each in forwards]}
        if not forwards:
            words = "no forward pass of this model was seen, so that none could be repeated"
            origin = _unknown(words, _IN_BLOCK)
        else:
            try:
                origin = find_origin(self.model, given, self._repetition(forwards)) or _unknown(
                    "the step was repeated, and all was finite: it is a term of the loss that this model's output has "
                    "no part in, or not deterministic",
                    _BY_HAND,
                )
            except Exception as error:  # of the user's code, when it is called again
                origin = _unknown(f"the step could not be repeated: {type(error).__name__}: {error}", _BY_HAND)
        return replace(origin, notes=(*origin.notes, *notes), step=step)

    def _repetition(self, forwards: Sequence[_Forward]) -> Any:
        """Function that calls the model as it was called before."""

        def repeat(trace: Trace | None) -> Passed:
            outputs, pulls = [], []
            for each in forwards:
                torch.set_rng_state(each.random[0])
                for gpu, state in zip(self._gpus, each.random[1:], strict=True):
                    torch.cuda.set_rng_state(state, gpu)
                is_on = each.autocast is not None and trace is not None
                with torch.autocast(self._device, each.autocast, enabled=is_on):
                    output = self.model(*each.arguments, **each.named)
                for place, y in enumerate(tensors_in(output)):
                    pull = each.pulls[place].gradient if place in each.pulls else None
                    if pull is not None:
                        outputs.append(y)
                        pulls.append(pull)
            return Passed(outputs, pulls)

        return repeat


def _version(arguments: Any, named: Any) -> int:
    things = (*arguments, *named.values())
    return sum([x._version for thing in things for x in tensors_in(thing) if not x.is_inference()])


def _unknown(message: str, repair: str) -> Origin:
    return Origin("unknown", "the step", "", "inf or NaN", "unknown", message, repair)


_MOST = 64  #: calls of the model that are kept between two steps
_BY_HAND = "call slopes.diagnose(model, batch, loss) with this batch, which repeats the loss as well"
_IN_BLOCK = "run the model in the block, uncompiled and in one thread; watch the part of it that the step calls"
_PENDING = _unknown("the block is still running", "")
