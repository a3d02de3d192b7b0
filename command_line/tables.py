"""Tables of the README files that follow from the registries and the flags.

    python -m command_line.tables        # writes each where its markers are

A table stands between ``<!-- table: NAME -->`` and ``<!-- /table -->``; the names are `TABLES`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import metrics
import metrics.extended
import ramanujan
from datasets import DATASETS
from graph_encoding import ENCODINGS
from metrics.registry import Metric, columns_of
from models import MODELS
from pruning import PRUNERS
from system.arguments import Parser
from system.errors import UserError
from system.program import program, run_program

from .flags import parser

ROOT = Path(__file__).resolve().parent.parent
MARKED = re.compile(r"(?<=<!-- table: )(\w+)( -->\n)(?:(?!<!--).*\n)*?(?=<!-- /table -->)")

Rows = Iterator[Sequence[object]]


def flags() -> Rows:
    """Flags of main.py by group, with the values that they take or a word for them."""
    yield "flag", "values", "meaning"
    for group in parser()._action_groups:
        if actions := [each for each in group._group_actions if each.dest != "help"]:
            yield f"**{group.title}**", "", ""
        for each in actions:
            values = _listed(each.choices or [each.metavar or each.dest.upper()])
            values = "" if each.nargs == 0 else f"`{values}`" + " ..." * (each.nargs == "+")
            yield f"`{each.option_strings[0]}`", values, each.help % vars(each)


def columns(registry: Iterable[Metric]) -> Rows:
    """Columns of metrics by group."""
    yield "column", "meaning", "formula"
    for group, members in groupby(registry, key=lambda metric: metric.group):
        yield f"**{group}**", "", ""
        for each in columns_of(members):
            yield f"`{each.name}`", each.meaning, each.formula


def pruners() -> Rows:
    """Pruners."""
    yield "pruner", "how it chooses", "images", "source"
    for name, each in PRUNERS.items():
        yield f"`{name}`", each.chooses, "yes" if each.needs_data else "no", each.source


def datasets() -> Rows:
    """Data sets, and how networks are trained on them; models that differ in parentheses."""
    yield "data set", "classes", "image", "epochs", "batch", "rate", "divided by 10 after", "decay"
    for name, each in DATASETS.items():
        plan, shape = each.schedule, " x ".join(map(str, each.shape))
        steps = {model: kind.milestones.get(name) for model, kind in MODELS.items()}
        decays = {model: kind.weight_decay for model, kind in MODELS.items()}
        steps = _listed(plan.milestones) + _others(steps, _listed)
        decays = f"{plan.weight_decay:g}" + _others(decays, "{:g}".format)
        yield f"`{name}`", each.classes, shape, plan.epochs, plan.batch_size, plan.lr, steps, decays


def models() -> Rows:
    """Networks."""
    yield "model", "network", "file"
    for name, each in MODELS.items():
        yield f"`{name}`", each.about, _file(each.where)


def encodings() -> Rows:
    """Encodings, and the wirings that they know."""
    yield "encoding", "graphs", "wirings", "file"
    for name, each in ENCODINGS.items():
        graphs = "bipartite, one a layer" if each.bipartite else "one multipartite graph"
        yield f"`{name}`", graphs, f"`{_listed(each.wirings)}`", _file(each.where)


TABLES: dict[str, Callable[[], Rows]] = {
    "flags": flags,
    "topometrics": lambda: columns(metrics.METRICS),
    "ramanujan": lambda: columns(ramanujan.METRICS),
    "extended": lambda: columns(metrics.extended.METRICS),
    **{"pruners": pruners, "datasets": datasets, "models": models, "encodings": encodings},
}


def table(name: str) -> str:
    """A table in Markdown; a `UserError` if there is none of that name.

    Examples
    --------
    >>> print(table("encodings").splitlines()[2])
    | `rolled` | bipartite, one a layer | `exact` | `graph_encoding/rolled.py` |
    """
    if name not in TABLES:
        raise UserError(f"no table {name!r}: choose from {', '.join(TABLES)}")
    head, *rows = ([str(cell).replace("|", r"\|") for cell in row] for row in TABLES[name]())
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, ["---"] * len(head), *rows))


def filled(text: str) -> str:
    """The text of a README file with its tables as they follow from the registries."""
    return MARKED.sub(lambda found: found[1] + found[2] + table(found[1]), text)


def readmes() -> list[Path]:
    """The README files of the checkout."""
    found = (file.relative_to(ROOT) for file in ROOT.rglob("README.md"))
    return sorted(file for file in found if not any(part.startswith(".") for part in file.parts))


def _listed(items: Iterable[object]) -> str:
    return ", ".join(map(str, items))


def _file(where: str) -> str:
    return f"`{where.partition(':')[0].replace('.', '/')}.py`"


def _others(values: dict[str, object], show: Callable[..., str]) -> str:
    """What some models have in place of the data set's."""
    text = "; ".join(f"{model}: {show(value)}" for model, value in values.items() if value)
    return f" ({text})" if text else ""


@program("command_line.tables")
def main(argv: Sequence[str]) -> None:
    """Write the tables into the README files, and name the files that have changed."""
    Parser(prog="python -m command_line.tables", description=__doc__).parse_args(argv)
    for name in readmes():
        old = (ROOT / name).read_text()
        if (new := filled(old)) != old:
            (ROOT / name).write_text(new)
            print(name)


if __name__ == "__main__":
    run_program("command_line.tables:main")
