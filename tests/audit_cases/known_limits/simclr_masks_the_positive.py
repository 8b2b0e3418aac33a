"""SimCLR's loss of embeddings with labels, which hides the positives of a row where it should hide the row itself."""

import torch
import torch.nn.functional as F
from torch import nn

SEVERITY = "warning"


class SimCLRLoss(nn.Module):
    def __init__(self, temperature=0.2):
        super().__init__()
        self.temperature = temperature

    def forward(self, embeddings, labels):
        z = F.normalize(embeddings, dim=1)
        sim = z @ z.T / self.temperature
        own = torch.eye(len(z), dtype=torch.bool, device=z.device)
        positives = (labels[:, None] == labels[None, :]) & ~own
        others = torch.exp(sim).masked_fill(self.hidden(own, positives), 0.0).sum(1, keepdim=True)
        terms = (torch.log(others.clamp(min=1e-6)) - sim).masked_fill(~positives, 0.0)
        return terms.sum() / positives.sum().clamp(min=1)

    def hidden(self, own, positives):
        return own


class SimCLRLossOfLabels(SimCLRLoss):
    def hidden(self, own, positives):
        return positives


bug, fixed = SimCLRLossOfLabels, SimCLRLoss
