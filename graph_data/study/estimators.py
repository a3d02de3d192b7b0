"""The regressors of the study: linear, robust, and trees. Features are standardised first."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import HuberRegressor, LinearRegression, RidgeCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler


def ols() -> Pipeline:
    """Ordinary least squares."""
    return make_pipeline(StandardScaler(), LinearRegression())


def ridge() -> Pipeline:
    """Ridge regression; the penalty by leave-one-out on the training networks."""
    return make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 4, 15)))


def huber() -> Pipeline:
    """Huber's robust regression."""
    return make_pipeline(StandardScaler(), HuberRegressor(max_iter=20_000))


def trees() -> RegressorMixin:
    """Gradient-boosted regression trees (Friedman 2001) on binned metrics."""
    return HistGradientBoostingRegressor(
        max_iter=40,
        learning_rate=0.2,
        max_leaf_nodes=8,
        min_samples_leaf=10,
        max_bins=64,
        early_stopping=False,
        random_state=0,
    )


ESTIMATORS: dict[str, Callable[[], RegressorMixin]] = {
    "ols": ols,
    "ridge": ridge,
    "huber": huber,
    "trees": trees,
}
