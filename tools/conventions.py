"""Make docs/conventions.md, "same name, different number", from the cards and tests/data/peers.json.

Run ``python tools/conventions.py`` after tools/peers.py has made a new record. Code that is no library on its own, such
as a trainer's, stands here as formulas, which are computed as the page is made.
"""

from __future__ import annotations

import json
import pathlib
import re
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import scipy

import slopes
from slopes.card import Card, Loss
from slopes.catalogue import CARDS
from slopes.ops import e

ROOT = pathlib.Path(__file__).parent.parent
RECORD, PAGE = ROOT / "tests" / "data" / "peers.json", ROOT / "docs" / "conventions.md"
DULL = (
    "axis", "dim", "reduction", "weight", "where", "mask", "casting", "order", "subok", "copy", "keepdims",
    "multioutput",
)  # fmt: skip  #: defaults that are not shown, as they change no entry
NAMES = {
    "torch": "PyTorch", "jax": "JAX", "optax": "Optax", "keras": "Keras", "scipy": "SciPy", "sklearn": "scikit-learn",
    "torchvision": "torchvision", "timm": "timm", "kornia": "Kornia", "monai": "MONAI",
    "smp": "segmentation_models_pytorch", "metric_learning": "pytorch-metric-learning", "entmax": "entmax",
}  # fmt: skip  #: the libraries by the names they call themselves, in the order of the page
HEAD = """\
# Same name, different number

A function of one name is often another function in the next library: another default, a factor, another mean, or
probabilities where you have logits. This page sets what **slopes** gives beside what each library's own default call
gives *on the same input*, and says how to call it for the same number. It is made by `tools/conventions.py` from
`tests/data/peers.json`, which `tools/peers.py` recorded by running

{versions}.

The tests compare every card with that record.

**How to read a table.** A call is written in the namespace of its library: `nn.gelu(x)` of JAX is `jax.nn.gelu(x)`; a
name in it such as `delta` or `negative_slope` is the parameter of the slopes function, at the value shown for it.
*Defaults* are the library's own, taken from its signature. The value of a loss is the mean over the entries, rows or
regions, however the library reduces, so that only the functions are compared; where a call does not reduce, its table
says over how many values the mean went. **Bold** values differ from ours, and the last column then gives the call
that does not. The inputs are [at the end](#inputs).

## At a glance

Those with the most different numbers first. Of an activation the entry is shown that differs most.

| function | slopes gives | libraries that differ | libraries that agree |
|---|---|---|---|
"""


FORMULAS_HEAD = """\
## Functions in other code

These stand in trainers, in models and in the code of papers. Each formula is that code's with its defaults, written in
NumPy; `tools/conventions.py` computes it, and the calls beside it, on the arrays below. **Bold** values differ from the
default call of slopes.

```python
{inputs}
```

| function | code | its formula | value | slopes gives | call that gives theirs |
|---|---|---|---|---|---|
"""
INPUTS = {
    "sigmoid": "lambda x: 1 / (1 + np.exp(-x))",
    "logsigmoid": "lambda x: -np.logaddexp(0, -x)",
    "lse": "lambda x: np.logaddexp.reduce(x, axis=1)",
    "logits": "np.array([[2.0, -1.0, 0.5], [0.3, 1.5, -0.5], [-1.0, 0.4, 1.0], [3.0, 1.0, -2.0], [0.7, -0.6, 0.2]])",
    "grades": "np.array([3, 1, 0, 2, 1])",
    "steps": "grades[:, None] > np.arange(3)",
    "tried": "grades[:, None] >= np.arange(3)",
    "labels": "np.array([0, 1, 2, 1, 0])",
    "class_weight": "np.array([1.0, 3.0, 0.5])",
    "pairs": "logits[:3]",
    "signs": "2 * np.eye(3) - 1",
    "score": "np.array([0.5, -0.2, -1.3, 0.8, 0.1])",
    "thresholds": "np.array([-1.0, 0.1, 1.5])",
    "chosen": "np.array([-0.8, -1.5, -0.4])",
    "rejected": "np.array([-1.1, -0.9, -2.0])",
    "reference_chosen": "np.array([-0.9, -1.2, -0.7])",
    "reference_rejected": "np.array([-1.0, -1.1, -1.6])",
    "good": "np.array([True, False, True])",
    "mismatched": "np.array([0.9, -0.3, 0.6])",
    "lead": "chosen - reference_chosen",
    "kl": "max(mismatched.mean(), 0.0)",
    "counts": "np.array([0.0, 3.0, 7.0])",
    "log_rate": "np.array([0.2, 1.0, 1.6])",
    "levels": "np.array([0.1, 0.5, 0.9])",
    "target": "np.array([0.3, -0.8, 1.1, 1.9, 0.6])",
    "errors": "target[:, None] - logits",
    "numerator": "np.array([0.02979246, 0.61837738, 2.32335207, 3.05202660, 1.48548002, 0.25103717])",
    "denominator": "np.array([1.14201226, 4.39322834, 0.87154450, 0.34720652])",
    "powers": "score[:, None] ** np.arange(6)",
    "centers": "np.array([[1.0, -0.5, 0.0], [0.2, 1.0, -0.4], [-0.8, 0.1, 0.9]])",
    "images": "np.array([[[0.1, 0.4, 0.3], [0.2, 0.9, 0.5]], [[0.7, 0.6, 0.8], [0.0, 0.3, 0.5]]])",
    "frames": "torch.tensor([[[1.0, 0.2, -0.5], [0.1, 1.5, 0.3], [0.8, -0.2, 0.4], [-0.3, 0.5, 1.2]],"
    " [[0.2, 0.9, 0.1], [1.1, -0.4, 0.6], [0.3, 0.3, 1.4], [0.5, 1.0, -0.6]]]).double()",
    "spoken": "torch.tensor([[1, 2, 1], [2, 0, 0]])",
    "lengths": "torch.tensor([3, 1])",
    "each": "torch.nn.functional.ctc_loss(frames.transpose(0, 1).log_softmax(-1), spoken, torch.tensor([4, 4]),"
    " lengths, reduction='none')",
    "apart": "abs(logits[:, :, None] - logits[:, None, :]).sum((1, 2))",
}  #: arrays of the formulas; an array may use the arrays above it


class Formula(NamedTuple):
    """A function as other code computes it."""

    card: str
    code: str
    formula: str
    default: str  #: the call of slopes with its own defaults
    same: str = ""  #: the call that gives the formula's number, if the default one does not


FORMULAS = (
    Formula(
        "rational", "rational_activations, version 'A', approximating leaky_relu",
        "(powers @ numerator / (1 + abs(powers[:, 1:5] * denominator).sum(1))).mean()", "rational(score).mean()",
    ),
    Formula("coral", "coral_pytorch", "-(logsigmoid(logits) - ~steps * logits).sum(1).mean()", "coral(logits, grades)"),
    Formula(
        "coral", "levels by PyTorch's binary_cross_entropy_with_logits",
        "-(logsigmoid(logits) - ~steps * logits).mean()", "coral(logits, grades)",
        "binary_cross_entropy(logits, 1.0 * steps)",
    ),
    Formula(
        "corn", "coral_pytorch", "-((logsigmoid(logits) - ~steps * logits) * tried).sum() / tried.sum()",
        "corn(logits, grades)", "corn(logits, grades, divisor=tried.sum())",
    ),
    Formula(
        "corn", "coral_pytorch, first version", "-((logsigmoid(logits) - ~steps * logits) * tried).sum() / 4",
        "corn(logits, grades)", "corn(logits, grades, divisor=4)",
    ),
    Formula(
        "ordinal_logistic", "OrderedModel(distr='logit') of statsmodels",
        "-np.log(np.diff(sigmoid(np.r_[-np.inf, thresholds, np.inf] - score[:, None]))"
        "[np.arange(5), grades] + 1e-20).sum()",
        "ordinal_logistic(score[:, None] - thresholds, grades)",
        "ordinal_logistic(score[:, None] - thresholds, grades, reduction='sum')",
    ),
    Formula(
        "center", "the authors', and most ports", "((logits - centers[labels]) ** 2).sum() / 2 / len(logits)",
        "center(logits, centers[labels])",
    ),
    Formula(
        "center", "pytorch-center-loss", "((logits - centers[labels]) ** 2).sum() / len(logits)",
        "center(logits, centers[labels])", "2 * center(logits, centers[labels])",
    ),
    Formula("siglip", "open_clip", "-logsigmoid(signs * pairs).sum() / len(pairs)", "siglip(pairs, np.arange(3))"),
    Formula(
        "siglip", "pairs by PyTorch's binary_cross_entropy_with_logits", "-logsigmoid(signs * pairs).mean()",
        "siglip(pairs, np.arange(3))", "binary_cross_entropy(pairs, np.eye(3))",
    ),
    Formula(
        "dpo", "TRL",
        "-logsigmoid(0.1 * ((chosen - rejected) - (reference_chosen - reference_rejected))).mean()",
        "dpo(chosen, rejected, reference_chosen, reference_rejected)",
    ),
    Formula(
        "simpo", "the authors', gamma_beta_ratio=0.25", "-logsigmoid(2.0 * (chosen - rejected - 0.25)).mean()",
        "simpo(chosen, rejected)",
    ),
    Formula(
        "simpo", "CPOTrainer(loss_type='simpo', cpo_alpha=0) of TRL, and LLaMA-Factory",
        "-logsigmoid(0.1 * (chosen - rejected - 0.5 / 0.1)).mean()", "simpo(chosen, rejected)",
        "simpo(chosen, rejected, beta=0.1)",
    ),
    Formula(
        "orpo", "LLaMA-Factory",
        "-(chosen + 0.1 * logsigmoid(chosen - rejected - np.log1p(-np.exp(chosen)) + np.log1p(-np.exp(rejected))))"
        ".mean()",
        "orpo(chosen, rejected)",
    ),
    Formula(
        "kto", "TRL, and the authors'",
        "np.r_[1 - sigmoid(0.1 * (lead - kl))[good], 1 - sigmoid(0.1 * (kl - lead))[~good]].mean()",
        "kto(chosen, reference_chosen, good, zero_one=True)",
        "kto(chosen, reference_chosen, good, zero_one=True, kl=kl)",
    ),
    Formula(
        "negative_binomial_nll", "nbinom of SciPy",
        "-scipy.stats.nbinom.logpmf(counts, 1 / 0.5, 1 / (1 + 0.5 * np.exp(log_rate))).mean()",
        "negative_binomial_nll(log_rate, counts, dispersion=0.5)",
        "negative_binomial_nll(log_rate, counts, dispersion=0.5)"
        " - np.log(scipy.special.binom(counts + 1, counts)).mean()",
    ),
    Formula(
        "multi_quantile", "MQLoss of NeuralForecast", "np.maximum(levels * errors, (levels - 1) * errors).mean()",
        "multi_quantile(logits, target, quantiles=levels)",
    ),
    Formula(
        "multi_quantile", "QuantileLoss of PyTorch Forecasting",
        "2 * np.maximum(levels * errors, (levels - 1) * errors).mean()",
        "multi_quantile(logits, target, quantiles=levels)", "2 * multi_quantile(logits, target, quantiles=levels)",
    ),
    Formula(
        "multi_quantile", "QuantileRegression of Darts",
        "np.maximum(levels * errors, (levels - 1) * errors).sum(1).mean()",
        "multi_quantile(logits, target, quantiles=levels)", "3 * multi_quantile(logits, target, quantiles=levels)",
    ),
    Formula(
        "crps_ensemble", "properscoring; scoringrules, estimator='nrg'",
        "(abs(errors).mean(1) - apart / 3**2 / 2).mean()",
        "crps_ensemble(logits, target)",
    ),
    Formula(
        "crps_ensemble", "scoringrules, estimator='fair' or 'pwm'",
        "(abs(errors).mean(1) - apart / (3 * 2) / 2).mean()",
        "crps_ensemble(logits, target)", "crps_ensemble(logits, target, fair=True)",
    ),
    Formula(
        "total_variation", "TotalVariation(reduction='mean') of torchmetrics",
        "(abs(np.diff(images, axis=-1)).sum() + abs(np.diff(images, axis=-2)).sum()) / len(images)",
        "total_variation(images)", "total_variation(images, divisor=len(images))",
    ),
    Formula(
        "total_variation", "total_variation(reduction='mean') of Kornia, of one image",
        "abs(np.diff(images[0], axis=-1)).mean() + abs(np.diff(images[0], axis=-2)).mean()",
        "total_variation(images[0])",
        "mae(images[0, :, 1:], images[0, :, :-1]) + mae(images[0, 1:], images[0, :-1])",
    ),
    Formula(
        "total_variation", "TVLoss of Total_Variation_Loss.pytorch, of grey images",
        "2 * ((np.diff(images, axis=-1) ** 2).mean() + (np.diff(images, axis=-2) ** 2).mean())",
        "total_variation(images)",
        "2 * mse(images[..., 1:], images[..., :-1]) + 2 * mse(images[:, 1:], images[:, :-1])",
    ),
    Formula(
        "ctc", "CTCLoss(reduction='mean') of PyTorch", "(each / lengths).mean()",
        "slopes.ctc(frames, spoken, target_lengths=lengths)",
        "slopes.ctc(frames, spoken, target_lengths=lengths, weight=1 / lengths.double(), divisor=len(lengths))",
    ),
    Formula("ctc", "CTC of Keras", "each.mean()", "slopes.ctc(frames, spoken, target_lengths=lengths)"),
    Formula(
        "z_loss", "Liger's LigerCrossEntropyLoss(weight=class_weight, lse_square_scale=0.01)",
        "np.average(lse(logits) - logits[np.arange(5), labels], weights=class_weight[labels])"
        " + 0.01 * (lse(logits) ** 2).mean()",
        "(slopes.cross_entropy + 0.01 * slopes.z_loss)(logits, labels, class_weight=class_weight)",
        "cross_entropy(logits, labels, class_weight=class_weight) + 0.01 * slopes.z_loss(logits, labels)",
    ),
)  # fmt: skip


def arrays(*code: str) -> dict[str, Any]:
    """The names that code uses; torch is loaded if it is among them."""
    used = set(re.findall(r"\w+", " ".join(code)))
    for name in reversed(INPUTS):  # each is made of those above it
        if name in used:
            used.update(re.findall(r"\w+", INPUTS[name]))
    known: dict[str, Any] = {"np": np, "scipy": scipy, "slopes": slopes}
    if "torch" in used:
        known["torch"] = import_module("torch")
    for name in INPUTS:
        if name in used:
            known[name] = eval(INPUTS[name], known)
    return {**CARDS, **known}


def computed(formula: Formula) -> tuple[float, float, float]:
    """(number by the formula, number by the defaults of slopes, number by the call of slopes that should equal it)."""
    code = formula.formula, formula.default, formula.same or formula.default
    known = arrays(*code)
    return tuple(float(eval(source, dict(known))) for source in code)  # type: ignore[return-value]


def formulas() -> str:
    """The section of functions in other code."""
    rows = []
    for formula in FORMULAS:
        theirs, mine, _ = computed(formula)
        value = f"**{spelt(theirs, 6)}**" if formula.same else spelt(theirs, 6)
        cells = (f"`{formula.card}`", formula.code, code(formula.formula), value)
        calls = f"{spelt(mine, 6)} by {code(formula.default)}", code(formula.same)
        rows.append(f"| {' | '.join((*cells, *calls))} |")
    inputs = "\n".join(f"{name} = {source}" for name, source in INPUTS.items())
    return FORMULAS_HEAD.format(inputs=inputs) + "\n".join(rows) + "\n"


class Answer(NamedTuple):
    """Result of a library."""

    library: str
    call: str
    defaults: str
    value: Any
    same: str | None  #: the call that gives ours, where the default one does not


def number(card: Card, value: Any) -> Any:
    """Return the numbers to compare: the mean of a loss, else the values."""
    value = np.array(value, dtype=float)
    return counted(card, value).mean() if isinstance(card, Loss) else value


def counted(card: Card, value: Any) -> Any:
    """The values of a loss that count."""
    return card.kind.without_edges(value, {}) if value.ndim and isinstance(card, Loss) else value


def brief(card: Card, ours: Any, given: list[Answer]) -> tuple[str, list[str]]:
    """Return our number and the differing ones of libraries; for an activation, at the entry that differs most."""
    differing = [answer for answer in given if answer.same]
    values = [np.reshape(number(card, value), -1) for value in (ours, *(answer.value for answer in differing))]
    place = int(np.argmax(np.nan_to_num(np.max([abs(value - values[0]) for value in values], axis=0))))
    mine, *others = (spelt(value[place], 6 if isinstance(card, Loss) else 4) for value in values)
    return mine, [f"{title(answer.library)} {other}" for answer, other in zip(differing, others, strict=True)]


def spelt(value: float, digits: int) -> str:
    """A number with so many digits."""
    return f"{value + 0.0:.{digits}g}".replace("-", "−").replace("nan", "NaN")  # + 0.0 leaves no −0


def text(card: Card, value: Any) -> str:
    """A value as a table shows it."""
    value = np.array(value, dtype=float)
    if not isinstance(card, Loss):
        return ", ".join(spelt(entry, 4) for entry in value.reshape(-1))
    value = counted(card, value)
    return spelt(value.mean(), 6) + (f" (mean of {value.size})" if value.ndim else "")


def answers(entries: dict[str, Any]) -> list[Answer]:
    """The answers of the libraries, with the defaults that are numbers or texts in one of them."""
    told = {
        name for entry in entries.values() for name, value in entry["defaults"].items() if value not in ("None", "()")
    }
    found = []
    for library, entry in sorted(entries.items(), key=lambda item: list(NAMES).index(item[0])):
        own = entry.get("bare", entry["same"])
        shown = [f"{name}={value}" for name, value in entry["defaults"].items() if name in told and name not in DULL]
        same = entry["same"]["call"] if "bare" in entry else None
        found.append(Answer(library, own["call"], ", ".join(shown), own["value"], same))
    return found


def numbers(card: Card, ours: Any, given: list[Answer]) -> int:
    """How many different numbers there are, ours among them."""
    values = [ours, *(answer.value for answer in given if answer.same)]
    return len({tuple(f"{entry:.4g}" for entry in np.reshape(number(card, value), -1)) for value in values})


def code(source: str) -> str:
    """Source in a cell of a table."""
    return "`" + source.replace("|", "\\|") + "`" if source else ""


def anchor(name: str) -> str:
    """Where a heading is on the page."""
    return "".join(c for c in name.lower().replace(" ", "-") if c.isalnum() or c in "-_")


def section(card: Card, ours: Any, given: list[Answer], name: str) -> str:
    """A function's own table."""
    arguments = ", ".join(argument.name for argument in card.kind.arguments) if isinstance(card, Loss) else "x"
    settings = ", ".join(f"{key}={'e' if value is e else repr(value)}" for key, value in card.settings.items())
    prose = "\n".join(line.strip() for line in (card.body.__doc__ or "").strip().splitlines())
    rows = [f"| **slopes** | {code(f'{card.name}({arguments})')} | {code(settings)} | {text(card, ours)} | |"]
    for answer in sorted(given, key=lambda answer: answer.same is None):
        value = f"**{text(card, answer.value)}**" if answer.same else text(card, answer.value)
        cells = (title(answer.library), code(answer.call), code(answer.defaults), value, code(answer.same or ""))
        rows.append(f"| {' | '.join(cells)} |")
    head = ["| library | its own call | defaults | value | call that gives ours |", "|---|---|---|---|---|"]
    return f"### {card.name}\n\n{prose}\n\nInput: [{name}](#{anchor(name)}).\n\n" + "\n".join([*head, *rows, ""])


def title(library: str) -> str:
    """The library as it calls itself."""
    return NAMES[library]


def page(record: dict[str, Any]) -> str:
    """The page, from the record."""
    glance, sections, agreed = [], [], []
    for name, entry in record["cards"].items():
        card: Any = CARDS[name]
        arguments = [np.array(array) for array in record["inputs"][entry["input"]].values()]
        ours = card(*arguments, reduction="none") if isinstance(card, Loss) else card(*arguments)
        given = answers(entry["libraries"])
        mine, differ = brief(card, ours, given)
        agree = [title(answer.library) for answer in given if not answer.same]
        if differ:
            row = f"| [`{name}`](#{anchor(name)}) | {mine} | {', '.join(differ)} | {', '.join(agree)} |"
            rank = (-numbers(card, ours, given), -len(differ), name)
            glance.append((rank, row))
            sections.append((rank, section(card, ours, given, entry["input"])))
        else:
            calls = "<br>".join(f"{title(answer.library)} {code(answer.call)}" for answer in given)
            agreed.append(f"| `{name}` | {text(card, ours)} | {calls} |")
    versions = ", ".join(f"{NAMES[library]} {record['versions'][library]}" for library in NAMES)
    inputs = [
        f"### {name}\n\n```python\n" + "\n".join(f"{key} = {value}" for key, value in arrays.items()) + "\n```\n"
        for name, arrays in record["inputs"].items()
    ]
    parts = [
        HEAD.format(versions=versions) + "\n".join(row for _, row in sorted(glance)) + "\n",
        "## Where libraries differ\n",
        *(text for _, text in sorted(sections)),
        "## Where all that have it agree\n\n| function | value | calls |\n|---|---|---|\n" + "\n".join(agreed) + "\n",
        formulas(),
        "## Inputs\n",
        *inputs,
    ]
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(RECORD.read_text())))
