"""The networks of the study: one row each, with what every encoding says about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from graph_data import measured, released
from graph_data.measured import ACHIEVED
from graph_data.tables import TableError
from graph_encoding import EXACT, PUBLISHED
from pruning import BASELINE

from . import predictors as sets
from . import rows
from .predictors import MULTIPARTITE, RUN, SPARSITY

CONFIGURATION = ["model", "dataset", "pruning", "sparsity"]
CELL = ["model", "dataset", "sparsity"]
CLUSTER = ["model", "dataset"]

MODELS = ("CONV-6", "Resnet-20", "Resnet-32", "Wide-Resnet-28-2")
PRUNERS = ("snip", "grasp", "synflow", "prospr", "uniform", "er", "erk")

AGGREGATIONS = ("mean", "weighted")
DROPS = ("relative", "absolute")


@dataclass(frozen=True)
class Networks:
    """Networks and what may predict their accuracy.

    Attributes
    ----------
    runs : pandas.DataFrame
        One row a network: the `RUN` columns (``sparsity`` as stated), ``achieved_sparsity``,
        ``accuracy``, ``test_images`` (NaN if the accuracies do not tell), ``baseline_accuracy``
        and ``baseline`` (`rows.DENSE` or `rows.BEST_SPARSE`), ``drop``, and ``nodes`` of the
        unrolled graph (NaN if not measured).
    features : dict of str to pandas.DataFrame
        For each of `predictors.registry` that is known, and the achieved sparsity, its metrics in
        the rows of `runs`; NaN where undefined or not measured. Topometrics are normalised.
    wiring : {"exact", "published"}
        Of the unrolled graphs.
    notes : tuple of str
        What was left out, in sentences.
    further : dict of str to pandas.DataFrame
        As `features`: what stands beside another predictor, without its columns.
    at_first : dict of str to pandas.DataFrame
        As `features`: of the graphs before the networks were trained, where they were measured
        then. The columns are those of `features`.
    """

    runs: pd.DataFrame
    features: dict[str, pd.DataFrame]
    wiring: str = EXACT
    notes: tuple[str, ...] = ()
    further: dict[str, pd.DataFrame] = field(default_factory=dict)
    at_first: dict[str, pd.DataFrame] = field(default_factory=dict)

    def take(self, rows: pd.Series | np.ndarray) -> Networks:
        """The networks for which a boolean vector is true."""
        keep = np.asarray(rows)
        return replace(
            self,
            runs=self.runs[keep].reset_index(drop=True),
            features={k: v[keep].reset_index(drop=True) for k, v in self.features.items()},
            further={k: v[keep].reset_index(drop=True) for k, v in self.further.items()},
            at_first={k: v[keep].reset_index(drop=True) for k, v in self.at_first.items()},
        )

    def complete(self, names: Sequence[str] | None = None) -> Networks:
        """The networks with every metric of these predictors defined; of all by default."""
        known = np.ones(len(self.runs), dtype=bool)
        for name in names or self.features:
            known &= self.features[name].notna().all(axis=1).to_numpy()
        return self.take(known)

    def undefined(self) -> pd.DataFrame:
        """Which networks lack which predictor.

        Returns
        -------
        pandas.DataFrame
            ``predictor``, ``undefined`` (its metrics, or all), ``networks`` (their number),
            ``which``: how many of each pruner and sparsity.
        """
        rows = []
        for predictor, table in self.features.items():
            missing = [
                "all" if row.all() else ", ".join(table.columns[row])
                for row in table.isna().to_numpy()
            ]
            for names, part in self.runs.groupby(missing, sort=True):
                counts = part.groupby(["pruning", "sparsity"], sort=True).size()
                which = ", ".join(f"{pruner} {s:g} ({n})" for (pruner, s), n in counts.items())
                rows.append((predictor, names, len(part), which))
        found = pd.DataFrame(rows, columns=["predictor", "undefined", "networks", "which"])
        return found[found["undefined"] != ""].reset_index(drop=True)

    @cached_property
    def configurations(self) -> np.ndarray:
        """A number for each network; equal for the seeds of one configuration."""
        return self.runs.groupby(CONFIGURATION, sort=True).ngroup().to_numpy()

    @cached_property
    def clusters(self) -> np.ndarray:
        """A number for each network; equal for those of one model and data set."""
        return self.runs.groupby(CLUSTER, sort=True).ngroup().to_numpy()

    @property
    def strata(self) -> list[tuple[str, str, np.ndarray]]:
        """Kind, name and members (boolean) of: all, each sparsity, each model, each dataset.

        Where there is one model (sparsity, dataset) only, it is all and no stratum of its own.
        """
        strata = [("overall", "all", np.ones(len(self.runs), dtype=bool))]
        for kind in ("sparsity", "model", "dataset"):
            values = self.runs[kind]
            for value in sorted(values.unique()) if values.nunique() > 1 else ():
                strata.append((kind, name_of(value), (values == value).to_numpy()))
        return strata


def load(
    folder: str | Path,
    *,
    models: Sequence[str] | None = None,
    datasets: Sequence[str] | None = None,
    pruners: Sequence[str] | None = None,
    everything: bool = False,
    wiring: str = EXACT,
    aggregation: str = "mean",
    drop: str = "relative",
    dense_accuracy: str | Path | None = None,
) -> Networks:
    """Read a folder of result CSVs.

    Parameters
    ----------
    folder : str or Path
        The released CSVs (`graph_data.fetch`), or an output folder of main.py.
    models, datasets, pruners : sequence of str, optional
        Which to take; all by default, but of the released CSVs the paper's `MODELS` and `PRUNERS`.
        Dense networks are the baseline of the others.
    everything : bool
        Take all models and pruners of the released CSVs, too, by default.
    wiring : {"exact", "published"}
        Which unrolled graphs of a project's folder to take.
    aggregation : {"mean", "weighted"}
        How Ramanujan metrics and density of the layers become one number a network: their mean,
        or weighted by the layers' numbers of parameters. Layers where a metric is undefined do
        not count.
    drop : {"relative", "absolute"}
        Accuracy drop as a share of the accuracy that it is a drop from, or as a difference.
    dense_accuracy : str or Path, optional
        CSV with columns model, dataset, accuracy. Without it drops are from the mean of the
        ``dense`` rows, or else from the best accuracy of any row of the model and dataset in the
        folder, selected or not, which is that of a sparse network.

    Returns
    -------
    Networks

    Raises
    ------
    TableError
        If a file is malformed, what is asked for is not there, or nothing is left.
    """
    of_paper = released.is_released(folder)
    if of_paper:
        wiring = PUBLISHED
        tables = released.read_all(folder)
    else:
        tables, every = measured.read_both(folder, wiring)
    features, further = sets.features(folder, tables, aggregation)

    runs = pd.concat([table[[*RUN, "accuracy"]] for table in tables.values()]).drop_duplicates()
    again = runs[runs.duplicated(RUN)]
    if len(again):
        run = ", ".join(map(str, again[RUN].iloc[0]))
        raise TableError(f"{folder}: two files give this run different accuracies: {run}")
    everyone = runs
    for column, wanted, usual in (
        ("model", models, MODELS),
        ("dataset", datasets, None),
        ("pruning", pruners, PRUNERS),
    ):
        known = sorted(runs[column].unique())
        for name in wanted or ():
            if name not in known:
                raise TableError(f"{folder}: no {column} {name!r}; it has {', '.join(known)}")
        # Dense networks are the baseline, not a way to prune.
        found = [name for name in known if name != BASELINE]
        chosen = wanted or (usual if of_paper and usual and not everything else found)
        runs = runs[runs[column].isin(chosen)]
    if not len(runs):
        raise TableError(
            f"{folder}: no network of the paper's models and pruners; --all takes what there is"
            if of_paper
            else f"{folder}: no pruned network of these models and datasets: dense ones, if any, "
            "are what the others are compared with"
        )
    runs = runs.sort_values(RUN, ignore_index=True)
    runs[ACHIEVED] = rows.achieved(tables, runs)
    runs["test_images"] = rows.test_images(everyone, runs, one_set=not of_paper)
    runs["baseline_accuracy"], runs["baseline"] = rows.baseline(runs, everyone, dense_accuracy)
    runs["drop"] = runs["baseline_accuracy"] - runs["accuracy"]
    if drop == "relative":
        runs["drop"] /= runs["baseline_accuracy"]
    notes = rows.notes(runs, everyone)
    runs[ACHIEVED] = runs[ACHIEVED].fillna(runs["sparsity"])

    keys = pd.MultiIndex.from_frame(runs[RUN])
    runs["nodes"] = np.nan
    if MULTIPARTITE in tables:
        runs["nodes"] = tables[MULTIPARTITE].set_index(RUN)["nodes"].reindex(keys).to_numpy()
    kept: list[dict[str, pd.DataFrame]] = []
    for found in (features, further):
        known = {}
        for name, table in found.items():
            table, left_out = _comparable(name, table.reindex(keys).reset_index(drop=True), runs)
            notes += left_out
            if len(table.columns):
                known[name] = table
        kept.append(known)
    features, further = kept
    at_first = {}
    if not of_paper and every is not tables:
        at_first, left_out = _at_first(folder, every, aggregation, features, keys)
        notes += left_out
    features[SPARSITY] = runs[[ACHIEVED]].copy()
    return Networks(runs, features, wiring, tuple(notes), further, at_first)


def _at_first(
    folder: str | Path,
    tables: dict[str, pd.DataFrame],
    aggregation: str,
    features: dict[str, pd.DataFrame],
    keys: pd.MultiIndex,
) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """What `features` has of the trained networks, of the same ones before the first epoch.

    And notes: which networks were measured then and not at the end.
    """
    first = {name: table[table["epoch"] == 0] for name, table in tables.items()}
    first = {name: table for name, table in first.items() if len(table)}
    found, _ = sets.features(folder, first, aggregation)
    ended = pd.concat([table[table["epoch"] == table["epochs"]][RUN] for table in tables.values()])
    begun = pd.concat([table[RUN] for table in first.values()] or [ended[:0]]).drop_duplicates()
    lost = begun[~pd.MultiIndex.from_frame(begun).isin(pd.MultiIndex.from_frame(ended))]
    notes = []
    if len(lost):
        counts = lost.groupby(["pruning", "sparsity"], sort=True).size()
        which = ", ".join(f"{pruner} {s:g} ({n})" for (pruner, s), n in counts.items())
        notes.append(
            f"{len(lost)} networks were measured before training and not at its end (it diverged, "
            f"or is under way); they are no random sample: {which}."
        )
    known = {
        name: table.reindex(keys).reset_index(drop=True)[list(features[name].columns)]
        for name, table in found.items()
        if name in features
    }
    return known, notes


def name_of(value: object) -> str:
    """A stratum's value as text: 0.6, Resnet-20."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _comparable(
    name: str, table: pd.DataFrame, runs: pd.DataFrame
) -> tuple[pd.DataFrame, list[str]]:
    """The metrics of a predictor that can serve to compare networks, and notes on the others."""
    missing = table.isna().all(axis=1)
    if missing.all():
        return table[[]], [f"{name} left out: no file has it for any of these networks."]
    notes = []
    if missing.any():
        notes.append(f"{name}: {missing.sum()} of {len(runs)} networks are not in the files.")
    # Nor can a metric that the files of one model and dataset lack.
    there = table.notna().groupby([runs["model"], runs["dataset"]]).any()
    there = there[there.any(axis=1)]
    nowhere = [column for column in table if not there[column].any()]
    partial = [column for column in table if not there[column].all() and column not in nowhere]
    for columns, why in ((nowhere, "no file has it"), (partial, "some files lack it")):
        if columns:
            notes.append(f"{name}: {', '.join(columns)} left out: {why}.")
    return table.drop(columns=nowhere + partial), notes
