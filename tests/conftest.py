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


@pytest.fixture
def example():
    """Arguments for a card: small random float64 tensors away from kinks."""
    import numpy as np
    import torch

    def make(card: Card, shape=(4, 3), seed=0):
        rng = np.random.default_rng(seed)
        if isinstance(card, Loss):
            arguments = card.kind.sample(rng, shape, card.settings)
        else:
            arguments = (rng.uniform(0.2, 2, shape) * rng.choice([-1, 1], shape),)
        return tuple(torch.from_numpy(np.array(argument)) for argument in arguments)

    return make
