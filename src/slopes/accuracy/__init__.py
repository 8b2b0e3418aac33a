"""Measure the errors of values, slopes and second derivatives, beside the errors of peers."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TYPE_CHECKING, Any

from slopes.accuracy.workers import use_one_thread
from slopes.card import Card
from slopes.extras import require
from slopes.hints import did_you_mean
from slopes.truth import libraries

if TYPE_CHECKING:
    from slopes.accuracy.report import Accuracy
    from slopes.truth.measuring import Failure, Figure

__all__ = ["measure"]

Progress = Callable[[int, int, str], None]


def measure(
    cards: Card | Sequence[Card] | None = None, *, against: Sequence[str] = (), workers: int = 1,
    progress: Progress | None = None,
) -> Accuracy:  # fmt: skip
    """Measure how far cards, by default the whole catalogue, lie from the exact results, in every format.

    `against` names the libraries whose functions, as cards state them, are measured too. `workers` is the number of
    processes; with more than one, a script must have a main guard. `progress` is called with the number of cards done,
    the total, and the latest name. Errors of functions are listed in the result's `failures`.

    Raises TypeError for anything but a card, LookupError for an unknown library, ImportError for a missing one. Needs
    ``slopes[audit]``; with torch the torch reading and second derivatives are measured too.
    """
    require("slopes.accuracy", "flint", "mpmath")
    from slopes.accuracy.report import Accuracy, versions

    chosen = _cards(cards)
    _check_libraries(chosen, against)
    names = [card.name for card in chosen]
    labels = {card: card.name if names.count(card.name) == 1 else repr(card) for card in chosen}
    outcomes: dict[Card, tuple[list[Figure], list[Failure]]] = {}
    for card, outcome in _measured(labels, tuple(against), workers):
        outcomes[card] = outcome
        if progress is not None:
            progress(len(outcomes), len(chosen), card.name)
    return Accuracy(
        cards=list(labels.values()),
        against=tuple(against),
        figures=[figure for card in chosen for figure in outcomes[card][0]],
        failures=[failure for card in chosen for failure in outcomes[card][1]],
        versions=versions(against),
        complete=cards is None,
    )


def _cards(cards: Any) -> list[Card]:
    if cards is None:
        from slopes import catalogue

        cards = catalogue.CARDS.values()
    chosen = list(dict.fromkeys([cards] if isinstance(cards, Card) else cards))
    for card in chosen:
        if not isinstance(card, Card):
            raise TypeError(f"accuracy takes cards, got {type(card).__name__}")
    return chosen


def _check_libraries(cards: list[Card], against: Sequence[str]) -> None:
    known = list(dict.fromkeys([*libraries.KNOWN, *(library for card in cards for library in card.same_as)]))
    for library in against:
        if library not in known:
            raise LookupError(f"accuracy: no library {library!r}; {did_you_mean(library, known)}")
        try:
            libraries.load(library)
        except ImportError as error:
            raise ImportError(f"accuracy: {error}") from error


def _measured(
    labels: dict[Card, str], against: tuple[str, ...], workers: int
) -> Iterator[tuple[Card, tuple[list[Figure], list[Failure]]]]:
    from slopes.loading import describe
    from slopes.truth.measuring import Failure, measure_card

    size = min(workers, len(labels))
    if size <= 1:
        yield from ((card, measure_card(card, against, label)) for card, label in labels.items())
        return
    before = multiprocessing.active_children()
    pool = ProcessPoolExecutor(size, multiprocessing.get_context("spawn"), initializer=use_one_thread)
    try:
        running = {pool.submit(measure_card, card, against, label): card for card, label in labels.items()}
        for ended in as_completed(running):
            card, error = running[ended], ended.exception()
            yield card, ended.result() if error is None else ([], [Failure(labels[card], "worker", describe(error))])
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            if process not in before:
                process.terminate()
