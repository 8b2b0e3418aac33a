"""The data that networks are trained on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor


@dataclass(frozen=True)
class Split:
    """One part of the data: a row of numbers and a label for each sample."""

    inputs: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Task:
    """Data in three parts: to train on, to choose the learning rate by, and to judge by."""

    name: str
    classes: int
    train: Split
    validation: Split
    test: Split
    fingerprint: str  #: of every number and of who is in which part

    @property
    def features(self) -> int:
        """The length of an input."""
        return self.train.inputs.shape[1]

    @property
    def sizes(self) -> dict[str, int]:
        """How many samples each part has."""
        return {"train": len(self.train), "validation": len(self.validation), "test": len(self.test)}


@cache
def digits() -> Task:
    """Return scikit-learn's 1,797 handwritten digits: half to train on, a fifth to validate, the rest to test.

    The split is stratified and always the same. Inputs are shifted and scaled by the mean and standard
    deviation of all training pixels together: pixel by pixel, those that are nearly always blank would be
    blown up.
    """
    images, labels = load_digits(return_X_y=True)
    train, rest = train_test_split(np.arange(len(labels)), train_size=0.5, stratify=labels, random_state=0)
    validation, test = train_test_split(rest, train_size=0.4, stratify=labels[rest], random_state=0)
    mean, deviation = images[train].mean(), images[train].std()
    scaled = ((images - mean) / deviation).astype(np.float32)
    labels = labels.astype(np.int64)
    digest = hashlib.sha256()
    for array in (scaled, labels, train, validation, test):
        digest.update(np.ascontiguousarray(array).tobytes())
    training, checking, judging = (
        Split(torch.from_numpy(scaled[part]), torch.from_numpy(labels[part])) for part in (train, validation, test)
    )
    return Task("digits", int(labels.max()) + 1, training, checking, judging, digest.hexdigest())
