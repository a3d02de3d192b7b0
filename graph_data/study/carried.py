"""What carries over: the comparisons of the paper's claims beside those on the released data."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from .verdicts import CLAIMS

Tables = dict[str, dict[str, pd.DataFrame]]

COLUMNS = ["claim", "comparison", "here", "low", "high", "there", "there_low", "there_high"]
OUTCOMES = ["carries over", "reversed", "open here", "open there", "open"]


def tables_of(folder: str | Path) -> Tables:
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
    found: Tables = {}
    for claim in CLAIMS.values():
        file = Path(folder) / claim.section / f"{claim.table}.csv"
        if file.exists():
            found.setdefault(claim.section, {})[claim.table] = pd.read_csv(file)
    return found


def compare(here: Tables, there: Tables) -> dict[str, pd.DataFrame]:
    """Two studies, claim by claim.

    Parameters
    ----------
    here, there : dict of str to dict of str to pandas.DataFrame
        Tables by section and name.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``claims``: the verdicts on every claim by the comparisons that both have, and how many of
        these have which outcome. ``comparisons``: one row a comparison, with the difference and its
        interval in both, and the outcome. Empty if they have nothing in common.
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
        ours, theirs = (table.loc[keys, [claim.value, "low", "high"]] for table in (ours, theirs))
        verdicts.append({"claim": name, "here": claim.rule(ours), "there": claim.rule(theirs)})
        for key, mine, others in zip(keys, ours.to_numpy(), theirs.to_numpy()):
            named = key if isinstance(key, str) else ", ".join(key)
            rows.append(dict(zip(COLUMNS, [name, named, *mine, *others])))
    if not rows:
        return {}
    table = pd.DataFrame(rows)
    table["outcome"] = [
        outcome(_side(row.low, row.high), _side(row.there_low, row.there_high))
        for row in table.itertuples()
    ]
    counts = pd.crosstab(table["claim"], table["outcome"]).reindex(columns=OUTCOMES, fill_value=0)
    return {
        "claims": pd.DataFrame(verdicts).join(counts, on="claim"),
        "comparisons": table,
    }


def outcome(here: int, there: int) -> str:
    """Of `OUTCOMES`, from the side of 0 on which each interval lies; 0: it has 0 in it."""
    if here and there:
        return "carries over" if here == there else "reversed"
    if there:
        return "open here"
    return "open there" if here else "open"


def _side(low: float, high: float) -> int:
    return int(low > 0) - int(high < 0)
