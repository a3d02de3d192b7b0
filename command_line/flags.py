"""The command line of main.py: flags, defaults, and one clear line for whatever is wrong."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from datasets import DATASETS, DEFAULT, STAND_IN
from figures.style import FORMATS
from graph_encoding import ATTENTION, ENCODINGS, EXACT, REFUSE, WIRINGS, WITH_SHORTCUTS
from graph_encoding import DEFAULT as ENCODING
from models import MODELS
from pruning import PRUNERS, at_initialisation
from runs.measures import MEASURES, SPELLINGS
from system.arguments import (
    Parser,
    boolean,
    file_ending_in,
    fraction,
    path,
    positive,
    whole_number,
    with_hyphens,
)
from system.text import choose

from . import as_released, combinations, given_weights

PAGES = (".html", ".htm")
ALL = "all"
REGISTRIES = {
    "pruners": PRUNERS,
    "models": MODELS,
    "datasets": DATASETS,
    "encodings": ENCODINGS,
    "metrics": MEASURES,
}
"""What ``--list`` can list."""


def model(text: str) -> str:
    """A name, or where a function lives."""
    if text not in (*MODELS, ALL) and not all(text.partition(":")):
        raise argparse.ArgumentTypeError(
            f"{text!r}: {choose(text, [*MODELS, ALL])}, or give package.module:function"
        )
    return text


def graph_metrics(text: str) -> str:
    """The name, also in the spelling of the paper's code."""
    return SPELLINGS.get(text, text)


def parser() -> Parser:
    """The flags, in groups."""
    p = Parser(
        prog="main.py",
        description="Prune a network at initialisation or while it is trained, encode it as a "
        "graph, measure the graph.",
        epilog="Long options can be written with hyphens or underscores.",
        allow_abbrev=False,
    )
    p.add_argument(
        "--list",
        choices=REGISTRIES,
        help="print the names that a flag can take, one a line, and exit: those of pruners for "
        "--pruning, and so on; metrics are those of --graph-metrics",
    )
    default = " (default: %(default)s)"
    trained = [name for name, pruner in PRUNERS.items() if pruner.trains]

    group = p.add_argument_group("network")
    group.add_argument(
        "--model",
        nargs="+",
        type=model,
        default=["Resnet-20"],
        metavar="NAME",
        help=f"networks: {', '.join([*MODELS, ALL])}, or package.module:function of your own, such "
        "as torchvision.models:resnet18, called without arguments (default: Resnet-20)",
    )
    given_weights.add_to(group)
    group.add_argument(
        "--input-shape",
        nargs="+",
        type=whole_number(1, 2**20),
        metavar="N",
        help="channels and sizes (height and width, or one, or three) of one input, or its "
        "features (default: of the images)",
    )
    group.add_argument(
        "--dataset",
        nargs="+",
        choices=[*DATASETS, ALL],
        help=f"images (default: {DEFAULT} when it is on disk or can be downloaded, otherwise the "
        f"{STAND_IN} that come with scikit-learn; a network that opens no images is written as "
        f"{DEFAULT}, whatever else is listed)",
    )
    group.add_argument(
        "--seed",
        nargs="+",
        type=whole_number(0),
        default=[0],
        help="of weights, batches and pruner (default: 0)",
    )

    group = p.add_argument_group("pruning")
    group.add_argument(
        "--pruning",
        nargs="+",
        choices=[*PRUNERS, ALL],
        default=["snip"],
        help=f"methods; {ALL}: those at initialisation, not {', '.join(trained)} (default: snip)",
    )
    group.add_argument(
        "--sparsity",
        nargs="+",
        type=fraction,
        default=[0.98],
        help="fraction of weights to remove, from 0 to below 1; dense removes none and is "
        "written as 0.0 (default: 0.98)",
    )
    as_released.add_to(group)
    after = [name for name, pruner in PRUNERS.items() if pruner.after_training]
    group.add_argument(
        "--rounds",
        type=whole_number(1, 1000),
        metavar="N",
        help=f"of {', '.join(after)}: how often a network that is trained is pruned, rewound to "
        "early weights and trained again (default: 1)",
    )

    group = p.add_argument_group("training")
    group.add_argument(
        "--training",
        type=boolean,
        nargs="?",
        const=True,
        default=None,
        metavar="{true,false}",
        help="train the pruned network before measuring it; also yes, no, 1, 0, and true when "
        f"given alone (default: False, but for {', '.join(trained)}, which need it)",
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
    group.add_argument("--lr", type=positive, metavar="LR", help="first rate" + paper)
    group.add_argument(
        "--measure-every",
        type=whole_number(1),
        metavar="K",
        help="train, and measure the network before the first epoch, after every K and after the "
        "last: rows of each moment, with its epoch and the accuracy then; what is pruned after its "
        "training is measured at the end (default: after the last)",
    )

    group = p.add_argument_group("graph")
    group.add_argument(
        "--encoding",
        nargs="+",
        choices=[*ENCODINGS, ALL],
        default=[ENCODING],
        help=f"graphs; all: those that have the --wiring (default: {ENCODING})",
    )
    group.add_argument(
        "--wiring",
        choices=WIRINGS,
        default=EXACT,
        help="identity: with identity shortcuts as edges of weight 1; published: as the released "
        "code wires stride-2 layers; for multipartite graphs only" + default,
    )
    group.add_argument(
        "--identity-shortcuts",
        dest="wiring",
        action="store_const",
        const=WITH_SHORTCUTS,
        help="the same as --wiring identity",
    )
    group.add_argument(
        "--attention",
        choices=ATTENTION,
        default=REFUSE,
        help="tokens: follow softmax attention; a position of its output stands for the values of "
        "all positions that it attends to, and the rows say +tokens under wiring; for multipartite "
        "graphs only" + default,
    )
    group.add_argument(
        "--effective",
        action="store_true",
        help="before the network is encoded, remove the weights that lie on no path from an input "
        "to an output, shortcuts included; its rows say so under wiring (default: no)",
    )
    only = " and ".join(name for name, measure in MEASURES.items() if measure.bipartite_only)
    bipartite = " or ".join(combinations.bipartite())
    group.add_argument(
        "--graph-metrics",
        nargs="+",
        type=graph_metrics,
        choices=[*MEASURES],
        default=[next(iter(MEASURES))],
        help=f"what to measure; {only} needs a bipartite encoding: {bipartite} "
        f"(default: {next(iter(MEASURES))})",
    )

    group = p.add_argument_group("files")
    group.add_argument(
        "--data-root", type=path, default=Path("data"), metavar="DIR", help="images" + default
    )
    group.add_argument(
        "--output-dir", type=path, default=Path("results"), metavar="DIR", help="CSVs" + default
    )
    group.add_argument(
        "--save-snn",
        type=path,
        metavar="DIR",
        help="save each network there as .pt: weights, masks, configuration; a run whose file is "
        "not there is computed even if its rows are (default: no)",
    )
    group.add_argument(
        "--save-graph",
        type=path,
        metavar="DIR",
        help="save each graph there, compressed, for graph_encoding.load; a run whose file is not "
        "there is computed even if its rows are (default: no)",
    )
    group.add_argument(
        "--figure",
        type=file_ending_in(*FORMATS),
        metavar="FILE",
        help="draw the multipartite graph of one network, the first of --encoding: .png, .svg or "
        ".pdf; figures.draw has more options (default: no)",
    )
    group.add_argument(
        "--report",
        type=file_ending_in(*PAGES),
        metavar="FILE.html",
        help="a page on one network and its multipartite graph: metrics, picture, layers, "
        "warnings; a run with --figure or --report is computed even if its rows are there "
        "(default: no)",
    )
    group.add_argument(
        "--edges",
        action="store_true",
        help="with --save-graph: also the list of all edges (default: no)",
    )
    group.add_argument(
        "--snn",
        nargs="+",
        type=path,
        metavar="FILE",
        help="measure networks that --save-snn saved; what makes a network (--model to --training) "
        "is then in the file (default: make networks)",
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

    group = p.add_argument_group(
        "sweep",
        "several values of --model, --dataset, --pruning, --sparsity, --seed, --encoding "
        "and --graph-metrics run all their combinations; each network is made once",
    )
    group.add_argument(
        "--jobs",
        type=whole_number(1, 2**15),
        default=1,
        metavar="N",
        help="networks at once, each in a process of its own; as memory allows" + default,
    )
    group.add_argument(
        "--timeout",
        type=positive,
        metavar="SECONDS",
        help="end a network that takes longer, and count it as failed (default: none)",
    )
    group.add_argument(
        "--scheduler",
        default="",
        metavar="ADDRESS",
        help="run on the workers of a Dask cluster, such as tcp://host:8786, in place of --jobs "
        "(default: none)",
    )
    group.add_argument(
        "--dry-run",
        action="store_true",
        help="only list the runs: which are done, and nodes, edges, time and memory of each "
        "(default: no)",
    )
    group.add_argument(
        "--log-file",
        type=path,
        metavar="FILE",
        help="a line for each network as it is done (default: none)",
    )

    group = p.add_argument_group("machine")
    group.add_argument(
        "--device",
        choices=("cuda", "cpu"),
        default="cpu",
        help="where to compute" + default,
    )
    group.add_argument(
        "--compile",
        action="store_true",
        help="compile the network for training (torch.compile): faster after a minute or two, and "
        "rounded otherwise (default: no)",
    )
    group.add_argument(
        "--single-precision",
        action="store_true",
        help="train in float32 on a GPU, too: slower, and without the bounds of float16, which "
        "masks that change at high sparsities may cross (default: mixed precision there)",
    )
    group.add_argument(
        "--threads",
        type=whole_number(1, 2**15),
        metavar="N",
        help="threads of torch, numba and BLAS, divided among --jobs (default: all cores)",
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
    UserError
        If anything is wrong with it.
    SystemExit
        After ``--help`` or ``--list``, which is printed.
    """
    known = parser()
    options = known.parse_args([with_hyphens(argument) for argument in argv])
    if options.list:
        print("\n".join(REGISTRIES[options.list]))
        raise SystemExit
    del options.list
    wired = [n for n, kind in ENCODINGS.items() if kind.bipartite or options.wiring in kind.wirings]
    for flag, every in (
        ("model", MODELS),
        ("dataset", DATASETS),
        ("pruning", at_initialisation()),
        ("encoding", wired),
    ):
        if ALL in (getattr(options, flag) or ()):
            named = [name for name in getattr(options, flag) if name != ALL]
            setattr(options, flag, list(dict.fromkeys((*every, *named))))
    given_weights.check(options, known.get_default)
    combinations.check(options)
    return options
