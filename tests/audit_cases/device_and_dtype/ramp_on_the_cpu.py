"""Later steps of a forecast count more; the ramp is made on the CPU, which a GPU refuses."""

import torch

SEVERITY = "warning"
OPTIONS = {"kind": "regression"}


def bug(forecast, actual):
    if forecast.shape != actual.shape:
        raise ValueError(f"forecast {tuple(forecast.shape)} and actual {tuple(actual.shape)} differ")
    ramp = torch.linspace(0.5, 1.5, forecast.shape[-1])
    return (ramp * (forecast - actual).abs()).mean()


def fixed(forecast, actual):
    if forecast.shape != actual.shape:
        raise ValueError(f"forecast {tuple(forecast.shape)} and actual {tuple(actual.shape)} differ")
    ramp = torch.linspace(0.5, 1.5, forecast.shape[-1], device=forecast.device, dtype=forecast.dtype)
    return (ramp * (forecast - actual).abs()).mean()
