"""How networks, and what is measured of them, go while they are trained.

    python main.py --pruning snip erk --sparsity 0.98 --seed 0 1 2 --measure-every 20
    python -m figures.trajectories results/graph_metrics/unrolled/unrolled-CIFAR-10-Resnet-20.csv

One panel a metric, with the accuracy first; one line a method: the mean over seeds, in a band from
the least to the greatest of them. Of bipartite graphs, a value is the mean over layers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pruning import PRUNERS
from runs import naming, results
from runs.columns import CONFIGURATION, IDENTITY, LAYER, completed
from system.arguments import file_ending_in, fraction, module_parser, path
from system.errors import UserError
from system.files import check_file
from system.program import program, run_program
from system.text import printable

from .style import FORMATS, TEXT, matplotlib, pruner_styles, sheet, write

if TYPE_CHECKING:
    import pandas as pd

ACCURACY, MOVED = "accuracy", "moved"
POINT = ["pruning", "seed", "epoch"]
ONE = [name for name in IDENTITY if name not in (*POINT, "training")]
"""What has to be the same of all networks of a picture."""


def read(
    files: Sequence[Path],
    sparsity: float | None = None,
    wiring: str | None = None,
    pruning: Sequence[str] = (),
) -> pd.DataFrame:
    """Read the rows of trainings that were measured at several moments.

    Parameters
    ----------
    files : sequence of Path
        Result files of main.py; several if they are of the same networks and encoding.
    sparsity : float, optional
        Take only networks of this one, and those that the others are compared with.
    wiring : str, optional
        Take only graphs of this one.
    pruning : sequence of str
        Take only networks of these; of all by default.

    Returns
    -------
    pandas.DataFrame
        One row a network and moment, by ``epoch``; the rows of its layers as their mean.
        ``attrs`` has what all have in common.

    Raises
    ------
    UserError
        If there is no such row, or they are of networks that belong in several pictures.
    """
    import pandas as pd

    rows = [row for file in files for row in _rows(file)]
    table = pd.DataFrame([row for row in rows if row["training"]])
    baselines = [name for name, pruner in PRUNERS.items() if pruner.is_baseline]
    if len(table) and sparsity is not None:
        table = table[(table["sparsity"] == sparsity) | table["pruning"].isin(baselines)]
    if len(table) and wiring is not None:
        table = table[table["wiring"] == wiring]
    if len(table) and pruning:
        table = table[table["pruning"].isin(pruning)]
    if len(table):
        moments = table.groupby([*POINT[:2], *ONE], dropna=False)["epoch"].transform("nunique")
        table = table[moments > 1]
    if not len(table):
        raise UserError(
            f"{', '.join(map(str, files))}: no network that was measured at several moments of its "
            "training: run main.py with --measure-every"
        )
    compared = table[~table["pruning"].isin(baselines)]
    common = (compared if len(compared) else table)[ONE].drop_duplicates()
    for name in common:
        if common[name].nunique() > 1:
            found = ", ".join(map(str, sorted(common[name].unique())))
            remedy = f"give --{name}" if name in ("sparsity", "wiring") else "give other files"
            raise UserError(f"a picture is of one {name}, and there are {found}: {remedy}")
    made = common.iloc[0]
    fixed = [name for name in ONE if name != "sparsity"]  # which the baselines do not share
    alike = (table[fixed] == made[fixed]) | (table[fixed].isna() & made[fixed].isna())
    table = table[alike.all(axis=1)]
    numbers = [name for name in table if name not in {*CONFIGURATION, *LAYER}]
    numbers = [ACCURACY, MOVED, *numbers]
    values = table[POINT].join(table[numbers].apply(pd.to_numeric).astype(float))
    found = values.groupby(POINT, as_index=False, sort=True).mean()
    found.attrs = common.iloc[0].to_dict()
    return found


def _rows(file: Path) -> list[dict[str, object]]:
    if not file.is_file():
        raise UserError(f"{file}: no such file: give a result CSV of main.py")
    rows = [completed(row) for row in results.read(file)]
    if lacking := [name for name in IDENTITY if rows and name not in rows[0]]:
        raise UserError(f"{file}: has no column {lacking[0]}, so no moments of a training")
    return rows


def changing(table: pd.DataFrame) -> list[str]:
    """Names of the metrics that are not the same at all moments, in the order of the table."""
    spread = table.drop(columns=["epoch", ACCURACY]).groupby(["pruning", "seed"])
    found = (spread.max() - spread.min()).fillna(0) > 0
    return [name for name in found if found[name].any()]


def plot(table: pd.DataFrame, names: Sequence[str]):
    """Plot metrics against epochs.

    Parameters
    ----------
    table : pandas.DataFrame
        From `read`.
    names : sequence of str
        Columns to draw.

    Returns
    -------
    matplotlib.figure.Figure
    """
    found = list(dict.fromkeys(table["pruning"]))
    methods = [name for name in (*PRUNERS, *found) if name in found]
    methods = list(dict.fromkeys(methods))
    styles = pruner_styles(methods)
    with matplotlib().rc_context(TEXT):
        columns = math.ceil(len(names) / math.ceil(len(names) / 3))  # as even as can be
        figure, panels = sheet(len(names), columns, 1.9, sharex=True)
        for panel, name in zip(panels, names, strict=True):
            for method in methods:
                part = table[table["pruning"] == method].groupby("epoch")[name]
                mean, (colour, marker) = part.mean(), styles[method]
                panel.plot(
                    mean.index,
                    mean,
                    color=colour,
                    marker=marker,
                    markersize=4,
                    linewidth=1.2,
                    label=method,
                )
                panel.fill_between(
                    mean.index, part.min(), part.max(), color=colour, alpha=0.18, linewidth=0
                )
            panel.set_title(name, parse_math=False)
            panel.grid(alpha=0.3)
            panel.ticklabel_format(axis="y", scilimits=(-3, 4), useMathText=True, useOffset=False)
            panel.xaxis.get_major_locator().set_params(integer=True)
        for panel in panels[-columns:]:
            panel.tick_params(labelbottom=True)
        for panel in panels[(len(panels) - 1) // columns * columns :]:
            panel.set_xlabel("epoch")
        figure.suptitle(_title(table), fontsize="large", parse_math=False)
        if len(methods) > 1:
            handles, labels = panels[0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside lower center", ncols=8)
    return figure


def _title(table: pd.DataFrame) -> str:
    made, methods, seeds = table.attrs, table["pruning"].unique(), table["seed"].nunique()
    parts = [naming.title(made), *(methods if len(methods) == 1 else [])]
    parts += [made["encoding"], *([f"mean and range of {seeds} seeds"] if seeds > 1 else [])]
    return ", ".join(parts)


@program("figures.trajectories")
def main(argv: Sequence[str]) -> None:
    """Draw.

    Parameters
    ----------
    argv : sequence of str, optional
        Without the program's name.
    """
    p = module_parser("figures.trajectories", __doc__)
    p.add_argument("files", nargs="+", type=path, metavar="FILE.csv", help="results of main.py")
    p.add_argument(
        "--metrics",
        nargs="+",
        metavar="NAME",
        help="columns to draw beside the accuracy (default: all that change while training)",
    )
    p.add_argument("--pruning", nargs="+", metavar="NAME", help="methods to draw (default: all)")
    p.add_argument("--sparsity", type=fraction, help="where a file has several")
    p.add_argument("--wiring", help="where a file has several")
    p.add_argument(
        "--output",
        type=file_ending_in(*FORMATS),
        default=Path("trajectories.png"),
        metavar="FILE",
        help="picture to write: .png, .svg or .pdf (default: %(default)s)",
    )
    options = p.parse_args(argv)
    check_file(options.output)
    table = read(options.files, options.sparsity, options.wiring, options.pruning or ())
    for name in options.metrics or ():
        if name not in table or name in POINT:
            known = [name for name in table if name not in POINT]
            raise UserError(f"--metrics {name}: choose from {', '.join(known)}")
    names = [ACCURACY, *(options.metrics or changing(table))]
    write(plot(table, list(dict.fromkeys(names))), options.output)
    print(f"written to {printable(str(options.output))}")


if __name__ == "__main__":
    run_program("figures.trajectories:main")
