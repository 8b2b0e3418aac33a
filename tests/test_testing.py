"""`slopes.testing` in somebody's test-suite: what passes, what fails and with which words."""

import subprocess
import sys

import pytest

pytest.importorskip("torch")

import slopes
from slopes.testing import assert_audit

pytest_plugins = ["pytester"]

LOSSES = """
    import pytest
    import torch
    from torch import nn

    def elu(x):
        return torch.where(x > 0, x, torch.exp(x) - 1)
"""


@pytest.fixture
def suite(pytester):
    """Run tests that stand behind LOSSES, and return the result."""
    pytester.makeini("[pytest]\nfilterwarnings = error\naddopts = --strict-markers")

    def run(code, *options):
        pytester.makepyfile(LOSSES + code)
        return pytester.runpytest_inprocess("-p", "slopes.testing_plugin", "-p", "no:cacheprovider", *options)

    return run


def elu(x):
    import torch

    return torch.where(x > 0, x, torch.exp(x) - 1)


def test_a_clean_subject_passes_and_its_report_comes_back():
    assert slopes.testing.assert_audit is assert_audit
    assert assert_audit(slopes.relu, quick=True).ok


def test_a_fault_is_an_assertion_with_the_report():
    with pytest.raises(
        AssertionError, match=r"elu: 1 error.*(?s:.)*extreme_inputs: training turns into NaN .*the value is finite"
    ):
        assert_audit(elu)


def test_what_is_allowed_passes_and_stays_in_the_report():
    report = assert_audit(elu, allow=["extreme_inputs"])
    assert "extreme_inputs" in {finding.check for finding in report.findings}
    assert not assert_audit(elu, allow="extreme_inputs").ok


def test_an_allowed_check_that_there_is_not():
    with pytest.raises(ValueError, match="no check 'extreme_input' to allow; did you mean 'extreme_inputs'"):
        assert_audit(elu, allow=("extreme_input",))
    with pytest.raises(ValueError, match="no kind 'regresion'; did you mean 'regression'"):
        assert_audit(elu, kind="regresion")


def test_a_marked_test_returns_its_subject(suite):
    result = suite("""
    @pytest.mark.slopes_audit
    def test_sound():
        return nn.MSELoss()

    @pytest.mark.slopes_audit
    def test_faulty():
        return elu

    @pytest.mark.slopes_audit(allow=["extreme_inputs"], kind="activation")
    def test_allowed():
        return elu

    @pytest.mark.slopes_audit
    def test_empty():
        nn.MSELoss()

    def test_of_their_own():
        assert True
    """)
    result.assert_outcomes(passed=3, failed=2)
    result.stdout.fnmatch_lines(
        ["*elu: 1 error*", "error: extreme_inputs: *", "*test_empty is marked slopes_audit and returns None*"]
    )
    result.stdout.no_fnmatch_line("*testing_plugin.py*")  # no trace of the plugin's own lines


def test_a_marked_test_takes_fixtures_and_parameters(suite):
    result = suite("""
    @pytest.fixture
    def scale():
        return 2.0

    class TestLosses:
        @pytest.mark.slopes_audit(quick=True)
        @pytest.mark.parametrize("make", [nn.MSELoss, nn.HuberLoss, lambda: elu])
        def test_all(self, make, scale):
            assert scale == 2.0
            return make()

        @pytest.mark.slopes_audit
        def test_its_own_assertion_fails_first(self):
            assert 1 == 2
    """)
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["*assert 1 == 2*"])


def test_the_marker_is_listed(suite):
    suite("", "--markers").stdout.fnmatch_lines(["@pytest.mark.slopes_audit(allow=(), *options): audit what*"])


def test_pytest_starts_without_torch():
    script = "import sys, slopes.testing_plugin, slopes.testing; print('torch' in sys.modules, 'numpy' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["False", "False"]
