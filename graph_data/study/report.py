"""The report of the study: a table of claims, then each section's tables and plot, then numbers."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from graph_data.markdown import markdown

from . import bearing, claims, section
from .networks import Networks
from .wording import Tables

LEFT_OUT = (
    "Networks with an undefined predictor, by pruner and sparsity. They are no random sample: what "
    "comparisons between predictors find is not found of them."
)


def write(
    networks: Networks,
    tables: dict[str, Tables],
    options: argparse.Namespace,
    plots: Mapping[str, str],
    refused: Mapping[str, str],
) -> str:
    """The report.

    Parameters
    ----------
    networks : Networks
    tables : dict of str to dict of str to pandas.DataFrame
        By section and name, in the order of the report.
    options : argparse.Namespace
        The command line, for what was chosen.
    plots : mapping of str to str
        Where the plot of a section is, seen from the report.
    refused : mapping of str to str
        From `bearing.refusals`.

    Returns
    -------
    str
        Markdown.
    """
    skipped = [name for name, found in tables.items() if not found]
    lines = ["# Study: what topometrics say about accuracy"]
    if table := claims.text(tables, refused):
        lines += ["", "## The paper's claims", "", table, "", claims.RULES]
    lines += ["", "## The data", "", *_data(networks, options)]
    if skipped:
        lines += ["", f"Not computed, for lack of data: {', '.join(skipped)}."]
    for name, text in _of_sections(tables, "text").items():
        lines += ["", text]
        if name in plots:
            lines += ["", f"![{text.partition(chr(10))[0].lstrip('# ')}]({plots[name]})"]
    if verdicts := _of_sections(tables, "verdict"):
        said = (bearing.said(verdict, refused) for verdict in verdicts.values())
        lines += ["", "## The numbers behind the verdicts", "", *(f"- {text}" for text in said)]
    return "\n".join(lines) + "\n"


def _of_sections(tables: dict[str, Tables], part: str) -> dict[str, str]:
    """What the sections that have tables, and this part, say."""
    parts = {name: (getattr(section(name), part, None), found) for name, found in tables.items()}
    return {
        name: said for name, (say, found) in parts.items() if found and say and (said := say(found))
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
    baseline = " or ".join(sorted(runs["baseline"].unique()))
    drop = {
        "relative": f"({baseline} - accuracy) / {baseline}",
        "absolute": f"{baseline} - accuracy",
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
