"""Train the runs of tests/data/study_runs.npz: the default study, with three times its seeds.

Whoever draws some of the seeds has the study as it might have come out, and knows from all seeds which differences are
real. Run ``python tools/study_runs.py FOLDER`` where PyTorch and scikit-learn are installed: it takes ten minutes,
and goes on from the record in the folder if it was stopped.
"""

from __future__ import annotations

import argparse
import pathlib

import numpy as np

import slopes

RECORD = pathlib.Path(__file__).parent.parent / "tests" / "data" / "study_runs.npz"
SEEDS = 60


def main() -> None:
    """Train them all and write numbers of right samples, (pair, rate, seed); the baseline comes first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="of the study")
    study = slopes.compare(seeds=SEEDS, out=parser.parse_args().folder)
    task = study.plan.job.task
    pairs = [study.baseline, *(pair for pair in study.pairs if pair is not study.baseline)]
    series = [pair.series("accuracy") for pair in pairs]
    arrays: dict[str, np.ndarray] = {"names": np.array([pair.names for pair in pairs]), "rates": study.plan.rates}
    for part in ("validation", "test"):
        samples = len(getattr(task.parts, part))
        arrays[f"{part}_samples"] = np.array(samples)
        shares = np.array([getattr(each, part) for each in series])
        arrays[f"{part}_right"] = np.round(shares * samples).astype(np.uint16)
    np.savez_compressed(RECORD, **arrays)
    for row in study.table():
        print(f"{row['activation']} x {row['loss']}: {row['mean']:.4f} at {row['rate']:g}")


if __name__ == "__main__":
    main()
