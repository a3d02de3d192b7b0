"""Section 4.2.1: how well do topometrics predict the accuracy drop?

Every encoding's topometrics, the Ramanujan metrics, the density of layers and the sparsity itself,
jointly, by group and one by one; on networks whose configuration was not seen, within each
sparsity, model and dataset, and on a dataset or model that was not seen at all. All predictors are
compared on the same networks: those where all of them are defined. Beside them stands the ceiling:
how much of the drop differs between configurations at all. Nothing else is known here; what is left
of a lead when data set, model and sparsity are known says `added`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from joblib import delayed

from figures.plots.regression import plot as plot
from graph_data.markdown import markdown
from graph_encoding import ENCODINGS

from .ceiling import ceiling
from .claims import OTHERS
from .networks import Networks
from .predictors import BIPARTITE, GROUPS, MULTIPARTITE
from .scoring import Scored, differences, evaluate
from .validation import Split, folds
from .wording import BOTH, DIGITS, Tables, signs, with_both_intervals

HELD_OUT = {"held-out dataset": "dataset", "held-out model": "model"}


def tasks(networks: Networks, seed: int) -> list:
    """One for each stratum and set of metrics, and one for each stratum's ceiling."""
    networks = networks.complete()
    found = []
    for kind, name, part, splits in designs(networks, seed):
        label = {"kind": kind, "stratum": name}
        test = np.unique(np.concatenate([rows for _, rows in splits]))
        y = part.runs["drop"].to_numpy()
        found.append(
            delayed(ceiling)(label, y[test], part.configurations[test], part.clusters[test], seed)
        )
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
        networks.clusters,
        splits,
        seed,
    )


def collect(
    results: Sequence[list[Scored] | dict],
) -> dict[str, pd.DataFrame]:
    """Tables from the results of `tasks`.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``scores``: one row a stratum, set of metrics and estimator. ``differences``: R2 of all
        unrolled topometrics minus R2 of each other predictor, with its intervals. ``ceilings``: one
        row a stratum.
    """
    ceilings = [result for result in results if isinstance(result, dict)]
    pairs = [pair for result in results if isinstance(result, list) for pair in result]
    scores = pd.DataFrame([row for row, _ in pairs])
    return {
        "scores": scores,
        "differences": differences(pairs, ["kind", "stratum", "estimator"], MULTIPARTITE),
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
        ceiling=with_both_intervals(ceilings, "ceiling")
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
more. Where the ceiling is about 0, an R2 about or below 0 says little of a metric.

These R2 decide no claim: metrics also tell data sets apart, whose accuracies differ (see what
topology adds). {plainly(tables)}

{markdown(wide, DIGITS)}

{_overall(tables["differences"])}{_sides(tables["differences"])}By group of metrics, all networks:

{markdown(groups, DIGITS)}

Each unrolled topometric alone, all networks:

{markdown(single.reset_index(), DIGITS)}

All scores, with adjusted R2, mean absolute error and intervals:
[regression/scores.csv](regression/scores.csv); differences between encodings:
[regression/differences.csv](regression/differences.csv); ceilings:
[regression/ceilings.csv](regression/ceilings.csv)."""


def plainly(tables: Tables) -> str:
    """How unrolled topometrics compare with other metrics, nothing else being known."""
    scores, differences = tables["scores"], tables["differences"]
    against = differences[differences["than"].isin(list(OTHERS))]
    overall = against[against["kind"] == "overall"]
    if not len(overall):
        return ""
    ols = scores[(scores["kind"] == "overall") & (scores["level"] == "joint")]
    ols = ols[ols["estimator"] == "ols"].set_index("predictor")
    listed = ", ".join(
        f"{name} {score:.2f}" + (f" ({fit:.2f})" if fit == fit else "")
        for name, score, fit in ols[["r2", "adjusted_r2_fit"]].itertuples()
    )
    within = against[against["kind"].isin(["sparsity", "model", "dataset"])]
    opposite = within[within["high"] < 0].groupby(["stratum", "than"], sort=False).size()
    worse = ", ".join(f"{n} x {stratum} against {than}" for (stratum, than), n in opposite.items())
    held_out = against[against["kind"].str.startswith("held-out")]
    either = within[within["than"].isin(list(BIPARTITE))]
    bipartite = f" Against bipartite graphs {_by_stratum(either)}." if len(either) else ""
    return (
        "R2 on configurations not seen, all networks, nothing else known, OLS (in brackets "
        f"adjusted R2 of the fit): {listed}. R2 of unrolled topometrics less that of bipartite "
        f"ones or of Ramanujan metrics is {signs(overall)} over all networks; within one sparsity, "
        f"model or dataset {signs(within)}{f' ({worse})' if worse else ''}; on a dataset or model "
        f"not seen at all {signs(held_out)}.{bipartite}"
    )


def _overall(differences: pd.DataFrame) -> str:
    """R2 of unrolled topometrics less that of other metrics, all networks, or nothing."""
    part = differences[differences["than"].isin(list(OTHERS)) & (differences["kind"] == "overall")]
    if not len(part):
        return ""
    part = part.assign(difference=with_both_intervals(part, "difference"))
    wide = part.pivot(index="estimator", columns="than", values="difference").reset_index()
    return f"""R2 of unrolled topometrics less that of other metrics, all networks, nothing else
known. {BOTH}

{markdown(wide)}

"""


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
    return f"""Number of estimators by which R2 of unrolled topometrics is above that of other
metrics, nothing else known, beyond the interval that takes configurations for independent (in
brackets: below):

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
