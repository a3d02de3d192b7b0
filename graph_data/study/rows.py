"""What is known of a row beside its metrics: what was really kept, tested on, and compared with."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd

from graph_data import measured
from graph_data.measured import ACHIEVED
from graph_data.tables import Number, TableError, Text, read, refuse_duplicates
from pruning import BASELINE

RUN = list(measured.RUN)
PAIR = ["model", "dataset"]

DENSE, BEST_SPARSE = "dense_accuracy", "best_sparse_accuracy"
"""What an accuracy drop is a drop from: the accuracy of dense networks, or for want of these the
best accuracy of any network of the model and data set, which is a sparse one."""

MOST_IMAGES = 20_000  # of a test set that is looked for
LEAST_ROWS = 10  # of a pruner, to tell its test set by: a half of 1/10,000 by chance is 1 in 2**10


def achieved(tables: dict[str, pd.DataFrame], runs: pd.DataFrame) -> pd.Series:
    """Share of the weights that each network really lost.

    Parameters
    ----------
    tables : dict of str to pandas.DataFrame
        From `measured.read_all` or `released.read_all`.
    runs : pandas.DataFrame
        Columns `RUN`, one row a network.

    Returns
    -------
    pandas.Series
        In the rows of `runs`: as a file says, or from the layers' numbers of weights kept and of
        parameters; NaN where no file has either.
    """
    keys = pd.MultiIndex.from_frame(runs[RUN])
    found = pd.Series(np.nan, keys)
    for table in tables.values():
        if ACHIEVED in table:
            said = table.groupby(RUN)[ACHIEVED].first()
        elif {"no_weights", "no_params"} <= set(table):
            sums = table.groupby(RUN)[["no_weights", "no_params"]].sum(min_count=1)
            said = 1 - sums["no_weights"] / sums["no_params"]
        else:
            continue
        found = found.combine_first(said.reindex(keys))
    return pd.Series(found.reindex(keys).to_numpy(), runs.index, name=ACHIEVED)


def test_images(everyone: pd.DataFrame, runs: pd.DataFrame, one_set: bool) -> np.ndarray:
    """How many images the accuracies were measured on, as far as the accuracies tell.

    Parameters
    ----------
    everyone : pandas.DataFrame
        All networks: `RUN` and ``accuracy``.
    runs : pandas.DataFrame
        Those asked for.
    one_set : bool
        Whether all networks of a data set are known to have one test set. Otherwise those of a
        model, data set and pruner have, and others may differ.

    Returns
    -------
    numpy.ndarray
        In the rows of `runs`: `granularity` of the accuracies that have the test set in common.
    """
    of_dataset = everyone.groupby("dataset")["accuracy"].agg(granularity)
    images = runs["dataset"].map(of_dataset)
    if not one_set:
        keys = [*PAIR, "pruning"]
        groups = everyone.groupby(keys)["accuracy"]
        own = groups.agg(granularity)[groups.size() >= LEAST_ROWS]
        own = own.reindex(pd.MultiIndex.from_frame(runs[keys])).to_numpy()
        images = images.where(np.isnan(own), own)
    return images.to_numpy(dtype=float)


def granularity(accuracies: pd.Series) -> float:
    """The least number of images of which every accuracy is a whole number.

    Parameters
    ----------
    accuracies : pandas.Series

    Returns
    -------
    float
        The least common denominator; NaN where it is above `MOST_IMAGES`. A test set has this many
        images or a multiple of it, and by chance alone it is rarely a multiple where accuracies are
        many.

    Examples
    --------
    >>> granularity(pd.Series([0.5, 0.25, 0.12]))
    100.0
    """
    images = 1
    for value in accuracies:
        share = Fraction(value).limit_denominator(MOST_IMAGES)
        if abs(float(share) - value) > 1e-9:
            return math.nan
        images = math.lcm(images, share.denominator)
        if images > MOST_IMAGES:
            return math.nan
    return float(images)


def baseline(
    runs: pd.DataFrame, everyone: pd.DataFrame, file: str | Path | None
) -> tuple[np.ndarray, np.ndarray]:
    """What each network's accuracy is compared with.

    Parameters
    ----------
    runs : pandas.DataFrame
        The networks asked for: `RUN` and ``accuracy``.
    everyone : pandas.DataFrame
        All networks.
    file : str or Path, optional
        CSV with columns model, dataset, accuracy: dense accuracies.

    Returns
    -------
    values, kinds : numpy.ndarray
        In the rows of `runs`: the accuracy, and whether it is `DENSE` or `BEST_SPARSE`.

    Raises
    ------
    TableError
        If the file lacks a model and data set, or the best accuracy is 0.
    """
    if file is not None:
        table = read(file, {"model": Text(), "dataset": Text(), "accuracy": Number(1e-9, 1)})
        refuse_duplicates(file, table, PAIR)
        known = dense = table.set_index(PAIR)["accuracy"]
    else:
        best = everyone.groupby(PAIR)["accuracy"].max()
        dense = everyone[everyone["pruning"] == BASELINE].groupby(PAIR)["accuracy"].mean()
        known = dense.combine_first(best)
    pairs = pd.MultiIndex.from_frame(runs[PAIR])
    values = known.reindex(pairs).to_numpy()
    wrong = ~(values > 0)
    if wrong.any():
        model, dataset = runs.loc[wrong, PAIR].iloc[0]
        if file is None:
            raise TableError(f"the accuracy of {model} on {dataset} is 0 in every row")
        raise TableError(f"{file}: no dense accuracy of {model} on {dataset}")
    return values, np.where(pairs.isin(dense.index), DENSE, BEST_SPARSE)


def notes(runs: pd.DataFrame, everyone: pd.DataFrame) -> list[str]:
    """What a reader must know of the rows, in sentences.

    Parameters
    ----------
    runs : pandas.DataFrame
        With the columns that the other functions give, but for the achieved sparsity of networks
        of which it is not known.
    everyone : pandas.DataFrame

    Returns
    -------
    list of str
    """
    said = []
    if unknown := int(runs[ACHIEVED].isna().sum()):
        said.append(
            f"achieved sparsity: no file has it for {unknown} of {len(runs)} networks; the stated "
            "one stands in its place."
        )
    sparse = runs.loc[runs["baseline"] == BEST_SPARSE, PAIR].drop_duplicates()
    if len(sparse):
        rows = everyone.merge(sparse, on=PAIR)
        best = rows.loc[rows.groupby(PAIR)["accuracy"].idxmax()]
        which = best.groupby(["pruning", "sparsity"]).size()
        of = ", ".join(f"{pruner} at {s:g} ({n})" for (pruner, s), n in which.items())
        said.append(
            f"{BEST_SPARSE} is what the drop is measured from for {len(sparse)} models and "
            f"datasets: they have no dense network, and the best is of {of}."
        )
    return said
