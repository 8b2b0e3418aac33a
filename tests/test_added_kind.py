"""A kind of loss that only this file knows is sampled, plotted, audited and compared as every other."""

from dataclasses import dataclass

import numpy as np
import pytest

import slopes
from slopes import ops
from slopes.kinds import KINDS, Argument, Examples, Kind
from slopes.kinds.spaces import Space

ANGLES = Space(
    "angles", lambda rng, shape: rng.uniform(-1, 1, shape), -1.0, 1.0, axis="angle", words="angles in radians"
)


class AngleExamples(Examples):
    """Arguments for losses of angles, which are the same after a turn."""

    def ordered(self, rng, drawn):
        """Yield the angle itself, and the opposite one."""
        target = drawn[1]
        yield "the angle itself", (target, target), (np.round(target + np.pi, 3), target)

    def curve(self, x):
        """Return an angle that passes the target, a quarter of a turn."""
        return "angle, the target being a quarter of a turn", {"": (x, np.full_like(x, np.pi / 2))}


@dataclass(frozen=True)
class Angles(Kind):
    """A predicted angle and a true one."""

    example_maker = AngleExamples


@pytest.fixture
def turn(monkeypatch):
    """A loss of the new kind."""
    kind = Angles("angles", (Argument("prediction", ANGLES), Argument("target", ANGLES)))
    monkeypatch.setitem(KINDS, "angles", kind)

    @slopes.loss("angles")
    def turn(prediction, target):
        """Twice the squared sine of half the angle between prediction and target."""
        return 2 * ops.sin((prediction - target) / 2) ** 2

    @turn.derivative
    def _(prediction, target):
        return ops.sin(prediction - target)

    return turn


def cosine_of(prediction, target):
    if prediction.shape != target.shape:
        raise ValueError("prediction and target must have one shape")
    return (prediction - target).cos().mean()


def right_way(prediction, target):
    return 1 - cosine_of(prediction, target)


def wrong_way(prediction, target):
    return 1 + cosine_of(prediction, target)


def test_it_is_sampled(turn):
    examples = turn.kind.examples(turn.settings)
    prediction, target = examples.sample(np.random.default_rng(0), (400,))
    assert abs(prediction).max() < 1 < np.ptp(prediction)
    assert turn(target, target) == 0 < turn(prediction, target)
    (_, right, wrong), *_ = examples.ordered(np.random.default_rng(0), (prediction, target))
    assert turn(*right) < turn(*wrong)
    assert np.all(turn(*examples.perfect(np.random.default_rng(0)), reduction="none") == 0)
    assert "angles in radians" in turn.__doc__


def test_it_is_plotted(turn, tmp_path):
    pytest.importorskip("matplotlib")
    slopes.show(turn, out=tmp_path / "turn.svg")
    assert "a quarter of a turn" in (tmp_path / "turn.svg").read_text()


def test_it_is_audited(turn):
    pytest.importorskip("torch")
    pytest.importorskip("mpmath")
    assert slopes.audit(turn).ok, slopes.audit(turn)
    report = slopes.audit(right_way, kind="angles")
    assert report.ok, report
    assert "angles" in report.facts[0]
    wrong = [finding for finding in slopes.audit(wrong_way, kind="angles").findings if finding.severity == "error"]
    assert [finding.check for finding in wrong] == ["direction"]
    assert wrong[0].message.startswith("training learns the opposite: the angle itself costs more than")


def test_it_is_compared(turn, tmp_path):
    for package in ("torch", "sklearn", "jinja2", "rich"):
        pytest.importorskip(package)
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((60, 3)).astype(np.float32)
    study = slopes.compare(
        activations=[slopes.relu], losses=[slopes.mse, turn], data=(inputs, np.tanh(inputs[:, 0])), out=tmp_path,
        epochs=2, seeds=2, rates=[0.01], workers=1, progress=False,
    )  # fmt: skip
    assert {run.loss for run in study.runs} == {"mse", "turn"}
    assert all(np.isfinite(run.test["rmse"]) for run in study.runs)
