"""The built website in a browser, opened from its folder; `make test-site` builds it first."""

import pathlib
import sys

import pytest

pytest.importorskip("selenium")

sys.path.insert(0, str(pathlib.Path(__file__).parent / "comparing"))

from chromium import needs_chromium

SITE = pathlib.Path(__file__).parent.parent / "site"
pytestmark = [pytest.mark.site, needs_chromium]

PAGES = [
    "index", "start", "lesson/index", "lesson/zh/index", "lesson/linear", "lesson/zh/training", "guides/loss", "api/compare", "accuracy", "conventions", "audit/index", "functions/index",
    "families/activations", "functions/gelu", "functions/relu", "functions/softmax", "functions/swiglu",
    "functions/huber", "functions/cross_entropy", "functions/gaussian_nll", "functions/supcon", "functions/barron_general",
    "playground", "training", "search", "api/boosting", "boosting", "findings", "functions/dpo",
]  # fmt: skip


def address(page):
    return SITE / f"{page}.html"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_without_errors_or_the_network(browser, page):
    browser.open(address(page))
    assert [entry["message"] for entry in browser.driver.get_log("browser") if entry["level"] == "SEVERE"] == []
    assert {request.partition(":")[0] for request in browser.requests()} <= {"file", "data"}


@pytest.mark.parametrize("width", [360, 800, 1400])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_not_wider_than_its_window(browser, page, width):
    browser.open(address(page), width=width)
    assert browser.run_when_drawn("return document.documentElement.scrollWidth") <= width


WIDE = """
const faults = []
for (const node of document.querySelectorAll("article :is(table, pre, math, svg, canvas, figure, fieldset, form)")) {
  const box = node.getBoundingClientRect()
  if (box.width === 0 || box.right <= innerWidth + 1) continue
  let holder = node.parentElement
  while (holder && !["auto", "scroll"].includes(getComputedStyle(holder).overflowX)) holder = holder.parentElement
  if (!holder || holder.getBoundingClientRect().right > innerWidth + 1) faults.push(node.outerHTML.slice(0, 80))
}
return faults
"""


@pytest.mark.parametrize("page", PAGES)
def test_wide_parts_scroll_in_a_box_of_their_own_on_a_phone(browser, page):
    browser.open(address(page), width=400)
    assert browser.run_when_drawn(WIDE) == []


def test_pages_are_light():
    for path in SITE.rglob("*.html"):
        assert path.stat().st_size < 300_000, path.name


def test_every_function_has_a_page_with_a_picture():
    from slopes.catalogue import CARDS

    for card in set(CARDS.values()):
        text = address(f"functions/{card.name}").read_text()
        assert card.name in text
        assert ('<svg class="curve"' in text) == (card.family != "loss" or card.kind.has_curve)


def test_a_curve_is_seen_without_scripts(browser_without_scripts):
    browser_without_scripts.open(address("functions/gelu"))
    (picture,) = browser_without_scripts.seen("figure.curve svg.curve")
    assert len(browser_without_scripts.all("path.value", picture)) == 1


def test_the_playground_has_a_picture_without_scripts(browser_without_scripts):
    browser_without_scripts.open(address("playground"))
    (picture,) = browser_without_scripts.seen("figure.curve svg.curve")
    assert len(browser_without_scripts.all("path.value", picture)) == 3


def test_the_cursor_and_the_arrow_keys_tell_numbers(browser):
    import slopes

    browser.open(address("functions/gelu"))
    browser.run("document.querySelector('svg.curve').focus()")
    told = browser.run("return document.querySelector('.readout').textContent")
    assert told == "x = 0; value 0, slope 0.5"
    for _ in range(5):
        browser.tell("Input.dispatchKeyEvent", type="keyDown", key="ArrowRight", code="ArrowRight")
    told = browser.run("return document.querySelector('.readout').textContent")
    value, slope = slopes.gelu(0.2), slopes.gelu.slope(0.2)
    assert told == f"x = 0.2; value {value:.6g}, slope {slope:.6g}"


def test_a_slider_changes_the_curve(browser):
    browser.open(address("functions/elu"))
    path = "return document.querySelector('svg.curve path.value').getAttribute('d')"
    before = browser.run_when_drawn(path)
    script = "const s = document.querySelector('input[type=range]'); s.value = 3; s.dispatchEvent(new Event('input'))"
    browser.run(script)
    assert browser.run(path) != before
    assert browser.run("return document.querySelector('label.slider output').textContent") == "3"


def test_the_plot_can_be_dragged_and_zoomed(browser):
    browser.open(address("functions/gelu"))
    first = "return document.querySelector('svg.curve text').textContent"
    before = browser.run_when_drawn(first)
    box = browser.run("const b = document.querySelector('svg.curve').getBoundingClientRect(); return [b.x, b.y]")
    x, y = box[0] + 200, box[1] + 100
    for kind, at in (("mousePressed", x), ("mouseMoved", x + 150), ("mouseReleased", x + 150)):
        browser.tell("Input.dispatchMouseEvent", type=kind, x=at, y=y, button="left", buttons=1, clickCount=1)
    moved = browser.run(first)
    assert moved != before
    browser.run("[...document.querySelectorAll('.controls button')].find((b) => b.textContent === 'Reset').click()")
    assert browser.run(first) == before


def test_the_playground_shows_the_view_of_an_address(browser):
    page = address("playground")
    browser.open(page)
    browser.driver.get(f"{page.as_uri()}#f=elu(alpha=2);tanh&x=-2,2")
    browser.driver.refresh()
    assert browser.run_when_drawn("return document.querySelectorAll('#playground .sets fieldset').length") == 2
    assert "elu(alpha=2);tanh" in browser.run("return location.hash")
    browser.run(
        "const s = document.querySelector('#playground select'); s.value = 'mse'; s.dispatchEvent(new Event('change'))"
    )
    assert browser.run("return location.hash").startswith("#f=elu(alpha=2);tanh;mse&")


def test_the_playground_maps_a_single_loss(browser):
    browser.open(address("playground"))
    browser.driver.get(f"{address('playground').as_uri()}#f=huber")
    browser.driver.refresh()
    assert browser.run_when_drawn("return !document.querySelector('figure.map').hidden")
    pixels = "const c = document.querySelector('figure.map canvas'); return [...c.getContext('2d').getImageData(%s, 1, 1).data]"
    on_the_diagonal, off = browser.run(pixels % "40, 119"), browser.run(pixels % "40, 10")
    assert sum(off[:3]) > sum(on_the_diagonal[:3]) + 200


def test_the_playground_has_functions_of_rows_and_errors_of_pytorch(browser):
    browser.open(address("playground"))
    browser.driver.get(f"{address('playground').as_uri()}#f=softmax;gelu;log_softmax(third=2)&x=-20,20")
    browser.driver.refresh()
    legends = "return [...document.querySelectorAll('#playground legend')].map((legend) => legend.textContent)"
    assert browser.run_when_drawn(legends) == ["softmax", "gelu", "log_softmax"]
    dashed = "return [...document.querySelectorAll('figure.errors path.slope')].map((path) => path.getAttribute('d').length > 50)"
    assert browser.run(dashed) == [False, True, True]


def test_a_network_trains_in_the_page(browser):
    browser.open(address("training"))
    steps = "return document.querySelector('.trainer output').textContent"
    assert browser.run_when_drawn(steps).startswith("Step 0: loss 0.")
    button = "[...document.querySelectorAll('.trainer button')].find((b) => b.textContent === '%s').click()"
    browser.run(button % "Train")
    browser.wait(lambda: int(browser.run(steps).split()[1].rstrip(":")) > 150)
    browser.run(button % "Pause")
    assert int(browser.run(steps).rpartition(", ")[2].split()[0]) > 90
    assert len(browser.all(".trainer tbody tr")) == 4


def test_search_finds_a_function(browser):
    browser.driver.get(f"{address('search').as_uri()}?q=huber")
    browser.wait(lambda: browser.all("#search-results li a"))
    assert any("huber" in link.get_attribute("href") for link in browser.all("#search-results li a"))


CONTRAST = """
const light = ([r, g, b]) => [r, g, b].map((c) => ((c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
  .reduce((sum, c, k) => sum + c * [0.2126, 0.7152, 0.0722][k], 0)
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true })
const rgba = (text) => {
  canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1)
  return [...canvas.getImageData(0, 0, 1, 1).data]
}
const ground = (node) => {
  for (; node; node = node.parentElement) { const c = rgba(getComputedStyle(node).backgroundColor); if (c[3] > 250) return c }
  return [255, 255, 255]
}
const faults = []
for (const node of document.querySelectorAll("article *")) {
  const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim())
  if (!own || !node.checkVisibility() || node.closest("noscript")) continue
  const style = getComputedStyle(node), colour = rgba(node.namespaceURI.endsWith("svg") ? style.fill : style.color)
  const [a, b] = [light(colour), light(ground(node))], ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
  if (ratio < 4.5) faults.push(`${node.tagName} ${node.textContent.trim().slice(0, 30)}: ${ratio.toFixed(2)}`)
}
for (const node of document.querySelectorAll("article [placeholder]")) {
  const [a, b] = [light(rgba(getComputedStyle(node, "::placeholder").color)), light(ground(node))]
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
  if (ratio < 4.5) faults.push(`${node.placeholder}: ${ratio.toFixed(2)}`)
}
return faults
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "page",
    [
        "index",
        "functions/gelu",
        "functions/index",
        "families/activations",
        "playground",
        "training",
        "lesson/zh/digits",
    ],
)
def test_text_has_the_contrast_of_level_aa(browser, page, scheme):
    browser.open(address(page), scheme=scheme)
    assert browser.run_when_drawn(CONTRAST) == []


def test_the_gallery_is_filtered_and_sorted(browser):
    browser.open(address("functions/index"))
    names = "return [...document.querySelectorAll('ul.gallery > li')].filter((item) => !item.hidden).map((item) => item.dataset.name)"
    everything = browser.run(names)
    browser.run("const b = document.querySelector('input[value=\"odd or even\"]'); b.click()")
    odd = browser.run(names)
    assert "tanh" in odd
    assert "gelu" not in odd
    browser.run(
        "const s = document.querySelector('form.controls select:nth-of-type(2)'); s.selectedIndex = 1; s.dispatchEvent(new Event('input', { bubbles: true }))"
    )
    assert browser.run(names) == sorted(odd)
    assert len(everything) > 90


def test_a_chapter_has_live_figures_and_checks_answers(browser):
    browser.open(address("lesson/linear"))
    assert browser.run_when_drawn("return document.querySelectorAll('.beside svg.curve.live path.value').length") == 3
    (first,) = [field for field in browser.all(".exercise input")][:1]
    verdict = "return document.querySelector('.exercise output').textContent"
    for given, wanted in (("3000", "Not yet."), ("2000", "Right."), ("many", "A number, please.")):
        first.clear()
        first.send_keys(given + "\n")
        assert browser.run(verdict) == wanted
    last = "const s = document.querySelector('.exercise select'); s.value = 'sigmoid'; s.form.requestSubmit()"
    browser.run(last)
    assert browser.run("return document.querySelectorAll('.exercise output')[2].textContent") == "Right."


def test_figures_stand_beside_the_text_where_there_is_room(browser):
    script = "return ['.beside', 'p:has(+ .beside)'].map((s) => document.querySelector(s).getBoundingClientRect().left)"
    browser.open(address("lesson/relu"), width=1280)
    figure, text = browser.run_when_drawn(script)
    assert figure > text + 500
    browser.open(address("lesson/relu"), width=400)
    figure, text = browser.run_when_drawn(script)
    assert figure == text


def test_a_chapter_in_chinese_has_chinese_words(browser):
    browser.open(address("lesson/zh/training"))
    assert browser.run("return document.documentElement.lang") == "zh-CN"
    summary = browser.run_when_drawn("return document.querySelector('.trainer output').textContent")
    assert summary.startswith("步数 0: 损失")


def test_a_chapter_is_read_without_scripts(browser_without_scripts):
    browser_without_scripts.open(address("lesson/tanh"))
    (picture,) = browser_without_scripts.seen(".beside svg.curve")
    assert len(browser_without_scripts.all("path.value", picture)) == 2
    assert len(browser_without_scripts.seen(".exercise summary")) == 3
    assert not browser_without_scripts.all(".exercise form")
    browser_without_scripts.seen(".exercise summary")[0].click()
    assert "slopes.tanh.slope(0.0)" in browser_without_scripts.seen(".exercise pre")[0].text
