"""The paper's claims, and by which rule the intervals of comparisons decide each.

The section that a claim is about says its verdict, with the numbers for and against it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from graph_data.measured import RAMANUJAN

from .networks import BIPARTITE
from .wording import Tables

RULES = (
    "A claim that one thing is better than another holds if the intervals of all comparisons "
    "are on that side of 0, in part if some are, does not hold if none is and some are on the "
    "other side, and is not shown if 0 is in all of them. The claim that it is no better "
    "(section 4.1) holds if no interval is above 0 and some are below, in part if there are "
    "both, does not hold if there are only such above, and is not contradicted if 0 is in all "
    "of them. One interval in twenty misses 0 by chance alone, so that a verdict by one comparison "
    "of many says little."
)
OTHERS = (*BIPARTITE, RAMANUJAN)


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
    return differences[of_all & (differences["predictor"] == RAMANUJAN)]


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
        file = Path(folder) / claim.section / f"{claim.table}.csv"
        if file.exists():
            found.setdefault(claim.section, {})[claim.table] = pd.read_csv(file)
    return found
