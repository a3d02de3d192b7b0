"""The paper's study from result CSVs, in one command.

    python -m graph_data.fetch                      # the CSVs that the authors released
    python -m graph_data.study                      # the study on them
    python -m graph_data.study --data results       # the study on results of main.py

Writes a report, tidy CSVs and plots. The same CSVs and seed give the same files, to the byte.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from joblib import Parallel, cpu_count, parallel_config
from threadpoolctl import threadpool_limits

from figures.style import TEXT, matplotlib, save
from graph_data import fetch
from graph_data.tables import TableError
from graph_encoding import EXACT, PUBLISHED
from system.arguments import Parser, module_parser, path, whole_number
from system.bars import tqdm
from system.files import replacing
from system.program import program, run_program

from . import COMPARISONS, SECTIONS, bearing, claims, networks, report, section
from .wording import Tables

COMMITTED = Path(__file__).parents[1] / "paper_results"
FIGURES = Path(__file__).parents[2] / "figures"
DEFAULT = "all there are; of the released CSVs the paper's"
NOT_WHAT = {"data", "output_dir", "figures_dir", "jobs"}  # flags that change no number


@program("graph_data.study", interrupted="interrupted; nothing was written")
def main(argv: Sequence[str]) -> None:
    """Run the study.

    Parameters
    ----------
    argv : sequence of str, optional
        Without the program's name; ``sys.argv`` by default.

    Returns
    -------
    int
        Exit status: 0; 2 after one line about what the user can mend; 130 when interrupted.
    """
    run(parser().parse_args(argv))


def parser() -> Parser:
    """The flags."""
    p = module_parser("graph_data.study", __doc__)
    p.add_argument(
        "--data",
        type=path,
        default=fetch.PUBLISHED,
        metavar="DIR",
        help="result CSVs: the released ones (default: where graph_data.fetch puts them) or an "
        "output folder of main.py",
    )
    p.add_argument(
        "--output-dir",
        type=path,
        metavar="DIR",
        help="where report and tables go (default: graph_data/paper_results for the whole study "
        "of the released CSVs, otherwise paper_results in the folder of the data)",
    )
    p.add_argument(
        "--figures-dir",
        type=path,
        metavar="DIR",
        help="where plots go (default: figures for the whole study of the released CSVs, "
        "otherwise figures in the output folder)",
    )
    p.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    p.add_argument("--models", nargs="+", metavar="M", help=f"default: {DEFAULT} four")
    p.add_argument("--datasets", nargs="+", metavar="D", help="default: all there are")
    p.add_argument("--pruners", nargs="+", metavar="P", help=f"default: {DEFAULT} seven")
    p.add_argument(
        "--all",
        action="store_true",
        help="all models and pruners of the released CSVs: also MobileNetV2 and dynamic sparse "
        "training (rigl, itop, snfs, dsr)",
    )
    p.add_argument(
        "--aggregation",
        choices=networks.AGGREGATIONS,
        default="mean",
        help="how Ramanujan metrics and density of the layers become one number a network: mean, "
        "or weighted by parameters (the density is then that of the whole network, nearly the same "
        "for all networks of one sparsity) (default: %(default)s)",
    )
    p.add_argument(
        "--drop",
        choices=networks.DROPS,
        default="relative",
        help="accuracy drop as a share of the accuracy that it is a drop from, or as a difference "
        "(default: %(default)s)",
    )
    p.add_argument(
        "--dense-accuracy",
        type=path,
        metavar="CSV",
        help="columns model, dataset, accuracy of dense networks (default: mean of the dense rows, "
        "or without them the best accuracy of the model and dataset, that of a sparse network)",
    )
    p.add_argument(
        "--wiring",
        choices=(EXACT, PUBLISHED),
        default=EXACT,
        help="which unrolled graphs of main.py to take (default: %(default)s)",
    )
    p.add_argument(
        "--seed", type=whole_number(0), default=0, help="of folds and resamples (default: 0)"
    )
    p.add_argument(
        "--jobs",
        type=whole_number(1, 2**15),
        default=cpu_count(),
        metavar="N",
        help="processes; the results do not depend on it (default: all cores)",
    )
    return p


def run(options: argparse.Namespace) -> None:
    """Read, compute, write.

    Parameters
    ----------
    options : argparse.Namespace
        From `parser`.
    """
    released = options.data.resolve() == fetch.PUBLISHED.resolve()
    if released and not options.data.is_dir():
        raise TableError(
            f"{options.data}: not there: python -m graph_data.fetch gets the released CSVs; "
            "--data takes another folder"
        )
    changed = changes(options)
    committed = released and not changed
    output = options.output_dir or (COMMITTED if committed else options.data / "paper_results")
    plots = options.figures_dir or (FIGURES if committed else output / "figures")
    data = networks.load(
        options.data,
        models=options.models,
        datasets=options.datasets,
        pruners=options.pruners,
        everything=options.all,
        wiring=options.wiring,
        aggregation=options.aggregation,
        drop=options.drop,
        dense_accuracy=options.dense_accuracy,
    )
    tables = compute(data, options.sections, options.seed, options.jobs)
    if not released and not changed & {"drop", "aggregation"}:
        there = claims.tables_of(COMMITTED)
        both = {name: section(name).compare(tables, there) for name in COMPARISONS}
        tables = {name: found for name, found in both.items() if found} | tables
    refused = bearing.refusals(data, tables)
    tables = bearing.applied(tables, refused)
    drawn = {
        name: os.path.relpath(plots / f"study_{name}.png", output)
        for name, found in tables.items()
        if found and hasattr(section(name), "plot")
    }
    text = report.write(data, tables, options, drawn, refused)
    if len(verdicts := claims.summary(tables, refused)):
        put(output / "claims.csv", verdicts.to_csv(index=False, lineterminator="\n"))
    for name, found in tables.items():
        for kind, table in found.items():
            lines = table.to_csv(index=False, float_format="%.5g", lineterminator="\n")
            put(output / name / f"{kind}.csv", lines)
        if name in drawn:
            with matplotlib().rc_context(TEXT):
                save(section(name).plot(found), plots / f"study_{name}.png")
    put(output / "report.md", text)
    print(text)
    for reason, names in _by_reason(refused).items():
        print(f"graph_data.study: warning: {', '.join(names)}: {reason}", file=sys.stderr)
    print(f"written to {output} and {plots}")


def _by_reason(refused: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, reason in refused.items():
        found.setdefault(reason, []).append(name)
    return found


def changes(options: argparse.Namespace) -> set[str]:
    """Flags that decide what is computed and are not at their defaults."""
    defaults = parser().parse_args([])
    return {
        name
        for name, value in vars(options).items()
        if name not in NOT_WHAT and value != getattr(defaults, name)
    }


def compute(
    data: networks.Networks, sections: Sequence[str], seed: int = 0, jobs: int = 1
) -> dict[str, Tables]:
    """Tables of each section that the data allow.

    Parameters
    ----------
    data : Networks
    sections : sequence of str
        Of `SECTIONS`.
    seed : int
    jobs : int
        Processes, each with one thread.

    Returns
    -------
    dict of str to dict of str to pandas.DataFrame
        A section that has nothing to compute (one dataset cannot be held out) is empty.
    """
    modules = {name: section(name) for name in SECTIONS if name in sections}
    tasks = {name: module.tasks(data, seed) for name, module in modules.items()}
    bar = tqdm(total=sum(map(len, tasks.values())), unit="task", disable=not sys.stderr.isatty())
    tables = {}
    with bar, threadpool_limits(1), parallel_config("loky", n_jobs=jobs, inner_max_num_threads=1):
        for name, todo in tasks.items():
            bar.set_description(name)
            results = []
            for result in Parallel(return_as="generator")(todo):
                results.append(result)
                bar.update()
            tables[name] = modules[name].collect(results) if results else {}
    return tables


def put(file: Path, text: str) -> None:
    """Write a file, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as opened:
        opened.write(text.encode())


if __name__ == "__main__":
    run_program("graph_data.study.__main__:main")
