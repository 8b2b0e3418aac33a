"""A triplet loss whose margin has the wrong sign: every triplet is far enough apart."""

import torch

OPTIONS = {"kind": "triplets"}


def distances(anchor, positive, negative):
    if not anchor.shape == positive.shape == negative.shape:
        raise ValueError("anchor, positive and negative differ in shape")
    return (anchor - positive).pow(2).sum(-1), (anchor - negative).pow(2).sum(-1)


def bug(anchor, positive, negative):
    near, far = distances(anchor, positive, negative)
    return torch.relu(torch.tanh(near - far) - 1.0).mean()


def fixed(anchor, positive, negative):
    near, far = distances(anchor, positive, negative)
    return torch.relu(torch.tanh(near - far) + 1.0).mean()
