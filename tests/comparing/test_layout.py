"""The page's layout, with one family of fonts at a time: nothing sticks out and no two texts overlap, at any width."""

from __future__ import annotations

import dataclasses

import pytest

pytest.importorskip("torch")
pytest.importorskip("jinja2")
pytest.importorskip("selenium")

from chromium import FAMILIES, Browser, needs_chromium, write_fonts
from synthetic import make_study

import slopes
from helpers import mark_exhaustive
from slopes.comparing.study import Study

pytestmark = needs_chromium

LONG = {
    "activation": ["leaky_relu", "elu(alpha=1.25)", "a_long_activation_from_an_experiment_of_one_s_own"],
    "loss": ["categorical_cross_entropy", "softmax_focal(gamma=2.5)"],
}
STUDIES = {
    "usual": {"lead": {"tanh": 0.6}, "diverging": [("relu", "mse", 0.1)], "costs": [1e-5, 2e-5, 4e-5]},
    "long names": {"losses": [slopes.mse, slopes.softmax_focal.with_(gamma=2.5)], "names": LONG},
    "long unit": {"kind": "regression", "losses": [slopes.mse, slopes.huber, slopes.pinball], "epochs": 500},
    "40 pairs": {
        "activations": [slopes.elu.with_(alpha=1 + i) for i in range(40)],
        "losses": [slopes.mse],
        "seeds": 2,
    },
}

#: Returns the faults of a page as texts. Tables within `.scroll` may be wider than the page, but for those that rank.
FAULTS = """
const width = document.documentElement.clientWidth, faults = [], lines = [];
if (document.documentElement.scrollWidth > width) faults.push(`the page: ${document.documentElement.scrollWidth}`);
const scrolled = matchMedia("print").matches ? ".scroll" : "#ranking .scroll, #differences .scroll";
for (const each of document.querySelectorAll(scrolled))
  if (each.scrollWidth > each.clientWidth) faults.push(`${each.closest("section").id}: ${each.scrollWidth}`);
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walk.nextNode()) {
  const text = walk.currentNode, parent = text.parentElement;
  if (!text.data.trim() || !parent.checkVisibility({ visibilityProperty: true })) continue;
  if (parent.closest(".unseen, script, style, select, defs")) continue;
  const clip = parent.closest(".at")?.getBoundingClientRect();
  if (clip?.width === 0) continue;
  if (parent.matches(".at") && parent.scrollWidth > parent.clientWidth + 1) faults.push(`cut: ${text.data}`);
  const range = document.createRange();
  range.selectNodeContents(text);
  for (const { left, right, top, bottom } of range.getClientRects()) {
    const line = { text, left, right: Math.min(right, clip?.right ?? right), middle: (top + bottom) / 2 };
    const beyond = line.left < -0.5 || line.right > width + 0.5;
    if (beyond && !parent.closest(".scroll, pre")) faults.push(`beyond the edge: ${text.data}`);
    // half of its height: the boxes of two lines of prose may touch
    if (right - left >= 1) lines.push({ ...line, half: (bottom - top) / 4 });
  }
}
lines.sort((a, b) => a.middle - a.half - (b.middle - b.half));
lines.forEach((a, i) => {
  for (let j = i + 1; j < lines.length && lines[j].middle - lines[j].half < a.middle + a.half; j++) {
    const b = lines[j];
    if (a.text !== b.text && a.left < b.right - 0.5 && b.left < a.right - 0.5)
      faults.push(`overlap: ${a.text.data.trim()} | ${b.text.data.trim()}`);
  }
});
return faults;
"""


@pytest.fixture(scope="module", params=FAMILIES)
def browser(request, tmp_path_factory):
    """A browser that knows one family of fonts."""
    opened = Browser(fonts=write_fonts(request.param, tmp_path_factory.mktemp("fonts")))
    yield opened
    opened.driver.quit()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    return {name: make_study(**options).report(folder / f"{name}.html") for name, options in STUDIES.items()}


def faults(browser, page, widths, media="screen"):
    """The widths at which the page has faults, with these."""
    browser.open(page, media=media)
    found = {}
    for width in widths:
        browser.resize(width)
        if told := browser.run_when_drawn(FAULTS):
            found[width] = told
    return found


#: each side of the widths at which the style sheet changes the layout, and some between
WIDTHS = (320, 360, 420, 500, 600, 700, 701, 760, 800, 860, 861, 960, 1060, 1061, 1280, 1600)
PAPER = (640, 720, 760)  #: A4 and Letter with usual margins are 718 and 740 wide


@pytest.mark.parametrize("study", mark_exhaustive(["long names", "usual"]))
def test_it_fits_a_screen_of_any_width(browser, pages, study):
    assert faults(browser, pages[study], WIDTHS) == {}


@pytest.mark.parametrize("study", mark_exhaustive(STUDIES))
def test_it_fits_paper(browser, pages, study):
    assert faults(browser, pages[study], PAPER, media="print") == {}


@pytest.mark.exhaustive
@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize("media", ["screen", "print"])
def test_it_fits_at_every_width(browser, pages, study, media):
    assert faults(browser, pages[study], range(320 if media == "screen" else 640, 1601, 16), media) == {}


def test_it_fits_where_letters_are_set_wider_than_in_any_of_them(browser, pages):
    """The spacing that readers may ask for (WCAG 1.4.12)."""
    browser.open(pages["usual"])
    browser.run("""
        const style = document.createElement("style");
        style.textContent = "* { letter-spacing: 0.12em !important; word-spacing: 0.16em !important; }";
        document.head.append(style);
    """)
    for width in (360, 760, 1280):
        browser.resize(width)
        assert browser.run_when_drawn(FAULTS) == [], width


#: Returns each cell of the tables that rank, and each title of a panel, that shows nothing of its text.
DROPPED = """
return [...document.querySelectorAll(".ranking td, .ranking td *, .panel figcaption *")]
  .filter((each) => each.textContent.trim() && !each.closest(".live, .twin"))
  .filter((each) => !each.checkVisibility({ visibilityProperty: true }) || each.getBoundingClientRect().width < 1
    || each.scrollWidth > each.clientWidth + 1 && getComputedStyle(each).overflow !== "visible")
  .map((each) => each.textContent);
"""


def test_nothing_is_dropped_on_a_telephone(browser, pages):
    for study in ("usual", "long names"):
        browser.open(pages[study], width=400)
        assert browser.run_when_drawn(DROPPED) == []
        assert browser.run_when_drawn(FAULTS) == []


def test_labels_of_a_chart_are_whole(browser, tmp_path):
    """Labels that reach beyond the canvas leave ink in its first column."""
    study = make_study(kind="regression", losses=[slopes.mse])
    far = [dataclasses.replace(run, curve=[5e6 + value / 100 for value in run.curve]) for run in study.runs]
    browser.open(Study(study.plan, far, [], tmp_path, 1.0).report(tmp_path / "far.html"))
    ink = browser.run_when_drawn("""
        const canvas = document.querySelector(".uplot canvas");
        return canvas.getContext("2d").getImageData(0, 0, 1, canvas.height).data.some((value) => value > 0);
    """)
    assert not ink
