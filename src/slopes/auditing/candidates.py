"""Candidates for the form of a subject."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from slopes.auditing.form import Declared, Form
from slopes.auditing.signatures import EXTRAS, has_both_roles, has_target_first, has_views
from slopes.kinds import BINARY, CLASSIFICATION, KINDS, Kind

ROWS_2, IMAGE, IMAGES = (6, 4), (2, 1, 8, 8), (2, 3, 8, 8)
LABELLED = ((ROWS_2, -1), ((2, 4, 3), 1), ((2, 4, 5, 5), 1), ((2, 3, 4), -1))
PLAIN = ((8,), (8, 1), ROWS_2, IMAGE, IMAGES)
OVERLAPPING = (IMAGE, (2, 8, 8), IMAGES, (8,))


def candidates(names: list[str] | None, declared: Declared, named: Kind | None) -> Iterator[list[Form]]:
    """Yield groups of forms to try, the likeliest first; forms of a group differ only in shapes.

    `named` is the kind that names suggest.
    """
    names = names or []
    extra = {name: EXTRAS[name] for name in names[2:] if name in EXTRAS}
    count = len(names) - len(extra) if names else 2
    kinds = [KINDS[declared.kind]] if declared.kind else _kinds(count, names, named)
    orders = (True, False) if has_target_first(names) else (False, True)
    for swapped in orders[:1] if declared.kind and has_both_roles(names) else orders:
        for kind in kinds:
            for variant in kind.variants() if declared.space is None else [with_declared_space(kind, declared)]:
                for group in _layouts(variant):
                    yield [replace(form, place=int(swapped and len(form.names) == 2), extra=extra) for form in group]


def with_declared_space(kind: Kind, declared: Declared) -> Kind:
    first = kind.arguments[0]
    return kind if declared.space is None or not first.space.is_logit else kind.having(**{first.name: declared.space})


def suggested(names: list[str], title: str) -> Kind | None:
    """Kind that the names of the arguments suggest, or else the name of the function or class."""
    for kind in KINDS.values():
        if any(re.search(part, name.lower()) for part in kind.name_parts for name in names):
            return kind
    titled = (kind for kind in KINDS.values() if any(re.search(part, title.lower()) for part in kind.title_parts))
    return next((kind for kind in titled if len(kind.arguments) == len(names)), None)


def _kinds(count: int, names: list[str], named: Kind | None) -> list[Kind]:
    """Kinds with this number of arguments, the suggested one first."""
    count = min(max(count, 2), 3)
    known = sorted((kind for kind in KINDS.values() if kind.guess), key=lambda kind: kind.guess)
    known = [kind for kind in known if len(kind.arguments) == count]
    if named is not None and len(named.arguments) == count:
        others = [kind for kind in known if count == 3 or kind.compares_vectors or not named.compares_vectors]
        return list(dict.fromkeys([named, *others]))
    return [kind for kind in known if kind.arguments[1].space.is_real] if has_views(names) else known


def _layouts(kind: Kind) -> Iterator[list[Form]]:
    if kind.has_regions:
        space = kind.arguments[0].space.name
        yield from _layouts(CLASSIFICATION.having(prediction=space))
        binary = BINARY.having(prediction=space)
        yield [Form(kind=binary, shape=shape) for shape in OVERLAPPING]
        yield [Form(kind=binary, shape=IMAGE, target="squeezed")]
    elif kind.takes_labels:
        for target in ("as drawn", "rows"):
            yield [Form(kind=kind, shape=shape, axis=axis, target=target) for shape, axis in LABELLED]
    elif kind.rowwise:
        shapes = (ROWS_2, (2, 3, 4), (4,))  # a single row beside a number fits losses of entries, too
        yield [Form(kind=kind, shape=shape) for shape in shapes[: 2 if kind.has_one_target_for_a_row else 3]]
    else:
        yield from _layouts_of_entries(kind)
    if kind.arguments[-1].space.is_sign and not kind.is_margin:
        yield [Form(kind=kind, shape=ROWS_2 if kind.rowwise else shape, target="zero_one") for shape in PLAIN[:3]]


def _layouts_of_entries(kind: Kind) -> Iterator[list[Form]]:
    shapes = PLAIN[:1] if kind.is_margin else PLAIN
    yield [Form(kind=kind, shape=shape) for shape in shapes]
    if kind.tells_yes_or_no or kind.is_margin:
        yield [Form(kind=kind, shape=shape, target="whole") for shape in shapes[:3]]


def with_axis(group: list[Form]) -> list[Form]:
    """Forms with the axis that Keras takes the mean over, in the place of forms without it."""
    forms = [form if len(form.shape) > 1 else replace(form, shape=(*form.shape, 1)) for form in group]
    return [form for form in forms if form.kind is None or not form.kind.rowwise or form.shape[-1] > 1]
