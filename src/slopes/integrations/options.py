"""Options of a card that a framework calls."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence

from slopes.card import Card
from slopes.hints import did_you_mean


def keywords_of(card: Card, others: Sequence[str] = ()) -> list[str]:
    """Return the keywords of a call but `others`."""
    declared = inspect.signature(card).parameters.items()
    return [name for name, x in declared if x.kind is inspect.Parameter.KEYWORD_ONLY and name not in others]


def check_options(owner: str, card: Card, options: Iterable[str], others: Sequence[str], advice: str) -> None:
    """Raise TypeError for an unknown option, and with an advice for one of `others`, which the framework replaces."""
    known = keywords_of(card, others)
    for name in options:
        if name not in known:
            hint = advice if name in others else did_you_mean(name, known, f"it takes {', '.join(known) or 'none'}")
            raise TypeError(f"{owner}: {card.name} takes no option {name!r} here; {hint}")
