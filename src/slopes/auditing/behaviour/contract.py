"""Checks of mismatched shapes and of side effects."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from slopes.auditing.behaviour.selection import keep_two_thirds, selections
from slopes.auditing.evidence import Script, seed_libraries
from slopes.auditing.form import Arguments
from slopes.auditing.report import SEVERITIES, Finding, about
from slopes.auditing.signatures import EXTRAS, attribute_of
from slopes.auditing.subject import Subject, SubjectError

ROWS, IMAGES = ((4,), (4, 1)), ((2, 3, 3), (2, 1, 3, 3))  #: a batch, without and with an axis of length 1
REPAIR_SHAPES = (
    "compare the shapes and raise ValueError where they differ; the caller says which one is meant, "
    "by prediction.squeeze(-1) or target.reshape(prediction.shape)"
)


@about("loss", unless=("shapes_refused",), once=True)
def shape_contract(subject: Subject) -> Iterator[Finding]:
    """Check that an additional axis of length 1 is refused or changes no result."""
    twice = (each for seed in (0, 1) for each in _mismatched(subject, seed))  # results of one draw may agree by chance
    for which, arguments, same, options in twice:
        if not _is_broadcast(subject, arguments, same, options):
            continue
        told = any("broadcast" in str(warning.message) for warning in subject.warned)
        names = subject.form.names
        shapes = " and ".join(f"{name} {tuple(x.shape)}" for name, x in zip(names, arguments, strict=True))
        shapes += "".join(f" and {name} {tuple(x.shape)}" for name, x in options[0].items())
        yield _in_both_shapes(subject, which, arguments, same[0], options[0]).finding(
            f"training compares predictions with targets of other samples: {shapes} are broadcast against each other"
            + (", with a warning that is shown once" if told else " silently"),
            REPAIR_SHAPES,
            "note" if told or not subject.form.sure else "error",
            expected="{1}, as for one shape, or a ValueError",
        )


Options = tuple[dict[str, Tensor], dict[str, Tensor]]
#: (name of the argument with another shape, arguments, matching arguments, options of both)
Case = tuple[str, Arguments, list[Arguments], Options]


def _mismatched(subject: Subject, seed: int) -> Iterator[Case]:
    form, kind = subject.form, subject.form.kind
    assert kind is not None
    yield from _mismatched_labels(subject, seed)
    if form.target == "squeezed" or (kind.rowwise and not kind.tells_yes_or_no):
        return
    narrow, wide = IMAGES if len(form.shape) > 2 else ROWS
    arguments = subject.having(shape=narrow).draw(seed)
    if len({x.shape for x in arguments}) != 1:
        return
    one_shape = [arguments, tuple(x.reshape(wide) for x in arguments)]
    for place, name in enumerate(form.names):
        for own, others in ((wide, narrow), (narrow, wide)):
            mixed = [x.reshape(own if i == place else others) for i, x in enumerate(arguments)]
            yield name, tuple(mixed), one_shape, ({}, {})
    yield from _mismatched_options(subject, *one_shape)


def _mismatched_labels(subject: Subject, seed: int) -> Iterator[Case]:
    form, kind = subject.form, subject.form.kind
    if kind is not None and kind.takes_labels and form.target == "as drawn" and len(form.shape) == 2:
        prediction, labels = subject.draw(seed, rows=4)
        yield "target", (prediction, labels[:, None]), [(prediction, labels)], ({}, {})


def _mismatched_options(subject: Subject, narrow: Arguments, wide: Arguments) -> Iterator[Case]:
    for name in [name for name in subject.keywords if name in EXTRAS]:
        counts = torch.arange(1, narrow[0].numel() + 1)
        weight = counts % 2 == 0 if EXTRAS[name] == "mask" else counts.to(subject.form.dtype)
        for given, other in ((wide, narrow), (narrow, wide)):
            same, mixed = ({name: weight.reshape(like[0].shape)} for like in (given, other))
            yield name, given, [given], (mixed, same)


def _is_broadcast(subject: Subject, arguments: Arguments, same: list[Arguments], options: Options) -> bool:
    """Whether mismatched shapes give another number than each of the matching ones."""
    expected = [value for given in same if (value := _value(subject, given, options[1])) is not None]
    came = _value(subject, arguments, options[0])
    return bool(expected) and came is not None and not any(_equal(came, value) for value in expected)


def _value(subject: Subject, arguments: Arguments, options: dict[str, Tensor]) -> Tensor | None:
    """Total; None if refused or not finite."""
    given: dict[str, Any] = {k: x.numpy() if subject.form.numpy else x for k, x in options.items()}
    try:
        value = subject.total(*arguments, **given).detach().double()
    except SubjectError:
        return None
    return value if bool(torch.isfinite(value)) else None


def _equal(x: Tensor, y: Tensor) -> bool:
    return bool(torch.isclose(x, y, rtol=1e-6, atol=1e-9))


def _in_both_shapes(
    subject: Subject, which: str, arguments: Arguments, same: Arguments, options: dict[str, Tensor]
) -> Script:
    labels = not arguments[-1].is_floating_point() and arguments[0].ndim > 1
    like = same[-1] if labels else next(x for k, x in zip(subject.form.names, arguments, strict=True) if k != which)
    call, again = subject.call_with(options), f"{which} = {which}.reshape({tuple(like.shape)})"
    return subject.script(arguments, f"print({call})", again, call, given=options)


@about("loss", "activation", unless=("inputs_written",), once=True)
def purity(subject: Subject) -> Iterator[Finding]:
    """Check that a call has no side effects and can be repeated."""
    subject = subject.eager()  # compiled code has no side effects
    for check in (_spoiled, _random, _changed_settings, _stateful, _by_mode):
        yield from check(subject)


def spoiled(subject: Subject) -> tuple[str, Arguments, dict[str, Any]] | None:
    """(name of an argument that a call changes, arguments, options), or None."""
    for arguments, options in _calls(subject):
        try:
            names = _changed(subject, arguments, options)
        except SubjectError:
            if not options:
                raise
            continue
        if names:
            return names[0], arguments, options
    return None


def _calls(subject: Subject) -> Iterator[tuple[Arguments, dict[str, Any]]]:
    """Yield (arguments, options) of a plain call, and where a mask, weights or an ignored label hide some entries."""
    yield subject.draw(), {}
    if not subject.form.numpy:
        for way in selections(subject):
            yield way.keeping(keep_two_thirds(way.shape), subject.draw())


def _changed(subject: Subject, arguments: Arguments, options: dict[str, Any]) -> list[str]:
    """Names of the tensors that a call changes in place."""
    given = tuple(x.clone() for x in arguments)
    more: dict[str, Any] = {name: x.clone() if isinstance(x, Tensor) else x for name, x in options.items()}
    subject(*given, in_place=True, **more)
    before, after = {**subject.by_name(arguments), **options}, {**subject.by_name(given), **more}
    return [name for name, x in before.items() if isinstance(x, Tensor) and not torch.equal(x, after[name])]


def _spoiled(subject: Subject) -> Iterator[Finding]:
    found = spoiled(subject)
    if found is None:
        return
    name, arguments, options = found
    declared = bool(attribute_of(subject.thing, "inplace", False))
    if not options:
        arguments = subject.smallest(arguments, lambda given: name in _changed(subject, given, {}))
    copies = "copy()" if subject.form.numpy else "clone()"
    lines = f"before = {name}.{copies}", subject.call_with(options), f"before, {name}"
    hidden = f" where {next(iter(options))} hides some entries" if options else ""
    yield subject.script(arguments, *lines, given=options).finding(
        f"training goes on with spoiled numbers: it changes its argument {name} in place{hidden}"
        + (", as inplace=True says" if declared else ""),
        f"compute a new tensor: x * y for x.mul_(y), x = x + y for x += y; or begin with {name}.{copies}",
        "note" if declared else "error",
        came=f"another {name} after the call than before it",
        expected="arguments as they were: others still need them, and their gradients",
    )


def _states_after(change: Callable[[], Any]) -> tuple[Any, Any, Any]:
    """Random states of torch, NumPy and Python."""
    change()
    _, key, *rest = np.random.get_state()  # noqa: NPY002
    return torch.get_rng_state().numpy().tobytes(), (np.asarray(key).tobytes(), *rest), random.getstate()


def _random(subject: Subject) -> Iterator[Finding]:
    others = [subject.like(seed=seed) for seed in (11, 12)]
    after = [_states_after(partial(other, *other.draw())) for other in others]
    before = [_states_after(partial(seed_libraries, other.seed)) for other in others]
    arguments = subject.draw_few()
    for library, *states in zip(("torch", "numpy", "random"), *after, *before, strict=True):
        if states[:2] == states[2:]:
            continue
        subject.notes["random"] = True
        draws = {"torch": "torch.rand(1)", "numpy": "np.random.rand()", "random": "random.random()"}[library]
        imported = "numpy" if subject.form.numpy else "torch"
        imports = [] if library == imported else [f"import {'numpy as np' if library == 'numpy' else library}"]
        if states[0] == states[1]:
            shown = subject.like(setup=[*imports, *subject.setup])
            yield shown.script(arguments, subject.call, f"first = {draws}", subject.call, f"first, {draws}").finding(
                f"training draws the same random numbers at every step: it seeds those of {library}, which are "
                "everybody's",
                "draw from a torch.Generator (numpy.random.Generator) of your own",
                came="the same random number after every call",
                expected="random states left as they are",
                shows=lambda first, second: first == second,
            )
        else:
            finding = subject.script(arguments, f"print({subject.call})", subject.call).finding(
                f"training differs from run to run unless it is seeded: it draws random numbers of {library}, and each "
                "call gives another result",
                "if that is meant, take a generator= or the noise as an argument, so that a run can be repeated",
                "note",
            )
            seed = {"torch": "torch.manual_seed", "numpy": "np.random.seed", "random": "random.seed"}[library]
            subject.notes["seeding"] = [*imports, f"{seed}(0)"]  # so that later code gives the same again
            yield finding


def _changed_settings(subject: Subject) -> Iterator[Finding]:
    if not subject.changes:
        return
    worst = min(subject.changes, key=lambda setting: SEVERITIES.index(setting.severity))
    lines = f"before = {worst.code}", subject.call, f"before == {worst.code}"
    shown = subject.like(setup=[worst.imported, *subject.setup])
    yield shown.script(subject.draw_few(), *lines).finding(
        f"training changes {worst.name}, which is everybody's: {worst.harm}",
        "leave it to the program that trains, or put it back at the end of the call, as a with block does",
        worst.severity,
        came="another after the call than before it",
        expected="settings of the process left as they are",
        shows=lambda same: not same,
    )


def _stateful(subject: Subject) -> Iterator[Finding]:
    arguments = subject.draw()
    thing = subject._version(None, subject.form.dtype)
    buffers = _buffers(thing)
    first, second = (subject(*arguments).detach() for _ in range(2))
    same = first.shape == second.shape and torch.allclose(first, second, rtol=1e-9, atol=0, equal_nan=True)
    kept = all(torch.equal(x, y) for x, y in zip(buffers, _buffers(thing), strict=False))
    if same and kept:
        return
    small = subject.draw_few()
    held = f"[x.clone() for x in {subject.variable}.buffers()]"
    lines = (f"print({subject.call})", subject.call) if kept else (f"print({held})", subject.call, held)
    yield subject.script(small, *lines).finding(
        "training depends on how often it was called before: "
        + ("the second call gives another result than the first" if kept else "each call changes its buffers"),
        "if that is meant, keep it in a buffer (register_buffer) and change it in training mode alone; if not, compute "
        "it anew in each call",
        "warning" if kept else "note",
        came="{0}, then {1}",
        expected="the same result for the same arguments" if kept else "the same buffers",
        shows=None if kept else lambda before, after: not all(map(torch.equal, before, after)),
    )


def _buffers(thing: Any) -> list[Tensor]:
    return [x.detach().clone() for x in thing.buffers()] if isinstance(thing, torch.nn.Module) else []


def _by_mode(subject: Subject) -> Iterator[Finding]:
    if not subject.is_module:
        return
    thing, arguments = subject._version(None, subject.form.dtype), subject.draw()
    results, mode_before = [], thing.training
    for mode in (False, True):
        thing.train(mode)
        results.append(subject(*arguments).detach())
    thing.train(mode_before)
    if not torch.equal(*results) and not any(bool(torch.isnan(x).any()) for x in results):
        given = subject.call.removeprefix(subject.variable)
        yield subject.script(
            subject.draw_few(),
            f"print({subject.variable}.eval(){given})", f"{subject.variable}.train(){given}",
        ).finding(
            "validation computes something else than training: train() and eval() give different results",
            "if that is meant, say so where a reader looks; if not, a Dropout or BatchNorm is inside, or self.training",
            "note",
        )  # fmt: skip
