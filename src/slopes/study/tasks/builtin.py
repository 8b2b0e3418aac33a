"""The tasks that come with packages, by name."""

from __future__ import annotations

import numpy as np

from slopes.study.tasks.task import Task, make


def digits(*, resampled: bool = False) -> Task:
    """scikit-learn's 1,797 handwritten digits, 8 x 8 pixels."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return make(
        "digits", "classification", images.reshape(-1, 1, 8, 8), labels.astype(np.int64),
        about="1,797 handwritten digits of 8 x 8 pixels, which come with scikit-learn.",
        labels=map(str, range(10)), resampled=resampled,
    )  # fmt: skip


BUILTIN = {"digits": digits}
