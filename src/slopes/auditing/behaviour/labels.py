"""Checks of labels: neutral options change nothing, and one-hot rows give the loss of labels."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from itertools import product
from typing import Any

import torch
from torch import Tensor

from slopes.auditing.behaviour.batches import asked, close, counts, doubt_reductions, is_library_loss
from slopes.auditing.behaviour.selection import selections
from slopes.auditing.evidence import Script, is_lost
from slopes.auditing.form import Arguments
from slopes.auditing.report import Finding, Skip, about
from slopes.auditing.signatures import SMOOTHING, attribute_of, default_of
from slopes.auditing.subject import Subject, SubjectError

SHARE = 0.1  #: a smoothing that is tried
WEIGHTS = ("weight", "class_weight", "class_weights", "weights")


class Options:
    """Loss of labels with options, given in the call or when a module is made."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.classes = subject.form.shape[subject.form.axis]
        self.smoothing = self._name(SMOOTHING, SHARE)
        self.weight = self._name(WEIGHTS, self.weights(subject.form.dtype))
        self.ignore = self._name(("ignore_index",), -100)

    def weights(self, dtype: torch.dtype) -> Tensor:
        return (torch.arange(self.classes) + 1.0).to(dtype)

    def _name(self, names: tuple[str, ...], trial: Any) -> tuple[str, str] | None:
        """(name, "call" or "made") of an option that the loss takes, or None."""
        for name in names:
            for how in ("call", "made"):
                if self._takes(name, how):
                    with contextlib.suppress(SubjectError, Skip, TypeError):
                        self.total(self.subject.draw(), {(name, how): trial})
                        return name, how
        return None

    def _takes(self, name: str, how: str) -> bool:
        thing = self.subject.thing
        if how == "call":
            return default_of(thing, name) is not inspect.Parameter.empty
        return self.subject.is_module and name in inspect.signature(type(thing).__init__).parameters

    def made(self, options: dict[tuple[str, str], Any]) -> tuple[Subject, dict[str, Any]]:
        """(the subject made with a module's options, the call's options)."""
        when_made = {name: x for (name, how), x in options.items() if how == "made"}
        by_call = {name: x for (name, how), x in options.items() if how == "call"}
        if not when_made:
            return self.subject, by_call
        made = self.subject.rebuilt(**when_made)
        if made is None:
            raise Skip(f"its constructor cannot be called again with another {next(iter(when_made))}")
        return self.subject.like(thing=made, notes={}), by_call

    def total(self, arguments: Arguments, options: dict[tuple[str, str], Any], reduction: str | None = None) -> Tensor:
        subject, by_call = self.made(options)
        return subject.total(*arguments, reduction=reduction, **by_call).detach()

    def script(
        self, arguments: Arguments, *several: dict[tuple[str, str], Any], each: str = "", reduction: str | None = None,
        show: str = "{0}, {1}",
    ) -> Script:  # fmt: skip
        """Code that prints the results; `each` follows every argument of the second."""
        lines: list[str] = []
        results: list[str] = []
        form = self.subject.form
        reduced = self._by_constructor(reduction)
        is_made_again = bool(reduced) or any(how == "made" for options in several for _, how in options)
        for place, options in enumerate(several):
            more = [f"{name}={self.spell(x)}" for (name, how), x in options.items() if how == "call"]
            if reduction is not None and form.reduction == "keyword":
                more.append(f"reduction={reduction!r}")
            if is_made_again:
                lines.append(self._made_again(options, reduced))
            if reduction is not None and form.reduction != "keyword" and not reduced:
                lines.append(f"{self.subject.variable}.reduction = {reduction!r}")
            results.append(f"result_{place + 1}")
            lines.append(f"{results[-1]} = {self.subject.called(*more, each=each if place else '')}")
        subject = self.subject if reduction is None else doubt_reductions(self.subject)
        return subject.script(arguments, *lines, show.format(*results))

    def _by_constructor(self, reduction: str | None) -> dict[str, str]:
        """The reduction as an argument of the constructor, if it is one."""
        if reduction is None or self.subject.form.reduction != "attribute":
            return {}
        return {} if self.subject.rebuilt(reduction=reduction) is None else {"reduction": reduction}

    def _made_again(self, options: dict[tuple[str, str], Any], reduced: dict[str, str]) -> str:
        made = {name: x for (name, how), x in options.items() if how == "made"}
        return f"{self.subject.variable} = {self.subject.rebuilt_code(**made, **reduced)}"

    def spell(self, x: Any) -> str:
        return self.subject.spell(x) if isinstance(x, Tensor) else repr(x)


@about("loss", unless=("row_independence", "accumulation", "mask_independence"), once=True)
def label_conventions(subject: Subject) -> Iterator[Finding]:
    kind = subject.form.kind
    if kind is None or not kind.takes_labels or subject.draw()[-1].is_floating_point():
        raise Skip("it takes no labels")
    if subject.form.numpy:
        raise Skip("it computes in NumPy, whose options are not known")
    options = Options(subject)
    for check in (_removed, _neutral, _smoothed, _one_hot, _unknown_label):
        if (finding := check(options)) is not None:
            yield asked(subject, finding)


def _combinations(options: Options, *named: tuple[str, str] | None) -> Iterator[dict[tuple[str, str], Any]]:
    """Yield every subset of the options, the empty one first."""
    trial = {options.smoothing: SHARE, options.weight: options.weights(options.subject.form.dtype)}
    present = [name for name in named if name is not None]
    for chosen in product((False, True), repeat=len(present)):
        yield {name: trial[name] for name, on in zip(present, chosen, strict=True) if on}


def _told(options: dict[tuple[str, str], Any]) -> str:
    return " and ".join(name for name, _ in options) or "no other option"


def _ignoring(options: Options) -> tuple[int, dict[tuple[str, str], Any]] | None:
    """(ignored label, options that it needs), or None."""
    way = next((way for way in selections(options.subject) if way.is_label), None)
    if way is not None and not way.given:
        return way.label, {}
    return (-100, {options.ignore: -100}) if options.ignore is not None else None


def _removed(options: Options) -> Finding | None:
    subject, ignoring = options.subject, _ignoring(options)
    if ignoring is None or subject.batch_level or subject.notes.get("coupled") or len(subject.form.shape) > 2:
        return None
    label, given = ignoring
    first, target = subject.draw(rows=5)
    keep = torch.tensor([True, True, True, False, False])
    marked = torch.where(keep, target, label)
    ways = (None, "sum") if subject.form.reduction else (None,)
    for chosen, reduction in product(_combinations(options, options.smoothing, options.weight), ways):
        both = {**given, **chosen}
        try:
            whole = options.total((first, marked), both, reduction)
            kept = options.total((first[keep], marked[keep]), both, reduction)
        except (SubjectError, Skip):
            continue
        if close(whole, kept):
            continue
        thins = close(whole * 5, kept * 3)
        effect = "takes smaller steps the more is ignored" if thins else "learns from what is to be ignored"
        does = "thin the mean" if thins else "change the loss"
        return options.script((first, marked), both, both, each="[:3]", reduction=reduction).finding(
            f"training {effect}: rows whose label is ignored ({label}) {does}, with {_told(chosen)}",
            "take out what is ignored before anything is averaged, the smoothing term too: divide by "
            "(target != ignore_index).sum(), or by the weights of those that are left",
            "warning" if thins else "error",
            came="{0} with the ignored rows",
            expected="{1}, as without them",
            shows=lambda whole, kept: not close(whole.sum(), kept.sum()),
        )
    return None


def _neutral(options: Options) -> Finding | None:
    subject = options.subject
    arguments = subject.draw()
    one = torch.ones(options.classes, dtype=subject.form.dtype)
    for option, number, value in ((options.weight, one, "weights of 1"), (options.smoothing, 0.0, "a smoothing of 0")):
        if option is None or not _off(subject, option[0]):
            continue
        for chosen in _combinations(options, options.smoothing if option == options.weight else options.weight):
            try:
                base, came = options.total(arguments, chosen), options.total(arguments, {**chosen, option: number})
            except (SubjectError, Skip):
                continue
            if not close(base, came):
                return options.script(arguments, {**chosen, option: number}, chosen).finding(
                    f"training changes with an option that asks for nothing: {value} "
                    f"change{'s' if option == options.smoothing else ''} the loss, with {_told(chosen)}",
                    "weights multiply the terms of the sum, and the mean divides by the weights of what counts",
                    expected="{1}, as without",
                    shows=lambda came, base: not close(came.sum(), base.sum()),
                )
    return None


def _off(subject: Subject, name: str) -> bool:
    now = attribute_of(subject.thing, name)
    default = default_of(subject.thing, name)
    now = default if default is not inspect.Parameter.empty else now
    return now is None or (isinstance(now, (int, float)) and now == 0)


def _smoothed(options: Options) -> Finding | None:
    subject = options.subject
    if options.smoothing is None or not subject.space.is_logit or not _off(subject, options.smoothing[0]):
        return None
    first, target = subject.draw()
    alike = torch.zeros_like(first), target
    weighted = "weights" in counts(subject, alike)
    try:
        base, came = options.total(alike, {}), options.total(alike, {options.smoothing: SHARE})
    except (SubjectError, Skip):
        return None
    if close(base, came) or _smooths_as_rows(options, alike, came):
        return None
    one_row = alike[0][:1], target[:1]
    return options.script(one_row, {options.smoothing: SHARE}, {options.smoothing: 0.0}, show="{0} / {1}").finding(
        "training takes steps of another size with smoothing: it changes the loss where all logits are alike, so the "
        "smoothed target does not sum to 1",
        "(1 − ε) · nll + ε · (−log p).mean over the classes: a mean, not a sum, and 1 − ε beside it",
        "note" if weighted else "warning",  # class weights move the smoothed target, in torch too
        came="{0} times the loss without smoothing",
        expected="the loss without smoothing, log K",
        shows=lambda ratio: not close(ratio, torch.ones_like(ratio)),
    )


def _as_rows(options: Options, first: Tensor, target: Tensor) -> Tensor:
    rows = torch.nn.functional.one_hot(target, options.classes).to(first.dtype)
    return rows.movedim(-1, options.subject.form.axis)


def _smooths_as_rows(options: Options, arguments: Arguments, came: Tensor) -> bool:
    """Whether smoothed rows as target give the same number: right, even where a loss is not linear in its target."""
    first, target = arguments
    rows = (1 - SHARE) * _as_rows(options, first, target) + SHARE / options.classes
    try:
        return close(options.total((first, rows), {}), came)
    except (SubjectError, Skip):
        return False


def _one_hot(options: Options) -> Finding | None:
    subject = options.subject
    ratios = []
    for seed in (0, 1):
        first, target = subject.draw(seed)
        rows = _as_rows(options, first, target)
        try:
            came, wanted = options.total((first, rows), {}), options.total((first, target), {})
        except (SubjectError, Skip):
            return None
        if wanted == 0 or not bool(torch.isfinite(came)):
            return None
        ratios.append(float(came / wanted))
    if close(ratios[0], 1.0) and close(ratios[1], 1.0):
        return None
    steady = close(*ratios)
    first, target = subject.draw(rows=2)
    one_hot = f"torch.nn.functional.one_hot(target, {options.classes}).to(prediction.dtype)"
    lines = f"labels = {subject.call}.sum()", f"target = {one_hot}.movedim(-1, {subject.form.axis})"
    return subject.script((first, target), *lines, f"{subject.call}.sum() / labels").finding(
        "training takes steps of another size where labels come as one-hot rows: these give "
        f"{f'{ratios[0]:.6g} times' if steady else 'another number than'} what labels give",
        "sum over the classes before the mean over the rows, so that both divide by rows",
        "note",  # users may never give it any
        came="{0} times the loss of the labels",
        expected="the same loss, or a refusal of floats",
        shows=lambda ratio: not close(ratio, 1.0),
    )


def _unknown_label(options: Options) -> Finding | None:
    subject = options.subject
    first, target = subject.draw(rows=2)
    ignoring = _ignoring(options)
    for label in (options.classes, -1):
        if ignoring is not None and label == ignoring[0]:
            continue
        wrong = target.clone()
        wrong.reshape(-1)[0] = label
        try:
            came = subject.total(first, wrong)
        except (SubjectError, Skip):
            continue
        if is_library_loss(subject) or not bool(torch.isfinite(came)):
            continue
        return subject.script((first, wrong), subject.call).finding(
            f"training learns from a wrong label unnoticed: {label} among {options.classes} classes is accepted "
            "silently",
            "refuse labels outside [0, classes): an index of −1 is the last class, and a comparison with none of them "
            "is a row without a target",
            "note",
            expected="an error",
            shows=lambda came: not is_lost(came),
        )
    return None
