"""What several test modules share."""

import pytest

from slopes.card import Card, Loss
from slopes.catalogue import ACTIVATIONS, CARDS, LOSSES


def unique(cards: dict[str, Card]) -> list[Card]:
    """The cards, each once, whatever its names."""
    return list(dict.fromkeys(cards.values()))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `card`, `activation` or `loss` runs for each of them."""
    for argument, cards in (("card", CARDS), ("activation", ACTIVATIONS), ("loss", LOSSES)):
        if argument in metafunc.fixturenames:
            found = unique(cards)
            metafunc.parametrize(argument, found, ids=[card.name for card in found])


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in a hook of the same name
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of one card run in one process, which computes its exact results but once."""
    for item in items:
        shown = getattr(item, "callspec", None)
        cards = [value for value in shown.params.values() if isinstance(value, Card)] if shown else []
        item.add_marker(pytest.mark.xdist_group(cards[0].name if cards else item.path.name))


@pytest.fixture
def example():
    """Arguments for a card: small random float64 tensors away from kinks."""
    import numpy as np
    import torch

    def make(card: Card, shape=(4, 3), seed=0):
        rng = np.random.default_rng(seed)
        if isinstance(card, Loss):
            pixels = (5,) if "overlap" in card.kind.name else ()
            arguments = card.kind.sample(rng, (*shape[:-1], *pixels, shape[-1]), card.settings)
        else:
            shape = (*shape[:-1], getattr(card, "parts", 1) * shape[-1])
            arguments = (rng.uniform(0.2, 2, shape) * rng.choice([-1, 1], shape),)
        return tuple(torch.from_numpy(np.array(argument)) for argument in arguments)

    return make
