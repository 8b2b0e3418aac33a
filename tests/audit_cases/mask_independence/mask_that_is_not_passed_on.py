"""A mask that a wrapper takes and forgets to hand on."""

import slopes


def bug(prediction, target, mask=None):
    return slopes.charbonnier(prediction, target)


def fixed(prediction, target, mask=None):
    return slopes.charbonnier(prediction, target, mask=mask)
