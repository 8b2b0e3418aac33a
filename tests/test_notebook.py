"""Display in notebooks, without a kernel; tests/test_tour.py runs one."""

import base64
import re
import sys
from collections import OrderedDict
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest

import slopes
from slopes import notebook


@slopes.activation
def loud(x):
    """Loud: <b>bold</b> & simple."""
    return x * 2


@loud.derivative
def _(x):
    return x * 0 + 2


class IPython:
    """Stand in for IPython with a shell; `shown` has the displayed objects, `updates` those of each update."""

    version_info = (9, 0)  # at which matplotlib looks

    def __init__(self, shell):
        self.shown, self.updates, self.get_ipython = [], [], lambda: shell
        self.display = SimpleNamespace(display=self.show)

    def show(self, *objects, display_id=None):
        self.shown += objects
        return SimpleNamespace(update=self.updates.append) if display_id else None


def install(monkeypatch, shell):
    ipython = IPython(shell)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", ipython.display)
    return ipython


@pytest.fixture
def kernel(monkeypatch):
    return install(monkeypatch, SimpleNamespace(kernel=object()))


@pytest.fixture
def marimo(monkeypatch):
    """Stand in for marimo, which runs without IPython; the list has the displayed objects."""
    shown = []
    module = SimpleNamespace(running_in_notebook=lambda: True, output=SimpleNamespace(append=shown.append))
    monkeypatch.setitem(sys.modules, "marimo", module)
    monkeypatch.setitem(sys.modules, "IPython", None)
    return shown


def png_of(picture):
    """The picture as a notebook gets it, and its width in pixels of CSS."""
    data, metadata = picture._repr_mimebundle_()
    content = base64.b64decode(data["image/png"])
    assert content.startswith(b"\x89PNG")
    return content, metadata["image/png"]["width"]


# -------------------------------------------------------------------------------------------- detection


def test_a_kernel_has_what_a_terminal_lacks():
    """The attribute by which IPython's shells are told apart."""
    terminal = pytest.importorskip("IPython.terminal.interactiveshell")
    kernel = pytest.importorskip("ipykernel.zmqshell")
    assert hasattr(kernel.ZMQInteractiveShell, "kernel")
    assert not hasattr(terminal.TerminalInteractiveShell, "kernel")


@pytest.mark.parametrize("shell", [None, SimpleNamespace(), SimpleNamespace(kernel=None)], ids=repr)
def test_ipython_without_a_kernel_is_no_notebook(monkeypatch, shell):
    ipython = install(monkeypatch, shell)
    assert not notebook.is_running()
    assert not ipython.shown


def test_a_kernel_is_a_notebook(kernel):
    assert notebook.is_running()
    assert notebook.has_kernel()


def test_marimo_is_a_notebook_only_where_it_runs_one(monkeypatch, marimo):
    assert notebook.is_running()
    assert not notebook.has_kernel()
    monkeypatch.setattr(sys.modules["marimo"], "running_in_notebook", lambda: False)
    assert not notebook.is_running()


# ------------------------------------------------------------------------------------------------- show


@pytest.fixture
def drawn():
    pytest.importorskip("matplotlib")
    pytest.importorskip("rich")


@pytest.mark.usefixtures("drawn")
@pytest.mark.parametrize("kind", ["kernel", "marimo"])
def test_a_notebook_shows_a_picture_and_the_facts(kind, request, capsys):
    shown = request.getfixturevalue(kind)
    shown = shown.shown if kind == "kernel" else shown
    assert slopes.show(slopes.relu, loud) is None
    picture, relu, own = shown
    content, width = png_of(picture)
    assert int.from_bytes(content[16:20], "big") == pytest.approx(2 * width, abs=2), "sharp where pixels are small"
    assert "at 0, slope there 0" in relu._repr_html_()
    assert "at 0, slope there 0" in repr(relu)
    assert "Loud: &lt;b&gt;bold&lt;/b&gt; &amp; simple." in own._repr_html_()
    assert "Loud: <b>bold</b> & simple." in repr(own)
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("drawn")
def test_a_terminal_shows_braille_without_ipython(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "IPython", None)  # which makes importing it fail
    slopes.show(slopes.relu)
    assert "⠉⠉⠉⠉" in capsys.readouterr().out


@pytest.mark.usefixtures("drawn")
def test_without_matplotlib_a_notebook_shows_braille_that_does_not_wrap(monkeypatch, kernel, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    slopes.show(loud)
    (shown,) = kernel.shown
    content = shown._repr_html_()
    assert content.startswith('<pre style="white-space: pre;')
    assert re.search("[\u2801-\u28ff]{2}", content)
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; simple." in content
    assert "\x1b" not in content
    assert Texts(content).text.rstrip().endswith("slopes.show needs matplotlib: pip install 'slopes[lab]'")
    assert Texts(content).text.rstrip() == repr(shown)
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("drawn")
def test_a_file_is_a_file_in_a_notebook_too(kernel, tmp_path):
    slopes.show(slopes.relu, out=tmp_path / "relu.svg")
    assert (tmp_path / "relu.svg").exists()
    assert not kernel.shown


@pytest.mark.usefixtures("drawn")
def test_printing_in_a_kernel_displays_nothing_else(monkeypatch, capsys):
    """As rich would, which sees a notebook wherever `get_ipython` is a builtin of that kind."""
    import rich.console

    from slopes.plotting import terminal

    monkeypatch.setattr(rich.console, "_is_jupyter", lambda: True)
    monkeypatch.setattr("rich.jupyter.display", lambda *_: pytest.fail("rich displays"))
    terminal.emit("text")
    assert capsys.readouterr().out == "text\n"


# --------------------------------------------------------------------------------------------- pictures


def formatted(picture):
    """What IPython sends to a frontend for an object that a cell ends with."""
    formatters = pytest.importorskip("IPython.core.formatters")
    return formatters.DisplayFormatter().format(picture)


def pictures():
    """What draws figures, each with a function that gives one."""
    pytest.importorskip("matplotlib")
    pytest.importorskip("torch")
    pytest.importorskip("rich")
    from torch import nn, rand

    from comparing.synthetic import make_study

    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    found = slopes.diagnose(model, (rand(1000, 3), rand(1000, 4)), nn.functional.mse_loss)
    return [make_study().plot(), found.plot()]


def test_plots_are_pictures_wherever_they_are_shown():
    figure = pytest.importorskip("matplotlib.figure")
    for picture in pictures():
        assert isinstance(picture, figure.Figure)
        data, _ = formatted(picture)
        assert set(data) == {"image/png", "text/plain"}
        assert data["text/plain"].startswith("<Picture size")
        assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")


def test_a_picture_can_be_altered():
    (picture, _) = pictures()
    before = png_of(picture)[0]
    picture.axes[0].set_title("altered")
    assert png_of(picture)[0] != before


def test_pictures_look_the_same_in_a_dark_style_of_the_users():
    matplotlib = pytest.importorskip("matplotlib")
    plain = [png_of(picture)[0] for picture in pictures()]
    with matplotlib.rc_context({"figure.facecolor": "black", "axes.facecolor": "black", "font.size": 20}):
        dark = [png_of(picture)[0] for picture in pictures()]
        assert matplotlib.rcParams["font.size"] == 20
    assert plain[0] == dark[0]
    assert np.frombuffer(dark[1][16:24], ">u4").tolist() == np.frombuffer(plain[1][16:24], ">u4").tolist()


# ------------------------------------------------------------------------------------------------- HTML


class Texts(HTMLParser):
    """The text of HTML: `cells` row by row, and everything in `text`; it refuses tags that are not closed."""

    def __init__(self, content):
        super().__init__()
        self.rows, self.text, self.open = [], "", []
        self.feed(content)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        if tag == "br":
            return self.handle_data("\n")
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        self.text += " " * (tag != "b")

    def handle_data(self, data):
        self.text += data
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data


def check_theme(content):
    """No colour is fixed but that of the bar at the left, which both themes show."""
    colours = set(re.findall(r"#[0-9a-f]{3,8}|(?:color|background)[^;\"]*", content))
    assert colours <= {"#2da44e", "#cf222e"}
    assert not re.search(r"<(script|style|link)", content)


def test_a_study_in_a_notebook_has_the_words_of_its_text():
    pytest.importorskip("torch")
    pytest.importorskip("rich")
    from comparing.synthetic import SIX, make_study

    names = {"activation": [card.name for card in SIX[:5]] + ["<b>mine</b> & yours"], "loss": ["mse", "triplet_margin"]}
    losses, unfit = [slopes.mse, slopes.triplet_margin], {(a, 1): "a loss of <triplets>" for a in range(6)}
    study = make_study(activations=SIX, losses=losses, names=names, unfit=unfit)
    content = study._repr_html_()
    shown, printed = Texts(content), str(study)
    check_theme(content)
    assert sorted(shown.text.split()) == sorted(printed.replace("─", "").split())
    head, *rows = shown.rows
    assert [row[1:3] for row in rows] == [[row["activation"], row["loss"]] for row in study.table()]
    verdicts = {(row["activation"], row["loss"]): row["verdict"] for row in study.verdicts()}
    place = head.index("verdict")
    assert [row[place] for row in rows[:6]] == [verdicts.get((row[1], row[2]), "baseline") for row in rows[:6]]
    assert content.count("<b>baseline</b>") == 1
    assert repr(study).startswith("<Study: ")


def test_a_diagnosis_in_a_notebook_has_the_words_of_its_text():
    nn = pytest.importorskip("torch.nn")
    from torch import rand

    odd = nn.Sequential(OrderedDict({"<b>": nn.Linear(3, 4), "act": nn.Sigmoid(), "last": nn.Linear(4, 2)}))
    nn.init.constant_(odd[2].weight, 0.0)
    for model, ok in ((odd, False), (nn.Sequential(nn.Linear(3, 2)), True)):
        found = slopes.diagnose(model, (rand(1000, 3), rand(1000, 2)), nn.functional.mse_loss)
        content = found._repr_html_()
        assert found.ok is ok
        assert sorted(Texts(content).text.split()) == sorted(str(found).split())
        check_theme(content)
        assert ("#2da44e" in content) is ok


def test_a_report_in_a_notebook_has_the_words_of_its_text():
    from slopes.auditing.report import Finding, Report

    finding = Finding("extreme_inputs", "it is <b>inf</b>", "print(f(x < 0))\nprint(2)", "mend & test", came="inf")
    report = Report("f<b>", [finding], ["values"], {"shapes": "not <b> here", "labels": "no labels"}, ["fact & <i>"])
    content = report._repr_html_()
    shown = Texts(content)
    check_theme(content)
    assert set(re.findall(r"[^\s:,]+", str(report))) == set(re.findall(r"[^\s:,]+", shown.text)) - {"2"}
    assert ["see it", "print(f(x < 0))\nprint(2)"] in shown.rows
    assert "#cf222e" in content
    assert "<details" in content
    clean = Report("g")
    assert "#2da44e" in clean._repr_html_()
    assert "<details" not in clean._repr_html_()
    assert ["repair", "mend & test"] in Texts(finding._repr_html_()).rows
    head, _, evidence = finding._repr_html_().partition("</summary>")
    assert ("it is" in head, "repair" in head, "repair" in evidence) == (True, False, True)  # the evidence is folded


def test_the_catalogue_in_a_notebook_is_a_table():
    from slopes.catalogue import ACTIVATIONS, CARDS, LOSSES, Catalogue

    head, *rows = Texts(CARDS._repr_html_()).rows
    assert head == ["name", "kind", "parameters", "summary"]
    assert {name for row in rows for name in row[0].split(", ")} == set(CARDS) == set(ACTIVATIONS) | set(LOSSES)
    (elu,) = [row for row in rows if row[0] == "elu"]
    assert elu[1] == "activation"
    assert elu[2].startswith("alpha=1.0 (")
    assert elu[3] == slopes.elu.summary
    assert "&lt;b&gt;bold" in Catalogue({"loud": loud})._repr_html_()
    assert repr(CARDS).startswith("{'")


# --------------------------------------------------------------------------------------------- progress


def test_progress_in_a_notebook_is_one_output_that_is_rewritten(kernel, capsys):
    pytest.importorskip("torch")
    from slopes.comparing.progress import Progress, display

    with display(None) as show:
        for done in range(1001):
            show(Progress(done, 1000, 0, 0, 0, 1.0))
    (first,) = kernel.shown
    assert 'max="1000" value="0"' in first._repr_html_()
    assert len(kernel.updates) == 1000
    assert 'max="1000" value="1000"' in kernel.updates[-1]._repr_html_()
    assert "1000/1000 runs, 0 diverged, 0 failed" in kernel.updates[-1]._repr_html_()
    assert repr(kernel.updates[-1]) == "compare: 1000/1000 runs, 0 diverged, 0 failed"
    assert capsys.readouterr() == ("", "")


def test_silence_and_a_function_hold_in_a_notebook_too(kernel, capsys):
    pytest.importorskip("torch")
    from slopes.comparing.progress import Progress, display

    states = []
    for progress in (False, states.append):
        with display(progress) as show:
            show(Progress(1, 2, 0, 0, 0, 1.0))
    assert len(states) == 1
    assert not kernel.shown
    assert capsys.readouterr() == ("", "")
