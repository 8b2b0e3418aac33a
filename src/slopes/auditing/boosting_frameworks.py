"""Frameworks of boosting, whose objectives are audited."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BoostingFramework:
    name: str
    is_maximised: bool = False  #: whether objectives are maximised, else minimised
    methods: tuple[str, ...] = ()  #: an objective needs one of these; without any, it is a function
    has_empty_weights: bool = False  #: whether a data set without weights gives an empty array, else None
    takes_flat: bool = False  #: whether derivatives of rows of scores may be flattened


BOOSTING = {
    framework.name: framework
    for framework in (
        BoostingFramework("xgboost", has_empty_weights=True, takes_flat=True),
        BoostingFramework("lightgbm"),
        BoostingFramework("catboost", is_maximised=True, methods=("calc_ders_range", "calc_ders_multi")),
    )
}
