"""The paper's claims, each as a sentence with its verdict and the numbers for and against it.

A verdict follows from intervals by a rule that stands in the report: it holds if every comparison
that the claim is about bears it out, in part if some do, and not if none does.
"""

from __future__ import annotations

import pandas as pd

TAU = ["tau", "tau_low", "tau_high"]
SHOWN_METHODS = ("trees permutation", "trees shapley")


def ramanujan_and_density(summary: pd.DataFrame) -> str:
    """Section 4.1, from ``correlation/summary.csv``."""
    above, below = int((summary["low"] > 0).sum()), int((summary["high"] < 0).sum())
    outcome = "holds" if not above else ("holds in part" if below else "does not hold")
    single = summary[(summary["scope"] == "one sparsity") & (summary["method"] == "pearson")]
    numbers = "; ".join(
        f"{row.metric} {row.mean_abs_r:.2f} against {row.mean_abs_density_r:.2f}, difference "
        f"{with_interval(row.mean_difference, row.low, row.high)}"
        for row in single.itertuples()
    )
    return (
        "**Ramanujan metrics are no better predictors than layer density (section 4.1): "
        f"{outcome}.** Mean modulus of Pearson's correlation with accuracy within a sparsity, "
        f"metric against density: {numbers}. Of {len(summary)} comparisons of means, {above} have "
        f"an interval above 0 and {below} one below."
    )


def encodings(scores: pd.DataFrame, differences: pd.DataFrame) -> str:
    """Claim a, section 4.2.1, from ``regression/scores.csv`` and ``differences.csv``."""
    if not len(differences):
        return ""
    against = differences[differences["than"].isin(["rolled", "rolled-channel", "ramanujan"])]
    overall = against[against["kind"] == "overall"]
    if not len(overall):
        return ""
    ols = scores[(scores["kind"] == "overall") & (scores["level"] == "joint")]
    ols = ols[ols["estimator"] == "ols"].set_index("predictor")
    listed = ", ".join(
        f"{name} {ols.at[name, 'r2']:.2f} ({ols.at[name, 'adjusted_r2_fit']:.2f})"
        for name in ols.index
    )
    lost = ", ".join(
        f"{row.estimator} against {row.than}" for row in overall[overall["low"] <= 0].itertuples()
    )
    within = against[against["kind"].isin(["sparsity", "model", "dataset"])]
    opposite = within[within["high"] < 0].groupby(["stratum", "than"], sort=False).size()
    worse = ", ".join(f"{n} x {stratum} against {than}" for (stratum, than), n in opposite.items())
    held_out = against[against["kind"].str.startswith("held-out")]
    return (
        "**Claim a, topometrics of the multipartite graph predict the accuracy drop better than "
        "those of bipartite graphs and than Ramanujan metrics (section 4.2.1): "
        f"{verdict(overall['low'] > 0)}.** R2 on configurations not seen, all networks, OLS (in "
        f"brackets adjusted R2 of the fit): {listed}. Over all networks the advantage is "
        f"{_signs(overall)}{f' (not above: {lost})' if lost else ''}; within one sparsity, model "
        f"or dataset {_signs(within)}{f' ({worse})' if worse else ''}; on a dataset or model not "
        f"seen at all {_signs(held_out)}."
    )


def importance(agreement: pd.DataFrame, repeatability: pd.DataFrame, inflation) -> str:
    """Claim b, section 4.2.2, from the tables of the same names and ``collinearity.csv``."""
    kinds = agreement[agreement["kind"].isin(["sparsity", "model"])]
    if not len(kinds) or not len(repeatability):
        return ""
    between = kinds.groupby(["kind", "method"], sort=False)["spearman"].mean()
    within = repeatability.set_index(["kind", "method"])["spearman"].reindex(between.index)
    known = between.notna() & within.notna()
    if not known.any():
        return ""
    between, within = between[known], within[known]
    lower = between < within
    said = "; ".join(
        f"{kind}, {method}: {between[(kind, method)]:.2f} between, {within[(kind, method)]:.2f} "
        "within"
        for kind, method in between.index
        if method in SHOWN_METHODS
    )
    overall = inflation[inflation["kind"] == "overall"]
    high = int((overall["variance_inflation"] > 10).sum())
    return (
        "**Claim b, different metrics matter at different sparsities and for different models "
        f"(section 4.2.2): {verdict(lower)}.** Spearman correlation of the metrics' importance is "
        "lower between strata than between halves of the folds of one stratum in "
        f"{int(lower.sum())} of {len(lower)} comparisons (measure of importance; by sparsity and "
        f"by model): {said}. But {high} of {len(overall)} metrics have a variance inflation above "
        "10 over all networks: which of several correlated metrics gets the importance is partly "
        "arbitrary, and none of these numbers says that a metric causes accuracy."
    )


def ranking(summary: pd.DataFrame, differences: pd.DataFrame) -> str:
    """Claim c, section 4.2.3, from ``ranking/summary.csv`` and ``differences.csv``."""
    if not len(differences):
        return ""
    theirs = differences[
        (differences["sparsity"] == "all") & (differences["predictor"] == "ramanujan")
    ]
    if not len(theirs):
        return ""
    scores = summary[summary["sparsity"] == "all"].set_index(["predictor", "score"])
    tau = {key: with_interval(*row) for key, *row in scores[TAU].itertuples()}
    best = scores.loc["ramanujan", "tau"].idxmax()
    rest = "".join(
        f", mixture of {predictor} {tau[(predictor, score)]}"
        for predictor, score in tau
        if score == "mixture" and predictor not in ("unrolled", "ramanujan")
    )
    if ("density", "layer_density") in tau:
        rest += f", layer density {tau[('density', 'layer_density')]}"
    return (
        "**Claim c, a mixture of topometrics ranks pruners better than Ramanujan metrics "
        f"(section 4.2.3): {verdict(theirs['low'] > 0)}.** Kendall's tau with the ranking by "
        f"accuracy, mean over {int(scores['cells'].max())} cells: mixture of unrolled topometrics "
        f"{tau[('unrolled', 'mixture')]}, best Ramanujan score ({best}) "
        f"{tau[('ramanujan', best)]}{rest}. Against the {len(theirs)} Ramanujan scores the "
        f"advantage is {_signs(theirs)}."
    )


def faults(scores: pd.DataFrame, given: str) -> str:
    """What the faults of the released data change, from ``sensitivity/scores.csv``."""
    changed = scores[(scores["variant"] != given) & ~scores["kind"].str.startswith("held-out")]
    said = []
    for variant, part in changed.groupby("variant", sort=False):
        overall = part.loc[part["kind"] == "overall", "change"]
        lost, won = int((part["change_high"] < 0).sum()), int((part["change_low"] > 0).sum())
        said.append(
            f"{variant}: {overall.min():+.3f} to {overall.max():+.3f} over all networks; of "
            f"{len(part)} strata and estimators {lost} lose and {won} gain beyond their interval"
        )
    return f"**What doubtful metrics change (R2 of all unrolled topometrics):** {'; '.join(said)}."


def verdict(borne_out: pd.Series) -> str:
    """In words, from whether each comparison bears the claim out."""
    if borne_out.all():
        return "holds"
    return "holds in part" if borne_out.any() else "does not hold"


def with_interval(value: float, low: float, high: float) -> str:
    """A value and its interval; empty where undefined."""
    return f"{value:.3f} [{low:.3f}, {high:.3f}]" if value == value else ""


def _signs(part: pd.DataFrame) -> str:
    above, below = int((part["low"] > 0).sum()), int((part["high"] < 0).sum())
    return f"above 0 in {above} and below in {below} of {len(part)} comparisons"
