"""Cross-entropy by one-hot rows: a number that is taken out of a tensor counts, a conversion with `.float()` does not."""

from torch.nn import functional as F

OPTIONS = {"kind": "classification", "space": "logits"}
SEVERITY = "warning"


def one_hot(logits, labels):
    if labels.shape != logits.shape[:1]:
        raise ValueError(f"labels must be {tuple(logits.shape[:1])}, got {tuple(labels.shape)}")
    return F.one_hot(labels, logits.shape[-1]).float()


def bug(logits, labels):
    rows = one_hot(logits, labels)
    return -(rows * F.log_softmax(logits, dim=-1)).sum() / float(rows.sum())


def fixed(logits, labels):
    rows = one_hot(logits, labels)
    return -(rows * F.log_softmax(logits, dim=-1)).sum() / rows.sum()
