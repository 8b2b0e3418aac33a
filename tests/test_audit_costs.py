"""Memory, graphs and compilations as the audit tells them: notes with a number, and nothing changed by asking."""

import types

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch.nn import functional as F

import slopes
from slopes import ops
from slopes.auditing import examination, growth
from slopes.auditing.behaviour.costs import _layouts, kept
from slopes.auditing.behaviour.gradients import extreme_inputs, zeros_and_edges
from slopes.auditing.behaviour.precision import continuity, low_precision
from slopes.auditing.cards.subject import Subject as CardSubject
from slopes.auditing.discovery import subject_of
from slopes.auditing.form import Declared
from slopes.auditing.growth import measure
from slopes.auditing.report import run
from slopes.auditing.subject import Subject


def notes(subject, **options):
    report = slopes.audit(subject, **options)
    assert "layout_and_cost" in report.ran, str(report)
    return [f.message for f in report.findings if f.check == "layout_and_cost" and f.severity == "note"]


def gelu_erf(x):
    return x * 0.5 * (1 + torch.erf(x / 2**0.5))


def swish(x):
    return x * torch.sigmoid(x)


@pytest.mark.parametrize(("subject", "times"), [(gelu_erf, 3), (swish, 2), (F.gelu, 1), (F.mish, 1), (torch.relu, 1)])
def test_memory_is_counted_in_inputs(subject, times):
    given, _ = subject_of(subject)
    assert kept(given, given.draw(rows=4096)) == pytest.approx(times, rel=1e-3)


def test_memory_is_told_with_its_number():
    assert any("3.0 times that of x is kept" in told for told in notes(gelu_erf))
    assert notes(F.gelu) == []


def test_a_branch_on_values_is_a_note():
    def loss(prediction, target):
        if prediction.shape != target.shape:
            raise ValueError("shapes differ")
        error = (prediction - target).abs()
        if (error > 1e6).any():
            error = error.clamp(max=1e6)
        return error.mean()

    (told,) = notes(loss, kind="regression")
    assert "if (error > 1e6).any():" in told


@pytest.mark.exhaustive
def test_a_loop_over_rows_is_compiled_anew():
    def loss(prediction, target):
        if prediction.shape != target.shape:
            raise ValueError("shapes differ")
        return sum((p - t).abs().mean() for p, t in zip(prediction, target, strict=True)) / max(len(prediction), 1)

    assert any("3 times for 3 lengths" in told for told in notes(loss, kind="regression"))


class Swish(torch.nn.Module):
    def forward(self, x, *, beta=1.0):
        return x * torch.sigmoid(beta * x)


@pytest.mark.parametrize(("subject", "code"), [(gelu_erf, gelu_erf.__code__), (Swish(), Swish.forward.__code__)])
def test_what_was_compiled_before_stays_and_nothing_is_added(subject, code):
    from torch._dynamo.eval_frame import _debug_get_cache_entry_list as cached

    made = []

    def backend(graph, inputs):
        made.append(graph)
        return graph.forward

    compiled = torch.compile(subject, backend=backend)
    compiled(torch.ones(4))
    before = len(cached(code))
    assert notes(subject) or subject is not gelu_erf
    compiled(torch.ones(4))
    assert len(made) == 1
    assert len(cached(code)) == before == 1


def test_strides_of_numpy_arrays_count_too():
    def by_memory(x):
        if not isinstance(x, np.ndarray):
            raise TypeError("expected an array")
        return np.tanh(np.lib.stride_tricks.as_strided(x, x.shape, (x.itemsize,)))

    (finding,) = [f for f in slopes.audit(by_memory).findings if f.check == "layout_and_cost"]
    assert "of a strided x is another" in finding.message
    assert finding.severity == "error"


class SemiHardTriplet(torch.nn.Module):
    """All triplets of a batch at once: n³ differences for n rows."""

    def forward(self, embeddings, labels):
        distances = torch.cdist(embeddings, embeddings)
        same = labels[:, None] == labels
        positive = same & (torch.arange(len(labels)) != torch.arange(len(labels))[:, None])
        gaps = distances[:, :, None] - distances[:, None] + 0.2
        semi_hard = positive[:, :, None] & ~same[:, None] & (gaps < 0.2)
        return torch.where(semi_hard, gaps.clamp(min=0), 0.0).sum() / semi_hard.sum().clamp(min=1)


def test_all_triplets_of_a_batch_are_told_and_the_audit_stays_small():
    seen = []

    class Watched(SemiHardTriplet):
        def forward(self, embeddings, labels):
            seen.append(len(labels))
            return super().forward(embeddings, labels)

    report = slopes.audit(Watched(), kind="embeddings")
    (finding,) = [f for f in report.findings if f.check == "layout_and_cost" and f.severity == "warning"]
    assert "1024 rows take 7" in finding.message
    assert "the power 3 of the rows" in finding.message
    assert max(seen) <= 64  # 64³ numbers are 2 MB


def test_a_batch_above_the_budget_is_skipped_with_the_reason():
    report = slopes.audit(SemiHardTriplet(), kind="embeddings", batch=(torch.randn(4096, 4), torch.arange(4096) % 9))
    assert "a batch of 4096 rows would take" in report.skipped["own_data"]
    assert "GB, above memory_limit" in report.skipped["own_data"]


def test_what_comes_after_the_time_is_skipped_with_the_reason(monkeypatch):
    calls = []

    def loss(prediction, target):
        calls.append(0)
        return torch.nn.functional.mse_loss(prediction, target)

    clock = types.SimpleNamespace(monotonic=lambda: float(len(calls)))  # each call takes a second
    monkeypatch.setattr(examination, "time", clock)
    monkeypatch.setattr(growth, "time", clock)
    report = slopes.audit(loss, kind="regression", time_limit=60)
    late = [name for name, why in report.skipped.items() if why == "time_limit is reached; raise it to run this check"]
    assert "purity" in report.ran
    assert {"low_precision", "reduction"} <= set(late)
    with pytest.raises(ValueError, match="memory_limit must be"):
        slopes.audit(torch.nn.MSELoss(), memory_limit=0)


class Emptying:
    """A subject whose calls empty their argument."""

    def draw(self, rows):
        return (torch.ones(rows),)

    def __call__(self, x):
        return x + 1

    def raw(self, x, *, in_place):
        result = x + 1
        x.resize_(0)
        return result


def test_growth_is_measured_by_the_arguments_as_they_were_drawn():
    assert measure(Emptying()).entries == 32


def test_a_call_that_is_held_up_skips_no_check(monkeypatch):
    """Half a second for 32 rows would be an hour for 262,144."""
    ends = iter([0.5, 0.5001, 0.5002, 0.5003, 0.5004])
    times = iter([0.0, 0.0, *(time for end in ends for time in (end, end))])
    monkeypatch.setattr(growth, "time", types.SimpleNamespace(monotonic=lambda: next(times)))
    assert growth._shortest_call(lambda *_: None, []) == pytest.approx(1e-4)


def pairs_of_rows(x, y):
    return np.abs(x[:, None] - y[None]).mean()


@pytest.mark.parametrize(
    ("subject", "power"), [(pairs_of_rows, 2), (lambda x, y: ((x - y) ** 2).mean(), 1), (SemiHardTriplet(), 3)]
)
def test_the_power_of_growth_is_measured(subject, power):
    kind = "embeddings" if power == 3 else "regression"
    given, _ = subject_of(subject, declared=Declared(kind=kind))
    if power == 2:
        given = given.having(shape=(8, 64))
    assert measure(given).power == pytest.approx(power, abs=0.15)


def stable_softmax(x):
    e = torch.exp(x - x.amax(-1, keepdim=True))
    return e / e.sum(-1, keepdim=True)


def test_a_gradient_that_is_zero_by_nature_differs_by_rounding():
    given, _ = subject_of(stable_softmax, seed=7)
    assert list(_layouts(given.having(dtype=torch.float32))) == []


@pytest.mark.skipif(not growth._can_bound_memory(), reason="the memory of a call is bounded on Linux without a GPU")
@pytest.mark.parametrize("make", [np.ones, torch.ones, bytearray])
def test_a_call_above_the_budget_is_refused(make):
    """At the first trial, before anything can be measured: `np.histogramdd` of eight columns takes 7 GB."""
    import resource

    made, before = [], resource.getrlimit(resource.RLIMIT_DATA)

    def loss(prediction, target):
        made.append(make(10**9))
        return F.mse_loss(prediction, target)

    report = slopes.audit(loss, kind="regression")
    (finding,) = report.findings
    assert (finding.check, finding.severity) == ("calling", "error")
    assert finding.message.startswith("training may run out of memory: a call with arguments of shape (8,) and (8,)")
    assert "takes more than 400 MB, above memory_limit" in finding.message
    assert made == []
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


def jumps(e):
    return ops.where(abs(e) < 1.5, e * e, e * e + 0.1)


def overflows(e):
    return ops.log(1 + ops.exp(e)) - e / 2


def has_no_slope_at_zero(e):
    return ops.sqrt(e * e)


def cancels(e):
    return ((e + 1e6) - 1e6) ** 2


CHECKS_OF_MANY_BATCHES = (continuity, extreme_inputs, zeros_and_edges, low_precision)


@pytest.mark.parametrize(
    ("of_error", "check"),
    list(zip((jumps, overflows, has_no_slope_at_zero, cancels), CHECKS_OF_MANY_BATCHES, strict=True)),
)
def test_rows_of_a_card_are_tried_together_and_faults_are_found_as_one_by_one(of_error, check, monkeypatch):
    subject, _ = subject_of(slopes.loss("regression")(lambda prediction, target: of_error(prediction - target)))
    together = run(subject, [check]).findings
    monkeypatch.setattr(Subject, "_stacked", lambda self, batches: None)
    assert together == run(subject, [check]).findings
    assert len(together) == 1


def test_images_of_a_card_are_tried_together_and_a_jump_is_found_as_one_by_one(monkeypatch):
    @slopes.loss("overlap")
    def jumping_dice(prediction, target, weight):
        shared = ops.sum(weight * prediction * target)
        share = 2 * shared / (ops.sum(weight * (prediction + target)) + 1)
        return (1 - share + ops.where(share < 0.3, 0.1, 0.0))[..., 0]

    subject, _ = subject_of(jumping_dice)
    together = run(subject, [continuity]).findings
    monkeypatch.setattr(Subject, "_stacked", lambda self, batches: None)
    assert [finding.message for finding in together] == [f.message for f in run(subject, [continuity]).findings]
    assert len(together) == 1


@pytest.mark.parametrize("rowwise", [slopes.huber, slopes.dice])
@pytest.mark.parametrize("check", CHECKS_OF_MANY_BATCHES)
def test_rows_of_a_correct_card_take_few_calls(check, rowwise, monkeypatch):
    calls, raw = [], Subject.raw

    def counted(*given, **options):
        calls.append(given)
        return raw(*given, **options)

    def count():
        calls.clear()
        assert run(subject_of(rowwise)[0], [check]).findings == []
        return len(calls)

    monkeypatch.setattr(Subject, "raw", counted)
    few = count()
    monkeypatch.setattr(Subject, "_stacked", lambda self, batches: None)
    assert few < count()


def test_batches_of_a_card_have_the_totals_that_each_has_alone():
    for card in (slopes.mse, slopes.kl_div, slopes.softmax, slopes.dice, slopes.lovasz_hinge, slopes.generalized_dice):
        subject, _ = subject_of(card)
        batches = [subject.draw(seed) for seed in range(40)]
        expected = torch.stack([subject.total(*arguments) for arguments in batches])
        torch.testing.assert_close(subject.totals(batches), expected)


@pytest.mark.parametrize("rowwise", [slopes.softmax, slopes.poly1, slopes.dice, slopes.supcon])
def test_second_derivatives_by_all_entries_at_once_are_those_by_each(rowwise, monkeypatch):
    samples = CardSubject(rowwise)
    arguments = tuple(x[:6] for x in samples.inputs(np.float64))
    together = samples.results_by_torch(arguments, second=True)["second"]
    grad, refused = torch.autograd.grad, []

    def one_by_one(*given, is_grads_batched=False, **options):
        if is_grads_batched:
            refused.append(given)
            raise RuntimeError("no batching rule")
        return grad(*given, **options)

    monkeypatch.setattr(torch.autograd, "grad", one_by_one)
    each = samples.results_by_torch(arguments, second=True)["second"]
    assert refused
    assert abs(each).max() > 0
    np.testing.assert_allclose(together, each, rtol=1e-12, atol=1e-15)
