"""The paper's study: what topometrics say about accuracy, from result CSVs to tables and plots.

Run as ``python -m graph_data.study``. A section of the study is a file. To add one, write
``graph_data/study/<name>.py`` with

``tasks(networks, seed) -> list``
    What is to be computed, as joblib's delayed calls; none where the data do not allow the section.
``collect(results) -> dict of str to pandas.DataFrame``
    The section's tables by name, from the results of its tasks; empty if they say nothing.

and, where there is something to say or to show,

``text(tables) -> str``
    Its part of the report, in Markdown.
``verdict(tables) -> str``
    A sentence on one of the paper's `claims`, or nothing; several as items of a Markdown list.
``plot(tables) -> matplotlib.figure.Figure``
    Its plot, ``study_<name>.png`` and ``.svg``.

and give it a line in `SECTIONS`.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

SECTIONS = {
    "accuracy": "graph_data.study.accuracy",
    "paper": "graph_data.study.paper",
    "correlation": "graph_data.study.correlation",
    "added": "graph_data.study.added",
    "regression": "graph_data.study.regression",
    "importance": "graph_data.study.importance",
    "ranking": "graph_data.study.ranking",
    "sensitivity": "graph_data.study.sensitivity",
    "subsets": "graph_data.study.subsets",
    "further": "graph_data.study.further",
    "in_time": "graph_data.study.in_time",
}
"""Modules of the sections that are computed from networks, in the order of the report."""

COMPARISONS = {"carried": "graph_data.study.carried"}
"""Modules of the sections that have ``compare(here, there)``, with the tables of two studies, in
place of ``tasks`` and ``collect``. They come first in the report."""


def section(name: str) -> ModuleType:
    """The module of a section.

    Parameters
    ----------
    name : str
        Of `SECTIONS` or `COMPARISONS`.

    Returns
    -------
    module
    """
    return import_module((SECTIONS | COMPARISONS)[name])
