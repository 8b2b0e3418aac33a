"""Losses as objectives of XGBoost, LightGBM and CatBoost.

None of these libraries is imported; an objective is handed to one.
"""

from slopes.boosting.for_catboost import catboost
from slopes.boosting.for_lightgbm import LightGBMObjective as lightgbm
from slopes.boosting.for_xgboost import XGBoostObjective as xgboost

__all__ = ["catboost", "lightgbm", "xgboost"]
