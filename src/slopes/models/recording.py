"""Record inputs and outputs of a model's activations while it runs, without changing its results."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial, wraps
from types import MappingProxyType
from typing import Any, NamedTuple, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.overrides import TorchFunctionMode, _get_current_function_mode
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


class _Kind(NamedTuple):
    is_activation: bool
    is_sealed: bool  #: its own calls are not recorded
    name: str


_FUNCTION = _Kind(True, True, "")
_OUTSIDE = _Kind(False, False, "")


@dataclass(slots=True)
class _Call:
    name: str
    kind: _Kind
    x: Tensor | None = None  #: copy of an activation's input
    used: dict[str, int] = field(default_factory=dict)  #: uses so far, by label


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

    Hooks follow modules; a mode follows functions of PyTorch and cards called inside them. `watched` has functions that
    get the arguments of another function of PyTorch, which may be called outside of the model.
    """

    def __init__(self, model: nn.Module, watched: Mapping[Any, Callable[..., None]] = MappingProxyType({})) -> None:
        self.model = model
        self.modules: list[tuple[str, nn.Module]] = []  #: with their names, of the latest recording
        self._kinds: MutableMapping[nn.Module, _Kind] = WeakKeyDictionary()
        self._here = _Thread()
        self._main = self._here.calls  # of the thread that trains
        self._lock = threading.RLock()
        self._mode = FunctionCalls(self._handle, watched)

    def __reduce__(self) -> Any:
        """Become one that records nothing, as its hooks are copied and saved with a model within a recording."""
        return Recorder, (nn.Identity(),)

    def begin(self) -> None:
        """Handle the start of a recording."""

    def use(self, use: Use) -> None: ...

    def enter(self, name: str, module: nn.Module, x: Tensor | None, outermost: bool) -> None:
        """Handle the start of a module's forward; x is its first tensor."""

    def leave(self, module: nn.Module) -> None:
        """Handle the end of a module that is no activation."""

    @contextmanager
    def recording(self) -> Iterator[None]:
        with ExitStack() as stack:
            self.modules = list(self.model.named_modules())
            self.begin()
            hooks: list[RemovableHandle] = []
            stack.callback(remove, hooks)
            for name, module in self.modules:
                if module not in self._kinds:
                    self._kinds[module] = _kind_of(module)
                enter = partial(self._enter, name, self._kinds[module])
                hooks.append(module.register_forward_pre_hook(enter, with_kwargs=True))
                hooks.append(module.register_forward_hook(self._leave, always_call=True))
            if "torch._dynamo" in sys.modules:  # compiled code runs no hooks
                stack.enter_context(torch.compiler.set_stance("force_eager"))
            self._here = _Thread()
            self._main = self._here.calls
            stack.enter_context(_outside_optimizers(self._mode))
            stack.enter_context(self._here.inside)  # closes it after an interrupted forward
            WATCHERS.append(self._watch)
            stack.callback(WATCHERS.remove, self._watch)
            yield

    def _watch(self, card: Activation, x: Any, parameters: Mapping[str, Any]) -> Any:
        state = (card, dict(parameters)) if all(map(_is_plain, parameters.values())) else None
        return self._record_call(card.name, lambda x, **named: card.compute(x, named), x, state, **parameters)

    @_unseen
    def _enter(
        self, name: str, kind: _Kind, module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]
    ) -> None:
        if not self.modules:  # of a copy
            return
        here = self._here
        first = arguments[0] if arguments else None
        x = first if isinstance(first, Tensor) else next(_tensors((*arguments, *named.values())), None)
        with self._lock:
            if not in_backward():
                self.enter(name, module, x, outermost=not here.calls and not self._main)
            if not here.calls and not _is_on(self._mode):
                here.inside.enter_context(self._mode)
        kept = x.detach().clone() if x is not None and kind.is_activation else None
        here.calls.append(_Call(name, kind, kept))

    @_unseen
    def _leave(self, module: nn.Module, _: Any, y: Any) -> None:
        if not self.modules:  # of a copy
            return
        here = self._here
        call = here.calls[-1]
        if call.x is None:
            self.leave(module)
        elif isinstance(y, Tensor):
            kind = call.kind.name
            parent = here.calls[-2] if len(here.calls) > 1 else _Call("", _OUTSIDE)
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
        if not isinstance(x, Tensor) or not calls or calls[-1].kind.is_sealed:
            return function(x, **named)
        parent, kept = calls[-1], _copied(x)
        again = {key: v.clone_state() if isinstance(v, torch.Generator) else v for key, v in named.items()}
        calls.append(_Call(parent.name, _FUNCTION))
        try:
            y = function(x, **named)
            self._use(parent, f"{parent.name} {name}()".strip(), kept, y, lambda x: function(x, **again), state)
        finally:
            calls.pop()
        return y

    @_unseen
    def _use(self, parent: _Call, label: str, x: Tensor, y: Tensor, function: Callable[..., Any], state: Any) -> None:
        if x.is_floating_point() and y.shape == x.shape and y.numel():
            nth = parent.used.get(label, 0)
            parent.used[label] = nth + 1
            with self._lock:
                self.use(Use(parent.name, label, nth, x, y, function, in_backward(), state))


@contextmanager
def _outside_optimizers(mode: TorchFunctionMode) -> Iterator[None]:
    """Push a mode, but for steps of optimizers without a closure, which call many small functions."""
    is_on = False

    def push(*_: Any) -> None:
        nonlocal is_on
        if not is_on:
            mode.__enter__()  # type: ignore[no-untyped-call]
            is_on = True

    def pop(_: Any = None, given: Sequence[Any] = (), named: Mapping[str, Any] = MappingProxyType({})) -> None:
        nonlocal is_on
        has_closure = any(each is not None for each in (*given[1:], *named.values()))  # the first is the optimizer
        if is_on and not has_closure and _get_current_function_mode() is mode:  # type: ignore[no-untyped-call]
            mode.__exit__(None, None, None)
            is_on = False

    with ExitStack() as stack:
        push()
        stack.callback(pop)
        stack.callback(register_optimizer_step_pre_hook(pop).remove)
        stack.callback(register_optimizer_step_post_hook(push).remove)
        yield


def _is_on(mode: TorchFunctionMode) -> bool:
    """Whether this thread's functions go through the mode; while the mode calls one, it is off."""
    places = range(torch._C._len_torch_function_stack())
    return any(torch._C._get_function_stack_at(place) is mode for place in places)


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


def _tensors(things: Iterable[Any]) -> Iterator[Tensor]:
    for thing in things:
        if isinstance(thing, Tensor):
            yield thing
        elif isinstance(thing, (tuple, list)):
            yield from _tensors(thing)
