"""Answers of a study: a sentence for each question, and how far to trust it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from slopes.comparing.pair import Pair
from slopes.comparing.report.scales import Numbers
from slopes.comparing.results import Among, Results
from slopes.comparing.statistics import about
from slopes.comparing.words import counted, listed

if TYPE_CHECKING:
    from slopes.comparing.metrics import Metric

Verdict = dict[str, Any]
NAMED = 4  #: most pairs that a sentence names
PARTS: tuple[tuple[Among, str, str, str], ...] = (
    ("activations", "Which activation?", "activation", "loss"),
    ("losses", "Which loss?", "loss", "activation"),
)
AGAINST = {"better": "better than", "worse": "worse than", "equal": "equal to", "undecided": "undecided against"}


class Answer(NamedTuple):
    question: str
    answer: str


class Decision(NamedTuple):
    """Summary of a study's verdicts."""

    headline: str
    groups: list[tuple[str, str]]  #: (verdict, its pairs and their differences)
    error: str  #: chance that any of it is false; "" if nothing is decided


def decide(study: Results, own: Numbers, verdicts: Sequence[Verdict]) -> Decision | None:
    """Summarise the verdicts by the first metric; None if nothing is compared."""
    if not verdicts:
        return None
    baseline = f"the baseline, {title(study.baseline)}"
    rows = {word: [row for row in verdicts if row["verdict"] == word] for word in AGAINST}
    if rows["better"]:
        best, more = rows["better"][0], len(rows["better"]) - 1
        headline = f"{_title(best)} is better than {baseline}, by {own.gap(best['difference'])}"
        headline += f"; {more} more {'is' if more == 1 else 'are'} better, too." if more else "."
    elif len(rows["undecided"]) < len(verdicts):
        headline = f"No pair is shown to be better than {baseline}."
    else:
        headline = f"Nothing is decided: no pair is shown to be better than, worse than or equal to {baseline}."
    groups = [
        (word, f"{_listed([_title(row) for row in group])}{_sizes(word, group, own)}.")
        for word, group in rows.items()
        if group
    ]
    error = (
        "The chance that any “better” or “worse” is false is at most 5 %, and so is that of any “equal”, with "
        f"{counted(len(verdicts), 'comparison')} allowed for."
    )
    return Decision(headline, groups, error if len(rows["undecided"]) < len(verdicts) else "")


def _title(row: Verdict) -> str:
    return f"{row['activation']} with {row['loss']}"


def _sizes(word: str, rows: Sequence[Verdict], own: Numbers) -> str:
    """Clause on the sizes of differences of one verdict, or on the seeds that would decide."""
    if word == "equal":
        return f", within {own.margin}"
    if word == "undecided":
        seeds = {field: [row[field] for row in rows if row[field]] for field in ("needed", "needed_for_margin")}
        if seeds["needed"]:
            return f"; the first of them would take {about(min(seeds['needed']))}"
        if seeds["needed_for_margin"]:
            return f"; a difference of {own.margin} would take {about(min(seeds['needed_for_margin']))}"
        return ""
    sizes = sorted(abs(row["difference"]) for row in rows)
    if own.gap(sizes[0]) == own.gap(sizes[-1]):
        return f", by {own.gap(sizes[0])}"
    return f", by {own.bare(sizes[0], 1)} to {own.gap(sizes[-1])}"


def answers(study: Results, numbers: dict[str, Numbers], verdicts: dict[str, list[Verdict]]) -> list[Answer]:
    """`verdicts` are by metric, at each pair's own rate."""
    if not study.ranking:
        return [Answer("Which is best?", "Nothing could be trained, so there is no answer."), *_lost(study)]
    leader, own = study.ranking[0], numbers[study.metrics[0].name]
    by_pair = of_pairs(verdicts[study.metrics[0].name])
    found = [Answer("Which has the best mean?", _leader(study, leader, own))]
    found.append(Answer("By how much?", _lead(study, leader, own, by_pair)))
    if by_pair:
        found.append(Answer("How sure?", _sure(study, leader, own, by_pair)))
        found += _parts(study)
    found += _rivals(study, leader)
    found += _shared(study, own)
    found += _others(study, numbers, verdicts)
    found += _lost(study)
    found.append(Answer("For what does it hold?", _scope(study)))
    return found


def title(pair: Pair) -> str:
    return f"{pair.activation} with {pair.loss}"


def of_pairs(rows: Sequence[Verdict]) -> dict[tuple[str, str], Verdict]:
    return {(row["activation"], row["loss"]): row for row in rows}


def split_of(study: Results) -> str:
    return "new splits of these data" if study.plan.resampled is not None else "this split of the data"


def chance(p: float | None) -> str:
    """Format a p-value."""
    if p is None or p != p:
        return "–"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def compared(verdict: Verdict, numbers: Numbers) -> str:
    """Describe a difference, as in "0.6 points more"."""
    difference = verdict["difference"]
    if difference != difference:
        return "no seed in common"
    return f"{numbers.gap(difference)} {'less' if difference < 0 else 'more'}"


def _leader(study: Results, leader: Pair, own: Numbers) -> str:
    estimate = leader.estimate()
    reach = "" if estimate.low is None else f" (95 % interval {own.interval(estimate.low, estimate.high)})"
    return (
        f"{title(leader)} has the {'best' if len(study.ranking) > 1 else 'only'} {own.metric.label} on test data: "
        f"{own.full(estimate.mean)}{reach}, at its own best learning rate, {leader.rate:g}."
    )


def _lead(study: Results, leader: Pair, own: Numbers, by_pair: dict[tuple[str, str], Verdict]) -> str:
    baseline = study.baseline
    if len(study.ranking) == 1:
        return "Only one pair was trained, so there is nothing to compare it with."
    if not baseline.trained:
        return f"The baseline, {title(baseline)}, could not be trained, so nothing is compared with it."
    if leader is baseline:
        second = study.ranking[1]
        verdict = by_pair[second.names]
        if verdict["difference"] == 0:
            return f"It is the baseline itself, and the next, {title(second)}, is just as good."
        return (
            f"It is the baseline itself. The next, {title(second)}, has {compared(verdict, own)}"
            f"{_interval(verdict, own)}."
        )
    verdict = by_pair[leader.names]
    return f"That is {compared(verdict, own)} than the baseline, {title(baseline)}{_interval(verdict, own)}."


def _interval(verdict: Verdict, own: Numbers) -> str:
    if verdict["low"] is None:
        return ""
    return f" (95 % interval {own.interval(verdict['low'], verdict['high'], sign=True)})"


def _sure(study: Results, leader: Pair, own: Numbers, by_pair: dict[tuple[str, str], Verdict]) -> str:
    verdict = by_pair.get(leader.names) or by_pair[study.ranking[1].names]
    if verdict["verdict"] == "undecided":
        return f"Whether the two differ is undecided: {verdict['words']}."
    if verdict["verdict"] == "equal":
        return f"The two are {'' if verdict['difference'] else 'equal, '}{verdict['words']}."
    return (
        f"If the two were the same, chance would give so large a difference with {chance(verdict['p'])} "
        f"({counted(len(by_pair), 'comparison')} allowed for); and it is more than {own.margin}, up to which "
        f"differences count as none. So {'the next' if leader is study.baseline else 'it'} is {verdict['verdict']}."
    )


def _parts(study: Results) -> list[Answer]:
    """Answer which activation is best with the baseline's loss, and which loss with its activation."""
    baseline, found = study.baseline, []
    for among, question, part, other in PARTS:
        rows = study.verdicts(among=among)
        if not 0 < len(rows) < len(study.ranking) - 1:
            continue
        groups = {word: _listed([row[part] for row in rows if row["verdict"] == word]) for word in AGAINST}
        said = [
            f"{names} {'are' if ' and ' in names else 'is'} {AGAINST[word]} {getattr(baseline, part)}"
            for word, names in groups.items()
            if names
        ]
        answer = (
            f"With {getattr(baseline, other)}, {'; '.join(said)} (corrected for {counted(len(rows), 'comparison')})."
        )
        found.append(Answer(question, answer))
    return found


def _rivals(study: Results, leader: Pair) -> list[Answer]:
    rows = study.verdicts(baseline=leader.names)
    if not rows:
        return []
    flattered = "The leader was picked by the same test data, which flatters it."
    if all(row["verdict"] == "worse" for row in rows):
        return [Answer("Is it alone?", f"Yes: each of the others is worse than it. {flattered}")]
    equal, undecided = (
        _listed([_title(row) for row in rows if row["verdict"] == verdict]) for verdict in ("equal", "undecided")
    )
    said = [f"No: {equal} {'are' if ' and ' in equal else 'is'} equal to it within the margin." if equal else ""]
    if undecided:
        said.append(f"Whether it is better than {undecided} is undecided.")
    return [Answer("Is it alone?", " ".join([*filter(None, said), flattered]))]


def _shared(study: Results, own: Numbers) -> list[Answer]:
    best = study.ranked(rate="shared")[:1]
    if len(study.plan.rates) == 1 or len(study.ranking) == 1 or not best:
        return []
    pair, rate = best[0], study.shared_rate
    value = own.full(pair.estimate(rate=rate).mean)
    verdict = of_pairs(study.verdicts(rate="shared")).get(pair.names)
    words = _against(study, pair, verdict)
    leads = "leads there, too," if pair is study.ranking[0] else "leads"
    return [
        Answer(
            "And at one learning rate for all?",
            f"At {rate:g}, the rate that suits all pairs best together, {title(pair)} {leads} with {value} ({words}).",
        )
    ]


def _against(study: Results, pair: Pair, verdict: Verdict | None) -> str:
    if verdict is None:
        return "the baseline" if pair is study.baseline else "no verdict"
    return {
        "better": f"better than the baseline; {chance(verdict['p'])}",
        "worse": f"worse than the baseline; {chance(verdict['p'])}",
        "equal": "equal to the baseline",
    }.get(verdict["verdict"], "undecided against the baseline")


def _others(study: Results, numbers: dict[str, Numbers], verdicts: dict[str, list[Verdict]]) -> list[Answer]:
    said = []
    for metric in study.metrics[1:]:
        pair = study.ranked(metric.name)[0]
        value = numbers[metric.name].full(pair.estimate(metric.name).mean)
        if len(study.ranking) == 1:
            said.append(f"{metric.label}: {value}")
        else:
            words = _against(study, pair, of_pairs(verdicts[metric.name]).get(pair.names))
            said.append(f"{metric.label}: {title(pair)}, {value} ({words})")
    return [Answer("And by the other metrics?", "; ".join(said) + ".")] if said else []


def _lost(study: Results) -> list[Answer]:
    troubles = list(_troubles(study))
    none = [f"No run diverged, of {len(study.runs)}."] if study.runs and not _diverged(study) else []
    return [Answer("What went wrong?" if troubles else "Did all train?", " ".join([*none, *troubles]))]


def _diverged(study: Results) -> int:
    return sum(pair.diverged_anywhere for pair in study.pairs)


def _troubles(study: Results) -> Iterator[str]:
    if diverged := _diverged(study):
        runs = counted(len(study.runs), "run")
        yield f"{diverged} of {runs} diverged; they are judged by their last finite epoch and never dropped."
    if study.failures:
        gone = [title(pair) for pair in study.pairs if pair.failures and not pair.trained]
        all_of = f", all those of {_listed(gone)}" if gone else ""
        yield f"{counted(len(study.failures), 'run')} failed{all_of}."
    yield from filter(None, (missing_words(study, metric) for metric in study.metrics))
    if unfit := [title(pair) for pair in study.pairs if pair.unfit]:
        yield f"{counted(len(unfit), 'pair')} did not fit the task: {_listed(unfit)}."
    if edges := [title(pair) for pair in study.ranking if pair.edge]:
        yield (
            f"For {counted(len(edges), 'pair')} the best learning rate lies at the edge of the grid, beyond which a "
            f"better one may lie: {_listed(edges)}."
        )


def missing_words(study: Results, metric: Metric) -> str:
    """Sentence on the runs without a value of a metric; else ""."""
    reasons = [reason for pair in study.pairs for reason in pair.missing(metric.name)]
    if not reasons:
        return ""
    runs = f"{len(reasons)} of {counted(len(study.runs), 'run')}"
    return f"The metric {metric.name} has no value in {runs}, which its means leave out (in the first, {reasons[0]})."


def _scope(study: Results) -> str:
    if study.plan.resampled is not None:
        return (
            "Each seed drew its own split of the data, so verdicts speak of other splits of these data too; as the "
            "training sets overlap, tests and intervals are widened after Nadeau and Bengio."
        )
    return (
        "For this network and this one split of the data: seeds vary initial weights and the order of the data, and "
        "say nothing of other samples."
    )


def _listed(words: Sequence[str]) -> str:
    named, more = list(words[:NAMED]), len(words) - NAMED
    if more == 1:
        named, more = list(words), 0
    if more > 0:
        named.append(f"{more} more")
    return listed(named)
