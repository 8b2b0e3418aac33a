"""Scores are rounded to whole stars before they are compared; round has a gradient, which is 0."""

OPTIONS = {"kind": "regression"}


def checked(prediction, stars):
    if prediction.shape != stars.shape:
        raise ValueError(f"prediction {tuple(prediction.shape)} and stars {tuple(stars.shape)} differ")


def bug(prediction, stars):
    checked(prediction, stars)
    return (prediction.round() - stars).pow(2).mean()


def fixed(prediction, stars):
    checked(prediction, stars)
    return (prediction - stars).pow(2).mean()
