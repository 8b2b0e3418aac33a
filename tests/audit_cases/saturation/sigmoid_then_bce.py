"""BCELoss after a sigmoid, a model's last layer and its criterion taken together."""

from torch import nn


class bug(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Sigmoid()
        self.criterion = nn.BCELoss()

    def forward(self, logits, targets):
        return self.criterion(self.head(logits), targets)


fixed = nn.BCEWithLogitsLoss
