"""The page in Chromium: light and dark, under the pointer, filtered, without scripts, on paper, and off the network."""

from __future__ import annotations

import base64
import re

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("jinja2")
pytest.importorskip("selenium")

from chromium import needs_chromium
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select
from synthetic import SIX, make_study

import slopes

pytestmark = needs_chromium

ATTACKS = [
    "</script><b>bold</b><script>document.title='taken'</script>",
    "crooked \"quoted\" 'x' & <!--",
    "<img src=x onerror=alert(1)>",
]


@pytest.fixture(scope="module")
def study():
    return make_study(lead={"tanh": 0.6}, diverging=[("relu", "mse", 0.1)])


@pytest.fixture(scope="module")
def page(study, tmp_path_factory):
    return study.report(tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture(params=["light", "dark"])
def scheme(request):
    return request.param


def test_it_opens_quietly_and_asks_for_nothing(browser, page, scheme):
    browser.open(page, scheme=scheme)
    assert browser.requests() == [page.as_uri()]
    assert browser.driver.get_log("browser") == []
    assert len(browser.seen(".uplot canvas")) == 4


def test_light_is_light_and_dark_is_dark(browser, page, scheme):
    pixels = browser.open(page, scheme=scheme).pixels()
    ground = np.median(pixels, axis=(0, 1))
    assert (ground > 245).all() if scheme == "light" else (ground < 40).all()
    text = pixels.astype(int).sum(-1)
    assert (text < 200).mean() > 0.005 if scheme == "light" else (text > 560).mean() > 0.005


def test_charts_change_with_the_scheme(browser, page):
    def colours():
        return browser.run("return document.querySelector('.uplot canvas').toDataURL()")

    browser.open(page, scheme="light")
    before = colours()
    browser.tell("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    browser.wait(lambda: colours() != before)
    assert len(browser.all(".uplot")) == 4, "drawn anew, not twice"


def legend(browser, chart):
    """Name to value, as the chart shows them."""
    rows = browser.all(".u-legend .u-series", chart)
    parts = [(browser.all("th", row)[0].text, browser.all("td", row)[0].text) for row in rows]
    return {name.rstrip(":"): value for name, value in parts}


@pytest.mark.parametrize("epoch", [1, 5, 12])
def test_the_pointer_shows_the_values_of_an_epoch(browser, page, study, epoch):
    browser.open(page)
    chart = browser.driver.find_element(By.ID, "learning-chart-1")
    over = browser.all(".u-over", chart)[0]
    browser.run("arguments[0].scrollIntoView({block: 'center'})", over)
    width = over.rect["width"]
    place = round((epoch - 1) / 11 * (width - 2) - width / 2 + 1)
    ActionChains(browser.driver).move_to_element_with_offset(over, place, 0).perform()
    browser.wait(lambda: legend(browser, chart)["epoch"] == str(epoch))
    shown = legend(browser, chart)
    del shown["epoch"]
    curves = {p.activation: np.mean([run.curve[epoch - 1] for run in p.chosen]) for p in study.pairs if p.loss == "mse"}
    assert shown == {name: f"{100 * value:.1f} %" for name, value in curves.items()}


def test_without_the_pointer_the_last_epoch_is_shown(browser, page, study):
    browser.open(page)
    shown = legend(browser, browser.driver.find_element(By.ID, "training-chart-0"))
    assert shown["epoch"] == "12"
    losses = [run.training_loss[-1] for run in study.pair("relu", "cross_entropy").chosen]
    assert float(shown["relu"]) == pytest.approx(np.mean(losses), rel=1e-2)


def test_the_legend_hides_a_curve_by_mouse_and_by_keyboard(browser, page):
    browser.open(page)
    chart = browser.driver.find_element(By.ID, "learning-chart-0")
    name = browser.all(".u-series th", chart)[1]
    row = browser.all(".u-series", chart)[1]
    browser.run("arguments[0].scrollIntoView({block: 'center'})", chart)
    name.click()
    assert "u-off" in row.get_attribute("class")
    browser.run("arguments[0].focus()", name)
    ActionChains(browser.driver).send_keys(Keys.ENTER).perform()
    assert "u-off" not in row.get_attribute("class")


def pairs_seen(browser, table):
    return [row.get_attribute("data-pair") for row in browser.seen(f"{table} tr[data-pair]")]


TABLES = ("#ranking", "#differences", "#numbers")


def test_filters_show_what_fits_in_all_tables(browser, page, study):
    browser.open(page)
    assert browser.driver.find_element(By.ID, "shown").text == "all 6 pairs"
    Select(browser.driver.find_element(By.NAME, "loss")).select_by_visible_text("mse")
    wanted = {str(place) for place, pair in enumerate(study.pairs) if pair.loss == "mse"}
    for table in TABLES:
        assert set(pairs_seen(browser, table)) == wanted
    assert browser.driver.find_element(By.ID, "shown").text == "3 of 6 pairs"
    Select(browser.driver.find_element(By.NAME, "activation")).select_by_visible_text("gelu")
    assert pairs_seen(browser, "#ranking") == ["4"]
    browser.all("#filters button")[0].click()
    browser.wait(lambda: len(pairs_seen(browser, "#ranking")) == 6)
    Select(browser.driver.find_element(By.NAME, "verdict")).select_by_visible_text("better")
    better = [row for row in study.verdicts() if row["verdict"] == "better"]
    assert better
    assert len(pairs_seen(browser, "#differences")) == len(better)
    assert browser.driver.get_log("browser") == []


def test_without_scripts_all_is_there(browser_without_scripts, page, study):
    plain = browser_without_scripts
    plain.open(page)
    assert plain.all(".uplot") == []
    assert plain.seen("#filters") == []
    assert len(pairs_seen(plain, "#ranking")) == 6
    assert len(plain.seen("#learning .panel svg")) == 12
    assert len(plain.seen("#learning .chart")) == 0
    text = plain.driver.find_element(By.TAG_NAME, "body").text
    assert f"{100 * study.ranking[0].estimate().mean:.1f} %" in text
    assert "By how much?" in text


def test_on_paper_panels_take_the_place_of_charts(browser, page):
    browser.open(page, width=760, media="print", scheme="dark")
    assert len(browser.seen("#learning .panel svg")) == 12
    assert browser.seen(".uplot") == []
    assert browser.seen("#filters") == []
    assert (np.median(browser.pixels(), axis=(0, 1)) > 245).all(), "paper is white, also where the screen is dark"
    hue = "return getComputedStyle(document.documentElement).getPropertyValue('--c0')"
    assert browser.run(hue) == "#0a6ab0", "and has the colours that are made for it"
    sheet = base64.b64decode(browser.tell("Page.printToPDF", printBackground=True)["data"])
    assert sheet.startswith(b"%PDF")
    assert len(sheet) > 20_000


def test_a_default_study_takes_six_sheets(browser, tmp_path):
    losses = [slopes.cross_entropy, slopes.mse, slopes.mae]
    study = make_study(
        activations=SIX, losses=losses, rates=[0.001, 0.003, 0.01, 0.03], epochs=20, seeds=20, costs=[1e-5] * 6
    )
    browser.open(study.report(tmp_path / "printed.html"), media="print")
    for paper in ({"paperWidth": 8.27, "paperHeight": 11.69}, {"paperWidth": 8.5, "paperHeight": 11}):
        sheet = base64.b64decode(browser.tell("Page.printToPDF", printBackground=True, **paper)["data"])
        assert 1 < len(re.findall(rb"/Type\s*/Page\b", sheet)) <= 6


def test_names_that_are_markup_do_no_harm(browser, tmp_path):
    study = make_study(names={"activation": ATTACKS, "loss": ["]]>{{7*7}}", "javascript:alert(1)"]})
    browser.open(study.report(tmp_path / "evil.html"))
    assert browser.requests() == [(tmp_path / "evil.html").as_uri()]
    assert browser.driver.get_log("browser") == []
    assert browser.driver.title != "taken"
    assert browser.all("img, b b") == []
    names = [row.text for row in browser.all("#learning-chart-0 .u-series th .u-label")][1:]
    assert names == ATTACKS
    Select(browser.driver.find_element(By.NAME, "activation")).select_by_visible_text(ATTACKS[0])
    assert len(pairs_seen(browser, "#ranking")) == 2


@pytest.mark.parametrize(
    "options",
    [
        {"activations": [slopes.tanh], "losses": [slopes.mse], "rates": [0.01], "seeds": 1, "epochs": 1},
        {"activations": [slopes.elu.with_(alpha=1 + i) for i in range(40)], "losses": [slopes.mse], "seeds": 1},
        {"kind": "regression", "losses": [slopes.mse], "epochs": 500},
        {"failing": [(a, b) for a in ("relu", "gelu", "tanh") for b in ("cross_entropy", "mse")]},
    ],
    ids=["one run", "40 pairs", "regression", "nothing trained"],
)
def test_odd_studies_open_quietly(browser, tmp_path, options):
    study = make_study(**options)
    browser.open(study.report(tmp_path / "odd.html"))
    assert browser.driver.get_log("browser") == []
    assert len(browser.requests()) == 1
    assert bool(browser.all(".uplot")) == bool(study.runs)
