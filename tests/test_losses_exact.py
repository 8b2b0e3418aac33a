"""Values and slopes of the losses against their definitions, over the whole range and away from the defaults."""

import numpy as np
import pytest
import scipy.special

pytest.importorskip("mpmath")
import definitions
import slopes


def sample(name):
    """Arguments of ordinary size, as the definitions take them: labels as rows, regions as probabilities."""
    card, rng = getattr(slopes, name), np.random.default_rng(0)
    arguments = list(card.kind.sample(rng, (4, 3), card.settings))
    if card.kind.name == "classification":
        arguments[1] = np.eye(3)[arguments[1]]
    return arguments if card.rowwise else [x.reshape(-1) for x in arguments]


@pytest.mark.parametrize(
    "name", [name for name in (*definitions.DEFINITIONS, *definitions.ROWS) if name not in definitions.REGIONS]
)
def test_definitions_are_those_of_the_cards_at_ordinary_arguments(name):
    arguments = sample(name)
    value, slope = getattr(slopes, name).value_and_slope(*arguments, reduction="none")
    np.testing.assert_allclose(value, definitions.values(name, *arguments).astype(float), rtol=1e-12, atol=1e-15)
    exact = definitions.slopes(name, *arguments).astype(float)
    np.testing.assert_allclose(np.where(exact == exact, slope, np.nan), exact, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", definitions.REGIONS)
def test_definitions_of_regions_are_those_of_the_cards(name):
    p, t = scipy.special.expit(np.random.default_rng(0).standard_normal((2, 4, 5)))
    value = getattr(slopes, name)(
        p[..., None], t[..., None], mode="multilabel", from_probabilities=True, reduction="none"
    )
    np.testing.assert_allclose(value[:, 0], definitions.values(name, p, t, 1 + 0 * p).astype(float), rtol=1e-12)
