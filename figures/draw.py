"""Pictures of saved graphs.

    python main.py --pruning snip synflow --save-graph graphs
    python -m figures.draw graphs/*.graph.zst                            # one picture a graph
    python -m figures.draw graphs/*.graph.zst --compare                  # one sheet of all layers

The same file and flags give the same picture, to the byte.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runs import naming
from system.arguments import Parser, file_ending_in, module_parser, path, whole_number
from system.errors import UserError
from system.files import check_file
from system.program import program, run_program
from system.text import printable

from .columns import SCALES
from .memory import require_memory
from .multipartite import COLOURS, draw
from .nodes import MARKS
from .saved_graphs import comparable, configuration, labels
from .style import DPI, FORMATS, write

if TYPE_CHECKING:
    from graph_encoding import Graph
    from metrics.by_layer import LayerSummary


@program("figures.draw")
def main(argv: Sequence[str]) -> None:
    """Draw.

    Parameters
    ----------
    argv : sequence of str, optional
        Without the program's name; ``sys.argv`` by default.

    Returns
    -------
    int
        Exit status: 0; 2 after one line about what the user can mend; 130 when interrupted.
    """
    run(parse(argv))


def parser() -> Parser:
    """The flags."""
    p = module_parser("figures.draw", __doc__)
    p.add_argument("files", nargs="+", type=path, metavar="FILE", help="saved by --save-graph")
    p.add_argument(
        "--output",
        type=file_ending_in(*FORMATS),
        metavar="FILE",
        help="picture to write: .png, .svg or .pdf; for one picture only (default: a .png beside "
        "the file, with --compare layers.png beside the first)",
    )
    p.add_argument(
        "--colour",
        choices=COLOURS,
        help="colour edges by their depth or by the strength of nodes (default: layer)",
    )
    p.add_argument("--mark", nargs="+", choices=MARKS, help="nodes to mark (default: none)")
    p.add_argument(
        "--heights",
        choices=SCALES,
        help="height of a column: its number of nodes, or its logarithm (default: linear)",
    )
    p.add_argument("--removed", action="store_true", help="also edges that pruning removed, pale")
    p.add_argument(
        "--graph",
        type=whole_number(0),
        metavar="N",
        help="which graph of a file with several, such as rolled ones (default: 0)",
    )
    p.add_argument(
        "--dpi",
        type=whole_number(10, 1001),
        default=DPI,
        metavar="N",
        help="points an inch, of shades also in .svg and .pdf (default: %(default)s)",
    )
    p.add_argument(
        "--compare",
        action="store_true",
        help="one sheet: density, sinks, sources and strength of each layer, a line a file",
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

    Raises
    ------
    UserError
        If anything is wrong with it.
    SystemExit
        After ``--help``, which is printed.
    """
    options = parser().parse_args(argv)
    for flag in ("colour", "heights", "mark", "removed", "graph"):
        given = getattr(options, flag)
        if options.compare and given is not None and given is not False:
            raise UserError(f"--{flag} has no effect with --compare: leave out one of them")
    if options.output and not options.compare and len(options.files) > 1:
        raise UserError("--output is for one picture: give one file, or --compare")
    return options


def run(options: argparse.Namespace) -> None:
    """Draw what is asked for and say where it is.

    Parameters
    ----------
    options : argparse.Namespace
        From `parse`.
    """
    if options.output:
        check_file(options.output)
    if options.compare:
        from .layers import compare

        first = options.files[0]
        summaries = _summaries(options.files)
        try:
            figure = compare(summaries)
        except ValueError as error:
            raise UserError(str(error)) from None
        _write(figure, options.output or first.with_name("layers.png"), options.dpi)
        return

    for file in options.files:
        graph, shown = _graph(file, options.graph or 0)
        require_memory(graph, file, options.mark or ())
        figure = draw(
            graph,
            colour=options.colour or COLOURS[0],
            mark=tuple(dict.fromkeys(options.mark or ())),
            removed=options.removed,
            heights=options.heights or SCALES[0],
            title=shown,
        )
        name = file.name.removesuffix(".zst").removesuffix(".graph")
        name += f"-{options.graph}" if options.graph else ""
        _write(figure, options.output or file.with_name(f"{name}.png"), options.dpi)


def _graph(file: Path, number: int) -> tuple[Graph, str]:
    """A graph of a file, and what made it."""
    import graph_encoding

    graphs = graph_encoding.load(file)
    if number >= len(graphs):
        count = f"{len(graphs)} graph{'s' * (len(graphs) != 1)}"
        raise UserError(f"{file}: holds {count}: give --graph a number below {len(graphs)}")
    parts = [naming.title(configuration(file))]
    parts += [f"layer {graphs[number].layer_name}"] if graphs[number].layer_name else []
    return graphs[number], ", ".join(filter(None, parts))


def _summaries(files: Sequence[Path]) -> dict[str, list[LayerSummary]]:
    """Layers of each file by what tells it from the others."""
    from metrics.by_layer import by_layer

    return {
        label: [row for graph in comparable(file, ("sinks",)) for row in by_layer(graph)]
        for file, label in zip(files, labels(files))
    }


def _write(figure, file: Path, dpi: int) -> None:
    write(figure, file, dpi)
    print(f"written to {printable(str(file))}")


if __name__ == "__main__":
    run_program("figures.draw:main")
