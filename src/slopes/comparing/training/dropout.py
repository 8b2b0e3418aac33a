"""Dropout that depends on a network's seed, not on the networks trained beside it.

So a run is the same in any stack and in the loop, and all pairs of a seed drop alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from slopes.comparing.training.slots import of_all

STREAM = 2**62  #: above all seeds, so that dropout shares no numbers with weights and orders


class Streams:
    """Generators by seed; all dropout layers of a network draw from the same one in turn."""

    def __init__(self, seeds: Sequence[int]) -> None:
        self._generators = {seed: torch.Generator().manual_seed(STREAM + seed) for seed in seeds}
        self._places = torch.tensor([list(self._generators).index(seed) for seed in seeds])

    def kept(self, like: Tensor, share: float) -> Tensor:
        """Mask like (network, ...), where a fraction `share` is 1, else 0."""
        empty = torch.empty(like.shape[1:], dtype=like.dtype)
        drawn = [empty.clone().bernoulli_(share, generator=g) for g in self._generators.values()]
        return torch.stack(drawn)[self._places].to(like.device)


class OwnDropout(nn.Dropout):
    """`torch.nn.Dropout` that draws from `Streams`."""

    def __init__(self, p: float, streams: Streams, stacked: bool) -> None:
        super().__init__(p)
        self._streams, self._stacked = streams, stacked

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        if self._stacked:
            return of_all(self.forward_all, x)
        return self.forward_all(x.unsqueeze(0)).squeeze(0)

    def forward_all(self, x: Tensor) -> Tensor:
        """Drop entries of (network, ...)."""
        if not self.training or self.p == 0:
            return x
        return x * self._streams.kept(x, 1 - self.p) / (1 - self.p) if self.p < 1 else x * 0


def use_seeded_dropout(model: nn.Module, seeds: Sequence[int], stacked: bool) -> nn.Module:
    """Replace every `torch.nn.Dropout` in place."""
    streams = Streams(seeds)
    made: dict[nn.Module, OwnDropout] = {}
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.Dropout:
                made.setdefault(child, OwnDropout(child.p, streams, stacked).train(child.training))
                setattr(parent, name, made[child])
    return model


def plain(model: nn.Module) -> nn.Module:
    """Restore `torch.nn.Dropout` in place."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, OwnDropout):
                setattr(parent, name, nn.Dropout(child.p).train(child.training))
    return model
