"""Which tests run in one process: those of a card, which computes its exact results but once, and those of a file.

pytest-xdist has groups of its own, by a marker, but it changes the ids of tests to tell them, and pytest 9.2 does not
let it: tests then run anywhere.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from slopes.catalogue import CARDS

NAMES = {card.name for card in CARDS.values()}
#: exports all cards as one graph, so that they stay together
WHOLE = ("test_onnx.py",)


def is_of_card(nodeid: str) -> bool:
    return group_of(nodeid) in NAMES


def group_of(nodeid: str) -> str:
    """Return the name of the card that a test is of, by its parameters, or the path of its file."""
    path, _, name = nodeid.partition("::")
    if not path.endswith(WHOLE):
        parameters = re.fullmatch(r"[^\[]*\[(.*)\]", name)
        for part in parameters[1].split("-") if parameters else ():
            if part in NAMES:
                return part
    return path


def order(items: list[pytest.Item]) -> None:
    """Put the tests of cards last: they are many small groups, which keep all processes busy to the end."""
    items.sort(key=lambda item: is_of_card(item.nodeid))


def make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Return a scheduler for pytest-xdist that hands out whole groups, in the order in which they were collected."""
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    config.option.loadscopereorder = False
    return ByGroup(config, log)
