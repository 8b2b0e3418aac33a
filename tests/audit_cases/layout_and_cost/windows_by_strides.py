"""Moving averages of two series by as_strided, with the strides of a tensor that lies in order."""

OPTIONS = {"kind": "regression"}
WIDTH = 3


def _check(forecast, actual):
    if forecast.ndim != 2 or forecast.shape != actual.shape or forecast.shape[1] < WIDTH:
        raise ValueError(f"expected two (batch, time), got {tuple(forecast.shape)} and {tuple(actual.shape)}")


def windows(series):
    batch, time = series.shape
    return series.as_strided((batch, time - WIDTH + 1, WIDTH), (time, 1, 1))


def bug(forecast, actual):
    _check(forecast, actual)
    return (windows(forecast).mean(dim=-1) - windows(actual).mean(dim=-1)).abs().mean()


def fixed(forecast, actual):
    _check(forecast, actual)
    return (forecast.unfold(1, WIDTH, 1).mean(dim=-1) - actual.unfold(1, WIDTH, 1).mean(dim=-1)).abs().mean()
