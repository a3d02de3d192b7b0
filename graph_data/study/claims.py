"""The paper's claims, and by which rule the intervals of comparisons decide each, once.

The section that a claim is about says its verdict, with the numbers for and against it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from graph_data.markdown import markdown
from graph_data.measured import RAMANUJAN

from .predictors import BIPARTITE
from .wording import Tables

RULES = (
    "A claim that one thing is better than another holds if the intervals of all comparisons "
    "are on that side of 0, in part if some are, does not hold if none is and some are on the "
    "other side, and is not shown if 0 is in all of them. The claim that it is no better "
    "(section 4.1) holds if no interval is above 0 and some are below, in part if there are "
    "both, does not hold if there are only such above, and is not contradicted if 0 is in all "
    "of them. The intervals that decide are the clustered ones: networks of one model and data "
    "set are drawn together. With fewer than 6 such clusters there are none: then those that take "
    "configurations for independent decide, and say nothing of other models and data sets. "
    "One interval in twenty misses 0 by chance alone, so that a verdict by one comparison of many "
    "says little."
)
OTHERS = (*BIPARTITE, RAMANUJAN)

NOTHING, DATASET, EACH, CELL = (
    "nothing",
    "data set",
    "data set, model, sparsity",
    "data set x model x sparsity",
)
"""What may be known of a network beside its topology."""


class Evidence(NamedTuple):
    """What decides a claim.

    Attributes
    ----------
    section, table : str
        Whose rows are the comparisons, with intervals in the columns low and high, cluster_low and
        cluster_high.
    about : callable
        The rows of the table that the claim is about.
    """

    section: str
    table: str
    about: Callable[[pd.DataFrame], pd.DataFrame]

    def comparisons(self, table: pd.DataFrame | None) -> pd.DataFrame:
        """The rows of the table that the claim is about and that have an interval."""
        if table is None or not len(table):
            return pd.DataFrame()
        return self.about(table[table["low"].notna()])


class Claim(NamedTuple):
    """A claim.

    Attributes
    ----------
    text : str
    paper : str
        As the paper states it.
    evidence : Evidence
        What decides it; of regressions with the data set known.
    keys : list of str
        Columns that name a comparison.
    value : str
        Column of the difference.
    rule : callable
        The verdict on comparisons by their columns low and high.
    plain : Evidence, optional
        The comparisons with nothing known, as the paper makes them. None: the same.
    """

    text: str
    paper: str
    evidence: Evidence
    keys: list[str]
    value: str
    rule: Callable[[pd.DataFrame], str]
    plain: Evidence | None = None

    @property
    def section(self) -> str:
        """Of the evidence."""
        return self.evidence.section

    @property
    def table(self) -> str:
        """Of the evidence."""
        return self.evidence.table

    def comparisons(self, table: pd.DataFrame | None) -> pd.DataFrame:
        """The rows of the evidence's table that the claim is about and that have an interval."""
        return self.evidence.comparisons(table)

    def verdict(self, compared: pd.DataFrame) -> str:
        """By the clustered intervals, or where clusters are too few by the others."""
        clustered = of_clusters(compared)
        if len(clustered):
            return self.rule(clustered)
        return f"{self.rule(compared)}, of these models and data sets alone"


def of_clusters(compared: pd.DataFrame) -> pd.DataFrame:
    """The comparisons with their clustered intervals in the columns low and high, if all have."""
    if not len(compared) or "cluster_low" not in compared or compared["cluster_low"].isna().any():
        return pd.DataFrame()
    return compared.assign(low=compared["cluster_low"], high=compared["cluster_high"])


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


def _overall(*others: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda found: found[(found["kind"] == "overall") & found["than"].isin(others)]


def _known(*others: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda found: found[(found["known"] == EACH) & found["than"].isin(others)]


def _of_strata(differences: pd.DataFrame) -> pd.DataFrame:
    return differences[differences["kind"].isin(["sparsity", "model"])]


def _against_ramanujan(differences: pd.DataFrame) -> pd.DataFrame:
    of_all = differences["sparsity"].astype(str) == "all"
    return differences[of_all & (differences["predictor"] == RAMANUJAN)]


MUCH_BETTER = (
    "topometrics of the multipartite graph are much better predictors of the accuracy drop than "
    "what is computed from bipartite graphs"
)
CLAIMS = {
    "4.1": Claim(
        "Ramanujan metrics are no better predictors of accuracy than layer density (section 4.1)",
        "Ramanujan metrics are only as good predictors as the density of layers",
        Evidence("correlation", "summary", lambda table: table),
        ["metric", "method", "scope"],
        "mean_difference",
        difference_not_above,
    ),
    "a, bipartite topometrics": Claim(
        "Claim a, with data set, model and sparsity known topometrics of the multipartite graph "
        "predict the accuracy drop better than those of bipartite graphs (section 4.2.1)",
        f"{MUCH_BETTER}: topometrics",
        Evidence("added", "differences", _known(*BIPARTITE)),
        ["estimator", "than"],
        "difference",
        difference_above,
        Evidence("regression", "differences", _overall(*BIPARTITE)),
    ),
    "a, Ramanujan metrics": Claim(
        "Claim a, with data set, model and sparsity known topometrics of the multipartite graph "
        "predict the accuracy drop better than Ramanujan metrics (section 4.2.1)",
        f"{MUCH_BETTER}: Ramanujan metrics",
        Evidence("added", "differences", _known(RAMANUJAN)),
        ["estimator", "than"],
        "difference",
        difference_above,
        Evidence("regression", "differences", _overall(RAMANUJAN)),
    ),
    "b": Claim(
        "Claim b, different metrics matter at different sparsities and for different models "
        "(section 4.2.2)",
        "which metrics matter depends on the sparsity and on the architecture",
        Evidence("importance", "differences", _of_strata),
        ["kind", "method"],
        "difference",
        difference_below,
    ),
    "c": Claim(
        "Claim c, a mixture of topometrics ranks pruners better than Ramanujan metrics "
        "(section 4.2.3)",
        "a mixture of topometrics ranks pruners better than Ramanujan metrics",
        Evidence("ranking", "differences", _against_ramanujan),
        ["score"],
        "difference",
        difference_above,
    ),
}


def summary(tables: Mapping[str, Tables], refused: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Claim by claim: as the paper states it, the one verdict, and the comparisons it rests on.

    Parameters
    ----------
    tables : mapping of str to dict of str to pandas.DataFrame
        Of a study, by section and name.
    refused : mapping of str to str, optional
        From `bearing.refusals`: what is said in place of a verdict.

    Returns
    -------
    pandas.DataFrame
        One row a claim of which there is evidence.
    """

    def found(evidence: Evidence) -> pd.DataFrame:
        return evidence.comparisons(tables.get(evidence.section, {}).get(evidence.table))

    rows = []
    for name, claim in CLAIMS.items():
        compared = found(claim.evidence)
        if not len(compared):
            continue
        plain = found(claim.plain) if claim.plain else compared
        rows.append(
            {
                "claim": name,
                "as the paper states it": claim.paper,
                "verdict": (refused or {}).get(name) or claim.verdict(compared),
                "as the paper compares": _counted(plain),
                "with the data set known": _counted(compared) if claim.plain else "the same",
                "clustered": _counted(of_clusters(compared)) or "too few clusters",
            }
        )
    return pd.DataFrame(rows)


def text(tables: Mapping[str, Tables], refused: Mapping[str, str] | None = None) -> str:
    """The table of `summary` in Markdown, with what its columns are; or nothing."""
    table = summary(tables, refused)
    if not len(table):
        return ""
    return f"""{markdown(table)}

In the last three columns is how many comparisons are above 0 and below it with their interval:
first as the paper makes them, with nothing known of a network beside its metrics; then with data
set, model and sparsity known to both sides (`the same` where they are compared within these
anyway); last of the same with the networks of one model and data set drawn together. The last
decides the verdict, or for want of clusters the one before."""


def tables_of(folder: str | Path) -> dict[str, Tables]:
    """The tables of a study that decide the claims.

    Parameters
    ----------
    folder : str or Path
        Its ``--output-dir``.

    Returns
    -------
    dict of str to dict of str to pandas.DataFrame
        By section and name; without those that are not there.
    """
    found: dict[str, Tables] = {}
    for claim in CLAIMS.values():
        for evidence in (claim.evidence, claim.plain or claim.evidence):
            file = Path(folder) / evidence.section / f"{evidence.table}.csv"
            if file.exists():
                found.setdefault(evidence.section, {})[evidence.table] = pd.read_csv(file)
    return found


def _counted(compared: pd.DataFrame) -> str:
    """On which side of 0 comparisons are; nothing of no comparison."""
    if not len(compared):
        return ""
    above, below = int((compared["low"] > 0).sum()), int((compared["high"] < 0).sum())
    return f"{above} above, {below} below, of {len(compared)}"
