"""The diagnosis of a model, as text, tables and a picture."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from slopes.diagnosing.results import Finding, Layer, Measurements, Weights, percent, ratio
from slopes.diagnosing.rules import RULES, RULES_WITH_AN_ORIGIN
from slopes.extras import require
from slopes.notebook import escape, judged, table


@dataclass(frozen=True)
class Diagnosis(Measurements):
    """Results for a model: print them, draw them with `plot`, or use the `table` or `findings`."""

    @property
    def gradient_ratio(self) -> float:
        """Gradient norm of the last module over the first's; far above 1 where gradients vanish."""
        return ratio([w.gradient for w in self.weights])

    @property
    def findings(self) -> list[Finding]:
        rules = RULES if self.origin is None else RULES_WITH_AN_ORIGIN
        return [finding for rule in rules for finding in rule(self)]

    @property
    def ok(self) -> bool:
        """Whether there are no findings."""
        return not self.findings

    def table(self) -> list[dict[str, Any]]:
        """Dict per activation, in the order of the forward pass, by the names of `Layer`."""
        return [
            {**asdict(layer), "dead_low": layer.dead_interval[0], "dead_high": layer.dead_interval[1]}
            for layer in self.layers
        ]

    def plot(self, out: Any = None) -> Any:
        """Draw outputs, dead and saturated units, and gradients by layer; return the figure, or write it to `out`."""
        require("a picture of a diagnosis", "matplotlib")
        from slopes.diagnosing.picture import picture

        figure = picture(self, self.headline)
        if out is None:
            return figure
        return figure.savefig(out)

    @property
    def headline(self) -> str:
        seen = f"{self.samples:,} samples"
        if self.samples < self.wanted:
            seen += f" of the {self.wanted:,} wanted, so that shares of dead units are too high"
        if self.steps is not None:
            seen += f", steps {self.steps[0]:,} to {self.steps[1]:,}"
        count = len(self.findings)
        return f"{seen}: {count or 'no'} finding{'s' * (count != 1)}"

    def __str__(self) -> str:
        parts = [[self.headline], [f"  {finding}" for finding in self.findings]]
        parts += [["", str(self.origin), ""]] if self.origin is not None else []
        parts += [[part] if isinstance(part, str) else ["", *_aligned(part)] for part in self._details()]
        return "\n".join(line for part in parts for line in part)

    def _details(self) -> Iterator[str | list[list[str]]]:
        """Yield sentences, and tables as rows below a heading."""
        if self.layers:
            yield _without_empty_columns([list(_OF_LAYERS), *map(_layer_row, self.layers)])
        else:
            yield "no activation was seen: those inside torch.nn.LSTM and other fused modules cannot be"
        if self.weights:
            yield _without_empty_columns([list(_OF_WEIGHTS), *map(_weights_row, self.weights)])
            yield f"gradient norm, last over first: {self.gradient_ratio:.3g}"

    def __repr__(self) -> str:
        return f"<Diagnosis: {len(self.layers)} activations, {self.headline}>"

    def _repr_html_(self) -> str:
        findings = "".join(f"<li>{escape(finding)}</li>" for finding in self.findings)
        parts = [f"<p><b>{escape(self.headline)}</b></p>", f"<ul>{findings}</ul>" if findings else ""]
        parts += [] if self.origin is None else [self.origin.html()]
        for part in self._details():
            if isinstance(part, str):
                parts.append(f"<p>{escape(part)}</p>")
            else:
                head, *rows = ([escape(cell) for cell in row] for row in part)
                parts.append(table(rows, head, right=range(1, len(head))))
        return judged(self.ok, "".join(parts))


_OF_LAYERS = (
    *("activation", "units", "mean", "std", "least", "most"),
    *("dead", "95 % interval", "saturated", "flat slopes", "gradient", "of it 0 in float16"),
)
_OF_WEIGHTS = ("weights", "norm", "gradient", "update / weight")


def _layer_row(layer: Layer) -> list[str]:
    low, high = layer.dead_interval
    numbers = [f"{number:.3g}" for number in (layer.mean, layer.std, layer.least, layer.most)]
    shares = [percent(layer.dead), f"{100 * low:.0f} to {100 * high:.0f} %", percent(layer.saturated)]
    lost = layer.gradients_lost["float16"]
    rest = [percent(layer.flat), _small(layer.gradient), "" if math.isnan(lost) else percent(lost)]
    return [layer.name, str(layer.units), *numbers, *shares, *rest]


def _weights_row(weights: Weights) -> list[str]:
    return [weights.name, f"{weights.norm:.3g}", _small(weights.gradient), _small(weights.update)]


def _small(number: float) -> str:
    return "" if math.isnan(number) else f"{number:.1e}"


def _without_empty_columns(rows: list[list[str]]) -> list[list[str]]:
    kept = [k for k in range(len(rows[0])) if any(row[k] for row in rows[1:])]
    return [[row[k] for k in kept] for row in rows]


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows]
