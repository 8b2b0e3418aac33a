"""Ways to call a card that several test modules share."""

from slopes.card import Card, Loss, Map


def unreduced(card: Card):
    """The card as a function that gives one value per element or row."""
    return (lambda *arguments: card(*arguments, reduction="none")) if isinstance(card, Loss) else card


def is_map(card: Card) -> bool:
    """Whether the card mixes the entries of a row."""
    return isinstance(card, Map)
