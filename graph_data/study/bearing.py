"""What networks cannot carry a verdict on, and why: then the study refuses to say one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from datasets import DATASETS

from .claims import CLAIMS
from .networks import Networks
from .wording import Tables

REFUSED = "no verdict"

FITTED = tuple(name for name in CLAIMS if name != "4.1")
"""Claims whose comparisons are of models that are fitted to many metrics."""

R2 = {"a, bipartite topometrics": "added", "a, Ramanujan metrics": "added", "b": "regression"}
"""Claims on predictions, and the section that says how good the best of these are."""

DEVIATIONS = 3
"""Standard deviations of a guess's accuracy, within which a network is no better than a guess."""

UNKNOWN_IMAGES = 1000
"""Test images, where accuracies do not tell how many there were."""


def refusals(networks: Networks, tables: Mapping[str, Tables]) -> dict[str, str]:
    """Claims that the networks cannot carry a verdict on.

    Parameters
    ----------
    networks : Networks
    tables : mapping of str to dict of str to pandas.DataFrame
        Of the study, by section and name.

    Returns
    -------
    dict of str to str
        By name of the claim what is said in place of a verdict: "no verdict: " and the reason.
    """
    found: dict[str, str] = {}
    for names, reason in _reasons(networks, tables):
        for name in names:
            found.setdefault(name, f"{REFUSED}: {reason}")
    return found


def _reasons(
    networks: Networks, tables: Mapping[str, Tables]
) -> Iterator[tuple[tuple[str, ...], str]]:
    guesses = int(guessing(networks.runs).sum())
    if 2 * guesses > len(networks.runs):
        yield (
            tuple(CLAIMS),
            f"{guesses} of {len(networks.runs)} networks are no better than a guess",
        )
    compared = networks.complete()
    configurations = len(np.unique(compared.configurations))
    metrics = max((len(table.columns) for table in compared.features.values()), default=0)
    if configurations < metrics:
        yield FITTED, f"{configurations} configurations are fewer than the {metrics} metrics"
    for claim, section in R2.items():
        scores = tables.get(section, {}).get("scores", pd.DataFrame())
        if "level" in scores:
            scores = scores[scores["level"] == "joint"]
        if len(scores) and (scores["r2"].dropna() < 0).all():
            yield (claim,), "every R2 is below 0, so that nothing is predicted"


def guessing(runs: pd.DataFrame) -> pd.Series:
    """Which networks are no better than a guess among the classes of their data set.

    Parameters
    ----------
    runs : pandas.DataFrame
        Columns dataset, accuracy, test_images.

    Returns
    -------
    pandas.Series of bool
        False where the number of classes is unknown.
    """
    classes = runs["dataset"].map({name: kind.classes for name, kind in DATASETS.items()})
    chance = 1 / classes.astype(float)
    images = runs["test_images"].fillna(UNKNOWN_IMAGES)
    return runs["accuracy"] <= chance + DEVIATIONS * np.sqrt(chance * (1 - chance) / images)


def applied(tables: Mapping[str, Tables], refused: Mapping[str, str]) -> dict[str, Tables]:
    """The tables with what is refused in place of the verdicts that they hold.

    Parameters
    ----------
    tables : mapping of str to dict of str to pandas.DataFrame
    refused : mapping of str to str
        From `refusals`.

    Returns
    -------
    dict of str to dict of str to pandas.DataFrame
    """
    found = {section: dict(kinds) for section, kinds in tables.items()}
    for section, kind, column in (
        ("subsets", "verdicts", "verdict"),
        ("carried", "claims", "here"),
    ):
        table = found.get(section, {}).get(kind)
        if table is not None and refused:
            said = table["claim"].map(refused)
            found[section][kind] = table.assign(**{column: said.fillna(table[column])})
    return found


def said(text: str, refused: Mapping[str, str]) -> str:
    """A section's verdicts with what is refused in place of them; the numbers stay."""
    for name, reason in refused.items():
        start = f"**{CLAIMS[name].text}: "
        before, found, after = text.partition(start)
        if found:
            text = f"{before}{start}{reason}.**{after.partition('.**')[2]}"
    return text
