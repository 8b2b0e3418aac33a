"""Check of the direction of a loss: right predictions cost less than wrong ones."""

from __future__ import annotations

from collections.abc import Iterator

from slopes.auditing.behaviour.common import MEASURE, print_both, severity_if_sure, skip_on_refusal
from slopes.auditing.fitness import fitness
from slopes.auditing.form import Arguments
from slopes.auditing.report import Finding, Skip, about
from slopes.auditing.subject import Subject


@about("loss", unless=("minimum", "score_space"))
@skip_on_refusal
def direction(subject: Subject) -> Iterator[Finding]:
    kind = subject.form.kind
    assert kind is not None
    if kind.is_margin and fitness(subject) <= 0:
        raise Skip("it is no loss of the product of prediction and target")
    if kind.compares_logits:
        yield from _not_least(subject)
        return
    turned = _turned(subject)
    if turned is None:
        return
    prediction, better, worse = turned
    count = len(better)
    both = subject.smallest((*better, *worse), lambda given: _falls(subject, given[:count], given[count:]))
    better, worse = both[:count], both[count:]
    measure = bool(MEASURE.search(subject.title)) and "loss" not in subject.title.lower()
    yield print_both(subject, better, worse).finding(
        f"training learns the opposite: {prediction} costs more than a wrong prediction"
        + (": a measure that is to grow, not a loss?" if measure else ""),
        "turn the sign (1 − similarity, −log-likelihood), or put prediction and target in the order it wants",
        "note" if measure else severity_if_sure(subject),
        came="{0} where right, {1} where wrong",
        expected="less where it is right",
        shows=lambda right, wrong: right.sum() > wrong.sum(),
    )


def _turned(subject: Subject) -> tuple[str, Arguments, Arguments] | None:
    """A pair of right and wrong arguments of which the right ones cost more."""
    pairs = list(subject.ordered())
    if not pairs:
        raise Skip("what is right is not known for its kind")
    turned = [pair for pair in pairs if _falls(subject, *pair[1:])]
    kind = subject.form.kind
    assert kind is not None
    # Rows may be compared up to a scale, or with each other.
    strict = not kind.batched and (not kind.rowwise or subject.space.tells_probability)
    return turned[0] if turned and (strict or len(turned) == len(pairs)) else None


def _not_least(subject: Subject) -> Iterator[Finding]:
    """Check that nothing near the teacher's own logits costs less."""
    teacher = subject.draw(rows=2)[1]
    _, gradient = subject.gradient(teacher, teacher)
    steepest = float(gradient.abs().max())
    if not steepest > 1e-6 * float(subject.gradient(*subject.draw(rows=2))[1].abs().max()):
        return
    for step in (1.0, 0.1, 0.01):
        beside = (teacher - step * gradient / steepest).round(decimals=3)
        if _falls(subject, (teacher, teacher), (beside, teacher)):
            yield print_both(subject, (teacher, teacher), (beside, teacher)).finding(
                "training leads the student away from its teacher: the loss is not least where their logits are equal",
                "give F.kl_div log_softmax of the student and softmax of the teacher (log_softmax with "
                "log_target=True), both divided by one temperature",
                severity_if_sure(subject),
                came="{0} where both are equal, {1} beside it",
                expected="less where both are equal",
                shows=lambda right, beside: right.sum() > beside.sum(),
            )
            return


def _falls(subject: Subject, better: Arguments, worse: Arguments) -> bool:
    low, high = subject.total(*better).detach().double(), subject.total(*worse).detach().double()
    return bool(low > high + 1e-9 * (1 + abs(high)))
