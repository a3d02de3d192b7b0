"""Section 4.2.1: how well do topometrics predict the accuracy drop?

Every encoding's topometrics, the Ramanujan metrics, the density of layers and the sparsity itself,
jointly, by group and one by one; on networks whose configuration was not seen, within each
sparsity, model and dataset, and on a dataset or model that was not seen at all. All predictors are
compared on the same networks: those where all of them are defined. Beside them stands the ceiling:
how much of the drop differs between configurations at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from joblib import delayed
from scipy import stats

from figures.plots.regression import plot as plot
from graph_data.markdown import markdown
from graph_encoding import ENCODINGS

from .ceiling import ceiling
from .claims import CLAIMS, OTHERS
from .estimators import ESTIMATORS
from .intervals import interval
from .networks import BIPARTITE, GROUPS, MULTIPARTITE, Networks
from .validation import Split, adjusted, bootstrap_r2, folds, predict, r2
from .wording import DIGITS, Tables, signs, with_intervals

HELD_OUT = {"held-out dataset": "dataset", "held-out model": "model"}


def tasks(networks: Networks, seed: int) -> list:
    """One for each stratum and set of metrics, and one for each stratum's ceiling."""
    networks = networks.complete()
    found = []
    for kind, name, part, splits in designs(networks, seed):
        label = {"kind": kind, "stratum": name}
        test = np.unique(np.concatenate([rows for _, rows in splits]))
        y = part.runs["drop"].to_numpy()
        found.append(delayed(ceiling)(label, y[test], part.configurations[test]))
        found += [task(label, part, splits, chosen, seed) for chosen in feature_sets(networks)]
    return found


def designs(networks: Networks, seed: int) -> Iterator[tuple[str, str, Networks, list[Split]]]:
    """Kind, name, networks and splits of every stratum and every held-out dataset and model."""
    for kind, name, members in networks.strata:
        part = networks.take(members)
        splits = folds(part.configurations, seed)
        if splits:
            yield kind, name, part, splits
    for kind, column in HELD_OUT.items():
        values = networks.runs[column]
        for value in sorted(values.unique()) if values.nunique() > 1 else ():
            test = (values == value).to_numpy()
            yield kind, value, networks, [(np.flatnonzero(~test), np.flatnonzero(test))]


def feature_sets(networks: Networks) -> Iterator[tuple[str, str, str, list[str]]]:
    """Predictor, level (joint, group or metric), name and columns of every set of metrics."""
    for predictor, table in networks.features.items():
        columns = list(table)
        yield predictor, "joint", "all", columns
        if predictor in ENCODINGS:
            for group, members in GROUPS.items():
                chosen = [column for column in columns if column in members]
                if len(chosen) > 1:
                    yield predictor, "group", group, chosen
        if len(columns) > 1:
            for column in columns:
                yield predictor, "metric", column, [column]


def task(
    label: dict[str, str],
    networks: Networks,
    splits: Sequence[Split],
    chosen: tuple[str, str, str, list[str]],
    seed: int,
):
    """`evaluate`, to be done later, on one of `feature_sets`."""
    predictor, level, name, columns = chosen
    return delayed(evaluate)(
        label | {"predictor": predictor, "level": level, "name": name},
        networks.features[predictor][columns].to_numpy(),
        networks.runs["drop"].to_numpy(),
        networks.configurations,
        splits,
        seed,
    )


def evaluate(
    label: dict[str, str],
    x: np.ndarray,
    y: np.ndarray,
    groups: np.ndarray,
    splits: Sequence[Split],
    seed: int,
) -> list[tuple[dict, np.ndarray | None]]:
    """Scores of every estimator on one set of metrics.

    Parameters
    ----------
    label : dict
        Put into every row.
    x : numpy.ndarray, shape (n, k)
    y : numpy.ndarray, shape (n,)
        Accuracy drop.
    groups : numpy.ndarray, shape (n,)
        Configurations.
    splits : sequence of (numpy.ndarray, numpy.ndarray)
        Training and test rows.
    seed : int

    Returns
    -------
    list of (dict, numpy.ndarray or None)
        For each estimator a row of scores, and R2 in resamples of the configurations where the
        level is joint: these are compared. Scores are of the test networks, their predictions
        pooled over the folds; ``r2_fit`` and ``adjusted_r2_fit`` are those of the training networks
        of one fit to all of them, as papers often give.
    """
    train = np.unique(np.concatenate([rows for rows, _ in splits]))
    test = np.unique(np.concatenate([rows for _, rows in splits]))
    k = int((np.ptp(x[train], axis=0) > 0).sum())
    found = []
    for estimator, fit in ESTIMATORS.items():
        predicted = predict(fit, x, y, groups, splits, seed)[test]
        fitted = fit(x[train], y[train], groups[train], seed).predict(x[train])
        score, score_fit = r2(y[test], predicted), r2(y[train], fitted)
        sampled = bootstrap_r2(y[test], predicted, groups[test], seed)
        low, high = interval(sampled)
        row = {
            **label,
            "estimator": estimator,
            "networks": len(test),
            "configurations": len(np.unique(groups[test])),
            "metrics": k,
            "r2": score,
            "r2_low": low,
            "r2_high": high,
            "adjusted_r2": adjusted(score, len(test), k),
            "spearman": _spearman(y[test], predicted),
            "mae": float(np.abs(y[test] - predicted).mean()),
            "r2_fit": score_fit,
            "adjusted_r2_fit": adjusted(score_fit, len(train), k),
        }
        found.append((row, sampled if label["level"] == "joint" else None))
    return found


def collect(
    results: Sequence[list[tuple[dict, np.ndarray | None]] | dict],
) -> dict[str, pd.DataFrame]:
    """Tables from the results of `tasks`.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``scores``: one row a stratum, set of metrics and estimator. ``differences``: R2 of all
        unrolled topometrics minus R2 of each other predictor, with its interval. ``ceilings``: one
        row a stratum.
    """
    ceilings = [result for result in results if isinstance(result, dict)]
    pairs = [pair for result in results if isinstance(result, list) for pair in result]
    scores = pd.DataFrame([row for row, _ in pairs])
    joint = scores[scores["level"] == "joint"]
    rows = []
    for (kind, stratum, estimator), part in joint.groupby(
        ["kind", "stratum", "estimator"], sort=False
    ):
        index = dict(zip(part["predictor"], part.index))
        ours = index.pop(MULTIPARTITE, None)
        if ours is None:
            continue
        for other, theirs in index.items():
            low, high = interval(pairs[ours][1] - pairs[theirs][1])
            rows.append(
                {
                    "kind": kind,
                    "stratum": stratum,
                    "estimator": estimator,
                    "than": other,
                    "difference": scores.at[ours, "r2"] - scores.at[theirs, "r2"],
                    "low": low,
                    "high": high,
                }
            )
    return {
        "scores": scores,
        "differences": pd.DataFrame(rows),
        "ceilings": pd.DataFrame(ceilings),
    }


def text(tables: Tables) -> str:
    """Section 4.2.1."""
    scores = tables["scores"]
    joint = scores[scores["level"] == "joint"]
    wide = joint.pivot_table(
        index=["kind", "stratum", "estimator"], columns="predictor", values="r2", sort=False
    ).reset_index()
    ceilings = tables["ceilings"]
    ceilings = ceilings[["kind", "stratum"]].assign(
        ceiling=with_intervals(ceilings, "ceiling", "low", "high")
    )
    wide = wide.merge(ceilings, on=["kind", "stratum"])
    groups = scores[(scores["kind"] == "overall") & (scores["level"] != "metric")]
    groups = groups.pivot_table(
        index=["predictor", "name"], columns="estimator", values="r2", sort=False
    ).reset_index()
    single = scores[
        (scores["kind"] == "overall")
        & (scores["level"] == "metric")
        & (scores["predictor"] == MULTIPARTITE)
    ]
    single = single.pivot_table(index="name", columns="estimator", values="r2", sort=False)
    return f"""## Section 4.2.1: regression of the accuracy drop

R2 on networks whose configuration (model, dataset, pruner, sparsity) was not in training,
predictions of 5 folds pooled; 0 is as good as the mean, below 0 is worse. `held-out`: trained on
all other datasets (models), tested on this one; there the level of the drop is unknown too, and a
linear fit extrapolates, so that R2 can fall far below 0 (the CSV has Spearman's correlation beside
it). All predictors on the same networks. `ceiling`: an estimate of the share of the drop's
variance that lies between configurations and not between the seeds of one (intraclass
correlation); 0 or less where none was found. A predictor that knows configurations alone reaches
no more in the long run; what varies with the seed, such as metrics of trained weights, may know
more. Where the ceiling is about 0, an R2 about or below 0 says little of a metric. The claim is
about the difference in R2 over all networks (interval: 95 %, configurations drawn with
replacement, with all their seeds), for every estimator and against every other encoding.

{markdown(wide, DIGITS)}

{_sides(tables["differences"])}By group of metrics, all networks:

{markdown(groups, DIGITS)}

Each unrolled topometric alone, all networks:

{markdown(single.reset_index(), DIGITS)}

All scores, with adjusted R2, mean absolute error and intervals:
[regression/scores.csv](regression/scores.csv); differences between encodings:
[regression/differences.csv](regression/differences.csv); ceilings:
[regression/ceilings.csv](regression/ceilings.csv)."""


def verdict(tables: Tables) -> str:
    """Claim a, section 4.2.1, from ``regression/scores.csv`` and ``differences.csv``."""
    claim, scores, differences = CLAIMS["a"], tables["scores"], tables["differences"]
    overall = claim.comparisons(differences)
    if not len(overall):
        return ""
    against = differences[differences["than"].isin(list(OTHERS))]
    ols = scores[(scores["kind"] == "overall") & (scores["level"] == "joint")]
    ols = ols[ols["estimator"] == "ols"].set_index("predictor")
    listed = ", ".join(
        f"{name} {score:.2f}" + (f" ({fit:.2f})" if fit == fit else "")
        for name, score, fit in ols[["r2", "adjusted_r2_fit"]].itertuples()
    )
    lost = ", ".join(
        f"{row.estimator} against {row.than}" for row in overall[overall["low"] <= 0].itertuples()
    )
    within = against[against["kind"].isin(["sparsity", "model", "dataset"])]
    opposite = within[within["high"] < 0].groupby(["stratum", "than"], sort=False).size()
    worse = ", ".join(f"{n} x {stratum} against {than}" for (stratum, than), n in opposite.items())
    held_out = against[against["kind"].str.startswith("held-out")]
    either = within[within["than"].isin(list(BIPARTITE))]
    bipartite = f" Against bipartite graphs {_by_stratum(either)}." if len(either) else ""
    return (
        f"**{claim.text}: {claim.rule(overall)}.** R2 on configurations not seen, all networks, "
        f"OLS (in brackets adjusted R2 of the fit): {listed}. Over all networks the advantage is "
        f"{signs(overall)}{f' (not above: {lost})' if lost else ''}; within one sparsity, model "
        f"or dataset {signs(within)}{f' ({worse})' if worse else ''}; on a dataset or model not "
        f"seen at all {signs(held_out)}.{bipartite}"
    )


def _spearman(y: np.ndarray, predicted: np.ndarray) -> float:
    """Spearman correlation; 0 where the prediction does not vary."""
    varies = np.ptp(y) > 0 and np.ptp(predicted) > 0
    return float(stats.spearmanr(y, predicted).statistic) if varies else 0.0


def _sides(differences: pd.DataFrame) -> str:
    """How many estimators predict better from unrolled topometrics, how many worse; or nothing."""
    if not len(differences):
        return ""
    keys = ["kind", "stratum", "than"]
    part = differences[differences["than"].isin(list(OTHERS))]
    part = part.assign(above=part["low"] > 0, below=part["high"] < 0)
    counts = part.groupby(keys, sort=False)[["above", "below"]].sum().reset_index()
    counts["sides"] = [f"{above} ({below})" for above, below in counts[["above", "below"]].values]
    wide = counts.pivot_table(
        index=keys[:2], columns="than", values="sides", aggfunc="first", sort=False
    )
    return f"""Number of estimators by which unrolled topometrics predict better than another
encoding's metrics, beyond the interval (in brackets: worse):

{markdown(wide.reset_index())}

"""


def _by_stratum(part: pd.DataFrame) -> str:
    """In which strata all, some or none of the differences are above 0."""
    found: dict[str, list[str]] = {"all": [], "none": [], "some": []}
    for stratum, rows in part.groupby("stratum", sort=False):
        above, count = int((rows["low"] > 0).sum()), len(rows)
        if above in (0, count):
            found["all" if above else "none"].append(stratum)
        else:
            found["some"].append(f"{stratum} ({above} of {count})")
    named = [f"in {how} of those within {', '.join(s)}" for how, s in found.items() if s]
    return f"it is above 0 {'; '.join(named)}"
