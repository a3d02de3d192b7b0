"""What changes without the rows that are in doubt?

Regression and rankings again without the pruners whose networks are not of the sparsity that they
are said to be, and without the data sets on which pruners were tested on different images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from joblib import delayed

from graph_data.markdown import markdown
from graph_data.measured import ACHIEVED

from . import added, ranking
from .claims import CLAIMS, DATASET, EACH, NOTHING
from .networks import CELL, Networks
from .scoring import ENDS
from .wording import BOTH, DIGITS, Tables, with_both_intervals

ALL = "all networks"
SECTIONS = {"added": added, "ranking": ranking}
OFF = 0.01
"""By what share what is kept (mean of seeds) may be off what the stated sparsity keeps."""


def subsets(networks: Networks) -> dict[str, np.ndarray]:
    """Members of all networks and of those without doubtful ones, by name.

    Parameters
    ----------
    networks : Networks

    Returns
    -------
    dict of str to numpy.ndarray
        Boolean vectors; empty where nothing is in doubt.
    """
    runs = networks.runs
    kept = (1 - runs[ACHIEVED]).groupby([runs[name] for name in (*CELL, "pruning")]).mean()
    off = (kept / (1 - kept.index.get_level_values("sparsity")) - 1).abs() > OFF
    images = runs.groupby(["model", "dataset"])["test_images"].nunique()
    doubtful = {
        "pruning": sorted(set(off.index[off].get_level_values("pruning"))),
        "dataset": sorted(set(images.index[images > 1].get_level_values("dataset"))),
    }
    found = {
        f"without {', '.join(values)}": ~runs[column].isin(values).to_numpy()
        for column, values in doubtful.items()
        if values and not runs[column].isin(values).all()
    }
    return {ALL: np.ones(len(runs), dtype=bool)} | found if found else {}


def tasks(networks: Networks, seed: int) -> list:
    """Those of `SECTIONS` for each of `subsets`."""
    found = []
    for subset, members in subsets(networks).items():
        for name, section in SECTIONS.items():
            for function, args, _ in section.tasks(networks.take(members), seed):
                found.append(delayed(_labelled)(subset, name, function, args))
    return found


def _labelled(subset: str, section: str, function: Callable, args: tuple) -> tuple:
    return subset, section, function(*args)


def collect(results: Sequence[tuple[str, str, object]]) -> dict[str, pd.DataFrame]:
    """Tables from the results of `tasks`.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``comparisons``: one row a subset, claim and comparison, with its intervals. ``verdicts``:
        what these say. ``scores``: R2 by what is known, estimator and predictor. ``rankings``: mean
        tau of each mixture and Ramanujan score, all sparsities.
    """
    named: dict[tuple[str, str], list] = {}
    for subset, section, result in results:
        named.setdefault((subset, section), []).append(result)
    tables = {key: SECTIONS[key[1]].collect(found) for key, found in named.items()}
    comparisons, verdicts, scores, rankings = [], [], [], []
    for (subset, section), found in tables.items():
        if not found:
            continue
        label = {"subset": subset}
        for name, claim in CLAIMS.items():
            if claim.section != section:
                continue
            compared = claim.comparisons(found[claim.table])
            if not len(compared):
                continue
            verdicts.append(label | {"claim": name, "verdict": claim.verdict(compared)})
            key = compared[claim.keys].agg(", ".join, axis=1)
            rows = compared[[claim.value, *ENDS]].rename(columns={claim.value: "difference"})
            comparisons.append(rows.assign(subset=subset, claim=name, comparison=key))
        if section == "added":
            scores.append(found["scores"].assign(**label))
        else:
            summary = found["summary"]
            rankings.append(summary[summary["sparsity"] == "all"].assign(**label))
    kept = {
        "comparisons": (comparisons, ["subset", "claim", "comparison", "difference", *ENDS]),
        "scores": (scores, ["subset", "known", "predictor", "estimator", "networks", "r2"]),
        "rankings": (
            rankings,
            ["subset", "predictor", "score", "cells", "tau", *(f"tau_{end}" for end in ENDS)],
        ),
    }
    joined = {
        name: pd.concat(parts, ignore_index=True)[columns]
        for name, (parts, columns) in kept.items()
        if parts
    }
    return joined | ({"verdicts": pd.DataFrame(verdicts)} if verdicts else {})


def text(tables: Tables) -> str:
    """What doubtful rows change."""
    said = """## Sensitivity: networks of another sparsity, and other test images

Regression and rankings again without the pruners that keep more or fewer weights than they say
(by more than 1 %), and without the data sets on which pruners were tested on different images."""
    if "scores" in tables:
        scores = tables["scores"]
        chosen = scores["known"].isin([NOTHING, DATASET, EACH])
        wide = scores[chosen & scores["estimator"].isin(["ols", "trees"])].pivot_table(
            index=["subset", "known", "estimator"], columns="predictor", values="r2", sort=False
        )
        said += f"\n\nR2 on configurations not seen:\n\n{markdown(wide.reset_index(), DIGITS)}"
    if "verdicts" in tables:
        verdicts = tables["verdicts"].pivot(index="claim", columns="subset", values="verdict")
        verdicts = verdicts[list(dict.fromkeys(tables["verdicts"]["subset"]))]
        both = tables["comparisons"]
        both = both.assign(value=with_both_intervals(both, "difference"))
        wide = both.pivot_table(
            index=["claim", "comparison"],
            columns="subset",
            values="value",
            aggfunc="first",
            sort=False,
        )
        said += f"""

The verdicts on each, by the comparisons below:

{markdown(verdicts.reset_index())}

The comparisons. {BOTH}

{markdown(wide.reset_index())}"""
    linked = ", ".join(f"[subsets/{name}.csv](subsets/{name}.csv)" for name in tables)
    return f"{said}\n\nAll of it: {linked}."


def verdict(tables: Tables) -> str:
    """What doubtful rows change, from ``subsets/verdicts.csv``."""
    if "verdicts" not in tables:
        return ""
    found = tables["verdicts"]
    said = [
        f"{subset}: " + "; ".join(f"{row.claim}: {row.verdict}" for row in part.itertuples())
        for subset, part in found.groupby("subset", sort=False)
    ]
    return f"**What doubtful networks change:** {'. '.join(said)}."
