"""A triplet loss with the distances the wrong way round."""

import torch
import torch.nn.functional as F


def distances(anchor, positive, negative):
    if not anchor.shape == positive.shape == negative.shape:
        raise ValueError(f"shapes differ: {tuple(anchor.shape)}, {tuple(positive.shape)}, {tuple(negative.shape)}")
    d_ap = (anchor - positive).pow(2).sum(dim=-1)
    d_an = (anchor - negative).pow(2).sum(dim=-1)
    return d_ap, d_an


def bug(anchor, positive, negative, margin=1.0):
    d_ap, d_an = distances(anchor, positive, negative)
    return torch.mean(F.relu(d_an - d_ap + margin))


def fixed(anchor, positive, negative, margin=1.0):
    d_ap, d_an = distances(anchor, positive, negative)
    return torch.mean(F.relu(d_ap - d_an + margin))
