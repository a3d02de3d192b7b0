"""The report of the study: the claims first, then each section's tables and how to read them."""

from __future__ import annotations

import argparse

import pandas as pd

from graph_data.markdown import markdown

from . import verdicts
from .networks import Networks
from .sensitivity import AS_GIVEN
from .verdicts import with_interval

DIGITS = ".3f"
LEFT_OUT = (
    "Networks with an undefined predictor, by pruner and sparsity. They are no random sample: what "
    "comparisons between predictors find is not found of them."
)

Tables = dict[str, dict[str, pd.DataFrame]]


def write(networks: Networks, tables: Tables, options: argparse.Namespace) -> str:
    """The report.

    Parameters
    ----------
    networks : Networks
    tables : dict of str to dict of str to pandas.DataFrame
        By section and name, as the sections' ``collect`` return them.
    options : argparse.Namespace
        The command line, for what was chosen.

    Returns
    -------
    str
        Markdown.
    """
    parts = [PARTS[name](found) for name, found in tables.items() if found]
    skipped = [name for name, found in tables.items() if not found]
    told = [verdict for verdict, _ in parts if verdict]
    lines = ["# Study: what topometrics say about accuracy", "", *_data(networks, options)]
    if skipped:
        lines += ["", f"Not computed, for lack of data: {', '.join(skipped)}."]
    if told:
        lines += ["", "## The paper's claims", ""]
        lines += [f"- {verdict}" for verdict in told]
        lines += ["", verdicts.RULES]
    for _, text in parts:
        lines += ["", text]
    return "\n".join(lines) + "\n"


def accuracy(tables: dict[str, pd.DataFrame]) -> tuple[str, str]:
    """What is to be explained."""
    cells, falls = tables["cells"], tables["falls"]
    wide = cells.pivot_table(
        index=["model", "dataset", "pruning"], columns="sparsity", values="accuracy", sort=False
    )
    wide = wide[sorted(wide, key=float)].reset_index()
    dense = cells.groupby(["model", "dataset"], sort=False)["dense_accuracy"].mean().reset_index()
    text = f"""## Accuracy

Mean test accuracy over the seeds, by sparsity:

{markdown(wide, DIGITS)}

{markdown(dense, DIGITS)}"""
    if len(falls):
        shown = falls.assign(
            lost=[with_interval(*v) for v in falls[["lost", "lost_low", "lost_high"]].values],
            spearman=[
                with_interval(*v)
                for v in falls[["spearman", "spearman_low", "spearman_high"]].values
            ],
        )[["model", "dataset", "pruning", "lost", "spearman"]]
        fewer = int((falls["lost_low"] > 0).sum())
        negative = int((falls["spearman_high"] < 0).sum())
        text += f"""

How accuracy falls: from the lowest to the highest sparsity, and its Spearman correlation with
sparsity. Intervals (95 %): Welch's for the loss, from the seeds of these two sparsities alone, so
that few seeds make it wide; Fisher's for the correlation. Of {len(falls)} models, datasets and
pruners the loss is above 0 with its interval for {fewer}, the correlation below 0 for {negative}.

{markdown(shown, DIGITS)}"""
    return "", text + "\n\nAll of it: [accuracy/cells.csv](accuracy/cells.csv)."


def correlation(tables: dict[str, pd.DataFrame]) -> tuple[str, str]:
    """Section 4.1."""
    summary = tables["summary"]
    table = summary.rename(
        columns={
            "mean_abs_r": "mean r",
            "mean_abs_density_r": "of density",
            "mean_r": "mean r, signed",
            "mean_density_r": "of density, signed",
        }
    )
    table = table.assign(
        difference=[with_interval(*v) for v in summary[["mean_difference", "low", "high"]].values]
    )
    shown = ["metric", "method", "scope", "groups", "mean r, signed", "of density, signed"]
    shown += ["mean r", "of density", "difference", "better", "worse"]
    text = f"""## Section 4.1: Ramanujan metrics and layer density

For each model and dataset (and sparsity): modulus of the correlation with accuracy, on the
networks where the metric is defined; mean over the groups. The interval (95 %) of the difference
is from configurations drawn with replacement, with all their seeds, within each group and for each
group by itself. `better` and `worse`: groups in which Williams' test for dependent
correlations says so at 5 % after Holm's adjustment (it takes networks for independent, but the
seeds of one configuration are alike: it finds too much). The modulus forgives a metric that errs in
opposite directions in different groups; `mean r, signed` does not. The claim is that no mean
difference is above 0.

{markdown(table[shown], DIGITS)}

All groups: [correlation/correlations.csv](correlation/correlations.csv)."""
    return verdicts.ramanujan_and_density(summary), text


def regression(tables: dict[str, pd.DataFrame]) -> tuple[str, str]:
    """Section 4.2.1."""
    scores = tables["scores"]
    joint = scores[scores["level"] == "joint"]
    wide = joint.pivot_table(
        index=["kind", "stratum", "estimator"], columns="predictor", values="r2", sort=False
    ).reset_index()
    ceilings = tables["ceilings"]
    ceilings = ceilings[["kind", "stratum"]].assign(
        ceiling=[with_interval(*v) for v in ceilings[["ceiling", "low", "high"]].values]
    )
    wide = wide.merge(ceilings, on=["kind", "stratum"])
    groups = scores[(scores["kind"] == "overall") & (scores["level"] != "metric")]
    groups = groups.pivot_table(
        index=["predictor", "name"], columns="estimator", values="r2", sort=False
    ).reset_index()
    single = scores[
        (scores["kind"] == "overall")
        & (scores["level"] == "metric")
        & (scores["predictor"] == "unrolled")
    ]
    single = single.pivot_table(index="name", columns="estimator", values="r2", sort=False)
    text = f"""## Section 4.2.1: regression of the accuracy drop

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
    return verdicts.encodings(scores, tables["differences"]), text


def _sides(differences: pd.DataFrame) -> str:
    """How many estimators predict better from unrolled topometrics, how many worse; or nothing."""
    if not len(differences):
        return ""
    keys = ["kind", "stratum", "than"]
    part = differences[differences["than"].isin(list(verdicts.OTHERS))]
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


def importance(tables: dict[str, pd.DataFrame]) -> tuple[str, str]:
    """Section 4.2.2."""
    table = tables["importance"]
    inflation = tables["collinearity"]
    overall = inflation[inflation["kind"] == "overall"]
    method = "trees permutation"
    top = table[(table["method"] == method) & (table["rank"] <= 3)]
    # A metric whose interval reaches 0 is not counted among the first three.
    top = top[top["low"] > 0]
    firsts = top.sort_values(["kind", "stratum", "rank"]).groupby(["kind", "stratum"], sort=False)
    listed = {key: ", ".join(part["metric"]) for key, part in firsts}
    alike = tables["differences"]
    common = tables["agreement"].groupby(["kind", "method"])["common_of_five"].mean()
    alike = alike.assign(
        difference=[with_interval(*v) for v in alike[["difference", "low", "high"]].values]
    )[["kind", "method", "strata", "between", "expected", "difference"]]
    alike = alike.join(common, on=["kind", "method"])
    tops = pd.DataFrame(
        [
            {"kind": k, "stratum": s, "of the first three, above 0": v}
            for (k, s), v in listed.items()
        ]
    )
    main = table[(table["kind"] == "overall")].assign(
        value=lambda t: [with_interval(*v) for v in t[["importance", "low", "high"]].values]
    )
    main = main.pivot(index="metric", columns="method", values="value")
    main = main.reindex(index=overall["metric"], columns=list(dict.fromkeys(table["method"])))
    main = main.reset_index().merge(
        overall[["metric", "variance_inflation", "closest", "r_with_closest"]], on="metric"
    )
    text = f"""## Section 4.2.2: importance of the unrolled topometrics

Over the folds of 5-fold cross-validation repeated 4 times (the middle 95 % of the folds in
brackets), on the networks that have every unrolled topometric. Coefficients are of standardised
metrics on the standardised drop; permutation importance is the loss of R2: the squared error gained
on the test part by the variance of the drop in the stratum; Shapley importance the mean modulus of
the Shapley values by the standard deviation of the drop. Metrics that carry the same information
share importance arbitrarily: read a metric with a variance inflation far above 10 together with the
closest other one, and its coefficient not at all.

All networks:

{markdown(main, DIGITS)}

Largest permutation importance (trees) by stratum, of the first three those whose interval is
above 0:

{markdown(tops)}

How alike importance is between strata (`between`: mean Spearman correlation between a half of the
networks of one stratum and a half of another's), and how alike it would be if the strata were
(`expected`: the geometric mean of the correlations between the halves of each, as for the
attenuation of correlations by noise). Halves share no configuration. The interval (95 %) of the
difference is Student's, by leaving out one stratum each (jackknife): wide where they are few, none
for two. Last, how many metrics are among the first five in both of two strata, all networks. The
claim is that the differences by sparsity and by model are below 0:

{markdown(alike, DIGITS)}

All strata: [importance/importance.csv](importance/importance.csv),
[importance/agreement.csv](importance/agreement.csv),
[importance/halves.csv](importance/halves.csv),
[importance/differences.csv](importance/differences.csv),
[importance/collinearity.csv](importance/collinearity.csv)."""
    return verdicts.importance(tables["differences"], inflation), text


def ranking(tables: dict[str, pd.DataFrame]) -> tuple[str, str]:
    """Section 4.2.3."""
    summary = tables["summary"]
    shown = summary.pivot_table(
        index=["predictor", "score"], columns="sparsity", values="tau", sort=False
    )
    one_dataset = tables["cells"]["dataset"].nunique() < 2
    learned = (
        "the other models only, at all sparsities, for want of another dataset"
        if one_dataset
        else "the other datasets only, at the same sparsity"
    )
    overlap = summary[summary["sparsity"] == "all"].set_index(["predictor", "score"])
    shown = shown.join(overlap[["rbo", "rbo_of_chance"]]).reset_index()
    text = f"""## Section 4.2.3: ranking the pruners

Kendall's tau-b with the ranking by accuracy by sparsity and over all, means over the cells (model
and dataset), and rank-biased overlap (p = 0.9) beside that of a random ranking. The direction of
a metric and the weights of a mixture (ridge regression of deviations from the cell's mean) come
from {learned}; `larger is better` is a Ramanujan metric as proposed. A score that
is the same for all pruners has tau 0. The claim is about the difference in tau against every
Ramanujan score, their mixture included. Intervals (95 %) are Student's of the mean over cells;
cells are taken for independent, though those of one model or dataset have much in common.

{markdown(shown, DIGITS)}

All cells: [ranking/cells.csv](ranking/cells.csv); intervals:
[ranking/summary.csv](ranking/summary.csv); differences:
[ranking/differences.csv](ranking/differences.csv)."""
    return verdicts.ranking(summary, tables["differences"]), text


def sensitivity(tables: dict[str, pd.DataFrame]) -> tuple[str, str]:
    """Section on the faults of the released data."""
    scores = tables["scores"]
    changed = scores[scores["variant"] != AS_GIVEN]
    wide = changed.assign(
        value=[with_interval(*v) for v in changed[["change", "change_low", "change_high"]].values]
    ).pivot_table(
        index=["kind", "stratum", "estimator"],
        columns="variant",
        values="value",
        aggfunc="first",
        sort=False,
    )
    given = scores[scores["variant"] == AS_GIVEN].set_index(["kind", "stratum", "estimator"])["r2"]
    wide = wide.join(given.rename("R2 as given")).reset_index()
    text = f"""## Sensitivity: motif estimate, phantom nodes, trained weights

The regression on all unrolled topometrics again, on the same networks and folds, without the motif
count, which is a random estimate in the released CSVs, and with the phantom sink and source nodes
of the published wiring subtracted (ResNets only). Change of R2, with its interval. Only the counts
of sinks and sources can be corrected from the CSVs: the edges and neighbourhoods of phantoms stay
in the other metrics. The phantoms depend on the model alone where a network is not very sparse, so
they also tell predictors which model a row belongs to. The weighted metrics (strength, spectral gap
and radius) are of trained weights, so they may know how training went, which topology at
initialisation cannot.

{markdown(wide, DIGITS)}

All scores: [sensitivity/scores.csv](sensitivity/scores.csv)."""
    return verdicts.faults(scores, AS_GIVEN), text


def carried(tables: dict[str, pd.DataFrame]) -> tuple[str, str]:
    """What carries over from the released data."""
    both = tables["comparisons"]
    shown = both.assign(
        here=[with_interval(*v) for v in both[["here", "low", "high"]].values],
        there=[with_interval(*v) for v in both[["there", "there_low", "there_high"]].values],
    )[["claim", "comparison", "here", "there", "outcome"]]
    text = f"""## What carries over from the released data

Every comparison that decides a claim (4.1: modulus of the correlation with accuracy, metric less
density; a: R2 of unrolled topometrics less R2 of another encoding, all networks; b: agreement of
importance between strata less that expected of strata that are alike; c: Kendall's tau of the
mixture of unrolled topometrics less that of a Ramanujan score, all sparsities), here and on the
released data (graph_data/paper_results). It carries over if both intervals (95 %) are on the same
side of 0, and is reversed if they are on opposite sides; `open here`, `open there`: 0 is in the
interval of these or of the released data only; `open`: in both. Open is not reversed: fewer
networks make wider intervals. Besides models, datasets and sparsities these differ: the released
unrolled graphs have the published wiring, with its phantom nodes; their dense accuracy is the best
of any network, for want of dense ones; and where there is one dataset here, mixtures are learned
on other models instead of other datasets.

Verdicts on the comparisons that both have, and numbers of these:

{markdown(tables["claims"], DIGITS)}

{markdown(shown, DIGITS)}

Both tables: [carried/claims.csv](carried/claims.csv),
[carried/comparisons.csv](carried/comparisons.csv)."""
    return "", text


PARTS = {
    "accuracy": accuracy,
    "correlation": correlation,
    "regression": regression,
    "importance": importance,
    "ranking": ranking,
    "sensitivity": sensitivity,
    "carried": carried,
}


def _data(networks: Networks, options: argparse.Namespace) -> list[str]:
    runs = networks.runs
    named = [
        f"{len(values)} {what}{'s' if len(values) > 1 else ''} ({', '.join(map(str, values))})"
        for what, values in (
            ("model", sorted(runs["model"].unique())),
            ("dataset", sorted(runs["dataset"].unique())),
            ("pruner", sorted(runs["pruning"].unique())),
        )
    ]
    sparsities = ", ".join(f"{value:g}" for value in sorted(runs["sparsity"].unique()))
    drop = {
        "relative": "(dense accuracy - accuracy) / dense accuracy",
        "absolute": "dense accuracy - accuracy",
    }
    layers = {"mean": "by their mean", "weighted": "weighted by parameters"}
    complete = len(networks.complete().runs)
    lines = [
        f"{len(runs)} networks: {', '.join(named)}, sparsities {sparsities}. {complete} of them "
        "have every predictor defined; comparisons between predictors use these. Wiring of the "
        f"unrolled graphs: {networks.wiring}. Accuracy drop: {drop[options.drop]}; layer metrics "
        f"aggregated {layers[options.aggregation]}; seed {options.seed}.",
    ]
    if networks.notes:
        lines += ["", *(f"- {note}" for note in networks.notes)]
    undefined = networks.undefined()
    if len(undefined):
        lines += ["", LEFT_OUT, "", markdown(undefined)]
    return lines
