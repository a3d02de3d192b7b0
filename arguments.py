"""The command line of main.py: flags, defaults, and one clear line for whatever is wrong."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from datasets import DATASETS
from graph_encoding import ENCODINGS, WIRINGS
from models import MODELS
from pruning import PRUNERS

GRAPH_METRICS = ("topometrics", "ramanujan")

TRUE, FALSE = ("true", "yes", "1"), ("false", "no", "0")


class UsageError(Exception):
    """Something the user can mend; the message is one line that says what and how."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are exceptions with a one-line message."""

    def error(self, message: str) -> NoReturn:
        """Raise `UsageError` instead of printing the usage and leaving."""
        hint = "" if "choose from" in message else "; --help lists all flags"
        raise UsageError(message + hint)


def boolean(text: str) -> bool:
    """``true``, ``yes`` and ``1``, or ``false``, ``no`` and ``0``, in any case of letters."""
    if text.lower() not in TRUE + FALSE:
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(TRUE + FALSE)}")
    return text.lower() in TRUE


def sparsity(text: str) -> float:
    """A fraction in [0, 1)."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < 1:  # also refuses nan
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a fraction of weights to remove: give a number with 0 <= number < 1"
        )
    return abs(value)  # -0.0 is 0.0


def whole_number(least: int, below: int = 2**32):
    """Type of an integer flag with ``least <= value < below``."""

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value < below:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a whole number from {least} to {below - 1}"
            )
        return value

    return convert


def learning_rate(text: str) -> float:
    """A finite positive number."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return value


def graph_metrics(text: str) -> str:
    """The name, also in the spelling of the paper's code."""
    return "ramanujan" if text == "ramanunjan" else text


def parser() -> Parser:
    """The flags, in groups."""
    p = Parser(
        prog="main.py",
        description="Prune a network at initialisation, encode it as a graph, measure the graph.",
        epilog="Long options can be written with hyphens or underscores.",
        allow_abbrev=False,
    )
    default = " (default: %(default)s)"

    group = p.add_argument_group("network")
    group.add_argument("--model", choices=MODELS, default="Resnet-20", help="network" + default)
    group.add_argument(
        "--dataset",
        choices=DATASETS,
        help="images (default: CIFAR-10 when it is on disk or can be downloaded, otherwise the "
        "digits that come with scikit-learn; a run that opens no data is written as CIFAR-10)",
    )
    group.add_argument(
        "--seed",
        type=whole_number(0),
        default=0,
        help="of weights, batches and pruner" + default,
    )

    group = p.add_argument_group("pruning")
    group.add_argument("--pruning", choices=PRUNERS, default="snip", help="method" + default)
    group.add_argument(
        "--sparsity",
        type=sparsity,
        default=0.98,
        help="fraction of weights to remove, from 0 to below 1; dense removes none and is "
        "written as 0.0" + default,
    )

    group = p.add_argument_group("training")
    group.add_argument(
        "--training",
        type=boolean,
        nargs="?",
        const=True,
        default=False,
        metavar="{true,false}",
        help="train the pruned network before measuring it; also yes, no, 1, 0, and true when "
        "given alone" + default,
    )
    paper = " (default: as in the paper)"
    group.add_argument(
        "--epochs",
        type=whole_number(1),
        metavar="N",
        help="epochs; the steps of the learning rate keep their places in proportion" + paper,
    )
    group.add_argument(
        "--batch-size", type=whole_number(1), metavar="N", help="images in a batch" + paper
    )
    group.add_argument("--lr", type=learning_rate, metavar="LR", help="first rate" + paper)

    group = p.add_argument_group("graph")
    group.add_argument("--encoding", choices=ENCODINGS, default="unrolled", help="graph" + default)
    group.add_argument(
        "--wiring",
        choices=WIRINGS,
        default="exact",
        help="published: as the released code wires stride-2 layers; differs for unrolled graphs "
        "only" + default,
    )
    group.add_argument(
        "--graph-metrics",
        type=graph_metrics,
        choices=GRAPH_METRICS,
        default="topometrics",
        help="what to measure; ramanujan needs a bipartite encoding: rolled or rolled-channel"
        + default,
    )

    group = p.add_argument_group("files")
    group.add_argument(
        "--data-root", type=Path, default=Path("data"), metavar="DIR", help="images" + default
    )
    group.add_argument(
        "--output-dir", type=Path, default=Path("results"), metavar="DIR", help="CSVs" + default
    )
    group.add_argument(
        "--force",
        type=boolean,
        nargs="?",
        const=True,
        default=False,
        metavar="{true,false}",
        help="compute a run again whose rows are there, and replace them" + default,
    )

    group = p.add_argument_group("machine")
    group.add_argument(
        "--device",
        choices=("cuda", "cpu"),
        default="cpu",
        help="where to compute" + default,
    )
    group.add_argument(
        "--threads",
        type=whole_number(1, 2**15),
        metavar="N",
        help="threads of torch, numba and BLAS (default: all cores)",
    )
    return p


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line.

    Parameters
    ----------
    argv : sequence of str
        Without the program's name.

    Returns
    -------
    argparse.Namespace
        One attribute a flag, with underscores.

    Raises
    ------
    UsageError
        If anything is wrong with it.
    SystemExit
        After ``--help``, which is printed.
    """
    options = parser().parse_args([_with_hyphens(argument) for argument in argv])
    if options.graph_metrics == "ramanujan" and options.encoding == "unrolled":
        raise UsageError(
            "the Ramanujan metrics are defined on bipartite graphs: "
            "add --encoding rolled or --encoding rolled-channel"
        )
    for flag in ("epochs", "batch_size", "lr"):
        if getattr(options, flag) is not None and not options.training:
            raise UsageError(f"--{flag.replace('_', '-')} has no effect without --training: add it")
    return options


def _with_hyphens(argument: str) -> str:
    """``--data_root=my_data`` as ``--data-root=my_data``."""
    if not argument.startswith("--"):
        return argument
    name, equals, value = argument.partition("=")
    return name.replace("_", "-") + equals + value
