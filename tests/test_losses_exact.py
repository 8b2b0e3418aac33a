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
    arguments = list(card.kind.sample(rng, (4, 4 if card.kind.name == "boxes" else 3), card.settings))
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


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("margin_softmax", {"form": "cosface", "margin": 0.3, "scale": 8.0}),
        ("margin_softmax", {"margin": 1.4, "scale": 3.0}),
        ("multiclass_hinge", {"form": "weston_watkins", "margin": 4.0}),
        ("multiclass_hinge", {"margin": 4.0, "p": 2}),
        ("multiclass_hinge", {"form": "weston_watkins", "p": 2}),
        ("multilabel_margin", {"margin": 5.0}),
        ("triplet_margin", {"p": 1.0, "margin": 20.0}),
        ("triplet_margin", {"p": 3.5, "margin": 20.0}),
        ("triplet_margin", {"swap": True, "margin": 20.0}),
    ],
)
def test_slopes_at_other_parameters_are_those_of_the_definition(name, parameters):
    arguments = sample(name)
    if name in ("margin_softmax", "multiclass_hinge"):  # soft targets reach every class
        arguments[1] = scipy.special.softmax(np.random.default_rng(1).standard_normal((4, 3)), axis=-1)
    slope = getattr(slopes, name).slope(*arguments, reduction="none", **parameters)
    exact = definitions.slopes(name, *arguments, **parameters).astype(float)
    assert np.isfinite(exact).mean() > 0.5
    np.testing.assert_allclose(np.where(exact == exact, slope, np.nan), exact, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["info_nce", "supcon"])
def test_slopes_of_a_batch_are_those_of_the_definition(name):
    rng = np.random.default_rng(0)
    vectors, labels = rng.standard_normal((6, 3)), np.array([0, 1, 0, 0, 1, 2])  # the last has no positive
    weight = rng.uniform(0.5, 2, 6)
    card = getattr(slopes, name).with_(temperature=0.5)
    slope = card.slope(vectors, labels, weight=weight, reduction="sum")
    exact = definitions.slopes_of_batch(
        getattr(definitions, name), vectors, labels, weight * (labels < 2), temperature=0.5
    )
    np.testing.assert_allclose(slope, exact.astype(float), rtol=1e-12, atol=1e-15)
