"""A contrastive distance that is said to normalise its vectors, and takes them as they come."""

import torch.nn.functional as F
from torch import nn

SEVERITY = "warning"
OPTIONS = {"kind": "triplets"}


class TripletLoss(nn.Module):
    def __init__(self, margin=1.0, normalize=False):
        super().__init__()
        self.margin = margin
        self.normalize = normalize

    def loss(self, anchor, positive, negative):
        return F.triplet_margin_loss(anchor, positive, negative, margin=self.margin)


class bug(TripletLoss):
    def forward(self, anchor, positive, negative):
        if self.normalize:
            for x in (anchor, positive, negative):
                x = F.normalize(x, dim=-1)
        return self.loss(anchor, positive, negative)


class fixed(TripletLoss):
    def forward(self, anchor, positive, negative):
        if self.normalize:
            anchor, positive, negative = (F.normalize(x, dim=-1) for x in (anchor, positive, negative))
        return self.loss(anchor, positive, negative)
