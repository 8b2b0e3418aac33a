"""Subjects of an audit: their calls, their results, and code that reproduces them."""

from __future__ import annotations

import contextlib
import copy
import inspect
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from traceback import FrameSummary
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import BaseTorchFunctionMode

import slopes
from slopes.auditing.adapters import eager, origin_of, with_origin
from slopes.auditing.evidence import Script, Unshown, attempt, locate, own_copy, seed_libraries
from slopes.auditing.form import Arguments, Declared, Form
from slopes.auditing.frameworks import Framework
from slopes.auditing.growth import Budget, Growth, OverBudget
from slopes.auditing.process_state import Printed, Setting, preserved
from slopes.auditing.rebuilding import PLAIN, SET_AFTERWARDS, constructor_arguments, rebuilt
from slopes.auditing.report import NO_GRADIENTS, Finding, Skip
from slopes.auditing.signatures import attribute_of, keywords
from slopes.auditing.source import Source, source_of, spell, with_own_modules
from slopes.auditing.torch_state import DECISIVE, SETTINGS
from slopes.card import Card
from slopes.kinds.spaces import Space
from slopes.loading import describe

MOST = 1000  #: numbers of a result for each of an argument; more would take all memory
#: numbers of an argument that a card computes at once: from one more on a kernel would be compiled
TOGETHER, TOGETHER_IN_ROWS = 2**12 - 1, 2**8 - 1
COMPLEX = "gave complex numbers, of which none is least"
FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)


class SubjectError(Exception):
    """Exception of a subject; `script` makes code that keeps it in the variable `came`."""

    def __init__(self, cause: BaseException, script: Callable[[], Script] | None = None) -> None:
        super().__init__(describe(cause))
        self.cause, self.script = cause, script

    def finding(self, message: str, repair: str) -> Finding:
        assert self.script is not None
        shows_all = isinstance(self.cause, NotATensor)
        return self.script().finding(
            message, repair, shows=lambda came: shows_all or type(came).__name__ == type(self.cause).__name__
        )


class NotATensor(TypeError):
    """A result that cannot become a tensor of real numbers; `shown` is code that shows it of a call."""

    def __init__(self, message: str, shown: str = "type({})") -> None:
        super().__init__(message)
        self.shown = shown


class Disconnected(Skip):
    """Result without a gradient by the argument."""


class Subject:
    """Loss or activation with a uniform call: prediction first, tensors in, a tensor out.

    Every call starts from the same random state.
    """

    def __init__(
        self, thing: Any, form: Form, *, source: Source, declared: Declared | None = None, seed: int = 0,
        quick: bool = False,
    ) -> None:  # fmt: skip
        self.thing, self.form, self.name, self.source = own_copy(thing), form, source.name, source
        self.variable = "f" if form.kind is None else "loss"  #: its name in code
        self.setup, self.given = source.assign(self.variable)
        self.declared = declared or Declared()
        self._call: Any = None
        self.models: dict[str, Any] = {}  #: modules that the declared call names
        if self.declared.call is not None:
            self._call, self.models = with_own_modules(self.declared.call)
        self.seed, self.quick = seed, quick
        self.card: Card | None = thing if isinstance(thing, Card) else None
        self.oddities: dict[str, str] = {}  #: the first print, and the first result that is no tensor
        self._versions: dict[tuple[str | None, torch.dtype], Any] = {}  #: by reduction and dtype
        self.warned: list[warnings.WarningMessage] = []  #: warnings of the last call
        self.settings = DECISIVE  #: settings of the process that each call leaves alone
        self.changed: list[Setting] = []  #: those that the last call would have changed
        self.changes: list[Setting] = []  #: settings that any call would change
        self.growth: Growth | None = None
        self.budget = Budget()
        self.notes: dict[str, Any] = {}  #: results that one check leaves for later ones
        self.facts: list[str] = []  #: facts for the report, besides faults
        self.doubt = ""  #: why errors and warnings are notes

    @property
    def title(self) -> str:
        return str(attribute_of(self.thing, "__name__", type(self.thing).__name__))

    @property
    def framework(self) -> Framework:
        return self.source.framework

    @property
    def origin(self) -> Any:
        """The object as its author made it, without an adapter."""
        return origin_of(self.thing)

    @property
    def family(self) -> str:
        return "activation" if self.form.kind is None else "loss"

    @property
    def is_module(self) -> bool:
        return isinstance(self.thing, torch.nn.Module)

    @property
    def space(self) -> Space:
        return self.form.spaces[0]

    @property
    def batch_level(self) -> bool:
        kind = self.form.kind
        return self.declared.batch_level or (kind is not None and kind.batched)

    def having(self, **changes: Any) -> Subject:
        return self.like(form=replace(self.form, **changes))

    @property
    def constructor_arguments(self) -> dict[str, Any]:
        """Arguments that make its equal, by name; none if they are unknown."""
        return constructor_arguments(self.origin) or {}

    def rebuilt(self, **settings: Any) -> Any:
        """Equal of the object with other constructor arguments; None if it cannot be made."""
        made = rebuilt(self.origin, **settings)
        return None if made is None else with_origin(self.thing, made)

    def without_kernels(self) -> contextlib.AbstractContextManager[Any]:
        """Block that runs a card without kernels: they load LLVM, which takes 50 MB.

        Any mode of torch switches them off.
        """
        return contextlib.nullcontext() if self.card is None else BaseTorchFunctionMode()

    def eager(self) -> Subject:
        """Subject that runs its own code at each call."""
        return self.like(thing=eager(self.thing))

    def tuned(self, **settings: Any) -> Subject:
        """Subject with other options: arguments of its constructor, else attributes; of a function, keywords."""
        thing, setup, doubt = self.thing, list(self.setup), self.doubt
        is_object = self.is_module or all(hasattr(thing, name) for name in settings)
        if is_object and (twin := self.rebuilt(**settings)) is not None:
            thing = twin
            setup.append(f"{self.variable} = {self.rebuilt_code(**settings)}")
        elif is_object:
            thing = own_copy(thing)
            for name, value in settings.items():
                old = getattr(thing, name)
                if not isinstance(old, torch.nn.Parameter):
                    doubt = SET_AFTERWARDS
                made = f"torch.full_like({self.variable}.{name}, {value!r})" if isinstance(old, Tensor) else repr(value)
                setattr(thing, name, torch.full_like(old, value) if isinstance(old, Tensor) else value)
                setup.append(f"{self.variable}.{name} = {made}")
        else:
            thing = partial(thing, **settings)
            given = ", ".join(f"{name}={value!r}" for name, value in settings.items())
            setup += ["from functools import partial", f"{self.variable} = partial({self.variable}, {given})"]
        return self.like(thing=thing, setup=setup, doubt=doubt, notes={}, oddities={})

    def like(self, **changes: Any) -> Subject:
        other = copy.copy(self)
        other._versions = {}
        vars(other).update(changes)
        return other

    # ------------------------------------------------------------------------------------- arguments

    def draw(self, seed: int = 0, rows: int | None = None, dtype: torch.dtype | None = None) -> Arguments:
        """Random valid arguments with hard targets, the same for a seed; `rows` is the first axis's length."""
        form = self.form if rows is None else replace(self.form, shape=(rows, *self.form.shape[1:]))
        kind, shape = form.kind, form.shape
        if kind is not None and kind.rowwise:
            axis = form.axis % len(shape)
            shape = (*shape[:axis], *shape[axis + 1 :], shape[axis])
        drawn = list(form.examples.sample(np.random.default_rng([self.seed, seed]), shape))
        for place, (x, space) in enumerate(zip(drawn, form.spaces, strict=True)):
            x = np.asarray(x)
            if space.is_unbounded and x.dtype.kind == "f":
                x = np.round(x, 3)  # shorter in code
            drawn[place] = np.round(x) if place and space.is_yes_or_no else x
        return form.laid_out(drawn, dtype)

    def draw_few(self, rows: int = 2) -> Arguments:
        """Arguments of few rows, for code; entries without rows stay as many."""
        return self.draw(rows=rows if len(self.form.shape) > 1 else None)

    def canonical(self, arguments: Sequence[Tensor]) -> tuple[Any, ...]:
        return tuple(self.form.canonical(place, x) for place, x in enumerate(arguments))

    def right(self, target: Tensor, size: float = 50.0) -> Tensor | None:
        """Right prediction for a target, with logits of magnitude `size`; None if unknown."""
        form = self.form
        if form.kind is None or form.target == "lists":
            return None
        right = form.examples.right(form.canonical(1, target), size, form.classes)
        return None if right is None else form.lay_out(0, right)

    def certain(self, target: Tensor) -> Tensor:
        """Target with probabilities of 0 and 1 only."""
        return self.form.lay_out(1, self.form.examples.hard(self.form.canonical(1, target)))

    def other(self, target: Tensor) -> Tensor:
        """Opposite target, or another class for each label or row."""
        form = self.form
        return form.lay_out(1, form.examples.other(form.canonical(1, target), form.classes))

    def ordered(self) -> Iterator[tuple[str, Arguments, Arguments]]:
        """Yield (description, arguments that must cost less, arguments that must cost more)."""
        form = self.form
        if form.target == "lists":
            return
        drawn = self.canonical(self.draw_few(4))
        for case, better, worse in form.examples.ordered(np.random.default_rng([self.seed, 0]), drawn):
            yield case, form.laid_out(better), form.laid_out(worse)

    def degenerate(self) -> Iterator[tuple[str, Arguments]]:
        """Yield (description, arguments) with zeros, ties, equal rows, and a prediction that is right."""
        drawn = self.draw()
        right = self.right(drawn[1]) if len(drawn) > 1 else None
        agreeing = None if right is None else self.form.canonical(0, right)
        for case, arguments in self.form.examples.degenerate(self.canonical(drawn), agreeing):
            yield case, self.form.laid_out(arguments)

    # ------------------------------------------------------------------------------------------ calls

    def __call__(
        self, *arguments: Tensor, reduction: str | None = None, in_place: bool = False, as_given: bool = False,
        **options: Any,
    ) -> Tensor:  # fmt: skip
        """Result as a tensor; raise SubjectError if the subject raises, Skip if it lacks an option.

        Unless `in_place`, the subject gets copies, which it may overwrite. Unless `as_given`, a module computes in the
        dtype of the arguments.
        """
        asked: dict[str, Any] = {"reduction": reduction, "in_place": in_place, "as_given": as_given}
        return self._tensor(self.raw(*arguments, **asked, **options), arguments)

    def find_changes(self) -> None:
        """Find the settings of the process that a call changes, so that each later call restores them."""
        probe = self.like(settings=SETTINGS)
        probe(*probe.draw())
        self.changes = probe.changed
        self.settings = tuple(dict.fromkeys([*DECISIVE, *probe.changed]))

    def raw(
        self, *arguments: Tensor, reduction: str | None = None, in_place: bool = False, as_given: bool = False,
        **options: Any,
    ) -> Any:  # fmt: skip
        """Subject's result, of any type; raise Skip if it would exceed the budget."""
        self.budget.check(self.growth, arguments)
        dtype = next((x.dtype for x in arguments if x.is_floating_point()), self.form.dtype)
        if reduction is not None and self.form.reduction == "keyword":
            options["reduction"] = reduction
        thing = self.thing if as_given else self._version(reduction, dtype)
        if self._call is not None:
            if options:
                raise Skip("its call passes no further options on")
            thing = self._through_call(thing, dtype)
        given = self.placed(arguments if in_place else [x.clone() for x in arguments])
        if self.form.numpy:
            given = [x.detach().numpy() for x in given]
            options = {name: x.numpy() if isinstance(x, Tensor) else x for name, x in options.items()}
        for name, role in self.form.extra.items():
            options.setdefault(name, self._extra(role, arguments))
        return self._watched(thing, given, options, arguments)

    def _through_call(self, thing: Any, dtype: torch.dtype) -> Callable[..., Any]:
        for model in self.models.values():
            model.to(dtype)
        return lambda *given: self._call(thing, given)

    def parameters(self) -> dict[str, torch.nn.Parameter]:
        """Parameters of the loss, and of models that its call names, by their code."""
        held = {**({self.variable: self._version(None, self.form.dtype)} if self.is_module else {}), **self.models}
        return {
            f"{variable}.get_parameter({name!r})": p
            for variable, module in held.items()
            for name, p in module.named_parameters()
            if p.requires_grad
        }

    @property
    def keywords(self) -> list[str]:
        """Options of a call, besides the declared arguments."""
        known = self.form.names if self.form.has_fixed_shape else ()
        return [] if self._call is not None else [name for name in keywords(self.thing) if name not in known]

    def placed(self, arguments: Sequence[Tensor]) -> list[Any]:
        given: list[Any] = list(arguments)
        given.insert(self.form.place, given.pop(0))
        return given

    def _extra(self, role: str, arguments: Sequence[Tensor]) -> Any:
        like = arguments[1] if arguments[1].ndim <= arguments[0].ndim else arguments[0]
        dtype = arguments[0].dtype if arguments[0].is_floating_point() else self.form.dtype
        ones = torch.ones(like.shape, dtype=torch.bool if role == "mask" else dtype)
        return ones.numpy() if self.form.numpy else ones

    def _version(self, reduction: str | None, dtype: torch.dtype) -> Any:
        """Subject with another reduction; a module with its tensors in that dtype."""
        if reduction is not None and self.form.reduction is None:
            raise Skip("it takes no reduction")
        by_attribute = reduction if self.form.reduction == "attribute" else None
        if not self.is_module and by_attribute is None:
            return self.thing
        key = by_attribute, dtype
        if key not in self._versions:
            version = own_copy(self.thing) if by_attribute is None else self._reduced(by_attribute)
            self._versions[key] = version.to(dtype) if self.is_module and dtype.is_floating_point else version
        return self._versions[key]

    def _reduced(self, reduction: str) -> Any:
        """Object with another reduction, made by its constructor, or else by setting its attribute."""
        version = self.rebuilt(reduction=reduction)
        if version is None:
            version = own_copy(self.thing)
            version.reduction = reduction
        return version

    def _watched(self, thing: Any, given: list[Any], options: dict[str, Any], arguments: Sequence[Tensor]) -> Any:
        seed_libraries(self.seed)
        printed, deepest = Printed(), sys.getrecursionlimit()
        try:
            with (
                warnings.catch_warnings(record=True) as told,
                contextlib.redirect_stdout(printed),
                np.errstate(divide="warn", over="warn", invalid="warn", under="ignore"),
                self._bounded(arguments),
            ):
                warnings.simplefilter("always")
                self.warned = told
                try:
                    with preserved(self.settings) as self.changed:
                        return thing(*given, **options)
                finally:
                    sys.setrecursionlimit(deepest)  # at once, or else there may be no depth left for a function
        except OverBudget:
            raise
        except (Exception, SystemExit) as error:
            raise SubjectError(error, partial(self._raising, error, arguments, options)) from error
        finally:
            if printed.getvalue():
                self.oddities.setdefault("prints", printed.getvalue())

    def _bounded(self, arguments: Sequence[Tensor]) -> contextlib.AbstractContextManager[None]:
        """Bound on the memory of a call; JAX's compiler ends the process where it gets none."""
        return self.budget.bounding(arguments) if self.framework.is_torch else contextlib.nullcontext()

    def _tensor(self, came: Any, arguments: Sequence[Tensor]) -> Tensor:
        try:
            came = self._loss_in(came)
            return self._real(came if issubclass(type(came), Tensor) else self._converted(came, arguments), arguments)
        except NotATensor as wrong:
            raise SubjectError(wrong, partial(self._raising, wrong, arguments)) from None

    def _loss_in(self, came: Any) -> Any:
        """Loss in a result, which may be a dict or a tuple."""
        kind = type(came)  # isinstance would run code of the object
        try:
            if issubclass(kind, Mapping) and came:
                self.oddities.setdefault("type", f"a {kind.__name__} with the keys {', '.join(map(str, came))}")
                return came.get("loss", next(iter(came.values())))
            if issubclass(kind, (tuple, list)) and came:
                self.oddities.setdefault("type", f"a {kind.__name__} of {len(came)}")
                return came[0]
        except Exception as error:
            raise NotATensor(f"gave a {kind.__name__} that raises {describe(error)}") from error
        if not issubclass(kind, Tensor) and not self.form.numpy:
            self.oddities.setdefault("type", f"a {kind.__name__}")
        return came

    def _converted(self, came: Any, arguments: Sequence[Tensor]) -> Tensor:
        """Tensor of an array or a number; raise NotATensor for other objects."""
        if issubclass(type(came), np.ndarray):
            _refuse_if_huge(came.size, arguments, "np.shape({})")
        try:
            if came is None:
                raise TypeError
            if np.iscomplexobj(came):
                raise NotATensor(COMPLEX, "np.asarray({}).dtype")
            return torch.as_tensor(np.asarray(came, dtype=np.float64)).to(self.form.dtype)
        except NotATensor:
            raise
        except Exception as error:  # of whatever the object does when it is looked at
            kind = "nothing" if came is None else f"a {type(came).__name__}"
            raise NotATensor(f"gave {kind} instead of a tensor") from error

    def _real(self, came: Tensor, arguments: Sequence[Tensor]) -> Tensor:
        """Dense tensor of real numbers on the processor; whole numbers take the dtype of the arguments."""
        if came.is_complex():
            raise NotATensor(COMPLEX, "{}.dtype")
        if came.layout is not torch.strided or came.is_quantized or came.is_nested:
            raise NotATensor("gave a sparse, quantized or nested tensor instead of a dense one", "{}.layout")
        if came.device.type != "cpu":
            raise NotATensor(f"gave a tensor on the device {came.device.type} for others on the cpu", "{}.device")
        _refuse_if_huge(came.numel(), arguments, "{}.shape")
        if came.dtype in FLOATS:
            return came
        return came.to(next((x.dtype for x in arguments if x.is_floating_point()), self.form.dtype))

    def total(self, *arguments: Tensor, **options: Any) -> Tensor:
        """Result, summed unless it is one number."""
        came = self(*arguments, **options)
        return came if came.ndim == 0 else came.sum()

    # ------------------------------------------------------------------------------ several batches

    def totals(self, batches: Sequence[Arguments]) -> Tensor:
        """Result of each batch, summed unless it is one number; of a card by few calls."""
        is_loss = self.form.kind is not None
        stacks = self._stacked(batches) if len(batches) > 2 else None
        if stacks is None or (is_loss and self.form.reduction is None):
            return torch.stack([self.total(*arguments).detach() for arguments in batches])
        came = torch.cat([self(*stack, reduction="none" if is_loss else None).detach() for stack in stacks])
        came = came.reshape(len(batches), -1)
        return came.mean(1) if is_loss else came.sum(1)

    def suspects(self, batches: Sequence[Arguments], is_sound: Callable[[Arguments], bool]) -> Iterator[int]:
        """Yield the places of batches that may not be sound; many rows of a card are tried together."""
        return self._suspects(range(len(batches)), batches, is_sound)

    def _suspects(
        self, places: range, batches: Sequence[Arguments], is_sound: Callable[[Arguments], bool]
    ) -> Iterator[int]:
        stacks = self._stacked([batches[place] for place in places]) if len(places) > 1 else None
        if stacks is None:
            yield from places
            return
        with contextlib.suppress(SubjectError, Skip):
            if all(map(is_sound, stacks)):
                return
        half = len(places) // 2
        for part in (places[:half], places[half:]):
            yield from self._suspects(part, batches, is_sound)

    @property
    def _rows_meet(self) -> bool:
        """Whether a value depends on other rows: regions are of one row each."""
        kind = self.form.kind
        return self.declared.batch_level or (kind is not None and kind.batched and not kind.has_regions)

    def _stacked(self, batches: Sequence[Arguments]) -> list[Arguments] | None:
        """Rows of several batches in few; None unless it is a card, whose rows do not meet, and the shapes fit."""
        if self.card is None or self._rows_meet or self.form.has_fixed_shape:
            return None
        shapes = {tuple((*x.shape, x.dtype) for x in arguments) for arguments in batches}
        if len(shapes) != 1 or not all(x.ndim and len(x) == len(batches[0][0]) for x in batches[0]):
            return None
        most = TOGETHER_IN_ROWS if self.form.kind is not None and self.form.kind.rowwise else TOGETHER
        many = max(most // batches[0][0].numel(), 1)
        parts = (batches[at : at + many] for at in range(0, len(batches), many))
        return [tuple(map(torch.cat, zip(*part, strict=True))) for part in parts]

    def gradient(
        self, *arguments: Tensor, by: int = 0, cotangent: Tensor | None = None, **options: Any
    ) -> tuple[Tensor, Tensor]:
        """(result, its gradient by one argument); raise Skip without a gradient, which `connectivity` reports."""
        if self.form.numpy:
            raise Skip(NO_GRADIENTS)
        leaves = [x.detach().clone() for x in arguments]
        leaves[by].requires_grad_()
        came = self(*leaves, **options)
        if not came.requires_grad:
            raise Disconnected("its result has no gradient")
        try:
            (gradient,) = torch.autograd.grad(
                came, leaves[by], torch.ones_like(came) if cotangent is None else cotangent, allow_unused=True
            )
        except Exception as error:
            lines = attempt(f"{self.call_with(options)}.sum().backward()"), "came"
            raise SubjectError(error, partial(self.script, arguments, *lines, grad=by, given=options)) from error
        if gradient is None:
            raise Disconnected(f"its result has no gradient by {self.form.names[by]}")
        return came.detach(), gradient

    # ------------------------------------------------------------------------------------------- code

    @property
    def call(self) -> str:
        return self.called()

    def called(self, *options: str, each: str = "", **instead: str) -> str:
        """Call as code, with other code for some arguments, options such as "mask=mask", and `each` after every one."""
        names = [instead.get(name, name) for name in self.form.names]
        names.insert(self.form.place, names.pop(0))
        if self.declared.call is not None:
            return f"call({self.variable}, ({', '.join(name + each for name in names)},))"
        given = {option.partition("=")[0] for option in options}
        extra = [f"{name}={name}{each}" for name in self.form.extra if name not in given]
        return f"{self.variable}({', '.join([*(name + each for name in names), *extra, *options])})"

    def call_with(self, options: Mapping[str, Any], part: slice | None = None) -> str:
        """Call as code with further arguments, tensors by name, for the batch or a part of it."""
        each = "" if part is None else f"[{part.start}:{part.stop}]"
        more = [f"{name}={name}{each}" if isinstance(x, Tensor) else f"{name}={x!r}" for name, x in options.items()]
        return self.called(*more, each=each)

    def rebuilt_code(self, **settings: Any) -> str:
        """Code that makes the object again by its constructor, with these arguments changed."""
        thing, variable = self.origin, self.variable
        if thing is not self.thing:
            variable = f"{variable}.subject"
        arguments = self.constructor_arguments | settings
        defaults = {name: p.default for name, p in inspect.signature(type(thing)).parameters.items()}
        given = []
        for name, value in arguments.items():
            if name in settings:
                given.append(f"{name}={self.spell(value) if isinstance(value, Tensor) else spell(value)}")
            elif type(value) in PLAIN:
                if type(defaults[name]) is not type(value) or defaults[name] != value:
                    given.append(f"{name}={spell(value)}")
            elif value is not defaults[name]:
                given.append(f"{name}={variable}.{name}")
        mode = "" if getattr(self.thing, "training", True) else ".eval()"
        code = self.source.adapted(f"type({variable})({', '.join(given)})")
        return f"{code}{mode}{self._moving(self.form.dtype)}"

    def _moving(self, dtype: torch.dtype) -> str:
        """Code after a module that moves it to a dtype, if it has tensors of another."""
        held = [*self.thing.parameters(), *self.thing.buffers()] if self.is_module else []
        return f".to({dtype})" if any(x.is_floating_point() and x.dtype != dtype for x in held) else ""

    def script(
        self, arguments: Sequence[Tensor], *lines: str, grad: int | None = None,
        given: Mapping[str, Any] | None = None, as_given: bool = False,
    ) -> Script:  # fmt: skip
        """Code that makes the subject and its arguments, and prints the values of the last line.

        Argument number `grad` requires a gradient. Tensors in `given` are made by name.
        """
        tensors = {name: x for name, x in (given or {}).items() if isinstance(x, Tensor)}
        extra = {name: self._extra(role, arguments) for name, role in self.form.extra.items() if name not in tensors}
        made = self.assign(arguments, grad)
        made += [f"{name} = {self.spell(torch.as_tensor(x))}" for name, x in (extra | tensors).items()]
        *first, last = lines
        library = ["import numpy as np" if self.form.numpy else "import torch"]
        if torch.get_default_dtype() != torch.float32:
            library.append(f"torch.set_default_dtype({torch.get_default_dtype()})")
        calling, more = ([], {}) if self._call is None else source_of(self._call).assign("call")
        setup = [*(self.setup if as_given else self.setup_for(arguments)), *calling]
        setup = [line for line in dict.fromkeys(setup) if line not in library]
        seeding = self.notes.get("seeding", ())
        code = [*library, *setup, *seeding, *made, *first, f"print({last})"]
        return Script(code, {**self.given, **more}, self.doubt)

    def setup_for(self, arguments: Sequence[Tensor]) -> list[str]:
        """Lines that make the subject; a module computes in the arguments' dtype."""
        dtype = next((x.dtype for x in arguments if x.is_floating_point()), torch.float32)
        moving = self._moving(dtype)
        return [*self.setup, *([f"{self.variable} = {self.variable}{moving}"] if moving else [])]

    def by_name(self, arguments: Sequence[Tensor]) -> dict[str, Tensor]:
        return dict(zip(self.form.names, arguments, strict=True))

    def assign(self, arguments: Sequence[Tensor], grad: int | None = None) -> list[str]:
        """Lines of code that assign other arguments to the names."""
        return [f"{name} = {self.spell(x, n == grad)}" for n, (name, x) in enumerate(self.by_name(arguments).items())]

    def to_meta(self) -> list[str]:
        moved = [f'{self.variable}.to("meta")'] if self.is_module else []
        return [*moved, *(f'{name} = {name}.to("meta")' for name in self.form.names)]

    def _raising(
        self, error: BaseException, arguments: Sequence[Tensor], options: Mapping[str, Any] | None = None
    ) -> Script:
        """Code for a call's exception, or for its result that is no tensor."""
        kind = type(error).__name__ if isinstance(error, SystemExit) else "Exception"
        options = {name: torch.as_tensor(x) if isinstance(x, np.ndarray) else x for name, x in (options or {}).items()}
        shown = error.shown if isinstance(error, NotATensor) else "{}"
        return self.script(arguments, attempt(shown.format(self.call_with(options)), kind), "came", given=options)

    def spell(self, x: Tensor, grad: bool = False) -> str:
        """Tensor as code (an array for a subject in NumPy)."""
        alike = x.numel() > 64 and bool((x == x.reshape(-1)[0]).all())
        shown = f"{tuple(x.shape)}, {spell(x.reshape(-1)[0])}" if alike else spell(x)
        plain = torch.float64 if self.form.numpy else torch.get_default_dtype()
        kept = "" if x.dtype in (plain, torch.int64, torch.bool) else f", dtype={x.dtype}"
        if self.form.numpy:
            return f"np.{'full' if alike else 'array'}({shown}{kept.replace('torch', 'np')})"
        return f"torch.{'full' if alike else 'tensor'}({shown}{kept}{', requires_grad=True' if grad else ''})"

    def raised(self, frame: FrameSummary, message: str, repair: str) -> Finding:
        """Finding about an exception outside of `__call__`, shown by a value or gradient if these raise it, too."""
        arguments = self.draw_few()
        line, grad = (self.call, None) if self.form.numpy else (f"{self.call}.sum().backward()", 0)
        with contextlib.suppress(Unshown):
            return self.script(arguments, attempt(line), "came", grad=grad).finding(
                message, repair, shows=lambda came: message.endswith(f": {describe(came)}")
            )
        return locate(*self.source.assign(self.variable), frame, message, repair)

    def smallest(self, arguments: Arguments, fails: Callable[[Arguments], bool]) -> Arguments:
        """Single row that still fails; if there is none, all rows."""
        lengths = {x.shape[0] for x in arguments if x.ndim}
        if len(lengths) == 1 and all(x.ndim for x in arguments):
            for place in range(min(lengths.pop(), 64)):
                row = tuple(x[place : place + 1] for x in arguments)
                with contextlib.suppress(SubjectError, Skip):
                    if fails(row):
                        return row
        return arguments


def is_own(file: str) -> bool:
    return not any(file.startswith(os.path.dirname(str(package.__file__)) + os.sep) for package in (torch, slopes))


def _refuse_if_huge(size: int, arguments: Sequence[Tensor], shown: str) -> None:
    most = max((x.numel() for x in arguments), default=1)
    if size > MOST * max(most, MOST):
        raise NotATensor(f"gave {size} numbers for arguments of {most}", shown)
