"""The regressors of the study: linear, robust, and trees. Features are standardised first.

Each is a function of features, target, the configuration of each row and a seed that gives a fitted
regressor.
"""

from __future__ import annotations

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import HuberRegressor, LinearRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from .validation import Fit, Split, folds

PENALTIES = np.logspace(4, -3, 15)


def ols(x: np.ndarray, y: np.ndarray, groups: np.ndarray, seed: int) -> Pipeline:
    """Ordinary least squares."""
    return make_pipeline(StandardScaler(), LinearRegression()).fit(x, y)


def ridge(x: np.ndarray, y: np.ndarray, groups: np.ndarray, seed: int) -> Pipeline:
    """Ridge regression; the penalty by folds that keep configurations whole."""
    chosen = penalty(StandardScaler().fit_transform(x), y, folds(groups, seed))
    return make_pipeline(StandardScaler(), Ridge(chosen)).fit(x, y)


def huber(x: np.ndarray, y: np.ndarray, groups: np.ndarray, seed: int) -> Pipeline:
    """Huber's robust regression."""
    return make_pipeline(StandardScaler(), HuberRegressor(max_iter=20_000)).fit(x, y)


def trees(x: np.ndarray, y: np.ndarray, groups: np.ndarray, seed: int) -> RegressorMixin:
    """Gradient-boosted regression trees (Friedman 2001) on binned metrics."""
    return HistGradientBoostingRegressor(
        max_iter=40,
        learning_rate=0.2,
        max_leaf_nodes=8,
        min_samples_leaf=10,
        max_bins=64,
        early_stopping=False,
        random_state=0,
    ).fit(x, y)


ESTIMATORS: dict[str, Fit] = {"ols": ols, "ridge": ridge, "huber": huber, "trees": trees}


def penalty(x: np.ndarray, y: np.ndarray, splits: list[Split]) -> float:
    """The penalty of ridge regression that predicts the test rows best.

    Parameters
    ----------
    x : numpy.ndarray, shape (n, k)
    y : numpy.ndarray, shape (n,)
    splits : list of (numpy.ndarray, numpy.ndarray)
        Training and test rows; without any, the largest penalty is taken.

    Returns
    -------
    float
        Of `PENALTIES` that with the least squared error. All are fitted at once, from one singular
        value decomposition a split (Golub and Van Loan, "Matrix Computations", section 6.1.4):
        scikit-learn's search would fit each by itself, which takes fifty times as long.
    """
    errors = np.zeros(len(PENALTIES))
    for train, test in splits:
        centre, level = x[train].mean(axis=0), y[train].mean()
        u, s, vt = np.linalg.svd(x[train] - centre, full_matrices=False)
        along = (u.T @ (y[train] - level))[:, None]
        coefficients = vt.T @ (s[:, None] / (s[:, None] ** 2 + PENALTIES) * along)
        predicted = level + (x[test] - centre) @ coefficients
        errors += ((y[test, None] - predicted) ** 2).sum(axis=0)
    return float(PENALTIES[errors.argmin()])
