"""What carries over: the comparisons of the paper's claims beside those on the released data."""

from __future__ import annotations

import pandas as pd

from graph_data.markdown import markdown

from .claims import CLAIMS
from .wording import DIGITS, Tables, with_intervals

COLUMNS = ["claim", "comparison", "interval"]
COLUMNS += ["here", "low", "high", "there", "there_low", "there_high"]
KINDS = {"configurations": ("low", "high"), "clustered": ("cluster_low", "cluster_high")}
"""Kinds of interval, and their columns: like is compared with like."""
OUTCOMES = ["carries over", "reversed", "open here", "open there", "open"]


def compare(here: dict[str, Tables], there: dict[str, Tables]) -> Tables:
    """Two studies, claim by claim.

    Parameters
    ----------
    here, there : dict of str to dict of str to pandas.DataFrame
        Tables by section and name.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``claims``: the verdicts on every claim by the comparisons that both have, and how many of
        these have which outcome; once by each of `KINDS` of interval that both have.
        ``comparisons``: one row a comparison and kind, with the difference and its interval in
        both, and the outcome. Empty if they have nothing in common.
    """
    rows, verdicts = [], []
    for name, claim in CLAIMS.items():
        ours, theirs = (
            claim.comparisons(study.get(claim.section, {}).get(claim.table))
            for study in (here, there)
        )
        if not len(ours) or not len(theirs):
            continue
        ours, theirs = (table.set_index(claim.keys) for table in (ours, theirs))
        keys = ours.index.intersection(theirs.index, sort=False)
        if not len(keys):
            continue
        for kind, ends in KINDS.items():
            both = [_ends(table.loc[keys], claim.value, ends) for table in (ours, theirs)]
            known = both[0].notna().all(axis=1) & both[1].notna().all(axis=1)
            if not known.any():
                continue
            mine, others = (table[known] for table in both)
            label = {"claim": name, "interval": kind}
            verdicts.append(label | {"here": claim.rule(mine), "there": claim.rule(others)})
            for key, one, other in zip(keys[known], mine.to_numpy(), others.to_numpy()):
                named = key if isinstance(key, str) else ", ".join(key)
                rows.append(dict(zip(COLUMNS, [name, named, kind, *one, *other])))
    if not rows:
        return {}
    table = pd.DataFrame(rows)
    table["outcome"] = [
        outcome(_side(row.low, row.high), _side(row.there_low, row.there_high))
        for row in table.itertuples()
    ]
    counts = pd.crosstab([table["claim"], table["interval"]], table["outcome"])
    counts = counts.reindex(columns=OUTCOMES, fill_value=0)
    return {
        "claims": pd.DataFrame(verdicts).join(counts, on=["claim", "interval"]),
        "comparisons": table,
    }


def text(tables: Tables) -> str:
    """What carries over from the released data."""
    both = tables["comparisons"]
    shown = both.assign(
        here=with_intervals(both, "here", "low", "high"),
        there=with_intervals(both, "there", "there_low", "there_high"),
    )[["claim", "comparison", "interval", "here", "there", "outcome"]]
    return f"""## What carries over from the released data

Every comparison that decides a claim (4.1: modulus of the correlation with accuracy, metric less
density; a: R2 with unrolled topometrics less R2 with other metrics, all networks, data set, model
and sparsity known; b: agreement of importance between strata less that expected of strata that are
alike; c: Kendall's tau of the mixture of unrolled topometrics less that of a Ramanujan score, all
sparsities), here and on the released data (graph_data/paper_results). It carries over if both
intervals (95 %) are on the same side of 0, and is reversed if they are on opposite sides;
`open here`, `open there`: 0 is in the interval of these or of the released data only; `open`: in
both. Open is not reversed: fewer networks make wider intervals. Like is compared with like:
intervals of configurations (of rankings, cells) with such, clustered ones with such where both
studies have them. Besides models, datasets and sparsities these differ: the released unrolled
graphs have the published wiring, with its phantom nodes; their accuracy drop is from the best
sparse network, for want of dense ones; and where there is one dataset here, mixtures are learned on
other models instead of other datasets.

Verdicts on the comparisons that both have, and numbers of these:

{markdown(tables["claims"], DIGITS)}

{markdown(shown, DIGITS)}

Both tables: [carried/claims.csv](carried/claims.csv),
[carried/comparisons.csv](carried/comparisons.csv)."""


def outcome(here: int, there: int) -> str:
    """Of `OUTCOMES`, from the side of 0 on which each interval lies; 0: it has 0 in it."""
    if here and there:
        return "carries over" if here == there else "reversed"
    if there:
        return "open here"
    return "open there" if here else "open"


def _ends(table: pd.DataFrame, value: str, ends: tuple[str, str]) -> pd.DataFrame:
    """Difference and interval of one kind, as a rule reads them; NaN where there is none."""
    own = ends[0].replace("low", value)  # importance differs between halves of either kind
    columns = [own if own in table else value, *ends]
    return table.reindex(columns=columns).set_axis([value, "low", "high"], axis=1)


def _side(low: float, high: float) -> int:
    return int(low > 0) - int(high < 0)
