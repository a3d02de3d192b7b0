"""The paper's claims, each as a sentence with its verdict and the numbers for and against it.

A verdict follows from the intervals of the comparisons that the claim is about, by the rules that
`RULES` states for the report.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pandas as pd

TAU = ["tau", "tau_low", "tau_high"]
SHOWN_METHODS = ("trees permutation", "trees shapley")
RULES = (
    "A claim that one thing is better than another holds if the intervals of all comparisons "
    "are on that side of 0, in part if some are, does not hold if none is and some are on the "
    "other side, and is not shown if 0 is in all of them. The claim that it is no better "
    "(section 4.1) holds if no interval is above 0 and some are below, in part if there are "
    "both, does not hold if there are only such above, and is not contradicted if 0 is in all "
    "of them. One interval in twenty misses 0 by chance alone, so that a verdict by one comparison "
    "of many says little."
)
BIPARTITE = ("rolled", "rolled-channel")
OTHERS = (*BIPARTITE, "ramanujan")


class Claim(NamedTuple):
    """What decides a claim.

    Attributes
    ----------
    text : str
    section, table : str
        Whose rows are the comparisons, with an interval in the columns low and high.
    about : callable
        The rows of the table that the claim is about.
    keys : list of str
        Columns that name a comparison.
    value : str
        Column of the difference.
    rule : callable
        The verdict on those rows.
    """

    text: str
    section: str
    table: str
    about: Callable[[pd.DataFrame], pd.DataFrame]
    keys: list[str]
    value: str
    rule: Callable[[pd.DataFrame], str]

    def comparisons(self, table: pd.DataFrame | None) -> pd.DataFrame:
        """The rows of the table that the claim is about and that have an interval."""
        if table is None or not len(table):
            return pd.DataFrame()
        return self.about(table[table["low"].notna()])


def difference_above(table: pd.DataFrame) -> str:
    """Verdict on a claim that differences are above 0."""
    above, below = table["low"] > 0, table["high"] < 0
    if above.all():
        return "holds"
    if above.any():
        return "holds in part"
    return "does not hold" if below.any() else "not shown"


def difference_below(table: pd.DataFrame) -> str:
    """Verdict on a claim that differences are below 0."""
    return difference_above(pd.DataFrame({"low": -table["high"], "high": -table["low"]}))


def difference_not_above(table: pd.DataFrame) -> str:
    """Verdict on a claim that differences are not above 0."""
    above, below = table["low"] > 0, table["high"] < 0
    if above.any():
        return "holds in part" if below.any() else "does not hold"
    return "holds" if below.any() else "not contradicted"


def _against_others(differences: pd.DataFrame) -> pd.DataFrame:
    return differences[(differences["kind"] == "overall") & differences["than"].isin(list(OTHERS))]


def _of_strata(differences: pd.DataFrame) -> pd.DataFrame:
    return differences[differences["kind"].isin(["sparsity", "model"])]


def _against_ramanujan(differences: pd.DataFrame) -> pd.DataFrame:
    of_all = differences["sparsity"].astype(str) == "all"
    return differences[of_all & (differences["predictor"] == "ramanujan")]


CLAIMS = {
    "4.1": Claim(
        "Ramanujan metrics are no better predictors than layer density (section 4.1)",
        "correlation",
        "summary",
        lambda table: table,
        ["metric", "method", "scope"],
        "mean_difference",
        difference_not_above,
    ),
    "a": Claim(
        "Claim a, topometrics of the multipartite graph predict the accuracy drop better than "
        "those of bipartite graphs and than Ramanujan metrics (section 4.2.1)",
        "regression",
        "differences",
        _against_others,
        ["estimator", "than"],
        "difference",
        difference_above,
    ),
    "b": Claim(
        "Claim b, different metrics matter at different sparsities and for different models "
        "(section 4.2.2)",
        "importance",
        "differences",
        _of_strata,
        ["kind", "method"],
        "difference",
        difference_below,
    ),
    "c": Claim(
        "Claim c, a mixture of topometrics ranks pruners better than Ramanujan metrics "
        "(section 4.2.3)",
        "ranking",
        "differences",
        _against_ramanujan,
        ["score"],
        "difference",
        difference_above,
    ),
}


def ramanujan_and_density(summary: pd.DataFrame) -> str:
    """Section 4.1, from ``correlation/summary.csv``."""
    claim = CLAIMS["4.1"]
    told = claim.comparisons(summary)
    if not len(told):
        return ""
    single = summary[(summary["scope"] == "one sparsity") & (summary["method"] == "pearson")]
    numbers = "; ".join(
        f"{row.metric} {row.mean_abs_r:.2f} against {row.mean_abs_density_r:.2f} (with their signs "
        f"{row.mean_r:.2f} against {row.mean_density_r:.2f}), difference "
        f"{with_interval(row.mean_difference, row.low, row.high)}"
        for row in single.itertuples()
    )
    return (
        f"**{claim.text}: {claim.rule(told)}.** Mean modulus of Pearson's correlation with "
        f"accuracy within a sparsity, metric against density: {numbers}. The difference of means "
        f"is {_signs(told)}."
    )


def encodings(scores: pd.DataFrame, differences: pd.DataFrame) -> str:
    """Claim a, section 4.2.1, from ``regression/scores.csv`` and ``differences.csv``."""
    claim = CLAIMS["a"]
    overall = claim.comparisons(differences)
    if not len(overall):
        return ""
    against = differences[differences["than"].isin(list(OTHERS))]
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
    either = within[within["than"].isin(list(BIPARTITE))]
    bipartite = f" Against bipartite graphs {_by_stratum(either)}." if len(either) else ""
    return (
        f"**{claim.text}: {claim.rule(overall)}.** R2 on configurations not seen, all networks, "
        f"OLS (in brackets adjusted R2 of the fit): {listed}. Over all networks the advantage is "
        f"{_signs(overall)}{f' (not above: {lost})' if lost else ''}; within one sparsity, model "
        f"or dataset {_signs(within)}{f' ({worse})' if worse else ''}; on a dataset or model not "
        f"seen at all {_signs(held_out)}.{bipartite}"
    )


def importance(differences: pd.DataFrame, inflation: pd.DataFrame) -> str:
    """Claim b, section 4.2.2, from ``importance/differences.csv`` and ``collinearity.csv``."""
    claim = CLAIMS["b"]
    told = claim.comparisons(differences)
    if not len(told):
        return ""
    shown = told[told["method"].isin(SHOWN_METHODS)]
    said = "; ".join(
        f"{row.kind}, {row.method}: {row.between:.2f} where {row.expected:.2f} is expected, "
        f"difference {with_interval(row.difference, row.low, row.high)}"
        for row in (shown if len(shown) else told).itertuples()
    )
    missing = [kind for kind in ("sparsity", "model") if kind not in set(told["kind"])]
    kinds = " and by ".join(dict.fromkeys(told["kind"]))
    few = "".join(f" Too few to tell anything by {kind}." for kind in missing)
    overall = inflation[inflation["kind"] == "overall"]
    high = int((overall["variance_inflation"] > 10).sum())
    return (
        f"**{claim.text}: {claim.rule(told)}.** Spearman correlation of the metrics' importance "
        "between samples of two strata, less what is expected of strata that are alike, is "
        f"{_signs(told)} (measures of importance, by {kinds}): {said}.{few} And {high} of "
        f"{len(overall)} metrics have a variance inflation above 10 over all networks: which of "
        "several correlated metrics gets the importance is partly arbitrary, and none of these "
        "numbers says that a metric causes accuracy."
    )


def ranking(summary: pd.DataFrame, differences: pd.DataFrame) -> str:
    """Claim c, section 4.2.3, from ``ranking/summary.csv`` and ``differences.csv``."""
    claim = CLAIMS["c"]
    theirs = claim.comparisons(differences)
    if not len(theirs):
        return ""
    scores = summary[summary["sparsity"] == "all"].set_index(["predictor", "score"])
    less = differences[differences["sparsity"] == "all"].set_index(["predictor", "score"])
    tau = {key: with_interval(*row) for key, *row in scores[TAU].itertuples()}
    best = scores.loc["ramanujan", "tau"].idxmax()
    others = {(name, "mixture"): f"mixture of {name}" for name in BIPARTITE}
    others["density", "layer_density"] = "layer density"
    rest = "".join(
        f", {name} {tau[key]} (difference "
        f"{with_interval(*less.loc[key, ['difference', 'low', 'high']])})"
        for key, name in others.items()
        if key in tau
    )
    return (
        f"**{claim.text}: {claim.rule(theirs)}.** Kendall's tau with the ranking by "
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


def with_interval(value: float, low: float, high: float) -> str:
    """A value and its interval, if it has one; empty where undefined."""
    if value != value:
        return ""
    return f"{value:.3f} [{low:.3f}, {high:.3f}]" if low == low else f"{value:.3f}"


def _signs(part: pd.DataFrame) -> str:
    above, below = int((part["low"] > 0).sum()), int((part["high"] < 0).sum())
    return f"above 0 in {above} and below in {below} of {len(part)} comparisons"


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
