"""The cards give what other libraries gave when tools/peers.py asked them, and the page of conventions says so."""

import json
import pathlib
import runpy

import numpy as np
import pytest

import slopes
from slopes.catalogue import CARDS
from slopes.truth.libraries import KNOWN

ROOT = pathlib.Path(__file__).parent.parent
TOOLS = {name: runpy.run_path(str(ROOT / "tools" / f"{name}.py")) for name in ("peers", "conventions")}
RECORD = json.loads((ROOT / "tests/data/peers.json").read_text())
ENTRIES = [(name, library) for name, entry in RECORD["cards"].items() for library in entry["libraries"]]


def ours(name):
    arguments = RECORD["inputs"][RECORD["cards"][name]["input"]].values()
    return TOOLS["peers"]["mine"](CARDS[name], [np.array(argument) for argument in arguments])


@pytest.mark.parametrize(("name", "library"), ENTRIES)
def test_the_card_gives_what_the_library_gave(name, library):
    entry = RECORD["cards"][name]["libraries"][library]
    assert TOOLS["peers"]["agrees"](library, entry["same"], ours(name)), (ours(name), entry["same"])
    assert "bare" not in entry or not TOOLS["peers"]["agrees"](library, entry["bare"], ours(name))


def test_the_record_is_of_the_cards_as_they_are():
    """Else run tools/peers.py where the libraries are installed, and then tools/conventions.py."""
    stated = {
        (card.name, library): (peer.same, peer.bare)
        for card in CARDS.values()
        for library, peer in card.same_as.items()
        if library in KNOWN
    }
    recorded = {}
    for name, library in ENTRIES:
        entry = RECORD["cards"][name]["libraries"][library]
        recorded[name, library] = entry["same"]["call"], entry.get("bare", {}).get("call")
    assert recorded == stated


def test_the_page_is_made_from_the_record():
    """Else run tools/conventions.py."""
    pytest.importorskip("torch")
    assert (ROOT / "docs/conventions.md").read_text() == TOOLS["conventions"]["page"](RECORD)


@pytest.mark.parametrize(
    "formula", TOOLS["conventions"]["FORMULAS"], ids=lambda formula: f"{formula.card}-{formula.code}"
)
def test_formulas_of_other_code_are_given_by_the_calls_beside_them(formula):
    if formula.card == "ctc":
        pytest.importorskip("torch")
    theirs, mine, same = TOOLS["conventions"]["computed"](formula)
    assert same == pytest.approx(theirs, rel=1e-12)
    assert not formula.same or abs(mine - theirs) > 1e-4 * abs(theirs)
    assert hasattr(slopes, formula.card)


def test_links_within_the_page_lead_somewhere():
    import re

    page = (ROOT / "docs/conventions.md").read_text()
    headings = {TOOLS["conventions"]["anchor"](heading) for heading in re.findall(r"^#+ (.*)$", page, flags=re.M)}
    assert set(re.findall(r"\]\(#([^)]*)\)", page)) <= headings
