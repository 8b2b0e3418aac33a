"""Dice without its factor 2: a perfect mask still costs about one half."""


def region(probs, target):
    if probs.shape != target.shape:
        raise ValueError(f"probs {tuple(probs.shape)} and target {tuple(target.shape)} differ")
    probs, target = probs.reshape(-1), target.reshape(-1)
    return (probs * target).sum(), probs.sum() + target.sum()


def dice_loss(probs, target, smooth=1.0):
    intersection, total = region(probs, target)
    return 1 - (intersection + smooth) / (total + smooth)


def soft_dice_loss(probs, target, smooth=1.0):
    intersection, total = region(probs, target)
    return 1 - (2.0 * intersection + smooth) / (total + smooth)


bug, fixed = dice_loss, soft_dice_loss
