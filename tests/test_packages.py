"""The audit raises no false error on correct losses of packages; `make test-packages` installs these.

An error is allowed only where it is listed, with why it is true; and an error that is listed must be found. The page on
these findings shows code, which is run here.
"""

import contextlib
import pathlib
import re
import signal

import pytest

pytest.importorskip("torch")

import packages
from packages import DEFECTS, LOSSES, TRULY_WARNED, TRULY_WRONG
from slopes.auditing.evidence import Script, Shown
from slopes.auditing.examination import examine

pytestmark = pytest.mark.packages
SECONDS = 180  #: for each subject, on a busy machine
PAGE = pathlib.Path(__file__).parent.parent / "docs" / "findings.md"
SECTION = re.compile(r"^### `([\w.]+)`.*?^```python\n(.*?)^```\n\nCame: (.*?)\. Expected: ", re.DOTALL | re.MULTILINE)
SECTIONS = SECTION.findall(PAGE.read_text())


@pytest.fixture(autouse=True)
def limited_in_time(limited):
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)


@pytest.mark.parametrize("name", LOSSES)
def test_no_error_on_a_correct_loss(name):
    report = examine(packages.loss_named(name, pytest.importorskip), LOSSES[name][1])
    found = {
        severity: {f.check for f in report.findings if f.severity == severity} for severity in ("error", "warning")
    }
    assert found["error"] == TRULY_WRONG.get(name, {}).keys(), str(report)
    assert TRULY_WARNED.get(name, {}).keys() <= found["warning"], str(report)


@pytest.mark.parametrize(("name", "code", "came"), SECTIONS, ids=[name for name, *_ in SECTIONS])
def test_the_page_shows_what_its_code_prints(name, code, came):
    pytest.importorskip(name.partition(".")[0])
    with contextlib.suppress(ImportError):
        packages.import_torchvision()
    printed = Script([code]).printed
    texts = [f"{Shown(value, digits):{spec}}" for value in printed for digits in (0, 9, 17) for spec in ("", ".3g")]
    assert printed
    assert any(text in came for text in texts) or not re.search(r"\d|nan|inf", came), f"{came}: {texts}"


def test_the_page_has_every_fault():
    assert {name for name, *_ in SECTIONS} >= {*TRULY_WRONG, *TRULY_WARNED, *DEFECTS}


def test_ten_packages_are_tried():
    assert len({name.partition(".")[0] for name in LOSSES}) >= 10
    assert {*TRULY_WRONG, *TRULY_WARNED} <= LOSSES.keys()
