"""How alike the importance of metrics is between strata, and how much noise makes it differ."""

from __future__ import annotations

import numpy as np
import pandas as pd

from . import intervals

BETWEEN = ["kind", "method", "first", "second", "spearman", "common_of_five"]
UNITS = ("configurations", "clusters")
"""What halves of a stratum may have none of in common."""
HALVES = ["unit", "kind", "method", "first", "second", "spearman"]
DIFFERENCES = ["kind", "method", "strata", "between", "expected", "difference", "low", "high"]
CLUSTERED = ["cluster_between", "cluster_expected", "cluster_difference"]
CLUSTERED += ["cluster_low", "cluster_high"]


def between(importance: pd.DataFrame) -> pd.DataFrame:
    """How alike importance is between the strata of one kind, pair by pair.

    Parameters
    ----------
    importance : pandas.DataFrame
        Columns kind, stratum, method, metric, importance.

    Returns
    -------
    pandas.DataFrame
        For each kind, method and pair of strata: Spearman correlation of the moduli of importance,
        and the number of metrics that are among the first five in both.
    """
    rows = []
    for (kind, method), part in importance.groupby(["kind", "method"], sort=False):
        wide = part.pivot(index="metric", columns="stratum", values="importance").abs()
        strata = list(wide)
        for i, first in enumerate(strata):
            for second in strata[i + 1 :]:
                top = [set(wide[s].nlargest(5).index) for s in (first, second)]
                rows.append(
                    {
                        "kind": kind,
                        "method": method,
                        "first": first,
                        "second": second,
                        "spearman": _spearman(wide[first], wide[second]),
                        "common_of_five": len(top[0] & top[1]),
                    }
                )
    return pd.DataFrame(rows, columns=BETWEEN)


def halves(measured: pd.DataFrame) -> pd.DataFrame:
    """How alike importance is between disjoint halves of the networks: of two strata, and of one.

    Parameters
    ----------
    measured : pandas.DataFrame
        Columns unit, kind, stratum, method, metric, split, half (0 or 1), value: importance in each
        half of the configurations (or clusters) of each stratum, for several splits.

    Returns
    -------
    pandas.DataFrame
        For each unit, kind, method and pair of strata, each with itself too: Spearman correlation
        of the moduli of importance between a half of the first and the other half of the second,
        mean over the halves and splits. Halves of one stratum have no network in common, like
        halves of two, so that only what distinguishes the strata makes two less alike than one.
    """
    rows = []
    for key, part in measured.groupby(HALVES[:3], sort=False):
        wide = part.pivot(index="metric", columns=["stratum", "split", "half"], values="value")
        strata = list(dict.fromkeys(part["stratum"]))
        splits = sorted(part["split"].unique())
        wide = wide.reindex(columns=pd.MultiIndex.from_product([strata, splits, (0, 1)]))
        # Columns of ranks: their Pearson correlation is Spearman's.
        r = wide.abs().rank().corr().to_numpy().reshape(2 * (len(strata), len(splits), 2))
        for i, first in enumerate(strata):
            for j, second in enumerate(strata[i:], i):
                values = np.array(
                    [r[i, s, half, j, s, 1 - half] for s in range(len(splits)) for half in (0, 1)]
                )
                known = values[~np.isnan(values)]
                mean = float(known.mean()) if len(known) else np.nan
                rows.append(dict(zip(HALVES, (*key, first, second, mean))))
    return pd.DataFrame(rows, columns=HALVES)


def differences(halves: pd.DataFrame) -> pd.DataFrame:
    """How much less alike importance is between strata than if they were alike.

    Were the importance of metrics the same in two strata, their correlation would be the geometric
    mean of their correlations with themselves: noise alone would lower it (Spearman, "The proof and
    measurement of association between two things", American Journal of Psychology 15, 1904).

    Parameters
    ----------
    halves : pandas.DataFrame
        From the function of this name.

    Returns
    -------
    pandas.DataFrame
        For each kind of strata and method: number of strata that have a correlation with
        themselves; means over their pairs of the correlation found (``between``) and of that
        expected (``expected``); their difference and its interval (`intervals.of_jackknife`, by
        leaving out one stratum each). No interval with two strata: without one there is no pair.
        All that from halves that share no configuration, and, in columns that say ``cluster``, from
        those that share no cluster.
    """
    first, second = (_differences(halves[halves["unit"] == unit]) for unit in UNITS)
    renamed = dict(zip(DIFFERENCES[3:], CLUSTERED))
    second = second.drop(columns="strata").rename(columns=renamed)
    return first.merge(second, on=["kind", "method"], how="left")


def _differences(halves: pd.DataFrame) -> pd.DataFrame:
    """`differences`, of one unit."""
    rows = []
    for (kind, method), part in halves.groupby(["kind", "method"], sort=False):
        part = part[part["spearman"].notna()]
        own = part[part["first"] == part["second"]].set_index("first")["spearman"]
        if len(own) < 2:
            continue
        # Signed, so that noise about 0 gives 0 in the mean.
        root = (np.sign(own) * np.sqrt(own.abs())).to_numpy()
        pairs = part[part["first"].isin(own.index) & part["second"].isin(own.index)]
        found = np.full((len(own), len(own)), np.nan)
        first, second = (own.index.get_indexer(pairs[name]) for name in ("first", "second"))
        found[first, second] = found[second, first] = pairs["spearman"]
        np.fill_diagonal(found, np.nan)
        expected = np.where(np.isnan(found), np.nan, np.outer(root, root))
        between, alike = _mean(found), _mean(expected)
        difference = between - alike
        without = np.array([_mean(_leave_out(found - expected, i)) for i in range(len(own))])
        low, high = intervals.of_jackknife(difference, without)
        row = (kind, method, len(own), between, alike, difference, low, high)
        rows.append(dict(zip(DIFFERENCES, row)))
    return pd.DataFrame(rows, columns=DIFFERENCES)


def _mean(pairs: np.ndarray) -> float:
    """Mean over the known pairs of strata; NaN where there is none."""
    known = pairs[~np.isnan(pairs)]
    return float(known.mean()) if len(known) else np.nan


def _leave_out(pairs: np.ndarray, stratum: int) -> np.ndarray:
    """The pairs of the other strata."""
    return np.delete(np.delete(pairs, stratum, axis=0), stratum, axis=1)


def _spearman(first: pd.Series, second: pd.Series) -> float:
    """Spearman correlation; NaN where one of them does not vary."""
    if first.nunique() < 2 or second.nunique() < 2:
        return np.nan
    return first.corr(second, method="spearman")
