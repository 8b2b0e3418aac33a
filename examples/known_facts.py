"""Three facts of the literature, measured: what a comparison should find, and whether it does.

    python examples/known_facts.py                       # trains, prints, leaves known-facts/*/report.html
    python examples/known_facts.py --out elsewhere

It needs ``slopes[lab]`` and takes minutes on two CPUs; a second start takes what is recorded. It ends with an error if
one of the first two, which theory is sure of, does not come out. The third is a habit, and either answer is an answer.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from statistics import median
from typing import Any

import slopes
from slopes.comparing import Study


def vanishing_gradients(out: Path, **options: Any) -> tuple[bool, str]:
    """Through eight sigmoid layers hardly any gradient comes, so that the network loses to one of ReLU."""
    study = slopes.compare(
        "mlp(depth=8)", "digits", activations=[slopes.relu, slopes.sigmoid], losses=[slopes.cross_entropy],
        out=out, **options,
    )  # fmt: skip
    (verdict,) = study.verdicts()
    ratio = {name: first_to_last(study, name) for name in ("relu", "sigmoid")}
    said = (
        f"Eight layers on digits: {verdict['words']}. In the first epoch the first layer's gradient is "
        f"{ratio['relu']:.2g} times the last one's with relu, and {ratio['sigmoid']:.2g} times with sigmoid"
    )
    return verdict["verdict"] == "worse" and ratio["sigmoid"] < 1e-3 < 1e-2 < ratio["relu"], said


def first_to_last(study: Study, activation: str) -> float:
    """The gradient's norm in the first layer over that in the last, in the first epoch; median over the runs."""
    starts = [run.gradient[0] for run in study.pair(activation, "cross_entropy").chosen]
    return median(norms[0] / norms[-1] for norms in starts if norms is not None)


def forms_of_gelu(out: Path, **options: Any) -> tuple[bool, str]:
    """GELU and its approximation by tanh differ by less than 0.0005, which no network should notice."""
    study = slopes.compare(
        "mlp", "digits", activations=[slopes.gelu, slopes.gelu_tanh], losses=[slopes.cross_entropy], seeds=30, out=out,
        **options,
    )  # fmt: skip
    (verdict,) = study.verdicts()
    return verdict["verdict"] == "equal", f"GELU on digits: {verdict['words']}"


def focal_for_the_rare(out: Path, **options: Any) -> tuple[bool, str]:
    """The focal loss is said to find more of a rare class than cross-entropy does."""
    study = slopes.compare(
        "mlp", "breast_cancer", activations=[slopes.relu], losses=[slopes.binary_cross_entropy, slopes.sigmoid_focal],
        out=out, **options,
    )  # fmt: skip
    (verdict,) = study.verdicts("recall")
    return verdict["verdict"] == "better", f"Recall of the rare class of breast_cancer: {verdict['words']}"


FACTS = {
    "vanishing-gradients": (vanishing_gradients, True),
    "forms-of-gelu": (forms_of_gelu, True),
    "focal-for-the-rare": (focal_for_the_rare, False),
}


def main() -> None:
    """Measure each fact, and say whether it came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("known-facts"), help="where records and pages go")
    out = parser.parse_args().out
    failed = False
    for name, (measure, sure) in FACTS.items():
        held, said = measure(out / name)
        print(f"{measure.__doc__}\n  {'It came out' if held else 'It did not come out'}: {said}.\n")
        failed |= sure and not held
    sys.exit(failed)


if __name__ == "__main__":
    main()
