"""Record inputs and outputs of a model's activations while it runs, without changing its results."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial, wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.hooks import RemovableHandle

from slopes.card import WATCHERS, Activation, Card
from slopes.models.calls import FunctionCall, FunctionCalls
from slopes.models.inventory import class_of
from slopes.nn.activations import ACTIVATIONS

P = ParamSpec("P")
R = TypeVar("R")

_MODULES = tuple(getattr(nn, name) for name in (*ACTIVATIONS, "MultiheadAttention"))


class Use(NamedTuple):
    parent: str  #: name of the module whose forward used it
    label: str
    nth: int  #: number of earlier uses of this label by the parent in this forward
    x: Tensor  #: a copy, as the activation may work in place
    y: Tensor
    function: Callable[[Tensor], Tensor]
    again: bool  #: a checkpoint repeats the forward in the backward pass
    state: Any  #: equal where a later call of the function computes the same; None where that is unknown


@dataclass
class _Call:
    name: str
    sealed: bool  #: an activation, whose own calls are not recorded
    x: Tensor | None = None  #: copy of an activation's input
    used: Counter[str] = field(default_factory=Counter)  #: uses so far, by label


class _Kind(NamedTuple):
    is_activation: bool
    is_sealed: bool  #: its own calls are not recorded
    name: str


class _Thread(threading.local):
    """State of one thread, as DataParallel runs copies of a model in several."""

    def __init__(self) -> None:
        self.calls: list[_Call] = []
        self.inside = ExitStack()  # contexts open while the model runs
        self.channels = (-1, 0)  #: feature axis of the last weights, and its size


def remove(hooks: Iterable[RemovableHandle]) -> None:
    for hook in hooks:
        hook.remove()


def _unseen(function: Callable[P, R]) -> Callable[P, R]:
    """Hide the computations of a function from modes, to which even the reading of a shape is a call in Python."""

    @wraps(function)
    def call(*arguments: P.args, **named: P.kwargs) -> R:
        with torch._C.DisableTorchFunction():
            return function(*arguments, **named)

    return call


class Recorder:
    """Calls `use` for each use of an activation, and `enter` and `leave` for each module that runs.

    Hooks follow modules; a mode follows functions of PyTorch and cards called inside them.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self._kinds: MutableMapping[nn.Module, _Kind] = WeakKeyDictionary()  # DataParallel makes modules that go again
        self._here = _Thread()
        self._main = self._here.calls  # of the thread that trains
        self._lock = threading.RLock()

    def use(self, use: Use) -> None: ...

    def enter(self, name: str, module: nn.Module, x: Tensor | None, outermost: bool) -> None:
        """Handle the start of a module's forward; x is its first tensor."""

    def leave(self, module: nn.Module) -> None:
        """Handle the end of a module that is no activation."""

    @contextmanager
    def recording(self) -> Iterator[None]:
        with ExitStack() as stack:
            hooks: list[RemovableHandle] = []
            stack.callback(remove, hooks)
            for name, module in self.model.named_modules():
                hooks.append(module.register_forward_pre_hook(partial(self._enter, name), with_kwargs=True))
                hooks.append(module.register_forward_hook(self._leave, always_call=True))
            if "torch._dynamo" in sys.modules:  # compiled code runs no hooks
                stack.enter_context(torch.compiler.set_stance("force_eager"))
            self._here = _Thread()
            self._main = self._here.calls
            stack.enter_context(self._here.inside)  # closes it after an interrupted forward
            WATCHERS.append(self._watch)
            stack.callback(WATCHERS.remove, self._watch)
            yield

    def _watch(self, card: Activation, x: Any, parameters: Mapping[str, Any]) -> Any:
        state = (card, dict(parameters)) if all(map(_is_plain, parameters.values())) else None
        return self._record_call(card.name, lambda x, **named: card.compute(x, named), x, state, **parameters)

    @_unseen
    def _enter(self, name: str, module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        here = self._here
        x = next(_tensors((*arguments, *named.values())), None)
        with self._lock:
            if not in_backward():
                self.enter(name, module, x, outermost=not here.calls and not self._main)
            if not here.calls:
                here.inside.enter_context(FunctionCalls(self._handle))
        if module not in self._kinds:
            self._kinds[module] = _kind_of(module)
        kind = self._kinds[module]
        kept = _copied(x) if x is not None and kind.is_activation else None
        here.calls.append(_Call(name, kind.is_sealed, kept))

    @_unseen
    def _leave(self, module: nn.Module, _: Any, y: Any) -> None:
        here = self._here
        call = here.calls[-1]
        if call.x is None:
            self.leave(module)
        elif isinstance(y, Tensor):
            kind = self._kinds[module].name
            parent = here.calls[-2] if len(here.calls) > 1 else _Call("", False)
            label = f"{call.name} ({kind})" if call.name else kind
            self._use(parent, label, call.x, y, module.forward, _state_of(module))
        here.calls.pop()
        if not here.calls:
            here.inside.close()

    def _handle(self, call: FunctionCall) -> Any:
        return self._record_call(call.name, call.function, call.x, None)

    def _record_call(self, name: str, function: Callable[..., Any], x: Any, state: Any, /, **named: Any) -> Any:
        """Call a function, and record it if a module of the model called it."""
        calls = self._here.calls
        if not isinstance(x, Tensor) or not calls or calls[-1].sealed:
            return function(x, **named)
        parent, kept = calls[-1], _copied(x)
        again = {key: v.clone_state() if isinstance(v, torch.Generator) else v for key, v in named.items()}
        calls.append(_Call(parent.name, True))
        try:
            y = function(x, **named)
            self._use(parent, f"{parent.name} {name}()".strip(), kept, y, lambda x: function(x, **again), state)
        finally:
            calls.pop()
        return y

    @_unseen
    def _use(self, parent: _Call, label: str, x: Tensor, y: Tensor, function: Callable[..., Any], state: Any) -> None:
        if x.is_floating_point() and y.shape == x.shape and y.numel():
            nth = parent.used[label]
            parent.used[label] += 1
            with self._lock, saved_tensors_hooks(_itself, _itself):  # a checkpoint saves no computations on it
                self.use(Use(parent.name, label, nth, x, y, function, in_backward(), state))


@_unseen
def _copied(x: Tensor) -> Tensor:
    return x.detach().clone()


def _kind_of(module: nn.Module) -> _Kind:
    card = getattr(module, "card", None)
    name = card.name if isinstance(card, Card) else type(module).__name__
    return _Kind(class_of(module) is not None, isinstance(module, _MODULES) or hasattr(module, "card"), name)


def _state_of(module: nn.Module) -> Any:
    """Class and settings of a module without weights."""
    if module._parameters or module._buffers or module._modules:
        return None
    return type(module), module.training, module.extra_repr()


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float, str))


def in_backward() -> bool:
    return bool(torch._C._current_graph_task_id() != -1)


def _itself(x: Tensor) -> Tensor:
    return x


def _tensors(things: Iterable[Any]) -> Iterator[Tensor]:
    for thing in things:
        if isinstance(thing, Tensor):
            yield thing
        elif isinstance(thing, (tuple, list)):
            yield from _tensors(thing)
