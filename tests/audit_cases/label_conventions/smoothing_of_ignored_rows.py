"""Label smoothing beside an ignored label: the uniform term is averaged over padding too."""

import torch.nn.functional as F


def bug(logits, target, ignore_index=-100, smooth_eps=0.0):
    log_probs = F.log_softmax(logits, dim=-1)
    nll = F.nll_loss(log_probs, target, ignore_index=ignore_index)
    if smooth_eps == 0:
        return nll
    smooth = -log_probs.mean(dim=-1).mean()
    return (1 - smooth_eps) * nll + smooth_eps * smooth


def fixed(logits, target, ignore_index=-100, smooth_eps=0.0):
    log_probs = F.log_softmax(logits, dim=-1)
    nll = F.nll_loss(log_probs, target, ignore_index=ignore_index)
    if smooth_eps == 0:
        return nll
    smooth = -log_probs.mean(dim=-1)[target != ignore_index].mean()
    return (1 - smooth_eps) * nll + smooth_eps * smooth
